//! Numbers in few octets: a flow that waits for nothing but late packets lies in memory for long, and nobody reads it.
//!
//! Each number is told by how far it is from another that it is near to, as a rule, in as many octets as that
//! takes: how many is told by the lowest bits of the first, so that all of them are written and read at once. Any
//! number can be told, so what is read is what was written. Writing and reading are one list of the same fields:
//! it is gone through with a [`Writer`] or a [`Reader`].

use super::seq::Seq;
use crate::place::{Place, Time};

/// The numbers that those of a close are near to.
#[derive(Clone, Copy)]
pub struct Base {
    /// The flow's last packet.
    pub last: Place,
    /// The end of all that a side has sent, and of all that the other has.
    pub sent: Seq,
    pub others_sent: Seq,
}

/// A writer, which returns what it is given, or a reader, which returns what it finds instead.
pub trait Code: Sized {
    /// Any number, the smaller the shorter: seven bits for each octet.
    fn number(&mut self, number: u64) -> u64;

    /// Four octets.
    fn word(&mut self, word: u32) -> u32;

    /// A bit.
    fn flag(&mut self, flag: bool) -> bool;

    fn signed(&mut self, number: i64) -> i64 {
        unfolded(self.number(folded(number)))
    }

    fn number_near(&mut self, number: u64, near: u64) -> u64 {
        near.wrapping_add(self.signed(number.wrapping_sub(near) as i64) as u64)
    }

    fn option<T: Default>(
        &mut self,
        value: Option<T>,
        each: impl FnOnce(&mut Self, T) -> T,
    ) -> Option<T> {
        self.flag(value.is_some()).then(|| each(self, value.unwrap_or_default()))
    }

    fn seq(&mut self, seq: Seq, near: Seq) -> Seq {
        near + self.signed(seq.ahead_of(near).into()) as u32
    }

    fn some_seq(&mut self, seq: Option<Seq>, near: Seq) -> Option<Seq> {
        self.option(seq, |code, seq| code.seq(seq, near))
    }

    /// Most captures have microseconds: what is left of a nanosecond's thousands is told only where there is any.
    fn time(&mut self, time: Time, near: Time) -> Time {
        let near = near.nanos().unwrap_or(0);
        let ahead = time.nanos().map(|nanos| nanos.wrapping_sub(near));
        let (micros, rest) = ahead.map_or((0, 0), |ahead| (ahead / 1_000, ahead % 1_000));
        let told = ahead.map_or(0, |_| 1 + (folded(micros) << 1 | u64::from(rest != 0)));
        let Some(told) = self.number(told).checked_sub(1) else { return Time::UNKNOWN };
        let rest = if told & 1 == 0 { 0 } else { self.signed(rest) };
        let ahead = unfolded(told >> 1).wrapping_mul(1_000).wrapping_add(rest);
        Time::from_unsigned(near.wrapping_add(ahead) as u64)
    }

    fn place(&mut self, place: Place, near: Place) -> Place {
        // The digits of a second, which stand lowest, are the same, and the files, as a rule.
        let turned = |place: Place| place.order().rotate_right(4);
        let time = self.time(place.time, near.time);
        let order = self.number_near(turned(place), turned(near)).rotate_left(4);
        Place::of_order(time, order)
    }

    fn some_place(&mut self, place: Option<Place>, near: Place) -> Option<Place> {
        self.option(place, |code, place| code.place(place, near))
    }
}

/// Numbers near to zero become small ones, whatever their sign.
fn folded(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

fn unfolded(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Bits of an octet.
const BITS: u32 = u8::BITS;

/// Numbers below take one octet.
const SHORT: u64 = 1 << 7;

/// Octets of a number that are written at once; a longer one follows a zero.
const LONGEST: u32 = 8;

/// Octets that a writer has room for to begin with.
const FIRST_ROOM: usize = 256;

/// Writes into memory of its own, which it keeps.
pub struct Writer {
    /// The first `len` are written.
    octets: Vec<u8>,
    len: usize,
    /// The octet that has the last flags, and how many it has room for.
    flags: usize,
    room: u32,
}

impl Default for Writer {
    fn default() -> Writer {
        Writer { octets: vec![0; FIRST_ROOM], len: 0, flags: 0, room: 0 }
    }
}

impl Writer {
    pub fn written(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }

    pub fn clear(&mut self) {
        (self.len, self.room) = (0, 0);
    }

    /// Writes as many octets of a word.
    fn put(&mut self, word: u64, octets: u32) {
        if self.octets.len() < self.len + size_of::<u64>() {
            self.make_room();
        }
        let room = self.octets.get_mut(self.len..).and_then(|room| room.first_chunk_mut());
        if let Some(room) = room {
            *room = word.to_le_bytes();
        }
        self.len += octets as usize;
    }

    #[inline(never)]
    fn put_long(&mut self, number: u64) {
        let octets = (u64::BITS - (number | 1).leading_zeros()).div_ceil(7);
        if octets > LONGEST {
            self.put(0, 1);
            self.put(number, u64::BITS / BITS);
        } else {
            // As many zeros below a one as octets follow the first.
            self.put((number << 1 | 1) << (octets - 1), octets);
        }
    }

    #[cold]
    fn make_room(&mut self) {
        self.octets.resize(self.octets.len() * 2, 0);
    }
}

impl Code for Writer {
    #[inline(always)]
    fn number(&mut self, number: u64) -> u64 {
        match self.octets.get_mut(self.len) {
            // Most are such.
            Some(octet) if number < SHORT => {
                *octet = (number as u8) << 1 | 1;
                self.len += 1;
            }
            _ => self.put_long(number),
        }
        number
    }

    fn signed(&mut self, number: i64) -> i64 {
        self.number(folded(number));
        number
    }

    fn word(&mut self, word: u32) -> u32 {
        self.put(word.into(), u32::BITS / BITS);
        word
    }

    fn flag(&mut self, flag: bool) -> bool {
        if self.room == 0 {
            (self.flags, self.room) = (self.len, BITS);
            self.put(0, 1);
        }
        if let Some(flags) = self.octets.get_mut(self.flags) {
            *flags |= u8::from(flag) << (BITS - self.room);
        }
        self.room -= 1;
        flag
    }
}

/// Reads what was written; zeros, where there is no more.
pub struct Reader<'a> {
    octets: &'a [u8],
    /// Flags to come, and how many.
    flags: u8,
    left: u32,
}

impl Reader<'_> {
    pub fn new(octets: &[u8]) -> Reader<'_> {
        Reader { octets, flags: 0, left: 0 }
    }

    /// The next eight octets.
    fn next(&self) -> u64 {
        match self.octets.first_chunk() {
            Some(octets) => u64::from_le_bytes(*octets),
            None => self.octets.iter().rev().fold(0, |word, octet| word << 8 | u64::from(*octet)),
        }
    }

    #[inline(never)]
    fn long(&mut self) -> u64 {
        let word = self.next();
        let octets = word.trailing_zeros() + 1;
        if octets > LONGEST {
            self.skip(1);
            let number = self.next();
            self.skip(u64::BITS / BITS);
            return number;
        }
        self.skip(octets);
        (word << (u64::BITS - octets * BITS)) >> (u64::BITS - octets * 7)
    }

    fn skip(&mut self, octets: u32) {
        self.octets = self.octets.get(octets as usize..).unwrap_or_default();
    }
}

impl Code for Reader<'_> {
    #[inline(always)]
    fn number(&mut self, _: u64) -> u64 {
        match self.octets.split_first() {
            Some((octet, others)) if octet & 1 == 1 => {
                self.octets = others;
                u64::from(octet >> 1)
            }
            _ => self.long(),
        }
    }

    fn word(&mut self, _: u32) -> u32 {
        let word = self.next() as u32;
        self.skip(u32::BITS / BITS);
        word
    }

    fn flag(&mut self, _: bool) -> bool {
        if self.left == 0 {
            (self.flags, self.left) = (self.next() as u8, BITS);
            self.skip(1);
        }
        let flag = self.flags & 1 != 0;
        self.flags >>= 1;
        self.left -= 1;
        flag
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any number, small ones as often as large ones.
    fn number() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0..64u32, any::<bool>()).prop_map(|(number, shift, low)| match low {
            true => number >> shift,
            false => number << shift,
        })
    }

    fn time() -> impl Strategy<Value = Time> {
        number().prop_map(|nanos| match nanos % 3 {
            0 => Time::from_unsigned(nanos >> 1),
            1 => Time::from_unsigned((nanos >> 1) / 1_000 * 1_000),
            _ => Time::UNKNOWN,
        })
    }

    fn place() -> impl Strategy<Value = Place> {
        (time(), number().prop_map(|order| order.max(1)))
            .prop_map(|(time, order)| Place::of_order(time, order))
    }

    /// All that can be told, near to anything.
    type All = (u64, bool, i64, u32, Option<Seq>, Time, Option<Place>, bool);

    fn told(code: &mut impl Code, all: All, near: (u64, Seq, Place)) -> All {
        let (number, flag, signed, word, seq, time, place, last) = all;
        (
            code.number_near(number, near.0),
            code.flag(flag),
            code.signed(signed),
            code.word(word),
            code.some_seq(seq, near.1),
            code.time(time, near.2.time),
            code.some_place(place, near.2),
            code.flag(last),
        )
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(
            numbers in [number(), number(), number()],
            seqs in any::<[u32; 2]>(),
            flags in any::<[bool; 4]>(),
            time in time(),
            places in [place(), place()],
            repeated in 1..20,
        ) {
            let seq = flags[0].then_some(Seq(seqs[0]));
            let place = flags[1].then_some(places[0]);
            let all = (numbers[0], flags[2], numbers[1] as i64, seqs[1], seq, time, place, flags[3]);
            let near = (numbers[2], Seq(seqs[1]), places[1]);
            let mut writer = Writer::default();
            for _ in 0..repeated {
                prop_assert_eq!(told(&mut writer, all, near), all);
            }
            let nothing = (0, false, 0, 0, None, Time::UNKNOWN, None, false);
            let mut reader = Reader::new(writer.written());
            for _ in 0..repeated {
                prop_assert_eq!(told(&mut reader, nothing, near), all);
            }
            prop_assert!(reader.octets.is_empty());
        }
    }
}
