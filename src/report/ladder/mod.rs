//! The report of `closewait explain`: a connection as a ladder of lines like tcpdump's, what happens in
//! it in sentences, and the verdict with what speaks for it.
//!
//! Lines go out as they come. Of a long stretch in which nothing begins or ends, the first and the last
//! lines are written and those between are counted, so memory does not grow with the connection.

mod verdict;
pub(super) mod words;

use std::collections::VecDeque;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::attach::Identity;
use crate::code::Trace;
use crate::ladder::said::Said;
use crate::ladder::{LadderEvent, Step};
use crate::place::{Place, Time};
use crate::tcp::side::Side;
use crate::tcp::state::State;
use crate::units::{Zone, count, packet_time, thousands};
pub use verdict::{Other, Subject};
use words::{bytes, flags, offset, sentence};

const ALARM: Style = super::text::ALARM;
const CALM: Style = super::text::CALM;
const HEADING: Style = Style::new().bold();
const ASIDE: Style = Style::new().dimmed();
const SPOKEN: Style = AnsiColor::Cyan.on_default();

/// Lines of a stretch that are written at its beginning and at its end.
const HEAD: usize = 12;
const TAIL: usize = 24;

/// Steps that begin or end something are written out, up to so many: a connection can be reset
/// a million times.
const MARKED: usize = 400;

/// Choices of the user for how a ladder looks.
#[derive(Clone, Copy, Debug)]
pub struct LadderLook {
    /// The zone that times are shown in.
    pub zone: Zone,
    /// Dates and times in place of the time since the first packet.
    pub absolute: bool,
    /// Every packet.
    pub all: bool,
    /// Columns of the terminal; whole lines where there is none.
    pub width: Option<usize>,
}

/// Names of the ends `a` and `b`, and which of them stands first in a line: the one that is judged.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// The name of the end that sent the first packet.
    pub a: &'static str,
    /// The name of the other end.
    pub b: &'static str,
    /// The side that the first packet shows as the sender.
    pub first: Side,
}

impl Names {
    fn of(&self, side: Side) -> &'static str {
        match side {
            Side::A => self.a,
            Side::B => self.b,
        }
    }
}

/// Writes the ladder.
pub struct Ladder<W> {
    out: W,
    look: LadderLook,
    names: Names,
    first: Place,
    /// Lines of the stretch so far, those that wait to be its last, and those between.
    head: usize,
    tail: VecDeque<Step>,
    between: Between,
    marked: usize,
    /// Statements of the open transaction that are still to come, or the last one of none, each with who sent it.
    senders: VecDeque<(Box<str>, Trace)>,
    since: Option<Time>,
    files: Vec<String>,
    /// The file of the line before.
    file: usize,
}

/// Counts of the packets in the middle of a stretch, which are not written one by one.
#[derive(Clone, Copy, Debug, Default)]
struct Between {
    segments: u64,
    bytes: [u64; 2],
    said: u64,
    protocol: Option<Identity>,
}

impl<W: Write> Ladder<W> {
    /// Writes to `out`; `first` is the packet that times count from.
    pub fn new(out: W, look: LadderLook, names: Names, first: Place) -> Ladder<W> {
        Ladder {
            out,
            look,
            names,
            first,
            head: 0,
            tail: VecDeque::new(),
            between: Between::default(),
            marked: 0,
            senders: VecDeque::new(),
            since: None,
            files: Vec::new(),
            file: first.file(),
        }
    }

    /// The name of one more file.
    pub fn begin_file(&mut self, name: &str) {
        self.files.push(name.to_owned());
    }

    /// The next packet.
    pub fn step(&mut self, step: Step) -> io::Result<()> {
        let marked = step.is_marked() && self.marked < MARKED;
        if self.look.all || marked {
            self.marked += usize::from(marked);
            self.end_stretch()?;
            return self.line(&step);
        }
        if self.head < HEAD {
            self.head += 1;
            return self.line(&step);
        }
        self.tail.push_back(step);
        if self.tail.len() > TAIL
            && let Some(step) = self.tail.pop_front()
        {
            self.between.segments += 1;
            self.between.bytes[step.from as usize] += u64::from(step.len);
            self.between.said += step.said.len() as u64;
            self.between.protocol = step.protocol.or(self.between.protocol);
        }
        Ok(())
    }

    fn end_stretch(&mut self) -> io::Result<()> {
        self.head = 0;
        let between = std::mem::take(&mut self.between);
        if between.segments > 0 {
            let [a, b] = between.bytes.map(bytes);
            let said = match (between.said, between.protocol) {
                (n @ 1.., Some(Identity { title, .. })) => {
                    format!(", {} lines of {title}", thousands(n))
                }
                _ => String::new(),
            };
            let segments = count(between.segments, "segment");
            let Names { a: name_a, b: name_b, .. } = self.names;
            let indent = self.indent();
            writeln!(
                self.out,
                "{indent}{ASIDE}… {segments}, {a} from {name_a}, {b} from {name_b}{said}: --all …{ASIDE:#}"
            )?;
        }
        for step in std::mem::take(&mut self.tail) {
            self.line(&step)?;
        }
        Ok(())
    }

    /// One packet, and the sentences that belong to it.
    fn line(&mut self, step: &Step) -> io::Result<()> {
        let Step { place, from, seq, len, .. } = *step;
        if std::mem::replace(&mut self.file, place.file()) != place.file() {
            let name = self.files.get(place.file()).map_or("", String::as_str);
            writeln!(self.out, "{ASIDE}{name}{ASIDE:#}")?;
        }
        let name = |side: Side| self.names.of(side);
        let time = match self.look.absolute {
            true => self.time(place),
            false => offset(place, self.first),
        };
        let frame = format!("#{}", place.frame());
        let ends = format!("{:>5} > {:<5}", name(from), name(from.other()));
        let flags = format!("[{}]", flags(step.flags));
        let numbers = format!("{seq}:{}({len})", seq + i64::from(len));
        let ack = step.ack.map_or(String::new(), |ack| format!("ack {ack}"));
        let mut line = format!("{time:>12} {frame:>7}  {ends}  {flags:<5} {numbers:<16} {ack:<10}");
        let indent = self.indent();
        let states = step.moved.then(|| self.states(step.states));
        match states {
            // Beside the packet, if there is room for that; below it otherwise.
            Some(states) if self.is_wide(&line, &states) => line += &format!(" |{states}"),
            Some(states) => line = format!("{}\n{indent}|{}", line.trim_end(), states.trim_end()),
            None => {}
        }
        writeln!(self.out, "{}", line.trim_end())?;
        for said in &step.said {
            let by = self.sender(said, place.time).map_or(String::new(), |by| format!(", by {by}"));
            let words = words::said(said) + &by;
            writeln!(self.out, "{indent}{SPOKEN}{words}{SPOKEN:#}")?;
        }
        for event in &step.events {
            let sentence = sentence(event, self.names);
            let style = match event {
                LadderEvent::CloseWait(_) => ALARM,
                LadderEvent::Closed(..) => CALM,
                LadderEvent::SentAgain | LadderEvent::KeepAlive => ASIDE,
                _ => HEADING,
            };
            writeln!(self.out, "{indent}{style}{sentence}{style:#}")?;
        }
        Ok(())
    }

    /// Returns who sent a statement, where the capture has that: those of the open transaction come in their
    /// order.
    fn sender(&mut self, said: &Said, at: Time) -> Option<Trace> {
        let (Said::Asked(statement) | Said::AskedBefore(statement)) = said else { return None };
        let is_its = |since: Time| at.since(since).is_some_and(|ns| ns >= 0);
        if !self.since.is_some_and(is_its) {
            return None;
        }
        let (text, by) = self.senders.pop_front()?;
        if text != *statement {
            self.senders.clear();
            return None;
        }
        Some(by)
    }

    fn states(&self, states: [State; 2]) -> String {
        let of =
            |side: Side| format!(" {} {:<12}", self.names.of(side), states[side as usize].name());
        let first = self.names.first;
        format!("{}{}", of(first), of(first.other()))
    }

    /// Tells whether the terminal has room for states beside a packet.
    fn is_wide(&self, line: &str, states: &str) -> bool {
        self.look.width.is_none_or(|width| width >= line.len() + " |".len() + states.len())
    }

    /// Below the ends of a line.
    fn indent(&self) -> String {
        " ".repeat(if self.look.absolute { 36 } else { 22 })
    }

    fn time(&self, place: Place) -> String {
        packet_time(place, self.look.zone, self.look.absolute || !place.time.is_undated())
    }
}
