//! The binary as a user meets it: arguments, outputs, bad input, exit status.

mod common;

use std::io::Write;
use std::process::Stdio;

use closewait::printable::shown;
use common::scenario::Scenario;
use common::talk::Talk;
use common::wire::{Classic, MICROSECONDS, Pcapng, Record, arp};
use common::{Scratch, closewait, command, json_lines, text};
use serde_json::Value;

const INCIDENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/captures/incident.pcap");

fn scenario(name: &str) -> Scenario {
    let path = common::project(&format!("fixtures/scenarios/{name}.scn"));
    Scenario::read(&path).expect("a scenario")
}

/// A capture without a finding.
fn closed() -> Vec<u8> {
    let scenario = scenario("figure-12-normal-close");
    MICROSECONDS.write(1, &scenario.records())
}

fn leak() -> Vec<Record> {
    scenario("leak").records()
}

/// Runs with bytes on standard input.
fn with_stdin(args: &[&str], stdin: &[u8]) -> std::process::Output {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // A usage error ends it before it reads.
    let _ = child.stdin.take().expect("a pipe").write_all(stdin);
    child.wait_with_output().expect("it ends")
}

fn status(args: &[&str]) -> Option<i32> {
    closewait(args).status.code()
}

fn summary(args: &[&str]) -> Value {
    json_lines(&closewait(args)).pop().expect("a summary")
}

#[test]
fn the_exit_status_tells_what_was_found() {
    let scratch = Scratch::new();
    let closed = scratch.write("closed.pcap", &closed());
    assert_eq!(status(&[&closed]), Some(0));
    assert_eq!(status(&[INCIDENT]), Some(1));
    assert_eq!(status(&[INCIDENT, "--certain"]), Some(0));
    assert_eq!(status(&[INCIDENT, "missing.pcap"]), Some(2), "2 wins over 1");
    assert_eq!(status(&[]), Some(2));
    assert_eq!(status(&["--no-such-flag"]), Some(2));
    assert_eq!(status(&["--help"]), Some(0));
    assert_eq!(status(&["--version"]), Some(0));
}

#[test]
fn every_way_to_name_a_capture_is_the_same() {
    let expected = text(&closewait(&[INCIDENT])).0;
    for args in [
        &["read", INCIDENT][..],
        &["-r", INCIDENT],
        &["-nn", "-r", INCIDENT, "port", "3306"],
        &["-r", INCIDENT, "tcp", "and", "port", "3306"],
        &[INCIDENT, "--", "port", "3306"],
        &[INCIDENT, "-f", "port 3306"],
    ] {
        let (out, err) = text(&closewait(args));
        assert_eq!(out, expected, "{args:?} {err}");
    }
    let bytes = std::fs::read(INCIDENT).expect("the fixture");
    let (out, _) = text(&with_stdin(&["-"], &bytes));
    // What came from a pipe cannot be read again.
    let next = format!("next: closewait explain {INCIDENT} --frame 4\n");
    assert_eq!(out, expected.replace(&next, "").replace(INCIDENT, "-"));
}

#[test]
fn a_filter_keeps_other_packets_out_but_not_their_time() {
    let whole = summary(&[INCIDENT, "--format", "jsonl"]);
    let none = summary(&[INCIDENT, "--format", "jsonl", "--", "port", "3307"]);
    assert_eq!(none["flows"], 0);
    assert_eq!(none["packets"], 5);
    assert_eq!(none["skipped"]["not matched by the filter"], 5);
    assert_eq!(none["last"], whole["last"]);
}

/// Where nobody reads warnings any more, the report is written all the same.
#[test]
fn a_closed_standard_error_loses_only_warnings() {
    let scratch = Scratch::new();
    let whole = closed();
    let cut = scratch.write("cut.pcap", &whole[..whole.len() - 3]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = common::command(&[&cut]).stderr(writer).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output).0.starts_with("No finding among"), "{output:?}");
}

#[test]
fn words_that_are_no_files_suggest_a_command() {
    let (out, err) = text(&closewait(&["raed"]));
    assert_eq!(out, "");
    assert_eq!(
        err,
        "closewait: raed: is neither a file nor a command; did you mean: closewait read\n"
    );
    let (_, err) = text(&closewait(&["nosuch"]));
    assert_eq!(err, "closewait: nosuch: is neither a file nor a command (closewait --help)\n");
    let (_, err) = text(&closewait(&["lokup"]));
    assert!(!err.contains("lookup"), "that is no command for people: {err}");
}

/// What each bad input is answered with, and the exit status.
#[test]
fn bad_input_gets_one_clear_sentence() {
    let scratch = Scratch::new();
    let text_file = scratch.write("notes.txt", b"11:38:15 nothing to see here\n");
    let empty = scratch.write("empty.pcap", b"");
    let short = scratch.write("short.pcap", &closed()[..20]);
    let binary = scratch.write("photo.jpg", &[0xff, 0xd8, 0xff, 0xe0, 0, 1, 2, 3, 4, 5]);
    let folder = scratch.path().to_str().expect("UTF-8").to_owned();
    let missing = format!("{folder}/missing.pcap");
    for (args, sentence) in [
        (vec![missing.as_str()], "missing.pcap: no such file"),
        (vec![&folder], "is a directory: name the capture files in it"),
        (vec![&empty], "empty.pcap: is empty: no capture was written to it"),
        (vec![&short], "short.pcap: is not a capture: it ends inside its file header"),
        (vec![&text_file], "notes.txt: is not a capture: it is text"),
        (vec![&binary], "photo.jpg: is not a capture: it begins like neither pcap nor pcapng"),
        (vec![INCIDENT, "--", "prot", "3306"], "the filter \"prot 3306\" is wrong"),
        (vec![INCIDENT, "--local", "10.0.0"], "\"10.0.0\" is no address: write 10.0.0.5"),
        (vec![INCIDENT, "--min-hold", "soon"], "write 5s, 500ms or 2min"),
        (vec![INCIDENT, "--format", "yaml"], "possible values: text, jsonl, csv"),
        (vec!["-", "-"], "standard input can be read only once"),
        (vec![INCIDENT, "-o", INCIDENT], "is an input too"),
        (
            vec![INCIDENT, "-o", "/no/such/folder/x"],
            "/no/such/folder/x: cannot be written: there is no folder /no/such/folder\n",
        ),
    ] {
        let output = closewait(&args);
        let (out, err) = text(&output);
        assert!(err.contains(sentence), "{args:?}: {err}");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(out, "", "{args:?}");
    }
}

#[test]
fn an_unreadable_file_does_not_hide_the_others() {
    let output = closewait(&["missing.pcap", INCIDENT]);
    let (out, err) = text(&output);
    assert!(err.contains("missing.pcap: no such file"));
    assert!(out.starts_with("1 of 1 connection left in CLOSE-WAIT by 172.18.0.5"), "{out}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_capture_cut_off_is_read_to_its_last_whole_packet() {
    let scratch = Scratch::new();
    let whole = MICROSECONDS.write(1, &leak());
    let last = 16 + arp().len();
    for cut in [1, 16, last - 16, last - 1] {
        let path = scratch.write("cut.pcap", &whole[..whole.len() - cut]);
        let output = closewait(&[&path, "--format", "jsonl"]);
        let (_, err) = text(&output);
        let offset = whole.len() - last;
        let sentence = format!("ended in the middle of a record after 5 packets (byte {offset})");
        assert!(err.contains(&sentence), "{cut}: {err}");
        let flow = &json_lines(&output)[0];
        assert_eq!(flow["verdict"], "leak");
        assert_eq!(flow["doubts"], serde_json::json!(["brief", "truncated"]));
        assert_eq!(output.status.code(), Some(1), "what was found decides");
    }
}

#[test]
fn garbage_after_a_good_start_is_reported_with_what_came_before() {
    let scratch = Scratch::new();
    let mut bytes = MICROSECONDS.write(1, &leak());
    let offset = bytes.len();
    bytes.extend([0xee; 100]);
    let path = scratch.write("garbage.pcap", &bytes);
    let output = closewait(&[&path]);
    let (out, err) = text(&output);
    assert!(
        err.contains(&format!("corrupt after 6 packets, at byte {offset}: a packet claims")),
        "{err}"
    );
    assert!(out.starts_with("1 of 1 connection left in CLOSE-WAIT"), "{out}");
    assert_eq!(output.status.code(), Some(2));
    // What nobody read may hold the FIN that is missing.
    let flow = json_lines(&closewait(&[&path, "--format", "jsonl"])).remove(0);
    assert_eq!(flow["doubts"], serde_json::json!(["truncated"]));
}

/// Lengths inside a pcapng block that lead out of it: an error of the file, and no loop.
#[test]
fn blocks_that_contradict_themselves_end_the_file() {
    let scratch = Scratch::new();
    let mut head = Pcapng::new(false);
    head.interface(1, 0, &[]);
    let packet = |captured: u32, block_len: u32| {
        let mut bytes = head.bytes.clone();
        let numbers = [6, block_len, 0, 0, 0, captured, captured];
        bytes.extend(numbers.map(u32::to_le_bytes).concat());
        bytes.extend([0; 60]);
        bytes.extend(block_len.to_le_bytes());
        bytes
    };
    for (name, bytes, sentence) in [
        ("data.pcapng", packet(u32::MAX, 92), "a block's contents do not fit its length"),
        ("more.pcapng", packet(61, 92), "a block's contents do not fit its length"),
        ("tiny.pcapng", packet(60, 8), "a block claims 8 bytes"),
        ("odd.pcapng", packet(60, 93), "a block claims 93 bytes"),
        ("huge.pcapng", packet(60, 1 << 30), "a block claims 1073741824 bytes"),
        ("cut.pcapng", packet(60, 96), "ended in the middle of a record"),
    ] {
        let path = scratch.write(name, &bytes);
        let (_, err) = text(&closewait(&[&path]));
        assert!(err.contains(sentence), "{name}: {err}");
    }
}

#[test]
fn an_interface_that_is_not_described_is_an_error() {
    let scratch = Scratch::new();
    let mut file = Pcapng::new(false);
    file.interface(1, 0, &[]);
    file.packet(7, 0, &Record::new(0, arp()), &[]);
    let path = scratch.write("x.pcapng", &file.bytes);
    let output = closewait(&[&path]);
    let err = text(&output).1;
    assert!(err.contains("a packet names interface 7, which is not described"), "{err}");
    assert!(!err.contains("editcap"), "there is no part to keep: {err}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn unknown_link_types_are_counted_by_name() {
    let scratch = Scratch::new();
    for (link, name) in [(247, "link type INFINIBAND"), (147, "link type 147")] {
        let path = scratch.write("x.pcap", &MICROSECONDS.write(link, &leak()));
        let summary = summary(&[&path, "--format", "jsonl"]);
        assert_eq!(summary["skipped"][name], 6, "{summary}");
        assert_eq!(summary["flows"], 0);
    }
}

#[test]
fn a_capture_without_tcp_says_so() {
    let scratch = Scratch::new();
    let path = scratch.write("arp.pcap", &MICROSECONDS.write(1, &[Record::new(0, arp())]));
    let output = closewait(&[&path]);
    let (out, err) = text(&output);
    assert!(out.starts_with("No TCP connection in the capture (1 packet read).\n"), "{out}");
    assert!(out.contains("Skipped 1 packet: ARP 1."), "{out}");
    assert_eq!((err.as_str(), output.status.code()), ("", Some(0)));
}

#[test]
fn both_byte_orders_and_precisions_read_alike() {
    let scratch = Scratch::new();
    let records = leak();
    let flow = |bytes: &[u8]| {
        let path = scratch.write("x.pcap", bytes);
        let mut flow = json_lines(&closewait(&[&path, "--format", "jsonl"])).remove(0);
        let time = flow["first"]["time"].take().as_str().expect("a time").to_owned();
        // The precision of the times differs, nothing else does.
        let held = flow["held_s"].take();
        (time, held, flow["verdict"].take(), flow["doubts"].take(), flow["a"]["packets"].take())
    };
    let expected = flow(&MICROSECONDS.write(1, &records));
    assert_eq!(expected.0, "2018-03-12T11:38:15.000000Z");
    for big_endian in [false, true] {
        for nanoseconds in [false, true] {
            let got = flow(&Classic { big_endian, nanoseconds }.write(1, &records));
            let digits = if nanoseconds { "000" } else { "" };
            assert_eq!(got.0, format!("2018-03-12T11:38:15.000000{digits}Z"));
            assert_eq!((&got.1, &got.2, &got.3), (&expected.1, &expected.2, &expected.3));
        }
    }
}

/// Two interfaces with their own link types, snap lengths and clocks; direction; drops; addresses.
#[test]
fn pcapng_interfaces_keep_what_is_theirs() {
    let scratch = Scratch::new();
    let scenario = scenario("leak");
    for big_endian in [false, true] {
        let mut file = Pcapng::new(big_endian);
        file.interface(1, 96, &[(9, vec![9])]);
        file.interface(113, 0, &[(9, vec![6])]);
        for (i, row) in scenario.rows.iter().enumerate() {
            let Some(packet) = &row.packet else { continue };
            let way = file.u32_option(if packet.outgoing { 2 } else { 1 });
            // Every other packet on the cooked interface.
            let (interface, link, ticks) = match i % 2 {
                0 => (0, common::wire::Link::Ethernet, row.nanos),
                _ => (1, common::wire::Link::Sll, row.nanos / 1_000),
            };
            let record = Record::new(row.nanos, packet.frame(link));
            file.packet(interface, ticks, &record, &[(2, way)]);
        }
        let end = scenario.rows.last().expect("rows").nanos;
        file.packet(0, end, &Record::new(end, arp()), &[]);
        let drops = file.u64_option(3);
        file.statistics(0, &[(5, drops)]);
        let path = scratch.write("x.pcapng", &file.bytes);
        let lines = json_lines(&closewait(&[&path, "--format", "jsonl"]));
        assert_eq!(lines[0]["verdict"], "leak");
        assert_eq!(lines[0]["local"], "a");
        assert_eq!(lines[0]["held_s"], 300.0);
        assert_eq!(lines[0]["doubts"], serde_json::json!(["dropped"]));
        assert_eq!(lines[1]["captures"][0]["drops"], 3);
        assert_eq!(
            lines[1]["captures"][0]["link_types"],
            serde_json::json!(["ETHERNET", "LINUX_SLL"])
        );
        assert_eq!(lines[1]["captures"][0]["snap_lengths"], serde_json::json!([0, 96]));
    }
}

#[test]
fn interface_addresses_tell_which_side_is_local() {
    let scratch = Scratch::new();
    let scenario = scenario("leak");
    for (address, local) in [([172, 18, 0, 5], "a"), ([172, 18, 0, 3], "b")] {
        let mut file = Pcapng::new(false);
        let with_mask = [&address[..], &[255, 255, 0, 0]].concat();
        file.interface(1, 0, &[(4, with_mask)]);
        for record in scenario.records() {
            file.packet(0, record.nanos / 1_000, &record, &[]);
        }
        let path = scratch.write("x.pcapng", &file.bytes);
        let flow = &json_lines(&closewait(&[&path, "--format", "jsonl"]))[0];
        assert_eq!(
            (&flow["local"], &flow["local_by"]),
            (&local.into(), &"interface-address".into())
        );
        let expected = if local == "a" { "leak" } else { "peer-holds" };
        assert_eq!(flow["verdict"], expected);
    }
}

/// Of loopback, a system lists one address; the others are its own as well.
#[test]
fn every_loopback_address_is_local_where_one_is() {
    let scratch = Scratch::new();
    let moved = scratch.path().join("leak.scn");
    let text = std::fs::read_to_string(common::project("fixtures/scenarios/leak.scn"))
        .expect("the scenario");
    // Whoever holds it is at an address that is in no list.
    let text = text.replace("172.18.0.5", "127.0.0.53").replace("172.18.0.3", "127.0.0.1");
    std::fs::write(&moved, text).expect("room");
    let scenario = Scenario::read(&moved).expect("a scenario");
    for address in [[127, 0, 0, 1], [127, 0, 0, 53]] {
        let mut file = Pcapng::new(false);
        file.interface(1, 0, &[(4, [&address[..], &[255, 0, 0, 0]].concat())]);
        for record in scenario.records() {
            file.packet(0, record.nanos / 1_000, &record, &[]);
        }
        let path = scratch.write("x.pcapng", &file.bytes);
        let flow = &json_lines(&closewait(&[&path, "--format", "jsonl"]))[0];
        assert_eq!((&flow["local"], &flow["verdict"]), (&"both".into(), &"leak".into()));
    }
}

/// Simple packets have no time and belong to the first interface.
#[test]
fn simple_packets_are_read_without_times() {
    let scratch = Scratch::new();
    let mut file = Pcapng::new(false);
    file.interface(1, 0, &[]);
    for record in leak() {
        file.simple_packet(&record);
    }
    let path = scratch.write("x.pcapng", &file.bytes);
    let flow = &json_lines(&closewait(&[&path, "--format", "jsonl"]))[0];
    assert_eq!((&flow["verdict"], &flow["first"]["time"]), (&"leak".into(), &Value::Null));
    assert_eq!((&flow["held_s"], &flow["a"]["packets"]), (&Value::Null, &3.into()));
    let (out, err) = text(&closewait(&[&path]));
    assert!(out.contains("left in CLOSE-WAIT") && err.is_empty(), "{out}{err}");
}

/// A second section has interfaces of its own.
#[test]
fn sections_follow_one_another() {
    let scratch = Scratch::new();
    let mut file = Pcapng::new(true);
    file.interface(147, 0, &[]);
    let mut second = Pcapng::new(false);
    second.interface(1, 0, &[]);
    for record in leak() {
        second.packet(0, record.nanos / 1_000, &record, &[]);
    }
    file.bytes.extend(second.bytes);
    let path = scratch.write("x.pcapng", &file.bytes);
    let lines = json_lines(&closewait(&[&path, "--format", "jsonl"]));
    assert_eq!(lines[0]["verdict"], "leak");
}

#[test]
fn a_report_can_go_to_a_file() {
    let scratch = Scratch::new();
    let path = scratch.path().join("report.txt");
    let output = closewait(&[INCIDENT, "-o", path.to_str().expect("UTF-8")]);
    assert_eq!((text(&output), output.status.code()), ((String::new(), String::new()), Some(1)));
    let expected = text(&closewait(&[INCIDENT])).0;
    assert_eq!(std::fs::read_to_string(path).expect("the report"), expected);
}

#[test]
fn colours_are_for_terminals() {
    let coloured = |args: &[&str]| text(&closewait(args)).0.contains('\x1b');
    assert!(!coloured(&[INCIDENT]));
    assert!(coloured(&[INCIDENT, "--color", "always"]));
    assert!(!coloured(&[INCIDENT, "--color", "never"]));
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut child = command(&[INCIDENT, "--format", "jsonl", "--all"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(text(&output).1, "");
    assert_eq!(output.status.code(), Some(1), "the finding is one, read or not");
}

#[test]
fn times_follow_the_zone() {
    let time = |args: &[&str], zone: &str| {
        let output = command(args).env("TZ", zone).output().expect("it runs");
        text(&output).0
    };
    assert!(time(&[INCIDENT], "UTC").contains("11:38:45.693382"));
    assert!(time(&[INCIDENT, "--utc"], "CET-1").contains("11:38:45.693382"));
    let dated = time(&[INCIDENT, "--utc", "-tttt"], "UTC");
    assert!(dated.contains("2018-03-12 11:38:45.693382"), "{dated}");
}

/// File names come from whoever made the archive: nothing in them reaches a terminal.
#[test]
fn names_cannot_speak_to_the_terminal() {
    let scratch = Scratch::new();
    let path = scratch.write("evil\x1b[31m\n.pcap", b"");
    let (_, err) = text(&closewait(&[&path]));
    assert!(!err.contains('\x1b') && err.lines().count() == 1, "{err}");
}

/// Nor does anything in the files that `check` and `diff` are given.
#[test]
fn files_of_others_cannot_speak_to_the_terminal() {
    let scratch = Scratch::new();
    let path = scratch.write("evil.jsonl", b"{\"schema\": 1, \"type\": \"\x7f\xc2\x85[31m\"}\n");
    for args in [&["check", "--baseline", &path, INCIDENT][..], &["diff", &path, &path]] {
        let (out, err) = text(&closewait(args));
        let obeyed = (out + &err).chars().find(|&c| c != '\n' && shown(c) != c);
        assert_eq!(obeyed, None, "{args:?}: {err:?}");
    }
}

/// A file that is its own text, a device, a pipe: nothing may hang.
#[test]
fn standard_input_that_is_no_capture_is_refused() {
    let output = with_stdin(&["-"], b"hello\n");
    assert!(text(&output).1.contains("closewait: -: is not a capture: it is text"));
    assert_eq!(output.status.code(), Some(2));
    let output = with_stdin(&["-"], b"");
    assert!(text(&output).1.contains("closewait: -: is empty"));
}

/// Turned text, hidden characters and ends of lines, in all that a stranger may name.
#[test]
fn nothing_from_the_wire_turns_or_hides_text() {
    const ODD: &str = "\u{202e}\u{2066}\u{200b}\u{200f}\u{2028}\u{2029}\u{feff}\u{e0001}";
    let talk = Talk::logged_in(3306).ask("BEGIN", 0x0003);
    let talk = talk.ask(&format!("UPDATE a{ODD}b SET x='{ODD}', `y{ODD}`=1"), 0x0003);
    let scratch = Scratch::new();
    let capture = talk.wait(50).closed_by_server().capture(60);
    let capture = scratch.write(&format!("x{ODD}.pcap"), &capture);
    let list = format!(
        "CLOSE-WAIT 1 0 172.18.0.5:40000 172.18.0.3:3306 users:((\"or{ODD}ders\",pid=7,fd=9)) ino:5\n"
    );
    let list = scratch.write(&format!("list{ODD}"), list.as_bytes());
    let read = |more: &[&str]| {
        let args = [&capture, "--local", "172.18.0.5", "--sockets", &list, "--show-literals"];
        closewait(&[&args[..], more].concat())
    };
    let check = |format| closewait(&["check", &capture, "--format", format]);
    let missing = format!("{capture}{ODD}");
    let outputs = [
        read(&[]),
        read(&["--all", "--top", "0"]),
        read(&["--folded"]),
        read(&["--format", "csv"]),
        closewait(&["explain", &capture, "--frame", "1", "--show-literals"]),
        check("text"),
        check("junit"),
        check("github"),
        closewait(&[&missing]),
        closewait(&[&capture, "--sockets", &missing]),
    ];
    for (at, output) in outputs.iter().enumerate() {
        let (out, err) = text(output);
        let odd = |c: &char| shown(*c) != *c && !matches!(c, '\n' | '\r');
        assert_eq!(out.chars().chain(err.chars()).find(odd), None, "{at}: {out}\n{err}");
        assert!(!(out + &err).is_empty(), "{at}");
    }
    for output in &outputs[..8] {
        assert!(text(output).0.contains("a\u{fffd}\u{fffd}"), "{}", text(output).0);
    }
}

/// What somebody who knows tcpdump types.
#[test]
fn tcpdumps_habits() {
    let expected = text(&closewait(&[INCIDENT])).0;
    for args in [&["-nnr", INCIDENT][..], &["-lnv", "-q", "-e", "-r", INCIDENT, "port", "3306"]] {
        assert_eq!(text(&closewait(args)).0, expected, "{args:?}");
    }
    for args in [&["-n", "-i", "nosuch0"][..], &["-nni", "nosuch0"], &["--utc", "-i", "nosuch0"]] {
        let (_, err) = text(&closewait(args));
        assert!(err.starts_with("closewait: nosuch0:") || err.contains("without libpcap"), "{err}");
    }
    // An expression beside a file is asked about before the file is read.
    for args in [&[INCIDENT, "port", "3306"][..], &["port", "3306", INCIDENT]] {
        let output = closewait(args);
        let (out, err) = text(&output);
        assert_eq!((out.as_str(), output.status.code()), ("", Some(2)));
        let hint = format!(
            "closewait: port: is not a file; if this is an expression: closewait -r {INCIDENT} port 3306, or: \
             closewait {INCIDENT} -- port 3306\n"
        );
        assert_eq!(err, hint);
    }
    let (_, err) = text(&closewait(&["expalin", INCIDENT]));
    assert!(err.contains(&format!("did you mean: closewait explain {INCIDENT}\n")), "{err}");
    for args in [&["live", INCIDENT][..], &["-i", INCIDENT]] {
        let (_, err) = text(&closewait(args));
        assert_eq!(
            err,
            format!(
                "closewait: {INCIDENT}: is a file, not an interface; to read it: closewait {INCIDENT}\n"
            )
        );
    }
    let help = text(&closewait(&["live", "--help"])).0;
    assert_eq!(text(&closewait(&["--help", "live"])).0, help);
    let (_, err) = text(&closewait(&["--no-such-flag"]));
    assert!(err.starts_with("closewait: unexpected argument"), "{err}");
    assert_eq!(status(&["--max-flows", "0", INCIDENT]), Some(2));
}

#[test]
fn a_redirected_file_is_read() {
    for args in [&[][..], &["-n"], &["read"]] {
        let file = std::fs::File::open(INCIDENT).expect("the fixture");
        let output = command(args).stdin(file).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(1), "{args:?} {}", text(&output).1);
    }
}

/// One form of an end, whoever writes it.
#[test]
fn who_holds_is_said_as_an_end() {
    let lines = json_lines(&closewait(&[INCIDENT, "--format", "jsonl", "--all"]));
    let held = lines.iter().find(|line| line["holder"].is_string()).expect("one is held");
    let (by, other) = if held["holder"] == "a" { ("a", "b") } else { ("b", "a") };
    for key in ["ip", "port"] {
        assert_eq!(held["held_by"][key], held[by][key]);
        assert_eq!(held["waits_for"][key], held[other][key]);
    }
}

/// A word that somebody else chose can stand on the command line, and in what is said about it.
#[cfg(unix)]
#[test]
fn no_argument_is_obeyed_when_it_is_quoted() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let hostile = ["\x1b]0;owned\x07", "\u{202e}gpj.exe", "a\u{2066}b\u{200b}", "a\rb"];
    for word in hostile {
        for before in [&["--format"][..], &["--nosuch"], &["explain", "--frame"], &[], &["check"]] {
            let flag = format!("--{word}");
            for last in [word, flag.as_str()] {
                let output = closewait(&[before, &[last]].concat());
                let (out, err) = text(&output);
                assert_eq!(output.status.code(), Some(2), "{before:?} {word:?}");
                let obeyed = (out + &err).chars().find(|&c| c != '\n' && shown(c) != c);
                assert_eq!(obeyed, None, "{before:?} {word:?}: {err:?}");
            }
        }
    }
    // Names that are no UTF-8, and half of a surrogate pair.
    for octets in [&b"x\xff\xfe.pcap"[..], b"x\xed\xa0\x80.pcap"] {
        let output = command(&[]).arg(OsStr::from_bytes(octets)).output().expect("it runs");
        let (_, err) = text(&output);
        assert!(err.contains("x\u{fffd}") && err.contains("no such file"), "{err:?}");
    }
}

/// It has the states of sockets, and is no list of them.
#[test]
fn a_report_in_json_lines_is_not_taken_for_a_list_of_sockets() {
    let scratch = Scratch::new();
    let captures = ["leaky", "fixed"].map(|name| format!("fixtures/captures/pair/{name}.pcap"));
    for capture in captures {
        let report = closewait(&[&capture, "--format", "jsonl"]).stdout;
        let path = scratch.write("report.jsonl", &report);
        let output = closewait(&[&path]);
        let err = text(&output).1;
        assert_eq!(output.status.code(), Some(2));
        assert!(err.contains("it is a report of closewait in JSON lines, not packets"), "{err}");
    }
}

/// A file that is named like an option, and words for `sockets` that are no files: what was meant is said, as it is written.
#[test]
fn what_is_no_file_here_is_told_how_it_is_asked_for() {
    let scratch = Scratch::new();
    scratch.write("-x.pcap", b"");
    let said = |args: &[&str]| {
        let output = command(args).current_dir(scratch.path()).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        text(&output).1
    };
    let tip = "\n  tip: for the file of that name: './-x.pcap'\n";
    assert!(said(&["explain", "-x.pcap"]).contains(tip), "{}", said(&["explain", "-x.pcap"]));
    assert!(!said(&["explain", "-y.pcap"]).contains("tip: for the file"));
    let err = said(&["--", "-x.pcap"]);
    assert!(err.contains("if this is a file to read: closewait './-x.pcap'"), "{err}");
    for (word, meant) in [
        ("6379", "a port is --port 6379, a process --pid 6379"),
        ("10.0.0.3:3306", "a peer is --peer 10.0.0.3:3306"),
    ] {
        let err = said(&["sockets", word]);
        assert_eq!(err, format!("closewait: {word}: is not a file; {meant}\n"));
    }
}
