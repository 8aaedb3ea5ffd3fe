//! With libpcap: expressions are compiled for each link type that occurs.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use pcap::{BpfProgram, Capture, Linktype};

use super::WrongFilter;
use super::possible::{Bits, Instruction, may_pass};
use crate::capture::{Frame, LinkType};
use crate::tcp::segment::Endpoint;

/// A filter in tcpdump's language.
pub struct Filter {
    expression: String,
    programs: HashMap<LinkType, Option<Program>>,
    /// Compiled to ask whether it may let packets between two ends pass.
    between: Option<Between>,
    /// A packet did not match that would have without its VLAN tag.
    has_missed_tagged: bool,
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
            Ok(_) => Ok(Filter::of(expression)),
            Err(error) => {
                Err(WrongFilter::Wrong { expression: expression.into(), error: error.to_string() })
            }
        }
    }

    fn of(expression: &str) -> Filter {
        Filter {
            expression: expression.into(),
            programs: HashMap::new(),
            between: None,
            has_missed_tagged: false,
        }
    }

    /// Makes the filter anew, to read once more.
    #[must_use]
    pub fn again(&self) -> Filter {
        Filter::of(&self.expression)
    }

    /// Tells whether the packet matches; nothing where the expression cannot be compiled for its link type.
    pub fn applied(&mut self, frame: &Frame) -> Option<bool> {
        let applied = self.matches(frame);
        if applied == Some(false) && !self.has_missed_tagged {
            self.has_missed_tagged = self.would_match_untagged(frame);
        }
        applied
    }

    /// Tells whether a packet did not match, since this was asked last, that would have without its VLAN tag: libpcap looks
    /// behind tags only after the word `vlan`.
    pub fn has_missed_tagged(&mut self) -> bool {
        std::mem::take(&mut self.has_missed_tagged)
    }

    fn would_match_untagged(&mut self, frame: &Frame) -> bool {
        const TAGS: [[u8; 2]; 2] = [[0x81, 0x00], [0x88, 0xa8]];
        let is_tagged = frame.data.get(12..14).is_some_and(|tag| TAGS.iter().any(|it| it == tag));
        if frame.link != LinkType::ETHERNET || !is_tagged || self.expression.contains("vlan") {
            return false;
        }
        let untagged = [&frame.data[..12], frame.data.get(16..).unwrap_or_default()].concat();
        let original_len = frame.original_len.saturating_sub(4);
        self.matches(&Frame { data: &untagged, original_len, ..*frame }) == Some(true)
    }

    fn matches(&mut self, frame: &Frame) -> Option<bool> {
        let program = self
            .programs
            .entry(frame.link)
            .or_insert_with(|| Program::new(compile(frame.link, &self.expression).ok()?));
        program.as_ref().map(|program| program.matches(frame))
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
        let parts = instructions(&code);
        // BPF_LD | BPF_ABS of 4, 2 and 1 octets.
        if parts.iter().any(|part| matches!(part.code, 32 | 40 | 48) && part.k >= KERNEL) {
            return None;
        }
        // BPF_LD | BPF_W | BPF_LEN, and the same with BPF_LDX.
        let asks_length = parts.iter().any(|part| matches!(part.code, 128 | 129));
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

/// The instructions of a program: a code, where to go on, and a number. The crate shows them in no other way.
fn instructions(code: &BpfProgram) -> Vec<Instruction> {
    let parts = code.get_instructions().iter().map(|instruction| {
        let instruction = instruction.to_string();
        let mut words = instruction.split(' ').map(|word| word.parse::<u32>().unwrap_or(0));
        let mut next = || words.next().unwrap_or(0);
        Instruction { code: next(), skip: [next(), next()], k: next() }
    });
    parts.collect()
}

impl Filter {
    /// True if some packet between these ends may match, in either direction: of a packet's length, its flags, its tags and
    /// its way, the ends tell nothing.
    pub fn may_match_between(&mut self, a: Endpoint, b: Endpoint) -> bool {
        let between = self.between.get_or_insert_with(|| Between::new(&self.expression));
        between.may_pass(a, b) || between.may_pass(b, a)
    }
}

/// An expression that is asked about ends.
struct Between {
    program: Vec<Instruction>,
    link: LinkType,
    /// Words of the expression that say what stands before IP.
    layers: Vec<&'static str>,
}

impl Between {
    /// On Ethernet, or, where the expression asks for what a file of Ethernet has not (`inbound`), on the cooked link type.
    fn new(expression: &str) -> Between {
        let mut all = [LinkType::ETHERNET, LinkType::LINUX_SLL].into_iter();
        let compiled =
            all.find_map(|link| Some((instructions(&compile(link, expression).ok()?), link)));
        // Nothing is known of what cannot be compiled without an interface.
        let passes_all = || (vec![Instruction { code: 6, skip: [0, 0], k: 1 }], LinkType::ETHERNET);
        let (program, link) = compiled.unwrap_or_else(passes_all);
        let is_said =
            |word: &str| expression.split(|c: char| !c.is_alphanumeric()).any(|it| it == word);
        let layers = ["vlan", "mpls", "pppoes"].into_iter().filter(|word| is_said(word)).collect();
        Between { program, link, layers }
    }

    fn may_pass(&self, from: Endpoint, to: Endpoint) -> bool {
        let before_type = if self.link == LinkType::ETHERNET { 12 } else { 14 };
        // `not port 22` lets pass what has a tag, as it looks for no IP behind one: that says nothing of these ends.
        let asked_for = layers(from.ip.is_ipv4())
            .into_iter()
            .filter(|(word, _)| word.is_empty() || self.layers.contains(word));
        asked_for.map(|(_, layers)| layers).any(|layers| {
            let mut packet = vec![Bits::OCTET; before_type];
            packet.extend(layers);
            packet.extend(headers(from, to));
            may_pass(&self.program, &packet)
        })
    }
}

/// Layers that may stand between the addresses of Ethernet and IP, with the word that asks for them: its type, tags of
/// VLANs before that, a label of MPLS, PPPoE.
fn layers(is_v4: bool) -> [(&'static str, Vec<Bits>); 5] {
    let (by_ethernet, by_ppp) =
        if is_v4 { ([0x08, 0x00], [0x00, 0x21]) } else { ([0x86, 0xdd], [0x00, 0x57]) };
    let tag = || [&known(&[0x81, 0x00])[..], &[Bits::OCTET; 2]].concat();
    let typed = known(&by_ethernet);
    [
        ("", typed.clone()),
        ("vlan", [tag(), typed.clone()].concat()),
        ("vlan", [tag(), tag(), typed].concat()),
        ("mpls", [known(&[0x88, 0x47]), vec![Bits::OCTET; 4]].concat()),
        ("pppoes", [known(&[0x88, 0x64]), vec![Bits::OCTET; 6], known(&by_ppp)].concat()),
    ]
}

/// The headers of IP and TCP, as far as two ends tell.
fn headers(from: Endpoint, to: Endpoint) -> Vec<Bits> {
    const TCP: Bits = Bits::octet(6, 0xff);
    let mut packet = vec![Bits::OCTET; 8];
    match (from.ip, to.ip) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            // No options, and no fragment; it may be one that nobody may cut.
            packet[0] = Bits::octet(0x45, 0xff);
            packet[6..].copy_from_slice(&[Bits::octet(0, 0b1011_1111), Bits::octet(0, 0xff)]);
            packet.extend([Bits::OCTET, TCP, Bits::OCTET, Bits::OCTET]);
            packet.extend(known(&[from.octets(), to.octets()].concat()));
        }
        (from, to) => {
            let v6 = |ip| match ip {
                IpAddr::V4(ip) => Ipv4Addr::to_ipv6_mapped(&ip),
                IpAddr::V6(ip) => ip,
            };
            packet[0] = Bits::octet(0x60, 0xf0);
            packet[6] = TCP;
            packet.extend(known(&[v6(from).octets(), v6(to).octets()].concat()));
        }
    }
    packet.extend(known(&[from.port.to_be_bytes(), to.port.to_be_bytes()].concat()));
    packet
}

fn known(octets: &[u8]) -> Vec<Bits> {
    octets.iter().map(|octet| Bits::octet(*octet, 0xff)).collect()
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
        let may = |expression: &str, a, b| {
            Filter::new(expression).expect("an expression").may_match_between(a, b)
        };
        let (local, peer) = (end("10.0.0.5", 40_000), end("10.0.0.9", 3306));
        for expression in
            ["port 3306", "src host 10.0.0.9 and tcp", "not port 22", "net 10.0.0.0/24"]
        {
            assert!(may(expression, local, peer), "{expression}");
        }
        for expression in [
            "port 6379",
            "ip6",
            "udp",
            "dst portrange 1-1000",
            "not tcp",
            "icmp",
            "not port 3306 and not less 60",
        ] {
            assert!(!may(expression, local, peer), "{expression}");
        }
        let (own, other) = (end("2001:db8::5", 1), end("2001:db8::9", 3306));
        assert!(may("ip6 and port 3306", own, other));
        assert!(!may("ip6 and port 3307 and len > 100", own, other));
    }

    /// Ends of a connection tell nothing of more than addresses and ports: there may be such packets.
    #[test]
    fn what_ends_do_not_tell_may_match() {
        let end = |ip: &str, port| Endpoint { ip: ip.parse().unwrap(), port };
        let (local, peer) = (end("10.0.0.5", 40_000), end("10.0.0.9", 3306));
        for more in [
            "less 50",
            "greater 1000",
            "len > 60",
            "inbound",
            "outbound",
            "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
            "(ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2)) != 0",
            "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420",
            "ip[8] < 5",
            "ip[6] & 0x40 = 0",
            "ether host 02:00:00:00:00:07",
        ] {
            for (port, expected) in [(3306, true), (6379, false)] {
                for expression in
                    [format!("port {port} and ({more})"), format!("({more}) and port {port}")]
                {
                    let mut filter = Filter::new(&expression).expect("an expression");
                    assert_eq!(filter.may_match_between(local, peer), expected, "{expression}");
                }
            }
        }
        // They say where the rest of a packet stands, and so come first.
        for tag in ["vlan", "vlan 7", "vlan 7 and vlan 8", "mpls", "pppoes"] {
            for (port, expected) in [(3306, true), (6379, false)] {
                let expression = format!("{tag} and tcp port {port}");
                let mut filter = Filter::new(&expression).expect("an expression");
                assert_eq!(filter.may_match_between(local, peer), expected, "{expression}");
            }
        }
        let mut filter = Filter::new("ip[6:2] & 0x1fff != 0").expect("an expression");
        assert!(!filter.may_match_between(local, peer), "a fragment has no ports");
    }
}
