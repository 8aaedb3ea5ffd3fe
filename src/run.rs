//! The one loop: frame, segment, table, verdict, report.

use std::io;

use crate::capture::file::{FileSource, Input};
use crate::capture::filter::Filter;
use crate::capture::{Error, Frame, Next, Source};
use crate::decode::{Decoder, Skipped};
use crate::place::{Place, Time};
use crate::report::{CaptureTotals, Render, Row, Totals};
use crate::table::{FlowTable, Retired};
use crate::verdict::{Judgement, Policy, Tap, judge};

/// What to read, and how to judge it.
pub struct Plan {
    pub inputs: Vec<Input>,
    pub filter: Option<Filter>,
    pub policy: Policy,
    /// Report every flow, not only the notable ones.
    pub all: bool,
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
        decoder: Decoder::default(),
        render,
        point: CapturePoint::default(),
        totals: Totals::default(),
        kept: Vec::new(),
    };
    let nothing_readable = sources.is_empty();
    for (index, pending) in sources.into_iter().enumerate() {
        if let Err(error) = run.file(pending, index, watch)? {
            run.point.tap.truncated |= !error.trouble.is_failure();
            outcome.failed |= error.trouble.is_failure();
            watch.trouble(&error);
        }
    }
    if !nothing_readable {
        outcome.findings = run.finish()?;
    }
    Ok(outcome)
}

/// An input whose turn has not come. A file is opened again then, so that a long series needs few
/// descriptors; standard input cannot be.
enum Pending {
    File(Input),
    Open(Box<FileSource>),
}

/// The inputs that can be opened, in the order of their first packets; those without any come last.
fn in_order(inputs: &[Input], trouble: &mut dyn FnMut(Error)) -> Vec<Pending> {
    let mut sources = Vec::new();
    for (given, input) in inputs.iter().enumerate() {
        match FileSource::open(input, 0) {
            Err(error) => trouble(error),
            Ok(mut source) => {
                // A single input has no order, and a pipe may be slow to show its first packet.
                let time = if inputs.len() > 1 { source.peek_time() } else { None };
                let last = time.is_none();
                let pending = if input.is_stdin() || inputs.len() == 1 {
                    Pending::Open(Box::new(source))
                } else {
                    Pending::File(input.clone())
                };
                sources.push((last, time, given, pending));
            }
        }
    }
    sources.sort_by_key(|(last, time, given, _)| (*last, *time, *given));
    sources.into_iter().map(|(.., pending)| pending).collect()
}

struct Run<'a> {
    policy: Policy,
    filter: Option<Filter>,
    all: bool,
    decoder: Decoder,
    render: &'a mut dyn Render,
    point: CapturePoint,
    totals: Totals,
    /// Rows that wait for their place in the order of first packets.
    kept: Vec<Kept>,
}

struct Kept {
    retired: Retired,
    judgement: Judgement,
    end: Time,
}

/// What is known of one capture while it is read.
#[derive(Default)]
struct CapturePoint {
    table: FlowTable,
    tap: Tap,
    totals: CaptureTotals,
    last: Option<Place>,
}

impl Run<'_> {
    /// Reads one file. The outer error is the output's, the inner one the file's.
    fn file(
        &mut self,
        pending: Pending,
        index: usize,
        watch: &mut dyn Watch,
    ) -> io::Result<Result<(), Error>> {
        let Ok(file) = u16::try_from(index) else {
            return Err(io::Error::other("more than 65,536 files at once: read them in parts"));
        };
        let mut source = match pending {
            Pending::Open(mut source) => {
                source.set_index(file);
                source
            }
            Pending::File(input) => match FileSource::open(&input, file) {
                Ok(source) => Box::new(source),
                Err(error) => {
                    self.totals.files.push(input.name());
                    return Ok(Err(error));
                }
            },
        };
        self.totals.files.push(source.name().to_owned());
        self.point.totals.files.push(index);
        let read = self.frames(source.as_mut(), watch)?;
        self.take_about(source.as_ref());
        Ok(read)
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
        self.point.see(frame);
        let later = self.retire();
        if self.filter.as_mut().is_some_and(|filter| !filter.matches(frame)) {
            self.skip(Skipped::NotMatched);
            return later;
        }
        match self.decoder.decode(frame) {
            Err(reason) => self.skip(reason),
            Ok((segment, _payload)) => {
                self.point.totals.segments += 1;
                self.point.tap.bare_acks |= segment.is_bare_ack();
                self.point.tap.empty_segments |= segment.len == 0;
                self.point.table.take(&segment);
            }
        }
        later
    }

    fn skip(&mut self, reason: Skipped) {
        *self.totals.skipped.entry(reason).or_default() += 1;
    }

    /// Judges and reports the flows that have been finished for long enough.
    fn retire(&mut self) -> io::Result<()> {
        let mut gone = Vec::new();
        self.point.table.retire(self.point.tap.end, |retired| gone.push(retired));
        for retired in gone {
            let kept = self.judge(retired);
            if self.all {
                self.row(&kept)?;
            } else if self.is_notable(&kept) {
                self.kept.push(kept);
            }
        }
        Ok(())
    }

    fn judge(&mut self, retired: Retired) -> Kept {
        let tap = &self.point.tap;
        let judgement = judge(&retired.key, &retired.flow, &self.policy, tap);
        self.totals.count(&judgement);
        Kept { retired, judgement, end: tap.end }
    }

    fn is_notable(&self, kept: &Kept) -> bool {
        self.all || as_row(kept, &self.totals.files).is_notable()
    }

    fn row(&mut self, kept: &Kept) -> io::Result<()> {
        self.render.row(&as_row(kept, &self.totals.files))
    }

    fn take_about(&mut self, source: &dyn Source) {
        let about = source.about();
        let CapturePoint { tap, totals, .. } = &mut self.point;
        tap.drops = tap.drops.saturating_add(about.drops);
        tap.addresses.extend(&about.addresses);
        add_distinct(&mut totals.links, about.links.iter().copied());
        add_distinct(&mut totals.snap_lengths, about.snap_lengths.iter().copied());
    }

    /// Judges what is left, and writes the rest of the report.
    fn finish(mut self) -> io::Result<u64> {
        let mut kept = std::mem::take(&mut self.kept);
        let table = std::mem::take(&mut self.point.table);
        for retired in table.into_flows() {
            let judged = self.judge(retired);
            if self.is_notable(&judged) {
                kept.push(judged);
            }
        }
        kept.sort_by_key(|kept| kept.retired.flow.first.order());
        for kept in &kept {
            self.row(kept)?;
        }
        self.totals.captures.push(self.point.finish());
        self.totals.packets = self.totals.captures.iter().map(|c| c.packets).sum();
        self.totals.segments = self.totals.captures.iter().map(|c| c.segments).sum();
        self.render.end(&self.totals)?;
        Ok(self.totals.findings)
    }
}

fn as_row<'a>(kept: &'a Kept, files: &'a [String]) -> Row<'a> {
    Row {
        key: &kept.retired.key,
        flow: &kept.retired.flow,
        judgement: &kept.judgement,
        end: kept.end,
        files,
    }
}

fn add_distinct<T: PartialEq>(to: &mut Vec<T>, items: impl Iterator<Item = T>) {
    for item in items {
        if !to.contains(&item) {
            to.push(item);
        }
    }
}

impl CapturePoint {
    /// Every packet tells the time, whatever else becomes of it.
    fn see(&mut self, frame: &Frame) {
        self.totals.packets += 1;
        self.totals.first.get_or_insert(frame.place);
        if self.last.is_none_or(|last| frame.place.time >= last.time) {
            self.last = Some(frame.place);
            self.tap.end = frame.place.time;
        }
    }

    fn finish(self) -> CaptureTotals {
        CaptureTotals {
            last: self.last,
            drops: self.tap.drops,
            truncated: self.tap.truncated,
            bare_acks: self.tap.bare_acks,
            empty_segments: self.tap.empty_segments,
            ..self.totals
        }
    }
}
