//! One line of `tcpdump -n`: what it says, before anything is concluded from other lines.

use std::net::{IpAddr, SocketAddr};

use chrono::{DateTime, Local, NaiveDate, NaiveTime, Utc};

use crate::tcp::segment::{Flags, Way};

/// A TCP packet as printed.
#[derive(Clone, Debug, PartialEq)]
pub struct Printed {
    pub stamp: Stamp,
    pub way: Option<Way>,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub flags: Flags,
    /// Printed with payload, SYN, FIN or RST only.
    pub seq: Option<u32>,
    pub ack: Option<u32>,
    pub len: u32,
}

/// A time in one of tcpdump's styles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stamp {
    /// `-t`: none.
    None,
    /// The default, and relative times (`-ttt`, `-ttttt`): nanoseconds.
    Clock { nanos: i64, digits: u8 },
    /// `-tt`, `-tttt`: nanoseconds since 1970.
    Dated { nanos: i64, digits: u8 },
}

/// What a line is.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    Tcp(Printed),
    /// The first of the two lines that `-v` prints: the time, and what is known of the way.
    Head(Stamp, Option<Way>),
    /// A packet, but not of TCP: it only tells the time.
    Other(Stamp),
    /// No packet.
    Nothing,
}

/// Reads one line. `head` is the line before it, if that was the first of two.
pub fn parse(line: &str, head: Option<(Stamp, Option<Way>)>) -> Line {
    let bare = line.trim_start_matches([' ', '\t', '>', '|']).trim_end();
    let (stamp, rest) = stamp(bare);
    let way = way(rest);
    if let Some((ends, tcp)) = rest.split_once(": Flags [") {
        let (stamp, way) = match (stamp, head) {
            (Stamp::None, Some(head)) => head,
            _ => (stamp, way),
        };
        return printed(stamp, way, ends, tcp).map_or(Line::Nothing, Line::Tcp);
    }
    let is_packet = rest.contains(" > ") || rest.starts_with("ARP") || rest.contains(" ARP");
    if rest.contains("(tos 0x")
        || rest.contains("(flowlabel 0x")
        || rest.contains("(class 0x")
        || rest.ends_with("next-header TCP (6)")
        || rest.contains("hlim ") && rest.ends_with(')')
    {
        return Line::Head(stamp, way);
    }
    if stamp != Stamp::None && is_packet { Line::Other(stamp) } else { Line::Nothing }
}

fn printed(stamp: Stamp, way: Option<Way>, ends: &str, tcp: &str) -> Option<Printed> {
    let (before, to) = ends.rsplit_once(" > ")?;
    let from = before.split_whitespace().next_back()?;
    let (flags, fields) = tcp.split_once(']')?;
    let seq = field(fields, ", seq ").map(|range| range.split(':').next().unwrap_or(range));
    Some(Printed {
        stamp,
        way,
        from: address(from)?,
        to: address(to)?,
        flags: parse_flags(flags)?,
        seq: seq.and_then(|seq| seq.parse().ok()),
        ack: field(fields, ", ack ").and_then(|ack| ack.parse().ok()),
        len: leading_number(field(fields, ", length ")?)?,
    })
}

/// The word after a name.
fn field<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = fields.split_once(name)?;
    value.split([',', ' ', ')']).next()
}

fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// `172.18.0.5.38822`, `fe80::1.3306`.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.rsplit_once('.')?;
    let ip: IpAddr = ip.parse().ok()?;
    Some(SocketAddr::new(ip, port.parse().ok()?))
}

fn parse_flags(text: &str) -> Option<Flags> {
    if text == "none" {
        return Some(Flags(0));
    }
    let bit = |c| {
        Some(match c {
            'F' => Flags::FIN,
            'S' => Flags::SYN,
            'R' => Flags::RST,
            'P' => 0x08,
            '.' => Flags::ACK,
            'U' => 0x20,
            // ECN's are of no interest here.
            'E' | 'W' | 'e' => 0,
            _ => return None,
        })
    };
    text.chars().try_fold(0, |flags, c| Some(flags | bit(c)?)).map(Flags)
}

/// On `-i any`, the way stands after the interface's name.
fn way(rest: &str) -> Option<Way> {
    let word = rest.split_whitespace().nth(1)?;
    match word {
        "In" | "B" | "M" | "P" => Some(Way::In),
        "Out" => Some(Way::Out),
        _ => None,
    }
}

/// The time at the start of a line, and the rest of it.
fn stamp(line: &str) -> (Stamp, &str) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    if let Ok(date) = word.parse::<NaiveDate>() {
        let (time, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if let Some((time, digits)) = time_of_day(time)
            && let Some(nanos) = local(date, time)
        {
            return (Stamp::Dated { nanos, digits }, rest);
        }
        return (Stamp::None, line);
    }
    if let Some((time, digits)) = time_of_day(word) {
        let since_midnight = time.signed_duration_since(NaiveTime::MIN).num_nanoseconds();
        return (Stamp::Clock { nanos: since_midnight.unwrap_or(0), digits }, rest);
    }
    match since_1970(word) {
        Some((nanos, digits)) => (Stamp::Dated { nanos, digits }, rest),
        None => (Stamp::None, line),
    }
}

fn time_of_day(word: &str) -> Option<(NaiveTime, u8)> {
    let digits = word.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let time = NaiveTime::parse_from_str(word, "%H:%M:%S%.f").ok()?;
    Some((time, digits.min(9) as u8))
}

/// `1520854695.679863`: at least nine digits before the point, so that no other number is taken.
fn since_1970(word: &str) -> Option<(i64, u8)> {
    let (seconds, fraction) = word.split_once('.')?;
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if seconds.len() < 9 || fraction.len() > 9 || !all_digits(seconds) || !all_digits(fraction) {
        return None;
    }
    let nanos: i64 = format!("{fraction:0<9}").parse().ok()?;
    let seconds: i64 = seconds.parse().ok()?;
    Some((seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?, fraction.len() as u8))
}

/// tcpdump prints local times; whoever reads the text here sees the same times again.
pub fn local(date: NaiveDate, time: NaiveTime) -> Option<i64> {
    let local: DateTime<Utc> = date.and_time(time).and_local_timezone(Local).earliest()?.to_utc();
    local.timestamp_nanos_opt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(line: &str) -> Printed {
        match parse(line, None) {
            Line::Tcp(printed) => printed,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_line_is_read_in_every_style() {
        let packet = "172.18.0.3.3306 > 172.18.0.5.38822: Flags [F.], seq 123, ack 144, win 227, options [nop,nop,TS val 1 ecr 2], length 0";
        let clock = Stamp::Clock { nanos: 41_925_693_382_000, digits: 6 };
        for (line, stamp, way) in [
            (format!("11:38:45.693382 IP {packet}"), clock, None),
            (format!("> 11:38:45.693382 IP {packet}"), clock, None),
            (format!("IP {packet}"), Stamp::None, None),
            (
                format!("1520854695.693382 IP {packet}"),
                Stamp::Dated { nanos: 1_520_854_695_693_382_000, digits: 6 },
                None,
            ),
            (format!("11:38:45.693382 eth0  Out IP {packet}"), clock, Some(Way::Out)),
            (
                format!(
                    "11:38:45.693382 eth0  In  ifindex 2 c6:8c:b9:1a:87:e9 ethertype IPv4 (0x0800), length 80: {packet}"
                ),
                clock,
                Some(Way::In),
            ),
            (
                format!(
                    "11:38:45.693382 02:42:ac:12:00:05 > 02:42:ac:12:00:03, ethertype IPv4 (0x0800), length 74: {packet}"
                ),
                clock,
                None,
            ),
        ] {
            let got = tcp(&line);
            assert_eq!((got.stamp, got.way), (stamp, way), "{line}");
            assert_eq!((got.from.port(), got.to.port()), (3306, 38822), "{line}");
            assert_eq!((got.seq, got.ack, got.len), (Some(123), Some(144), 0), "{line}");
            assert_eq!(got.flags, Flags(0x11), "{line}");
        }
    }

    #[test]
    fn payload_ipv6_and_verbose_fields_are_read() {
        let got = tcp(
            "11:38:45.693382 IP6 fe80::1.80 > ::1.4000: Flags [P.], cksum 0x1 (correct), seq 1:101, ack 7, win 1, length 100: HTTP: GET /",
        );
        assert_eq!((got.seq, got.ack, got.len), (Some(1), Some(7), 100));
        assert_eq!(got.from.to_string(), "[fe80::1]:80");
    }

    #[test]
    fn the_first_of_two_lines_lends_its_time() {
        let head = "11:38:15.679863 IP (tos 0x0, ttl 64, id 0, offset 0, flags [DF], proto TCP (6), length 60)";
        let Line::Head(stamp, way) = parse(head, None) else { panic!("{head}") };
        let second = "    172.18.0.5.38822 > 172.18.0.3.3306: Flags [S], cksum 0x2a75 (correct), seq 1, win 1, length 0";
        let Line::Tcp(got) = parse(second, Some((stamp, way))) else { panic!("{second}") };
        assert_eq!(got.stamp, stamp);
    }

    #[test]
    fn other_lines_are_no_tcp() {
        assert!(matches!(
            parse("11:38:15.679863 IP 10.0.0.1.53 > 10.0.0.2.5353: 1+ A? x. (21)", None),
            Line::Other(_)
        ));
        assert!(matches!(
            parse("11:38:15.679863 ARP, Request who-has 10.0.0.1", None),
            Line::Other(_)
        ));
        for nothing in [
            "",
            "tcpdump: listening on eth0",
            "5 packets captured",
            "see below:",
            "11:38 we saw it",
        ] {
            assert_eq!(parse(nothing, None), Line::Nothing, "{nothing}");
        }
        // Names in place of numbers cannot be read.
        assert_eq!(
            parse("11:38:15.679863 IP app.38822 > db.mysql: Flags [S], seq 1, length 0", None),
            Line::Nothing
        );
    }
}
