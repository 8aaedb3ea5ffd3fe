//! Acknowledgements of something that was not captured: of packets that are missing, of a FIN to come,
//! or of nothing at all, for a bit of them was damaged on the way.
//!
//! The checksum of such a segment is not looked at: most are plain, and plain segments must cost
//! nothing. What other segments say is enough, but for the last one of a connection.

use super::Flow;
use crate::tcp::closing::{Acked, LATE_NS};
use crate::tcp::half::{Half, News};
use crate::tcp::notes::Noted;
use crate::tcp::segment::Segment;
use crate::tcp::seq::Seq;
use crate::tcp::side::Side;

/// A lower ACK is not merely captured in another order than it was sent if it is lower by so many octets,
/// or [`LATE_NS`] later.
pub(super) const FAR: i64 = 1 << 17;

impl Flow {
    /// The highest number of `side` that acknowledges something not captured.
    pub fn early_ack(&self, side: Side) -> Option<Acked> {
        self.closing(side)?.early_ack()
    }

    /// The other side has acknowledged one beyond all of `side` that was captured, and no FIN of it was. A bare ACK
    /// after that FIN, as to a keep-alive, has the number after it, and sends nothing.
    pub fn fin_was_missed(&self, side: Side) -> bool {
        let own = self.half(side);
        let sent_beyond = own.snd_max().zip(own.captured_max());
        let has_sent_more = sent_beyond.is_some_and(|(sent, captured)| sent.ahead_of(captured) > 1);
        // A number that was itself acknowledged before is no keep-alive's, either.
        let first_ack = self.half(side.other()).first_ack();
        let is_known =
            || own.captured_max().zip(first_ack).is_some_and(|(max, ack)| max.covers(ack));
        let may_be = self.is_acked_one_beyond(side) && (own.is_numbered() || is_known());
        self.fin(side).is_none() && may_be && !has_sent_more
    }

    /// The other side has acknowledged one beyond all of `side` that was captured, as after a FIN that was not.
    pub fn is_acked_one_beyond(&self, side: Side) -> bool {
        let acked = self.half(side.other()).ack().zip(self.half(side).captured_max());
        acked.is_some_and(|(ack, captured)| ack.ahead_of(captured) == 1)
    }

    /// Octets of a side were acknowledged and not captured.
    pub fn has_hole(&self) -> bool {
        self.notes.has(Noted::Hole) || self.ends_with_hole(|side| self.sure_ack(side))
    }

    /// Octets of a side were acknowledged and not captured, or one flipped bit looks like it.
    pub fn shows_hole(&self) -> bool {
        let acked = |side| self.early_ack(side).map(|early| early.number);
        self.has_hole() || self.notes.has(Noted::PerhapsHole) || self.ends_with_hole(acked)
    }

    fn ends_with_hole(&self, acked: impl Fn(Side) -> Option<Seq>) -> bool {
        [Side::A, Side::B].into_iter().any(|side| {
            let own = self.half(side);
            let captured = own.captured_max().filter(|_| own.is_numbered());
            let beyond = acked(side.other()).zip(captured);
            beyond.is_some_and(|(acked, captured)| acked.is_after(captured))
        })
    }

    /// Takes note of a hole: the other side has acknowledged octets beyond `known`, all that was
    /// captured of `side` before this segment, and they were not captured.
    #[inline(never)]
    pub(super) fn find_hole(&mut self, side: Side, segment: &Segment, known: Option<Seq>) {
        let Some(known) = known else { return };
        let apart = segment.len > 0 && segment.seq.is_after(known);
        let beyond = |acked: Option<Seq>| apart && acked.is_some_and(|acked| acked.is_after(known));
        let early = self.early_ack(side.other()).map(|early| early.number);
        let (sure, perhaps) = (beyond(self.sure_ack(side.other())), beyond(early));
        self.notes.note(Noted::Hole, sure);
        self.notes.note(Noted::PerhapsHole, perhaps);
    }

    /// The highest number of `side` that acknowledges something not captured, if it is no damage: a
    /// second segment says so, or more than one bit would have been flipped.
    fn sure_ack(&self, side: Side) -> Option<Seq> {
        let closing = self.closing(side)?;
        let early = closing.early_ack().filter(|early| !early.is_one_bit_off());
        early.map(|early| early.number).or(closing.confirmed_ack())
    }

    /// The highest SEG.ACK of `side` that can be believed. One bit of its last one may have been
    /// flipped, and nothing came after it that would tell: so far away, that is sure.
    pub fn believed_ack(&self, side: Side) -> Option<Seq> {
        let ack = self.half(side).ack();
        let confirmed = self.closing(side).and_then(|closing| closing.confirmed_ack());
        let last = self.standing_early_ack(side).filter(|early| confirmed != Some(early.number));
        let is_far = |early: &Acked| {
            let known = [early.known.captured, early.lower];
            known.iter().flatten().all(|known| i64::from(early.number.ahead_of(*known)) > FAR)
        };
        match last.filter(|early| early.is_one_bit_off() && is_far(early)) {
            Some(damaged) => damaged.lower.or(damaged.known.captured),
            None => ack,
        }
    }

    /// The highest SEG.ACK of `side`; and the one before, where a flipped bit may have made that.
    pub(super) fn possible_acks(&self, side: Side) -> [Option<Seq>; 2] {
        let last = self.standing_early_ack(side).filter(Acked::is_one_bit_off);
        [self.half(side).ack(), last.and_then(|early| early.lower)]
    }

    /// Forgets an ACK of something not captured where this segment shows that it was none of its
    /// sender's making: its receiver dropped it (or 3.10.7.4, fifth: "acks something not yet sent").
    #[inline(never)]
    pub(super) fn doubt_early_acks(&mut self, side: Side, segment: &Segment) {
        if let Some(early) = self.standing_early_ack(side)
            && self.acknowledges_less(side, segment, &early)
        {
            self.take_back(side, early.lower.unwrap_or(segment.ack), segment);
        }
        if let Some(early) = self.standing_early_ack(side.other())
            && (has_not_sent(self.half(side), segment, &early) || ends_below(segment, &early))
        {
            self.take_back(side.other(), early.lower.unwrap_or(segment.seq), segment);
        }
    }

    /// An early ACK that is its sender's highest.
    pub(super) fn standing_early_ack(&self, side: Side) -> Option<Acked> {
        self.early_ack(side).filter(|early| self.half(side).ack() == Some(early.number))
    }

    /// Stays with an early ACK where one came of what was captured: it is lower, though it may look higher where
    /// the numbers are more than half of all apart.
    #[inline(never)]
    pub(super) fn keep_early_ack(&mut self, side: Side, early: &Acked, news: &mut News) {
        let captured = self.half(side.other()).captured_max();
        if captured.is_none_or(|captured| early.number.is_after(captured)) {
            news.below_early_ack = true;
            news.highest_ack = false;
            self.halves[side as usize].take_back_ack(early.number);
        }
    }

    /// No side acknowledges less than it has before. Does this one, in a segment that is not overtaken?
    fn acknowledges_less(&self, side: Side, segment: &Segment, early: &Acked) -> bool {
        let own = self.half(side);
        let back = behind(early, segment.ack);
        if !segment.flags.ack() || self.is_overtaken(side, segment) || back <= 0 {
            return false;
        }
        let window = own.window().and_then(|field| self.scales.window(side, field));
        let far = window.is_some_and(|window| back > FAR.max(2 * i64::from(window)));
        far || segment.place.time.since(early.place.time) >= Some(LATE_NS)
    }

    /// Had its sender sent more before it? A keep-alive's number is one too low.
    pub(super) fn is_overtaken(&self, side: Side, segment: &Segment) -> bool {
        self.half(side).snd_max().is_some_and(|max| max.is_after(segment.seq + 1))
    }

    /// It acknowledged no more than `to`, as this segment shows.
    fn take_back(&mut self, side: Side, to: Seq, shown_by: &Segment) {
        self.notes.note(Noted::Damaged, true);
        self.halves[side as usize].take_back_ack(to);
        let Some(closing) = &mut self.closing else { return };
        if let Some(early) = closing.sides[side as usize].take_back_early_ack(to) {
            closing.sides[side.other() as usize].unmatch_ack(&early, to, shown_by.place);
        }
    }
}

/// Numbers from an ACK to an early one that is ahead of it. From one of what was captured they go by what was: that
/// may be more than half of all numbers.
fn behind(early: &Acked, ack: Seq) -> i64 {
    let way = |from: Seq, to: Seq| i64::from(to.ahead_of(from));
    match early.known.captured.filter(|captured| !ack.is_after(*captured)) {
        Some(captured) => way(ack, captured).abs() + way(captured, early.number),
        None => way(ack, early.number),
    }
}

/// Is it a FIN before the number that was acknowledged? Nothing comes after one.
fn ends_below(segment: &Segment, early: &Acked) -> bool {
    segment.flags.fin() && early.number.is_after(segment.end_of_payload() + 1)
}

/// Has its sender, which has received what came after that ACK, not sent as much as that acknowledges? A
/// bare ACK's number is the next to be sent (3.10.7.4), and nothing beyond that can be acknowledged.
fn has_not_sent(sender: &Half, segment: &Segment, early: &Acked) -> bool {
    let is_next = sender.snd_max() == Some(segment.seq);
    let came_after = early.known.sent.is_some_and(|max| segment.ack.is_after(max));
    segment.is_bare_ack() && is_next && came_after && early.number.is_after(segment.seq)
}
