//! Lines of Wireshark's lists that were folded on their way, put together again.

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
    /// The parts as they stand, and with a blank between them: a fold may have taken one.
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
                open.tight.push_str(more);
                open.spaced.push(' ');
                open.spaced.push_str(more);
                None
            }
            open => {
                let (tight, spaced) = (line.to_owned(), line.to_owned());
                open.replace(Whole { number, tight, spaced })
            }
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
    let is_time = |word: &str| {
        let fraction = word.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        fraction >= 3 && Stamp::cell(word).is_some()
    };
    line.split_whitespace().take(MAX_BEFORE).any(is_time)
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
