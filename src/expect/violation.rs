//! Violations: what is not as expected.

use crate::printable::printable;
use crate::verdict::Verdict;

/// The key of an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The number of connections.
    Flows,
    /// The number of connections that could be judged.
    Judged,
    /// A verdict, by its index in [`Verdict::NAMES`].
    Verdict(usize),
    /// The time in CLOSE-WAIT.
    Held,
    /// Connections that are open and unused at the end.
    OpenIdle,
    /// Transactions that are open at the end.
    TransactionsOpen,
    /// A finding that is described.
    Finding,
    /// No findings but those that are described.
    Exact,
}

impl Key {
    /// The number of leaks.
    pub const LEAK: Key = Key::Verdict(Verdict::Leak.index());
    /// The number of what cannot be told.
    pub const UNKNOWN: Key = Key::Verdict(Verdict::UNKNOWN);

    /// Keys that have a short form, in one line: only one of both can stand in a file.
    pub const LIMITS: [Key; 3] = [Key::LEAK, Key::Held, Key::UNKNOWN];

    /// The key as it stands in a file.
    pub fn name(self) -> &'static str {
        match self {
            Key::Flows => "flows",
            Key::Judged => "judged",
            Key::Verdict(index) => Verdict::NAMES[index],
            Key::Held => "held",
            Key::OpenIdle => "open_idle",
            Key::TransactionsOpen => "transactions_open",
            Key::Finding => "finding",
            Key::Exact => "exact",
        }
    }

    /// The key of a limit's short form, `max_leaks = 2` for `leak = { max = 2 }`.
    pub fn short(self) -> Option<&'static str> {
        match self {
            Key::LEAK => Some("max_leaks"),
            Key::Held => Some("max_held"),
            Key::UNKNOWN => Some("max_unknown"),
            _ => None,
        }
    }
}

/// A peer that other limits hold for, by its place among the overrides and by its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Exception {
    /// The place of its expectation in the file, from 0.
    pub index: usize,
    /// The expectation, in words.
    pub name: String,
}

/// An expectation that is broken.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The expectation that is broken.
    pub key: Key,
    /// The override that says it; `None`: the expectation itself.
    pub exception: Option<Exception>,
    /// The bounds, in words.
    pub expected: String,
    /// The number or the words that were found.
    pub found: String,
    /// Indexes into [`crate::summary::seen::Collected::flows`].
    pub flows: Vec<usize>,
}

impl Violation {
    pub(super) fn new(key: Key, expected: &str, found: &str, flows: Vec<usize>) -> Violation {
        let (expected, found) = (printable(expected), printable(found));
        Violation { key, exception: None, expected, found, flows }
    }

    /// The key and the peer that it is about: `leak at 10.0.0.3:3306`.
    #[must_use]
    pub fn subject(&self) -> String {
        match &self.exception {
            Some(exception) => format!("{} at {}", self.key.name(), printable(&exception.name)),
            None => self.key.name().to_owned(),
        }
    }

    /// Says it in a sentence: `leak: expected 0, found 3`.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!("{}: expected {}, found {}", self.subject(), self.expected, self.found)
    }
}
