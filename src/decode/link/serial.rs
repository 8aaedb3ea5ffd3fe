//! Serial lines: PPP, Cisco's HDLC, frame relay, SLIP.

use super::{CUT, Header, IPV4, IPV6, LinkHeader, by_version, u8_at, u16_at};
use crate::capture::LinkType;
use crate::decode::Skipped;
use crate::tcp::segment::{Direction, ToldBy, Way};

/// The header of one of these link types.
pub fn step(link: LinkType, data: &[u8]) -> Result<LinkHeader, Skipped> {
    match link {
        LinkType::PPP_WITH_DIR => directed(data, LinkType::PPP),
        LinkType::C_HDLC_WITH_DIR => directed(data, LinkType::C_HDLC),
        LinkType::FRELAY_WITH_DIR => directed(data, LinkType::FRELAY),
        LinkType::PPP_PPPD => pppd(data),
        // Address, control, EtherType.
        LinkType::C_HDLC => Ok((u16_at(data, 2)?, 4).into()),
        LinkType::FRELAY => frame_relay(data),
        LinkType::MFR => multilink_frame_relay(data),
        LinkType::SLIP => slip(data),
        _ => ppp(data).map(LinkHeader::from),
    }
}

/// An octet of direction: 0 is received.
fn way(octet: u8) -> Option<Direction> {
    let way = if octet == 0 { Way::In } else { Way::Out };
    Some(Direction { way, told_by: ToldBy::PacketType })
}

fn directed(data: &[u8], link: LinkType) -> Result<LinkHeader, Skipped> {
    Ok(LinkHeader::link(link, 1).going(way(u8_at(data, 0)?)))
}

/// Linux's pppd writes the direction in place of HDLC's address.
fn pppd(data: &[u8]) -> Result<LinkHeader, Skipped> {
    let direction = way(u8_at(data, 0)?);
    let at = if u8_at(data, 1)? == 3 { 2 } else { 1 };
    let (ether_type, len) = ppp(data.get(at..).ok_or(CUT)?)?;
    Ok(LinkHeader::from((ether_type, at + len)).going(direction))
}

/// PPP, with or without HDLC's address and control, and with protocols of one octet (RFC 1661, 2
/// and 6.5; RFC 1662). Over HDLC, Cisco's framing can stand in its place.
pub fn ppp(data: &[u8]) -> Result<Header, Skipped> {
    let at = match data {
        [0xff, 3, ..] => 2,
        [0x0f | 0x8f, 0, ..] => return Ok((u16_at(data, 2)?, 4)),
        _ => 0,
    };
    // The last octet of a protocol is odd, all others are even.
    let first = u8_at(data, at)?;
    let (protocol, len) = match first & 1 {
        1 => (u16::from(first), 1),
        _ => (u16_at(data, at)?, 2),
    };
    match protocol {
        0x0021 => Ok((IPV4, at + len)),
        0x0057 => Ok((IPV6, at + len)),
        0x0281 => Ok((0x8847, at + len)),
        0x0031 => Ok((0x6558, at + len + 4)),
        0x003d => multilink(data, at + len),
        // Van Jacobson's compression (RFC 1144) is of TCP alone.
        0x002d | 0x002f => Err(Skipped::Unread("TCP compressed by PPP")),
        0x0053 | 0x0055 | 0x00fd | 0x00fb => Err(Skipped::Encrypted("PPP")),
        other => Err(Skipped::PppProtocol(other)),
    }
}

/// Multilink PPP (RFC 1990, 3): where a part begins and ends, and a number in four octets or in two. Only whole packets
/// can be read.
fn multilink(data: &[u8], at: usize) -> Result<Header, Skipped> {
    const WHOLE: u8 = 0xc0;
    if u8_at(data, at)? & WHOLE != WHOLE {
        return Err(Skipped::Unread("part of a PPP packet"));
    }
    let within = |header: usize| data.get(at + header..).unwrap_or_default();
    let ip = |header: usize| {
        let (ether_type, protocol) = match within(header) {
            [0x21, first, ..] if first >> 4 == 4 => (IPV4, 1),
            [0, 0x21, first, ..] if first >> 4 == 4 => (IPV4, 2),
            [0x57, first, ..] if first >> 4 == 6 => (IPV6, 1),
            [0, 0x57, first, ..] if first >> 4 == 6 => (IPV6, 2),
            _ => return None,
        };
        Some((ether_type, at + header + protocol))
    };
    // Protocols that set up others: those of links, and of networks (RFC 1661, 2).
    let sets_up = |header: usize| matches!(within(header), [0x80 | 0xc0 | 0xc2, 1..=0xff, ..]);
    match ip(4).or_else(|| ip(2)) {
        Some(header) => Ok(header),
        None if sets_up(4) || sets_up(2) => Err(Skipped::PppProtocol(0x003d)),
        None => Err(Skipped::Unread("Multilink PPP")),
    }
}

/// Q.922 addresses of two to four octets, then NLPID (RFC 2427), or Cisco's EtherType.
fn frame_relay(data: &[u8]) -> Result<LinkHeader, Skipped> {
    const UNNUMBERED: u8 = 3;
    let last = data.iter().take(4).position(|octet| octet & 1 == 1).ok_or(CUT)?;
    let mut at = last + 1;
    if u8_at(data, at)? != UNNUMBERED {
        return Ok((u16_at(data, at)?, at + 2).into());
    }
    at += 1;
    if u8_at(data, at)? == 0 {
        at += 1;
    }
    match u8_at(data, at)? {
        0xcc => Ok((IPV4, at + 1).into()),
        0x8e => Ok((IPV6, at + 1).into()),
        0x80 => snap(data, at + 1),
        0xcf => ppp(data.get(at + 1..).ok_or(CUT)?).map(|(of, len)| (of, at + 1 + len).into()),
        _ => Err(Skipped::Llc),
    }
}

/// An organisation and its protocol: an EtherType, or bridged Ethernet.
fn snap(data: &[u8], at: usize) -> Result<LinkHeader, Skipped> {
    match data.get(at..at + 5).ok_or(CUT)? {
        [0, 0, 0, high, low] => Ok((u16::from_be_bytes([*high, *low]), at + 5).into()),
        [0, 0x80, 0xc2, 0, 1 | 7] => Ok(LinkHeader::link(LinkType::ETHERNET, at + 5)),
        _ => Err(Skipped::Llc),
    }
}

/// FRF.16: a fragment's place; only whole ones can be read.
fn multilink_frame_relay(data: &[u8]) -> Result<LinkHeader, Skipped> {
    const BEGINS: u8 = 0x80;
    const ENDS: u8 = 0x40;
    const CONTROL: u8 = 0x20;
    let flags = u8_at(data, 0)?;
    match (flags & CONTROL != 0, flags & (BEGINS | ENDS)) {
        (true, _) => Err(Skipped::NoData("frame relay control")),
        (false, 0xc0) => Ok(LinkHeader::link(LinkType::FRELAY, 2)),
        (false, _) => Err(Skipped::Unread("part of a frame relay frame")),
    }
}

/// BSD's SLIP: the direction, what the packet was like compressed, and the packet.
fn slip(data: &[u8]) -> Result<LinkHeader, Skipped> {
    const HEADER: usize = 16;
    let direction = way(u8_at(data, 0)?);
    let ether_type = by_version(data.get(HEADER..).ok_or(CUT)?)?;
    Ok(LinkHeader::from((ether_type, HEADER)).going(direction))
}
