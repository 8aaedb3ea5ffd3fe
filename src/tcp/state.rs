//! RFC 9293, figure 5, for an observer.
//!
//! The observer sees what each side sends, so an event is something sent ("Snd"), or something sent
//! by the other side that this side must have received ("Rcv"): a segment is received when its
//! receiver acknowledges it. One packet's ACK is `SndAckOf…` for its sender and `RcvAckOf…` for the
//! other side.

use core::fmt;

/// The states of 3.3.2, spelled as there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    Closed,
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    Closing,
    TimeWait,
    CloseWait,
    LastAck,
}

/// An event that can move a state (RFC 9293, figure 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    SndSyn,
    SndSynAck,
    SndAckOfSyn,
    RcvAckOfSyn,
    SndFin,
    SndAckOfFin,
    RcvAckOfFin,
    Rst,
    TwoMsl,
}

impl State {
    /// Every state, for tests and tables.
    pub const ALL: [State; 11] = [
        State::Closed,
        State::Listen,
        State::SynSent,
        State::SynReceived,
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::Closing,
        State::TimeWait,
        State::CloseWait,
        State::LastAck,
    ];

    /// Figure 5: where an event leads, or `None` where it moves nothing.
    pub fn next(self, event: Event) -> Option<State> {
        use Event::*;
        use State::*;
        let next = match (self, event) {
            // active OPEN / snd SYN
            (Closed | Listen, SndSyn) => SynSent,
            // rcv SYN / snd SYN,ACK; from SYN-SENT it is the simultaneous open of figure 7
            (Closed | Listen | SynSent, SndSynAck) => SynReceived,
            // rcv SYN,ACK / snd ACK
            (SynSent, SndAckOfSyn) => Established,
            // rcv ACK of SYN / x
            (SynReceived, RcvAckOfSyn) => Established,
            // CLOSE / snd FIN
            (SynReceived | Established, SndFin) => FinWait1,
            // rcv FIN / snd ACK; from SYN-RECEIVED by 3.10.7.4, which the figure does not draw
            (SynReceived | Established, SndAckOfFin) => CloseWait,
            // Not in the figure: the tap missed the SYN,ACK and all that followed it.
            (SynSent, SndAckOfFin) => CloseWait,
            // rcv ACK of FIN / x
            (FinWait1, RcvAckOfFin) => FinWait2,
            // rcv FIN / snd ACK
            (FinWait1, SndAckOfFin) => Closing,
            // rcv FIN / snd ACK
            (FinWait2, SndAckOfFin) => TimeWait,
            // CLOSE / snd FIN: the arrow that a leak never takes
            (CloseWait, SndFin) => LastAck,
            // rcv ACK of FIN / x
            (Closing, RcvAckOfFin) => TimeWait,
            // rcv ACK of FIN / x
            (LastAck, RcvAckOfFin) => Closed,
            // Timeout=2MSL / delete TCB
            (TimeWait, TwoMsl) => Closed,
            // note 3: a reset ends every state
            (state, Rst) if state != Closed => Closed,
            _ => return None,
        };
        Some(next)
    }

    /// The name as the RFC spells it.
    pub fn name(self) -> &'static str {
        match self {
            State::Closed => "CLOSED",
            State::Listen => "LISTEN",
            State::SynSent => "SYN-SENT",
            State::SynReceived => "SYN-RECEIVED",
            State::Established => "ESTABLISHED",
            State::FinWait1 => "FIN-WAIT-1",
            State::FinWait2 => "FIN-WAIT-2",
            State::Closing => "CLOSING",
            State::TimeWait => "TIME-WAIT",
            State::CloseWait => "CLOSE-WAIT",
            State::LastAck => "LAST-ACK",
        }
    }
}

impl core::str::FromStr for State {
    type Err = ();

    /// The RFC's name, or what `ss` and `netstat` make of it.
    fn from_str(text: &str) -> Result<State, ()> {
        let name = text.to_ascii_uppercase().replace('_', "-");
        let name = match name.as_str() {
            "ESTAB" => "ESTABLISHED",
            "SYN-RECV" => "SYN-RECEIVED",
            "FIN-WAIT1" => "FIN-WAIT-1",
            "FIN-WAIT2" => "FIN-WAIT-2",
            "UNCONN" | "CLOSE" => "CLOSED",
            other => other,
        };
        State::ALL.into_iter().find(|state| state.name() == name).ok_or(())
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
