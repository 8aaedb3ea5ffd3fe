//! `--code` held against programs that say where they leave their sockets: no name may be wrong.
//!
//! The programs are in `fixtures/code`; their server is here, and answers just as much as they ask.
#![cfg(all(feature = "libpcap", feature = "code"))]

#[path = "../common/mod.rs"]
mod common;
mod lab;
mod native;
mod protocols;
mod runtimes;
mod screen;
mod shop;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use common::{BINARY, NETNS, Need, ROOT, Scratch, command, lacks, project, skip, tool};
use serde_json::Value;
use shop::{
    Program, QUIET, Server, assert_all_named, assert_all_named_by_calls, findings, named, quiet,
    report, started, statements, until_nothing_is_lost, watching,
};

const GO: Need = ("go", "go", &["version"]);
const DRIVER: Need = ("go", "ls", &["/usr/share/gocode/src/github.com/go-sql-driver/mysql"]);
const TRACEFS: Need = ("tracefs", "sh", &["-c", MOUNTED]);
const SETPRIV: Need = ("setpriv", "setpriv", &["--version"]);

const MOUNTED: &str = "test -e /sys/kernel/tracing/events/sock/sock_send_length \
                       || mount -t tracefs tracefs /sys/kernel/tracing \
                       && test -e /sys/kernel/tracing/events/sock/sock_send_length";

/// Whether a test that needs all this can run; if not, it has been said.
fn can_run(needs: &[Need]) -> bool {
    let missing = lacks(needs);
    missing.iter().for_each(|name| skip(name));
    missing.is_none()
}

/// The program, built with these flags.
fn built(scratch: &Scratch, flags: &[&str]) -> PathBuf {
    go_build(scratch, "shop", flags)
}

fn go_build(scratch: &Scratch, program: &str, flags: &[&str]) -> PathBuf {
    let path = scratch.path().join(program);
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-cache");
    let status = Command::new("go")
        .args(["build", "-o"])
        .arg(&path)
        .args(flags)
        .arg(".")
        .current_dir(project("fixtures/code").join(program))
        .envs([("GO111MODULE", "off"), ("GOPATH", "/usr/share/gocode"), ("GOFLAGS", "")])
        .env("GOCACHE", cache)
        .status();
    assert!(status.expect("go runs").success());
    path
}

const PLACES: [&str; 7] = ["update", "inlined", "closure", "generic", "worker", "forget", "later"];

fn assert_named(flags: &[&str], more: &[&str]) {
    let scratch = Scratch::new();
    assert_all_named(&built(&scratch, flags), true, &PLACES, 13, more);
}

#[test]
fn every_place_in_a_go_program_is_named() {
    if can_run(&[ROOT, GO, DRIVER, TRACEFS]) {
        assert_named(&[], &[]);
    }
}

/// On a kernel that tells only of system calls, as before Linux 6.3.
#[test]
fn every_place_in_a_go_program_is_named_by_calls() {
    if can_run(&[ROOT, GO, DRIVER, TRACEFS]) {
        let scratch = Scratch::new();
        assert_all_named_by_calls(&built(&scratch, &[]), true, &PLACES, 13);
    }
}

/// Without symbols; by processes without rights.
#[test]
fn every_place_in_a_stripped_program_is_named() {
    if can_run(&[ROOT, GO, DRIVER, TRACEFS]) {
        assert_named(&["-ldflags=-s -w"], &["-Z", "nobody"]);
    }
}

/// A library that has a task of its own send is not mistaken for whoever asked; it is said.
#[test]
fn a_library_that_sends_for_others_is_said() {
    if !can_run(&[ROOT, GO, TRACEFS]) {
        return;
    }
    let (scratch, _quiet) = (Scratch::new(), quiet());
    let path = go_build(&scratch, "fetch", &[]);
    until_nothing_is_lost(|| {
        // Half of the body, and no more.
        let server = Server::of(|mut client| {
            let _ = client.read(&mut [0; 4_096]).ok()?;
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok").ok()
        });
        let mut program = Program::start(&path, &server);
        let (closewait, _) = watching(server.port, &[]);
        program.leave("fetch", 1);
        server.leave(1);
        let (rows, summary) = report(closewait, 1);
        let lost = summary["code_lost"].as_u64().unwrap_or(0);
        let said: Vec<_> = rows.values().flat_map(named).filter(|_| lost == 0).collect();
        assert!(lost > 0 || !said.is_empty());
        for (word, said) in said {
            let why = said.expect_err("nobody can know it");
            let is_said = why.contains("(*persistConn).writeLoop transport.go:")
                && why.contains("on behalf of code that is not on its stack");
            assert!(word == "asked" && is_said, "{word}: {why}");
        }
        lost
    });
}

/// Without packets: what its process did to each socket since.
#[test]
fn sockets_are_named_without_a_capture() {
    if !can_run(&[ROOT, GO, DRIVER, TRACEFS]) {
        return;
    }
    let (scratch, _quiet) = (Scratch::new(), quiet());
    let (path, server) = (built(&scratch, &[]), Server::start());
    let peer = format!(":{}", server.port);
    let mut closewait =
        command(&["sockets", "--code", "--watch=200ms", "--format", "jsonl", "--peer", &peer])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
    let mut said = BufReader::new(closewait.stderr.take().expect("piped")).lines();
    assert!(said.next().expect("a line").expect("a line").contains("--code: each send"));
    let mut program = Program::start(&path, &server);
    program.leave("update", 3);
    program.leave("worker", 3);
    server.leave(6);
    for _ in 0..3 {
        program.take_line();
    }
    let lines = BufReader::new(closewait.stdout.take().expect("piped")).lines();
    let began = Instant::now();
    let (mut found, mut at_once) = (BTreeMap::new(), BTreeMap::new());
    for line in lines {
        let row: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        if row["type"] == "summary" {
            found = std::mem::take(&mut at_once);
            let ended =
                found.values().filter(|named: &&BTreeMap<_, _>| named.contains_key("ended"));
            if found.len() == 6 && ended.count() == 3 || began.elapsed() > Duration::from_secs(20) {
                break;
            }
        } else {
            at_once.insert(row["local"]["port"].as_u64().expect("a port"), named(&row));
        }
    }
    let _ = closewait.kill();
    let _ = closewait.wait();
    assert!(found.keys().eq(program.truth.keys()), "{found:?}");
    for (port, named) in found {
        let mut truth = program.truth[&port].clone();
        // Without packets nobody knows of a transaction.
        truth.remove("begun");
        // A machine that has much else to do may lose some.
        let is_lost =
            named.values().any(|said| said.as_ref().is_err_and(|why| why.contains("lost")));
        for (word, place) in truth {
            let said = named.get(&word);
            assert!(
                said == Some(&Ok(place)) || is_lost && !said.is_some_and(Result::is_ok),
                "{named:?}"
            );
        }
    }
}

/// What `-w` keeps names the code offline, too: in rows, on the ladder, in folded stacks.
#[test]
fn the_code_is_kept_beside_the_packets() {
    if !can_run(&[ROOT, GO, DRIVER, TRACEFS]) {
        return;
    }
    let (scratch, _quiet) = (Scratch::new(), quiet());
    let (path, server) = (built(&scratch, &[]), Server::start());
    let mut program = Program::start(&path, &server);
    let kept = scratch.path().join("kept.pcapng");
    let kept = kept.to_str().expect("a plain path");
    let (closewait, _) = watching(server.port, &["-w", kept]);
    program.leave("update", 2);
    server.leave(2);
    let live = findings(closewait, 2);
    let port = server.port.to_string();
    let read = |arguments: &[&str]| {
        let arguments = [arguments, &["--mysql", &port]].concat();
        let output = command(&arguments).output().expect("the binary runs");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let rows = read(&[kept, "--format", "jsonl"]);
    let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let rows: Vec<Value> = rows.filter(|row| row["finding"] == true).collect();
    assert_eq!(rows.len(), 2);
    for row in &rows {
        let port = row["a"]["port"].as_u64().expect("a port");
        let said = named(row);
        let truth = program.truth[&port].clone();
        assert!(
            said.into_iter().eq(truth.into_iter().map(|(word, place)| (word, Ok(place)))),
            "{row}"
        );
        let same = live.values().find(|live| live["a"]["port"] == port).expect("the same");
        assert_eq!(
            (statements(row), &row["process"]["pid"]),
            (statements(same), &same["process"]["pid"])
        );
    }
    let port = rows[0]["a"]["port"].as_u64().expect("a port");
    let ladder = read(&["explain", kept]);
    for (word, statement) in [("begun", "START TRANSACTION"), ("asked", "UPDATE accounts")] {
        let (function, line) = &program.truth[&port][word];
        let is_its = |text: &&str| text.trim_start().starts_with(&format!("asked: {statement}"));
        let asked = ladder.lines().find(is_its).unwrap_or_else(|| panic!("{ladder}"));
        assert!(asked.contains(&format!(", by {function} main.go:{line}")), "{asked}");
    }
    assert!(ladder.contains("  begun by     main.(*MainController).update"), "{ladder}");
    let folded = read(&[kept, "--folded"]);
    assert!(folded.contains(";main.(*MainController).update;START TRANSACTION;"), "{folded}");
}

fn signal(name: &str, pid: &str) {
    assert!(Command::new("kill").args([name, pid]).status().expect("kill runs").success());
}

/// Sends more over the loopback than any ring has room for.
fn flood() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut out =
        TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
    let (mut back, _) = listener.accept().expect("it came");
    for _ in 0..40_000 {
        out.write_all(b"x").expect("it is open");
        back.read_exact(&mut [0]).expect("it is open");
    }
}

/// Whoever reads the events stands still for a while: what was lost is a number, what it could have changed is
/// unknown, and what came after it is named.
#[test]
fn lost_events_are_counted() {
    if !can_run(&[ROOT, GO, DRIVER, TRACEFS]) {
        return;
    }
    let _alone = QUIET.write().unwrap_or_else(PoisonError::into_inner);
    let scratch = Scratch::new();
    let (path, server) = (built(&scratch, &[]), Server::start());
    let mut program = Program::start(&path, &server);
    let (closewait, _) = watching(server.port, &[]);
    program.leave("update", 1);
    let before: Vec<u64> = program.truth.keys().copied().collect();
    let pid = closewait.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let reader = children.expect("it is there").trim().to_owned();
    signal("-STOP", &reader);
    flood();
    signal("-CONT", &reader);
    // It has caught up once it knows of a connection that ended.
    thread::sleep(Duration::from_secs(1));
    program.leave("update", 1);
    server.leave(2);
    let (rows, summary) = report(closewait, 2);
    assert!(summary["code_lost"].as_u64().is_some_and(|lost| lost > 1_000), "{summary}");
    for row in rows.values() {
        let port = row["a"]["port"].as_u64().expect("a port");
        let is_before = before.contains(&port);
        for (word, said) in named(row) {
            match said {
                Ok(place) => assert!(!is_before && place == program.truth[&port][&word], "{row}"),
                Err(why) => assert!(is_before && why == "events were lost", "{why}: {row}"),
            }
        }
    }
}

/// A command of closewait's as nobody with these rights alone.
fn with_rights(binary: &Path, rights: &str, arguments: &[&str]) -> Command {
    let rights: Vec<String> = rights.split(' ').map(|right| format!("+{right}")).collect();
    let rights = format!("-all,{}", rights.join(","));
    let mut command = tool("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(format!("--inh-caps={rights}"))
        .arg(format!("--ambient-caps={rights}"))
        .arg(binary)
        .args(arguments);
    command
}

/// What `closewait lookup --code` says then.
fn said_with(binary: &Path, rights: &str) -> String {
    let mut command = with_rights(binary, rights, &["lookup", "--code"]);
    let output = command.stdin(Stdio::null()).output().expect("setpriv runs");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The binary where nobody may carry it out.
fn binary_of_all(scratch: &Scratch) -> PathBuf {
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(scratch.path(), open).expect("ours");
    let binary = scratch.path().join("closewait");
    fs::copy(BINARY, &binary).expect("room");
    binary
}

/// As nobody it takes three rights; each that is missing has its sentence, and the rest goes on.
#[test]
fn each_missing_right_is_said() {
    if !can_run(&[ROOT, TRACEFS, SETPRIV]) {
        return;
    }
    let scratch = Scratch::new();
    let binary = binary_of_all(&scratch);
    let said = said_with(&binary, "perfmon dac_read_search sys_ptrace");
    assert!(said.contains("each send on this host") && !said.contains("it takes"), "{said}");
    let said = said_with(&binary, "dac_read_search sys_ptrace");
    assert!(said.contains("it takes cap_perfmon") && said.contains("going on without"), "{said}");
    let said = said_with(&binary, "perfmon sys_ptrace");
    assert!(said.contains("it takes cap_dac_read_search"), "{said}");
    let said = said_with(&binary, "perfmon dac_read_search");
    assert!(said.contains("each send") && said.contains("it takes cap_sys_ptrace"), "{said}");
}

/// With the three and the right to capture, nobody names another user's functions; without the one to look into
/// its process, each of them says so.
#[test]
fn nobody_names_functions_with_three_rights() {
    if !can_run(&[ROOT, GO, DRIVER, TRACEFS, SETPRIV]) {
        return;
    }
    let (scratch, _quiet) = (Scratch::new(), quiet());
    let (path, binary) = (built(&scratch, &[]), binary_of_all(&scratch));
    let live = ["live", "--code", "-i", "lo", "--min-hold", "500ms", "--format", "jsonl"];
    for (rights, is_named) in [
        ("net_raw perfmon dac_read_search sys_ptrace", true),
        ("net_raw perfmon dac_read_search", false),
    ] {
        until_nothing_is_lost(|| {
            let server = Server::start();
            let mut program = Program::start(&path, &server);
            let port = server.port.to_string();
            let expression = format!("port {port}");
            let live = [&live[..], &["--mysql", &port, "--", &expression]].concat();
            let mut closewait = with_rights(&binary, rights, &live);
            let (closewait, _) = started(&mut closewait, "listening on lo");
            program.leave("update", 2);
            server.leave(2);
            let (rows, summary) = report(closewait, 2);
            assert_eq!(rows.len(), 2);
            let lost = summary["code_lost"].as_u64().unwrap_or(0);
            for (word, said) in rows.values().flat_map(named).filter(|_| lost == 0) {
                let is_its =
                    |place| program.truth.values().any(|told| told.get(&word) == Some(place));
                match said {
                    Ok(place) => assert!(is_named && is_its(&place), "{word} {place:?}"),
                    Err(why) => {
                        assert!(!is_named && why.contains("cap_sys_ptrace"), "{word}: {why}")
                    }
                }
            }
            lost
        });
    }
}

/// Where tracefs is not mounted.
#[test]
fn a_missing_tracefs_is_said() {
    if !can_run(&[ROOT, NETNS]) {
        return;
    }
    let hide = "mount -t tmpfs none /sys/kernel && exec \"$0\" lookup --code";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", hide, BINARY])
        .stdin(Stdio::null())
        .output()
        .expect("unshare runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("mount -t tracefs tracefs /sys/kernel/tracing"), "{said}");
}
