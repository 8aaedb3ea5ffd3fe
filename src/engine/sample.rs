//! A sample of the flows that were closed: what was said on these is read.

use crate::tcp::flow::FlowId;

/// Flows of each shard that are a sample: some thousands of all.
const SAMPLE: usize = 64;

/// Is a flow that was closed one of the sample? The first ones are.
pub fn is_sampled(sampled: &mut Vec<FlowId>, flow: FlowId) -> bool {
    if sampled.contains(&flow) {
        return true;
    }
    let has_room = sampled.len() < SAMPLE;
    if has_room {
        sampled.push(flow);
    }
    has_room
}
