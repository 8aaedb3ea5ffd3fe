//! Protocols read from the two directions of a connection: what was asked on it, and answered.
//!
//! Pure: no I/O, no clock, no memory of flows. [`crate::tcp::stream`] puts the octets in order, and
//! whoever owns both says which end is the client.
//!
//! * [`mysql`]: the client/server protocol of MySQL and MariaDB

pub mod mysql;

use crate::place::Time;
use crate::tcp::stream::Piece;

/// An end of a connection, by its part in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Client,
    Server,
}

/// A protocol that reads along.
pub trait Attach: Send {
    /// The next octets of one direction.
    fn take(&mut self, from: Peer, at: Time, piece: Piece<'_>);

    /// Nothing more can be learnt here: encrypted, or another protocol. Its pieces need not be
    /// handed over any more.
    fn is_done(&self) -> bool;
}
