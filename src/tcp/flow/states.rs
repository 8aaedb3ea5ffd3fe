//! The states of both sides, computed from what was seen (RFC 9293, figure 5).

use super::Flow;
use crate::place::Time;
use crate::tcp::manner::Began;
use crate::tcp::side::Side;
use crate::tcp::state::{Event, State};

/// Twice the maximum segment lifetime, "arbitrarily defined to be 2 minutes" (RFC 9293, 3.4.2).
pub(crate) const TWO_MSL_NS: i64 = 240_000_000_000;

impl Flow {
    /// The state of a side at `now`: figure 5, note 3 for a reset by either side, and the time-out.
    pub fn state(&self, side: Side, now: Time) -> State {
        let reset = [Side::A, Side::B].into_iter().any(|side| self.rst(side).is_some());
        let timed_out = now.since(self.last.time) >= Some(TWO_MSL_NS);
        let start = self.start(side);
        self.events(side)
            .into_iter()
            .chain([(reset, Event::Rst), (timed_out, Event::TwoMsl)])
            .filter(|(happened, _)| *happened)
            .fold(start, |state, (_, event)| state.next(event).unwrap_or(state))
    }

    pub(in crate::tcp) fn start(&self, side: Side) -> State {
        match (self.manner.began(), side) {
            (Began::Syn, Side::A) => State::Closed,
            (Began::Syn, Side::B) => State::Listen,
            // It answers a SYN that the tap missed, or will see late.
            (Began::SynAck, Side::A) => State::Listen,
            (Began::SynAck, Side::B) => State::SynSent,
            // Both ends have been connected for a while.
            (Began::Midstream, _) => State::Established,
        }
    }

    /// Returns the events of a side in the order it did them, from the facts alone: so a packet
    /// that is seen late, or twice, leads to the same state. An event that has no arrow from the
    /// state before it moves nothing.
    pub(in crate::tcp) fn events(&self, side: Side) -> [(bool, Event); 7] {
        let (me, peer) = (self.half(side), self.half(side.other()));
        let [first, second, third] = self.closing_events(side);
        [
            (me.isn().is_some(), Event::SndSyn),
            (me.sent_syn_ack() || self.syn_ack_missed(side), Event::SndSynAck),
            (me.has_acked_syn_of(peer), Event::SndAckOfSyn),
            (peer.has_acked_syn_of(me), Event::RcvAckOfSyn),
            first,
            second,
            third,
        ]
    }

    /// `B` acknowledged the SYN, and the tap missed with what.
    fn syn_ack_missed(&self, side: Side) -> bool {
        let (a, b) = (self.half(Side::A), self.half(Side::B));
        let answered = b.ack().is_some_and(|ack| a.counts_syn(ack));
        side == Side::B && self.manner.began() == Began::Syn && b.isn().is_none() && answered
    }
}
