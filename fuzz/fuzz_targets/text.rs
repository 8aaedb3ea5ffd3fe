//! Any text after a line that tcpdump printed, so that all of it is read as such.

#![no_main]

use closewait_fuzz::{Format, input, plan, report};
use libfuzzer_sys::fuzz_target;

/// The incident, as tcpdump printed it.
const INCIDENT: &str = include_str!("../../fixtures/captures/incident-as-text.tcpdump");

fuzz_target!(|text: &str| {
    let input = input(format!("{INCIDENT}{text}").as_bytes());
    for format in [Format::Text, Format::Jsonl, Format::Csv] {
        report(plan(std::slice::from_ref(&input)), format).check(format);
    }
});
