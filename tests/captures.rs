//! The project's own captures, each held against the report beside it.
//!
//! `CLOSEWAIT_BLESS=1 cargo test --test captures` writes the reports anew: read the diff.

mod common;

use std::fs;
use std::path::Path;

use common::wire::{MICROSECONDS, Packet, Record};

/// Compares with a file, or writes it when blessing.
fn golden(path: &Path, got: &[u8]) {
    let expected = fs::read(path).unwrap_or_default();
    // Only what differs: another test may be reading it.
    if std::env::var_os("CLOSEWAIT_BLESS").is_some() && expected != got {
        fs::write(path, got).expect("a writable fixture");
        return;
    }
    if expected != got {
        panic!(
            "{} differs.\n--- expected\n{}\n--- got\n{}",
            path.display(),
            String::from_utf8_lossy(&expected),
            String::from_utf8_lossy(got)
        );
    }
}

/// Each capture in `fixtures/captures` has its text and its JSON lines beside it.
#[test]
fn every_capture_gives_its_expected_report() {
    let captures =
        ["pcap", "pcapng", "tcpdump"].map(|kind| common::files("fixtures/captures", kind)).concat();
    assert!(!captures.is_empty());
    for capture in captures {
        let name = capture.file_name().expect("a file").to_string_lossy().into_owned();
        for (format, ending) in [("text", "txt"), ("jsonl", "jsonl")] {
            let output = common::command(&[&name, "--format", format])
                .current_dir(common::project("fixtures/captures"))
                .output()
                .expect("the binary runs");
            let expected = capture.with_extension(format!("expected.{ending}"));
            golden(&expected, &output.stdout);
        }
    }
}

/// The five packets that are published of the incident, as tcpdump prints them.
const INCIDENT: &str = "\
11:38:15.679863 IP 172.18.0.5.38822 > 172.18.0.3.3306: Flags [S], seq 4065722321, win 29200, options [mss 1460,sackOK,TS val 2997352 ecr 0,nop,wscale 7], length 0
11:38:15.679923 IP 172.18.0.3.3306 > 172.18.0.5.38822: Flags [S.], seq 780487619, ack 4065722322, win 28960, options [mss 1460,sackOK,TS val 2997352 ecr 2997352,nop,wscale 7], length 0
11:38:15.679936 IP 172.18.0.5.38822 > 172.18.0.3.3306: Flags [.], ack 1, win 229, options [nop,nop,TS val 2997352 ecr 2997352], length 0
11:38:45.693382 IP 172.18.0.3.3306 > 172.18.0.5.38822: Flags [F.], seq 123, ack 144, win 227, options [nop,nop,TS val 3000355 ecr 2997359], length 0
11:38:45.740958 IP 172.18.0.5.38822 > 172.18.0.3.3306: Flags [.], ack 124, win 229, options [nop,nop,TS val 3000360 ecr 3000355], length 0
";

/// What the lines do not say: the day, and the bare ACKs' own numbers, which follow from the others.
const DAY_NANOS: u64 = 1_520_812_800_000_000_000;
const ISN_LOCAL: u32 = 4_065_722_321;
const ISN_PEER: u32 = 780_487_619;

/// `fixtures/captures/incident.pcap` is the published packets, number for number.
#[test]
fn the_incident_is_as_published() {
    let local = "172.18.0.5:38822".parse().expect("an address");
    let peer = "172.18.0.3:3306".parse().expect("an address");
    let handshake = |echo: u32| {
        let mut options = vec![2, 4, 0x05, 0xb4, 4, 2, 8, 10];
        options.extend([2_997_352u32.to_be_bytes(), echo.to_be_bytes()].concat());
        options.extend([1, 3, 3, 7]);
        options
    };
    let stamps = |value: u32, echo: u32| {
        let mut options = vec![1, 1, 8, 10];
        options.extend([value.to_be_bytes(), echo.to_be_bytes()].concat());
        options
    };
    let at =
        |minute: u64, micros: u64| DAY_NANOS + (11 * 60 + minute) * 60_000_000_000 + micros * 1_000;
    let packet = |outgoing, nanos, flags, seq, ack, window, options| Packet {
        nanos,
        from: if outgoing { local } else { peer },
        to: if outgoing { peer } else { local },
        flags,
        seq,
        ack,
        window,
        options,
        payload: Vec::new(),
        outgoing,
    };
    let (a, b) = (ISN_LOCAL, ISN_PEER);
    let packets = [
        packet(true, at(38, 15_679_863), 0x02, a, 0, 29_200, handshake(0)),
        packet(false, at(38, 15_679_923), 0x12, b, a + 1, 28_960, handshake(2_997_352)),
        packet(true, at(38, 15_679_936), 0x10, a + 1, b + 1, 229, stamps(2_997_352, 2_997_352)),
        packet(
            false,
            at(38, 45_693_382),
            0x11,
            b + 123,
            a + 144,
            227,
            stamps(3_000_355, 2_997_359),
        ),
        packet(true, at(38, 45_740_958), 0x10, a + 144, b + 124, 229, stamps(3_000_360, 3_000_355)),
    ];
    let records: Vec<Record> =
        packets.iter().map(|p| Record::new(p.nanos, incident_frame(p))).collect();
    golden(&common::project("fixtures/captures/incident.pcap"), &MICROSECONDS.write(1, &records));
}

/// Docker gives a container a hardware address made of its IP address.
fn incident_frame(packet: &Packet) -> Vec<u8> {
    let hardware = |address: std::net::SocketAddr| match address.ip() {
        std::net::IpAddr::V4(ip) => [&[0x02, 0x42][..], &ip.octets()].concat(),
        std::net::IpAddr::V6(_) => unreachable!("the incident is IPv4"),
    };
    let mut frame = [hardware(packet.to), hardware(packet.from)].concat();
    frame.extend(&packet.frame(common::wire::Link::Ethernet)[12..]);
    frame
}

/// Where tcpdump is, it prints the capture just as it was published.
#[test]
fn tcpdump_prints_the_incident_as_published() {
    let capture = common::project("fixtures/captures/incident.pcap");
    let printed = std::process::Command::new("tcpdump")
        .args(["-n", "-r"])
        .arg(&capture)
        .env("TZ", "UTC")
        .output();
    match printed {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout), INCIDENT),
        Err(_) => common::skip("tcpdump"),
    }
}
