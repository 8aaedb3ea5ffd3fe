//! Captures that were changed on their way here: by a transfer as text, or by what their writer said beside them.

mod common;

use common::scenario::Scenario;
use common::wire::MICROSECONDS;
use common::{Scratch, closewait, text};

fn leak() -> Vec<u8> {
    let path = common::project("fixtures/scenarios/leak.scn");
    let mut records = Scenario::read(&path).expect("a scenario").records();
    records = std::iter::repeat_n(records, 20).flatten().collect();
    records.iter_mut().for_each(|record| record.nanos = 1_700_000_000_800_000_000);
    MICROSECONDS.write(1, &records)
}

/// Each line feed became two octets (FTP in text mode, a terminal between): the records no longer stand where their
/// lengths say, which is no end of a file.
#[test]
fn a_transfer_as_text_is_no_end_of_the_file() {
    let scratch = Scratch::new();
    let mut capture = leak();
    // A line feed in the first packet's contents.
    let first = 24 + 16;
    capture[first + 50] = b'\n';
    let carried: Vec<u8> = capture
        .iter()
        .enumerate()
        .flat_map(|(at, b)| match b {
            b'\n' if at > 24 => vec![b'\r', b'\n'],
            b => vec![*b],
        })
        .collect();
    let output = closewait(&[&scratch.write("carried.pcap", &carried)]);
    let err = text(&output).1;
    assert!(err.contains("corrupt after 1 packet"), "{err}");
    assert_eq!(output.status.code(), Some(2), "{err}");
}

/// `tcpdump -w - > x.pcap 2>&1`, or `kubectl exec -t`.
#[test]
fn a_capture_behind_what_tcpdump_said_is_named() {
    let scratch = Scratch::new();
    let said =
        b"tcpdump: listening on eth0, link-type EN10MB (Ethernet), snapshot length 262144 bytes\n";
    let path = scratch.write("said.pcap", &[said, &*leak()].concat());
    let output = closewait(&[&path]);
    let err = text(&output).1;
    assert!(err.contains(&format!("tail -c +{} FILE | closewait -", said.len() + 1)), "{err}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_unpacks_a_capture_is_said() {
    let scratch = Scratch::new();
    for (name, start, remedy) in [
        ("x.lzma", &b"\x5d\0\0\x80\0"[..], "xz -dc"),
        ("x.Z", b"\x1f\x9d\x90\xd4\xc3", "gzip -dc"),
        ("x.lz", b"LZIP\x01", "lzip -dc"),
        ("x.sz", b"\xff\x06\0\0sNaPpY", "snzip -dc"),
    ] {
        let path = scratch.write(name, &[start, &[0x80; 100]].concat());
        let output = closewait(&[&path]);
        let err = text(&output).1;
        assert!(err.contains(remedy), "{name}: {err}");
        assert_eq!(output.status.code(), Some(2));
    }
}
