//! The findings by process, service and cause, as lines.

use super::code::code_lines;
use super::report::Report;
use crate::place::Place;
use crate::report::table::{Align, cut, table};
use crate::summary::cause::Cause;
use crate::summary::groups::{Group, Holder, Span, Timeout};
use crate::summary::seen::{Party, Said};
use crate::units::{count, duration, packet_time, range, thousands};

/// Characters of statements in a line, where the screen's width is not known.
const WIDE: usize = 100;

/// Groups that are shown with their details, however many there are.
const DETAILED: usize = 1;

/// Groups that are shown, however little room there is.
const FEWEST: usize = 2;

/// The indentation of details.
const INDENT: &str = "       ";

impl Report<'_> {
    pub fn group_count(&self) -> usize {
        self.found.groups.len()
    }

    /// The largest groups that there is room for, and how many are left out. Details where there is room.
    pub fn group_lines(&self, room: usize) -> Vec<String> {
        let groups = self.found.groups.sorted();
        let details: Vec<Option<String>> = groups.iter().map(|group| self.details(group)).collect();
        let height = |line: &String| self.look.screen.height(line);
        let codes = groups.iter().map(|group| code_lines(group, self.look.frames));
        let rows = align(groups.iter().copied().map(row).collect()).into_iter().zip(codes);
        // The functions behind a group stay with it.
        let rows: Vec<Vec<String>> =
            rows.map(|(row, code)| std::iter::once(row).chain(code).collect()).collect();
        let (shown, mut spare) = match self.look.limit() {
            Some(limit) => (groups.len().min(limit), usize::MAX),
            None => {
                self.fit(&rows, details.iter().take(DETAILED).flatten().map(height).sum(), room)
            }
        };
        let mut lines = Vec::new();
        for (row, details) in rows.into_iter().zip(details).take(shown) {
            lines.extend(row);
            if let Some(details) = details.filter(|details| height(details) <= spare) {
                spare -= height(&details);
                lines.push(details);
            }
        }
        let left: u64 = groups[shown..].iter().map(|group| group.count).sum();
        if shown < groups.len() {
            let more = count((groups.len() - shown) as u64, "more group");
            lines.push(format!("  … {more} ({}): --top 0", count(left, "connection")));
        }
        let others = self.found.groups.others();
        if others > 0 {
            let others = count(others, "connection");
            lines.push(format!("  … {others} in groups too small to be kept apart"));
        }
        lines
    }

    /// Counts the rows that there is room for, and the lines that this leaves for details, which should
    /// be enough for the `first` ones.
    fn fit(&self, rows: &[Vec<String>], first: usize, room: usize) -> (usize, usize) {
        let height = |rows: &[Vec<String>]| -> usize {
            rows.iter().flatten().map(|row| self.look.screen.height(row)).sum()
        };
        let all = height(rows);
        if all <= room {
            return (rows.len(), room - all);
        }
        // One line says how many are left out.
        let room = room.saturating_sub(1);
        let spare = if first + FEWEST <= room { first } else { 0 };
        let fit = |n: &usize| height(&rows[..*n]) <= room - spare;
        let shown = (0..=rows.len()).rev().find(fit).unwrap_or(0).max(FEWEST.min(rows.len()));
        (shown, room.saturating_sub(height(&rows[..shown])))
    }

    /// After which pause they were closed; when, how fast they grow, on how many hosts; what was said; doubts.
    fn details(&self, group: &Group) -> Option<String> {
        let mut parts = Vec::new();
        parts.extend(group.timeout().map(|timeout| timeout_words(&timeout)));
        parts.extend(group.span().map(|span| self.span(&span)));
        if let (Party::Local(_), (_, hosts @ 2..)) = (group.party, group.peers()) {
            parts.push(format!("peers at {}{hosts} addresses", at_least(group)));
        }
        let doubts = group.doubts().iter();
        let doubts: Vec<String> =
            doubts.map(|(doubt, n)| format!("{} {}", thousands(*n), doubt.name())).collect();
        if !doubts.is_empty() {
            parts.push(format!("in doubt: {}", doubts.join(", ")));
        }
        let line = format!("{INDENT}{}", parts.join("; "));
        let code = group.said.code.as_ref().map(|code| format!("by {code}"));
        let said = statements(&group.said);
        let said: Vec<String> =
            code.into_iter().chain((!said.is_empty()).then_some(said)).collect();
        let said = said.join("; ");
        if said.is_empty() {
            return (!parts.is_empty()).then_some(line);
        }
        // The statements are cut where they would take more than a line of their own.
        let wide = self
            .look
            .screen
            .width
            .map_or(WIDE, |width| width.saturating_sub(INDENT.len() + 5).min(WIDE));
        Some(format!("{line}; {}", cut(&said, wide.max(FEWEST))))
    }

    /// The times at which the peer closed them, the first and the last; how fast they grow; by whom.
    pub fn span(&self, span: &Span) -> String {
        let time = |place: Place| {
            let time = packet_time(place, self.look.zone, self.dates);
            // To the second: this is about minutes.
            time.split('.').next().unwrap_or_default().to_owned()
        };
        let mut text = format!("FIN at {}", time(span.first));
        if time(span.first) != time(span.last) {
            text += &format!(" … {}", time(span.last));
        }
        if let Some(rate) = span.per_minute {
            text += &format!(", {} a minute", thousands(rate.round().max(1.0) as u64));
        }
        if span.hosts > 1 {
            text += &format!(", on {} hosts", span.hosts);
        }
        if let Some(apart) = span.apart {
            text += &format!(", begun {} apart", duration(apart));
        }
        text
    }
}

/// A group as a row: how many, by whom, at which service, how long, after which pause, why.
fn row(group: &Group) -> Vec<String> {
    let held = group.held().map_or(String::new(), |(least, most)| match range(least, most) {
        one if !one.contains('…') => format!("held ≥ {one}"),
        _ => format!("held ≥ {} … ≥ {}", duration(least), duration(most)),
    });
    let idle = group.idle().map_or(String::new(), |(least, most)| match group.timeout() {
        Some(timeout) => format!("idle {}", duration(timeout.middle)),
        None => format!("idle {}", range(least, most)),
    });
    let n = thousands(group.count);
    vec![n, holder(&group.process), party(group), held, idle, cause(group)]
}

/// Aligned, without columns that are empty in every row.
fn align(mut rows: Vec<Vec<String>>) -> Vec<String> {
    let columns = rows.first().map_or(0, Vec::len);
    for column in (0..columns).rev() {
        if rows.iter().all(|row| row[column].is_empty()) {
            rows.iter_mut().for_each(|row| {
                row.remove(column);
            });
        }
    }
    table(&rows, &[Align::Right])
}

/// The process, or why none is known.
pub fn holder(holder: &Holder) -> String {
    match holder {
        Holder::NotAsked => String::new(),
        Holder::NotListed => "not in the list".into(),
        Holder::Backlog => "(backlog)".into(),
        Holder::Hidden => "(unknown)".into(),
        Holder::By(pid, command) if command.is_empty() => format!("pid {pid}"),
        Holder::By(pid, command) => format!("{command}[{pid}]"),
    }
}

/// The service: the peer where local connected, local's own end where it was connected to.
pub fn party(group: &Group) -> String {
    match (group.party, group.peers()) {
        (Party::Peer(peer), _) => format!("peer {peer}"),
        (Party::Local(own), (ends, _)) => {
            format!("local {own} ({}{})", at_least(group), count(ends as u64, "peer"))
        }
    }
}

/// Before a number of what was too much to be told apart.
fn at_least(group: &Group) -> &'static str {
    if group.is_cut { "≥ " } else { "" }
}

pub fn cause(group: &Group) -> String {
    match (group.cause, group.not_seen) {
        (None, _) => String::new(),
        (Some(Cause::Unknown), Some(why)) => format!("unknown: {why}"),
        (Some(cause), _) => cause.name().into(),
    }
}

/// The timer on the other side, as the pauses before FINs show it.
pub fn timeout_words(timeout: &Timeout) -> String {
    let which = match timeout.closed == timeout.of {
        true => String::new(),
        false => format!("{} of them closed by ", timeout.closed),
    };
    let like = timeout.known().map_or(String::new(), |name| format!(" (like {name})"));
    let spread = duration(timeout.spread);
    format!("{which}a timeout of about {} s there{like} (idle ± {spread})", timeout.about_s())
}

/// `BEGIN; UPDATE …`, or the last statement where no transaction is open.
pub fn statements(said: &Said) -> String {
    match &said.statements[..] {
        [] => said.last.as_ref().map_or(String::new(), |last| format!("last: {last}")),
        open => open.join("; "),
    }
}
