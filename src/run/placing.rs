//! The place of a file: it goes on with a capture point that was read before, or begins one.

use std::cmp::Reverse;

use super::session::Session;
use crate::capture::series::same_series;
use crate::engine::point::{CapturePoint, Kind};
use crate::engine::shards::Pace;
use crate::place::Time;
use crate::summary::{Difference, Distinct};

impl Session<'_> {
    /// Files that follow one another are one capture; a file that overlaps with every capture so far, or repeats what
    /// it shows, was taken at another point. Where several could go on, the names decide.
    pub(super) fn point_for(
        &mut self,
        file: usize,
        first: Option<Time>,
        kind: &Kind,
        is_new: bool,
    ) -> usize {
        let kin = |point: &CapturePoint| self.is_next_of(point, file);
        let going_on = self.points.iter().enumerate().filter(|(_, point)| match first {
            _ if is_new => false,
            Some(first) => {
                !self.plan.separate
                    && point.can_go_on(first, kind)
                    && self.repeated(point, file).is_none()
            }
            // Without any packet it is no capture of its own.
            None => true,
        });
        // Of two with the same packets (a file beside its packed copy), the first goes on, and the other shows no more.
        let best =
            going_on.max_by_key(|(at, point)| (kin(point), point.facts().end(), Reverse(*at)));
        if let Some((found, _)) = best {
            return found;
        }
        let mut point = self.new_point(Pace::Throughput);
        point.totals.distinct = first.and_then(|first| self.distinct(file, first, kind));
        self.points.push(point);
        self.points.len() - 1
    }

    /// Is the file the next of the current capture's series, by name, link type and interface?
    pub(super) fn is_series(&self, file: usize, kind: &Kind) -> bool {
        let point = self.point();
        self.is_next_of(point, file) && point.is_of(kind)
    }

    /// By its name.
    fn is_next_of(&self, point: &CapturePoint, file: usize) -> bool {
        let name = |file: usize| self.totals.files.get(file);
        let last = point.totals.files.last().and_then(|&last| name(last));
        last.zip(name(file)).is_some_and(|(last, name)| same_series(last, name))
    }

    /// The file of a capture point that another one repeats.
    fn repeated(&self, point: &CapturePoint, file: usize) -> Option<usize> {
        let repeats = self.copies.get(self.totals.files.get(file)?)?;
        let files = point.totals.files.iter().copied();
        files.into_iter().find(|&file| repeats.contains(&self.totals.files[file]))
    }

    /// Returns the difference to the capture that a file would follow but for its handshakes, or else overlaps with least.
    fn distinct(&self, file: usize, first: Time, kind: &Kind) -> Option<Distinct> {
        if self.plan.separate {
            return None;
        }
        let mut followed = self.points.iter().filter(|point| point.can_go_on(first, kind));
        if let Some(from) = followed.find_map(|point| self.repeated(point, file)) {
            return Some(Distinct { from, by: Difference::Clock });
        }
        self.points.iter().min_by_key(|point| point.facts().end())?.distinct(first)
    }
}
