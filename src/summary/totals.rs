//! Counts of a run: packets, verdicts, what was skipped, and what each capture was like.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use super::closes::Closes;
use super::history::{History, Series};
use crate::decode::{Layer, Skipped};
use crate::facts::CaptureFacts;
use crate::owner::Socket;
use crate::place::Time;
use crate::verdict::{Reason, Standing, Verdict};

/// Counts of a whole run.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Facts of all captures together.
    pub facts: CaptureFacts,
    /// Counts of connections by verdict.
    pub tally: Tally,
    /// Sockets stuck before the capture: findings, too.
    pub stuck_before: u64,
    /// Others in CLOSE-WAIT since before it, of which nobody knows that it is for as long as `--min-hold`.
    pub pending_before: u64,
    /// A list of sockets was there: what was stuck before the capture would show.
    pub is_listed: bool,
    /// That list has no address of the capture: it seems to be another host's.
    pub has_foreign_list: bool,
    /// Sockets among them with the ends of a connection of the capture, which it did not leave in CLOSE-WAIT.
    pub stuck_otherwise: u64,
    /// Sockets among them, or among the pending ones, of which no packet was captured while the capture went on.
    pub unseen: u64,
    /// Closes of connections, by service.
    pub closes: Closes,
    /// Inputs that could not be read, or not to their end.
    pub unread: u64,
    /// Inputs that ended in the middle of a record, and were read as far as that.
    pub cut_off: u64,
    /// Connections shown under two pairs of addresses, and those seen at two capture points.
    pub rewritten: u64,
    /// Connections that two capture points saw.
    pub seen_twice: u64,
    /// Connections that have the same ends and initial numbers as one at another point, whose clock has
    /// another time for them: each counts.
    pub apart: u64,
    /// Nanoseconds between those clocks, at most.
    pub clocks_apart: i64,
    /// Flows that left memory before their time (`--max-flows`).
    pub evicted: u64,
    /// Flows that are counted and not listed, since there was no memory for their rows (`--max-flows`).
    pub unlisted: u64,
    /// Events of the code behind sockets that did not arrive, where it was watched.
    pub code_lost: Option<u64>,
    /// Packets that are not TCP, or could not be read, by reason.
    pub skipped: BTreeMap<Skipped, u64>,
    /// Packets that others skipped who read the captures, by name; and whether they may be TCP.
    pub skipped_before: BTreeMap<String, (bool, u64)>,
    /// Segments that others found who read the captures, whoever judges them.
    pub segments_before: u64,
    /// Captures, a series of files counting as one.
    pub captures: Vec<Capture>,
    /// Names of all files, safe to print, in the order of places' numbers.
    pub files: Vec<String>,
    /// Files among them that nothing but closewait opens by their names: text, members of archives, pipes.
    pub ours_alone: BTreeSet<usize>,
}

const MALFORMED: Skipped = Skipped::Malformed(Layer::Ip);
const OTHER_LINK: Skipped = Skipped::Unread("malformed IP header: is the link type right?");

/// Judged flows, counted. What several threads counted is added up.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Connections, attempts too.
    pub flows: u64,
    /// Flows with a finding.
    pub findings: u64,
    /// Flows by verdict, in the order of [`Verdict::NAMES`].
    pub verdicts: [u64; Verdict::NAMES.len()],
    /// Connections by verdict that have a finding among them.
    pub found: [u64; Verdict::NAMES.len()],
    /// Connections that cannot be told, by reason.
    pub unknown: BTreeMap<Reason, u64>,
    /// Findings that something speaks against.
    pub doubted: u64,
    /// Flows that would be findings if those with doubts counted (`--certain`).
    pub hidden: u64,
    /// Flows in CLOSE-WAIT at an end that is not the local one.
    pub elsewhere: u64,
    /// Flows neither of whose ends is the local one.
    pub foreign: u64,
    /// Open flows among the others, and mere attempts, refused ones too: nobody has closed these.
    pub not_closed: [u64; 2],
    /// Flows that are left out, since it cannot be told whether they have the tags that were asked for.
    pub tags_untold: u64,
    /// Connections among those that would be findings, or pending.
    pub tags_untold_held: u64,
    /// Connections that would be findings, or pending, and are left out: they are in no protocol that is read, so their
    /// tags are not known either.
    pub tags_unread_held: u64,
    /// Flows with a FIN that does not count.
    pub fins_without_effect: u64,
    /// Open flows of which one side alone was captured.
    pub one_sided: u64,
    /// Open flows of Multipath TCP.
    pub multipath: u64,
    /// Open flows whose last transaction is open, as far as it was read.
    pub in_transaction: u64,
    /// Flows that left memory early, and could have gone on: how they ended is not known.
    pub given_up: u64,
}

/// One capture point: a file, or a series of files that follow one another.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// Indexes into [`Totals::files`].
    pub files: Vec<usize>,
    /// Time without any packet between two of its files.
    pub gaps: Vec<Gap>,
    /// The reason why it is a capture of its own.
    pub distinct: Option<Distinct>,
    /// Its times, packets, drops and the like.
    pub facts: CaptureFacts,
    /// Files that packets are missing from, as the kernel or the file itself counts them.
    pub drops: Vec<Drops>,
    /// Sockets of the local side by state over time.
    pub history: History,
    /// The outcome for an end that the user said (`--end`).
    pub said_end: Option<SaidEnd>,
}

impl Capture {
    /// Tells whether its packets are those of a text, which has nothing of what they carried.
    pub fn is_text(&self) -> bool {
        self.facts.is_of_text()
    }
}

/// The outcome for a capture's end that the user said: what cannot be is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaidEnd {
    /// The capture ends then.
    Believed,
    /// The end lies before the last packet.
    BeforeTheLastPacket(Time),
    /// The file was changed so long after its last packet that it must be a copy.
    OfACopy(Time),
    /// The packets have times of day without a date.
    NotComparable,
    /// The input has no time of its last change.
    Unknown,
}

/// Packets that were dropped some time in a file.
#[derive(Clone, Copy, Debug)]
pub struct Drops {
    /// The beginning of the time in which they were dropped.
    pub from: Time,
    /// The end of that time.
    pub until: Time,
    /// Packets that were dropped in it.
    pub packets: u64,
}

/// Nothing was captured between two files of a series.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// Indexes into [`Totals::files`].
    pub before: usize,
    /// The file that begins after it, by its number.
    pub after: usize,
    /// The end of the one before.
    pub from: Time,
    /// Nanoseconds of it.
    pub nanos: i64,
}

/// A capture that is none with another, though both were read in one run.
#[derive(Clone, Copy, Debug)]
pub struct Distinct {
    /// The other's file: an index into [`Totals::files`].
    pub from: usize,
    /// The difference between them.
    pub by: Difference,
}

/// The difference between two captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// One began while the other went on: so many nanoseconds are covered by both.
    Overlap(i64),
    /// One has dates, the other times of day alone.
    Dates,
    /// One follows in time, and shows handshakes that the other has shown: by another clock.
    Clock,
    /// One follows in time, and is of another link type.
    LinkType,
}

impl Capture {
    /// Sockets by state, from the first packet to the end.
    pub fn series(&self) -> Option<Series> {
        self.history.series(self.facts.first()?.time, self.facts.end())
    }
}

impl Tally {
    /// Counts a connection by its verdict.
    pub fn count(&mut self, standing: impl Into<Standing>) {
        self.change(standing.into(), |n| *n += 1);
    }

    /// Counts a connection that is left out, since its tags cannot be told.
    pub fn leave_out(&mut self, standing: impl Into<Standing>) {
        self.tags_untold += 1;
        self.tags_untold_held += u64::from(is_held(standing.into()));
    }

    /// Counts a connection that is left out, since nobody has read what is said on it.
    pub fn leave_out_unread(&mut self, standing: impl Into<Standing>) {
        self.tags_unread_held += u64::from(is_held(standing.into()));
    }

    /// Takes back what was counted.
    pub fn uncount(&mut self, standing: impl Into<Standing>) {
        self.change(standing.into(), |n| *n = n.saturating_sub(1));
    }

    fn change(&mut self, standing: Standing, by_one: fn(&mut u64)) {
        let change_if = |n: &mut u64, is: bool| {
            if is {
                by_one(n);
            }
        };
        let Standing { verdict, finding, hidden, doubted, elsewhere, foreign, .. } = standing;
        change_if(&mut self.flows, true);
        change_if(&mut self.findings, finding);
        change_if(&mut self.verdicts[verdict.index()], true);
        change_if(&mut self.found[verdict.index()], finding);
        change_if(&mut self.doubted, finding && doubted);
        change_if(&mut self.hidden, hidden);
        change_if(&mut self.elsewhere, elsewhere);
        change_if(&mut self.foreign, foreign);
        let [open, attempts] = &mut self.not_closed;
        change_if(open, !foreign && verdict == Verdict::Open);
        change_if(attempts, !foreign && (verdict == Verdict::Attempt || standing.refused));
        change_if(&mut self.fins_without_effect, standing.fin_without_effect);
        change_if(&mut self.one_sided, standing.one_sided);
        change_if(&mut self.multipath, standing.multipath);
        if let Verdict::Unknown(reason) = verdict {
            by_one(self.unknown.entry(reason).or_default());
        }
    }

    /// Returns the number of connections with a verdict.
    pub fn of(&self, verdict: Verdict) -> u64 {
        self.verdicts[verdict.index()]
    }

    /// Connections are open, and none was closed or reset: there is nothing that a side could have left. Those between
    /// others show nothing of the local side.
    pub fn is_nobody_closing(&self) -> bool {
        let [open, attempts] = self.not_closed;
        open > 0 && open + attempts == self.own()
    }

    /// Connections that have a local end, as far as is known.
    pub fn own(&self) -> u64 {
        self.flows.saturating_sub(self.foreign)
    }

    /// `--local` names no end of any connection: nothing was judged.
    pub fn is_of_others(&self) -> bool {
        self.flows > 0 && self.foreign == self.flows
    }

    /// Flows of which it cannot be told whether somebody holds them still.
    pub fn not_judged(&self) -> u64 {
        let ended = self.unknown.get(&Reason::Reused).copied().unwrap_or(0);
        self.unknown.values().sum::<u64>().saturating_sub(ended)
    }
}

/// Is it a finding, or one that would count later, or without doubts?
fn is_held(standing: Standing) -> bool {
    standing.finding || standing.hidden || standing.verdict == Verdict::Pending
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Tally) {
        self.flows += more.flows;
        self.findings += more.findings;
        self.doubted += more.doubted;
        self.hidden += more.hidden;
        self.elsewhere += more.elsewhere;
        self.foreign += more.foreign;
        self.fins_without_effect += more.fins_without_effect;
        self.tags_untold += more.tags_untold;
        self.tags_untold_held += more.tags_untold_held;
        self.tags_unread_held += more.tags_unread_held;
        for (n, more) in self.not_closed.iter_mut().zip(more.not_closed) {
            *n += more;
        }
        self.one_sided += more.one_sided;
        self.multipath += more.multipath;
        self.in_transaction += more.in_transaction;
        self.given_up += more.given_up;
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
    /// Counts a packet that was left out.
    pub fn skip(&mut self, reason: Skipped) {
        *self.skipped.entry(reason).or_default() += 1;
    }

    /// Counts a socket that was in CLOSE-WAIT before the capture, or whose packets were all lost.
    pub fn count_before(&mut self, socket: &Socket, verdict: Verdict) {
        let is_counted = matches!(verdict, Verdict::Leak | Verdict::Pending);
        self.unseen += u64::from(socket.is_unseen && is_counted);
        self.stuck_before += u64::from(verdict == Verdict::Leak);
        self.pending_before += u64::from(verdict == Verdict::Pending);
    }

    /// Flows with a finding, and sockets stuck before the capture.
    pub fn findings(&self) -> u64 {
        self.tally.findings + self.stuck_before
    }

    /// Counts packets whose IP header contradicts itself.
    pub fn malformed(&self) -> u64 {
        self.skipped.get(&MALFORMED).copied().unwrap_or(0)
    }

    /// Counts so many malformed packets as unread: it is the link type that is wrong.
    pub fn doubt_link_type(&mut self, malformed: u64) {
        self.skipped.entry(MALFORMED).and_modify(|n| *n -= malformed);
        self.skipped.retain(|_, n| *n > 0);
        *self.skipped.entry(OTHER_LINK).or_default() += malformed;
    }

    /// Packets that nobody can look into, by their encryption, where no other is of TCP: then it may be all in these.
    pub fn sealed(&self) -> BTreeMap<&str, u64> {
        let mut sealed = BTreeMap::new();
        if self.facts.segments().max(self.segments_before) > 0 {
            return sealed;
        }
        let here = self.skipped.iter().filter_map(|(kind, n)| Some((kind.sealed_by()?, *n)));
        let before = self.skipped_before.iter();
        let before = before.filter_map(|(name, (_, n))| Some((Skipped::sealed_by_name(name)?, *n)));
        for (by, n) in here.chain(before) {
            let sum = sealed.entry(by).or_insert(0_u64);
            *sum = sum.saturating_add(n);
        }
        sealed
    }

    /// Packets that may well be TCP and could not be read.
    pub fn unread_packets(&self) -> u64 {
        let here = self.skipped.iter().filter(|(kind, _)| kind.may_be_tcp()).map(|(_, n)| n);
        let before = self.skipped_before.values().filter(|(may_be_tcp, _)| *may_be_tcp);
        let sealed = self.sealed();
        let all = here.chain(before.map(|(_, n)| n)).chain(sealed.values());
        all.fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// The numbers of the headline.
    pub fn headline(&self) -> Headline {
        let tally = &self.tally;
        let leaks = tally.found[Verdict::Leak.index()];
        let pending = tally.of(Verdict::Pending);
        Headline {
            close_wait: tally.of(Verdict::Leak).saturating_sub(tally.elsewhere) + pending,
            findings: tally.findings,
            certain: tally.findings.saturating_sub(tally.doubted),
            doubted: tally.doubted,
            hidden: tally.hidden,
            pending,
            descriptors: tally.findings.saturating_sub(leaks),
            before_capture: self.stuck_before,
            pending_before: self.pending_before,
            elsewhere: tally.elsewhere,
            not_judged: tally.not_judged(),
            one_sided: tally.one_sided,
            multipath: tally.multipath,
            tags_untold: tally.tags_untold_held,
            tags_unread: tally.tags_unread_held,
            foreign: tally.foreign,
            given_up: tally.given_up,
            unread: self.unread,
            cut_off: self.cut_off,
            unread_packets: self.unread_packets(),
        }
    }

    /// Returns skipped packets by name, the most frequent first. A capture can hold any number of kinds:
    /// the rarest are summed up.
    pub fn skipped_by_name(&self) -> Vec<(String, u64)> {
        const KINDS: usize = 32;
        let here = self.skipped.iter().map(|(kind, n)| (kind.to_string(), *n));
        let before = self.skipped_before.iter().map(|(kind, (_, n))| (kind.clone(), *n));
        let mut kinds: Vec<(String, u64)> = here.chain(before).collect();
        kinds.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let rest: u64 = kinds.iter().skip(KINDS).fold(0, |sum, (_, n)| sum.saturating_add(*n));
        kinds.truncate(KINDS);
        if rest > 0 {
            kinds.push(("other".into(), rest));
        }
        kinds
    }
}

/// Numbers of connections as a capture's end found them, for the first line of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headline {
    /// In CLOSE-WAIT at the local end, whatever speaks against it, pending ones too.
    pub close_wait: u64,
    /// Findings among what was captured.
    pub findings: u64,
    /// Findings without any doubt.
    pub certain: u64,
    /// Findings with one.
    pub doubted: u64,
    /// Not counted because of `--certain`.
    pub hidden: u64,
    /// Connections held for less than `--min-hold`.
    pub pending: u64,
    /// Findings whose socket the kernel forgot.
    pub descriptors: u64,
    /// Sockets in CLOSE-WAIT since before the capture.
    pub before_capture: u64,
    /// Others of which nobody knows that it is for as long as `--min-hold`.
    pub pending_before: u64,
    /// In CLOSE-WAIT at an end that is not local.
    pub elsewhere: u64,
    /// Connections of which it cannot be told.
    pub not_judged: u64,
    /// Open connections of which one side alone was captured.
    pub one_sided: u64,
    /// Open connections of Multipath TCP, whose end is not read.
    pub multipath: u64,
    /// Connections that would count, and are left out since their tags cannot be told.
    pub tags_untold: u64,
    /// Connections that would count, and are left out since they are in no protocol that is read.
    pub tags_unread: u64,
    /// Connections that are not between ends of which one was named as local.
    pub foreign: u64,
    /// Connections that left memory before their end was known (`--max-flows`).
    pub given_up: u64,
    /// Inputs that could not be read, or not to their end.
    pub unread: u64,
    /// Packets that may well be TCP, and could not be read.
    pub unread_packets: u64,
    /// Inputs that end in the middle of a record.
    pub cut_off: u64,
}

impl Headline {
    /// Nothing is in CLOSE-WAIT, and everything was read, and judged where it may be local.
    pub fn is_all_clear(self) -> bool {
        Headline { foreign: 0, ..self } == Headline::default()
    }

    /// There are findings, and none of them is in CLOSE-WAIT any more.
    pub fn is_all_reset(self) -> bool {
        self.findings > 0 && self.descriptors == self.findings
    }
}
