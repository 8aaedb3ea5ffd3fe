//! Sockets by state over time: a panel for each state, CLOSE-WAIT first.

use chrono::TimeDelta;
use maud::{Markup, html};

use super::document::Document;
use super::plot::{Axis, HIGH, WIDE, number, steps};
use super::short;
use crate::place::Time;
use crate::report::lang::Lang;
use crate::report::text::history::words;
use crate::summary::Capture;
use crate::summary::history::Series;
use crate::tcp::state::State;
use crate::units::{clock_time, count, duration};

/// Captures that are drawn.
const CAPTURES: usize = 4;

/// A time in which packets are missing.
struct Lost {
    from: Time,
    until: Time,
    why: String,
}

pub fn part(page: &Document) -> Option<Markup> {
    let captures = &page.report.totals.captures;
    let drawn: Vec<Markup> =
        captures.iter().take(CAPTURES).filter_map(|capture| figure(page, capture)).collect();
    let left = captures.len().saturating_sub(CAPTURES);
    (!drawn.is_empty()).then(|| {
        html! {
            p.soft { "Connections of the local side, by the states of RFC 9293. Those that were there before the capture show from their first packet on." }
            @for figure in drawn { (figure) }
            @if left > 0 { p.soft { (count(left as u64, "more capture")) "." } }
        }
    })
}

fn figure(page: &Document, capture: &Capture) -> Option<Markup> {
    let series = capture.series().filter(|series| !series.states.is_empty())?;
    let nanos = series.width.num_nanoseconds()?;
    let bins = series.states.first().map_or(0, |(_, counts)| counts.len()) as i64;
    let axis = Axis::new(series.from, series.from.after(nanos.saturating_mul(bins)))?;
    let lost = lost(page, capture);
    let mut states: Vec<&(State, Vec<u32>)> = series.states.iter().collect();
    states.sort_by_key(|(state, _)| *state != State::CloseWait);
    let ticks = axis.ticks(page.report.look.zone, page.report.dates);
    Some(html! {
        figure {
            @if page.report.totals.captures.len() > 1 { figcaption { (name(page, capture)) } }
            @for (state, counts) in states { (panel(&series, *state, counts, axis, &lost)) }
            (ticks)
            @if !lost.is_empty() {
                p.soft { "Shaded: packets are missing. "
                    @for lost in lost.iter().take(LOST) { (lost.why) ". " }
                    @if lost.len() > LOST { (count((lost.len() - LOST) as u64, "more time")) "." }
                }
            }
        }
    })
}

/// Times of missing packets that are told.
const LOST: usize = 8;

fn name(page: &Document, capture: &Capture) -> String {
    let file = capture.files.first().and_then(|&file| page.report.totals.files.get(file));
    file.map_or(String::new(), |file| short(file))
}

fn panel(series: &Series, state: State, counts: &[u32], axis: Axis, lost: &[Lost]) -> Markup {
    let most = counts.iter().copied().max().unwrap_or(0);
    let (line, area) = steps(counts, most);
    let words = words(series, state, Lang::English).unwrap_or_default();
    let class = if state == State::CloseWait { "panel main" } else { "panel" };
    html! {
        div class=(class) {
            p { strong { (state.name()) } span { (words) } }
            svg viewBox={ "0 0 " (WIDE) " " (HIGH) } preserveAspectRatio="none" role="img"
                aria-label={ (state.name()) " over time: " (words) } {
                path.area d=(area) {}
                @for Lost { from, until, .. } in lost {
                    @let (left, right) = (axis.x(*from), axis.x(*until));
                    rect.lost x=(number(left)) width=(number((right - left).max(2.0))) height=(HIGH) {}
                }
                path.curve d=(line) {}
            }
        }
    }
}

fn lost(page: &Document, capture: &Capture) -> Vec<Lost> {
    let clock = |time: Time| clock_time(time, 0, page.report.look.zone, page.report.dates);
    let between = |from, until| format!("{} … {}", clock(from), clock(until));
    let gaps = capture.gaps.iter().map(|gap| {
        let until = gap.from.after(gap.nanos);
        let why = duration(TimeDelta::nanoseconds(gap.nanos));
        Lost {
            from: gap.from,
            until,
            why: format!("nothing was captured for {why}, {}", between(gap.from, until)),
        }
    });
    let drops = capture.drops.iter().map(|drops| {
        let why = count(drops.packets, "packet");
        let between = between(drops.from, drops.until);
        Lost {
            from: drops.from,
            until: drops.until,
            why: format!("{why} dropped some time in {between}"),
        }
    });
    let mut lost: Vec<Lost> = gaps.chain(drops).collect();
    if capture.drops.is_empty() && capture.facts.drops() > 0 {
        let (from, until) =
            (capture.facts.first().map_or(Time::UNKNOWN, |first| first.time), capture.facts.end());
        let why = format!("{} dropped some time", count(capture.facts.drops(), "packet"));
        lost.push(Lost { from, until, why });
    }
    lost
}
