//! Messages of the server: answers.

use super::error::Refusal;
use super::messages::{Message, Messages, are_messages, whole};
use super::unit::{Unit, Units};
use super::{Phase, Postgresql};
use crate::attach::facts::name;
use crate::attach::sql::text::{Effect, SqlText};
use crate::place::Time;
use crate::tcp::stream::Piece;

/// Errors are the longest that matter.
const KEEP: usize = 512;

/// Kinds of messages: each of the server's has one.
static KINDS: [bool; 256] = {
    let (mut kinds, mut at, all) = ([false; 256], 0, b"RSKZCTDEN123nstIGHWAdcvV");
    while at < all.len() {
        kinds[all[at] as usize] = true;
        at += 1;
    }
    kinds
};

fn is_kind(octet: u8) -> bool {
    KINDS[usize::from(octet)]
}

impl Postgresql {
    pub(super) fn take_server(&mut self, at: Time, piece: Piece<'_>) {
        let is_usual = self.phase == Phase::Messages && self.confirmed == Some(true) && self.spoke;
        let piece = match (self.phase, piece) {
            (_, Piece::Data(data)) if is_usual && self.server.is_between() => {
                match self.hear_whole(at, data) {
                    [] => return,
                    rest => Piece::Data(rest),
                }
            }
            (Phase::AskedForTls, Piece::Data([b'S' | b'G'])) => return self.encrypt(),
            (Phase::AskedForTls, Piece::Data([b'N', rest @ ..])) => {
                self.phase = Phase::Startup;
                Piece::Data(rest)
            }
            (Phase::AskedForTls, Piece::Missing(1)) => return,
            // An error without a length, as of old: before it knows the version that the client speaks.
            (_, Piece::Data([b'E', b' '..=b'~', ..])) if !self.spoke && self.is_before_login() => {
                (self.confirmed, self.session.denied) = (Some(true), true);
                return self.finish();
            }
            _ => piece,
        };
        if piece == Piece::Data(&[]) {
            return;
        }
        if piece == Piece::Missing(0) && !self.spoke {
            // Wherever its direction is taken up, what comes after a startup message is the first that it says.
            if !self.session.began {
                self.server.lose();
            }
            return;
        }
        let is_first = !core::mem::replace(&mut self.spoke, true);
        self.heard = true;
        let mut messages = core::mem::take(&mut self.server);
        if is_first && messages.is_lost() {
            self.server_lost();
        }
        let was_lost = messages.is_lost();
        match piece {
            Piece::Missing(octets) => {
                let ended = messages.miss(octets, true).map(|message| {
                    self.answer(&message, false);
                    message.kind
                });
                // What comes after an error may be another one, or none.
                if messages.is_lost() && ended != Some(b'E') {
                    self.error = None;
                }
            }
            Piece::Data(data) => self.read_server(&mut messages, data, at),
        }
        if self.phase == Phase::Done {
            return;
        }
        match (was_lost, messages.is_lost()) {
            (false, true) => self.server_lost(),
            (true, true) => self.not_heard(),
            (_, false) => {}
        }
        self.server = messages;
    }

    /// Reads answers that are here as a whole, and nothing else, which is usual; the rest.
    fn hear_whole<'d>(&mut self, at: Time, data: &'d [u8]) -> &'d [u8] {
        self.heard |= !data.is_empty();
        let mut rest = data;
        while let Some(message) = whole(&mut rest, at) {
            if !is_kind(message.kind) {
                self.server.lose();
                self.server_lost();
                return &[];
            }
            self.answer(&message, rest.is_empty());
        }
        rest
    }

    fn read_server(&mut self, messages: &mut Messages, data: &[u8], at: Time) {
        let is_odd = data.first().is_none_or(|kind| !is_kind(*kind));
        if is_odd && self.confirmed.is_none() && !self.truncated {
            return self.reject();
        }
        if messages.is_lost() {
            if !are_messages(data, is_kind) {
                return self.read_end(messages, data);
            }
            messages.find();
        }
        let mut rest = data;
        while self.phase != Phase::Done {
            let Some(message) = messages.next(&mut rest, at, true, KEEP) else { return };
            if !is_kind(message.kind) {
                return messages.lose();
            }
            self.answer(&message, rest.is_empty());
        }
    }

    /// Notes that some of several answers may be in what was not seen.
    fn mismatch(&mut self) {
        self.unmatched |= self.pipelines && self.units.len() > 1;
    }

    /// The thread is lost, but what a segment ends with is known all the same.
    fn read_end(&mut self, messages: &mut Messages, data: &[u8]) {
        self.mismatch();
        if let [.., b'Z', 0, 0, 0, 5, status @ (b'I' | b'T' | b'E')] = data {
            messages.find();
            return self.ready(*status, true);
        }
        self.transaction.forget();
        // The first message of a segment, of which the rest is not there.
        let error = match data {
            [b'E', 0, 0 | 1, _, _, body @ ..] => Refusal::read(body, false),
            _ => None,
        };
        match error {
            Some(error) => self.refuse(error),
            None => self.error = None,
        }
    }

    /// Something that the server sent was not seen.
    fn server_lost(&mut self) {
        self.truncated = true;
        (self.session.ready, self.session.welcomes) = (true, false);
        self.session.backslash = None;
        self.transaction.forget();
        self.mismatch();
        self.lose_waits();
        self.not_heard();
    }

    /// A part of an answer was not seen, its end perhaps.
    fn not_heard(&mut self) {
        self.mismatch();
        if let Some(unit) = self.units.front() {
            unit.unheard = true;
        }
    }

    /// Requests that wait for their answers may have asked for messages, or for no more of them, with success or not.
    fn lose_waits(&mut self) {
        let is_listen = |(_, text): &(Time, SqlText)| text.begins_with(&["listen"]);
        self.waits.listened |= self.units.iter().any(|unit| unit.texts.iter().any(is_listen));
        self.copy = None;
        if self.unmatched || !self.units.is_empty() {
            self.waits.forget();
        }
    }

    /// Something was not seen that may have asked for messages, or for no more of them.
    pub(super) fn forget_waits(&mut self) {
        self.waits.forget();
        self.copy = None;
    }

    /// `last`: nothing follows it in its segment.
    fn answer(&mut self, message: &Message<'_>, last: bool) {
        match (message.kind, message.body) {
            (b'Z', [status @ (b'I' | b'T' | b'E')]) => self.ready(*status, last),
            (b'Z', _) => {
                self.units.pop();
                self.truncated = true;
                self.transaction.forget();
            }
            (b'C', tag) => self.complete(tag),
            (b'R', [0, 0, 0, 0]) => self.session.welcomes = true,
            (b'I' | b's', _) => self.done(|_| {}),
            (b'E', body) => match Refusal::read(body, message.is_whole()) {
                Some(error) => self.refuse(error),
                None => (self.error, self.truncated) = (None, true),
            },
            (b'N', body) => self.warn(Refusal::read(body, message.is_whole())),
            (b'S', body) => self.parameter(body),
            (b'A', [_, _, _, _, rest @ ..]) => self.notified(rest),
            // A Sync that the client sent before it copies is not answered.
            (b'W', _) => self.copy = Some(b'W'),
            (b'c', _) => self.copy = None,
            (b'G', _) => {
                self.copy = Some(b'G');
                let is_extended = self.last.command != Some("Query");
                if let Some(unit) = self.units.front().filter(|_| is_extended) {
                    unit.closed = false;
                }
            }
            _ => {}
        }
    }

    /// A server that is stopped at once, or of which another process crashed, takes its leave by a warning.
    fn warn(&mut self, warning: Option<Refusal>) {
        if let Some(unit) = self.units.front() {
            unit.warned = true;
        }
        if let Some(leave) = warning.filter(Refusal::shuts_down) {
            self.error = Some(Box::new(Refusal { unsolicited: true, ..leave }));
        }
    }

    fn notified(&mut self, rest: &[u8]) {
        if let Some((channel, _)) = Message::text(rest) {
            self.waits.notified(channel);
        }
    }

    fn parameter(&mut self, body: &[u8]) {
        self.confirmed = Some(true);
        let Some((key, rest)) = Message::text(body) else { return };
        let Some((value, _)) = Message::text(rest) else { return };
        match key {
            b"server_version" => {
                // `15.18 (Debian 15.18-0+deb12u1)`
                let version = value.split(|octet| *octet == b' ').next().unwrap_or(value);
                self.session.server = Some(name(version));
            }
            b"application_name" => {
                self.session.application = (!value.is_empty()).then(|| name(value));
            }
            b"standard_conforming_strings" => self.session.backslash = Some(value == b"off"),
            _ => {}
        }
    }

    fn done(&mut self, change: impl FnOnce(&mut Unit)) {
        if let Some(unit) = self.units.front() {
            unit.done = unit.done.saturating_add(1);
            change(unit);
        }
    }

    /// A statement was carried out; a server names its kind.
    fn complete(&mut self, tag: &[u8]) {
        self.copy = None;
        self.done(|unit| match tag {
            [b'B', b'E', b'G', b'I', b'N', ..] | [b'S', b'T', b'A', b'R', b'T', b' ', ..] => {
                unit.began = true;
            }
            [b'C', b'O', b'M', b'M', b'I', b'T', ..]
            | [b'P', b'R', b'E', b'P', b'A', b'R', b'E', b' ', ..] => {
                unit.ended = true;
            }
            // Of the transaction, or to a savepoint in it.
            [b'R', b'O', b'L', b'L', b'B', b'A', b'C', b'K', ..] => {
                let at = usize::from(unit.done) - 1;
                let keeps =
                    unit.texts.get(at).map(|(_, text)| text.effect()) == Some(Effect::Keeps);
                unit.ended |= !keeps;
            }
            _ => {}
        });
        self.waits.complete(tag, self.units.front().as_deref().and_then(Unit::done_last));
    }

    fn refuse(&mut self, error: Refusal) {
        let unsolicited = self.units.is_empty() && self.session.ready && !error.answers;
        // Without its code, it says something only where nothing had been asked, no login either.
        let is_clear = unsolicited && self.transaction.open.is_some();
        if error.sqlstate.is_none() && !is_clear {
            (self.error, self.truncated) = (None, true);
            return;
        }
        self.session.denied |= !self.session.ready && error.denies();
        if let Some(unit) = self.units.front() {
            unit.failed = true;
        }
        (self.confirmed, self.copy) = (Some(true), None);
        if let Some(open) = error.idle() {
            self.was_idle(open);
        }
        self.error = Some(Box::new(Refusal { unsolicited, ..error }));
    }

    /// The server waited for the client, in a transaction or in none, whatever was not seen.
    fn was_idle(&mut self, open: bool) {
        let is_seen = !self.unmatched && !self.doubtful && self.units.are_seen();
        if is_seen && self.transaction.open.is_some() {
            return;
        }
        let goes_on = self.transaction.open == Some(open)
            && !self.unmatched
            && !self.doubtful
            && self.units.keep_transactions();
        if !goes_on {
            self.transaction.status(open, None);
        }
        self.units.clear();
        (self.unmatched, self.doubtful) = (false, false);
    }

    /// Takes the unit that is answered. It may be the first of several that were not seen; at the end of a segment, what
    /// was not seen was answered up to here, in however many parts that showed.
    fn answered_unit(&mut self, last: bool) -> Option<Unit> {
        let is_unsure = |units: &mut Units| units.front().is_some_and(|unit| unit.unsure);
        if is_unsure(&mut self.units) && !last {
            return None;
        }
        let mut unit = self.units.pop();
        while unit.as_ref().is_some_and(|unit| unit.unsure) && is_unsure(&mut self.units) {
            unit = self.units.pop();
        }
        unit
    }

    /// Goes back to the statement that failed: what follows it in its unit was asked, and not carried out.
    fn pass_over(&mut self, unit: Option<&Unit>) {
        let is_last = self.units.is_empty() && self.last.command == Some("Execute");
        let failed = unit.and_then(|unit| unit.texts.get(unit.failed_early()?));
        if let Some((at, text)) = failed.filter(|_| is_last && !self.missed) {
            (self.last.at, self.last.text) = (*at, text.clone());
        }
    }

    fn ready(&mut self, status: u8, last: bool) {
        self.confirmed = Some(true);
        self.session.ready = true;
        if self.phase == Phase::Startup {
            self.phase = Phase::Messages;
        }
        // After its welcome it is ready for what is asked, and has answered nothing of it.
        let is_welcome = core::mem::take(&mut self.session.welcomes);
        let unit = if is_welcome { None } else { self.answered_unit(last) };
        self.doubtful = unit.as_ref().is_some_and(|unit| unit.merged);
        self.settled = unit.as_ref().is_none_or(|unit| unit.leaves(status != b'I'));
        let failed = unit.as_ref().is_some_and(|unit| unit.failed);
        self.copy = None;
        if status == b'I' {
            self.waits.settle(!failed);
        }
        if !failed {
            self.error = None;
        }
        self.pass_over(unit.as_ref());
        let was_open = self.transaction.open == Some(true);
        if let Some(path) = &mut self.path {
            path.step(was_open, status != b'I', unit.as_ref());
        }
        // Of an answer that was lost in part, this may be what follows, to what was asked behind it.
        let answered = unit.as_ref().filter(|unit| !unit.unheard || self.units.is_empty());
        self.transaction.status(status != b'I', answered);
        if let Some(unit) = unit {
            self.units.give_back(unit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::{Opening, Peer, Protocol};

    fn message(kind: &[u8], body: &[u8]) -> Vec<u8> {
        [kind, &(body.len() as u32 + 4).to_be_bytes(), body].concat()
    }

    #[test]
    fn whether_backslashes_escape_is_known_from_the_server_or_not_at_all() {
        let parameter = |value: &str| {
            let body = format!("standard_conforming_strings\0{value}\0");
            Piece::Data(message(b"S", body.as_bytes()).leak())
        };
        let startup = message(b"", b"\0\x03\0\0user\0app\0\0");
        let begin = || {
            let mut pg = Postgresql::begin(Opening { assumed: true, path: false });
            pg.take(Peer::Client, Time::UNKNOWN, Piece::Data(&startup));
            pg
        };
        let last = |mut pg: Postgresql| {
            let text = message(b"Q", b"select 'it\\'s', 'hunter2'\0");
            pg.take(Peer::Client, Time::UNKNOWN, Piece::Data(&text));
            pg.facts(false).last_statement
        };
        let from_server = |pieces: &[Piece<'_>]| {
            let mut pg = begin();
            pieces.iter().for_each(|piece| pg.take(Peer::Server, Time::UNKNOWN, *piece));
            last(pg)
        };
        let (known, hidden) = (Some("select ?, ?".into()), Some("select ?…".into()));
        assert_eq!(from_server(&[parameter("off")]), known);
        assert_eq!(from_server(&[]), hidden);
        assert_eq!(from_server(&[parameter("off"), Piece::Missing(9)]), hidden);
        let mut middle = Postgresql::begin(Opening { assumed: true, path: false });
        middle.take(Peer::Client, Time::UNKNOWN, Piece::Missing(0));
        assert_eq!(last(middle), hidden);
    }
}
