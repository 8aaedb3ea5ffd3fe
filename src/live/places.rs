//! Interfaces that packets of the host's own sockets pass: those that are captured on, or others alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::endpoints::is_one_of;
use crate::owner::links::Links;

/// The host's addresses, as the interfaces that are captured on see them.
#[derive(Default)]
pub struct Places {
    /// Names of those that are captured on, until the kernel has told their numbers: these stay when names change.
    names: Vec<String>,
    captured: BTreeSet<u32>,
    /// One is captured on that is no interface of the kernel's list: `any`, say.
    is_everywhere: bool,
    /// A loopback interface is.
    is_looped: bool,
    host: BTreeSet<IpAddr>,
    /// Addresses whose packets may pass what is captured on, now or before: a connection outlives that its address goes.
    here: BTreeSet<IpAddr>,
    /// Addresses of other interfaces alone.
    elsewhere: BTreeSet<IpAddr>,
}

impl Places {
    /// Begins with the names of the interfaces that are captured on.
    pub fn new(names: Vec<String>) -> Places {
        Places { names, ..Places::default() }
    }

    /// Learns of the host's interfaces and addresses as they are now.
    pub fn renew(&mut self, links: &Links) {
        for name in std::mem::take(&mut self.names) {
            match links.named(&name) {
                Some(link) => drop(self.captured.insert(link.number)),
                None => self.is_everywhere = true,
            }
        }
        let addresses = &links.addresses;
        let looped = addresses.iter().filter(|(_, ip)| ip.is_loopback());
        let looped: BTreeSet<u32> = looped.map(|(number, _)| *number).collect();
        // An interface may have thousands of addresses.
        let mut known: BTreeMap<u32, bool> = BTreeMap::new();
        let mut may_pass = |number| {
            *known.entry(number).or_insert_with(|| {
                let passed = links.passed_by(number);
                passed.is_none_or(|passed| !passed.is_disjoint(&self.captured))
            })
        };
        // What else a loopback interface has is a service's address (as behind a balancer), whose packets pass any.
        let is_here = |(number, ip): &&(u32, IpAddr)| match looped.contains(number) {
            true => self.captured.contains(number) || !ip.is_loopback(),
            false => may_pass(*number),
        };
        let (here, elsewhere): (Vec<_>, Vec<_>) = addresses.iter().partition(is_here);
        self.here.extend(here.into_iter().map(|(_, ip)| ip));
        let elsewhere = elsewhere.into_iter().map(|(_, ip)| ip);
        self.elsewhere = elsewhere.filter(|ip| !self.here.contains(ip)).collect();
        self.is_looped = !looped.is_disjoint(&self.captured);
        self.host = addresses.iter().map(|(_, ip)| *ip).collect();
    }

    /// Tells whether the interface with this number is captured on.
    pub fn has(&self, number: u32) -> bool {
        self.captured.contains(&number)
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
    use crate::owner::links::Link;

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
            ("br0", "10.0.2.1"),
        ];
        let names = ["lo", "eth0", "eth1", "br0", "port0"];
        let links = names.iter().zip(1..).map(|(name, number)| Link {
            number,
            names: vec![(*name).to_owned()],
            master: (*name == "port0").then_some(4),
            ..Link::default()
        });
        let number = |name| names.iter().zip(1..).find(|(it, _)| **it == name).map(|(_, n)| n);
        let at = at.map(|(name, address)| (number(name).expect("one of them"), ip(address)));
        let links = Links { links: links.collect(), addresses: at.to_vec() };
        let mut places = Places::new(vec![captured.to_owned()]);
        places.renew(&links);
        places.may_pass(ip(local), ip(peer))
    }

    #[test]
    fn packets_pass_where_their_address_is_and_where_it_may_be() {
        for (local, peer, interfaces) in [
            ("10.0.0.1", "10.0.0.2", "eth0 any"),
            ("10.0.1.1", "10.0.1.2", "eth1 any"),
            ("fe80::1", "fe80::2", "eth0 eth1 any"),
            ("203.0.113.9", "198.51.100.1", "eth0 eth1 lo br0 port0 any"),
            ("192.0.2.1", "198.51.100.1", "eth0 eth1 lo br0 port0 any"),
            ("10.0.2.1", "10.0.2.2", "br0 port0 any"),
            ("127.0.0.53", "127.0.0.1", "lo any"),
            ("10.0.0.1", "10.0.0.1", "lo any"),
            ("10.0.0.1", "10.0.1.1", "lo any"),
            ("203.0.113.9", "127.0.0.1", "lo any"),
        ] {
            let seen = ["eth0", "eth1", "lo", "br0", "port0", "any"];
            let seen = seen.into_iter().filter(|name| may_pass(name, local, peer));
            assert_eq!(seen.collect::<Vec<_>>().join(" "), interfaces, "{local} {peer}");
        }
    }
}
