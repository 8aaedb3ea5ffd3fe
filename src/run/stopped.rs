//! The end of reading before its time.

use std::io;

use crate::capture::Error;

/// The reason why a source is read no further.
#[derive(Debug)]
pub enum Stopped {
    /// The sink's own output failed: the run ends.
    Output(io::Error),
    /// This input failed: others may follow.
    Input(Error),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Stopped {
        Stopped::Output(error)
    }
}
