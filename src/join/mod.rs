//! Connections that a capture shows under more than one pair of addresses, or that several capture
//! points saw: each is one connection, judged once.
//!
//! A host that redirects (NAT, a sidecar) can show what the client sends under other addresses than
//! what it gets: [`rewrites`] finds that out at the handshake and gives both directions the addresses
//! of the SYN. It can also show all packets twice, as can captures at both ends: [`sightings`] knows
//! them by both initial sequence numbers. Where more than two flows would fit, nothing is joined.

pub mod rewrites;
pub mod sightings;

use crate::place::Place;
use crate::set::Set;
use crate::tcp::segment::Endpoint;
use crate::verdict::Doubt;

/// How else a connection was seen.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere {
    /// The other addresses of `a` and `b`, where they were rewritten.
    pub rewritten_as: Option<[Endpoint; 2]>,
    /// The capture points that saw it, if several did.
    pub points: Vec<Point>,
}

/// What one capture point saw of a connection.
#[derive(Clone, Debug)]
pub struct Point {
    pub first: Place,
    pub saw: Vec<&'static str>,
    pub doubts: Set<Doubt>,
}
