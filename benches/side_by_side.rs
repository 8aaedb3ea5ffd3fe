//! Reading a capture, side by side with the tools that people use: `make bench`.
//!
//! Each pair of commands runs alternately, so that a noisy machine disturbs both alike, with the
//! capture in the page cache. What is printed are ratios of medians. Tools that are not installed are
//! left out, and the report says how to get them.

#[path = "traffic/generator.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod generator;
#[path = "../tests/simulation/prng.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod prng;
#[path = "traffic/recorded.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod recorded;

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use generator::{Format, Shape};

const CLOSEWAIT: &str = env!("CARGO_BIN_EXE_closewait");

/// A program to be compared with: its arguments with `FILE` in them, its package, how to ask for its
/// version.
struct Rival {
    name: &'static str,
    program: &'static str,
    package: &'static str,
    version: &'static [&'static str],
    arguments: &'static [&'static str],
}

const TCPDUMP: Rival = Rival {
    name: "tcpdump",
    program: "tcpdump",
    package: "tcpdump",
    version: &["--version"],
    arguments: &["-r", "FILE", "-w", "/dev/null", "tcp[tcpflags] & tcp-fin != 0"],
};
const TSHARK: Rival = Rival {
    name: "tshark",
    program: "tshark",
    package: "tshark",
    version: &["--version"],
    arguments: &["-q", "-z", "conv,tcp", "-r", "FILE"],
};
const TCPTRACE: Rival = Rival {
    name: "tcptrace",
    program: "tcptrace",
    package: "tcptrace",
    version: &["-version"],
    arguments: &["-n", "-l", "FILE"],
};
const ARGUS: Rival = Rival {
    name: "argus",
    program: "argus",
    package: "argus-server",
    version: &["-h"],
    arguments: &["-r", "FILE", "-w", "/dev/null"],
};
/// What contents cost.
const NO_CONTENT: Rival = Rival {
    name: "closewait --no-content",
    program: CLOSEWAIT,
    package: "",
    version: &["--version"],
    arguments: &["--no-content", "FILE"],
};
const ZCAT: Rival = Rival {
    name: "zcat",
    program: "zcat",
    package: "gzip",
    version: &["--version"],
    arguments: &["FILE"],
};
const ZSTDCAT: Rival = Rival {
    name: "zstdcat",
    program: "zstdcat",
    package: "zstd",
    version: &["--version"],
    arguments: &["FILE"],
};

/// One row of the table.
struct Row {
    what: &'static str,
    traffic: Traffic,
    rivals: &'static [Rival],
}

/// What a capture holds, and how it is kept.
#[derive(Clone, Copy)]
enum Traffic {
    Made(Shape, Format),
    Gzip(Shape),
    Zstd(Shape),
    /// Multiplied to so many packets.
    Recorded(&'static str, u64),
}

fn rows() -> Vec<Row> {
    let million = 1_000_000;
    let row = |what, traffic, rivals| Row { what, traffic, rivals };
    let small = Shape::small(8 * million, 100_000);
    let large = Shape::large(2 * million, 20_000);
    let made = |shape| Traffic::Made(shape, Format::Pcap);
    let mut rows = vec![
        row("8 M packets of 106 octets, 100,000 flows open", made(small), &[TCPDUMP]),
        row("the same on port 3306, no MySQL", made(small.on(3_306)), &[TCPDUMP]),
        row("that as pcapng", Traffic::Made(small.on(3_306), Format::Pcapng), &[TCPDUMP]),
        row("the first as pcapng", Traffic::Made(small, Format::Pcapng), &[TCPDUMP]),
        row("the first in gzip", Traffic::Gzip(small), &[ZCAT]),
        row("the first in zstd", Traffic::Zstd(small), &[ZSTDCAT]),
        row("2 M packets of 1,250 octets, 20,000 flows open", made(large), &[TCPDUMP]),
        row("the same on port 3306, no MySQL", made(large.on(3_306)), &[TCPDUMP]),
        row(
            "60,000 segments of 32 KB on port 3306, 200 flows open",
            made(Shape::huge(60_000, 200).on(3_306)),
            &[TCPDUMP],
        ),
        row(
            "1 M packets, 20,000 flows open",
            made(Shape::small(million, 20_000)),
            &[TCPDUMP, TSHARK, TCPTRACE, ARGUS],
        ),
    ];
    rows.extend(recorded::ALL.iter().map(|recording| {
        let traffic = Traffic::Recorded(recording.name, 2 * million);
        row(recording.what, traffic, &[TCPDUMP, NO_CONTENT])
    }));
    rows
}

/// How cost grows: packets and open flows, in millions and thousands.
const GROWTH: [(u64, usize); 5] =
    [(1, 100_000), (8, 1_000), (8, 100_000), (8, 1_000_000), (32, 100_000)];

fn main() {
    // Cargo also runs this to list tests.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let folder =
        std::env::var_os("CLOSEWAIT_BENCH_DIR").map_or(std::env::temp_dir(), PathBuf::from);
    let folder = tempfile::tempdir_in(folder).expect("a temporary folder");
    let pairs = number("CLOSEWAIT_BENCH_PAIRS", 5);
    print_setting(pairs);
    println!("| capture | against | time, ours | theirs | ours / theirs | memory, ours |");
    println!("|---|---|---|---|---|---|");
    for row in rows() {
        let capture = write(folder.path(), "capture", row.traffic);
        for rival in row.rivals {
            compare(&row, rival, &capture, pairs);
        }
        std::fs::remove_file(capture).expect("our file");
    }
    println!("\n| packets | open flows | ns a packet | memory |\n|---|---|---|---|");
    for (millions, open) in GROWTH {
        let shape = Shape::small(millions * 1_000_000, open);
        let capture = write(folder.path(), "growth", Traffic::Made(shape, Format::Pcap));
        let runs: Vec<Run> = (0..pairs).map(|_| run(CLOSEWAIT, &[text(&capture)])).collect();
        let ns = median(&runs) * 1e9 / shape.packets as f64;
        println!("| {millions} M | {open} | {ns:.0} | {} |", memory(&runs));
        std::fs::remove_file(capture).expect("our file");
    }
    floods();
    pipe(folder.path(), pairs);
}

/// Findings, and how they are reported: what memory they take. The last are more than are kept by default.
const FLOODS: [(u64, &[&str]); 5] = [
    (1_500_000, &[]),
    (1_500_000, &["--top", "0"]),
    (1_500_000, &["--format", "jsonl"]),
    (10_000_000, &[]),
    (10_000_000, &["--format", "jsonl"]),
];

/// Connections that are left by the million, through a pipe: nobody has room for such captures.
fn floods() {
    println!("\n| findings | reported by | memory | octets a finding |\n|---|---|---|---|");
    for (findings, args) in FLOODS {
        let mut command = timed(CLOSEWAIT);
        let mut child = command
            .arg("-")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let pipe = child.stdin.take().expect("a pipe");
        let mut out = BufWriter::with_capacity(1 << 20, pipe);
        made(Shape::flood(findings), Format::Pcap, &mut out);
        drop(out);
        let output = child.wait_with_output().expect("the program ends");
        let memory = kilobytes(&output.stderr);
        let (total, each) = match memory {
            Some(kib) => (format!("{} MB", kib / 1024), (kib * 1024 / findings).to_string()),
            None => ("?".into(), "?".into()),
        };
        let (millions, args) = (findings as f64 / 1e6, args.join(" "));
        println!("| {millions} M | closewait {args} - | {total} | {each} |");
    }
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn print_setting(pairs: usize) {
    let first_line = |name: &str, arguments: &[&str]| -> Option<String> {
        let output = Command::new(name).args(arguments).output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines().find(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let date = first_line("date", &["-I"]).unwrap_or_default();
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name\t: "));
    println!("{date}, {cores} cores ({}), medians of {pairs} pairs", processor.unwrap_or("?"));
    for Rival { name, package, version, .. } in [TCPDUMP, TSHARK, TCPTRACE, ARGUS] {
        match first_line(name, version) {
            Some(version) => println!("{name}: {version}"),
            None => println!("{name}: not installed (apt-get install {package})"),
        }
    }
    println!();
}

fn write(folder: &Path, name: &str, traffic: Traffic) -> PathBuf {
    let path = folder.join(name);
    let file = File::create(&path).expect("a writable folder");
    let mut out = BufWriter::with_capacity(1 << 20, file);
    match traffic {
        Traffic::Made(shape, format) => made(shape, format, &mut out),
        Traffic::Gzip(shape) => {
            let mut gzip = flate2::write::GzEncoder::new(out, flate2::Compression::default());
            made(shape, Format::Pcap, &mut gzip);
            gzip.finish().expect("room for a capture");
        }
        Traffic::Zstd(shape) => {
            let mut zstd = zstd::Encoder::new(out, 3).expect("an encoder");
            made(shape, Format::Pcap, &mut zstd);
            zstd.finish().expect("room for a capture");
        }
        Traffic::Recorded(name, packets) => {
            recorded::multiply(recorded::named(name), packets, &mut out)
                .expect("room for a capture");
        }
    }
    path
}

fn made(shape: Shape, format: Format, out: &mut impl Write) {
    generator::write(shape, format, out).expect("room for a capture");
}

fn compare(row: &Row, rival: &Rival, capture: &Path, pairs: usize) {
    if Command::new(rival.program).args(rival.version).output().is_err() {
        return;
    }
    let arguments: Vec<&str> = rival
        .arguments
        .iter()
        .map(|argument| if *argument == "FILE" { text(capture) } else { argument })
        .collect();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        theirs.push(run(rival.program, &arguments));
        ours.push(run(CLOSEWAIT, &[text(capture)]));
    }
    let (our_time, their_time) = (median(&ours), median(&theirs));
    let ratio = our_time / their_time;
    let ratio = if ratio < 0.2 { format!("1/{:.0}", 1.0 / ratio) } else { format!("{ratio:.2}") };
    let (what, name) = (row.what, rival.name);
    println!(
        "| {what} | {name} | {our_time:.2} s | {their_time:.2} s | {ratio} | {} |",
        memory(&ours)
    );
}

/// A writer at full speed, with and without us at the other end of the pipe.
fn pipe(folder: &Path, pairs: usize) {
    let shape = Shape::small(8_000_000, 100_000);
    let capture = write(folder, "pipe", Traffic::Made(shape, Format::Pcap));
    let through = |reader: &mut Command| {
        let started = Instant::now();
        let mut child =
            reader.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        let mut file = File::open(&capture).expect("our file");
        let mut buffer = vec![0; 64 << 10];
        while let Ok(n @ 1..) = file.read(&mut buffer) {
            pipe.write_all(&buffer[..n]).expect("an open pipe");
        }
        drop(pipe);
        child.wait().expect("the program ends");
        Run { seconds: started.elapsed().as_secs_f64(), kilobytes: None }
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        ours.push(through(Command::new(CLOSEWAIT).arg("-")));
        theirs.push(through(Command::new("tcpdump").args(["-r", "-", "-w", "/dev/null"])));
    }
    let rate = |runs: &[Run]| shape.packets as f64 / median(runs) / 1e6;
    println!("\nThrough a pipe: {:.1} M packets a second", rate(&ours));
    println!("(tcpdump -r - -w /dev/null, which looks at nothing: {:.1} M)", rate(&theirs));
}

struct Run {
    seconds: f64,
    /// At its peak, where `time` is installed.
    kilobytes: Option<u64>,
}

/// A command under `time`, if that is there.
fn timed(program: &str) -> Command {
    const TIME: &str = "/usr/bin/time";
    let timed = Path::new(TIME).exists();
    let mut command = Command::new(if timed { TIME } else { program });
    if timed {
        command.args(["-f", "%M", program]);
    }
    command
}

/// The last thing that `time` says.
fn kilobytes(errors: &[u8]) -> Option<u64> {
    String::from_utf8_lossy(errors).lines().last().and_then(|line| line.trim().parse().ok())
}

fn run(program: &str, arguments: &[&str]) -> Run {
    let mut command = timed(program);
    let started = Instant::now();
    let output = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).output();
    let seconds = started.elapsed().as_secs_f64();
    Run { seconds, kilobytes: kilobytes(&output.expect("the program runs").stderr) }
}

fn median(runs: &[Run]) -> f64 {
    let mut seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn memory(runs: &[Run]) -> String {
    let most = runs.iter().filter_map(|run| run.kilobytes).max();
    most.map_or("?".into(), |most| format!("{} MB", most / 1024))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
