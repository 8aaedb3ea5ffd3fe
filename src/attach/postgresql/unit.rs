//! Units: all that a client asks for at once, up to the answer that says where the transaction stands.

use std::collections::VecDeque;

use crate::attach::sql::text::{Effect, SqlText};
use crate::place::Time;

/// Units that may wait for their answers, and statements and octets of all of them.
const MAX_UNITS: usize = 16;
const MAX_TEXTS: usize = 32;
const MAX_OCTETS: usize = 8 * 1_024;

/// A query, a call, or messages of the extended protocol up to their Sync.
#[derive(Clone, Debug, Default)]
pub struct Unit {
    pub at: Time,
    /// In order, each with its time; those without a text were not kept, or not seen.
    pub texts: Vec<(Time, SqlText)>,
    /// The server will say `ReadyForQuery`.
    pub closed: bool,
    /// A part of it was not seen.
    pub unsure: bool,
    /// It is closed because its end was not seen.
    pub cut_off: bool,
    /// Answers after it may belong to another one.
    pub merged: bool,
    /// Statements that were carried out.
    pub done: u16,
    pub failed: bool,
    /// A statement said that it began a transaction, ended one, warned.
    pub began: bool,
    pub ended: bool,
    pub warned: bool,
    /// A part of its answer was not seen.
    pub unheard: bool,
    /// Something was asked after its statements, or among them, that was not seen.
    pub goes_on: bool,
}

impl Unit {
    /// Returns the statement that was carried out last, as its text and its place in that. Where a part of the unit or
    /// of its answer was not seen, nobody knows which it was.
    pub fn done_last(&self) -> Option<(&SqlText, usize)> {
        let at = usize::from(self.done).checked_sub(1)?;
        match &self.texts[..] {
            _ if self.unsure || self.unheard => None,
            [(_, text)] => Some((text, at)),
            texts => texts.get(at).map(|(_, text)| (text, 0)),
        }
    }

    /// Returns the place of the statement that failed where others follow it: a server passes over those.
    pub fn failed_early(&self) -> Option<usize> {
        let at = usize::from(self.done);
        let is_seen = self.failed && !self.unsure && !self.unheard && !self.goes_on;
        (is_seen && at + 1 < self.texts.len()).then_some(at)
    }

    /// Returns whether its statements leave a transaction open, or none, where it stands so already.
    pub fn leaves(&self, open: bool) -> bool {
        let leaves = |text: &SqlText| match text.effect() {
            Effect::Keeps => true,
            Effect::Begins => open,
            Effect::Ends => !open,
            Effect::Unknown => false,
        };
        !self.goes_on && self.texts.iter().all(|(_, text)| leaves(text))
    }
}

/// The units that wait, the first one first.
#[derive(Clone, Debug, Default)]
pub struct Units {
    waiting: VecDeque<Unit>,
    octets: usize,
    /// The room that an answered unit had for its texts.
    spare: Vec<(Time, SqlText)>,
}

impl Units {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Unit> {
        self.waiting.iter()
    }

    pub fn front(&mut self) -> Option<&mut Unit> {
        self.waiting.front_mut()
    }

    pub fn back(&mut self) -> Option<&mut Unit> {
        self.waiting.back_mut()
    }

    /// The unit that a client's message belongs to; `None`: too many wait.
    pub fn open(&mut self, at: Time) -> Option<&mut Unit> {
        if self.waiting.back().is_none_or(|unit| unit.closed) {
            if self.waiting.len() >= MAX_UNITS {
                return None;
            }
            let texts = core::mem::take(&mut self.spare);
            self.waiting.push_back(Unit { at, texts, ..Unit::default() });
        }
        self.waiting.back_mut()
    }

    /// One more statement of the last unit.
    pub fn say(&mut self, at: Time, text: SqlText) -> bool {
        let texts: usize = self.waiting.iter().map(|unit| unit.texts.len()).sum();
        let room = texts < MAX_TEXTS && self.octets + text.octets.len() <= MAX_OCTETS;
        let octets = if room { text.octets.len() } else { 0 };
        let Some(unit) = self.open(at) else { return false };
        if room {
            unit.texts.push((at, text));
        } else {
            unit.unsure = true;
        }
        self.octets += octets;
        true
    }

    pub fn pop(&mut self) -> Option<Unit> {
        let unit = self.waiting.pop_front()?;
        self.octets -= unit.texts.iter().map(|(_, text)| text.octets.len()).sum::<usize>();
        Some(unit)
    }

    /// Keeps the room of a unit that nobody looks at any more.
    pub fn give_back(&mut self, unit: Unit) {
        self.spare = unit.texts;
        self.spare.clear();
    }

    pub fn clear(&mut self) {
        *self = Units::default();
    }

    /// Returns whether all was seen of them, and of their answers so far.
    pub fn are_seen(&self) -> bool {
        self.waiting.iter().all(|unit| !unit.unsure && !unit.unheard)
    }

    /// Returns whether none of them can begin or end a transaction.
    pub fn keep_transactions(&self) -> bool {
        self.waiting.iter().all(|unit| {
            !unit.unsure && unit.texts.iter().all(|(_, text)| text.effect() == Effect::Keeps)
        })
    }

    pub fn heap_octets(&self) -> usize {
        let texts: usize = self.waiting.iter().map(|unit| unit.texts.capacity()).sum();
        self.octets
            + (texts + self.spare.capacity()) * size_of::<(Time, SqlText)>()
            + self.waiting.capacity() * size_of::<Unit>()
    }
}

#[cfg(test)]
mod tests {
    use crate::attach::postgresql::tests::{Talk, done, error, extended, message, query};
    use crate::attach::{PathStep, Peer};
    use crate::tcp::stream::Piece;

    fn complete(tag: &str) -> Vec<u8> {
        message("C", &[tag.as_bytes(), b"\0"].concat())
    }

    #[test]
    fn what_follows_a_statement_that_failed_was_not_carried_out() {
        let begun = || Talk::logged_in().client(&query("begin")).server(&done("BEGIN", "T"));
        let sync = message("S", b"");
        let asked = ["select 1/0", "update t set a=1", "commit"].map(extended).concat();
        let asked = begun().client(&[asked, sync].concat());
        assert_eq!(asked.facts().last_statement.as_deref(), Some("commit"));
        let failed = |done: &[Vec<u8>], ready: &[u8]| {
            let refused = error("ERROR", "22012", "division by zero");
            [&done.concat(), &refused, ready].concat()
        };
        let ready = message("Z", b"E");
        let facts = asked.clone().server(&failed(&[], &ready)).facts();
        assert_eq!(facts.last_statement.as_deref(), Some("select ?/?"));
        assert_eq!((facts.answered, facts.in_transaction), (Some(true), Some(true)));
        let path = ["begin", "select ?/?"].map(|text| PathStep::Said(text.into()));
        assert_eq!(facts.path, path);
        let one = asked.clone().server(&failed(&[complete("SELECT 1")], &ready)).facts();
        assert_eq!(one.last_statement.as_deref(), Some("update t set a=?"));
        let next = asked.server(&failed(&[], &ready)).client(&query("rollback"));
        assert_eq!(next.facts().last_statement.as_deref(), Some("rollback"));
    }

    #[test]
    fn what_was_lost_before_has_no_answer_to_what_is_asked_at_once() {
        let lost = || Talk::logged_in().piece(Peer::Server, Piece::Missing(30));
        let answers = [done("BEGIN", "T"), done("SELECT 1", "T")].concat();
        let both = [query("begin"), query("select 5")].concat();
        let facts = lost().client(&both).server(&answers).facts();
        assert_eq!((facts.in_transaction, facts.answered), (Some(true), Some(true)));
        assert_eq!(facts.statements.len(), 2);
        // Asked in turn, the first may have its answer in it; and what is lost after both may have either's.
        let in_turn = lost().client(&query("begin")).client(&query("select 5"));
        assert_eq!(in_turn.server(&answers).facts().in_transaction, None);
        let again = lost().client(&both).piece(Peer::Server, Piece::Missing(9));
        let facts = again.server(&done("SELECT 1", "T")).facts();
        assert_eq!((facts.in_transaction, facts.answered), (None, None));
        let tail = lost().client(&both).server(&answers[3..]).facts();
        assert_eq!((tail.in_transaction, tail.answered), (None, None));
    }

    #[test]
    fn a_request_that_was_sent_in_part() {
        let asked = query("select secret from accounts");
        let begun = || Talk::logged_in().client(&query("select 1")).server(&done("SELECT 1", "I"));
        for octets in [1, 5, 20] {
            let half = begun().client(&asked[..octets]);
            assert_eq!((half.facts().half_asked, half.facts().answered), (true, Some(true)));
            let lost = half.clone().piece(Peer::Client, Piece::Missing(2));
            assert!(!lost.facts().half_asked, "its end may have been lost");
            assert!(!half.client(&asked[octets..]).facts().half_asked);
        }
        assert!(!begun().facts().half_asked);
    }
}
