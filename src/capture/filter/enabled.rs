//! With libpcap: expressions are compiled for each link type that occurs.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use pcap::{BpfProgram, Capture, Linktype};

use super::WrongFilter;
use crate::capture::{Frame, LinkType};
use crate::place::{Place, Time};
use crate::tcp::segment::Endpoint;

/// A filter in tcpdump's language.
pub struct Filter {
    expression: String,
    programs: HashMap<LinkType, Option<BpfProgram>>,
}

impl Filter {
    /// Compiles for Ethernet, so that a wrong expression is known before any packet is read. One
    /// that only another link type can have (`inbound`, say) is tried on the cooked one as well.
    ///
    /// # Errors
    /// If the expression is wrong, in libpcap's words.
    pub fn new(expression: &str) -> Result<Filter, WrongFilter> {
        let tried = compile(LinkType::ETHERNET, expression)
            .or_else(|error| compile(LinkType::LINUX_SLL, expression).map_err(|_| error));
        match tried {
            Ok(_) => Ok(Filter { expression: expression.into(), programs: HashMap::new() }),
            Err(error) => {
                Err(WrongFilter::Wrong { expression: expression.into(), error: error.to_string() })
            }
        }
    }

    /// Makes the filter anew, to read once more.
    #[must_use]
    pub fn again(&self) -> Filter {
        Filter { expression: self.expression.clone(), programs: HashMap::new() }
    }

    /// True if the packet matches. Nothing matches on a link type that the expression cannot be compiled
    /// for.
    pub fn matches(&mut self, frame: &Frame) -> bool {
        let program = self
            .programs
            .entry(frame.link)
            .or_insert_with(|| compile(frame.link, &self.expression).ok());
        program.as_ref().is_some_and(|program| program.filter(frame.data))
    }
}

impl Filter {
    /// True if a packet between these ends would match, in either direction.
    pub fn matches_between(&mut self, a: Endpoint, b: Endpoint) -> bool {
        [(a, b), (b, a)].into_iter().any(|(from, to)| {
            let data = acknowledgment(from, to);
            self.matches(&Frame {
                place: Place::new(Time::UNKNOWN, 0, 1, 0),
                interface: 0,
                link: LinkType::ETHERNET,
                original_len: data.len() as u32,
                direction: None,
                process: None,
                data: &data,
            })
        })
    }
}

/// A bare ACK on Ethernet.
fn acknowledgment(from: Endpoint, to: Endpoint) -> Vec<u8> {
    let mut packet = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    match (from.ip, to.ip) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            packet.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
        }
        (from, to) => {
            let v6 = |ip| match ip {
                IpAddr::V4(ip) => Ipv4Addr::to_ipv6_mapped(&ip),
                IpAddr::V6(ip) => ip,
            };
            packet.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64]);
            packet.extend(v6(from).octets());
            packet.extend(v6(to).octets());
        }
    }
    packet.extend(from.port.to_be_bytes());
    packet.extend(to.port.to_be_bytes());
    packet.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0]);
    packet
}

fn compile(link: LinkType, expression: &str) -> Result<BpfProgram, pcap::Error> {
    // Files number raw IP 101, libpcap inside 12 (LINKTYPE_RAW and DLT_RAW); the rest agree.
    let dlt = match link {
        LinkType::RAW => 12,
        LinkType(other) => i32::from(other),
    };
    Capture::dead(Linktype(dlt))?.compile(expression, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_asked_about_two_ends() {
        let end = |ip: &str, port| Endpoint { ip: ip.parse().unwrap(), port };
        let matches =
            |expression: &str, a, b| Filter::new(expression).unwrap().matches_between(a, b);
        let (local, peer) = (end("10.0.0.5", 40_000), end("10.0.0.9", 3306));
        assert!(matches("port 3306", local, peer));
        assert!(matches("src host 10.0.0.9 and tcp", local, peer));
        assert!(!matches("port 6379", local, peer));
        assert!(matches("ip6 and port 3306", end("2001:db8::5", 1), end("2001:db8::9", 3306)));
        assert!(!matches("ip6", local, peer));
    }
}
