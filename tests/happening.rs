//! Every scenario and capture as if it happened while it is watched: what is told on the way is what is found in the end.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use closewait::capture::file::{FileSource, Input};
use closewait::capture::{About, Error, Next, Source};
use closewait::cli::{Command, parse};
use closewait::live::live;
use closewait::live::setup::LiveSetup;
use closewait::place::Time;
use closewait::report::text::{Text, TextLook};
use closewait::run::Plan;
use closewait::run::notices::Nobody;
use closewait::summary::growth::Grown;
use closewait::summary::{EventKind, Row, Sink, Totals};
use closewait::tcp::seq::Seq;
use closewait::tcp::side::Side;
use closewait::units::Zone;
use common::scenario::Scenario;
use common::wire::MICROSECONDS;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let named = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let scenarios = common::files("fixtures/scenarios", "scn")
        .into_iter()
        .map(|path| Trial::test(named(&path), move || with_scenario(&path, agrees)));
    let captures = captures()
        .into_iter()
        .map(|path| Trial::test(format!("capture {}", named(&path)), move || agrees(&path, &[])));
    let taken_back = [
        ("ack-of-the-fin-by-damage", "fin-unacked"),
        ("four-tuple-used-again-and-syn-missed", "reused"),
    ];
    let taken_back = taken_back.map(|(name, word)| {
        Trial::test(format!("{name} is taken back"), move || is_taken_back(name, word))
    });
    let trials = scenarios.chain(captures).chain(taken_back).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Captures of the project, and of others where they are.
fn captures() -> Vec<PathBuf> {
    let corpus = std::env::var("CLOSEWAIT_CORPUS").map(|corpus| corpus + "/captures");
    let folders = ["fixtures/captures", "fixtures/captures/reproduction"].map(str::to_owned);
    let folders = folders.into_iter().chain(corpus.ok());
    let of = |folder: String| ["pcap", "pcapng", "cap"].map(|kind| common::files(&folder, kind));
    folders.flat_map(of).flatten().collect()
}

/// Connections by the frame that they begin with: what was said of each.
#[derive(Default)]
struct Said {
    /// Told on the way, and whether not to have ended.
    told: BTreeMap<u64, bool>,
    /// Found by the report that is being written, and by those before.
    found: BTreeSet<u64>,
    reports: Vec<BTreeSet<u64>>,
    /// The first numbers of all of these.
    isns: BTreeMap<u64, [Option<Seq>; 2]>,
}

impl Said {
    fn know(&mut self, row: &Row) -> u64 {
        let flow = &row.judged.flow;
        let isns = [Side::A, Side::B].map(|side| flow.half(side).isn());
        self.isns.insert(flow.first.frame(), isns);
        flow.first.frame()
    }

    /// Is it taken for another that was told, seen under another pair of addresses, as it has its numbers?
    fn is_another(&self, frame: u64) -> bool {
        let isns = self.isns.get(&frame).filter(|isns| isns.iter().all(Option::is_some));
        let mut others = self.told.keys().filter(|told| **told < frame);
        isns.is_some() && others.any(|told| self.isns.get(told) == isns)
    }
}

impl Sink for Said {
    fn event(&mut self, kind: EventKind, row: &Row, _: Option<&Grown>) -> io::Result<()> {
        let frame = self.know(row);
        self.told.insert(frame, kind == EventKind::CloseWait);
        Ok(())
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        if row.judged.judgement.finding {
            let frame = self.know(row);
            self.found.insert(frame);
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
    is_idle: bool,
}

/// Nanoseconds without a packet that are a pause.
const PAUSE_NS: i64 = 1_000_000_000;

impl Source for Happening {
    fn next(&mut self) -> Result<Next<'_>, Error> {
        let pause = self.times.last().and_then(|coming| coming.since(self.now));
        if let Some(nanos) = pause.filter(|nanos| *nanos > PAUSE_NS) {
            // What is seen is looked at soon, and once more before the next packet.
            self.now = self.now.after(if self.is_idle { nanos - 1 } else { PAUSE_NS });
            self.is_idle = true;
            return Ok(Next::Idle(self.now));
        }
        self.is_idle = false;
        let next = self.source.next();
        if let (Ok(Next::Frame(_)), Some(now)) = (&next, self.times.pop()) {
            self.now = now;
            self.report.store(self.times.is_empty(), Ordering::Relaxed);
        }
        next
    }

    fn about(&self) -> &About {
        self.source.about()
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.source.progress()
    }
}

fn agrees(capture: &Path, options: &[String]) -> Result<(), Failed> {
    let mut said = Said::default();
    watch(capture, options, &mut said)?;
    let Said { told, reports, .. } = &said;
    let [on_the_way, found] = &reports[..] else { return Err("two reports".into()) };
    if on_the_way != found {
        return Err(format!("on the way {on_the_way:?}, found {found:?}").into());
    }
    // What the peer has reset after a while is one, though nothing holds it any more.
    let is_untold = |frame: &&u64| !told.contains_key(frame) && !said.is_another(**frame);
    let untold: Vec<_> = found.iter().filter(is_untold).collect();
    let kept = told.iter().filter(|(frame, is_held)| **is_held && !found.contains(frame));
    let kept: Vec<_> = kept.collect();
    match untold.is_empty() && kept.is_empty() {
        true => Ok(()),
        false => Err(format!("not told {untold:?}, not taken back {kept:?}").into()),
    }
}

/// What was told is taken back, in these words.
fn is_taken_back(name: &str, word: &str) -> Result<(), Failed> {
    let mut out = Vec::new();
    let look = TextLook::new(Zone::Utc);
    let path = common::project(&format!("fixtures/scenarios/{name}.scn"));
    let watch = |capture: &Path, options: &[String]| {
        watch(capture, options, &mut Text::new(&mut out, look))
    };
    with_scenario(&path, watch)?;
    let out = String::from_utf8(out)?;
    let mut lines = out.lines();
    let (told, ended) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let later = format!("later packets show: {word}");
    let is_taken_back =
        told.contains("close-wait") && ended.contains("ended") && ended.contains(&later);
    if is_taken_back { Ok(()) } else { Err(format!("{out:?}").into()) }
}

/// Does something with the capture of a scenario, and its options.
fn with_scenario(
    path: &Path,
    then: impl FnOnce(&Path, &[String]) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let scenario = Scenario::read(path)?;
    let scratch = common::Scratch::new();
    let capture = MICROSECONDS.write(scenario.link.link_type(), &scenario.records());
    then(Path::new(&scratch.write("scenario.pcap", &capture)), &scenario.options)
}

fn watch(capture: &Path, options: &[String], sink: &mut dyn Sink) -> Result<(), Failed> {
    let open = || FileSource::open(&Input(capture.to_owned()), 0);
    let mut times = times(open()?);
    times.reverse();
    let began = times.last().copied().unwrap_or_default();
    let report = Arc::<AtomicBool>::default();
    let mut source = Happening {
        source: open()?,
        report: Arc::clone(&report),
        times,
        now: began,
        is_idle: false,
    };
    let setup =
        LiveSetup { began, kernel: None, before: None, board: None, report, nameless: None };
    let plan = plan(capture, options)?;
    live(plan, "capture".into(), &mut source, setup, sink, &mut Nobody)?;
    Ok(())
}

/// The times of a capture's packets.
fn times(mut source: FileSource) -> Vec<Time> {
    let mut times = Vec::new();
    loop {
        match source.next() {
            Ok(Next::Frame(frame)) => times.push(frame.place.time),
            Ok(Next::End) | Err(_) => return times,
            Ok(_) => {}
        }
    }
}

fn plan(capture: &Path, options: &[String]) -> Result<Plan, String> {
    let words = ["closewait".into(), capture.as_os_str().to_owned()].into_iter();
    match parse(words.chain(options.iter().map(Into::into))) {
        Command::Read(read) => Ok(read.plan),
        _ => Err("the options are wrong".into()),
    }
}
