//! A part of a capture, as a table in Parquet: a row a segment, and in the footer what the file says of
//! itself.
//!
//! Rows come in chunks of bounded size. Those of a chunk stand in several row groups: first those that bear
//! on more than their own connection (SYN, FIN, RST, and the first words of a conversation), which every
//! share reads; then the others by the share of their 4-tuple. Within each, in the order of capture.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::capture::{About, Ended, LinkType};
use crate::place::{Place, Time};
use crate::tcp::holes::Holes;
use crate::tcp::segment::{End, FlowKey};

/// The number of this form of parts. One that is not known is refused.
pub const SCHEMA: u32 = 1;

/// The key of what a part says of its file.
pub const NOTE: &str = "closewait.part";

/// Rows of a chunk: what is in memory at a time.
pub const CHUNK: usize = 262_144;

/// Octets of payload that end a chunk, too.
pub const CHUNK_PAYLOAD: usize = 16 << 20;

/// Row groups of a chunk by shares, at most.
pub const GROUPS: u64 = 64;

/// The columns. A time is absent where it is unknown; of addresses, either both are of IPv4 or of IPv6.
pub const MESSAGE: &str = "message segment {
    required int64 frame;
    optional int64 time_ns;
    optional int32 lower_v4;
    optional int32 upper_v4;
    optional fixed_len_byte_array(16) lower_v6;
    optional fixed_len_byte_array(16) upper_v6;
    required int32 ports;
    required int32 seq;
    required int32 ack;
    required int32 len;
    required int32 window;
    required int32 bits;
    optional int32 pid;
    optional binary command (STRING);
    optional binary payload;
}";

/// Names of the columns, by their places.
pub mod column {
    /// The column of the packet's number in its file.
    pub const FRAME: usize = 0;
    /// The column of its time, in nanoseconds since 1970.
    pub const TIME: usize = 1;
    /// Columns of both addresses, the lower end first, where they are IPv4.
    pub const V4: [usize; 2] = [2, 3];
    /// Columns of both addresses, where they are IPv6.
    pub const V6: [usize; 2] = [4, 5];
    /// The column of both ports, in one number.
    pub const PORTS: usize = 6;
    /// The column of the sequence number.
    pub const SEQ: usize = 7;
    /// The column of the acknowledgment number.
    pub const ACK: usize = 8;
    /// The column of the payload's length.
    pub const LEN: usize = 9;
    /// The column of the window as it was sent.
    pub const WINDOW: usize = 10;
    /// The column of flags, sender, direction and extras, as bits.
    pub const BITS: usize = 11;
    /// The column of the process's number.
    pub const PID: usize = 12;
    /// The column of the process's name.
    pub const COMMAND: usize = 13;
    /// The column of the payload's octets, with `--content`.
    pub const PAYLOAD: usize = 14;
}

/// A part's account of its file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Footer {
    /// The number of this form of table.
    pub schema: u32,
    /// The capture file by its name.
    pub file: String,
    /// Packets of the file.
    pub packets: u64,
    /// Packets of TCP.
    pub segments: u64,
    /// The first packet.
    pub first: Option<At>,
    /// The packet with the latest time.
    pub last: Option<At>,
    /// The packet that was read last; none in parts of before that was told.
    #[serde(default)]
    pub newest: Option<At>,
    /// The latest packet with a time of day alone; none in parts of before that was told.
    #[serde(default)]
    pub undated: Option<At>,
    /// The file has a segment with nothing but an ACK.
    pub bare_acks: bool,
    /// The file has a segment without payload.
    pub empty_segments: bool,
    /// It ended in the middle of a record.
    pub truncated: bool,
    /// The file's own account of itself: before its first packet, and at its end.
    pub before: Account,
    /// The account of the file itself at its end.
    pub after: Account,
    /// The time of its last change.
    pub modified: Option<i64>,
    /// Packets that are no segments, by the reason; and whether they may be TCP.
    pub skipped: BTreeMap<String, (bool, u64)>,
    /// Troubles that it could not be read without, and whether the work failed by them.
    pub troubles: Vec<(String, bool)>,
    /// Payload is there, as far as it was captured.
    pub contents: bool,
    /// The key of the hash that shares go by.
    pub key: u64,
    /// Complete handshakes among the first packets, each as a number; none in parts of before that was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handshakes: Vec<u64>,
    /// Groups of rows, each with bounds of its times.
    pub groups: Vec<Group>,
}

/// A row group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The number of its chunk.
    pub chunk: u32,
    /// The rest that hashes of its 4-tuples leave; `None` where every share reads it.
    pub rest: Option<u64>,
    /// The divisor.
    pub of: u64,
}

/// The time and the place of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// Nanoseconds since 1970; none where the time is not known.
    pub time_ns: Option<i64>,
    /// The packet's number in its file, from 1.
    pub frame: u64,
    /// Digits of a second that the capture records.
    pub digits: u8,
}

/// [`About`], as it is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Account {
    links: Vec<u16>,
    snap_lengths: Vec<u32>,
    drops: u64,
    addresses: Vec<IpAddr>,
    interfaces: Vec<String>,
    ended: Option<[Option<i64>; 2]>,
    holes: [u64; 2],
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_end_sure: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ended_elsewhere: Vec<[SocketAddr; 2]>,
}

/// Makes a time of nanoseconds.
pub fn time(nanos: Option<i64>) -> Time {
    nanos.map_or(Time::UNKNOWN, |nanos| Time::from_nanos(nanos.into()))
}

impl At {
    /// Takes a place without its file.
    pub fn of(place: Place) -> At {
        let digits = u8::try_from(place.digits()).unwrap_or_default();
        At { time_ns: place.time.nanos(), frame: place.frame(), digits }
    }

    /// The place, in the file with this number.
    pub fn place(self, file: u16) -> Place {
        Place::new(time(self.time_ns), file, self.frame, self.digits)
    }
}

impl Account {
    /// Takes from a file's account what others need.
    pub fn of(about: &About) -> Account {
        Account {
            links: about.links.iter().map(|link| link.0).collect(),
            snap_lengths: about.snap_lengths.iter().copied().collect(),
            drops: about.drops,
            addresses: about.addresses.iter().copied().collect(),
            interfaces: about.interfaces.iter().cloned().collect(),
            ended: about.ended.map(|end| [end.by_clock.nanos(), end.as_micros.nanos()]),
            holes: [about.holes.shown, about.holes.of],
            is_end_sure: about.ended.is_some_and(|end| end.is_sure),
            ended_elsewhere: about.ended_elsewhere.iter().map(ends).collect(),
        }
    }

    /// Returns the account that a file would give.
    pub fn about(&self) -> About {
        let ended = self.ended.map(|[by_clock, as_micros]| Ended {
            by_clock: time(by_clock),
            as_micros: time(as_micros),
            is_sure: self.is_end_sure,
        });
        let key = |[one, other]: &[SocketAddr; 2]| FlowKey::new((*one).into(), (*other).into()).0;
        About {
            links: self.links.iter().copied().map(LinkType).collect(),
            snap_lengths: self.snap_lengths.iter().copied().collect(),
            drops: self.drops,
            addresses: self.addresses.iter().copied().collect(),
            interfaces: self.interfaces.iter().cloned().collect(),
            ended,
            holes: Holes { shown: self.holes[0], of: self.holes[1] },
            ended_elsewhere: Arc::new(self.ended_elsewhere.iter().map(key).collect()),
            ..About::default()
        }
    }
}

fn ends(key: &FlowKey) -> [SocketAddr; 2] {
    [End::Lower, End::Upper].map(|end| key.endpoint(end).into())
}

/// A segment's small facts in one number: flags, sender, direction, extras, digits of its time.
pub mod bits {
    use crate::tcp::segment::{Direction, End, Extras, Flags, Segment, ToldBy, Way};

    const UPPER: u32 = 1 << 8;
    const DIRECTED: u32 = 1 << 9;
    const OUT: u32 = 1 << 10;
    const BY_FLAGS: u32 = 1 << 11;
    const DIGITS: u32 = 12;
    const EXTRAS: u32 = 16;

    /// Puts into bits what the columns leave out.
    pub fn of(segment: &Segment) -> u32 {
        let set = |bit: u32, is: bool| if is { bit } else { 0 };
        let direction = segment.direction.map_or(0, |direction| {
            DIRECTED
                | set(OUT, direction.way == Way::Out)
                | set(BY_FLAGS, direction.told_by == ToldBy::PacketFlags)
        });
        u32::from(segment.flags.0)
            | set(UPPER, segment.from == End::Upper)
            | direction
            | (segment.place.digits() as u32) << DIGITS
            | segment.extras.bits() << EXTRAS
    }

    /// Returns the control bits.
    pub fn flags(bits: u32) -> Flags {
        Flags(bits as u8)
    }

    /// Returns the sender.
    pub fn from(bits: u32) -> End {
        if bits & UPPER != 0 { End::Upper } else { End::Lower }
    }

    /// Returns the way past the interface.
    pub fn direction(bits: u32) -> Option<Direction> {
        (bits & DIRECTED != 0).then_some(Direction {
            way: if bits & OUT != 0 { Way::Out } else { Way::In },
            told_by: if bits & BY_FLAGS != 0 { ToldBy::PacketFlags } else { ToldBy::PacketType },
        })
    }

    /// Returns the digits of a second.
    pub fn digits(bits: u32) -> u8 {
        (bits >> DIGITS & 0xf) as u8
    }

    /// Returns window scale, checksum and other rare things.
    pub fn extras(bits: u32) -> Extras {
        Extras::of_bits(bits >> EXTRAS & ((1 << Extras::BITS) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::Footer;

    #[test]
    fn parts_of_before_a_fact_was_told_are_read_without_it() {
        let mut footer = serde_json::to_value(Footer::default()).expect("JSON");
        assert!(footer.as_object_mut().expect("an object").remove("newest").is_some());
        let footer: Footer = serde_json::from_value(footer).expect("a footer");
        assert_eq!(footer.newest, None);
    }
}
