//! FINs that their receiver drops (RFC 9293, 3.10.7.4): without ACK, with numbers that it has received already or
//! that are outside its window, or with an acknowledgment of what it has not sent.
//!
//! An observer sees at once what no loss can explain. A FIN far beyond what was seen may follow much that was
//! not captured: it counts, until what its receiver sends after it shows that there was nothing of the kind.

use super::Flow;
use super::early::FAR;
use crate::place::Time;
use crate::tcp::closing::{Fin, LATE_NS};
use crate::tcp::half::{Half, Marks};
use crate::tcp::notes::Noted;
use crate::tcp::segment::Segment;
use crate::tcp::seq::COMES_ROUND;
use crate::tcp::side::Side;
use crate::tcp::window::MOST;

/// Less may be sent in the time by which one direction is captured later than the other.
const FAR_AT_ONCE: i64 = 1 << 26;

impl Flow {
    /// Something of a close has been seen, or may have been.
    #[inline(always)]
    pub(in crate::tcp) fn may_be_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Counts a segment that cannot be this connection's. It has no effect.
    pub fn pass_by(&mut self, segment: &Segment) {
        self.count(segment);
        self.notes.note(Noted::FinWithoutEffect, segment.flags.fin());
    }

    /// Leaves what has passed by as another connection's to that one's count.
    pub fn count_from_here(&mut self) {
        self.halves.iter_mut().for_each(Half::count_anew);
    }

    /// A FIN counts unless its receiver must drop it.
    pub(super) fn take_fin(&mut self, side: Side, segment: &Segment, marks: Marks, before: Time) {
        let is_questionable = self.is_questionable(side, segment);
        if self.drops_fin(side, segment)
            || is_questionable && self.is_far(side, segment) && self.has_sure_fin(side)
        {
            self.notes.note(Noted::FinWithoutEffect, true);
            return;
        }
        let without = is_questionable.then(|| self.half(side).clone());
        self.take_numbers(side, segment, marks, before);
        let own = self.closing.as_mut().map(|closing| &mut closing.sides[side as usize]);
        if let (Some(without), Some(own)) = (without, own)
            && own.fin.is_some_and(|fin| fin.place.order() == segment.place.order())
        {
            own.keep_aside(without);
        }
    }

    /// Does the receiver of this FIN of `side` drop it, whatever was not captured?
    fn drops_fin(&self, side: Side, fin: &Segment) -> bool {
        let is_seen = self.half(side.other()).snd_max().is_some();
        is_seen
            && (!fin.flags.ack()
                || self.has_received_more(side, fin)
                || self.acks_before_syn(side.other(), fin))
    }

    /// Does it acknowledge what was before the SYN of its receiver, which has sent no payload since (3.10.7.3)?
    fn acks_before_syn(&self, receiver: Side, fin: &Segment) -> bool {
        let receiver = self.half(receiver);
        let ahead = receiver.isn().map(|isn| fin.ack.ahead_of(isn));
        !receiver.sent_payload() && ahead.is_some_and(|ahead| ahead <= 0)
    }

    /// Has its receiver acknowledged what `side` sent beyond the FIN?
    fn has_received_more(&self, side: Side, fin: &Segment) -> bool {
        let (sender, receiver) = (self.half(side), self.half(side.other()));
        let Some((acked, captured)) = receiver.ack().zip(sender.captured_max()) else {
            return false;
        };
        let more = acked.ahead_of(fin.end_of_payload() + 1);
        // Where only SYNs and FINs were captured, much may lie between them.
        let is_followed = sender.sent_payload()
            || self.half(Side::A).ack().is_some() && self.fin(Side::A).is_none();
        is_followed && captured.covers(acked) && (1..COMES_ROUND).contains(&more)
    }

    /// Could the receiver of a first FIN of `side` take it only if much was not captured?
    fn is_questionable(&self, side: Side, fin: &Segment) -> bool {
        let receiver = self.half(side.other());
        let end = fin.end_of_payload() + 1;
        let is_new = self.fin(side).is_none_or(|fin| fin.acked.is_none() && fin.end != end);
        let is_ahead = receiver.snd_max().is_some_and(|sent| fin.ack.is_after(sent));
        is_new && (is_ahead || self.is_far(side, fin))
    }

    /// Is the FIN below all that its receiver lacks, or far beyond?
    fn is_far(&self, side: Side, fin: &Segment) -> bool {
        let acked = self.half(side.other()).ack();
        let ahead = acked.map(|ack| i64::from((fin.end_of_payload() + 1).ahead_of(ack)));
        ahead.is_some_and(|ahead| !(0..=FAR).contains(&ahead))
    }

    /// Has `side` sent a FIN that fits what was seen?
    fn has_sure_fin(&self, side: Side) -> bool {
        let own = self.closing(side).filter(|own| own.fin.is_some());
        own.is_some_and(|own| own.questionable_fin().is_none())
    }

    /// Looks at what a segment of `side` says of FINs that may turn out to be none.
    #[inline(never)]
    pub(super) fn doubt_fins(&mut self, side: Side, segment: &Segment, marks: Marks) {
        let shows = self
            .closing(side.other())
            .and_then(|closing| closing.questionable_fin())
            .is_some_and(|fin| self.shows_dropped(side, segment, fin));
        if shows {
            self.drop_fin(side.other(), segment);
        }
        let Some(closing) = &mut self.closing else { return };
        if let Some(without) = closing.sides[side as usize].follow_aside(segment, marks) {
            self.halves[side as usize].restore(without);
            self.notes.note(Noted::FinWithoutEffect, true);
        }
        let is_less = closing.sides[side.other() as usize].has_fin_beyond(segment.ack);
        if is_less && segment.flags.ack() && !self.is_overtaken(side, segment) {
            self.doubt_ack_of_fin(side, segment);
        }
        let acked = self.half(side).ack();
        if segment.flags.ack() && acked.is_some_and(|acked| segment.ack.covers(acked)) {
            let Some(closing) = &mut self.closing else { return };
            closing.sides[side.other() as usize].deny_fin(segment.ack, segment.place.time);
        }
    }

    /// Takes back the ACK of a FIN where its sender stays with less, as this segment shows once more.
    fn doubt_ack_of_fin(&mut self, side: Side, segment: &Segment) {
        let Some(closing) = &mut self.closing else { return };
        let sender = &mut closing.sides[side.other() as usize];
        let Some(end) = sender.fin.map(|fin| fin.end) else { return };
        if sender.unmatch_by_less(segment) {
            self.notes.note(Noted::Damaged, true);
            if self.half(side).ack() == Some(end) {
                self.halves[side as usize].take_back_ack(segment.ack);
            }
        }
    }

    /// Does a segment of the receiver that came by after the FIN show that it dropped the FIN? It has acknowledged
    /// what was before, and so the FIN was within the window that it has now, or before it.
    fn shows_dropped(&self, receiver: Side, segment: &Segment, fin: &Fin) -> bool {
        let own = self.half(receiver);
        let is_highest = own.ack().is_none_or(|acked| segment.ack.covers(acked));
        if !segment.flags.ack() || !is_highest {
            return false;
        }
        let ahead = i64::from(fin.end.ahead_of(segment.ack));
        let at_once = segment.place.time.since(fin.place.time) < Some(LATE_NS);
        let captured = self.half(receiver.other()).captured_max();
        let beyond = ahead > self.reach(receiver, segment.window, at_once);
        let before = ahead < 0 && captured.is_some_and(|captured| captured.covers(segment.ack));
        beyond || before || self.has_not_sent(receiver, segment, fin, at_once)
    }

    /// The distance to which the other side may have sent beyond what this one acknowledged: its window, and room for
    /// what was lost; any window where its scale is not known. What came by at once may have been sent long before, where
    /// one direction was captured later than the other.
    fn reach(&self, side: Side, field: u16, at_once: bool) -> i64 {
        let window =
            self.scales.window(side, field).map_or(MOST.into(), |window| 2 * i64::from(window));
        window.max(if at_once { FAR_AT_ONCE } else { FAR })
    }

    /// Is the number of a bare ACK, which is the next to be sent, below what the FIN acknowledged? A keep-alive's is one
    /// too low.
    fn has_not_sent(&self, receiver: Side, segment: &Segment, fin: &Fin, at_once: bool) -> bool {
        let ahead = fin.ack_then.map_or(0, |ack| i64::from(ack.ahead_of(segment.seq)));
        segment.is_bare_ack()
            && self.half(receiver).snd_max() == Some(segment.seq)
            && ahead > if at_once { FAR_AT_ONCE } else { 1 }
    }

    /// The FIN of `side` had no effect, as `shown_by` shows; neither had its ACK.
    fn drop_fin(&mut self, side: Side, shown_by: &Segment) {
        let Some(closing) = &mut self.closing else { return };
        let own = &mut closing.sides[side as usize];
        let Some(place) = own.fin.map(|fin| fin.place) else { return };
        let Some(without) = own.drop_fin() else { return };
        let to = without.ack().unwrap_or(shown_by.seq);
        if own.early_ack().is_some_and(|early| early.place.order() == place.order())
            && let Some(early) = own.take_back_early_ack(to)
        {
            closing.sides[side.other() as usize].unmatch_ack(&early, to, shown_by.place);
        }
        self.halves[side as usize].restore(without);
        self.notes.note(Noted::FinWithoutEffect, true);
    }
}
