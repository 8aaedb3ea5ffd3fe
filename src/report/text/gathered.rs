//! Rows, gathered for a report that is written when all have come.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::net::IpAddr;

use super::report::{Before, Report, crosses_midnight};
use super::{ROWS, TextLook};
use crate::owner::Socket;
use crate::report::shared::Shared;
use crate::summary::found::Found;
use crate::summary::seen::{Process, Seen};
use crate::summary::{Owner, Row, Totals};
use crate::verdict::Verdict;

/// The contents of a report.
#[derive(Debug)]
pub struct Gathered {
    pub found: Found,
    /// Connections without a finding, as many as are kept, and the number of those that are not.
    others: Vec<Seen>,
    more_others: u64,
    /// Sockets that the capture never saw.
    before: Vec<Before>,
    /// Processes are named; a list of the host's sockets names them.
    owners: bool,
    listed: bool,
    /// Hosts that hold the connections of peer-holds flows.
    peer_holders: BTreeSet<IpAddr>,
    /// Sockets that several processes hold.
    shared: Shared,
}

impl Gathered {
    /// Keeps so many findings whole.
    pub fn keeping(most: usize) -> Gathered {
        Gathered {
            found: Found::keeping(most),
            others: Vec::new(),
            more_others: 0,
            before: Vec::new(),
            owners: false,
            listed: false,
            peer_holders: BTreeSet::new(),
            shared: Shared::default(),
        }
    }

    /// Takes a row; one without a finding only if `all`.
    pub fn row(&mut self, row: &Row, all: bool) {
        let seen = Seen::new(row);
        self.owners |= !matches!(row.owner, Owner::NotAsked);
        self.listed |= matches!(row.owner, Owner::Listed(_) | Owner::NotListed);
        if row.judged.judgement.verdict == Verdict::PeerHolds {
            self.peer_holders.insert(seen.judged_and_peer().0.ip);
        }
        if row.judged.judgement.finding {
            self.shared.add(row.owner.holders());
            self.found.add(seen);
        } else if all && self.others.len() < ROWS {
            self.others.push(seen);
        } else {
            self.more_others += u64::from(all);
        }
    }

    pub fn stuck_before(&mut self, socket: &Socket) {
        let Socket { local, peer, .. } = *socket;
        self.shared.add(&socket.holders);
        let (held, idle) = (socket.held_for(), socket.idle_before_fin());
        self.before.push(Before { local, peer, process: Process::of(socket), held, idle });
    }

    /// Returns the report on all that has come.
    pub fn report<'a>(&'a self, look: &'a TextLook, totals: &'a Totals) -> Report<'a> {
        Report {
            look,
            dates: look.dates || crosses_midnight(totals, look.zone),
            totals,
            found: &self.found,
            groups: OnceCell::new(),
            longest: self.found.longest(),
            others: &self.others,
            more_others: self.more_others,
            before: &self.before,
            owners: self.owners,
            listed: self.listed,
            peer_holders: &self.peer_holders,
            shared: &self.shared,
        }
    }
}
