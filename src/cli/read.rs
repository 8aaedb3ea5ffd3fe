//! The flags of `closewait read`, which is what `closewait` does without a command, too.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::flames::FlameArgs;
use super::nearest_command;
use super::options::Options;
use super::shared::{JudgingArgs, MemoryArgs, OutputArgs, ReadingArgs, TagArgs};
use super::times::TimeArgs;
use crate::capture::file::Input;
use crate::capture::filter::Filter;
use crate::capture::stop::Stop;
use crate::commands::format::Format;
use crate::commands::read::ReadCommand;
use crate::engine::shards::MOST_THREADS;
use crate::printable::printable;
use crate::report::shell;
use crate::report::text::TextLook;
use crate::run::{Paths, Plan, Reading};

pub const REPORT_EXAMPLES: &str = "\
Examples:
  closewait report incident.pcap -o incident.html
                                          one file, for a ticket: it asks
                                          nothing of the net
  closewait report --local 10.0.0.5 *.pcap -o incident.html
  closewait report --sockets list x.pcap -o incident.html  with the processes
  closewait live --format html port 3306 >incident.html
                                          as it was seen, at the end

Exit status:
  0  no finding    1  a finding    2  error";

pub const EXAMPLES: &str = "\
Examples:
  closewait incident.pcap               what is stuck, and since when
  closewait --local 10.0.0.5 *.pcap     judge only what 10.0.0.5 has to close
  closewait -r incident.pcap port 3306  only packets that match a BPF expression
  closewait incident.pcap -- port 3306  the same
  tcpdump -r big.pcap -w - port 3306 | closewait -
  closewait explain incident.pcap --frame 4
                                        the connection of that frame, packet by
                                        packet
  closewait big.pcap -w stuck.pcapng    the packets of the findings alone, for
                                        Wireshark
  closewait report incident.pcap -o incident.html
                                        one page with plots, for a ticket
  closewait live port 3306              as it happens, with the process
                                        (closewait live --help)
  closewait --flamegraph-diff diff.svg x.pcap
                                        what leaked did, and what was closed did
  closewait --tag controller=orders x.pcap
                                        what that code left, by its statements'
                                        comments
  closewait --format jsonl --all x.pcap | jq 'select(.verdict==\"leak\")'
  closewait --lang zh incident.pcap     in Chinese (the default where the locale
                                        is)
  closewait check captures              in CI (closewait check --help)

Exit status:
  0  no finding    1  a finding    2  error";

#[derive(Args)]
pub struct ReadArgs {
    /// Captures to read (pcap, pcapng; gzip and zstd too); - is standard input
    ///
    /// Files that follow one another (a rotated series, in any order) are one capture; files that
    /// overlap are captures of different points, each with its own connections.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// A capture to read, as in tcpdump: arguments that are not files are a BPF expression
    #[arg(short = 'r', value_name = "FILE")]
    read: Vec<PathBuf>,

    /// Packets that match a BPF expression (pcap-filter(7))
    #[arg(short = 'f', long = "filter", value_name = "EXPR", conflicts_with = "expression")]
    filter: Option<String>,

    /// A BPF expression
    #[arg(last = true, value_name = "EXPR")]
    expression: Vec<String>,

    /// Read every file as a capture of its own, even if it follows another
    #[arg(long)]
    separate: bool,

    #[command(flatten)]
    memory: MemoryArgs,

    /// Packets are read as they were captured: accepted, as tcpdump has it
    #[arg(short = 's', value_name = "N", hide = true)]
    snap_len: Option<u32>,

    /// Work with so many threads; the answer is the same for any number [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,

    /// A list of the host's sockets: names the processes
    ///
    /// Sockets that were stuck before the capture are listed. It may be one of ss, netstat or lsof,
    /// /proc/net/tcp, or `closewait sockets --format jsonl --all`.
    #[arg(long, value_name = "FILE")]
    sockets: Option<PathBuf>,

    #[command(flatten)]
    judging: JudgingArgs,

    #[command(flatten)]
    reading: ReadingArgs,

    #[command(flatten)]
    tag: TagArgs,

    /// Report every connection, not only stuck ones
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

impl ReadArgs {
    pub fn plan(self) -> Result<ReadCommand, String> {
        let (inputs, expression) = self.inputs()?;
        let filter = match expression.as_str() {
            "" => None,
            expression => Some(Filter::new(expression).map_err(|e| e.to_string())?),
        };
        let can_be_read = inputs.iter().all(|input| input.read_once().is_none());
        let explain = can_be_read.then(|| self.options());
        let look = TextLook { explain, ..self.output.look(&self.times, self.all) };
        let flames = self.flames.flames(self.output.report.file.output().as_deref())?;
        let format = self.output.report.format_to_file()?;
        let paths = match (format, flames.paths()) {
            (Format::Html, Paths::None | Paths::Reported) => Paths::Sample,
            (_, paths) => paths,
        };
        let reading = self.tag.add_to(self.reading.reading())?;
        Ok(ReadCommand {
            sockets: self.sockets,
            plan: Plan {
                inputs,
                filter,
                policy: self.judging.policy(Duration::ZERO),
                all: self.all,
                separate: self.separate,
                sockets: None,
                max_flows: self.memory.max_flows,
                threads: bounded(self.threads.unwrap_or_else(all_cores)),
                reading: Reading { paths, ..reading },
                stop: Stop::default(),
            },
            flames,
            format,
            look,
            color: self.output.report.file.color(),
            output: self.output.report.file.output(),
            write: self.write,
        })
    }

    /// The options with which `explain` gives the same answer, but for `--local`: the holder is that.
    fn options(&self) -> String {
        let sockets = self.sockets.as_deref().filter(|list| list.as_os_str() != "-");
        let sockets = sockets.map(|list| shell::word(&list.to_string_lossy()));
        let mut options = Options::default();
        options.flag("--separate", self.separate);
        options.values("--sockets", sockets);
        self.judging.options(&mut options);
        self.reading.options(&mut options);
        self.times.options(&mut options);
        options.0
    }

    /// Reads them for one page.
    pub fn report(self) -> Result<ReadCommand, String> {
        let asked = self.plan()?;
        match asked.format {
            Format::Html => Ok(asked),
            _ => {
                Err("report writes a page; for other forms: closewait --format FORMAT FILE…".into())
            }
        }
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
            0 if inputs.is_empty() && Input::is_redirected() => {
                return Ok((vec![Input("-".into())], expression.join(" ")));
            }
            _ if inputs.is_empty() => {
                let file = expression.iter().find(|word| Path::new(word).is_file());
                return Err(match file {
                    Some(file) => format!(
                        "{}: behind -- stands an expression; if this is a file to read: closewait {}",
                        printable(file),
                        shell::word(&printable(file))
                    ),
                    None => "no capture to read: name one, or - for standard input".into(),
                });
            }
            0 | 1 => {}
            _ => return Err("standard input can be read only once".into()),
        }
        if self.read.is_empty()
            && let Some(sentence) =
                as_expression(&inputs).or_else(|| inputs.first().and_then(as_command))
        {
            return Err(sentence);
        }
        Ok((inputs, expression.join(" ")))
    }
}

pub(super) fn all_cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// As many threads as find something to do.
pub(super) fn bounded(threads: NonZeroUsize) -> NonZeroUsize {
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

/// Bare words beside a file were meant as an expression: how to write it, before anything is read.
fn as_expression(inputs: &[Input]) -> Option<String> {
    let is_word = |input: &&Input| {
        !input.is_stdin() && !input.0.exists() && !input.name().contains(['.', '/'])
    };
    let word = inputs.iter().find(is_word)?.name();
    let is_file = |input: &&Input| input.is_stdin() || input.0.is_file();
    let file = inputs.iter().find(is_file)?.name();
    let others = inputs.iter().map(Input::name).filter(|name| *name != file);
    let words = others.collect::<Vec<_>>().join(" ");
    // An expression has two words, as a rule.
    let is_alone = inputs.iter().filter(is_word).count() == 1;
    let command = nearest_command(&word).filter(|_| is_alone).map_or(String::new(), |command| {
        format!("; if it is a command, did you mean: closewait {command} {file}")
    });
    Some(format!(
        "{word}: is not a file; if this is an expression: closewait -r {file} {words}, or: closewait {file} -- {words}{command}"
    ))
}

/// A bare word that is no file was meant as a command: which one?
fn as_command(input: &Input) -> Option<String> {
    let word = input.name();
    if input.is_stdin() || input.0.exists() || word.contains(['.', '/']) {
        return None;
    }
    Some(match nearest_command(&word) {
        Some(nearest) => {
            format!("{word}: is neither a file nor a command; did you mean: closewait {nearest}")
        }
        None => format!("{word}: is neither a file nor a command (closewait --help)"),
    })
}
