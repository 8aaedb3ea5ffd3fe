//! Kafka, as its brokers and all that imitate them speak it.
//!
//! * `frames`: frames out of octets
//! * `request`: requests by their heads, and their `names`: all that is shown of them
//!
//! Never wrong, rather unknown. A broker answers in the order in which it was asked, and names what it
//! answers by a number: so an answer says that all before it was answered, too, and after a loss the
//! thread is taken up at the answer to a request that was seen.

mod frames;
mod names;
mod request;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use super::facts::name;
use super::{
    BeforeLogin, ErrorCode, Facts, GLANCE, Identity, Opening, PathStep, Peer, Probe, Protocol,
    ServerError, begins_tls,
};
use crate::place::Time;
use crate::tcp::stream::Piece;
use frames::{Frames, size};
use request::{API_VERSIONS, FETCH, Reader, Request, SASL_AUTHENTICATE, SASL_HANDSHAKE};

/// Requests that may wait for their answers.
const MAX_WAITING: usize = 128;

/// Answers that may wait for their requests.
const MAX_EARLY: usize = 16;

/// Octets on the heap.
pub const MAX_HEAP: usize = 16 * 1_024;

/// One connection.
#[derive(Clone, Debug, Default)]
pub struct Kafka {
    client: Frames,
    server: Frames,
    waiting: VecDeque<Waiting>,
    /// Answers that were captured before their requests.
    early: VecDeque<i32>,
    /// Requests may wait that were not seen.
    unmatched: bool,
    /// So often that began.
    doubts: u32,
    last: Option<(Time, &'static str)>,
    /// It wants no answer.
    is_silent: bool,
    program: Option<Box<str>>,
    software: Option<Box<str>>,
    user: Option<Box<str>>,
    login: Login,
    /// Ends that have said something.
    heard: [bool; 2],
    confirmed: Option<bool>,
    encrypted: bool,
    truncated: bool,
    done: bool,
}

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    correlation: i32,
    key: i16,
    version: i16,
    /// It was sent after so many doubts.
    after: u32,
    /// Its answer may not have been seen.
    unsure: bool,
}

/// A stage of the login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Login {
    /// Nobody asked for one, or it is done, or was not seen.
    #[default]
    None,
    /// The client says next who it is, in the clear.
    Plain,
    Other,
    Denied(i16),
}

impl Protocol for Kafka {
    const IDENTITY: Identity =
        Identity { key: "kafka", title: "Kafka", transactions: false, logs_in: false, tags: false };

    const FIRST: &[u8] = &[0];

    fn may_begin(first: [u8; GLANCE]) -> bool {
        matches!(first, [0, 0, _, _, 0, key, 0, 0..20] if request::name(key.into()).is_some())
    }

    fn probe(first: &[u8], from: Peer) -> Probe {
        if from == Peer::Client && is_first(first) { Probe::Sure } else { Probe::No }
    }

    fn begin(_: Opening) -> Kafka {
        Kafka::default()
    }

    fn take(&mut self, from: Peer, at: Time, piece: Piece<'_>) {
        match piece {
            _ if self.done => {}
            Piece::Data(data) => self.read(from, at, data),
            // Where its beginning comes, all the same.
            Piece::Missing(0) if !self.heard[from as usize] => self.frames(from).lose(),
            Piece::Missing(octets) => {
                self.truncated |= self.confirmed.is_none();
                let mut frames = core::mem::take(self.frames(from));
                if let Some(frame) = frames.miss(octets) {
                    self.frame(from, at, frame.body);
                }
                self.put_back(from, frames, false);
            }
        }
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn confirmed(&self) -> Option<bool> {
        self.confirmed
    }

    fn facts(&self, _: bool) -> Facts {
        let last: Option<Box<str>> = self.last.map(|(_, name)| name.into());
        Facts {
            confirmed: self.confirmed,
            user: self.user.clone(),
            application: self.program.clone(),
            driver: self.software.clone(),
            last_command: self.last.map(|_| "request"),
            last_statement_at: self.last.map(|(at, _)| at),
            answered: self.last.and_then(|_| self.answered()),
            no_answer: self.last.is_some() && self.is_silent,
            before_login: self.before_login(),
            waits_by: self.waits_by(),
            server_error: self.error(),
            remarks: self.remarks(),
            path: last.iter().cloned().map(PathStep::Said).collect(),
            last_statement: last,
            encrypted: self.encrypted,
            truncated: self.truncated,
            ..Facts::of(Kafka::IDENTITY)
        }
    }
}

impl Kafka {
    /// Octets on the heap.
    pub fn heap_octets(&self) -> usize {
        self.client.heap_octets()
            + self.server.heap_octets()
            + self.waiting.capacity() * size_of::<Waiting>()
            + self.early.capacity() * size_of::<i32>()
    }

    fn frames(&mut self, from: Peer) -> &mut Frames {
        match from {
            Peer::Client => &mut self.client,
            Peer::Server => &mut self.server,
        }
    }

    fn read(&mut self, from: Peer, at: Time, mut data: &[u8]) {
        let was_heard = core::mem::replace(&mut self.heard[from as usize], true);
        if from == Peer::Client && !was_heard && !self.begins(data) {
            return;
        }
        let mut frames = core::mem::take(self.frames(from));
        if frames.is_lost() && self.can_go_on(from, data) {
            frames.find();
        } else if frames.is_lost() && !was_heard {
            // It begins in the middle, and may be this all the same.
            self.truncated = true;
            self.lose(from);
        }
        let was_lost = frames.is_lost();
        while let Some(frame) = frames.next(&mut data, size) {
            self.frame(from, at, frame.body);
        }
        self.put_back(from, frames, was_lost);
    }

    /// Returns whether it can be this protocol, by the client's first octets.
    fn begins(&mut self, data: &[u8]) -> bool {
        if begins_tls(data) {
            (self.encrypted, self.done) = (true, true);
        } else if !self.client.is_lost()
            && data.first_chunk().is_some_and(|it| !Kafka::may_begin(*it))
        {
            (self.confirmed, self.done) = (Some(false), true);
        }
        !self.done
    }

    /// Returns whether octets begin with a frame, after some that were not seen.
    fn can_go_on(&self, from: Peer, data: &[u8]) -> bool {
        match (from, data) {
            (Peer::Client, _) => request::are_requests(data),
            (Peer::Server, [_, _, _, _, number @ ..]) => {
                let number = number.first_chunk().map(|number| i32::from_be_bytes(*number));
                self.waiting.iter().any(|waiting| Some(waiting.correlation) == number)
            }
            _ => false,
        }
    }

    fn put_back(&mut self, from: Peer, frames: Frames, was_lost: bool) {
        let is_lost = frames.is_lost();
        *self.frames(from) = frames;
        if is_lost && !was_lost && !self.done {
            self.lose(from);
        }
    }

    /// Something was not seen.
    fn lose(&mut self, from: Peer) {
        if from == Peer::Client && self.confirmed.is_none() && !self.truncated && !self.done {
            (self.confirmed, self.done) = (Some(false), true);
            return;
        }
        self.frames(from).lose();
        self.truncated = true;
        match from {
            Peer::Client => {
                (self.last, self.login) = (None, Login::None);
                self.doubt();
            }
            Peer::Server => self.waiting.iter_mut().for_each(|waiting| waiting.unsure = true),
        }
    }

    fn frame(&mut self, from: Peer, at: Time, body: &[u8]) {
        match from {
            Peer::Client => match Request::read(body) {
                Some(request) => self.asked(at, &request),
                None if body.len() >= 8 => self.odd(),
                None => self.not_seen(),
            },
            Peer::Server => self.answer(Reader(body)),
        }
    }

    /// It cannot be told what this asks.
    fn odd(&mut self) {
        if self.confirmed.is_none() && !self.truncated {
            (self.confirmed, self.done) = (Some(false), true);
            return;
        }
        self.not_seen();
    }

    fn not_seen(&mut self) {
        (self.last, self.truncated) = (None, true);
        self.doubt();
    }

    /// A request may wait that was not seen.
    fn doubt(&mut self) {
        (self.unmatched, self.doubts) = (true, self.doubts.wrapping_add(1));
    }

    fn asked(&mut self, at: Time, request: &Request<'_>) {
        self.confirmed = Some(true);
        self.last = Some((at, request.name()));
        if let Some(client) = request.client.filter(|client| !client.is_empty()) {
            self.program = Some(name(client));
        }
        if let Some((software, version)) = request.software() {
            let words = [software, b" ", version].concat();
            self.software = Some(name(&words));
        }
        self.log_in(request);
        let is_answered = request.is_answered();
        self.is_silent = is_answered == Some(false);
        match is_answered {
            Some(true) => self.wait(request),
            Some(false) => {}
            None => self.doubt(),
        }
    }

    fn wait(&mut self, request: &Request<'_>) {
        let &Request { correlation, key, version, .. } = request;
        if let Some(early) = self.early.iter().position(|early| *early == correlation) {
            self.early.drain(..=early);
            return;
        }
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_front();
            self.doubt();
        }
        // Clients count by one: what came before it was answered, and with that all before it.
        self.unmatched &= !self.early.contains(&correlation.wrapping_sub(1));
        let after = self.doubts;
        self.waiting.push_back(Waiting { correlation, key, version, after, unsure: false });
    }

    fn log_in(&mut self, request: &Request<'_>) {
        match request.key {
            SASL_HANDSHAKE => {
                let is_plain = request.mechanism() == Some(b"PLAIN");
                self.login = if is_plain { Login::Plain } else { Login::Other };
            }
            SASL_AUTHENTICATE if self.login == Login::Plain => {
                self.user = request.user().map(name);
            }
            _ => {}
        }
    }

    fn answer(&mut self, mut body: Reader<'_>) {
        let Some(number) = body.int() else {
            // It answers any of them.
            self.truncated = true;
            return self.waiting.iter_mut().for_each(|waiting| waiting.unsure = true);
        };
        let found = self.waiting.iter().position(|one| one.correlation == number);
        let Some((found, of)) = found.and_then(|at| Some((at, *self.waiting.get(at)?))) else {
            // It answers what was not seen, or not yet.
            self.truncated |= !self.unmatched;
            if let Some(of) = self.waiting.front().copied().filter(|of| is_next(of, number)) {
                // All that was asked before the first that waits.
                self.unmatched &= of.after != self.doubts || self.client.is_lost();
                return;
            }
            self.early.push_back(number);
            self.early.truncate(MAX_EARLY);
            return self.doubt();
        };
        self.waiting.drain(..=found);
        // All that came before it was answered, seen or not.
        self.unmatched &= of.after != self.doubts || self.client.is_lost();
        self.let_in(of, body);
    }

    fn let_in(&mut self, of: Waiting, mut body: Reader<'_>) {
        let has_tags = of.key == SASL_AUTHENTICATE && of.version >= 2;
        let code = if has_tags { body.tags().and_then(|()| body.short()) } else { body.short() };
        match (of.key, code) {
            // Whether anybody was let in was cut off.
            (SASL_HANDSHAKE | SASL_AUTHENTICATE, None) => {
                (self.login, self.truncated) = (Login::None, true);
            }
            (SASL_HANDSHAKE | SASL_AUTHENTICATE, Some(code)) if code != 0 => {
                self.login = Login::Denied(code);
            }
            (SASL_HANDSHAKE, _) if of.version == 0 => {
                // The login goes on outside of requests.
                self.lose(Peer::Client);
                self.lose(Peer::Server);
            }
            (SASL_AUTHENTICATE, _) => self.login = Login::None,
            _ => {}
        }
    }

    fn answered(&self) -> Option<bool> {
        let sure = self.waiting.iter().any(|waiting| !waiting.unsure);
        let is_between = self.client.is_between() && self.server.is_between();
        match () {
            () if sure => Some(false),
            () if self.unmatched || !self.waiting.is_empty() || !is_between => None,
            () => Some(true),
        }
    }

    /// All that is open asks for messages.
    fn waits_by(&self) -> Option<&'static str> {
        let is_open = self.answered() == Some(false) && !self.unmatched;
        let all = self.waiting.iter().all(|waiting| waiting.key == FETCH);
        (is_open && all).then_some("Fetch")
    }

    fn before_login(&self) -> Option<BeforeLogin> {
        let is_login =
            |one: &Waiting| matches!(one.key, SASL_HANDSHAKE | SASL_AUTHENTICATE) && !one.unsure;
        match self.login {
            Login::Denied(_) => Some(BeforeLogin::Denied),
            _ if self.waiting.back().is_some_and(is_login) => Some(BeforeLogin::Unanswered),
            _ => None,
        }
    }

    fn error(&self) -> Option<ServerError> {
        let Login::Denied(code) = self.login else { return None };
        let code = match code {
            33 => "UNSUPPORTED_SASL_MECHANISM".into(),
            34 => "ILLEGAL_SASL_STATE".into(),
            58 => "SASL_AUTHENTICATION_FAILED".into(),
            code => format!("{code}"),
        };
        let (code, message) = (ErrorCode::Name(code.into()), "login".into());
        Some(ServerError { code, sqlstate: None, message, unsolicited: false })
    }

    fn remarks(&self) -> Vec<Box<str>> {
        let open = self.waiting.iter().filter(|waiting| !waiting.unsure);
        let names: Vec<&str> = open.filter_map(|waiting| request::name(waiting.key)).collect();
        match &names[..] {
            [first, _, ..] => vec![format!("{} requests open, {first} first", names.len()).into()],
            _ => Vec::new(),
        }
    }
}

/// Returns whether a request is the one after this number: clients count by one.
fn is_next(of: &Waiting, number: i32) -> bool {
    of.correlation == number.wrapping_add(1)
}

/// Returns whether a segment is a client's first request: the versions that both may speak, mostly.
fn is_first(first: &[u8]) -> bool {
    let asks = |key: i16| matches!(key, API_VERSIONS | 3 | SASL_HANDSHAKE);
    let request = first.split_first_chunk::<4>().and_then(|(_, body)| Request::read(body));
    request.is_some_and(|request| asks(request.key)) && request::are_requests(first)
}
