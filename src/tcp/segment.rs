//! One TCP segment, as far as the close is concerned.

use core::fmt;
use std::net::IpAddr;

use super::seq::Seq;
use crate::place::Place;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    pub ip: IpAddr,
    pub port: u16,
}

/// `192.0.2.1:80`, `[2001:db8::1]:80`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::net::SocketAddr::new(self.ip, self.port).fmt(f)
    }
}

/// The two ends of a connection without direction: the lower one first, so that both directions of
/// one connection have the same key. Tags and tunnels are no part of it (as in Wireshark and Zeek).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    lower: Endpoint,
    upper: Endpoint,
}

/// Which end of a [`FlowKey`] sent a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Lower,
    Upper,
}

impl FlowKey {
    /// The key of the two ends, and which of its ends the source is.
    pub fn new(source: Endpoint, destination: Endpoint) -> (FlowKey, End) {
        if source <= destination {
            let (lower, upper) = (source, destination);
            (FlowKey { lower, upper }, End::Lower)
        } else {
            let (lower, upper) = (destination, source);
            (FlowKey { lower, upper }, End::Upper)
        }
    }

    pub fn endpoint(&self, end: End) -> Endpoint {
        match end {
            End::Lower => self.lower,
            End::Upper => self.upper,
        }
    }

    /// A connection of an endpoint with itself: its two directions cannot be told apart.
    pub fn is_self(&self) -> bool {
        self.lower == self.upper
    }
}

impl End {
    pub fn other(self) -> End {
        match self {
            End::Lower => End::Upper,
            End::Upper => End::Lower,
        }
    }
}

/// The control bits (RFC 9293, 3.1), as they stand in octet 13 of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const ACK: u8 = 0x10;

    /// RST: its ACK and its payload count for nothing.
    pub fn rst(self) -> bool {
        self.0 & Flags::RST != 0
    }

    /// SYN without RST.
    pub fn syn(self) -> bool {
        self.0 & (Flags::SYN | Flags::RST) == Flags::SYN
    }

    /// FIN counts only without SYN and RST.
    pub fn fin(self) -> bool {
        self.0 & (Flags::FIN | Flags::SYN | Flags::RST) == Flags::FIN
    }

    pub fn ack(self) -> bool {
        self.0 & Flags::ACK != 0
    }
}

/// How the capture says a packet passed the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    pub way: Way,
    pub told_by: ToldBy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To this host, or seen by it in passing.
    In,
    /// From this host.
    Out,
}

/// Which part of the capture told the direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToldBy {
    /// The packet type of a Linux cooked header.
    PacketType,
    /// The flags option of a pcapng packet.
    PacketFlags,
}

/// One segment. `seq`, `ack` and `len` are RFC 9293's SEG.SEQ, SEG.ACK and the payload's octets.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub key: FlowKey,
    /// Of `key`, computed once per packet.
    pub hash: u64,
    pub from: End,
    pub seq: Seq,
    pub ack: Seq,
    pub flags: Flags,
    /// Octets of payload, by the IP header: the capture may hold fewer.
    pub len: u32,
    pub place: Place,
    pub direction: Option<Direction>,
}

impl Segment {
    /// The number after the last octet, SYN included, FIN not (3.4).
    pub fn end_of_payload(&self) -> Seq {
        self.seq + self.len + u32::from(self.flags.syn())
    }

    /// It takes numbers that must be acknowledged: payload, SYN, FIN.
    pub fn occupies(&self) -> bool {
        self.len > 0 || self.flags.syn() || self.flags.fin()
    }

    /// A bare ACK: it is never acknowledged itself, so it alone counts as received when seen.
    pub fn is_bare_ack(&self) -> bool {
        self.len == 0
            && self.flags.0 & (Flags::FIN | Flags::SYN | Flags::RST | Flags::ACK) == Flags::ACK
    }
}
