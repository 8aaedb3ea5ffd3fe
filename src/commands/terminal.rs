//! The terminal beside a report: troubles, progress, and how the program ends.

use std::io;

use super::format::Format;
use super::{Exit, complain};
use crate::capture::Error;
use crate::progress::Progress;
use crate::run::notices::Status;
use crate::run::{Notices, Outcome};
use crate::units::count;

/// Standard error, where a person may be looking.
pub struct Terminal {
    progress: Progress,
    said: Said,
}

/// The part of how a run ended that its report says, so that the terminal need not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// All of it: a headline is on the screen.
    Headline,
    /// Numbers, in a file or for a program.
    Numbers,
    /// Nothing: there are rows alone.
    Rows,
}

impl Said {
    /// Returns what a report in this form says; it may be on the screen.
    pub fn by(format: Format, is_on_screen: bool) -> Said {
        match format {
            Format::Text if is_on_screen => Said::Headline,
            Format::Text | Format::Html | Format::Jsonl => Said::Numbers,
            Format::Csv | Format::Parquet => Said::Rows,
        }
    }
}

impl Terminal {
    /// Shows how far reading has come, if that is wanted and a terminal would show it.
    pub fn new(wanted: bool) -> Terminal {
        Terminal { progress: Progress::new(wanted), said: Said::Headline }
    }

    /// Says in the end what a report leaves out that says no more than this.
    pub fn beside(self, said: Said) -> Terminal {
        Terminal { said, ..self }
    }

    /// Says why the status is what it is, and what is missing, where the report does not.
    fn conclude(&self, outcome: &Outcome) {
        if outcome.is_of_nobody && self.said != Said::Headline {
            complain(&"--local names no end of any connection, so none was judged");
        }
        if outcome.tags_untold > 0 && self.said == Said::Rows {
            let untold = count(outcome.tags_untold, "connection");
            complain(&format!(
                "{untold} in CLOSE-WAIT left out, whose tags cannot be told (encrypted, cut or lost)"
            ));
        }
        if outcome.tags_unread > 0 && self.said == Said::Rows {
            complain(&tags_unread(outcome.tags_unread));
        }
    }
}

/// Says that connections are left out whose comments, if there are any, nobody reads.
pub fn tags_unread(connections: u64) -> String {
    let unread = count(connections, "connection");
    format!(
        "{unread} in CLOSE-WAIT left out, whose protocol is not read: it is not known which code used them"
    )
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
        self.progress.say(at_a_glance(status));
    }

    fn make_room(&mut self) {
        self.progress.clear();
    }
}

fn at_a_glance(status: &Status) -> String {
    let Status { packets, flows, stuck, stuck_lately, before, drops } = status;
    let [packets, flows] = [count(*packets, "packet"), count(*flows as u64, "connection")];
    let before = match before {
        0 => String::new(),
        before => format!(", {before} from before"),
    };
    format!(
        "{packets}, {flows}, {stuck} in CLOSE-WAIT (+{stuck_lately} in a minute){before}, {drops} dropped"
    )
}

/// The end of the program after a run with this result.
pub fn ended(result: io::Result<Outcome>, mut terminal: Terminal) -> Exit {
    terminal.progress.clear();
    result.iter().for_each(|outcome| terminal.conclude(outcome));
    match result {
        Ok(outcome) if outcome.failed => Exit::Failed,
        Ok(outcome) if outcome.findings > 0 => Exit::Found,
        Ok(outcome) if outcome.is_of_nobody => Exit::Failed,
        Ok(_) => Exit::Clean,
        Err(error) => {
            complain(&format!("the report could not be written: {error}"));
            Exit::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stuck_before_is_told_beside_what_packets_show() {
        let shown = Status { packets: 1, flows: 2, stuck: 0, stuck_lately: 0, before: 0, drops: 0 };
        let told = "1 packet, 2 connections, 0 in CLOSE-WAIT (+0 in a minute)";
        assert_eq!(at_a_glance(&shown), format!("{told}, 0 dropped"));
        let stuck = Status { before: 3, ..shown };
        assert_eq!(at_a_glance(&stuck), format!("{told}, 3 from before, 0 dropped"));
    }
}
