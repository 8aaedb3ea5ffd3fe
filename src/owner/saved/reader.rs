//! A saved list, line by line: what its headers said, what goes on in the next line, and what was found so far.

use super::begun::Begun;
use super::claims::Claims;
use super::fields::{Fields, File};
use super::gaps::{Gaps, is_gap};
use super::json::{self, Piece};
use super::marks::bare;
use super::moments::Moments;
use super::named::{self, Role, Table};
use super::pending::Pending;
use super::{
    Context, Saved, SavedLine, Unread, clue, ends, lsof, netstat, procfs, split, ss, words,
};
use crate::capture::text::breaks::within;
use crate::capture::text::lines::printed;
use crate::owner::silence::Silence;
use crate::owner::{Holder, Socket};
use crate::printable::printable;
use crate::tcp::state::State;

/// Reads a saved list line by line, and keeps what it has found so far.
#[derive(Default)]
pub struct Reader {
    moments: Moments,
    /// The socket that a line may go on with, and whether keep-alives are sent on it.
    last: Option<(usize, bool)>,
    /// The socket right above, whose program may be named next.
    above: Option<usize>,
    /// Column headers of this list.
    headers: Vec<String>,
    /// The headers and commands before this line, as far as they explain it.
    context: Context,
    /// Fields of a list of them, which say one thing each of one socket.
    record: Vec<(Role, String)>,
    /// A line that may go on in the next.
    pending: Option<Pending>,
    unread: Option<Unread>,
    /// Lines around the list that speak of it.
    claims: Claims,
    /// The line above was passed over, and may go on.
    is_open: bool,
    /// The last line with an address that was passed over.
    ends_at: Option<usize>,
    begun: Begun,
    gaps: Gaps,
    /// The state that the sentence above names, and no other.
    title: Option<State>,
    /// Fields of `lsof -F`.
    fields: Fields,
    is_assumed: bool,
}

/// So many lines apart, ends and a state are still of one socket.
const NEAR: usize = 8;

/// The most lines that one is folded into, and the most that name the processes of one socket.
const MAX_LINES: usize = 4;
const MAX_OPEN: usize = 32;

impl Reader {
    /// A line as a file has it, with whatever is around it.
    pub fn text(&mut self, number: usize, line: &str) {
        within(&printed(line.as_bytes())).for_each(|line| self.line(number, &bare(line)));
    }

    /// JSON, as far as it says something of sockets.
    pub fn pieces(&mut self, number: usize, pieces: Vec<Piece>) {
        self.give_up();
        for piece in pieces {
            match piece {
                Piece::Found(found, text) => self.take(found, number, &text),
                Piece::Line(line) => self.text(number, &line),
            }
        }
    }

    /// A line without what is around it.
    pub fn line(&mut self, number: usize, line: &str) {
        if let Some(at) = words::watch(line).or_else(|| words::moment(line).map(Some)) {
            self.give_up();
            self.end_fields();
            self.end_record(number);
            self.moments.begin(at);
            if words::watch(line).is_some() {
                self.moments.look();
            }
            self.headers.clear();
            self.forget();
            // `watch` has the command there.
            self.header(line);
            if clue::has_row(line) {
                self.fail(number, line);
            }
        } else if self.header(line) {
            self.forget();
            self.claims.count(number, line);
            // A page that lost its line ends.
            if clue::has_row(line) {
                self.fail(number, line);
            }
        } else if let Some(pieces) = json::line(line) {
            self.claims.count(number, line);
            self.pieces(number, pieces);
        } else if let Some(ended) = self.fields.take(number, line) {
            self.give_up();
            self.file(ended);
        } else if self.is_within_users() || !self.field(number, line) {
            self.end_fields();
            let is_whole = |record: &str| matches!(self.look(record), SavedLine::Socket(_));
            let records = split::records(line, is_whole);
            records.into_iter().for_each(|record| self.record(number, record));
        }
    }

    /// Were the processes of the last line folded? `",pid=4242,fd=9))` is no field.
    fn is_within_users(&self) -> bool {
        self.pending.as_ref().is_some_and(|begun| begun.texts.iter().any(|text| ss::is_open(text)))
    }

    fn record(&mut self, number: usize, line: &str) {
        if is_gap(line) {
            self.give_up();
        }
        if let Some(begun) = self.pending.take()
            && self.goes_on(begun, line)
        {
            return;
        }
        let is_open = std::mem::take(&mut self.is_open);
        match self.look(line) {
            SavedLine::Socket(_) if ss::is_open(line) => {
                self.pending = Some(Pending::new(number, line));
            }
            SavedLine::Socket(socket) => {
                let is_all = says_all(&socket, line);
                if let Some((number, begun)) = self.begun.row(line) {
                    self.fail(number, &begun);
                }
                self.add(socket, line);
                if !is_all {
                    self.fail(number, line);
                }
            }
            SavedLine::Unclear => self.pending = Some(Pending::new(number, line)),
            _ if is_open && clue::is_rest(line) => self.fail(number, line),
            SavedLine::Begun => self.pending = Some(Pending::new(number, line)),
            _ if clue::is_of_a_socket(line) => self.claim(number, line),
            // The rest of a port: what was read above is not all of it.
            SavedLine::More(_) if clue::is_number(line) => self.fail(number, line),
            SavedLine::More(holders) => self.join(holders),
            SavedLine::Program(holder) => self.program(holder),
            SavedLine::Times => self.time(line),
            SavedLine::Other => self.other(number, line),
        }
    }

    /// A line that is none of a socket.
    fn other(&mut self, number: usize, line: &str) {
        // What goes on below is of that one.
        if line.split_whitespace().take(MAX_PREFIX).any(words::is_other_protocol) {
            self.forget();
        }
        self.is_open = clue::is_open(line);
        if clue::has_address(line) {
            self.ends_at = Some(number);
        }
        self.name(number, line);
        self.begun.note(number, line);
        let gap = self.gaps.note(number, line);
        self.leave_out(gap);
        if !line.trim().is_empty() {
            self.title = clue::title(line);
        }
        self.claims.count(number, line);
    }

    /// Says that lines are missing.
    fn leave_out(&mut self, gap: Option<(usize, String)>) {
        if let Some((number, line)) = gap {
            Unread::leave_out(&mut self.unread, number, &line);
        }
    }

    /// Whoever says CLOSE-WAIT of an end may be speaking of what the list has.
    fn claim(&mut self, number: usize, line: &str) {
        self.above = None;
        if clue::is_row(line) || !self.claims.keep(number, line) {
            self.fail(number, line);
        }
    }

    /// Does a line go on with those before it? If not, they are all there is of theirs.
    fn goes_on(&mut self, begun: Pending, line: &str) -> bool {
        let is_heading = || {
            let is_begun = matches!(self.look(&begun.first), SavedLine::Begun);
            is_begun && !clue::is_open_call(&begun.first)
        };
        if begun.lines == 1 && is_heading() && matches!(self.look(line), SavedLine::Socket(_)) {
            self.begun.note(begun.number, &begun.first);
            return false;
        }
        let joined = begun.joined(line);
        let (mut open, mut is_other, mut found) = (Vec::new(), false, None);
        for text in joined {
            match self.look(&text) {
                SavedLine::Socket(found)
                    if !says_all(&found, &text)
                        || self.is_another(&begun.first, line, &text, &found) => {}
                SavedLine::Socket(_) if ss::is_open(&text) && begun.lines < MAX_OPEN => {
                    let texts = vec![text];
                    self.pending = Some(Pending { texts, lines: begun.lines + 1, ..begun });
                    return true;
                }
                // The right one of them has a process, if any has.
                SavedLine::Socket(socket) if found.is_none() || !socket.holders.is_empty() => {
                    let is_named = !socket.holders.is_empty();
                    found = Some((socket, text));
                    if is_named {
                        break;
                    }
                }
                SavedLine::Unclear | SavedLine::Begun if !self.begins(line) => open.push(text),
                _ => is_other |= line.split_whitespace().any(words::is_other_protocol),
            }
        }
        if let Some((socket, text)) = found {
            self.add(socket, &text);
            return true;
        }
        let is_call = clue::is_open_call(&begun.first);
        let is_more = begun.lines < if is_call { MAX_OPEN } else { MAX_LINES };
        match self.look(line) {
            SavedLine::Other if is_more && is_other => return true,
            SavedLine::Other if is_more => {}
            // Ends that are told at last, and not those of a line that begins anew.
            SavedLine::Unclear if is_more => open.retain(|text| clue::ends(text) <= 2),
            _ => open.clear(),
        }
        if !open.is_empty() {
            self.pending = Some(Pending { texts: open, lines: begun.lines + 1, ..begun });
            return true;
        }
        self.alone(&begun, line);
        false
    }

    /// Is a line a socket of its own, and does not go on with the one before it? Two states are those of two, and a
    /// beginning that tells nothing more of a socket is no beginning of it.
    fn is_another(&self, begun: &str, line: &str, joined: &str, found: &Socket) -> bool {
        if words::addresses(joined) > 2 {
            return true;
        }
        let SavedLine::Socket(own) = self.look(line) else { return false };
        self.begins(line) || words::has_state(begun) || !says_more(found, &own)
    }

    /// Has a line the first word of one? lsof, whose ends have an arrow, has the protocol late.
    fn begins(&self, line: &str) -> bool {
        let first = line.split_whitespace().next();
        let is_first = |word: &str| words::is_tcp(word) || words::state(word).is_some();
        first.is_some_and(is_first) && !line.contains("->")
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
            let found = named::socket(&record);
            // Its ends may be in lines of another form.
            let is_near = self.ends_at.is_some_and(|at| number.saturating_sub(at) <= NEAR);
            match found {
                SavedLine::Other if is_near && clue::close_waits(&line) > 0 => {
                    self.fail(number, &line);
                }
                found => self.take(found, number, &line),
            }
        }
    }

    /// `[orders.exe]`: Windows names a program below its socket, perhaps behind a part of it.
    fn name(&mut self, number: usize, line: &str) {
        let bare = line.trim().strip_prefix('[').and_then(|line| line.strip_suffix(']'));
        // `[/code]` of a forum and `[root@web1 ~]` are none.
        let is_mark = |name: &&str| {
            name.contains(['/', '@']) || matches!(&*name.to_lowercase(), "code" | "quote")
        };
        let bare = bare.filter(|name| !is_mark(name));
        let is_part = line.split_whitespace().count() == 1;
        // Nor is the number of an empty line one of a process.
        let is_number = line.trim().parse().is_ok_and(|rest: usize| rest != number);
        let is_it = |_: &mut usize| bare.is_some() || !is_part || is_number;
        let Some(place) = self.above.take_if(is_it) else { return };
        let Some(socket) = self.moments.at(place) else { return };
        if is_number {
            // The rest of its process's number, perhaps: which process that is, is not known.
            socket.holders.retain(|holder| !holder.command.is_empty());
        }
        let holder = socket.holders.first_mut();
        if let (Some(name), Some(holder)) = (bare, holder)
            && holder.command.is_empty()
        {
            holder.command = printable(name);
        }
    }

    fn look(&self, line: &str) -> SavedLine {
        let table = self.context.table.as_ref();
        let (row, of_table) = (table.and_then(|table| table.row(line)), line);
        // Lines of tables are blanks.
        let line = line.replace(['|', '│', '┃', '║'], " ");
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Some(row @ (SavedLine::Socket(_) | SavedLine::Other)) = row {
            // The kernel's own has a header, too, and numbers in place of words.
            return match procfs::line(&words, &[]) {
                SavedLine::Other => row,
                own => own,
            };
        }
        if words::is_change(&words) {
            return SavedLine::Unclear;
        }
        let found = self.look_at(&words, &line);
        let behind = || self.look_behind_names(&words, &line);
        let last = || match (row.as_ref(), ends::line(&words)) {
            (_, found @ SavedLine::Socket(_)) => found,
            (Some(_), _) | (_, SavedLine::Unclear) => SavedLine::Unclear,
            (_, SavedLine::Begun) => SavedLine::Begun,
            _ => match netstat::folded_program(&words) {
                Some(holder) => SavedLine::Program(holder),
                None => ss::more(&line),
            },
        };
        match found {
            SavedLine::Other => match behind().unwrap_or_else(last) {
                SavedLine::Other => self.loosened(&line, of_table),
                found => found,
            },
            SavedLine::Begun => behind().or_else(|| as_socket(last())).unwrap_or(found),
            SavedLine::Unclear => behind().or_else(|| as_socket(last())).unwrap_or(found),
            found => found,
        }
    }

    /// A socket in a form of somebody's own. If its line says CLOSE-WAIT beside another state, that is what became of it.
    fn loosened(&self, line: &str, of_table: &str) -> SavedLine {
        let is_begun = |table: &Table| table.is_begun(of_table);
        match ends::loosened(line) {
            SavedLine::Socket(socket) if !socket.is_stuck() && clue::close_waits(line) > 0 => {
                SavedLine::Unclear
            }
            found @ SavedLine::Socket(_) => found,
            SavedLine::Unclear if clue::is_labelled(line) => SavedLine::Unclear,
            _ if self.context.table.as_ref().is_some_and(is_begun) => SavedLine::Unclear,
            _ if clue::is_open_call(line) => SavedLine::Begun,
            _ => SavedLine::Other,
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
        let (mut unclear, mut begun) = (false, false);
        // A prefix has a few words at most.
        for start in 0..words.len().min(MAX_PREFIX) {
            if start > 0 && words::is_other_protocol(words[start - 1]) {
                break;
            }
            let (before, words) = words.split_at(start);
            let forms = [
                ss::line(words, before, line, &self.context),
                netstat::line(words, before, &self.context),
                procfs::line(words, before),
            ];
            for form in forms {
                match form {
                    SavedLine::Socket(socket) => return SavedLine::Socket(socket),
                    SavedLine::Unclear => unclear = true,
                    SavedLine::Begun => begun = true,
                    SavedLine::More(_)
                    | SavedLine::Program(_)
                    | SavedLine::Times
                    | SavedLine::Other => {}
                }
            }
        }
        match lsof::line(words) {
            SavedLine::Other if unclear => SavedLine::Unclear,
            SavedLine::Other if begun => SavedLine::Begun,
            found => found,
        }
    }

    /// Column headers say what the lines after them are; with the same header again, a list of its own begins.
    fn header(&mut self, line: &str) -> bool {
        let (known, table) = (words::header(line, &self.context), Table::of(line));
        // A row may have the words of a header, or stand behind one.
        let is_row = || matches!(self.look(line), SavedLine::Socket(_));
        if known.is_none() && table.is_none() || clue::has_row(line) && is_row() {
            return false;
        }
        self.give_up();
        self.end_fields();
        self.moments.look();
        let gap = self.gaps.row();
        self.leave_out(gap);
        self.context = Context { table, ..known.unwrap_or_default() };
        let title = self.title.take().filter(|_| self.context.is_stateless);
        if let Some(title) = title.filter(|_| self.context.asked.is_none()) {
            (self.context.asked, self.context.is_told) = (Some(title), true);
        }
        let header = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if self.headers.contains(&header) {
            self.moments.end_list();
            self.headers.clear();
        }
        self.headers.push(header);
        true
    }

    /// A file of `lsof -F` is whole when the next begins.
    fn file(&mut self, ended: Option<File>) {
        if let Some((found, number, text)) = ended {
            self.take(found, number, &text);
        }
    }

    fn end_fields(&mut self) {
        let ended = self.fields.end();
        self.file(ended);
    }

    /// No line goes on with a socket above.
    fn forget(&mut self) {
        (self.last, self.above) = (None, None);
    }

    fn add(&mut self, mut socket: Socket, line: &str) {
        let is_named = words::names_state(line, socket.state);
        socket.is_assumed = self.context.is_stateless && self.context.asked.is_none() && !is_named;
        self.is_assumed |= socket.is_assumed;
        // Its header was cut off: of a row without a state, that was.
        self.context.is_stateless &= !is_named;
        // The rest of its number may be what is below.
        let is_cut = socket.holders.is_empty() && clue::ends_in_number(line);
        let gap = self.gaps.row();
        self.leave_out(gap);
        self.title = None;
        let place = self.moments.add(socket, self.context.asked);
        self.last = Some((place, ss::keeps_alive(line)));
        self.above = Some(place).filter(|_| !is_cut);
    }

    fn join(&mut self, holders: Vec<Holder>) {
        let Some((place, _)) = self.last else { return };
        if let Some(socket) = self.moments.at(place) {
            socket.join(holders);
        }
    }

    /// A program on a line of its own is that of the socket right above, if that names none.
    fn program(&mut self, holder: Holder) {
        let above = self.above.take().and_then(|place| self.moments.at(place));
        if let Some(socket) = above.filter(|socket| socket.holders.is_empty()) {
            socket.join(vec![holder]);
        }
    }

    /// Times are those of the socket before them.
    fn time(&mut self, line: &str) {
        let Some((place, keep_alive)) = self.last else { return };
        if let Some(socket) = self.moments.at(place) {
            let silence = ss::silence(line, socket.silence);
            socket.silence = silence.map(|silence| Silence { keep_alive, ..silence });
        }
    }

    fn give_up(&mut self) {
        if let Some(begun) = self.pending.take() {
            self.alone(&begun, "");
        }
    }

    /// A line that does not go on in the next. What may be something else is no socket unless the next says so.
    fn alone(&mut self, begun: &Pending, next: &str) {
        let is_stuck = |text: &String| clue::is_of_a_socket(text);
        let is_whole = || matches!(self.look(next), SavedLine::Socket(_));
        let is_next = || clue::ends(&begun.first) > 0 && clue::close_waits(next) > 0 && !is_whole();
        match self.look(&begun.first) {
            // What it could be read of last: its processes may go on.
            SavedLine::Socket(first) => {
                let text = begun.texts.last().unwrap_or(&begun.first);
                let socket = match self.look(text) {
                    SavedLine::Socket(socket) => socket,
                    _ => first,
                };
                self.add(socket, text);
            }
            SavedLine::Begun if !begun.texts.iter().any(is_stuck) && !is_next() => {
                self.begun.note(begun.number, &begun.first);
            }
            _ => self.fail(begun.number, &begun.first),
        }
    }

    fn fail(&mut self, line: usize, text: &str) {
        Unread::add(&mut self.unread, line, text);
        self.above = None;
    }

    /// The list ends here without the end of a line.
    pub fn cut(&mut self, number: usize, line: &str) {
        let is_cell = self.context.table.as_ref().is_some_and(|table| table.is_cut(line));
        let known = self.unread.as_ref().map_or(0, |unread| unread.lines);
        self.give_up();
        let is_new = self.unread.as_ref().map_or(0, |unread| unread.lines) == known;
        if is_new
            && !self.begun.holds(number)
            && (is_cell || clue::begins_row(line) || self.begun.is_cut(line))
        {
            Unread::add(&mut self.unread, number, line);
        }
    }

    /// All that was found; `Err` if that is no socket.
    pub fn finish(mut self, last: usize) -> Result<Saved, Option<Unread>> {
        self.give_up();
        self.end_record(last);
        self.end_fields();
        let Reader { moments, mut unread, claims, is_assumed, begun, gaps, .. } = self;
        if let Some((number, line)) = gaps.end() {
            Unread::leave_out(&mut unread, number, &line);
        }
        if let Some((number, line)) = begun.end() {
            Unread::add(&mut unread, number, &line);
        }
        let (moments, ends_empty) = moments.finish();
        claims.hold_against(&moments, &mut unread);
        match moments.is_empty() {
            true => Err(unread),
            false => Ok(Saved { moments, ends_empty, unread, is_assumed }),
        }
    }
}

/// Is a socket all that a text says CLOSE-WAIT of?
fn says_all(socket: &Socket, text: &str) -> bool {
    let read = usize::from(socket.is_stuck());
    clue::close_waits(text) <= read || read > 0 && clue::ends(text) <= 2
}

/// Does one say more of the socket than the other, or of another one?
fn says_more(one: &Socket, other: &Socket) -> bool {
    let key = |socket: &Socket| (socket.local, socket.peer, socket.state);
    let has_holders = !one.holders.is_empty() && one.holders != other.holders;
    key(one) != key(other) || has_holders || one.recv_q.is_some() && one.recv_q != other.recv_q
}

fn as_socket(found: SavedLine) -> Option<SavedLine> {
    matches!(found, SavedLine::Socket(_)).then_some(found)
}

/// The most words of a prefix.
const MAX_PREFIX: usize = 12;
