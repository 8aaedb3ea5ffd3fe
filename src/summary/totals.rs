//! Counts of a run: packets, verdicts, what was skipped, and what each capture was like.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use crate::decode::Skipped;
use crate::facts::CaptureFacts;
use crate::verdict::{Judgement, Reason, Verdict};

/// What a run counted.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Of all captures together.
    pub facts: CaptureFacts,
    pub tally: Tally,
    /// Sockets stuck before the capture: findings, too.
    pub stuck_before: u64,
    /// Connections shown under two pairs of addresses, and those seen at two capture points.
    pub rewritten: u64,
    pub seen_twice: u64,
    /// Flows that left memory before their time (`--max-flows`).
    pub evicted: u64,
    /// Flows that are counted and not listed, since there was no memory for their rows (`--max-flows`).
    pub unlisted: u64,
    pub skipped: BTreeMap<Skipped, u64>,
    pub captures: Vec<Capture>,
    pub files: Vec<String>,
}

/// Judged flows, counted. What several threads counted is added up.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub flows: u64,
    /// Flows with a finding.
    pub findings: u64,
    /// Flows by verdict, in the order of [`Verdict::NAMES`].
    pub verdicts: [u64; Verdict::NAMES.len()],
    /// Those with a finding among them.
    pub found: [u64; Verdict::NAMES.len()],
    pub unknown: BTreeMap<Reason, u64>,
}

/// One capture point: a file, or a series of files that follow one another.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// Indexes into [`Totals::files`].
    pub files: Vec<usize>,
    /// Time without any packet between two of its files.
    pub gaps: Vec<Gap>,
    /// Why it is a capture of its own.
    pub overlap: Option<Overlap>,
    pub facts: CaptureFacts,
}

/// Nothing was captured between two files of a series.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// Indexes into [`Totals::files`].
    pub before: usize,
    pub after: usize,
    pub nanos: i64,
}

/// A capture began while another went on.
#[derive(Clone, Copy, Debug)]
pub struct Overlap {
    /// Index into [`Totals::files`].
    pub with: usize,
    pub nanos: i64,
}

impl Tally {
    pub fn count(&mut self, judgement: &Judgement) {
        self.flows += 1;
        self.findings += u64::from(judgement.finding);
        self.verdicts[judgement.verdict.index()] += 1;
        self.found[judgement.verdict.index()] += u64::from(judgement.finding);
        if let Verdict::Unknown(reason) = judgement.verdict {
            *self.unknown.entry(reason).or_default() += 1;
        }
    }

    /// Takes back what was counted of a verdict that is no [`Verdict::Unknown`].
    pub fn uncount(&mut self, judgement: &Judgement) {
        self.flows -= 1;
        self.findings -= u64::from(judgement.finding);
        self.verdicts[judgement.verdict.index()] -= 1;
        self.found[judgement.verdict.index()] -= u64::from(judgement.finding);
    }

    /// Takes back a flow that was counted and is none of its own.
    pub fn forget(&mut self, verdict: Verdict, finding: bool) {
        let less = |n: &mut u64, by: bool| *n = n.saturating_sub(u64::from(by));
        less(&mut self.flows, true);
        less(&mut self.findings, finding);
        less(&mut self.verdicts[verdict.index()], true);
        less(&mut self.found[verdict.index()], finding);
        if let Verdict::Unknown(reason) = verdict
            && let Some(n) = self.unknown.get_mut(&reason)
        {
            less(n, true);
        }
    }

    /// Counts a flow that was counted as a finding after all, if it is one.
    pub fn find(&mut self, verdict: Verdict, is_one: bool) {
        self.findings += u64::from(is_one);
        self.found[verdict.index()] += u64::from(is_one);
    }

    pub fn of(&self, verdict: Verdict) -> u64 {
        self.verdicts[verdict.index()]
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Tally) {
        self.flows += more.flows;
        self.findings += more.findings;
        for (n, more) in self.verdicts.iter_mut().zip(more.verdicts) {
            *n += more;
        }
        for (n, more) in self.found.iter_mut().zip(more.found) {
            *n += more;
        }
        for (reason, more) in more.unknown {
            *self.unknown.entry(reason).or_default() += more;
        }
    }
}

impl Totals {
    pub fn skip(&mut self, reason: Skipped) {
        *self.skipped.entry(reason).or_default() += 1;
    }

    /// Flows with a finding, and sockets stuck before the capture.
    pub fn findings(&self) -> u64 {
        self.tally.findings + self.stuck_before
    }

    /// What was skipped, by name, the most frequent first. A capture can hold any number of kinds:
    /// the rarest are summed up.
    pub fn skipped_by_name(&self) -> Vec<(String, u64)> {
        const KINDS: usize = 32;
        let mut kinds: Vec<(String, u64)> =
            self.skipped.iter().map(|(kind, n)| (kind.to_string(), *n)).collect();
        kinds.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let rest: u64 = kinds.iter().skip(KINDS).map(|(_, n)| n).sum();
        kinds.truncate(KINDS);
        if rest > 0 {
            kinds.push(("other".into(), rest));
        }
        kinds
    }
}
