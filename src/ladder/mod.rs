//! One connection step by step: what each packet changes, and what was said in it.
//!
//! A [`Climb`] sees a flow after each of its segments and compares it with what it was before. Numbers
//! are relative to each side's SYN, or to its first octet seen, as tcpdump counts them.

pub mod said;

use crate::attach::{Facts, Identity};
use crate::place::{Place, Time};
use crate::tcp::flow::Flow;
use crate::tcp::segment::{End, Flags, Segment};
use crate::tcp::seq::Seq;
use crate::tcp::side::Side;
use crate::tcp::state::State;
use said::{Said, said};

/// One packet.
#[derive(Clone, Debug)]
pub struct Step {
    /// The packet.
    pub place: Place,
    /// The side that sent it.
    pub from: Side,
    /// Its control bits.
    pub flags: Flags,
    /// Its sequence number, relative to the sender's SYN.
    pub seq: i64,
    /// Octets of payload.
    pub len: u32,
    /// The number that it acknowledges, relative to the other side's SYN; none without ACK.
    pub ack: Option<i64>,
    /// States of `a` and `b` after the packet.
    pub states: [State; 2],
    /// They were others before.
    pub moved: bool,
    /// Events that the packet brings, in their order.
    pub events: Vec<LadderEvent>,
    /// Sentences of the protocol that the packet completed, and the protocol.
    pub said: Vec<Said>,
    /// The protocol that it was read as.
    pub protocol: Option<Identity>,
}

/// Something that a packet brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LadderEvent {
    /// This side is done.
    Fin(Side),
    /// Nanoseconds after the first.
    FinAgain(Side, Option<i64>),
    /// This side received the other's FIN, and has not closed.
    CloseWait(Side),
    /// This side closed, so long after it had received the other's FIN.
    Closed(Side, Option<i64>),
    /// This side reset it; the other, or itself, had been in CLOSE-WAIT for so long.
    Reset(Side, Option<i64>),
    /// New payload after the other side's FIN.
    Used(Side, u32),
    /// Payload that was sent before.
    SentAgain,
    /// A keep-alive: an octet at most, of what was acknowledged long ago.
    KeepAlive,
}

impl Step {
    /// Does it bear on how the connection begins or ends?
    pub fn is_marked(&self) -> bool {
        let marks =
            |event: &LadderEvent| !matches!(event, LadderEvent::SentAgain | LadderEvent::KeepAlive);
        self.moved || self.events.iter().any(marks)
    }
}

/// The numbers of one side, counted on where they wrap.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    /// A number, and what it is relative to the first.
    known: Option<(Seq, i64)>,
    /// The end of all that was sent.
    sent: i64,
}

impl Numbers {
    /// Relative; `first` is what the first number becomes.
    fn relative(&mut self, seq: Seq, first: i64) -> i64 {
        let (base, at) = *self.known.get_or_insert((seq, first));
        let at = at + i64::from(seq.ahead_of(base));
        self.known = Some((seq, at));
        at
    }
}

/// The flow as it was before a packet.
#[derive(Clone, Copy, Debug, Default)]
struct Before {
    states: Option<[State; 2]>,
    fin: [bool; 2],
    rst: [bool; 2],
    used: [bool; 2],
}

impl Before {
    fn of(flow: &Flow, now: Time, used: [bool; 2]) -> Before {
        let sides = [Side::A, Side::B];
        Before {
            states: Some(sides.map(|side| flow.state(side, now))),
            fin: sides.map(|side| flow.fin(side).is_some()),
            rst: sides.map(|side| flow.rst(side).is_some()),
            used,
        }
    }
}

/// Follows one flow.
#[derive(Debug, Default)]
pub struct Climb {
    numbers: [Numbers; 2],
    before: Before,
    facts: Option<Facts>,
}

impl Climb {
    /// The next segment, which `flow` has taken; `facts`: what has been said, if it said anything.
    pub fn step(&mut self, flow: &Flow, segment: &Segment, facts: Option<Facts>) -> Step {
        let from = flow.side(segment.from);
        let (seq, ack, new) = self.count(from, segment);
        let mut now = Before::of(flow, segment.place.time, self.before.used);
        let states = now.states.unwrap_or([State::Closed; 2]);
        let mut events = self.close_events(flow, segment, from, &now);
        let after_fin = flow.fin(from.other()).is_some_and(|fin| {
            segment.flags.ack() && segment.ack.covers(fin.end) && !segment.flags.rst()
        });
        if new > 0 && after_fin && !std::mem::replace(&mut now.used[from as usize], true) {
            events.push(LadderEvent::Used(from, new));
        }
        if new == 0 && segment.is_plain() && self.is_keep_alive(from, seq, segment.len) {
            events.push(LadderEvent::KeepAlive);
        } else if new == 0 && segment.len > 0 && segment.is_plain() {
            events.push(LadderEvent::SentAgain);
        }
        let moved = self.before.states != Some(states);
        self.before = now;
        let protocol = facts.as_ref().map(|facts| facts.protocol);
        let said = facts.map_or(Vec::new(), |facts| self.say(facts, segment.from));
        let (flags, len) = (segment.flags, segment.len);
        Step {
            place: segment.place,
            from,
            flags,
            seq,
            len,
            ack,
            states,
            moved,
            events,
            said,
            protocol,
        }
    }

    /// The relative numbers, and the octets that were not sent before.
    fn count(&mut self, from: Side, segment: &Segment) -> (i64, Option<i64>, u32) {
        let first = i64::from(!segment.flags.syn());
        let own = &mut self.numbers[from as usize];
        // A RST can have any number, and begins nothing.
        let seq = match (segment.flags.rst(), own.known) {
            (true, None) => Numbers::default().relative(segment.seq, first),
            (true, Some(_)) => { *own }.relative(segment.seq, first),
            _ => own.relative(segment.seq, first),
        };
        let end = seq + i64::from(segment.flags.syn()) + i64::from(segment.len);
        let new = if segment.flags.rst() { 0 } else { (end - own.sent).max(0) };
        let new = new.min(i64::from(segment.len)) as u32;
        if !segment.flags.rst() {
            own.sent = own.sent.max(end);
        }
        let others = &mut self.numbers[from.other() as usize];
        let ack = segment.flags.ack().then(|| match segment.flags.rst() {
            true => { *others }.relative(segment.ack, 1),
            false if others.known.is_none() => others.relative(segment.ack, 1),
            false => { *others }.relative(segment.ack, 1),
        });
        (seq, ack, new)
    }

    /// One below all that was sent, with one octet or none (RFC 9293, 3.8.4).
    fn is_keep_alive(&self, from: Side, seq: i64, len: u32) -> bool {
        let sent = self.numbers[from as usize].sent;
        len <= 1 && seq + 1 == sent && sent > 1
    }

    fn close_events(
        &self,
        flow: &Flow,
        segment: &Segment,
        from: Side,
        now: &Before,
    ) -> Vec<LadderEvent> {
        let mut events = Vec::new();
        let at = segment.place.time;
        let waiting = |side: Side| {
            let acked = flow.fin(side.other())?.acked?;
            flow.fin(side).is_none_or(|fin| fin.place.order() > acked.order()).then_some(acked)
        };
        let waited = |side: Side| at.since(waiting(side)?.time);
        if now.rst[from as usize] && !self.before.rst[from as usize] {
            let held =
                [Side::A, Side::B].into_iter().find(|side| self.was(*side, State::CloseWait));
            events.push(LadderEvent::Reset(from, held.and_then(waited)));
        }
        if segment.flags.fin() {
            events.push(match (self.before.fin[from as usize], flow.fin(from)) {
                (true, Some(first)) => LadderEvent::FinAgain(from, at.since(first.place.time)),
                _ if self.was(from, State::CloseWait) => LadderEvent::Closed(from, waited(from)),
                _ => LadderEvent::Fin(from),
            });
        }
        for side in [Side::A, Side::B] {
            let is_there = now.states.is_some_and(|s| s[side as usize] == State::CloseWait);
            if is_there && !self.was(side, State::CloseWait) {
                events.push(LadderEvent::CloseWait(side));
            }
        }
        events
    }

    fn was(&self, side: Side, state: State) -> bool {
        self.before.states.is_some_and(|states| states[side as usize] == state)
    }

    fn say(&mut self, facts: Facts, from: End) -> Vec<Said> {
        let before = self.facts.take().unwrap_or_else(|| Facts::of(facts.protocol));
        let said = said(&before, &facts, from);
        self.facts = Some(facts);
        said
    }
}
