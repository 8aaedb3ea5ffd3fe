//! What each command does with the terminal: outputs, warnings, exit status.

pub mod read;

use std::process::ExitCode;

/// How the program ends. A failure wins over a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// No finding.
    Clean,
    /// At least one finding.
    Found,
    /// The work could not be done, or not wholly.
    Failed,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Clean => 0,
            Exit::Found => 1,
            Exit::Failed => 2,
        })
    }
}

/// A sentence on standard error, as every tool of this kind writes it.
pub fn complain(sentence: &impl std::fmt::Display) {
    eprintln!("closewait: {sentence}");
}
