//! A plain file, of which what was said is read again where somebody asks, says what a compressed one does, which can be
//! read only once.

mod common;
#[path = "../benches/traffic/recorded.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod recorded;

use std::io::Write;

use common::{Scratch, command, each, files, text};
use flate2::Compression;
use flate2::write::GzEncoder;
use recorded::Recording;

/// A file in two folders, under the same name: as it is, and compressed.
struct Both {
    plain: Scratch,
    packed: Scratch,
}

impl Both {
    fn new(captures: &[(&str, &[u8])]) -> Both {
        let both = Both { plain: Scratch::new(), packed: Scratch::new() };
        for (name, octets) in captures {
            both.plain.write(name, octets);
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(octets).expect("memory");
            both.packed.write(name, &gzip.finish().expect("memory"));
        }
        both
    }

    /// What is said of both, which has to be the same.
    fn said(&self, arguments: &[&str]) -> String {
        let said = [&self.plain, &self.packed].map(|folder| {
            let output = command(arguments).current_dir(folder.path()).output().expect("it runs");
            (output.status.code(), text(&output))
        });
        assert!(said[0] == said[1], "{arguments:?}: {:#?}", differing(&said[0].1.0, &said[1].1.0));
        said[0].1.0.clone()
    }
}

/// The first lines that are not the same.
fn differing<'a>(one: &'a str, other: &'a str) -> Option<(&'a str, &'a str)> {
    one.lines().zip(other.lines()).find(|(one, other)| one != other)
}

/// Every capture of ours that is a plain file.
#[test]
fn captures_say_the_same() {
    let folders = ["fixtures/captures", "fixtures/captures/reproduction", "fixtures/captures/pair"];
    let captures: Vec<_> = folders.iter().flat_map(|folder| files(folder, "pcap")).collect();
    assert!(captures.len() > 10, "{captures:?}");
    each(captures, |capture| {
        let octets = std::fs::read(&capture).expect("a capture");
        let both = Both::new(&[("x.pcap", &octets)]);
        for format in ["text", "jsonl", "csv"] {
            both.said(&["x.pcap", "--format", format]);
        }
    });
}

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;
/// Offsets in a record of Ethernet, IPv4 without options, and TCP.
const SOURCE: usize = RECORD_HEADER + 26;
const DESTINATION: usize = SOURCE + 4;
const FLAGS: usize = RECORD_HEADER + 14 + 20 + 13;
const FIN_OR_RST: u8 = 5;

/// A recording in many copies, of which some lose one end's last words, and each loses a packet here and there.
fn left_behind(recording: Recording, packets: u64) -> Vec<u8> {
    let mut whole = Vec::new();
    recorded::multiply(recording, packets, &mut whole).expect("memory");
    let (header, mut rest) = whole.split_at(FILE_HEADER);
    let (mut left, mut number) = (header.to_vec(), 0);
    while rest.len() > RECORD_HEADER {
        let captured = u32::from_le_bytes(rest[8..12].try_into().expect("four octets"));
        let (record, after) = rest.split_at(RECORD_HEADER + captured as usize);
        number += 1;
        // Of the copies, a third is left by the clients, another by the server.
        let (is_end, from_client) = (record[FLAGS] & FIN_OR_RST != 0, record[SOURCE] == 10);
        let client = if from_client { SOURCE + 3 } else { DESTINATION + 3 };
        let never_ends = is_end && record[client] % 3 == u8::from(from_client);
        if !never_ends && number % 1_009 != 0 {
            left.extend(record);
        }
        rest = after;
    }
    left
}

/// More than waits, of every protocol, with many findings: whole, without its beginning, and in two files.
#[test]
fn recordings_say_the_same() {
    each(recorded::ALL, |recording| {
        let capture = left_behind(*recording, 90_000);
        let both = Both::new(&[("x.pcap", &capture)]);
        let said = both.said(&["x.pcap", "--format", "jsonl"]);
        let findings = said.lines().filter(|line| line.contains("\"last_statement\":\"")).count();
        assert!(findings > 0, "{}: nobody is asked for", recording.name);
        both.said(&["x.pcap", "--format", "jsonl", "--threads", "1"]);
        let middle = records_from(&capture, 20_000);
        let late = [&capture[..FILE_HEADER], &capture[middle..]].concat();
        Both::new(&[("x.pcap", &late)]).said(&["x.pcap", "--format", "jsonl"]);
        let first = &capture[..middle];
        let series = Both::new(&[("x.pcap0", first), ("x.pcap1", &late)]);
        series.said(&["x.pcap0", "x.pcap1", "--format", "jsonl"]);
    });
}

/// The place of the record with this number.
fn records_from(capture: &[u8], number: usize) -> usize {
    (0..number).fold(FILE_HEADER, |at, _| {
        let captured =
            u32::from_le_bytes(capture[at + 8..at + 12].try_into().expect("four octets"));
        at + RECORD_HEADER + captured as usize
    })
}
