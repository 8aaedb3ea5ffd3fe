//! Text of other forms than packets a line or sockets a line: its form by how it begins, and what helps.

use std::net::IpAddr;

use super::text::info::info;
use super::text::tunnels::is_closed;
use crate::services::port_of;

/// A form: words that its beginning has, and a sentence about it.
struct Form {
    words: &'static [&'static str],
    says: &'static str,
}

const FORMS: &[Form] = &[
    Form {
        words: &["Frame ", " bytes on wire"],
        says: "it is packets in full (tshark -V): read the capture itself, or what tshark -n -r CAPTURE prints without -V",
    },
    Form {
        words: &["\"_index\":", "packets-"],
        says: "it is packets as tshark -T json or -T ek writes them: read the capture itself, or what tshark -n -r CAPTURE prints without -T",
    },
    Form {
        words: &["<pdml"],
        says: "it is packets as tshark -T pdml writes them: read the capture itself, or what tshark -n -r CAPTURE prints without -T",
    },
    Form {
        words: &["<psml"],
        says: "it is packets as tshark -T psml writes them: read the capture itself, or what tshark -n -r CAPTURE prints without -T",
    },
    Form {
        words: &[" src=", " dst=", " sport=", " dport="],
        says: "it is what a gateway keeps of connections (conntrack -L): no host's sockets are in it; ss -tanpo on the host lists them",
    },
    Form {
        words: &[" SRC=", " DST=", " PROTO=TCP ", " SPT="],
        says: "it is a firewall's log (iptables, nftables: LOG) of those packets alone that a rule met, as a rule without their numbers: tcpdump -w FILE on the host writes all",
    },
    Form {
        words: &["IP / TCP ", " > "],
        says: "it is packets as Scapy sums them up, without their times and numbers: wrpcap(FILE, packets) writes them",
    },
    Form {
        words: &["###[ IP", "###[ TCP ]###"],
        says: "it is packets as Scapy shows them, without their times: wrpcap(FILE, packets) writes them",
    },
    Form {
        words: &["TCP:  ----- TCP Header"],
        says: "it is packets in full (snoop -v): snoop -o FILE writes a capture, and snoop -i FILE -o OUT one of what was kept",
    },
    Form {
        words: &["Flags=", "SrcPort=", "DstPort=", "PayloadLen="],
        says: "it is as Network Monitor shows packets: its own file of them becomes a capture by editcap -F pcapng FILE OUT",
    },
    Form {
        words: &["TCP: ", " -> ", "seq=", "ack="],
        says: "it is what a firewall's monitor prints (fw monitor), without times: fw monitor -o FILE writes a capture, in snoop's format",
    },
    Form {
        words: &["TCP Conversations", "<->"],
        says: "it is sums of conversations (tshark -z conv), of which no close can be told: read the capture itself",
    },
    Form {
        words: &["Follow: tcp,"],
        says: "it is what a connection carried (tshark -z follow), of which no close can be told: read the capture itself",
    },
    Form {
        words: &["OLDSTATE", "NEWSTATE"],
        says: "it is a log of states that changed (tcpstates), not of those that are left: ss -tanpo on the host lists them",
    },
    Form {
        words: &["LADDR", "RADDR", "TX_KB", "RX_KB"],
        says: "it is a log of sockets that were closed (tcplife): ss -tanpo on the host lists those that are not",
    },
    Form {
        words: &["#fields", "conn_state"],
        says: "it is a log of connections (Zeek's conn.log), of which each end's close cannot be told: read the capture that it was made of",
    },
    Form {
        words: &["\"event_type\":", "\"flow_id\":"],
        says: "it is a log of events (Suricata's eve.json), of which each end's close cannot be told: read the capture that it was made of",
    },
    Form {
        words: &["Total: ", "TCP: ", "timewait "],
        says: "it is sums (ss -s), of which no socket can be told: ss -tanpo lists them",
    },
];

/// Logs of packets that name the state of their sockets: no list of sockets, though their lines look like one.
const LOGS: &[Form] = &[
    Form {
        words: &["SADDR:SPORT", "DADDR:DPORT", "STATE (FLAGS)"],
        says: "it is a log of packets that the kernel dropped (tcpdrop), not of sockets that are left: ss -tanpo on the host lists them",
    },
    Form {
        words: &["LADDR:LPORT", "RADDR:RPORT", "STATE"],
        says: "it is a log of packets that were sent again (tcpretrans), not of sockets that are left: ss -tanpo on the host lists them",
    },
];

const OCTETS: &str = "it is octets alone (tshark -x): text2pcap FILE OUT.pcap makes a capture of it, without its times";

const FIELDS: &str = "it is fields of packets without their names (tshark -T fields): let tshark print these, too, with -E header=y";

const NGREP: &str = "it is what ngrep prints, without numbers of sequence: ngrep -O FILE writes a capture of the same packets";

const SUMS: &str =
    "it is a number of sockets a state, of which no socket can be told: ss -tanpo lists them";

/// Describes a text by its beginning, where it has one of these forms.
pub fn form(start: &str) -> Option<&'static str> {
    log(start)
        .or_else(|| said(FORMS, start))
        .or_else(|| is_octets(start).then_some(OCTETS))
        .or_else(|| start.lines().any(is_of_ngrep).then_some(NGREP))
        .or_else(|| is_sums(start).then_some(SUMS))
        .or_else(|| is_fields(start).then_some(FIELDS))
}

/// Describes a log of packets that may be taken for a list of sockets.
pub fn log(start: &str) -> Option<&'static str> {
    said(LOGS, start)
}

fn said(forms: &[Form], start: &str) -> Option<&'static str> {
    let is_it = |form: &&Form| form.words.iter().all(|word| start.contains(word));
    forms.iter().find(is_it).map(|form| form.says)
}

/// `T 10.0.0.1:3306 -> 10.0.0.2:40000 [AF] #4`, with a time before the ends, if it was asked for.
fn is_of_ngrep(line: &str) -> bool {
    let is_end = |word: &str| {
        let end = word.rsplit_once(':');
        end.is_some_and(|(ip, port)| ip.parse::<IpAddr>().is_ok() && port.parse::<u16>().is_ok())
    };
    let words: Vec<&str> = line.split_whitespace().take(7).collect();
    let mut three = words.windows(3);
    line.starts_with("T ")
        && three.any(|it| matches!(it, [a, "->", b] if is_end(a) && is_end(b)))
        && words.iter().any(|word| word.starts_with('[') && word.ends_with(']'))
}

/// Lines that begin with the places of their octets.
fn is_octets(start: &str) -> bool {
    let begins = |place| start.lines().any(|line| line.trim_start().starts_with(place));
    begins("0000  ") && begins("0010  ")
}

/// The first line has two addresses, and TCP's flags as tshark prints them: `0x0012`, `·······A··S·`.
fn is_fields(start: &str) -> bool {
    let first = start.lines().next().unwrap_or_default();
    let cells = || first.split(['\t', ',', ';', '|', ' ']).map(|cell| cell.trim_matches('"'));
    let addresses = cells().filter(|cell| cell.parse::<IpAddr>().is_ok()).count();
    let is_flags = |cell: &str| {
        let number = cell.strip_prefix("0x").is_some_and(|digits| digits.len() == 4);
        number || cell.chars().count() == 12 && cell.contains('·')
    };
    addresses >= 2 && cells().any(is_flags)
}

/// `309 CLOSE_WAIT`, as `uniq -c` leaves it, or the other way round, as awk does: every line such a pair.
fn is_sums(start: &str) -> bool {
    let is_number = |word: &str| word.parse::<u64>().is_ok();
    let is_state = |word: &str| {
        let word = word.trim_end_matches(':').replace('-', "_").to_ascii_uppercase();
        matches!(&*word, "CLOSE_WAIT" | "ESTABLISHED" | "ESTAB" | "TIME_WAIT" | "LISTEN")
    };
    let mut pairs = start.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        matches!(&*words, [one, two] if is_number(one) || is_number(two))
    });
    start.split_whitespace().any(is_state) && pairs.all(|is_pair| is_pair)
}

/// Says of a line of tcpdump's in which a packet of TCP cannot be read what it lacks, if that is known.
pub fn lacks(line: &str) -> &'static str {
    let is_quiet =
        line.rsplit_once(": tcp ").is_some_and(|(_, len)| len.trim().parse::<u32>().is_ok());
    if line.contains(" TCP D=") && line.contains(" S=") {
        "; it is as Solaris' snoop prints it (snoop -o FILE writes a capture, and snoop -i FILE -o OUT one of what was kept)"
    } else if is_quiet {
        "; tcpdump -q prints no flags (leave -q out, or give the capture itself)"
    } else if is_closed(line) {
        "; it is a tunnel, which tcpdump did not open (tcpdump -w FILE writes a capture, in which it is)"
    } else if has_unknown_service(line) {
        "; the service that stands for a port in it is not known (tcpdump -n and tshark -n print numbers)"
    } else {
        ""
    }
}

fn has_unknown_service(line: &str) -> bool {
    // `5:99999` is an end of another form, or none.
    let is_unknown = |port: &str| {
        !port.bytes().all(|b| b.is_ascii_digit() || b == b':') && port_of(port).is_none()
    };
    if let Some(info) = info(line) {
        return info.ports.into_iter().any(is_unknown);
    }
    let ends = line.split_once(": Flags [").and_then(|(before, _)| before.rsplit_once(" > "));
    ends.is_some_and(|(before, to)| {
        let from = before.split_whitespace().next_back().unwrap_or_default();
        [from, to].iter().any(|end| end.rsplit_once('.').is_some_and(|(_, port)| is_unknown(port)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_no_lists_and_no_captures() {
        for (log, name) in [
            ("SKADDR C-PID C-COMM LADDR LPORT RADDR RPORT OLDSTATE -> NEWSTATE MS\n", "tcpstates"),
            ("PID COMM LADDR LPORT RADDR RPORT TX_KB RX_KB MS\n", "tcplife"),
            ("#separator \\x09\n#fields\tts\tuid\tproto\tconn_state\n", "Zeek"),
            ("{\"flow_id\":1,\"event_type\":\"flow\"}\n", "Suricata"),
        ] {
            assert!(form(log).is_some_and(|said| said.contains(name)), "{name}");
        }
    }

    #[test]
    fn packets_without_their_numbers_are_named() {
        let log = "[7.1] IN=eth0 OUT= MAC=02:42 SRC=10.0.0.3 DST=10.0.0.5 LEN=52 TTL=64 DF PROTO=TCP SPT=3306 DPT=40000 WINDOW=227 RES=0x00 ACK FIN URGP=0";
        for (text, name) in [
            (log, "LOG"),
            (&*format!("Nov 26 13:12:27 h kernel: {log}"), "LOG"),
            ("Ether / IP / TCP 10.0.0.5:40000 > 10.0.0.3:mysql FA\n", "Scapy"),
            (
                "###[ Ethernet ]###\n###[ IP ]###\n  src = 10.0.0.5\n###[ TCP ]###\n  flags = FA\n",
                "Scapy",
            ),
            ("TCP:  ----- TCP Header -----\nTCP:  Source port = 3306\n", "snoop -o"),
            (
                "- Tcp: Flags=...A...F, SrcPort=40000, DstPort=3306, PayloadLen=0, Seq=1, Ack=2",
                "Network Monitor",
            ),
            (
                "[vs_0][fw_0] eth0:i[60]: 10.0.0.5 -> 10.0.0.3 (TCP) len=60 id=1\nTCP: 40000 -> 3306 F...A. seq=f2 ack=01\n",
                "fw monitor",
            ),
            (
                "====\nTCP Conversations\nFilter:<No Filter>\n10.0.0.5:40000 <-> 10.0.0.3:3306 7 500 8 700\n",
                "tshark -z conv",
            ),
            ("====\nFollow: tcp,ascii\nFilter: tcp.stream eq 0\n", "tshark -z follow"),
        ] {
            assert!(form(text).is_some_and(|said| said.contains(name)), "{text}");
        }
        assert_eq!(form("UDP / TCP: either, > all"), None);
    }

    #[test]
    fn packets_of_ngrep_are_known_by_their_ends() {
        for line in [
            "T 10.0.0.1:3306 -> 10.0.0.2:40000 [AF] #4\n",
            "interface: eth0\n##\nT +0.000123 10.0.0.1:3306 -> 10.0.0.2:40000 [AP]\n  ..\n",
            "T 2024/05/01 10:00:00.123456 2001:db8::1:3306 -> 2001:db8::2:40000 [AP]\n",
        ] {
            assert_eq!(form(line), Some(NGREP), "{line}");
        }
        assert_eq!(form("T 10.0.0.1:3306 -> nowhere [AF]\n"), None);
    }

    #[test]
    fn packets_of_snoop_are_named() {
        let line = "  1   0.00000   app -> db   TCP D=3306 S=40000 Syn Seq=100 Len=0 Win=64240";
        assert!(lacks(line).contains("snoop -o FILE"));
    }

    #[test]
    fn sums_in_either_order() {
        assert_eq!(
            form("    309 CLOSE_WAIT\n     12 ESTABLISHED\n      1 FIN_WAIT2\n"),
            Some(SUMS)
        );
        assert_eq!(form("CLOSE-WAIT 309\nESTAB 12\n"), Some(SUMS));
        assert_eq!(form("CLOSE-WAIT 1 0 10.0.0.5:1 10.0.0.3:2\n"), None);
        assert_eq!(form("1 2\n"), None);
    }

    #[test]
    fn fields_without_names_are_known_by_addresses_and_flags() {
        for row in [
            "1.5\t192.0.2.5\t\t47902\t198.51.100.3\t\t3306\t0x0002\t0\t0\t0\n",
            "\"192.0.2.5\",\"47902\",\"198.51.100.3\",\"3306\",\"··········S·\"\n",
        ] {
            assert_eq!(form(row), Some(FIELDS), "{row}");
        }
        assert_eq!(form("192.0.2.5 198.51.100.3 10\n"), None);
        assert_eq!(form("ip.src\tip.dst\ttcp.flags\n192.0.2.5\t198.51.100.3\t0x0002\n"), None);
    }

    #[test]
    fn octets_alone_are_known_by_their_places() {
        let octets = "0000  02 00 00 00 00 01 02 00 00 00 00 02 08 00 45 00   ..............E.\n\
            0010  00 28 00 01 40 00 40 06 00 00 0a 00 00 05 0a 00   .(..@.@.........\n";
        assert!(form(octets).is_some_and(|said| said.contains("text2pcap")));
        assert_eq!(form("  1   0.00000      app -> db  TCP\n  2   0.00100  "), None);
        assert_eq!(form("\t0x0000:  4500 0028\n\t0x0010:  4006 0000\n"), None);
    }
}
