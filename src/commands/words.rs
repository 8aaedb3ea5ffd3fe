//! `closewait explain WORD`: what a word of the report means, and what to do.

use std::io;

use super::screen::lang;
use super::{Exit, said};
use crate::report::lang::Lang;
use crate::report::words::write;

/// Explains a word that there is.
pub fn explain(word: &str, asked: Option<Lang>) -> Exit {
    // Whoever asks in Chinese reads it.
    let asked = asked.or_else(|| (!word.is_ascii()).then_some(Lang::Chinese));
    said(write(&mut io::stdout().lock(), word, lang(asked)))
}
