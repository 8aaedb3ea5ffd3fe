//! `closewait check`: captures in, and whether they are as expected.

mod bless;
mod find;
mod read;
mod watch;

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstream::ColorChoice;

use super::format::command_line;
use super::output::Outputs;
use super::terminal;
use super::{Exit, complain, on_screen, open, place};
use crate::capture::stop::Stop;
use crate::expect::baseline::{Alias, Baseline};
use crate::expect::{Expectation, Limits, Override, ReadingOptions, file, violations};
use crate::printable::printable;
use crate::report::check::{Checked, Counts, Format, Outcome, write};
use crate::report::shell;
use crate::summary::seen::{Collected, Seen};
use crate::units::{count, missing};
use crate::verdict::Verdict;
use crate::verdict::local::Local;
use find::{NOWHERE, Nothing, Target, find, leads_nowhere};
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
    if let Some(sentence) = as_command(&asked.paths) {
        complain(&sentence);
        return Exit::Failed.into();
    }
    let targets = find(&asked.paths);
    let mut outputs = outputs(asked, &targets);
    match check_all(asked, targets, &mut outputs) {
        Ok((checked, status)) => {
            ExitCode::from(u8::from(told(asked, &checked, &mut outputs)).max(status))
        }
        Err(sentence) => {
            complain(&sentence);
            Exit::Failed.into()
        }
    }
}

/// Words that name no file, but a program, were meant as a command to run: how to write it.
fn as_command(paths: &[PathBuf]) -> Option<String> {
    let first = paths.first().filter(|first| !first.exists() && is_program(first))?;
    let word = |path: &PathBuf| shell::word(&printable(&path.to_string_lossy()));
    let words = paths.iter().map(word).collect::<Vec<_>>().join(" ");
    let typed = command_line();
    let before = typed.strip_suffix(&words).map_or("closewait check ", |before| before);
    let first = printable(&first.to_string_lossy());
    Some(format!("{first}: is not a file; if it is a command to run: {before}-- {words}"))
}

/// Is it a bare name by which a shell finds a program?
fn is_program(name: &Path) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    name.components().count() == 1
        && std::env::split_paths(&folders).any(|folder| folder.join(name).is_file())
}

/// The files that are written. None may be one that is read; but a baseline may become the next.
fn outputs(asked: &CheckCommand, targets: &[Result<Target, Nothing>]) -> Outputs {
    let of = |target: &Target| [target.capture.clone(), target.expectation.clone()];
    let kept = asked.watched.as_ref().and_then(|watched| watched.save.clone().map(Target::new));
    let expected = kept.map(|target| target.expectation);
    let baseline = asked.baseline.clone().filter(|_| asked.write_baseline != asked.baseline);
    let inputs = targets.iter().flatten().flat_map(of).chain(expected).chain(baseline);
    let inputs: Vec<PathBuf> = inputs.chain([PathBuf::from(POLICY)]).collect();
    Outputs::beside(inputs.iter().map(PathBuf::as_path))
}

fn told(asked: &CheckCommand, checked: &[Checked], outputs: &mut Outputs) -> Exit {
    match report(asked, checked, outputs) {
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

fn report(asked: &CheckCommand, checked: &[Checked], outputs: &mut Outputs) -> io::Result<()> {
    let color = if asked.format == Format::Text { asked.color } else { ColorChoice::Never };
    let opened = open(asked.output.as_deref(), color, outputs, &Stop::default())
        .map_err(io::Error::other)?;
    let (mut out, placing) = opened.output();
    if asked.format == Format::Text {
        out = on_screen(out, asked.output.as_deref());
    }
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

/// Limits and options that are said beside the captures.
struct Given {
    /// For captures that have no expectation of their own.
    policy: Expectation,
    /// Options of the command line, for any.
    reading: ReadingOptions,
    /// Limits of the command line, by their names: not for captures that have one.
    limits: Vec<&'static str>,
}

impl Given {
    /// The expectation of a capture, and what it is read with.
    fn expectation(
        &self,
        target: &Target,
        own: Option<&Own>,
    ) -> Result<(Expectation, ReadingOptions), String> {
        let Some(Own { text }) = own else {
            return Ok((self.policy.clone(), self.policy.reading.clone()));
        };
        let named = |wrong: &dyn Display| format!("{}: {wrong}", target.expectation_name());
        let own = file::expectation(text).map_err(|wrong| named(&wrong))?;
        own.reading.filter().map_err(|wrong| named(&wrong))?;
        let reading = own.reading.clone().or(&self.reading);
        Ok((own, reading))
    }

    /// Says which limits of the command line do not count for a capture with an expectation of its own.
    fn not_looked_at(&self, target: &Target) -> Option<String> {
        let said = || {
            format!(
                "{} says what is expected, and {} does not count",
                target.expectation_name(),
                self.limits.join(", ")
            )
        };
        (!self.limits.is_empty()).then(said)
    }
}

/// The limits of the command line that were given.
fn limits(asked: &CheckCommand) -> Vec<&'static str> {
    let all = || asked.overrides.iter().map(|one| &one.limits).chain([&asked.limits]);
    let named = [
        ("--max-leaks", all().any(|limits| limits.leaks.is_some())),
        ("--max-held", all().any(|limits| limits.held.is_some())),
        ("--max-unknown", all().any(|limits| limits.unknown.is_some())),
    ];
    named.into_iter().filter_map(|(name, given)| given.then_some(name)).collect()
}

/// All captures, and the status of the command that was run.
fn check_all(
    asked: &CheckCommand,
    targets: Vec<Result<Target, Nothing>>,
    outputs: &mut Outputs,
) -> Result<(Vec<Checked>, u8), String> {
    let given =
        Given { policy: policy(asked)?, reading: asked.reading.clone(), limits: limits(asked) };
    let baseline = asked.baseline.as_deref().map(read_baseline).transpose()?;
    let mut baseline = baseline.unwrap_or_default().with(&asked.aliases);
    let (all, status) = match &asked.watched {
        Some(watched) => watch(watched, &given).map(|(read, status)| (vec![Ok(read)], status))?,
        None => (read_all(targets, &given, asked.bless), 0),
    };
    if let Some(path) = &asked.write_baseline {
        all.iter().flatten().for_each(|read| baseline.add(&read.collected));
        let text = baseline.text().map_err(|error| error.to_string())?;
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

/// A file that is not there says nothing; a link to nothing was meant to.
fn or_none(path: &Path, error: &io::Error) -> Result<(), String> {
    match error.kind() {
        io::ErrorKind::NotFound if leads_nowhere(path) => {
            Err(format!("{}: {NOWHERE}", printable(&path.to_string_lossy())))
        }
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(cannot("read", path, error)),
    }
}

fn read_baseline(path: &Path) -> Result<Baseline, String> {
    let text = fs::read_to_string(path).map_err(|error| cannot("read", path, &error))?;
    Baseline::read(&text)
        .map_err(|error| format!("{}: {error}", printable(&path.to_string_lossy())))
}

/// The expectation of captures that have none beside them: the command line, then `closewait.toml`.
fn policy(asked: &CheckCommand) -> Result<Expectation, String> {
    let mut policy = match fs::read_to_string(POLICY) {
        Ok(text) => {
            let policy = file::policy(&text).map_err(|wrong| format!("{POLICY}: {wrong}"))?;
            policy.reading.filter().map_err(|wrong| format!("{POLICY}: {wrong}"))?;
            policy
        }
        Err(error) => or_none(Path::new(POLICY), &error).map(|()| Expectation::default())?,
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
    warnings.extend(dropped(read.collected.drops));
    warnings.extend(tags_untold(read.collected.tally.tags_untold));
    warnings.extend(tags_unread(read.collected.tally.tags_unread_held));
    warnings.extend(one_sided(read.collected.tally.one_sided));
    warnings.extend(multipath(read.collected.tally.multipath));
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

/// A FIN of local may be among what was dropped, and one of a peer.
fn dropped(packets: u64) -> Option<String> {
    let said = || {
        format!(
            "{} dropped while it was captured: capture with a larger buffer (-B)",
            count(packets, "packet")
        )
    };
    (packets > 0).then(said)
}

/// They may be among those that were asked for.
fn tags_untold(connections: u64) -> Option<String> {
    (connections > 0).then(|| {
        format!(
            "{} whose tags cannot be told (encrypted, cut or lost) left out; in CLOSE-WAIT, it counts with max_unknown",
            count(connections, "connection")
        )
    })
}

/// Their comments, if there are any, are not known; they are no failure, since most protocols have none.
fn tags_unread(connections: u64) -> Option<String> {
    (connections > 0).then(|| terminal::tags_unread(connections))
}

/// The other side's FIN does not show where only one side was captured.
fn one_sided(connections: u64) -> Option<String> {
    (connections > 0).then(|| {
        format!(
            "{} open as far as one side's packets tell, and the other's were not captured \
             (one-side-captured): capture where both directions pass",
            count(connections, "connection")
        )
    })
}

/// The end of a connection of Multipath TCP is no FIN.
fn multipath(connections: u64) -> Option<String> {
    (connections > 0).then(|| {
        format!(
            "{} of Multipath TCP open as far as TCP tells (multipath): its end, a DATA_FIN, is not read",
            count(connections, "connection")
        )
    })
}

/// The end of a capture is its last packet: one that stops too early shows no leak, and would pass.
fn pending(expectation: &Expectation, collected: &Collected) -> Option<String> {
    let is_own = |seen: &&Seen| seen.verdict == Verdict::Pending && seen.local != Local::Neither;
    let own = collected.flows.iter().filter(is_own).count() as u64;
    let pending = collected.tally.of(Verdict::Pending);
    let is_expected = expectation.verdicts[Verdict::Pending.index()].is_some();
    (own > 0 && !is_expected).then(|| {
        format!(
            "{} in CLOSE-WAIT at the last packet, held for less than min_hold: let the capture go on, \
             and end it with a packet (pending = {pending} says that it is right)",
            count(own, "connection")
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
