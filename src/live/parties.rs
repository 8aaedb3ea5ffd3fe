//! Findings that are held now, by service and process: their growth is told at each power of two.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::place::Time;
use crate::summary::groups::per_minute;
use crate::tcp::segment::Endpoint;

/// A service and a process, by its number: each has descriptors of its own.
pub type Of = (Endpoint, Option<i32>);

/// Findings by service and process.
#[derive(Debug, Default)]
pub struct Parties(BTreeMap<Of, Party>);

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
    pub fn begin(&mut self, of: Of, now: Time) -> Option<(u64, Option<f64>)> {
        let new = Party { held: 0, told: LEAST / 2, since: now, then: 0 };
        let party = self.0.entry(of).or_insert(new);
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
    pub fn end(&mut self, of: Of) {
        let Some(party) = self.0.get_mut(&of) else { return };
        party.held = party.held.saturating_sub(1);
        if party.held < party.told / 2 {
            party.told /= 2;
        }
        if party.held == 0 {
            self.0.remove(&of);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn at(seconds: i128) -> Time {
        Time::from_nanos((1_500_000_000 + seconds) * 1_000_000_000)
    }

    const OF: Of =
        (Endpoint { ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3)), port: 3306 }, Some(4711));

    #[test]
    fn growth_is_told_at_powers_of_two() {
        let mut parties = Parties::default();
        let told: Vec<(u64, Option<f64>)> =
            (0..64).filter_map(|n| parties.begin(OF, at(n * 6))).collect();
        assert_eq!(told[..2], [(4, Some(40.0 / 3.0)), (8, Some(80.0 / 7.0))]);
        assert_eq!(told.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [4, 8, 16, 32, 64]);
        assert!(told[4].1.is_some_and(|rate| (8.0..14.0).contains(&rate)), "{told:?}");
    }

    #[test]
    fn a_number_is_told_again_only_after_it_has_fallen() {
        let mut parties = Parties::default();
        let begin = |parties: &mut Parties, n: i128| {
            (0..n).filter_map(|_| parties.begin(OF, at(0))).map(|(n, _)| n).max()
        };
        assert_eq!(begin(&mut parties, 8), Some(8));
        parties.end(OF);
        assert_eq!(begin(&mut parties, 1), None, "8 again, at once");
        (0..6).for_each(|_| parties.end(OF));
        assert_eq!(begin(&mut parties, 6), Some(8));
        (0..8).for_each(|_| parties.end(OF));
        assert!(parties.0.is_empty());
        parties.end(OF);
    }
}
