//! Lines that somebody cut out of a list: two ends and a state beside them, whatever else is there.
//!
//! `192.0.2.5:47902 198.51.100.3:3306 CLOSE_WAIT`, `CLOSE_WAIT 192.0.2.5 47902 198.51.100.3 3306`

use std::net::IpAddr;

use super::named::{self, Role};
use super::{SavedLine, netstat, words};
use crate::owner::{Holder, Socket};
use crate::tcp::segment::Endpoint;
use crate::tcp::state::State;

/// A line, with any prefix. Two ends without a state are no other thing than a socket that was not
/// understood.
pub fn line(words: &[&str]) -> SavedLine {
    if let Some(socket) = of_lsof(words) {
        return SavedLine::Socket(socket);
    }
    let parts = words.iter().flat_map(|word| word.split("->"));
    let labelled: Vec<&str> = parts.map(|word| word.trim_matches([',', ';'])).collect();
    let all: Vec<&str> = labelled.iter().copied().filter(|word| !is_label(word)).collect();
    let found = (0..all.len()).find_map(|at| Some((at, ends(&all[at..])?)));
    let Some((at, ([mut local, mut peer], len))) = found else { return begun(&all) };
    if is_turned(&labelled) {
        (local, peer) = (peer, local);
    }
    let (before, after) = (&all[..at], &all[at + len..]);
    let is_other = |word: &&str| words::is_other_protocol(word) || **word == *"UNCONN";
    // Solaris says so of UDP.
    if before.iter().any(is_other) || after.first() == Some(&"Connected") {
        return SavedLine::Other;
    }
    let behind = || words::state_at(after).map(|(state, n)| (state, &after[n..]));
    match behind().or_else(|| state_before(before)) {
        Some(_) if words::is_cut(after) && peer.port != 0 => SavedLine::Unclear,
        // The row before was cut off.
        Some((state, _)) if names_another(before, state) => SavedLine::Unclear,
        Some((state, rest)) => {
            let behind = netstat::program(rest).or_else(|| netstat::pid_first(rest));
            let holders = behind.or_else(|| tcp_view(before)).into_iter().collect();
            SavedLine::Socket(netstat::socket([local, peer], state, [None, None], holders))
        }
        // A listener is never in CLOSE-WAIT, in whatever language.
        None if peer.port == 0 => SavedLine::Other,
        None => SavedLine::Unclear,
    }
}

/// A state alone, or with one end: a field a line. A heading looks the same.
fn begun(words: &[&str]) -> SavedLine {
    let rest = match words::state_at(words) {
        Some((State::CloseWait, taken)) => &words[taken..],
        _ => return SavedLine::Other,
    };
    match rest {
        [] => SavedLine::Begun,
        [local] if words::end(local).is_some() => SavedLine::Begun,
        _ => SavedLine::Other,
    }
}

/// `orders 4242 web-1:47902->db:mysql (CLOSE_WAIT)`: columns of lsof that somebody chose. Its arrow tells ends, be
/// they names.
fn of_lsof(words: &[&str]) -> Option<Socket> {
    let ends = |word: &&str| {
        let (local, peer) = word.split_once("->")?;
        Some([words::end(local)?, words::end(peer)?])
    };
    let (at, ends) = words.iter().enumerate().find_map(|(at, word)| Some((at, ends(word)?)))?;
    let (state, _) = words.get(at + 1).and_then(|word| words::state_at(&[word]))?;
    let is_whole = words[at + 1].starts_with('(') && words[at + 1] != "(CLOSE";
    let holder = match words[..at] {
        [command, pid] => netstat::named(command, pid),
        _ => None,
    };
    let is_other = words[..at].iter().any(|word| words::is_other_protocol(word));
    (is_whole && !is_other)
        .then(|| netstat::socket(ends, state, [None, None], holder.into_iter().collect()))
}

/// `java.exe 4242 TCP Close Wait`: what is before the protocol, where the state is before the ends.
fn tcp_view(before: &[&str]) -> Option<Holder> {
    let protocol = before.iter().position(|word| words::is_tcp(word))?;
    match before[..protocol] {
        [command, pid] => netstat::named(command, pid),
        _ => None,
    }
}

/// A line in anybody's own form, without its marks: `sconn(laddr=addr(ip='192.0.2.5', port=47902), …)`,
/// `tcp,192.0.2.5:47902,198.51.100.3:3306,CLOSE_WAIT`, `192.0.2.5(47902)<->198.51.100.3(3306)`.
pub fn loosened(line: &str) -> SavedLine {
    // A listener of psutil's.
    let line = line.replace("raddr=()", "raddr= 0.0.0.0 0");
    let bare = line.replace("<->", " ").replace("->", " ").replace('=', "= ");
    let bare = bare.replace(|c: char| "(){}<>'\",;|".contains(c), " ");
    self::line(&bare.split_whitespace().collect::<Vec<_>>())
}

/// A word between ends and their state that says nothing: `->`, `<->`, `Peer:`, `ip=`.
fn is_label(word: &str) -> bool {
    let label = word.strip_suffix(':');
    let is_arrow = word.chars().all(|c| matches!(c, '-' | '<' | '>' | '='));
    is_arrow
        || matches!(word, "to" | "addr")
        || word.ends_with('=')
        || label.is_some_and(|name| named::role(name).is_some())
}

/// Do labels name the peer before the local end?
fn is_turned(words: &[&str]) -> bool {
    let place = |wanted: Role| {
        let is_it = |word: &&str| {
            word.strip_suffix([':', '=']).and_then(named::role).is_some_and(|role| role == wanted)
        };
        words.iter().position(is_it)
    };
    place(Role::Peer).zip(place(Role::Local)).is_some_and(|(peer, local)| peer < local)
}

/// Two addresses with their ports, and the words that they take. A name may be any word.
fn ends(words: &[&str]) -> Option<([Endpoint; 2], usize)> {
    let is_address = |word: &str| {
        let host = word.rsplit_once([':', '.']).map_or(word, |(host, _)| host);
        host.trim_matches(['[', ']', '.'])
            .split('%')
            .next()
            .is_some_and(|ip| ip.parse::<IpAddr>().is_ok())
    };
    match words {
        [local, peer, ..] if is_address(local) && is_address(peer) => {
            Some(([words::end(local)?, words::end(peer)?], 2)).filter(|_| !is_port(peer))
        }
        _ => words::columns(words)
            .filter(|_| words[0].parse::<IpAddr>().is_ok())
            .map(|ends| (ends, 4)),
    }
}

fn is_port(word: &str) -> bool {
    word.bytes().all(|octet| octet.is_ascii_digit())
}

/// Does a word name a state that is not this one? `Close` may be a part of it.
fn names_another(words: &[&str], state: State) -> bool {
    let named = |word: &&str| words::state(word).filter(|named| *named != State::Closed);
    words.iter().filter_map(named).any(|named| named != state)
}

fn state_before<'a, 'w>(words: &'a [&'w str]) -> Option<(State, &'a [&'w str])> {
    let state = |n: usize| words::state(&words[words.len().checked_sub(n)?..].concat());
    (1..=words::STATE).rev().find_map(|n| Some((state(n)?, &words[..0])))
}
