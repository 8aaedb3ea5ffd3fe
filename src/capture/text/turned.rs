//! Lines that stand newest first, as logs show them: they are read from their end.

use super::breaks::Breaks;
use super::lines::{line_len, printed};
use super::stamp::Stamp;
use crate::capture::buffer::Buffer;
use crate::capture::record::Broken;

/// Octets of a text that are turned round, at most: all of it is in memory then.
const MAX_TURNED: usize = 64 << 20;

/// Packets that tell the order: a few may stand in any.
const ENOUGH: usize = 3;

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

/// Tells whether lines begin with numbers, each one less than that before.
fn numbers_fall(head: &[u8]) -> bool {
    let number = |line: &[u8]| -> Option<u64> {
        let line = printed(line);
        line.split(|c: char| c.is_whitespace() || c == ',')
            .find(|word| !word.is_empty())?
            .parse()
            .ok()
    };
    let numbers: Vec<u64> = head.split(|b| *b == b'\n').filter_map(number).collect();
    numbers.len() >= ENOUGH
        && numbers.windows(2).all(|pair| pair[1].checked_add(1) == Some(pair[0]))
}

/// The lines of the beginning of a text, the last one first. Names of columns stay where they stand.
pub fn turned(head: &[u8], has_names: bool) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = head.split_inclusive(|b| *b == b'\n').collect();
    lines.get_mut(usize::from(has_names)..).unwrap_or_default().reverse();
    lines.concat()
}

/// All lines of a text, with their numbers: the last one comes first.
#[derive(Default)]
pub struct Turned {
    lines: Vec<Box<[u8]>>,
}

impl Turned {
    /// Reads a text to its end.
    pub fn read(buffer: &mut Buffer, breaks: Breaks) -> Result<Turned, Broken> {
        let (mut lines, mut octets) = (Vec::new(), 0);
        while let Some(len) = line_len(buffer, breaks)? {
            octets += len;
            if octets > MAX_TURNED {
                return Err(Broken::Corrupt(
                    "its lines stand newest first, and are too many to be turned round here: read it as `tac FILE | closewait -`".into(),
                ));
            }
            lines.push(Box::from(buffer.get(0, len)));
            buffer.consume(len);
        }
        Ok(Turned { lines })
    }

    /// Takes the last line that is left, with its number.
    pub fn pop(&mut self) -> Option<(u64, Box<[u8]>)> {
        let number = self.lines.len() as u64;
        self.lines.pop().map(|line| (number, line))
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
        let dated = [3, 2, 1].map(|nanos| Stamp::Dated { nanos, digits: 6 });
        assert!(is_newest_first(&dated, b""));
        assert_eq!(turned(b"a\nb\nc\n", true), b"a\nc\nb\n");
    }
}
