//! What has ended is judged by all that the capture shows, however its packets are taken in.

use std::num::NonZeroUsize;

use closewait::capture::file::Input;
use closewait::report::jsonl::Jsonl;
use closewait::run::notices::Nobody;
use closewait::run::{Plan, run};

use super::both::{ALL, difference, one_pass, parts, rows, whole};
use super::common::Scratch;
use super::common::wire::{Link, MICROSECONDS, Packet, Pcapng, Record};
use super::generator::{Format, Shape, write};

const START: u64 = 1_795_651_200_000_000_000;
const SECOND: u64 = 1_000_000_000;

fn packet(at: u64, from_client: bool, flags: u8, numbers: (u32, u32), len: usize) -> Record {
    let ends = ["10.0.0.5:40000", "10.0.0.3:3306"].map(|end| end.parse().expect("an end"));
    let [from, to] = if from_client { ends } else { [ends[1], ends[0]] };
    let packet = Packet {
        nanos: START + at,
        from,
        to,
        flags,
        seq: numbers.0,
        ack: numbers.1,
        window: 500,
        options: Vec::new(),
        payload: vec![b'x'; len],
        outgoing: from_client,
    };
    Record::new(packet.nanos, packet.frame(Link::Ethernet))
}

/// The peer closes, and resets the connection after a minute: the descriptor may leak.
fn left_descriptor() -> Vec<Record> {
    let s = SECOND;
    vec![
        packet(0, true, 0x02, (100, 0), 0),
        packet(1, false, 0x12, (500, 101), 0),
        packet(2, true, 0x10, (101, 501), 0),
        packet(s, true, 0x18, (101, 501), 10),
        packet(s + 1, false, 0x18, (501, 111), 10),
        packet(s + 2, true, 0x10, (111, 511), 0),
        packet(2 * s, false, 0x11, (511, 111), 0),
        packet(2 * s + 1, true, 0x10, (111, 512), 0),
        packet(62 * s, false, 0x14, (512, 111), 0),
    ]
}

/// Parts of two hosts whose clocks are farther apart than their captures last are of two capture points, as the captures are.
#[test]
fn parts_by_distant_clocks_are_of_two_points() {
    let scratch = Scratch::new();
    let here: Vec<Record> = left_descriptor().into_iter().take(8).collect();
    let later = |record: &Record| Record { nanos: record.nanos + 3_600 * SECOND, ..record.clone() };
    let there: Vec<Record> = here.iter().map(later).collect();
    let files = [("app.pcap", here), ("balancer.pcap", there)];
    let files = files.map(|(name, records)| scratch.write(name, &MICROSECONDS.write(1, &records)));
    let pass = one_pass(&files, ALL);
    assert_eq!(pass.matches("\"verdict\":\"leak\"").count(), 2, "{pass}");
    let judged = whole(&parts(&files, ALL, scratch.path()), ALL);
    let [pass, judged] = [rows(&pass), rows(&judged)];
    assert_eq!(pass, judged, "{}", difference(&pass, &judged));
}

/// Drops that only a later file counts, long after the connection has left memory, weaken the finding.
#[test]
fn drops_in_a_later_file_weaken_what_ended_before() {
    let scratch = Scratch::new();
    let file = |number: usize, records: &[Record], dropped: u64| {
        let mut file = Pcapng::new(false);
        file.interface(1, 0, &[]);
        for record in records {
            file.packet(0, record.nanos / 1_000, record, &[]);
        }
        let drops = file.u64_option(dropped);
        // isb_ifdrop
        file.statistics(0, &[(5, drops)]);
        scratch.write(&format!("x-{number}.pcapng"), &file.bytes)
    };
    let later: Vec<Record> = (0..400)
        .map(|n| Record::new(START + (70 + 10 * n) * SECOND, super::common::wire::arp()))
        .collect();
    let files =
        [file(1, &left_descriptor(), 0), file(2, &later[..200], 0), file(3, &later[200..], 3)];
    for max_flows in [8, 1_000_000] {
        for all in [false, true] {
            let plan = Plan {
                inputs: files.iter().map(|file| Input(file.into())).collect(),
                all,
                max_flows,
                threads: NonZeroUsize::MIN,
                ..Plan::default()
            };
            let mut out = Vec::new();
            run(plan, &mut Jsonl::new(&mut out), &mut Nobody).expect("memory");
            let out = String::from_utf8(out).expect("UTF-8");
            assert!(out.contains(r#""doubts":["dropped"]"#), "{max_flows} {all}: {out}");
            assert!(out.contains(r#""doubted":1"#), "it is counted as it is listed: {out}");
        }
    }
    let made = parts(&files, ALL, scratch.path());
    assert_eq!(whole(&made, ALL), one_pass(&files, ALL));
}

/// Rounds of another length retire connections at other packets, and change no row: not even where the first
/// bare ACK comes late.
#[test]
fn the_length_of_rounds_changes_no_row() {
    for seed in 0..3 {
        let mut octets = Vec::new();
        let shape = Shape { rate: 2, requests: 2, seed, ..Shape::small(6_000, 12) };
        write(shape, Format::Pcap, &mut octets).expect("memory");
        let records = records(&octets);
        let late = records.len() / 2;
        let shown =
            records.iter().enumerate().filter(|(at, r)| *at > late || !is_bare_ack(&r.data));
        let octets = MICROSECONDS.write(1, &shown.map(|(_, r)| r.clone()).collect::<Vec<_>>());
        let scratch = Scratch::new();
        let file = scratch.write("x.pcap", &octets);
        let answer = |max_flows| {
            let inputs = vec![Input(file.clone().into())];
            let plan = Plan { inputs, all: true, max_flows, ..Plan::default() };
            let mut out = Vec::new();
            run(plan, &mut Jsonl::new(&mut out), &mut Nobody).expect("memory");
            String::from_utf8(out).expect("UTF-8")
        };
        let (short, long) = (answer(4_000), answer(1_000_000));
        assert!(short.contains(r#""evicted":0"#), "nothing leaves early");
        let (short, long) = (rows(&short), rows(&long));
        assert!(short == long, "seed {seed}: {}", difference(&short, &long));
    }
}

/// What ends in the first round leaves memory like all else: rows of it come before the others'.
#[test]
fn what_ended_early_leaves_while_the_capture_goes_on() {
    let mut octets = Vec::new();
    let shape = Shape { rate: 2, requests: 2, ..Shape::small(6_000, 12) };
    write(shape, Format::Pcap, &mut octets).expect("memory");
    let scratch = Scratch::new();
    let inputs = vec![Input(scratch.write("x.pcap", &octets).into())];
    let mut out = Vec::new();
    let plan = Plan { inputs, all: true, max_flows: 4_000, ..Plan::default() };
    run(plan, &mut Jsonl::new(&mut out), &mut Nobody).expect("memory");
    let out = String::from_utf8(out).expect("UTF-8");
    let lines = out.lines().filter(|line| line.contains(r#""type":"flow""#));
    let frames = lines.map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        line["first"]["frame"].as_u64().expect("a frame")
    });
    assert!(!frames.is_sorted(), "all wait for the end");
}

/// A capture of flags alone never shows a bare ACK: what has ended stays as long as there is room for it, and
/// leaves in time all the same.
#[test]
fn a_capture_of_flags_alone_evicts_nothing() {
    let mut octets = Vec::new();
    write(Shape { rate: 2, requests: 2, ..Shape::small(6_000, 12) }, Format::Pcap, &mut octets)
        .expect("memory");
    let flagged = records(&octets).into_iter().filter(|record| flags(&record.data) & 7 != 0);
    let scratch = Scratch::new();
    let file = scratch.write("x.pcap", &MICROSECONDS.write(1, &flagged.collect::<Vec<_>>()));
    let answer = |max_flows| {
        let inputs = vec![Input(file.clone().into())];
        let mut out = Vec::new();
        let plan = Plan { inputs, all: true, max_flows, ..Plan::default() };
        run(plan, &mut Jsonl::new(&mut out), &mut Nobody).expect("memory");
        String::from_utf8(out).expect("UTF-8")
    };
    let (short, long) = (answer(240), answer(1_000_000));
    assert!(rows(&long).len() > 300, "more than there is room for");
    assert!(short.contains(r#""evicted":0"#), "{}", short.lines().last().expect("a line"));
    let (short, long) = (rows(&short), rows(&long));
    assert!(short == long, "{}", difference(&short, &long));
}

fn flags(frame: &[u8]) -> u8 {
    frame[14 + 20 + 13]
}

fn records(capture: &[u8]) -> Vec<Record> {
    let mut rest = &capture[24..];
    let mut records = Vec::new();
    while let Some(head) = rest.first_chunk::<16>() {
        let number =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let nanos = u64::from(number(0)) * SECOND + u64::from(number(4)) * 1_000;
        let (data, after) = rest[16..].split_at(number(8) as usize);
        records.push(Record::new(nanos, data.to_vec()));
        rest = after;
    }
    records
}

/// IPv4 over Ethernet, without options of IP.
fn is_bare_ack(frame: &[u8]) -> bool {
    let len = usize::from(u16::from_be_bytes([frame[16], frame[17]]));
    let header = usize::from(frame[14 + 20 + 12] >> 4) * 4;
    flags(frame) == 0x10 && len == 20 + header
}
