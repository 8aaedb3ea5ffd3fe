//! Link layers: Ethernet with VLAN tags, Linux cooked, raw IP.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::{Layer, Skipped};
use crate::capture::{Frame, LinkType};
use crate::tcp::segment::{Direction, ToldBy, Way};

/// What the link layer carries.
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

/// 802.1Q, 802.1ad, and what QinQ used before that.
const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// Tags nest this deep at most.
const MAX_TAGS: usize = 8;

/// Strips the link layer and its tags.
pub fn strip<'a>(frame: &Frame<'a>) -> Result<Network<'a>, Skipped> {
    let (ether_type, header, direction) = match frame.link {
        LinkType::ETHERNET => (ethernet(frame.data)?, 14, None),
        LinkType::LINUX_SLL => cooked(frame.data, 14, 0, 16)?,
        LinkType::LINUX_SLL2 => cooked(frame.data, 0, 10, 20)?,
        LinkType::RAW | LinkType(12 | 14) => (by_version(frame.data)?, 0, None),
        LinkType::IPV4 => (IPV4, 0, None),
        LinkType::IPV6 => (IPV6, 0, None),
        other => return Err(Skipped::UnknownLink(other)),
    };
    let (ether_type, header) = tags(ether_type, frame.data, header)?;
    let packet = frame.data.get(header..).ok_or(Skipped::Cut(Layer::Link))?;
    let missing = frame.original_len.saturating_sub(frame.data.len() as u32);
    Ok(Network {
        ether_type,
        packet,
        len: (packet.len() as u32).saturating_add(missing),
        direction,
    })
}

fn ethernet(data: &[u8]) -> Result<u16, Skipped> {
    let header = Ethernet2HeaderSlice::from_slice(data).map_err(|_| Skipped::Cut(Layer::Link))?;
    Ok(header.ether_type().0)
}

/// Steps over VLAN tags, and over 802.3's LLC where a SNAP header names an EtherType.
fn tags(mut ether_type: u16, data: &[u8], mut at: usize) -> Result<(u16, usize), Skipped> {
    for _ in 0..MAX_TAGS {
        let rest = data.get(at..).ok_or(Skipped::Cut(Layer::Link))?;
        match ether_type {
            tag if VLAN.contains(&tag) => {
                let tag = SingleVlanHeaderSlice::from_slice(rest)
                    .map_err(|_| Skipped::Cut(Layer::Link))?;
                ether_type = tag.ether_type().0;
                at += 4;
            }
            // Below 0x0600 it is a length.
            0..0x0600 => match rest {
                [0xaa, 0xaa, 3, 0, 0, 0, high, low, ..] => {
                    ether_type = u16::from_be_bytes([*high, *low]);
                    at += 8;
                }
                _ => return Err(Skipped::Llc),
            },
            _ => return Ok((ether_type, at)),
        }
    }
    Err(Skipped::Malformed(Layer::Link))
}

/// Linux cooked headers, versions 1 and 2: where the protocol and the packet type stand, and how long
/// the header is. The packet type's last octet is enough.
fn cooked(
    data: &[u8],
    protocol_at: usize,
    type_at: usize,
    len: usize,
) -> Result<(u16, usize, Option<Direction>), Skipped> {
    let header = data.get(..len).ok_or(Skipped::Cut(Layer::Link))?;
    let ether_type = u16::from_be_bytes([header[protocol_at], header[protocol_at + 1]]);
    // Version 1 has two octets for the type, version 2 one.
    let packet_type = if type_at == 0 { header[1] } else { header[type_at] };
    let way = match packet_type {
        // PACKET_HOST, BROADCAST, MULTICAST, OTHERHOST: it came in.
        0..=3 => Some(Way::In),
        // PACKET_OUTGOING
        4 => Some(Way::Out),
        _ => None,
    };
    let told_by = ToldBy::PacketType;
    Ok((ether_type, len, way.map(|way| Direction { way, told_by })))
}

fn by_version(data: &[u8]) -> Result<u16, Skipped> {
    match data.first().map(|octet| octet >> 4) {
        Some(4) => Ok(IPV4),
        Some(6) => Ok(IPV6),
        Some(_) => Err(Skipped::Malformed(Layer::Ip)),
        None => Err(Skipped::Cut(Layer::Ip)),
    }
}
