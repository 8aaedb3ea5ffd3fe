//! Reading captures, several at a time, each as its expectation says.

use std::fs;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use chrono::TimeDelta;

use super::find::{Nothing, Target};
use super::{Given, Own, ReadCapture};
use crate::capture::Error;
use crate::capture::file::Input;
use crate::capture::stop::Stop;
use crate::endpoints::EndpointSet;
use crate::expect::ReadingOptions;
use crate::printable::printable;
use crate::report::check::{Checked, Outcome};
use crate::run::{Notices, Plan, Reading, run};
use crate::summary::cause::Cause;
use crate::summary::closes::LATE;
use crate::summary::seen::{Collected, Seen};
use crate::table::MAX_FLOWS;
use crate::units::{count, duration};
use crate::verdict::{Close, Policy};

/// Reads all, in their order. `bless`: the options that were given become those of each capture.
pub fn read_all(
    found: Vec<Result<Target, Nothing>>,
    given: &Given,
    bless: bool,
) -> Vec<Result<ReadCapture, Box<Checked>>> {
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let workers = cores.get().min(found.len()).max(1);
    // A single capture has all cores; among many, each has one.
    let threads = NonZeroUsize::new(cores.get() / workers).unwrap_or(NonZeroUsize::MIN);
    let one = |found: &Result<Target, Nothing>| match found {
        Ok(target) => read(target, given, bless, threads).map_err(|why| {
            Box::new(Checked {
                capture: target.name(),
                expectation: target.expectation.exists().then(|| target.expectation_name()),
                is_kept: true,
                local: Vec::new(),
                outcome: Outcome::Error(why),
                warnings: Vec::new(),
            })
        }),
        Err(Nothing { path, why }) => Err(Box::new(Checked {
            capture: printable(&path.to_string_lossy()),
            expectation: None,
            is_kept: true,
            local: Vec::new(),
            outcome: Outcome::Error(printable(why)),
            warnings: Vec::new(),
        })),
    };
    in_parallel(&found, workers, one)
}

/// The answer for each, in order, whoever worked on it.
fn in_parallel<T: Sync, R: Send>(
    all: &[T],
    workers: usize,
    one: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(all.len()));
    let work = || {
        while let index = next.fetch_add(1, Ordering::Relaxed)
            && let Some(item) = all.get(index)
        {
            let result = one(item);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
        }
    };
    thread::scope(|scope| {
        // As many as can be had; this one works in any case.
        for _ in 1..workers {
            if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

fn read(
    target: &Target,
    given: &Given,
    bless: bool,
    threads: NonZeroUsize,
) -> Result<ReadCapture, String> {
    let own = own(target)?;
    let (expectation, reading) = given.expectation(target, own.as_ref())?;
    let (collected, mut warnings) = collect(target, &reading, threads)?;
    if own.is_some() && !bless {
        warnings.extend(given.not_looked_at(target));
    }
    // What an expectation was made of, somebody has looked at.
    if own.is_none() && expectation.held.is_none() {
        warnings.extend(held_for_a_while(&collected, "--max-held 1s"));
    }
    Ok(ReadCapture { target: target.clone(), own, expectation, reading, collected, warnings })
}

/// Warns of connections that ended after a hold: when a program exits, its kernel closes what it forgot; and one that
/// is used again is reset.
pub(super) fn held_for_a_while(collected: &Collected, limit: &str) -> Vec<String> {
    let those = |which: &dyn Fn(&Seen) -> bool| -> Vec<&Seen> {
        let ended = collected.flows.iter().filter(|seen| !seen.finding && !seen.is_kept());
        ended.filter(|seen| which(seen)).collect()
    };
    let is_used = |seen: &Seen| seen.cause == Some(Cause::StaleReuse);
    let all = [
        (
            those(&|seen| seen.is_late && !is_used(seen)),
            " and closed after all, perhaps by the end of a program",
        ),
        (those(&is_used), ", then used and reset (drop idle ones sooner, or look before use)"),
        (
            those(&|seen| seen.close == Close::Reset && !seen.is_late && !is_used(seen)),
            " and reset by the peer, which waited no longer",
        ),
    ];
    let warning = |(seen, what): (Vec<&Seen>, &str)| {
        let held = seen.iter().filter_map(|seen| seen.held_by_local).filter(|held| *held >= LATE);
        let held: Vec<TimeDelta> = held.collect();
        let longest = duration(held.iter().copied().max()?);
        let n = count(held.len() as u64, "connection");
        Some(format!("{n} held in CLOSE-WAIT for up to {longest}{what}: {limit} fails then"))
    };
    all.into_iter().filter_map(warning).collect()
}

/// The expectation beside a capture, if there is one.
pub fn own(target: &Target) -> Result<Option<Own>, String> {
    match fs::read_to_string(&target.expectation) {
        Ok(text) => Ok(Some(Own { text })),
        Err(error) => super::or_none(&target.expectation, &error).map(|()| None),
    }
}

fn collect(
    target: &Target,
    reading: &ReadingOptions,
    threads: NonZeroUsize,
) -> Result<(Collected, Vec<String>), String> {
    let (mut collected, mut troubles) = (Collected::default(), Troubles::default());
    let plan = plan(target, reading, threads)?;
    let outcome = run(plan, &mut collected, &mut troubles).map_err(|error| error.to_string())?;
    if outcome.failed {
        return Err(troubles.0.join("; "));
    }
    Ok((collected, troubles.0))
}

fn plan(target: &Target, reading: &ReadingOptions, threads: NonZeroUsize) -> Result<Plan, String> {
    Ok(Plan {
        inputs: vec![Input(target.capture.clone())],
        filter: reading.filter()?,
        policy: policy_of(reading)?,
        all: true,
        separate: true,
        sockets: None,
        max_flows: MAX_FLOWS,
        threads,
        reading: reading_by(reading),
        stop: Stop::default(),
    })
}

/// Settings for reading contents by these options.
pub fn reading_by(reading: &ReadingOptions) -> Reading {
    Reading { tags: reading.tags.clone().into(), ..Reading::default() }
}

/// The policy of verdicts by these options.
pub fn policy_of(reading: &ReadingOptions) -> Result<Policy, String> {
    let local: Result<Vec<EndpointSet>, _> =
        reading.local.iter().map(|name| name.parse()).collect();
    let local = local.map_err(|error| error.to_string())?;
    Ok(Policy {
        local: (!local.is_empty()).then(|| EndpointSet::union(local)),
        min_hold: reading.min_hold.unwrap_or(ReadingOptions::MIN_HOLD),
        half_close_quiet: Policy::HALF_CLOSE_QUIET,
        certain: false,
        end: None,
    })
}

/// Troubles of reading, for the capture's own line.
#[derive(Default)]
pub struct Troubles(pub Vec<String>);

impl Notices for Troubles {
    fn trouble(&mut self, error: &Error) {
        self.0.push(printable(&error.trouble.to_string()));
    }

    fn progress(&mut self, _: u64, _: Option<u64>) {}
}
