//! A FIN, and an ACK that may be of one.

use super::packed::{Base, Code};
use super::seq::Seq;
use crate::place::Place;

/// Octets: a segment that others have overtaken acknowledges less than they do, by a window without a scale at most.
const OLDER: u32 = 1 << 16;

/// An acknowledgment number, and where it was first reached.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acked {
    /// The highest number that was acknowledged.
    pub number: Seq,
    /// The packet that did it.
    pub place: Place,
    /// Numbers that were known at that moment.
    pub known: Known,
    /// The highest SEG.ACK below it, of this side's segments before and since, but for such as acknowledge
    /// something not captured, too.
    pub lower: Option<Seq>,
}

/// The numbers that are known beside an ACK.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// This side's highest SEG.ACK before.
    pub acked: Option<Seq>,
    /// The end of all that this side had sent, that segment included.
    pub sent: Option<Seq>,
    /// The end of all that had been captured of the other side.
    pub captured: Option<Seq>,
}

impl Acked {
    pub(super) fn coded(self, code: &mut impl Code, base: Base) -> Acked {
        Acked {
            number: code.seq(self.number, base.others_sent),
            place: code.place(self.place, base.last),
            known: Known {
                acked: code.some_seq(self.known.acked, base.others_sent),
                sent: code.some_seq(self.known.sent, base.sent),
                captured: code.some_seq(self.known.captured, base.others_sent),
            },
            lower: code.some_seq(self.lower, base.others_sent),
        }
    }

    /// One bit makes it of a number that could be acknowledged, or had been when the segment was sent: it may have been
    /// set on the way.
    pub fn is_one_bit_off(&self) -> bool {
        let Known { acked, captured, .. } = self.known;
        // What was acknowledged may be beyond what was captured: that is no range.
        let within = |captured: Seq| acked.filter(|acked| captured.covers(*acked));
        let range = captured.or(acked).map(|last| (within(last).unwrap_or(last), last));
        range.is_some_and(|(acked, captured)| {
            // Near by, a bit less makes an older number of any: that says nothing.
            let is_far = self.number.ahead_of(captured).unsigned_abs() > 2 * OLDER;
            let least = if is_far { acked.before(OLDER) } else { acked };
            self.number.is_one_bit_from(least, captured)
        })
    }
}

/// A FIN, known by the number that acknowledges it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fin {
    /// The acknowledgment number that covers it: past its payload and itself.
    pub end: Seq,
    /// The packet that carried it first.
    pub place: Place,
    /// It had the ACK flag: a scan's FIN has not.
    pub with_ack: bool,
    /// The sender's highest ACK up to and in its FIN.
    pub ack_then: Option<Seq>,
    /// The end of all that the other side had been seen to send by then.
    pub peer_snd_max_then: Option<Seq>,
    /// The other side's first ACK that covers it.
    pub acked: Option<Place>,
    /// The other side acknowledged less when it had had time to receive it.
    pub denied: bool,
    /// Only the first IP fragment of its segment was read: its end is this, or more.
    pub of_more: bool,
}

impl Fin {
    pub(super) fn coded(self, code: &mut impl Code, base: Base) -> Fin {
        Fin {
            end: code.seq(self.end, base.sent),
            place: code.place(self.place, base.last),
            with_ack: code.flag(self.with_ack),
            ack_then: code.some_seq(self.ack_then, base.others_sent),
            peer_snd_max_then: code.some_seq(self.peer_snd_max_then, base.others_sent),
            acked: code.some_place(self.acked, base.last),
            denied: code.flag(self.denied),
            of_more: code.flag(self.of_more),
        }
    }

    /// One that was not captured, by the ACK that covers it.
    pub fn missed(ack: Acked) -> Fin {
        Fin {
            end: ack.number,
            place: ack.place,
            with_ack: true,
            ack_then: None,
            peer_snd_max_then: None,
            acked: Some(ack.place),
            denied: false,
            of_more: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number near by is made an older one by one bit or another, nearly always.
    #[test]
    fn only_a_number_far_away_may_be_an_older_one() {
        const BASE: u32 = 0x0010_4000;
        let known = Known { acked: Some(Seq(BASE)), sent: None, captured: Some(Seq(BASE + 101)) };
        let is_damaged =
            |number: u32| Acked { number: Seq(number), known, ..Acked::default() }.is_one_bit_off();
        assert!(!is_damaged(BASE + 3_001), "without 1 << 14, it would be older");
        assert!(is_damaged(BASE + 100 + (1 << 28)) && is_damaged(BASE - 100 + (1 << 28)));
        assert!(!is_damaged(BASE - 100_000 + (1 << 28)), "older than any window");
    }
}
