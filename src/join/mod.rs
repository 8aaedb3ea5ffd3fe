//! Connections that a capture shows under more than one pair of addresses, or that several capture
//! points saw: each is one connection, judged once.
//!
//! A host that redirects (NAT, a sidecar) can show what the client sends under other addresses than
//! what it gets: [`rewrites`] finds that out at the handshake and gives both directions the addresses
//! of the SYN. It can also show all packets twice, as can captures at both ends: [`gathered`] knows
//! them by both initial sequence numbers. Where more than two flows of a capture would fit, nothing is joined.
//! What several capture points show of one 4-tuple, `points` gathers from [`sightings`], and [`joined`] puts
//! together.
//!
//! Two connections that belong together, because a proxy stands between them, stay two: [`legs`].

pub mod gathered;
pub mod joined;
pub mod legs;
mod points;
pub mod rewrites;
pub mod sightings;

use crate::place::Place;
use crate::set::Set;
use crate::tcp::segment::Endpoint;
use crate::verdict::Doubt;

/// Other sights of a connection: under other addresses, or at other capture points.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere {
    /// The other addresses of `a` and `b`, where they were rewritten.
    pub rewritten_as: Option<[Endpoint; 2]>,
    /// The capture points that saw it, if several did.
    pub points: Vec<Point>,
    /// The other connection of a proxy, where this is one of its two.
    pub other_leg: Option<OtherLeg>,
}

/// The other connection of a proxy that passed a FIN on.
#[derive(Clone, Copy, Debug)]
pub struct OtherLeg {
    /// The first packet of the other leg, which names it.
    pub first: Place,
    /// Its ends `a` and `b`.
    pub ends: [Endpoint; 2],
    /// The end of it that owes a FIN, where the proxy waits for that; `None` where this one is waited for.
    pub waits_for: Option<Endpoint>,
    /// Nanoseconds from the FIN that the proxy got to the one that it sent.
    pub after: i64,
}

/// The part of a connection that one capture point saw.
#[derive(Clone, Debug)]
pub struct Point {
    /// The first packet that it saw.
    pub first: Place,
    /// Words for what only this point saw: `a.fin`.
    pub saw: Vec<&'static str>,
    /// Doubts of this point alone.
    pub doubts: Set<Doubt>,
}
