//! Programs that leave sockets behind, their server, and what is said of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::common::{command, skip};

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
        Server::of(answer)
    }

    /// One that answers so.
    pub fn of(answer: fn(TcpStream) -> Option<()>) -> Server {
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
    /// The same of each statement of a transaction, in order.
    pub asked_by: BTreeMap<u64, Vec<Place>>,
    ready: VecDeque<u64>,
    /// Those that have begun a transaction, and wait.
    pub started: VecDeque<u64>,
    /// The last line, as one of what was asked last.
    last: String,
    /// Its compiler wrote down lines.
    pub has_lines: bool,
}

/// A function and a line.
pub type Place = (String, u64);

impl Program {
    pub fn start(path: &Path, server: &Server) -> Program {
        Program::run(Command::new(path).arg(format!("127.0.0.1:{}", server.port)))
    }

    pub fn run(command: &mut Command) -> Program {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        Program {
            asked: child.stdin.take().expect("piped"),
            said: BufReader::new(child.stdout.take().expect("piped")).lines(),
            child,
            truth: BTreeMap::new(),
            asked_by: BTreeMap::new(),
            ready: VecDeque::new(),
            started: VecDeque::new(),
            last: String::new(),
            has_lines: true,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
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
        let (what, place) = (words[1].to_owned(), &words[2..]);
        let port = match what.as_str() {
            "later" => self.ready.pop_front().expect("one is ready"),
            "resume" => self.started.pop_front().expect("one has started"),
            _ => words[0].parse().unwrap_or(0),
        };
        match what.as_str() {
            "ready" => self.ready.push_back(port),
            "started" => self.started.push_back(port),
            _ => {}
        }
        let place = match *place {
            _ if ["ready", "started"].contains(&&*what) => return what,
            [function, line] => (function.to_owned(), line.parse().expect("a line")),
            [function, line, _] if self.has_lines => {
                (function.to_owned(), line.parse().expect("a line"))
            }
            // Where no compiler says so, nobody knows what was inlined, nor any line.
            [_, _, outer] => (outer.to_owned(), 0),
            _ => return what,
        };
        let did: &[&str] = match what.as_str() {
            "later" => &["begun", "asked"],
            "resume" => &["asked"],
            _ => &[&what],
        };
        // The statement that began it can be the last as well.
        let is_same = self.last == line && words[0] != "-";
        self.last = line.replace(" begun ", " asked ");
        if !is_same && did.iter().any(|did| ["begun", "asked"].contains(did)) {
            self.asked_by.entry(port).or_default().push(place.clone());
        }
        for did in did {
            self.truth.entry(port).or_default().insert((*did).to_owned(), place.clone());
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
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `closewait live --code` on the port, once it listens; and what it said until then.
pub fn watching(port: u16, more: &[&str]) -> (Child, Vec<String>) {
    watching_by("", port, more)
}

/// The same by these events.
pub fn watching_by(events: &str, port: u16, more: &[&str]) -> (Child, Vec<String>) {
    let expression = format!("port {port}");
    let port = port.to_string();
    let arguments = ["live", "--code", "-i", "lo", "--min-hold", "500ms", "--format", "jsonl"];
    let arguments = [&arguments[..], &["--mysql", &port], more, &["--", &expression]].concat();
    started(command(&arguments).env("CLOSEWAIT_CODE_EVENTS", events), "listening on lo")
}

/// Starts it, and waits until it says so; and what it said until then.
pub fn started(command: &mut Command, sign: &str) -> (Child, Vec<String>) {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut said = Vec::new();
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    while !said.last().is_some_and(|line: &String| line.contains(sign)) {
        said.push(lines.next().unwrap_or_else(|| panic!("{said:?}")).expect("a line"));
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
        None => Err(event["unknown"].as_str().expect("a function, or why not").to_owned()),
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
    let mut told = BTreeSet::new();
    let mut other = Value::Null;
    while told.len() < number && other.is_null() {
        let line = lines.next().expect("an event").expect("JSON");
        match line["event"] == "close-wait" {
            true => drop(told.insert(name(&line))),
            false => other = line,
        }
    }
    interrupt(&closewait);
    let (mut rows, mut summary) = (BTreeMap::new(), Value::Null);
    for row in lines.map(|line| line.expect("JSON")) {
        if row["type"] == "summary" {
            summary = row;
        } else if row["type"] == "flow" && row["finding"] == true {
            rows.insert(name(&row), row);
        }
    }
    let untold: Vec<_> = rows.iter().filter(|(name, _)| !told.contains(*name)).collect();
    let of = told.len();
    assert!(
        other.is_null(),
        "{of} of {number} were told before {other}; not {untold:?}; {summary}"
    );
    assert_eq!(closewait.wait().expect("it ends").code(), Some(1));
    (rows, summary)
}

fn name(row: &Value) -> String {
    row["uid"].as_str().expect("a name").to_owned()
}

/// Does it again where events were lost, as on a machine that has much else to do. What is named is right all the
/// same; whether all of it is, shows only without that.
pub fn until_nothing_is_lost(mut lost: impl FnMut() -> u64) {
    if !(0..5).any(|_| lost() == 0) {
        skip("a machine that has the time to read all events");
    }
}

/// Connections that are left at each place.
const EACH: usize = 40;

/// Leaves connections at every place, begun before and after arming, and holds what is named against what the
/// program says: nothing may be wrong, and nothing unknown that was seen. Each round of places says `told` things.
pub fn assert_all_named(path: &Path, has_lines: bool, places: &[&str], told: usize, more: &[&str]) {
    assert_named_by("", path, has_lines, places, told, more);
}

/// The same as on a kernel that tells only of system calls.
pub fn assert_all_named_by_calls(path: &Path, has_lines: bool, places: &[&str], told: usize) {
    assert_named_by("syscalls", path, has_lines, places, told, &[]);
}

fn assert_named_by(
    events: &str,
    path: &Path,
    has_lines: bool,
    places: &[&str],
    told: usize,
    more: &[&str],
) {
    until_nothing_is_lost(|| {
        let (right, unknown, lost) = left_at(events, path, has_lines, places, EACH, more);
        assert!(lost > 0 || right == told * EACH && unknown == 0, "{right}, {unknown} unknown");
        lost
    });
}

/// The same where not all can be known: of each round of places, so many things at least.
pub fn assert_none_wrong(events: &str, path: &Path, places: &[&str], least: usize) {
    until_nothing_is_lost(|| {
        let (right, unknown, lost) = left_at(events, path, true, places, EACH, &[]);
        assert!(lost > 0 || right >= least * EACH, "{right}, {unknown} unknown");
        lost
    });
}

/// Things that were named, things that were not, and events that were lost.
fn left_at(
    events: &str,
    path: &Path,
    has_lines: bool,
    places: &[&str],
    each: usize,
    more: &[&str],
) -> (usize, usize, u64) {
    let _quiet = quiet();
    let server = Server::start();
    let mut program = Program::start(path, &server);
    program.has_lines = has_lines;
    program.leave("ready", each);
    program.leave("update", each);
    let before: Vec<u64> = program.truth.keys().copied().collect();
    let (closewait, said) = watching_by(events, server.port, more);
    let is_armed = |line: &String| line.contains("--code: ") && line.contains("each send");
    assert!(said.iter().any(is_armed), "{said:?}");
    for place in places {
        program.leave(place, each);
    }
    let all = (places.len() + 1) * each;
    server.leave(all);
    program.learn_ends(each);
    let (rows, summary) = report(closewait, all);
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
        let is_told =
            |(word, said): (&String, &Result<_, _>)| truth.contains_key(word) || said.is_err();
        assert!(named.iter().all(is_told), "{named:?} is not {truth:?}: {row}");
        let mut of_statements = Vec::new();
        if truth.contains_key("begun") {
            let (told, statements) = (&program.asked_by[&port], statements(row));
            assert_eq!(statements.len(), told.len(), "{told:?}: {row}");
            of_statements.extend(statements.into_iter().map(|(_, said)| said).zip(told.clone()));
        }
        let not_seen = Err("not seen".to_owned());
        let of = |word: &String| named.get(word).unwrap_or(&not_seen).clone();
        let of_events = truth.iter().map(|(word, place)| (of(word), place.clone()));
        right += truth.keys().filter(|word| of(word).is_ok()).count();
        for (said, place) in of_events.chain(of_statements) {
            match said {
                Ok(found) => assert!(is_same(&found, &place), "{found:?} is not {place:?}: {row}"),
                Err(why) => {
                    eprintln!("{place:?}: {why}");
                    unknown += 1;
                }
            }
        }
    }
    assert!(program.truth.is_empty(), "not found: {:?}", program.truth);
    (right, unknown, summary["code_lost"].as_u64().unwrap_or(0))
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
