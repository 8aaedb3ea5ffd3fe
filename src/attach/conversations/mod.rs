//! The conversations of many connections, each in the slot that its connection names.

mod asked;

use std::sync::Arc;

pub use asked::Extent;
use asked::{Asked, Bits};

use super::Facts;
pub use super::conversation::Wanted;
use super::conversation::{Conversation, Sent};
pub use super::header::Header;
pub use super::left::{Again, Found, NO_PIECE, Piece, Places};
use super::registry::{Content, Guess, Known, Withheld};
use super::tried::Tried;
use super::unread::Rounds;
pub use super::unread::{Payloads, Said, Span, prefetch_ends};
use crate::set::Set;
use crate::tcp::flow::{Flow, Slot};
use crate::tcp::segment::{End, Segment};
use crate::tcp::seq::later;
use crate::tcp::side::Side;

/// Results of taking a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// More may be learnt.
    Usual,
    /// A conversation begins with it.
    Begun,
    /// Nothing can be learnt of those that follow.
    All,
}

/// The conversations read along of one shard's connections, each in its slot.
#[derive(Default)]
pub struct Conversations {
    slots: Vec<Option<Conversation>>,
    free: Vec<u32>,
    /// A bit for each slot: its conversation waits, and its segments are left in their file. Of most segments, nobody
    /// has to look at more.
    left: Bits,
    /// Conversations whose segments are read again, all together.
    asked: Asked,
    /// The last rounds, with the payloads of what waits.
    rounds: Rounds,
    /// Segments of this round that were read at once, less those that wait in memory.
    balance: isize,
    /// Evidence of this round for and against the protocols of ports.
    pub tried: Tried,
    /// Protocols that their usual ports are not used for.
    pub refuted: Set<Known>,
}

impl Conversations {
    /// Begins with a round, in which segments come with these payloads. Returns whether most are likely to be read
    /// at once.
    pub fn begin_round(
        &mut self,
        (payloads, places): (&Payloads, &Arc<Places>),
        again: Option<&Arc<dyn Again>>,
    ) -> bool {
        let most_are_read =
            core::mem::take(&mut self.balance) > self.rounds.left_in_this() as isize;
        self.rounds.begin(payloads, places, again);
        self.end_old_rounds();
        most_are_read
    }

    /// Reads what has waited for too long; what was left in a file is read after this round, or the next.
    fn end_old_rounds(&mut self) {
        if self.asked.begin_round() {
            return;
        }
        self.rounds.forget_left();
        while let Some((round, began)) = self.rounds.too_old_to_be_left() {
            for &slot in began {
                let conversation = at(&mut self.slots, Slot(slot));
                let is_left =
                    |it: &&mut Conversation| it.left_from.is_some_and(|(in_it, _)| in_it == round);
                if let Some(conversation) = conversation.filter(is_left) {
                    self.asked.note(slot, conversation.began);
                }
            }
        }
        let mut ended = 0;
        while let Some((round, began)) = self.rounds.too_old(ended) {
            let mut is_waited_for = ended > 0;
            for slot in began {
                let conversation = at(&mut self.slots, Slot(slot));
                let Some(conversation) = conversation.filter(|it| it.began == round) else {
                    continue;
                };
                match conversation.left_from.is_some() && !conversation.is_over {
                    true => {
                        self.asked.note(slot, round);
                        is_waited_for = true;
                    }
                    false => {
                        conversation.read_late(slot, &self.rounds);
                        self.left.set(slot, false);
                    }
                }
            }
            match is_waited_for {
                true => ended += 1,
                false => self.rounds.end_oldest(),
            }
        }
    }

    /// Ends a round: no more segments come with its payloads.
    pub fn end_round(&mut self) {
        self.rounds.close();
    }

    /// Takes a segment of a connection, which may wait where its payload lies.
    #[inline]
    pub fn keep(&mut self, flow: &mut Flow, header: &Header, said: &Said, wanted: Wanted) -> Heard {
        if matches!(flow.slot, Slot::NOTHING | Slot::ENCRYPTED) {
            return Heard::All;
        }
        if said.packet.is_some_and(|packet| self.leave(flow.slot, packet)) {
            return Heard::Usual;
        }
        let conversation = at(&mut self.slots, flow.slot);
        let waits_here = |it: &&mut Conversation| it.waits() && it.left_from.is_none();
        match (conversation.filter(waits_here), said.payload) {
            (Some(conversation), Some(payload)) => {
                conversation.is_over = false;
                self.rounds.wait(&mut conversation.unread, header, payload);
                self.balance -= 1;
                Heard::Usual
            }
            _ => self.keep_closely(flow, header, said, wanted),
        }
    }

    /// Leaves a segment of a connection in its file, by its packet's number in the round, if those before it are there,
    /// too, and wait. Returns whether it has.
    #[inline(always)]
    pub fn leave(&mut self, Slot(slot): Slot, packet: u32) -> bool {
        let is_left = self.is_left(Slot(slot));
        if is_left {
            self.rounds.leave(slot, packet);
        }
        is_left
    }

    /// Tells whether the conversation in a slot waits, and its segments are left in their file.
    #[inline(always)]
    pub fn is_left(&self, Slot(slot): Slot) -> bool {
        self.left.has(slot)
    }

    /// Takes the number of segments that were left in rounds that have become too old for that since.
    pub fn take_left_in_old(&mut self) -> u64 {
        self.rounds.take_left_in_old()
    }

    /// Tells whether that is so in any slot.
    pub fn have_left(&self) -> bool {
        self.left.have_any()
    }

    /// Takes a segment of a connection that was left in its file: by its packet's number in the round, it is read again if
    /// it cannot wait.
    #[inline(never)]
    pub fn keep_again(
        &mut self,
        flow: &mut Flow,
        header: &Header,
        (hash, packet): (u64, u32),
        wanted: Wanted,
    ) -> Heard {
        let guess = self.rounds.guess(packet);
        let said = Said { hash, guess, payload: None, packet: Some(packet), is_sure: false };
        self.keep(flow, header, &said, wanted)
    }

    #[inline(never)]
    fn keep_closely(
        &mut self,
        flow: &mut Flow,
        header: &Header,
        said: &Said,
        wanted: Wanted,
    ) -> Heard {
        let begins = matches!(flow.slot, Slot::NONE | Slot::WITHHELD);
        if begins {
            self.begin(flow, said.hash, said.guess, wanted);
            self.rounds.note(flow.slot.0);
        }
        let heard = if begins { Heard::Begun } else { Heard::Usual };
        let Some(conversation) = at(&mut self.slots, flow.slot) else { return heard };
        let Slot(slot) = flow.slot;
        let left = said.packet.filter(|_| said.payload.is_none());
        let again = left.map(|packet| self.rounds.again(packet, said.hash)).unwrap_or_default();
        match said.is_sure {
            true => conversation.is_heard(),
            false => conversation.hear(said.payload.map_or(&again, |it| self.rounds.payload(it))),
        }
        conversation.is_over = false;
        if conversation.keep(slot, header, said, &mut self.rounds) {
            self.left.set(slot, conversation.waits() && conversation.left_from.is_some());
            note(&mut self.tried, conversation);
            return heard;
        }
        self.balance += 1;
        self.left.set(slot, false);
        conversation.read_along(slot, &self.rounds);
        conversation.read(header, said.payload.map_or(&again, |it| self.rounds.payload(it)));
        let is_deaf = conversation.is_deaf();
        note(&mut self.tried, conversation);
        self.let_go_of_nothing(flow);
        if is_deaf && !begins { Heard::All } else { heard }
    }

    /// Takes a segment whose octets were withheld. True if they are of another connection than was meant: then they
    /// are lost.
    #[inline]
    pub fn miss(&mut self, flow: &mut Flow, header: &Header, why: Withheld) -> bool {
        match (flow.slot, why) {
            (Slot::NOTHING | Slot::ENCRYPTED, _) => false,
            (Slot::NONE | Slot::WITHHELD, Withheld::Untold | Withheld::Unread) => {
                flow.slot = Slot::WITHHELD;
                true
            }
            (Slot::NONE | Slot::WITHHELD, Withheld::Encrypted) => {
                flow.slot = Slot::ENCRYPTED;
                false
            }
            (slot, _) => self.lose(slot, header),
        }
    }

    #[inline(never)]
    fn lose(&mut self, slot: Slot, header: &Header) -> bool {
        let conversation = at(&mut self.slots, slot).filter(|conversation| !conversation.is_deaf());
        conversation.is_some_and(|conversation| {
            self.left.set(slot.0, false);
            conversation.read_along(slot.0, &self.rounds);
            conversation.read(header, &[]);
            true
        })
    }

    /// Notes that a connection is over, and that nobody will ask about it, unless more of it comes.
    pub fn end(&mut self, flow: &Flow) {
        if let Some(conversation) = at(&mut self.slots, flow.slot) {
            conversation.is_over = true;
            // Of the next segment, more is looked at.
            self.left.set(flow.slot.0, false);
        }
    }

    /// Takes a segment of a connection, and reads it at once.
    fn take(&mut self, flow: &mut Flow, header: &Header, content: Content, wanted: Wanted) {
        if flow.slot == Slot::NONE {
            self.begin(flow, 0, content.guess, wanted);
        }
        let Some(conversation) = at(&mut self.slots, flow.slot) else { return };
        conversation.read(header, content.payload);
        self.let_go_of_nothing(flow);
    }

    /// Lets go of a connection that is in no protocol.
    #[inline]
    fn let_go_of_nothing(&mut self, flow: &mut Flow) {
        let slot = self.slots.get(flow.slot.0 as usize).and_then(Option::as_ref);
        let Some(nothing) = slot.filter(|it| it.is_in_no_protocol()) else { return };
        let left = if nothing.is_encrypted() { Slot::ENCRYPTED } else { Slot::NOTHING };
        self.release(flow.slot);
        flow.slot = left;
    }

    fn begin(&mut self, flow: &mut Flow, hash: u64, guess: Guess, wanted: Wanted) {
        let (first, round) = (flow.first.order(), self.rounds.number());
        let begins = [End::Lower, End::Upper].map(|end| {
            let isn = flow.half(flow.side(end)).isn();
            isn.map(|isn| isn + 1)
        });
        let conversation = Conversation::new(first, hash, begins, guess, wanted, round);
        let free = self.free.pop();
        let at = free.unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        if let Some(slot) = self.slots.get_mut(at as usize) {
            *slot = Some(conversation);
        }
        flow.slot = Slot(at);
    }

    fn get(&self, flow: &Flow) -> Option<&Conversation> {
        let conversation = self.slots.get(flow.slot.0 as usize)?.as_ref()?;
        (conversation.first == flow.first.order()).then_some(conversation)
    }

    /// Returns what was said on a connection, unless it turned out to be in no protocol that is read.
    pub fn facts(&mut self, flow: &Flow, literals: bool) -> Option<Box<Facts>> {
        if let Some(conversation) = at(&mut self.slots, flow.slot) {
            self.left.set(flow.slot.0, false);
            conversation.read_along(flow.slot.0, &self.rounds);
        }
        self.facts_if_over(flow, literals)
    }

    /// Returns it as if the connection were over, whatever comes after: all of it, but for segments that may wait
    /// ([`Wanted::later`]).
    pub fn facts_if_over(&self, flow: &Flow, literals: bool) -> Option<Box<Facts>> {
        let conversation = self.get(flow)?;
        let sent = [End::Lower, End::Upper].map(|end| sent(flow, flow.side(end)));
        let facts = conversation.facts_if_over(sent, flow.last.time, literals)?;
        self.of_its_protocol(conversation, facts).map(Box::new)
    }

    /// Takes a segment of a connection, and returns what has been said with it: what never came is still waited for.
    pub fn follow(
        &mut self,
        flow: &mut Flow,
        segment: &Segment,
        content: Content,
        literals: bool,
    ) -> Option<Facts> {
        self.take(flow, &Header::of(segment), content, Wanted::default());
        let conversation = self.get(flow)?;
        self.of_its_protocol(conversation, conversation.facts(literals)?)
    }

    fn of_its_protocol(&self, conversation: &Conversation, facts: Facts) -> Option<Facts> {
        let is_refuted = conversation.assumed().is_some_and(|it| self.refuted.contains(&it));
        let is_theirs = facts.confirmed.unwrap_or(!is_refuted);
        is_theirs.then_some(facts)
    }

    /// Returns the reason why nothing is known of what was said on a connection, as far as it has been read.
    pub fn withheld(&self, flow: &Flow) -> Option<Withheld> {
        match flow.slot {
            Slot::WITHHELD => Some(Withheld::Untold),
            Slot::ENCRYPTED => Some(Withheld::Encrypted),
            _ => self.get(flow)?.is_encrypted().then_some(Withheld::Encrypted),
        }
    }

    /// Returns the end that is the server in what is spoken on a connection, as far as it has been read.
    pub fn server(&self, flow: &Flow) -> Option<End> {
        self.get(flow)?.server()
    }

    /// Returns whether a transaction is open on a connection.
    pub fn is_in_transaction(&mut self, flow: &Flow) -> bool {
        self.facts(flow, false).is_some_and(|facts| facts.in_transaction == Some(true))
    }

    /// Lets go of a connection that nobody will ask about.
    pub fn forget(&mut self, flow: &mut Flow) {
        self.release(flow.slot);
        flow.slot = Slot::NONE;
    }

    /// Empties the slot of a connection that has left.
    pub fn release(&mut self, Slot(at): Slot) {
        let slot = self.slots.get_mut(at as usize);
        if slot.is_some_and(|slot| slot.take().is_some()) {
            self.left.set(at, false);
            self.free.push(at);
        }
    }
}

/// Takes note of a conversation after a segment, if its port is why it is read.
fn note(tried: &mut Tried, conversation: &Conversation) {
    match conversation.assumed() {
        Some(protocol) if conversation.is_in_no_protocol() => tried.refute(protocol),
        Some(protocol) if conversation.is_spoken() => tried.speak(protocol),
        _ => {}
    }
}

/// The first and the last number that a side is known to have sent, by what the other acknowledged and by its own, which
/// go on behind what was not captured.
fn sent(flow: &Flow, side: Side) -> Sent {
    let (half, other) = (flow.half(side), flow.half(side.other()));
    // Its own lowest number can be a keep-alive's.
    let first = other.first_ack().or(half.lowest())?;
    let last = half.snd_max().map(|max| later(other.ack(), max)).or(other.ack())?;
    Some((first, last))
}

/// The conversation in a slot, while others beside the slots are in use.
#[inline]
fn at(slots: &mut [Option<Conversation>], Slot(at): Slot) -> Option<&mut Conversation> {
    slots.get_mut(at as usize)?.as_mut()
}

#[cfg(test)]
mod tests;
