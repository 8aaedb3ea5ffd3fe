//! Growth from one count to the next, and the time at which descriptors run out at that rate.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::owner::Usage;
use crate::place::Time;

/// Rates look this far back.
const WINDOW: Duration = Duration::from_secs(300);

/// Samples of a shorter time say less than one look, where that says anything.
const ENOUGH: Duration = Duration::from_secs(30);

/// Counts over time, each of its own thing.
#[derive(Clone, Debug)]
pub struct Growth<K> {
    /// The time that is remembered, if not everything is.
    window: Option<Duration>,
    samples: VecDeque<(Duration, BTreeMap<K, u64>)>,
}

impl<K> Default for Growth<K> {
    fn default() -> Growth<K> {
        Growth { window: Some(WINDOW), samples: VecDeque::new() }
    }
}

impl<K: Ord + Clone> Growth<K> {
    /// One that forgets nothing.
    pub fn all() -> Growth<K> {
        Growth { window: None, ..Growth::default() }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Is there no sample at all?
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.samples.clear();
    }

    /// No time has passed between the samples, as far as they say.
    pub fn is_timeless(&self) -> bool {
        self.samples.front().map(|(at, _)| at) == self.samples.back().map(|(at, _)| at)
    }

    /// Returns the time from the first sample to the last.
    pub fn span(&self) -> Duration {
        match (self.samples.front(), self.samples.back()) {
            (Some((from, _)), Some((to, _))) => to.saturating_sub(*from),
            _ => Duration::ZERO,
        }
    }

    /// Chooses a rate: that of the samples, once they span enough time; before that what the times of one look
    /// tell, if they do.
    pub fn rate(&self, sampled: f64, at_one_look: Option<f64>) -> Option<f64> {
        let sampled = (!self.span().is_zero()).then_some(sampled);
        if self.span() >= ENOUGH { sampled } else { at_one_look.or(sampled) }
    }

    /// Returns how many more of some come in a minute, all together.
    pub fn all_per_minute(&self, of: impl Fn(&K) -> bool) -> f64 {
        let rates = self.per_minute();
        // A sum of no numbers would be less than zero, by its sign.
        rates.iter().filter(|(key, _)| of(key)).fold(0.0, |sum, (_, rate)| sum + rate)
    }

    /// Takes the counts at `at`, which only grows.
    pub fn record(&mut self, at: Duration, counts: BTreeMap<K, u64>) {
        self.samples.push_back((at, counts));
        let Some(window) = self.window else { return };
        while self.samples.front().is_some_and(|(first, _)| at.saturating_sub(*first) > window) {
            self.samples.pop_front();
        }
    }

    /// Learns that there were so many when counting began, though the first sample lacks them: they were not told yet.
    pub fn had(&mut self, counts: BTreeMap<K, u64>) {
        let Some((_, first)) = self.samples.front_mut().filter(|(at, _)| at.is_zero()) else {
            return;
        };
        for (key, count) in counts {
            let known = first.entry(key).or_default();
            *known = count.max(*known);
        }
    }

    /// Returns how many more there are in the last sample than in the first, for all that changed: where
    /// no time is known, it is all that can be said.
    pub fn growth(&self) -> BTreeMap<K, i64> {
        let (Some((_, before)), Some((_, now))) = (self.samples.front(), self.samples.back())
        else {
            return BTreeMap::new();
        };
        let count = |counts: &BTreeMap<K, u64>, key: &K| {
            counts.get(key).map_or(0, |n| i64::try_from(*n).unwrap_or(i64::MAX))
        };
        now.keys()
            .chain(before.keys())
            .map(|key| (key.clone(), count(now, key).saturating_sub(count(before, key))))
            .filter(|(_, more)| *more != 0)
            .collect()
    }

    /// Returns how many more come in a minute, for all that changed.
    pub fn per_minute(&self) -> BTreeMap<K, f64> {
        let (Some((from, _)), Some((to, _))) = (self.samples.front(), self.samples.back()) else {
            return BTreeMap::new();
        };
        let minutes = to.saturating_sub(*from).as_secs_f64() / 60.0;
        if minutes == 0.0 {
            return BTreeMap::new();
        }
        self.growth().into_iter().map(|(key, more)| (key, more as f64 / minutes)).collect()
    }
}

/// A process's descriptors, and the rate at which they become fewer.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// The descriptors of the process, and their limit.
    pub usage: Usage,
    /// The growth a minute, where enough is known.
    pub per_minute: Option<f64>,
    /// The time at which its limit is reached at that rate.
    pub full_at: Option<Time>,
}

impl Outlook {
    /// Looks ahead from `now`.
    pub fn new(usage: Usage, per_minute: Option<f64>, now: Time) -> Outlook {
        let left = per_minute
            .zip(usage.in_use.zip(usage.limit))
            .and_then(|(rate, (in_use, limit))| until_full(in_use, limit, rate));
        let left = left.and_then(|left| i64::try_from(left.as_nanos()).ok());
        let full_at = left.map(|nanos| now.after(nanos));
        Outlook { usage, per_minute, full_at }
    }
}

/// The growth of findings with one service of one process, at a power of two.
#[derive(Clone, Debug, PartialEq)]
pub struct Grown {
    /// They are so many now.
    pub count: u64,
    /// The growth a minute, where enough is known.
    pub per_minute: Option<f64>,
    /// The process's descriptors, where the kernel tells.
    pub outlook: Option<Outlook>,
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

    /// In JSON a zero has a sign, too.
    #[test]
    fn what_does_not_grow_has_no_sign() {
        let mut growth = Growth::default();
        for second in 0..3 {
            growth.record(Duration::from_secs(second), BTreeMap::from([("orders", 7)]));
        }
        assert!(growth.all_per_minute(|_| true).is_sign_positive());
    }

    #[test]
    fn rates_are_those_of_the_last_minutes() {
        let mut growth = Growth::default();
        for minute in 0..60 {
            let n = if minute < 50 { 0 } else { (minute - 50) * 7 };
            growth.record(Duration::from_secs(minute * 60), BTreeMap::from([("orders", n)]));
        }
        assert_eq!(growth.per_minute(), BTreeMap::from([("orders", 7.0)]));
        assert!(growth.len() <= 6, "{}", growth.len());
    }

    #[test]
    fn what_was_there_before_is_no_growth() {
        let count = |n| BTreeMap::from([("orders", n)]);
        let mut growth = Growth::default();
        growth.record(Duration::ZERO, count(0));
        growth.record(Duration::from_secs(60), count(7));
        growth.had(count(5));
        assert_eq!(growth.per_minute(), BTreeMap::from([("orders", 2.0)]));
        // Of those some have ended by then.
        growth.had(count(3));
        assert_eq!(growth.per_minute(), BTreeMap::from([("orders", 2.0)]));
        // By now the first sample is a later one.
        growth.record(WINDOW + Duration::from_secs(30), count(9));
        growth.had(count(9));
        assert_eq!(growth.growth(), BTreeMap::from([("orders", 2)]));
    }
}
