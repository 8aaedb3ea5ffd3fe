//! `closewait check`: captures in, and whether they are as expected.

mod bless;
mod find;
mod read;
mod watch;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstream::ColorChoice;

use super::output::Outputs;
use super::{Exit, complain, open, place};
use crate::capture::stop::Stop;
use crate::expect::baseline::{Alias, Baseline};
use crate::expect::{Expectation, Limits, Override, ReadingOptions, file, violations};
use crate::printable::printable;
use crate::report::check::{Checked, Counts, Format, Outcome, write};
use crate::summary::seen::Collected;
use crate::units::{count, missing};
use crate::verdict::Verdict;
use find::{Target, find};
use read::read_all;
pub use watch::Watched;
use watch::watch;

/// The command `check`: its captures and its options.
pub struct CheckCommand {
    /// Captures, folders and patterns.
    pub paths: Vec<PathBuf>,
    /// Captured in place of them.
    pub watched: Option<Watched>,
    /// For captures that no expectation is beside.
    pub limits: Limits,
    /// Limits of the command line, which go before those of the files.
    pub overrides: Vec<Override>,
    /// Options for captures whose expectation says nothing about them.
    pub reading: ReadingOptions,
    /// Write the expectations, and compare nothing.
    pub bless: bool,
    /// A report of findings that are known already.
    pub baseline: Option<PathBuf>,
    /// A file for the findings of this run, to be known by the next.
    pub write_baseline: Option<PathBuf>,
    /// Names for addresses that change, in the baseline.
    pub aliases: Vec<Alias>,
    /// The form of the report.
    pub format: Format,
    /// Colours: always, never, or on terminals.
    pub color: ColorChoice,
    /// The file of the report; standard output, if none.
    pub output: Option<PathBuf>,
}

/// The policy of a project, in the folder that `check` is run in.
const POLICY: &str = "closewait.toml";

/// Checks the captures and writes the report. Where a command was run, it ends as the worse of both.
pub fn check(asked: &CheckCommand) -> ExitCode {
    match check_all(asked) {
        Ok((checked, status)) => ExitCode::from(u8::from(told(asked, &checked)).max(status)),
        Err(sentence) => {
            complain(&sentence);
            Exit::Failed.into()
        }
    }
}

fn told(asked: &CheckCommand, checked: &[Checked]) -> Exit {
    match report(asked, checked) {
        Ok(()) => exit(checked),
        Err(error) => {
            complain(&format!("the report could not be written: {error}"));
            Exit::Failed
        }
    }
}

fn exit(checked: &[Checked]) -> Exit {
    match Counts::of(checked) {
        Counts { errors: 1.., .. } => Exit::Failed,
        Counts { failed: 1.., .. } => Exit::Found,
        _ => Exit::Clean,
    }
}

fn report(asked: &CheckCommand, checked: &[Checked]) -> io::Result<()> {
    let mut outputs = Outputs::beside(checked.iter().map(|one| Path::new(one.capture.as_str())));
    let color = if asked.format == Format::Text { asked.color } else { ColorChoice::Never };
    let opened = open(asked.output.as_deref(), color, &mut outputs, &Stop::default())
        .map_err(io::Error::other)?;
    let (mut out, placing) = opened.output();
    write(asked.format, &mut out, checked)?;
    drop(out);
    place(placing)
}

/// A capture that was read, and what is expected of it.
struct ReadCapture {
    target: Target,
    /// Its own; `None` if there is no such file.
    own: Option<Own>,
    expectation: Expectation,
    reading: ReadingOptions,
    collected: Collected,
    warnings: Vec<String>,
}

/// An expectation beside its capture.
struct Own {
    text: String,
}

/// All captures, and the status of the command that was run.
fn check_all(asked: &CheckCommand) -> Result<(Vec<Checked>, u8), String> {
    let policy = policy(asked)?;
    let baseline = asked.baseline.as_deref().map(read_baseline).transpose()?;
    let mut baseline = baseline.unwrap_or_default().with(&asked.aliases);
    let targets = find(&asked.paths);
    let captures: Vec<PathBuf> =
        targets.iter().flatten().map(|target| target.capture.clone()).collect();
    let (all, status) = match &asked.watched {
        Some(watched) => watch(watched, &policy).map(|(read, status)| (vec![Ok(read)], status))?,
        None => (read_all(targets, &policy, asked.bless), 0),
    };
    if let Some(path) = &asked.write_baseline {
        all.iter().flatten().for_each(|read| baseline.add(&read.collected));
        let text = baseline.text().map_err(|error| error.to_string())?;
        let mut outputs = Outputs::beside(captures.iter().map(PathBuf::as_path));
        outputs.write(path, "--write-baseline", &text)?;
    }
    let is_kept = asked.watched.as_ref().is_none_or(|watched| watched.save.is_some());
    let one = |result: Result<ReadCapture, Box<Checked>>| match result {
        Ok(read) if asked.bless => bless::bless(read),
        Ok(read) => judge(read, &baseline, is_kept),
        Err(error) => *error,
    };
    Ok((all.into_iter().map(one).collect(), status))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    format!("{}: cannot be {what}: {error}", printable(&path.to_string_lossy()))
}

fn read_baseline(path: &Path) -> Result<Baseline, String> {
    let text = fs::read_to_string(path).map_err(|error| cannot("read", path, &error))?;
    Baseline::read(&text)
        .map_err(|error| format!("{}: {error}", printable(&path.to_string_lossy())))
}

/// The expectation of captures that have none beside them: the command line, then `closewait.toml`.
fn policy(asked: &CheckCommand) -> Result<Expectation, String> {
    let mut policy = match fs::read_to_string(POLICY) {
        Ok(text) => file::policy(&text).map_err(|wrong| format!("{POLICY}: {wrong}"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Expectation::default(),
        Err(error) => return Err(cannot("read", Path::new(POLICY), &error)),
    };
    policy.limit(asked.limits);
    policy.reading = asked.reading.clone().or(&policy.reading);
    // The first that names a peer decides.
    policy.overrides = [asked.overrides.clone(), policy.overrides].concat();
    Ok(policy)
}

fn judge(read: ReadCapture, baseline: &Baseline, is_kept: bool) -> Checked {
    let known = |seen: &_| baseline.knows(seen);
    let violations = violations(&read.expectation, &read.collected, &known);
    let findings = read.collected.flows.iter().filter(|seen| seen.finding);
    let known = findings.filter(|seen| baseline.knows(seen)).count();
    let mut warnings = read.warnings;
    warnings.extend(pending(&read.expectation, &read.collected));
    warnings.extend(missing(read.collected.holes).map(|missing| format!("packets are {missing}")));
    Checked {
        capture: read.target.name(),
        expectation: read.own.is_some().then(|| read.target.expectation_name()),
        is_kept,
        local: read.reading.local,
        outcome: Outcome::Judged {
            collected: Box::new(read.collected),
            violations,
            known,
            min_hold: read.reading.min_hold.unwrap_or(ReadingOptions::MIN_HOLD),
        },
        warnings,
    }
}

/// The end of a capture is its last packet: one that stops too early shows no leak, and would pass.
fn pending(expectation: &Expectation, collected: &Collected) -> Option<String> {
    let pending = collected.tally.of(Verdict::Pending);
    let is_expected = expectation.verdicts[Verdict::Pending.index()].is_some();
    (pending > 0 && !is_expected).then(|| {
        format!(
            "{} in CLOSE-WAIT at the last packet, held for less than min_hold: let the capture go on, \
             and end it with a packet (pending = {pending} says that it is right)",
            count(pending, "connection")
        )
    })
}

impl Target {
    fn name(&self) -> String {
        printable(&self.capture.to_string_lossy())
    }

    fn expectation_name(&self) -> String {
        printable(&self.expectation.to_string_lossy())
    }
}
