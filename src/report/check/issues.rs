//! Issues of a capture, in pieces that a person, an annotation or a code scanner takes one by one.
//!
//! Several expectations can be broken by the same connections: these are listed once, under all of them.

use std::collections::HashSet;

use super::{Checked, Outcome, connection};
use crate::expect::Violation;
use crate::report::ids::digest;
use crate::summary::seen::Seen;

/// Connections of an issue that are written out for people.
const SHOWN: usize = 20;

/// The weight of an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Error,
    Warning,
}

/// One thing that is wrong.
#[derive(Debug)]
pub struct Issue<'a> {
    pub level: Level,
    /// The kind, by the key of an expectation: `leak`, `held`, …
    pub rule: &'a str,
    /// Sentences on what is broken, one for each expectation.
    pub sentences: Vec<String>,
    /// The connections, and what speaks for their cause.
    pub connections: Vec<&'a Seen>,
}

impl<'a> Issue<'a> {
    fn bare(level: Level, rule: &'a str, sentence: &str) -> Issue<'a> {
        Issue { level, rule, sentences: vec![sentence.to_owned()], connections: Vec::new() }
    }

    /// Says all of it, in lines; those of connections are indented.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.sentences.clone();
        // Many connections left by the same code have the same evidence: once is enough.
        let mut said: &[String] = &[];
        for seen in self.connections.iter().take(SHOWN) {
            lines.push(format!("  {}", connection(seen)));
            if seen.evidence != said {
                said = &seen.evidence;
                lines.extend(said.iter().map(|sentence| format!("    {sentence}")));
            }
        }
        let more = self.connections.len().saturating_sub(SHOWN);
        if more > 0 {
            lines.push(format!("  … and {more} more"));
        }
        lines
    }

    /// Returns a name that the issue has in other runs of the same capture, too: by rule, peers and causes, not by
    /// ports that clients chose.
    pub fn fingerprint(&self, capture: &str) -> String {
        let kind = |seen: &&Seen| {
            let (_, peer) = seen.from_local();
            let peer = if seen.peer_is_service() { peer.to_string() } else { peer.ip.to_string() };
            format!("{peer} {:?} {:?}", seen.cause.map(|cause| cause.name()), seen.said.shown())
        };
        let mut kinds: Vec<String> = self.connections.iter().map(kind).collect();
        kinds.sort();
        kinds.dedup();
        digest(&[&[capture.to_owned(), self.rule.to_owned()], &kinds[..]].concat().join("\n"))
    }
}

/// All issues of a capture. A violation whose connections are all listed already joins those that list them.
pub fn issues(one: &Checked) -> Vec<Issue<'_>> {
    let mut issues = match &one.outcome {
        Outcome::Error(sentence) => vec![Issue::bare(Level::Error, "unreadable", sentence)],
        Outcome::Judged { collected, violations, .. } => broken(violations, &collected.flows),
        Outcome::Blessed { .. } => Vec::new(),
    };
    let warnings = one.warnings.iter();
    issues.extend(warnings.map(|warning| Issue::bare(Level::Warning, "warning", warning)));
    issues
}

fn broken<'a>(violations: &'a [Violation], flows: &'a [Seen]) -> Vec<Issue<'a>> {
    let mut issues: Vec<Issue> = Vec::new();
    let mut listed = HashSet::new();
    for violation in violations {
        let new: Vec<usize> =
            violation.flows.iter().copied().filter(|index| listed.insert(*index)).collect();
        match issues.last_mut() {
            Some(last) if new.is_empty() && !violation.flows.is_empty() => {
                last.sentences.push(violation.sentence());
            }
            _ => issues.push(Issue {
                connections: new.iter().filter_map(|&index| flows.get(index)).collect(),
                ..Issue::bare(Level::Error, rule(violation), &violation.sentence())
            }),
        }
    }
    issues
}

/// `leak` for `leak at 10.0.0.3:3306`, too.
fn rule(violation: &Violation) -> &str {
    violation.key.split(' ').next().unwrap_or_default()
}
