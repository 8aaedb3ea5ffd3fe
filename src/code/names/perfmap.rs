//! The functions that a runtime has compiled, as it writes them to `/tmp/perf-PID.map`.

use std::io::BufRead;

use crate::code::fold::compiled;

/// Octets of such a file that are read.
const MOST: u64 = 64 << 20;

/// Lines that are kept: a runtime compiles no more.
const MOST_LINES: usize = 500_000;

/// Functions by their addresses.
#[derive(Debug, Default)]
pub struct PerfMap {
    all: Vec<(u64, u64, String)>,
}

impl PerfMap {
    /// Reads a map: an address, a length, both in hexadecimal, and a name. Of several functions that
    /// were at one address in turn, nobody knows which it was then: they are left out.
    pub fn read(file: impl BufRead) -> PerfMap {
        let mut all: Vec<(u64, u64, String)> = file
            .take(MOST)
            .split(b'\n')
            .map_while(Result::ok)
            .take(MOST_LINES)
            .filter_map(|line| entry(&String::from_utf8_lossy(&line)))
            .collect();
        all.sort();
        all.dedup();
        PerfMap { all }
    }

    /// Returns the function that has this address, if there was only one: a runtime compiles one several times.
    pub fn find(&self, address: u64) -> Option<&str> {
        let after = self.all.partition_point(|(start, ..)| *start <= address);
        // A longer one may have begun before.
        const NEAR: usize = 64;
        let near = self.all.get(after.saturating_sub(NEAR)..after)?;
        let mut having = near.iter().filter(|(start, len, _)| address - start < *len);
        let (.., name) = having.next()?;
        having.all(|(.., other)| compiled(other) == compiled(name)).then_some(name)
    }
}

/// Reads `3e01b000 4e0 LazyCompile:~charge leak.js:3`; Java's have `0x` before the numbers.
fn entry(line: &str) -> Option<(u64, u64, String)> {
    let mut parts = line.trim_end().splitn(3, ' ');
    let number = |text: &str| u64::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok();
    let (start, len) = (number(parts.next()?)?, number(parts.next()?)?);
    Some((start, len, parts.next()?.chars().take(512).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_read_in_both_forms() {
        let map = PerfMap::read(
            &b"1000 20 JS:~charge /srv/leak.js:3:17\n0x2000 0x10 Leak.charge\nnonsense\n3000 8\n"[..],
        );
        assert_eq!(map.find(0x101f), Some("JS:~charge /srv/leak.js:3:17"));
        assert_eq!(map.find(0x2000), Some("Leak.charge"));
        assert_eq!((map.find(0x1020), map.find(0xfff), map.find(0x3000)), (None, None, None));
    }

    #[test]
    fn where_two_functions_were_in_turn_it_is_unknown() {
        let map = PerfMap::read(&b"1000 20 a\n1000 20 b\n1000 20 b\n1018 20 c\n"[..]);
        assert_eq!((map.find(0x1004), map.find(0x1018), map.find(0x1030)), (None, None, Some("c")));
        let map = PerfMap::read(&b"1000 20 JS:~f /a.js:1:2\n1000 28 JS:^f /a.js:1:2\n"[..]);
        assert_eq!(map.find(0x1004), Some("JS:~f /a.js:1:2"), "the same, compiled again");
    }
}
