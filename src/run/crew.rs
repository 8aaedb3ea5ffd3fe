//! The threads that work on shards while the reader reads.
//!
//! A shard goes to whoever is free and comes back when its turn is done, so it has one owner at a
//! time. The reader, having read the next turn, helps until all are back. It takes the shards from the
//! other end: so, turn after turn, most shards meet the processor that has them in its cache.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, scope};

use super::shards::{Shard, Work};

/// One shard's part in a turn.
struct Job {
    shard: Shard,
    work: Arc<Work>,
}

impl Job {
    fn run(mut self) -> Shard {
        self.shard.run(&self.work);
        self.shard
    }
}

/// What is to be done.
#[derive(Default)]
struct Queue {
    jobs: Mutex<Jobs>,
    changed: Condvar,
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        // Nothing that holds the lock can panic.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, job: Job) {
        self.lock().waiting.push_back(job);
        self.changed.notify_one();
    }

    /// The next job, as soon as there is one; `None` when there will be none.
    fn take(&self) -> Option<Job> {
        let idle = |jobs: &mut Jobs| jobs.waiting.is_empty() && !jobs.closed;
        let jobs = self.changed.wait_while(self.lock(), idle);
        jobs.unwrap_or_else(PoisonError::into_inner).waiting.pop_front()
    }

    fn take_last(&self) -> Option<Job> {
        self.lock().waiting.pop_back()
    }
}

/// Closes the queue, so that the threads end.
struct EndOfWork(Arc<Queue>);

impl Drop for EndOfWork {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }
}

/// The other threads, and what they were given.
pub struct Crew {
    queue: Arc<Queue>,
    /// A panic is handed over like a result: it must not be waited for.
    done: Receiver<thread::Result<Shard>>,
    under_way: usize,
}

impl Crew {
    /// Runs `body` with `others` threads beside its own.
    pub fn with<R>(others: usize, body: impl FnOnce(&mut Crew) -> R) -> R {
        let queue = Arc::new(Queue::default());
        let (report, done) = channel();
        scope(|scope| {
            for _ in 0..others {
                let (queue, report) = (Arc::clone(&queue), report.clone());
                scope.spawn(move || work(&queue, &report));
            }
            let _at_the_end = EndOfWork(Arc::clone(&queue));
            body(&mut Crew { queue, done, under_way: 0 })
        })
    }

    /// Has a shard take its turn.
    pub fn start(&mut self, shard: Shard, work: &Arc<Work>) {
        self.queue.put(Job { shard, work: Arc::clone(work) });
        self.under_way += 1;
    }

    /// Every shard that was started, in no particular order; helps until all are done.
    pub fn finish(&mut self) -> Vec<Shard> {
        let mut shards = Vec::with_capacity(self.under_way);
        while let Some(job) = self.queue.take_last() {
            shards.push(job.run());
        }
        while shards.len() < self.under_way {
            match self.done.recv() {
                Ok(Ok(shard)) => shards.push(shard),
                Ok(Err(panic)) => resume_unwind(panic),
                Err(_) => break,
            }
        }
        self.under_way = 0;
        shards
    }
}

/// Works until the queue is closed.
fn work(queue: &Queue, report: &Sender<thread::Result<Shard>>) {
    while let Some(job) = queue.take() {
        let result = catch_unwind(AssertUnwindSafe(|| job.run()));
        if report.send(result).is_err() {
            return;
        }
    }
}
