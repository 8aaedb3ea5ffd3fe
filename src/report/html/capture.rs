//! The capture: how the other connections ended, what it was, and what it cannot show.

use maud::{Markup, html};

use super::document::Document;
use super::short;
use crate::report::text::page::plain;
use crate::verdict::Doubt;

/// Captures that are described one by one, if nobody says how many: a page has room for them.
const CAPTURES: usize = 100;

pub fn part(page: &Document) -> Markup {
    let report = &page.report;
    let lines = report.endings().into_iter().chain(report.limits(CAPTURES));
    let ways = report.ways_on();
    let mut doubts: Vec<Doubt> =
        page.groups.iter().flat_map(|group| group.doubts().keys().copied()).collect();
    doubts.sort();
    doubts.dedup();
    html! {
        @for line in report.notes().iter().skip(1) { p { (line) } }
        @for line in lines.filter(|line| !line.is_empty()) { p { (cut(&line)) } }
        @for doubt in doubts {
            p { strong { "Doubt " (doubt.name()) ". " } (doubt.explained()) }
        }
        @for line in ways { p.soft { (cut(&line)) } }
    }
}

/// A line names files, which may be many or long.
fn cut(line: &str) -> String {
    if line.chars().count() < 2_000 {
        crate::printable::printable(&plain(line))
    } else {
        short(line)
    }
}
