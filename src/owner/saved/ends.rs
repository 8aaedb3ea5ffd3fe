//! Lines that somebody cut out of a list: two ends and a state beside them, whatever else is there.
//!
//! `192.0.2.5:47902 198.51.100.3:3306 CLOSE_WAIT`, `CLOSE_WAIT 192.0.2.5 47902 198.51.100.3 3306`

use std::net::IpAddr;

use super::{SavedLine, named, netstat, words};
use crate::tcp::segment::Endpoint;
use crate::tcp::state::State;

/// The words of a state that are written apart, at most: `Fin Wait 2`.
const STATE: usize = 3;

/// A line, with any prefix. Two ends without a state are no other thing than a socket that was not
/// understood.
pub fn line(words: &[&str]) -> SavedLine {
    let parts = words.iter().flat_map(|word| word.split("->"));
    let all: Vec<&str> =
        parts.map(|word| word.trim_matches([',', ';'])).filter(|word| !is_label(word)).collect();
    let found = (0..all.len()).find_map(|at| Some((at, ends(&all[at..])?)));
    let Some((at, ([local, peer], len))) = found else { return SavedLine::Other };
    let (before, after) = (&all[..at], &all[at + len..]);
    let is_other = |word: &&str| words::is_other_protocol(word) || **word == *"UNCONN";
    // Solaris says so of UDP.
    if before.iter().any(is_other) || after.first() == Some(&"Connected") {
        return SavedLine::Other;
    }
    match state_after(after).or_else(|| state_before(before)) {
        Some((state, rest)) => {
            let holders = netstat::program(rest).or_else(|| netstat::pid_first(rest));
            let holders = holders.into_iter().collect();
            SavedLine::Socket(netstat::socket([local, peer], state, [None, None], holders))
        }
        // A listener is never in CLOSE-WAIT, in whatever language.
        None if peer.port == 0 => SavedLine::Other,
        None => SavedLine::Unclear,
    }
}

/// A word between ends and their state that says nothing: `->`, `<->`, `Peer:`.
fn is_label(word: &str) -> bool {
    let label = word.strip_suffix([':', '=']);
    matches!(word, "" | "<" | ">" | "=>" | "to")
        || label.is_some_and(|name| named::role(name).is_some())
}

/// Two addresses with their ports, and the words that they take. A name may be any word.
fn ends(words: &[&str]) -> Option<([Endpoint; 2], usize)> {
    let is_address = |word: &str| {
        let host = word.rsplit_once([':', '.']).map_or(word, |(host, _)| host);
        host.trim_matches(['[', ']'])
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

fn state_after<'a, 'w>(words: &'a [&'w str]) -> Option<(State, &'a [&'w str])> {
    let bare = |word: &&str| word.trim_matches(['(', ')', '[', ']', ',']).to_owned();
    let state =
        |n: &usize| words::state(&words.get(..*n)?.iter().map(bare).collect::<Vec<_>>().concat());
    (1..=STATE).rev().find_map(|n| Some((state(&n)?, &words[n..])))
}

fn state_before<'a, 'w>(words: &'a [&'w str]) -> Option<(State, &'a [&'w str])> {
    let state = |n: usize| words::state(&words[words.len().checked_sub(n)?..].concat());
    (1..=STATE).rev().find_map(|n| Some((state(n)?, &words[..0])))
}
