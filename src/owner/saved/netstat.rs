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
                found => found,
            }
        }
        _ => solaris(words)
            .or_else(|| power_shell(words))
            .map_or(SavedLine::Other, SavedLine::Socket),
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
        && let Some(state) = ends.get(4).and_then(|word| words::state(word))
    {
        let holders = tcp_view(before).into_iter().collect();
        return SavedLine::Socket(socket([local, peer], state, queues, holders));
    }
    let Some((local, peer, rest)) = words::ends(ends) else {
        let is_begun =
            queues[0].is_some() || ends.first().is_some_and(|word| words::end(word).is_some());
        return if is_begun { SavedLine::Unclear } else { SavedLine::Other };
    };
    let [state, rest @ ..] = rest else { return SavedLine::Unclear };
    let Some(state) = words::state(state) else {
        // A listener is never in CLOSE-WAIT, in whatever language.
        return if peer.port == 0 { SavedLine::Other } else { SavedLine::Unclear };
    };
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
        recv_q,
        send_q,
        inode: 1,
        holders,
        netns: None,
        silence: None,
        code: None,
    }
}

/// `4242/orders`, `4242/nginx: worker`.
pub fn program(rest: &[&str]) -> Option<Holder> {
    rest.iter().enumerate().find_map(|(at, word)| {
        let (pid, name) = word.split_once('/')?;
        let pid: i32 = pid.parse().ok()?;
        // A name goes on until the timer, if that is asked for.
        let is_timer =
            |word: &&&str| !matches!(**word, "off" | "on" | "keepalive" | "timewait" | "probe");
        let more = rest[at + 1..].iter().take_while(is_timer).copied();
        let name = std::iter::once(name).chain(more).collect::<Vec<_>>().join(" ");
        let command = printable(name.trim_end_matches(':'));
        Some(Holder { pid, command, fd: None, uid: None })
    })
}

/// A process on a line of its own, folded from the end of the one before.
pub fn folded_program(words: &[&str]) -> Option<Holder> {
    let (_, name) = words.first().filter(|_| words.len() <= 2)?.split_once('/')?;
    program(words).filter(|_| name.starts_with(|c: char| c.is_alphabetic()))
}

/// The process of a column of macOS that is named in the header.
fn in_column(rest: &[&str], context: &Context) -> Option<Holder> {
    let word = rest.get(context.process_column?)?;
    match word.rsplit_once(':') {
        Some((name, pid)) => Some(Holder { command: printable(name), ..pid_alone(pid)? }),
        None => pid_alone(word),
    }
}

/// The process right behind the state, as on Windows.
pub fn pid_first(rest: &[&str]) -> Option<Holder> {
    rest.first().and_then(|word| pid_alone(word))
}

/// `java.exe 4242`: its program and number.
fn tcp_view(before: &[&str]) -> Option<Holder> {
    let [.., command, pid] = before else { return None };
    Some(Holder { command: printable(command), ..pid_alone(pid)? })
}

/// `app java 4242 9`: its user, command, number and descriptor.
fn process_before(before: &[&str]) -> Option<Holder> {
    let [.., command, pid, fd] = before else { return None };
    Some(Holder { command: printable(command), fd: fd.parse().ok(), ..pid_alone(pid)? })
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
    let [_, send_q, _, recv_q, state, ..] = rest else { return None };
    let queues = [Some(recv_q.parse().ok()?), Some(send_q.parse().ok()?)];
    Some(socket([local, peer], words::state(state)?, queues, holder.into_iter().collect()))
}

/// `192.0.2.5 47902 198.51.100.3 3306 CloseWait Internet 11092`: addresses and ports in columns.
fn power_shell(words: &[&str]) -> Option<Socket> {
    let [local, _, peer, _, state, rest @ ..] = words else { return None };
    let are_addresses = [local, peer].iter().all(|ip| ip.parse::<IpAddr>().is_ok());
    let ends = words::columns(words).filter(|_| are_addresses)?;
    let holders = rest.last().and_then(|word| pid_alone(word)).into_iter().collect();
    Some(socket(ends, words::state(state)?, [None, None], holders))
}
