//! `--format jsonl`: an object a capture, then a summary. The keys are a contract, as those of
//! [`crate::report::jsonl`].

use std::io::{self, Write};

use serde::Serialize;

use super::{Checked, Counts, Outcome, Status};
use crate::expect::Violation;
use crate::report::lines::{EndKey, SCHEMA, write_line};
use crate::summary::seen::Seen;
use crate::units::seconds;
use crate::verdict::Doubt;

/// Writes a JSON object a capture, then one with the counts.
pub fn write(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    let mut out = out;
    for one in checked {
        write_line(&mut out, &CaptureLine::new(one))?;
    }
    let counts = Counts::of(checked);
    let summary = SummaryLine {
        schema: SCHEMA,
        r#type: "check-summary",
        captures: counts.all,
        ok: counts.ok(),
        failed: counts.failed,
        errors: counts.errors,
    };
    write_line(&mut out, &summary)
}

#[derive(Serialize)]
struct CaptureLine<'a> {
    schema: u32,
    r#type: &'static str,
    capture: &'a str,
    expectation: Option<&'a str>,
    status: &'static str,
    flows: Option<u64>,
    findings: Option<u64>,
    /// Findings that the baseline knows.
    known: Option<usize>,
    /// Held for less, it was pending.
    min_hold_s: Option<f64>,
    violations: Vec<ViolationLine<'a>>,
    /// The change of an expectation that was written.
    diff: Option<&'a str>,
    error: Option<&'a str>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct ViolationLine<'a> {
    key: String,
    expected: &'a str,
    found: &'a str,
    connections: Vec<ConnectionLine<'a>>,
}

#[derive(Serialize)]
struct ConnectionLine<'a> {
    local: String,
    peer: String,
    holder: Option<String>,
    held_by: Option<EndKey>,
    waits_for: Option<EndKey>,
    verdict: &'static str,
    finding: bool,
    held_s: Option<f64>,
    open_idle_s: Option<f64>,
    in_transaction: bool,
    cause: Option<&'static str>,
    statements: &'a [String],
    evidence: &'a [String],
    doubts: Vec<&'static str>,
    frame: u64,
}

#[derive(Serialize)]
struct SummaryLine {
    schema: u32,
    r#type: &'static str,
    captures: usize,
    ok: usize,
    failed: usize,
    errors: usize,
}

impl<'a> CaptureLine<'a> {
    fn new(one: &'a Checked) -> CaptureLine<'a> {
        let (tally, known) = match &one.outcome {
            Outcome::Judged { collected, known, .. } => (Some(&collected.tally), Some(*known)),
            Outcome::Blessed { .. } | Outcome::Error(_) => (None, None),
        };
        let (diff, error) = match &one.outcome {
            Outcome::Blessed { diff } => (Some(diff.as_str()), None),
            Outcome::Error(sentence) => (None, Some(sentence.as_str())),
            Outcome::Judged { .. } => (None, None),
        };
        CaptureLine {
            schema: SCHEMA,
            r#type: "check",
            capture: &one.capture,
            expectation: one.expectation.as_deref(),
            status: match one.status() {
                Status::Ok => "ok",
                Status::Failed => "failed",
                Status::Error => "error",
            },
            flows: tally.map(|tally| tally.flows),
            findings: tally.map(|tally| tally.findings),
            known,
            min_hold_s: match one.outcome {
                Outcome::Judged { min_hold, .. } => Some(seconds(min_hold)),
                Outcome::Blessed { .. } | Outcome::Error(_) => None,
            },
            violations: one.violations().iter().map(|v| ViolationLine::new(one, v)).collect(),
            diff,
            error,
            warnings: &one.warnings,
        }
    }
}

impl<'a> ViolationLine<'a> {
    fn new(one: &'a Checked, violation: &'a Violation) -> ViolationLine<'a> {
        ViolationLine {
            key: violation.subject(),
            expected: &violation.expected,
            found: &violation.found,
            connections: one.flows(violation).map(ConnectionLine::new).collect(),
        }
    }
}

impl<'a> ConnectionLine<'a> {
    fn new(seen: &'a Seen) -> ConnectionLine<'a> {
        let (local, peer) = seen.from_holder();
        ConnectionLine {
            local: local.to_string(),
            peer: peer.to_string(),
            holder: seen.holder_end().map(|end| end.to_string()),
            held_by: seen.holder_end().map(EndKey::from),
            waits_for: seen.holder.map(|side| seen.end(side.other()).into()),
            verdict: seen.verdict.name(),
            finding: seen.finding,
            held_s: seen.held_by_local.map(seconds),
            open_idle_s: seen.open_idle.map(seconds),
            in_transaction: seen.said.in_transaction,
            cause: seen.cause.map(|cause| cause.name()),
            statements: seen.said.shown(),
            evidence: &seen.evidence,
            doubts: seen.doubts.iter().copied().map(Doubt::name).collect(),
            frame: seen.first.frame(),
        }
    }
}
