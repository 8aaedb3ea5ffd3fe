//! One capture point: a capture, or the files of one that follow one another.

use super::ports::{Content, Ports};
use super::senders::Senders;
use super::shards::{Shards, Turns};
use crate::capture::series::{OVERLAP_NS, follows};
use crate::join::rewrites::Rewrites;
use std::collections::BTreeSet;

use crate::capture::{About, Frame, LinkType};
use crate::place::{Place, Time};
use crate::report::{CaptureTotals, Gap, Totals};
use crate::tcp::holes::Holes;
use crate::tcp::segment::{FlowKey, Segment};
use crate::verdict::Tap;

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
    /// Of the captures that packets which closewait wrote were chosen from.
    holes_before: Holes,
    pub tap: Tap,
    pub totals: CaptureTotals,
    /// Where they are of use: 4-tuples with a FIN, with their hashes, since somebody took them.
    pub fins: Option<Vec<(u64, FlowKey)>>,
}

impl CapturePoint {
    pub fn new(max_flows: usize, turns: Turns, mysql: &[u16]) -> CapturePoint {
        let (tap, totals) = (Tap::default(), CaptureTotals::default());
        CapturePoint {
            shards: Shards::new(max_flows, turns),
            ports: Ports::new(mysql),
            senders: Senders::default(),
            rewrites: Rewrites::default(),
            kind: Kind::default(),
            holes_before: Holes::default(),
            tap,
            totals,
            fins: None,
        }
    }

    /// Can a file whose first packet came at `first` belong here?
    pub fn can_go_on(&self, first: Time, kind: &Kind) -> bool {
        let (own, others) = (&self.kind.links, &kind.links);
        // An interface may be described only when its first packet comes.
        follows(self.tap.end, first) && (own.is_subset(others) || others.is_subset(own))
    }

    /// Are the last file's link types and interfaces these?
    pub fn is_of(&self, kind: &Kind) -> bool {
        self.kind == *kind
    }

    /// A file of this capture begins.
    pub fn begin_file(&mut self, file: usize, first: Option<Time>, kind: Kind, is_series: bool) {
        let gap = first.and_then(|first| first.since(self.tap.end));
        if let (Some(nanos), Some(&before)) = (gap, self.totals.files.last())
            && nanos > OVERLAP_NS
        {
            self.totals.gaps.push(Gap { before, after: file, nanos });
            if let Some(first) = first.filter(|_| !is_series) {
                self.tap.gaps.push((self.tap.end, first));
            }
        }
        self.kind = kind;
        self.totals.files.push(file);
    }

    /// What a file says of itself; said again at its end, when all of it is known.
    pub fn take_about(&mut self, about: &About) {
        self.tap.addresses.extend(&about.addresses);
        self.totals.links.extend(&about.links);
        self.totals.snap_lengths.extend(&about.snap_lengths);
    }

    /// What only its end tells.
    pub fn end_file(&mut self, about: &About) {
        self.tap.drops = self.tap.drops.saturating_add(about.drops);
        self.holes_before += about.holes;
        if let Some(end) = about.ended.and_then(|ended| ended.after(self.tap.end)) {
            self.wait_until(end);
        }
    }

    /// How many connections show that packets are missing; at the end, all of them count. What packets
    /// were chosen from knew better.
    pub fn count_holes(&mut self, all: bool) {
        self.tap.holes = match self.holes_before {
            Holes { of: 0, .. } => self.shards.holes(all),
            before => before,
        };
    }

    /// Every packet tells the time, whatever else becomes of it.
    #[inline]
    pub fn see(&mut self, frame: &Frame) {
        self.totals.packets += 1;
        self.totals.first.get_or_insert(frame.place);
        if self.totals.last.is_none_or(|last: Place| frame.place.time >= last.time) {
            self.totals.last = Some(frame.place);
            // Live, the clock may have been looked at since the packet came.
            self.tap.end = self.tap.end.max(frame.place.time);
        }
    }

    /// Without any packet, time passes all the same.
    pub fn wait_until(&mut self, now: Time) {
        self.tap.end = self.tap.end.max(now);
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
        self.totals.segments += 1;
        self.tap.bare_acks |= segment.is_bare_ack();
        self.tap.empty_segments |= segment.len == 0;
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
        totals.packets += self.totals.packets;
        totals.segments += self.totals.segments;
        totals.rewritten += self.rewrites.redirected();
        totals.captures.push(CaptureTotals {
            end: self.tap.end,
            holes: if self.tap.has_holes() { self.tap.holes } else { Holes::default() },
            drops: self.tap.drops,
            truncated: self.tap.truncated,
            bare_acks: self.tap.bare_acks,
            empty_segments: self.tap.empty_segments,
            ..self.totals.clone()
        });
    }
}
