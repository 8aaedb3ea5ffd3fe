//! The flags of `closewait sockets`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::shared::{FormatArg, NetnsArgs, OutputArgs};
use super::times::duration;
use crate::commands::sockets::{Narrow, SocketsCommand};
use crate::endpoints::EndpointSet;
use crate::tcp::state::State;

pub const EXAMPLES: &str = "\
Examples:
  closewait sockets                       every state with its count; who holds
                                          CLOSE-WAIT
  closewait sockets --peer :3306 --watch  how fast it grows, and when
                                          descriptors run out
  closewait sockets --watch --code        the functions behind what gets stuck
                                          meanwhile
  closewait sockets --netns all           in every container of this host
  closewait sockets --lang zh             in Chinese (the default where the
                                          locale is)
  closewait sockets --format jsonl --all >list
                                          for closewait --sockets list x.pcap

Exit status:
  0  no socket in CLOSE-WAIT    1  at least one    2  error";

/// Forms of a list of sockets.
pub const FORMATS: &[FormatArg] = &[FormatArg::Text, FormatArg::Jsonl, FormatArg::Csv];

/// Lines in each table.
const LINES: usize = 20;

#[derive(Args)]
pub struct SocketsArgs {
    /// Lists that somebody saved, in place of this host's: of ss, netstat (any system), lsof,
    /// /proc/net/tcp, Get-NetTCPConnection, a table or CSV with named columns; - is standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["netns", "watch"])]
    files: Vec<PathBuf>,

    /// List each socket, of whatever state
    #[arg(long)]
    all: bool,

    /// Only sockets in this state (CLOSE-WAIT, ESTABLISHED, …), each in a line; repeatable
    #[arg(long, value_name = "STATE", value_parser = state, help_heading = "Narrowing")]
    state: Vec<State>,

    /// Only sockets with this peer: an address, a network, ADDR:PORT or :PORT; repeatable
    #[arg(long, value_name = "ADDR", help_heading = "Narrowing")]
    peer: Vec<EndpointSet>,

    /// Only sockets with this port, local or the peer's; repeatable
    #[arg(long, value_name = "PORT", help_heading = "Narrowing")]
    port: Vec<u16>,

    /// A port or a process: which of them, other tools do not agree on
    #[arg(short = 'p', value_name = "PORT|PID", num_args = 0..=1, hide = true)]
    ambiguous: Option<Option<String>>,

    /// Only sockets of this process; repeatable
    #[arg(long, value_name = "PID", help_heading = "Narrowing")]
    pid: Vec<i32>,

    #[command(flatten)]
    netns: NetnsArgs,

    /// Look again every so often (2s), and say how fast it grows
    #[arg(
        long, value_name = "TIME", num_args = 0..=1, require_equals = true,
        default_missing_value = "2s", value_parser = duration
    )]
    watch: Option<Duration>,

    /// With --watch: look so many times
    #[arg(short = 'c', value_name = "COUNT", requires = "watch")]
    count: Option<u64>,

    /// With --watch: name the functions behind what gets stuck meanwhile, without a capture
    #[arg(long, requires = "watch")]
    code: bool,

    /// With --code: all functions, those of libraries, too
    #[arg(long, requires = "code")]
    frames: bool,

    #[command(flatten)]
    output: OutputArgs,
}

fn state(text: &str) -> Result<State, String> {
    text.parse().map_err(|()| {
        let names: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
        format!("no such state: {}", names.join(", "))
    })
}

/// Says what a word may mean that is a number or an address, and no file.
fn no_list(file: &Path) -> Option<String> {
    let word = file.to_str().filter(|word| *word != "-" && !file.exists())?;
    if word.parse::<u16>().is_ok() {
        return Some(format!(
            "{word}: is not a file; a port is --port {word}, a process --pid {word}"
        ));
    }
    let is_address = word.parse::<EndpointSet>().is_ok();
    is_address.then(|| format!("{word}: is not a file; a peer is --peer {word}"))
}

impl SocketsArgs {
    pub fn sockets(self) -> Result<SocketsCommand, String> {
        if self.ambiguous.is_some() {
            return Err(
                "-p: a port is --port N, a process --pid N; processes are named anyway".into()
            );
        }
        if let Some(sentence) = self.files.iter().find_map(|file| no_list(file)) {
            return Err(sentence);
        }
        let peer = (!self.peer.is_empty()).then(|| EndpointSet::union(self.peer));
        Ok(SocketsCommand {
            files: self.files,
            netns: self.netns.any(),
            narrow: Narrow { states: self.state, peer, ports: self.port, pids: self.pid },
            all: self.all,
            format: self.output.report.format(),
            top: self.output.top.unwrap_or(LINES),
            color: self.output.report.file.color(),
            lang: self.output.lang(),
            output: self.output.report.file.output(),
            watch: self.watch,
            rounds: self.count,
            code: self.code,
            frames: self.frames,
        })
    }
}
