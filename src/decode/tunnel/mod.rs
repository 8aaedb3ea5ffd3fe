//! Tunnels: what carries another packet inside. The innermost TCP counts, with its own addresses.
//!
//! Each function takes the octets after the outer header and gives what they carry, or `None` where
//! they turn out to be something else.
//!
//! * [`udp`]: those over UDP
//! * [`sealed`]: those that are encrypted
//! * [`lacking`]: those whose inside was cut off

pub mod lacking;
pub mod sealed;
pub mod udp;

use etherparse::IpNumber;

use super::ip::Transport;
use super::link::{self, IPV4, IPV6, Network, wireless};

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

/// PPP, where an EtherType was expected.
const PPP: u16 = 0x880b;

/// A network service header.
const NSH: u16 = 0x894f;

/// The mesh of batman-adv, and its packets that are parts of others.
const BATMAN: u16 = 0x4305;
const BATMAN_FRAGMENT: u8 = 0x41;

/// RFC 3931, over IP.
const L2TP: u8 = 115;

/// RFC 3378, RFC 8986: Ethernet over IP with a version of its own, and without.
const ETHER_IP: u8 = 97;
const PLAIN_ETHERNET: u8 = 143;

/// Looks into MPLS, PPPoE, bridged Ethernet and their like; `None` if the packet is none of them.
#[must_use]
pub fn within_link<'a>(network: &Network<'a>) -> Option<Network<'a>> {
    let bytes = Bytes { data: network.packet, len: network.len };
    match network.ether_type {
        0x8847 | 0x8848 => mpls(bytes),
        // PPPoE: version and type, code, session, length; then PPP (RFC 2516, 4).
        link::PPPOE => ppp(bytes.after(6)?),
        PPP => ppp(bytes),
        NSH => nsh(bytes),
        0x22f3 => trill(bytes),
        // Cisco's FabricPath: a tag before the frame.
        0x8903 => bytes.after(2)?.ethernet(),
        BATMAN => batman(bytes),
        ETHERNET => bytes.ethernet(),
        _ => None,
    }
}

/// Looks into the tunnels that IP carries; `None` if the payload is none of them. `vxlan` are ports
/// that carry it.
#[must_use]
pub fn within_ip<'a>(outer: &Transport<'a>, vxlan: &[u16]) -> Option<Network<'a>> {
    let bytes = Bytes { data: outer.data, len: outer.len };
    match outer.protocol {
        IpNumber::IPV4 => bytes.network(IPV4),
        IpNumber::IPV6 => bytes.network(IPV6),
        IpNumber::GRE => gre(bytes),
        IpNumber::UDP => udp::within(bytes, vxlan),
        IpNumber::MPLS_IN_IP => mpls(bytes),
        IpNumber(ETHER_IP) => bytes.after(2)?.ethernet(),
        IpNumber(PLAIN_ETHERNET) => bytes.ethernet(),
        IpNumber(L2TP) => udp::pseudowire(bytes),
        _ => None,
    }
}

/// Labels of four octets, the last marked as the bottom of the stack (RFC 3032, 2.1).
fn mpls(bytes: Bytes) -> Option<Network> {
    let bottom = bytes.data.chunks_exact(4).position(|label| label[2] & 1 == 1)?;
    let inner = bytes.after((bottom + 1) * 4)?;
    inner.ip().or_else(|| pseudowire(inner))
}

/// Ethernet behind a control word (RFC 4448, 4.6), whose first four bits are 0; or without one, which both ends of a
/// pseudowire may agree on.
fn pseudowire(bytes: Bytes) -> Option<Network> {
    let has_control_word = bytes.u8(0)? >> 4 == 0;
    let is_ip = |inner: &Network| matches!(inner.ether_type, IPV4 | IPV6);
    let behind = if has_control_word { bytes.after(4)?.ethernet() } else { None };
    behind.filter(is_ip).or_else(|| bytes.ethernet().filter(is_ip))
}

/// RFC 8300, 2: lengths in units of four octets, and the next protocol in the fourth octet.
fn nsh(bytes: Bytes) -> Option<Network> {
    let header = usize::from(bytes.u8(1)? & 0x3f) * 4;
    let inner = bytes.after(header.max(8))?;
    match bytes.u8(3)? {
        1 => inner.network(IPV4),
        2 => inner.network(IPV6),
        3 => inner.ethernet(),
        4 => inner.network(NSH),
        5 => inner.network(link::MPLS),
        _ => None,
    }
}

/// RFC 6325, 3: two nicknames and options before an Ethernet frame.
fn trill(bytes: Bytes) -> Option<Network> {
    let options = usize::from(bytes.u16(0)? >> 6 & 0x1f) * 4;
    bytes.after(6 + options)?.ethernet()
}

/// Version 15 of batman-adv's packets: for one node, the same with its origin, and for all.
fn batman(bytes: Bytes) -> Option<Network> {
    let header = match (bytes.u8(0)?, bytes.u8(1)?) {
        (0x40, 15) => 10,
        (0x42, 15) => 18,
        (0x01, 15) => 14,
        _ => return None,
    };
    bytes.after(header)?.ethernet()
}

fn ppp(bytes: Bytes) -> Option<Network> {
    let (ether_type, header) = link::ppp(bytes.data).ok()?;
    bytes.after(header)?.network(ether_type)
}

/// The parts of a GRE header that tell what is inside.
struct Gre<'a> {
    protocol: u16,
    has_sequence: bool,
    inner: Bytes<'a>,
}

/// GRE (RFC 2784, RFC 2890), and version 1 of PPTP (RFC 2637): flags tell which fields are there.
fn gre_header(bytes: Bytes) -> Option<Gre> {
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
    Some(Gre { protocol, has_sequence: flags & SEQUENCE != 0, inner: bytes.after(header)? })
}

fn gre(bytes: Bytes) -> Option<Network> {
    let Gre { protocol, has_sequence, inner } = gre_header(bytes)?;
    match protocol {
        PPP => ppp(inner),
        0x88be => erspan_2(inner, has_sequence),
        0x22eb => erspan_3(inner),
        // Aruba's access points tunnel what they hear on the air.
        0x8200..=0x820f => wireless(inner),
        // MikroTik: a length and a number stand in the key.
        0x6400 => inner.ethernet(),
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

/// IEEE 802.11 data that can be read.
fn wireless(bytes: Bytes) -> Option<Network> {
    let (ether_type, header) = wireless::frame(bytes.data, false).ok()?;
    bytes.after(header)?.network(ether_type)
}
