//! What the facts of a flow mean: close, verdict, doubts, notes, and two clocks.
//!
//! [`words`] has the words, [`mod@local`] says whose closing is judged; here is the judgement itself.
//!
//! A verdict is computed once, when a flow leaves the table or the capture ends, from the flow, the
//! policy, and what the whole capture was like ([`Tap`]). Nothing here reads a clock or changes a
//! flow, so the same flow can be judged again for another local side.

pub mod local;
pub mod words;

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::endpoints::EndpointSet;
use crate::place::{Place, Time};
use crate::tcp::closing::Fin;
use crate::tcp::flow::{Ending, Flow, Noted, Side};
use crate::tcp::half::Half;
use crate::tcp::segment::FlowKey;
use crate::tcp::seq::later;
use local::{Local, LocalBy, local};
pub use words::{Close, Doubt, Note, Reason, Verdict};

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct Policy {
    pub local: Option<EndpointSet>,
    /// A half-closed flow held less than this is `pending`.
    pub min_hold: TimeDelta,
    /// A holder that sent payload this recently uses its half of the connection.
    pub half_close_quiet: TimeDelta,
    /// Findings with doubts do not count.
    pub certain: bool,
}

/// What the capture itself was like, as far as it bears on verdicts.
#[derive(Clone, Debug)]
pub struct Tap {
    /// The latest time of any packet read, before any filter.
    pub end: Time,
    /// It holds an ACK without SYN, FIN, RST or payload: it was not filtered down to flags.
    pub bare_acks: bool,
    /// It holds a segment without payload: it was not filtered down to payload.
    pub empty_segments: bool,
    /// Packets that the kernel or the capture file says were lost.
    pub drops: u64,
    /// The file ended in the middle of a record.
    pub truncated: bool,
    /// The addresses of the interfaces captured on, where the file tells.
    pub addresses: BTreeSet<IpAddr>,
    /// Connections of a text whose ends may be those of another under other names.
    pub ambiguous: Arc<HashSet<FlowKey>>,
}

impl Default for Tap {
    fn default() -> Tap {
        Tap {
            end: Time::UNKNOWN,
            bare_acks: false,
            empty_segments: false,
            drops: 0,
            truncated: false,
            addresses: BTreeSet::new(),
            ambiguous: Arc::default(),
        }
    }
}

/// One flow, judged.
#[derive(Clone, Debug)]
pub struct Judgement {
    pub local: Local,
    pub local_by: Option<LocalBy>,
    pub close: Close,
    /// The end that has not sent FIN, where exactly one has.
    pub holder: Option<Side>,
    pub verdict: Verdict,
    pub finding: bool,
    pub doubts: Vec<Doubt>,
    pub notes: Vec<Note>,
    /// How long the holder has held its side, at least.
    pub held: Option<TimeDelta>,
    /// From the last use of the connection to the first FIN.
    pub idle_before_fin: Option<TimeDelta>,
}

impl Judgement {
    /// The holder's kernel has its socket in CLOSE-WAIT.
    pub fn confirm(self) -> Judgement {
        Judgement { doubts: Vec::new(), ..self }
    }

    /// The holder's kernel has it there no more: its FIN was not captured.
    pub fn deny(self) -> Judgement {
        Judgement {
            verdict: Verdict::Unknown(Reason::Lost),
            finding: false,
            doubts: Vec::new(),
            held: None,
            ..self
        }
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

/// Held less than this, the close may simply not be over.
const BRIEF_NS: i64 = 1_000_000_000;

/// Judges one flow.
pub fn judge(key: &FlowKey, flow: &Flow, policy: &Policy, tap: &Tap) -> Judgement {
    let (local, local_by) = local(key, flow, policy.local.as_ref(), &tap.addresses);
    let case = Case { key, flow, policy, tap, local };
    let (close, verdict) = case.verdict();
    let half_close = case.half_close();
    let held = case.held(close, verdict);
    let descriptor_may_leak = case.descriptor_may_leak(close, held) && !tap.ambiguous.contains(key);
    let finding = (verdict == Verdict::Leak || descriptor_may_leak) && local != Local::Neither;
    let has_holder = close == Close::HalfClosed || descriptor_may_leak;
    let proven = close == Close::Closed && half_close.is_some();
    // An unknown claims nothing that could be doubted.
    let claims = (has_holder || proven) && !matches!(verdict, Verdict::Unknown(_));
    let doubts = match &half_close {
        Some(half_close) if claims => case.doubts(half_close, close, held),
        _ => Vec::new(),
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
    tap: &'a Tap,
    local: Local,
}

/// Exactly one side sent FIN.
struct HalfClose<'a> {
    holder: Side,
    closing: &'a Half,
    holding: &'a Half,
    fin: &'a Fin,
}

/// Whether the FIN reached the other side.
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
            _ => return None,
        };
        let closing = self.flow.half(closer);
        Some(HalfClose {
            holder: closer.other(),
            closing,
            holding: self.flow.half(closer.other()),
            fin: self.flow.fin(closer)?,
        })
    }

    fn verdict(&self) -> (Close, Verdict) {
        match (self.flow.ending(), self.half_close()) {
            (Ending::Attempt, _) => (Close::Attempt, Verdict::Attempt),
            (Ending::Reset(_), _) => (Close::Reset, Verdict::Reset),
            (Ending::HalfClosed(_), Some(h)) if self.beyond(&h) == 1 => {
                (Close::Closed, Verdict::Closed)
            }
            (Ending::HalfClosed(_), Some(h)) => (Close::HalfClosed, self.of_half_closed(&h)),
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
        let quiet = used.and_then(|used| self.tap.end.since(used.last));
        if quiet.is_some_and(|quiet| quiet < nanos(self.policy.half_close_quiet)) {
            return Verdict::HalfClosed;
        }
        let held = self.held_until(h, self.tap.end);
        if held.unwrap_or(0) < nanos(self.policy.min_hold) {
            return Verdict::Pending;
        }
        Verdict::Leak
    }

    fn unknown(&self, h: &HalfClose) -> Option<Reason> {
        let unseen = h.holding.packets() == 0;
        // Without any bare ACK in the capture, a side can be silent in it and alive all the same.
        let one_sided = unseen && (self.tap.bare_acks || !h.fin.with_ack);
        if self.tap.ambiguous.contains(self.key) {
            Some(Reason::Ambiguous)
        } else if self.key.is_self() {
            Some(Reason::Itself)
        } else if one_sided {
            Some(Reason::OneSided)
        } else if self.beyond(h) > 1 {
            Some(Reason::Lost)
        } else if !self.tap.empty_segments && h.fin.acked.is_none() {
            Some(Reason::Filtered)
        } else {
            None
        }
    }

    /// How far the closer, after its FIN, acknowledged beyond all that the holder was seen to send
    /// and that the closer had acknowledged before. One is a FIN that was not captured.
    fn beyond(&self, h: &HalfClose) -> i32 {
        let (Some(ack), Some(sent)) = (h.closing.ack(), h.holding.snd_max()) else {
            return 0;
        };
        if !self.tap.bare_acks {
            return 0;
        }
        let known = later(h.fin.ack_then, sent);
        ack.ahead_of(known).max(0)
    }

    fn acknowledged(&self, h: &HalfClose) -> Acknowledged {
        if h.fin.acked.is_some() {
            return Acknowledged::Seen;
        }
        let after = self.tap.end.since(h.fin.place.time).unwrap_or(0);
        let enough = match self.tap.bare_acks {
            false => after >= UNREPEATED_NS,
            true => after >= UNREPEATED_AMONG_ACKS_NS && h.holding.packets() > 0,
        };
        if enough && !h.fin.repeated { Acknowledged::Assumed } else { Acknowledged::No }
    }

    /// Since when the holder has held: the first ACK that covers the FIN, or the FIN itself where
    /// the capture cannot show that ACK.
    fn held_from(&self, fin: &Fin, next: Option<Place>) -> Place {
        match fin.acked {
            Some(place) if self.tap.bare_acks || Some(place) != next => place,
            _ => fin.place,
        }
    }

    /// Nanoseconds.
    fn held_until(&self, h: &HalfClose, end: Time) -> Option<i64> {
        end.since(self.held_from(h.fin, None).time)
    }

    fn held(&self, close: Close, verdict: Verdict) -> Option<i64> {
        match (close, verdict) {
            (_, Verdict::Leak | Verdict::Pending | Verdict::HalfClosed | Verdict::PeerHolds) => {
                self.held_until(&self.half_close()?, self.tap.end)
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
        if fin.acked.is_none() && self.tap.bare_acks {
            return None;
        }
        let from = self.held_from(fin, Some(end));
        (from.order() <= end.order()).then(|| end.time.since(from.time))?
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
        let idle = fin.place.time.since(self.flow.busy_until())?;
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

    fn doubts(&self, h: &HalfClose, close: Close, held: Option<i64>) -> Vec<Doubt> {
        let acked_beyond_sent = h.fin.ack_then.is_some_and(|ack| {
            let sent = h.fin.peer_snd_max_then;
            sent.is_none_or(|sent| ack.is_after(sent))
        });
        // A bare ACK of the holder can show by its number what was not captured itself.
        let acked_uncaptured = h.closing.ack().zip(h.holding.captured_max());
        let acked_uncaptured =
            acked_uncaptured.is_some_and(|(ack, captured)| ack.is_after(captured));
        // What a host sends to itself is seen arriving alone, and has no path to get lost on.
        let has_path = !self.key.endpoint(self.flow.end(h.holder)).ip.is_loopback();
        let arrives_only = has_path
            && self.local.judges(h.holder)
            && h.holding.seen_arriving()
            && !h.holding.seen_leaving();
        let half_closed = close == Close::HalfClosed;
        let assumed = half_closed && self.acknowledged(h) == Acknowledged::Assumed
            || close == Close::Reset && h.fin.acked.is_none()
            // Among packets with payload alone, a bare FIN of the holder could not show.
            || !self.tap.empty_segments;
        [
            (half_closed && held.is_some_and(|held| held < BRIEF_NS), Doubt::Brief),
            (
                self.flow.notes.has(Noted::Midstream) && !h.holding.sent_payload(),
                Doubt::FinBeforeCapture,
            ),
            (
                acked_beyond_sent || acked_uncaptured && close == Close::HalfClosed,
                Doubt::LostBeforeFin,
            ),
            (close == Close::Closed, Doubt::FinImplied),
            (assumed, Doubt::Unconfirmed),
            (self.tap.drops > 0, Doubt::Dropped),
            (arrives_only, Doubt::RemoteTap),
            (self.tap.truncated, Doubt::Truncated),
        ]
        .into_iter()
        .filter_map(|(applies, doubt)| applies.then_some(doubt))
        .collect()
    }

    fn notes(&self, close: Close, descriptor_may_leak: bool) -> Vec<Note> {
        let notes = self.flow.notes;
        let may_imply = matches!(close, Close::Open | Close::Reset);
        let fin_implied =
            may_imply && [Side::A, Side::B].into_iter().any(|side| fin_was_missed(self.flow, side));
        [
            (notes.has(Noted::Midstream), Note::Midstream),
            (notes.has(Noted::PortReused), Note::PortReused),
            (notes.has(Noted::FinRetransmitted), Note::FinRetransmitted),
            (notes.has(Noted::SynInCloseWait), Note::SynInCloseWait),
            (fin_implied, Note::PeerFinImplied),
            (notes.has(Noted::RstOddSeq), Note::RstOddSeq),
            (notes.has(Noted::RstWithoutEffect), Note::RstWithoutEffect),
            (self.flow.is_refused(), Note::Refused),
            (notes.has(Noted::Duplicates), Note::Duplicates),
            (notes.has(Noted::TimeWentBack), Note::TimeWentBack),
            (descriptor_may_leak, Note::DescriptorMayLeak),
        ]
        .into_iter()
        .filter_map(|(applies, note)| applies.then_some(note))
        .collect()
    }
}

/// The other side acknowledged one beyond all that `side` was seen to send, and no FIN of it was seen.
fn fin_was_missed(flow: &Flow, side: Side) -> bool {
    let acked_beyond_sent = flow.half(side.other()).ack().zip(flow.half(side).snd_max());
    flow.fin(side).is_none() && acked_beyond_sent.is_some_and(|(ack, sent)| ack.ahead_of(sent) == 1)
}

fn nanos(delta: TimeDelta) -> i64 {
    delta.num_nanoseconds().unwrap_or(i64::MAX)
}
