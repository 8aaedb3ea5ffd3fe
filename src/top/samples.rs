//! Growth from picture to picture, and the time at which a process runs out of descriptors.

use std::time::Duration;

use chrono::TimeDelta;

use super::picture::{Entry, Picture};
use crate::owner::Usage;
use crate::place::Time;
use crate::summary::groups::per_minute;
use crate::summary::growth::{Growth, until_full};

/// Shorter times between pictures say nothing about growth.
const ENOUGH: Duration = Duration::from_secs(30);

/// Findings by process, in one picture after the other.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    began: Option<Time>,
    last: Time,
    growth: Growth<i32>,
}

/// A process with findings, and what they do to its descriptors.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    pub pid: i32,
    pub usage: Usage,
    pub stuck: u64,
    /// The growth a minute, where enough is known.
    pub per_minute: Option<f64>,
    /// The time at which its limit is reached at that rate.
    pub full_at: Option<Time>,
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
        self.growth.record(Duration::from_nanos(since), picture.by_process());
    }

    /// Returns the processes whose descriptors are known, those first that have most findings.
    pub fn outlooks(&self, picture: &Picture) -> Vec<Outlook> {
        let rates = (self.growth.span() >= ENOUGH).then(|| self.growth.per_minute());
        let stuck = picture.by_process();
        let of = |(pid, usage): (&i32, &Usage)| {
            let stuck = *stuck.get(pid)?;
            let per_minute = match &rates {
                Some(rates) => Some(rates.get(pid).copied().unwrap_or(0.0)),
                None => at_one_look(&picture.entries, *pid),
            };
            let left = per_minute
                .zip(usage.in_use.zip(usage.limit))
                .and_then(|(rate, (in_use, limit))| until_full(in_use, limit, rate));
            let full_at = left.and_then(|left| i64::try_from(left.as_nanos()).ok());
            let full_at = full_at.map(|nanos| picture.at().after(nanos));
            Some(Outlook { pid: *pid, usage: usage.clone(), stuck, per_minute, full_at })
        };
        let mut all: Vec<Outlook> = picture.usage.iter().filter_map(of).collect();
        all.sort_by_key(|outlook| std::cmp::Reverse(outlook.stuck));
        all
    }
}

/// The growth that the times show for which a process has held its findings.
fn at_one_look(entries: &[Entry], pid: i32) -> Option<f64> {
    let held: Vec<TimeDelta> = entries
        .iter()
        .filter(|entry| entry.seen.finding && entry.pid() == Some(pid))
        .filter_map(|entry| entry.seen.held)
        .collect();
    let (least, most) = held.iter().min().zip(held.iter().max())?;
    per_minute(held.len() - 1, *most - *least)
}

/// Rounds a rate for a line: tenths where that matters.
pub fn rate(per_minute: f64) -> String {
    match per_minute.abs() {
        0.0..0.05 => "not growing".into(),
        0.05..10.0 => format!("{per_minute:+.1} a minute"),
        _ => format!("{:+} a minute", per_minute.round() as i64),
    }
}
