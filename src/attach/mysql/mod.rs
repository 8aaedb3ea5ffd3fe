//! MySQL's and MariaDB's client/server protocol, for an observer.
//!
//! * `frames`: packets out of octets; `wire`: what stands in them
//! * `client`: what was asked; `server`: what was answered
//! * `exchange`: which command is being answered, with `reply` for where that ends
//! * `session`: who speaks to whom, and what they agreed on
//! * `transaction`: what the server says of its transaction
//! * `path`: the last transaction with what ended it, where that is wanted
//! * `facts`: what is known in the end
//!
//! Never wrong, rather unknown: what the snap length cut off or the capture lost leaves `None`, and
//! [`Facts::truncated`] set, until the server says it anew. After a loss, the thread is taken up only
//! at a client's packet that is a command by its number, its first octet and its length, and at the
//! first packet of the answer to it.
//!
//! A connection takes [`MAX_IDLE`] octets and its strings. What else it can hold is bounded: a text
//! (1 KiB) for each of 16 commands that wait for an answer, less for the others ([`MAX_PENDING`]), the
//! statements of a transaction (8 KiB, twice if the path is wanted), prepared statements
//! (16 KiB): [`MAX_HEAP`] in all.

mod client;
pub mod command;
mod exchange;
mod facts;
mod frames;
mod path;
mod prepared;
mod reply;
mod server;
mod session;
mod statement;
#[cfg(test)]
mod tests;
mod transaction;
mod wire;

use super::{Facts, GLANCE, Identity, Opening, Peer, Probe, Protocol, begins_tls};
use crate::place::Time;
use crate::tcp::stream::Piece;
use exchange::Exchange;
pub use exchange::MAX_PENDING;
use frames::{Frames, Rest};
use path::Path;
use session::Session;
use transaction::Transaction;
use wire::{Greeting, Refusal};

/// The size of a connection on which nothing is going on, without its strings.
pub const MAX_IDLE: usize = 328;

/// Octets on the heap, strings and all.
pub const MAX_HEAP: usize = 64 * 1_024;

/// The stages of a connection's life.
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

/// One connection.
#[derive(Clone, Debug)]
pub struct Mysql {
    client: Frames,
    server: Frames,
    phase: Phase,
    /// It is MySQL, whatever it looks like: it may be taken up in the middle.
    assumed: bool,
    exchange: Exchange,
    session: Session,
    transaction: Transaction,
    /// Only if it is wanted.
    path: Option<Box<Path>>,
    error: Option<Box<Refusal>>,
    /// The octets say that it is MySQL, or that it is not.
    confirmed: Option<bool>,
    quit: bool,
    /// The server has said something since commands are read.
    heard: bool,
    encrypted: bool,
    compressed: bool,
    truncated: bool,
}

impl Protocol for Mysql {
    const IDENTITY: Identity =
        Identity { key: "mysql", title: "MySQL", transactions: true, logs_in: true, tags: true };

    const FIRST: &[u8] = &[];

    /// The server speaks first.
    #[inline(always)]
    fn may_begin([_, _, high, sequence, version, ..]: [u8; GLANCE]) -> bool {
        high == 0 && sequence == 0 && version == wire::PROTOCOL
    }

    fn probe(first: &[u8], from: Peer) -> Probe {
        match (from, first) {
            (Peer::Server, [_, _, 0, 0, wire::PROTOCOL, ..]) => probe_greeting(first),
            _ => Probe::No,
        }
    }

    fn begin(opening: Opening) -> Mysql {
        let path = opening.path.then(Box::default);
        Mysql { path, ..Mysql::new(opening.assumed) }
    }

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

    fn confirmed(&self) -> Option<bool> {
        self.confirmed
    }

    fn facts(&self, literals: bool) -> Facts {
        self.show(literals)
    }
}

#[inline(never)]
fn probe_greeting(first: &[u8]) -> Probe {
    let Some(([low, high, ..], rest)) = first.split_first_chunk::<4>() else { return Probe::No };
    let len = usize::from(u16::from_le_bytes([*low, *high]));
    let whole = rest.len() == len;
    // A version, whoever made the server. PostgreSQL's `BEGIN`, in its message, is none.
    let is_version = rest.get(1).is_some_and(u8::is_ascii_digit);
    // Nothing follows it in its segment, which the snap length can cut.
    match Greeting::read(rest, whole).filter(|_| is_version) {
        Some(_) if whole => Probe::Sure,
        Some(_) if rest.len() < len => Probe::Likely,
        _ => Probe::No,
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
            exchange: Exchange::default(),
            session: Session::default(),
            transaction: Transaction::default(),
            path: None,
            error: None,
            confirmed: None,
            quit: false,
            heard: false,
            encrypted: false,
            compressed: false,
            truncated: false,
        }
    }

    /// Octets on the heap.
    pub fn heap_octets(&self) -> usize {
        self.client.heap_octets()
            + self.server.heap_octets()
            + self.exchange.heap_octets()
            + self.session.heap_octets()
            + self.transaction.log().map_or(0, |log| log.heap_octets())
            + self.path.as_ref().map_or(0, |path| path.heap_octets())
            + self.error.as_ref().map_or(0, |e| e.message.len() + size_of::<Refusal>())
    }

    /// Nothing more can be learnt: no more is kept than what is known.
    fn finish(&mut self) {
        self.path_unanswered();
        self.phase = Phase::Done;
        (self.client, self.server) = (Frames::default(), Frames::default());
        self.session.prepared = None;
        self.exchange.finish();
    }

    /// It is another protocol: nothing of it counts.
    fn reject(&mut self) {
        self.confirmed = Some(false);
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

    /// A client that speaks before the server is none of MySQL.
    fn take_early(&mut self, at: Time, piece: Piece<'_>) {
        match piece {
            Piece::Missing(_) => self.client.lose(),
            Piece::Data(data) if begins_tls(data) => {
                self.encrypted = true;
                self.finish();
            }
            Piece::Data(_) if self.client.is_lost() => {
                self.take_up();
                // It may be a command.
                self.take(Peer::Client, at, piece);
            }
            Piece::Data(_) => self.reject(),
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
            self.reject();
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
