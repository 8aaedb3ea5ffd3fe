//! The words of a judgement: close, verdict, reason, doubts, notes, as reports spell them.

use crate::set::words;
use crate::tcp::flow::Noted;

/// The plain fact, whoever is local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// SYNs of one end, never an answer.
    Attempt,
    /// A RST before both FINs.
    Reset,
    /// Both FINs, seen or proven.
    Closed,
    /// Exactly one FIN.
    HalfClosed,
    /// Neither FIN nor RST.
    Open,
}

impl Close {
    /// Returns its word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Close::Attempt => "attempt",
            Close::Reset => "reset",
            Close::Closed => "closed",
            Close::HalfClosed => "half-closed",
            Close::Open => "open",
        }
    }
}

/// The meaning of a close for the local side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The peer's FIN was acknowledged, and local never sent its own.
    Leak,
    /// Held for less than `--min-hold`.
    Pending,
    /// Legal: local still sends (RFC 9293, 3.6.1).
    HalfClosed,
    /// Nobody acknowledged the FIN.
    FinUnacked,
    /// Local is the closer: it waits in FIN-WAIT-2.
    PeerHolds,
    /// One FIN, and the capture does not show enough.
    Unknown(Reason),
    /// Both sides sent FIN.
    Closed,
    /// A RST ended it first.
    Reset,
    /// Nobody answered its SYN.
    Attempt,
    /// Neither side had closed at the end.
    Open,
}

impl Verdict {
    /// Every word of a verdict, in the order of reports.
    pub const NAMES: [&'static str; 10] = [
        "leak",
        "pending",
        "half-closed",
        "fin-unacked",
        "peer-holds",
        "unknown",
        "closed",
        "reset",
        "attempt",
        "open",
    ];

    /// Returns its word in reports.
    pub fn name(self) -> &'static str {
        Verdict::NAMES[self.index()]
    }

    /// The index of [`Verdict::Unknown`], whatever its reason.
    pub const UNKNOWN: usize = 5;

    /// Returns the index of its name in [`Verdict::NAMES`].
    pub const fn index(self) -> usize {
        match self {
            Verdict::Leak => 0,
            Verdict::Pending => 1,
            Verdict::HalfClosed => 2,
            Verdict::FinUnacked => 3,
            Verdict::PeerHolds => 4,
            Verdict::Unknown(_) => Verdict::UNKNOWN,
            Verdict::Closed => 6,
            Verdict::Reset => 7,
            Verdict::Attempt => 8,
            Verdict::Open => 9,
        }
    }
}

/// The reason why a verdict cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A connection with itself.
    Itself,
    /// No packet of the holder was captured.
    OneSided,
    /// The closer acknowledged more of the holder than was captured: a FIN may be in it.
    Lost,
    /// Only packets with payload were captured, and none acknowledges the FIN.
    Filtered,
    /// Its 4-tuple was established again later in the capture: it had ended.
    Reused,
    /// Another connection of its 4-tuple was read after it, and has earlier times.
    Disordered,
    /// Its ends may be those of another connection under other names.
    Ambiguous,
}

impl Reason {
    /// Returns its word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Itself => "self",
            Reason::OneSided => "one-sided",
            Reason::Lost => "lost",
            Reason::Filtered => "filtered",
            Reason::Reused => "reused",
            Reason::Disordered => "disordered",
            Reason::Ambiguous => "ambiguous",
        }
    }

    /// Says it in a clause, without a full stop.
    pub fn sentence(self) -> &'static str {
        match self {
            Reason::Itself => "a connection with itself",
            Reason::OneSided => "no packet of the other side was captured",
            Reason::Lost => "packets that could hold the other side's FIN were not captured",
            Reason::Filtered => "only packets with payload were captured",
            Reason::Reused => {
                "the same addresses and ports were connected again later: it had ended"
            }
            Reason::Disordered => {
                "the same addresses and ports have another connection, and the times contradict the order of their packets"
            }
            Reason::Ambiguous => "its ends may be those of another connection under other names",
        }
    }
}

words! {
    /// A reason to trust a verdict less.
    Doubt {
        /// Held for less than 1 s at the end of the capture, or for a time that is not known.
        Brief,
        /// Begun before the capture, and local sent nothing in it.
        FinBeforeCapture,
        /// Local's packets are missing up to the peer's FIN.
        LostBeforeFin,
        /// Local's FIN is known only by its ACK.
        FinImplied,
        /// No ACK of the FIN was captured; it was not sent again.
        Unconfirmed,
        /// The kernel or the file counts dropped packets.
        Dropped,
        /// Captured on another host than that which holds it.
        RemoteTap,
        /// The file ends in the middle of a record, or lines could not be read.
        Truncated,
        /// Local's last data was not acknowledged, or the peer's window is closed.
        Unacked,
        /// Other connections show that packets are missing.
        Holes,
        /// Nothing was captured for a part of the hold.
        Gap,
        /// The peer's FIN is known only by its ACK.
        PeerFinMissed,
        /// The peer closed with a request not answered.
        Unanswered,
        /// A list of sockets has it open.
        ListedOpen,
        /// A list of sockets has it in a state after CLOSE-WAIT, or is later and has it no more.
        ListedClosed,
        /// A list of sockets alone has it in CLOSE-WAIT, and may mean another connection or state.
        ListedUnsure,
        /// A FIN or a RST at another capture point may have ended it.
        EndedElsewhere,
        /// Local sent a RST that its peer ignores.
        RstIgnored,
    }
}

impl Doubt {
    /// Returns its word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Doubt::Brief => "brief",
            Doubt::FinBeforeCapture => "fin-before-capture",
            Doubt::LostBeforeFin => "lost-before-fin",
            Doubt::FinImplied => "fin-implied",
            Doubt::Unconfirmed => "unconfirmed",
            Doubt::Dropped => "dropped",
            Doubt::RemoteTap => "remote-tap",
            Doubt::Truncated => "truncated",
            Doubt::Unacked => "unacked",
            Doubt::Holes => "holes",
            Doubt::Gap => "gap",
            Doubt::PeerFinMissed => "peer-fin-missed",
            Doubt::Unanswered => "unanswered",
            Doubt::ListedOpen => "listed-open",
            Doubt::ListedClosed => "listed-closed",
            Doubt::ListedUnsure => "listed-unsure",
            Doubt::EndedElsewhere => "ended-elsewhere",
            Doubt::RstIgnored => "rst-ignored",
        }
    }

    /// Says it in a clause, without a full stop.
    pub fn sentence(self) -> &'static str {
        match self {
            Doubt::Brief => {
                "held less than 1 s, or unknown how long: the capture may have stopped in the middle of a close"
            }
            Doubt::FinBeforeCapture => {
                "begun before the capture, nothing sent in it: the FIN may precede it too"
            }
            Doubt::LostBeforeFin => "the peer had acknowledged packets that were not captured",
            Doubt::FinImplied => "its FIN was not captured, but acknowledged",
            Doubt::Unconfirmed => "no ACK of the FIN was captured; it was not sent again",
            Doubt::Dropped => "the capture lost packets",
            Doubt::RemoteTap => "not captured where it is held: its FIN may be lost on the path",
            Doubt::Truncated => {
                "the capture file was cut off, or some of its packets could not be read"
            }
            Doubt::Unacked => {
                "what it sent last was not acknowledged, or the peer takes nothing: its FIN may wait behind that"
            }
            Doubt::Holes => {
                "packets are missing from the capture, as other connections in it show: its FIN may be one"
            }
            Doubt::Gap => "for some of that time nothing was captured",
            Doubt::PeerFinMissed => "the peer's FIN was not captured, but acknowledged",
            Doubt::Unanswered => {
                "the peer closed with a request not answered: the program may still be working on the answer"
            }
            Doubt::ListedOpen => {
                "the list of sockets has it open: it may be older than the peer's FIN"
            }
            Doubt::ListedClosed => {
                "the list of sockets has it as closed by the program, or is later and has it no more"
            }
            Doubt::ListedUnsure => {
                "only the list of sockets says so, and names no state, or names in place of addresses"
            }
            Doubt::EndedElsewhere => {
                "a FIN or RST at another capture point, or under other addresses, may have ended it"
            }
            Doubt::RstIgnored => {
                "it sent a RST that the peer ignores: its host may have no such socket any more"
            }
        }
    }
}

words! {
    /// An observation worth telling beside a verdict.
    Note {
        /// The first packet has no SYN.
        Midstream,
        /// The 4-tuple had a connection before.
        PortReused,
        /// A FIN was sent more than once.
        FinRetransmitted,
        /// A SYN came while the socket was in CLOSE-WAIT.
        SynInCloseWait,
        /// An ACK one beyond all that the other side was seen to send.
        PeerFinImplied,
        /// A RST that RFC 5961 would not accept.
        RstOddSeq,
        /// A RST that ended nothing.
        RstWithoutEffect,
        /// A SYN that was answered by a RST.
        Refused,
        /// Packets captured more than once.
        Duplicates,
        /// A packet that is older than the one before it.
        TimeWentBack,
        /// Reset by the peer after a long CLOSE-WAIT: a finding.
        DescriptorMayLeak,
        /// Nobody acknowledged the second FIN.
        LastAck,
        /// A reset that answered what local sent after the peer's FIN.
        UsedAfterFin,
        /// Forgotten on the path after a long silence.
        DroppedIdle,
        /// A FIN that closed nothing.
        FinWithoutEffect,
        /// Captured under two pairs of addresses.
        Rewritten,
        /// In CLOSE-WAIT by the kernel, though packets ended it.
        KernelHolds,
        /// Held by what seems to be a proxy that passed the FIN on.
        FinPassedOn,
        /// Open, as far as one side's packets tell, and the other's were not captured.
        OneSideCaptured,
        /// A connection of Multipath TCP, or a part of one.
        Multipath,
    }
}

impl Note {
    /// The note that tells an observation; `None` for those that only verdicts ask about.
    pub fn of(noted: Noted) -> Option<Note> {
        Some(match noted {
            Noted::Midstream => Note::Midstream,
            Noted::PortReused => Note::PortReused,
            Noted::FinRetransmitted => Note::FinRetransmitted,
            Noted::SynInCloseWait => Note::SynInCloseWait,
            Noted::RstOddSeq => Note::RstOddSeq,
            Noted::RstWithoutEffect => Note::RstWithoutEffect,
            Noted::Duplicates => Note::Duplicates,
            Noted::TimeWentBack => Note::TimeWentBack,
            Noted::FinWithoutEffect => Note::FinWithoutEffect,
            Noted::Multipath => Note::Multipath,
            Noted::Superseded | Noted::Hole | Noted::PerhapsHole => return None,
            Noted::Damaged | Noted::HolderAnswersRst | Noted::Disordered => return None,
        })
    }

    /// Returns its word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Note::Midstream => "midstream",
            Note::PortReused => "port-reused",
            Note::FinRetransmitted => "fin-retransmitted",
            Note::SynInCloseWait => "syn-in-close-wait",
            Note::PeerFinImplied => "peer-fin-implied",
            Note::RstOddSeq => "rst-odd-seq",
            Note::RstWithoutEffect => "rst-without-effect",
            Note::Refused => "refused",
            Note::Duplicates => "duplicates",
            Note::TimeWentBack => "time-went-back",
            Note::DescriptorMayLeak => "descriptor-may-leak",
            Note::LastAck => "last-ack",
            Note::UsedAfterFin => "used-after-fin",
            Note::DroppedIdle => "dropped-idle",
            Note::FinWithoutEffect => "fin-without-effect",
            Note::Rewritten => "rewritten",
            Note::KernelHolds => "kernel-holds",
            Note::FinPassedOn => "fin-passed-on",
            Note::OneSideCaptured => "one-side-captured",
            Note::Multipath => "multipath",
        }
    }
}
