//! Every scenario as if it happened while it is watched: what is told on the way is what is found in the end.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use closewait::capture::file::{FileSource, Input};
use closewait::capture::{About, Error, Next, Source};
use closewait::cli::{Command, parse};
use closewait::live::live;
use closewait::live::setup::LiveSetup;
use closewait::place::Time;
use closewait::report::text::page::Screen;
use closewait::report::text::{Text, TextLook};
use closewait::run::Plan;
use closewait::run::notices::Nobody;
use closewait::summary::growth::Grown;
use closewait::summary::{EventKind, Row, Sink, Totals};
use closewait::units::Zone;
use common::scenario::Scenario;
use common::wire::MICROSECONDS;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let scenarios = common::files("fixtures/scenarios", "scn").into_iter().map(|path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Trial::test(name, move || agrees(&path))
    });
    let taken_back = [
        ("ack-of-the-fin-by-damage", "fin-unacked"),
        ("four-tuple-used-again-and-syn-missed", "reused"),
    ];
    let taken_back = taken_back.map(|(name, word)| {
        Trial::test(format!("{name} is taken back"), move || is_taken_back(name, word))
    });
    libtest_mimic::run(&Arguments::from_args(), scenarios.chain(taken_back).collect()).exit();
}

/// Connections by the frame that they begin with: what was said of each.
#[derive(Default)]
struct Said {
    /// Told on the way, and whether not to have ended.
    told: BTreeMap<u64, bool>,
    /// Found by the report that is being written, and by those before.
    found: BTreeSet<u64>,
    reports: Vec<BTreeSet<u64>>,
}

impl Sink for Said {
    fn event(&mut self, kind: EventKind, row: &Row, _: Option<&Grown>) -> io::Result<()> {
        self.told.insert(row.judged.flow.first.frame(), kind == EventKind::CloseWait);
        Ok(())
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        if row.judged.judgement.finding {
            self.found.insert(row.judged.flow.first.frame());
        }
        Ok(())
    }

    fn end(&mut self, _: &Totals) -> io::Result<()> {
        self.reports.push(std::mem::take(&mut self.found));
        Ok(())
    }
}

/// A capture that is read as it happens: packet by packet, with its pauses. A report is asked for with the last one.
struct Happening {
    source: FileSource,
    report: Arc<AtomicBool>,
    /// Times of the packets that are still to come, backwards, and that of the last one.
    times: Vec<Time>,
    now: Time,
}

/// Nanoseconds without a packet that are a pause.
const PAUSE_NS: i64 = 1_000_000_000;

impl Source for Happening {
    fn next(&mut self) -> Result<Next<'_>, Error> {
        let Some(coming) = self.times.last().copied() else { return self.source.next() };
        let pause = coming.since(self.now).filter(|nanos| *nanos > PAUSE_NS);
        if let Some(nanos) = pause {
            self.now = self.now.after(nanos - 1);
            return Ok(Next::Idle(self.now));
        }
        self.now = coming;
        self.times.pop();
        self.report.store(self.times.is_empty(), Ordering::Relaxed);
        self.source.next()
    }

    fn about(&self) -> &About {
        self.source.about()
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.source.progress()
    }
}

fn agrees(path: &Path) -> Result<(), Failed> {
    let mut said = Said::default();
    watch(path, &mut said)?;
    let Said { told, reports, .. } = &said;
    let [on_the_way, found] = &reports[..] else { return Err("two reports".into()) };
    if on_the_way != found {
        return Err(format!("on the way {on_the_way:?}, found {found:?}").into());
    }
    // What the peer has reset after a while is one, though nothing holds it any more.
    let is_told = found.iter().all(|frame| told.contains_key(frame));
    let is_found = told.iter().all(|(frame, is_held)| !is_held || found.contains(frame));
    match is_told && is_found {
        true => Ok(()),
        false => Err(format!("told {told:?}, found {found:?}").into()),
    }
}

/// What was told is taken back, in these words.
fn is_taken_back(name: &str, word: &str) -> Result<(), Failed> {
    let mut out = Vec::new();
    let look = TextLook {
        zone: Zone::Utc,
        dates: false,
        top: None,
        all: false,
        explain: None,
        frames: false,
        screen: Screen::default(),
    };
    let path = format!("{}/fixtures/scenarios/{name}.scn", env!("CARGO_MANIFEST_DIR"));
    watch(Path::new(&path), &mut Text::new(&mut out, look))?;
    let out = String::from_utf8(out)?;
    let mut lines = out.lines();
    let (told, ended) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let later = format!("later packets show: {word}");
    let is_taken_back =
        told.contains("close-wait") && ended.contains("ended") && ended.contains(&later);
    if is_taken_back { Ok(()) } else { Err(format!("{out:?}").into()) }
}

fn watch(path: &Path, sink: &mut dyn Sink) -> Result<(), Failed> {
    let scenario = Scenario::read(path)?;
    let scratch = common::Scratch::new();
    let records = scenario.records();
    let capture = MICROSECONDS.write(scenario.link.link_type(), &records);
    let path = scratch.write("scenario.pcap", &capture);
    let times: Vec<Time> =
        records.iter().rev().map(|record| Time::from_nanos(record.nanos.into())).collect();
    let began = times.last().copied().unwrap_or_default();
    let file = FileSource::open(&Input(path.clone().into()), 0)?;
    let report = Arc::<AtomicBool>::default();
    let mut source = Happening { source: file, report: Arc::clone(&report), times, now: began };
    let setup =
        LiveSetup { began, kernel: None, before: None, board: None, report, nameless: None };
    let plan = plan(&scenario, &path)?;
    live(plan, "scenario".into(), &mut source, setup, sink, &mut Nobody)?;
    Ok(())
}

fn plan(scenario: &Scenario, path: &str) -> Result<Plan, String> {
    let words = ["closewait", path].into_iter().chain(scenario.options.iter().map(String::as_str));
    match parse(words.map(Into::into)) {
        Command::Read(read) => Ok(read.plan),
        _ => Err("the options are wrong".into()),
    }
}
