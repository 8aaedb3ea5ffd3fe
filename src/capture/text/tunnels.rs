//! Tunnels of which tcpdump or tshark prints no more than their outside: TCP may be in them, and nothing of it can
//! be read.

/// Ports of UDP to which whole packets or frames are sent: GTP-U, Teredo, LISP, GRE, VXLAN, VXLAN-GPE, CAPWAP, GUE,
/// Geneve, MPLS, VXLAN in Linux before its port was given, TZSP.
const PORTS: [&str; 12] = [
    "2152", "3544", "4341", "4754", "4789", "4790", "5247", "6080", "6081", "6635", "8472", "37008",
];

/// Octets of the least headers: one of a tunnel, and those of IPv4 and TCP. What is shorter is a sign of life.
const LEAST: u32 = 8 + 20 + 20;

/// Other protocols, as tcpdump names those that it does not open: ERSPAN in GRE, IP that is compressed; and, before
/// their octets, MPLS, EtherIP, L2TP version 3 and Ethernet in IP, and EoIP, which looks like PPTP.
const OTHERS: [&str; 3] = ["gre-proto-0x88be", "gre-proto-0x22eb", ": IPComp(cpi="];
const OTHERS_OF_OCTETS: [&str; 5] = [
    " ip-proto-137 ",
    " ip-proto-97 ",
    " ip-proto-115 ",
    " ip-proto-143 ",
    ", no-payload, length ",
];

/// Tells whether a line of tcpdump's is of such a tunnel, alone or the last line of its packet.
pub fn is_closed(line: &str) -> bool {
    OTHERS.iter().any(|name| line.contains(name))
        || OTHERS_OF_OCTETS.iter().any(|name| {
            line.split_once(name).is_some_and(|(_, octets)| is_long(octets).unwrap_or(true))
        })
        || is_of_udp(line).unwrap_or(false)
}

/// `… 203.0.113.1.2152 > 203.0.113.2.2152: UDP, length 68`; `-vv` has before it what the checksum is.
fn is_of_udp(line: &str) -> Option<bool> {
    let (before, behind) = line.rsplit_once(" > ")?;
    let (to, told) = behind.split_once(": ")?;
    let told =
        told.strip_prefix('[').and_then(|told| told.split_once("] ")).map_or(told, |it| it.1);
    let len = told.strip_prefix("UDP, length ").or_else(|| told.strip_prefix("udp "))?;
    let from = before.split_whitespace().next_back()?;
    let [from, to] = [from, to].map(|end| end.rsplit_once('.').map_or("", |(_, port)| port));
    Some(is_long(len)? && goes_into(from, to))
}

/// Tells whether a line of tshark's or Wireshark's, of a packet of this protocol, is of such a tunnel:
/// `UDP 110 40000 -> 8472 Len=82`.
pub fn is_closed_to_wireshark(protocol: &str, line: &str) -> bool {
    let ports = || {
        let (before, behind) = line.rsplit_once(" -> ")?;
        let (to, len) = behind.split_once(" Len=")?;
        let from = before.rsplit([' ', '\t', '"', ',']).next()?;
        Some(is_long(len)? && goes_into(from, to))
    };
    match protocol {
        "UDP" => ports().unwrap_or(false),
        // Data of a session, which control messages do not name.
        "L2TPv3" => line.contains("D[S:"),
        "IPComp" => true,
        _ => false,
    }
}

/// Is it to the port of a tunnel? A service answers to any port.
fn goes_into(from: &str, to: &str) -> bool {
    let is_service = from.parse::<u16>().map_or(true, |port| port < 1024);
    !is_service && PORTS.contains(&to)
}

/// Are these octets enough, which the text begins with?
fn is_long(octets: &str) -> Option<bool> {
    let octets = octets.trim_start();
    let end = octets.find(|c: char| !c.is_ascii_digit()).unwrap_or(octets.len());
    Some(octets[..end].parse::<u32>().ok()? >= LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tunnels_that_are_not_opened_are_known() {
        for line in [
            "22:13:20.213856 IP 203.0.113.1.2152 > 203.0.113.2.2152: UDP, length 68",
            "203.0.113.1.55555 > 203.0.113.2.37008: UDP, length 79",
            "203.0.113.1 > 203.0.113.2: GREv0, seq 1, length 90: gre-proto-0x88be",
            "\tgre-proto-0x22eb",
            "22:13:20.213856 IP 203.0.113.1 > 203.0.113.2:  ip-proto-97 76",
            "22:13:20.213856 IP 203.0.113.1 > 203.0.113.2:  ip-proto-115 78",
            "    203.0.113.1.40000 > 203.0.113.2.2152: [no cksum] UDP, length 68",
            "    203.0.113.1.40000 > 203.0.113.2.4341: [udp sum ok] UDP, length 68",
            "    203.0.113.1.40000 > 203.0.113.2.2152: [bad udp cksum 0x1 -> 0x2!] UDP, length 68",
            "    203.0.113.1 > 203.0.113.2: IPComp(cpi=0x0002)",
            "22:13:20.213856 IP 203.0.113.1 > 203.0.113.2: GREv1, call 0, no-payload, length 82",
        ] {
            assert!(is_closed(line), "{line}");
        }
        for line in [
            "22:13:20.213856 IP 203.0.113.1.2152 > 203.0.113.2.2152: UDP, length 12",
            "22:13:20.213856 IP 203.0.113.1.443 > 203.0.113.2.37008: UDP, length 1200",
            "22:13:20.213856 IP 203.0.113.1.5555 > 203.0.113.2.4242: UDP, length 79",
            "22:13:20.213856 IP 203.0.113.1 > 203.0.113.2: GREv0, length 28: gre-proto-0x2000",
            "22:13:20.213856 IP 203.0.113.1 > 203.0.113.2: ICMP echo request, id 1",
            "22:13:20.213856 IP 203.0.113.1 > 203.0.113.2:  ip-proto-115 20",
            "22:13:20.213856 IP 203.0.113.1 > 203.0.113.2: GREv1, call 7, ack 9, no-payload, length 12",
        ] {
            assert!(!is_closed(line), "{line}");
        }
    }

    #[test]
    fn they_are_known_as_tshark_prints_them_too() {
        for (protocol, line) in [
            ("UDP", "    1   0.000000     10.0.0.1 -> 10.0.0.2     UDP 110 40000 -> 8472 Len=82"),
            (
                "UDP",
                "\"1\",\"0.0\",\"10.0.0.1\",\"10.0.0.2\",\"UDP\",\"92\",\"40000 -> 6080 Len=64\"",
            ),
            ("L2TPv3", "    1   0.000000     10.0.0.1 -> 10.0.0.2     L2TPv3 98 D[S:0x00000001]"),
        ] {
            assert!(is_closed_to_wireshark(protocol, line), "{line}");
        }
        for (protocol, line) in [
            ("UDP", "    1   0.000000     10.0.0.1 -> 10.0.0.2     UDP 60 40000 -> 8472 Len=8"),
            ("UDP", "    1   0.000000     10.0.0.1 -> 10.0.0.2     UDP 110 53 -> 8472 Len=82"),
            ("UDP", "    1   0.000000     10.0.0.1 -> 10.0.0.2     UDP 110 40000 -> 8473 Len=82"),
            (
                "L2TPv3",
                "    1   0.000000     10.0.0.1 -> 10.0.0.2     L2TPv3 60 Control Message - SCCRQ",
            ),
        ] {
            assert!(!is_closed_to_wireshark(protocol, line), "{line}");
        }
    }
}
