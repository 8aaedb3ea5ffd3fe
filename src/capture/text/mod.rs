//! What `tcpdump -n` prints, as a capture: pasted from a ticket, or piped from `tcpdump -l`.
//!
//! The text leaves out what a reader can do without: sequence numbers are relative to the first
//! ones of their connection, and a bare ACK's own is not printed at all. Both are put back here, and
//! each line becomes the packet that it describes, without its payload.

pub mod line;
mod numbers;

use std::net::{IpAddr, SocketAddr};

use chrono::{NaiveDate, NaiveTime};

use self::line::{Line, Printed, Stamp, local, parse};
use self::numbers::Numbers;
use super::buffer::Buffer;
use super::record::{Broken, Record};
use super::{About, LinkType};
use crate::place::Time;
use crate::tcp::segment::{Direction, ToldBy, Way};

/// A longer line is no line.
const MAX_LINE: usize = 64 << 10;

/// How far a text is searched for its first packet.
const MAX_SEARCH: usize = 64 << 10;

const DAY_NS: i64 = 86_400_000_000_000;

/// Reads lines.
#[derive(Default)]
pub struct Text {
    numbers: Numbers,
    head: Option<(Stamp, Option<Way>)>,
    clock: Clock,
    /// The packet that was made of the last line.
    packet: Vec<u8>,
}

/// What the times of the text mean.
#[derive(Default)]
struct Clock {
    style: Style,
    /// The last time printed, and the time that it was.
    printed: i64,
    now: Time,
    days: i64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Style {
    #[default]
    OfDay,
    /// `-ttt`: since the packet before.
    SinceLast,
    /// `-ttttt`: since the first packet.
    SinceFirst,
}

impl Text {
    /// Is this text with a packet in it? Looks no further than it must: a pipe has no end yet.
    pub fn recognise(buffer: &mut Buffer) -> std::io::Result<Option<Text>> {
        let mut len = 1;
        loop {
            buffer.peek(len)?;
            let held = buffer.held();
            let text = String::from_utf8_lossy(whole_lines(held));
            let mut lines = text.lines().map(|line| parse(line, None));
            if lines.any(|line| matches!(line, Line::Tcp(_) | Line::Head(..))) {
                let clock = Clock { style: style(&text), ..Clock::default() };
                let numbers = Numbers::like(tcp_lines(&text));
                return Ok(Some(Text { clock, numbers, ..Text::default() }));
            }
            if held.len() < len || held.len() > MAX_SEARCH {
                return Ok(None);
            }
            len = held.len() + 1;
        }
    }

    /// The packet of the record handed out last.
    pub fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// Finds the next packet in the buffer.
    pub fn locate(
        &mut self,
        buffer: &mut Buffer,
        about: &mut About,
    ) -> Result<Option<Record>, Broken> {
        loop {
            let Some(len) = line_len(buffer)? else { return Ok(None) };
            let bytes = buffer.get(0, len);
            let parsed = match std::str::from_utf8(bytes) {
                Ok(text) => parse(text, self.head.take()),
                Err(_) => Line::Nothing,
            };
            match parsed {
                Line::Tcp(printed) => return Ok(Some(self.tcp(&printed, len))),
                Line::Other(stamp) => return Ok(Some(self.other(stamp, len))),
                Line::Head(stamp, way) => self.head = Some((stamp, way)),
                Line::Nothing if bytes.iter().all(u8::is_ascii_whitespace) => {}
                Line::Nothing => about.lines_skipped += 1,
            }
            buffer.consume(len);
        }
    }

    fn tcp(&mut self, printed: &Printed, len: usize) -> Record {
        let Some((seq, ack)) = self.numbers.absolute(printed) else {
            return self.other(printed.stamp, len);
        };
        self.packet = packet(printed, seq, ack);
        let way = printed.way.map(|way| Direction { way, told_by: ToldBy::PacketType });
        let octets = (self.packet.len() as u32).saturating_add(printed.len);
        self.record(printed.stamp, len, LinkType::RAW, octets, way)
    }

    fn other(&mut self, stamp: Stamp, len: usize) -> Record {
        self.packet.clear();
        self.record(stamp, len, LinkType::TEXT, 0, None)
    }

    fn record(
        &mut self,
        stamp: Stamp,
        len: usize,
        link: LinkType,
        original_len: u32,
        direction: Option<Direction>,
    ) -> Record {
        let (time, digits) = self.clock.read(stamp);
        Record {
            has_process: false,
            whole: len,
            data_at: 0,
            data_len: 0,
            time,
            digits,
            interface: 0,
            link,
            original_len,
            direction,
        }
    }
}

impl Clock {
    fn read(&mut self, stamp: Stamp) -> (Time, u8) {
        let (nanos, digits) = match stamp {
            Stamp::None => return (Time::UNKNOWN, 6),
            Stamp::Dated { nanos, digits } => return (Time::from_nanos(nanos.into()), digits),
            Stamp::Clock { nanos, digits } => (nanos, digits),
        };
        let at = match self.style {
            Style::SinceLast => self.now.nanos().unwrap_or(start()).saturating_add(nanos),
            Style::SinceFirst => start().saturating_add(nanos),
            Style::OfDay => {
                // Half a day back is not a clock set back, but midnight.
                self.days += i64::from(nanos < self.printed - DAY_NS / 2);
                start().saturating_add(self.days.saturating_mul(DAY_NS)).saturating_add(nanos)
            }
        };
        self.printed = nanos;
        self.now = Time::from_nanos(at.into());
        (self.now, digits)
    }
}

/// The day is not printed: the second of January 1970 stands for it, midnight there in every zone.
fn start() -> i64 {
    let day = NaiveDate::from_ymd_opt(1970, 1, 2).unwrap_or_default();
    local(day, NaiveTime::MIN).unwrap_or(DAY_NS)
}

fn tcp_lines(text: &str) -> impl Iterator<Item = Printed> {
    text.lines().filter_map(|line| match parse(line, None) {
        Line::Tcp(printed) => Some(printed),
        _ => None,
    })
}

/// Relative times begin with zero; those since the packet before go back sooner or later.
fn style(text: &str) -> Style {
    let clock = |line| match parse(line, None) {
        Line::Tcp(Printed { stamp: Stamp::Clock { nanos, .. }, .. })
        | Line::Head(Stamp::Clock { nanos, .. }, _)
        | Line::Other(Stamp::Clock { nanos, .. }) => Some(nanos),
        _ => None,
    };
    let times: Vec<i64> = text.lines().filter_map(clock).collect();
    match times.first() {
        Some(0) if times.is_sorted() => Style::SinceFirst,
        Some(0) => Style::SinceLast,
        _ => Style::OfDay,
    }
}

/// The lines that have ended, or all there is if none has.
fn whole_lines(bytes: &[u8]) -> &[u8] {
    match bytes.iter().rposition(|b| *b == b'\n') {
        Some(last) => &bytes[..=last],
        None => bytes,
    }
}

/// The length of the next line with its end; `None` where the text ends. The last line need not
/// end, and one that is too long is taken in parts.
fn line_len(buffer: &mut Buffer) -> Result<Option<usize>, Broken> {
    let mut searched = 0;
    loop {
        buffer.peek(searched + 1)?;
        let held = buffer.held();
        if let Some(end) = held[searched..].iter().position(|b| *b == b'\n') {
            return Ok(Some(searched + end + 1));
        }
        searched = held.len();
        if searched >= MAX_LINE || buffer.is_at_end() {
            return Ok((searched > 0).then_some(searched));
        }
    }
}

/// The headers that the line describes; the payload itself was not printed.
fn packet(printed: &Printed, seq: u32, ack: u32) -> Vec<u8> {
    const TCP: u32 = 20;
    let len = TCP.saturating_add(printed.len);
    let mut packet = match (printed.from.ip(), printed.to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            // A length that does not fit is left at 0, as segmentation offload does.
            let total = u16::try_from(len.saturating_add(20)).unwrap_or(0);
            let mut ip = vec![0x45, 0];
            ip.extend(total.to_be_bytes());
            ip.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
            ip.extend([from.octets(), to.octets()].concat());
            ip
        }
        (from, to) => {
            let mut ip = vec![0x60, 0, 0, 0];
            ip.extend(u16::try_from(len).unwrap_or(0).to_be_bytes());
            ip.extend([6, 64]);
            ip.extend([v6(from), v6(to)].concat());
            ip
        }
    };
    let port = |address: SocketAddr| address.port().to_be_bytes();
    packet.extend([port(printed.from), port(printed.to)].concat());
    packet.extend([seq.to_be_bytes(), ack.to_be_bytes()].concat());
    // A window that is not known is not a closed one.
    packet.extend([5 << 4, printed.flags.0, 0xff, 0xff, 0, 0, 0, 0]);
    packet
}

fn v6(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}
