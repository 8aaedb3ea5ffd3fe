//! All flows of one capture: from a segment's key to its flow.
//!
//! A 4-tuple can hold several connections one after the other; [`crate::tcp::incarnation`] tells them
//! apart. A finished flow (closed or reset) stays for ten minutes of capture time, so that late
//! packets find it. Open and half-closed flows stay however long they are idle.
//!
//! Only a memory cap can evict others ([`FlowTable::evict`]): finished flows first, then SYNs that
//! nobody answered, then open flows, and half-closed ones last; among equals, those whose last packet
//! is oldest. What is evicted is judged by what was seen of it, and counted.

use std::collections::VecDeque;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use indexmap::map::raw_entry_v1::{RawEntryApiV1, RawEntryMut};

use crate::place::Time;
use crate::tcp::flow::{Ending, Flow, Noted, Side};
use crate::tcp::incarnation::{Belongs, belongs, fits_exactly, fits_nearly, knows_syn, takes_late};
use crate::tcp::segment::{Flags, FlowKey, Segment};
use crate::tcp::state::State;

/// How long a finished flow is kept after its last packet, at least, in capture time.
const LINGER_NS: i64 = 600_000_000_000;

/// How many older connections of a 4-tuple a late packet is offered to, the newest first: a flood of
/// SYNs on one 4-tuple must not make every later packet search them all.
const OLDER_SEARCHED: usize = 64;

/// A flow that has left the table.
#[derive(Clone, Debug)]
pub struct Retired {
    pub key: FlowKey,
    pub flow: Flow,
}

/// The connections of one 4-tuple, of which the newest takes what comes.
struct Chain {
    newest: Flow,
    older: Vec<Flow>,
    /// It stands in [`FlowTable::finished`]: once, however many of its flows have finished.
    queued: bool,
}

/// Flows by 4-tuple, in the order in which the 4-tuples were first seen.
pub struct FlowTable {
    chains: IndexMap<FlowKey, Chain, RandomState>,
    /// 4-tuples that hold a finished flow, and since when.
    finished: VecDeque<(Time, u64, FlowKey)>,
    /// The latest time seen. A flow finishes then, whatever its own packets say: in a capture put
    /// together of several, times go back.
    clock: Time,
    len: usize,
    most: usize,
    /// The place of the segment taken last, by [`crate::place::Place::order`].
    latest: u64,
}

/// How many flows a table holds by default: about 600 MB.
pub const MAX_FLOWS: usize = 1_000_000;

/// How dear a flow is when memory runs out: the cheapest go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    Finished,
    Attempt,
    Open,
    HalfClosed,
    /// It has just had a packet, perhaps its first.
    Current,
}

impl Worth {
    fn of(flow: &Flow, latest: u64) -> Worth {
        if flow.last.order() == latest {
            return Worth::Current;
        }
        match flow.ending() {
            Ending::Closed | Ending::Reset(_) => Worth::Finished,
            Ending::Attempt => Worth::Attempt,
            Ending::Open => Worth::Open,
            Ending::HalfClosed(_) => Worth::HalfClosed,
        }
    }
}

impl Default for FlowTable {
    fn default() -> FlowTable {
        FlowTable::new(MAX_FLOWS)
    }
}

impl FlowTable {
    /// A table that holds `most` flows.
    pub fn new(most: usize) -> FlowTable {
        FlowTable {
            chains: IndexMap::with_hasher(RandomState::default()),
            finished: VecDeque::new(),
            clock: Time::UNKNOWN,
            len: 0,
            most: most.max(1),
            latest: 0,
        }
    }

    /// Takes in one segment. Its hash must be that of its key, by one hasher for the table's life.
    pub fn take(&mut self, segment: &Segment) {
        self.latest = segment.place.order();
        let entry =
            self.chains.raw_entry_mut_v1().from_hash(segment.hash, |key| *key == segment.key);
        let finished = match entry {
            RawEntryMut::Occupied(mut chain) => {
                let chain = chain.get_mut();
                let before = chain.older.len();
                let finished = chain.take(segment);
                self.len += chain.older.len() - before;
                finished && !std::mem::replace(&mut chain.queued, true)
            }
            RawEntryMut::Vacant(slot) => {
                let mut flow = Flow::new(segment);
                flow.take(segment);
                let finished = flow.is_finished();
                let chain = Chain { newest: flow, older: Vec::new(), queued: finished };
                slot.insert_hashed_nocheck(segment.hash, segment.key, chain);
                self.len += 1;
                finished
            }
        };
        if finished {
            self.finished.push_back((self.clock, segment.hash, segment.key));
        }
    }

    /// Hands over the flows that have been finished for long enough at `now`.
    pub fn retire(&mut self, now: Time, mut to: impl FnMut(Retired)) {
        self.clock = self.clock.max(now);
        let is_over = |since: Time| now.since(since) >= Some(LINGER_NS);
        while let Some(&(since, hash, key)) = self.finished.front() {
            if !is_over(since) {
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
            match chain.get_mut().remove_finished(is_over, gone) {
                Left::Nothing => drop(chain.swap_remove()),
                Left::Finished => self.finished.push_back((self.clock, hash, key)),
                Left::Unfinished => chain.get_mut().queued = false,
            }
        }
    }

    /// Above its limit, hands over an eighth of all flows, the least worth first. Returns how many.
    ///
    /// In one sweep, because finding the least worth takes looking at them all.
    pub fn evict(&mut self, mut to: impl FnMut(Retired)) -> usize {
        if self.len <= self.most {
            return 0;
        }
        let latest = self.latest;
        let rank = |flow: &Flow| (Worth::of(flow, latest), flow.last.order());
        let mut ranks: Vec<_> = self.flows().map(|(_, flow)| rank(flow)).collect();
        let many = (self.len - self.most + self.most / 8).clamp(1, ranks.len());
        let (_, &mut limit, _) = ranks.select_nth_unstable(many - 1);
        let mut evicted = 0;
        self.chains.retain(|key, chain| {
            let goes = |flow: &Flow| rank(flow) <= limit;
            let mut gone = |flow| {
                evicted += 1;
                to(Retired { key: *key, flow });
            };
            chain.remove(goes, &mut gone)
        });
        self.len -= evicted;
        evicted
    }

    /// Every flow that is left, in no particular order.
    pub fn into_flows(self) -> impl Iterator<Item = Retired> {
        self.chains.into_iter().flat_map(|(key, chain)| {
            let flows = chain.older.into_iter().chain([chain.newest]);
            flows.map(move |flow| Retired { key, flow })
        })
    }

    /// Every flow in the table.
    pub fn flows(&self) -> impl Iterator<Item = (&FlowKey, &Flow)> {
        self.chains.iter().flat_map(|(key, chain)| {
            let flows = chain.older.iter().chain([&chain.newest]);
            flows.map(move |flow| (key, flow))
        })
    }
}

/// What is left of a chain after its finished flows were removed.
enum Left {
    Nothing,
    Unfinished,
    /// A finished flow that late packets keep.
    Finished,
}

impl Chain {
    /// True if the segment finished its flow.
    fn take(&mut self, segment: &Segment) -> bool {
        let flow = match belongs(&self.newest, segment) {
            Belongs::Here => &mut self.newest,
            // A late SYN of an older connection begins nothing.
            Belongs::New => match self.older_where(|flow| knows_syn(flow, segment)) {
                Some(older) => &mut self.older[older],
                None => self.begin(segment),
            },
            Belongs::Older => {
                let answered = |flow: &Flow| !segment.flags.syn() && !flow.is_unanswered();
                let taker = self.older_where(|flow| takes_late(flow, segment));
                self.older_or_newest(taker.or_else(|| self.older_where(answered)))
            }
            Belongs::OlderNear => {
                let taker = self.older_where(|flow| fits_nearly(flow, segment));
                self.older_or_newest(taker)
            }
            Belongs::OlderExactly => {
                let taker = self.older_where(|flow| fits_exactly(flow, segment));
                self.older_or_newest(taker)
            }
        };
        // Only FIN and RST can finish a flow.
        if segment.flags.0 & (Flags::FIN | Flags::RST) == 0 {
            flow.take(segment);
            return false;
        }
        let was_finished = flow.is_finished();
        flow.take(segment);
        !was_finished && flow.is_finished()
    }

    fn begin(&mut self, segment: &Segment) -> &mut Flow {
        let waiting = |side| self.newest.state(side, segment.place.time) == State::CloseWait;
        let in_close_wait = waiting(Side::A) || waiting(Side::B);
        self.newest.notes.note(Noted::SynInCloseWait, in_close_wait);
        let mut flow = Flow::new(segment);
        flow.notes.note(Noted::PortReused, true);
        self.older.push(std::mem::replace(&mut self.newest, flow));
        &mut self.newest
    }

    /// The newest older flow that the test holds for.
    fn older_where(&self, test: impl Fn(&Flow) -> bool) -> Option<usize> {
        let searched = self.older.len().saturating_sub(OLDER_SEARCHED);
        self.older[searched..].iter().rposition(test).map(|at| searched + at)
    }

    fn older_or_newest(&mut self, older: Option<usize>) -> &mut Flow {
        match older {
            Some(older) => &mut self.older[older],
            None => &mut self.newest,
        }
    }

    /// Removes the finished flows whose last packet is old enough.
    fn remove_finished(
        &mut self,
        is_over: impl Fn(Time) -> bool,
        mut to: impl FnMut(Flow),
    ) -> Left {
        let is_due = |flow: &Flow| flow.is_finished() && is_over(flow.last.time);
        if !self.remove(is_due, &mut to) {
            return Left::Nothing;
        }
        let mut left = self.older.iter().chain([&self.newest]);
        if left.any(Flow::is_finished) { Left::Finished } else { Left::Unfinished }
    }

    /// Removes the flows that go; false if none is left.
    fn remove(&mut self, goes: impl Fn(&Flow) -> bool, to: &mut impl FnMut(Flow)) -> bool {
        for flow in self.older.extract_if(.., |flow| goes(flow)) {
            to(flow);
        }
        if !goes(&self.newest) {
            return true;
        }
        match self.older.pop() {
            Some(next) => {
                to(std::mem::replace(&mut self.newest, next));
                true
            }
            None => {
                to(self.newest.clone());
                false
            }
        }
    }
}
