//! The facts of one direction: what one side was seen to send, as long as it is open.
//!
//! Facts only grow: a segment seen twice, late or out of order adds nothing it did not add the first
//! time. What they mean for the other side is [`super::flow`]'s business, what they mean for the
//! reader [`crate::verdict`]'s. What only a close needs is in [`super::closing`]: a table can hold
//! millions of open flows, so what is here is small.

use super::packed::Code;
use super::segment::{Direction, Segment, Way};
use super::seq::Seq;

/// One side of a flow.
#[derive(Clone, Debug)]
pub struct Half {
    /// Octets of payload as captured, retransmissions included.
    pub payload_bytes: u64,
    /// Packets: the lowest 32 bits, the next 8.
    packets: u32,
    packets_high: u8,
    has: Has,
    window: u16,
    isn: Seq,
    lowest: Seq,
    snd_max: Seq,
    captured_max: Seq,
    first_ack: Seq,
    ack: Seq,
}

/// A set of bits: which numbers are known, and what was seen of the side. Options and flags of
/// their own would cost as much as the numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Has(u8);

impl Has {
    const ISN: Has = Has(1);
    /// `lowest`, `snd_max` and `captured_max`, from the first segment on.
    const SEQ: Has = Has(2);
    /// `first_ack` and `ack`.
    const ACK: Has = Has(4);
    const SENT_SYN_ACK: Has = Has(8);
    const SENT_PAYLOAD: Has = Has(16);
    const LEFT: Has = Has(32);
    const ARRIVED: Has = Has(64);
    const ROUTED: Has = Has(128);

    fn any(self, of: Has) -> bool {
        self.0 & of.0 != 0
    }

    fn set(&mut self, bit: Has, applies: bool) {
        self.0 |= if applies { bit.0 } else { 0 };
    }
}

/// The control bits that take a number. Handed in beside the segment, so that the compiler makes a
/// short way for the many that have neither.
#[derive(Clone, Copy, Debug)]
pub struct Marks {
    /// The segment has SYN.
    pub syn: bool,
    /// The segment has FIN.
    pub fin: bool,
}

impl Marks {
    /// A segment with neither.
    pub const NONE: Marks = Marks { syn: false, fin: false };
}

/// The part of a segment that its side had not sent before.
#[derive(Clone, Copy, Debug, Default)]
pub struct News {
    /// Octets of new payload: beyond all that its sender had sent.
    pub payload: u32,
    /// It is a SYN/ACK with a sequence number that its sender had not begun with.
    pub syn_ack: bool,
    /// Its ACK is its side's first, and its highest so far.
    pub first_ack: bool,
    /// It acknowledges more than any before it.
    pub highest_ack: bool,
    /// It acknowledges less than one of something that was not captured.
    pub below_early_ack: bool,
    /// A first SYN/ACK that discards all that its sender had sent before.
    pub discards: bool,
}

impl Default for Half {
    fn default() -> Half {
        Half::new()
    }
}

impl Half {
    /// Returns the facts of a side that has sent nothing.
    pub fn new() -> Half {
        Half {
            payload_bytes: 0,
            packets: 0,
            packets_high: 0,
            has: Has::default(),
            window: 0,
            isn: Seq(0),
            lowest: Seq(0),
            snd_max: Seq(0),
            captured_max: Seq(0),
            first_ack: Seq(0),
            ack: Seq(0),
        }
    }

    /// Writes it, or reads what it was. What `other` sent and received is near to what this side received and sent.
    pub(super) fn coded(&self, code: &mut impl Code, other: &Half) -> Half {
        let isn = code.seq(self.isn, other.first_ack + u32::MAX);
        let lowest = code.seq(self.lowest, isn + 1);
        let snd_max = code.seq(self.snd_max, other.ack().unwrap_or(lowest));
        let first_ack = code.seq(self.first_ack, other.isn + 1);
        let sent = snd_max.ahead_of(lowest).unsigned_abs().into();
        let packets = code.number(self.packets());
        Half {
            isn,
            lowest,
            snd_max,
            captured_max: code.seq(self.captured_max, snd_max),
            first_ack,
            ack: code.seq(self.ack, other.snd_max().unwrap_or(first_ack)),
            payload_bytes: code.number_near(self.payload_bytes, sent),
            packets: packets as u32,
            packets_high: (packets >> u32::BITS) as u8,
            has: Has(code.number(self.has.0.into()) as u8),
            window: code.number(self.window.into()) as u16,
        }
    }

    /// Counts its packets, repeated ones too.
    pub fn packets(&self) -> u64 {
        u64::from(self.packets_high) << 32 | u64::from(self.packets)
    }

    /// Tells whether it answered a SYN.
    pub fn sent_syn_ack(&self) -> bool {
        self.has.any(Has::SENT_SYN_ACK)
    }

    /// SEG.WND of its last segment, not scaled; `None` before the first with an ACK.
    pub fn window(&self) -> Option<u16> {
        self.has.any(Has::ACK).then_some(self.window)
    }

    /// It sent new payload.
    pub fn sent_payload(&self) -> bool {
        self.has.any(Has::SENT_PAYLOAD)
    }

    /// Its SYN or new payload was seen. Keep-alives alone show one number less than was sent.
    pub fn is_numbered(&self) -> bool {
        self.has.any(Has(Has::ISN.0 | Has::SENT_PAYLOAD.0))
    }

    /// Its packets were seen leaving the host that captured.
    pub fn seen_leaving(&self) -> bool {
        self.has.any(Has::LEFT)
    }

    /// Its packets were seen arriving there.
    pub fn seen_arriving(&self) -> bool {
        self.has.any(Has::ARRIVED)
    }

    /// Routers had passed its packets on before they were captured.
    pub fn was_routed(&self) -> bool {
        self.has.any(Has::ROUTED)
    }

    /// Notes whether a packet had passed routers before it was captured, as its TTL shows.
    pub fn note_routed(&mut self, routed: bool) {
        self.has.set(Has::ROUTED, routed);
    }

    /// SEG.SEQ of its SYN.
    pub fn isn(&self) -> Option<Seq> {
        self.has.any(Has::ISN).then_some(self.isn)
    }

    /// Its lowest SEG.SEQ; a SYN counts as the number after it.
    pub fn lowest(&self) -> Option<Seq> {
        self.has.any(Has::SEQ).then_some(self.lowest)
    }

    /// The number after the highest octet that it was seen to send: SND.NXT, at least.
    pub fn snd_max(&self) -> Option<Seq> {
        self.has.any(Has::SEQ).then_some(self.snd_max)
    }

    /// The number after the highest octet that was itself captured (a SYN, payload, a FIN). Below
    /// `snd_max`, a bare ACK's number shows that something was sent and not captured.
    pub fn captured_max(&self) -> Option<Seq> {
        self.has.any(Has::SEQ).then_some(self.captured_max)
    }

    /// Its first SEG.ACK.
    pub fn first_ack(&self) -> Option<Seq> {
        self.has.any(Has::ACK).then_some(self.first_ack)
    }

    /// Its highest SEG.ACK.
    pub fn ack(&self) -> Option<Seq> {
        self.has.any(Has::ACK).then_some(self.ack)
    }

    /// Counts a packet, whatever it holds.
    #[inline(always)]
    pub fn count(&mut self, segment: &Segment) {
        let (packets, carry) = self.packets.overflowing_add(1);
        self.packets = packets;
        self.packets_high = self.packets_high.saturating_add(u8::from(carry));
        self.payload_bytes += u64::from(segment.len);
        if let Some(Direction { way, .. }) = segment.direction {
            self.has.set(if way == Way::Out { Has::LEFT } else { Has::ARRIVED }, true);
        }
    }

    /// Takes in a segment of this side that is no RST, in the order of 3.10.7.4: SYN, ACK, text. FIN,
    /// which comes last, is for [`super::closing`], but its number is one that was sent.
    #[inline(always)]
    pub fn take(&mut self, segment: &Segment, marks: Marks) -> News {
        let mut news = News::default();
        if marks.syn {
            news.syn_ack = segment.flags.ack() && self.isn() != Some(segment.seq);
            news.discards = news.syn_ack && self.discard_for(segment);
            self.isn = segment.seq;
            self.has.set(Has::ISN, true);
            self.has.set(Has::SENT_SYN_ACK, segment.flags.ack());
        }
        if segment.flags.ack() {
            news.first_ack = !self.has.any(Has::ACK);
            news.highest_ack = self.take_ack(segment.ack);
        }
        // An ACK of before says nothing of the window now, and whoever receives none drops the segment (3.10.7.4).
        if segment.flags.ack() && segment.ack == self.ack {
            self.window = segment.window;
        }
        news.payload = self.take_text(segment, marks);
        self.has.set(Has::SENT_PAYLOAD, news.payload > 0);
        news
    }

    /// Counts packets from here on.
    pub fn count_anew(&mut self) {
        (self.packets, self.packets_high, self.payload_bytes) = (0, 0, 0);
    }

    /// Takes in the number that it began with, after all else of it.
    pub fn begin_late(&mut self, syn: &Segment) {
        self.isn = syn.seq;
        self.lowest = syn.seq + 1;
        self.has.set(Has::ISN, true);
        self.has.set(Has::SENT_SYN_ACK, syn.flags.ack());
    }

    /// A first SYN/ACK discards earlier numbers of its sender that do not fit it: they answered an
    /// older connection's segments (a challenge ACK, say).
    #[cold]
    fn discard_for(&mut self, syn_ack: &Segment) -> bool {
        if self.lowest().is_none_or(|lowest| lowest == syn_ack.seq + 1) {
            return false;
        }
        *self = Half {
            packets: self.packets,
            packets_high: self.packets_high,
            payload_bytes: self.payload_bytes,
            has: Has(self.has.0 & (Has::LEFT.0 | Has::ARRIVED.0 | Has::ROUTED.0)),
            ..Half::new()
        };
        true
    }

    #[inline(always)]
    fn take_ack(&mut self, ack: Seq) -> bool {
        if !self.has.any(Has::ACK) {
            self.has.set(Has::ACK, true);
            (self.first_ack, self.ack) = (ack, ack);
            return true;
        }
        let highest = ack.is_after(self.ack);
        if highest {
            self.ack = ack;
        }
        highest
    }

    /// Goes back to numbers without a segment that had no effect; what was counted stays.
    pub fn restore(&mut self, without: Half) {
        *self = Half {
            packets: self.packets,
            packets_high: self.packets_high,
            payload_bytes: self.payload_bytes,
            has: Has(without.has.0 | self.has.0 & (Has::LEFT.0 | Has::ARRIVED.0 | Has::ROUTED.0)),
            ..without
        };
    }

    /// It sent more than was read of its last segment: up to `end`.
    pub fn reach(&mut self, end: Seq) {
        self.snd_max = self.snd_max.max(end);
        self.captured_max = self.captured_max.max(end);
    }

    /// Its highest ACK was none of its own making.
    pub fn take_back_ack(&mut self, to: Seq) {
        self.ack = to;
    }

    /// Returns the octets beyond everything sent before: a retransmission or a keep-alive has none.
    #[inline(always)]
    fn take_text(&mut self, segment: &Segment, marks: Marks) -> u32 {
        let start = segment.seq + u32::from(marks.syn);
        let end_of_payload = start + segment.len;
        let end = end_of_payload + u32::from(marks.fin);
        if !self.has.any(Has::SEQ) {
            // Where a side first appears, nothing before it can be missed.
            self.has.set(Has::SEQ, true);
            self.lowest = start;
            self.snd_max = end;
            self.captured_max = end;
            // A lone octet can be a keep-alive's, which repeats the last one sent.
            return if segment.len == 1 && !self.has.any(Has::ISN) { 0 } else { segment.len };
        }
        if self.lowest.is_after(start) {
            self.lowest = start;
        }
        let new = (end_of_payload.ahead_of(self.snd_max).max(0) as u32).min(segment.len);
        self.snd_max = self.snd_max.max(end);
        if segment.len > 0 || marks.syn || marks.fin {
            self.captured_max = self.captured_max.max(end);
        }
        new
    }

    /// Tells whether a number is between the first and the next of this side.
    pub fn has_used(&self, number: Seq) -> bool {
        self.lowest()
            .zip(self.snd_max())
            .is_some_and(|(lowest, max)| number.ahead_of(lowest) >= 0 && max.ahead_of(number) >= 0)
    }

    /// This side acknowledged `number` or more.
    pub fn has_acked(&self, number: Seq) -> bool {
        self.has.any(Has::ACK) && self.ack.covers(number)
    }

    /// `ack` acknowledges this side's SYN, and nothing that it has not sent (a SYN may carry data).
    pub fn counts_syn(&self, ack: Seq) -> bool {
        let sent = 1..=self.snd_max.ahead_of(self.isn);
        self.has.any(Has::ISN) && sent.contains(&ack.ahead_of(self.isn))
    }

    /// This side acknowledged the SYN of `peer`. Where the tap missed that SYN, the lowest number
    /// stands for the one after it, and with nothing seen of the peer any ACK will do: nobody sends
    /// one before having received a SYN.
    pub fn has_acked_syn_of(&self, peer: &Half) -> bool {
        match peer.isn().map(|isn| isn + 1).or(peer.lowest()) {
            Some(after_syn) => self.has_acked(after_syn),
            None => self.isn().is_some() && self.ack().is_some(),
        }
    }
}
