//! The numbers of the headline, and how connections were closed, as JSON.

use chrono::TimeDelta;
use serde::Serialize;

use super::lines::EndKey;
use crate::names::host;
use crate::summary::closes::{Kind, Service};
use crate::summary::race::Advice;
use crate::summary::spread::Spread;
use crate::summary::totals::Headline;
use crate::tcp::segment::Endpoint;
use crate::units::seconds;

/// The numbers of the headline.
#[derive(Serialize)]
pub struct HeadlineLine {
    close_wait: u64,
    certain: u64,
    doubted: u64,
    hidden: u64,
    pending: u64,
    descriptors: u64,
    before_capture: u64,
    pending_before: u64,
    elsewhere: u64,
    not_judged: u64,
    one_sided: u64,
    #[serde(skip_serializing_if = "is_none")]
    multipath: u64,
    tags_untold: u64,
    #[serde(skip_serializing_if = "is_none")]
    tags_unread: u64,
    foreign: u64,
    #[serde(skip_serializing_if = "is_none")]
    given_up: u64,
    unread_inputs: u64,
    unread_packets: u64,
    cut_off: u64,
}

/// A number of what few captures have, or of what was asked for.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands on a reference")]
fn is_none(number: &u64) -> bool {
    *number == 0
}

impl From<Headline> for HeadlineLine {
    fn from(now: Headline) -> HeadlineLine {
        HeadlineLine {
            close_wait: now.close_wait,
            certain: now.certain,
            doubted: now.doubted,
            hidden: now.hidden,
            pending: now.pending,
            descriptors: now.descriptors,
            before_capture: now.before_capture,
            pending_before: now.pending_before,
            elsewhere: now.elsewhere,
            not_judged: now.not_judged,
            one_sided: now.one_sided,
            multipath: now.multipath,
            tags_untold: now.tags_untold,
            tags_unread: now.tags_unread,
            foreign: now.foreign,
            given_up: now.given_up,
            unread_inputs: now.unread,
            unread_packets: now.unread_packets,
            cut_off: now.cut_off,
        }
    }
}

/// The closes of one service; where services are not told apart, it is null.
#[derive(Serialize)]
pub struct CloseLine {
    service: Option<EndKey>,
    closed: u64,
    answered: Option<KindLine>,
    by_service: Option<KindLine>,
    by_client: Option<KindLine>,
    late: Option<KindLine>,
    used_after_fin: Option<KindLine>,
    dropped_idle: Option<KindLine>,
    last_ack: Option<KindLine>,
    close_wait: Option<SpreadLine>,
    idle_before_fin: Option<SpreadLine>,
    keep_alive_race: Option<RaceLine>,
}

/// Requests that came after the service's FIN, and the timer that it closes idle connections by.
#[derive(Serialize)]
struct RaceLine {
    timeout_s: f64,
    connections: u64,
    spread_s: f64,
    late: u64,
    late_by_s: [f64; 2],
    setting: Option<&'static str>,
}

impl From<Advice> for RaceLine {
    fn from(advice: Advice) -> RaceLine {
        RaceLine {
            timeout_s: seconds(advice.timeout),
            connections: advice.number,
            spread_s: seconds(advice.spread),
            late: advice.late,
            late_by_s: [seconds(advice.after.0), seconds(advice.after.1)],
            setting: advice.setting,
        }
    }
}

/// Durations in percentiles: each a bound, a quarter too high at most.
#[derive(Serialize)]
struct SpreadLine {
    connections: u64,
    p50_s: f64,
    p90_s: f64,
    p99_s: f64,
    most_s: f64,
}

impl SpreadLine {
    fn new(spread: &Spread) -> Option<SpreadLine> {
        Some(SpreadLine {
            connections: spread.count(),
            p50_s: seconds(spread.percentile(50)?),
            p90_s: seconds(spread.percentile(90)?),
            p99_s: seconds(spread.percentile(99)?),
            most_s: seconds(spread.most()),
        })
    }
}

/// Connections that were closed in one way: the least and the most of each measure.
#[derive(Serialize)]
struct KindLine {
    connections: u64,
    host: Option<String>,
    took_s: Option<[f64; 2]>,
    idle_before_fin_s: Option<[f64; 2]>,
    at_once: bool,
}

impl CloseLine {
    pub fn new((end, service): (Option<Endpoint>, &Service)) -> CloseLine {
        CloseLine {
            service: end.map(EndKey::from),
            closed: service.closed,
            answered: KindLine::new(&service.answered),
            by_service: KindLine::new(&service.by_service),
            by_client: KindLine::new(&service.by_client),
            late: KindLine::new(&service.late),
            used_after_fin: KindLine::new(&service.used),
            dropped_idle: KindLine::new(&service.dropped),
            last_ack: KindLine::new(&service.last_ack),
            close_wait: SpreadLine::new(&service.close_wait()),
            idle_before_fin: SpreadLine::new(&service.idle),
            keep_alive_race: service.race.advice().map(RaceLine::from),
        }
    }
}

impl KindLine {
    fn new(kind: &Kind) -> Option<KindLine> {
        let ends = |(least, most): (TimeDelta, TimeDelta)| [seconds(least), seconds(most)];
        (kind.connections > 0).then(|| KindLine {
            connections: kind.connections,
            host: kind.host().map(host),
            took_s: kind.took().map(ends),
            idle_before_fin_s: kind.idle().map(ends),
            at_once: kind.all_at_once(),
        })
    }
}
