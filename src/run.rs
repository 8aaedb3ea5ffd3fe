//! The one loop: frame, segment, table, verdict, report.

pub mod attached;
mod batch;
mod crew;
mod gauges;
mod kernel;
pub mod live;
pub mod nobody;
mod point;
pub mod ports;
mod sentry;
mod shards;
pub mod trace;

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::capture::file::{FileSource, Input};
use crate::capture::filter::Filter;
use crate::capture::series::{Pending, in_order, same_series};
use crate::capture::{Error, Frame, Next, Source, Trouble};
use crate::cause::cause;
use crate::decode::{Decoder, Skipped};
use crate::owner::SocketList;
use crate::place::Time;
use crate::report::{Overlap, Owner, Render, Row, Totals};
use crate::tcp::segment::End;
use crate::verdict::Policy;
use crew::Crew;
use live::Status;
use point::CapturePoint;
use sentry::Sentry;
use shards::{Judged, Turn, Turns};
use trace::Trace;

/// What to read, and how to judge it.
pub struct Plan {
    pub inputs: Vec<Input>,
    pub filter: Option<Filter>,
    pub policy: Policy,
    /// Report every flow, not only the notable ones.
    pub all: bool,
    /// Every file is a capture of its own, even if it follows another.
    pub separate: bool,
    /// The sockets of the host, as somebody saved them.
    pub sockets: Option<SocketList>,
    /// The most flows to keep in memory, for each capture point.
    pub max_flows: usize,
    /// How many threads to work with; the answer is the same for any number.
    pub threads: NonZeroUsize,
    pub reading: Reading,
}

/// What is read of the contents of connections.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Ports of MySQL servers, beside the usual one.
    pub mysql: Vec<u16>,
    /// Statements as they were sent, with their values.
    pub literals: bool,
    pub paths: Paths,
}

/// Of which connections the last transaction is wanted, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paths {
    #[default]
    None,
    /// Those that are reported.
    Reported,
    /// The others as well: they are handed to [`Render::unreported`].
    All,
}

/// Who is told what happens on the way.
pub trait Watch {
    /// Something could not be read as it should.
    fn trouble(&mut self, error: &Error);
    /// So many bytes were read, of so many if that is known.
    fn progress(&mut self, done: u64, all: Option<u64>);
    /// How a live capture stands.
    fn status(&mut self, _: &Status) {}
    /// Something is about to be written.
    fn make_room(&mut self) {}
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    pub findings: u64,
    /// Some input could not be read, or not to its end.
    pub failed: bool,
}

/// Packets between two looks at the progress.
const PROGRESS_EVERY: u64 = 8_192;

/// Reads all inputs and writes the report. Errors are the output's; an input's go to `watch`.
pub fn run(plan: Plan, render: &mut dyn Render, watch: &mut dyn Watch) -> io::Result<Outcome> {
    run_with(plan, render, watch, None)
}

fn run_with<'a>(
    plan: Plan,
    render: &'a mut dyn Render,
    watch: &mut dyn Watch,
    trace: Option<&'a mut dyn Trace>,
) -> io::Result<Outcome> {
    let mut failed = false;
    let sources = in_order(&plan.inputs, &mut |error| {
        failed |= error.trouble.is_failure();
        watch.trouble(&error);
    });
    Crew::with(plan.threads.get() - 1, |crew| {
        let mut run = Run::new(plan, render, crew);
        if let Some(trace) = trace {
            run.trace = Some(trace);
        }
        for pending in sources {
            if let Err(error) = run.file(pending, watch)? {
                if let Some(point) = run.points.get_mut(run.current) {
                    point.tap.truncated |= !error.trouble.is_failure();
                }
                failed |= error.trouble.is_failure();
                watch.trouble(&error);
            }
        }
        failed |= run.failed;
        // With nothing readable, there is nothing to report.
        let findings = if run.points.is_empty() { 0 } else { run.finish()? };
        Ok(Outcome { findings, failed })
    })
}

struct Run<'a> {
    policy: Arc<Policy>,
    filter: Option<Filter>,
    all: bool,
    separate: bool,
    sockets: Option<SocketList>,
    max_flows: usize,
    reading: Reading,
    decoder: Decoder,
    render: &'a mut dyn Render,
    crew: &'a mut Crew,
    points: Vec<CapturePoint>,
    /// The capture point that is being read.
    current: usize,
    totals: Totals,
    /// Rows that wait for their place in the order of first packets.
    kept: Vec<Judged>,
    /// Something went wrong, and reading went on.
    failed: bool,
    /// Only where packets come as they happen.
    sentry: Option<Sentry>,
    /// Who looks at some connections closer.
    trace: Option<&'a mut dyn Trace>,
}

impl<'a> Run<'a> {
    fn new(plan: Plan, render: &'a mut dyn Render, crew: &'a mut Crew) -> Run<'a> {
        Run {
            policy: Arc::new(plan.policy),
            filter: plan.filter,
            all: plan.all,
            separate: plan.separate,
            sockets: plan.sockets,
            max_flows: plan.max_flows,
            reading: plan.reading,
            decoder: Decoder::default(),
            render,
            crew,
            points: Vec::new(),
            current: 0,
            totals: Totals::default(),
            kept: Vec::new(),
            failed: false,
            sentry: None,
            trace: None,
        }
    }

    /// Reads one file. The outer error is the output's, the inner one the file's.
    fn file(&mut self, pending: Pending, watch: &mut dyn Watch) -> io::Result<Result<(), Error>> {
        let Ok(index) = u16::try_from(self.totals.files.len()) else {
            return Err(io::Error::other("more than 65,536 files at once: read them in parts"));
        };
        let mut source = match pending.open(index) {
            Ok(source) => source,
            Err(error) => return Ok(Err(error)),
        };
        self.begin_file(&mut source)?;
        let read = match self.trace.is_some() {
            true => self.traced_frames(&mut source, watch)?,
            false => self.frames(&mut source, watch)?,
        };
        if let Some(trace) = &mut self.trace {
            trace.end_file(usize::from(index), source.about())?;
        }
        let lines = source.about().lines_skipped;
        if lines > 0 {
            *self.totals.skipped.entry(Skipped::NoPacket).or_default() += lines;
        }
        let point = self.point();
        point.take_about(source.about());
        point.take_drops(source.about());
        Ok(read)
    }

    fn begin_file(&mut self, source: &mut FileSource) -> io::Result<()> {
        let first = source.peek_time();
        let file = self.totals.files.len();
        self.totals.files.push(source.name().to_owned());
        if let Some(trace) = &mut self.trace {
            trace.begin_file(file, source.name())?;
        }
        let before = self.current;
        self.current = self.point_for(file, first);
        if self.current != before {
            self.turn(before, false)?;
            self.end_turn(before)?;
        }
        let point = self.point();
        point.begin_file(file, first);
        point.take_about(source.about());
        Ok(())
    }

    /// Files that follow one another are one capture; a file that overlaps with every capture so
    /// far was taken at another point. Where several could go on, the names decide.
    fn point_for(&mut self, file: usize, first: Option<Time>) -> usize {
        let name = &self.totals.files[file];
        let kin = |point: &CapturePoint| {
            let last = point.totals.files.last().and_then(|&file| self.totals.files.get(file));
            last.is_some_and(|last| same_series(last, name))
        };
        let going_on = self.points.iter().enumerate().filter(|(_, point)| match first {
            Some(first) => !self.separate && point.can_go_on(first),
            // Without any packet it is no capture of its own.
            None => true,
        });
        if let Some((found, _)) = going_on.max_by_key(|(_, point)| (kin(point), point.tap.end)) {
            return found;
        }
        let mut point = CapturePoint::new(self.max_flows, Turns::Long, &self.reading.mysql);
        point.totals.overlap = self.overlap(first);
        self.points.push(point);
        self.points.len() - 1
    }

    /// The capture that a new one overlaps with least, and by how much.
    fn overlap(&self, first: Option<Time>) -> Option<Overlap> {
        if self.separate {
            return None;
        }
        let with = self.points.iter().min_by_key(|point| point.tap.end)?;
        let nanos = with.tap.end.since(first?)?;
        Some(Overlap { with: *with.totals.files.last()?, nanos })
    }

    fn point(&mut self) -> &mut CapturePoint {
        &mut self.points[self.current]
    }

    fn frames(
        &mut self,
        source: &mut impl Source,
        watch: &mut dyn Watch,
    ) -> io::Result<Result<(), Error>> {
        let mut until_progress = PROGRESS_EVERY;
        loop {
            match source.next() {
                Ok(Next::Frame(frame)) => self.frame(&frame)?,
                Ok(Next::Idle(now)) => self.point().wait_until(now),
                Ok(Next::Trouble(error)) => {
                    self.failed |= error.trouble.is_failure();
                    self.point().tap.truncated |= matches!(error.trouble, Trouble::Unread { .. });
                    watch.trouble(&error);
                }
                Ok(Next::End) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            }
            if self.sentry.is_some() && self.is_time_to_look() {
                self.look(source.about(), watch)?;
            }
            until_progress -= 1;
            if until_progress == 0 {
                until_progress = PROGRESS_EVERY;
                let (done, all) = source.progress();
                watch.progress(done, all);
            }
        }
    }

    fn frame(&mut self, frame: &Frame) -> io::Result<()> {
        let (points, current) = (&mut self.points, self.current);
        let point = &mut points[current];
        point.see(frame);
        if self.filter.as_mut().is_some_and(|filter| !filter.matches(frame)) {
            self.totals.skip(Skipped::NotMatched);
        } else if let Some((segment, payload)) = self.decoder.decode_usual(frame) {
            point.take(&segment, payload);
        } else if let Some((segment, payload)) = self.decoder.decode_usual_v6(frame) {
            point.take(&segment, payload);
        } else {
            match self.decoder.decode(frame) {
                Ok((segment, payload)) => point.take(&segment, payload),
                Err(reason) => self.totals.skip(reason),
            }
        }
        if point.shards.count() { self.turn(current, false) } else { Ok(()) }
    }

    /// Has the shards of a capture point take in what was read, while reading goes on.
    fn turn(&mut self, point: usize, last: bool) -> io::Result<()> {
        let turn = self.as_turn(point, last);
        let judged = self.points[point].shards.turn(turn, self.crew);
        self.report(judged)
    }

    fn as_turn(&self, point: usize, last: bool) -> Turn {
        Turn {
            policy: Arc::clone(&self.policy),
            tap: self.points[point].tap.clone(),
            all: self.all || self.sockets.is_some() || self.reading.paths == Paths::All,
            last,
            literals: self.reading.literals,
            paths: self.reading.paths != Paths::None,
        }
    }

    fn end_turn(&mut self, point: usize) -> io::Result<()> {
        let judged = self.points[point].shards.finish(self.crew);
        self.report(judged)
    }

    /// Rows of flows that have left the table: with `--all` as they come, else in the end.
    fn report(&mut self, judged: Vec<Judged>) -> io::Result<()> {
        if !self.all {
            return self.keep(judged);
        }
        for judged in judged {
            self.mark_captured(&judged);
            self.row(&judged)?;
        }
        Ok(())
    }

    fn keep(&mut self, judged: Vec<Judged>) -> io::Result<()> {
        for judged in judged {
            self.mark_captured(&judged);
            if self.all || judged.judgement.is_notable() {
                self.kept.push(judged);
            } else if self.reading.paths == Paths::All {
                let row = as_row(&judged, &self.totals.files, self.sockets.as_ref());
                self.render.unreported(&row)?;
            }
        }
        Ok(())
    }

    /// The capture holds packets of this socket. A live one, of which the kernel says that it was in
    /// CLOSE-WAIT all along, can still have sent some: only a FIN makes it the capture's.
    fn mark_captured(&mut self, judged: &Judged) {
        if self.sentry.is_some() && judged.retired.flow.first_fin().is_none() {
            return;
        }
        if let Some(sockets) = &mut self.sockets {
            let [a, b] = [End::Lower, End::Upper].map(|end| judged.retired.key.endpoint(end));
            sockets.mark_captured(a, b);
        }
    }

    fn row(&mut self, judged: &Judged) -> io::Result<()> {
        self.render.row(&as_row(judged, &self.totals.files, self.sockets.as_ref()))
    }

    /// Judges what is left, and writes the rest of the report.
    fn finish(mut self) -> io::Result<u64> {
        self.end_turn(self.current)?;
        for point in 0..self.points.len() {
            self.turn(point, true)?;
            let left = self.points[point].shards.finish(self.crew);
            self.keep(left)?;
        }
        let mut kept = std::mem::take(&mut self.kept);
        // Between capture points, only time can tell which packet was first.
        let several = self.points.len() > 1;
        kept.sort_by_key(|kept| {
            let first = kept.retired.flow.first;
            (several.then_some(first.time), first.order())
        });
        for point in std::mem::take(&mut self.points) {
            point.add_to(&mut self.totals);
        }
        if self.sentry.is_some() {
            self.ask_again(&mut kept);
        }
        for kept in &kept {
            self.row(kept)?;
        }
        self.stuck_before()?;
        self.render.end(&self.totals)?;
        Ok(self.totals.findings())
    }

    /// What the socket list has in CLOSE-WAIT, and the capture not at all.
    fn stuck_before(&mut self) -> io::Result<()> {
        for socket in self.sockets.iter().flat_map(SocketList::stuck_before) {
            self.totals.stuck_before += 1;
            self.render.stuck_before(socket)?;
        }
        Ok(())
    }
}

fn as_row<'a>(judged: &'a Judged, files: &'a [String], sockets: Option<&'a SocketList>) -> Row<'a> {
    let (key, flow) = (&judged.retired.key, &judged.retired.flow);
    let owner = sockets.map_or(Owner::NotAsked, |sockets| {
        let end = |side| key.endpoint(flow.end(side));
        let holder = judged.judgement.holder;
        let socket = holder.and_then(|side| sockets.find(end(side), end(side.other())));
        socket.map_or(Owner::NotListed, Owner::Listed)
    });
    let socket = match owner {
        Owner::Listed(socket) => Some(socket),
        Owner::NotListed | Owner::NotAsked => None,
    };
    let mysql = judged.mysql.as_deref();
    Row {
        key,
        flow,
        judgement: &judged.judgement,
        end: judged.end,
        files,
        owner,
        mysql,
        cause: cause(flow, &judged.judgement, mysql, socket),
    }
}
