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

/// A thousand connections that were none of MySQL's, and one that its client left after the server's FIN.
fn others(last: Talk) -> Vec<u8> {
    let mut all = Vec::new();
    for n in 0..1_200 {
        let talk = Talk::between(10_000 + n, 3306).say(CLIENT, b"neither a command");
        let talk = talk.say(SERVER, b"nor a greeting").closed_by_server().closed_by_client();
        let later = u64::from(n) * 10_000_000;
        all.extend(talk.records.into_iter().map(|it| Record { nanos: it.nanos + later, ..it }));
    }
    let later = 30 * SECOND;
    all.extend(last.records.into_iter().map(|it| Record { nanos: it.nanos + later, ..it }));
    all.push(Record::new(START + 300 * SECOND, common::wire::arp()));
    all.sort_by_key(|record| record.nanos);
    MICROSECONDS.write(1, &all)
}

/// Where nobody speaks MySQL on its port, a connection that says nothing is none of it, and one that greets is. In one
/// round, none of that is known before its end.
#[test]
fn a_port_that_is_used_for_something_else_tells_nothing() {
    let scratch = Scratch::new();
    let greeted = scratch.write("greeted.pcap", &others(asked(40_000).closed_by_server()));
    let silent = Talk::between(40_000, 3306).wait(1).closed_by_server();
    let silent = scratch.write("silent.pcap", &others(silent));
    let leak = |path: &str, options: &[&str]| -> Value {
        let output = closewait(&[&[path, "--format", "jsonl"], options].concat());
        let lines = json_lines(&output);
        let leak = lines.iter().find(|line| line["verdict"] == "leak");
        leak.expect("a finding").clone()
    };
    for short in [&[][..], &["--max-flows", "800"]] {
        assert_eq!(leak(&greeted, short)["mysql"]["in_transaction"], true);
        let asked_for = [short, &["--mysql", "3306"]].concat();
        assert_eq!(leak(&silent, &asked_for)["cause"], "not-logged-in");
    }
    assert_eq!(leak(&silent, &["--max-flows", "800"])["mysql"], Value::Null);
}

/// A RST has ended these, after their clients took their leave of a service that had closed, or asked it once more. What
/// was said on them has waited for many rounds by the end, and still tells the two apart.
#[test]
fn what_waits_for_long_tells_a_leave_from_a_late_request() {
    let mut all = Vec::new();
    for n in 0..12 {
        let talk = Talk::logged_in_by(41_000 + n, 3306).ask("SELECT 1", 2).wait(60);
        let talk = talk.closed_by_server();
        let mut talk = match n % 2 {
            0 => talk.packet(CLIENT, 0, &[1]),
            _ => talk.packet(CLIENT, 0, b"\x03SELECT 2"),
        };
        talk.send(SERVER, RST | ACK, b"");
        all.extend(talk.records);
    }
    for n in 0..8 {
        let mut talk = Talk::logged_in_by(42_000 + n, 3306).wait(70);
        for _ in 0..40 {
            talk = talk.ask("SELECT 3", 2);
        }
        all.extend(talk.closed_by_client().closed_by_server().records);
    }
    all.sort_by_key(|record| record.nanos);
    let scratch = Scratch::new();
    let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &all));
    let race = |most: &str| {
        let output = closewait(&[&path, "--format", "jsonl", "--max-flows", most]);
        let summary = json_lines(&output).pop().expect("a summary");
        summary["closes"][0]["keep_alive_race"].clone()
    };
    let whole = race("1000000");
    assert_eq!(whole["late"], 6, "{whole}");
    assert_eq!(race("200"), whole);
}
