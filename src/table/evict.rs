//! Flows that leave when memory runs out: finished ones first, then SYNs that nobody answered, then open
//! flows, and half-closed ones last; among equals, those whose last packet is oldest. What is evicted is judged by
//! what was seen of it, and counted.

use super::FlowTable;
use crate::place::Time;
use crate::tcp::flow::{Ending, Flow};

/// The worth of a flow when memory runs out: the cheapest go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    Finished,
    Attempt,
    Open,
    HalfClosed,
    /// It has just had a packet, perhaps its first.
    Current,
}

/// Its worth, and the place of its last packet: what orders flows for eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(Worth, u64);

impl Rank {
    /// `latest` is the place of the last segment that any table took.
    pub(super) fn of(flow: &Flow, latest: u64) -> Rank {
        let last = flow.last.order();
        let worth = match flow.ending() {
            _ if last == latest => Worth::Current,
            Ending::Closed | Ending::Reset(_) => Worth::Finished,
            Ending::Attempt => Worth::Attempt,
            Ending::Open => Worth::Open,
            Ending::HalfClosed(_) => Worth::HalfClosed,
        };
        Rank(worth, last)
    }
}

/// Chooses the flows that have to go where `tables` together hold more than `most`: an eighth of
/// all, since finding them takes time. Finished ones stand in the order of their ends; where they
/// are not enough, all flows are looked at.
pub fn too_many<'a>(
    tables: impl Iterator<Item = &'a FlowTable> + Clone,
    most: usize,
) -> Option<Evict> {
    let held: usize = tables.clone().map(FlowTable::held).sum();
    if held <= most {
        return None;
    }
    let many = (held - most + most / 8).clamp(1, held);
    let finished = tables.clone().flat_map(|table| &table.finished);
    let mut finished: Vec<Time> = finished.map(|(since, _)| *since).collect();
    if finished.len() >= many {
        let (_, &mut until, _) = finished.select_nth_unstable(many - 1);
        return Some(Evict::Finished { until });
    }
    let latest = tables.clone().map(|table| table.latest).max()?;
    let flows = tables.flat_map(|table| table.flows());
    let mut ranks: Vec<Rank> = flows.map(|(_, flow)| Rank::of(&flow, latest)).collect();
    let (_, &mut limit, _) = ranks.select_nth_unstable(many - 1);
    Some(Evict::Any { limit, latest })
}

/// The flows that leave.
#[derive(Clone, Copy, Debug)]
pub enum Evict {
    /// Finished ones of 4-tuples that have held one since then or before.
    Finished {
        /// Ended by then, or before.
        until: Time,
    },
    /// Flows up to this rank; `latest` is the place of the last segment that any table took.
    Any {
        /// The rank up to which they go.
        limit: Rank,
        /// The place of the last segment that any table took.
        latest: u64,
    },
}
