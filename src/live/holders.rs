//! Processes that held what was told: after a RST the kernel has the socket no more, and they keep the descriptor.

use std::collections::BTreeMap;

use crate::owner::Holder;
use crate::run::told::Told;
use crate::summary::{EventKind, Row};
use crate::tcp::flow::FlowId;
use crate::tcp::segment::{End, FlowKey};

/// Processes by the flow whose socket they held, with the end of it.
#[derive(Default)]
pub struct Holders(BTreeMap<FlowId, (FlowKey, End, Vec<Holder>)>);

impl Holders {
    /// Remembers those of a finding, of so many at most, and forgets those of one that has ended otherwise.
    pub fn take(&mut self, kind: EventKind, row: &Row, most: usize) {
        let (judged, id) = (row.judged, row.judged.id());
        if kind == EventKind::Ended && !judged.judgement.finding {
            self.0.remove(&id);
        }
        let named = row.owner.listed().map(|socket| &socket.holders).filter(|all| !all.is_empty());
        if let (Some(holder), Some(named)) = (judged.judgement.holder, named)
            && self.0.len() < most
        {
            self.0.insert(id, (judged.key, judged.flow.end(holder), named.clone()));
        }
    }

    /// Has the last report name them, where no list does.
    pub fn hand_over(&mut self, named: &mut Told) {
        for (key, end, holders) in std::mem::take(&mut self.0).into_values() {
            named.keep(key, end, holders);
        }
    }
}
