//! Findings that belong together: by process, service, cause and statements; the pause that the peer
//! closed them after, and how fast they grow.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use chrono::TimeDelta;

use super::cause::Cause;
use super::seen::{Party, Process, Said, Seen};
use crate::place::Place;
use crate::tcp::segment::Endpoint;
use crate::units::seconds;
use crate::verdict::Doubt;

/// Findings of one process with one service, for one reason, after the same statements.
pub struct Group<'a> {
    /// The holder, as far as it is known.
    pub process: Holder<'a>,
    pub party: Party,
    pub cause: Option<Cause>,
    /// Whatever would have told the cause, where it is unknown.
    pub not_seen: Option<&'static str>,
    pub said: &'a Said,
    pub members: Vec<&'a Seen>,
}

/// The holder of a group: a process, whatever its descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder<'a> {
    /// Nobody was asked.
    NotAsked,
    NotListed,
    Backlog,
    Hidden,
    By(i32, &'a str),
}

impl<'a> From<&'a Process> for Holder<'a> {
    fn from(process: &'a Process) -> Holder<'a> {
        match process {
            Process::NotAsked => Holder::NotAsked,
            Process::NotListed => Holder::NotListed,
            Process::Backlog => Holder::Backlog,
            Process::Hidden => Holder::Hidden,
            Process::By { holder, .. } => Holder::By(holder.pid, &holder.command),
        }
    }
}

/// Groups findings: the largest group first, among equals the longest held.
pub fn groups<'a>(findings: impl IntoIterator<Item = &'a Seen>) -> Vec<Group<'a>> {
    let mut groups = BTreeMap::new();
    for seen in findings {
        let process = Holder::from(&seen.process);
        let (party, cause, not_seen) = (seen.party(), seen.cause, seen.not_seen);
        groups
            .entry((process, party, cause, not_seen, &seen.said.code, seen.said.asked()))
            .or_insert_with(|| Group {
                process,
                party,
                cause,
                not_seen,
                said: &seen.said,
                members: Vec::new(),
            })
            .members
            .push(seen);
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| {
        let longest = group.held().map(|(_, most)| most);
        std::cmp::Reverse((group.members.len(), longest))
    });
    groups
}

impl Group<'_> {
    /// Returns the least and the most that they have been held.
    pub fn held(&self) -> Option<(TimeDelta, TimeDelta)> {
        let held = || self.members.iter().filter_map(|seen| seen.held);
        held().min().zip(held().max())
    }

    /// Returns the timer that closed most of them, if one did.
    pub fn timeout(&self) -> Option<Timeout> {
        let idle = self.members.iter().filter_map(|seen| seen.idle_before_fin);
        Timeout::of(idle, self.members.len())
    }

    /// Returns the least and the most of the pauses before the FINs.
    pub fn idle(&self) -> Option<(TimeDelta, TimeDelta)> {
        let idle = || self.members.iter().filter_map(|seen| seen.idle_before_fin);
        idle().min().zip(idle().max())
    }

    /// Returns how many peers they are with, and at how many addresses.
    pub fn peers(&self) -> (usize, usize) {
        let peers = || self.members.iter().map(|seen| seen.judged_and_peer().1);
        let ends: BTreeSet<Endpoint> = peers().collect();
        let hosts: BTreeSet<IpAddr> = peers().map(|peer| peer.ip).collect();
        (ends.len(), hosts.len())
    }

    /// Returns how many are in doubt, by doubt.
    pub fn doubts(&self) -> BTreeMap<Doubt, u64> {
        let mut doubts = BTreeMap::new();
        for doubt in self.members.iter().flat_map(|seen| seen.doubts.iter()) {
            *doubts.entry(*doubt).or_default() += 1;
        }
        doubts
    }
}

/// The time in which the peer closed the connections of a group, and the hosts that hold them.
pub struct Span {
    pub first: Place,
    pub last: Place,
    /// There are several, if only one moment shows.
    pub several: bool,
    /// The growth a minute, where enough of them show it.
    pub per_minute: Option<f64>,
    /// The number of hosts that hold them.
    pub hosts: usize,
    /// Several hosts: the time between the first FIN of one and the first of the last to begin.
    pub apart: Option<TimeDelta>,
}

/// Shorter spans say nothing about growth.
const GROWTH: TimeDelta = TimeDelta::seconds(10);

/// Returns how many came each minute, where so many after the first came within this span; `None` where
/// that is too few or too short to say anything.
pub fn per_minute(after_first: usize, span: TimeDelta) -> Option<f64> {
    (after_first > 1 && span >= GROWTH).then(|| after_first as f64 * 60.0 / seconds(span))
}

impl Group<'_> {
    pub fn span(&self) -> Option<Span> {
        let fins = || self.members.iter().filter_map(|seen| seen.fin);
        let first = fins().min_by_key(|place| place.time)?;
        let last = fins().max_by_key(|place| place.time)?;
        let nanos = last.time.since(first.time).unwrap_or(0);
        let begun = self.begun();
        let times = || begun.values().map(|place| place.time);
        let apart = times().max().zip(times().min()).and_then(|(last, first)| last.since(first));
        Some(Span {
            first,
            last,
            several: self.members.len() > 1,
            per_minute: per_minute(self.members.len() - 1, TimeDelta::nanoseconds(nanos)),
            hosts: begun.len(),
            apart: apart.filter(|_| begun.len() > 1).map(TimeDelta::nanoseconds),
        })
    }

    /// The first FIN of each host that holds some.
    fn begun(&self) -> BTreeMap<IpAddr, Place> {
        let mut begun = BTreeMap::<IpAddr, Place>::new();
        for seen in &self.members {
            let Some(fin) = seen.fin else { continue };
            let earliest = begun.entry(seen.judged_and_peer().0.ip).or_insert(fin);
            if fin.time < earliest.time {
                *earliest = fin;
            }
        }
        begun
    }
}

/// A timer that closes idle connections, as the pauses before FINs show it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timeout {
    /// The connections that were closed after this pause, of how many.
    pub closed: usize,
    pub of: usize,
    /// The middle of the pauses.
    pub middle: TimeDelta,
    /// They differ from it by this much.
    pub spread: TimeDelta,
}

/// Pauses that belong together differ by no more than this, or by a fiftieth.
const SHARP: TimeDelta = TimeDelta::milliseconds(40);

/// Connections closed after the same pause were closed by a timer: most of them, and three at least.
const ENOUGH: usize = 3;

impl Timeout {
    /// Finds one in the pauses of so many connections.
    pub fn of(idle: impl Iterator<Item = TimeDelta>, connections: usize) -> Option<Timeout> {
        let mut idle: Vec<TimeDelta> = idle.collect();
        idle.sort();
        let alike = |from: usize| {
            let within = idle[from] + (idle[from] / 25).max(SHARP);
            &idle[from..from + idle[from..].partition_point(|pause| *pause <= within)]
        };
        let cluster = (0..idle.len()).map(alike).max_by_key(|cluster| cluster.len())?;
        let (least, most) = (*cluster.first()?, *cluster.last()?);
        let middle = (least + most) / 2;
        let is_most = cluster.len() >= ENOUGH && cluster.len() * 2 > connections;
        (is_most && middle >= TimeDelta::seconds(1)).then_some(Timeout {
            closed: cluster.len(),
            of: connections,
            middle,
            spread: ((most - least) / 2).max(TimeDelta::milliseconds(1)),
        })
    }

    /// The seconds that it is set to, probably.
    pub fn about_s(&self) -> f64 {
        rounded(seconds(self.middle))
    }

    /// A product whose default it is: a hint, since anybody can choose the same.
    pub fn known(&self) -> Option<&'static str> {
        KNOWN.iter().find(|(seconds, _)| *seconds == self.about_s()).map(|(_, name)| *name)
    }
}

/// The products that forget a connection sooner than after this silence, the longest timeout first: of
/// those that are on a path and end nothing by themselves.
pub fn forgotten_after(silence: TimeDelta) -> impl Iterator<Item = &'static str> {
    let on_a_path = KNOWN.iter().rev().filter(|(timeout, _)| FORGETFUL.contains(timeout));
    on_a_path.filter(move |(timeout, _)| seconds(silence) >= *timeout).map(|(_, name)| *name)
}

/// The timeouts in [`KNOWN`] of what is on a path.
const FORGETFUL: [f64; 5] = [240.0, 300.0, 350.0, 600.0, 3_600.0];

/// The products whose timeout lies above `from`, and not above `to`.
pub fn known_between(from: TimeDelta, to: TimeDelta) -> impl Iterator<Item = &'static str> {
    let is_there = move |timeout: f64| seconds(from) < timeout && timeout <= seconds(to);
    KNOWN.iter().filter(move |(timeout, _)| is_there(*timeout)).map(|(_, name)| *name)
}

/// Timers are set in whole seconds; where one is not near, what was measured is all that is known.
fn rounded(seconds: f64) -> f64 {
    let whole = seconds.round();
    let is_near = (seconds - whole).abs() <= (whole / 40.0).max(0.05);
    if is_near { whole } else { (seconds * 10.0).round() / 10.0 }
}

/// Defaults of what closes idle connections, in seconds.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_a_whole_number_only_where_one_is_near() {
        assert_eq!([29.9, 3.004, 1.03, 60.2].map(rounded), [30.0, 3.0, 1.0, 60.0]);
        assert_eq!([5.53, 1.26, 2.5].map(rounded), [5.5, 1.3, 2.5]);
    }
}
