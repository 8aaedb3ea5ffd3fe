//! Protocols read from the two directions of a connection: what was asked on it, and answered.
//!
//! Pure: no I/O, no clock, no memory of flows. [`crate::tcp::stream`] puts the octets in order, and
//! the registry says which end is the server.
//!
//! A protocol is a folder with a type that implements [`Protocol`], and a line in [`registry`]; the
//! [worked example](crate::manual::protocol) shows all of it. Nobody outside reads anything but its [`Facts`].
//!
//! * [`registry`]: the protocols, the ports they are found by, and what their first octets look like
//! * [`conversations`]: the conversations of many connections at once; `conversation`: that of one
//! * `unread`: segments that wait until somebody asks what was said; `left`: those that lie in a file
//! * [`spared`]: connections whose octets need not be handed on
//! * `header`: what of a segment reading its payload takes
//! * [`facts`]: what is known of a conversation, whatever its protocol
//! * `framed`: frames out of octets, where a header says how many follow
//! * `kept`: octets of which something is made when somebody asks
//! * `late`: what a client says after the server's FIN
//! * `marks`: the octets that a statement came in, by its time
//! * `proxy`: the header that a balancer sends before the first words
//! * [`sql`]: texts of statements, for every protocol that carries them
//! * [`amqp`]: AMQP 0-9-1, as RabbitMQ speaks it
//! * [`http`]: HTTP/1.0, HTTP/1.1, and HTTP/2 without TLS
//! * [`kafka`]: the protocol of Kafka's brokers
//! * [`mysql`]: the client/server protocol of MySQL and MariaDB
//! * [`postgresql`]: the frontend/backend protocol of PostgreSQL and its poolers
//! * [`redis`]: RESP, the protocol of Redis, Valkey and their like

pub mod amqp;
mod conversation;
pub mod conversations;
pub mod deaf;
pub mod facts;
mod framed;
mod header;
pub mod http;
pub mod kafka;
mod kept;
mod late;
mod left;
mod marks;
pub mod mysql;
pub mod postgresql;
mod proxy;
pub mod redis;
pub mod registry;
pub mod spared;
pub mod sql;
pub mod tried;
mod unread;

use crate::place::Time;
use crate::tcp::stream::Piece;
pub use facts::{BeforeLogin, Begun, ErrorCode, Facts, Heartbeat, Identity, PathStep, ServerError};

/// An end of a connection, by its part in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The end that asks.
    Client,
    /// The end that answers.
    Server,
}

/// An answer to the question whether octets are the beginning of a conversation in a protocol; the
/// surest of several protocols gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// Another protocol, for certain.
    No,
    /// The octets fit so far, but they were cut off before the end that would tell.
    Likely,
    /// This protocol, for certain.
    Sure,
}

/// Octets of a segment's payload that are looked at first: no protocol's first ones are fewer.
pub const GLANCE: usize = 8;

/// The octet that a record with a handshake of TLS begins with (RFC 8446, 5.1).
const HANDSHAKE: u8 = 0x16;

/// Does a client's first payload begin TLS? A record with a handshake in it does.
fn begins_tls(data: &[u8]) -> bool {
    matches!(data, [HANDSHAKE, 3, ..])
}

/// Is this the hello of a client or of a server, on whatever port (RFC 8446, 4 and 5.1)? A client's goes on in the next
/// record, if it does not end with this one; a server's is short, and may have other messages behind it.
fn is_hello(first: [u8; GLANCE]) -> bool {
    const HEADER: u16 = 4;
    match first {
        [HANDSHAKE, 3, 0..=4, high, low, 1, 0, len] => {
            let record = u16::from_be_bytes([high, low]);
            record > HEADER && u16::from(len) >= (record - HEADER) >> 8
        }
        [HANDSHAKE, 3, 0..=4, _, _, 2, 0, 0] => true,
        _ => false,
    }
}

/// Circumstances in which a conversation begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opening {
    /// Somebody named the port: it is this protocol, and may be taken up in the middle.
    pub assumed: bool,
    /// [`Facts::path`] is wanted.
    pub path: bool,
}

/// A protocol that reads along: the state of one conversation.
///
/// Its octets are hostile and have holes. It keeps a bounded number of them, and says nothing rather
/// than something that it has not seen: what is unknown is `None` in its facts.
pub trait Protocol: Send + Sized {
    /// The names that it goes by.
    const IDENTITY: Identity;

    /// Octets that a conversation can begin with; empty where that tells nothing.
    const FIRST: &'static [u8];

    /// Says at a glance whether octets are worth a [`Protocol::probe`]. It is asked of every segment
    /// between ports that nobody knows, and most of them are not; where [`Protocol::FIRST`] tells
    /// something, only of those that begin so.
    fn may_begin(first: [u8; GLANCE]) -> bool;

    /// Says whether a segment's payload looks like the first that `from` sends.
    fn probe(first: &[u8], from: Peer) -> Probe;

    /// Begins with a conversation of which nothing has been seen.
    fn begin(opening: Opening) -> Self;

    /// Takes the next octets of one direction.
    fn take(&mut self, from: Peer, at: Time, piece: Piece<'_>);

    /// Takes note that one direction has ended, with a FIN behind all that was taken of it.
    fn end(&mut self, _from: Peer) {}

    /// Returns whether nothing more can be learnt here, say because it is encrypted: then no more
    /// pieces are handed over.
    fn is_done(&self) -> bool;

    /// Returns whether the octets say that it is this protocol, or that it is not: as [`Facts::confirmed`],
    /// and asked more often than all other facts.
    fn confirmed(&self) -> Option<bool> {
        self.facts(false).confirmed
    }

    /// Returns what is known by now. `literals`: statements as they were sent, with their values.
    fn facts(&self, literals: bool) -> Facts;
}

/// Takes the first `kept` octets of what was said; the rest was cut off or lost.
#[cfg(test)]
fn take_cut(talk: &mut impl Protocol, from: Peer, at: Time, octets: &[u8], kept: usize) {
    if kept > 0 {
        talk.take(from, at, Piece::Data(&octets[..kept]));
    }
    if kept < octets.len() {
        talk.take(from, at, Piece::Missing((octets.len() - kept) as u64));
    }
}

/// Has a conversation take what was said; no octets: so many are `missing`. It stays small all the time.
#[cfg(test)]
fn talked<P: Protocol>(
    opening: Opening,
    said: &[(Peer, impl AsRef<[u8]>)],
    missing: u64,
    is_small: impl Fn(&P) -> bool,
) -> P {
    let mut talk = P::begin(opening);
    for (at, (from, octets)) in said.iter().enumerate() {
        let piece = match octets.as_ref() {
            [] => Piece::Missing(missing),
            octets => Piece::Data(octets),
        };
        talk.take(*from, Time::from_nanos(at as i128), piece);
        assert!(is_small(&talk));
    }
    talk
}
