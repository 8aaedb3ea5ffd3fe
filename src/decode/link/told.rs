//! Headers in which the capturing host itself says something of a packet, such as its direction.

use super::{
    CUT, Header, IPV4, IPV6, LinkHeader, MALFORMED, MPLS, Network, Next, by_version, u8_at, u16_at,
    word, word_at,
};
use crate::capture::{Frame, LinkType};
use crate::decode::Skipped;
use crate::tcp::segment::{Direction, ToldBy, Way};

/// The direction by the packet type of a cooked header; its last octet is enough.
pub fn way(packet_type: Option<&u8>) -> Option<Direction> {
    match packet_type? {
        // PACKET_HOST, BROADCAST, MULTICAST, OTHERHOST: it came in.
        0..=3 => Some(told(Way::In)),
        // PACKET_OUTGOING
        4 => Some(told(Way::Out)),
        _ => None,
    }
}

fn told(way: Way) -> Direction {
    Direction { way, told_by: ToldBy::PacketType }
}

/// The address family of BSD's loopback, in the byte order of the host that captured: the one that
/// makes it small. A PPP header can stand in its place, and an EtherType.
pub fn null(data: &[u8]) -> Result<LinkHeader, Skipped> {
    let word = word(data)?;
    if word.starts_with(&[0xff, 3]) {
        return Ok(LinkHeader::link(LinkType::PPP, 0));
    }
    let family = u32::from_le_bytes(word);
    let family = family.min(family.swap_bytes());
    match u16::try_from(family) {
        Ok(ether_type @ 0x0600..) => Ok((ether_type, 4).into()),
        _ => Ok((by_family(family)?, 4).into()),
    }
}

/// AF_INET is 2 everywhere; AF_INET6 differs: Linux, Windows, the BSDs, Solaris, macOS.
pub fn by_family(family: u32) -> Result<u16, Skipped> {
    match family {
        2 => Ok(IPV4),
        10 | 23 | 24 | 26 | 28 | 30 => Ok(IPV6),
        other => Err(Skipped::NotIpFamily(other)),
    }
}

/// Octets of a PKTAP header of the only version.
const PKTAP: usize = 108;

/// macOS: interface, direction and process, then a frame of the link type that it names. Files that
/// macOS wrote before the type had a number have the second of those for private use.
pub fn pktap(link: LinkType, data: &[u8]) -> Result<LinkHeader, Skipped> {
    const IS_PACKET: u32 = 1;
    const IN: u32 = 1;
    const OUT: u32 = 2;
    let wrong = if link == LinkType::PKTAP { MALFORMED } else { Skipped::UnknownLink(link) };
    let number = |at| word_at(data, at).map(u32::from_le_bytes);
    let (len, kind) = (number(0)? as usize, number(4)?);
    if len < PKTAP || len > data.len().max(PKTAP) || kind > 2 {
        return Err(wrong);
    }
    if kind != IS_PACKET {
        return Err(Skipped::NoData("PKTAP without a packet"));
    }
    let direction = match number(36)? & (IN | OUT) {
        IN => Some(told(Way::In)),
        OUT => Some(told(Way::Out)),
        _ => None,
    };
    let inner = u16::try_from(number(8)?).map_err(|_| wrong)?;
    Ok(LinkHeader::link(LinkType(inner), len).going(direction))
}

/// BSD's packet filter: length, family, and much that is not read. Its direction is no word on which
/// end is local: a firewall forwards, and sends out what it is not the end of.
pub fn pflog(data: &[u8]) -> Result<LinkHeader, Skipped> {
    let (len, family) = (usize::from(u8_at(data, 0)?), u8_at(data, 1)?);
    Ok((by_family(family.into())?, len.next_multiple_of(4)).into())
}

/// OpenBSD's decrypted IPsec: family in the host's byte order, SPI, flags.
pub fn enc(data: &[u8]) -> Result<LinkHeader, Skipped> {
    let family = u32::from_le_bytes(word(data)?);
    Ok((by_family(family.min(family.swap_bytes()))?, 12).into())
}

/// Solaris: version, family, and the packet's way through the host.
pub fn ipnet(data: &[u8]) -> Result<LinkHeader, Skipped> {
    Ok((by_family(u8_at(data, 1)?.into())?, 24).into())
}

/// Endace's records: a time, a type, lengths, extensions while they say that more follow.
pub fn erf(data: &[u8]) -> Result<LinkHeader, Skipped> {
    const MORE: u8 = 0x80;
    let mut at = 16;
    let kind = u8_at(data, 8)?;
    let mut more = kind & MORE != 0;
    while more {
        more = u8_at(data, at)? & MORE != 0;
        at += 8;
    }
    match kind & !MORE {
        1 | 10 | 15 => Ok(LinkHeader::link(LinkType::PPP_HDLC, at)),
        // Ethernet comes after an offset and a pad.
        2 | 11 | 16 | 20 => Ok(LinkHeader::link(LinkType::ETHERNET, at + 2)),
        22 => Ok((IPV4, at).into()),
        23 => Ok((IPV6, at).into()),
        13 | 14 | 27 => Err(Skipped::NoData("ERF without a packet")),
        _ => Err(Skipped::UnknownLink(LinkType::ERF)),
    }
}

/// Has Juniper's header before it?
pub fn is_juniper(link: LinkType) -> bool {
    matches!(link.0, 130..=137 | 167 | 168 | 178..=181 | 183 | 194 | 200 | 232..=234 | 238)
}

/// A magic number, flags, extensions if a flag says so; then the link layer, or what it carried.
pub fn juniper(link: LinkType, data: &[u8]) -> Result<LinkHeader, Skipped> {
    const EXTENSIONS: u8 = 0x80;
    const WITHOUT_LINK: u8 = 0x02;
    let &[b'M', b'G', b'C', flags] = &word(data)? else { return Err(MALFORMED) };
    let len = match flags & EXTENSIONS != 0 {
        true => 6 + usize::from(u16_at(data, 4)?),
        false => 4,
    };
    if flags & WITHOUT_LINK != 0 {
        let protocol = u32::from_le_bytes(word_at(data, len)?);
        return without_link(link, protocol, data.get(len + 4..).ok_or(CUT)?)
            .map(|ether_type| (ether_type, len + 4).into());
    }
    let inner = match link {
        LinkType::JUNIPER_ETHER => LinkType::ETHERNET,
        LinkType::JUNIPER_PPP => LinkType::PPP,
        LinkType::JUNIPER_FRELAY => LinkType::FRELAY,
        LinkType::JUNIPER_CHDLC => LinkType::C_HDLC,
        LinkType::JUNIPER_PPPOE => LinkType::PPP_ETHER,
        other => return Err(Skipped::UnknownLink(other)),
    };
    Ok(LinkHeader { next: Next::Link(inner), len, direction: None })
}

/// Junos' own numbers of protocols.
fn without_link(link: LinkType, protocol: u32, packet: &[u8]) -> Result<u16, Skipped> {
    match protocol {
        2 | 6 => by_version(packet),
        3 | 5 | 7 => Ok(MPLS),
        _ => Err(Skipped::UnknownLink(link)),
    }
}

/// The attribute of an NFLOG record that holds the packet.
const NFULA_PAYLOAD: u16 = 9;

/// Linux's netfilter log: a header with the family, then attributes, one of them the packet. Their
/// lengths are in the byte order of the host that captured.
pub fn nflog<'a>(frame: &Frame<'a>) -> Result<Network<'a>, Skipped> {
    let family = u8_at(frame.data, 0)?;
    let mut rest = frame.data.get(4..).ok_or(CUT)?;
    loop {
        let (kind, len) = attribute(rest)?;
        if len < 4 {
            return Err(MALFORMED);
        }
        if kind == NFULA_PAYLOAD {
            let packet = rest.get(4..len.min(rest.len())).ok_or(CUT)?;
            let ether_type = by_family(u32::from(family))?;
            return Ok(Network { ether_type, packet, len: (len - 4) as u32, direction: None });
        }
        rest = rest.get(len.next_multiple_of(4)..).ok_or(CUT)?;
    }
}

/// Type and length. Types are small numbers, so the wrong order shows.
fn attribute(rest: &[u8]) -> Result<Header, Skipped> {
    let [l0, l1, t0, t1] = word(rest)?;
    let (len, kind) = (u16::from_le_bytes([l0, l1]), u16::from_le_bytes([t0, t1]));
    let (kind, len) = match kind > 0xff {
        true => (kind.swap_bytes(), len.swap_bytes()),
        false => (kind, len),
    };
    Ok((kind, usize::from(len)))
}
