//! A thread of its own empties the kernel's rings: whoever looks at the packets may count for a scrape,
//! print a report or wait for a slow disk meanwhile, and none is dropped.

use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::taker::{Batch, Drops, Taker};
use crate::capture::{Error, Trouble};

/// Octets that wait to be looked at, at most. What comes then waits in the kernel's rings.
const WAITING: usize = 32 << 20;

/// The longest wait for packets before somebody may want to stop, and the longest that a few of them wait to be looked at.
const PATIENCE: Duration = Duration::from_millis(100);

/// Packets between the two threads.
#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Somebody has put something there, or has taken it.
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    batch: Batch,
    is_over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for more, unless there will be no more.
    fn room(&self) -> Option<MutexGuard<'_, Waiting>> {
        let is_full = |waiting: &mut Waiting| waiting.batch.octets() >= WAITING && !waiting.is_over;
        let waiting = self.changed.wait_while(self.lock(), is_full);
        let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        (!waiting.is_over).then_some(waiting)
    }
}

/// The one who takes packets from the kernel.
enum By {
    /// Nobody yet: a thread that begins later has no more rights than the rest.
    Later(Taker),
    Thread(JoinHandle<()>),
    /// No thread was to be had.
    Ourselves(Taker),
    /// Nobody any more.
    Nobody,
}

/// Packets as they come, a batch at a time.
pub struct Gathered {
    shared: Arc<Shared>,
    by: By,
    drops: Drops,
}

impl Gathered {
    pub fn new(taker: Taker) -> Gathered {
        let drops = taker.drops();
        Gathered { shared: Arc::default(), by: By::Later(taker), drops }
    }

    /// Packets that the kernel has dropped, by interface.
    pub fn drops(&self) -> impl Iterator<Item = u64> + '_ {
        self.drops.iter().map(|drops| drops.load(Ordering::Relaxed))
    }

    /// Exchanges a batch that was looked at for the next. It may be an empty one, after a while without
    /// any packets. Returns false when there will be no more.
    pub fn next(&mut self, batch: &mut Batch) -> bool {
        batch.clear();
        self.by = match std::mem::replace(&mut self.by, By::Nobody) {
            By::Later(taker) => begin(taker, &self.shared),
            by => by,
        };
        match &mut self.by {
            By::Ourselves(taker) => take(taker, batch, &self.shared),
            _ => self.exchange(batch),
        }
    }

    fn exchange(&mut self, batch: &mut Batch) -> bool {
        let is_little = |waiting: &mut Waiting| !waiting.batch.is_urgent() && !waiting.is_over;
        let waiting =
            self.shared.changed.wait_timeout_while(self.shared.lock(), PATIENCE, is_little);
        let (mut waiting, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut waiting.batch, batch);
        let more = batch.is_told() || !waiting.is_over;
        drop(waiting);
        self.shared.changed.notify_all();
        let is_gone = matches!(&self.by, By::Thread(thread) if thread.is_finished());
        if more && is_gone && !batch.is_told() && !self.shared.lock().is_over {
            let trouble = Trouble::Interface("taking packets from the kernel has failed".into());
            batch.end = Some(Error { input: "the capture".into(), trouble });
        }
        more
    }

    /// Takes no more from the kernel. What waits is still to be had.
    pub fn stop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_all();
        match std::mem::replace(&mut self.by, By::Nobody) {
            // It counts what was dropped until the end.
            By::Thread(thread) => drop(thread.join()),
            By::Ourselves(mut taker) => taker.count_drops(),
            By::Later(_) | By::Nobody => {}
        }
    }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Begins a thread, if one can be had.
fn begin(taker: Taker, shared: &Arc<Shared>) -> By {
    let (give, given) = channel();
    let theirs = Arc::clone(shared);
    let gather = move || {
        if let Ok(taker) = given.recv() {
            gather(taker, &theirs);
        }
    };
    match Builder::new().spawn(gather) {
        Ok(thread) => match give.send(taker) {
            Ok(()) => By::Thread(thread),
            Err(taker) => By::Ourselves(taker.0),
        },
        Err(_) => By::Ourselves(taker),
    }
}

/// Takes packets until nobody wants more, or no interface is left.
fn gather(mut taker: Taker, shared: &Shared) {
    while let Some(mut waiting) = shared.room() {
        let took = taker.take(&mut waiting.batch);
        let (is_over, is_urgent) = (waiting.batch.end.is_some(), waiting.batch.is_urgent());
        drop(waiting);
        if is_urgent {
            shared.changed.notify_all();
        }
        if is_over {
            break;
        }
        if !took {
            taker.wait();
        }
    }
    taker.count_drops();
}

/// Does the same without a thread.
fn take(taker: &mut Taker, batch: &mut Batch, shared: &Shared) -> bool {
    if shared.lock().is_over {
        return false;
    }
    if !taker.take(batch) && batch.end.is_none() {
        taker.wait();
    }
    true
}
