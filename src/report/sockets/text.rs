//! `closewait sockets` for the person at the prompt: every state with its count, then who holds what
//! in CLOSE-WAIT, what that means, and how near the end is.

use std::collections::BTreeSet;
use std::io::{self, Write};

use chrono::TimeDelta;

use super::growth::{History, rate};
use super::times::Times;
use super::{Group, Listing};
use crate::owner::{Held, Socket, Usage};
use crate::place::Time;
use crate::report::outlook::to_the_minute;
use crate::report::table::{Align, more, table, write_table};
use crate::report::text::code::lines as code_lines;
use crate::report::text::code::lost as code_lost;
use crate::report::text::page::{Page, Screen};
use crate::report::text::{ALARM, CALM, timeout_words};
use crate::summary::growth::until_full;
use crate::units::{Zone, count, duration, range, thousands};

/// The look of the text.
#[derive(Clone, Copy, Debug)]
pub struct SocketsLook {
    /// Lines in a table; 0 for all.
    pub top: usize,
    /// A line for each socket.
    pub each: bool,
    /// All functions of a stack, those of libraries, too.
    pub frames: bool,
    pub screen: Screen,
    /// The time of the look, where it is now.
    pub now: Option<Time>,
}

/// The whole report.
pub fn write(
    out: &mut dyn Write,
    listing: &Listing,
    history: Option<&History>,
    look: SocketsLook,
) -> io::Result<()> {
    let mut out = Page::new(out, look.screen);
    states(&mut out, listing)?;
    headline(&mut out, listing)?;
    let groups = listing.groups();
    if !groups.is_empty() {
        group_table(&mut out, &groups, &look)?;
        meaning(&mut out, listing, &groups)?;
        exhaustion(&mut out, listing, history, look.now)?;
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

/// A row a group, and below it since when.
fn group_table(out: &mut impl Write, groups: &[Group], look: &SocketsLook) -> io::Result<()> {
    let top = look.top;
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
    let mut lines = table(&rows, &[Right, Left, Right, Right, Left, Left, Left]).into_iter();
    lines.next().iter().try_for_each(|heads| writeln!(out, "{heads}"))?;
    for (line, group) in lines.zip(groups) {
        writeln!(out, "{line}")?;
        since(&group.times).iter().try_for_each(|since| writeln!(out, "         {since}"))?;
        let code = group.code.map_or(Vec::new(), |code| code_lines(code, Vec::new(), look.frames));
        code.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    }
    more(out, groups.len() - shown, "group")?;
    writeln!(out)
}

/// Since when, how many a minute, and after which pause.
fn since(times: &Times) -> Option<String> {
    let mut text = match times.held()? {
        (least, most) if duration(least) == duration(most) => format!("held ≥ {}", duration(least)),
        (least, most) => format!("held ≥ {} … ≥ {}", duration(least), duration(most)),
    };
    if let Some(rate) = times.per_minute() {
        text += &format!(", {} a minute", rounded(rate));
    }
    text += &match (times.idle(), times.timeout()) {
        (None, _) => String::new(),
        (Some((least, most)), None) => format!("; idle ≤ {}", range(least, most)),
        (_, Some(timeout)) => {
            format!("; idle ≤ {}: {}", duration(timeout.middle), timeout_words(&timeout))
        }
    };
    Some(text)
}

/// In tenths where that matters.
fn rounded(rate: f64) -> String {
    match rate < 10.0 {
        true => format!("{rate:.1}"),
        false => thousands(rate.round() as u64),
    }
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
                "Recv-Q 1: the program never read the end-of-file: it is not reading this connection."
            }
            _ => "Recv-Q above 1: data came before the end-of-file, and the program read neither.",
        };
        writeln!(out, "{sentence}")?;
    }
    bounds(out, listing)?;
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

/// Says what the times are worth, or why there are none.
fn bounds(out: &mut impl Write, listing: &Listing) -> io::Result<()> {
    if let Some(lost) = listing.code_lost.filter(|lost| *lost > 0) {
        writeln!(out, "{}", code_lost(lost))?;
    }
    let mut times = Times::default();
    listing.stuck.iter().for_each(|socket| times.add(socket));
    match (times.held(), listing.snapshot.is_saved) {
        (Some(_), _) => {
            write!(
                out,
                "held and idle go by the peer's last segment: a keep-alive after its FIN shortens held and lengthens idle"
            )?;
            match times.keep_alive {
                0 => writeln!(out, "."),
                n => writeln!(out, " (this host sends them on {}).", thousands(n)),
            }
        }
        (None, true) => writeln!(out, "Since when, the list does not say: ss -tanpoei does."),
        (None, false) => {
            writeln!(out, "Since when, the kernel does not say here (sock_diag).")
        }
    }
}

/// Says how near each process is to its descriptor limit, and when it gets there.
fn exhaustion(
    out: &mut impl Write,
    listing: &Listing,
    history: Option<&History>,
    now: Option<Time>,
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
        if let Some(rate) = rate(listing, history, pid) {
            write!(out, "{}", outlook(rate, usage, now))?;
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

fn outlook(per_minute: f64, usage: &Usage, now: Option<Time>) -> String {
    let descriptors = usage.in_use.zip(usage.limit);
    let left = descriptors.and_then(|(in_use, limit)| until_full(in_use, limit, per_minute));
    match left.and_then(|left| TimeDelta::from_std(left).ok()) {
        Some(left) => {
            let full_at = |now: Time| now.after(left.num_nanoseconds().unwrap_or(i64::MAX));
            let at =
                now.map(|now| format!(", at {}", to_the_minute(full_at(now), now, Zone::Local)));
            let (at, left) = (at.unwrap_or_default(), duration(left));
            format!("; {per_minute:+.1} a minute, which reaches the limit in {left}{at}")
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
    let heads =
        ["state", "Recv-Q", "Send-Q", "local", "peer", "command", "pid", "fd", "held", "idle"];
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
            socket.held_for().map_or("-".into(), |held| format!("≥ {}", duration(held))),
            socket.idle_before_fin().map_or("-".into(), |idle| format!("≤ {}", duration(idle))),
        ]);
    }
    use Align::{Left, Right};
    writeln!(out)?;
    let aligns = [Left, Right, Right, Left, Left, Left, Right, Right, Right, Right];
    write_table(out, &rows, &aligns)?;
    more(out, sockets.len() - shown, "socket")
}
