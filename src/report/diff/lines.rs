//! Changes as JSON lines.

use std::io::{self, Write};

use serde::Serialize;

use super::Comparison;
use crate::report::lines::{EndKey, SCHEMA, write_line};
use crate::summary::compare::{Change, Fate, LeakCount, Served};
use crate::units::seconds;

/// A kind of leak.
#[derive(Serialize)]
struct ChangeLine<'a> {
    schema: u32,
    r#type: &'static str,
    fate: &'static str,
    /// The service that local connected to, or null.
    peer: Option<EndKey>,
    /// The port that local serves, or null.
    local_port: Option<u16>,
    cause: Option<&'static str>,
    statements: &'a [String],
    /// The function behind it, where it is known of all of the kind.
    code: Option<&'a str>,
    before: CountLine,
    after: CountLine,
    /// Connections of the second capture on which the same was said and that were closed; null where
    /// a report stands for it, or packets were cut.
    closed_after: Option<u64>,
    /// The second capture shows that one that is gone was mended.
    shown: bool,
}

#[derive(Serialize)]
struct CountLine {
    connections: u64,
    doubted: u64,
    longest_held_s: Option<f64>,
}

#[derive(Serialize)]
struct SummaryLine {
    schema: u32,
    r#type: &'static str,
    new: usize,
    stayed: usize,
    gone: usize,
    unshown: usize,
    not_judged: u64,
    /// As many of the first capture.
    not_judged_before: u64,
    /// Connections in CLOSE-WAIT of the second capture that do not count.
    uncounted: u64,
    /// As many of the first capture.
    uncounted_before: u64,
    /// Packets were captured in part.
    cut: bool,
}

impl From<LeakCount> for CountLine {
    fn from(found: LeakCount) -> CountLine {
        let LeakCount { connections, doubted, longest } = found;
        CountLine { connections, doubted, longest_held_s: longest.map(|held| seconds(held.lasted)) }
    }
}

impl<'a> From<&'a Change> for ChangeLine<'a> {
    fn from(change: &'a Change) -> ChangeLine<'a> {
        let (peer, local_port) = match change.kind.service {
            Served::There(end) => (Some(end.into()), None),
            Served::Here(port) => (None, Some(port)),
        };
        ChangeLine {
            schema: SCHEMA,
            r#type: "change",
            fate: change.fate.name(),
            peer,
            local_port,
            cause: change.kind.cause.map(|cause| cause.name()),
            statements: &change.kind.statements,
            code: change.kind.code.as_deref(),
            before: change.before.into(),
            after: change.after.into(),
            closed_after: change.closed_after,
            shown: change.is_shown(),
        }
    }
}

/// Writes a JSON object a change, then a summary.
pub fn write(mut out: &mut dyn Write, all: &Comparison) -> io::Result<()> {
    for change in &all.changes {
        write_line(&mut out, &ChangeLine::from(change))?;
    }
    let [new, stayed, gone] = Fate::ALL.map(|fate| all.with(fate));
    let summary = SummaryLine {
        schema: SCHEMA,
        r#type: "diff-summary",
        new,
        stayed,
        gone,
        unshown: all.unshown(),
        not_judged: all.not_judged[1],
        not_judged_before: all.not_judged[0],
        uncounted: all.uncounted[1],
        uncounted_before: all.uncounted[0],
        cut: all.is_cut,
    };
    write_line(&mut out, &summary)?;
    out.flush()
}
