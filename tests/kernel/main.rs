//! A laboratory: two real kernels, a path between them with every fault, and programs that do everything that can be done with
//! a connection. What `closewait` says of captures is held against what the kernels say.
//!
//! `src/manual/laboratory.md` tells how to run it and how to read it.

mod batch;
#[path = "../common/mod.rs"]
mod common;
mod judge;
mod network;
mod packets;
#[allow(dead_code, reason = "shared with the simulation")]
#[path = "../simulation/prng.rs"]
mod prng;
mod programs;
mod scenario;
mod script;
mod states;
mod tally;
mod taps;
mod truth;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use batch::Batch;
use judge::Wrong;
use states::Trace;
use tally::Tally;

/// How long batches are begun, two at a time, unless `CLOSEWAIT_KERNEL_SECONDS` says otherwise.
const SECONDS: u64 = 30;
/// Batches at least, on a machine that takes longer: no machine begins more in a minute, one after the other.
const LEAST: u64 = 6;
/// Wrong ones that are shown before giving up.
const SHOWN: usize = 12;

#[test]
fn verdicts_are_the_kernels() {
    if let Some(missing) = missing() {
        return common::skip(missing);
    }
    network::clear_leftovers();
    let scratch = common::Scratch::new();
    let trace = Trace::start(scratch.path());
    if trace.is_none() {
        println!("bpftrace cannot attach here: states are not traced");
    }
    let (tally, unexcused) = (Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    let until = Instant::now() + Duration::from_secs(number("SECONDS").unwrap_or(SECONDS));
    let (first, begun) = (number("SEED").unwrap_or(1), AtomicU64::new(0));
    // Each waits for its clock most of the time, and for the other while it is judged.
    common::each(0..2, |_| {
        loop {
            let nth = begun.fetch_add(1, Ordering::Relaxed);
            if nth >= LEAST && Instant::now() >= until {
                break;
            }
            let seed = first + nth;
            let folder = folder(&scratch, seed);
            let batch = Batch::run(seed, &folder, trace.as_ref());
            let judged = judged(&batch, &mut tally.lock().expect("whole"));
            let (wrong, excused): (Vec<Wrong>, Vec<Wrong>) =
                judged.into_iter().partition(|wrong| wrong.setting.is_complete());
            if std::env::var_os("CLOSEWAIT_WRONG").is_some() {
                excused.iter().for_each(|wrong| println!("{:?}\n{}", wrong.setting, wrong.text));
            }
            clear_away(&folder, &wrong);
            unexcused.lock().expect("whole").extend(wrong.into_iter().map(|wrong| wrong.text));
        }
    });
    println!("{}", tally.into_inner().expect("whole"));
    let mut unexcused = unexcused.into_inner().expect("whole");
    let count = unexcused.len();
    unexcused.truncate(SHOWN);
    assert!(count == 0, "{count} wrong in complete captures\n\n{}", unexcused.join("\n"));
}

fn judged(batch: &Batch, tally: &mut Tally) -> Vec<Wrong> {
    tally.batches += 1;
    tally.connections += batch.script.connections;
    if let Some((traced, listed)) = batch.traced() {
        tally.traced.0 += traced;
        tally.traced.1 += listed;
    }
    let mut wrong = Vec::new();
    for capture in &batch.captures {
        for host in judge::hosts(capture) {
            wrong.extend(judge::judge(batch, capture, host, tally));
        }
    }
    wrong
}

fn number(name: &str) -> Option<u64> {
    std::env::var(format!("CLOSEWAIT_KERNEL_{name}")).ok()?.parse().ok()
}

/// Where a batch leaves its captures and logs: where `CLOSEWAIT_KERNEL_KEEP` says, if it does.
fn folder(scratch: &common::Scratch, seed: u64) -> PathBuf {
    let kept = std::env::var_os("CLOSEWAIT_KERNEL_KEEP").map(PathBuf::from);
    let path = kept.unwrap_or_else(|| scratch.path().into()).join(format!("seed-{seed}"));
    std::fs::create_dir_all(&path).expect("a writable folder");
    path
}

/// What came out right need not be looked at again.
fn clear_away(folder: &Path, wrong: &[Wrong]) {
    for (number, wrong) in wrong.iter().enumerate() {
        let name = folder.join(format!("wrong-{number}.scn"));
        std::fs::write(name, &wrong.text).expect("a writable folder");
    }
    if wrong.is_empty() {
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// What this needs and the machine has not.
fn missing() -> Option<&'static str> {
    common::lacks(&[common::ROOT, common::NETNS, ("ss", "ss", &["-V"]), common::TCPDUMP])
}
