//! Interfaces that packets of the host's own sockets pass: those that are captured on, or others alone.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::endpoints::is_one_of;

/// The host's addresses, as the interfaces that are captured on see them.
#[derive(Default)]
pub struct Places {
    /// `any` is captured on.
    is_everywhere: bool,
    /// A loopback interface is.
    is_looped: bool,
    host: BTreeSet<IpAddr>,
    /// Addresses that only interfaces have that are not captured on.
    elsewhere: BTreeSet<IpAddr>,
}

impl Places {
    /// Takes the host's addresses, with their interfaces, and the names of those that are captured on.
    pub fn of(addresses: &[(String, IpAddr)], captured: &[String]) -> Places {
        let looped = addresses.iter().filter(|(_, ip)| ip.is_loopback());
        let looped: BTreeSet<&String> = looped.map(|(name, _)| name).collect();
        // What else a loopback interface has is a service's address (as behind a balancer), whose packets pass any.
        let is_here = |(name, ip): &&(String, IpAddr)| {
            captured.contains(name) || looped.contains(name) && !ip.is_loopback()
        };
        let set = |addresses: Vec<&(String, IpAddr)>| -> BTreeSet<IpAddr> {
            addresses.into_iter().map(|(_, ip)| *ip).collect()
        };
        let (here, elsewhere) = addresses.iter().partition(is_here);
        let here = set(here);
        Places {
            is_everywhere: captured.iter().any(|name| name == "any"),
            is_looped: looped.into_iter().any(|name| captured.contains(name)),
            host: addresses.iter().map(|(_, ip)| *ip).collect(),
            elsewhere: set(elsewhere).difference(&here).copied().collect(),
        }
    }

    /// Tells whether packets of a socket of this host may be seen. An address that no interface has (a transparent proxy's)
    /// says nothing of where they pass.
    pub fn may_pass(&self, local: IpAddr, peer: IpAddr) -> bool {
        let is_here = match is_one_of(&self.host, peer) {
            true => self.is_looped,
            false => !is_one_of(&self.elsewhere, local),
        };
        self.is_everywhere || is_here
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn may_pass(captured: &str, local: &str, peer: &str) -> bool {
        let at = [
            ("lo", "127.0.0.1"),
            ("lo", "::1"),
            ("lo", "203.0.113.9"),
            ("eth0", "10.0.0.1"),
            ("eth0", "fe80::1"),
            ("eth1", "10.0.1.1"),
            ("eth1", "fe80::1"),
        ];
        let at = at.map(|(name, address)| (name.to_owned(), ip(address)));
        Places::of(&at, &[captured.to_owned()]).may_pass(ip(local), ip(peer))
    }

    #[test]
    fn packets_pass_where_their_address_is_and_where_it_may_be() {
        for (local, peer, interfaces) in [
            ("10.0.0.1", "10.0.0.2", "eth0 any"),
            ("10.0.1.1", "10.0.1.2", "eth1 any"),
            ("fe80::1", "fe80::2", "eth0 eth1 any"),
            ("203.0.113.9", "198.51.100.1", "eth0 eth1 lo any"),
            ("192.0.2.1", "198.51.100.1", "eth0 eth1 lo any"),
            ("127.0.0.53", "127.0.0.1", "lo any"),
            ("10.0.0.1", "10.0.0.1", "lo any"),
            ("10.0.0.1", "10.0.1.1", "lo any"),
            ("203.0.113.9", "127.0.0.1", "lo any"),
        ] {
            let seen = ["eth0", "eth1", "lo", "any"];
            let seen = seen.into_iter().filter(|name| may_pass(name, local, peer));
            assert_eq!(seen.collect::<Vec<_>>().join(" "), interfaces, "{local} {peer}");
        }
    }
}
