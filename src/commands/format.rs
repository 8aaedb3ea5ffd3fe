//! The form of a report, and the sink that writes it.

use std::io::Write;

use anstream::ColorChoice;

use crate::report::csv::Csv;
use crate::report::jsonl::Jsonl;
use crate::report::text::{Text, TextLook};
use crate::summary::Sink;

/// The form of a report.
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

/// A sink that writes the report in this form.
pub fn renderer(format: Format, out: Box<dyn Write>, look: TextLook) -> Box<dyn Sink> {
    match format {
        Format::Text => Box::new(Text::new(out, look)),
        Format::Jsonl => Box::new(Jsonl::new(out)),
        Format::Csv => Box::new(Csv::new(out)),
    }
}
