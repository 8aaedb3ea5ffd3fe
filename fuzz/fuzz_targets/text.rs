//! Any text after a line that tcpdump or tshark printed, so that all of it is read as such, and any
//! text alone.

#![no_main]

use closewait_fuzz::{Format, input, plan, report};
use libfuzzer_sys::fuzz_target;

/// The incident, as tcpdump printed it.
const INCIDENT: &str = include_str!("../../fixtures/captures/incident-as-text.tcpdump");

/// A line of tshark's.
const TSHARK: &str = "1 0.0 10.0.0.1 → 10.0.0.2 TCP 74 1 → 80 [SYN] Seq=0 Win=1 Len=0\n";

fuzz_target!(|text: &str| {
    for before in [INCIDENT, TSHARK, ""] {
        let input = input(format!("{before}{text}").as_bytes());
        for format in [Format::Text, Format::Jsonl, Format::Csv] {
            report(plan(std::slice::from_ref(&input)), format).check(format);
        }
    }
});
