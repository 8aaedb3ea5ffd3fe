//! Closes at one moment: of a restart or a shutdown, and by no timer for idle connections.

use chrono::TimeDelta;

use crate::place::Time;

/// Pauses of one timer differ by no more than this, however seldom it looks.
const SHARP: TimeDelta = TimeDelta::milliseconds(40);

/// Returns the longest pause of a timer whose shortest is this: they differ by 40 ms at most, or by a twenty-fifth.
pub fn longest_beside(shortest: TimeDelta) -> TimeDelta {
    shortest + (shortest / 25).max(SHARP)
}

/// A timer closes each connection by itself, so its closes lie apart as far as the last uses do, and the pauses hardly
/// differ. Where the closes lie so many times closer together than the pauses differ, it is the other way round.
const CLOSER: i32 = 4;

/// Tells whether closes between these times came at one moment, though the pauses before them differ by so much.
pub fn is_one_moment((first, last): (Time, Time), pauses: TimeDelta) -> bool {
    let closes = last.since(first).map(TimeDelta::nanoseconds);
    pauses > SHARP && closes.is_some_and(|closes| closes * CLOSER < pauses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closes_that_lie_closer_than_the_pauses_differ_are_of_one_moment() {
        let is_one = |closes, pauses| {
            let at = |millis: i128| Time::from_nanos(millis * 1_000_000);
            is_one_moment((at(0), at(closes)), TimeDelta::milliseconds(pauses))
        };
        assert!(is_one(5, 5_500) && is_one(0, 41) && is_one(20, 100));
        assert!(!is_one(0, 40), "a timer may look so seldom");
        assert!(!is_one(30, 100) && !is_one(60_000, 300), "each by itself");
    }
}
