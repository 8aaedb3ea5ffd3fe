//! `--code` held against programs that say where they leave their sockets: no name may be wrong.
//!
//! The programs are Go's, in `fixtures/code`; their server is here, and answers just as much as they ask.
#![cfg(all(feature = "libpcap", feature = "code"))]

mod common;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{BINARY, NETNS, Need, ROOT, Scratch, command, lacks, project, skip, tool};
use serde_json::Value;

const GO: Need = ("go", "go", &["version"]);
const DRIVER: Need = ("go", "ls", &["/usr/share/gocode/src/github.com/go-sql-driver/mysql"]);
const TRACEFS: Need = ("tracefs", "sh", &["-c", MOUNTED]);
const SETPRIV: Need = ("setpriv", "setpriv", &["--version"]);

const MOUNTED: &str = "test -e /sys/kernel/tracing/events/sock/sock_send_length \
                       || mount -t tracefs tracefs /sys/kernel/tracing \
                       && test -e /sys/kernel/tracing/events/sock/sock_send_length";

/// Whether a test that needs all this can run; if not, it has been said.
fn can_run(needs: &[Need]) -> bool {
    let missing = lacks(needs);
    missing.iter().for_each(|name| skip(name));
    missing.is_none()
}

/// A server that speaks MySQL as far as a driver asks, until it leaves all its clients.
struct Server {
    port: u16,
    clients: Arc<Mutex<Vec<TcpStream>>>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let clients = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&clients);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                all.lock().expect("whole").push(client.try_clone().expect("a descriptor"));
                thread::spawn(move || answer(client));
            }
        });
        Server { port, clients }
    }

    /// Closes its side of so many connections, once it has them all.
    fn leave(&self, number: usize) {
        while self.clients.lock().expect("whole").len() < number {
            thread::sleep(Duration::from_millis(5));
        }
        for client in self.clients.lock().expect("whole").iter() {
            client.shutdown(Shutdown::Write).expect("an open connection");
        }
    }
}

/// A packet: three octets of length, one that counts, the payload.
fn packet(seq: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u32).to_le_bytes();
    [&len[..3], &[seq], payload].concat()
}

/// Greets, and says OK to whatever comes: in a transaction from the first START TRANSACTION on.
fn answer(mut client: TcpStream) -> Option<()> {
    let greeting = b"\x0a8.0.36\0\x07\0\0\0abcdefgh\0\x8d\xa2\x2d\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0mysql_native_password\0";
    client.write_all(&packet(0, greeting)).ok()?;
    let mut status = 2;
    loop {
        let mut header = [0; 4];
        client.read_exact(&mut header).ok()?;
        let [a, b, c, seq] = header;
        let mut payload = vec![0; u32::from_le_bytes([a, b, c, 0]) as usize];
        client.read_exact(&mut payload).ok()?;
        if payload.starts_with(b"\x03START TRANSACTION") {
            status |= 1;
        }
        client.write_all(&packet(seq + 1, &[0, 0, 0, status, 0, 0, 0])).ok()?;
    }
}

/// A program that leaves sockets behind when it is told to.
struct Program {
    child: Child,
    asked: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    /// What it did where, by the port of the connection: the truth.
    truth: BTreeMap<u64, BTreeMap<String, Place>>,
    ready: Vec<u64>,
}

/// A function and a line.
type Place = (String, u64);

impl Program {
    fn start(path: &Path, server: &Server) -> Program {
        let mut child = Command::new(path)
            .arg(format!("127.0.0.1:{}", server.port))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let asked = child.stdin.take().expect("piped");
        let said = BufReader::new(child.stdout.take().expect("piped")).lines();
        Program { child, asked, said, truth: BTreeMap::new(), ready: Vec::new() }
    }

    /// Has it leave so many connections, and waits until it has.
    fn leave(&mut self, place: &str, number: usize) {
        writeln!(self.asked, "{place} {number}").expect("it listens");
        while self.take_line() != "done" {}
    }

    /// Learns what it says next; returns what it did.
    fn take_line(&mut self) -> String {
        let line = self.said.next().expect("a line").expect("a line");
        let words: Vec<&str> = line.split(' ').collect();
        let what = words[1].to_owned();
        match (what.as_str(), &words[2..]) {
            ("ready", _) => self.ready.push(words[0].parse().expect("a port")),
            ("later", [function, line]) => {
                let port = self.ready.remove(0);
                for what in ["begun", "asked"] {
                    self.learn(port, what, function, line);
                }
            }
            (what, [function, line]) => {
                self.learn(words[0].parse().expect("a port"), what, function, line);
            }
            _ => {}
        }
        what
    }

    fn learn(&mut self, port: u64, what: &str, function: &str, line: &str) {
        let place = (function.to_owned(), line.parse().expect("a line"));
        self.truth.entry(port).or_default().insert(what.to_owned(), place);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, built with these flags.
fn built(scratch: &Scratch, flags: &[&str]) -> PathBuf {
    let path = scratch.path().join("shop");
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-cache");
    let status = Command::new("go")
        .args(["build", "-o"])
        .arg(&path)
        .args(flags)
        .arg(".")
        .current_dir(project("fixtures/code/shop"))
        .envs([("GO111MODULE", "off"), ("GOPATH", "/usr/share/gocode"), ("GOFLAGS", "")])
        .env("GOCACHE", cache)
        .status();
    assert!(status.expect("go runs").success());
    path
}

/// `closewait live --code` on the port, once it listens; and what it said until then.
fn watching(port: u16, more: &[&str]) -> (Child, Vec<String>) {
    let expression = format!("port {port}");
    let port = port.to_string();
    let arguments = ["live", "--code", "-i", "lo", "--min-hold", "500ms", "--format", "jsonl"];
    let arguments = [&arguments[..], &["--mysql", &port], more, &["--", &expression]].concat();
    let mut child = command(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut said = Vec::new();
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    while !said.last().is_some_and(|line: &String| line.contains("listening on lo")) {
        said.push(lines.next().expect("a line").expect("a line"));
    }
    // It goes on to be read, so that nothing waits.
    thread::spawn(move || lines.for_each(drop));
    (child, said)
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

/// The keys of events, and the program's words for them.
const WORDS: [(&str, &str); 4] = [
    ("begun by", "begun"),
    ("last asked", "asked"),
    ("connected by", "connected"),
    ("read its end-of-file", "ended"),
];

/// What was named on a finding: a place, or why not.
fn named(row: &Value) -> BTreeMap<String, Result<Place, String>> {
    let mut named = BTreeMap::new();
    for event in row["code"].as_array().unwrap_or_else(|| panic!("no code: {row}")) {
        let word = WORDS.iter().find(|(key, _)| event["event"] == **key).expect("a known event").1;
        let place = match event["function"].as_str() {
            Some(function) => Ok((function.to_owned(), event["line"].as_u64().unwrap_or(0))),
            None => Err(event["unknown"].as_str().unwrap_or("nobody's own").to_owned()),
        };
        named.insert(word.to_owned(), place);
    }
    named
}

/// Leaves connections at every place, begun before and after arming, and holds what is named against what the
/// program says: nothing may be wrong, and nothing unknown that was seen.
fn assert_named(flags: &[&str], more: &[&str]) {
    const EACH: usize = 40;
    let scratch = Scratch::new();
    let (path, server) = (built(&scratch, flags), Server::start());
    let mut program = Program::start(&path, &server);
    program.leave("ready", EACH);
    program.leave("update", EACH);
    let before: Vec<u64> = program.truth.keys().copied().collect();
    let (closewait, said) = watching(server.port, more);
    assert!(said.iter().any(|line| line.contains("--code: each send")), "{said:?}");
    for place in ["update", "inlined", "closure", "generic", "worker", "forget", "later"] {
        program.leave(place, EACH);
    }
    server.leave(8 * EACH);
    for _ in 0..EACH {
        program.take_line();
    }
    let rows = findings(closewait, 8 * EACH);
    let (mut right, mut unknown) = (0, 0);
    for row in rows.values() {
        let port = row["a"]["port"].as_u64().filter(|port| *port != u64::from(server.port));
        let port = port.or(row["b"]["port"].as_u64()).expect("a port");
        let truth = program.truth.remove(&port).unwrap_or_else(|| panic!("no leak: {row}"));
        let named = named(row);
        if before.contains(&port) {
            assert!(named.values().all(Result::is_err), "nobody has seen it: {row}");
            continue;
        }
        assert!(named.keys().eq(truth.keys()), "{named:?} is not {truth:?}: {row}");
        for (word, place) in &truth {
            match &named[word] {
                Ok(found) => {
                    assert_eq!(found, place, "{word}: {row}");
                    right += 1;
                }
                Err(why) => {
                    eprintln!("{word} {place:?}: {why}");
                    unknown += 1;
                }
            }
        }
    }
    assert!(program.truth.is_empty(), "not found: {:?}", program.truth);
    assert!(right == 13 * EACH && unknown == 0, "{right} named, {unknown} unknown");
}

/// The findings of the report in the end, by their names; that many are waited for.
fn findings(mut closewait: Child, number: usize) -> BTreeMap<String, Value> {
    let lines = BufReader::new(closewait.stdout.take().expect("piped")).lines();
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(&line.expect("a line")));
    let mut seen = 0;
    while seen < number {
        let line = lines.next().expect("an event").expect("JSON");
        assert_eq!(line["event"], "close-wait", "{line}");
        seen += 1;
    }
    interrupt(&closewait);
    let rows = lines.map(|line| line.expect("JSON"));
    let rows = rows.filter(|row| row["type"] == "flow" && row["finding"] == true);
    let rows = rows.map(|row| (row["uid"].as_str().expect("a name").to_owned(), row)).collect();
    assert_eq!(closewait.wait().expect("it ends").code(), Some(1));
    rows
}

#[test]
fn every_place_in_a_go_program_is_named() {
    if can_run(&[ROOT, GO, DRIVER, TRACEFS]) {
        assert_named(&[], &[]);
    }
}

/// Without symbols; by processes without rights.
#[test]
fn every_place_in_a_stripped_program_is_named() {
    if can_run(&[ROOT, GO, DRIVER, TRACEFS]) {
        assert_named(&["-ldflags=-s -w"], &["-Z", "nobody"]);
    }
}

/// Without packets: what its process did to each socket since.
#[test]
fn sockets_are_named_without_a_capture() {
    if !can_run(&[ROOT, GO, DRIVER, TRACEFS]) {
        return;
    }
    let scratch = Scratch::new();
    let (path, server) = (built(&scratch, &[]), Server::start());
    let peer = format!(":{}", server.port);
    let mut closewait =
        command(&["sockets", "--code", "--watch=200ms", "--format", "jsonl", "--peer", &peer])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
    let mut said = BufReader::new(closewait.stderr.take().expect("piped")).lines();
    assert!(said.next().expect("a line").expect("a line").contains("--code: each send"));
    let mut program = Program::start(&path, &server);
    program.leave("update", 3);
    program.leave("worker", 3);
    server.leave(6);
    for _ in 0..3 {
        program.take_line();
    }
    let lines = BufReader::new(closewait.stdout.take().expect("piped")).lines();
    let began = Instant::now();
    let (mut found, mut at_once) = (BTreeMap::new(), BTreeMap::new());
    for line in lines {
        let row: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        if row["type"] == "summary" {
            found = std::mem::take(&mut at_once);
            let ended =
                found.values().filter(|named: &&BTreeMap<_, _>| named.contains_key("ended"));
            if found.len() == 6 && ended.count() == 3 || began.elapsed() > Duration::from_secs(20) {
                break;
            }
        } else {
            at_once.insert(row["local"]["port"].as_u64().expect("a port"), named(&row));
        }
    }
    let _ = closewait.kill();
    let _ = closewait.wait();
    assert!(found.keys().eq(program.truth.keys()), "{found:?}");
    for (port, named) in found {
        let mut truth = program.truth[&port].clone();
        // Without packets nobody knows of a transaction.
        truth.remove("begun");
        let truth = truth.into_iter().map(|(word, place)| (word, Ok(place))).collect();
        assert_eq!(named, truth);
    }
}

/// What `closewait lookup --code` says as nobody with these rights alone.
fn said_with(binary: &Path, rights: &str) -> String {
    let rights: Vec<String> = rights.split(' ').map(|right| format!("+{right}")).collect();
    let rights = format!("-all,{}", rights.join(","));
    let output = tool("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(format!("--inh-caps={rights}"))
        .arg(format!("--ambient-caps={rights}"))
        .args([binary.as_os_str(), OsStr::new("lookup"), OsStr::new("--code")])
        .stdin(Stdio::null())
        .output()
        .expect("setpriv runs");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// As nobody it takes three rights; each that is missing has its sentence, and the rest goes on.
#[test]
fn each_missing_right_is_said() {
    if !can_run(&[ROOT, TRACEFS, SETPRIV]) {
        return;
    }
    let scratch = Scratch::new();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(scratch.path(), open).expect("ours");
    let binary = scratch.path().join("closewait");
    fs::copy(BINARY, &binary).expect("room");
    let said = said_with(&binary, "perfmon dac_read_search sys_ptrace");
    assert!(said.contains("each send on this host"), "{said}");
    let said = said_with(&binary, "dac_read_search sys_ptrace");
    assert!(said.contains("it takes cap_perfmon") && said.contains("going on without"), "{said}");
    let said = said_with(&binary, "perfmon sys_ptrace");
    assert!(said.contains("it takes cap_dac_read_search"), "{said}");
}

/// Where tracefs is not mounted.
#[test]
fn a_missing_tracefs_is_said() {
    if !can_run(&[ROOT, NETNS]) {
        return;
    }
    let hide = "mount -t tmpfs none /sys/kernel && exec \"$0\" lookup --code";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", hide, BINARY])
        .stdin(Stdio::null())
        .output()
        .expect("unshare runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("mount -t tracefs tracefs /sys/kernel/tracing"), "{said}");
}
