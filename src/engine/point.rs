//! One capture point: a capture, or the files of one that follow one another.

use super::shards::{Pace, Shards};
use crate::attach::registry::{Content, Known, Ports};
use crate::capture::series::{OVERLAP_NS, follows};
use crate::facts::CaptureFacts;
use crate::place::Time;
use crate::summary::{Capture, Gap, Totals};
use crate::tcp::segment::{FlowKey, Segment};

/// What is known of one capture while it is read. Flows of two capture points have nothing to do
/// with each other, nor have their ends.
pub struct CapturePoint {
    pub shards: Shards,
    ports: Ports,
    pub totals: Capture,
    /// Where they are of use: 4-tuples with a FIN, with their hashes, since somebody took them.
    pub fins: Option<Vec<(u64, FlowKey)>>,
}

impl CapturePoint {
    pub fn new(max_flows: usize, pace: Pace, named: &[(Known, u16)]) -> CapturePoint {
        CapturePoint {
            shards: Shards::new(max_flows, pace),
            ports: Ports::new(named),
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
    pub fn can_go_on(&self, first: Time) -> bool {
        follows(self.totals.facts.end(), first)
    }

    /// A file of this capture begins.
    pub fn begin_file(&mut self, file: usize, first: Option<Time>) {
        let gap = first.and_then(|first| first.since(self.totals.facts.end()));
        if let (Some(nanos), Some(&before)) = (gap, self.totals.files.last())
            && nanos > OVERLAP_NS
        {
            self.totals.gaps.push(Gap { before, after: file, nanos });
        }
        self.totals.files.push(file);
        self.totals.facts.begin_file();
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
        totals.facts += &self.totals.facts;
        totals.captures.push(self.totals.clone());
    }
}
