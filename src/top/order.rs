//! Orders of connections.

use std::cmp::Reverse;

use super::picture::Entry;
use crate::summary::seen::Process;

/// The column that connections are ordered by; of equals, the first captured comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The longest held first.
    #[default]
    Held,
    /// The longest pause before the FIN first.
    Idle,
    /// By state.
    State,
    /// By local address and port.
    Local,
    /// By the peer's address and port.
    Peer,
    /// By process.
    Process,
    /// The most octets unread first.
    Unread,
    /// As they were captured.
    First,
}

impl Order {
    /// One of each, in the order of columns.
    pub const ALL: [Order; 8] = [
        Order::Held,
        Order::Idle,
        Order::State,
        Order::Local,
        Order::Peer,
        Order::Process,
        Order::Unread,
        Order::First,
    ];

    /// The head of its column.
    pub fn name(self) -> &'static str {
        match self {
            Order::Held => "held",
            Order::Idle => "idle",
            Order::State => "state",
            Order::Local => "local",
            Order::Peer => "peer",
            Order::Process => "process",
            Order::Unread => "Recv-Q",
            Order::First => "FIN at",
        }
    }

    /// The order after this one.
    #[must_use]
    pub fn next(self) -> Order {
        let at = Order::ALL.iter().position(|order| *order == self).unwrap_or(0);
        Order::ALL[(at + 1) % Order::ALL.len()]
    }

    /// Returns the places of all connections in this order. What they are compared by is looked up once of each:
    /// it lies far apart.
    pub fn sorted(self, entries: &[Entry]) -> Vec<u32> {
        match self {
            Order::Held => by(entries, |entry| Reverse(entry.seen.held)),
            Order::Idle => by(entries, |entry| Reverse(entry.seen.idle_before_fin)),
            Order::State => by(entries, |entry| entry.states),
            Order::Local => by(entries, |entry| entry.ends),
            Order::Peer => by(entries, |entry| (entry.ends[1], entry.ends[0])),
            Order::Process => by(entries, process),
            Order::Unread => by(entries, |entry| Reverse(entry.recv_q)),
            Order::First => by(entries, moment),
        }
    }
}

/// Sorts by a key, then by what was captured first.
fn by<'a, K: Ord>(entries: &'a [Entry], key: impl Fn(&'a Entry) -> K) -> Vec<u32> {
    let keyed = entries.iter().zip(0..);
    let mut keyed: Vec<_> =
        keyed.map(|(entry, place)| (key(entry), entry.seen.first.order(), place)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, _, place)| place).collect()
}

/// Names first, then those that have none.
fn process(entry: &Entry) -> (bool, Option<(&str, i32)>) {
    let named = match &entry.seen.process {
        Process::By { holder, .. } => Some((holder.command.as_str(), holder.pid)),
        _ => None,
    };
    (named.is_none(), named)
}

fn moment(entry: &Entry) -> crate::place::Time {
    entry.seen.fin.unwrap_or(entry.seen.first).time
}
