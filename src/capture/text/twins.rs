//! Ends that may be one under two names: `localhost` and `127.0.0.1`, `db` and `db.shop`, an address
//! that was resolved only later.
//!
//! Of a connection that is split in two, neither half may be judged: what the one misses, the other
//! may hold. Two that both begin with a SYN are two.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use super::printed::Printed;
use crate::capture::Ambiguous;
use crate::names::{self, host};
use crate::tcp::segment::{Endpoint, FlowKey};

/// More connections than this are forgotten all at once: a text is not that long.
const MAX_TALKS: usize = 1 << 18;

/// No more than so many on the same ports are held against each other.
const MAX_ALIKE: usize = 64;

/// The connections of a text by their ports.
#[derive(Default)]
pub struct Twins {
    known: HashSet<[SocketAddr; 2]>,
    by_ports: HashMap<[u16; 2], Vec<Talk>>,
}

struct Talk {
    ends: [SocketAddr; 2],
    /// Its first packet is the SYN.
    begun: bool,
}

impl Twins {
    /// Takes a packet, and notes where its connection may be another one, too.
    pub fn note(&mut self, printed: &Printed, ambiguous: &mut Ambiguous) {
        let (from, to) = (printed.from, printed.to);
        let in_order = (from.port(), from.ip()) <= (to.port(), to.ip());
        let ends = if in_order { [from, to] } else { [to, from] };
        if self.known.contains(&ends) {
            return;
        }
        if self.known.len() >= MAX_TALKS {
            *self = Twins::default();
        }
        self.known.insert(ends);
        let begun = printed.flags.syn() && !printed.flags.ack();
        let alike = self.by_ports.entry(ends.map(|end| end.port())).or_default();
        for other in alike.iter().take(MAX_ALIKE).filter(|other| !(begun && other.begun)) {
            if let Some((one, two)) = may_be_one(ends, other.ends) {
                ambiguous.add([key(ends), key(other.ends)], &host(one), &host(two));
            }
        }
        alike.push(Talk { ends, begun });
    }
}

fn key([one, two]: [SocketAddr; 2]) -> FlowKey {
    FlowKey::new(Endpoint::from(one), Endpoint::from(two)).0
}

/// The hosts that differ, if the two connections may be one.
fn may_be_one(one: [SocketAddr; 2], two: [SocketAddr; 2]) -> Option<(IpAddr, IpAddr)> {
    let pairs = [(one[0].ip(), two[0].ip()), (one[1].ip(), two[1].ip())];
    let alike = pairs.iter().all(|(a, b)| a == b || may_be_same(*a, *b));
    pairs.into_iter().find(|(a, b)| a != b).filter(|_| alike)
}

fn may_be_same(one: IpAddr, two: IpAddr) -> bool {
    match (names::name(one), names::name(two)) {
        (None, None) => false,
        // `localhost` is no other address than that of the loopback.
        (Some(name), None) => !is_localhost(&name) || two.is_loopback(),
        (None, Some(name)) => !is_localhost(&name) || one.is_loopback(),
        (Some(one), Some(two)) => {
            is_localhost(&one) && is_localhost(&two)
                || is_short_for(&one, &two)
                || is_short_for(&two, &one)
        }
    }
}

fn is_localhost(name: &str) -> bool {
    matches!(name, "localhost" | "localhost.localdomain" | "ip6-localhost" | "localhost6")
}

/// `db` for `db.shop`, and the same name in other letters.
fn is_short_for(short: &str, full: &str) -> bool {
    let (short, full) = (short.to_ascii_lowercase(), full.to_ascii_lowercase());
    full.strip_prefix(&short).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, two: &str) -> bool {
        let ip = |text: &str| text.parse().unwrap_or_else(|_| names::address(text).unwrap());
        may_be_same(ip(one), ip(two)) && may_be_same(ip(two), ip(one))
    }

    #[test]
    fn what_may_be_the_same_host() {
        assert!(same("localhost", "127.0.0.1") && same("localhost", "::1"));
        assert!(same("localhost", "ip6-localhost") && same("db", "db.shop.svc"));
        assert!(same("DB-1", "db-1.shop") && same("app", "10.0.0.1"));
        assert!(!same("localhost", "10.0.0.1") && !same("10.0.0.1", "10.0.0.2"));
        assert!(
            !same("db", "db2") && !same("db-1.shop", "db-2.shop") && !same("x.x.x.x", "y.y.y.y")
        );
    }
}
