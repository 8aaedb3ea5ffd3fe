//! Signals that end reading: the report comes all the same.

use std::fs;
use std::io::{self, PipeReader, Read, pipe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, sleep};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;

use crate::capture::stop::Stop;

/// As a shell has it of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Two signals in this time are one: timeout(1) sends its own to the program, and then to the program's group.
const ONE_WISH: Duration = Duration::from_millis(200);

/// Sets `stop` at the first of these signals. Another one ends the program at once, should the first not do.
///
/// # Errors
/// A sentence, if they cannot be handled.
pub fn stop_at_signals(stop: &Stop) -> Result<(), String> {
    // nohup(1), as everyone heeds it.
    let hang_up = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    let signals: Vec<i32> = hang_up.into_iter().chain([SIGTERM, SIGINT]).collect();
    stop_at(&signals, stop)?.heed();
    Ok(())
}

/// Sets `stop` at the first of some signals. SIGTERM is never impatient: whoever kills for good sends SIGKILL.
///
/// # Errors
/// A sentence, if they cannot be handled.
pub fn stop_at(signals: &[i32], stop: &Stop) -> Result<Impatience, String> {
    let is_late = Arc::new(AtomicBool::new(false));
    let (heard, first) = pipe().map_err(unhandled)?;
    for &signal in signals {
        if signal != SIGTERM {
            flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&is_late))
                .map_err(unhandled)?;
        }
        flag::register(signal, Arc::clone(stop)).map_err(unhandled)?;
        pipe::register(signal, first.try_clone().map_err(unhandled)?).map_err(unhandled)?;
    }
    Ok(Impatience { is_late, heard })
}

/// The wish that a signal ends the program at once, if one came before.
#[must_use]
pub struct Impatience {
    is_late: Arc<AtomicBool>,
    heard: PipeReader,
}

impl Impatience {
    /// Heeds it from now on. A thread waits for the first signal, so this comes after the process has given its rights
    /// away; where there can be no thread, the second signal of timeout(1) ends the program.
    pub fn heed(self) {
        let Impatience { is_late, mut heard } = self;
        let late = Arc::clone(&is_late);
        let wait = move || {
            if heard.read_exact(&mut [0]).is_ok() {
                sleep(ONE_WISH);
            }
            late.store(true, Ordering::Relaxed);
        };
        if Builder::new().name("signals".into()).spawn(wait).is_err() {
            is_late.store(true, Ordering::Relaxed);
        }
    }
}

/// A sentence about a signal that cannot be handled.
pub fn unhandled(error: io::Error) -> String {
    format!("signals cannot be handled: {error}")
}

/// Whoever started this program had it ignore the signal (`SigIgn` in proc_pid_status(5)).
pub fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 << (signal - 1) != 0)
}
