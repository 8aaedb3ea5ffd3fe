//! What a live capture holds at the moment, as OpenMetrics text for Prometheus.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::tcp::segment::Endpoint;
use crate::tcp::state::State;

/// The content type of [`text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the histogram of holds, in seconds: from a slow close to a lost one.
const BOUNDS: [f64; 10] =
    [1.0, 5.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 604_800.0];

/// Services with a label of their own; those with fewer connections in CLOSE-WAIT are summed up.
const SERVICES: usize = 100;

/// The state of connections of which the capture cannot tell which end is local.
pub const UNKNOWN: &str = "unknown";

/// A live capture at one moment.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    pub packets: u64,
    pub segments: u64,
    pub drops: u64,
    pub evicted: u64,
    /// Local ends by state.
    pub states: BTreeMap<&'static str, u64>,
    /// Findings that were announced and are still there.
    pub stuck: u64,
    /// Sockets in CLOSE-WAIT since before the capture.
    pub stuck_before: u64,
    pub holds: Holds,
}

/// How long local ends in CLOSE-WAIT have been held, in all and by service.
#[derive(Clone, Debug, Default)]
pub struct Holds {
    /// Up to each bound, and beyond.
    counts: [u64; BOUNDS.len() + 1],
    /// Seconds.
    sum: f64,
    services: BTreeMap<Endpoint, Service>,
}

/// What is in CLOSE-WAIT towards one service.
#[derive(Clone, Copy, Debug, Default)]
struct Service {
    connections: u64,
    /// Seconds.
    longest: f64,
}

impl Service {
    fn add(&mut self, more: Service) {
        self.connections += more.connections;
        self.longest = self.longest.max(more.longest);
    }
}

impl Holds {
    /// One more, held for so many seconds.
    pub fn add(&mut self, service: Endpoint, seconds: f64) {
        self.services.entry(service).or_default().add(Service { connections: 1, longest: seconds });
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.counts[bucket] += 1;
        self.sum += seconds;
    }

    /// By name; the busiest have one.
    fn services(&self) -> Vec<(String, Service)> {
        let mut services: Vec<_> = self.services.iter().collect();
        services.sort_by_key(|(_, service)| std::cmp::Reverse(service.connections));
        let (named, others) = services.split_at(services.len().min(SERVICES));
        let named = named.iter().map(|(endpoint, service)| (endpoint.to_string(), **service));
        let mut all: Vec<_> = named.collect();
        if !others.is_empty() {
            let mut sum = Service::default();
            others.iter().for_each(|(_, service)| sum.add(**service));
            all.push(("other".into(), sum));
        }
        all
    }
}

/// The text that is scraped.
pub fn text(gauges: Gauges) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("closewait");
    registry.register_collector(Box::new(gauges));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let encoder = &mut encoder;
        counter(encoder, "packets", "Packets seen", self.packets)?;
        counter(encoder, "segments", "TCP segments among them", self.segments)?;
        counter(encoder, "drops", "Packets that the kernel dropped", self.drops)?;
        counter(encoder, "evictions", "Connections forgotten for lack of memory", self.evicted)?;
        let states = State::ALL.iter().map(|state| state.name()).chain([UNKNOWN]);
        let states = states
            .map(|state| ([("state", state)], self.states.get(state).copied().unwrap_or_default()));
        gauges(encoder, ("connections", None), "Local ends by their state", states)?;
        gauge(encoder, "findings", "Findings now", self.stuck)?;
        let help = "Sockets in CLOSE-WAIT since before the capture began";
        gauge(encoder, "stuck_before", help, self.stuck_before)?;
        let services = self.holds.services();
        let by_service = |value: fn(&Service) -> f64| {
            services
                .iter()
                .map(move |(name, service)| ([("service", name.as_str())], value(service)))
        };
        let connections = by_service(|service| service.connections as f64);
        let help = "Connections in CLOSE-WAIT now, by service";
        gauges(encoder, ("close_wait", None), help, connections)?;
        let longest = by_service(|service| service.longest);
        let help = "How long the longest of them has been held";
        gauges(encoder, ("close_wait_longest", Some(&Unit::Seconds)), help, longest)?;
        self.holds.encode(encoder)
    }
}

impl Holds {
    /// Computed from what is held now: a connection that closes leaves it.
    fn encode(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(self.counts).collect();
        let help = "How long connections that are in CLOSE-WAIT now have been held";
        let kind = MetricType::Histogram;
        encoder
            .encode_descriptor("close_wait_held", help, Some(&Unit::Seconds), kind)?
            .encode_histogram::<NoLabelSet>(self.sum, self.counts.iter().sum(), &buckets, None)
    }
}

fn counter(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> fmt::Result {
    encoder
        .encode_descriptor(name, help, None, MetricType::Counter)?
        .encode_counter::<NoLabelSet, _, u64>(&value, None)
}

fn gauge(encoder: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
}

fn gauges<L: EncodeLabelSet, V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder,
    (name, unit): (&str, Option<&Unit>),
    help: &str,
    values: impl Iterator<Item = (L, V)>,
) -> fmt::Result {
    let mut metric: MetricEncoder =
        encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    for (labels, value) in values {
        metric.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, begins: &str) -> String {
        let found = text.lines().find(|line| line.starts_with(begins));
        found.unwrap_or_else(|| panic!("no {begins} in\n{text}")).to_owned()
    }

    #[test]
    fn holds_are_counted_up_to_each_bound() {
        let mut gauges = Gauges::default();
        let service = |n: u8| Endpoint { ip: [10, 0, 0, n].into(), port: 3306 };
        [0.5, 5.0, 61.0, 1e9].into_iter().for_each(|held| gauges.holds.add(service(1), held));
        gauges.holds.add(service(2), 7.0);
        let text = text(gauges).expect("text");
        let bucket = |le: &str, n: u64| {
            let begins = format!("closewait_close_wait_held_seconds_bucket{{le=\"{le}\"}}");
            assert_eq!(line(&text, &begins), format!("{begins} {n}"));
        };
        bucket("1.0", 1);
        bucket("5.0", 2);
        bucket("30.0", 3);
        bucket("604800.0", 4);
        bucket("+Inf", 5);
        assert!(line(&text, "closewait_close_wait{service=\"10.0.0.1:3306\"}").ends_with(" 4.0"));
        let longest = "closewait_close_wait_longest_seconds{service=\"10.0.0.2:3306\"}";
        assert!(line(&text, longest).ends_with(" 7.0"));
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn beyond_a_hundred_services_are_other() {
        let mut gauges = Gauges::default();
        for n in 0..150 {
            let service = Endpoint { ip: [10, 0, 1, n].into(), port: 3306 };
            (0..=n).for_each(|_| gauges.holds.add(service, f64::from(n)));
        }
        let text = text(gauges).expect("text");
        let services = text.lines().filter(|l| l.starts_with("closewait_close_wait{")).count();
        assert_eq!(services, 101);
        // 1 + 2 + … + 50, the longest of which was held 49 s.
        assert!(line(&text, "closewait_close_wait{service=\"other\"}").ends_with(" 1275.0"));
        assert!(
            line(&text, "closewait_close_wait_longest_seconds{service=\"other\"}")
                .ends_with(" 49.0")
        );
    }
}
