//! Segments that were left in their file: which packets of a round they are, and of which connection.

use std::cell::OnceCell;

use super::header::Header;
use super::spared::Spot;

/// Segments of all connections of a shard that may be left, at most, but for those of the last round.
pub const MOST_LEFT: usize = 32 * 1_024;

/// A capture that can be read again.
pub trait Again: Send + Sync {
    /// Returns the segment at a place, with the hash of its 4-tuple; none where there is none any more. `room` holds its
    /// octets.
    fn segment<'a>(&self, at: Spot, room: &'a mut Vec<u8>) -> Option<Found<'a>>;
}

/// A segment that was read again.
pub struct Found<'a> {
    /// The hash of its 4-tuple.
    pub hash: u64,
    /// Its header, as far as reading takes it.
    pub header: Header,
    /// Its payload, as captured.
    pub payload: &'a [u8],
}

/// The places of a round's packets, by their numbers in it: [`Spot::bits`], or zero.
pub type Places = Vec<u64>;

/// A segment that was left.
#[derive(Clone, Copy, Debug)]
struct Left {
    /// The number of its packet in the round.
    packet: u32,
    /// Its connection's slot.
    slot: u32,
}

/// The segments of one round that were left, in the order in which they came.
#[derive(Debug, Default)]
pub struct Leavings {
    left: Vec<Left>,
    /// No more will come.
    is_closed: bool,
    /// Their indices by slot, in their order: made when somebody first asks then.
    by_slot: OnceCell<Vec<u32>>,
}

impl Leavings {
    /// Begins with room for so many.
    pub fn with_capacity(segments: usize) -> Leavings {
        Leavings { left: Vec::with_capacity(segments), ..Leavings::default() }
    }

    /// Tells whether nothing was left.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// The number of segments.
    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// Leaves a segment of the connection in a slot.
    #[inline]
    pub fn leave(&mut self, slot: u32, packet: u32) {
        self.left.push(Left { packet, slot });
    }

    /// No more segments come.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    /// Hands out the packets of the connection in a slot, from an index on.
    pub fn each(&self, slot: u32, from: usize, mut to: impl FnMut(u32)) {
        if self.is_closed {
            let its = self.of_slot(slot).iter().filter(|index| **index as usize >= from);
            its.filter_map(|index| self.left.get(*index as usize)).for_each(|left| to(left.packet));
        } else {
            let its = self.left.iter().skip(from).filter(|left| left.slot == slot);
            its.for_each(|left| to(left.packet));
        }
    }

    /// The indices of the segments of a slot.
    fn of_slot(&self, slot: u32) -> &[u32] {
        let slot_of = |index: &u32| self.left.get(*index as usize).map(|left| left.slot);
        let sorted = self.by_slot.get_or_init(|| {
            let mut indices: Vec<u32> = (0..self.left.len() as u32).collect();
            indices.sort_by_key(slot_of);
            indices
        });
        let first = sorted.partition_point(|index| slot_of(index) < Some(slot));
        let its = sorted.get(first..).unwrap_or_default();
        its.get(..its.partition_point(|index| slot_of(index) == Some(slot))).unwrap_or_default()
    }
}
