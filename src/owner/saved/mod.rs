//! Lists that somebody saved on a host: `ss`, `netstat` of any system, `lsof`, `/proc/net/tcp`, or
//! `closewait sockets --format jsonl --all`.
//!
//! A list may be indented, quoted or have a prefix, and its lines may be wrapped. Each form looks for
//! itself from any word of a line on, and takes a line only if all of it makes sense. A line that says
//! CLOSE-WAIT of an end and is understood by none is said, never passed over.
//!
//! * [`reader`]: line by line; [`split`]: several sockets on one; [`pending`], [`begun`]: a part of one; [`moments`]: several lists
//! * [`words`]: states, addresses, services as lists write them; [`clue`]: what may be a socket; [`claims`]: what is
//!   said of one; [`gaps`]: what was left out; [`marks`]: what is around words
//! * [`ss`], [`netstat`], [`lsof`], [`fields`], [`procfs`], [`json`]: the forms; [`named`]: columns in any order, by their
//!   names; [`ends`]: two ends and a state

pub mod begun;
pub mod claims;
pub mod clue;
pub mod ends;
pub mod fields;
pub mod gaps;
pub mod json;
pub mod lsof;
pub mod marks;
pub mod moments;
pub mod named;
pub mod netstat;
pub mod pending;
pub mod procfs;
pub mod reader;
pub mod split;
pub mod ss;
pub mod words;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use chrono::NaiveDateTime;

use super::{Holder, Socket, SocketList};
use crate::capture::foreign;
use crate::capture::text::breaks::Breaks;
use crate::capture::utf16;
use crate::printable::printable;
use crate::tcp::state::State;
use json::Layouts;
use named::Table;
use reader::Reader;

/// No host has so many sockets that its list is longer.
const MAX_OCTETS: u64 = 1 << 30;

/// A saved list, read.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    /// At least one, each with a socket.
    pub moments: Vec<Moment>,
    /// A last moment has none: they have ended, or it was cut off.
    pub ends_empty: bool,
    /// Lines that look like sockets, and could not be read.
    pub unread: Option<Unread>,
    /// The list does not say in which state its sockets are: it was taken for CLOSE-WAIT.
    pub is_assumed: bool,
}

impl Saved {
    /// Says that fewer are in CLOSE-WAIT in the last moment than in one before, if that is so.
    pub fn fewer(&self) -> Option<String> {
        let (last, before) = self.moments.split_last()?;
        let (last, most) = (last.stuck(), before.iter().map(Moment::stuck).max()?);
        let n = self.moments.len();
        (most > last).then(|| {
            format!("the last of {n} lists has {last} in CLOSE-WAIT, one before it {most}: the report is of the last")
        })
    }
}

/// The sockets at one time.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// As a date before it says.
    pub at: Option<NaiveDateTime>,
    /// Sockets of that moment.
    pub sockets: Vec<Socket>,
}

impl Moment {
    /// Counts sockets in CLOSE-WAIT.
    fn stuck(&self) -> usize {
        self.sockets.iter().filter(|socket| socket.is_stuck()).count()
    }
}

/// Lines that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {}: {text:?}", said(*.is_left_out, *.lines))]
pub struct Unread {
    /// Lines that could not be read.
    pub lines: u64,
    /// The first of them: its number from 1, and the beginning of its text.
    pub line: usize,
    /// The first of them, safe to print.
    pub text: String,
    /// The first of them stands for others, which are not there.
    pub is_left_out: bool,
}

impl Unread {
    /// Counts a line that could not be read.
    fn add(unread: &mut Option<Unread>, line: usize, text: &str) {
        Unread::count(unread, line, text, false);
    }

    /// Counts a line that stands for others, which were left out.
    fn leave_out(unread: &mut Option<Unread>, line: usize, text: &str) {
        Unread::count(unread, line, text, true);
    }

    fn count(unread: &mut Option<Unread>, line: usize, text: &str, is_left_out: bool) {
        let text = printable(&text.trim().chars().take(80).collect::<String>());
        let lines = unread.as_ref().map_or(0, |unread| unread.lines) + 1;
        let known = unread.take().filter(|known| known.line <= line);
        let first = known.unwrap_or(Unread { lines, line, text, is_left_out });
        *unread = Some(Unread { lines, ..first });
    }
}

fn said(is_left_out: bool, lines: u64) -> String {
    match (is_left_out, lines) {
        (true, _) => "stands for others that were left out".to_owned(),
        (false, 0 | 1) => "looks like a socket and cannot be read".to_owned(),
        (false, n) => format!("looks like a socket and cannot be read, nor {} more", n - 1),
    }
}

/// No line of it is a socket.
#[derive(Debug, thiserror::Error)]
pub enum NotAList {
    /// It has a form of its own.
    #[error("is no list of sockets: {0}")]
    Foreign(&'static str),
    /// No form that is known; the first line that seemed to be of a socket, if there is one.
    #[error(
        "no line of it is a TCP socket as ss, netstat, lsof, /proc/net/tcp or closewait sockets --all list them{}",
        .0.as_ref().map_or(String::new(), |unread| format!(" ({unread})"))
    )]
    Unknown(Option<Unread>),
}

/// A list without states was taken for one of CLOSE-WAIT.
pub const ASSUMED: &str = "the socket list names no state, as after ss … state close-wait: all of it is taken for CLOSE-WAIT";

/// The last list of several has no socket.
pub const ENDS_EMPTY: &str =
    "its last list is empty: what was there has ended, or the list was cut off";

/// Reads a saved list for a capture: its last moment. The error names the file.
pub fn read(path: &Path) -> Result<SocketList, String> {
    let named = |problem: String| format!("{}: {problem}", printable(&path.to_string_lossy()));
    let mut saved = parse(&text(path)?).map_err(|e| named(e.to_string()))?;
    match saved.unread {
        Some(unread) => Err(named(unread.to_string())),
        None if saved.ends_empty => Err(named(ENDS_EMPTY.to_owned())),
        None => {
            let Moment { at, sockets } = saved.moments.pop().unwrap_or_default();
            Ok(SocketList::new(sockets).made(at))
        }
    }
}

/// The text of a file, or of standard input for `-`. Windows writes UTF-16.
pub fn text(path: &Path) -> Result<String, String> {
    let mut octets = Vec::new();
    let read = match path == Path::new("-") {
        true => io::stdin().take(MAX_OCTETS).read_to_end(&mut octets),
        false => File::open(path).and_then(|file| file.take(MAX_OCTETS).read_to_end(&mut octets)),
    };
    match read {
        Ok(_) => Ok(decoded(&octets)),
        Err(e) => Err(format!("{}: cannot be read: {e}", printable(&path.to_string_lossy()))),
    }
}

fn decoded(octets: &[u8]) -> String {
    let Some((order, mark)) = utf16::order(octets) else {
        return String::from_utf8_lossy(octets).into_owned();
    };
    let (pairs, _) = octets[mark..].as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| order.unit(*pair)).collect();
    String::from_utf16_lossy(&units)
}

/// The sockets of a saved list.
pub fn parse(text: &str) -> Result<Saved, NotAList> {
    let (mut reader, mut layouts) = (Reader::default(), Layouts::default());
    let text = Breaks::of(text.as_bytes()).usual(text.as_bytes());
    let text = String::from_utf8_lossy(&text);
    let start = String::from_utf8_lossy(&text.as_bytes()[..text.len().min(BEGINNING)]);
    if let Some(log) = foreign::log(&start) {
        return Err(NotAList::Foreign(log));
    }
    let (mut number, mut rest) = (1, &*text);
    while !rest.is_empty() {
        if let Some((len, pieces)) = layouts.pieces(rest) {
            let (json, after) = rest.split_at(len);
            reader.pieces(number, pieces);
            number += json.matches('\n').count();
            rest = after;
            continue;
        }
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        match json::is_ours(line) {
            // Ours hold names as they are.
            true => reader.line(number, line.trim()),
            false => reader.text(number, line),
        }
        if rest.len() == line.len() {
            reader.cut(number, line);
        }
        number += 1;
        rest = after;
    }
    let mut saved = reader.finish(number - 1).map_err(|unread| {
        let form = foreign::form(&start);
        form.map_or(NotAList::Unknown(unread), NotAList::Foreign)
    })?;
    if start.lines().any(json::is_ours) {
        saved.moments.iter_mut().for_each(|moment| json::note_hidden(&mut moment.sockets));
    }
    Ok(saved)
}

/// Octets by which the form of a text is known that is no list.
const BEGINNING: usize = 512;

/// A line of a saved list, by what it turned out to be.
pub enum SavedLine {
    /// A socket.
    Socket(Socket),
    /// More of the socket before it.
    More(Vec<Holder>),
    /// The program of the socket right above it, perhaps.
    Program(Holder),
    /// Times of the socket before it.
    Times,
    /// A socket's beginning, or one that is not understood.
    Unclear,
    /// Perhaps a socket's beginning: said only if it goes on as one.
    Begun,
    /// A line of something else.
    Other,
}

/// Facts that stand before the lines of a list and are true for all of them.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The list has no column for the state.
    pub is_stateless: bool,
    /// The state that a command asked for.
    pub asked: Option<State>,
    /// A sentence names that command: it may not be the list's.
    pub is_told: bool,
    /// The number of columns from the state to the process, in netstat's lists.
    pub process_column: Option<usize>,
    /// The process stands before the protocol (sockstat of FreeBSD).
    pub is_process_first: bool,
    /// Columns by their names.
    pub table: Option<Table>,
}
