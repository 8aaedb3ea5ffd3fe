//! The flags of `closewait top`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::live::{MIN_HOLD, SNAP_LEN};
use super::read::all_cores;
use super::shared::{JudgingArgs, MemoryArgs, NetnsArgs, ReadingArgs};
use super::times::TimeArgs;
use crate::capture::file::Input;
use crate::capture::filter::Filter;
use crate::capture::live::{BUFFER, Wanted};
use crate::commands::format::Format;
use crate::commands::live::{Keeping, LiveCommand, not_stopped};
use crate::commands::top::{Files, TopCommand};
use crate::printable::printable;
use crate::report::text::TextLook;
use crate::run::{Plan, Reading};

pub const EXAMPLES: &str = "\
Examples:
  closewait top                         this host: packets, and what the kernel
                                        lists
  closewait top -i eth0 port 3306       packets of one interface that match
  closewait top incident.pcap           its end; space plays it from the
                                        beginning
  closewait top -f 'port 3306' ring/*.pcap
  closewait top -Z nobody -w seen.pcap  as root, with few rights; keeps what was
                                        seen

Keys: ? on the screen. Without the right to capture (root, or setcap
cap_net_raw=ep \"$(command -v closewait)\") it shows the kernel's list alone, and
says so. For pipes and scripts: closewait live, closewait sockets --watch.

Exit status:
  0  no finding    1  a finding    2  error";

#[derive(Args)]
pub struct TopArgs {
    /// Captures to replay; words that are no files are a BPF expression for this host
    #[arg(value_name = "FILE|EXPR")]
    words: Vec<PathBuf>,

    /// An interface of this host to capture on; repeatable [default: any]
    #[arg(short = 'i', long = "interface", value_name = "IFACE")]
    interface: Vec<String>,

    /// Only packets of captures that match a BPF expression (pcap-filter(7))
    #[arg(short = 'f', long = "filter", value_name = "EXPR")]
    filter: Option<String>,

    /// Keep what is seen on this host
    #[arg(short = 'w', value_name = "FILE")]
    write: Option<PathBuf>,

    /// As root: become this user once everything is open
    #[arg(short = 'Z', long = "relinquish-privileges", value_name = "USER")]
    user: Option<String>,

    /// Name the code behind each finding of this host, as closewait live --code does
    #[arg(long)]
    code: bool,

    #[command(flatten)]
    netns: NetnsArgs,

    /// Read every file as a capture of its own, even if it follows another
    #[arg(long)]
    separate: bool,

    #[command(flatten)]
    memory: MemoryArgs,

    #[command(flatten)]
    judging: JudgingArgs,

    #[command(flatten)]
    reading: ReadingArgs,

    #[command(flatten)]
    times: TimeArgs,
}

impl TopArgs {
    /// Files are replayed; without any, it is this host.
    pub fn top(self) -> Result<TopCommand, String> {
        match self.words.first() {
            Some(first) if self.is_file(first)? => self.files(),
            _ => self.host(),
        }
    }

    /// Is the first word a capture, or what was meant to be one?
    fn is_file(&self, first: &Path) -> Result<bool, String> {
        let name = printable(&first.to_string_lossy());
        let is_there = first.is_file() || first.is_dir();
        if is_there && !self.interface.is_empty() {
            return Err(format!("-i: {name} is a file; to replay it: closewait top {name}"));
        }
        // A lone name that looks like one, and is none, was meant to be one: whoever opens it says so.
        let is_meant = self.words.len() == 1 && name.contains(['/', '.']);
        let is_said = name == "-" || self.filter.is_some() || is_meant;
        Ok(is_there || self.interface.is_empty() && is_said)
    }

    fn files(self) -> Result<TopCommand, String> {
        let (given, flag) = match &self {
            TopArgs { write: Some(_), .. } => (true, "-w: the key w writes packets of a capture"),
            TopArgs { user: Some(_), .. } => (true, "-Z: only for this host"),
            TopArgs { code: true, .. } => (true, "--code: only for this host"),
            TopArgs { netns: NetnsArgs { netns: Some(_) }, .. } => {
                (true, "--netns: only for this host")
            }
            _ => (false, ""),
        };
        if given {
            return Err(flag.into());
        }
        let filter = self.filter.as_deref().map(Filter::new).transpose();
        let files = Files {
            inputs: self.words.into_iter().map(Input).collect(),
            filter: filter.map_err(|error| error.to_string())?,
            policy: self.judging.policy(Duration::ZERO),
            separate: self.separate,
            max_flows: self.memory.max_flows,
            threads: all_cores(),
            reading: self.reading.reading(),
        };
        Ok(TopCommand::Files(Box::new(files), self.times.zone()))
    }

    fn host(self) -> Result<TopCommand, String> {
        if self.judging.end.is_some() {
            return Err("--end: only for captures".into());
        }
        let netns = self.netns.one()?;
        let any = || vec!["any".to_owned()];
        let interfaces = if self.interface.is_empty() { any() } else { self.interface };
        let words: Vec<String> =
            self.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let (zone, dates) = (self.times.zone(), self.times.dates());
        Ok(TopCommand::Host(Box::new(LiveCommand {
            wanted: Wanted {
                interfaces,
                filter: words.join(" "),
                snap_len: SNAP_LEN,
                buffer: BUFFER,
                promiscuous: true,
                count: None,
                duration: None,
                stop: not_stopped(),
            },
            netns,
            write: self.write.map(Keeping::File),
            user: self.user,
            code: self.code,
            metrics: None,
            plan: Plan {
                policy: self.judging.policy(MIN_HOLD),
                max_flows: self.memory.max_flows,
                threads: NonZeroUsize::MIN,
                reading: Reading { octets: self.code, ..self.reading.reading() },
                ..Plan::default()
            },
            format: Format::Text,
            look: TextLook { dates, ..TextLook::new(zone) },
            color: anstream::ColorChoice::Never,
            output: None,
        })))
    }
}
