//! What a capture held, in memory: small owned rows, for whoever compares them with something.

use std::io;

use chrono::TimeDelta;

use super::cause::Cause;
use super::evidence::evidence;
use super::{Row, Sink, Tally, Totals};
use crate::attach::Facts;
use crate::place::Place;
use crate::printable::printable;
use crate::tcp::segment::Endpoint;
use crate::tcp::side::Side;
use crate::verdict::local::Local;
use crate::verdict::{Close, Doubt, Verdict};

/// The connections of a capture that can matter, and the counts of all.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    pub flows: Vec<Seen>,
    pub tally: Tally,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Seen {
    pub verdict: Verdict,
    pub close: Close,
    pub finding: bool,
    /// `A` sent the first packet seen.
    pub ends: [Endpoint; 2],
    pub local: Local,
    pub holder: Option<Side>,
    /// The end that a port is listened on, where the capture tells.
    pub service: Option<Side>,
    /// How long the local side has held CLOSE-WAIT, or had when it closed.
    pub held: Option<TimeDelta>,
    /// Still open: how long nothing had been said when the capture ended.
    pub open_idle: Option<TimeDelta>,
    pub in_transaction: bool,
    pub cause: Option<Cause>,
    /// Those of the open transaction, or the last one; without values.
    pub statements: Vec<String>,
    pub evidence: Vec<String>,
    pub doubts: Vec<Doubt>,
    pub first: Place,
}

impl Seen {
    fn new(row: &Row) -> Seen {
        let (flow, judgement) = (&row.judged.flow, &row.judged.judgement);
        Seen {
            verdict: judgement.verdict,
            close: judgement.close,
            finding: judgement.finding,
            ends: [Side::A, Side::B].map(|side| row.judged.endpoint(side)),
            local: judgement.local,
            holder: judgement.holder,
            service: flow.service(),
            held: held_by_local(row),
            open_idle: open_idle(row),
            in_transaction: row.judged.said.as_deref().and_then(|facts| facts.in_transaction)
                == Some(true),
            cause: row.cause,
            statements: row.judged.said.as_deref().map_or_else(Vec::new, statements),
            evidence: evidence(row).iter().map(|sentence| printable(sentence)).collect(),
            doubts: judgement.doubts.clone(),
            first: flow.first,
        }
    }

    fn end(&self, side: Side) -> Endpoint {
        let [a, b] = self.ends;
        match side {
            Side::A => a,
            Side::B => b,
        }
    }

    /// The side that is judged, where one is.
    fn judged(&self) -> Option<Side> {
        self.holder.or(match self.local {
            Local::Side(side) => Some(side),
            Local::Both | Local::Neither | Local::Unknown => None,
        })
    }

    /// The local end and its peer; without anything that tells, as the capture has them.
    pub fn from_local(&self) -> (Endpoint, Endpoint) {
        let side = match self.local {
            Local::Side(side) => side,
            _ => self.judged().unwrap_or(Side::A),
        };
        (self.end(side), self.end(side.other()))
    }

    /// Who owes a FIN.
    pub fn holder_end(&self) -> Option<Endpoint> {
        self.holder.map(|side| self.end(side))
    }

    /// The port is the peer's own choice unless it listens on it.
    pub fn peer_is_service(&self) -> bool {
        self.judged().is_some() && self.service == self.judged().map(Side::other)
    }

    /// Neither closed nor reset: the program still has it.
    pub fn is_kept(&self) -> bool {
        matches!(self.close, Close::Open | Close::HalfClosed) && self.local != Local::Neither
    }

    /// Closed connections, of which a capture can hold any number, matter if local was late.
    fn can_matter(&self) -> bool {
        let closed = matches!(self.close, Close::Closed | Close::Reset | Close::Attempt);
        !closed || self.finding || self.held.is_some()
    }
}

/// Legal use of a half-closed connection is no holding.
fn held_by_local(row: &Row) -> Option<TimeDelta> {
    let (closer, _) = row.judged.flow.first_fin()?;
    let judgement = &row.judged.judgement;
    let judged = judgement.local != Local::Neither && judgement.local.judges(closer.other());
    let stuck = !matches!(judgement.verdict, Verdict::HalfClosed | Verdict::Unknown(_));
    judgement.held.filter(|_| judged && stuck)
}

/// Keep-alives are no use of a connection; one that nothing was ever said on is idle since it began.
fn open_idle(row: &Row) -> Option<TimeDelta> {
    let is_open =
        row.judged.judgement.close == Close::Open && row.judged.judgement.local != Local::Neither;
    let last = row.judged.flow.last_payload().unwrap_or(row.judged.flow.first);
    let nanos = is_open.then(|| row.judged.end.since(last.time))??;
    Some(TimeDelta::nanoseconds(nanos))
}

fn statements(facts: &Facts) -> Vec<String> {
    if facts.in_transaction == Some(true) && !facts.statements.is_empty() {
        return facts.statements.iter().map(|statement| printable(statement)).collect();
    }
    facts.last_statement.iter().map(|statement| printable(statement)).collect()
}

impl Sink for Collected {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        let seen = Seen::new(row);
        if seen.can_matter() {
            self.flows.push(seen);
        }
        Ok(())
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        self.tally = totals.tally.clone();
        // Rows come as connections end: what is printed goes by their first packets.
        self.flows.sort_by_key(|seen| seen.first.order());
        Ok(())
    }
}
