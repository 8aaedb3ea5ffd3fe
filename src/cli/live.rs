//! The flags of `closewait live`.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::shared::{JudgingArgs, MemoryArgs, NetnsArgs, OutputArgs, ReadingArgs, TagArgs};
use super::times::{TimeArgs, duration};
use crate::capture::live::ring::Ring;
use crate::capture::live::{BUFFER, Wanted};
use crate::commands::format::Format;
use crate::commands::is_stdout;
use crate::commands::live::{Keeping, LiveCommand, not_stopped};
use crate::owner::kernel::Netns;
use crate::printable::printable;
use crate::report::text::TextLook;
use crate::run::{Paths, Plan, Reading};

pub const EXAMPLES: &str = "\
Examples:
  closewait live port 3306               on all interfaces, until interrupted
  closewait -i eth0 port 3306            on one
  closewait live --duration 10min --format jsonl port 3306
  closewait live -w seen.pcap port 3306  keeps what was seen
  closewait live -w seen -C 100 -W 10    the last gigabyte of it, in ten files
  closewait live --metrics 127.0.0.1:9433 port 3306  numbers for Prometheus
  closewait live --code port 3306        with the functions that used them
                                         (root)
  closewait live --tag controller=orders port 3306
                                         what that code leaves, by its
                                         statements' comments
  closewait live -Z nobody port 3306     as root: with no more rights than it
                                         takes

An interrupt (or SIGTERM) prints the report. Capturing takes root, or once:
setcap cap_net_raw=ep \"$(command -v closewait)\"

Exit status:
  0  no finding    1  a finding    2  error";

#[derive(Args)]
pub struct LiveArgs {
    /// A BPF expression, as in tcpdump
    #[arg(value_name = "EXPR")]
    expression: Vec<String>,

    /// An interface to capture on; repeatable
    #[arg(short = 'i', long = "interface", value_name = "IFACE", default_value = "any")]
    interface: Vec<String>,

    /// List the interfaces
    #[arg(short = 'D', long = "list-interfaces")]
    pub list: bool,

    /// Octets of each packet: enough for headers and the first of a statement
    #[arg(short = 's', long = "snapshot-length", value_name = "LEN", default_value_t = SNAP_LEN)]
    snap_len: u32,

    /// KiB of the buffer that the kernel fills
    #[arg(short = 'B', long = "buffer-size", value_name = "KIB", default_value_t = BUFFER >> 10)]
    buffer: u32,

    /// Do not put the interface into promiscuous mode
    #[arg(short = 'p', long = "no-promiscuous-mode")]
    not_promiscuous: bool,

    /// End after so many packets
    #[arg(short = 'c', long = "count", value_name = "COUNT")]
    count: Option<u64>,

    /// End after so long
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,

    /// Keep what was seen
    #[arg(short = 'w', value_name = "FILE")]
    write: Option<PathBuf>,

    /// Begin a new file of -w after so many million octets (k, m, g: KiB, MiB, GiB); names end in numbers
    #[arg(short = 'C', value_name = "SIZE", requires = "write", value_parser = size)]
    size: Option<u64>,

    /// Begin a new file of -w after so long; its name may have a time in it, as strftime(3) writes it
    #[arg(
        short = 'G', value_name = "SECONDS", requires = "write",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    every: Option<u64>,

    /// With -C: so many files, then the first again. With -G alone: end after so many
    #[arg(
        short = 'W', value_name = "FILES", requires = "write",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    files: Option<u32>,

    /// As root: become this user once everything is open
    ///
    /// The process that reads packets has then no rights at all. Processes are named by another one,
    /// which keeps cap_sys_ptrace and cap_dac_read_search.
    #[arg(short = 'Z', long = "relinquish-privileges", value_name = "USER")]
    user: Option<String>,

    /// Name the code behind each finding: the functions that began its transaction, asked last, and read its
    /// end-of-file
    ///
    /// For Go, C, C++ and Rust, and for Node, Java and Python where they write a perf map. It takes Linux 6.3
    /// (on x86-64, 4.17), and as another user than root cap_perfmon, cap_dac_read_search and cap_sys_ptrace;
    /// each send on this host takes about 2 µs longer meanwhile.
    #[arg(long)]
    code: bool,

    /// With --code: all functions, those of libraries, too
    #[arg(long, requires = "code")]
    frames: bool,

    /// Answer Prometheus at this address (http://ADDR:PORT/metrics), of this network namespace
    /// whatever --netns; a port alone is on the loopback interface
    #[arg(long, value_name = "ADDR:PORT", value_parser = metrics_address)]
    metrics: Option<SocketAddr>,

    #[command(flatten)]
    netns: NetnsArgs,

    #[command(flatten)]
    memory: MemoryArgs,

    #[command(flatten)]
    judging: JudgingArgs,

    #[command(flatten)]
    reading: ReadingArgs,

    #[command(flatten)]
    tag: TagArgs,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    times: TimeArgs,
}

/// `127.0.0.1:9433`, `[::1]:9433`, `:9433`, `9433`.
fn metrics_address(text: &str) -> Result<SocketAddr, String> {
    match text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
        Ok(port) => Ok((Ipv4Addr::LOCALHOST, port).into()),
        Err(_) => text.parse().map_err(|_| "write ADDR:PORT, or a port".to_owned()),
    }
}

/// `100`: millions of octets, as in tcpdump; `100k`, `100m`, `1g`.
fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1_000_000),
    };
    let number = number.parse::<u64>().ok().filter(|number| *number > 0);
    let octets = number.and_then(|number| number.checked_mul(unit));
    octets.ok_or_else(|| "write a number, or one with k, m or g".to_owned())
}

/// Octets of each packet.
pub(super) const SNAP_LEN: u32 = 256;

/// Shorter than this, a program may just be about to close.
pub(super) const MIN_HOLD: Duration = Duration::from_secs(5);

impl LiveArgs {
    /// Makes of the flags where packets are kept.
    fn kept(&self) -> Result<Option<Keeping>, String> {
        let Some(path) = self.write.clone() else { return Ok(None) };
        let every = self.every.map(Duration::from_secs);
        if self.size.is_none() && every.is_none() {
            return match self.files {
                Some(_) => Err("-W: with -C or -G".into()),
                None => Ok(Some(Keeping::File(path))),
            };
        }
        let ring = Ring { path, size: self.size, every, files: self.files };
        ring.check().map_err(|error| error.to_string())?;
        Ok(Some(Keeping::Ring(ring)))
    }

    /// The namespace whose interfaces are listed.
    pub fn place(&self) -> Result<Netns, String> {
        self.netns.one()
    }

    pub fn live(self) -> Result<LiveCommand, String> {
        let look = TextLook { frames: self.frames, ..self.output.look(&self.times, false) };
        let format = self.output.report.format_to_file()?;
        if format == Format::Parquet {
            let other =
                "keep the packets (-w), and: closewait --format parquet FILE -o FILE.parquet";
            return Err(format!("--format parquet: a table is whole only in the end; {other}"));
        }
        let paths = if format == Format::Html { Paths::Sample } else { Paths::None };
        if self.write.as_deref().is_some_and(is_stdout) {
            let other = "closewait -i IFACE -w FILE, or: tcpdump -w - | tee FILE | closewait -";
            return Err(format!("-w -: standard output is the report's ({other})"));
        }
        let kept = self.kept()?;
        let named = self.interface.iter().chain(&self.expression);
        if let Some(file) = named.into_iter().find(|name| Path::new(name).is_file()) {
            let file = printable(file);
            return Err(format!(
                "{file}: is a file, not an interface; to read it: closewait {file}"
            ));
        }
        if self.judging.end.is_some() {
            return Err("--end: a live capture ends when it is told to: --duration".into());
        }
        let netns = self.netns.one()?;
        let reading = self.tag.add_to(self.reading.reading())?;
        Ok(LiveCommand {
            wanted: Wanted {
                interfaces: self.interface,
                filter: self.expression.join(" "),
                // As tcpdump has it.
                snap_len: if self.snap_len == 0 { 262_144 } else { self.snap_len },
                buffer: self.buffer.saturating_mul(1024),
                promiscuous: !self.not_promiscuous,
                count: self.count,
                duration: self.duration,
                stop: not_stopped(),
            },
            netns,
            write: kept,
            user: self.user,
            code: self.code,
            metrics: self.metrics,
            plan: Plan {
                policy: self.judging.policy(MIN_HOLD),
                max_flows: self.memory.max_flows,
                // Packets come slower than one thread takes them.
                threads: NonZeroUsize::MIN,
                reading: Reading { octets: self.code, paths, ..reading },
                ..Plan::default()
            },
            format,
            look,
            color: self.output.report.file.color(),
            output: self.output.report.file.output(),
        })
    }
}
