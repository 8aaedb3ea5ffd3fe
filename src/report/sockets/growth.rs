//! The growth of CLOSE-WAIT, by process and peer, and the time at which descriptors run out at that rate.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{End, Listing};
use crate::owner::Held;

/// The owner of counted sockets: a process (none if unknown) and a peer.
pub type Whose = (Option<i32>, End);

/// Rates look this far back.
const WINDOW: Duration = Duration::from_secs(300);

/// Counts over time.
#[derive(Debug)]
pub struct History {
    /// The time that is remembered, if not everything is.
    window: Option<Duration>,
    samples: VecDeque<(Duration, BTreeMap<Whose, u64>)>,
}

impl Default for History {
    fn default() -> History {
        History { window: Some(WINDOW), samples: VecDeque::new() }
    }
}

impl History {
    /// One that forgets nothing.
    pub fn all() -> History {
        History { window: None, ..History::default() }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Is there no sample at all?
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Sockets more in the last sample than in the first, for all that changed: where no time is
    /// known, it is all that can be said.
    pub fn growth(&self) -> BTreeMap<Whose, i64> {
        let (Some((_, before)), Some((_, now))) = (self.samples.front(), self.samples.back())
        else {
            return BTreeMap::new();
        };
        let count = |counts: &BTreeMap<Whose, u64>, whose| {
            counts.get(whose).map_or(0, |n| i64::try_from(*n).unwrap_or(i64::MAX))
        };
        now.keys()
            .chain(before.keys())
            .map(|whose| (*whose, count(now, whose).saturating_sub(count(before, whose))))
            .filter(|(_, more)| *more != 0)
            .collect()
    }

    /// No time has passed between the samples, as far as they say.
    pub fn is_timeless(&self) -> bool {
        self.samples.front().map(|(at, _)| at) == self.samples.back().map(|(at, _)| at)
    }

    /// Counts at `at`, which only grows.
    pub fn record(&mut self, at: Duration, listing: &Listing) {
        let mut counts = BTreeMap::new();
        for group in listing.groups() {
            let pid = match group.held {
                Held::By(holder) => Some(holder.pid),
                Held::Backlog | Held::Hidden => None,
            };
            *counts.entry((pid, group.peer)).or_default() += group.count;
        }
        self.samples.push_back((at, counts));
        let Some(window) = self.window else { return };
        while self.samples.front().is_some_and(|(first, _)| at.saturating_sub(*first) > window) {
            self.samples.pop_front();
        }
    }

    /// Sockets a minute, for all that changed.
    pub fn per_minute(&self) -> BTreeMap<Whose, f64> {
        let (Some((from, before)), Some((to, now))) = (self.samples.front(), self.samples.back())
        else {
            return BTreeMap::new();
        };
        let minutes = to.saturating_sub(*from).as_secs_f64() / 60.0;
        if minutes == 0.0 {
            return BTreeMap::new();
        }
        let count = |counts: &BTreeMap<Whose, u64>, whose| counts.get(whose).copied().unwrap_or(0);
        now.keys()
            .chain(before.keys())
            .map(|whose| {
                let more = count(now, whose) as f64 - count(before, whose) as f64;
                (*whose, more / minutes)
            })
            .filter(|(_, rate)| *rate != 0.0)
            .collect()
    }

    /// Sockets a minute of one process, over all its peers.
    pub fn of_process(&self, pid: i32) -> f64 {
        let rates = self.per_minute();
        rates.iter().filter(|((whose, _), _)| *whose == Some(pid)).map(|(_, rate)| rate).sum()
    }
}

/// The time until `in_use` reaches `limit` at `per_minute`; `None` if it never does.
pub fn until_full(in_use: u64, limit: u64, per_minute: f64) -> Option<Duration> {
    let left = limit.saturating_sub(in_use) as f64;
    if per_minute <= 0.0 {
        return None;
    }
    Duration::try_from_secs_f64(left / per_minute * 60.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_comes_nearer_at_the_rate_of_growth() {
        assert_eq!(until_full(24, 1_024, 100.0), Some(Duration::from_secs(600)));
        assert_eq!(until_full(2_000, 1_024, 1.0), Some(Duration::ZERO));
        assert_eq!(until_full(24, 1_024, 0.0), None);
        assert_eq!(until_full(24, 1_024, -3.0), None);
    }
}
