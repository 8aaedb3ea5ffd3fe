//! For people: a line a capture, then what is wrong with it.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::{Checked, Counts, Outcome, Status, explained};
use crate::units::{count, thousands};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

pub fn write(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    for one in checked {
        line(out, one)?;
        for violation in one.violations() {
            for line in explained(one, violation) {
                writeln!(out, "        {line}")?;
            }
        }
        if let Outcome::Blessed { diff } = &one.outcome {
            out.write_all(diff.as_bytes())?;
        }
        for warning in &one.warnings {
            writeln!(out, "        warning: {warning}")?;
        }
    }
    summary(out, Counts::of(checked))
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

pub fn summary(out: &mut dyn Write, counts: Counts) -> io::Result<()> {
    let captures = count(counts.all as u64, "capture");
    let mut words = vec![format!("{} ok", counts.ok())];
    if counts.failed > 0 {
        words.push(format!("{} FAILED", counts.failed));
    }
    if counts.errors > 0 {
        words.push(count(counts.errors as u64, "error"));
    }
    writeln!(out, "{captures}: {}", words.join(", "))
}
