//! A line that was perhaps folded, and what it is with the lines below it.

use super::{clue, ss};

/// A line that was perhaps folded, and those that it goes on in.
pub struct Pending {
    /// The number of the first.
    pub number: usize,
    /// The first.
    pub first: String,
    /// All of them in one, with a blank between them or with none: who folded it may have taken it away.
    pub texts: Vec<String>,
    /// Lines so far.
    pub lines: usize,
}

impl Pending {
    /// One that begins with this line.
    pub fn new(number: usize, line: &str) -> Pending {
        Pending { number, first: line.to_owned(), texts: vec![line.to_owned()], lines: 1 }
    }

    /// Returns all that it may be with the next line.
    pub fn joined(&self, line: &str) -> Vec<String> {
        let with = |gap: &str| {
            let join = |text: &String| format!("{}{gap}{line}", text.trim_end());
            self.texts.iter().map(join).collect::<Vec<String>>()
        };
        let any = |is: fn(&str) -> bool| self.texts.iter().any(|text| is(text));
        // Between the words of a call are commas.
        match (any(ss::is_open) || any(clue::is_open_call), any(|text| text.ends_with('-'))) {
            (true, _) => with(""),
            // The rest of an arrow, which seemed to be the mark of a quotation.
            (_, true) => [with(">"), with(" "), with("")].concat(),
            _ => [with(" "), with("")].concat(),
        }
    }
}
