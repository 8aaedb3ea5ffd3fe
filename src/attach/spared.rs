//! Connections whose octets are not handed on, since they can be read again where they lie.
//!
//! Most connections end well, and nobody ever asks what was said on them. Where a capture is a plain file, and a
//! connection's first words leave no doubt which protocol it speaks, the place of what follows is enough. Whoever needs
//! the octets all the same reads them by it, and says so: then they are handed on again.

use std::num::NonZeroU64;

use super::proxy;
use super::registry::{self, Content, Guess, Known};
use crate::prefetch::prefetch;
use crate::tcp::segment::End;

/// Connections that are known at a time, each at the place that its hash gives it: where two have the same, the later
/// one takes it, and the other's octets are handed on.
const PLACES: usize = 1 << 16;

/// Facts of a connection in the lowest bits of its mark: how far it is, and, once that is sure, which end is the server,
/// whether only its port told, and the protocol. The other bits are its hash's.
const AWAITED: u64 = 1;
const SURE: u64 = 2;
const HANDED_ON: u64 = 3;
const STATES: u64 = 3;
const UPPER: u64 = 4;
const ASSUMED: u64 = 8;
const PROTOCOL_SHIFT: u32 = 4;
const KNOWN: u64 = 0xff;

/// Files that can be told apart.
pub const MOST_FILES: u64 = 64;

/// The place where a segment can be read again: the number of its file, the protocol that its connection was taken for,
/// and the place of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot(NonZeroU64);

impl Spot {
    const RECORD_BITS: u32 = 48;
    const FILE_SHIFT: u32 = Spot::RECORD_BITS + 8;

    #[inline(always)]
    fn new(file: u64, known: u64, record: u64) -> Option<Spot> {
        let record = NonZeroU64::new(record)?;
        Some(Spot(record | file << Spot::FILE_SHIFT | (known & KNOWN) << Spot::RECORD_BITS))
    }

    /// The place that a number stands for, if it is not zero.
    pub fn of(bits: u64) -> Option<Spot> {
        NonZeroU64::new(bits).map(Spot)
    }

    /// The number that stands for it.
    #[inline(always)]
    pub fn bits(self) -> u64 {
        self.0.get()
    }

    /// The number of its file.
    pub fn file(self) -> usize {
        (self.bits() >> Spot::FILE_SHIFT) as usize
    }

    /// The place of its record in the file.
    pub fn record(self) -> u64 {
        self.bits() & ((1 << Spot::RECORD_BITS) - 1)
    }

    /// The number of its file and the place of its record there: it comes after all places that have less.
    #[inline]
    pub fn order(self) -> (usize, u64) {
        (self.file(), self.record())
    }

    /// Tells whether what its connection is in is sure by its octets, the first.
    pub fn is_sure(self) -> bool {
        self.bits() >> Spot::RECORD_BITS & STATES == SURE
    }

    /// The protocol that its connection was taken for.
    pub fn guess(self) -> Guess {
        let known = self.bits() >> Spot::RECORD_BITS & KNOWN;
        let protocol = (known >> PROTOCOL_SHIFT) as usize;
        Guess {
            protocol: Known::ALL.get(protocol).copied().unwrap_or(Known::ALL[0]),
            server: if known & UPPER != 0 { End::Upper } else { End::Lower },
            assumed: known & ASSUMED != 0,
        }
    }
}

/// Segments that were left in files some rounds ago, and those that were asked for before the end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shares {
    /// Segments that were left, and have become old.
    pub left: u64,
    /// Segments, old or not, that were asked for, since their connections went on when they were old.
    pub asked: u64,
}

impl Shares {
    /// Tells whether it is less to read these again than to hand on all.
    fn are_worth_it(self) -> bool {
        self.asked <= self.left / 4
    }
}

impl core::ops::AddAssign for Shares {
    fn add_assign(&mut self, more: Shares) {
        self.left += more.left;
        self.asked += more.asked;
    }
}

/// Marks of connections, by their hashes.
#[derive(Default)]
pub struct Spared {
    /// None before a file can be read again.
    marks: Option<Box<[u64; PLACES]>>,
    /// The hash of the connection that began last, or zero, until its mark is written: whoever wrote it at once would
    /// wait for its place, which is in no cache.
    begun: u64,
    /// The number of the file that is read, if it can be read again; from the next round on, in which all packets
    /// are of that.
    file: Option<u64>,
    next: Option<u64>,
    shares: Shares,
}

impl Spared {
    /// Begins with a file of this number, or with one that cannot be read again.
    pub fn begin_file(&mut self, file: Option<u64>) {
        (self.file, self.next) = (None, file.filter(|file| *file < MOST_FILES));
        if self.next.is_some() && self.marks.is_none() {
            self.marks = vec![0; PLACES].into_boxed_slice().try_into().ok();
        }
    }

    /// Begins with a round.
    pub fn begin_round(&mut self) {
        self.file = self.next;
    }

    /// Learns how much of what was left was of use. Where connections go on for long, no more are left that begin.
    pub fn learn(&mut self, shares: Shares) {
        self.settle();
        self.shares += shares;
    }

    /// A connection of the 4-tuple with this hash begins.
    pub fn begin(&mut self, hash: u64) {
        if self.begun != hash {
            self.settle();
            self.begun = hash;
            self.mark(hash).into_iter().for_each(|mark| prefetch(mark));
        }
    }

    /// Writes the mark of the connection that began last.
    fn settle(&mut self) {
        let state = if self.shares.are_worth_it() { AWAITED } else { HANDED_ON };
        let hash = std::mem::take(&mut self.begun);
        if let Some(mark) = self.mark(hash).filter(|_| hash != 0) {
            *mark = hash & !KNOWN | state;
        }
    }

    /// Octets of the connection with this hash are needed.
    pub fn hand_on(&mut self, hash: u64) {
        self.settle();
        if let Some(mark) = self.mark(hash).filter(|mark| (**mark ^ hash) & !KNOWN == 0) {
            *mark = *mark & !KNOWN | HANDED_ON;
        }
    }

    /// Returns the place of a segment whose octets need not be handed on.
    #[inline(always)]
    pub fn left(&self, hash: u64, record: u64) -> Option<Spot> {
        let file = self.file?;
        let mark = self.marks.as_ref()?[place(hash)];
        let is_its = (mark ^ hash) & !KNOWN == 0 && self.begun != hash;
        if !is_its || mark & STATES != SURE {
            return None;
        }
        Spot::new(file, mark & !STATES, record)
    }

    /// Hears what begins with a segment. Returns the place where that can be read again.
    #[inline(always)]
    pub fn heard(&mut self, hash: u64, record: u64, content: &Content) -> Option<Spot> {
        let file = self.file?;
        self.settle();
        let mut known = known(content.guess);
        let mark = self.mark(hash)?;
        match (*mark ^ hash & !KNOWN) & (!KNOWN | STATES) {
            // Its octets are needed, and come: where they lie is of no use.
            HANDED_ON => return None,
            // Nothing of it has to be read again before its first words.
            AWAITED if content.payload.is_empty() => return None,
            AWAITED => known |= hear(mark, known, content),
            _ => {}
        }
        Spot::new(file, known, record)
    }

    #[inline(always)]
    fn mark(&mut self, hash: u64) -> Option<&mut u64> {
        self.marks.as_mut().map(|marks| &mut marks[place(hash)])
    }
}

/// The place of a hash, by bits that are no part of what is known.
#[inline(always)]
fn place(hash: u64) -> usize {
    (hash >> 8) as usize % PLACES
}

/// Hears the first octets of a connection, which is taken for what is known. Returns whether that is sure by these.
#[inline(never)]
fn hear(mark: &mut u64, known: u64, content: &Content) -> u64 {
    let words = proxy::words(content.payload);
    if words.is_empty() {
        return 0;
    }
    let is_sure = registry::is_sure(words, content.guess.protocol);
    *mark = *mark & !KNOWN | if is_sure { known | SURE } else { HANDED_ON };
    if is_sure { SURE } else { 0 }
}

/// Facts of a connection by what it is taken for.
#[inline(always)]
fn known(Guess { protocol, server, assumed }: Guess) -> u64 {
    let upper = if server == End::Upper { UPPER } else { 0 };
    let assumed = if assumed { ASSUMED } else { 0 };
    upper | assumed | (protocol as u64) << PROTOCOL_SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::registry::Content;

    const HASH: u64 = 0x1234_5678_9abc_de00;

    fn in_a_file() -> Spared {
        let mut spared = Spared::default();
        spared.begin_file(Some(0));
        spared.begin_round();
        spared
    }

    /// Tells whether octets of a connection that begins now are left in its file.
    fn is_left(spared: &mut Spared) -> bool {
        spared.begin(HASH);
        let guess = Guess { protocol: Known::Mysql, server: End::Upper, assumed: true };
        let words = b"\x17\0\0\0\x0a8.0.36\0xxxxxxxxxxxxx\x01\0";
        let has_place = spared.heard(HASH, 24, &Content::new(guess, words)).is_some();
        let is_left = spared.left(HASH, 1_024).is_some();
        assert_eq!(
            has_place, is_left,
            "what is handed on has no place, so that nobody reads it twice"
        );
        is_left
    }

    #[test]
    fn where_connections_go_on_for_long_all_is_handed_on() {
        let mut spared = in_a_file();
        assert!(is_left(&mut spared));
        spared.learn(Shares { left: 400, asked: 100 });
        assert!(is_left(&mut spared));
        spared.learn(Shares { left: 0, asked: 1 });
        assert!(!is_left(&mut spared), "too many were read again");
        spared.learn(Shares { left: 100, asked: 0 });
        assert!(is_left(&mut spared));
    }

    #[test]
    fn a_connection_that_begins_again_is_heard_again() {
        let mut spared = in_a_file();
        assert!(is_left(&mut spared));
        spared.begin(HASH);
        assert_eq!(spared.left(HASH, 1_024), None, "it has said nothing yet");
        // Its place is that of another one, which begins and says nothing.
        spared.begin(HASH | 1 << 40);
        assert_eq!(spared.left(HASH, 1_024), None);
        assert!(is_left(&mut spared));
        spared.hand_on(HASH);
        assert_eq!(spared.left(HASH, 2_048), None, "its octets are needed");
    }
}
