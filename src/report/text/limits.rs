//! The ends of the other connections, the extent of the capture, and the limits of what it shows.

use chrono::TimeDelta;

use super::report::Report;
use crate::decode::Skipped;
use crate::summary::Capture;
use crate::units::{clock_time, count, duration, missing, thousands, zone_mark};
use crate::verdict::{Close, Verdict};

/// Snap lengths of a capture that are printed.
const SNAP_LENGTHS: usize = 4;

/// Captures, and kinds of skipped packets, that are described one by one.
const CAPTURES: usize = 3;
const KINDS: usize = 6;

impl Report<'_> {
    /// Says how the other connections ended.
    pub fn endings(&self) -> Vec<String> {
        let tally = &self.totals.tally;
        let endings: Vec<String> = Verdict::NAMES
            .into_iter()
            .zip(tally.verdicts.into_iter().zip(tally.found))
            .map(|(name, (all, found))| (name, all.saturating_sub(found)))
            .filter(|(_, others)| *others > 0)
            .map(|(name, others)| match (name == Close::Open.name(), tally.in_transaction) {
                (true, 1..) => {
                    let n = thousands(tally.in_transaction);
                    format!("{} {name} ({n} in a transaction)", thousands(others))
                }
                _ => format!("{} {name}", thousands(others)),
            })
            .collect();
        let mut lines = Vec::new();
        if !endings.is_empty() {
            let which = if tally.findings > 0 { "The other connections" } else { "Connections" };
            lines.push(String::new());
            lines.push(format!("{which}: {}.", endings.join(", ")));
        }
        for (reason, n) in tally.unknown.iter().filter(|(_, n)| **n > 0) {
            let (n, name, sentence) = (thousands(*n), reason.name(), reason.sentence());
            lines.push(format!("{n} unknown ({name}): {sentence}."));
        }
        if lines.is_empty() {
            lines.push(String::new());
        }
        lines
    }

    /// Says what the capture was, and what it could not show.
    pub fn limits(&self) -> Vec<String> {
        let totals = self.totals;
        let shown = totals.captures.len().min(self.look.limit().unwrap_or(CAPTURES));
        let mut lines: Vec<String> =
            totals.captures[..shown].iter().flat_map(|capture| self.limits_of(capture)).collect();
        let left = (totals.captures.len() - shown) as u64;
        if left > 0 {
            lines.push(format!("… {}: --top 0", count(left, "more capture")));
        }
        if totals.rewritten > 0 {
            lines.push(format!(
                "Addresses were rewritten (NAT, a sidecar?): {} shown under two pairs of them, counted once, as dialled.",
                count(totals.rewritten, "connection")
            ));
        }
        if totals.seen_twice > 0 {
            let twice = count(totals.seen_twice, "connection");
            lines.push(format!("{twice} seen at two capture points, counted once."));
        }
        if totals.evicted > 0 {
            lines.push(format!(
                "{} left memory early and were judged by what was seen until then: --max-flows raises the limit.",
                count(totals.evicted, "connection")
            ));
        }
        if totals.unlisted > 0 {
            lines.push(format!(
                "{} more are counted, and not listed or grouped: --max-flows raises the limit, --all --format jsonl has none.",
                count(totals.unlisted, "connection")
            ));
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
            1 => "Skipped 1 line that is not a packet line.".to_owned(),
            n => format!("Skipped {} lines that are not packet lines.", thousands(*n)),
        });
        self.packets_skipped(&packets).into_iter().chain(lines).collect()
    }

    fn packets_skipped(&self, skipped: &[(String, u64)]) -> Option<String> {
        let all: u64 = skipped.iter().map(|(_, n)| n).sum();
        let shown = skipped.len().min(self.look.limit().unwrap_or(KINDS));
        let named = skipped[..shown].iter();
        let mut kinds: Vec<String> =
            named.map(|(kind, n)| format!("{kind} {}", thousands(*n))).collect();
        let left = (skipped.len() - shown) as u64;
        if left > 0 {
            kinds.push(count(left, "more kind"));
        }
        (all > 0).then(|| format!("Skipped {}: {}.", count(all, "packet"), kinds.join(", ")))
    }

    fn limits_of(&self, capture: &Capture) -> Vec<String> {
        let mut lines = vec![self.description(capture)];
        let name = |&i: &usize| self.totals.files.get(i).map_or("", String::as_str);
        let facts = &capture.facts;
        if let Some(holes) = missing(facts.holes()) {
            lines.push(format!("Packets are {holes}."));
        }
        for gap in &capture.gaps {
            let pause = duration(TimeDelta::nanoseconds(gap.nanos));
            let (before, after) = (name(&gap.before), name(&gap.after));
            lines.push(format!("Nothing was captured for {pause} between {before} and {after}."));
        }
        if let (Some(overlap), Some(first)) = (capture.overlap, capture.files.first()) {
            let (first, with) = (name(first), name(&overlap.with));
            let why = match overlap.nanos {
                Some(nanos) => {
                    format!("overlaps {with} by {}", duration(TimeDelta::nanoseconds(nanos)))
                }
                None => format!("is of another link type than {with}"),
            };
            lines.push(format!("{first} {why}: read as a capture of another point."));
        }
        if facts.segments() > 0 && !facts.holds_empty_segments() {
            lines.push(
                "It holds only packets with payload: a FIN or an ACK without any cannot show."
                    .into(),
            );
        } else if facts.segments() > 0 && !facts.holds_bare_acks() {
            lines.push(
                "It holds no bare ACK (a filter on flags?): whether a FIN was acknowledged is inferred."
                    .into(),
            );
        }
        lines
    }

    /// Its files, packets, times, snap lengths and drops.
    fn description(&self, capture: &Capture) -> String {
        let name = |&i: &usize| self.totals.files.get(i).map_or("", String::as_str);
        let facts = &capture.facts;
        let names = match &capture.files[..] {
            [first, .., last] if capture.files.len() > 2 => {
                format!("{} … {} ({} files)", name(first), name(last), capture.files.len())
            }
            files => files.iter().map(name).collect::<Vec<_>>().join(", "),
        };
        let (packets, segments) = (count(facts.packets(), "packet"), thousands(facts.segments()));
        let mut text = format!("{names}: {packets}, {segments} of TCP");
        let known = |place: &crate::place::Place| place.time.nanos().is_some();
        if let (Some(first), Some(last)) = (facts.first().filter(known), facts.last().filter(known))
        {
            // To the second: it is about when, not about which packet.
            let time = |time| clock_time(time, 0, self.look.zone, self.dates);
            let zone = zone_mark(first, self.look.zone);
            // It may be said to have ended later than its last packet.
            let end = facts.end().max(last.time);
            text += &format!(", {} … {} {zone}", time(first.time), time(end));
            if let Some(nanos) = end.since(first.time) {
                text += &format!(" ({})", duration(TimeDelta::nanoseconds(nanos)));
            }
        } else if facts.packets() > 0 {
            text += ", without times";
        }
        // A damaged file can have any number of them.
        let mut snaps = facts.snap_lengths().range(1..65_535);
        for snap in snaps.by_ref().take(SNAP_LENGTHS) {
            text += &format!(", snap length {snap}");
        }
        match snaps.count() {
            0 => {}
            n => text += &format!(" and {} others", thousands(n as u64)),
        }
        match facts.drops() {
            0 => {}
            n => text += &format!(", {} dropped", count(n, "packet")),
        }
        text + "."
    }
}
