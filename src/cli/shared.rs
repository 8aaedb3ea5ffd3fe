//! Flags that several commands share.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use anstream::ColorChoice;
use chrono::TimeDelta;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::options::Options;
use super::times::{TimeArgs, duration, end_word, ended_at};

use crate::attach::registry::Known;
use crate::attach::sql::tags::Sought;
use crate::commands::format::Format;
use crate::commands::is_stdout;
use crate::commands::screen::screen;
use crate::endpoints::EndpointSet;
use crate::owner::kernel::Netns;
use crate::report::lang::Lang;
use crate::report::parquet;
use crate::report::text::TextLook;
use crate::run::Reading;
use crate::table::MAX_FLOWS;
use crate::verdict::{EndedAt, Policy};

/// Options for the file that something is written to.
#[derive(Args)]
pub(super) struct FileArgs {
    /// Write the report to a file; - is standard output, as without this
    #[arg(short = 'o', long = "output", value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,

    /// Use colours: auto looks whether a terminal reads them
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    color: ColorArg,
}

/// Options for a report in one of the forms `F`.
#[derive(Args)]
pub(super) struct ReportArgs<F: ValueEnum + Send + Sync + 'static> {
    /// The form of the report
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Output"
    )]
    pub(super) format: F,

    #[command(flatten)]
    pub(super) file: FileArgs,
}

/// Options for the form of a report, whatever it is about.
#[derive(Args)]
pub(super) struct OutputArgs {
    #[command(flatten)]
    pub(super) report: ReportArgs<FormatArg>,

    /// Lines in each table; 0 for all [default: what a screen of 24 lines has room for]
    #[arg(long, value_name = "N", value_parser = lines, help_heading = "Output")]
    pub(super) top: Option<usize>,

    /// The language of the text: en, or zh for Chinese; other forms are always English [default: that of the
    /// locale, LC_ALL, LC_MESSAGES or LANG]
    #[arg(
        long,
        value_enum,
        value_name = "LANG",
        hide_possible_values = true,
        help_heading = "Output"
    )]
    pub(super) lang: Option<LangArg>,
}

/// Options that decide what is a finding.
#[derive(Args)]
pub(super) struct JudgingArgs {
    /// The side to judge: address, network, ADDR:PORT, :PORT
    ///
    /// Repeatable. Without it, what the capture knows decides: its interfaces' addresses, the direction of its
    /// packets. Where it knows nothing, whichever side has not closed is judged, and the report says so.
    #[arg(long, value_name = "ADDR", help_heading = "Judging")]
    local: Vec<EndpointSet>,

    /// Call a half-closed connection pending until it was held so long [default: 0s; live 5s]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Judging")]
    min_hold: Option<Duration>,

    /// A half-closed connection is in use while local sent payload within so long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, help_heading = "Judging")]
    half_close_quiet: Duration,

    /// Count only findings without any doubt; the others are only mentioned
    #[arg(long, help_heading = "Judging")]
    certain: bool,

    /// The time at which the capture was stopped: a pcap file cannot say it, and what is held until its
    /// last packet only seems brief. RFC 3339, "YYYY-MM-DD HH:MM:SS" in the local zone, seconds since
    /// 1970, or mtime: when the file was changed last, unless that is days later
    #[arg(long, value_name = "TIME|mtime", value_parser = ended_at, help_heading = "Judging")]
    pub(super) end: Option<EndedAt>,
}

/// The limit of what is kept in memory.
#[derive(Args)]
pub(super) struct MemoryArgs {
    /// The most connections to keep in memory
    ///
    /// Beyond it, finished ones are judged and forgotten first, then unanswered SYNs, open ones, and
    /// half-closed ones last.
    #[arg(long, value_name = "N", default_value_t = MAX_FLOWS, value_parser = at_least_one)]
    pub(super) max_flows: usize,
}

/// The network namespace that is looked into.
#[derive(Args)]
pub(super) struct NetnsArgs {
    /// Look into a network namespace: a name of ip netns, or a process id (a container's); where
    /// sockets are listed, all
    #[arg(long, value_name = "NAME|PID|all")]
    pub(super) netns: Option<String>,
}

impl NetnsArgs {
    /// One of them, or all.
    pub(super) fn any(&self) -> Netns {
        match self.netns.as_deref() {
            None => Netns::Own,
            Some("all") => Netns::All,
            Some(name) => name.parse().map_or_else(|_| Netns::Named(name.into()), Netns::Pid),
        }
    }

    /// One: packets are captured in one place at a time.
    pub(super) fn one(&self) -> Result<Netns, String> {
        match self.any() {
            Netns::All => Err("--netns all: captures are of one namespace at a time; closewait sockets looks into all".into()),
            one => Ok(one),
        }
    }
}

/// Options for reading the contents of connections.
#[derive(Args)]
pub(super) struct ReadingArgs {
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

    /// Read no contents: no statements, no transactions; faster, and nothing private is looked at
    #[arg(long, conflicts_with_all = ["mysql", "port", "show_literals"], help_heading = "Contents")]
    no_content: bool,
}

impl ReadingArgs {
    /// Writes down those that were given.
    pub(super) fn options(&self, options: &mut Options) {
        let port = |(known, port): &(Known, u16)| format!("{}={port}", known.identity().key);
        options.values("--mysql", &self.mysql);
        options.values("--port", self.port.iter().map(port));
        options.values("--vxlan-port", &self.vxlan_port);
        options.flag("--show-literals", self.show_literals);
        options.flag("--no-content", self.no_content);
    }

    pub(super) fn reading(&self) -> Reading {
        let mysql = self.mysql.iter().map(|port| (Known::Mysql, *port));
        let ports = mysql.chain(self.port.iter().copied()).collect();
        let vxlan = self.vxlan_port.clone();
        let (no_content, literals) = (self.no_content, self.show_literals);
        Reading { no_content, ports, vxlan, literals, ..Reading::default() }
    }
}

/// The connections that count, by the code that used them.
#[derive(Args)]
pub(super) struct TagArgs {
    /// Only connections whose last statement, or open transaction, has this tag in its comment:
    /// controller=orders; repeatable, and all have to be there
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Contents")]
    tag: Vec<Sought>,
}

impl TagArgs {
    pub(super) fn sought(self) -> Vec<Sought> {
        self.tag
    }

    /// Adds them to what is read.
    pub(super) fn add_to(self, reading: Reading) -> Result<Reading, String> {
        if reading.no_content && !self.tag.is_empty() {
            return Err("--tag: with --no-content, no statement is read".into());
        }
        Ok(Reading { tags: self.tag.into(), ..reading })
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum FormatArg {
    /// For people
    Text,
    /// One JSON object a line, for programs
    Jsonl,
    /// Comma-separated values, for spreadsheets
    Csv,
    /// One page for a browser, with plots: for whoever was not there
    Html,
    /// A table for Spark, DuckDB or ClickHouse; in builds with the feature `fleet`
    Parquet,
}

/// A value of `--format` for a command that has only these.
pub(super) fn one_of(formats: &[FormatArg]) -> impl TypedValueParser<Value = FormatArg> {
    let names = formats.iter().filter_map(FormatArg::to_possible_value);
    PossibleValuesParser::new(names).try_map(|name| FormatArg::from_str(&name, false))
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum LangArg {
    En,
    Zh,
}

impl From<LangArg> for Lang {
    fn from(lang: LangArg) -> Lang {
        match lang {
            LangArg::En => Lang::English,
            LangArg::Zh => Lang::Chinese,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum ColorArg {
    Auto,
    Always,
    Never,
}

/// A protocol and a port of its servers: `postgresql=6432`.
fn server_port(text: &str) -> Result<(Known, u16), String> {
    let (protocol, port) = text.split_once('=').ok_or("it is written as postgresql=6432")?;
    Ok((protocol.parse()?, port.parse().map_err(|_| format!("'{port}' is no port"))?))
}

/// A number of connections that can be kept.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least one connection has to be kept".into()),
        Ok(number) => Ok(number),
        Err(_) => Err("write a number".into()),
    }
}

impl ReportArgs<FormatArg> {
    pub(super) fn format(&self) -> Format {
        match self.format {
            FormatArg::Text => Format::Text,
            FormatArg::Jsonl => Format::Jsonl,
            FormatArg::Csv => Format::Csv,
            FormatArg::Html => Format::Html,
            FormatArg::Parquet => Format::Parquet,
        }
    }

    /// The form of a report that goes to a file or to standard output.
    pub(super) fn format_to_file(&self) -> Result<Format, String> {
        let format = self.format();
        let is_shown = self.file.output().is_none() && io::stdout().is_terminal();
        if format == Format::Html && is_shown {
            return Err("a page is for a browser: name a file for it, -o incident.html".into());
        }
        if format == Format::Parquet {
            parquet::check().map_err(|error| error.to_string())?;
            if is_shown {
                return Err(
                    "a table is for programs: name a file for it, -o verdicts.parquet".into()
                );
            }
        }
        Ok(format)
    }
}

impl OutputArgs {
    /// The language that was asked for.
    pub(super) fn lang(&self) -> Option<Lang> {
        self.lang.map(Lang::from)
    }

    /// The look of the text, with times like these.
    pub(super) fn look(&self, times: &TimeArgs, all: bool) -> TextLook {
        TextLook {
            zone: times.zone(),
            dates: times.dates(),
            top: self.top,
            all,
            explain: None,
            frames: false,
            screen: screen(self.report.file.output().is_none(), self.lang()),
        }
    }
}

impl FileArgs {
    /// The file that was named; none for standard output.
    pub(super) fn output(&self) -> Option<PathBuf> {
        self.output.clone().filter(|path| !is_stdout(path))
    }

    pub(super) fn color(&self) -> ColorChoice {
        match self.color {
            ColorArg::Auto => ColorChoice::Auto,
            ColorArg::Always => ColorChoice::Always,
            ColorArg::Never => ColorChoice::Never,
        }
    }
}

impl JudgingArgs {
    /// Writes down those that were given, but for `--local`.
    pub(super) fn options(&self, options: &mut Options) {
        let usual = Policy::HALF_CLOSE_QUIET.to_std().ok();
        let quiet = Some(self.half_close_quiet).filter(|quiet| Some(*quiet) != usual);
        options.values("--min-hold", self.min_hold.map(|hold| hold.as_secs_f64()));
        options.values("--half-close-quiet", quiet.map(|quiet| quiet.as_secs_f64()));
        options.flag("--certain", self.certain);
        options.values("--end", self.end.map(end_word));
    }

    /// `min_hold` unless told otherwise.
    pub(super) fn policy(self, min_hold: Duration) -> Policy {
        let delta = |d| TimeDelta::from_std(d).unwrap_or(TimeDelta::MAX);
        Policy {
            local: (!self.local.is_empty()).then(|| EndpointSet::union(self.local)),
            min_hold: delta(self.min_hold.unwrap_or(min_hold)),
            half_close_quiet: delta(self.half_close_quiet),
            certain: self.certain,
            end: self.end,
        }
    }
}

/// A number of lines.
fn lines(text: &str) -> Result<usize, &'static str> {
    text.parse().map_err(|_| "write a whole number of lines; 0 for all")
}
