//! The parts of a segment that its payload is read by.

use crate::place::Time;
use crate::tcp::segment::{End, Flags, Segment};
use crate::tcp::seq::Seq;

/// The parts of a segment that reading its payload takes.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// The time of its capture.
    pub at: Time,
    /// SEG.SEQ.
    pub seq: Seq,
    /// SEG.ACK, which counts with the control bit of that name.
    pub ack: Seq,
    /// Octets of payload on the wire.
    pub len: u32,
    /// Control bits.
    pub flags: Flags,
    /// The end that sent it.
    pub from: End,
}

impl Header {
    /// The header of a segment.
    #[inline]
    pub fn of(segment: &Segment) -> Header {
        let Segment { place, seq, ack, len, flags, from, .. } = *segment;
        Header { at: place.time, seq, ack, len, flags, from }
    }
}
