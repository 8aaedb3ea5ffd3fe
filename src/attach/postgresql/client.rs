//! Messages of the client: requests.

use super::messages::{Message, are_messages, whole};
use super::unit::Unit;
use super::{Phase, Postgresql, Statement};
use crate::attach::facts::name;
use crate::attach::sql::text::{MAX_TEXT, SqlText};
use crate::attach::{Peer, Probe, Protocol, begins_tls};
use crate::place::Time;
use crate::tcp::stream::Piece;

/// A text, and the name before it.
const KEEP: usize = MAX_TEXT + 128;

/// No server takes a longer startup message.
const MAX_STARTUP: u64 = 10_000;

/// No statement is that short, behind one that is executed: the end of an Execute, a Flush and a Sync are.
const LONGEST_END: u64 = 20;

/// No more is sent of a statement without values behind its text: it is bound, described, executed, without a name.
const LONGEST_REST: u64 = 40;

const VERSION_3: [u8; 2] = [0, 3];
const CANCEL: [u8; 4] = [4, 210, 22, 46];
const TLS: [u8; 4] = [4, 210, 22, 47];
const GSS: [u8; 4] = [4, 210, 22, 48];

/// A startup message names a user first.
#[inline(never)]
pub fn probe_startup(first: &[u8]) -> Probe {
    let Some(([_, _, high, low, _, _, _, _], names)) = first.split_first_chunk::<8>() else {
        return Probe::No;
    };
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    match names {
        _ if first.len() > len || len as u64 > MAX_STARTUP => Probe::No,
        [b'a'..=b'z' | b'_', .., 0, 0] if first.len() == len => Probe::Sure,
        [b'a'..=b'z' | b'_', ..] if first.len() < len => Probe::Likely,
        _ => Probe::No,
    }
}

impl Postgresql {
    pub(super) fn take_client(&mut self, at: Time, piece: Piece<'_>) {
        let is_usual = self.phase == Phase::Messages && self.confirmed == Some(true);
        let piece = match piece {
            Piece::Data(data) if is_usual && self.client.is_between() => {
                match self.read_whole(at, data) {
                    [] => return,
                    rest => Piece::Data(rest),
                }
            }
            piece => piece,
        };
        let mut messages = core::mem::take(&mut self.client);
        let was_lost = messages.is_lost();
        match piece {
            // Whatever came before, it may begin here.
            Piece::Missing(0) if self.phase == Phase::Startup && !was_lost => {
                messages.lose();
                self.client = messages;
                return;
            }
            Piece::Missing(octets) => {
                let typed = self.phase == Phase::Messages;
                if let Some(message) = messages.miss(octets, typed) {
                    self.client_message(&message);
                }
            }
            Piece::Data(data)
                if begins_tls(data)
                    && (self.confirmed.is_none() || self.phase == Phase::AskedForTls) =>
            {
                return self.encrypt();
            }
            Piece::Data(data) => {
                if messages.is_lost() {
                    let begins = self.phase == Phase::Startup
                        && Postgresql::probe(data, Peer::Client) != Probe::No;
                    if begins || self.begins_message(data) {
                        self.take_up_unless(begins);
                        messages.find();
                    } else {
                        self.client_lost(at, u64::MAX);
                    }
                }
                let mut data = data;
                while self.phase != Phase::Done {
                    let typed = self.phase == Phase::Messages;
                    let Some(message) = messages.next(&mut data, at, typed, KEEP) else { break };
                    if !typed && message.len + 4 > MAX_STARTUP {
                        return self.reject();
                    }
                    if !self.client_message(&message) {
                        messages.lose();
                        break;
                    }
                }
            }
        }
        if self.phase == Phase::Done {
            return;
        }
        let is_missing = matches!(piece, Piece::Missing(_));
        if messages.is_lost() && (is_missing || !was_lost) {
            if self.phase != Phase::Messages && !is_missing {
                return self.reject();
            }
            self.client_lost(
                at,
                if let Piece::Missing(octets) = piece { octets } else { u64::MAX },
            );
        }
        self.client = messages;
    }

    /// Reads requests that are here as a whole, and nothing else, which is usual; the rest.
    fn read_whole<'d>(&mut self, at: Time, data: &'d [u8]) -> &'d [u8] {
        let mut rest = data;
        while let Some(message) = whole(&mut rest, at) {
            if !self.request(&message) {
                self.client.lose();
                self.client_lost(at, u64::MAX);
                return &[];
            }
        }
        rest
    }

    /// The middle of a conversation, if it is not the beginning.
    fn take_up_unless(&mut self, begins: bool) {
        if !begins && self.phase != Phase::Messages {
            self.take_up();
        }
    }

    /// A segment that is nothing but messages, or begins with a text that goes on.
    fn begins_message(&self, data: &[u8]) -> bool {
        let is_text = |octet: &u8| octet.is_ascii_alphabetic() || b" \t\r\n(/-;".contains(octet);
        let begins_text = match data {
            [b'Q', 0, 0 | 1, _, _, first, ..] => is_text(first),
            [b'P', 0, 0 | 1, _, _, 0, first, ..] => is_text(first),
            _ => false,
        };
        begins_text || are_messages(data, |kind| b"QPBEDCHSFXdcf".contains(&kind))
    }

    /// So many octets that the client sent, or more, were not seen: nobody knows what it asked for.
    pub(super) fn client_lost(&mut self, at: Time, octets: u64) {
        self.truncated = true;
        self.portals.clear();
        self.forget_waits();
        if self.phase != Phase::Messages {
            (self.session.began, self.session.asked) = (false, false);
            return self.take_up();
        }
        // What was parsed in between may have their names.
        self.prepared.clear();
        let goes_on = !self.heard && self.units.back().is_some_and(|unit| unit.unsure);
        // The rest of what is open already was not seen, or all of something else.
        let is_gap = octets != u64::MAX;
        let is_another = core::mem::replace(&mut self.gap, is_gap) && is_gap;
        // A segment that is cut off says something before its gap: two in a row are a segment more that was lost.
        let is_next = is_another || octets > self.longest_end();
        let is_open = |unit: &Unit| !unit.closed || unit.cut_off;
        let has_said = |unit: &Unit| is_open(unit) && unit.at <= self.last.at && !is_next;
        self.missed |= !self.units.back().is_some_and(|unit| has_said(unit));
        if !goes_on && let Some(unit) = self.units.open(at) {
            (unit.unsure, unit.closed, unit.cut_off) = (true, true, true);
        }
        if let Some(unit) = self.units.back() {
            unit.goes_on |= !unit.texts.is_empty();
        }
        self.heard = false;
    }

    /// Octets that may still belong to the last statement.
    fn longest_end(&self) -> u64 {
        let Statement { command, text, .. } = &self.last;
        let has_values = text.none || text.cut || text.octets.contains(&b'$');
        match command {
            Some("Execute") => LONGEST_END,
            Some("Parse") if !has_values => LONGEST_REST,
            _ => u64::MAX,
        }
    }

    /// `false`: this cannot be the client's next message.
    fn client_message(&mut self, message: &Message<'_>) -> bool {
        match self.phase {
            Phase::Startup | Phase::AskedForTls => self.startup(message),
            Phase::Messages => self.request(message),
            Phase::Done => true,
        }
    }

    fn startup(&mut self, message: &Message<'_>) -> bool {
        let Some((code, names)) = message.body.split_first_chunk::<4>() else {
            let is_cut = !message.is_whole();
            if is_cut {
                self.take_up()
            } else {
                self.reject()
            }
            return true;
        };
        match *code {
            TLS | GSS if message.len == 4 => {
                (self.phase, self.session.asked) = (Phase::AskedForTls, true);
            }
            // The key has 4 octets, and up to 256 since version 3.2.
            CANCEL if (12..=264).contains(&message.len) => {
                (self.cancels, self.confirmed) = (true, Some(true));
                self.say(message.at, "CancelRequest", SqlText::none());
                self.finish();
            }
            [a, b, 0, _] if [a, b] == VERSION_3 => self.log_in(names, message),
            _ => self.reject(),
        }
        true
    }

    fn log_in(&mut self, names: &[u8], message: &Message<'_>) {
        (self.phase, self.confirmed) = (Phase::Messages, Some(true));
        self.session.began = true;
        if !self.spoke {
            self.server.find();
        }
        let mut rest = names;
        while let Some((key, after)) = Message::text(rest).filter(|(key, _)| !key.is_empty()) {
            let Some((value, after)) = Message::text(after) else { break };
            match key {
                b"user" => self.session.user = Some(name(value)),
                b"database" => self.session.database = Some(name(value)),
                b"application_name" if !value.is_empty() => {
                    self.session.application = Some(name(value))
                }
                _ => {}
            }
            rest = after;
        }
        if !message.is_whole() && rest != [0] {
            self.truncated = true;
        } else if self.session.database.is_none() {
            self.session.database = self.session.user.clone();
        }
    }

    fn request(&mut self, message: &Message<'_>) -> bool {
        match message.kind {
            b'Q' => self.query(message),
            b'F' => {
                self.say(message.at, "FunctionCall", SqlText::none());
                self.ask(message.at, SqlText::none(), true);
            }
            b'P' => self.parse(message),
            b'B' => self.bind(message),
            b'E' => self.execute(message),
            b'D' => {
                self.before_unit(message.at);
                self.units.open(message.at);
            }
            b'C' => self.close(message),
            b'S' => self.sync(message.at),
            b'X' => {
                self.terminated = true;
                self.confirmed = Some(true);
            }
            // A password; what is copied; a Flush, which asks for nothing more.
            b'p' | b'H' | b'd' | b'c' | b'f' => {}
            _ => return false,
        }
        true
    }

    fn say(&mut self, at: Time, command: &'static str, text: SqlText) {
        self.last = Statement { at, command: Some(command), text };
        (self.missed, self.gap) = (false, false);
    }

    /// A statement of the last unit, which ends with it or not.
    fn ask(&mut self, at: Time, text: SqlText, closes: bool) {
        self.before_unit(at);
        if !self.units.say(at, text) {
            self.units.clear();
            self.unmatched = true;
            self.transaction.forget();
        }
        if closes && let Some(unit) = self.units.back() {
            unit.closed = true;
            self.heard = false;
        }
    }

    /// A unit begins while others wait: the client does not wait for answers, or they were not seen.
    fn before_unit(&mut self, at: Time) {
        if self.units.is_empty() {
            self.doubtful = false;
        }
        if self.units.is_empty() || self.units.back().is_some_and(|unit| !unit.closed) {
            return;
        }
        self.doubtful = false;
        if let (false, Some(unit)) = (self.heard, self.units.back().filter(|unit| unit.unsure)) {
            // What was not seen may have been the beginning of the same.
            (unit.closed, unit.cut_off, unit.merged) = (false, false, true);
        } else if !self.heard {
            self.pipelines = true;
            // The answer may be in what was lost, which was known before, but to what was asked in the same segment.
            let is_same = at != Time::UNKNOWN && self.units.iter().all(|unit| unit.at == at);
            self.unmatched |= self.server.is_lost() && !is_same;
        } else if self.server.is_lost() || !self.units.are_seen() {
            self.units.clear();
            self.unmatched |= self.pipelines;
        }
    }

    fn text_of(&mut self, octets: &[u8], message: &Message<'_>) -> SqlText {
        let ends = memchr::memchr(0, octets);
        let text = ends.and_then(|end| octets.get(..end)).unwrap_or(octets);
        let is_cut = ends.is_none();
        self.truncated |= is_cut && message.body.len() < KEEP;
        if is_cut && text.is_empty() {
            return SqlText::none();
        }
        SqlText::new(text, is_cut, self.dialect())
    }

    fn query(&mut self, message: &Message<'_>) {
        let text = self.text_of(message.body, message);
        if text.begins_with(&["deallocate", "discard"]) {
            self.prepared.clear();
        }
        self.say(message.at, "Query", text.clone());
        self.ask(message.at, text, true);
    }

    fn parse(&mut self, message: &Message<'_>) {
        self.before_unit(message.at);
        self.units.open(message.at);
        let text = match Message::text(message.body) {
            Some((name, rest)) => {
                let text = self.text_of(rest, message);
                self.prepared.put(name, text.clone());
                text
            }
            None => SqlText::none(),
        };
        self.say(message.at, "Parse", text);
    }

    fn bind(&mut self, message: &Message<'_>) {
        self.before_unit(message.at);
        self.units.open(message.at);
        let names = Message::text(message.body)
            .and_then(|(portal, rest)| Some((portal, Message::text(rest)?.0)));
        let bound = names.map(|(portal, statement)| (portal.into(), self.prepared.get(statement)));
        self.portals.bind(bound);
    }

    fn execute(&mut self, message: &Message<'_>) {
        let portal = Message::text(message.body).map(|(portal, _)| portal);
        let text = portal.map_or_else(SqlText::none, |portal| self.portals.get(portal));
        self.say(message.at, "Execute", text.clone());
        self.ask(message.at, text, false);
    }

    fn close(&mut self, message: &Message<'_>) {
        self.before_unit(message.at);
        self.units.open(message.at);
        if let [b'S', name @ ..] = message.body
            && let Some((name, _)) = Message::text(name)
        {
            self.prepared.remove(name);
        }
    }

    fn sync(&mut self, at: Time) {
        self.before_unit(at);
        match self.units.open(at) {
            Some(unit) => unit.closed = true,
            None => self.unmatched = true,
        }
        self.heard = false;
    }
}

#[cfg(test)]
mod tests {
    use crate::attach::Peer;
    use crate::attach::postgresql::tests::{Talk, message, query};
    use crate::tcp::stream::Piece;

    fn last(talk: &Talk) -> Option<Box<str>> {
        talk.facts().last_statement
    }

    /// However often something is lost, what was seen before it is not the last.
    #[test]
    fn the_last_statement_is_none_that_another_followed() {
        let lost = |talk: Talk| talk.piece(Peer::Client, Piece::Missing(30));
        let begun = Talk::logged_in().client(&query("begin"));
        let second = lost(begun).client(&query("select second from b"));
        assert_eq!(last(&second).as_deref(), Some("select second from b"));
        let third = lost(second);
        assert_eq!(last(&third), None);
        let fourth = third.client(&query("select fourth from d"));
        assert_eq!(last(&fourth).as_deref(), Some("select fourth from d"));
        assert_eq!(last(&lost(fourth)), None);
    }

    /// A segment is cut off, and the next one is lost.
    #[test]
    fn what_is_lost_behind_a_cut_is_no_part_of_it() {
        let parse = message("P", &[b"\0", &[b' '; 300][..], b"\0\0\0"].concat());
        let begun = [&message("P", b"\0begin\0\0\0")[..], &message("B", &[0; 8]), &parse[..200]];
        let cut =
            Talk::logged_in().client(&begun.concat()).piece(Peer::Client, Piece::Missing(140));
        assert_eq!(cut.facts().last_command, Some("Parse"));
        // Values go on in a segment that is cut off, too.
        let values = cut.client(&[b'x'; 200]);
        assert_eq!(values.facts().last_command, Some("Parse"));
        let values = values.piece(Peer::Client, Piece::Missing(900));
        assert_eq!(values.facts().last_command, Some("Parse"));
        assert_eq!(values.piece(Peer::Client, Piece::Missing(60)).facts().last_command, None);
    }
}
