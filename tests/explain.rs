//! `closewait explain`: the ladder word for word, which connection it is of, and what goes wrong.
//!
//! `CLOSEWAIT_BLESS=1 cargo test --test explain` writes the expected words anew: read the diff.

mod common;

use std::process::Output;

use common::scenario::Scenario;
use common::talk::{CLIENT, Talk};
use common::wire::{Link, MICROSECONDS, Packet, Record, arp};
use common::{Scratch, closewait, each, json_lines, text};
use serde_json::Value;

const INCIDENT: &str = "fixtures/captures/incident.pcap";
const APP: &str = "fixtures/captures/reproduction/app.pcap";
const ROTATED: &str = "fixtures/captures/reproduction/rotated";

/// In the project, so that names are short.
fn explain(args: &[&str]) -> Output {
    common::command(&[&["explain"], args].concat())
        .current_dir(common::project("."))
        .output()
        .expect("the binary runs")
}

fn golden(name: &str, args: &[&str]) {
    let path = common::project("fixtures/explain").join(name);
    let output = explain(args);
    let (out, err) = text(&output);
    assert_eq!((output.status.code(), err.as_str()), (Some(1), ""), "{args:?}");
    if std::env::var_os("CLOSEWAIT_BLESS").is_some() {
        std::fs::write(&path, &out).expect("a writable fixture");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(out, expected, "{}", path.display());
}

#[test]
fn the_incident() {
    golden("incident.txt", &[INCIDENT, "--frame", "4"]);
}

#[test]
fn dates_and_times_in_every_line() {
    let (out, _) = text(&explain(&[INCIDENT, "--frame", "4", "-tttt", "--utc"]));
    assert!(out.contains("\n2018-03-12 11:38:45.693382      #4      b > a"), "{out}");
}

#[test]
fn a_transaction_left_open() {
    golden("transaction.txt", &[APP, "--frame", "770", "--local", "172.18.0.5", "--utc"]);
}

/// The port was used twice: the frame decides.
#[test]
fn a_frame_chooses_its_incarnation() {
    let of = |args: &[&str]| {
        let output = explain(&[&[APP], args].concat());
        (output.status.code(), text(&output).0)
    };
    let ends = "172.18.0.3:3306-172.18.0.5:30001";
    for (args, frames, status, verdict) in [
        (["--frame", "9"], "frames 3 to 16", 0, "\nclosed: both sides sent FIN"),
        (["--frame", "16"], "frames 3 to 16", 0, "\nclosed: both sides sent FIN"),
        (["--frame", "706"], "frames 706 to 833", 1, "\nleak: b's FIN was acknowledged"),
        (["--flow", ends], "frames 706 to 833", 1, "\nleak: b's FIN was acknowledged"),
    ] {
        let (code, out) = of(&args);
        assert_eq!(code, Some(status), "{args:?}");
        assert!(out.contains(frames) && out.contains(verdict), "{args:?}: {out}");
        assert!(out.contains("1 other connection of these ends, by --frame: "), "{out}");
    }
}

/// The exit status, the verdict and its doubts are those of the report.
#[test]
fn it_agrees_with_the_report() {
    let file = common::project(APP);
    let file = file.to_str().expect("UTF-8");
    let report = closewait(&[file, "--all", "--format", "jsonl"]);
    for flow in common::json_lines(&report).iter().filter(|line| line["type"] == "flow") {
        let frame = flow["last"]["frame"].to_string();
        let output = closewait(&["explain", file, "--frame", &frame]);
        let (out, _) = text(&output);
        let word = flow["verdict"].as_str().expect("a word");
        let found = i32::from(flow["finding"] == true);
        assert_eq!(output.status.code(), Some(found), "{flow}");
        assert!(out.contains(&format!("\n{word}: ")) || word == "unknown", "{word}: {out}");
        for doubt in flow["doubts"].as_array().expect("a list") {
            let doubt = doubt.as_str().expect("a word");
            assert!(out.contains(&format!("Doubt {doubt}: ")), "{out}");
        }
        if let Some(cause) = flow["cause"].as_str() {
            assert!(out.contains(&format!("\nCause: {cause}\n")), "{out}");
        }
        for sentence in flow["evidence"].as_array().into_iter().flatten() {
            assert!(out.contains(sentence.as_str().expect("a sentence")), "{out}");
        }
    }
}

/// The capture goes on after a connection whose addresses and ports were used again: that is not where it ends.
#[test]
fn a_connection_that_was_connected_again_did_not_end_with_the_capture() {
    let path = common::project("fixtures/scenarios/four-tuple-used-again-by-the-peer.scn");
    let records = Scenario::read(&path).expect("a scenario").records();
    let scratch = Scratch::new();
    let capture = scratch.write("again.pcap", &MICROSECONDS.write(1, &records));
    let (out, _) = text(&explain(&[&capture, "--frame", "1", "--local", "172.18.0.5"]));
    assert!(out.contains("unknown (reused)"), "{out}");
    assert!(out.contains("no FIN from local (then connected again)\n"), "{out}");
}

/// A connection that goes on in the next file, told by a frame of either.
#[test]
fn a_series_is_one_capture() {
    let files: Vec<String> = ["pcap", "pcapng"]
        .iter()
        .flat_map(|kind| common::files(ROTATED, kind))
        .map(|path| path.to_str().expect("UTF-8").to_owned())
        .collect();
    let mut args: Vec<&str> = files.iter().map(String::as_str).collect();
    let report = closewait(&[&args[..], &["--format", "jsonl"]].concat());
    let lines = common::json_lines(&report);
    let across = lines
        .iter()
        .find(|line| line["finding"] == true && line["first"]["file"] != line["last"]["file"])
        .expect("a finding across files");
    args.insert(0, "explain");
    for place in ["first", "last"] {
        let (file, frame) = (across[place]["file"].as_str(), &across[place]["frame"]);
        let name = file.expect("a name").rsplit('/').next().expect("a last part");
        let frame = format!("{name}:{frame}");
        let output = closewait(&[&args[..], &["--frame", &frame]].concat());
        let (out, err) = text(&output);
        assert_eq!((output.status.code(), err.as_str()), (Some(1), ""));
        assert_eq!(out.matches("tshark -r ").count(), 2, "{out}");
        assert!(out.contains("CLOSE-WAIT begins"), "{out}");
    }
    let output = closewait(&[&args[..], &["--frame", "other.pcap:1"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).1.contains("other.pcap is none of the captures"));
}

#[test]
fn what_cannot_be_explained_is_said() {
    let scratch = Scratch::new();
    let records = [Record::new(1_000_000_000, arp()), Record::new(2_000_000_000, arp())];
    let arps = scratch.write("arp.pcap", &MICROSECONDS.write(1, &records));
    for (args, sentence) in [
        (vec![INCIDENT, "--frame", "9"], "there is no frame 9: the file has 5 frames"),
        (
            vec![arps.as_str(), "--frame", "2"],
            "frame 2 is no TCP segment: ARP (the file has 2 frames)",
        ),
        (vec!["-", "--frame", "1"], "save it first: tcpdump -w FILE"),
        (vec![INCIDENT, "--flow", "1.2.3.4:5-6.7.8.9:10"], "no packet between 1.2.3.4:5 and"),
        (vec![INCIDENT, "--frame", "0"], "frames count from 1"),
        (vec!["no-such.pcap", "--frame", "1"], "no-such.pcap: no such file"),
    ] {
        let output = explain(&args);
        let (out, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {err}");
        assert!(err.contains(sentence) && out.is_empty(), "{args:?}: {err}");
    }
}

/// Two captures of one name: the first was taken, whichever was meant.
#[test]
fn a_name_that_two_captures_have_is_none() {
    let scratch = Scratch::new();
    let bytes = std::fs::read(common::project(INCIDENT)).expect("there");
    for folder in ["a", "b"] {
        std::fs::create_dir(scratch.path().join(folder)).expect("a folder");
    }
    let [a, b] = ["a/x.pcap", "b/x.pcap"].map(|name| scratch.write(name, &bytes));
    let output = explain(&[&a, &b, "--frame", "x.pcap:4"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).1.contains("2 captures have this name: write the folder, too"));
    let output = explain(&[&a, &b, "--frame", &format!("{b}:4")]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output).1);
}

/// Where no connection is, none can be named.
#[test]
fn a_capture_without_connections_has_none_to_name() {
    let scratch = Scratch::new();
    let record = Record::new(1_000_000_000, arp());
    let arps = scratch.write("arp.pcap", &MICROSECONDS.write(1, &[record]));
    let (_, err) = text(&explain(&[&arps]));
    assert!(err.contains("no TCP connection in it") && !err.contains("--frame"), "{err}");
}

/// Clocks are put back while it is captured: an offset alone has times an hour off.
#[test]
fn a_change_of_the_clocks_is_said() {
    let scratch = Scratch::new();
    let at = 1_699_164_000_u64 * 1_000_000_000;
    let records = [at - 60_000_000_000, at + 60_000_000_000].map(|nanos| Record::new(nanos, arp()));
    let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &records));
    let run = |zone: &str, lang: &str| {
        let mut command = common::command(&[&path, "--lang", lang]);
        text(&command.env("TZ", zone).output().expect("the binary runs")).0
    };
    // As POSIX writes the zone of New York: no database is needed.
    let new_york = "EST5EDT,M3.2.0,M11.1.0";
    assert!(run(new_york, "en").contains("UTC-04:00, then UTC-05:00"), "{}", run(new_york, "en"));
    assert!(run(new_york, "zh").contains("先 UTC-04:00，后 UTC-05:00"));
    assert!(!run("UTC", "en").contains("then UTC"));
}

#[test]
fn colours_only_where_they_are_wanted() {
    let args = [INCIDENT, "--frame", "1"];
    let (plain, _) = text(&explain(&args));
    let (colored, _) = text(&explain(&[&args[..], &["--color", "always"]].concat()));
    assert!(!plain.contains('\u{1b}') && colored.contains("\u{1b}["));
    let stripped = anstream_free(&colored);
    assert_eq!(stripped, plain, "the same words");
}

/// Without the escape sequences for colours.
fn anstream_free(text: &str) -> String {
    let mut pieces = text.split('\u{1b}');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |all, piece| all + piece.split_once('m').map_or("", |(_, rest)| rest))
}

/// A long connection: the middle is counted, the close is there; `--all` shows every packet.
#[test]
fn the_middle_of_a_long_connection_is_counted() {
    const MANY: u32 = 3_000;
    let (a, b) = ("10.0.0.5:40000", "10.0.0.3:8080");
    let packet = |outgoing: bool, n: u32, flags, seq, ack, len: usize| Packet {
        nanos: 1_000_000_000 + u64::from(n) * 1_000_000,
        from: if outgoing { a } else { b }.parse().expect("an address"),
        to: if outgoing { b } else { a }.parse().expect("an address"),
        flags,
        seq,
        ack,
        window: 500,
        options: Vec::new(),
        payload: vec![b'x'; len],
        outgoing,
    };
    // The numbers wrap on the way.
    let base = u32::MAX - 500_000;
    let end = base.wrapping_add(1 + MANY * 1_000);
    let mut packets = vec![
        packet(true, 0, 2, 99, 0, 0),
        packet(false, 1, 0x12, base, 100, 0),
        packet(true, 2, 0x10, 100, base.wrapping_add(1), 0),
    ];
    packets.extend(
        (0..MANY).map(|n| packet(false, 3 + n, 0x10, base.wrapping_add(1 + n * 1_000), 100, 1_000)),
    );
    packets.push(packet(true, MANY + 3, 0x10, 100, end, 0));
    packets.push(packet(false, MANY + 4, 0x11, end, 100, 0));
    packets.push(packet(true, MANY + 5, 0x10, 100, end.wrapping_add(1), 0));
    let records: Vec<Record> =
        packets.iter().map(|p| Record::new(p.nanos, p.frame(Link::Ethernet))).collect();
    let scratch = Scratch::new();
    let file = scratch.write("long.pcap", &MICROSECONDS.write(1, &records));
    let (out, _) = text(&closewait(&["explain", &file, "--frame", "5"]));
    assert!(out.contains("… 2,965 segments, 0 B from a, 2,965 kB from b: --all …"), "{out}");
    assert!(out.contains("[F.]  3000001:3000001(0)"), "{out}");
    assert!(out.contains("a's kernel acknowledged it: CLOSE-WAIT begins"), "{out}");
    assert!(out.lines().count() < 70, "{out}");
    let (all, _) = text(&closewait(&["explain", &file, "--frame", "5", "--all"]));
    let lines = all.lines().filter(|line| line.contains(" > ") && line.contains('#')).count();
    assert_eq!(lines, packets.len());
}

/// The command that is printed shows the same packets.
#[test]
fn tshark_shows_the_same_packets() {
    let (out, _) = text(&explain(&[APP, "--frame", "706"]));
    let command = out.lines().find(|line| line.starts_with("tshark ")).expect("a command");
    let run = |command: &str| {
        std::process::Command::new("sh")
            .args(["-c", command])
            .current_dir(common::project("."))
            .output()
            .expect("a shell")
    };
    if !run("command -v tshark").status.success() {
        return common::skip("tshark");
    }
    let shown = run(&format!("{command} -T fields -e frame.number"));
    let theirs: Vec<&str> = std::str::from_utf8(&shown.stdout).expect("UTF-8").lines().collect();
    let ours: Vec<&str> =
        out.lines().filter_map(|line| line.split_once('#')?.1.split(' ').next()).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn values_are_shown_only_if_asked_for() {
    let (digest, _) = text(&explain(&[APP, "--frame", "770"]));
    let (literal, _) = text(&explain(&[APP, "--frame", "770", "--show-literals"]));
    assert!(digest.contains("asked: UPDATE accounts SET balance=balance-? WHERE id=?"));
    assert!(!literal.contains("balance-?") && literal.contains("asked: UPDATE accounts"));
}

/// What came in another order is waited for, packet after packet.
#[test]
fn a_statement_whose_parts_came_in_the_other_order_is_read() {
    let statement = b"\x18\0\0\0\x03UPDATE accounts SET n=1";
    let (first, second) = statement.split_at(12);
    let mut talk = Talk::logged_in(3306).ask("BEGIN", 0x0003).say(CLIENT, first);
    talk = talk.say(CLIENT, second).ok(1, 0x0003).wait(30).closed_by_server();
    let at = talk.records.len() - 5;
    let [before, behind] = [at, at + 1].map(|at| talk.records[at].nanos);
    talk.records.swap(at, at + 1);
    (talk.records[at].nanos, talk.records[at + 1].nanos) = (before, behind);
    let scratch = Scratch::new();
    let path = scratch.write("swapped.pcap", &talk.capture(60));
    let (report, _) = text(&closewait(&[&path]));
    assert!(report.contains("UPDATE accounts SET n=?"), "{report}");
    let (ladder, _) = text(&explain(&[&path]));
    assert!(ladder.contains("asked: UPDATE accounts SET n=?"), "{ladder}");
}

/// The report names a command, and the command works.
#[test]
fn the_report_leads_here() {
    let (report, _) = text(&closewait(&[common::project(APP).to_str().expect("UTF-8")]));
    let next = report.lines().find_map(|line| line.strip_prefix("next: closewait "));
    let words: Vec<&str> = next.expect("a next line").split(' ').collect();
    assert_eq!(closewait(&words).status.code(), Some(1));
    let piped = common::command(&["-"])
        .stdin(std::fs::File::open(common::project(APP)).expect("the fixture"))
        .output()
        .expect("the binary runs");
    assert!(!text(&piped).0.contains("next: "));
}

#[test]
fn without_a_frame_the_first_finding_is_explained() {
    let leaky = common::project("fixtures/captures/pair/leaky.pcap");
    let leaky = leaky.to_str().expect("UTF-8");
    let output = common::closewait(&["explain", leaky]);
    let by_frame = common::closewait(&["explain", leaky, "--frame", "1"]);
    assert_eq!(output.stdout, by_frame.stdout);
    assert_eq!(output.status.code(), Some(1));
    let fixed = common::project("fixtures/captures/pair/fixed.pcap");
    let output = common::closewait(&["explain", fixed.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(0));
    assert!(common::text(&output).1.contains("no finding: name a connection"));
    // Nothing is cleared that was not read.
    let output = common::closewait(&["explain", "no-such.pcap"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(common::text(&output).1, "closewait: no-such.pcap: no such file\n");
}

/// A verdict with its doubts and notes, as a report has them.
fn reported(flow: &Value) -> (String, Vec<String>, Vec<String>) {
    let names = |names: &Value| {
        let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
        names.map(String::from).collect::<Vec<_>>()
    };
    let verdict = flow["verdict"].as_str().expect("a verdict");
    let reason = flow["reason"].as_str().map_or(String::new(), |reason| format!(" ({reason})"));
    (format!("{verdict}{reason}"), names(&flow["doubts"]), names(&flow["notes"]))
}

/// The same, as a ladder ends.
fn explained(ladder: &str) -> (String, Vec<String>, Vec<String>) {
    let foot: Vec<&str> = ladder.lines().skip_while(|line| !line.is_empty()).skip(1).collect();
    let foot = foot.rsplit(|line| line.starts_with(' ') || line.contains("  #"));
    let foot: Vec<&str> = foot.flatten().copied().collect();
    let after = |word: &str| foot.iter().filter_map(|line| line.strip_prefix(word)).next();
    let doubts = foot.iter().filter_map(|line| line.strip_prefix("Doubt ")?.split_once(':'));
    let notes = after("Notes: ").map_or("", |notes| notes.trim_end_matches('.'));
    let verdict = foot.iter().find_map(|line| line.split_once(": ")).map_or("", |(word, _)| word);
    (
        verdict.to_owned(),
        doubts.map(|(name, _)| name.to_owned()).collect(),
        notes.split(", ").filter(|note| !note.is_empty()).map(String::from).collect(),
    )
}

/// What the rest of a capture shows bears on each of its connections.
#[test]
fn every_scenario_is_explained_as_it_is_reported() {
    let counts = each(common::files("fixtures/scenarios", "scn"), |path| {
        let mut count = 0;
        let scenario = Scenario::read(&path).expect("a scenario");
        let scratch = Scratch::new();
        let capture = MICROSECONDS.write(scenario.link.link_type(), &scenario.records());
        let capture = scratch.write("x.pcap", &capture);
        let options: Vec<&str> = scenario.options.iter().map(String::as_str).collect();
        let read = [&[&capture, "--format", "jsonl"], &options[..]].concat();
        for flow in json_lines(&closewait(&read)).iter().filter(|line| line["type"] == "flow") {
            let frame = flow["first"]["frame"].to_string();
            let ladder = [&["explain", &capture, "--frame", &frame], &options[..]].concat();
            let ladder = closewait(&ladder);
            let (out, err) = text(&ladder);
            assert_eq!(explained(&out), reported(flow), "{}: {out}{err}", path.display());
            assert_eq!(ladder.status.code(), Some(i32::from(flow["finding"] == true)), "{out}");
            count += 1;
        }
        count
    });
    let count: usize = counts.iter().sum();
    assert!(count > 150, "only {count} connections");
}

/// Whatever was asked of the report is asked of the ladder.
#[test]
fn the_report_leads_here_with_its_options() {
    let list = common::project("fixtures/captures/reproduction/kernel.txt");
    let list = list.to_str().expect("UTF-8");
    let capture = common::project(APP);
    let capture = capture.to_str().expect("UTF-8");
    let options = [
        &["--sockets", list, "--min-hold", "1.5", "--half-close-quiet", "60", "--certain"][..],
        &["--end", "2026-11-22T21:50:52Z", "--mysql", "3308", "--port", "postgresql=7000"],
        &["--vxlan-port", "4799", "--show-literals", "--utc", "-tttt"],
    ];
    let asked = [&[capture, "--local", "172.18.0.5"][..], &options.concat()].concat();
    let (report, err) = text(&closewait(&asked));
    let next = report.lines().find_map(|line| line.strip_prefix("next: closewait "));
    let next = next.unwrap_or_else(|| panic!("{report}{err}"));
    assert!(next.ends_with(&options.concat().join(" ")), "{next}");
    let ladder = closewait(&next.split(' ').collect::<Vec<_>>());
    let (out, err) = text(&ladder);
    assert_eq!((ladder.status.code(), err.as_str()), (Some(1), ""));
    assert!(out.contains("Process: reproduce-clien[19975] fd"), "{out}");
    assert!(out.contains("asked: BEGIN") && !out.contains("=?"), "{out}");
    let plain = text(&closewait(&[capture, "--separate", "--no-content"])).0;
    assert!(plain.lines().any(|line| line.ends_with(" --separate --no-content")), "{plain}");
}

/// On a terminal of 80 columns, nothing but a command to copy is wider.
#[test]
fn a_ladder_fits_its_terminal() {
    if !common::has("script") {
        return common::skip("script");
    }
    let on_terminal = |columns: u32| {
        let command = format!(
            "stty rows 24 cols {columns}; {} explain {APP} --frame 770 --local 172.18.0.5",
            env!("CARGO_BIN_EXE_closewait")
        );
        let output = common::tool("script")
            .args(["-qec", &command, "/dev/null"])
            .env("NO_COLOR", "1")
            .current_dir(common::project("."))
            .output()
            .expect("a terminal");
        String::from_utf8_lossy(&output.stdout).replace('\r', "")
    };
    let narrow = on_terminal(80);
    let is_wide = |line: &&str| line.chars().count() > 80 && !line.starts_with("tshark ");
    assert_eq!(narrow.lines().find(is_wide), None, "{narrow}");
    let below = "ack 180\n                      | local CLOSE-WAIT   peer FIN-WAIT-2\n";
    assert!(narrow.contains(below), "{narrow}");
    let wide = on_terminal(120);
    assert!(wide.contains("ack 180    | local CLOSE-WAIT   peer FIN-WAIT-2\n"), "{wide}");
}

/// Lines that were not read are no cut: the doubt says what may be the case.
#[test]
fn a_text_that_was_not_read_whole_is_not_called_cut_off() {
    let path = common::project("fixtures/captures/incident-as-text.tcpdump");
    let mut pasted = std::fs::read_to_string(path).expect("the text");
    pasted += "11:38:50.000001 IP 172.18.0.5.38824 > 172.18.0.3: Flags [S&], seq x\n";
    let scratch = Scratch::new();
    let (out, _) = text(&closewait(&["explain", &scratch.write("x.txt", pasted.as_bytes())]));
    let said =
        "Doubt truncated: the capture file was cut off, or some of its packets could not be read.";
    assert!(out.contains(said), "{out}");
}
