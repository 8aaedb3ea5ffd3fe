//! Since when sockets are stuck, by the kernel's own times, against the clock.

mod common;
#[path = "common/live.rs"]
mod watching;

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{NETNS, ROOT, Scratch, closewait, command, json_lines, text};
use serde_json::Value;
use socket2::{SockRef, TcpKeepalive};
use watching::signal;

/// From the last answer to the server's FIN.
const IDLE: Duration = Duration::from_millis(1_500);

/// From the FIN to the first look.
const HOLD: Duration = Duration::from_millis(2_500);

/// Not a test of its own: it holds three leaks in its namespace, and one with keep-alives.
#[test]
fn helper_that_holds() {
    if std::env::var_os("CLOSEWAIT_TEST_HOLDS").is_none() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let pairs: Vec<(TcpStream, TcpStream)> = (0..4)
        .map(|n| {
            let mut client = TcpStream::connect(address).expect("connected");
            let (mut served, _) = listener.accept().expect("accepted");
            let keep_alive = TcpKeepalive::new().with_time(Duration::from_secs(1));
            if n == 3 {
                let often = keep_alive.with_interval(Duration::from_secs(1));
                SockRef::from(&client).set_tcp_keepalive(&often).expect("an option");
            }
            client.write_all(b"q").expect("open");
            served.read_exact(&mut [0]).expect("a question");
            served.write_all(b"a").expect("open");
            client.read_exact(&mut [0]).expect("an answer");
            (client, served)
        })
        .collect();
    sleep(IDLE);
    let held: Vec<TcpStream> = pairs.into_iter().map(|(client, _)| client).collect();
    println!("\nclosed");
    let mut wait = String::new();
    std::io::stdin().read_line(&mut wait).expect("a pipe");
    drop(held);
}

/// A network namespace with a process that holds leaks, until it is dropped.
struct Holding {
    name: String,
    child: Child,
    closed: Instant,
    /// Kept open: the helper goes on printing.
    _out: Lines<BufReader<ChildStdout>>,
}

impl Holding {
    fn new() -> Holding {
        let name = format!("cw-since-{}", std::process::id());
        for line in [format!("netns add {name}"), format!("-n {name} link set lo up")] {
            let status = Command::new("ip").args(line.split(' ')).status();
            assert!(status.expect("ip runs").success(), "{line}");
        }
        let me = std::env::current_exe().expect("a path");
        let mut child = Command::new("ip")
            .args(["netns", "exec", &name])
            .arg(me)
            .args(["helper_that_holds", "--exact", "--nocapture"])
            .env("CLOSEWAIT_TEST_HOLDS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the helper starts");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let closed = out.by_ref().map_while(Result::ok).any(|line| line == "closed");
        assert!(closed, "the helper says when");
        Holding { name, child, closed: Instant::now(), _out: out }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

fn ms(value: &Value) -> u128 {
    (value.as_f64().expect("seconds") * 1e3).round() as u128
}

#[test]
fn the_kernel_s_times_agree_with_the_clock() {
    if let Some(need) = common::lacks(&[ROOT, NETNS]) {
        return common::skip(need);
    }
    let holding = Holding::new();
    sleep(HOLD);
    by_our_list(&holding);
    by_ss(&holding);
    live(&holding);
}

/// Held as long as the clock says, and no longer; idle for as long as nothing was said. What keep-alives
/// shorten stays a bound.
fn by_our_list(holding: &Holding) {
    let least = holding.closed.elapsed().as_millis();
    let output = closewait(&["sockets", "--netns", &holding.name, "--format", "jsonl"]);
    let most = holding.closed.elapsed().as_millis() + 50;
    let lines = json_lines(&output);
    let (alive, quiet): (Vec<&Value>, Vec<&Value>) = lines
        .iter()
        .filter(|line| line["type"] == "socket")
        .partition(|line| line["tcp_info"]["keep_alive"] == true);
    assert_eq!((quiet.len(), alive.len()), (3, 1), "{lines:?}");
    for line in quiet {
        let (held, idle) = (ms(&line["held_s"]), ms(&line["idle_before_fin_s"]));
        // A tick of the kernel, and what the helper took to say so.
        assert!(held + 20 >= least && held <= most, "{least} {held} {most}");
        assert!(idle.abs_diff(IDLE.as_millis()) <= 100, "{line}");
        assert_eq!((&line["held_by"], &line["waits_for"]), (&line["local"], &line["peer"]));
    }
    let (held, idle) = (ms(&alive[0]["held_s"]), ms(&alive[0]["idle_before_fin_s"]));
    assert!(held < least && idle > IDLE.as_millis(), "{alive:?}");
    let (out, _) = text(&closewait(&["sockets", "--netns", &holding.name]));
    assert!(
        out.contains(": a timeout of about 1.5 s there")
            || out.contains("3 of them closed by a timeout of about 1.5 s"),
        "{out}"
    );
    assert!(out.contains("a keep-alive after its FIN shortens held and lengthens idle (this host sends them on 1)."), "{out}");
}

/// The same from a list of `ss`, alone and beside a capture that began later.
fn by_ss(holding: &Holding) {
    let args = ["netns", "exec", &holding.name, "ss", "-tanpoei"];
    let Ok(output) = Command::new("ip").args(args).output() else { return common::skip("ss") };
    let scratch = Scratch::new();
    let list = scratch.write("list.txt", &output.stdout);
    let lines = json_lines(&closewait(&["sockets", &list, "--format", "jsonl"]));
    let held = |lines: &[Value]| -> Vec<u128> {
        let lines = lines.iter().filter(|line| line["held_s"] != Value::Null);
        lines.map(|line| ms(&line["held_s"])).collect()
    };
    let times = held(&lines);
    assert_eq!(times.iter().filter(|held| **held >= HOLD.as_millis()).count(), 3, "{times:?}");
    let capture = common::project("fixtures/captures/incident.pcap");
    let capture = capture.to_str().expect("a path");
    let args = [capture, "--sockets", &list];
    let beside = json_lines(&closewait(&[&args[..], &["--format", "jsonl"]].concat()));
    let before: Vec<Value> =
        beside.into_iter().filter(|line| line["before_capture"] == true).collect();
    assert_eq!(held(&before), times);
    let (out, _) = text(&closewait(&[&args[..], &["--top", "9"]].concat()));
    assert!(out.contains("≤ 1.5 s"), "{out}");
}

/// A watcher that began later says since when.
fn live(holding: &Holding) {
    let args = ["live", "-i", "lo", "--netns", &holding.name];
    let mut child = command(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert!(line.contains("since before, held ≥ ") && line.contains(" s, idle ≤ "), "{line}");
    signal("-INT", child.id());
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}
