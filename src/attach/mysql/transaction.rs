//! Is a transaction open, since when, and what was done in it?
//!
//! The server says so, in the status flags of every OK and EOF packet. Texts are asked only for what
//! the flags cannot tell: whether the transaction that is open now is the one that was open before.

use super::command::Command;
use super::statement::Statement;
use super::wire::status::{AUTOCOMMIT, IN_TRANS};
use crate::attach::Begun;
use crate::attach::sql::kind::Kind;
use crate::attach::sql::text::SqlText;
use crate::place::Time;

/// Statements of a transaction that are kept, and the octets that their texts may take.
pub const MAX_STATEMENTS: usize = 32;
pub const MAX_LOG: usize = 8 * 1_024;

/// A beginning of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// `BEGIN` or `START TRANSACTION`.
    Begin,
    /// A statement, with `autocommit=0`.
    Autocommit0,
}

impl From<Beginning> for Begun {
    fn from(beginning: Beginning) -> Begun {
        match beginning {
            Beginning::Begin => Begun::By("BEGIN"),
            Beginning::Autocommit0 => Begun::Under("autocommit=0"),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// The last status flags; none where they could not be seen, or may have changed since.
    flags: Option<u16>,
    /// An error may have ended it.
    doubtful: bool,
    since: Time,
    begun: Option<Beginning>,
    log: Option<Box<Log>>,
}

/// The statements of the open transaction, in order.
#[derive(Clone, Debug, Default)]
pub struct Log {
    kept: Vec<(Time, SqlText)>,
    octets: usize,
    pub more: u32,
}

impl Log {
    fn push(&mut self, Statement { at, text, .. }: &Statement) {
        let octets = self.octets + text.octets.len();
        if text.none || self.kept.len() >= MAX_STATEMENTS || octets > MAX_LOG {
            self.more = self.more.saturating_add(1);
        } else {
            self.octets = octets;
            self.kept.push((*at, text.clone()));
        }
    }

    /// Returns the texts, each with the time at which it was sent.
    pub fn texts(&self) -> impl DoubleEndedIterator<Item = (Time, &SqlText)> {
        self.kept.iter().map(|(at, text)| (*at, text))
    }

    pub fn heap_octets(&self) -> usize {
        self.octets + self.kept.capacity() * size_of::<(Time, SqlText)>()
    }
}

impl Transaction {
    pub fn flags(&self) -> Option<u16> {
        self.flags
    }

    pub fn is_open(&self) -> Option<bool> {
        self.flags.filter(|_| !self.doubtful).map(|flags| flags & IN_TRANS != 0)
    }

    /// It was open until an error came that may have ended it.
    pub fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// It was open when the server last said so.
    fn was_open(&self) -> bool {
        self.flags.is_some_and(|flags| flags & IN_TRANS != 0)
    }

    pub fn since(&self) -> Option<Time> {
        (self.was_open() && self.since != Time::UNKNOWN).then_some(self.since)
    }

    pub fn begun(&self) -> Option<Beginning> {
        self.begun.filter(|_| self.was_open())
    }

    pub fn log(&self) -> Option<&Log> {
        self.log.as_deref()
    }

    /// Nothing is known any more.
    pub fn forget(&mut self) {
        *self = Transaction::default();
    }

    /// The server said so, at the end of the `index`th result of a command. `true`: a transaction
    /// began with it.
    pub fn status(&mut self, flags: u16, statement: &Statement, index: usize) -> bool {
        // With autocommit, none begins by itself: it is the same one, and no error has ended it.
        let goes_on = self.doubtful
            && flags & AUTOCOMMIT != 0
            && matches!(kind_of(statement, index), Kind::Keeps | Kind::Sets);
        let was = if goes_on { Some(true) } else { self.is_open() };
        (self.flags, self.doubtful) = (Some(flags), false);
        if flags & IN_TRANS == 0 {
            self.end();
            return false;
        }
        let kind = kind_of(statement, index);
        let begins = was == Some(false) || matches!(kind, Kind::Begins | Kind::Ends);
        match (was, kind) {
            _ if begins => {
                self.end();
                self.since = statement.at;
                self.begun = begun_by(kind, flags);
            }
            (Some(true), Kind::Keeps | Kind::Sets) => {}
            // It began with this statement, as did any that followed it there.
            (Some(true), Kind::Unknown) if self.since == statement.at => {}
            // Another one may have begun within the statement, or before this was seen: nothing that
            // was done before is surely part of it.
            _ => self.end(),
        }
        // However many results it has, it is one statement.
        if statement.command.is_some_and(Command::executes) && (index == 0 || self.log.is_none()) {
            self.log.get_or_insert_default().push(statement);
        }
        begins
    }

    /// The server refused a statement: that comes without flags.
    pub fn refused(&mut self, code: Option<u16>, statement: &Statement, index: usize) {
        if !self.outlives(code, statement, index) {
            let keeps = kind_of(statement, index) == Kind::Keeps;
            match code {
                Some(DEADLOCK) if keeps && (self.begun.is_some() || !self.was_open()) => {
                    return self.undone();
                }
                Some(_) if keeps && self.was_open() => self.doubtful = true,
                _ => self.forget(),
            }
        }
        if self.was_open()
            && statement.command.is_some_and(Command::executes)
            // With other results before the error, it stands there.
            && (index == 0 || self.log.is_none())
        {
            self.log.get_or_insert_default().push(statement);
        }
    }

    /// The server has undone all of it.
    fn undone(&mut self) {
        self.flags = self.flags.map(|flags| flags & !IN_TRANS);
        self.doubtful = false;
        self.end();
    }

    /// The flags are as they were, in spite of an error.
    fn outlives(&self, code: Option<u16>, statement: &Statement, index: usize) -> bool {
        let Some((code, flags)) = code.zip(self.flags) else { return false };
        // It was not even understood, or is nothing at all: unless that was said of one that it ran.
        let is_not_run = matches!(code, PARSE_ERROR | EMPTY_QUERY);
        let executes = statement.command.is_some_and(Command::executes);
        if is_not_run && executes && !statement.text.runs_others(index) {
            return true;
        }
        if kind_of(statement, index) != Kind::Keeps {
            return false;
        }
        match flags & IN_TRANS != 0 {
            // The statement is undone, and the transaction goes on.
            true => undoes_statement_only(code),
            // With autocommit=0, it may have begun one.
            false => flags & AUTOCOMMIT != 0,
        }
    }

    /// Returns whether a transaction is open while `statement` has no answer yet: it may have been
    /// carried out. `None`: unknown.
    pub fn is_open_during(&self, statement: &Statement) -> Option<bool> {
        let is_harmless = statement.command.is_some_and(Command::is_harmless);
        let is_single = statement.text.is_single();
        let keeps = is_single && kind_of(statement, 0) == Kind::Keeps;
        let autocommit = self.flags.is_some_and(|flags| flags & AUTOCOMMIT != 0);
        let still = is_harmless || keeps && (autocommit || self.is_open() == Some(true));
        self.is_open().filter(|_| still)
    }

    fn end(&mut self) {
        (self.since, self.begun) = (Time::UNKNOWN, None);
        self.log = None;
    }
}

fn kind_of(statement: &Statement, index: usize) -> Kind {
    match statement.command {
        Some(command) if command.executes() => statement.text.kind(index),
        Some(command) if command.is_harmless() => Kind::Keeps,
        _ => Kind::Unknown,
    }
}

/// With autocommit, only an explicit beginning leaves a transaction open after a statement.
fn begun_by(kind: Kind, flags: u16) -> Option<Beginning> {
    match (kind, flags & AUTOCOMMIT != 0) {
        (Kind::Begins, _) => Some(Beginning::Begin),
        (Kind::Keeps | Kind::Sets, false) => Some(Beginning::Autocommit0),
        _ => None,
    }
}

/// A statement is none of SQL.
const PARSE_ERROR: u16 = 1064;

/// There is no statement, or only a comment.
const EMPTY_QUERY: u16 = 1065;

/// A deadlock undoes the transaction of which it makes its victim. One of XA is another matter.
const DEADLOCK: u16 = 1213;

/// Errors of the SQL layer, and those that the manual's chapter on error handling of InnoDB says undo
/// a statement and no more: a key twice, a row too long, a constraint, a value, a name, a right.
/// A deadlock (1213), a lock table that is full (1206), a changed record (1020) and, by a setting, a
/// lock that took too long (1205) undo the transaction; of others, nothing is assumed.
fn undoes_statement_only(code: u16) -> bool {
    matches!(
        code,
        1044 | 1046
            | 1048
            | 1049
            | 1051
            | 1052
            | 1054
            | 1062
            | 1064
            | 1065
            | 1106
            | 1109
            | 1110
            | 1111
            | 1118
            | 1136
            | 1138
            | 1142
            | 1143
            | 1146
            | 1216
            | 1217
            | 1222
            | 1241
            | 1242
            | 1264
            | 1265
            | 1292
            | 1305
            | 1364
            | 1365
            | 1366
            | 1370
            | 1406
            | 1451
            | 1452
            | 1644
            | 1690
            | 3819
            | 4025
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{IDLE, OPEN, Talk, error, query};

    #[test]
    fn a_parse_error_may_be_that_of_a_statement_within() {
        let fails = |begin: &str, flags, sql: &str, code| {
            let talk = Talk::logged_in(0).ask(begin, flags).client(&query(sql));
            talk.server(&error(code, "42000", "near 'x'")).facts().in_transaction
        };
        for sql in ["call p()", "execute s", "begin not atomic commit; end", "/*! call p() */"] {
            for code in [1064, 1065] {
                assert_eq!(fails("begin", OPEN, sql, code), None, "{sql}");
                assert_eq!(fails("select 1", IDLE, sql, code), None, "{sql}");
            }
        }
        for (sql, code) in
            [("selekt", 1064), ("commit nonsense", 1064), ("", 1065), ("/* ping */", 1065)]
        {
            assert_eq!(fails("begin", OPEN, sql, code), Some(true), "{sql}");
            assert_eq!(fails("select 1", IDLE, sql, code), Some(false), "{sql}");
        }
    }
}
