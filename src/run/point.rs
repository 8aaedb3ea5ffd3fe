//! One capture point: a capture, or the files of one that follow one another.

use std::sync::Arc;

use super::ports::{Content, Ports};
use super::shards::{Shards, Turns};
use crate::capture::series::{OVERLAP_NS, follows};
use crate::capture::{About, Frame};
use crate::place::{Place, Time};
use crate::report::{CaptureTotals, Gap, Totals};
use crate::tcp::segment::{FlowKey, Segment};
use crate::verdict::Tap;

/// What is known of one capture while it is read. Flows of two capture points have nothing to do
/// with each other, nor have their ends.
pub struct CapturePoint {
    pub shards: Shards,
    ports: Ports,
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
            tap,
            totals,
            fins: None,
        }
    }

    /// Can a file whose first packet came at `first` belong here?
    pub fn can_go_on(&self, first: Time) -> bool {
        follows(self.tap.end, first)
    }

    /// A file of this capture begins.
    pub fn begin_file(&mut self, file: usize, first: Option<Time>) {
        let gap = first.and_then(|first| first.since(self.tap.end));
        if let (Some(nanos), Some(&before)) = (gap, self.totals.files.last())
            && nanos > OVERLAP_NS
        {
            self.totals.gaps.push(Gap { before, after: file, nanos });
        }
        self.totals.files.push(file);
    }

    /// What a file says of itself; said again at its end, when all of it is known.
    pub fn take_about(&mut self, about: &About) {
        self.tap.addresses.extend(&about.addresses);
        if !about.ambiguous.flows.is_empty() {
            Arc::make_mut(&mut self.tap.ambiguous).extend(about.ambiguous.flows.iter());
        }
        self.wait_until(about.until.unwrap_or(Time::UNKNOWN));
        self.totals.links.extend(&about.links);
        self.totals.snap_lengths.extend(&about.snap_lengths);
    }

    pub fn take_drops(&mut self, about: &About) {
        self.tap.drops = self.tap.drops.saturating_add(about.drops);
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

    #[inline(always)]
    pub fn take(&mut self, segment: &Segment, payload: &[u8]) {
        self.note(segment);
        let content = self.content(segment, payload);
        self.put(segment, content);
    }

    /// For the flow it belongs to.
    #[inline(always)]
    pub fn put(&mut self, segment: &Segment, content: Option<Content>) {
        match content {
            Some(content) => self.shards.put_with(segment, content),
            None => self.shards.put(segment),
        }
    }

    /// What the capture is like, by one more of its segments.
    #[inline(always)]
    pub fn note(&mut self, segment: &Segment) {
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
        totals.captures.push(CaptureTotals {
            drops: self.tap.drops,
            truncated: self.tap.truncated,
            bare_acks: self.tap.bare_acks,
            empty_segments: self.tap.empty_segments,
            ..self.totals.clone()
        });
    }
}
