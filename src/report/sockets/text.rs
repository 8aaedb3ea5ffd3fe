//! `closewait sockets` for the person at the prompt: every state with its count, then who holds what
//! in CLOSE-WAIT, what that means, and how near the end is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;

use chrono::TimeDelta;

use super::growth::{History, rate};
use super::times::Times;
use super::{Group, Listing};
use crate::names;
use crate::owner::{Held, Socket, Usage};
use crate::place::Time;
use crate::report::lang::{Lang, Thing};
use crate::report::outlook::{tenths, to_the_minute};
use crate::report::pace::pace;
use crate::report::shared::Shared;
use crate::report::table::{Align, table, write_table};
use crate::report::text::code::lines as code_lines;
use crate::report::text::code::lost as code_lost;
use crate::report::text::page::{Page, Screen};
use crate::report::text::{ALARM, CALM, timeout_words};
use crate::summary::growth::until_full;
use crate::summary::hold::Hold;
use crate::tcp::state::State;
use crate::units::{Zone, duration, range, thousands};

/// The look of the text.
#[derive(Clone, Copy, Debug)]
pub struct SocketsLook {
    /// Lines in a table; 0 for all.
    pub top: usize,
    /// A line for each socket.
    pub each: bool,
    /// All functions of a stack, those of libraries, too.
    pub frames: bool,
    /// The terminal that it is written for.
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
    let (mut out, lang) = (Page::new(out, look.screen), look.screen.lang);
    states(&mut out, listing, lang)?;
    headline(&mut out, listing, lang)?;
    let groups = listing.groups();
    if !groups.is_empty() {
        group_table(&mut out, &groups, &look)?;
        meaning(&mut out, listing, &groups, lang)?;
        exhaustion(&mut out, listing, history, &look)?;
    }
    if look.each {
        each(&mut out, &listing.listed, &look)?;
    }
    out.flush()
}

/// The incident's `netstat | awk`.
fn states(out: &mut impl Write, listing: &Listing, lang: Lang) -> io::Result<()> {
    let words: Vec<String> =
        listing.states.iter().map(|(state, n)| format!("{state} {}", thousands(*n))).collect();
    match words.is_empty() {
        true => writeln!(out, "{}\n", lang.no_socket()),
        false => writeln!(out, "{}\n", words.join("   ")),
    }
}

fn headline(out: &mut impl Write, listing: &Listing, lang: Lang) -> io::Result<()> {
    // The states above count all there are, whatever was asked for.
    let all = listing.states.get(&State::CloseWait).copied().unwrap_or(0);
    match listing.stuck.len() as u64 {
        0 if all == 0 && listing.snapshot.is_partial => writeln!(out, "{}", lang.none_read_stuck()),
        0 if all == 0 => {
            writeln!(out, "{CALM}{}{CALM:#}", lang.no_socket_stuck())?;
            closed_here(listing, lang).iter().try_for_each(|line| writeln!(out, "{line}"))
        }
        0 => {
            let others = lang.others_stuck(lang.count(all, Thing::Socket));
            writeln!(out, "{}{others}", lang.no_socket_stuck())
        }
        n => {
            let stuck = lang.sockets_stuck(lang.count(n, Thing::Socket));
            writeln!(out, "{ALARM}{stuck}{ALARM:#}\n")
        }
    }
}

/// So many with one peer are no closes that are just under way.
const SEVERAL: u64 = 3;

/// Sockets that this side has closed, and who has not: what is stuck is there, and not here.
fn closed_here(listing: &Listing, lang: Lang) -> Option<String> {
    let sockets = listing.snapshot.sockets.iter();
    let waiting = sockets.filter(|socket| socket.state == State::FinWait2);
    let mut peers = BTreeMap::<IpAddr, u64>::new();
    waiting.for_each(|socket| *peers.entry(socket.peer.ip).or_default() += 1);
    let (ip, _) = peers.iter().filter(|(_, n)| **n >= SEVERAL).max_by_key(|(_, n)| **n)?;
    let whom = lang.some_of(&[names::host(*ip)], peers.len() as u64);
    Some(lang.closed_here(thousands(peers.values().sum()), whom))
}

/// A row a group, and below it since when.
fn group_table(out: &mut impl Write, groups: &[Group], look: &SocketsLook) -> io::Result<()> {
    let (top, lang) = (look.top, look.screen.lang);
    let shown = if top == 0 { groups.len() } else { groups.len().min(top) };
    let several = groups.iter().any(|group| group.netns.is_some());
    let mut heads = vec![lang.count_caption(), lang.command_caption(), "pid".into()];
    heads.extend(["Recv-Q".into(), lang.local_caption(), lang.peer_caption()]);
    if several {
        heads.push("netns".into());
    }
    let mut rows = vec![heads];
    for group in &groups[..shown] {
        let (command, pid) = who(group.held, lang);
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
        since(&group.times, lang).iter().try_for_each(|since| writeln!(out, "         {since}"))?;
        let code = group.code.map_or(Vec::new(), |code| code_lines(code, Vec::new(), look.frames));
        code.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    }
    more(out, groups.len() - shown, Thing::MoreGroup, lang)?;
    writeln!(out)
}

/// Since when, how many a minute, and after which pause.
fn since(times: &Times, lang: Lang) -> Option<String> {
    let (least, most) = times.held()?;
    let [least, most] = [least, most].map(|lasted| Hold { lasted, goes_on: true });
    let mut text = lang.held(Hold::range(least, most));
    if let Some(rate) = times.per_minute() {
        text += &pace(rate, lang);
    }
    text += &match (times.idle(), times.timeout()) {
        (None, _) => String::new(),
        (Some((least, most)), None) => lang.idle_at_most(range(least, most)),
        (_, Some(timeout)) => {
            let words = timeout_words(&timeout, lang);
            lang.idle_at_most(duration(timeout.middle)) + &lang.colon(words)
        }
    };
    Some(text)
}

/// Says how many lines a table does not show.
fn more(out: &mut impl Write, n: usize, thing: Thing, lang: Lang) -> io::Result<()> {
    match n {
        0 => Ok(()),
        n => writeln!(out, "{}", lang.left_out(lang.count(n as u64, thing))),
    }
}

fn who(held: Held, lang: Lang) -> (String, String) {
    match held {
        Held::By(holder) if holder.command.is_empty() => ("-".into(), holder.pid.to_string()),
        Held::By(holder) => (holder.command.clone(), holder.pid.to_string()),
        Held::Backlog => (lang.backlog(), "-".into()),
        Held::Hidden => (lang.hidden(), "-".into()),
    }
}

/// Says what Recv-Q and a missing process mean.
fn meaning(
    out: &mut impl Write,
    listing: &Listing,
    groups: &[Group],
    lang: Lang,
) -> io::Result<()> {
    let held_by = |wanted: fn(&Held) -> bool| groups.iter().any(|group| wanted(&group.held));
    // A list without processes tells this all the same.
    let is_told = |held: Held| match held {
        Held::By(_) => true,
        Held::Hidden => listing.snapshot.is_saved,
        Held::Backlog => false,
    };
    let unread: BTreeSet<u32> = listing
        .stuck
        .iter()
        .filter(|socket| is_told(socket.held()))
        .filter_map(|socket| Some(socket.recv_q?.min(2)))
        .collect();
    for unread in unread {
        let sentence = match unread {
            0 => lang.recv_q_0(),
            1 => lang.recv_q_1(),
            _ => lang.recv_q_more(),
        };
        writeln!(out, "{sentence}")?;
    }
    let mut shared = Shared::default();
    listing.stuck.iter().for_each(|socket| shared.add(&socket.holders));
    shared.sentence(lang).iter().try_for_each(|sentence| writeln!(out, "{sentence}"))?;
    bounds(out, listing, lang)?;
    if held_by(|held| matches!(held, Held::Backlog)) {
        writeln!(out, "{}", lang.in_backlog())?;
    }
    if held_by(|held| matches!(held, Held::Hidden)) {
        let why = match listing.snapshot.denied {
            _ if listing.snapshot.is_saved => lang.list_has_no_process(),
            0 => lang.process_ended(),
            1 => lang.no_permission(lang.one_process()),
            n => lang.no_permission(lang.processes(thousands(n))),
        };
        writeln!(out, "{why}")?;
    }
    Ok(())
}

/// Says what the times are worth, or why there are none.
fn bounds(out: &mut impl Write, listing: &Listing, lang: Lang) -> io::Result<()> {
    if let Some(lost) = listing.code_lost.filter(|lost| *lost > 0) {
        writeln!(out, "{}", code_lost(lost))?;
    }
    let mut times = Times::default();
    listing.stuck.iter().for_each(|socket| times.add(socket));
    let worth = match (times.held(), times.keep_alive) {
        (Some(_), 0) => lang.by_last_segment(""),
        (Some(_), n) => lang.by_last_segment(lang.keep_alives(thousands(n))),
        (None, _) if listing.snapshot.is_saved => lang.list_says_no_times(),
        (None, _) => lang.kernel_says_no_times(),
    };
    writeln!(out, "{worth}")
}

/// Says how near each process is to its descriptor limit, and when it gets there.
fn exhaustion(
    out: &mut impl Write,
    listing: &Listing,
    history: Option<&History>,
    look: &SocketsLook,
) -> io::Result<()> {
    let (now, lang) = (look.now, look.screen.lang);
    let mut processes: Vec<(i32, u64)> = listing.by_process().into_iter().collect();
    processes.sort_by_key(|(_, stuck)| std::cmp::Reverse(*stuck));
    writeln!(out)?;
    for (pid, stuck) in processes {
        let Some(usage) = listing.snapshot.processes.get(&pid) else { continue };
        let all = usage.in_use.map_or_else(|| lang.unknown_number(), thousands);
        let limit = usage.limit.map_or_else(|| lang.no_limit(), |n| lang.limit(thousands(n)));
        let rate = rate(listing, history, pid);
        let outlook = rate.map_or(String::new(), |rate| outlook(rate, usage, now, lang));
        let process = format!("{}[{pid}]", usage.command);
        let line = lang.descriptors(process, thousands(stuck), all, limit, outlook);
        writeln!(out, "{line}")?;
    }
    if let Some(history) = history.filter(|history| history.is_timeless()) {
        for ((pid, peer), more) in history.growth() {
            let grown = lang.grown(format!("{more:+}"), history.len(), of_pid(pid, lang), peer);
            writeln!(out, "{grown}")?;
        }
    } else if let Some(history) = history {
        for ((pid, peer), rate) in history.per_minute() {
            let rate = tenths(rate, lang).unwrap_or_else(|| lang.steady());
            let grows = lang.grows_by(rate, of_pid(pid, lang), peer);
            writeln!(out, "{grows}")?;
        }
    }
    Ok(())
}

fn of_pid(pid: Option<i32>, lang: Lang) -> String {
    pid.map_or_else(|| lang.no_process(), |pid| format!("pid {pid}"))
}

fn outlook(per_minute: f64, usage: &Usage, now: Option<Time>, lang: Lang) -> String {
    let Some(rate) = tenths(per_minute, lang) else { return lang.not_growing() };
    let descriptors = usage.in_use.zip(usage.limit);
    let left = descriptors.and_then(|(in_use, limit)| until_full(in_use, limit, per_minute));
    match left.and_then(|left| TimeDelta::from_std(left).ok()) {
        Some(left) => {
            let full_at = |now: Time| now.after(left.num_nanoseconds().unwrap_or(i64::MAX));
            let at = |now| lang.full_at(to_the_minute(full_at(now), now, Zone::Local));
            let at = now.map(at).unwrap_or_default();
            lang.full_in(rate, duration(left), at)
        }
        None => lang.grows(rate),
    }
}

/// `-` where the list does not say.
fn queue(octets: Option<u32>) -> String {
    octets.map_or("-".into(), |octets| octets.to_string())
}

fn each(out: &mut impl Write, sockets: &[&Socket], look: &SocketsLook) -> io::Result<()> {
    let (top, lang) = (look.top, look.screen.lang);
    let shown = if top == 0 { sockets.len() } else { sockets.len().min(top) };
    let mut heads = vec![lang.state_caption(), "Recv-Q".into(), "Send-Q".into()];
    heads.extend([lang.local_caption(), lang.peer_caption(), lang.command_caption()]);
    heads.extend(["pid".into(), "fd".into(), lang.held_caption(), lang.idle_caption()]);
    let mut rows = vec![heads];
    for socket in &sockets[..shown] {
        let holder = socket.holders.first();
        let (command, pid) = who(socket.held(), lang);
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
    more(out, sockets.len() - shown, Thing::MoreSocket, lang)
}
