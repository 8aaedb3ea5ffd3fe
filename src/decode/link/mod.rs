//! Link layers, and the headers that captures put before them.
//!
//! A frame is a chain of headers: each says how long it is and what comes next, another link layer
//! or an EtherType. Here stands the chain, and which header a link type begins with.
//!
//! * [`ethernet`]: Ethernet, its tags, LLC, and the other IEEE 802 networks
//! * [`wireless`]: IEEE 802.11, and radiotap, Prism, AVS and PPI before it
//! * [`serial`]: PPP, HDLC, frame relay, ATM
//! * [`told`]: what the capturing host says of a packet: cooked headers, PKTAP, PFLOG, NFLOG, ERF

pub mod ethernet;
pub mod serial;
pub mod told;
pub mod wireless;

use super::{Layer, Skipped};
use crate::capture::{Frame, LinkType};
use crate::tcp::segment::Direction;

pub use ethernet::{ethernet_within, snap};
pub use serial::ppp;
pub use told::way;

/// The network packet that a link layer carries.
pub struct Network<'a> {
    /// The type in Ethernet's numbers.
    pub ether_type: u16,
    /// Octets from its header on.
    pub packet: &'a [u8],
    /// Octets that were on the wire, trailers included; `packet` may hold fewer.
    pub len: u32,
    /// From a header that tells it.
    pub direction: Option<Direction>,
}

/// IPv4.
pub const IPV4: u16 = 0x0800;
/// IPv6.
pub const IPV6: u16 = 0x86dd;
/// MPLS, a label stack first.
pub const MPLS: u16 = 0x8847;
/// PPP over Ethernet, a session's packet.
pub const PPPOE: u16 = 0x8864;

/// An EtherType, and the octets of the header before its packet.
pub type Header = (u16, usize);

pub(crate) const CUT: Skipped = Skipped::Cut(Layer::Link);
pub(crate) const MALFORMED: Skipped = Skipped::Malformed(Layer::Link);

/// One header of a chain.
pub struct LinkHeader {
    /// The header behind it.
    pub next: Next,
    /// Octets of it.
    pub len: usize,
    /// The way past the interface, where the header tells it.
    pub direction: Option<Direction>,
}

/// The header after a [`LinkHeader`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A packet of this type, in Ethernet's numbers.
    EtherType(u16),
    /// Another link layer.
    Link(LinkType),
}

impl From<Header> for LinkHeader {
    fn from((ether_type, len): Header) -> LinkHeader {
        LinkHeader { next: Next::EtherType(ether_type), len, direction: None }
    }
}

impl LinkHeader {
    /// A link layer after `len` octets.
    pub fn link(link: LinkType, len: usize) -> LinkHeader {
        LinkHeader { next: Next::Link(link), len, direction: None }
    }

    /// Says which way the packet went.
    pub fn going(self, direction: Option<Direction>) -> LinkHeader {
        LinkHeader { direction, ..self }
    }
}

/// Headers before the network packet nest this deep at most.
const MAX_HEADERS: usize = 8;

/// Strips the link layer and its tags.
pub fn strip<'a>(frame: &Frame<'a>) -> Result<Network<'a>, Skipped> {
    if frame.link == LinkType::NFLOG {
        return told::nflog(frame);
    }
    let wire_len = frame.original_len.max(frame.data.len() as u32);
    chain(frame.link, frame.data, wire_len)
}

/// Follows headers from a link layer to the network packet.
pub fn chain(mut link: LinkType, data: &[u8], wire_len: u32) -> Result<Network<'_>, Skipped> {
    let (mut at, mut direction) = (0, None);
    for _ in 0..MAX_HEADERS {
        let step = step(link, data.get(at..).ok_or(CUT)?)?;
        at += step.len;
        direction = step.direction.or(direction);
        match step.next {
            Next::Link(next) => link = next,
            Next::EtherType(ether_type) => {
                let network = ethernet::untagged(ether_type, data, at, wire_len)?;
                return Ok(Network { direction, ..network });
            }
        }
    }
    Err(MALFORMED)
}

/// The header that a link type's data begin with.
fn step(link: LinkType, data: &[u8]) -> Result<LinkHeader, Skipped> {
    let fixed =
        |ether_type: Result<u16, Skipped>, len: usize| Ok(LinkHeader::from((ether_type?, len)));
    match link {
        LinkType::ETHERNET => ethernet::header(data).map(LinkHeader::from),
        LinkType::LINUX_SLL => fixed(u16_at(data, 14), 16).map(|step| step.going(way(data.get(1)))),
        LinkType::LINUX_SLL2 => {
            fixed(u16_at(data, 0), 20).map(|step| step.going(way(data.get(10))))
        }
        LinkType::NULL => told::null(data),
        LinkType::LOOP => fixed(told::by_family(u32::from_be_bytes(word(data)?)), 4),
        LinkType::RAW | LinkType(12 | 14) => fixed(by_version(data), 0),
        LinkType::IPV4 => fixed(Ok(IPV4), 0),
        LinkType::IPV6 => fixed(Ok(IPV6), 0),
        LinkType::MPLS => fixed(Ok(MPLS), 0),
        LinkType::PPP_ETHER => fixed(Ok(PPPOE), 0),
        // A global route header, EtherType, reserved.
        LinkType::IPOIB => fixed(u16_at(data, 40), 44),
        // Two addresses of eight octets.
        LinkType::APPLE_IP_OVER_IEEE1394 => fixed(u16_at(data, 16), 18),
        LinkType::FDDI
        | LinkType::IEEE802_5
        | LinkType::IP_OVER_FC
        | LinkType::ATM_RFC1483
        | LinkType::ATM_CLIP
        | LinkType::SUNATM => ethernet::llc_network(link, data),
        LinkType::DSA_TAG_BRCM | LinkType::DSA_TAG_DSA => fixed(u16_at(data, 16), 18),
        LinkType::DSA_TAG_EDSA => fixed(u16_at(data, 20), 22),
        // A tag, or a preamble, and Ethernet.
        LinkType::DSA_TAG_BRCM_PREPEND => Ok(LinkHeader::link(LinkType::ETHERNET, 4)),
        LinkType::EPON | LinkType::ETHERNET_MPACKET => Ok(LinkHeader::link(LinkType::ETHERNET, 8)),
        LinkType::NETANALYZER => Ok(LinkHeader::link(LinkType::ETHERNET, 4)),
        LinkType::NETANALYZER_TRANSPARENT => Ok(LinkHeader::link(LinkType::ETHERNET, 12)),
        LinkType::DOCSIS => ethernet::docsis(data),
        LinkType::ARCNET_LINUX => ethernet::arcnet(data, 4, 8),
        LinkType::ARCNET_BSD => ethernet::arcnet(data, 2, 6),
        LinkType::IEEE802_11
        | LinkType::IEEE802_11_RADIOTAP
        | LinkType::IEEE802_11_PRISM
        | LinkType::IEEE802_11_AVS
        | LinkType::PPI => wireless::step(link, data),
        LinkType::PPP
        | LinkType::PPP_HDLC
        | LinkType::PPP_PPPD
        | LinkType::PPP_WITH_DIR
        | LinkType::C_HDLC
        | LinkType::C_HDLC_WITH_DIR
        | LinkType::FRELAY
        | LinkType::FRELAY_WITH_DIR
        | LinkType::MFR
        | LinkType::SLIP => serial::step(link, data),
        LinkType::PKTAP | LinkType::USER2 => told::pktap(link, data),
        LinkType::PFLOG => told::pflog(data),
        LinkType::ENC => told::enc(data),
        LinkType::IPNET => told::ipnet(data),
        LinkType::ERF => told::erf(data),
        other if told::is_juniper(other) => told::juniper(other, data),
        other => Err(Skipped::UnknownLink(other)),
    }
}

pub(crate) fn u16_at(data: &[u8], at: usize) -> Result<u16, Skipped> {
    match data.get(at..at + 2) {
        Some(&[high, low]) => Ok(u16::from_be_bytes([high, low])),
        _ => Err(CUT),
    }
}

pub(crate) fn u8_at(data: &[u8], at: usize) -> Result<u8, Skipped> {
    data.get(at).copied().ok_or(CUT)
}

pub(crate) fn word(data: &[u8]) -> Result<[u8; 4], Skipped> {
    data.first_chunk().copied().ok_or(CUT)
}

/// Four octets at an offset.
pub(crate) fn word_at(data: &[u8], at: usize) -> Result<[u8; 4], Skipped> {
    word(data.get(at..).ok_or(CUT)?)
}

/// The EtherType of an IP packet, by the version in its first octet.
pub fn by_version(data: &[u8]) -> Result<u16, Skipped> {
    match data.first().map(|octet| octet >> 4) {
        Some(4) => Ok(IPV4),
        Some(6) => Ok(IPV6),
        Some(_) => Err(Skipped::Malformed(Layer::Ip)),
        None => Err(Skipped::Cut(Layer::Ip)),
    }
}
