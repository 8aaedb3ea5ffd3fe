//! Live at churn: many connections a second to many addresses, numbers asked for each second, a reader of
//! the packets that is slow, reports in between. Nothing is lost, and memory stays where it is.
//!
//! `make soak-live MINUTES=60` goes on for so long; the tests do for a few seconds.
#![cfg(feature = "libpcap")]

mod common;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use common::{ROOT, Scratch, command, lacks, skip, tool};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

/// One of so many connections is left.
const LEFT: u64 = 200;

/// One that was left is closed after all when so many others have been.
const HELD: usize = 100;

/// Flows that have ended are kept for ten minutes: until then memory grows.
const KEPT: Duration = Duration::from_secs(630);

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn seconds() -> u64 {
    number("CLOSEWAIT_CHURN_SECONDS", 8)
}

/// Connections in a second. Beside other tests, and not optimised, a few hundred are many.
fn rate() -> u64 {
    number("CLOSEWAIT_CHURN_RATE", 200)
}

/// Answers each client with an octet, and closes.
fn serve(listener: TcpListener) {
    for client in listener.incoming().flatten() {
        let mut client: TcpStream = client;
        let mut octet = [0];
        if client.read_exact(&mut octet).is_ok() {
            client.write_all(&octet).ok();
        }
    }
}

/// A client at one of many addresses, whose server has closed.
fn connected(n: u64, port: u16) -> TcpStream {
    let address = |n: u64| Ipv4Addr::from(0x7f01_0000 + (n % 60_000) as u32);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((address(n * 7), 0)).into()).expect("an address");
    socket.connect(&SocketAddr::from((address(n), port)).into()).expect("a server");
    let mut client = TcpStream::from(socket);
    client.write_all(b"q").expect("an open connection");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("an answer");
    client
}

/// What has been done so far.
#[derive(Default)]
struct Done {
    stop: AtomicBool,
    connections: AtomicU64,
    left: AtomicU64,
}

/// Connects at the rate until it is told to stop. Returns those that are left.
fn churn(done: Arc<Done>, port: u16) -> JoinHandle<Vec<TcpStream>> {
    spawn(move || {
        let (started, mut held) = (Instant::now(), Vec::new());
        for n in 0.. {
            let due = started + Duration::from_secs(1) * n as u32 / rate() as u32;
            sleep(due.saturating_duration_since(Instant::now()));
            if done.stop.load(Ordering::Relaxed) {
                break;
            }
            let client = connected(n, port);
            done.connections.fetch_add(1, Ordering::Relaxed);
            if n % LEFT == 0 {
                done.left.fetch_add(1, Ordering::Relaxed);
                held.push(client);
                if held.len() > HELD {
                    held.remove(0);
                }
            }
        }
        held
    })
}

/// Reads what `-w` writes, with pauses: no more than a pipe holds at once, so 3 MB a second at most, of which a
/// thousand connections a second need one. Returns how many octets there were.
fn read_slowly(path: String) -> JoinHandle<u64> {
    spawn(move || {
        let mut file = File::open(path).expect("a pipe");
        let (mut buffer, mut octets) = (vec![0; 256 << 10], 0);
        loop {
            match file.read(&mut buffer).expect("a pipe") {
                0 => return octets,
                n => octets += n as u64,
            }
            sleep(Duration::from_millis(20));
        }
    })
}

/// Counts of what was printed.
#[derive(Debug, Default)]
struct Printed {
    begun: u64,
    ended: u64,
    reports: u64,
    last: Value,
}

fn read_lines(out: impl Read + Send + 'static) -> JoinHandle<Printed> {
    spawn(move || {
        let mut printed = Printed::default();
        for line in BufReader::new(out).lines() {
            let line: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            match (line["type"].as_str(), line["event"].as_str()) {
                (_, Some("close-wait")) => printed.begun += 1,
                (_, Some("ended")) => printed.ended += 1,
                (Some("summary"), _) => {
                    printed.reports += 1;
                    printed.last = line;
                }
                _ => {}
            }
        }
        printed
    })
}

/// Resident memory, in KiB.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn signal(name: &str, pid: u32) {
    assert!(tool("kill").args([name, &pid.to_string()]).status().expect("kill runs").success());
}

/// Asks for the numbers. Returns how long that took; nothing if whoever counts had no time for eight seconds.
fn scrape(target: &str) -> Option<Duration> {
    let asked = Instant::now();
    let mut stream = TcpStream::connect(target).expect("it listens");
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: here\r\n\r\n").expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let is_counted = answer.starts_with("HTTP/1.1 200") && answer.contains("closewait_");
    assert!(is_counted || answer.starts_with("HTTP/1.1 503"), "{answer}");
    is_counted.then(|| asked.elapsed())
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
fn nothing_is_lost_at_churn() {
    if let Some(missing) = lacks(&[ROOT]) {
        return skip(missing);
    }
    let listener = TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    spawn(move || serve(listener));
    let scratch = Scratch::new();
    let pipe = scratch.path().join("packets").to_str().expect("UTF-8").to_owned();
    assert!(tool("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let kept = read_slowly(pipe.clone());
    let expression = format!("port {port}");
    let mut watcher = command(&[
        "live",
        "-i",
        "lo",
        "--format",
        "jsonl",
        "--min-hold",
        "1s",
        "--metrics",
        "127.0.0.1:0",
        "-w",
        &pipe,
        "--",
        &expression,
    ]);
    watcher.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut watcher = Running(watcher.spawn().expect("the binary runs"));
    let live = &mut watcher.0;
    let mut said = BufReader::new(live.stderr.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    let target = line.trim().trim_end_matches("/metrics").rsplit('/').next().expect("an address");
    let target = target.to_owned();
    line.clear();
    said.read_line(&mut line).expect("a line");
    assert!(line.contains("listening on lo"), "{line}");
    let said = spawn(move || {
        let mut rest = String::new();
        said.read_to_string(&mut rest).map(|_| rest)
    });
    let printed = read_lines(live.stdout.take().expect("piped"));
    let done = Arc::new(Done::default());
    let clients = churn(Arc::clone(&done), port);

    let (started, mut slowest) = (Instant::now(), Duration::ZERO);
    let (mut scrapes, mut unanswered) = (0, 0);
    let (mut settled, mut most) = (None, 0);
    for second in 1..=seconds() {
        sleep((started + Duration::from_secs(second)).saturating_duration_since(Instant::now()));
        match scrape(&target) {
            Some(took) => slowest = slowest.max(took),
            None => unanswered += 1,
        }
        scrapes += 1;
        // Each minute, or in a short test at once.
        if second % seconds().min(60) == 2 {
            signal("-USR1", live.id());
        }
        let memory = resident(live.id());
        most = most.max(memory);
        if started.elapsed() > KEPT {
            settled.get_or_insert(memory);
        }
        if second % 60 == 0 {
            eprintln!("{second} s: {} MB, {:?}", memory >> 10, done.connections);
        }
    }
    done.stop.store(true, Ordering::Relaxed);
    let held = clients.join().expect("clients");
    // What is held for less than a second is pending, and told at the next look.
    sleep(Duration::from_secs(4));
    let last = resident(live.id());
    signal("-INT", live.id());
    let printed = printed.join().expect("lines");
    let status = live.wait().expect("it ends").code();
    let said = said.join().expect("no panic").expect("UTF-8");
    let kept = kept.join().expect("packets");
    let (connections, left) =
        (done.connections.load(Ordering::Relaxed), done.left.load(Ordering::Relaxed));
    eprintln!(
        "{connections} connections in {} s, {left} left, {} held; {} begun, {} ended, {} reports; {scrapes} scrapes, {unanswered} unanswered, the slowest {slowest:?}; memory {} MB at most, {} MB settled, {} MB in the end; {} MB of packets",
        seconds(),
        held.len(),
        printed.begun,
        printed.ended,
        printed.reports,
        most >> 10,
        settled.unwrap_or(0) >> 10,
        last >> 10,
        kept >> 20
    );
    let summary = &printed.last;
    assert_eq!(status, Some(1), "{said}");
    assert_eq!(summary["captures"][0]["drops"], 0, "{said}");
    assert_eq!(summary["evicted"], 0);
    assert_eq!(summary["flows"], connections);
    assert_eq!(summary["findings"], held.len(), "{said}");
    assert_eq!((printed.begun, printed.begun - printed.ended), (left, held.len() as u64));
    assert!(printed.reports > seconds() / 60, "{printed:?}");
    // A machine that is busy with others keeps it waiting, now and then.
    assert!(unanswered * 20 <= scrapes, "{unanswered} of {scrapes}");
    assert!(kept > connections * 400, "{kept}");
    assert!(!said.contains("-w"), "{said}");
    if let Some(settled) = settled {
        assert!(last <= settled + settled / 5, "{last} KiB after {settled}");
    }
}
