//! Expectations of a capture, and the places where it breaks them.
//!
//! Pure: a report and an expectation become violations. [`mod@file`] reads expectations, [`bless`]
//! writes them, `findings` says which of the findings expected are there, [`baseline`] which were
//! known before; [`reported`] reads a report in JSON lines back.

pub mod baseline;
pub mod bless;
pub mod file;
mod findings;
mod gate;
mod keys;
mod range;
pub mod reported;
mod violation;

use chrono::TimeDelta;

use crate::attach::sql::tags::Sought;
use crate::capture::filter::Filter;
use crate::endpoints::EndpointSet;
use crate::printable::printable;
use crate::summary::seen::{Collected, Narrowed, Seen};
use crate::units::{duration, telling_apart};
use crate::verdict::Verdict;
use crate::verdict::local::Local;
pub use findings::Wanted;
pub use gate::is_nothing_judged;
pub use range::Range;
pub use violation::{Exception, Key, Violation};

/// An expectation of a capture: how to read it, and the limits that it should keep.
#[derive(Clone, Debug, Default)]
pub struct Expectation {
    /// The options that the capture is read with.
    pub reading: ReadingOptions,
    /// Bounds on the number of connections.
    pub flows: Option<Range<u64>>,
    /// By verdict, in the order of [`Verdict::NAMES`]. `leak` counts findings.
    pub verdicts: [Option<Range<u64>>; Verdict::NAMES.len()],
    /// Limits of the longest CLOSE-WAIT that a local side held.
    pub held: Option<Range<TimeDelta>>,
    /// Bounds on connections that are open and unused at the end.
    pub open_idle: Option<OpenIdle>,
    /// Bounds on transactions that are open at the end.
    pub transactions_open: Option<Range<u64>>,
    /// Findings that are expected one by one.
    pub findings: Vec<Wanted>,
    /// No findings but these.
    pub exact: bool,
    /// Peers that other limits hold for.
    pub overrides: Vec<Override>,
}

/// The options that a capture is read with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadingOptions {
    /// The local sides, as they were written.
    pub local: Vec<String>,
    /// A BPF expression.
    pub filter: Option<String>,
    /// Half-closed for less than this is pending.
    pub min_hold: Option<TimeDelta>,
    /// Connections count only if what was said on them last has all of these.
    pub tags: Vec<Sought>,
}

impl ReadingOptions {
    /// The default of `min_hold`: held for less, a close may simply not be over.
    pub const MIN_HOLD: TimeDelta = TimeDelta::seconds(1);

    /// Makes the filter.
    ///
    /// # Errors
    /// A sentence, printable, if it is wrong.
    pub fn filter(&self) -> Result<Option<Filter>, String> {
        let filter = self.filter.as_deref().map(Filter::new).transpose();
        filter.map_err(|wrong| printable(&wrong.to_string()))
    }

    /// Fills what is not said here from `other`.
    #[must_use]
    pub fn or(self, other: &ReadingOptions) -> ReadingOptions {
        ReadingOptions {
            local: if self.local.is_empty() { other.local.clone() } else { self.local },
            filter: self.filter.or_else(|| other.filter.clone()),
            min_hold: self.min_hold.or(other.min_hold),
            tags: if self.tags.is_empty() { other.tags.clone() } else { self.tags },
        }
    }
}

/// Connections that are open at the end, and on which nothing was said for long.
#[derive(Clone, Copy, Debug)]
pub struct OpenIdle {
    /// Unused for at least so long.
    pub idle: TimeDelta,
    /// Bounds on the number of such connections.
    pub count: Range<u64>,
}

/// Limits for the connections with some peers, instead of the general ones.
#[derive(Clone, Debug)]
pub struct Override {
    /// The peer that it is about.
    pub peer: EndpointSet,
    /// As it was written.
    pub name: String,
    /// The bounds on connections with that peer.
    pub limits: Limits,
}

/// Limits for some peers; `None` where the general one holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Bounds on leaks.
    pub leaks: Option<Range<u64>>,
    /// Bounds of the time in CLOSE-WAIT, whether closed in the end or not.
    pub held: Option<Range<TimeDelta>>,
    /// Bounds on what cannot be told.
    pub unknown: Option<Range<u64>>,
}

/// Lists everything that is not as expected. `known` findings were there before: they break no upper limit.
pub fn violations(
    expectation: &Expectation,
    collected: &Collected,
    known: &dyn Fn(&Seen) -> bool,
) -> Vec<Violation> {
    let mut case = Case { expectation, collected, known, broken: Vec::new() };
    case.flows();
    case.judged();
    case.verdicts();
    case.limits();
    case.open_idle();
    case.transactions_open();
    case.findings();
    case.broken
}

struct Case<'a> {
    expectation: &'a Expectation,
    collected: &'a Collected,
    known: &'a dyn Fn(&Seen) -> bool,
    broken: Vec<Violation>,
}

impl Case<'_> {
    /// A capture that nothing was captured in shows nothing, whatever else is expected.
    fn flows(&mut self) {
        let found = self.collected.tally.flows;
        match self.expectation.flows {
            Some(range) => self.count(Key::Flows, range, found, Vec::new()),
            None if found == 0 => {
                let why = match self.collected.narrowed {
                    None => "no TCP connection: a capture without any shows nothing",
                    Some(Narrowed::ByFilter) => "no TCP connection that matches the filter",
                    Some(Narrowed::ByTags) => {
                        "no TCP connection that has all the tags that were asked for"
                    }
                };
                let why = format!("{why} (flows = 0 allows it)");
                self.broken.push(Violation::new(Key::Flows, "at least 1", &why, Vec::new()));
            }
            None => {}
        }
    }

    /// Counts of verdicts over the whole capture. Those that limits may differ for come after.
    fn verdicts(&mut self) {
        for (index, range) in self.expectation.verdicts.into_iter().enumerate() {
            let key = Key::Verdict(index);
            if let Some(range) = range.filter(|_| key.short().is_none()) {
                let found = self.collected.tally.verdicts[index];
                self.count(key, range, found, self.those(|seen| seen.verdict.index() == index));
            }
        }
    }

    /// Leaks, what cannot be told, and how long it was held: in general, then for each override.
    fn limits(&mut self) {
        let expectation = self.expectation;
        let Limits { leaks, held, unknown } = expectation.limits();
        // Connections with a peer whose own limits do not say it.
        let rest = |says: fn(&Limits) -> bool| {
            let own = |index: usize| &expectation.overrides[index].limits;
            self.those(|seen| self.override_of(seen).is_none_or(|index| !says(own(index))))
        };
        let rests = [
            rest(|own| own.leaks.is_some()),
            rest(|own| own.held.is_some()),
            rest(|own| own.unknown.is_some()),
        ];
        let none = Limits::default();
        let general =
            [Limits { leaks, ..none }, Limits { held, ..none }, Limits { unknown, ..none }];
        for (limits, rest) in general.into_iter().zip(&rests) {
            self.limited(limits, rest, self.collected.tally.tags_untold_held);
        }
        for (index, exception) in expectation.overrides.iter().enumerate() {
            let own = self.those(|seen| self.override_of(seen) == Some(index));
            let before = self.broken.len();
            self.limited(exception.limits, &own, 0);
            for violation in &mut self.broken[before..] {
                violation.exception = Some(Exception { index, name: exception.name.clone() });
            }
        }
    }

    /// `left_out`: connections that may be among these, and are none of the capture's.
    fn limited(&mut self, limits: Limits, flows: &[usize], left_out: u64) {
        let collected = self.collected;
        let of = |which: &dyn Fn(&Seen) -> bool| -> Vec<usize> {
            flows.iter().copied().filter(|&index| which(&collected.flows[index])).collect()
        };
        if let Some(range) = limits.leaks {
            self.findings_within(Key::LEAK, range, of(&|seen| seen.finding));
        }
        if let Some(range) = limits.unknown {
            let pending = self.expectation.verdicts[Verdict::Pending.index()].is_none();
            // Those between others are no findings however long they are held: nor do they fail here.
            let unknown = of(&|seen| match seen.verdict {
                _ if seen.local == Local::Neither => false,
                Verdict::Unknown(_) => true,
                // Held for longer, it would be a finding that was known before.
                Verdict::Pending => pending && !(self.known)(seen),
                _ => false,
            });
            self.count(Key::UNKNOWN, range, unknown.len() as u64 + left_out, unknown);
        }
        if let Some(range) = limits.held {
            self.held(Key::Held, range, of(&|seen| seen.held_by_local.is_some()));
        }
    }

    /// Known findings count where at least some are expected, not where at most some are.
    fn findings_within(&mut self, key: Key, range: Range<u64>, found: Vec<usize>) {
        let all = found.len() as u64;
        let new: Vec<usize> = found.iter().copied().filter(|&index| self.is_new(index)).collect();
        if range.min.is_some_and(|min| all < min) {
            self.count(key, range, all, found);
        } else if range.max.is_some_and(|max| new.len() as u64 > max) {
            self.count(key, range, new.len() as u64, new);
        }
    }

    fn held(&mut self, key: Key, range: Range<TimeDelta>, flows: Vec<usize>) {
        let held = |index: &usize| self.collected.flows[*index].held;
        let longest = flows.iter().filter_map(held).max().unwrap_or(TimeDelta::zero());
        let too_long: Vec<usize> = flows
            .into_iter()
            .filter(|index| held(index) > range.max && range.max.is_some() && self.is_new(*index))
            .collect();
        if !too_long.is_empty() {
            let longest = too_long.iter().filter_map(held).max().unwrap_or(longest);
            self.held_so_long(key, range, longest, too_long);
        } else if range.min.is_some_and(|min| longest < min) {
            self.held_so_long(key, range, longest, Vec::new());
        }
    }

    /// Beside a limit, it does not look like it.
    fn held_so_long(
        &mut self,
        key: Key,
        range: Range<TimeDelta>,
        longest: TimeDelta,
        flows: Vec<usize>,
    ) {
        let is_over = range.max.is_some_and(|max| longest > max);
        let limit = if is_over { range.max } else { range.min };
        let text = telling_apart(limit.unwrap_or(longest), longest);
        let expected = range.text(&text);
        self.broken.push(Violation::new(key, &expected, &text(longest), flows));
    }

    fn open_idle(&mut self) {
        let Some(OpenIdle { idle, count }) = self.expectation.open_idle else { return };
        let found = self.those(|seen| seen.open_idle.is_some_and(|so_long| so_long >= idle));
        if !count.holds(found.len() as u64) {
            let expected = format!("{} idle for {}", count.text(|n| n.to_string()), duration(idle));
            let number = found.len().to_string();
            self.broken.push(Violation::new(Key::OpenIdle, &expected, &number, found));
        }
    }

    fn count(&mut self, key: Key, range: Range<u64>, found: u64, flows: Vec<usize>) {
        if !range.holds(found) {
            let expected = range.text(|n| n.to_string());
            self.broken.push(Violation::new(key, &expected, &found.to_string(), flows));
        }
    }

    /// Each finding expected is one of the capture's, whatever the order.
    fn findings(&mut self) {
        let wanted = &self.expectation.findings;
        let found = self.those(|seen| seen.finding);
        let flows: Vec<&Seen> = found.iter().map(|&index| &self.collected.flows[index]).collect();
        let pairs = findings::pairs(wanted, &flows);
        for (wanted, pair) in wanted.iter().zip(&pairs) {
            if pair.is_none() {
                let nearest = "none that matches and is not matched by another entry";
                let left = left_over(&found, &pairs);
                self.broken.push(Violation::new(Key::Finding, &wanted.to_string(), nearest, left));
            }
        }
        if self.expectation.exact {
            let mut others = left_over(&found, &pairs);
            others.retain(|&index| self.is_new(index));
            if !others.is_empty() {
                let found = format!("{} more", others.len());
                self.broken.push(Violation::new(Key::Exact, "no other finding", &found, others));
            }
        }
    }

    fn is_new(&self, index: usize) -> bool {
        let seen = &self.collected.flows[index];
        !(seen.finding && (self.known)(seen))
    }

    fn those(&self, which: impl Fn(&Seen) -> bool) -> Vec<usize> {
        let all = self.collected.flows.iter().enumerate();
        all.filter(|(_, seen)| which(seen)).map(|(index, _)| index).collect()
    }

    fn override_of(&self, seen: &Seen) -> Option<usize> {
        let (_, peer) = seen.from_local();
        self.expectation.overrides.iter().position(|exception| exception.peer.contains(peer))
    }
}

/// The findings that no entry is paired with.
fn left_over(found: &[usize], pairs: &[Option<usize>]) -> Vec<usize> {
    let all = found.iter().enumerate();
    all.filter(|(place, _)| !pairs.contains(&Some(*place))).map(|(_, &index)| index).collect()
}

impl Expectation {
    /// The limits that hold for every peer without ones of its own. Where nothing is said of findings,
    /// there should be none; and what cannot be told is no pass.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let says_nothing = self.findings.is_empty() && !self.exact;
        let leaks = self.verdicts[Verdict::Leak.index()];
        let unknown = self.verdicts[Verdict::UNKNOWN];
        Limits {
            leaks: leaks.or(says_nothing.then_some(Range::at_most(0))),
            held: self.held,
            unknown: Some(unknown.unwrap_or(Range::at_most(0))),
        }
    }
}
