//! `--format junit`: a test case a capture. quick-junit leaves out what XML cannot hold.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::issues::{Level, issues};
use super::{Checked, Outcome, Status};
use crate::expect::Violation;

/// XML has no place for these (XML 1.0, 2.2), and quick-junit leaves them in.
const NO_CHARACTERS: [char; 2] = ['\u{fffe}', '\u{ffff}'];

/// Writes a test case a capture, in one suite.
pub fn write(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    let mut suite = TestSuite::new("closewait check");
    suite.add_test_cases(checked.iter().map(case));
    let mut report = Report::new("closewait");
    report.add_test_suite(suite);
    let xml = report.to_string().map_err(io::Error::other)?;
    // Strict readers (Jenkins' xUnit plugin) know no such attribute of the outermost element.
    let xml = xml.replacen(" skipped=\"0\"", "", 1).replace(NO_CHARACTERS, "\u{fffd}");
    out.write_all(xml.as_bytes())
}

fn case(one: &Checked) -> TestCase {
    let mut case = TestCase::new(one.capture.as_str(), status(one));
    case.set_classname("closewait");
    if !one.warnings.is_empty() {
        case.set_system_err(one.warnings.join("\n"));
    }
    case
}

fn status(one: &Checked) -> TestCaseStatus {
    let kind = match one.status() {
        Status::Ok => return TestCaseStatus::success(),
        Status::Failed => NonSuccessKind::Failure,
        Status::Error => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    match &one.outcome {
        Outcome::Error(sentence) => {
            status.set_message(sentence.as_str()).set_type("error");
        }
        Outcome::Judged { violations, .. } => {
            let sentences: Vec<String> = violations.iter().map(Violation::sentence).collect();
            let errors = issues(one).into_iter().filter(|issue| issue.level == Level::Error);
            let lines: Vec<String> = errors.flat_map(|issue| issue.lines()).collect();
            status.set_message(sentences.join("; ")).set_type("expectation");
            status.set_description(lines.join("\n"));
        }
        Outcome::Blessed { .. } => {}
    }
    status
}
