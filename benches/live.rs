//! Live capture under load, side by side with tcpdump: `make bench-live`, as root.
//!
//! The same traffic is replayed over a veth pair in a namespace of its own, faster and faster, to one
//! tool after the other, with the same filter, snap length and ring. Printed is what each dropped, the
//! processor time it took for a packet, and its memory.

#[path = "traffic/generator.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod generator;
#[path = "../tests/simulation/prng.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod prng;

use std::fs::{File, read_to_string};
use std::io::BufWriter;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use generator::{Format, Shape};

const CLOSEWAIT: &str = env!("CARGO_BIN_EXE_closewait");
const PACKETS: u64 = 1_000_000;

/// KiB of the kernel's ring: a small one, to see who is late first, and our default.
const RINGS: [&str; 2] = ["512", "8192"];

/// Packets a second, by how many senders; the last as fast as they can.
const SPEEDS: [(Option<u32>, usize); 5] =
    [(Some(50_000), 1), (Some(100_000), 1), (Some(200_000), 1), (None, 1), (None, 3)];

/// A namespace with two ends of a wire.
struct Wire(String);

impl Wire {
    fn new() -> Option<Wire> {
        let wire = Wire(format!("closewait-load-{}", std::process::id()));
        let made = ip(&["netns", "add", &wire.0])
            && ["link add e0 type veth peer name e1", "link set e0 up", "link set e1 up"]
                .iter()
                .all(|words| {
                    ip(&[&["-n", &wire.0], &words.split(' ').collect::<Vec<_>>()[..]].concat())
                });
        made.then_some(wire)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0]).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.0]);
    }
}

fn ip(words: &[&str]) -> bool {
    Command::new("ip").args(words).output().is_ok_and(|output| output.status.success())
}

#[derive(Clone, Copy)]
enum Tool {
    Tcpdump,
    Closewait,
}

/// What a run showed.
struct Run {
    rate: f64,
    drops: u64,
    cpu_ns: f64,
    memory_kb: u64,
}

fn main() {
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let Some(wire) = Wire::new() else {
        return println!("live: needs root, iproute2 and network namespaces");
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let capture = folder.path().join("load.pcap");
    let mut file = BufWriter::new(File::create(&capture).expect("room"));
    let open = 20_000;
    generator::write(Shape::small(PACKETS, open), Format::Pcap, &mut file).expect("room");
    drop(file);
    println!(
        "{PACKETS} packets from each sender, {open} connections open, filter tcp, snap length 256\n"
    );
    println!("| ring | packets/s | tool | dropped | ns of processor a packet | memory |");
    println!("|---|---|---|---|---|---|");
    for ring in RINGS {
        for (rate, senders) in SPEEDS {
            for tool in [Tool::Tcpdump, Tool::Closewait] {
                let Some(run) = run(&wire, tool, ring, rate, senders, &capture) else {
                    return println!("needs tcpdump and tcpreplay");
                };
                let name = match tool {
                    Tool::Tcpdump => "tcpdump",
                    Tool::Closewait => "closewait",
                };
                let Run { rate, drops, cpu_ns, memory_kb } = run;
                let memory = memory_kb / 1024;
                println!(
                    "| {ring} KiB | {rate:.0} | {name} | {drops} | {cpu_ns:.0} | {memory} MB |"
                );
            }
        }
    }
}

fn run(
    wire: &Wire,
    tool: Tool,
    ring: &str,
    rate: Option<u32>,
    senders: usize,
    capture: &Path,
) -> Option<Run> {
    let common = ["-i", "e0", "-s", "256", "-B", ring];
    let words = match tool {
        Tool::Tcpdump => [&["tcpdump"], &common[..], &["-w", "-", "tcp"]].concat(),
        Tool::Closewait => {
            [&[CLOSEWAIT, "live"], &common[..], &["--format", "jsonl", "tcp"]].concat()
        }
    };
    let mut command = wire.command(&words);
    if let Tool::Tcpdump = tool {
        // Not by name: what tcpdump writes to, as root, it gives to its own user.
        command.stdout(Stdio::null());
    }
    let watcher = command.spawn().ok()?;
    sleep(Duration::from_secs(1));
    let speed = rate.map_or("--topspeed".to_owned(), |rate| format!("--pps={rate}"));
    let replay = ["tcpreplay", "-i", "e1", "--preload-pcap", &speed, capture.to_str()?];
    let sending: Vec<Child> =
        (0..senders).map(|_| wire.command(&replay).spawn()).collect::<Result<_, _>>().ok()?;
    let sent: Option<f64> =
        sending.into_iter().map(|sender| sent(&sender.wait_with_output().ok()?)).sum();
    sleep(Duration::from_millis(1_500));
    let (ticks, memory_kb) = usage(watcher.id())?;
    Command::new("kill").args(["-INT", &watcher.id().to_string()]).status().ok()?;
    let output = watcher.wait_with_output().ok()?;
    let packets = (PACKETS * senders as u64) as f64;
    // A tick is 10 ms.
    Some(Run {
        rate: sent?,
        drops: drops(tool, &output)?,
        cpu_ns: ticks * 1e7 / packets,
        memory_kb,
    })
}

/// Packets a second, as tcpreplay rates itself.
fn sent(output: &Output) -> Option<f64> {
    let text = String::from_utf8_lossy(&output.stdout);
    let rated = text.lines().find(|line| line.contains("Rated:"))?;
    rated.rsplit(',').next()?.trim().split(' ').next()?.parse().ok()
}

/// Processor time in ticks, and the most memory in kB.
fn usage(pid: u32) -> Option<(f64, u64)> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    let status = read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some((ticks, peak.split_whitespace().next()?.parse().ok()?))
}

fn drops(tool: Tool, output: &Output) -> Option<u64> {
    match tool {
        Tool::Tcpdump => {
            let text = String::from_utf8_lossy(&output.stderr);
            let line = text.lines().find(|line| line.contains("dropped by kernel"))?;
            line.split(' ').next()?.parse().ok()
        }
        Tool::Closewait => {
            let text = String::from_utf8_lossy(&output.stdout);
            let summary: serde_json::Value = serde_json::from_str(text.lines().last()?).ok()?;
            summary["captures"][0]["drops"].as_u64()
        }
    }
}
