//! Statements of other protocols than MySQL have their lines, too; what is sent after the last of them has no part
//! in it.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::common::{ROOT, Scratch, closewait, command, json_lines, text};
use crate::shop::{
    Program, Server, named, quiet, report, started, statements, until_nothing_is_lost,
};
use crate::{GO, TRACEFS, can_run, go_build};

/// Each protocol's connections.
const EACH: usize = 5;
const PROTOCOLS: [&str; 4] = ["redis", "postgresql", "http", "amqp"];

/// Answers just as much as the program asks.
fn answer(mut client: TcpStream) -> Option<()> {
    let mut asked = [0; 512];
    loop {
        let len = client.read(&mut asked).ok().filter(|len| *len > 0)?;
        let asked = asked.get(..len)?;
        let ready = |state: &[u8; 1]| [&b"Z\0\0\0\x05"[..], state].concat();
        let method = |channel: u8, payload: &[u8]| {
            let head = [1, 0, channel, 0, 0, 0, payload.len() as u8];
            [&head[..], payload, &[0xce]].concat()
        };
        let is_sql = |word: &str| String::from_utf8_lossy(asked).contains(word);
        let answer = match asked {
            [b'*', ..] if is_sql("MULTI") => b"+OK\r\n".to_vec(),
            [b'*', ..] => b"+QUEUED\r\n".to_vec(),
            [0, ..] => [&b"R\0\0\0\x08\0\0\0\0"[..], &ready(b"I")].concat(),
            [b'Q', ..] if is_sql("BEGIN") => [&b"C\0\0\0\x0aBEGIN\0"[..], &ready(b"T")].concat(),
            [b'Q', ..] => [&b"C\0\0\0\x0dUPDATE 1\0"[..], &ready(b"T")].concat(),
            [b'A', b'M', ..] => {
                method(0, b"\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\x05en_US")
            }
            [1, _, _, _, _, _, _, 0, 10, 0, 11, ..] => {
                method(0, b"\0\x0a\0\x1e\x07\xff\0\x02\0\0\0\x3c")
            }
            [1, _, _, _, _, _, _, 0, 20, ..] => method(1, b"\0\x14\0\x0b\0\0\0\0"),
            [1, _, _, _, _, _, _, 0, 50, ..] => {
                method(1, b"\0\x32\0\x0b\x06orders\0\0\0\0\0\0\0\0")
            }
            // The opening comes behind what it agrees to, or by itself.
            [1, ..] if asked.len() < 20 || asked.windows(4).any(|word| word == [0, 10, 0, 40]) => {
                method(0, b"\0\x0a\0\x29\0")
            }
            _ => continue,
        };
        client.write_all(&answer).ok()?;
    }
}

#[test]
fn statements_of_every_protocol_have_their_lines() {
    if !can_run(&[ROOT, GO, TRACEFS]) {
        return;
    }
    let (scratch, _quiet) = (Scratch::new(), quiet());
    let path = go_build(&scratch, "talk", &[]);
    let kept = scratch.path().join("kept.pcapng").display().to_string();
    until_nothing_is_lost(|| {
        let server = Server::of(answer);
        let mut program = Program::start(&path, &server);
        let expression = format!("port {}", server.port);
        let live = ["live", "--code", "-i", "lo", "--min-hold", "500ms", "--format", "jsonl"];
        let live = [&live[..], &["-w", &kept, "--", &expression]].concat();
        let (closewait, _) = started(&mut command(&live), "listening on lo");
        PROTOCOLS.iter().for_each(|protocol| program.leave(protocol, EACH));
        let all = PROTOCOLS.len() * EACH;
        server.leave(all);
        let (rows, summary) = report(closewait, all);
        let lost = summary["code_lost"].as_u64().unwrap_or(0);
        for row in rows.values().filter(|_| lost == 0) {
            let port = row["a"]["port"].as_u64().expect("a port");
            let (said, truth) = (named(row), &program.truth[&port]);
            let truth = truth.iter().map(|(word, place)| (word.clone(), Ok(place.clone())));
            assert!(said.into_iter().eq(truth), "{:?}: {row}", program.truth[&port]);
            let statements = statements(row);
            if program.truth[&port].contains_key("begun") {
                let told = program.asked_by[&port].iter().cloned().map(Ok);
                assert!(statements.iter().map(|(_, by)| by.clone()).eq(told), "{row}");
            }
        }
        lost
    });
    // Redis' transactions are open, so their statements are all told.
    let rows = json_lines(&closewait(&[&kept, "--format", "jsonl"]));
    let redis = rows.iter().find(|row| row["redis"]["in_transaction"] == true).expect("a row");
    let ladder = ["explain", &kept, "--frame", &redis["first"]["frame"].to_string()];
    let (out, _) = text(&closewait(&ladder));
    for by in [", by main.redis main.go:", ", by main.set main.go:"] {
        assert!(out.contains(by), "{out}");
    }
}
