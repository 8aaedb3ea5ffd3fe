//! Instructions that reading takes for each packet: CI holds them, since it cannot hold times.
//!
//! `callgrind` counts what the release binary executes for a short capture and for a longer one; the
//! difference is what packets cost, without start and end. Contents are held by what they add: each protocol's
//! recording with and without `--no-content`. `cargo bench --bench budget`.

#[path = "traffic/generator.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod generator;
#[path = "../tests/simulation/prng.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod prng;
#[path = "traffic/recorded.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod recorded;

use std::path::{Path, PathBuf};
use std::process::Command;

use generator::{Format, Shape};

const SHORT: u64 = 100_000;
const LONG: u64 = 400_000;

/// No protocol that is read has this port.
const NOBODYS: u16 = 7_432;

/// Times that something is measured which is over its budget: connections are spread by a seed of each run's own, and
/// a few lie unevenly. Of short conversations one measure differs from the next by 50, whatever is measured.
const TRIES: usize = 6;

/// Instructions a packet, with some room over what was measured (943 to 962, 1,064 to 1,089, 988 to 1,010, 939 to 960, 978 to 1,002,
/// 1,536 to 1,626: from one build and one machine to the next, registers are used otherwise). What needs more has to say why: some twenty
/// have lines of the cache fetched ahead, and take a tenth of the time of all others away. Of a plain packet, the loop that
/// reads and decodes takes 362, the tables 300, what begins and ends connections the rest.
const BUDGETS: [(&str, Traffic, u64); 6] = [
    ("pcap", Traffic::Made(Format::Pcap, NOBODYS), 975),
    ("pcap, connections that rest", Traffic::Slow, 1_100),
    ("pcapng", Traffic::Made(Format::Pcapng, NOBODYS), 1_020),
    ("pcap, port 3306", Traffic::Made(Format::Pcap, 3_306), 970),
    ("OLTP of a MariaDB", Traffic::Recorded("oltp"), 1_020),
    ("short conversations of a MariaDB", Traffic::Recorded("short"), 1_600),
];

/// Instructions a packet of each protocol's recording, with its contents over without, in hundredths, with some room
/// over what was measured (119 to 120, 118 to 123, 123, 120 to 128, 121 to 122, 121 to 124). Nearly every packet has
/// contents there; nearly all that they add is to find that nobody asks what was said on connections that end well. Some
/// thirty of them have lines of the cache fetched before places are written there, and take a tenth to a quarter of the
/// time away.
const CONTENTS: [(&str, u64); 6] = [
    ("postgresql", 128),
    ("http", 127),
    ("http2", 127),
    ("redis", 128),
    ("amqp", 127),
    ("kafka", 131),
];

/// Packets of these, in copies whole: fewer, for they are many.
const CONTENTS_SHORT: u64 = 15_000;
const CONTENTS_LONG: u64 = 45_000;

/// What is read.
#[derive(Clone, Copy)]
enum Traffic {
    /// Short packets that are in no protocol, with servers on a port.
    Made(Format, u16),
    /// The same in ten times the time: of most connections that end, the facts are packed and unpacked.
    Slow,
    Recorded(&'static str),
}

fn main() {
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        let required = std::env::var("CLOSEWAIT_REQUIRE").unwrap_or_default();
        assert!(!required.contains("valgrind"), "valgrind is required, and missing");
        eprintln!("SKIPPED: the instruction budget needs valgrind (apt-get install valgrind)");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut over = false;
    for (name, traffic, budget) in BUDGETS {
        over |= is_over(budget, || {
            let [short, long] =
                [SHORT, LONG].map(|packets| count(&write(folder.path(), packets, traffic).0, &[]));
            let each = (long - short) / (LONG - SHORT);
            println!("{name}: {each} instructions a packet of {budget}");
            each
        });
    }
    for (name, budget) in CONTENTS {
        over |= is_over(budget, || {
            let [with, without] = contents(folder.path(), name);
            let ratio = with * 100 / without;
            println!("{name}: {with} with contents, {without} without, {ratio} % of {budget} %");
            ratio
        });
    }
    assert!(!over, "over the budget: find what grew, or say in benches/budget.rs why it had to");
}

/// Measures until it is within the budget, a few times at most.
fn is_over(budget: u64, measure: impl Fn() -> u64) -> bool {
    (0..TRIES).all(|_| measure() > budget)
}

/// Instructions a packet of a recording, with its contents and without.
fn contents(folder: &Path, name: &'static str) -> [u64; 2] {
    let counted = [CONTENTS_SHORT, CONTENTS_LONG].map(|packets| {
        let (path, packets) = write(folder, packets, Traffic::Recorded(name));
        (packets, [&[][..], &["--no-content"]].map(|options| count(&path, options)))
    });
    let [(few, short), (many, long)] = counted;
    [0, 1].map(|at| (long[at] - short[at]) / (many - few))
}

/// A capture of so many packets, or as many more as a recording has left; how many they are.
fn write(folder: &Path, packets: u64, traffic: Traffic) -> (PathBuf, u64) {
    let path = folder.join("capture");
    let mut file =
        std::io::BufWriter::new(std::fs::File::create(&path).expect("a writable folder"));
    let packets = match traffic {
        Traffic::Made(format, port) => {
            let shape = Shape::small(packets, 2_000).on(port);
            generator::write(shape, format, &mut file).expect("a capture").packets
        }
        Traffic::Slow => {
            let shape = Shape { rate: 2_000, ..Shape::small(packets, 2_000) }.on(NOBODYS);
            generator::write(shape, Format::Pcap, &mut file).expect("a capture").packets
        }
        Traffic::Recorded(name) => {
            recorded::multiply(recorded::named(name), packets, &mut file).expect("a capture")
        }
    };
    drop(file);
    (path, packets)
}

/// Instructions for a capture.
fn count(path: &Path, options: &[&str]) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env!("CARGO_BIN_EXE_closewait"))
        .args(["--threads", "1"])
        .args(options)
        .arg(path)
        .output()
        .expect("valgrind runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let counted = said.lines().find_map(|line| line.split("Collected : ").nth(1));
    let counted = counted.unwrap_or_else(|| panic!("callgrind counted nothing:\n{said}"));
    counted.trim().parse().expect("a number")
}
