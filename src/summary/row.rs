//! One connection on its way to whoever prints it.

use super::cause::Cause;
use super::judged::Judged;
use crate::owner::{Holder, Socket};

/// A judged connection, and what is known around it.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub judged: &'a Judged,
    /// The names of the files, by [`Place::file`](crate::place::Place::file).
    pub files: &'a [String],
    pub owner: Owner<'a>,
    pub cause: Option<Cause>,
}

/// What a socket list says of the holder's side.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// No list was given.
    NotAsked,
    NotListed,
    Listed(&'a Socket),
    /// The capture itself names the processes.
    Said(&'a [Holder]),
}

/// What happened to a live flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It has been held in CLOSE-WAIT for long enough to be a finding.
    CloseWait,
    /// After all, it was closed or reset.
    Ended,
}

impl EventKind {
    pub fn name(self) -> &'static str {
        match self {
            EventKind::CloseWait => "close-wait",
            EventKind::Ended => "ended",
        }
    }
}
