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
    programs: HashMap<LinkType, Option<Program>>,
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

    /// Tells whether the packet matches; nothing where the expression cannot be compiled for its link type.
    pub fn applied(&mut self, frame: &Frame) -> Option<bool> {
        let program = self
            .programs
            .entry(frame.link)
            .or_insert_with(|| Program::new(compile(frame.link, &self.expression).ok()?));
        program.as_ref().map(|program| program.matches(frame))
    }

    fn matches(&mut self, frame: &Frame) -> bool {
        self.applied(frame) == Some(true)
    }
}

/// An expression compiled for a link type.
struct Program {
    code: BpfProgram,
    /// It asks for the packet's length, which is that on the wire.
    asks_length: bool,
}

/// The longest packet that libpcap writes.
const LONGEST: usize = 262_144;

impl Program {
    /// None where it asks the kernel for what no file tells: the direction of a packet on Ethernet, say.
    fn new(code: BpfProgram) -> Option<Program> {
        const KERNEL: u32 = 0xffff_f000;
        // A code, where to go on, and a number; the crate shows them in no other way.
        let instructions = code.get_instructions().iter().map(ToString::to_string);
        let parts = instructions.map(|instruction| {
            let mut words = instruction.split(' ').map(|word| word.parse::<u32>().unwrap_or(0));
            (words.next().unwrap_or(0), words.next_back().unwrap_or(0))
        });
        let parts: Vec<(u32, u32)> = parts.collect();
        // BPF_LD | BPF_ABS of 4, 2 and 1 octets.
        if parts.iter().any(|(code, k)| matches!(code, 32 | 40 | 48) && *k >= KERNEL) {
            return None;
        }
        // BPF_LD | BPF_W | BPF_LEN, and the same with BPF_LDX.
        let asks_length = parts.iter().any(|(code, _)| matches!(code, 128 | 129));
        Some(Program { code, asks_length })
    }

    fn matches(&self, frame: &Frame) -> bool {
        let on_wire = (frame.original_len as usize).min(LONGEST);
        let is_cut = self.asks_length && on_wire > frame.data.len();
        let family = match frame.link {
            LinkType::NULL | LinkType::LOOP => own_family(frame.data),
            _ => None,
        };
        if !is_cut && family.is_none() {
            return self.code.filter(frame.data);
        }
        let mut data = frame.data.to_vec();
        if let (Some(family), Some(start)) = (family, data.first_chunk_mut()) {
            *start = family;
        }
        if is_cut {
            data.resize(on_wire, 0);
        }
        self.code.filter(&data)
    }
}

/// The address family as this host has it: another's can have the other order of octets, and BSD and macOS have numbers of
/// their own for IPv6. None where there is no other.
fn own_family(data: &[u8]) -> Option<[u8; 4]> {
    const IPV6: u32 = 10;
    let there: [u8; 4] = *data.first_chunk()?;
    let little = u32::from_le_bytes(there);
    let family = if little > 0xffff { little.swap_bytes() } else { little };
    let own = if matches!(family, 24 | 28 | 30) { IPV6 } else { family };
    Some(own.to_ne_bytes()).filter(|own| *own != there)
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
    // The numbers in files (LINKTYPE_…) that libpcap has others for inside (DLT_…), on Linux; the rest agree.
    let dlt = match link {
        LinkType::ATM_RFC1483 => 11,
        LinkType::RAW | LinkType(12 | 14) => 12,
        LinkType(102) => 15,
        LinkType(103) => 16,
        LinkType::ATM_CLIP => 19,
        // The address family is made this host's.
        LinkType::LOOP => 0,
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
