//! The kernel's own record of how states changed, where bpftrace can be had.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::common;
use crate::truth::Pair;

pub struct Trace {
    child: Child,
    file: PathBuf,
}

/// By the kernel's numbers, in include/net/tcp_states.h.
const NAMES: [&str; 13] = [
    "?",
    "ESTABLISHED",
    "SYN-SENT",
    "SYN-RECEIVED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "TIME-WAIT",
    "CLOSED",
    "CLOSE-WAIT",
    "LAST-ACK",
    "LISTEN",
    "CLOSING",
    "SYN-RECEIVED",
];

const SYN_SENT: &str = NAMES[2];
const CLOSED: &str = NAMES[7];

/// One change of a socket's state.
pub struct Change {
    /// Seconds since 1970.
    pub at: f64,
    netns: u64,
    pair: Pair,
    pub to: &'static str,
}

/// The mount is in a namespace of its own.
const TRACE: &str =
    "[ -e /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing || exit 1
    exec bpftrace -B line -o \"$1\" \"$2\" 0 0";
const PATIENCE: Duration = Duration::from_secs(20);

impl Trace {
    /// `None` where it cannot attach.
    pub fn start(folder: &Path) -> Option<Trace> {
        let file = folder.join("states.tsv");
        let log = File::create(folder.join("bpftrace.log")).expect("a writable folder");
        let mut command = common::tool("unshare");
        command.args(["--mount", "bash", "-c", TRACE, "bash"]);
        command.arg(&file).arg(common::project("fixtures/states.bt"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut trace = Trace { child: command.spawn().ok()?, file };
        trace.sees().then_some(trace)
    }

    /// A connection that is refused shows when it has begun to see.
    fn sees(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
            let _ = std::net::TcpStream::connect("127.0.0.1:1");
            std::thread::sleep(Duration::from_millis(50));
            if fs::read_to_string(&self.file).is_ok_and(|text| text.contains("127.0.0.1")) {
                return true;
            }
        }
        false
    }

    /// The changes in a namespace since a time, in seconds since 1970.
    pub fn of(&self, netns: u64, since: f64) -> Vec<Change> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let changes = text.lines().filter_map(change);
        let ours = changes.filter(|change| change.netns == netns && change.at >= since);
        without_refused_ones(ours)
    }
}

/// A program that is refused a port which another socket still has tries again and again: that tells nothing of the other.
fn without_refused_ones(changes: impl Iterator<Item = Change>) -> Vec<Change> {
    let mut kept: Vec<Change> = Vec::new();
    for change in changes {
        let before = kept.iter().rposition(|before| before.is_of(&change.pair));
        match before.filter(|&at| kept[at].to == SYN_SENT && change.to == CLOSED) {
            Some(at) => drop(kept.remove(at)),
            None => kept.push(change),
        }
    }
    kept
}

impl Change {
    pub fn is_of(&self, pair: &Pair) -> bool {
        self.pair == *pair
    }
}

fn change(line: &str) -> Option<Change> {
    let words: Vec<&str> = line.split('\t').collect();
    let [at, netns, local, peer, _, to] = words[..] else { return None };
    let to = NAMES.get(to.parse::<usize>().ok()?)?;
    let pair = (address(local)?, address(peer)?);
    Some(Change { at: at.parse().ok()?, netns: netns.parse().ok()?, pair, to })
}

/// IPv4 where it is IPv4.
fn address(text: &str) -> Option<SocketAddr> {
    let address: SocketAddr = text.parse().ok()?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        let _ = self.child.wait();
    }
}
