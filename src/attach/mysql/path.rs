//! The way that a connection went: its last transaction with what ended it, or what came since.
//!
//! [`Transaction`] forgets a transaction when it ends. To hold a connection that was left
//! against those that were not, their COMMIT is wanted, too.

use std::collections::VecDeque;

use super::Mysql;
use super::command::Command;
use super::statement::Statement;
use super::transaction::{Beginning, Transaction};
use crate::attach::PathStep;
use crate::attach::sql::text::SqlText;

/// Statements of a transaction that are kept, those of none, and the octets of their texts.
pub const MAX_INSIDE: usize = 32;
pub const MAX_OUTSIDE: usize = 8;
pub const MAX_OCTETS: usize = 8 * 1_024;

/// Statements in order.
#[derive(Clone, Debug, Default)]
pub struct Path {
    steps: VecDeque<Step>,
    octets: usize,
    /// The last one left a transaction open.
    open: bool,
    /// A transaction began, by the answer that is being read.
    begins: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Sent {
        command: Command,
        text: SqlText,
        error: Option<u16>,
    },
    /// A remark in place of a statement.
    Note(&'static str),
    NotCaptured,
}

/// Steps that were not kept.
const MORE: &str = "(more)";
/// No statement began the transaction that follows.
const AUTOCOMMIT_0: &str = "(autocommit=0)";

impl Step {
    fn octets(&self) -> usize {
        if let Step::Sent { text, .. } = self { text.octets.len() } else { 0 }
    }

    fn show(&self, literals: bool) -> PathStep {
        match self {
            Step::Sent { command, text, error: None } => show(*command, text, literals),
            Step::Sent { command, text, error: Some(code) } => {
                let shown = show(*command, text, literals);
                PathStep::Said(format!("{shown} (error {code})").into())
            }
            Step::Note(note) => PathStep::Said((*note).into()),
            Step::NotCaptured => PathStep::NotCaptured,
        }
    }
}

fn show(command: Command, text: &SqlText, literals: bool) -> PathStep {
    let shown = if command.executes() { text.show(literals) } else { None };
    let name = command.name().filter(|_| command != Command::QUERY || !text.none);
    shown.or_else(|| name.map(Box::from)).map_or(PathStep::NotCaptured, PathStep::Said)
}

/// A step of the way: a statement, or what makes a session a new one.
fn is_step(command: Command) -> bool {
    command.executes() || matches!(command, Command::RESET_CONNECTION | Command::CHANGE_USER)
}

impl Path {
    /// A statement has its answer.
    fn answered(&mut self, statement: &Statement, error: Option<u16>, transaction: &Transaction) {
        let open = transaction.is_open() == Some(true);
        if core::mem::take(&mut self.begins) {
            self.steps.clear();
            self.octets = 0;
            if transaction.begun() == Some(Beginning::Autocommit0) {
                self.push(Step::Note(AUTOCOMMIT_0), true);
            }
        }
        self.sent(statement, error, open);
        self.open = open;
    }

    fn sent(&mut self, statement: &Statement, error: Option<u16>, open: bool) {
        if let Some(command) = statement.command.filter(|command| is_step(*command)) {
            let text = statement.text.clone();
            self.push(Step::Sent { command, text, error }, self.open || open);
        }
    }

    fn lost(&mut self) {
        self.open = false;
        if !matches!(self.steps.back(), Some(Step::NotCaptured)) {
            self.push(Step::NotCaptured, false);
        }
    }

    /// Adds a step, and makes room for it. A transaction's beginning says what it was about, and its end
    /// how it ended: what does not fit is left out between them. Outside of one, the last steps count.
    fn push(&mut self, step: Step, inside: bool) {
        let most = if inside { MAX_INSIDE } else { MAX_OUTSIDE };
        let mut more = false;
        while self.steps.len() >= most || self.octets + step.octets() > MAX_OCTETS {
            let end = if inside { self.steps.pop_back() } else { self.steps.pop_front() };
            let Some(left_out) = end else { break };
            self.octets -= left_out.octets();
            more = true;
        }
        match (more, inside) {
            (true, true) => self.steps.push_back(Step::Note(MORE)),
            (true, false) => self.steps.push_front(Step::Note(MORE)),
            (false, _) => {}
        }
        self.octets += step.octets();
        self.steps.push_back(step);
    }

    pub fn heap_octets(&self) -> usize {
        size_of::<Path>() + self.octets + self.steps.capacity() * size_of::<Step>()
    }
}

impl Mysql {
    /// The statement that was answered began a transaction.
    pub(super) fn path_begins(&mut self, begins: bool) {
        if let Some(path) = &mut self.path {
            path.begins |= begins;
        }
    }

    /// The command that is being answered has its answer, perhaps an error's.
    pub(super) fn path_answered(&mut self, error: Option<u16>) {
        if let (Some(path), Some(statement)) = (&mut self.path, self.exchange.waiting().next()) {
            path.answered(statement, error, &self.transaction);
        }
    }

    /// Answers that were waited for will not be read.
    pub(super) fn path_unanswered(&mut self) {
        if let Some(path) = &mut self.path {
            self.exchange.waiting().for_each(|statement| path.sent(statement, None, false));
        }
    }

    pub(super) fn path_lost(&mut self) {
        if let Some(path) = &mut self.path {
            path.lost();
        }
    }

    /// In order, those that wait for their answers and the goodbye with them.
    pub(super) fn path(&self, literals: bool) -> Vec<PathStep> {
        let Some(path) = &self.path else { return Vec::new() };
        let mut shown: Vec<PathStep> = path.steps.iter().map(|step| step.show(literals)).collect();
        for statement in self.exchange.waiting() {
            if let Some(command) = statement.command.filter(|command| is_step(*command)) {
                shown.push(show(command, &statement.text, literals));
            }
        }
        shown.extend(self.goodbye().map(|name| PathStep::Said(name.into())));
        shown
    }
}
