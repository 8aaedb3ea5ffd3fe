//! Packets that are missing from a capture though nothing counts them.
//!
//! Octets that a side acknowledged were sent; where they were not captured, the capture has a hole.
//! A few come from packets that were captured in another order than they were sent. Where many
//! connections show one, the capture lost packets, and a FIN can be among them.

use std::ops::AddAssign;

use super::flow::Flow;
use super::side::Side;

/// Counts of connections that show holes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holes {
    pub shown: u64,
    /// Connections that could show one: these, and those with payload in both directions. Others
    /// have too little.
    pub of: u64,
}

/// Fewer can be an accident of one connection.
const FEW: u64 = 3;

impl Holes {
    /// Counts one connection.
    pub fn note(&mut self, flow: &Flow) {
        let talks = [Side::A, Side::B].into_iter().all(|side| flow.half(side).sent_payload());
        let shows = flow.has_hole();
        self.of += u64::from(talks || shows);
        self.shown += u64::from(shows);
    }

    /// They are too many to be accidents: in complete captures, three in a thousand connections show
    /// one.
    pub fn matter(self) -> bool {
        self.shown >= FEW && self.shown.saturating_mul(100) >= self.of
    }
}

impl AddAssign for Holes {
    fn add_assign(&mut self, more: Holes) {
        self.shown += more.shown;
        self.of += more.of;
    }
}
