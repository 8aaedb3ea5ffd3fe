//! `closewait check -- COMMAND…`: captures while a command runs, and judges what it left.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::find::Target;
use super::read::{Troubles, own, policy_of};
use super::{Own, ReadCapture};
use crate::capture::live::{Live as Source, Wanted, now};
use crate::capture::stop::Stop;
use crate::commands::live::keep;
use crate::commands::output::Outputs;
use crate::commands::signals::stop_at_signals;
use crate::expect::{Expectation, ReadingOptions, file};
use crate::live::{LiveSetup, live};
use crate::printable::printable;
use crate::run::Plan;
use crate::summary::seen::Collected;

/// A command, and how to capture what it does.
#[derive(Clone, Debug)]
pub struct Watched {
    pub command: Vec<OsString>,
    pub interfaces: Vec<String>,
    /// The time that capturing goes on for when the command has ended.
    pub linger: Duration,
    /// The file that the capture is kept in.
    pub save: Option<PathBuf>,
    /// The command's output goes to standard error: standard output is the report's alone.
    pub aside: bool,
}

/// Octets of each packet, and of the kernel's buffer.
const SNAP_LEN: u32 = 1_024;
const BUFFER: u32 = 8 << 20;

/// The longest wait between two looks at whether it should end.
const STEP: Duration = Duration::from_millis(50);

/// Runs the command. Returns what was captured, and the status that the command ended with.
///
/// # Errors
/// A sentence, if nothing can be captured or the command cannot be run.
pub(super) fn watch(asked: &Watched, policy: &Expectation) -> Result<(ReadCapture, u8), String> {
    let target = target(asked);
    let own = if asked.save.is_some() { own(&target)? } else { None };
    let expectation = match &own {
        Some(Own { text }) => file::expectation(text)
            .map_err(|wrong| format!("{}: {wrong}", target.expectation_name()))?,
        None => policy.clone(),
    };
    let reading = expectation.reading.clone().or(&policy.reading);
    let (collected, warnings, status) = collect(asked, &reading)?;
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
    let linger = asked.linger;
    let waiting = thread::spawn(move || wait(child, linger, &stop));
    let (mut collected, mut troubles) = (Collected::default(), Troubles::default());
    let plan = Plan { policy: policy_of(reading)?, all: true, ..Plan::default() };
    let name = source.name();
    let setup = LiveSetup {
        began: now(),
        kernel: None,
        before: None,
        board: None,
        report: AtomicBool::new(false).into(),
        nameless: None,
    };
    let outcome = live(plan, name, &mut source, setup, &mut collected, &mut troubles);
    let status = waiting.join().unwrap_or_else(|_| Err(io::Error::other("it was not waited for")));
    let status = status.map_err(|error| format!("the command was lost: {error}"))?;
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

/// Waits for the command and some time more, then ends the capture.
fn wait(mut child: Child, linger: Duration, stop: &Stop) -> io::Result<ExitStatus> {
    let status = child.wait();
    let ended = Instant::now();
    while !stop.load(Ordering::Relaxed) && ended.elapsed() < linger {
        thread::sleep(STEP.min(linger.saturating_sub(ended.elapsed())));
    }
    stop.store(true, Ordering::Relaxed);
    status
}

/// As a shell has it.
fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
