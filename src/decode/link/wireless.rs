//! IEEE 802.11 as it is heard on the air, and what captures put before it.

use super::{CUT, Header, LinkHeader, MALFORMED, snap, u8_at, u16_at, word_at};
use crate::capture::LinkType;
use crate::decode::Skipped;

/// The header of one of these link types.
pub fn step(link: LinkType, data: &[u8]) -> Result<LinkHeader, Skipped> {
    match link {
        LinkType::IEEE802_11_RADIOTAP => radiotap(data),
        LinkType::IEEE802_11_PRISM => prism(data),
        LinkType::IEEE802_11_AVS => avs(data),
        LinkType::PPI => ppi(data),
        _ => frame(data, false).map(LinkHeader::from),
    }
}

/// A version, a length, words of presence bits, and fields by them.
fn radiotap(data: &[u8]) -> Result<LinkHeader, Skipped> {
    const PADDED: u8 = 0x20;
    const DAMAGED: u8 = 0x40;
    let len = usize::from(u16_at(data, 2)?.swap_bytes());
    let flags = radiotap_flags(data.get(..len).ok_or(CUT)?)?;
    if flags & DAMAGED != 0 {
        return Err(Skipped::NoData("802.11 damaged on the air"));
    }
    let (ether_type, header) = frame(data.get(len..).ok_or(CUT)?, flags & PADDED != 0)?;
    Ok((ether_type, len + header).into())
}

/// The field Flags, the second of all; fields are aligned to their size.
fn radiotap_flags(header: &[u8]) -> Result<u8, Skipped> {
    const HAS_TIME: u32 = 1;
    const HAS_FLAGS: u32 = 2;
    const MORE: u32 = 1 << 31;
    let present = |at| word_at(header, at).map(u32::from_le_bytes);
    let mut at = 4;
    let first = present(at)?;
    while present(at)? & MORE != 0 {
        at += 4;
    }
    at += 4;
    if first & HAS_TIME != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    if first & HAS_FLAGS != 0 { u8_at(header, at) } else { Ok(0) }
}

/// A message of fixed size, in the byte order of the host; drivers put AVS in its place.
fn prism(data: &[u8]) -> Result<LinkHeader, Skipped> {
    if is_avs(data)? {
        return avs(data);
    }
    let len = u32::from_le_bytes(word_at(data, 4)?);
    let len = len.min(len.swap_bytes()) as usize;
    match len {
        8.. => Ok(LinkHeader::link(LinkType::IEEE802_11, len)),
        _ => Err(MALFORMED),
    }
}

fn is_avs(data: &[u8]) -> Result<bool, Skipped> {
    Ok(word_at(data, 0)?.starts_with(&[0x80, 0x21, 0x10]))
}

fn avs(data: &[u8]) -> Result<LinkHeader, Skipped> {
    let len = u32::from_be_bytes(word_at(data, 4)?) as usize;
    match is_avs(data)? && len >= 8 {
        true => Ok(LinkHeader::link(LinkType::IEEE802_11, len)),
        false => Err(MALFORMED),
    }
}

/// Per-packet information: its length, and the link type after it.
fn ppi(data: &[u8]) -> Result<LinkHeader, Skipped> {
    let len = usize::from(u16_at(data, 2)?.swap_bytes());
    let link = u32::from_le_bytes(word_at(data, 4)?);
    match u16::try_from(link) {
        Ok(link) if len >= 8 => Ok(LinkHeader::link(LinkType(link), len)),
        _ => Err(MALFORMED),
    }
}

/// A data frame: its header grows with its flags, then come LLC and SNAP.
pub fn frame(data: &[u8], padded: bool) -> Result<Header, Skipped> {
    const PROTECTED: u8 = 0x40;
    const ORDERED: u8 = 0x80;
    const QOS: u8 = 0x80;
    const WITHOUT_DATA: u8 = 0x40;
    let (control, flags) = (u8_at(data, 0)?, u8_at(data, 1)?);
    match (control & 3, control >> 2 & 3) {
        (0, 2) if control & WITHOUT_DATA != 0 => {
            return Err(Skipped::NoData("802.11 without data"));
        }
        (0, 2) => {}
        (0, 0) => return Err(Skipped::NoData("802.11 management")),
        (0, 1) => return Err(Skipped::NoData("802.11 control")),
        _ => return Err(Skipped::NoData("802.11 extension")),
    }
    if u8_at(data, 22)? & 0x0f != 0 {
        return Err(Skipped::Fragment);
    }
    let (four_addresses, qos) = (flags & 3 == 3, control & QOS != 0);
    let to_qos = 24 + if four_addresses { 6 } else { 0 };
    let mut len: usize = to_qos;
    if qos {
        len += if flags & ORDERED != 0 { 6 } else { 2 };
    }
    if padded {
        len = len.next_multiple_of(4);
    }
    if qos && u8_at(data, to_qos)? & 0x80 != 0 {
        len += aggregated(data.get(len..).ok_or(CUT)?, flags & PROTECTED != 0)?;
    }
    // In a mesh, a control of its own stands before LLC: flags, a TTL, a number, and up to two addresses.
    let mesh = match qos && u8_at(data, to_qos + 1)? & 1 != 0 {
        true => data.get(len).map(|flags| 6 + 6 * usize::from(flags & 3)),
        false => None,
    };
    let llc = data.get(len..).ok_or(CUT)?;
    let after = |skipped: usize| {
        let (ether_type, llc) = snap(llc.get(skipped..)?)?;
        Some((ether_type, len + skipped + llc))
    };
    match flags & PROTECTED != 0 {
        false => after(0).or_else(|| after(mesh?)).ok_or(Skipped::Llc),
        // Drivers that decrypt leave the flag, and perhaps the initialization vector.
        true => after(0).or_else(|| after(8)).ok_or(Skipped::Encrypted("802.11")),
    }
}

/// An aggregate of frames (A-MSDU): two addresses and a length before each. Only one is read.
fn aggregated(data: &[u8], protected: bool) -> Result<usize, Skipped> {
    const HEADER: usize = 14;
    const CHECK_SEQUENCE: usize = 4;
    if protected {
        return Err(Skipped::Encrypted("802.11"));
    }
    let first = HEADER + usize::from(u16_at(data, 12)?);
    match first.next_multiple_of(4) + HEADER + CHECK_SEQUENCE > data.len() {
        true => Ok(HEADER),
        false => Err(Skipped::Unread("802.11 aggregate")),
    }
}
