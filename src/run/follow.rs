//! The one loop: packet after packet of a source, in whatever mode.

use std::io;

use super::notices::Notices;
use super::session::{Session, Stopped};
use crate::capture::{About, Frame, Next, Source, Trouble};
use crate::place::Time;

/// Packets between two looks at the progress.
const PROGRESS_EVERY: u64 = 8_192;

/// A mode of reading: what is done with each packet, and between them.
pub trait Mode<S: Source> {
    /// Takes one packet.
    fn frame(&mut self, session: &mut Session, frame: &Frame) -> io::Result<()>;

    /// Begins with a source.
    fn begin_source(&mut self, _: &Session, _: &mut S) {}

    /// Takes packets that lie ready, all in one go, as far as it can. Returns how many it has taken.
    fn ready(&mut self, _: &mut Session, _: &mut S) -> io::Result<u64> {
        Ok(0)
    }

    /// Comes after each packet, pause or trouble.
    fn between(&mut self, _: &mut Session, _: &mut S, _: &mut dyn Notices) -> io::Result<()> {
        Ok(())
    }

    /// Tells whether a file is read at all; `first` is the time of its first packet.
    fn wants_file(&self, _first: Option<Time>) -> bool {
        true
    }

    /// Tells whether the rest of the file that is being read was left out: what it says of its end is no part then.
    fn left_some(&self) -> bool {
        false
    }

    /// Returns the capture point that a file is of, where that is known before it is read.
    fn point_of(&self, _file: usize) -> Option<usize> {
        None
    }

    /// Begins a file, with this number in [`crate::place::Place::file`].
    fn begin_file(&mut self, _file: usize, _name: &str) -> io::Result<()> {
        Ok(())
    }

    /// Ends a file, or what can be read of it.
    fn end_file(&mut self, _file: usize, _about: &About) -> io::Result<()> {
        Ok(())
    }
}

/// Outcome of reading a source to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Nothing has failed.
    pub all_well: bool,
    /// All that came was read, whatever else has failed.
    pub is_whole: bool,
}

/// Reads a source to its end, past failures that reading can go on after.
///
/// # Errors
///
/// Errors of the sink, and the one that ends the source.
pub fn follow<S: Source>(
    session: &mut Session,
    mode: &mut impl Mode<S>,
    source: &mut S,
    notices: &mut dyn Notices,
) -> Result<Followed, Stopped> {
    let mut followed = Followed { all_well: true, is_whole: true };
    let mut until_progress = PROGRESS_EVERY;
    loop {
        let passed = mode.ready(session, source)?;
        match source.next() {
            Ok(Next::Frame(frame)) => mode.frame(session, &frame)?,
            Ok(Next::Idle(now)) => session.point_mut().facts_mut().wait_until(now),
            Ok(Next::Trouble(error)) => {
                followed.all_well &= !error.trouble.is_failure();
                followed.is_whole &= !error.trouble.leaves_unread();
                if matches!(error.trouble, Trouble::Unread { .. }) {
                    session.point_mut().facts_mut().cut_off();
                }
                notices.trouble(&error);
            }
            Ok(Next::End) => return Ok(followed),
            Err(error) => return Err(Stopped::Input(error)),
        }
        mode.between(session, source, notices)?;
        until_progress = until_progress.saturating_sub(passed + 1);
        if until_progress == 0 {
            until_progress = PROGRESS_EVERY;
            let (done, all) = source.progress();
            notices.progress(done, all);
        }
    }
}
