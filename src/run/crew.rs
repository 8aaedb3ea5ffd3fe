//! The threads that work on shards while the reader reads.
//!
//! A shard goes to whoever is free and comes back when its turn is done: it has one owner at a time,
//! so there is nothing to lock. The reader, having read the next turn, helps until all are back.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::{self, scope};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::shards::{Shard, Work};

/// One shard's part in a turn.
struct Job {
    shard: Box<Shard>,
    work: Arc<Work>,
}

impl Job {
    fn run(mut self) -> Box<Shard> {
        self.shard.run(&self.work);
        self.shard
    }
}

/// The other threads, and what they were given.
pub struct Crew {
    give: Sender<Job>,
    given: Receiver<Job>,
    /// A panic is handed over like a result: it must not be waited for.
    done: Receiver<thread::Result<Box<Shard>>>,
    under_way: usize,
}

impl Crew {
    /// Runs `body` with `others` threads beside its own.
    pub fn with<R>(others: usize, body: impl FnOnce(&mut Crew) -> R) -> R {
        let (give, given) = unbounded::<Job>();
        let (report, done) = unbounded();
        scope(|scope| {
            for _ in 0..others {
                let (given, report) = (given.clone(), report.clone());
                scope.spawn(move || {
                    for job in given {
                        let result = catch_unwind(AssertUnwindSafe(|| job.run()));
                        if report.send(result).is_err() {
                            return;
                        }
                    }
                });
            }
            // The threads end when nobody can give them anything any more.
            body(&mut Crew { give, given, done, under_way: 0 })
        })
    }

    /// Has a shard take its turn.
    pub fn start(&mut self, shard: Box<Shard>, work: &Arc<Work>) {
        // It cannot fail: this side holds a receiver, too.
        if self.give.send(Job { shard, work: Arc::clone(work) }).is_ok() {
            self.under_way += 1;
        }
    }

    /// Every shard that was started, in no particular order; helps until all are done.
    pub fn finish(&mut self) -> Vec<Box<Shard>> {
        let mut shards = Vec::with_capacity(self.under_way);
        while let Ok(job) = self.given.try_recv() {
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
