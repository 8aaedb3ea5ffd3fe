//! Any text as what `closewait check` is given: an `x.expect.toml`, a `closewait.toml`, a baseline.

#![no_main]

use std::sync::OnceLock;

use closewait::expect::baseline::Baseline;
use closewait::expect::bless::bless;
use closewait::expect::file::{expectation, policy};
use closewait::expect::{Key, violations};
use closewait::run::notices::Nobody;
use closewait::run::run;
use closewait::summary::seen::Collected;
use closewait_fuzz::{assert_printable, input, plan};
use libfuzzer_sys::fuzz_target;

const CAPTURE: &[u8] = include_bytes!("../../fixtures/captures/incident.pcap");

fuzz_target!(|text: &str| {
    let collected = collected();
    match expectation(text) {
        Ok(expected) => {
            for violation in violations(&expected, collected, &|_| false) {
                assert_printable(&violation.sentence(), &[]);
            }
            let blessed = bless(Some(text), "x.pcap", &expected.reading, collected);
            let blessed = blessed.expect("what was understood can be blessed");
            let now = expectation(&blessed).unwrap_or_else(|wrong| panic!("{wrong}: {blessed:?}"));
            let mut left = violations(&now, collected, &|_| false);
            // Of one of the capture's connections nobody can tell whether a transaction was open: no limit holds then.
            left.retain(|it| it.key != Key::TransactionsOpen);
            assert!(left.is_empty(), "{left:?} in {blessed:?}");
            let again = bless(Some(&blessed), "x.pcap", &now.reading, collected).expect("the same");
            assert_eq!(again, blessed);
        }
        Err(wrong) => assert_printable(&wrong.to_string(), &[]),
    }
    if let Err(wrong) = policy(text) {
        assert_printable(&wrong.to_string(), &[]);
    }
    match Baseline::read(text) {
        Ok(mut baseline) => {
            let written = baseline.text().expect("JSON");
            let again = Baseline::read(&written).expect("what it wrote").text().expect("JSON");
            assert_eq!(again, written);
            baseline.add(collected);
            let known = collected.flows.iter().filter(|seen| seen.finding);
            assert!(known.clone().count() > 0 && known.clone().all(|seen| baseline.knows(seen)));
        }
        Err(wrong) => assert_printable(&wrong, &[]),
    }
});

/// What the incident's capture holds, read once.
fn collected() -> &'static Collected {
    static COLLECTED: OnceLock<Collected> = OnceLock::new();
    COLLECTED.get_or_init(|| {
        let mut collected = Collected::default();
        run(plan(&[input(CAPTURE)]), &mut collected, &mut Nobody).expect("memory");
        collected
    })
}
