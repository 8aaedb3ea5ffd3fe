//! Lists that somebody saved on a host: `ss`, `netstat` of any system, `lsof`, `/proc/net/tcp`, or
//! `closewait sockets --format jsonl --all`.
//!
//! A list may be indented, quoted or have a prefix, and its lines may be wrapped. Each form looks for
//! itself from any word of a line on, and takes a line only if all of it makes sense. Several lists
//! one after the other are several moments.
//!
//! * [`words`]: states, addresses, services as lists write them
//! * [`ss`], [`netstat`], [`lsof`], [`procfs`], [`json`]: the forms; [`named`]: columns in any order, by their
//!   names; [`ends`]: two ends and a state

pub mod ends;
pub mod json;
pub mod lsof;
pub mod named;
pub mod netstat;
pub mod procfs;
pub mod ss;
pub mod words;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use chrono::NaiveDateTime;

use super::silence::Silence;
use super::{Holder, Socket, SocketList};
use crate::capture::foreign;
use crate::capture::text::breaks::{Breaks, within};
use crate::capture::text::lines::printed;
use crate::capture::utf16;
use crate::printable::printable;
use crate::tcp::state::State;
use named::{Role, Table};

/// No host has so many sockets that its list is longer.
const MAX_OCTETS: u64 = 1 << 30;

/// A saved list, read.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    /// At least one, each with a socket.
    pub moments: Vec<Moment>,
    /// Lines that look like sockets, and could not be read.
    pub unread: Option<Unread>,
    /// The list does not say in which state its sockets are: it was taken for CLOSE-WAIT.
    pub is_assumed: bool,
}

/// The sockets at one time.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// As a date before it says.
    pub at: Option<NaiveDateTime>,
    /// Sockets of that moment.
    pub sockets: Vec<Socket>,
}

/// Lines that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} looks like a socket and cannot be read{}: {text:?}", more(*.lines))]
pub struct Unread {
    /// Lines that could not be read.
    pub lines: u64,
    /// The first of them: its number from 1, and the beginning of its text.
    pub line: usize,
    /// The first of them, safe to print.
    pub text: String,
}

fn more(lines: u64) -> String {
    match lines {
        0 | 1 => String::new(),
        n => format!(", nor {} more", n - 1),
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

/// Reads a saved list for a capture: its last moment. The error names the file.
pub fn read(path: &Path) -> Result<SocketList, String> {
    let named = |problem: String| format!("{}: {problem}", printable(&path.to_string_lossy()));
    let mut saved = parse(&text(path)?).map_err(|e| named(e.to_string()))?;
    match saved.unread {
        Some(unread) => Err(named(unread.to_string())),
        None => {
            let sockets = saved.moments.pop().unwrap_or_default().sockets;
            Ok(SocketList { is_assumed: saved.is_assumed, ..SocketList::new(sockets) })
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
    let mut reader = Reader::default();
    let text = Breaks::of(text.as_bytes()).usual(text.as_bytes());
    let lines = text.split(|octet| *octet == b'\n');
    let mut last = 0;
    for (number, line) in (1..).zip(lines) {
        last = number;
        match String::from_utf8_lossy(line) {
            // Ours hold names as they are.
            ours if json::is_ours(&ours) => reader.line(number, ours.trim()),
            _ => within(&printed(line)).for_each(|line| reader.line(number, &bare(line))),
        }
    }
    reader.finish(last).map_err(|unread| {
        let start = text.get(..BEGINNING).unwrap_or(&text);
        let form = foreign::form(&String::from_utf8_lossy(start));
        form.map_or(NotAList::Unknown(unread), NotAList::Foreign)
    })
}

/// Octets by which the form of a text is known that is no list.
const BEGINNING: usize = 512;

/// A line without the marks of a quotation, and those of Markdown for code and emphasis.
fn bare(line: &str) -> String {
    let line = line.trim_start_matches([' ', '\t', '>']);
    line.replace('→', "->").replace('`', " ").replace("**", " ")
}

/// A line of a saved list, by what it turned out to be.
pub enum SavedLine {
    /// A socket.
    Socket(Socket),
    /// More of the socket before it.
    More(Vec<Holder>),
    /// Times of the socket before it.
    Times,
    /// A socket's beginning, or one that is not understood.
    Unclear,
    /// A line of something else.
    Other,
}

/// Reads a saved list line by line, and keeps what it has found so far.
#[derive(Default)]
struct Reader {
    moments: Vec<Moment>,
    now: Moment,
    /// The socket that a line may go on with, and whether keep-alives are sent on it.
    last: Option<(usize, bool)>,
    /// Places of this moment's sockets, so that one with several holders is one.
    places: std::collections::HashMap<(String, String, Option<String>), usize>,
    /// Column headers of this moment.
    headers: Vec<String>,
    /// The headers and commands before this line, as far as they explain it.
    context: Context,
    /// Fields of a list of them, which say one thing each of one socket.
    record: Vec<(Role, String)>,
    /// A line that may go on in the next.
    pending: Option<(usize, String)>,
    unread: Option<Unread>,
    is_assumed: bool,
}

/// Facts that stand before the lines of a list and are true for all of them.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The list has no column for the state.
    pub is_stateless: bool,
    /// The state that a command asked for.
    pub asked: Option<State>,
    /// The number of columns from the state to the process, in netstat's lists.
    pub process_column: Option<usize>,
    /// The process stands before the protocol (sockstat of FreeBSD).
    pub is_process_first: bool,
    /// Columns by their names.
    pub table: Option<Table>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        if self.header(line) {
            self.give_up();
            return;
        }
        if let Some(sockets) = json::line(line) {
            self.give_up();
            return sockets.into_iter().for_each(|found| self.take(found, number, line));
        }
        if self.field(number, line) {
            return;
        }
        if let Some(at) = words::moment(line) {
            self.give_up();
            self.begin();
            self.now.at = Some(at);
            return;
        }
        if let Some((begun, start)) = self.pending.take() {
            let gap = if ss::is_open(&start) { "" } else { " " };
            let joined = format!("{}{gap}{}", start.trim_end(), line);
            match self.look(&joined) {
                SavedLine::Socket(socket) if !self.is_another(line, &joined) => {
                    return self.add(socket, &joined);
                }
                _ => self.alone(begun, &start),
            }
        }
        match self.look(line) {
            SavedLine::Socket(_) if ss::is_open(line) => {
                self.pending = Some((number, line.to_owned()))
            }
            SavedLine::Socket(socket) => self.add(socket, line),
            SavedLine::More(holders) => self.go_on(holders),
            SavedLine::Times => self.time(line),
            SavedLine::Unclear => self.pending = Some((number, line.to_owned())),
            SavedLine::Other => self.name(line),
        }
    }

    /// Is a line a socket of its own, and does not go on with the one before it?
    fn is_another(&self, line: &str, joined: &str) -> bool {
        let first = line.split_whitespace().next();
        let begins = first.is_some_and(|word| words::is_tcp(word) || words::state(word).is_some());
        words::addresses(joined) > 2 || begins && matches!(self.look(line), SavedLine::Socket(_))
    }

    /// A socket that has a line, or several, of its own.
    fn take(&mut self, found: SavedLine, number: usize, line: &str) {
        match found {
            SavedLine::Socket(socket) => self.add(socket, line),
            SavedLine::Unclear => self.fail(number, line),
            _ => {}
        }
    }

    /// A field of a list of fields. The next socket begins with one that there was, or behind an empty line.
    fn field(&mut self, number: usize, line: &str) -> bool {
        let field = named::field(line);
        let is_known = |role: &Role| self.record.iter().any(|(known, _)| known == role);
        let is_end = || matches!(line.trim(), "" | "}" | "},");
        if field.map_or_else(is_end, |(role, _)| is_known(&role)) {
            self.end_record(number);
        }
        let Some((role, value)) = field else { return false };
        self.give_up();
        self.record.push((role, value.to_owned()));
        true
    }

    fn end_record(&mut self, number: usize) {
        let record = std::mem::take(&mut self.record);
        let record: Vec<(Role, &str)> =
            record.iter().map(|(role, value)| (*role, &**value)).collect();
        if !record.is_empty() {
            let line = record.iter().map(|(_, value)| *value).collect::<Vec<_>>().join(" ");
            self.take(named::socket(&record), number, &line);
        }
    }

    /// `[orders.exe]`: Windows names a program below its socket.
    fn name(&mut self, line: &str) {
        let bare = line.trim().strip_prefix('[').and_then(|line| line.strip_suffix(']'));
        let holder = self.now.sockets.last_mut().and_then(|socket| socket.holders.first_mut());
        if let (Some(name), Some(holder)) = (bare, holder)
            && holder.command.is_empty()
        {
            holder.command = printable(name);
        }
    }

    fn look(&self, line: &str) -> SavedLine {
        let row = self.context.table.as_ref().and_then(|table| table.row(line));
        if let Some(row @ (SavedLine::Socket(_) | SavedLine::Other)) = row {
            return row;
        }
        // Lines of tables are blanks.
        let line = line.replace(['|', '│', '┃', '║'], " ");
        let words: Vec<&str> = line.split_whitespace().collect();
        let found = self.look_at(&words, &line);
        let behind = || self.look_behind_names(&words, &line);
        let last = || match (row.as_ref(), ends::line(&words)) {
            (_, found @ SavedLine::Socket(_)) => found,
            (Some(_), _) | (_, SavedLine::Unclear) => SavedLine::Unclear,
            _ => match netstat::folded_program(&words) {
                Some(holder) => SavedLine::More(vec![holder]),
                None => ss::more(&line),
            },
        };
        match found {
            SavedLine::Other => behind().unwrap_or_else(last),
            SavedLine::Unclear => behind().or_else(|| as_socket(last())).unwrap_or(found),
            found => found,
        }
    }

    /// Looks behind what `grep -H` and others put before a line without a blank.
    fn look_behind_names(&self, words: &[&str], line: &str) -> Option<SavedLine> {
        let (at, first) = words
            .iter()
            .take(MAX_PREFIX)
            .enumerate()
            .find_map(|(at, word)| Some((at, words::unglued(word)?)))?;
        let words = [&[first], &words[at + 1..]].concat();
        as_socket(self.look_at(&words, line))
    }

    fn look_at(&self, words: &[&str], line: &str) -> SavedLine {
        let mut unclear = false;
        // A prefix has a few words at most.
        for start in 0..words.len().min(MAX_PREFIX) {
            if start > 0 && words::is_other_protocol(words[start - 1]) {
                break;
            }
            let (before, words) = words.split_at(start);
            let forms = [
                ss::line(words, line, &self.context),
                netstat::line(words, before, &self.context),
                procfs::line(words),
            ];
            for form in forms {
                match form {
                    SavedLine::Socket(socket) => return SavedLine::Socket(socket),
                    SavedLine::Unclear => unclear = true,
                    SavedLine::More(_) | SavedLine::Times | SavedLine::Other => {}
                }
            }
        }
        match lsof::line(words) {
            SavedLine::Other if unclear => SavedLine::Unclear,
            found => found,
        }
    }

    /// Column headers say what the lines after them are; the same header again is a later moment.
    fn header(&mut self, line: &str) -> bool {
        let (known, table) = (words::header(line, &self.context), Table::of(line));
        if known.is_none() && table.is_none() {
            return false;
        }
        self.context = Context { table, ..known.unwrap_or_default() };
        let header = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if self.headers.contains(&header) {
            self.begin();
        }
        self.headers.push(header);
        true
    }

    /// A later moment begins, if this one has any socket.
    fn begin(&mut self) {
        if !self.now.sockets.is_empty() {
            self.moments.push(std::mem::take(&mut self.now));
            self.places.clear();
            self.last = None;
            self.headers.clear();
        }
    }

    fn add(&mut self, socket: Socket, line: &str) {
        self.is_assumed |= self.context.is_stateless
            && self.context.asked.is_none()
            && !words::names_state(line, socket.state);
        let key = (socket.local.to_string(), socket.peer.to_string(), socket.netns.clone());
        let place = *self.places.entry(key).or_insert(self.now.sockets.len());
        match self.now.sockets.get_mut(place).filter(|known| known.state == socket.state) {
            Some(known) if known.peer.port != 0 => {
                known.silence = known.silence.or(socket.silence);
                known.join(socket.holders);
                self.last = Some((place, ss::keeps_alive(line)));
            }
            _ => {
                self.last = Some((self.now.sockets.len(), ss::keeps_alive(line)));
                self.now.sockets.push(socket);
            }
        }
    }

    fn go_on(&mut self, holders: Vec<Holder>) {
        if let Some(socket) = self.now.sockets.last_mut() {
            socket.join(holders);
        }
    }

    /// Times are those of the socket before them.
    fn time(&mut self, line: &str) {
        let Some((place, keep_alive)) = self.last else { return };
        if let Some(socket) = self.now.sockets.get_mut(place) {
            let silence = ss::silence(line, socket.silence);
            socket.silence = silence.map(|silence| Silence { keep_alive, ..silence });
        }
    }

    fn give_up(&mut self) {
        if let Some((number, line)) = self.pending.take() {
            self.alone(number, &line);
        }
    }

    /// A line that does not go on in the next.
    fn alone(&mut self, number: usize, line: &str) {
        match self.look(line) {
            SavedLine::Socket(socket) => self.add(socket, line),
            _ => self.fail(number, line),
        }
    }

    fn fail(&mut self, line: usize, text: &str) {
        let text = || printable(&text.trim().chars().take(80).collect::<String>());
        let unread = self.unread.get_or_insert_with(|| Unread { lines: 0, line, text: text() });
        unread.lines += 1;
    }

    fn finish(mut self, last: usize) -> Result<Saved, Option<Unread>> {
        self.give_up();
        self.end_record(last);
        self.begin();
        let Reader { moments, unread, is_assumed, .. } = self;
        match moments.is_empty() {
            true => Err(unread),
            false => Ok(Saved { moments, unread, is_assumed }),
        }
    }
}

fn as_socket(found: SavedLine) -> Option<SavedLine> {
    matches!(found, SavedLine::Socket(_)).then_some(found)
}

/// The most words of a prefix.
const MAX_PREFIX: usize = 12;
