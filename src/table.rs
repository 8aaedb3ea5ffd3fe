//! All flows of one capture: from a segment's key to its flow.
//!
//! A 4-tuple can hold several connections one after the other; [`crate::tcp::incarnation`] tells them
//! apart. A finished flow (closed or reset) stays for ten minutes of capture time, so that late
//! packets find it. Open and half-closed flows stay however long they are idle.

use std::collections::VecDeque;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use indexmap::map::raw_entry_v1::{RawEntryApiV1, RawEntryMut};

use crate::place::Time;
use crate::tcp::flow::{Flow, Side};
use crate::tcp::incarnation::{Belongs, belongs, takes_late};
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
}

/// Flows by 4-tuple, in the order in which the 4-tuples were first seen.
pub struct FlowTable {
    chains: IndexMap<FlowKey, Chain, RandomState>,
    /// 4-tuples that hold a finished flow, and since when.
    finished: VecDeque<(Time, u64, FlowKey)>,
    /// The latest time seen. A flow finishes then, whatever its own packets say: in a capture put
    /// together of several, times go back.
    clock: Time,
}

impl Default for FlowTable {
    fn default() -> FlowTable {
        FlowTable {
            chains: IndexMap::with_hasher(RandomState::default()),
            finished: VecDeque::new(),
            clock: Time::UNKNOWN,
        }
    }
}

impl FlowTable {
    /// Takes in one segment. Its hash must be that of its key, by one hasher for the table's life.
    pub fn take(&mut self, segment: &Segment) {
        let entry =
            self.chains.raw_entry_mut_v1().from_hash(segment.hash, |key| *key == segment.key);
        let finished = match entry {
            RawEntryMut::Occupied(mut chain) => chain.get_mut().take(segment),
            RawEntryMut::Vacant(slot) => {
                let mut flow = Flow::new(segment);
                flow.take(segment);
                let finished = flow.is_finished();
                let older = Vec::new();
                let chain = Chain { newest: flow, older };
                slot.insert_hashed_nocheck(segment.hash, segment.key, chain);
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
            match chain.get_mut().remove_finished(is_over, |flow| to(Retired { key, flow })) {
                Left::Nothing => drop(chain.swap_remove()),
                Left::Finished => self.finished.push_back((self.clock, hash, key)),
                Left::Unfinished => {}
            }
        }
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
            Belongs::New => self.begin(segment),
            Belongs::Older => self.older_for(segment),
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
        self.newest.notes.syn_in_close_wait |= in_close_wait;
        let mut flow = Flow::new(segment);
        flow.notes.port_reused = true;
        self.older.push(std::mem::replace(&mut self.newest, flow));
        &mut self.newest
    }

    fn older_for(&mut self, segment: &Segment) -> &mut Flow {
        let older = self.older.iter_mut().rev().take(OLDER_SEARCHED);
        older.into_iter().find(|flow| takes_late(flow, segment)).unwrap_or(&mut self.newest)
    }

    /// Removes the finished flows whose last packet is old enough.
    fn remove_finished(
        &mut self,
        is_over: impl Fn(Time) -> bool,
        mut to: impl FnMut(Flow),
    ) -> Left {
        let is_due = |flow: &Flow| flow.is_finished() && is_over(flow.last.time);
        for flow in self.older.extract_if(.., |flow| is_due(flow)) {
            to(flow);
        }
        if is_due(&self.newest) {
            match self.older.pop() {
                Some(next) => to(std::mem::replace(&mut self.newest, next)),
                None => {
                    to(self.newest.clone());
                    return Left::Nothing;
                }
            }
        }
        let mut left = self.older.iter().chain([&self.newest]);
        if left.any(Flow::is_finished) { Left::Finished } else { Left::Unfinished }
    }
}
