//! nginx, and what it says before it closes.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use super::capture::Capture;
use super::process::{Process, await_fin, connect, free_port, port_of, until};
use super::{Did, SECRET, common, compare};

const CONFIG: &str = "daemon off; master_process off; pid PID; error_log ERRORS;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path TEMP; proxy_temp_path TEMP; fastcgi_temp_path TEMP;
  uwsgi_temp_path TEMP; scgi_temp_path TEMP;
  server { listen 127.0.0.1:PORT; keepalive_timeout 2s; client_header_timeout 2s; client_body_timeout 2s;
    location / { return 200 ok; } }
}";

fn ask(stream: &mut TcpStream, version: &str, more: &str) {
    let request = format!(
        "GET /users/7/orders?token={SECRET} HTTP/{version}\r\nHost: shop\r\nUser-Agent: tests/1.0\r\n\
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
    if !common::tool("nginx").arg("-v").output().is_ok_and(|output| output.status.success()) {
        return common::skip("nginx");
    }
    let (scratch, port) = (common::Scratch::new(), free_port());
    let in_folder = |name: &str| scratch.path().join(name).to_str().expect("UTF-8").to_owned();
    let config = CONFIG
        .replace("PID", &in_folder("pid"))
        .replace("ERRORS", &in_folder("errors"))
        .replace("TEMP", &in_folder("temp"))
        .replace("PORT", &port.to_string());
    let config = scratch.write("nginx.conf", config.as_bytes());
    let errors = in_folder("errors");
    let nginx = Process::start(common::tool("nginx").args(["-c", &config, "-e", &errors]));
    let Some(_nginx) = nginx else { return common::skip("nginx") };
    until("nginx", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let Some(mut capture) = Capture::start(port) else { return common::skip("tcpdump") };
    let mut kept = Vec::new();
    let mut did = Vec::new();
    let asked = "GET /users/?/orders?";
    for (what, version, more, cause, answered) in [
        ("idle", "1.1", "", "forgotten", true),
        ("the client asks for it", "1.1", "Connection: close\r\n", "close-announced", true),
        ("an old client", "1.0", "", "close-announced", true),
    ] {
        let mut stream = connect(port);
        ask(&mut stream, version, more);
        read_head(&mut stream);
        let said = json!({"last_statement": asked, "answered": answered, "database": "shop",
            "application_name": "tests/1.0", "in_transaction": null});
        did.push(Did { what, port: port_of(&stream), cause, said });
        kept.push(stream);
    }
    kept.iter_mut().for_each(await_fin);
    capture.finish();
    compare(&capture, &format!("http={port}"), "http", &did);
}
