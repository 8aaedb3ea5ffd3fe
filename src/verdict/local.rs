//! Which side of a flow is local: the side whose closing is judged.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

use crate::tcp::flow::{Flow, Side};
use crate::tcp::segment::{Endpoint, FlowKey, ToldBy};

/// What `--local` says: a side is local if any rule matches it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocalSet(Vec<Rule>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Rule {
    net: Option<IpNet>,
    port: Option<u16>,
}

/// `--local` was given something else than an address, a network or a port.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is no address: write 10.0.0.5, 10.0.0.0/8, 10.0.0.5:3306, [2001:db8::5]:3306, 2001:db8::/32 or :3306"
)]
pub struct NoAddress(String);

impl FromStr for LocalSet {
    type Err = NoAddress;

    /// One address, or several with commas between them.
    fn from_str(text: &str) -> Result<LocalSet, NoAddress> {
        text.split(',')
            .map(|word| rule(word.trim()).ok_or_else(|| NoAddress(word.into())))
            .collect::<Result<_, _>>()
            .map(LocalSet)
    }
}

fn rule(word: &str) -> Option<Rule> {
    let whole = |ip: IpAddr| Some(IpNet::from(ip));
    if let Some(port) = word.strip_prefix(':')
        && let Ok(port) = port.parse()
    {
        return Some(Rule { net: None, port: Some(port) });
    }
    if let Ok(address) = word.parse::<SocketAddr>() {
        return Some(Rule { net: whole(address.ip()), port: Some(address.port()) });
    }
    let bare = word.strip_prefix('[').and_then(|w| w.strip_suffix(']'));
    let net = match bare.unwrap_or(word).parse() {
        Ok(ip) => whole(ip),
        Err(_) => Some(word.parse().ok()?),
    };
    Some(Rule { net, port: None })
}

impl LocalSet {
    /// The union of several `--local`.
    pub fn union(sets: impl IntoIterator<Item = LocalSet>) -> LocalSet {
        LocalSet(sets.into_iter().flat_map(|set| set.0).collect())
    }

    fn contains(&self, end: Endpoint) -> bool {
        self.0.iter().any(|rule| {
            rule.net.is_none_or(|net| net.contains(&end.ip))
                && rule.port.is_none_or(|port| port == end.port)
        })
    }
}

/// The local side of one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Local {
    Side(Side),
    /// Both ends are: the holder is judged.
    Both,
    /// `--local` names neither end: judged like `Unknown`, never a finding.
    Neither,
    /// Nothing tells: the holder is judged.
    Unknown,
}

impl Local {
    /// Is `side` the one to judge?
    pub fn judges(self, side: Side) -> bool {
        match self {
            Local::Side(local) => local == side,
            Local::Both | Local::Neither | Local::Unknown => true,
        }
    }
}

/// What told which side is local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LocalBy {
    Option,
    InterfaceAddress,
    PacketType,
    PacketFlags,
}

impl LocalBy {
    /// As in jsonl.
    pub fn name(self) -> &'static str {
        match self {
            LocalBy::Option => "option",
            LocalBy::InterfaceAddress => "interface-address",
            LocalBy::PacketType => "packet-type",
            LocalBy::PacketFlags => "packet-direction",
        }
    }

    /// As in a sentence.
    pub fn phrase(self) -> &'static str {
        match self {
            LocalBy::Option => "--local",
            LocalBy::InterfaceAddress => "interface address",
            LocalBy::PacketType => "packet type",
            LocalBy::PacketFlags => "packet direction",
        }
    }
}

/// `--local` alone decides if given; otherwise what the capture itself knows; never a guess.
pub fn local(
    key: &FlowKey,
    flow: &Flow,
    option: Option<&LocalSet>,
    addresses: &BTreeSet<IpAddr>,
) -> (Local, Option<LocalBy>) {
    if let Some(set) = option {
        let matches = |side| set.contains(key.endpoint(flow.end(side)));
        let local = sides(matches).unwrap_or(Local::Neither);
        return (local, Some(LocalBy::Option));
    }
    let at_interface = |side| addresses.contains(&key.endpoint(flow.end(side)).ip);
    if let Some(local) = sides(at_interface) {
        return (local, Some(LocalBy::InterfaceAddress));
    }
    // On a host that forwards, both ends can look local; then neither is known to be.
    let only_leaves = |side| flow.half(side).seen_out && !flow.half(side).seen_in;
    match (sides(only_leaves), flow.told_by) {
        (Some(local @ Local::Side(_)), Some(ToldBy::PacketType)) => {
            (local, Some(LocalBy::PacketType))
        }
        (Some(local @ Local::Side(_)), Some(ToldBy::PacketFlags)) => {
            (local, Some(LocalBy::PacketFlags))
        }
        _ => (Local::Unknown, None),
    }
}

fn sides(is_local: impl Fn(Side) -> bool) -> Option<Local> {
    match (is_local(Side::A), is_local(Side::B)) {
        (true, true) => Some(Local::Both),
        (true, false) => Some(Local::Side(Side::A)),
        (false, true) => Some(Local::Side(Side::B)),
        (false, false) => None,
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
    fn every_form_of_local_is_understood() {
        let holds =
            |set: &str, ip: &str, port| set.parse::<LocalSet>().unwrap().contains(end(ip, port));
        assert!(holds("10.0.0.5", "10.0.0.5", 1));
        assert!(!holds("10.0.0.5", "10.0.0.6", 1));
        assert!(holds("10.0.0.0/8", "10.9.9.9", 1));
        assert!(holds("10.0.0.5:3306", "10.0.0.5", 3306));
        assert!(!holds("10.0.0.5:3306", "10.0.0.5", 3307));
        assert!(holds("[2001:db8::5]:80", "2001:db8::5", 80));
        assert!(holds("[2001:db8::5]", "2001:db8::5", 81));
        assert!(holds("2001:db8::/32", "2001:db8::5", 80));
        assert!(holds("::1", "::1", 80));
        assert!(holds(":3306", "192.0.2.1", 3306));
        assert!(holds("10.0.0.5, :3306", "192.0.2.1", 3306));
        for wrong in ["", "localhost", "10.0.0.5/33", "10.0.0.5:", ":0x1", ":70000", "10.0.0"] {
            assert!(wrong.parse::<LocalSet>().is_err(), "{wrong}");
        }
    }
}
