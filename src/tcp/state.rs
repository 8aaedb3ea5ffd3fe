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
    /// No connection.
    Closed,
    /// Waiting for a connection from anywhere.
    Listen,
    /// SYN sent, no answer yet.
    SynSent,
    /// SYN received and answered, not yet acknowledged.
    SynReceived,
    /// Data may flow both ways.
    Established,
    /// FIN sent, not yet acknowledged; nothing heard of the other side's.
    FinWait1,
    /// The own FIN was acknowledged; waiting for the other side's.
    FinWait2,
    /// Both sent FIN at the same time; the own is not yet acknowledged.
    Closing,
    /// Closed, waiting for late packets to die out.
    TimeWait,
    /// The other side's FIN was received; the program has not closed yet.
    CloseWait,
    /// Both sent FIN; the own, which came later, is not yet acknowledged.
    LastAck,
}

/// An event that can move a state (RFC 9293, figure 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A SYN was sent, without ACK.
    SndSyn,
    /// A SYN was sent that acknowledges the other side's.
    SndSynAck,
    /// An ACK of the other side's SYN was sent.
    SndAckOfSyn,
    /// An ACK of the own SYN was received.
    RcvAckOfSyn,
    /// A FIN was sent.
    SndFin,
    /// An ACK of the other side's FIN was sent: that FIN was received.
    SndAckOfFin,
    /// An ACK of the own FIN was received.
    RcvAckOfFin,
    /// A RST was sent or received.
    Rst,
    /// Twice the maximum segment lifetime has passed.
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
