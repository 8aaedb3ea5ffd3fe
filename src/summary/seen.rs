//! The contents of a capture in memory: small owned summaries of connections, for whoever prints or
//! compares them when all have come.

use std::io;

use chrono::TimeDelta;

use super::cause::{Cause, not_seen};
use super::closes::is_late;
use super::evidence::evidence;
use super::hold::Hold;
use super::{Owner, Row, Sink, Tally, Totals};
use crate::attach::Facts;
use crate::attach::sql::tags::code;
use crate::code::Code;
use crate::decode::Skipped;
use crate::owner::{Held, Holder, Socket};
use crate::place::Place;
use crate::printable::printable;
use crate::set::Set;
use crate::tcp::holes::Holes;
use crate::tcp::segment::Endpoint;
use crate::tcp::side::Side;
use crate::verdict::local::{Local, LocalBy};
use crate::verdict::{Close, Doubt, Note, Verdict};

/// One connection, as little of it as is printed or compared.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The meaning for the local side.
    pub verdict: Verdict,
    /// The plain fact, whoever is local.
    pub close: Close,
    /// True for what the exit status counts.
    pub finding: bool,
    /// `A` sent the first packet seen.
    pub ends: [Endpoint; 2],
    /// The side whose closing is judged.
    pub local: Local,
    /// The ground on which it is local.
    pub local_by: Option<LocalBy>,
    /// The side that owes a FIN.
    pub holder: Option<Side>,
    /// The end that a port is listened on, where the capture tells.
    pub service: Option<Side>,
    /// The time for which the holder has held its side, at least.
    pub held: Option<TimeDelta>,
    /// The time for which the local side has held CLOSE-WAIT, or had when it closed.
    pub held_by_local: Option<TimeDelta>,
    /// Held for a while, and closed after all by who held it.
    pub is_late: bool,
    /// From the last use of the connection to the first FIN.
    pub idle_before_fin: Option<TimeDelta>,
    /// Still open: how long nothing had been said when the capture ended.
    pub open_idle: Option<TimeDelta>,
    /// The reason why it was left, if it is known.
    pub cause: Option<Cause>,
    /// The evidence that would have told the cause, where it is unknown.
    pub not_seen: Option<&'static str>,
    /// Statements of it.
    pub said: Said,
    /// The process that holds it.
    pub process: Process,
    /// The code behind it, where that was watched.
    pub code: Option<Box<Code>>,
    /// The sentences that speak for the cause, where they were asked for.
    pub evidence: Vec<String>,
    /// Reasons to trust the verdict less.
    pub doubts: Set<Doubt>,
    /// True if the peer reset it, and the process may still have its descriptor.
    pub descriptor_may_leak: bool,
    /// In CLOSE-WAIT by the kernel or a list of its sockets, and not by the packets.
    pub kernel_holds: bool,
    /// A proxy seems to hold it, which passed the FIN on, and waits for this end to close.
    pub waits_for: Option<Endpoint>,
    /// Its first packet, which names it.
    pub first: Place,
    /// Its last packet.
    pub last: Place,
    /// The first FIN, and whose it was.
    pub fin: Option<Place>,
    /// The side that sent FIN first.
    pub closer: Option<Side>,
    /// It did so right after an answer.
    pub closed_after_answer: bool,
}

/// The end of a connection that was connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// The end that local connected to.
    Peer(Endpoint),
    /// Local's own end, which peers connected to.
    Local(Endpoint),
}

/// The last statements on a connection, without values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// True if a transaction was open when the peer closed.
    pub in_transaction: bool,
    /// An error with the reason where a protocol has transactions, and it cannot be told whether one was open.
    pub transaction: Option<Result<(), &'static str>>,
    /// Statements of the open transaction.
    pub statements: Vec<String>,
    /// The last statement, without its values unless they were asked for.
    pub last: Option<String>,
    /// The code that sent them, by the tags in their comments: `orders#update`.
    pub code: Option<String>,
}

impl Said {
    /// Returns the statements of the open transaction in a line, if one is open.
    pub fn open(&self) -> Option<String> {
        (!self.statements.is_empty()).then(|| self.statements.join("; "))
    }
}

/// The holder of a socket, as a socket list tells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Process {
    /// No list was given.
    NotAsked,
    /// The list does not have the socket.
    NotListed,
    /// It waits in a listening socket's backlog.
    Backlog,
    /// Somebody holds it who may not be seen.
    Hidden,
    /// A process.
    By {
        /// Number, name and descriptor.
        holder: Holder,
        /// The capture itself says so, and no list.
        by_capture: bool,
    },
}

impl Seen {
    /// Takes from a row what reports need of it.
    pub fn new(row: &Row) -> Seen {
        let (flow, judgement) = (&row.judged.flow, &row.judged.judgement);
        Seen {
            verdict: judgement.verdict,
            close: judgement.close,
            finding: judgement.finding,
            ends: [Side::A, Side::B].map(|side| row.judged.endpoint(side)),
            local: judgement.local,
            local_by: judgement.local_by,
            holder: judgement.holder,
            service: row.judged.told_service(),
            held: judgement.held,
            held_by_local: held_by_local(row),
            is_late: is_late(row.judged),
            idle_before_fin: judgement.idle_before_fin,
            open_idle: open_idle(row),
            cause: row.cause,
            not_seen: (row.cause == Some(Cause::Unknown)).then(|| not_seen(row.judged)).flatten(),
            said: row.judged.said.as_deref().map_or_else(Said::default, Said::new),
            process: Process::new(row.owner),
            code: row.owner.code().cloned().map(Box::new),
            evidence: Vec::new(),
            doubts: judgement.doubts,
            descriptor_may_leak: judgement.notes.contains(&Note::DescriptorMayLeak),
            kernel_holds: judgement.notes.contains(&Note::KernelHolds),
            waits_for: row.judged.waits_for(),
            first: flow.first,
            last: flow.last,
            fin: flow.first_fin().map(|(_, fin)| fin.place),
            closer: flow.first_fin().map(|(closer, _)| closer),
            closed_after_answer: row.judged.was_closed_after_answer(),
        }
    }

    /// Makes a summary that has the sentences that speak for its cause, too.
    pub fn with_evidence(row: &Row) -> Seen {
        let evidence = evidence(row).iter().map(|sentence| printable(sentence)).collect();
        Seen { evidence, ..Seen::new(row) }
    }

    /// The address and port of a side.
    pub fn end(&self, side: Side) -> Endpoint {
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

    /// The end that is judged and the other; without anything that tells, as the capture has them.
    pub fn judged_and_peer(&self) -> (Endpoint, Endpoint) {
        let side = self.judged().unwrap_or(Side::A);
        (self.end(side), self.end(side.other()))
    }

    /// The local end and its peer; where local is unknown, those of [`Seen::judged_and_peer`].
    pub fn from_local(&self) -> (Endpoint, Endpoint) {
        match self.local {
            Local::Side(side) => (self.end(side), self.end(side.other())),
            Local::Both | Local::Neither | Local::Unknown => self.judged_and_peer(),
        }
    }

    /// The end that held it, where one is said to have, and its peer; else those of [`Seen::from_local`].
    pub fn from_holder(&self) -> (Endpoint, Endpoint) {
        match self.closer.filter(|_| self.holder.is_none() && self.held_by_local.is_some()) {
            Some(closer) => (self.end(closer.other()), self.end(closer)),
            None => self.from_local(),
        }
    }

    /// Returns the end that owes a FIN.
    pub fn holder_end(&self) -> Option<Endpoint> {
        self.holder.map(|side| self.end(side))
    }

    /// The port is the peer's own choice unless it listens on it.
    pub fn peer_is_service(&self) -> bool {
        self.judged().is_some() && self.service == self.judged().map(Side::other)
    }

    /// True where the side that is judged listens on its port.
    pub fn local_is_service(&self) -> bool {
        self.judged().is_some() && self.service == self.judged()
    }

    /// The service that the connection is to, as the judged side names it: where the capture missed the
    /// beginning, the end with the lower port.
    pub fn party(&self) -> Party {
        let judged = self.judged().unwrap_or(Side::A);
        let (own, peer) = (self.end(judged), self.end(judged.other()));
        let serves = match self.service {
            Some(service) => service == judged,
            None => own.port < peer.port,
        };
        if serves { Party::Local(own) } else { Party::Peer(peer) }
    }

    /// The idle time before the FIN is a bound: packets are missing before it, and the connection may have been in use
    /// later.
    pub fn is_idle_at_most(&self) -> bool {
        self.doubts.contains(&Doubt::LostBeforeFin)
    }

    /// The time for which the holder has held its side.
    pub fn hold(&self) -> Option<Hold> {
        let goes_on = self.close == Close::HalfClosed;
        self.held.map(|lasted| Hold { lasted, goes_on })
    }

    /// Neither closed nor reset: the program still has it.
    pub fn is_kept(&self) -> bool {
        matches!(self.close, Close::Open | Close::HalfClosed) && self.local != Local::Neither
    }

    /// Closed connections, of which a capture can hold any number, matter if local was late.
    fn can_matter(&self) -> bool {
        let closed = matches!(self.close, Close::Closed | Close::Reset | Close::Attempt);
        !closed || self.finding || self.held_by_local.is_some()
    }
}

impl Said {
    fn new(facts: &Facts) -> Said {
        Said {
            in_transaction: facts.in_transaction == Some(true),
            transaction: facts
                .protocol
                .transactions
                .then(|| facts.transaction_untold().map_or(Ok(()), Err)),
            statements: facts.statements.iter().map(|text| printable(text)).collect(),
            last: facts.last_statement.as_deref().map(printable),
            code: code(&facts.tags).map(|code| printable(&code)),
        }
    }

    /// Returns the statements of the last transaction, or where there are none the last one.
    pub fn asked(&self) -> &[String] {
        if self.statements.is_empty() { self.last.as_slice() } else { &self.statements }
    }

    /// The statements of the open transaction, or the last one.
    pub fn shown(&self) -> &[String] {
        match self.in_transaction && !self.statements.is_empty() {
            true => &self.statements,
            false => self.last.as_slice(),
        }
    }
}

impl Process {
    /// Takes from an owner what reports show of it.
    pub fn new(owner: Owner) -> Process {
        match owner {
            Owner::NotAsked => Process::NotAsked,
            Owner::NotListed => Process::NotListed,
            Owner::Listed(socket) => Process::of(socket),
            Owner::Kept([holder, ..], _) => {
                Process::By { holder: holder.clone(), by_capture: false }
            }
            Owner::Kept([], _) => Process::NotAsked,
            Owner::Said(holders, _) => match holders.first() {
                Some(holder) => Process::By { holder: holder.clone(), by_capture: true },
                None => Process::NotAsked,
            },
        }
    }

    /// Returns the holder of a socket in a list.
    pub fn of(socket: &Socket) -> Process {
        match socket.held() {
            Held::By(holder) => Process::By { holder: holder.clone(), by_capture: false },
            Held::Backlog => Process::Backlog,
            Held::Hidden => Process::Hidden,
        }
    }
}

/// Legal use of a half-closed connection is no holding.
fn held_by_local(row: &Row) -> Option<TimeDelta> {
    let (closer, _) = row.judged.flow.first_fin()?;
    let judgement = &row.judged.judgement;
    let judged = judgement.local.holds_to_account(closer.other());
    let stuck = !matches!(judgement.verdict, Verdict::HalfClosed | Verdict::Unknown(_))
        && !row.judged.ended_in_use();
    judgement.held.filter(|_| judged && stuck)
}

/// Keep-alives are no use of a connection; one that nothing was ever said on is idle since it began.
fn open_idle(row: &Row) -> Option<TimeDelta> {
    let judgement = &row.judged.judgement;
    let is_open = judgement.close == Close::Open && judgement.local != Local::Neither;
    let last = row.judged.flow.last_payload().unwrap_or(row.judged.flow.first);
    let nanos = is_open.then(|| row.judged.end.since(last.time))??;
    Some(TimeDelta::nanoseconds(nanos))
}

/// The connections of a capture that can matter, and the counts of all.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// Connections in the order of their first packets.
    pub flows: Vec<Seen>,
    /// Counts of all connections.
    pub tally: Tally,
    /// Connections that the peer closed or reset: how local answers that is what can be judged.
    pub closed_by_peer: u64,
    /// Connections that show packets missing, where there are too many.
    pub holes: Holes,
    /// Packets that were dropped while it was captured, as somebody counted.
    pub drops: u64,
    /// The question that left connections out, where none is there.
    pub narrowed: Option<Narrowed>,
}

/// A question that narrows a capture to some of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Narrowed {
    /// A BPF expression.
    ByFilter,
    /// Tags of statements.
    ByTags,
}

impl Narrowed {
    /// Each segment is of a connection: where none is left, those that were looked for are others.
    fn of(totals: &Totals) -> Option<Narrowed> {
        match totals.facts.segments() {
            _ if totals.tally.flows > 0 => None,
            0 => totals.skipped.contains_key(&Skipped::NotMatched).then_some(Narrowed::ByFilter),
            _ => Some(Narrowed::ByTags),
        }
    }
}

/// True if the side that is not judged closed it, or reset it before anybody closed it; without a local
/// side, whoever did. Others' connections have nobody whose closing could be judged.
fn is_closed_by_peer(row: &Row) -> bool {
    let (flow, local) = (&row.judged.flow, row.judged.judgement.local);
    let is_peer = |side: Side| local.holds_to_account(side.other());
    match flow.first_fin() {
        Some((closer, _)) => is_peer(closer),
        // Whoever refuses closes nothing: there was no connection.
        None if flow.is_refused() => false,
        None => {
            [Side::A, Side::B].into_iter().any(|side| is_peer(side) && flow.rst(side).is_some())
        }
    }
}

impl Sink for Collected {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        self.closed_by_peer += u64::from(is_closed_by_peer(row));
        let seen = Seen::with_evidence(row);
        if seen.can_matter() {
            self.flows.push(seen);
        }
        Ok(())
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        self.tally = totals.tally.clone();
        self.narrowed = Narrowed::of(totals);
        for capture in &totals.captures {
            self.holes += capture.facts.holes();
            self.drops += capture.facts.drops();
        }
        // Rows come as connections end: what is printed goes by their first packets.
        self.flows.sort_by_key(|seen| seen.first.order());
        Ok(())
    }
}
