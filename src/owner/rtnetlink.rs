//! Interfaces and addresses by rtnetlink(7): the attributes that bear on where packets pass, and no others. The package
//! `netlink-packet-route` takes every attribute apart, statistics and all, and refuses an interface for one that another
//! kernel writes otherwise.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{
    DecodeError, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable, NlaBuffer, NlasIterator, parse_ip,
};
use netlink_sys::protocols::NETLINK_ROUTE;

use super::links::{Link, Links};
use super::netlink::Netlink;

// Messages (`include/uapi/linux/rtnetlink.h`), each with the octets before its attributes.
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const LINK_HEADER: usize = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const ADDRESS_HEADER: usize = 8;

// Attributes of interfaces (`if_link.h`), and of addresses (`if_addr.h`).
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_PROP_LIST: u16 = 52;
const IFLA_ALT_IFNAME: u16 = 53;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;

/// The flag of one that is up (netdevice(7)).
const IFF_UP: u32 = 1;

/// Kinds that have no wire of their own, and those that wrap packets so that they can be read in others.
const ANYWHERE: [&str; 13] = [
    "dummy",
    "vxlan",
    "geneve",
    "gre",
    "gretap",
    "erspan",
    "ip6gre",
    "ip6gretap",
    "ip6erspan",
    "ipip",
    "sit",
    "ip6tnl",
    "gtp",
];

/// Interfaces and addresses of this network namespace.
///
/// # Errors
/// If the kernel refuses.
pub fn links() -> io::Result<Links> {
    let mut netlink = Netlink::open(NETLINK_ROUTE)?;
    let (mut links, mut addresses) = (Vec::new(), Vec::new());
    netlink.ask(&all(RTM_GETLINK, LINK_HEADER), true, |message| links.extend(link(&message)))?;
    let question = all(RTM_GETADDR, ADDRESS_HEADER);
    netlink.ask(&question, true, |message| addresses.extend(address(&message)))?;
    Ok(Links { links, addresses })
}

/// A message of whatever type.
struct Message {
    kind: u16,
    octets: Vec<u8>,
}

impl NetlinkSerializable for Message {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        self.octets.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.octets);
    }
}

impl NetlinkDeserializable for Message {
    type Error = DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Message, DecodeError> {
        Ok(Message { kind: header.message_type, octets: payload.to_vec() })
    }
}

impl Message {
    fn number(&self, at: usize) -> Option<u32> {
        number(self.octets.get(at..)?)
    }

    fn attributes(&self, header: usize) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
        attributes(self.octets.get(header..).unwrap_or_default())
    }
}

fn attributes(octets: &[u8]) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
    NlasIterator::new(octets).map_while(Result::ok)
}

fn number(octets: &[u8]) -> Option<u32> {
    octets.first_chunk().map(|octets| u32::from_ne_bytes(*octets))
}

fn word(octets: &[u8]) -> Option<String> {
    let octets = octets.split(|octet| *octet == 0).next()?;
    String::from_utf8(octets.to_vec()).ok()
}

/// Returns the question for all that there is of a kind.
fn all(kind: u16, header_octets: usize) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let payload = NetlinkPayload::InnerMessage(Message { kind, octets: vec![0; header_octets] });
    let mut request = NetlinkMessage::new(header, payload);
    request.finalize();
    let mut octets = vec![0; request.buffer_len()];
    request.serialize(&mut octets);
    octets
}

fn link(message: &Message) -> Option<Link> {
    if message.kind != RTM_NEWLINK {
        return None;
    }
    let is_up = message.number(8)? & IFF_UP != 0;
    let mut link = Link { number: message.number(4)?, is_down: !is_up, ..Link::default() };
    let mut is_elsewhere = false;
    for attribute in message.attributes(LINK_HEADER) {
        let value = attribute.value();
        match attribute.kind() {
            IFLA_IFNAME => link.names.splice(..0, word(value)).for_each(drop),
            IFLA_PROP_LIST => {
                let others = attributes(value).filter(|it| it.kind() == IFLA_ALT_IFNAME);
                link.names.extend(others.filter_map(|it| word(it.value())));
            }
            IFLA_LINK => link.beside = number(value),
            IFLA_LINK_NETNSID => is_elsewhere = true,
            IFLA_MASTER => link.master = number(value),
            IFLA_LINKINFO => {
                let mut kinds = attributes(value).filter(|it| it.kind() == IFLA_INFO_KIND);
                let kind = kinds.find_map(|it| word(it.value()));
                link.is_anywhere = kind.is_some_and(|kind| ANYWHERE.contains(&kind.as_str()));
            }
            _ => {}
        }
    }
    // Its number is one of another namespace.
    link.beside = link.beside.filter(|_| !is_elsewhere);
    Some(link)
}

/// An address of this host, with its interface. Where that has one peer alone, the peer's address is there, too.
fn address(message: &Message) -> Option<(u32, IpAddr)> {
    if message.kind != RTM_NEWADDR {
        return None;
    }
    let of = |kind| {
        let mut all = message.attributes(ADDRESS_HEADER);
        all.find(|it| it.kind() == kind).and_then(|it| parse_ip(it.value()).ok())
    };
    Some((message.number(4)?, of(IFA_LOCAL).or_else(|| of(IFA_ADDRESS))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_its_address() {
        let links = links().expect("rtnetlink");
        let lo = links.named("lo").expect("each namespace has one");
        let loopback: Vec<_> = links.addresses.iter().filter(|(_, ip)| ip.is_loopback()).collect();
        assert!(lo.is_down || !loopback.is_empty(), "{links:?}");
        assert!(loopback.iter().all(|(number, _)| *number == lo.number), "{links:?}");
        assert!((lo.beside, lo.master, lo.is_anywhere) == (None, None, false), "{lo:?}");
        let numbers = |link: &Link| links.numbered(link.number) == Some(link);
        assert!(
            links.links.iter().all(|link| numbers(link) && !link.names.is_empty()),
            "{links:?}"
        );
    }
}
