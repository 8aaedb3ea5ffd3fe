//! The form of a report, and the sink that writes it.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use anstream::ColorChoice;

use crate::printable::printable;
use crate::report::csv::Csv;
use crate::report::html::Html;
use crate::report::jsonl::Jsonl;
use crate::report::parquet;
use crate::report::shell;
use crate::report::text::{Text, TextLook};
use crate::summary::Sink;

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Sentences and tables, for people.
    Text,
    /// A JSON object a line.
    Jsonl,
    /// Comma-separated values.
    Csv,
    /// A page for a browser.
    Html,
    /// A table for engines that ask questions over many.
    Parquet,
}

impl Format {
    /// Only text has colours: in the others, none has to be looked for and taken out.
    pub fn color(self, asked: ColorChoice) -> ColorChoice {
        if self == Format::Text { asked } else { ColorChoice::AlwaysAnsi }
    }
}

/// A sink that writes the report in this form.
pub fn renderer(format: Format, out: Box<dyn Write>, look: TextLook) -> Box<dyn Sink> {
    match format {
        Format::Text => Box::new(Text::new(out, look)),
        Format::Jsonl => Box::new(Jsonl::new(out)),
        Format::Csv => Box::new(Csv::new(out)),
        Format::Html => Box::new(Html::new(out, look, command_line())),
        Format::Parquet => parquet::sink(out),
    }
}

/// The command line, as a shell reads it.
pub fn command_line() -> String {
    let mut words = std::env::args_os();
    let program = words.next().map(PathBuf::from);
    let name = program.as_ref().and_then(|path| path.file_name()).unwrap_or_default();
    let quoted = |word: OsString| match printable(&word.to_string_lossy()) {
        // One that begins like an option is one.
        option if option.starts_with('-') => {
            let name = option.trim_start_matches('-');
            let dashes = "-".repeat(option.len() - name.len());
            if name.is_empty() { dashes } else { dashes + &shell::word(name) }
        }
        word => shell::word(&word),
    };
    [name.to_owned()].into_iter().chain(words).map(quoted).collect::<Vec<_>>().join(" ")
}
