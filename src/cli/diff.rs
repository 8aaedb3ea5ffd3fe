//! The flags of `closewait diff`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::shared::{FormatArg, JudgingArgs, ReadingArgs, ReportArgs, TagArgs};
use crate::capture::filter::Filter;
use crate::commands::diff::DiffCommand;

pub const EXAMPLES: &str = "\
Examples:
  closewait diff before.pcap after.pcap   which leaks are gone, which stayed,
                                          which are new
  closewait diff before.jsonl after.pcap  a report in JSON lines stands for its
                                          capture
  closewait diff -f 'port 3306' before.pcap after.pcap
                                          of one service alone
  closewait diff before.pcap after.pcap --format html -o diff.html

A leak is the same by its service, cause, statements and code, whatever its
ports. One that is gone is shown to be mended only where the second capture has
connections on which the same was said, and that were closed.

Exit status:
  0  no new leak    1  a new one    2  error";

/// Forms of a comparison.
pub const FORMATS: &[FormatArg] = &[FormatArg::Text, FormatArg::Jsonl, FormatArg::Html];

#[derive(Args)]
pub struct DiffArgs {
    /// A capture, or its report in JSON lines
    #[arg(value_name = "BEFORE")]
    before: PathBuf,

    /// A later one
    #[arg(value_name = "AFTER")]
    after: PathBuf,

    /// Only packets that match a BPF expression (pcap-filter(7)), in both captures
    #[arg(short = 'f', long, value_name = "EXPR", help_heading = "Reading")]
    filter: Option<String>,

    #[command(flatten)]
    tag: TagArgs,

    #[command(flatten)]
    judging: JudgingArgs,

    #[command(flatten)]
    reading: ReadingArgs,

    #[command(flatten)]
    report: ReportArgs<FormatArg>,
}

impl DiffArgs {
    pub fn diff(self) -> Result<DiffCommand, String> {
        let format = self.report.format_to_file()?;
        Ok(DiffCommand {
            before: self.before,
            after: self.after,
            policy: self.judging.policy(Duration::ZERO),
            filter: self
                .filter
                .as_deref()
                .map(Filter::new)
                .transpose()
                .map_err(|e| e.to_string())?,
            reading: self.tag.add_to(self.reading.reading())?,
            format,
            color: self.report.file.color(),
            output: self.report.file.output(),
        })
    }
}
