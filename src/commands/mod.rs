//! What each command does with the terminal: outputs, warnings, exit status.

pub mod check;
pub mod explain;
mod extract;
pub mod live;
mod outlet;
mod output;
pub mod read;
mod service;
pub mod sockets;

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice, StripStream};
use output::{Outputs, Placing};

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

/// Where a report goes: standard output, or a file that is to be placed once it is written.
struct Opened {
    out: Box<dyn Write + Send>,
    color: ColorChoice,
    placing: Option<Placing>,
}

impl Opened {
    fn output(self) -> (Box<dyn Write>, Option<Placing>) {
        (colored(self.out, self.color), self.placing)
    }
}

fn open(path: Option<&Path>, color: ColorChoice, outputs: &mut Outputs) -> Result<Opened, String> {
    let Some(path) = path else {
        outputs.standard_output();
        return Ok(Opened { out: Box::new(io::stdout()), color: choice(color), placing: None });
    };
    let (file, placing) = outputs.create(path, "-o")?;
    Ok(Opened { out: Box::new(file), color, placing: Some(placing) })
}

/// Gives files their names, as far as they worked.
fn place(all: impl IntoIterator<Item = Placing>) -> io::Result<()> {
    all.into_iter().try_for_each(Placing::place)
}

/// Drops colours where none are wanted.
fn colored(out: Box<dyn Write>, color: ColorChoice) -> Box<dyn Write> {
    let out: Box<dyn Write> = match color {
        ColorChoice::Always | ColorChoice::AlwaysAnsi => out,
        ColorChoice::Auto | ColorChoice::Never => Box::new(StripStream::new(out)),
    };
    Box::new(BufWriter::new(out))
}

/// On standard output, `auto` asks the terminal, `NO_COLOR` and the like.
fn choice(asked: ColorChoice) -> ColorChoice {
    match asked {
        ColorChoice::Auto => AutoStream::choice(&io::stdout()),
        asked => asked,
    }
}
