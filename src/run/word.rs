//! The kernel's word about flows: it has the last one.
//!
//! Packets can say that a connection has ended where it has not: a FIN or a RST that was damaged, forged,
//! or lost behind the tap. What the kernel still has in CLOSE-WAIT is held, whatever was seen; what it has
//! in LAST-ACK, or no more, is not. A list that somebody saved is older or younger than the capture, nobody
//! knows which: what it has in CLOSE-WAIT counts all the same, and what it has in another state is a doubt. So is what it
//! has no more, where others that it has show that it is later.

use chrono::TimeDelta;

use crate::capture::filter::Filter;
use crate::names::is_stand_in;
use crate::owner::{Socket, SocketList};
use crate::place::Time;
use crate::summary::Judged;
use crate::tcp::flow::{Ending, Flow, Noted};
use crate::tcp::side::Side;
use crate::tcp::state::State;
use crate::verdict::local::Local;
use crate::verdict::{Close, Doubt, Judgement, Policy, Reason, Standing, Verdict};

/// The moment of a list of sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// The kernel was asked just now.
    Now,
    /// Somebody saved it, before the capture ended or after.
    Sometime,
}

/// The judgement of a flow by what a list says of its socket; `None` where it says nothing else than the
/// packets do.
#[must_use]
pub fn heard(
    judged: &Judged,
    sockets: &SocketList,
    policy: &Policy,
    made: Made,
) -> Option<Judgement> {
    if made == Made::Sometime && began_since(judged, sockets) {
        // What it has with these ends was another connection's.
        return None;
    }
    let judgement = || judged.judgement.clone();
    match (judged.judgement.verdict, made) {
        (Verdict::Leak, Made::Now) => match word(judged, sockets) {
            Some(true) => Some(judgement().confirm()),
            Some(false) => Some(judgement().deny()),
            None => may_be_passed_on(judged, sockets)
                .then(|| judgement().doubted(Doubt::RemoteTap, true, policy.certain)),
        },
        (Verdict::Leak, Made::Sometime) => {
            let holder = judged.judgement.holder?;
            let doubted = |doubt| Some(judgement().doubted(doubt, true, policy.certain));
            match socket_of(judged, holder, sockets).map(|socket| doubt(socket.state)) {
                Some(None) => is_sure(judged, holder, sockets).then(|| judgement().confirm()),
                Some(Some(doubt)) => doubted(doubt),
                None if is_gone(judged, holder, sockets) => doubted(Doubt::ListedClosed),
                None => None,
            }
        }
        _ => held_after_all(judged, sockets, policy, made),
    }
}

/// Was the flow seen to begin after a list was made, which says when?
fn began_since(judged: &Judged, sockets: &SocketList) -> bool {
    let is_begun = !judged.flow.notes.has(Noted::Midstream);
    is_begun && sockets.is_older_than(judged.flow.first.time)
}

/// A list has the socket in this state, and packets left it in CLOSE-WAIT.
fn doubt(state: State) -> Option<Doubt> {
    match state {
        State::CloseWait => None,
        State::Listen | State::SynSent | State::SynReceived | State::Established => {
            Some(Doubt::ListedOpen)
        }
        _ => Some(Doubt::ListedClosed),
    }
}

/// Does a list that is later than a flow's CLOSE-WAIT have no such socket?
fn is_gone(judged: &Judged, holder: Side, sockets: &SocketList) -> bool {
    left_at(&judged.flow).is_some_and(|since| {
        judged.socket_of(holder).any(|(own, peer)| sockets.has_no_more(own, peer, since))
    })
}

/// The time at which one side of a flow was left in CLOSE-WAIT.
#[must_use]
pub fn left_at(flow: &Flow) -> Option<Time> {
    let Ending::HalfClosed(closer) = flow.ending() else { return None };
    let fin = flow.fin(closer)?;
    Some(fin.acked.unwrap_or(fin.place).time)
}

/// Is the holder's socket in CLOSE-WAIT? `None` where it may be another host's: the address of a host that forwards is
/// that of others' packets, too, and so is one of the addresses under which a connection was seen.
#[must_use]
pub fn word(judged: &Judged, sockets: &SocketList) -> Option<bool> {
    let holder = judged.judgement.holder?;
    match socket_of(judged, holder, sockets) {
        Some(socket) => Some(socket.is_stuck()),
        None => {
            let is_host = judged.socket_of(holder).all(|(own, _)| sockets.is_host(own.ip));
            (is_host && !sockets.forwards).then_some(false)
        }
    }
}

/// The holder's socket is not there, and its address is the host's, which forwards: it may be a container's.
#[must_use]
pub fn may_be_passed_on(judged: &Judged, sockets: &SocketList) -> bool {
    judged.judgement.holder.is_some_and(|holder| {
        let mut ends = judged.socket_of(holder);
        sockets.forwards
            && socket_of(judged, holder, sockets).is_none()
            && ends.any(|(own, _)| sockets.is_host(own.ip))
    })
}

/// The socket of a side, by any of the addresses that it may be known under.
#[must_use]
pub fn socket_of<'a>(judged: &Judged, side: Side, sockets: &'a SocketList) -> Option<&'a Socket> {
    let mut ends = judged.socket_of(side);
    let exact = ends.find_map(|(own, other)| sockets.find(own, other));
    exact.or_else(|| translated(judged, side, sockets))
}

/// The socket of a side that packets left in CLOSE-WAIT, where its kernel translates the service's address or port
/// (DNAT, REDIRECT): the client's end is the same in its packets.
fn translated<'a>(judged: &Judged, side: Side, sockets: &'a SocketList) -> Option<&'a Socket> {
    let is_left = judged.judgement.verdict == Verdict::Leak;
    let client = judged.service().other();
    let mut ends = judged.socket_of(client).filter(|_| is_left);
    ends.find_map(|(client_end, _)| sockets.stuck_with_client(client_end, side == client))
}

/// Does the list surely mean a side's socket by what it says of it?
fn is_sure(judged: &Judged, side: Side, sockets: &SocketList) -> bool {
    judged.socket_of(side).any(|(own, other)| sockets.is_sure(own, other))
}

/// The judgement of a flow that packets ended, or do not tell the end of, and whose socket is in
/// CLOSE-WAIT all the same.
#[must_use]
pub fn held_after_all(
    judged: &Judged,
    sockets: &SocketList,
    policy: &Policy,
    made: Made,
) -> Option<Judgement> {
    // Its socket would be the later connection's.
    if !may_be_held(judged, made) || judged.flow.is_superseded() {
        return None;
    }
    let is_stuck = |side: &Side| socket_of(judged, *side, sockets).is_some_and(Socket::is_stuck);
    let judges = |side: &Side| judged.judgement.local.judges(*side);
    let is_held = |side: &Side| is_stuck(side) && judges(side);
    let holder = match made {
        Made::Now if !shows_no_end(judged) => judged.may_hold().find(is_held),
        // The peer may have closed when the capture was over, or where it lost packets. Who sent a FIN has closed.
        _ => {
            let owes = |side: &Side| judged.flow.fin(*side).is_none() && is_held(side);
            [Side::A, Side::B].into_iter().find(owes)
        }
    }?;
    let fin = judged.flow.fin(holder.other());
    let from = fin.map(|fin| fin.acked.unwrap_or(fin.place).time);
    let held = match (from, made) {
        // The kernel knows since when, where no packet does.
        (None, Made::Now) => socket_of(judged, holder, sockets).and_then(Socket::held_for),
        _ => from.and_then(|from| judged.end.since(from)).map(TimeDelta::nanoseconds),
    };
    let is_long = match (made, held) {
        (Made::Sometime, None) => true,
        _ => held >= Some(policy.min_hold),
    };
    let verdict = if is_long { Verdict::Leak } else { Verdict::Pending };
    let is_unsure = made == Made::Sometime && !is_sure(judged, holder, sockets);
    let held = judged.judgement.clone().hold(holder, held, verdict);
    Some(held.doubted(Doubt::ListedUnsure, is_unsure, policy.certain))
}

/// Tells whether packets leave it open what becomes of a flow with one FIN, and this host's kernel would know.
pub fn may_be_asked(judged: &Judged) -> bool {
    let Judgement { close, verdict, holder, local, .. } = judged.judgement;
    let is_untold = matches!(verdict, Verdict::Unknown(_) | Verdict::FinUnacked);
    let is_local = local == Local::Both || holder.is_some_and(|it| local == Local::Side(it));
    let is_half_closed = close == Close::HalfClosed && !judged.flow.is_superseded();
    is_untold && is_half_closed && is_local && may_be_held(judged, Made::Now)
}

/// Tells whether a flow is open, or no more than tried, as far as packets tell: a FIN, or all but a SYN, may have been
/// lost or left out.
pub fn shows_no_end(judged: &Judged) -> bool {
    matches!(judged.judgement.verdict, Verdict::Open | Verdict::Attempt)
}

/// Can the socket of a flow be in CLOSE-WAIT, whatever its packets say? By a saved list, the socket of one
/// that was seen to end is rather a later connection's.
fn may_be_held(judged: &Judged, made: Made) -> bool {
    match (judged.judgement.verdict, made) {
        (Verdict::Unknown(reason), _) => !matches!(reason, Reason::Itself | Reason::Ambiguous),
        (Verdict::FinUnacked, _) => true,
        (Verdict::Closed | Verdict::Reset | Verdict::Attempt, Made::Now) => true,
        (Verdict::Open, _) => true,
        (Verdict::Closed, Made::Sometime) => judged.judgement.doubts.contains(&Doubt::FinImplied),
        _ => false,
    }
}

/// The judgement of a flow with one FIN, of a side whose socket was in CLOSE-WAIT before the first packet: the other side
/// had closed first, and holds nothing.
fn closed_last(judged: &Judged, sockets: &SocketList) -> Option<Judgement> {
    let began_before = judged.flow.notes.has(Noted::Midstream);
    let is_half_closed = judged.judgement.close == Close::HalfClosed && began_before;
    let holder = judged.judgement.holder.filter(|_| is_half_closed)?;
    let mut closer = judged.socket_of(holder.other());
    let was_stuck = closer.any(|(own, other)| sockets.was_stuck(own, other));
    was_stuck.then(|| judged.judgement.clone().ended(Close::Closed, Verdict::Closed))
}

/// Does a connection show no FIN whose socket was in CLOSE-WAIT before the first packet? It is told as that socket is: late
/// acknowledgments alone show that it is there, and may look as if a FIN had come between them.
#[must_use]
pub fn is_of_before(judged: &Judged, sockets: &SocketList) -> bool {
    let is_late = judged.flow.notes.has(Noted::Midstream) && judged.flow.first_fin().is_none();
    let had_before = |side| {
        let mut ends = judged.socket_of(side);
        ends.any(|(own, other)| sockets.find(own, other).is_some_and(|it| sockets.had_before(it)))
    };
    is_late && [Side::A, Side::B].into_iter().any(had_before)
}

/// The judgement of a live flow by what was stuck before the first packet, where that says otherwise than packets do.
pub fn after_before(judged: &Judged, sockets: &SocketList) -> Option<Judgement> {
    let is_told = judged.judgement.close == Close::HalfClosed && is_of_before(judged, sockets);
    let open = is_told.then(|| judged.judgement.clone().ended(Close::Open, Verdict::Open));
    open.or_else(|| closed_last(judged, sockets))
}

/// Judges a flow otherwise. Returns as what it was counted, and as what it counts.
pub fn change(judged: &mut Judged, to: Judgement) -> [Standing; 2] {
    let both = [&judged.judgement, &to].map(Standing::from);
    judged.judgement = to;
    both
}

/// Marks the sockets of a flow, where a saved list was heard: that of the holder as the flow's, the others as
/// of ends that the capture has seen otherwise. What they have in CLOSE-WAIT is a later connection's, or an
/// older one's.
pub fn mark(judged: &Judged, sockets: &mut SocketList) {
    // No kernel has two sockets of one 4-tuple: what was in CLOSE-WAIT then is gone.
    let is_gone = began_since(judged, sockets) && judged.flow.is_established();
    let holder = judged.judgement.holder.filter(|_| !judged.flow.is_superseded());
    for side in [Side::A, Side::B] {
        for (own, peer) in judged.socket_of(side) {
            match holder == Some(side) || is_gone {
                true => sockets.mark_held(own, peer),
                false => sockets.mark_otherwise(own, peer),
            }
        }
    }
}

/// Sockets in CLOSE-WAIT that the capture does not show, of those that were asked for, each with its verdict.
pub fn stuck_before<'s>(
    sockets: Option<&'s SocketList>,
    policy: &Policy,
    mut filter: Option<&mut Filter>,
) -> Vec<(&'s Socket, Verdict)> {
    let stuck = sockets.into_iter().flat_map(SocketList::stuck_before);
    let asked_for = stuck.filter(|socket| is_asked_for(socket, policy, filter.as_deref_mut()));
    asked_for.map(|socket| (socket, verdict_of(socket, policy))).collect()
}

/// Tells whether a socket that the capture does not show is one of those that were asked for: of the local side, and
/// between ends whose packets the filter may let pass.
fn is_asked_for(socket: &Socket, policy: &Policy, filter: Option<&mut Filter>) -> bool {
    let Socket { local, peer, .. } = *socket;
    is_of_local(socket, policy)
        && (is_named(socket) || filter.is_none_or(|filter| filter.may_match_between(local, peer)))
}

/// Is a socket of the local side? A name may stand for any address.
pub fn is_of_local(socket: &Socket, policy: &Policy) -> bool {
    is_named(socket) || policy.local.as_ref().is_none_or(|set| set.contains(socket.local))
}

fn is_named(socket: &Socket) -> bool {
    [socket.local, socket.peer].iter().any(|end| is_stand_in(end.ip))
}

/// Tells how a socket in CLOSE-WAIT that the capture does not show is judged: as a connection in it would be.
pub fn verdict_of(socket: &Socket, policy: &Policy) -> Verdict {
    if socket.is_in_use(policy.half_close_quiet) {
        Verdict::HalfClosed
    } else if socket.is_stuck_for(policy.min_hold) {
        Verdict::Leak
    } else {
        Verdict::Pending
    }
}
