//! The flags of `closewait check`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use chrono::TimeDelta;
use clap::{Args, ValueEnum};

use super::shared::{ReportArgs, TagArgs};
use super::times::duration;
use crate::commands::check::{CheckCommand, Watched};
use crate::endpoints::EndpointSet;
use crate::expect::baseline::Alias;
use crate::expect::{Limits, Override, Range, ReadingOptions};
use crate::report::check::Format;

pub const EXAMPLES: &str = "\
Examples:
  closewait check captures  every capture in the folder, each by its
                            x.expect.toml
  closewait check --local 10.0.0.5 test.pcap
                            without one: no leak, nothing that cannot be told
  closewait check --max-leaks :6379=2 captures  but two to Redis
  closewait check --tag controller=orders captures
                            what that code left, by its statements' comments
  closewait check -f 'port 3306' -- make integration-test
                            captures while it runs, and judges
  closewait check --bless --local 10.0.0.5 captures
                            what is found becomes what is expected
  closewait check --write-baseline known.jsonl captures
  closewait check --baseline known.jsonl captures  only new findings fail
  closewait check --alias 172.17.0.0/16=db --baseline known.jsonl captures
                            whatever address db has
  closewait check --format junit -o closewait.xml captures
                            or github, sarif, gitlab

x.expect.toml, beside x.pcap (every key may be left out):
  local = \"10.0.0.5\"                    also: filter, min_hold = \"1s\",
                                        tag = \"controller=orders\"
  flows = { min = 1 }
  leak = 0                              any verdict: 1, or { min = 1, max = 2 }
  max_unknown = 0
  held = { max = \"5s\" }                 in CLOSE-WAIT, whether closed in the end
                                        or not
  open_idle = { idle = \"2s\", max = 0 }  open at the end, and unused for so long
  transactions_open = 0
  exact = true                          no findings but these
  [[finding]]                           any of these keys
  local = \"10.0.0.5\"
  peer = \"10.0.0.3:3306\"
  holder = \"10.0.0.5\"
  cause = \"transaction-open\"
  statement = \"UPDATE accounts\"         a part of one
  code = \"orders#update\"                as the comments of its statements say
  held = { min = \"10s\" }

Exit status:
  0  all as expected
  1  an expectation broken
  2  an input could not be read; it wins over 1";

#[derive(Args)]
pub struct CheckArgs {
    /// Captures, folders of them (with all folders below), or globs
    #[arg(value_name = "PATH", required_unless_present = "command")]
    paths: Vec<PathBuf>,

    /// A command to run, and to capture what it does meanwhile; the exit status is the worse of both
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["paths", "bless"])]
    command: Vec<OsString>,

    /// An interface to capture on; repeatable
    #[arg(
        short = 'i',
        long = "interface",
        value_name = "IFACE",
        default_value = "any",
        conflicts_with = "paths",
        help_heading = "Around a command"
    )]
    interface: Vec<String>,

    /// Go on capturing for at most this long when the command has ended: until each peer that was seen to
    /// close idle connections could have closed those that are open
    #[arg(
        long, value_name = "TIME", default_value = "10s", value_parser = duration,
        conflicts_with = "paths", help_heading = "Around a command"
    )]
    linger: Duration,

    /// Keep what was captured; beside it may lie its expectation
    #[arg(
        short = 'w',
        value_name = "FILE",
        requires = "command",
        conflicts_with = "paths",
        help_heading = "Around a command"
    )]
    write: Option<PathBuf>,

    /// The most findings; for some peers: ADDR=N, ADDR:PORT=N or :PORT=N; repeatable [default: 0]
    #[arg(long, value_name = "[PEER=]N", help_heading = "Without an expectation")]
    max_leaks: Vec<Limit<Number>>,

    /// The longest that CLOSE-WAIT may be held, whether closed in the end or not; repeatable
    #[arg(long, value_name = "[PEER=]TIME", help_heading = "Without an expectation")]
    max_held: Vec<Limit<Time>>,

    /// The most connections that cannot be told; repeatable [default: 0]
    #[arg(long, value_name = "[PEER=]N", help_heading = "Without an expectation")]
    max_unknown: Vec<Limit<Number>>,

    /// The side to judge, where the expectation does not say it: an address, a network, ADDR:PORT
    /// or :PORT; repeatable
    #[arg(long, value_name = "ADDR", value_parser = address, help_heading = "Reading")]
    local: Vec<String>,

    /// Only packets that match a BPF expression, where the expectation does not say it
    #[arg(short = 'f', long, value_name = "EXPR", help_heading = "Reading")]
    filter: Option<String>,

    /// Held for less, it is pending and no leak, where the expectation does not say it [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Reading")]
    min_hold: Option<Duration>,

    #[command(flatten)]
    tag: TagArgs,

    /// Write what is found into the expectations, and print what changes
    #[arg(long, conflicts_with_all = ["baseline", "write_baseline"])]
    bless: bool,

    /// Findings that this file has do not fail: the same by peer, port served, cause and statements
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// Write all findings to a file for --baseline; none of them fails
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,

    /// A name for addresses that change from run to run, in baselines: 172.17.0.0/16=database;
    /// repeatable
    #[arg(long, value_name = "ADDR=NAME")]
    alias: Vec<Alias>,

    #[command(flatten)]
    report: ReportArgs<FormatArg>,
}

#[derive(Clone, Copy, ValueEnum)]
enum FormatArg {
    /// For people
    Text,
    /// A test case a capture, for whatever shows the results of tests
    Junit,
    /// One JSON object a line, for programs
    Jsonl,
    /// Annotations of a pull request (::error file=…::)
    Github,
    /// The form of code scanners (SARIF 2.1.0), for whatever shows it
    Sarif,
    /// A code quality report for GitLab
    Gitlab,
}

fn address(text: &str) -> Result<String, String> {
    let parsed: Result<EndpointSet, _> = text.parse();
    parsed.map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// `2`, or `10.0.0.3:3306=2` for that peer.
#[derive(Clone)]
struct Limit<T> {
    peer: Option<(String, EndpointSet)>,
    most: T,
}

impl<T: FromStr<Err: ToString>> FromStr for Limit<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Limit<T>, String> {
        let (peer, most) = match text.rsplit_once('=') {
            Some((peer, most)) => (Some(peer), most),
            None => (None, text),
        };
        let named = |name: &str| match name.parse::<EndpointSet>() {
            Ok(set) => Ok((name.to_owned(), set)),
            Err(error) => Err(error.to_string()),
        };
        let peer = peer.map(named).transpose()?;
        Ok(Limit { peer, most: most.parse().map_err(|error: T::Err| error.to_string())? })
    }
}

#[derive(Clone, Copy)]
struct Number(u64);

impl FromStr for Number {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Number, &'static str> {
        text.parse().map(Number).map_err(|_| "write a whole number, or PEER=NUMBER")
    }
}

#[derive(Clone, Copy)]
struct Time(TimeDelta);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Time, String> {
        Ok(Time(delta(duration(text)?)))
    }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

impl CheckArgs {
    pub fn check(self) -> CheckCommand {
        let (limits, overrides) = self.limits();
        let aside =
            !matches!(self.report.format, FormatArg::Text) && self.report.file.output().is_none();
        let watched = (!self.command.is_empty()).then_some(Watched {
            command: self.command,
            interfaces: self.interface,
            linger: self.linger,
            save: self.write,
            aside,
        });
        CheckCommand {
            paths: self.paths,
            watched,
            limits,
            overrides,
            reading: ReadingOptions {
                local: self.local,
                filter: self.filter,
                min_hold: self.min_hold.map(delta),
                tags: self.tag.sought(),
            },
            bless: self.bless,
            baseline: self.baseline,
            write_baseline: self.write_baseline,
            aliases: self.alias,
            format: match self.report.format {
                FormatArg::Text => Format::Text,
                FormatArg::Junit => Format::Junit,
                FormatArg::Jsonl => Format::Jsonl,
                FormatArg::Github => Format::Github,
                FormatArg::Sarif => Format::Sarif,
                FormatArg::Gitlab => Format::Gitlab,
            },
            color: self.report.file.color(),
            output: self.report.file.output(),
        }
    }

    /// The general limits, and those of single peers, in the order they were given.
    fn limits(&self) -> (Limits, Vec<Override>) {
        let (mut general, mut overrides) = (Limits::default(), Vec::new());
        for Limit { peer, most } in &self.max_leaks {
            of(peer, &mut general, &mut overrides).leaks = Some(Range::at_most(most.0));
        }
        for Limit { peer, most } in &self.max_held {
            of(peer, &mut general, &mut overrides).held = Some(Range::at_most(most.0));
        }
        for Limit { peer, most } in &self.max_unknown {
            of(peer, &mut general, &mut overrides).unknown = Some(Range::at_most(most.0));
        }
        (general, overrides)
    }
}

fn of<'a>(
    peer: &Option<(String, EndpointSet)>,
    general: &'a mut Limits,
    overrides: &'a mut Vec<Override>,
) -> &'a mut Limits {
    let Some((name, peer)) = peer else { return general };
    let index = overrides.iter().position(|one| one.name == *name).unwrap_or_else(|| {
        let (name, peer) = (name.clone(), peer.clone());
        overrides.push(Override { peer, name, limits: Limits::default() });
        overrides.len() - 1
    });
    &mut overrides[index].limits
}
