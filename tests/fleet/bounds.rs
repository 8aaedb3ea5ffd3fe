//! Bounds, damage, what is missing, and what is said of it.

use std::path::Path;

use closewait::fleet::keyed::{Key, Shard};
use closewait::fleet::read::{Fault, PartReader, Wanted};
use foldhash::fast::RandomState;

use super::common::scenario::Scenario;
use super::common::wire::MICROSECONDS;
use super::common::{Scratch, closewait, json_lines, project, text};
use super::cut::Pieces;
use super::generator::{Format, Shape, write};

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn fixture(name: &str) -> String {
    path(&project(&format!("fixtures/captures/{name}"))).to_owned()
}

fn part_of(capture: &str, to: &Path) {
    let output = closewait(&["facts", capture, "-o", path(to)]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output).1);
}

/// What leaves the host is said first.
#[test]
fn the_first_line_says_what_leaves_the_host() {
    let scratch = Scratch::new();
    let part = scratch.path().join("x.parquet");
    let first = |more: &[&str]| {
        let capture = fixture("incident.pcap");
        let output = closewait(&[&["facts", &capture, "-o", path(&part)], more].concat());
        let (out, err) = text(&output);
        assert_eq!((output.status.code(), out.as_str()), (Some(0), ""), "{err}");
        err.lines().next().expect("a line").to_owned()
    };
    assert!(first(&[]).ends_with("no payload"));
    assert!(first(&["--content"]).contains("all payload that was captured"));
    let output = closewait(&["judge", path(&part), "--format", "jsonl"]);
    assert!(!text(&output).1.contains("contents were not read"));
    first(&[]);
    let output = closewait(&["judge", path(&part), "--format", "jsonl"]);
    assert!(text(&output).1.contains("contents were not read"), "{}", text(&output).1);
    let table = String::from_utf8_lossy(&std::fs::read(&part).expect("a part")).into_owned();
    assert!(!table.contains("UPDATE"), "no payload is in it");
}

/// More parts than one run can number are refused before any is opened.
#[test]
fn too_many_parts_are_refused_at_once() {
    let scratch = Scratch::new();
    for n in 0..65_537 {
        std::fs::File::create(scratch.path().join(format!("{n}.parquet"))).expect("a file");
    }
    let output = closewait(&["judge", path(scratch.path())]);
    let (out, err) = text(&output);
    assert_eq!((output.status.code(), &*out), (Some(2), ""));
    assert!(err.contains("65537 files: no more than 65536 are one run"), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
}

/// What one pass cannot read is read by no part either: of another link type, one of those that are known or not, and cut
/// off or whole.
#[test]
fn packets_that_could_not_be_read_are_no_all_clear() {
    let scratch = Scratch::new();
    let scenario = project("fixtures/scenarios/figure-12-normal-close.scn");
    let records = Scenario::read(&scenario).expect("a scenario").records();
    for (link, cut) in [(147, 0), (147, 1), (101, 0), (101, 1)] {
        let octets = MICROSECONDS.write(link, &records);
        let capture = scratch.write("x.pcap", &octets[..octets.len() - cut]);
        let part = scratch.path().join("x.parquet");
        let answers = [
            closewait(&[&capture, "--format", "jsonl"]),
            closewait(&["facts", &capture, "--content", "-o", path(&part)]),
            closewait(&["judge", path(&part), "--format", "jsonl"]),
        ];
        let statuses = answers.each_ref().map(|answer| answer.status.code());
        assert_eq!(statuses, [Some(2); 3], "{link}, cut by {cut}: {}", text(&answers[2]).1);
        assert_eq!(text(&answers[0]).0, text(&answers[2]).0, "{link}, cut by {cut}");
    }
}

/// Where all is encrypted, parts know no more than one pass; beside any TCP, in whatever share, it is no failure.
#[test]
fn what_is_encrypted_is_no_all_clear() {
    let scratch = Scratch::new();
    let (sealed, open) = (scratch.path().join("a.parquet"), scratch.path().join("b.parquet"));
    let capture = scratch.write("esp.pcap", &encrypted());
    let other = fixture("incident.pcap");
    part_of(&capture, &sealed);
    part_of(&other, &open);

    let answers = [
        closewait(&[&capture, "--format", "jsonl"]),
        closewait(&["judge", path(&sealed), "--format", "jsonl"]),
    ];
    assert_eq!(answers.each_ref().map(|answer| answer.status.code()), [Some(2); 2]);
    assert_eq!(text(&answers[0]).0, text(&answers[1]).0);
    assert!(text(&answers[1]).1.contains("encrypted (ESP) 1"), "{}", text(&answers[1]).1);

    let told = scratch.path().join("told.json");
    for share in ["1/2", "2/2"] {
        let share = ["--shard", share, "--tell", path(&told)];
        let judged = closewait(&[&["judge", path(&sealed), path(&open)], &share[..]].concat());
        assert!(!text(&judged).1.contains("encrypted"), "{}", text(&judged).1);
    }
}

/// A capture of one packet, raw IP, of ESP.
fn encrypted() -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 50, 0, 0, 10, 0, 0, 5, 10, 0, 0, 3];
    packet.resize(40, 0xa5);
    let header = [0xa1b2_c3d4, 0x0002_0004, 0, 0, 65535, 101, 1_520_854_695, 0, 40, 40_u32];
    header.into_iter().flat_map(u32::to_be_bytes).chain(packet).collect()
}

/// Payload that one part lacks is missing there alone.
#[test]
fn a_part_without_payload_takes_none_from_others() {
    let scratch = Scratch::new();
    let [with, without] = ["with.parquet", "without.parquet"].map(|name| scratch.path().join(name));
    closewait(&["facts", &fixture("pair/leaky.pcap"), "--content", "-o", path(&with)]);
    closewait(&["facts", &fixture("incident.pcap"), "-o", path(&without)]);
    let output = closewait(&["judge", path(&with), path(&without), "--format", "jsonl"]);
    let (out, err) = text(&output);
    assert_eq!(out.matches(r#""cause":"transaction-open""#).count(), 1, "{out}{err}");
    assert!(err.contains("contents were not read: 1 of 2 parts have headers alone"), "{err}");
}

#[test]
fn a_text_has_no_part() {
    let scratch = Scratch::new();
    let part = scratch.path().join("x.parquet");
    let capture = fixture("incident-as-text.tcpdump");
    let output = closewait(&["facts", &capture, "-o", path(&part)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!part.exists());
}

/// A damaged part is an error of that part: the others are judged.
#[test]
fn a_damaged_part_is_named_and_the_others_are_judged() {
    let scratch = Scratch::new();
    let folder = scratch.path();
    part_of(&fixture("incident.pcap"), &folder.join("a.parquet"));
    let octets = std::fs::read(folder.join("a.parquet")).expect("a part");
    for (name, damaged) in [
        ("short", octets[..octets.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("text", b"PAR1 or not".to_vec()),
        ("other", std::fs::read(fixture("incident.pcap")).expect("a capture")),
    ] {
        let bad = scratch.write("b.parquet", &damaged);
        let output = closewait(&["judge", path(folder), "--format", "jsonl"]);
        let (out, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{name}: {err}");
        assert!(err.contains(&format!("{bad}: cannot be read as a part")), "{name}: {err}");
        assert!(out.contains(r#""verdict":"leak""#), "{name}: {out}");
    }
}

/// Whatever octets change, it is read or an error: nothing panics, and rows that come are few.
#[test]
fn a_part_may_be_damaged_anywhere() {
    let scratch = Scratch::new();
    let part = scratch.path().join("x.parquet");
    part_of(&fixture("reproduction/app.pcap"), &part);
    let whole = std::fs::read(&part).expect("a part");
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let (mut read, mut refused) = (0, 0);
    // The footer is dense; of the columns, some places.
    let places = (0..whole.len()).step_by(97).chain(whole.len() - 400..whole.len());
    for at in places {
        let mut octets = whole.clone();
        octets[at] ^= 0x55;
        let rows = std::panic::catch_unwind(|| rows_of(octets));
        match rows.unwrap_or_else(|_| panic!("octet {at} of {}", whole.len())) {
            Ok(rows) => {
                assert!(rows < 100_000, "octet {at}");
                read += 1;
            }
            Err(_) => refused += 1,
        }
    }
    std::panic::set_hook(hook);
    assert!(read > 0 && refused > 100, "{read} read, {refused} refused");
}

fn rows_of(octets: Vec<u8>) -> Result<usize, Fault> {
    let part = PartReader::new(bytes::Bytes::from(octets))?;
    let wanted = Wanted { shard: Shard::ALL, key: Key(0) };
    let mut rows = 0;
    part.each(wanted, 0, &RandomState::default(), |_| {
        rows += 1;
        Ok::<(), Fault>(())
    })?;
    Ok(rows)
}

/// A part of a series that is missing is a gap: it is said, and weakens what spans it.
#[test]
fn a_missing_part_is_a_gap() {
    let scratch = Scratch::new();
    let octets = std::fs::read(fixture("reproduction/app.pcap")).expect("a capture");
    let pieces = Pieces::of(&octets).expect("whole");
    let cuts: Vec<usize> = (1..24).map(|n| n * pieces.len() / 24).collect();
    let parts = scratch.path().join("parts");
    std::fs::create_dir(&parts).expect("room");
    for (number, file) in pieces.write(&cuts, scratch.path()).iter().enumerate() {
        let name = scratch.path().join(format!("cap-{number:02}.pcap"));
        std::fs::rename(file, &name).expect("room");
        part_of(path(&name), &parts.join(format!("cap-{number:02}.parquet")));
    }
    let judged = || closewait(&["judge", path(&parts), "--format", "jsonl"]);
    let (_, err) = text(&judged());
    assert!(!err.contains("missing"), "{err}");
    std::fs::remove_file(parts.join("cap-22.parquet")).expect("it is there");
    let output = judged();
    let (_, err) = text(&output);
    assert!(err.contains("1 file of the series before it missing"), "{err}");
    let lines = json_lines(&output);
    let summary = lines.last().expect("a summary");
    assert_eq!(summary["captures"][0]["gaps"].as_array().map(Vec::len), Some(1), "{summary}");
    let spans = |line: &&serde_json::Value| {
        line["verdict"] == "leak"
            && line["doubts"].as_array().is_some_and(|d| d.contains(&"gap".into()))
    };
    assert!(lines.iter().filter(spans).count() > 0, "no leak has the doubt");
}

#[test]
fn what_leaves_memory_early_is_said() {
    let scratch = Scratch::new();
    let mut octets = Vec::new();
    write(Shape::small(4_000, 300), Format::Pcap, &mut octets).expect("memory");
    let capture = scratch.write("x.pcap", &octets);
    let part = scratch.path().join("x.parquet");
    part_of(&capture, &part);
    for more in [&[][..], &["--shard", "1/2", "--tell", path(&scratch.path().join("told"))]] {
        let arguments = ["judge", path(&part), "--max-flows", "20", "--format", "jsonl"];
        let lines = json_lines(&closewait(&[&arguments[..], more].concat()));
        let evicted = lines.last().expect("a summary")["evicted"].as_u64();
        assert!(evicted > Some(0), "{more:?}: {evicted:?}");
    }
}

/// Nobody loses by accident what only all shares together know.
#[test]
fn a_share_is_judged_only_with_a_file_for_what_it_tells() {
    let scratch = Scratch::new();
    let part = scratch.path().join("x.parquet");
    part_of(&fixture("reproduction/app.pcap"), &part);
    let judge = |more: &[&str]| {
        let output = closewait(&[&["judge", path(&part), "--format", "jsonl"], more].concat());
        (output.status.code(), text(&output))
    };
    let (code, (_, err)) = judge(&["--shard", "1/2"]);
    assert!(code == Some(2) && err.contains("--tell"), "{err}");
    let (code, (_, err)) = judge(&["--shard", "3/2", "--tell", "x"]);
    assert!(code == Some(2) && err.contains("3/8"), "{err}");
    let told = [1, 2].map(|n| path(&scratch.path().join(format!("told-{n}"))).to_owned());
    for (n, told) in (1..).zip(&told) {
        let (code, (_, err)) = judge(&["--shard", &format!("{n}/2"), "--tell", told]);
        assert!(matches!(code, Some(0 | 1)), "{err}");
    }
    let output = closewait(&["judge", "--told", &told[0], "--told", &told[1]]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output).1);
}

/// Parts of another form, older or newer, are refused by name, and nothing is guessed.
#[test]
fn another_form_is_refused() {
    let scratch = Scratch::new();
    let part = scratch.path().join("x.parquet");
    part_of(&fixture("incident.pcap"), &part);
    let mut octets = std::fs::read(&part).expect("a part");
    let known = br#"{"schema":1,"#;
    let at = octets.windows(known.len()).position(|w| w == known).expect("it is said");
    octets[at + known.len() - 2] = b'7';
    std::fs::write(&part, octets).expect("room");
    let output = closewait(&["judge", path(&part)]);
    let (_, err) = text(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(err.contains("its form is 7, and this closewait knows 1"), "{err}");
}
