//! One connection on its way to whoever prints it.

use super::cause::Cause;
use super::judged::Judged;
use crate::code::Code;
use crate::owner::{Holder, Socket};

/// A judged connection, and what is known around it.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The connection and the verdict on it.
    pub judged: &'a Judged,
    /// The names of the files, by [`Place::file`](crate::place::Place::file).
    pub files: &'a [String],
    /// The process that holds it, as far as somebody was asked.
    pub owner: Owner<'a>,
    /// The reason why it was left; none where nobody owes a FIN.
    pub cause: Option<Cause>,
}

/// The holder's process, as a socket list tells it.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// No list was given.
    NotAsked,
    /// A list was asked, and has no such socket.
    NotListed,
    /// A list has it.
    Listed(&'a Socket),
    /// The capture itself names the processes, and the code where it was kept.
    Said(&'a [Holder], Option<&'a Code>),
    /// An earlier list of the same run named the processes, and the last has no such socket.
    Kept(&'a [Holder], Option<&'a Code>),
}

impl<'a> Owner<'a> {
    /// Returns the socket, where a list has it.
    pub fn listed(self) -> Option<&'a Socket> {
        match self {
            Owner::Listed(socket) => Some(socket),
            Owner::Said(..) | Owner::Kept(..) | Owner::NotAsked | Owner::NotListed => None,
        }
    }

    /// Returns the processes that have the socket, as far as they are known.
    pub fn holders(self) -> &'a [Holder] {
        match self {
            Owner::Listed(socket) => &socket.holders,
            Owner::Said(holders, _) | Owner::Kept(holders, _) => holders,
            Owner::NotAsked | Owner::NotListed => &[],
        }
    }

    /// Returns the code that used the holder's socket, where that was watched.
    pub fn code(self) -> Option<&'a Code> {
        match self {
            Owner::Listed(socket) => socket.code.as_deref(),
            Owner::Said(_, code) | Owner::Kept(_, code) => code,
            _ => None,
        }
    }
}

/// An event of a live flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It has been held in CLOSE-WAIT for long enough to be a finding.
    CloseWait,
    /// After all, it was closed or reset; or later packets show that it is none.
    Ended,
}

impl EventKind {
    /// Returns its word in reports.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::CloseWait => "close-wait",
            EventKind::Ended => "ended",
        }
    }
}
