//! All flows of one capture: from a segment's key to its flow.
//!
//! A 4-tuple can hold several connections one after the other; [`crate::tcp::incarnation`] tells them
//! apart. A finished flow (closed or reset) stays for ten minutes of capture time, so that late
//! packets find it. Open and half-closed flows stay however long they are idle.
//!
//! Only a memory cap can evict others ([`too_many`]): finished flows first, then SYNs that
//! nobody answered, then open flows, and half-closed ones last; among equals, those whose last packet
//! is oldest. What is evicted is judged by what was seen of it, and counted.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use indexmap::map::raw_entry_v1::{RawEntryApiV1, RawEntryMut};

use crate::facts::CaptureFacts;
use crate::place::Time;
use crate::tcp::flow::{Ending, Flow, Noted};
use crate::tcp::incarnation::{Belongs, belongs, fits_exactly, fits_nearly, knows_syn, takes_late};
use crate::tcp::segment::{FlowKey, Segment};
use crate::tcp::side::Side;
use crate::tcp::state::State;

/// Nanoseconds of capture time for which a finished flow is kept after its last packet, at least.
const LINGER_NS: i64 = 600_000_000_000;

/// Older connections of a 4-tuple that a late packet is offered to, the newest first: a flood of
/// SYNs on one 4-tuple must not make every later packet search them all.
const OLDER_SEARCHED: usize = 64;

/// Segments whose flows are looked up together: the memory of one is prefetched while the next is sought.
const LOOKED_UP: usize = 64;

/// A flow that has left the table.
#[derive(Clone, Debug)]
pub struct Retired {
    pub key: FlowKey,
    pub flow: Flow,
}

/// The connections of one 4-tuple, of which the newest takes what comes.
struct Chain {
    newest: Flow,
    /// There are older ones, in [`FlowTable::older`].
    reused: bool,
    /// It stands in [`FlowTable::finished`]: once, however many of its flows have finished.
    queued: bool,
}

/// The older connections of 4-tuples that were used again.
type Older = HashMap<FlowKey, Vec<Flow>, RandomState>;

/// Flows by 4-tuple.
pub struct FlowTable {
    chains: IndexMap<FlowKey, Chain, RandomState>,
    older: Older,
    /// 4-tuples that hold a finished flow, and since when.
    finished: VecDeque<(Time, u64, FlowKey)>,
    /// Flows that a late packet found to be over, to be handed over.
    over: Vec<Retired>,
    /// The latest time seen. A flow finishes then, whatever its own packets say: in a capture put
    /// together of several, times go back.
    clock: Time,
    len: usize,
    /// The place of the segment taken last, by [`crate::place::Place::order`].
    latest: u64,
}

/// Flows that are kept by default: about 400 MB.
pub const MAX_FLOWS: usize = 1_000_000;

/// The worth of a flow when memory runs out: the cheapest go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    Finished,
    Attempt,
    Open,
    HalfClosed,
    /// It has just had a packet, perhaps its first.
    Current,
}

/// Its worth, and the place of its last packet: what orders flows for eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(Worth, u64);

impl Rank {
    /// `latest` is the place of the last segment that any table took.
    fn of(flow: &Flow, latest: u64) -> Rank {
        let last = flow.last.order();
        let worth = match flow.ending() {
            _ if last == latest => Worth::Current,
            Ending::Closed | Ending::Reset(_) => Worth::Finished,
            Ending::Attempt => Worth::Attempt,
            Ending::Open => Worth::Open,
            Ending::HalfClosed(_) => Worth::HalfClosed,
        };
        Rank(worth, last)
    }
}

/// Chooses the flows that have to go where `tables` together hold more than `most`: an eighth of
/// all, since finding them takes time. Finished ones stand in the order of their ends; where they
/// are not enough, all flows are looked at.
pub fn too_many<'a>(
    tables: impl Iterator<Item = &'a FlowTable> + Clone,
    most: usize,
) -> Option<Evict> {
    let held: usize = tables.clone().map(FlowTable::len).sum();
    if held <= most {
        return None;
    }
    let many = (held - most + most / 8).clamp(1, held);
    let finished = tables.clone().flat_map(|table| &table.finished);
    let mut finished: Vec<Time> = finished.map(|(since, ..)| *since).collect();
    if finished.len() >= many {
        let (_, &mut until, _) = finished.select_nth_unstable(many - 1);
        return Some(Evict::Finished { until });
    }
    let latest = tables.clone().map(|table| table.latest).max()?;
    let flows = tables.flat_map(|table| table.flows());
    let mut ranks: Vec<Rank> = flows.map(|(_, flow)| Rank::of(flow, latest)).collect();
    let (_, &mut limit, _) = ranks.select_nth_unstable(many - 1);
    Some(Evict::Any { limit, latest })
}

/// The flows that leave.
#[derive(Clone, Copy, Debug)]
pub enum Evict {
    /// Finished ones of 4-tuples that have held one since then or before.
    Finished { until: Time },
    /// Flows up to this rank; `latest` is the place of the last segment that any table took.
    Any { limit: Rank, latest: u64 },
}

impl Default for FlowTable {
    fn default() -> FlowTable {
        FlowTable {
            chains: IndexMap::with_hasher(RandomState::default()),
            older: Older::default(),
            finished: VecDeque::new(),
            over: Vec::new(),
            clock: Time::UNKNOWN,
            len: 0,
            latest: 0,
        }
    }
}

impl FlowTable {
    /// Returns the number of flows it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes in segments, in the order of capture, from whatever form they are kept in. The hash of
    /// each must be that of its key, by one hasher for the table's life. `taken` is told of each that is
    /// `wanted`, with its flow. Whoever read them has noted them in the capture's facts.
    pub fn take_all<T>(
        &mut self,
        kept: &[T],
        hash: impl Fn(&T) -> u64,
        segment: impl Fn(&T) -> Segment,
        wanted: impl Fn(&T) -> bool,
        mut taken: impl FnMut(Option<&mut Flow>, &Segment),
    ) {
        for kept in kept.chunks(LOOKED_UP) {
            let mut likely = [None; LOOKED_UP];
            for (likely, kept) in likely.iter_mut().zip(kept) {
                *likely = self.likely(hash(kept));
            }
            self.prefetch(likely.iter().flatten());
            for (likely, kept) in likely.iter().zip(kept) {
                let segment = segment(kept);
                self.take_likely(*likely, &segment);
                if wanted(kept) {
                    taken(self.taker(*likely, &segment), &segment);
                }
            }
        }
    }

    /// Returns the index of a segment's chain, by the few bits of its hash that the index holds:
    /// good enough to prefetch it, since another chain may have the same bits.
    #[inline]
    fn likely(&self, hash: u64) -> Option<usize> {
        self.chains.raw_entry_v1().index_from_hash(hash, |_| true)
    }

    /// Prefetches chains: reads a little of each, so that all of them are on their way from memory
    /// together.
    fn prefetch<'a>(&self, likely: impl Iterator<Item = &'a usize>) {
        let chains = likely.filter_map(|index| self.chains.get_index(*index));
        let read = chains.fold(0, |read, (key, chain)| {
            read ^ u64::from(key.is_self()) ^ chain.newest.prefetch()
        });
        std::hint::black_box(read);
    }

    /// Takes in one segment of a capture, and has the capture's facts take note of it: no verdict can
    /// then be wrong for want of them. Returns its flow.
    pub fn take(&mut self, segment: &Segment, facts: &mut CaptureFacts) -> Option<&mut Flow> {
        facts.note(segment);
        facts.wait_until(segment.place.time);
        self.take_likely(self.likely(segment.hash), segment);
        self.taker(None, segment)
    }

    /// Takes in a segment whose 4-tuple is likely to stand at an index.
    #[inline]
    fn take_likely(&mut self, likely: Option<usize>, segment: &Segment) {
        self.latest = segment.place.order();
        let queued = match likely.and_then(|index| self.chains.get_index(index)) {
            Some((key, chain)) if *key == segment.key => chain.queued,
            _ => return self.take_unlikely(segment),
        };
        if queued {
            return self.take_after_end(segment);
        }
        let Some((_, chain)) = likely.and_then(|index| self.chains.get_index_mut(index)) else {
            return;
        };
        let (finished, began) = chain.take(&mut self.older, segment);
        self.len += usize::from(began);
        if finished && !std::mem::replace(&mut chain.queued, true) {
            self.finished.push_back((self.clock, segment.hash, segment.key));
        }
    }

    /// Takes in a segment of a 4-tuple that holds a finished flow: a late one, or another connection's.
    #[inline(never)]
    fn take_after_end(&mut self, segment: &Segment) {
        if self.forget_before(segment) {
            return self.take_unlikely(segment);
        }
        let (hash, key) = (segment.hash, segment.key);
        let entry = self.chains.raw_entry_mut_v1().from_hash(hash, |k| *k == key);
        let RawEntryMut::Occupied(mut chain) = entry else { return };
        let (_, began) = chain.get_mut().take_any(&mut self.older, segment);
        self.len += usize::from(began);
    }

    /// Forgets the flows of a segment's 4-tuple that had been finished for long enough when it came.
    /// True if none is left.
    #[cold]
    fn forget_before(&mut self, segment: &Segment) -> bool {
        let (hash, key) = (segment.hash, segment.key);
        let entry = self.chains.raw_entry_mut_v1().from_hash(hash, |k| *k == key);
        let RawEntryMut::Occupied(mut chain) = entry else { return true };
        let gone = |flow| {
            self.len -= 1;
            self.over.push(Retired { key, flow });
        };
        let is_due = |flow: &Flow| is_due(flow, segment.place.time);
        let any_left = chain.get_mut().remove(&key, &mut self.older, is_due, gone);
        if !any_left {
            chain.swap_remove();
        }
        !any_left
    }

    /// Takes in a segment whose 4-tuple is not there, or not where it was likely to be.
    #[cold]
    fn take_unlikely(&mut self, segment: &Segment) {
        let entry =
            self.chains.raw_entry_mut_v1().from_hash(segment.hash, |key| *key == segment.key);
        let slot = match entry {
            RawEntryMut::Occupied(chain) => {
                let index = chain.index();
                return self.take_likely(Some(index), segment);
            }
            RawEntryMut::Vacant(slot) => slot,
        };
        let mut flow = Flow::new(segment);
        flow.take(segment);
        let queued = flow.is_finished();
        let chain = Chain { newest: flow, reused: false, queued };
        slot.insert_hashed_nocheck(segment.hash, segment.key, chain);
        self.len += 1;
        if queued {
            self.finished.push_back((self.clock, segment.hash, segment.key));
        }
    }

    /// Hands over the flows that have been finished for long enough at `now`.
    pub fn retire(&mut self, now: Time, mut to: impl FnMut(Retired)) {
        self.clock = self.clock.max(now);
        self.over.drain(..).for_each(&mut to);
        self.clear(|since| is_over(since, now), |flow| is_due(flow, now), to);
    }

    /// Drops the flows that a late packet found to be over.
    pub fn drop_over(&mut self) {
        self.over.clear();
    }

    /// Hands over finished flows that are due, of 4-tuples that have held one since then.
    fn clear(
        &mut self,
        has_since: impl Fn(Time) -> bool,
        is_due: impl Fn(&Flow) -> bool + Copy,
        mut to: impl FnMut(Retired),
    ) {
        // Those that are put back come again later.
        for _ in 0..self.finished.len() {
            let Some(&(since, hash, key)) = self.finished.front() else { return };
            if !has_since(since) {
                return;
            }
            self.finished.pop_front();
            let entry = self.chains.raw_entry_mut_v1().from_hash(hash, |k| *k == key);
            let RawEntryMut::Occupied(mut chain) = entry else {
                continue;
            };
            let gone = |flow| {
                self.len -= 1;
                to(Retired { key, flow });
            };
            if !chain.get_mut().remove(&key, &mut self.older, is_due, gone) {
                chain.swap_remove();
                continue;
            }
            let chain = chain.get_mut();
            let queued = chain.flows(&key, &self.older).any(Flow::is_finished);
            chain.queued = queued;
            if queued {
                self.finished.push_back((self.clock, hash, key));
            }
        }
    }

    /// Hands over the flows that have to go ([`too_many`]). Returns how many.
    pub fn evict(&mut self, which: Evict, mut to: impl FnMut(Retired)) -> usize {
        let before = self.len;
        let (limit, latest) = match which {
            Evict::Any { limit, latest } => (limit, latest),
            Evict::Finished { until } => {
                self.clear(|since| since <= until, Flow::is_finished, to);
                return before - self.len;
            }
        };
        self.chains.retain(|key, chain| {
            let goes = |flow: &Flow| Rank::of(flow, latest) <= limit;
            let gone = |flow| {
                self.len -= 1;
                to(Retired { key: *key, flow });
            };
            chain.remove(key, &mut self.older, goes, gone)
        });
        before - self.len
    }

    /// Every flow that is left, in no particular order.
    pub fn into_flows(mut self) -> impl Iterator<Item = Retired> {
        let over = std::mem::take(&mut self.over);
        let left = self.chains.into_iter().flat_map(move |(key, chain)| {
            if chain.reused {
                chain.supersede(&mut self.older, &key);
            }
            let older = if chain.reused { self.older.remove(&key) } else { None };
            let flows = older.unwrap_or_default().into_iter().chain([chain.newest]);
            flows.map(move |flow| Retired { key, flow })
        });
        over.into_iter().chain(left)
    }

    /// The flow that has just taken a segment, whose 4-tuple is likely to stand at an index.
    #[inline]
    fn taker(&mut self, likely: Option<usize>, segment: &Segment) -> Option<&mut Flow> {
        let key = &segment.key;
        let is_taker = |flow: &Flow| flow.last.order() == segment.place.order();
        let is_here = |index: &usize| {
            let found = self.chains.get_index(*index);
            found.is_some_and(|(found, chain)| found == key && is_taker(&chain.newest))
        };
        let index = match likely.filter(is_here) {
            Some(index) => index,
            None => self.chains.raw_entry_v1().index_from_hash(segment.hash, |k| k == key)?,
        };
        let (_, chain) = self.chains.get_index_mut(index)?;
        if is_taker(&chain.newest) {
            return Some(&mut chain.newest);
        }
        self.older.get_mut(key)?.iter_mut().find(|flow| is_taker(flow))
    }

    /// The connections of a 4-tuple.
    pub fn flows_of(&self, hash: u64, key: &FlowKey) -> impl Iterator<Item = &Flow> {
        let chain = self.chains.raw_entry_v1().from_hash(hash, |k| k == key);
        chain.into_iter().flat_map(|(key, chain)| chain.flows(key, &self.older))
    }

    /// Every flow in the table.
    pub fn flows(&self) -> impl Iterator<Item = (&FlowKey, &Flow)> {
        self.chains
            .iter()
            .flat_map(|(key, chain)| chain.flows(key, &self.older).map(move |flow| (key, flow)))
    }
}

/// Has a flow that finished, or had its last packet, at `since` been kept for long enough?
fn is_over(since: Time, now: Time) -> bool {
    now.since(since) >= Some(LINGER_NS)
}

fn is_due(flow: &Flow, now: Time) -> bool {
    flow.is_finished() && is_over(flow.last.time, now)
}

impl Chain {
    /// Takes a segment. Returns whether it finished its flow, and whether it began one.
    fn take(&mut self, older: &mut Older, segment: &Segment) -> (bool, bool) {
        // Most segments begin nothing and end nothing.
        if segment.is_plain() && !self.newest.is_unanswered() {
            self.newest.take(segment);
            return (false, false);
        }
        self.take_any(older, segment)
    }

    /// Takes a segment that may begin or end something.
    #[inline(never)]
    fn take_any(&mut self, older: &mut Older, segment: &Segment) -> (bool, bool) {
        let (flow, began) = self.flow_of(older, segment);
        let was_finished = flow.is_finished();
        flow.take(segment);
        let finished = !was_finished && flow.is_finished();
        if self.reused {
            self.supersede(older, &segment.key);
        }
        (finished, began)
    }

    /// Marks older connections of the 4-tuple as superseded once a later one was established: no
    /// kernel has two sockets of one 4-tuple.
    #[cold]
    fn supersede(&self, older: &mut Older, key: &FlowKey) {
        let Some(older) = older.get_mut(key) else { return };
        let until = match self.newest.is_established() {
            true => older.len(),
            false => newest_where(older, Flow::is_established).unwrap_or(0),
        };
        // Those before one that is known to have ended are known to have, too.
        let before = older[..until].iter_mut().rev();
        before.take_while(|flow| !flow.is_superseded()).for_each(Flow::supersede);
    }

    /// The flow that the segment belongs to, and whether it begins there.
    fn flow_of<'a>(&'a mut self, older: &'a mut Older, segment: &Segment) -> (&'a mut Flow, bool) {
        let belongs = belongs(&self.newest, segment);
        let begins = matches!(belongs, Belongs::New | Belongs::OlderNearOrNew);
        if belongs == Belongs::Here || !self.reused && !begins {
            return (&mut self.newest, false);
        }
        let older = older.entry(segment.key).or_default();
        let found = match belongs {
            Belongs::Here => None,
            // A late SYN of an older connection begins nothing.
            Belongs::New => match newest_where(older, |flow| knows_syn(flow, segment)) {
                None => return (self.begin(older, segment), true),
                known => known,
            },
            Belongs::Older => {
                let answered = |flow: &Flow| !segment.flags.syn() && !flow.is_unanswered();
                newest_where(older, |flow| takes_late(flow, segment))
                    .or_else(|| newest_where(older, answered))
            }
            Belongs::OlderNear => newest_where(older, |flow| fits_nearly(flow, segment)),
            Belongs::OlderNearOrNew => match newest_where(older, |flow| fits_nearly(flow, segment))
            {
                None => return (self.begin(older, segment), true),
                known => known,
            },
            Belongs::OlderExactly => newest_where(older, |flow| fits_exactly(flow, segment)),
        };
        (found.map_or(&mut self.newest, |found| &mut older[found]), false)
    }

    fn begin(&mut self, older: &mut Vec<Flow>, segment: &Segment) -> &mut Flow {
        let waiting = |side| self.newest.state(side, segment.place.time) == State::CloseWait;
        let in_close_wait = waiting(Side::A) || waiting(Side::B);
        self.newest.notes.note(Noted::SynInCloseWait, in_close_wait);
        let mut flow = Flow::new(segment);
        flow.notes.note(Noted::PortReused, true);
        older.push(std::mem::replace(&mut self.newest, flow));
        self.reused = true;
        &mut self.newest
    }

    fn flows<'a>(&'a self, key: &FlowKey, older: &'a Older) -> impl Iterator<Item = &'a Flow> {
        let older = if self.reused { older.get(key) } else { None };
        older.into_iter().flatten().chain([&self.newest])
    }

    /// Removes the flows that go; false if none is left.
    fn remove(
        &mut self,
        key: &FlowKey,
        older: &mut Older,
        goes: impl Fn(&Flow) -> bool,
        mut to: impl FnMut(Flow),
    ) -> bool {
        if !self.reused {
            let going = goes(&self.newest);
            if going {
                to(self.newest.clone());
            }
            return !going;
        }
        self.supersede(older, key);
        let left = older.entry(*key).or_default();
        left.extract_if(.., |flow| goes(flow)).for_each(&mut to);
        let mut any_left = true;
        if goes(&self.newest) {
            match left.pop() {
                Some(next) => to(std::mem::replace(&mut self.newest, next)),
                None => {
                    to(self.newest.clone());
                    any_left = false;
                }
            }
        }
        if left.is_empty() {
            self.reused = false;
            older.remove(key);
        }
        any_left
    }
}

/// The newest flow that the test holds for.
fn newest_where(older: &[Flow], test: impl Fn(&Flow) -> bool) -> Option<usize> {
    let searched = older.len().saturating_sub(OLDER_SEARCHED);
    older[searched..].iter().rposition(test).map(|at| searched + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the hash, the key and the index, an open flow must not cost more than 256 octets.
    #[test]
    fn a_4_tuple_is_small() {
        assert!(size_of::<Chain>() <= 184, "{}", size_of::<Chain>());
        assert!(size_of::<FlowKey>() <= 40, "{}", size_of::<FlowKey>());
    }
}
