//! `closewait read`: captures in, a report out.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice, StripStream};

use super::{Exit, complain};
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
    let out = match open(&asked) {
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

/// The output, which drops colours where none are wanted.
fn open(asked: &Read) -> Result<Box<dyn Write>, String> {
    let (raw, color): (Box<dyn Write>, ColorChoice) = match &asked.output {
        None => (Box::new(io::stdout().lock()), choice(asked.color)),
        Some(path) => (Box::new(create(path, &asked.plan)?), asked.color),
    };
    let stripped: Box<dyn Write> = match color {
        ColorChoice::Always | ColorChoice::AlwaysAnsi => raw,
        ColorChoice::Auto | ColorChoice::Never => Box::new(StripStream::new(raw)),
    };
    Ok(Box::new(BufWriter::new(stripped)))
}

/// On standard output, `auto` asks the terminal, `NO_COLOR` and the like.
fn choice(asked: ColorChoice) -> ColorChoice {
    match asked {
        ColorChoice::Auto => AutoStream::choice(&io::stdout()),
        asked => asked,
    }
}

fn create(path: &Path, plan: &Plan) -> Result<File, String> {
    let same = |other: &Path| matches!((path.canonicalize(), other.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if plan.inputs.iter().any(|input| same(&input.0)) {
        return Err(format!("{}: is an input too; -o must name another file", path.display()));
    }
    File::create(path).map_err(|error| format!("{}: cannot be written: {error}", path.display()))
}
