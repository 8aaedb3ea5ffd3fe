//! The kernel's word about flows: it has the last one.
//!
//! Packets can say that a connection has ended where it has not: a FIN or a RST that was damaged, forged,
//! or lost behind the tap. What the kernel still has in CLOSE-WAIT is held, whatever was seen; what it has
//! in LAST-ACK, or no more, is not.

use chrono::TimeDelta;

use crate::code::trace::Sent;
use crate::code::{Asked, Span};
use crate::owner::lookup::Question;
use crate::owner::{Socket, SocketList, Usage};
use crate::summary::{Judged, Tally};
use crate::tcp::seq::Seq;
use crate::tcp::side::Side;
use crate::verdict::{Judgement, Policy, Reason, Verdict};

/// Adds the sockets of a flow that may be held, under all addresses they may be known by.
pub fn ask_for(question: &mut Question, judged: &Judged) {
    for side in judged.may_hold() {
        let asked = sent_by(judged, side);
        for (local, peer) in judged.socket_of(side) {
            question.ask_for(local, peer);
            question.ask_for_code(local, peer, asked.clone());
        }
    }
}

/// The octets of a side's sends whose code is asked for: those that began the transaction that is open, and
/// those of its statements and of the last one, each in a segment of its own. They count from the connection's end, where a socket that was there before
/// can be joined, too.
fn sent_by(judged: &Judged, side: Side) -> Asked {
    let said = judged.said.as_deref();
    let is_its = |end| judged.flow.side(end) == side;
    let said = said.filter(|said| said.client.is_some_and(is_its));
    let open = said.is_some_and(|said| said.in_transaction == Some(true));
    let half = judged.flow.half(side);
    let sent = |octets: Option<(Seq, Seq)>| {
        let ((from, to), max) = octets.zip(half.snd_max())?;
        let before_end = |seq| u64::try_from(max.ahead_of(seq)).ok();
        let sent = half.isn().and_then(|isn| before_end(isn + 1));
        // Numbers wrap.
        let sent = sent.filter(|_| half.payload_bytes < 1 << 30);
        Some(Sent { before_end: Span { from: before_end(from)?, to: before_end(to)? }, sent })
    };
    let statements = said.filter(|_| open).into_iter().flat_map(|said| &said.statements_in);
    Asked {
        open,
        begun: sent(said.and_then(|said| said.begun_in)),
        last: sent(said.and_then(|said| said.last_statement_in)),
        statements: statements.map(|octets| sent(*octets)).collect(),
    }
}

/// Is the holder's socket in CLOSE-WAIT? `None` where it may be another host's.
pub fn word(judged: &Judged, sockets: &SocketList) -> Option<bool> {
    let holder = judged.judgement.holder?;
    match socket_of(judged, holder, sockets) {
        Some(socket) => Some(socket.is_stuck()),
        None => judged.socket_of(holder).any(|(own, _)| sockets.is_host(own.ip)).then_some(false),
    }
}

fn socket_of<'a>(judged: &Judged, side: Side, sockets: &'a SocketList) -> Option<&'a Socket> {
    judged.socket_of(side).find_map(|(own, other)| sockets.find(own, other))
}

/// The name of who holds the holder's socket.
pub fn process(judged: &Judged, sockets: &SocketList) -> Option<String> {
    let socket = socket_of(judged, judged.judgement.holder?, sockets)?;
    Some(socket.holders.first()?.command.clone())
}

/// The descriptors of that process.
pub fn usage(judged: &Judged, sockets: &SocketList) -> Option<Usage> {
    let socket = socket_of(judged, judged.judgement.holder?, sockets)?;
    sockets.usage.get(&socket.holders.first()?.pid).cloned()
}

/// The judgement of a flow that packets ended, or do not tell the end of, and whose socket is in
/// CLOSE-WAIT all the same.
pub fn held_after_all(judged: &Judged, sockets: &SocketList, policy: &Policy) -> Option<Judgement> {
    let may_be = match judged.judgement.verdict {
        Verdict::Closed | Verdict::Reset | Verdict::FinUnacked => true,
        Verdict::Unknown(reason) => !matches!(reason, Reason::Itself | Reason::Ambiguous),
        _ => false,
    };
    // Its socket would be the later connection's.
    if !may_be || judged.flow.is_superseded() {
        return None;
    }
    let is_stuck = |side: &Side| socket_of(judged, *side, sockets).is_some_and(Socket::is_stuck);
    let judges = |side: &Side| judged.judgement.local.judges(*side);
    let holder = judged.may_hold().find(|side| is_stuck(side) && judges(side))?;
    let fin = judged.flow.fin(holder.other());
    let from = fin.map(|fin| fin.acked.unwrap_or(fin.place).time);
    let held = from.and_then(|from| judged.end.since(from)).map(TimeDelta::nanoseconds);
    Some(judged.judgement.clone().hold(holder, held, policy))
}

/// The kernel confirms findings at this host, or knows of a FIN that was not captured; and it has
/// connections that ended by packets alone.
pub fn heed(sockets: &SocketList, rows: &mut [Judged], tally: &mut Tally, policy: &Policy) {
    rows.iter_mut().for_each(|judged| decide(judged, sockets, tally, policy));
}

fn decide(judged: &mut Judged, sockets: &SocketList, tally: &mut Tally, policy: &Policy) {
    let judgement = &judged.judgement;
    let heard = match judgement.verdict {
        Verdict::Leak => word(judged, sockets).map(|is_stuck| match is_stuck {
            true => judgement.clone().confirm(),
            false => judgement.clone().deny(),
        }),
        _ => held_after_all(judged, sockets, policy),
    };
    if let Some(heard) = heard {
        tally.uncount(judgement);
        tally.count(&heard);
        judged.judgement = heard;
    }
}
