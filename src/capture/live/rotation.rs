//! The file of a series that is written, and the moment at which it has had its time.

use std::path::PathBuf;
use std::time::Instant;

use chrono::Local;

use super::ring::Ring;

/// The file of a series that is written now.
pub struct Rotation {
    ring: Ring,
    /// The number among the files that follow one another for their size.
    pub number: u32,
    /// Files begun for their time.
    begun: u32,
    since: Instant,
}

impl Rotation {
    /// Begins with the first file.
    pub fn new(ring: Ring, now: Instant) -> Rotation {
        Rotation { ring, number: 0, begun: 1, since: now }
    }

    /// The file's name, if it begins now.
    pub fn name(&self) -> PathBuf {
        self.ring.name(self.number, Local::now())
    }

    /// Turns to the next file, if this one has so many octets that it is full, has had its time, or is
    /// wished for. Tells whether it has. The last of those that were asked for is followed by none,
    /// however late it is.
    pub fn turn(&mut self, octets: u64, is_wished: bool, now: Instant) -> bool {
        let is_full = self.ring.size.is_some_and(|size| octets > size || is_wished);
        if self.is_late(now) && !self.is_last() {
            self.begun = self.begun.saturating_add(1);
            self.number = 0;
            self.since = now;
            true
        } else if is_full {
            self.number = self.ring.after(self.number);
            true
        } else {
            false
        }
    }

    /// Tells whether the last file of those that were asked for has had its time.
    pub fn is_over(&self, now: Instant) -> bool {
        self.is_last() && self.is_late(now)
    }

    fn is_late(&self, now: Instant) -> bool {
        self.ring.every.is_some_and(|every| now.duration_since(self.since) >= every)
    }

    fn is_last(&self) -> bool {
        let limit = self.ring.files.filter(|_| self.ring.size.is_none());
        limit.is_some_and(|limit| self.begun >= limit)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn every_second(size: Option<u64>, files: Option<u32>) -> (Rotation, Instant) {
        let every = Some(Duration::from_secs(1));
        let now = Instant::now();
        (Rotation::new(Ring { path: "x-%s".into(), size, every, files }, now), now)
    }

    /// A packet may come after the last file's time was found to last, and before it is written.
    #[test]
    fn the_last_file_is_followed_by_none() {
        let (mut rotation, start) = every_second(None, Some(3));
        let turns = (0..50).map(|tenth| start + Duration::from_millis(100) * tenth);
        assert_eq!(turns.filter(|now| rotation.turn(0, false, *now)).count(), 2);
        assert!(!rotation.is_over(start + Duration::from_millis(2_900)));
        assert!(rotation.is_over(start + Duration::from_millis(3_000)));
    }

    #[test]
    fn files_of_a_time_and_a_size_number_anew() {
        let (mut rotation, start) = every_second(Some(10), None);
        assert!(!rotation.turn(10, false, start));
        assert!(rotation.turn(11, false, start));
        assert!(rotation.turn(0, true, start), "as somebody wishes to read it");
        assert_eq!(rotation.number, 2);
        assert!(rotation.turn(0, false, start + Duration::from_secs(1)));
        assert_eq!(rotation.number, 0);
        assert!(!rotation.is_over(start + Duration::from_secs(9)));
    }
}
