//! Packets as programs print them, as a capture: pasted from a ticket, or piped from `tcpdump -l`.
//!
//! The text leaves out what a reader can do without: sequence numbers are relative to the first
//! ones of their connection, and a bare ACK's own is not printed at all. Both are put back here, and
//! each line becomes the packet that it describes, without its payload.
//!
//! * [`lines`]: a line without what others put around it
//! * [`tcpdump`]: lines of tcpdump; [`front`] and [`fields`] are what stands before and behind the ends
//! * [`ends`], [`services`]: addresses and ports, or their names
//! * [`stamp`], [`clock`]: times
//! * [`numbers`]: sequence numbers as they were on the wire
//! * [`printed`]: one packet, and its headers

pub mod clock;
pub mod ends;
pub mod fields;
pub mod front;
pub mod lines;
pub mod numbers;
pub mod printed;
pub mod services;
pub mod stamp;
pub mod tcpdump;

use std::collections::VecDeque;
use std::io;

use self::clock::{Clock, Style};
use self::ends::Ends;
use self::lines::{line_len, printed, whole_lines};
use self::numbers::Numbers;
use self::printed::{Item, Printed, packet};
use self::stamp::Stamp;
use self::tcpdump::Tcpdump;
use super::buffer::Buffer;
use super::file::{Broken, Record};
use super::{About, LinkType};
use crate::tcp::segment::{Direction, ToldBy};

/// How far a text is searched for its first packet.
const MAX_SEARCH: usize = 64 << 10;

/// Reads lines.
pub struct Text {
    form: Form,
    ends: Ends,
    numbers: Numbers,
    clock: Clock,
    /// Lines read so far.
    line: u64,
    /// What was found and not handed out yet.
    ready: VecDeque<Item>,
    ended: bool,
    /// The packet that was made of the last line.
    packet: Vec<u8>,
}

/// Who printed the text.
enum Form {
    Tcpdump(Tcpdump),
}

impl Form {
    fn take(&mut self, number: u64, line: &str, ends: &mut Ends, out: &mut VecDeque<Item>) {
        match self {
            Form::Tcpdump(form) => form.take(number, line, ends, out),
        }
    }

    fn end(&mut self, out: &mut VecDeque<Item>) {
        match self {
            Form::Tcpdump(form) => form.end(out),
        }
    }
}

impl Text {
    /// Is this text with a packet in it? Looks no further than it must: a pipe has no end yet.
    pub fn recognise(buffer: &mut Buffer) -> io::Result<Option<Text>> {
        let mut len = 1;
        loop {
            buffer.peek(len)?;
            let held = buffer.held();
            let more = held.len() >= len && held.len() <= MAX_SEARCH;
            if let Some(text) = Text::of(whole_lines(held), more || !buffer.is_at_end()) {
                return Ok(Some(text));
            }
            if !more {
                return Ok(None);
            }
            len = held.len() + 1;
        }
    }

    /// The reader for a text that begins like this.
    fn of(head: &[u8], goes_on: bool) -> Option<Text> {
        let items = try_out(&mut Form::Tcpdump(Tcpdump::default()), head);
        let packets = items.iter().filter_map(|item| match item {
            Item::Tcp(printed) => Some(printed),
            _ => None,
        });
        let numbers = Numbers::like(packets.clone());
        let is_packet = |item: &Item| match item {
            Item::Tcp(_) | Item::Unread(..) => true,
            // Packets of other kinds may fill the beginning of a long text.
            Item::Other(_) => goes_on && head.len() > MAX_SEARCH,
            Item::Skipped(_) => false,
        };
        if !items.iter().any(is_packet) {
            return None;
        }
        Some(Text {
            form: Form::Tcpdump(Tcpdump::default()),
            ends: Ends::default(),
            numbers,
            clock: Clock::new(Style::of(items.iter().filter_map(Item::stamp))),
            line: 0,
            ready: VecDeque::new(),
            ended: false,
            packet: Vec::new(),
        })
    }

    /// The packet of the record handed out last.
    pub fn packet(&self) -> &[u8] {
        &self.packet
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
                    Item::Tcp(printed) => return Ok(Some(self.tcp(&printed))),
                    Item::Other(stamp) => return Ok(Some(self.other(stamp))),
                    Item::Unread(number, line) => about.unread.add(number, &line),
                    Item::Skipped(lines) => about.lines_skipped += lines,
                }
            }
            if self.ended {
                return Ok(None);
            }
            self.line(buffer)?;
        }
    }

    fn line(&mut self, buffer: &mut Buffer) -> Result<(), Broken> {
        let Some(len) = line_len(buffer)? else {
            self.ended = true;
            self.form.end(&mut self.ready);
            return Ok(());
        };
        self.line += 1;
        let line = printed(buffer.get(0, len));
        self.form.take(self.line, &line, &mut self.ends, &mut self.ready);
        buffer.consume(len);
        Ok(())
    }

    fn tcp(&mut self, printed: &Printed) -> Record {
        let Some((seq, ack)) = self.numbers.absolute(printed) else {
            return self.other(printed.stamp);
        };
        self.packet = packet(printed, seq, ack);
        let way = printed.way.map(|way| Direction { way, told_by: ToldBy::PacketType });
        let octets = (self.packet.len() as u32).saturating_add(printed.len);
        self.record(printed.stamp, LinkType::RAW, octets, way)
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

/// What a form finds in the beginning of a text.
fn try_out(form: &mut Form, head: &[u8]) -> Vec<Item> {
    let (mut ends, mut out) = (Ends::default(), VecDeque::new());
    for (number, line) in (1..).zip(head.split_inclusive(|b| *b == b'\n')) {
        form.take(number, &printed(line), &mut ends, &mut out);
    }
    form.end(&mut out);
    out.into()
}
