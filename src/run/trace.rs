//! A closer look at some connections: their packets one after the other, while the whole capture is
//! read again for what it says of itself. A loop of its own, so that the usual one stays fast.

use std::io;

use super::ports::Content;
use super::{Outcome, PROGRESS_EVERY, Plan, Run, Watch, run_with};
use crate::capture::file::FileSource;
use crate::capture::{About, Error, Frame, Next, Source};
use crate::decode::Skipped;
use crate::report::Render;
use crate::table::FlowTable;
use crate::tcp::flow::Flow;
use crate::tcp::segment::Segment;

/// A packet of a connection that is looked at.
#[derive(Clone, Copy)]
pub struct Traced<'a> {
    /// The capture point, by its number.
    pub point: usize,
    pub frame: &'a Frame<'a>,
    pub segment: &'a Segment,
    /// What is to be read of it.
    pub content: Option<Content<'a>>,
}

/// Who looks. Errors are those of its output.
pub trait Trace {
    /// Is the segment's 4-tuple looked at? The report has no others.
    fn wants(&self, segment: &Segment) -> bool;
    fn take(&mut self, traced: Traced) -> io::Result<()>;
    /// After each packet: what the file says of itself by now.
    fn taken(&mut self, _: &FileSource) -> io::Result<()> {
        Ok(())
    }
    /// A file begins, with this number in [`crate::place::Place::file`].
    fn begin_file(&mut self, _file: usize, _name: &str) -> io::Result<()> {
        Ok(())
    }
    fn end_file(&mut self, _file: usize, _about: &About) -> io::Result<()> {
        Ok(())
    }
}

/// Reads all inputs once more, for these connections.
pub fn run_traced<'a>(
    plan: Plan,
    render: &'a mut dyn Render,
    watch: &mut dyn Watch,
    trace: &'a mut dyn Trace,
) -> io::Result<Outcome> {
    run_with(plan, render, watch, Some(trace))
}

impl Run<'_> {
    pub(super) fn traced_frames(
        &mut self,
        source: &mut FileSource,
        watch: &mut dyn Watch,
    ) -> io::Result<Result<(), Error>> {
        for read in 1u64.. {
            match source.next() {
                Ok(Next::Frame(frame)) => self.traced(&frame)?,
                Ok(Next::End) => break,
                Ok(Next::Idle(_) | Next::Trouble(_)) => {}
                Err(error) => return Ok(Err(error)),
            }
            if let Some(trace) = &mut self.trace {
                trace.taken(source)?;
            }
            if read.is_multiple_of(PROGRESS_EVERY) {
                let (done, all) = source.progress();
                watch.progress(done, all);
            }
        }
        Ok(Ok(()))
    }

    fn traced(&mut self, frame: &Frame) -> io::Result<()> {
        let current = self.current;
        let point = &mut self.points[current];
        point.see(frame);
        if self.filter.as_mut().is_some_and(|filter| !filter.matches(frame)) {
            self.totals.skip(Skipped::NotMatched);
            return Ok(());
        }
        let (segment, payload) = match self.decoder.decode(frame) {
            Ok(decoded) => decoded,
            Err(reason) => {
                self.totals.skip(reason);
                return Ok(());
            }
        };
        let segment = point.note(segment);
        let content = point.content(&segment, payload);
        let Some(trace) = self.trace.as_mut().filter(|trace| trace.wants(&segment)) else {
            return Ok(());
        };
        trace.take(Traced { point: current, frame, segment: &segment, content })?;
        point.put(&segment, content);
        if point.shards.count() { self.turn(current, false) } else { Ok(()) }
    }
}

/// The connections of the 4-tuples that are looked at, apart for each capture point.
#[derive(Default)]
pub struct Followed(Vec<FlowTable>);

impl Followed {
    /// Takes in a segment. Returns the connection that it belongs to, just as the run finds it: only
    /// the segments of a 4-tuple decide that.
    pub fn take(&mut self, point: usize, segment: &Segment) -> Option<&Flow> {
        while self.0.len() <= point {
            self.0.push(FlowTable::default());
        }
        let table = self.0.get_mut(point)?;
        table.take(segment);
        table.drop_over();
        table.taker(segment)
    }
}
