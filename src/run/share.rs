//! A capture that is judged in shares, each by a run of its own: what the runs have to tell each other.

use crate::join::legs::{self, Leg};
use crate::tcp::holes::Count;
use crate::tcp::segment::Endpoint;

/// Facts of the connections of one share, or of all added up, that bear on those of others.
#[derive(Clone, Debug, Default)]
pub struct Share {
    /// Connections that show packets missing.
    pub holes: Count,
    /// Connections that may be one of a proxy's two, each with its ends `a` and `b`.
    pub legs: Vec<(Leg, [Endpoint; 2])>,
}

impl Share {
    /// Adds those of another share.
    pub fn add(&mut self, other: Share) {
        self.holes += other.holes;
        self.legs.extend(other.legs);
    }

    /// Tells whether the shares together know what one alone does not: then each has to be judged again, with
    /// what all have told.
    #[must_use]
    pub fn matters(&self) -> bool {
        let legs: Vec<Leg> = self.legs.iter().map(|(leg, _)| *leg).collect();
        self.holes.holes().matter() || !legs::pairs(&legs).is_empty()
    }
}
