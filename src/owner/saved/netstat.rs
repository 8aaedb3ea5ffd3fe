//! Output of `netstat` on Linux, the BSDs, macOS, Solaris and Windows; and of PowerShell's cmdlet.

use std::net::IpAddr;

use super::{Context, SavedLine, words};
use crate::owner::{Holder, Socket};
use crate::printable::printable;
use crate::tcp::segment::Endpoint;
use crate::tcp::state::State;

/// A line from these words on, with those before them.
pub fn line(words: &[&str], before: &[&str], context: &Context) -> SavedLine {
    match words {
        [protocol, rest @ ..] if words::is_tcp(protocol) => {
            match with_protocol(rest, before, context) {
                SavedLine::Socket(socket) if context.is_process_first => {
                    let holders = process_before(before).into_iter().collect();
                    SavedLine::Socket(Socket { holders, ..socket })
                }
                SavedLine::Socket(socket) if socket.holders.is_empty() => {
                    let holders = sockstat(protocol, before).into_iter().collect();
                    SavedLine::Socket(Socket { holders, ..socket })
                }
                found => found,
            }
        }
        _ => match solaris(words).or_else(|| power_shell(words)) {
            Some(socket) => SavedLine::Socket(socket),
            None if before.is_empty() => power_shell_begun(words),
            None => SavedLine::Other,
        },
    }
}

fn with_protocol(rest: &[&str], before: &[&str], context: &Context) -> SavedLine {
    let queue = |word: &str| word.parse::<u32>().ok();
    // Windows has no queues.
    let (queues, ends) = match rest {
        [recv_q, send_q, ends @ ..] if queue(recv_q).is_some() && queue(send_q).is_some() => {
            ([queue(recv_q), queue(send_q)], ends)
        }
        _ => ([None, None], rest),
    };
    if let Some([local, peer]) = words::columns(ends)
        && let Some((state, _)) = words::state_at(&ends[4..])
        && !words::is_cut(&ends[4..])
    {
        let holders = tcp_view(before).into_iter().collect();
        return SavedLine::Socket(socket([local, peer], state, queues, holders));
    }
    let Some((local, peer, rest)) = words::ends(ends) else {
        // `TCP   11  8  3` are sums of ss -s.
        let are_sums = rest.len() == 3 && rest.iter().all(|word| queue(word).is_some());
        let is_begun = queues[0].is_some() && !are_sums
            || ends.first().is_some_and(|word| words::end(word).is_some());
        return if is_begun { SavedLine::Unclear } else { SavedLine::Other };
    };
    let Some((state, taken)) =
        words::state_at(rest).filter(|_| !words::is_cut(rest) || peer.port == 0)
    else {
        // A listener is never in CLOSE-WAIT, in whatever language.
        let is_other = peer.port == 0 && !rest.is_empty();
        return if is_other { SavedLine::Other } else { SavedLine::Unclear };
    };
    let rest = &rest[taken..];
    let holder = match queues[0] {
        Some(_) => program(rest).or_else(|| in_column(rest, context)),
        None => pid_first(rest),
    };
    SavedLine::Socket(socket([local, peer], state, queues, holder.into_iter().collect()))
}

/// Makes a socket of its columns. Where nobody is named, its holder is not told.
pub fn socket(
    [local, peer]: [Endpoint; 2],
    state: State,
    [recv_q, send_q]: [Option<u32>; 2],
    holders: Vec<Holder>,
) -> Socket {
    Socket {
        local,
        peer,
        state,
        is_assumed: false,
        recv_q,
        send_q,
        inode: 1,
        holders,
        netns: None,
        is_unseen: false,
        silence: None,
        code: None,
    }
}

/// `4242/orders`, `4242/nginx: worker`.
pub fn program(rest: &[&str]) -> Option<Holder> {
    rest.iter().enumerate().find_map(|(at, word)| {
        let (pid, name) = word.split_once('/')?;
        let pid: i32 = pid.parse().ok()?;
        // A name goes on until the timer, if that is asked for, or somebody's comment.
        let is_timer =
            |word: &str| matches!(word, "off" | "on" | "keepalive" | "timewait" | "probe");
        let is_comment = |word: &str| word.starts_with('#') || word.starts_with("<-");
        let is_name = |word: &&&str| !is_timer(word) && !is_comment(word);
        let more = rest[at + 1..].iter().take_while(is_name).copied();
        let name = std::iter::once(name).chain(more).collect::<Vec<_>>().join(" ");
        // What a log or a page puts around a line is no part of a name.
        let name = name.trim_end_matches([':', '"', '\'', ',']);
        let name = name.strip_suffix("{noformat}").unwrap_or(name);
        Some(Holder { pid, command: printable(name), fd: None, uid: None })
    })
}

/// A process on a line of its own, folded from the end of the one before.
pub fn folded_program(words: &[&str]) -> Option<Holder> {
    let (_, name) = words.first().filter(|_| words.len() <= 2)?.split_once('/')?;
    program(words).filter(|_| name.starts_with(|c: char| c.is_alphabetic()))
}

/// The process of a column of macOS that is named in the header. Its name may have blanks.
fn in_column(rest: &[&str], context: &Context) -> Option<Holder> {
    let words = rest.get(context.process_column?..)?;
    pid_first(words).or_else(|| {
        (0..words.len()).find_map(|last| {
            let (end, pid) = words[last].rsplit_once(':')?;
            let name = [&words[..last], &[end]].concat().join(" ");
            Some(Holder { command: printable(&name), ..pid_alone(pid)? })
        })
    })
}

/// The process right behind the state, as on Windows.
pub fn pid_first(rest: &[&str]) -> Option<Holder> {
    rest.first().and_then(|word| pid_alone(word))
}

/// `java.exe 4242`: its program and number.
fn tcp_view(before: &[&str]) -> Option<Holder> {
    let [.., command, pid] = before else { return None };
    named(command, pid)
}

/// A process by its name and its number, each a word.
pub fn named(command: &str, pid: &str) -> Option<Holder> {
    let is_name = command.parse::<u64>().is_err();
    is_name.then(|| Some(Holder { command: printable(command), ..pid_alone(pid)? }))?
}

/// `app java 4242 9`: its user, command, number and descriptor.
fn process_before(before: &[&str]) -> Option<Holder> {
    let [.., command, pid, fd] = before else { return None };
    Some(Holder { command: printable(command), fd: fd.parse().ok(), ..pid_alone(pid)? })
}

/// The process of a line of sockstat without a header: its protocols have a number, and nothing else is before them.
fn sockstat(protocol: &str, before: &[&str]) -> Option<Holder> {
    let are_names =
        before.len() == 4 && before[..2].iter().all(|word| word.parse::<u64>().is_err());
    let is_fd = before.last().is_some_and(|fd| fd.parse::<u32>().is_ok());
    (are_names && is_fd && protocol.starts_with("tcp") && protocol.len() > 3)
        .then(|| process_before(before))?
}

/// A process of which only the number is told; 0 is none.
fn pid_alone(word: &str) -> Option<Holder> {
    let pid = word.parse().ok().filter(|pid| *pid > 0)?;
    Some(Holder { pid, command: String::new(), fd: None, uid: None })
}

/// `192.0.2.5.47902 198.51.100.3.3306 64240 0 64240 1 CLOSE_WAIT`: windows before queues; with `-u`, the
/// user, its process and a command before both.
fn solaris(words: &[&str]) -> Option<Socket> {
    let (local, peer, rest) = words::ends(words)?;
    let (holder, rest) = match rest {
        [_, pid, command, numbers @ ..] if command.parse::<u64>().is_err() => {
            (Some(Holder { command: printable(command), ..pid_alone(pid)? }), numbers)
        }
        numbers => (None, numbers),
    };
    let [_, send_q, _, recv_q, state @ ..] = rest else { return None };
    let queues = [Some(recv_q.parse().ok()?), Some(send_q.parse().ok()?)];
    let (state, _) = whole_state(state)?;
    Some(socket([local, peer], state, queues, holder.into_iter().collect()))
}

/// The state with which these words begin, if it was not cut off, and the words behind it.
fn whole_state<'a, 'w>(words: &'a [&'w str]) -> Option<(State, &'a [&'w str])> {
    let (state, taken) = words::state_at(words).filter(|_| !words::is_cut(words))?;
    Some((state, &words[taken..]))
}

/// `192.0.2.5 47902 198.51.100.3 3306 CloseWait Internet 11092`: addresses and ports in columns.
fn power_shell(words: &[&str]) -> Option<Socket> {
    let [local, _, peer, _, rest @ ..] = words else { return None };
    let are_addresses = [local, peer].iter().all(|ip| ip.parse::<IpAddr>().is_ok());
    let ends = words::columns(words).filter(|_| are_addresses)?;
    let (state, rest) = whole_state(rest)?;
    let holders = rest.last().and_then(|word| pid_alone(word)).into_iter().collect();
    Some(socket(ends, state, [None, None], holders))
}

/// The first words of such a row, folded before its state.
fn power_shell_begun(words: &[&str]) -> SavedLine {
    let is_ip = |word: &str| word.parse::<IpAddr>().is_ok();
    let is_port = |word: &str| word.parse::<u16>().is_ok();
    match words {
        [local, port, peer] | [local, port, peer, _]
            if is_ip(local) && is_port(port) && is_ip(peer) =>
        {
            match words.get(3) {
                Some(port) if !is_port(port) => SavedLine::Other,
                _ => SavedLine::Unclear,
            }
        }
        // An address and a count look the same.
        [local, port] if is_ip(local) && is_port(port) => SavedLine::Begun,
        _ => SavedLine::Other,
    }
}
