//! The findings by process, service and cause, as lines.

use std::borrow::Cow;

use super::code::code_lines;
use super::page::HEIGHT;
use super::report::Report;
use crate::place::Place;
use crate::report::lang::{Lang, Thing};
use crate::report::pace::pace;
use crate::report::table::{Align, cut, table};
use crate::summary::cause::Cause;
use crate::summary::groups::{Group, Holder, Span, Timeout};
use crate::summary::hold::Hold;
use crate::summary::seen::{Party, Said};
use crate::units::{duration, packet_time, thousands};

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
    /// As many as can be shown: of thousands, a screen has room for a few.
    pub fn groups(&self) -> GroupLines {
        let mut groups = self.shown_groups();
        groups.truncate(self.look.limit().unwrap_or(HEIGHT));
        GroupLines {
            rows: groups.iter().map(|group| row(group, self.lang())).collect(),
            codes: groups.iter().map(|group| code_lines(group, self.look.frames)).collect(),
            details: groups.iter().map(|group| self.details(group)).collect(),
        }
    }

    /// All of them, each for itself, only where nothing is to be left out.
    fn shown_groups(&self) -> Vec<&Group> {
        match self.look.limit() {
            Some(usize::MAX) => self.found.groups.sorted(),
            _ => self.by_service().iter().map(Cow::as_ref).collect(),
        }
    }

    /// The groups by service, put in order once for all that is told of them.
    pub fn by_service(&self) -> &[Cow<'_, Group>] {
        self.groups.get_or_init(|| self.found.groups.by_service())
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
            lines.push(self.lang().too_small(self.lang().count(others, Thing::Connection)));
        }
        lines
    }

    /// Counts groups that are not shown, and those that are without what is known of them.
    fn left_out(&self, shown: usize, without_details: u64) -> Option<String> {
        let left = &self.shown_groups()[shown..];
        let connections: u64 = left.iter().map(|group| group.count).sum();
        let lang = self.lang();
        let connections = lang.count(connections, Thing::Connection);
        let more = lang.count(left.len() as u64, Thing::MoreGroup);
        Some(match (left.len(), without_details) {
            (0, 0) => return None,
            (0, n) => lang.details_left(lang.count(n, Thing::Group)),
            (_, 0) => lang.groups_left(more, connections),
            (_, n) => lang.groups_and_details_left(more, connections, n),
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

    /// After which pause they were closed; when, how fast they grow, at how many addresses; what was said; doubts.
    fn details(&self, group: &Group) -> Option<String> {
        let (mut parts, lang) = (Vec::new(), self.lang());
        parts.extend(closed_words(group, lang));
        parts.extend(group.span().map(|span| self.span(&span)));
        if let (Party::Local(_), (_, hosts @ 2..)) = (group.party, group.peers()) {
            parts.push(lang.peer_addresses(format!("{}{hosts}", at_least(group))));
        }
        if !group.doubts().is_empty() {
            parts.push(lang.in_doubt(self.doubt_list(group.doubts().iter())));
        }
        let line = format!("{INDENT}{}", parts.join(&lang.semicolon()));
        let code = group.said.code.as_ref().map(|code| lang.by_code(code));
        let said = statements(&group.said, lang);
        let said = (!said.is_empty()).then_some(said);
        let others = (group.others > 0).then(|| lang.other_statements(group.others));
        let said: Vec<String> = code.into_iter().chain(said).chain(others).collect();
        let said = said.join(&lang.semicolon());
        if said.is_empty() {
            return (!parts.is_empty()).then_some(line);
        }
        // The statements are cut where they would take more than a line of their own.
        let wide = self
            .look
            .screen
            .width
            .map_or(WIDE, |width| width.saturating_sub(INDENT.len() + 5).min(WIDE));
        Some(line + &lang.and_so(cut(&said, wide.max(FEWEST))))
    }

    /// The times at which the peer closed them, the first and the last; how fast they grow; by whom.
    pub fn span(&self, span: &Span) -> String {
        let time = |place: Place| {
            let time = packet_time(place, self.look.zone, self.dates);
            // To the second: this is about minutes.
            time.split('.').next().unwrap_or_default().to_owned()
        };
        let lang = self.lang();
        let mut text = lang.fin_at(time(span.first));
        if time(span.first) != time(span.last) {
            text += &format!(" … {}", time(span.last));
        }
        if let Some(rate) = span.per_minute {
            text += &pace(rate, lang);
        }
        if span.addresses > 1 {
            text += &lang.held_at(span.addresses);
        }
        if let Some(apart) = span.apart {
            text += &lang.begun_apart(duration(apart));
        }
        text
    }
}

/// A group as a row: how many, by whom, at which service, how long, after which pause, why.
fn row(group: &Group, lang: Lang) -> Vec<String> {
    let held = group.held();
    let held = held.map_or(String::new(), |(least, most)| lang.held(Hold::range(least, most)));
    let idle = group.idle().map_or(String::new(), |idle| match group.timeout() {
        Some(timeout) => lang.idle(duration(timeout.middle)),
        None => lang.idle(idle),
    });
    let n = thousands(group.count);
    vec![n, holder(&group.process, lang), party(group, lang), held, idle, cause(group, lang)]
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
pub fn holder(holder: &Holder, lang: Lang) -> String {
    match holder {
        Holder::NotAsked => String::new(),
        Holder::NotListed => lang.not_in_list(),
        Holder::Backlog => lang.backlog(),
        Holder::Hidden => lang.hidden(),
        Holder::By(pid, command) if command.is_empty() => format!("pid {pid}"),
        Holder::By(pid, command) => format!("{command}[{pid}]"),
    }
}

/// The service: the peer where local connected, local's own end where it was connected to.
pub fn party(group: &Group, lang: Lang) -> String {
    match (group.party, group.peers()) {
        (Party::Peer(peer), _) => lang.peer(peer),
        (Party::Local(own), (ends, _)) => {
            let peers = lang.count(ends as u64, Thing::Peer);
            lang.local_with(own, format!("{}{peers}", at_least(group)))
        }
    }
}

/// Before a number of what was too much to be told apart.
fn at_least(group: &Group) -> &'static str {
    if group.is_cut { "≥ " } else { "" }
}

/// The cause, or what would have told it.
pub fn cause(group: &Group, lang: Lang) -> String {
    match (group.cause, group.not_seen) {
        (None, _) => String::new(),
        (Some(Cause::Unknown), Some(why)) => {
            lang.name(Cause::Unknown).to_owned() + &lang.colon(lang.not_seen(why))
        }
        (Some(cause), _) => lang.name(cause).to_owned(),
    }
}

/// Words for what closed them on the other side: a timer, or the end of a process.
pub fn closed_words(group: &Group, lang: Lang) -> Option<String> {
    let timeout = group.timeout().map(|timeout| timeout_words(&timeout, lang));
    timeout.or_else(|| group.was_closed_at_once().then(|| lang.closed_at_once()))
}

/// The timer on the other side, as the pauses before FINs show it.
pub fn timeout_words(timeout: &Timeout, lang: Lang) -> String {
    let like = timeout.known().map_or(String::new(), |name| lang.like(lang.product(name)));
    let words = lang.timeout(timeout.about_s(), like, duration(timeout.spread));
    match timeout.closed == timeout.of {
        true => words,
        false => lang.timeout_of_some(timeout.closed, words),
    }
}

/// `BEGIN; UPDATE …`, or the last statement where no transaction is open.
pub fn statements(said: &Said, lang: Lang) -> String {
    let last = || said.last.as_ref().map(|last| lang.last_said(last));
    said.open().or_else(last).unwrap_or_default()
}
