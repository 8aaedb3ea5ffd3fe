//! Segments that nobody has read: their headers, and where their payloads lie.
//!
//! Payloads stay where they came: those of a round lie together, and all who wait share them. Of a file that can be read
//! again, nothing is kept but the places of segments.

use std::collections::VecDeque;
use std::sync::Arc;

use super::header::Header;
use super::left::{Again, Found, Leavings, MOST_LEFT, NO_PIECE, Places};
use super::registry::{Guess, Known};
use super::spared::Spot;
use crate::prefetch::prefetch;
use crate::tcp::segment::End;

/// Rounds for which a connection's segments wait, at most: their payloads take 32 MiB, which a large cache
/// still holds when they are read after all.
const MOST_ROUNDS: usize = 8;

/// Rounds in which segments stay left in their file, at most: the places of their packets take 4 MiB. What is older is
/// read by whole pieces of its file, once for each connection.
const MOST_ROUNDS_LEFT: usize = 2;

/// Segments of all connections of a shard that are kept for these, at most, but for those of the last round.
const MOST_WAITING: usize = 8 * 1_024;

/// Payloads that are fetched from memory before they are read: of more, the first would be gone from the nearest
/// cache by then.
const AHEAD: usize = 16;

/// The payloads of a round, one after the other.
pub type Payloads = Arc<Vec<u8>>;

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

/// A segment whose content is read, or may be later.
#[derive(Clone, Copy)]
pub struct Said {
    /// The hash of its 4-tuple.
    pub hash: u64,
    /// The protocol, and its server's end.
    pub guess: Guess,
    /// The place of its octets among those of its round, unless they were left in their file.
    pub payload: Option<Span>,
    /// The number of its packet in the round, by which it can be read again, if it can.
    pub packet: Option<u32>,
    /// It is sure by these octets, the first of its connection, what that is in.
    pub is_sure: bool,
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
#[derive(Default)]
pub struct Rounds {
    /// The capture, where it can be read again.
    again: Option<Arc<dyn Again>>,
    /// The number of the one that is taken in. They go around.
    number: u8,
    current: Round,
    /// The rounds before it, the oldest first.
    before: VecDeque<Round>,
    /// Segments of these that wait, and that were left in their file.
    waiting: usize,
    left: usize,
    /// Room for what is left in the next round.
    spare: Leavings,
    /// Segments that were left in rounds that have become too old for that.
    left_in_old: u64,
    /// The place of the next segment.
    next: u32,
}

#[derive(Debug, Default)]
struct Round {
    payloads: Payloads,
    places: Arc<Places>,
    /// Somebody waits to read some of them.
    is_used: bool,
    waiting: Vec<Waiting>,
    left: Leavings,
    /// The slots of connections whose first segment came in it, and of those whose first was left in it.
    began: Vec<u32>,
    began_left: Vec<u32>,
    /// Somebody was told that nothing may stay left in it.
    is_told: bool,
}

impl Rounds {
    /// Begins with a round.
    pub fn begin(
        &mut self,
        payloads: &Payloads,
        places: &Arc<Places>,
        again: Option<&Arc<dyn Again>>,
    ) {
        self.close();
        self.again = again.cloned();
        let next = Round {
            payloads: Arc::clone(payloads),
            places: Arc::clone(places),
            waiting: Vec::with_capacity(self.current.waiting.len()),
            left: Leavings::in_room_of(core::mem::take(&mut self.spare), self.current.left.len()),
            ..Round::default()
        };
        let last = core::mem::replace(&mut self.current, next);
        self.waiting += last.waiting.len();
        self.left += last.left.len();
        self.before.push_back(last);
        self.number = self.number.wrapping_add(1);
    }

    /// Ends taking in: lets go of payloads that nobody waits to read, so that the next can come into their place.
    pub fn close(&mut self) {
        self.current.left.close();
        if self.current.left.is_empty() {
            self.current.places = Arc::default();
        }
        if !self.current.is_used {
            self.current.payloads = Payloads::default();
        }
    }

    /// Returns the number of a round that is too old once so many of the oldest have ended, and the slots of connections
    /// that began in it: what waits there has to be read before it ends, too.
    pub fn too_old(&mut self, ended: usize) -> Option<(u8, Vec<u32>)> {
        let age = self.before.len().checked_sub(ended)?;
        let ending = self.before.iter().take(ended).map(|round| round.waiting.len());
        let is_over = age > MOST_ROUNDS || self.waiting > MOST_WAITING + ending.sum::<usize>();
        let oldest = self.before.get_mut(ended).filter(|_| is_over)?;
        Some((self.number.wrapping_sub(age as u8), core::mem::take(&mut oldest.began)))
    }

    /// Returns the number of a round that has become too old for segments to stay left, and the slots of connections of
    /// which the first was left in it: that has to be read before [`Rounds::forget_left`].
    pub fn too_old_to_be_left(&mut self) -> Option<(u8, &[u32])> {
        let len = self.before.len();
        let most = if self.left > MOST_LEFT { 0 } else { MOST_ROUNDS_LEFT };
        let mut old = self.before.iter_mut().take(len.saturating_sub(most)).enumerate();
        let (at, round) = old.find(|(_, round)| !round.is_told && !round.left.is_empty())?;
        round.is_told = true;
        self.left_in_old += round.left.len() as u64;
        Some((self.number.wrapping_sub((len - at) as u8), &round.began_left))
    }

    /// Lets go of what was left in rounds that are too old for that: it has been read, or nobody will ask.
    pub fn forget_left(&mut self) {
        let told = self.before.iter_mut().filter(|round| round.is_told && !round.left.is_empty());
        for round in told {
            self.left -= round.left.len();
            round.places = Arc::default();
            self.spare = core::mem::take(&mut round.left);
        }
    }

    /// Lets go of the oldest round.
    pub fn end_oldest(&mut self) {
        let Some(oldest) = self.before.pop_front() else { return };
        self.waiting -= oldest.waiting.len();
        self.left -= oldest.left.len();
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

    /// Notes a connection of which the next segment will be the first that is left. Returns the number of this round, and
    /// that of segments of others that were left in it before.
    pub fn begin_left(&mut self, slot: u32) -> (u8, u32) {
        self.current.began_left.push(slot);
        (self.number, self.current.left.len() as u32)
    }

    /// Leaves a segment of the connection in a slot where it lies: a packet of this round.
    #[inline]
    pub fn leave(&mut self, slot: u32, packet: u32) {
        self.current.left.leave(slot, packet);
    }

    /// Segments of this round that were left.
    pub fn left_in_this(&self) -> usize {
        self.current.left.len()
    }

    /// The protocol that the connection of a packet of this round was taken for.
    pub fn guess(&self, packet: u32) -> Guess {
        let unknown = Guess { protocol: Known::ALL[0], server: End::Lower, assumed: true };
        place_in(&self.current, packet).map_or(unknown, Spot::guess)
    }

    /// Takes the number of segments that were left in rounds that have become too old for that since.
    pub fn take_left_in_old(&mut self) -> u64 {
        core::mem::take(&mut self.left_in_old)
    }

    /// Returns the payload of a packet of this round, whose 4-tuple has this hash, by reading it again; nothing where it is
    /// not there any more.
    pub fn again(&self, packet: u32, hash: u64) -> Vec<u8> {
        let mut room = Vec::new();
        let place = place_in(&self.current, packet);
        let found = place.zip(self.again.as_ref());
        let found = found.and_then(|(place, again)| again.segment(place, &NO_PIECE, &mut room));
        found.filter(|it| it.hash == hash).map(|it| it.payload.to_vec()).unwrap_or_default()
    }

    /// Reads the segments again that were left of the connection in a slot, whose 4-tuple has this hash: the first of them in
    /// the round of this number, when so many had been left in it. A segment that is not there any more is as lost as one
    /// that was never captured.
    pub fn each_left(
        &self,
        (slot, hash): (u32, u64),
        (round, from): (u8, u32),
        mut to: impl FnMut(&Header, &[u8]),
    ) {
        let Some(again) = &self.again else { return };
        let age = usize::from(self.age(round));
        let rounds = self.before.iter().skip(self.before.len().saturating_sub(age));
        let mut room = Vec::new();
        for (at, round) in rounds.chain([&self.current]).enumerate() {
            let from = if at == 0 { from as usize } else { 0 };
            round.left.each(slot, from, |packet| {
                let place = place_in(round, packet);
                let found = place.and_then(|place| again.segment(place, &NO_PIECE, &mut room));
                if let Some(Found { header, payload, .. }) = found.filter(|it| it.hash == hash) {
                    to(&header, payload);
                }
            });
        }
    }

    /// Hands out the segments that were left and are meant, in their order, each with its slot: by this, by the number of
    /// rounds since, and by its index in its round.
    pub fn each_meant(
        &self,
        is_meant: impl Fn(u32, u8, u32) -> bool,
        mut to: impl FnMut(u32, Spot),
    ) {
        for (at, round) in self.before.iter().chain([&self.current]).enumerate() {
            let age = (self.before.len() - at) as u8;
            for (index, slot, packet) in round.left.all() {
                if is_meant(slot, age, index)
                    && let Some(spot) = place_in(round, packet)
                {
                    to(slot, spot);
                }
            }
        }
    }

    /// The number of rounds since the one of this number.
    pub fn age(&self, round: u8) -> u8 {
        self.number.wrapping_sub(round)
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

/// The place of a packet of a round.
fn place_in(round: &Round, packet: u32) -> Option<Spot> {
    Spot::of(*round.places.get(packet as usize)?)
}

/// Has the beginning and the end of a payload fetched, while something else is done: whoever passes over a body
/// looks at both.
pub fn prefetch_ends(payload: &[u8]) {
    const LINE: usize = 64;
    const FIRST: usize = 4 * LINE;
    payload.iter().take(FIRST).step_by(LINE).chain(payload.last()).for_each(prefetch);
}
