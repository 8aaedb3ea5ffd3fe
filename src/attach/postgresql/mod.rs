//! PostgreSQL's frontend/backend protocol, version 3, for an observer; poolers such as PgBouncer speak
//! it as well.
//!
//! * `messages`: messages out of octets
//! * `client`: what was asked; `server`: what was answered; `error`: what was refused
//! * `unit`: what was asked at once, and waits for its answer; `prepared`: texts by their names
//! * `transaction`: what the server says of its transaction; `waits`: messages that come unasked
//! * `facts`: what is known in the end
//!
//! Never wrong, rather unknown. After a loss, the thread is taken up where a whole segment is nothing
//! but messages, or where a server's segment ends with `ReadyForQuery`: six octets that are found
//! without any thread, and that say where the transaction stands.
//!
//! Memory of a connection is bounded: [`MAX_HEAP`].

mod client;
mod error;
mod facts;
mod messages;
mod prepared;
mod server;
#[cfg(test)]
mod tests;
mod transaction;
mod unit;
mod waits;

use super::{BeforeLogin, Facts, GLANCE, Identity, Opening, Peer, Probe, Protocol};
use crate::attach::sql::Dialect;
use crate::attach::sql::text::SqlText;
use crate::place::Time;
use crate::tcp::stream::Piece;
use error::Refusal;
use messages::Messages;
use prepared::{Portals, Prepared};
use transaction::{Log, Transaction};
use unit::Units;
use waits::Waits;

/// Octets on the heap, strings and all.
pub const MAX_HEAP: usize = 96 * 1_024;

/// The stage that a connection has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The client says who it is, or asks for TLS first.
    Startup,
    /// It asked for TLS: an octet answers.
    AskedForTls,
    Messages,
    Done,
}

/// Something that a client sent.
#[derive(Clone, Debug, Default)]
struct Statement {
    at: Time,
    command: Option<&'static str>,
    text: SqlText,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Postgresql {
    client: Messages,
    server: Messages,
    phase: Phase,
    assumed: bool,
    session: Session,
    units: Units,
    prepared: Prepared,
    portals: Portals,
    last: Statement,
    /// Something was asked after it that was not seen.
    missed: bool,
    /// The last that came after it is a gap.
    gap: bool,
    transaction: Transaction,
    waits: Waits,
    /// The copy that goes on, by the server's letter for it: one that the client sends, or one in both directions.
    copy: Option<u8>,
    /// The last transaction with what ended it; only if the path is wanted.
    path: Option<Box<Log>>,
    error: Option<Box<Refusal>>,
    confirmed: Option<bool>,
    /// The client sends more before it has its answers: after a loss, nobody can match them.
    pipelines: bool,
    /// The server has said something.
    spoke: bool,
    /// The server has said something since the last unit was closed.
    heard: bool,
    /// Units and answers are not matched any more.
    unmatched: bool,
    /// The last answer may have been to another unit.
    doubtful: bool,
    /// The transaction stands as that answer says, whichever unit it was to.
    settled: bool,
    terminated: bool,
    cancels: bool,
    encrypted: bool,
    truncated: bool,
}

#[derive(Clone, Debug, Default)]
struct Session {
    user: Option<Box<str>>,
    database: Option<Box<str>>,
    application: Option<Box<str>>,
    server: Option<Box<str>>,
    /// A backslash escapes in strings, if the server said so.
    backslash: Option<bool>,
    /// The client's startup message was seen.
    began: bool,
    /// It asked whether TLS is spoken.
    asked: bool,
    /// The server was ready once, or what would tell was not seen.
    ready: bool,
    /// It let the client in, and was not ready since.
    welcomes: bool,
    denied: bool,
}

impl Protocol for Postgresql {
    const IDENTITY: Identity = Identity {
        key: "postgresql",
        title: "PostgreSQL",
        transactions: true,
        logs_in: true,
        tags: true,
    };

    const FIRST: &[u8] = &[];

    #[inline(always)]
    fn may_begin(first: [u8; GLANCE]) -> bool {
        matches!(first, [0, 0, _, _, 0, 3, ..] | [0, 0, 0 | 1, _, 4, 210, ..] | [b'E', 0, ..])
    }

    fn probe(first: &[u8], from: Peer) -> Probe {
        match (from, first) {
            (Peer::Client, [0, 0, _, _, 0, 3, 0, 0 | 2, ..]) => client::probe_startup(first),
            (Peer::Client, [0, 0, high @ (0 | 1), low, 4, 210, 22, 46..=48, ..]) => {
                let len = usize::from(u16::from_be_bytes([*high, *low]));
                if first.len() == len { Probe::Sure } else { Probe::No }
            }
            (Peer::Server, [b'E', 0, 0, _, _, b'S', b'F', b'A', b'T', b'A', b'L', 0, ..]) => {
                Probe::Sure
            }
            _ => Probe::No,
        }
    }

    fn begin(opening: Opening) -> Postgresql {
        Postgresql {
            client: Messages::default(),
            server: Messages::default(),
            phase: Phase::Startup,
            assumed: opening.assumed,
            session: Session::default(),
            units: Units::default(),
            prepared: Prepared::default(),
            portals: Portals::default(),
            last: Statement::default(),
            missed: false,
            gap: false,
            transaction: Transaction::default(),
            waits: Waits::default(),
            copy: None,
            path: opening.path.then(Box::default),
            error: None,
            confirmed: None,
            pipelines: false,
            spoke: false,
            heard: false,
            unmatched: false,
            doubtful: false,
            settled: false,
            terminated: false,
            cancels: false,
            encrypted: false,
            truncated: false,
        }
    }

    fn take(&mut self, from: Peer, at: Time, piece: Piece<'_>) {
        match (from, self.phase) {
            (_, Phase::Done) => {}
            (Peer::Client, _) => self.take_client(at, piece),
            (Peer::Server, _) => self.take_server(at, piece),
        }
    }

    fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    fn confirmed(&self) -> Option<bool> {
        self.confirmed
    }

    fn facts(&self, literals: bool) -> Facts {
        self.show(literals)
    }
}

impl Postgresql {
    /// Octets on the heap.
    pub fn heap_octets(&self) -> usize {
        self.client.heap_octets()
            + self.server.heap_octets()
            + self.units.heap_octets()
            + self.prepared.heap_octets()
            + self.portals.heap_octets()
            + self.last.text.octets.len()
            + self.transaction.log.heap_octets()
            + self.waits.heap_octets()
            + self.path.as_ref().map_or(0, |path| size_of::<Log>() + path.heap_octets())
            + self.error.as_ref().map_or(0, |error| error.heap_octets())
    }

    /// Nothing more can be learnt.
    fn finish(&mut self) {
        self.phase = Phase::Done;
        (self.client, self.server) = (Messages::default(), Messages::default());
        self.prepared.clear();
        self.portals.clear();
    }

    /// It is another protocol.
    fn reject(&mut self) {
        self.confirmed = Some(false);
        self.finish();
    }

    fn encrypt(&mut self) {
        self.encrypted = true;
        self.finish();
    }

    /// The capture begins in the middle, or missed the beginning.
    fn take_up(&mut self) {
        self.truncated = true;
        self.session.ready = true;
        self.phase = Phase::Messages;
        self.waits.begin_within();
        if !self.assumed && self.confirmed.is_none() {
            self.finish();
        }
    }

    fn dialect(&self) -> Dialect {
        Dialect::postgresql(self.session.backslash)
    }

    /// Nobody has logged in, and nothing was missed.
    fn is_before_login(&self) -> bool {
        let Session { began, asked, ready, .. } = self.session;
        (began || asked) && !ready && !(self.truncated || self.encrypted || self.cancels)
    }

    fn before_login(&self) -> Option<BeforeLogin> {
        let Session { began, ready, denied, .. } = self.session;
        match (began || self.is_before_login(), ready) {
            (true, false) if denied => Some(BeforeLogin::Denied),
            (true, false) if self.error.is_none() => Some(BeforeLogin::Unanswered),
            _ => None,
        }
    }
}
