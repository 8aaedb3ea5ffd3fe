//! Output of `netstat` on Linux, the BSDs, macOS, Solaris and Windows; and of PowerShell's cmdlet.

use super::{Context, SavedLine, words};
use crate::owner::{Holder, Socket};
use crate::printable::printable;
use crate::tcp::segment::Endpoint;
use crate::tcp::state::State;

/// A line from these words on.
pub fn line(words: &[&str], context: &Context) -> SavedLine {
    match words {
        [protocol, rest @ ..] if is_tcp(protocol) => with_protocol(rest, context),
        _ => solaris(words)
            .or_else(|| power_shell(words))
            .map_or(SavedLine::Other, SavedLine::Socket),
    }
}

fn is_tcp(word: &str) -> bool {
    matches!(word, "tcp" | "tcp4" | "tcp6" | "tcp46" | "TCP" | "TCPv6")
}

fn with_protocol(rest: &[&str], context: &Context) -> SavedLine {
    let queue = |word: &str| word.parse::<u32>().ok();
    // Windows has no queues.
    let (queues, ends) = match rest {
        [recv_q, send_q, ends @ ..] if queue(recv_q).is_some() && queue(send_q).is_some() => {
            ([queue(recv_q), queue(send_q)], ends)
        }
        _ => ([None, None], rest),
    };
    let Some((local, peer, rest)) = words::ends(ends) else {
        let is_begun =
            queues[0].is_some() || ends.first().is_some_and(|word| words::end(word).is_some());
        return if is_begun { SavedLine::Unclear } else { SavedLine::Other };
    };
    let [state, rest @ ..] = rest else { return SavedLine::Unclear };
    let Some(state) = words::state(state) else { return SavedLine::Unclear };
    let holders = match queues[0] {
        Some(_) => program(rest, context),
        None => rest.first().and_then(|word| pid_alone(word)).into_iter().collect(),
    };
    SavedLine::Socket(socket([local, peer], state, queues, holders))
}

/// Makes a socket of its columns. Where nobody is named, its holder is not told.
fn socket(
    [local, peer]: [Endpoint; 2],
    state: State,
    [recv_q, send_q]: [Option<u32>; 2],
    holders: Vec<Holder>,
) -> Socket {
    Socket { local, peer, state, recv_q, send_q, inode: 1, holders, netns: None, silence: None }
}

/// `4242/orders`, `4242/nginx: worker`; or a column of macOS that is named in the header.
fn program(rest: &[&str], context: &Context) -> Vec<Holder> {
    let slashed = rest.iter().enumerate().find_map(|(at, word)| {
        let (pid, name) = word.split_once('/')?;
        let pid: i32 = pid.parse().ok()?;
        // A name goes on until the timer, if that is asked for.
        let is_timer =
            |word: &&&str| !matches!(**word, "off" | "on" | "keepalive" | "timewait" | "probe");
        let more = rest[at + 1..].iter().take_while(is_timer).copied();
        let name = std::iter::once(name).chain(more).collect::<Vec<_>>().join(" ");
        let command = printable(name.trim_end_matches(':'));
        Some(Holder { pid, command, fd: None, uid: None })
    });
    let column = || {
        let word = rest.get(context.process_column?)?;
        match word.rsplit_once(':') {
            Some((name, pid)) => Some(Holder { command: printable(name), ..pid_alone(pid)? }),
            None => pid_alone(word),
        }
    };
    slashed.or_else(column).into_iter().collect()
}

/// A process of which only the number is told; 0 is none.
fn pid_alone(word: &str) -> Option<Holder> {
    let pid = word.parse().ok().filter(|pid| *pid > 0)?;
    Some(Holder { pid, command: String::new(), fd: None, uid: None })
}

/// `192.0.2.5.47902 198.51.100.3.3306 64240 0 64240 1 CLOSE_WAIT`: windows before queues.
fn solaris(words: &[&str]) -> Option<Socket> {
    let (local, peer, rest) = words::ends(words)?;
    let [_, send_q, _, recv_q, state, ..] = rest else { return None };
    let queues = [Some(recv_q.parse().ok()?), Some(send_q.parse().ok()?)];
    Some(socket([local, peer], words::state(state)?, queues, Vec::new()))
}

/// `192.0.2.5 47902 198.51.100.3 3306 CloseWait Internet 11092`: addresses and ports in columns.
fn power_shell(words: &[&str]) -> Option<Socket> {
    let [local, local_port, peer, peer_port, state, rest @ ..] = words else { return None };
    let end =
        |ip: &str, port: &str| Some(Endpoint { ip: ip.parse().ok()?, port: port.parse().ok()? });
    let ends = [end(local, local_port)?, end(peer, peer_port)?];
    let holders = rest.last().and_then(|word| pid_alone(word)).into_iter().collect();
    Some(socket(ends, words::state(state)?, [None, None], holders))
}
