//! A live capture at one moment, counted for whoever asks.

use std::collections::BTreeMap;

use crate::tcp::segment::Endpoint;

/// Bounds of holds that are told apart, in seconds: from a slow close to a lost one.
pub const BOUNDS: [f64; 10] =
    [1.0, 5.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 604_800.0];

/// Services with a label of their own; those with fewer connections in CLOSE-WAIT are summed up.
const SERVICES: usize = 100;

/// The state of connections of which the capture cannot tell which end is local.
pub const UNKNOWN: &str = "unknown";

/// A live capture at one moment.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Packets read.
    pub packets: u64,
    /// Packets of TCP.
    pub segments: u64,
    /// Packets that the kernel dropped.
    pub drops: u64,
    /// Connections that left memory early.
    pub evicted: u64,
    /// Local ends by state.
    pub states: BTreeMap<&'static str, u64>,
    /// Findings that were announced and are still there.
    pub stuck: u64,
    /// Sockets in CLOSE-WAIT since before the capture.
    pub stuck_before: u64,
    /// Connections that are held now, by how long.
    pub holds: Holds,
    /// Connections that entered and left CLOSE-WAIT since the beginning.
    pub changes: Changes,
    /// Connections whose end is still to come.
    pub unfinished: Unfinished,
}

/// Connections of which more may be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Unfinished {
    /// Open, and not silent for longer than any that its service closed.
    pub open: u64,
    /// Held by local: they may still be closed.
    pub held: u64,
    /// A service that closes idle connections, and after how many seconds: of those above the slowest.
    pub slowest: Option<(Endpoint, f64)>,
}

impl Unfinished {
    /// One that is still open, silent for so many seconds, and the pause after which its service has
    /// closed others.
    pub fn add_open(&mut self, service: Endpoint, idle: f64, timeout: Option<f64>) {
        if timeout.is_some_and(|timeout| idle > timeout + SLACK) {
            return;
        }
        self.open += 1;
        let known = timeout.map(|timeout| (service, timeout));
        let slower =
            known.filter(|(_, timeout)| self.slowest.is_none_or(|(_, slowest)| slowest < *timeout));
        self.slowest = slower.or(self.slowest);
    }

    /// Nothing more is to be waited for.
    pub fn is_over(&self) -> bool {
        self.open == 0 && self.held == 0
    }
}

/// Seconds by which a timer may be late.
const SLACK: f64 = 1.0;

/// Findings that began, and that ended, since the capture began.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// By service and process.
    pub begun: BTreeMap<[String; 2], u64>,
    /// By service, process and the verdict in the end.
    pub ended: BTreeMap<[String; 3], u64>,
}

impl Changes {
    /// Counts a finding that has begun. Returns its labels: beyond the first so many, all are one.
    pub fn begin(&mut self, service: String, process: String) -> [String; 2] {
        let labels = [service, process];
        let labels = match self.begun.contains_key(&labels) || self.begun.len() < SERVICES {
            true => labels,
            false => ["other".into(), "other".into()],
        };
        *self.begun.entry(labels.clone()).or_default() += 1;
        labels
    }

    /// Counts the end of one with these labels.
    pub fn end(&mut self, [service, process]: [String; 2], verdict: &str) {
        *self.ended.entry([service, process, verdict.to_owned()]).or_default() += 1;
    }
}

/// Times for which local ends in CLOSE-WAIT have been held, in all and by service.
#[derive(Clone, Debug, Default)]
pub struct Holds {
    /// Held for each bound, or longer.
    pub at_least: [u64; BOUNDS.len()],
    services: BTreeMap<Endpoint, Service>,
}

/// Connections in CLOSE-WAIT towards one service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Service {
    /// Connections of the service.
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
        for (count, bound) in self.at_least.iter_mut().zip(BOUNDS) {
            *count += u64::from(seconds >= bound);
        }
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
