//! Any bytes as a capture, through the whole of `closewait --all` with each format.

#![no_main]

use closewait::run::Plan;
use closewait_fuzz::{Format, input, plan, report};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let input = input(bytes);
    let once = || plan(std::slice::from_ref(&input));
    let mut findings = Vec::new();
    for format in [Format::Text, Format::Jsonl, Format::Csv] {
        let one = report(once(), format);
        one.check(format);
        let two = report(once(), format);
        assert_eq!((&one.out, &one.troubles), (&two.out, &two.troubles));
        assert_eq!(one.outcome.failed, two.outcome.failed);
        findings.push(one.outcome.findings);
    }
    assert!(findings.iter().all(|n| *n == findings[0]), "{findings:?}");
    // There is memory for hardly anything.
    report(Plan { max_flows: 2, ..once() }, Format::Jsonl).check(Format::Jsonl);
    // The same file again overlaps with itself.
    report(plan(&[input.clone(), input]), Format::Jsonl).check(Format::Jsonl);
});
