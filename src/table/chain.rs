//! The connections of one 4-tuple.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::tcp::flow::{Flow, Noted};
use crate::tcp::incarnation::{Belongs, belongs, fits_exactly, fits_nearly, knows_syn, takes_late};
use crate::tcp::segment::{FlowKey, Segment};
use crate::tcp::side::Side;
use crate::tcp::state::State;

/// Older connections of a 4-tuple that a late packet is offered to, the newest first: a flood of
/// SYNs on one 4-tuple must not make every later packet search them all.
const OLDER_SEARCHED: usize = 64;

/// The connections of one 4-tuple, of which the newest takes what comes.
pub struct Chain {
    pub newest: Flow,
    /// The hash of its 4-tuple.
    pub hash: u64,
    /// Its 4-tuple, as [`super::chains`] keeps it.
    pub(super) addresses: [u32; 2],
    pub(super) ports: u32,
    pub(super) is_v6: bool,
    /// There are older ones, in the table's [`Older`].
    pub reused: bool,
    /// It is waited for until its finished flows may leave: once, however many of them have finished.
    pub queued: bool,
    /// It is among those that will rest.
    pub tired: bool,
}

/// The older connections of 4-tuples that were used again.
pub type Older = HashMap<FlowKey, Vec<Flow>, RandomState>;

impl Chain {
    /// Takes a segment. Returns whether it finished its flow, and whether it began one.
    pub fn take(&mut self, older: &mut Older, segment: &Segment) -> (bool, bool) {
        // Most segments begin nothing and end nothing.
        if segment.is_plain() && !self.newest.is_unanswered() {
            self.newest.take(segment);
            return (false, false);
        }
        self.take_any(older, segment)
    }

    /// Takes a segment that may begin or end something.
    #[inline(never)]
    pub fn take_any(&mut self, older: &mut Older, segment: &Segment) -> (bool, bool) {
        let (flow, began) = self.flow_of(older, segment);
        let was_finished = flow.is_finished();
        flow.take(segment);
        let finished = !was_finished && flow.is_finished();
        if self.reused {
            self.supersede(older, &segment.key);
        }
        (finished, began)
    }

    /// Its only flow waits for nothing but late packets.
    pub fn can_rest(&self) -> bool {
        self.queued && !self.reused && self.newest.is_finished()
    }

    /// Marks older connections of the 4-tuple as superseded once a later one was established: no
    /// kernel has two sockets of one 4-tuple.
    #[cold]
    pub fn supersede(&self, older: &mut Older, key: &FlowKey) {
        let Some(older) = older.get_mut(key) else { return };
        let until = match self.newest.is_established() {
            true => older.len(),
            false => newest_where(older, Flow::is_established).unwrap_or(0),
        };
        // Those before one that is known to have ended are known to have, too.
        let before = older[..until].iter_mut().rev();
        before.take_while(|flow| !flow.is_superseded()).for_each(Flow::supersede);
    }

    /// The flow that the segment belongs to, and whether it begins there.
    fn flow_of<'a>(&'a mut self, older: &'a mut Older, segment: &Segment) -> (&'a mut Flow, bool) {
        let belongs = belongs(&self.newest, segment);
        let begins = matches!(belongs, Belongs::New | Belongs::OlderNearOrNew);
        if belongs == Belongs::Here || !self.reused && !begins {
            return (&mut self.newest, false);
        }
        let older = older.entry(segment.key).or_default();
        let found = match belongs {
            Belongs::Here => None,
            // A late SYN of an older connection begins nothing.
            Belongs::New => match newest_where(older, |flow| knows_syn(flow, segment)) {
                None => return (self.begin(older, segment), true),
                known => known,
            },
            Belongs::Older => {
                let answered = |flow: &Flow| !segment.flags.syn() && !flow.is_unanswered();
                newest_where(older, |flow| takes_late(flow, segment))
                    .or_else(|| newest_where(older, answered))
            }
            Belongs::OlderNear => newest_where(older, |flow| fits_nearly(flow, segment)),
            Belongs::OlderNearOrNew => match newest_where(older, |flow| fits_nearly(flow, segment))
            {
                None => return (self.begin(older, segment), true),
                known => known,
            },
            Belongs::OlderExactly => newest_where(older, |flow| fits_exactly(flow, segment)),
        };
        (found.map_or(&mut self.newest, |found| &mut older[found]), false)
    }

    fn begin(&mut self, older: &mut Vec<Flow>, segment: &Segment) -> &mut Flow {
        let waiting = |side| self.newest.state(side, segment.place.time) == State::CloseWait;
        let in_close_wait = waiting(Side::A) || waiting(Side::B);
        self.newest.notes.note(Noted::SynInCloseWait, in_close_wait);
        let mut flow = Flow::new(segment);
        flow.notes.note(Noted::PortReused, true);
        older.push(std::mem::replace(&mut self.newest, flow));
        self.reused = true;
        &mut self.newest
    }

    pub fn flows<'a>(
        &'a self,
        key: &FlowKey,
        older: &'a Older,
    ) -> impl Iterator<Item = &'a Flow> + use<'a> {
        let older = if self.reused { older.get(key) } else { None };
        older.into_iter().flatten().chain([&self.newest])
    }

    /// Removes the flows that go; false if none is left.
    pub fn remove(
        &mut self,
        key: &FlowKey,
        older: &mut Older,
        goes: impl Fn(&Flow) -> bool,
        mut to: impl FnMut(Flow),
    ) -> bool {
        if !self.reused {
            let going = goes(&self.newest);
            if going {
                to(self.newest.clone());
            }
            return !going;
        }
        self.supersede(older, key);
        let left = older.entry(*key).or_default();
        left.extract_if(.., |flow| goes(flow)).for_each(&mut to);
        let mut any_left = true;
        if goes(&self.newest) {
            match left.pop() {
                Some(next) => to(std::mem::replace(&mut self.newest, next)),
                None => {
                    to(self.newest.clone());
                    any_left = false;
                }
            }
        }
        if left.is_empty() {
            self.reused = false;
            older.remove(key);
        }
        any_left
    }
}

/// The newest flow that the test holds for.
fn newest_where(older: &[Flow], test: impl Fn(&Flow) -> bool) -> Option<usize> {
    let searched = older.len().saturating_sub(OLDER_SEARCHED);
    older[searched..].iter().rposition(test).map(|at| searched + at)
}
