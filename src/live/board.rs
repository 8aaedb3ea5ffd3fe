//! A board between who reads packets and who answers scrapes: a wish on one side, numbers on the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::summary::gauges::Gauges;

/// Numbers this young are given again.
const FRESH: Duration = Duration::from_millis(200);

/// Numbers that took long to count are given again for so many times as long: whoever counts reads no
/// packets meanwhile, and spends no more than a tenth of the time on it, however often it is asked.
const SHARE: u32 = 10;

/// The last numbers.
#[derive(Debug)]
struct Counted {
    gauges: Gauges,
    at: Instant,
    took: Duration,
}

impl Counted {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < FRESH.max(self.took * SHARE)
    }
}

/// The place where numbers are asked for, and put.
#[derive(Debug, Default)]
pub struct Board {
    wanted: AtomicBool,
    last: Mutex<Option<Counted>>,
}

impl Board {
    /// Somebody waits for numbers.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Takes numbers, and how long it took to count them.
    pub fn put(&self, gauges: Gauges, took: Duration) {
        self.wanted.store(false, Ordering::Relaxed);
        *self.lock() = Some(Counted { gauges, at: Instant::now(), took });
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
        last.as_ref().filter(|last| last.is_fresh()).map(|last| last.gauges.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Counted>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_took_long_stay_fresh_for_longer() {
        let board = Board::default();
        board.want();
        assert!(board.is_wanted() && board.fresh().is_none());
        board.put(Gauges::default(), Duration::from_secs(600));
        std::thread::sleep(FRESH + Duration::from_millis(50));
        board.want();
        assert!(!board.is_wanted() && board.fresh().is_some());
        board.put(Gauges::default(), Duration::ZERO);
        std::thread::sleep(FRESH + Duration::from_millis(50));
        board.want();
        assert!(board.is_wanted() && board.fresh().is_none());
    }
}
