//! Closes at one moment: of a restart or a shutdown, and by no timer for idle connections.

use chrono::TimeDelta;

/// Pauses of one timer differ by no more than this, however seldom it looks.
pub const SHARP: TimeDelta = TimeDelta::milliseconds(40);

/// A timer closes each connection by itself, so its closes lie apart as far as the last uses do, and the pauses hardly
/// differ. Where the closes lie so many times closer together than the pauses differ, it is the other way round.
const CLOSER: i32 = 4;

/// Tells whether closes within such a time came at one moment, though the pauses before them differ by so much.
pub fn is_one_moment(closes: TimeDelta, pauses: TimeDelta) -> bool {
    pauses > SHARP && closes * CLOSER < pauses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closes_that_lie_closer_than_the_pauses_differ_are_of_one_moment() {
        let is_one = |closes, pauses| {
            is_one_moment(TimeDelta::milliseconds(closes), TimeDelta::milliseconds(pauses))
        };
        assert!(is_one(5, 5_500) && is_one(0, 41) && is_one(20, 100));
        assert!(!is_one(0, 40), "a timer may look so seldom");
        assert!(!is_one(30, 100) && !is_one(60_000, 300), "each by itself");
    }
}
