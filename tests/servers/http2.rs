//! nginx without TLS in HTTP/2, and what it says before it closes.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use super::capture::{Capture, flow};
use super::nginx::Nginx;
use super::process::{await_fin, connect, port_of};
use super::{Did, SECRET, common, compare};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32).to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

/// A field that is not packed, and is known from then on.
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8][..], text.as_bytes()].concat();
    [vec![0x40], text(name), text(value)].concat()
}

fn begin(port: u16) -> TcpStream {
    let mut stream = connect(port);
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat()).expect("sent");
    stream
}

fn get(stream: &mut TcpStream, number: u32, path: &str) {
    let fields = [
        vec![0x82, 0x86],
        field(":authority", "shop"),
        field(":path", path),
        field("user-agent", "tests/1.0"),
        field("x-token", SECRET),
    ];
    let head = frame(HEADERS, END_STREAM | END_HEADERS, number, &fields.concat());
    stream.write_all(&head).expect("sent");
}

/// Reads up to the end of an answer.
fn read_answer(stream: &mut TcpStream, number: u32) {
    loop {
        let mut header = [0; 9];
        stream.read_exact(&mut header).expect("a frame");
        let [a, b, c, kind, flags, of @ ..] = header;
        let mut body = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut body).expect("its body");
        let ends = matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
        if ends && u32::from_be_bytes(of) == number {
            return;
        }
    }
}

#[test]
fn what_clients_of_nginx_did_in_http2_is_what_is_read() {
    if !common::is_root() {
        return;
    }
    let Some(mut nginx) = Nginx::start() else { return };
    let port = nginx.two;
    let Some(mut capture) = Capture::start(port) else { return common::skip("tcpdump") };
    let curl = curl(port);
    let said = |last: &str, answered| {
        json!({"last_statement": last, "answered": answered, "database": "shop",
            "application_name": "tests/1.0", "in_transaction": null})
    };
    let (asked, path) = ("GET /users/?/orders?", format!("/users/7/orders?token={SECRET}"));

    let mut idle = begin(port);
    for number in [1, 3] {
        get(&mut idle, number, &path);
        read_answer(&mut idle, number);
    }
    let (what, cause) = ("idle: it says GOAWAY", "close-announced");
    let mut did = vec![Did { what, port: port_of(&idle), cause, said: said(asked, true) }];

    let mut wrong = begin(port);
    get(&mut wrong, 1, &path);
    read_answer(&mut wrong, 1);
    wrong.write_all(&frame(DATA, 0, 0, SECRET.as_bytes())).expect("sent");
    let mut error = said(asked, true);
    error["server_error"] =
        json!({"code": "PROTOCOL_ERROR", "sqlstate": null, "message": "GOAWAY"});
    let what = "data of no stream";
    did.push(Did { what, port: port_of(&wrong), cause: "server-said", said: error });
    [&mut idle, &mut wrong].into_iter().for_each(await_fin);

    let mut open = begin(port);
    get(&mut open, 1, &path);
    read_answer(&mut open, 1);
    get(&mut open, 3, &format!("/silent/7?{SECRET}"));
    let said = said("GET /silent/??", false);
    let what = "a request is open";
    did.push(Did { what, port: port_of(&open), cause: "unanswered", said });
    std::thread::sleep(std::time::Duration::from_millis(200));
    nginx.stop();
    await_fin(&mut open);
    capture.finish();
    if let Some(curl) = curl {
        by_curl(&capture, port, curl);
    }
    compare(&capture, "http2", &format!("http={port}"), "http", &did);
}

/// Asks in its own words, packed; its port.
fn curl(port: u16) -> Option<u16> {
    let output = common::tool("curl")
        .args(["-sS", "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{local_port}"])
        .arg(format!("http://127.0.0.1:{port}/cart/{SECRET}/items"))
        .output();
    let Ok(output) = output else {
        common::skip("curl");
        return None;
    };
    let (out, err) = common::text(&output);
    Some(out.trim().parse().unwrap_or_else(|_| panic!("{out} {err}")))
}

fn by_curl(capture: &Capture, port: u16, from: u16) {
    let all = capture.report(None, &format!("http={port}"));
    let said = &flow(&all, from)["http"];
    assert_eq!(said["last_statement"], "GET /cart/?/items", "{said}");
    assert_eq!(said["answered"], true, "{said}");
    let names = ["application_name", "server"].map(|key| said[key].as_str().unwrap_or_default());
    assert!(names[0].starts_with("curl/") && names[1].starts_with("nginx/"), "{said}");
    // It is known by its first octets, too.
    let all = capture.report(None, "http=1");
    assert_eq!(flow(&all, from)["http"], *said);
}
