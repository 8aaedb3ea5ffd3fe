//! Output of `ss`, with any of its options.
//!
//! `CLOSE-WAIT 1 0 172.18.0.5:38822 172.18.0.3:3306 users:(("orders",pid=7,fd=6)) ino:123 …`

use std::borrow::Cow;

use super::{Context, SavedLine, words};
use crate::owner::silence::Silence;
use crate::owner::{Holder, Socket};
use crate::printable::printable;
use crate::tcp::state::State;

/// A line from these words on, with those before them.
pub fn line(words: &[&str], before: &[&str], line: &str, context: &Context) -> SavedLine {
    // Without -t, the protocol comes first.
    let (words, has_protocol) = match words {
        ["tcp" | "mptcp", rest @ ..] => (rest, true),
        words => (words, false),
    };
    let (state, rest) = match words {
        [state, rest @ ..] if words::state(state).is_some() => (words::state(state), rest),
        // netstat's lines have their state at the end.
        rest if context.is_stateless
            && !has_netstat_state(rest)
            && !before.iter().any(|word| ends_in_state(word)) =>
        {
            (None, rest)
        }
        _ => return SavedLine::Other,
    };
    let [recv_q, send_q, ends @ ..] = rest else { return SavedLine::Other };
    let (Ok(recv_q), Ok(send_q)) = (recv_q.parse(), send_q.parse()) else {
        return SavedLine::Other;
    };
    let Some((local, peer, behind)) = words::ends(ends) else {
        let is_begun = ends.iter().any(|word| word.contains(':'));
        return if is_begun || has_protocol || state.is_some() {
            SavedLine::Unclear
        } else {
            SavedLine::Other
        };
    };
    // netstat's, folded within its state.
    let is_folded = |word: &&str| words::begins_state(word) && words::state(word).is_none();
    if state.is_none() && behind.first().is_some_and(is_folded) {
        return SavedLine::Unclear;
    }
    // Only a listener has no peer.
    let listens = (peer.port == 0).then_some(State::Listen);
    let named = state.or(listens);
    if named.is_none() && context.is_told && context.asked != Some(State::CloseWait) {
        return SavedLine::Unclear;
    }
    let state = named.or(context.asked).unwrap_or(State::CloseWait);
    let holders = users(line);
    let inode = number(line, "ino:");
    // Without -e the inode is unknown.
    SavedLine::Socket(Socket {
        local,
        peer,
        state,
        is_assumed: false,
        recv_q: Some(recv_q),
        send_q: Some(send_q),
        inode: inode.unwrap_or(1),
        holders,
        netns: None,
        is_unseen: false,
        silence: silence(line, None),
        code: None,
    })
}

/// `timer:(keepalive,7sec,0)` of `ss -o`.
pub fn keeps_alive(line: &str) -> bool {
    words_after_users(line).any(|word| word.starts_with("timer:(keepalive,"))
}

/// `lastsnd:7868 lastrcv:7868 lastack:2868` of `ss -i`, which leaves out what is 0. A line that was
/// wrapped goes on with what is known.
pub fn silence(line: &str, known: Option<Silence>) -> Option<Silence> {
    let is_info = ["lastack:", "lastrcv:", "lastsnd:", "cwnd:"]
        .iter()
        .any(|name| words_after_users(line).any(|word| word.starts_with(name)));
    let mut silence = known.or(is_info.then(Silence::default))?;
    let last = |name, time: &mut u32| *time = number(line, name).unwrap_or(*time);
    last("lastack:", &mut silence.last_ack_recv);
    last("lastrcv:", &mut silence.last_data_recv);
    last("lastsnd:", &mut silence.last_data_sent);
    silence.keep_alive |= keeps_alive(line);
    Some(silence)
}

/// `2:ESTAB`, `+ESTAB`: a state that something was put right before.
fn ends_in_state(word: &str) -> bool {
    let is_mark = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_');
    word.rsplit(is_mark).next().is_some_and(|last| words::state(last).is_some())
}

fn has_netstat_state(words: &[&str]) -> bool {
    words.get(4).is_some_and(|word| words::state(word).is_some())
}

/// Do the processes of a line go on in the next?
pub fn is_open(line: &str) -> bool {
    line.split_once("users:(").is_some_and(|(_, users)| !users.contains("))"))
}

/// A line that goes on with the socket before it.
pub fn more(line: &str) -> SavedLine {
    let before = line.split_once("users:(").map_or("", |(before, _)| before);
    if before.split_whitespace().any(words::is_other_protocol) {
        return SavedLine::Other;
    }
    match users(line) {
        holders if !holders.is_empty() => SavedLine::More(holders),
        _ if silence(line, None).is_some() => SavedLine::Times,
        _ => SavedLine::Other,
    }
}

/// `uid:1000`, `ino:55`.
fn number<T: std::str::FromStr>(line: &str, name: &str) -> Option<T> {
    words_after_users(line).find_map(|word| word.strip_prefix(name)?.parse().ok())
}

/// A command can be called anything: what it is comes before its closing quote.
fn words_after_users(line: &str) -> impl Iterator<Item = &str> {
    line.rsplit_once("))").map_or(line, |(_, after)| after).split_whitespace()
}

/// `users:(("orders",pid=7,fd=6),("orders",pid=8,fd=6))`, and `users:(("orders",7,6))` of old: a name
/// can hold anything but its closing quote. With `-T` and `-Z`, more stands between.
pub fn users(line: &str) -> Vec<Holder> {
    // A list of strings may have escaped its quotes.
    let line: Cow<'_, str> = match line.contains("(\\\"") {
        true => line.replace("\\\"", "\"").into(),
        false => line.into(),
    };
    let Some((_, mut rest)) = line.split_once("users:(") else { return Vec::new() };
    let uid = number(&line, "uid:");
    let mut holders = Vec::new();
    while let Some((_, after)) = rest.split_once("(\"") {
        let Some((command, after)) = after.split_once("\",") else { break };
        let (within, after) = after.split_once(')').unwrap_or((after, ""));
        let Some((pid, more)) = within.split_once(',') else { break };
        let pid = pid.strip_prefix("pid=").unwrap_or(pid);
        let fd = more.rsplit_once("fd=").map_or(more, |(_, fd)| fd);
        let fd: String = fd.chars().take_while(char::is_ascii_digit).collect();
        let (Ok(pid), Ok(fd)) = (pid.parse(), fd.parse()) else { break };
        holders.push(Holder { pid, command: printable(command), fd: Some(fd), uid });
        rest = after;
    }
    holders.sort();
    holders
}
