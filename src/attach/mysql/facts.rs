//! What is known of a connection.

use super::command::Command;
use super::reply::Reply;
use super::statement::Statement;
use super::wire::ServerError;
use super::{Begun, Mysql};
use crate::place::Time;

/// Plain facts; `None`: unknown, or there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The server's, without what MariaDB puts before it.
    pub version: Option<Box<str>>,
    pub user: Option<Box<str>>,
    pub database: Option<Box<str>>,
    /// As the documentation names it: `COM_QUERY`.
    pub last_command: Option<&'static str>,
    /// A digest, or the name of a command that has no text.
    pub last_statement: Option<Box<str>>,
    pub last_statement_at: Option<Time>,
    /// The server owes no answer. An answer that has only begun is none.
    pub answered: Option<bool>,
    pub in_transaction: Option<bool>,
    /// When the statement was sent that began it.
    pub transaction_since: Option<Time>,
    pub begun: Option<Begun>,
    /// Of the open transaction, in order.
    pub statements: Vec<Box<str>>,
    /// So many more were not kept.
    pub more_statements: u32,
    /// The last transaction with what ended it and came after it, or the last statements, in order;
    /// only if [`Mysql::keep_path`] asked for it.
    pub path: Vec<Box<str>>,
    pub quit_seen: bool,
    /// What the server said last, if that was an error, or why it closes.
    pub server_error: Option<ServerError>,
    pub encrypted: bool,
    pub compressed: bool,
    /// Something that mattered was not seen.
    pub truncated: bool,
    pub is_mysql: Option<bool>,
}

impl Mysql {
    /// What is known by now. `show_literals`: statements as they were sent, with their values.
    pub fn facts(&self, show_literals: bool) -> Facts {
        let in_transaction = self.in_transaction();
        let is_open = in_transaction == Some(true);
        let has_last = self.last.command.is_some();
        Facts {
            version: self.version.clone(),
            user: self.user.clone().filter(|_| !self.may_change_user()),
            database: self.database.clone().filter(|_| !self.may_rename()),
            last_command: self.last.command.and_then(Command::name),
            last_statement: self.last_statement(show_literals),
            last_statement_at: has_last.then_some(self.last.at),
            answered: if has_last { self.answered() } else { None },
            in_transaction,
            transaction_since: self.transaction.since().filter(|_| is_open),
            begun: self.transaction.begun().filter(|_| is_open),
            statements: if is_open { self.statements(show_literals) } else { Vec::new() },
            more_statements: self.transaction.log().filter(|_| is_open).map_or(0, |log| log.more),
            path: self.path(show_literals),
            quit_seen: self.quit,
            server_error: self.error.as_deref().map(|error| error.show(show_literals)),
            encrypted: self.encrypted,
            compressed: self.compressed,
            truncated: self.truncated,
            is_mysql: self.is_mysql,
        }
    }

    fn last_statement(&self, show_literals: bool) -> Option<Box<str>> {
        let command = self.last.command?;
        let has_text = command.executes() || command == Command::STMT_PREPARE;
        let text = if has_text { self.last.text.show(show_literals) } else { None };
        text.or_else(|| command.name().map(Box::from))
    }

    fn answered(&self) -> Option<bool> {
        match self.reply {
            Reply::Hidden | Reply::AfterDefinitions(0) | Reply::Stream => None,
            _ => Some(self.pending.is_empty()),
        }
    }

    fn in_transaction(&self) -> Option<bool> {
        let known = self.transaction.is_open()?;
        let still = |statement| self.transaction.is_open_during(statement) == Some(known);
        self.waiting().all(still).then_some(known)
    }

    /// Those that were answered, and those that were sent and not answered.
    fn statements(&self, show_literals: bool) -> Vec<Box<str>> {
        let answered = self.transaction.log().map_or(&[][..], |log| log.texts());
        let executes = |s: &&Statement| s.command.is_some_and(Command::executes);
        let waiting = self.waiting().filter(executes).map(|statement| &statement.text);
        answered.iter().chain(waiting).filter_map(|text| text.show(show_literals)).collect()
    }
}
