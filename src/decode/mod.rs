//! From a frame to a TCP segment, or a counted reason why not.
//!
//! Pure: no I/O, no clock, no memory of flows. [`link`] strips the link layer, [`ip`] the network
//! layer, [`tunnel`] what stands between them and the innermost packet; here stands TCP. `usual`
//! does all of it at once for the most frequent kind of packet. Checksums are looked at only where a
//! segment begins or ends something ([`mod@marked`]): with offload, nearly all look wrong.

pub mod ip;
pub mod link;
pub mod marked;
pub mod tunnel;
mod usual;

use core::fmt;
use etherparse::IpNumber;
use foldhash::fast::RandomState;

use ip::Transport;
use link::Network;
use marked::Carried;
use usual::UsualPacket;

use crate::capture::chunks::Decode;
use crate::capture::{Frame, LinkType};
use crate::tcp::segment::{Endpoint, Extras, Flags, FlowKey, Segment};
use crate::tcp::seq::Seq;

/// The reason why a frame gives no segment. Reasons are counted, and the report names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skipped {
    /// The filter does not match it.
    NotMatched,
    /// A link type that the filter cannot be compiled for.
    NotFiltered(LinkType),
    /// A line of a text that is no packet.
    NoPacket,
    /// A link type that nothing here reads.
    UnknownLink(LinkType),
    /// Some other network protocol, by its EtherType.
    NotIp(u16),
    /// Some other network protocol, by its address family (loopback headers, NFLOG).
    NotIpFamily(u32),
    /// Some other protocol over PPP.
    PppProtocol(u16),
    /// IEEE 802.3 with a length in place of an EtherType.
    Llc,
    /// Nobody can look into it.
    Encrypted(&'static str),
    /// A link layer's own business.
    NoData(&'static str),
    /// It may well be TCP, and cannot be read.
    Unread(&'static str),
    /// Another protocol above IP.
    NotTcp(IpNumber),
    /// Tunnels within tunnels beyond any use.
    TooDeep,
    /// A later IP fragment: it has no TCP header.
    Fragment,
    /// The capture cut the packet off inside this layer (the snap length).
    Cut(Layer),
    /// Lengths in this layer contradict each other.
    Malformed(Layer),
}

/// The layer at which a packet stopped making sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The link layer, or a tunnel's.
    Link,
    /// IPv4 or IPv6.
    Ip,
    /// TCP.
    Tcp,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layer::Link => "link",
            Layer::Ip => "IP",
            Layer::Tcp => "TCP",
        })
    }
}

/// The name under which it is counted.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Skipped::NotMatched => f.write_str("not matched by the filter"),
            Skipped::NotFiltered(link) => {
                write!(f, "link type {link}, which libpcap cannot filter by this expression")
            }
            Skipped::NoPacket => f.write_str("line that is no packet"),
            Skipped::UnknownLink(LinkType::TEXT) => write!(f, "{}", LinkType::TEXT),
            Skipped::UnknownLink(link) => write!(f, "link type {link}"),
            Skipped::NotIp(0x0806) => f.write_str("ARP"),
            Skipped::NotIp(0x88cc) => f.write_str("LLDP"),
            Skipped::NotIp(0x8847 | 0x8848) => f.write_str("MPLS"),
            Skipped::NotIp(0x8863 | 0x8864) => f.write_str("PPPoE"),
            Skipped::NotIp(0x888e) => f.write_str("EAPOL"),
            Skipped::NotIp(ether_type) => write!(f, "EtherType 0x{ether_type:04x}"),
            Skipped::NotIpFamily(family) => write!(f, "address family {family}"),
            Skipped::PppProtocol(protocol) => write!(f, "PPP protocol 0x{protocol:04x}"),
            Skipped::Llc => f.write_str("LLC"),
            Skipped::Encrypted(by) => f.write_str(&Skipped::encrypted(by)),
            Skipped::NoData(kind) | Skipped::Unread(kind) => f.write_str(kind),
            Skipped::NotTcp(protocol) => match protocol.keyword_str() {
                Some(name) => f.write_str(name),
                None => write!(f, "IP protocol {}", protocol.0),
            },
            Skipped::TooDeep => f.write_str("tunnels nested too deep"),
            Skipped::Fragment => f.write_str("later IP fragment"),
            Skipped::Cut(layer) => write!(f, "{layer} header cut off"),
            Skipped::Malformed(layer) => write!(f, "malformed {layer} header"),
        }
    }
}

impl Skipped {
    /// Returns why a filter leaves a packet out that was applied to it, or could not be: that is not "not matched".
    pub fn by_filter(applied: Option<bool>, link: LinkType) -> Option<Skipped> {
        match applied {
            Some(true) => None,
            Some(false) => Some(Skipped::NotMatched),
            None => Some(Skipped::NotFiltered(link)),
        }
    }

    /// May it well have been TCP, had it been understood? What can be read and is no TCP, and what
    /// nobody can read, is not meant.
    pub fn may_be_tcp(&self) -> bool {
        match self {
            Skipped::UnknownLink(link) | Skipped::NotFiltered(link) => link.can_carry_ip(),
            Skipped::Unread(_) | Skipped::Cut(_) => true,
            _ => false,
        }
    }

    /// The encryption that hides what it is, if that is why.
    pub fn sealed_by(&self) -> Option<&'static str> {
        match self {
            Skipped::Encrypted(by) => Some(by),
            _ => None,
        }
    }

    /// The name of packets that are encrypted so.
    pub fn encrypted(by: &str) -> String {
        format!("encrypted ({by})")
    }

    /// The encryption in such a kind's name, where only the name was handed on.
    pub fn sealed_by_name(name: &str) -> Option<&str> {
        name.strip_prefix("encrypted (")?.strip_suffix(')')
    }
}

/// Decodes frames. Its hasher is seeded anew in every process, so that nobody can prepare packets
/// that collide.
#[derive(Clone, Default)]
pub struct Decoder {
    hasher: RandomState,
    /// Ports of VXLAN beside the usual ones.
    vxlan: Vec<u16>,
}

impl Decoder {
    /// A decoder that takes what goes to these UDP ports for VXLAN.
    #[must_use]
    pub fn with_vxlan(ports: &[u16]) -> Decoder {
        Decoder { vxlan: ports.to_vec(), ..Decoder::default() }
    }

    /// Returns the hash that segments of this 4-tuple have.
    #[must_use]
    pub fn hash_of(&self, key: &FlowKey) -> u64 {
        key.hash_by(&self.hasher)
    }

    /// Finds the TCP segment in a frame, through tags and tunnels, and as much of its payload as was
    /// captured.
    ///
    /// # Errors
    /// The reason why there is none that could be judged.
    #[inline(never)]
    pub fn decode<'a>(&self, frame: &Frame<'a>) -> Result<(Segment, &'a [u8]), Skipped> {
        match self.decode_short(frame) {
            Some(decoded) => Ok(decoded),
            None => self.decode_layers(frame),
        }
    }

    /// Decodes layer by layer: the long way, which says what is right.
    ///
    /// # Errors
    /// The reason why there is no segment that could be judged.
    #[inline(never)]
    pub fn decode_layers<'a>(&self, frame: &Frame<'a>) -> Result<(Segment, &'a [u8]), Skipped> {
        let network = link::strip(frame).map_err(|reason| match reason {
            // All of it was captured: it is shorter than its header.
            link::CUT if frame.data.len() as u64 >= u64::from(frame.original_len) => {
                link::MALFORMED
            }
            reason => reason,
        })?;
        let direction = frame.direction.or(network.direction);
        let transport = innermost(network, &self.vxlan)?;
        let header =
            Header::read(transport.data, transport.len).map_err(|skipped| match skipped {
                // The rest of the header is in the next fragment.
                Skipped::Malformed(Layer::Tcp) if transport.fragment => Skipped::Cut(Layer::Tcp),
                skipped => skipped,
            })?;
        let source = Endpoint { ip: transport.source, port: header.source };
        let destination = Endpoint { ip: transport.destination, port: header.destination };
        let (key, from) = FlowKey::new(source, destination);
        let Transport { data, fragment, hops_left, .. } = transport;
        let packet = UsualPacket { key, from, header, data, direction, hops_left };
        Ok(self.segment(frame, packet, fragment))
    }

    /// Decodes the most frequent kind of packet: what [`Decoder::decode_short`] decodes over IPv4 without
    /// SYN, FIN or RST; `None` for any other.
    #[inline(always)]
    #[must_use]
    pub fn decode_usual<'a>(&self, frame: &Frame<'a>) -> Option<(Segment, &'a [u8])> {
        let packet = usual::over_ipv4(frame)?;
        if !packet.header.flags.are_plain() {
            return None;
        }
        Some(self.segment(frame, packet, false))
    }

    /// Decodes in one go what most packets are: TCP over IP without tags, options or tunnels; `None` for
    /// any other, which [`Decoder::decode`] takes.
    #[must_use]
    pub fn decode_short<'a>(&self, frame: &Frame<'a>) -> Option<(Segment, &'a [u8])> {
        let packet = usual::over_ip(frame)?;
        Some(self.segment(frame, packet, false))
    }

    /// Makes a segment at once, and returns its payload, too: one that was written in parts could not be copied as a whole
    /// before all of them have arrived in the cache.
    #[inline(always)]
    fn segment<'a>(
        &self,
        frame: &Frame,
        packet: UsualPacket<'a>,
        fragment: bool,
    ) -> (Segment, &'a [u8]) {
        let UsualPacket { key, from, header, data, direction, hops_left } = packet;
        let extras = match header.flags.are_plain() {
            true => Extras::default(),
            false => marked::extras(&key, &header, &Carried { data, fragment, hops_left }),
        };
        let segment = Segment {
            key,
            hash: key.hash_by(&self.hasher),
            from,
            seq: header.seq,
            ack: header.ack,
            flags: header.flags,
            len: header.payload_len,
            window: header.window,
            extras,
            place: frame.place,
            direction,
        };
        let end = data.len().min(header.len + header.payload_len as usize);
        (segment, data.get(header.len..end).unwrap_or_default())
    }
}

impl Decode for Decoder {
    fn decode_early<'a>(&self, frame: &Frame<'a>) -> Option<(Segment, &'a [u8])> {
        self.decode_usual(frame)
    }
}

/// Tunnels nest this deep at most.
const MAX_TUNNELS: usize = 8;

/// Opens tunnels until TCP is found, or nothing more can be opened.
fn innermost<'a>(mut network: Network<'a>, vxlan: &[u16]) -> Result<Transport<'a>, Skipped> {
    for _ in 0..MAX_TUNNELS {
        if let Some(inner) = tunnel::within_link(&network) {
            network = inner;
            continue;
        }
        let transport = ip::strip(network.ether_type, network.packet, network.len)
            .map_err(|reason| tunnel::lacking::of_link(&network).unwrap_or(reason))?;
        if transport.protocol == IpNumber::TCP {
            return Ok(transport);
        }
        if let Some(sealed) = tunnel::sealed::sealed(&transport) {
            return Err(sealed);
        }
        match tunnel::within_ip(&transport, vxlan) {
            Some(inner) => network = inner,
            None => {
                let not_tcp = Skipped::NotTcp(transport.protocol);
                return Err(tunnel::lacking::of_ip(&transport, vxlan).unwrap_or(not_tcp));
            }
        }
    }
    Err(Skipped::TooDeep)
}

struct Header {
    source: u16,
    destination: u16,
    seq: Seq,
    ack: Seq,
    flags: Flags,
    window: u16,
    /// Octets of the header, options included.
    len: usize,
    payload_len: u32,
}

/// Octets of a header without options.
const FIXED: usize = 20;

impl Header {
    /// `len` octets of TCP were sent, of which `data` holds the first. The fixed part is enough: the
    /// snap length may cut the options.
    #[inline(always)]
    fn read(data: &[u8], len: u32) -> Result<Header, Skipped> {
        let malformed = Skipped::Malformed(Layer::Tcp);
        if (len as usize) < FIXED {
            return Err(malformed);
        }
        let Some(fixed) = data.first_chunk::<FIXED>() else {
            return Err(Skipped::Cut(Layer::Tcp));
        };
        let header_len = u32::from(fixed[12] >> 4) * 4;
        let payload_len = len.checked_sub(header_len).ok_or(malformed)?;
        if (header_len as usize) < FIXED {
            return Err(malformed);
        }
        let u16_at = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let u32_at = |at: usize| u32::from(u16_at(at)) << 16 | u32::from(u16_at(at + 2));
        Ok(Header {
            source: u16_at(0),
            destination: u16_at(2),
            seq: Seq(u32_at(4)),
            ack: Seq(u32_at(8)),
            flags: Flags(fixed[13]),
            window: u16_at(14),
            len: header_len as usize,
            payload_len,
        })
    }
}
