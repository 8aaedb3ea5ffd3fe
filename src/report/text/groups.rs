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

/// Groups that are shown without details, however little room there is.
const FEWEST: usize = 2;

/// The indentation of details.
const INDENT: &str = "       ";

/// The groups as cells and lines: the row of each, the functions behind it, and its details.
pub struct GroupLines {
    rows: Vec<Vec<String>>,
    codes: Vec<Vec<String>>,
    details: Vec<Option<String>>,
}

impl GroupLines {
    /// The first of them, aligned by themselves: none makes room for what is left out.
    fn first(&self, n: usize) -> Vec<Vec<String>> {
        let rows = align(self.rows[..n].to_vec()).into_iter().zip(&self.codes);
        // The functions behind a group stay with it.
        rows.map(|(row, code)| std::iter::once(row).chain(code.iter().cloned()).collect()).collect()
    }
}

/// The groups that are shown, and those of them whose details are: the first.
struct Shown {
    rows: Vec<Vec<String>>,
    details: usize,
}

impl Report<'_> {
    pub fn groups(&self) -> GroupLines {
        let groups = self.found.groups.sorted();
        GroupLines {
            rows: groups.iter().copied().map(row).collect(),
            codes: groups.iter().map(|group| code_lines(group, self.look.frames)).collect(),
            details: groups.iter().map(|group| self.details(group)).collect(),
        }
    }

    /// The room that all groups need at least: what is known of the largest is worth more than a list of its
    /// connections.
    pub fn least_room(&self, groups: &GroupLines) -> usize {
        let more = groups.details.iter().skip(DETAILED).any(Option::is_some);
        let rows = self.room_of(&groups.first(groups.rows.len()));
        rows + self.room_of_details(groups, DETAILED) + usize::from(more)
    }

    /// The largest groups that there is room for, then the details that there is, in this order; and how many
    /// of both are left out.
    pub fn group_lines(&self, groups: &GroupLines, room: usize) -> Vec<String> {
        let shown = match self.look.limit() {
            Some(limit) => {
                let rows = groups.first(groups.rows.len().min(limit));
                Shown { details: rows.len(), rows }
            }
            None => self.fit(groups, room),
        };
        let n = shown.rows.len();
        let mut lines = Vec::new();
        for (at, row) in shown.rows.into_iter().enumerate() {
            lines.extend(row);
            lines.extend(groups.details[at].clone().filter(|_| at < shown.details));
        }
        let without = groups.details[..n].iter().skip(shown.details).flatten().count();
        lines.extend(self.left_out(n, without as u64));
        let others = self.found.groups.others();
        if others > 0 {
            let others = count(others, "connection");
            lines.push(format!("  … {others} in groups too small to be kept apart"));
        }
        lines
    }

    /// Counts groups that are not shown, and those that are without what is known of them.
    fn left_out(&self, shown: usize, without_details: u64) -> Option<String> {
        let left = &self.found.groups.sorted()[shown..];
        let connections: u64 = left.iter().map(|group| group.count).sum();
        let connections = count(connections, "connection");
        let more = count(left.len() as u64, "more group");
        Some(match (left.len(), without_details) {
            (0, 0) => return None,
            (0, n) => format!("  … details of {}: --top 0", count(n, "group")),
            (_, 0) => format!("  … {more} ({connections}): --top 0"),
            (_, n) => format!("  … {more} ({connections}), details of {n} above: --top 0"),
        })
    }

    /// Fits in as many rows as there is room for beside the details of the first; then details.
    fn fit(&self, groups: &GroupLines, room: usize) -> Shown {
        let most = groups.rows.len();
        // A row takes a line at least.
        if most <= room {
            let rows = groups.first(most);
            if self.room_of(&rows) + self.room_of_details(groups, most) <= room {
                return Shown { rows, details: most };
            }
        }
        // One line says how many are left out.
        let room = room.saturating_sub(1);
        let first = self.room_of_details(groups, DETAILED);
        let (first, fewest) = if first < room { (first, 1) } else { (0, FEWEST) };
        let mut rows = groups.first(most.min(room.max(fewest)));
        while rows.len() > fewest && self.room_of(&rows) + first > room {
            rows = groups.first(rows.len() - 1);
        }
        let spare = room.saturating_sub(self.room_of(&rows));
        let fits = |n: &usize| self.room_of_details(groups, *n) <= spare;
        let details = (0..=rows.len()).rev().find(fits).unwrap_or(0);
        Shown { rows, details }
    }

    fn room_of(&self, rows: &[Vec<String>]) -> usize {
        rows.iter().flatten().map(|row| self.look.screen.height(row)).sum()
    }

    fn room_of_details(&self, groups: &GroupLines, n: usize) -> usize {
        let details = groups.details.iter().take(n).flatten();
        details.map(|line| self.look.screen.height(line)).sum()
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
