//! Moments that a saved list was made after, as far as a capture tells: all that it lists began before.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::place::Time;
use crate::tcp::segment::Endpoint;

/// The last moments at which sockets of a list came into CLOSE-WAIT. By service: a list of one may leave out others.
#[derive(Clone, Debug, Default)]
pub(super) struct Later {
    at_peers: HashMap<(IpAddr, Endpoint), Time>,
    at_own: HashMap<(Endpoint, IpAddr), Time>,
}

impl Later {
    /// Learns that the list has a socket that came into CLOSE-WAIT then.
    pub fn learn(&mut self, own: Endpoint, peer: Endpoint, since: Time) {
        let at_peer = self.at_peers.entry((own.ip, peer)).or_default();
        *at_peer = since.max(*at_peer);
        let at_own = self.at_own.entry((own, peer.ip)).or_default();
        *at_own = since.max(*at_own);
    }

    /// Tells whether the list was made when a socket had been in CLOSE-WAIT for some time: it has one of the same service
    /// that came into it later.
    pub fn is_made_after(&self, own: Endpoint, peer: Endpoint, since: Time) -> bool {
        let last = [self.at_peers.get(&(own.ip, peer)), self.at_own.get(&(own, peer.ip))];
        last.into_iter().flatten().any(|last| last.since(since).is_some_and(|between| between > 0))
    }
}
