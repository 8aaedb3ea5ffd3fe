//! The packets of one connection that a page has room for.

use std::collections::VecDeque;

use crate::ladder::Step;
use crate::summary::seen::Seen;

/// Packets at the beginning and at the end that are shown.
const HEAD: usize = 16;
const TAIL: usize = 28;

/// The packets of one connection: the first and the last of them.
#[derive(Debug)]
pub struct Strip {
    /// The connection.
    pub seen: Seen,
    /// Its first packets.
    pub head: Vec<Step>,
    /// Its last packets; those between are counted.
    pub tail: VecDeque<Step>,
    /// Packets between them.
    pub between: u64,
}

impl Strip {
    /// Begins without a packet.
    pub fn of(seen: Seen) -> Strip {
        Strip { seen, head: Vec::new(), tail: VecDeque::new(), between: 0 }
    }

    /// Takes the next packet.
    pub fn step(&mut self, step: Step) {
        if self.head.len() < HEAD {
            return self.head.push(step);
        }
        self.tail.push_back(step);
        if self.tail.len() > TAIL {
            self.tail.pop_front();
            self.between += 1;
        }
    }
}
