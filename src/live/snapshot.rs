//! A live capture at one moment: the same rows and numbers for reports, metrics and screens.

use std::collections::{BTreeMap, BTreeSet};

use crate::owner::{Socket, SocketList};
use crate::run::session::Session;
use crate::run::sights::learn_others;
use crate::run::word::{after_before, is_of_local, verdict_of};
use crate::summary::closes::Closes;
use crate::summary::gauges::{Gauges, UNKNOWN, Unfinished};
use crate::summary::{Judged, Totals};
use crate::tcp::flow::FlowId;
use crate::tcp::segment::Endpoint;
use crate::tcp::side::Side;
use crate::tcp::state::State;
use crate::units::seconds;
use crate::verdict::local::Local;
use crate::verdict::{Close, Verdict};

/// The contents of a live capture now, as if it ended here: totals, rows and gauges.
pub struct Snapshot {
    /// Counts so far.
    pub totals: Totals,
    /// Notable connections, in the order of their first packets.
    pub rows: Vec<Judged>,
    /// Sockets in CLOSE-WAIT since before the capture, as far as the kernel told then.
    pub before: Vec<Socket>,
    /// Numbers of this moment.
    pub gauges: Gauges,
}

impl Snapshot {
    /// Looks at every flow once, between two rounds. `stuck` are the findings that were announced; of those of `denied`,
    /// the kernel has none in CLOSE-WAIT.
    pub fn of(session: &Session, stuck: usize, denied: &BTreeSet<FlowId>) -> Snapshot {
        let point = session.point();
        let mut totals = session.totals.clone();
        point.add_to(&mut totals);
        let before = session.plan.sockets.iter().flat_map(SocketList::stuck_before);
        let policy = session.policy();
        let before = before.filter(|it| is_of_local(it, policy));
        let of_local: Vec<Socket> = before.cloned().collect();
        of_local.iter().for_each(|it| totals.count_before(it, verdict_of(it, policy)));
        let is_left = |it: &Socket| verdict_of(it, policy) == Verdict::Leak;
        let before: Vec<Socket> = of_local.into_iter().filter(is_left).collect();
        let gauges = Gauges {
            packets: point.facts().packets(),
            segments: point.facts().segments(),
            drops: point.facts().drops(),
            evicted: totals.evicted,
            stuck: stuck as u64,
            stuck_before: before.len() as u64,
            ..Gauges::default()
        };
        let mut pauses = Pauses::default();
        let mut snapshot = Snapshot { totals, rows: session.kept.clone(), before, gauges };
        let orders = session.orders(session.current(), false);
        for mut judged in point.shards.judge_all(&orders, &session.held) {
            if !orders.takes(&judged, &mut snapshot.totals.tally) {
                continue;
            }
            learn_others(&mut judged, &point.rewrites);
            if let Some(otherwise) =
                session.plan.sockets.as_ref().and_then(|it| after_before(&judged, it))
            {
                judged.judgement = otherwise;
            }
            count(&judged, denied.contains(&judged.id()), &mut snapshot.gauges);
            pauses.see(&judged);
            snapshot.totals.tally.count(&judged.judgement);
            let is_open = judged.judgement.close == Close::Open;
            let said = judged.said.as_ref().filter(|_| is_open);
            snapshot.totals.tally.in_transaction +=
                u64::from(said.is_some_and(|said| said.in_transaction == Some(true)));
            snapshot.totals.closes.count(&judged);
            if let Some(capture) = snapshot.totals.captures.last_mut() {
                capture.history.count(&judged);
            }
            if judged.judgement.is_notable() || session.held.contains(&judged.id()) {
                snapshot.rows.push(judged);
            }
        }
        snapshot.rows.sort_by_key(Judged::id);
        snapshot.gauges.unfinished = pauses.unfinished(&snapshot.totals.closes);
        snapshot
    }
}

/// Open connections, and the pauses after which their services closed others.
#[derive(Default)]
struct Pauses {
    /// Seconds for which each has been silent.
    open: Vec<(Endpoint, f64)>,
    held: u64,
    /// The longest pause before a FIN of the service.
    timeouts: BTreeMap<Endpoint, f64>,
}

impl Pauses {
    fn see(&mut self, judged: &Judged) {
        let (judgement, flow) = (&judged.judgement, &judged.flow);
        let service = judged.service();
        if judgement.close == Close::Open && judgement.local != Local::Neither {
            let last = flow.last_payload().unwrap_or(flow.first);
            let idle = judged.end.since(last.time).map_or(0.0, |nanos| nanos as f64 / 1e9);
            self.open.push((judged.endpoint(service), idle));
        }
        let held =
            matches!(judgement.verdict, Verdict::Pending | Verdict::Leak | Verdict::HalfClosed);
        self.held += u64::from(held && judgement.close == Close::HalfClosed);
        let by_service = flow.first_fin().is_some_and(|(closer, _)| closer == service);
        if let Some(idle) = judgement.idle_before_fin.filter(|_| by_service) {
            self.learn(judged.endpoint(service), seconds(idle));
        }
    }

    fn learn(&mut self, service: Endpoint, pause: f64) {
        let longest = self.timeouts.entry(service).or_default();
        *longest = longest.max(pause);
    }

    fn unfinished(mut self, closes: &Closes) -> Unfinished {
        for (service, closed) in closes.services() {
            let longest = closed.by_service.idle().map(|(_, most)| seconds(most));
            if let Some((service, longest)) = service.zip(longest) {
                self.learn(service, longest);
            }
        }
        let mut unfinished = Unfinished { held: self.held, ..Unfinished::default() };
        for (service, idle) in &self.open {
            unfinished.add_open(*service, *idle, self.timeouts.get(service).copied());
        }
        unfinished
    }
}

/// Counts the local ends of a connection, and how long they have been held.
fn count(judged: &Judged, is_denied: bool, gauges: &mut Gauges) {
    let sides: &[Side] = match judged.judgement.local {
        Local::Side(Side::A) => &[Side::A],
        Local::Side(Side::B) => &[Side::B],
        Local::Both => &[Side::A, Side::B],
        Local::Neither => return,
        Local::Unknown => {
            *gauges.states.entry(UNKNOWN).or_default() += 1;
            return;
        }
    };
    for &side in sides {
        let state = match judged.state(side) {
            State::CloseWait if is_denied => {
                *gauges.states.entry(UNKNOWN).or_default() += 1;
                continue;
            }
            state => state,
        };
        *gauges.states.entry(state.name()).or_default() += 1;
        if state == State::CloseWait {
            let held = judged.judgement.held.map_or(0.0, seconds);
            gauges.holds.add(judged.endpoint(judged.service()), held);
        }
    }
}
