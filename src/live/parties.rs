//! Findings that are held now, by service and process: their growth is told at each power of two.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::place::Time;
use crate::summary::groups::per_minute;

/// A service and a process, as changes are counted by.
type Labels = [String; 2];

/// Findings by service and process.
#[derive(Debug, Default)]
pub struct Parties(BTreeMap<Labels, Party>);

#[derive(Debug)]
struct Party {
    held: u64,
    /// The largest number that was told.
    told: u64,
    /// The time that growth is counted from, and the number then.
    since: Time,
    then: u64,
}

/// Fewer say nothing about growth.
const LEAST: u64 = 4;

/// Rates look so far back, in nanoseconds, or half as far.
const WINDOW_NS: i64 = 300_000_000_000;

impl Parties {
    /// One more is held. Returns how many there are, and how many more come in a minute, if that is a power of
    /// two that was not told before.
    pub fn begin(&mut self, labels: &Labels, now: Time) -> Option<(u64, Option<f64>)> {
        let new = Party { held: 0, told: LEAST / 2, since: now, then: 0 };
        let party = self.0.entry(labels.clone()).or_insert(new);
        party.held += 1;
        let age = now.since(party.since).unwrap_or(0);
        if age > WINDOW_NS {
            (party.since, party.then) =
                (now.before(WINDOW_NS / 2), party.then.midpoint(party.held));
        }
        let is_news = party.held.is_power_of_two() && party.held > party.told;
        is_news.then(|| {
            party.told = party.held;
            let more = party.held.saturating_sub(party.then) as usize;
            (party.held, per_minute(more, TimeDelta::nanoseconds(age.min(WINDOW_NS))))
        })
    }

    /// One less is held. Once half of them are gone, growth is news again.
    pub fn end(&mut self, labels: &Labels) {
        let Some(party) = self.0.get_mut(labels) else { return };
        party.held = party.held.saturating_sub(1);
        if party.held < party.told / 2 {
            party.told /= 2;
        }
        if party.held == 0 {
            self.0.remove(labels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i128) -> Time {
        Time::from_nanos((1_500_000_000 + seconds) * 1_000_000_000)
    }

    fn labels() -> Labels {
        ["10.0.0.3:3306".into(), "orders".into()]
    }

    #[test]
    fn growth_is_told_at_powers_of_two() {
        let mut parties = Parties::default();
        let told: Vec<(u64, Option<f64>)> =
            (0..64).filter_map(|n| parties.begin(&labels(), at(n * 6))).collect();
        assert_eq!(told[..2], [(4, Some(40.0 / 3.0)), (8, Some(80.0 / 7.0))]);
        assert_eq!(told.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [4, 8, 16, 32, 64]);
        assert!(told[4].1.is_some_and(|rate| (8.0..14.0).contains(&rate)), "{told:?}");
    }

    #[test]
    fn a_number_is_told_again_only_after_it_has_fallen() {
        let mut parties = Parties::default();
        let begin = |parties: &mut Parties, n: i128| {
            (0..n).filter_map(|_| parties.begin(&labels(), at(0))).map(|(n, _)| n).max()
        };
        assert_eq!(begin(&mut parties, 8), Some(8));
        parties.end(&labels());
        assert_eq!(begin(&mut parties, 1), None, "8 again, at once");
        (0..6).for_each(|_| parties.end(&labels()));
        assert_eq!(begin(&mut parties, 6), Some(8));
        (0..8).for_each(|_| parties.end(&labels()));
        assert!(parties.0.is_empty());
        parties.end(&labels());
    }
}
