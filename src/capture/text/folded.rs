//! Lines of Wireshark's lists that were folded on their way, put together again.

use std::borrow::Cow;

use super::stamp::Stamp;

/// A folded packet is no longer than this.
const MAX_FOLDED: usize = 4 << 10;

/// Words of a line among which a packet's time stands: a number, a date, what a log puts before it.
const MAX_BEFORE: usize = 6;

/// One packet's line, from all of its parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Whole {
    /// The number of its first line.
    pub number: u64,
    /// The parts as they stand, with a blank that the fold left at either side of it.
    pub exact: String,
    /// Its parts without the blanks that may be an indentation.
    pub tight: String,
    /// Its parts with blanks between them, where the fold may have swallowed one.
    pub spaced: String,
}

/// The lines of a text, of which each that begins no packet goes on with the one before.
#[derive(Debug, Default)]
pub struct Folded(Option<Whole>);

impl Folded {
    /// Takes a line. Returns the packet before it, if it begins another.
    pub fn take(&mut self, number: u64, line: &str) -> Option<Whole> {
        match &mut self.0 {
            Some(open) if !begins(line) && open.tight.len() < MAX_FOLDED => {
                let more = without_quote(line);
                open.exact.push_str(if is_seam(line, more) { line } else { more });
                open.tight.push_str(more);
                open.spaced.push(' ');
                open.spaced.push_str(more);
                None
            }
            open => {
                let line = || line.to_owned();
                open.replace(Whole { number, exact: line(), tight: line(), spaced: line() })
            }
        }
    }

    /// Takes note of the blank at the end of the line before.
    pub fn blank(&mut self, blank: Option<char>) {
        if let Some(open) = &mut self.0 {
            open.exact.extend(blank);
        }
    }

    /// Ends the packet that may have gone on.
    pub fn end(&mut self) -> Option<Whole> {
        self.0.take()
    }
}

/// Tells whether some packet of these lines goes on in the next.
pub fn is_folded<'a>(lines: impl Iterator<Item = &'a str>) -> bool {
    let lines: Vec<&str> = lines.collect();
    let goes_on = |pair: &[&str]| begins(pair[0]) && !pair[1].trim().is_empty() && !begins(pair[1]);
    lines.windows(2).any(goes_on)
}

/// Tells whether a line has a packet's time near its beginning.
fn begins(line: &str) -> bool {
    time_of(line).is_some()
}

/// The packet's time near the beginning of a line, and its place.
pub fn time_of(line: &str) -> Option<(usize, Stamp)> {
    line.split_whitespace().take(MAX_BEFORE).find_map(|word| {
        let (_, fraction) = word.split_once('.')?;
        let stamp = Stamp::cell(word).filter(|_| fraction.len() >= 3)?;
        Some((line.find(word)?, stamp))
    })
}

/// The blank that a line ends with, but for its end.
pub fn blank_behind(line: &[u8]) -> Option<char> {
    line.last().filter(|last| matches!(last, b' ' | b'\t')).map(|blank| char::from(*blank))
}

/// The octets at the end of a line that begin a character, of which the rest stands on the next: some fold by octets.
#[derive(Debug, Default)]
pub struct Split(Vec<u8>);

impl Split {
    /// Takes a line. Returns it without its end, and with the character whole that it goes on with.
    pub fn take<'a>(&mut self, line: &'a [u8]) -> Cow<'a, [u8]> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (line, begun) = line.split_at(line.len() - begun(line));
        let mut whole = std::mem::replace(&mut self.0, begun.to_vec());
        let begins = whole.len();
        let is_rest = |b: &&u8| matches!(b, 0x80..0xc0);
        whole.extend(line.iter().take(3).take_while(is_rest));
        if begins == 0 || std::str::from_utf8(&whole).is_err() {
            return line.into();
        }
        let rest = whole.len() - begins;
        whole.extend_from_slice(&line[rest..]);
        whole.into()
    }
}

/// Counts the octets at the end of a line that begin a character and do not end it.
fn begun(line: &[u8]) -> usize {
    for (before, octet) in line.iter().rev().take(3).enumerate() {
        let whole = match octet {
            0x80..0xc0 => continue,
            0xc2..0xe0 => 2,
            0xe0..0xf0 => 3,
            0xf0..0xf5 => 4,
            _ => 0,
        };
        return if whole > before + 1 { before + 1 } else { 0 };
    }
    0
}

/// A text without characters that stand on two lines.
pub fn with_whole_characters(text: &[u8]) -> Cow<'_, [u8]> {
    if text.is_ascii() {
        return text.into();
    }
    let (mut whole, mut split) = (Vec::with_capacity(text.len()), Split::default());
    for line in text.split_inclusive(|b| *b == b'\n') {
        whole.extend_from_slice(&split.take(line));
        whole.extend(line.ends_with(b"\n").then_some(b'\n'));
    }
    whole.into()
}

/// Tells whether the one blank before the rest of a line stood where it was folded: more of them are an indentation.
fn is_seam(line: &str, rest: &str) -> bool {
    line.len() == rest.len() + 1 && line.starts_with([' ', '\t'])
}

/// A part without the marks of a quotation.
fn without_quote(line: &str) -> &str {
    let bare = line.trim_start_matches(['>', ' ', '|']);
    if line.starts_with(['>', '|']) { bare } else { line.trim_start() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fold_may_split_a_character() {
        let line = "a 47902 \u{2192} 3306 b\n".as_bytes();
        for at in 1..line.len() - 1 {
            let folded = [&line[..at], b"\n", &line[at..]].concat();
            let whole = with_whole_characters(&folded);
            let whole = std::str::from_utf8(&whole).expect("whole characters");
            assert_eq!(whole.replace('\n', ""), "a 47902 \u{2192} 3306 b", "{at}");
        }
        assert_eq!(&*with_whole_characters(b"\xe2\x86\nx \x92\xe9\n\xc8"), b"\nx \x92\n");
    }

    #[test]
    fn the_blank_at_a_seam_stays() {
        let mut folded = Folded::default();
        folded.take(1, "1 0.000000 10.0.0.1 -> 10.0.0.2 TCP 74");
        folded.take(2, " 1 ->");
        folded.blank(Some(' '));
        folded.take(3, "80");
        let whole = folded.end().expect("a packet");
        assert!(whole.exact.ends_with("TCP 74 1 -> 80") && whole.tight.ends_with("741 ->80"));
    }

    #[test]
    fn parts_become_one_line() {
        let mut folded = Folded::default();
        let first = "> 1 0.000000 10.0.0.1 -> 10.0.0.2 TCP 74 1 -> 80 [SYN] Se";
        assert_eq!(folded.take(3, first), None);
        assert_eq!(folded.take(4, "> q=0 Win=1"), None);
        let whole = folded.take(5, "> 2 0.000060 10.0.0.2 -> 10.0.0.1 TCP").expect("the first");
        assert_eq!((whole.number, whole.tight), (3, format!("{first}q=0 Win=1")));
        assert_eq!(folded.take(6, "74 80"), None);
        let last = folded.end().expect("the second");
        assert!(last.spaced.ends_with("TCP 74 80") && folded.end().is_none());
        assert!(is_folded([first, "q=0"].into_iter()));
        assert!(!is_folded([first, "", first].into_iter()));
    }
}
