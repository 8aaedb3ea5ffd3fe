//! Ethernet, its tags, LLC, and the other networks of IEEE 802.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::{CUT, Header, IPV4, IPV6, LinkHeader, MALFORMED, Network, u8_at, u16_at};
use crate::capture::LinkType;
use crate::decode::Skipped;

/// An Ethernet frame inside a tunnel.
pub fn ethernet_within(data: &[u8], wire_len: u32) -> Result<Network<'_>, Skipped> {
    let (ether_type, header) = header(data)?;
    untagged(ether_type, data, header, wire_len)
}

/// The packet behind `header` octets and the tags after them.
pub fn untagged(
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

/// Two addresses and the EtherType.
pub fn header(data: &[u8]) -> Result<Header, Skipped> {
    let header = Ethernet2HeaderSlice::from_slice(data).map_err(|_| CUT)?;
    match header.ether_type().0 {
        0..LENGTHS if is_isl(header.destination()) => Ok((u16_at(data, ISL + 12)?, ISL + 14)),
        ether_type => Ok((ether_type, 14)),
    }
}

/// In place of an EtherType stands a length below this.
const LENGTHS: u16 = 0x0600;

/// Octets of the header that Cisco's Inter-Switch Link puts before a frame.
const ISL: usize = 26;

/// Groups of addresses that have no other use.
fn is_isl(destination: [u8; 6]) -> bool {
    matches!(destination, [0x01 | 0x03 | 0x0c, 0, 0x0c, 0, 0, _])
}

/// Tags between the link header and the packet nest this deep at most.
const MAX_TAGS: usize = 8;

/// Steps over tags, and over 802.3's LLC where it names an EtherType.
fn tags(mut ether_type: u16, data: &[u8], mut at: usize) -> Result<Header, Skipped> {
    for _ in 0..MAX_TAGS {
        let rest = data.get(at..).ok_or(CUT)?;
        // The octets of a tag, whose last two are the next EtherType.
        let len = match ether_type {
            // 802.1Q, 802.1ad, and what QinQ used before that.
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
                let tag = SingleVlanHeaderSlice::from_slice(rest).map_err(|_| CUT)?;
                ether_type = tag.ether_type().0;
                at += tag.slice().len();
                continue;
            }
            // Cisco's metadata (security group), and 802.1BR's E-TAG.
            0x8909 | 0x893f => 8,
            // Cisco's VN-Tag, and the redundancy tag of IEC 62439-3.
            0x8926 | 0x892f => 6,
            // Marvell's switch tag with an EtherType of its own.
            0xdada => 8,
            // 802.1ah: a service tag, then the customer's addresses.
            0x88e7 => 18,
            0x88e5 => macsec(rest)?,
            0..LENGTHS => match snap(rest) {
                Some((next, len)) => {
                    ether_type = next;
                    at += len;
                    continue;
                }
                None => return Err(Skipped::Llc),
            },
            _ => return Ok((ether_type, at)),
        };
        ether_type = u16_at(rest, len - 2)?;
        at += len;
    }
    Err(MALFORMED)
}

/// The security tag of 802.1AE: what follows can be read where only its integrity is protected.
fn macsec(rest: &[u8]) -> Result<usize, Skipped> {
    const CHANNEL: u8 = 0x20;
    const ENCRYPTED: u8 = 0x0c;
    let control = u8_at(rest, 0)?;
    if control & ENCRYPTED != 0 {
        return Err(Skipped::Encrypted("MACsec"));
    }
    Ok(6 + if control & CHANNEL != 0 { 8 } else { 0 } + 2)
}

/// LLC that names an EtherType by SNAP, or IP by its service access point or NLPID.
pub fn snap(data: &[u8]) -> Option<Header> {
    match data {
        // RFC 1042, and bridge-tunnel encapsulation (802.1H).
        [0xaa, 0xaa, 3, 0, 0, 0 | 0xf8, high, low, ..] => {
            Some((u16::from_be_bytes([*high, *low]), 8))
        }
        [0x06, 0x06, 3, ..] => Some((IPV4, 3)),
        [0xfe, 0xfe, 3, 0xcc, ..] => Some((IPV4, 4)),
        [0xfe, 0xfe, 3, 0x8e, ..] => Some((IPV6, 4)),
        _ => None,
    }
}

/// Networks whose header ends in LLC.
pub fn llc_network(link: LinkType, data: &[u8]) -> Result<LinkHeader, Skipped> {
    let at = match link {
        // Frame control and two addresses.
        LinkType::FDDI => 13,
        LinkType::IEEE802_5 => token_ring(data)?,
        LinkType::IP_OVER_FC => 16,
        // RFC 1577 has LLC; Linux captures without it.
        LinkType::ATM_CLIP if snap(data).is_none() => {
            return super::by_version(data).map(|ether_type| (ether_type, 0).into());
        }
        LinkType::SUNATM => match u8_at(data, 0)? & 0x0f {
            // LAN emulation: a client's number, then Ethernet.
            1 => return Ok(LinkHeader::link(LinkType::ETHERNET, 6)),
            2 => 4,
            _ => return Err(Skipped::Llc),
        },
        _ => 0,
    };
    let llc = data.get(at..).ok_or(CUT)?;
    match llc {
        // Bridged Ethernet (RFC 2684, 5.2), with or without its frame check sequence.
        [0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 1 | 7, ..] => {
            Ok(LinkHeader::link(LinkType::ETHERNET, at + 10))
        }
        _ => {
            let (ether_type, len) = snap(llc).ok_or(Skipped::Llc)?;
            Ok((ether_type, at + len).into())
        }
    }
}

/// Access and frame control, two addresses, and a route if the source's top bit says so.
fn token_ring(data: &[u8]) -> Result<usize, Skipped> {
    let has_route = u8_at(data, 8)? & 0x80 != 0;
    let route = if has_route { usize::from(u8_at(data, 14)? & 0x1f) } else { 0 };
    Ok(14 + route)
}

/// ARCNET: a protocol at `at`, after which RFC 1201 has a split flag and a sequence number, and
/// RFC 1051 nothing.
pub fn arcnet(data: &[u8], at: usize, header: usize) -> Result<LinkHeader, Skipped> {
    match u8_at(data, at)? {
        0xd4 => Ok((IPV4, header).into()),
        0xc4 => Ok((IPV6, header).into()),
        0xf0 => Ok((IPV4, at + 1).into()),
        other => Err(Skipped::NotIp(u16::from(other))),
    }
}

/// Cable modems: a header with extensions, its checksum, then Ethernet.
pub fn docsis(data: &[u8]) -> Result<LinkHeader, Skipped> {
    const HAS_EXTENSION: u8 = 1;
    /// Baseline privacy upstream and downstream, and the bit that says that it is on.
    const PRIVACY: [u8; 2] = [3, 4];
    const IS_ON: u8 = 0x80;
    let (control, parameter) = (u8_at(data, 0)?, u8_at(data, 1)?);
    if control >> 6 != 0 {
        return Err(Skipped::NoData("DOCSIS management"));
    }
    if control & HAS_EXTENSION == 0 {
        return Ok(LinkHeader::link(LinkType::ETHERNET, 6));
    }
    let is_private = PRIVACY.contains(&(u8_at(data, 4)? >> 4)) && u8_at(data, 6)? & IS_ON != 0;
    match is_private {
        true => Err(Skipped::Encrypted("DOCSIS")),
        false => Ok(LinkHeader::link(LinkType::ETHERNET, 6 + usize::from(parameter))),
    }
}
