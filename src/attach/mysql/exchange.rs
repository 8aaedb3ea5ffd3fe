//! Commands and their answers: what waits for an answer, and how far the first answer has come.

use std::collections::VecDeque;

use super::command::Command;
use super::frames::{Frames, Rest};
use super::reply::Reply;
use super::statement::Statement;
use crate::attach::sql::text::Database;

/// Commands that may wait for their answers: drivers send a hundred of a batch at once.
pub const MAX_PENDING: usize = 112;

/// Commands that may wait with all of their texts; the others' are shortened.
const MAX_LONG: usize = 16;

/// A command that waits for its answer.
#[derive(Clone, Debug)]
struct Pending {
    command: Command,
    /// The number of its last packet.
    seq: u8,
    /// The statement it carries; none: it is the last statement.
    statement: Option<Box<Statement>>,
}

/// Commands and their answers: the questions that are open, and the packet that is due next.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// The packet that the first pending command waits for, after so many results.
    pub reply: Reply,
    pub results: u16,
    /// The number that the server's next packet has.
    pub next_seq: u8,
    /// Nothing of the answer has come.
    pub fresh: bool,
    /// Commands and answers can be out of step: they are not matched again after a loss.
    pub unmatched: bool,
    /// The capabilities agreed on are not known well enough to go on as before.
    pub unsure: bool,
    pending: VecDeque<Pending>,
    last: Statement,
}

impl Exchange {
    /// Returns whether the server owes an answer.
    pub fn is_due(&self) -> bool {
        !self.pending.is_empty()
    }

    pub fn waits_for_several(&self) -> bool {
        self.pending.len() > 1
    }

    /// Returns whether the server owes nothing; `None` where that cannot be told.
    pub fn answered(&self) -> Option<bool> {
        match self.reply {
            Reply::Hidden | Reply::AfterDefinitions(0) | Reply::Stream => None,
            _ => Some(!self.is_due()),
        }
    }

    /// The last statement that was sent.
    pub fn last(&self) -> &Statement {
        &self.last
    }

    /// The command that is being answered.
    pub fn command(&self) -> Option<Command> {
        self.pending.front().map(|pending| pending.command)
    }

    /// The statement that is being answered.
    pub fn current(&self) -> &Statement {
        self.waiting().next().unwrap_or(&self.last)
    }

    /// The statements that wait for their answers.
    pub fn waiting(&self) -> impl Iterator<Item = &Statement> {
        self.pending.iter().map(|pending| pending.statement.as_deref().unwrap_or(&self.last))
    }

    /// Returns whether one of them uses another database.
    pub fn may_rename(&self) -> bool {
        self.waiting().any(|statement| match statement.command {
            Some(Command::INIT_DB | Command::CHANGE_USER) => true,
            Some(Command::QUERY) => statement.text.database() != Database::Stays,
            _ => false,
        })
    }

    /// Returns whether one of them makes somebody else of the client, or a new session.
    pub fn may_change_user(&self) -> bool {
        let changes = |statement: &Statement| {
            matches!(statement.command, Some(Command::CHANGE_USER | Command::RESET_CONNECTION))
        };
        self.waiting().any(changes)
    }

    /// Adds a command whose last packet has the number `seq`. Returns false where too many wait.
    pub fn ask(&mut self, command: Command, seq: u8, statement: Statement) -> bool {
        if self.pending.len() >= MAX_PENDING {
            self.unmatched = true;
            return false;
        }
        let is_first = self.pending.is_empty();
        // It stands for the statement that it belongs to where that was not seen.
        let own = if command.is_auxiliary() && self.last.command.is_some() {
            Some(Box::new(statement))
        } else {
            self.set_last(statement);
            None
        };
        self.pending.push_back(Pending { command, seq, statement: own });
        if is_first {
            self.await_first();
        }
        true
    }

    /// Moves the last statement to the command that still waits for its answer, if one does.
    pub fn set_last(&mut self, statement: Statement) {
        let mut before = core::mem::replace(&mut self.last, statement);
        if self.pending.len() > MAX_LONG {
            before.text.shorten();
        }
        let waits = self.pending.iter_mut().find(|pending| pending.statement.is_none());
        if let Some(pending) = waits {
            pending.statement = Some(Box::new(before));
        }
    }

    /// The first command has its answer: the next one is answered from here on.
    pub fn next(&mut self) {
        self.pending.pop_front();
        if self.pending.is_empty() && self.pending.capacity() > 4 {
            self.pending.shrink_to_fit();
        }
        self.await_first();
    }

    /// The first command has one more result.
    pub fn another_result(&mut self) {
        self.reply = Reply::Result;
        self.results = self.results.saturating_add(1);
    }

    /// Passes over definitions of columns and rows, which are only counted.
    pub fn skip_counted(&mut self, frames: &Frames, rest: &mut Rest<'_>) {
        if !self.reply.may_count() || !self.is_due() || self.unsure {
            return;
        }
        frames.skip(rest, |seq, payload| {
            let is_counted = seq == self.next_seq && self.reply.counts(payload);
            if is_counted {
                self.next_seq = seq.wrapping_add(1);
                self.fresh = false;
            }
            is_counted
        });
    }

    fn await_first(&mut self) {
        let first = self.pending.front();
        self.reply = first.map_or(Reply::Nothing, |pending| Reply::to(pending.command));
        self.next_seq = first.map_or(0, |pending| pending.seq.wrapping_add(1));
        (self.results, self.fresh) = (0, true);
    }

    /// Returns whether an answer that was lost begins again with these octets.
    pub fn begins_answer(&self, data: &[u8]) -> bool {
        let answers = self.fresh && self.pending.len() == 1 && !self.unmatched;
        let is_next = data.len() > 4 && data.get(3) == Some(&self.next_seq);
        answers && is_next && self.reply != Reply::Hidden
    }

    /// Returns whether only the next command will tell that the answer has ended.
    pub fn ends_unseen(&self) -> bool {
        matches!(self.reply, Reply::Hidden | Reply::AfterDefinitions(0))
    }

    /// The next command has told. What comes after an answer that cannot be told apart cannot be
    /// either.
    pub fn end_unseen(&mut self) {
        self.unmatched |= self.waits_for_several();
        self.let_go();
    }

    /// Nobody knows what was asked, and the next command starts afresh.
    pub fn forget(&mut self) {
        self.last = Statement::default();
        self.let_go();
        self.unmatched = false;
    }

    fn let_go(&mut self) {
        self.pending.clear();
        self.reply = Reply::Nothing;
    }

    /// No more will be read: only the last statement is kept.
    pub fn finish(&mut self) {
        self.pending = VecDeque::new();
        self.reply = Reply::Nothing;
    }

    /// Octets on the heap.
    pub fn heap_octets(&self) -> usize {
        let texts = self.pending.iter().filter_map(|pending| pending.statement.as_ref());
        let size_of_text = |s: &Statement| s.text.octets.len() + size_of::<Statement>();
        self.pending.capacity() * size_of::<Pending>()
            + texts.map(|statement| size_of_text(statement)).sum::<usize>()
            + self.last.text.octets.len()
    }
}
