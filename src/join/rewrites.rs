//! Addresses that were rewritten, as the handshakes of one capture show them.
//!
//! Only the latest handshakes are remembered, in a table of fixed size: a new one takes the place of
//! an older one, which is then joined with nothing.

use std::collections::hash_map::Entry;
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
    handshakes: Handshakes,
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

/// The latest handshakes, by the ISN of the SYN.
struct Handshakes {
    /// The ISN of the one at each place, if any is there: most that are looked for are gone, and to see that, none of the
    /// others' memory has to be waited for.
    isns: Box<[u32]>,
    each: Box<Paged<Handshake, 64, { HANDSHAKES / 64 }>>,
    /// The second sights of those that have one: few.
    seconds: HashMap<usize, Second, RandomState>,
}

/// A SYN, and what answered it.
#[derive(Clone, Copy)]
struct Handshake {
    at: Time,
    first: Sight,
}

/// A second sight of a SYN, under other addresses.
struct Second {
    sight: Sight,
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

impl Default for Handshakes {
    fn default() -> Handshakes {
        let isns = vec![0; HANDSHAKES].into_boxed_slice();
        Handshakes { isns, each: Box::default(), seconds: HashMap::default() }
    }
}

impl Handshakes {
    /// The place of a handshake.
    fn place(isn: Seq) -> usize {
        // Knuth's multiplier: the upper bits are well mixed.
        (isn.0.wrapping_mul(2_654_435_769) >> 20) as usize % HANDSHAKES
    }

    /// Returns the handshake that began with this number, and its place.
    fn find(&mut self, isn: Seq) -> Option<(usize, &mut Handshake)> {
        let at = Handshakes::place(isn);
        let is_here = self.isns.get(at) == Some(&isn.0);
        let known = if is_here { self.each.place(at).as_mut() } else { None };
        known.map(|known| (at, known))
    }

    /// Remembers one in place of another.
    fn put(&mut self, isn: Seq, handshake: Handshake) {
        let at = Handshakes::place(isn);
        if let Some(before) = self.isns.get_mut(at) {
            *before = isn.0;
        }
        *self.each.place(at) = Some(handshake);
        if !self.seconds.is_empty() {
            self.seconds.remove(&at);
        }
    }
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

    fn learn_syn(&mut self, segment: &Segment) {
        // A connection of its own begins there.
        self.forget(segment.key);
        let (key, hash, client) = (segment.key, segment.hash, segment.from);
        let sight = Sight { key, hash, client, answer: None };
        let known = self.handshakes.find(segment.seq).filter(|(_, known)| {
            let apart = segment.place.time.since(known.at);
            let together = apart.is_none_or(|apart| apart <= TOGETHER_NS);
            together || known.first.key == key
        });
        let Some((at, &mut known)) = known else {
            let at = segment.place.time;
            return self.handshakes.put(segment.seq, Handshake { at, first: sight });
        };
        if known.first.key == key {
            return;
        }
        match self.handshakes.seconds.entry(at) {
            Entry::Vacant(none) => drop(none.insert(Second { sight, crowded: false })),
            Entry::Occupied(second) if second.get().sight.key == key => {}
            // A third: whose twin is it?
            Entry::Occupied(mut second) => {
                second.get_mut().crowded = true;
                let second = second.get().sight;
                if !self.pairs.is_empty() {
                    let pairs = Arc::make_mut(&mut self.pairs);
                    [known.first.key, second.key].iter().for_each(|key| {
                        pairs.remove(key);
                    });
                    self.seconds.remove(&second.key);
                }
            }
        }
    }

    fn learn_answer(&mut self, segment: &Segment) {
        let isn = Seq(segment.ack.0.wrapping_sub(1));
        let Some((at, Handshake { first, .. })) = self.handshakes.find(isn) else { return };
        let answer = Some(segment.seq);
        if first.key == segment.key {
            first.answer = answer;
        }
        let first = *first;
        let mut second = self.handshakes.seconds.get_mut(&at);
        if first.key != segment.key {
            match &mut second {
                Some(Second { sight, .. }) if sight.key == segment.key => sight.answer = answer,
                Some(_) => return,
                None => return self.redirect(segment, first),
            }
        }
        let twin = second.filter(|second| !second.crowded).map(|second| second.sight);
        if let Some(twin) = twin.filter(|twin| twin.answer == first.answer) {
            let pairs = Arc::make_mut(&mut self.pairs);
            if pairs.len() < ALIASES {
                self.twins = true;
                pairs.extend([first.key, twin.key]);
                self.seconds.insert(twin.key, first.key);
            }
        }
    }

    /// Learns from a SYN/ACK which addresses the answers to a SYN have, if they are others, and it is the first.
    fn redirect(&mut self, segment: &Segment, syn: Sight) {
        let to_client = segment.from.other();
        let same_end = segment.key.endpoint(to_client) == syn.key.endpoint(syn.client);
        if !same_end || syn.answer.is_some() {
            return;
        }
        let isn = Seq(segment.ack.0.wrapping_sub(1));
        if let Some((_, Handshake { first, .. })) = self.handshakes.find(isn) {
            first.answer = Some(segment.seq);
        }
        self.redirected += 1;
        let Sight { key: to, hash, client, .. } = syn;
        self.alias(segment.key, Alias { to, hash, client, client_here: to_client });
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
