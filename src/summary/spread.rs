//! The spread of any number of durations, in little memory: percentiles that are a quarter too high at most.

use std::ops::AddAssign;

use chrono::TimeDelta;

/// Steps of each doubling: a bound is at most a quarter above what it bounds.
const STEPS: u32 = 4;

/// Doublings of a millisecond that are told apart: up to half a year.
const DOUBLINGS: u32 = 34;

/// Durations, counted by their size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Durations of the least size, as nearly all are in most captures.
    least: u32,
    /// The sizes above it that occur, in order, and how many are of each.
    sizes: Vec<(u8, u32)>,
    most: TimeDelta,
}

impl Spread {
    /// Takes in a duration.
    pub fn add(&mut self, duration: TimeDelta) {
        self.most = self.most.max(duration);
        self.count_of(size(duration), 1);
    }

    fn count_of(&mut self, size: u8, more: u32) {
        if size == 0 {
            self.least = self.least.saturating_add(more);
            return;
        }
        match self.sizes.binary_search_by_key(&size, |(size, _)| *size) {
            Ok(at) => self.sizes[at].1 = self.sizes[at].1.saturating_add(more),
            Err(at) => self.sizes.insert(at, (size, more)),
        }
    }

    /// The sizes and how many are of each, the least first.
    fn all(&self) -> impl Iterator<Item = (u8, u32)> {
        let least = (self.least > 0).then_some((0, self.least));
        least.into_iter().chain(self.sizes.iter().copied())
    }

    /// The number of durations.
    pub fn count(&self) -> u64 {
        self.all().map(|(_, n)| u64::from(n)).sum()
    }

    /// The longest.
    pub fn most(&self) -> TimeDelta {
        self.most
    }

    /// The least bound that so many of a hundred are below or at.
    pub fn percentile(&self, hundredths: u64) -> Option<TimeDelta> {
        let wanted = (self.count() * hundredths).div_ceil(100).max(1);
        let mut below = 0;
        let (size, _) = self.all().find(|(_, n)| {
            below += u64::from(*n);
            below >= wanted
        })?;
        Some(bound(size).min(self.most))
    }

    /// Each size that occurs: from, to, and how many are of it.
    pub fn sizes(&self) -> impl Iterator<Item = (TimeDelta, TimeDelta, u32)> {
        let from = |size: u8| size.checked_sub(1).map_or(TimeDelta::zero(), bound);
        self.all().map(move |(size, n)| (from(size), bound(size), n))
    }
}

impl AddAssign<&Spread> for Spread {
    fn add_assign(&mut self, more: &Spread) {
        more.all().for_each(|(size, n)| self.count_of(size, n));
        self.most = self.most.max(more.most);
    }
}

/// The least size is a millisecond or less; above it each doubling has its steps, of equal width.
fn size(duration: TimeDelta) -> u8 {
    let micros = duration.num_microseconds().unwrap_or(i64::MAX);
    // A bound belongs to what it bounds.
    let micros = micros.saturating_sub(1).max(0) as u64;
    let Some(doubling) = (micros / 1_000).checked_ilog2() else { return 0 };
    let doubling = doubling.min(DOUBLINGS - 1);
    let base = 1_000_u64 << doubling;
    let step = ((micros - base) / (base / u64::from(STEPS))).min(u64::from(STEPS - 1));
    (1 + doubling * STEPS) as u8 + step as u8
}

/// The longest of a size.
fn bound(size: u8) -> TimeDelta {
    let Some(steps) = size.checked_sub(1) else { return TimeDelta::milliseconds(1) };
    let (doubling, step) = (u32::from(steps) / STEPS, u32::from(steps) % STEPS);
    let base = 1_000_i64 << doubling.min(DOUBLINGS);
    TimeDelta::microseconds(base + base / i64::from(STEPS) * i64::from(step + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_close_above_what_it_bounds() {
        for micros in
            [0, 1, 999, 1_000, 1_001, 1_250, 1_251, 30_013_446, 61_200_000, 8 * 3_600_000_000]
        {
            let duration = TimeDelta::microseconds(micros);
            let (size, bound) = (size(duration), bound(size(duration)));
            assert!(duration <= bound, "{duration} {bound}");
            let below = if size == 0 { TimeDelta::zero() } else { super::bound(size - 1) };
            assert!(duration > below || size == 0, "{duration} {below}");
            assert!(
                bound <= TimeDelta::milliseconds(1).max(duration * 5 / 4),
                "{duration} {bound}"
            );
        }
        assert_eq!(size(TimeDelta::MAX), size(TimeDelta::days(10_000)));
    }

    #[test]
    fn percentiles_are_bounds_and_no_more_than_the_most() {
        let mut spread = Spread::default();
        assert_eq!(spread.percentile(50), None);
        (1..=100).for_each(|ms| spread.add(TimeDelta::milliseconds(ms)));
        let of = |hundredths| spread.percentile(hundredths).map(|bound| bound.num_milliseconds());
        assert_eq!([of(50), of(90), of(99), of(100)], [Some(56), Some(96), Some(100), Some(100)]);
        let mut twice = spread.clone();
        twice += &spread;
        assert_eq!((twice.count(), twice.percentile(50)), (200, spread.percentile(50)));
        let all: u32 = twice.sizes().map(|(.., n)| n).sum();
        assert_eq!(all, 200);
        assert!(twice.sizes().all(|(from, to, _)| from < to));
    }
}
