//! Choices of the simulation: two hosts, a path and a tap, and what the hosts know is what is judged.
//!
//! An octet or two is a choice: what an application does next, how long it waits, what the path loses, what
//! the tap misses. Whatever is chosen, no verdict may say what is not so.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/simulation/check.rs"]
mod check;
#[path = "../../tests/simulation/manners.rs"]
mod manners;
#[path = "../../tests/simulation/plan.rs"]
mod plan;
#[path = "../../tests/simulation/prng.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod prng;
#[path = "../../tests/simulation/run.rs"]
#[allow(dead_code, reason = "the test by seeds has more of it")]
mod run;
#[path = "../../tests/simulation/scenario.rs"]
mod scenario;
#[path = "../../tests/simulation/socket.rs"]
mod socket;
#[path = "../../tests/simulation/tap.rs"]
mod tap;
#[path = "../../tests/simulation/truth.rs"]
mod truth;
#[path = "../../tests/simulation/world.rs"]
mod world;

fuzz_target!(|bytes: &[u8]| {
    let run = run::Run::led_by(0, prng::Prng::led_by(bytes));
    if let Err(why) = check::check(&run, &mut check::Statistics::default()) {
        panic!("{why}\n{}", scenario::of(&run));
    }
});
