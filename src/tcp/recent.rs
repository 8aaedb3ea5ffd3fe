//! Times at which a connection was last in use, and before that.
//!
//! "How long was the connection idle before its FIN" must not count what the closer sent within a
//! second before it (a TLS close_notify, an error message). Which side closes is known only at the
//! FIN, so a little of the past is remembered, and only of the side that spoke last: whatever the
//! other side said before that, this one has said something later. Exact across pauses of half a
//! second or more, within half a second in an unbroken stream.

use super::packed::Code;
use super::side::Side;
use crate::place::Time;

/// Payload of the closer this close to its FIN belongs to the close.
const FAREWELL_NS: i64 = 1_000_000_000;

const STEP_NS: i64 = 500_000_000;

/// Times at which each side last spoke, and earlier ones of the side that spoke last.
#[derive(Clone, Copy, Debug)]
pub struct Recent {
    last: [Time; 2],
    /// Less than [`FAREWELL_NS`] before the last, at least [`STEP_NS`] apart: nanoseconds before it.
    near: [u32; 2],
    /// The latest at least that long before it.
    far: Time,
}

/// No such time.
const NONE: u32 = u32::MAX;

/// The last use of a connection before its first FIN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastUse {
    /// The time of the last new payload or handshake segment, but for what belongs to the close.
    pub time: Time,
    /// It was the other side's, and what the closer said after it, right before its FIN, answers that.
    pub was_answered: bool,
}

impl LastUse {
    /// Writes it, or reads what it was.
    pub(super) fn coded(self, code: &mut impl Code, near: Time) -> LastUse {
        LastUse { time: code.time(self.time, near), was_answered: code.flag(self.was_answered) }
    }
}

impl Recent {
    /// No segment yet.
    pub const NEVER: Recent =
        Recent { last: [Time::UNKNOWN; 2], near: [NONE; 2], far: Time::UNKNOWN };

    /// Writes it, or reads what it was; most of its times are near to this one.
    pub(super) fn coded(&self, code: &mut impl Code, near: Time) -> Recent {
        Recent {
            last: self.last.map(|time| code.time(time, near)),
            // None is the greatest.
            near: self.near.map(|ns| !(code.number((!ns).into()) as u32)),
            far: code.time(self.far, near),
        }
    }

    /// `side` has sent something new.
    #[inline(always)]
    pub fn record(&mut self, side: Side, time: Time) {
        let (before, others) = (self.last[side as usize], self.last[side.other() as usize]);
        if time <= before {
            return;
        }
        self.last[side as usize] = time;
        if time <= others {
            return;
        }
        if before <= others {
            (self.near, self.far) = ([NONE; 2], Time::UNKNOWN);
        } else {
            self.age(before, time);
        }
    }

    /// Returns the time a side last sent something new, or either had a handshake segment.
    pub fn last(&self, side: Side) -> Time {
        self.last[side as usize]
    }

    /// A handshake segment counts for both sides.
    pub fn record_handshake(&mut self, time: Time) {
        for side in [Side::A, Side::B] {
            self.record(side, time);
        }
    }

    /// The side that spoke last, at `before`, has spoken again. What it said before is worth
    /// remembering where it is apart from what came earlier, or where a pause follows it.
    #[inline(never)]
    fn age(&mut self, before: Time, time: Time) {
        let mut times = [Time::UNKNOWN; 4];
        times[1..].copy_from_slice(&self.earlier(before));
        let latest = times.into_iter().max().unwrap_or(Time::UNKNOWN);
        let apart = before.since(latest).is_none_or(|ns| ns >= STEP_NS);
        let pause = time.since(before).is_some_and(|ns| ns >= STEP_NS);
        if apart || pause {
            times[0] = before;
        }
        if pause && !apart {
            // It takes the place of the one just before it.
            times.iter_mut().filter(|known| **known == latest).for_each(|t| *t = Time::UNKNOWN);
        }
        self.near = [NONE; 2];
        self.far = Time::UNKNOWN;
        let mut near = self.near.iter_mut();
        for known in times {
            // Being so far apart, no more than two are near.
            match time.since(known) {
                Some(ns) if ns >= FAREWELL_NS => self.far = self.far.max(known),
                Some(ns) => near.next().into_iter().for_each(|slot| *slot = ns as u32),
                None => {}
            }
        }
    }

    /// Returns the earlier times of the side that spoke last, at `last`, the latest first.
    fn earlier(&self, last: Time) -> [Time; 3] {
        let [first, second] = self.near.map(|ns| match ns {
            NONE => Time::UNKNOWN,
            ns => last.before(i64::from(ns)),
        });
        [first, second, self.far]
    }

    /// Returns the last use of the connection before a FIN of `closer` at `fin`: the last of the other side, or of the closer
    /// up to a second before its FIN.
    pub fn before_fin(&self, closer: Side, fin: Time) -> LastUse {
        let limit = fin.before(FAREWELL_NS);
        let [own, others] = [closer, closer.other()].map(|side| self.last[side as usize]);
        if own <= others {
            return LastUse { time: others, was_answered: false };
        }
        let own_times = core::iter::once(own).chain(self.earlier(own));
        let time = own_times.filter(|time| *time <= limit).fold(others, Time::max);
        LastUse { time, was_answered: time == others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Time {
        Time::from_nanos((seconds * 1e9) as i128)
    }

    fn after(times: &[(Side, f64)]) -> Recent {
        let mut recent = Recent::NEVER;
        times.iter().for_each(|&(side, t)| recent.record(side, at(t)));
        recent
    }

    fn alone(times: &[f64]) -> Recent {
        after(&times.iter().map(|&t| (Side::A, t)).collect::<Vec<_>>())
    }

    #[test]
    fn the_end_of_a_burst_before_a_pause_is_exact() {
        let recent = alone(&[1.0, 1.001, 1.002, 31.0]);
        assert_eq!(recent.before_fin(Side::A, at(31.1)).time, at(1.002));
        assert_eq!(recent.before_fin(Side::A, at(32.0)).time, at(31.0));
        assert_eq!(recent.before_fin(Side::A, at(1.5)).time, Time::UNKNOWN);
        assert_eq!(
            recent.before_fin(Side::B, at(31.1)).time,
            at(31.0),
            "only the closer has farewells"
        );
    }

    #[test]
    fn a_pause_of_half_a_second_is_exact_too() {
        let recent = alone(&[1.0, 1.4, 2.0, 2.1]);
        assert_eq!(recent.before_fin(Side::A, at(2.5)).time, at(1.4));
        let eight_hours = alone(&[5.0, 28_805.0, 28_805.1]);
        assert_eq!(eight_hours.before_fin(Side::A, at(28_805.2)).time, at(5.0));
    }

    #[test]
    fn an_answer_right_before_the_fin_is_told_from_a_farewell() {
        let answered = after(&[(Side::B, 1.0), (Side::A, 5.0)]);
        assert!(answered.before_fin(Side::A, at(5.5)).was_answered);
        assert!(!answered.before_fin(Side::A, at(6.5)).was_answered);
        assert!(!answered.before_fin(Side::B, at(5.5)).was_answered);
        let farewell = after(&[(Side::B, 1.0), (Side::A, 1.1), (Side::A, 30.0)]);
        assert!(!farewell.before_fin(Side::A, at(30.1)).was_answered);
    }

    #[test]
    fn what_the_other_side_said_later_counts() {
        let recent = after(&[(Side::A, 1.0), (Side::B, 2.0), (Side::A, 2.5), (Side::A, 9.0)]);
        assert_eq!(recent.before_fin(Side::A, at(9.1)).time, at(2.5));
        assert_eq!(recent.before_fin(Side::A, at(3.0)).time, at(2.0));
        assert_eq!(recent.before_fin(Side::B, at(9.1)).time, at(9.0));
    }

    #[test]
    fn a_stream_is_known_within_half_a_second() {
        let times: Vec<f64> = (0..200).map(|i| 1.0 + f64::from(i) * 0.05).collect();
        let recent = alone(&times);
        for tenth in 0..10 {
            let limit = 10.95 - f64::from(tenth) * 0.1;
            let found =
                recent.before_fin(Side::A, at(limit + 1.0)).time.nanos().unwrap() as f64 / 1e9;
            assert!(found <= limit && limit - found < 0.56, "{limit} {found}");
        }
    }
}
