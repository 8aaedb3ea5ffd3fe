//! Captures in archives, compressed, and in the variants and formats of other programs.

mod common;
#[path = "common/packed.rs"]
mod packed;

use std::io::Write;
use std::process::Command;

use common::scenario::Scenario;
use common::talk::{CLIENT, SERVER, Talk};
use common::wire::{Classic, MICROSECONDS, Pcapng, Record};
use common::{Scratch, closewait, json_lines, text};
use packed::{bzip2, gzip, lz4, tar, xz, zip};
use serde_json::Value;

fn scenario(name: &str) -> Vec<Record> {
    let path = common::project(&format!("fixtures/scenarios/{name}.scn"));
    Scenario::read(&path).expect("a scenario").records()
}

fn leak() -> Vec<u8> {
    MICROSECONDS.write(1, &scenario("leak"))
}

/// The findings of a file: what holds, how long, and in which file it was first seen.
fn findings(path: &str) -> Vec<String> {
    let output = closewait(&[path, "--format", "jsonl"]);
    let lines = json_lines(&output);
    let flows = lines.iter().filter(|line| line["finding"] == true);
    flows
        .map(|flow| {
            let holder = &flow[flow["holder"].as_str().unwrap_or("a")];
            format!("{}:{} {}", holder["ip"], holder["port"], flow["held_s"])
        })
        .collect()
}

fn expected() -> Vec<String> {
    findings(&Scratch::new().write("x.pcap", &leak()))
}

#[test]
fn every_container_holds_the_capture() {
    let (scratch, leak, expected) = (Scratch::new(), leak(), expected());
    let zipped = |method| zip(&[("dir/x.pcap", &leak, method, 0, 0)]);
    let tarred = tar(&[("dir/x.pcap", &leak)]);
    for (name, octets) in [
        ("x.pcap.gz", gzip(&leak)),
        ("x.pcap.xz", xz(&leak)),
        ("x.pcap.bz2", bzip2(&leak)),
        ("x.pcap.lz4", lz4(&leak)),
        ("x.zip", zipped(8)),
        ("stored.zip", zipped(0)),
        ("packed.zip", zip(&[("x.pcap.xz", &xz(&leak), 0, 0, 0)])),
        ("x.tar", tarred.clone()),
        ("x.tar.gz", gzip(&tarred)),
        ("x.tar.xz", xz(&tarred)),
        ("x.tar.bz2", bzip2(&tarred)),
        ("packed.tar", tar(&[("x.pcap.gz", &gzip(&leak))])),
    ] {
        assert_eq!(findings(&scratch.write(name, &octets)), expected, "{name}");
    }
    // Several streams, as rotated logs have them.
    let (first, second) = leak.split_at(100);
    type Pack = fn(&[u8]) -> Vec<u8>;
    let packings: [(&str, Pack); 3] = [("x.xz", xz), ("x.bz2", bzip2), ("x.gz", gzip)];
    for (name, pack) in packings {
        let octets = [pack(first), pack(second)].concat();
        assert_eq!(findings(&scratch.write(name, &octets)), expected, "{name}");
    }
}

/// Every member that is a capture is one, and is named by its path; the others are not spoken of.
#[test]
fn each_capture_of_an_archive_is_an_input() {
    let scratch = Scratch::new();
    let (leak, other) = (leak(), MICROSECONDS.write(1, &scenario("ipv6")));
    let readme = b"Please look into these.\n";
    let archives = [
        (
            "x.zip",
            zip(&[
                ("README.txt", readme, 8, 0, 0),
                ("a/leak.pcap", &leak, 8, 0, 0),
                ("b/other.pcap", &other, 0, 0, 0),
            ]),
        ),
        (
            "x.tar.gz",
            gzip(&tar(&[("README.txt", readme), ("a/leak.pcap", &leak), ("b/other.pcap", &other)])),
        ),
    ];
    for (name, octets) in archives {
        let path = scratch.write(name, &octets);
        let output = closewait(&[&path, "--separate", "--all", "--format", "jsonl"]);
        let (_, err) = text(&output);
        assert_eq!((output.status.code(), err.as_str()), (Some(1), ""), "{name}");
        let lines = json_lines(&output);
        let files: Vec<&Value> = lines
            .iter()
            .filter(|line| line["type"] == "flow")
            .map(|flow| &flow["first"]["file"])
            .collect();
        let member = format!("{path}/a/leak.pcap");
        assert_eq!(files, [&Value::from(member.as_str()), &format!("{path}/b/other.pcap").into()]);
        assert_eq!(findings(&member), expected(), "a member can be named");
        let explained = closewait(&["explain", &member, "--frame", "4"]);
        assert!(text(&explained).0.contains("CLOSE-WAIT"), "{}", text(&explained).1);
        let missing = closewait(&[&format!("{path}/no-such.pcap")]);
        assert_eq!(missing.status.code(), Some(2));
        assert!(text(&missing).1.contains("no such file"));
    }
    // The archive itself, where it holds one capture.
    let path = scratch.write("one.zip", &zip(&[("x.pcap", &leak, 8, 0, 0)]));
    let explained = closewait(&["explain", &path, "--frame", "4"]);
    assert!(text(&explained).0.contains("CLOSE-WAIT"), "{}", text(&explained).1);
}

#[test]
fn a_damaged_archive_is_no_all_clear() {
    let (scratch, leak) = (Scratch::new(), leak());
    let report = |name: &str, octets: &[u8]| {
        let output = closewait(&[&scratch.write(name, octets)]);
        (output.status.code(), text(&output).1)
    };
    let (code, err) = report("empty.zip", &zip(&[("README", b"none", 0, 0, 0)]));
    assert_eq!(code, Some(2));
    assert!(err.contains("no member of the archive is a capture"), "{err}");
    let (code, err) = report("secret.zip", &zip(&[("x.pcap", &leak, 8, 1, 0)]));
    assert_eq!(code, Some(2));
    assert!(err.contains("secret.zip/x.pcap: cannot be opened: it is encrypted"), "{err}");
    let (code, err) = report("wrong.zip", &zip(&[("x.pcap", &leak, 8, 0, 1)]));
    assert_eq!(code, Some(2));
    assert!(err.contains("its checksum is wrong"), "{err}");
    let whole = zip(&[("x.pcap", &leak, 8, 0, 0)]);
    let (code, err) = report("cut.zip", &whole[..whole.len() / 2]);
    assert_eq!(code, Some(2));
    assert!(err.contains("the archive cannot be read"), "{err}");
    let tarred = tar(&[("x.pcap", &leak)]);
    let (code, err) = report("cut.tar", &tarred[..512 + leak.len() - 20]);
    assert_eq!(code, Some(1), "as of any capture that was cut off: {err}");
    assert!(err.contains("cut.tar/x.pcap: ended in the middle of a record"), "{err}");
    let packed = xz(&leak);
    let (code, err) = report("cut.xz", &packed[..packed.len() / 2]);
    assert_eq!(code, Some(2), "{err}");
}

/// What lies in an archive and is not read is told with its name, as the same file alone would be.
#[test]
fn what_an_archive_holds_and_is_not_read_is_said() {
    let (scratch, leak) = (Scratch::new(), leak());
    let other = MICROSECONDS.write(1, &scenario("ipv6"));
    let report = |name: &str, octets: &[u8]| {
        let output = closewait(&[&scratch.write(name, octets)]);
        (output.status.code(), text(&output).1)
    };
    let snoop: &[u8] = b"snoop\0\0\0\0\0\0\x02\0\0\0\x04";
    let half = &xz(&other)[..20];
    let members: [(&str, &[u8]); 6] = [
        ("b.pcap", &other[..20]),
        ("b.pcapng", b"\n\r\r\n\x1c\0\0\0"),
        ("b.snoop", snoop),
        ("b.zip", &zip(&[("x.pcap", &other, 8, 0, 0)])),
        ("b.tar", &tar(&[("x.pcap", &other)])),
        ("b.pcap.xz", half),
    ];
    for (name, octets) in members {
        let two = [("a.pcap", &leak[..]), (name, octets)];
        let zipped = two.map(|(name, octets)| (name, octets, 0, 0, 0));
        for (archive, octets) in [("x.tar", tar(&two)), ("x.zip", zip(&zipped))] {
            let (code, err) = report(archive, &octets);
            assert_eq!(code, Some(2), "{archive}/{name}");
            assert!(err.contains(&format!("{archive}/{name}: ")), "{archive}/{name}: {err}");
        }
    }
    // Cut off in the header of the second, between both, and damaged there.
    let whole = tar(&[("a.pcap", &leak), ("b.pcap", &other)]);
    let second = 512 + leak.len().next_multiple_of(512);
    let mut damaged = whole.clone();
    damaged[second] ^= 1;
    // What is quoted of it is nothing that a terminal obeys.
    let mut obeyed = whole.clone();
    obeyed[second + 148..second + 156].copy_from_slice(b"\n\x1b[31m0\n");
    for octets in [&whole[..second + 100], &whole[..second], &damaged, &obeyed] {
        for (name, octets) in [("x.tar", octets.to_vec()), ("x.tar.gz", gzip(octets))] {
            let (code, err) = report(name, &octets);
            assert_eq!(code, Some(2), "{name}");
            assert!(err.contains("what comes behind a.pcap cannot be read"), "{err}");
            assert!(!err.contains(['\x1b', '\r']) && err.lines().count() == 1, "{err:?}");
        }
    }
}

/// Tapes fill up with zeros, and `cat` puts one file behind the other: gzip(1) and `tar -i` read them, and what comes
/// behind the first was passed over in silence.
#[test]
fn what_lies_behind_the_end_is_read() {
    let (scratch, leak) = (Scratch::new(), leak());
    let other = MICROSECONDS.write(1, &scenario("ipv6"));
    let zeros = |octets: Vec<u8>, n: usize| [octets, vec![0; n]].concat();
    let halves = leak.split_at(leak.len() / 2);
    let joined = [zeros(gzip(halves.0), 7), gzip(halves.1)].concat();
    for (name, octets) in [
        ("x.pcap.gz", zeros(gzip(&leak), 100_000)),
        ("y.pcap.gz", joined),
        ("x.pcap.bz2", zeros(bzip2(&leak), 100)),
        ("x.tar", zeros(tar(&[("x.pcap", &leak)]), 100)),
    ] {
        let path = scratch.write(name, &octets);
        assert_eq!(text(&closewait(&[&path])).1, "", "{name}");
        assert_eq!(findings(&path), expected(), "{name}");
    }
    let two = [tar(&[("a.pcap", &other)]), tar(&[("b.pcap", &leak)])];
    for (name, octets) in
        [("two.tar", two.concat()), ("two.tgz", two.iter().flat_map(|one| gzip(one)).collect())]
    {
        let path = scratch.write(name, &octets);
        let output = closewait(&[&path]);
        assert_eq!((output.status.code(), text(&output).1), (Some(1), String::new()), "{name}");
        assert_eq!(findings(&format!("{path}/b.pcap")), expected(), "{name}");
    }
    for (name, octets, words) in [
        (
            "z.tar",
            [tar(&[("x.pcap", &leak)]), vec![7; 600]].concat(),
            "behind x.pcap cannot be read",
        ),
        ("z.pcap.gz", [zeros(gzip(&leak), 9), vec![7; 600]].concat(), "invalid gzip header"),
    ] {
        let output = closewait(&[&scratch.write(name, &octets)]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(text(&output).1.contains(words), "{name}");
    }
}

/// tar -r and tar -u put another state of a file behind the first one.
#[test]
fn members_of_one_name_are_each_read() {
    let scratch = Scratch::new();
    let other = MICROSECONDS.write(1, &scenario("ipv6"));
    let path = scratch.write("x.tar", &tar(&[("x.pcap", &other), ("x.pcap", &leak())]));
    assert_eq!(findings(&format!("{path}/x.pcap#2")), expected());
    let output = closewait(&[&path, "--separate", "--format", "jsonl"]);
    let summary = json_lines(&output).pop().expect("a summary");
    assert_eq!(summary["captures"].as_array().map(Vec::len), Some(2));
    let zipped = zip(&[("x.pcap", &other, 8, 0, 0), ("x.pcap", &leak(), 8, 0, 0)]);
    let output = closewait(&[&scratch.write("x.zip", &zipped)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).1.contains("several members have one name"));
}

#[test]
fn an_archive_through_a_pipe_is_told_what_to_do() {
    let mut child = common::command(&["-"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it runs");
    let archive = zip(&[("x.pcap", &leak(), 8, 0, 0)]);
    child.stdin.take().expect("a pipe").write_all(&archive).expect("written");
    let output = child.wait_with_output().expect("it ends");
    assert!(text(&output).1.contains("it is a zip archive: unzip -p FILE | closewait -"));
    assert_eq!(output.status.code(), Some(2));
}

/// The variants of pcap that patched programs write: with more in each record's header.
fn varied(magic: u32, more: usize, big_endian: bool) -> Vec<u8> {
    let plain = Classic { big_endian, nanoseconds: false }.write(1, &[]);
    let number = |n: u32| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
    let mut file = [&number(magic)[..], &plain[4..]].concat();
    for record in scenario("leak") {
        let (seconds, nanos) = (record.nanos / 1_000_000_000, record.nanos % 1_000_000_000);
        let len = record.data.len() as u32;
        file.extend(
            [seconds as u32, (nanos / 1_000) as u32, len, record.original_len].map(number).concat(),
        );
        file.extend(vec![0; more]);
        file.extend(record.data);
    }
    file
}

/// What `cat` makes of several captures is all of them; of two kinds, it is not read to its end.
#[test]
fn captures_one_behind_the_other_are_read() {
    let scratch = Scratch::new();
    let records = scenario("leak");
    for big_endian in [false, true] {
        let pcap = Classic { big_endian, nanoseconds: false };
        for cut in 0..=records.len() {
            let (one, other) = records.split_at(cut);
            let both = [pcap.write(1, one), pcap.write(1, other), pcap.write(1, &[])].concat();
            assert_eq!(findings(&scratch.write("both.pcap", &both)), expected(), "{cut}");
        }
    }
    let raw = MICROSECONDS.write(101, &records);
    let output = closewait(&[&scratch.write("two.pcap", &[leak(), raw].concat())]);
    let (_, err) = text(&output);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("another capture begins there, of another link type"), "{err}");
}

/// Blocks that nobody needs may be as they like; counts of lost packets stand in old packet blocks, too.
#[test]
fn blocks_of_others_are_passed_over() {
    let scratch = Scratch::new();
    for big_endian in [false, true] {
        let mut file = Pcapng::new(big_endian);
        file.interface(1, 0, &[]);
        for record in scenario("leak") {
            file.block(0x8000_0001, Vec::new());
            file.block(0xbad, Vec::new());
            file.packet(0, record.nanos / 1_000, &record, &[]);
        }
        assert_eq!(findings(&scratch.write("x.pcapng", &file.bytes)), expected());
    }
}

#[test]
fn old_packet_blocks_tell_what_was_lost() {
    let scratch = Scratch::new();
    let gaps = [(5, true), (0, false), (0xffff, false)];
    for ((gap, dropped), big_endian) in
        gaps.into_iter().flat_map(|gap| [false, true].map(|order| (gap, order)))
    {
        let mut file = Pcapng::new(big_endian);
        file.interface(1, 0, &[]);
        for record in scenario("leak") {
            file.obsolete_packet(0, gap, record.nanos / 1_000, &record);
        }
        let output = closewait(&[&scratch.write("x.pcapng", &file.bytes), "--format", "jsonl"]);
        let flow = &json_lines(&output)[0];
        assert_eq!(flow["verdict"], "leak", "{gap}, {big_endian}: {flow}");
        let doubts = flow["doubts"].as_array().expect("doubts");
        assert_eq!(doubts.contains(&"dropped".into()), dropped, "{gap}: {flow}");
    }
}

#[test]
fn frames_of_zstandard_that_hold_something_else_are_passed_over() {
    let scratch = Scratch::new();
    let packed = zstd::encode_all(&leak()[..], 1).expect("memory");
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3], &packed[..]].concat();
    assert_eq!(findings(&scratch.write("x.pcap.zst", &skipped)), expected());
}

#[test]
fn the_variants_of_pcap_are_told_apart() {
    let (scratch, expected) = (Scratch::new(), expected());
    for big_endian in [false, true] {
        for (magic, more) in
            [(0xa1b2_cd34, 8), (0xa1b2_cd34, 12), (0xa1b2_c3d4, 8), (0xa1b2_c3d4, 4)]
        {
            let path = scratch.write("x.pcap", &varied(magic, more, big_endian));
            assert_eq!(findings(&path), expected, "{magic:x} {more} {big_endian}");
        }
    }
}

/// AIX counts nanoseconds and numbers links its own way; before 2.4 the lengths could be swapped;
/// Ixia has the file's length behind the header.
#[test]
fn other_versions_of_pcap_are_read() {
    let (scratch, expected) = (Scratch::new(), expected());
    let records = scenario("leak");
    let mut aix = Classic { big_endian: true, nanoseconds: true }.write(6, &records);
    aix[..8].copy_from_slice(&[0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 2]);
    assert_eq!(findings(&scratch.write("aix.pcap", &aix)), expected);

    let snapped: Vec<Record> = records.iter().cloned().map(|record| record.snapped(54)).collect();
    let mut old = MICROSECONDS.write(1, &snapped);
    old[6] = 3;
    let mut at = 24;
    for record in &snapped {
        let (captured, original) = old[at + 8..at + 16].split_at_mut(4);
        captured.swap_with_slice(original);
        at += 16 + record.data.len();
    }
    assert_eq!(findings(&scratch.write("old.pcap", &old)), expected);

    let mut ixia = Classic { big_endian: false, nanoseconds: true }.write(1, &records);
    ixia[..4].copy_from_slice(&0x1c00_01ac_u32.to_le_bytes());
    let len = ixia.len() as u32 - 24;
    ixia.splice(24..24, len.to_le_bytes());
    assert_eq!(findings(&scratch.write("ixia.pcap", &ixia)), expected);
}

/// editcap writes the capture in a format; `None` without editcap.
fn written_by_editcap(scratch: &Scratch, format: &str) -> Option<String> {
    let from = scratch.write("from.pcap", &leak());
    let path = scratch.path().join(format!("x.{format}")).to_str()?.to_owned();
    let output = Command::new("editcap").args(["-F", format, &from, &path]).output().ok()?;
    assert!(output.status.success(), "{format}: {}", String::from_utf8_lossy(&output.stderr));
    Some(path)
}

#[test]
fn the_variants_that_editcap_writes_are_read() {
    let (scratch, expected) = (Scratch::new(), expected());
    for format in ["modpcap", "nokiapcap", "nsecpcap", "rh6_1pcap", "suse6_3pcap"] {
        let Some(path) = written_by_editcap(&scratch, format) else {
            return common::skip("tshark");
        };
        assert_eq!(findings(&path), expected, "{format}");
    }
}

/// Formats that are not read: the command that is named converts them.
#[test]
fn the_command_that_converts_is_the_right_one() {
    let (scratch, expected) = (Scratch::new(), expected());
    for format in [
        "snoop",
        "netmon1",
        "netmon2",
        "ngsniffer",
        "ngwsniffer_1_1",
        "ngwsniffer_2_0",
        "lanalyzer",
        "5views",
        "visual",
        "k12text",
        "nettl",
    ] {
        let Some(path) = written_by_editcap(&scratch, format) else {
            return common::skip("tshark");
        };
        let output = closewait(&[&path]);
        assert_eq!(output.status.code(), Some(2), "{format}");
        let (_, err) = text(&output);
        let command = err.split_once(": editcap ").or_else(|| err.split_once("; editcap "));
        let (_, command) = command.unwrap_or_else(|| panic!("{format}: {err}"));
        let (options, _) = command.split_once(" FILE OUT").expect("names of files");
        let converted = scratch.path().join("converted.pcapng");
        let status =
            Command::new("editcap").args(options.split(' ')).arg(&path).arg(&converted).status();
        assert!(status.expect("editcap runs").success(), "{format}");
        let found = findings(converted.to_str().expect("UTF-8"));
        let ends = |list: &[String]| -> Vec<String> {
            list.iter().map(|f| f.split(' ').next().unwrap_or_default().to_owned()).collect()
        };
        assert_eq!(ends(&found), ends(&expected), "{format}");
    }
}

/// A few octets that unpack to very many are left when that is clear.
#[test]
fn what_unpacks_without_end_is_left() {
    let scratch = Scratch::new();
    const LEN: u32 = 256 << 10;
    let record = [0, 0, LEN, LEN].map(u32::to_le_bytes).concat();
    let record = [record, vec![0; LEN as usize]].concat();
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    encoder.write_all(&MICROSECONDS.write(1, &[])).expect("memory");
    for _ in 0..(1_u32 << 30) / LEN + 16 {
        encoder.write_all(&record).expect("memory");
    }
    let bomb = encoder.finish().expect("memory");
    assert!(bomb.len() < 200_000, "{}", bomb.len());
    let output = closewait(&[&scratch.write("x.pcap.zst", &bomb)]);
    let (_, err) = text(&output);
    assert!(err.contains("it unpacks to thousands of times its size"), "{err}");
    assert_eq!(output.status.code(), Some(2));
}

/// Members of a compressed archive are reached through all that come before: not again and again without
/// end. One that is not compressed is read where they lie.
#[test]
fn many_members_behind_much_are_not_unpacked_again_and_again() {
    let (scratch, leak) = (Scratch::new(), leak());
    let filler = vec![0; 64 << 20];
    let mut members: Vec<(String, &[u8])> = vec![("filler".into(), &filler)];
    members.extend((0..600).map(|n| (format!("{n}.pcap"), &leak[..])));
    let members: Vec<(&str, &[u8])> =
        members.iter().map(|(name, octets)| (name.as_str(), *octets)).collect();
    let plain = tar(&members);
    let output =
        closewait(
            &[&scratch.write("x.tar.zst", &zstd::encode_all(&plain[..], 1).expect("memory"))],
        );
    let (_, err) = text(&output);
    assert!(err.contains("it is compressed, and has too many members: unpack it first"), "{err}");
    assert_eq!(output.status.code(), Some(2));
    let output = closewait(&[&scratch.write("x.tar", &plain), "--separate"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output).1);
}

/// A file of a series beside its packed copy (both are there while it is packed) shows the same twice: what comes later goes
/// on with the series, and what was said before is not lost.
#[test]
fn a_file_beside_its_packed_copy_breaks_no_series() {
    let scratch = Scratch::new();
    let mut talk = Talk::with(7777);
    for _ in 0..6 {
        talk = talk.say(CLIENT, b"ask").say(SERVER, b"answer").wait(2);
    }
    let talk = talk.closed_by_server();
    let pieces: Vec<Vec<u8>> =
        talk.records.chunks(6).map(|piece| MICROSECONDS.write(1, piece)).collect();
    let mut files: Vec<String> =
        (0..).zip(&pieces).map(|(n, piece)| scratch.write(&format!("x.pcap{n}"), piece)).collect();
    let rows = |files: &[String]| {
        let args: Vec<&str> = files.iter().map(String::as_str).collect();
        let mut lines = json_lines(&closewait(&[&args[..], &["--format", "jsonl"]].concat()));
        lines.pop();
        let key = |line: &Value, key: &str| line[key].clone();
        let keys = ["uid", "verdict", "doubts", "held_s", "idle_before_fin_s"];
        lines.iter().map(|line| keys.map(|it| key(line, it))).collect::<Vec<_>>()
    };
    let expected = rows(&files);
    assert_eq!(expected.len(), 1);
    assert!(expected[0][2].as_array().is_some_and(|doubts| doubts.len() == 1), "{expected:?}");
    files.push(scratch.write("x.pcap1.gz", &gzip(&pieces[1])));
    assert_eq!(rows(&files), expected);
}

/// One archive is one argument, and may hold captures of several points: a connection that both saw is one.
#[test]
fn an_archive_of_two_points_has_each_connection_once() {
    let (scratch, here) = (Scratch::new(), scenario("leak"));
    let later = |record: &Record| Record { nanos: record.nanos + 30_000, ..record.clone() };
    let there: Vec<Record> = here.iter().map(later).collect();
    let [here, there] = [here, there].map(|records| MICROSECONDS.write(1, &records));
    let zipped = zip(&[("here.pcap", &here, 8, 0, 0), ("there.pcap", &there, 8, 0, 0)]);
    let tarred = tar(&[("here.pcap", &here), ("there.pcap", &there)]);
    let [here, there] = [("here.pcap", here), ("there.pcap", there)]
        .map(|(name, octets)| scratch.write(name, &octets));
    let summary = |files: &[&str]| {
        let lines = json_lines(&closewait(&[files, &["--format", "jsonl"]].concat()));
        let last = lines.last().expect("a summary");
        [last["flows"].clone(), last["findings"].clone(), last["seen_twice"].clone()]
    };
    let expected = summary(&[&here, &there]);
    assert_eq!(expected[1], 1, "{expected:?}");
    for (name, octets) in [("x.zip", zipped), ("x.tar", tarred)] {
        assert_eq!(summary(&[&scratch.write(name, &octets)]), expected, "{name}");
    }
}

/// A command that is shown is one that works: nothing but closewait names a member of an archive, or reads a text.
#[test]
fn no_command_of_wireshark_names_what_it_cannot_open() {
    let (scratch, leak) = (Scratch::new(), leak());
    let plain = scratch.write("x.pcap", &leak);
    let packed = scratch.write("x.zip", &zip(&[("x.pcap", &leak, 8, 0, 0)]));
    let printed = common::project("fixtures/captures/incident-as-text.tcpdump");
    let printed = printed.to_str().expect("UTF-8").to_owned();
    for (path, opens) in [(plain, true), (packed, false), (printed, false)] {
        let (shown, _) = text(&closewait(&["explain", &path]));
        assert!(shown.contains("held ≥"), "{shown}");
        assert_eq!(shown.contains("tshark -r "), opens, "{path}: {shown}");
        let (page, _) = text(&closewait(&[&path, "--format", "html"]));
        assert_eq!(page.contains("wireshark -r "), opens, "{path}");
    }
}
