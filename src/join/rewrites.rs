//! Addresses that were rewritten, as the handshakes of one capture show them.
//!
//! Only the latest handshakes are remembered, in a table of fixed size: a new one takes the place of
//! an older one, which is then joined with nothing.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::paged::Paged;
use crate::place::Time;
use crate::tcp::segment::{End, FlowKey, Segment};
use crate::tcp::seq::Seq;

/// Handshakes that are remembered.
const HANDSHAKES: usize = 4_096;

/// Redirected connections that are followed, the latest.
const ALIASES: usize = 262_144;

/// Both sights of a SYN are no farther apart.
const TOGETHER_NS: i64 = 1_000_000_000;

/// 4-tuples whose packets come a second time under other addresses.
pub type Pairs = Arc<HashSet<FlowKey, RandomState>>;

/// Addresses that were rewritten on the way (NAT), as learnt from one capture.
#[derive(Default)]
pub struct Rewrites {
    /// By the ISN of the SYN.
    handshakes: Box<Paged<Handshake, 64, { HANDSHAKES / 64 }>>,
    aliases: HashMap<FlowKey, Alias, RandomState>,
    /// The other way round.
    others: HashMap<FlowKey, FlowKey, RandomState>,
    /// In the order of their handshakes.
    order: VecDeque<FlowKey>,
    pairs: Pairs,
    redirected: u64,
    /// The first of each pair, by the second.
    seconds: HashMap<FlowKey, FlowKey, RandomState>,
    /// Some 4-tuple had a twin, or has.
    twins: bool,
}

/// A SYN, and what answered it.
#[derive(Clone)]
struct Handshake {
    isn: Seq,
    at: Time,
    first: Sight,
    /// Elsewhere, since few have one: the smaller the table, the nearer the cache that it lies in.
    second: Option<Box<Sight>>,
    /// More than two flows fit.
    crowded: bool,
}

/// The SYN under one pair of addresses.
#[derive(Clone, Copy)]
struct Sight {
    key: FlowKey,
    hash: u64,
    client: End,
    /// The ISN of its SYN/ACK.
    answer: Option<Seq>,
}

/// The 4-tuple to which the packets of another one belong.
#[derive(Clone, Copy)]
struct Alias {
    to: FlowKey,
    hash: u64,
    /// The client's end there, and here.
    client: End,
    client_here: End,
}

impl Rewrites {
    /// Looks at a SYN or a SYN/ACK.
    pub fn learn(&mut self, segment: &Segment) {
        if segment.flags.ack() {
            self.learn_answer(segment);
        } else {
            self.learn_syn(segment);
        }
    }

    /// Are there any that packets have to be looked up for?
    #[inline(always)]
    pub fn are_any(&self) -> bool {
        !self.aliases.is_empty()
    }

    /// Gives a segment the addresses of its connection's SYN.
    #[inline(never)]
    pub fn apply(&self, segment: &mut Segment) {
        if let Some(alias) = self.aliases.get(&segment.key) {
            let by_client = segment.from == alias.client_here;
            segment.from = if by_client { alias.client } else { alias.client.other() };
            (segment.key, segment.hash) = (alias.to, alias.hash);
        }
    }

    /// Tells whether any two 4-tuples have ever been one connection's.
    pub fn were_any(&self) -> bool {
        self.redirected > 0 || self.twins
    }

    /// Connections of which each direction has other addresses.
    pub fn redirected(&self) -> u64 {
        self.redirected
    }

    /// The 4-tuples that have a twin.
    pub fn pairs(&self) -> Pairs {
        Arc::clone(&self.pairs)
    }

    /// The 4-tuple under which a connection was seen first, if it has a twin.
    pub fn seen_first(&self, key: &FlowKey) -> Option<FlowKey> {
        self.seconds.get(key).copied()
    }

    /// The other addresses of the connections of a 4-tuple.
    pub fn other(&self, key: &FlowKey) -> Option<FlowKey> {
        self.others.get(key).copied()
    }

    fn slot(isn: Seq) -> usize {
        // Knuth's multiplier: the upper bits are well mixed.
        (isn.0.wrapping_mul(2_654_435_769) >> 20) as usize % HANDSHAKES
    }

    fn learn_syn(&mut self, segment: &Segment) {
        // A connection of its own begins there.
        self.forget(segment.key);
        let (key, hash, client) = (segment.key, segment.hash, segment.from);
        let sight = Sight { key, hash, client, answer: None };
        let slot = self.handshakes.place(Rewrites::slot(segment.seq));
        let known = slot.as_mut().filter(|known| {
            let apart = segment.place.time.since(known.at);
            let together = apart.is_none_or(|apart| apart <= TOGETHER_NS);
            known.isn == segment.seq && (together || known.first.key == key)
        });
        match known {
            Some(known) if known.first.key == key => {}
            Some(known) => match &known.second {
                None => known.second = Some(Box::new(sight)),
                Some(second) if second.key == key => {}
                // A third: whose twin is it?
                Some(second) => {
                    known.crowded = true;
                    if !self.pairs.is_empty() {
                        let pairs = Arc::make_mut(&mut self.pairs);
                        [known.first.key, second.key].iter().for_each(|key| {
                            pairs.remove(key);
                        });
                        self.seconds.remove(&second.key);
                    }
                }
            },
            None => {
                let (isn, at) = (segment.seq, segment.place.time);
                *slot = Some(Handshake { isn, at, first: sight, second: None, crowded: false });
            }
        }
    }

    fn learn_answer(&mut self, segment: &Segment) {
        let isn = Seq(segment.ack.0.wrapping_sub(1));
        let Some(known) = self.handshakes.place(Rewrites::slot(isn)) else { return };
        if known.isn != isn {
            return;
        }
        let answer = Some(segment.seq);
        if known.first.key == segment.key {
            known.first.answer = answer;
        } else if let Some(second) = known.second.as_mut().filter(|s| s.key == segment.key) {
            second.answer = answer;
        } else {
            let to_client = segment.from.other();
            let same_end =
                segment.key.endpoint(to_client) == known.first.key.endpoint(known.first.client);
            if !same_end || known.second.is_some() || known.first.answer.is_some() {
                return;
            }
            known.first.answer = answer;
            self.redirected += 1;
            let Sight { key: to, hash, client, .. } = known.first;
            self.alias(segment.key, Alias { to, hash, client, client_here: to_client });
            return;
        }
        let twins = known.second.as_ref().filter(|_| !known.crowded);
        if let Some(second) = twins.filter(|second| second.answer == known.first.answer) {
            let pairs = Arc::make_mut(&mut self.pairs);
            if pairs.len() < ALIASES {
                self.twins = true;
                pairs.extend([known.first.key, second.key]);
                self.seconds.insert(second.key, known.first.key);
            }
        }
    }

    fn alias(&mut self, key: FlowKey, alias: Alias) {
        self.others.insert(alias.to, key);
        if self.aliases.insert(key, alias).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > ALIASES
            && let Some(oldest) = self.order.pop_front()
        {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, key: FlowKey) {
        if let Some(alias) = self.aliases.remove(&key) {
            self.others.remove(&alias.to);
        }
    }
}
