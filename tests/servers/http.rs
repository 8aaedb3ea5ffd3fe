//! nginx, and what it says before it closes.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use super::capture::Capture;
use super::nginx::Nginx;
use super::process::{await_fin, connect, port_of};
use super::{Did, SECRET, common, compare};

fn ask(stream: &mut TcpStream, path: &str, version: &str, more: &str) {
    let request = format!(
        "GET {path}?token={SECRET} HTTP/{version}\r\nHost: shop\r\nUser-Agent: tests/1.0\r\n\
         X-Token: {SECRET}\r\n{more}\r\n"
    );
    stream.write_all(request.as_bytes()).expect("sent");
}

fn read_head(stream: &mut TcpStream) {
    let mut all = Vec::new();
    let mut octet = [0];
    while !all.ends_with(b"\r\n\r\nok") {
        stream.read_exact(&mut octet).expect("an answer");
        all.push(octet[0]);
    }
}

#[test]
fn what_clients_of_nginx_did_is_what_is_read() {
    if !common::is_root() {
        return;
    }
    let Some(mut nginx) = Nginx::start() else { return };
    let port = nginx.one;
    let Some(mut capture) = Capture::start(port) else { return common::skip("tcpdump") };
    let mut kept = Vec::new();
    let mut did = Vec::new();
    for (what, version, more, cause) in [
        ("idle", "1.1", "", "forgotten"),
        ("the client asks for it", "1.1", "Connection: close\r\n", "close-announced"),
        ("an old client", "1.0", "", "close-announced"),
    ] {
        let mut stream = connect(port);
        ask(&mut stream, "/users/7/orders", version, more);
        read_head(&mut stream);
        let said = json!({"last_statement": "GET /users/?/orders?", "answered": true,
            "database": "shop", "application_name": "tests/1.0", "in_transaction": null});
        did.push(Did { what, port: port_of(&stream), cause, said });
        kept.push(stream);
    }
    kept.iter_mut().for_each(await_fin);
    let mut waiting = connect(port);
    ask(&mut waiting, "/silent/7", "1.1", "");
    let said = json!({"last_statement": "GET /silent/??", "answered": false});
    let port_of_waiting = port_of(&waiting);
    did.push(Did { what: "a request is open", port: port_of_waiting, cause: "unanswered", said });
    std::thread::sleep(std::time::Duration::from_millis(200));
    nginx.stop();
    await_fin(&mut waiting);
    capture.finish();
    compare(&capture, "http", &format!("http={port}"), "http", &did);
}
