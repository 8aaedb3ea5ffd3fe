//! Findings that belong together: by peer, and those of a peer by cause and statements; the pause that
//! the peer closed them after, and how fast they grow.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::TimeDelta;

use super::cause::Cause;
use super::seen::{Said, Seen};
use crate::place::Place;
use crate::tcp::segment::Endpoint;
use crate::units::seconds;

/// The findings of one peer.
pub struct PeerGroup<'a> {
    pub peer: Endpoint,
    pub members: Vec<&'a Seen>,
}

/// The findings of one peer with the same cause, and with the same statements if any were read.
pub struct CauseGroup<'a> {
    pub peer: Endpoint,
    pub cause: Cause,
    pub said: &'a Said,
    pub members: Vec<&'a Seen>,
}

/// Groups findings by peer, in the order in which the first of each stands.
pub fn by_peer<'a>(findings: impl IntoIterator<Item = &'a Seen>) -> Vec<PeerGroup<'a>> {
    let mut groups: Vec<PeerGroup> = Vec::new();
    let mut index = BTreeMap::new();
    for seen in findings {
        let (_, peer) = seen.judged_and_peer();
        let at = *index.entry(peer).or_insert_with(|| {
            groups.push(PeerGroup { peer, members: Vec::new() });
            groups.len() - 1
        });
        groups[at].members.push(seen);
    }
    groups
}

impl<'a> PeerGroup<'a> {
    /// Returns the least and the most that they have been held.
    pub fn held(&self) -> Option<(TimeDelta, TimeDelta)> {
        let held = || self.members.iter().filter_map(|seen| seen.held);
        held().min().zip(held().max())
    }

    /// Returns the timer that closed most of them, if one did.
    pub fn timeout(&self) -> Option<Timeout> {
        Timeout::of(&self.members)
    }

    /// Groups them by cause and statements, the largest group first.
    pub fn by_cause(&self) -> Vec<CauseGroup<'a>> {
        type Said<'a> = (Cause, &'a [String], Option<&'a String>);
        let mut groups: BTreeMap<Said, Vec<&'a Seen>> = BTreeMap::new();
        for &seen in &self.members {
            if let Some(cause) = seen.cause {
                let last = seen.said.last.as_ref().filter(|_| seen.said.statements.is_empty());
                groups.entry((cause, &seen.said.statements, last)).or_default().push(seen);
            }
        }
        let group = |((cause, ..), members): ((Cause, _, _), Vec<&'a Seen>)| {
            Some(CauseGroup { peer: self.peer, cause, said: &members.first()?.said, members })
        };
        let mut groups: Vec<CauseGroup> = groups.into_iter().filter_map(group).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.members.len()));
        groups
    }
}

/// When the peer closed the connections of a group, and by whom they are held.
pub struct Span {
    pub first: Place,
    pub last: Place,
    /// There are several, if only one moment shows.
    pub several: bool,
    /// How many more there are each minute, where enough of them show it.
    pub per_minute: Option<f64>,
    /// How many hosts hold them.
    pub hosts: usize,
    /// Several hosts: the time between the first FIN of one and the first of the last to begin.
    pub apart: Option<TimeDelta>,
}

/// Shorter spans say nothing about growth.
const GROWTH_NS: i64 = 10_000_000_000;

impl CauseGroup<'_> {
    pub fn span(&self) -> Option<Span> {
        let fins = || self.members.iter().filter_map(|seen| seen.fin);
        let first = fins().min_by_key(|place| place.time)?;
        let last = fins().max_by_key(|place| place.time)?;
        let nanos = last.time.since(first.time).unwrap_or(0);
        let grows = self.members.len() > 2 && nanos >= GROWTH_NS;
        let more = (self.members.len() - 1) as f64;
        let begun = self.begun();
        let times = || begun.values().map(|place| place.time);
        let apart = times().max().zip(times().min()).and_then(|(last, first)| last.since(first));
        Some(Span {
            first,
            last,
            several: self.members.len() > 1,
            per_minute: grows.then(|| more * 60e9 / nanos as f64),
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
    /// How many connections were closed after this pause, of how many.
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
    fn of(members: &[&Seen]) -> Option<Timeout> {
        let mut idle: Vec<TimeDelta> =
            members.iter().filter_map(|seen| seen.idle_before_fin).collect();
        idle.sort();
        let alike = |from: usize| {
            let within = idle[from] + (idle[from] / 25).max(SHARP);
            &idle[from..from + idle[from..].partition_point(|pause| *pause <= within)]
        };
        let cluster = (0..idle.len()).map(alike).max_by_key(|cluster| cluster.len())?;
        let (least, most) = (*cluster.first()?, *cluster.last()?);
        let middle = (least + most) / 2;
        let is_most = cluster.len() >= ENOUGH && cluster.len() * 2 > members.len();
        (is_most && middle >= TimeDelta::seconds(1)).then_some(Timeout {
            closed: cluster.len(),
            of: members.len(),
            middle,
            spread: ((most - least) / 2).max(TimeDelta::milliseconds(1)),
        })
    }

    /// The whole seconds next to it.
    pub fn about_s(&self) -> f64 {
        seconds(self.middle).round()
    }

    /// A product whose default it is: a hint, since anybody can choose the same.
    pub fn known(&self) -> Option<&'static str> {
        KNOWN.iter().find(|(seconds, _)| *seconds == self.about_s()).map(|(_, name)| *name)
    }
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
