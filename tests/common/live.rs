//! `closewait live` on the loopback interface while it runs, and connections of this process's own.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::common::command;

/// A server whose clients are left behind.
pub struct Server(TcpListener);

impl Server {
    pub fn new() -> Server {
        Server::at("127.0.0.1:0")
    }

    pub fn at(address: &str) -> Server {
        Server(TcpListener::bind(address).expect("a port"))
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().expect("an address").port()
    }

    /// The server's side of a client that has connected.
    pub fn served(&self) -> TcpStream {
        self.0.accept().expect("a client").0
    }

    /// A client, and the server's side of it.
    pub fn accepted(&self) -> (TcpStream, TcpStream) {
        let client =
            TcpStream::connect(self.0.local_addr().expect("an address")).expect("a client");
        (client, self.served())
    }

    /// A client that has been answered, and the server's side of it.
    pub fn connected(&self) -> (TcpStream, TcpStream) {
        let (mut client, mut served) = self.accepted();
        let mut octet = [0];
        client.write_all(b"q").expect("an open connection");
        served.read_exact(&mut octet).expect("an open connection");
        served.write_all(b"a").expect("an open connection");
        client.read_exact(&mut octet).expect("an open connection");
        (client, served)
    }

    /// A client whose server has closed.
    pub fn left_behind(&self) -> TcpStream {
        self.connected().0
    }
}

/// `closewait live` while it runs.
pub struct Watcher {
    pub child: Child,
    pub lines: BufReader<ChildStdout>,
}

impl Watcher {
    /// Starts it and waits until it listens.
    pub fn start(port: u16, more: &[&str]) -> Watcher {
        let expression = format!("port {port}");
        let arguments = ["live", "-i", "lo", "--format", "jsonl"];
        let soon: &[&str] =
            if more.contains(&"--min-hold") { &[] } else { &["--min-hold", "500ms"] };
        Watcher::with(&[&arguments[..], soon, more, &["--", &expression]].concat())
    }

    /// Starts it with these arguments alone, and waits until it listens.
    pub fn with(arguments: &[&str]) -> Watcher {
        let mut child = command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut said = BufReader::new(child.stderr.take().expect("piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        assert!(line.contains("listening on lo"), "{line}");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Watcher { child, lines }
    }

    pub fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Interrupts it. The rest of its lines, and its exit status.
    pub fn stop(mut self) -> (Vec<Value>, Option<i32>) {
        signal("-INT", self.child.id());
        let rest = (&mut self.lines).lines().map(|line| line.expect("a line"));
        let rest = rest.map(|line| serde_json::from_str(&line).expect("JSON")).collect();
        (rest, self.child.wait().expect("it ends").code())
    }
}

pub fn port_of(value: &Value) -> u64 {
    let holder = value["holder"].as_str().expect("a holder");
    value[holder]["port"].as_u64().expect("a port")
}

pub fn signal(name: &str, pid: u32) {
    let status = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(status.expect("kill runs").success());
}
