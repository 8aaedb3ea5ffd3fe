//! A broker of Kafka's kind: no real one is to be had from Debian, so an imitation answers, by the numbers
//! of requests, and closes like one.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::json;

use super::capture::{Capture, flow};
use super::process::{await_fin, connect, port_of};
use super::{Did, SECRET, common, compare};

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const METADATA: i16 = 3;
const OFFSET_COMMIT: i16 = 8;
const SASL_HANDSHAKE: i16 = 17;
const API_VERSIONS: i16 = 18;
const SASL_AUTHENTICATE: i16 = 36;

/// Its `connections.max.idle.ms`.
const IDLE: Duration = Duration::from_millis(1_200);

fn frame(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}

fn read_frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut len = [0; 4];
    stream.read_exact(&mut len).ok()?;
    let mut body = vec![0; u32::from_be_bytes(len) as usize];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

/// Answers until nobody asks, or something is asked that it never answers.
fn serve(mut stream: TcpStream) {
    stream.set_read_timeout(Some(IDLE)).expect("a timeout");
    while let Some(body) = read_frame(&mut stream) {
        let key = i16::from_be_bytes([body[0], body[1]]);
        let rest: &[u8] = match key {
            OFFSET_COMMIT | FETCH => continue,
            PRODUCE if body.ends_with(b"\0\0") => continue,
            SASL_AUTHENTICATE => &[0, 58, 0xff, 0xff],
            _ => &[0; 60],
        };
        stream.write_all(&frame(&[&body[4..8], rest].concat())).expect("answered");
        if key == SASL_AUTHENTICATE {
            break;
        }
    }
    stream.shutdown(Shutdown::Write).ok();
    // The client keeps its socket: so long does this end wait.
    stream.read_to_end(&mut Vec::new()).ok();
}

fn ask(stream: &mut TcpStream, number: i32, key: i16, version: i16, rest: &[u8]) {
    let head = [&key.to_be_bytes()[..], &version.to_be_bytes(), &number.to_be_bytes()].concat();
    stream.write_all(&frame(&[&head[..], b"\0\x06orders", rest].concat())).expect("sent");
}

fn answer(stream: &mut TcpStream) {
    read_frame(stream).expect("an answer");
}

/// A connection on which clients begin as they do.
fn begin(port: u16) -> TcpStream {
    let mut stream = connect(port);
    ask(&mut stream, 0, API_VERSIONS, 3, b"\0\x0blibrdkafka\x062.3.0\0");
    answer(&mut stream);
    ask(&mut stream, 1, METADATA, 7, format!("\0\0\0\x01\0\x0b{SECRET}").as_bytes());
    answer(&mut stream);
    stream
}

#[test]
fn what_clients_of_an_imitated_broker_did_is_what_is_read() {
    if !common::is_root() {
        return;
    }
    let broker = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = broker.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        broker.incoming().flatten().for_each(|stream| drop(std::thread::spawn(|| serve(stream))));
    });
    let Some(mut capture) = Capture::start(port) else { return common::skip("tcpdump") };
    let (mut did, mut kept) = (Vec::new(), Vec::new());
    let said = |last: &str, answered: Option<bool>| {
        json!({"last_statement": last, "answered": answered, "application_name": "orders",
            "driver": "librdkafka 2.3.0", "in_transaction": null})
    };
    let secret = SECRET.as_bytes();
    for (what, key, version, rest, cause, answered) in [
        ("idle", METADATA, 7, &b""[..], "forgotten", Some(true)),
        ("a consumer", FETCH, 4, secret, "subscribed", Some(false)),
        ("a request is open", OFFSET_COMMIT, 2, secret, "unanswered", Some(false)),
        ("nobody is to answer", PRODUCE, 3, &b"\xff\xff\0\0"[..], "forgotten", None),
        ("somebody is to answer", PRODUCE, 3, &b"\xff\xff\0\x01"[..], "forgotten", Some(true)),
    ] {
        let mut stream = begin(port);
        ask(&mut stream, 2, key, version, rest);
        let name = match key {
            METADATA => "Metadata",
            FETCH => "Fetch",
            PRODUCE => "Produce",
            _ => "OffsetCommit",
        };
        did.push(Did { what, port: port_of(&stream), cause, said: said(name, answered) });
        kept.push(stream);
    }
    let mut refused = begin(port);
    ask(&mut refused, 2, SASL_HANDSHAKE, 1, b"\0\x05PLAIN");
    answer(&mut refused);
    let token = format!("\0alice\0{SECRET}");
    let token = [&(token.len() as u32).to_be_bytes()[..], token.as_bytes()].concat();
    ask(&mut refused, 3, SASL_AUTHENTICATE, 0, &token);
    let said = json!({"last_statement": "SaslAuthenticate", "user": "alice", "server_error":
        {"code": "SASL_AUTHENTICATION_FAILED", "sqlstate": null, "message": "login"}});
    let what = "the login is refused";
    did.push(Did { what, port: port_of(&refused), cause: "not-logged-in", said });
    kept.push(refused);
    kept.iter_mut().for_each(await_fin);
    capture.finish();
    // It is known by its first octets, too.
    for did in &did {
        let all = capture.report(None, "http=1");
        let flow = flow(&all, did.port);
        assert_eq!(flow["cause"], did.cause, "{}: {flow}", did.what);
    }
    compare(&capture, "kafka", &format!("kafka={port}"), "kafka", &did);
}
