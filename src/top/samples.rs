//! Growth from picture to picture, and the time at which a process runs out of descriptors.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;

use super::picture::{Entry, Picture, Stuck};
use crate::owner::Usage;
use crate::place::Time;
use crate::summary::groups::per_minute;
use crate::summary::growth::{Growth, Outlook};

/// Findings by process, in one picture after the other.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    began: Option<Time>,
    last: Time,
    growth: Growth<i32>,
}

/// A process with findings, and what they do to its descriptors.
#[derive(Clone, Debug, PartialEq)]
pub struct Holding {
    /// The process's number.
    pub pid: i32,
    /// Its sockets in CLOSE-WAIT.
    pub stuck: u64,
    /// The time at which its descriptors run out.
    pub outlook: Outlook,
}

impl Samples {
    /// Takes the counts of a picture. An earlier one than the last begins anew.
    pub fn record(&mut self, picture: &Picture) {
        let at = picture.at();
        if self.last > at {
            *self = Samples::default();
        }
        self.last = at;
        let began = *self.began.get_or_insert(at);
        let since = at.since(began).unwrap_or(0).unsigned_abs();
        let counts = picture.processes.iter().map(|(pid, stuck)| (*pid, stuck.count));
        let since = Duration::from_nanos(since);
        self.growth.record(since, counts.collect());
        self.growth.had(held_for(picture, since));
    }

    /// Returns the processes whose descriptors are known, those first that have most findings.
    pub fn holdings(&self, picture: &Picture) -> Vec<Holding> {
        let rates = self.growth.per_minute();
        let of = |(pid, usage): (&i32, &Usage)| {
            let stuck = picture.processes.get(pid)?;
            let sampled = rates.get(pid).copied().unwrap_or(0.0);
            let rate = self.growth.rate(sampled, at_one_look(stuck));
            let outlook = Outlook::new(usage.clone(), rate, picture.at());
            Some(Holding { pid: *pid, stuck: stuck.count, outlook })
        };
        let mut all: Vec<Holding> = picture.usage.iter().filter_map(of).collect();
        all.sort_by_key(|holding| std::cmp::Reverse(holding.stuck));
        all
    }
}

/// Findings of each process that have been held for so long: a burst from before the first picture is told later, and is
/// no growth since.
fn held_for(picture: &Picture, least: Duration) -> BTreeMap<i32, u64> {
    let is_old = |held: TimeDelta| held.to_std().is_ok_and(|held| held >= least);
    let findings = picture.entries.iter().filter(|entry| entry.seen.finding);
    let old = findings.filter(|entry| entry.seen.held.is_some_and(is_old));
    let mut counts = BTreeMap::new();
    for pid in old.filter_map(Entry::pid) {
        *counts.entry(pid).or_default() += 1;
    }
    counts
}

/// The growth that the times show for which a process has held its findings.
fn at_one_look(stuck: &Stuck) -> Option<f64> {
    let (least, most) = stuck.held?;
    per_minute(usize::try_from(stuck.timed).ok()? - 1, most - least)
}
