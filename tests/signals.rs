//! Ctrl-C gives the report, and a reader that goes away is no error: the exit status tells the findings.

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::scenario::Scenario;
use common::wire::MICROSECONDS;
use common::{BINARY, Scratch, heeding_hang_up, project, tool};

/// A capture with one finding.
fn leak() -> Vec<u8> {
    let path = project("fixtures/scenarios/leak.scn");
    MICROSECONDS.write(1, &Scenario::read(&path).expect("a scenario").records())
}

fn signal(name: &str, child: &Child) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.expect("kill").success());
}

/// Waits until the program handles SIGINT: before, a signal simply ends it. What starts it does not count: a shell
/// handles SIGINT, too, for a moment.
fn handles_signals(child: &Child) {
    let began = Instant::now();
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        let status = status.expect("a process");
        let field =
            |name| status.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
        let caught = u64::from_str_radix(field("SigCgt:").trim(), 16).expect("a mask");
        if field("Name:").trim() == "closewait" && caught & 2 != 0 {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "it never handles signals");
        sleep(Duration::from_millis(5));
    }
}

fn reading(args: &[&str], stdin: Stdio) -> Child {
    let mut command = heeding_hang_up(args);
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary runs")
}

fn ended(child: Child) -> (String, Option<i32>) {
    let output = child.wait_with_output().expect("it ends");
    (String::from_utf8(output.stdout).expect("UTF-8"), output.status.code())
}

#[test]
fn a_signal_ends_a_pipe_as_its_end_would() {
    for name in ["-INT", "-HUP", "-TERM"] {
        let mut child = reading(&["-"], Stdio::piped());
        let mut pipe = child.stdin.take().expect("piped");
        pipe.write_all(&leak()).expect("it reads");
        handles_signals(&child);
        signal(name, &child);
        // The writer is still there, and says nothing.
        let (out, status) = ended(child);
        assert!(
            out.contains("CLOSE-WAIT") && out.contains("next") == out.contains("next:"),
            "{out}"
        );
        assert!(out.lines().count() > 5, "{name}: {out}");
        assert_eq!(status, Some(1), "{name}");
        drop(pipe);
    }
}

/// A named pipe that nobody has written to yet is waited for, and left at a signal.
#[test]
fn a_signal_ends_a_named_pipe() {
    let scratch = Scratch::new();
    let fifo = scratch.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    let name = fifo.to_str().expect("UTF-8");
    let child = reading(&[name], Stdio::null());
    handles_signals(&child);
    signal("-INT", &child);
    assert_eq!(ended(child), (String::new(), Some(2)), "nothing was read");

    let child = reading(&[name], Stdio::null());
    let mut writer = File::options().write(true).open(&fifo).expect("it reads");
    writer.write_all(&leak()).expect("it reads");
    handles_signals(&child);
    signal("-INT", &child);
    let (out, status) = ended(child);
    assert!(out.contains("CLOSE-WAIT"), "{out}");
    assert_eq!(status, Some(1));
}

/// timeout(1) sends its signal to the program and to its group, and so perhaps twice.
#[test]
fn what_timeout_sends_twice_loses_no_report() {
    for sent in ["-TERM", "-INT", "-HUP"] {
        let mut child = reading(&["-"], Stdio::piped());
        let mut pipe = child.stdin.take().expect("piped");
        pipe.write_all(&leak()).expect("it reads");
        handles_signals(&child);
        // Both from one process, as timeout(1) has it: the second comes at once.
        let pid = child.id().to_string();
        let twice = tool("kill").args([sent, &pid, &pid, &pid]).status().expect("kill runs");
        assert!(twice.success(), "{sent}");
        let (out, status) = ended(child);
        assert!(out.contains("CLOSE-WAIT"), "{sent}: {out}");
        assert_eq!(status, Some(1), "{sent}");
        drop(pipe);
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut child = reading(&["-"], Stdio::piped());
    let pipe = child.stdin.take().expect("piped");
    handles_signals(&child);
    signal("-INT", &child);
    let writing = std::thread::spawn(|| endless(pipe));
    sleep(Duration::from_millis(500));
    signal("-INT", &child);
    let (_, status) = ended(child);
    assert_eq!(status, Some(130));
    writing.join().expect("it ends");
}

/// As nohup(1) has it.
#[test]
fn a_hangup_that_is_ignored_stays_so() {
    let script = "trap '' HUP; exec \"$0\" -";
    let mut child = Command::new("sh")
        .args(["-c", script, BINARY])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh");
    let mut pipe = child.stdin.take().expect("piped");
    handles_signals(&child);
    signal("-HUP", &child);
    sleep(Duration::from_millis(600));
    assert!(child.try_wait().expect("a child").is_none(), "it goes on");
    pipe.write_all(&leak()).expect("it reads");
    drop(pipe);
    assert_eq!(ended(child).1, Some(1));
}

/// A file is left unread: the report covers what was read, and no status stands over the rest.
#[test]
fn a_file_that_is_interrupted_fails() {
    let scratch = Scratch::new();
    let one = leak();
    let header = &one[..24];
    let mut large = header.to_vec();
    while large.len() < 64 << 20 {
        large.extend_from_slice(&one[24..]);
    }
    let file = scratch.write("large.pcap", &large);
    let child = reading(&["--threads", "1", &file], Stdio::null());
    handles_signals(&child);
    signal("-INT", &child);
    let output = child.wait_with_output().expect("it ends");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("interrupted; verdicts cover what was read"), "{err}");
}

/// Many findings, more than a pipe holds.
fn many(scratch: &Scratch) -> String {
    let mut records = Vec::new();
    let path = project("fixtures/scenarios/leak.scn");
    let scenario = Scenario::read(&path).expect("a scenario").records();
    for port in 0..4_000_u16 {
        let mut one = scenario.clone();
        for record in &mut one {
            // IPv4 without options: the local side's port is the one that is not the server's.
            for at in [34, 36] {
                let server = record.data[at..at + 2] == 3306_u16.to_be_bytes();
                if !server {
                    record.data[at..at + 2].copy_from_slice(&(20_000 + port).to_be_bytes());
                }
            }
        }
        records.extend(one);
    }
    records.sort_by_key(|record| record.nanos);
    scratch.write("many.pcap", &MICROSECONDS.write(1, &records))
}

#[test]
fn a_reader_that_goes_away_is_quiet_in_every_format() {
    let scratch = Scratch::new();
    let many = many(&scratch);
    for format in ["text", "jsonl", "csv"] {
        for all in [&["--top", "0"][..], &["--all", "--top", "0"]] {
            let args = [&["--format", format][..], all, &[&many]].concat();
            let mut child = reading(&args, Stdio::null());
            let mut lines = BufReader::new(child.stdout.take().expect("piped"));
            let mut first = String::new();
            lines.read_line(&mut first).expect("a line");
            drop(lines);
            let mut err = String::new();
            child.stderr.take().expect("piped").read_to_string(&mut err).expect("UTF-8");
            let status = child.wait().expect("it ends");
            assert_eq!((status.code(), err.as_str()), (Some(1), ""), "{args:?}: {first}");
        }
    }
}

/// Connections without end, an hour apart: each leaves memory when the next one comes.
fn endless(mut pipe: impl Write) {
    let path = project("fixtures/scenarios/figure-12-normal-close.scn");
    let records = Scenario::read(&path).expect("a scenario").records();
    let one = |hour: u64| {
        let mut records = records.clone();
        records.iter_mut().for_each(|record| record.nanos += hour * 3_600_000_000_000);
        MICROSECONDS.write(1, &records)
    };
    let mut octets = one(0);
    for hour in 1.. {
        if pipe.write_all(&octets).is_err() {
            return;
        }
        octets = one(hour).split_off(24);
    }
}

/// From a pipe, nothing more need ever come: it ends with what was found so far.
#[test]
fn a_reader_that_goes_away_ends_an_endless_pipe() {
    let mut child = reading(&["--all", "--format", "jsonl", "-"], Stdio::piped());
    let pipe = child.stdin.take().expect("piped");
    drop(child.stdout.take());
    let writing = std::thread::spawn(|| endless(pipe));
    let (_, status) = ended(child);
    // What was cut off is no failure.
    assert_eq!(status, Some(0));
    writing.join().expect("it ends");
}
