//! Endpoints as users name them: `10.0.0.5`, `10.0.0.0/8`, `10.0.0.5:3306`, `[2001:db8::5]:80`, `:80`,
//! `name:frontend`.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

use crate::names;
use crate::tcp::segment::Endpoint;

/// Tells whether an address is one of a host's or an interface's. All loopback addresses are, where one is
/// told: none leaves its host (RFC 1122, 3.2.1.3), and of 127.0.0.0/8 only the first is listed.
pub fn is_one_of(addresses: &BTreeSet<IpAddr>, ip: IpAddr) -> bool {
    addresses.contains(&ip) || ip.is_loopback() && addresses.iter().any(IpAddr::is_loopback)
}

/// A set of endpoints: one is in it if any rule matches it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndpointSet(Vec<Rule>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Rule {
    net: Option<IpNet>,
    port: Option<u16>,
}

/// Neither an address nor a network nor a port.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is no address: write 10.0.0.5, 10.0.0.0/8, 10.0.0.5:3306, [2001:db8::5]:3306, 2001:db8::/32, :3306, or name:frontend as a text prints it"
)]
pub struct NoAddress(String);

impl FromStr for EndpointSet {
    type Err = NoAddress;

    /// One address, or several with commas between them.
    fn from_str(text: &str) -> Result<EndpointSet, NoAddress> {
        text.split(',')
            .map(|word| rule(word.trim()).ok_or_else(|| NoAddress(word.into())))
            .collect::<Result<_, _>>()
            .map(EndpointSet)
    }
}

fn rule(word: &str) -> Option<Rule> {
    let whole = |ip: IpAddr| Some(IpNet::from(ip.to_canonical()));
    if let Some(port) = word.strip_prefix(':')
        && let Ok(port) = port.parse()
    {
        return Some(Rule { net: None, port: Some(port) });
    }
    if let Some(name) = word.strip_prefix(names::OPTION) {
        return named(name);
    }
    if let Ok(address) = word.parse::<SocketAddr>() {
        return Some(Rule { net: whole(address.ip()), port: Some(address.port()) });
    }
    let bare = word.strip_prefix('[').and_then(|w| w.strip_suffix(']'));
    let net = match bare.unwrap_or(word).parse() {
        Ok(ip) => whole(ip),
        Err(_) => Some(canonical(word.parse().ok()?)),
    };
    Some(Rule { net, port: None })
}

/// A network of IPv4-mapped addresses (RFC 4291, 2.5.5.2) is one of IPv4: sockets of both families show so.
fn canonical(net: IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    let of_v4 = |ip| IpNet::new(ip, net.prefix_len().checked_sub(MAPPED)?).ok();
    match net.addr().to_canonical() {
        ip @ IpAddr::V4(_) if net.addr().is_ipv6() => of_v4(ip).unwrap_or(net),
        _ => net,
    }
}

/// A name as a text prints it, with or without a port.
fn named(text: &str) -> Option<Rule> {
    let with_port = text.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse().ok()?)));
    let (name, port) = with_port.map_or((text, None), |(name, port)| (name, Some(port)));
    Some(Rule { net: Some(IpNet::from(names::address(name)?)), port })
}

impl EndpointSet {
    /// Joins several sets into one.
    pub fn union(sets: impl IntoIterator<Item = EndpointSet>) -> EndpointSet {
        EndpointSet(sets.into_iter().flat_map(|set| set.0).collect())
    }

    /// True if any rule matches the endpoint.
    #[must_use]
    pub fn contains(&self, end: Endpoint) -> bool {
        self.0.iter().any(|rule| {
            rule.net.is_none_or(|net| net.contains(&end.ip))
                && rule.port.is_none_or(|port| port == end.port)
        })
    }

    /// True if any rule can match an endpoint at one of these addresses, which are a host's.
    #[must_use]
    pub fn meets(&self, addresses: &BTreeSet<IpAddr>) -> bool {
        let meets = |net: IpNet| {
            is_one_of(addresses, net.addr()) || addresses.iter().any(|ip| net.contains(ip))
        };
        self.0.iter().any(|rule| rule.net.is_none_or(meets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(ip: &str, port: u16) -> Endpoint {
        let ip = ip.parse().unwrap();
        Endpoint { ip, port }
    }

    #[test]
    fn every_form_is_understood() {
        let holds =
            |set: &str, ip: &str, port| set.parse::<EndpointSet>().unwrap().contains(end(ip, port));
        assert!(holds("10.0.0.5", "10.0.0.5", 1));
        assert!(!holds("10.0.0.5", "10.0.0.6", 1));
        assert!(holds("10.0.0.0/8", "10.9.9.9", 1));
        assert!(holds("10.0.0.5:3306", "10.0.0.5", 3306));
        assert!(!holds("10.0.0.5:3306", "10.0.0.5", 3307));
        assert!(holds("[2001:db8::5]:80", "2001:db8::5", 80));
        assert!(holds("[2001:db8::5]", "2001:db8::5", 81));
        assert!(holds("2001:db8::/32", "2001:db8::5", 80));
        assert!(holds("::1", "::1", 80));
        assert!(holds("::ffff:10.0.0.5", "10.0.0.5", 80));
        assert!(holds("[::ffff:10.0.0.5]:80", "10.0.0.5", 80));
        assert!(holds("::ffff:10.0.0.0/104", "10.9.9.9", 80));
        assert!(!holds("::ffff:10.0.0.0/120", "10.0.1.5", 80));
        assert!(holds(":3306", "192.0.2.1", 3306));
        assert!(holds("10.0.0.5, :3306", "192.0.2.1", 3306));
        let frontend = names::host(names::address("frontend").unwrap());
        let holds_name = |set: &str, port| {
            let ip = names::address(&frontend).unwrap();
            set.parse::<EndpointSet>().unwrap().contains(Endpoint { ip, port })
        };
        assert!(holds_name("name:frontend", 1) && holds_name("name:frontend:80", 80));
        assert!(!holds_name("name:frontend:80", 81) && !holds_name("name:proxy", 80));
        for wrong in
            ["", "name:", "localhost", "10.0.0.5/33", "10.0.0.5:", ":0x1", ":70000", "10.0.0"]
        {
            assert!(wrong.parse::<EndpointSet>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn who_meets_a_host_is_at_one_of_its_addresses() {
        let host = ["127.0.0.1", "10.0.0.5", "fd00::5"];
        let host = host.map(|ip| ip.parse().expect("an address")).into();
        let meets = |text: &str| text.parse::<EndpointSet>().expect("endpoints").meets(&host);
        for text in [
            "10.0.0.5",
            "10.0.0.5:80",
            "10.0.0.0/8",
            "fd00::/64",
            ":80",
            "127.0.0.2",
            "10.0.0.9,::5,fd00::5",
        ] {
            assert!(meets(text), "{text}");
        }
        for text in ["10.0.0.9", "10.0.0.9:80", "192.0.2.0/24", "fd00::9", "10.0.0.9,fd00::9"] {
            assert!(!meets(text), "{text}");
        }
    }
}
