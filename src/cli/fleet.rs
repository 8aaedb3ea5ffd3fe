//! The flags of `closewait facts` and `closewait judge`.

use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::read::{all_cores, bounded};
use super::shared::{JudgingArgs, MemoryArgs, OutputArgs, ReadingArgs};
use super::times::TimeArgs;
use crate::capture::file::Input;
use crate::commands::fleet::{FactsCommand, JudgeCommand};
use crate::commands::is_stdout;
use crate::run::Plan;

pub const FACTS_EXAMPLES: &str = "\
Examples:
  closewait facts cap-0412.pcap -o day/point=app-1-eth0/cap-0412.parquet
  closewait facts --content cap-0412.pcap -o cap-0412.parquet
                                          with payload, for causes
  tcpdump -i eth0 -G 60 -w cap-%s.pcap -z closewait-facts
                                          a script that calls it, for each file

In builds with the feature fleet. Exit status:
  0  the part is written    2  error, or not all of the file could be read";

pub const JUDGE_EXAMPLES: &str = "\
Examples:
  closewait judge day/point=app-1-eth0/ --local 172.18.0.0/24
  closewait judge day/point=app-1-eth0/ --format parquet -o app-1-eth0.parquet
  closewait judge point/ --shard 1/8 --tell told-1.json
                                          an eighth of the connections
  closewait judge --told told-1.json --told told-2.json
                                          has each share to be judged again?

In builds with the feature fleet. Exit status:
  0  no finding
  1  a finding
  2  error; without parts, 1: judge each share again, with --told";

#[derive(Args)]
pub struct FactsArgs {
    /// A capture to make a part of (pcap, pcapng; compressed too)
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The part to write: beside its name first, and renamed when it is whole; - is standard output
    #[arg(short = 'o', long = "output", value_name = "PART")]
    output: PathBuf,

    /// Payload as far as it was captured, too: it tells causes, and can be private. Without, only headers
    /// leave the host
    #[arg(long)]
    content: bool,

    /// A number that shares of connections are chosen by, the same for all parts of a capture point: who
    /// does not know it cannot send all into one share
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    key: u64,

    /// A UDP port of VXLAN, beside the usual ones; repeatable
    #[arg(long, value_name = "PORT")]
    vxlan_port: Vec<u16>,
}

#[derive(Args)]
pub struct JudgeArgs {
    /// Parts of one capture point, or a folder of them
    #[arg(value_name = "POINT")]
    parts: Vec<PathBuf>,

    /// Judge one of several shares of the connections: 3/8
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,

    /// Write what this share knows of the capture and the others have to know
    #[arg(long, value_name = "FILE")]
    tell: Option<PathBuf>,

    /// A file that a share told; all of them, repeated
    #[arg(long, value_name = "FILE")]
    told: Vec<PathBuf>,

    #[command(flatten)]
    memory: MemoryArgs,

    /// Work with so many threads; the answer is the same for any number [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,

    #[command(flatten)]
    judging: JudgingArgs,

    #[command(flatten)]
    reading: ReadingArgs,

    /// Report every connection, not only those that are or may be stuck
    #[arg(long, help_heading = "Output")]
    all: bool,

    #[command(flatten)]
    output: OutputArgs,

    #[command(flatten)]
    times: TimeArgs,
}

impl FactsArgs {
    pub fn facts(self) -> Result<FactsCommand, String> {
        let is_stdout = is_stdout(&self.output);
        if is_stdout && io::stdout().is_terminal() {
            return Err("a part is for programs: name a file for it, -o PART.parquet".into());
        }
        Ok(FactsCommand {
            input: Input(self.file),
            output: if is_stdout { "/dev/stdout".into() } else { self.output },
            contents: self.content,
            key: self.key,
            vxlan: self.vxlan_port,
        })
    }
}

impl JudgeArgs {
    pub fn judge(self) -> Result<JudgeCommand, String> {
        let look = self.output.look(&self.times, self.all);
        Ok(JudgeCommand {
            parts: self.parts,
            shard: self.shard,
            tell: self.tell,
            told: self.told,
            plan: Plan {
                policy: self.judging.policy(Duration::ZERO),
                all: self.all,
                max_flows: self.memory.max_flows,
                threads: bounded(self.threads.unwrap_or_else(all_cores)),
                reading: self.reading.reading(),
                ..Plan::default()
            },
            format: self.output.report.format_to_file()?,
            look,
            color: self.output.report.file.color(),
            output: self.output.report.file.output(),
        })
    }
}
