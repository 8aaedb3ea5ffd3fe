//! The growth of CLOSE-WAIT, by process and peer.

use std::collections::BTreeMap;

use super::{End, Listing};
use crate::owner::Held;
use crate::summary::growth::Growth;

/// The owner of counted sockets: a process (none if unknown) and a peer.
pub type Whose = (Option<i32>, End);

/// Counts over time.
pub type History = Growth<Whose>;

/// Counts sockets in CLOSE-WAIT by their owners.
pub fn counts(listing: &Listing) -> BTreeMap<Whose, u64> {
    let mut counts = BTreeMap::new();
    for group in listing.groups() {
        let pid = match group.held {
            Held::By(holder) => Some(holder.pid),
            Held::Backlog | Held::Hidden => None,
        };
        *counts.entry((pid, group.peer)).or_default() += group.count;
    }
    counts
}

/// Returns how many more sockets of one process there are each minute, over all its peers; of one look, what their
/// times tell.
pub fn rate(listing: &Listing, history: Option<&History>, pid: i32) -> Option<f64> {
    let at_one_look = listing.times_of(pid).per_minute();
    // A socket that several hold is counted as that of one.
    let history = history.filter(|_| !listing.shares(pid));
    let Some(history) = history else { return at_one_look };
    history.rate(history.all_per_minute(|(whose, _)| *whose == Some(pid)), at_one_look)
}
