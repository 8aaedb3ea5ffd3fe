//! `closewait check -- COMMAND`: captures the loopback interface while a command runs, and this process leaks
//! meanwhile, or does not.
#![cfg(feature = "libpcap")]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{Scratch, command, is_root, text};

/// Both ends of a connection on which something was said.
fn connected(server: &TcpListener) -> (TcpStream, TcpStream) {
    let mut client =
        TcpStream::connect(server.local_addr().expect("an address")).expect("a client");
    let (mut served, _) = server.accept().expect("a client");
    client.write_all(b"q").expect("an open connection");
    served.read_exact(&mut [0]).expect("an open connection");
    (client, served)
}

/// Runs a shell's command under it, and `meanwhile` once the command runs.
fn around<T>(
    scratch: &Scratch,
    server: &TcpListener,
    args: &[&str],
    script: &str,
    meanwhile: impl FnOnce() -> T,
) -> Output {
    let filter = format!("port {}", server.local_addr().expect("an address").port());
    let runs = scratch.path().join("runs");
    let script = format!("touch '{}'; {script}", runs.display());
    let flags = ["check", "-i", "lo", "-f", &filter];
    let linger: &[&str] = if args.contains(&"--linger") { &[] } else { &["--linger", "1500ms"] };
    let child = command(&[&flags[..], linger, args, &["--", "sh", "-c", &script]].concat())
        .current_dir(scratch.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let began = Instant::now();
    while !Path::new(&runs).exists() {
        assert!(began.elapsed() < Duration::from_secs(20), "the command never runs");
        sleep(Duration::from_millis(10));
    }
    let kept = meanwhile();
    let output = child.wait_with_output().expect("it ends");
    drop(kept);
    std::fs::remove_file(runs).expect("it ran");
    output
}

#[test]
fn a_leak_beside_a_command_fails() {
    if !is_root() {
        return;
    }
    let (scratch, server) = (Scratch::new(), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let leak = || connected(&server).0;
    let output = around(&scratch, &server, &[], "echo said; sleep 0.3", leak);
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    assert!(out.contains("said\n") && out.contains("leak: expected at most 0, found 1"), "{out}");
    assert!(!out.contains("next:"), "nothing was kept: {out}");
    // The worse of both.
    let output = around(&scratch, &server, &[], "sleep 0.3; exit 7", leak);
    assert_eq!(output.status.code(), Some(7));
    // A machine's format is alone on standard output, and a kept capture can be explained.
    let args = ["--format", "jsonl", "-w", "x.pcap"];
    let output = around(&scratch, &server, &args, "echo said; sleep 0.3", leak);
    let lines = common::json_lines(&output);
    assert_eq!(lines[0]["status"], "failed", "{lines:?}");
    assert_eq!(lines[0]["capture"], "x.pcap");
    assert!(text(&output).1.contains("said"));
    let read = command(&["x.pcap"]).current_dir(scratch.path()).output().expect("it runs");
    assert_eq!(read.status.code(), Some(1));
}

#[test]
fn what_is_closed_passes_and_what_is_open_was_not_judged() {
    if !is_root() {
        return;
    }
    let (scratch, server) = (Scratch::new(), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let closed = || {
        let (client, served) = connected(&server);
        drop(served);
        sleep(Duration::from_millis(50));
        drop(client);
    };
    let output = around(&scratch, &server, &[], "sleep 0.3", closed);
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    assert!(out.contains("1 capture: 1 ok"), "{out}");
    let output = around(&scratch, &server, &[], "exit 3", closed);
    assert_eq!(output.status.code(), Some(3), "as the command ends");
    let output = around(&scratch, &server, &[], "sleep 0.3", || connected(&server));
    let (out, err) = text(&output);
    let still = "1 connection still open 1.5 s after the command (--linger); nothing has shown";
    assert!(err.contains(still), "{err}");
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(out.contains("judged: expected a connection that its peer closed"), "{out}");
}

/// It waits for as long as the service has been seen to wait, and no longer.
#[test]
fn it_waits_for_the_peer_s_timeout() {
    if !is_root() {
        return;
    }
    let (scratch, server) = (Scratch::new(), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let timed = |script: &str, meanwhile: &dyn Fn() -> Option<(TcpStream, TcpStream)>| {
        let began = Instant::now();
        let output = around(&scratch, &server, &["--linger", "20s"], script, meanwhile);
        let (out, err) = text(&output);
        assert!(!err.contains("still open"), "{out}{err}");
        (began.elapsed(), out)
    };
    let closed_after = |pause: u64| {
        let (client, served) = connected(&server);
        sleep(Duration::from_millis(pause));
        drop(served);
        sleep(Duration::from_millis(50));
        drop(client);
    };
    // Nothing is left: there is nothing to wait for.
    let (took, out) = timed("sleep 0.3", &|| {
        closed_after(100);
        None
    });
    assert!(took < Duration::from_secs(6) && out.contains("1 ok"), "{took:?} {out}");
    // One that has been silent for longer than the other was does not end any more.
    let (took, _) = timed("sleep 1.5", &|| {
        let open = connected(&server);
        closed_after(1_000);
        Some(open)
    });
    assert!(took > Duration::from_secs(2) && took < Duration::from_secs(9), "{took:?}");
    // One that was held and closed after all is said.
    let (_, out) = timed("sleep 0.1", &|| {
        let (client, served) = connected(&server);
        drop(served);
        sleep(Duration::from_millis(1_200));
        drop(client);
        None
    });
    assert!(
        out.contains("1 ok") && out.contains("1 connection held in CLOSE-WAIT for up to 1."),
        "{out}"
    );
}

#[test]
fn what_cannot_be_done_is_one_sentence() {
    let output = common::closewait(&["check", "-i", "nosuch0", "--", "true"]);
    let (out, err) = text(&output);
    assert_eq!((out.as_str(), output.status.code()), ("", Some(2)));
    assert!(err.starts_with("closewait: nosuch0:") && err.lines().count() == 1, "{err}");
    if !is_root() {
        return;
    }
    let output = common::closewait(&["check", "-i", "lo", "--", "no-such-program"]);
    let (_, err) = text(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(err.starts_with("closewait: no-such-program: cannot be run:"), "{err}");
    // Without the right to capture, nothing is run.
    let scratch = Scratch::new();
    let ran = scratch.path().join("ran");
    let output = common::tool("setpriv")
        .args(["--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"])
        .args([common::BINARY, "check", "-i", "lo", "--", "touch"])
        .arg(&ran)
        .output();
    let Ok(output) = output else { return common::skip("setpriv") };
    let (_, err) = text(&output);
    // The binary may lie where only root looks.
    if !err.contains("Permission denied") || err.starts_with("closewait:") {
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains("setcap cap_net_raw=ep") && err.lines().count() == 1, "{err}");
    }
    assert!(!ran.exists());
}
