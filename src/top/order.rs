//! Orders of connections.

use std::cmp::{Ordering, Reverse};

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
    State,
    Local,
    Peer,
    Process,
    /// The most octets unread first.
    Unread,
    /// As they were captured.
    First,
}

impl Order {
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

    /// Compares two connections.
    pub fn compare(self, a: &Entry, b: &Entry) -> Ordering {
        let order = match self {
            Order::Held => Reverse(a.seen.held).cmp(&Reverse(b.seen.held)),
            Order::Idle => Reverse(a.seen.idle_before_fin).cmp(&Reverse(b.seen.idle_before_fin)),
            Order::State => a.states.cmp(&b.states),
            Order::Local => a.ends.cmp(&b.ends),
            Order::Peer => (a.ends[1], a.ends[0]).cmp(&(b.ends[1], b.ends[0])),
            Order::Process => process(a).cmp(&process(b)),
            Order::Unread => Reverse(a.recv_q).cmp(&Reverse(b.recv_q)),
            Order::First => moment(a).cmp(&moment(b)),
        };
        order.then_with(|| a.seen.first.order().cmp(&b.seen.first.order()))
    }
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
