//! The ends of the other connections, the extent of the capture, and the limits of what it shows.

use chrono::TimeDelta;

use super::report::Report;
use crate::decode::Skipped;
use crate::report::lang::Thing;
use crate::summary::{Capture, Difference, SaidEnd};
use crate::units::{clock_time, duration, thousands, zone_mark};
use crate::verdict::Verdict;

/// Snap lengths of a capture that are printed.
const SNAP_LENGTHS: usize = 4;

/// Kinds of skipped packets that are described one by one.
const KINDS: usize = 6;

impl Report<'_> {
    /// Says how the other connections ended.
    pub fn endings(&self) -> Vec<String> {
        let (tally, lang) = (&self.totals.tally, self.lang());
        let ending = |verdict: Verdict, n: u64| {
            let words = lang.n_of(thousands(n), lang.name(verdict));
            match tally.in_transaction {
                open @ 1.. if verdict == Verdict::Open => {
                    words + &lang.in_transaction(thousands(open))
                }
                _ => words,
            }
        };
        let endings: Vec<String> = Verdict::ALL
            .into_iter()
            .zip(tally.verdicts.into_iter().zip(tally.found))
            .map(|(verdict, (all, found))| (verdict, all.saturating_sub(found)))
            .filter(|(_, others)| *others > 0)
            .map(|(verdict, others)| ending(verdict, others))
            .collect();
        let mut lines = Vec::new();
        if !endings.is_empty() {
            let list = endings.join(&lang.comma());
            lines.push(String::new());
            lines.push(match tally.findings {
                0 => lang.all_ended(list),
                _ => lang.others_ended(list),
            });
        }
        for (reason, n) in tally.unknown.iter().filter(|(_, n)| **n > 0) {
            let sentence = lang.reason_sentence(*reason);
            lines.push(lang.unknown_because(thousands(*n), lang.name(*reason), sentence));
        }
        if lines.is_empty() {
            lines.push(String::new());
        }
        lines
    }

    /// Says what the capture was, and what it could not show.
    pub fn limits(&self, captures: usize) -> Vec<String> {
        let (totals, lang) = (self.totals, self.lang());
        let connections = |n| lang.count(n, Thing::Connection);
        let shown = totals.captures.len().min(self.look.limit().unwrap_or(captures));
        let mut lines: Vec<String> =
            totals.captures[..shown].iter().flat_map(|capture| self.limits_of(capture)).collect();
        let left = (totals.captures.len() - shown) as u64;
        if left > 0 {
            lines.push(lang.left_out(lang.count(left, Thing::MoreCapture)).trim_start().to_owned());
        }
        if totals.rewritten > 0 {
            lines.push(lang.rewritten(connections(totals.rewritten)));
        }
        if totals.seen_twice > 0 {
            let seen = connections(totals.seen_twice);
            lines.push(match totals.captures.len() {
                3.. => lang.seen_often(seen),
                _ => lang.seen_twice(seen),
            });
        }
        lines.extend(self.apart());
        if totals.evicted > 0 {
            lines.push(lang.evicted(connections(totals.evicted)));
        }
        if totals.unlisted > 0 {
            lines.push(lang.unlisted(connections(totals.unlisted)));
        }
        lines.extend(totals.code_lost.filter(|lost| *lost > 0).map(super::code::lost));
        lines.extend(self.skipped());
        lines
    }

    /// Counts what was skipped: packets by their kind, and lines of a text.
    fn skipped(&self) -> Vec<String> {
        let line = Skipped::NoPacket.to_string();
        let (lines, packets): (Vec<_>, Vec<_>) =
            self.totals.skipped_by_name().into_iter().partition(|(kind, _)| *kind == line);
        let lines = lines.first().map(|(_, n)| match n {
            1 => self.lang().one_line_skipped(),
            n => self.lang().lines_skipped(thousands(*n)),
        });
        self.packets_skipped(&packets).into_iter().chain(lines).collect()
    }

    fn packets_skipped(&self, skipped: &[(String, u64)]) -> Option<String> {
        let lang = self.lang();
        let all: u64 = skipped.iter().map(|(_, n)| n).sum();
        let shown = skipped.len().min(self.look.limit().unwrap_or(KINDS));
        let named = skipped[..shown].iter();
        let mut kinds: Vec<String> =
            named.map(|(kind, n)| format!("{} {}", lang.kind(kind), thousands(*n))).collect();
        let left = (skipped.len() - shown) as u64;
        if left > 0 {
            kinds.push(lang.count(left, Thing::MoreKind));
        }
        let packets = lang.count(all, Thing::Packet);
        (all > 0).then(|| lang.skipped(packets, kinds.join(&lang.comma())))
    }

    /// Connections that are counted at each point, though they may be the same.
    fn apart(&self) -> Option<String> {
        let apart = duration(TimeDelta::nanoseconds(self.totals.clocks_apart));
        let connections = self.lang().count(self.totals.apart, Thing::Connection);
        (self.totals.apart > 0).then(|| self.lang().apart(connections, apart))
    }

    fn limits_of(&self, capture: &Capture) -> Vec<String> {
        let (mut lines, lang) = (vec![self.description(capture)], self.lang());
        let name = |&i: &usize| self.totals.files.get(i).map_or("", String::as_str);
        let facts = &capture.facts;
        let holes = facts.holes();
        if holes.shown > 0 {
            let of = lang.count(holes.of, Thing::Connection);
            lines.push(lang.missing(thousands(holes.shown), of));
        }
        for gap in &capture.gaps {
            let pause = duration(TimeDelta::nanoseconds(gap.nanos));
            lines.push(lang.pause(pause, name(&gap.before), name(&gap.after)));
        }
        if let (Some(distinct), Some(first)) = (capture.distinct, capture.files.first()) {
            let (first, with) = (name(first), name(&distinct.from));
            lines.push(match distinct.by {
                Difference::Overlap(nanos) => {
                    lang.overlap(first, with, duration(TimeDelta::nanoseconds(nanos)))
                }
                Difference::Dates => lang.of_no_day(first, with),
                Difference::Clock => lang.of_another_clock(first, with),
                Difference::LinkType => lang.other_link_type(first, with),
            });
        }
        let set_back = facts.set_back().map(TimeDelta::nanoseconds);
        lines.extend(set_back.map(|time| lang.set_back(duration(time))));
        lines.extend(capture.said_end.and_then(|said| self.end_not_believed(said)));
        if facts.segments() > 0 && !facts.holds_empty_segments() {
            lines.push(lang.only_payload());
        } else if facts.segments() > 0 && !facts.holds_bare_acks() {
            lines.push(lang.no_bare_ack());
        }
        lines
    }

    /// Says why the capture does not end when the user says that it did.
    fn end_not_believed(&self, said: SaidEnd) -> Option<String> {
        let (lang, time) = (self.lang(), |time| clock_time(time, 0, self.look.zone, true));
        match said {
            SaidEnd::Believed => None,
            SaidEnd::BeforeTheLastPacket(end) => Some(lang.end_too_early(time(end))),
            SaidEnd::OfACopy(end) => Some(lang.end_of_a_copy(time(end))),
            SaidEnd::NotComparable => Some(lang.end_not_comparable()),
            SaidEnd::Unknown => Some(lang.end_unknown()),
        }
    }

    /// Its files, packets, times, snap lengths and drops.
    fn description(&self, capture: &Capture) -> String {
        let lang = self.lang();
        let name = |&i: &usize| self.totals.files.get(i).map_or("", String::as_str);
        let facts = &capture.facts;
        let names = match &capture.files[..] {
            [first, .., last] if capture.files.len() > 2 => {
                lang.files(name(first), name(last), capture.files.len())
            }
            files => files.iter().map(name).collect::<Vec<_>>().join(", "),
        };
        let packets = lang.count(facts.packets(), Thing::Packet);
        let mut text = lang.of_tcp(names, packets, thousands(facts.segments()));
        let known = |place: &crate::place::Place| place.time.nanos().is_some();
        if let (Some(first), Some(last)) = (facts.first().filter(known), facts.last().filter(known))
        {
            // To the second: it is about when, not about which packet.
            let time = |time| clock_time(time, 0, self.look.zone, self.dates);
            // It may be said to have ended later than its last packet.
            let end = facts.end().max(last.time);
            let [zone, later] = [first.time, end].map(|time| zone_mark(time, self.look.zone));
            // Clocks may be put forward or back in it; what has no date has no zone.
            let is_one = zone == later || first.time.is_undated();
            let zone = if is_one { later } else { lang.zones(zone, later) };
            let times = format!("{} … {} {zone}", time(first.time), time(end));
            text += &(lang.comma() + times.trim_end());
            if let Some(nanos) = end.measured_since(first.time) {
                text += &lang.aside(duration(TimeDelta::nanoseconds(nanos)));
            }
        } else if facts.packets() > 0 {
            text += &lang.without_times();
        }
        // A damaged file can have any number of them.
        let mut snaps = facts.snap_lengths().range(1..65_535);
        for snap in snaps.by_ref().take(SNAP_LENGTHS) {
            text += &lang.snap_length(snap);
        }
        match snaps.count() {
            0 => {}
            n => text += &lang.other_lengths(thousands(n as u64)),
        }
        match facts.drops() {
            0 => {}
            n => text += &lang.drops(lang.count(n, Thing::Packet)),
        }
        text + &lang.stop()
    }
}
