//! Simulated hosts, a path that loses and reorders, a tap that misses: the hosts know the truth.
//!
//! `CLOSEWAIT_SEEDS=1000000 cargo test --release --test simulation -- --nocapture` runs longer, `CLOSEWAIT_SEED=17` runs
//! one seed, and `CLOSEWAIT_WRONG=1` shows the wrong leaks that nobody at the tap could know better.

mod check;
mod manners;
mod plan;
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod prng;
mod run;
mod scenario;
mod socket;
mod tap;
mod truth;
mod world;

use check::{Statistics, check};
use run::Run;

const SEEDS: u64 = 20_000;
/// Failures that are shown before giving up.
const SHOWN: usize = 12;

#[test]
fn verdicts_are_the_hosts_truth() {
    let mut statistics = Statistics::default();
    let mut failures = Vec::new();
    let mut failed = 0;
    for seed in seeds() {
        let run = Run::of(seed);
        if let Err(why) = check(&run, &mut statistics) {
            failed += 1;
            if failures.len() < SHOWN {
                failures.push(format!("seed {seed}: {why}\n{}", scenario::of(&run)));
            }
        }
    }
    println!("{statistics}");
    assert!(failed == 0, "{failed} seeds failed\n{}", failures.join("\n"));
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    match number("CLOSEWAIT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CLOSEWAIT_SEEDS").unwrap_or(SEEDS),
    }
}
