//! `closewait live` as a service: what it tells its manager, and how it ends.
#![cfg(feature = "libpcap")]

mod common;

use std::fs::read_to_string;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::{Scratch, heeding_hang_up, is_root};

/// A manager, and the service that it has started.
struct Service {
    manager: UnixDatagram,
    child: Child,
    _folder: Scratch,
}

/// Nothing is heard for longer than this of a service that is alive.
const PATIENCE: Duration = Duration::from_secs(20);

impl Service {
    fn start() -> Service {
        let folder = Scratch::new();
        let socket = folder.path().join("notify");
        let manager = UnixDatagram::bind(&socket).expect("a socket");
        manager.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let child = heeding_hang_up(&["live", "-i", "lo", "--format", "jsonl", "port", "1"])
            .env("NOTIFY_SOCKET", &socket)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        Service { manager, child, _folder: folder }
    }

    fn hear(&self) -> String {
        self.word().expect("a word in time")
    }

    /// The next word. A signal to this process is none.
    fn word(&self) -> io::Result<String> {
        let mut word = [0; 64];
        loop {
            match self.manager.recv(&mut word) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                heard => {
                    let len = heard?;
                    return Ok(String::from_utf8_lossy(&word[..len]).into_owned());
                }
            }
        }
    }

    fn hear_until(&self, wanted: &str) {
        while self.hear() != wanted {}
    }

    fn signal(&self, name: &str) {
        kill(name, &self.child.id().to_string());
    }

    /// Standard output, standard error and status.
    fn end(mut self) -> (String, String, Option<i32>) {
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().expect("piped").read_to_string(&mut out).expect("UTF-8");
        self.child.stderr.take().expect("piped").read_to_string(&mut err).expect("UTF-8");
        (out, err, self.child.wait().expect("it ends").code())
    }
}

fn kill(name: &str, pid: &str) {
    assert!(Command::new("kill").args([name, pid]).status().expect("kill").success());
}

fn summaries(out: &str) -> usize {
    out.lines().filter(|line| line.contains("\"type\":\"summary\"")).count()
}

#[test]
fn the_manager_hears_that_packets_are_read() {
    if !is_root() {
        return;
    }
    let service = Service::start();
    assert_eq!(service.hear(), "READY=1");
    for _ in 0..3 {
        assert_eq!(service.hear(), "WATCHDOG=1");
    }
    // A hang-up is a reload.
    service.signal("-HUP");
    sleep(Duration::from_secs(1));
    service.hear_until("WATCHDOG=1");
    service.signal("-TERM");
    service.hear_until("STOPPING=1");
    let (out, err, status) = service.end();
    assert_eq!((summaries(&out), status), (2, Some(0)), "{out}{err}");
}

/// Stopped, it says nothing: that is how a manager knows.
#[test]
fn a_loop_that_stands_still_is_not_heard() {
    if !is_root() {
        return;
    }
    let service = Service::start();
    service.hear_until("WATCHDOG=1");
    service.signal("-STOP");
    service.manager.set_read_timeout(Some(Duration::from_secs(2))).expect("a socket");
    let silent = (0..20).any(|_| service.word().is_err());
    assert!(silent);
    service.signal("-CONT");
    service.signal("-TERM");
    assert_eq!(service.end().2, Some(0));
}

#[test]
fn without_the_process_that_names_others_it_ends_with_a_failure() {
    if !is_root() {
        return;
    }
    let service = Service::start();
    service.hear_until("WATCHDOG=1");
    let pid = service.child.id();
    let children = read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("a process");
    kill("-KILL", children.trim());
    let (out, err, status) = service.end();
    assert_eq!((summaries(&out), status), (1, Some(2)), "{out}{err}");
    assert!(err.contains("processes are no longer named"), "{err}");
}

/// Started by hand, it prints its report when the terminal goes away; unless it was told to outlive it.
#[test]
fn a_hang_up_ends_it_with_its_report() {
    if !is_root() {
        return;
    }
    for (trap, ends) in [("", true), ("trap '' HUP; ", false)] {
        let line = format!("{trap}exec \"$0\" live -i lo --format jsonl port 1");
        let mut child = common::not_by_nohup("sh")
            .args(["-c", &line, common::BINARY])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut said = BufReader::new(child.stderr.take().expect("piped"));
        said.read_line(&mut String::new()).expect("it listens");
        kill("-HUP", &child.id().to_string());
        sleep(Duration::from_secs(2));
        assert_eq!(child.try_wait().expect("a child").is_some(), ends, "{trap}");
        if !ends {
            kill("-TERM", &child.id().to_string());
        }
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{trap}");
        assert_eq!(summaries(&String::from_utf8_lossy(&output.stdout)), 1, "{trap}");
    }
}
