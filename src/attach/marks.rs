//! The segments that a client sent last, by their times: which octets a statement came in.
//!
//! Protocols tell times. Where a time is that of several segments, or of one that came out of order, the
//! octets are not known.

use std::collections::VecDeque;

use crate::place::Time;
use crate::tcp::seq::Seq;

/// Segments that are kept.
const MOST: usize = 64;

/// The last segments with payload.
#[derive(Clone, Debug, Default)]
pub struct Marks(VecDeque<(Time, Option<(Seq, Seq)>)>);

impl Marks {
    /// Adds a segment; `octets` are none where it did not simply come next.
    pub fn add(&mut self, at: Time, octets: Option<(Seq, Seq)>) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back((at, octets));
    }

    /// Returns the octets that came at this time, if they are of one segment.
    pub fn at(&self, time: Time) -> Option<(Seq, Seq)> {
        let mut there = self.0.iter().filter(|(at, _)| *at == time);
        match (there.next(), there.next()) {
            (Some((_, octets)), None) => *octets,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_that_of_one_segment_or_of_none() {
        let mut marks = Marks::default();
        let octets = |n| Some((Seq(n), Seq(n + 9)));
        let time = |n| Time::from_nanos(n);
        marks.add(time(1), octets(1));
        marks.add(time(2), octets(10));
        marks.add(time(2), octets(19));
        marks.add(time(3), None);
        assert_eq!([1, 2, 3, 4].map(|n| marks.at(time(n))), [octets(1), None, None, None]);
        (10..10 + MOST as i128).for_each(|n| marks.add(time(n), None));
        assert_eq!((marks.0.len(), marks.at(time(1))), (MOST, None));
    }
}
