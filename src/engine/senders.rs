//! Senders whose checksums can be believed.
//!
//! A FIN or RST with a wrong checksum was damaged, and has no effect, if its sender's are right
//! otherwise. That is known of what opens and closes connections alone, so that other segments cost
//! nothing; and not of a RST, which a kernel may send by another way than the rest.

use std::collections::HashMap;
use std::net::IpAddr;

use foldhash::fast::RandomState;

use crate::tcp::segment::{Checksum, Segment};

/// Senders that are remembered, the first that are seen: their number must not grow without bound.
const MOST: usize = 65_536;

/// So many right ones to a wrong one: damage is rare, and who leaves checksums to the card can hit
/// the right one by chance.
const RIGHT_TO_WRONG: u32 = 4;

/// The senders of one capture.
#[derive(Default)]
pub struct Senders(HashMap<IpAddr, Sums, RandomState>);

/// Counts of one sender's right and wrong checksums.
#[derive(Clone, Copy, Default)]
struct Sums {
    right: u32,
    wrong: u32,
}

impl Senders {
    /// Looks at a segment with SYN, FIN or RST. A wrong checksum stays wrong only where it can be
    /// believed.
    pub fn judge(&mut self, segment: &mut Segment) {
        let sender = segment.key.endpoint(segment.from).ip;
        let checksum = segment.extras.checksum();
        let damaged = checksum == Checksum::Wrong && self.believes(sender);
        if !segment.flags.rst() {
            self.learn(sender, checksum);
        }
        if !damaged && checksum != Checksum::OfMore {
            segment.extras = segment.extras.with_checksum(Checksum::Unknown);
        }
    }

    fn believes(&self, sender: IpAddr) -> bool {
        let sums = self.0.get(&sender).copied().unwrap_or_default();
        sums.right > 0 && sums.right >= sums.wrong.saturating_mul(RIGHT_TO_WRONG)
    }

    fn learn(&mut self, sender: IpAddr, checksum: Checksum) {
        let known = self.0.contains_key(&sender);
        if matches!(checksum, Checksum::Unknown | Checksum::OfMore)
            || !known && self.0.len() >= MOST
        {
            return;
        }
        let sums = self.0.entry(sender).or_default();
        match checksum {
            Checksum::Right => sums.right = sums.right.saturating_add(1),
            Checksum::Wrong => sums.wrong = sums.wrong.saturating_add(1),
            Checksum::Unknown | Checksum::OfMore => {}
        }
    }
}
