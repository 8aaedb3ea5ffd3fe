//! Captures read as if they happened: shown at any moment on the way, as a live capture is.

use std::io;

use super::report;
use super::snapshot::Snapshot;
use crate::capture::Frame;
use crate::capture::file::FileSource;
use crate::place::Time;
use crate::run::follow::Mode;
use crate::run::notices::{Notices, Outcome};
use crate::run::session::Session;
use crate::run::{Plan, offline};
use crate::summary::Sink;

/// The next step of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cue {
    /// Take the packet.
    Packet,
    /// Show the capture at this time, before the packet.
    Show(Time),
    /// End here, without a report.
    Leave,
}

/// A director of a replay: decides when it goes on.
pub trait Director {
    /// Decides what comes next, before a packet of this time. It may wait.
    fn cue(&mut self, packet: Time) -> Cue;
}

/// Reads the inputs as the director has it. The sink gets a report each time the capture is shown, and the
/// whole report in the end.
///
/// # Errors
///
/// Errors of the sink; and [`io::ErrorKind::Interrupted`] where the director left.
pub fn replay(
    plan: Plan,
    director: &mut dyn Director,
    sink: &mut dyn Sink,
    notices: &mut dyn Notices,
) -> io::Result<Outcome> {
    offline::read(plan, sink, notices, &mut Replay { director })
}

struct Replay<'a> {
    director: &'a mut dyn Director,
}

impl Mode<FileSource> for Replay<'_> {
    fn frame(&mut self, session: &mut Session, frame: &Frame) -> io::Result<()> {
        loop {
            match self.director.cue(frame.place.time) {
                Cue::Packet => return session.take(frame),
                Cue::Show(at) => show(session, at)?,
                Cue::Leave => return Err(io::ErrorKind::Interrupted.into()),
            }
        }
    }
}

/// Reports the capture as if it ended at this time.
fn show(session: &mut Session, at: Time) -> io::Result<()> {
    session.point_mut().facts_mut().wait_until(at);
    let point = session.current();
    session.begin_round(point, false)?;
    session.end_round(point)?;
    report(session, Snapshot::of(session, 0), None)
}
