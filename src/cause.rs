//! Why a connection was left half-closed, as far as packets and the kernel tell.

use crate::attach::mysql::Facts;
use crate::owner::{Held, Socket};
use crate::tcp::flow::{Flow, Side};
use crate::verdict::{Close, Doubt, Judgement, Verdict};

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
    /// Nobody acknowledged the FIN: the host or the path is gone.
    HostGone,
    /// Something that would tell was not seen.
    Unknown,
}

impl Cause {
    pub const ALL: [Cause; 9] = [
        Cause::TransactionOpen,
        Cause::Forgotten,
        Cause::ServerSaid,
        Cause::NeverAccepted,
        Cause::StaleReuse,
        Cause::QuitUnclosed,
        Cause::HalfClose,
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
            Cause::HostGone => "host-gone",
            Cause::Unknown => "unknown",
        }
    }
}

/// The cause of one flow; `None` where nobody owes a FIN. `socket` is the holder's, if it is listed.
pub fn cause(
    flow: &Flow,
    judgement: &Judgement,
    mysql: Option<&Facts>,
    socket: Option<&Socket>,
) -> Option<Cause> {
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
        _ => match mysql.map_or_else(|| of_any(flow, holder), of_mysql) {
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

fn of_mysql(facts: &Facts) -> Cause {
    match facts {
        Facts { quit_seen: true, .. } => Cause::QuitUnclosed,
        Facts { in_transaction: Some(true), .. } => Cause::TransactionOpen,
        Facts { server_error: Some(error), .. } if error.unsolicited => Cause::ServerSaid,
        Facts { in_transaction: Some(false), .. } => Cause::Forgotten,
        // Encrypted, cut or begun before the capture: the transaction is what would tell.
        Facts { in_transaction: None, .. } => Cause::Unknown,
    }
}

/// By packets alone. What began before the capture may be any protocol, with anything open.
fn of_any(flow: &Flow, holder: Side) -> Cause {
    let was_used = flow.half(holder).payload_bytes > 0;
    if was_used && flow.service().is_some() { Cause::Forgotten } else { Cause::Unknown }
}
