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
