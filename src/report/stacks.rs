//! Connections as stacks, in the folded format: `peer;user/database;statement;…;how it ended N`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::attach::facts::NOT_CAPTURED;
use crate::attach::registry::Withheld;
use crate::attach::sql::tags::code;
use crate::attach::{Facts, PathStep};
use crate::code::{Code, Trace};
use crate::owner::Socket;
use crate::printable::printable;
use crate::summary::Row;
use crate::verdict::local::Local;
use crate::verdict::{Close, Verdict};

/// The last frame of a leak.
const HELD: &str = "CLOSE-WAIT, held";

/// The frame of a conversation that nobody can read.
const ENCRYPTED: &str = "(encrypted)";

/// Octets of all stacks together, which is more than anybody looks at.
const MAX_OCTETS: usize = 8 << 20;

/// The stack that new ones are counted on beyond that limit.
const TOO_MANY: &str = "(too many different stacks)";

/// Connections of one stack: those that were left, and those that were not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Connections that are findings.
    pub findings: u64,
    /// Connections that both sides closed.
    pub closed: u64,
    /// Connections that are neither.
    pub others: u64,
}

impl Count {
    /// Returns the number of all.
    pub fn all(self) -> u64 {
        self.findings + self.closed + self.others
    }
}

/// Stacks with their counts, in the order of their texts.
#[derive(Clone, Debug, Default)]
pub struct Stacks {
    counts: BTreeMap<String, Count>,
    octets: usize,
}

impl Stacks {
    /// Counts a connection, with the functions that used it where they are known.
    pub fn count(&mut self, row: &Row) {
        self.count_as(row, row.owner.code());
    }

    /// Counts a connection by what was said on it alone: those whose functions are known stand beside those
    /// whose are not.
    pub fn count_said(&mut self, row: &Row) {
        self.count_as(row, None);
    }

    fn count_as(&mut self, row: &Row, used_by: Option<&Code>) {
        let count = self.entry(stack(row, used_by), ending(row));
        *match (row.judged.judgement.finding, row.judged.judgement.close) {
            (true, _) => &mut count.findings,
            (false, Close::Closed) => &mut count.closed,
            (false, _) => &mut count.others,
        } += 1;
    }

    /// A socket that was stuck before the capture: nothing of it was seen.
    pub fn count_before(&mut self, socket: &Socket) {
        let stack = folded(&[socket.peer.to_string(), "(before the capture)".into(), HELD.into()]);
        self.entry(stack, HELD).findings += 1;
    }

    fn entry(&mut self, mut stack: String, ending: &str) -> &mut Count {
        if !self.counts.contains_key(&stack) {
            if self.octets + stack.len() > MAX_OCTETS {
                stack = format!("{TOO_MANY};{ending}");
            }
            self.octets += stack.len();
        }
        self.counts.entry(stack).or_default()
    }

    /// Visits the stacks, with their counts, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Count)> {
        self.counts.iter().map(|(stack, count)| (stack.as_str(), *count))
    }
}

/// Lines that flamegraph.pl, inferno and speedscope read.
pub fn write_folded<'a>(
    out: &mut dyn Write,
    counts: impl Iterator<Item = (&'a str, u64)>,
) -> io::Result<()> {
    for (stack, count) in counts.filter(|(_, count)| *count > 0) {
        writeln!(out, "{stack} {count}")?;
    }
    out.flush()
}

fn stack(row: &Row, used_by: Option<&Code>) -> String {
    let facts = row.judged.said.as_deref();
    let mut frames = vec![peer(row), facts.map_or_else(|| unread(row).into(), who)];
    frames.extend(used_by.into_iter().flat_map(functions));
    facts.into_iter().for_each(|facts| said(facts, &mut frames));
    frames.push(ending(row).into());
    folded(&frames)
}

fn folded(frames: &[String]) -> String {
    let frames: Vec<String> = frames.iter().map(|frame| escaped(frame)).collect();
    frames.join(";")
}

/// `;` separates frames, and a line is a stack. What XML has no place for is replaced as well.
fn escaped(frame: &str) -> String {
    let replaced = |c| match c {
        ';' => ':',
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c => c,
    };
    let frame: String = printable(frame).chars().map(replaced).collect();
    let trimmed = frame.trim();
    if trimmed.is_empty() { "(empty)".into() } else { trimmed.into() }
}

/// The other end of the one that is judged. Of a client, the port would tell each from the others.
fn peer(row: &Row) -> String {
    let service = row.judged.service();
    let peer = match (row.judged.judgement.holder, row.judged.judgement.local) {
        (Some(holder), _) => holder.other(),
        (None, Local::Side(local)) => local.other(),
        (None, _) => service,
    };
    let end = row.judged.endpoint(peer);
    if peer == service {
        return end.to_string();
    }
    let shown = end.to_string();
    let host = shown.strip_suffix(&format!(":{}", end.port)).unwrap_or(&shown);
    format!("{host}:*")
}

/// Adds a frame for each statement in order. The same statement many times in a row makes one frame.
fn said(facts: &Facts, frames: &mut Vec<String>) {
    frames.extend(code(&facts.tags).map(|code| format!("by {code}")));
    let same = facts.path.chunk_by(|a, b| a == b && *a != PathStep::NotCaptured);
    frames.extend(same.filter_map(|same| match same {
        [one] => Some(one.to_string()),
        [one, ..] => Some(format!("{one} (repeated)")),
        [] => None,
    }));
    if facts.user.is_some() || !facts.path.is_empty() {
        frames.extend(hidden(facts).map(Into::into));
    }
    if let Some(error) = facts.server_error.as_ref().filter(|error| error.unsolicited) {
        frames.push(format!("(server error {})", error.code));
    }
}

/// The program's own functions that began the transaction, or asked last, the outermost first.
fn functions(code: &Code) -> Vec<String> {
    let traces = [&code.begun, &code.last].into_iter().flatten();
    let own = |trace: &Trace| trace.own().map(|frame| frame.function.clone()).collect::<Vec<_>>();
    let mut names = traces.map(own).find(|own| !own.is_empty()).unwrap_or_default();
    names.reverse();
    names
}

fn who(facts: &Facts) -> String {
    match (&facts.user, &facts.database) {
        (Some(user), Some(database)) => format!("{user}/{database}"),
        (Some(user), None) => user.to_string(),
        (None, Some(database)) => format!("{NOT_CAPTURED}/{database}"),
        (None, None) => hidden(facts).unwrap_or("(login not captured)").into(),
    }
}

/// Names the reason why nothing was read.
fn unread(row: &Row) -> &'static str {
    match row.judged.withheld {
        Some(Withheld::Encrypted) => ENCRYPTED,
        _ => "(protocol not read)",
    }
}

/// Names the reason why nothing more could be read.
fn hidden(facts: &Facts) -> Option<&'static str> {
    match facts {
        Facts { encrypted: true, .. } => Some(ENCRYPTED),
        Facts { compressed: true, .. } => Some("(compressed)"),
        _ => None,
    }
}

fn ending(row: &Row) -> &'static str {
    match row.judged.judgement.verdict {
        Verdict::Leak => HELD,
        Verdict::Reset if row.judged.judgement.finding => "CLOSE-WAIT, then reset",
        Verdict::Pending => "CLOSE-WAIT, pending",
        Verdict::HalfClosed => "CLOSE-WAIT, still sending",
        Verdict::FinUnacked => "FIN unacknowledged",
        Verdict::PeerHolds => "FIN-WAIT-2, waiting for the peer",
        Verdict::Unknown(_) => "unknown",
        Verdict::Closed => "closed",
        Verdict::Reset => "reset",
        Verdict::Attempt => "attempt",
        Verdict::Open => "open",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_part_of_a_line() {
        for (text, expected) in [
            ("select ?; select ?", "select ?: select ?"),
            ("a\nb\u{1b}[2J", "a\u{fffd}b\u{fffd}[2J"),
            ("\u{ffff}", "\u{fffd}"),
            (" \u{2003}", "(empty)"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn stacks_are_bounded() {
        let mut stacks = Stacks::default();
        for n in 0..200_000 {
            stacks.entry(format!("{n:0100}"), HELD).findings += 1;
        }
        let octets: usize = stacks.iter().map(|(stack, _)| stack.len()).sum();
        assert!(octets <= MAX_OCTETS + 100, "{octets}");
        let all: u64 = stacks.iter().map(|(_, count)| count.all()).sum();
        assert_eq!(all, 200_000);
        let many = stacks.iter().find(|(stack, _)| stack.starts_with(TOO_MANY));
        assert!(many.is_some_and(|(_, count)| count.findings > 100_000));
    }
}
