//! Orders for a round of reading: all that every shard has to know to take its part.

use std::sync::Arc;

use crate::attach::conversations::{Again, Wanted};
use crate::attach::registry::Known;
use crate::attach::sql::tags::{Sought, have_all};
use crate::facts::CaptureFacts;
use crate::join::rewrites::Pairs;
use crate::set::Set;
use crate::summary::{Judged, Tally};
use crate::tcp::flow::{Ending, Flow, FlowId};
use crate::tcp::notes::Noted;
use crate::verdict::Policy;

/// Orders for a round: all that every shard has to know to take its part.
pub struct Orders {
    /// The rules of judging.
    pub policy: Arc<Policy>,
    /// The capture at the end of the round.
    pub facts: CaptureFacts,
    /// Hand over every flow that has ended, not only the notable ones and those of pairs.
    pub all: bool,
    /// Flows that are one connection under other addresses.
    pub pairs: Pairs,
    /// Nothing will follow: judge all that is left.
    pub last: bool,
    /// Enough is known of the capture to judge flows that have ended; else they stay.
    pub settled: bool,
    /// Flows that stay between rounds, at most.
    pub max_flows: usize,
    /// Statements as they were sent.
    pub literals: bool,
    /// Nothing is read of any connection.
    pub no_content: bool,
    /// Flows count only if what was said on them last has all of these.
    pub tags: Arc<[Sought]>,
    /// The facts of each connection that cost something.
    pub wanted: Wanted,
    /// The capture, where it can be read again.
    pub again: Option<Arc<dyn Again>>,
    /// Protocols that are not what their usual ports are used for.
    pub refuted: Set<Known>,
    /// Hand over a few of the flows that were closed and have something to tell, too.
    pub sample: bool,
}

impl Orders {
    /// Tells whether it is asked for what was said on a connection, whatever it shows; `sampled` are those that
    /// are read though they were closed.
    pub fn asks_for(&self, judged: &Judged, sampled: &[FlowId]) -> bool {
        self.all || self.pairs.contains(&judged.key) || sampled.contains(&judged.id())
    }

    /// Tells whether the contents of this flow are kept: those of closed connections are of use only if
    /// all are reported.
    #[inline(always)]
    pub fn reads(&self, flow: &Flow) -> bool {
        self.all || !self.tags.is_empty() || flow.ending() != Ending::Closed
    }

    /// Tells whether nobody will ask what was said on a flow that a RST has just ended: it is no finding. Only where
    /// it was used once more after a FIN, it matters by whom; and a RST with another number than the next, a kernel
    /// challenges and lives on (RFC 5961, 3.2).
    pub fn may_let_go(&self, flow: &Flow) -> bool {
        let is_used_again = flow
            .first_fin()
            .is_some_and(|(closer, fin)| flow.payload_after(closer.other(), fin.end).is_some());
        let is_reset = matches!(flow.ending(), Ending::Reset(_));
        let is_believed = is_reset && !flow.notes.has(Noted::RstOddSeq);
        is_believed && !is_used_again && !self.all && self.tags.is_empty()
    }

    /// Returns whether a connection is one of those that are looked for; none where that cannot be told.
    pub fn seeks(&self, judged: &Judged) -> Option<bool> {
        if self.tags.is_empty() {
            return Some(true);
        }
        have_all(&self.tags, judged.said.as_deref(), judged.withheld.is_some())
    }

    /// Tells whether it is one of them. One that is left out is counted, where nobody can tell, or has read it.
    pub fn takes(&self, judged: &Judged, tally: &mut Tally) -> bool {
        let sought = self.seeks(judged);
        match sought {
            None => tally.leave_out(&judged.judgement),
            Some(false) if judged.said.is_none() => tally.leave_out_unread(&judged.judgement),
            Some(_) => {}
        }
        sought == Some(true)
    }
}
