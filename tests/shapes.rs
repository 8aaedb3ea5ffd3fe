//! The same traffic gives the same findings whatever way it was captured.

mod common;

use std::collections::BTreeMap;
use std::io::Write;

use common::scenario::Scenario;
use common::wire::{
    Classic, Link, MICROSECONDS, Packet, Pcapng, Record, TUNNELS, arp, quoted, tunnelled,
};
use common::{Scratch, closewait, each, json_lines, text};
use serde_json::{Value, json};

fn scenario(name: &str) -> Scenario {
    let path = common::project(&format!("fixtures/scenarios/{name}.scn"));
    Scenario::read(&path).expect("a scenario")
}

/// Two connections, one after the other, the second left in CLOSE-WAIT.
fn reused() -> Scenario {
    scenario("port-reused")
}

/// What was found, without the names of files and the numbers of frames.
fn essence(args: &[&str]) -> Vec<Value> {
    let args = [args, &["--format", "jsonl", "--all"]].concat();
    let output = closewait(&args);
    let mut lines = json_lines(&output);
    assert!(!lines.is_empty(), "{}", text(&output).1);
    lines.retain(|line| line["type"] == "flow");
    lines.iter_mut().for_each(without_places);
    lines.sort_by_key(|line| line["first"].to_string());
    lines
}

fn without_places(value: &mut Value) {
    match value {
        Value::Object(map) if map.contains_key("frame") => *value = map["time"].clone(),
        Value::Object(map) => map.values_mut().for_each(without_places),
        _ => {}
    }
}

fn packets(scenario: &Scenario) -> Vec<(u64, Packet)> {
    let packets = scenario.rows.iter().filter_map(|row| row.packet.clone());
    packets.map(|packet| (packet.nanos, packet)).collect()
}

/// Each link layer that has IP in it, by hand.
fn framed(link: u16, packet: &Packet) -> Vec<u8> {
    let ip = packet.frame(Link::Raw);
    let v6 = !packet.from.is_ipv4();
    let header: Vec<u8> = match link {
        // The family in the byte order of the host: little here.
        0 => vec![if v6 { 30 } else { 2 }, 0, 0, 0],
        108 => vec![0, 0, 0, if v6 { 24 } else { 2 }],
        9 => vec![0xff, 3, 0, if v6 { 0x57 } else { 0x21 }],
        // A protocol of one octet, without address and control.
        50 => vec![if v6 { 0x57 } else { 0x21 }],
        104 => vec![0x0f, 0, if v6 { 0x86 } else { 0x08 }, if v6 { 0xdd } else { 0 }],
        101 | 12 | 14 | 228 | 229 => Vec::new(),
        239 => {
            // Family, version, resource; a packet header attribute; the payload attribute.
            let mut header = vec![if v6 { 10 } else { 2 }, 0, 0, 5];
            header.extend([8, 0, 1, 0, 0x08, 0, 1, 0]);
            header.extend([(ip.len() as u16 + 4).to_le_bytes(), 9u16.to_le_bytes()].concat());
            header
        }
        _ => panic!("no such link layer here"),
    };
    [header, ip].concat()
}

#[test]
fn every_link_layer_carries_the_same_findings() {
    let scratch = Scratch::new();
    for name in ["late-close", "leak-of-an-idle-connection", "ipv6"] {
        let scenario = scenario(name);
        let ethernet = MICROSECONDS.write(1, &scenario.records());
        let expected = essence(&[&scratch.write("ethernet.pcap", &ethernet)]);
        for link in [0, 9, 12, 14, 50, 101, 104, 108, 228, 229, 239] {
            let v6_only = link == 229;
            if (link == 228 && name == "ipv6") || (v6_only && name != "ipv6") {
                continue;
            }
            let mut records: Vec<Record> = packets(&scenario)
                .iter()
                .map(|(nanos, packet)| Record::new(*nanos, framed(link, packet)))
                .collect();
            // The end of the capture: a packet that is no TCP.
            let end = scenario.rows.last().expect("rows").nanos;
            records.push(Record::new(end, vec![0; 20]));
            let path = scratch.write("x.pcap", &MICROSECONDS.write(link, &records));
            assert_eq!(essence(&[&path]), expected, "{name} on link type {link}");
        }
    }
}

#[test]
fn every_tunnel_carries_the_same_findings() {
    let scratch = Scratch::new();
    for name in ["late-close", "leak-of-an-idle-connection", "ipv6"] {
        let scenario = scenario(name);
        let ethernet = MICROSECONDS.write(1, &scenario.records());
        let expected = essence(&[&scratch.write("ethernet.pcap", &ethernet)]);
        let end = scenario.rows.last().expect("rows").nanos;
        let mut opened = 0;
        for tunnel in TUNNELS {
            let wrap = |(nanos, packet): &(u64, Packet)| {
                Some(Record::new(*nanos, tunnelled(tunnel, &packet.frame(Link::Raw))?))
            };
            let records: Option<Vec<Record>> = packets(&scenario).iter().map(wrap).collect();
            let Some(mut records) = records else { continue };
            records.push(Record::new(end, arp()));
            let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &records));
            assert_eq!(essence(&[&path]), expected, "{name} in {tunnel}");
            opened += 1;
        }
        assert!(opened >= 17, "{name}");
    }
}

/// A TCP header that an ICMP error quotes is no packet of the connection.
#[test]
fn icmp_quotes_do_not_count() {
    let scratch = Scratch::new();
    let scenario = scenario("leak");
    let expected =
        essence(&[&scratch.write("x.pcap", &MICROSECONDS.write(1, &scenario.records()))]);
    let mut records = scenario.records();
    let (nanos, last) = packets(&scenario).pop().expect("packets");
    let forged = Packet { flags: 0x11, ..last };
    records.insert(records.len() - 1, Record::new(nanos, quoted(&forged.frame(Link::Raw))));
    let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &records));
    assert_eq!(essence(&[&path]), expected);
    let lines = json_lines(&closewait(&[&path, "--format", "jsonl"]));
    assert_eq!(lines.last().expect("a summary")["skipped"]["ICMP"], 1);
}

/// Tunnels in tunnels end somewhere.
#[test]
fn nesting_has_a_limit() {
    let scratch = Scratch::new();
    let (nanos, packet) = packets(&scenario("leak")).remove(0);
    let mut ip = packet.frame(Link::Raw);
    for _ in 0..100 {
        ip = tunnelled("ipip", &ip).expect("IPv4")[14..].to_vec();
    }
    let frame = tunnelled("ipip", &ip).expect("IPv4");
    let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &[Record::new(nanos, frame)]));
    let lines = json_lines(&closewait(&[&path, "--format", "jsonl"]));
    assert_eq!(lines[0]["skipped"]["tunnels nested too deep"], 1);
}

#[test]
fn compressed_captures_are_read_as_streams() {
    let scratch = Scratch::new();
    let plain = MICROSECONDS.write(1, &reused().records());
    let expected = essence(&[&scratch.write("plain.pcap", &plain)]);
    let (head, tail) = plain.split_at(plain.len() / 2);
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).expect("memory");
    for (name, bytes) in [
        ("one.pcap.gz", gzip(&plain)),
        ("members.pcap.gz", [gzip(head), gzip(tail)].concat()),
        ("one.pcap.zst", zstd(&plain)),
        ("frames.pcap.zst", [zstd(head), zstd(tail)].concat()),
        // A name says nothing: the first bytes do.
        ("misnamed.pcap", gzip(&plain)),
    ] {
        assert_eq!(essence(&[&scratch.write(name, &bytes)]), expected, "{name}");
    }
    // Cut off, it is read as far as it goes.
    for bytes in [gzip(&plain), [zstd(head), zstd(tail)].concat()] {
        let path = scratch.write("cut", &bytes[..bytes.len() - 9]);
        let output = closewait(&[&path, "--format", "jsonl"]);
        let (_, err) = text(&output);
        assert!(err.contains("ended in the middle of a record"), "{err}");
        assert_ne!(output.status.code(), Some(2), "{err}");
    }
    // A checksum that is wrong is said once by the decompressor, and must not be lost.
    let seed = common::project("fuzz/seeds/file/empty-wrong-checksum.pcap.gz");
    assert_eq!(closewait(&[seed.to_str().expect("UTF-8")]).status.code(), Some(2));
    // Damaged, it is an error.
    let mut bytes = gzip(&plain);
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xff);
    let output = closewait(&[&scratch.write("damaged.gz", &bytes)]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output).1);
}

/// Cuts a capture into files of a few packets each.
fn rotated(scratch: &Scratch, records: &[Record], each: usize) -> Vec<String> {
    let files = records.chunks(each).enumerate();
    files
        .map(|(i, part)| scratch.write(&format!("part-{i}.pcap"), &MICROSECONDS.write(1, part)))
        .collect()
}

#[test]
fn a_rotated_series_is_the_unrotated_file() {
    let scratch = Scratch::new();
    let records = reused().records();
    let whole = scratch.write("whole.pcap", &MICROSECONDS.write(1, &records));
    let expected = essence(&[&whole]);
    assert_eq!(expected.len(), 2);
    for each in [1, 2, 3, 5] {
        let files = rotated(&scratch, &records, each);
        let mut given: Vec<&str> = files.iter().map(String::as_str).collect();
        assert_eq!(essence(&given), expected, "{each} a file");
        given.reverse();
        assert_eq!(essence(&given), expected, "{each} a file, reversed");
        let middle = given.len() / 2;
        given.rotate_left(middle);
        assert_eq!(essence(&given), expected, "{each} a file, shuffled");
    }
}

/// Wherever a capture is cut into files, what is known of each connection comes together again.
#[test]
fn a_capture_can_be_cut_anywhere() {
    // Cuts that differ from run to run of this loop, and not from one test run to the next.
    let mut random = 7u64;
    let mut next = |below: usize| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below.max(1)
    };
    let mut all = Vec::new();
    for path in common::files("fixtures/scenarios", "scn") {
        let scenario = Scenario::read(&path).expect("a scenario");
        let records = scenario.records();
        // Where time goes back, no order of files is the right one.
        if !records.is_sorted_by_key(|record| record.nanos) {
            continue;
        }
        let mut cuts: Vec<usize> = (0..3).map(|_| next(records.len() + 1)).collect();
        cuts.extend([0, records.len()]);
        cuts.sort_unstable();
        if scenario.repeats_handshake(&cuts) {
            continue;
        }
        let first = next(cuts.len() - 1);
        all.push((path, scenario.link.link_type(), records, cuts, first));
    }
    each(all, |(path, link, records, cuts, first)| {
        let scratch = Scratch::new();
        let write =
            |name: &str, part: &[Record]| scratch.write(name, &MICROSECONDS.write(link, part));
        let expected = essence(&[&write("whole.pcap", &records)]);
        let mut files: Vec<String> = cuts
            .windows(2)
            .enumerate()
            .map(|(i, cut)| write(&format!("part-{i}.pcap"), &records[cut[0]..cut[1]]))
            .collect();
        files.rotate_left(first);
        let given: Vec<&str> = files.iter().map(String::as_str).collect();
        assert_eq!(essence(&given), expected, "{} cut at {cuts:?}", path.display());
    });
}

#[test]
fn gaps_in_a_series_are_reported() {
    let scratch = Scratch::new();
    let files = rotated(&scratch, &reused().records(), 4);
    let (out, _) = text(&closewait(&[&files[0], &files[2]]));
    let sentence = format!("between {} and {}.", files[0], files[2]);
    assert!(out.contains("Nothing was captured for ") && out.contains(&sentence), "{out}");
    let lines = json_lines(&closewait(&[&files[0], &files[2], "--format", "jsonl"]));
    let captures = &lines.last().expect("a summary")["captures"];
    assert_eq!(captures.as_array().map(Vec::len), Some(1), "a gap does not make two captures");
    assert!(captures[0]["gaps"][0]["gap_s"].as_f64() > Some(1.0), "{captures}");
}

#[test]
fn overlapping_files_are_separate_capture_points() {
    let scratch = Scratch::new();
    let leak = scenario("leak");
    let one = scratch.write("app.pcap", &MICROSECONDS.write(1, &leak.records()));
    // The same packets at another point, 2 s later by its clock.
    let later = leak.records().into_iter().map(|r| Record { nanos: r.nanos + 2_000_000_000, ..r });
    let other = scratch.write("db.pcap", &MICROSECONDS.write(1, &later.collect::<Vec<_>>()));
    let output = closewait(&[&other, &one, "--format", "jsonl"]);
    let lines = json_lines(&output);
    let flows: Vec<&Value> = lines.iter().filter(|line| line["type"] == "flow").collect();
    assert_eq!(flows.len(), 2, "each point has its own flows");
    assert_eq!(flows[0]["first"]["file"], json!(one), "in the order of their first packets");
    assert_eq!(flows[1]["first"]["file"], json!(other));
    assert!(flows.iter().all(|flow| flow["held_s"] == 300.0), "each has its own end");
    assert_eq!(lines[2]["captures"].as_array().map(Vec::len), Some(2));
    let (out, _) = text(&closewait(&[&one, &other]));
    assert!(
        out.contains(&format!(
            "{other} overlaps {one} by 4 min 58 s: read as a capture of another point."
        )),
        "{out}"
    );
    assert!(out.contains(&format!("{one}:4")) && out.contains(&format!("{other}:4")), "{out}");
}

#[test]
fn separate_forces_captures_apart() {
    let scratch = Scratch::new();
    let records = scenario("leak").records();
    let files = rotated(&scratch, &records, 3);
    let given: Vec<&str> = files.iter().map(String::as_str).collect();
    assert_eq!(essence(&given).len(), 1);
    let apart = essence(&[&given[..], &["--separate"]].concat());
    assert_eq!(apart.len(), 2, "the handshake, and the rest");
}

/// Two series at two points, told apart by their names where their times would fit both: each
/// connection is one, seen at both.
#[test]
fn two_series_at_once_stay_apart() {
    let scratch = Scratch::new();
    let records = reused().records();
    let shifted = records.iter().map(|r| Record { nanos: r.nanos + 50_000_000, ..r.clone() });
    let shifted: Vec<Record> = shifted.collect();
    let mut files = Vec::new();
    for (name, records) in [("app", &records), ("db", &shifted)] {
        for (i, part) in records.chunks(8).enumerate() {
            files.push(scratch.write(&format!("{name}-{i}.pcap"), &MICROSECONDS.write(1, part)));
        }
    }
    let given: Vec<&str> = files.iter().map(String::as_str).collect();
    let flows = essence(&given);
    let words: Vec<&str> = flows.iter().filter_map(|flow| flow["verdict"].as_str()).collect();
    assert_eq!(words, ["closed", "leak"]);
    for flow in flows {
        let points = flow["points"].as_array().expect("two points");
        let files: Vec<&str> = points.iter().filter_map(|point| point["file"].as_str()).collect();
        assert!(files[0].contains("app-") && files[1].contains("db-"), "{files:?}");
    }
}

#[test]
fn csv_has_a_line_for_each_flow() {
    let scratch = Scratch::new();
    let path = scratch.write("=cmd.pcap", &MICROSECONDS.write(1, &reused().records()));
    let folder = scratch.path();
    let output =
        common::command(&["./=cmd.pcap", "=cmd.pcap", "--separate", "--all", "--format", "csv"])
            .current_dir(folder)
            .output()
            .expect("it runs");
    let (out, err) = text(&output);
    assert!(path.ends_with("=cmd.pcap") && err.is_empty(), "{err}");
    let mut reader = csv::Reader::from_reader(out.as_bytes());
    let names: Vec<String> = reader.headers().expect("names").iter().map(str::to_owned).collect();
    assert_eq!(&names[..4], ["uid", "community_id", "verdict", "finding"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 4);
    let cell = |row: usize, name: &str| {
        let column = names.iter().position(|n| n == name).expect("a column");
        rows[row][column].to_owned()
    };
    let leaks: Vec<usize> = (0..4).filter(|&row| cell(row, "verdict") == "leak").collect();
    assert_eq!(leaks.len(), 2);
    assert_eq!(cell(leaks[0], "held_s"), "60");
    assert_eq!(cell(leaks[0], "notes"), "port-reused");
    let files: Vec<String> = (0..4).map(|row| cell(row, "first.file")).collect();
    assert!(files.contains(&"'=cmd.pcap".into()), "a formula is defused: {files:?}");
    assert!(out.lines().all(|line| out.contains(&format!("{line}\r\n"))), "RFC 4180 ends lines so");
}

/// A cell has what the key of its name has in the JSON lines, of sockets that no packet shows as well.
#[test]
fn csv_says_what_json_says() {
    let scratch = Scratch::new();
    let app = "fixtures/captures/reproduction/app.pcap";
    let list =
        std::fs::read_to_string(common::project("fixtures/captures/reproduction/kernel.txt"));
    let before = "CLOSE-WAIT 1 0 172.18.0.5:50999 172.18.0.3:3306 \
        users:((\"app\",pid=7,fd=9)) uid:1000 ino:5 sk:1\n";
    let kernel = scratch.write("kernel.txt", (list.expect("a list") + before).as_bytes());
    let kernel = kernel.as_str();
    let said = |format: &str| {
        let output = common::command(&[
            app,
            "--sockets",
            kernel,
            "--all",
            "--max-flows",
            "500",
            "--format",
            format,
        ])
        .current_dir(common::project("."))
        .output()
        .expect("it runs");
        text(&output).0
    };
    let flows: BTreeMap<String, Value> = said("jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .filter(|line| line["type"] == "flow")
        .map(|line| (line["uid"].as_str().expect("a name").to_owned(), line))
        .collect();
    let csv = said("csv");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let names = reader.headers().expect("names").clone();
    let (mut rows, mut before) = (0, 0);
    for row in reader.records().map(|row| row.expect("a row")) {
        let flow = &flows[&row[0]];
        rows += 1;
        before += usize::from(flow["before_capture"] == true);
        // What was said has a key of its protocol's name there; the first FIN is that of an end.
        let of_flow = |name: &str| {
            !["said.", "fin"].iter().any(|it| name.starts_with(it)) || name == "finding"
        };
        for (name, cell) in names.iter().zip(&row).filter(|(name, _)| of_flow(name)) {
            let key = name.split('.').fold(flow, |value, key| &value[key]);
            let same = match key {
                Value::Null => cell.is_empty(),
                Value::String(text) => text == cell,
                // Of a list, words or sentences.
                Value::Array(all) => {
                    all.iter().all(|one| cell.contains(one.as_str().unwrap_or("?")))
                }
                Value::Number(number) => cell.parse::<f64>().ok() == number.as_f64(),
                Value::Bool(yes) => cell == if *yes { "true" } else { "false" },
                Value::Object(_) => false,
            };
            // Where no packet was seen, none is counted.
            let unseen = key == 0 && cell.is_empty();
            assert!(same || unseen, "{name}: {cell}, not {key}: {flow}");
        }
    }
    assert_eq!(rows, flows.len());
    assert!(rows > 50 && before > 0, "{rows} {before}");
}

/// Nanoseconds, both byte orders, pcapng with one resolution and another: one answer.
#[test]
fn formats_agree() {
    let scratch = Scratch::new();
    let records = reused().records();
    let held = |bytes: &[u8]| -> Vec<Value> {
        let flows = essence(&[&scratch.write("x", bytes)]);
        flows
            .iter()
            .map(|flow| json!([flow["verdict"], flow["held_s"], flow["idle_before_fin_s"]]))
            .collect()
    };
    let expected = held(&MICROSECONDS.write(1, &records));
    for big_endian in [false, true] {
        assert_eq!(held(&Classic { big_endian, nanoseconds: true }.write(1, &records)), expected);
        for (resolution, per_second) in
            [(6u8, 1_000_000u64), (9, 1_000_000_000), (0x80 | 20, 1 << 20)]
        {
            let mut file = Pcapng::new(big_endian);
            file.interface(1, 0, &[(9, vec![resolution])]);
            for record in &records {
                let ticks = u128::from(record.nanos) * u128::from(per_second) / 1_000_000_000;
                file.packet(0, ticks as u64, record, &[]);
            }
            let got = held(&file.bytes);
            if resolution < 0x80 {
                assert_eq!(got, expected, "resolution {resolution}");
            } else {
                // A 2^20th of a second is not a whole number of nanoseconds.
                let words =
                    |rows: &[Value]| rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>();
                assert_eq!(words(&got), words(&expected));
            }
        }
    }
}

#[test]
fn the_other_side_s_capture_names_who_waits_for_whom() {
    let scratch = Scratch::new();
    let path = scratch.write("db.pcap", &MICROSECONDS.write(1, &scenario("leak").records()));
    let output = closewait(&[&path, "--local", "172.18.0.3"]);
    let (out, _) = text(&output);
    assert!(
        out.starts_with("1 of 1 connection waits in FIN-WAIT-2 for 172.18.0.5 to close"),
        "{out}"
    );
    assert!(out.contains("see with --local 172.18.0.5"), "{out}");
    assert_eq!(output.status.code(), Some(0));
}

/// A payload that only looks like VXLAN is none; on a port that the user names, its flag is enough.
#[test]
fn vxlan_is_proven_or_named() {
    let scratch = Scratch::new();
    let records = |flags: u8, damaged: bool, port: u16| -> Vec<Record> {
        let carried = |(nanos, packet): &(u64, Packet)| {
            let mut inner = packet.frame(Link::Ethernet);
            // The checksum of the IP header.
            inner[24] ^= u8::from(damaged);
            let frame = [&[flags, 0, 0, 0, 0, 0, 7, 0], &inner[..]].concat();
            Record::new(*nanos, common::wire::over_udp(port, &frame))
        };
        packets(&scenario("leak")).iter().map(carried).collect()
    };
    let flows = |records: &[Record], options: &[&str]| {
        let path = scratch.write("x.pcap", &MICROSECONDS.write(1, records));
        let args = [&[&path, "--all", "--format", "jsonl"], options].concat();
        json_lines(&closewait(&args)).iter().filter(|line| line["type"] == "flow").count()
    };
    let named = ["--vxlan-port", "9999"];
    assert_eq!(flows(&records(0x08, false, 9999), &[]), 1, "it proves itself");
    assert_eq!(flows(&records(0x08, true, 9999), &[]), 0, "the inner checksum is wrong");
    assert_eq!(flows(&records(0x88, false, 9999), &[]), 0, "a reserved bit is set");
    assert_eq!(flows(&records(0x88, true, 9999), &named), 1, "the user knows");
    assert_eq!(flows(&records(0x88, true, 9998), &named), 0, "another port");
}

/// What cannot be read and may be TCP is never an all-clear; what cannot be TCP is no failure.
#[test]
fn unknown_link_types_that_can_carry_ip_are_a_failure() {
    let scratch = Scratch::new();
    let capture = |link: u16| {
        let records = scenario("leak").records();
        closewait(&[&scratch.write("x.pcap", &MICROSECONDS.write(link, &records))])
    };
    for link in [147, 195, 247, 65_000] {
        let output = capture(link);
        assert_eq!(output.status.code(), Some(2), "{link}");
        let (_, err) = text(&output);
        assert!(err.contains("6 packets could not be read and may be TCP"), "{link}: {err}");
    }
    // One that is cut off, too.
    let mut cut = MICROSECONDS.write(147, &scenario("leak").records());
    cut.pop();
    let output = closewait(&[&scratch.write("x.pcap", &cut)]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output).1);
    // USB, Bluetooth, CAN.
    for link in [189, 201, 227] {
        assert_eq!(capture(link).status.code(), Some(0), "{link}");
    }
}

/// Of another link type, every packet is nonsense, and that is no all-clear; one damaged packet among others is no failure.
#[test]
fn a_wrong_link_type_is_a_failure() {
    let scratch = Scratch::new();
    let read = |link: u16, records: &[Record]| {
        closewait(&[&scratch.write("x.pcap", &MICROSECONDS.write(link, records))])
    };
    let mut records = scenario("figure-12-normal-close").records();
    for link in [101, 228, 229] {
        let output = read(link, &records);
        assert_eq!(output.status.code(), Some(2), "{link}");
        let (_, err) = text(&output);
        assert!(err.contains("malformed IP header: is the link type right?"), "{link}: {err}");
    }
    let mut damaged = records[0].data.clone();
    damaged[14] ^= 0x80;
    records.push(Record::new(records[0].nanos, damaged));
    assert_eq!(read(1, &records).status.code(), Some(0));
}

/// What nobody can look into is named.
#[test]
fn encrypted_packets_are_said_to_be() {
    let scratch = Scratch::new();
    let wireguard = [&[4, 0, 0, 0][..], &[0x5a; 60]].concat();
    let nat_traversal = [0x5a; 64];
    let records = [
        Record::new(1, common::wire::over_udp(51_820, &wireguard)),
        Record::new(2, common::wire::over_udp(4500, &nat_traversal)),
    ];
    let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &records));
    let lines = json_lines(&closewait(&[&path, "--format", "jsonl"]));
    let skipped = &lines.last().expect("a summary")["skipped"];
    assert_eq!(skipped["encrypted (WireGuard)"], 1, "{skipped}");
    assert_eq!(skipped["encrypted (ESP)"], 1, "{skipped}");
}

/// They may hold all there was of TCP: that is no all-clear, unless some of it could be read.
#[test]
fn where_all_is_encrypted_nothing_is_said_to_be_absent() {
    let scratch = Scratch::new();
    let sealed = Record::new(1, common::wire::over_udp(4500, &[0x5a; 64]));
    let read = |records: &[Record]| {
        closewait(&[&scratch.write("x.pcap", &MICROSECONDS.write(1, records))])
    };
    let output = read(&[sealed.clone(), Record::new(2, common::wire::arp())]);
    let (out, err) = text(&output);
    assert!(out.starts_with("No TCP connection could be read (2 packets read); 1 packet"), "{out}");
    assert!(
        out.contains("1 packet encrypted (ESP): whatever TCP is in there cannot be read."),
        "{out}"
    );
    assert!(err.contains("x.pcap: 1 packet could not be read and may be TCP"), "{err}");
    assert_eq!(output.status.code(), Some(2));
    let records = [&scenario("figure-12-normal-close").records()[..], &[sealed]].concat();
    let output = read(&records);
    let (out, err) = text(&output);
    assert!(out.starts_with("No connection left") && out.contains("encrypted (ESP) 1"), "{out}");
    assert_eq!((err.as_str(), output.status.code()), ("", Some(0)));
}
