//! Lines of Wireshark's lists without marks between their columns: `7 0.086544 192.0.2.5 → 198.51.100.3 TCP 65 …`.

use std::net::IpAddr;

use super::columns::is_number;
use super::info::{Info, info, looks_like_info};
use super::row::{Packet, Row, is_part_of_message};
use super::stamp::Stamp;

/// The places of a line's ends, where no arrow stands between them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Words {
    /// The source is always the same word; otherwise the two addresses of a line are its ends.
    source: Option<usize>,
    /// The column of the destination comes first.
    turned: bool,
}

/// A line's words, and which of them are its ends.
struct Placed<'a> {
    words: Vec<&'a str>,
    from: usize,
    to: usize,
    by_arrow: bool,
}

impl Words {
    /// By the words beside a packet's Info: `None` where its ends cannot be told.
    pub fn of(line: &str, info: &Info, lines: &[String]) -> Option<Words> {
        let front = beside(line, info);
        let words: Vec<&str> = front.split_whitespace().collect();
        if words.iter().any(|word| is_arrow(word)) {
            return Some(Words::default());
        }
        let turned = lines.iter().any(|line| is_turned(line));
        let protocol = words.iter().rposition(|word| *word == "TCP");
        let source = protocol.and_then(|at| at.checked_sub(2));
        let are_ends = source.is_some_and(|at| is_end(words[at]) && is_end(words[at + 1]));
        match addresses(&words) {
            Some(_) if !are_ends => Some(Words { source: None, turned }),
            _ => source.map(|_| Words { source, turned }),
        }
    }

    /// One line, taken apart.
    pub fn row<'a>(&self, line: &'a str) -> Option<Row<'a>> {
        let info = info(line);
        let front = info.as_ref().map_or(line, |info| beside(line, info));
        let Placed { words, from, to, by_arrow } = self.placed(front)?;
        let times = times_in(&words[..from.min(to).min(words.len())]);
        if times.is_empty() {
            return None;
        }
        let has_ports = self.source.is_none() && !by_arrow;
        let protocol_at = behind(&words, from.max(to), has_ports);
        // There may be no protocol, where the ends are known without it.
        let is_known = by_arrow || self.source.is_none();
        let none = info.as_ref().filter(|_| is_known && !by_arrow).map(|_| "");
        let protocol = words.get(protocol_at).copied().or(none)?;
        let [from, to] = [*words.get(from)?, *words.get(to)?];
        let is_clear = match &info {
            // A name with a blank: where it ends is not known.
            Some(_) if is_known => {
                is_end(to) && (protocol == "TCP" || !words[protocol_at..].contains(&"TCP"))
            }
            // Otherwise, a word more or less moves all others.
            Some(_) => protocol.ends_with("TCP") && is_end(from) && is_end(to),
            None => from.parse::<IpAddr>().is_err() || is_end(to) && !is_number(protocol),
        };
        let is_part = is_part_of_message(line);
        Some(Row {
            times,
            from,
            to,
            protocol,
            frame_len: words.get(protocol_at + 1).and_then(|len| len.parse().ok()),
            packet: match info {
                _ if !is_clear => Packet::Unread,
                Some(info) => info.into(),
                None if protocol == "TCP" && !is_part || looks_like_info(line) => Packet::Unread,
                None => Packet::Other,
            },
        })
    }

    fn placed<'a>(&self, front: &'a str) -> Option<Placed<'a>> {
        let words: Vec<&str> = front.split_whitespace().collect();
        let arrow = words.iter().position(|word| is_arrow(word));
        let (from, to) = match (arrow, self.source) {
            // Where the column of the destination comes first, tshark's points there.
            (Some(arrow), _) if words[arrow] == "<-" => (arrow + 1, arrow.checked_sub(1)?),
            (Some(arrow), _) => (arrow.checked_sub(1)?, arrow + 1),
            (None, Some(source)) => (source, source + 1),
            (None, None) => addresses(&words)?,
        };
        let by_arrow = arrow.is_some();
        let (from, to) = if self.turned && !by_arrow { (to, from) } else { (from, to) };
        Some(Placed { words, from, to, by_arrow })
    }
}

/// The columns before Info; those behind it, if it is the first.
fn beside<'a>(line: &'a str, info: &Info) -> &'a str {
    let (before, rest) = line.split_at(info.at);
    let behind = rest.split_once(" Len=").map_or("", |(_, behind)| behind);
    if before.trim().is_empty() { behind } else { before }
}

/// Returns the place right behind the ends, or behind columns of ports.
fn behind(words: &[&str], end: usize, has_ports: bool) -> usize {
    let numbers = words.iter().skip(end + 1).take_while(|word| has_ports && is_number(word));
    end + 1 + numbers.count()
}

/// The first two addresses, which stand side by side, or with the port of the first between them.
fn addresses(words: &[&str]) -> Option<(usize, usize)> {
    let mut all = words.iter().enumerate().filter(|(_, word)| word.parse::<IpAddr>().is_ok());
    let ((from, _), (to, _)) = (all.next()?, all.next()?);
    let between = &words[from + 1..to];
    (between.len() <= 1 && between.iter().all(|word| is_number(word))).then_some((from, to))
}

/// Is it a header in which the destination comes first?
fn is_turned(line: &str) -> bool {
    let place = |name| line.find(name);
    place("Info").is_some()
        && place("Destination").zip(place("Source")).is_some_and(|(to, from)| to < from)
}

fn is_arrow(word: &str) -> bool {
    matches!(word, "->" | "<-")
}

/// No column's number, mark or protocol in the place of an end.
fn is_end(word: &str) -> bool {
    !is_number(word) && !matches!(word, ">" | "TCP")
}

/// All times among the words; a date takes two of them, and hours and minutes may have a word each.
fn times_in(words: &[&str]) -> Vec<Stamp> {
    let mut times = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let dated = words.get(at + 1).and_then(|clock| Stamp::dated(word, clock));
        let (stamp, taken) = match dated {
            Some(stamp) => (Some(stamp), 2),
            None => match Stamp::spoken(&words[at..]) {
                Some((stamp, taken)) => (Some(stamp), taken),
                None => (Stamp::cell(word), 1),
            },
        };
        times.extend(stamp);
        at += taken;
    }
    times
}
