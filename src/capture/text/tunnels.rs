//! Tunnels of which tcpdump prints no more than their outside: TCP may be in them, and nothing of it can be read.

/// Ports of UDP to which whole packets or frames are sent: GTP-U, Teredo, LISP, GRE, VXLAN-GPE, CAPWAP, GUE, MPLS, TZSP.
const PORTS: [&str; 9] = ["2152", "3544", "4341", "4754", "4790", "5247", "6080", "6635", "37008"];

/// Octets of the least headers: one of a tunnel, and those of IPv4 and TCP. What is shorter is a sign of life.
const LEAST: u32 = 8 + 20 + 20;

/// Other protocols, as tcpdump names those that it does not open: ERSPAN in GRE, MPLS, EtherIP and Ethernet in IP.
const OTHERS: [&str; 5] =
    ["gre-proto-0x88be", "gre-proto-0x22eb", " ip-proto-137 ", " ip-proto-97 ", " ip-proto-143 "];

/// Tells whether a line is of such a tunnel, alone or the last line of its packet.
pub fn is_closed(line: &str) -> bool {
    OTHERS.iter().any(|name| line.contains(name)) || is_of_udp(line).unwrap_or(false)
}

/// `… 203.0.113.1.2152 > 203.0.113.2.2152: UDP, length 68`
fn is_of_udp(line: &str) -> Option<bool> {
    let (before, behind) = line.rsplit_once(" > ")?;
    let (to, told) = behind.split_once(": ")?;
    let len = told.strip_prefix("UDP, length ").or_else(|| told.strip_prefix("udp "))?;
    let from = before.split_whitespace().next_back()?;
    let [from, to] = [from, to].map(|end| end.rsplit_once('.').map_or("", |(_, port)| port));
    // A service answers to any port.
    let is_service = from.parse::<u16>().map_or(true, |port| port < 1024);
    let is_long = len.trim().parse::<u32>().ok()? >= LEAST;
    Some(is_long && !is_service && PORTS.contains(&to))
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
        ] {
            assert!(is_closed(line), "{line}");
        }
        for line in [
            "22:13:20.213856 IP 203.0.113.1.2152 > 203.0.113.2.2152: UDP, length 12",
            "22:13:20.213856 IP 203.0.113.1.443 > 203.0.113.2.37008: UDP, length 1200",
            "22:13:20.213856 IP 203.0.113.1.5555 > 203.0.113.2.4242: UDP, length 79",
            "22:13:20.213856 IP 203.0.113.1 > 203.0.113.2: GREv0, length 28: gre-proto-0x2000",
            "22:13:20.213856 IP 203.0.113.1 > 203.0.113.2: ICMP echo request, id 1",
        ] {
            assert!(!is_closed(line), "{line}");
        }
    }
}
