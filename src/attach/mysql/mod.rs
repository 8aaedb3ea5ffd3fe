//! MySQL's and MariaDB's client/server protocol, for an observer.
//!
//! * `frames`: packets out of octets; `wire`: what stands in them
//! * `client`: what was asked; `server`: what was answered, with `reply` for where that ends
//! * `statement`: texts; `transaction`: what the server says of its transaction
//! * `path`: the last transaction with what ended it, where that is wanted
//! * `lexer`, [`mod@digest`]: texts without their values
//! * `facts`: what is known in the end
//!
//! Never wrong, rather unknown: what the snap length cut off or the capture lost leaves `None`, and
//! [`Facts::truncated`] set, until the server says it anew. After a loss, the thread is taken up only
//! at a client's packet that is a command by its number, its first octet and its length, and at the
//! first packet of the answer to it.
//!
//! A connection takes [`MAX_IDLE`] octets and its strings. What else it can hold is bounded: a text
//! (1 KiB) for each of the commands that wait for an answer ([`MAX_PENDING`]), the
//! statements of a transaction (8 KiB, twice if the path is wanted), prepared statements
//! (16 KiB): [`MAX_HELD`] in all.

mod client;
pub mod command;
pub mod digest;
mod facts;
mod frames;
mod lexer;
mod path;
mod prepared;
mod reply;
mod server;
mod statement;
#[cfg(test)]
mod tests;
mod transaction;
mod wire;

use std::collections::VecDeque;

use super::{Attach, Peer};
use crate::place::Time;
use crate::tcp::stream::Piece;
use command::Command;
pub use facts::Facts;
use frames::{Frames, Rest};
pub use path::NOT_CAPTURED;
use path::Path;
use prepared::Prepared;
use reply::{Agreed, Reply};
use statement::Statement;
pub use transaction::Begun;
use transaction::Transaction;
use wire::Greeting;
pub use wire::ServerError;

/// The size of a connection on which nothing is going on, without its strings.
pub const MAX_IDLE: usize = 320;

/// Commands that may wait for their answers.
pub const MAX_PENDING: usize = 16;

/// Octets on the heap, strings and all.
pub const MAX_HELD: usize = 64 * 1_024;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The server speaks first.
    Greeting,
    /// The client says who it is.
    Login,
    /// It proves it.
    Proof,
    Commands,
    /// Nothing more can be learnt.
    Done,
}

/// A command that waits for its answer.
#[derive(Debug)]
struct Pending {
    command: Command,
    /// The number of its last packet.
    seq: u8,
    /// What it says; none: it is the last statement.
    statement: Option<Box<Statement>>,
}

/// One connection.
#[derive(Debug)]
pub struct Mysql {
    client: Frames,
    server: Frames,
    phase: Phase,
    /// It is MySQL, whatever it looks like: it may be taken up in the middle.
    assumed: bool,
    agreed: Agreed,

    /// What the first pending command waits for, after so many results.
    reply: Reply,
    results: u16,
    /// The number that the server's next packet has.
    next_seq: u8,
    /// Nothing of the answer has come.
    fresh: bool,
    /// Commands and answers may not be in step: they are not matched again after a loss.
    unmatched: bool,
    /// What was agreed on is not known well enough to go on as before.
    unsure: bool,
    pending: VecDeque<Pending>,

    last: Statement,
    transaction: Transaction,
    prepared: Option<Box<Prepared>>,
    /// Only if it is wanted.
    path: Option<Box<Path>>,

    version: Option<Box<str>>,
    user: Option<Box<str>>,
    database: Option<Box<str>>,
    error: Option<Box<ServerError>>,
    is_mysql: Option<bool>,
    quit: bool,
    /// The server has said something since commands are read.
    heard: bool,
    encrypted: bool,
    compressed: bool,
    truncated: bool,
}

/// Whether a server's first segment says that it is MySQL.
pub fn is_greeting(payload: &[u8]) -> bool {
    let Some(([low, high, 0, 0], rest)) = payload.split_first_chunk::<4>() else { return false };
    let len = usize::from(u16::from_le_bytes([*low, *high]));
    // Nothing follows it in its segment, which the snap length can cut.
    rest.len() <= len && Greeting::read(rest, rest.len() == len).is_some()
}

impl Attach for Mysql {
    fn take(&mut self, from: Peer, at: Time, piece: Piece<'_>) {
        match (from, self.phase) {
            (_, Phase::Done) => {}
            (Peer::Client, Phase::Greeting) => self.take_early(at, piece),
            (Peer::Client, _) => self.take_client(at, piece),
            (Peer::Server, Phase::Greeting) => self.take_greeting(at, piece),
            (Peer::Server, _) => self.take_server(at, piece),
        }
    }

    fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }
}

impl Mysql {
    /// A connection of which nothing has been seen. `assumed`: it is MySQL by its port, and may be
    /// taken up in the middle; if not, it is only by its greeting.
    pub fn new(assumed: bool) -> Mysql {
        Mysql {
            client: Frames::default(),
            server: Frames::default(),
            phase: Phase::Greeting,
            assumed,
            agreed: Agreed::default(),
            reply: Reply::Nothing,
            results: 0,
            next_seq: 0,
            fresh: false,
            unmatched: false,
            unsure: false,
            pending: VecDeque::new(),
            last: Statement::default(),
            transaction: Transaction::default(),
            prepared: None,
            path: None,
            version: None,
            user: None,
            database: None,
            error: None,
            is_mysql: None,
            quit: false,
            heard: false,
            encrypted: false,
            compressed: false,
            truncated: false,
        }
    }

    /// Octets on the heap.
    pub fn held(&self) -> usize {
        let strings = [&self.version, &self.user, &self.database].into_iter().flatten();
        let texts = self.pending.iter().filter_map(|pending| pending.statement.as_ref());
        let size_of_text = |s: &Statement| s.text.octets.len() + size_of::<Statement>();
        strings.map(|string| string.len()).sum::<usize>()
            + self.client.held()
            + self.server.held()
            + self.pending.capacity() * size_of::<Pending>()
            + texts.map(|statement| size_of_text(statement)).sum::<usize>()
            + self.last.text.octets.len()
            + self.transaction.log().map_or(0, |log| log.held())
            + self.prepared.as_ref().map_or(0, |prepared| prepared.held())
            + self.path.as_ref().map_or(0, |path| path.held())
            + self.error.as_ref().map_or(0, |e| e.message.len() + size_of::<ServerError>())
    }

    /// Nothing more can be learnt: no more is kept than what is known.
    fn finish(&mut self) {
        self.path_unanswered();
        self.phase = Phase::Done;
        (self.client, self.server) = (Frames::default(), Frames::default());
        (self.prepared, self.pending) = (None, VecDeque::new());
        self.reply = Reply::Nothing;
    }

    fn is_no_mysql(&mut self) {
        self.is_mysql = Some(false);
        self.finish();
    }

    /// The capture begins in the middle, or missed the beginning.
    fn take_up(&mut self) {
        self.truncated = true;
        self.path_lost();
        if !self.assumed {
            return self.finish();
        }
        self.phase = Phase::Commands;
        self.client.lose();
        self.server.lose();
    }

    /// A client that speaks before the server is none of MySQL, but for a balancer's PROXY header.
    fn take_early(&mut self, at: Time, piece: Piece<'_>) {
        match piece {
            Piece::Missing(_) => self.client.lose(),
            Piece::Data([b'P' | b'\r', ..]) => {}
            Piece::Data(_) if self.client.is_lost() => {
                self.take_up();
                // It may be a command.
                self.take(Peer::Client, at, piece);
            }
            Piece::Data(_) => self.is_no_mysql(),
        }
    }

    fn take_greeting(&mut self, at: Time, piece: Piece<'_>) {
        const LONGEST: u32 = 1_024;
        let mut frames = core::mem::take(&mut self.server);
        match piece {
            Piece::Missing(0) => return self.server.lose(),
            Piece::Data(data) if frames.is_lost() => {
                if !begins_with_greeting(data) {
                    return self.take_up();
                }
                frames.find();
            }
            _ => {}
        }
        let mut rest = Rest::from(piece);
        let mut greeted = None;
        if let Some(packet) = frames.next(&mut rest, at, LONGEST as usize) {
            greeted = Some(self.greeting(&packet));
        }
        let is_odd = frames.header().is_some_and(|(len, seq)| len > LONGEST || seq > 1);
        if greeted == Some(false) || greeted.is_none() && is_odd {
            self.is_no_mysql();
        } else if frames.is_lost() {
            self.take_up();
        } else if self.phase != Phase::Done {
            self.server = frames;
        }
        if let (Phase::Login, Rest::Data(data)) = (self.phase, rest) {
            self.take_server(at, Piece::Data(data));
        }
    }
}

fn begins_with_greeting(data: &[u8]) -> bool {
    let [len, 0, 0, 0, greeting @ ..] = data else { return false };
    let whole = greeting.len() == usize::from(*len);
    wire::Greeting::read(greeting, whole).is_some() && greeting.len() <= usize::from(*len)
}
