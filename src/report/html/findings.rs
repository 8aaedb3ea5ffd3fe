//! The findings one by one, as many as a page can hold.

use maud::{Markup, html};

use super::document::Document;
use super::short;
use crate::place::Place;
use crate::report::lang::Lang;
use crate::report::shell;
use crate::report::text::{frame, held_text, idle_text, process};
use crate::report::tshark;
use crate::summary::seen::Seen;
use crate::units::{clock_time, seconds, thousands};

/// Rows: beyond them the page would not be one that can be sent.
pub const ROWS: usize = 1_000;

pub fn part(page: &Document) -> Option<Markup> {
    let (findings, all) = (&page.report.longest, page.report.found.count);
    let owners = page.report.owners;
    let doubts = findings.iter().any(|seen| !seen.doubts.is_empty());
    let file = findings.first().and_then(|seen| command(page, seen));
    (!findings.is_empty()).then(|| html! {
        p.soft {
            "The frame is that of the FIN, as Wireshark counts. "
            @if file.is_some() { "There: Go to Packet, then Follow TCP Stream; or filter by the port of the local end." }
        }
        @if all > findings.len() as u64 {
            p { strong { "The " (thousands(findings.len() as u64)) " longest held of " (thousands(all)) " are listed; " } "the others are in " code { "--format jsonl" } "." }
        }
        div.scroll tabindex="0" role="region" aria-label="Findings" {
            table.sorted {
                caption { "Connections left in CLOSE-WAIT, the longest held first" }
                thead { tr {
                    th { "Local" } th { "Peer" } th { "FIN at" } th.n { "Held" } th.n { "Idle before" } th.n { "Frame" } th { "Cause" }
                    @if owners { th { "Process" } }
                    @if doubts { th { "Doubts" } }
                } }
                tbody { @for seen in findings { (row(page, seen, owners, doubts)) } }
            }
        }
    })
}

fn row(page: &Document, seen: &Seen, owners: bool, doubts: bool) -> Markup {
    let (local, peer) = seen.judged_and_peer();
    let at =
        |fin: Place| clock_time(fin.time, fin.digits(), page.report.look.zone, page.report.dates);
    let value = |delta: Option<chrono::TimeDelta>| delta.map(seconds).unwrap_or(-1.0);
    let names = || seen.doubts.iter().map(|doubt| doubt.name()).collect::<Vec<_>>().join(", ");
    html! {
        tr {
            td.mono { (local) } td.mono { (peer) }
            td.t data-v=[seen.fin.map(Place::order)] { (seen.fin.map_or("-".into(), at)) }
            td.n data-v=(value(seen.held)) { (held_text(seen).unwrap_or("-".into())) }
            td.n data-v=(value(seen.idle_before_fin)) { (idle_text(seen)) }
            td.n { (seen.fin.map_or("-".into(), |fin| short(&frame(fin, page.report.totals)))) }
            td.t { (seen.cause.map_or("-", |cause| cause.name())) }
            @if owners { td { (short(&process(&seen.process, Lang::English))) } }
            @if doubts { td { (names()) } }
        }
    }
}

/// Shows one connection in Wireshark; `None` where its file cannot be named to it.
pub fn command(page: &Document, seen: &Seen) -> Option<String> {
    let fin = seen.fin?;
    let file = tshark::name(page.report.totals, fin.file())?;
    let is_file = page.report.look.explain.is_some();
    let (a, b) = seen.judged_and_peer();
    let ip = |end: crate::tcp::segment::Endpoint| {
        let family = if end.ip.is_ipv4() { "ip" } else { "ipv6" };
        format!("{family}.addr == {} && tcp.port == {}", end.ip, end.port)
    };
    is_file.then(|| {
        format!("wireshark -r {} -g {} -Y '{} && {}'", shell::word(file), fin.frame(), ip(a), ip(b))
    })
}

/// Sockets that were stuck before the first packet.
pub fn before(page: &Document) -> Option<Markup> {
    let before = page.report.before;
    let shown = before.len().min(ROWS);
    (!before.is_empty()).then(|| html! {
        @if before.len() > shown { p { (thousands(shown as u64)) " of " (thousands(before.len() as u64)) " are listed." } }
        div.scroll tabindex="0" role="region" aria-label="Sockets stuck before the capture" {
            table.sorted {
                caption { "Sockets in CLOSE-WAIT since before the first packet" }
                thead { tr { th { "Local" } th { "Peer" } th { "Process" } } }
                tbody {
                    @for socket in &before[..shown] {
                        tr { td.mono { (socket.local) } td.mono { (socket.peer) } td { (short(&process(&socket.process, Lang::English))) } }
                    }
                }
            }
        }
    })
}
