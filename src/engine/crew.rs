//! The threads that work while the reader reads.
//!
//! A job goes to whoever is free and comes back as its result, so what it carries has one owner at a
//! time. The reader, having read the next round, helps until all are back. It takes jobs from the other
//! end: so, round after round, most of them meet the processor that has their data in its cache.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Builder, scope};

/// A piece of work that any thread may do.
pub trait Job: Send {
    /// The result of a job.
    type Done: Send;

    /// Does it.
    fn run(self) -> Self::Done;
}

/// The jobs that wait for a thread.
struct Queue<J> {
    jobs: Mutex<Jobs<J>>,
    changed: Condvar,
}

struct Jobs<J> {
    waiting: VecDeque<J>,
    closed: bool,
    /// Threads that wait for a job: where there are none, nobody need be woken, which takes a system call.
    idle: usize,
}

impl<J> Default for Queue<J> {
    fn default() -> Queue<J> {
        let jobs = Jobs { waiting: VecDeque::new(), closed: false, idle: 0 };
        Queue { jobs: Mutex::new(jobs), changed: Condvar::new() }
    }
}

impl<J> Queue<J> {
    fn lock(&self) -> MutexGuard<'_, Jobs<J>> {
        // Nothing that holds the lock can panic.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts jobs there, all at once: whoever is woken for the first is not kept from it by the others. Returns how many.
    fn put(&self, more: impl Iterator<Item = J>) -> usize {
        let mut jobs = self.lock();
        let before = jobs.waiting.len();
        jobs.waiting.extend(more);
        let added = jobs.waiting.len() - before;
        let are_waited_for = jobs.idle.min(added);
        drop(jobs);
        (0..are_waited_for).for_each(|_| self.changed.notify_one());
        added
    }

    /// The next job, as soon as there is one; `None` when there will be none.
    fn take(&self) -> Option<J> {
        let idle = |jobs: &mut Jobs<J>| jobs.waiting.is_empty() && !jobs.closed;
        let mut jobs = self.lock();
        jobs.idle += 1;
        let jobs = self.changed.wait_while(jobs, idle);
        let mut jobs = jobs.unwrap_or_else(PoisonError::into_inner);
        jobs.idle -= 1;
        jobs.waiting.pop_front()
    }

    fn take_last(&self) -> Option<J> {
        self.lock().waiting.pop_back()
    }
}

/// Closes the queue, so that the threads end.
struct EndOfWork<J>(Arc<Queue<J>>);

impl<J> Drop for EndOfWork<J> {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }
}

/// The other threads, and what they were given.
pub struct Crew<J: Job> {
    queue: Arc<Queue<J>>,
    /// A panic is handed over like a result: it must not be waited for.
    done: Receiver<thread::Result<J::Done>>,
    under_way: usize,
}

impl<J: Job> Crew<J> {
    /// Runs `body` with `others` threads beside its own, or with as many as can be had: its own does
    /// what nobody else does.
    pub fn with<R>(others: usize, body: impl FnOnce(&mut Crew<J>) -> R) -> R {
        let queue = Arc::new(Queue::default());
        let (report, done) = channel();
        scope(|scope| {
            for _ in 0..others {
                let (queue, report) = (Arc::clone(&queue), report.clone());
                let worker = move || work(&queue, &report);
                if Builder::new().spawn_scoped(scope, worker).is_err() {
                    break;
                }
            }
            let _at_the_end = EndOfWork(Arc::clone(&queue));
            body(&mut Crew { queue, done, under_way: 0 })
        })
    }

    /// Hands jobs to whoever is free.
    pub fn start(&mut self, jobs: impl Iterator<Item = J>) {
        self.under_way += self.queue.put(jobs);
    }

    /// Returns the results of all jobs that were started, in no particular order; helps until the last
    /// is done.
    pub fn finish(&mut self) -> Vec<J::Done> {
        let mut all = Vec::with_capacity(self.under_way);
        while let Some(job) = self.queue.take_last() {
            all.push(job.run());
        }
        while all.len() < self.under_way {
            match self.done.recv() {
                Ok(Ok(done)) => all.push(done),
                Ok(Err(panic)) => resume_unwind(panic),
                Err(_) => break,
            }
        }
        self.under_way = 0;
        all
    }
}

/// Works until the queue is closed.
fn work<J: Job>(queue: &Queue<J>, report: &Sender<thread::Result<J::Done>>) {
    while let Some(job) = queue.take() {
        let result = catch_unwind(AssertUnwindSafe(|| job.run()));
        if report.send(result).is_err() {
            return;
        }
    }
}
