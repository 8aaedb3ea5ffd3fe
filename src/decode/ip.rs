//! IPv4, and IPv6 with its extension headers.

use std::net::{IpAddr, Ipv6Addr};

use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6ExtensionSlice, Ipv6ExtensionsSlice,
    Ipv6HeaderSlice,
};

use super::link::{IPV4, IPV6};
use super::{Layer, Skipped};

/// A packet of a transport protocol, and the addresses that IP gave it.
#[derive(Clone)]
pub struct Transport<'a> {
    /// The sender's address.
    pub source: IpAddr,
    /// The receiver's address, the last one of a routing header.
    pub destination: IpAddr,
    /// The protocol above IP, behind all extension headers.
    pub protocol: IpNumber,
    /// Octets behind the headers, as many as were captured.
    pub data: &'a [u8],
    /// Octets that were sent, by the IP header; `data` may hold fewer, or padding behind them.
    pub len: u32,
    /// The first fragment: others follow.
    pub fragment: bool,
    /// The TTL or hop limit.
    pub hops_left: u8,
}

/// Octets of IPv6's fixed header.
const IPV6_HEADER: usize = 40;

/// Strips the IP header. `wire_len` octets of the packet were on the wire.
///
/// # Errors
/// If it is neither IPv4 nor IPv6, a later fragment, cut off, or contradicts itself.
pub fn strip(ether_type: u16, packet: &[u8], wire_len: u32) -> Result<Transport<'_>, Skipped> {
    match ether_type {
        IPV4 => v4(packet, wire_len),
        IPV6 => v6(packet, wire_len),
        other => Err(Skipped::NotIp(other)),
    }
}

fn v4(packet: &[u8], wire_len: u32) -> Result<Transport<'_>, Skipped> {
    let header = Ipv4HeaderSlice::from_slice(packet).map_err(|_| cut_or_malformed(packet, 4))?;
    if header.fragments_offset().value() > 0 {
        return Err(Skipped::Fragment);
    }
    // With segmentation offload the length can be left at 0: then only the frame's own is known.
    let total = match header.total_len() {
        0 => wire_len,
        len => u32::from(len),
    };
    let header_len = header.slice().len();
    let after = packet.get(header_len..).unwrap_or_default();
    let (protocol, authentication) = authenticated(header.protocol(), after)?;
    Ok(Transport {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        protocol,
        data: after.get(authentication..).unwrap_or_default(),
        len: less(total, header_len + authentication)?,
        fragment: header.more_fragments(),
        hops_left: header.ttl(),
    })
}

/// Steps over an authentication header (RFC 4302); over IPv6 it is one of the extensions.
fn authenticated(protocol: IpNumber, data: &[u8]) -> Result<(IpNumber, usize), Skipped> {
    if protocol != IpNumber::AUTHENTICATION_HEADER {
        return Ok((protocol, 0));
    }
    let header = IpAuthHeaderSlice::from_slice(data).map_err(|_| Skipped::Cut(Layer::Ip))?;
    Ok((header.next_header(), header.slice().len()))
}

fn v6(packet: &[u8], wire_len: u32) -> Result<Transport<'_>, Skipped> {
    let header = Ipv6HeaderSlice::from_slice(packet).map_err(|_| cut_or_malformed(packet, 6))?;
    // Jumbograms and segmentation offload leave the length at 0.
    let len = match header.payload_length() {
        0 => less(wire_len, IPV6_HEADER)?,
        len => u32::from(len),
    };
    let after = packet.get(IPV6_HEADER..).unwrap_or_default();
    let (extensions, protocol, data, error) =
        Ipv6ExtensionsSlice::from_slice_lax(header.next_header(), after);
    if error.is_some() {
        return Err(Skipped::Cut(Layer::Ip));
    }
    let extensions_len = extensions.slice().len();
    if extensions.clone().into_iter().any(is_later_fragment) {
        return Err(Skipped::Fragment);
    }
    let routed = extensions.clone().into_iter().find_map(final_destination);
    Ok(Transport {
        source: header.source_addr().into(),
        destination: routed.unwrap_or(header.destination_addr()).into(),
        protocol,
        data,
        len: less(len, extensions_len)?,
        fragment: extensions.is_fragmenting_payload(),
        hops_left: header.hop_limit(),
    })
}

fn is_later_fragment(extension: Ipv6ExtensionSlice) -> bool {
    match extension {
        Ipv6ExtensionSlice::Fragment(fragment) => fragment.fragment_offset().value() > 0,
        _ => false,
    }
}

/// Returns the last address of a routing header that has not been followed to its end: TCP's pseudo-header has that
/// one (RFC 8200, 8.1). Of the types of RFC 8754 (segments, the last one first) and RFC 6275 (a home address); type 0 is
/// forbidden (RFC 5095).
fn final_destination(extension: Ipv6ExtensionSlice) -> Option<Ipv6Addr> {
    let Ipv6ExtensionSlice::Routing(routing) = extension else { return None };
    let [kind, segments_left, _, _, _, _, addresses @ ..] = routing.payload() else { return None };
    let last =
        addresses.first_chunk::<16>().filter(|_| matches!(kind, 2 | 4) && *segments_left > 0);
    last.map(|octets| Ipv6Addr::from(*octets))
}

fn less(total: u32, header: usize) -> Result<u32, Skipped> {
    total.checked_sub(header as u32).ok_or(Skipped::Malformed(Layer::Ip))
}

/// Too short for its header, or of another version than the link layer said.
fn cut_or_malformed(packet: &[u8], version: u8) -> Skipped {
    match packet.first() {
        Some(octet) if octet >> 4 != version => Skipped::Malformed(Layer::Ip),
        Some(octet) if version == 4 && octet & 0xf < 5 => Skipped::Malformed(Layer::Ip),
        _ => Skipped::Cut(Layer::Ip),
    }
}
