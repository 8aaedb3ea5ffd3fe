//! The time of a live capture, which never jumps.
//!
//! Packets carry the host's wall clock, which somebody may set while we watch: then connections would
//! have been held for hours, or their holds would stand still. What passes is told by the clock that
//! nobody sets; a jump is taken out of all later times, and said.

use crate::place::Time;

/// The wall clock, and the time since the host was started, which goes on while it sleeps.
#[derive(Clone, Copy, Debug)]
pub struct ClockReading {
    pub wall: Time,
    /// Nanoseconds.
    pub since_boot: i64,
}

/// A wall clock that is slewed moves less than this between two readings.
const JUMP_NS: i64 = 1_000_000_000;

#[derive(Debug)]
pub struct Clock {
    last: ClockReading,
    /// Nanoseconds taken off the wall clock: before its last jump, and since.
    shifts: [i64; 2],
}

impl Clock {
    pub fn new(now: ClockReading) -> Clock {
        Clock { last: now, shifts: [0; 2] }
    }

    /// The time as of the last reading.
    pub fn now(&self) -> Time {
        shifted(self.last.wall, self.shifts[1])
    }

    /// Takes a reading. Returns by how many nanoseconds the wall clock was set since the last one, if it was.
    pub fn read(&mut self, now: ClockReading) -> Option<i64> {
        let passed = now.since_boot - self.last.since_boot;
        let moved = now.wall.nanos()? - self.last.wall.nanos()?;
        self.last = now;
        let jump = moved - passed;
        (jump.abs() >= JUMP_NS).then(|| {
            self.shifts = [self.shifts[1], self.shifts[1] + jump];
            jump
        })
    }

    /// The time of a packet by the wall clock of its arrival: it may have waited since before the last
    /// jump, but not for long.
    pub fn of_packet(&self, wall: Time) -> Time {
        let [before, since] = self.shifts.map(|shift| shifted(wall, shift));
        if before == since {
            return since;
        }
        if self.distance(before) <= self.distance(since) { before } else { since }
    }

    /// True for a packet so far from the last reading that a new one is due.
    pub fn is_odd(&self, wall: Time) -> bool {
        self.distance(self.of_packet(wall)) >= JUMP_NS as u64
    }

    fn distance(&self, time: Time) -> u64 {
        let nanos = |time: Time| time.nanos().unwrap_or(0);
        nanos(time).abs_diff(nanos(self.now()))
    }
}

fn shifted(wall: Time, shift: i64) -> Time {
    wall.nanos().map_or(Time::UNKNOWN, |n| Time::from_nanos(i128::from(n) - i128::from(shift)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const START: i64 = 1_000_000 * SECOND;

    fn at(seconds: i64) -> Time {
        Time::from_nanos(i128::from(START + seconds * SECOND))
    }

    fn reading(wall: i64, since_boot: i64) -> ClockReading {
        ClockReading { wall: at(wall), since_boot: since_boot * SECOND }
    }

    #[test]
    fn time_goes_on_when_the_clock_is_set() {
        for by in [-3_600, 3_600, -2] {
            let mut clock = Clock::new(reading(0, 50));
            assert_eq!(clock.read(reading(1, 51)), None);
            assert_eq!(clock.read(reading(by + 2, 52)), Some(by * SECOND));
            assert_eq!(clock.now(), at(2), "two seconds have passed");
            assert_eq!(clock.of_packet(at(by + 2)), at(2));
            assert_eq!(clock.of_packet(at(1)), at(1), "one that had waited");
            assert_eq!(clock.read(reading(by + 3, 53)), None, "said once");
            // Set right again.
            assert_eq!(clock.read(reading(4, 54)), Some(-by * SECOND));
            assert_eq!(clock.now(), at(4));
        }
    }

    #[test]
    fn a_slewed_clock_does_not_jump() {
        let mut clock = Clock::new(reading(0, 0));
        for second in 1..5_000 {
            // Half a millisecond in each second is the fastest that a kernel slews.
            let wall = at(second).nanos().expect("known") + second * 500_000;
            let wall = Time::from_nanos(i128::from(wall));
            assert_eq!(clock.read(ClockReading { wall, since_boot: second * SECOND }), None);
            assert_eq!(clock.of_packet(wall), wall);
        }
    }

    #[test]
    fn sleep_passes() {
        let mut clock = Clock::new(reading(0, 0));
        assert_eq!(clock.read(reading(30_000, 30_000)), None);
        assert_eq!(clock.now(), at(30_000));
    }

    #[test]
    fn a_packet_far_from_now_asks_for_a_reading() {
        let clock = Clock::new(reading(100, 0));
        assert!(!clock.is_odd(at(100)));
        assert!(clock.is_odd(at(101)) && clock.is_odd(at(99)) && clock.is_odd(at(-3_600)));
    }
}
