//! Rows, gathered for a report that is written when all have come.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::IpAddr;

use super::TextLook;
use super::report::{Before, Report, crosses_midnight};
use crate::owner::Socket;
use crate::summary::seen::{Process, Seen};
use crate::summary::{Owner, Row, Totals};
use crate::verdict::Verdict;

/// The contents of a report.
#[derive(Debug, Default)]
pub struct Gathered {
    pub findings: Vec<Seen>,
    others: Vec<Seen>,
    /// Sockets that the capture never saw.
    before: Vec<Before>,
    /// Processes are named; a list of the host's sockets names them.
    owners: bool,
    listed: bool,
    /// Hosts that hold the connections of peer-holds flows.
    peer_holders: BTreeSet<IpAddr>,
}

impl Gathered {
    /// Takes a row; one without a finding only if `all`.
    pub fn row(&mut self, row: &Row, all: bool) {
        let seen = Seen::new(row);
        self.owners |= !matches!(row.owner, Owner::NotAsked);
        self.listed |= matches!(row.owner, Owner::Listed(_) | Owner::NotListed);
        if row.judged.judgement.verdict == Verdict::PeerHolds {
            self.peer_holders.insert(seen.judged_and_peer().0.ip);
        }
        if row.judged.judgement.finding {
            self.findings.push(seen);
        } else if all {
            self.others.push(seen);
        }
    }

    pub fn stuck_before(&mut self, socket: &Socket) {
        let Socket { local, peer, .. } = *socket;
        let (held, idle) = (socket.held_for(), socket.idle_before_fin());
        self.before.push(Before { local, peer, process: Process::of(socket), held, idle });
    }

    /// Puts the longest held first: the capture's order decides among equals.
    pub fn sort(&mut self) {
        self.findings.sort_by_key(|seen| Reverse(seen.held));
    }

    /// Returns the report on all that has come.
    pub fn report<'a>(&'a self, look: &'a TextLook, totals: &'a Totals) -> Report<'a> {
        Report {
            look,
            dates: look.dates || crosses_midnight(totals, look.zone),
            totals,
            findings: &self.findings,
            others: &self.others,
            before: &self.before,
            owners: self.owners,
            listed: self.listed,
            peer_holders: &self.peer_holders,
        }
    }
}
