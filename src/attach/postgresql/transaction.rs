//! Is a transaction open, since when, and what was done in it?
//!
//! The server says so in every `ReadyForQuery`. That it is the same transaction as before is told by
//! the names of the commands that were carried out.

use super::unit::Unit;
use crate::attach::sql::text::{Effect, SqlText};
use crate::place::Time;

/// Statements of a transaction that are kept, and the octets that their texts may take.
const MAX_STATEMENTS: usize = 32;
const MAX_OCTETS: usize = 8 * 1_024;

#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// None where it was not seen, or may have changed since.
    pub open: Option<bool>,
    pub since: Option<Time>,
    /// Its beginning was seen.
    pub begun: bool,
    pub log: Log,
}

/// Statements in order.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Each with the time at which it was sent.
    pub kept: Vec<(Time, SqlText)>,
    octets: usize,
    pub more: u32,
}

impl Log {
    pub fn push(&mut self, said: &(Time, SqlText)) {
        let (_, text) = said;
        let octets = self.octets + text.octets.len();
        if text.none || self.kept.len() >= MAX_STATEMENTS || octets > MAX_OCTETS {
            self.more = self.more.saturating_add(1);
        } else {
            self.octets = octets;
            self.kept.push(said.clone());
        }
    }

    pub fn heap_octets(&self) -> usize {
        self.octets + self.kept.capacity() * size_of::<(Time, SqlText)>()
    }
}

impl Transaction {
    /// Nothing is known any more.
    pub fn forget(&mut self) {
        *self = Transaction::default();
    }

    /// The server said so at the end of a unit, if it is known which one.
    pub fn status(&mut self, open: bool, unit: Option<&Unit>) {
        let was = self.open;
        if !open {
            *self = Transaction { open: Some(false), ..Transaction::default() };
            return;
        }
        let Some(unit) = unit else {
            *self = Transaction { open: Some(true), ..Transaction::default() };
            return;
        };
        let is_heard = !unit.unheard && !unit.unsure;
        let goes_on = was == Some(true) && is_heard && !unit.ended;
        if !goes_on {
            let begins = is_heard && (was == Some(false) || unit.began && !unit.warned);
            let since = (begins || is_heard && unit.ended).then_some(unit.at);
            *self = Transaction { open: Some(true), since, begun: begins, log: Log::default() };
        }
        let carried_out = usize::from(unit.done) + usize::from(unit.failed);
        let count = if unit.unheard { unit.texts.len() } else { carried_out.max(1) };
        let texts = unit.texts.get(..count).unwrap_or(&unit.texts);
        // What stands before the beginning belongs to no transaction, or to another one.
        let begins = |(_, text): &(Time, SqlText)| text.effect() == Effect::Begins;
        let first = match texts.len() {
            2.. if !goes_on => texts.iter().rposition(begins).unwrap_or(0),
            _ => 0,
        };
        texts.iter().skip(first).for_each(|text| self.log.push(text));
        if unit.unsure {
            self.log.more = self.log.more.saturating_add(1);
        }
    }
}
