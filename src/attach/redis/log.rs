//! Commands in the order in which they were sent.

use super::command::Command;
use crate::attach::PathStep;
use crate::place::Time;

/// Commands of a transaction that are kept.
const MAX_KEPT: usize = 32;

/// Commands of no transaction that are kept.
const MAX_OUTSIDE: usize = 8;

/// The last transaction, or the last commands.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Each with the time at which it was sent.
    kept: Vec<(Time, Command)>,
    /// So many more of the transaction were not kept.
    pub more: u32,
    /// The time at which MULTI was sent.
    pub since: Option<Time>,
    /// MULTI was sent, and neither EXEC nor DISCARD.
    is_open: bool,
}

impl Log {
    pub fn multi(&mut self, at: Time) {
        if !self.is_open {
            *self = Log { is_open: true, since: Some(at), ..Log::default() };
        }
    }

    /// Neither EXEC nor DISCARD was sent behind MULTI.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    pub fn ended(&mut self) {
        self.is_open = false;
    }

    /// The server says that there is a transaction whose beginning was not seen.
    pub fn is_queued(&mut self, last: Option<&(Time, Command)>) {
        if !self.is_open {
            *self = Log { is_open: true, ..Log::default() };
            self.kept.extend(last.cloned());
        }
    }

    /// Something was not seen.
    pub fn forget(&mut self) {
        *self = Log::default();
    }

    /// `outside`: commands of no transaction are wanted, too.
    pub fn push(&mut self, at: Time, command: &Command, outside: bool) {
        let most = match (self.is_open, outside) {
            (true, _) => MAX_KEPT,
            (false, true) => MAX_OUTSIDE,
            (false, false) => return,
        };
        if self.kept.len() < most {
            self.kept.push((at, command.clone()));
        } else if self.is_open {
            self.more = self.more.saturating_add(1);
        } else {
            self.since = None;
            self.more = 0;
            self.kept.drain(..=self.kept.len() - most);
            self.kept.push((at, command.clone()));
        }
    }

    /// Returns the commands, and the times at which they were sent.
    pub fn transaction(&self, literals: bool) -> (Vec<Time>, Vec<Box<str>>) {
        let times = self.kept.iter().map(|(at, _)| *at);
        times.zip(self.shown(literals).map(String::into_boxed_str)).unzip()
    }

    pub fn path(&self, literals: bool) -> Vec<PathStep> {
        self.shown(literals).map(|text| PathStep::Said(text.into())).collect()
    }

    fn shown(&self, literals: bool) -> impl Iterator<Item = String> {
        self.kept.iter().map(move |(_, one)| if literals { one.literal() } else { one.name() })
    }

    pub fn heap_octets(&self) -> usize {
        self.kept.iter().map(|one| one.1.heap_octets() + size_of::<(Time, Command)>()).sum()
    }
}
