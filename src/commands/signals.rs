//! Signals that end reading: the report comes all the same.

use std::fs;
use std::io;
use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::capture::stop::Stop;

/// As a shell has it of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Sets `stop` at the first of these signals. The second ends the program at once, should the first not do.
///
/// # Errors
/// A sentence, if they cannot be handled.
pub fn stop_at_signals(stop: &Stop) -> Result<(), String> {
    // nohup(1), as everyone heeds it.
    let hang_up: &[i32] = if is_ignored(SIGHUP) { &[] } else { &[SIGHUP] };
    stop_at(&[SIGINT, SIGTERM], stop)?;
    stop_at(hang_up, stop)
}

/// Sets `stop` at the first of some signals, and ends the program at the second, if that is none that
/// timeout(1) sends: it sends SIGTERM twice at once, to the program and to its group. Whoever kills for good
/// sends SIGKILL.
///
/// # Errors
/// A sentence, if they cannot be handled.
pub fn stop_at(signals: &[i32], stop: &Stop) -> Result<(), String> {
    for &signal in signals {
        if signal != SIGTERM {
            flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(stop))
                .map_err(unhandled)?;
        }
        flag::register(signal, Arc::clone(stop)).map_err(unhandled)?;
    }
    Ok(())
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
