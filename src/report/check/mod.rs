//! The report of `closewait check`: a line a capture, and what is not as expected.
//!
//! * [`text`]: for people
//! * [`lines`]: JSON lines
//! * [`junit`]: for whatever shows the results of tests
//! * [`github`]: annotations of a pull request
//! * [`scanners`]: SARIF, and code quality for GitLab

pub mod github;
mod issues;
pub mod junit;
pub mod lines;
pub mod scanners;
pub mod text;

use std::io::{self, Write};

use chrono::TimeDelta;

use crate::expect::Violation;
use crate::summary::seen::{Collected, Seen};
use crate::units::duration;
use crate::verdict::{Close, Doubt, Verdict};

/// The form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Sentences, for people.
    Text,
    /// A JSON object a line.
    Jsonl,
    /// JUnit's XML, a test case a capture.
    Junit,
    /// Annotations of a pull request, as GitHub reads them.
    Github,
    /// SARIF 2.1.0, for code scanners.
    Sarif,
    /// A code quality report, as GitLab reads it.
    Gitlab,
}

/// One capture. Names are safe to print.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The capture's name as it was given, safe to print.
    pub capture: String,
    /// The file that says what is expected, if there is one.
    pub expectation: Option<String>,
    /// It is a file that can be read again.
    pub is_kept: bool,
    /// The sides that were judged, as they were written.
    pub local: Vec<String>,
    /// The result of the comparison, or the reason why there is none.
    pub outcome: Outcome,
    /// Sentences on what was not as it should be, and did not matter.
    pub warnings: Vec<String>,
}

/// The result for one capture.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It was read and compared.
    Judged {
        /// The rows and counts of it.
        collected: Box<Collected>,
        /// Expectations that it breaks, in the order of its file.
        violations: Vec<Violation>,
        /// Findings that the baseline has.
        known: usize,
        /// Held for less, it was pending.
        min_hold: TimeDelta,
    },
    /// The expectation was written: its change as a diff, empty if there is none.
    Blessed {
        /// The lines that changed, as diff -u has them.
        diff: String,
    },
    /// The capture could not be checked, for this reason.
    Error(String),
}

/// The result of checking one capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All is as expected.
    Ok,
    /// An expectation is broken.
    Failed,
    /// It could not be read, or compared.
    Error,
}

impl Checked {
    /// Returns its status in one word.
    pub fn status(&self) -> Status {
        match &self.outcome {
            Outcome::Judged { violations, .. } if !violations.is_empty() => Status::Failed,
            Outcome::Judged { .. } | Outcome::Blessed { .. } => Status::Ok,
            Outcome::Error(_) => Status::Error,
        }
    }

    fn violations(&self) -> &[Violation] {
        match &self.outcome {
            Outcome::Judged { violations, .. } => violations,
            Outcome::Blessed { .. } | Outcome::Error(_) => &[],
        }
    }

    /// The connections of a violation.
    fn flows<'a>(&'a self, violation: &'a Violation) -> impl Iterator<Item = &'a Seen> {
        let all: &[Seen] = match &self.outcome {
            Outcome::Judged { collected, .. } => &collected.flows,
            Outcome::Blessed { .. } | Outcome::Error(_) => &[],
        };
        violation.flows.iter().filter_map(|&index| all.get(index))
    }
}

/// Captures by status.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Captures.
    pub all: usize,
    /// Captures that break an expectation.
    pub failed: usize,
    /// Captures that could not be read, or compared.
    pub errors: usize,
}

impl Counts {
    /// Counts them.
    pub fn of(checked: &[Checked]) -> Counts {
        let count = |status| checked.iter().filter(|one| one.status() == status).count();
        let (failed, errors) = (count(Status::Failed), count(Status::Error));
        Counts { all: checked.len(), failed, errors }
    }

    /// Returns the number of captures that are as expected.
    pub fn ok(self) -> usize {
        self.all - self.failed - self.errors
    }
}

/// Writes the report of all captures.
pub fn write(format: Format, out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    match format {
        Format::Text => text::write(out, checked)?,
        Format::Jsonl => lines::write(out, checked)?,
        Format::Junit => junit::write(out, checked)?,
        Format::Github => github::write(out, checked)?,
        Format::Sarif => scanners::sarif(out, checked)?,
        Format::Gitlab => scanners::gitlab(out, checked)?,
    }
    out.flush()
}

/// `172.18.0.5:38822  peer 172.18.0.3:3306  leak  held ≥ 61.2 s  transaction-open  frame 1`
fn connection(seen: &Seen) -> String {
    let (local, peer) = seen.from_holder();
    let verdict = match seen.verdict {
        Verdict::Unknown(reason) => format!("unknown ({})", reason.name()),
        told => told.name().to_owned(),
    };
    let mut words = vec![local.to_string(), format!("peer {peer}"), verdict];
    if let Some(held) = seen.held_by_local {
        let bound = if seen.close == Close::HalfClosed { "≥ " } else { "" };
        words.push(format!("held {bound}{}", duration(held)));
    }
    if let Some(idle) = seen.open_idle {
        words.push(format!("idle {}", duration(idle)));
    }
    if seen.said.in_transaction {
        words.push("in a transaction".into());
    }
    // Of what cannot be told, the reason is said; its cause is not known either.
    let is_told = !matches!(seen.verdict, Verdict::Unknown(_));
    words.extend(seen.cause.filter(|_| is_told).map(|cause| cause.name().to_owned()));
    words.push(format!("from frame {}", seen.first.frame()));
    if !seen.doubts.is_empty() {
        let doubts: Vec<&str> = seen.doubts.iter().copied().map(Doubt::name).collect();
        words.push(format!("doubts {}", doubts.join(", ")));
    }
    words.join("  ")
}
