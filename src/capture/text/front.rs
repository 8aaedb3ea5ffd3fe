//! The part of tcpdump's lines before the two ends: its own time, and which way the packet went.
//!
//! Others write their own before it: kubectl, docker, journald, syslog, `-#`. tcpdump's is the one
//! nearest to the packet; where it has none (`-t`), a log's with a date and a zone is the best there is.

use std::str::FromStr;

use chrono::Month;

use super::printed::IpHeader;
use super::stamp::Stamp;
use crate::capture::process::Process;
use crate::tcp::segment::Way;

/// Beginnings of the IP header that `-v` prints.
pub const HEADERS: [&str; 4] = ["(tos", "(flowlabel", "(class", "(hlim"];

/// Time and way of a packet, as far as they are printed.
pub fn front(text: &str) -> (Stamp, Option<Way>) {
    // What `-v` prints of the IP header is neither.
    let header = HEADERS.iter().filter_map(|mark| text.find(mark)).min();
    let words: Vec<&str> = text[..header.unwrap_or(text.len())].split_whitespace().collect();
    let (stamp, own) = own_stamp(&words);
    (stamp, way(&words[own..]))
}

/// The first line of a packet whose ends stand on another: `1: 22:13:20.213856 0002.b301.0203 0002.b301.0204 0x0800
/// Length: 66` of an ASA, and of Junos `22:13:20.213856 Out`.
pub fn head_alone(line: &str) -> Option<(Stamp, Option<Way>)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let before = match &*words {
        [time, "In" | "Out"] if clock_at_the_end(time).is_some() => line,
        [.., "0x0800" | "0x86dd", "Length:", _] => line.rsplit_once(" 0x")?.0,
        _ => return None,
    };
    Some(front(before)).filter(|(stamp, _)| *stamp != Stamp::None)
}

/// Finds the IP header that `-v` prints: `ttl 63` or `hlim 64`, and `flags [+]` where more fragments follow.
pub fn ip_header(text: &str) -> Option<IpHeader> {
    let header = &text[HEADERS.iter().filter_map(|mark| text.find(mark)).min()?..];
    let (_, behind) = header.split_once("ttl ").or_else(|| header.split_once("hlim "))?;
    let hops = behind.trim_start().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    Some(IpHeader { hops, more_fragments: behind.contains(", flags [+]") })
}

/// The time, and the number of the first word behind it.
fn own_stamp(words: &[&str]) -> (Stamp, usize) {
    for (at, word) in words.iter().enumerate().rev() {
        let word = word.trim_matches(['[', ']', '(', ')', '"']);
        // In a table of logs, the cell before it may end with its own time.
        let word = word.rsplit_once("\",\"").map_or(word, |(_, own)| own);
        let bare = word.trim_end_matches([':', '"']);
        let word = clock_at_the_end(bare).map_or(word, |at| &bare[at..]);
        if let Some(clock) = Stamp::clock(word)
            && (has_fraction(clock) || stands_first(&words[..at]))
        {
            let date = at.checked_sub(1).map_or("", |before| words[before]);
            return (Stamp::dated(date, word).unwrap_or(clock), at + 1);
        }
        if let Some(stamp) = Stamp::since_1970(word).or_else(|| of_log(words, word)) {
            return (stamp, at + 1);
        }
        let before = at.checked_sub(1).map_or("", |before| words[before]);
        if let Some(stamp) = Stamp::since_last(before, word)
            && (at == 0 || before.ends_with(['.', ':']))
        {
            return (stamp, at + 1);
        }
        if is_label(word, before) {
            // What stands before it is another's, and good enough only where it is exact.
            let stamp = words[..at].iter().rev().find_map(|word| of_log(words, word));
            return (stamp.unwrap_or_default(), at + 1);
        }
    }
    (Stamp::None, 0)
}

/// A log's time with its date, and perhaps its zone, on a line on which a packet begins: with `-v`, tcpdump's own stands above the ends.
fn of_log(words: &[&str], word: &str) -> Option<Stamp> {
    let begins = |word: &&str| matches!(*word, "IP" | "IP6" | "ARP,");
    Stamp::zoned(word).or_else(|| Stamp::of_iso(word)).filter(|_| words.iter().any(begins))
}

/// The place of tcpdump's time at the end of a text, whatever stands right before it: a name, as `grep -Hn`
/// puts it there (`tcpdump.txt:12:11:38:45.693382`), or the quote of a log (`msg="11:38:45.693382`).
pub fn clock_at_the_end(text: &str) -> Option<usize> {
    // No time is longer, and nothing before it is searched.
    const LONGEST: usize = "00:00:00.000000000".len();
    let mut near = text.len().saturating_sub(LONGEST)..text.len();
    let from = near.find(|at| text.is_char_boundary(*at))?;
    let (colon, _) = text[from..].match_indices(':').rev().nth(1)?;
    let at = (from + colon).checked_sub(2)?;
    let clock = text.get(at..).filter(|clock| clock.contains('.'))?;
    Stamp::clock(clock)?;
    // The day of a log's own time, and other numbers.
    let is_apart = !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
    is_apart.then_some(at)
}

fn has_fraction(clock: Stamp) -> bool {
    matches!(clock, Stamp::Clock { digits: 1.., .. })
}

/// A time of whole seconds is taken only where nothing but a number or a date stands before it: `Nov 14`, as `ts` has it.
fn stands_first(before: &[&str]) -> bool {
    let is_month = |word: &&str| Month::from_str(word).is_ok();
    let before = &before[usize::from(before.first().is_some_and(is_month))..];
    before.iter().all(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.len() <= 10)
        && !before.iter().any(|word| word.contains('T'))
}

/// Words of tcpdump's own behind its time, which `-e` prints of links without addresses.
const OF_LINKS: [&str; 6] = ["ip", "ip6", "IP", "IP6", "Rx", "Tx"];

/// `tcpdump[912]:`, `kernel:`; not `on em0:` of pf, `ip:` of a link, nor an end behind a `>`.
fn is_label(word: &str, before: &str) -> bool {
    let Some(name) = word.strip_suffix(':').filter(|name| !OF_LINKS.contains(name)) else {
        return false;
    };
    if name.ends_with(']') {
        return true;
    }
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    plain && !matches!(before, "on" | ">")
}

/// On `-i any` the way stands behind the interface's name, or alone; ptcpdump has the process
/// between them; macOS and pf have words of their own.
fn way(words: &[&str]) -> Option<Way> {
    words.iter().enumerate().find_map(|(at, word)| {
        let next = words.get(at + 1).copied().unwrap_or_default();
        match *word {
            "In" => return Some(Way::In),
            "Out" => return Some(Way::Out),
            // Broadcast, multicast, and what was for another host.
            "B" | "M" | "P"
                if at <= 1
                    && (next.matches(':').count() == 5
                        || matches!(next, "ifindex" | "IP" | "IP6")) =>
            {
                return Some(Way::In);
            }
            "in" if next == "on" => return Some(Way::In),
            "out" if next == "on" => return Some(Way::Out),
            // Behind an interface alone: tcpdump of Linux 2.2.
            "<" if at == 1 && next.is_empty() => return Some(Way::In),
            ">" if at == 1 && next.is_empty() => return Some(Way::Out),
            _ => {}
        }
        // `(en0, proc curl:1234, svc BE, out)`
        let bare = word.trim_matches(['(', ')', ',']);
        match bare {
            _ if bare.len() == word.len() => None,
            "in" => Some(Way::In),
            "out" => Some(Way::Out),
            _ => None,
        }
    })
}

/// The process of a packet: ptcpdump has it before the way, `eth0 java.4711 Out`, and macOS's `-k` in
/// brackets, `(en0, proc java:4711, …)`.
pub fn process(text: &str) -> Option<Process> {
    let of = |name: &str, mark| {
        let (name, pid) = name.rsplit_once(mark)?;
        Process::new(pid.parse().ok()?, name)
    };
    if let Some((_, after)) = text.split_once("proc ") {
        let name = after.split([',', ')']).next().unwrap_or_default();
        return of(name.trim_end_matches(':'), ':');
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let way = words.iter().position(|word| matches!(*word, "In" | "Out"))?;
    // Behind the interface, whose name can end in a number, too.
    let interface = way.checked_sub(2).map(|at| words[at])?;
    let is_name = Stamp::clock(interface).is_none() && !interface.ends_with(':');
    of(words[way - 1], '.').filter(|_| is_name)
}

/// `Process (pid 4711, cmd /usr/bin/java, args java -jar shop.jar)`: ptcpdump's `-v`, below the packet.
pub fn process_below(line: &str) -> Option<Process> {
    let (pid, rest) = line.strip_prefix("Process (pid ")?.split_once(", cmd ")?;
    let command = rest.split_once(", args ").map_or(rest, |(command, _)| command);
    Process::new(pid.parse().ok()?, command.trim_end_matches(')'))
}

/// The way that Windows' pktmon prints above the packet: `Direction Tx , Type Ethernet`.
pub fn appearance(told: &str) -> Option<Way> {
    let (_, behind) = told.split_once("Direction ")?;
    match behind.split([' ', ',']).next()? {
        "Rx" => Some(Way::In),
        "Tx" => Some(Way::Out),
        _ => None,
    }
}

/// The way that F5's tcpdump prints at the end: `in slot1/tmm0 lis=`.
pub fn trailer(fields: &str) -> Option<Way> {
    if fields.contains(" in slot") {
        Some(Way::In)
    } else if fields.contains(" out slot") {
        Some(Way::Out)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Stamp = Stamp::Clock { nanos: 41_925_693_382_000, digits: 6 };

    #[test]
    fn the_time_nearest_to_the_packet_is_taken() {
        for text in [
            "11:38:45.693382 IP",
            "2023-11-14T22:13:20.213856112Z stdout F 11:38:45.693382 IP",
            "Nov 14 22:13:20 host1 tcpdump[912]: 11:38:45.693382 IP",
            "Nov 14 22:13:20.123456 host1 tcpdump[912]: 11:38:45.693382 IP",
            "tcpdump-1  | 11:38:45.693382 IP",
            "[pod/app-1/tcpdump] 11:38:45.693382 IP",
            "   17  11:38:45.693382 IP",
            "12:11:38:45.693382 IP",
            "logs/tcpdump.txt:12:11:38:45.693382 IP",
            "1: 11:38:45.693382      ",
            "Nov 14 11:38:45.693382 rule 0/(match) pass in on em0:",
            "11:38:45.693382 02:42:ac:12:00:05 > 02:42:ac:12:00:03, ethertype IPv4 (0x0800), length 74:",
            "11:38:45.693382 IP6 (flowlabel 0x2a7b3, hlim 64, next-header TCP (6) payload length: 40)",
            "11:38:45.693382 IP 203.0.113.1 > 203.0.113.2: GREv0, length 84: IP",
            "11:38:45.693382 ip: ",
            "11:38:45.693382 IP: IP ",
            "11:38:45.693382 ff 03 68 IP: (tos 0x0, ttl 64, id 0)",
            "11:38:45.693382 Rx: VPI:8 VCI:100 LLC, dsap SNAP (0xaa) Individual, length 64: ",
        ] {
            assert_eq!(front(text).0, CLOCK, "{text}");
        }
        assert_eq!(front("11:38:45 IP").0, Stamp::Clock { nanos: 41_925_000_000_000, digits: 0 });
        let dated = Stamp::Dated { nanos: 1_520_854_695_693_382_000, digits: 6 };
        assert_eq!(front("1520854695.693382 IP").0, dated);
    }

    #[test]
    fn pauses_of_tcpdump_3_are_read_where_they_stand_first() {
        let pause = |nanos| Stamp::SinceLast { nanos };
        assert_eq!(front("000060 IP").0, pause(60_000));
        assert_eq!(front("30. 013446 IP").0, pause(30_013_446_000));
        assert_eq!(front("Nov 14 22:13:20 h tcpdump[912]: 000060 IP").0, pause(60_000));
        assert_eq!(front("session 000060 IP").0, Stamp::None);
    }

    #[test]
    fn processes_are_named_in_two_ways() {
        let named = |text: &str| process(text).map(|process| (process.pid, process.command));
        let java = Some((4711, "java".to_owned()));
        for text in [
            "11:38:45.693382 eth0 java.4711 Out IP",
            "11:38:45.693382 eth0.100 java.4711 In IP",
            "11:38:45.693382 (en0, proc java:4711, svc BE, out) IP",
            "11:38:45.693382 (en0, proc java:4711:, svc BE, out) IP",
        ] {
            assert_eq!(named(text), java, "{text}");
        }
        for text in [
            "11:38:45.693382 eth0.100 In IP",
            "11:38:45.693382 eth0 Out IP",
            "11:38:45.693382 IP",
            "11:38:45.693382 (en0, svc BE, out) IP",
        ] {
            assert_eq!(named(text), None, "{text}");
        }
        let below = "Process (pid 4711, cmd /usr/bin/java, args java -jar x.jar)";
        assert_eq!(process_below(below), Process::new(4711, "java"));
        assert_eq!(process_below("ParentProc (pid 1, cmd /bin/sh, args sh)"), None);
    }

    #[test]
    fn a_time_is_read_whatever_it_is_put_between() {
        for text in [
            "22:13:20.213856: IP",
            "\"22:13:20.213856\" IP",
            "\"22:13:20.213856\": IP",
            "[22:13:20.213856] IP",
            "\"Nov 14, 2023 @ 22:13:20.213\",\"22:13:20.213856 IP",
        ] {
            let clock = Stamp::clock("22:13:20.213856").unwrap();
            assert_eq!(front(text).0, clock, "{text}");
        }
        let dated = Stamp::dated("2023-11-14", "22:13:20.213856").unwrap();
        for text in ["2023-11-14T22:13:20.213856 IP", "2023-11-14T22:13:20,213856 IP6"] {
            assert_eq!(front(text).0, dated, "{text}");
        }
    }

    #[test]
    fn the_time_of_a_log_is_not_the_packets() {
        for text in [
            "Nov 14 22:13:20 host1 tcpdump[912]:",
            "Nov 14 22:13:20.123456 host1 tcpdump[912]:     ",
            "2023-11-14T22:13:20.213856112Z stdout F",
            "2023-11-14T22:13:20.213856 INFO",
            "IP",
        ] {
            assert_eq!(front(text).0, Stamp::None, "{text}");
        }
    }

    #[test]
    fn the_way_is_read_wherever_it_stands() {
        for (text, expected) in [
            ("11:38:45.693382  In 02:00:00:00:00:05 ethertype IPv4 (0x0800), length 76:", Way::In),
            ("11:38:45.693382 Out 02:00:00:00:00:05 ethertype IPv4 (0x0800), length 76:", Way::Out),
            ("11:38:45.693382   P 02:00:00:00:00:05 ethertype IPv4 (0x0800), length 76:", Way::In),
            ("11:38:45.693382 eth0  Out IP", Way::Out),
            ("11:38:45.693382 eth0  In  ifindex 2 c6:8c:b9:1a:87:e9 ethertype IPv4,", Way::In),
            ("11:38:45.693382 veth0 wget.3553008 In IP", Way::In),
            ("11:38:45.693382 (en0, proc ssh:44637, svc BE, in) IP", Way::In),
            ("11:38:45.693382 (proc ssh:44637, svc CTL, out, so) IP", Way::Out),
            ("Nov 14 11:38:45.693382 rule 0/(match) pass out on em0:", Way::Out),
            ("11:38:45.693382 Out IP", Way::Out),
            ("11:38:45.693382 eth0 <", Way::In),
            ("11:38:45.693382 eth0 >", Way::Out),
        ] {
            assert_eq!(front(text).1, Some(expected), "{text}");
        }
        assert_eq!(front("11:38:45.693382 IP").1, None);
        assert_eq!(front("Log In 11:38:45.693382 IP").1, None);
        assert_eq!(trailer("], seq 1, length 0 out slot1/tmm0 lis=/Common/vs"), Some(Way::Out));
        assert_eq!(trailer("], seq 1, length 0 in slot1/tmm0 lis="), Some(Way::In));
    }
}
