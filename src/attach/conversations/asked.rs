//! Conversations of which much was left in files: all of it is read again in one go over these.
//!
//! To fetch each segment for itself takes a system call. So those of all connections are asked for together, and read in
//! the order in which they lie, out of pieces of the file that all shards share.

use super::super::left::{Again, Piece};
use super::super::spared::Spot;
use super::{Conversations, Slot, at};

/// A bit for each slot.
#[derive(Default)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// Sets the bit of a slot, or takes it away.
    #[inline]
    pub fn set(&mut self, slot: u32, to: bool) {
        let (at, bit) = (slot as usize / 64, 1 << (slot % 64));
        if to && at >= self.0.len() {
            self.0.resize(at + 1, 0);
        }
        if let Some(word) = self.0.get_mut(at) {
            *word = if to { *word | bit } else { *word & !bit };
        }
    }

    /// Tells whether any is set.
    pub fn have_any(&self) -> bool {
        self.0.iter().any(|word| *word != 0)
    }

    /// Tells whether the bit of a slot is set.
    #[inline(always)]
    pub fn has(&self, slot: u32) -> bool {
        self.0.get(slot as usize / 64).is_some_and(|word| word >> (slot % 64) & 1 != 0)
    }
}

/// The conversations that are asked for, and those that will be.
#[derive(Default)]
pub struct Asked {
    /// The slots of those that have waited for too long, and the rounds in which they began.
    noted: Vec<(u32, u8)>,
    due: Vec<(u32, u8)>,
    /// The slots of those that are read.
    slots: Vec<u32>,
    /// Their segments, each with its slot, in the order in which they lie; and how many of these have been read.
    segments: Vec<(u32, Spot)>,
    read: usize,
}

impl Asked {
    /// Takes note of a conversation that has waited for too long, by its slot and the round in which it began.
    pub fn note(&mut self, slot: u32, began: u8) {
        self.noted.push((slot, began));
    }

    /// Begins with a round, after which those are due that were noted in the one before: whoever reads files hands on
    /// what comes then. Returns whether there are any.
    pub fn begin_round(&mut self) -> bool {
        self.due.append(&mut self.noted);
        !self.due.is_empty()
    }
}

/// The segments that are asked for: how many, and the places of the first and the last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extent {
    /// The number of them.
    pub segments: u64,
    first: Option<Spot>,
    last: Option<Spot>,
}

/// Octets of a file that are fetched in the time that it takes to fetch a segment for itself.
const WORTH: u64 = 8 * 1_024;

impl Extent {
    /// Tells whether to fetch each for itself would take less time than to fetch all between them.
    pub fn is_sparse(&self) -> bool {
        let (Some(first), Some(last)) = (self.first, self.last) else { return true };
        let octets = last.record().saturating_sub(first.record());
        first.file() == last.file() && octets / WORTH > self.segments
    }
}

impl core::ops::AddAssign for Extent {
    fn add_assign(&mut self, more: Extent) {
        self.segments += more.segments;
        let ends = [self.first, self.last, more.first, more.last].into_iter().flatten();
        (self.first, self.last) =
            (ends.clone().min_by_key(|it| it.order()), ends.max_by_key(|it| it.order()));
    }
}

impl Conversations {
    /// The hashes of connections that have waited for too long since this round: what comes of them is needed.
    pub fn needed(&self) -> impl Iterator<Item = u64> {
        let noted = self.asked.noted.iter();
        noted.filter_map(|(slot, _)| Some(self.slots.get(*slot as usize)?.as_ref()?.hash))
    }

    /// Asks for what has waited for too long, after a round. Returns the segments that are left of that.
    pub fn ask_for_due(&mut self) -> Extent {
        let mut slots = Vec::new();
        for (slot, began) in core::mem::take(&mut self.asked.due) {
            match at(&mut self.slots, Slot(slot)).filter(|it| it.began == began) {
                Some(conversation) if conversation.is_over => {
                    conversation.read_late(slot, &self.rounds);
                }
                Some(_) => slots.push(slot),
                None => {}
            }
        }
        self.ask_for(slots)
    }

    /// Asks for the conversations in these slots, as far as they were left in files. Returns their segments.
    pub fn ask_for(&mut self, mut slots: Vec<u32>) -> Extent {
        slots.retain(|slot| {
            let conversation = at(&mut self.slots, Slot(*slot));
            let is_left = conversation.filter(|it| it.left_from.is_some());
            is_left.map(|it| it.begin_again(&self.rounds)).is_some()
        });
        let mut bits = Bits::default();
        slots.iter().for_each(|slot| bits.set(*slot, true));
        let is_meant = |slot, age, index| {
            let conversation = || self.slots.get(slot as usize)?.as_ref();
            bits.has(slot) && conversation().is_some_and(|it| it.has_left(&self.rounds, age, index))
        };
        let mut segments = Vec::new();
        if !slots.is_empty() {
            self.rounds.each_meant(is_meant, |slot, spot| segments.push((slot, spot)));
        }
        self.asked = Asked { slots, segments, ..core::mem::take(&mut self.asked) };
        let spots = &self.asked.segments;
        let [first, last] = [spots.first(), spots.last()].map(|end| end.map(|(_, spot)| *spot));
        let extent = Extent { segments: spots.len() as u64, first, last };
        if spots.is_empty() {
            self.end_asked();
        }
        extent
    }

    /// Returns the place of the next segment that is asked for.
    pub fn asked_from(&self) -> Option<Spot> {
        self.asked.segments.get(self.asked.read).map(|(_, spot)| *spot)
    }

    /// Reads what is asked for, as far as a piece of a file reaches.
    pub fn read_asked(&mut self, again: &dyn Again, piece: &Piece) {
        let mut room = Vec::new();
        let rest = self.asked.segments.get(self.asked.read..).unwrap_or_default();
        for (slot, spot) in rest.iter().take_while(|(_, spot)| piece.reaches(*spot)) {
            let found = again.segment(*spot, piece, &mut room);
            if let (Some(conversation), Some(found)) = (at(&mut self.slots, Slot(*slot)), found) {
                conversation.read_again(found);
            }
            self.asked.read += 1;
        }
        if self.asked.read == self.asked.segments.len() {
            self.end_asked();
        }
    }

    fn end_asked(&mut self) {
        let Asked { noted, due, slots, .. } = core::mem::take(&mut self.asked);
        self.asked = Asked { noted, due, ..Asked::default() };
        for slot in slots {
            self.left.set(slot, false);
            if let Some(conversation) = at(&mut self.slots, Slot(slot)) {
                conversation.end_again();
            }
        }
    }
}
