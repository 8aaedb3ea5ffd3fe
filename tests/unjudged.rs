//! What nobody could read, and what is somebody else's, is no pass.

mod common;

use common::talk::{ACK, CLIENT, FIN, RST, SERVER, Talk};
use common::wire::{MICROSECONDS, Record};
use common::{Scratch, closewait, text};

/// MySQL goes over to TLS.
fn encrypted(client: u16) -> Talk {
    let asks = [&0x0008_aa09_u32.to_le_bytes()[..], b"\0\0\0\x01\x2d", &[0; 23]].concat();
    let talk = Talk::greeted(client, 3306).packet(CLIENT, 1, &asks);
    let talk = talk.say(CLIENT, b"\x16\x03\x01\0\x05hello").say(SERVER, b"\x16\x03\x03\0\x05there");
    talk.say(CLIENT, b"\x17\x03\x03\0\x04abcd").say(SERVER, b"\x17\x03\x03\0\x04efgh")
}

/// All of them in one capture, that goes on for a minute.
fn together(talks: impl IntoIterator<Item = Talk>) -> Vec<Record> {
    let mut records: Vec<Record> = talks.into_iter().flat_map(|talk| talk.records).collect();
    records.sort_by_key(|record| record.nanos);
    let end = records.last().map_or(0, |last| last.nanos) + 60_000_000_000;
    records.push(Record::new(end, common::wire::arp()));
    records
}

/// The status and the report of a command over these packets, with an expectation beside them.
fn run(records: &[Record], expectation: &str, args: &[&str]) -> (Option<i32>, String) {
    let scratch = Scratch::new();
    if !expectation.is_empty() {
        scratch.write("x.expect.toml", expectation.as_bytes());
    }
    let path = scratch.write("x.pcap", &MICROSECONDS.write(1, records));
    let args: Vec<&str> = args.iter().map(|arg| if *arg == "X" { &path } else { *arg }).collect();
    let output = closewait(&args);
    let (out, err) = text(&output);
    (output.status.code(), out + &err)
}

/// The first octets of each packet, as a snap length leaves them.
fn cut(mut records: Vec<Record>, octets: usize) -> Vec<Record> {
    records.iter_mut().for_each(|record| record.data.truncate(octets));
    records
}

/// It passed: what is not known to be open was taken for closed.
#[test]
fn no_transaction_is_open_only_where_that_can_be_told() {
    let begun = || Talk::logged_in(3306).ask("BEGIN", 3);
    let mut midstream = Talk::logged_in(3306);
    let told = midstream.records.len();
    midstream = midstream.packet(CLIENT, 0, b"\x0e");
    midstream.records.drain(..told);
    let cases = [
        (together([encrypted(40_000)]), "encrypted"),
        (cut(together([begun()]), 60), "cut or lost"),
        (together([midstream]), "cut or lost"),
        (together([encrypted(40_000).wait(20).closed_by_server()]), "encrypted"),
    ];
    for (records, why) in cases {
        let (status, out) =
            run(&records, "transactions_open = 0\nleak = { max = 1 }", &["check", "X"]);
        let words = format!(
            "transactions_open: expected 0, found 0, and 1 connection of which it cannot be told ({why})"
        );
        assert!(status == Some(1) && out.contains(&words), "{out}");
        let most = "transactions_open = { max = 1 }\nleak = { max = 1 }";
        assert_eq!(run(&records, most, &["check", "X"]).0, Some(0), "it is one at most");
    }
    let (status, out) =
        run(&together([begun(), encrypted(40_001)]), "transactions_open = 0", &["check", "X"]);
    assert!(status == Some(1) && out.contains("transactions_open: expected 0, found 1\n"), "{out}");
}

/// That no transaction is expected says nothing of connections that have none.
#[test]
fn a_key_of_transactions_lets_pass_what_has_some() {
    let open = together([Talk::with(8123).say(CLIENT, b"hello").say(SERVER, b"world")]);
    let (status, out) = run(&open, "transactions_open = 0", &["check", "X"]);
    let words = "judged: expected a connection that its peer closed, found none: 1 open; the peer's timeout \
                 lies after the capture (shorten it, or expect open_idle or open)";
    assert!(status == Some(1) && out.contains(words), "{out}");
    let tried = {
        let mut talk = Talk::with(8123);
        talk.records.truncate(1);
        together([talk])
    };
    for expected in ["transactions_open = 0", "open_idle = { idle = '1s' }"] {
        let (status, out) = run(&tried, expected, &["check", "X"]);
        assert!(status == Some(1) && out.contains("found 1 attempt and no connection"), "{out}");
    }
}

/// A connection that was refused is none: it passed, though nobody could have left anything.
#[test]
fn what_was_only_refused_is_no_pass() {
    let refused = |client| {
        let mut talk = Talk::between(client, 8123);
        talk.records.truncate(1);
        talk.send(SERVER, RST | ACK, b"");
        talk
    };
    let mut tried = Talk::between(40_002, 8123);
    tried.records.truncate(1);
    let one = together([refused(40_000)]);
    let both = together([refused(40_000), tried]);
    for (records, words) in [
        (&one, "found 1 attempt (1 refused) and no connection"),
        (&both, "found 2 attempts (1 refused) and no connection"),
    ] {
        let (status, out) = run(records, "", &["check", "X"]);
        assert!(status == Some(1) && out.contains(words), "{out}");
        assert_eq!(run(records, "reset = 1", &["check", "X"]).0, Some(0), "it is meant to be");
        let (_, out) = run(records, "leak = 0", &["check", "X", "--bless"]);
        assert!(!out.contains("FAILED"), "{out}");
    }
    let open = Talk::between(40_001, 8123).say(CLIENT, b"hello").say(SERVER, b"world");
    let (_, out) = run(&together([refused(40_000), open.wait(1)]), "", &["X"]);
    let words = "among 2 connections, but no FIN was seen, so nothing was judged: 1 open";
    assert!(out.contains(words), "{out}");
    let closed = Talk::between(40_001, 8123).say(CLIENT, b"hello").closed_by_client();
    let mut closed = closed;
    closed.send(SERVER, FIN | ACK, b"");
    closed.send(CLIENT, ACK, b"");
    assert_eq!(run(&together([refused(40_000), closed]), "", &["check", "X"]).0, Some(0));
}

/// A connection of another host, which its peer closed, was taken for the one that was judged.
#[test]
fn what_others_closed_judges_nobody() {
    let open = Talk::between(40_001, 8123).say(CLIENT, b"hello");
    let mut closed = Talk::between(40_000, 8123).say(CLIENT, b"hello").closed_by_server();
    closed.send(CLIENT, FIN | ACK, b"");
    closed.send(SERVER, ACK, b"");
    let records = together([open, closed]);
    let local = ["--local", "172.18.0.5:40001"];
    let (status, out) = run(&records, "", &[&["check", "X"], &local[..]].concat());
    assert!(
        status == Some(1) && out.contains("judged: expected a connection that its peer"),
        "{out}"
    );
    let (_, out) = run(&records, "", &[&["X"], &local[..]].concat());
    let words = "among 1 of 2 connections that --local names, but no FIN was seen, so nothing was judged: 1 open";
    assert!(out.contains(words), "{out}");
    let (_, out) = run(&records, "", &["X", "--local", "172.18.0.5:40000"]);
    assert!(out.starts_with("No connection left in CLOSE-WAIT among 2 connections.\n"), "{out}");
}

/// A connection with a tag, which both sides have closed.
fn tagged() -> Talk {
    let ours = "SELECT 1 /*controller='orders'*/";
    let mut closed = Talk::logged_in_by(40_000, 3306).ask(ours, 2).closed_by_server();
    closed.send(CLIENT, FIN | ACK, b"");
    closed.send(SERVER, ACK, b"");
    closed
}

/// An encrypted connection, and one whose last statement is cut before its comment: a leak of which nobody can say whose
/// it is was left out in silence.
#[test]
fn what_may_have_the_tags_is_not_left_out_in_silence() {
    let closed = tagged();
    let long = format!("SELECT {} /*controller='orders'*/", "column, ".repeat(40));
    let cut_off = Talk::logged_in_by(40_002, 3306).ask(&long, 2).wait(5).closed_by_server();
    let sealed = encrypted(40_001).wait(5).closed_by_server();
    let with = |talk: &Talk| {
        let records = [&closed.records[..], &talk.records].concat();
        cut(together([Talk { records, ..Talk::with(1) }]), 256)
    };
    for talk in [sealed, cut_off] {
        let records = with(&talk);
        let (status, out) = run(&records, "", &["check", "X", "--tag", "controller=orders"]);
        assert!(status == Some(1) && out.contains("unknown: expected at most 0, found 1"), "{out}");
        assert!(out.contains("1 connection whose tags cannot be told"), "{out}");
        assert_eq!(
            run(&records, "", &["check", "X", "--tag", "job=x", "--max-unknown", "1"]).0,
            Some(1)
        );
        let may_be = ["check", "X", "--tag", "controller=orders", "--max-unknown", "1"];
        assert_eq!(run(&records, "", &may_be).0, Some(0));
        let (_, out) = run(&records, "", &["X", "--tag", "controller=orders"]);
        let first = "No finding among 1 connection, but not everything was judged; 1 in CLOSE-WAIT whose tags cannot be \
                     told.\n1 connection left out, whose tags cannot be told";
        assert!(out.starts_with(first), "{out}");
        let (_, out) = run(&records, "", &["X", "--tag", "controller=orders", "--format", "jsonl"]);
        assert!(out.contains("\"tags_untold\":1"), "{out}");
        // Where there are rows alone, nothing else says it.
        for form in [&["--folded"][..], &["--format", "csv"]] {
            let args = [&["X", "--tag", "controller=orders"], form].concat();
            let words = "1 connection in CLOSE-WAIT left out, whose tags cannot be told";
            let (status, out) = run(&records, "", &args);
            assert!(status == Some(0) && out.matches(words).count() == 1, "{out}");
        }
    }
    // What was read to its end has others, or none; what has none can have none.
    let others = Talk::logged_in_by(40_001, 3306).ask("SELECT 1 /*controller='users'*/", 2);
    let plain = Talk::between(40_002, 8123).say(CLIENT, b"hello").closed_by_server();
    for talk in [others.closed_by_server(), plain] {
        let (status, out) = run(&with(&talk), "", &["check", "X", "--tag", "controller=orders"]);
        assert!(status == Some(0) && !out.contains("tags"), "{out}");
    }
}

/// What is in no protocol that is read was left out without a word.
#[test]
fn what_nobody_reads_is_not_left_out_in_silence() {
    let closed = tagged();
    let words = Talk::between(40_001, 5555).say(CLIENT, b"\x16\x03\x01\0\x05hello");
    let open = Talk { records: words.records.clone(), ..Talk::with(1) };
    let left = words.wait(5).closed_by_server();
    let records = |other: Talk| {
        let records = [&closed.records[..], &other.records].concat();
        together([Talk { records, ..Talk::with(1) }])
    };
    let of = ["--tag", "controller=orders"];
    let held = records(left);
    let (status, out) = run(&held, "", &[&["check", "X"], &of[..]].concat());
    let words = "1 connection in CLOSE-WAIT left out, whose protocol is not read";
    assert!(status == Some(0) && out.contains(words), "{out}");
    let (_, out) = run(&held, "", &[&["X"], &of[..]].concat());
    let words = "No finding among 1 connection, but not everything was judged; 1 in CLOSE-WAIT in a protocol that is not read.";
    assert!(out.starts_with(words), "{out}");
    let (_, out) = run(&held, "", &[&["X", "--format", "jsonl"], &of[..]].concat());
    assert!(out.contains("\"tags_unread\":1"), "{out}");
    // Where there are rows alone, nothing else says it.
    for form in [&["--folded"][..], &["--format", "csv"]] {
        let words = "1 connection in CLOSE-WAIT left out, whose protocol is not read";
        let (status, out) = run(&held, "", &[&["X"], &of[..], form].concat());
        assert!(status == Some(0) && out.matches(words).count() == 1, "{out}");
    }
    let (_, out) = run(&records(open), "", &[&["X"], &of[..]].concat());
    assert!(out.starts_with("No connection left in CLOSE-WAIT among 1 connection.\n"), "{out}");
}

/// A status that nothing explains is a riddle: the reason is said where the report has none.
#[test]
fn that_nobody_was_judged_is_said_beside_every_form() {
    let records = together([Talk::logged_in(3306).ask("SELECT 1", 2).closed_by_server()]);
    let scratch = Scratch::new();
    let file = scratch.path().join("report").to_str().expect("UTF-8").to_owned();
    let local = ["X", "--local", "10.0.0.99"];
    let words = "--local names no end of any connection, so none was judged";
    for form in [
        &["--folded"][..],
        &["--format", "csv"],
        &["--format", "jsonl"],
        &["--format", "html", "-o", &file],
        &["-o", &file],
    ] {
        let (status, out) = run(&records, "", &[&local[..], form].concat());
        assert!(status == Some(2) && out.matches(words).count() == 1, "{form:?}: {out}");
    }
    // The headline says it.
    let (status, out) = run(&records, "", &local);
    assert!(status == Some(2) && out.starts_with("Nothing was judged: --local"), "{out}");
    assert!(!out.contains(words), "{out}");
    let explain = ["explain", "X", "--frame", "1", "--local", "10.0.0.99"];
    let (status, out) = run(&records, "", &explain);
    let words = "--local names neither end of this connection, so it is not judged";
    assert!(status == Some(2) && out.contains(words), "{out}");
}

/// A capture that is full of others was said to be empty.
#[test]
fn what_a_question_left_out_was_there() {
    let records = together([Talk::logged_in(3306).ask("SELECT 1", 2).closed_by_server()]);
    for (question, words) in [
        (&[][..], "leak: expected"),
        (
            &["--tag", "job=x"],
            "found no TCP connection that has all the tags that were asked for (flows = 0 allows it)",
        ),
        (
            &["-f", "port 5432"],
            "found no TCP connection that matches the filter (flows = 0 allows it)",
        ),
    ] {
        let (status, out) = run(&records, "", &[&["check", "X"], question].concat());
        assert!(status == Some(1) && out.contains(words), "{out}");
    }
    let (_, out) = run(&together([]), "", &["check", "X"]);
    assert!(out.contains("found no TCP connection: a capture without any shows nothing"), "{out}");
}

/// A filter that looks behind no VLAN tag finds nothing where all packets have one: that is no all-clear.
#[test]
fn what_a_filter_cannot_see_for_its_tags_is_no_all_clear() {
    let plain = together([Talk::logged_in(3306).ask("SELECT 1", 2).closed_by_server()]);
    let mut tagged = plain.clone();
    for record in &mut tagged {
        record.data.splice(12..12, [0x81, 0x00, 0x00, 0x07]);
    }
    let words = "no TCP matches the filter, which looks behind no VLAN tag";
    for (records, filter, status, is_said) in [
        (&tagged, "port 3306", 2, true),
        (&tagged, "vlan and port 3306", 1, false),
        (&tagged, "vlan 8 and port 3306", 0, false),
        (&tagged, "port 5432", 0, false),
        (&plain, "port 5432", 0, false),
    ] {
        let (ended, out) = run(records, "", &["X", "-f", filter]);
        assert_eq!((ended, out.contains(words)), (Some(status), is_said), "{filter}: {out}");
    }
    let (status, out) = run(&tagged, "", &["check", "X", "-f", "port 3306"]);
    assert!(status == Some(2) && out.contains(words), "{out}");
}
