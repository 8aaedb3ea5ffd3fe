//! Tunnels over UDP.

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice, UdpHeaderSlice};

use super::{Bytes, NSH, gre, mpls, ppp, within_link};
use crate::capture::LinkType;
use crate::decode::Skipped;
use crate::decode::link::{self, IPV4, IPV6, Network};

/// Returns the packet inside a UDP datagram, known by its ports; on any other port, VXLAN or GENEVE
/// whose contents prove it.
pub(super) fn within<'a>(bytes: Bytes<'a>, vxlan_ports: &[u16]) -> Option<Network<'a>> {
    let header = UdpHeaderSlice::from_slice(bytes.data).ok()?;
    let inner = bytes.after(8)?;
    match (header.source_port(), header.destination_port()) {
        (_, port) if is_vxlan(port, vxlan_ports) => vxlan(inner),
        (_, 4790) => vxlan_gpe(inner),
        (_, 6081) => geneve(inner),
        (2152, _) | (_, 2152) => gtp_u(inner),
        (3386, _) | (_, 3386) => gtp_0(inner),
        (3544, _) | (_, 3544) => teredo(inner),
        (_, 6080) => gue(inner),
        // LISP's data (RFC 9300, 5.1).
        (_, 4341) => inner.after(8)?.ip(),
        (1701, _) | (_, 1701) => l2tp(inner),
        // RFC 8086, RFC 7510.
        (_, 4754) => gre(inner),
        (_, 6635) => mpls(inner),
        (_, 37008) => tzsp(inner),
        (5247, _) | (_, 5247) => capwap(inner),
        _ => proven(inner),
    }
}

/// VXLAN or GENEVE on a port of anybody's choice: every reserved bit is 0, and inside is a frame
/// whose IP header has a right checksum and fits. No other payload is taken for it.
fn proven(bytes: Bytes) -> Option<Network> {
    const GENEVE_OPTIONS: u8 = 0x3f;
    let header = bytes.data.first_chunk::<8>()?;
    let network = match *header {
        [0x08, 0, 0, 0, _, _, _, 0] => vxlan(bytes),
        [0..=GENEVE_OPTIONS, 0 | 0x40 | 0x80, 0x65, 0x58, _, _, _, 0] => {
            geneve(bytes).and_then(|frame| within_link(&frame))
        }
        _ => None,
    }?;
    holds(&network).then_some(network)
}

/// Is this an IP packet beyond doubt? Short ones may be padded to the least Ethernet frame.
fn holds(network: &Network) -> bool {
    const PADDING: u32 = 46;
    let len = match network.ether_type {
        IPV4 => Ipv4HeaderSlice::from_slice(network.packet).ok().and_then(|header| {
            let is_right = header.header_checksum() == header.to_header().calc_header_checksum();
            is_right.then_some(u32::from(header.total_len()))
        }),
        IPV6 => Ipv6HeaderSlice::from_slice(network.packet)
            .ok()
            .map(|header| 40 + u32::from(header.payload_length())),
        _ => None,
    };
    len.is_some_and(|len| len <= network.len && network.len <= len.max(PADDING))
}

/// Is what goes to this port a tunnel, whatever is in it?
pub(super) fn is_certain(port: u16, vxlan_ports: &[u16]) -> bool {
    matches!(port, 4341 | 4790 | 6081 | 4754 | 6635) || is_vxlan(port, vxlan_ports)
}

/// Is it a usual port of VXLAN (RFC 7348, 5; Linux before that), or one that was named?
fn is_vxlan(port: u16, named: &[u16]) -> bool {
    matches!(port, 4789 | 8472) || named.contains(&port)
}

/// L2TP version 2 (RFC 2661, 3.1) carries PPP; version 3 over UDP (RFC 3931, 4.1.2) anything.
fn l2tp(bytes: Bytes) -> Option<Network> {
    const VERSION: u16 = 0x800f;
    match bytes.u16(0)? & VERSION {
        3 => pseudowire(bytes.after(4)?),
        _ => ppp(l2tp_ppp(bytes)?),
    }
}

/// The PPP in a message of L2TP version 2 that carries data.
pub(super) fn l2tp_ppp(bytes: Bytes) -> Option<Bytes> {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    let flags = bytes.u16(0)?;
    if flags & CONTROL != 0 || flags & 0x0f != 2 {
        return None;
    }
    let mut header = if flags & LENGTH != 0 { 8 } else { 6 };
    header += if flags & SEQUENCE != 0 { 4 } else { 0 };
    if flags & OFFSET != 0 {
        header += 2 + usize::from(bytes.u16(header)?);
    }
    bytes.after(header)
}

/// L2TP version 3: a session, then a cookie and a sequence whose lengths only its ends know. The
/// one counts with which a frame comes out whose IP header proves it.
pub(super) fn pseudowire(bytes: Bytes) -> Option<Network> {
    let headers = [4, 8, 12, 16];
    let mut readings = headers.into_iter().filter_map(|header| {
        let inner = bytes.after(header)?;
        inner.ethernet().filter(holds).or_else(|| ppp(inner).filter(holds))
    });
    readings.next()
}

/// TaZmen's sniffer protocol: what was heard elsewhere, behind tags.
fn tzsp(bytes: Bytes) -> Option<Network> {
    const PADDING: u8 = 0;
    const END: u8 = 1;
    let link = bytes.u16(2)?;
    let mut at = 4;
    loop {
        match bytes.u8(at)? {
            END => break,
            PADDING => at += 1,
            _ => at += 2 + usize::from(bytes.u8(at + 1)?),
        }
    }
    let inner = bytes.after(at + 1)?;
    let link = match link {
        1 => LinkType::ETHERNET,
        18 => LinkType::IEEE802_11,
        119 => LinkType::IEEE802_11_PRISM,
        127 => LinkType::IEEE802_11_AVS,
        _ => return None,
    };
    link::chain(link, inner.data, inner.len).ok()
}

/// Returns why what goes to a tunnel's port cannot be read, though all of it is there.
pub(super) fn refused(bytes: Bytes, vxlan_ports: &[u16]) -> Option<Skipped> {
    let (source, port) = (bytes.u16(0)?, bytes.u16(2)?);
    let inner = bytes.after(8)?;
    if is_vxlan(port, vxlan_ports) {
        let frame = inner.after(8)?;
        let reason = link::ethernet_within(frame.data, frame.len).err()?;
        return matches!(reason, Skipped::Unread(_) | Skipped::Encrypted(_)).then_some(reason);
    }
    let is_part = inner.u8(0)? == 0 && inner.u8(1)? >> 3 >= 2 && inner.u8(3)? & 0x80 != 0;
    let is_known = [source, port].contains(&5247);
    (is_known && is_part).then_some(Skipped::Unread("part of a CAPWAP frame"))
}

/// Wireless stations' data on their way to a controller (RFC 5415, 4.3), Ethernet or 802.11.
fn capwap(bytes: Bytes) -> Option<Network> {
    const NATIVE: u8 = 0x01;
    const FRAGMENT_OR_KEEP_ALIVE: u8 = 0x88;
    let (preamble, flags) = (bytes.u8(0)?, bytes.u8(3)?);
    if preamble != 0 || flags & FRAGMENT_OR_KEEP_ALIVE != 0 {
        return None;
    }
    let inner = bytes.after(usize::from(bytes.u8(1)? >> 3) * 4)?;
    match bytes.u8(2)? & NATIVE == 0 {
        true => inner.ethernet(),
        false => link::chain(LinkType::IEEE802_11, inner.data, inner.len).ok(),
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
        (true, 4) => inner.network(NSH),
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
    // Sessions carry IP, or Ethernet: an address of that can look like the first octet of this.
    let inner = bytes.after(header)?;
    inner.ethernet().filter(holds).or_else(|| inner.ip())
}

/// GTP version 0 (3GPP TS 09.60, 6): its type 255 carries an IP packet behind 20 octets.
fn gtp_0(bytes: Bytes) -> Option<Network> {
    let is_data = bytes.u8(0)? & 0xf0 == 0x10 && bytes.u8(1)? == 255;
    is_data.then(|| bytes.after(20)?.ip())?
}

/// Generic UDP encapsulation (draft-ietf-intarea-gue, 3): a header with the protocol in it, or IP itself.
fn gue(bytes: Bytes) -> Option<Network> {
    let first = bytes.u8(0)?;
    let inner = bytes.after(4 + usize::from(first & 0x1f) * 4);
    match (first >> 5, bytes.u8(1)?) {
        (0, 4) => inner?.network(IPV4),
        (0, 41) => inner?.network(IPV6),
        (2 | 3, _) => bytes.ip(),
        _ => None,
    }
    .filter(holds)
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
