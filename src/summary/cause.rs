//! Causes: why a connection was left half-closed, as far as packets and the kernel tell.

use super::judged::Judged;
use crate::attach::registry::Withheld;
use crate::attach::{Facts, Heartbeat};
use crate::owner::{Held, Socket};
use crate::place::Time;
use crate::tcp::flow::Flow;
use crate::tcp::side::Side;
use crate::verdict::{BRIEF_NS, Close, Doubt, Verdict};

/// The explanation of a half-closed connection; of several, the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A transaction was open when the peer closed.
    TransactionOpen,
    /// It was used, then idle, and forgotten; no transaction was open.
    Forgotten,
    /// The server said why it would close.
    ServerSaid,
    /// The program never accepted it: only the kernel can say so.
    NeverAccepted,
    /// It was used again after the peer had closed.
    StaleReuse,
    /// The client said goodbye and kept the socket.
    QuitUnclosed,
    /// One direction goes on, as TCP allows.
    HalfClose,
    /// Nobody had logged in.
    NotLoggedIn,
    /// It waited for messages that it had asked for.
    Subscribed,
    /// It had not said for long that it was alive, as it had promised.
    MissedHeartbeats,
    /// A request was open when the peer closed.
    Unanswered,
    /// It was said beforehand that the connection ends.
    CloseAnnounced,
    /// Nobody acknowledged the FIN: the host or the path is gone.
    HostGone,
    /// Something that would tell was not seen.
    Unknown,
}

impl Cause {
    /// One of each, in the order of reports.
    pub const ALL: [Cause; 14] = [
        Cause::TransactionOpen,
        Cause::Forgotten,
        Cause::ServerSaid,
        Cause::NeverAccepted,
        Cause::StaleReuse,
        Cause::QuitUnclosed,
        Cause::HalfClose,
        Cause::NotLoggedIn,
        Cause::Subscribed,
        Cause::MissedHeartbeats,
        Cause::Unanswered,
        Cause::CloseAnnounced,
        Cause::HostGone,
        Cause::Unknown,
    ];

    /// Says what it means, and what to do about it.
    pub fn explained(self) -> &'static str {
        match self {
            Cause::TransactionOpen => {
                "A transaction was open when the peer closed: the program asked BEGIN or its like and never came to COMMIT or ROLLBACK, so the connection never went back to its pool. The statements beside it lead to the code: see that every path ends the transaction."
            }
            Cause::Forgotten => {
                "The connection was used, then idle, and nobody looked at it again when the peer closed. Give it back or close it after use; let the pool check or drop idle connections sooner than the peer's timeout."
            }
            Cause::ServerSaid => {
                "The server sent an error just before it closed (a timeout, a shutdown), and the program did not read it. The message is in the evidence."
            }
            Cause::NeverAccepted => {
                "The kernel completed the connection and the program never accepted it: it waits in the backlog of a listening socket. The program is too busy, or its accept loop has stopped."
            }
            Cause::StaleReuse => {
                "The program used the connection after the peer had closed it. Let the pool drop idle connections sooner than the peer does, or look at the socket before it is used."
            }
            Cause::QuitUnclosed => {
                "The client said goodbye in its protocol and did not close its socket. Close the socket, too."
            }
            Cause::HalfClose => {
                "One direction goes on, as TCP allows (RFC 9293, 3.6.1). Nothing to do."
            }
            Cause::NotLoggedIn => {
                "Nobody had logged in: the server's greeting was not answered, or the login was not finished, or was refused. A connection that is opened ahead of its use has to be closed like any other; so has one whose login fails."
            }
            Cause::Subscribed => {
                "The client waited for messages that it had asked for, and none need ever have come. Let it notice the peer's close: read with a timeout, send heartbeats, subscribe anew."
            }
            Cause::MissedHeartbeats => {
                "The client had promised to say that it is alive, and was silent for more than two such intervals: the peer took it for dead. Something keeps the program's thread for heartbeats from running, or the program is stuck."
            }
            Cause::Unanswered => {
                "A request was open when the peer closed: the answer never came. The program waits for it, or gave up without closing; give requests a timeout, and close the connection when it ends."
            }
            Cause::CloseAnnounced => {
                "It was said beforehand that the connection ends here: Connection: close, HTTP/1.0, or GOAWAY. Close it when the answer was read; a response whose body is never read or closed keeps its socket."
            }
            Cause::HostGone => {
                "Nobody acknowledged the FIN: the other host or the path to it is gone. Look at the network."
            }
            Cause::Unknown => {
                "What would tell was not seen: the conversation is encrypted, was cut off, began before the capture, or went over to another protocol, or its packets are those of a text. Capture from the beginning (tcpdump -w), with a larger snap length (-s 256), or behind the encryption."
            }
        }
    }

    /// The cause of a socket that no packet shows: as far as its kernel tells.
    #[must_use]
    pub fn of_socket(socket: &Socket) -> Option<Cause> {
        (socket.held() == Held::Backlog).then_some(Cause::NeverAccepted)
    }

    /// Returns its word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Cause::TransactionOpen => "transaction-open",
            Cause::Forgotten => "forgotten",
            Cause::ServerSaid => "server-said",
            Cause::NeverAccepted => "never-accepted",
            Cause::StaleReuse => "stale-reuse",
            Cause::QuitUnclosed => "quit-unclosed",
            Cause::HalfClose => "half-close",
            Cause::NotLoggedIn => "not-logged-in",
            Cause::Subscribed => "subscribed",
            Cause::MissedHeartbeats => "missed-heartbeats",
            Cause::Unanswered => "unanswered",
            Cause::CloseAnnounced => "close-announced",
            Cause::HostGone => "host-gone",
            Cause::Unknown => "unknown",
        }
    }
}

/// The cause of one flow; `None` where nobody owes a FIN. `socket` is the holder's, if it is listed.
pub fn cause(judged: &Judged, socket: Option<&Socket>) -> Option<Cause> {
    let Judged { flow, judgement, said, .. } = judged;
    if judgement.close == Close::Reset && judgement.holder.is_none() {
        return judged.reuse().map(|_| Cause::StaleReuse);
    }
    let holder = judgement.holder?;
    Some(match judgement.verdict {
        Verdict::FinUnacked if is_alive(flow, holder) || ended_first(judged) => Cause::Unknown,
        Verdict::FinUnacked => Cause::HostGone,
        Verdict::HalfClosed => Cause::HalfClose,
        Verdict::Unknown(_) => Cause::Unknown,
        _ if socket.is_some_and(|socket| socket.held() == Held::Backlog) => Cause::NeverAccepted,
        _ if judged.reuse().is_some() => Cause::StaleReuse,
        _ => match said.as_deref().map_or_else(
            || of_any(flow, holder),
            |facts| of_talk(facts, closed_at(judged), judged.server_holds()),
        ) {
            // The program may have closed it, and its FIN wait behind what was not acknowledged.
            Cause::Forgotten if judgement.doubts.contains(&Doubt::Unacked) => Cause::Unknown,
            // The server's kernel took it, and nobody else.
            Cause::Forgotten if is_late(judged) => Cause::StaleReuse,
            // Nobody ever used it.
            Cause::Forgotten if !is_used(judged) => Cause::Unknown,
            // It was not idle.
            Cause::Forgotten if closed_upon_error(judged) => Cause::Unknown,
            // It waits for somebody else to close.
            Cause::Forgotten if judged.waits_for().is_some() => Cause::Unknown,
            // It could have been in a transaction.
            Cause::Forgotten if said.is_none() && judged.withheld.is_some() => Cause::Unknown,
            cause => cause,
        },
    })
}

/// Did an end that acknowledged no FIN shut its window before, or answer after it? Such a host is there.
fn is_alive(flow: &Flow, holder: Side) -> bool {
    flow.half(holder).window() == Some(0) || flow.fin(holder.other()).is_some_and(|fin| fin.denied)
}

/// Did the capture end before the FIN could have been sent again, which shows that nobody acknowledged it? Most
/// systems wait for 200 ms to a second.
fn ended_first(judged: &Judged) -> bool {
    let Some(holder) = judged.judgement.holder else { return false };
    let closer = holder.other();
    let is_again = judged.flow.fin_again(closer).is_some();
    let since = judged.flow.fin(closer).and_then(|fin| judged.end.since(fin.place.time));
    !is_again && since.is_some_and(|ns| ns < BRIEF_NS)
}

/// Did its client ask for something after the server had closed?
fn is_late(judged: &Judged) -> bool {
    judged.said.as_deref().is_some_and(|said| said.late.is_some() && said.goodbye.is_none())
}

/// Did the server close within a second of its last answer, an error? That may be why.
fn closed_upon_error(judged: &Judged) -> bool {
    const AT_ONCE_NS: i64 = 1_000_000_000;
    let Judged { flow, said, .. } = judged;
    let is_error = said.as_deref().is_some_and(|said| said.server_error.is_some());
    let pause =
        flow.first_fin().and_then(|(by, fin)| fin.place.time.measured_since(flow.last_said(by)));
    is_error && !judged.server_holds() && pause.is_some_and(|pause| pause < AT_ONCE_NS)
}

/// Says what would have told the cause, where it is unknown.
pub fn not_seen(judged: &Judged) -> Option<&'static str> {
    let said = judged.said.as_deref();
    let has = |doubt| judged.judgement.doubts.contains(&doubt);
    Some(match said {
        _ if judged.judgement.verdict == Verdict::FinUnacked && ended_first(judged) => {
            "the capture ended right after the FIN"
        }
        _ if judged.judgement.verdict == Verdict::FinUnacked => "its host takes nothing more",
        _ if judged.waits_for().is_some() => "a proxy, it seems, that waits for another",
        Some(Facts { encrypted: true, .. }) => "encrypted",
        Some(Facts { compressed: true, .. }) => "compressed",
        Some(Facts { gone_over: true, .. }) => "another protocol since",
        _ if judged.flow.service().is_none() => "began before the capture",
        _ if has(Doubt::Unacked) => "its last data was not acknowledged",
        Some(Facts { truncated: true, .. }) if judged.is_of_text => "a text has no contents",
        Some(Facts { truncated: true, .. }) => "not captured whole",
        Some(_) if !is_used(judged) && spoke_unseen(judged) => "not captured whole",
        Some(_) if !is_used(judged) && holder_spoke(judged) => "no answer captured",
        Some(_) if !is_used(judged) => "it sent nothing",
        Some(_) if closed_upon_error(judged) => "closed upon an error",
        Some(Facts { in_transaction: None, .. }) => "not told by the server",
        Some(_) => "transaction not seen",
        None => match judged.withheld {
            Some(Withheld::Encrypted) => "encrypted",
            Some(Withheld::Unread) => "--no-content was given",
            Some(Withheld::Untold) if judged.is_of_text => "a text has no contents",
            Some(Withheld::Untold) => "not captured whole",
            None if !is_used(judged) && spoke_unseen(judged) => "not captured whole",
            None if !is_used(judged) && holder_spoke(judged) => "no answer captured",
            None if judged.judgement.holder.is_some() => "it sent nothing",
            None => return None,
        },
    })
}

/// Has the holder said anything?
fn holder_spoke(judged: &Judged) -> bool {
    judged.judgement.holder.is_some_and(|it| judged.flow.half(it).payload_bytes > 0)
}

/// Has the holder said something by what the other side acknowledged, of which nothing was captured? A single number
/// may be a FIN's.
fn spoke_unseen(judged: &Judged) -> bool {
    let Some(holder) = judged.judgement.holder else { return false };
    let other = judged.flow.half(holder.other());
    let acked = other.ack().zip(other.first_ack()).map_or(0, |(last, first)| last.ahead_of(first));
    acked > 1 && !holder_spoke(judged)
}

/// Tells whether anything was said on it, but for whose connection it carries: by both, unless it is known what was
/// asked, for who was never answered may still wait.
fn is_used(judged: &Judged) -> bool {
    let Judged { flow, said, .. } = judged;
    let is_silent =
        |said: &Facts| said.never_begun && said.last_command.is_none() && said.confirmed.is_none();
    let is_asked = |said: &Facts| said.last_command.is_some();
    let spoke = [Side::A, Side::B].map(|side| flow.half(side).payload_bytes > 0);
    let is_heard = spoke == [true; 2] || said.as_deref().is_some_and(is_asked);
    is_heard && !said.as_deref().is_some_and(is_silent)
}

/// By what was said. What a client takes its leave with, promises and waits for, and what it is told before it is
/// closed, explain a client that holds, and no server.
fn of_talk(facts: &Facts, fin: Option<Time>, server_holds: bool) -> Cause {
    match facts {
        Facts { goodbye: Some(_), .. } if server_holds => Cause::Forgotten,
        Facts { goodbye: Some(_), .. } => Cause::QuitUnclosed,
        Facts { before_login: Some(_), .. } => Cause::NotLoggedIn,
        Facts { in_transaction: Some(true), .. } => Cause::TransactionOpen,
        _ if server_holds => of_answers(facts),
        Facts { server_error: Some(error), .. } if error.unsolicited => Cause::ServerSaid,
        _ if missed_heartbeats(facts, fin).is_some() => Cause::MissedHeartbeats,
        Facts { waits_by: Some(_), .. } => Cause::Subscribed,
        _ => match of_answers(facts) {
            Cause::Forgotten if facts.may_wait => Cause::Unknown,
            cause => cause,
        },
    }
}

/// By what was asked and answered, where nothing stronger explains it.
fn of_answers(facts: &Facts) -> Cause {
    match facts {
        Facts { announced: Some(_), .. } => Cause::CloseAnnounced,
        Facts { half_asked: true, .. } => Cause::Unanswered,
        facts if facts.is_owed() => Cause::Unanswered,
        facts if facts.may_be_owed() => Cause::Unknown,
        Facts { in_transaction: Some(_), .. } => Cause::Forgotten,
        // Encrypted, cut, in another protocol or begun before the capture: what was not seen would
        // tell, a transaction where there are any.
        Facts { encrypted: true, .. } | Facts { truncated: true, .. } => Cause::Unknown,
        Facts { gone_over: true, .. } => Cause::Unknown,
        Facts { in_transaction: None, protocol, .. } if protocol.transactions => Cause::Unknown,
        Facts { in_transaction: None, .. } => Cause::Forgotten,
    }
}

/// Returns the time of the first FIN, or of the ACK that shows a FIN which was not captured.
pub fn closed_at(judged: &Judged) -> Option<Time> {
    let Judged { flow, judgement, .. } = judged;
    let is_missed = judgement.doubts.contains(&Doubt::PeerFinMissed);
    let shown_by = || flow.early_ack(judgement.holder.filter(|_| is_missed)?);
    let first = flow.first_fin().map(|(_, fin)| fin.place);
    first.or_else(|| Some(shown_by()?.place)).map(|place| place.time)
}

/// Returns for how long the client had said nothing when the server closed, if that was more than two of
/// the intervals that both had promised.
pub fn missed_heartbeats(facts: &Facts, fin: Option<Time>) -> Option<i64> {
    let Heartbeat { seconds, last } = facts.heartbeat.filter(|beat| beat.seconds > 0)?;
    let silent = fin?.since(last)?;
    (silent > 2 * i64::from(seconds) * 1_000_000_000).then_some(silent)
}

/// By packets alone. What began before the capture may be any protocol, with anything open.
fn of_any(flow: &Flow, holder: Side) -> Cause {
    let was_used = flow.half(holder).payload_bytes > 0;
    if was_used && flow.service().is_some() { Cause::Forgotten } else { Cause::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::{BeforeLogin, Identity};

    fn with(transactions: bool) -> Facts {
        Facts::of(Identity { key: "x", title: "X", transactions, logs_in: false, tags: false })
    }

    fn of_client(facts: &Facts, fin: Option<Time>) -> Cause {
        of_talk(facts, fin, false)
    }

    #[test]
    fn an_unknown_transaction_matters_where_there_are_any() {
        assert_eq!(of_client(&with(true), None), Cause::Unknown);
        assert_eq!(of_client(&with(false), None), Cause::Forgotten);
    }

    #[test]
    fn what_a_protocol_adds() {
        let seconds = |n: i128| Time::from_nanos(n * 1_000_000_000);
        let heartbeat = Some(Heartbeat { seconds: 10, last: seconds(100) });
        let beating = Facts { heartbeat, waits_by: Some("basic.consume"), ..with(false) };
        assert_eq!(of_client(&beating, Some(seconds(119))), Cause::Subscribed);
        assert_eq!(of_client(&beating, Some(seconds(121))), Cause::MissedHeartbeats);
        let announced = Facts { announced: Some("x"), answered: Some(false), ..with(false) };
        assert_eq!(of_client(&announced, None), Cause::CloseAnnounced);
        let open = Facts { answered: Some(false), ..with(false) };
        assert_eq!(of_client(&open, None), Cause::Unanswered);
        for in_transaction in [None, Some(false)] {
            let open = Facts { answered: Some(false), in_transaction, ..with(true) };
            assert_eq!(of_client(&open, None), Cause::Unanswered);
        }
        let open = Facts { answered: Some(false), in_transaction: Some(true), ..with(true) };
        assert_eq!(of_client(&open, None), Cause::TransactionOpen);
        let login = Facts { before_login: Some(BeforeLogin::Denied), ..with(true) };
        assert_eq!(of_client(&login, None), Cause::NotLoggedIn);
    }

    #[test]
    fn what_was_not_seen_may_have_told() {
        assert_eq!(of_client(&Facts { encrypted: true, ..with(false) }, None), Cause::Unknown);
        assert_eq!(of_client(&Facts { truncated: true, ..with(false) }, None), Cause::Unknown);
        assert_eq!(of_client(&Facts { gone_over: true, ..with(false) }, None), Cause::Unknown);
        assert_eq!(
            of_client(&Facts { goodbye: Some("X"), ..with(false) }, None),
            Cause::QuitUnclosed
        );
    }

    #[test]
    fn what_a_client_said_explains_no_server() {
        let seconds = |n: i128| Time::from_nanos(n * 1_000_000_000);
        let heartbeat = Some(Heartbeat { seconds: 10, last: seconds(100) });
        let waited = Facts { heartbeat, waits_by: Some("x"), ..with(false) };
        assert_eq!(of_talk(&waited, Some(seconds(200)), true), Cause::Forgotten);
        let goodbye = Some("X");
        let left = Facts { goodbye, in_transaction: Some(true), ..with(true) };
        assert_eq!(of_talk(&left, None, true), Cause::Forgotten);
        let open = Facts { answered: Some(false), waits_by: Some("x"), ..with(false) };
        assert_eq!(of_talk(&open, None, true), Cause::Unanswered);
    }
}
