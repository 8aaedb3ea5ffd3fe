//! Facts of a connection, in the keys of every protocol.

use super::transaction::Log;
use super::unit::Unit;
use super::{Phase, Postgresql, Statement};
use crate::attach::facts::Tag;
use crate::attach::sql::tags;
use crate::attach::{Begun, Facts, PathStep, Protocol};
use crate::place::Time;

/// Statements of no transaction that are kept of the path.
const MAX_OUTSIDE: usize = 8;

impl Log {
    /// The path goes on: a transaction with what ended it, or the last statements.
    pub(super) fn step(&mut self, was_open: bool, is_open: bool, unit: Option<&Unit>) {
        if !was_open && is_open {
            *self = Log::default();
        }
        let Some(unit) = unit else { return };
        let tried = unit.failed_early().map_or(unit.texts.len(), |at| at + 1);
        unit.texts.iter().take(tried).for_each(|text| self.push(text));
        if !was_open && !is_open && self.kept.len() > MAX_OUTSIDE {
            let last = self.kept.split_off(self.kept.len() - MAX_OUTSIDE);
            *self = Log::default();
            last.iter().for_each(|text| self.push(text));
        }
    }
}

impl Postgresql {
    pub(super) fn show(&self, literals: bool) -> Facts {
        let in_transaction = self.in_transaction();
        let is_open = in_transaction == Some(true);
        let transaction = &self.transaction;
        let Statement { at, command, text } = &self.last;
        let command = command.filter(|_| !self.missed);
        let statements = if is_open { self.statements(literals) } else { Default::default() };
        let (statements_at, statements) = statements;
        let begun = transaction.begun.then_some(Begun::By("BEGIN"));
        Facts {
            confirmed: self.confirmed,
            server: self.session.server.clone(),
            user: self.session.user.clone(),
            database: self.session.database.clone(),
            application: self.session.application.clone(),
            last_command: command,
            last_statement: command
                .and_then(|name| text.show(literals).or_else(|| Some(name.into()))),
            last_statement_at: command.map(|_| *at),
            tags: self.tags(is_open),
            answered: command.and_then(|_| self.answered()),
            half_asked: self.has_half_a_request(),
            in_transaction,
            never_begun: self.is_before_login(),
            transaction_since: transaction.since.filter(|_| is_open),
            begun: begun.filter(|_| is_open),
            statements,
            statements_at,
            more_statements: if is_open { transaction.log.more } else { 0 },
            path: self.path(literals),
            goodbye: self.terminated.then_some("Terminate"),
            server_error: self.error.as_deref().map(|error| error.show(literals)),
            before_login: self.before_login(),
            waits_by: self.waits_by(),
            may_wait: self.waits.listened,
            announced: self
                .cancels
                .then_some("a CancelRequest has no answer, and ends its connection"),
            encrypted: self.encrypted,
            truncated: self.truncated,
            ..Facts::of(Postgresql::IDENTITY)
        }
    }

    fn tags(&self, is_open: bool) -> Vec<Tag> {
        let log = self.transaction.log.kept.iter().filter(|_| is_open);
        let texts = log.map(|(_, text)| text);
        let last = (!self.missed).then_some(&self.last.text);
        tags::of_last(texts.chain(last))
    }

    fn answered(&self) -> Option<bool> {
        // What ends an answer may be what was not seen of it.
        let is_sure = |unit: &Unit| unit.closed && !unit.unsure && !unit.unheard;
        // Of a server that has said nothing since it was taken up, nothing was lost.
        let is_lost = self.server.is_lost() && self.spoke;
        match self.units.is_empty() {
            _ if self.unmatched || self.doubtful || self.cancels => None,
            // The client says when the copy ends.
            _ if self.copy == Some(b'G') && !is_lost => Some(false),
            true => Some(true),
            false if self.units.iter().all(is_sure) && !is_lost => Some(false),
            false => None,
        }
    }

    /// Returns whether the client has begun to ask for something, and nothing was missed.
    fn has_half_a_request(&self) -> bool {
        let is_sure = self.confirmed == Some(true) && self.session.ready && !self.truncated;
        is_sure && self.phase == Phase::Messages && self.client.is_within()
    }

    fn in_transaction(&self) -> Option<bool> {
        if self.is_before_login() {
            return Some(false);
        }
        let is_clear = !self.unmatched && (!self.doubtful || self.settled);
        let is_known = is_clear && self.units.keep_transactions();
        // What was carried out before a Sync that never came is a transaction, which the server does not tell.
        let is_synced = self.copy.is_some() || self.units.iter().all(|unit| unit.closed);
        self.transaction.open.filter(|open| is_known && (*open || is_synced))
    }

    fn waits_by(&self) -> Option<&'static str> {
        let is_idle = self.in_transaction() == Some(false) && self.answered() != Some(false);
        match self.copy {
            Some(b'W') => Some("START_REPLICATION"),
            _ if is_idle && self.waits.listens() => Some("LISTEN"),
            _ => None,
        }
    }

    /// Statements that were answered, and those that were sent and not answered, with their times.
    fn statements(&self, literals: bool) -> (Vec<Time>, Vec<Box<str>>) {
        let waiting = self.units.iter().flat_map(|unit| &unit.texts);
        let all = self.transaction.log.kept.iter().chain(waiting);
        all.filter_map(|(at, text)| Some((*at, text.show(literals)?))).unzip()
    }

    fn path(&self, literals: bool) -> Vec<PathStep> {
        let Some(path) = &self.path else { return Vec::new() };
        let waiting = self.units.iter().flat_map(|unit| &unit.texts);
        let all = path.kept.iter().chain(waiting);
        let shown = all.filter_map(|(_, text)| text.show(literals));
        let mut steps: Vec<PathStep> = shown.map(PathStep::Said).collect();
        if self.truncated && steps.is_empty() {
            steps.push(PathStep::NotCaptured);
        }
        steps.extend(self.terminated.then(|| PathStep::Said("Terminate".into())));
        steps
    }
}
