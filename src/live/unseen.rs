//! Sockets that only the kernel knows of: all their packets were lost, or left out by the expression.

use std::collections::HashSet;

use crate::owner::{Socket, SocketList};
use crate::place::Time;
use crate::run::session::Session;
use crate::run::word::{is_of_local, socket_of};
use crate::summary::Judged;
use crate::tcp::flow::Flow;
use crate::tcp::segment::{Endpoint, FlowKey};
use crate::tcp::side::Side;

/// Nanoseconds that the kernel's clock and that of the capture may be apart, with what lies between two looks at them.
const APART_NS: i64 = 1_000_000_000;

/// The ends of a socket, its own first.
pub type Ends = (Endpoint, Endpoint);

/// The kernel's list as a capture ends.
pub struct Last {
    /// `None` if it cannot be asked.
    pub list: Option<SocketList>,
    /// Ends of those in it of which no packet was captured.
    pub unseen: Vec<Ends>,
}

impl Last {
    /// A list, where packets tell of all that they may.
    pub fn of(list: Option<SocketList>) -> Last {
        Last { list, unseen: Vec::new() }
    }

    /// The unseen ones, but for those of connections that were seen under other ends, as they are translated.
    pub fn unseen_but_for(&self, kept: &[Judged]) -> Vec<Ends> {
        let list = self.list.as_ref().filter(|_| !self.unseen.is_empty());
        list.map_or(Vec::new(), |list| but_for(self.unseen.clone(), list, kept))
    }
}

/// Leaves out sockets of these connections, which packets may show under other ends, as they are translated.
pub fn but_for(mut unseen: Vec<Ends>, list: &SocketList, kept: &[Judged]) -> Vec<Ends> {
    let sides = |judged| [Side::A, Side::B].map(|side| socket_of(judged, side, list));
    let seen: HashSet<Ends> = kept.iter().flat_map(sides).flatten().map(ends).collect();
    unseen.retain(|ends| !seen.contains(ends));
    unseen
}

/// Local sockets in CLOSE-WAIT that were not when the capture began, and of which no packet was seen.
pub fn unseen(session: &Session, list: &SocketList) -> Vec<Ends> {
    let is_known = |socket: &Socket| {
        let before = session.plan.sockets.as_ref();
        before.is_none_or(|before| before.had_before(socket)) || is_seen(session, socket)
    };
    let policy = session.policy();
    let stuck = list.stuck_before().filter(|socket| is_of_local(socket, policy));
    stuck.filter(|socket| !is_known(socket)).map(ends).collect()
}

/// Is a connection with these ends in memory that the socket may be of, or one that was seen under others, too?
fn is_seen(session: &Session, socket: &Socket) -> bool {
    let point = session.point();
    let (key, _) = FlowKey::new(socket.local, socket.peer);
    let mut flows = point.shards.flows_of(session.decoder.hash_of(&key), &key);
    let now = point.facts().end();
    flows.any(|flow| !is_an_older_one(session, socket, &flow, now))
        || point.rewrites.other(&key).is_some()
}

/// Has the connection ended, and does the kernel know of packets after its last one? Then the socket is of another
/// connection, of which no packet was captured.
fn is_an_older_one(session: &Session, socket: &Socket, flow: &Flow, now: Time) -> bool {
    let since_heard = socket.held_for().and_then(|held| held.num_nanoseconds());
    let since_last = now.since(flow.last.time);
    let has_heard_since =
        since_heard.zip(since_last).is_some_and(|(heard, last)| heard + APART_NS < last);
    flow.is_superseded()
        || flow.is_finished() && has_heard_since && !session.held.contains(&flow.id())
}

/// Counts them with those that packets do not tell of.
pub fn mark_unseen(session: &mut Session, unseen: &[Ends]) {
    if let Some(sockets) = &mut session.plan.sockets {
        unseen.iter().for_each(|(local, peer)| sockets.mark_unseen(*local, *peer));
    }
}

fn ends(socket: &Socket) -> Ends {
    (socket.local, socket.peer)
}
