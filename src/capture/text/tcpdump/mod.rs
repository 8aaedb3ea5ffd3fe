//! Lines of tcpdump, of any version and with anything before them, folded or not: `line` reads one of them.

mod line;

use std::collections::VecDeque;
use std::net::IpAddr;

use super::ends::Ends;
use super::front::{self, front, process_below};
use super::lines::{unquoted, without_marks};
use super::printed::{IpHeader, Item, Printed};
use super::signs::{may_be_tcp, names_columns, shows_flags};
use super::stamp::Stamp;
use crate::capture::process::Process;
use crate::tcp::segment::Way;
use line::{Line, is_whole, parse};

/// A folded packet is no longer than this.
const MAX_FOLDED: usize = 4 << 10;

/// Lines as they come, put together where they were folded.
#[derive(Default)]
pub struct Tcpdump {
    /// The first of two lines, until the second comes.
    head: Option<(Stamp, Option<Way>)>,
    head_process: Option<Process>,
    head_ip: Option<IpHeader>,
    /// The number and the text of a head that says it is of TCP.
    head_of_tcp: Option<(u64, String)>,
    /// A message of ICMP that may quote the packet which it is about, and the head of that packet.
    may_quote: bool,
    quotes: bool,
    /// A packet that is not whole yet.
    open: Option<Open>,
    /// Processes are named below their packets, as far as is known: then each waits for a line.
    names_below: bool,
    waiting: Option<Printed>,
    /// The time of the last packet of TCP, if there was one.
    last: Stamp,
    has_read: bool,
}

struct Open {
    number: u64,
    text: String,
    lines: u64,
    marks: usize,
    /// The line as it stands if nothing more comes.
    line: Line,
}

impl Tcpdump {
    /// Reads a text that names processes below their packets, or may not.
    pub fn naming_below(names_below: bool) -> Tcpdump {
        Tcpdump { names_below, ..Tcpdump::default() }
    }

    /// Takes the next line, and puts out what is certain now.
    pub fn take(&mut self, number: u64, raw: &str, ends: &mut Ends, out: &mut VecDeque<Item>) {
        let (marks, bare) = unquoted(raw);
        if let Some(process) = process_below(bare) {
            return self.take_process(process, out);
        }
        let line = self.alone(bare, ends);
        if let Some(open) = self.open.take() {
            let begins = line != Line::Nothing && begins(bare, &open.text);
            if !begins && !bare.is_empty() {
                return self.go_on(open, raw, ends, out);
            }
            self.give_up(open, out);
        }
        match line {
            Line::Cut(line) => {
                let text = bare.to_owned() + if raw.ends_with(' ') { " " } else { "" };
                self.open = Some(Open { number, text, lines: 1, marks, line: *line });
            }
            line => self.settle(line, number, bare, out),
        }
    }

    /// The text has ended.
    pub fn end(&mut self, out: &mut VecDeque<Item>) {
        let open = self.open.take();
        // Behind its ends, or before them, the last packet may have been one of TCP.
        let mut is_cut_off = open.as_ref().is_some_and(|open| match open.line {
            Line::Other(_) => open.text.contains(" > "),
            Line::Begun(stamp) => self.is_packet(stamp, &open.text),
            _ => false,
        });
        match open {
            Some(open) if is_cut_off => self.settle(open.line, open.number, &open.text, out),
            Some(open) => self.give_up(open, out),
            None => {}
        }
        is_cut_off |= self.head_of_tcp.take().is_some();
        self.flush_head(out);
        self.release(out);
        out.extend(is_cut_off.then_some(Item::CutOff));
    }

    /// A line that names the process of the packet above it.
    fn take_process(&mut self, process: Process, out: &mut VecDeque<Item>) {
        self.names_below = true;
        if let Some(open) = self.open.take() {
            self.give_up(open, out);
        }
        if let Some(waiting) = &mut self.waiting {
            waiting.process = Some(process);
        }
        self.release(out);
        out.push_back(Item::Skipped(1));
    }

    /// The packet that waited for the name of its process.
    fn release(&mut self, out: &mut VecDeque<Item>) {
        out.extend(self.waiting.take().map(Item::Tcp));
    }

    fn alone(&self, bare: &str, ends: &mut Ends) -> Line {
        match parse(bare, ends) {
            // Behind a head comes the second line: of another protocol, or folded before its flags.
            Line::Nothing if self.head.is_some() && bare.contains(" > ") => match is_whole(bare) {
                true => Line::Other(Stamp::None),
                false => Line::Cut(Box::new(Line::Nothing)),
            },
            // Without times, its beginning is all there is of a packet that was cut within its ends.
            Line::Cut(line) if *line == Line::Nothing && self.begins_with_end(bare) => {
                let line = match bare.contains(" > ") {
                    true => Line::Other(Stamp::None),
                    false => Line::Begun(Stamp::None),
                };
                Line::Cut(Box::new(line))
            }
            line => line,
        }
    }

    /// Is it the beginning of a packet as `-t` prints it, from an address with a port?
    fn begins_with_end(&self, bare: &str) -> bool {
        let bare = bare.strip_suffix(" >").unwrap_or(bare);
        let behind = ["IP", "IP6"].iter().find_map(|word| bare.strip_prefix(word));
        let Some(behind) = behind.filter(|_| self.last == Stamp::None && self.head.is_none())
        else {
            return false;
        };
        match behind.split_once(" > ") {
            Some((from, _)) => {
                let address = from.trim_start().rsplit_once('.').map(|(address, _)| address);
                address.is_some_and(|address| address.parse::<IpAddr>().is_ok()) && may_be_tcp(bare)
            }
            None => self.has_read && behind.trim().bytes().all(is_of_address),
        }
    }

    /// Is a line with such a time, which ends before its second end, a packet? Others have times, too.
    fn is_packet(&self, stamp: Stamp, text: &str) -> bool {
        let kind = std::mem::discriminant::<Stamp>;
        match self.has_read {
            true => kind(&stamp) == kind(&self.last),
            false => [" IP ", " IP6 "].iter().any(|word| {
                text.split_once(word).is_some_and(|(_, end)| {
                    end.contains(['.', ':']) && end.trim().bytes().all(is_of_address)
                })
            }),
        }
    }

    fn go_on(&mut self, mut open: Open, raw: &str, ends: &mut Ends, out: &mut VecDeque<Item>) {
        join(&mut open.text, without_marks(raw, open.marks));
        open.lines += 1;
        match self.alone(&open.text, ends) {
            Line::Cut(line) if open.text.len() < MAX_FOLDED => {
                self.open = Some(Open { line: *line, ..open });
            }
            Line::Cut(line) => self.give_up(Open { line: *line, ..open }, out),
            // What is below is something else.
            Line::Nothing if matches!(open.line, Line::Begun(_)) => self.give_up(open, out),
            Line::Nothing => self.give_up(Open { line: Line::Nothing, ..open }, out),
            line => self.settle(line, open.number, &open.text, out),
        }
    }

    fn give_up(&mut self, open: Open, out: &mut VecDeque<Item>) {
        match open.line {
            Line::Other(stamp) if may_be_tcp(&open.text) && self.is_of_kind(stamp) => {
                self.settle(Line::Unread, open.number, &open.text, out);
            }
            Line::Begun(stamp) if self.is_packet(stamp, &open.text) => {
                self.settle(Line::Unread, open.number, &open.text, out);
            }
            Line::Nothing | Line::Begun(_) if !shows_flags(&open.text) => {
                out.push_back(Item::Skipped(open.lines));
            }
            line => self.settle(line, open.number, &open.text, out),
        }
    }

    fn settle(&mut self, line: Line, number: u64, text: &str, out: &mut VecDeque<Item>) {
        self.release(out);
        // Each is told of the line right before; an empty one between them is none.
        let [may_quote, quotes] = match text.is_empty() {
            true => [false; 2],
            false => [&mut self.may_quote, &mut self.quotes].map(std::mem::take),
        };
        match line {
            // It was sent before, and was captured or not then.
            Line::Tcp(printed) if quotes && printed.stamp == Stamp::None => {
                out.push_back(Item::Skipped(1));
            }
            Line::Head(Stamp::None, _) if may_quote => self.quotes = true,
            Line::Tcp(mut printed) => {
                match self.head.take() {
                    // A time before the second line is a log's.
                    Some((stamp, way))
                        if printed.stamp == Stamp::None
                            || self.head_of_tcp.is_some() && !begins_anew(text) =>
                    {
                        printed.stamp = stamp;
                        printed.way = printed.way.or(way);
                        printed.process = printed.process.or(self.head_process.take());
                        printed.ip = printed.ip.or(self.head_ip.take());
                        self.head_of_tcp = None;
                    }
                    head => {
                        self.head = head;
                        self.flush_head(out);
                    }
                }
                (self.last, self.has_read) = (printed.stamp, true);
                self.waiting = Some(printed);
                if !self.names_below {
                    self.release(out);
                }
            }
            // The head of a packet in a tunnel has no time.
            Line::Head(Stamp::None, _) if self.head.is_some() => {
                self.head_ip = front::ip_header(text).or(self.head_ip);
                self.head_of_tcp = is_of_tcp(text).then(|| (number, text.to_owned()));
            }
            Line::Head(stamp, way) => {
                self.flush_head(out);
                self.head = Some((stamp, way));
                self.head_of_tcp = is_of_tcp(text).then(|| (number, text.to_owned()));
                self.head_process = front::process(text);
                self.head_ip = front::ip_header(text);
            }
            Line::Other(stamp) if !self.is_of_kind(stamp) && !shows_flags(text) => {
                out.push_back(Item::Skipped(1));
            }
            Line::Other(_) if shows_flags(text) => {
                self.flush_head(out);
                out.push_back(Item::Unread(number, text.to_owned()));
            }
            Line::Other(stamp) => {
                self.may_quote = text.contains(": ICMP");
                if stamp == Stamp::None {
                    // It is the second line, of a fragment perhaps.
                    self.head_of_tcp = None;
                }
                self.flush_head(out);
                if stamp != Stamp::None {
                    out.push_back(Item::Other(stamp));
                }
            }
            Line::Unread => {
                (self.head, self.head_of_tcp) = (None, None);
                out.push_back(Item::Unread(number, text.to_owned()));
            }
            _ if text.is_empty() => {}
            _ if shows_flags(text) || names_columns(text) => {
                out.push_back(Item::Unread(number, text.to_owned()));
            }
            Line::Cut(_) | Line::Nothing | Line::Begun(_) => out.push_back(Item::Skipped(1)),
        }
    }

    /// Is a time printed as those of the packets before? Others stand in what a packet carried (`-A`).
    fn is_of_kind(&self, stamp: Stamp) -> bool {
        let kind = std::mem::discriminant::<Stamp>;
        let is_printed = |stamp: Stamp| stamp != Stamp::None;
        !is_printed(stamp) || !is_printed(self.last) || kind(&stamp) == kind(&self.last)
    }

    /// The first of two lines had no second one of TCP: it was some other packet, unless it says that it was none.
    fn flush_head(&mut self, out: &mut VecDeque<Item>) {
        out.extend(self.head_of_tcp.take().map(|(number, text)| Item::Unread(number, text)));
        if let Some((stamp, _)) = self.head.take().filter(|(stamp, _)| *stamp != Stamp::None) {
            out.push_back(Item::Other(stamp));
        }
    }
}

/// Returns true if a line begins a packet while another is open: with a time of its own, or with
/// `IP` where the open one has come to its ends, or began so.
fn begins(line: &str, open: &str) -> bool {
    let before = line.split_once(" > ").map_or(line, |(before, _)| before);
    let is_ip = line.starts_with("IP ") || line.starts_with("IP6 ");
    front(before).0 != Stamp::None || is_ip && (open.contains(" > ") || open.starts_with("IP"))
}

/// Is a packet printed whole, and not only from its ends on?
fn begins_anew(text: &str) -> bool {
    let front = text.split_once(" > ").map_or("", |(front, _)| front);
    front.split_whitespace().any(|word| matches!(word, "IP" | "IP6"))
}

/// Does the head of a packet say that TCP is in it?
fn is_of_tcp(head: &str) -> bool {
    head.contains(" TCP (6)")
}

fn is_of_address(octet: u8) -> bool {
    octet.is_ascii_hexdigit() || matches!(octet, b'.' | b':' | b' ')
}

/// Puts the next part behind a line. Whether the fold took a blank away is not known: between words
/// that stand alone there was one, and elsewhere none is needed.
fn join(open: &mut String, next: &str) {
    let last = open.split_whitespace().next_back().unwrap_or_default();
    let alone = matches!(last, "IP" | "IP6" | "In" | "Out" | ">" | "length")
        || last.ends_with([',', ':'])
        || Stamp::clock(last)
            .is_some_and(|clock| matches!(clock, Stamp::Clock { digits: 6 | 9, .. }))
        || next.trim_start().starts_with('>');
    if alone && !open.ends_with(' ') {
        open.push(' ');
    }
    // Indentation is not the packet's, but one blank may be.
    let blanks = next.len() - next.trim_start().len();
    open.push_str(if blanks > 1 { next.trim_start() } else { next });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names;
    use crate::tcp::segment::Flags;

    const PACKET: &str = "172.18.0.3.3306 > 172.18.0.5.38822: Flags [F.], seq 123, ack 144, win 227, options [nop,nop,TS val 1 ecr 2], length 0";

    fn items(text: &str) -> Vec<Item> {
        let (mut tcpdump, mut ends, mut out) =
            (Tcpdump::default(), Ends::default(), VecDeque::new());
        for (number, line) in (1..).zip(text.lines()) {
            tcpdump.take(number, line, &mut ends, &mut out);
        }
        tcpdump.end(&mut out);
        out.into()
    }

    fn tcp(text: &str) -> Printed {
        match &items(text)[..] {
            [Item::Tcp(printed)] => printed.clone(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_packet_folded_at_any_width_is_one_packet() {
        let line = format!("11:38:45.693382 IP {PACKET}");
        let whole = tcp(&line);
        for width in 18..line.len() {
            let folded = hard(&line, width);
            assert_eq!(tcp(&folded), whole, "hard at {width}");
            let quoted: Vec<String> = folded.lines().map(|part| format!("> {part}")).collect();
            assert_eq!(tcp(&quoted.join("\n")), whole, "quoted at {width}");
        }
        for width in 30..line.len() {
            for (keep, indent) in [("", ""), (" ", ""), ("", "    ")] {
                let folded = fold(&line, width, keep, indent);
                assert_eq!(tcp(&folded), whole, "at blanks, {width}:\n{folded}");
            }
        }
    }

    #[test]
    fn lines_of_before_and_with_their_link_may_be_folded_too() {
        for rest in [
            "IP 172.18.0.5.38822 > 172.18.0.3.3306: . ack 78 win 229",
            "IP 172.18.0.5.38822 > 172.18.0.3.3306: P 1:78(77) ack 90 win 229",
            "IP 172.18.0.5.38822 > 172.18.0.3.3306: F 78:78(0) ack 90 win 229 <nop,nop,timestamp 1 2>",
            " In 02:00:00:00:00:05 ethertype IPv4 (0x0800), length 76: 172.18.0.5.38822 > 172.18.0.3.3306: Flags [.], ack 1, win 229, length 0",
        ] {
            let line = format!("11:38:45.693382 {rest}");
            let whole = tcp(&line);
            for width in 50..line.len() {
                for folded in [hard(&line, width), fold(&line, width, "", "")] {
                    let found = items(&folded);
                    let read = match &found[..] {
                        // Nothing asks for what is behind the window.
                        [Item::Tcp(printed)] | [Item::Tcp(printed), Item::Skipped(1)] => {
                            *printed == whole
                        }
                        [Item::Unread(..), ..] => true,
                        _ => false,
                    };
                    assert!(read, "{width}:\n{folded}\n{found:?}");
                }
            }
        }
    }

    fn hard(line: &str, width: usize) -> String {
        let chars: Vec<char> = line.chars().collect();
        let parts: Vec<String> = chars.chunks(width).map(|part| part.iter().collect()).collect();
        parts.join("\n")
    }

    /// At the last blank before the width, as mail programs do.
    fn fold(line: &str, width: usize, keep: &str, indent: &str) -> String {
        let mut lines = vec![String::new()];
        for word in line.split(' ') {
            let last = lines.last_mut().expect("one");
            if last.is_empty() {
                last.push_str(word);
            } else if last.len() + 1 + word.len() <= width {
                *last = format!("{last} {word}");
            } else {
                last.push_str(keep);
                lines.push(format!("{indent}{word}"));
            }
        }
        lines.join("\n")
    }

    #[test]
    fn the_first_of_two_lines_lends_its_time_and_way() {
        let stamp = Stamp::Clock { nanos: 41_925_693_382_000, digits: 6 };
        for head in [
            "11:38:45.693382 IP (tos 0x0, ttl 64, id 0, offset 0, flags [DF], proto TCP (6), length 60)\n    ",
            "Nov 14 22:13:20 h tcpdump[912]: 11:38:45.693382 IP (tos 0x0, ttl 64, length 60)\nNov 14 22:13:20 h tcpdump[912]:     ",
            "11:38:45.693382 IP 203.0.113.1.65000 > 203.0.113.2.4789: VXLAN, flags [I] (0x08), vni 42\nIP ",
            "11:38:45.693382 IP (tos 0x0, ttl 64, id 1, proto UDP (17), length 110)\n    203.0.113.1.65000 > 203.0.113.2.4789: VXLAN, flags [I] (0x08), vni 42\nIP (tos 0x0, ttl 64, length 60)\n    ",
            "11:38:45.693382 IP 203.0.113.1.6081 > 203.0.113.2.6081: Geneve, Flags [none], vni 0xa: IP ",
            "11:38:45.693382 IP 203.0.113.1 > 203.0.113.2: GREv0, length 84: IP ",
        ] {
            assert_eq!(tcp(&format!("{head}{PACKET}")).stamp, stamp, "{head}");
        }
        let text =
            format!("11:38:45.693382 eth0  Out IP (tos 0x0, ttl 64, length 60)\n    {PACKET}");
        assert_eq!(tcp(&text).way, Some(Way::Out));
    }

    #[test]
    fn other_packets_tell_the_time_and_other_lines_nothing() {
        let other = |text: &str| matches!(items(text)[..], [Item::Other(_)]);
        assert!(other("11:38:15.679863 IP 10.0.0.1.53 > 10.0.0.2.5353: 1+ A? x. (21)"));
        assert!(other("11:38:15.679863 ARP, Request who-has 10.0.0.1"));
        assert!(other(
            "11:38:15.679863 IP (tos 0x0, proto UDP (17), length 49)\n    10.0.0.1.53 > 10.0.0.2.5353: 1+ A? x. (21)"
        ));
        for nothing in [
            "tcpdump: listening on eth0",
            "5 packets captured",
            "see below:",
            "11:38 we saw it",
            "22:13:20.000000 IP changed\nand more",
        ] {
            let found = items(nothing);
            assert!(
                found.iter().all(|item| matches!(item, Item::Skipped(_))),
                "{nothing}: {found:?}"
            );
        }
        assert!(items("").is_empty());
    }

    #[test]
    fn a_packet_that_cannot_be_read_is_said() {
        for line in [
            "11:38:15.679863 IP a.38822 > b.no-such-service-here: Flags [S], seq 1, win 1, length 0",
            "11:38:15.679863 IP a.38822 > b.99999: Flags [S], seq 1, win 1, length 0",
            "11:38:15.679863 IP a.38822 > b.80: Flags [S], seq 99999999999, win 1, length 0",
            "11:38:15.679863 IP a.38822 > b.80: tcp 0",
            "11:38:15.679863 IP a.38822 > b.80: [|tcp]",
            "11:38:15.679863 IP a.38822 > b.80: Flags [S], seq 1",
        ] {
            assert_eq!(items(line), [Item::Unread(1, line.into())], "{line}");
        }
    }

    #[test]
    fn old_flags_and_names_are_read() {
        let got = tcp(
            "   1: 10:49:39.979298       app.53237 > db.mysql:  F 24:24(0) ack 9 win 64 <nop,nop,timestamp 1 2> ",
        );
        assert_eq!((got.flags, got.seq, got.ack, got.len), (Flags(0x11), Some(24), Some(9), 0));
        assert_eq!((got.from.port(), got.to.port()), (53237, 3306));
        let got = tcp("10:49:39.979298 2001:db8::5.1 > 2001:db8::3.80: . ack 1 win 63");
        assert_eq!(got.to.to_string(), "[2001:db8::3]:80");
        let found = items(
            "10:49:39.979298 IP <redacted>.1 > <other>.80: Flags [.], ack 1, win 63, length 0",
        );
        let [Item::Tcp(got)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(names::host(got.from.ip()), "<redacted>");
        assert_eq!(names::host(got.to.ip()), "<other>");
    }
}
