//! Flags become a plan. The only room that knows clap.

mod check;
mod explain;
mod flames;
mod live;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstream::ColorChoice;
use chrono::TimeDelta;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::attach::registry::Known;
use crate::capture::file::Input;
use crate::capture::filter::Filter;
use crate::commands::check::Check;
use crate::commands::explain::Explain;
use crate::commands::live::Live;
use crate::commands::read::{Format, Read};
use crate::commands::sockets::{Narrow, Sockets};
use crate::endpoints::EndpointSet;
use crate::engine::shards::MOST_THREADS;
use crate::owner::kernel::Netns;
use crate::report::text::Look;
use crate::run::{Plan, Reading};
use crate::table::MAX_FLOWS;
use crate::tcp::state::State;
use crate::units::Zone;
use crate::verdict::Policy;
use flames::FlameArgs;

/// What the program was asked to do.
pub enum Command {
    Read(Box<Read>),
    Explain(Box<Explain>),
    Live(Box<Live>),
    Check(Box<Check>),
    ListInterfaces,
    Sockets(Box<Sockets>),
    /// To answer questions about this host's sockets, as this user.
    Lookup(Option<String>),
    /// Everything has been said (help, version, a usage error): end with this status.
    End(u8),
}

/// Understands the command line, or says what is wrong with it.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Command {
    let cli = match Cli::try_parse_from(as_live(args)) {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing is left to do if even this cannot be printed.
            let _ = error.print();
            return Command::End(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let asked = match cli.command {
        Some(Verb::Sockets(args)) => Ok(Command::Sockets(Box::new(args.sockets()))),
        Some(Verb::Check(args)) => Ok(Command::Check(Box::new(args.check()))),
        Some(Verb::Lookup { user }) => Ok(Command::Lookup(user)),
        Some(Verb::Explain(args)) => args.explain().map(|e| Command::Explain(Box::new(e))),
        Some(Verb::Live(args)) if args.list => Ok(Command::ListInterfaces),
        Some(Verb::Live(args)) => args.live().map(|live| Command::Live(Box::new(live))),
        Some(Verb::Read(args)) => args.plan().map(|read| Command::Read(Box::new(read))),
        None => cli.read.plan().map(|read| Command::Read(Box::new(read))),
    };
    asked.unwrap_or_else(|sentence| {
        crate::commands::complain(&sentence);
        Command::End(2)
    })
}

/// `closewait -i eth0 …` is `closewait live -i eth0 …`, as is `closewait -D`.
fn as_live(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    let is_live = args.get(1).is_some_and(|first| {
        let first = first.to_string_lossy();
        first.starts_with("-i") || first == "--interface" || first == "-D"
    });
    if is_live {
        args.insert(1, "live".into());
    }
    args
}

/// Names the TCP connections that a program left in CLOSE-WAIT.
///
/// Reads packet captures, follows every connection's close by RFC 9293, and reports those where the
/// peer sent FIN and the local side never sent its own: which, held by whom, since when, closed after
/// how long idle.
#[derive(Parser)]
#[command(
    name = "closewait",
    version,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true,
    after_help = EXAMPLES,
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Verb>,
    #[command(flatten)]
    read: ReadArgs,
}

#[derive(Subcommand)]
enum Verb {
    /// Read captures and report (what closewait does without a command, too)
    #[command(after_help = EXAMPLES, arg_required_else_help = true)]
    Read(ReadArgs),
    /// Show one connection packet by packet, with what was said on it and what is to be made of it
    #[command(after_help = explain::EXAMPLES, arg_required_else_help = true)]
    Explain(explain::ExplainArgs),
    /// Notices an interface: say it when a connection is stuck, and name the process
    #[command(after_help = live::EXAMPLES)]
    Live(live::LiveArgs),
    /// List what this host holds in CLOSE-WAIT, by process: no capture needed
    #[command(after_help = SOCKET_EXAMPLES)]
    Sockets(SocketsArgs),
    /// Hold captures against what is expected of them: for tests and CI
    #[command(after_help = check::EXAMPLES, arg_required_else_help = true)]
    Check(check::CheckArgs),
    /// What `live` starts to have processes named
    #[command(hide = true)]
    Lookup {
        #[arg(short = 'Z')]
        user: Option<String>,
    },
}

const EXAMPLES: &str = "\
Examples:
  closewait incident.pcap                       what is stuck, and since when
  closewait --local 10.0.0.5 *.pcap             judge only what 10.0.0.5 has to close
  closewait -r incident.pcap port 3306          only packets that match a BPF expression
  closewait incident.pcap -- port 3306          the same
  tcpdump -r big.pcap -w - port 3306 | closewait -
  closewait explain incident.pcap --frame 4     the connection of that frame, packet by packet
  closewait big.pcap -w stuck.pcapng            the packets of the findings alone, for Wireshark
  closewait live port 3306                      as it happens, with the process (closewait live --help)
  closewait --flamegraph-diff diff.svg x.pcap   what leaked did, and what was closed did
  closewait --format jsonl --all x.pcap | jq 'select(.verdict==\"leak\")'
  closewait check captures                      in CI (closewait check --help)

Exit status:
  0  no finding    1  a finding    2  the work could not be done";

const SOCKET_EXAMPLES: &str = "\
Examples:
  closewait sockets                             every state with its count; who holds CLOSE-WAIT
  closewait sockets --peer :3306 --watch        how fast it grows, and when descriptors run out
  closewait sockets --netns all                 in every container of this host
  closewait sockets --format jsonl --all >list  to join with a capture: closewait --sockets list x.pcap

Exit status:
  0  no socket in CLOSE-WAIT    1  at least one    2  the work could not be done";

#[derive(Args)]
struct SocketsArgs {
    /// Lists that somebody saved, in place of this host's: of ss, netstat, lsof, /proc/net/tcp; - is
    /// standard input
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

    /// Only sockets of this process; repeatable
    #[arg(long, value_name = "PID", help_heading = "Narrowing")]
    pid: Vec<i32>,

    /// Look into a network namespace: a name of ip netns, a process id, or all
    #[arg(long, value_name = "NAME|PID|all")]
    netns: Option<String>,

    /// Look again every so often (2s), and say how fast it grows
    #[arg(
        long, value_name = "TIME", num_args = 0..=1, require_equals = true,
        default_missing_value = "2s", value_parser = duration
    )]
    watch: Option<Duration>,

    /// With --watch: look so many times
    #[arg(short = 'c', value_name = "COUNT", requires = "watch")]
    count: Option<u64>,

    #[command(flatten)]
    output: OutputArgs,
}

/// How a report is written, whatever it is about.
#[derive(Args)]
struct OutputArgs {
    /// The form of the report
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Output"
    )]
    format: FormatArg,

    /// Write the report to a file
    #[arg(short = 'o', long = "output", value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,

    /// Lines in each table; 0 for all
    #[arg(long, value_name = "N", default_value = "20", help_heading = "Output")]
    top: usize,

    /// When to use colours
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    color: ColorArg,
}

/// What is a finding.
#[derive(Args)]
struct JudgingArgs {
    /// The side to judge: an address, a network, ADDR:PORT or :PORT; repeatable
    ///
    /// Without it, what the capture knows decides: its interfaces' addresses, the direction of its
    /// packets. Where it knows nothing, whoever owes the FIN is judged, and the report says so.
    #[arg(long, value_name = "ADDR", help_heading = "Judging")]
    local: Vec<EndpointSet>,

    /// Call a half-closed connection pending until it was held so long [default: 0s; live 5s]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Judging")]
    min_hold: Option<Duration>,

    /// A half-closed connection is in use while local sent payload within so long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, help_heading = "Judging")]
    half_close_quiet: Duration,

    /// Count only findings without any doubt
    #[arg(long, help_heading = "Judging")]
    certain: bool,
}

/// What is read of the contents of connections.
#[derive(Args)]
struct ReadingArgs {
    /// A port of MySQL servers, beside 3306 and those where a server greets; repeatable
    #[arg(long, value_name = "PORT", help_heading = "Contents")]
    mysql: Vec<u16>,

    /// A port of servers, and what they speak: postgresql=6432; repeatable
    #[arg(long, value_name = "PROTOCOL=PORT", value_parser = server_port, help_heading = "Contents")]
    port: Vec<(Known, u16)>,

    /// A UDP port of VXLAN, beside the usual ones and any where a header holds; repeatable
    #[arg(long, value_name = "PORT", help_heading = "Contents")]
    vxlan_port: Vec<u16>,

    /// Statements as they were sent, with their values: they can be private
    #[arg(long, help_heading = "Contents")]
    show_literals: bool,
}

impl ReadingArgs {
    fn reading(&self) -> Reading {
        let mysql = self.mysql.iter().map(|port| (Known::Mysql, *port));
        let ports = mysql.chain(self.port.iter().copied()).collect();
        let vxlan = self.vxlan_port.clone();
        Reading { ports, vxlan, literals: self.show_literals, ..Reading::default() }
    }
}

/// How times are written.
#[derive(Args)]
struct TimeArgs {
    /// Times in UTC instead of the local zone
    #[arg(long, help_heading = "Output")]
    utc: bool,

    /// -tttt: dates before times
    #[arg(short = 't', action = ArgAction::Count, help_heading = "Output")]
    time_style: u8,

    /// Names are never resolved; accepted for tcpdump's sake
    #[arg(short = 'n', action = ArgAction::Count, help_heading = "Output")]
    numeric: u8,
}

#[derive(Args)]
struct ReadArgs {
    /// Captures to read (pcap, pcapng; gzip and zstd too); - is standard input
    ///
    /// Files that follow one another (a rotated series, in any order) are one capture; files that
    /// overlap are captures of different points, each with its own connections.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// A capture to read, as in tcpdump: words after it that are no files are a BPF expression
    #[arg(short = 'r', value_name = "FILE")]
    read: Vec<PathBuf>,

    /// Only packets that match a BPF expression (pcap-filter(7))
    #[arg(short = 'f', long = "filter", value_name = "EXPR", conflicts_with = "expression")]
    filter: Option<String>,

    /// A BPF expression
    #[arg(last = true, value_name = "EXPR")]
    expression: Vec<String>,

    /// Read every file as a capture of its own, even if it follows another
    #[arg(long)]
    separate: bool,

    /// The most connections to keep in memory. Beyond it, finished ones are judged and forgotten
    /// first, then unanswered SYNs, open ones, and half-closed ones last
    #[arg(long, value_name = "N", default_value_t = MAX_FLOWS)]
    max_flows: usize,

    /// How many threads to work with; the answer is the same for any number [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,

    /// A saved list of the host's sockets: each finding gets its process, and sockets stuck before
    /// the capture are listed (ss, netstat, lsof, `closewait sockets --format jsonl --all`)
    #[arg(long, value_name = "FILE")]
    sockets: Option<PathBuf>,

    #[command(flatten)]
    judging: JudgingArgs,

    #[command(flatten)]
    reading: ReadingArgs,

    /// Report every connection, not only those that are or may be stuck
    #[arg(long, help_heading = "Output")]
    all: bool,

    #[command(flatten)]
    output: OutputArgs,

    /// Write the packets of the findings, and no others, to a pcapng file, with comments; the
    /// captures are read twice
    #[arg(short = 'w', value_name = "FILE", help_heading = "Output")]
    write: Option<PathBuf>,

    #[command(flatten)]
    times: TimeArgs,

    #[command(flatten)]
    flames: FlameArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormatArg {
    /// For people
    Text,
    /// One JSON object a line, for programs
    Jsonl,
    /// Comma-separated values, for spreadsheets
    Csv,
}

#[derive(Clone, Copy, ValueEnum)]
enum ColorArg {
    Auto,
    Always,
    Never,
}

fn state(text: &str) -> Result<State, String> {
    text.parse().map_err(|()| {
        let names: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
        format!("no such state: {}", names.join(", "))
    })
}

/// `5s`, `500ms`, `2min`; a bare number is seconds.
/// `postgresql=6432`
fn server_port(text: &str) -> Result<(Known, u16), String> {
    let (protocol, port) = text.split_once('=').ok_or("it is written as postgresql=6432")?;
    Ok((protocol.parse()?, port.parse().map_err(|_| format!("'{port}' is no port"))?))
}

fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok();
    match seconds {
        Some(seconds) => Duration::try_from_secs_f64(seconds).map_err(|e| e.to_string()),
        None => {
            humantime::parse_duration(text).map_err(|e| format!("{e}: write 5s, 500ms or 2min"))
        }
    }
}

impl OutputArgs {
    fn format(&self) -> Format {
        match self.format {
            FormatArg::Text => Format::Text,
            FormatArg::Jsonl => Format::Jsonl,
            FormatArg::Csv => Format::Csv,
        }
    }

    fn color(&self) -> ColorChoice {
        color(self.color)
    }
}

fn color(arg: ColorArg) -> ColorChoice {
    match arg {
        ColorArg::Auto => ColorChoice::Auto,
        ColorArg::Always => ColorChoice::Always,
        ColorArg::Never => ColorChoice::Never,
    }
}

impl JudgingArgs {
    /// `min_hold` unless told otherwise.
    fn policy(self, min_hold: Duration) -> Policy {
        let delta = |d| TimeDelta::from_std(d).unwrap_or(TimeDelta::MAX);
        Policy {
            local: (!self.local.is_empty()).then(|| EndpointSet::union(self.local)),
            min_hold: delta(self.min_hold.unwrap_or(min_hold)),
            half_close_quiet: delta(self.half_close_quiet),
            certain: self.certain,
        }
    }
}

impl TimeArgs {
    fn zone(&self) -> Zone {
        if self.utc { Zone::Utc } else { Zone::Local }
    }

    fn dates(&self) -> bool {
        self.time_style >= 4
    }

    fn look(&self, output: &OutputArgs, all: bool) -> Look {
        Look { zone: self.zone(), dates: self.dates(), top: output.top, all, explain: false }
    }
}

/// A name of `ip netns`, a process id, or all of them.
fn netns(name: Option<&str>) -> Netns {
    match name {
        None => Netns::Own,
        Some("all") => Netns::All,
        Some(name) => name.parse().map_or_else(|_| Netns::Named(name.into()), Netns::Pid),
    }
}

impl SocketsArgs {
    fn sockets(self) -> Sockets {
        let peer = (!self.peer.is_empty()).then(|| EndpointSet::union(self.peer));
        Sockets {
            files: self.files,
            netns: netns(self.netns.as_deref()),
            narrow: Narrow { states: self.state, peer, ports: self.port, pids: self.pid },
            all: self.all,
            format: self.output.format(),
            top: self.output.top,
            color: self.output.color(),
            output: self.output.output,
            watch: self.watch,
            rounds: self.count,
        }
    }
}

impl ReadArgs {
    fn plan(self) -> Result<Read, String> {
        let (inputs, expression) = self.inputs()?;
        let filter = match expression.as_str() {
            "" => None,
            expression => Some(Filter::new(expression).map_err(|e| e.to_string())?),
        };
        let explain = inputs.iter().all(|input| input.read_once().is_none());
        let look = Look { explain, ..self.times.look(&self.output, self.all) };
        let flames = self.flames.flames(self.output.output.as_deref())?;
        Ok(Read {
            sockets: self.sockets,
            plan: Plan {
                inputs,
                filter,
                policy: self.judging.policy(Duration::ZERO),
                all: self.all,
                separate: self.separate,
                sockets: None,
                max_flows: self.max_flows,
                threads: bounded(self.threads.unwrap_or_else(all_cores)),
                reading: Reading { paths: flames.paths(), ..self.reading.reading() },
            },
            flames,
            format: self.output.format(),
            look,
            color: self.output.color(),
            output: self.output.output,
            write: self.write,
        })
    }

    /// The files, and the BPF expression: after `--` or `-f`; after `-r FILE`, the words from the
    /// first that is no file on.
    fn inputs(&self) -> Result<(Vec<Input>, String), String> {
        let mut expression = match &self.filter {
            Some(filter) => vec![filter.clone()],
            None => self.expression.clone(),
        };
        let mut files = self.read.clone();
        if self.read.is_empty() {
            files.extend(self.files.iter().cloned());
        } else {
            let words = self.files.iter().position(|word| !is_capture_name(word));
            let (more, words) = self.files.split_at(words.unwrap_or(self.files.len()));
            files.extend(more.iter().cloned());
            expression.extend(words.iter().map(|word| word.to_string_lossy().into_owned()));
        }
        let inputs: Vec<Input> = files.into_iter().map(Input).collect();
        match inputs.iter().filter(|input| input.is_stdin()).count() {
            _ if inputs.is_empty() => {
                return Err("no capture to read: name one, or - for standard input".into());
            }
            0 | 1 => {}
            _ => return Err("standard input can be read only once".into()),
        }
        if self.read.is_empty()
            && let Some(sentence) = inputs.first().and_then(meant_as_command)
        {
            return Err(sentence);
        }
        Ok((inputs, expression.join(" ")))
    }
}

fn all_cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// As many threads as find something to do.
fn bounded(threads: NonZeroUsize) -> NonZeroUsize {
    if threads > MOST_THREADS {
        crate::commands::complain(&format!(
            "--threads {threads}: {MOST_THREADS} work, more would find nothing to do"
        ));
    }
    threads.min(MOST_THREADS)
}

/// A word after `-r FILE` that is one more file: it exists, and no BPF primitive looks like it.
fn is_capture_name(word: &Path) -> bool {
    let like_a_name = word.to_string_lossy().contains(['.', '/']);
    word.as_os_str() == "-" || like_a_name && word.is_file()
}

/// A bare word that is no file was meant as a command: which one?
fn meant_as_command(input: &Input) -> Option<String> {
    let word = input.name();
    if input.is_stdin() || input.0.exists() || word.contains(['.', '/']) {
        return None;
    }
    let command = Cli::command();
    let nearest = command
        .get_subcommands()
        .map(clap::Command::get_name)
        .max_by(|a, b| strsim::jaro_winkler(&word, a).total_cmp(&strsim::jaro_winkler(&word, b)))?;
    Some(format!("{word}: is neither a file nor a command; did you mean: closewait {nearest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_take_units_or_seconds() {
        assert_eq!(duration("5"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
        assert!(duration("-1").is_err());
        assert!(duration("soon").is_err());
    }
}
