//! One line of tcpdump's, of any version: a packet, the first half of one, or nothing.

use std::net::{IpAddr, SocketAddr};

use crate::capture::text::ends::Ends;
use crate::capture::text::fields::{Fields, Found, new_style, old_style};
use crate::capture::text::front::{self, HEADERS, clock_at_the_end, front, trailer};
use crate::capture::text::lines::{retyped, without_emphasis};
use crate::capture::text::printed::Printed;
use crate::capture::text::signs::{has_fields, has_flags_of_its_own};
use crate::capture::text::stamp::Stamp;
use crate::capture::text::sums;
use crate::capture::text::tunnels::is_closed;
use crate::tcp::segment::Way;

/// One line of tcpdump's output, by what it holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// A packet of TCP.
    Tcp(Printed),
    /// The first of the two lines of a packet: the time, and what is known of the way. `-v` prints
    /// these, and so does a tunnel.
    Head(Stamp, Option<Way>),
    /// A packet, but not of TCP: it only tells the time.
    Other(Stamp),
    /// A packet with this time that ends before it says more than that it may be of TCP.
    Begun(Stamp),
    /// The beginning of a packet: what it is if nothing more comes.
    Cut(Box<Line>),
    /// A packet of TCP that cannot be read.
    Unread,
    /// No packet.
    Nothing,
}

/// Reads one line. People have the one that matters stand out, and type some of it anew.
pub fn parse(line: &str, ends: &mut Ends) -> Line {
    let mut found = split(line).map(|split| tcp(&split, ends));
    if !found.as_ref().is_some_and(is_read) {
        let typed = [without_emphasis(line), retyped_packet(line)];
        let all = typed.iter().flatten().filter_map(|typed| Some(tcp(&split(typed)?, ends)));
        let all: Vec<Line> = all.collect();
        found = all.into_iter().find(|line| found.is_none() || is_read(line)).or(found);
    }
    found.unwrap_or_else(|| no_tcp(line))
}

/// Is it a packet whose ends are known?
fn is_read(line: &Line) -> bool {
    match line {
        Line::Tcp(_) => true,
        Line::Cut(line) => is_read(line),
        _ => false,
    }
}

/// A line that is one of tcpdump's but for its arrow or its tabs.
fn retyped_packet(line: &str) -> Option<String> {
    let retyped = line.contains("lags").then(|| retyped(line)).flatten()?;
    without_emphasis(&retyped).or(Some(retyped))
}

/// A line of TCP, taken apart.
struct Split<'a> {
    front: &'a str,
    from: &'a str,
    to: &'a str,
    tail: &'a str,
    found: Found,
}

fn split(line: &str) -> Option<Split<'_>> {
    let (ends, tail, found) = split_new(line).or_else(|| split_old(line))?;
    let (before, to) = split_ends(ends)?;
    let before = before.trim_end();
    let from = before.split_whitespace().next_back()?;
    let front = &before[..before.len() - from.len()];
    Some(Split { front, from, to: to.trim(), tail, found })
}

/// `… A > B: Flags [S], …`
fn split_new(line: &str) -> Option<(&str, &str, Found)> {
    line.match_indices("Flags").find_map(|(at, name)| {
        let ends = line[..at].trim_end().strip_suffix(':')?;
        let tail = line[at + name.len()..].trim_start().strip_prefix('[')?;
        Some((ends, tail, new_style(tail)))
    })
}

/// `… A > B: S 1:1(0) …`
fn split_old(line: &str) -> Option<(&str, &str, Found)> {
    let start = line.rfind(" > ")?;
    line[start..].match_indices(':').find_map(|(at, _)| {
        let at = start + at;
        let tail = &line[at + 1..];
        Some((&line[..at], tail, old_style(tail)?))
    })
}

/// At the last `>` between the ends: a name may be `<redacted>`.
fn split_ends(ends: &str) -> Option<(&str, &str)> {
    [" > ", "> ", " >"].iter().find_map(|mark| ends.rsplit_once(mark))
}

/// An end, which may stand out, or a part of it: `**10.0.0.5**.47902`. What hides an address has the same marks, but no
/// address among them.
fn end(text: &str, ends: &mut Ends) -> Option<SocketAddr> {
    if text.starts_with(['*', '`', '<'])
        && let Some(plain) = without_emphasis(text)
        && let Some((host, _)) = plain.rsplit_once('.')
        && host.parse::<IpAddr>().is_ok()
    {
        return ends.dotted(&plain);
    }
    ends.dotted(text)
}

fn tcp(split: &Split, ends: &mut Ends) -> Line {
    let (stamp, way) = front(split.front);
    let way = way.or_else(|| trailer(split.tail));
    // A name with a blank: where it begins is not known. And behind a whole packet comes no other.
    let is_clear = !split.to.contains(char::is_whitespace) && !split.tail.contains("Flags [");
    let found = end(split.from, ends).zip(end(split.to, ends)).filter(|_| is_clear);
    let Some((from, to)) = found else {
        return match split.found {
            Found::Cut(_) => Line::Cut(Box::new(Line::Unread)),
            _ => Line::Unread,
        };
    };
    let printed = |fields: Fields| {
        let Fields { flags, seq, ack, len, window, scale, multipath } = fields;
        let (process, ip) = (front::process(split.front), front::ip_header(split.front));
        Line::Tcp(Printed {
            stamp,
            way,
            from,
            to,
            flags,
            seq,
            ack,
            len,
            window,
            scale,
            multipath,
            sum: sums::told(split.tail, from.ip(), to.ip(), len),
            ip,
            process,
        })
    };
    match split.found {
        Found::Whole(fields) => printed(fields),
        Found::Cut(enough) => Line::Cut(Box::new(enough.map_or(Line::Unread, printed))),
        Found::Wrong => Line::Unread,
    }
}

/// Words of tunnels: a packet of its own follows them, inside.
const TUNNELS: [&str; 8] = ["VXLAN", "Geneve", "GENEVE", "GREv", "OTV", "PPPoE", "MPLS (", "encap"];

fn no_tcp(line: &str) -> Line {
    let (before, behind) = line.split_once(" > ").unwrap_or((line, ""));
    let (stamp, way) = front(before);
    // `-v` prints the packet below its labels.
    if let Some((before, _)) = before.split_once("MPLS (label ").filter(|_| behind.is_empty()) {
        let (stamp, way) = front(before);
        return Line::Head(stamp, way);
    }
    if let Some((_, told)) = line.split_once("PktGroupId ") {
        return Line::Head(stamp, front::appearance(told));
    }
    if let Some(head) = front::head_alone(line) {
        return Line::Head(head.0, head.1);
    }
    if is_head(line) {
        let head = Line::Head(stamp, way);
        return if line.ends_with(')') { head } else { Line::Cut(Box::new(head)) };
    }
    // `-q`, and a header that the snap length cut off.
    let told = behind.rsplit_once(": ").map_or("", |(_, told)| told.trim_start());
    let octets = told.strip_prefix("tcp ").and_then(|octets| octets.split(' ').next());
    if octets.is_some_and(|octets| octets.parse::<u32>().is_ok())
        || told.starts_with("[|tcp]")
        || has_fields(behind)
        || has_flags_of_its_own(behind)
        || is_closed(line)
    {
        return Line::Unread;
    }
    if TUNNELS.iter().any(|tunnel| behind.contains(tunnel)) {
        return Line::Head(stamp, way);
    }
    if stamp == Stamp::None {
        let begun = line.starts_with("IP ") || line.starts_with("IP6 ");
        return if begun { Line::Cut(Box::new(Line::Nothing)) } else { Line::Nothing };
    }
    if is_whole(line) {
        return Line::Other(stamp);
    }
    let has_word = |word| line.split_whitespace().any(|have| have == word);
    match (line.contains(" > "), ["IP", "IP6", "In", "Out"].into_iter().any(has_word)) {
        (true, _) => Line::Cut(Box::new(Line::Other(stamp))),
        (false, _) if is_begun(line) => Line::Cut(Box::new(Line::Begun(stamp))),
        (false, true) => Line::Cut(Box::new(Line::Nothing)),
        (false, false) if ends_with_time(line) => Line::Cut(Box::new(Line::Nothing)),
        (false, false) => Line::Nothing,
    }
}

/// Returns true if a packet that is not of TCP says what it is: behind its ends, and with `-e`
/// behind those that the link layer comes before.
pub fn is_whole(line: &str) -> bool {
    let behind = line.rsplit_once(" > ").map_or("", |(_, behind)| behind);
    let told = behind.split_once(": ").map(|(_, told)| told.trim_end());
    match told {
        Some(told) => !behind.contains("ethertype IPv") && !"Flags [".starts_with(told),
        None => line.contains("ARP"),
    }
}

/// The header of `-v`: the ends come on the next line.
fn is_head(line: &str) -> bool {
    let inside = HEADERS.iter().find_map(|mark| line.split_once(mark)).map(|(_, inside)| inside);
    inside.is_some_and(|inside| !inside.contains(" > "))
        || line.ends_with("next-header TCP (6)")
        || line.contains("hlim ") && line.ends_with(')')
}

/// Does a line end behind its time, or before or within its first end, so that what is not there may be TCP's?
fn is_begun(line: &str) -> bool {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    words.pop_if(|last| *last == ">");
    let has_fraction = |word: &&str| word.contains('.') && clock_at_the_end(word).is_some();
    let time =
        words.iter().rposition(|word| has_fraction(word) || Stamp::since_1970(word).is_some());
    let Some(time) = time else { return false };
    let behind = &words[time + 1..];
    let is_link = |word: &str| word.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    let is_next = |word: &str| {
        word.contains(':') && is_link(word)
            || ["IP", "ethertype"].iter().any(|next| next.starts_with(word))
    };
    match behind {
        // `interfaces=[any]` of a log.
        [word] if word.contains('=') => false,
        [] | [_] | [.., "IP" | "IP6" | "ifindex"] | [.., "IP" | "IP6" | "ifindex", _] => true,
        [.., "ifindex", _, link] => is_link(link),
        [.., last] if behind.iter().any(|word| matches!(*word, "In" | "Out")) => {
            matches!(*last, "In" | "Out") || is_next(last) || line.contains("ethertype IPv")
        }
        [_, way] => ["In", "Out"].iter().any(|known| known.starts_with(way)),
        _ => line.contains("ethertype IPv"),
    }
}

/// Nothing but the time fitted on the line.
fn ends_with_time(line: &str) -> bool {
    line.split_whitespace().next_back().is_some_and(|word| Stamp::clock(word).is_some())
}
