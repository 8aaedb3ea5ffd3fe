//! Answers of the server, and what it says unasked.

use super::asked::Asked;
use super::command::{Command, Effect};
use super::reader::{Element, are_values, is_kind};
use super::silence::Replies;
use super::{Reader, Redis};
use crate::attach::facts::name;
use crate::attach::sql::message::without_values;
use crate::place::Time;
use crate::tcp::stream::Piece;

/// Errors whose words are the server's own. Others may be a script's.
const CODES: &[&str] = &[
    "ASK",
    "BUSY",
    "BUSYGROUP",
    "BUSYKEY",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "DENIED",
    "ERR",
    "EXECABORT",
    "INPROG",
    "IOERR",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOGOODSLAVE",
    "NOGROUP",
    "NOMASTERLINK",
    "NOPERM",
    "NOPROTO",
    "NOREPLICAS",
    "NOSCRIPT",
    "NOTBUSY",
    "NOTREADY",
    "OOM",
    "READONLY",
    "SYNTAX",
    "TRYAGAIN",
    "UNBLOCKED",
    "UNKILLABLE",
    "WRONGPASS",
    "WRONGTYPE",
];

/// A value that is being read, as far as it matters.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    kind: u8,
    /// Elements of an aggregate.
    len: Option<i64>,
    /// The text before, of the first ones.
    before: Vec<u8>,
    about: About,
}

/// Things that an aggregate can be about, by its first text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum About {
    #[default]
    Anything,
    /// Channels, patterns or shards, by the command that subscribes to them.
    Subscription(&'static str),
    Message(&'static str),
    /// An answer to PING, as a list: a subscriber of RESP2 has it so, and nobody else.
    Pong,
}

/// An error, as far as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Box<str>,
    message: Box<str>,
    /// A program of the client's may have said it.
    is_scripts: bool,
    /// Nothing had been asked.
    pub unsolicited: bool,
}

impl Refusal {
    fn read(text: &[u8]) -> Refusal {
        let end = text.iter().position(|octet| *octet == b' ').unwrap_or(text.len());
        let (code, message) = text.split_at_checked(end).unwrap_or((text, &[]));
        let known = CODES.iter().find(|known| known.as_bytes() == code);
        Refusal {
            code: known.map_or_else(|| "?".into(), |known| (*known).into()),
            message: name(if known.is_some() { message.trim_ascii() } else { text }),
            is_scripts: known.is_none(),
            unsolicited: false,
        }
    }

    pub fn denies(&self) -> bool {
        ["NOAUTH", "WRONGPASS", "DENIED"].contains(&&*self.code)
    }

    /// Returns whether the server closes after it.
    pub fn ends(&self) -> bool {
        let is_said = |said: &&str| self.message.starts_with(said);
        &*self.code == "DENIED" || ["max number of clients", "Protocol error"].iter().any(is_said)
    }

    /// Returns its words. A script's can be anything.
    pub fn message(&self, literals: bool) -> Box<str> {
        match literals {
            true => self.message.clone(),
            false if self.is_scripts || self.message.contains("script") => "?".into(),
            false => without_values(&self.message).into(),
        }
    }

    pub fn heap_octets(&self) -> usize {
        size_of::<Refusal>() + self.code.len() + self.message.len()
    }
}

impl Redis {
    pub(super) fn take_server(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Missing(octets) => {
                self.heard = true;
                let mut reader = core::mem::take(&mut self.server);
                if let Some(element) = reader.miss(octets) {
                    self.hear(element);
                }
                if reader.is_lost() {
                    self.lose_server(octets > 0);
                }
                self.server = reader;
            }
            Piece::Data(data) => self.take_answers(data),
        }
    }

    fn take_answers(&mut self, data: &[u8]) {
        self.was_heard = core::mem::replace(&mut self.heard, true);
        let is_odd = data.first().is_none_or(|first| !is_kind(*first));
        if self.confirmed.is_none() && self.server.is_between() && is_odd {
            return self.reject();
        }
        if self.server.is_lost() && are_values(data) {
            self.server.find();
        }
        let rest = self.hear_whole(data);
        if !rest.is_empty() || self.server.is_lost() {
            let mut reader = core::mem::take(&mut self.server);
            self.read_server(&mut reader, rest);
            self.server = reader;
        }
    }

    /// Reads elements that are here as a whole, as nearly all are; the rest.
    fn hear_whole<'d>(&mut self, mut data: &'d [u8]) -> &'d [u8] {
        loop {
            if !matches!(self.waiting.front(), Some(Asked::Hello(_))) {
                self.server.skip_texts(&mut data);
            }
            let Some(element) = self.server.whole(&mut data, false) else { return data };
            self.hear(element);
        }
    }

    fn read_server(&mut self, reader: &mut Reader, mut data: &[u8]) {
        while let Some(element) = reader.next(&mut data, false) {
            self.hear(element);
        }
        if reader.is_lost() {
            self.lose_server(true);
        }
    }

    fn lose_server(&mut self, truncates: bool) {
        self.truncated |= truncates;
        self.answer = Answer::default();
        if self.last.is_none() {
            // Nor has anybody seen what the client asked for before.
            self.session.forget();
        }
        self.stop_waiting();
        (self.unmatched, self.open, self.error) = (true, None, None);
        self.subscribed = None;
    }

    fn hear(&mut self, element: Element<'_>) {
        if element.index == 0 {
            self.answer.kind = element.kind;
            let is_list = matches!(element.kind, b'*' | b'>');
            self.answer.len = if is_list { element.number() } else { None };
            self.answer.about = About::Anything;
            self.answer.before.clear();
        } else {
            self.hear_within(&element);
        }
        if element.is_last && element.kind != b'|' {
            self.answered_by(&element);
        }
    }

    fn hear_within(&mut self, element: &Element<'_>) {
        let answer = &mut self.answer;
        if element.depth == 1 && element.index == 1 && answer.len.is_some_and(|len| len >= 2) {
            answer.about = match element.text {
                b"pong" if answer.len == Some(2) => About::Pong,
                _ if answer.len == Some(2) => About::Anything,
                b"subscribe" => About::Subscription("SUBSCRIBE"),
                b"psubscribe" => About::Subscription("PSUBSCRIBE"),
                b"ssubscribe" => About::Subscription("SSUBSCRIBE"),
                b"unsubscribe" | b"punsubscribe" | b"sunsubscribe" => {
                    About::Subscription(self.subscribed_by)
                }
                b"message" => About::Message("SUBSCRIBE"),
                b"pmessage" => About::Message("PSUBSCRIBE"),
                b"smessage" => About::Message("SSUBSCRIBE"),
                _ => About::Anything,
            };
        }
        if let Some(Asked::Hello(_)) = self.waiting.front()
            && element.depth == 1
            && element.is_whole
        {
            self.session.hear(&answer.before, element.text);
            answer.before.clear();
            answer.before.extend_from_slice(element.text);
        }
    }

    /// A value has come to its end.
    fn answered_by(&mut self, last: &Element<'_>) {
        self.confirmed = Some(true);
        let Answer { kind, about, len, .. } = self.answer;
        let is_push = kind == b'>';
        let waits_for_channels = matches!(self.waiting.front(), Some(Asked::Channels(_)));
        let may_be_told = is_push
            || self.is_subscribed() == Some(true)
            || waits_for_channels
            || self.waiting.is_empty();
        match about {
            About::Subscription(by) if may_be_told && len == Some(3) && last.kind == b':' => {
                self.subscribed_by = by;
                self.subscribed = last.number().and_then(|channels| u64::try_from(channels).ok());
                return self.channel_answered();
            }
            // Of what was not seen to be asked for, there is one at least.
            About::Message(by) if may_be_told => {
                if self.subscribed.is_none() && (is_push || self.was_heard) {
                    (self.subscribed, self.subscribed_by) = (Some(1), by);
                }
                // It may be an answer that only looks like one.
                self.open = self.open.filter(|_| is_push || self.is_subscribed() == Some(true));
                return;
            }
            _ if is_push || self.is_told_of_others(kind, last) => return,
            About::Pong => self.pong(),
            _ => {}
        }
        self.reply(kind, last);
    }

    /// Takes what only a subscriber is told, if PING was asked: to one channel at least, whose command was not seen.
    fn pong(&mut self) {
        let is_ping = self.last.as_ref().is_some_and(|(_, last)| last.is(0, "PING"));
        if is_ping && self.unmatched && self.subscribed.is_none() {
            self.subscribed = Some(1);
        }
    }

    /// A line of MONITOR begins with its time; an answer does not. Such a line shows that MONITOR was asked for, if that
    /// is the last command of those that were seen.
    fn is_told_of_others(&mut self, kind: u8, last: &Element<'_>) -> bool {
        let is_line = kind == b'+' && last.text.first().is_some_and(u8::is_ascii_digit);
        let is_last = |(_, last): &(Time, Command)| last.effect() == Effect::Monitor;
        self.monitors |= is_line && self.unmatched && self.last.as_ref().is_some_and(is_last);
        self.monitors && is_line
    }

    fn channel_answered(&mut self) {
        match self.waiting.front_mut() {
            Some(Asked::Channels(rest)) if *rest > 1 => *rest -= 1,
            // Of all channels: as many answers as there were, the last one when none is left.
            Some(Asked::Channels(0)) if self.subscribed == Some(0) => {
                self.waiting.pop_front();
            }
            Some(Asked::Channels(0)) => {
                self.stop_waiting();
                self.unmatched = true;
            }
            Some(Asked::Channels(_)) => drop(self.waiting.pop_front()),
            _ => {}
        }
    }

    fn reply(&mut self, kind: u8, last: &Element<'_>) {
        let is_line = last.index == 0;
        let is_error = is_line && matches!(kind, b'-' | b'!');
        let text = if is_line { last.text } else { &[] };
        let asked = if self.unmatched { None } else { self.waiting.pop_front() };
        let was_asked = asked.is_some();
        if asked.is_none() && !is_error {
            // An answer more than was asked for.
            (self.unmatched, self.pipelines) = (true, self.pipelines || !self.unmatched);
        }
        self.error = is_error.then(|| {
            let error = Refusal::read(text);
            // Of whom nobody has heard a word, the words may not have been seen.
            let is_unasked = !was_asked && !self.unmatched && self.last.is_some();
            let is_scripts = error.is_scripts || self.may_be_of_script(asked.as_ref());
            let unsolicited = is_unasked || error.ends();
            Box::new(Refusal { unsolicited, is_scripts, ..error })
        });
        self.session.was_let_in |= !is_error;
        // What was lost may have been asked before that which this answers.
        if self.replies == Replies::Unheard && (self.last.is_some() || !self.truncated) {
            self.replies = Replies::On;
        }
        let is_queued = kind == b'+' && text == b"QUEUED";
        self.open = self.state_after(is_queued, is_error, text, asked.as_ref());
        self.agreed(asked.as_ref(), is_queued, is_error);
        self.done |= asked.is_none() && self.begins_stream(kind, text);
        if self.unmatched && text == b"RESET" {
            // It may answer that: then nothing is subscribed to.
            (self.subscribed, self.monitors) = (None, false);
        }
        if is_queued {
            self.log.is_queued(self.last.as_ref());
        } else if let Some(asked) = asked.filter(|_| !is_error) {
            self.session.grant(asked);
        }
    }

    /// Returns whether a program of the client's may have said what answers this. Of what was not seen to be asked,
    /// nobody knows.
    fn may_be_of_script(&self, asked: Option<&Asked>) -> bool {
        asked.map_or(self.unmatched, |asked| *asked == Asked::Script)
    }

    /// Returns whether it is the answer to PSYNC, by its words: no other command has such a one.
    fn begins_stream(&self, kind: u8, text: &[u8]) -> bool {
        let is_last = |(_, last): &(Time, Command)| last.effect() == Effect::Streams;
        let is_begun = kind == b'+'
            && [&b"FULLRESYNC "[..], b"CONTINUE"].iter().any(|word| text.starts_with(word));
        is_begun && self.last.as_ref().is_some_and(is_last)
    }

    /// Takes what an answer changes of all that the server tells of itself.
    fn agreed(&mut self, asked: Option<&Asked>, is_queued: bool, is_error: bool) {
        match asked {
            Some(asked) if is_queued && asked.changes_session() => self.will_change = true,
            Some(Asked::Channels(_)) if is_queued => {
                let last = self.last.as_ref().and_then(|(_, last)| last.waits_by());
                self.will_subscribe_by = last.or(self.will_subscribe_by);
            }
            Some(Asked::Exec) if !is_error => {
                if core::mem::take(&mut self.will_change) {
                    // Perhaps: it may have been refused.
                    self.session.forget();
                }
                if let Some(by) = self.will_subscribe_by.take() {
                    (self.subscribed, self.subscribed_by) = (Some(1), by);
                }
            }
            Some(Asked::Exec | Asked::Discard) => {
                (self.will_subscribe_by, self.will_change) = (None, false);
            }
            Some(Asked::Streams) if !is_error => self.done = true,
            Some(Asked::Monitor) if !is_error => self.monitors = true,
            Some(Asked::Reset) => {
                (self.subscribed, self.will_subscribe_by, self.monitors) = (Some(0), None, false);
                self.will_change = false;
            }
            _ => {}
        }
    }

    /// A transaction is open after an answer, or none is. Within one, all but a few commands are queued.
    fn state_after(
        &self,
        is_queued: bool,
        is_error: bool,
        text: &[u8],
        asked: Option<&Asked>,
    ) -> Option<bool> {
        match asked {
            _ if is_queued => Some(true),
            Some(Asked::Multi) if !is_error => Some(true),
            Some(Asked::Exec | Asked::Discard | Asked::Reset) => Some(false),
            _ if text.starts_with(b"EXECABORT") => Some(false),
            _ if is_error => self.open,
            // It may answer MULTI.
            None if text == b"OK" => None,
            _ => Some(false),
        }
    }
}
