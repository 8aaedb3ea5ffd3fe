//! Programs that leave sockets behind, their server, and what is said of them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::common::command;

/// Held by whoever must see each event, and alone by whoever sends more than can be read.
pub static QUIET: RwLock<()> = RwLock::new(());

pub fn quiet() -> RwLockReadGuard<'static, ()> {
    QUIET.read().unwrap_or_else(PoisonError::into_inner)
}

/// A server that speaks MySQL as far as a driver asks, until it leaves all its clients.
pub struct Server {
    pub port: u16,
    clients: Arc<Mutex<Vec<TcpStream>>>,
}

impl Server {
    pub fn start() -> Server {
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
    pub fn leave(&self, number: usize) {
        while self.clients.lock().expect("whole").len() < number {
            thread::sleep(Duration::from_millis(5));
        }
        for client in self.clients.lock().expect("whole").iter() {
            client.shutdown(Shutdown::Write).expect("an open connection");
        }
    }
}

/// A packet: three octets of length, one that counts, the payload.
pub fn packet(seq: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u32).to_le_bytes();
    [&len[..3], &[seq], payload].concat()
}

/// Greets, and says OK to whatever comes: in a transaction from the first START TRANSACTION on.
pub fn answer(mut client: TcpStream) -> Option<()> {
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
pub struct Program {
    child: Child,
    asked: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    /// What it did where, by the port of the connection: the truth.
    pub truth: BTreeMap<u64, BTreeMap<String, Place>>,
    ready: Vec<u64>,
    /// Its compiler wrote down lines.
    pub has_lines: bool,
}

/// A function and a line.
pub type Place = (String, u64);

impl Program {
    pub fn start(path: &Path, server: &Server) -> Program {
        let mut child = Command::new(path)
            .arg(format!("127.0.0.1:{}", server.port))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let asked = child.stdin.take().expect("piped");
        let said = BufReader::new(child.stdout.take().expect("piped")).lines();
        let truth = BTreeMap::new();
        Program { child, asked, said, truth, ready: Vec::new(), has_lines: true }
    }

    /// Has it leave so many connections, and waits until it has.
    pub fn leave(&mut self, place: &str, number: usize) {
        writeln!(self.asked, "{place} {number}").expect("it listens");
        while self.take_line() != "done" {}
    }

    /// Learns what it says next; returns what it did.
    pub fn take_line(&mut self) -> String {
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
            // Where no compiler says so, nobody knows what was inlined, nor any line.
            (what, [function, line, outer]) => {
                let (function, line) =
                    if self.has_lines { (function, *line) } else { (outer, "0") };
                self.learn(words[0].parse().expect("a port"), what, function, line);
            }
            _ => {}
        }
        what
    }

    /// Learns where so many connections were read to their end: some programs say so only then.
    pub fn learn_ends(&mut self, number: usize) {
        let known = |truth: &BTreeMap<u64, BTreeMap<String, Place>>| {
            truth.values().filter(|told| told.contains_key("ended")).count()
        };
        while known(&self.truth) < number {
            self.take_line();
        }
    }

    pub fn learn(&mut self, port: u64, what: &str, function: &str, line: &str) {
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

/// `closewait live --code` on the port, once it listens; and what it said until then.
pub fn watching(port: u16, more: &[&str]) -> (Child, Vec<String>) {
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

pub fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

/// The keys of events, and the program's words for them.
pub const WORDS: [(&str, &str); 4] = [
    ("begun by", "begun"),
    ("last asked", "asked"),
    ("connected by", "connected"),
    ("read its end-of-file", "ended"),
];

/// What was named on a finding: a place, or why not.
pub fn named(row: &Value) -> BTreeMap<String, Result<Place, String>> {
    let mut named = BTreeMap::new();
    let all = row["code"].as_array().unwrap_or_else(|| panic!("no code: {row}")).iter();
    for event in all.filter(|event| event["event"] != "asked") {
        let word = WORDS.iter().find(|(key, _)| event["event"] == **key).expect("a known event").1;
        named.insert(word.to_owned(), place(event));
    }
    named
}

fn place(event: &Value) -> Result<Place, String> {
    match event["function"].as_str() {
        Some(function) => Ok((function.to_owned(), event["line"].as_u64().unwrap_or(0))),
        None => Err(event["unknown"].as_str().unwrap_or("nobody's own").to_owned()),
    }
}

/// The statements of an open transaction, each with who sent it.
pub fn statements(row: &Value) -> Vec<(String, Result<Place, String>)> {
    let all = row["code"].as_array().unwrap_or_else(|| panic!("no code: {row}")).iter();
    let all = all.filter(|event| event["event"] == "asked");
    all.map(|event| (event["statement"].as_str().expect("a text").to_owned(), place(event)))
        .collect()
}

/// The findings of the report in the end, by their names; that many are waited for.
pub fn findings(closewait: Child, number: usize) -> BTreeMap<String, Value> {
    report(closewait, number).0
}

/// The same, and the summary.
pub fn report(mut closewait: Child, number: usize) -> (BTreeMap<String, Value>, Value) {
    let lines = BufReader::new(closewait.stdout.take().expect("piped")).lines();
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(&line.expect("a line")));
    let mut seen = 0;
    while seen < number {
        let line = lines.next().expect("an event").expect("JSON");
        assert_eq!(line["event"], "close-wait", "{line}");
        seen += 1;
    }
    interrupt(&closewait);
    let (mut rows, mut summary) = (BTreeMap::new(), Value::Null);
    for row in lines.map(|line| line.expect("JSON")) {
        if row["type"] == "summary" {
            summary = row;
        } else if row["type"] == "flow" && row["finding"] == true {
            rows.insert(row["uid"].as_str().expect("a name").to_owned(), row);
        }
    }
    assert_eq!(closewait.wait().expect("it ends").code(), Some(1));
    (rows, summary)
}

/// Leaves connections at every place, begun before and after arming, and holds what is named against what the
/// program says: nothing may be wrong, and nothing unknown that was seen. Each round of places says `told` things.
pub fn assert_all_named(path: &Path, has_lines: bool, places: &[&str], told: usize, more: &[&str]) {
    const EACH: usize = 40;
    let _quiet = quiet();
    let server = Server::start();
    let mut program = Program::start(path, &server);
    program.has_lines = has_lines;
    program.leave("ready", EACH);
    program.leave("update", EACH);
    let before: Vec<u64> = program.truth.keys().copied().collect();
    let (closewait, said) = watching(server.port, more);
    assert!(said.iter().any(|line| line.contains("--code: each send")), "{said:?}");
    for place in places {
        program.leave(place, EACH);
    }
    let all = (places.len() + 1) * EACH;
    server.leave(all);
    program.learn_ends(EACH);
    let rows = findings(closewait, all);
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
        let statements = statements(row);
        for (word, said) in [("begun", statements.first()), ("asked", statements.last())] {
            if truth.contains_key("begun") {
                let (statement, place) = said.expect("a transaction is open");
                assert_eq!(*place, named[word], "{statement}: {row}");
            }
        }
        for (word, place) in &truth {
            match &named[word] {
                Ok(found) => {
                    assert!(is_same(found, place), "{word}: {place:?} is not in {row}");
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
    assert!(right == told * EACH && unknown == 0, "{right} named, {unknown} unknown");
}

/// Of a function that has jumped on, no line is known.
fn is_same((function, line): &Place, (expected, expected_line): &Place) -> bool {
    let is_line = line == expected_line || expected == "jump" && *line == 0;
    // What a function is made for is written in several ways.
    let bare = |name: &str| {
        ["<T>", "<_>", "<u32>"].iter().fold(name.to_owned(), |name, kind| name.replace(kind, ""))
    };
    is_line && bare(function) == bare(expected)
}
