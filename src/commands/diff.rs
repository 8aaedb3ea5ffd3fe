//! `closewait diff`: two captures, or reports of them, held against each other.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};

use anstream::ColorChoice;
use chrono::TimeDelta;

use super::format::{Format, command_line};
use super::output::Outputs;
use super::signals::stop_at_signals;
use super::terminal::Terminal;
use super::{Exit, complain, on_screen, open, place};
use crate::capture::file::Input;
use crate::capture::filter::Filter;
use crate::capture::stop::Stop;
use crate::expect::reported::{NOBODY_S, Reported, is_report};
use crate::printable::printable;
use crate::report::diff::{Comparison, write_lines, write_page, write_text};
use crate::run::{Paths, Plan, Reading, run};
use crate::summary::closes::LATE;
use crate::summary::compare::{ClosedWay, Fate, Leaks};
use crate::summary::seen::Seen;
use crate::summary::{Row, Sink, Totals};
use crate::verdict::{Close, Policy};

/// The command `diff`: its captures and its options.
pub struct DiffCommand {
    /// The capture, or the JSON lines, of before.
    pub before: PathBuf,
    /// The capture, or the JSON lines, of after.
    pub after: PathBuf,
    /// The rules of judging, the same for both.
    pub policy: Policy,
    /// The packets that count, in both.
    pub filter: Option<Filter>,
    /// The parts of contents that are read.
    pub reading: Reading,
    /// The form of the report.
    pub format: Format,
    /// Colours: always, never, or on terminals.
    pub color: ColorChoice,
    /// The file of the report; standard output, if none.
    pub output: Option<PathBuf>,
}

impl DiffCommand {
    /// True where not all of the captures counts.
    fn is_narrowed(&self) -> bool {
        self.filter.is_some() || !self.reading.tags.is_empty()
    }
}

/// Octets of a file that tell what it is.
const BEGINNING: usize = 64;

/// A line of a report that is longer is none.
const LONGEST: u64 = 16 << 20;

/// Compares, and tells.
pub fn diff(asked: &DiffCommand) -> Exit {
    match told(asked) {
        Ok(exit) => exit,
        Err(sentence) => {
            complain(&sentence);
            Exit::Failed
        }
    }
}

fn told(asked: &DiffCommand) -> Result<Exit, String> {
    let stop = Stop::default();
    stop_at_signals(&stop)?;
    let mut outputs = Outputs::beside([asked.before.as_path(), asked.after.as_path()]);
    let gone = Stop::default();
    let color = asked.format.color(asked.color);
    let (mut out, placing) = open(asked.output.as_deref(), color, &mut outputs, &gone)?.output();
    let before = leaks(asked, &asked.before, None, &stop)?;
    let after = leaks(asked, &asked.after, Some(&before), &stop)?;
    let all = Comparison::of(&before, &after);
    let written = match asked.format {
        Format::Text => {
            out = on_screen(out, asked.output.as_deref());
            write_text(&mut out, &all)
        }
        Format::Jsonl => write_lines(&mut out, &all),
        Format::Html => write_page(&mut out, &all, &command_line()),
        Format::Csv | Format::Parquet => Err(io::ErrorKind::Unsupported.into()),
    };
    drop(out);
    let written = written.and_then(|()| place(placing));
    written.map_err(|error| format!("the report could not be written: {error}"))?;
    Ok(if all.with(Fate::New) > 0 { Exit::Found } else { Exit::Clean })
}

/// The way to compare what is in several files.
pub const SEVERAL: &str = "of a capture in several files, name its report: closewait --format jsonl FILES -o before.jsonl";

/// The leaks of a capture, or of a report of one, that comes after another.
fn leaks(
    asked: &DiffCommand,
    path: &Path,
    before: Option<&Leaks>,
    stop: &Stop,
) -> Result<Leaks, String> {
    let named = |error: String| format!("{}: {error}", printable(&path.to_string_lossy()));
    if path.is_dir() {
        return Err(named(format!("is a directory: {SEVERAL}")));
    }
    match report(path).map_err(|error| named(error.to_string()))? {
        Some(_) if asked.is_narrowed() => {
            Err(named("is a report, which -f and --tag cannot narrow: name its capture".to_owned()))
        }
        Some(lines) => read_report(lines).map_err(named),
        None => read_capture(asked, path, before, stop),
    }
}

/// Opens a file that is a report; a capture is opened by whoever reads it.
fn report(path: &Path) -> io::Result<Option<BufReader<File>>> {
    if !path.is_file() {
        return Ok(None);
    }
    let mut beginning = Vec::new();
    File::open(path)?.take(BEGINNING as u64).read_to_end(&mut beginning)?;
    is_report(&beginning).then(|| Ok(BufReader::new(File::open(path)?))).transpose()
}

fn read_report(mut lines: BufReader<File>) -> Result<Leaks, String> {
    let mut reported = Reported::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut lines).take(LONGEST).read_until(b'\n', &mut line);
        match read.map_err(|error| error.to_string())? {
            0 => return reported.leaks(),
            _ => reported.take(&line)?,
        }
    }
}

fn read_capture(
    asked: &DiffCommand,
    path: &Path,
    before: Option<&Leaks>,
    stop: &Stop,
) -> Result<Leaks, String> {
    let mut found = Gathered::default();
    if let Some(before) = before {
        found.leaks.look_for(before.kinds.keys());
    }
    let paths = if before.is_some() { Paths::All } else { Paths::None };
    let plan = Plan {
        inputs: vec![Input(path.to_owned())],
        filter: asked.filter.as_ref().map(Filter::again),
        policy: asked.policy.clone(),
        reading: Reading { paths, ..asked.reading.clone() },
        threads: std::thread::available_parallelism().unwrap_or(std::num::NonZeroUsize::MIN),
        stop: Stop::clone(stop),
        ..Plan::default()
    };
    let mut terminal = Terminal::new(io::stderr().is_terminal());
    let outcome = run(plan, &mut found, &mut terminal).map_err(|error| error.to_string())?;
    let name = printable(&path.to_string_lossy());
    if outcome.failed || !outcome.read_any {
        return Err(format!("{name}: was not read whole"));
    }
    if asked.is_narrowed() && found.holds_none {
        return Err(format!("{name}: no TCP connection is what -f and --tag ask for"));
    }
    if found.judged_none {
        return Err(format!("{name}: {NOBODY_S}"));
    }
    // What nobody read is known of no connection.
    found.leaks.is_cut |= asked.reading.no_content;
    Ok(found.leaks)
}

/// Counts what is found.
#[derive(Default)]
struct Gathered {
    leaks: Leaks,
    /// `--local` names no end of any connection.
    judged_none: bool,
    /// There was no connection.
    holds_none: bool,
}

impl Gathered {
    fn closed(&mut self, row: &Row, seen: &Seen) {
        let judgement = &row.judged.judgement;
        // What ended a long hold (a restart, perhaps) mended nothing.
        let is_late = judgement.held >= Some(LATE);
        if judgement.close == Close::Closed && !seen.finding && !is_late {
            let facts = row.judged.said.as_deref();
            let path = facts.map_or(&[][..], |facts| &facts.path);
            let said = path.iter().map(ToString::to_string).map(|said| printable(&said));
            let said: Vec<String> = said.collect();
            let said: Vec<&str> = said.iter().map(String::as_str).collect();
            self.leaks.count_closed(&ClosedWay {
                service: seen.party().into(),
                said: &said,
                before_login: facts.is_some_and(|facts| facts.before_login.is_some()),
                is_encrypted: row.judged.is_encrypted(),
            });
        }
    }
}

impl Sink for Gathered {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        let seen = Seen::new(row);
        self.leaks.count(&seen);
        self.closed(row, &seen);
        Ok(())
    }

    fn unreported(&mut self, row: &Row) -> io::Result<()> {
        self.closed(row, &Seen::new(row));
        Ok(())
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        let now = totals.headline();
        self.leaks.not_judged += now.not_judged;
        self.leaks.uncounted += now.pending + now.hidden + now.tags_untold;
        self.leaks.held_for_a_while += totals.closes.held_for_a_while();
        self.leaks.is_cut |= totals.facts.cuts_packets();
        self.leaks.is_cut |= totals.captures.iter().any(|capture| capture.is_text());
        let [first, last] = [totals.facts.first(), totals.facts.last()];
        let lasted = last.zip(first).and_then(|(last, first)| last.time.since(first.time));
        self.leaks.lasted = lasted.map(TimeDelta::nanoseconds);
        self.judged_none = totals.tally.is_of_others();
        self.holds_none = totals.tally.flows == 0;
        Ok(())
    }
}
