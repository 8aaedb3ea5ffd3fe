//! Any bytes as a capture, through the whole of `closewait --all`: as JSON lines, and now and then in one more way.

#![no_main]

use closewait::run::Plan;
use closewait_fuzz::{Format, dice, input, plan, report};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let input = input(bytes);
    let once = || plan(std::slice::from_ref(&input));
    let lines = report(once(), Format::Jsonl);
    lines.check(Format::Jsonl);
    // One in four is tried twice.
    match dice(bytes, 20) {
        0 => {
            let again = report(once(), Format::Jsonl);
            assert_eq!((&lines.out, &lines.troubles), (&again.out, &again.troubles));
            assert_eq!(lines.outcome.failed, again.outcome.failed);
        }
        // There is memory for hardly anything.
        1 => report(Plan { max_flows: 2, ..once() }, Format::Jsonl).check(Format::Jsonl),
        // The same file again overlaps with itself.
        2 => report(plan(&[input.clone(), input]), Format::Jsonl).check(Format::Jsonl),
        other @ (3 | 4) => {
            let format = if other == 3 { Format::Text } else { Format::Csv };
            let report = report(once(), format);
            report.check(format);
            assert_eq!(report.outcome.findings, lines.outcome.findings);
        }
        _ => {}
    }
});
