//! The part of one direction that only a close needs: its FIN, its RST, and what it acknowledged
//! and sent after the other side's FIN.
//!
//! An ACK can stand in the capture before the FIN that it covers. So it is remembered here from the
//! moment it acknowledges something that was not captured: that can be a FIN.

use super::beyond::Beyond;
pub use super::fin::{Acked, Fin, Known};
use super::half::{Half, Marks};
use super::packed::{Base, Code};
use super::segment::Segment;
use super::seq::{Seq, later};
use crate::place::{Place, Time};

/// The closing facts of one side.
#[derive(Clone, Debug, Default)]
pub struct Closing {
    /// The FIN that it sent, if it counts.
    pub fin: Option<Fin>,
    odd: Option<Box<Odd>>,
}

/// Facts that most closes do not have.
#[derive(Clone, Debug, Default)]
struct Odd {
    rst: Option<Rst>,
    /// Its FIN's last repetition.
    fin_again: Option<Again>,
    /// Its highest SEG.ACK that acknowledges something not captured: perhaps a FIN.
    early_ack: Option<Acked>,
    /// The highest such number that a second segment confirmed: damage would not come twice.
    confirmed_ack: Option<Seq>,
    /// The new payload that it sent with its highest SEG.ACK that covers a FIN, or may.
    payload_at_ack: Option<PayloadAtAck>,
    /// The numbers of this side without its FIN, while that may turn out to be none.
    aside: Option<Half>,
    /// A FIN that payload far beyond it seemed to deny: the number of that may have been damaged.
    denied_fin: Option<Fin>,
    /// A number that the other side acknowledged after it had acknowledged this side's FIN, and that is less.
    less_acked: Option<Less>,
    /// Payload or a FIN beyond its FIN, though that was acknowledged.
    beyond: Option<Beyond>,
}

impl Odd {
    fn coded(&self, code: &mut impl Code, base: Base) -> Odd {
        Odd {
            rst: code.option(self.rst, |code, rst| rst.coded(code, base)),
            fin_again: code.option(self.fin_again, |code, again| Again {
                last: code.time(again.last, base.last.time),
                pause: code.signed(again.pause),
            }),
            early_ack: code.option(self.early_ack, |code, early| early.coded(code, base)),
            confirmed_ack: code.some_seq(self.confirmed_ack, base.others_sent),
            payload_at_ack: code.option(self.payload_at_ack, |code, at| PayloadAtAck {
                ack: code.seq(at.ack, base.others_sent),
                bytes: code.number(at.bytes),
                last: code.place(at.last, base.last),
            }),
            aside: code.option(self.aside.clone(), |code, half| half.coded(code, &Half::new())),
            denied_fin: code.option(self.denied_fin, |code, fin| fin.coded(code, base)),
            less_acked: code.option(self.less_acked, |code, less| less.coded(code, base)),
            beyond: code.option(self.beyond, |code, beyond| beyond.coded(code, base)),
        }
    }
}

/// New payload carried by segments with one acknowledgment number.
#[derive(Clone, Copy, Debug, Default)]
pub struct PayloadAtAck {
    /// The ACK of that moment.
    pub ack: Seq,
    /// Payload octets sent until then.
    pub bytes: u64,
    /// The last payload until then.
    pub last: Place,
}

/// An acknowledgment number that is less than one before it.
#[derive(Clone, Copy, Debug, Default)]
struct Less {
    ack: Seq,
    time: Time,
}

impl Less {
    fn coded(self, code: &mut impl Code, base: Base) -> Less {
        Less { ack: code.seq(self.ack, base.sent), time: code.time(self.time, base.last.time) }
    }
}

/// A FIN that was sent again, [`REPEAT_NS`] or more after the time before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Again {
    /// The time of the last repetition.
    pub last: Time,
    /// Nanoseconds since the time before that.
    pub pause: i64,
}

/// A reset that counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rst {
    /// The packet that carried it.
    pub place: Place,
    /// The time of the last of this side's resets.
    last: Time,
    /// The highest SEG.SEQ of this side's resets.
    pub seq: Seq,
    /// It has no ACK: it answers a segment, and its number is what that acknowledged (3.10.7.1). More may have
    /// been on its way.
    pub answers: bool,
    /// The end of what was new beyond such a reset, and came soon after it.
    pub overtaken: Option<Seq>,
    /// It came before both FINs had been seen.
    pub before_close: bool,
}

impl Rst {
    fn coded(self, code: &mut impl Code, base: Base) -> Rst {
        Rst {
            place: code.place(self.place, base.last),
            last: code.time(self.last, base.last.time),
            seq: code.seq(self.seq, base.sent),
            answers: code.flag(self.answers),
            overtaken: code.some_seq(self.overtaken, base.sent),
            before_close: code.flag(self.before_close),
        }
    }

    /// Was the segment sent before the reset, and overtaken by it? Payload after a reset takes the
    /// reset's effect, payload before it does not.
    pub fn overtook(&self, segment: &Segment) -> bool {
        let soon = segment.place.time.since(self.place.time) < Some(OVERTAKES_NS);
        (self.answers || self.seq.covers(end_of(segment))) && soon && !segment.flags.syn()
    }

    /// Does the other side acknowledge what was overtaken? Then the reset has not reached it.
    pub fn is_survived(&self, segment: &Segment) -> bool {
        segment.flags.ack() && self.overtaken.is_some_and(|end| segment.ack.covers(end))
    }

    /// Does the other side go on so long after it that nothing was on its way any more? Whoever takes a reset has no such
    /// socket afterwards, and sends nothing but resets (3.5.2).
    pub fn is_outlived(&self, segment: &Segment) -> bool {
        segment.flags.ack() && segment.place.time.since(self.last) >= Some(OUTLIVES_NS)
    }
}

/// The number after a segment of data, FIN included.
fn end_of(segment: &Segment) -> Seq {
    segment.end_of_payload() + u32::from(segment.flags.fin())
}

/// A packet this soon after its twin was captured twice (a bridge, a mirror port), not sent twice.
pub const COPIED_NS: i64 = 1_000_000;

/// Nanoseconds by which two segments that were captured in another order than they were sent are not apart.
pub const LATE_NS: i64 = 1_000_000_000;

/// Nothing that was sent before a reset came comes so long after it.
const OUTLIVES_NS: i64 = 2_000_000_000;

/// Packets of one side overtake each other by less than this.
const OVERTAKES_NS: i64 = 1_000_000_000;

/// Numbers this far beyond a FIN are some other connection's, whose SYN was not captured.
const GOES_ON_WITHIN: i32 = 1 << 20;

/// A FIN has been received, or is lost, after this long.
const RECEIVED_NS: i64 = 1_000_000_000;

/// A FIN seen again after this long was retransmitted, not captured twice.
pub const REPEAT_NS: i64 = 100_000_000;

/// Is it of the same connection, and beyond the FIN?
fn goes_on(fin: &Fin, end: Seq) -> bool {
    (1..=GOES_ON_WITHIN).contains(&end.ahead_of(fin.end))
}

impl Closing {
    /// Writes it, or reads what it was.
    pub(super) fn coded(self, code: &mut impl Code, base: Base) -> Closing {
        Closing {
            fin: code.option(self.fin, |code, fin| fin.coded(code, base)),
            odd: code.option(self.odd, |code, mut odd| {
                *odd = odd.coded(code, base);
                odd
            }),
        }
    }

    fn odd(&mut self) -> &mut Odd {
        self.odd.get_or_insert_default()
    }

    /// Returns the RST that counts: none that is outside the window, or that its sender contradicted.
    pub fn rst(&self) -> Option<&Rst> {
        self.odd.as_ref()?.rst.as_ref()
    }

    /// Takes a RST; `before_close` says that the other side had not closed.
    pub fn take_rst(&mut self, segment: &Segment, before_close: bool) {
        let (place, seq, answers) = (segment.place, segment.seq, !segment.flags.ack());
        let new = Rst { place, last: place.time, seq, answers, overtaken: None, before_close };
        let rst = self.odd().rst.get_or_insert(new);
        rst.last = place.time;
        if !rst.seq.is_after(seq) {
            (rst.seq, rst.answers) = (seq, answers);
        }
    }

    /// Remembers something new of this side that its reset overtook, and that is beyond the reset's number.
    pub fn note_overtaken(&mut self, segment: &Segment) {
        let rst = self.odd.as_mut().and_then(|odd| odd.rst.as_mut());
        if let Some(rst) = rst.filter(|rst| !rst.seq.covers(end_of(segment))) {
            rst.overtaken = Some(later(rst.overtaken, end_of(segment)));
        }
    }

    /// Takes the effect of a reset that meets the test. True if there was one.
    pub fn revoke_rst(&mut self, test: impl Fn(&Rst) -> bool) -> bool {
        let rst = self.odd.as_mut().map(|odd| &mut odd.rst);
        rst.and_then(|rst| rst.take_if(|rst| test(rst))).is_some()
    }

    /// Remembers a highest ACK of something that was not captured. It covers the one before, too, unless bits of
    /// both were flipped: then what was acknowledged before both is what is known.
    pub fn note_early_ack(&mut self, segment: &Segment, mut known: Known) {
        let (number, place) = (segment.ack, segment.place);
        let odd = self.odd();
        if let Some(before) = odd.early_ack.filter(|before| known.acked == Some(before.number))
            && odd.confirmed_ack != Some(before.number)
            && before.is_one_bit_off()
        {
            known.acked = before.lower;
        }
        let before = odd.early_ack.replace(Acked { number, place, known, lower: known.acked });
        odd.confirmed_ack = before.map(|before| before.number).or(odd.confirmed_ack);
    }

    /// Takes in a segment of this side that acknowledges as much as its highest one, and is no copy of it,
    /// or acknowledges less: that `is_early` as well, if it was not captured, or that `is_below` what was not.
    pub fn confirm_early_ack(&mut self, segment: &Segment, is_early: bool, is_below: bool) {
        let Some(odd) = &mut self.odd else { return };
        let Some(early) = &mut odd.early_ack else { return };
        if is_below || !segment.ack.covers(early.number) {
            let lower = (!is_early).then(|| later(early.lower, segment.ack));
            early.lower = lower.or(early.lower);
        } else if segment.place.time.since(early.place.time) >= Some(COPIED_NS) {
            odd.confirmed_ack = Some(early.number);
        }
    }

    /// Returns this side's highest ACK of something that was not captured.
    pub fn early_ack(&self) -> Option<Acked> {
        self.odd.as_ref()?.early_ack
    }

    /// Returns the highest such number that later segments of this side stayed with.
    pub fn confirmed_ack(&self) -> Option<Seq> {
        self.odd.as_ref()?.confirmed_ack
    }

    /// It never sent its highest ACK, and `to` is what it had acknowledged. Returns what it never sent.
    pub fn take_back_early_ack(&mut self, to: Seq) -> Option<Acked> {
        let odd = self.odd.as_mut()?;
        let early = odd.early_ack.take()?;
        odd.payload_at_ack.take_if(|at| at.ack == early.number);
        // It confirmed nothing, then.
        odd.confirmed_ack.take_if(|confirmed| confirmed.is_after(to));
        if let Some(fin) = &mut self.fin
            && fin.ack_then == Some(early.number)
        {
            fin.ack_then = Some(to);
        }
        Some(early)
    }

    /// The other side never sent this ACK, which acknowledged this side's FIN, but `to`, at the latest by `then`.
    pub fn unmatch_ack(&mut self, early: &Acked, to: Seq, then: Place) {
        if let Some(fin) = &mut self.fin
            && fin.acked.is_some_and(|acked| {
                [early.place, fin.place].map(Place::order).contains(&acked.order())
            })
        {
            fin.acked = to.covers(fin.end).then_some(then);
        }
    }

    /// New payload of this side in a segment that comes, or may come, after the other side's FIN.
    pub fn note_payload(&mut self, segment: &Segment, new: u32) {
        let last = segment.place;
        match &mut self.odd().payload_at_ack {
            Some(at) if at.ack == segment.ack => {
                at.bytes += u64::from(new);
                at.last = last;
            }
            Some(at) if at.ack.is_after(segment.ack) => {}
            at => {
                *at = Some(PayloadAtAck { ack: segment.ack, bytes: u64::from(new), last });
            }
        }
    }

    /// The new payload that this side sent in segments whose ACK covers `number`.
    pub fn payload_after(&self, number: Seq) -> Option<PayloadAtAck> {
        self.odd.as_ref()?.payload_at_ack.filter(|at| at.ack.covers(number))
    }

    /// `holder` acknowledges by `ack`, at `place`: is that this side's FIN, for the first time? There is nothing beyond it
    /// that could be acknowledged. True if that brings a FIN back which seemed to be none.
    pub fn match_ack(&mut self, ack: Seq, place: Place) -> bool {
        let is_back = self.fin.is_none() && self.bring_back_fin(ack);
        if let Some(fin) = self.fin.as_mut().filter(|fin| ack == fin.end) {
            fin.acked.get_or_insert(place);
            self.odd.as_mut().and_then(|odd| odd.less_acked.take());
        }
        is_back
    }

    /// Tells whether this side has sent a FIN, and `ack` is less than what acknowledges it.
    pub fn has_fin_beyond(&self, ack: Seq) -> bool {
        self.fin.as_ref().is_some_and(|fin| !ack.covers(fin.end))
    }

    /// The other side acknowledges [less](Closing::has_fin_beyond) than this side's FIN, which it seemed to have
    /// acknowledged, in a segment that was sent later. Once, that one may be damaged; twice, it is the ACK of the FIN that
    /// was. True if it was.
    pub fn unmatch_by_less(&mut self, segment: &Segment) -> bool {
        let (ack, time) = (segment.ack, segment.place.time);
        let is_later = |since: Time, least: i64| time.since(since) >= Some(least);
        let Some(fin) = &mut self.fin else { return false };
        if !fin.acked.is_some_and(|acked| is_later(acked.time, LATE_NS)) {
            return false;
        }
        let before = self.odd.as_ref().and_then(|odd| odd.less_acked);
        let is_again =
            before.is_some_and(|less| ack.covers(less.ack) && is_later(less.time, COPIED_NS));
        fin.acked.take_if(|_| is_again);
        self.odd().less_acked = Some(Less { ack, time });
        is_again
    }

    /// A number that no payload ends at is acknowledged: it is the FIN's. What lies beyond it is not acknowledged, and
    /// so its number was damaged.
    fn bring_back_fin(&mut self, ack: Seq) -> bool {
        let denied = self.odd.as_mut().map(|odd| &mut odd.denied_fin);
        let told = denied.and_then(|denied| denied.take_if(|fin| ack.covers(fin.end)));
        self.fin = told.filter(|fin| fin.end == ack);
        self.fin.is_some()
    }

    /// The FIN that was just taken in may have been acknowledged before it was captured.
    pub fn match_early_ack(&mut self, ack: Option<Seq>, holder: &Closing) {
        if let (Some(fin), Some(ack)) = (self.fin, ack)
            && let Some(early) = holder.early_ack().filter(|early| early.number == fin.end)
        {
            let is_sure = !early.is_one_bit_off() || holder.confirmed_ack() == Some(ack);
            let is_late = fin.place.time.since(early.place.time) >= Some(LATE_NS);
            let place = match is_sure {
                true => Some(early.place),
                // A flipped bit made that: whoever had received the FIN then would say so again by now.
                false if is_late => None,
                // A flipped bit may have made that: no earlier than the FIN itself, then.
                false => Some(fin.place),
            };
            place.map(|place| self.match_ack(ack, place));
        }
    }

    /// New payload beyond a FIN shows that it was none: nothing is sent after one (3.10.4). One that was acknowledged
    /// was received as it is, and the payload's number is damaged, unless `holder`, the other side's highest ACK, says
    /// otherwise: so it may be of one that payload with the FIN's own number has not taken the place of. True if there
    /// was such a FIN.
    pub fn revoke_fin(&mut self, segment: &Segment, holder: Option<Seq>) -> bool {
        let Some(fin) = self.fin.filter(|fin| goes_on(fin, segment.end_of_payload())) else {
            return false;
        };
        if fin.acked.is_some() {
            self.odd().beyond.get_or_insert_default().reach(segment.end_of_payload());
            return holder.is_some_and(|ack| self.revoke_acked_fin(ack));
        }
        self.fin = None;
        self.forget_again();
        if segment.seq.covers(fin.end) {
            self.odd().denied_fin = Some(fin);
        }
        true
    }

    /// The other side acknowledges, by `ack`, what this one sent beyond its FIN: so that was none, whatever seemed to
    /// acknowledge it. True if there was such a FIN. Another one may be in its place.
    pub fn revoke_acked_fin(&mut self, ack: Seq) -> bool {
        let Some(beyond) = self.odd.as_ref().and_then(|odd| odd.beyond.as_ref()) else {
            return false;
        };
        let revoked = self.fin.as_ref().is_some_and(|fin| beyond.is_acked(ack, fin.end));
        if revoked {
            self.fin = beyond.fin();
            self.forget_again();
        }
        revoked
    }

    /// Tells whether it has sent a FIN, be it one that seems to be none.
    pub fn may_have_fin(&self) -> bool {
        self.fin.is_some() || self.odd.as_ref().is_some_and(|odd| odd.denied_fin.is_some())
    }

    /// Forgets a FIN that is not beyond `number`, which acknowledges this side's SYN. True if there was such a FIN.
    pub fn forget_fin_before(&mut self, number: Seq) -> bool {
        let forgotten = self.fin.take_if(|fin| number.covers(fin.end)).is_some();
        if forgotten {
            self.forget_again();
        }
        forgotten
    }

    /// The last repetition of the FIN, if there was one.
    pub fn fin_again(&self) -> Option<Again> {
        self.odd.as_ref()?.fin_again
    }

    /// The FIN that was sent again is none, or another one is in its place.
    fn forget_again(&mut self) {
        if let Some(odd) = &mut self.odd {
            (odd.fin_again, odd.aside, odd.denied_fin) = (None, None, None);
            (odd.less_acked, odd.beyond) = (None, None);
        }
    }

    /// Keeps the numbers of this side without the FIN that it has just sent.
    pub fn keep_aside(&mut self, half: Half) {
        self.odd().aside = Some(half);
    }

    /// Takes a later segment of this side into the numbers without its FIN. One with another FIN shows that the
    /// first was none: returns the numbers without it.
    pub fn follow_aside(&mut self, segment: &Segment, marks: Marks) -> Option<Half> {
        let aside = self.odd.as_mut()?.aside.as_mut()?;
        let Some(fin) = self.fin.filter(|fin| fin.acked.is_none()) else {
            self.odd().aside = None;
            return None;
        };
        if !marks.fin {
            aside.take(segment, marks);
        } else if fin.end != segment.end_of_payload() + 1 {
            return self.drop_fin();
        }
        None
    }

    /// The FIN had no effect. Returns the numbers of this side without it.
    pub fn drop_fin(&mut self) -> Option<Half> {
        let aside = self.odd.as_mut()?.aside.take()?;
        self.fin = None;
        self.forget_again();
        Some(aside)
    }

    /// The FIN, if it may turn out to be none.
    pub fn questionable_fin(&self) -> Option<&Fin> {
        self.odd.as_ref()?.aside.as_ref()?;
        self.fin.as_ref().filter(|fin| fin.acked.is_none())
    }

    /// The other side acknowledges less than this side's FIN by `ack`, at `time`, and has had time to receive it.
    pub fn deny_fin(&mut self, ack: Seq, time: Time) {
        let sent = self.fin_again().map(|again| again.last);
        if let Some(fin) = self.fin.as_mut().filter(|fin| fin.acked.is_none()) {
            let since = time.since(sent.unwrap_or(fin.place.time));
            fin.denied |= fin.end.is_after(ack) && since >= Some(RECEIVED_NS);
        }
    }

    /// True for the first FIN. A FIN is known by its number: seen twice, it changes nothing. One at
    /// another number replaces one that nobody acknowledged (a forged one, or old numbering).
    pub fn take_fin(
        &mut self,
        segment: &Segment,
        ack_then: Option<Seq>,
        peer_snd_max_then: Option<Seq>,
    ) -> bool {
        let end = segment.end_of_payload() + 1;
        let first = self.fin.is_none();
        let new = Fin {
            end,
            place: segment.place,
            with_ack: segment.flags.ack(),
            ack_then,
            peer_snd_max_then,
            acked: None,
            denied: false,
            of_more: segment.is_first_fragment(),
        };
        match &self.fin {
            Some(fin) if fin.end == end => {
                let before = self.fin_again().map_or(fin.place.time, |again| again.last);
                let last = segment.place.time;
                let pause = last.since(before).filter(|pause| *pause >= REPEAT_NS);
                if let Some(pause) = pause {
                    self.odd().fin_again = Some(Again { last, pause });
                    self.fin = self.fin.map(|fin| Fin { denied: false, ..fin });
                }
            }
            Some(fin) if fin.acked.is_some() => {
                if goes_on(fin, end) {
                    self.odd().beyond.get_or_insert_default().take_fin(new);
                }
            }
            _ => {
                self.forget_again();
                self.fin = Some(new);
            }
        }
        first
    }
}
