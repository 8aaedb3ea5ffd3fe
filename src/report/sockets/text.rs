//! `closewait sockets` for the person at the prompt: every state with its count, then who holds what
//! in CLOSE-WAIT, what that means, and how near the end is.

use std::collections::BTreeSet;
use std::io::{self, Write};

use chrono::TimeDelta;

use super::growth::{History, until_full};
use super::{Group, Listing};
use crate::owner::{Held, Socket};
use crate::report::table::{Align, more, write_table};
use crate::report::text::{ALARM, CALM};
use crate::units::{count, duration, thousands};

/// The look of the text.
#[derive(Clone, Copy, Debug)]
pub struct SocketsLook {
    /// Lines in a table; 0 for all.
    pub top: usize,
    /// A line for each socket.
    pub each: bool,
}

/// The whole report.
pub fn write(
    out: &mut dyn Write,
    listing: &Listing,
    history: Option<&History>,
    look: SocketsLook,
) -> io::Result<()> {
    let mut out = out;
    states(&mut out, listing)?;
    headline(&mut out, listing)?;
    let groups = listing.groups();
    if !groups.is_empty() {
        group_table(&mut out, &groups, look.top)?;
        meaning(&mut out, listing, &groups)?;
        exhaustion(&mut out, listing, history)?;
    }
    if look.each {
        each(&mut out, &listing.listed, look.top)?;
    }
    out.flush()
}

/// The incident's `netstat | awk`.
fn states(out: &mut impl Write, listing: &Listing) -> io::Result<()> {
    let words: Vec<String> =
        listing.states.iter().map(|(state, n)| format!("{state} {}", thousands(*n))).collect();
    match words.is_empty() {
        true => writeln!(out, "No TCP socket.\n"),
        false => writeln!(out, "{}\n", words.join("   ")),
    }
}

fn headline(out: &mut impl Write, listing: &Listing) -> io::Result<()> {
    match listing.stuck.len() as u64 {
        0 => writeln!(out, "{CALM}No socket in CLOSE-WAIT.{CALM:#}"),
        n => writeln!(out, "{ALARM}{} in CLOSE-WAIT{ALARM:#}\n", count(n, "socket")),
    }
}

fn group_table(out: &mut impl Write, groups: &[Group], top: usize) -> io::Result<()> {
    let shown = if top == 0 { groups.len() } else { groups.len().min(top) };
    let several = groups.iter().any(|group| group.netns.is_some());
    let mut heads = vec!["count", "command", "pid", "Recv-Q", "local", "peer"];
    if several {
        heads.push("netns");
    }
    let mut rows = vec![heads.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for group in &groups[..shown] {
        let (command, pid) = who(group.held);
        let unread = match group.unread {
            None => "-".into(),
            Some((least, most)) if least == most => thousands(least.into()),
            Some((least, most)) => {
                format!("{}…{}", thousands(least.into()), thousands(most.into()))
            }
        };
        let mut row = vec![
            thousands(group.count),
            command,
            pid,
            unread,
            group.local.to_string(),
            group.peer.to_string(),
        ];
        if several {
            row.push(group.netns.unwrap_or("").into());
        }
        rows.push(row);
    }
    use Align::{Left, Right};
    write_table(out, &rows, &[Right, Left, Right, Right, Left, Left, Left])?;
    more(out, groups.len() - shown, "group")?;
    writeln!(out)
}

fn who(held: Held) -> (String, String) {
    match held {
        Held::By(holder) if holder.command.is_empty() => ("-".into(), holder.pid.to_string()),
        Held::By(holder) => (holder.command.clone(), holder.pid.to_string()),
        Held::Backlog => ("(backlog)".into(), "-".into()),
        Held::Hidden => ("(unknown)".into(), "-".into()),
    }
}

/// Says what Recv-Q and a missing process mean.
fn meaning(out: &mut impl Write, listing: &Listing, groups: &[Group]) -> io::Result<()> {
    let held_by = |wanted: fn(&Held) -> bool| groups.iter().any(|group| wanted(&group.held));
    let unread: BTreeSet<u32> = listing
        .stuck
        .iter()
        .filter(|socket| matches!(socket.held(), Held::By(_)))
        .filter_map(|socket| Some(socket.recv_q?.min(2)))
        .collect();
    for unread in unread {
        let sentence = match unread {
            0 => "Recv-Q 0: the program read the end-of-file, and did not close the socket.",
            1 => {
                "Recv-Q 1: the program never read the end-of-file: nobody looks at this connection."
            }
            _ => "Recv-Q above 1: data came before the end-of-file, and the program read neither.",
        };
        writeln!(out, "{sentence}")?;
    }
    if held_by(|held| matches!(held, Held::Backlog)) {
        writeln!(
            out,
            "(backlog): no process has the socket: it sits in a listening socket's backlog, and the program never accepted it."
        )?;
    }
    if held_by(|held| matches!(held, Held::Hidden)) {
        let hidden = listing.snapshot.denied;
        match hidden {
            _ if listing.snapshot.is_saved => writeln!(
                out,
                "(unknown): the list names no process for them: ss -tanpe, netstat -antp or lsof -nP -iTCP do, as root."
            )?,
            0 => writeln!(out, "(unknown): the process ended while the list was made.")?,
            n => writeln!(
                out,
                "(unknown): no permission to look into {}: run as root, or give closewait cap_sys_ptrace and cap_dac_read_search.",
                match n {
                    1 => "1 process".into(),
                    n => format!("{} processes", thousands(n)),
                }
            )?,
        }
    }
    Ok(())
}

/// Says how near each process is to its descriptor limit, and when it gets there.
fn exhaustion(
    out: &mut impl Write,
    listing: &Listing,
    history: Option<&History>,
) -> io::Result<()> {
    let mut processes: Vec<(i32, u64)> = listing.by_process().into_iter().collect();
    processes.sort_by_key(|(_, stuck)| std::cmp::Reverse(*stuck));
    writeln!(out)?;
    for (pid, stuck) in processes {
        let Some(usage) = listing.snapshot.processes.get(&pid) else { continue };
        write!(out, "{}[{pid}]: {} of ", usage.command, thousands(stuck))?;
        let number = |n: Option<u64>| n.map_or("an unknown number of".into(), thousands);
        write!(out, "{} descriptors in CLOSE-WAIT", number(usage.in_use))?;
        match usage.limit {
            Some(limit) => write!(out, ", limit {}", thousands(limit))?,
            None => write!(out, ", no limit known")?,
        }
        if let Some(history) = history {
            write!(out, "{}", outlook(history.of_process(pid), usage.in_use.zip(usage.limit)))?;
        }
        writeln!(out, ".")?;
    }
    if let Some(history) = history.filter(|history| history.is_timeless()) {
        for ((pid, peer), more) in history.growth() {
            let who = pid.map_or("(no process)".into(), |pid| format!("pid {pid}"));
            let lists = history.len();
            writeln!(
                out,
                "  {more:+} from the first of {lists} lists to the last: {who}, peer {peer}"
            )?;
        }
    } else if let Some(history) = history {
        for ((pid, peer), rate) in history.per_minute() {
            let who = pid.map_or("(no process)".into(), |pid| format!("pid {pid}"));
            writeln!(out, "  {rate:+.1} a minute: {who}, peer {peer}")?;
        }
    }
    Ok(())
}

fn outlook(per_minute: f64, descriptors: Option<(u64, u64)>) -> String {
    let left = descriptors.and_then(|(in_use, limit)| until_full(in_use, limit, per_minute));
    match left.and_then(|left| TimeDelta::from_std(left).ok()) {
        Some(left) => {
            format!("; {per_minute:+.1} a minute, which reaches the limit in {}", duration(left))
        }
        None if per_minute == 0.0 => "; not growing".into(),
        None => format!("; {per_minute:+.1} a minute"),
    }
}

/// `-` where the list does not say.
fn queue(octets: Option<u32>) -> String {
    octets.map_or("-".into(), |octets| octets.to_string())
}

fn each(out: &mut impl Write, sockets: &[&Socket], top: usize) -> io::Result<()> {
    let shown = if top == 0 { sockets.len() } else { sockets.len().min(top) };
    let heads = ["state", "Recv-Q", "Send-Q", "local", "peer", "command", "pid", "fd"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for socket in &sockets[..shown] {
        let holder = socket.holders.first();
        let (command, pid) = who(socket.held());
        rows.push(vec![
            socket.state.name().into(),
            queue(socket.recv_q),
            queue(socket.send_q),
            socket.local.to_string(),
            socket.peer.to_string(),
            if holder.is_some() { command } else { "-".into() },
            pid,
            holder.and_then(|holder| holder.fd).map_or("-".into(), |fd| fd.to_string()),
        ]);
    }
    use Align::{Left, Right};
    writeln!(out)?;
    write_table(out, &rows, &[Left, Right, Right, Left, Left, Left, Right, Right])?;
    more(out, sockets.len() - shown, "socket")
}
