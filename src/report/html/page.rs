//! The parts of a page, in the order in which an incident is told.

use maud::{Markup, html};

use super::document::Document;
use super::frame::{Mood, frame};
use super::{answer, capture, closes, findings, flames, groups, holds, idle, ladder, states};

/// A part of the page, if there is anything to be said in it.
type Part = (&'static str, &'static str, Option<Markup>);

/// Returns the parts.
fn parts(page: &Document) -> Vec<Part> {
    vec![
        ("states", "Sockets by state over time", states::part(page)),
        ("holds", "In and out of CLOSE-WAIT", holds::part(page)),
        ("groups", "The findings in groups", groups::part(page)),
        ("idle", "Idle before the FIN", idle::part(page)),
        ("close-wait", "How long CLOSE-WAIT lasted", closes::lasted(page)),
        ("closed-first", "Who closed first", closes::first(page)),
        ("packets", "Packet by packet", ladder::part(page)),
        ("flames", "What was said: left, and closed", flames::part(page)),
        ("findings", "The findings one by one", findings::part(page)),
        ("before", "Stuck before the capture", findings::before(page)),
        ("capture", "The capture, its limits and doubts", Some(capture::part(page))),
    ]
}

/// Writes the page.
pub fn page(page: &Document) -> Markup {
    let parts = parts(page);
    let parts = || parts.iter().filter_map(|(id, title, part)| Some((id, title, part.as_ref()?)));
    let totals = page.report.totals;
    let mood = match totals.findings() {
        0 if totals.headline().is_all_clear() => Mood::Good,
        0 => Mood::Plain,
        _ => Mood::Bad,
    };
    let top = html! {
        (answer::part(page))
        nav aria-label="Parts of this page" {
            ul { @for (id, title, _) in parts() { li { a href={ "#" (id) } { (title) } } } }
        }
    };
    let main = html! {
        @for (id, title, part) in parts() {
            section id=(id) aria-labelledby={ (id) "-title" } {
                h2 id={ (id) "-title" } { (title) }
                (part)
            }
        }
    };
    frame(&answer::title(page), mood, &top, &main, page.made_by)
}
