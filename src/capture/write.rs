//! Writes pcapng: packets as they were captured, each with a comment where there is something to say.
//!
//! Written here, and not by the parser crate's serializer: that needs one more crate, and puts each
//! block together from copies of its parts. It takes five kinds of block.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

use super::LinkType;
use crate::place::Time;
use crate::tcp::holes::Holes;
use crate::tcp::segment::{Direction, End, FlowKey, ToldBy, Way};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const INTERFACE_DESCRIPTION: u32 = 1;
const NAME_RESOLUTION: u32 = 4;
const INTERFACE_STATISTICS: u32 = 5;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Option codes that every block has.
const COMMENT: u16 = 1;
/// Option code of a section for the program that wrote it. Only of closewait's own files does the reader
/// believe when they ended.
const USER_APPL: u16 = 4;
const END: u16 = 0;

/// Octets of a comment, at most: its length has 16 bits.
const MAX_COMMENT: usize = 8_192;

/// An interface's description.
#[derive(Clone, Debug)]
pub struct Described {
    /// The link type of its packets.
    pub link: LinkType,
    /// 0: not limited.
    pub snap_len: u32,
    /// The source of its packets.
    pub name: String,
    /// Addresses of the interface, which tell whose side is local.
    pub addresses: BTreeSet<IpAddr>,
    /// Decimal digits of a second.
    pub digits: u8,
}

/// A packet to write.
#[derive(Clone, Debug)]
pub struct PacketToWrite<'a> {
    /// The time of its capture.
    pub time: Time,
    /// Octets on the wire, before the snap length cut it.
    pub original_len: u32,
    /// The direction, where it stood beside the packet's bytes.
    pub direction: Option<Direction>,
    /// Octets as captured.
    pub data: Cow<'a, [u8]>,
    /// A comment beside it, for Wireshark's `frame.comment`.
    pub comment: Option<String>,
}

/// A pcapng file with one section, in little-endian order.
pub struct Writer<W> {
    out: W,
    digits: Vec<u8>,
    /// The link type and the snap length of the first interface.
    first: Option<(LinkType, u32)>,
    /// The time of the last packet that had one: another one that has to have a time gets that, for none would be 1970.
    last: Time,
}

impl<W: Write> Writer<W> {
    /// Begins the file; `comment` says what it holds.
    ///
    /// # Errors
    /// If the output cannot be written to.
    pub fn new(out: W, comment: &str) -> io::Result<Writer<W>> {
        let mut writer = Writer { out, digits: Vec::new(), first: None, last: Time::UNKNOWN };
        let mut body = BYTE_ORDER_MAGIC.to_le_bytes().to_vec();
        // Version 1.0, of a length that is not told.
        body.extend([1, 0, 0, 0]);
        body.extend([0xff; 8]);
        option(&mut body, COMMENT, cut(comment).as_bytes());
        option(&mut body, USER_APPL, concat!("closewait ", env!("CARGO_PKG_VERSION")).as_bytes());
        end_options(&mut body);
        writer.block(SECTION_HEADER, &body)?;
        Ok(writer)
    }

    /// Describes one more interface, and returns its number.
    ///
    /// # Errors
    /// If the output cannot be written to.
    pub fn interface(&mut self, described: &Described) -> io::Result<u32> {
        // Microseconds are what every tool expects, nanoseconds hold all that is finer.
        let digits = if described.digits > 6 { 9 } else { 6 };
        let mut body = described.link.0.to_le_bytes().to_vec();
        body.extend([0, 0]);
        body.extend(described.snap_len.to_le_bytes());
        option(&mut body, 3, cut(&described.name).as_bytes());
        for address in &described.addresses {
            match address {
                IpAddr::V4(ip) => option(&mut body, 4, &[&ip.octets()[..], &[255; 4]].concat()),
                IpAddr::V6(ip) => option(&mut body, 5, &[&ip.octets()[..], &[128]].concat()),
            }
        }
        option(&mut body, 9, &[digits]);
        end_options(&mut body);
        self.block(INTERFACE_DESCRIPTION, &body)?;
        self.first.get_or_insert((described.link, described.snap_len));
        self.digits.push(digits);
        Ok(self.digits.len() as u32 - 1)
    }

    /// Writes a packet of an interface that was described before.
    ///
    /// # Errors
    /// If the output cannot be written to.
    pub fn packet(&mut self, interface: u32, packet: &PacketToWrite) -> io::Result<()> {
        if interface == 0 && self.first.is_some_and(|(link, _)| self.fits_first(link, packet)) {
            self.simple_packet(packet)?;
            // It cannot stand beside the packet.
            return packet.comment.iter().try_for_each(|text| self.comment(0, packet.time, text));
        }
        if packet.time != Time::UNKNOWN {
            self.last = packet.time;
        }
        let mut body = interface.to_le_bytes().to_vec();
        body.extend(self.ticks(interface, self.last));
        body.extend((packet.data.len() as u32).to_le_bytes());
        body.extend(packet.original_len.to_le_bytes());
        body.extend_from_slice(&packet.data);
        pad(&mut body);
        if let Some(comment) = &packet.comment {
            option(&mut body, COMMENT, cut(comment).as_bytes());
        }
        let flags = match packet.direction {
            Some(Direction { way, told_by: ToldBy::PacketFlags }) => Some(way),
            // Its bytes say it.
            _ => None,
        };
        if let Some(way) = flags {
            let way: u32 = if way == Way::In { 1 } else { 2 };
            option(&mut body, 2, &way.to_le_bytes());
        }
        if packet.comment.is_some() || flags.is_some() {
            end_options(&mut body);
        }
        self.block(ENHANCED_PACKET, &body)
    }

    /// Can a packet of this link be written as one of the first interface, and without a time? Only a simple
    /// packet has none, and that is of the first interface, was cut by its snap length alone, and says of no
    /// direction.
    pub fn fits_first(&self, link: LinkType, packet: &PacketToWrite) -> bool {
        let is_told =
            matches!(packet.direction, Some(Direction { told_by: ToldBy::PacketFlags, .. }));
        let is_whole = |snap_len| {
            let limit = if snap_len == 0 { u32::MAX } else { snap_len };
            packet.data.len() as u64 == u64::from(packet.original_len.min(limit))
        };
        let fits = self.first.is_some_and(|(first, limit)| first == link && is_whole(limit));
        packet.time == Time::UNKNOWN && fits && !is_told
    }

    /// Writes a packet that has no time: in a block of the usual kind, none would be 1970.
    fn simple_packet(&mut self, packet: &PacketToWrite) -> io::Result<()> {
        let mut body = packet.original_len.to_le_bytes().to_vec();
        body.extend_from_slice(&packet.data);
        pad(&mut body);
        self.block(SIMPLE_PACKET, &body)
    }

    /// Writes the name of an address, for whoever reads the file: a text had it in place of one.
    ///
    /// # Errors
    /// If the output cannot be written to.
    pub fn name(&mut self, address: IpAddr, name: &str) -> io::Result<()> {
        let IpAddr::V6(ip) = address else { return Ok(()) };
        const OF_IPV6: u16 = 2;
        let mut body = Vec::new();
        option(&mut body, OF_IPV6, &[&ip.octets()[..], name.as_bytes(), &[0]].concat());
        end_options(&mut body);
        self.block(NAME_RESOLUTION, &body)
    }

    /// Writes that an interface was captured on until then, and lost so many packets; others are missing,
    /// too.
    ///
    /// # Errors
    /// If the output cannot be written to.
    pub fn statistics(
        &mut self,
        interface: u32,
        until: Time,
        drops: u64,
        missing: Holes,
    ) -> io::Result<()> {
        let is_known = until != Time::UNKNOWN;
        let until = self.ticks(interface, until);
        let mut body = interface.to_le_bytes().to_vec();
        body.extend(until);
        if missing.shown > 0 {
            option(&mut body, COMMENT, missing_text(missing).as_bytes());
        }
        if is_known {
            option(&mut body, 3, &until);
        }
        if drops > 0 {
            option(&mut body, 5, &drops.to_le_bytes());
        }
        end_options(&mut body);
        self.block(INTERFACE_STATISTICS, &body)
    }

    /// Writes a comment on an interface.
    ///
    /// # Errors
    /// If the output cannot be written to.
    pub fn comment(&mut self, interface: u32, at: Time, text: &str) -> io::Result<()> {
        let mut body = interface.to_le_bytes().to_vec();
        body.extend(self.ticks(interface, at));
        option(&mut body, COMMENT, cut(text).as_bytes());
        end_options(&mut body);
        self.block(INTERFACE_STATISTICS, &body)
    }

    /// Flushes the output: all that was written so far can be read.
    ///
    /// # Errors
    /// If the output cannot be written to.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The upper half, then the lower.
    fn ticks(&self, interface: u32, time: Time) -> [u8; 8] {
        let nanos = time.nanos().unwrap_or(0).unsigned_abs();
        let fine = self.digits.get(interface as usize) == Some(&9);
        let ticks = if fine { nanos } else { nanos / 1_000 };
        let ([high, low], mut all) = ([(ticks >> 32) as u32, ticks as u32], [0; 8]);
        all[..4].copy_from_slice(&high.to_le_bytes());
        all[4..].copy_from_slice(&low.to_le_bytes());
        all
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let len = (body.len() as u32 + 12).to_le_bytes();
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&len)?;
        self.out.write_all(body)?;
        self.out.write_all(&len)
    }
}

/// A sentence for people that the reader finds its numbers in again.
fn missing_text(Holes { shown, of }: Holes) -> String {
    format!("{MISSING}{shown}{OF}{of}{SHOW}")
}

const MISSING: &str = "packets are missing from the capture: ";
const OF: &str = " of ";
const SHOW: &str = " connections show it";

/// The numbers in such a sentence.
pub fn holes(comment: &str) -> Option<Holes> {
    let numbers = comment.strip_prefix(MISSING)?.strip_suffix(SHOW)?;
    let (shown, of) = numbers.split_once(OF)?;
    Some(Holes { shown: shown.parse().ok()?, of: of.parse().ok()? })
}

/// A sentence on the capture that packets were chosen from, where none of them shows it: no filter left those out.
pub const BARE_ACKS: &str = "the capture has ACKs that carry nothing";

const ENDED: &str = "may have ended, as other addresses or another capture showed: ";
const AND: &str = " and ";

/// A sentence on a connection that the reader finds it in again.
pub fn ended_elsewhere_text(key: &FlowKey) -> String {
    let [one, other] = [End::Lower, End::Upper].map(|end| SocketAddr::from(key.endpoint(end)));
    format!("{ENDED}{one}{AND}{other}")
}

/// The connection in such a sentence.
pub fn ended_elsewhere(comment: &str) -> Option<FlowKey> {
    let (one, other) = comment.strip_prefix(ENDED)?.split_once(AND)?;
    let [one, other] = [one, other].map(|end| Some(end.parse::<SocketAddr>().ok()?.into()));
    Some(FlowKey::new(one?, other?).0)
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn end_options(body: &mut Vec<u8>) {
    option(body, END, &[]);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

/// As much of a text as fits.
fn cut(text: &str) -> &str {
    let end = (0..=MAX_COMMENT.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_without_a_time_gets_that_of_the_one_before() {
        let name = String::from("eth0");
        let ethernet = Described {
            link: LinkType(1),
            snap_len: 0,
            name,
            addresses: BTreeSet::new(),
            digits: 6,
        };
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, "").expect("memory");
        writer.interface(&ethernet).expect("memory");
        // Only the first can have packets without a time.
        let second = writer.interface(&ethernet).expect("memory");
        for time in [Time::from_nanos(1_520_854_695_000_001_000), Time::UNKNOWN] {
            let packet = PacketToWrite {
                time,
                original_len: 4,
                direction: None,
                data: Cow::Borrowed(b"data"),
                comment: None,
            };
            writer.packet(second, &packet).expect("memory");
        }
        let packets: Vec<_> = out.windows(4).enumerate().filter(|(_, it)| *it == b"data").collect();
        let [first, without] = packets[..] else { panic!("{out:?}") };
        // Ticks come before both lengths, and those before the octets.
        let ticks = |at: usize| &out[at - 16..at - 8];
        assert_eq!(ticks(first.0), ticks(without.0));
    }
}
