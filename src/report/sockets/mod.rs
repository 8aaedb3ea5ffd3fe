//! The report of `closewait sockets`.
//!
//! * [`text`]: for the person at the prompt
//! * [`lines`]: JSON lines and CSV, a line a socket
//! * [`times`]: since when, by one look
//! * [`growth`]: how fast it gets worse, and when it ends

pub mod growth;
pub mod lines;
pub mod text;
pub mod times;

use std::collections::{BTreeMap, BTreeSet};

use crate::code::Code;
use crate::names::{host, is_stand_in};
use crate::owner::{Held, Snapshot, Socket};
use crate::tcp::segment::Endpoint;
use crate::tcp::state::State;
use times::Times;

/// The sockets of a snapshot that were asked for.
#[derive(Debug)]
pub struct Listing<'a> {
    /// Sockets of every state, by state, before anything narrows them.
    pub states: BTreeMap<State, u64>,
    /// Sockets that match what narrows them and are in CLOSE-WAIT: the findings.
    pub stuck: Vec<&'a Socket>,
    /// Sockets to list one by one.
    pub listed: Vec<&'a Socket>,
    /// Events of the code behind sockets that did not arrive, where it is watched.
    pub code_lost: Option<u64>,
    /// The whole list, with processes and their limits.
    pub snapshot: &'a Snapshot,
}

/// CLOSE-WAIT sockets of one process with one peer.
#[derive(Debug)]
pub struct Group<'a> {
    /// The process, or why none is known.
    pub held: Held<'a>,
    /// The network namespace, where several were looked at.
    pub netns: Option<&'a str>,
    /// The local end; without the port where they differ.
    pub local: End,
    /// The peer's end; without the port where they differ.
    pub peer: End,
    /// Sockets in it.
    pub count: u64,
    /// The least and the most of Recv-Q; `None` where the list does not say.
    pub unread: Option<(u32, u32)>,
    /// The times since when they are held, and how long they were idle.
    pub times: Times,
    /// The code behind them, where that was watched.
    pub code: Option<&'a Code>,
}

/// An endpoint of a group; without a port where there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// The address.
    pub ip: std::net::IpAddr,
    /// The port; none where members have different ones.
    pub port: Option<u16>,
}

/// `10.0.0.5:3306`, `10.0.0.5:*`.
impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.port, self.ip) {
            (Some(port), ip) => Endpoint { ip, port }.fmt(f),
            (None, std::net::IpAddr::V6(ip)) if !is_stand_in(self.ip) => write!(f, "[{ip}]:*"),
            (None, ip) => write!(f, "{}:*", host(ip)),
        }
    }
}

impl Listing<'_> {
    /// The findings by process and peer, the largest group first.
    ///
    /// The end with the fewer ports is the service: a client's sockets are grouped by the peer's
    /// port, a server's by its own.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let serving: BTreeSet<(Option<&str>, u16)> = self
            .snapshot
            .sockets
            .iter()
            .filter(|socket| socket.state == State::Listen)
            .map(|socket| (socket.netns.as_deref(), socket.local.port))
            .collect();
        let mut groups = BTreeMap::new();
        for socket in &self.stuck {
            let netns = socket.netns.as_deref();
            let serves = serving.contains(&(netns, socket.local.port));
            let end = |end: Endpoint, with_port: bool| End {
                ip: end.ip,
                port: with_port.then_some(end.port),
            };
            let (local, peer) = (end(socket.local, serves), end(socket.peer, !serves));
            // A process, not each of its descriptors.
            let process = match socket.held() {
                Held::By(holder) => (0, holder.pid),
                Held::Backlog => (1, 0),
                Held::Hidden => (2, 0),
            };
            let heads = socket.code.as_ref().map(|code| code.heads());
            let group = groups.entry((process, netns, local, peer, heads)).or_insert(Group {
                held: socket.held(),
                netns,
                local,
                peer,
                count: 0,
                unread: None,
                times: Times::default(),
                code: socket.code.as_deref(),
            });
            group.count += 1;
            group.times.add(socket);
            if let Some(unread) = socket.recv_q {
                let (least, most) = group.unread.unwrap_or((unread, unread));
                group.unread = Some((least.min(unread), most.max(unread)));
            }
        }
        let mut groups: Vec<Group> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }

    /// Times of the CLOSE-WAIT sockets of a process.
    pub fn times_of(&self, pid: i32) -> Times {
        let mut times = Times::default();
        self.held_by(pid).for_each(|socket| times.add(socket));
        times
    }

    /// Does a process hold some that are counted as another's, which holds them, too?
    pub fn shares(&self, pid: i32) -> bool {
        let is_its = |socket: &Socket| matches!(socket.held(), Held::By(first) if first.pid == pid);
        self.held_by(pid).any(|socket| !is_its(socket))
    }

    fn held_by(&self, pid: i32) -> impl Iterator<Item = &Socket> {
        let is_its = move |socket: &&Socket| socket.holders.iter().any(|one| one.pid == pid);
        self.stuck.iter().copied().filter(is_its)
    }

    /// CLOSE-WAIT sockets by the processes that hold them: one that several hold takes a descriptor of each.
    pub fn by_process(&self) -> BTreeMap<i32, u64> {
        let mut counts = BTreeMap::new();
        for socket in &self.stuck {
            let pids: BTreeSet<i32> = socket.holders.iter().map(|holder| holder.pid).collect();
            pids.into_iter().for_each(|pid| *counts.entry(pid).or_default() += 1);
        }
        counts
    }
}
