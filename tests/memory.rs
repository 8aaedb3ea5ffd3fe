//! Memory is bounded: what leaves the table when it is full, in which order, and that it is said.

mod common;

use closewait::facts::CaptureFacts;
use closewait::place::{Place, Time};
use closewait::table::{FlowTable, too_many};
use closewait::tcp::flow::Ending;
use closewait::tcp::segment::{Endpoint, Extras, Flags, FlowKey, Segment};
use closewait::tcp::seq::Seq;
use common::wire::{Link, MICROSECONDS, Packet, Record};
use common::{Scratch, closewait, command, each, json_lines, text};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::Stdio;

const SYN: u8 = Flags::SYN;
const ACK: u8 = Flags::ACK;
const FIN_ACK: u8 = Flags::FIN | Flags::ACK;
const RST: u8 = Flags::RST;

/// What each flow of a kind sends: who, flags, SEQ, ACK.
fn packets(kind: &str) -> Vec<(bool, u8, u32, u32)> {
    let open = [(true, SYN, 0, 0), (false, SYN | ACK, 0, 1), (true, ACK, 1, 1)];
    let more: &[(bool, u8, u32, u32)] = match kind {
        "attempt" => return vec![(true, SYN, 0, 0)],
        "open" => &[],
        "half-closed" => &[(false, FIN_ACK, 1, 1), (true, ACK, 1, 2)],
        "reset" => &[(false, RST, 1, 0)],
        other => panic!("{other}"),
    };
    [&open[..], more].concat()
}

/// A packet without payload.
fn packet(from: SocketAddr, to: SocketAddr, flags: u8, seq: u32, ack: u32) -> Packet {
    Packet {
        nanos: 1_600_000_000_000_000_000,
        from,
        to,
        flags,
        seq,
        ack,
        window: 1,
        options: Vec::new(),
        payload: Vec::new(),
        outgoing: true,
    }
}

fn record(packet: &Packet) -> Record {
    Record::new(packet.nanos, packet.frame(Link::Ethernet))
}

/// Its record, as a capture file has it.
fn octets(packet: &Packet) -> Vec<u8> {
    MICROSECONDS.write(1, &[record(packet)]).split_off(24)
}

/// Interleaves flows of every kind, so that their age says nothing of their worth.
fn traffic(kinds: &[&str], each: u16) -> Vec<(Endpoint, Endpoint, u8, u32, u32)> {
    let end = |ip: &str, port| Endpoint { ip: ip.parse().expect("an address"), port };
    let mut all = Vec::new();
    for n in 0..each {
        for (kind, name) in kinds.iter().enumerate() {
            let local = end("10.0.0.5", 1_000 + n * 10 + kind as u16);
            let peer = end("10.0.0.9", 3_306);
            for (from_local, flags, seq, ack) in packets(name) {
                let (from, to) = if from_local { (local, peer) } else { (peer, local) };
                all.push((from, to, flags, seq, ack));
            }
        }
    }
    all
}

fn segments(kinds: &[&str], each: u16) -> Vec<Segment> {
    let segment =
        |(i, (from, to, flags, seq, ack)): (usize, (Endpoint, Endpoint, u8, u32, u32))| {
            let (key, end) = FlowKey::new(from, to);
            let time = Time::from_nanos(1_600_000_000_000_000_000 + i as i128 * 1_000);
            Segment {
                key,
                hash: u64::from(from.port) * u64::from(to.port),
                from: end,
                seq: Seq(seq),
                ack: Seq(ack),
                flags: Flags(flags),
                len: 0,
                window: u16::MAX,
                extras: Extras::default(),
                place: Place::new(time, 0, i as u64 + 1, 6),
                direction: None,
            }
        };
    traffic(kinds, each).into_iter().enumerate().map(segment).collect()
}

const KINDS: [&str; 4] = ["open", "attempt", "reset", "half-closed"];

/// The traffic in several tables, as if each were a shard.
fn tables(kinds: &[&str], each: u16) -> Vec<FlowTable> {
    let mut tables: Vec<FlowTable> = (0..3).map(|_| FlowTable::default()).collect();
    let mut facts = CaptureFacts::default();
    for segment in segments(kinds, each) {
        tables[segment.hash as usize % 3].take(&segment, &mut facts);
    }
    tables
}

/// The flows that a table of `most` flows has let go of, by how they stood; those that are over rested, or did not.
fn evicted(most: usize, rest: bool) -> Vec<Ending> {
    let mut tables = tables(&KINDS, 10);
    if rest {
        tables.iter_mut().for_each(|table| table.rest(Time::UNKNOWN));
    }
    let mut gone = Vec::new();
    let Some(which) = too_many(tables.iter(), most) else {
        return gone;
    };
    for table in &mut tables {
        let before = gone.len();
        let n = table.evict(which, |evicted| gone.push(evicted.flow.ending()));
        assert_eq!(n, gone.len() - before);
    }
    let left: usize = tables.iter().map(|table| table.flows().count()).sum();
    assert_eq!(left + gone.len(), 40, "nothing is lost without being handed over");
    assert_eq!(left, tables.iter().map(FlowTable::len).sum::<usize>());
    assert!(left <= most);
    gone
}

#[test]
fn the_least_worth_leaves_first() {
    let worth = |ending: &Ending| match ending {
        Ending::Closed | Ending::Reset(_) => 0,
        Ending::Attempt => 1,
        Ending::Open => 2,
        Ending::HalfClosed(_) => 3,
    };
    assert!(evicted(40, false).is_empty(), "a full table is not too full");
    let rooms = [(35, 0), (28, 1), (20, 2), (9, 3)];
    for ((most, expected), rest) in rooms.iter().flat_map(|room| [(*room, false), (*room, true)]) {
        let gone: Vec<i32> = evicted(most, rest).iter().map(worth).collect();
        let most_dear = gone.iter().copied().max();
        assert_eq!(most_dear, Some(expected), "room for {most}");
        // All that is worth less went before.
        for cheaper in 0..expected {
            assert_eq!(
                gone.iter().filter(|worth| **worth == cheaper).count(),
                10,
                "room for {most}"
            );
        }
    }
}

#[test]
fn the_oldest_of_equals_leaves_first() {
    let mut tables = tables(&["half-closed"], 9);
    let which = too_many(tables.iter(), 8).expect("one too many");
    let mut gone = Vec::new();
    for table in &mut tables {
        table.evict(which, |evicted| gone.push(evicted.flow.last.order()));
    }
    let left = tables.iter().flat_map(FlowTable::flows);
    let oldest_left = left.map(|(_, flow)| flow.last.order()).min();
    assert!(gone.iter().max().copied() < oldest_left);
}

/// Nothing is silently forgotten: findings are reported when they leave, and the report says so.
#[test]
fn what_is_evicted_is_judged_counted_and_said() {
    let scratch = Scratch::new();
    let records: Vec<Record> = traffic(&["half-closed", "attempt"], 100)
        .into_iter()
        .enumerate()
        .map(|(i, (from, to, flags, seq, ack))| {
            let (from, to) = ((from.ip, from.port).into(), (to.ip, to.port).into());
            let packet = packet(from, to, flags, seq, ack);
            record(&Packet { nanos: packet.nanos + i as u64 * 1_000_000, ..packet })
        })
        .collect();
    let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &records));
    let lines = json_lines(&closewait(&[&path, "--max-flows", "50", "--format", "jsonl"]));
    let summary = lines.last().expect("a summary");
    assert!(summary["evicted"].as_u64() >= Some(150), "{summary}");
    assert_eq!((&summary["flows"], &summary["findings"]), (&200.into(), &100.into()));
    assert_eq!(lines.iter().filter(|line| line["verdict"] == "leak").count(), 100);
    let (out, _) = text(&closewait(&[&path, "--max-flows", "50"]));
    assert!(out.contains("left memory early"), "{out}");
    // What cannot be known of them is said on the first line. An attempt had nothing that could be left.
    let given_up = summary["headline"]["given_up"].as_u64();
    assert!(given_up.is_some_and(|n| (50..=100).contains(&n)), "{summary}");
    let headline = out.lines().next().expect("a line");
    let n = given_up.unwrap_or_default();
    assert!(
        headline.ends_with(&format!("; {n} given up early for lack of memory (--max-flows).")),
        "{out}"
    );
    // When the capture ended would change nothing of them.
    assert!(out.contains("brief") && !out.contains("--end mtime"), "{out}");
    assert!(summary["unlisted"].is_null(), "there is room for all");
    assert!(text(&closewait(&[&path])).0.contains("--end mtime"), "it would, where all were kept");
    let whole = json_lines(&closewait(&[&path, "--format", "jsonl"]));
    assert_eq!(whole.last().expect("a summary")["evicted"], 0);
}

/// A program's memory at its peak, in KiB, as the kernel counted it.
fn peak(id: u32) -> u64 {
    in_status(id, "VmHWM:")
}

/// Without the program itself, most of whose code is not optimised here and three times as large.
fn peak_of_its_own(id: u32) -> u64 {
    peak(id).saturating_sub(in_status(id, "RssFile:"))
}

fn in_status(id: u32, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("such a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Segments of 32 KB, as a host with segmentation offload captures them, of which all contents are read.
#[test]
fn large_segments_take_no_more_memory() {
    const SEGMENTS: u32 = 60_000;
    const CONNECTIONS: u32 = 200;
    const LEN: u32 = 32_000;
    /// In a record, the sequence number.
    const SEQ: usize = 16 + 14 + 20 + 4;
    let end = |ip: &str, port| (ip.parse::<IpAddr>().expect("an address"), port).into();
    let record = |connection: u16| {
        // One row after the other: a statement's long answer.
        let mut payload = vec![b'x'; LEN as usize];
        payload[..3].copy_from_slice(&(LEN - 4).to_le_bytes()[..3]);
        let (server, client) = (end("10.0.0.9", 3_306), end("10.0.0.5", 10_000 + connection));
        octets(&Packet { payload, ..packet(server, client, ACK, 0, 1) })
    };
    let mut records: Vec<Vec<u8>> = (0..CONNECTIONS as u16).map(record).collect();
    let mut child = command(&["-", "--all", "--format", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(&MICROSECONDS.write(1, &[])).expect("it reads");
    for nth in 0..SEGMENTS / CONNECTIONS {
        for record in &mut records {
            record[SEQ..SEQ + 4].copy_from_slice(&(1 + nth * LEN).to_be_bytes());
            pipe.write_all(record).expect("it reads");
        }
    }
    // All but what the pipe holds has been read, and nothing has ended.
    let peak = peak_of_its_own(child.id());
    drop(pipe);
    assert!(child.wait().expect("it ends").success());
    assert!(peak < 16 * 1_024, "{} MB", peak / 1_024);
}

/// Half-closed connections, each with another client.
const FINDINGS: u32 = 24_000;

/// Writes so many as a capture, a packet after the other of each. The last packet comes again until there
/// are as many packets as of all.
fn write_findings(findings: u32, out: &mut impl Write) -> std::io::Result<()> {
    /// In a record, the addresses of both ends.
    const ADDRESSES: usize = 16 + 14 + 12;
    let end = |ip: &str, port| (ip.parse::<IpAddr>().expect("an address"), port).into();
    let template = |(from_client, flags, seq, ack): (bool, u8, u32, u32)| {
        // Nobody reads what is said on this port.
        let (client, server) = (end("10.1.0.0", 40_000), end("10.0.0.9", 9));
        let (from, to) = if from_client { (client, server) } else { (server, client) };
        let at = ADDRESSES + if from_client { 0 } else { 4 };
        (at, octets(&packet(from, to, flags, seq, ack)))
    };
    let half_closed = packets("half-closed");
    let last = half_closed[half_closed.len() - 1];
    let more = half_closed.len() * (FINDINGS / findings - 1) as usize;
    let all = half_closed.into_iter().chain(std::iter::repeat_n(last, more));
    let mut records: Vec<(usize, Vec<u8>)> = all.map(template).collect();
    out.write_all(&MICROSECONDS.write(1, &[]))?;
    for n in 0..findings {
        for (at, record) in &mut records {
            record[*at..*at + 4].copy_from_slice(&(0x0a01_0000 + n).to_be_bytes());
            out.write_all(record)?;
        }
    }
    Ok(())
}

/// The peak of a run at the moment when its report begins, in octets: what it prints then waits in the pipe.
fn peak_of_findings(findings: u32, args: &[&str]) -> u64 {
    let mut child = command(&[&["-", "--threads", "1"], args].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let stdin = child.stdin.take().expect("a pipe");
    write_findings(findings, &mut std::io::BufWriter::new(stdin)).expect("it reads");
    let mut out = child.stdout.take().expect("a pipe");
    let mut report = vec![0; 1 << 10];
    out.read_exact(&mut report).expect("a report");
    let peak = peak(child.id()) * 1_024;
    out.read_to_end(&mut report).expect("a report");
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
    let lines = report.iter().filter(|octet| **octet == b'\n').count();
    assert!(lines > findings as usize, "each is listed");
    peak
}

/// A finding costs about what its flow does, and a row that waits for its place as much again.
#[test]
fn findings_cost_what_flows_do() {
    let all = [
        (&["--format", "jsonl"][..], 1_000),
        (&["--all", "--format", "jsonl"], 1_000),
        (&["--top", "0"], 1_200),
    ];
    let few = FINDINGS / 4;
    let runs = all.iter().flat_map(|(args, _)| [(FINDINGS, *args), (few, *args)]);
    let peaks = each(runs, |(findings, args)| peak_of_findings(findings, args));
    for ((args, most), peaks) in all.into_iter().zip(peaks.chunks(2)) {
        let more = peaks[0].saturating_sub(peaks[1]);
        let each = more / u64::from(FINDINGS - few);
        println!("{args:?}: {each} octets a finding");
        assert!(each < most, "{args:?}: {each} octets a finding");
    }
}
