//! When a side last sent something, and when before that.
//!
//! "How long was the connection idle before its FIN" must not count what the closer sent within a
//! second before it (a TLS close_notify, an error message). Which side closes is known only at the
//! FIN, so each side remembers a little of its past: exact across pauses of half a second or more,
//! within half a second in an unbroken stream.

use crate::place::Time;

const STEP_NS: i64 = 500_000_000;

/// The last time, and earlier ones at least half a second apart from each other.
#[derive(Clone, Copy, Debug)]
pub struct Recent {
    last: Time,
    earlier: [Time; 3],
}

impl Recent {
    pub const NEVER: Recent = Recent { last: Time::UNKNOWN, earlier: [Time::UNKNOWN; 3] };

    pub fn record(&mut self, time: Time) {
        if time <= self.last {
            return;
        }
        let [first, second, _] = self.earlier;
        if first == Time::UNKNOWN || self.last.since(first) >= Some(STEP_NS) {
            self.earlier = [self.last, first, second];
        } else if time.since(self.last) >= Some(STEP_NS) {
            self.earlier[0] = self.last;
        }
        self.last = time;
    }

    /// The last recorded time.
    pub fn last(&self) -> Time {
        self.last
    }

    /// The latest recorded time that is not after `limit`; unknown if there is none.
    pub fn last_until(&self, limit: Time) -> Time {
        core::iter::once(self.last)
            .chain(self.earlier)
            .find(|&t| t <= limit)
            .unwrap_or(Time::UNKNOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Time {
        Time::from_nanos((seconds * 1e9) as i128)
    }

    fn after(times: &[f64]) -> Recent {
        let mut recent = Recent::NEVER;
        times.iter().for_each(|&t| recent.record(at(t)));
        recent
    }

    #[test]
    fn the_end_of_a_burst_before_a_pause_is_exact() {
        let recent = after(&[1.0, 1.001, 1.002, 31.0]);
        assert_eq!(recent.last_until(at(30.1)), at(1.002));
        assert_eq!(recent.last_until(at(31.0)), at(31.0));
        assert_eq!(recent.last_until(at(0.5)), Time::UNKNOWN);
    }

    #[test]
    fn a_stream_is_known_within_half_a_second() {
        let times: Vec<f64> = (0..200).map(|i| 1.0 + f64::from(i) * 0.05).collect();
        let recent = after(&times);
        for tenth in 0..10 {
            let limit = 10.95 - f64::from(tenth) * 0.1;
            let found = recent.last_until(at(limit)).nanos().unwrap() as f64 / 1e9;
            assert!(found <= limit && limit - found < 0.56, "{limit} {found}");
        }
    }
}
