//! Segments that nobody has read: their headers, and where their payloads lie.
//!
//! Payloads stay where they came: those of a round lie together, and all who wait share them.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::place::Time;
use crate::tcp::segment::{End, Flags, Segment};
use crate::tcp::seq::Seq;

/// Rounds for which a connection's segments wait, at most: their payloads take 48 MiB.
const MOST_ROUNDS: usize = 12;

/// The payloads of a round, one after the other.
pub type Payloads = Arc<Vec<u8>>;

/// The parts of a segment that reading its payload takes.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// The time of its capture.
    pub at: Time,
    /// SEG.SEQ.
    pub seq: Seq,
    /// SEG.ACK, which counts with the control bit of that name.
    pub ack: Seq,
    /// Octets of payload on the wire.
    pub len: u32,
    /// Control bits.
    pub flags: Flags,
    /// The end that sent it.
    pub from: End,
}

impl Header {
    /// The header of a segment.
    #[inline]
    pub fn of(segment: &Segment) -> Header {
        let Segment { place, seq, ack, len, flags, from, .. } = *segment;
        Header { at: place.time, seq, ack, len, flags, from }
    }
}

/// The place of a payload among those of its round.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The place of its first octet.
    pub start: u32,
    /// Octets, as captured.
    pub len: u32,
}

impl Span {
    /// Returns the payload.
    #[inline]
    pub fn among(self, all: &[u8]) -> &[u8] {
        let payload = all.get(self.start as usize..).unwrap_or_default();
        payload.get(..self.len as usize).unwrap_or_default()
    }
}

/// A segment that waits.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    header: Header,
    payload: Span,
    round: u8,
}

/// The last rounds.
#[derive(Debug, Default)]
pub struct Rounds {
    /// The number of the one that is taken in. They go around.
    number: u8,
    current: Round,
    /// The rounds before it, the oldest first.
    before: VecDeque<Round>,
}

#[derive(Debug, Default)]
struct Round {
    payloads: Payloads,
    /// Somebody waits to read some of them.
    is_used: bool,
    /// The slots of connections whose first segment came in it.
    began: Vec<u32>,
}

impl Rounds {
    /// Begins with a round. Returns the number of one that is too old now, and the slots of connections that began
    /// in it: what waits there has to be read before [`Rounds::end_oldest`].
    pub fn begin(&mut self, payloads: &Payloads) -> Option<(u8, Vec<u32>)> {
        let payloads = Arc::clone(payloads);
        let last = core::mem::replace(&mut self.current, Round { payloads, ..Round::default() });
        let payloads = if last.is_used { last.payloads } else { Payloads::default() };
        self.before.push_back(Round { payloads, ..last });
        self.number = self.number.wrapping_add(1);
        let is_over = self.before.len() > MOST_ROUNDS;
        let oldest = self.before.front_mut().filter(|_| is_over)?;
        let began = core::mem::take(&mut oldest.began);
        Some((self.number.wrapping_sub(self.before.len() as u8), began))
    }

    /// Lets go of the oldest round.
    pub fn end_oldest(&mut self) {
        self.before.pop_front();
    }

    /// Lets go of all rounds before the one that is taken in, and of that: nobody waits.
    pub fn end_all(&mut self) {
        self.before.clear();
        self.current.is_used = false;
        self.current.began.clear();
    }

    /// The number of the round that is taken in.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Returns a payload of the round that is taken in.
    #[inline]
    pub fn payload(&self, payload: Span) -> &[u8] {
        payload.among(&self.current.payloads)
    }

    /// Notes a connection that begins, by its slot.
    pub fn note(&mut self, slot: u32) {
        self.current.began.push(slot);
    }

    /// Makes a segment one that waits.
    #[inline]
    pub fn waiting(&mut self, header: &Header, payload: Span) -> Waiting {
        self.current.is_used |= payload.len > 0;
        Waiting { header: *header, payload, round: self.number }
    }

    /// Returns a segment that waits.
    pub fn segment<'a>(&'a self, waiting: &'a Waiting) -> (&'a Header, &'a [u8]) {
        let age = usize::from(self.number.wrapping_sub(waiting.round));
        let before = self.before.len().checked_sub(age).and_then(|at| self.before.get(at));
        let round = if age == 0 { Some(&self.current) } else { before };
        (&waiting.header, round.map_or(&[], |round| waiting.payload.among(&round.payloads)))
    }
}
