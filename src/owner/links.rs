//! The interfaces of a host, and the addresses at each: by number, as an interface may have several names, be given another,
//! and an address a label in place of one.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The interfaces of a host, and its addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// Its interfaces.
    pub links: Vec<Link>,
    /// Its addresses, each with the number of the interface that has it.
    pub addresses: Vec<(u32, IpAddr)>,
}

/// An interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The kernel's number of it.
    pub number: u32,
    /// Its names: the first is that of lists.
    pub names: Vec<String>,
    /// Nothing passes it.
    pub is_down: bool,
    /// Packets of its address pass others: it has no wire of its own (dummy), or wraps them in others' (a tunnel).
    pub is_anywhere: bool,
    /// The interface that its packets pass as well: below a VLAN's or a macvlan, or the other end of a pair.
    pub beside: Option<u32>,
    /// The bridge or bond that it is a port of, or its VRF.
    pub master: Option<u32>,
}

impl Links {
    /// The interface with a name. A label names one, too: `eth0:1`.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Link> {
        let of = |name: &str| self.links.iter().find(|link| link.names.iter().any(|it| it == name));
        of(name).or_else(|| of(name.split_once(':')?.0))
    }

    /// The interface with a number.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.number == number)
    }

    /// The interfaces that packets may pass whose address is at this one; `None` where that may be any.
    #[must_use]
    pub fn passed_by(&self, number: u32) -> Option<BTreeSet<u32>> {
        let own = self.numbered(number)?;
        let mut passed: BTreeSet<u32> = own.master.into_iter().collect();
        let mut next = vec![own];
        while let Some(link) = next.pop() {
            if link.is_anywhere {
                return None;
            }
            passed.insert(link.number);
            let is_below = |other: &&Link| {
                link.beside == Some(other.number) || other.master == Some(link.number)
            };
            let below = self.links.iter().filter(is_below);
            next.extend(below.filter(|other| !passed.contains(&other.number)));
        }
        Some(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(number: u32, name: &str, beside: Option<u32>, master: Option<u32>) -> Link {
        Link { number, names: vec![name.into()], beside, master, ..Link::default() }
    }

    #[test]
    fn packets_pass_what_is_below() {
        let links = vec![
            link(1, "lo", None, None),
            link(2, "eth0", None, Some(4)),
            link(3, "eth1", None, Some(4)),
            link(4, "bond0", None, Some(6)),
            link(5, "bond0.7", Some(4), None),
            link(6, "br0", None, None),
            Link { is_anywhere: true, ..link(7, "dummy0", None, None) },
            // Each is the other's end, and one a bridge's port.
            link(8, "veth0", Some(9), Some(6)),
            link(9, "veth1", Some(8), None),
            link(10, "mac0", Some(7), None),
        ];
        let links = Links { links, addresses: Vec::new() };
        let passed = |number| links.passed_by(number).map(Vec::from_iter);
        assert_eq!(passed(1), Some(vec![1]));
        assert_eq!(passed(5), Some(vec![2, 3, 4, 5]));
        assert_eq!(passed(6), Some(vec![2, 3, 4, 6, 8, 9]));
        assert_eq!(passed(2), Some(vec![2, 4]), "a VRF's address is at its port");
        assert_eq!(passed(9), Some(vec![8, 9]));
        assert_eq!([7, 10, 99].map(passed), [None, None, None]);
    }

    #[test]
    fn a_label_names_its_interface() {
        let eth0 = Link { names: vec!["eth0".into(), "enp0s3".into()], ..link(2, "", None, None) };
        let links = Links { links: vec![eth0], addresses: Vec::new() };
        let number = |name| links.named(name).map(|link| link.number);
        assert_eq!(
            ["eth0", "enp0s3", "eth0:1", "eth", "any"].map(number),
            [Some(2), Some(2), Some(2), None, None]
        );
    }
}
