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
mod senders;
mod sentry;
mod shards;
pub mod trace;

use std::collections::{HashMap, HashSet};
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::capture::file::{FileSource, Input};
use crate::capture::filter::Filter;
use crate::capture::series::{Pending, in_order, same_series};
use crate::capture::{Error, Frame, Next, Source};
use crate::cause::cause;
use crate::decode::{Decoder, Skipped};
use crate::join::sightings::{Sighting, Sightings};
use crate::owner::{Socket, SocketList};
use crate::place::Time;
use crate::report::{Overlap, Owner, Render, Row, Totals};
use crate::tcp::flow::Side;
use crate::tcp::segment::{End, Endpoint};
use crate::verdict::local::Local;
use crate::verdict::{Judgement, Note, Policy, Verdict};
use crew::Crew;
use live::Status;
use point::{CapturePoint, Kind};
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
    /// There are several inputs: connections can be seen at two points.
    several: bool,
    sightings: Sightings,
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
            several: plan.inputs.len() > 1 && !plan.separate,
            sightings: Sightings::default(),
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
        point.end_file(source.about());
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
        let kind = Kind::of(source.about());
        self.current = self.point_for(file, first, &kind);
        if self.current != before {
            self.turn(before, false)?;
            self.end_turn(before)?;
        }
        let is_series = self.is_series(file, &kind);
        let point = self.point();
        point.begin_file(file, first, kind, is_series);
        point.take_about(source.about());
        Ok(())
    }

    /// Files that follow one another are one capture; a file that overlaps with every capture so
    /// far was taken at another point. Where several could go on, the names decide.
    fn point_for(&mut self, file: usize, first: Option<Time>, kind: &Kind) -> usize {
        let kin = |point: &CapturePoint| self.is_next_of(point, file);
        let going_on = self.points.iter().enumerate().filter(|(_, point)| match first {
            Some(first) => !self.separate && point.can_go_on(first, kind),
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

    /// Is the file the next of the current capture's series, by name, link type and interface?
    fn is_series(&self, file: usize, kind: &Kind) -> bool {
        let point = &self.points[self.current];
        self.is_next_of(point, file) && point.is_of(kind)
    }

    /// By its name.
    fn is_next_of(&self, point: &CapturePoint, file: usize) -> bool {
        let name = |file: usize| self.totals.files.get(file);
        let last = point.totals.files.last().and_then(|&last| name(last));
        last.zip(name(file)).is_some_and(|(last, name)| same_series(last, name))
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
            point.take_plain(&segment, payload);
        } else if let Some((segment, payload)) = self.decoder.decode_usual_v6(frame) {
            point.take_plain(&segment, payload);
        } else if let Some((segment, payload)) = self.decoder.decode_usual_marked(frame) {
            point.take(segment, payload);
        } else {
            match self.decoder.decode(frame) {
                Ok((segment, payload)) => point.take(segment, payload),
                Err(reason) => self.totals.skip(reason),
            }
        }
        if point.shards.count() { self.turn(current, false) } else { Ok(()) }
    }

    /// Has the shards of a capture point take in what was read, while reading goes on.
    fn turn(&mut self, point: usize, last: bool) -> io::Result<()> {
        let turn = self.as_turn(point, last);
        let judged = self.points[point].shards.turn(turn, self.crew);
        self.report(judged, point)
    }

    fn as_turn(&self, point: usize, last: bool) -> Turn {
        Turn {
            policy: Arc::clone(&self.policy),
            tap: self.points[point].tap.clone(),
            all: self.all
                || self.several
                || self.sockets.is_some()
                || self.reading.paths == Paths::All,
            pairs: self.points[point].rewrites.pairs(),
            last,
            literals: self.reading.literals,
            paths: self.reading.paths != Paths::None,
        }
    }

    fn end_turn(&mut self, point: usize) -> io::Result<()> {
        let judged = self.points[point].shards.finish(self.crew);
        self.points[point].count_holes(false);
        self.report(judged, point)
    }

    /// Rows of flows that have left the table: with `--all` as they come, else in the end.
    fn report(&mut self, judged: Vec<Judged>, point: usize) -> io::Result<()> {
        // What another point saw, too, waits for that.
        if !self.all || self.several && self.points.len() > 1 {
            return self.keep(judged, point);
        }
        for mut judged in judged {
            self.look_at(&mut judged, point, true);
            self.row(&judged)?;
        }
        Ok(())
    }

    /// What else is known of a judged flow than its packets tell.
    fn look_at(&mut self, judged: &mut Judged, point: usize, reported: bool) {
        self.mark_captured(judged);
        self.confirm(judged);
        let Judged { retired, judgement, elsewhere, .. } = judged;
        let (key, flow) = (&retired.key, &retired.flow);
        let rewrites = &self.points[point].rewrites;
        if let Some(other) = rewrites.other(key) {
            // One end is the same, and stands on its side.
            let ends = [Side::A, Side::B].map(|side| key.endpoint(flow.end(side)));
            let others = [End::Lower, End::Upper].map(|end| other.endpoint(end));
            let turned = ends[0] == others[1] || ends[1] == others[0];
            let as_others = if turned { [others[1], others[0]] } else { others };
            judgement.notes.push(Note::Rewritten);
            elsewhere.get_or_insert_default().rewritten_as = Some(as_others);
        }
        if self.several || rewrites.pairs().contains(key) {
            let mut sighting = Sighting::new(key, flow, judgement, point);
            sighting.reported = reported;
            self.sightings.note(flow, sighting);
        }
    }

    fn keep(&mut self, judged: Vec<Judged>, point: usize) -> io::Result<()> {
        for mut judged in judged {
            self.look_at(&mut judged, point, false);
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

    /// A list that somebody saved has the holder's socket in CLOSE-WAIT: what the packets leave in doubt
    /// the kernel knows.
    fn confirm(&mut self, judged: &mut Judged) {
        let Some(sockets) = self.sockets.as_ref().filter(|_| self.sentry.is_none()) else { return };
        let Judged { retired, judgement, .. } = judged;
        let end = |side| retired.key.endpoint(retired.flow.end(side));
        let held = judgement.holder.is_some_and(|side| {
            sockets.find(end(side), end(side.other())).is_some_and(Socket::is_stuck)
        });
        if held && judgement.verdict == Verdict::Leak {
            let (before, finding) = (judgement.finding, judgement.local != Local::Neither);
            *judgement = Judgement { finding, ..judgement.clone().confirm() };
            self.totals.tally.find(judgement.verdict, finding && !before);
        }
    }

    fn row(&mut self, judged: &Judged) -> io::Result<()> {
        self.render.row(&as_row(judged, &self.totals.files, self.sockets.as_ref()))
    }

    /// Judges what is left, and writes the rest of the report.
    fn finish(mut self) -> io::Result<u64> {
        self.end_turn(self.current)?;
        for point in 0..self.points.len() {
            // What all of it shows bears on each verdict.
            self.turn(point, false)?;
            self.end_turn(point)?;
            self.points[point].count_holes(true);
            self.turn(point, true)?;
            let left = self.points[point].shards.finish(self.crew);
            self.keep(left, point)?;
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
        self.join(&mut kept);
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

    /// Of two sightings of a connection, one stands for both.
    fn join(&mut self, kept: &mut Vec<Judged>) {
        let mut stands = HashMap::new();
        let mut gone = HashSet::new();
        for joined in std::mem::take(&mut self.sightings).joined() {
            self.totals.tally.forget(joined.other.verdict, joined.other.finding);
            match joined.is_rewritten() {
                true => self.totals.rewritten += 1,
                false => self.totals.seen_twice += 1,
            }
            gone.insert(joined.other.first.order());
            stands.insert(joined.stands.first.order(), joined);
        }
        kept.retain(|judged| !gone.contains(&judged.retired.flow.first.order()));
        for judged in kept {
            if let Some(joined) = stands.get(&judged.retired.flow.first.order()) {
                judged.elsewhere = Some(Box::new(joined.elsewhere()));
                if joined.has_other_addresses() {
                    judged.judgement.notes.push(Note::Rewritten);
                }
            }
        }
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
        let rewritten = judged.elsewhere.as_ref().and_then(|elsewhere| elsewhere.rewritten_as);
        let socket = holder.and_then(|side| {
            let listed = sockets.find(end(side), end(side.other()));
            // The kernel knows it by the addresses that its program dialled.
            let other = |[a, b]: [Endpoint; 2]| match side {
                Side::A => sockets.find(a, b),
                Side::B => sockets.find(b, a),
            };
            listed.or_else(|| rewritten.and_then(other))
        });
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
        elsewhere: judged.elsewhere.as_deref(),
        mysql,
        cause: cause(flow, &judged.judgement, mysql, socket),
    }
}
