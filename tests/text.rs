//! What tcpdump prints is read as the capture that it was printed from.

mod common;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use common::{Scratch, closewait, json_lines, text};
use serde_json::{Value, json};

/// tcpdump's text of a capture, or `None` without tcpdump.
fn printed(capture: &str, options: &[&str]) -> Option<String> {
    let path = common::project(capture);
    let output =
        Command::new("tcpdump").args(options).arg("-r").arg(path).env("TZ", "UTC").output();
    Some(text(&output.ok()?).0)
}

/// What was found, as far as a text can tell it.
fn essence(path: &str, local: &[&str]) -> BTreeSet<String> {
    let args = [&[path, "--all", "--format", "jsonl"], local].concat();
    let output = closewait(&args);
    let lines = json_lines(&output);
    assert!(!lines.is_empty(), "{}", text(&output).1);
    let flows = lines.iter().filter(|line| line["type"] == "flow");
    let end = |end: &Value| format!("{}:{} {}", end["ip"], end["port"], end["state"]);
    flows
        .map(|flow| {
            let side = |key: &str| flow[key].as_str().map(|side| end(&flow[side]));
            let mut ends = [end(&flow["a"]), end(&flow["b"])];
            ends.sort();
            let words = json!([flow["verdict"], flow["reason"], flow["doubts"]]);
            format!("{ends:?} {words} {:?} {:?}", side("holder"), side("local"))
        })
        .collect()
}

const CAPTURES: [&str; 3] = [
    "fixtures/captures/incident.pcap",
    "fixtures/captures/reproduction/app.pcap",
    "fixtures/captures/reproduction/any-sll2.pcap",
];

#[test]
fn every_style_of_tcpdump_says_what_the_capture_says() {
    let scratch = Scratch::new();
    for capture in CAPTURES {
        let whole = common::project(capture);
        let expected = essence(whole.to_str().expect("UTF-8"), &[]);
        for options in [
            &["-n"][..],
            &["-nn"],
            &["-n", "-tt"],
            &["-n", "-ttt"],
            &["-n", "-tttt"],
            &["-n", "-ttttt"],
            &["-n", "-e"],
            &["-n", "-v"],
            &["-n", "-vv", "-e"],
            &["-n", "-S"],
            &["-n", "-S", "-v", "-tttt", "-e"],
        ] {
            let Some(lines) = printed(capture, options) else { return common::skip("tcpdump") };
            let path = scratch.write("printed.txt", lines.as_bytes());
            let mut got = essence(&path, &[]);
            let mut wanted = expected.clone();
            if options.contains(&"-S") {
                // The number of a first bare ACK is in no line: one more thing was not captured.
                let without = |set: BTreeSet<String>| -> BTreeSet<String> {
                    set.into_iter().map(|flow| flow.replace(",\"lost-before-fin\"", "")).collect()
                };
                (got, wanted) = (without(got), without(wanted));
            }
            assert_eq!(got, wanted, "{capture} {options:?}");
        }
    }
}

/// Without times nothing can be said of how long, but what happened stands.
#[test]
fn without_times_the_leak_is_a_leak() {
    let Some(lines) = printed(CAPTURES[0], &["-n", "-t"]) else { return common::skip("tcpdump") };
    let scratch = Scratch::new();
    let path = scratch.write("printed.txt", lines.as_bytes());
    let flow = &json_lines(&closewait(&[&path, "--format", "jsonl"]))[0];
    assert_eq!((&flow["verdict"], &flow["holder"]), (&"leak".into(), &"a".into()));
    assert_eq!((&flow["held_s"], &flow["first"]["time"]), (&Value::Null, &Value::Null));
    // Nor has what is written of it any.
    let written = scratch.path().join("written.pcapng");
    let written = written.to_str().expect("UTF-8");
    assert_eq!(closewait(&[&path, "-w", written]).status.code(), Some(1));
    let again = &json_lines(&closewait(&[written, "--format", "jsonl"]))[0];
    for key in ["verdict", "holder", "doubts", "held_s", "first_time"] {
        assert_eq!(again[key], flow[key], "{key}");
    }
    assert_eq!(again["first"]["time"], Value::Null, "{again}");
    // One packet whose time cannot be read, among others.
    let Some(lines) = printed(CAPTURES[0], &["-n", "-tt"]) else { return common::skip("tcpdump") };
    let (rest, last) = lines.trim_end().rsplit_once('\n').expect("lines");
    let (_, last) = last.split_once(' ').expect("a time");
    let path = scratch.write("mixed.txt", format!("{rest}\n{last}\n").as_bytes());
    closewait(&[&path, "-w", written]);
    let again = &json_lines(&closewait(&[written, "--format", "jsonl"]))[0];
    assert_eq!((&again["verdict"], &again["last"]["time"]), (&"leak".into(), &Value::Null));
}

const INCIDENT: &str = include_str!("../fixtures/captures/incident-as-text.tcpdump");

/// A ticket quotes, indents, and says things between the lines.
#[test]
fn a_ticket_can_be_pasted() {
    let scratch = Scratch::new();
    let quoted: String = INCIDENT.lines().map(|line| format!("  > {line}\r\n\r\n")).collect();
    let ticket =
        format!("Hi all,\nwe see this since 04:00:\n\n{quoted}\nIt was > 20 sockets.\n-- \nJo\n");
    let path = scratch.write("ticket.txt", ticket.as_bytes());
    let lines = json_lines(&closewait(&[&path, "--format", "jsonl"]));
    assert_eq!(lines[0]["verdict"], "leak");
    assert_eq!(lines[0]["doubts"], json!(["brief", "lost-before-fin"]));
    assert_eq!(lines[0]["idle_before_fin_s"], 30.013446);
    assert_eq!(lines[1]["skipped"]["line that is no packet"], 5);
    assert_eq!(lines[1]["packets"], 5);
}

/// Piped from `tcpdump -l`, packet by packet.
#[test]
fn a_pipe_is_read_line_by_line() {
    let mut child = common::command(&["-", "--format", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    for line in INCIDENT.lines() {
        writeln!(stdin, "{line}").expect("written");
        stdin.flush().expect("written");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(json_lines(&output)[0]["verdict"], "leak");
    assert_eq!(output.status.code(), Some(1));
}

/// A capture that runs past midnight has no date to tell it.
#[test]
fn midnight_is_a_new_day() {
    let scratch = Scratch::new();
    let late = INCIDENT.replace("11:38:15", "23:59:45").replace("11:38:45", "00:00:15");
    let path = scratch.write("late.txt", late.as_bytes());
    let flow = &json_lines(&closewait(&[&path, "--format", "jsonl"]))[0];
    assert_eq!(flow["idle_before_fin_s"], 30.013446);
}

/// A name identifies an end as well as an address does, and is printed as it was.
#[test]
fn names_identify_ends() {
    let scratch = Scratch::new();
    for (app, db) in [
        ("app", "db-1.shop.svc.cluster.local"),
        ("x.x.x.x", "y.y.y.y"),
        ("<redacted>", "10.bb.yy.104"),
        ("172.18.0.5", "db"),
    ] {
        let named = INCIDENT.replace("172.18.0.5", app).replace("172.18.0.3", db);
        let named = named.replace("3306", "mysql");
        let path = scratch.write("named.txt", named.as_bytes());
        let flow = &json_lines(&closewait(&[&path, "--format", "jsonl"]))[0];
        assert_eq!((&flow["verdict"], &flow["holder"]), (&"leak".into(), &"a".into()), "{app}");
        assert_eq!((&flow["a"]["ip"], &flow["a"]["port"]), (&app.into(), &38822.into()));
        assert_eq!((&flow["b"]["ip"], &flow["b"]["port"]), (&db.into(), &3306.into()));
        assert_eq!(flow["community_id"], Value::Null, "{app}");
    }
    // A client's port may have a name, too; which ports have one depends on the host that printed it.
    let named = INCIDENT.replace("38822", "ldoms-mgmt").replace("3306", "ddi-tcp-1");
    let path = scratch.write("named.txt", named.as_bytes());
    let flow = &json_lines(&closewait(&[&path, "--format", "jsonl"]))[0];
    assert_eq!(flow["verdict"], "leak");
    assert_eq!((&flow["a"]["port"], &flow["b"]["port"]), (&6482.into(), &8888.into()));
}

/// No output shows the address that stands for a name.
#[test]
fn a_name_is_a_name_in_every_output() {
    let scratch = Scratch::new();
    let named = INCIDENT.replace("172.18.0.5", "=app").replace("172.18.0.3", "db");
    let path = scratch.write("named.txt", named.as_bytes());
    for args in [
        &["--format", "text"][..],
        &["--format", "csv", "--all"],
        &["--format", "jsonl", "--all"],
        &["--folded"],
        &["--local", "name:db"],
        &["--local", "name:=app:38822"],
    ] {
        let (out, err) = text(&closewait(&[&[&path[..]], args].concat()));
        assert!(
            !out.contains("c105:e0a1") && (out.contains("app") || out.contains("db:")),
            "{args:?}\n{out}{err}"
        );
    }
    let csv = text(&closewait(&[&path, "--format", "csv"])).0;
    assert!(csv.contains(",'=app,"), "no formula: {csv}");
    let screen = text(&closewait(&[&path])).0;
    assert!(screen.contains("in CLOSE-WAIT by =app:"), "{screen}");
    assert!(screen.contains("use --local name:=app to judge one side"), "{screen}");
    let explained = text(&closewait(&["explain", &path, "--frame", "1"])).0;
    assert!(explained.contains("=app:38822") && !explained.contains("c105"), "{explained}");
    // Written as packets, the names stand in a block of their own, and are read again.
    let out = scratch.path().join("named.pcapng");
    let out = out.to_str().expect("UTF-8");
    closewait(&[&path, "-w", out]);
    let (again, err) = text(&closewait(&[out]));
    assert!(again.contains("in CLOSE-WAIT by =app:"), "{again}{err}");
    let narrowed = text(&closewait(&[&path, "--local", "name:db"])).0;
    assert!(narrowed.contains("waits in FIN-WAIT-2 for =app"), "{narrowed}");
}

/// Where a host may stand under two names, the halves of its connection are not judged.
#[test]
fn what_may_be_one_connection_is_not_judged() {
    let scratch = Scratch::new();
    for (first, then) in
        [("app", "app.shop.svc"), ("172.18.0.5", "app"), ("127.0.0.1", "localhost")]
    {
        let named: String = INCIDENT
            .lines()
            .enumerate()
            .map(|(n, line)| line.replace("172.18.0.5", if n < 2 { first } else { then }) + "\n")
            .collect();
        let path = scratch.write("named.txt", named.as_bytes());
        let output = closewait(&[&path, "--all", "--format", "jsonl"]);
        let err = text(&output).1;
        assert!(err.contains("may be the same host"), "{first} {then}: {err}");
        assert_eq!(output.status.code(), Some(2));
        let lines = json_lines(&output);
        assert!(lines.iter().all(|line| line["finding"] != true), "{first} {then}");
        assert!(lines.iter().any(|line| line["reason"] == "ambiguous"), "{first} {then}");
    }
    // Two connections that both begin, with numbers of their own, are two.
    let second = INCIDENT.replace("172.18.0.5", "app.shop").replace("40657", "30657");
    let both = format!("{}{second}", INCIDENT.replace("172.18.0.5", "app"));
    let path = scratch.write("two.txt", both.as_bytes());
    let output = closewait(&[&path, "--format", "jsonl"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output).1);
    assert_eq!(json_lines(&output).iter().filter(|line| line["finding"] == true).count(), 2);
}

/// A table of Wireshark's that lacks a column is refused with what to export.
#[test]
fn a_table_that_says_too_little_is_refused() {
    let scratch = Scratch::new();
    let path =
        scratch.write("fields.csv", b"frame.time_epoch,ip.src,ip.dst,tcp.srcport\n1,2,3,4\n");
    let output = closewait(&[&path]);
    let err = text(&output).1;
    assert!(err.contains("without tcp.flags") && err.contains("tshark -r FILE -T fields"), "{err}");
    assert_eq!(output.status.code(), Some(2));
}

/// What cannot be read is said, and no all-clear is given over it.
#[test]
fn a_packet_that_cannot_be_read_is_said() {
    let scratch = Scratch::new();
    let odd = INCIDENT.replace("172.18.0.5.38822", "172.18.0.5.no-such-service-here");
    let path = scratch.write("odd.txt", format!("see:\n{odd}").as_bytes());
    let output = closewait(&[&path]);
    let err = text(&output).1;
    assert!(
        err.contains("5 packets of TCP cannot be read, the first in line 2: 11:38:15"),
        "{err}"
    );
    assert!(!err.contains("verdicts cover"), "there are no others: {err}");
    assert_eq!(output.status.code(), Some(2));
    let bad = INCIDENT.lines().nth(2).expect("a line").replace("ack 1", "ack x");
    let path = scratch.write("one.txt", format!("{INCIDENT}{bad}\n").as_bytes());
    let output = closewait(&[&path, "--format", "jsonl"]);
    let err = text(&output).1;
    assert!(err.contains("1 packet of TCP cannot be read, the first in line 6"), "{err}");
    assert!(err.contains("; verdicts cover the others"), "{err}");
    assert_eq!(output.status.code(), Some(2));
    let doubts = json_lines(&output)[0]["doubts"].to_string();
    assert!(doubts.contains("truncated"), "{doubts}");
    // Cut off behind it, too.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    packed.write_all(format!("{INCIDENT}{bad}\n{INCIDENT}").as_bytes()).expect("memory");
    let packed = packed.finish().expect("memory");
    let output = closewait(&[&scratch.write("one.gz", &packed[..packed.len() - 20])]);
    let err = text(&output).1;
    assert!(err.contains("1 packet of TCP cannot be read") && err.contains("cut off"), "{err}");
    assert_eq!(output.status.code(), Some(2));
}

/// A remark in another character set takes no packet away.
#[test]
fn an_octet_that_is_no_utf8_loses_no_line() {
    let scratch = Scratch::new();
    let mut bytes = INCIDENT.trim_end().as_bytes().to_vec();
    bytes.extend([b' ', 0xbe, 0xaf, 0xb1, 0xee, b'\n']);
    let path = scratch.write("gbk.txt", &bytes);
    let lines = json_lines(&closewait(&[&path, "--format", "jsonl"]));
    assert_eq!((&lines[0]["verdict"], &lines[1]["packets"]), (&"leak".into(), &5.into()));
}

/// Windows redirects text as UTF-16: with a mark, and appended to a file without one.
#[test]
fn utf_16_is_text_too() {
    let scratch = Scratch::new();
    let expected = json_lines(&closewait(&[
        &scratch.write("x.txt", INCIDENT.as_bytes()),
        "--format",
        "jsonl",
    ]));
    let windows = INCIDENT.replace('\n', "\r\n");
    let units = || windows.encode_utf16();
    let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
    for octets in
        [[&[0xff, 0xfe], &little[..]].concat(), [&[0xfe, 0xff], &big[..]].concat(), little, big]
    {
        let path = scratch.write("x.txt", &octets);
        let lines = json_lines(&closewait(&[&path, "--format", "jsonl"]));
        assert_eq!(lines, expected);
    }
}

/// tcpdump 3 prints the pause before a packet in microseconds, and in seconds if it was long.
#[test]
fn pauses_of_tcpdump_3_are_read() {
    let scratch = Scratch::new();
    let pauses = ["000000", "000060", "000013", "30. 013446", "000051"];
    let lines = INCIDENT.lines().zip(pauses);
    let old: String = lines
        .map(|(line, pause)| format!("{pause} {}\n", line.split_once(' ').expect("a time").1))
        .collect();
    for old in [old.clone(), old.lines().map(|line| format!("> {line}\n")).collect()] {
        let path = scratch.write("old.txt", old.as_bytes());
        let flow = &json_lines(&closewait(&[&path, "--format", "jsonl"]))[0];
        assert_eq!(flow["verdict"], "leak", "{old}");
        assert_eq!(flow["idle_before_fin_s"], 30.013446, "{old}");
    }
}

/// ptcpdump and macOS's `-k` name the process; it is said to be the capture's word.
#[test]
fn a_process_in_the_text_is_the_findings() {
    let scratch = Scratch::new();
    let is_out = |line: &str| line.contains("IP 172.18.0.5");
    let way = |line: &str| if is_out(line) { "Out" } else { "In" };
    let short = |line: &str| {
        line.replacen(" IP", &format!(" eth0 orders-api.4711 {} IP", way(line)), 1)
            + ", ParentProc [sh.1], Container [shop]"
    };
    let apple = |line: &str| {
        let way = way(line).to_lowercase();
        line.replacen(" IP", &format!(" (en0, proc orders-api:4711, svc BE, {way}) IP"), 1)
    };
    let verbose = |line: &str| {
        let head =
            format!(" eth0 {} IP (tos 0x0, ttl 64, proto TCP (6), length 60)\n    ", way(line));
        line.replacen(" IP ", &head, 1)
            + "\n    Process (pid 4711, cmd /srv/orders-api, args orders-api -v)\n    ParentProc (pid 1, cmd /bin/sh, args sh)"
    };
    let styles: [&dyn Fn(&str) -> String; 3] = [&short, &apple, &verbose];
    for style in styles {
        let printed: String = INCIDENT.lines().map(|line| style(line) + "\n").collect();
        let path = scratch.write("named.txt", printed.as_bytes());
        let flow = &json_lines(&closewait(&[&path, "--format", "jsonl"]))[0];
        let process = (&flow["process"]["pid"], &flow["process"]["command"]);
        assert_eq!(process, (&4711.into(), &"orders-api".into()), "{printed}");
        assert_eq!(flow["local"], "a", "{printed}");
        let screen = text(&closewait(&[&path])).0;
        assert!(screen.contains("orders-api[4711]"), "{screen}");
    }
}

/// Lines without end, bytes that are no text, numbers too large: nothing may hang or fail.
#[test]
fn hostile_text_is_only_text() {
    let scratch = Scratch::new();
    let first = INCIDENT.lines().next().expect("a line");
    for tail in [
        "x".repeat(300_000),
        format!("{}\n", first.replace("4065722321", "99999999999999999999")),
        format!("{}\n", first.replace("length 0", "length 4294967295")),
        format!("{}\n", first.replace("[S]", "[S\u{1b}[31m]")),
        first.replace("38822", "99999"),
        "\u{0}\u{0}\u{0}".into(),
    ] {
        let path = scratch.write("x.txt", format!("{INCIDENT}{tail}").as_bytes());
        let output = closewait(&[&path]);
        let (out, err) = text(&output);
        assert!(out.contains("left in CLOSE-WAIT") && !out.contains('\u{1b}'), "{out}{err}");
        assert!(!err.contains('\u{1b}'), "{err}");
    }
    let mut bytes = INCIDENT.as_bytes().to_vec();
    bytes.extend([0xff, 0xfe, b'\n']);
    let path = scratch.write("x.txt", &bytes);
    assert_eq!(closewait(&[&path]).status.code(), Some(1));
}

/// A form that is not read is named, with what helps, by whoever is given it.
#[test]
fn other_forms_are_named() {
    let scratch = Scratch::new();
    let path = common::project(CAPTURES[0]);
    let mut given: Vec<(&str, &str, String)> = Vec::new();
    let tshark = [
        ("-V", &["-V"][..]),
        ("-T json", &["-T", "json"]),
        ("-T ek", &["-T", "ek"]),
        ("-T pdml", &["-T", "pdml"]),
        ("-T psml", &["-T", "psml"]),
    ];
    for (name, args) in tshark {
        match Command::new("tshark").args(args).arg("-r").arg(&path).output() {
            Ok(output) => {
                given.push((name, "tshark -n -r CAPTURE prints without", text(&output).0))
            }
            Err(_) => common::skip("tshark"),
        }
    }
    let conntrack = "tcp      6 58 CLOSE_WAIT src=10.0.0.5 dst=10.0.0.3 sport=38822 dport=3306 src=10.0.0.3 dst=10.0.0.5 sport=3306 dport=38822 [ASSURED] mark=0 use=1\n";
    let sums = "Total: 128\nTCP:   60852 (estab 100, closed 60749, orphaned 9, timewait 60678)\n";
    given.extend([
        ("conntrack -L", "ss -tanpo on the host", conntrack.to_owned()),
        ("ss -s", "ss -tanpo", sums.to_owned()),
        ("a number of sockets a state", "ss -tanpo", "    309 CLOSE_WAIT\n     12 ESTAB\n".into()),
    ]);
    for (name, remedy, form) in given {
        let path = scratch.write("other.txt", form.as_bytes());
        for args in [&[path.as_str()][..], &["sockets", &path]] {
            let output = closewait(args);
            let (out, err) = text(&output);
            assert_eq!((output.status.code(), &*out), (Some(2), ""), "{name}");
            assert!(err.contains(name) && err.contains(remedy), "{name}: {err}");
        }
    }
    let Some(quiet) = printed(CAPTURES[0], &["-nq"]) else { return common::skip("tcpdump") };
    let output = closewait(&[&scratch.write("quiet.txt", quiet.as_bytes())]);
    let err = text(&output).1;
    assert!(err.contains("tcpdump -q prints no flags"), "{err}");
    assert_eq!(output.status.code(), Some(2));
}

/// A RST that its receiver must ignore (RFC 9293, 3.10.7.4), as far as the windows are printed as they were sent.
#[test]
fn windows_of_a_text_are_those_of_the_capture() {
    let [client, server] = ["172.18.0.5.38822", "172.18.0.3.3306"];
    let lines = |options: &str, reset: u32| {
        [
            (0, client, server, format!("[S], seq 1000, win 64240, {options}length 0")),
            (0, server, client, format!("[S.], seq 5000, ack 1001, win 65160, {options}length 0")),
            (0, client, server, "[.], ack 1, win 502, length 0".into()),
            (5, server, client, "[F.], seq 1, ack 1, win 510, length 0".into()),
            (5, client, server, "[.], ack 2, win 502, length 0".into()),
            (6, server, client, format!("[R], seq {reset}, win 0, length 0")),
        ]
        .map(|(second, from, to, rest)| {
            format!("11:38:{second:02}.250000 IP {from} > {to}: Flags {rest}\n")
        })
        .concat()
    };
    let scratch = Scratch::new();
    let verdict = |lines: String| {
        let path = scratch.write("printed.txt", lines.as_bytes());
        json_lines(&closewait(&[&path, "--all", "--format", "jsonl"]))[0]["verdict"].clone()
    };
    let scaled = "options [mss 1460,nop,wscale 7], ";
    assert_eq!(verdict(lines(scaled, 1_000_000)), "leak");
    assert_eq!(verdict(lines(scaled, 100_000)), "reset");
    assert_eq!(verdict(lines("options [mss 1460], ", 5_000)), "leak");
    assert_eq!(verdict(lines("options [mss 1460,wscale[|tcp]>, ", 5_000)), "reset");
    assert_eq!(verdict(lines("", 5_000)), "reset", "they may have been left out");
}

/// Verdicts and doubts of a text's connections, with the exit status.
fn judged(lines: &str) -> (Option<i32>, Vec<String>) {
    let scratch = Scratch::new();
    let path = scratch.write("printed.txt", lines.as_bytes());
    let output = closewait(&[&path, "--all", "--format", "jsonl"]);
    let flows = json_lines(&output).into_iter().filter(|line| line["type"] == "flow");
    let said = flows.map(|flow| format!("{} {}", flow["verdict"], flow["doubts"]).replace('"', ""));
    (output.status.code(), said.collect())
}

/// What tshark prints of a packet ends with its length and its options: without, nobody knows where it ends.
#[test]
fn lines_that_were_cut_at_the_right_are_not_whole() {
    let lines = "\
    1 0.000000     10.0.0.1 → 10.0.0.2     TCP 74 40000 → 3306 [SYN] Seq=0 Win=64240 Len=0 MSS=1460
    2 0.010000     10.0.0.2 → 10.0.0.1     TCP 74 3306 → 40000 [SYN, ACK] Seq=0 Ack=1 Win=65160 Len=0 MSS=1460
    3 0.020000     10.0.0.1 → 10.0.0.2     TCP 66 40000 → 3306 [ACK] Seq=1 Ack=1 Win=64256 Len=0 TSval=1
    4 9.000000     10.0.0.2 → 10.0.0.1     TCP 66 3306 → 40000 [FIN, ACK] Seq=1 Ack=1 Win=65280 Len=0 TSval=1
    5 9.010000     10.0.0.1 → 10.0.0.2     TCP 66 40000 → 3306 [ACK] Seq=1 Ack=2 Win=64256 Len=0 TSval=1
    6 90.00000     10.0.0.9 → 10.0.0.2     TCP 66 50000 → 3306 [ACK] Seq=1 Ack=2 Win=64256 Len=0 TSval=1
";
    let cut = |width: usize| {
        let cut = lines.lines().map(|line| line.chars().take(width).collect::<String>() + "\n");
        judged(&cut.collect::<String>())
    };
    let whole = (Some(1), vec!["leak []".to_owned(), "open []".to_owned()]);
    assert_eq!(judged(lines), whole);
    for width in 50..110 {
        let (code, flows) = cut(width);
        assert!(code == Some(2) || (code, flows) == whole, "{width}");
    }
}

/// `-S` from the middle of a connection, whose first line says no number of its sender: numbers are compared with those
/// that were printed, and with no others.
#[test]
fn numbers_as_they_are_are_known_from_the_middle_on() {
    let [client, server] = ["10.0.0.1.40000", "10.0.0.2.9999"];
    let closed = format!(
        "22:13:24.967876 IP {client} > {server}: Flags [.], ack 2754957220, win 501, length 0
22:13:26.987876 IP {server} > {client}: Flags [F.], seq 2754957220, ack 3730851523, win 501, length 0
22:13:27.007876 IP {client} > {server}: Flags [.], ack 2754957221, win 501, length 0
22:13:28.007876 IP {client} > {server}: Flags [F.], seq 3730851523, ack 2754957221, win 501, length 0
22:13:28.027876 IP {server} > {client}: Flags [.], ack 3730851524, win 501, length 0\n"
    );
    assert_eq!(judged(&closed), (Some(0), vec!["closed []".to_owned()]));
    // Of a bare ACK alone, nothing is known but that there are such.
    let unseen = format!(
        "22:13:26.0 IP {server} > {client}: Flags [F.], seq 2754957220, ack 3730851523, win 501, length 0
22:13:26.1 IP {server} > {client}: Flags [F.], seq 2754957220, ack 3730851523, win 501, length 0
22:14:27.0 IP 10.0.0.7.1 > 10.0.0.8.2: Flags [.], ack 2754957221, win 501, length 0\n"
    );
    let (code, flows) = judged(&unseen);
    assert_eq!(
        (code, flows.first().map(String::as_str)),
        (Some(0), Some("unknown []")),
        "{flows:?}"
    );
}

/// A message of ICMP quotes the packet that it is about: that was sent before.
#[test]
fn what_a_message_quotes_is_no_packet() {
    let [client, server] = ["10.0.0.1.40000", "10.0.0.2.9999"];
    let tcp = "IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto TCP (6), length 40)";
    let lines = format!(
        "22:13:20.01 {tcp}
    {client} > {server}: Flags [S], cksum 0x1 (correct), seq 99, win 501, length 0
22:13:20.02 {tcp}
    {server} > {client}: Flags [S.], cksum 0x1 (correct), seq 499, ack 100, win 501, length 0
22:13:20.03 {tcp}
    {client} > {server}: Flags [.], cksum 0x1 (correct), seq 1, ack 1, win 501, length 0
22:13:21.01 {tcp}
    {server} > {client}: Flags [F.], cksum 0x1 (correct), seq 1, ack 1, win 501, length 0
22:13:21.02 {tcp}
    {client} > {server}: Flags [.], cksum 0x1 (correct), seq 1, ack 2, win 501, length 0
22:14:25.01 IP (tos 0x0, ttl 64, id 182, offset 0, flags [DF], proto ICMP (1), length 68)
    10.0.0.9 > 10.0.0.2: ICMP time exceeded in-transit, length 48
\t{tcp}
    {client} > {server}: Flags [F.], cksum 0x1 (correct), seq 1, ack 2, win 501, length 0
"
    );
    assert_eq!(judged(&lines), (Some(1), vec!["leak []".to_owned()]));
    // One that quotes UDP says nothing of what comes next.
    let udp = lines.replacen(
        "22:13:21.01 ",
        "22:13:21.00 IP (tos 0x0, ttl 64, id 9, offset 0, flags [DF], proto ICMP (1), length 68)
    10.0.0.9 > 10.0.0.2: ICMP 10.0.0.9 udp port 53 unreachable, length 48
\tIP (tos 0x0, ttl 64, id 9, offset 0, flags [DF], proto UDP (17), length 40)
    10.0.0.2.5353 > 10.0.0.9.53: 7+ A? a.example. (27)
22:13:21.01 ",
        1,
    );
    assert_eq!(judged(&udp), (Some(1), vec!["leak []".to_owned()]));
    // A hop on the way back took one off, and another.
    assert_eq!(judged(&lines.replace("ttl 64", "ttl 61")).1, ["leak [remote-tap]"]);
}

/// The first IP fragment has the FIN, and not the length of its segment: what is acknowledged tells it.
#[test]
fn a_fin_in_fragments_ends_where_it_is_acknowledged() {
    let tcp = "IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto TCP (6), length 40)";
    let lines = format!(
        "22:13:20.01 {tcp}
    10.0.0.1.40000 > 10.0.0.2.9999: Flags [S], cksum 0x1 (correct), seq 99, win 501, length 0
22:13:20.02 {tcp}
    10.0.0.2.9999 > 10.0.0.1.40000: Flags [S.], cksum 0x1 (correct), seq 499, ack 100, win 501, length 0
22:13:20.03 {tcp}
    10.0.0.1.40000 > 10.0.0.2.9999: Flags [.], cksum 0x1 (correct), seq 1, ack 1, win 501, length 0
22:13:21.00 IP (tos 0x0, ttl 64, id 8, offset 0, flags [+], proto TCP (6), length 620)
    10.0.0.2.9999 > 10.0.0.1.40000: Flags [FP.], seq 1:581, ack 1, win 64240, length 580
22:13:21.01 IP (tos 0x0, ttl 64, id 8, offset 600, flags [none], proto TCP (6), length 740)
    10.0.0.2 > 10.0.0.1: ip-proto-6
22:13:21.02 {tcp}
    10.0.0.1.40000 > 10.0.0.2.9999: Flags [.], cksum 0x1 (correct), ack 1302, win 501, length 0
22:14:20.01 {tcp}
    10.0.0.9.40001 > 10.0.0.2.9999: Flags [.], cksum 0x1 (correct), ack 1, win 501, length 0
"
    );
    let (code, flows) = judged(&lines);
    assert_eq!((code, flows.first().map(String::as_str)), (Some(1), Some("leak []")));
}

/// A checksum that is printed as wrong tells what it tells in a capture: nobody received that FIN.
#[test]
fn a_wrong_checksum_that_is_printed_is_a_damaged_segment() {
    let tcp = "IP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto TCP (6), length 40)";
    let [client, server] = ["10.0.0.1.40000", "10.0.0.2.9999"];
    let lines = |sum: &str| {
        format!(
            "22:13:20.01 {tcp}
    {client} > {server}: Flags [S], cksum 0x1 (correct), seq 99, win 501, length 0
22:13:20.02 {tcp}
    {server} > {client}: Flags [S.], cksum 0x1 (correct), seq 499, ack 100, win 501, length 0
22:13:20.03 {tcp}
    {client} > {server}: Flags [.], cksum 0x1 (correct), ack 1, win 501, length 0
22:13:21.01 {tcp}
    {server} > {client}: Flags [F.], cksum {sum}, seq 1, ack 1, win 501, length 0
22:14:20.01 {tcp}
    10.0.0.9.40001 > 10.0.0.2.9999: Flags [.], cksum 0x1 (correct), ack 1, win 501, length 0
"
        )
    };
    let first = |sum| judged(&lines(sum)).1.into_iter().next();
    assert_eq!(first("0x1234 (incorrect -> 0x1)").as_deref(), Some("open []"));
    assert_eq!(first("0x1 (correct)").as_deref(), Some("leak [unconfirmed]"));
    // That of the pseudo-header is filled in by the card.
    assert_eq!(first("0x141d (incorrect -> 0x1)").as_deref(), Some("leak [unconfirmed]"));
}

/// With `-v`, labels of MPLS stand on lines of their own, and the time on the first of them.
#[test]
fn labels_of_mpls_have_the_time() {
    let tcp = "\tIP (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto TCP (6), length 40)";
    let packet = |second: u8, labels: &str, told: &str| {
        format!("22:13:{second}.000000 MPLS {labels}\n{tcp}\n    {told}, win 501, length 0\n")
    };
    let [client, server] = ["10.0.0.1.40000", "10.0.0.2.9999"];
    for labels in [
        "(label 16, tc 0, [S], ttl 63)",
        "(label 16, tc 0, ttl 63)\n\t(label 17, tc 0, [S], ttl 63)",
    ] {
        let lines = [
            packet(20, labels, &format!("{client} > {server}: Flags [S], seq 100")),
            packet(21, labels, &format!("{server} > {client}: Flags [S.], seq 500, ack 101")),
            packet(22, labels, &format!("{client} > {server}: Flags [.], ack 1")),
            packet(30, labels, &format!("{server} > {client}: Flags [F.], seq 1, ack 1")),
            packet(31, labels, &format!("{client} > {server}: Flags [.], ack 2")),
        ];
        let lines = lines.concat();
        assert_eq!(judged(&lines), (Some(1), vec!["leak [brief]".to_owned()]), "{labels}");
        let routed = lines.replace("ttl 64", "ttl 61");
        assert_eq!(judged(&routed).1, ["leak [brief,remote-tap]"], "{labels}");
    }
}

/// Where some packets have dates and others times of day alone, the ones say nothing of how long the others were held:
/// whether the dates come before or after, in the text and in what `-w` makes of it.
#[test]
fn a_date_does_not_end_what_has_none() {
    let scratch = Scratch::new();
    let held = |path: &str| {
        let flows = json_lines(&closewait(&[path, "--format", "jsonl"]));
        (flows[0]["verdict"].clone(), flows[0]["held_s"].clone(), flows[0]["a"]["state"].clone())
    };
    let whole = INCIDENT.to_owned() + "11:38:47.0 ARP, Request who-has 10.0.0.1, length 28\n";
    let alone = held(&scratch.write("alone.txt", whole.as_bytes()));
    let dated = "1521709230.679863 ARP, Request who-has 10.0.0.1, length 28\n";
    for (mixed, by) in [(dated.to_owned() + &whole, "before"), (whole.clone() + dated, "after")] {
        let path = scratch.write("mixed.txt", mixed.as_bytes());
        assert_eq!(held(&path), alone, "{by}");
        assert_eq!(held(&written(&scratch, &path)), alone, "{by}");
    }
    let ended = whole + &dated.replace("ARP, Request who-has 10.0.0.1", ENDED);
    let out = text(&closewait(&[&scratch.write("ended.txt", ended.as_bytes()), "--all"])).0;
    assert!(out.contains("\n  closed ") && out.contains(" … 2018-03-22 09:00:30 UTC"), "{out}");
    assert!(!out.contains(" d "), "how long that took, nobody knows: {out}");
}

/// Where the clock was set back, what comes after all packets of a finding tells how long it was held: in the text, and in
/// what `-w` makes of it, which does not have that.
#[test]
fn a_clock_that_was_set_back_is_told_on() {
    let scratch = Scratch::new();
    let held = |path: &str| {
        let flows = json_lines(&closewait(&[path, "--format", "jsonl"]));
        (flows[0]["verdict"].clone(), flows[0]["held_s"].clone())
    };
    let back = INCIDENT.replace("11:38:45", "00:00:30");
    for (last, seconds) in [("00:05:00.0", 269.259042), ("11:50:00.0", 42_569.259042)] {
        let text = format!("{back}{last} ARP, Request who-has 10.0.0.1, length 28\n");
        let path = scratch.write("back.txt", text.as_bytes());
        assert_eq!(held(&path), ("leak".into(), seconds.into()), "{last}");
        assert_eq!(
            held(&written(&scratch, &path)),
            ("leak".into(), seconds.into()),
            "{last}, written"
        );
    }
    // What was held before, the clock of before tells, whatever comes of it since.
    let since =
        "11:38:46.0 IP 172.18.0.5.38822 > 172.18.0.3.3306: Flags [.], ack 124, win 229, length 0";
    let arp = "11:39:45.0 ARP, Request who-has 10.0.0.1, length 28";
    let path = scratch.write("since.txt", format!("{INCIDENT}{arp}\n{since}\n").as_bytes());
    assert_eq!(
        [held(&path), held(&written(&scratch, &path))].map(|(_, seconds)| seconds),
        [59.259042; 2]
    );
    let (report, _) = text(&closewait(&[&path]));
    assert!(report.contains("Its last packet is 59.0 s older than its latest"), "{report}");
}

/// Wireshark's lists are exported as they are sorted: here by their lengths, and by their numbers as texts.
#[test]
fn a_list_that_is_sorted_by_another_column_is_read_by_its_numbers() {
    let scratch = Scratch::new();
    let row = |number: u32, time: &str, way: [&str; 2], len: u32, info: &str| {
        let [from, to] = way;
        format!("\"{number}\",\"{time}\",\"{from}\",\"{to}\",\"TCP\",\"{len}\",\"{info}\"\n")
    };
    let (out, back) = (["192.0.2.5", "198.51.100.3"], ["198.51.100.3", "192.0.2.5"]);
    let rows = [
        row(7, "0.000000", out, 74, "47902 > 3306 [SYN] Seq=0 Win=229 Len=0"),
        row(8, "0.000050", back, 74, "3306 > 47902 [SYN, ACK] Seq=0 Ack=1 Win=229 Len=0"),
        row(9, "0.000100", out, 54, "47902 > 3306 [ACK] Seq=1 Ack=1 Win=229 Len=0"),
        row(10, "0.100000", out, 70, "47902 > 3306 [PSH, ACK] Seq=1 Ack=1 Win=229 Len=16"),
        row(11, "0.100400", back, 65, "3306 > 47902 [PSH, ACK] Seq=1 Ack=17 Win=229 Len=11"),
        row(12, "30.000000", back, 54, "3306 > 47902 [FIN, ACK] Seq=12 Ack=17 Win=229 Len=0"),
        row(13, "30.040000", out, 54, "47902 > 3306 [ACK] Seq=17 Ack=13 Win=229 Len=0"),
        row(14, "90.040000", ["192.0.2.9", "192.0.2.8"], 60, "1 > 2 [SYN] Seq=0 Win=1 Len=0"),
    ];
    let header = "\"No.\",\"Time\",\"Source\",\"Destination\",\"Protocol\",\"Length\",\"Info\"\n";
    for order in [[0, 1, 2, 3, 4, 5, 6, 7], [3, 4, 5, 6, 7, 0, 1, 2], [2, 5, 6, 7, 4, 3, 0, 1]] {
        let list: String = order.into_iter().map(|at: usize| rows[at].as_str()).collect();
        let path = scratch.write("list.csv", (header.to_owned() + &list).as_bytes());
        let flows = json_lines(&closewait(&[&path, "--format", "jsonl"]));
        assert_eq!((&flows[0]["verdict"], &flows[0]["held_s"]), (&"leak".into(), &60.0.into()));
        assert_eq!(flows[0]["doubts"], Value::Array(Vec::new()), "{order:?}");
    }
}

/// The beginning of a long one does not show how it is sorted.
#[test]
fn a_long_list_that_is_sorted_by_another_column_is_no_all_clear() {
    let scratch = Scratch::new();
    let row = |at: u32| {
        let (from, to) = match at.is_multiple_of(2) {
            true => ("192.0.2.5", "198.51.100.3"),
            false => ("198.51.100.3", "192.0.2.5"),
        };
        let info = format!("{} > 3306 [ACK] Seq={at} Ack={at} Win=1 Len=0", 40_000 + at % 7);
        format!("{at}\t{at}.000000\t{from}\t{to}\tTCP\t54\t{info}\n")
    };
    let header = "No.\tTime\tSource\tDestination\tProtocol\tLength\tInfo\n";
    let mut order: Vec<u32> = (1..3_000).collect();
    let read = |order: &[u32]| {
        let rows: String = order.iter().map(|at| row(*at)).collect();
        let output =
            closewait(&[&scratch.write("long.tsv", (header.to_owned() + &rows).as_bytes())]);
        (output.status.code(), text(&output).1)
    };
    assert_eq!(read(&order), (Some(0), String::new()));
    order.sort_by_key(|at| at % 2);
    let (status, err) = read(&order);
    assert_eq!(status, Some(2), "{err}");
    assert!(err.contains("another order than their packets came in"), "{err}");
}

/// The packets of a text's findings, in a file.
fn written(scratch: &Scratch, text: &str) -> String {
    let path = scratch.path().join("written.pcapng").display().to_string();
    closewait(&[text, "-w", &path]);
    path
}

/// The other side's FIN.
const ENDED: &str = "IP 172.18.0.5.38822 > 172.18.0.3.3306: Flags [F.], seq 144, ack 124, win 229";
