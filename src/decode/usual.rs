//! The most frequent packet of most captures in one go: Ethernet without tags, IPv4 without options
//! and in one piece, TCP.
//!
//! Everything else takes the long way through the layers, which is the one that says what is right;
//! a test holds this one against it. It is several times as fast, and with it decoding is no longer
//! what reading a capture waits for.

use super::Header;
use crate::capture::{Frame, LinkType};

/// A TCP packet between two IPv4 addresses.
pub struct Packet<'a> {
    pub source: (u32, u16),
    pub destination: (u32, u16),
    pub header: Header,
    /// From the TCP header on; padding may follow.
    pub data: &'a [u8],
}

const ETHERNET: usize = 14;
const IPV4: usize = 20;

/// The packet, or `None` if it is any other or if anything is wrong with it.
#[inline]
pub fn tcp<'a>(frame: &Frame<'a>) -> Option<Packet<'a>> {
    if frame.link != LinkType::ETHERNET {
        return None;
    }
    let (headers, data) = frame.data.split_first_chunk::<{ ETHERNET + IPV4 }>()?;
    let u16_at = |at: usize| u16::from_be_bytes([headers[at], headers[at + 1]]);
    let u32_at = |at: usize| u32::from(u16_at(at)) << 16 | u32::from(u16_at(at + 2));
    let ip = |at: usize| ETHERNET + at;
    // EtherType; version and header length; protocol; fragment offset.
    let is_usual = u16_at(12) == super::link::IPV4
        && headers[ip(0)] == 0x45
        && headers[ip(9)] == 6
        && u16_at(ip(6)) & 0x1fff == 0;
    let total = u32::from(u16_at(ip(2)));
    if !is_usual || total == 0 {
        return None;
    }
    let header = Header::read(data, total.checked_sub(IPV4 as u32)?).ok()?;
    Some(Packet {
        source: (u32_at(ip(12)), header.source),
        destination: (u32_at(ip(16)), header.destination),
        header,
        data,
    })
}
