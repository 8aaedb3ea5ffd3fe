//! Connections as stacks, and drawn.

mod common;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use common::{Scratch, closewait, project, skip, text};

const FINDINGS: &str = "\
172.18.0.3:3306;app/shop;(autocommit=0);SELECT balance FROM accounts WHERE id=?;CLOSE-WAIT, held 3
172.18.0.3:3306;app/shop;BEGIN;SELECT balance FROM accounts WHERE id=?;CLOSE-WAIT, held 3
172.18.0.3:3306;app/shop;BEGIN;UPDATE accounts SET balance=balance-? WHERE id=?;CLOSE-WAIT, held 10
172.18.0.3:3306;app/shop;BEGIN;UPDATE accounts SET balance=balance-? WHERE id=?;COMMIT;CLOSE-WAIT, held 4
172.18.0.3:3308;(protocol not read);CLOSE-WAIT, held 2
172.18.0.5:*;(protocol not read);CLOSE-WAIT, held 1
[fd00:18::3]:3306;app/shop;BEGIN;UPDATE accounts SET balance=balance-? WHERE id=?;CLOSE-WAIT, held 2
";

fn fixture(name: &str) -> String {
    project(&format!("fixtures/captures/{name}.pcap")).to_str().expect("UTF-8").to_owned()
}

fn app() -> String {
    fixture("reproduction/app")
}

fn folded(args: &[&str]) -> String {
    let output = closewait(&[&["--folded"], args].concat());
    let (out, err) = text(&output);
    assert_eq!(err, "");
    out
}

/// The error of a run that does nothing.
fn refused(args: &[&str]) -> String {
    refused_by(common::command(args), args)
}

fn refused_by(mut command: Command, args: &[&str]) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the binary runs");
    let (out, err) = text(&output);
    assert_eq!((output.status.code(), out.as_str()), (Some(2), ""), "{args:?}: {err}");
    err
}

/// `(stack, count)` of each line.
fn stacks(folded: &str) -> Vec<(&str, u64)> {
    folded
        .lines()
        .map(|line| line.rsplit_once(' ').expect("a count"))
        .map(|(stack, count)| (stack, count.parse().expect("a number")))
        .collect()
}

#[test]
fn findings_are_folded() {
    assert_eq!(folded(&[&app()]), FINDINGS);
    assert_eq!(closewait(&["--folded", &app()]).status.code(), Some(1), "there are findings");
    assert_eq!(folded(&[&fixture("reproduction/app-nano")]), FINDINGS);
}

/// What the client says in its own log that it did.
#[test]
fn stacks_are_what_the_client_did() {
    let log = project("fixtures/captures/reproduction/client.jsonl");
    let log = std::fs::read_to_string(log).expect("the log");
    let mut expected = std::collections::BTreeMap::<String, u64>::new();
    for line in log.lines() {
        let done: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let peer = done["peer"].as_str().expect("a peer");
        let kind = done["kind"].as_str().expect("a kind");
        let ending = match kind {
            _ if !peer.ends_with(":3306") => continue,
            _ if done["leaked"] == true => "CLOSE-WAIT, held",
            "healthy" | "healthy-ipv6" => "COM_QUIT;closed",
            _ => continue,
        };
        let statements = done["statements"].as_array().expect("statements");
        let said: Vec<&str> = statements.iter().map(|said| said.as_str().expect("text")).collect();
        let stack = format!("{peer};app/shop;{};{ending}", said.join(";"));
        let stack = stack.replace("SET autocommit=0", "(autocommit=0)");
        *expected.entry(digested(&stack)).or_default() += 1;
    }
    let found = folded(&["--all", &app()]);
    let found: Vec<_> = stacks(&found)
        .into_iter()
        .filter(|(stack, _)| stack.contains(":3306"))
        .filter(|(stack, _)| stack.contains("CLOSE-WAIT") || stack.contains("COMMIT;COM_QUIT"))
        .collect();
    let leaks: u64 = found.iter().map(|(_, count)| count).sum();
    assert_eq!(leaks, 22 + 12);
    for (stack, count) in found {
        assert_eq!(expected.get(stack), Some(&count), "{stack}: {expected:#?}");
    }
}

/// The only values that its statements hold.
fn digested(stack: &str) -> String {
    let stack = stack.replace("balance-1", "balance-?");
    let digits = |c: char| c.is_ascii_digit();
    match stack.split_once(" WHERE id=") {
        Some((before, after)) => {
            format!("{before} WHERE id=?{}", after.trim_start_matches(digits))
        }
        None => stack,
    }
}

#[test]
fn all_connections_are_folded() {
    let all = folded(&["--all", &app()]);
    let healthy = "172.18.0.3:3306;app/shop;BEGIN;UPDATE accounts SET balance=balance-? \
                   WHERE id=?;COMMIT;COM_QUIT;closed";
    let all = stacks(&all);
    assert!(all.contains(&(healthy, 12)), "{all:?}");
    assert_eq!(all.iter().map(|(_, count)| count).sum::<u64>(), 56);
    assert!(stacks(FINDINGS).iter().all(|finding| all.contains(finding)));
}

#[test]
fn sockets_stuck_before_the_capture_are_stacks() {
    let scratch = Scratch::new();
    let list = "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n\
                CLOSE-WAIT 1 0 172.18.0.5:40000 172.18.0.3:3306\n";
    let list = scratch.write("list", list.as_bytes());
    let out = folded(&[&app(), "--sockets", &list]);
    let before = "172.18.0.3:3306;(before the capture);CLOSE-WAIT, held 1\n";
    assert_eq!(out, before.to_owned() + FINDINGS);
}

#[test]
fn threads_change_nothing() {
    let one = folded(&["--threads", "1", "--all", &app()]);
    assert_eq!(folded(&["--threads", "3", "--all", &app()]), one);
}

/// What a snap length hides is said, or left out of a statement's end.
#[test]
fn a_snap_length_hides_and_does_not_lie() {
    for snap in ["snap96", "snap128"] {
        let cut = folded(&["--all", &fixture(&format!("reproduction/{snap}"))]);
        for (stack, count) in stacks(&cut) {
            let ends = stack.ends_with("CLOSE-WAIT, held") && stack.contains("COMMIT");
            assert!(!ends || count == 4, "{stack}");
        }
        assert_eq!(stacks(&cut).iter().map(|(_, count)| count).sum::<u64>(), 56);
    }
    let incident = "172.18.0.3:3306;(login not captured);(not captured);CLOSE-WAIT, held 1\n";
    assert_eq!(folded(&[&fixture("incident")]), incident);
}

/// The capture with this in place of `accounts SET balance`, for all its statements.
fn altered(to: &[u8; 20]) -> Vec<u8> {
    let mut bytes = std::fs::read(app()).expect("the fixture");
    let from = b"accounts SET balance";
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(from.len()).position(|part| part == from) {
        at += found;
        bytes[at..at + to.len()].copy_from_slice(to);
        at += to.len();
    }
    bytes
}

#[test]
fn a_hostile_statement_is_one_frame() {
    let scratch = Scratch::new();
    let hostile = scratch.write("hostile.pcap", &altered(b"`<script>;\x1b` SET   b"));
    let out = folded(&[&hostile]);
    assert!(out.contains(";UPDATE `<script>:\u{fffd}` SET b=balance-? WHERE id=?;"), "{out}");
    assert_eq!(out.lines().count(), FINDINGS.lines().count());
    let hostile = scratch.write("hostile.pcap", &altered(b"`a\nb; 999` SET `\xef\xbf\xbf`"));
    let out = folded(&[&hostile]);
    assert_eq!(out.lines().count(), FINDINGS.lines().count(), "{out}");
    assert!(out.contains(";UPDATE `a\u{fffd}b: 999` SET `\u{fffd}`=balance-?"), "{out}");
}

#[test]
fn wrong_usage_gets_one_sentence() {
    assert!(refused(&["--folded", "--format", "csv", &app()]).contains("cannot be used with"));
    let scratch = Scratch::new();
    let file = scratch.path().join("x.txt");
    let file = file.to_str().expect("UTF-8");
    let output = closewait(&["--folded", "-o", file, &app()]);
    assert_eq!((text(&output).0, output.status.code()), (String::new(), Some(1)));
    assert_eq!(std::fs::read_to_string(file).expect("written"), FINDINGS);
}

/// A binary without drawings: this one, or the released one where somebody says that it was built.
fn without_drawings() -> Option<PathBuf> {
    match cfg!(feature = "flamegraph") {
        true => std::env::var_os("CLOSEWAIT_BINARY").map(PathBuf::from),
        false => Some(common::BINARY.into()),
    }
}

#[test]
fn a_build_without_it_says_what_helps() {
    let Some(binary) = without_drawings() else { return skip("release") };
    let scratch = Scratch::new();
    let file = scratch.path().join("x.svg");
    for flag in ["--flamegraph", "--flamegraph-diff"] {
        let args = [flag, file.to_str().expect("UTF-8"), &app()];
        let mut command = Command::new(&binary);
        command.args(args);
        let err = refused_by(command, &args);
        assert!(err.contains("cargo install --path . --features flamegraph"), "{err}");
        assert!(!file.exists());
    }
}

#[cfg(feature = "flamegraph")]
mod drawn {
    use super::*;

    /// The text of every element; panics where this is not well-formed XML.
    fn texts(svg: &str) -> Vec<String> {
        let (mut open, mut texts, mut rest) = (Vec::new(), Vec::new(), svg);
        while let Some(at) = rest.find('<') {
            let (before, tag) = rest.split_at(at);
            texts.push(unescaped(before));
            let end = match tag {
                _ if tag.starts_with("<![CDATA[") => "]]>",
                _ if tag.starts_with("<!--") => "-->",
                _ => ">",
            };
            let len = tag.find(end).unwrap_or_else(|| panic!("no {end} after {tag:.40}"));
            let (inner, after) = (&tag[1..len], &tag[len + end.len()..]);
            if let Some(name) = inner.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "closed");
            } else if !inner.starts_with(['?', '!']) && !inner.ends_with('/') {
                open.push(inner.split_whitespace().next().expect("a name"));
            }
            assert!(inner.starts_with('!') || !inner.contains('<'), "{inner}");
            rest = after;
        }
        assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
        let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        assert!(!svg.contains(control), "no place in XML");
        texts
    }

    fn unescaped(text: &str) -> String {
        let known = ["lt;", "gt;", "amp;", "quot;", "apos;"];
        let references = text.split('&').skip(1);
        references.for_each(|after| assert!(known.iter().any(|k| after.starts_with(k)), "{text}"));
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
        text.replace("&apos;", "'").replace("&amp;", "&")
    }

    /// The SVG that a flag writes, and what the report says meanwhile.
    fn drawn(flag: &str, capture: &str) -> (String, String) {
        let scratch = Scratch::new();
        let file = scratch.path().join("x.svg");
        let output = closewait(&[flag, file.to_str().expect("UTF-8"), capture]);
        let (out, err) = text(&output);
        assert_eq!(err, "");
        (std::fs::read_to_string(file).expect("written"), out)
    }

    fn assert_frames(svg: &str, frames: &[&str]) {
        let texts = texts(svg);
        for frame in frames {
            let is_there = texts.iter().any(|text| text.starts_with(frame));
            assert!(is_there, "no {frame} in {texts:#?}");
        }
    }

    #[test]
    fn findings_are_drawn() {
        let (svg, _) = drawn("--flamegraph", &app());
        assert_frames(
            &svg,
            &[
                "25 connections left in CLOSE-WAIT",
                "all (25 connections, 100%)",
                "172.18.0.3:3306 (20 connections, 80.00%)",
                "app/shop (20 connections, 80.00%)",
                "UPDATE accounts SET balance=balance-? WHERE id=? (14 connections, 56.00%)",
                "COMMIT (4 connections, 16.00%)",
                "CLOSE-WAIT, held (10 connections, 40.00%)",
            ],
        );
        assert_eq!(drawn("--flamegraph", &app()).0, svg, "every time the same");
    }

    #[test]
    fn what_was_left_is_drawn_against_what_was_closed() {
        let (svg, _) = drawn("--flamegraph-diff", &app());
        assert_frames(
            &svg,
            &[
                "25 left in CLOSE-WAIT against 23 closed",
                "BEGIN | 17 left, 12 closed (",
                "COMMIT | 4 left, 12 closed (",
                "COM_QUIT | 0 left, 12 closed (",
                "CLOSE-WAIT, held | 10 left, 0 closed (",
            ],
        );
        // Whose frame it is: the colour comes after the name.
        let color_after = |name: &str| {
            let after = svg.split(name).nth(1).expect("the frame");
            after.split("fill=\"").nth(1).and_then(|fill| fill.split('"').next()).expect("a fill")
        };
        assert_eq!(color_after("COM_QUIT | 0 left, 12 closed"), "rgb(110,150,240)");
        assert_eq!(color_after("CLOSE-WAIT, held | 10 left, 0 closed"), "rgb(240,90,80)");
    }

    #[test]
    fn the_report_is_the_same_beside_them() {
        let plain = text(&closewait(&[&app()])).0;
        for flag in ["--flamegraph", "--flamegraph-diff"] {
            assert_eq!(drawn(flag, &app()).1, plain, "{flag}");
        }
    }

    #[test]
    fn a_hostile_statement_becomes_no_markup() {
        let scratch = Scratch::new();
        let hostile = scratch.write("x.pcap", &altered(b"`<script>;\x1b` SET   b"));
        for flag in ["--flamegraph", "--flamegraph-diff"] {
            let (svg, _) = drawn(flag, &hostile);
            assert_frames(&svg, &["UPDATE `<script>:\u{fffd}` SET b=balance-?"]);
            assert!(svg.contains("&lt;script&gt;"));
            assert_eq!(svg.matches("<script").count(), 1, "inferno's own");
        }
        let hostile = scratch.write("x.pcap", &altered(b"`&lt;\" ]]>` SET a[k]"));
        texts(&drawn("--flamegraph-diff", &hostile).0);
    }

    #[test]
    fn nothing_to_draw_is_said() {
        let scenario = project("fixtures/scenarios/figure-12-normal-close.scn");
        let scenario = common::scenario::Scenario::read(&scenario).expect("a scenario");
        let scratch = Scratch::new();
        let bytes = common::wire::MICROSECONDS.write(1, &scenario.records());
        let (svg, out) = drawn("--flamegraph", &scratch.write("closed.pcap", &bytes));
        assert_frames(&svg, &["No connection was left in CLOSE-WAIT"]);
        assert!(out.starts_with("No"), "{out}");
    }

    #[test]
    fn outputs_do_not_meet() {
        let (svg, report) = text(&closewait(&["--flamegraph", "-", &app()]));
        assert_eq!(report, "");
        assert_eq!(svg, drawn("--flamegraph", &app()).0);
        let twice = "standard output can take one of them";
        assert!(refused(&["--flamegraph", "-", "--flamegraph-diff", "-", &app()]).contains(twice));
        assert!(refused(&["--folded", "--flamegraph", "-", &app()]).contains(twice));

        let scratch = Scratch::new();
        let input = scratch.write("x.pcap", &std::fs::read(app()).expect("the fixture"));
        assert!(refused(&["--flamegraph", &input, &input]).contains("is an input too"));
        assert!(std::fs::read(&input).is_ok_and(|bytes| bytes == altered(b"accounts SET balance")));
        let file = scratch.path().join("x.svg");
        let file = file.to_str().expect("UTF-8");
        let one = "two outputs cannot be one file";
        assert!(refused(&["-o", file, "--flamegraph", file, &app()]).contains(one));
        let both = ["--flamegraph", file, "--flamegraph-diff", file, &app()];
        assert!(refused(&both).contains(one));
    }
}
