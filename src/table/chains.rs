//! The chains of all 4-tuples: a list, and an index of it by hash.
//!
//! A table can hold millions, so every octet counts: the list grows by blocks, and none of it is ever
//! copied or reserved in vain; the index has 32 bits for each; a 4-tuple between IPv4 addresses takes 12
//! octets, and IPv6 addresses stand aside.

use hashbrown::HashTable;

use super::chain::Chain;
use crate::tcp::flow::Flow;
use crate::tcp::segment::FlowKey;

/// Chains of a block.
const BLOCK: usize = 64;

#[derive(Default)]
pub struct Chains {
    /// Places in the list.
    index: HashTable<u32>,
    /// All blocks but the last are full.
    blocks: Vec<Vec<Chain>>,
    aside: Aside,
}

/// IPv6 addresses of the lower and the upper end, by number.
#[derive(Default)]
struct Aside {
    addresses: Vec<[u128; 2]>,
    /// Numbers to be used again.
    free: Vec<u32>,
}

impl Aside {
    fn put(&mut self, addresses: [u128; 2]) -> u32 {
        match self.free.pop() {
            Some(number) => {
                self.addresses[number as usize] = addresses;
                number
            }
            None => {
                self.addresses.push(addresses);
                self.addresses.len() as u32 - 1
            }
        }
    }

    fn get(&self, number: u32) -> Option<[u128; 2]> {
        self.addresses.get(number as usize).copied()
    }

    /// Tells whether a chain is of this 4-tuple.
    #[inline(always)]
    fn is_of(&self, chain: &Chain, key: &FlowKey) -> bool {
        match key.as_v4() {
            Some(([lower, upper], ports)) => {
                let differ = chain.addresses[0] ^ lower | chain.addresses[1] ^ upper;
                differ | chain.ports ^ ports == 0 && !chain.is_v6
            }
            None => self.is_of_v6(chain, key),
        }
    }

    #[inline(never)]
    fn is_of_v6(&self, chain: &Chain, key: &FlowKey) -> bool {
        chain.is_v6
            && chain.ports == key.joined_ports()
            && self.get(chain.addresses[0]) == key.as_v6()
    }

    /// The 4-tuple of a chain.
    fn key(&self, chain: &Chain) -> FlowKey {
        match self.get(chain.addresses[0]).filter(|_| chain.is_v6) {
            Some(addresses) => FlowKey::of_v6(addresses, chain.ports),
            None => FlowKey::of_v4(chain.addresses, chain.ports),
        }
    }
}

impl Chains {
    fn len(&self) -> usize {
        self.blocks.last().map_or(0, |last| (self.blocks.len() - 1) * BLOCK + last.len())
    }

    /// Has the index in the cache, for about so many segments: its lines come faster in a row than each by itself when it
    /// is asked for.
    pub fn fetch_index(&self, segments: usize) {
        if self.index.len() <= segments {
            std::hint::black_box(self.index.iter().fold(0, |all, at| all ^ at));
        }
    }

    /// Returns the place of a chain by the few bits of its hash that the index holds: good enough to
    /// prefetch it, since another one may have the same bits.
    #[inline(always)]
    pub fn likely(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |_| true).copied()
    }

    /// Returns the place of a 4-tuple's chain.
    pub fn find(&self, hash: u64, key: &FlowKey) -> Option<usize> {
        let is_here = |at: &u32| self.holds(*at as usize, key);
        self.index.find(hash, is_here).map(|at| *at as usize)
    }

    /// Returns the place of the chain whose 4-tuple has this hash: no two have the same.
    pub fn of_hash(&self, hash: u64) -> Option<usize> {
        let is_here = |at: &u32| self.get(*at as usize).is_some_and(|chain| chain.hash == hash);
        self.index.find(hash, is_here).map(|at| *at as usize)
    }

    #[inline(always)]
    pub fn get(&self, at: usize) -> Option<&Chain> {
        self.blocks.get(at / BLOCK)?.get(at % BLOCK)
    }

    #[inline(always)]
    pub fn get_mut(&mut self, at: usize) -> Option<&mut Chain> {
        self.blocks.get_mut(at / BLOCK)?.get_mut(at % BLOCK)
    }

    /// Returns the chain at a place if it is this 4-tuple's.
    #[inline(always)]
    pub fn get_if(&mut self, at: usize, key: &FlowKey) -> Option<&mut Chain> {
        let chain = self.blocks.get_mut(at / BLOCK)?.get_mut(at % BLOCK)?;
        self.aside.is_of(chain, key).then_some(chain)
    }

    pub fn holds(&self, at: usize, key: &FlowKey) -> bool {
        self.get(at).is_some_and(|chain| self.aside.is_of(chain, key))
    }

    /// The 4-tuple of a chain.
    pub fn key(&self, chain: &Chain) -> FlowKey {
        self.aside.key(chain)
    }

    /// Adds the chain of a 4-tuple that has none, with its first flow. Returns its place.
    pub fn add(&mut self, hash: u64, key: &FlowKey, newest: Flow, queued: bool) -> usize {
        let at = self.len() as u32;
        let (addresses, ports, is_v6) = match (key.as_v4(), key.as_v6()) {
            (None, Some(addresses)) => ([self.aside.put(addresses), 0], key.joined_ports(), true),
            (v4, _) => {
                let (addresses, ports) = v4.unwrap_or_default();
                (addresses, ports, false)
            }
        };
        let chain =
            Chain { newest, hash, addresses, ports, is_v6, reused: false, queued, tired: false };
        match self.blocks.last_mut().filter(|last| last.len() < BLOCK) {
            Some(last) => last.push(chain),
            None => {
                let mut block = Vec::with_capacity(BLOCK);
                block.push(chain);
                self.blocks.push(block);
            }
        }
        let Chains { index, blocks, .. } = self;
        let hash_at = |at: &u32| {
            let (block, within) = (*at as usize / BLOCK, *at as usize % BLOCK);
            blocks.get(block).and_then(|block| block.get(within)).map_or(0, |chain| chain.hash)
        };
        index.insert_unique(hash, at, hash_at);
        at as usize
    }

    /// Removes the chain at a place, which the last one takes.
    pub fn remove(&mut self, at: usize) -> Option<(FlowKey, Chain)> {
        let last = self.len().saturating_sub(1);
        let (hash, key) = self.get(at).map(|chain| (chain.hash, self.key(chain)))?;
        if let Ok(entry) = self.index.find_entry(hash, |place| *place as usize == at) {
            entry.remove();
        }
        let mut gone = self.blocks.last_mut()?.pop()?;
        if self.blocks.last().is_some_and(Vec::is_empty) {
            self.blocks.pop();
        }
        if at != last {
            if let Some(place) = self.index.find_mut(gone.hash, |place| *place as usize == last) {
                *place = at as u32;
            }
            if let Some(here) = self.get_mut(at) {
                std::mem::swap(here, &mut gone);
            }
        }
        if gone.is_v6 {
            self.aside.free.push(gone.addresses[0]);
        }
        Some((key, gone))
    }

    /// All chains with their 4-tuples, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (FlowKey, &Chain)> {
        self.blocks.iter().flatten().map(|chain| (self.key(chain), chain))
    }

    /// All chains with their 4-tuples, in no particular order. A block's memory is given back once all of
    /// it has been taken.
    pub fn into_all(self) -> impl Iterator<Item = (FlowKey, Chain)> {
        let Chains { blocks, aside, .. } = self;
        blocks.into_iter().flatten().map(move |chain| (aside.key(&chain), chain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::{Place, Time};
    use crate::tcp::segment::{Endpoint, Extras, Flags, Segment};
    use crate::tcp::seq::Seq;

    fn segment(number: u32) -> Segment {
        let end = |number: u32, port| match number % 3 {
            0 => Endpoint { ip: std::net::Ipv6Addr::from_bits(number.into()).into(), port },
            _ => Endpoint { ip: std::net::Ipv4Addr::from_bits(number).into(), port },
        };
        let (key, from) = FlowKey::new(end(number, 1), end(number + 3_000, 2));
        Segment {
            key,
            // Many have the same bits in the index.
            hash: u64::from(number % 7) << 57 | u64::from(number),
            from,
            seq: Seq(number),
            ack: Seq(0),
            flags: Flags(Flags::SYN),
            len: 0,
            window: 0,
            extras: Extras::default(),
            place: Place::new(Time::UNKNOWN, 0, u64::from(number) + 1, 6),
            direction: None,
        }
    }

    #[test]
    fn every_chain_is_found_by_its_4_tuple_whatever_others_come_and_go() {
        let mut chains = Chains::default();
        let mut there = std::collections::BTreeSet::new();
        for round in 0..6_u32 {
            for number in 0..500 {
                let segment = segment(number);
                if there.insert(number) {
                    chains.add(segment.hash, &segment.key, Flow::new(&segment), false);
                }
            }
            for number in (0..500).filter(|number| number % 6 <= round) {
                let segment = segment(number);
                let at = chains.find(segment.hash, &segment.key).expect("it is there");
                chains.remove(at);
                there.remove(&number);
            }
            assert_eq!(chains.len(), there.len());
            for number in 0..500 {
                let Segment { hash, key, .. } = segment(number);
                let found = chains.find(hash, &key);
                assert_eq!(found.is_some(), there.contains(&number));
                assert_eq!(found, chains.of_hash(hash));
                let chain = found.and_then(|at| chains.get(at));
                assert!(chain.is_none_or(|chain| chains.key(chain) == key));
            }
        }
        assert!(chains.aside.addresses.len() <= 500 / 3 + 1, "numbers are used again");
    }
}
