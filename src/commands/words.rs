//! `closewait explain WORD`: what a word of the report means, and what to do.

use std::io;

use anstream::ColorChoice;

use super::{Exit, complain, open};
use crate::report::words::write;

/// Explains a word that there is.
pub fn explain(word: &str) -> Exit {
    let written =
        open(None, ColorChoice::Auto, &[]).map(|opened| write(&mut opened.output(), word));
    match written {
        Ok(Ok(())) => Exit::Clean,
        Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Clean,
        Ok(Err(error)) => {
            complain(&format!("the report could not be written: {error}"));
            Exit::Failed
        }
        Err(sentence) => {
            complain(&sentence);
            Exit::Failed
        }
    }
}
