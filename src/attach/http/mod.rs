//! HTTP/1.0, HTTP/1.1 and, without TLS, HTTP/2, for an observer.
//!
//! * `heads`: heads out of octets, and how long what follows them is; [`httparse`] reads what is in them
//! * `asked`: a request, and what is shown of it
//! * `path`: a request's path without its values
//! * `two`: HTTP/2, once its preface has come or an upgrade to it
//!
//! Never wrong, rather unknown. Bodies are skipped by their length or in their chunks; where neither
//! can be told, or something was not seen, the thread is taken up at a segment that begins with a head.
//! What comes after another upgrade, or in a tunnel, is another protocol.

mod asked;
mod heads;
mod path;
#[cfg(test)]
mod tests;
mod two;

use std::collections::VecDeque;

use super::kept::Kept;
use super::{Facts, GLANCE, Identity, Opening, PathStep, Peer, Probe, Protocol, begins_tls};
use crate::place::Time;
use crate::tcp::stream::Piece;
use asked::Asked;
use heads::{Body, Heads, Request, Response, Step};
use two::Two;

/// Requests that may wait for their answers.
const MAX_WAITING: usize = 32;

/// Octets on the heap.
pub const MAX_HEAP: usize = 128 * 1_024;

/// Ways in which a request says that it is the last.
const ASKED: &str = "the client asked for it with its request";
const OLD_REQUEST: &str = "the client's request is HTTP/1.0 without keep-alive";

/// One connection.
#[derive(Clone, Debug)]
pub struct Http {
    client: Heads,
    server: Heads,
    /// Methods of the requests that wait for their answers.
    waiting: VecDeque<Method>,
    /// Requests and answers are not matched.
    unmatched: bool,
    /// The client sends more before it has its answers: after a loss, nobody can match them.
    pipelines: bool,
    /// The capture begins in the middle of what the client asked.
    is_middle: bool,
    /// The last thing that was seen is an answer.
    has_answered: bool,
    /// The last request asks to go on in HTTP/2.
    asks_for_two: bool,
    last: Option<Asked>,
    host: Kept,
    agent: Kept,
    product: Kept,
    /// The last answer is to a request that was not seen: if that was a HEAD, no body comes.
    may_be_bare: bool,
    /// The status of the last answer.
    status: Option<u16>,
    /// It goes on in HTTP/2.
    two: Option<Box<Two>>,
    announced: Option<&'static str>,
    /// The last request asks the server to close after its answer, in one of these ways.
    asked_to_close: Option<&'static str>,
    /// Ends that have said something.
    heard: [bool; 2],
    /// The client asks for nothing more.
    has_closed: bool,
    /// The client's first words are no request, and nothing was said to them yet.
    is_odd: bool,
    confirmed: Option<bool>,
    encrypted: bool,
    truncated: bool,
    /// It goes on in another protocol, which is not read.
    gone_over: bool,
    done: bool,
}

/// The turn that a head takes.
enum Turn {
    None,
    /// It goes on in HTTP/2.
    Two,
}

/// A method, as far as the length of an answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Head,
    Connect,
    Other,
}

impl Protocol for Http {
    const IDENTITY: Identity =
        Identity { key: "http", title: "HTTP", transactions: false, logs_in: false, tags: false };

    const FIRST: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    fn may_begin(first: [u8; GLANCE]) -> bool {
        matches!(first, [b'A'..=b'Z', b'A'..=b'Z', b'A'..=b'Z', ..])
    }

    fn probe(first: &[u8], from: Peer) -> Probe {
        match (from, first) {
            (Peer::Server, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1', b' ', ..]) => {
                Probe::Sure
            }
            (Peer::Client, [b'A'..=b'Z', b'A'..=b'Z', b'A'..=b'Z', ..]) => heads::probe(first),
            _ => Probe::No,
        }
    }

    fn begin(_: Opening) -> Http {
        Http {
            client: Heads::default(),
            server: Heads::default(),
            waiting: VecDeque::new(),
            unmatched: false,
            pipelines: false,
            is_middle: false,
            has_answered: false,
            asks_for_two: false,
            last: None,
            host: Kept::default(),
            agent: Kept::default(),
            product: Kept::default(),
            may_be_bare: false,
            status: None,
            two: None,
            announced: None,
            asked_to_close: None,
            heard: [false; 2],
            has_closed: false,
            is_odd: false,
            confirmed: None,
            encrypted: false,
            truncated: false,
            gone_over: false,
            done: false,
        }
    }

    fn take(&mut self, from: Peer, at: Time, piece: Piece<'_>) {
        if self.done || self.encrypted && !self.is_answered_in_plain(from, piece) {
            return;
        }
        if self.is_declined(from, piece) {
            (self.two, self.unmatched) = (None, true);
            self.client.lose();
        }
        if let Some(two) = &mut self.two {
            return two.take(from, at, piece);
        }
        match piece {
            _ if self.is_odd && !self.is_answered(from, piece) => {}
            Piece::Missing(octets) => self.miss(from, octets),
            Piece::Data(data) => self.read(from, at, data),
        }
    }

    fn end(&mut self, from: Peer) {
        self.has_closed |= from == Peer::Client;
        self.heads(from).end();
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn confirmed(&self) -> Option<bool> {
        if self.two.is_some() { Some(true) } else { self.confirmed }
    }

    fn facts(&self, literals: bool) -> Facts {
        if let Some(two) = &self.two {
            return two.facts(literals, Facts::of(Http::IDENTITY));
        }
        let last = self.last.as_ref().map(|asked| asked.show(literals));
        Facts {
            confirmed: if self.is_odd { Some(false) } else { self.confirmed },
            server: self.product.name(),
            database: self.host.get().and_then(path::host),
            application: self.agent.name(),
            last_command: self.last.as_ref().map(|_| "request"),
            last_statement_at: self.last.as_ref().map(|asked| asked.at),
            answered: self.answered(),
            half_asked: self.has_half_a_request(),
            // An answer that broke off was not the last of it.
            announced: self.announced.filter(|_| !self.server.is_in_body()),
            path: last.iter().cloned().map(PathStep::Said).collect(),
            last_statement: last,
            remarks: self.status.iter().map(|status| of_status(&status.to_string())).collect(),
            encrypted: self.encrypted,
            gone_over: self.gone_over,
            truncated: self.truncated,
            ..Facts::of(Http::IDENTITY)
        }
    }
}

impl Http {
    /// Octets on the heap.
    pub fn heap_octets(&self) -> usize {
        let two = self.two.as_ref().map_or(0, |two| two.heap_octets());
        let names: usize =
            [&self.host, &self.agent, &self.product].map(Kept::heap_octets).iter().sum();
        self.client.heap_octets()
            + self.server.heap_octets()
            + self.last.as_ref().map_or(0, Asked::octets)
            + self.waiting.capacity()
            + names
            + two
    }

    fn answered(&self) -> Option<bool> {
        self.last.as_ref()?;
        if self.gone_over {
            return (!self.unmatched).then_some(true);
        }
        if self.done || self.client.is_lost() || !self.are_answers_known() {
            return None;
        }
        // It ends with the connection, and who closed that first may not have been seen.
        if self.waiting.is_empty() && self.server.goes_to_the_end() && !self.has_closed {
            return None;
        }
        Some(self.waiting.is_empty() && self.server.is_between())
    }

    fn has_half_a_request(&self) -> bool {
        !self.gone_over && self.client.has_half_a_request() && self.are_answers_known()
    }

    /// A server of which nothing has come since it was taken up has not answered; of one that was lost, nobody knows.
    fn are_answers_known(&self) -> bool {
        let is_lost = self.server.is_lost() && self.heard[Peer::Server as usize];
        !self.unmatched && !is_lost
    }

    fn heads(&mut self, from: Peer) -> &mut Heads {
        match from {
            Peer::Client => &mut self.client,
            Peer::Server => &mut self.server,
        }
    }

    fn miss(&mut self, from: Peer, octets: u64) {
        let is_beginning = octets == 0 && !self.heard[from as usize];
        if from == Peer::Client {
            self.is_middle |= is_beginning;
            self.has_answered = false;
        }
        if self.heads(from).miss(octets) || is_beginning {
            return;
        }
        self.truncated = true;
        match from {
            // What it asked for is not known, and not what the answer to it is.
            Peer::Client => {
                (self.last, self.unmatched) = (None, true);
                self.host.set(None);
                self.waiting.clear();
            }
            Peer::Server => (self.unmatched, self.status) = (true, None),
        }
        self.announced = None;
    }

    fn read(&mut self, from: Peer, at: Time, data: &[u8]) {
        let was_heard = core::mem::replace(&mut self.heard[from as usize], true);
        let is_first = self.confirmed.is_none() && !was_heard;
        if is_first && from == Peer::Client && begins_tls(data) {
            self.encrypted = true;
            return;
        }
        if self.confirmed.is_none() && self.is_two(from, was_heard, data) {
            return self.go_on(from, at, data);
        }
        if self.heads(from).is_lost() {
            if Http::probe(data, from) != Probe::Sure {
                return match self.is_upgraded_unseen(from, data) {
                    true => self.go_on(from, at, data),
                    false => self.unread(from),
                };
            }
            self.heads(from).find();
            if from == Peer::Client && was_heard {
                self.begin_anew();
            }
        }
        if from == Peer::Server && self.may_be_bare && self.server.has_body() && is_one(data) {
            // The next answer, after one without a body.
            self.server.find();
        }
        let mut rest = data;
        while !self.done {
            let head = match self.heads(from).next(&mut rest) {
                Step::Head(head) => head,
                Step::More => return,
                Step::Odd => return self.odd(from),
            };
            let goes_on = match from {
                Peer::Client => self.take_request(at, &head),
                Peer::Server => self.take_response(&head),
            };
            match goes_on {
                Some(Turn::None) => {}
                Some(Turn::Two) => return self.go_on(from, at, rest),
                None => return self.odd(from),
            }
        }
    }

    /// A server that speaks no TLS answers its first words in plain, and closes.
    fn is_answered_in_plain(&mut self, from: Peer, piece: Piece<'_>) -> bool {
        match (from, piece) {
            (Peer::Client, _) | (_, Piece::Missing(0)) => return false,
            (Peer::Server, Piece::Data(data)) => self.encrypted = !is_one(data),
            (Peer::Server, Piece::Missing(_)) => {}
        }
        self.done = self.encrypted;
        !self.encrypted
    }

    /// A server answers in HTTP what is no request; with anything else, it is another protocol.
    fn is_answered(&mut self, from: Peer, piece: Piece<'_>) -> bool {
        let data = match (from, piece) {
            (Peer::Server, Piece::Data(data)) => data,
            (Peer::Client, _) | (_, Piece::Missing(0)) => return false,
            (Peer::Server, Piece::Missing(_)) => &[],
        };
        self.is_odd = false;
        let is_http = is_one(data);
        (self.confirmed, self.done) = (Some(is_http), !is_http);
        is_http
    }

    /// A server that does not speak HTTP/2 answers its preface in HTTP/1.
    fn is_declined(&self, from: Peer, piece: Piece<'_>) -> bool {
        let is_new = self.two.as_ref().is_some_and(|two| !two.has_heard_server());
        is_new && from == Peer::Server && matches!(piece, Piece::Data(data) if is_one(data))
    }

    /// `None`: it is no request.
    fn take_request(&mut self, at: Time, head: &[u8]) -> Option<Turn> {
        if head == heads::PREFACE {
            self.two = Some(Box::new(Two::begin(heads::PREFACE.len())));
            return Some(Turn::Two);
        }
        let request = self.client.request(head)?;
        self.request(at, &request);
        Some(Turn::None)
    }

    /// `None`: it is no answer.
    fn take_response(&mut self, head: &[u8]) -> Option<Turn> {
        // An answer's length depends on what it answers.
        let known = self.waiting.front().copied().filter(|_| !self.unmatched);
        self.may_be_bare = known.is_none();
        let method = self.waiting.front().copied().unwrap_or(Method::Other);
        let response = self.server.response(head, method == Method::Head)?;
        if response.upgrades {
            self.two = Some(Box::new(self.upgraded()));
            return Some(Turn::Two);
        }
        self.response(&response, method);
        Some(Turn::None)
    }

    /// A server may say its settings first, and a capture begin anywhere.
    fn is_two(&mut self, from: Peer, was_heard: bool, data: &[u8]) -> bool {
        let two = match () {
            () if from == Peer::Server && !was_heard && two::is_beginning(data) => {
                if self.truncated { Two::answering_what_was_lost() } else { Two::begin(0) }
            }
            () if self.heads(from).is_lost() && two::are_frames(data) => Two::in_the_middle(),
            () => return false,
        };
        self.two = Some(Box::new(two));
        true
    }

    /// The answer that it goes on in HTTP/2 was lost, as frames show that come after it.
    fn is_upgraded_unseen(&mut self, from: Peer, data: &[u8]) -> bool {
        if from == Peer::Client || !self.asks_for_two || !two::are_frames(data) {
            return false;
        }
        self.two = Some(Box::new(self.upgraded()));
        if let Some(two) = &mut self.two {
            two.lose(Peer::Server);
        }
        true
    }

    /// The request that was seen last is the first of HTTP/2.
    fn upgraded(&mut self) -> Two {
        let by = [core::mem::take(&mut self.host), core::mem::take(&mut self.agent)];
        let upgraded = self.last.take().map(|asked| Two::upgraded(asked, by));
        upgraded.unwrap_or_else(Two::in_the_middle)
    }

    /// Goes on in HTTP/2 with these octets.
    fn go_on(&mut self, from: Peer, at: Time, rest: &[u8]) {
        if let Some(two) = self.two.as_mut().filter(|_| !rest.is_empty()) {
            two.take(from, at, Piece::Data(rest));
        }
    }

    /// Something that cannot be told apart.
    fn unread(&mut self, from: Peer) {
        if from == Peer::Client {
            (self.last, self.has_answered) = (None, false);
        }
        (self.unmatched, self.truncated, self.announced) = (true, true, None);
        self.status = None;
    }

    /// Begins anew: of all requests, the one that comes now is the only one that waits.
    fn begin_anew(&mut self) {
        self.waiting.clear();
        self.unmatched = self.server.is_lost() || self.pipelines;
        self.server.lose();
    }

    fn odd(&mut self, from: Peer) {
        if self.confirmed.is_none() && !self.truncated {
            let is_heard = self.heard[Peer::Server as usize];
            (self.is_odd, self.unmatched) = (from == Peer::Client && !is_heard, true);
            if !self.is_odd {
                (self.confirmed, self.done) = (Some(false), true);
            }
            return self.client.lose();
        }
        self.heads(from).lose();
        self.unread(from);
    }

    fn request(&mut self, at: Time, request: &Request<'_>) {
        self.confirmed = Some(true);
        let method = match request.method {
            b"HEAD" => Method::Head,
            b"CONNECT" => Method::Connect,
            _ => Method::Other,
        };
        self.pipelines |= !self.waiting.is_empty();
        // Answers may be to what was asked before the capture.
        self.unmatched |= self.pipelines && self.is_middle;
        self.has_answered = false;
        if self.waiting.len() >= MAX_WAITING {
            self.unmatched = true;
        } else {
            self.waiting.push_back(method);
        }
        let last = self.last.get_or_insert_default();
        last.set(at, request.method, request.target, false);
        self.host.set(request.host);
        self.agent.set(request.agent);
        self.asks_for_two = request.upgrades;
        self.announced = None;
        self.asked_to_close = match () {
            () if request.closes => Some(ASKED),
            () if request.is_old => Some(OLD_REQUEST),
            () => None,
        };
    }

    fn response(&mut self, response: &Response<'_>, method: Method) {
        self.confirmed = Some(true);
        if response.status < 200 && response.status != 101 {
            return;
        }
        let is_surplus = self.waiting.pop_front().is_none();
        self.unmatched |= is_surplus && self.last.is_some();
        // One after another, and nothing was asked between them.
        self.pipelines |= core::mem::replace(&mut self.has_answered, true) && is_surplus;
        self.status = Some(response.status);
        if response.product.is_some() {
            self.product.set(response.product);
        }
        let tunnels = method == Method::Connect && response.status / 100 == 2;
        if response.status == 101 || tunnels {
            (self.done, self.gone_over, self.announced) = (true, true, None);
            // What was asked behind it may be in the other protocol.
            self.last = self.last.take().filter(|_| self.waiting.is_empty());
            return;
        }
        self.announced = match () {
            () if response.closes => Some("the server's answer says Connection: close"),
            () if response.is_old => Some("the server's answer is HTTP/1.0 without keep-alive"),
            () if response.body == Body::ToTheEnd && !self.may_be_bare => {
                Some("the server's answer ends with the connection")
            }
            () if response.stays && self.asked_to_close == Some(OLD_REQUEST) => None,
            () if self.waiting.is_empty() => self.asked_to_close,
            () => None,
        };
    }
}

/// Begins an answer in HTTP/1.0 or HTTP/1.1.
fn is_one(data: &[u8]) -> bool {
    data.starts_with(b"HTTP/1.")
}

/// Says what an answer began with.
fn of_status(status: &str) -> Box<str> {
    format!("the last answer had the status {status}").into()
}
