//! The one loop: frame, segment, table, verdict, report.

mod point;

use std::io;

use crate::capture::file::{FileSource, Input};
use crate::capture::filter::Filter;
use crate::capture::series::{Pending, in_order, same_series};
use crate::capture::{Error, Frame, Next, Source};
use crate::decode::{Decoder, Skipped};
use crate::owner::SocketList;
use crate::place::Time;
use crate::report::{Overlap, Owner, Render, Row, Totals};
use crate::table::Retired;
use crate::tcp::segment::End;
use crate::verdict::{Judgement, Policy, judge};
use point::CapturePoint;

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
}

/// Who is told what happens on the way.
pub trait Watch {
    /// Something could not be read as it should.
    fn trouble(&mut self, error: &Error);
    /// So many bytes were read, of so many if that is known.
    fn progress(&mut self, done: u64, all: Option<u64>);
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
    let mut outcome = Outcome::default();
    let sources = in_order(&plan.inputs, &mut |error| {
        outcome.failed |= error.trouble.is_failure();
        watch.trouble(&error);
    });
    let mut run = Run {
        policy: plan.policy,
        filter: plan.filter,
        all: plan.all,
        separate: plan.separate,
        sockets: plan.sockets,
        max_flows: plan.max_flows,
        decoder: Decoder::default(),
        render,
        points: Vec::new(),
        current: 0,
        totals: Totals::default(),
        kept: Vec::new(),
    };
    for pending in sources {
        if let Err(error) = run.file(pending, watch)? {
            if let Some(point) = run.points.get_mut(run.current) {
                point.tap.truncated |= !error.trouble.is_failure();
            }
            outcome.failed |= error.trouble.is_failure();
            watch.trouble(&error);
        }
    }
    // With nothing readable, there is nothing to report.
    if !run.points.is_empty() {
        outcome.findings = run.finish()?;
    }
    Ok(outcome)
}

struct Run<'a> {
    policy: Policy,
    filter: Option<Filter>,
    all: bool,
    separate: bool,
    sockets: Option<SocketList>,
    max_flows: usize,
    decoder: Decoder,
    render: &'a mut dyn Render,
    points: Vec<CapturePoint>,
    /// The capture point that is being read.
    current: usize,
    totals: Totals,
    /// Rows that wait for their place in the order of first packets.
    kept: Vec<Kept>,
}

struct Kept {
    retired: Retired,
    judgement: Judgement,
    end: Time,
}

impl Run<'_> {
    /// Reads one file. The outer error is the output's, the inner one the file's.
    fn file(&mut self, pending: Pending, watch: &mut dyn Watch) -> io::Result<Result<(), Error>> {
        let Ok(index) = u16::try_from(self.totals.files.len()) else {
            return Err(io::Error::other("more than 65,536 files at once: read them in parts"));
        };
        let mut source = match pending.open(index) {
            Ok(source) => source,
            Err(error) => return Ok(Err(error)),
        };
        self.begin_file(&mut source);
        let read = self.frames(&mut source, watch)?;
        let lines = source.about().lines_skipped;
        if lines > 0 {
            *self.totals.skipped.entry(Skipped::NoPacket).or_default() += lines;
        }
        let point = self.point();
        point.take_about(source.about());
        point.take_drops(source.about());
        Ok(read)
    }

    fn begin_file(&mut self, source: &mut FileSource) {
        let first = source.peek_time();
        let file = self.totals.files.len();
        self.totals.files.push(source.name().to_owned());
        self.current = self.point_for(file, first);
        let point = self.point();
        point.begin_file(file, first);
        point.take_about(source.about());
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
        let mut point = CapturePoint::new(self.max_flows);
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
        source: &mut dyn Source,
        watch: &mut dyn Watch,
    ) -> io::Result<Result<(), Error>> {
        let mut until_progress = PROGRESS_EVERY;
        loop {
            match source.next() {
                Ok(Next::Frame(frame)) => self.frame(&frame)?,
                Ok(Next::Idle) => {}
                Ok(Next::End) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
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
        self.point().see(frame);
        self.retire()?;
        if self.filter.as_mut().is_some_and(|filter| !filter.matches(frame)) {
            self.skip(Skipped::NotMatched);
            return Ok(());
        }
        match self.decoder.decode(frame) {
            Ok((segment, _payload)) => {
                self.point().take(&segment);
                return self.evict();
            }
            Err(reason) => self.skip(reason),
        }
        Ok(())
    }

    /// Judges and reports flows that there is no memory for.
    fn evict(&mut self) -> io::Result<()> {
        let mut gone = Vec::new();
        self.totals.evicted += self.point().table.evict(|evicted| gone.push(evicted)) as u64;
        self.report(gone)
    }

    fn skip(&mut self, reason: Skipped) {
        *self.totals.skipped.entry(reason).or_default() += 1;
    }

    /// Judges and reports the flows that have been finished for long enough.
    fn retire(&mut self) -> io::Result<()> {
        let mut gone = Vec::new();
        let point = self.point();
        point.table.retire(point.tap.end, |retired| gone.push(retired));
        self.report(gone)
    }

    /// Rows of flows that have left the table.
    fn report(&mut self, gone: Vec<Retired>) -> io::Result<()> {
        for retired in gone {
            let kept = self.judge(self.current, retired);
            if self.all {
                self.row(&kept)?;
            } else if self.is_notable(&kept) {
                self.kept.push(kept);
            }
        }
        Ok(())
    }

    fn judge(&mut self, point: usize, retired: Retired) -> Kept {
        let tap = &self.points[point].tap;
        let judgement = judge(&retired.key, &retired.flow, &self.policy, tap);
        self.totals.count(&judgement);
        if let Some(sockets) = &mut self.sockets {
            let ends = [End::Lower, End::Upper].map(|end| retired.key.endpoint(end));
            sockets.mark_captured(ends[0], ends[1]);
        }
        Kept { retired, judgement, end: tap.end }
    }

    fn is_notable(&self, kept: &Kept) -> bool {
        self.all || as_row(kept, &self.totals.files, None).is_notable()
    }

    fn row(&mut self, kept: &Kept) -> io::Result<()> {
        self.render.row(&as_row(kept, &self.totals.files, self.sockets.as_ref()))
    }

    /// Judges what is left, and writes the rest of the report.
    fn finish(mut self) -> io::Result<u64> {
        let mut kept = std::mem::take(&mut self.kept);
        for point in 0..self.points.len() {
            let table = std::mem::take(&mut self.points[point].table);
            for retired in table.into_flows() {
                let judged = self.judge(point, retired);
                if self.is_notable(&judged) {
                    kept.push(judged);
                }
            }
        }
        // Between capture points, only time can tell which packet was first.
        let several = self.points.len() > 1;
        kept.sort_by_key(|kept| {
            let first = kept.retired.flow.first;
            (several.then_some(first.time), first.order())
        });
        for kept in &kept {
            self.row(kept)?;
        }
        self.stuck_before()?;
        let points = std::mem::take(&mut self.points);
        self.totals.captures = points.into_iter().map(CapturePoint::into_totals).collect();
        self.totals.packets = self.totals.captures.iter().map(|c| c.packets).sum();
        self.totals.segments = self.totals.captures.iter().map(|c| c.segments).sum();
        self.render.end(&self.totals)?;
        Ok(self.totals.findings)
    }

    /// What the socket list has in CLOSE-WAIT, and the capture not at all.
    fn stuck_before(&mut self) -> io::Result<()> {
        for socket in self.sockets.iter().flat_map(SocketList::stuck_before) {
            self.totals.stuck_before += 1;
            self.totals.findings += 1;
            self.render.stuck_before(socket)?;
        }
        Ok(())
    }
}

fn as_row<'a>(kept: &'a Kept, files: &'a [String], sockets: Option<&'a SocketList>) -> Row<'a> {
    let (key, flow) = (&kept.retired.key, &kept.retired.flow);
    Row {
        key,
        flow,
        judgement: &kept.judgement,
        end: kept.end,
        files,
        owner: sockets.map_or(Owner::NotAsked, |sockets| {
            let end = |side| key.endpoint(flow.end(side));
            let holder = kept.judgement.holder;
            let socket = holder.and_then(|side| sockets.find(end(side), end(side.other())));
            socket.map_or(Owner::NotListed, Owner::Listed)
        }),
    }
}
