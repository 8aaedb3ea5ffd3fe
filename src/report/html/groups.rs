//! The findings by process, service, cause, statements and code.

use maud::{Markup, html};

use super::document::Document;
use super::short;
use crate::report::lang::Lang;
use crate::report::text::code::code_lines;
use crate::report::text::groups::{cause, closed_words, holder, party};
use crate::summary::groups::Group;
use crate::summary::hold::Hold;
use crate::summary::seen::Seen;
use crate::units::{count, range, thousands};

/// Groups that are shown, and statements of each.
const GROUPS: usize = 30;
const STATEMENTS: usize = 12;

pub fn part(page: &Document) -> Option<Markup> {
    let groups = &page.groups;
    let left: u64 = groups.iter().skip(GROUPS).map(|group| group.count).sum();
    (!groups.is_empty()).then(|| html! {
        @for group in groups.iter().take(GROUPS) { (article(page, group)) }
        @if left > 0 {
            p.soft { (count((groups.len() - GROUPS) as u64, "more group")) " (" (count(left, "connection")) ") are in the table below." }
        }
    })
}

fn article(page: &Document, group: &Group) -> Markup {
    let n = thousands(group.count);
    let doubts: Vec<String> = group
        .doubts()
        .iter()
        .map(|(doubt, n)| format!("{} {}: {}", thousands(*n), doubt.name(), doubt.sentence()))
        .collect();
    html! {
        article {
            h3 { (n) " · " (short(&party(group, Lang::English))) @match holder(&group.process, Lang::English).as_str() { "" => {} by => { " · " (short(by)) } } }
            ul {
                @if let Some(line) = held(group) { li { (line) } }
                @if let Some(line) = idle(group) { li { (line) } }
                @if let Some(span) = group.span() { li { (page.report.span(&span)) } }
                @if group.cause.is_some() {
                    li {
                        "Cause: "
                        code { (cause(group, Lang::English)) }
                    }
                }
                @for doubt in doubts { li { "In doubt: " (doubt) "." } }
            }
            (statements(group))
            (code(group))
            (wireshark(page, &group.longest))
        }
    }
}

fn held(group: &Group) -> Option<String> {
    let (least, most) = group.held()?;
    Some(match least.goes_on && most.goes_on {
        true => format!("Held for {} or longer", range(least.lasted, most.lasted)),
        false => format!("Held for {}", Hold::range(least, most)),
    })
}

fn idle(group: &Group) -> Option<String> {
    let idle = group.idle()?;
    let closed = closed_words(group, Lang::English).map(|words| format!(": {words}"));
    Some(format!("Idle for {idle} before the FIN{}", closed.unwrap_or_default()))
}

fn statements(group: &Group) -> Markup {
    let said = &group.said;
    let all = said.asked();
    let title = match said.in_transaction && !said.statements.is_empty() {
        true => "The open transaction, statement by statement; none after the last:",
        false => "Said last:",
    };
    html! {
        @if !all.is_empty() {
            p.soft { (title) }
            pre {
                @for statement in all.iter().take(STATEMENTS) { (short(statement)) "\n" }
                @if all.len() > STATEMENTS { "… " (all.len() - STATEMENTS) " more" }
            }
        }
    }
}

/// The functions that used these sockets, where that was watched; or what their statements say of it.
fn code(group: &Group) -> Markup {
    let lines = code_lines(group, false);
    html! {
        @if !lines.is_empty() {
            p.soft { "The code behind them:" }
            pre { @for line in &lines { (short(line.trim_start())) "\n" } }
        } @else if let Some(code) = &group.said.code {
            p.soft { "By " code { (short(code)) } ", as its statements say." }
        }
    }
}

/// A way to see one of them in Wireshark, if its file has a name that can be typed.
fn wireshark(page: &Document, seen: &Seen) -> Markup {
    html! {
        @if let Some(command) = super::findings::command(page, seen) {
            p.soft { "In Wireshark: " }
            pre { (command) }
        }
    }
}
