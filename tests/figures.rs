//! RFC 9293, figure 5, arrow by arrow, and what the figure says about paths.

use std::collections::{BTreeSet, HashMap};

use closewait::tcp::state::Event::{self, *};
use closewait::tcp::state::State::{self, *};

const EVENTS: [Event; 9] =
    [SndSyn, SndSynAck, SndAckOfSyn, RcvAckOfSyn, SndFin, SndAckOfFin, RcvAckOfFin, Rst, TwoMsl];

/// Every arrow that an observer can see, with the figure's label.
const ARROWS: &[(State, Event, State)] = &[
    (Closed, SndSyn, SynSent),           // active OPEN / create TCB, snd SYN
    (Listen, SndSyn, SynSent),           // SEND / snd SYN
    (Closed, SndSynAck, SynReceived),    // the passive OPEN was not seen
    (Listen, SndSynAck, SynReceived),    // rcv SYN / snd SYN,ACK
    (SynSent, SndSynAck, SynReceived),   // rcv SYN / snd SYN,ACK
    (SynSent, SndAckOfSyn, Established), // rcv SYN,ACK / snd ACK
    (SynSent, SndAckOfFin, CloseWait),   // the tap missed the SYN,ACK
    (SynReceived, RcvAckOfSyn, Established), // rcv ACK of SYN / x
    (SynReceived, SndFin, FinWait1),     // CLOSE / snd FIN
    (SynReceived, SndAckOfFin, CloseWait), // 3.10.7.4, eighth
    (Established, SndFin, FinWait1),     // CLOSE / snd FIN
    (Established, SndAckOfFin, CloseWait), // rcv FIN / snd ACK
    (FinWait1, RcvAckOfFin, FinWait2),   // rcv ACK of FIN / x
    (FinWait1, SndAckOfFin, Closing),    // rcv FIN / snd ACK
    (FinWait2, SndAckOfFin, TimeWait),   // rcv FIN / snd ACK
    (CloseWait, SndFin, LastAck),        // CLOSE / snd FIN
    (Closing, RcvAckOfFin, TimeWait),    // rcv ACK of FIN / x
    (LastAck, RcvAckOfFin, Closed),      // rcv ACK of FIN / x
    (TimeWait, TwoMsl, Closed),          // Timeout=2MSL / delete TCB
];

#[test]
fn figure_5_has_these_arrows_and_no_other() {
    let drawn: HashMap<(State, String), State> =
        ARROWS.iter().map(|(from, event, to)| ((*from, format!("{event:?}")), *to)).collect();
    for from in State::ALL {
        for event in EVENTS {
            let expected = match event {
                // Note 3 of the figure.
                Rst => (from != Closed).then_some(Closed),
                _ => drawn.get(&(from, format!("{event:?}"))).copied(),
            };
            assert_eq!(from.next(event), expected, "{from} {event:?}");
        }
    }
}

/// Without a reset, CLOSE-WAIT is left by one arrow alone: the one that a leak never takes.
#[test]
fn close_wait_is_left_by_fin_alone() {
    let ways: Vec<Event> = EVENTS.into_iter().filter(|e| CloseWait.next(*e).is_some()).collect();
    assert_eq!(ways, [SndFin, Rst]);
}

/// The figure has no cycle that an event offered twice could run in, so every fact acts once.
#[test]
fn an_event_offered_again_moves_nothing() {
    for from in State::ALL {
        for event in EVENTS {
            if let Some(to) = from.next(event) {
                assert_eq!(to.next(event), None, "{from} {event:?} {to}");
            }
        }
    }
}

#[test]
fn every_state_has_its_name_in_the_rfc() {
    let names: BTreeSet<&str> = State::ALL.iter().map(|state| state.name()).collect();
    let rfc = [
        "CLOSED",
        "LISTEN",
        "SYN-SENT",
        "SYN-RECEIVED",
        "ESTABLISHED",
        "FIN-WAIT-1",
        "FIN-WAIT-2",
        "CLOSE-WAIT",
        "CLOSING",
        "LAST-ACK",
        "TIME-WAIT",
    ];
    assert_eq!(names, rfc.into_iter().collect());
}
