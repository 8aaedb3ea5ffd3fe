//! Any bytes as a capture, what `-w` makes of it, and that read back.

#![no_main]

use std::fs::File;
use std::io::{Read, Seek};

use closewait::commands::extract::Gather;
use closewait::report::jsonl::Jsonl;
use closewait::run::notices::Nobody;
use closewait::run::run;
use closewait::run::trace::run_traced;
use closewait::summary::Nothing;
use closewait_fuzz::{Format, input, plan, report};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let input = input(bytes);
    let once = || plan(std::slice::from_ref(&input));
    let mut out = Vec::new();
    let mut render = Jsonl::new(&mut out);
    let mut gather = Gather::new(&mut render);
    let outcome = run(once(), &mut gather, &mut Nobody).expect("memory");
    // Findings of several capture points are refused.
    let Ok(gather) = gather.of_one_point() else { return };
    let mut file = memory();
    let mut extract = gather.extract(file.try_clone().expect("a descriptor")).expect("memory");
    run_traced(once(), &mut Nothing, &mut Nobody, &mut extract).expect("memory");
    assert_eq!(extract.finish().expect("memory"), 0, "packets that were not found again");
    file.rewind().expect("memory");
    let mut written = Vec::new();
    file.read_to_end(&mut written).expect("memory");
    let again = report(plan(&[closewait_fuzz::input(&written)]), Format::Jsonl);
    again.check(Format::Jsonl);
    assert!(!again.outcome.failed, "{}", again.troubles);
    // A capture of nothing but flags looks as if it had been filtered, and that is said of it.
    if again.out.contains(r#""reason":"filtered""#) {
        return;
    }
    // What is not believed when it is read back cannot be compared.
    let Some(before) = findings(&String::from_utf8_lossy(&out)) else { return };
    let after = findings(&again.out).expect("ends that are believed");
    assert!(outcome.findings >= before.len() as u64);
    assert_eq!(before, after);
});

/// An end of the capture that is farther than this from its last packet is not believed when it is read back.
const WEEK: f64 = 604_800.0;

/// The ends of the findings, unless one was held for longer, or nobody knows how long, or its last packet alone has no time:
/// one that was cut, too, is written with that of the packet before it. Which end comes first is left out:
/// the first packet tells it, which is another one where its wrong checksum was believed for what its sender sent on other
/// connections.
fn findings(lines: &str) -> Option<Vec<String>> {
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let is_short = |line: &Value| line["held_s"].as_f64().is_some_and(|held| held < WEEK);
    let found = lines.filter(|line| line["finding"] == true);
    let end = |line: &Value, end: &str| format!("{}:{}", line[end]["ip"], line[end]["port"]);
    let ends = |line: Value| {
        let mut ends = [end(&line, "a"), end(&line, "b")];
        ends.sort();
        let [first, last] = ["first", "last"].map(|packet| line[packet]["time"].is_string());
        (is_short(&line) && first == last).then(|| ends.join(" "))
    };
    let mut found: Vec<String> = found.map(ends).collect::<Option<_>>()?;
    found.sort();
    Some(found)
}

fn memory() -> File {
    tempfile::tempfile_in("/dev/shm").or_else(|_| tempfile::tempfile()).expect("a temporary file")
}
