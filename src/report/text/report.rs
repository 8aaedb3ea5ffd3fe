//! The report: what there is to say, in which order, and how much of it there is room for.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::net::IpAddr;

use chrono::TimeDelta;

use super::TextLook;
use super::curves::Curves;
use super::headline::{by_address, headline, how_local};
use super::page::HEIGHT;
use crate::place::{Place, Time};
use crate::report::lang::Lang;
use crate::report::shared::Shared;
use crate::summary::Totals;
use crate::summary::found::Found;
use crate::summary::groups::Group;
use crate::summary::seen::{Process, Seen};
use crate::tcp::segment::Endpoint;
use crate::units::{Zone, clock_time};

/// Captures that are described one by one, and groups of sockets that were stuck before: fewer where the headline would
/// leave the screen for them.
const EXTENTS: [(usize, usize); 5] = [(3, 4), (2, 4), (1, 4), (1, 2), (1, 1)];

/// Lines that the findings get before anything is said at length.
const LEAST: usize = 12;

/// Lines that they cannot do without: a group, what is left out, and empty lines around both.
const SHORTEST: usize = 6;

/// The subject of a report, and its look.
pub struct Report<'a> {
    pub look: &'a TextLook,
    pub dates: bool,
    pub totals: &'a Totals,
    pub found: &'a Found,
    /// Its groups by service, once somebody has asked for them.
    pub groups: OnceCell<Vec<Cow<'a, Group>>>,
    /// Findings that were kept, the longest held first.
    pub longest: Vec<&'a Seen>,
    pub others: &'a [Seen],
    /// The number of those that were not kept.
    pub more_others: u64,
    pub before: &'a [Before],
    pub owners: bool,
    pub listed: bool,
    pub peer_holders: &'a BTreeSet<IpAddr>,
    pub shared: &'a Shared,
}

/// A socket in CLOSE-WAIT since before the capture.
#[derive(Debug)]
pub struct Before {
    pub local: Endpoint,
    pub peer: Endpoint,
    pub process: Process,
    pub held: Option<TimeDelta>,
    pub idle: Option<TimeDelta>,
}

impl Report<'_> {
    /// All lines. The findings get what room the rest leaves on a screen; who closed first, what they leave.
    pub fn lines(&self) -> Vec<String> {
        let history = self.history();
        let (captures, before) = self.extent(&history);
        let (mut lines, rest) = (self.beginning(history.of(captures)), self.advice(before));
        let (on, end) = (self.ways_on(), self.end(captures));
        let fixed = [&lines, &rest, &on, &end].map(|lines| self.height(lines)).iter().sum();
        // The prompt takes a line, too.
        let mut room = (HEIGHT - 1).saturating_sub(fixed);
        let for_findings = if self.found.is_empty() { 0 } else { LEAST };
        let besides = self.besides(room.saturating_sub(for_findings));
        room = room.saturating_sub(self.height(&besides));
        if !self.found.is_empty() {
            let findings = self.findings(room);
            room = room.saturating_sub(self.height(&findings));
            lines.extend(findings);
        }
        lines.extend(rest);
        lines.extend(besides);
        lines.extend(self.closed_first(room));
        lines.extend(on);
        if self.look.all {
            lines.extend(self.other_table());
        }
        lines.extend(end);
        // Parts have empty lines around them, whether there is another beside them or not.
        lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
        lines
    }

    /// The widest that leaves room for the shortest list of findings.
    fn extent(&self, history: &Curves) -> (usize, usize) {
        let least = if self.found.is_empty() { 0 } else { SHORTEST };
        let fits = |(captures, before): &(usize, usize)| {
            let beginning = self.beginning(history.of(*captures));
            let parts = [beginning, self.advice(*before), self.ways_on(), self.end(*captures)];
            parts.iter().map(|lines| self.height(lines)).sum::<usize>() + least < HEIGHT
        };
        let [.., narrowest] = EXTENTS;
        let asked = self.look.limit().map(|limit| (limit, limit));
        asked.unwrap_or_else(|| EXTENTS.into_iter().find(fits).unwrap_or(narrowest))
    }

    /// The answer: how many, where, and how they became more.
    fn beginning(&self, history: Vec<String>) -> Vec<String> {
        let mut lines = vec![headline(self.totals, self.found, self.peer_holders, self.lang())];
        lines.extend(by_address(self.found, self.lang()));
        lines.extend(how_local(self.found, self.lang()));
        lines.extend(history);
        lines
    }

    /// Sockets that are stuck besides, and what all of it means.
    fn advice(&self, before: usize) -> Vec<String> {
        let mut lines = self.before_lines(before);
        lines.extend(self.notes());
        lines
    }

    /// The findings in groups, and one by one where they are few or it was asked for.
    fn findings(&self, room: usize) -> Vec<String> {
        // Empty lines around both.
        let room = room.saturating_sub(2);
        let (each, groups) = (self.finding_table(), self.groups());
        let all_fit = self.longest.len() as u64 == self.found.count || self.look.limit().is_some();
        let beside = room.checked_sub(self.height(&each) + 1).filter(|_| all_fit);
        let few = beside.filter(|beside| *beside >= self.least_room(&groups));
        let mut lines = vec![String::new()];
        lines.extend(self.group_lines(&groups, few.unwrap_or(room)));
        if few.is_some() || self.look.limit().is_some() {
            lines.push(String::new());
            lines.extend(each);
        } else if self.height(&lines) < room {
            lines.push(self.lang().one_by_one());
        }
        lines.push(String::new());
        lines
    }

    /// Says how the other connections ended, and what the capture was.
    fn end(&self, captures: usize) -> Vec<String> {
        let mut lines = self.endings();
        lines.extend(self.limits(captures));
        lines
    }

    pub fn lang(&self) -> Lang {
        self.look.screen.lang
    }

    fn height(&self, lines: &[String]) -> usize {
        lines.iter().map(|line| self.look.screen.height(line)).sum()
    }
}

/// Times alone do not tell the day.
pub fn crosses_midnight(totals: &Totals, zone: Zone) -> bool {
    let day = |time: Time| {
        time.nanos()?;
        Some(clock_time(time, 0, zone, true).split(' ').next()?.to_owned())
    };
    let of = |place: Option<Place>| place.and_then(|place| day(place.time));
    let (first, last) = (of(totals.facts.first()), of(totals.facts.last()));
    // It may be said to have ended on a later day than that of its last packet.
    let ends = [last, day(totals.facts.end())];
    first.is_some_and(|first| ends.into_iter().flatten().any(|end| end != first))
}
