//! The cost of `live --code`, beside the same load without it and with `bpftrace`: `make bench-code`, as root.
//!
//! The load is one thread that sends 100 octets over loopback and receives them. What is counted is the processor
//! time of whole processes, the load's and the watcher's; each is measured between two runs without a watcher, and the
//! median of all such pairs is printed. The machine may have other things to do: `nice -n -15` keeps most of them away.
//!
//! The events of `--code` are measured by `sockets --code`, which captures no packet: a filter that sees each packet
//! costs its sender as well, and is measured by itself.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

const CLOSEWAIT: &str = env!("CARGO_BIN_EXE_closewait");

/// Says what to do to a run of this program that is the load: how many sends, and how many a millisecond.
const LOAD: &str = "CLOSEWAIT_BENCH_LOAD";

const SENDS: u32 = 100_000;

/// The rate at which nothing may be lost: so many a millisecond, for so many.
const STEADY: (u32, u32) = (20, 200_000);

fn main() {
    if let Ok(load) = std::env::var(LOAD) {
        return run_load(&load);
    }
    if !is_there("id", &["-u"]) || fs::metadata("/sys/kernel/tracing/events/sock").is_err() {
        println!("this takes root, and tracefs at /sys/kernel/tracing");
        return;
    }
    println!(
        "µs of processor a send and its receipt, {SENDS} of them; medians of {} pairs",
        rounds()
    );
    for watcher in [Watcher::Code, Watcher::Bpftrace, Watcher::Capture] {
        compare(watcher);
    }
    steady();
}

fn rounds() -> usize {
    let rounds = std::env::var("CLOSEWAIT_BENCH_PAIRS").ok();
    rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(9)
}

fn is_there(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).output().is_ok_and(|output| output.status.success())
}

// ---- The load.

fn run_load(load: &str) {
    let (sends, rate) = load.split_once(' ').expect("two numbers");
    let (sends, rate): (u32, u32) = (sends.parse().expect("one"), rate.parse().expect("one"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut out =
        TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
    out.set_nodelay(true).expect("an option");
    let (mut back, _) = listener.accept().expect("it came");
    let (began, before) = (Instant::now(), processor());
    let mut octets = [7; 100];
    for at in 0..sends {
        if let Some(due) = at.checked_div(rate) {
            let due = Duration::from_millis(due.into());
            sleep(due.saturating_sub(began.elapsed()));
        }
        out.write_all(&octets).expect("it is open");
        back.read_exact(&mut octets).expect("it is open");
    }
    println!("{} {}", processor() - before, began.elapsed().as_secs_f64());
}

/// Seconds of processor of this process.
fn processor() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Runs it: seconds of processor, and of time.
fn load(sends: u32, rate: u32) -> (f64, f64) {
    let own = std::env::current_exe().expect("this program");
    let output = Command::new(own).env(LOAD, format!("{sends} {rate}")).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (processor, time) = said.trim().split_once(' ').expect("two numbers");
    (processor.parse().expect("one"), time.parse().expect("one"))
}

// ---- Who watches.

#[derive(Clone, Copy, Debug)]
enum Watcher {
    /// The events of `--code`, and nothing else.
    Code,
    Bpftrace,
    /// A capture without them, whose filter takes no packet.
    Capture,
    /// Both, as `live --code` has them.
    Both,
}

impl Watcher {
    fn command(self) -> Command {
        match self {
            Watcher::Code => with(CLOSEWAIT, &["sockets", "--code", "--watch=1h"]),
            Watcher::Bpftrace => with("bpftrace", &["-e", PROGRAM]),
            Watcher::Capture => with(CLOSEWAIT, &["live", "-i", "lo", "--", "port 1"]),
            Watcher::Both => {
                let options = ["live", "--code", "-i", "lo", "--format", "jsonl", "--", "port 1"];
                with(CLOSEWAIT, &options)
            }
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Watcher::Code => "--code: each",
            Watcher::Bpftrace => "Attaching",
            Watcher::Capture | Watcher::Both => "listening on",
        }
    }

    /// Starts it, and waits until it watches.
    fn start(self) -> Option<Child> {
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().ok()?;
        // bpftrace says it on standard output.
        let mut lines: Box<dyn BufRead + Send> = match self {
            Watcher::Bpftrace => Box::new(BufReader::new(child.stdout.take()?)),
            _ => Box::new(BufReader::new(child.stderr.take()?)),
        };
        let mut line = String::new();
        while !line.contains(self.sign()) {
            line.clear();
            if lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
        }
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        sleep(Duration::from_secs(1));
        Some(child)
    }
}

fn with(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// The last stack of each socket.
const PROGRAM: &str = "tracepoint:sock:sock_send_length /args->protocol == 6 && args->ret > 0/ \
                       { @[args->sk] = ustack(64); }";

/// A process and its children.
fn family(child: &Child) -> Vec<u32> {
    let pid = child.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
    [pid].into_iter().chain(children).collect()
}

/// Seconds of processor of all of them.
fn processor_of(family: &[u32]) -> f64 {
    let ticks = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).to_owned();
        let fields: Vec<f64> = fields.split_whitespace().filter_map(|f| f.parse().ok()).collect();
        // Behind the state, which is no number: utime and stime.
        fields.get(10).unwrap_or(&0.0) + fields.get(11).unwrap_or(&0.0)
    };
    family.iter().map(ticks).sum::<f64>() / 100.0
}

/// The most memory that one of them had, in MiB, without shared files.
fn memory_of(family: &[u32]) -> u64 {
    let most = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map(str::to_owned);
        field.and_then(|field| field.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    family.iter().map(most).max().unwrap_or(0) / 1_024
}

fn stop(mut child: Child) -> String {
    let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        let _ = out.read_to_string(&mut said);
    }
    let _ = child.wait();
    said
}

// ---- The numbers.

fn compare(watcher: Watcher) {
    let micros = |seconds: f64| seconds * 1e6 / f64::from(SENDS);
    let (mut alone, mut added, mut own, mut memory) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..rounds() {
        let (before, _) = load(SENDS, 0);
        let Some(child) = watcher.start() else {
            println!("{watcher:?}: it does not start here");
            return;
        };
        let family = family(&child);
        let used = processor_of(&family);
        let (with, _) = load(SENDS, 0);
        // What is read late counts, too.
        sleep(Duration::from_millis(300));
        own.push(micros(processor_of(&family) - used));
        memory = memory_of(&family).max(memory);
        stop(child);
        let (after, _) = load(SENDS, 0);
        alone.push(micros(f64::midpoint(before, after)));
        added.push(micros(with - f64::midpoint(before, after)));
    }
    let [alone, added, own] = [alone, added, own].map(median);
    println!(
        "{watcher:?}: alone {alone:.2}, added to the sender {added:.2}, used by the watcher {own:.2}; memory {memory} MiB"
    );
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// With the default rings: events that are lost at a steady rate.
fn steady() {
    let (rate, sends) = STEADY;
    let Some(child) = Watcher::Both.start() else { return };
    let (_, time) = load(sends, rate);
    sleep(Duration::from_millis(300));
    let said = stop(child);
    let key = "\"code_lost\":";
    let lost = said.lines().last().and_then(|line| line.split(key).nth(1)).unwrap_or("?");
    let lost = lost.split([',', '}']).next().unwrap_or("?");
    println!("{:.0} sends a second for {time:.1} s: {lost} events lost", f64::from(sends) / time);
}
