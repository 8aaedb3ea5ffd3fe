//! The connections of one 4-tuple.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::strange::Strange;
use crate::prefetch::prefetch;
use crate::tcp::flow::{Flow, Noted};
use crate::tcp::incarnation::{
    Belongs, answers_syn, belongs, fits_exactly, fits_nearly, is_another_s, knows_syn,
    may_be_an_older_s, takes_late,
};
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

/// The older connections of 4-tuples that were used again, and what may be of others.
#[derive(Default)]
pub struct Older {
    pub flows: HashMap<FlowKey, Vec<Flow>, RandomState>,
    strange: Strange,
}

impl Chain {
    /// Has all of its memory fetched.
    #[inline(always)]
    pub fn prefetch(&self) {
        self.newest.prefetch();
        prefetch(&self.hash);
        prefetch(&self.tired);
    }

    /// Takes a segment. Returns whether it finished its flow, and whether it began one.
    pub fn take(&mut self, older: &mut Older, segment: &Segment) -> (bool, bool) {
        // Most segments begin nothing and end nothing.
        let begins = self.newest.is_unanswered() || is_another_s(&self.newest, segment);
        let may_be_older = self.reused && may_be_an_older_s(&self.newest, segment);
        if segment.is_plain() && !begins && !may_be_older && !self.may_go_back() {
            self.newest.take(segment);
            return (false, false);
        }
        self.take_any(older, segment)
    }

    /// Takes a segment that may begin or end something.
    #[inline(never)]
    pub fn take_any(&mut self, older: &mut Older, segment: &Segment) -> (bool, bool) {
        if self.reused {
            self.go_back(older, segment);
        }
        let Some((flow, began)) = self.flow_of(older, segment) else {
            self.newest.pass_by(segment);
            return (false, false);
        };
        let was_finished = flow.is_finished();
        flow.take(segment);
        let finished = !was_finished && flow.is_finished();
        if self.reused {
            self.supersede(older, &segment.key);
        }
        (finished, began)
    }

    /// An older connection's handshake may go on instead of this one's.
    #[inline(always)]
    pub fn may_go_back(&self) -> bool {
        self.reused && self.newest.is_unheeded()
    }

    /// Its only flow waits for nothing but late packets.
    pub fn can_rest(&self) -> bool {
        self.queued && !self.reused && self.newest.is_finished()
    }

    /// Marks older connections of the 4-tuple as superseded once a later one was established: no
    /// kernel has two sockets of one 4-tuple.
    #[cold]
    pub fn supersede(&self, older: &mut Older, key: &FlowKey) {
        let Some(older) = older.flows.get_mut(key) else { return };
        let until = self.superseded(older);
        supersede(&mut older[..until]);
    }

    /// The number of older connections that a later one has taken the place of.
    fn superseded(&self, older: &[Flow]) -> usize {
        match self.newest.is_established() {
            true => older.len(),
            false => newest_where(older, Flow::is_established).unwrap_or(0),
        }
    }

    /// Makes an older connection the newest again: one whose SYN is answered only now, for a duplicate of a yet older
    /// SYN came in between and was answered first (RFC 9293, figure 9); one whose handshake goes on, where
    /// the answer to such a duplicate was refused; or one whose handshake ends here, where such an answer came late.
    #[cold]
    fn go_back(&mut self, older: &mut Older, segment: &Segment) {
        let (is_over, is_unheeded) = (self.newest.is_finished(), self.newest.is_unheeded());
        let Some(older) = older.flows.get_mut(&segment.key).filter(|_| is_over || is_unheeded)
        else {
            return;
        };
        let answers = !segment.flags.rst() && !segment.is_damaged();
        let is_completed_here = self.newest.is_completed_by(segment);
        let goes_on = |flow: &Flow| match flow.is_unanswered() {
            true => is_over && is_unheeded || answers && flow.answers(segment),
            false if flow.is_finished() => false,
            false if flow.is_completed_by(segment) && !is_completed_here => true,
            false => is_over && is_unheeded && flow.is_unheeded(),
        };
        if let Some(at) = newest_where(older, goes_on) {
            let newest = older.remove(at);
            older.push(std::mem::replace(&mut self.newest, newest));
            self.newest.notes.forget(Noted::Superseded);
        }
    }

    /// The flow that the segment belongs to, and whether it begins there; `None` for one that passes by.
    fn flow_of<'a>(
        &'a mut self,
        older: &'a mut Older,
        segment: &Segment,
    ) -> Option<(&'a mut Flow, bool)> {
        let belongs = belongs(&self.newest, segment);
        let begins = matches!(belongs, Belongs::New | Belongs::OlderNearOrNew);
        if belongs == Belongs::Strange && !(self.reused && is_known(older, segment)) {
            return self.flow_of_strange(older, segment);
        }
        if belongs == Belongs::Here || !self.reused && !begins {
            return Some((&mut self.newest, false));
        }
        let older = older.flows.entry(segment.key).or_default();
        let answered = |flow: &Flow| !segment.flags.syn() && !flow.is_unanswered();
        // Just what is to come in one is not another's that its numbers happen to be near to.
        let exact = || {
            newest_where(older, |flow| answered(flow) && fits_exactly(flow, segment))
                .or_else(|| newest_where(older, |flow| answers_syn(flow, segment)))
        };
        let nearly = || exact().or_else(|| newest_where(older, |flow| fits_nearly(flow, segment)));
        let found = match belongs {
            Belongs::Here => None,
            // A late SYN of an older connection begins nothing.
            Belongs::New => match newest_where(older, |flow| knows_syn(flow, segment)) {
                None => return Some((self.begin(older, segment), true)),
                known => known,
            },
            Belongs::Older => exact()
                .or_else(|| newest_where(older, |flow| takes_late(flow, segment)))
                .or_else(|| newest_where(older, answered)),
            Belongs::OlderNear | Belongs::Strange => nearly(),
            Belongs::OlderNearOrNew => match nearly() {
                None => return Some((self.begin(older, segment), true)),
                known => known,
            },
            // A FIN fits every SYN with a number below its own: one that was answered comes first.
            Belongs::OlderExactly => {
                exact().or_else(|| newest_where(older, |flow| fits_exactly(flow, segment)))
            }
        };
        Some((found.map_or(&mut self.newest, |found| &mut older[found]), false))
    }

    /// The flow of a segment that cannot be the newest's: where it answers another one, a new one.
    #[cold]
    fn flow_of_strange<'a>(
        &'a mut self,
        older: &'a mut Older,
        segment: &Segment,
    ) -> Option<(&'a mut Flow, bool)> {
        let first = older.strange.answered_by(segment)?;
        let older = older.flows.entry(segment.key).or_default();
        self.begin(older, first.first()?);
        supersede(older);
        first.iter().for_each(|segment| self.newest.take(segment));
        // Those before this one have passed by as the older one's: they are counted there, and name no other.
        self.newest.count_from_here();
        self.newest.first = segment.place;
        Some((&mut self.newest, true))
    }

    fn begin(&mut self, older: &mut Vec<Flow>, segment: &Segment) -> &mut Flow {
        let is_syn = segment.flags.syn();
        let waiting =
            |side| is_syn && self.newest.state(side, segment.place.time) == State::CloseWait;
        let in_close_wait = waiting(Side::A) || waiting(Side::B);
        self.newest.notes.note(Noted::SynInCloseWait, in_close_wait);
        let mut flow = Flow::new(segment);
        flow.notes.note(Noted::PortReused, true);
        let is_earlier = segment.place.time.is_set_back_from(self.newest.last.time);
        self.newest.notes.note(Noted::Disordered, is_earlier);
        flow.notes.note(Noted::Disordered, is_earlier);
        older.push(std::mem::replace(&mut self.newest, flow));
        self.reused = true;
        &mut self.newest
    }

    /// Its flows. An older one is superseded as soon as a later one is established, by whatever segment.
    pub fn flows<'a>(
        &'a self,
        key: &FlowKey,
        older: &'a Older,
    ) -> impl Iterator<Item = Cow<'a, Flow>> + use<'a> {
        let older = if self.reused { older.flows.get(key) } else { None };
        let older = older.map_or(&[][..], Vec::as_slice);
        let until = if self.reused { self.superseded(older) } else { 0 };
        let as_they_are = older.iter().enumerate().map(move |(at, flow)| {
            let mut flow = Cow::Borrowed(flow);
            if at < until && !flow.is_superseded() {
                flow.to_mut().supersede();
            }
            flow
        });
        as_they_are.chain([Cow::Borrowed(&self.newest)])
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
        let left = older.flows.entry(*key).or_default();
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
            older.flows.remove(key);
        }
        any_left
    }
}

/// Marks older connections, of which one is followed by another: those before one that is known to have ended are known to
/// have, too.
fn supersede(older: &mut [Flow]) {
    let before = older.iter_mut().rev();
    before.take_while(|flow| !flow.is_superseded()).for_each(Flow::supersede);
}

/// Are the numbers near those of an older connection?
fn is_known(older: &Older, segment: &Segment) -> bool {
    let older = older.flows.get(&segment.key);
    older.is_some_and(|older| newest_where(older, |flow| fits_nearly(flow, segment)).is_some())
}

/// The newest flow that the test holds for.
fn newest_where(older: &[Flow], test: impl Fn(&Flow) -> bool) -> Option<usize> {
    let searched = older.len().saturating_sub(OLDER_SEARCHED);
    older[searched..].iter().rposition(test).map(|at| searched + at)
}
