//! All flows of one capture: from a segment's key to its flow.
//!
//! A 4-tuple can hold several connections one after the other; [`crate::tcp::incarnation`] tells them
//! apart. A finished flow (closed or reset) stays for ten minutes of capture time, so that late
//! packets find it: at rest, in a third of the memory, until one does. Open and half-closed flows stay however
//! long they are idle.
//!
//! Only a memory cap can evict others ([`too_many`]).

mod chain;
mod chains;
mod closing;
mod evict;
mod resting;
mod strange;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::VecDeque;

use chain::{Chain, Older};
use chains::Chains;
use closing::Closing;
pub use evict::{Evict, Rank, too_many};
use resting::Resting;

use crate::facts::CaptureFacts;
use crate::place::Time;
use crate::tcp::flow::Flow;
use crate::tcp::holes::Count;
use crate::tcp::segment::{FlowKey, Segment};

/// Nanoseconds of capture time for which a finished flow is kept after its last packet, at least.
const LINGER_NS: i64 = 600_000_000_000;

/// Nanoseconds for which it does not rest: what is repeated after its end, or was late, has come by then.
const WAKE_NS: i64 = 30_000_000_000;

/// Segments whose flows are looked up together, before those that came earlier are taken: more lines of the
/// cache than theirs, the processor cannot wait for at once.
const LOOKED_UP: usize = 8;

/// A flow that has left the table.
#[derive(Clone, Debug)]
pub struct Retired {
    /// Its 4-tuple.
    pub key: FlowKey,
    /// Facts of its packets.
    pub flow: Flow,
}

/// Flows by 4-tuple.
pub struct FlowTable {
    chains: Chains,
    /// Finished flows, each the only one of its 4-tuple.
    resting: Resting,
    /// Since when 4-tuples have waited for their rest, and their hashes.
    tired: VecDeque<(Time, u64)>,
    older: Older,
    /// Since when 4-tuples have held a finished flow, and their hashes.
    finished: VecDeque<(Time, u64)>,
    /// Flows that a late packet found to be over, to be handed over.
    over: Vec<Retired>,
    closing: Closing,
    /// The latest time seen. A flow finishes then, whatever its own packets say: in a capture put
    /// together of several, times go back.
    clock: Time,
    len: usize,
    /// The place of the segment taken last, by [`crate::place::Place::order`].
    latest: u64,
}

/// Flows that are kept by default: about 400 MB.
pub const MAX_FLOWS: usize = 1_000_000;

impl Default for FlowTable {
    fn default() -> FlowTable {
        FlowTable {
            chains: Chains::default(),
            resting: Resting::default(),
            tired: VecDeque::new(),
            older: Older::default(),
            finished: VecDeque::new(),
            over: Vec::new(),
            closing: Closing::default(),
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

    /// Returns the number of flows in memory, with those that are over and have not been handed over.
    pub fn held(&self) -> usize {
        self.len + self.over.len()
    }

    /// Tells whether it holds no connection.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Has in the cache what about so many segments will ask for before all else.
    pub fn prefetch(&self, segments: usize) {
        self.chains.fetch_index(segments);
    }

    /// Has the flow of a 4-tuple with this hash fetched.
    pub fn prefetch_flow(&self, hash: u64) {
        let likely = self.chains.likely(hash).and_then(|at| self.chains.get(at as usize));
        likely.into_iter().for_each(Chain::prefetch);
    }

    /// Takes in segments, in the order of capture, from whatever form they are kept in, by the block. The
    /// hash of each must be that of its key, by one hasher for the table's life. `plain` gives those segments
    /// that are plain, as nearly all are, as far as that is quickly told; `any` gives each. `taken` is told of
    /// each that is `wanted`, with its flow. Whoever read them has noted them in the capture's facts.
    pub fn take_all<'a, T: 'a>(
        &mut self,
        blocks: impl Iterator<Item = &'a [T]>,
        hash: impl Fn(&T) -> u64,
        plain: impl Fn(&T) -> Option<Segment>,
        any: impl Fn(&T) -> Segment,
        wanted: impl Fn(&T) -> bool,
        mut taken: impl FnMut(Option<&mut Flow>, &T),
    ) {
        let mut parts = blocks.flat_map(|block| block.chunks(LOOKED_UP));
        let mut next = parts.next().map(|part| (part, self.look_up(part, &hash)));
        while let Some((part, likely)) = next {
            next = parts.next().map(|part| (part, self.look_up(part, &hash)));
            for (likely, kept) in likely.into_iter().zip(part) {
                // Unpacked again for the few that more is done with: so, for the many, it stays in registers.
                let plain = plain(kept);
                if let Some(flow) = plain.and_then(|plain| self.take_usual(likely, &plain)) {
                    if wanted(kept) {
                        taken(Some(flow), kept);
                    }
                    continue;
                }
                let segment = any(kept);
                let at = self.take_any(likely, &segment);
                if wanted(kept) {
                    taken(self.taker(at, &segment), kept);
                }
            }
        }
    }

    /// Returns where the chains of segments are likely to stand, and has the memory of these fetched: it comes
    /// while the segments before are taken. By then a chain may stand elsewhere, so whoever looks there
    /// compares the 4-tuple.
    #[inline(always)]
    fn look_up<T>(&self, part: &[T], hash: impl Fn(&T) -> u64) -> [Option<u32>; LOOKED_UP] {
        let mut likely = [None; LOOKED_UP];
        for (likely, kept) in likely.iter_mut().zip(part) {
            *likely = self.chains.likely(hash(kept));
        }
        for chain in likely.iter().flatten().filter_map(|at| self.chains.get(*at as usize)) {
            chain.prefetch();
        }
        likely
    }

    /// Takes in what nearly all segments are: of a flow that is open and stands where it is likely to, and
    /// of nothing else. Returns the flow, or `None` for any other segment.
    #[inline(always)]
    fn take_usual(&mut self, likely: Option<u32>, segment: &Segment) -> Option<&mut Flow> {
        let chain = self.chains.get_if(likely? as usize, &segment.key)?;
        if chain.queued || chain.may_go_back() || !chain.newest.is_open_to(segment) {
            return None;
        }
        self.latest = segment.place.order();
        chain.newest.take_open(segment);
        Some(&mut chain.newest)
    }

    /// Takes in one segment of a capture, and has the capture's facts take note of it: no verdict can
    /// then be wrong for want of them. Returns its flow.
    pub fn take(&mut self, segment: &Segment, facts: &mut CaptureFacts) -> Option<&mut Flow> {
        facts.note(segment);
        facts.wait_until(segment.place.time);
        let at = self.take_any(self.chains.likely(segment.hash), segment);
        self.taker(at, segment)
    }

    /// Takes in any segment, whose 4-tuple is likely to stand at a place. Returns where its chain stands by then.
    #[inline(never)]
    fn take_any(&mut self, likely: Option<u32>, segment: &Segment) -> usize {
        self.latest = segment.place.order();
        let (hash, key) = (segment.hash, &segment.key);
        let here = likely.map(|at| at as usize).filter(|at| self.chains.holds(*at, key));
        let at = match here.or_else(|| self.chains.find(hash, key)) {
            Some(at) if self.chains.get(at).is_some_and(|chain| chain.queued) => {
                self.take_after_end(at, segment)
            }
            Some(at) => {
                self.take_at(at, segment);
                at
            }
            None => match self.wake(hash, key) {
                Some(at) => self.take_after_end(at, segment),
                None => self.begin(segment),
            },
        };
        self.closing.note(self.chains.get(at), segment);
        at
    }

    /// Gives a resting flow its chain again. Returns the chain's place.
    fn wake(&mut self, hash: u64, key: &FlowKey) -> Option<usize> {
        let at = self.resting.find(hash, key)?;
        let flow = self.resting.take(at).flow;
        let at = self.chains.add(hash, key, flow, true);
        self.tire(at);
        Some(at)
    }

    /// Has a chain rest after a while, if it can.
    fn tire(&mut self, at: usize) {
        if let Some(chain) = self.chains.get_mut(at)
            && !std::mem::replace(&mut chain.tired, true)
        {
            self.tired.push_back((self.clock, chain.hash));
        }
    }

    /// Lays flows to rest that have been finished for a while at `now`.
    pub fn rest(&mut self, now: Time) {
        self.resting.compact();
        let has_been_awake = |since| since == Time::UNKNOWN || now.since(since) >= Some(WAKE_NS);
        while let Some(&(since, hash)) = self.tired.front() {
            if !has_been_awake(since) {
                return;
            }
            self.tired.pop_front();
            let Some(at) = self.chains.of_hash(hash) else { continue };
            let Some(chain) = self.chains.get_mut(at) else { continue };
            chain.tired = false;
            if chain.can_rest()
                && self.resting.has_room()
                && let Some((key, Chain { newest: flow, .. })) = self.chains.remove(at)
            {
                self.resting.put(hash, Retired { key, flow });
            }
        }
    }

    /// Takes in a segment of a 4-tuple that holds a finished flow: a late one, or another connection's. Returns the place
    /// of its chain, which may be a new one.
    #[inline(never)]
    fn take_after_end(&mut self, at: usize, segment: &Segment) -> usize {
        if !self.any_left(at, segment) {
            return self.begin(segment);
        }
        let Some(chain) = self.chains.get_mut(at) else { return at };
        let (finished, began) = chain.take_any(&mut self.older, segment);
        self.len += usize::from(began);
        if finished {
            self.tire(at);
        }
        at
    }

    /// Forgets the flows of a segment's 4-tuple that had been finished for long enough when it came.
    /// Returns whether any is left.
    fn any_left(&mut self, at: usize, segment: &Segment) -> bool {
        let Some(chain) = self.chains.get_mut(at) else { return false };
        let key = segment.key;
        let gone = |flow| {
            self.len -= 1;
            self.over.push(Retired { key, flow });
        };
        let is_due = |flow: &Flow| is_due(flow, segment.place.time);
        let any_left = chain.remove(&key, &mut self.older, is_due, gone);
        if !any_left {
            self.chains.remove(at);
        }
        any_left
    }

    /// Takes in a segment of a 4-tuple that has a chain.
    fn take_at(&mut self, at: usize, segment: &Segment) {
        let Some(chain) = self.chains.get_mut(at) else { return };
        let (finished, began) = chain.take(&mut self.older, segment);
        self.len += usize::from(began);
        if finished && !std::mem::replace(&mut chain.queued, true) {
            self.queue(at, segment.hash);
        }
    }

    /// Takes in the first segment of a 4-tuple. Returns the place of its chain.
    fn begin(&mut self, segment: &Segment) -> usize {
        let mut flow = Flow::new(segment);
        flow.take(segment);
        let queued = flow.is_finished();
        let at = self.chains.add(segment.hash, &segment.key, flow, queued);
        self.len += 1;
        if queued {
            self.queue(at, segment.hash);
        }
        at
    }

    /// Has a 4-tuple wait that holds a finished flow now.
    fn queue(&mut self, at: usize, hash: u64) {
        self.finished.push_back((self.clock, hash));
        self.tire(at);
    }

    /// Hands over the flows that have been finished for long enough at `now`.
    pub fn retire(&mut self, now: Time, mut to: impl FnMut(Retired)) {
        // What finished before there was any clock would be waited for without end, and all behind it.
        let is_first = self.clock == Time::UNKNOWN;
        self.clock = self.clock.max(now);
        let unknown = self.finished.iter_mut().filter(|_| is_first);
        unknown.for_each(|(since, _)| *since = self.clock);
        self.over.drain(..).for_each(&mut to);
        // What finished before the first time that was told is looked at, and waits from now on if it must.
        let may_be_over = |since| since == Time::UNKNOWN || is_over(since, now);
        self.clear(may_be_over, |last| is_over(last, now), to);
    }

    /// Has 4-tuples noted whose connections end, for [`FlowTable::take_half_closed`].
    pub fn note_closing(&mut self) {
        self.closing.begin();
    }

    /// Takes those of them, since it was last asked, that hold a half-closed flow now, with their hashes.
    pub fn take_half_closed(&mut self) -> Vec<(u64, FlowKey)> {
        let mut closing = self.closing.take();
        closing
            .retain(|(hash, key)| self.flows_of(*hash, key).any(|flow| flow.may_be_half_closed()));
        closing
    }

    /// Drops the flows that a late packet found to be over.
    pub fn drop_over(&mut self) {
        self.over.clear();
    }

    /// Hands over finished flows that are due by their last packet, of 4-tuples that have held one since then.
    fn clear(
        &mut self,
        has_since: impl Fn(Time) -> bool,
        is_due: impl Fn(Time) -> bool,
        mut to: impl FnMut(Retired),
    ) {
        // Those that are put back come again once their last packet is old enough.
        for _ in 0..self.finished.len() {
            let Some(&(since, hash)) = self.finished.front() else { return };
            if !has_since(since) {
                return;
            }
            self.finished.pop_front();
            let Some(at) = self.chains.of_hash(hash) else {
                self.clear_resting(hash, &is_due, &mut to);
                continue;
            };
            let Some(key) = self.chains.get(at).map(|chain| self.chains.key(chain)) else {
                continue;
            };
            let gone = |flow| {
                self.len -= 1;
                to(Retired { key, flow });
            };
            let Some(chain) = self.chains.get_mut(at) else { continue };
            let goes = |flow: &Flow| flow.is_finished() && is_due(flow.last.time);
            if !chain.remove(&key, &mut self.older, goes, gone) {
                self.chains.remove(at);
                continue;
            }
            let finished = chain.flows(&key, &self.older).filter(|flow| flow.is_finished());
            let last = finished.map(|flow| flow.last.time).min();
            chain.queued = last.is_some();
            if let Some(last) = last {
                self.wait_from(last, hash);
                self.tire(at);
            }
        }
    }

    /// Hands over a resting flow if it is due, or has it wait.
    fn clear_resting(
        &mut self,
        hash: u64,
        is_due: impl Fn(Time) -> bool,
        mut to: impl FnMut(Retired),
    ) {
        let Some(at) = self.resting.of_hash(hash) else { return };
        let last = self.resting.last(at).time;
        if !is_due(last) {
            return self.wait_from(last, hash);
        }
        self.len -= 1;
        to(self.resting.take(at));
    }

    /// Puts a 4-tuple back where it belongs by the last packet of its finished flow: the ACK of the
    /// second FIN, as a rule, right after what finished it.
    fn wait_from(&mut self, last: Time, hash: u64) {
        let since = if last == Time::UNKNOWN { self.clock } else { last };
        let at = self.finished.partition_point(|(earlier, _)| *earlier <= since);
        self.finished.insert(at, (since, hash));
    }

    /// Hands over the flows that have to go ([`too_many`]). Returns how many.
    pub fn evict(&mut self, which: Evict, mut to: impl FnMut(Retired)) -> usize {
        // They would have left by themselves.
        self.over.drain(..).for_each(&mut to);
        let before = self.len;
        let (limit, latest) = match which {
            Evict::Any { limit, latest } => (limit, latest),
            Evict::Finished { until } => {
                self.clear(|since| since <= until, |_| true, to);
                return before - self.len;
            }
        };
        let mut at = 0;
        while let Some(key) = self.chains.get(at).map(|chain| self.chains.key(chain)) {
            let goes = |flow: &Flow| Rank::of(flow, latest) <= limit;
            let gone = |flow| {
                self.len -= 1;
                to(Retired { key, flow });
            };
            let chain = self.chains.get_mut(at);
            match chain.is_some_and(|chain| chain.remove(&key, &mut self.older, goes, gone)) {
                true => at += 1,
                // Another one is there now.
                false => drop(self.chains.remove(at)),
            }
        }
        let goes = |flow: &Flow| Rank::of(flow, latest) <= limit;
        self.resting.take_all(goes, |retired| {
            self.len -= 1;
            to(retired);
        });
        before - self.len
    }

    /// Every flow that is left, in no particular order.
    pub fn into_flows(mut self) -> impl Iterator<Item = Retired> {
        let resting = std::mem::take(&mut self.resting).into_all();
        let over = std::mem::take(&mut self.over);
        let left = self.chains.into_all().flat_map(move |(key, chain)| {
            if chain.reused {
                chain.supersede(&mut self.older, &key);
            }
            let older = if chain.reused { self.older.flows.remove(&key) } else { None };
            let flows = older.unwrap_or_default().into_iter().chain([chain.newest]);
            flows.map(move |flow| Retired { key, flow })
        });
        over.into_iter().chain(left).chain(resting)
    }

    /// The flow that has just taken a segment, whose chain stands at a place.
    #[inline(never)]
    fn taker(&mut self, at: usize, segment: &Segment) -> Option<&mut Flow> {
        let is_taker = |flow: &Flow| flow.last.order() == segment.place.order();
        let chain = self.chains.get_mut(at)?;
        if is_taker(&chain.newest) {
            return Some(&mut chain.newest);
        }
        self.older.flows.get_mut(&segment.key)?.iter_mut().find(|flow| is_taker(flow))
    }

    /// The connections of a 4-tuple.
    pub fn flows_of(&self, hash: u64, key: &FlowKey) -> impl Iterator<Item = Cow<'_, Flow>> {
        let chain = self.chains.find(hash, key).and_then(|at| self.chains.get(at));
        let flows = chain.into_iter().flat_map(|chain| chain.flows(key, &self.older));
        flows.chain(self.resting.flow_of(hash, key).map(Cow::Owned))
    }

    /// Every flow in the table.
    pub fn flows(&self) -> impl Iterator<Item = (FlowKey, Cow<'_, Flow>)> {
        let resting = self.resting.iter().map(|Retired { key, flow }| (key, Cow::Owned(flow)));
        self.awake().chain(resting)
    }

    /// Flows that do not rest.
    fn awake(&self) -> impl Iterator<Item = (FlowKey, Cow<'_, Flow>)> {
        self.chains
            .iter()
            .flat_map(|(key, chain)| chain.flows(&key, &self.older).map(move |flow| (key, flow)))
    }

    /// Counts its flows by whether they show packets that were not captured.
    pub fn holes(&self) -> Count {
        let mut holes = self.resting.holes();
        self.awake().for_each(|(_, flow)| holes.note(&flow));
        holes
    }
}

/// Has a flow that finished, or had its last packet, at `since` been kept for long enough?
fn is_over(since: Time, now: Time) -> bool {
    now.since(since) >= Some(LINGER_NS)
}

fn is_due(flow: &Flow, now: Time) -> bool {
    flow.is_finished() && is_over(flow.last.time, now)
}
