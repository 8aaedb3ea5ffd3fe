//! Changes as a page.

use std::io::{self, Write};

use maud::{Markup, html};

use super::{Comparison, cause, service, shown};
use crate::report::html::frame::{Mood, frame};
use crate::report::html::short;
use crate::summary::compare::{Change, Fate};
use crate::units::thousands;

/// Kinds of leaks of a fate that are listed.
const ROWS: usize = 300;

/// Writes a page; `made_by` is the command line, as a shell reads it.
pub fn write(out: &mut dyn Write, all: &Comparison, made_by: &str) -> io::Result<()> {
    let headline = all.headline();
    let mood = match all.with(Fate::New) {
        0 if all.unshown() == 0 && all.cautions().is_empty() => Mood::Good,
        0 => Mood::Plain,
        _ => Mood::Bad,
    };
    let top = html! {
        p.answer { (headline) "." }
        p.soft { "Two captures held against each other, by service, cause, statements and code." }
        @for caution in all.cautions() { p { (caution) } }
    };
    let main = html! {
        @for fate in Fate::ALL { @if all.with(fate) > 0 { (part(all, fate)) } }
    };
    out.write_all(frame(&headline, mood, &top, &main, made_by).into_string().as_bytes())?;
    out.flush()
}

fn title(fate: Fate) -> &'static str {
    match fate {
        Fate::New => "New: only after",
        Fate::Stayed => "Stayed: before and after",
        Fate::Gone => "Gone: only before",
    }
}

fn part(all: &Comparison, fate: Fate) -> Markup {
    let changes = || all.changes.iter().filter(|change| change.fate == fate);
    let left = changes().count().saturating_sub(ROWS);
    let has_code = changes().any(|change| change.kind.code.is_some());
    html! {
        section id=(fate.name()) aria-labelledby={ (fate.name()) "-title" } {
            h2 id={ (fate.name()) "-title" } { (title(fate)) }
            div.scroll tabindex="0" role="region" aria-label=(title(fate)) {
                table.sorted {
                    caption { "Leaks, the most connections first" }
                    thead { tr {
                        th.n { "Before" } th.n { "After" } th { "Service" } th { "Cause" } th.n { "Longest held" } th { "Statements" }
                        @if has_code { th { "Code" } }
                        @if fate == Fate::Gone { th { "What the second capture shows" } }
                    } }
                    tbody { @for change in changes().take(ROWS) { (row(change, has_code)) } }
                }
            }
            @if left > 0 { p.soft { (left) " more." } }
        }
    }
}

fn row(change: &Change, has_code: bool) -> Markup {
    let Change { kind, fate, before, after, .. } = change;
    let found = if *fate == Fate::Gone { before } else { after };
    html! {
        tr {
            td.n data-v=(before.connections) { (thousands(before.connections)) }
            td.n data-v=(after.connections) { (thousands(after.connections)) }
            td.mono { (service(kind)) }
            td { (cause(kind)) @if found.doubted > 0 { ", " (thousands(found.doubted)) " with doubts" } }
            td.n { (found.longest.map_or("-".into(), |held| held.to_string())) }
            td.mono { (short(&kind.statements.join("; "))) }
            @if has_code { td.mono { (short(kind.code.as_deref().unwrap_or("-"))) } }
            @if *fate == Fate::Gone { td { (shown(change)) } }
        }
    }
}
