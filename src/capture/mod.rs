//! Sources of packets and of time.
//!
//! A [`Source`] hands out one [`Frame`] after the other; nothing here looks above the link type.
//!
//! * [`mod@file`]: a capture file or standard input, in whatever format
//! * [`classic`], [`pcapng`]: the two formats
//! * [`text`]: what `tcpdump -n` prints
//! * `record`: what all of them find
//! * [`compression`], [`buffer`]: the bytes on their way in; `ahead`: what another thread makes of them
//! * [`mod@write`]: packets on their way out, as pcapng
//! * [`live`]: an interface, through libpcap
//! * [`series`]: the order of several files
//! * [`filter`]: BPF expressions, compiled by libpcap where it is built in

mod ahead;
pub mod buffer;
pub mod classic;
pub mod compression;
pub mod file;
pub mod filter;
pub mod live;
pub mod pcapng;
mod record;
pub mod series;
pub mod text;
pub mod write;

use core::fmt;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use crate::place::{Place, Time};
use crate::tcp::holes::Holes;
use crate::tcp::segment::Direction;

/// One packet as captured.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub place: Place,
    /// The interface's number in its file.
    pub interface: u32,
    pub link: LinkType,
    /// Octets on the wire, of which `data` may hold fewer (the snap length).
    pub original_len: u32,
    /// The direction that the capture tells beside the packet's bytes (pcapng's flags).
    pub direction: Option<Direction>,
    pub data: &'a [u8],
}

/// The next thing that a source has to give.
pub enum Next<'a> {
    Frame(Frame<'a>),
    /// Nothing just now; the time is this.
    Idle(Time),
    /// Something went wrong, and the source goes on.
    Trouble(Error),
    End,
}

/// Packets, one after the other.
pub trait Source {
    /// Hands out the next packet. After an error, the source is at its end.
    ///
    /// # Errors
    /// If no further packet can be read: the input is cut off, corrupt or gone.
    fn next(&mut self) -> Result<Next<'_>, Error>;

    /// The capture's own account of itself, so far as it has been read.
    fn about(&self) -> &About;

    /// Bytes read so far, and in all if that is known.
    fn progress(&self) -> (u64, Option<u64>);
}

/// A capture's own account of itself.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Distinct link types and snap lengths of its interfaces (0: not limited).
    pub links: BTreeSet<LinkType>,
    pub snap_lengths: BTreeSet<u32>,
    /// Packets that the file says were lost, by the kernel or between two packets.
    pub drops: u64,
    /// The addresses of its interfaces.
    pub addresses: BTreeSet<IpAddr>,
    /// The names of its interfaces, where it tells.
    pub interfaces: BTreeSet<String>,
    /// When it ended, by its own statistics.
    pub ended: Option<Ended>,
    /// Connections that show packets missing, of the capture that closewait chose these packets from.
    pub holes: Holes,
    /// Lines of a text that are no packets.
    pub lines_skipped: u64,
}

/// When a capture ended, as its statistics say it: by its own clock, and read as microseconds, which
/// dumpcap writes whatever the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub by_clock: Time,
    pub as_micros: Time,
}

/// Nobody waits longer for a packet.
const WAITS_NS: i64 = 7 * 24 * 3_600 * 1_000_000_000;

impl Ended {
    /// The end, if one reading makes sense after the last packet.
    pub fn after(self, last: Time) -> Option<Time> {
        let believed =
            |end: &Time| *end >= last && end.since(last).is_some_and(|ns| ns <= WAITS_NS);
        [self.by_clock, self.as_micros].into_iter().find(believed)
    }
}

/// A link-layer header type, by its number in files (LINKTYPE_…).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    pub const NULL: LinkType = LinkType(0);
    pub const ETHERNET: LinkType = LinkType(1);
    pub const PPP: LinkType = LinkType(9);
    pub const FDDI: LinkType = LinkType(10);
    pub const PPP_HDLC: LinkType = LinkType(50);
    pub const RAW: LinkType = LinkType(101);
    pub const C_HDLC: LinkType = LinkType(104);
    pub const LOOP: LinkType = LinkType(108);
    pub const LINUX_SLL: LinkType = LinkType(113);
    pub const ARCNET_LINUX: LinkType = LinkType(129);
    pub const JUNIPER_ETHER: LinkType = LinkType(178);
    pub const IPV4: LinkType = LinkType(228);
    pub const IPV6: LinkType = LinkType(229);
    pub const NFLOG: LinkType = LinkType(239);
    pub const LINUX_SLL2: LinkType = LinkType(276);
    /// No number of the registry: a packet that tcpdump printed, and that is no TCP.
    pub const TEXT: LinkType = LinkType(u16::MAX);
}

/// The name in the registry of link types without its prefix, or the number.
impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            0 => "NULL",
            1 => "ETHERNET",
            6 => "IEEE802_5",
            9 => "PPP",
            10 => "FDDI",
            12 | 14 | 101 => "RAW",
            50 => "PPP_HDLC",
            51 => "PPP_ETHER",
            104 => "C_HDLC",
            105 => "IEEE802_11",
            108 => "LOOP",
            113 => "LINUX_SLL",
            119 => "IEEE802_11_PRISM",
            127 => "IEEE802_11_RADIOTAP",
            129 => "ARCNET_LINUX",
            178 => "JUNIPER_ETHER",
            189 => "USB_LINUX",
            195 => "IEEE802_15_4_WITHFCS",
            220 => "USB_LINUX_MMAPPED",
            228 => "IPV4",
            229 => "IPV6",
            239 => "NFLOG",
            276 => "LINUX_SLL2",
            u16::MAX => "text without TCP flags",
            other => return write!(f, "{other}"),
        };
        f.write_str(name)
    }
}

/// A problem with one input, as a sentence that names it.
#[derive(Debug, thiserror::Error)]
#[error("{input}: {trouble}")]
pub struct Error {
    /// The file's name as the user gave it, made safe to print.
    pub input: String,
    pub trouble: Trouble,
}

#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("the capture ended: {0}; what was seen until then is reported")]
    Interface(String),
    #[error("captures no more: {0}; the others go on")]
    Gone(String),
    #[error("is down: nothing is captured there until it is up again")]
    Down,
    #[error(
        "was set {} by {} s: times go on as if it had not been, so that durations stay right",
        if *.0 < 0 { "back" } else { "forward" }, .0.unsigned_abs() as f64 / 1e9
    )]
    ClockSet(i64),
    #[error("not all packets could be kept: {0}; the report covers them")]
    NotKept(String),
    #[error("cannot be asked any more: {0}; processes are no longer named")]
    Unnamed(io::Error),
    #[error("no such file")]
    Missing,
    #[error("cannot be opened: {0}")]
    Open(io::Error),
    #[error("is a directory: name the capture files in it")]
    Directory,
    #[error("is empty: no capture was written to it")]
    Empty,
    #[error("is no capture: {0}")]
    NotACapture(String),
    #[error("reading failed after {frames} packets (byte {offset}): {error}")]
    Read { frames: u64, offset: u64, error: io::Error },
    #[error(
        "ended in the middle of a record after {frames} packets (byte {offset}): the capture was cut off; verdicts cover what was read"
    )]
    CutOff { frames: u64, offset: u64 },
    #[error(
        "corrupt after {frames} packets, at byte {offset}: {what}; verdicts cover what was read before it (editcap -r FILE OUT 1-{frames} keeps that part)"
    )]
    Corrupt { frames: u64, offset: u64, what: String },
}

impl Trouble {
    /// True if the work could not be done. A capture cut off in its last record is read to its last
    /// whole packet: that is no failure.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        !matches!(
            self,
            Trouble::CutOff { .. } | Trouble::Unnamed(_) | Trouble::Down | Trouble::ClockSet(_)
        )
    }
}
