//! Values that clients sent stay in the capture: no output shows one, of any capture that is kept.

mod common;

use std::fs;
use std::path::PathBuf;

/// The literals of the clients: those of `tests/servers`, and of the reproduction's statements.
const LITERALS: [&str; 5] = ["s3cr3tv4lu3", "balance-1", "id=7", "id=36", "SET a=1"];

fn captures() -> Vec<PathBuf> {
    let folders = ["", "/pair", "/reproduction"].map(|below| format!("fixtures/captures{below}"));
    let all = folders.iter().flat_map(|folder| {
        ["pcap", "pcapng"].into_iter().flat_map(move |kind| common::files(folder, kind))
    });
    all.collect()
}

fn sent(capture: &PathBuf) -> Vec<&'static str> {
    let octets = fs::read(capture).expect("readable");
    let has = |literal: &&str| octets.windows(literal.len()).any(|it| it == literal.as_bytes());
    LITERALS.iter().copied().filter(|literal| has(literal)).collect()
}

/// All that a command writes, to the terminal and to files.
fn written(scratch: &common::Scratch, args: &[&str]) -> String {
    let file = scratch.path().join("out");
    fs::remove_file(&file).ok();
    let file_name = file.to_str().expect("UTF-8").to_owned();
    let args: Vec<&str> =
        args.iter().map(|arg| if *arg == "OUT" { &*file_name } else { arg }).collect();
    let (out, err) = common::text(&common::closewait(&args));
    format!("{out}{err}{}", fs::read_to_string(file).unwrap_or_default())
}

#[test]
fn no_output_shows_what_clients_sent() {
    let with_literals = common::each(captures(), |capture| {
        let (scratch, literals) = (common::Scratch::new(), sent(&capture));
        let name = capture.to_str().expect("UTF-8");
        let explained = first_frames(name);
        let explain = explained.iter().map(|frame| vec!["explain", name, "--frame", frame]);
        let all: Vec<Vec<&str>> = [
            &["--all", "--top", "0", "--explain", name][..],
            &["--all", "--format", "jsonl", name],
            &["--all", "--format", "csv", name],
            &["--all", "--folded", name],
            &["--all", "--flamegraph", "-", name],
            &["--flamegraph-diff", "OUT", name],
            &["--prometheus", "-", name],
            &["report", name, "-o", "OUT"],
            &["diff", name, name, "--format", "html"],
            &["diff", name, name, "--format", "jsonl"],
            &["check", name, "--format", "text"],
            &["check", name, "--format", "jsonl"],
            &["check", name, "--format", "junit"],
            &["check", name, "--format", "sarif"],
            &["check", name, "--format", "gitlab"],
            &["check", name, "--format", "github"],
        ]
        .iter()
        .map(|args| args.to_vec())
        .chain(explain)
        .collect();
        for args in all {
            let out = written(&scratch, &args);
            assert!(!out.is_empty(), "{args:?}");
            assert!(!out.contains("error:") || out.contains("--features"), "{args:?}: {out}");
            for literal in &literals {
                assert!(!out.contains(literal), "{args:?} shows {literal}:\n{out}");
            }
        }
        !literals.is_empty()
    });
    let with_literals = with_literals.into_iter().filter(|has_any| *has_any).count();
    assert!(with_literals >= 8, "{with_literals} captures have any");
}

/// The first frames of some connections.
fn first_frames(capture: &str) -> Vec<String> {
    let lines = common::json_lines(&common::closewait(&["--all", "--format", "jsonl", capture]));
    let first = lines.iter().filter(|line| line["type"] == "flow");
    first.take(8).map(|line| line["first"]["frame"].to_string()).collect()
}

/// Whoever wants them, asks.
#[test]
fn values_are_shown_to_whoever_asks() {
    let capture = common::project("fixtures/captures/postgresql.pcap");
    let name = capture.to_str().expect("UTF-8");
    let output = common::closewait(&["--all", "--format", "jsonl", "--show-literals", name]);
    assert!(common::text(&output).0.contains(LITERALS[0]));
}
