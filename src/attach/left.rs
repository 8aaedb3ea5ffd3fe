//! Segments that were left in their file: which packets of a round they are, and of which connection.

use std::cell::OnceCell;

use super::header::Header;
use super::spared::Spot;

/// Segments of all connections of a shard that may be left, at most, but for those of the last round.
pub const MOST_LEFT: usize = 32 * 1_024;

/// A capture that can be read again.
pub trait Again: Send + Sync {
    /// Returns the segment at a place, with the hash of its 4-tuple; none where there is none any more. Its octets are
    /// those of the piece, where it lies in that, or else are fetched into `room`.
    fn segment<'a>(&self, at: Spot, piece: &'a Piece, room: &'a mut Vec<u8>) -> Option<Found<'a>>;

    /// Returns the piece of a file that begins at a place: to fetch that is less than to fetch many segments of it.
    fn piece(&self, from: Spot) -> Piece;

    /// Returns the piece behind one; none at the end of its file.
    fn piece_after(&self, piece: &Piece) -> Option<Piece>;
}

/// Octets of a file, from a place on.
#[derive(Debug, Default)]
pub struct Piece {
    /// The number of the file.
    pub file: usize,
    /// The place of the first of them.
    pub start: u64,
    /// The place behind the last, if the file is long enough.
    pub end: u64,
    /// The octets that are there.
    pub octets: Vec<u8>,
}

/// Nothing of any file, instead of all: each segment is fetched for itself.
pub static NO_PIECE: Piece =
    Piece { file: usize::MAX, start: u64::MAX, end: u64::MAX, octets: Vec::new() };

impl Piece {
    /// Tells whether a place is in it.
    pub fn holds(&self, at: Spot) -> bool {
        at.order() >= (self.file, self.start) && self.reaches(at)
    }

    /// Tells whether a place is before its end.
    pub fn reaches(&self, at: Spot) -> bool {
        at.order() < (self.file, self.end)
    }
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
    /// Begins with room for so many: that of others, which nobody will ask for, as far as it reaches.
    pub fn in_room_of(Leavings { mut left, .. }: Leavings, segments: usize) -> Leavings {
        left.clear();
        left.reserve(segments);
        Leavings { left, ..Leavings::default() }
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

    /// Returns all segments: the index, the slot and the packet of each.
    pub fn all(&self) -> impl Iterator<Item = (u32, u32, u32)> {
        (0..).zip(&self.left).map(|(index, left)| (index, left.slot, left.packet))
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
