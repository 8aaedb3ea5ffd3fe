//! `closewait check`: each kind of expectation, met and broken; blessing, baselines, forms of the report.

mod common;

use std::fs;
use std::process::Output;

use common::talk::{ACK, CLIENT, FIN, RST, SERVER, Talk};
use common::{Scratch, closewait, command, json_lines, text};

/// A transaction that was left open, closed by the server after 50 s.
fn leak() -> Talk {
    let talk = Talk::logged_in(3306).ask("BEGIN", 0x0003);
    talk.ask("UPDATE t SET a=1 WHERE id=7", 0x0003).wait(50).closed_by_server()
}

/// The same without a transaction.
fn forgotten() -> Talk {
    Talk::logged_in(3306).ask("SELECT 1", 0x0002).wait(50).closed_by_server()
}

/// The client closes after so long in CLOSE-WAIT.
fn closed_after(seconds: u64) -> Talk {
    let mut talk = forgotten().wait(seconds);
    talk.send(CLIENT, FIN | ACK, b"");
    talk.send(SERVER, ACK, b"");
    talk
}

/// A folder with captures and expectations.
struct Project(Scratch);

impl Project {
    fn new() -> Project {
        Project(Scratch::new())
    }

    fn with(talk: &Talk) -> Project {
        Project::new().capture("x.pcap", talk)
    }

    fn capture(self, name: &str, talk: &Talk) -> Project {
        self.0.write(name, &talk.capture(60));
        self
    }

    fn file(self, name: &str, text: &str) -> Project {
        self.0.write(name, text.as_bytes());
        self
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).expect("a file")
    }

    fn run(&self, args: &[&str]) -> Output {
        let args = [&["check"], args].concat();
        command(&args).current_dir(self.0.path()).output().expect("the binary runs")
    }

    fn out(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.run(args);
        let (out, err) = text(&output);
        (output.status.code(), out + &err)
    }
}

/// Each expectation beside the same capture: met, or broken with these words.
fn each(talk: &Talk, cases: &[(&str, Option<&str>)]) {
    for (expectation, broken) in cases {
        let project = Project::with(talk).file("x.expect.toml", expectation);
        let (status, out) = project.out(&["x.pcap"]);
        match broken {
            None => assert_eq!(status, Some(0), "{expectation}\n{out}"),
            Some(words) => {
                assert_eq!(status, Some(1), "{expectation}\n{out}");
                assert!(out.contains(words) && out.contains("FAILED"), "{expectation}\n{out}");
            }
        }
    }
}

#[test]
fn counts_and_bounds_by_verdict() {
    each(
        &leak(),
        &[
            ("leak = 1", None),
            ("leak = { max = 2 }", None),
            ("leak = { min = 1 }", None),
            ("max_leaks = 1", None),
            ("leak = 0", Some("leak: expected 0, found 1")),
            ("leak = 2", Some("leak: expected 2, found 1")),
            ("leak = { min = 2, max = 3 }", Some("leak: expected 2 to 3, found 1")),
            ("closed = { min = 1 }", Some("closed: expected at least 1, found 0")),
            ("leak = 1\nclosed = 0\nflows = 1", None),
            ("leak = 1\nflows = { min = 2 }", Some("flows: expected at least 2, found 1")),
            // Nothing is said of findings: there should be none.
            ("flows = 1", Some("leak: expected at most 0, found 1")),
        ],
    );
}

#[test]
fn how_long_it_was_held_counts_even_if_closed_in_the_end() {
    each(
        &closed_after(20),
        &[
            ("held = { max = '30s' }", None),
            ("held = { min = '10s' }", None),
            ("max_held = 30", None),
            ("held = { max = '5s' }", Some("held: expected at most 5.0 s, found 20.0 s")),
            ("max_held = 20", Some("held: expected at most 20.000 s, found 20.001 s")),
            ("held = { min = '1min' }", Some("held: expected at least 60.0 s, found 20.0 s")),
        ],
    );
    each(&leak(), &[("leak = 1\nheld = { max = '5s' }", Some("held: expected at most 5.0 s"))]);
}

#[test]
fn what_is_open_at_the_end() {
    let open = Talk::logged_in(3306).ask("BEGIN", 0x0003);
    each(
        &open,
        &[
            ("open_idle = { idle = '2min' }", None),
            ("open_idle = { idle = '2s', max = 1 }", None),
            (
                "open_idle = { idle = '2s', max = 0 }",
                Some("open_idle: expected at most 0 idle for 2.0 s, found 1"),
            ),
            ("transactions_open = 1", None),
            ("transactions_open = 0", Some("transactions_open: expected 0, found 1")),
        ],
    );
    // A report says it, too, of those that it does not list.
    let project = Project::with(&open);
    let report = |format: &str| {
        let args = ["x.pcap", "--format", format];
        text(&command(&args).current_dir(project.0.path()).output().expect("it runs")).0
    };
    assert!(report("text").contains("Connections: 1 open (1 in a transaction)."));
    assert!(report("jsonl").contains("\"open_in_transaction\":1"));
    each(&leak(), &[("leak = 1\ntransactions_open = 0", Some("transactions_open"))]);
    each(
        &Talk::logged_in(3306).ask("BEGIN", 3).ask("COMMIT", 2),
        &[("transactions_open = 0", None)],
    );
}

#[test]
fn what_cannot_be_told_is_no_pass() {
    // Only the server's packets were captured.
    let mut one_sided = leak();
    one_sided.send(SERVER, ACK, b"");
    let from_server = |record: &common::wire::Record| record.data[29] == 3;
    one_sided.records.retain(from_server);
    each(
        &one_sided,
        &[
            ("max_unknown = 1", None),
            ("unknown = 1", None),
            ("leak = 0", Some("unknown: expected at most 0, found 1")),
            ("", Some("peer 172.18.0.3:3306  unknown (one-sided)  from frame 1")),
        ],
    );
}

#[test]
fn findings_are_matched_whatever_their_order() {
    let all = "[[finding]]\nlocal = '172.18.0.5'\npeer = '172.18.0.3:3306'\nholder = '172.18.0.5'\n\
               cause = 'transaction-open'\nstatement = 'UPDATE t'\nheld = { min = '59s', max = '61s' }";
    let other = |line: &str| format!("[[finding]]\n{line}");
    let not = Some("finding: expected");
    each(
        &leak(),
        &[
            (all, None),
            (&format!("exact = true\n{all}"), None),
            (&other("local = '172.18.0.3'"), not),
            (&other("peer = ':3307'"), not),
            (&other("holder = '172.18.0.3'"), not),
            (&other("cause = 'forgotten'"), not),
            (&other("statement = 'DELETE'"), not),
            (&other("held = { max = '5s' }"), not),
            (&format!("{all}\n[[finding]]"), Some("finding: expected any, found none")),
            ("exact = true", Some("exact: expected no other finding, found 1 more")),
            // Others are allowed unless it is exact.
            (&format!("leak = 1\n{all}"), None),
        ],
    );
}

/// The first entry fits both findings, the second only one.
#[test]
fn an_entry_does_not_take_what_only_another_fits() {
    let (mut both, other) = (leak(), other_port(forgotten()));
    both.records.extend(other.records);
    both.records.sort_by_key(|record| record.nanos);
    let entries = "exact = true\n[[finding]]\n[[finding]]\ncause = 'transaction-open'\n";
    let swapped = "exact = true\n[[finding]]\ncause = 'transaction-open'\n[[finding]]\n";
    each(&both, &[(entries, None), (swapped, None)]);
    let twice = "[[finding]]\n[[finding]]\ncause = 'forgotten'\n[[finding]]\ncause = 'forgotten'\n";
    each(&both, &[(twice, Some("cause forgotten, found none"))]);
}

/// The same conversation from another port of the client.
fn other_port(mut talk: Talk) -> Talk {
    for record in &mut talk.records {
        let from_client = record.data[29] == 5;
        let at = if from_client { 34 } else { 36 };
        record.data[at..at + 2].copy_from_slice(&40_001u16.to_be_bytes());
    }
    talk
}

#[test]
fn the_options_to_read_with_are_the_expectations() {
    each(
        &leak(),
        &[
            ("local = '172.18.0.3'\npeer-holds = 1", None),
            ("local = ['10.0.0.1', '172.18.0.5']\nleak = 1", None),
            ("min_hold = '2min'\npending = 1", None),
            ("flows = 0\nfilter = 'port 3307'", None),
            ("filter = 'port 3307'", Some("flows: expected at least 1, found no TCP connection")),
        ]
        .map(|(text, broken)| (text, broken))
        .into_iter()
        .filter(|(text, _)| cfg!(feature = "libpcap") || !text.contains("filter"))
        .collect::<Vec<_>>(),
    );
}

#[test]
fn a_wrong_expectation_is_an_error_that_names_the_nearest_key() {
    let project = Project::with(&leak()).file("x.expect.toml", "# all\nleek = 0\n");
    let (status, out) = project.out(&["x.pcap"]);
    assert_eq!(status, Some(2));
    assert!(out.contains("error"), "{out}");
    let sentence = "x.expect.toml: line 2: unknown key leek; did you mean leak?";
    assert!(out.contains(sentence), "{out}");
    let project = Project::with(&leak()).file("x.expect.toml", "filter = 'prot 3306'\nleak = 1");
    assert_eq!(project.out(&["x.pcap"]).0, Some(2));
}

#[test]
fn without_an_expectation_the_policy_decides() {
    let project = Project::with(&leak());
    let status = |args: &[&str]| project.out(&[args, &["x.pcap"]].concat()).0;
    assert_eq!(status(&[]), Some(1));
    assert_eq!(status(&["--max-leaks", "1"]), Some(0));
    assert_eq!(status(&["--max-leaks", "1", "--max-held", "5s"]), Some(1));
    assert_eq!(status(&["--max-leaks", ":3306=1"]), Some(0));
    assert_eq!(status(&["--max-leaks", ":3307=1"]), Some(1));
    assert_eq!(status(&["--max-leaks", "1", "--max-leaks", "172.18.0.3:3306=0"]), Some(1));
    assert_eq!(status(&["--local", "172.18.0.3"]), Some(0));
    assert_eq!(status(&["--min-hold", "2min"]), Some(1), "pending is no pass");
    assert_eq!(status(&["--min-hold", "2min", "--max-unknown", "1"]), Some(0));
    assert_eq!(status(&["--max-leaks", "some"]), Some(2));
    // The expectation beside a capture is more than the policy.
    let strict = Project::with(&leak()).file("x.expect.toml", "leak = 0");
    assert_eq!(strict.out(&["--max-leaks", "9", "x.pcap"]).0, Some(1));
}

/// Where nothing was judged, that nothing was found is no pass.
#[test]
fn a_local_side_that_no_connection_has_is_no_pass() {
    let project = Project::with(&leak()).file("x.expect.toml", "local = \"10.0.0.99\"");
    let (status, out) = project.out(&["x.pcap"]);
    assert_eq!(status, Some(1), "{out}");
    assert!(out.contains("`local` names no end of any connection"), "{out}");
    let capture = project.0.path().join("x.pcap").to_str().expect("UTF-8").to_owned();
    let read = closewait(&[&capture, "--local", "10.0.0.99"]);
    let (out, _) = text(&read);
    assert_eq!(read.status.code(), Some(2), "{out}");
    assert!(out.starts_with("Nothing was judged: --local names no end of 1 connection"), "{out}");
    let explain = closewait(&["explain", &capture, "--local", "10.0.0.99"]);
    let (_, err) = text(&explain);
    assert_eq!(explain.status.code(), Some(2), "{err}");
    assert!(err.contains("--local names no end of any connection"), "{err}");
    let diff = closewait(&["diff", &capture, &capture, "--local", "10.0.0.99"]);
    let (_, err) = text(&diff);
    assert_eq!(diff.status.code(), Some(2), "{err}");
    assert!(err.contains("--local names no end of its connections"), "{err}");
    let mapped = closewait(&[&capture, "--local", "::ffff:172.18.0.5"]);
    assert_eq!(mapped.status.code(), Some(1));
}

#[test]
fn a_project_has_a_policy_of_its_own() {
    let policy = "max_leaks = 0\n[[override]]\npeer = ':3306'\nmax_leaks = 1\nmax_held = '2min'\n";
    let project = Project::with(&leak()).file("closewait.toml", policy);
    assert_eq!(project.out(&["x.pcap"]).0, Some(0));
    assert_eq!(project.out(&["--max-held", ":3306=5s", "x.pcap"]).0, Some(1), "the line first");
    let project =
        Project::with(&leak()).file("closewait.toml", "max_leaks = 1\nheld = { max = '5s' }");
    assert!(project.out(&["x.pcap"]).1.contains("held: expected at most 5.0 s"));
    let project = Project::with(&leak()).file("closewait.toml", "max_leek = 1");
    let (status, out) = project.out(&["x.pcap"]);
    assert_eq!(status, Some(2));
    assert!(out.contains("closewait.toml: line 1: unknown key max_leek; did you mean max_leaks?"));
}

#[test]
fn folders_globs_and_compressed_captures() {
    let project = Project::with(&leak()).capture("y.pcap", &closed_after(0));
    fs::create_dir_all(project.0.path().join("sub/deep")).expect("a folder");
    let project = project.capture("sub/deep/z.pcap", &leak()).file("sub/notes.txt", "no capture");
    let zipped = zstd::encode_all(&leak().capture(60)[..], 1).expect("compressed");
    project.0.write("sub/w.pcap.zst", &zipped);
    let project = project.file("sub/w.expect.toml", "leak = 1");
    let (status, out) = project.out(&["."]);
    assert_eq!(status, Some(1));
    let lines: Vec<&str> = out.lines().filter(|line| !line.starts_with(' ')).collect();
    let begins =
        ["FAILED  sub/deep/z.pcap", "ok      sub/w.pcap.zst", "FAILED  x.pcap", "ok      y.pcap"];
    assert_eq!(lines.len(), begins.len() + 2, "{out}");
    assert_eq!(lines[5], "next: closewait explain sub/deep/z.pcap --frame 11", "{out}");
    assert!(lines.iter().zip(begins).all(|(line, begin)| line.starts_with(begin)), "{out}");
    assert!(lines[4].starts_with("4 captures: 2 ok, 2 FAILED ("), "{out}");
    assert_eq!(project.out(&["y*"]).0, Some(0));
    assert_eq!(project.out(&["**/w.*"]).0, Some(0));
    assert!(project.out(&["x.pcap", "x.pcap", "*.pcap"]).1.contains("2 captures"));
}

/// Whoever made a link meant a file: it is no reason to pass.
#[cfg(unix)]
#[test]
fn a_link_to_nothing_is_an_error_that_names_it() {
    use std::os::unix::fs::symlink;
    for link in ["x.expect.toml", "x.pcap.expect.toml", "y.pcap", "closewait.toml"] {
        let project = Project::with(&closed_after(0));
        symlink("nowhere", project.0.path().join(link)).expect("a link");
        let (status, out) = project.out(&["."]);
        assert_eq!(status, Some(2), "{link}: {out}");
        assert!(out.contains(link) && out.contains("is a link to nothing"), "{out}");
        fs::remove_file(project.0.path().join(link)).expect("it is there");
        assert_eq!(project.out(&["."]).0, Some(0));
    }
}

/// A baseline of another form would know nothing, and nobody would see why.
#[test]
fn a_baseline_of_another_schema_is_an_error() {
    let project = Project::with(&leak());
    project.out(&["--write-baseline", "known.jsonl", "."]);
    let other = project.read("known.jsonl").replace("\"schema\":1", "\"schema\":2");
    let project = project.file("known.jsonl", &other);
    let (status, out) = project.out(&["--baseline", "known.jsonl", "."]);
    assert_eq!(status, Some(2), "{out}");
    assert!(out.contains("known.jsonl: line 1 has schema 2, and 1 is read"), "{out}");
}

/// What is expected is said of a number that is none.
#[test]
fn a_number_that_is_none_is_told_what_it_should_be() {
    let project = Project::with(&closed_after(0));
    for option in ["--max-leaks", "--max-unknown"] {
        let (status, out) = project.out(&["x.pcap", option, "X"]);
        assert!(status == Some(2) && out.contains("write a whole number, or PEER=NUMBER"), "{out}");
    }
    let (_, out) = project.out(&["x.pcap", "--min-hold", "0s"]);
    assert!(!out.contains("held for less than"), "{out}");
}

#[test]
fn nothing_to_check_is_an_error() {
    let project = Project::new().file("notes.txt", "no capture");
    let (status, out) = project.out(&["."]);
    assert_eq!(status, Some(2));
    assert!(out.contains("error   .  holds no capture"), "{out}");
    assert!(project.out(&["*.pcap"]).1.contains("matches no file"));
    assert!(project.out(&["missing.pcap"]).1.contains("no such file"));
    assert_eq!(project.out(&[]).0, Some(2));
}

#[test]
fn an_error_wins_over_a_failure() {
    let project = Project::with(&leak()).file("broken.pcap", "no capture");
    let (status, out) = project.out(&["."]);
    assert_eq!(status, Some(2));
    assert!(out.contains("2 captures: 0 ok, 1 FAILED, 1 error"), "{out}");
    // A capture that was cut off is read to its end, and says so.
    let project = Project::new();
    let whole = closed_after(0).capture(60);
    project.0.write("cut.pcap", &whole[..whole.len() - 5]);
    let (status, out) = project.out(&["cut.pcap"]);
    assert_eq!(status, Some(0));
    assert!(out.contains("warning: ended in the middle of a record"), "{out}");
}

#[test]
fn what_is_blessed_is_met_and_blessing_again_changes_nothing() {
    let project = Project::with(&leak()).capture("y.pcap", &closed_after(20));
    let (status, out) = project.out(&["--bless", "--local", "172.18.0.5", "."]);
    assert_eq!(status, Some(0), "{out}");
    assert!(out.contains("+leak = 1") && out.contains("+local = \"172.18.0.5\""), "{out}");
    let blessed = project.read("x.expect.toml");
    assert!(blessed.contains("statement = \"UPDATE t SET a=? WHERE id=?\""), "{blessed}");
    assert_eq!(project.out(&["."]).0, Some(0));
    let (status, out) = project.out(&["--bless", "--local", "172.18.0.9", "."]);
    assert_eq!(status, Some(0), "what the file says goes before");
    assert_eq!(out.matches("as expected: nothing to change").count(), 2, "{out}");
    assert_eq!(project.read("x.expect.toml"), blessed);
}

#[test]
fn blessing_keeps_comments_and_order_and_what_is_met() {
    let before = "\
# Why this is here.
leak = 0 # none, please
flows = { min = 1 }   # met
closed = { min = 1, max = 5 } # the least is not met

held = { max = \"5s\" } # too long
exact = true

# This one is gone.
[[finding]]
cause = \"forgotten\"

# This one is there.
[[finding]]
peer = \":3306\"
";
    let after = "\
# Why this is here.
leak = 1 # none, please
flows = { min = 1 }   # met
closed = { min = 0, max = 5 } # the least is not met

held = { max = \"61s\" } # too long
exact = true

# This one is there.
[[finding]]
peer = \":3306\"
";
    let project = Project::with(&leak()).file("x.expect.toml", before);
    let (status, out) = project.out(&["--bless", "x.pcap"]);
    assert_eq!(status, Some(0));
    assert!(out.contains("-leak = 0 # none, please\n+leak = 1 # none, please"), "{out}");
    assert_eq!(project.read("x.expect.toml"), after);
    assert_eq!(project.out(&["x.pcap"]).0, Some(0));
}

/// Whatever is broken, blessing mends it, and then has nothing more to do.
#[test]
fn blessing_mends_every_kind() {
    for text in [
        "flows = 3",
        "leak = { min = 2 }",
        "max_leaks = 0",
        "leak = 1\nmax_unknown = 0\nopen = 4",
        "leak = 1\nheld = { min = '5min' }",
        "leak = 1\nmax_held = '1s'",
        "leak = 1\ntransactions_open = 0",
        "leak = 1\n[[finding]]\ncause = 'forgotten'",
        // The entry says that something is expected, and it is not that.
        "[[finding]]\nlocal = '172.18.0.5:38822'\nstatement = 'UPDATE x SET y = ?'\nheld = { min = '10s' }",
        "exact = true",
        "exact = true\n[[finding]]\n[[finding]]",
        "[[override]]\npeer = ':3306'\nmax_held = '1s'",
        "leak = 0\nmin_hold = '2s'",
        "",
    ] {
        let project = Project::with(&leak()).file("x.expect.toml", text);
        assert_eq!(project.out(&["--bless", "x.pcap"]).0, Some(0), "{text}");
        let blessed = project.read("x.expect.toml");
        let (status, out) = project.out(&["x.pcap"]);
        assert_eq!(status, Some(0), "{text}\n---\n{blessed}\n---\n{out}");
        project.out(&["--bless", "x.pcap"]);
        assert_eq!(project.read("x.expect.toml"), blessed, "{text}");
    }
}

#[test]
fn captures_that_differ_in_their_ending_have_an_expectation_each() {
    let project = Project::with(&leak()).capture("x.pcapng", &closed_after(0));
    assert_eq!(project.out(&["--bless", "."]).0, Some(0));
    assert!(project.read("x.pcap.expect.toml").contains("leak = 1"));
    assert!(project.read("x.pcapng.expect.toml").contains("leak = 0"));
    assert_eq!(project.out(&["."]).0, Some(0));
}

#[test]
fn known_findings_do_not_fail() {
    let project = Project::with(&leak());
    assert_eq!(project.out(&["--write-baseline", "known.jsonl", "."]).0, Some(0));
    let known = project.read("known.jsonl");
    assert!(known.contains(r#""peer":"172.18.0.3:3306","cause":"transaction-open""#), "{known}");
    let (status, out) = project.out(&["--baseline", "known.jsonl", "."]);
    assert_eq!(status, Some(0), "{out}");
    assert!(out.contains("1 finding, 1 in the baseline"), "{out}");
    // Another port is no other finding, another cause is.
    let project = project.capture("x.pcap", &other_port(leak()));
    assert_eq!(project.out(&["--baseline", "known.jsonl", "."]).0, Some(0));
    let project = project.capture("x.pcap", &forgotten());
    let (status, out) = project.out(&["--baseline", "known.jsonl", "."]);
    assert_eq!(status, Some(1), "{out}");
    // An entry is met by a known finding, which is no other one where they are exact.
    let known = "exact = true\n[[finding]]\ncause = 'transaction-open'";
    let project = project.capture("x.pcap", &leak()).file("x.expect.toml", known);
    assert_eq!(project.out(&["--baseline", "known.jsonl", "."]).0, Some(0));
    let project = project.file("x.expect.toml", "exact = true\nmax_held = '1s'");
    assert_eq!(project.out(&["--baseline", "known.jsonl", "."]).0, Some(0));
    let project = project.file("known.jsonl", "{\"schema\":1}\n");
    let (status, out) = project.out(&["--baseline", "known.jsonl", "."]);
    assert_eq!(status, Some(2));
    assert!(out.contains("known.jsonl: line 1 is not a baseline entry"), "{out}");
}

/// One of each: ok, failed, error.
fn one_of_each() -> Project {
    let project = Project::with(&leak()).capture("ok.pcap", &closed_after(0));
    project.file("a,b:c%<&>.pcap", "no capture")
}

#[test]
fn json_lines_say_everything() {
    let output = one_of_each().run(&["--format", "jsonl", "."]);
    let lines = json_lines(&output);
    let status: Vec<_> = lines.iter().map(|line| line["status"].as_str()).collect();
    assert_eq!(status, [Some("error"), Some("ok"), Some("failed"), None]);
    let violation = &lines[2]["violations"][0];
    assert_eq!((&violation["key"], &violation["found"]), (&"leak".into(), &"1".into()));
    let connection = &violation["connections"][0];
    assert_eq!(connection["peer"], "172.18.0.3:3306");
    assert_eq!(connection["cause"], "transaction-open");
    let end = |ip: &str, port: u16| serde_json::json!({ "ip": ip, "port": port });
    assert_eq!(connection["held_by"], end("172.18.0.5", 40_000));
    assert_eq!(connection["waits_for"], end("172.18.0.3", 3306));
    assert!(connection["evidence"][0].as_str().expect("a sentence").contains("neither COMMIT"));
    let summary = &lines[3];
    assert_eq!(summary["type"], "check-summary");
    assert_eq!((&summary["failed"], &summary["errors"]), (&1.into(), &1.into()));
}

#[test]
fn github_gets_annotations_that_nothing_ends_early() {
    let (status, out) = one_of_each().out(&["--format", "github", "."]);
    assert_eq!(status, Some(2));
    let lines: Vec<&str> = out.lines().collect();
    let title = "title=closewait a%2Cb%3Ac%25<&>.pcap::is not a capture";
    assert!(lines[0].starts_with("::error file=a%2Cb%3Ac%25<&>.pcap,"), "{out}");
    assert!(lines[0].contains(title), "{out}");
    assert!(lines[1].starts_with("ok      ok.pcap"), "{out}");
    assert!(lines[2].starts_with("::error file=x.pcap,title=closewait x.pcap::leak: expected"));
    assert!(lines[2].contains("%0A    transaction begun by BEGIN"), "{out}");
    let hold = "(held for less than 1.0 s is pending: --min-hold)";
    assert_eq!(lines[3..], [format!("3 captures: 1 ok, 1 FAILED, 1 error {hold}")]);
}

#[test]
fn junit_is_well_formed_and_counts() {
    let (_, out) = one_of_each().out(&["--format", "junit", "."]);
    let suite =
        "<testsuite name=\"closewait check\" tests=\"3\" skipped=\"0\" errors=\"1\" failures=\"1\"";
    assert!(out.contains(suite), "{out}");
    let all = "<testsuites name=\"closewait\" tests=\"3\" failures=\"1\" errors=\"1\">";
    assert!(out.contains(all), "{out}");
    assert!(out.contains("name=\"a,b:c%&lt;&amp;&gt;.pcap\""), "{out}");
    well_formed(&out);
}

/// Every element is closed, in order, and no character stands where XML has another meaning for it.
fn well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some((before, after)) = rest.split_once('<') {
        assert!(!before.contains('>') || open.is_empty(), "{before}");
        let (tag, after) = after.split_once('>').expect("a tag ends");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().expect("a name");
        match tag {
            _ if tag.starts_with('?') || tag.ends_with('/') => {}
            _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(name)),
            _ => open.push(name),
        }
        rest = after;
    }
    assert!(open.is_empty(), "{open:?}");
    let entities = ["&lt;", "&gt;", "&amp;", "&quot;", "&apos;", "&#"];
    for (at, _) in xml.match_indices('&') {
        assert!(entities.iter().any(|entity| xml[at..].starts_with(entity)), "{}", &xml[at..]);
    }
}

/// Names and statements are others' choice.
#[cfg(unix)]
#[test]
fn nothing_reaches_the_terminal_as_it_is() {
    let evil = Talk::logged_in(3306).ask("BEGIN", 3).ask("UPDATE `a\u{1b}[31mb` SET x=1", 3);
    let evil = evil.wait(50).closed_by_server();
    let project = Project::new().capture("x\u{1b}[31m\n::error::y.pcap", &evil);
    for format in ["text", "github", "jsonl", "junit"] {
        let (status, out) = project.out(&["--format", format, "."]);
        assert_eq!(status, Some(1), "{out}");
        assert!(!out.contains('\u{1b}'), "{format}: {out:?}");
        assert!(!out.contains("\n::error::"), "{format}: {out:?}");
    }
    let (_, out) = project.out(&["--bless", "."]);
    assert!(!out.contains('\u{1b}'), "{out:?}");
    assert_eq!(project.out(&["."]).0, Some(0), "{out}");
}

#[test]
fn the_report_goes_to_a_file() {
    let project = Project::with(&leak());
    let (status, out) = project.out(&["--format", "junit", "-o", "report.xml", "x.pcap"]);
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(project.read("report.xml").contains("failures=\"1\""));
    let (status, out) = project.out(&["-o", "x.pcap", "x.pcap"]);
    assert_eq!(status, Some(2), "{out}");
}

/// The end of a capture is its last packet.
#[test]
fn a_capture_that_ends_too_early_is_warned_of() {
    let project = Project::new();
    project.0.write("x.pcap", &leak().capture(0));
    let (status, out) = project.out(&["x.pcap"]);
    assert_eq!(status, Some(1), "what is pending cannot be told");
    assert!(out.contains("unknown: expected at most 0, found 1"), "{out}");
    assert!(out.contains("warning: 1 connection in CLOSE-WAIT at the last packet"), "{out}");
    assert_eq!(project.out(&["--max-unknown", "1", "x.pcap"]).0, Some(0));
    let (_, out) = project.out(&["--format", "github", "x.pcap"]);
    assert!(out.contains("::warning file=x.pcap,"), "{out}");
    let project = project.file("x.expect.toml", "pending = 1");
    let (status, out) = project.out(&["x.pcap"]);
    assert_eq!((status, out.contains("warning")), (Some(0), false), "{out}");
}

/// A client that leaks, and the same client mended, before a real server.
#[test]
fn the_leaking_client_fails_and_the_mended_one_passes() {
    let captures = common::project("fixtures/captures/pair");
    let project = Project::new();
    for name in ["leaky.pcap", "fixed.pcap"] {
        fs::copy(captures.join(name), project.0.path().join(name)).expect("a copy");
    }
    let (status, out) = project.out(&["leaky.pcap"]);
    assert_eq!(status, Some(1));
    assert!(out.contains("neither COMMIT nor ROLLBACK: BEGIN; UPDATE t SET a=?"), "{out}");
    let (status, out) = project.out(&["--max-held", "1s", "fixed.pcap"]);
    assert_eq!(status, Some(0), "{out}");
}

/// The project is the first user of its own expectations.
#[test]
fn the_projects_captures_are_as_expected() {
    let output = command(&["check", "fixtures/captures"])
        .current_dir(common::project(""))
        .output()
        .expect("the binary runs");
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    // None of them rests on the policy.
    let lines = json_lines(
        &command(&["check", "--format", "jsonl", "fixtures/captures"])
            .current_dir(common::project(""))
            .output()
            .expect("the binary runs"),
    );
    let captures = lines.iter().filter(|line| line["type"] == "check");
    assert!(captures.clone().count() >= 15, "{out}");
    captures.for_each(|line| assert!(line["expectation"].is_string(), "{line}"));
}

/// A host that talks to itself, captured on `any`: its packets are only seen arriving, and there is no
/// path that they could have been lost on.
#[test]
fn what_stays_on_the_host_was_not_captured_elsewhere() {
    let path = common::project("fixtures/captures/pair/leaky.pcap");
    let output = common::closewait(&["--format", "jsonl", path.to_str().expect("UTF-8")]);
    let flow = &common::json_lines(&output)[0];
    assert_eq!(flow["verdict"], "leak");
    let doubts = flow["doubts"].as_array().expect("doubts");
    assert!(!doubts.iter().any(|doubt| doubt == "remote-tap"), "{flow}");
}

/// Connections that nobody has closed yet show nothing.
#[test]
fn nothing_judged_is_no_pass() {
    let open = Talk::logged_in(3306).ask("BEGIN", 3).ask("UPDATE t SET a=1", 3);
    let judged = Some(
        "judged: expected a connection that its peer closed, found none: 1 open, 1 in a transaction;",
    );
    each(
        &open,
        &[
            ("", judged),
            ("leak = 0\nflows = 1", judged),
            ("open = 1", None),
            ("open_idle = { idle = '2min' }", None),
            ("transactions_open = 1", None),
            ("transactions_open = 0", Some("transactions_open: expected 0, found 1")),
        ],
    );
    each(&Talk::logged_in(3306).ask("SELECT 1", 2), &[("", Some("none: 1 open; the peer's"))]);
    // The client that closes itself is as it should be; another one that it leaves open is not.
    let mut closes = Talk::logged_in(3306).ask("SELECT 1", 2);
    closes.send(CLIENT, FIN | ACK, b"");
    closes.send(SERVER, FIN | ACK, b"");
    closes.send(CLIENT, ACK, b"");
    each(&closes, &[("local = '172.18.0.5'", None), ("", None)]);
    let mut talk = other_port(Talk::logged_in(3306).ask("SELECT 1", 2));
    talk.records.extend(closes.records);
    talk.records.sort_by_key(|record| record.nanos);
    each(&talk, &[("local = '172.18.0.5'", Some("judged: expected"))]);
    let project = Project::with(&open);
    assert_eq!(project.out(&["--bless", "."]).0, Some(0));
    let blessed = project.read("x.expect.toml");
    assert!(blessed.contains("open = { min = 1 }"), "{blessed}");
    assert_eq!(project.out(&["."]).0, Some(0), "{blessed}");
}

/// What may well be TCP and was not read is no pass; what cannot carry IP is.
#[test]
fn what_was_not_read_is_an_error() {
    let leak = closed_after(0).records;
    let of_link = |link| common::wire::MICROSECONDS.write(link, &leak);
    let project = Project::new();
    // LINKTYPE_PFSYNC can carry no TCP; 147 is anybody's own.
    project.0.write("user0.pcap", &of_link(147));
    let (status, out) = project.out(&["user0.pcap"]);
    assert_eq!(status, Some(2), "{out}");
    assert!(out.contains("error   user0.pcap"), "{out}");
    // USB: no connection at all, and that is said; nothing failed to be read.
    project.0.write("usb.pcap", &of_link(189));
    let (status, out) = project.out(&["usb.pcap"]);
    assert_eq!(status, Some(1), "{out}");
    assert!(out.contains("FAILED  usb.pcap") && out.contains("no TCP connection"), "{out}");
    assert_eq!(project.file("usb.expect.toml", "flows = 0").out(&["usb.pcap"]).0, Some(0));
}

/// What ended a hold is said: a use, and no close.
#[test]
fn what_was_used_after_a_hold_was_not_closed() {
    let mut used = forgotten().wait(2).packet(CLIENT, 0, b"\x03SELECT 2");
    used.send(SERVER, RST, b"");
    let (status, out) = Project::with(&used).out(&["x.pcap", "--local", "172.18.0.5"]);
    let warning = "warning: 1 connection held in CLOSE-WAIT for up to 2.0 s, then used and reset";
    assert!(out.contains(warning) && !out.contains("closed after all"), "{out}");
    assert_eq!(status, Some(0), "{out}");
    let (_, out) = Project::with(&closed_after(2)).out(&["x.pcap", "--local", "172.18.0.5"]);
    assert!(out.contains("for up to 2.0 s and closed after all"), "{out}");
}

/// Who answers after the peer's FIN, and then closes, has used the half-close, and held nothing.
#[test]
fn a_half_close_in_use_is_no_hold() {
    let mut answered = Talk::with(8123).say(CLIENT, b"ask").closed_by_client().wait(3);
    answered = answered.say(SERVER, b"answer");
    answered.send(SERVER, FIN | ACK, b"");
    answered.send(CLIENT, ACK, b"");
    let (status, out) = Project::with(&answered).out(&["x.pcap", "--max-held", "1s"]);
    assert_eq!(status, Some(0), "{out}");
    let (_, out) = Project::with(&answered).out(&["x.pcap"]);
    assert!(!out.contains("held in CLOSE-WAIT"), "{out}");
    // Without an answer it is one, at the end that was told.
    let mut silent = Talk::with(8123).say(CLIENT, b"ask").closed_by_client().wait(3);
    silent.send(SERVER, FIN | ACK, b"");
    silent.send(CLIENT, ACK, b"");
    let (status, out) = Project::with(&silent).out(&["x.pcap", "--max-held", "1s"]);
    assert_eq!(status, Some(1), "{out}");
    assert!(out.contains("172.18.0.3:8123  peer 172.18.0.5:40000  closed  held 3.0 s"), "{out}");
}

/// The warning counts what the report counts: nobody closed what the peer reset.
#[test]
fn what_the_peer_reset_was_not_closed() {
    let mut reset = forgotten().wait(20);
    reset.send(SERVER, RST, b"");
    let (_, out) = Project::with(&reset).out(&["x.pcap"]);
    assert!(
        out.contains("for up to 20.0 s and reset by the peer") && !out.contains("closed after"),
        "{out}"
    );
    let (status, out) = Project::with(&reset).out(&["x.pcap", "--max-held", "1s"]);
    assert!(
        status == Some(1) && out.contains("held: expected at most 1.0 s, found 20.0 s"),
        "{out}"
    );
}

/// Lines of a text that are packets and cannot be read are no pass.
#[test]
fn lines_that_were_not_read_are_an_error() {
    let path = common::project("fixtures/captures/incident-as-text.tcpdump");
    let mut text = fs::read_to_string(path).expect("the text");
    let project = Project::new();
    let project = project.file("x.txt", &text).file("x.expect.toml", "pending = 1");
    let (status, out) = project.out(&["x.txt"]);
    assert_eq!(status, Some(0), "{out}");
    text += "11:38:50.000001 IP 172.18.0.5.38824 > 172.18.0.3: Flags [S&], seq x\n";
    let project = project.file("x.txt", &text);
    let (status, out) = project.out(&["x.txt"]);
    assert_eq!(status, Some(2), "{out}");
    assert!(out.contains("error   x.txt"), "{out}");
}

#[test]
fn one_finding_is_listed_once() {
    let project = Project::with(&leak());
    for format in ["text", "junit", "github", "sarif", "gitlab"] {
        let (status, out) = project.out(&["--max-held", "1s", "--format", format, "x.pcap"]);
        assert_eq!(status, Some(1), "{out}");
        assert_eq!(out.matches("from frame 1").count(), 1, "{format}: {out}");
        assert!(out.contains("held: expected at most 1.0 s, found 60.0 s"), "{format}: {out}");
    }
    let (_, out) = project.out(&["--local", "172.18.0.5", "x.pcap"]);
    let next = out.lines().last().expect("a line").strip_prefix("next: closewait ").expect("next");
    let words: Vec<&str> = next.split(' ').collect();
    let output = command(&words).current_dir(project.0.path()).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1), "{next}: {}", text(&output).1);
}

/// Another run has other ports, and not the same number of connections.
#[test]
fn what_is_blessed_holds_for_a_capture_made_anew() {
    let project = Project::with(&leak());
    assert_eq!(project.out(&["--bless", "."]).0, Some(0));
    let blessed = project.read("x.expect.toml");
    assert!(!blessed.contains("40000") && blessed.contains("flows = { min = 1 }"), "{blessed}");
    let (mut anew, closed) = (other_port(leak()), closed_after(0));
    anew.records.extend(closed.records);
    anew.records.sort_by_key(|record| record.nanos);
    let project = project.capture("x.pcap", &anew);
    let (status, out) = project.out(&["."]);
    assert_eq!(status, Some(0), "{blessed}{out}");
}

/// The same services at other addresses.
#[test]
fn a_baseline_knows_services_by_their_aliases() {
    let project = Project::with(&leak());
    let alias = ["--alias", "172.18.0.0/16=database"];
    assert_eq!(project.out(&[&alias[..], &["--write-baseline", "known", "."]].concat()).0, Some(0));
    assert!(project.read("known").contains("\"peer\":\"database:3306\""));
    let mut moved = leak();
    for record in &mut moved.records {
        // 172.18.0.x becomes 172.19.0.x.
        record.data[27] = 19;
        record.data[31] = 19;
    }
    let project = project.capture("x.pcap", &moved);
    let status = |alias: &str| project.out(&["--alias", alias, "--baseline", "known", "."]).0;
    assert_eq!(status("172.19.0.0/16=database"), Some(0));
    assert_eq!(status("172.19.0.0/16=cache"), Some(1));
    assert_eq!(status("172.19.0.0/16"), Some(2));
}

/// By SARIF 2.1.0 and GitLab's description of code quality reports: what each requires, and no more keys
/// than they know.
#[test]
fn scanners_get_what_they_read() {
    let project = one_of_each();
    let json = |format| {
        let output = project.run(&["--format", format, "."]);
        assert_eq!(output.status.code(), Some(2));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON")
    };
    let sarif = json("sarif");
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let rules: Vec<_> = rules.iter().map(|rule| rule["id"].as_str().expect("an id")).collect();
    assert_eq!(rules, ["leak", "unreadable"]);
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), 2);
    for result in results {
        assert!(rules.contains(&result["ruleId"].as_str().expect("a rule")), "{result}");
        assert_eq!(result["level"], "error");
        assert!(result["message"]["text"].is_string(), "{result}");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["region"]["startLine"], 1);
        assert!(
            place["artifactLocation"]["uri"].as_str().is_some_and(|uri| !uri.contains([' ', '<']))
        );
        let print = result["partialFingerprints"]["closewait/v1"].as_str().expect("one");
        assert_eq!(print.len(), 40);
    }
    let gitlab = json("gitlab");
    let gitlab = gitlab.as_array().expect("an array");
    assert_eq!(gitlab.len(), 2);
    let prints: std::collections::BTreeSet<_> =
        gitlab.iter().map(|one| one["fingerprint"].as_str().expect("one")).collect();
    assert_eq!(prints.len(), 2, "each its own");
    for one in gitlab {
        assert!(one["description"].is_string() && one["check_name"].is_string(), "{one}");
        assert!(one["location"]["path"].is_string(), "{one}");
        assert_eq!(one["location"]["lines"]["begin"], 1);
        assert_eq!(one["severity"], "major");
    }
    // The same issue, whatever the client's port.
    let print = |project: &Project| {
        let output = project.run(&["--format", "gitlab", "x.pcap"]);
        let all: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        all[0]["fingerprint"].clone()
    };
    let before = print(&project);
    assert_eq!(print(&project.capture("x.pcap", &other_port(leak()))), before);
}

/// Limits of some peers say what they say: of the rest, the general ones hold for the whole capture.
#[test]
fn an_override_changes_no_other_limit() {
    let mut both = forgotten();
    both.records.extend(other_port(forgotten()).records);
    let with = |policy: &str| Project::with(&both).file("closewait.toml", policy).out(&["x.pcap"]);
    let held = "[[override]]\npeer = ':3306'\nmax_held = '5min'\n";
    let (status, out) = with("max_leaks = 1\n");
    assert_eq!(status, Some(1), "{out}");
    let (status, out) = with(&format!("max_leaks = 1\n{held}"));
    assert_eq!(status, Some(1), "{out}");
    assert!(out.contains("leak: expected at most 1, found 2"), "{out}");
    assert_eq!(with(&format!("max_leaks = 2\n{held}")).0, Some(0));
}

/// A capture's own expectation is asked alone, and what is passed over is said.
#[test]
fn an_expectation_of_its_own_goes_before_the_policy_and_the_limits() {
    let project = Project::with(&leak())
        .file("x.expect.toml", "leak = 1\n")
        .file("closewait.toml", "filter = 'port 9'\nmax_leaks = 0\n");
    let (status, out) = project.out(&["x.pcap"]);
    assert_eq!(status, Some(0), "{out}");
    let (status, out) = project.out(&["--max-leaks", "0", "--max-held", ":3306=1s", "x.pcap"]);
    assert_eq!(status, Some(0), "{out}");
    let words = "x.expect.toml says what is expected, and --max-leaks, --max-held does not count";
    assert!(out.contains(words), "{out}");
}

/// A folder is checked whole: parts of a series, other names, other compressions; and what has no capture.
#[test]
fn a_folder_hides_nothing() {
    let project = Project::with(&closed_after(0)).capture("x.pcap1", &leak());
    let project = project.capture("Y.PCAP", &leak()).capture("z.dump", &leak());
    let (status, out) = project.out(&["."]);
    assert_eq!(status, Some(1), "{out}");
    assert!(out.contains("4 captures: 1 ok, 3 FAILED"), "{out}");
    let project = Project::with(&closed_after(0)).file("gone.expect.toml", "leak = 0\n");
    let (status, out) = project.out(&["."]);
    assert_eq!(status, Some(2), "{out}");
    assert!(out.contains("gone.expect.toml  the capture that it is about is not there"), "{out}");
}

/// That no attempt is expected says nothing of connections that were left open.
#[test]
fn attempts_allow_no_open_connection() {
    let open = Talk::logged_in(3306).ask("SELECT 1", 0x0002);
    each(&open, &[("attempt = 0", Some("judged: expected a connection")), ("open = 1", None)]);
}

/// What the report and the baseline are written to is none of what is read.
#[test]
fn no_input_is_written_over() {
    let project = Project::with(&leak())
        .file("x.expect.toml", "leak = 1\n")
        .file("closewait.toml", "max_leaks = 0\n");
    assert_eq!(project.out(&["--write-baseline", "known.jsonl", "x.pcap"]).0, Some(0));
    let known = project.read("known.jsonl");
    for options in [
        &["-o", "x.expect.toml"][..],
        &["-o", "closewait.toml"],
        &["--write-baseline", "x.expect.toml"],
        &["--baseline", "known.jsonl", "-o", "known.jsonl"],
        &["--write-baseline", "new.jsonl", "-o", "new.jsonl"],
    ] {
        let (status, out) = project.out(&[options, &["x.pcap"]].concat());
        assert_eq!(status, Some(2), "{options:?}: {out}");
        assert!(out.contains("must name another file"), "{out}");
    }
    assert_eq!(project.read("x.expect.toml"), "leak = 1\n");
    assert_eq!(project.read("known.jsonl"), known);
    let again = ["--baseline", "known.jsonl", "--write-baseline", "known.jsonl", "x.pcap"];
    assert_eq!(project.out(&again).0, Some(0));
}

/// Nothing is blessed that would fail the next time.
#[test]
fn what_cannot_be_met_is_not_blessed() {
    let project = Project::with(&leak());
    let (status, out) = project.out(&["--bless", "--local", "192.0.2.77", "x.pcap"]);
    assert_eq!(status, Some(2), "{out}");
    assert!(out.contains("cannot be expected: judged"), "{out}");
    assert!(!project.0.path().join("x.expect.toml").exists());
}

/// Many findings that say the same are matched as fast as they were written.
#[test]
fn many_entries_that_say_the_same_are_one_search() {
    let wanted = "[[finding]]\npeer = ':3306'\n".repeat(20_000);
    let (status, out) = Project::with(&leak()).file("x.expect.toml", &wanted).out(&["x.pcap"]);
    assert_eq!(status, Some(1));
    assert_eq!(out.matches("finding: expected peer :3306").count(), 19_999);
}

/// Two entries that are missed are two issues.
#[test]
fn what_was_expected_tells_issues_apart() {
    let expected = "[[finding]]\npeer = '10.1.1.1'\n[[finding]]\npeer = '10.1.1.2'\n";
    let project = Project::with(&closed_after(0)).file("x.expect.toml", expected);
    let (_, out) = project.out(&["--format", "gitlab", "x.pcap"]);
    let issues: Vec<serde_json::Value> = serde_json::from_str(&out).expect("a list");
    let of = |issue: &serde_json::Value| issue["fingerprint"].as_str().expect("one").to_owned();
    let fingerprints: std::collections::BTreeSet<String> = issues.iter().map(of).collect();
    assert_eq!((issues.len(), fingerprints.len()), (2, 2), "{out}");
}

/// XML has no place for some characters.
#[test]
fn junit_has_no_character_that_xml_does_not_know() {
    let project = Project::new().capture("a\u{fffe}b\u{ffff}.pcap", &leak());
    let (_, xml) = project.out(&["--format", "junit", "."]);
    well_formed(&xml);
    assert!(!xml.contains(['\u{fffe}', '\u{ffff}']), "{xml}");
}

/// What is between others is nobody's finding, and fails no more for being young.
#[test]
fn what_is_pending_between_others_is_no_failure() {
    let project = Project::new();
    let own = Talk::between(40_001, 9000).say(CLIENT, b"q").say(SERVER, b"a").closed_by_client();
    let others = Talk::with(9001).say(CLIENT, b"q").say(SERVER, b"a").closed_by_server();
    let mut records = [own.records, others.records].concat();
    records.sort_by_key(|record| record.nanos);
    project.0.write("x.pcap", &common::wire::MICROSECONDS.write(1, &records));
    let (status, out) = project.out(&["--local", ":9000", "x.pcap"]);
    assert_eq!(status, Some(1), "{out}");
    assert!(out.contains("unknown: expected at most 0, found 1\n"), "{out}");
    assert!(out.contains("warning: 1 connection in CLOSE-WAIT at the last packet"), "{out}");
    let (status, out) = project.out(&["--local", ":9000", "x.pcap", "--max-unknown", "1"]);
    assert_eq!(status, Some(0), "{out}");
}

/// What `next` shows has the verdict that it has here.
#[test]
fn the_command_that_goes_on_knows_what_is_pending() {
    let project = Project::new();
    project.0.write("x.pcap", &leak().capture(0));
    let (_, out) = project.out(&["x.pcap"]);
    let next = out.lines().find_map(|line| line.strip_prefix("next: closewait ")).expect("a line");
    let words: Vec<&str> = next.split(' ').collect();
    let shown = command(&words).current_dir(project.0.path()).output().expect("it runs");
    let (shown, _) = text(&shown);
    assert!(shown.contains("\npending: "), "{next}: {shown}");
    let (_, out) = Project::with(&leak()).out(&["x.pcap"]);
    assert!(
        out.contains("next: closewait explain x.pcap --frame ") && !out.contains("--min-hold 1\n")
    );
}

/// A peer that knows two services of local's: what leaks at one says nothing of the other.
#[test]
fn a_baseline_tells_the_services_of_local_apart() {
    let served =
        |port| Talk::with(port).say(CLIENT, b"hello").say(SERVER, b"hi").closed_by_client();
    let project = Project::with(&served(9000)).capture("y.pcap", &served(9100));
    let (status, out) = project.out(&["--write-baseline", "known.jsonl", "x.pcap"]);
    assert_eq!(status, Some(0), "{out}");
    let known = project.read("known.jsonl");
    assert!(known.contains("\"service\":\":9000\""), "{known}");
    assert_eq!(project.out(&["--baseline", "known.jsonl", "x.pcap"]).0, Some(0));
    assert_eq!(project.out(&["--baseline", "known.jsonl", "y.pcap"]).0, Some(1), "it is new");
    // One of old has no service, and knows both as it did.
    let project = project.file("old.jsonl", &known.replace("\"service\":\":9000\",", ""));
    assert_eq!(project.out(&["--baseline", "old.jsonl", "y.pcap"]).0, Some(0));
}

/// A text may be called anything: an expectation says that it is one to check.
#[test]
fn a_folder_has_the_texts_that_something_is_expected_of() {
    let path = common::project("fixtures/captures/incident-as-text.tcpdump");
    let text = fs::read_to_string(path).expect("the text");
    let project = Project::new().file("ticket.txt", &text).file("notes.txt", "not packets\n");
    let project = project.file("ticket.expect.toml", "pending = 1");
    let (status, out) = project.out(&["."]);
    assert!(status == Some(0) && out.starts_with("ok      ticket.txt  1 connection"), "{out}");
    let project = project.file("notes.expect.toml", "leak = 0");
    let (status, out) = project.out(&["."]);
    assert_eq!(status, Some(2), "{out}");
    assert!(out.contains("notes.expect.toml  the capture that it is about is not there"), "{out}");
}

/// Without `--`, a command looks like captures.
#[test]
fn a_command_without_its_dashes_is_told_how_to_be_run() {
    let project = Project::new();
    let (status, out) = project.out(&["--filter", "port 3306", "sh", "test.sh"]);
    assert_eq!(status, Some(2), "{out}");
    let said = "sh: is not a file; if it is a command to run: closewait check --filter 'port 3306' -- sh test.sh";
    assert!(out.contains(said), "{out}");
    assert!(!project.out(&["nothing-of-the-kind"]).1.contains("command"));
}

/// A connection of a known kind that was not held for long fails no more than one that was.
#[test]
fn what_is_pending_of_a_known_kind_is_known() {
    let project = Project::with(&leak());
    project.0.write("young.pcap", &leak().capture(0));
    project.0.write("other.pcap", &forgotten().capture(0));
    assert_eq!(project.out(&["--write-baseline", "known.jsonl", "x.pcap"]).0, Some(0));
    assert_eq!(project.out(&["young.pcap"]).0, Some(1));
    let (status, out) = project.out(&["--baseline", "known.jsonl", "young.pcap"]);
    assert_eq!(status, Some(0), "{out}");
    let (status, out) = project.out(&["--baseline", "known.jsonl", "other.pcap"]);
    assert_eq!(status, Some(1), "{out}");
}
