//! One TCP segment, as far as the close is concerned.

use core::fmt;
use core::hash::{BuildHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::seq::Seq;
use crate::names;
use crate::place::Place;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// An IPv4 or IPv6 address; never an IPv4-mapped one.
    pub ip: IpAddr,
    /// The TCP port.
    pub port: u16,
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Endpoint {
        Endpoint { ip: address.ip(), port: address.port() }
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(end: Endpoint) -> SocketAddr {
        SocketAddr::new(end.ip, end.port)
    }
}

/// `192.0.2.1:80`, `[2001:db8::1]:80`, `db-1.shop:80` where a text names it.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match names::name(self.ip) {
            Some(name) => f.pad(&format!("{name}:{}", self.port)),
            None => SocketAddr::from(*self).fmt(f),
        }
    }
}

/// The two ends of a connection without direction: the lower one first, so that both directions of
/// one connection have the same key. Tags and tunnels are no part of it (as in Wireshark and Zeek).
///
/// In plain numbers, because one is made, hashed and compared for every packet.
#[derive(Clone, Copy, Debug, Eq)]
pub struct FlowKey {
    /// Addresses of the lower end, then of the upper: the high and the low half of an IPv6 address,
    /// or zero and an IPv4 address.
    addresses: [[u64; 2]; 2],
    /// The lower end's above the upper's.
    ports: u32,
    v6: bool,
}

/// Word by word: one that has just been made is still in registers, and stays there.
impl PartialEq for FlowKey {
    #[inline(always)]
    fn eq(&self, other: &FlowKey) -> bool {
        let words = |key: &FlowKey| {
            let [lower, upper] = key.addresses;
            [lower[0], lower[1], upper[0], upper[1], u64::from(key.ports), u64::from(key.v6)]
        };
        let (own, others) = (words(self), words(other));
        (0..own.len()).fold(0, |differ, at| differ | own[at] ^ others[at]) == 0
    }
}

impl Hash for FlowKey {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [[lower_high, lower], [upper_high, upper]] = self.addresses;
        if self.v6 {
            [lower_high, upper_high, lower].into_iter().for_each(|word| state.write_u64(word));
        }
        let ports = u128::from(u64::from(self.ports) << 1 | u64::from(self.v6));
        // One word of 128 bits for IPv4: two addresses of 32 bits, and 33 bits.
        state.write_u128(ports << 64 ^ u128::from(lower) << 32 ^ u128::from(upper));
    }
}

/// The end of a [`FlowKey`] that sent a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The end that compares lower by address, then port.
    Lower,
    /// The end that compares higher.
    Upper,
}

impl FlowKey {
    /// The key of the two ends, and which of its ends the source is.
    pub fn new(source: Endpoint, destination: Endpoint) -> (FlowKey, End) {
        match (source.ip, destination.ip) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                FlowKey::v4((from.to_bits(), source.port), (to.to_bits(), destination.port))
            }
            (from, to) => {
                let bits = |ip: IpAddr| match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
                    IpAddr::V6(ip) => ip.to_bits(),
                };
                FlowKey::v6((bits(from), source.port), (bits(to), destination.port))
            }
        }
    }

    /// Makes a key of two IPv6 addresses with their ports, and tells which of its ends is the
    /// source.
    #[inline]
    pub fn v6(source: (u128, u16), destination: (u128, u16)) -> (FlowKey, End) {
        let (lower, upper, from) = match source <= destination {
            true => (source, destination, End::Lower),
            false => (destination, source, End::Upper),
        };
        let halves = |bits: u128| [(bits >> 64) as u64, bits as u64];
        let addresses = [halves(lower.0), halves(upper.0)];
        (FlowKey { addresses, ports: joined(lower.1, upper.1), v6: true }, from)
    }

    /// Makes a key of two IPv4 addresses with their ports, and tells which of its ends is the
    /// source.
    #[inline]
    pub fn v4(source: (u32, u16), destination: (u32, u16)) -> (FlowKey, End) {
        let number = |(address, port)| u64::from(address) << 16 | u64::from(port);
        let (source, destination) = (number(source), number(destination));
        let from = if source <= destination { End::Lower } else { End::Upper };
        let (lower, upper) = (source.min(destination), source.max(destination));
        let addresses = [[0, lower >> 16], [0, upper >> 16]];
        (FlowKey { addresses, ports: joined(lower as u16, upper as u16), v6: false }, from)
    }

    /// Returns its hash.
    #[inline(always)]
    #[expect(
        clippy::manual_hash_one,
        reason = "a call takes the key out of the registers it was made in"
    )]
    pub fn hash_by(&self, hasher: &impl BuildHasher) -> u64 {
        let mut state = hasher.build_hasher();
        self.hash(&mut state);
        state.finish()
    }

    /// The addresses and ports of the lower and the upper end, if they are IPv4.
    #[inline]
    pub fn as_v4(&self) -> Option<([u32; 2], u32)> {
        let [[_, lower], [_, upper]] = self.addresses;
        (!self.v6).then_some(([lower as u32, upper as u32], self.ports))
    }

    /// The addresses of the lower and the upper end, if they are IPv6.
    pub fn as_v6(&self) -> Option<[u128; 2]> {
        let address = |[high, low]: [u64; 2]| u128::from(high) << 64 | u128::from(low);
        self.v6.then(|| self.addresses.map(address))
    }

    /// The key of which [`FlowKey::as_v4`] gave the parts.
    #[inline]
    pub fn of_v4([lower, upper]: [u32; 2], ports: u32) -> FlowKey {
        let addresses = [[0, u64::from(lower)], [0, u64::from(upper)]];
        FlowKey { addresses, ports, v6: false }
    }

    /// The key of two IPv6 addresses of which [`FlowKey::as_v6`] gave the parts.
    pub fn of_v6(addresses: [u128; 2], ports: u32) -> FlowKey {
        let addresses = addresses.map(|bits| [(bits >> 64) as u64, bits as u64]);
        FlowKey { addresses, ports, v6: true }
    }

    /// Returns both ports, the lower end's above the upper's.
    pub fn joined_ports(&self) -> u32 {
        self.ports
    }

    /// Returns the ports of the lower and the upper end.
    #[inline]
    pub fn ports(&self) -> [u16; 2] {
        [(self.ports >> 16) as u16, self.ports as u16]
    }

    /// Returns the address and port of an end.
    pub fn endpoint(&self, end: End) -> Endpoint {
        let v6 = |end: End| {
            let [high, low] = self.addresses[end as usize];
            Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low))
        };
        let [_, low] = self.addresses[end as usize];
        let ip = match self.v6 {
            // An IPv4 address stands mapped beside the name of the other end.
            true if names::is_stand_in(v6(end.other()).into()) => v6(end).to_canonical(),
            true => v6(end).into(),
            false => Ipv4Addr::from_bits(low as u32).into(),
        };
        Endpoint { ip, port: self.ports()[end as usize] }
    }

    /// A connection of an endpoint with itself: its two directions cannot be told apart.
    pub fn is_self(&self) -> bool {
        let [lower, upper] = self.ports();
        self.addresses[0] == self.addresses[1] && lower == upper
    }
}

#[inline(always)]
fn joined(lower: u16, upper: u16) -> u32 {
    u32::from(lower) << 16 | u32::from(upper)
}

impl End {
    /// Returns the end across.
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
    /// No more data from the sender (RFC 9293, 3.1).
    pub const FIN: u8 = 0x01;
    /// The sender's numbers begin.
    pub const SYN: u8 = 0x02;
    /// The connection ends at once.
    pub const RST: u8 = 0x04;
    /// The acknowledgment number counts.
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

    /// Tells whether ACK is set.
    pub fn ack(self) -> bool {
        self.0 & Flags::ACK != 0
    }

    /// An ACK alone, of the control bits that begin, end or acknowledge.
    #[inline(always)]
    pub fn only_ack(self) -> bool {
        self.0 & (Flags::FIN | Flags::SYN | Flags::RST | Flags::ACK) == Flags::ACK
    }

    /// Neither SYN nor FIN nor RST.
    pub fn are_plain(self) -> bool {
        self.0 & (Flags::FIN | Flags::SYN | Flags::RST) == 0
    }
}

/// The way a packet passed the interface, as the capture says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    /// The way past the interface.
    pub way: Way,
    /// The part of the capture that says so.
    pub told_by: ToldBy,
}

/// The way of a packet past the interface that it was captured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To this host, or seen by it in passing.
    In,
    /// From this host.
    Out,
}

/// The part of the capture that told the direction.
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
    /// The 4-tuple, whichever end sent it.
    pub key: FlowKey,
    /// The hash of `key`, computed once per packet. All segments of a table must have it from one
    /// hasher.
    pub hash: u64,
    /// The end that sent it.
    pub from: End,
    /// The sequence number of its first octet, or of its SYN.
    pub seq: Seq,
    /// The acknowledgment number; meaningless without ACK.
    pub ack: Seq,
    /// Control bits.
    pub flags: Flags,
    /// Octets of payload, by the IP header: the capture may hold fewer.
    pub len: u32,
    /// SEG.WND as it stands in the header, not scaled.
    pub window: u16,
    /// Window scale, checksum and other rare things, in few bits.
    pub extras: Extras,
    /// The packet that carried it.
    pub place: Place,
    /// The way past the interface, where the capture tells it.
    pub direction: Option<Direction>,
}

/// The shift count of a SYN's window scale option (RFC 7323), in four bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scale(u8);

impl Scale {
    /// No SYN, or its options were not captured whole.
    pub const UNKNOWN: Scale = Scale(0);
    /// A SYN without the option: then neither side scales its windows (RFC 7323, 2.2).
    pub const ABSENT: Scale = Scale(15);
    /// The greatest shift.
    const MOST: Scale = Scale(14);

    /// The shift count, which is 14 at most. There is no room for 13, which counts as 14: nothing is
    /// outside a window for its seeming larger than it is.
    pub fn new(shift: u8) -> Scale {
        if shift < 13 { Scale(shift + 1) } else { Scale::MOST }
    }

    /// Four bits that [`Scale::of_bits`] makes it of again; none is set where it is unknown.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Reads a scale of its bits in [`Extras`].
    pub fn of_bits(bits: u8) -> Scale {
        Scale(bits & 15)
    }

    /// Returns the shift of windows (RFC 7323), if one was offered.
    pub fn shift(self) -> Option<u8> {
        match self {
            Scale::UNKNOWN | Scale::ABSENT => None,
            Scale::MOST => Some(14),
            Scale(bits) => Some(bits - 1),
        }
    }
}

/// The result of verifying a segment's checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// It was not looked at, or says nothing: not captured whole, or left to the card (offload).
    #[default]
    Unknown,
    /// The checksum fits.
    Right,
    /// The segment was damaged on its way: its receiver drops it.
    Wrong,
    /// It is for more than the first IP fragment, the only one that is read.
    OfMore,
}

/// Facts that only segments with SYN, FIN or RST are asked for; in one octet, because every segment
/// has it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Extras(u8);

impl core::fmt::Debug for Extras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("Extras");
        tuple.field(&self.scale()).field(&self.checksum()).field(&self.is_routed());
        tuple.field(&self.is_multipath()).finish()
    }
}

impl Extras {
    /// The number of bits in use.
    pub const BITS: u32 = 8;

    const ROUTED: u8 = 1 << 6;
    const MULTIPATH: u8 = 1 << 7;

    /// Puts both into a few bits.
    pub fn new(scale: Scale, checksum: Checksum) -> Extras {
        Extras(scale.bits() | (checksum as u8) << 4)
    }

    /// Tells whether routers passed the segment on.
    #[must_use]
    pub fn routed(self, routed: bool) -> Extras {
        Extras(self.0 & !Extras::ROUTED | if routed { Extras::ROUTED } else { 0 })
    }

    /// Tells whether a SYN/ACK agrees to open a connection, or a part of one, of Multipath TCP.
    #[must_use]
    pub fn multipath(self, multipath: bool) -> Extras {
        Extras(self.0 & !Extras::MULTIPATH | if multipath { Extras::MULTIPATH } else { 0 })
    }

    /// Replaces the result of verifying the checksum.
    #[must_use]
    pub fn with_checksum(self, checksum: Checksum) -> Extras {
        let extras = Extras::new(self.scale(), checksum).routed(self.is_routed());
        extras.multipath(self.is_multipath())
    }

    /// The lowest [`Extras::BITS`] of a number.
    #[inline(always)]
    pub fn of_bits(bits: u32) -> Extras {
        Extras(bits as u8)
    }

    /// Returns the bits themselves, to be written down.
    #[inline(always)]
    pub fn bits(self) -> u32 {
        u32::from(self.0)
    }

    /// Returns the window scale that the SYN offered.
    pub fn scale(self) -> Scale {
        Scale::of_bits(self.0)
    }

    /// Tells whether the checksum was right.
    pub fn checksum(self) -> Checksum {
        match self.0 >> 4 & 3 {
            0 => Checksum::Unknown,
            1 => Checksum::Right,
            2 => Checksum::Wrong,
            _ => Checksum::OfMore,
        }
    }

    /// Routers passed it on: it was captured away from its sender.
    pub fn is_routed(self) -> bool {
        self.0 & Extras::ROUTED != 0
    }

    /// A SYN/ACK with the option of Multipath TCP that opens a connection, or joins one (RFC 8684).
    pub fn is_multipath(self) -> bool {
        self.0 & Extras::MULTIPATH != 0
    }
}

impl Segment {
    /// The number after the last octet, SYN included, FIN not (3.4).
    pub fn end_of_payload(&self) -> Seq {
        self.seq + self.len + u32::from(self.flags.syn())
    }

    /// Its checksum is wrong: its receiver drops it. Only segments with SYN, FIN or RST are asked for it.
    pub fn is_damaged(&self) -> bool {
        self.extras.checksum() == Checksum::Wrong
    }

    /// Tells whether it begins or ends something and is longer than what was read of it, by so many octets as only a
    /// later IP fragment tells.
    pub fn is_first_fragment(&self) -> bool {
        self.extras.checksum() == Checksum::OfMore
    }

    /// Neither SYN nor FIN nor RST: it begins and ends nothing.
    pub fn is_plain(&self) -> bool {
        self.flags.are_plain()
    }

    /// A bare ACK: it is never acknowledged itself, so it alone counts as received when seen.
    pub fn is_bare_ack(&self) -> bool {
        self.len == 0 && self.flags.only_ack()
    }
}
