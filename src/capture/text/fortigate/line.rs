//! One line of FortiGate's sniffer: a packet of TCP, another one, a part of one, or none.

use crate::capture::text::ends::Ends;
use crate::capture::text::front::clock_at_the_end;
use crate::capture::text::lines::without_emphasis;
use crate::capture::text::printed::{Item, Printed};
use crate::capture::text::signs::shows_flags;
use crate::capture::text::stamp::{Stamp, is_part_of_time};
use crate::names::is_stand_in;
use crate::tcp::segment::Flags;

/// The flag of data that is to be handed on at once.
pub const PSH: u8 = 0x08;

/// Digits of a second that the sniffer prints.
const DIGITS: usize = 6;

/// A line, by what it holds.
#[derive(Clone, Debug)]
pub struct Line {
    /// The packet; of one that cannot be read, its text is left to whoever has the whole of it.
    pub item: Item,
    /// Nothing stands behind its last number, or it names another protocol.
    pub is_whole: bool,
}

impl Line {
    /// Reads a line without what is around it.
    pub fn of(line: &str, ends: &mut Ends) -> Line {
        match line.split_once(" -> ") {
            Some((before, behind)) => packet(before, behind, ends),
            None if shows_flags(line) => Line::from(unread()),
            None => Line::from(no_arrow(line)),
        }
    }

    /// The number of things that a packet of TCP should have and lacks: a time, and addresses that are numbers.
    pub fn lacks(&self) -> Option<usize> {
        let Item::Tcp(Printed { stamp, from, to, .. }) = &self.item else { return None };
        let lacking = [*stamp == Stamp::None, is_stand_in(from.ip()), is_stand_in(to.ip())];
        self.is_whole.then(|| lacking.into_iter().filter(|lacks| *lacks).count())
    }
}

impl From<Item> for Line {
    fn from(item: Item) -> Line {
        Line { item, is_whole: false }
    }
}

fn unread() -> Item {
    Item::Unread(0, String::new())
}

/// Does a line begin a packet, with a time of its own?
pub fn begins(line: &str) -> bool {
    line.split_whitespace().any(is_time)
}

fn is_time(word: &str) -> bool {
    seconds(word).is_some() || clock_at_the_end(word).is_some()
}

/// The seconds at the end of a word, behind whatever stands right before them. A port has fewer digits behind its point.
fn seconds(word: &str) -> Option<Stamp> {
    let own = word.rsplit(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let fraction = own.rsplit_once('.').map_or(0, |(_, fraction)| fraction.len());
    let is_clock = clock_at_the_end(word).is_some();
    (fraction == DIGITS && !is_clock).then(|| Stamp::seconds(own))?
}

/// Is a line of the octets that are printed below a packet? `0x0000   4500 003c …`
pub fn is_of_octets(line: &str) -> bool {
    line.starts_with("0x")
}

/// May a line that says nothing alone be the beginning of a packet's time, or all of its day?
pub fn may_be_time(line: &str) -> bool {
    is_part_of_time(line.as_bytes()) && line.matches('.').count() <= 1
}

/// `0.655224 port1 in arp who-has 10.0.0.1 tell 10.0.0.5`, or no packet: what stands below one is its octets. A part of a
/// packet, which was cut or folded, may be one of TCP.
fn no_arrow(line: &str) -> Item {
    match stamp(line) {
        _ if is_of_octets(line) => Item::Skipped(1),
        stamp if has_numbers(line) || is_begun(line, stamp) => unread(),
        _ if may_be_time(line) && line.contains([':', '.']) => unread(),
        Stamp::None => Item::Skipped(1),
        stamp => Item::Other(stamp),
    }
}

/// A line, by what stands before and behind its arrow.
fn packet(before: &str, behind: &str, ends: &mut Ends) -> Line {
    let stamp = stamp(before);
    let Some((to, told)) = behind.split_once(": ") else {
        // Of other protocols, too, something stands behind the ends.
        return other(stamp, is_begun(before, stamp) || has_numbers(behind));
    };
    let told = told.trim_end_matches(['"', '\'', ',', '`', ' ']);
    let told = told.strip_suffix("{noformat}").unwrap_or(told);
    let plain = without_emphasis(told).unwrap_or_else(|| told.to_owned()).to_ascii_lowercase();
    let Some(Fields { flags, seq, ack, is_whole }) = Fields::of(&plain) else {
        // Only TCP has such a number, or a flag of which this is a part.
        let is_cut = NAMES.iter().any(|(name, _)| name.starts_with(plain.trim()));
        let may_be_tcp = is_cut || plain.contains(" ack ") || has_numbers(&plain);
        let is_whole = OTHERS.iter().any(|name| plain.starts_with(name));
        return Line { is_whole, ..other(stamp, may_be_tcp) };
    };
    let from = before.split_whitespace().next_back().unwrap_or_default();
    // Only a connection's first packet and its last may come without an acknowledgment.
    let may_lack = flags.syn() || flags.rst();
    let has_all = (seq.is_some() || flags.0 == Flags::ACK)
        && ack.is_some() == flags.ack()
        && (ack.is_some() || may_lack);
    let found = ends.dotted(from).zip(ends.dotted(to.trim())).filter(|_| has_all);
    let Some((from, to)) = found else { return Line::from(unread()) };
    // It passes packets on: each comes in and goes out.
    let printed = Printed { seq, ack, ..Printed::new(stamp, [from, to], flags) };
    Line { item: Item::Tcp(printed), is_whole }
}

/// Flags by their names.
const NAMES: [(&str, u8); 6] = [
    ("syn", Flags::SYN),
    ("fin", Flags::FIN),
    ("rst", Flags::RST),
    ("psh", PSH),
    ("urg", 0x20),
    ("ack", Flags::ACK),
];

/// Words of other protocols.
const OTHERS: [&str; 5] = ["udp ", "icmp", "ip-proto", "esp", "gre"];

fn bit(name: &str) -> Option<u8> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, bit)| *bit)
}

/// Flags and numbers of a packet.
struct Fields {
    flags: Flags,
    seq: Option<u32>,
    ack: Option<u32>,
    /// Nothing stands behind them.
    is_whole: bool,
}

impl Fields {
    /// `fin 28050 ack 27968`, or `None` where no flag is named: `udp 113`, `icmp: echo request`.
    fn of(told: &str) -> Option<Fields> {
        let (mut flags, mut seq, mut ack) = (0, None, None);
        let mut words = told.split_whitespace().peekable();
        while let Some(bit) = words.peek().and_then(|word| bit(word)) {
            words.next();
            flags |= bit;
            let number = words.next_if(|word| word.bytes().all(|b| b.is_ascii_digit()));
            let slot = if bit == Flags::ACK { &mut ack } else { &mut seq };
            *slot = number.and_then(|number| number.parse().ok()).or(*slot);
        }
        let is_whole = words.next().is_none();
        (flags != 0).then_some(Fields { flags: Flags(flags), seq, ack, is_whole })
    }
}

/// A packet of another protocol, unless it may be one of TCP.
fn other(stamp: Stamp, may_be_tcp: bool) -> Line {
    Line::from(if may_be_tcp { unread() } else { Item::Other(stamp) })
}

/// Does a flag stand there with a number, as only TCP has them? `fin 28050`
fn has_numbers(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_number = |word: &str| word.len() > 1 && word.bytes().all(|b| b.is_ascii_digit());
    words
        .windows(2)
        .any(|pair| matches!(pair[0], "syn" | "fin" | "rst" | "psh" | "ack") && is_number(pair[1]))
}

/// Was a packet with this time cut where it may be of TCP: within its interface, at its way or within its first end?
fn is_begun(line: &str, stamp: Stamp) -> bool {
    let is_of_time = |word: &&str| stamp != Stamp::None && is_time(word);
    let words: Vec<&str> = line.split_whitespace().collect();
    let behind = words.iter().rposition(is_of_time).map_or(0, |at| at + 1);
    let is_part = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_hexdigit())
            && word.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':'))
    };
    match words[behind..] {
        // `interfaces=[any]` is the sniffer's own.
        [word] if word.contains('=') => false,
        [] | [_] => behind > 0,
        [_, way] if behind > 0 && ["in", "out"].iter().any(|known| known.starts_with(way)) => true,
        [.., "in" | "out" | "-" | "->"] => true,
        [.., "in" | "out" | "->", end] => is_part(end),
        _ => false,
    }
}

/// The seconds since it began, or a day and a time of it. A log's own stand before them.
fn stamp(before: &str) -> Stamp {
    let words: Vec<&str> = before.split_whitespace().collect();
    let day = |word: &str| {
        let is_mark = |c: char| !c.is_ascii_digit() && !matches!(c, '-' | '/');
        word.rsplit(is_mark).next().unwrap_or_default().to_owned()
    };
    let dated = |at: usize| {
        let clock = &words[at][clock_at_the_end(words[at])?..];
        Stamp::dated(&day(words[at.checked_sub(1)?]), clock)
    };
    let found = (0..words.len()).rev().find_map(|at| dated(at).or_else(|| seconds(words[at])));
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log's time is not the packet's, and marks right before its own or behind its numbers are no part of them.
    #[test]
    fn what_others_put_around_a_line_changes_nothing() {
        let mut ends = Ends::default();
        let told = "port1 in 10.0.0.5.40000 -> 10.0.0.3.3306: fin 700 ack 800";
        for time in ["5.253143", "2023-11-14 22:13:20.213856"] {
            let line = format!("{time} {told}");
            let bare = Line::of(&line, &mut ends).item;
            assert!(matches!(&bare, Item::Tcp(printed) if printed.stamp != Stamp::None));
            for (before, behind) in [
                ("7:", ""),
                ("a/x.txt:7:", ""),
                ("`", "`"),
                ("+", ""),
                ("{noformat}", "{noformat}"),
                ("msg=\"", "\""),
                ("2023-11-14 23:00:00.213\t", ""),
                ("Nov 14 23:00:00.213856 fw ", ""),
            ] {
                let line = format!("{before}{line}{behind}");
                assert_eq!(Line::of(&line, &mut ends).item, bare, "{line}");
                assert!(begins(&line), "{line}");
            }
        }
        let header = "2023-11-14 23:00:00.213\tinterfaces=[any]";
        assert!(!matches!(Line::of(header, &mut ends).item, Item::Unread(..)));
    }
}
