//! A live capture at one moment, counted for whoever asks.

use std::collections::BTreeMap;

use crate::tcp::segment::Endpoint;

/// Upper bounds of the histogram of holds, in seconds: from a slow close to a lost one.
pub const BOUNDS: [f64; 10] =
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

/// Times for which local ends in CLOSE-WAIT have been held, in all and by service.
#[derive(Clone, Debug, Default)]
pub struct Holds {
    /// Up to each bound, and beyond.
    pub counts: [u64; BOUNDS.len() + 1],
    /// Seconds.
    pub sum: f64,
    services: BTreeMap<Endpoint, Service>,
}

/// Connections in CLOSE-WAIT towards one service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Service {
    pub connections: u64,
    /// Seconds.
    pub longest: f64,
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
    pub fn services(&self) -> Vec<(String, Service)> {
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
