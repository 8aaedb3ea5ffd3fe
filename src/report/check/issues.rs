//! Issues of a capture, in pieces that a person, an annotation or a code scanner takes one by one.
//!
//! Several expectations can be broken by the same connections: these are listed once, under all of them.

use std::collections::HashSet;

use super::{Checked, Outcome, connection};
use crate::expect::{Key, Violation};
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

/// The rule that an issue breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    Expectation(Key),
    /// A capture can be read.
    Readable,
    /// A capture is as it should be.
    Sound,
}

impl Rule {
    /// The name of the rule in reports: the key of the expectation, for most.
    pub fn id(self) -> &'static str {
        match self {
            Rule::Expectation(key) => key.name(),
            Rule::Readable => "unreadable",
            Rule::Sound => "warning",
        }
    }

    /// Says in a sentence what an issue of this rule is.
    pub fn description(self) -> &'static str {
        match self {
            Rule::Expectation(Key::LEAK) => "Connections were left in CLOSE-WAIT",
            Rule::Expectation(Key::Held) => "A connection was held in CLOSE-WAIT for too long",
            Rule::Expectation(Key::UNKNOWN) => "Connections that cannot be told",
            Rule::Expectation(Key::Verdict(_)) => {
                "Another number of connections with this verdict than expected"
            }
            Rule::Expectation(Key::Judged) => "Nothing was judged: no peer closed a connection",
            Rule::Expectation(Key::Flows) => "Another number of connections than expected",
            Rule::Expectation(Key::OpenIdle) => "Connections were left open and unused",
            Rule::Expectation(Key::TransactionsOpen) => "Transactions were left open",
            Rule::Expectation(Key::Finding) => "An expected finding is not there",
            Rule::Expectation(Key::Exact) => "A finding that is not expected",
            Rule::Readable => "A capture could not be read",
            Rule::Sound => "A capture was not as it should be",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug)]
pub struct Issue<'a> {
    pub level: Level,
    pub rule: Rule,
    /// Sentences on what is broken, one for each expectation.
    pub sentences: Vec<String>,
    /// The connections, and what speaks for their cause.
    pub connections: Vec<&'a Seen>,
    /// Bounds that the first of them names.
    expected: &'a str,
}

impl<'a> Issue<'a> {
    fn bare(level: Level, rule: Rule, sentence: &str) -> Issue<'a> {
        Issue {
            level,
            rule,
            sentences: vec![sentence.to_owned()],
            connections: Vec::new(),
            expected: "",
        }
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

    /// Returns a name that the issue has in other runs of the same capture, too: by rule, what was expected, peers and
    /// causes, not by ports that clients chose.
    pub fn fingerprint(&self, capture: &str) -> String {
        let kind = |seen: &&Seen| {
            let (_, peer) = seen.from_local();
            let peer = if seen.peer_is_service() { peer.to_string() } else { peer.ip.to_string() };
            format!("{peer} {:?} {:?}", seen.cause.map(|cause| cause.name()), seen.said.shown())
        };
        let mut kinds: Vec<String> = self.connections.iter().map(kind).collect();
        kinds.sort();
        kinds.dedup();
        let broken = [capture, self.rule.id(), self.expected].map(str::to_owned);
        digest(&[&broken[..], &kinds].concat().join("\n"))
    }
}

/// All issues of a capture. A violation whose connections are all listed already joins those that list them.
pub fn issues(one: &Checked) -> Vec<Issue<'_>> {
    let mut issues = match &one.outcome {
        Outcome::Error(sentence) => vec![Issue::bare(Level::Error, Rule::Readable, sentence)],
        Outcome::Judged { collected, violations, .. } => broken(violations, &collected.flows),
        Outcome::Blessed { .. } => Vec::new(),
    };
    let warnings = one.warnings.iter();
    issues.extend(warnings.map(|warning| Issue::bare(Level::Warning, Rule::Sound, warning)));
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
                expected: &violation.expected,
                ..Issue::bare(Level::Error, Rule::Expectation(violation.key), &violation.sentence())
            }),
        }
    }
    issues
}
