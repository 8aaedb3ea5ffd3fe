//! The flows of a live run, counted for whoever asks.

use super::{CapturePoint, Run};
use crate::owner::SocketList;
use crate::summary::Judged;
use crate::summary::gauges::{Gauges, UNKNOWN};
use crate::table::Retired;
use crate::tcp::flow::Flow;
use crate::tcp::segment::FlowKey;
use crate::tcp::side::Side;
use crate::tcp::state::State;
use crate::units::seconds;
use crate::verdict::local::{Local, local};

impl Run<'_> {
    pub(super) fn gauges(&self) -> Gauges {
        let point = &self.points[self.current];
        let sentry = self.sentry.as_ref();
        let mut gauges = Gauges {
            packets: point.facts().packets(),
            segments: point.facts().segments(),
            drops: point.facts().drops(),
            evicted: point.shards.counts().1,
            stuck: sentry.map_or(0, |sentry| sentry.stuck() as u64),
            stuck_before: self.sockets.iter().flat_map(SocketList::stuck_before).count() as u64,
            ..Gauges::default()
        };
        for (key, flow) in point.shards.flows() {
            self.count(key, flow, point, &mut gauges);
        }
        gauges
    }

    fn count(&self, key: &FlowKey, flow: &Flow, point: &CapturePoint, gauges: &mut Gauges) {
        let (local, _) = local(key, flow, self.policy.local.as_ref(), point.facts().addresses());
        let sides: &[Side] = match local {
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
            let state = flow.state(side, point.facts().end());
            *gauges.states.entry(state.name()).or_default() += 1;
            if state == State::CloseWait {
                let flow = Retired { key: *key, flow: flow.clone() };
                let judged = Judged::new(flow, &self.policy, point.facts());
                let held = judged.judgement.held.map_or(0.0, seconds);
                gauges.holds.add(judged.endpoint(judged.service()), held);
            }
        }
    }
}
