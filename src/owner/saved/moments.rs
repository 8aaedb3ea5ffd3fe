//! Several lists after each other: later looks, or parts of one look.
//!
//! `ss -4` and then `ss -6`, one state and then another, one pod and then the next: such lists have the same
//! header, and belong together. The same connection in two lists of one kind was seen twice: the second is later.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use chrono::NaiveDateTime;

use super::Moment;
use crate::names::{self, is_stand_in};
use crate::owner::Socket;
use crate::tcp::state::State;

/// The lists read so far, by their moments.
#[derive(Default)]
pub struct Moments {
    ended: Vec<Moment>,
    at: Option<NaiveDateTime>,
    /// The whole lists of this moment.
    now: List,
    /// The list that is being read.
    list: List,
    /// The moment of this list was begun by its date, and looked at.
    is_begun: bool,
    is_looked_at: bool,
    /// The latest moment that was looked at and had no socket.
    empty: Option<Empty>,
}

/// A moment without a socket: its date, and how many that had one stand before it.
type Empty = (Option<NaiveDateTime>, usize);

/// Both ends, the network namespace, and the inode where a name hides an end.
type Key = (String, String, Option<String>, u64);

fn key(socket: &Socket) -> Key {
    let inode = if is_hidden(socket) && has_inode(socket) { socket.inode } else { 0 };
    (socket.local.to_string(), socket.peer.to_string(), socket.netns.clone(), inode)
}

/// A name may stand for many addresses: `x.x.x.x`.
fn is_hidden(socket: &Socket) -> bool {
    is_stand_in(socket.local.ip) || is_stand_in(socket.peer.ip)
}

/// A list without inodes has 1 in their place.
fn has_inode(socket: &Socket) -> bool {
    socket.inode > 1
}

/// Is a row with the same hidden ends another socket? No list names a process twice for one.
fn is_another(socket: &Socket, known: &Socket) -> bool {
    is_hidden(socket)
        && !has_inode(socket)
        && socket.holders.is_empty() == known.holders.is_empty()
        && may_share(socket, known)
}

/// Sockets of one list, or of several.
#[derive(Default)]
struct List {
    sockets: Vec<Socket>,
    /// One with several holders is one.
    places: HashMap<Key, usize>,
    /// States that their commands asked for.
    asked: Vec<Option<State>>,
}

impl List {
    /// Returns the place of the socket.
    fn add(&mut self, socket: Socket) -> usize {
        let place = *self.places.entry(key(&socket)).or_insert(self.sockets.len());
        let is_same =
            |known: &&mut Socket| known.state == socket.state && !is_another(&socket, known);
        match self.sockets.get_mut(place).filter(is_same) {
            Some(known) if known.peer.port != 0 => {
                known.silence = known.silence.or(socket.silence);
                known.join(socket.holders);
                place
            }
            _ => {
                self.sockets.push(socket);
                self.sockets.len() - 1
            }
        }
    }

    /// Is it another look at what there is? Other processes and other states may be asked for at one time, listeners
    /// are there all the time, and each host has the same loopback addresses.
    fn is_later_than(&self, known: &List) -> bool {
        let is_same = |socket: &&Socket| {
            let is_loopback =
                |ip: IpAddr| ip.is_loopback() || names::name(ip).as_deref() == Some("localhost");
            let place = known.places.get(&key(socket));
            socket.peer.port != 0
                && !(is_loopback(socket.local.ip) && is_loopback(socket.peer.ip))
                && place.is_some_and(|place| may_share(socket, &known.sockets[*place]))
        };
        self.asked.iter().all(|asked| known.asked.contains(asked))
            && self.sockets.iter().find(is_same).is_some()
    }
}

/// May both have the same holder, as far as they say?
fn may_share(one: &Socket, other: &Socket) -> bool {
    let is_in = |pid: i32| other.holders.iter().any(|holder| holder.pid == pid);
    one.holders.is_empty()
        || other.holders.is_empty()
        || one.holders.iter().any(|holder| is_in(holder.pid))
}

/// Are these of two hosts, each with its date before it? They have no local address in common.
fn are_of_others(one: &[Socket], other: &[Socket]) -> bool {
    let locals = |sockets: &[Socket]| -> HashSet<IpAddr> {
        let is_told = |ip: &IpAddr| !ip.is_loopback() && !ip.is_unspecified() && !is_stand_in(*ip);
        sockets.iter().map(|socket| socket.local.ip).filter(is_told).collect()
    };
    let (one, other) = (locals(one), locals(other));
    !one.is_empty() && !other.is_empty() && one.is_disjoint(&other)
}

impl Moments {
    /// Adds a socket to the list that is being read. Returns its place there.
    pub fn add(&mut self, socket: Socket, asked: Option<State>) -> usize {
        if !self.list.asked.contains(&asked) {
            self.list.asked.push(asked);
        }
        self.list.add(socket)
    }

    /// The socket at that place of the list that is being read.
    pub fn at(&mut self, place: usize) -> Option<&mut Socket> {
        self.list.sockets.get_mut(place)
    }

    /// A list of the same kind follows.
    pub fn end_list(&mut self) {
        let list = std::mem::take(&mut self.list);
        if list.is_later_than(&self.now) {
            self.end_moment();
        }
        for asked in list.asked {
            if !self.now.asked.contains(&asked) {
                self.now.asked.push(asked);
            }
        }
        list.sockets.into_iter().for_each(|socket| _ = self.now.add(socket));
    }

    /// A later moment begins, if this one has any socket.
    pub fn begin(&mut self, at: Option<NaiveDateTime>) {
        self.end_list();
        self.end_moment();
        self.at = at;
        (self.is_begun, self.is_looked_at) = (true, false);
    }

    /// The list of this moment begins, whether it has any socket or not.
    pub fn look(&mut self) {
        self.is_looked_at = true;
    }

    fn end_moment(&mut self) {
        if self.now.sockets.is_empty() {
            if self.is_begun && self.is_looked_at {
                self.empty = self.empty.max(Some((self.at, self.ended.len())));
            }
            return;
        }
        let (at, sockets) = (self.at.take(), std::mem::take(&mut self.now).sockets);
        match self.ended.last_mut().filter(|last| are_of_others(&last.sockets, &sockets)) {
            Some(last) => last.sockets.extend(sockets),
            None => self.ended.push(Moment { at, sockets }),
        }
    }

    /// All moments that have a socket, the latest last, and whether one without any is later: dates tell, where each has
    /// one. A log may have the newest first.
    pub fn finish(mut self) -> (Vec<Moment>, bool) {
        self.begin(None);
        let Moments { mut ended, empty, .. } = self;
        if ended.iter().all(|moment| moment.at.is_some()) {
            ended.sort_by_key(|moment| moment.at);
        }
        let last = ended.last().map(|last| last.at);
        let is_last = |(at, place): Empty| match (at, last) {
            // Of the same time, the one that is below is later.
            (Some(at), Some(Some(last))) => (at, place) >= (last, ended.len()),
            (_, last) => last.is_some() && place == ended.len(),
        };
        let ends_empty = empty.is_some_and(is_last);
        (ended, ends_empty)
    }
}

#[cfg(test)]
mod tests {
    use crate::owner::saved::parse;

    fn moments(lists: &[&str]) -> Vec<usize> {
        let header = "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n";
        let text: String = lists.iter().map(|list| format!("{header}{list}")).collect();
        parse(&text).expect("lists").moments.iter().map(|moment| moment.sockets.len()).collect()
    }

    const A: &str = "CLOSE-WAIT 1 0 192.0.2.5:40001 198.51.100.3:3306 users:((\"x\",pid=7,fd=6))\n";
    const B: &str = "ESTAB 0 0 192.0.2.5:40002 198.51.100.3:3306 users:((\"x\",pid=7,fd=7))\n";
    const LISTENER: &str = "LISTEN 0 0 0.0.0.0:80 0.0.0.0:* users:((\"x\",pid=7,fd=3))\n";
    const LOOPBACK: &str = "ESTAB 0 0 127.0.0.1:40002 127.0.0.1:3306\n";

    #[test]
    fn the_same_connection_again_is_a_later_moment() {
        assert_eq!(moments(&[&format!("{A}{B}"), B]), [2, 1]);
        assert_eq!(moments(&[A, A, A]), [1, 1, 1]);
    }

    #[test]
    fn lists_without_one_in_common_are_parts_of_a_moment() {
        assert_eq!(moments(&[A, B]), [2]);
        assert_eq!(moments(&[&format!("{A}{LISTENER}"), &format!("{B}{LISTENER}")]), [4]);
        assert_eq!(moments(&[&format!("{A}{LOOPBACK}"), &format!("{B}{LOOPBACK}")]), [3]);
        // Inherited: another process has it, too.
        assert_eq!(moments(&[A, &A.replace("pid=7", "pid=8")]), [1]);
    }

    #[test]
    fn other_states_are_asked_for_at_one_time() {
        let row = |port: u16| {
            format!(
                "Recv-Q Send-Q Local Address:Port Peer Address:Port\n1 0 192.0.2.5:{port} 198.51.100.3:3306\n"
            )
        };
        let asked = |state: &str, port| format!("$ ss -tn state {state}\n{}", row(port));
        let text = asked("close-wait", 1) + &asked("established", 1);
        assert_eq!(parse(&text).expect("lists").moments.len(), 1);
        let text = asked("close-wait", 1) + &asked("close-wait", 1);
        assert_eq!(parse(&text).expect("lists").moments.len(), 2);
    }

    #[test]
    fn a_date_or_watch_begins_a_moment_whatever_there_is() {
        for between in
            ["2026-11-26 13:13:00\n", "Every 2.0s: ss -tan    web-1: Thu Nov 26 13:12:27 2026\n"]
        {
            let moments = parse(&format!("{A}{between}{B}")).expect("lists").moments;
            assert_eq!(moments.len(), 2, "{between}");
            assert!(moments[1].at.is_some(), "{between}");
        }
    }
}
