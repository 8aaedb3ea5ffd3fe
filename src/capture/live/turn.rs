//! A wish, of another thread, to have what is kept in a file whole.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Wished for by who wants to read packets that are kept, and done by who keeps them.
#[derive(Debug, Default)]
pub struct Turn {
    is_wished: AtomicBool,
    /// The number of the file of a series that is being written, or was the last.
    current: AtomicU32,
    /// No packet comes any more: all files are whole.
    is_over: AtomicBool,
}

impl Turn {
    /// Wishes for it.
    pub fn wish(&self) {
        self.is_wished.store(true, Ordering::Release);
    }

    /// Tells whether somebody wishes that a new file begins.
    pub fn is_wished(&self) -> bool {
        self.is_wished.load(Ordering::Relaxed)
    }

    /// Tells that all packets that came before are in files, and which one is begun now.
    pub fn done(&self, current: u32) {
        self.current.store(current, Ordering::Relaxed);
        self.is_wished.store(false, Ordering::Release);
    }

    /// Tells that all packets are in files, of which this is the last: who wishes from now on need not wait.
    pub fn end(&self, last: u32) {
        self.current.store(last, Ordering::Relaxed);
        self.is_over.store(true, Ordering::Release);
    }

    /// Tells whether no file is being written any more.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Returns the file that is being written, or was the last, once the wish is fulfilled.
    pub fn current(&self) -> Option<u32> {
        let is_done = self.is_over() || !self.is_wished.load(Ordering::Acquire);
        is_done.then(|| self.current.load(Ordering::Relaxed))
    }
}
