//! Counts of flows that have left, in as many parts as threads count at a time.
//!
//! A part for each shard would do as well, but for the time it takes to add so many up: where every connection has a
//! service of its own, each part tells hundreds of them apart.

use std::ops::AddAssign;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::summary::Judged;
use crate::summary::closes::Closes;
use crate::summary::history::History;

/// A part of the counts. It does not matter which flow is counted in which, nor in which order.
#[derive(Default)]
pub struct Counted {
    /// Closes of flows that have left.
    pub closes: Closes,
    /// States of flows that have left.
    pub history: History,
}

impl Counted {
    /// Counts a flow.
    pub fn count(&mut self, judged: &Judged) {
        self.closes.count(judged);
        self.history.count(judged);
    }
}

impl AddAssign<&Counted> for Counted {
    fn add_assign(&mut self, more: &Counted) {
        self.closes += &more.closes;
        self.history += &more.history;
    }
}

/// All parts that nobody counts with right now.
#[derive(Default)]
pub struct Counts(Mutex<Vec<Counted>>);

impl Counts {
    /// Counts with a part that nobody else has.
    pub fn with(&self, count: impl FnOnce(&mut Counted)) {
        let part = self.lock().pop();
        let mut part = part.unwrap_or_default();
        count(&mut part);
        self.lock().push(part);
    }

    /// Adds them up, while nobody counts.
    pub fn all(&self) -> Counted {
        let mut all = Counted::default();
        self.lock().iter().for_each(|part| all += part);
        all
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Counted>> {
        // Nothing that holds the lock can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
