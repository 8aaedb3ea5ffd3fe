//! Sources of packets and of time.
//!
//! A [`Source`] hands out one [`Frame`] after the other; nothing here looks above the link type.
//!
//! * [`mod@file`]: a capture file or standard input, in whatever format
//! * [`classic`], [`pcapng`]: the two formats; `clock`: time as the latter counts it
//! * [`text`]: packets as tcpdump and others print them
//! * `record`: what all of them find
//! * [`again`]: packets of a file, read once more
//! * [`chunks`]: packets of a file, read and decoded ahead by other threads
//! * [`archive`], [`compression`], [`utf16`], [`buffer`]: the bytes on their way in; `ahead`: what another thread makes of them
//! * [`mod@write`]: packets on their way out, as pcapng
//! * [`live`]: an interface, through libpcap
//! * [`series`]: the order of several files
//! * [`mod@stop`]: a wish to read no further
//! * [`filter`]: BPF expressions, compiled by libpcap where it is built in

pub mod again;
mod ahead;
pub mod archive;
pub mod buffer;
pub mod chunks;
pub mod classic;
mod clock;
pub mod compression;
pub mod file;
pub mod filter;
pub mod foreign;
mod link_type;
pub mod live;
pub mod pcapng;
pub mod process;
mod record;
pub mod series;
pub mod stop;
pub mod text;
mod unknown;
pub mod utf16;
pub mod write;

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use chunks::{Decode, Packet};
pub use link_type::LinkType;
use process::Process;

use crate::place::{Place, Time};
use crate::printable::printable;
use crate::tcp::holes::Holes;
use crate::tcp::segment::{Direction, FlowKey};

/// One packet as captured.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The time of its capture, its file, and its number in it, from 1.
    pub place: Place,
    /// The interface's number in its file.
    pub interface: u32,
    /// The header that its data begins with.
    pub link: LinkType,
    /// Octets on the wire, of which `data` may hold fewer (the snap length).
    pub original_len: u32,
    /// The direction that the capture tells beside the packet's bytes (pcapng's flags).
    pub direction: Option<Direction>,
    /// The process that the capture names beside the packet's bytes.
    pub process: Option<&'a Process>,
    /// The place of its record in its file, in octets, of which no record has the first.
    pub record: u64,
    /// Octets as captured: as many as the snap length left of it.
    pub data: &'a [u8],
}

/// The next thing that a source has to give.
pub enum Next<'a> {
    /// The next packet.
    Frame(Frame<'a>),
    /// Nothing just now; the time is this.
    Idle(Time),
    /// Something went wrong, and the source goes on.
    Trouble(Error),
    /// No more packets, now or ever.
    End,
}

/// Packets, one after the other.
pub trait Source {
    /// Hands out the next packet. After an error, there is none: what else is wrong with the input may be said yet.
    ///
    /// # Errors
    /// If no further packet can be read: the input is cut off, corrupt or gone.
    fn next(&mut self) -> Result<Next<'_>, Error>;

    /// Hands out packets that lie whole in memory, one after the other in one go, until `take` refuses
    /// one: that one comes again from [`Source::next`]. Returns how many were taken.
    fn each_whole(&mut self, _take: impl FnMut(&Frame<'_>) -> bool) -> u64 {
        0
    }

    /// Has other threads read and decode ahead, where that can be done.
    fn decode_ahead(&mut self, _decoder: Arc<dyn Decode>, _threads: usize) {}

    /// Hands out packets that other threads have decoded, and those between them, as [`Source::each_whole`] does.
    fn each_decoded(&mut self, _take: impl FnMut(Packet<'_>) -> bool) -> u64 {
        0
    }

    /// The capture's own account of itself, so far as it has been read.
    fn about(&self) -> &About;

    /// Has a comment written beside the packets, where they are kept.
    fn comment(&mut self, _text: &str) {}

    /// Bytes read so far, and in all if that is known.
    fn progress(&self) -> (u64, Option<u64>);
}

/// Comments of a capture that are kept, and octets of each: anybody's text.
const MOST_COMMENTS: usize = 8_192;
const LONGEST_COMMENT: usize = 8_192;

/// A capture's own account of itself.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Distinct link types and snap lengths of its interfaces (0: not limited).
    pub links: BTreeSet<LinkType>,
    /// Snap lengths of its interfaces, in octets; 0 and 65,535 and above are whole packets.
    pub snap_lengths: BTreeSet<u32>,
    /// Packets that the file says were lost, by the kernel or between two packets.
    pub drops: u64,
    /// The addresses of its interfaces.
    pub addresses: BTreeSet<IpAddr>,
    /// The names of its interfaces, where it tells.
    pub interfaces: BTreeSet<String>,
    /// The end of the capture, by its own statistics.
    pub ended: Option<Ended>,
    /// Connections that show packets missing, of the capture that closewait chose these packets from.
    pub holes: Holes,
    /// Connections that may have ended, as others showed in that capture.
    pub ended_elsewhere: Arc<HashSet<FlowKey>>,
    /// Comments beside its packets, as many as there is room for: anybody's text.
    pub comments: Vec<String>,
    /// Lines of a text that are no packets.
    pub lines_skipped: u64,
    /// Lines of a text that are packets, and cannot be read.
    pub unread: Unread,
    /// A text has bare ACKs, be they such that their own numbers cannot be known; or the capture that closewait chose these
    /// packets from.
    pub bare_acks: bool,
    /// Connections of a text that may be others of it under other names.
    pub ambiguous: Ambiguous,
    /// Rows of a table stand in another order than their packets came in.
    pub is_disordered: bool,
}

/// Connections whose ends may be the same under two names.
#[derive(Clone, Debug, Default)]
pub struct Ambiguous {
    /// Connections whose ends may be those of others.
    pub flows: Arc<HashSet<FlowKey>>,
    /// The first two names.
    pub first: Option<(String, String)>,
}

impl Ambiguous {
    fn add(&mut self, flows: [FlowKey; 2], one: &str, two: &str) {
        Arc::make_mut(&mut self.flows).extend(flows);
        self.first.get_or_insert_with(|| (one.to_owned(), two.to_owned()));
    }

    /// Returns a warning that names one of them, if there are any.
    pub fn trouble(&self) -> Option<Trouble> {
        let (one, two) = self.first.clone()?;
        Some(Trouble::Ambiguous { flows: self.flows.len(), one, two })
    }
}

/// Packets of a text that cannot be read: how many, and the first of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unread {
    /// Packets that could not be read.
    pub packets: u64,
    /// Its line's number, and the line.
    pub first: Option<(u64, String)>,
}

impl Unread {
    /// No more of the line than this is kept.
    const MAX_SHOWN: usize = 200;

    fn add(&mut self, number: u64, line: &str) {
        self.packets += 1;
        self.first.get_or_insert_with(|| {
            let shown: String = line.chars().take(Unread::MAX_SHOWN).collect();
            (number, printable(&shown))
        });
    }

    /// Returns a warning that names the first of them, if there are any, beside so many packets that were read.
    pub fn trouble(&self, others: u64) -> Option<Trouble> {
        let (number, line) = self.first.clone()?;
        Some(Trouble::Unread { packets: self.packets, number, line, are_all: others == 0 })
    }
}

/// The time a capture ended, as its statistics say it: by its own clock, and read as microseconds,
/// which dumpcap writes whatever the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The end by its statistics, read with the interface's resolution.
    pub by_clock: Time,
    /// The end, if the numbers are microseconds all the same.
    pub as_micros: Time,
    /// The end by closewait, which had read a capture to that end and wrote some of its packets: these may have come long
    /// before.
    pub is_sure: bool,
}

/// Nobody waits longer for a packet.
const WAITS_NS: i64 = 7 * 24 * 3_600 * 1_000_000_000;

impl Ended {
    /// The end, if one reading makes sense after the last packet. A date does not compare with a time of day.
    pub fn after(self, last: Time) -> Option<Time> {
        let is_near = |end: &Time| end.since(last).is_some_and(|ns| ns <= WAITS_NS);
        let believed = |end: &Time| *end >= last && (self.is_sure || is_near(end));
        let compares = |end: &Time| end.is_undated() == last.is_undated();
        [self.by_clock, self.as_micros].into_iter().filter(compares).find(believed)
    }
}

/// A problem with one input, as a sentence that names it.
#[derive(Debug, thiserror::Error)]
#[error("{input}: {trouble}")]
pub struct Error {
    /// The file's name as the user gave it, made safe to print.
    pub input: String,
    /// The trouble with it.
    pub trouble: Trouble,
}

/// Reasons why a capture, or a part of it, could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The interface could not be opened: libpcap's sentence.
    #[error("the capture ended: {0}; what was seen until then is reported")]
    Interface(String),
    /// The interface went away while it was captured: its name.
    #[error("captures no more: {0}; the others go on")]
    Gone(String),
    /// The interface is down: nothing arrives.
    #[error("is down: nothing is captured there until it is up again")]
    Down,
    /// Its first packets cannot be had: the expression asks for their direction.
    #[error(
        "for a tenth of a second from the first packet on, nothing is captured: only after that, libpcap tells inbound from outbound"
    )]
    Late,
    /// The host's clock was set meanwhile, by so many nanoseconds.
    #[error(
        "was set {} by {} s: times go on as if it had not been, so that durations stay right",
        if *.0 < 0 { "back" } else { "forward" }, .0.unsigned_abs() as f64 / 1e9
    )]
    ClockSet(i64),
    /// Packets that were to be kept could not be: the sentence of whoever keeps them.
    #[error("not all packets could be written: {0}; the report covers them")]
    NotKept(String),
    /// The kernel cannot be asked about sockets any more.
    #[error(
        "cannot be asked any more: {0}; processes are no longer named, and what the kernel has in CLOSE-WAIT is no longer known"
    )]
    Unnamed(io::Error),
    /// There is no such file.
    #[error("no such file")]
    Missing,
    /// The file is there, and cannot be opened.
    // Whoever unpacks quotes what it finds.
    #[error("cannot be opened: {}", printable(&.0.to_string()))]
    Open(io::Error),
    /// A member of an archive cannot be read: its name and the reason.
    #[error("cannot be read as a part of a capture: {0}")]
    NotAPart(String),
    /// Trouble that others had who read the capture.
    #[error("{sentence}")]
    Told {
        /// The sentence.
        sentence: String,
        /// True where the answer may be wrong without it: the exit status is 2.
        is_failure: bool,
    },
    /// It is a folder, not a file.
    #[error("is a directory: name the capture files in it")]
    Directory,
    /// Packets of a text could not be read.
    #[error(
        "{packets} packet{} of TCP cannot be read, the first in line {number}: {line}{}{}",
        if *.packets == 1 { "" } else { "s" },
        foreign::lacks(.line),
        if *.are_all { "" } else { "; verdicts cover the others" }
    )]
    Unread {
        /// The number of them.
        packets: u64,
        /// The line of the first, from 1.
        number: u64,
        /// That line, safe to print.
        line: String,
        /// No other packet was read.
        are_all: bool,
    },
    /// Ends of a text may be those of several connections, since names stand for addresses.
    #[error(
        "{one} and {two} may be the same host, and packets of one connection stand under both: nothing is judged of {flows} connections (tcpdump -n prints addresses alone)"
    )]
    Ambiguous {
        /// The number of such connections.
        flows: usize,
        /// One such end.
        one: String,
        /// Another with the same name.
        two: String,
    },
    /// The file has no octet.
    #[error("is empty: no capture was written to it")]
    Empty,
    /// No form that is known: what it seems to be.
    #[error("is not a capture: {0}")]
    NotACapture(String),
    /// A capture or an archive all the same, in a form that is not read or cut off too early: what it is.
    #[error("is not a capture: {0}")]
    NotReadable(String),
    /// Packets that may well be TCP could not be read.
    #[error(
        "{packets} packet{} could not be read and may be TCP, of which nothing is said here: {kinds}",
        if *.packets == 1 { "" } else { "s" }
    )]
    NotRead {
        /// The number of them.
        packets: u64,
        /// Their kinds, each with its number.
        kinds: String,
    },
    /// Reading failed in the middle.
    #[error("reading failed after {frames} packets (byte {offset}): {}", printable(&.error.to_string()))]
    Read {
        /// Packets read until then.
        frames: u64,
        /// Octets read until then.
        offset: u64,
        /// The system's error.
        error: io::Error,
    },
    /// The file ends in the middle of a record: whoever wrote it was stopped.
    #[error(
        "ended in the middle of a record after {frames} packets (byte {offset}): the capture was cut off; verdicts cover what was read"
    )]
    CutOff {
        /// Packets read until then.
        frames: u64,
        /// Octets at which the record begins.
        offset: u64,
    },
    /// A record contradicts itself; nothing after it can be found.
    #[error(
        "corrupt after {frames} packets, at byte {offset}: {what}; verdicts cover what was read before it{}", part(*frames)
    )]
    Corrupt {
        /// Packets read until then.
        frames: u64,
        /// Octets at which the record begins.
        offset: u64,
        /// The contradiction.
        what: String,
    },
}

/// The command that keeps what was read, if anything was.
fn part(frames: u64) -> String {
    match frames {
        0 => String::new(),
        frames => format!(" (editcap -r FILE OUT 1-{frames} keeps that part)"),
    }
}

impl Trouble {
    /// Nothing in it is meant to be a capture.
    #[must_use]
    pub fn is_no_capture(&self) -> bool {
        matches!(self, Trouble::NotACapture(_) | Trouble::Empty)
    }

    /// True if the work could not be done. A capture cut off in its last record is read to its last
    /// whole packet: that is no failure.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        !matches!(
            self,
            Trouble::Told { is_failure: false, .. }
                | Trouble::CutOff { .. }
                | Trouble::Unnamed(_)
                | Trouble::Down
                | Trouble::Late
                | Trouble::ClockSet(_)
        )
    }

    /// True if what was read of a capture is not all of it, and nobody knows what the rest holds.
    #[must_use]
    pub fn ends_within(&self) -> bool {
        matches!(self, Trouble::Corrupt { .. } | Trouble::Read { .. })
    }

    /// True if it may leave out packets that came: what was read and not kept is no less read.
    #[must_use]
    pub fn leaves_unread(&self) -> bool {
        self.is_failure() && !matches!(self, Trouble::NotKept(_))
    }
}
