//! Segments that nobody has read: their headers, and where their payloads lie.
//!
//! Payloads stay where they came: those of a round lie together, and all who wait share them.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::place::Time;
use crate::prefetch::prefetch;
use crate::tcp::segment::{End, Flags, Segment};
use crate::tcp::seq::Seq;

/// Rounds for which a connection's segments wait, at most: their payloads take 32 MiB, which a large cache
/// still holds when they are read after all.
const MOST_ROUNDS: usize = 8;

/// Segments of all connections of a shard that are kept for these, at most, but for those of the last round.
const MOST_WAITING: usize = 8 * 1_024;

/// Payloads that are fetched from memory before they are read: of more, the first would be gone from the nearest
/// cache by then.
const AHEAD: usize = 16;

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
struct Waiting {
    header: Header,
    payload: Span,
    /// The number of places from the segment before it on its connection.
    back: u32,
}

/// The segments of one connection that wait: how many, and the place of the last. Places go around.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unread {
    pub count: u32,
    last: u32,
}

/// The last rounds, with all that waits: segments in the order in which they came, whatever their connection.
#[derive(Debug, Default)]
pub struct Rounds {
    /// The number of the one that is taken in. They go around.
    number: u8,
    current: Round,
    /// The rounds before it, the oldest first.
    before: VecDeque<Round>,
    /// Segments of these.
    waiting: usize,
    /// The place of the next segment.
    next: u32,
}

#[derive(Debug, Default)]
struct Round {
    payloads: Payloads,
    /// Somebody waits to read some of them.
    is_used: bool,
    waiting: Vec<Waiting>,
    /// The slots of connections whose first segment came in it.
    began: Vec<u32>,
}

impl Rounds {
    /// Begins with a round.
    pub fn begin(&mut self, payloads: &Payloads) {
        self.close();
        let next = Round {
            payloads: Arc::clone(payloads),
            waiting: Vec::with_capacity(self.current.waiting.len()),
            ..Round::default()
        };
        let last = core::mem::replace(&mut self.current, next);
        self.waiting += last.waiting.len();
        self.before.push_back(last);
        self.number = self.number.wrapping_add(1);
    }

    /// Ends taking in: lets go of payloads that nobody waits to read, so that the next can come into their place.
    pub fn close(&mut self) {
        if !self.current.is_used {
            self.current.payloads = Payloads::default();
        }
    }

    /// Returns the number of a round that is too old, and the slots of connections that began in it: what waits
    /// there has to be read before [`Rounds::end_oldest`].
    pub fn too_old(&mut self) -> Option<(u8, Vec<u32>)> {
        let age = self.before.len();
        let is_over = age > MOST_ROUNDS || self.waiting > MOST_WAITING;
        let oldest = self.before.front_mut().filter(|_| is_over)?;
        Some((self.number.wrapping_sub(age as u8), core::mem::take(&mut oldest.began)))
    }

    /// Lets go of the oldest round.
    pub fn end_oldest(&mut self) {
        self.waiting -= self.before.pop_front().map_or(0, |round| round.waiting.len());
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

    /// Has a segment wait, with those of its connection.
    #[inline]
    pub fn wait(&mut self, unread: &mut Unread, header: &Header, payload: Span) {
        let back = self.next.wrapping_sub(unread.last);
        self.current.is_used |= payload.len > 0;
        self.current.waiting.push(Waiting { header: *header, payload, back });
        *unread = Unread { count: unread.count + 1, last: self.next };
        self.next = self.next.wrapping_add(1);
    }

    /// Hands out the segments of a connection, in their order.
    pub fn each(&self, unread: Unread, mut to: impl FnMut(&Header, &[u8])) {
        let (mut at, mut found) = (unread.last, Vec::new());
        for _ in 0..unread.count {
            let Some((round, waiting)) = self.at(at) else { break };
            found.push((&waiting.header, waiting.payload.among(&round.payloads)));
            at = at.wrapping_sub(waiting.back);
        }
        let mut coming = found.iter().rev();
        coming.by_ref().take(AHEAD).for_each(|(_, payload)| prefetch_ends(payload));
        for (header, payload) in found.iter().rev() {
            coming.by_ref().take(1).for_each(|(_, payload)| prefetch_ends(payload));
            to(header, payload);
        }
    }

    /// The segment at a place, and its round.
    fn at(&self, place: u32) -> Option<(&Round, &Waiting)> {
        let mut behind = self.next.wrapping_sub(place) as usize;
        for round in [&self.current].into_iter().chain(self.before.iter().rev()) {
            if let Some(at) = round.waiting.len().checked_sub(behind) {
                return Some((round, round.waiting.get(at)?));
            }
            behind -= round.waiting.len();
        }
        None
    }
}

/// Has the beginning and the end of a payload fetched, while something else is done: whoever passes over a body
/// looks at both.
pub fn prefetch_ends(payload: &[u8]) {
    const LINE: usize = 64;
    const FIRST: usize = 4 * LINE;
    payload.iter().take(FIRST).step_by(LINE).chain(payload.last()).for_each(prefetch);
}
