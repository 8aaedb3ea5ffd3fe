//! A socket's states with their times, from the facts of its flow.

use super::flow::{Ending, Flow, TWO_MSL_NS};
use super::side::Side;
use super::state::{Event, State};
use crate::place::Time;

/// States that a socket goes through once it is there, at most: figure 5 has no longer path.
const MOST: usize = 7;

/// The states of one side in their order, each with the time it began.
///
/// A flow does not keep when its handshake ended: the state after it begins with its first packet.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    steps: [(Time, State); MOST],
    len: usize,
}

impl Life {
    /// A life that begins in a state.
    pub fn new(began: Time, state: State) -> Life {
        Life { steps: [(began, state); MOST], len: 1 }
    }

    /// Moves to a state, unless it is there. Time does not go back.
    pub fn goes_to(&mut self, state: State, at: Time) {
        let Some(&(since, now)) = self.steps().last() else { return };
        if now != state && self.len < MOST {
            self.steps[self.len] = (at.max(since), state);
            self.len += 1;
        }
    }

    fn moves(&mut self, event: Event, at: Time) {
        let now = self.steps().last().map(|(_, state)| *state);
        if let Some(next) = now.and_then(|now| now.next(event)) {
            self.goes_to(next, at);
        }
    }

    /// Each state and the time it began, in order.
    pub fn steps(&self) -> &[(Time, State)] {
        self.steps.get(..self.len).unwrap_or_default()
    }
}

impl Flow {
    /// The states that a side's socket has been in until `end`. The last of them is that of
    /// [`Flow::state`], but for a SYN that nobody answers: no kernel repeats it for ever.
    pub fn life(&self, side: Side, end: Time) -> Life {
        let closing = self.closing_events(side);
        let is_closing = closing.iter().any(|(happened, _)| *happened);
        // Who closes has been connected, whatever of that was captured.
        let opened = if is_closing { State::Established } else { self.opened(side) };
        let mut life = Life::new(self.first.time, opened);
        for (happened, event) in closing {
            if let Some(at) = self.time_of(side, event).filter(|_| happened) {
                life.moves(event, at);
            }
        }
        let resets = [Side::A, Side::B].into_iter().filter_map(|side| self.rst(side));
        if let Some(at) = resets.map(|rst| rst.place.time).min() {
            life.moves(Event::Rst, at);
        }
        let last = self.last.time;
        if self.ending() == Ending::Attempt {
            // The next would have come by now: each pause is twice the one before (RFC 6298, 5.5).
            let given_up = last.after(last.since(self.first.time).unwrap_or(0).max(SYN_AGAIN_NS));
            if given_up <= end {
                life.goes_to(State::Closed, given_up);
            }
        }
        let timed_out = last.after(TWO_MSL_NS);
        if timed_out <= end {
            life.moves(Event::TwoMsl, timed_out);
        }
        life
    }

    /// The state of a side that nobody has begun to close.
    fn opened(&self, side: Side) -> State {
        let opening = self.events(side).into_iter().filter(|(happened, _)| *happened);
        opening.fold(self.start(side), |state, (_, event)| state.next(event).unwrap_or(state))
    }

    /// Returns the events of a side's close, in the order it did them.
    pub(in crate::tcp) fn closing_events(&self, side: Side) -> [(bool, Event); 3] {
        let (my_fin, peer_fin) = (self.fin(side), self.fin(side.other()));
        let acked_by_me = peer_fin.is_some_and(|fin| fin.acked.is_some());
        let acked_by_peer = my_fin.is_some_and(|fin| fin.acked.is_some());
        // 3.10.7.4: FIN is checked last, so an ACK in my FIN segment counts before it.
        let passive = my_fin.is_none_or(|mine| {
            let then = mine.ack_then.zip(peer_fin);
            then.is_some_and(|(ack, fin)| ack.covers(fin.end))
        });
        if passive {
            [
                (acked_by_me, Event::SndAckOfFin),
                (my_fin.is_some(), Event::SndFin),
                (acked_by_peer, Event::RcvAckOfFin),
            ]
        } else {
            [
                (my_fin.is_some(), Event::SndFin),
                (acked_by_peer, Event::RcvAckOfFin),
                (acked_by_me, Event::SndAckOfFin),
            ]
        }
    }

    fn time_of(&self, side: Side, event: Event) -> Option<Time> {
        match event {
            Event::SndFin => Some(self.fin(side)?.place.time),
            Event::RcvAckOfFin => Some(self.fin(side)?.acked?.time),
            Event::SndAckOfFin => Some(self.fin(side.other())?.acked?.time),
            _ => None,
        }
    }
}

/// A SYN is sent again after a second (RFC 6298, 2.1).
const SYN_AGAIN_NS: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_keeps_its_order() {
        let at = |seconds: i128| Time::from_nanos(seconds * 1_000_000_000);
        let mut life = Life::new(at(5), State::Established);
        life.moves(Event::SndAckOfFin, at(9));
        life.moves(Event::RcvAckOfFin, at(9));
        life.moves(Event::SndFin, at(7));
        let steps =
            [(at(5), State::Established), (at(9), State::CloseWait), (at(9), State::LastAck)];
        assert_eq!(life.steps(), steps);
    }
}
