//! The pauses before FINs as a distribution, with the timeouts that are known.

use chrono::TimeDelta;
use maud::{Markup, html};

use super::document::Document;
use super::plot::{WIDE, bar};
use crate::summary::groups::known_between;
use crate::summary::spread::Spread;
use crate::units::{duration, thousands};

/// Shorter pauses are no timeout of anything.
const SHORTEST: TimeDelta = TimeDelta::milliseconds(100);

/// A row: connections with pauses from one bound to another.
struct Pauses {
    from: TimeDelta,
    to: TimeDelta,
    findings: u64,
    others: u64,
}

pub fn part(page: &Document) -> Option<Markup> {
    let findings = &page.report.found.idle;
    let mut others = Spread::default();
    page.report.totals.closes.services().iter().for_each(|(_, service)| others += &service.idle);
    let bins = bins(findings, &others);
    let most = bins.iter().map(|bin| bin.findings.max(bin.others)).max()?;
    let x = |n: u64| n as f64 / most as f64 * WIDE;
    let row = |bin: &Pauses| {
        let known: Vec<&str> = known_between(bin.from, bin.to).collect();
        html! {
            tr {
                th scope="row" { (duration(bin.from)) " … " (duration(bin.to)) }
                td.g {
                    @if bin.findings > 0 { (bar(0.0, x(bin.findings), "held", &format!("{} findings", bin.findings))) }
                    @if bin.others > 0 { (bar(0.0, x(bin.others), "ended", &format!("{} closed", bin.others))) }
                }
                td.n { (thousands(bin.findings)) }
                td.n { (thousands(bin.others)) }
                td { @for (at, name) in known.iter().enumerate() { @if at > 0 { ", " } (name) } }
            }
        }
    };
    Some(html! {
        p.soft {
            "A sharp peak is a timer on the other side. Pauses below " (duration(SHORTEST)) " are one row."
        }
        div.scroll tabindex="0" role="region" aria-label="Pauses before the first FIN" {
            table {
                caption { "How long nothing was said before the first FIN: red of the findings, blue of connections that ended." }
                thead { tr { th { "Idle for" } th { "How many" } th.n { "Left" } th.n { "Ended" } th { "Timeouts that are known" } } }
                tbody { @for bin in &bins { (row(bin)) } }
            }
        }
    })
}

fn bins(findings: &Spread, others: &Spread) -> Vec<Pauses> {
    let mut bins: Vec<Pauses> = Vec::new();
    let mut add = |from: TimeDelta, to: TimeDelta, findings: u64, others: u64| {
        let (from, to) = if to <= SHORTEST { (TimeDelta::zero(), SHORTEST) } else { (from, to) };
        match bins.iter_mut().find(|bin| bin.to == to) {
            Some(bin) => {
                bin.findings += findings;
                bin.others += others;
            }
            None => bins.push(Pauses { from, to, findings, others }),
        }
    };
    findings.sizes().for_each(|(from, to, n)| add(from, to, n.into(), 0));
    others.sizes().for_each(|(from, to, n)| add(from, to, 0, n.into()));
    bins.sort_by_key(|bin| bin.to);
    bins
}
