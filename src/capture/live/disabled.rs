//! Without libpcap: nothing can be captured.

use std::io::{self, Write};
use std::sync::Arc;

use super::ring::Ring;
use super::turn::Turn;
use super::{CannotCapture, Wanted};
use crate::capture::{About, Error, Next, Source};

/// Never made.
pub enum Live {}

impl Live {
    /// Refuses every interface.
    ///
    /// # Errors
    /// Always.
    pub fn open(_: &Wanted) -> Result<Live, CannotCapture> {
        Err(CannotCapture::NotBuiltIn)
    }

    /// Names the interfaces.
    pub fn name(&self) -> String {
        match *self {}
    }

    /// Keeps the packets in a file.
    pub fn keep(&mut self, _: impl Write + Send + 'static) -> io::Result<()> {
        match *self {}
    }

    /// Counts the packets that were kept.
    pub fn kept_packets(&self) -> u64 {
        match *self {}
    }

    /// Begins a new file whenever somebody wishes it.
    pub fn heed(&mut self, _: Arc<Turn>) {
        match *self {}
    }

    /// Keeps the packets in files that follow one another.
    pub fn keep_in(&mut self, _: Ring) -> io::Result<()> {
        match *self {}
    }
}

impl Source for Live {
    fn next(&mut self) -> Result<Next<'_>, Error> {
        match *self {}
    }

    fn about(&self) -> &About {
        match *self {}
    }

    fn progress(&self) -> (u64, Option<u64>) {
        match *self {}
    }
}

/// Names and descriptions of the interfaces.
pub fn interfaces() -> Result<Vec<String>, CannotCapture> {
    Err(CannotCapture::NotBuiltIn)
}
