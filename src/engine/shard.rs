//! One part of a capture point's flows, with what is said on them.

use std::sync::Arc;

use super::batch::{Batch, Given, Octets};
use super::counted::{Counted, Counts};
use super::crew::Job;
use super::orders::Orders;
use super::sample::is_sampled;
use crate::attach::Facts;
use crate::attach::conversations::{Again, Conversations, Extent, Heard, NO_PIECE, Piece};
use crate::attach::deaf::Found;
use crate::attach::registry::Withheld;
use crate::summary::race;
use crate::summary::{Judged, Tally};
use crate::table::{Evict, FlowTable, Retired};
use crate::tcp::flow::{Flow, FlowId};
use crate::tcp::holes;
use crate::tcp::segment::FlowKey;
use crate::verdict::{Close, Standing};

/// A round: its orders and its segments.
pub struct Work {
    /// Its orders.
    pub orders: Orders,
    /// Its segments.
    pub batch: Batch,
    /// Counts of the flows that leave.
    pub counts: Arc<Counts>,
}

/// One part of the 4-tuples.
#[derive(Default)]
pub struct Shard {
    /// Its number.
    pub number: usize,
    /// Its flows.
    pub table: FlowTable,
    /// The conversations that are read along.
    pub conversations: Conversations,
    /// Flows that have left.
    pub judged: Vec<Judged>,
    sampled: Vec<FlowId>,
    /// Counts of flows that have left.
    pub tally: Tally,
    /// Holes in flows that have left.
    pub holes: holes::Count,
    /// 4-tuples whose octets need not be handed on, as this round has shown.
    pub found: Found,
    /// Segments that were left in files and are asked for.
    pub asked: Extent,
    /// 4-tuples, with their hashes, that rounds have left half-closed, where that is noted.
    pub half_closed: Vec<(u64, FlowKey)>,
}

impl Shard {
    /// Begins with the shard of this number, which may note what rounds leave half-closed.
    pub fn new(number: usize, notes_closing: bool) -> Shard {
        let mut shard = Shard { number, ..Shard::default() };
        if notes_closing {
            shard.table.note_closing();
        }
        shard
    }

    /// Takes its segments in, and judges what has ended.
    fn run(&mut self, Work { orders, batch, counts }: &Work) {
        self.take_in(orders, batch);
        self.half_closed.append(&mut self.table.take_half_closed());
        counts.with(|counted| self.judge_ended(orders, counted));
    }

    fn judge_ended(&mut self, orders: &Orders, counted: &mut Counted) {
        if orders.last {
            let flows = std::mem::take(&mut self.table).into_flows();
            let (_, mut judge) = self.judge(orders, counted);
            return flows.for_each(|flow| judge.judge(flow));
        }
        let (table, mut judge) = self.judge(orders, counted);
        if orders.settled {
            table.retire(orders.facts.end(), |flow| judge.judge(flow));
        }
        table.rest(orders.facts.end());
    }

    fn take_in(&mut self, orders: &Orders, batch: &Batch) {
        let Shard { conversations, sampled, found, .. } = self;
        conversations.refuted = orders.refuted;
        let at_once = conversations.begin_round(batch.contents(), orders.again.as_ref());
        conversations.needed().for_each(|hash| found.need(hash));
        let mut reader = Reader { orders, conversations, sampled, found };
        batch.give(self.number, &mut self.table, at_once, |flow, given, content| {
            reader.take(flow, given, content);
        });
        conversations.end_round();
        found.tried += std::mem::take(&mut conversations.tried);
        found.shares.left += conversations.take_left_in_old();
    }

    /// Its flows, and a judge of those that leave.
    fn judge<'a>(
        &'a mut self,
        orders: &'a Orders,
        counted: &'a mut Counted,
    ) -> (&'a mut FlowTable, Judge<'a>) {
        let Shard { table, conversations, judged, sampled, tally, holes, .. } = self;
        (table, Judge { orders, conversations, judged, sampled, tally, counted, holes })
    }

    /// Judges flows that there is no memory for. Returns how many these are.
    pub fn evict(&mut self, which: Evict, orders: &Orders, counted: &mut Counted) -> usize {
        let (table, mut judge) = self.judge(orders, counted);
        table.evict(which, |flow| judge.judge_early(flow))
    }

    /// Asks for what was left in files of connections that the last round needs it of.
    fn ask(&mut self, orders: &Orders) {
        let Shard { table, conversations, sampled, asked, .. } = self;
        if !conversations.have_left() {
            return;
        }
        let left = table.flows().filter(|(_, flow)| conversations.is_left(flow.slot));
        let slots = left.filter_map(|(key, flow)| {
            let (slot, flow) = (flow.slot, flow.into_owned());
            let judged = Judged::new(Retired { key, flow }, &orders.policy, &orders.facts);
            let is_open = judged.judgement.close == Close::Open;
            (is_open || orders.asks_for(&judged, sampled) || matters(&judged)).then_some(slot.0)
        });
        let slots = slots.collect();
        *asked = conversations.ask_for(slots);
    }

    /// Judges a copy of a flow that stays. What was said is added if it is asked for, or matters.
    pub fn look_at(&self, key: FlowKey, flow: Flow, by: &Orders, is_asked_for: bool) -> Judged {
        let judged = Judged::new(Retired { key, flow }, &by.policy, &by.facts);
        let is_open = judged.judgement.close == Close::Open;
        let is_asked_for = is_asked_for || !by.tags.is_empty();
        match is_asked_for || is_open || matters(&judged) {
            true => {
                let said = self.conversations.facts_if_over(&judged.flow, by.literals);
                with_said(judged, said, &self.conversations, by)
            }
            false => judged,
        }
    }
}

/// A shard's part in what all of them do.
pub struct Part {
    /// The shard.
    pub shard: Box<Shard>,
    /// The task.
    pub task: Task,
}

/// A task that all shards are given.
#[derive(Clone)]
pub enum Task {
    /// A round.
    Round(Arc<Work>),
    /// To find out what the last round will ask for of what was left in files.
    Ask(Arc<Work>),
    /// To read what is asked for, as far as a piece of a file reaches; each segment for itself without one.
    Read(Arc<dyn Again>, Option<Arc<Piece>>),
}

impl Job for Part {
    type Done = Box<Shard>;

    fn run(self) -> Box<Shard> {
        let Part { mut shard, task } = self;
        match task {
            Task::Round(work) => shard.run(&work),
            Task::Ask(work) => shard.ask(&work.orders),
            Task::Read(again, piece) => {
                let piece = piece.as_deref().unwrap_or(&NO_PIECE);
                shard.conversations.read_asked(&*again, piece);
            }
        }
        shard
    }
}

/// A reader of what is said on flows.
struct Reader<'a> {
    orders: &'a Orders,
    conversations: &'a mut Conversations,
    sampled: &'a mut Vec<FlowId>,
    found: &'a mut Found,
}

impl Reader<'_> {
    /// Takes the content of a segment that a flow has taken. Most have been left in their file, like those before them.
    #[inline(always)]
    fn take(&mut self, flow: &mut Flow, given: Given<'_>, content: Octets<'_>) {
        match content {
            Octets::Left(packet) if self.conversations.leave(flow.slot, packet) => {}
            content => self.read(flow, given, content),
        }
    }

    #[inline(never)]
    fn read(&mut self, flow: &mut Flow, given: Given<'_>, content: Octets<'_>) {
        let Reader { orders, conversations, sampled, found } = self;
        let (hash, header) = (given.hash(), &given.header());
        match (orders.reads(flow), content) {
            (_, Octets::Here(_)) if header.flags.rst() => {
                if orders.may_let_go(flow) {
                    conversations.end(flow);
                }
            }
            (true, Octets::Here(content)) => {
                match conversations.keep(flow, header, content, orders.wanted) {
                    Heard::Usual => {}
                    Heard::Begun => found.hear(hash, false),
                    Heard::All => found.let_go(hash, content, flow),
                }
            }
            (true, Octets::Left(packet)) => {
                let which = (hash, packet);
                if conversations.keep_again(flow, header, which, orders.wanted) == Heard::Begun {
                    found.hear(hash, false);
                }
                if !conversations.is_left(flow.slot) {
                    found.need(hash);
                }
            }
            (true, Octets::Withheld(why)) if conversations.miss(flow, header, why) => {
                found.hear(hash, true);
            }
            (true, Octets::Withheld(_)) => {}
            (false, _) if orders.sample && is_sampled(sampled, flow.id()) => {}
            (false, _) => conversations.forget(flow),
        }
    }
}

/// A judge of flows that leave a table.
struct Judge<'a> {
    orders: &'a Orders,
    conversations: &'a mut Conversations,
    judged: &'a mut Vec<Judged>,
    sampled: &'a [FlowId],
    tally: &'a mut Tally,
    counted: &'a mut Counted,
    holes: &'a mut holes::Count,
}

impl Judge<'_> {
    /// Judges a flow that there is no memory for, by what was seen until now.
    fn judge_early(&mut self, retired: Retired) {
        self.tally.given_up += u64::from(retired.flow.may_go_on());
        self.judge(retired);
    }

    fn judge(&mut self, retired: Retired) {
        let Orders { policy, facts, pairs, .. } = self.orders;
        self.holes.note(&retired.flow);
        let mut judged = Judged::new(retired, policy, facts);
        let slot = judged.flow.slot;
        if !self.is_sought(&mut judged) {
            return self.conversations.release(slot);
        }
        let is_twin = pairs.contains(&judged.key);
        let is_asked_for = self.orders.asks_for(&judged, self.sampled);
        if is_asked_for || matters(&judged) {
            let known = judged.said.take();
            let said =
                known.or_else(|| self.conversations.facts(&judged.flow, self.orders.literals));
            judged = with_said(judged, said, self.conversations, self.orders);
        }
        self.tally.count(&judged.judgement);
        if judged.judgement.close == Close::Open {
            self.tally.in_transaction += u64::from(self.is_in_transaction(&judged));
        }
        if !is_twin {
            self.counted.count(&judged);
        }
        if is_asked_for || judged.judgement.is_notable() {
            self.judged.push(judged);
        }
        self.conversations.release(slot);
    }

    /// Is it one of the connections that are looked for, by what was said on it?
    fn is_sought(&mut self, judged: &mut Judged) -> bool {
        if self.orders.tags.is_empty() {
            return true;
        }
        judged.said = self.conversations.facts(&judged.flow, self.orders.literals);
        judged.withheld = withheld(&judged.flow, self.conversations, self.orders);
        self.orders.takes(judged, self.tally)
    }

    /// Is a transaction open? The facts are not put together again where they are known.
    fn is_in_transaction(&mut self, judged: &Judged) -> bool {
        match &judged.said {
            Some(said) => said.in_transaction == Some(true),
            None => self.conversations.is_in_transaction(&judged.flow),
        }
    }
}

/// Does it matter what was said on a connection? It may take a doubt away that hides a finding.
fn matters(judged: &Judged) -> bool {
    let judgement = &judged.judgement;
    judgement.is_notable() || Standing::from(judgement).hidden || race::is_late(judged)
}

/// Returns the reason why nobody has read what was said on a connection.
fn withheld(flow: &Flow, conversations: &Conversations, orders: &Orders) -> Option<Withheld> {
    if orders.no_content { Some(Withheld::Unread) } else { conversations.withheld(flow) }
}

/// Adds what was said on a connection.
fn with_said(
    judged: Judged,
    said: Option<Box<Facts>>,
    conversations: &Conversations,
    orders: &Orders,
) -> Judged {
    let server = said.as_ref().and_then(|_| conversations.server(&judged.flow));
    let withheld = withheld(&judged.flow, conversations, orders);
    let judged = Judged { said, withheld, ..judged };
    match server {
        Some(server) => judged.served_by(server, &orders.policy),
        None => judged,
    }
}
