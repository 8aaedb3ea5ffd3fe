//! Ends of lines, also where a text has none: old Macs had another character for them, and within a quoted
//! string of a log they are written as `\n`.

use std::borrow::Cow;

use super::columns::is_number;
use super::front::clock_at_the_end;
use super::stamp::Stamp;

/// The mark that ends a line. A newline does in any text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Breaks {
    /// Lines end with a line feed, as on Unix.
    #[default]
    Newline,
    /// Lines end with a carriage return alone, as in old exports.
    Return,
    /// A backslash and an `n`.
    Escaped,
}

const ESCAPED: &[u8] = b"\\n";

impl Breaks {
    /// The ends of lines of a text that begins like this.
    pub fn of(head: &[u8]) -> Breaks {
        let head = head.trim_ascii();
        if head.contains(&b'\n') {
            Breaks::Newline
        } else if head.contains(&b'\r') {
            Breaks::Return
        } else if !head.starts_with(b"{") && head.windows(ESCAPED.len()).any(|part| part == ESCAPED)
        {
            // JSON is more than its strings.
            Breaks::Escaped
        } else {
            Breaks::Newline
        }
    }

    /// The length of the first line with its end, if it has ended.
    pub fn first_len(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Breaks::Newline => bytes.iter().position(|b| *b == b'\n').map(|at| at + 1),
            Breaks::Return => {
                bytes.iter().position(|b| matches!(b, b'\n' | b'\r')).map(|at| at + 1)
            }
            Breaks::Escaped => {
                let newline = Breaks::Newline.first_len(bytes);
                let within = &bytes[..newline.unwrap_or(bytes.len())];
                let escaped = within.windows(ESCAPED.len()).position(|part| part == ESCAPED);
                escaped.map(|at| at + ESCAPED.len()).or(newline)
            }
        }
    }

    /// A line without its end.
    pub fn bare(self, line: &[u8]) -> &[u8] {
        let line = line.trim_ascii_end();
        match self {
            Breaks::Escaped => {
                let line = line.strip_suffix(ESCAPED).unwrap_or(line);
                line.strip_suffix(b"\\r").unwrap_or(line)
            }
            _ => line,
        }
    }

    /// The text in lines that end as usual.
    pub fn usual(self, text: &[u8]) -> Cow<'_, [u8]> {
        if self == Breaks::Newline {
            return text.into();
        }
        let (mut usual, mut rest) = (Vec::with_capacity(text.len()), text);
        while !rest.is_empty() {
            let (line, after) = rest.split_at(self.first_len(rest).unwrap_or(rest.len()));
            usual.extend_from_slice(self.bare(line));
            usual.push(b'\n');
            rest = after;
        }
        usual.into()
    }
}

/// The length of all lines within a line that have ended.
pub fn ended_within(line: &[u8]) -> Option<usize> {
    let last = line.windows(ESCAPED.len()).rposition(|part| part == ESCAPED)?;
    Some(last + ESCAPED.len())
}

/// The lines within a line: of a string that JSON or a log holds, by the line ends of Unicode, and of a text
/// whose lines have lost their ends.
pub fn within(line: &str) -> impl Iterator<Item = &str> {
    let is_end =
        |c: char| matches!(c, '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let lines = line.split(is_end).flat_map(|line| line.split("\\n"));
    let lines = lines.map(|line| line.strip_suffix("\\r").unwrap_or(line).trim_end());
    lines.flat_map(packets)
}

/// The packets on a line: each begins with its time.
fn packets(line: &str) -> Vec<&str> {
    const FLAGS: &str = "Flags [";
    let mut starts = match line.find(FLAGS) == line.rfind(FLAGS) {
        true => times_before_arrows(line),
        false => times_before_protocols(line),
    };
    starts.sort_unstable();
    let (mut packets, mut from) = (Vec::new(), 0);
    for at in starts.into_iter().filter(|at| *at > 0).chain([line.len()]) {
        packets.push(&line[from..at]);
        from = at;
    }
    packets
}

/// The places of tcpdump's times, which may stand at the end of another word.
fn times_before_protocols(line: &str) -> Vec<usize> {
    let begins =
        |mark| line.match_indices(mark).filter_map(|(at, _)| clock_at_the_end(&line[..at]));
    [" IP ", " IP6 ", " ARP, "].into_iter().flat_map(begins).collect()
}

/// The places where another packet begins, of any form: at a time that stands between two arrows.
fn times_before_arrows(line: &str) -> Vec<usize> {
    let is_arrow = |word: &str| matches!(word, ">" | "->" | "\u{2192}");
    if line.split(' ').filter(|word| is_arrow(word)).nth(1).is_none() {
        return Vec::new();
    }
    let counts_packets = line.contains("Seq=");
    let (mut starts, mut waiting) = (Vec::new(), None);
    let (mut has_time, mut has_arrow) = (false, false);
    let (mut at, mut before) = (0, (0, ""));
    for word in line.split(' ') {
        if is_arrow(word) {
            // Not a quote mark before the first packet.
            has_arrow = has_time;
            starts.extend(waiting.take());
        } else if is_time(word) {
            // A number before it is the packet's, and so is a day.
            let is_own = before.1.strip_suffix(':').is_some_and(is_number)
                || before.1.matches(['-', '/']).count() == 2
                || counts_packets && is_number(before.1);
            waiting = has_arrow.then_some(if is_own { before.0 } else { at }).or(waiting);
            (has_time, has_arrow) = (true, false);
        }
        if !word.is_empty() {
            before = (at, word);
        }
        at += word.len() + 1;
    }
    starts
}

/// A time as it is printed of packets: no other number has so many digits behind its point.
fn is_time(word: &str) -> bool {
    let digits = word.rsplit_once('.').map_or(0, |(_, fraction)| fraction.len());
    matches!(digits, 6 | 9) && (Stamp::clock(word).is_some() || Stamp::seconds(word).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual(text: &str) -> String {
        let usual = Breaks::of(text.as_bytes()).usual(text.as_bytes());
        String::from_utf8(usual.into_owned()).expect("UTF-8")
    }

    #[test]
    fn lines_end_as_usual() {
        assert_eq!(usual("a\\n\r\nb"), "a\\n\r\nb");
        assert_eq!(usual("a\rb\r"), "a\nb\n");
        assert_eq!(usual("\"a\\r\\nb\\n\"\n"), "\"a\nb\n\"\n");
        assert_eq!(usual("one\r\n"), "one\r\n");
        assert_eq!(usual("one"), "one");
        assert_eq!(usual(""), "");
        assert_eq!(usual("{\"a\":\"b\\nc\"}"), "{\"a\":\"b\\nc\"}");
        let lines: Vec<&str> = within("\"stdout\": \"a\\r\\nb\nc\"").collect();
        assert_eq!(lines, ["\"stdout\": \"a", "b", "c\""]);
        assert_eq!(within("a\u{2028}b\u{85}c").collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
