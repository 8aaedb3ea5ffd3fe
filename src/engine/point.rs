//! One capture point: a capture, or the files of one that follow one another.

use super::senders::Senders;
use super::shards::{Pace, Shards};
use std::collections::BTreeSet;

use crate::attach::registry::{Content, Known, Ports};
use crate::capture::series::{OVERLAP_NS, follows};
use crate::capture::{About, LinkType};
use crate::facts::CaptureFacts;
use crate::join::rewrites::Rewrites;
use crate::place::Time;
use crate::summary::{Capture, Gap, Totals};
use crate::tcp::segment::{FlowKey, Segment};

/// What the files of one capture have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    links: BTreeSet<LinkType>,
    /// By name, where the file tells.
    interfaces: BTreeSet<String>,
}

impl Kind {
    pub fn of(about: &About) -> Kind {
        Kind { links: about.links.clone(), interfaces: about.interfaces.clone() }
    }
}

/// What is known of one capture while it is read. Flows of two capture points have nothing to do
/// with each other, nor have their ends.
pub struct CapturePoint {
    pub shards: Shards,
    ports: Ports,
    senders: Senders,
    pub rewrites: Rewrites,
    kind: Kind,
    pub totals: Capture,
    /// Where they are of use: 4-tuples with a FIN, with their hashes, since somebody took them.
    pub fins: Option<Vec<(u64, FlowKey)>>,
}

impl CapturePoint {
    pub fn new(max_flows: usize, pace: Pace, named: &[(Known, u16)]) -> CapturePoint {
        CapturePoint {
            shards: Shards::new(max_flows, pace),
            ports: Ports::new(named),
            senders: Senders::default(),
            rewrites: Rewrites::default(),
            kind: Kind::default(),
            totals: Capture::default(),
            fins: None,
        }
    }

    /// What is known of the capture so far.
    pub fn facts(&self) -> &CaptureFacts {
        &self.totals.facts
    }

    /// To be told what is read.
    pub fn facts_mut(&mut self) -> &mut CaptureFacts {
        &mut self.totals.facts
    }

    /// Can a file whose first packet came at `first` belong here?
    pub fn can_go_on(&self, first: Time, kind: &Kind) -> bool {
        let (own, others) = (&self.kind.links, &kind.links);
        // An interface may be described only when its first packet comes.
        follows(self.totals.facts.end(), first) && (own.is_subset(others) || others.is_subset(own))
    }

    /// Are the last file's link types and interfaces these?
    pub fn is_of(&self, kind: &Kind) -> bool {
        self.kind == *kind
    }

    /// A file of this capture begins.
    pub fn begin_file(&mut self, file: usize, first: Option<Time>, kind: Kind, is_series: bool) {
        let end = self.totals.facts.end();
        let gap = first.and_then(|first| first.since(end));
        if let (Some(nanos), Some(&before)) = (gap, self.totals.files.last())
            && nanos > OVERLAP_NS
        {
            self.totals.gaps.push(Gap { before, after: file, nanos });
            if let Some(first) = first.filter(|_| !is_series) {
                self.totals.facts.gap(end, first);
            }
        }
        self.kind = kind;
        self.totals.files.push(file);
    }

    /// Counts how many connections show that packets are missing; at the end, all of them count.
    pub fn count_holes(&mut self, all: bool) {
        let holes = self.shards.holes(all);
        self.totals.facts.count_holes(holes);
    }

    /// A segment without SYN, FIN or RST, as nearly all are.
    #[inline(always)]
    pub fn take_plain(&mut self, segment: &Segment, payload: &[u8]) {
        if self.rewrites.are_any() {
            return self.take(*segment, payload);
        }
        self.count(segment);
        let content = self.content(segment, payload);
        self.put(segment, content);
    }

    /// Any segment.
    #[inline(never)]
    pub fn take(&mut self, segment: Segment, payload: &[u8]) {
        let segment = self.note(segment);
        let content = self.content(&segment, payload);
        self.put(&segment, content);
    }

    /// For the flow it belongs to.
    #[inline(always)]
    pub fn put(&mut self, segment: &Segment, content: Option<Content>) {
        match content {
            Some(content) => self.shards.put_with(segment, content),
            None => self.shards.put(segment),
        }
    }

    /// What the capture is like, by one more of its segments; and what it knows of that one.
    pub fn note(&mut self, mut segment: Segment) -> Segment {
        if segment.flags.syn() {
            self.rewrites.learn(&segment);
        }
        if !segment.is_plain() {
            segment = self.senders.judged(segment);
        }
        if self.rewrites.are_any() {
            segment = self.rewrites.applied(segment);
        }
        self.count(&segment);
        segment
    }

    #[inline(always)]
    fn count(&mut self, segment: &Segment) {
        self.totals.facts.note(segment);
        if segment.flags.fin()
            && let Some(fins) = &mut self.fins
        {
            fins.push((segment.hash, segment.key));
        }
    }

    /// What is to be read of a segment. Ports are learnt from every one of them.
    #[inline(always)]
    pub fn content<'a>(&mut self, segment: &Segment, payload: &'a [u8]) -> Option<Content<'a>> {
        if self.ports.may_tell(segment, payload) {
            self.ports.content(segment, payload)
        } else {
            None
        }
    }

    /// Adds what was counted so far to `totals`, but for the flows that are still there.
    pub fn add_to(&self, totals: &mut Totals) {
        let (tally, evicted) = self.shards.counts();
        totals.tally += tally;
        totals.evicted += evicted;
        totals.rewritten += self.rewrites.redirected();
        totals.facts += &self.totals.facts;
        totals.captures.push(self.totals.clone());
    }
}
