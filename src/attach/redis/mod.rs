//! RESP, the protocol of Redis, Valkey and their like, in its second and third version.
//!
//! * `reader`: values out of octets
//! * `command`: commands by their `names`, all that is shown of them
//! * `asked`: commands of the client; `answer`: answers of the server, and what it says unasked
//! * `silence`: commands that are not to be answered
//! * `session`: who, and in which database
//! * `log`: commands in order
//!
//! Never wrong, rather unknown. The state of a transaction is the server's word: within one it answers
//! `+QUEUED`. After a loss, the thread is taken up where a whole segment is nothing but values.

mod answer;
mod asked;
mod command;
mod log;
mod names;
mod reader;
mod session;
mod silence;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use super::{
    BeforeLogin, Begun, ErrorCode, Facts, GLANCE, Identity, Opening, PathStep, Peer, Probe,
    Protocol, ServerError, begins_tls,
};
use crate::place::Time;
use crate::tcp::stream::Piece;
use answer::{Answer, Refusal};
use asked::Asked;
use command::Command;
use log::Log;
use reader::Reader;
use session::Session;
use silence::Replies;

/// Commands that may wait for their answers.
const MAX_WAITING: usize = 1_024;

/// Octets on the heap.
pub const MAX_HEAP: usize = 96 * 1_024;

/// One connection.
#[derive(Clone, Debug)]
pub struct Redis {
    client: Reader,
    server: Reader,
    /// The command that is being read.
    reading: Command,
    last: Option<(Time, Command)>,
    /// Commands that wait for their answers.
    waiting: VecDeque<Asked>,
    /// Commands and answers are not matched.
    unmatched: bool,
    /// The client sends more before it has its answers: after a loss, nobody can match them.
    pipelines: bool,
    /// Something came from the server after the last command.
    heard: bool,
    /// Something had come so before the segment that is being read.
    was_heard: bool,
    /// The commands that are to be answered, by the client's word.
    replies: Replies,
    /// The server is silent on the last one.
    is_silent: bool,
    /// The answer that is being read.
    answer: Answer,
    session: Session,
    /// Commands are queued, by the server's last answer.
    open: Option<bool>,
    log: Log,
    /// Channels and patterns, by the server's word.
    subscribed: Option<u64>,
    /// The command that it subscribed with.
    subscribed_by: &'static str,
    /// It will have subscribed with this when what is queued was done.
    will_subscribe_by: Option<&'static str>,
    /// The session changes when what is queued is done.
    will_change: bool,
    /// It is told what others ask.
    monitors: bool,
    error: Option<Box<Refusal>>,
    confirmed: Option<bool>,
    goodbye: bool,
    encrypted: bool,
    truncated: bool,
    done: bool,
    path: bool,
}

impl Protocol for Redis {
    const IDENTITY: Identity =
        Identity { key: "redis", title: "Redis", transactions: true, logs_in: false, tags: false };

    const FIRST: &[u8] = b"*";

    fn may_begin(first: [u8; GLANCE]) -> bool {
        matches!(first, [b'*', b'1'..=b'9', ..])
    }

    fn probe(first: &[u8], from: Peer) -> Probe {
        match (from, first) {
            (Peer::Client, [b'*', b'1'..=b'9', ..]) => asked::probe(first),
            _ => Probe::No,
        }
    }

    fn begin(opening: Opening) -> Redis {
        Redis {
            client: Reader::default(),
            server: Reader::default(),
            reading: Command::default(),
            last: None,
            waiting: VecDeque::new(),
            unmatched: false,
            pipelines: false,
            heard: false,
            was_heard: false,
            replies: Replies::default(),
            is_silent: false,
            answer: Answer::default(),
            session: Session::begin(),
            open: Some(false),
            log: Log::default(),
            subscribed: Some(0),
            subscribed_by: "SUBSCRIBE",
            will_subscribe_by: None,
            will_change: false,
            monitors: false,
            error: None,
            confirmed: None,
            goodbye: false,
            encrypted: false,
            truncated: false,
            done: false,
            path: opening.path,
        }
    }

    fn take(&mut self, from: Peer, at: Time, piece: Piece<'_>) {
        match (from, piece) {
            _ if self.done => {}
            (Peer::Client, Piece::Data(data)) if self.confirmed.is_none() && begins_tls(data) => {
                (self.encrypted, self.done) = (true, true);
            }
            (Peer::Client, piece) => self.take_client(at, piece),
            (Peer::Server, piece) => self.take_server(piece),
        }
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn confirmed(&self) -> Option<bool> {
        self.confirmed
    }

    fn facts(&self, literals: bool) -> Facts {
        let shown = |command: &Command| match literals {
            true => command.literal(),
            false => command.name(),
        };
        let in_transaction = self.in_transaction();
        let is_open = in_transaction == Some(true);
        let Session { version, user, database, name, library, .. } = &self.session;
        let log = if is_open { self.log.transaction(literals) } else { Default::default() };
        let (statements_at, statements) = log;
        Facts {
            confirmed: self.confirmed,
            server: version.clone(),
            user: user.clone(),
            // Of whom nobody has heard a word, the beginning may not have been seen.
            database: database.clone().filter(|_| self.last.is_some()),
            application: name.clone(),
            driver: library.clone(),
            last_command: self.last.as_ref().map(|_| "command"),
            last_statement: self.last.as_ref().map(|(_, command)| shown(command).into()),
            last_statement_at: self.last.as_ref().map(|(at, _)| *at),
            answered: self.last.as_ref().and_then(|_| self.answered()),
            no_answer: self.is_silent,
            half_asked: self.has_half_a_request(),
            in_transaction,
            never_begun: in_transaction.is_some() && self.confirmed != Some(true),
            transaction_since: self.log.since.filter(|_| is_open),
            begun: self.log.since.filter(|_| is_open).map(|_| Begun::By("MULTI")),
            statements,
            statements_at,
            more_statements: if is_open { self.log.more } else { 0 },
            path: self.path(literals),
            goodbye: self.goodbye.then_some("QUIT"),
            before_login: self.before_login(),
            waits_by: self.waits_by(),
            server_error: self.error.as_deref().map(|error| error.show(literals)),
            encrypted: self.encrypted,
            truncated: self.truncated || self.may_be_silent() || self.is_untold(),
            ..Facts::of(Redis::IDENTITY)
        }
    }
}

impl Redis {
    /// Octets on the heap.
    pub fn heap_octets(&self) -> usize {
        self.client.heap_octets()
            + self.server.heap_octets()
            + self.reading.heap_octets()
            + self.last.as_ref().map_or(0, |(_, command)| command.heap_octets())
            + self.waiting.iter().map(Asked::heap_octets).sum::<usize>()
            + self.waiting.capacity() * size_of::<Asked>()
            + self.log.heap_octets()
            + self.error.as_ref().map_or(0, |error| error.heap_octets())
    }

    /// It is another protocol.
    fn reject(&mut self) {
        (self.confirmed, self.done) = (Some(false), true);
    }

    fn answered(&self) -> Option<bool> {
        match () {
            () if self.done || !self.is_to_be_answered() => None,
            () if self.is_silent && self.unmatched => None,
            () if !self.unmatched => Some(self.waiting.is_empty() && self.server.is_between()),
            () if !self.heard && !self.client.is_lost() => Some(false),
            () => None,
        }
    }

    /// The client wants answers, by its word or by what it asked last.
    fn is_to_be_answered(&self) -> bool {
        match self.replies {
            Replies::Unheard => self.last.as_ref().is_some_and(|(_, last)| last.wants_answer()),
            replies => replies.are_known(),
        }
    }

    /// Tells whether the server may have been asked for silence, so that nobody knows what it owes.
    fn may_be_silent(&self) -> bool {
        !self.heard && self.last.is_some() && !self.is_to_be_answered()
    }

    /// Tells whether the last command may have its answer or not: what was asked before, and not seen, may have had what
    /// came.
    fn is_untold(&self) -> bool {
        let is_open = !self.done && !self.is_silent && self.last.is_some();
        is_open && self.answered().is_none()
    }

    /// Returns whether the client has begun to ask for something, and nothing was missed.
    fn has_half_a_request(&self) -> bool {
        let is_sure = self.confirmed == Some(true) && !self.truncated && !self.done;
        is_sure && self.client.is_within()
    }

    fn in_transaction(&self) -> Option<bool> {
        let is_kept = self.waiting.iter().all(|asked| !asked.ends_or_begins());
        // Before either has said anything, it may be any protocol.
        let is_read = self.confirmed == Some(true) || self.last.is_some();
        // What has only begun may answer EXEC.
        let is_half = self.unmatched && !self.server.is_between();
        let is_known = is_read && !is_half && !self.client.is_lost() && !self.done;
        self.open.filter(|_| is_kept && is_known)
    }

    fn is_subscribed(&self) -> Option<bool> {
        self.subscribed.map(|channels| channels > 0)
    }

    fn waits_by(&self) -> Option<&'static str> {
        if self.is_subscribed() == Some(true) {
            return Some(self.subscribed_by);
        }
        if self.monitors {
            return Some("MONITOR");
        }
        let (_, last) = self.last.as_ref()?;
        // Within a transaction, it will ask for them.
        let is_queued = self.log.is_open() || self.in_transaction() == Some(true);
        let is_open = self.answered() == Some(false) && !is_queued;
        match last.effect() {
            command::Effect::Subscribe | command::Effect::Blocks if is_open => last.waits_by(),
            // The server says so, which was not seen.
            command::Effect::Subscribe if self.subscribed.is_none() && self.error.is_none() => {
                last.waits_by().filter(|_| !is_queued)
            }
            command::Effect::Streams if is_open || self.done => last.waits_by(),
            _ => None,
        }
    }

    fn before_login(&self) -> Option<BeforeLogin> {
        let is_denied = self.error.as_ref().is_some_and(|error| error.denies());
        let asks = self.waiting.back().is_some_and(Asked::logs_in);
        match () {
            () if is_denied => Some(BeforeLogin::Denied),
            () if asks && !self.session.was_let_in => Some(BeforeLogin::Unanswered),
            () => None,
        }
    }

    fn path(&self, literals: bool) -> Vec<PathStep> {
        if !self.path {
            return Vec::new();
        }
        let mut steps = self.log.path(literals);
        if self.truncated && steps.is_empty() {
            steps.push(PathStep::NotCaptured);
        }
        steps
    }
}

impl Refusal {
    fn show(&self, literals: bool) -> ServerError {
        ServerError {
            code: ErrorCode::Name(self.code.clone()),
            sqlstate: None,
            message: self.message(literals),
            unsolicited: self.unsolicited,
        }
    }
}
