//! Lines that stand in another order than their packets: newest first, as logs show them, which are read from their
//! end; or as a table was sorted by another column, which are read by their numbers.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

use super::breaks::Breaks;
use super::lines::{line_len, printed};
use super::printed::{Item, Printed};
use super::stamp::Stamp;
use crate::capture::buffer::Buffer;
use crate::capture::record::Broken;

/// Octets of a text that are turned round, at most: all of it is in memory then.
const MAX_TURNED: usize = 64 << 20;

/// Packets that tell the order: a few may stand in any.
const ENOUGH: usize = 3;

/// Words that a log puts before a line, at most: `Nov 14 22:13:20 host1 tshark[912]:`.
const LABEL: usize = 5;

/// Less may be the time since another packet, and that falls and rises.
const HOUR_NS: i64 = 3_600_000_000_000;

/// Tells whether packets with these times, on lines that begin like this, stand newest first.
pub fn is_newest_first(stamps: &[Stamp], head: &[u8]) -> bool {
    let of_day = |stamp: &Stamp| match stamp {
        Stamp::Clock { nanos, .. } => Some(*nanos),
        _ => None,
    };
    let dated = |stamp: &Stamp| match stamp {
        Stamp::Dated { nanos, .. } => Some(*nanos),
        _ => None,
    };
    let falls = |times: Option<Vec<i64>>| {
        times.filter(|times| {
            times.len() >= ENOUGH
                && times.is_sorted_by(|a, b| a >= b)
                && times.first() > times.last()
        })
    };
    let of_day = falls(stamps.iter().map(of_day).collect());
    of_day.is_some_and(|times| times.iter().all(|time| *time >= HOUR_NS) || numbers_fall(head))
        || falls(stamps.iter().map(dated).collect()).is_some()
}

/// Tells whether times rise throughout.
pub fn is_oldest_first(stamps: &[Stamp]) -> bool {
    let times: Vec<Option<i64>> = stamps.iter().map(|stamp| stamp.nanos()).collect();
    times.len() >= ENOUGH && times.is_sorted() && times.first() < times.last()
}

/// Tells whether handshakes stand the other way round, and none as it came: an answer to a SYN that stands below it, with
/// packets of their connection above both. Times since another packet do not show it, nor does a text without any.
pub fn are_answered_above(items: &[Item]) -> bool {
    let mut talks: HashMap<[SocketAddr; 2], Talk> = HashMap::new();
    let packets = items.iter().filter_map(|item| match item {
        Item::Tcp(printed) => Some(printed),
        _ => None,
    });
    for printed in packets {
        let (from, to) = (printed.from, printed.to);
        talks.entry([from.min(to), from.max(to)]).or_default().note(printed);
    }
    talks.values().any(|talk| talk.is_turned) && !talks.values().any(|talk| talk.is_forward)
}

/// The handshake of a connection, as its packets stand.
#[derive(Default)]
struct Talk {
    packets: usize,
    begins: bool,
    /// The number of the SYN that an answer below other packets was for, and the one behind it.
    answered: Option<u32>,
    is_forward: bool,
    is_turned: bool,
}

impl Talk {
    fn note(&mut self, printed: &Printed) {
        let next = printed.seq.map(|seq| seq.wrapping_add(1));
        match (printed.flags.syn(), printed.flags.ack()) {
            (true, false) if self.packets == 0 => self.begins = true,
            (true, false) => self.is_turned |= next.is_some() && next == self.answered,
            (true, true) if self.packets > 0 => self.answered = printed.ack,
            _ => {}
        }
        self.is_forward = self.begins && (self.is_forward || self.packets > 0);
        self.packets += 1;
    }
}

/// Tells whether lines begin with numbers, each one less than that before.
fn numbers_fall(head: &[u8]) -> bool {
    let numbers: Vec<u64> = lines_of(head).filter_map(row_number).collect();
    numbers.len() >= ENOUGH
        && numbers.windows(2).all(|pair| pair[1].checked_add(1) == Some(pair[0]))
}

/// Tells whether rows begin with numbers that are all different, and do not rise.
pub fn numbers_jump(head: &[u8]) -> bool {
    let numbers: Vec<u64> = lines_of(head).filter_map(row_number).collect();
    let all: BTreeSet<u64> = numbers.iter().copied().collect();
    numbers.len() >= ENOUGH && all.len() == numbers.len() && !numbers.is_sorted()
}

/// Counts the packets whose times are earlier than that of the one before.
pub fn falls(stamps: &[Stamp]) -> usize {
    stamps.windows(2).filter(|pair| pair[1].nanos() < pair[0].nanos()).count()
}

/// Numbers of rows as they are read, with their times: where both fall, and no number comes twice, a table was sorted by
/// another column, and its beginning did not show it.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowNumbers {
    last: Option<(u64, Stamp)>,
    /// The lowest and the highest, and how many there were.
    range: Option<(u64, u64)>,
    rows: u64,
    falls: bool,
}

impl RowNumbers {
    /// Takes a row, as it was read.
    pub fn note(&mut self, number: u64, stamp: Stamp) {
        self.falls |=
            self.last.is_some_and(|(last, before)| number < last && stamp.nanos() < before.nanos());
        self.last = Some((number, stamp));
        let (lowest, highest) = self.range.unwrap_or((number, number));
        self.range = Some((lowest.min(number), highest.max(number)));
        self.rows += 1;
    }

    /// Tells whether rows stand in another order than their packets. More rows than numbers are two exports, one behind the
    /// other.
    pub fn are_disordered(&self) -> bool {
        let numbers =
            self.range.map_or(0, |(lowest, highest)| (highest - lowest).saturating_add(1));
        self.falls && self.rows <= numbers
    }
}

fn row_number(line: &[u8]) -> Option<u64> {
    number_of_row(&printed(line))
}

/// The number that a row begins with, or that stands right behind the label of a log: `[pod/a/b]`, `tshark[912]:`.
pub fn number_of_row(line: &str) -> Option<u64> {
    let words = line.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).take(LABEL + 1).collect();
    let number = |word: &&str| word.trim_matches('"').parse().ok();
    let label = words.iter().rposition(|word| word.trim_end_matches(':').ends_with(']'));
    words.first().and_then(number).or_else(|| words.get(label? + 1).and_then(number))
}

fn lines_of(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split_inclusive(|b| *b == b'\n')
}

/// The lines of the beginning of a text by their numbers. What has none, as names of columns, stands before them.
pub fn by_number(head: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = lines_of(head).collect();
    lines.sort_by_cached_key(|line| row_number(line));
    lines.concat()
}

/// The lines of the beginning of a text, the last one first. Names of columns stay where they stand.
pub fn turned(head: &[u8], has_names: bool) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = head.split_inclusive(|b| *b == b'\n').collect();
    lines.get_mut(usize::from(has_names)..).unwrap_or_default().reverse();
    lines.concat()
}

/// All lines of a text, with their places in it: the last one is the next.
#[derive(Default)]
pub struct Turned {
    lines: Vec<(u64, Box<[u8]>)>,
}

impl Turned {
    /// Reads a text to its end.
    pub fn read(buffer: &mut Buffer, breaks: Breaks) -> Result<Turned, Broken> {
        let (mut lines, mut octets) = (Vec::new(), 0);
        while let Some(len) = line_len(buffer, breaks)? {
            octets += len;
            if octets > MAX_TURNED {
                return Err(Broken::Corrupt(
                    "its lines stand in another order than their packets, and are too many to be sorted here: read it as `tac FILE | closewait -`, or sorted by its first column".into(),
                ));
            }
            lines.push((lines.len() as u64 + 1, Box::from(buffer.get(0, len))));
            buffer.consume(len);
        }
        Ok(Turned { lines })
    }

    /// Has them come by the numbers that they begin with.
    #[must_use]
    pub fn by_number(mut self) -> Turned {
        self.lines.sort_by_cached_key(|(_, line)| row_number(line));
        self.lines.reverse();
        self
    }

    /// Takes the next line, with its place.
    pub fn pop(&mut self) -> Option<(u64, Box<[u8]>)> {
        self.lines.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_day(seconds: &[i64]) -> Vec<Stamp> {
        let stamp = |seconds: &i64| Stamp::Clock { nanos: seconds * 1_000_000_000, digits: 6 };
        seconds.iter().map(stamp).collect()
    }

    #[test]
    fn rows_whose_numbers_and_times_fall_are_in_another_order() {
        let are_disordered = |rows: &[(u64, i64)]| {
            let mut numbers = RowNumbers::default();
            for (number, nanos) in rows {
                numbers.note(*number, Stamp::Dated { nanos: *nanos, digits: 9 });
            }
            numbers.are_disordered()
        };
        assert!(are_disordered(&[(1, 10), (4, 40), (2, 20), (3, 30)]));
        assert!(!are_disordered(&[(1, 10), (2, 20), (3, 30), (9, 40)]));
        // Ports, lengths, two exports.
        assert!(!are_disordered(&[(700, 10), (400, 20), (500, 30)]));
        assert!(!are_disordered(&[(1, 10), (2, 20), (1, 10), (2, 20)]));
    }

    #[test]
    fn rows_are_read_by_their_numbers() {
        let rows = b"\"No.\",\"Time\"\n\"1\",\"0.1\"\n\"10\",\"1.0\"\n\"2\",\"0.2\"\n";
        assert!(numbers_jump(rows));
        let sorted = b"\"No.\",\"Time\"\n\"1\",\"0.1\"\n\"2\",\"0.2\"\n\"10\",\"1.0\"\n";
        assert_eq!(by_number(rows), sorted);
        assert!(!numbers_jump(sorted));
        // Two exports, one behind the other.
        assert!(!numbers_jump(b"1 a\n2 b\n1 a\n2 b\n"));
        let lines = [(1, &b"No.\n"[..]), (2, b"7\n"), (3, b"5\n")];
        let lines = lines.map(|(place, line)| (place, Box::from(line))).into();
        let mut turned = Turned { lines }.by_number();
        let places = std::iter::from_fn(|| turned.pop()).map(|(place, _)| place);
        assert_eq!(places.collect::<Vec<_>>(), [1, 3, 2]);
    }

    #[test]
    fn times_that_fall_throughout_stand_newest_first() {
        let afternoon = |seconds: &[i64]| {
            let times: Vec<i64> = seconds.iter().map(|second| second + 50_000).collect();
            is_newest_first(&of_day(&times), b"")
        };
        assert!(afternoon(&[30, 30, 2, 1]));
        for other in [&[1, 2, 30][..], &[30, 2, 3, 1], &[30, 2], &[30, 30, 30]] {
            assert!(!afternoon(other), "{other:?}");
        }
        // Since the packet before, or since the first.
        assert!(!is_newest_first(&of_day(&[30, 2, 1]), b"30.0 a\n2.0 b\n1.0 c\n"));
        assert!(is_newest_first(&of_day(&[30, 2, 0]), b"  3 30.0 a\n  2 2.0 b\n  1 0.0 c\n"));
        assert!(is_newest_first(
            &of_day(&[30, 2, 0]),
            b"\"3\",\"30.0\"\n\"2\",\"2.0\"\n\"1\",\"0.0\"\n"
        ));
        let dated = [3, 2, 1].map(|nanos| Stamp::Dated { nanos, digits: 6 });
        assert!(is_newest_first(&dated, b""));
        assert_eq!(turned(b"a\nb\nc\n", true), b"a\nc\nb\n");
    }

    #[test]
    fn the_number_of_a_row_may_stand_behind_a_label() {
        for row in [
            "  24 94.9 192.0.2.5",
            "\"24\",\"94.9\"",
            "[pod/a-b/td]    24  94.9 192.0.2.5",
            "Nov 14 22:13:20 host1 tshark[912]:    24 94.9 192.0.2.5",
        ] {
            assert_eq!(number_of_row(row), Some(24), "{row}");
        }
        assert_eq!(number_of_row("94.9 192.0.2.5 TCP 54 1 [ACK] 7"), None);
    }
}
