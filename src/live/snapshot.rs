//! A live capture at one moment: the same rows and numbers for reports, metrics and screens.

use crate::owner::{Socket, SocketList};
use crate::run::session::Session;
use crate::run::sights::learn_others;
use crate::summary::gauges::{Gauges, UNKNOWN};
use crate::summary::{Judged, Totals};
use crate::tcp::side::Side;
use crate::tcp::state::State;
use crate::units::seconds;
use crate::verdict::local::Local;

/// The contents of a live capture now, as if it ended here: totals, rows and gauges.
pub struct Snapshot {
    pub totals: Totals,
    /// Notable connections, in the order of their first packets.
    pub rows: Vec<Judged>,
    /// Sockets in CLOSE-WAIT since before the capture, as far as the kernel told then.
    pub before: Vec<Socket>,
    pub gauges: Gauges,
}

impl Snapshot {
    /// Looks at every flow once, between two rounds. `stuck` are the findings that were announced.
    pub fn of(session: &Session, stuck: usize) -> Snapshot {
        let point = session.point();
        let mut totals = session.totals.clone();
        point.add_to(&mut totals);
        let before = session.plan.sockets.iter().flat_map(SocketList::stuck_before);
        let before: Vec<Socket> = before.cloned().collect();
        let gauges = Gauges {
            packets: point.facts().packets(),
            segments: point.facts().segments(),
            drops: point.facts().drops(),
            evicted: totals.evicted,
            stuck: stuck as u64,
            stuck_before: before.len() as u64,
            ..Gauges::default()
        };
        let mut snapshot = Snapshot { totals, rows: session.kept.clone(), before, gauges };
        let orders = session.orders(session.current(), false);
        for flow in point.shards.flows() {
            let mut judged = point.shards.judge(flow, &orders);
            learn_others(&mut judged, &point.rewrites);
            count(&judged, &mut snapshot.gauges);
            snapshot.totals.tally.count(&judged.judgement);
            snapshot.totals.closes.count(&judged);
            if let Some(capture) = snapshot.totals.captures.last_mut() {
                capture.history.count(&judged);
            }
            if judged.judgement.is_notable() || session.held.contains(&judged.id()) {
                snapshot.rows.push(judged);
            }
        }
        snapshot.rows.sort_by_key(Judged::id);
        snapshot
    }
}

/// Counts the local ends of a connection, and how long they have been held.
fn count(judged: &Judged, gauges: &mut Gauges) {
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
        let state = judged.state(side);
        *gauges.states.entry(state.name()).or_default() += 1;
        if state == State::CloseWait {
            let held = judged.judgement.held.map_or(0.0, seconds);
            gauges.holds.add(judged.endpoint(judged.service()), held);
        }
    }
}
