//! Packets that are missing from a capture though nothing counts them.
//!
//! Octets that a side acknowledged were sent; where they were not captured, the capture has a hole.
//! A few come from packets that were captured in another order than they were sent, or were damaged on
//! the way. Where many connections show one, the capture lost packets, and a FIN can be among them.

use std::ops::{AddAssign, SubAssign};

use super::flow::{Flow, Noted};
use super::side::Side;

/// Counts of connections that show holes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holes {
    /// Connections that show missing packets.
    pub shown: u64,
    /// Connections that could show one: these, and those with payload in both directions. Others
    /// have too little.
    pub of: u64,
}

/// Fewer can be an accident of one connection.
const FEW: u64 = 3;

/// Counts connections as they are looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    sure: u64,
    /// One flipped bit would explain what they show.
    unsure: u64,
    /// Connections of which packets were damaged on the way.
    damaged: u64,
    of: u64,
}

impl Count {
    /// Makes it of four numbers that [`Count::numbers`] gave.
    pub fn of_numbers([sure, unsure, damaged, of]: [u64; 4]) -> Count {
        Count { sure, unsure, damaged, of }
    }

    /// Returns its numbers, to be written down and read again.
    pub fn numbers(self) -> [u64; 4] {
        [self.sure, self.unsure, self.damaged, self.of]
    }

    /// Counts a connection, and what it shows.
    pub fn note(&mut self, flow: &Flow) {
        *self += Count::of(flow);
    }

    /// A connection, and what it shows.
    pub fn of(flow: &Flow) -> Count {
        let talks = [Side::A, Side::B].into_iter().all(|side| flow.half(side).sent_payload());
        let (shows, sure) = (flow.shows_hole(), flow.has_hole());
        Count {
            sure: sure.into(),
            unsure: (shows && !sure).into(),
            damaged: flow.notes.has(Noted::Damaged).into(),
            of: (talks || shows).into(),
        }
    }

    /// Adds them up: damage that is as frequent as what it would explain does explain it.
    pub fn holes(self) -> Holes {
        let unsure = if self.unsure > self.damaged { self.unsure } else { 0 };
        Holes { shown: self.sure.saturating_add(unsure), of: self.of }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, more: Count) {
        self.sure = self.sure.saturating_add(more.sure);
        self.unsure = self.unsure.saturating_add(more.unsure);
        self.damaged = self.damaged.saturating_add(more.damaged);
        self.of = self.of.saturating_add(more.of);
    }
}

impl SubAssign for Count {
    fn sub_assign(&mut self, less: Count) {
        self.sure = self.sure.saturating_sub(less.sure);
        self.unsure = self.unsure.saturating_sub(less.unsure);
        self.damaged = self.damaged.saturating_sub(less.damaged);
        self.of = self.of.saturating_sub(less.of);
    }
}

impl Holes {
    /// They are too many to be accidents: in complete captures, three in a thousand connections show
    /// one.
    pub fn matter(self) -> bool {
        self.shown >= FEW && self.shown.saturating_mul(100) >= self.of
    }
}

impl AddAssign for Holes {
    fn add_assign(&mut self, more: Holes) {
        self.shown = self.shown.saturating_add(more.shown);
        self.of = self.of.saturating_add(more.of);
    }
}
