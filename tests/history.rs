//! States over time: at a capture's end they are the states that its connections are said to be in.

mod common;
#[path = "../benches/traffic/generator.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod generator;
#[path = "simulation/prng.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod prng;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::talk::Talk;
use common::wire::MICROSECONDS;
use common::{Scratch, closewait, files, json_lines, text};
use generator::{Format, Shape};
use serde_json::Value;

/// The states of local ends, as the lines of flows have them.
fn states(lines: &[Value]) -> BTreeMap<String, u64> {
    let mut states = BTreeMap::new();
    // Of what cannot be told nothing is, whatever its packets show.
    let there = |line: &&Value| line["type"] == "flow" && line["verdict"] != "unknown";
    for flow in lines.iter().filter(there) {
        let holder = flow["holder"].as_str();
        let first = |key: &str| flow[key]["fin"]["frame"].as_u64();
        let waits = match (first("a"), first("b")) {
            (Some(a), Some(b)) if b < a => "a",
            (Some(_), _) => "b",
            _ => "a",
        };
        let ends = match flow["local"].as_str() {
            Some("both") => vec!["a", "b"],
            Some("none") => vec![],
            Some(end) => vec![end],
            None => vec![holder.unwrap_or(waits)],
        };
        for end in ends {
            // Only a SYN that nobody answers is given up, and CLOSED and LISTEN are no connection's.
            let state = flow[end]["state"].as_str().expect("a state");
            if !["SYN-SENT", "CLOSED", "LISTEN"].contains(&state) {
                *states.entry(state.into()).or_default() += 1;
            }
        }
    }
    states
}

/// The last of each state's counts.
fn at_the_end(summary: &Value) -> BTreeMap<String, u64> {
    let captures = summary["captures"].as_array().expect("captures");
    let [capture] = &captures[..] else { panic!("{} captures", captures.len()) };
    let Some(states) = capture["history"]["states"].as_object() else { return BTreeMap::new() };
    let last = |counts: &Value| counts.as_array().and_then(|all| all.last()?.as_u64());
    let all = states.iter().map(|(state, counts)| (state.clone(), last(counts).expect("a number")));
    all.filter(|(state, n)| *n > 0 && state != "SYN-SENT").collect()
}

fn assert_ends_as_said(path: &str, more: &[&str]) {
    let arguments = [&[path, "--format", "jsonl", "--all"], more].concat();
    let lines = json_lines(&closewait(&arguments));
    let summary = lines.last().expect("a summary");
    assert_eq!(at_the_end(summary), states(&lines), "{arguments:?}");
}

fn captures() -> Vec<PathBuf> {
    let folders = ["fixtures/captures", "fixtures/captures/reproduction", "fixtures/captures/pair"];
    let kinds = ["pcap", "pcapng"];
    folders.iter().flat_map(|folder| kinds.map(|kind| files(folder, kind)).concat()).collect()
}

fn name(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_history_ends_with_the_states_that_flows_are_in() {
    let captures = captures();
    assert!(captures.len() > 10, "{captures:?}");
    for path in &captures {
        assert_ends_as_said(name(path), &[]);
        assert_ends_as_said(name(path), &["--local", "172.18.0.0/16"]);
    }
}

#[test]
fn a_long_history_is_as_right_as_a_short_one() {
    let scratch = Scratch::new();
    for rate in [20, 20_000] {
        let shape = Shape { rate, requests: 2, ..Shape::small(50_000, 100) };
        let mut bytes = Vec::new();
        generator::write(shape, Format::Pcap, &mut bytes).expect("memory");
        assert_ends_as_said(&scratch.write("x.pcap", &bytes), &[]);
    }
}

#[test]
fn text_draws_what_json_lines_count() {
    let path = "fixtures/captures/reproduction/app.pcap";
    let lines = json_lines(&closewait(&[path, "--format", "jsonl"]));
    let history = &lines.last().expect("a summary")["captures"][0]["history"];
    let counts = history["states"]["CLOSE-WAIT"].as_array().expect("counts");
    let counts: Vec<u64> = counts.iter().map(|n| n.as_u64().expect("a number")).collect();
    let (first, last) = (counts[0], counts[counts.len() - 1]);
    let most = counts.iter().max().expect("one");
    let (shown, _) = text(&closewait(&[path]));
    let line = shown.lines().find(|line| line.starts_with("CLOSE-WAIT ▁")).expect("a line");
    // It climbs for less than ten seconds: no rate is known.
    assert_eq!(history["close_wait_per_minute"], Value::Null);
    assert!(line.ends_with(&format!(" {first} … {most} … {last}")), "{line}");
}

/// A terminal may lack the characters.
#[test]
fn the_line_has_an_ascii_form() {
    let mut command = common::command(&["fixtures/captures/reproduction/app.pcap"]);
    let (shown, _) = text(&command.env("LC_ALL", "C").output().expect("the binary runs"));
    let line = shown.lines().find(|line| line.starts_with("CLOSE-WAIT ")).expect("a line");
    assert!(line.is_ascii() && line.contains("#"), "{line}");
}

/// A leak an hour is one in the line and in its group, in every form that people read.
#[test]
fn a_slow_leak_is_as_slow_in_its_group() {
    let leaks = (0..4).flat_map(|hour| {
        let mut talk = Talk::greeted(40_000 + hour, 9_000).wait(u64::from(hour) * 3_600);
        talk = talk.closed_by_server();
        talk.records
    });
    let mut leaks: Vec<_> = leaks.collect();
    leaks.sort_by_key(|record| record.nanos);
    let scratch = Scratch::new();
    let path = scratch.write("slow.pcap", &MICROSECONDS.write(1, &leaks));
    let (shown, _) = text(&closewait(&[&path]));
    assert!(shown.contains(" 1 … 4, +1.0 an hour\n"), "{shown}");
    let group = shown.lines().find(|line| line.contains("FIN at 2")).expect("a group's times");
    assert!(group.contains(", 1.0 an hour"), "{group}");
    let (page, _) = text(&closewait(&[&path, "--format", "html"]));
    assert!(page.contains(", 1.0 an hour") && !page.contains("1 a minute"), "{page}");
    let (shown, _) = text(&closewait(&[&path, "--lang", "zh"]));
    assert!(shown.contains("，每小时 1.0"), "{shown}");
}
