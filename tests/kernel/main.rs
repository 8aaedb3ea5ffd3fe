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

use std::path::PathBuf;
use std::time::{Duration, Instant};

use batch::Batch;
use judge::Wrong;
use states::Trace;
use tally::Tally;

/// How long batches are begun, unless `CLOSEWAIT_KERNEL_SECONDS` says otherwise.
const SECONDS: u64 = 60;
/// Wrong ones that are shown before giving up.
const SHOWN: usize = 12;

#[test]
fn verdicts_are_the_kernels() {
    if let Some(missing) = missing() {
        return common::skip(missing);
    }
    let scratch = common::Scratch::new();
    let trace = Trace::start(scratch.path());
    if trace.is_none() {
        println!("bpftrace cannot attach here: states are not traced");
    }
    let mut tally = Tally::default();
    let mut unexcused = Vec::new();
    let until = Instant::now() + Duration::from_secs(number("SECONDS").unwrap_or(SECONDS));
    let mut seed = number("SEED").unwrap_or(1);
    while tally.batches == 0 || Instant::now() < until {
        let folder = folder(&scratch, seed);
        let batch = Batch::run(seed, &folder.path, trace.as_ref());
        for wrong in judged(&batch, &mut tally) {
            if wrong.setting.is_complete() {
                unexcused.push(wrong.text);
            } else if std::env::var_os("CLOSEWAIT_WRONG").is_some() {
                println!("{:?}\n{}", wrong.setting, wrong.text);
            }
        }
        seed += 1;
    }
    println!("{tally}");
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

/// Where a batch leaves its captures and logs.
struct Folder {
    path: PathBuf,
    keep: bool,
}

/// `CLOSEWAIT_KERNEL_KEEP` names a folder that keeps them.
fn folder(scratch: &common::Scratch, seed: u64) -> Folder {
    let kept = std::env::var_os("CLOSEWAIT_KERNEL_KEEP").map(PathBuf::from);
    let keep = kept.is_some();
    let path = kept.unwrap_or_else(|| scratch.path().into()).join(format!("seed-{seed}"));
    std::fs::create_dir_all(&path).expect("a writable folder");
    Folder { path, keep }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// What this needs and the machine has not.
fn missing() -> Option<&'static str> {
    common::lacks(&[
        ("root", "sh", &["-c", "test $(id -u) = 0"]),
        ("netns", "unshare", &["--net", "ip", "link"]),
        ("ss", "ss", &["-V"]),
        ("tcpdump", "tcpdump", &["--version"]),
    ])
}
