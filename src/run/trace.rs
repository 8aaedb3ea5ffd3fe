//! A closer look at some connections: their packets one after the other, while the whole capture is
//! read again for what it says of itself.

use std::io;

use super::follow::Mode;
use super::notices::{Notices, Outcome};
use super::session::Session;
use super::{Plan, offline};
use crate::attach::registry::Content;
use crate::capture::file::FileSource;
use crate::capture::{About, Frame};
use crate::facts::CaptureFacts;
use crate::summary::Sink;
use crate::table::FlowTable;
use crate::tcp::flow::Flow;
use crate::tcp::segment::Segment;

/// A packet of a connection that is looked at.
#[derive(Clone, Copy)]
pub struct TracedPacket<'a> {
    /// The capture point, by its number.
    pub point: usize,
    /// The packet as captured.
    pub frame: &'a Frame<'a>,
    /// The segment in it.
    pub segment: &'a Segment,
    /// The octets of it that protocols should read.
    pub content: Option<Content<'a>>,
}

/// An observer of some connections' packets.
pub trait Trace {
    /// Returns true for segments of the 4-tuples that are looked at. The report has no others.
    fn wants(&self, segment: &Segment) -> bool;

    /// Takes a packet of one of them.
    ///
    /// # Errors
    ///
    /// Errors of the observer's output, as from all that follows: they end the run.
    fn take(&mut self, packet: TracedPacket) -> io::Result<()>;

    /// Comes after each packet, with what its file says of itself by now.
    fn taken(&mut self, _: &FileSource) -> io::Result<()> {
        Ok(())
    }

    /// Begins a file, with this number in [`crate::place::Place::file`].
    fn begin_file(&mut self, _file: usize, _name: &str) -> io::Result<()> {
        Ok(())
    }

    /// Ends a file.
    fn end_file(&mut self, _file: usize, _about: &About) -> io::Result<()> {
        Ok(())
    }
}

/// Reads all inputs for some connections.
///
/// # Errors
///
/// Errors of the sink and of the trace end the run and are returned.
pub fn run_traced(
    plan: Plan,
    sink: &mut dyn Sink,
    notices: &mut dyn Notices,
    trace: &mut dyn Trace,
) -> io::Result<Outcome> {
    offline::read(plan, sink, notices, &mut Traced { trace })
}

/// Files that are read for some of their connections.
struct Traced<'a> {
    trace: &'a mut dyn Trace,
}

impl Mode<FileSource> for Traced<'_> {
    fn frame(&mut self, session: &mut Session, frame: &Frame) -> io::Result<()> {
        let Some((segment, content)) = session.read(frame) else { return Ok(()) };
        if !self.trace.wants(&segment) {
            return Ok(());
        }
        let point = session.current();
        self.trace.take(TracedPacket { point, frame, segment: &segment, content })?;
        session.put(segment, content)
    }

    fn between(
        &mut self,
        _: &mut Session,
        source: &mut FileSource,
        _: &mut dyn Notices,
    ) -> io::Result<()> {
        self.trace.taken(source)
    }

    fn begin_file(&mut self, file: usize, name: &str) -> io::Result<()> {
        self.trace.begin_file(file, name)
    }

    fn end_file(&mut self, file: usize, about: &About) -> io::Result<()> {
        self.trace.end_file(file, about)
    }
}

/// The connections of the 4-tuples that are looked at, apart for each capture point.
#[derive(Default)]
pub struct Followed(Vec<FlowTable>);

impl Followed {
    /// Takes in a segment. Returns the connection that it belongs to, just as the run finds it: only
    /// the segments of a 4-tuple decide that.
    pub fn take(&mut self, point: usize, segment: &Segment) -> Option<&mut Flow> {
        while self.0.len() <= point {
            self.0.push(FlowTable::default());
        }
        let table = self.0.get_mut(point)?;
        table.drop_over();
        // What its capture is like has no say in which connection it belongs to.
        table.take(segment, &mut CaptureFacts::default())
    }
}
