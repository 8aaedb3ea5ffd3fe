//! Connections of which nothing more can be learnt: they speak TLS by now, or no protocol that is read. Their octets are
//! not handed on any more.
//!
//! Whoever reads conversations says which they are, a round later than the segments are handed on. So a connection that
//! has begun in between is none of them, though it has the same 4-tuple.

use std::collections::HashSet;
use std::ops::AddAssign;

use foldhash::fast::RandomState;

use super::registry::{Content, Withheld};
use super::spared::Shares;
use super::tried::Tried;
use super::unread::Said;
use crate::prefetch::{LINE, prefetch_room};
use crate::tcp::flow::Flow;

/// Fewer octets are handed on in less time than it takes to look whether they should be.
const WORTH: usize = 256;

/// They are forgotten together when there are more: whoever reads them says so again.
const MOST: usize = 1 << 18;

/// 4-tuples by their hashes, as those who read segments found them.
#[derive(Default)]
pub struct Found {
    /// Nothing more can be learnt on these.
    pub deaf: HashSet<u64, RandomState>,
    /// Octets were withheld of these, and are of another connection.
    pub missed: HashSet<u64, RandomState>,
    /// Octets of these were left in their file, and are read at once.
    pub needed: HashSet<u64, RandomState>,
    /// Evidence for and against the protocols of ports.
    pub tried: Tried,
    /// Segments that were left in their files.
    pub shares: Shares,
}

impl Found {
    /// All was learnt of a connection that goes on.
    #[inline(never)]
    pub fn let_go(&mut self, hash: u64, said: &Said, flow: &Flow) {
        let len = said.payload.map_or(0, |payload| payload.len);
        if len as usize >= WORTH && !flow.is_superseded() && !flow.is_finished() {
            self.deaf.insert(hash);
        }
    }

    /// Octets of a connection were left in their file, and had to be read at once.
    #[inline(never)]
    pub fn need(&mut self, hash: u64) {
        self.needed.insert(hash);
    }

    /// A connection of this 4-tuple begins, or was missed.
    pub fn hear(&mut self, hash: u64, was_missed: bool) {
        self.deaf.remove(&hash);
        if was_missed {
            self.missed.insert(hash);
        }
    }
}

impl AddAssign for Found {
    fn add_assign(&mut self, more: Found) {
        self.deaf.extend(more.deaf);
        self.missed.extend(more.missed);
        self.needed.extend(more.needed);
        self.tried += more.tried;
        self.shares += more.shares;
    }
}

/// The 4-tuples of such connections, by their hashes.
#[derive(Default)]
pub struct Deaf {
    hashes: HashSet<u64, RandomState>,
    /// 4-tuples of which a connection began in this round.
    begun: Vec<u64>,
}

impl Deaf {
    /// Withholds the octets of a segment of the 4-tuple with this hash if nothing can be learnt of them. Of the segment
    /// no more than that: so it stays in registers.
    #[inline(always)]
    pub fn withhold<'a>(&self, hash: u64, content: Content<'a>) -> Content<'a> {
        if content.payload.len() >= WORTH && !self.hashes.is_empty() && self.is_deaf(hash) {
            return Content { payload: &[], withheld: Some(Withheld::Untold), ..content };
        }
        content
    }

    #[inline(never)]
    fn is_deaf(&self, hash: u64) -> bool {
        self.hashes.contains(&hash)
    }

    /// A connection of this 4-tuple begins.
    pub fn begin(&mut self, hash: u64) {
        if !self.hashes.is_empty() {
            self.hashes.remove(&hash);
        }
        self.begun.push(hash);
        prefetch_room(&mut self.begun, LINE);
    }

    /// Takes in what was found in the round before the one that has just been handed on.
    pub fn end_round(&mut self, Found { mut deaf, missed, .. }: Found) {
        if !deaf.is_empty() {
            self.begun.iter().chain(&missed).for_each(|hash| _ = deaf.remove(hash));
        }
        self.begun.clear();
        if self.hashes.len() + deaf.len() > MOST {
            self.hashes.clear();
        }
        missed.iter().for_each(|hash| _ = self.hashes.remove(hash));
        self.hashes.extend(deaf);
    }
}
