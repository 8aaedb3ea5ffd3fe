//! Meanings of a judgement's words, and what to do about them: for whoever asks for one.

use super::{Doubt, Note, Reason, Verdict};

impl Verdict {
    /// One of each, in the order of [`Verdict::NAMES`].
    pub const ALL: [Verdict; 10] = [
        Verdict::Leak,
        Verdict::Pending,
        Verdict::HalfClosed,
        Verdict::FinUnacked,
        Verdict::PeerHolds,
        Verdict::Unknown(Reason::Lost),
        Verdict::Closed,
        Verdict::Reset,
        Verdict::Attempt,
        Verdict::Open,
    ];

    /// Says in a few sentences what it means, and what to do.
    pub fn explained(self) -> &'static str {
        match self {
            Verdict::Leak => {
                "The peer closed its side (FIN), local's kernel acknowledged that, and the program never closed its own: the socket is in CLOSE-WAIT. No kernel timer ends that. Find the code that should close the connection: closewait explain FILE --frame N shows what was said on it, closewait sockets and --sockets name the process."
            }
            Verdict::Pending => {
                "In CLOSE-WAIT for less than --min-hold: the program may be about to close. Capture longer, or lower --min-hold."
            }
            Verdict::HalfClosed => {
                "The peer closed its side and local still sends, which TCP allows (RFC 9293, 3.6.1). Nothing to do, unless it is silent for longer than --half-close-quiet: then it is a leak."
            }
            Verdict::FinUnacked => {
                "One side sent FIN, again and again, and nobody acknowledged it: the other host or the path to it is gone. Look at the network, not at a program."
            }
            Verdict::PeerHolds => {
                "Local closed first and waits in FIN-WAIT-2: the peer has not closed. The leak, if it is one, is at the other host: judge that with --local ADDRESS-OF-THE-PEER."
            }
            Verdict::Unknown(_) => {
                "One side sent FIN, and the capture does not show enough to say whether the other did: the reason beside it tells why. Capture where local runs, whole (without a filter on flags), without drops."
            }
            Verdict::Closed => {
                "Both sides sent FIN. Where that took long, the report says so under what happened besides."
            }
            Verdict::Reset => {
                "A RST ended it before both sides had sent FIN. The notes tell more: used-after-fin, dropped-idle, refused."
            }
            Verdict::Attempt => {
                "Only SYNs of one end were seen, never an answer: a filtered port, a host that is down, or a scan."
            }
            Verdict::Open => "Neither side had closed when the capture ended.",
        }
    }
}

impl Reason {
    /// One of each, in the order of reports.
    pub const ALL: [Reason; 7] = [
        Reason::Itself,
        Reason::OneSided,
        Reason::Lost,
        Reason::Filtered,
        Reason::Reused,
        Reason::Disordered,
        Reason::Ambiguous,
    ];

    /// Says in a few sentences why it cannot be told, and what to do.
    pub fn explained(self) -> &'static str {
        match self {
            Reason::Itself => {
                "Both ends have the same address and port, so whose packet is whose cannot be told. Nothing to do."
            }
            Reason::OneSided => {
                "No packet of the side that should close was captured: a mirror port with one direction, or asymmetric routes. Capture on the host itself, or both directions."
            }
            Reason::Lost => {
                "The closer acknowledged more than was captured of the other side, and the missing part may hold its FIN. Capture with a larger buffer (-B) or a narrower filter."
            }
            Reason::Filtered => {
                "The capture holds only packets with payload, and a FIN or its ACK mostly has none. Capture without such a filter."
            }
            Reason::Ambiguous => {
                "Names stand in place of addresses, and another connection may have the same ones, so which packet is whose cannot be told. Print the addresses: tcpdump -n."
            }
            Reason::Disordered => {
                "The same addresses and ports have another connection, whose packets were read later and have earlier times: a clock was set back, or captures were joined in the wrong order. Which of them came first is not known. Give the captures as files of their own, or sort them: reordercap IN OUT."
            }
            Reason::Reused => {
                "The same addresses and ports were connected again later in the capture, so this connection had ended, though its end was not seen. Nothing to do."
            }
        }
    }
}

impl Doubt {
    /// Says in a few sentences what is doubtful, and what would settle it.
    pub fn explained(self) -> &'static str {
        match self {
            Doubt::Brief => {
                "The peer's FIN came less than a second before the capture ended, or the packets have no times (tcpdump -t): an ordinary close may just not be finished. What tcpdump writes ends with its last packet, even if it was stopped much later: if you know when, say it with --end TIME or --end mtime. A list of sockets (--sockets) confirms it, too."
            }
            Doubt::FinBeforeCapture => {
                "The connection began before the capture and local sent nothing in it: its FIN may have been sent before the first packet. Ask the host: closewait sockets."
            }
            Doubt::LostBeforeFin => {
                "Before its FIN, the peer had acknowledged octets of local that were not captured, so local's FIN may be missing as well. Capture with a larger buffer (-B) or a narrower filter, or confirm with --sockets."
            }
            Doubt::FinImplied => {
                "Local's FIN was not captured, but the peer acknowledged exactly one number more than local was seen to send, which is what a FIN takes. So it counts as closed."
            }
            Doubt::Unconfirmed => {
                "No ACK of the peer's FIN was captured, but the FIN was not sent again, so it must have been acknowledged. Captures that keep only SYN, FIN and RST are like that: capture all packets of the port."
            }
            Doubt::Dropped => {
                "The kernel or the capture file counts lost packets, and local's FIN may be one of them. Capture with a larger buffer (-B), a smaller snap length (-s 128) or a narrower filter."
            }
            Doubt::RemoteTap => {
                "The packets were captured away from the host that holds the connection (they only arrive, or two routers or more had passed them on): its FIN may have been lost on the path between. Capture on that host, or ask it: closewait sockets."
            }
            Doubt::Truncated => {
                "The capture file ends in the middle of a record, is corrupt, or some of its lines could not be read: what is missing may hold local's FIN. Let tcpdump end by itself (SIGINT, -U)."
            }
            Doubt::Unacked => {
                "Local's last data was not acknowledged, or the peer takes no more: the program may have closed, and its FIN waits behind that data. Look at the path and at the peer; ss on the host shows LAST-ACK then."
            }
            Doubt::Holes => {
                "Several connections of this capture show that packets are missing, though nothing counted them as dropped: local's FIN may be one. Capture with a larger buffer (-B) or a narrower filter."
            }
            Doubt::Gap => {
                "The time that it was held spans a time without any capture, between files that are no series, or of which one between is missing: it may have been closed then. Capture without a pause, or judge each file alone with --separate."
            }
            Doubt::PeerFinMissed => {
                "The peer's FIN was not captured, but local acknowledged one number more than the peer was seen to send, and stayed with it: that is the ACK of a FIN."
            }
            Doubt::Unanswered => {
                "The peer closed while local had not answered its last request: the program may still work on the answer, and close then. See whether it is there later: closewait sockets."
            }
            Doubt::ListedOpen => {
                "The list of sockets (--sockets) has it open, and the capture shows the peer's FIN acknowledged: the list may have been saved before that, or on another host. Save it again: ss -tanpoei."
            }
            Doubt::ListedUnsure => {
                "Its packets leave it open. The list of sockets (--sockets) has it in CLOSE-WAIT if its lines are of that state alone, which it does not say, or if the names in it stand for these addresses. Save it again: ss -tanpoei."
            }
            Doubt::EndedElsewhere => {
                "Another capture point shows a FIN or a RST on the same addresses and ports, and what lies between was captured at neither; or one that begins with the same numbers under other addresses (NAT), whose packets are missing here. It may have ended this connection. Look at both: closewait explain FILE… --flow A:P-B:Q."
            }
            Doubt::RstIgnored => {
                "Local sent a RST whose number the peer has received already, and so the peer ignores it (RFC 9293, 3.5.3). A host sends such a RST when something comes for a socket that it no longer has: the program may have closed. Ask the host: closewait sockets."
            }
            Doubt::ListedClosed => {
                "The list of sockets (--sockets) has it in a state that comes when the program has closed (LAST-ACK, TIME-WAIT, FIN-WAIT), or has it no more, but one of the same service that came into CLOSE-WAIT later. The capture does not show that it was closed: it may have been closed when the capture was over, or local's FIN was not captured. Save the list again, and see whether it is still there: ss -tanpoei."
            }
        }
    }
}

impl Note {
    /// Says in a few sentences what was observed, and what to do.
    pub fn explained(self) -> &'static str {
        match self {
            Note::Midstream => {
                "The connection began before the capture. What was said before it, a transaction for one, is not known."
            }
            Note::PortReused => {
                "The same addresses and ports had a connection before. A client that reuses ports quickly can meet a server's socket that is still there."
            }
            Note::FinRetransmitted => {
                "A FIN was sent more than once: its ACK was late or lost. Nothing to do, if it was acknowledged in the end."
            }
            Note::SynInCloseWait => {
                "A new SYN came to a socket that was still in CLOSE-WAIT, so the new connection could not be opened at once. Close the old one."
            }
            Note::PeerFinImplied => {
                "One side acknowledged one number more than the other was seen to send: a FIN that was not captured."
            }
            Note::RstOddSeq => {
                "A RST had a sequence number that RFC 5961 would not accept: perhaps made up by something on the path."
            }
            Note::RstWithoutEffect => {
                "A RST was outside the window, damaged, or contradicted by what its sender or its receiver sent later: it ended nothing."
            }
            Note::Refused => {
                "A RST answered the SYN: nobody listens on that port, or a firewall refuses it."
            }
            Note::Duplicates => {
                "Packets were captured twice (-i any, a bridge, a mirror port). They count once."
            }
            Note::TimeWentBack => {
                "A packet has an earlier time than the one before it: a clock was set, or files were merged. Durations may be off."
            }
            Note::DescriptorMayLeak => {
                "The peer reset the connection after a long CLOSE-WAIT. The kernel no longer lists the socket, but the program may still have its descriptor: look at /proc/PID/fd, and close it."
            }
            Note::LastAck => {
                "Both sides closed, and nobody acknowledged the second FIN, however often it was sent: the socket was in LAST-ACK. A firewall on the path often forgets half-closed connections."
            }
            Note::UsedAfterFin => {
                "Local sent something on a connection that the peer had closed, and got a reset. Let the pool drop idle connections sooner than the peer does, or look at the socket before it is used."
            }
            Note::DroppedIdle => {
                "After a minute or more of silence, what was sent was reset or never acknowledged, and no FIN was seen: something on the path (NAT, a load balancer, a firewall) forgot the connection. Send keep-alives more often than its timeout, or drop idle connections sooner."
            }
            Note::FinWithoutEffect => {
                "A FIN was damaged, forged or of an older connection: its checksum is wrong, its receiver must drop it for its numbers or for want of an ACK, or its sender went on with new data beyond it. It closed nothing."
            }
            Note::KernelHolds => {
                "The kernel, or a list of its sockets, has the socket in CLOSE-WAIT, and the packets show another end of the connection, or none: what ended it was damaged, forged, or never arrived; or the peer closed when the capture was over. Close the socket."
            }
            Note::FinPassedOn => {
                "A proxy seems to hold it: another connection of its host fits it in octets and times (contents are not compared). It passed the FIN on, on that one, and waits for its far end to close. Look there first: other_leg names that connection."
            }
            Note::OneSideCaptured => {
                "Only packets of one side were captured, and they acknowledge what the other sent: had that closed, its FIN would not show. Capture where both directions pass (a mirror port or a router may see one), without a filter for one of them; or ask the host: closewait sockets."
            }
            Note::Multipath => {
                "The connection, or a part of one, is of Multipath TCP (RFC 8684): its end is a DATA_FIN among the options, which is not read, and its parts stay open as far as packets, and lists of TCP alone, tell. The kernel knows: closewait sockets, on the host, or ss -Man."
            }
            Note::Rewritten => {
                "The connection was captured under two pairs of addresses (NAT, a sidecar). It counts once, under those that were dialled, or under those that --local names."
            }
        }
    }
}
