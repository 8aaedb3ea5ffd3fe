//! Commands of the client.

use super::command::{Command, Effect};
use super::names::{self, LONGEST};
use super::reader::Element;
use super::silence::Replies;
use super::{MAX_WAITING, Redis};
use crate::attach::Probe;
use crate::attach::facts::name;
use crate::place::Time;
use crate::tcp::stream::Piece;

/// A command that waits for its answer, as far as the answer can change anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Any,
    Multi,
    Exec,
    Discard,
    Reset,
    Select(Option<Box<str>>),
    Auth(Option<Box<str>>),
    Hello(Box<Hello>),
    Name(Option<Box<str>>),
    Library(Option<Box<str>>),
    /// Each of so many channels is answered.
    Channels(u32),
    /// From its answer on the server tells what others ask.
    Monitor,
    /// From its answer on the server tells everything.
    Streams,
    /// A program of the client's answers it.
    Script,
}

/// A greeting: the user, and the client's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    pub user: Option<Box<str>>,
    pub client: Option<Box<str>>,
}

impl Asked {
    pub fn ends_or_begins(&self) -> bool {
        matches!(self, Asked::Multi | Asked::Exec | Asked::Discard | Asked::Reset)
    }

    pub fn changes_session(&self) -> bool {
        !matches!(
            self,
            Asked::Any
                | Asked::Multi
                | Asked::Exec
                | Asked::Discard
                | Asked::Channels(_)
                | Asked::Monitor
                | Asked::Streams
                | Asked::Script
        )
    }

    pub fn logs_in(&self) -> bool {
        matches!(self, Asked::Auth(_) | Asked::Hello(_))
    }

    pub fn heap_octets(&self) -> usize {
        let of = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        match self {
            Asked::Select(text) | Asked::Auth(text) | Asked::Name(text) | Asked::Library(text) => {
                of(text)
            }
            Asked::Hello(hello) => of(&hello.user) + of(&hello.client) + size_of::<Hello>(),
            _ => 0,
        }
    }

    fn new(command: &Command, effect: Effect) -> Asked {
        let text = |at| command.whole_argument(at).map(name);
        match effect {
            Effect::Multi => Asked::Multi,
            Effect::Exec => Asked::Exec,
            Effect::Discard => Asked::Discard,
            Effect::Reset => Asked::Reset,
            Effect::Select => {
                let is_number = |text: &str| {
                    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())
                };
                Asked::Select(text(1).filter(|text| is_number(text)))
            }
            Effect::Auth if command.arguments() > 2 => Asked::Auth(text(1)),
            Effect::Auth => Asked::Auth(Some("default".into())),
            Effect::Hello => {
                let user = command.after("AUTH", 1).map(name);
                let client = command.after("SETNAME", 1).map(name);
                Asked::Hello(Box::new(Hello { user, client }))
            }
            Effect::SetName => Asked::Name(text(2)),
            Effect::SetInfo if command.after("LIB-NAME", 0).is_some() => Asked::Library(text(3)),
            Effect::Subscribe | Effect::Unsubscribe => Asked::Channels(command.arguments() - 1),
            Effect::Monitor => Asked::Monitor,
            Effect::Streams => Asked::Streams,
            _ if command.runs_script() => Asked::Script,
            _ => Asked::Any,
        }
    }
}

/// Returns whether a segment begins with a command: an array of texts, the first of them a name.
#[inline(never)]
pub fn probe(first: &[u8]) -> Probe {
    let digits = |octets: &[u8]| octets.iter().take_while(|octet| octet.is_ascii_digit()).count();
    let line = |octets: &[u8]| {
        let end = 1 + digits(octets.get(1..).unwrap_or_default());
        (2..=6).contains(&end).then_some(end)
    };
    let Some(end) = line(first).filter(|_| first.starts_with(b"*")) else { return Probe::No };
    let rest = first.get(end..).unwrap_or_default();
    let Some(rest) = rest.strip_prefix(b"\r\n") else {
        return if b"\r\n".starts_with(rest) { Probe::Likely } else { Probe::No };
    };
    match rest {
        [] => return Probe::Likely,
        [b'$', ..] => {}
        _ => return Probe::No,
    }
    let Some(end) = line(rest) else {
        return if rest.len() == 1 { Probe::Likely } else { Probe::No };
    };
    let len = rest.get(1..end).and_then(|len| str::from_utf8(len).ok()?.parse().ok());
    let Some(len) = len.filter(|len| *len <= LONGEST) else { return Probe::No };
    match rest.get(end..).unwrap_or_default() {
        [b'\r', b'\n', name @ ..] => match name.get(..len) {
            None if name.iter().all(u8::is_ascii_alphabetic) => Probe::Likely,
            // A server says so as well.
            Some(name) if name.ends_with(b"subscribe") => Probe::No,
            Some(name) if names::is_known(name) => Probe::Sure,
            _ => Probe::No,
        },
        rest if b"\r\n".starts_with(rest) => Probe::Likely,
        _ => Probe::No,
    }
}

impl Redis {
    pub(super) fn take_client(&mut self, at: Time, piece: Piece<'_>) {
        let piece = match piece {
            Piece::Data(data) => match self.read_whole(at, data) {
                [] => return,
                rest => Piece::Data(rest),
            },
            piece => piece,
        };
        let mut reader = core::mem::take(&mut self.client);
        match piece {
            Piece::Missing(octets) => {
                if let Some(element) = reader.miss(octets)
                    && !self.argument(at, element)
                {
                    reader.lose();
                }
                if reader.is_lost() {
                    self.lose_client(octets > 0);
                }
            }
            Piece::Data(mut data) => {
                if reader.is_lost() && probe(data) != Probe::No {
                    self.take_up_client();
                    reader.find();
                }
                let was_lost = reader.is_lost();
                while let Some(element) = reader.next(&mut data, true) {
                    if !self.argument(at, element) {
                        reader.lose();
                    }
                    if self.done {
                        return;
                    }
                }
                if reader.is_lost() {
                    if self.confirmed.is_none() && !was_lost {
                        return self.reject();
                    }
                    self.lose_client(true);
                }
            }
        }
        self.client = reader;
    }

    /// Reads what is here as a whole, which is usual; the rest.
    fn read_whole<'d>(&mut self, at: Time, mut data: &'d [u8]) -> &'d [u8] {
        while let Some(element) = self.client.whole(&mut data, true) {
            if !self.argument(at, element) {
                self.client.lose();
                match self.confirmed {
                    None => self.reject(),
                    Some(_) => self.lose_client(true),
                }
                return &[];
            }
            if self.done {
                return &[];
            }
        }
        data
    }

    /// Forgets what hangs on the client's commands: some were not seen.
    fn lose_client(&mut self, truncates: bool) {
        self.truncated |= truncates;
        self.reading.clear();
        self.waiting.clear();
        (self.unmatched, self.last, self.open) = (true, None, None);
        self.monitors = false;
        if self.replies.are_known() {
            self.replies = Replies::Unheard;
        }
        self.log.forget();
        self.session.forget();
    }

    /// Nobody knows what the server will say to what waits.
    pub(super) fn stop_waiting(&mut self) {
        if self.waiting.iter().any(Asked::changes_session) {
            self.session.forget();
        }
        self.waiting.clear();
    }

    /// A command that comes when all others have their answers is the only one that waits.
    fn take_up_client(&mut self) {
        self.reading.clear();
        self.waiting.clear();
    }

    /// `false`: no client sends this.
    fn argument(&mut self, at: Time, element: Element<'_>) -> bool {
        let is_known = match element.kind {
            0 => {
                self.reading.push_line(element.text, element.is_whole);
                true
            }
            b'*' => element.depth == 0,
            b'$' => {
                self.reading.push(element.text, element.is_whole);
                element.depth == 1
            }
            _ => false,
        };
        let is_odd = element.kind == 0 && self.confirmed.is_none() && !self.reading.has_name();
        if is_known && !is_odd && element.is_last {
            if !self.reading.is_empty() {
                self.ask(at);
            }
            self.reading.clear();
        }
        is_known && !is_odd
    }

    fn ask(&mut self, at: Time) {
        let effect = self.reading.effect();
        if effect == Effect::Unknown {
            return self.lose_client(true);
        }
        let asked = Asked::new(&self.reading, effect);
        if self.last.is_some() && (!self.waiting.is_empty() || !self.heard) {
            self.pipelines = true;
        }
        let is_heard = !self.server.is_lost() && self.replies != Replies::Unheard;
        if self.unmatched && !self.pipelines && is_heard {
            // Whoever waits for each answer has had all of them.
            (self.unmatched, self.waiting) = (false, Default::default());
        }
        let is_silent = self.replies.silences(match effect {
            Effect::Replies(replies) => Some(replies),
            Effect::Reset => Some(Replies::On),
            _ => None,
        });
        self.is_silent = is_silent;
        let is_queued = self.open != Some(false) || self.waiting.iter().any(Asked::ends_or_begins);
        let is_unclear = match effect {
            // It says nothing of itself before EXEC does.
            Effect::Replies(replies) => is_queued || replies == Replies::Unknown,
            _ => self.waiting.len() >= MAX_WAITING,
        };
        if is_unclear {
            (self.unmatched, self.pipelines) = (true, true);
            self.stop_waiting();
        }
        if is_queued && matches!(effect, Effect::Replies(_)) {
            self.replies = Replies::Unknown;
        }
        match () {
            () if is_silent => self.unanswered(&asked),
            () if !self.unmatched => self.waiting.push_back(asked),
            () => self.untold(&asked),
        }
        self.heard = false;
        self.remember(at, effect);
    }

    /// Takes a command whose answer will not be told from others.
    fn untold(&mut self, asked: &Asked) {
        if asked.changes_session() {
            self.session.forget();
        }
        if asked.ends_or_begins() {
            self.open = None;
        }
    }

    /// Takes a command on which the server is silent: nobody knows what it does with it.
    fn unanswered(&mut self, asked: &Asked) {
        match asked {
            Asked::Multi => self.open = None,
            Asked::Exec | Asked::Discard => self.open = Some(false),
            Asked::Monitor | Asked::Streams => self.lose_client(true),
            asked if asked.changes_session() => self.session.forget(),
            _ => {}
        }
    }

    fn remember(&mut self, at: Time, effect: Effect) {
        if effect == Effect::Multi {
            self.log.multi(at);
        }
        self.log.push(at, &self.reading, self.path);
        if matches!(effect, Effect::Exec | Effect::Discard | Effect::Reset) {
            self.log.ended();
        }
        self.goodbye |= effect == Effect::Quit;
        let last = self.last.get_or_insert_default();
        core::mem::swap(&mut last.1, &mut self.reading);
        last.0 = at;
    }
}
