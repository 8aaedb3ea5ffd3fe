//! The terminal beside a report: troubles, progress, and how the program ends.

use std::io;

use super::{Exit, complain};
use crate::capture::Error;
use crate::progress::Progress;
use crate::run::notices::Status;
use crate::run::{Notices, Outcome};
use crate::units::count;

/// Standard error, where a person may be looking.
pub struct Terminal {
    progress: Progress,
}

impl Terminal {
    /// Shows how far reading has come, if that is wanted and a terminal would show it.
    pub fn new(wanted: bool) -> Terminal {
        Terminal { progress: Progress::new(wanted) }
    }
}

impl Notices for Terminal {
    fn trouble(&mut self, error: &Error) {
        self.progress.clear();
        complain(error);
    }

    fn progress(&mut self, done: u64, all: Option<u64>) {
        self.progress.at(done, all);
    }

    fn status(&mut self, status: &Status) {
        let Status { packets, flows, stuck, stuck_lately, drops } = status;
        self.progress.say(format!(
            "{}, {}, {stuck} in CLOSE-WAIT (+{stuck_lately} in a minute), {drops} dropped",
            count(*packets, "packet"),
            count(*flows as u64, "connection")
        ));
    }

    fn make_room(&mut self) {
        self.progress.clear();
    }
}

/// The end of the program after a run with this result.
pub fn ended(result: io::Result<Outcome>, mut terminal: Terminal) -> Exit {
    terminal.progress.clear();
    match result {
        Ok(outcome) if outcome.failed => Exit::Failed,
        Ok(outcome) if outcome.findings > 0 => Exit::Found,
        // The headline says it.
        Ok(outcome) if outcome.is_of_nobody => Exit::Failed,
        Ok(_) => Exit::Clean,
        Err(error) => {
            complain(&format!("the report could not be written: {error}"));
            Exit::Failed
        }
    }
}
