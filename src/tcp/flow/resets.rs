//! RSTs: which of them reach their receiver, and with which numbers.

use super::Flow;
use crate::tcp::closing::{COPIED_NS, Fin};
use crate::tcp::notes::Noted;
use crate::tcp::segment::Segment;
use crate::tcp::seq::Seq;
use crate::tcp::side::Side;
use crate::tcp::window::is_outside;

impl Flow {
    /// A RST counts unless it was damaged or its number is out of the window; RFC 5961 would accept
    /// only the exact next one, so others are noted.
    pub(super) fn take_rst(&mut self, side: Side, segment: &Segment) {
        let (sender, other) = (self.half(side), self.half(side.other()));
        let expected = self.rst_numbers(side);
        // A refusal answers the SYN by its ACK; its own number is zero (3.10.7.1).
        let refusal =
            segment.flags.ack() && sender.isn().is_none() && other.counts_syn(segment.ack);
        let odd = !refusal
            && expected.iter().any(Option::is_some)
            && !expected.contains(&Some(segment.seq));
        self.notes.note(Noted::RstOddSeq, odd);
        let damaged = segment.is_damaged();
        self.notes.note(Noted::Damaged, damaged);
        if damaged || odd && self.is_outside_window(side, segment.seq) {
            self.notes.note(Noted::RstWithoutEffect, true);
            let is_holder = self.fin(side.other()).is_some() && self.fin(side).is_none();
            let answers = !damaged && self.answers_what_came_late(side, segment);
            self.notes.note(Noted::HolderAnswersRst, is_holder && answers);
            return;
        }
        let closing = self.closing.get_or_insert_default();
        let before_close = closing.sides.iter().any(|side| side.fin.is_none());
        closing.sides[side as usize].take_rst(segment, before_close);
    }

    /// Is it the answer of a host that has no such socket to something that came late (3.10.7.1)? It has no ACK, and the
    /// number that was acknowledged then.
    fn answers_what_came_late(&self, side: Side, rst: &Segment) -> bool {
        !rst.flags.ack() && self.half(side).has_used(rst.seq)
    }

    /// Does a segment show that a RST of its own side, and one of the other, has ended nothing? Only such as had an odd number:
    /// whoever sent any other has no such socket, and may answer by a RST that is lost. RFC 5961 (3.2) has an odd one
    /// answered by a challenge ACK; what `acks_more` than before is none.
    pub(super) fn outlived_rsts(
        &self,
        side: Side,
        segment: &Segment,
        acks_more: bool,
    ) -> [bool; 2] {
        if !self.notes.has(Noted::RstOddSeq) {
            return [false; 2];
        }
        let own = self.rst(side).is_some_and(|rst| rst.is_outlived(segment));
        let fin = self.fin(side.other()).filter(|_| self.fin(side).is_none());
        let others = fin.zip(self.rst(side.other())).is_some_and(|(fin, rst)| {
            let was_acked = fin.acked.is_some_and(|acked| acked.order() < rst.place.order());
            rst.is_outlived(segment)
                || was_acked && !acks_more && self.may_challenge(side, segment, fin)
        });
        [own, others]
    }

    /// Has it nothing but the numbers to come, though all that the other side sent, up to its `fin`, was acknowledged
    /// before? It is none that was captured twice.
    fn may_challenge(&self, side: Side, segment: &Segment, fin: &Fin) -> bool {
        let acked = fin.acked.map(|acked| acked.time);
        segment.is_bare_ack()
            && segment.ack == fin.end
            && self.half(side).snd_max() == Some(segment.seq)
            && acked.is_some_and(|acked| segment.place.time.since(acked) >= Some(COPIED_NS))
    }

    /// The numbers that a RST of a side can have: its next, or what the other side has acknowledged.
    pub fn rst_numbers(&self, side: Side) -> [Option<Seq>; 3] {
        let [last, before] = self.possible_acks(side.other());
        [self.half(side).snd_max(), last, before]
    }

    /// Is a number that `side` sends outside the window that the other side last advertised (3.5.3)?
    fn is_outside_window(&self, side: Side, seq: Seq) -> bool {
        let receiver = side.other();
        let window = self.half(receiver).window();
        let window = window.and_then(|window| self.scales.window(receiver, window));
        let mut next = self.possible_acks(receiver).into_iter().flatten().peekable();
        let is_known = next.peek().is_some();
        window.is_some_and(|window| is_known && next.all(|next| is_outside(seq, next, window)))
    }
}
