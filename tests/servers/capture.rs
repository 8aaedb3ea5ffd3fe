//! A capture of what happens at a port, and what the program says of it.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::common;
use super::process::{Process, until};

/// A datagram that is sent when all was done: where it is in the file, all before it is, too.
const LAST: &[u8] = b"end of the capture";

/// Octets of headers before a datagram's own on loopback: of a record, Ethernet, IPv4 and UDP.
const HEADERS: usize = 16 + 14 + 20 + 8;

pub struct Capture {
    scratch: common::Scratch,
    port: u16,
    tcpdump: Option<Process>,
}

impl Capture {
    /// `None`: only root can.
    pub fn start(port: u16) -> Option<Capture> {
        let scratch = common::Scratch::new();
        let into = scratch.path().join("all.pcap");
        let tcpdump = Process::start(
            common::tool("tcpdump")
                .args([
                    "-i",
                    "lo",
                    "-U",
                    "-s",
                    "0",
                    "-B",
                    "131072",
                    "--immediate-mode",
                    "-Z",
                    "root",
                    "-w",
                ])
                .arg(&into)
                .args(["port", &port.to_string()]),
        );
        until("tcpdump", || std::fs::metadata(&into).map_or(0, |file| file.len()) >= 24);
        Some(Capture { scratch, port, tcpdump: Some(tcpdump?) })
    }

    /// Ends it when all is written: the kernels' late acknowledgements, too.
    pub fn finish(&mut self) {
        std::thread::sleep(Duration::from_millis(1_200));
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.send_to(LAST, ("127.0.0.1", self.port)).expect("loopback");
        let path = self.path();
        let written = || std::fs::read(&path).expect("a capture");
        until("the last datagram in the capture", || last_datagram(&written()).is_some());
        self.tcpdump = None;
        let mut bytes = written();
        let at = last_datagram(&bytes).expect("it was there");
        bytes.drain(at - HEADERS..at + LAST.len());
        std::fs::write(path, bytes).expect("a file");
    }

    pub fn path(&self) -> PathBuf {
        self.scratch.path().join("all.pcap")
    }

    /// The same with no more than `snap` octets of each packet.
    fn cut(&self, snap: Option<usize>) -> String {
        let bytes = std::fs::read(self.path()).expect("a capture");
        let (head, mut rest) = bytes.split_at(24);
        let mut out = head.to_vec();
        while let Some((header, after)) = rest.split_first_chunk::<16>() {
            let len = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four"));
            let (data, after) = after.split_at(len(8) as usize);
            let data = &data[..data.len().min(snap.unwrap_or(usize::MAX))];
            out.extend(&header[..8]);
            out.extend((data.len() as u32).to_le_bytes());
            out.extend(&header[12..]);
            out.extend(data);
            rest = after;
        }
        self.scratch.write(&format!("cut-{}.pcap", snap.unwrap_or(0)), &out)
    }

    /// In the folder `CLOSEWAIT_KEEP`, where one is named: so `fixtures/captures` are made.
    pub fn keep(&self, name: &str) {
        if let Some(folder) = std::env::var_os("CLOSEWAIT_KEEP") {
            let path = PathBuf::from(folder).join(format!("{name}.pcap"));
            std::fs::copy(self.path(), path).expect("a folder");
        }
    }

    fn run(&self, snap: Option<usize>, args: &[&str]) -> std::process::Output {
        let file = self.cut(snap);
        let args: Vec<&str> = [&[&*file, "--local", "127.0.0.1"], args].concat();
        common::closewait(&args)
    }

    pub fn report(&self, snap: Option<usize>, port: &str) -> Vec<Value> {
        common::json_lines(&self.run(snap, &["--all", "--format", "jsonl", "--port", port]))
    }

    /// No output has it.
    pub fn shows_no(&self, secret: &str, port: &str) {
        let all: [&[&str]; 6] = [
            &["--top", "0"],
            &["--all", "--format", "jsonl"],
            &["--all", "--format", "csv"],
            &["--all", "--folded"],
            &["--explain"],
            &["--prometheus", "-"],
        ];
        for args in all {
            let output = self.run(None, &[args, &["--port", port]].concat());
            let (out, err) = common::text(&output);
            assert!(
                !out.contains(secret) && !err.contains(secret),
                "{args:?} shows a value:\n{out}"
            );
        }
    }
}

/// The connection from a port of ours.
pub fn flow(lines: &[Value], port: u16) -> &Value {
    let of = |line: &&Value| line["a"]["port"] == port || line["b"]["port"] == port;
    lines.iter().filter(|line| line["type"] == "flow").find(of).expect("it was captured")
}

/// Where its octets begin.
fn last_datagram(capture: &[u8]) -> Option<usize> {
    capture.windows(LAST.len()).rposition(|octets| octets == LAST)
}
