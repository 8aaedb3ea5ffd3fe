//! What the fuzz targets share.

#![forbid(unsafe_code)]

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use closewait::attach::{Opening, Peer, Protocol};
use closewait::capture::Error;
use closewait::capture::file::Input;
use closewait::place::Time;
use closewait::printable::shown;
use closewait::report::csv::Csv;
use closewait::report::jsonl::Jsonl;
use closewait::report::text::page::Screen;
use closewait::report::text::{Text, TextLook};
use closewait::run::{Notices, Outcome, Plan, run};
use closewait::summary::Sink;
use closewait::tcp::stream::Piece;
use closewait::units::Zone;
use serde_json::Value;

/// The bytes as a capture file: one nameless file in memory that every call writes anew.
pub fn input(bytes: &[u8]) -> Input {
    static FILE: OnceLock<Mutex<File>> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let file = tempfile::tempfile_in("/dev/shm").or_else(|_| tempfile::tempfile());
        Mutex::new(file.expect("a temporary file"))
    });
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    let mut write = || {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(bytes)
    };
    write().expect("memory");
    Input(PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())))
}

/// One of `sides`, the same for the same bytes: what is tried in one way now is tried in another with the next
/// bytes, and nothing costs as much as all ways at once.
pub fn dice(bytes: &[u8], sides: usize) -> usize {
    let mut hash = DefaultHasher::new();
    (bytes, sides).hash(&mut hash);
    hash.finish() as usize % sides
}

/// Nothing in it that a terminal would obey, but for ends of lines.
pub fn assert_printable(text: &str, ends: &[char]) {
    let odd = text.chars().find(|c| shown(*c) != *c && !ends.contains(c));
    assert_eq!(odd, None, "a terminal obeys it: {text:?}");
}

/// Holds a conversation of a protocol: an octet of settings, then pieces of an octet that says whose it is and
/// whether it is missing, an octet of length, and the octets. It stays small, and its facts are printable and
/// go together.
pub fn converse<P: Protocol>(bytes: &[u8], heap_octets: fn(&P) -> usize, max_heap: usize) {
    let [first, rest @ ..] = bytes else { return };
    let mut rest = rest;
    let mut talk = P::begin(Opening { assumed: first & 1 != 0, path: first & 2 != 0 });
    let mut at = 0;
    while let [what, len, after @ ..] = rest {
        let (data, after) = after.split_at(after.len().min(usize::from(*len)));
        rest = after;
        at += 1;
        let from = if what & 1 == 0 { Peer::Client } else { Peer::Server };
        let piece = match what & 6 {
            6 => Piece::Missing(u64::from(*len)),
            _ => Piece::Data(data),
        };
        talk.take(from, Time::from_nanos(at), piece);
        assert!(heap_octets(&talk) <= max_heap, "{}", heap_octets(&talk));
    }
    for literals in [false, true] {
        let facts = talk.facts(literals);
        let names = [&facts.server, &facts.user, &facts.database, &facts.last_statement];
        let statements = names.into_iter().flatten().chain(&facts.statements);
        statements.for_each(|s| assert_printable(s, &[]));
        facts.path.iter().for_each(|step| assert_printable(&step.to_string(), &[]));
        facts.server_error.iter().for_each(|error| assert_printable(&error.message, &[]));
        // Whether an error ended it may depend on the server: then it is not known, and its statements are.
        let may_be_open = facts.in_transaction != Some(false);
        assert!(may_be_open || facts.statements.is_empty() && facts.transaction_since.is_none());
        assert_eq!(facts.last_statement.is_some(), facts.last_statement_at.is_some());
    }
}

/// What a run wrote, and how it ended.
pub struct Report {
    pub out: String,
    pub outcome: Outcome,
    pub troubles: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Jsonl,
    Csv,
}

/// Sentences of troubles, a line each.
#[derive(Default)]
pub struct Troubles(pub String);

impl Notices for Troubles {
    fn trouble(&mut self, error: &Error) {
        self.0 += &format!("{error}\n");
    }

    fn progress(&mut self, done: u64, all: Option<u64>) {
        assert!(all.is_none_or(|all| done <= all), "{done} of {all:?} bytes read");
    }
}

/// `closewait --all INPUT…`, and otherwise what is the default.
pub fn plan(inputs: &[Input]) -> Plan {
    Plan { inputs: inputs.to_vec(), all: true, ..Plan::default() }
}

/// Runs a plan, with `--utc --top 0 --format FORMAT`.
pub fn report(plan: Plan, format: Format) -> Report {
    let screen = Screen::default();
    let look = TextLook {
        zone: Zone::Utc,
        dates: false,
        top: Some(0),
        all: true,
        explain: Some(String::new()),
        frames: true,
        screen,
    };
    let (mut out, mut watch) = (Vec::new(), Troubles::default());
    let outcome = {
        let mut render: Box<dyn Sink> = match format {
            Format::Text => Box::new(Text::new(&mut out, look)),
            Format::Jsonl => Box::new(Jsonl::new(&mut out)),
            Format::Csv => Box::new(Csv::new(&mut out)),
        };
        run(plan, render.as_mut(), &mut watch).expect("memory is written to without errors")
    };
    let out = String::from_utf8(out).expect("UTF-8");
    Report { out, outcome, troubles: watch.0 }
}

impl Report {
    /// Is it well-formed, and does it say what the run's outcome says?
    pub fn check(&self, format: Format) {
        assert_printable(&self.troubles, &['\n']);
        match format {
            Format::Text => assert_printable(&without_styles(&self.out), &['\n']),
            Format::Jsonl => self.check_jsonl(),
            Format::Csv => self.check_csv(),
        }
    }

    fn check_jsonl(&self) {
        let line = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let lines: Vec<Value> = self.out.lines().map(line).collect();
        assert_printable(&self.out, &['\n']);
        let Some((summary, flows)) = lines.split_last() else {
            assert_eq!(self.outcome.findings, 0, "findings, and no line");
            return;
        };
        let count = |of: &dyn Fn(&Value) -> bool| flows.iter().filter(|flow| of(flow)).count();
        let before = count(&|flow| flow["before_capture"] == true);
        let findings = count(&|flow| flow["finding"] == true) as u64;
        assert!(flows.iter().all(|flow| flow["type"] == "flow"), "{}", self.out);
        assert_eq!(summary["type"], "summary");
        assert_eq!(summary["findings"], findings);
        assert_eq!(self.outcome.findings, findings);
        assert_eq!(summary["flows"], flows.len() - before, "--all prints each flow");
        let sum = |counts: &Value| -> u64 {
            counts.as_object().expect("counts").values().filter_map(Value::as_u64).sum()
        };
        assert_eq!(sum(&summary["verdicts"]), (flows.len() - before) as u64);
        let lines = summary["skipped"]["line that is no packet"].as_u64().unwrap_or(0);
        let skipped = sum(&summary["skipped"]) - lines;
        assert_eq!(summary["packets"], summary["segments"].as_u64().expect("a number") + skipped);
    }

    fn check_csv(&self) {
        assert_printable(&self.out, &['\r', '\n']);
        let mut reader = csv::Reader::from_reader(self.out.as_bytes());
        let names = reader.headers().expect("names").clone();
        let finding = names.iter().position(|name| name == "finding");
        let rows = reader.records().map(|row| row.expect("as many cells as names"));
        let findings = rows.filter(|row| finding.and_then(|at| row.get(at)) == Some("true"));
        assert_eq!(self.outcome.findings, findings.count() as u64);
    }
}

/// Without the escape sequences that the report itself writes: colours, bold, dimmed. Any other
/// escape stays, and is found.
pub fn without_styles(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| {
        let style = part.split_once('m').filter(|(style, _)| {
            style.chars().all(|c| c.is_ascii_digit() || c == ';') && style.len() <= 8
        });
        match style {
            Some((_, rest)) => plain + rest,
            None => plain + "\u{1b}[" + part,
        }
    })
}
