//! `closewait explain WORD`: what a word of the report means, and what to do.

use std::io;

use super::{Exit, said};
use crate::report::words::write;

/// Explains a word that there is.
pub fn explain(word: &str) -> Exit {
    said(write(&mut io::stdout().lock(), word))
}
