//! For people: a line a capture, then what is wrong with it.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use chrono::TimeDelta;

use super::issues::{Level, issues};
use super::{Checked, Counts, Outcome, Status};
use crate::report::shell;
use crate::units::{count, duration, thousands};
use crate::verdict::Verdict;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Writes a paragraph a capture.
pub fn write(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    for one in checked {
        line(out, one)?;
        // An error has said all there is.
        let is_said = matches!(one.outcome, Outcome::Error(_));
        for issue in issues(one).into_iter().filter(|_| !is_said) {
            let mark = if issue.level == Level::Warning { "warning: " } else { "" };
            for line in issue.lines() {
                writeln!(out, "        {mark}{line}")?;
            }
        }
        if let Outcome::Blessed { diff } = &one.outcome {
            out.write_all(diff.as_bytes())?;
        }
    }
    summary(out, checked)?;
    next(out, checked)
}

/// `ok      captures/a.pcap  12 connections`
pub fn line(out: &mut dyn Write, one: &Checked) -> io::Result<()> {
    let (style, word) = match one.status() {
        Status::Ok => (GOOD, "ok"),
        Status::Failed => (BAD, "FAILED"),
        Status::Error => (BAD, "error"),
    };
    writeln!(out, "{style}{word:<6}{style:#}  {}  {}", one.capture, about(one))
}

fn about(one: &Checked) -> String {
    match &one.outcome {
        Outcome::Judged { collected, known, .. } => {
            let flows = count(collected.tally.flows, "connection");
            let findings = match collected.tally.findings {
                0 => String::new(),
                n => format!(", {}", count(n, "finding")),
            };
            let known = match known {
                0 => String::new(),
                known => format!(", {} in the baseline", thousands(*known as u64)),
            };
            format!("{flows}{findings}{known}")
        }
        Outcome::Blessed { diff } if diff.is_empty() => "as expected: nothing to change".into(),
        Outcome::Blessed { .. } => "expectation written".into(),
        Outcome::Error(sentence) => sentence.clone(),
    }
}

/// Writes the counts, and a command to go on with.
pub fn summary(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    let counts = Counts::of(checked);
    let captures = count(counts.all as u64, "capture");
    let mut words = vec![format!("{} ok", counts.ok())];
    if counts.failed > 0 {
        words.push(format!("{} FAILED", counts.failed));
    }
    if counts.errors > 0 {
        words.push(count(counts.errors as u64, "error"));
    }
    // Nobody holds for less than nothing.
    let holds = checked.iter().filter_map(min_hold).filter(|hold| !hold.is_zero());
    let holds: BTreeSet<TimeDelta> = holds.collect();
    let holds: Vec<String> = holds.into_iter().map(duration).collect();
    let hold = match &holds[..] {
        [] => String::new(),
        holds => format!(" (held for less than {} is pending: --min-hold)", holds.join(" or ")),
    };
    writeln!(out, "{captures}: {}{hold}", words.join(", "))
}

fn min_hold(one: &Checked) -> Option<TimeDelta> {
    match one.outcome {
        Outcome::Judged { min_hold, .. } => Some(min_hold),
        Outcome::Blessed { .. } | Outcome::Error(_) => None,
    }
}

/// The command that shows the first connection that should not be so.
fn next(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    let first = checked.iter().find_map(|one| {
        let seen = issues(one).iter().find_map(|issue| issue.connections.first().copied())?;
        Some((one, seen))
    });
    let Some((one, seen)) =
        first.filter(|(one, _)| one.is_kept && shell::can_be_typed(&one.capture))
    else {
        return Ok(());
    };
    let frame = seen.fin.unwrap_or(seen.first).frame();
    let local: String =
        one.local.iter().map(|name| format!(" --local {}", shell::word(name))).collect();
    let capture = shell::word(&one.capture);
    let hold = min_hold(one).filter(|_| seen.verdict == Verdict::Pending);
    let hold = hold.map_or_else(String::new, as_option);
    writeln!(out, "next: closewait explain {capture} --frame {frame}{local}{hold}")
}

/// Without it, what is pending here would be a leak there.
fn as_option(min_hold: TimeDelta) -> String {
    format!(" --min-hold {}", min_hold.as_seconds_f64())
}
