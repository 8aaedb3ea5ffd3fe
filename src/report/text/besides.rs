//! Events besides the findings: closes that went wrong and left nothing in CLOSE-WAIT, and who closed
//! first.

use chrono::TimeDelta;

use super::report::Report;
use crate::names;
use crate::report::lang::{Lang, Thing};
use crate::summary::closes::{Kind, Service};
use crate::summary::groups::forgotten_after;
use crate::summary::race::Advice;
use crate::tcp::segment::Endpoint;
use crate::units::{duration, nearest, range, thousands};

/// Services of which something is said, of each kind.
const SERVICES: usize = 2;

/// One kind of what can happen: where it is counted, how it is said.
type Told = (fn(&Service) -> &Kind, fn(&Kind, Lang) -> String);

const ODD: [Told; 4] = [
    (|service| &service.late, late),
    (|service| &service.used, used),
    (|service| &service.dropped, dropped),
    (|service| &service.last_ack, last_ack),
];

/// The kinds of [`ODD`] in a few words, where there is no room for more.
const IN_SHORT: [fn(Lang, String) -> String; 4] =
    [Lang::n_late, Lang::n_used, Lang::n_dropped, Lang::n_last_ack];

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
            (n > 0).then(|| words(self.lang(), thousands(n)))
        });
        let all: Vec<String> = all.collect();
        (!all.is_empty()).then(|| self.lang().besides(all.join(&self.lang().comma())))
    }

    pub fn odd_closes(&self) -> Vec<String> {
        let (services, lang) = (self.totals.closes.services(), self.lang());
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
                let connections = lang.count(kind.connections, Thing::Connection);
                lang.to_service(connections, name(*end, lang), words(kind, lang))
            }));
            let left: u64 = told[shown..].iter().map(|(_, kind)| kind.connections).sum();
            lines.extend(more(left, told.len() - shown, lang));
        }
        lines.extend(self.races());
        lines
    }

    /// Advises those whose requests come after the service's FIN.
    fn races(&self) -> Vec<String> {
        let (services, lang) = (self.totals.closes.services(), self.lang());
        let told =
            services.iter().filter_map(|(end, service)| Some((*end, service.race.advice()?)));
        let mut told: Vec<(Option<Endpoint>, Advice)> = told.collect();
        told.sort_by_key(|(_, advice)| std::cmp::Reverse(advice.late));
        let shown = self.told(told.len());
        let mut lines: Vec<String> = told[..shown]
            .iter()
            .map(|(end, advice)| race(advice, &name(*end, lang), lang))
            .collect();
        let left: u64 = told[shown..].iter().map(|(_, advice)| advice.late).sum();
        lines.extend(more(left, told.len() - shown, lang));
        lines
    }

    /// Says who closed first, of the busiest services, in so many lines.
    pub fn closed_first(&self, room: usize) -> Vec<String> {
        let (services, lang) = (self.totals.closes.services(), self.lang());
        let mut closed: Vec<_> = services.into_iter().filter(|(_, all)| all.closed > 0).collect();
        closed.sort_by_key(|(_, service)| std::cmp::Reverse(service.closed));
        let mut lines = Vec::new();
        let mut left = room;
        for (shown, (end, service)) in closed.iter().enumerate() {
            let line = closed_first(service, *end, lang);
            let (height, others) = (self.look.screen.height(&line), &closed[shown..]);
            // What is left out takes a line, too.
            let fits = height + usize::from(others.len() > 1) <= left && shown < SERVICES;
            if shown >= self.look.limit().unwrap_or(if fits { usize::MAX } else { 0 }) {
                let connections: u64 = others.iter().map(|(_, service)| service.closed).sum();
                lines.extend((left > 0).then(|| {
                    let services = lang.count(others.len() as u64, Thing::Service);
                    lang.first_elsewhere(services, lang.count(connections, Thing::Connection))
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

fn more(connections: u64, services: usize, lang: Lang) -> Option<String> {
    (services > 0).then(|| {
        let services = lang.count(services as u64, Thing::MoreService);
        lang.of_services(lang.count(connections, Thing::Connection), services)
    })
}

fn name(service: Option<Endpoint>, lang: Lang) -> String {
    service.map_or_else(|| lang.other_services(), |end| end.to_string())
}

fn took(kind: &Kind, lang: Lang) -> String {
    kind.took().map_or_else(|| lang.some_time(), |(least, most)| range(least, most))
}

fn idle(kind: &Kind) -> Option<String> {
    kind.idle().map(|(least, most)| range(least, most))
}

fn host(kind: &Kind, lang: Lang) -> String {
    kind.host().map_or_else(|| lang.several_hosts(), names::host)
}

fn late(kind: &Kind, lang: Lang) -> String {
    let at_once = if kind.all_at_once() { lang.restart() } else { String::new() };
    lang.late(host(kind, lang), took(kind, lang), at_once)
}

fn used(kind: &Kind, lang: Lang) -> String {
    let idle = idle(kind).map_or(String::new(), |idle| lang.after_idle(idle));
    lang.used(host(kind, lang), took(kind, lang), idle)
}

fn dropped(kind: &Kind, lang: Lang) -> String {
    let least = kind.took().map(|(least, _)| least);
    let fits = least.into_iter().flat_map(forgotten_after).take(2);
    let fits: Vec<&str> = fits.map(|name| lang.product(name)).collect();
    let fits = match &fits[..] {
        [] => String::new(),
        fits => lang.perhaps(fits.join(&lang.comma())),
    };
    lang.dropped(took(kind, lang), fits)
}

fn last_ack(kind: &Kind, lang: Lang) -> String {
    lang.last_ack(host(kind, lang), took(kind, lang))
}

/// A hold that somebody waits for.
const SLOW: TimeDelta = TimeDelta::milliseconds(100);

/// Says how long CLOSE-WAIT lasted where programs closed slowly: they leak one day.
fn slow(service: &Service, lang: Lang) -> Option<String> {
    let spread = &service.closed_after;
    let [half, nearly] = [50, 99].map(|hundredths| spread.percentile(hundredths));
    (spread.most() >= SLOW).then_some(())?;
    let (half, nearly, most) = (duration(half?), duration(nearly?), duration(spread.most()));
    let mut text = match (half == most, service.closed) {
        (true, 1) => lang.lasted(&most),
        (true, _) => lang.lasted_at_most(&most),
        (false, _) => lang.lasted_half(half, &most),
    };
    if nearly != most {
        text += &lang.nearly_all(nearly);
    }
    Some(text)
}

fn race(advice: &Advice, service: &str, lang: Lang) -> String {
    let setting = advice.setting.map_or(String::new(), |setting| lang.aside(setting));
    let requests = match advice.late {
        1 => lang.one_request(),
        late => lang.requests(thousands(late)),
    };
    let (timeout, spread) = (nearest(advice.timeout), duration(advice.spread));
    let measured = format!("n = {}{}± {spread}", thousands(advice.number), lang.comma());
    let after = range(advice.after.0, advice.after.1);
    lang.race(service, timeout, measured, requests, after, setting)
}

/// Connections that one side closed first: which, by whom, after which pause.
type Who<'a> = (&'a Kind, fn(Lang) -> String, fn(Lang, String) -> String);

/// Says who closed first, and after which pause.
fn closed_first(service: &Service, end: Option<Endpoint>, lang: Lang) -> String {
    let of = |kind: &Kind, whose: String| match (service.closed, kind.connections) {
        (1, _) => lang.one_first(whose),
        (_, n) => lang.some_first(whose, thousands(n)),
    };
    let pause = |kind: &Kind, words: fn(Lang, String) -> String| {
        idle(kind).map_or(String::new(), |idle| words(lang, idle))
    };
    let who: [Who; 3] = [
        (&service.answered, Lang::the_service, Lang::after_answer),
        (&service.by_service, Lang::the_service, Lang::after_idling),
        (&service.by_client, Lang::the_client, Lang::after_idling),
    ];
    let who: Vec<String> = who
        .into_iter()
        .filter(|(kind, ..)| kind.connections > 0)
        .map(|(kind, whose, words)| of(kind, whose(lang)) + &pause(kind, words))
        .collect();
    let who = match &who[..] {
        [] => String::new(),
        who => lang.colon(who.join(&lang.semicolon())),
    };
    let connections = lang.count(service.closed, Thing::Connection);
    lang.closed_by_both(connections, name(end, lang), who, slow(service, lang).unwrap_or_default())
}
