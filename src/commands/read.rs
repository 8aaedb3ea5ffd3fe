//! `closewait read`: captures in, a report out.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anstream::ColorChoice;

use super::{Exit, complain, output};
use crate::capture::Error;
use crate::progress::Progress;
use crate::report::Render;
use crate::report::csv::Csv;
use crate::report::jsonl::Jsonl;
use crate::report::text::{Look, Text};
use crate::run::{Plan, Watch, run};

/// What `read` was asked for.
pub struct Read {
    pub plan: Plan,
    pub format: Format,
    pub look: Look,
    pub color: ColorChoice,
    /// Standard output if `None`.
    pub output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Jsonl,
    Csv,
}

/// Reads the captures and writes the report.
pub fn read(asked: Read) -> Exit {
    let inputs: Vec<&Path> = asked.plan.inputs.iter().map(|input| input.0.as_path()).collect();
    let out = match output(asked.output.as_deref(), asked.color, &inputs) {
        Ok(out) => out,
        Err(sentence) => {
            complain(&sentence);
            return Exit::Failed;
        }
    };
    let mut render: Box<dyn Render> = match asked.format {
        Format::Text => Box::new(Text::new(out, asked.look)),
        Format::Jsonl => Box::new(Jsonl::new(out)),
        Format::Csv => Box::new(Csv::new(out)),
    };
    let mut terminal = Terminal { progress: Progress::new(io::stderr().is_terminal()) };
    let ended = run(asked.plan, render.as_mut(), &mut terminal);
    terminal.progress.clear();
    match ended {
        Ok(outcome) if outcome.failed => Exit::Failed,
        Ok(outcome) if outcome.findings > 0 => Exit::Found,
        Ok(_) => Exit::Clean,
        // Whoever read the report has seen enough of it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Clean,
        Err(error) => {
            complain(&format!("the report could not be written: {error}"));
            Exit::Failed
        }
    }
}

struct Terminal {
    progress: Progress,
}

impl Watch for Terminal {
    fn trouble(&mut self, error: &Error) {
        self.progress.clear();
        complain(error);
    }

    fn progress(&mut self, done: u64, all: Option<u64>) {
        self.progress.at(done, all);
    }
}
