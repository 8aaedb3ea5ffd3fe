//! `closewait check -- COMMAND…`: captures while a command runs, and judges what it left.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chrono::TimeDelta;

use super::find::Target;
use super::read::{Troubles, held_for_a_while, own, policy_of, reading_by};
use super::{Given, ReadCapture};
use crate::capture::live::{BUFFER, Live as Source, Wanted, now};
use crate::capture::stop::Stop;
use crate::commands::complain;
use crate::commands::live::keep;
use crate::commands::output::Outputs;
use crate::commands::signals::stop_at_signals;
use crate::expect::ReadingOptions;
use crate::live::board::Board;
use crate::live::{LiveSetup, live};
use crate::printable::printable;
use crate::run::Plan;
use crate::summary::gauges::Unfinished;
use crate::summary::seen::Collected;
use crate::units::{count, duration};

/// A command, and how to capture what it does.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// Interfaces to capture on while it runs.
    pub interfaces: Vec<String>,
    /// The time that capturing goes on for at most when the command has ended.
    pub linger: Duration,
    /// The file that the capture is kept in.
    pub save: Option<PathBuf>,
    /// The command's output goes to standard error: standard output is the report's alone.
    pub aside: bool,
}

/// Octets of each packet.
const SNAP_LEN: u32 = 1_024;

/// The least time that is waited.
const SETTLE: Duration = Duration::from_millis(700);

/// The longest wait between two looks at whether it should end.
const STEP: Duration = Duration::from_millis(50);

/// Runs the command. Returns what was captured, and the status that the command ended with.
///
/// # Errors
/// A sentence, if nothing can be captured or the command cannot be run.
pub(super) fn watch(asked: &Watched, given: &Given) -> Result<(ReadCapture, u8), String> {
    let target = target(asked);
    let own = if asked.save.is_some() { own(&target)? } else { None };
    let (expectation, reading) = given.expectation(&target, own.as_ref())?;
    let (collected, mut warnings, status) = collect(asked, &reading)?;
    if expectation.held.is_none() {
        let limit = match own {
            Some(_) => format!("held = {{ max = \"1s\" }} in {}", target.expectation_name()),
            None => "--max-held 1s".into(),
        };
        warnings.extend(held_for_a_while(&collected, &limit));
    }
    if own.is_some() {
        warnings.extend(given.not_looked_at(&target));
    }
    Ok((ReadCapture { target, own, expectation, reading, collected, warnings }, status))
}

/// The file that is kept; without one, the command's own words.
fn target(asked: &Watched) -> Target {
    let words: Vec<String> =
        asked.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let named = || PathBuf::from(words.join(" "));
    Target::new(asked.save.clone().unwrap_or_else(named))
}

fn collect(
    asked: &Watched,
    reading: &ReadingOptions,
) -> Result<(Collected, Vec<String>, u8), String> {
    let stop = Stop::default();
    stop_at_signals(&stop)?;
    let wanted = Wanted {
        interfaces: asked.interfaces.clone(),
        filter: reading.filter.clone().unwrap_or_default(),
        snap_len: SNAP_LEN,
        buffer: BUFFER,
        promiscuous: false,
        count: None,
        duration: None,
        stop: Stop::clone(&stop),
    };
    let mut source = Source::open(&wanted).map_err(|error| error.to_string())?;
    if let Some(path) = &asked.save {
        keep(&mut source, path, &mut Outputs::default())?;
    }
    let child = start(asked)?;
    let (linger, board) = (asked.linger, Arc::new(Board::default()));
    let asking = Arc::clone(&board);
    let waiting = thread::spawn(move || wait(child, linger, &asking, &stop));
    let (mut collected, mut troubles) = (Collected::default(), Troubles::default());
    let (policy, contents) = (policy_of(reading)?, reading_by(reading));
    let plan = Plan { policy, all: true, reading: contents, ..Plan::default() };
    let name = source.name();
    let setup = LiveSetup {
        began: now(),
        kernel: None,
        before: None,
        board: Some(board),
        report: AtomicBool::new(false).into(),
        nameless: None,
    };
    let outcome = live(plan, name, &mut source, setup, &mut collected, &mut troubles);
    let status = waiting.join().unwrap_or_else(|_| Err(io::Error::other("it was not waited for")));
    let (status, left) = status.map_err(|error| format!("the command was lost: {error}"))?;
    if let Some(sentence) = left.and_then(|left| still_open(left, linger)) {
        complain(&sentence);
    }
    if outcome.map_err(|error| error.to_string())?.failed {
        return Err(troubles.0.join("; "));
    }
    Ok((collected, troubles.0, code(status)))
}

fn start(asked: &Watched) -> Result<Child, String> {
    let (program, arguments) = asked.command.split_first().ok_or("name a command")?;
    let out = if asked.aside { Stdio::from(io::stderr()) } else { Stdio::inherit() };
    let child = Command::new(program).args(arguments).stdout(out).spawn();
    child.map_err(|error| {
        format!("{}: cannot be run: {error}", printable(&program.to_string_lossy()))
    })
}

/// Waits for the command, and until every peer that closes idle connections could have closed those that
/// are open, but no longer than `linger`; then ends the capture. Returns what is unfinished, too.
fn wait(
    mut child: Child,
    linger: Duration,
    board: &Board,
    stop: &Stop,
) -> io::Result<(ExitStatus, Option<Unfinished>)> {
    let status = child.wait();
    let ended = Instant::now();
    let mut left = None;
    while !stop.load(Ordering::Relaxed) && ended.elapsed() < linger {
        board.want();
        thread::sleep(STEP.min(linger.saturating_sub(ended.elapsed())));
        // What was sent last needs a moment to be seen.
        if ended.elapsed() >= SETTLE {
            left = board.fresh().map(|gauges| gauges.unfinished).or(left);
            if left.is_some_and(|left| left.is_over()) {
                break;
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    Ok((status?, left))
}

/// Says that it was not waited for long enough, and how long would be.
fn still_open(left: Unfinished, linger: Duration) -> Option<String> {
    if left.open == 0 {
        return None;
    }
    let n = count(left.open, "connection");
    let after = TimeDelta::from_std(linger).map_or_else(|_| "a while".into(), duration);
    let sentence = format!("{n} still open {after} after the command (--linger)");
    Some(match left.slowest {
        Some((service, seconds)) => {
            format!("{sentence}; {service} closes after up to {seconds:.1} s of silence")
        }
        None => format!("{sentence}; nothing has shown after which silence their peers close"),
    })
}

/// As a shell has it.
fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
