//! 4-tuples whose connections end, where somebody asks which of them are half-closed: what is open would have to be
//! looked through for these.

use super::chain::Chain;
use crate::tcp::segment::{FlowKey, Segment};

/// 4-tuples of segments of connections that end, with their hashes; none where nobody asks.
#[derive(Default)]
pub struct Closing(Option<Vec<(u64, FlowKey)>>);

impl Closing {
    /// Begins to note them.
    pub fn begin(&mut self) {
        self.0 = Some(Vec::new());
    }

    /// Notes the 4-tuple of a segment that its chain has taken, whatever it is: payload may show that a FIN was none.
    pub fn note(&mut self, chain: Option<&Chain>, segment: &Segment) {
        let Some(noted) = &mut self.0 else { return };
        let is_closing = |chain: &Chain| chain.reused || chain.newest.is_closing();
        let which = (segment.hash, segment.key);
        if chain.is_some_and(is_closing) && noted.last() != Some(&which) {
            noted.push(which);
        }
    }

    /// Takes what was noted since.
    pub fn take(&mut self) -> Vec<(u64, FlowKey)> {
        self.0.as_mut().map(std::mem::take).unwrap_or_default()
    }
}
