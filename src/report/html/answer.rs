//! The answer in one sentence, and what to do.

use maud::{Markup, html};

use super::document::Document;
use super::short;
use crate::report::lang::Lang;
use crate::report::text::code::in_short;
use crate::report::text::groups::{holder, statements, timeout_words};
use crate::report::text::headline::{by_address, headline as coloured, how_local};
use crate::report::text::page::plain;
use crate::summary::cause::Cause;
use crate::summary::groups::{Group, Holder};
use crate::summary::seen::Party;
use crate::units::{clock_time, count, thousands};
use crate::{names, units};

/// The headline as the text has it.
pub fn title(page: &Document) -> String {
    short(&headline(page))
}

fn headline(page: &Document) -> String {
    let report = &page.report;
    plain(&coloured(report.totals, report.found, report.peer_holders, Lang::English))
}

pub fn part(page: &Document) -> Markup {
    let headline = headline(page);
    let told = page.groups.first().map(|group| told(page, group));
    html! {
        p.answer { (told.as_deref().unwrap_or(&headline)) @if let Some(others) = others(page) { " " (others) } }
        @if told.is_some() { p { (headline) } }
        @if let Some(line) = by_address(page.report.found, Lang::English) { p { (line) } }
        @if let Some(line) = how_local(page.report.found, Lang::English) { p.soft { (line) } }
        @if let Some(todo) = todo(page) { div.do { (todo) } }
    }
}

/// Says who holds how many, since when, against whom, why.
fn told(page: &Document, group: &Group) -> String {
    let n = count(group.count, "connection");
    let host = names::host(group.longest.judged_and_peer().0.ip);
    let (who, addresses) =
        (holder(&group.process, Lang::English), group.span().map_or(1, |span| span.addresses));
    let who = match (&group.process, addresses) {
        (Holder::By(..), 0 | 1) => format!("{who} on {host}"),
        (Holder::By(..), _) => who,
        (_, 0 | 1) => host,
        (_, addresses) => format!("{addresses} addresses"),
    };
    let holds =
        if addresses > 1 && !matches!(group.process, Holder::By(..)) { "hold" } else { "holds" };
    let with = match group.party {
        Party::Peer(peer) => format!("to {peer}"),
        Party::Local(own) => format!("to its own {own}"),
    };
    let since = group.span().map_or(String::new(), |span| {
        // To the second: which packet it was, others tell.
        let since = clock_time(span.first.time, 0, page.report.look.zone, page.report.dates);
        format!(" since {since}")
    });
    let closed = match group.timeout() {
        Some(timeout) => format!("the peer closed them after {} s idle", timeout.about_s()),
        None => format!("the peer closed {}", if group.count == 1 { "it" } else { "them" }),
    };
    let (why, code) = (short(&why(group)), short(&code(group)));
    format!("{who} {holds} {n} {with} in CLOSE-WAIT{since}: {closed}{why}{code}.")
}

/// Names the code behind a group, if it was watched or its statements name it.
fn code(group: &Group) -> String {
    let watched = group.code.as_deref().and_then(in_short);
    let named = watched.or_else(|| group.said.code.as_ref().map(|code| format!("by {code}")));
    named.map_or(String::new(), |named| format!(", {named}"))
}

/// Says what the sentence about the largest group leaves out.
fn others(page: &Document) -> Option<String> {
    let others = page.groups.get(1..).filter(|others| !others.is_empty())?;
    let held = others.iter().map(|group| group.count).sum();
    let groups = count(others.len() as u64, "more group");
    Some(format!("{groups} below: {}.", count(held, "connection")))
}

fn why(group: &Group) -> String {
    let said = statements(&group.said, Lang::English);
    let said = if said.is_empty() { said } else { format!(" ({said})") };
    match group.cause {
        Some(Cause::TransactionOpen) => format!(" in an open transaction{said}"),
        Some(Cause::Forgotten) => format!(", and nobody looked at them again{said}"),
        Some(Cause::ServerSaid) => ", and said why".into(),
        Some(Cause::NeverAccepted) => "; the program never accepted them".into(),
        Some(Cause::StaleReuse) => format!("; they were used again{said}"),
        Some(Cause::QuitUnclosed) => " after the client had said goodbye".into(),
        _ => String::new(),
    }
}

/// Says what the causes ask for, the largest group's first.
fn todo(page: &Document) -> Option<Markup> {
    let mut causes: Vec<Cause> = Vec::new();
    for cause in page.groups.iter().filter_map(|group| group.cause) {
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    let of = |cause: Cause| -> u64 {
        let its = page.groups.iter().filter(|group| group.cause == Some(cause));
        its.map(|group| group.count).sum()
    };
    let timeout = page.groups.first().and_then(|group| group.timeout());
    (!causes.is_empty()).then(|| {
        html! {
            p { strong { "What to do. " } "No kernel timer ends CLOSE-WAIT: the program must close the socket." }
            ul {
                @for cause in causes {
                    li { (thousands(of(cause))) " " code { (cause.name()) } ": " (cause.explained()) }
                }
            }
            @if let Some(timeout) = timeout {
                p.soft { "Of the largest group: " (timeout_words(&timeout, Lang::English)) "." }
            }
            @if let Some(span) = page.groups.first().and_then(|group| group.span()) {
                @if let Some(apart) = span.apart {
                    p.soft {
                        (span.addresses) " addresses began " (units::duration(apart)) " apart: the same code against the same timeout."
                    }
                }
            }
        }
    })
}
