//! The meaning of a flow's facts: close, verdict, doubts, notes, and two clocks.
//!
//! [`words`] has the words, [`mod@local`] says whose closing is judged, `doubts` what weakens a verdict;
//! here is the judgement itself.
//!
//! A verdict is computed once, when a flow leaves the table or the capture ends, from the flow, the
//! policy, and what the whole capture was like ([`CaptureFacts`]). Nothing here reads a clock or changes a
//! flow, so the same flow can be judged again for another local side.

mod doubts;
mod explained;
pub mod local;
mod standing;
pub mod words;

use chrono::TimeDelta;

use crate::endpoints::EndpointSet;
use crate::facts::CaptureFacts;
use crate::place::{Place, Time};
use crate::set::Set;
use crate::tcp::closing::Fin;
use crate::tcp::flow::{Ending, Flow, Noted};
use crate::tcp::half::Half;
use crate::tcp::segment::FlowKey;
use crate::tcp::seq::later;
use crate::tcp::side::Side;
pub use doubts::BRIEF_NS;
use local::{Local, LocalBy, local};
pub use standing::Standing;
pub use words::{Close, Doubt, Note, Reason, Verdict};

/// Choices of the user that a verdict depends on.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Ends that are local (`--local`); none where the capture is to tell.
    pub local: Option<EndpointSet>,
    /// A half-closed flow held less than this is `pending`.
    pub min_hold: TimeDelta,
    /// A holder that sent payload this recently uses its half of the connection.
    pub half_close_quiet: TimeDelta,
    /// Findings with doubts do not count.
    pub certain: bool,
    /// The end of captures, if it is not their last packets.
    pub end: Option<EndedAt>,
}

/// The end of a capture that cannot say it itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedAt {
    /// A point in time.
    Time(Time),
    /// The time its last file was changed last.
    Modified,
}

/// As for files on the command line: no `--local`, every hold counts.
impl Default for Policy {
    fn default() -> Policy {
        Policy {
            local: None,
            min_hold: TimeDelta::zero(),
            half_close_quiet: Policy::HALF_CLOSE_QUIET,
            certain: false,
            end: None,
        }
    }
}

impl Policy {
    /// Silence after which a half of a connection is no longer in use.
    pub const HALF_CLOSE_QUIET: TimeDelta = TimeDelta::seconds(30);
}

/// One flow, judged.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The side whose closing is judged.
    pub local: Local,
    /// The ground on which it is local; none where it is not known.
    pub local_by: Option<LocalBy>,
    /// The plain fact, whoever is local.
    pub close: Close,
    /// The end that has not sent FIN, where exactly one has.
    pub holder: Option<Side>,
    /// The meaning of it for the local side.
    pub verdict: Verdict,
    /// True for what the exit status counts: somebody owes a FIN.
    pub finding: bool,
    /// Reasons to trust it less.
    pub doubts: Set<Doubt>,
    /// Observations beside it.
    pub notes: Set<Note>,
    /// The time for which the holder has held its side, at least.
    pub held: Option<TimeDelta>,
    /// From the last use of the connection to the first FIN.
    pub idle_before_fin: Option<TimeDelta>,
}

impl Judgement {
    /// The holder's kernel has its socket in CLOSE-WAIT.
    pub fn confirm(self) -> Judgement {
        let finding = self.finding || self.verdict == Verdict::Leak && self.local != Local::Neither;
        Judgement { finding, doubts: Set::default(), ..self }
    }

    /// Has a doubt, or has it not, as what was said on the connection tells.
    #[must_use]
    pub fn doubted(mut self, doubt: Doubt, applies: bool, certain: bool) -> Judgement {
        if matches!(self.verdict, Verdict::Unknown(_)) {
            return self;
        }
        let Standing { finding, hidden, .. } = Standing::from(&self);
        self.doubts = if applies { self.doubts.with(doubt) } else { self.doubts.without(doubt) };
        self.finding = (finding || hidden) && (self.doubts.is_empty() || !certain);
        self
    }

    /// The holder's kernel has it there no more: its FIN was not captured.
    pub fn deny(self) -> Judgement {
        Judgement {
            verdict: Verdict::Unknown(Reason::Lost),
            finding: false,
            doubts: Set::default(),
            held: None,
            ..self
        }
    }

    /// The kernel has the socket of `holder` in CLOSE-WAIT, though its packets say that the connection
    /// has ended, or do not tell: what they say never reached it.
    pub fn hold(mut self, holder: Side, held: Option<TimeDelta>, verdict: Verdict) -> Judgement {
        self.notes = self.notes.with(Note::KernelHolds);
        Judgement {
            close: Close::HalfClosed,
            holder: Some(holder),
            verdict,
            finding: verdict == Verdict::Leak && self.local != Local::Neither,
            doubts: Set::default(),
            held,
            ..self
        }
    }

    /// It has ended after all, as another capture shows.
    #[must_use]
    pub fn ended(self, close: Close, verdict: Verdict) -> Judgement {
        let doubts = Set::default();
        Judgement { close, verdict, holder: None, finding: false, doubts, held: None, ..self }
    }

    /// Its holder still sends, as another capture shows.
    #[must_use]
    pub fn in_use(self) -> Judgement {
        let doubts = Set::default();
        Judgement { verdict: Verdict::HalfClosed, finding: false, doubts, ..self }
    }

    /// Is it a finding, could it become one, or can it not be told?
    pub fn is_notable(&self) -> bool {
        self.finding
            || self.doubts.contains(&Doubt::FinImplied)
            || matches!(
                self.verdict,
                Verdict::Pending
                    | Verdict::HalfClosed
                    | Verdict::FinUnacked
                    | Verdict::PeerHolds
                    | Verdict::Unknown(_)
            )
    }
}

/// A capture this long after a FIN would show its retransmission: first without any bare ACK in the
/// capture, then with.
const UNREPEATED_NS: i64 = 1_000_000_000;
const UNREPEATED_AMONG_ACKS_NS: i64 = 3_000_000_000;

/// An ACK that stands for so long covers a FIN that was not captured, and not the next packet.
const STANDS_NS: i64 = 1_000_000_000;

/// Judges one flow.
pub fn judge(key: &FlowKey, flow: &Flow, policy: &Policy, facts: &CaptureFacts) -> Judgement {
    let (local, local_by) = local(key, flow, policy.local.as_ref(), facts);
    let case = Case { key, flow, policy, facts, local };
    let (close, verdict) = case.verdict();
    let half_close = case.half_close();
    let held = case.held(close, verdict);
    let descriptor_may_leak = case.descriptor_may_leak(close, held) && !facts.is_ambiguous(key);
    let finding = (verdict == Verdict::Leak || descriptor_may_leak) && local != Local::Neither;
    let has_holder = close == Close::HalfClosed || descriptor_may_leak;
    let proven = close == Close::Closed && half_close.is_some();
    // An unknown claims nothing that could be doubted.
    let claims = (has_holder || proven) && !matches!(verdict, Verdict::Unknown(_));
    let doubts = match &half_close {
        Some(half_close) if claims => case.doubts(half_close, close, held),
        _ => Set::default(),
    };
    let shown = has_holder.then_some(half_close).flatten();
    Judgement {
        local,
        local_by,
        close,
        holder: shown.map(|h| h.holder),
        verdict,
        finding: finding && (doubts.is_empty() || !policy.certain),
        notes: case.notes(close, descriptor_may_leak),
        doubts,
        held: held.map(TimeDelta::nanoseconds),
        idle_before_fin: case.idle_before_fin(),
    }
}

/// One flow with all that bears on it.
struct Case<'a> {
    key: &'a FlowKey,
    flow: &'a Flow,
    policy: &'a Policy,
    facts: &'a CaptureFacts,
    local: Local,
}

/// Exactly one side sent FIN.
struct HalfClose<'a> {
    holder: Side,
    closing: &'a Half,
    holding: &'a Half,
    /// As seen, or as it must have been.
    fin: Fin,
    /// The FIN itself was not captured.
    fin_missed: bool,
}

/// The evidence that the FIN reached the other side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Acknowledged {
    Seen,
    /// It was not sent again, so it must have been.
    Assumed,
    No,
}

impl<'a> Case<'a> {
    fn half_close(&self) -> Option<HalfClose<'a>> {
        let closer = match (self.flow.fin(Side::A), self.flow.fin(Side::B)) {
            (Some(_), None) => Side::A,
            (None, Some(_)) => Side::B,
            (None, None) => return self.half_close_by_ack(),
            (Some(_), Some(_)) => return None,
        };
        Some(self.half_closed_by(closer, *self.flow.fin(closer)?, false))
    }

    fn half_closed_by(&self, closer: Side, fin: Fin, fin_missed: bool) -> HalfClose<'a> {
        let holder = closer.other();
        let (closing, holding) = (self.flow.half(closer), self.flow.half(holder));
        HalfClose { holder, closing, holding, fin, fin_missed }
    }

    /// No FIN was captured, but one side's was acknowledged, and that ACK stood.
    fn half_close_by_ack(&self) -> Option<HalfClose<'a>> {
        if self.flow.ending() != Ending::Open || !self.facts.shows_bare_acks() {
            return None;
        }
        let missed = [Side::A, Side::B].map(|side| self.flow.fin_was_missed(side));
        let closer = match missed {
            [true, false] => Side::A,
            [false, true] => Side::B,
            // Both have closed, or neither.
            _ => return None,
        };
        // Of the other side, too, the highest number may be a FIN's: it shows in bare ACKs after it.
        if self.flow.is_acked_one_beyond(closer.other()) {
            return None;
        }
        let ack = self.flow.early_ack(closer.other())?;
        let stands = self.facts.end_after(ack.place).since(ack.place.time) >= Some(STANDS_NS);
        let is_last = self.flow.half(closer.other()).ack() == Some(ack.number);
        (stands && is_last).then(|| self.half_closed_by(closer, Fin::missed(ack), true))
    }

    fn verdict(&self) -> (Close, Verdict) {
        match (self.flow.ending(), self.half_close()) {
            (Ending::Attempt, _) => (Close::Attempt, Verdict::Attempt),
            (Ending::Reset(_), _) => (Close::Reset, Verdict::Reset),
            (Ending::HalfClosed(_), Some(h)) if self.beyond(&h) == 1 => {
                (Close::Closed, Verdict::Closed)
            }
            (Ending::HalfClosed(_) | Ending::Open, Some(h)) => {
                (Close::HalfClosed, self.of_half_closed(&h))
            }
            (Ending::Closed, _) => (Close::Closed, Verdict::Closed),
            (Ending::Open | Ending::HalfClosed(_), _) => (Close::Open, Verdict::Open),
        }
    }

    /// The first that applies, in the order of the contract.
    fn of_half_closed(&self, h: &HalfClose) -> Verdict {
        if let Some(reason) = self.unknown(h) {
            return Verdict::Unknown(reason);
        }
        if self.acknowledged(h) == Acknowledged::No {
            return Verdict::FinUnacked;
        }
        if !self.local.judges(h.holder) {
            return Verdict::PeerHolds;
        }
        let used = self.flow.payload_after(h.holder, h.fin.end);
        let quiet = used.and_then(|used| self.facts.end_after(used.last).since(used.last.time));
        if quiet.is_some_and(|quiet| quiet < nanos(self.policy.half_close_quiet)) {
            return Verdict::HalfClosed;
        }
        let held = self.held_until_end(h);
        if held.unwrap_or(0) < nanos(self.policy.min_hold) {
            return Verdict::Pending;
        }
        Verdict::Leak
    }

    fn unknown(&self, h: &HalfClose) -> Option<Reason> {
        let unseen = h.holding.packets() == 0;
        // Without any bare ACK in the capture, a side can be silent in it and alive all the same.
        let one_sided = unseen && (self.facts.shows_bare_acks() || !h.fin.with_ack);
        if self.facts.is_ambiguous(self.key) {
            Some(Reason::Ambiguous)
        } else if self.key.is_self() {
            Some(Reason::Itself)
        } else if one_sided {
            Some(Reason::OneSided)
        } else if self.beyond(h) > 1 {
            Some(Reason::Lost)
        } else if !self.facts.shows_empty_segments() && h.fin.acked.is_none() {
            Some(Reason::Filtered)
        } else if self.flow.notes.has(Noted::Disordered) {
            Some(Reason::Disordered)
        } else if self.flow.is_superseded() {
            Some(Reason::Reused)
        } else {
            None
        }
    }

    /// Counts how far the closer, after its FIN, acknowledged beyond all that the holder was seen
    /// to send and that the closer had acknowledged before. One is a FIN that was not captured.
    fn beyond(&self, h: &HalfClose) -> i32 {
        let acked = self.flow.believed_ack(h.holder.other());
        let (Some(ack), Some(sent)) = (acked, h.holding.snd_max()) else {
            return 0;
        };
        if !self.facts.shows_bare_acks() {
            return 0;
        }
        let known = later(h.fin.ack_then, sent);
        ack.ahead_of(known).max(0)
    }

    fn acknowledged(&self, h: &HalfClose) -> Acknowledged {
        if h.fin.acked.is_some() {
            return Acknowledged::Seen;
        }
        if h.fin.denied || !h.fin.with_ack {
            return Acknowledged::No;
        }
        let again = self.flow.fin_again(h.holder.other());
        let sent_last = again.map_or(h.fin.place.time, |again| again.last);
        let after = self.facts.end_after(h.fin.place).since(sent_last).unwrap_or(0);
        let assumed = match self.facts.shows_bare_acks() {
            // Sent again, it would come after twice the pause at the latest (RFC 6298).
            false => {
                let pause = again.map_or(0, |again| again.pause);
                after >= UNREPEATED_NS.max(pause.saturating_mul(2))
            }
            true => after >= UNREPEATED_AMONG_ACKS_NS && h.holding.packets() > 0 && again.is_none(),
        };
        if assumed { Acknowledged::Assumed } else { Acknowledged::No }
    }

    /// Since when the holder has held: the first ACK that covers the FIN, or the FIN itself where
    /// the capture cannot show that ACK.
    fn held_from(&self, fin: &Fin, next: Option<Place>) -> Place {
        match fin.acked {
            Some(place) if self.facts.shows_bare_acks() || Some(place) != next => place,
            _ => fin.place,
        }
    }

    /// Nanoseconds.
    fn held_until_end(&self, h: &HalfClose) -> Option<i64> {
        let from = self.held_from(&h.fin, None);
        self.facts.end_after(from).since(from.time)
    }

    fn held(&self, close: Close, verdict: Verdict) -> Option<i64> {
        match (close, verdict) {
            (_, Verdict::Leak | Verdict::Pending | Verdict::HalfClosed | Verdict::PeerHolds) => {
                self.held_until_end(&self.half_close()?)
            }
            (Close::Closed, _) => {
                let (first, second) = self.fins()?;
                self.held_before(first, second.place)
            }
            (Close::Reset, _) => {
                let (_, first) = self.flow.first_fin()?;
                let (_, rst) = self.flow.reset()?;
                self.held_before(first, rst)
            }
            _ => None,
        }
    }

    /// From the ACK of `fin` to `end`, if they came in that order.
    fn held_before(&self, fin: &Fin, end: Place) -> Option<i64> {
        if fin.acked.is_none() && self.facts.shows_bare_acks() {
            return None;
        }
        let from = self.held_from(fin, Some(end));
        (from.order() <= end.order()).then(|| end.time.measured_since(from.time))?
    }

    /// Both FINs, in the order of capture.
    fn fins(&self) -> Option<(&'a Fin, &'a Fin)> {
        let a = self.flow.fin(Side::A)?;
        let b = self.flow.fin(Side::B)?;
        let a_first = a.place.order() <= b.place.order();
        Some(if a_first { (a, b) } else { (b, a) })
    }

    fn idle_before_fin(&self) -> Option<TimeDelta> {
        let (_, fin) = self.flow.first_fin()?;
        let idle = fin.place.time.measured_since(self.flow.last_use().time)?;
        Some(TimeDelta::nanoseconds(idle))
    }

    /// The peer reset the connection after local had held CLOSE-WAIT for long and done nothing: the
    /// kernel drops the socket from its list, the process keeps the descriptor.
    fn descriptor_may_leak(&self, close: Close, held: Option<i64>) -> bool {
        let (Some(h), Some((by, _))) = (self.half_close(), self.flow.reset()) else {
            return false;
        };
        close == Close::Reset
            && by == h.holder.other()
            && self.local.judges(h.holder)
            && !self.key.is_self()
            && held >= Some(nanos(self.policy.half_close_quiet))
            && self.flow.payload_after(h.holder, h.fin.end).is_none()
    }

    /// One side acknowledges more and more of what the other sent, of which nothing was captured: neither would its FIN.
    fn is_of_one_side(&self) -> bool {
        [Side::A, Side::B].into_iter().any(|side| {
            let (unseen, seen) = (self.flow.half(side), self.flow.half(side.other()));
            unseen.packets() == 0 && seen.ack() != seen.first_ack()
        })
    }

    fn notes(&self, close: Close, descriptor_may_leak: bool) -> Set<Note> {
        let may_imply = matches!(close, Close::Open | Close::Reset);
        let fin_implied =
            may_imply && [Side::A, Side::B].into_iter().any(|side| self.flow.fin_was_missed(side));
        let judged = [
            (fin_implied, Note::PeerFinImplied),
            (self.flow.is_refused(), Note::Refused),
            (descriptor_may_leak, Note::DescriptorMayLeak),
            (self.is_in_last_ack(close), Note::LastAck),
            (self.was_used_after_fin(close), Note::UsedAfterFin),
            (self.was_dropped_idle(), Note::DroppedIdle),
            (close == Close::Open && self.is_of_one_side(), Note::OneSideCaptured),
        ];
        let judged = judged.into_iter().filter_map(|(applies, note)| applies.then_some(note));
        self.flow.notes.iter().filter_map(Note::of).chain(judged).collect()
    }
}

impl Case<'_> {
    /// Both sides closed, and nobody acknowledged the second FIN, however often it came.
    fn is_in_last_ack(&self, close: Close) -> bool {
        let Some((first, _)) = self.flow.first_fin() else { return false };
        let second = first.other();
        close == Close::Closed
            && self.facts.shows_bare_acks()
            && self.flow.fin(second).is_some_and(|fin| fin.acked.is_none())
            && self.flow.fin_again(second).is_some()
    }

    /// Local sent something after the peer's FIN, and was answered by a reset.
    fn was_used_after_fin(&self, close: Close) -> bool {
        let (Some(h), Some((by, _))) = (self.half_close(), self.flow.reset()) else {
            return false;
        };
        close == Close::Reset
            && by == h.holder.other()
            && self.flow.payload_after(h.holder, h.fin.end).is_some()
    }

    /// Its first use after a long silence was answered by a reset, or by nothing: somebody between forgot the
    /// connection.
    fn was_dropped_idle(&self) -> bool {
        let Some(silence) = self.flow.silence() else { return false };
        if self.flow.first_fin().is_some() {
            return false;
        }
        // Who resets a connection that nobody used meanwhile, has waited for long enough.
        let reset = self
            .flow
            .reset()
            .is_some_and(|(by, at)| by != silence.by && at.order() > silence.ended.order());
        let unheard = self.flow.last_payload().is_some_and(|last| {
            last.order() >= silence.ended.order()
                && self.facts.end().since(silence.ended.time) >= Some(STANDS_NS)
        });
        reset || unheard
    }
}

fn nanos(delta: TimeDelta) -> i64 {
    delta.num_nanoseconds().unwrap_or(i64::MAX)
}
