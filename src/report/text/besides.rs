//! Events besides the findings: closes that went wrong and left nothing in CLOSE-WAIT, and who closed
//! first.

use chrono::TimeDelta;

use super::report::Report;
use crate::names;
use crate::summary::closes::{Kind, Service};
use crate::summary::groups::forgotten_after;
use crate::summary::race::Advice;
use crate::tcp::segment::Endpoint;
use crate::units::{count, duration, range, thousands};

/// Services of which something is said, of each kind.
const SERVICES: usize = 2;

/// One kind of what can happen: where it is counted, how it is said.
type Told = (fn(&Service) -> &Kind, fn(&Kind) -> String);

const ODD: [Told; 4] = [
    (|service| &service.late, late),
    (|service| &service.used, used),
    (|service| &service.dropped, dropped),
    (|service| &service.last_ack, last_ack),
];

/// The kinds of [`ODD`] in a few words, where there is no room for more.
const IN_SHORT: [&str; 4] = [
    "held for 1 s or more and closed after all",
    "reset when used after the peer's FIN",
    "dropped without a FIN after long silence",
    "in LAST-ACK, never acknowledged",
];

impl Report<'_> {
    /// Says what went wrong, in so many lines if that is possible.
    pub fn besides(&self, room: usize) -> Vec<String> {
        let lines = self.odd_closes();
        let height: usize = lines.iter().map(|line| self.look.screen.height(line)).sum();
        match height <= room || self.look.limit().is_some() {
            true => lines,
            false => self.in_short().into_iter().collect(),
        }
    }

    fn in_short(&self) -> Option<String> {
        let services = self.totals.closes.services();
        let all = ODD.iter().zip(IN_SHORT).filter_map(|((kind, _), words)| {
            let n: u64 = services.iter().map(|(_, service)| kind(service).connections).sum();
            (n > 0).then(|| format!("{} {words}", thousands(n)))
        });
        let all: Vec<String> = all.collect();
        (!all.is_empty()).then(|| format!("Besides: {} (more: --top 0).", all.join(", ")))
    }

    pub fn odd_closes(&self) -> Vec<String> {
        let services = self.totals.closes.services();
        let mut lines = Vec::new();
        for (kind, words) in ODD {
            // An advice says more of the same.
            let is_advised = |service: &Service, kind: &Kind| {
                std::ptr::eq(kind, &service.used) && service.race.advice().is_some()
            };
            let mut told: Vec<(Option<Endpoint>, &Kind)> = services
                .iter()
                .map(|(end, service)| (*end, *service, kind(service)))
                .filter(|(_, service, kind)| kind.connections > 0 && !is_advised(service, kind))
                .map(|(end, _, kind)| (end, kind))
                .collect();
            told.sort_by_key(|(_, kind)| std::cmp::Reverse(kind.connections));
            let shown = self.told(told.len());
            lines.extend(told[..shown].iter().map(|(end, kind)| {
                let connections = count(kind.connections, "connection");
                format!("{connections} to {}: {}", name(*end), words(kind))
            }));
            let left: u64 = told[shown..].iter().map(|(_, kind)| kind.connections).sum();
            lines.extend(more(left, told.len() - shown));
        }
        lines.extend(self.races());
        lines
    }

    /// Advises those whose requests come after the service's FIN.
    fn races(&self) -> Vec<String> {
        let services = self.totals.closes.services();
        let told =
            services.iter().filter_map(|(end, service)| Some((*end, service.race.advice()?)));
        let mut told: Vec<(Option<Endpoint>, Advice)> = told.collect();
        told.sort_by_key(|(_, advice)| std::cmp::Reverse(advice.late));
        let shown = self.told(told.len());
        let mut lines: Vec<String> =
            told[..shown].iter().map(|(end, advice)| race(advice, &name(*end))).collect();
        let left: u64 = told[shown..].iter().map(|(_, advice)| advice.late).sum();
        lines.extend(more(left, told.len() - shown));
        lines
    }

    /// Says who closed first, of the busiest services, in so many lines.
    pub fn closed_first(&self, room: usize) -> Vec<String> {
        let services = self.totals.closes.services();
        let mut closed: Vec<_> = services.into_iter().filter(|(_, all)| all.closed > 0).collect();
        closed.sort_by_key(|(_, service)| std::cmp::Reverse(service.closed));
        let mut lines = Vec::new();
        let mut left = room;
        for (shown, (end, service)) in closed.iter().enumerate() {
            let line = closed_first(service, *end);
            let (height, others) = (self.look.screen.height(&line), &closed[shown..]);
            // What is left out takes a line, too.
            let fits = height + usize::from(others.len() > 1) <= left && shown < SERVICES;
            if shown >= self.look.limit().unwrap_or(if fits { usize::MAX } else { 0 }) {
                let connections: u64 = others.iter().map(|(_, service)| service.closed).sum();
                lines.extend((left > 0).then(|| {
                    let services = count(others.len() as u64, "service");
                    let connections = count(connections, "connection");
                    format!("Who closed first at {services} ({connections}): --top 0")
                }));
                break;
            }
            left = left.saturating_sub(height);
            lines.push(line);
        }
        lines
    }

    fn told(&self, services: usize) -> usize {
        services.min(self.look.limit().unwrap_or(SERVICES))
    }
}

fn more(connections: u64, services: usize) -> Option<String> {
    (services > 0).then(|| {
        let services = count(services as u64, "more service");
        format!("  … {} of {services}: --top 0", count(connections, "connection"))
    })
}

fn name(service: Option<Endpoint>) -> String {
    service.map_or("other services".into(), |end| end.to_string())
}

fn took(kind: &Kind) -> String {
    kind.took().map_or("some time".into(), |(least, most)| range(least, most))
}

fn idle(kind: &Kind) -> Option<String> {
    kind.idle().map(|(least, most)| range(least, most))
}

fn host(kind: &Kind) -> String {
    kind.host().map_or("several hosts".into(), names::host)
}

fn late(kind: &Kind) -> String {
    let at_once = match kind.all_at_once() {
        true => ", all at the same moment (a restart?)",
        false => "",
    };
    let (host, took) = (host(kind), took(kind));
    format!("held in CLOSE-WAIT by {host} for {took}, then closed after all{at_once}.")
}

fn used(kind: &Kind) -> String {
    let idle = idle(kind).map_or(String::new(), |idle| format!(", which came after {idle} idle"));
    let (host, took) = (host(kind), took(kind));
    format!(
        "used by {host} {took} after the peer's FIN{idle}, and reset: drop idle ones sooner, or look before use."
    )
}

fn dropped(kind: &Kind) -> String {
    let least = kind.took().map(|(least, _)| least);
    let fits: Vec<&str> = least.into_iter().flat_map(forgotten_after).take(2).collect();
    let fits = match &fits[..] {
        [] => String::new(),
        fits => format!(" ({}?)", fits.join(", ")),
    };
    format!(
        "ended at their first use after {} idle, without any FIN: something on the path forgot them sooner{fits}.",
        took(kind)
    )
}

fn last_ack(kind: &Kind) -> String {
    format!(
        "LAST-ACK: {} sent its FIN {} after the peer's, again and again, and nobody acknowledged it: something on the path forgot the connection.",
        host(kind),
        took(kind)
    )
}

/// A hold that somebody waits for.
const SLOW: TimeDelta = TimeDelta::milliseconds(100);

/// Says how long CLOSE-WAIT lasted where programs closed slowly: they leak one day.
fn slow(service: &Service) -> Option<String> {
    let spread = &service.close_wait;
    let [half, nearly] = [50, 99].map(|hundredths| spread.percentile(hundredths));
    (spread.most() >= SLOW).then_some(())?;
    let (half, nearly, most) = (duration(half?), duration(nearly?), duration(spread.most()));
    let mut text = format!("; CLOSE-WAIT lasted {most}");
    if half != most {
        text = format!("; CLOSE-WAIT lasted {half} or less in half of them, {most} at most");
    }
    if nearly != most {
        text += &format!(" ({nearly} in 99 %)");
    }
    Some(text)
}

fn race(advice: &Advice, service: &str) -> String {
    let setting = advice.setting.map_or(String::new(), |setting| format!(" ({setting})"));
    let timeout = duration(advice.timeout);
    format!(
        "{service}: its idle timeout is {timeout} (n = {}, ± {}); {} sent {} after its FIN had arrived: close idle connections after less than {timeout}{setting}.",
        thousands(advice.number),
        duration(advice.spread),
        match advice.late {
            1 => "1 request was".into(),
            late => format!("{} requests were", thousands(late)),
        },
        range(advice.after.0, advice.after.1),
    )
}

/// Says who closed first, and after which pause.
fn closed_first(service: &Service, end: Option<Endpoint>) -> String {
    let of = |kind: &Kind, whose: &str| match (service.closed, kind.connections) {
        (1, _) => format!("{whose} first"),
        (_, n) => format!("{whose} first in {}", thousands(n)),
    };
    let pause = |kind: &Kind, before: &str, after: &str| {
        idle(kind).map_or(String::new(), |idle| format!(", {before}{idle}{after}"))
    };
    let last_answer = " after its last answer (no idle timeout)";
    let who = [
        (&service.answered, "the service", "", last_answer),
        (&service.by_service, "the service", "after ", " idle"),
        (&service.by_client, "the client", "after ", " idle"),
    ];
    let who: Vec<String> = who
        .into_iter()
        .filter(|(kind, ..)| kind.connections > 0)
        .map(|(kind, whose, before, after)| of(kind, whose) + &pause(kind, before, after))
        .collect();
    let who = if who.is_empty() { String::new() } else { format!(": {}", who.join("; ")) };
    let slow = slow(service).unwrap_or_default();
    format!("{} to {} closed by both{who}{slow}.", count(service.closed, "connection"), name(end))
}
