//! Closes of all connections by service: how long CLOSE-WAIT lasted, and who closed first.

use maud::{Markup, html};

use super::document::Document;
use super::plot::{WIDE, bar};
use crate::summary::closes::Service;
use crate::summary::spread::Spread;
use crate::tcp::segment::Endpoint;
use crate::units::{count, duration, thousands};

/// Services that are listed.
const SERVICES: usize = 30;

fn name(end: Option<Endpoint>) -> String {
    end.map_or("other services".into(), |end| end.to_string())
}

/// Percentiles of the times in CLOSE-WAIT that ended.
pub fn lasted(page: &Document) -> Option<Markup> {
    let services = page.report.totals.closes.services().into_iter();
    let services = services.map(|(end, service)| (end, service.close_wait()));
    let mut services: Vec<_> = services.filter(|(_, spread)| spread.count() > 0).collect();
    services.sort_by_key(|(_, spread)| std::cmp::Reverse(spread.most()));
    let still = page.report.totals.headline().close_wait;
    let row = |(end, spread): &(Option<Endpoint>, Spread)| {
        let of = |hundredths| spread.percentile(hundredths).map_or(String::new(), duration);
        html! {
            tr {
                th.mono scope="row" { (name(*end)) }
                td.n { (thousands(spread.count())) }
                @for hundredths in [50, 90, 99] { td.n { "≤ " (of(hundredths)) } }
                td.n { (duration(spread.most())) }
            }
        }
    };
    (!services.is_empty()).then(|| html! {
        p.soft {
            "Of all connections whose CLOSE-WAIT ended, by service: slow closers show here before they leak. "
            @if still > 0 { (count(still, "connection")) " still in it do not count here." }
        }
        div.scroll tabindex="0" role="region" aria-label="Times in CLOSE-WAIT by service" {
            table {
                caption { "Percentiles, each a bound that is a quarter too high at most. The slowest service first." }
                thead { tr { th { "Service" } th.n { "Connections" } th.n { "Half" } th.n { "90 %" } th.n { "99 %" } th.n { "Longest" } } }
                tbody { @for service in services.iter().take(SERVICES) { (row(service)) } }
            }
        }
        @if services.len() > SERVICES { p.soft { (count((services.len() - SERVICES) as u64, "more service")) "." } }
    })
}

/// Tells who closed first, and what went wrong beside the findings.
pub fn first(page: &Document) -> Option<Markup> {
    let mut services = page.report.totals.closes.services();
    services.retain(|(_, service)| service.closed > 0);
    let odd = page.report.odd_closes();
    let most = services.iter().map(|(_, service)| service.closed).max().unwrap_or(1);
    let row = |(end, service): &(Option<Endpoint>, &Service)| {
        let x = |n: u64| n as f64 / most as f64 * WIDE;
        html! {
            tr {
                th.mono scope="row" { (name(*end)) }
                td.g { (bar(0.0, x(service.closed), "ended", &format!("{} closed", service.closed))) }
                td.n { (thousands(service.closed)) }
                @for kind in [&service.answered, &service.by_service, &service.by_client] {
                    td.n { (thousands(kind.connections)) }
                }
                @for kind in [&service.late, &service.used, &service.dropped, &service.last_ack] {
                    td.n { (thousands(kind.connections)) }
                }
            }
        }
    };
    (!services.is_empty() || !odd.is_empty()).then(|| html! {
        @for line in &odd { p { (line) } }
        @if !services.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="Closes by service" {
                table.wide {
                    caption { "Connections that both sides closed, by service: who closed first, and what went wrong." }
                    thead { tr {
                        th { "Service" } th { "Closed" } th.n { "Connections" }
                        th.n { "Service, after its answer" } th.n { "Service, later" } th.n { "Client" }
                        th.n { "Held ≥ 1 s" } th.n { "Reset when used" } th.n { "Dropped without FIN" } th.n { "LAST-ACK" }
                    } }
                    tbody { @for service in services.iter().take(SERVICES) { (row(service)) } }
                }
            }
            @if services.len() > SERVICES { p.soft { (count((services.len() - SERVICES) as u64, "more service")) "." } }
        }
    })
}
