//! Redis, and clients that leave their connections.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use super::capture::Capture;
use super::process::{Process, await_fin, connect, free_port, port_of, until};
use super::{Did, SECRET, common, compare};

/// Sends a command as clients do, and reads as many lines of an answer.
fn ask(stream: &mut TcpStream, line: &str, lines: usize) {
    let words: Vec<&str> = line.split(' ').collect();
    let each = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let command = format!("*{}\r\n{}", words.len(), each.collect::<String>());
    stream.write_all(command.as_bytes()).expect("sent");
    let mut octet = [0];
    let mut left = lines;
    while left > 0 {
        stream.read_exact(&mut octet).expect("an answer");
        left -= usize::from(octet[0] == b'\n');
    }
}

/// The server's own view of its clients.
fn list(port: u16) -> String {
    let mut stream = connect(port);
    stream.write_all(b"CLIENT LIST\r\nQUIT\r\n").expect("sent");
    let mut all = String::new();
    stream.read_to_string(&mut all).expect("an answer");
    all
}

#[test]
fn what_clients_of_redis_did_is_what_is_read() {
    if !common::is_root() {
        return;
    }
    let (scratch, port) = (common::Scratch::new(), free_port());
    let folder = scratch.path().to_str().expect("UTF-8").to_owned();
    let server = Process::start(common::tool("redis-server").args([
        "--port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--dir",
        &folder,
        "--save",
        "",
        "--timeout",
        "2",
    ]));
    let Some(_server) = server else { return common::skip("redis-server") };
    until("redis", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let Some(mut capture) = Capture::start(port) else { return common::skip("tcpdump") };
    let (mut did, mut kept) = (Vec::new(), Vec::new());
    let long = "x".repeat(600);
    let set = format!("SET {SECRET} {SECRET}{long}");
    type Step<'a> = (&'a str, usize);
    let all: [(&str, &[Step], &str, serde_json::Value); 8] = [
        (
            "idle",
            &[("SELECT 3", 1), ("CLIENT SETNAME web", 1), (&set, 1)],
            "forgotten",
            json!({"database": "3", "application_name": "web", "last_statement": "SET", "answered": true,
                "in_transaction": false, "statements": []}),
        ),
        (
            "a transaction",
            &[("MULTI", 1), (&set, 1), ("INCR n", 1)],
            "transaction-open",
            json!({"database": "0", "last_statement": "INCR", "in_transaction": true,
                "statements": ["MULTI", "SET", "INCR"]}),
        ),
        (
            "a transaction of the third version",
            &[("HELLO 3", 26), ("MULTI", 1), (&set, 1)],
            "transaction-open",
            json!({"in_transaction": true, "statements": ["MULTI", "SET"]}),
        ),
        (
            "an ended transaction",
            &[("MULTI", 1), (&set, 1), ("EXEC", 2)],
            "forgotten",
            json!({"in_transaction": false, "last_statement": "EXEC", "statements": []}),
        ),
        (
            "a discarded transaction",
            &[("MULTI", 1), (&set, 1), ("DISCARD", 1), ("HGETALL h", 1)],
            "forgotten",
            json!({"in_transaction": false, "last_statement": "HGETALL"}),
        ),
        (
            "a subscriber",
            &[("SUBSCRIBE news", 6)],
            "subscribed",
            json!({"last_statement": "SUBSCRIBE", "in_transaction": false}),
        ),
        (
            "a worker",
            &[("BLPOP jobs 0", 0)],
            "subscribed",
            json!({"last_statement": "BLPOP", "answered": false}),
        ),
        (
            "a reader of a stream",
            &[("XREAD COUNT 9 BLOCK 0 STREAMS log $", 0)],
            "subscribed",
            json!({"last_statement": "XREAD BLOCK", "answered": false}),
        ),
    ];
    for (what, steps, cause, said) in all {
        let mut stream = connect(port);
        steps.iter().for_each(|(line, lines)| ask(&mut stream, line, *lines));
        did.push(Did { what, port: port_of(&stream), cause, said });
        kept.push(stream);
    }
    let clients = list(port);
    let client = |at: usize| {
        let of = format!("addr=127.0.0.1:{} ", did[at].port);
        clients.lines().find(|line| line.contains(&of)).expect("it is listed")
    };
    let has = |at: usize, words: &[&str]| words.iter().all(|word| client(at).contains(word));
    assert!(has(0, &["name=web ", "db=3 ", "multi=-1 "]), "{}", client(0));
    assert!(has(1, &["multi=2 "]) && has(2, &["multi=1 "]) && has(3, &["multi=-1 "]), "{clients}");
    assert!(has(5, &["sub=1 "]) && has(6, &["cmd=blpop "]) && has(7, &["cmd=xread "]), "{clients}");
    // No timeout ends who waits for messages.
    let mut administrator = connect(port);
    std::thread::sleep(std::time::Duration::from_millis(500));
    for did in &did[5..] {
        ask(&mut administrator, &format!("CLIENT KILL ADDR 127.0.0.1:{}", did.port), 1);
    }
    kept.iter_mut().for_each(await_fin);
    drop(administrator);
    capture.finish();
    compare(&capture, "redis", &format!("redis={port}"), "redis", &did);
}
