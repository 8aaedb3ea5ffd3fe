//! `closewait read -w`: the packets of the findings, no others, and the same findings in them.

mod common;

use std::process::Command;

use common::talk::Talk;
use common::{Scratch, closewait, json_lines, text};
use serde_json::Value;

const FOLDER: &str = "fixtures/captures/reproduction";

fn path(name: &str) -> String {
    common::project(FOLDER).join(name).to_str().expect("UTF-8").to_owned()
}

/// What a finding is, wherever it is read.
fn findings(lines: &[Value]) -> Vec<String> {
    let keys =
        ["uid", "verdict", "local", "local_by", "doubts", "cause", "held_s", "idle_before_fin_s"];
    let of = |flow: &Value| {
        let facts: Vec<String> = keys.iter().map(|key| flow[key].to_string()).collect();
        facts.join(" ")
    };
    lines.iter().filter(|line| line["finding"] == true).map(of).collect()
}

fn packets(lines: &[Value]) -> u64 {
    let of = |flow: &Value| ["a", "b"].map(|end| flow[end]["packets"].as_u64().unwrap_or(0));
    lines.iter().filter(|line| line["finding"] == true).flat_map(of).sum()
}

/// Runs with `-w`; the report, and the file's.
fn extract(scratch: &Scratch, args: &[&str]) -> (String, Vec<Value>, Vec<Value>) {
    let out = scratch.path().join("out.pcapng").to_str().expect("UTF-8").to_owned();
    let report = closewait(&[args, &["--format", "jsonl", "-w", &out]].concat());
    assert_eq!(text(&report).1, "", "{args:?}");
    let local: Vec<&str> = match args.iter().position(|arg| *arg == "--local") {
        Some(at) => args[at..at + 2].to_vec(),
        None => Vec::new(),
    };
    let again = closewait(&[&[out.as_str(), "--format", "jsonl"], &local[..]].concat());
    assert_eq!(again.status.code(), report.status.code(), "{args:?}");
    (out, json_lines(&report), json_lines(&again))
}

/// Every kind of file, link type, precision; a port that is used twice among them.
#[test]
fn the_findings_are_all_in_it_and_nothing_else() {
    let scratch = Scratch::new();
    let rotated: Vec<String> = ["pcap", "pcapng"]
        .iter()
        .flat_map(|kind| common::files(&format!("{FOLDER}/rotated"), kind))
        .map(|file| file.to_str().expect("UTF-8").to_owned())
        .collect();
    let alone = [
        "app.pcap",
        "app.pcapng",
        "app-nano.pcap",
        "any-sll.pcapng",
        "any-sll2.pcap",
        "two-interfaces.pcapng",
        "snap96.pcap",
        "flags.pcap",
        "forward-any.pcap",
    ];
    let inputs = alone.iter().map(|name| vec![path(name)]).chain([rotated]);
    for files in inputs {
        let args: Vec<&str> = files.iter().map(String::as_str).collect();
        let (_, first, second) = extract(&scratch, &args);
        assert!(findings(&first).len() > 20, "{args:?}");
        assert_eq!(findings(&first), findings(&second), "{args:?}");
        let summary = second.last().expect("a summary");
        assert_eq!(summary["packets"].as_u64(), Some(packets(&first)), "{args:?}");
        assert_eq!(summary["findings"], summary["flows"], "{args:?}");
    }
}

#[test]
fn the_same_filter_and_local_side_apply() {
    let scratch = Scratch::new();
    let file = path("app.pcap");
    let (_, first, second) = extract(&scratch, &[&file, "--local", "172.18.0.5"]);
    assert_eq!(findings(&first), findings(&second));
    assert!(findings(&first).len() > 10);
    if cfg!(feature = "libpcap") {
        let (_, first, second) = extract(&scratch, &[&file, "-f", "port 3308"]);
        assert_eq!((findings(&first), findings(&second).len()), (findings(&second), 2));
    }
}

/// Wireshark's tools read it: as many packets, their times and bytes, and the comments.
#[test]
fn wireshark_reads_it() {
    let scratch = Scratch::new();
    let file = path("two-interfaces.pcapng");
    let (out, first, _) = extract(&scratch, &[&file]);
    let tshark = |file: &str, args: &[&str]| {
        let run = Command::new("tshark").args(["-n", "-r", file]).args(args).output().ok()?;
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let text = String::from_utf8(run.stdout).expect("UTF-8");
        Some(text.lines().map(str::to_owned).collect::<Vec<_>>())
    };
    let fields = ["frame.time_epoch", "frame.len", "frame.cap_len", "frame.interface_id"];
    let mut args = vec!["-T", "fields"];
    args.extend(fields.iter().take(3).flat_map(|field| ["-e", *field]));
    let Some(ours) = tshark(&out, &args) else { return common::skip("tshark") };
    let theirs = tshark(&file, &args).expect("it ran before");
    assert_eq!(ours.len() as u64, packets(&first));
    let mut all = theirs.iter();
    assert!(ours.iter().all(|line| all.any(|other| other == line)), "in the order of capture");
    let comments = tshark(&out, &["-Y", "frame.comment", "-T", "fields", "-e", "frame.comment"]);
    let comments = comments.expect("it ran before");
    let fins =
        comments.iter().filter(|comment| comment.starts_with("the peer's FIN: CLOSE-WAIT of "));
    assert_eq!(fins.count(), findings(&first).len());
    assert!(comments.iter().any(|comment| comment.contains("; cause transaction-open; transaction begun by BEGIN")));
    match Command::new("capinfos").args(["-cM", &out]).output() {
        Ok(info) => assert!(info.status.success(), "{}", String::from_utf8_lossy(&info.stderr)),
        Err(_) => common::skip("tshark"),
    }
}

/// Packets without a time have none in the file either, whichever input they are of.
#[test]
fn what_has_no_time_gets_none() {
    let scratch = Scratch::new();
    let text = |host: &str| {
        let (own, peer) = (format!("{host}.47902"), "10.0.0.3.3306");
        // Without payload, which no such line has: they can be written whole.
        let lines = [
            format!("IP {own} > {peer}: Flags [S], seq 100, win 64240, length 0"),
            format!("IP {peer} > {own}: Flags [S.], seq 500, ack 101, win 65160, length 0"),
            format!("IP {own} > {peer}: Flags [.], ack 501, win 502, length 0"),
            format!("IP {peer} > {own}: Flags [F.], seq 501, ack 101, win 502, length 0"),
            format!("IP {own} > {peer}: Flags [.], ack 502, win 502, length 0"),
        ];
        lines.join("\n") + "\n"
    };
    let of = |host: &str| scratch.write(&format!("{host}.txt"), text(host).as_bytes());
    let inputs = [of("10.0.0.5"), of("10.0.0.7")];
    let (_, first, second) = extract(&scratch, &[&inputs[0], &inputs[1]]);
    assert_eq!((findings(&first).len(), packets(&second)), (2, 10));
    assert_eq!(findings(&first), findings(&second));
    let times = |line: &Value| [&line["first"]["time"], &line["last"]["time"]].map(Value::is_null);
    assert!(second.iter().all(|line| times(line) == [true; 2]), "{second:?}");
}

/// What the capture counted as lost stays a doubt.
#[test]
fn drops_are_kept() {
    let scratch = Scratch::new();
    let mut file = common::wire::Pcapng::new(false);
    file.section();
    file.interface(1, 128, &[]);
    let incident =
        std::fs::read(common::project("fixtures/captures/incident.pcap")).expect("there");
    let mut at = 24;
    while at < incident.len() {
        let word = |n: usize| {
            let at = at + 4 * n;
            u32::from_le_bytes([incident[at], incident[at + 1], incident[at + 2], incident[at + 3]])
        };
        let nanos = u64::from(word(0)) * 1_000_000_000 + u64::from(word(1)) * 1_000;
        let len = word(2) as usize;
        let record = common::wire::Record::new(nanos, incident[at + 16..at + 16 + len].to_vec());
        file.packet(0, 6, &record, &[]);
        at += 16 + len;
    }
    let lost = file.u64_option(7);
    file.statistics(0, &[(5, lost)]);
    let input = scratch.write("lossy.pcapng", &file.bytes);
    let (_, first, second) = extract(&scratch, &[&input]);
    assert!(findings(&first)[0].contains("dropped"), "{first:?}");
    assert_eq!(findings(&first), findings(&second));
}

/// The capture went on for weeks after the last packet that is in it: closewait says so of its own file, and no dumpcap waits
/// so long.
#[test]
fn a_far_end_is_kept() {
    let scratch = Scratch::new();
    let talk = Talk::with(3306).closed_by_server();
    let input = scratch.write("long.pcap", &talk.capture(30 * 24 * 3_600));
    let (out, first, second) = extract(&scratch, &[&input]);
    assert_eq!(first[0]["held_s"].as_f64(), Some(30.0 * 24.0 * 3_600.0), "{first:?}");
    assert_eq!(findings(&first), findings(&second));
    let octets = std::fs::read(out).expect("written");
    let name = octets.windows(10).position(|it| it == b"closewait ").expect("its name");
    let foreign = [&octets[..name], b"dumpcap   ", &octets[name + 10..]].concat();
    let foreign = scratch.write("foreign.pcapng", &foreign);
    let lines = json_lines(&closewait(&[&foreign, "--format", "jsonl"]));
    assert_eq!(lines[0]["doubts"], serde_json::json!(["brief"]), "{lines:?}");
}

#[test]
fn what_cannot_be_written_is_said() {
    let scratch = Scratch::new();
    let app = scratch.write("app.pcap", &std::fs::read(path("app.pcap")).expect("the fixture"));
    let out = scratch.path().join("out.pcapng").to_str().expect("UTF-8").to_owned();
    let (db, missing) = (path("flags.pcap"), "/no/such/folder/out.pcapng");
    for (args, sentence) in [
        (vec![app.as_str(), "-w", &app], "is an input too; -w must name another file"),
        (vec![app.as_str(), "-o", &out, "-w", &out], "-w must name another file"),
        (vec!["-", "-w", &out], "standard input can be read only once (save it first: tcpdump -w"),
        (vec![app.as_str(), "-w", "-"], "standard output is the report's"),
        (vec![app.as_str(), "-w", missing], "cannot be written"),
        (vec![app.as_str(), &db, "--separate", "-w", &out], "captures of different points"),
    ] {
        let output = closewait(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output).1.contains(sentence), "{args:?}: {}", text(&output).1);
    }
    let original = std::fs::read(path("app.pcap")).expect("the fixture");
    assert_eq!(std::fs::read(&app).expect("it is there"), original, "inputs stay as they are");
    assert_eq!(closewait(&[&db, "--local", "1.2.3.4", "-w", "/dev/full"]).status.code(), Some(2));
}

/// Whether a filter left out bare ACKs, the capture tells, not the packets that were chosen from it: without any, what the
/// peer's FIN is inferred from would be nothing.
#[test]
fn what_the_capture_shows_is_kept() {
    let lines = [
        "10:00:00.0 IP 10.0.0.5.40000 > 10.0.0.3.3306: Flags [S], seq 100, length 0",
        "10:00:00.1 IP 10.0.0.3.3306 > 10.0.0.5.40000: Flags [S.], seq 200, ack 101, length 0",
        "10:00:00.2 IP 10.0.0.5.40000 > 10.0.0.3.3306: Flags [P.], seq 1:61, ack 2, length 60",
        "10:01:00.0 IP 10.0.0.6.40000 > 10.0.0.3.3306: Flags [.], ack 1, length 0\n",
    ];
    let scratch = Scratch::new();
    let path = scratch.write("implied.txt", lines.join("\n").as_bytes());
    let (written, report, again) = extract(&scratch, &[&path]);
    assert_eq!(report[0]["doubts"].to_string(), r#"["unacked","peer-fin-missed"]"#);
    assert_eq!(findings(&report), findings(&again));
    assert!(!text(&closewait(&[&written])).0.contains("no bare ACK"));
}
