//! `closewait explain WORD`: what a word of the report means, and what to do.

use std::io;

use super::{Exit, complain};
use crate::report::words::write;

/// Explains a word that there is.
pub fn explain(word: &str) -> Exit {
    match write(&mut io::stdout().lock(), word) {
        Ok(()) => Exit::Clean,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Clean,
        Err(error) => {
            complain(&format!("the report could not be written: {error}"));
            Exit::Failed
        }
    }
}
