//! `closewait read`: captures in, a report out.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anstream::ColorChoice;

use super::{Exit, complain, open};
use crate::capture::Error;
use crate::progress::Progress;
use crate::report::Render;
use crate::report::csv::Csv;
use crate::report::jsonl::Jsonl;
use crate::report::text::{Look, Text};
use crate::report::units::thousands;
use crate::run::live::Status;
use crate::run::{Outcome, Plan, Watch, run};

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

impl Format {
    /// Only text has colours: in the others, none has to be looked for and taken out.
    pub fn color(self, asked: ColorChoice) -> ColorChoice {
        if self == Format::Text { asked } else { ColorChoice::AlwaysAnsi }
    }
}

/// Reads the captures and writes the report.
pub fn read(asked: Read) -> Exit {
    let inputs: Vec<&Path> = asked.plan.inputs.iter().map(|input| input.0.as_path()).collect();
    let color = asked.format.color(asked.color);
    let out = match open(asked.output.as_deref(), color, &inputs) {
        Ok(opened) => opened.output(),
        Err(sentence) => {
            complain(&sentence);
            return Exit::Failed;
        }
    };
    let mut render = renderer(asked.format, out, asked.look);
    let mut terminal = Terminal::new(io::stderr().is_terminal());
    let result = run(asked.plan, render.as_mut(), &mut terminal);
    ended(result, terminal)
}

/// Who writes the report in this form.
pub fn renderer(format: Format, out: Box<dyn Write>, look: Look) -> Box<dyn Render> {
    match format {
        Format::Text => Box::new(Text::new(out, look)),
        Format::Jsonl => Box::new(Jsonl::new(out)),
        Format::Csv => Box::new(Csv::new(out)),
    }
}

/// How the program ends after such a run.
pub fn ended(result: io::Result<Outcome>, mut terminal: Terminal) -> Exit {
    terminal.progress.clear();
    match result {
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

/// Standard error, where a person may be looking.
pub struct Terminal {
    progress: Progress,
}

impl Terminal {
    pub fn new(wanted: bool) -> Terminal {
        Terminal { progress: Progress::new(wanted) }
    }
}

impl Watch for Terminal {
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
            "{} packets, {flows} connections, {stuck} in CLOSE-WAIT (+{stuck_lately} in a minute), {drops} dropped",
            thousands(*packets)
        ));
    }

    fn make_room(&mut self) {
        self.progress.clear();
    }
}
