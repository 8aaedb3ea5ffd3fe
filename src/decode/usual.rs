//! The most frequent packets of most captures in one go: Ethernet without tags or a Linux cooked
//! header, IPv4 without options and in one piece or IPv6 without extensions, TCP.
//!
//! Everything else takes the long way through the layers, which is the one that says what is right;
//! tests hold this one against it. It is five times as fast, and with it decoding is no longer what
//! reading a capture waits for.

use super::{Header, link};
use crate::capture::{Frame, LinkType};
use crate::tcp::segment::{Direction, End, FlowKey};

/// A TCP packet.
pub struct UsualPacket<'a> {
    pub key: FlowKey,
    pub from: End,
    pub header: Header,
    /// From the TCP header on; padding may follow.
    pub data: &'a [u8],
    pub direction: Option<Direction>,
    /// The TTL or hop limit.
    pub hops_left: u8,
}

/// Octets of an IPv4 header without options, and of an IPv6 header.
const IPV4: usize = 20;
const IPV6: usize = 40;

const TCP: u8 = 6;

/// The packet if it is one over IPv4; `None` if it is any other or if anything is wrong with it.
#[inline(always)]
pub fn over_ipv4<'a>(frame: &Frame<'a>) -> Option<UsualPacket<'a>> {
    let (ether_type, ip, direction) = strip(frame)?;
    if ether_type == link::IPV4.to_be_bytes() { v4(ip, direction) } else { None }
}

/// The packet if it is one over IPv4 or IPv6; `None` if it is any other or if anything is wrong with it.
#[inline(always)]
pub fn over_ip<'a>(frame: &Frame<'a>) -> Option<UsualPacket<'a>> {
    let (ether_type, ip, direction) = strip(frame)?;
    match u16::from_be_bytes(ether_type) {
        link::IPV4 => v4(ip, direction),
        link::IPV6 => v6(ip, direction),
        _ => None,
    }
}

/// The EtherType, and what comes after the link header.
#[inline(always)]
fn strip<'a>(frame: &Frame<'a>) -> Option<([u8; 2], &'a [u8], Option<Direction>)> {
    let (ether_type, header, way) = match frame.link {
        LinkType::ETHERNET => (frame.data.get(12..14)?, 14, None),
        LinkType::LINUX_SLL => (frame.data.get(14..16)?, 16, link::way(frame.data.get(1))),
        LinkType::LINUX_SLL2 => (frame.data.get(0..2)?, 20, link::way(frame.data.get(10))),
        _ => return None,
    };
    let ip = frame.data.get(header..)?;
    Some((*ether_type.first_chunk()?, ip, frame.direction.or(way)))
}

#[inline(always)]
fn v4(packet: &[u8], direction: Option<Direction>) -> Option<UsualPacket<'_>> {
    let (ip, data) = packet.split_first_chunk::<IPV4>()?;
    let u16_at = |at: usize| u16::from_be_bytes([ip[at], ip[at + 1]]);
    let u32_at = |at: usize| u32::from(u16_at(at)) << 16 | u32::from(u16_at(at + 2));
    let total = u32::from(u16_at(2));
    // Version and header length, protocol, fragments.
    let is_usual = ip[0] == 0x45 && ip[9] == TCP && u16_at(6) & 0x3fff == 0 && total != 0;
    if !is_usual {
        return None;
    }
    let header = Header::read(data, total.checked_sub(IPV4 as u32)?).ok()?;
    let source = (u32_at(12), header.source);
    let destination = (u32_at(16), header.destination);
    let (key, from) = FlowKey::v4(source, destination);
    Some(UsualPacket { key, from, header, data, direction, hops_left: ip[8] })
}

#[inline(always)]
fn v6(packet: &[u8], direction: Option<Direction>) -> Option<UsualPacket<'_>> {
    let (ip, data) = packet.split_first_chunk::<IPV6>()?;
    let len = u32::from(u16::from_be_bytes([ip[4], ip[5]]));
    let is_usual = ip[0] >> 4 == 6 && ip[6] == TCP && len != 0;
    if !is_usual {
        return None;
    }
    let header = Header::read(data, len).ok()?;
    let [source, destination] = [ip[8..].first_chunk()?, ip[24..].first_chunk()?];
    let source = (u128::from_be_bytes(*source), header.source);
    let destination = (u128::from_be_bytes(*destination), header.destination);
    let (key, from) = FlowKey::v6(source, destination);
    Some(UsualPacket { key, from, header, data, direction, hops_left: ip[7] })
}
