//! AMQP 0-9-1, as RabbitMQ speaks it.
//!
//! * `frames`: frames out of octets
//! * `method`: methods by their numbers; `channels`: transactions, consumers and deliveries by channel
//! * `client`: methods of the client; `server`: methods of the server
//!
//! Never wrong, rather unknown. Contents are skipped, and of methods nothing is shown but their names.
//! After a loss, the thread is taken up where a whole segment is nothing but frames; what channels were
//! in is not known from then on.

mod channels;
mod client;
mod frames;
mod method;
mod server;
#[cfg(test)]
mod tests;

use super::{
    BeforeLogin, Begun, Facts, GLANCE, Heartbeat, Identity, Opening, Peer, Probe, Protocol,
    ServerError,
};
use crate::place::Time;
use crate::tcp::stream::Piece;
use channels::Channels;
use frames::Frames;

/// Octets on the heap.
pub const MAX_HEAP: usize = 64 * 1_024;

/// The first octets of a client.
const HEADER: &[u8] = b"AMQP\0\0\x09\x01";

/// One connection.
#[derive(Clone, Debug)]
pub struct Amqp {
    client: Frames,
    server: Frames,
    session: Session,
    channels: Channels,
    last: Option<(Time, &'static str)>,
    /// It asks for an answer.
    asks: bool,
    /// Methods that wait for their answers, by channel.
    waiting: Vec<(u16, &'static str)>,
    /// Nobody knows whether an answer is owed: it may not have been seen.
    unsure: bool,
    error: Option<Box<ServerError>>,
    /// Something was not seen: nobody knows what mode channels are in.
    lost: bool,
    /// Messages were delivered after that.
    delivers: bool,
    blocked: bool,
    goodbye: bool,
    confirmed: Option<bool>,
    encrypted: bool,
    truncated: bool,
    done: bool,
    path: bool,
}

#[derive(Clone, Debug, Default)]
struct Session {
    server: Option<Box<str>>,
    user: Option<Box<str>>,
    host: Option<Box<str>>,
    program: Option<Box<str>>,
    /// The library that it speaks by.
    product: Option<Box<str>>,
    heartbeat: Option<u16>,
    /// The client said something last.
    spoke: Option<Time>,
    /// So many of the client's first octets have come in pieces.
    header: usize,
    /// The client's first octets were seen.
    asked: bool,
    stage: Stage,
}

/// A stage of the login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Header,
    Greeted,
    Answered,
    Denied,
    Open,
    /// It was not seen.
    Unknown,
}

impl Session {
    /// The client has said nothing, or no more than a part of its first octets.
    fn is_beginning(&self) -> bool {
        self.spoke.is_none() || self.header > 0
    }
}

impl Protocol for Amqp {
    const IDENTITY: Identity =
        Identity { key: "amqp", title: "AMQP", transactions: true, logs_in: true, tags: false };

    const FIRST: &[u8] = b"A";

    fn may_begin(first: [u8; GLANCE]) -> bool {
        first == *b"AMQP\0\0\x09\x01"
    }

    fn probe(first: &[u8], from: Peer) -> Probe {
        if from == Peer::Client && first == HEADER { Probe::Sure } else { Probe::No }
    }

    fn begin(opening: Opening) -> Amqp {
        Amqp {
            client: Frames::default(),
            server: Frames::default(),
            session: Session::default(),
            channels: Channels::default(),
            last: None,
            asks: false,
            waiting: Vec::new(),
            unsure: false,
            error: None,
            lost: false,
            delivers: false,
            blocked: false,
            goodbye: false,
            confirmed: None,
            encrypted: false,
            truncated: false,
            done: false,
            path: opening.path,
        }
    }

    fn take(&mut self, from: Peer, at: Time, piece: Piece<'_>) {
        match from {
            _ if self.done => {}
            Peer::Client => self.take_client(at, piece),
            Peer::Server => self.take_server(at, piece),
        }
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn confirmed(&self) -> Option<bool> {
        self.confirmed
    }

    fn facts(&self, _: bool) -> Facts {
        let Session { server, user, host, program, product, .. } = &self.session;
        let in_transaction = self.in_transaction();
        let open = self.channels.uncommitted().filter(|_| in_transaction == Some(true));
        let logged = || self.channels.log.iter().map(|name| Box::from(*name)).collect();
        Facts {
            confirmed: self.confirmed,
            server: server.clone(),
            user: user.clone(),
            database: host.clone(),
            application: program.clone(),
            driver: product.clone(),
            last_command: self.last.map(|(_, name)| name),
            last_statement: self.last.map(|(_, name)| name.into()),
            last_statement_at: self.last.map(|(at, _)| at),
            answered: self.last.and_then(|_| self.answered()),
            no_answer: self.last.is_some() && !self.asks,
            in_transaction,
            never_begun: self.is_before_login(),
            transaction_since: open.and_then(|open| open.since),
            begun: open.map(|open| Begun::By(open.by)),
            statements: if open.is_some() { logged() } else { Vec::new() },
            more_statements: if open.is_some() { self.channels.more } else { 0 },
            path: if self.path { self.channels.path() } else { Vec::new() },
            goodbye: self.goodbye.then_some("connection.close"),
            before_login: self.before_login(),
            waits_by: self.consumes().then_some("basic.consume"),
            heartbeat: self.heartbeat(),
            server_error: self.error.as_deref().cloned(),
            remarks: self.remarks(),
            encrypted: self.encrypted,
            truncated: self.truncated,
            ..Facts::of(Amqp::IDENTITY)
        }
    }
}

impl Amqp {
    /// Octets on the heap.
    pub fn heap_octets(&self) -> usize {
        self.client.heap_octets()
            + self.server.heap_octets()
            + self.channels.heap_octets()
            + self.waiting.capacity() * size_of::<(u16, &str)>()
            + self.error.as_ref().map_or(0, |error| error.message.len())
    }

    /// It is another protocol.
    fn reject(&mut self) {
        (self.confirmed, self.done) = (Some(false), true);
    }

    fn answered(&self) -> Option<bool> {
        if self.unsure { None } else { Some(self.waiting.is_empty()) }
    }

    fn in_transaction(&self) -> Option<bool> {
        let is_kept = !self.waiting.iter().any(|(_, name)| name.starts_with("tx."));
        if self.is_before_login() {
            return Some(false);
        }
        let is_known = !self.lost && self.session.stage == Stage::Open && is_kept;
        is_known.then(|| self.channels.uncommitted().is_some())
    }

    fn consumes(&self) -> bool {
        if self.lost { self.delivers } else { self.channels.consumers() > 0 }
    }

    fn heartbeat(&self) -> Option<Heartbeat> {
        let (seconds, last) = (self.session.heartbeat?, self.session.spoke?);
        Some(Heartbeat { seconds, last })
    }

    /// Nobody has logged in, and nothing was missed.
    fn is_before_login(&self) -> bool {
        self.session.asked && !self.lost && self.before_login().is_some()
    }

    fn before_login(&self) -> Option<BeforeLogin> {
        match self.session.stage {
            Stage::Greeted => Some(BeforeLogin::GreetingUnread),
            Stage::Answered => Some(BeforeLogin::Unanswered),
            Stage::Denied => Some(BeforeLogin::Denied),
            Stage::Header if self.session.asked && !self.lost => Some(BeforeLogin::Unanswered),
            Stage::Header | Stage::Open | Stage::Unknown => None,
        }
    }

    fn remarks(&self) -> Vec<Box<str>> {
        let mut remarks = Vec::new();
        let some = |number: usize, one: &str, what: &str| match number {
            0 => None,
            1 => Some(format!("1 {one} {what}")),
            number => Some(format!("{number} {one}s {what}")),
        };
        if !self.lost && self.channels.is_known() {
            remarks.extend(some(self.channels.len(), "channel", "open"));
            remarks.extend(some(self.channels.unacknowledged(), "delivery", "unacknowledged"));
        }
        if self.blocked {
            remarks
                .push("the server had said that it takes no messages (connection.blocked)".into());
        }
        remarks.into_iter().map(|remark| remark.replace("deliverys", "deliveries").into()).collect()
    }

    /// Something was not seen.
    fn lose(&mut self, truncates: bool) {
        self.truncated |= truncates;
        (self.lost, self.unsure, self.delivers) = (true, true, false);
        self.waiting.clear();
        self.channels = Channels::default();
        if self.session.stage != Stage::Open {
            self.session.stage = Stage::Unknown;
        }
    }
}
