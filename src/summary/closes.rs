//! Closes of all connections, by the service that was connected to: who closed first, after which pause;
//! and those that went wrong without leaving anything in CLOSE-WAIT.
//!
//! Every connection counts, not only those that are reported, so what is kept is small and of a bounded
//! number: ranges, not lists.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::AddAssign;

use chrono::TimeDelta;

use super::Judged;
use super::race::{Lap, Race};
use super::range::Range;
use super::spread::Spread;
use crate::place::Time;
use crate::tcp::segment::Endpoint;
use crate::tcp::side::Side;
use crate::verdict::{Close, Note};

/// Services that are told apart, those with the least addresses; the others are one.
const SERVICES: usize = 256;

/// A close that came sooner after the FIN is an ordinary one.
pub const LATE: TimeDelta = TimeDelta::seconds(1);

/// Closes by service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Closes {
    /// Each apart: a tree moves what it holds.
    services: BTreeMap<Endpoint, Box<Service>>,
    /// Closes of services beyond [`SERVICES`].
    others: Service,
}

/// Connections of one service, by what became of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// Closed by both sides.
    pub closed: u64,
    /// The side that was connected to closed first, and its answer was the last thing said.
    pub answered: Kind,
    /// It closed first, some other time.
    pub by_service: Kind,
    /// The side that connected closed first.
    pub by_client: Kind,
    /// Held in CLOSE-WAIT for a second or more, and closed after all.
    pub late: Kind,
    /// Used after the peer's FIN, and reset for it.
    pub used: Kind,
    /// Forgotten by somebody between, without any FIN.
    pub dropped: Kind,
    /// Closed, and the second FIN was never acknowledged.
    pub last_ack: Kind,
    /// The times in CLOSE-WAIT that a FIN ended.
    pub closed_after: Spread,
    /// Times in CLOSE-WAIT that a RST ended: few, as a rule.
    reset_after: Option<Box<Spread>>,
    /// The pauses before the first FIN, whoever sent it.
    pub idle: Spread,
    /// Requests that came after its FIN.
    pub race: Race,
}

/// Closes of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kind {
    /// Connections of this kind.
    pub connections: u64,
    /// In a box, since most kinds have none.
    ranges: Option<Box<Ranges>>,
}

/// The ranges of what closes of one kind were like.
#[derive(Clone, Debug, Default, PartialEq)]
struct Ranges {
    took: Range<TimeDelta>,
    idle: Range<TimeDelta>,
    /// The times at which it was over.
    at: Range<Time>,
    /// The hosts whose closing this is about.
    hosts: Range<IpAddr>,
}

/// One connection's close, as far as it counts.
#[derive(Clone, Copy, Debug)]
pub struct Occurrence {
    service: Endpoint,
    closed: bool,
    first: Option<(First, Detail)>,
    odd: Option<(Odd, Detail)>,
    close_wait: Option<TimeDelta>,
    idle: Option<TimeDelta>,
    /// The connection ended, or what went wrong with it is counted.
    counts: bool,
    lap: Option<Lap>,
}

#[derive(Clone, Copy, Debug)]
enum First {
    Answered,
    ByService,
    ByClient,
}

#[derive(Clone, Copy, Debug)]
enum Odd {
    Late,
    Used,
    Dropped,
    LastAck,
}

#[derive(Clone, Copy, Debug)]
struct Detail {
    took: Option<TimeDelta>,
    idle: Option<TimeDelta>,
    at: Time,
    host: IpAddr,
}

impl Occurrence {
    /// Returns what counts of a connection that ended, or that the service closed first.
    pub fn of(judged: &Judged) -> Option<Occurrence> {
        let (first, odd) = (first(judged), odd(judged));
        let closed = judged.judgement.close == Close::Closed;
        let service = judged.endpoint(judged.service());
        let (close_wait, idle) = (close_wait(judged), judged.judgement.idle_before_fin);
        let (counts, lap) = (closed || odd.is_some(), Lap::of(judged));
        let occurrence = Occurrence { service, closed, first, odd, close_wait, idle, counts, lap };
        (counts || lap.is_some()).then_some(occurrence)
    }
}

/// The time that the side that is judged spent in CLOSE-WAIT, of a connection that ended.
fn close_wait(Judged { flow, judgement, .. }: &Judged) -> Option<TimeDelta> {
    let (closer, _) = flow.first_fin()?;
    let ended = matches!(judgement.close, Close::Closed | Close::Reset);
    let judged = judgement.local.holds_to_account(closer.other());
    judgement.held.filter(|_| ended && judged)
}

/// Tells who closed first, of a connection that both closed.
fn first(judged: &Judged) -> Option<(First, Detail)> {
    let Judged { flow, judgement, .. } = judged;
    if judgement.close != Close::Closed {
        return None;
    }
    let (closer, fin) = flow.first_fin()?;
    let said = flow.last_payload().filter(|last| last.order() <= fin.place.order());
    let pause = said.and_then(|said| fin.place.time.measured_since(said.time));
    let pause = pause.map(TimeDelta::nanoseconds);
    let at_once = flow.had_last_word(closer) && pause.is_some_and(|pause| pause < LATE);
    let which = match (closer == judged.service(), at_once) {
        (true, true) => First::Answered,
        (true, false) => First::ByService,
        (false, _) => First::ByClient,
    };
    let idle = if at_once { pause } else { judgement.idle_before_fin };
    let host = judged.endpoint(closer).ip;
    Some((which, Detail { took: None, idle, at: fin.place.time, host }))
}

/// Tells whether a connection was held for a while, and closed after all by who held it.
pub fn is_late(judged: &Judged) -> bool {
    matches!(odd(judged), Some((Odd::Late, _)))
}

/// Tells what went wrong at the end, if something did.
fn odd(judged: &Judged) -> Option<(Odd, Detail)> {
    let Judged { flow, judgement, .. } = judged;
    let nanos = |nanos: Option<i64>| nanos.map(TimeDelta::nanoseconds);
    let detail = |side: Side, took, at| {
        let host = judged.endpoint(side).ip;
        Detail { took, idle: judgement.idle_before_fin, at, host }
    };
    let has = |note| judgement.notes.contains(&note);
    if has(Note::DroppedIdle) {
        let silence = flow.silence()?;
        let lasted = nanos(silence.ended.time.measured_since(silence.began));
        return Some((Odd::Dropped, detail(silence.by, lasted, silence.ended.time)));
    }
    let (closer, fin) = flow.first_fin()?;
    let holder = closer.other();
    if !judgement.local.holds_to_account(holder) {
        return None;
    }
    let used = flow.payload_after(holder, fin.end);
    let leave = used.and_then(|_| judged.leave());
    if has(Note::UsedAfterFin) && leave.is_none() {
        let used = judged.reuse()?;
        let after = nanos(used.last.time.measured_since(fin.place.time));
        return Some((Odd::Used, detail(holder, after, used.last.time)));
    }
    if has(Note::LastAck) {
        let at = flow.fin(holder)?.place.time;
        return Some((Odd::LastAck, detail(holder, judgement.held, at)));
    }
    let ended = match judgement.close {
        Close::Closed => flow.fin(holder)?.place.time,
        // Whoever takes its leave closes: the peer's RST may overtake its FIN.
        Close::Reset => match leave {
            Some(leave) => leave.last.time,
            None => flow.reset().filter(|(by, _)| *by == holder)?.1.time,
        },
        Close::Attempt | Close::HalfClosed | Close::Open => return None,
    };
    let is_late = judgement.held >= Some(LATE) && !judged.ended_in_use();
    is_late.then(|| (Odd::Late, detail(holder, judgement.held, ended)))
}

impl Closes {
    /// Counts connections that were held for a second or more, and closed after all.
    pub fn held_for_a_while(&self) -> u64 {
        let services = self.services.values().map(Box::as_ref).chain([&self.others]);
        services.map(|service| service.late.connections).sum()
    }

    /// Counts a connection by how it was closed.
    pub fn count(&mut self, judged: &Judged) {
        if let Some(occurrence) = Occurrence::of(judged) {
            self.add(&occurrence);
        }
    }

    /// Counts a close that is already told from the connection.
    pub fn add(&mut self, occurrence: &Occurrence) {
        self.of(occurrence.service).add(occurrence);
    }

    /// The least endpoints are told apart, in whatever order they come: what several threads counted is
    /// the same for any number of them.
    fn of(&mut self, service: Endpoint) -> &mut Service {
        let is_full = self.services.len() >= SERVICES;
        if is_full
            && self.services.last_key_value().is_some_and(|(greatest, _)| service > *greatest)
        {
            return &mut self.others;
        }
        if is_full
            && !self.services.contains_key(&service)
            && let Some((_, gone)) = self.services.pop_last()
        {
            self.others.join(&gone);
        }
        self.services.entry(service).or_default()
    }

    /// The services that are told apart, the busiest first; those that are not have no address.
    pub fn services(&self) -> Vec<(Option<Endpoint>, &Service)> {
        let named = self.services.iter().map(|(end, service)| (Some(*end), &**service));
        let mut all: Vec<_> = named.collect();
        all.retain(|(_, service)| service.is_told());
        all.sort_by_key(|(_, service)| std::cmp::Reverse(service.closed));
        if self.others.is_told() {
            all.push((None, &self.others));
        }
        all
    }
}

impl AddAssign<&Closes> for Closes {
    fn add_assign(&mut self, more: &Closes) {
        for (end, service) in &more.services {
            self.of(*end).join(service);
        }
        self.others.join(&more.others);
    }
}

impl Service {
    /// Returns the times in CLOSE-WAIT that ended, by a FIN or a RST.
    pub fn close_wait(&self) -> Spread {
        let mut all = self.closed_after.clone();
        if let Some(resets) = &self.reset_after {
            all += resets;
        }
        all
    }

    /// Returns whether there is more of it than connections that are left: those are told elsewhere.
    fn is_told(&self) -> bool {
        let race = Race::default();
        self.race.advice().is_some() || Service { race, ..self.clone() } != Service::default()
    }

    fn add(&mut self, occurrence: &Occurrence) {
        self.closed += u64::from(occurrence.closed);
        if let Some((first, detail)) = occurrence.first {
            match first {
                First::Answered => self.answered.add(&detail),
                First::ByService => self.by_service.add(&detail),
                First::ByClient => self.by_client.add(&detail),
            }
        }
        if let Some((odd, detail)) = occurrence.odd {
            match odd {
                Odd::Late => self.late.add(&detail),
                Odd::Used => self.used.add(&detail),
                Odd::Dropped => self.dropped.add(&detail),
                Odd::LastAck => self.last_ack.add(&detail),
            }
        }
        occurrence.lap.iter().for_each(|lap| self.race.add(lap));
        if !occurrence.counts {
            return;
        }
        match occurrence.close_wait {
            Some(held) if occurrence.closed => self.closed_after.add(held),
            Some(held) => self.reset_after.get_or_insert_default().add(held),
            None => {}
        }
        occurrence.idle.iter().for_each(|idle| self.idle.add(*idle));
    }

    fn join(&mut self, more: &Service) {
        self.closed += more.closed;
        self.answered.join(&more.answered);
        self.by_service.join(&more.by_service);
        self.by_client.join(&more.by_client);
        self.late.join(&more.late);
        self.used.join(&more.used);
        self.dropped.join(&more.dropped);
        self.last_ack.join(&more.last_ack);
        self.closed_after += &more.closed_after;
        if let Some(more) = &more.reset_after {
            **self.reset_after.get_or_insert_default() += more;
        }
        self.idle += &more.idle;
        self.race.join(&more.race);
    }
}

impl Kind {
    fn add(&mut self, Detail { took, idle, at, host }: &Detail) {
        self.connections += 1;
        let ranges = self.ranges.get_or_insert_default();
        took.iter().for_each(|took| ranges.took.add(*took));
        idle.iter().for_each(|idle| ranges.idle.add(*idle));
        ranges.at.add(*at);
        ranges.hosts.add(*host);
    }

    fn join(&mut self, more: &Kind) {
        let Some(more_ranges) = &more.ranges else { return };
        self.connections += more.connections;
        let ranges = self.ranges.get_or_insert_default();
        ranges.took.join(more_ranges.took);
        ranges.idle.join(more_ranges.idle);
        ranges.at.join(more_ranges.at);
        ranges.hosts.join(more_ranges.hosts);
    }

    /// The least and the most time it took: the hold, the silence, or from the FIN to its use.
    pub fn took(&self) -> Option<(TimeDelta, TimeDelta)> {
        self.ranges.as_ref()?.took.ends()
    }

    /// The least and the most pause before the first FIN.
    pub fn idle(&self) -> Option<(TimeDelta, TimeDelta)> {
        self.ranges.as_ref()?.idle.ends()
    }

    /// Several ended at the same moment, as when a process ends.
    pub fn all_at_once(&self) -> bool {
        const MOMENT_NS: i64 = 50_000_000;
        let at = self.ranges.as_ref().and_then(|ranges| ranges.at.ends());
        let ends = at.and_then(|(first, last)| last.since(first));
        self.connections > 1 && ends.is_some_and(|nanos| nanos < MOMENT_NS)
    }

    /// The host whose closing this is about, if it is one.
    pub fn host(&self) -> Option<IpAddr> {
        self.ranges
            .as_ref()?
            .hosts
            .ends()
            .filter(|(least, most)| least == most)
            .map(|(host, _)| host)
    }
}
