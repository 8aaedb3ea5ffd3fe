//! Without inferno: nothing is drawn.

use std::io::{self, Write};

use super::NotBuiltIn;
use crate::report::stacks::Count;

/// Asked before anything is read.
pub fn check() -> Result<(), NotBuiltIn> {
    Err(NotBuiltIn)
}

/// Refuses to draw.
///
/// # Errors
/// Always.
pub fn graph<'a>(
    _: &mut dyn Write,
    _: impl Iterator<Item = (&'a str, u64)>,
    _: bool,
) -> io::Result<()> {
    Err(io::Error::other(NotBuiltIn))
}

/// Refuses to draw.
///
/// # Errors
/// Always.
pub fn diff<'a>(_: &mut dyn Write, _: impl Iterator<Item = (&'a str, Count)>) -> io::Result<()> {
    Err(io::Error::other(NotBuiltIn))
}
