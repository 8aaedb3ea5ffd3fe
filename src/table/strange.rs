//! Segments that cannot be of the connection that their 4-tuple has: of another one, whose handshake was not
//! captured, or damaged, late or forged. Once two of them answer each other, it is another one.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::tcp::incarnation::{answers, goes_on};
use crate::tcp::segment::{FlowKey, Segment};

/// 4-tuples that have such, at most: beyond that, all are forgotten.
const MOST: usize = 4_096;

/// Segments kept of one 4-tuple.
const KEPT: usize = 8;

/// The last of them, by 4-tuple: those of one side that go on from each other.
#[derive(Default)]
pub struct Strange(HashMap<FlowKey, Vec<Segment>, RandomState>);

impl Strange {
    /// Returns the segments that this one answers. If there is none, it is kept.
    pub fn answered_by(&mut self, segment: &Segment) -> Option<Vec<Segment>> {
        let kept = self.0.get(&segment.key).and_then(|kept| kept.first());
        if kept.is_some_and(|first| answers(segment, first)) {
            return self.0.remove(&segment.key);
        }
        // Nobody answers a bare ACK.
        if !segment.is_bare_ack() {
            self.keep(*segment);
        }
        None
    }

    fn keep(&mut self, segment: Segment) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let kept = self.0.entry(segment.key).or_default();
        if !kept.first().is_some_and(|first| goes_on(&segment, first)) {
            kept.clear();
        }
        if kept.len() < KEPT {
            kept.push(segment);
        }
    }
}
