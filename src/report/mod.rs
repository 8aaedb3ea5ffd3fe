//! Judgements become bytes.
//!
//! Rows stream through a [`Render`] as flows end, [`Totals`] come last. A renderer never decides: what
//! it prints was judged before.
//!
//! * [`text`]: for the person at the prompt
//! * [`jsonl`]: for programs, one object a line
//! * [`prometheus`]: for whoever watches a live capture
//! * [`comments`]: beside the packets of a finding, where these are written
//! * [`mod@csv`]: for spreadsheets
//! * [`check`]: the report of `closewait check`
//! * [`collected`]: for whoever compares captures with something
//! * [`sockets`]: the report of `closewait sockets`
//! * [`stacks`], [`flames`], [`flamegraph`]: connections as stacks, counted beside a report and drawn
//! * [`ladder`]: the report of `closewait explain`
//! * [`shell`]: commands to copy
//! * [`table`]: tables in text
//! * [`units`], [`ids`]: how times, durations and identifiers are written

pub mod check;
pub mod collected;
pub mod comments;
pub mod csv;
mod evidence;
pub mod flamegraph;
pub mod flames;
pub mod ids;
pub mod jsonl;
pub mod ladder;
pub mod prometheus;
pub mod shell;
pub mod sockets;
pub mod stacks;
pub mod table;
pub mod text;
pub mod units;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::AddAssign;

use crate::attach::mysql::Facts;
use crate::capture::LinkType;
use crate::cause::Cause;
use crate::decode::Skipped;
use crate::owner::{Holder, Socket};
use crate::place::{Place, Time};
use crate::tcp::flow::Flow;
use crate::tcp::segment::FlowKey;
use crate::verdict::{Judgement, Reason, Verdict};

/// One flow, judged.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub key: &'a FlowKey,
    pub flow: &'a Flow,
    pub judgement: &'a Judgement,
    /// The end of its capture.
    pub end: Time,
    /// The names of the files, by [`Place::file`].
    pub files: &'a [String],
    pub owner: Owner<'a>,
    /// What was said on it, if that was read.
    pub mysql: Option<&'a Facts>,
    pub cause: Option<Cause>,
}

/// What a socket list says of the holder's side.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// No list was given.
    NotAsked,
    NotListed,
    Listed(&'a Socket),
    /// The capture itself names the processes.
    Said(&'a [Holder]),
}

/// What happened to a live flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It has been held in CLOSE-WAIT for long enough to be a finding.
    CloseWait,
    /// After all, it was closed or reset.
    Ended,
}

impl EventKind {
    pub fn name(self) -> &'static str {
        match self {
            EventKind::CloseWait => "close-wait",
            EventKind::Ended => "ended",
        }
    }
}

/// Turns rows into bytes.
pub trait Render {
    /// Something happened to a live flow, just now: it is written at once.
    fn event(&mut self, kind: EventKind, row: &Row) -> io::Result<()>;
    /// A socket was in CLOSE-WAIT when a live capture began.
    fn event_before(&mut self, socket: &Socket, at: Time) -> io::Result<()>;
    fn row(&mut self, row: &Row) -> io::Result<()>;
    /// A flow that is not reported: only who asked for [`crate::run::Paths::All`] sees it.
    fn unreported(&mut self, _: &Row) -> io::Result<()> {
        Ok(())
    }
    /// A socket in CLOSE-WAIT of which the capture holds no packet.
    fn stuck_before(&mut self, socket: &Socket) -> io::Result<()>;
    fn end(&mut self, totals: &Totals) -> io::Result<()>;
}

/// What a run counted.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub packets: u64,
    pub segments: u64,
    pub tally: Tally,
    /// Sockets stuck before the capture: findings, too.
    pub stuck_before: u64,
    /// Flows that left memory before their time (`--max-flows`).
    pub evicted: u64,
    pub skipped: BTreeMap<Skipped, u64>,
    pub captures: Vec<CaptureTotals>,
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
    pub unknown: BTreeMap<Reason, u64>,
}

/// One capture point: a file, or a series of files that follow one another.
#[derive(Clone, Debug, Default)]
pub struct CaptureTotals {
    /// Indexes into [`Totals::files`].
    pub files: Vec<usize>,
    /// Time without any packet between two of its files.
    pub gaps: Vec<Gap>,
    /// Why it is a capture of its own.
    pub overlap: Option<Overlap>,
    pub packets: u64,
    pub segments: u64,
    pub first: Option<Place>,
    pub last: Option<Place>,
    pub drops: u64,
    pub truncated: bool,
    pub bare_acks: bool,
    pub empty_segments: bool,
    pub links: BTreeSet<LinkType>,
    /// 0 where not limited.
    pub snap_lengths: BTreeSet<u32>,
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
        if let Verdict::Unknown(reason) = judgement.verdict {
            *self.unknown.entry(reason).or_default() += 1;
        }
    }

    /// Takes back what was counted of a verdict that is no [`Verdict::Unknown`].
    pub fn uncount(&mut self, judgement: &Judgement) {
        self.flows -= 1;
        self.findings -= u64::from(judgement.finding);
        self.verdicts[judgement.verdict.index()] -= 1;
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

    pub fn first(&self) -> Option<Place> {
        let firsts = self.captures.iter().filter_map(|capture| capture.first);
        firsts.min_by_key(|place| place.time)
    }

    pub fn last(&self) -> Option<Place> {
        let lasts = self.captures.iter().filter_map(|capture| capture.last);
        lasts.max_by_key(|place| place.time)
    }
}
