//! One connection: two halves, and what one more segment changes. `early` has what acknowledgements
//! say of packets that were not captured, `fins` and `resets` which FINs and RSTs have no effect, `handshake` how it
//! was opened, `states` the states of figure 5, `packed` a flow in few octets.

mod early;
mod fins;
mod fragments;
mod handshake;
mod packed;
mod resets;
mod states;

use super::closing::{Again, COPIED_NS, Closing, Fin, Known, PayloadAtAck, Rst};
use super::half::{Half, Marks, News};
use super::manner::{Began, Manner};
pub use super::notes::{Noted, Notes};
use super::recent::{LastUse, Recent};
use super::segment::{End, Segment, ToldBy};
use super::seq::Seq;
use super::side::Side;
use super::window::Scales;
use crate::place::{Place, Time};
use crate::prefetch::prefetch;
pub(crate) use states::TWO_MSL_NS;

/// The name of a flow within a run: the place of its first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(u64);

impl FlowId {
    /// The name of the flow whose first packet was captured there.
    pub fn of(first: Place) -> FlowId {
        FlowId(first.order())
    }
}

/// One incarnation of a 4-tuple.
#[derive(Clone, Debug)]
pub struct Flow {
    halves: [Half; 2],
    /// Its first packet, which names it.
    pub first: Place,
    /// Its last packet.
    pub last: Place,
    last_payload: Option<Place>,
    recent: Recent,
    /// There once something of a close has been seen, or may have been.
    closing: Option<Box<Closings>>,
    /// The last long one, if the other side than the one that ended it has not been heard of since.
    pause: Option<Box<Pause>>,
    manner: Manner,
    scales: Scales,
    /// Observations beside the facts, each once.
    pub notes: Notes,
    /// The place where the contents that are read along are kept.
    pub slot: Slot,
}

/// A place with whoever reads what a flow carries; the flow itself makes nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub u32);

impl Slot {
    /// The slot of a flow that has none.
    pub const NONE: Slot = Slot(u32::MAX);
    /// Nothing was learnt, and nothing can be.
    pub const NOTHING: Slot = Slot(u32::MAX - 1);
    /// Nobody handed on what was said: nothing is known of it.
    pub const WITHHELD: Slot = Slot(u32::MAX - 2);
    /// TLS is spoken, and nobody can tell what is said in it.
    pub const ENCRYPTED: Slot = Slot(u32::MAX - 3);
}

/// The closing facts of both sides.
#[derive(Clone, Debug, Default)]
struct Closings {
    sides: [Closing; 2],
    /// Set by the first FIN.
    last_use: LastUse,
}

/// A [`Silence`], without who ended it: [`Manner`] has room for that.
#[derive(Clone, Copy, Debug, Default)]
struct Pause {
    began: Time,
    ended: Place,
}

/// A long time without any packet, after which the other side has not been heard of.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    /// The time of the last packet before it.
    pub began: Time,
    /// The packet that ended it, and whose that was.
    pub ended: Place,
    /// The side that spoke first after it.
    pub by: Side,
}

/// Nanoseconds that make a pause a [`Silence`].
const SILENCE_NS: i64 = 60_000_000_000;

/// The end of a flow, whoever is local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Only SYNs without ACK, all from one end.
    Attempt,
    /// A RST before both FINs, sent by this side.
    Reset(Side),
    /// Both sides sent FIN.
    Closed,
    /// Only this side sent FIN.
    HalfClosed(Side),
    /// Neither FIN nor RST ended it.
    Open,
}

impl Flow {
    /// A flow that begins with `segment`, which is not yet taken in.
    pub fn new(segment: &Segment) -> Flow {
        let mut notes = Notes::default();
        notes.note(Noted::Midstream, !segment.flags.syn());
        Flow { manner: Manner::of(segment), notes, ..Flow::of_nothing(segment.place) }
    }

    /// A flow of which nothing is known but its first packet.
    fn of_nothing(first: Place) -> Flow {
        Flow {
            halves: [Half::new(), Half::new()],
            first,
            last: first,
            last_payload: None,
            recent: Recent::NEVER,
            closing: None,
            pause: None,
            manner: Manner::UNKNOWN,
            scales: Scales::UNKNOWN,
            notes: Notes::default(),
            slot: Slot::NONE,
        }
    }

    /// Its name; names are in the order of first packets, as they were read.
    pub fn id(&self) -> FlowId {
        FlowId::of(self.first)
    }

    /// Returns the side of an end of its 4-tuple.
    pub fn side(&self, end: End) -> Side {
        if end == self.manner.opener() { Side::A } else { Side::B }
    }

    /// Returns the end of its 4-tuple that a side is.
    pub fn end(&self, side: Side) -> End {
        match side {
            Side::A => self.manner.opener(),
            Side::B => self.manner.opener().other(),
        }
    }

    /// The side that was connected to; `None` if the capture missed the beginning.
    pub fn service(&self) -> Option<Side> {
        match self.manner.began() {
            Began::Syn => Some(Side::B),
            Began::SynAck => Some(Side::A),
            Began::Midstream => None,
        }
    }

    /// Returns the facts of one direction: what that side sent.
    pub fn half(&self, side: Side) -> &Half {
        &self.halves[side as usize]
    }

    fn closing(&self, side: Side) -> Option<&Closing> {
        self.closing.as_ref().map(|closing| &closing.sides[side as usize])
    }

    /// Returns the FIN that a side sent, if it counts.
    pub fn fin(&self, side: Side) -> Option<&Fin> {
        self.closing(side)?.fin.as_ref()
    }

    /// Returns the RST that a side sent, if it counts.
    pub fn rst(&self, side: Side) -> Option<&Rst> {
        self.closing(side)?.rst()
    }

    /// Returns when a side's FIN was sent again, if it was.
    pub fn fin_again(&self, side: Side) -> Option<Again> {
        self.closing(side)?.fin_again()
    }

    /// The last long silence, if the other side has not been heard of since.
    pub fn silence(&self) -> Option<Silence> {
        let Pause { began, ended } = **self.pause.as_ref()?;
        Some(Silence { began, ended, by: self.manner.broke_silence() })
    }

    /// Returns the time at which a side last sent new payload, if it sent any.
    pub fn last_said(&self, side: Side) -> Time {
        if self.half(side).sent_payload() { self.recent.last(side) } else { Time::UNKNOWN }
    }

    /// The last new payload was this side's.
    pub fn had_last_word(&self, side: Side) -> bool {
        let [own, others] = [side, side.other()].map(|side| self.recent.last(side));
        // A coarse clock cannot tell who was first: where both spoke, it stays open.
        own > others
            || own == others && own != Time::UNKNOWN
            || !self.half(side.other()).sent_payload()
    }

    /// A later connection of the 4-tuple was established.
    pub fn supersede(&mut self) {
        self.notes.note(Noted::Superseded, true);
    }

    /// Tells whether its 4-tuple was established again later: it had ended.
    pub fn is_superseded(&self) -> bool {
        self.notes.has(Noted::Superseded)
    }

    /// The new payload of `side` in segments whose ACK covers `number`, which is a FIN's.
    pub fn payload_after(&self, side: Side, number: Seq) -> Option<PayloadAtAck> {
        self.closing(side)?.payload_after(number)
    }

    /// Has every line of the cache fetched that the flow lies in.
    #[inline(always)]
    pub fn prefetch(&self) {
        let [a, b] = &self.halves;
        prefetch(&self.last);
        prefetch(&self.first);
        prefetch(&a.payload_bytes);
        prefetch(&b.payload_bytes);
        prefetch(&self.recent);
        prefetch(&self.slot);
    }

    /// Tells whether a segment changes nothing but how much was sent: nothing of a close has been seen,
    /// and nothing of it is either, nor a long silence that it might end. Nearly all are such.
    #[inline(always)]
    pub fn is_open_to(&self, segment: &Segment) -> bool {
        segment.flags.only_ack()
            && !self.is_unanswered()
            && self.closing.is_none()
            && self.pause.is_none()
            && !self.acks_elsewhere(segment)
    }

    /// Takes in a segment that the flow [is open to](Flow::is_open_to), as [`Flow::take`] would. Nobody is
    /// handed a reference to it: so it stays in the registers that it was unpacked to.
    #[inline(always)]
    pub fn take_open(&mut self, segment: &Segment) {
        let (side, before) = self.count(segment);
        let known = self.half(side).captured_max();
        let news = self.take_news(side, segment, Marks::NONE);
        self.note_repeated(segment, Marks::NONE, known, before, news.payload > 0);
    }

    /// Takes in one segment of this flow.
    pub fn take(&mut self, segment: &Segment) {
        if self.is_open_to(segment) {
            return self.take_open(segment);
        }
        let (side, before) = self.count(segment);
        if segment.flags.only_ack() {
            self.take_numbers(side, segment, Marks::NONE, before);
        } else if segment.flags.rst() {
            self.take_rst(side, segment);
        } else if !segment.is_plain() {
            self.take_marked(side, segment, before);
        }
        // What has none of the four is dropped by whoever receives it (3.10.7): it says nothing of what was sent.
    }

    /// Counts a segment. Returns whose it is, and the time of the packet before it.
    #[inline(always)]
    fn count(&mut self, segment: &Segment) -> (Side, Time) {
        let side = self.side(segment.from);
        let before = std::mem::replace(&mut self.last, segment.place).time;
        self.notes.note(Noted::TimeWentBack, segment.place.time < before);
        if segment.place.time.since(before) >= Some(SILENCE_NS) {
            self.break_silence(side, segment.place, before);
        }
        if let Some(direction) = segment.direction {
            self.manner.tell(direction.told_by);
        }
        if self.manner.has_only_syns() && self.follows_syn(segment) {
            self.manner.note_more_than_syns();
        }
        if self.manner.is_unanswered() && !segment.is_damaged() && self.answers(segment) {
            self.manner.note_answer();
        }
        self.halves[side as usize].count(segment);
        (side, before)
    }

    #[cold]
    fn break_silence(&mut self, by: Side, ended: Place, began: Time) {
        self.pause = Some(Box::new(Pause { began, ended }));
        self.manner.note_broke_silence(by);
    }

    /// A SYN or a FIN.
    #[inline(never)]
    fn take_marked(&mut self, side: Side, segment: &Segment, before: Time) {
        let marks = Marks { syn: segment.flags.syn(), fin: segment.flags.fin() };
        if segment.is_damaged() {
            self.notes.note(Noted::FinWithoutEffect, marks.fin);
            self.notes.note(Noted::Damaged, true);
            return;
        }
        if marks.syn && self.is_answered_otherwise(side, segment) {
            return;
        }
        if marks.syn && self.half(side).lowest().is_some() && self.is_begun_by(segment) {
            self.halves[side as usize].begin_late(segment);
            self.scales.note(side, segment.extras.scale(), true);
            self.notes.forget(Noted::Midstream);
            return;
        }
        self.halves[side as usize].note_routed(segment.extras.is_routed());
        if marks.syn {
            let first = self.half(side).isn() != Some(segment.seq);
            // Nobody goes back to its SYN: another clock's copy of it was put into the capture.
            let copied = !first && self.half(side).sent_payload();
            self.notes.note(Noted::Duplicates, copied);
            self.scales.note(side, segment.extras.scale(), first);
            self.notes.note(Noted::Multipath, segment.extras.is_multipath());
        }
        if marks.fin {
            return self.take_fin(side, &self.whole(side, segment), marks, before);
        }
        self.take_numbers(side, segment, marks, before);
    }

    /// `before` is the time of the flow's packet before this one.
    #[inline(always)]
    fn take_numbers(&mut self, side: Side, segment: &Segment, marks: Marks, before: Time) {
        // Whoever answers has forgotten nothing.
        self.pause.take_if(|_| self.manner.broke_silence() != side);
        if self.closing.is_some() {
            self.learn_end(side, segment);
            self.doubt_early_acks(side, segment);
            self.doubt_fins(side, segment, marks);
        }
        let peer = self.half(side.other());
        let (peer_snd_max, captured) = (peer.snd_max(), peer.captured_max());
        let beyond = self.acks_beyond(side, segment);
        let (own_captured, acked) = (self.half(side).captured_max(), self.half(side).ack());
        let early = self.standing_early_ack(side).filter(|_| !beyond);
        let mut news = self.take_news(side, segment, marks);
        if let Some(early) = early.filter(|_| !news.discards) {
            self.keep_early_ack(side, &early, &mut news);
        }
        let mut first_fin = false;
        if self.closing.is_some() || beyond || marks.fin {
            self.find_hole(side, segment, own_captured);
            let known = Known { acked, sent: self.half(side).snd_max(), captured };
            first_fin =
                self.take_closing(side, segment, news, beyond.then_some(known), peer_snd_max);
        }
        let is_new = news.payload > 0 || news.syn_ack || first_fin;
        self.note_repeated(segment, marks, own_captured, before, is_new);
    }

    /// Does it acknowledge something that was not captured? Only such an ACK can cover a FIN that is
    /// still to come.
    #[inline(always)]
    fn acks_beyond(&self, side: Side, segment: &Segment) -> bool {
        let captured = self.half(side.other()).captured_max();
        segment.flags.ack() && captured.is_none_or(|max| segment.ack.is_after(max))
    }

    /// Does it acknowledge something that was not captured, or was so long ago that it may be another connection's?
    #[inline(always)]
    pub(super) fn acks_elsewhere(&self, segment: &Segment) -> bool {
        const LONG_AGO: u32 = 1 << 24;
        let captured = self.half(self.side(segment.from).other()).captured_max();
        segment.flags.ack()
            && captured.is_none_or(|max| max.0.wrapping_sub(segment.ack.0) > LONG_AGO)
    }

    /// Takes in the numbers of a segment, and when there was something new.
    #[inline(always)]
    fn take_news(&mut self, side: Side, segment: &Segment, marks: Marks) -> News {
        let first_syn = marks.syn && self.half(side).isn() != Some(segment.seq);
        let news = self.halves[side as usize].take(segment, marks);
        if news.payload > 0 {
            self.last_payload = Some(segment.place);
            self.recent.record(side, segment.place.time);
        }
        if first_syn || news.first_ack && side == Side::A && !marks.fin && self.has_both_syns() {
            self.recent.record_handshake(segment.place.time);
        }
        news
    }

    /// Takes note of a segment without anything new: sent again, or captured twice. `known` is the end of
    /// what was captured before it.
    #[inline(always)]
    fn note_repeated(
        &mut self,
        segment: &Segment,
        marks: Marks,
        known: Option<Seq>,
        before: Time,
        is_new: bool,
    ) {
        if is_new || segment.len == 0 && !marks.syn && !marks.fin {
            return;
        }
        let quick = segment.place.time.since(before) < Some(COPIED_NS);
        // It ends where the highest captured one ended: that one is its twin.
        let end = segment.end_of_payload() + u32::from(marks.fin);
        self.notes.note(Noted::Duplicates, quick && known == Some(end));
        self.notes.note(Noted::FinRetransmitted, marks.fin && !quick);
    }

    /// The part of a segment that bears on the close. True for a side's first FIN.
    #[inline(never)]
    fn take_closing(
        &mut self,
        side: Side,
        segment: &Segment,
        news: News,
        beyond: Option<Known>,
        peer_snd_max: Option<Seq>,
    ) -> bool {
        let acks = self.halves.each_ref().map(Half::ack);
        let outlived = self.outlived_rsts(side, segment, news.highest_ack);
        let closing = self.closing.get_or_insert_default();
        let [a, b] = &mut closing.sides;
        let (own, peer) = if side == Side::A { (a, b) } else { (b, a) };
        if news.discards {
            *own = Closing::default();
        }
        if segment.flags.ack() {
            let after_fin = peer.fin.as_ref().is_some_and(|fin| segment.ack.covers(fin.end));
            if peer.revoke_acked_fin(segment.ack) {
                self.notes.note(Noted::FinWithoutEffect, true);
                if let Some(fin) = peer.fin.as_ref().filter(|_| own.fin.is_none()) {
                    closing.last_use = self.recent.before_fin(side.other(), fin.place.time);
                }
            }
            // Also below a higher one, which was damaged: of whatever is beyond a FIN, nothing can be acknowledged.
            if peer.match_ack(segment.ack, segment.place) {
                self.notes.forget(Noted::FinWithoutEffect);
                self.notes.note(Noted::Damaged, true);
            }
            match beyond {
                Some(known) if news.highest_ack => own.note_early_ack(segment, known),
                _ => own.confirm_early_ack(segment, beyond.is_some(), news.below_early_ack),
            }
            if news.payload > 0 && (beyond.is_some() || after_fin) {
                own.note_payload(segment, news.payload);
            }
        }
        let goes_on = news.payload > 0 && own.revoke_fin(segment, acks[side.other() as usize]);
        self.notes.note(Noted::FinWithoutEffect, goes_on);
        let first_fin =
            segment.flags.fin() && own.take_fin(segment, acks[side as usize], peer_snd_max);
        if segment.flags.fin() {
            own.match_early_ack(acks[side.other() as usize], peer);
        }
        let alive = news.payload > 0 || news.syn_ack || first_fin;
        let survived = peer.revoke_rst(|rst| outlived[1] || rst.is_survived(segment));
        let goes_on = |rst: &Rst| outlived[0] || alive && !rst.overtook(segment);
        let revoked = own.revoke_rst(goes_on) || survived;
        // It did not reach the other side, but whoever answers by a RST has no such socket.
        let is_holder_s = own.fin.is_some() && peer.fin.is_none();
        self.notes.note(Noted::HolderAnswersRst, survived && is_holder_s);
        if alive {
            own.note_overtaken(segment);
        }
        let first_of_both = first_fin && peer.fin.is_none();
        // A RST before the first SYN/ACK ended an older connection, not this one: unless it comes just after the SYN, or
        // much was said before. A FIN from before the SYN was an older one's, too.
        let is_late = self.halves.iter().any(Half::sent_payload);
        let forgotten = news.syn_ack
            && !is_late
            && [own.revoke_rst(|_| true), peer.revoke_rst(|rst| rst.seq != segment.ack)]
                != [false; 2];
        self.notes.note(Noted::RstWithoutEffect, revoked || forgotten);
        let was_older_s = news.syn_ack && peer.forget_fin_before(segment.ack);
        self.notes.note(Noted::FinWithoutEffect, was_older_s);
        if first_of_both {
            closing.last_use = self.recent.before_fin(side, segment.place.time);
        }
        self.settle();
        first_fin
    }

    /// Forgets an early acknowledgement once what it acknowledged has been captured, and was no
    /// close.
    fn settle(&mut self) {
        let Some(closing) = &self.closing else { return };
        let is_over = |side: Side| {
            let own = &closing.sides[side as usize];
            let captured = self.half(side.other()).captured_max();
            let covered = own
                .early_ack()
                .is_none_or(|early| captured.is_some_and(|max| max.covers(early.number)));
            !own.may_have_fin() && own.rst().is_none() && covered
        };
        if is_over(Side::A) && is_over(Side::B) {
            self.closing = None;
        }
    }

    /// Tells how far its end has come, by the packets so far.
    pub fn ending(&self) -> Ending {
        if self.manner.has_only_syns() {
            return Ending::Attempt;
        }
        if self.closing.is_none() {
            return Ending::Open;
        }
        if let Some((side, _)) = self.reset() {
            return Ending::Reset(side);
        }
        match (self.fin(Side::A), self.fin(Side::B)) {
            (Some(_), Some(_)) => Ending::Closed,
            (Some(_), None) => Ending::HalfClosed(Side::A),
            (None, Some(_)) => Ending::HalfClosed(Side::B),
            (None, None) => Ending::Open,
        }
    }

    /// The first RST before both FINs, and who sent it.
    pub fn reset(&self) -> Option<(Side, Place)> {
        [Side::A, Side::B]
            .into_iter()
            .filter_map(|side| Some((side, self.rst(side)?)))
            .filter(|(_, rst)| rst.before_close)
            .map(|(side, rst)| (side, rst.place))
            .min_by_key(|(_, place)| place.order())
    }

    /// One side has closed, and the other has not, as far as its segments tell: its FIN came, or was missed. No host has two
    /// sockets of a 4-tuple, so what a later connection has taken the place of is neither.
    pub fn may_be_half_closed(&self) -> bool {
        let is_one = || self.fin_was_missed(Side::A) != self.fin_was_missed(Side::B);
        !self.is_superseded()
            && match self.ending() {
                Ending::HalfClosed(_) => true,
                Ending::Open => is_one(),
                Ending::Attempt | Ending::Reset(_) | Ending::Closed => false,
            }
    }

    /// The first FIN, and who sent it.
    pub fn first_fin(&self) -> Option<(Side, &Fin)> {
        [Side::A, Side::B]
            .into_iter()
            .filter_map(|side| Some((side, self.fin(side)?)))
            .min_by_key(|(_, fin)| fin.place.order())
    }

    /// A FIN or RST has come, whether it counts or not, or was acknowledged.
    pub fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Closed or reset: nothing but late packets can come.
    pub fn is_finished(&self) -> bool {
        self.closing.is_some() && matches!(self.ending(), Ending::Closed | Ending::Reset(_))
    }

    /// Tells whether somebody can still close it: it was opened, and nothing shows that it has ended.
    pub fn may_go_on(&self) -> bool {
        matches!(self.ending(), Ending::Open | Ending::HalfClosed(_)) && !self.is_superseded()
    }

    /// Returns the part of the capture that told the direction of its packets.
    pub fn told_by(&self) -> Option<ToldBy> {
        self.manner.told_by()
    }

    /// The last use before the first FIN.
    pub fn last_use(&self) -> LastUse {
        self.closing.as_ref().map_or(LastUse::default(), |closing| closing.last_use)
    }

    /// The last new payload of either side.
    pub fn last_payload(&self) -> Option<Place> {
        self.last_payload
    }
}

#[cfg(test)]
mod tests {
    /// A table holds millions of open flows: what only a close needs is not in them.
    #[test]
    fn an_open_flow_is_small() {
        assert!(size_of::<super::Flow>() <= 184, "{}", size_of::<super::Flow>());
    }
}
