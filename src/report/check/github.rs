//! `--format github`: workflow commands, which become annotations, among the lines for people.
//!
//! The runner reads every line of the log for commands. So nothing that others chose stands in a line
//! but behind `::error`, where it is escaped, or without what begins a command.

use std::io::{self, Write};

use super::issues::{Level, issues};
use super::{Checked, Status, text};

/// Writes an annotation for each violation, and for each capture that could not be read.
pub fn write(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    for one in checked {
        for issue in issues(one) {
            let level = match issue.level {
                Level::Error => "error",
                Level::Warning => "warning",
            };
            annotation(out, level, one, &issue.lines().join("\n"))?;
        }
        let mut line = Vec::new();
        if one.status() == Status::Ok {
            text::line(&mut line, one)?;
            writeln!(out, "{}", harmless(String::from_utf8_lossy(&line).trim_end()))?;
        }
    }
    text::summary(out, checked)
}

fn annotation(out: &mut dyn Write, level: &str, one: &Checked, message: &str) -> io::Result<()> {
    // Where packets were not kept, their name is that of the command, and no file's.
    let capture = Some(&one.capture).filter(|_| one.is_kept);
    let file = one.expectation.as_ref().or(capture);
    let file = file.map_or_else(String::new, |file| format!("file={},", property(file)));
    let title = property(&format!("closewait {}", one.capture));
    writeln!(out, "::{level} {file}title={title}::{}", data(message))
}

/// Escapes what would end a command or a line in GitHub's workflow commands.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// And what ends a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The older form of commands may stand anywhere in a line.
fn harmless(line: &str) -> String {
    line.replace("##[", "##\u{fffd}[")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GitHub would look for it.
    #[test]
    fn a_command_is_no_file() {
        let annotated = |is_kept| {
            let outcome = super::super::Outcome::Error("why".into());
            let (capture, local, warnings) = ("npm test".into(), Vec::new(), Vec::new());
            let one = Checked { capture, expectation: None, is_kept, local, outcome, warnings };
            let mut out = Vec::new();
            annotation(&mut out, "error", &one, "why").expect("memory");
            String::from_utf8(out).expect("text")
        };
        assert_eq!(annotated(false), "::error title=closewait npm test::why\n");
        assert_eq!(annotated(true), "::error file=npm test,title=closewait npm test::why\n");
    }

    #[test]
    fn nothing_ends_a_command_early() {
        assert_eq!(data("50% of\r\na::b"), "50%25 of%0D%0Aa::b");
        assert_eq!(property("a,b::c%.pcap"), "a%2Cb%3A%3Ac%25.pcap");
        assert_eq!(harmless("ok  ##[add-path]/x"), "ok  ##\u{fffd}[add-path]/x");
    }
}
