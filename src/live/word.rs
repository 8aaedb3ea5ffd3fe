//! Questions to the kernel about the sockets of flows, and what its answers tell of them.

use crate::code::trace::Sent;
use crate::code::{Asked, Span};
use crate::owner::lookup::Question;
use crate::owner::{Holder, SocketList, Usage};
use crate::place::Time;
use crate::run::word::{Made, heard, is_of_before, socket_of};
use crate::summary::{Judged, Totals};
use crate::tcp::seq::Seq;
use crate::tcp::side::Side;
use crate::verdict::{Judgement, Policy, Verdict};

/// Adds the sockets of a flow that may be held, under all addresses they may be known by.
pub fn ask_for(question: &mut Question, judged: &Judged) {
    for side in may_hold(judged) {
        let asked = sent_by(judged, side);
        for (local, peer) in judged.socket_of(side) {
            question.ask_for(local, peer);
            question.ask_for_code(local, peer, asked.clone());
        }
    }
}

/// Sides whose socket may be in CLOSE-WAIT: of a connection that is open or was tried as far as packets tell, the local
/// ones, since a FIN may have been lost, or be none of TCP.
fn may_hold(judged: &Judged) -> Vec<Side> {
    let Judgement { verdict, local, .. } = judged.judgement;
    match verdict {
        Verdict::Open | Verdict::Attempt => {
            [Side::A, Side::B].into_iter().filter(|side| local.judges(*side)).collect()
        }
        _ => judged.may_hold().collect(),
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

/// The process that holds the holder's socket: the lowest number, of several.
pub fn process<'a>(judged: &Judged, sockets: &'a SocketList) -> Option<&'a Holder> {
    socket_of(judged, judged.judgement.holder?, sockets)?.holders.first()
}

/// The descriptors of that process.
pub fn usage(judged: &Judged, sockets: &SocketList) -> Option<Usage> {
    sockets.usage.get(&process(judged, sockets)?.pid).cloned()
}

/// The kernel confirms findings at this host, or knows of a FIN that was not captured; and it has
/// connections that ended by packets alone. What was stuck `before` is told from its own list. `held_until`: the time at
/// which one that it has in CLOSE-WAIT no more was known to be none, if it had been.
pub fn heed(
    sockets: &SocketList,
    before: Option<&SocketList>,
    rows: &mut [Judged],
    totals: &mut Totals,
    policy: &Policy,
    mut held_until: impl FnMut(&Judged) -> Option<Time>,
) {
    let is_told = |judged: &Judged| before.is_some_and(|before| is_of_before(judged, before));
    let rows = rows.iter_mut().filter(|judged| !is_told(judged));
    for judged in rows {
        if let Some(heard) = heard(judged, sockets, policy, Made::Now) {
            let is_denied = matches!(heard.verdict, Verdict::Unknown(_));
            let until = is_denied.then(|| held_until(judged)).flatten();
            decide(judged, heard, totals, until);
        }
    }
}

fn decide(judged: &mut Judged, heard: Judgement, totals: &mut Totals, held_until: Option<Time>) {
    let mut history = totals.captures.last_mut().map(|capture| &mut capture.history);
    totals.tally.uncount(&judged.judgement);
    totals.tally.count(&heard);
    if let Some(history) = &mut history {
        history.uncount(judged);
        held_until.into_iter().for_each(|at| history.count_until(judged, at));
    }
    judged.judgement = heard;
    if let (Some(history), None) = (history, held_until) {
        history.count(judged);
    }
}
