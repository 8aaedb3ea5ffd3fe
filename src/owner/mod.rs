//! Sockets of a host, and the processes that hold them.
//!
//! * [`kernel`]: the sockets of this host, or of other network namespaces on it, by procfs
//! * `diag`: a few of them, by sock_diag (with the feature `cli`)
//! * `later`: moments that a saved list was made after
//! * [`links`]: its interfaces and addresses, which `rtnetlink` reads
//! * [`lookup`]: the same from another process, while packets are read
//! * `multipath`: whether anybody speaks Multipath TCP, of which TCP's lists tell no end
//! * `netlink`: questions to the kernel, for `diag` and `rtnetlink`
//! * [`saved`]: lists that somebody saved: `ss`, `netstat`, `lsof`, and others
//! * [`silence`]: since when nothing has come

#[cfg(feature = "cli")]
pub mod diag;
pub mod kernel;
mod later;
pub mod links;
pub mod lookup;
mod multipath;
#[cfg(feature = "cli")]
mod netlink;
#[cfg(feature = "cli")]
mod rtnetlink;
pub mod saved;
pub mod silence;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use chrono::{NaiveDateTime, TimeDelta};
use later::Later;
use serde::{Deserialize, Serialize};
use silence::Silence;

use crate::code::Code;
use crate::endpoints::is_one_of;
use crate::names::is_stand_in;
use crate::place::Time;
use crate::tcp::segment::Endpoint;
use crate::tcp::state::State;

/// One TCP socket as the kernel lists it. IPv4-mapped addresses are IPv4 here.
#[derive(Clone, Debug, PartialEq)]
pub struct Socket {
    /// Its own address and port.
    pub local: Endpoint,
    /// The address and port of the other end.
    pub peer: Endpoint,
    /// Its state, as the kernel has it.
    pub state: State,
    /// The list names no state: it may be one of CLOSE-WAIT alone, or of another.
    pub is_assumed: bool,
    /// Octets that the program has not read; in CLOSE-WAIT, an unread end-of-file counts as one.
    /// Not every list has it.
    pub recv_q: Option<u32>,
    /// Octets sent and not yet acknowledged.
    pub send_q: Option<u32>,
    /// 0 for a socket that no program has (yet, or any more).
    pub inode: u64,
    /// The descriptors that refer to it, the lowest pid first.
    pub holders: Vec<Holder>,
    /// The network namespace, where more than one is looked at.
    pub netns: Option<String>,
    /// True if it came into CLOSE-WAIT while a capture went on that has none of its packets.
    pub is_unseen: bool,
    /// Since when nothing has come, where the list says so.
    pub silence: Option<Silence>,
    /// The code that used it, where that was watched.
    pub code: Option<Box<Code>>,
}

/// A descriptor of a process that refers to a socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Holder {
    /// The process's number.
    pub pid: i32,
    /// Its name (comm), safe to print.
    pub command: String,
    /// Not every list has it.
    pub fd: Option<i32>,
    /// Its user.
    pub uid: Option<u32>,
}

/// `orders-api[26922]`, or `pid 26922` where only that is known.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.command.as_str() {
            "" => write!(f, "pid {}", self.pid),
            command => write!(f, "{command}[{}]", self.pid),
        }?;
        self.fd.map_or(Ok(()), |fd| write!(f, " fd {fd}"))
    }
}

/// A process's open files, and how many it may have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// The process's name, safe to print.
    pub command: String,
    /// The soft limit of open files; `None` if there is none, or it cannot be read.
    pub limit: Option<u64>,
    /// Descriptors that are open; none where they may not be counted.
    pub in_use: Option<u64>,
}

/// All sockets at one time.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Sockets of every state.
    pub sockets: Vec<Socket>,
    /// The processes that hold any of them.
    pub processes: BTreeMap<i32, Usage>,
    /// Processes whose descriptors we were not allowed to see.
    pub denied: u64,
    /// Not this host's, but a list that somebody saved.
    pub is_saved: bool,
    /// Lines of that list could not be read, and each may be a socket.
    pub is_partial: bool,
}

/// The holder of a socket, as far as can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held<'a> {
    /// A process: the lowest number, of several.
    By(&'a Holder),
    /// In a listening socket's backlog: the program never accepted it.
    Backlog,
    /// Some process that we may not look into, or one that has just ended.
    Hidden,
}

impl Socket {
    /// True in CLOSE-WAIT.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.state == State::CloseWait
    }

    /// In CLOSE-WAIT for so long, or nobody knows for how long.
    #[must_use]
    pub fn is_stuck_for(&self, least: TimeDelta) -> bool {
        self.is_stuck() && self.held_for().is_none_or(|held| held >= least)
    }

    /// In CLOSE-WAIT, and its program still sends: it did less than `quiet` ago, as far as is known.
    #[must_use]
    pub fn is_in_use(&self, quiet: TimeDelta) -> bool {
        self.is_stuck() && self.silence.is_some_and(|silence| silence.is_in_use(quiet))
    }

    /// The time for which it has been in CLOSE-WAIT, at least.
    #[must_use]
    pub fn held_for(&self) -> Option<TimeDelta> {
        self.silence.filter(|_| self.is_stuck()).map(Silence::held)
    }

    /// The time from the last use to the peer's FIN, at most. What is sent again and again counts as use.
    #[must_use]
    pub fn idle_before_fin(&self) -> Option<TimeDelta> {
        let is_sending = self.send_q.is_some_and(|octets| octets > 0);
        self.silence.filter(|_| self.is_stuck() && !is_sending)?.idle_before_fin()
    }

    /// Adds holders that are not known yet.
    pub fn join(&mut self, more: Vec<Holder>) {
        let known = std::mem::take(&mut self.holders);
        let all: BTreeSet<Holder> = known.into_iter().chain(more).collect();
        self.holders = all.into_iter().collect();
    }

    /// Nobody here has closed it.
    fn is_open(&self) -> bool {
        matches!(self.state, State::SynReceived | State::Established | State::CloseWait)
    }

    /// The first of its holders, or why none is known.
    #[must_use]
    pub fn held(&self) -> Held<'_> {
        match self.holders.first() {
            Some(holder) => Held::By(holder),
            None if self.inode == 0 && self.is_open() => Held::Backlog,
            None => Held::Hidden,
        }
    }
}

/// Clocks are ahead of UTC by less, and behind it.
const FARTHEST_ZONE: TimeDelta = TimeDelta::hours(14);

/// Sockets by their ends, to find those of a capture's flows.
#[derive(Clone, Debug, Default)]
pub struct SocketList {
    sockets: Vec<Socket>,
    by_ends: HashMap<(Endpoint, Endpoint), usize>,
    /// The time at which it was made, in some zone, if it says so.
    made: Option<NaiveDateTime>,
    /// Names stand for some addresses.
    is_named: bool,
    /// Indexes of the sockets of which the capture holds a packet.
    captured: HashSet<usize>,
    /// Indexes of those whose ends a connection of the capture has, that was not in CLOSE-WAIT in the end.
    otherwise: HashSet<usize>,
    /// Ends of sockets that an earlier list had in CLOSE-WAIT.
    were_stuck: HashSet<(Endpoint, Endpoint)>,
    /// The addresses of their host, if they are known.
    host: BTreeSet<IpAddr>,
    /// Their local addresses that are of one host alone.
    locals: BTreeSet<IpAddr>,
    /// A connection of the capture has one of these, as far as any was looked at.
    is_met: Option<bool>,
    /// Moments that it was made after, where a capture tells.
    later: Later,
    /// Descriptors of processes that hold some, where the list has them.
    pub usage: BTreeMap<i32, Usage>,
    /// Its host passes others' packets on, and may give them its own address.
    pub forwards: bool,
    /// Made before what it is asked about, and nobody could make another: what it has not, may be there.
    pub is_outdated: bool,
}

impl SocketList {
    /// Makes a list of sockets whose host's addresses are not known.
    #[must_use]
    pub fn new(sockets: Vec<Socket>) -> SocketList {
        let ends = |(i, socket): (usize, &Socket)| ((socket.local, socket.peer), i);
        let by_ends = sockets.iter().enumerate().map(ends).collect();
        let named = |socket: &Socket| is_stand_in(socket.local.ip) || is_stand_in(socket.peer.ip);
        let is_named = sockets.iter().any(named);
        let locals = sockets.iter().map(|socket| socket.local.ip);
        let locals = locals.filter(|ip| !ip.is_unspecified() && !ip.is_loopback()).collect();
        SocketList { sockets, by_ends, is_named, locals, ..SocketList::default() }
    }

    /// Makes a list of the sockets of a host with these addresses.
    pub fn of_host(sockets: Vec<Socket>, host: impl IntoIterator<Item = IpAddr>) -> SocketList {
        SocketList { host: host.into_iter().collect(), ..SocketList::new(sockets) }
    }

    /// A list that says when it was made, in the zone of its host.
    #[must_use]
    pub fn made(self, at: Option<NaiveDateTime>) -> SocketList {
        SocketList { made: at, ..self }
    }

    /// Was it made before this, whatever its zone?
    #[must_use]
    pub fn is_older_than(&self, time: Time) -> bool {
        let at = self.made.map(|at| at.and_utc() + FARTHEST_ZONE);
        let nanos = at.and_then(|at| at.timestamp_nanos_opt());
        nanos.zip(time.nanos()).is_some_and(|(at, time)| at < time)
    }

    /// Learns how late it was made, from when its sockets came into CLOSE-WAIT.
    pub fn learn_when(&mut self, since: impl Fn(Endpoint, Endpoint) -> Option<Time>) {
        let sure = self.sockets.iter().filter(|socket| socket.is_stuck() && !socket.is_assumed);
        for Socket { local, peer, .. } in sure {
            if let Some(since) = since(*local, *peer) {
                self.later.learn(*local, *peer, since);
            }
        }
    }

    /// Has it no socket with these ends, though it was made after that came into CLOSE-WAIT?
    #[must_use]
    pub fn has_no_more(&self, own: Endpoint, peer: Endpoint, since: Time) -> bool {
        self.find(own, peer).is_none() && self.later.is_made_after(own, peer, since)
    }

    /// The states of some of its sockets, or of all, were assumed: it does not name them.
    #[must_use]
    pub fn is_assumed(&self) -> bool {
        self.sockets.iter().any(|socket| socket.is_assumed)
    }

    /// Counts some sockets as none that were stuck before the capture. They are found all the same.
    pub fn leave_out(&mut self, mut is_left_out: impl FnMut(&Socket) -> bool) {
        let all = self.sockets.iter().enumerate();
        self.captured.extend(all.filter_map(|(i, socket)| is_left_out(socket).then_some(i)));
    }

    /// Takes note of the ends of a connection of the capture. A name may stand for any address.
    pub fn meet(&mut self, mut ends: impl Iterator<Item = Endpoint>) {
        let is_one = |end: Endpoint| is_stand_in(end.ip) || self.locals.contains(&end.ip);
        self.is_met = Some(self.is_met == Some(true) || ends.any(is_one));
    }

    /// True if no connection that it met has an address of its sockets: it seems to be another host's.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.is_met == Some(false) && !self.is_named && !self.locals.is_empty()
    }

    /// True if the address is one of the host's: a socket with it would be in the list.
    #[must_use]
    pub fn is_host(&self, address: IpAddr) -> bool {
        is_one_of(&self.host, address)
    }

    /// Tells whether a socket that is [found](SocketList::find) is surely the one with these ends, and in the state
    /// that it is listed in.
    #[must_use]
    pub fn is_sure(&self, local: Endpoint, peer: Endpoint) -> bool {
        let exact = self.by_ends.get(&(local, peer)).and_then(|at| self.sockets.get(*at));
        exact.is_some_and(|socket| !socket.is_assumed)
    }

    /// Finds a socket by its ends.
    #[must_use]
    pub fn find(&self, local: Endpoint, peer: Endpoint) -> Option<&Socket> {
        self.sockets.get(self.index(local, peer)?)
    }

    /// The place of a socket. Where a name stands for an address, the ports decide if they can.
    fn index(&self, local: Endpoint, peer: Endpoint) -> Option<usize> {
        let exact = self.by_ends.get(&(local, peer)).copied();
        exact.or_else(|| {
            let is_named = self.is_named || [local, peer].iter().any(|end| is_stand_in(end.ip));
            if is_named { self.by_ports(local, peer) } else { None }
        })
    }

    /// The only socket with these ports whose ends could be these.
    fn by_ports(&self, local: Endpoint, peer: Endpoint) -> Option<usize> {
        let can_be = |a: Endpoint, b: Endpoint| {
            let is_name = is_stand_in(a.ip) != is_stand_in(b.ip);
            a.port == b.port && (a.ip == b.ip || is_name)
        };
        let mut found = self
            .sockets
            .iter()
            .enumerate()
            .filter(|(_, socket)| can_be(socket.local, local) && can_be(socket.peer, peer));
        match (found.next(), found.next()) {
            (Some((at, _)), None) => Some(at),
            _ => None,
        }
    }

    /// Finds the socket in CLOSE-WAIT of a client with this end, or of whom it speaks to, whatever the other end is: of a
    /// host whose kernel can have translated that. A client has one connection at a time from there, as a rule.
    #[must_use]
    pub fn stuck_with_client(&self, end: Endpoint, is_client_s: bool) -> Option<&Socket> {
        let is_its = |socket: &&Socket| match is_client_s {
            true => socket.local == end,
            false => socket.peer == end,
        };
        let mut stuck = self.sockets.iter().filter(|socket| socket.is_stuck());
        stuck.find(is_its).filter(|_| !self.host.is_empty())
    }

    /// Is it in CLOSE-WAIT, or was it in an earlier list?
    #[must_use]
    pub fn was_stuck(&self, local: Endpoint, peer: Endpoint) -> bool {
        self.is_stuck(local, peer) || self.were_stuck.contains(&(local, peer))
    }

    fn is_stuck(&self, local: Endpoint, peer: Endpoint) -> bool {
        self.find(local, peer).is_some_and(Socket::is_stuck)
    }

    /// Tells whether the same socket is one of those that were stuck before the capture.
    #[must_use]
    pub fn had_before(&self, socket: &Socket) -> bool {
        let known = self.find(socket.local, socket.peer).filter(|known| known.is_stuck());
        let known = known.filter(|known| known.inode == socket.inode && !known.is_unseen);
        known.is_some_and(|known| !self.is_among(&self.captured, known))
    }

    /// Counts a socket with those that no connection of the capture accounts for: none of its packets was captured.
    pub fn mark_unseen(&mut self, local: Endpoint, peer: Endpoint) {
        let Some(index) = self.index(local, peer) else { return };
        self.captured.remove(&index);
        self.sockets.get_mut(index).into_iter().for_each(|socket| socket.is_unseen = true);
    }

    /// Becomes a list of the same host that was made so much later. Only a socket that stood in CLOSE-WAIT in both can have
    /// been stuck before a capture that began with the first; and it was for all the time between them.
    pub fn renew(&mut self, mut later: SocketList, after: TimeDelta) {
        later.go_on(self, after);
        let is_same = |ends: &(Endpoint, Endpoint), index: &usize| {
            let before = self.find(ends.0, ends.1).filter(|before| before.is_stuck());
            let inode = later.sockets.get(*index).map(|socket| socket.inode);
            before.filter(|before| !before.is_unseen).map(|before| before.inode) == inode
        };
        let seen = |ends: &(Endpoint, Endpoint)| {
            self.by_ends.get(ends).is_some_and(|index| self.captured.contains(index))
        };
        let others = later.by_ends.iter();
        let others = others.filter(|(ends, index)| !is_same(ends, index) || seen(ends));
        let captured = others.map(|(_, index)| *index).chain(later.captured.iter().copied());
        let captured = captured.collect();
        let mut were_stuck = std::mem::take(&mut self.were_stuck);
        let now = self.sockets.iter().filter(|socket| socket.is_stuck());
        were_stuck.extend(now.map(|socket| (socket.local, socket.peer)));
        *self = SocketList { captured, were_stuck, ..later };
    }

    /// Learns from a list that was made so much earlier: what is in CLOSE-WAIT in both was so for all the time between
    /// them, whatever has been heard meanwhile.
    pub fn go_on(&mut self, earlier: &SocketList, after: TimeDelta) {
        for socket in self.sockets.iter_mut().filter(|socket| socket.is_stuck()) {
            let before = earlier.find(socket.local, socket.peer);
            if let Some(before) = before.filter(|it| it.is_stuck() && it.inode == socket.inode) {
                socket.silence = socket.silence.map(|now| now.since(before.silence, after));
            }
        }
    }

    /// Marks a socket of which the capture holds packets.
    pub fn mark_captured(&mut self, a: Endpoint, b: Endpoint) {
        let both = [(a, b), (b, a)];
        let places: Vec<usize> =
            both.iter().filter_map(|(local, peer)| self.index(*local, *peer)).collect();
        self.captured.extend(places);
    }

    /// Marks a socket that a connection of the capture accounts for.
    pub fn mark_held(&mut self, local: Endpoint, peer: Endpoint) {
        self.captured.extend(self.index(local, peer));
    }

    /// Marks a socket whose ends a connection of the capture has that was not left in CLOSE-WAIT.
    pub fn mark_otherwise(&mut self, local: Endpoint, peer: Endpoint) {
        self.otherwise.extend(self.index(local, peer));
    }

    /// Counts sockets in CLOSE-WAIT whose ends the capture shows, and not in CLOSE-WAIT: a later connection has
    /// them, or an older one.
    #[must_use]
    pub fn stuck_otherwise(&self) -> u64 {
        self.stuck_before().filter(|socket| self.is_among(&self.otherwise, socket)).count() as u64
    }

    /// Is a socket with these ends among those? Two network namespaces may have the same.
    fn is_among(&self, indexes: &HashSet<usize>, socket: &Socket) -> bool {
        let last = self.by_ends.get(&(socket.local, socket.peer));
        last.is_some_and(|at| indexes.contains(at))
    }

    /// Sockets in CLOSE-WAIT, whatever a capture has of them.
    pub fn stuck(&self) -> impl Iterator<Item = &Socket> {
        self.sockets.iter().filter(|socket| socket.is_stuck())
    }

    /// Sockets in CLOSE-WAIT that no connection of the capture accounts for: stuck before it began.
    pub fn stuck_before(&self) -> impl Iterator<Item = &Socket> {
        self.sockets.iter().filter(|socket| self.is_stuck_before(socket))
    }

    /// Tells whether a socket of this list is in CLOSE-WAIT, and no connection of the capture accounts for it.
    #[must_use]
    pub fn is_stuck_before(&self, socket: &Socket) -> bool {
        socket.is_stuck() && !self.is_among(&self.captured, socket)
    }
}

/// Converts an address of a socket list; IPv4-mapped ones become IPv4.
pub fn endpoint(address: SocketAddr) -> Endpoint {
    let ip = match address.ip() {
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4),
        ip => ip,
    };
    Endpoint { ip, port: address.port() }
}

/// The state that has this number in the kernel (`include/net/tcp_states.h`). A request that became
/// half a socket (12) has received its SYN; a socket that is only bound (13) is closed.
fn kernel_state(number: u8) -> Option<State> {
    Some(match number {
        1 => State::Established,
        2 => State::SynSent,
        3 | 12 => State::SynReceived,
        4 => State::FinWait1,
        5 => State::FinWait2,
        6 => State::TimeWait,
        7 | 13 => State::Closed,
        8 => State::CloseWait,
        9 => State::LastAck,
        10 => State::Listen,
        11 => State::Closing,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stuck(inode: u64) -> SocketList {
        let end = |last, port| Endpoint { ip: IpAddr::from([10, 0, 0, last]), port };
        SocketList::new(vec![Socket {
            local: end(1, 40_000),
            peer: end(2, 3_306),
            state: State::CloseWait,
            is_assumed: false,
            recv_q: None,
            send_q: None,
            inode,
            holders: Vec::new(),
            netns: None,
            is_unseen: false,
            silence: None,
            code: None,
        }])
    }

    /// Its packets were on their way when the list was made that had it first.
    #[test]
    fn a_socket_that_was_unseen_and_is_seen_by_now_was_not_stuck_before() {
        let mut list = SocketList::default();
        list.renew(stuck(7), TimeDelta::seconds(1));
        let Socket { local, peer, .. } = list.sockets[0];
        for is_seen in [false, true] {
            list.mark_unseen(local, peer);
            assert!(list.is_stuck_before(&list.sockets[0]));
            list.renew(stuck(7), TimeDelta::seconds(1));
            if !is_seen {
                list.mark_unseen(local, peer);
            }
            assert_eq!(list.is_stuck_before(&list.sockets[0]), !is_seen);
        }
    }

    #[test]
    fn another_socket_with_the_same_ends_was_not_stuck_before() {
        for (inode, is_before) in [(7, true), (8, false)] {
            let mut list = stuck(7);
            list.renew(stuck(inode), TimeDelta::seconds(1));
            assert_eq!(list.stuck_before().next().is_some(), is_before, "{inode}");
        }
    }

    /// Nor has one that was closed a process: it is in no backlog.
    #[test]
    fn only_what_nobody_has_closed_is_in_a_backlog() {
        let held = |state, inode| {
            Socket { state, ..stuck(inode).sockets[0].clone() }.held() == Held::Backlog
        };
        assert!(
            [State::SynReceived, State::Established, State::CloseWait]
                .iter()
                .all(|it| held(*it, 0))
        );
        let closed =
            [State::FinWait1, State::FinWait2, State::Closing, State::LastAck, State::TimeWait];
        assert!(!closed.iter().any(|it| held(*it, 0)) && !held(State::CloseWait, 7));
    }
}
