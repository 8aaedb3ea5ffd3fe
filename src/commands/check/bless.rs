//! `--bless`: what is found becomes what is expected.

use similar::TextDiff;

use super::{Own, ReadCapture};
use crate::commands::output;
use crate::expect::bless::bless as blessed;
use crate::expect::{Violation, file, violations};
use crate::printable::printable;
use crate::report::check::{Checked, Outcome};

/// Writes the expectation of one capture, where it has to change.
pub fn bless(read: ReadCapture) -> Checked {
    let outcome = match write(&read) {
        Ok(diff) => Outcome::Blessed { diff },
        Err(sentence) => Outcome::Error(sentence),
    };
    Checked {
        capture: read.target.name(),
        expectation: Some(read.target.expectation_name()),
        is_kept: true,
        local: Vec::new(),
        outcome,
        warnings: read.warnings,
    }
}

fn write(read: &ReadCapture) -> Result<String, String> {
    let path = &read.target.expectation;
    let capture = read.target.capture.file_name().unwrap_or_default().to_string_lossy();
    let before = read.own.as_ref().map(|Own { text }| text.as_str());
    let after = blessed(before, &capture, &read.reading, &read.collected)
        .map_err(|wrong| format!("{}: {wrong}", read.target.expectation_name()))?;
    if let Some(broken) = broken(&after, read) {
        return Err(format!("what was found cannot be expected: {broken}"));
    }
    let before = before.unwrap_or_default();
    if after == before {
        return Ok(String::new());
    }
    output::write(path, &after)?;
    Ok(diff(&read.target.expectation_name(), before, &after))
}

/// Says what of an expectation the capture does not hold that it was made of.
fn broken(text: &str, read: &ReadCapture) -> Option<String> {
    let expectation = file::expectation(text).map_err(|wrong| wrong.to_string());
    match expectation.map(|expected| violations(&expected, &read.collected, &|_| false)) {
        Ok(broken) => broken.first().map(Violation::sentence),
        Err(wrong) => Some(wrong),
    }
}

fn diff(name: &str, before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let text = diff.unified_diff().header(name, name).to_string();
    text.lines().map(|line| printable(line) + "\n").collect()
}
