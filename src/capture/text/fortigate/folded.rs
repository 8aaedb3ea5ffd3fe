//! Lines of FortiGate's sniffer that a terminal or a mail has folded, put together again.

use super::line::{Line, begins, is_of_octets, may_be_time};
use crate::capture::text::ends::Ends;
use crate::capture::text::lines::{unquoted, without_marks};
use crate::capture::text::printed::Item;

/// A packet is folded into no more lines.
const MAX_LINES: usize = 6;

/// The line of a packet, which may go on in the next.
#[derive(Default)]
pub struct Folded(Option<Open>);

/// A packet or another line, from all of its parts.
pub struct Whole {
    /// The number of its first line.
    pub number: u64,
    /// Its text.
    pub text: String,
    /// The thing that it is.
    pub item: Item,
}

struct Open {
    number: u64,
    marks: usize,
    lines: usize,
    /// The texts that its parts may be together: a fold may have taken a blank away.
    texts: Vec<String>,
    /// The packet as it stands if nothing more comes.
    line: Line,
}

impl Folded {
    /// Takes a line. Returns what is before it, if that goes on no longer.
    pub fn take(&mut self, number: u64, raw: &str, ends: &mut Ends) -> Option<Whole> {
        let (marks, bare) = unquoted(raw);
        let is_part = !bare.is_empty() && !begins(bare) && !is_of_octets(bare);
        let ended = match self.0.take() {
            Some(open) if is_part && open.is_no_tcp() && may_be_rest(bare) => {
                self.0 = Some(open);
                return None;
            }
            Some(open) if is_part => match open.with(raw, ends) {
                None => Some(open),
                more => {
                    self.0 = more;
                    return None;
                }
            },
            open => open,
        };
        self.0 = (!bare.is_empty()).then(|| Open::new(number, marks, bare, ends));
        ended.map(Open::whole)
    }

    /// The item that may go on.
    pub fn last(&self) -> Option<&Item> {
        self.0.as_ref().map(|open| &open.line.item)
    }

    /// Ends the packet that may have gone on.
    pub fn end(&mut self) -> Option<Whole> {
        self.0.take().map(Open::whole)
    }
}

/// May a line be the rest of an address or of octets, which is the beginning of nothing: `0.5`, `0800 4500   ....`?
fn may_be_rest(line: &str) -> bool {
    line.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':' | b' '))
}

impl Open {
    fn new(number: u64, marks: usize, line: &str, ends: &mut Ends) -> Open {
        let texts = vec![line.to_owned()];
        Open { number, marks, lines: 1, texts, line: Line::of(line, ends) }
    }

    /// The packet with another part of it; `None` where that is none.
    fn with(&self, raw: &str, ends: &mut Ends) -> Option<Open> {
        let next = without_marks(raw, self.marks).trim();
        let joined = |text: &String| [format!("{text}{next}"), format!("{text} {next}")];
        let texts: Vec<String> = self.texts.iter().flat_map(joined).collect();
        let lines: Vec<Line> = texts.iter().map(|text| Line::of(text, ends)).collect();
        let whole = (0..lines.len()).filter(|at| lines[*at].lacks().is_some());
        let best = whole.min_by_key(|at| lines[*at].lacks());
        let is_other = |line: &Line| line.is_whole && matches!(line.item, Item::Other(_));
        let other = || lines.iter().position(is_other).filter(|_| self.may_go_on());
        let open =
            |texts: Vec<String>, line: Line| Open { lines: self.lines + 1, texts, line, ..*self };
        match best.or_else(other) {
            Some(at) => Some(open(vec![texts[at].clone()], lines[at].clone())),
            None if self.may_go_on() && self.lines < MAX_LINES => {
                Some(open(texts, self.line.clone()))
            }
            None => None,
        }
    }

    /// Is it a part of a packet as it stands?
    fn may_go_on(&self) -> bool {
        let is_time = || self.texts.first().is_some_and(|text| may_be_time(text));
        match self.line.item {
            Item::Unread(..) => true,
            Item::Skipped(_) => is_time(),
            _ => false,
        }
    }

    /// Is it a packet of another protocol, or a line of octets?
    fn is_no_tcp(&self) -> bool {
        let is_of_octets = || self.texts.first().is_some_and(|text| is_of_octets(text));
        matches!(self.line.item, Item::Other(_)) || is_of_octets()
    }

    fn whole(self) -> Whole {
        let item = match self.line.item {
            Item::Skipped(_) => Item::Skipped(self.lines as u64),
            item => item,
        };
        let text = self.texts.into_iter().next_back().unwrap_or_default();
        Whole { number: self.number, text, item }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 5] = [
        "5.253143 port1 in 10.0.0.5.40000 -> 10.0.0.3.3306: fin 780487708 ack 4065722338",
        "2023-11-14 22:13:20.213856 wan1 out 2001:db8::3.3306 -> 2001:db8::5.40000: ack 780487620",
        "5.253143 10.0.0.5.40000 -> 10.0.0.3.3306: rst 780487708",
        "5.253143 port1 in 10.0.0.9.5000 -> 10.0.0.3.53: udp 44",
        "5.253143 port1 in arp who-has 10.0.0.1 tell 10.0.0.5",
    ];

    fn items(text: &str) -> Vec<Item> {
        let (mut folded, mut ends) = (Folded::default(), Ends::default());
        let mut items: Vec<Item> = (1..)
            .zip(text.lines())
            .filter_map(|(number, line)| folded.take(number, line, &mut ends))
            .map(|whole| whole.item)
            .collect();
        items.extend(folded.end().map(|whole| whole.item));
        items
    }

    /// At the last blank before the width, as mail programs do.
    fn at_blanks(line: &str, width: usize) -> String {
        line.split(' ').fold(String::new(), |text, word| {
            let last = text.rsplit('\n').next().map_or(0, str::len);
            let gap = if last + 1 + word.len() > width { "\n" } else { " " };
            if text.is_empty() { word.to_owned() } else { text + gap + word }
        })
    }

    fn anywhere(line: &str, width: usize) -> String {
        let parts: Vec<&str> =
            line.as_bytes().chunks(width).filter_map(|part| str::from_utf8(part).ok()).collect();
        parts.join("\n")
    }

    #[test]
    fn a_packet_folded_at_any_width_is_one_packet() {
        for line in LINES {
            let whole = items(line);
            for width in 28..line.len() {
                for (folded, quote) in [
                    (anywhere(line, width), ""),
                    (at_blanks(line, width), ""),
                    (anywhere(line, width), "> "),
                    (at_blanks(line, width), "    "),
                ] {
                    let folded = format!("{quote}{}", folded.replace('\n', &format!("\n{quote}")));
                    let mut found = items(&folded);
                    // Of another protocol, the rest says nothing.
                    found.retain(|item| !matches!(item, Item::Skipped(_)));
                    assert_eq!(found, whole, "{width}:\n{folded}");
                }
            }
        }
    }

    /// Whatever it is cut to, down to its seconds, may have been of TCP.
    #[test]
    fn a_packet_that_was_cut_is_said() {
        for line in &LINES[..3] {
            let told = line.find(": ").map_or(0, |at| at + ": fin 7".len());
            for end in 2..told {
                let cut = &line[..end];
                let is_day = cut.len() < "2023-11-14 22:".len() && line.starts_with("2023");
                let found = items(cut);
                let is_said = matches!(found[..], [Item::Unread(..)]);
                assert!(is_said || is_day || cut.ends_with(" ack "), "{cut}: {found:?}");
            }
        }
    }

    #[test]
    fn what_is_below_a_packet_is_no_part_of_it() {
        for below in [
            "0x0000   4500 003c 1c46 4000 4006 b1e6 0a00 0005    E..<.F@.@.......",
            "<- here the server closes",
            "12 packets received by filter",
            "",
        ] {
            let found = items(&format!("{}\n{below}\n", LINES[0]));
            assert_eq!(found[..1], items(LINES[0])[..], "{below}");
            assert!(found[1..].iter().all(|item| matches!(item, Item::Skipped(1))), "{below}");
        }
    }
}
