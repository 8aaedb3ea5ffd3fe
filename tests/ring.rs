//! `live -w` in files that follow one another, in a network namespace of its own.

mod common;
#[path = "common/live.rs"]
mod watching;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{NETNS, ROOT, Scratch, closewait, json_lines, lacks, skip, text};
use serde_json::Value;
use watching::{Server, Watcher};

const INSIDE: &str = "CLOSEWAIT_TEST_RING";

/// Runs a test below in a network namespace that has its own loopback interface.
fn in_a_namespace(test: &str) {
    if let Some(need) = lacks(&[ROOT, NETNS]) {
        return skip(need);
    }
    let me = std::env::current_exe().expect("a path");
    let output = Command::new("unshare")
        .arg("--net")
        .arg(me)
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare runs");
    assert!(output.status.success(), "{}\n{}", text(&output).0, text(&output).1);
}

/// Inside, the loopback interface is up; elsewhere, nothing is to be done.
fn is_inside() -> bool {
    let inside = std::env::var_os(INSIDE).is_some();
    if inside {
        let status = Command::new("ip").args(["link", "set", "lo", "up"]).status();
        assert!(status.expect("ip runs").success());
    }
    inside
}

#[test]
fn files_of_a_size_are_whole_and_hold_everything() {
    in_a_namespace("inside_by_size");
}

#[test]
fn a_ring_keeps_the_last() {
    in_a_namespace("inside_a_ring");
}

#[test]
fn files_of_a_time_have_it_in_their_names() {
    in_a_namespace("inside_by_time");
}

/// Sends so many octets each way.
fn talk(client: &mut TcpStream, served: &mut TcpStream, kib: usize) {
    let octets = [7; 1_024];
    let mut back = [0; 1_024];
    for _ in 0..kib {
        client.write_all(&octets).expect("open");
        served.read_exact(&mut back).expect("open");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder");
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<String> = entries.map(|entry| name(entry.expect("an entry"))).collect();
    names.sort();
    names
}

/// The lines of these files, read as one capture. Nothing was cut off.
fn read(folder: &Path, names: &[String]) -> Vec<Value> {
    let paths: Vec<String> =
        names.iter().map(|name| folder.join(name).to_str().expect("UTF-8").to_owned()).collect();
    let mut args = vec!["--format", "jsonl"];
    args.extend(paths.iter().map(String::as_str));
    let output = closewait(&args);
    assert_eq!(text(&output).1, "", "no warning");
    json_lines(&output)
}

fn packets(lines: &[Value]) -> u64 {
    lines.last().expect("a summary")["packets"].as_u64().expect("a number")
}

#[test]
fn inside_by_size() {
    if !is_inside() {
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.path().join("x.pcap");
    let server = Server::new();
    let kept = ["-w", path.to_str().expect("UTF-8"), "-C", "1", "-s", "0"];
    let watcher = Watcher::start(server.port(), &kept);
    let left = server.left_behind();
    let (mut client, mut served) = server.connected();
    talk(&mut client, &mut served, 3_000);
    let later = server.left_behind();
    sleep(Duration::from_millis(700));
    let (report, _) = watcher.stop();
    drop((left, later, client, served));
    let names = names(scratch.path());
    assert_eq!(names[..3], ["x.pcap", "x.pcap1", "x.pcap2"], "{names:?}");
    for name in &names {
        let len = fs::metadata(scratch.path().join(name)).expect("there").len();
        assert!(len < 1_200_000, "{name}: {len}");
        read(scratch.path(), std::slice::from_ref(name));
    }
    let all = read(scratch.path(), &names);
    assert_eq!(packets(&all), packets(&report));
    assert_eq!(all.last().expect("a summary")["findings"], 2, "{all:?}");
}

#[test]
fn inside_a_ring() {
    if !is_inside() {
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.path().join("x.pcap");
    let server = Server::new();
    let kept = ["-w", path.to_str().expect("UTF-8"), "-C", "100k", "-W", "3", "-s", "0"];
    let watcher = Watcher::start(server.port(), &kept);
    let (mut client, mut served) = server.connected();
    talk(&mut client, &mut served, 2_000);
    let left = server.left_behind();
    sleep(Duration::from_millis(700));
    let (report, _) = watcher.stop();
    drop(left);
    let names = names(scratch.path());
    assert_eq!(names, ["x.pcap0", "x.pcap1", "x.pcap2"]);
    let all = read(scratch.path(), &names);
    assert!(packets(&all) < packets(&report) / 2);
    assert_eq!(all.last().expect("a summary")["findings"], 1, "the last is in it");
}

/// It ends by itself after so many, and each has what was seen in its time.
#[test]
fn inside_by_time() {
    if !is_inside() {
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.path().join("x-%H%M%S.pcap");
    let server = Server::new();
    let kept = ["-w", path.to_str().expect("UTF-8"), "-G", "1", "-W", "3"];
    let mut watcher = Watcher::start(server.port(), &kept);
    let began = Instant::now();
    let (mut client, mut served) = server.connected();
    while watcher.child.try_wait().expect("its status").is_none() {
        talk(&mut client, &mut served, 1);
        sleep(Duration::from_millis(20));
        assert!(began.elapsed() < Duration::from_secs(20), "it ends by itself");
    }
    let names = names(scratch.path());
    assert_eq!(names.len(), 3, "{names:?}");
    let digits = |name: &String| name[2..8].bytes().all(|octet| octet.is_ascii_digit());
    assert!(names.iter().all(digits), "{names:?}");
    for name in &names {
        assert!(packets(&read(scratch.path(), std::slice::from_ref(name))) > 10, "{name}");
    }
}

#[test]
fn what_makes_no_series_is_refused() {
    for (args, why) in [
        (&["-C", "1"][..], "-w"),
        (&["-w", "x", "-W", "3"], "-W: with -C or -G"),
        (&["-w", "-", "-C", "1"], "-w -: standard output is the report's"),
        (&["-w", "x-%!", "-G", "1"], "no time that strftime(3) knows"),
        (&["-w", "%F/x", "-G", "1"], "without a time in it"),
        (&["-w", "x", "-C", "0"], "-C"),
        (&["-w", "x", "-G", "0"], "-G"),
        (&["-w", "x", "-C", "1", "-W", "0"], "-W"),
    ] {
        let output = closewait(&[&["live", "-i", "lo"], args].concat());
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(err.contains(why), "{args:?}: {err}");
    }
}
