//! What a capture cannot show, and how it says so: its end, its gaps, packets that are missing.

mod common;

use common::scenario::Scenario;
use common::wire::{Link, MICROSECONDS, Pcapng, Record, arp, tunnelled};
use common::{Scratch, closewait, json_lines, project, text};
use serde_json::{Value, json};

fn scenario(name: &str) -> Scenario {
    let path = project("fixtures/scenarios").join(format!("{name}.scn"));
    Scenario::read(&path).expect("a scenario")
}

/// The packets of a leak, the last of them the ACK of the FIN.
fn leak() -> Vec<Record> {
    let mut records = scenario("leak").records();
    records.pop();
    records
}

const SECOND: u64 = 1_000_000_000;

/// A pcapng file whose statistics have this isb_endtime, in an interface that counts nanoseconds.
fn ending(records: &[Record], end: u64) -> Vec<u8> {
    let mut file = Pcapng::new(false);
    file.interface(1, 0, &[(9, vec![9])]);
    for record in records {
        file.packet(0, record.nanos, record, &[]);
    }
    let halves = [(end >> 32) as u32, end as u32].map(u32::to_le_bytes).concat();
    file.statistics(0, &[(3, halves)]);
    file.bytes
}

fn flows(args: &[&str]) -> Vec<Value> {
    let lines = json_lines(&closewait(&[args, &["--format", "jsonl"]].concat()));
    lines.into_iter().filter(|line| line["type"] == "flow").collect()
}

#[test]
fn a_capture_ends_when_its_statistics_say() {
    let scratch = Scratch::new();
    let records = leak();
    let last = records.last().expect("packets").nanos;
    let later = last + 25 * SECOND;
    for (end, held) in [
        (later, 25.0),
        // As dumpcap writes it, whatever the clock.
        (later / 1_000, 25.0),
        // Before the last packet either way, and too late to be believed.
        (last - SECOND, 0.0),
        (0, 0.0),
        (last + 8 * 24 * 3_600 * SECOND, 0.0),
    ] {
        let path = scratch.write("x.pcapng", &ending(&records, end));
        let flow = &flows(&[&path])[0];
        assert_eq!(flow["held_s"], held, "{end}");
        let doubts = if held == 0.0 { json!(["brief"]) } else { json!([]) };
        assert_eq!(flow["doubts"], doubts, "{end}");
    }
}

/// A crash leaves zeros where the rest was to come. They were read as packets of 1970, and what they held in place of was
/// accused.
#[test]
fn zeros_at_the_end_are_a_capture_that_was_cut_off() {
    let scratch = Scratch::new();
    let records = leak();
    let pcap = MICROSECONDS.write(1, &records);
    let pcapng = ending(&records, records.last().expect("packets").nanos);
    for (name, whole) in [("x.pcap", pcap), ("x.pcapng", pcapng)] {
        for zeros in [16, 4_096, 1 << 20] {
            let path = scratch.write(name, &[&whole[..], &vec![0; zeros]].concat());
            let flow = &flows(&[&path])[0];
            assert_eq!(flow["doubts"], json!(["brief", "truncated"]), "{name}, {zeros}");
            let output = closewait(&[&path]);
            assert_eq!(output.status.code(), Some(1), "{name}, {zeros}");
            assert!(text(&output).1.contains("cut off"), "{name}, {zeros}");
        }
        let path = scratch.write(name, &[&whole[..], &[0; 1 << 18], &whole[..]].concat());
        let output = closewait(&[&path]);
        let (_, err) = text(&output);
        assert!(output.status.code() == Some(2) && err.contains("nothing but zeros"), "{err}");
    }
}

/// A damaged length leads past the end of the file: that is no capture that was cut off, whose end alone is missing.
#[test]
fn a_damaged_length_is_no_end() {
    let scratch = Scratch::new();
    let records = leak();
    let report = |name: &str, octets: &[u8]| {
        let output = closewait(&[&scratch.write(name, octets)]);
        (output.status.code(), text(&output).1)
    };
    // The second record's captured length.
    let whole = MICROSECONDS.write(1, &records);
    let at = 24 + 16 + records[0].data.len() + 8;
    let mut damaged = whole.clone();
    damaged[at + 2] ^= 1;
    let (code, err) = report("x.pcap", &damaged);
    assert!(code == Some(2) && err.contains("corrupt after 1 packet"), "{err}");
    // Longer than its snap length, whatever the packet's length says.
    damaged[at + 6] ^= 1;
    damaged[16..20].copy_from_slice(&256_u32.to_le_bytes());
    let (code, err) = report("x.pcap", &damaged);
    assert!(code == Some(2) && err.contains("corrupt after 1 packet"), "{err}");
    let (code, err) = report("x.pcap", &whole[..whole.len() - 3]);
    assert!(code == Some(0) && err.contains("cut off"), "{err}");

    // A pcapng's block, of which only the length is damaged.
    let mut file = Pcapng::new(false);
    file.interface(1, 0, &[]);
    file.packet(0, records[0].nanos, &records[0], &[]);
    let at = file.bytes.len() + 4;
    records[1..].iter().for_each(|record| file.packet(0, record.nanos, record, &[]));
    let mut damaged = file.bytes.clone();
    damaged[at + 2] ^= 1;
    let (code, err) = report("x.pcapng", &damaged);
    assert!(code == Some(2) && err.contains("corrupt after 1 packet"), "{err}");
    let (code, err) = report("x.pcapng", &file.bytes[..file.bytes.len() - 3]);
    assert!(code == Some(0) && err.contains("cut off"), "{err}");
    let (code, err) = report("x.pcapng", &file.bytes[..20]);
    assert!(code == Some(2) && err.contains("inside its first section header"), "{err}");
}

/// Statistics that say nothing of drops leave what was counted before.
#[test]
fn drops_that_a_later_block_does_not_repeat_stay() {
    let scratch = Scratch::new();
    let mut file = Pcapng::new(false);
    file.interface(1, 0, &[]);
    leak().iter().for_each(|record| file.packet(0, record.nanos, record, &[]));
    file.statistics(0, &[(5, 3_u64.to_le_bytes().to_vec())]);
    file.statistics(0, &[(4, 30_u64.to_le_bytes().to_vec())]);
    let flow = &flows(&[&scratch.write("x.pcapng", &file.bytes)])[0];
    assert_eq!(flow["doubts"], json!(["brief", "dropped"]));
}

/// An hour after the leak, another capture begins.
fn later(link: Link) -> Vec<u8> {
    let time = leak()[0].nanos + 3_600 * SECOND;
    MICROSECONDS.write(link.link_type(), &[Record::new(time, arp())])
}

#[test]
fn a_hold_across_a_gap_is_doubted_unless_the_files_are_a_series() {
    let scratch = Scratch::new();
    let first = MICROSECONDS.write(1, &leak());
    let (part, next) = (
        scratch.write("part-1.pcap", &first),
        scratch.write("part-2.pcap", &later(Link::Ethernet)),
    );
    let other = scratch.write("other.pcap", &later(Link::Ethernet));
    let local = ["--local", "172.18.0.5:38822"];
    let doubts = |second: &str| flows(&[&[part.as_str(), second], &local[..]].concat())[0].clone();
    assert_eq!(doubts(&next)["doubts"], json!([]), "a rotated series");
    let doubted = doubts(&other);
    assert_eq!(doubted["doubts"], json!(["gap"]));
    assert!(doubted["held_s"].as_f64() > Some(3_590.0));
}

/// Of a series that counts its files, one between is missing: it may hold the FIN.
#[test]
fn a_hold_across_a_missing_file_of_a_series_is_doubted() {
    let scratch = Scratch::new();
    let after = |seconds: u64| {
        let time = leak()[0].nanos + seconds * SECOND;
        MICROSECONDS.write(1, &[Record::new(time, arp())])
    };
    let names = ["x.pcap", "x.pcap1", "x.pcap2", "x.pcap3.gz", "x.pcap4"];
    for (missing, doubts) in
        [(None, json!([])), (Some(1), json!(["gap"])), (Some(3), json!(["gap"]))]
    {
        let there = names.iter().enumerate().filter(|(at, _)| Some(*at) != missing);
        let files: Vec<String> = there
            .map(|(at, name)| match at {
                0 => scratch.write(name, &MICROSECONDS.write(1, &leak())),
                at => scratch.write(name, &after(at as u64 * 100)),
            })
            .collect();
        let local = ["--local", "172.18.0.5:38822"];
        let args: Vec<&str> = files.iter().map(String::as_str).chain(local).collect();
        assert_eq!(flows(&args)[0]["doubts"], doubts, "{files:?}");
        let output = closewait(&args);
        assert_eq!(output.status.code(), Some(1));
        let said = "1 file of the series before it missing";
        assert_eq!(text(&output).1.contains(said), missing.is_some(), "{files:?}");
    }
}

/// A text with times of day is of no day, and the hold in it does not last until the day of another capture.
#[test]
fn times_of_no_day_neither_follow_nor_are_followed_by_a_date() {
    let scratch = Scratch::new();
    let line = |time: &str, from: &str, to: &str, rest: &str| {
        format!("{time} IP {from} > {to}: Flags {rest}, length 0\n")
    };
    let (a, b) = ("192.0.2.5.47902", "198.51.100.3.3306");
    let lines = [
        line("12:00:00.000000", a, b, "[S], seq 1000, win 64240"),
        line("12:00:00.000100", b, a, "[S.], seq 2000, ack 1001, win 64240"),
        line("12:00:00.000200", a, b, "[.], ack 1, win 64240"),
        line("12:00:30.000000", b, a, "[F.], seq 1, ack 1, win 64240"),
        line("12:00:30.000100", a, b, "[.], ack 2, win 64240"),
    ];
    let undated = scratch.write("a.txt", lines.concat().as_bytes());
    let dated = scratch.write("b.pcap", &MICROSECONDS.write(1, &leak()));
    let args = [undated.as_str(), &dated, "--format", "jsonl"];
    let read = json_lines(&closewait(&args));
    let of_text = read.iter().find(|line| line["a"]["port"] == 47902).expect("the text's");
    assert!(of_text["held_s"].as_f64() < Some(1.0), "{of_text}");
    let captures = &read.last().expect("a summary")["captures"];
    assert_eq!(captures.as_array().map(Vec::len), Some(2));
    let (report, _) = text(&closewait(&args[..2]));
    assert!(report.contains("only one has dates"), "{report}");
}

#[test]
fn files_of_other_link_types_are_other_captures() {
    let scratch = Scratch::new();
    let first = scratch.write("part-1.pcap", &MICROSECONDS.write(1, &leak()));
    let second = scratch.write("part-2.pcap", &later(Link::Sll));
    let lines = json_lines(&closewait(&[&first, &second, "--format", "jsonl"]));
    let flow = &lines[0];
    assert_eq!((&flow["doubts"], &flow["held_s"]), (&json!(["brief"]), &json!(0.0)));
    let summary = lines.last().expect("a summary");
    assert_eq!(summary["captures"].as_array().map(Vec::len), Some(2));
}

#[test]
fn packets_that_are_missing_are_said_once_and_passed_on() {
    let scratch = Scratch::new();
    let missing = scenario("packets-missing-in-other-connections");
    let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &missing.records()));
    let sentence = "missing from this capture: 3 of 3 connections show it";
    let (report, _) = text(&closewait(&[&path]));
    assert!(report.contains(&format!("Packets are {sentence}.")), "{report}");
    let (check, _) = text(&closewait(&["check", &path]));
    assert!(check.contains(&format!("packets are {sentence}")), "{check}");

    let out = scratch.path().join("out.pcapng").to_str().expect("UTF-8").to_owned();
    assert_eq!(closewait(&[&path, "-w", &out]).status.code(), Some(1));
    let again = json_lines(&closewait(&[&out, "--format", "jsonl"]));
    assert_eq!(again[0]["doubts"], json!(["holes"]));
    let capture = &again[1]["captures"][0];
    assert_eq!(capture["holes"], json!({"connections": 3, "of": 3}));
}

#[test]
fn a_finding_is_not_counted_among_the_others() {
    let scratch = Scratch::new();
    let reset = scenario("keep-alive-answered-by-rst");
    let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &reset.records()));
    let (report, _) = text(&closewait(&[&path]));
    assert!(report.starts_with("1 of 1 connection "), "{report}");
    assert!(!report.contains("The other connections"), "{report}");
}

#[test]
fn what_a_list_of_sockets_confirms_has_no_doubts() {
    let scratch = Scratch::new();
    let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &leak()));
    let socket = |state: &str| format!("{state} 1 0 172.18.0.5:38822 172.18.0.3:3306\n");
    let with = |state: &str| {
        let list = scratch.write("list", socket(state).as_bytes());
        let args = [path.as_str(), "--sockets", &list, "--certain"];
        (closewait(&args).status.code(), flows(&args))
    };
    let (status, flows) = with("CLOSE-WAIT");
    assert_eq!((status, &flows[0]["doubts"]), (Some(1), &json!([])));
    let (status, flows) = with("ESTAB");
    assert_eq!((status, flows.len()), (Some(0), 0));
}

/// What a list has in CLOSE-WAIT counts, whatever the capture shows of it: as a connection that is left, or
/// as a socket beside the capture.
#[test]
fn what_a_list_has_in_close_wait_counts() {
    let scratch = Scratch::new();
    let socket = "CLOSE-WAIT 1 0 172.18.0.5:38822 172.18.0.3:3306\n";
    let list = scratch.write("list", socket.as_bytes());
    for (name, notes, is_left) in [
        // The peer's FIN came when the capture was over.
        ("figure-06-handshake", json!(["kernel-holds"]), true),
        ("fin-missed-but-acknowledged", json!(["kernel-holds"]), true),
        ("host-gone", json!(["fin-retransmitted", "kernel-holds"]), true),
        ("packets-lost-with-perhaps-a-fin", json!(["kernel-holds"]), true),
        ("leak", json!([]), true),
        // A later connection has the same ends.
        ("late-close", json!([]), false),
        ("rst-instead-of-a-fin", json!([]), false),
        ("attempt", json!([]), false),
        ("peer-holds", json!([]), false),
    ] {
        let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &scenario(name).records()));
        let args = [path.as_str(), "--local", "172.18.0.5", "--sockets", &list];
        let (report, _) = text(&closewait(&args));
        let certain = closewait(&[&args[..], &["--certain"]].concat());
        assert_eq!(certain.status.code(), Some(1), "{name}: {report}");
        let found: Vec<Value> =
            flows(&args).into_iter().filter(|flow| flow["finding"] == true).collect();
        let [flow] = &found[..] else { panic!("{name}: {found:?}") };
        assert_eq!(flow["before_capture"], !is_left, "{name}: {flow}");
        assert_eq!(flow["kernel"]["confirmed"], true, "{name}: {flow}");
        assert_eq!(flow["notes"], notes, "{name}: {flow}");
        let headline = match is_left {
            true => "1 of 1 connection left in CLOSE-WAIT by 172.18.0.5: certain.\n",
            false => "1 socket in CLOSE-WAIT by the list, not by the capture",
        };
        assert!(report.starts_with(headline), "{name}: {report}");
        assert_eq!(report.contains("a later connection, or the list is older"), !is_left);
    }
    // In use is no leak; an older connection of the same ends is not the one that is listed.
    for (name, findings) in [("half-close-in-use", 0), ("port-reused", 1)] {
        let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &scenario(name).records()));
        let lines = json_lines(&closewait(&[&path, "--sockets", &list, "--format", "jsonl"]));
        assert_eq!(lines.last().expect("a summary")["findings"], findings, "{name}: {lines:?}");
    }
}

/// Nobody knows whether a list is older than the capture: another state is a doubt, and a sentence.
#[test]
fn a_list_with_another_state_makes_a_finding_doubtful() {
    let scratch = Scratch::new();
    let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &scenario("leak").records()));
    for (state, doubt, sentence) in [
        ("ESTAB", "listed-open", "it may be older than the peer's FIN"),
        ("LAST-ACK", "listed-closed", "has it as closed by the program"),
        ("TIME-WAIT", "listed-closed", "has it as closed by the program"),
        ("FIN-WAIT-2", "listed-closed", "has it as closed by the program"),
    ] {
        let socket = format!("{state} 0 0 172.18.0.5:38822 172.18.0.3:3306\n");
        let list = scratch.write("list", socket.as_bytes());
        let args = [path.as_str(), "--sockets", &list];
        let flow = &flows(&args)[0];
        assert_eq!((&flow["finding"], &flow["doubts"]), (&json!(true), &json!([doubt])), "{flow}");
        assert_eq!(flow["kernel"]["confirmed"], false);
        let (report, _) = text(&closewait(&args));
        assert!(report.contains("with doubts") && report.contains(sentence), "{report}");
        let output = closewait(&[&args[..], &["--certain"]].concat());
        assert_eq!(output.status.code(), Some(0), "{state}");
        assert!(text(&output).0.contains("1 with doubts is not counted"), "{state}");
    }
}

/// A list that has what was left later is the later one: what it lacks has ended, or its lines were chosen by program.
#[test]
fn what_a_later_list_has_no_more_is_doubtful() {
    let scratch = Scratch::new();
    let folder = common::project("fixtures/captures/reproduction");
    let capture = folder.join("app.pcap").display().to_string();
    let whole = std::fs::read_to_string(folder.join("kernel.txt")).expect("a list");
    let doubted = |left_out: &str| {
        let lines = whole.lines().filter(|line| !line.contains(left_out));
        let list = scratch.write("list", lines.collect::<Vec<_>>().join("\n").as_bytes());
        let args = [&capture, "--local", "172.18.0.5", "--sockets", &list];
        let found = flows(&args).into_iter().filter(|flow| {
            flow["finding"] == true
                && flow["doubts"]
                    .as_array()
                    .is_some_and(|doubts| doubts.contains(&json!("listed-closed")))
        });
        found.map(|flow| flow["a"]["port"].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(doubted("nothing"), Vec::<Value>::new());
    assert_eq!(doubted(":47902"), [47_902]);
    // That was left last: the list may have been made before.
    assert_eq!(doubted(":30001"), Vec::<Value>::new());
    // A list of another service says nothing of this one.
    assert_eq!(doubted(":3306"), Vec::<Value>::new());
}

/// What only a list says counts as far as the list says it: of which connection, in which state, made when, and of what
/// was asked for.
#[test]
fn a_list_that_may_mean_another_connection_accuses_nobody_for_certain() {
    let scratch = Scratch::new();
    let path =
        scratch.write("x.pcap", &MICROSECONDS.write(1, &scenario("figure-06-handshake").records()));
    let read = |list: &str, more: &[&str]| {
        let list = scratch.write("list", list.as_bytes());
        let args = [&[&path, "--all", "--format", "jsonl", "--sockets", &list], more].concat();
        let lines = json_lines(&closewait(&args));
        let flow =
            lines.iter().find(|line| line["type"] == "flow" && line["before_capture"] != true);
        let flow = flow.expect("the connection");
        let findings = lines.last().expect("a summary")["findings"].clone();
        (flow["verdict"].clone(), flow["doubts"].clone(), findings)
    };
    let ends = "172.18.0.5:38822 172.18.0.3:3306";
    let stuck = format!("CLOSE-WAIT 1 0 {ends}\n");
    let dated = |year: u32| format!("{year}-07-12 08:00:00\n{stuck}");
    let (leak, open) = (json!("leak"), json!("open"));
    assert_eq!(read(&stuck, &[]), (leak.clone(), json!([]), json!(1)));
    assert_eq!(read(&dated(2030), &[]), (leak.clone(), json!([]), json!(1)));
    assert_eq!(read(&dated(2016), &[]), (open.clone(), json!([]), json!(0)), "an older one's");
    let unsure = json!(["listed-unsure"]);
    let stateless =
        format!("Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n0 0 {ends}\n");
    assert_eq!(read(&stateless, &[]), (leak.clone(), unsure.clone(), json!(1)));
    assert_eq!(read(&stateless, &["--certain"]).2, 0);
    let named = "CLOSE-WAIT 1 0 another-host:38822 cache:3306\n";
    assert_eq!(read(named, &[]), (leak, unsure, json!(1)));
    // Not of the local side, not what was asked for, and in another network namespace beside.
    let others = "CLOSE-WAIT 1 0 192.0.2.7:40000 192.0.2.9:6379\n";
    assert_eq!(read(others, &[]).2, 1);
    assert_eq!(read(others, &["--local", "172.18.0.5"]).2, 0);
    assert_eq!(read(others, &["--", "port", "3306"]).2, 0);
    assert_eq!(read(others, &["--", "port 6379 or port 3306"]).2, 1);
    let twice = format!("ESTAB 0 0 {ends} users:((\"a\",pid=8,fd=6))\n{stuck}");
    assert_eq!(read(&twice, &[]).2, 1, "not once more, beside its connection");
}

/// Nothing is cleared by packets whose header the snap length cut off, whatever the rest shows.
#[test]
fn headers_that_were_cut_off_are_no_all_clear() {
    let scratch = Scratch::new();
    let whole = scenario("three-segment-close").records();
    for (len, layer) in [(53, "TCP"), (40, "TCP"), (33, "IP"), (20, "IP"), (13, "link")] {
        let cut: Vec<_> = whole.iter().cloned().map(|record| record.snapped(len)).collect();
        let path = scratch.write("cut.pcap", &MICROSECONDS.write(1, &cut));
        let output = closewait(&[&path]);
        let (report, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{len}: {report}");
        assert!(err.contains(&format!("{layer} header cut off {}", cut.len())), "{len}: {err}");
        assert!(report.contains("packets not understood"), "{len}: {report}");
        let check = closewait(&["check", &path]);
        assert_eq!(check.status.code(), Some(2), "{len}: {}", text(&check).0);
    }
    // One of IPv6, where those of IPv4 are just long enough.
    let six = scenario("ipv6").records().into_iter().map(|record| record.snapped(54));
    let four = whole.into_iter().map(|record| record.snapped(54));
    let both: Vec<_> = four.chain(six.take(1)).collect();
    let path = scratch.write("both.pcap", &MICROSECONDS.write(1, &both));
    let output = closewait(&[&path]);
    let (report, err) = text(&output);
    assert_eq!(output.status.code(), Some(2), "{report}");
    assert!(err.contains("1 packet could not be read and may be TCP"), "{err}");
    // A frame that is shorter than its header, and whole, holds nothing.
    let runt: Vec<_> = both.into_iter().take(6).chain([Record::new(0, vec![0; 9])]).collect();
    let path = scratch.write("runt.pcap", &MICROSECONDS.write(1, &runt));
    assert_eq!(closewait(&[&path]).status.code(), Some(0));
}

/// A capture where a list is asked for, and the other way round, leads to the right command.
#[test]
fn captures_and_lists_are_told_apart() {
    let scratch = Scratch::new();
    let list = "State Recv-Q Send-Q Local Address:Port Peer Address:Port\n\
                CLOSE-WAIT 1 0 192.0.2.5:40000 198.51.100.3:3306\n";
    let list = scratch.write("list", list.as_bytes());
    let capture = scratch.write("x.pcap", &MICROSECONDS.write(1, &leak()));
    let (as_capture, as_list) = (closewait(&[&list]), closewait(&["sockets", &capture]));
    assert!(
        text(&as_capture).1.contains("it is a list of sockets, not of packets: closewait sockets")
    );
    assert!(
        text(&as_list).1.ends_with(&format!("it is a capture, and no list: closewait {capture}\n"))
    );
    let status = |output: &std::process::Output| output.status.code();
    assert_eq!((status(&as_capture), status(&as_list)), (Some(2), Some(2)));
}

/// The snap length cut the headers of what is in a tunnel: that may be TCP as well as outside of one.
#[test]
fn headers_that_were_cut_off_in_a_tunnel_are_no_all_clear() {
    let scratch = Scratch::new();
    let inner = scenario("three-segment-close").records();
    let tunnels =
        ["mpls", "pppoe", "gre", "gre-ethernet", "erspan-1", "vxlan", "geneve", "lisp", "batman"];
    for tunnel in tunnels {
        let whole: Vec<Vec<u8>> = inner
            .iter()
            .map(|record| tunnelled(tunnel, &record.data[14..]).expect("carries IPv4"))
            .collect();
        // Wherever it is cut, the inside of the first packet is not there to its end.
        let outer = if matches!(tunnel, "mpls" | "pppoe") { 15 } else { 14 + 20 + 9 };
        for len in outer..whole[0].len() - 21 {
            let cut = whole.iter().map(|data| Record::new(0, data.clone()).snapped(len));
            let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &cut.collect::<Vec<_>>()));
            let output = closewait(&[&path]);
            let (report, err) = text(&output);
            assert_eq!(output.status.code(), Some(2), "{tunnel}, {len}: {report}");
            assert!(err.contains("header cut off"), "{tunnel}, {len}: {err}");
        }
    }
    // Compressed and encrypted by PPP in PPPoE and in PPTP, as by PPP alone.
    for (tunnel, at) in [("pppoe", 14 + 6), ("pptp", 14 + 20 + 12)] {
        for (protocol, said) in [(0x2d, "TCP compressed by PPP"), (0xfd, "encrypted (PPP)")] {
            let mut data = tunnelled(tunnel, &inner[0].data[14..]).expect("carries IPv4");
            let at = at + data[at..].iter().position(|octet| *octet == 0x21).expect("IP");
            data[at] = protocol;
            let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &[Record::new(0, data)]));
            let output = closewait(&[&path]);
            let (report, err) = text(&output);
            assert_eq!(output.status.code(), Some(2), "{tunnel}, {said}: {report}");
            assert!(err.contains(said), "{tunnel}, {said}: {err}");
        }
    }
    // Parts of packets, and what compresses or hides them.
    let payload = &inner[0].data[14..];
    let over = |protocol: u8, header: &[u8]| {
        let mut data = tunnelled("ipip", payload).expect("carries IPv4");
        let len = (20 + header.len() + payload.len()) as u16;
        data[16..18].copy_from_slice(&len.to_be_bytes());
        data[14 + 9] = protocol;
        data.splice(14 + 20..14 + 20, header.iter().copied());
        data
    };
    let mut vxlan = tunnelled("vxlan", payload).expect("carries IPv4");
    let at = 14 + 20 + 8 + 8;
    vxlan.splice(at + 12..at + 14, [0x88, 0xe5, 0x0c, 0, 0, 0, 0, 1]);
    let mut capwap = tunnelled("capwap", payload).expect("carries IPv4");
    capwap[14 + 20 + 8 + 3] |= 0x80;
    let mut multilink = tunnelled("multilink-ppp", payload).expect("carries IPv4");
    multilink[14 + 8] = 0x80;
    let mut batman = tunnelled("batman", payload).expect("carries IPv4");
    batman[14] = 0x41;
    for (data, said) in [
        (over(108, &[4, 0, 0, 2]), "compressed by IPComp"),
        (over(55, &[6, 0, 0, 0, 192, 0, 2, 9]), "minimal encapsulation"),
        (vxlan, "encrypted (MACsec)"),
        (capwap, "part of a CAPWAP frame"),
        (multilink, "part of a PPP packet"),
        (batman, "part of a batman-adv frame"),
    ] {
        let path = scratch.write("x.pcap", &MICROSECONDS.write(1, &[Record::new(0, data)]));
        let output = closewait(&[&path]);
        let (report, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{said}: {report}");
        assert!(err.contains(said), "{said}: {err}");
    }
    // What is no tunnel is cut, and read far enough.
    let dns =
        [&leak()[0].data[..23], &[17], &leak()[0].data[24..34], &[0, 53, 0x80, 1, 0, 60, 0, 0]];
    let dns = Record { original_len: 94, ..Record::new(0, dns.concat()) };
    let path = scratch.write("dns.pcap", &MICROSECONDS.write(1, &[dns]));
    assert_eq!(closewait(&[&path]).status.code(), Some(0));
}

/// A filter takes what it asks for on every link type, by what was on the wire; where libpcap cannot apply it, nothing was
/// judged.
#[test]
#[cfg(feature = "libpcap")]
fn a_filter_that_cannot_be_applied_is_no_all_clear() {
    let scratch = Scratch::new();
    let behind = |header: &'static [u8]| {
        move |record: Record| Record { data: [header, &record.data[14..]].concat(), ..record }
    };
    let report = |link: u16, records: &[Record], filter: &str| {
        let path = scratch.write("x.pcap", &MICROSECONDS.write(link, records));
        let output = closewait(&[&path, "--", filter]);
        (output.status.code(), text(&output).1)
    };
    // Loopback of hosts with the other order of octets, and with another number for IPv6.
    let heads: [(u16, &[u8], &str); 3] =
        [(0, &[0, 0, 0, 2], "leak"), (108, &[0, 0, 0, 2], "leak"), (0, &[0, 0, 0, 30], "ipv6")];
    for (link, head, name) in heads {
        let records: Vec<Record> = scenario(name).records().into_iter().map(behind(head)).collect();
        let all = closewait(&[&scratch.write("all.pcap", &MICROSECONDS.write(link, &records))]);
        let filter = if name == "ipv6" { "ip6 and tcp" } else { "tcp port 3306" };
        let (code, err) = report(link, &records, filter);
        assert_eq!((code, err.as_str()), (all.status.code(), ""), "{link} {head:?}");
        assert_eq!(code, Some(1), "{link} {head:?}");
    }
    // Lengths are those of the wire.
    let cut: Vec<Record> = scenario("leak")
        .records()
        .into_iter()
        .map(|record| Record { original_len: 1_000, ..record })
        .collect();
    assert_eq!(report(1, &cut, "greater 500").0, Some(1));
    // One that libpcap has no filter for, and a direction that Ethernet does not tell.
    for (link, filter, name) in [(1, "inbound", "ETHERNET"), (197, "tcp", "ERF")] {
        let (code, err) = report(link, &leak(), filter);
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains("x.pcap") && err.contains(&format!("link type {name}")), "{err}");
    }
}
