//! One connection of each of the largest groups, packet by packet.

use maud::{Markup, html};

use super::LADDERS;
use super::document::Document;
use super::short;
use super::strip::Strip;
use crate::ladder::{LadderEvent, Step};
use crate::place::Place;
use crate::report::ladder::Names;
use crate::report::ladder::words::{flags, offset, said, sentence};
use crate::summary::seen::Seen;
use crate::tcp::side::Side;
use crate::units::{clock_time, count, thousands};

pub fn part(page: &Document) -> Option<Markup> {
    let strips: Vec<&Strip> = page.strips.iter().filter(|strip| !strip.head.is_empty()).collect();
    let missing = page.groups.len().min(LADDERS).saturating_sub(strips.len());
    if strips.is_empty() {
        return (missing > 0).then(|| not_shown(page, missing));
    }
    Some(html! {
        p.soft { "The longest held connection of each of the largest groups. Times are seconds since its first packet; numbers are relative, as tcpdump and Wireshark count them." }
        @for (at, strip) in strips.iter().enumerate() {
            details open[at == 0] {
                @let (own, peer) = strip.seen.judged_and_peer();
                summary { (own) " → " (peer) @if let Some(cause) = strip.seen.cause { ": " (cause.name()) } }
                (ladder(page, strip))
            }
        }
        @if missing > 0 { (not_shown(page, missing)) }
    })
}

/// Says that examples are not there, and how to see them.
fn not_shown(page: &Document, missing: usize) -> Markup {
    let of = count(missing as u64, "group");
    html! {
        p.soft {
            @if page.report.look.explain.is_some() {
                "The packets of " (of) " are not shown: the connection that was held longest ends too late in the capture to be read again for this page. "
                code { "closewait explain FILE" } " shows them."
            } @else {
                "No packets of " (of) " are shown: what comes by a pipe or from an interface can be read only once."
            }
        }
    }
}

/// The side on the left: the one that is judged.
fn left(seen: &Seen) -> Side {
    let (own, _) = seen.judged_and_peer();
    if seen.end(Side::A) == own { Side::A } else { Side::B }
}

fn ladder(page: &Document, strip: &Strip) -> Markup {
    let left = left(&strip.seen);
    let names = match left {
        Side::A => Names { a: "local", b: "peer", first: left },
        Side::B => Names { a: "peer", b: "local", first: left },
    };
    let (own, peer) = strip.seen.judged_and_peer();
    let began = clock_time(
        strip.seen.first.time,
        strip.seen.first.digits(),
        page.report.look.zone,
        page.report.dates,
    );
    html! {
        ol.ladder {
            li { span { (began) } span.ends { span { "local " (own) } span { "peer " (peer) } } }
            @for step in &strip.head { (line(step, names, strip.seen.first)) }
            @if strip.between > 0 {
                li { span.note.soft { "… " (count(strip.between, "packet")) " between: closewait explain shows them" } }
            }
            @for step in &strip.tail { (line(step, names, strip.seen.first)) }
        }
    }
}

fn line(step: &Step, names: Names, first: Place) -> Markup {
    let from_left = step.from == names.first;
    let state = |side: Side| step.states[side as usize].name();
    let sent = match step.len {
        0 => format!("[{}]", flags(step.flags)),
        len => format!("[{}] {}", flags(step.flags), count(len.into(), "octet")),
    };
    let ack = step.ack.map_or(String::new(), |ack| format!(" ack {}", thousands_of(ack)));
    let seq = format!(" seq {}", thousands_of(step.seq));
    let way = if from_left { "to the peer" } else { "to local" };
    html! {
        li {
            span.soft { (offset(step.place, first)) " #" (step.place.frame()) }
            div {
                div.wire {
                    @if step.moved { span { (state(names.first)) } }
                    (arrow(from_left, way))
                    @if step.moved { span { (state(names.first.other())) } }
                }
                div.soft { (sent) (seq) (ack) }
            }
            @for words in &step.said { span.note.says { (short(&said(words))) } }
            @for event in &step.events { span class=(class(event)) { (sentence(event, names)) } }
        }
    }
}

fn thousands_of(n: i64) -> String {
    let sign = if n < 0 { "-" } else { "" };
    format!("{sign}{}", thousands(n.unsigned_abs()))
}

fn class(event: &LadderEvent) -> &'static str {
    match event {
        LadderEvent::CloseWait(_) => "note alarm",
        LadderEvent::Closed(..) => "note calm",
        LadderEvent::SentAgain | LadderEvent::KeepAlive => "note soft",
        _ => "note",
    }
}

fn arrow(from_left: bool, way: &str) -> Markup {
    let (line, tip) = match from_left {
        true => ("M0 5H990", "M985 0L1000 5L985 10Z"),
        false => ("M10 5H1000", "M15 0L0 5L15 10Z"),
    };
    html! {
        svg viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label=(way) {
            path.arrow d=(line) {}
            path.tip d=(tip) {}
        }
    }
}
