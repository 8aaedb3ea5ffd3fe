//! The flows of one capture point, in a fixed number of shards by the hash of their key.
//!
//! Segments are gathered for a round of some ten thousand packets, then every shard takes its own, on
//! whatever thread is free. A shard's flows fit into a processor's cache, all flows together do not:
//! that is worth as much as the second thread. Rounds end at the same packets however many threads
//! there are, and only between rounds flows are retired or evicted, so every answer is the same.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::batch::{Batch, Kept, Lent, Mark, SHARDS};
use super::counted::{Counted, Counts};
use super::crew::Crew;
use super::orders::Orders;
use super::shard::{Part, Shard, Task, Work};
use crate::attach::conversations::{Extent, Piece};
use crate::attach::deaf::Found;
use crate::attach::spared::Spot;
use crate::summary::{Judged, Tally};
use crate::table::too_many;
use crate::tcp::flow::{Flow, FlowId};
use crate::tcp::holes::{self, Holes};
use crate::tcp::segment::{FlowKey, Segment};

/// Threads that find something to do: with one more than shards, one would wait.
pub const MOST_THREADS: NonZeroUsize = match NonZeroUsize::new(SHARDS) {
    Some(shards) => shards,
    None => NonZeroUsize::MIN,
};

/// Shards that are judged together in the end.
pub const AT_A_TIME: usize = 8;

/// Packets of a round for each flow in memory: most flows have several in it then, and are fetched from memory for all
/// of them at once.
const OF_EACH_FLOW: usize = 3;

/// Packets of a round, at most, and of one that few flows share. Longer ones take memory, and whoever helps has nothing to
/// do while they are read.
const ROUNDS: [usize; 2] = [65_536, 262_144];

/// The first rounds are shorter, each twice as long as the one before, so that no thread waits long.
const FIRST_ROUND: usize = 16_384;

/// Octets of contents that end a round, too: however large segments are, no more waits in memory.
const ROUND_CONTENT: usize = 4 << 20;

#[inline]
fn shard_of(hash: u64) -> usize {
    // Bits that neither the index nor the control octets of a hash table use first.
    (hash >> 40) as usize % SHARDS
}

/// The way in which packets come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// From files, as fast as they are taken.
    Throughput,
    /// As they happen. What is half-closed is noted after each round.
    Live,
}

/// All shards, and the segments that wait for the next round.
pub struct Shards {
    /// None of them while their round is under way. They go round after round through the crew's hands, and are
    /// more than a kilobyte each.
    #[expect(clippy::vec_box, reason = "what moves is a pointer")]
    shards: Vec<Box<Shard>>,
    pace: Pace,
    waiting: Batch,
    counts: Arc<Counts>,
    /// Emptied, for the round after.
    spare: Option<Batch>,
    lent: Lent,
    /// Packets seen since the last round, whatever they held.
    packets: usize,
    round_packets: usize,
    /// So many packets add at most an eighth to the flows that may be kept.
    longest_round: usize,
    evicted: u64,
    /// Flows in memory after the last round that has ended.
    held: usize,
    /// The round that is under way.
    under_way: Option<Arc<Work>>,
    /// 4-tuples whose octets need not be handed on, as rounds have shown that have ended.
    found: Found,
}

impl Shards {
    /// About as many as `max_flows` will stay between rounds.
    pub fn new(max_flows: usize, pace: Pace) -> Shards {
        let longest_round = (max_flows / 8).max(1);
        let notes_closing = pace == Pace::Live;
        let shard = |number| Box::new(Shard::new(number, notes_closing));
        Shards {
            shards: (0..SHARDS).map(shard).collect(),
            pace,
            waiting: Batch::default(),
            counts: Arc::default(),
            spare: None,
            lent: Lent::default(),
            packets: 0,
            round_packets: FIRST_ROUND.min(longest_round),
            longest_round,
            evicted: 0,
            held: 0,
            under_way: None,
            found: Found::default(),
        }
    }

    /// Tells whether packets come as they happen.
    pub fn is_live(&self) -> bool {
        self.pace == Pace::Live
    }

    /// Takes 4-tuples that rounds have left half-closed, with their hashes, between two rounds.
    pub fn take_half_closed(&mut self) -> impl Iterator<Item = (u64, FlowKey)> {
        self.shards.iter_mut().flat_map(|shard| shard.half_closed.drain(..))
    }

    /// Tells whether no segment waits for the next round.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Counts packets.
    pub fn count(&mut self, packets: usize) {
        self.packets += packets;
    }

    /// Tells whether it is time for a round.
    pub fn is_due(&self) -> bool {
        self.until_due() == 0
    }

    /// Returns after how many packets it is time for a round, if it is not full before.
    pub fn until_due(&self) -> usize {
        if self.is_full() { 0 } else { self.round_packets.saturating_sub(self.packets) }
    }

    /// Tells whether no more contents may wait for a round.
    #[inline(always)]
    pub fn is_full(&self) -> bool {
        self.waiting.carried() >= ROUND_CONTENT
    }

    /// Takes in a segment for the next round, with the mark of what is to be read of it.
    #[inline(always)]
    pub fn put(&mut self, segment: Segment, mark: Mark) {
        self.waiting.put(shard_of(segment.hash), segment, mark);
    }

    /// Returns the number that a segment will have in the next round, unless it has to lie aside.
    #[inline(always)]
    pub fn number(&mut self, segment: Segment) -> Option<u32> {
        self.waiting.number(segment)
    }

    /// Keeps what is to be read of the segment that is put next, by its 4-tuple's hash and its number. Returns the mark for
    /// it.
    #[inline(always)]
    pub fn carry(&mut self, which: (u64, Option<u32>), content: Kept) -> Mark {
        self.waiting.carry(shard_of(which.0), which, content)
    }

    /// Ends the round under way and begins the next. Returns the flows that left, in the order of
    /// their first packets.
    pub fn begin_round(&mut self, orders: Orders, crew: &mut Crew<Part>) -> Vec<Judged> {
        let judged = self.end_round(crew);
        let spare = self.spare.take().unwrap_or_default();
        let work = self.work(orders, spare);
        self.start(&Task::Round(Arc::clone(&work)), crew);
        self.packets = 0;
        self.round_packets = self.next_round();
        self.under_way = Some(work);
        judged
    }

    /// Packets of the round after this one.
    fn next_round(&self) -> usize {
        let [few, most] = ROUNDS;
        let longest = (self.held * OF_EACH_FLOW).clamp(few, most).min(self.longest_round);
        longest.min(self.round_packets * 2)
    }

    /// A round of all that waits; what comes from now on waits in `next`.
    fn work(&mut self, orders: Orders, next: Batch) -> Arc<Work> {
        let mut batch = std::mem::replace(&mut self.waiting, next);
        batch.seal();
        Arc::new(Work { orders, batch, counts: Arc::clone(&self.counts) })
    }

    /// Takes the 4-tuples whose octets need not be handed on, as rounds have shown that have ended since.
    pub fn take_found(&mut self) -> Found {
        std::mem::take(&mut self.found)
    }

    /// Ends the round under way. Returns the flows that left, in the order of their first packets.
    pub fn end_round(&mut self, crew: &mut Crew<Part>) -> Vec<Judged> {
        let Some(work) = self.under_way.take() else {
            return Vec::new();
        };
        self.finish(crew);
        self.evict(&work.orders);
        for shard in &mut self.shards {
            shard.asked = shard.conversations.ask_for_due();
            shard.found.shares.asked += shard.asked.segments;
        }
        self.read_asked(&work.orders, crew);
        for shard in &mut self.shards {
            self.found += std::mem::take(&mut shard.found);
        }
        self.held = self.flow_count();
        // All shards have let go of it, so its memory can be used again.
        if let Some(Work { mut batch, .. }) = Arc::into_inner(work) {
            batch.clear(&mut self.lent);
            self.spare = Some(batch);
        }
        let mut judged: Vec<Judged> =
            self.shards.iter_mut().flat_map(|shard| shard.judged.drain(..)).collect();
        judged.sort_unstable_by_key(|judged| judged.id());
        judged
    }

    /// Begins the last round, in which a few shards at a time are judged: all judgements together would
    /// take as much memory again as the flows.
    pub fn begin_last(&mut self, orders: Orders, crew: &mut Crew<Part>) -> Arc<Work> {
        self.spare = None;
        let work = self.work(orders, Batch::default());
        if work.orders.again.is_some() {
            self.start(&Task::Ask(Arc::clone(&work)), crew);
            self.finish(crew);
            self.read_asked(&work.orders, crew);
        }
        work
    }

    /// Reads what was left in files and is asked for, in one go over these, or each segment for itself if they are few.
    fn read_asked(&mut self, orders: &Orders, crew: &mut Crew<Part>) {
        let mut asked = Extent::default();
        self.shards.iter_mut().for_each(|shard| asked += std::mem::take(&mut shard.asked));
        let Some(again) = &orders.again else { return };
        let mut ahead = None;
        while let Some(from) = self.asked_from() {
            let piece = ahead.take().filter(|piece: &Piece| piece.holds(from));
            let piece = (!asked.is_sparse()).then(|| piece.unwrap_or_else(|| again.piece(from)));
            let piece = piece.map(Arc::new);
            self.start(&Task::Read(Arc::clone(again), piece.clone()), crew);
            // Most likely it goes on right behind it.
            ahead = piece.and_then(|piece| again.piece_after(&piece));
            self.finish(crew);
        }
    }

    /// The place of the next segment that is asked for.
    fn asked_from(&self) -> Option<Spot> {
        let all = self.shards.iter().filter_map(|shard| shard.conversations.asked_from());
        all.min_by_key(|spot| spot.order())
    }

    /// Has all shards do something.
    fn start(&mut self, task: &Task, crew: &mut Crew<Part>) {
        crew.start(self.shards.drain(..).map(|shard| Part { shard, task: task.clone() }));
    }

    /// Waits until all shards have done it.
    fn finish(&mut self, crew: &mut Crew<Part>) {
        self.shards = crew.finish();
        self.shards.sort_unstable_by_key(|shard| shard.number);
    }

    /// Judges all that is left in some more shards, from one on; nothing when they all have been.
    pub fn judge_last(
        &mut self,
        work: &Arc<Work>,
        from: usize,
        crew: &mut Crew<Part>,
    ) -> Option<Vec<Vec<Judged>>> {
        let to = self.shards.len().min(from + AT_A_TIME);
        if from >= to {
            return None;
        }
        let task = Task::Round(Arc::clone(work));
        crew.start(self.shards.drain(from..to).map(|shard| Part { shard, task: task.clone() }));
        let mut done = crew.finish();
        done.sort_unstable_by_key(|shard| shard.number);
        let judged = done.iter_mut().map(|shard| std::mem::take(&mut shard.judged)).collect();
        self.shards.splice(from..from, done);
        Some(judged)
    }

    /// Judges flows that there is no memory for.
    fn evict(&mut self, orders: &Orders) {
        let tables = self.shards.iter().map(|shard| &shard.table);
        let Some(which) = too_many(tables, orders.max_flows.max(1)) else { return };
        self.counts.with(|counted| {
            for shard in &mut self.shards {
                self.evicted += shard.evict(which, orders, counted) as u64;
            }
        });
    }

    /// The number of flows in memory, between two rounds.
    pub fn flow_count(&self) -> usize {
        self.shards.iter().map(|shard| shard.table.held()).sum()
    }

    /// The number of flows in memory after the last round that has ended: another may be under way.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Counts flows that have left, so far, and those of them that left memory early.
    pub fn counts(&self) -> (Tally, u64) {
        let mut tally = Tally::default();
        self.shards.iter().for_each(|shard| tally += shard.tally.clone());
        (tally, self.evicted)
    }

    /// Closes and states of flows that have left, so far, but for those that may be shown twice.
    pub fn counted(&self) -> Counted {
        self.counts.all()
    }

    /// Counts connections that show holes, between two rounds: those that have left, and those that have
    /// not if `all`.
    pub fn holes(&self, all: bool) -> Holes {
        self.hole_count(all).holes()
    }

    /// Counts them, to be added to what others counted.
    pub fn hole_count(&self, all: bool) -> holes::Count {
        let mut holes = holes::Count::default();
        self.shards.iter().for_each(|shard| holes += shard.holes);
        if all {
            self.shards.iter().for_each(|shard| holes += shard.table.holes());
        }
        holes
    }

    /// Judges a flow of a 4-tuple with this hash that is still there, between two rounds.
    pub fn judge(&self, hash: u64, key: FlowKey, flow: &Flow, by: &Orders) -> Judged {
        self.shards[shard_of(hash)].look_at(key, flow.clone(), by, true)
    }

    /// Judges every flow that is still there, between two rounds. What was said on these is asked for.
    pub fn judge_all<'a>(
        &'a self,
        by: &'a Orders,
        these: &'a BTreeSet<FlowId>,
    ) -> impl Iterator<Item = Judged> + use<'a> {
        let looked_at = move |shard: &'a Shard| {
            let flows = shard.table.flows();
            flows.map(move |(key, flow)| {
                let is_asked_for = these.contains(&flow.id());
                shard.look_at(key, flow.into_owned(), by, is_asked_for)
            })
        };
        self.shards.iter().map(Box::as_ref).flat_map(looked_at)
    }

    /// Has the flow of a 4-tuple with this hash fetched.
    pub fn prefetch_flow(&self, hash: u64) {
        self.shards
            .get(shard_of(hash))
            .into_iter()
            .for_each(|shard| shard.table.prefetch_flow(hash));
    }

    /// The flows of a 4-tuple, between two rounds.
    pub fn flows_of(&self, hash: u64, key: &FlowKey) -> impl Iterator<Item = Cow<'_, Flow>> {
        let shard = self.shards.get(shard_of(hash));
        shard.into_iter().flat_map(move |shard| shard.table.flows_of(hash, key))
    }

    /// Every flow, between two rounds.
    pub fn flows(&self) -> impl Iterator<Item = (FlowKey, Cow<'_, Flow>)> {
        self.shards.iter().flat_map(|shard| shard.table.flows())
    }
}
