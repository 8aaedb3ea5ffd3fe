//! A board between who reads packets and who answers scrapes: a wish on one side, numbers on the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::summary::gauges::Gauges;

/// Numbers this young are given again.
const FRESH: Duration = Duration::from_millis(200);

/// Where numbers are asked for, and put.
#[derive(Debug, Default)]
pub struct Board {
    wanted: AtomicBool,
    last: Mutex<Option<(Instant, Gauges)>>,
}

impl Board {
    /// Somebody waits for numbers.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    pub fn put(&self, gauges: Gauges) {
        self.wanted.store(false, Ordering::Relaxed);
        *self.lock() = Some((Instant::now(), gauges));
    }

    /// Asks for numbers, unless there are some.
    pub fn want(&self) {
        if self.fresh().is_none() {
            self.wanted.store(true, Ordering::Relaxed);
        }
    }

    /// Numbers as of now, if somebody has counted.
    pub fn fresh(&self) -> Option<Gauges> {
        let last = self.lock();
        last.as_ref().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, gauges)| gauges.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Instant, Gauges)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
