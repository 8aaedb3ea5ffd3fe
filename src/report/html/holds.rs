//! The longest times in CLOSE-WAIT, each from when to when.

use maud::{Markup, html};

use super::document::Document;
use super::plot::{Axis, bar};
use crate::place::Time;
use crate::summary::Capture;
use crate::summary::history::{Hold, LONGEST};
use crate::units::{clock_time, duration};

/// Captures whose holds are listed.
const CAPTURES: usize = 4;

pub fn part(page: &Document) -> Option<Markup> {
    let captures = page.report.totals.captures.iter();
    let told: Vec<Markup> =
        captures.take(CAPTURES).filter_map(|capture| holds(page, capture)).collect();
    (!told.is_empty()).then(|| html! { @for table in told { (table) } })
}

fn holds(page: &Document, capture: &Capture) -> Option<Markup> {
    let (longest, began) = (capture.history.longest(), capture.facts.first()?.time);
    let axis = Axis::new(began, capture.facts.end())?;
    let dates = page.report.dates;
    let clock = |time: Time| clock_time(time, 0, page.report.look.zone, dates);
    let most = if longest.len() == LONGEST { "the longest, " } else { "" };
    let row = |hold: &Hold| {
        let until = hold.until.map_or("still held".into(), clock);
        let (class, end) = match hold.until {
            Some(until) => ("ended", until),
            None => ("held", capture.facts.end()),
        };
        let label = format!(
            "from {} {}",
            clock(hold.from),
            hold.until.map_or("to the end".into(), |until| format!("to {}", clock(until)))
        );
        html! {
            tr {
                td.ends { span { (hold.own) " →" } " " span { (hold.peer) } }
                td.g { (bar(axis.x(hold.from), axis.x(end), class, &label)) }
                td.n { (clock(hold.from)) }
                td.n { (until) }
                td.n { @if hold.until.is_none() { "≥ " } (duration(hold.lasted)) }
            }
        }
    };
    (!longest.is_empty()).then(|| html! {
        div.scroll tabindex="0" role="region" aria-label="Times in CLOSE-WAIT" {
            table {
                caption { "When each connection entered and left CLOSE-WAIT: " (most) "longest first. Red is still held at the end." }
                thead { tr {
                    th { "Local → peer" } th { (clock(began)) " … " (clock(capture.facts.end())) }
                    th.n { "Entered" } th.n { "Left" } th.n { "Held" }
                } }
                tbody { @for hold in longest { (row(hold)) } }
            }
        }
    })
}
