//! Output of `lsof -i`, with or without `-n` and `-P`.
//!
//! `orders 4242 app 9u IPv4 42056997 0t0 TCP 192.0.2.5:47902->198.51.100.3:3306 (CLOSE_WAIT)`

use super::{SavedLine, words};
use crate::owner::{Holder, Socket};
use crate::printable::printable;

/// A line, with any prefix: the protocol stands late in it.
pub fn line(words: &[&str]) -> SavedLine {
    let is_protocol = |at: &usize| words[*at] == "TCP" && is_kind(words.get(at.wrapping_sub(3)));
    let Some(at) = (0..words.len()).find(is_protocol) else { return begun(words) };
    let (before, after) = (&words[..at], &words[at + 1..]);
    socket(before, after).map_or(SavedLine::Unclear, SavedLine::Socket)
}

/// `orders 4242 app 9u IPv4 42056997`, folded before the protocol.
fn begun(words: &[&str]) -> SavedLine {
    let is_fd = |word: &str| {
        let number = word.trim_end_matches(['u', 'r', 'w', 'U', 'W']);
        !number.is_empty() && number.len() < word.len() && number.parse::<u32>().is_ok()
    };
    let is_begun = |at: &usize| {
        matches!(words[*at], "IPv4" | "IPv6")
            && (words.len() - at <= 3 || matches!(words[at + 3..], ["T" | "TC"]))
            && is_fd(words[at - 1])
            && words[..at - 1].iter().any(|word| word.parse::<u32>().is_ok())
    };
    match (2..words.len()).any(|at| is_begun(&at)) {
        true => SavedLine::Unclear,
        false => SavedLine::Other,
    }
}

/// The column TYPE, three before the protocol.
fn is_kind(word: Option<&&str>) -> bool {
    matches!(word, Some(&("IPv4" | "IPv6" | "inet" | "sock")))
}

fn socket(before: &[&str], after: &[&str]) -> Option<Socket> {
    let [ends, after @ ..] = after else { return None };
    let (local, peer) = match ends.split_once("->") {
        Some((local, peer)) => (words::end(local)?, words::end(peer)?),
        // Of a listener, lsof names no peer.
        None => (words::end(ends)?, words::end("*:*")?),
    };
    // The closing bracket is not there where a line was cut.
    let is_whole = |taken: usize| taken > 1 || after.first() != Some(&"(CLOSE");
    let (state, _) = words::state_at(after).filter(|(_, taken)| is_whole(*taken))?;
    let queue = |name: &str| {
        after.iter().find_map(|word| word.trim_matches(['(', ')']).strip_prefix(name)?.parse().ok())
    };
    Some(Socket {
        local,
        peer,
        state,
        is_assumed: false,
        recv_q: queue("QR="),
        send_q: queue("QS="),
        inode: 1,
        holders: holder(before).into_iter().collect(),
        netns: None,
        is_unseen: false,
        silence: None,
        code: None,
    })
}

/// `orders 4242 app 9u IPv4 42056997 0t0`: the process is the first of the numbers that stand last before the user; a
/// log has numbers before it. Behind it may be its group, its parent or its thread.
fn holder(before: &[&str]) -> Option<Holder> {
    let (_, columns) = before.split_last_chunk::<3>().map(|(columns, kind)| (kind, columns))?;
    let (descriptor, columns) = columns.split_last()?;
    let fd = descriptor.trim_end_matches(|c: char| !c.is_ascii_digit());
    let is_number = |at: &usize| columns[*at].parse::<i32>().is_ok();
    let last = (1..columns.len().saturating_sub(1)).rfind(is_number);
    let first = |last: usize| (1..=last).rev().take_while(is_number).last();
    let pid_at = last.and_then(first).or_else(|| (1..columns.len()).find(is_number))?;
    let command = match pid_at {
        1 => unnumbered(columns[0]),
        _ => columns[pid_at - 1],
    };
    Some(Holder {
        pid: columns[pid_at].parse().ok()?,
        command: printable(&command.replace("\\x20", " ")),
        fd: fd.parse().ok(),
        uid: None,
    })
}

/// A command without the number that `grep -n` puts right before it: `12:orders`, `lsof.txt:12:orders`.
fn unnumbered(word: &str) -> &str {
    let is_number = |part: &str| part.parse::<u64>().is_ok();
    let behind = |(at, _): (usize, &str)| {
        let last = word[..at].rsplit(':').next();
        last.is_some_and(is_number).then(|| &word[at + 1..])
    };
    let behind = word.match_indices(':').find_map(behind);
    behind.filter(|command| !command.is_empty()).unwrap_or(word)
}
