//! Captures read as if they happened: shown at any moment on the way, as a live capture is.

use std::collections::BTreeSet;
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
use crate::summary::{Sink, Totals};
use crate::verdict::EndedAt;

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
    mut plan: Plan,
    director: &mut dyn Director,
    sink: &mut dyn Sink,
    notices: &mut dyn Notices,
) -> io::Result<Outcome> {
    plan.reading.at_once = true;
    offline::read(plan, sink, notices, &mut Replay { director })
}

/// Reads captures of several points, which cannot be followed in the order of time, as if each ended at a time. The
/// sink gets the report. `points` has the capture point of each file, as reading all of them told.
///
/// # Errors
///
/// Errors of the sink.
pub fn until(
    mut plan: Plan,
    at: Time,
    points: &[usize],
    sink: &mut dyn Sink,
    notices: &mut dyn Notices,
) -> io::Result<Outcome> {
    plan.policy.end = Some(EndedAt::Time(at));
    offline::read(plan, sink, notices, &mut Until { at, points, left_some: false })
}

/// The capture point of each file, as [`until`] takes them.
pub fn points_of(totals: &Totals) -> Vec<usize> {
    let mut points = vec![0; totals.files.len()];
    for (point, capture) in totals.captures.iter().enumerate() {
        capture.files.iter().for_each(|&file| points[file] = point);
    }
    points
}

struct Until<'a> {
    at: Time,
    points: &'a [usize],
    left_some: bool,
}

impl Mode<FileSource> for Until<'_> {
    fn frame(&mut self, session: &mut Session, frame: &Frame) -> io::Result<()> {
        if frame.place.time > self.at {
            self.left_some = true;
            return Ok(());
        }
        session.take(frame)
    }

    fn wants_file(&self, first: Option<Time>) -> bool {
        first.is_none_or(|first| first <= self.at)
    }

    fn begin_file(&mut self, _: usize, _: &str) -> io::Result<()> {
        self.left_some = false;
        Ok(())
    }

    fn left_some(&self) -> bool {
        self.left_some
    }

    fn point_of(&self, file: usize) -> Option<usize> {
        self.points.get(file).copied()
    }
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
    report(session, Snapshot::of(session, 0, &BTreeSet::new()), None)
}
