//! `closewait diff`: leaks before and after, from captures and from reports of them.

mod common;

use common::scenario::Scenario;
use common::talk::{ACK, CLIENT, FIN, SECOND, SERVER, Talk};
use common::wire::MICROSECONDS;
use common::{Scratch, closewait, json_lines, text};
use serde_json::Value;

const LEAKY: &str = "fixtures/captures/pair/leaky.pcap";
const FIXED: &str = "fixtures/captures/pair/fixed.pcap";
const REPRODUCTION: &str = "fixtures/captures/reproduction/app.pcap";

/// The status, the changes and the summary.
fn diff(before: &str, after: &str) -> (Option<i32>, Vec<Value>, Value) {
    let output = closewait(&["diff", before, after, "--format", "jsonl"]);
    let mut lines = json_lines(&output);
    let summary = lines.pop().unwrap_or_else(|| panic!("{}", text(&output).1));
    (output.status.code(), lines, summary)
}

fn scenario(name: &str) -> Scenario {
    let path = common::project("fixtures/scenarios").join(format!("{name}.scn"));
    Scenario::read(&path).expect("a scenario")
}

fn report(scratch: &Scratch, name: &str, capture: &str) -> String {
    let path = scratch.path().join(name).to_str().expect("UTF-8").to_owned();
    closewait(&[capture, "--format", "jsonl", "-o", &path]);
    path
}

#[test]
fn a_leak_that_was_mended_is_gone_and_that_is_shown() {
    let (status, changes, summary) = diff(LEAKY, FIXED);
    assert_eq!(status, Some(0));
    assert_eq!(
        [&summary["new"], &summary["stayed"], &summary["gone"], &summary["unshown"]],
        [0, 0, 1, 0]
    );
    let [change] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((&change["fate"], &change["cause"]), (&"gone".into(), &"transaction-open".into()));
    assert!(change["closed_after"].as_u64() > Some(0), "{change}");
    assert!(change["statements"].as_array().is_some_and(|all| all.len() > 1), "{change}");
}

#[test]
fn a_new_leak_is_told_and_by_the_exit_status_too() {
    let (status, changes, summary) = diff(FIXED, LEAKY);
    assert_eq!((status, &summary["new"]), (Some(1), &1.into()));
    assert_eq!(changes[0]["fate"], "new");
    let (status, _, summary) = diff(LEAKY, LEAKY);
    assert_eq!((status, &summary["stayed"]), (Some(0), &1.into()));
}

/// Of both captures, what is asked for counts; where nothing is, nothing is known.
#[test]
fn both_captures_are_narrowed() {
    let narrowed = |expression: &str, before: &str| {
        let output = closewait(&["diff", "-f", expression, before, FIXED]);
        (output.status.code(), text(&output))
    };
    let (status, (out, _)) = narrowed("port 3306", LEAKY);
    assert!(status == Some(0) && out.starts_with("1 kind of leak gone."), "{out}");
    let (status, (out, err)) = narrowed("port 1", LEAKY);
    assert!(status == Some(2) && err.contains("no TCP connection is what -f"), "{out}{err}");
    let scratch = Scratch::new();
    let (status, (out, err)) = narrowed("port 3306", &report(&scratch, "leaky.jsonl", LEAKY));
    assert!(status == Some(2) && err.contains("cannot narrow: name its capture"), "{out}{err}");
    let output = closewait(&["diff", "--tag", "controller=orders", LEAKY, FIXED]);
    assert_eq!(output.status.code(), Some(2));
}

/// A report in JSON lines is as good as its capture.
#[test]
fn a_report_stands_for_its_capture() {
    let scratch = Scratch::new();
    for (before, after) in
        [(LEAKY, FIXED), (FIXED, LEAKY), (REPRODUCTION, LEAKY), (LEAKY, REPRODUCTION)]
    {
        let of_captures = diff(before, after);
        let [before, after] = [("before.jsonl", before), ("after.jsonl", after)]
            .map(|(name, capture)| report(&scratch, name, capture));
        let (status, changes, summary) = diff(&before, &after);
        // Only a capture shows what was said on connections that were closed.
        let without = |changes: &[Value]| -> Vec<Value> {
            let told = changes.iter().cloned().map(|mut change| {
                change["closed_after"].take();
                change["shown"].take();
                change
            });
            told.collect()
        };
        assert_eq!((status, without(&changes)), (of_captures.0, without(&of_captures.1)));
        assert_eq!(summary["new"], of_captures.2["new"]);
    }
}

/// Fewer leaks are no proof: perhaps nobody came that way.
#[test]
fn a_leak_that_nothing_shows_to_be_mended_is_not_called_so() {
    let scratch = Scratch::new();
    let open = Talk::logged_in(3306).ask("BEGIN", 0x0003).wait(30);
    let quiet = scratch.write("quiet.pcap", &open.capture(60));
    let leak = open.closed_by_server();
    let leak = scratch.write("leak.pcap", &leak.capture(60));
    let (status, changes, summary) = diff(&leak, &quiet);
    assert_eq!((status, &summary["gone"], &summary["unshown"]), (Some(0), &1.into(), &1.into()));
    assert_eq!(changes[0]["shown"], false);
    let (shown, _) = text(&closewait(&["diff", &leak, &quiet]));
    assert!(shown.contains("that it was mended is not shown"), "{shown}");
    assert!(shown.contains("no proof that it was mended"), "{shown}");
}

/// Of two encrypted ones nobody knows whether they went the same way.
#[test]
fn what_is_encrypted_shows_no_way() {
    let scratch = Scratch::new();
    let talk = || {
        let record = b"\x17\x03\x03\0\x04\x8f\x02\x9a\x31";
        let talk = Talk::with(5432).say(CLIENT, b"\0\0\0\x08\x04\xd2\x16\x2f").say(SERVER, b"S");
        let talk = talk.say(CLIENT, b"\x16\x03\x01\0\x05hello").say(SERVER, record);
        talk.say(CLIENT, record).wait(10).closed_by_server()
    };
    let leak = scratch.write("leak.pcap", &talk().capture(60));
    let mut closed = talk();
    closed.send(CLIENT, FIN | ACK, b"");
    closed.send(SERVER, ACK, b"");
    let closed = scratch.write("closed.pcap", &closed.capture(60));
    let (_, changes, summary) = diff(&leak, &closed);
    assert_eq!((&changes[0]["cause"], &summary["unshown"]), (&"unknown".into(), &1.into()));
    assert_eq!(changes[0]["closed_after"], Value::Null, "{changes:?}");
    let (shown, _) = text(&closewait(&["diff", &leak, &closed]));
    assert!(shown.contains("that it was mended is not shown"), "{shown}");
    assert!(shown.contains("compare captures, of whole packets that are not encrypted"), "{shown}");
}

/// Who logs in and asks goes another way than who did not even read the greeting.
#[test]
fn what_was_said_is_another_way_than_nothing() {
    let scratch = Scratch::new();
    let unread = Talk::greeted(40_000, 3306).wait(10).closed_by_server();
    let unread = scratch.write("unread.pcap", &unread.capture(60));
    let closed = |talk: Talk| {
        let mut talk = talk.wait(10).closed_by_server();
        talk.send(CLIENT, FIN | ACK, b"");
        talk.send(SERVER, ACK, b"");
        talk.capture(60)
    };
    let used = Talk::logged_in(3306).ask("SELECT a FROM t", 0x0002);
    let idle = Talk::logged_in(3306);
    for (talk, is_shown) in [(used, false), (idle, false), (Talk::greeted(40_000, 3306), true)] {
        let (_, changes, _) = diff(&unread, &scratch.write("closed.pcap", &closed(talk)));
        let [change] = &changes[..] else { panic!("{changes:?}") };
        assert_eq!((&change["fate"], &change["cause"]), (&"gone".into(), &"not-logged-in".into()));
        assert_eq!(change["shown"], is_shown, "{change}");
    }
}

/// What was in CLOSE-WAIT before, and did not count, may be what is new now.
#[test]
fn what_did_not_count_before_is_said_beside_what_is_new() {
    let scratch = Scratch::new();
    let leak = Talk::logged_in(3306).ask("SELECT a FROM t", 0x0002).wait(10).closed_by_server();
    let mut brief = Talk { records: leak.records.clone(), ..Talk::with(3306) };
    brief.nanos = leak.nanos;
    let long = scratch.write("long.pcap", &leak.capture(60));
    let brief = scratch.write("brief.pcap", &MICROSECONDS.write(1, &brief.records));
    for options in [&["--certain"][..], &["--min-hold", "5s"]] {
        let run = |more: &[&str]| closewait(&[&["diff", &brief, &long], options, more].concat());
        let (shown, _) = text(&run(&[]));
        let said = "1 connection of the first capture in CLOSE-WAIT does not count: \
                    not for long enough, or with doubts; what is new may be older.";
        assert!(shown.starts_with("1 kind of leak new.") && shown.contains(said), "{shown}");
        let summary = json_lines(&run(&["--format", "jsonl"])).pop().expect("a summary");
        assert_eq!([&summary["uncounted_before"], &summary["uncounted"]], [1, 0]);
    }
}

/// The same statements from other code are another leak, in captures and in reports of them.
#[test]
fn code_tells_leaks_apart() {
    let scratch = Scratch::new();
    let leak = |name: &str, action: &str| {
        let sql = format!("UPDATE t SET a=1 /*controller='orders',action='{action}'*/");
        let talk = Talk::logged_in(3306).ask("BEGIN", 0x0003).ask(&sql, 0x0003).wait(30);
        scratch.write(name, &talk.closed_by_server().capture(60))
    };
    let (before, after) = (leak("before.pcap", "update"), leak("after.pcap", "charge"));
    let reports = [("a.jsonl", &before), ("b.jsonl", &after)]
        .map(|(name, capture)| report(&scratch, name, capture));
    for (before, after) in [(&before, &after), (&reports[0], &reports[1])] {
        let (status, changes, summary) = diff(before, after);
        assert_eq!((status, &summary["new"], &summary["gone"]), (Some(1), &1.into(), &1.into()));
        let told = |change: &Value| (change["fate"].clone(), change["code"].clone());
        assert_eq!(told(&changes[0]), ("new".into(), "orders#charge".into()));
        assert_eq!(told(&changes[1]), ("gone".into(), "orders#update".into()));
    }
    assert_eq!(diff(&before, &reports[0]).0, Some(0));
    let (shown, _) = text(&closewait(&["diff", &before, &after]));
    assert!(shown.contains("       by orders#charge\n"), "{shown}");
    let (page, _) = text(&closewait(&["diff", &before, &after, "--format", "html"]));
    assert!(page.contains("<th>Code</th>") && page.contains("orders#charge"), "{page}");
}

#[test]
fn text_and_page_tell_the_same() {
    let (shown, _) = text(&closewait(&["diff", LEAKY, FIXED]));
    let first = shown.lines().next().expect("a headline");
    assert_eq!(first, "1 kind of leak gone.");
    let (page, _) = text(&closewait(&["diff", LEAKY, FIXED, "--format", "html"]));
    assert!(page.contains(&format!("<p class=\"answer\">{first}</p>")), "{page}");
    assert!(page.contains("<section id=\"gone\"") && !page.contains("<section id=\"new\""));
}

#[test]
fn what_cannot_be_read_is_an_error_and_no_all_clear() {
    let scratch = Scratch::new();
    let whole = std::fs::read_to_string(report(&scratch, "whole.jsonl", LEAKY)).expect("text");
    let cut = scratch.write("cut.jsonl", whole.lines().next().expect("a line").as_bytes());
    let odd = scratch.write("odd.jsonl", format!("{whole}oh\n").as_bytes());
    for (before, after, words) in [
        (LEAKY, "no-such.pcap", "no-such.pcap"),
        (LEAKY, &cut, "has no summary"),
        (&odd, LEAKY, "is not of a report"),
    ] {
        let output = closewait(&["diff", before, after]);
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains(words), "{err}");
    }
}

/// A report is read for a capture only if it is a whole one, of a capture that was read whole and judged.
#[test]
fn a_report_that_says_too_little_is_refused() {
    let scratch = Scratch::new();
    let whole = std::fs::read(common::project(LEAKY)).expect("there");
    let broken = scratch.write("broken.pcap", &[&whole[..whole.len() / 2], &[0xff; 64]].concat());
    let partly = report(&scratch, "partly.jsonl", &broken);
    let nobody = scratch.path().join("nobody.jsonl").to_str().expect("UTF-8").to_owned();
    closewait(&["--local", "192.0.2.77", LEAKY, "--format", "jsonl", "-o", &nobody]);
    let lines = std::fs::read_to_string(report(&scratch, "all.jsonl", LEAKY)).expect("there");
    let summary = lines.lines().last().expect("a summary");
    let missing = scratch.write("missing.jsonl", format!("{summary}\n").as_bytes());
    let list = scratch.write("list", b"CLOSE-WAIT 1 0 10.0.0.5:40000 10.0.0.9:9000\n");
    let sockets = scratch.path().join("sockets.jsonl").to_str().expect("UTF-8").to_owned();
    closewait(&["sockets", &list, "--all", "--format", "jsonl", "-o", &sockets]);
    for (after, words) in [
        (partly, "was not read whole"),
        (nobody, "--local names no end"),
        (missing, "lines are missing"),
        (sockets, "lists sockets"),
    ] {
        let output = closewait(&["diff", LEAKY, &after]);
        let (report, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{after}: {report}");
        assert!(err.contains(words), "{err}");
    }
}

/// Where one capture has packets in part, what was said does not tell leaks apart, and shows nothing to be mended.
#[test]
fn the_same_packets_in_part_are_the_same_leaks() {
    const SNAPPED: &str = "fixtures/captures/reproduction/snap128.pcap";
    for (before, after) in [(REPRODUCTION, SNAPPED), (SNAPPED, REPRODUCTION)] {
        let (status, changes, summary) = diff(before, after);
        assert_eq!((status, &summary["new"], &summary["gone"]), (Some(0), &0.into(), &0.into()));
        assert_eq!(summary["cut"], true);
        assert!(changes.iter().all(|change| change["closed_after"].is_null()), "{changes:?}");
    }
}

/// A restart that closes what was held for long mends nothing.
#[test]
fn what_was_closed_after_a_long_hold_is_no_proof() {
    let scratch = Scratch::new();
    let [held, late] = ["leak", "late-close"]
        .map(|name| scratch.write(name, &MICROSECONDS.write(1, &scenario(name).records())));
    let (status, changes, summary) = diff(&held, &late);
    assert_eq!((status, &summary["gone"], &summary["unshown"]), (Some(0), &1.into(), &1.into()));
    assert_eq!((&changes[0]["closed_after"], &changes[0]["shown"]), (&0.into(), &false.into()));
    let output = closewait(&["diff", &held, &held, "--min-hold", "1d"]);
    assert!(text(&output).0.contains("1 connection of the second capture in CLOSE-WAIT do"));
}

/// What a program forgot is closed when it ends: held for long and closed after all is no leak, and no mending either.
#[test]
fn what_the_end_of_a_program_closed_is_said() {
    let scratch = Scratch::new();
    let talk = |held: u64| {
        let mut talk = Talk::with(9000).say(CLIENT, b"q").say(SERVER, b"a").wait(30);
        talk = talk.closed_by_server();
        talk.nanos += held * SECOND;
        talk.send(CLIENT, FIN | ACK, b"");
        talk.send(SERVER, ACK, b"");
        MICROSECONDS.write(1, &talk.records)
    };
    let (good, late) = (scratch.write("good.pcap", &talk(0)), scratch.write("late.pcap", &talk(8)));
    let said = "1 connection of the second capture: held in CLOSE-WAIT for a second or more";
    let output = closewait(&["diff", &good, &late]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output).0.contains(said), "{}", text(&output).0);
    assert!(!text(&closewait(&["diff", &late, &good])).0.contains("held in CLOSE-WAIT for"));
    for (capture, is_warned) in [(&good, false), (&late, true)] {
        let output = closewait(&["check", capture]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output).0.contains("--max-held 1s fails then"), is_warned);
    }
}

/// A text has nothing of what its packets carried: it shows the same leak, and mends none.
#[test]
fn a_text_of_packets_has_the_same_leaks() {
    let at = |seconds: u64, from: &str, rest: &str| {
        let ends = ["127.0.0.1.39010", "127.0.0.2.3306"];
        let to = if from == ends[0] { ends[1] } else { ends[0] };
        format!("11:19:{seconds:02}.000000 IP {from} > {to}: Flags {rest}\n")
    };
    let (client, server) = ("127.0.0.1.39010", "127.0.0.2.3306");
    let lines = [
        at(1, client, "[S], seq 100, win 500, length 0"),
        at(1, server, "[S.], seq 500, ack 101, win 500, length 0"),
        at(1, client, "[.], ack 501, win 500, length 0"),
        at(2, client, "[P.], seq 101:111, ack 501, win 500, length 10"),
        at(2, server, "[P.], seq 501:511, ack 111, win 500, length 10"),
        at(4, server, "[F.], seq 511, ack 111, win 500, length 0"),
        at(4, client, "[.], ack 512, win 500, length 0"),
        at(9, server, "[.], ack 111, win 500, length 0"),
    ];
    let scratch = Scratch::new();
    let pasted = scratch.write("pasted.txt", lines.concat().as_bytes());
    let reported = report(&scratch, "pasted.jsonl", &pasted);
    for (before, after) in [(pasted.as_str(), LEAKY), (LEAKY, &pasted), (&reported, LEAKY)] {
        let (status, changes, summary) = diff(before, after);
        assert_eq!((status, &summary["stayed"]), (Some(0), &1.into()), "{changes:?}");
        assert_eq!((&summary["new"], &summary["gone"]), (&0.into(), &0.into()));
    }
}

/// Where nobody read what was said, a connection that closed proves nothing.
#[test]
fn what_was_not_read_shows_nothing_to_be_mended() {
    let output = closewait(&["diff", "--no-content", LEAKY, FIXED]);
    let (report, _) = text(&output);
    assert_eq!(output.status.code(), Some(0));
    assert!(report.contains("that it was mended cannot be shown so"), "{report}");
    assert!(report.contains("or not read (--no-content)"), "{report}");
}

/// Counts grow with time: a capture that was shorter has fewer by that alone, and a report of it, too.
#[test]
fn captures_of_unequal_length_are_said_to_be() {
    let scratch = Scratch::new();
    let leak = |seconds: u64| Talk::with(9000).wait(5).closed_by_server().capture(seconds);
    let none = Talk::with(9000).wait(5).capture(600);
    let [none, long, short] = [("none", none), ("long", leak(600)), ("short", leak(10))]
        .map(|(name, octets)| scratch.write(name, &octets));
    let reported = report(&scratch, "none.jsonl", &none);
    let said = "The first capture took 10 min 5 s, the second 15.0 s: ";
    // Nothing is more or fewer where as many are there.
    for (before, after, is_said) in [
        (&none, &short, true),
        (&reported, &short, true),
        (&none, &long, false),
        (&long, &short, false),
    ] {
        let (out, _) = text(&closewait(&["diff", before, after]));
        assert!(out.contains(" → 1"), "{out}");
        assert_eq!(out.contains(said), is_said, "{before} {after}: {out}");
        assert_eq!(out.contains("capture took"), is_said, "{before} {after}: {out}");
    }
}

/// A capture that begins later has connections from before it, of which nobody knows what was said: their leaks may be those
/// of before, and are no new kind.
#[test]
fn leaks_of_which_nothing_is_known_are_no_new_ones() {
    let scratch = Scratch::new();
    let talk = Talk::logged_in(3306).ask("SELECT 1", 0x0002).wait(5).closed_by_server();
    let whole = scratch.write("whole.pcap", &talk.capture(60));
    // Without what came before the FIN.
    let records = [&talk.records[talk.records.len() - 3..], &[arp(&talk)]].concat();
    let later = scratch.write("later.pcap", &MICROSECONDS.write(1, &records));
    for (before, after) in [(&whole, &later), (&later, &whole)] {
        let output = closewait(&["diff", before, after]);
        let (out, _) = text(&output);
        assert!(output.status.code() == Some(0) && out.contains("1 → 1"), "{out}");
        assert!(out.contains("peer 172.18.0.3:3306: nothing is known of what was said"), "{out}");
    }
    // Of another service, it is new all the same.
    let other = Talk::with(5432).say(CLIENT, b"q").say(SERVER, b"a").wait(5).closed_by_server();
    let other = scratch.write("other.pcap", &other.capture(60));
    assert_eq!(closewait(&["diff", &other, &later]).status.code(), Some(1));
}

/// A packet a minute after the last of a talk.
fn arp(talk: &Talk) -> common::wire::Record {
    common::wire::Record::new(talk.nanos + 60 * SECOND, common::wire::arp())
}

/// Several files of one capture are no arguments of it: what is, is said.
#[test]
fn a_ring_of_files_is_told_how_it_is_compared() {
    let folder = "fixtures/captures/reproduction/rotated";
    let said = "of a capture in several files, name its report: closewait --format jsonl FILES -o before.jsonl";
    for args in [&["diff", folder, LEAKY][..], &["diff", LEAKY, FIXED, REPRODUCTION]] {
        let output = closewait(args);
        let (_, err) = text(&output);
        assert!(output.status.code() == Some(2) && err.contains(said), "{err}");
    }
}
