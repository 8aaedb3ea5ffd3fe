//! Why a connection was left half-closed, as far as packets and the kernel tell.

use super::judged::Judged;
use crate::attach::{Facts, Heartbeat};
use crate::owner::{Held, Socket};
use crate::place::Time;
use crate::tcp::flow::Flow;
use crate::tcp::side::Side;
use crate::verdict::{Close, Doubt, Verdict};

/// What explains a half-closed connection; of several, the first.
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
        return was_used_after_fin(flow).then_some(Cause::StaleReuse);
    }
    let holder = judgement.holder?;
    Some(match judgement.verdict {
        Verdict::FinUnacked => Cause::HostGone,
        Verdict::HalfClosed => Cause::HalfClose,
        Verdict::Unknown(_) => Cause::Unknown,
        _ if socket.is_some_and(|socket| socket.held() == Held::Backlog) => Cause::NeverAccepted,
        _ if was_used_after_fin(flow) => Cause::StaleReuse,
        _ => match said
            .as_deref()
            .map_or_else(|| of_any(flow, holder), |facts| of_talk(facts, first_fin(flow)))
        {
            // The program may have closed it, and its FIN wait behind what was not acknowledged.
            Cause::Forgotten if judgement.doubts.contains(&Doubt::Unacked) => Cause::Unknown,
            cause => cause,
        },
    })
}

/// Who had received the only FIN sent something new.
fn was_used_after_fin(flow: &Flow) -> bool {
    let used = |closer: Side| {
        let fin = flow.fin(closer)?;
        flow.payload_after(closer.other(), fin.end)
    };
    match (flow.fin(Side::A), flow.fin(Side::B)) {
        (Some(_), None) => used(Side::A).is_some(),
        (None, Some(_)) => used(Side::B).is_some(),
        _ => false,
    }
}

fn of_talk(facts: &Facts, fin: Option<Time>) -> Cause {
    match facts {
        Facts { goodbye: Some(_), .. } => Cause::QuitUnclosed,
        Facts { before_login: Some(_), .. } => Cause::NotLoggedIn,
        Facts { in_transaction: Some(true), .. } => Cause::TransactionOpen,
        Facts { server_error: Some(error), .. } if error.unsolicited => Cause::ServerSaid,
        _ if missed_heartbeats(facts, fin).is_some() => Cause::MissedHeartbeats,
        Facts { waits_by: Some(_), .. } => Cause::Subscribed,
        Facts { announced: Some(_), .. } => Cause::CloseAnnounced,
        Facts { answered: Some(false), protocol, .. } if !protocol.transactions => {
            Cause::Unanswered
        }
        Facts { in_transaction: Some(false), .. } => Cause::Forgotten,
        // Encrypted, cut or begun before the capture: what was not seen would tell, a transaction
        // where there are any.
        Facts { encrypted: true, .. } | Facts { truncated: true, .. } => Cause::Unknown,
        Facts { in_transaction: None, protocol, .. } if protocol.transactions => Cause::Unknown,
        Facts { in_transaction: None, .. } => Cause::Forgotten,
    }
}

/// When the first FIN came.
pub fn first_fin(flow: &Flow) -> Option<Time> {
    flow.first_fin().map(|(_, fin)| fin.place.time)
}

/// How long the client had said nothing when the server closed, if that was more than two of the
/// intervals that both had promised.
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
        Facts::of(Identity { key: "x", title: "X", transactions })
    }

    #[test]
    fn an_unknown_transaction_matters_where_there_are_any() {
        assert_eq!(of_talk(&with(true), None), Cause::Unknown);
        assert_eq!(of_talk(&with(false), None), Cause::Forgotten);
    }

    #[test]
    fn what_a_protocol_adds() {
        let seconds = |n: i128| Time::from_nanos(n * 1_000_000_000);
        let heartbeat = Some(Heartbeat { seconds: 10, last: seconds(100) });
        let beating = Facts { heartbeat, waits_by: Some("basic.consume"), ..with(false) };
        assert_eq!(of_talk(&beating, Some(seconds(119))), Cause::Subscribed);
        assert_eq!(of_talk(&beating, Some(seconds(121))), Cause::MissedHeartbeats);
        let announced = Facts { announced: Some("x"), answered: Some(false), ..with(false) };
        assert_eq!(of_talk(&announced, None), Cause::CloseAnnounced);
        let open = Facts { answered: Some(false), ..with(false) };
        assert_eq!(of_talk(&open, None), Cause::Unanswered);
        let login = Facts { before_login: Some(BeforeLogin::Denied), ..with(true) };
        assert_eq!(of_talk(&login, None), Cause::NotLoggedIn);
    }

    #[test]
    fn what_was_not_seen_may_have_told() {
        assert_eq!(of_talk(&Facts { encrypted: true, ..with(false) }, None), Cause::Unknown);
        assert_eq!(of_talk(&Facts { truncated: true, ..with(false) }, None), Cause::Unknown);
        assert_eq!(
            of_talk(&Facts { goodbye: Some("X"), ..with(false) }, None),
            Cause::QuitUnclosed
        );
    }
}
