//! Evidence of packets on connections that are watched.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::endpoints::EndpointSet;
use crate::engine::shards::Shards;
use crate::join::rewrites::Rewrites;
use crate::place::Time;
use crate::summary::Judged;
use crate::tcp::flow::Flow;
use crate::tcp::segment::{End, FlowKey};
use crate::tcp::side::Side;

/// 4-tuples that may hold a half-closed flow, with their hashes.
pub type Watched = HashMap<FlowKey, u64, RandomState>;

/// Tells whether a flow is none that was seen under another pair of addresses before, where it is watched, too, and
/// `--local` does not name an end of this pair alone.
pub fn is_seen_first(
    key: &FlowKey,
    flow: &Flow,
    watched: &Watched,
    shards: &Shards,
    rewrites: &Rewrites,
    local: Option<&EndpointSet>,
) -> bool {
    let is_named = |key: &FlowKey| {
        let mut ends = [End::Lower, End::Upper].into_iter().map(|end| key.endpoint(end));
        local.is_none_or(|local| ends.any(|end| local.contains(end)))
    };
    let first = rewrites.seen_first(key).filter(|first| is_named(first) || !is_named(key));
    let sight = first.and_then(|first| Some((first, *watched.get(&first)?)));
    sight.is_none_or(|(first, hash)| {
        let mut flows = shards.flows_of(hash, &first);
        !flows.any(|it| it.id() < flow.id() && it.may_be_half_closed())
    })
}

/// Has the side that has not closed sent something since the FIN?
pub fn is_used(flow: &Flow) -> bool {
    let fin = [Side::A, Side::B].into_iter().find_map(|by| Some((by.other(), flow.fin(by)?)));
    fin.is_some_and(|(holder, fin)| flow.payload_after(holder, fin.end).is_some())
}

/// Have packets come since?
pub fn goes_on(flow: &Flow, since: Time) -> bool {
    flow.last.time.since(since).is_some_and(|nanos| nanos > 0)
}

/// Do packets tell no finding, so that only the kernel can?
pub fn is_only_the_kernels(judged: &Judged) -> bool {
    has_ended(judged) || !judged.judgement.finding
}

/// Has the connection ended, or is it still open, as far as its packets tell?
pub fn has_ended(judged: &Judged) -> bool {
    !judged.flow.may_be_half_closed()
}
