//! The findings by peer, and those of a peer by cause and statements.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use chrono::TimeDelta;

use super::{Line, Text};
use crate::place::Place;
use crate::report::table::{Align, more, write_table};
use crate::summary::cause::Cause;
use crate::tcp::segment::Endpoint;
use crate::units::{clock_time, duration, seconds, thousands};

/// Characters of statements in a line.
const WIDE: usize = 100;

impl<W: Write> Text<W> {
    /// The peer of the longest held first; within a peer, the most frequent cause.
    pub(super) fn groups(&mut self) -> io::Result<()> {
        let mut groups: Vec<(Endpoint, Vec<&Line>)> = Vec::new();
        let mut index = BTreeMap::new();
        for line in &self.findings {
            let at = *index.entry(line.right).or_insert_with(|| {
                groups.push((line.right, Vec::new()));
                groups.len() - 1
            });
            groups[at].1.push(line);
        }
        let shown = self.shown(groups.len());
        let rows: Vec<Vec<String>> =
            groups[..shown].iter().map(|(peer, lines)| group(*peer, lines)).collect();
        write_table(&mut self.out, &rows, &[Align::Right])?;
        more(&mut self.out, groups.len() - shown, "peer")?;
        writeln!(self.out)?;
        let causes: Vec<Vec<String>> =
            groups[..shown].iter().flat_map(|(peer, lines)| self.causes(*peer, lines)).collect();
        let is_known = |line: &Line| line.cause.is_some_and(|cause| cause != Cause::Unknown);
        if !self.findings.iter().any(is_known) {
            return Ok(());
        }
        let shown = self.shown(causes.len());
        use Align::{Left, Right};
        write_table(&mut self.out, &causes[..shown], &[Right, Left, Left, Left])?;
        more(&mut self.out, causes.len() - shown, "group")?;
        writeln!(self.out)
    }

    /// The findings of a peer by cause and statements, the largest group first.
    fn causes(&self, peer: Endpoint, lines: &[&Line]) -> Vec<Vec<String>> {
        let mut groups: BTreeMap<(Cause, &str), Vec<&Line>> = BTreeMap::new();
        for line in lines {
            if let Some(cause) = line.cause {
                groups.entry((cause, &line.statements)).or_default().push(line);
            }
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, lines)| std::cmp::Reverse(lines.len()));
        let row = |((cause, statements), lines): ((Cause, &str), Vec<&Line>)| {
            vec![
                thousands(lines.len() as u64),
                format!("{} at {peer}", cause.name()),
                self.span(&lines),
                cut(statements),
            ]
        };
        groups.into_iter().map(row).collect()
    }

    /// When the peer closed them, the first and the last; how fast they grow; by whom.
    fn span(&self, lines: &[&Line]) -> String {
        let fins = || lines.iter().filter_map(|line| line.fin);
        let first = fins().min_by_key(|place| place.time);
        let last = fins().max_by_key(|place| place.time);
        let (Some(first), Some(last)) = (first, last) else { return String::new() };
        let time = |place: Place| {
            let time = clock_time(place, self.look.zone, self.look.dates);
            // To the second: this is about minutes.
            time.split('.').next().unwrap_or_default().to_owned()
        };
        let mut text = time(first);
        if lines.len() > 1 {
            text += &format!(" … {}", time(last));
        }
        let span = last.time.since(first.time).unwrap_or(0);
        if lines.len() > 2 && span >= 10_000_000_000 {
            let rate = (lines.len() - 1) as f64 * 60e9 / span as f64;
            text += &format!(", {} a minute", thousands(rate.round().max(1.0) as u64));
        }
        text + &hosts(lines)
    }
}

/// Where several hosts hold them: since when, by one another.
fn hosts(lines: &[&Line]) -> String {
    let mut first = BTreeMap::<IpAddr, Place>::new();
    for line in lines {
        if let Some(fin) = line.fin {
            let earliest = first.entry(line.left.ip).or_insert(fin);
            if fin.time < earliest.time {
                *earliest = fin;
            }
        }
    }
    if first.len() < 2 {
        return String::new();
    }
    let times = || first.values().map(|place| place.time);
    let apart = times().max().zip(times().min()).and_then(|(last, first)| last.since(first));
    let apart = apart.map_or(String::new(), |ns| {
        format!(", begun {} apart", duration(TimeDelta::nanoseconds(ns)))
    });
    format!(", on {} hosts{apart}", first.len())
}

fn cut(statements: &str) -> String {
    match statements.char_indices().nth(WIDE) {
        Some((at, _)) => format!("{}…", &statements[..at]),
        None => statements.to_owned(),
    }
}

/// One group as columns: how many, whose, how long, after which pause.
fn group(peer: Endpoint, lines: &[&Line]) -> Vec<String> {
    let held: Vec<TimeDelta> = lines.iter().filter_map(|line| line.held).collect();
    let bounds = [held.iter().min(), held.iter().max()].map(|bound| bound.copied().map(duration));
    let range = match bounds {
        [Some(least), Some(most)] if least != most => format!("held ≥ {least} … ≥ {most}"),
        [Some(held), _] => format!("held ≥ {held}"),
        _ => String::new(),
    };
    let n = thousands(lines.len() as u64);
    vec![n, format!("peer {peer}"), range, timeout(lines).unwrap_or_default()]
}

/// Pauses that belong together differ by no more than this, or by a fiftieth.
const SHARP: TimeDelta = TimeDelta::milliseconds(40);

/// Connections closed after the same pause were closed by a timer: most of them, and three at least.
fn timeout(lines: &[&Line]) -> Option<String> {
    const ENOUGH: usize = 3;
    let mut idle: Vec<TimeDelta> = lines.iter().filter_map(|line| line.idle).collect();
    idle.sort();
    let alike = |from: usize| {
        let within = idle[from] + (idle[from] / 25).max(SHARP);
        &idle[from..from + idle[from..].partition_point(|pause| *pause <= within)]
    };
    let cluster = (0..idle.len()).map(alike).max_by_key(|cluster| cluster.len())?;
    let (least, most) = (*cluster.first()?, *cluster.last()?);
    let middle = (least + most) / 2;
    let is_most = cluster.len() >= ENOUGH && cluster.len() * 2 > lines.len();
    if !is_most || middle < TimeDelta::seconds(1) {
        return None;
    }
    let about = seconds(middle).round();
    let spread = duration(((most - least) / 2).max(TimeDelta::milliseconds(1)));
    let which = match cluster.len() == lines.len() {
        true => String::new(),
        false => format!("{} of them ", cluster.len()),
    };
    let like = known(about).map_or(String::new(), |name| format!(" (like {name})"));
    Some(format!(
        "{which}idle before FIN {} ± {spread}: a timeout of about {about} s there{like}",
        duration(middle)
    ))
}

/// Defaults of what closes idle connections: a hint, since anybody can choose the same.
const KNOWN: [(f64, &str); 8] = [
    (50.0, "the 50 s of HAProxy's examples"),
    (60.0, "the 60 s of AWS ALB and nginx"),
    (240.0, "the 4 min of Azure's load balancer"),
    (300.0, "the 5 min of many firewalls"),
    (350.0, "the 350 s of AWS NLB"),
    (600.0, "the 10 min of nginx's stream proxy and Google Cloud"),
    (3_600.0, "the 1 h of Envoy and many firewalls"),
    (28_800.0, "MySQL's default wait_timeout of 8 h"),
];

fn known(about: f64) -> Option<&'static str> {
    KNOWN.iter().find(|(seconds, _)| *seconds == about).map(|(_, name)| *name)
}
