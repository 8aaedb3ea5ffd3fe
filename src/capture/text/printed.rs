//! One packet as printed, and the headers that it describes.

use std::net::{IpAddr, SocketAddr};

use super::stamp::Stamp;
use super::sums::{self, Sum};
use crate::capture::process::Process;
use crate::tcp::segment::{Flags, Scale, Way};

/// A TCP packet as printed.
#[derive(Clone, Debug, PartialEq)]
pub struct Printed {
    /// The time before it.
    pub stamp: Stamp,
    /// The way past the interface, where it is printed.
    pub way: Option<Way>,
    /// The sender.
    pub from: SocketAddr,
    /// The receiver.
    pub to: SocketAddr,
    /// Control bits.
    pub flags: Flags,
    /// By tcpdump, printed with payload, SYN, FIN or RST only.
    pub seq: Option<u32>,
    /// The acknowledgment number, where the ACK bit is set.
    pub ack: Option<u32>,
    /// Octets of payload.
    pub len: u32,
    /// SEG.WND as it was sent. One that is printed scaled, or may be, tells no more than that it is 0.
    pub window: Option<u16>,
    /// The window scale, where a SYN's options are printed.
    pub scale: Scale,
    /// A SYN's options have one that opens something in Multipath TCP.
    pub multipath: bool,
    /// Its checksum, where it is printed and tells something.
    pub sum: Option<Sum>,
    /// The IP header, where it is printed.
    pub ip: Option<IpHeader>,
    /// The process of the local end.
    pub process: Option<Process>,
}

impl Printed {
    /// Makes one of what every form prints; the rest is not printed, or added.
    pub fn new(stamp: Stamp, [from, to]: [SocketAddr; 2], flags: Flags) -> Printed {
        Printed {
            stamp,
            way: None,
            from,
            to,
            flags,
            seq: None,
            ack: None,
            len: 0,
            window: None,
            scale: Scale::UNKNOWN,
            multipath: false,
            sum: None,
            ip: None,
            process: None,
        }
    }
}

/// Fields of an IP header that bear on a close.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IpHeader {
    /// The TTL or hop limit.
    pub hops: u8,
    /// The packet is a fragment, and others follow.
    pub more_fragments: bool,
}

/// A packet, or another thing worth counting, as found in the lines of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A packet of TCP.
    Tcp(Printed),
    /// A packet, but not of TCP: it only tells the time.
    Other(Stamp),
    /// A packet of TCP that cannot be read: the line's number, and the line.
    Unread(u64, String),
    /// So many packets that were lost while the text was printed.
    Dropped(u64),
    /// So many lines that are no packets.
    Skipped(u64),
    /// The text ends within a packet.
    CutOff,
}

impl Item {
    /// The time of a packet.
    pub fn stamp(&self) -> Option<Stamp> {
        match self {
            Item::Tcp(printed) => Some(printed.stamp),
            Item::Other(stamp) => Some(*stamp),
            Item::Unread(..) | Item::Dropped(_) | Item::Skipped(_) | Item::CutOff => None,
        }
    }
}

/// An option that nobody knows (RFC 6994), in the place of a SYN's where those are not printed: without any, it would
/// say that windows are not scaled.
const NOT_PRINTED: [u8; 4] = [254, 4, 0, 0];

/// The option of Multipath TCP with which a connection begins (RFC 8684, 3.1).
const MP_CAPABLE: [u8; 4] = [30, 4, 1, 1];

/// The place of the checksum in a TCP header.
const CHECKSUM: std::ops::Range<usize> = 16..18;

/// The IP header of a whole packet that no router has passed on, as far as is known.
const NEAR: IpHeader = IpHeader { hops: 64, more_fragments: false };

/// The options of a SYN, as far as they are of interest.
fn options(printed: &Printed) -> Vec<u8> {
    let mut options = match printed.scale.shift() {
        _ if !printed.flags.syn() || printed.scale == Scale::ABSENT => Vec::new(),
        Some(shift) => vec![1, 3, 3, shift],
        None => NOT_PRINTED.to_vec(),
    };
    options.extend(printed.multipath.then_some(MP_CAPABLE).into_iter().flatten());
    options
}

/// The headers that a printed packet describes; the payload itself was not printed.
pub fn packet(printed: &Printed, seq: u32, ack: u32) -> Vec<u8> {
    let IpHeader { hops, more_fragments } = printed.ip.unwrap_or(NEAR);
    let options = options(printed);
    let header_len = 20 + options.len() as u8;
    let len = u32::from(header_len).saturating_add(printed.len);
    let mut packet = match (printed.from.ip(), printed.to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            // A length that does not fit is left at 0, as segmentation offload does.
            let total = u16::try_from(len.saturating_add(20)).unwrap_or(0);
            let mut ip = vec![0x45, 0];
            ip.extend(total.to_be_bytes());
            ip.extend([0, 0, if more_fragments { 0x20 } else { 0x40 }, 0, hops, 6, 0, 0]);
            ip.extend([from.octets(), to.octets()].concat());
            ip
        }
        (from, to) => {
            let mut ip = vec![0x60, 0, 0, 0];
            ip.extend(u16::try_from(len).unwrap_or(0).to_be_bytes());
            ip.extend([6, hops]);
            ip.extend([v6(from), v6(to)].concat());
            ip
        }
    };
    let begins_at = packet.len();
    let port = |address: SocketAddr| address.port().to_be_bytes();
    packet.extend([port(printed.from), port(printed.to)].concat());
    packet.extend([seq.to_be_bytes(), ack.to_be_bytes()].concat());
    let window = printed.window.unwrap_or(u16::MAX);
    packet.extend([header_len << 2, printed.flags.0]);
    packet.extend([window.to_be_bytes(), [0; 2], [0; 2]].concat());
    packet.extend(options);
    // Of one with payload there is no more than its header.
    if let Some(told) = printed.sum.filter(|_| printed.len == 0) {
        let segment = packet.get_mut(begins_at..).unwrap_or_default();
        let right = sums::sum(printed.from.ip(), printed.to.ip(), segment);
        let sum = if told == Sum::Right { right } else { wrong(right) };
        if let Some(place) = segment.get_mut(CHECKSUM) {
            place.copy_from_slice(&sum.to_be_bytes());
        }
    }
    packet
}

/// A checksum that nobody takes for another's, nor for one that is filled in later.
fn wrong(right: u16) -> u16 {
    right ^ 0x0101
}

fn v6(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}
