//! The numbers of a live capture at the moment, as OpenMetrics text for Prometheus.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::summary::gauges::{BOUNDS, Changes, Gauges, Service, UNKNOWN};
use crate::tcp::state::State;

/// Content types of [`text`]: for who asks for it, and for everybody else.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The content type of Prometheus's own text format.
pub const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text that is scraped.
pub fn text(gauges: Gauges, open_metrics: bool) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("closewait");
    registry.register_collector(Box::new(gauges));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(if open_metrics { text } else { plain(&text) })
}

/// The older form: a counter is described by its whole name, and no line is about units.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut lines = text.lines().filter(|line| !line.starts_with("# UNIT ")).peekable();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match (words[..].first_chunk(), lines.peek()) {
            (Some(["#", "HELP", name, about]), Some(next)) if next.ends_with(" counter") => {
                plain += &format!("# HELP {name}_total {about}\n");
            }
            (Some(["#", "TYPE", name, "counter"]), _) => {
                plain += &format!("# TYPE {name}_total counter\n");
            }
            _ => plain.extend([line, "\n"]),
        }
    }
    plain
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
        let help = "Connections in CLOSE-WAIT now that have been held for so many seconds";
        let held = BOUNDS.iter().zip(self.holds.at_least);
        let held = held.map(|(bound, count)| ([("seconds", bound.to_string())], count));
        gauges(encoder, ("close_wait_held", None), help, held)?;
        self.changes.encode(encoder)?;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        let build = [(version, 1_u64)].into_iter();
        gauges(encoder, ("build_info", None), "The program that counts", build)
    }
}

impl Changes {
    fn encode(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let help = "Findings that began";
        let mut begun =
            encoder.encode_descriptor("findings_begun", help, None, MetricType::Counter)?;
        for ([service, process], count) in &self.begun {
            let labels = [("service", service.as_str()), ("process", process.as_str())];
            begun.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(count, None)?;
        }
        let help = "Findings that ended, by what became of the connection";
        let mut ended =
            encoder.encode_descriptor("findings_ended", help, None, MetricType::Counter)?;
        for ([service, process, verdict], count) in &self.ended {
            let labels = [
                ("service", service.as_str()),
                ("process", process.as_str()),
                ("verdict", verdict.as_str()),
            ];
            ended.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(count, None)?;
        }
        Ok(())
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
    use crate::tcp::segment::Endpoint;

    fn line(text: &str, begins: &str) -> String {
        let found = text.lines().find(|line| line.starts_with(begins));
        found.unwrap_or_else(|| panic!("no {begins} in\n{text}")).to_owned()
    }

    #[test]
    fn holds_are_counted_from_each_bound_on() {
        let mut gauges = Gauges::default();
        let service = |n: u8| Endpoint { ip: [10, 0, 0, n].into(), port: 3306 };
        [0.5, 5.0, 61.0, 1e9].into_iter().for_each(|held| gauges.holds.add(service(1), held));
        gauges.holds.add(service(2), 7.0);
        let text = text(gauges, true).expect("text");
        let held = |seconds: &str, n: u64| {
            let begins = format!("closewait_close_wait_held{{seconds=\"{seconds}\"}}");
            assert_eq!(line(&text, &begins), format!("{begins} {n}"));
        };
        held("1", 4);
        held("5", 4);
        held("30", 2);
        held("300", 1);
        held("604800", 1);
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
        let text = text(gauges, true).expect("text");
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
