//! The commands, and their dealings with the terminal: outputs, warnings, exit status.

pub mod check;
pub mod diff;
pub mod explain;
mod explained;
pub mod extract;
pub mod fleet;
pub mod format;
pub mod live;
mod outlet;
mod output;
mod prose;
mod quiet;
pub mod read;
pub mod screen;
mod service;
mod signals;
pub mod sockets;
pub mod terminal;
pub mod top;
pub mod topics;
pub mod words;

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice, StripStream};
pub use output::is_stdout;
use output::{Outputs, Placing};

use crate::capture::stop::Stop;
use crate::printable::printable;
use crate::report::lang::Lang;
use crate::report::text::page::{Page, wrapped};
use crate::run::MOST_FILES;
use quiet::Quiet;

/// The end of the program, as its exit status. A failure wins over a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// No finding.
    Clean,
    /// At least one finding.
    Found,
    /// The work could not be done, or not wholly.
    Failed,
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> u8 {
        match exit {
            Exit::Clean => 0,
            Exit::Found => 1,
            Exit::Failed => 2,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(u8::from(exit))
    }
}

/// A sentence on standard error, as every tool of this kind writes it. It can quote names and files that others
/// wrote: a terminal obeys nothing in it. Where nobody reads that any more, it is lost, and the work goes on.
pub fn complain(sentence: &impl std::fmt::Display) {
    let sentence = sentence.to_string();
    let sentence = format!("closewait: {sentence}");
    let columns = screen::columns_of(&io::stderr());
    let lines = sentence.split('\n').map(printable).flat_map(|line| match columns {
        Some(columns) => wrapped(&line, columns, Lang::English),
        None => vec![line],
    });
    let _ = writeln!(io::stderr().lock(), "{}", lines.collect::<Vec<_>>().join("\n"));
}

/// Complains before the work where there are more files than one run can read.
///
/// # Errors
/// A sentence.
fn can_be_one_run(files: usize, remedy: &str) -> Result<(), String> {
    match files {
        0..=MOST_FILES => Ok(()),
        _ => Err(format!("{files} files: no more than {MOST_FILES} are one run; {remedy}")),
    }
}

/// Ends with what became of a text: a reader who has had enough of it is no failure.
fn said(written: io::Result<()>) -> Exit {
    match written {
        Ok(()) => Exit::Clean,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Clean,
        Err(error) => {
            complain(&format!("the report could not be written: {error}"));
            Exit::Failed
        }
    }
}

/// An output for a report: standard output, or a file that is to be placed once it is written.
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

/// Opens it. `gone` is set when its reader has gone away; what follows is then said to nobody.
fn open(
    path: Option<&Path>,
    color: ColorChoice,
    outputs: &mut Outputs,
    gone: &Stop,
) -> Result<Opened, String> {
    let Some(path) = path else {
        outputs.standard_output();
        let out = Box::new(Quiet::stdout(gone));
        return Ok(Opened { out, color: choice(color), placing: None });
    };
    let (file, placing) = outputs.create(path, "-o")?;
    Ok(Opened { out: Box::new(Quiet::new(file, gone)), color, placing: Some(placing) })
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

/// Breaks lines as wide as the terminal, if that is where a text goes that is in English alone.
fn on_screen(out: Box<dyn Write>, output: Option<&Path>) -> Box<dyn Write> {
    Box::new(Page::new(out, screen::screen(output.is_none(), Some(Lang::English))))
}

/// On standard output, `auto` asks the terminal, `NO_COLOR` and the like.
fn choice(asked: ColorChoice) -> ColorChoice {
    match asked {
        ColorChoice::Auto => AutoStream::choice(&io::stdout()),
        asked => asked,
    }
}
