//! `--format text`: one screen for the person at the prompt.
//!
//! What is stuck comes first, then what it means and what to do, then how the other connections
//! ended and what the capture could not show.

mod events;
mod groups;
mod next;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;

use anstyle::{AnsiColor, Style};
use chrono::TimeDelta;

use super::shell;
use super::table::{Align, more, write_table};
use crate::decode::Skipped;
use crate::names;
use crate::owner::Socket;
use crate::place::{Place, Time};
use crate::summary::seen::{Process, Said, Seen};
use crate::summary::{Capture, EventKind, Owner, Row, Sink, Totals};
use crate::units::{Zone, clock_time, count, duration, missing, thousands, zone_name};
use crate::verdict::local::{Local, LocalBy};
use crate::verdict::{Doubt, Verdict};

/// How the text is to look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub zone: Zone,
    /// Dates before times.
    pub dates: bool,
    /// Lines in a table; 0 for all.
    pub top: usize,
    /// A table of all flows, too.
    pub all: bool,
    /// Its inputs can be read again, to explain a finding.
    pub explain: bool,
}

/// Gathers findings and writes the report at the end.
#[derive(Debug)]
pub struct Text<W> {
    out: W,
    look: Look,
    findings: Vec<Seen>,
    others: Vec<Seen>,
    /// Sockets that the capture never saw: local, peer, process.
    before: Vec<[String; 3]>,
    /// A socket list was asked.
    owners: bool,
    /// Who holds connections of peer-holds flows.
    peer_holders: BTreeSet<IpAddr>,
}

pub const ALARM: Style = AnsiColor::Red.on_default().bold();
pub const CALM: Style = AnsiColor::Green.on_default().bold();
const HEADING: Style = Style::new().bold();
const ASIDE: Style = Style::new().dimmed();

/// Snap lengths of a capture that are printed.
const SNAP_LENGTHS: usize = 4;

impl<W: Write> Text<W> {
    pub fn new(out: W, look: Look) -> Text<W> {
        Text {
            out,
            look,
            findings: Vec::new(),
            others: Vec::new(),
            before: Vec::new(),
            owners: false,
            peer_holders: BTreeSet::new(),
        }
    }
}

impl<W: Write> Sink for Text<W> {
    fn event(&mut self, kind: EventKind, row: &Row) -> io::Result<()> {
        self.write_event(kind, row)
    }

    fn event_before(&mut self, socket: &Socket, _: Time) -> io::Result<()> {
        self.write_event_before(socket)
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        let seen = Seen::new(row);
        self.owners |= !matches!(row.owner, Owner::NotAsked);
        if row.judged.judgement.verdict == Verdict::PeerHolds {
            self.peer_holders.insert(seen.judged_and_peer().0.ip);
        }
        if row.judged.judgement.finding {
            self.findings.push(seen);
        } else if self.look.all {
            self.others.push(seen);
        }
        Ok(())
    }

    fn stuck_before(&mut self, socket: &Socket) -> io::Result<()> {
        let ends = [socket.local, socket.peer].map(|end| end.to_string());
        let [local, peer] = ends;
        self.before.push([local, peer, process(&Process::of(socket))]);
        Ok(())
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        // The longest held first: the capture's order decides among equals.
        self.findings.sort_by_key(|seen| std::cmp::Reverse(seen.held));
        self.headline(totals)?;
        if !self.findings.is_empty() {
            self.groups()?;
            self.table(totals)?;
            self.meaning(totals)?;
        }
        self.before_table()?;
        self.hints(totals)?;
        self.next(totals)?;
        if self.look.all && !self.others.is_empty() {
            self.other_table(totals)?;
        }
        self.rest(totals)?;
        self.limits(totals)?;
        self.out.flush()?;
        // A live capture can be reported again.
        self.findings.clear();
        self.others.clear();
        self.before.clear();
        self.peer_holders.clear();
        Ok(())
    }
}

impl<W: Write> Text<W> {
    fn headline(&mut self, totals: &Totals) -> io::Result<()> {
        let (n, of) = (totals.tally.findings, totals.tally.flows);
        if totals.facts.segments() == 0 {
            let read = count(totals.facts.packets(), "packet");
            let filtered = totals.skipped.contains_key(&Skipped::NotMatched);
            let which = if filtered { "matches the filter" } else { "in the capture" };
            return writeln!(
                self.out,
                "{HEADING}No TCP connection {which}{HEADING:#} ({read} read)."
            );
        }
        let waiting = totals.tally.of(Verdict::PeerHolds);
        if n == 0 && waiting > 0 {
            return self.waiting_headline(waiting, of);
        }
        if n == 0 {
            let among = count(of, "connection");
            return writeln!(
                self.out,
                "{CALM}No connection left in CLOSE-WAIT{CALM:#} among {among}."
            );
        }
        let points = match totals.captures.len() {
            0 | 1 => String::new(),
            n => format!(" in {n} captures"),
        };
        let of = format!("{}{points}", count(of, "connection"));
        let (by, how) = self.holders();
        writeln!(
            self.out,
            "{ALARM}{} of {of} left in CLOSE-WAIT{by}{ALARM:#} {how}\n",
            thousands(n)
        )
    }

    /// The capture was taken at the side that closed: who waits for whom?
    fn waiting_headline(&mut self, waiting: u64, of: u64) -> io::Result<()> {
        let hosts: Vec<String> = self.peer_holders.iter().map(|ip| names::host(*ip)).collect();
        let whom = match &hosts[..] {
            [host] => host.clone(),
            hosts => format!("{} hosts", hosts.len()),
        };
        let (waiting, of) = (thousands(waiting), count(of, "connection"));
        writeln!(
            self.out,
            "{HEADING}{waiting} of {of} wait in FIN-WAIT-2 for {whom} to close{HEADING:#}; none is left in CLOSE-WAIT at this side."
        )
    }

    /// Who holds the findings, and how that is known.
    fn holders(&self) -> (String, String) {
        let hosts: BTreeSet<IpAddr> = self.findings.iter().map(holder_ip).collect();
        let by = match hosts.first() {
            Some(ip) if hosts.len() == 1 => format!(" by {}", names::host(*ip)),
            _ => format!(" by {} hosts", hosts.len()),
        };
        let most = self.most_frequent_holder();
        let unsure = self.findings.iter().any(|seen| !matches!(seen.local, Local::Side(_)));
        let told: BTreeSet<LocalBy> =
            self.findings.iter().filter_map(|seen| seen.local_by).collect();
        let how = match (unsure, most) {
            (true, Some(ip)) => {
                let ip = shell::word(&names::option(ip));
                format!("(local unknown: whoever owes the FIN is judged; --local {ip} narrows it)")
            }
            _ => {
                let phrases: Vec<&str> = told.into_iter().map(LocalBy::phrase).collect();
                format!("(local by {})", phrases.join(" and "))
            }
        };
        (by, how)
    }

    fn most_frequent_holder(&self) -> Option<IpAddr> {
        let mut counts = BTreeMap::<IpAddr, usize>::new();
        for seen in &self.findings {
            *counts.entry(holder_ip(seen)).or_default() += 1;
        }
        counts.into_iter().max_by_key(|&(_, n)| n).map(|(ip, _)| ip)
    }

    fn shown(&self, len: usize) -> usize {
        if self.look.top == 0 { len } else { len.min(self.look.top) }
    }

    fn table(&mut self, totals: &Totals) -> io::Result<()> {
        let mut heads = vec!["local", "peer", "FIN at", "held", "idle", "frame", "doubts"];
        if self.owners {
            heads.push("process");
        }
        let mut rows = vec![heads.into_iter().map(String::from).collect::<Vec<_>>()];
        let shown = self.shown(self.findings.len());
        let dates = self.dates(totals);
        for seen in &self.findings[..shown] {
            let (left, right) = seen.judged_and_peer();
            let mut row = vec![
                left.to_string(),
                right.to_string(),
                seen.fin.map_or("-".into(), |p| clock_time(p, self.look.zone, dates)),
                seen.held.map_or("-".into(), |held| format!("≥ {}", duration(held))),
                idle_text(seen),
                seen.fin.map_or("-".into(), |p| frame(p, totals)),
                seen.doubts.iter().map(|d| d.name()).collect::<Vec<_>>().join(", "),
            ];
            if self.owners {
                row.push(process(&seen.process));
            }
            rows.push(row);
        }
        use Align::{Left, Right};
        write_table(&mut self.out, &rows, &[Right, Left, Left, Right, Right, Right, Left])?;
        more(&mut self.out, self.findings.len() - shown, "")?;
        let zone = zone_name(totals.facts.first(), self.look.zone);
        writeln!(self.out, "  {ASIDE}{zone}{ASIDE:#}\n")
    }

    /// Dates are shown when asked for, or when a capture crosses midnight.
    fn dates(&self, totals: &Totals) -> bool {
        let day = |place: Option<Place>| {
            let known = place.filter(|place| place.time.nanos().is_some())?;
            Some(clock_time(known, self.look.zone, true).split(' ').next()?.to_owned())
        };
        let (first, last) = (day(totals.facts.first()), day(totals.facts.last()));
        self.look.dates || first.zip(last).is_some_and(|(first, last)| first != last)
    }

    fn meaning(&mut self, totals: &Totals) -> io::Result<()> {
        writeln!(self.out, "No kernel timer ends CLOSE-WAIT: the program must close the socket.")?;
        let descriptors =
            self.findings.iter().filter(|seen| seen.descriptor_may_leak).count() as u64;
        if descriptors > 0 {
            writeln!(
                self.out,
                "{} reset by the peer after a long CLOSE-WAIT: the kernel forgot the socket, the program may still hold its descriptor.",
                if descriptors == totals.findings() {
                    "They were".into()
                } else {
                    format!("{descriptors} of them were")
                }
            )?;
        }
        let doubts: BTreeSet<Doubt> =
            self.findings.iter().flat_map(|seen| seen.doubts.iter()).copied().collect();
        for doubt in &doubts {
            writeln!(self.out, "Doubt {}: {}.", doubt.name(), doubt.sentence())?;
        }
        Ok(())
    }

    fn before_table(&mut self) -> io::Result<()> {
        if self.before.is_empty() {
            return Ok(());
        }
        let n = count(self.before.len() as u64, "socket");
        writeln!(
            self.out,
            "\n{ALARM}{n} in CLOSE-WAIT before the capture{ALARM:#} (in the socket list, without a packet here)\n"
        )?;
        let shown = self.shown(self.before.len());
        let mut rows = vec![["local", "peer", "process"].map(String::from).to_vec()];
        rows.extend(self.before[..shown].iter().map(|cells| cells.to_vec()));
        write_table(&mut self.out, &rows, &[Align::Right])?;
        more(&mut self.out, self.before.len() - shown, "")?;
        writeln!(self.out)
    }

    fn hints(&mut self, totals: &Totals) -> io::Result<()> {
        let waiting = totals.tally.of(Verdict::PeerHolds);
        if waiting > 0 {
            let option = |ip: &IpAddr| shell::word(&names::option(*ip));
            let hosts: Vec<String> = self.peer_holders.iter().take(3).map(option).collect();
            let wait = if waiting == 1 { "waits" } else { "wait" };
            writeln!(
                self.out,
                "{} {wait} for the other side to close (peer-holds); judge it with --local {}.",
                count(waiting, "connection"),
                hosts.join(" --local ")
            )?;
        }
        if totals.facts.segments() > 0
            && !self.owners
            && let Some(first) = totals.facts.first()
        {
            let time = clock_time(first, self.look.zone, self.look.dates);
            writeln!(
                self.out,
                "Sockets stuck before {time} (the first packet) cannot show here: closewait sockets, on the host."
            )?;
        }
        Ok(())
    }

    fn other_table(&mut self, totals: &Totals) -> io::Result<()> {
        writeln!(self.out, "\n{HEADING}Connections without a finding{HEADING:#}\n")?;
        let mut rows = vec![
            ["verdict", "local", "peer", "first FIN at", "frame", "doubts"]
                .map(String::from)
                .to_vec(),
        ];
        let dates = self.dates(totals);
        for seen in &self.others {
            let (left, right) = seen.judged_and_peer();
            let word = match seen.verdict {
                Verdict::Unknown(reason) => format!("unknown ({})", reason.name()),
                verdict => verdict.name().into(),
            };
            rows.push(vec![
                word,
                left.to_string(),
                right.to_string(),
                seen.fin.map_or("-".into(), |p| clock_time(p, self.look.zone, dates)),
                seen.fin.map_or("-".into(), |p| frame(p, totals)),
                seen.doubts.iter().map(|d| d.name()).collect::<Vec<_>>().join(", "),
            ]);
        }
        use Align::{Left, Right};
        write_table(&mut self.out, &rows, &[Left, Right, Left, Left, Right, Left])
    }

    /// How the other flows ended.
    fn rest(&mut self, totals: &Totals) -> io::Result<()> {
        let endings: Vec<String> = Verdict::NAMES
            .into_iter()
            .zip(totals.tally.verdicts.into_iter().zip(totals.tally.found))
            .map(|(name, (all, found))| (name, all.saturating_sub(found)))
            .filter(|(_, others)| *others > 0)
            .map(|(name, others)| format!("{} {name}", thousands(others)))
            .collect();
        if !endings.is_empty() {
            writeln!(self.out, "\nThe other connections: {}.", endings.join(", "))?;
        }
        for (reason, n) in &totals.tally.unknown {
            writeln!(
                self.out,
                "{} unknown ({}): {}.",
                thousands(*n),
                reason.name(),
                reason.sentence()
            )?;
        }
        Ok(())
    }

    /// What the capture was, and what it could not show.
    fn limits(&mut self, totals: &Totals) -> io::Result<()> {
        writeln!(self.out)?;
        for capture in &totals.captures {
            self.limits_of(capture, totals)?;
        }
        if totals.rewritten > 0 {
            writeln!(
                self.out,
                "Addresses were rewritten (NAT, a sidecar?): {} shown under two pairs of them, counted once, as dialled.",
                count(totals.rewritten, "connection")
            )?;
        }
        if totals.seen_twice > 0 {
            writeln!(
                self.out,
                "{} seen at two capture points, counted once.",
                count(totals.seen_twice, "connection")
            )?;
        }
        if totals.evicted > 0 {
            writeln!(
                self.out,
                "{} left memory early and were judged by what was seen until then: --max-flows raises the limit.",
                count(totals.evicted, "connection")
            )?;
        }
        if totals.unlisted > 0 {
            writeln!(
                self.out,
                "{} more are counted, and not listed or grouped: --max-flows raises the limit, --all --format jsonl has none.",
                count(totals.unlisted, "connection")
            )?;
        }
        let skipped = totals.skipped_by_name();
        if !skipped.is_empty() {
            let all: u64 = skipped.iter().map(|(_, n)| n).sum();
            let kinds: Vec<String> =
                skipped.iter().map(|(kind, n)| format!("{kind} {}", thousands(*n))).collect();
            writeln!(self.out, "Skipped {}: {}.", count(all, "packet"), kinds.join(", "))?;
        }
        Ok(())
    }

    fn limits_of(&mut self, capture: &Capture, totals: &Totals) -> io::Result<()> {
        let name = |&i: &usize| totals.files.get(i).map_or("", String::as_str);
        let names = match &capture.files[..] {
            [first, .., last] if capture.files.len() > 2 => {
                format!("{} … {} ({} files)", name(first), name(last), capture.files.len())
            }
            files => files.iter().map(name).collect::<Vec<_>>().join(", "),
        };
        write!(
            self.out,
            "{names}: {}, {} of TCP",
            count(capture.facts.packets(), "packet"),
            thousands(capture.facts.segments())
        )?;
        if let (Some(first), Some(last)) = (capture.facts.first(), capture.facts.last()) {
            let dates = self.dates(totals);
            let time = |place| clock_time(place, self.look.zone, dates);
            write!(self.out, ", {} … {}", time(first), time(last))?;
            if let Some(nanos) = last.time.since(first.time) {
                write!(self.out, " ({})", duration(TimeDelta::nanoseconds(nanos)))?;
            }
        }
        // A damaged file can have any number of them.
        let mut snaps = capture.facts.snap_lengths().range(1..65_535);
        for snap in snaps.by_ref().take(SNAP_LENGTHS) {
            write!(self.out, ", snap length {snap}")?;
        }
        match snaps.count() {
            0 => {}
            n => write!(self.out, " and {} others", thousands(n as u64))?,
        }
        match capture.facts.drops() {
            0 => {}
            n => write!(self.out, ", {} dropped", count(n, "packet"))?,
        }
        writeln!(self.out, ".")?;
        if let Some(holes) = missing(capture.facts.holes()) {
            writeln!(self.out, "Packets are {holes}.")?;
        }
        for gap in &capture.gaps {
            let pause = duration(TimeDelta::nanoseconds(gap.nanos));
            let (before, after) = (name(&gap.before), name(&gap.after));
            writeln!(self.out, "Nothing was captured for {pause} between {before} and {after}.")?;
        }
        if let (Some(overlap), Some(first)) = (capture.overlap, capture.files.first()) {
            let both = duration(TimeDelta::nanoseconds(overlap.nanos));
            writeln!(
                self.out,
                "{} overlaps {} by {both}: read as a capture of another point.",
                name(first),
                name(&overlap.with)
            )?;
        }
        if capture.facts.segments() > 0 && !capture.facts.holds_empty_segments() {
            writeln!(
                self.out,
                "It holds only packets with payload: a FIN or an ACK without any cannot show."
            )?;
        } else if capture.facts.segments() > 0 && !capture.facts.holds_bare_acks() {
            writeln!(
                self.out,
                "It holds no bare ACK (a filter on flags?): whether a FIN was acknowledged is inferred."
            )?;
        }
        Ok(())
    }
}

/// The address of whoever is judged.
fn holder_ip(seen: &Seen) -> IpAddr {
    seen.judged_and_peer().0.ip
}

/// Where packets before the FIN are missing, the connection may have been in use later.
fn idle_text(seen: &Seen) -> String {
    let at_most = seen.doubts.contains(&Doubt::LostBeforeFin);
    let bound = if at_most { "≤ " } else { "" };
    seen.idle_before_fin.map_or("-".into(), |idle| format!("{bound}{}", duration(idle)))
}

/// `BEGIN; UPDATE …`, or the last statement where no transaction is open.
fn statements(said: &Said) -> String {
    match &said.statements[..] {
        [] => said.last.as_ref().map_or(String::new(), |last| format!("last: {last}")),
        open => open.join("; "),
    }
}

/// `orders-api[26922] fd 6`.
fn process(process: &Process) -> String {
    match process {
        Process::NotAsked => String::new(),
        Process::NotListed => "not in the list".into(),
        Process::Backlog => "(backlog)".into(),
        Process::Hidden => "(unknown)".into(),
        Process::By { holder, by_capture: false } => holder.to_string(),
        Process::By { holder, by_capture: true } => format!("{holder} (by the capture)"),
    }
}

/// The frame's number, with its file where there are several.
fn frame(place: Place, totals: &Totals) -> String {
    match totals.files.get(place.file()) {
        Some(file) if totals.files.len() > 1 => format!("{file}:{}", place.frame()),
        _ => place.frame().to_string(),
    }
}
