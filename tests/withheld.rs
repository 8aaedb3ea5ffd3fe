//! Octets of which nothing can be learnt are not handed on: what is told of connections stays the same, however short
//! the rounds are after which that is known.

mod common;

use common::talk::{ACK, CLIENT, RST, SECOND, SERVER, START, Talk};
use common::wire::{MICROSECONDS, Record};
use common::{Scratch, closewait, json_lines};
use serde_json::Value;

/// Both ends speak for a while, in no protocol that is read.
fn nonsense(mut talk: Talk) -> Talk {
    for n in 0..12 {
        talk = talk.say(n % 2, &b"neither a greeting nor a command".repeat(10)).wait(1);
    }
    talk
}

/// MySQL goes over to TLS.
fn tls(client: u16) -> Talk {
    let asks = [&0x0008_aa09_u32.to_le_bytes()[..], b"\0\0\0\x01\x2d", &[0; 23]].concat();
    let mut talk = Talk::greeted(client, 3306).packet(CLIENT, 1, &asks);
    talk = talk.say(CLIENT, b"\x16\x03\x01\0\x05hello").say(SERVER, b"\x16\x03\x03\0\x05there");
    nonsense(talk)
}

fn asked(client: u16) -> Talk {
    let talk = Talk::logged_in_by(client, 3306).wait(1).ask("BEGIN", 0x0003).wait(1);
    talk.ask("UPDATE t SET a=1 WHERE id=7", 0x0003).wait(5)
}

/// The same 4-tuple once more, so long after; without its handshake if the capture lost it.
fn again(mut before: Vec<Record>, later: Talk, after: u64, midstream: bool) -> Vec<Record> {
    let records = later.records.into_iter().skip(if midstream { 3 } else { 0 });
    before.extend(records.map(|record| Record { nanos: record.nanos + after * SECOND, ..record }));
    before
}

fn capture() -> Vec<u8> {
    let mut all = Vec::new();
    for n in 0..24 {
        let client = 40_000 + n;
        let mut first =
            if n % 2 == 0 { nonsense(Talk::between(client, 3306)) } else { tls(client) };
        match n % 3 {
            0 => first = first.closed_by_server().closed_by_client(),
            1 => first.send(SERVER, RST | ACK, b""),
            _ => {}
        }
        let mut next = if n % 4 < 2 { asked(client) } else { tls(client) };
        next.next = [500_000, 900_000];
        let next = Talk { records: renumbered(next.records), ..next };
        all.extend(again(first.records, next.closed_by_server(), 20, n % 8 == 7));
        all.extend(asked(client + 100).closed_by_server().records);
    }
    all.sort_by_key(|record| record.nanos);
    all.push(Record::new(START + 300 * SECOND, common::wire::arp()));
    MICROSECONDS.write(1, &all)
}

/// Other numbers, as a new connection has.
fn renumbered(mut records: Vec<Record>) -> Vec<Record> {
    const SEQ: usize = 38;
    for record in &mut records {
        for at in [SEQ, SEQ + 4] {
            let number = u32::from_be_bytes(record.data[at..at + 4].try_into().expect("four"));
            let is_set = at == SEQ || record.data[47] & ACK != 0;
            let moved = if is_set { number.wrapping_add(1_000_000_000) } else { number };
            record.data[at..at + 4].copy_from_slice(&moved.to_be_bytes());
        }
    }
    records
}

#[test]
fn however_short_rounds_are_the_same_is_told() {
    let scratch = Scratch::new();
    let path = scratch.write("x.pcap", &capture());
    let flows = |most: &str, threads: &str| -> Vec<Value> {
        let options = ["--max-flows", most, "--threads", threads];
        let output = closewait(&[&[&path, "--all", "--format", "jsonl"], &options[..]].concat());
        let lines = json_lines(&output).into_iter();
        lines.filter(|line| line["type"] == "flow").collect()
    };
    // All in one round, and a round every 25 packets.
    let whole = flows("1000000", "1");
    let said = whole.iter().filter(|flow| flow["mysql"]["in_transaction"] == true).count();
    assert!(said > 24, "{said}");
    let encrypted = whole.iter().filter(|flow| flow["mysql"]["encrypted"] == true).count();
    assert!(encrypted > 12, "{encrypted}");
    for threads in ["1", "2", "3"] {
        let short = flows("200", threads);
        assert_eq!(short.len(), whole.len());
        for (short, whole) in short.iter().zip(&whole) {
            // Nobody saw it begin, on the 4-tuple of one that spoke TLS: at most, less is known.
            let notes = short["notes"].as_array().expect("notes");
            match notes.contains(&"midstream".into()) {
                true => assert_ne!(short["mysql"]["in_transaction"], false, "{short}"),
                false => assert_eq!(short, whole),
            }
        }
    }
}
