//! One connection on its way to whoever prints it.

use crate::attach::mysql::Facts;
use crate::owner::Socket;
use crate::place::Time;
use crate::summary::cause::Cause;
use crate::tcp::flow::Flow;
use crate::tcp::segment::FlowKey;
use crate::verdict::Judgement;

/// One flow, judged.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub key: &'a FlowKey,
    pub flow: &'a Flow,
    pub judgement: &'a Judgement,
    /// The end of its capture.
    pub end: Time,
    /// The names of the files, by [`Place::file`].
    pub files: &'a [String],
    pub owner: Owner<'a>,
    /// What was said on it, if that was read.
    pub mysql: Option<&'a Facts>,
    pub cause: Option<Cause>,
}

/// What a socket list says of the holder's side.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// No list was given.
    NotAsked,
    NotListed,
    Listed(&'a Socket),
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
