//! Packets as text that lost something on its way into a ticket: never an all-clear over what was not read.

mod common;

use common::{Scratch, closewait, json_lines, text};
use serde_json::Value;

const APP: &str = "192.0.2.5.47902";
const DB: &str = "198.51.100.3.3306";

/// The packets of a connection that the application left in CLOSE-WAIT: the time, and the rest of the line.
fn packets(app: &str, db: &str) -> Vec<(&'static str, String)> {
    let line = |from: &str, to: &str, told: &str| format!("IP {from} > {to}: Flags {told}");
    vec![
        ("22:13:20.000000", line(app, db, "[S], seq 100, win 229, length 0")),
        ("22:13:20.000050", line(db, app, "[S.], seq 900, ack 101, win 229, length 0")),
        ("22:13:20.000100", line(app, db, "[.], ack 1, win 229, length 0")),
        ("22:13:20.000400", line(db, app, "[P.], seq 1:78, ack 1, win 229, length 77")),
        ("22:13:20.040000", line(app, db, "[.], ack 78, win 229, length 0")),
        ("22:13:50.040000", line(db, app, "[F.], seq 78, ack 1, win 229, length 0")),
        ("22:13:50.080000", line(app, db, "[.], ack 79, win 229, length 0")),
        ("22:14:24.000000", "ARP, Request who-has 192.0.2.1, length 28".into()),
    ]
}

fn each(change: impl Fn(&str, &str) -> String) -> String {
    packets(APP, DB).iter().map(|(time, rest)| change(time, rest)).collect()
}

fn read(ticket: &str) -> (Option<i32>, String) {
    let output = closewait(&[&Scratch::new().write("ticket.txt", ticket.as_bytes())]);
    let (out, err) = text(&output);
    (output.status.code(), out + &err)
}

/// The leak, for as long as it was held.
fn held(ticket: &str) -> Value {
    let path = Scratch::new();
    let path = path.write("ticket.txt", ticket.as_bytes());
    let lines = json_lines(&closewait(&[&path, "--format", "jsonl"]));
    let flow = lines
        .iter()
        .find(|line| line["type"] == "flow")
        .unwrap_or_else(|| panic!("none: {ticket}"));
    assert_eq!(flow["verdict"], "leak", "{flow}");
    flow["held_s"].clone()
}

#[test]
fn a_time_may_stand_right_behind_whatever_is_no_time() {
    let expected = held(&each(|time, rest| format!("{time} {rest}\n")));
    assert_eq!(expected, 33.92);
    for (before, after) in [
        ("msg=\"", "\""),
        ("{\"log\": [\"", "\"]}"),
        ("host|", ""),
        ("7→", ""),
        ("'", "',"),
        ("2024-05-01,\"", "\""),
        ("<td>", "</td>"),
    ] {
        let ticket = each(|time, rest| format!("{before}{time} {rest}{after}\n"));
        assert_eq!(held(&ticket), expected, "{ticket}");
    }
    // The time of a log in whole seconds is not the packet's.
    let logged = each(|_, rest| format!("2024-05-01T10:00:00 {rest}\n"));
    assert_eq!(held(&logged), Value::Null);
}

/// What `kubectl logs --timestamps`, journald or `ts` put before `tcpdump -t`: "without times" was said of it.
#[test]
fn the_exact_time_of_a_log_stands_in_where_tcpdump_printed_none() {
    for (before, after) in [
        ("2023-11-14T", "Z"),
        ("2023-11-14T", ""),
        ("2023-11-14T", ":"),
        ("2023-11-14T", "789+08:00"),
        ("2023-11-14T", "Z stdout F"),
        ("2023-11-14T", "+00:00 node tcpdump[812]:"),
        ("(", ")"),
    ] {
        let ticket = each(|time, rest| format!("{before}{time}{after} {rest}\n"));
        assert_eq!(held(&ticket), 33.92, "{ticket}");
    }
    let by_comma = each(|time, rest| format!("{} {rest}\n", time.replace('.', ",")));
    assert_eq!(held(&by_comma), 33.92);
    let by_ts = each(|time, rest| format!("Nov 14 {} {rest}\n", &time[..8]));
    assert_eq!(held(&by_ts), 34.0);
    // tcpdump's own is nearer to the packet.
    let both = each(|time, rest| format!("2023-11-14T10:00:00Z node tcpdump[1]: {time} {rest}\n"));
    assert_eq!(held(&both), 33.92);
}

#[test]
fn packets_on_one_line_are_all_read() {
    let expected = held(&each(|time, rest| format!("{time} {rest}\n")));
    for between in [" ", "  ", "\u{2028}", "\u{85}", "\",\"", "|"] {
        let ticket = each(|time, rest| format!("{time} {rest}{between}"));
        assert_eq!(held(&ticket), expected, "{ticket}");
    }
    // Without times, where a packet begins is not known.
    let (status, out) = read(&each(|_, rest| format!("{rest} ")));
    assert_eq!(status, Some(2), "{out}");
}

#[test]
fn a_name_with_a_blank_is_not_cut_in_two() {
    for (app, db) in [("<client ip>.47902", "<server ip>.3306"), (APP, "DB SERVER.3306")] {
        let all = packets(app, db);
        let ticket: String = all.iter().map(|(time, rest)| format!("{time} {rest}\n")).collect();
        let (status, out) = read(&ticket);
        assert_eq!(status, Some(2), "{out}");
        assert!(out.contains("cannot be read"), "{out}");
    }
    let rows = "    1 0.000000 app server → 198.51.100.3 TCP 54 47902 → 3306 [SYN] Seq=0 Win=229 Len=0\n\
        2 0.000100 198.51.100.3 → app server TCP 54 3306 → 47902 [SYN, ACK] Seq=0 Ack=1 Win=229 Len=0\n\
        3 0.000200 app server → 198.51.100.3 TCP 54 47902 → 3306 [ACK] Seq=1 Ack=1 Win=229 Len=0\n";
    let (status, out) = read(rows);
    assert_eq!(status, Some(2), "{out}");
}

/// What shows flags and a time is a packet, whoever printed it.
#[test]
fn packets_in_another_form_are_said() {
    let healthy =
        "22:13:19.000000 IP 192.0.2.5.1 > 198.51.100.9.443: Flags [S], seq 1, win 1, length 0\n";
    for change in [
        |rest: &str| rest.replace(": Flags", " Flags"),
        |rest: &str| rest.replace(" > ", " » "),
        |rest: &str| rest.replace('[', "\\["),
        |rest: &str| rest.replace("Flags [", "Flags\t["),
    ] {
        let ticket = each(|time, rest| format!("{time} {}\n", change(rest)));
        let (status, out) = read(&format!("{healthy}{ticket}"));
        let is_told = status == Some(1) && out.starts_with("1 of 2");
        assert!(is_told || status == Some(2), "{status:?} {out}");
    }
    let rows = "    1 0.000000 192.0.2.5 → 198.51.100.3 TCP 54 47902 → 3306 [SYN] Seq=0 Win=229 Len=0\n\
        2 30.000000 198.51.100.3 → 192.0.2.5 TCP 54 3306 → 47902 [FIN, ACK] Seq=1 Ack=1 Win=229 Len=0\n";
    for ticket in [format!("{healthy}{rows}"), format!("{rows}{healthy}")] {
        let (status, out) = read(&ticket);
        assert_eq!(status, Some(2), "{out}");
    }
    let prose = format!("{healthy}we looked for Flags [F.] and saw none\n$ grep 'Flags \\[F' x\n");
    assert_eq!(read(&prose).0, Some(0));
}

#[test]
fn what_tcpdump_says_it_has_lost_is_a_doubt() {
    let whole = each(|time, rest| format!("{time} {rest}\n"));
    for (said, is_doubt) in [
        ("1117 packets dropped by kernel", true),
        ("tcpdump-1  | 1 packet dropped by interface", true),
        ("0 packets dropped by kernel", false),
        ("many packets dropped by kernel", false),
    ] {
        let path = Scratch::new();
        let path =
            path.write("ticket.txt", format!("{whole}8 packets captured\n{said}\n").as_bytes());
        let flow = &json_lines(&closewait(&[&path, "--format", "jsonl"]))[0];
        let doubts = flow["doubts"].as_array().expect("doubts");
        assert_eq!(doubts.contains(&"dropped".into()), is_doubt, "{said}: {flow}");
    }
}

/// `-ttt`, of which the first line was not pasted.
#[test]
fn pauses_are_known_by_their_going_back() {
    let mut before = 0;
    let nanos = |time: &str| {
        let parts: Vec<f64> = time.split(':').map(|part| part.parse().expect("a number")).collect();
        ((parts[0] * 3600.0 + parts[1] * 60.0 + parts[2]) * 1e6).round() as u64
    };
    let mut lines = Vec::new();
    let healthy = "IP 192.0.2.5.1 > 198.51.100.9.443: Flags [S], seq 1, win 1, length 0".to_owned();
    let before_it = [("22:12:00.000000", healthy.clone()), ("22:13:19.000000", healthy)];
    for (time, rest) in before_it.into_iter().chain(packets(APP, DB)) {
        let pause = nanos(time) - std::mem::replace(&mut before, nanos(time));
        let (seconds, micros) = (pause / 1_000_000, pause % 1_000_000);
        lines.push(format!("00:{:02}:{:02}.{micros:06} {rest}\n", seconds / 60, seconds % 60));
    }
    assert_eq!(held(&lines[1..].concat()), 33.92);
    // Two lines of them: the FIN's and the last ACK's.
    let two = lines[lines.len() - 3..lines.len() - 1].concat();
    assert_eq!(held(&two), 0.0);
}

/// tshark shows the last packet of a message as the message, though it has the FIN, too.
#[test]
fn a_fin_that_a_message_hides_is_found() {
    let row = |number: u32, at: f64, from_app: bool, rest: &str| {
        let ends = ["192.0.2.5 → 198.51.100.3", "198.51.100.3 → 192.0.2.5"];
        format!("{number:>5} {at:>10.6} {} {rest}\n", ends[usize::from(!from_app)])
    };
    let connection = |port: u32, answer: &[(&str, u32)], last: &[(bool, &str)]| {
        let mut at = f64::from(port - 41_000);
        let mut rows = String::new();
        let mut add = |from_app: bool, rest: &str| {
            at += 0.001;
            rows += &row(1, at, from_app, rest);
        };
        add(true, &format!("TCP 54 {port} → 80 [SYN] Seq=0 Win=229 Len=0"));
        add(false, &format!("TCP 54 80 → {port} [SYN, ACK] Seq=0 Ack=1 Win=229 Len=0"));
        add(true, &format!("TCP 54 {port} → 80 [ACK] Seq=1 Ack=1 Win=229 Len=0"));
        add(true, "HTTP 100 GET / HTTP/1.1 ");
        for (told, len) in answer {
            add(
                false,
                &format!("{} {len} {told}", if told.contains('[') { "TCP" } else { "HTTP" }),
            );
        }
        for (from_app, rest) in last {
            let ports = if *from_app { format!("{port} → 80") } else { format!("80 → {port}") };
            add(*from_app, &format!("TCP 54 {ports} {rest}"));
        }
        rows
    };
    let closed = [
        (true, "[ACK] Seq=47 Ack=23 Win=229 Len=0"),
        (true, "[FIN, ACK] Seq=47 Ack=23 Win=229 Len=0"),
        (false, "[ACK] Seq=23 Ack=48 Win=229 Len=0"),
    ];
    let with_data = [("HTTP/1.0 200 OK ", 75)];
    let apart =
        [("HTTP/1.0 200 OK  [TCP segment of a reassembled PDU]", 75), ("HTTP/1.0 200 OK ", 54)];
    for answer in [&with_data[..], &apart[..]] {
        let healthy = connection(41_000, answer, &closed) + &connection(41_001, answer, &closed);
        let (status, out) = read(&healthy);
        assert_eq!(status, Some(0), "{healthy}\n{out}");
        assert!(out.contains("2 closed"), "{out}");
        let (status, out) = read(&(healthy + &connection(41_002, answer, &closed[..1])));
        assert_eq!(status, Some(1), "{out}");
        assert!(out.starts_with("1 of 3 connections left in CLOSE-WAIT by 192.0.2.5"), "{out}");
    }
}

/// Logs show the newest line first.
#[test]
fn lines_that_stand_newest_first_are_read_from_their_end() {
    let whole = each(|time, rest| format!("{time} {rest}\n"));
    let turned: Vec<&str> = whole.lines().rev().collect();
    assert_eq!(held(&turned.join("\n")), held(&whole));
    let logged = |line: &&str| format!("[pod/orders-7d9f/tcpdump] 2023-11-14T22:13:20Z {line}\n");
    assert_eq!(held(&turned.iter().map(logged).collect::<String>()), held(&whole));
    let rows = [
        "0.000000 192.0.2.5 → 198.51.100.3 TCP 54 47902 → 3306 [SYN] Seq=0 Win=229 Len=0",
        "0.000100 198.51.100.3 → 192.0.2.5 TCP 54 3306 → 47902 [SYN, ACK] Seq=0 Ack=1 Win=229 Len=0",
        "0.000200 192.0.2.5 → 198.51.100.3 TCP 54 47902 → 3306 [ACK] Seq=1 Ack=1 Win=229 Len=0",
        "30.00000 198.51.100.3 → 192.0.2.5 TCP 54 3306 → 47902 [FIN, ACK] Seq=1 Ack=1 Win=229 Len=0",
        "34.00000 192.0.2.5 → 198.51.100.3 TCP 54 47902 → 3306 [ACK] Seq=1 Ack=2 Win=229 Len=0",
    ];
    let rows: Vec<String> =
        (1..).zip(rows).map(|(n, row): (u32, _)| format!("{n:>4} {row}\n")).collect();
    let turned: Vec<String> = rows.iter().rev().cloned().collect();
    assert_eq!(held(&turned.concat()), held(&rows.concat()));
}

/// Where times do not tell it, handshakes do: the answer stands above what it answers.
#[test]
fn lines_without_times_of_their_own_may_stand_newest_first() {
    let since = |time: &str| {
        let number = |at: usize| time[at..at + 2].parse::<f64>().expect("digits");
        number(3) * 60.0 + time[6..].parse::<f64>().expect("seconds") - 800.0
    };
    let clock =
        |seconds: f64| format!(" 00:{:02}:{:09.6}", (seconds / 60.0) as u32, seconds % 60.0);
    let before = std::cell::Cell::new(0.0);
    let pause = |time: &str| clock(since(time) - before.replace(since(time)));
    for whole in [
        each(|_, rest| format!("{rest}\n")),
        each(|time, rest| format!("Nov 14 {} host1 tcpdump[912]: {rest}\n", &time[..8])),
        each(|time, rest| format!("\"Nov 14, 2023 @ {}\",\"{time} {rest}\"\n", &time[..12])),
        each(|time, rest| format!("{} {rest}\n", clock(since(time)))),
        each(|time, rest| format!("{} {rest}\n", pause(time))),
    ] {
        let turned: Vec<&str> = whole.lines().rev().collect();
        assert_eq!(held(&turned.join("\n")), held(&whole), "{whole}");
    }
    // A connection on the same ports, of which no more was captured, comes after the one before it.
    let again =
        each(|_, rest| format!("{rest}\n")) + &packets(APP, DB)[0].1.replace("seq 100", "seq 700");
    held(&again);
}

/// Whoever asks about a packet quotes it first, and all packets below.
#[test]
fn a_packet_that_is_quoted_above_the_whole_is_read_where_it_belongs() {
    let whole = each(|time, rest| format!("{time} {rest}\n"));
    let lines: Vec<&str> = whole.lines().collect();
    for quoted in [&lines[5..6], &lines[5..7], &lines[3..4], &lines[1..4]] {
        let quoted = quoted.join("\n");
        for ticket in [
            format!("It is this one:\n\n{quoted}\n\nof these:\n\n{whole}"),
            format!("> {quoted}\n{whole}"),
            format!("Here: {quoted}\n{whole}"),
        ] {
            assert_eq!(held(&ticket), held(&whole), "{ticket}");
            assert!(read(&ticket).1.starts_with("1 of 1 connection"), "{ticket}");
        }
    }
}

/// A bare ACK has no number of its own in print, and is a packet of its connection nevertheless.
#[test]
fn bare_acks_alone_are_a_connection() {
    let ack =
        |number: u32| format!("IP {APP} > {DB}: Flags [.], ack {number}, win 229, length 0\n");
    let fin = format!("IP {DB} > {APP}: Flags [F.], seq 89, ack 17, win 229, length 0\n");
    for ticket in [ack(89) + &ack(90), ack(90), ack(3_000_000_090)] {
        let (status, out) = read(&ticket);
        assert_eq!(status, Some(0), "{ticket}\n{out}");
        assert!(out.contains("1 open") && !out.contains("without TCP flags"), "{ticket}\n{out}");
    }
    held(&(ack(90) + &fin));
}

/// The line that matters is the one that people have stand out.
#[test]
fn flags_that_stand_out_are_flags() {
    let whole = each(|time, rest| format!("{time} {rest}\n"));
    for marked in [
        "Flags **[F.]**",
        "**Flags [F.]**",
        "Flags `[F.]`",
        "Flags <b>[F.]</b>",
        "Flags <span class=\"x\">[F.]</span>",
        "Flags {color:#f00}[F.]{color}",
        "flags [F.]",
        "Flags: [F.]",
        "Flags [F]",
        "Flags \\[F.\\]",
        "Flags [FIN, ACK]",
        "Flags [FA]",
    ] {
        assert_eq!(held(&whole.replace("Flags [F.]", marked)), held(&whole), "{marked}");
    }
    // Nor is the holder's own taken for no packet of TCP.
    let own = format!(
        "{whole}22:14:25.000000 IP {APP} > {DB}: Flags **[F.]**, seq 1, ack 79, win 229, length 0\n"
    );
    let (status, out) = read(&own);
    assert_eq!(status, Some(0), "{out}");
    for lost in ["Flags ((F.))", "Flgs [F.]", "[F.]"] {
        let (status, out) = read(&whole.replace("Flags [F.]", lost));
        assert_eq!(status, Some(2), "{lost}: {out}");
    }
}

/// Ends that stand out, or a part of them, and what editors and pages make of arrows and blanks.
#[test]
fn what_was_typed_anew_is_read() {
    let whole = each(|time, rest| format!("{time} {rest}\n"));
    let changed = |from: &str, to: &str| whole.replace(from, to);
    for ticket in [
        changed(&format!("{APP}:"), &format!("**{APP}**:")),
        changed(&format!("IP {DB}"), "IP **198.51.100.3**.3306"),
        changed(".3306:", ".<span class=\"x\">3306</span>:"),
        changed(" > ", " -> "),
        changed(" > ", " \u{2192} "),
        changed(" > ", " \\> "),
        changed(" > ", " &amp;gt; "),
        changed(" ", "\t"),
        changed("Flags", "FLAGS"),
        changed(APP, "192.0.2.5:47902").replace(DB, "198.51.100.3:3306"),
        whole.to_lowercase().replace("arp, request", "ARP, Request"),
    ] {
        assert_eq!(held(&ticket), held(&whole), "{ticket}");
    }
    // What hides a part of an address is no mark.
    let hidden = whole.replace("192.0.2.5", "**192.0.2").replace("198.51.100.3", "**198.51.100");
    assert_eq!(held(&hidden), held(&whole));
    let output = closewait(&[&Scratch::new().write("ticket.txt", hidden.as_bytes())]);
    assert!(text(&output).0.contains("**192.0.2"), "{output:?}");
}

/// Whoever explains packets leaves out what does not matter, and writes what does behind the numbers.
#[test]
fn a_remark_in_place_of_the_rest_is_no_cut() {
    let whole = each(|time, rest| format!("{time} {rest}\n"));
    let short = each(|time, rest| {
        let told = match rest.split_once(", win") {
            Some((told, _)) if told.contains("[F.]") => format!("{told}    # the server closes"),
            Some((told, _)) => format!("{told}, ..."),
            None => rest.to_owned(),
        };
        format!("{time} {told}\n")
    });
    assert_eq!(held(&short), held(&whole), "{short}");
    // Without one, the last number may be a part of it.
    let (status, out) = read(&short.replace(", ...", ""));
    assert_eq!(status, Some(2), "{out}");
}

/// Numbers that only TCP has, in another tool's form among these lines.
#[test]
fn other_lines_of_tcp_are_said() {
    let whole = each(|time, rest| format!("{time} {rest}\n"));
    for line in [
        "22:14:26.000000 IP 192.0.2.5.47902 > 198.51.100.3.3306: tcp 0 (DF)",
        "  1   0.00000 192.0.2.5 -> 198.51.100.3 TCP D=3306 S=47902 Fin Ack=79 Seq=1 Len=0 Win=229",
    ] {
        let (status, out) = read(&format!("{whole}{line}\n"));
        assert_eq!(status, Some(2), "{line}: {out}");
    }
}

#[test]
fn a_text_that_ends_within_a_packet_was_cut_off() {
    let whole = each(|time, rest| format!("{time} {rest}\n"));
    let (status, out) = read(&format!("{whole}22:14:26.000000 IP {APP} > {DB}: Fla"));
    assert_eq!(status, Some(1), "{out}");
    assert!(out.contains("the capture was cut off"), "{out}");
    let next = format!("22:14:26.000000 IP {DB}.");
    for end in 1..next.len() {
        let (status, out) = read(&format!("{whole}{}", &next[..end]));
        assert_eq!(status, Some(1), "{}: {out}", &next[..end]);
        assert!(out.contains("the capture was cut off"), "{}: {out}", &next[..end]);
    }
}

/// A packet that was cut before its second end may be any: also the FIN of the holder.
#[test]
fn a_packet_that_was_cut_before_its_arrow_is_said() {
    let whole = each(|time, rest| format!("{time} {rest}\n"));
    let (tcpdump, links) =
        (format!("IP {APP} >"), "02:42:ac:12:00:05 > 02:42:ac:12:00:03, ethertype IPv4");
    let any = format!("eth0  Out IP {APP}");
    let with_links =
        "Out ifindex 2 02:42:ac:12:00:05 ethertype IPv4 (0x0800), length 76: 192.0.2.5";
    for (told, least) in [(&*tcpdump, 0), (links, 0), (&any, 3), (with_links, 17)] {
        for end in least..told.len() {
            let cut = format!("22:13:50.310400 {}", &told[..end]);
            for text in [format!("{whole}{cut}\n{whole}"), format!("{cut}\n{whole}")] {
                let (status, out) = read(&text);
                let is_first = text.starts_with(&cut);
                assert!(status == Some(2) || is_first && !cut.contains(" IP 192."), "{cut}: {out}");
            }
        }
    }
    let head = "22:13:50.310400 IP (tos 0x0, ttl 64, id 7, offset 0, flags [DF], proto TCP (6), length 52)\n";
    for second in ["", "    198.51.100.3", "    198.51.100.3.3306 >"] {
        let (status, out) = read(&format!("{whole}{head}{second}\n{whole}"));
        assert_eq!(status, Some(2), "{second}: {out}");
    }
    // A log's time before the second line is not the packet's.
    let below = |prefix: &str| {
        each(|time, rest| {
            let (ip, ends) = rest.split_at(rest.find(' ').unwrap_or(0));
            match ip {
                "IP" => format!(
                    "{prefix}{time} IP (tos 0x0, ttl 64, proto TCP (6), length 52)\n{prefix}    {ends}\n"
                ),
                _ => format!("{prefix}{time} {rest}\n"),
            }
        })
    };
    for prefix in ["", "Nov 14 23:00:00 ", "2023-11-14 23:00:00.213\t", "[23:00:00] <bob> "] {
        assert_eq!(held(&below(prefix)), held(&whole), "{prefix}");
    }
    for other in [
        "22:13:50.310400 ARP, Request who-has 192.0.2.1 tell 192.0.2.5, length 28\n",
        "22:13:50.310400 STP 802.1w, Rapid STP, Flags [Forward], length 43\n",
        "22:13:50.310400 eth0  In  LLDP, length 200\n",
        "22:13:50\n",
        "E..4..@.@.\n12\n22:13\n",
    ] {
        let (status, out) = read(&format!("{whole}{other}{whole}"));
        assert_eq!(status, Some(1), "{other}: {out}");
    }
}

/// Without times, too: the one that is missing may be the FIN.
#[test]
fn a_packet_without_its_time_that_was_cut_within_its_ends_is_said() {
    let before = |n| {
        let lines = packets(APP, DB).into_iter().take(n);
        lines.map(|(_, rest)| rest + "\n").collect::<String>()
    };
    let fin = format!("IP {DB} > {APP}: Flags [F.], seq 78, ack 1, win 229, length 0");
    let flags = fin.find('[').unwrap_or_default();
    for end in "IP 1".len()..flags {
        let begun = &fin[..end];
        let (_, out) = read(&format!("{}{begun}", before(5)));
        // `F` alone is as well what older versions print.
        let is_said = out.contains("the capture was cut off") || out.contains("not read whole");
        assert!(is_said, "{begun}: {out}");
        let (status, out) = read(&format!(
            "{}{begun}\nIP {APP} > {DB}: Flags [.], ack 79, win 229, length 0\n",
            before(5)
        ));
        assert_eq!(status, Some(2), "{begun}: {out}");
    }
    let (status, out) =
        read(&format!("{}IP 192.0.2.5 > 198.51.100.3: ICMP echo request, id 1\n", before(5)));
    assert_eq!(status, Some(0), "{out}");
}

/// A row between hosts that have a connection may be one of its packets, FIN and all: without its length, nobody knows.
#[test]
fn a_row_without_its_length_is_said() {
    let rows = |columns: &str, len: &str, message: &str| {
        let mut rows = format!("{columns}\n");
        for (n, (at, [from, to], told)) in (1..).zip([
            (
                "0.000000",
                ["192.0.2.5", "198.51.100.3"],
                "TCP\tLEN47902 → 80 [SYN] Seq=0 Win=229 Len=0",
            ),
            (
                "0.000100",
                ["198.51.100.3", "192.0.2.5"],
                "TCP\tLEN80 → 47902 [SYN, ACK] Seq=0 Ack=1 Win=229 Len=0",
            ),
            (
                "0.000200",
                ["192.0.2.5", "198.51.100.3"],
                "TCP\tLEN47902 → 80 [ACK] Seq=1 Ack=1 Win=229 Len=0",
            ),
            ("1.000200", ["198.51.100.3", "192.0.2.5"], message),
            (
                "1.040200",
                ["192.0.2.5", "198.51.100.3"],
                "TCP\tLEN47902 → 80 [ACK] Seq=1 Ack=48 Win=229 Len=0",
            ),
        ]) {
            let (n, told): (u32, _) = (n, told.replace("LEN", len));
            rows += &format!("{n}\t{at}\t{from}\t{to}\t{told}\n");
        }
        rows
    };
    let message = "HTTP\tHTTP/1.1 200 OK";
    let (status, out) = read(&rows("No.\tTime\tSource\tDestination\tProtocol\tInfo", "", message));
    assert!(status == Some(2) && out.contains("Length"), "{status:?} {out}");
    let message = "HTTP\t100\tHTTP/1.1 200 OK";
    for length in ["Length", "_ws.col.Length"] {
        let columns = format!("No.\tTime\tSource\tDestination\tProtocol\t{length}\tInfo");
        let (status, out) = read(&rows(&columns, "54\t", message));
        assert_eq!(status, Some(1), "{out}");
    }
}

/// tshark was asked for IPv4 addresses only: the packet is there, and its ends are not.
#[test]
fn a_row_whose_addresses_have_no_column_is_said() {
    let columns =
        "ip.src\ttcp.srcport\tip.dst\ttcp.dstport\ttcp.flags\ttcp.seq\ttcp.ack\ttcp.len\n";
    let row = "192.0.2.5\t47904\t198.51.100.3\t3306\t0x0002\t0\t0\t0\n";
    assert_eq!(read(&format!("{columns}{row}")).0, Some(0));
    let (status, out) = read(&format!("{columns}{row}\t47906\t\t3306\t0x0011\t1\t1\t0\n"));
    assert_eq!(status, Some(2), "{out}");
}

/// pktmon, of Windows, has the time and the way on a line above each packet.
#[test]
fn the_line_above_a_packet_of_pktmon_has_its_time() {
    let whole = each(|time, rest| format!("{time} {rest}\n"));
    let pktmon = each(|time, rest| {
        let way = if rest.contains(&format!("IP {APP}")) { "Tx" } else { "Rx" };
        let rest = rest.trim_start_matches("IP ");
        format!(
            "{time}700 PktGroupId 1, PktNumber 1, Appearance 1, Direction {way} , Type Ethernet , Component 1\n\
             \t00-00-00-00-00-01 > 00-00-00-00-00-02, ethertype IPv4 (0x0800), length 66: {rest}\n"
        )
    });
    assert_eq!(held(&pktmon), held(&whole));
    assert!(read(&pktmon).1.contains("by 192.0.2.5"), "the way tells who is local");
}

/// What was for another host came in, also where tcpdump prints no addresses of the link layer.
#[test]
fn what_was_for_another_host_came_in() {
    let from_app = |rest: &str| rest.contains(&format!("IP {APP}"));
    let ticket = each(|time, rest| {
        let way = if from_app(rest) { "Out" } else { "P  " };
        format!("{time} veth7 {way} {rest}\n")
    });
    let (status, out) = read(&ticket);
    assert!(status == Some(1) && !out.contains("Local side unknown"), "{out}");
}

/// Without times (`tcpdump -t`), nobody knows how long it was held: the same packets within a second are in doubt.
#[test]
fn without_times_no_leak_is_certain() {
    let lines =
        each(|_, rest| if rest.starts_with("IP") { format!("{rest}\n") } else { String::new() });
    let (status, out) = read(&lines);
    assert!(status == Some(1) && out.contains("in doubt: 1 brief"), "{out}");
    assert!(!out.contains("--end"), "no time of the end would tell: {out}");
}
