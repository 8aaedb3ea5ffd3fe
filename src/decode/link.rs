//! Link layers: Ethernet and its tags, Linux cooked, loopback, PPP, NFLOG, raw IP, and older ones.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::{Layer, Skipped};
use crate::capture::{Frame, LinkType};
use crate::tcp::segment::{Direction, ToldBy, Way};

/// A packet of a network protocol, as a link layer or a tunnel carried it.
pub struct Network<'a> {
    pub ether_type: u16,
    pub packet: &'a [u8],
    /// Octets that were on the wire, trailers included; `packet` may hold fewer.
    pub len: u32,
    /// From a cooked header's packet type.
    pub direction: Option<Direction>,
}

pub const IPV4: u16 = 0x0800;
pub const IPV6: u16 = 0x86dd;

/// The EtherType of the packet behind a link header, and the offset at which it begins.
pub type Header = (u16, usize);

const CUT: Skipped = Skipped::Cut(Layer::Link);

/// Strips the link layer and its tags.
///
/// # Errors
/// If the link type is unknown, or the header is cut off, malformed, or of another protocol than IP.
pub fn strip<'a>(frame: &Frame<'a>) -> Result<Network<'a>, Skipped> {
    let data = frame.data;
    let mut direction = None;
    let (ether_type, header) = match frame.link {
        LinkType::ETHERNET => ethernet(data)?,
        LinkType::LINUX_SLL => {
            direction = way(data.get(1));
            (u16_at(data, 14)?, 16)
        }
        LinkType::LINUX_SLL2 => {
            direction = way(data.get(10));
            (u16_at(data, 0)?, 20)
        }
        LinkType::NULL => (by_family(host_order(data)?)?, 4),
        LinkType::LOOP => (by_family(u32::from_be_bytes(word(data)?))?, 4),
        LinkType::PPP | LinkType::PPP_HDLC => ppp(data)?,
        // Cisco's framing: address, control, EtherType.
        LinkType::C_HDLC => (u16_at(data, 2)?, 4),
        LinkType::FDDI => {
            // Frame control and two addresses, then LLC.
            let llc = data.get(13..).ok_or(CUT)?;
            snap(llc).map(|(ether_type, len)| (ether_type, 13 + len)).ok_or(Skipped::Llc)?
        }
        LinkType::ARCNET_LINUX => arcnet(data)?,
        LinkType::JUNIPER_ETHER => return juniper(frame),
        LinkType::NFLOG => return nflog(frame),
        LinkType::RAW | LinkType(12 | 14) => (by_version(data)?, 0),
        LinkType::IPV4 => (IPV4, 0),
        LinkType::IPV6 => (IPV6, 0),
        other => return Err(Skipped::UnknownLink(other)),
    };
    let wire_len = frame.original_len.max(data.len() as u32);
    let network = untagged(ether_type, data, header, wire_len)?;
    Ok(Network { direction, ..network })
}

/// An Ethernet frame inside a tunnel.
///
/// # Errors
/// If a header is cut off or malformed.
pub fn ethernet_within(data: &[u8], wire_len: u32) -> Result<Network<'_>, Skipped> {
    let (ether_type, header) = ethernet(data)?;
    untagged(ether_type, data, header, wire_len)
}

fn untagged(
    ether_type: u16,
    data: &[u8],
    header: usize,
    wire_len: u32,
) -> Result<Network<'_>, Skipped> {
    let (ether_type, header) = tags(ether_type, data, header)?;
    let packet = data.get(header..).ok_or(CUT)?;
    let len = wire_len.saturating_sub(header as u32);
    Ok(Network { ether_type, packet, len, direction: None })
}

fn u16_at(data: &[u8], at: usize) -> Result<u16, Skipped> {
    match data.get(at..at + 2) {
        Some(&[high, low]) => Ok(u16::from_be_bytes([high, low])),
        _ => Err(CUT),
    }
}

fn word(data: &[u8]) -> Result<[u8; 4], Skipped> {
    data.first_chunk().copied().ok_or(CUT)
}

fn ethernet(data: &[u8]) -> Result<Header, Skipped> {
    let header = Ethernet2HeaderSlice::from_slice(data).map_err(|_| CUT)?;
    Ok((header.ether_type().0, 14))
}

/// Tags between the link header and the packet nest this deep at most.
const MAX_TAGS: usize = 8;

/// Steps over tags, and over 802.3's LLC where a SNAP header names an EtherType.
fn tags(mut ether_type: u16, data: &[u8], mut at: usize) -> Result<Header, Skipped> {
    for _ in 0..MAX_TAGS {
        let rest = data.get(at..).ok_or(CUT)?;
        let len = match ether_type {
            // 802.1Q, 802.1ad, and what QinQ used before that.
            0x8100 | 0x88a8 | 0x9100 => {
                let tag = SingleVlanHeaderSlice::from_slice(rest).map_err(|_| CUT)?;
                ether_type = tag.ether_type().0;
                at += tag.slice().len();
                continue;
            }
            // Cisco's metadata (security group), and 802.1BR's E-TAG: the EtherType comes last.
            0x8909 | 0x893f => 8,
            // Below 0x0600 it is a length.
            0..0x0600 => match snap(rest) {
                Some((_, len)) => len,
                None => return Err(Skipped::Llc),
            },
            _ => return Ok((ether_type, at)),
        };
        ether_type = u16_at(rest, len - 2)?;
        at += len;
    }
    Err(Skipped::Malformed(Layer::Link))
}

/// LLC with a SNAP header that names an EtherType.
#[must_use]
pub fn snap(data: &[u8]) -> Option<Header> {
    match data {
        [0xaa, 0xaa, 3, 0, 0, 0, high, low, ..] => Some((u16::from_be_bytes([*high, *low]), 8)),
        _ => None,
    }
}

/// The packet type of a cooked header; its last octet is enough.
#[must_use]
pub fn way(packet_type: Option<&u8>) -> Option<Direction> {
    let way = match packet_type? {
        // PACKET_HOST, BROADCAST, MULTICAST, OTHERHOST: it came in.
        0..=3 => Way::In,
        // PACKET_OUTGOING
        4 => Way::Out,
        _ => return None,
    };
    Some(Direction { way, told_by: ToldBy::PacketType })
}

/// The address family is in the byte order of the host that captured: the one that makes it small.
fn host_order(data: &[u8]) -> Result<u32, Skipped> {
    let family = u32::from_le_bytes(word(data)?);
    Ok(family.min(family.swap_bytes()))
}

/// AF_INET is 2 everywhere; AF_INET6 differs between Linux and the BSDs.
fn by_family(family: u32) -> Result<u16, Skipped> {
    match family {
        2 => Ok(IPV4),
        10 | 24 | 28 | 30 => Ok(IPV6),
        other => Err(Skipped::NotIpFamily(other)),
    }
}

/// Finds the EtherType of a bare IP packet, by the version in its first octet.
///
/// # Errors
/// If the version is neither 4 nor 6, or there is no octet.
pub fn by_version(data: &[u8]) -> Result<u16, Skipped> {
    match data.first().map(|octet| octet >> 4) {
        Some(4) => Ok(IPV4),
        Some(6) => Ok(IPV6),
        Some(_) => Err(Skipped::Malformed(Layer::Ip)),
        None => Err(Skipped::Cut(Layer::Ip)),
    }
}

/// PPP, with or without HDLC's address and control, and with protocols of one octet (RFC 1661, 2
/// and 6.5; RFC 1662). Over HDLC, Cisco's framing can stand in its place.
///
/// # Errors
/// If the header is cut off, or the protocol is not IP, MPLS or their like.
pub fn ppp(data: &[u8]) -> Result<Header, Skipped> {
    let at = match data {
        [0xff, 3, ..] => 2,
        [0x0f | 0x8f, 0, ..] => return Ok((u16_at(data, 2)?, 4)),
        _ => 0,
    };
    // The last octet of a protocol is odd, all others are even.
    let first = *data.get(at).ok_or(CUT)?;
    let (protocol, len) = match first & 1 {
        1 => (u16::from(first), 1),
        _ => (u16_at(data, at)?, 2),
    };
    match protocol {
        0x0021 => Ok((IPV4, at + len)),
        0x0057 => Ok((IPV6, at + len)),
        0x0281 => Ok((0x8847, at + len)),
        other => Err(Skipped::PppProtocol(other)),
    }
}

/// Linux's ARCNET: source, destination, offset, then RFC 1201's protocol, flag and sequence.
fn arcnet(data: &[u8]) -> Result<Header, Skipped> {
    match data.get(4).ok_or(CUT)? {
        0xd4 => Ok((IPV4, 8)),
        0xc4 => Ok((IPV6, 8)),
        other => Err(Skipped::NotIp(u16::from(*other))),
    }
}

/// Juniper's capture on Ethernet: a magic number, flags, extensions if a flag says so, Ethernet.
fn juniper<'a>(frame: &Frame<'a>) -> Result<Network<'a>, Skipped> {
    const EXTENSIONS: u8 = 0x80;
    let header = match frame.data {
        [b'M', b'G', b'C', flags, high, low, ..] if flags & EXTENSIONS != 0 => {
            6 + usize::from(u16::from_be_bytes([*high, *low]))
        }
        [b'M', b'G', b'C', ..] => 4,
        _ => return Err(Skipped::Malformed(Layer::Link)),
    };
    let wire_len = frame.original_len.max(frame.data.len() as u32);
    let ethernet = frame.data.get(header..).ok_or(CUT)?;
    ethernet_within(ethernet, wire_len.saturating_sub(header as u32))
}

/// The attribute of an NFLOG record that holds the packet.
const NFULA_PAYLOAD: u16 = 9;

/// Linux's netfilter log: a header with the family, then attributes, one of them the packet. Their
/// lengths are in the byte order of the host that captured.
fn nflog<'a>(frame: &Frame<'a>) -> Result<Network<'a>, Skipped> {
    let malformed = Skipped::Malformed(Layer::Link);
    let family = *frame.data.first().ok_or(CUT)?;
    let mut rest = frame.data.get(4..).ok_or(CUT)?;
    loop {
        let &[l0, l1, t0, t1] = rest.first_chunk().ok_or(CUT)?;
        let (mut len, mut kind) = (u16::from_le_bytes([l0, l1]), u16::from_le_bytes([t0, t1]));
        // Types are small numbers, so the wrong order shows.
        if kind > 0xff {
            (len, kind) = (len.swap_bytes(), kind.swap_bytes());
        }
        let len = usize::from(len);
        if len < 4 {
            return Err(malformed);
        }
        if kind == NFULA_PAYLOAD {
            let packet = rest.get(4..len.min(rest.len())).ok_or(CUT)?;
            return Ok(Network {
                ether_type: by_family(u32::from(family))?,
                packet,
                len: (len - 4) as u32,
                direction: None,
            });
        }
        rest = rest.get(len.next_multiple_of(4)..).ok_or(CUT)?;
    }
}
