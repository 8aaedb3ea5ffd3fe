//! Packets as text that was printed or pasted in a way that misleads: the verdict of the packets, or status 2.

mod common;

use common::{Scratch, closewait, json_lines};

/// Verdicts and doubts of a text's connections, with the exit status.
fn judged(lines: &str) -> (Option<i32>, Vec<String>) {
    let scratch = Scratch::new();
    let path = scratch.write("printed.txt", lines.as_bytes());
    let output = closewait(&[&path, "--all", "--format", "jsonl"]);
    let flows = json_lines(&output).into_iter().filter(|line| line["type"] == "flow");
    let said = flows.map(|flow| format!("{} {}", flow["verdict"], flow["doubts"]).replace('"', ""));
    (output.status.code(), said.collect())
}

fn said(code: i32, flows: &[&str]) -> (Option<i32>, Vec<String>) {
    (Some(code), flows.iter().map(|flow| (*flow).to_owned()).collect())
}

/// The octets that frames have beside their payload are those of the connection's bare ACKs: with another number, four
/// records of TLS would seem to fit without the FIN that the last had.
#[test]
fn a_fin_within_a_record_of_tls_is_known_by_the_acks() {
    let open = "\
    1   0.000000   172.18.0.5 → 10.9.0.8     TCP 74 41869 → 443 [SYN] Seq=0 Win=229 Len=0 MSS=1460 TSval=1 TSecr=0
    2   0.005000     10.9.0.8 → 172.18.0.5   TCP 74 443 → 41869 [SYN, ACK] Seq=0 Ack=1 Win=229 Len=0 MSS=1460 TSval=1 TSecr=0
    3   0.010000   172.18.0.5 → 10.9.0.8     TCP 66 41869 → 443 [ACK] Seq=1 Ack=1 Win=29312 Len=0 TSval=2 TSecr=1
    4   0.015000   172.18.0.5 → 10.9.0.8     TLSv1.2 166 Application Data
    5   0.020000     10.9.0.8 → 172.18.0.5   TCP 66 443 → 41869 [ACK] Seq=1 Ack=101 Win=29312 Len=0 TSval=2 TSecr=1
    6   0.025001     10.9.0.8 → 172.18.0.5   TLSv1.2 101 Application Data
    7   0.030001     10.9.0.8 → 172.18.0.5   TLSv1.2 466 Application Data
    8   0.035001     10.9.0.8 → 172.18.0.5   TLSv1.2 766 Application Data
    9   0.040001     10.9.0.8 → 172.18.0.5   TLSv1.2 386 Application Data
   10   0.045001   172.18.0.5 → 10.9.0.8     TCP 66 41869 → 443 [ACK] Seq=101 Ack=1457 Win=29312 Len=0 TSval=3 TSecr=2
";
    let last = "   13  59.995000   172.18.0.5 → 10.9.0.8     TCP 74 42000 → 443 [SYN] Seq=0 Win=229 Len=0 MSS=1460 TSval=1 TSecr=0\n";
    let close = "\
   11   1.445001   172.18.0.5 → 10.9.0.8     TCP 66 41869 → 443 [FIN, ACK] Seq=101 Ack=1457 Win=29312 Len=0 TSval=4 TSecr=3
   12   1.450002     10.9.0.8 → 172.18.0.5   TCP 66 443 → 41869 [ACK] Seq=1457 Ack=102 Win=29312 Len=0 TSval=5 TSecr=4
";
    let leak = format!("{open}{last}");
    assert_eq!(judged(&leak), said(1, &["leak []", "attempt []"]));
    let closed = format!("{open}{close}{last}");
    assert_eq!(judged(&closed), said(0, &["closed []", "attempt []"]));
}

/// Times since the first packet, of which one went back, or below which another list begins, are no pauses.
#[test]
fn one_time_that_goes_back_makes_no_pauses() {
    let [client, server] = ["172.18.0.5", "172.18.0.3"];
    let packets = |port: u16, reset: bool| {
        let mut packets = vec![
            (0, client, server, format!("{port} → 3306 [SYN] Seq=0 Win=229 Len=0")),
            (200, server, client, format!("3306 → {port} [SYN, ACK] Seq=0 Ack=1 Win=229 Len=0")),
            (400, client, server, format!("{port} → 3306 [ACK] Seq=1 Ack=1 Win=229 Len=0")),
            (1000, client, server, format!("{port} → 3306 [PSH, ACK] Seq=1 Ack=1 Win=229 Len=28")),
            (1200, server, client, format!("3306 → {port} [ACK] Seq=1 Ack=29 Win=229 Len=0")),
            (
                11_000,
                server,
                client,
                format!("3306 → {port} [PSH, ACK] Seq=1 Ack=29 Win=229 Len=19"),
            ),
            (11_200, client, server, format!("{port} → 3306 [ACK] Seq=29 Ack=20 Win=229 Len=0")),
            (
                30_011_000,
                server,
                client,
                format!("3306 → {port} [FIN, ACK] Seq=20 Ack=29 Win=229 Len=0"),
            ),
            (
                30_011_200,
                client,
                server,
                format!("{port} → 3306 [ACK] Seq=29 Ack=21 Win=229 Len=0"),
            ),
        ];
        if reset {
            packets.push((
                30_511_000,
                server,
                client,
                format!("3306 → {port} [RST] Seq=21 Win=0 Len=0"),
            ));
        }
        packets
    };
    let list = |packets: &[(u64, &str, &str, String)]| -> String {
        let line = |(time, from, to, told): &(u64, &str, &str, String)| {
            let (seconds, micros) = (time / 1_000_000, time % 1_000_000);
            format!("1 {seconds}.{micros:06} {from} → {to} TCP 66 {told}\n")
        };
        packets.iter().map(line).collect()
    };
    let mut late = packets(40_001, true);
    late.swap(4, 5);
    assert_eq!(judged(&list(&late)), judged(&list(&packets(40_001, true))));
    let two = list(&packets(40_001, true)) + "\nBroken:\n" + &list(&packets(40_002, false));
    let (code, flows) = judged(&two);
    assert_eq!((code, flows[1].as_str()), (Some(1), "leak [brief]"), "{flows:?}");
    assert!(flows[0].starts_with("reset"), "{flows:?}");
}

/// A packet by its time and ends, and what tcpdump 3, FortiGate and Wireshark tell of it.
type Packet = (&'static str, &'static str, &'static str, [&'static str; 3]);

/// A connection that the server closed and the client did not.
fn leak() -> [Packet; 5] {
    let [client, server] = ["172.18.0.5", "172.18.0.3"];
    [
        (
            "0.000000",
            client,
            server,
            ["S 100:100(0) win 229", "syn 100", "[SYN] Seq=0 Win=229 Len=0"],
        ),
        (
            "0.000200",
            server,
            client,
            [
                "S 900:900(0) ack 101 win 229",
                "syn 900 ack 101",
                "[SYN, ACK] Seq=0 Ack=1 Win=229 Len=0",
            ],
        ),
        (
            "0.000400",
            client,
            server,
            [". ack 1 win 229", "ack 901", "[ACK] Seq=1 Ack=1 Win=229 Len=0"],
        ),
        (
            "30.011000",
            server,
            client,
            ["F 1:1(0) ack 1 win 229", "fin 901 ack 101", "[FIN, ACK] Seq=1 Ack=1 Win=229 Len=0"],
        ),
        (
            "30.011200",
            client,
            server,
            [". ack 2 win 229", "ack 902", "[ACK] Seq=1 Ack=2 Win=229 Len=0"],
        ),
    ]
}

fn port(end: &str) -> &'static str {
    if end == "172.18.0.5" { "38822" } else { "3306" }
}

/// Where a text has lost some of its line ends, or all, each packet is read.
#[test]
fn packets_that_stand_on_one_line_are_read() {
    let clock = |time: &str| {
        let (seconds, fraction) = time.split_once('.').expect("a fraction");
        format!("22:13:{seconds:0>2}.{fraction}")
    };
    let of = |form: &dyn Fn(usize, Packet) -> String, between: [&str; 2]| {
        let lines = leak().into_iter().zip(1..);
        let lines = lines.map(|(packet, number)| form(number, packet) + between[number % 2]);
        lines.collect::<String>() + "\n"
    };
    let old = |_: usize, (time, from, to, told): Packet| {
        format!("{} IP {from}.{} > {to}.{}: {}", clock(time), port(from), port(to), told[0])
    };
    let asa = |number: usize, (time, from, to, told): Packet| {
        format!("{number}: {} {from}.{} > {to}.{}: {}", clock(time), port(from), port(to), told[0])
    };
    let fortigate = |_: usize, (time, from, to, told): Packet| {
        format!("{time} port1 in {from}.{} -> {to}.{}: {}", port(from), port(to), told[1])
    };
    let tshark = |number: usize, (time, from, to, told): Packet| {
        format!("{number} {time} {from} → {to} TCP 66 {} → {} {}", port(from), port(to), told[2])
    };
    let wireshark = |number: usize, (time, from, to, told): Packet| {
        format!("{number} {time}  {from}  {to}  TCP  66  {} → {} {}", port(from), port(to), told[2])
    };
    for between in [["   ", "   "], ["\n", "   "], ["   ", "\n"], ["\n", "\n"]] {
        for (name, text) in [
            ("tcpdump 3", of(&old, between)),
            ("ASA", of(&asa, between)),
            ("FortiGate", of(&fortigate, between)),
            ("tshark", of(&tshark, between)),
            ("Wireshark", of(&wireshark, between)),
        ] {
            assert_eq!(judged(&text), said(1, &["leak [brief]"]), "{name}:\n{text}");
        }
    }
    // What cannot be parted is no single packet.
    let cells = "1,0.000000,172.18.0.5,172.18.0.3,TCP,66,38822 → 3306 [SYN] Seq=0 Win=229 Len=0";
    assert_eq!(judged(&format!("{cells}\n{cells},{cells}\n")).0, Some(2));
}

const BESIDE: &str =
    "22:15:00.000000 IP 10.9.0.1.1000 > 10.9.0.7.6379: Flags [S], seq 1, win 229, length 0\n";

/// Beside a packet that is read, what may be others of TCP is no all-clear.
#[test]
fn what_may_be_tcp_is_said() {
    for lines in [
        // Cut at the right, before the flags.
        "22:13:20.213856 IP ip-172-31-15-197.internal.38822 > ip-172-31-24-254.internal.330\n",
        "22:13:20.213856 02:42:ac:12:00:05 > 02:42:ac:12:00:03, ethertype IPv4 (0x0800), length 74: 172.18.0.\n",
        // Shortened by hand.
        "22:13:50.224856 IP 172.18.0.3.3306 > 172.18.0.5.38822: FIN, ACK\n",
        "22:13:50.224856 IP 172.18.0.3.3306 > 172.18.0.5.38822: [F.], seq 20, ack 29\n",
        "22:13:50.224856 IP 172.18.0.3.3306 > 172.18.0.5.38822: Flags: FIN\n",
        // Of other programs.
        "Frame 1: 74 bytes on wire (592 bits), 74 bytes captured (592 bits)\n",
        "\"1\",\"0.000000\",\"172.18.0.5\",\"172.18.0.3\",\"TCP\",\"66\",\"38822  >  3306 [FIN, ACK] Seq=0 Ack=1 Win=29312 Len=0\"\n",
        "ip.src\ttcp.srcport\tip.dst\ttcp.dstport\ttcp.flags\ttcp.seq\ttcp.ack\ttcp.len\n",
        "TCP: 38822 -> 3306 .S.... seq=b2b3b312 ack=00000000\n",
        "Nov 14 22:13:20.213: 172.18.0.5:38822 (ID:1234) -> 172.18.0.3:3306 (world) to-stack FORWARDED (TCP Flags: SYN)\n",
        "1\t22:13:20.213856 11/14/2023\tapp.exe\t172.18.0.5\t172.18.0.3\tTCP\tTCP:Flags=......S., SrcPort=38822\n",
        "T 2023/11/14 22:13:20.213856 172.18.0.5:38822 -> 172.18.0.3:3306 [S] #1\n",
        "TCP:  ----- TCP Header -----\n",
        "[7.213856] IN=eth0 OUT= SRC=172.18.0.3 DST=172.18.0.5 LEN=52 TTL=64 DF PROTO=TCP SPT=3306 DPT=38822 WINDOW=227 RES=0x00 ACK FIN URGP=0\n",
        "Ether / IP / TCP 172.18.0.3:mysql > 172.18.0.5:38822 FA\n",
        // The end of the line was lost: nothing carried eleven octets.
        "22:13:50.224856 IP 172.18.0.3.3306 > 172.18.0.5.38822: Flags [.], ack 20, win 229, length 011:19:11.907567 lo\n",
        "172.18.0.5:38822 → 172.18.0.3:3306 [SYN] Seq=2998121234 Ack=0 Len=0\n",
        // Tunnels that tcpdump does not open.
        "22:13:50.224856 IP 203.0.113.1.2152 > 203.0.113.2.2152: UDP, length 68\n",
        "22:13:50.224856 IP 203.0.113.1 > 203.0.113.2: GREv0, length 78: gre-proto-0x88be\n",
        "22:13:50.224856 IP (tos 0x0, ttl 64, id 7, offset 0, flags [DF], proto GRE (47), length 98)\n    203.0.113.1 > 203.0.113.2: GREv0, Flags [none], length 78\n\tgre-proto-0x88be\n",
    ] {
        assert_eq!(judged(&format!("{BESIDE}{lines}{BESIDE}")).0, Some(2), "{lines}");
    }
    for lines in [
        "tcpdump -r x.pcap 'tcp[tcpflags] & tcp-fin != 0'\n",
        "$ tshark -r x.pcap -Y tcp.flags.fin==1 -T fields -e ip.src -e tcp.srcport\n",
        "22:13:50.224856 IP 10.0.0.1.53 > 10.0.0.2.5353: 1+ A? x. (21)\n",
        "22:13:50.224856 IP 10.0.0.1.443 > 10.0.0.2.37008: UDP, length 1200\n",
        "22:13:50.224856 IP 203.0.113.1.2152 > 203.0.113.2.2152: UDP, length 12\n",
        "22:13:50.224856 02:42:ac:12:00:05 > ff:ff:ff:ff:ff:ff, ethertype Unknown (0x88b5), length 60:\n",
    ] {
        assert_eq!(judged(&format!("{BESIDE}{lines}{BESIDE}")).0, Some(0), "{lines}");
    }
}

/// Right behind the flags stands a field, too; and where numbers are as they were, a FIN without its own is said.
#[test]
fn numbers_are_read_without_a_comma_or_said() {
    let whole = "22:13:20.000000 IP 172.18.0.5.38822 > 172.18.0.3.3306: Flags [S], seq 4065722321, win 229, length 0\n\
        22:13:20.000100 IP 172.18.0.3.3306 > 172.18.0.5.38822: Flags [S.], seq 3500000000, ack 4065722322, win 229, length 0\n\
        22:13:20.000200 IP 172.18.0.5.38822 > 172.18.0.3.3306: Flags [.], ack 3500000001, win 229, length 0\n\
        22:13:50.000000 IP 172.18.0.3.3306 > 172.18.0.5.38822: Flags [F.], seq 3500000001, ack 4065722322, win 229, length 0\n\
        22:13:50.000100 IP 172.18.0.5.38822 > 172.18.0.3.3306: Flags [.], ack 3500000002, win 229, length 0\n\
        22:13:59.000000 IP 10.9.0.1.53 > 10.9.0.7.5353: 1+ A? x. (21)\n";
    assert_eq!(judged(whole), said(1, &["leak []"]));
    assert_eq!(judged(&whole.replace(", seq", " seq")), said(1, &["leak []"]));
    let fin = "22:13:55.000000 IP 172.18.0.7.3306 > 172.18.0.5.40000: Flags [F.], ack 4065722322, win 229, length 0\n";
    assert_eq!(judged(&format!("{whole}{fin}")).0, Some(2));
}

/// An export that shows details tells each row twice; what it tells of a row that was lost is all there is of it.
#[test]
fn details_are_of_the_row_before_them() {
    let row = |(number, (time, from, to, told)): (usize, &Packet)| {
        let ports = format!("{} → {}", port(from), port(to));
        format!("{number} {time} {from} {to} TCP 66 {ports} {}", told[2])
    };
    let details = |number| format!("Frame {number}: 66 bytes on wire (528 bits), 66 captured");
    let packets = leak();
    let rows: Vec<String> = packets.iter().enumerate().map(row).collect();
    let with_details = |lost: Option<usize>| {
        let shown = rows.iter().enumerate().map(|(number, row)| {
            let row = if lost == Some(number) { "" } else { row };
            format!("{row}\n\n{}\nInternet Protocol Version 4\n\n", details(number))
        });
        judged(&shown.collect::<String>())
    };
    assert_eq!(with_details(None), judged(&(rows.join("\n") + "\n")));
    assert_eq!(with_details(None).0, Some(1));
    assert_eq!(with_details(Some(rows.len() - 2)).0, Some(2));
}

/// In a list without an arrow, a word more or less moves the ends: no other hosts are made of it.
#[test]
fn a_word_more_or_less_makes_no_other_hosts() {
    let line = |(time, from, to, told): &Packet| {
        format!("1 {time} {from} {to} TCP 66 {} → {} {}\n", port(from), port(to), told[2])
    };
    let whole = leak().iter().map(line).collect::<String>();
    assert_eq!(judged(&whole).0, Some(1));
    let fin = "1 30.011000 172.18.0.3 172.18.0.5 TCP";
    for moved in [
        "30.011000 172.18.0.3 172.18.0.5 TCP",
        "1 30.011000 172.18.0.3 172.18.0.5 0 TCP",
        "1 30.011000 172.18.0.3 > 172.18.0.5 TCP",
    ] {
        assert!(whole.contains(fin));
        assert_eq!(judged(&whole.replace(fin, moved)).0, Some(2), "{moved}");
    }
    // With an arrow, the ends are known without the protocol.
    let bare = whole.replace(" TCP 66", " 66").replace(" 172.18.0.3 66", " → 172.18.0.3 66");
    let bare = bare.replace(" 172.18.0.5 66", " → 172.18.0.5 66");
    assert_eq!(judged(&bare).0, Some(1));
    let record = "1 30.500000 172.18.0.5 172.18.0.3 0 TLSv1.2 97 Encrypted Alert\n";
    assert_eq!(judged(&format!("{whole}{record}")).0, Some(2));
}

/// Without a column for the RST, a reset would be an open connection.
#[test]
fn each_flag_needs_its_column() {
    let header = "frame.time_relative\tip.src\ttcp.srcport\tip.dst\ttcp.dstport\ttcp.flags.syn\ttcp.flags.ack\ttcp.flags.fin\ttcp.seq\ttcp.ack\ttcp.len\n";
    let row = "0.000000000\t172.18.0.5\t38822\t172.18.0.3\t3306\t1\t0\t0\t0\t0\t0\n";
    let scratch = Scratch::new();
    let path = scratch.write("fields.txt", format!("{header}{row}").as_bytes());
    let output = closewait(&[&path]);
    assert_eq!(output.status.code(), Some(2));
    assert!(common::text(&output).1.contains("without tcp.flags.reset"));
}

/// tcpdump -vv prints the numbers of bare ACKs, too. They are relative also where the text leaves out the handshake.
#[test]
fn relative_numbers_without_the_handshake_are_known() {
    let [client, server] = ["172.18.0.5.38830", "172.18.0.3.3306"];
    let line = |second: u32, from: &str, to: &str, told: &str| {
        format!("22:13:{second}.000000 IP (tos 0x0, ttl 64)\n    {from} > {to}: Flags {told}\n")
    };
    let packets = [
        line(20, client, server, "[S], seq 400000001, win 229, length 0"),
        line(20, server, client, "[S.], seq 3900000001, ack 400000002, win 229, length 0"),
        line(20, client, server, "[.], seq 1, ack 1, win 229, length 0"),
        line(21, client, server, "[P.], seq 1:29, ack 1, win 229, length 28"),
        line(21, server, client, "[.], seq 1, ack 29, win 229, length 0"),
        line(40, server, client, "[F.], seq 1, ack 29, win 229, length 0"),
        line(40, client, server, "[.], seq 29, ack 2, win 229, length 0"),
        line(42, client, server, "[F.], seq 29, ack 2, win 229, length 0"),
        line(42, server, client, "[.], seq 2, ack 30, win 229, length 0"),
    ];
    let without = |missing: &[usize]| -> String {
        let kept = packets.iter().enumerate().filter(|(at, _)| !missing.contains(at));
        kept.map(|(_, packet)| packet.as_str()).collect()
    };
    assert_eq!(judged(&without(&[])), said(0, &["closed []"]));
    assert_eq!(judged(&without(&[0])), said(0, &["closed []"]));
    assert_eq!(judged(&without(&[1])), said(0, &["closed []"]));
    assert_eq!(judged(&without(&[0, 1])), said(0, &["closed []"]));
    assert_eq!(judged(&without(&[0, 1, 7])), said(0, &["closed [fin-implied]"]));
}

/// What a text says of packets that are not in it is a doubt: lost ones, a capture that was cut off, and those that
/// somebody left out.
#[test]
fn what_the_text_lacks_is_a_doubt() {
    let lines: Vec<String> = leak()
        .iter()
        .map(|(time, from, to, told)| {
            let (seconds, fraction) = time.split_once('.').expect("a fraction");
            format!(
                "22:13:{seconds:0>2}.{fraction} IP {from}.{} > {to}.{}: {}\n",
                port(from),
                port(to),
                told[0]
            )
        })
        .collect();
    let text = |between: &str, last: &str| lines.join("") + between + BESIDE + last;
    assert_eq!(judged(&text("", "")), said(1, &["leak []", "attempt []"]));
    for last in [
        "1,313 packets dropped by kernel\n",
        "37 packets captured\n13 packets dropped\n",
        "tshark: 13 packets dropped from eth0\n",
        "Packets received/dropped on interface 'eth0': 37/13 (pcap:13/dumpcap:0/flushed:0/ps_ifdrop:0) (74.0%)\n",
    ] {
        assert_eq!(judged(&text("", last)).1[0], "leak [dropped]", "{last}");
    }
    for gap in [
        "...\n",
        "[...]\n",
        "\u{2026}\n",
        "<snip>\n",
        "[snip]\n",
        "--\n",
        "[... 40 lines removed ...]\n",
        "--- output truncated ---\n",
        "... 57 more lines\n",
    ] {
        assert_eq!(judged(&text(gap, "")).1[0], "leak [dropped]", "{gap}");
        // Before the first packet, any capture leaves some out; and below one may stand what it carried.
        assert_eq!(judged(&(gap.to_owned() + &text("", ""))).1[0], "leak []", "{gap}");
        assert_eq!(judged(&text(&format!("E..<..@\n{gap}"), "")).1[0], "leak []", "{gap}");
    }
    for cut in [
        "tcpdump: pcap_loop: truncated dump file; tried to read 16 header bytes, only got 4\n",
        "tshark: The file \"x.pcap\" appears to have been cut short in the middle of a packet.\n",
    ] {
        let (_, flows) = judged(&text("", cut));
        assert_eq!(flows[0], "leak [truncated]", "{cut}");
        assert_eq!(judged(&(cut.to_owned() + &text("", ""))).1, flows, "{cut}");
    }
    // FortiGate's, which tell a payload's length by what comes later.
    let fortigate = |gap: &str| {
        format!(
            "1.000000 a in 10.0.0.5.40001 -> 10.0.0.3.3306: syn 100\n\
             1.000100 a out 10.0.0.3.3306 -> 10.0.0.5.40001: syn 900 ack 101\n\
             1.000200 a in 10.0.0.5.40001 -> 10.0.0.3.3306: ack 901\n\
             9.000100 a out 10.0.0.3.3306 -> 10.0.0.5.40001: fin 901 ack 101\n\
             9.040000 a in 10.0.0.5.40001 -> 10.0.0.3.3306: ack 902\n{gap}\
             60.000000 a in 10.0.0.6.40001 -> 10.0.0.3.3306: syn 100\n"
        )
    };
    assert_eq!(judged(&fortigate("")).1[0], "leak []");
    assert_eq!(judged(&fortigate("... 300 more lines\n")).1[0], "leak [dropped]");
    let received = "Packets received/dropped on interface 'eth0': 37/0 (pcap:0/dumpcap:0)\n";
    assert_eq!(judged(&text("", received)).1[0], "leak []");
}

/// Logs of packets that name the state of their sockets are no lists of sockets, and no captures.
#[test]
fn logs_of_dropped_packets_are_no_lists() {
    let scratch = Scratch::new();
    for (log, name) in [
        (
            "TIME     PID    IP SADDR:SPORT          > DADDR:DPORT          STATE (FLAGS)
05:46:07 82093  4  10.74.40.245:50010   > 10.74.40.245:58484   CLOSE_WAIT (ACK)
\tb'tcp_drop+0x1'

",
            "tcpdrop",
        ),
        (
            "TIME     PID    IP LADDR:LPORT          T> RADDR:RPORT          STATE
01:55:05 0      4  10.153.223.157:22    R> 69.53.245.40:34619   CLOSE_WAIT
",
            "tcpretrans",
        ),
    ] {
        let path = scratch.write("log.txt", log.as_bytes());
        for args in [&[path.as_str()][..], &["sockets", &path]] {
            let output = closewait(args);
            let (out, err) = common::text(&output);
            assert_eq!((output.status.code(), &*out), (Some(2), ""), "{name}: {out}");
            assert!(err.contains(name), "{err}");
        }
    }
}

/// Heads of packets that other systems print above the ends, with the time and the way.
#[test]
fn heads_of_other_systems_lend_their_times() {
    let text = |head: &dyn Fn(&str, &str) -> String| -> String {
        let line = |(time, from, to, told): &Packet| {
            let (seconds, fraction) = time.split_once('.').expect("a fraction");
            let head = head(&format!("22:13:{seconds:0>2}.{fraction}"), from);
            format!("{head}\n\t{from}.{} > {to}.{}: {}\n", port(from), port(to), told[0])
        };
        leak().iter().map(line).collect()
    };
    let asa =
        text(&|time, _| format!("   1: {time} 0002.b301.0203 0002.b301.0204 0x0800 Length: 66"));
    let junos = text(&|time, from| {
        let way = if from == "172.18.0.5" { "Out" } else { "In" };
        format!(
            "{time} {way} \n\tJuniper PCAP Flags [Ext, no-L2], PCAP Extension(s) total length 16\n\t-----original packet-----"
        )
    });
    // With times, it was held for less than a second.
    assert_eq!(judged(&asa), said(1, &["leak [brief]"]));
    assert_eq!(judged(&junos), said(1, &["leak [brief]"]));
}

/// Of tcpdump -A, a line of the payload may begin with a time: of another kind than the packets', it tells none.
#[test]
fn times_within_a_payload_are_not_the_packets() {
    let text = |payload: &str| -> String {
        let line = |(time, from, to, told): &Packet| {
            let (seconds, fraction) = time.split_once('.').expect("a fraction");
            format!(
                "22:13:{seconds:0>2}.{fraction} IP {from}.{} > {to}.{}: {}\n{payload}",
                port(from),
                port(to),
                told[0]
            )
        };
        leak().iter().map(line).collect()
    };
    let payload =
        "2023-11-14 22:13:21.213856 GET /x > y\n2023-11-14 22:13:21.213856 IP changed: a > b: c\n";
    assert_eq!(judged(&text("")), said(1, &["leak [brief]"]));
    assert_eq!(judged(&text(payload)), judged(&text("")));
}

/// Forms of versions: what tcpdump 3.9 and Wireshark 4 print, an arrow in markup, and Info beside other fields.
#[test]
fn forms_of_versions_are_read() {
    let old: String = leak()
        .iter()
        .map(|(time, from, to, [told, ..])| {
            let (flags, rest) = told.split_once(' ').expect("fields");
            let (seconds, fraction) = time.split_once('.').expect("a fraction");
            format!(
                "22:13:{seconds:0>2}.{fraction} IP (tos 0x0, ttl  64, id 1, offset 0, flags [DF], proto: TCP (6), length: 52) {from}.{} > {to}.{}: {flags}, cksum 0x9dc9 (correct), {rest}\n",
                port(from),
                port(to)
            )
        })
        .collect();
    let tshark = |arrow: &str| -> String {
        let line = |(time, from, to, told): &Packet| {
            format!(
                "1 {time} {from} {arrow} {to} TCP 66 {} {arrow} {} {}\n",
                port(from),
                port(to),
                told[2]
            )
        };
        leak().iter().map(line).collect()
    };
    let beside = leak().iter().fold(
        "frame.time_relative\tip.src\tip.dst\t_ws.col.Protocol\ttcp.len\t_ws.col.Info\n".to_owned(),
        |text, (time, from, to, told)| {
            text + &format!(
                "{time}\t{from}\t{to}\tTCP\t0\t{} → {} {}\n",
                port(from),
                port(to),
                told[2]
            )
        },
    );
    // Without quotes, and without the names of its columns.
    let table = |delimiter: &str, header: &str| {
        leak().iter().fold(header.to_owned(), |text, (time, from, to, told)| {
            let told = format!("{} → {} {}", port(from), port(to), told[2]);
            text + &["1", time, from, to, "TCP", "66", &told].join(delimiter) + "\n"
        })
    };
    for text in [
        old,
        table(",", "No.,Time,Source,Destination,Protocol,Length,Info\n"),
        table(",", ""),
        table(";", ""),
        table(" | ", ""),
        tshark("→").replace("ACK]", "ACK, ACE=0]"),
        tshark("&rarr;"),
        tshark("&#8594;"),
        tshark("&#x2192;"),
        tshark("?"),
        tshark("\u{fffd}"),
        tshark("→").replace("[FIN, ACK]", "**[FIN, ACK]**"),
        tshark("->").replace('[', "\\[").replace(']', "\\]"),
        beside,
    ] {
        assert_eq!(judged(&text), said(1, &["leak [brief]"]), "{text}");
    }
}

/// A service without a known number is what a line lacks, and the option that prints numbers helps.
#[test]
fn an_unknown_service_is_named_as_the_reason() {
    let scratch = Scratch::new();
    for line in [
        "22:13:20.000000 IP a.38822 > b.no-such-service: Flags [S], seq 1, win 1, length 0\n",
        "1 0.000000 10.0.0.1 → 10.0.0.2 TCP 66 38822 → no-such-service [SYN] Seq=0 Win=1 Len=0\n",
    ] {
        let path = scratch.write("printed.txt", line.as_bytes());
        let output = closewait(&[&path]);
        let err = common::text(&output).1;
        assert_eq!(output.status.code(), Some(2));
        assert!(err.contains("is not known (tcpdump -n and tshark -n print numbers)"), "{err}");
    }
}
