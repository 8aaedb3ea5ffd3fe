//! Flags that several commands share.

use std::path::PathBuf;
use std::time::Duration;

use anstream::ColorChoice;
use chrono::TimeDelta;
use clap::{ArgAction, Args, ValueEnum};

use crate::attach::registry::Known;
use crate::commands::format::Format;
use crate::endpoints::EndpointSet;
use crate::owner::kernel::Netns;
use crate::report::text::Look;
use crate::run::Reading;
use crate::units::Zone;
use crate::verdict::Policy;

/// How a report is written, whatever it is about.
#[derive(Args)]
pub(super) struct OutputArgs {
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
    pub(super) output: Option<PathBuf>,

    /// Lines in each table; 0 for all
    #[arg(long, value_name = "N", default_value = "20", help_heading = "Output")]
    pub(super) top: usize,

    /// When to use colours
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    color: ColorArg,
}

/// What is a finding.
#[derive(Args)]
pub(super) struct JudgingArgs {
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
pub(super) struct ReadingArgs {
    /// A port of MySQL servers, beside 3306 and those where a server greets; repeatable
    #[arg(long, value_name = "PORT", help_heading = "Contents")]
    mysql: Vec<u16>,

    /// A UDP port of VXLAN, beside the usual ones and any where a header holds; repeatable
    #[arg(long, value_name = "PORT", help_heading = "Contents")]
    vxlan_port: Vec<u16>,

    /// Statements as they were sent, with their values: they can be private
    #[arg(long, help_heading = "Contents")]
    show_literals: bool,
}

impl ReadingArgs {
    pub(super) fn reading(&self) -> Reading {
        let ports = self.mysql.iter().map(|port| (Known::Mysql, *port)).collect();
        let vxlan = self.vxlan_port.clone();
        Reading { ports, vxlan, literals: self.show_literals, ..Reading::default() }
    }
}

/// How times are written.
#[derive(Args)]
pub(super) struct TimeArgs {
    /// Times in UTC instead of the local zone
    #[arg(long, help_heading = "Output")]
    utc: bool,

    /// -tttt: dates before times
    #[arg(short = 't', action = ArgAction::Count, help_heading = "Output")]
    time_style: u8,

    /// Names are never resolved; accepted for tcpdump's sake, as are -l, -q, -v and -e
    #[arg(short = 'n', action = ArgAction::Count, help_heading = "Output")]
    numeric: u8,

    #[arg(short = 'v', action = ArgAction::Count, hide = true)]
    verbose: u8,

    #[arg(short = 'l', hide = true)]
    line_buffered: bool,

    #[arg(short = 'q', hide = true)]
    quick: bool,

    #[arg(short = 'e', hide = true)]
    link_level: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum FormatArg {
    /// For people
    Text,
    /// One JSON object a line, for programs
    Jsonl,
    /// Comma-separated values, for spreadsheets
    Csv,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ColorArg {
    Auto,
    Always,
    Never,
}

/// A number of connections that can be kept.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least one connection has to be kept".into()),
        Ok(number) => Ok(number),
        Err(_) => Err("write a number".into()),
    }
}

/// `5s`, `500ms`, `2min`; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok();
    match seconds {
        Some(seconds) => Duration::try_from_secs_f64(seconds).map_err(|e| e.to_string()),
        None => {
            humantime::parse_duration(text).map_err(|e| format!("{e}: write 5s, 500ms or 2min"))
        }
    }
}

impl OutputArgs {
    pub(super) fn format(&self) -> Format {
        match self.format {
            FormatArg::Text => Format::Text,
            FormatArg::Jsonl => Format::Jsonl,
            FormatArg::Csv => Format::Csv,
        }
    }

    pub(super) fn color(&self) -> ColorChoice {
        color(self.color)
    }
}

pub(super) fn color(arg: ColorArg) -> ColorChoice {
    match arg {
        ColorArg::Auto => ColorChoice::Auto,
        ColorArg::Always => ColorChoice::Always,
        ColorArg::Never => ColorChoice::Never,
    }
}

impl JudgingArgs {
    /// `min_hold` unless told otherwise.
    pub(super) fn policy(self, min_hold: Duration) -> Policy {
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
    pub(super) fn zone(&self) -> Zone {
        if self.utc { Zone::Utc } else { Zone::Local }
    }

    pub(super) fn dates(&self) -> bool {
        self.time_style >= 4
    }

    pub(super) fn look(&self, output: &OutputArgs, all: bool) -> Look {
        Look { zone: self.zone(), dates: self.dates(), top: output.top, all, explain: false }
    }
}

/// A name of `ip netns`, a process id, or all of them.
pub(super) fn netns(name: Option<&str>) -> Netns {
    match name {
        None => Netns::Own,
        Some("all") => Netns::All,
        Some(name) => name.parse().map_or_else(|_| Netns::Named(name.into()), Netns::Pid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_units_or_seconds() {
        assert_eq!(duration("5"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
        assert!(duration("-1").is_err());
        assert!(duration("soon").is_err());
    }
}
