//! The answer is the same for any number of threads, byte for byte.

mod common;
#[path = "../benches/traffic/generator.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod generator;
#[path = "simulation/prng.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod prng;

use std::io::Write;

use common::{Scratch, closewait, files, text};
use flate2::Compression;
use flate2::write::GzEncoder;
use generator::{Format, Shape};

const THREADS: [&str; 4] = ["1", "2", "3", "8"];

/// Runs with every number of threads, and returns the one answer.
fn same_for_all(arguments: &[&str]) -> String {
    let mut answers = THREADS.map(|threads| {
        let output = closewait(&[arguments, &["--threads", threads]].concat());
        let (out, err) = text(&output);
        (output.status.code(), out, err)
    });
    for window in answers.windows(2) {
        assert!(window[0] == window[1], "{arguments:?} depends on the number of threads");
    }
    std::mem::take(&mut answers[0].1)
}

fn traffic(scratch: &Scratch, name: &str, shape: Shape) -> (String, generator::Truth) {
    let mut bytes = Vec::new();
    let truth = generator::write(shape, Format::Pcap, &mut bytes).expect("memory");
    (scratch.write(name, &bytes), truth)
}

/// Several turns, flows that retire (at 20 packets a second, 40 minutes pass), every format.
#[test]
fn the_answer_does_not_depend_on_threads() {
    let scratch = Scratch::new();
    let shape = Shape { rate: 20, requests: 2, ..Shape::small(50_000, 100) };
    let (path, truth) = traffic(&scratch, "x.pcap", shape);
    for arguments in
        [&["--format", "text"][..], &["--format", "jsonl", "--all"], &["--format", "csv"]]
    {
        same_for_all(&[&[path.as_str()], arguments].concat());
    }
    let summary = same_for_all(&[&path, "--format", "jsonl"]);
    let summary: serde_json::Value =
        serde_json::from_str(summary.lines().last().expect("a line")).expect("JSON");
    assert_eq!(summary["packets"], truth.packets);
    assert_eq!(summary["flows"], truth.flows);
    let leaks = truth.leaks..=truth.leaks + truth.closing;
    let findings = summary["findings"].as_u64().expect("a number");
    assert!(leaks.contains(&findings), "{findings} of {leaks:?}");
}

/// What there is no memory for leaves at the same packets, too.
#[test]
fn evictions_do_not_depend_on_threads() {
    let scratch = Scratch::new();
    let (path, _) = traffic(&scratch, "x.pcap", Shape::small(15_000, 1_500));
    let out = same_for_all(&[&path, "--max-flows", "800", "--format", "jsonl", "--all"]);
    assert!(
        out.lines().last().is_some_and(|line| !line.contains("\"evicted\":0")),
        "none was evicted"
    );
}

/// A series, points of their own, and captures with everything odd in them.
#[test]
fn several_files_do_not_depend_on_threads() {
    let paths = files("fixtures/captures/reproduction/rotated", "pcap");
    let paths: Vec<&str> = paths.iter().map(|path| path.to_str().expect("UTF-8")).collect();
    same_for_all(&[&paths[..], &["--format", "jsonl", "--all"]].concat());
    same_for_all(&[&paths[..], &["--format", "jsonl", "--all", "--separate"]].concat());
}

/// With several threads another one reads ahead: where a file ends, or is damaged, is told alike.
#[test]
fn damaged_files_do_not_depend_on_threads() {
    let scratch = Scratch::new();
    let mut bytes = Vec::new();
    generator::write(Shape::small(40_000, 200), Format::Pcapng, &mut bytes).expect("memory");
    assert!(bytes.len() > 5 << 20, "long enough to be read ahead: {}", bytes.len());
    let cut = &bytes[..bytes.len() - 7];
    let mut corrupt = bytes.clone();
    let middle = bytes.len() / 2;
    corrupt[middle..middle + 400].fill(0xff);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&bytes).expect("memory");
    let packed = packed.finish().expect("memory");
    for (name, bytes) in [
        ("whole.pcapng", &bytes[..]),
        ("cut.pcapng", cut),
        ("corrupt.pcapng", &corrupt),
        ("packed.pcapng.gz", &packed),
        ("packed-and-cut.pcapng.gz", &packed[..packed.len() / 2]),
    ] {
        let path = scratch.write(name, bytes);
        same_for_all(&[&path, "--format", "jsonl"]);
    }
}

/// A record longer than the blocks that are read ahead.
#[test]
fn a_long_record_does_not_depend_on_threads() {
    let scratch = Scratch::new();
    let mut bytes = Vec::new();
    generator::write(Shape::small(12_000, 200), Format::Pcapng, &mut bytes).expect("memory");
    // A block of a kind that nobody knows.
    let len = (3_u32 << 20).to_le_bytes();
    bytes.extend([0x77, 0, 0, 0x40].iter().chain(&len));
    bytes.resize(bytes.len() + (3 << 20) - 12, 1);
    bytes.extend(len);
    let mut more = Vec::new();
    generator::write(Shape::small(12_000, 200), Format::Pcapng, &mut more).expect("memory");
    bytes.extend(more);
    let out = same_for_all(&[&scratch.write("x.pcapng", &bytes), "--format", "jsonl"]);
    assert!(out.lines().last().is_some_and(|line| line.contains("\"packets\":24000")), "{out}");
}
