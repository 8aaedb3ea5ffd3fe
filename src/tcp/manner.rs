//! The beginning of a connection and who told its direction, in one octet: of a flow, every octet
//! counts.

use super::packed::Code;
use super::segment::{End, Segment, ToldBy};
use super::side::Side;

/// The kind of the first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Began {
    Syn,
    SynAck,
    Midstream,
}

/// The manner of a flow, in bits.
#[derive(Clone, Copy, Debug)]
pub struct Manner(u8);

const BY_UPPER: u8 = 1;
const SYN: u8 = 2;
const SYN_ACK: u8 = 4;
const ONLY_SYNS: u8 = 8;
const UNANSWERED: u8 = 16;
const BY_PACKET_TYPE: u8 = 32;
const BY_PACKET_FLAGS: u8 = 64;
const SILENCE_BROKEN_BY_B: u8 = 128;

impl Manner {
    /// Nothing is known of it.
    pub const UNKNOWN: Manner = Manner(0);

    /// Returns the manner of a flow that begins with `segment`.
    pub fn of(segment: &Segment) -> Manner {
        let opener = if segment.from == End::Upper { BY_UPPER } else { 0 };
        let began = match (segment.flags.syn(), segment.flags.ack()) {
            (true, false) => SYN | UNANSWERED,
            (true, true) => SYN_ACK,
            (false, _) => 0,
        };
        Manner(opener | began | ONLY_SYNS)
    }

    pub(super) fn coded(self, code: &mut impl Code) -> Manner {
        Manner(code.number(self.0.into()) as u8)
    }

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// The end of the key that sent the first packet.
    #[inline]
    pub fn opener(self) -> End {
        if self.has(BY_UPPER) { End::Upper } else { End::Lower }
    }

    pub fn began(self) -> Began {
        match (self.has(SYN), self.has(SYN_ACK)) {
            (true, _) => Began::Syn,
            (false, true) => Began::SynAck,
            (false, false) => Began::Midstream,
        }
    }

    /// Only SYNs without ACK, all from the opener.
    pub fn has_only_syns(self) -> bool {
        self.has(ONLY_SYNS)
    }

    pub fn note_more_than_syns(&mut self) {
        self.0 &= !ONLY_SYNS;
    }

    /// Started by a SYN that nobody has answered yet.
    pub fn is_unanswered(self) -> bool {
        self.has(UNANSWERED)
    }

    pub fn note_answer(&mut self) {
        self.0 &= !UNANSWERED;
    }

    /// The side that spoke first after the last long silence.
    pub fn broke_silence(self) -> Side {
        if self.has(SILENCE_BROKEN_BY_B) { Side::B } else { Side::A }
    }

    pub fn note_broke_silence(&mut self, by: Side) {
        let bit = if by == Side::B { SILENCE_BROKEN_BY_B } else { 0 };
        self.0 = self.0 & !SILENCE_BROKEN_BY_B | bit;
    }

    /// Returns the part of the capture that told the direction of its packets last.
    pub fn told_by(self) -> Option<ToldBy> {
        match (self.has(BY_PACKET_TYPE), self.has(BY_PACKET_FLAGS)) {
            (true, _) => Some(ToldBy::PacketType),
            (_, true) => Some(ToldBy::PacketFlags),
            _ => None,
        }
    }

    pub fn tell(&mut self, by: ToldBy) {
        let bit = match by {
            ToldBy::PacketType => BY_PACKET_TYPE,
            ToldBy::PacketFlags => BY_PACKET_FLAGS,
        };
        self.0 = self.0 & !(BY_PACKET_TYPE | BY_PACKET_FLAGS) | bit;
    }
}
