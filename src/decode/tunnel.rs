//! Tunnels: what carries another packet inside. The innermost TCP counts, with its own addresses.
//!
//! Each function takes the octets after the outer header and gives what they carry, or `None` where
//! they turn out to be something else.

use etherparse::{IpNumber, UdpHeaderSlice};

use super::ip::Transport;
use super::link::{self, IPV4, IPV6, Network};

/// Octets, and how many of them were on the wire.
#[derive(Clone, Copy)]
struct Bytes<'a> {
    data: &'a [u8],
    len: u32,
}

impl<'a> Bytes<'a> {
    fn u16(self, at: usize) -> Option<u16> {
        let pair = self.data.get(at..at.checked_add(2)?)?;
        Some(u16::from_be_bytes([pair[0], pair[1]]))
    }

    fn u8(self, at: usize) -> Option<u8> {
        self.data.get(at).copied()
    }

    fn after(self, header: usize) -> Option<Bytes<'a>> {
        let data = self.data.get(header..)?;
        Some(Bytes { data, len: self.len.checked_sub(header as u32)? })
    }

    fn network(self, ether_type: u16) -> Option<Network<'a>> {
        Some(Network { ether_type, packet: self.data, len: self.len, direction: None })
    }

    fn ethernet(self) -> Option<Network<'a>> {
        link::ethernet_within(self.data, self.len).ok()
    }

    /// IPv4 or IPv6, by the version in the first octet.
    fn ip(self) -> Option<Network<'a>> {
        self.network(link::by_version(self.data).ok()?)
    }
}

/// Transparent Ethernet bridging: an Ethernet frame where an EtherType was expected.
const ETHERNET: u16 = 0x6558;

/// Looks into MPLS, PPPoE and bridged Ethernet; `None` if the packet is none of them.
#[must_use]
pub fn within_link<'a>(network: &Network<'a>) -> Option<Network<'a>> {
    let bytes = Bytes { data: network.packet, len: network.len };
    match network.ether_type {
        0x8847 | 0x8848 => mpls(bytes),
        // PPPoE: version and type, code, session, length; then PPP (RFC 2516, 4).
        0x8864 => ppp(bytes.after(6)?),
        ETHERNET => bytes.ethernet(),
        _ => None,
    }
}

/// Looks into the tunnels that IP carries; `None` if the payload is none of them.
#[must_use]
pub fn within_ip<'a>(outer: &Transport<'a>) -> Option<Network<'a>> {
    let bytes = Bytes { data: outer.data, len: outer.len };
    match outer.protocol {
        IpNumber::IPV4 => bytes.network(IPV4),
        IpNumber::IPV6 => bytes.network(IPV6),
        IpNumber::GRE => gre(bytes),
        IpNumber::UDP => udp(bytes),
        _ => None,
    }
}

/// Labels of four octets, the last marked as the bottom of the stack (RFC 3032, 2.1).
fn mpls(bytes: Bytes) -> Option<Network> {
    let bottom = bytes.data.chunks_exact(4).position(|label| label[2] & 1 == 1)?;
    bytes.after((bottom + 1) * 4)?.ip()
}

fn ppp(bytes: Bytes) -> Option<Network> {
    let (ether_type, header) = link::ppp(bytes.data).ok()?;
    bytes.after(header)?.network(ether_type)
}

/// GRE (RFC 2784, RFC 2890), and version 1 of PPTP (RFC 2637): flags tell which fields are there.
fn gre(bytes: Bytes) -> Option<Network> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGMENT: u16 = 0x0080;
    let (flags, protocol) = (bytes.u16(0)?, bytes.u16(2)?);
    let version = flags & 7;
    if flags & ROUTING != 0 || version > 1 {
        return None;
    }
    let fields = [CHECKSUM, KEY, SEQUENCE];
    let mut header = 4 + 4 * fields.iter().filter(|field| flags & **field != 0).count();
    if version == 1 && flags & ACKNOWLEDGMENT != 0 {
        header += 4;
    }
    let inner = bytes.after(header)?;
    match protocol {
        0x880b => ppp(inner),
        0x88be => erspan_2(inner, flags & SEQUENCE != 0),
        0x22eb => erspan_3(inner),
        // Aruba's access points tunnel what they hear on the air.
        0x8200..=0x820f => wireless(inner),
        // WCCP redirection: an IP packet, perhaps with four octets before it.
        0x883e => inner.ip().or_else(|| inner.after(4)?.ip()),
        protocol => inner.network(protocol),
    }
}

/// ERSPAN type II has a header of its own, type I has not and counts no sequence.
fn erspan_2(bytes: Bytes, has_sequence: bool) -> Option<Network> {
    bytes.after(if has_sequence { 8 } else { 0 })?.ethernet()
}

/// ERSPAN type III: its last bit says that a platform header follows.
fn erspan_3(bytes: Bytes) -> Option<Network> {
    let platform = if bytes.u8(11)? & 1 == 1 { 8 } else { 0 };
    bytes.after(12 + platform)?.ethernet()
}

/// IEEE 802.11 data, unprotected: the header grows with its flags, then LLC and SNAP.
fn wireless(bytes: Bytes) -> Option<Network> {
    let (control, flags) = (bytes.u8(0)?, bytes.u8(1)?);
    let is_data = control & 0x0c == 0x08;
    let (protected, qos) = (flags & 0x40 != 0, control & 0x80 != 0);
    if !is_data || protected {
        return None;
    }
    let four_addresses = flags & 3 == 3;
    let header = 24 + if four_addresses { 6 } else { 0 } + if qos { 2 } else { 0 };
    let (ether_type, llc) = link::snap(bytes.data.get(header..)?)?;
    bytes.after(header + llc)?.network(ether_type)
}

fn udp(bytes: Bytes) -> Option<Network> {
    let header = UdpHeaderSlice::from_slice(bytes.data).ok()?;
    let inner = bytes.after(8)?;
    match (header.source_port(), header.destination_port()) {
        (_, 4789 | 8472) => vxlan(inner),
        (_, 4790) => vxlan_gpe(inner),
        (_, 6081) => geneve(inner),
        (2152, _) | (_, 2152) => gtp_u(inner),
        (3544, _) | (_, 3544) => teredo(inner),
        _ => None,
    }
}

/// VXLAN (RFC 7348, 5): the flag says that a network identifier is there.
fn vxlan(bytes: Bytes) -> Option<Network> {
    let valid = bytes.u8(0)? & 0x08 != 0;
    valid.then(|| bytes.after(8)?.ethernet())?
}

/// VXLAN with a protocol of its own choice (draft-ietf-nvo3-vxlan-gpe, 3).
fn vxlan_gpe(bytes: Bytes) -> Option<Network> {
    let inner = bytes.after(8)?;
    match (bytes.u8(0)? & 0x04 != 0, bytes.u8(3)?) {
        (false, _) | (true, 3) => inner.ethernet(),
        (true, 1) => inner.network(IPV4),
        (true, 2) => inner.network(IPV6),
        _ => None,
    }
}

/// GENEVE (RFC 8926, 3.4): version 0, options, then whatever its protocol says.
fn geneve(bytes: Bytes) -> Option<Network> {
    let (first, protocol) = (bytes.u8(0)?, bytes.u16(2)?);
    let options = usize::from(first & 0x3f) * 4;
    let version = first >> 6;
    (version == 0).then(|| bytes.after(8 + options)?.network(protocol))?
}

/// GTP-U (3GPP TS 29.281, 5.1): only type 255 carries a packet; flags promise four more octets, and
/// extension headers after them.
fn gtp_u(bytes: Bytes) -> Option<Network> {
    const EXTENSION: u8 = 0x04;
    let (flags, kind) = (bytes.u8(0)?, bytes.u8(1)?);
    if flags & 0xf0 != 0x30 || kind != 255 {
        return None;
    }
    let mut header = if flags & 7 == 0 { 8 } else { 12 };
    let mut next = if flags & EXTENSION != 0 { bytes.u8(11)? } else { 0 };
    while next != 0 {
        // In units of four octets, and never none, or this would not end.
        let len = usize::from(bytes.u8(header)?).max(1) * 4;
        next = bytes.u8(header + len - 1)?;
        header += len;
    }
    bytes.after(header)?.ip()
}

/// Teredo (RFC 4380, 5.1.1): authentication and origin can stand before the IPv6 packet.
fn teredo(mut bytes: Bytes) -> Option<Network> {
    if bytes.u16(0)? == 0x0001 {
        let (client, value) = (bytes.u8(2)?, bytes.u8(3)?);
        bytes = bytes.after(13 + usize::from(client) + usize::from(value))?;
    }
    if bytes.u16(0)? == 0x0000 {
        bytes = bytes.after(8)?;
    }
    bytes.network(IPV6)
}
