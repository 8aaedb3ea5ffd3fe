//! Packets as programs print them, as a capture: pasted from a ticket, or piped from `tcpdump -l`.
//!
//! The text leaves out what a reader can do without: sequence numbers are relative to the first
//! ones of their connection, and a bare ACK's own is not printed at all. Both are put back here, and
//! each line becomes the packet that it describes, without its payload.
//!
//! * [`breaks`]: where a line ends; [`lines`]: a line without what others put around it; [`elided`]: one that stands for
//!   others
//! * [`tcpdump`]: lines of tcpdump; [`front`] and [`fields`] are what stands before and behind the ends
//! * [`fortigate`]: lines of FortiGate's sniffer
//! * [`wireshark`]: lines, tables and fields of Wireshark and tshark; [`row`] is one of them taken apart,
//!   by its [`columns`] or [`words`] and its [`info`]; [`folded`] puts lines together, and [`streams`] gives packets of other protocols their connection
//! * [`sums`]: checksums that are printed
//! * [`ends`]: addresses and ports, or their names
//! * [`stamp`], `clock`: times
//! * `digits`: numbers that people may have changed
//! * [`signs`]: what shows that a line is a packet of TCP, though it cannot be read
//! * [`tunnels`]: what is in them, and is not printed
//! * [`numbers`]: sequence numbers as they were on the wire
//! * [`mod@turned`]: lines that stand newest first
//! * [`twins`]: ends that may be the same under two names
//! * `quoted`: packets that are told above the text that they are taken from
//! * [`mod@printed`]: one packet, and its headers

pub mod breaks;
mod clock;
pub mod columns;
mod digits;
pub mod elided;
pub mod ends;
pub mod fields;
pub mod folded;
pub mod fortigate;
pub mod front;
pub mod info;
pub mod lines;
pub mod numbers;
pub mod printed;
mod quoted;
pub mod row;
pub mod signs;
pub mod stamp;
pub mod streams;
pub mod sums;
pub mod tcpdump;
pub mod tunnels;
pub mod turned;
pub mod twins;
pub mod wireshark;
pub mod words;

use std::collections::{BTreeSet, VecDeque};
use std::io;

use self::breaks::{Breaks, within};
use self::clock::{Clock, Style};
use self::elided::is_left_out;
use self::ends::Ends;
use self::folded::{Split, blank_behind, with_whole_characters};
use self::fortigate::Fortigate;
use self::lines::{dropped, is_cut_off, line_len, printed, whole_lines};
use self::numbers::Numbers;
use self::printed::{Item, Printed, packet};
use self::quoted::{quoted, without};
use self::signs::is_of_another_form;
use self::stamp::{Stamp, is_part_of_time};
use self::tcpdump::Tcpdump;
use self::turned::{
    Turned, are_answered_above, by_number, falls, is_newest_first, is_oldest_first, numbers_jump,
    turned,
};
use self::twins::Twins;
use self::wireshark::{Found, Wireshark};
use super::buffer::Buffer;
use super::process::Process;
use super::record::{Broken, Record};
use super::{About, LinkType};
use crate::names;
use crate::tcp::segment::{Direction, ToldBy};

/// Octets of a text that are searched for its first packet.
const MAX_SEARCH: usize = 64 << 10;

/// The command that makes tshark print all that is needed; shown where columns are missing.
const FIELDS: &str = "tshark -r FILE -T fields -E header=y -e frame.time_epoch -e ip.src -e ipv6.src -e tcp.srcport -e ip.dst -e ipv6.dst -e tcp.dstport -e tcp.flags -e tcp.seq_raw -e tcp.ack_raw -e tcp.len -e tcp.window_size_value";

/// The beginning of a line that ptcpdump prints below each packet.
const BELOW: &[u8] = b"Process (pid ";

/// Reads lines.
pub struct TextReader {
    form: Form,
    ends: Ends,
    clock: Clock,
    /// Lines read so far.
    line: u64,
    /// Items that were found and not handed out yet.
    ready: VecDeque<Item>,
    ended: bool,
    breaks: Breaks,
    split: Split,
    /// Lines that are said again below, where they belong.
    quoted: BTreeSet<u64>,
    order: Order,
    twins: Twins,
    /// The line before was a packet.
    is_below: bool,
    /// A line says that the capture was cut off, before others perhaps.
    was_cut: bool,
    /// The packet that was made of the last line, and its process.
    packet: Vec<u8>,
    process: Option<Process>,
}

/// The order in which the lines of a text stand.
enum Order {
    /// As the packets came.
    Forward,
    /// Newest first: no line has been read.
    Backward,
    /// By another column than that of their numbers: no line has been read.
    Numbered,
    /// Another one: all are here.
    Turned(Turned),
}

/// The program that printed the text, with the state of reading it.
enum Form {
    Tcpdump(Box<Tcpdump>, Numbers),
    Fortigate(Box<Fortigate>, Numbers),
    Wireshark(Box<Wireshark>),
}

/// The result of looking at a file that is no binary capture: packets as text, or the reason why
/// none can be had from it.
pub enum Recognised {
    /// Packets as a tool printed them.
    Text(Box<TextReader>),
    /// Packets in a form that does not say enough: what to export in its place.
    Refused(String),
    /// Something else.
    No,
}

impl Form {
    fn take(&mut self, number: u64, line: &str, ends: &mut Ends, out: &mut VecDeque<Item>) {
        match self {
            Form::Tcpdump(form, _) => form.take(number, line, ends, out),
            Form::Fortigate(form, _) => form.take(number, line, ends, out),
            Form::Wireshark(form) => form.take(number, line, ends, out),
        }
    }

    /// Does it keep back the packet of the last line?
    fn keeps_packet(&self) -> bool {
        matches!(self, Form::Fortigate(form, _) if form.ends_with_packet())
    }

    fn end(&mut self, ends: &mut Ends, out: &mut VecDeque<Item>) {
        match self {
            Form::Tcpdump(form, _) => form.end(out),
            Form::Fortigate(form, _) => form.end(out),
            Form::Wireshark(form) => form.end(ends, out),
        }
    }
}

impl TextReader {
    /// Is this text with a packet in it? Looks no further than it must: a pipe has no end yet.
    pub fn recognise(buffer: &mut Buffer) -> io::Result<Recognised> {
        let mut len = 1;
        loop {
            buffer.peek(len)?;
            let unread = buffer.unread();
            let more = unread.len() >= len && unread.len() <= MAX_SEARCH;
            let breaks = Breaks::of(unread);
            let usual = breaks.usual(unread);
            let head = with_whole_characters(&usual);
            let quoted = quoted(&head);
            let head = without(&head, &quoted);
            match TextReader::either_way(&head, more || !buffer.is_at_end()) {
                Recognised::No if more => len = unread.len() + 1,
                Recognised::Text(text) => {
                    return Ok(Recognised::Text(Box::new(TextReader { breaks, quoted, ..*text })));
                }
                recognised => return Ok(recognised),
            }
        }
    }

    /// The reader for a text that begins like this, whichever way its lines stand.
    fn either_way(all: &[u8], goes_on: bool) -> Recognised {
        let head = whole_lines(all);
        let forward = TextReader::of(head, goes_on);
        let Recognised::Text(reader) = &forward else { return forward };
        let stamps = stamps(&reader.items(head));
        let is_table = matches!(reader.form, Form::Wireshark(_));
        // The first SYN may stand on a last line that does not end.
        let is_turned =
            || !is_table && !is_oldest_first(&stamps) && are_answered_above(&reader.items(all));
        if !is_newest_first(&stamps, head) && !is_turned() {
            let by_number = is_table.then(|| TextReader::by_number(head, goes_on, &stamps));
            return by_number.flatten().unwrap_or(forward);
        }
        let backward = [false, true].into_iter().find_map(|has_names| {
            match TextReader::of(&turned(head, has_names), goes_on) {
                Recognised::Text(reader) => Some(reader),
                Recognised::Refused(_) | Recognised::No => None,
            }
        });
        match backward {
            Some(reader) => {
                Recognised::Text(Box::new(TextReader { order: Order::Backward, ..*reader }))
            }
            None => forward,
        }
    }

    /// The reader for a table that was sorted by another column, if its times go on by its numbers: nearly, for a few
    /// packets are captured in another order than they came.
    fn by_number(head: &[u8], goes_on: bool, stamps: &[Stamp]) -> Option<Recognised> {
        if falls(stamps) == 0 || !numbers_jump(head) {
            return None;
        }
        let head = by_number(head);
        match TextReader::of(&head, goes_on) {
            Recognised::Text(reader)
                if falls(&self::stamps(&reader.items(&head))) * 2 <= falls(stamps) =>
            {
                Some(Recognised::Text(Box::new(TextReader { order: Order::Numbered, ..*reader })))
            }
            _ => None,
        }
    }

    /// The beginning of a text of this form, item by item.
    fn items(&self, head: &[u8]) -> Vec<Item> {
        let form = match &self.form {
            Form::Tcpdump(..) => Form::Tcpdump(Box::default(), Numbers::default()),
            Form::Fortigate(..) => Form::Fortigate(Box::default(), Numbers::default()),
            Form::Wireshark(_) => match Wireshark::of(head) {
                Found::Packets(form) => Form::Wireshark(form),
                Found::Lacking(_) | Found::Nothing => return Vec::new(),
            },
        };
        try_out(&mut { form }, head)
    }

    /// The reader for a text that begins like this.
    fn of(head: &[u8], goes_on: bool) -> Recognised {
        let items = try_out(&mut Form::Tcpdump(Box::default(), Numbers::default()), head);
        // What tcpdump may have printed, too, but need not: Wireshark is asked first.
        let perhaps = |item: &Item| match item {
            Item::Unread(_, line) => !is_of_another_form(line),
            // Packets of other kinds may fill the beginning of a long text.
            Item::Other(_) => goes_on && head.len() > MAX_SEARCH,
            Item::Tcp(_) | Item::Dropped(_) | Item::Skipped(_) | Item::CutOff => false,
        };
        if items.iter().any(|item| matches!(item, Item::Tcp(_))) {
            return TextReader::of_tcpdump(&items, head);
        }
        if let Some(reader) = TextReader::of_fortigate(head) {
            return Recognised::Text(Box::new(reader));
        }
        match Wireshark::of(head) {
            Found::Nothing if items.iter().any(perhaps) => TextReader::of_tcpdump(&items, head),
            Found::Packets(form) => {
                let clock = Clock::new(form.style);
                Recognised::Text(Box::new(TextReader::new(Form::Wireshark(form), clock)))
            }
            Found::Lacking(missing) => Recognised::Refused(format!(
                "it is a table of packets without {missing}; these fields tell enough: {FIELDS}"
            )),
            Found::Nothing => Recognised::No,
        }
    }

    fn of_fortigate(head: &[u8]) -> Option<TextReader> {
        let form = || Form::Fortigate(Box::default(), Numbers::as_they_are());
        let items = try_out(&mut form(), head);
        let is_printed = items.iter().any(|item| matches!(item, Item::Tcp(_)));
        is_printed.then(|| TextReader::new(form(), Clock::new(Style::SinceFirst)))
    }

    fn of_tcpdump(items: &[Item], head: &[u8]) -> Recognised {
        let printed = items.iter().filter_map(|item| match item {
            Item::Tcp(printed) => Some(printed),
            _ => None,
        });
        let numbers = Numbers::like(printed);
        let clock = Clock::new(Style::of(items.iter().filter_map(Item::stamp)));
        let names_below = head.windows(BELOW.len()).any(|part| part == BELOW);
        let form = Form::Tcpdump(Box::new(Tcpdump::naming_below(names_below)), numbers);
        Recognised::Text(Box::new(TextReader::new(form, clock)))
    }

    fn new(form: Form, clock: Clock) -> TextReader {
        TextReader {
            form,
            ends: Ends::default(),
            clock,
            line: 0,
            ready: VecDeque::new(),
            ended: false,
            breaks: Breaks::default(),
            split: Split::default(),
            quoted: BTreeSet::new(),
            order: Order::Forward,
            twins: Twins::default(),
            is_below: false,
            was_cut: false,
            packet: Vec::new(),
            process: None,
        }
    }

    /// The packet of the record handed out last.
    pub fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// Its process, where the text names it.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Finds the next packet in the buffer.
    pub fn locate(
        &mut self,
        buffer: &mut Buffer,
        about: &mut About,
    ) -> Result<Option<Record>, Broken> {
        loop {
            while let Some(item) = self.ready.pop_front() {
                match item {
                    Item::Tcp(printed) if self.lacks_number(&printed) => {
                        let [from, to] =
                            [printed.from, printed.to].map(|end| names::host(end.ip()));
                        let line = format!("{from} > {to}: its sequence number is not printed");
                        about.unread.add(self.line, &line);
                    }
                    Item::Tcp(printed) => {
                        self.twins.note(&printed, &mut about.ambiguous);
                        about.bare_acks |= printed.len == 0 && printed.flags.only_ack();
                        return Ok(Some(self.tcp(&printed)));
                    }
                    Item::Other(stamp) => return Ok(Some(self.other(stamp))),
                    Item::Unread(number, line) => about.unread.add(number, &line),
                    Item::Dropped(packets) => about.drops = about.drops.saturating_add(packets),
                    Item::Skipped(lines) => about.lines_skipped += lines,
                    // Nothing is said after that; what could not be read weighs more.
                    Item::CutOff if about.unread.packets == 0 => {
                        return Err(Broken::CutOff);
                    }
                    Item::CutOff => {}
                }
            }
            if self.ended {
                about.is_disordered =
                    matches!(&self.form, Form::Wireshark(form) if form.is_disordered());
                return Ok(None);
            }
            self.line(buffer)?;
        }
    }

    fn line(&mut self, buffer: &mut Buffer) -> Result<(), Broken> {
        if let Order::Backward = self.order {
            self.order = Order::Turned(Turned::read(buffer, self.breaks)?);
        }
        if let Order::Numbered = self.order {
            self.order = Order::Turned(Turned::read(buffer, self.breaks)?.by_number());
        }
        if let Order::Turned(turned) = &mut self.order {
            match turned.pop() {
                Some((number, line)) => self.take(number, &line),
                None => self.end(),
            }
            return Ok(());
        }
        match line_len(buffer, self.breaks)? {
            Some(len) => {
                self.line += 1;
                self.take(self.line, buffer.get(0, len));
                buffer.consume(len);
            }
            None => self.end(),
        }
        Ok(())
    }

    fn take(&mut self, number: u64, line: &[u8]) {
        self.was_cut |= !line.ends_with(b"\n") && is_part_of_time(line.trim_ascii());
        let whole = self.split.take(line);
        if self.quoted.contains(&number) {
            return;
        }
        let line = printed(self.breaks.bare(&whole));
        for line in within(&line) {
            self.ready.extend(dropped(line).map(Item::Dropped));
            self.was_cut |= is_cut_off(line);
            // At least one packet. Below other lines it may be what a packet carried.
            let is_below = self.is_below || self.form.keeps_packet();
            let is_gap = is_below && is_left_out(line);
            self.ready.extend(is_gap.then_some(Item::Dropped(1)));
            let known = self.ready.len();
            self.form.take(number, line, &mut self.ends, &mut self.ready);
            if self.ready.len() > known {
                self.is_below = !matches!(self.ready.back(), Some(Item::Skipped(_)));
            }
        }
        if let Form::Wireshark(form) = &mut self.form {
            form.line_ends_with(blank_behind(&whole));
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.form.end(&mut self.ends, &mut self.ready);
        self.ready.extend(self.was_cut.then_some(Item::CutOff));
    }

    /// A packet that is more than a bare ACK, without its number where those stand as they were.
    fn lacks_number(&self, printed: &Printed) -> bool {
        let is_bare = printed.len == 0 && printed.flags.only_ack();
        let numbers = match &self.form {
            Form::Tcpdump(_, numbers) | Form::Fortigate(_, numbers) => numbers,
            Form::Wireshark(_) => return false,
        };
        !is_bare && printed.seq.is_none() && numbers.lacks(printed)
    }

    fn tcp(&mut self, printed: &Printed) -> Record {
        let numbers = match &mut self.form {
            Form::Tcpdump(_, numbers) | Form::Fortigate(_, numbers) => numbers.absolute(printed),
            Form::Wireshark(_) => printed.seq.map(|seq| (seq, printed.ack.unwrap_or(0))),
        };
        let Some((seq, ack)) = numbers else { return self.other(printed.stamp) };
        self.packet = packet(printed, seq, ack);
        let way = printed.way.map(|way| Direction { way, told_by: ToldBy::PacketType });
        let octets = (self.packet.len() as u32).saturating_add(printed.len);
        self.process = printed.process.clone();
        let record = self.record(printed.stamp, LinkType::RAW, octets, way);
        Record { has_process: self.process.is_some(), ..record }
    }

    fn other(&mut self, stamp: Stamp) -> Record {
        self.packet.clear();
        self.record(stamp, LinkType::TEXT, 0, None)
    }

    fn record(
        &mut self,
        stamp: Stamp,
        link: LinkType,
        original_len: u32,
        direction: Option<Direction>,
    ) -> Record {
        let (time, digits) = self.clock.read(stamp);
        Record {
            has_process: false,
            // Its lines are out of the buffer already.
            whole: 0,
            data_at: 0,
            data_len: 0,
            time,
            digits,
            interface: 0,
            link,
            original_len,
            direction,
        }
    }
}

/// Times of the packets among these.
fn stamps(items: &[Item]) -> Vec<Stamp> {
    items.iter().filter_map(Item::stamp).filter(|stamp| *stamp != Stamp::None).collect()
}

/// Tries a form on the beginning of a text, and returns the items it finds there.
fn try_out(form: &mut Form, head: &[u8]) -> Vec<Item> {
    let (mut ends, mut out) = (Ends::default(), VecDeque::new());
    for (number, line) in (1..).zip(head.split_inclusive(|b| *b == b'\n')) {
        for line in within(&printed(line)) {
            form.take(number, line, &mut ends, &mut out);
        }
    }
    form.end(&mut ends, &mut out);
    out.into()
}
