//! Finished flows that had their last packet some time ago, in few octets until they leave.
//!
//! They lie one behind the other in blocks. Those of a block leave at about the same time, and its memory is
//! given back when the last one does.

use hashbrown::HashTable;

use super::Retired;
use crate::place::Place;
use crate::tcp::flow::Flow;
use crate::tcp::holes::Count;
use crate::tcp::packed::{Code, Reader, Writer};
use crate::tcp::segment::FlowKey;

/// Octets of a block: about a hundred flows.
const BLOCK: usize = 1 << 14;

/// Blocks, at most: a place has 32 bits.
const BLOCKS: usize = 1 << (u32::BITS - BLOCK.ilog2());

/// Flows of a block, on average, below which all are put together: fewer would take as much as if they did not
/// rest.
const FEW: usize = 32;

#[derive(Default)]
pub struct Resting {
    /// Places: which block, and where in it.
    index: HashTable<u32>,
    blocks: Vec<Block>,
    /// The block that is filled, and those that are empty.
    filled: usize,
    empty: Vec<usize>,
    /// A place that those of all flows are near to, as nearly all are.
    base: Place,
    /// Packets that were not captured, as its flows show it.
    holes: Count,
    /// A flow that is written, with its hash and its 4-tuple.
    record: Writer,
}

#[derive(Default)]
struct Block {
    octets: Vec<u8>,
    /// Flows of it that have not left.
    held: usize,
}

impl Resting {
    /// Tells whether one more can be taken in.
    pub fn has_room(&self) -> bool {
        self.blocks.len() < BLOCKS
    }

    /// Takes in the only flow of a 4-tuple.
    pub fn put(&mut self, hash: u64, Retired { key, flow }: Retired) {
        if self.index.is_empty() {
            self.base = flow.first;
        }
        self.holes += Count::of(&flow);
        self.record.clear();
        coded_hash(&mut self.record, hash);
        coded_key(&mut self.record, key);
        flow.coded(&mut self.record, self.base);
        let at = self.append();
        let blocks = &self.blocks;
        self.index.insert_unique(hash, at, |at| hash_at(blocks, *at));
    }

    /// Puts what was written where there is room for it.
    fn append(&mut self) -> u32 {
        let record = self.record.written();
        let fits = |block: &Block| block.octets.len() + record.len() <= BLOCK;
        if !self.blocks.get(self.filled).is_some_and(fits) {
            self.filled = self.empty.pop().unwrap_or(self.blocks.len());
            self.blocks.resize_with(self.blocks.len().max(self.filled + 1), Block::default);
        }
        let Some(block) = self.blocks.get_mut(self.filled) else { return 0 };
        let at = self.filled * BLOCK + block.octets.len();
        if block.octets.is_empty() {
            block.octets.reserve_exact(BLOCK);
        }
        block.octets.extend_from_slice(record);
        block.held += 1;
        at as u32
    }

    /// Returns the place of a 4-tuple's flow.
    pub fn find(&self, hash: u64, key: &FlowKey) -> Option<u32> {
        let is_here = |at: &u32| {
            let mut reader = reader_at(&self.blocks, *at);
            coded_hash(&mut reader, 0) == hash && coded_key(&mut reader, *key) == *key
        };
        self.index.find(hash, is_here).copied()
    }

    /// Returns the place of the flow whose 4-tuple has this hash: no two have the same.
    pub fn of_hash(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |at| hash_at(&self.blocks, *at) == hash).copied()
    }

    /// Returns the last packet of the flow at a place that [`Resting::find`] or [`Resting::of_hash`] gave.
    pub fn last(&self, at: u32) -> Place {
        let (_, mut reader) = self.begun(at);
        Flow::last_packed(&mut reader, self.base)
    }

    fn get(&self, at: u32) -> Retired {
        let (key, mut reader) = self.begun(at);
        Retired { key, flow: Flow::unpacked(&mut reader, self.base) }
    }

    /// The 4-tuple at a place, and what follows it.
    fn begun(&self, at: u32) -> (FlowKey, Reader<'_>) {
        let mut reader = reader_at(&self.blocks, at);
        coded_hash(&mut reader, 0);
        (coded_key(&mut reader, FlowKey::of_v4([0; 2], 0)), reader)
    }

    /// The flow of a 4-tuple.
    pub fn flow_of(&self, hash: u64, key: &FlowKey) -> Option<Flow> {
        self.find(hash, key).map(|at| self.get(at).flow)
    }

    /// Removes the flow at a place.
    pub fn take(&mut self, at: u32) -> Retired {
        let retired = self.get(at);
        let hash = hash_at(&self.blocks, at);
        if let Ok(entry) = self.index.find_entry(hash, |place| *place == at) {
            entry.remove();
            self.holes -= Count::of(&retired.flow);
            self.let_go(at);
        }
        retired
    }

    /// Removes the flows that go.
    pub fn take_all(&mut self, goes: impl Fn(&Flow) -> bool, mut to: impl FnMut(Retired)) {
        let places: Vec<u32> = self.index.iter().copied().collect();
        for at in places {
            if goes(&self.get(at).flow) {
                to(self.take(at));
            }
        }
    }

    /// Counts its flows by whether they show packets that were not captured.
    pub fn holes(&self) -> Count {
        self.holes
    }

    /// All flows, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = Retired> {
        self.index.iter().map(|at| self.get(*at))
    }

    /// All flows, in no particular order.
    pub fn into_all(self) -> impl Iterator<Item = Retired> {
        let mut places: Vec<u32> = self.index.iter().copied().collect();
        // In the order of memory, each comes before it is waited for.
        places.sort_unstable();
        places.into_iter().map(move |at| self.get(at))
    }

    /// Puts flows together where a few keep the memory of many that have left: who has each of a block wake but one
    /// must not gain by it.
    pub fn compact(&mut self) {
        let in_use = self.blocks.len() - self.empty.len();
        if in_use <= 1 + self.index.len() / FEW {
            return;
        }
        let scattered = std::mem::take(self);
        for at in &scattered.index {
            self.put(hash_at(&scattered.blocks, *at), scattered.get(*at));
        }
    }

    fn let_go(&mut self, at: u32) {
        let number = at as usize / BLOCK;
        let Some(block) = self.blocks.get_mut(number) else { return };
        block.held -= 1;
        if block.held == 0 {
            block.octets = Vec::new();
            if number != self.filled {
                self.empty.push(number);
            }
        }
    }
}

fn reader_at(blocks: &[Block], at: u32) -> Reader<'_> {
    let block = blocks.get(at as usize / BLOCK);
    let octets = block.and_then(|block| block.octets.get(at as usize % BLOCK..));
    Reader::new(octets.unwrap_or_default())
}

fn hash_at(blocks: &[Block], at: u32) -> u64 {
    coded_hash(&mut reader_at(blocks, at), 0)
}

fn coded_hash(code: &mut impl Code, hash: u64) -> u64 {
    let [high, low] = [(hash >> 32) as u32, hash as u32].map(|word| code.word(word));
    u64::from(high) << 32 | u64::from(low)
}

fn coded_key(code: &mut impl Code, key: FlowKey) -> FlowKey {
    let ports = code.word(key.joined_ports());
    let v6 = key.as_v6();
    match code.flag(v6.is_some()) {
        true => {
            let addresses = v6.unwrap_or_default().map(|address| {
                let words = [96, 64, 32, 0].map(|shift| code.word((address >> shift) as u32));
                words.into_iter().fold(0, |bits, word| bits << 32 | u128::from(word))
            });
            FlowKey::of_v6(addresses, ports)
        }
        false => {
            let (addresses, _) = key.as_v4().unwrap_or_default();
            FlowKey::of_v4(addresses.map(|address| code.word(address)), ports)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Time;
    use crate::tcp::segment::{End, Endpoint, Extras, Flags, Segment};
    use crate::tcp::seq::Seq;
    use std::net::{Ipv4Addr, Ipv6Addr};

    /// A conversation of some packets, begun and closed by its client.
    fn retired(number: u32) -> (u64, Retired) {
        let end = |number: u32, port| match number % 3 {
            0 => Endpoint { ip: Ipv6Addr::from_bits(u128::from(number) << 70).into(), port },
            _ => Endpoint { ip: Ipv4Addr::from_bits(number).into(), port },
        };
        let (key, client) = FlowKey::new(end(number, 40_000), end(number + 3_000, 5_432));
        // Many have the same bits in the index.
        let hash = u64::from(number % 7) << 57 | u64::from(number);
        let mut flow = None;
        let mut packet = 0;
        let mut say = |from: End, flags, seq, ack, len| {
            packet += 1;
            let nanos = 1_700_000_000_000_000_000 + u64::from(number + packet) * 40_000_000;
            let (isn, others) = match from == client {
                true => (number << 12, number << 7),
                false => (number << 7, number << 12),
            };
            let place = Place::new(Time::from_unsigned(nanos), 0, (number + packet).into(), 6);
            let segment = Segment {
                key,
                hash,
                from,
                seq: Seq(isn + seq),
                ack: Seq(others + ack),
                flags: Flags(flags),
                len,
                window: 502,
                extras: Extras::default(),
                place,
                direction: None,
            };
            flow.get_or_insert_with(|| Flow::new(&segment)).take(&segment);
        };
        let server = client.other();
        say(client, Flags::SYN, 0, 0, 0);
        say(server, Flags::SYN | Flags::ACK, 0, 1, 0);
        say(client, Flags::ACK, 1, 1, 90);
        say(server, Flags::ACK, 1, 91, 800);
        say(client, Flags::FIN | Flags::ACK, 91, 801, 0);
        say(server, Flags::FIN | Flags::ACK, 801, 92, 0);
        say(client, Flags::ACK, 92, 802, 0);
        (hash, Retired { key, flow: flow.expect("it had packets") })
    }

    fn said(retired: &Retired) -> String {
        format!("{retired:?}")
    }

    #[test]
    fn every_flow_is_found_as_it_was_whatever_others_come_and_go() {
        let mut resting = Resting::default();
        for round in 0..4 {
            let comes = |number: &u32| number % 4 == round || round == 0;
            for (hash, flow) in (0..900).filter(comes).map(retired) {
                if resting.find(hash, &flow.key).is_none() {
                    resting.put(hash, flow);
                }
            }
            for (hash, flow) in (0..900).filter(|number| number % 5 == round).map(retired) {
                let at = resting.find(hash, &flow.key).expect("it is there");
                assert_eq!((resting.of_hash(hash), resting.last(at)), (Some(at), flow.flow.last));
                assert_eq!(said(&resting.take(at)), said(&flow));
                assert!(resting.find(hash, &flow.key).is_none() && resting.of_hash(hash).is_none());
            }
        }
        assert_eq!(resting.iter().count(), resting.index.len());
        resting.take_all(|_| true, |_| ());
        let kept: usize = resting.blocks.iter().map(|block| block.octets.capacity()).sum();
        assert_eq!((resting.index.len(), kept), (0, 0), "memory is given back");
    }

    #[test]
    fn few_that_stay_keep_no_memory_of_many() {
        let mut resting = Resting::default();
        for (hash, flow) in (0..9_000).map(retired) {
            resting.put(hash, flow);
        }
        let stays = |number: &u32| number.is_multiple_of(100);
        for (hash, flow) in (0..9_000).filter(|number| !stays(number)).map(retired) {
            let at = resting.find(hash, &flow.key).expect("it is there");
            resting.take(at);
        }
        let octets = |resting: &Resting| -> usize {
            resting.blocks.iter().map(|block| block.octets.capacity()).sum()
        };
        assert!(octets(&resting) > 50 * BLOCK, "they lie far apart");
        resting.compact();
        assert_eq!(octets(&resting), BLOCK);
        for (hash, flow) in (0..9_000).filter(stays).map(retired) {
            let at = resting.find(hash, &flow.key).expect("it is there");
            assert_eq!(said(&resting.take(at)), said(&flow));
        }
        assert!(resting.index.is_empty());
    }

    /// With some 10 octets of the index, and 16 of those that wait for their end.
    #[test]
    fn a_resting_flow_is_small() {
        let mut resting = Resting::default();
        let v4 = (1..1_000).filter(|number| number % 3 != 0);
        v4.clone().map(retired).for_each(|(hash, flow)| resting.put(hash, flow));
        let octets: usize = resting.blocks.iter().map(|block| block.octets.capacity()).sum();
        let each = octets / v4.count();
        assert!(each <= 124, "{each}");
    }
}
