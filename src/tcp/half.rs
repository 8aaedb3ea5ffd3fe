//! The facts of one direction: what one side was seen to send.
//!
//! Facts only grow: a segment seen twice, late or out of order adds nothing it did not add the first
//! time. What they mean for the other side is [`super::flow`]'s business, what they mean for the
//! reader [`crate::verdict`]'s.

use super::recent::Recent;
use super::segment::{Direction, Segment, Way};
use super::seq::{Seq, later};
use crate::place::{Place, Time};

/// One side of a flow.
#[derive(Clone, Debug)]
pub struct Half {
    pub packets: u64,
    /// Octets of payload as captured, retransmissions included.
    pub payload_bytes: u64,
    /// SEG.SEQ of its SYN.
    pub isn: Option<Seq>,
    /// It sent a SYN/ACK.
    pub syn_ack: bool,
    /// Its lowest SEG.SEQ; a SYN counts as the number after it.
    pub lowest: Option<Seq>,
    /// The number after the highest octet that it was seen to send: SND.NXT, at least.
    pub snd_max: Option<Seq>,
    /// The number after the highest octet that was itself captured (a SYN, payload, a FIN). Below
    /// `snd_max`, a bare ACK's number shows that something was sent and not captured.
    pub captured_max: Option<Seq>,
    /// Its first and its highest SEG.ACK.
    pub first_ack: Option<Seq>,
    pub ack: Option<Acked>,
    /// Its last new payload.
    pub last_payload: Option<Place>,
    pub payload_times: Recent,
    /// The new payload that it sent with its highest SEG.ACK.
    pub payload_at_ack: Option<PayloadAtAck>,
    pub fin: Option<Fin>,
    pub rst: Option<Rst>,
    last_seq: Seq,
    /// Its packets were seen leaving, arriving.
    pub seen_out: bool,
    pub seen_in: bool,
}

/// An acknowledgment number, and where it was first reached.
#[derive(Clone, Copy, Debug)]
pub struct Acked {
    pub number: Seq,
    pub place: Place,
}

/// New payload carried by segments with one acknowledgment number.
#[derive(Clone, Copy, Debug)]
pub struct PayloadAtAck {
    pub ack: Seq,
    pub bytes: u64,
    pub last: Time,
}

/// A FIN, known by the number that acknowledges it.
#[derive(Clone, Copy, Debug)]
pub struct Fin {
    /// The acknowledgment number that covers it: past its payload and itself.
    pub end: Seq,
    pub place: Place,
    /// It had the ACK flag: a scan's FIN has not.
    pub with_ack: bool,
    /// The sender's highest ACK up to and in its FIN.
    pub ack_then: Option<Seq>,
    /// What the other side had by then been seen to send.
    pub peer_snd_max_then: Option<Seq>,
    /// The other side's first ACK that covers it.
    pub acked: Option<Place>,
    /// It was sent again [`REPEAT_NS`] or more later.
    pub repeated: bool,
}

/// A reset that counts.
#[derive(Clone, Copy, Debug)]
pub struct Rst {
    pub place: Place,
    /// The highest SEG.SEQ of this side's resets.
    pub seq: Seq,
    /// It came before both FINs had been seen.
    pub before_close: bool,
}

impl Rst {
    /// Was the segment sent before the reset, and overtaken by it? Payload after a reset takes the
    /// reset's effect, payload before it does not.
    pub fn overtook(&self, segment: &Segment) -> bool {
        let end = segment.end_of_payload() + u32::from(segment.flags.fin());
        let soon = segment.place.time.since(self.place.time) < Some(OVERTAKES_NS);
        self.seq.covers(end) && soon && !segment.flags.syn()
    }
}

/// Packets of one side overtake each other by less than this.
const OVERTAKES_NS: i64 = 1_000_000_000;

/// A FIN seen again after this long was retransmitted, not captured twice.
pub const REPEAT_NS: i64 = 100_000_000;

/// What a segment brought that its side had not sent before.
#[derive(Clone, Copy, Debug, Default)]
pub struct News {
    pub payload: u32,
    pub syn_ack: bool,
    pub fin: bool,
    /// The segment brought nothing at all beyond the one before it.
    pub same_as_last: bool,
}

impl Default for Half {
    fn default() -> Half {
        Half::new()
    }
}

impl Half {
    pub fn new() -> Half {
        Half {
            packets: 0,
            payload_bytes: 0,
            isn: None,
            syn_ack: false,
            lowest: None,
            snd_max: None,
            captured_max: None,
            first_ack: None,
            ack: None,
            last_payload: None,
            payload_times: Recent::NEVER,
            payload_at_ack: None,
            fin: None,
            rst: None,
            last_seq: Seq(0),
            seen_out: false,
            seen_in: false,
        }
    }

    /// Counts a packet, whatever it holds.
    pub fn count(&mut self, segment: &Segment) {
        self.packets += 1;
        self.payload_bytes += u64::from(segment.len);
        match segment.direction {
            Some(Direction { way: Way::Out, .. }) => self.seen_out = true,
            Some(Direction { way: Way::In, .. }) => self.seen_in = true,
            None => {}
        }
    }

    /// Takes in a segment of this side that is no RST, in the order of 3.10.7.4: SYN, ACK, text, FIN.
    pub fn take(&mut self, segment: &Segment, peer_snd_max: Option<Seq>) -> News {
        let mut news = News {
            same_as_last: self.packets > 1 && segment.seq == self.last_seq,
            ..News::default()
        };
        self.last_seq = segment.seq;
        if segment.flags.syn() {
            news.syn_ack = segment.flags.ack() && self.isn != Some(segment.seq);
            self.take_syn(segment);
        }
        if segment.flags.ack() {
            self.take_ack(segment);
        }
        news.payload = self.take_text(segment);
        if segment.flags.fin() {
            news.fin = self.take_fin(segment, peer_snd_max);
        }
        news
    }

    /// A first SYN/ACK discards earlier numbers of its sender that do not fit it: they answered an
    /// older connection's segments (a challenge ACK, say).
    fn take_syn(&mut self, segment: &Segment) {
        let after_syn = segment.seq + 1;
        let fits = self.lowest.is_none_or(|lowest| lowest == after_syn);
        if self.isn != Some(segment.seq) && segment.flags.ack() && !fits {
            *self = Half {
                packets: self.packets,
                payload_bytes: self.payload_bytes,
                seen_out: self.seen_out,
                seen_in: self.seen_in,
                last_seq: self.last_seq,
                ..Half::new()
            };
        }
        self.isn = Some(segment.seq);
        self.syn_ack |= segment.flags.ack();
        self.snd_max = Some(later(self.snd_max, after_syn));
    }

    fn take_ack(&mut self, segment: &Segment) {
        self.first_ack.get_or_insert(segment.ack);
        if self.ack.is_none_or(|a| segment.ack.is_after(a.number)) {
            self.ack = Some(Acked { number: segment.ack, place: segment.place });
        }
    }

    /// Returns the octets beyond everything sent before: a retransmission or a keep-alive has none.
    fn take_text(&mut self, segment: &Segment) -> u32 {
        let start = segment.seq + u32::from(segment.flags.syn());
        let end = segment.end_of_payload();
        if self.lowest.is_none_or(|lowest| lowest.is_after(start)) {
            self.lowest = Some(start);
        }
        let new = match self.snd_max {
            // A lone octet can be a keep-alive's, which repeats the last one sent.
            None if segment.len == 1 && self.isn.is_none() => 0,
            None => segment.len,
            Some(max) => (end.ahead_of(max).max(0) as u32).min(segment.len),
        };
        self.snd_max = Some(later(self.snd_max, end));
        if segment.len > 0 || segment.flags.syn() {
            self.captured_max = Some(later(self.captured_max, end));
        }
        // Where a side first appears, nothing before it can be missed.
        self.captured_max.get_or_insert(start);
        if new > 0 {
            self.last_payload = Some(segment.place);
            self.payload_times.record(segment.place.time);
            if segment.flags.ack() {
                self.note_payload_at_ack(segment, new);
            }
        }
        new
    }

    fn note_payload_at_ack(&mut self, segment: &Segment, new: u32) {
        let time = segment.place.time;
        match &mut self.payload_at_ack {
            Some(at) if at.ack == segment.ack => {
                at.bytes += u64::from(new);
                at.last = at.last.max(time);
            }
            Some(at) if at.ack.is_after(segment.ack) => {}
            at => {
                *at = Some(PayloadAtAck { ack: segment.ack, bytes: u64::from(new), last: time });
            }
        }
    }

    /// True for the first FIN. A FIN is known by its number: seen twice, it changes nothing. One at
    /// another number replaces one that nobody acknowledged (a forged one, or old numbering).
    fn take_fin(&mut self, segment: &Segment, peer_snd_max: Option<Seq>) -> bool {
        let end = segment.end_of_payload() + 1;
        self.snd_max = Some(later(self.snd_max, end));
        self.captured_max = Some(later(self.captured_max, end));
        let first = self.fin.is_none();
        match &mut self.fin {
            Some(fin) if fin.end == end => {
                fin.repeated |= segment.place.time.since(fin.place.time) >= Some(REPEAT_NS);
            }
            Some(fin) if fin.acked.is_some() => {}
            fin => {
                *fin = Some(Fin {
                    end,
                    place: segment.place,
                    with_ack: segment.flags.ack(),
                    ack_then: self.ack.map(|a| a.number),
                    peer_snd_max_then: peer_snd_max,
                    acked: None,
                    repeated: false,
                });
            }
        }
        first
    }

    /// This side acknowledged `number` or more.
    pub fn has_acked(&self, number: Seq) -> bool {
        self.ack.is_some_and(|a| a.number.covers(number))
    }

    /// `ack` acknowledges this side's SYN, and nothing that it has not sent (a SYN may carry data).
    pub fn counts_syn(&self, ack: Seq) -> bool {
        self.isn
            .zip(self.snd_max)
            .is_some_and(|(isn, max)| (1..=max.ahead_of(isn)).contains(&ack.ahead_of(isn)))
    }

    /// This side acknowledged the SYN of `peer`. Where the tap missed that SYN, the lowest number
    /// stands for the one after it, and with nothing seen of the peer any ACK will do: nobody sends
    /// one before having received a SYN.
    pub fn has_acked_syn_of(&self, peer: &Half) -> bool {
        match peer.isn.map(|isn| isn + 1).or(peer.lowest) {
            Some(after_syn) => self.has_acked(after_syn),
            None => self.isn.is_some() && self.ack.is_some(),
        }
    }

    /// The numbers that a RST of this side can have: its next, or what `peer` has acknowledged.
    pub fn rst_numbers(&self, peer: &Half) -> [Option<Seq>; 2] {
        [self.snd_max, peer.ack.map(|ack| ack.number)]
    }

    /// The new payload that this side sent in segments whose ACK covers `number`.
    pub fn payload_after(&self, number: Seq) -> Option<PayloadAtAck> {
        self.payload_at_ack.filter(|at| at.ack.covers(number))
    }
}
