//! README's commands that are not examples of a fixture are run as they stand: on a host of their own (a
//! network namespace) that leaves connections behind, and where they build, as far as that is quick.

#![cfg(feature = "libpcap")]

mod common;
#[path = "common/live.rs"]
mod watcher;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{BINARY, NETNS, ROOT, Scratch, TCPDUMP, lacks, project, skip, text, tool};
use watcher::{Server, signal};

/// The blocks of README whose commands are no examples: their lines.
fn blocks() -> Vec<Vec<String>> {
    let readme = std::fs::read_to_string(project("README.md")).expect("README");
    let (mut blocks, mut fence) = (vec![Vec::new()], None);
    for line in readme.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            fence = if fence.is_none() { Some(kind.to_owned()) } else { None };
            blocks.push(Vec::new());
        } else if fence.as_deref() == Some("text") || fence.is_none() && line.starts_with("    ") {
            blocks.last_mut().expect("one").push(line.to_owned());
        } else if fence.is_none() && blocks.last().is_some_and(|block| !block.is_empty()) {
            blocks.push(Vec::new());
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

/// The block that begins with this command.
fn block(command: &str) -> Vec<String> {
    let begins = |block: &Vec<String>| block[0].trim_start().trim_start_matches("$ ") == command;
    blocks().into_iter().find(begins).unwrap_or_else(|| panic!("README has no {command}"))
}

/// The commands of all these blocks.
fn commands() -> BTreeSet<String> {
    let command = |line: &String| {
        let indented = line.strip_prefix("    ").filter(|line| !line.starts_with(' '));
        let command = line.strip_prefix("$ ").or(indented)?;
        Some(command.split(" # ").next()?.trim().to_owned())
    };
    blocks().iter().flatten().filter_map(command).collect()
}

const SOCKETS: &str = "closewait sockets";
const LIVE: &str = "closewait live port 3306";
const TCPDUMP_COMMAND: &str = "tcpdump -i any -w incident.pcap port 3306";
const READ: &str = "closewait incident.pcap";

#[test]
fn every_command_is_known_here() {
    let known = [SOCKETS, LIVE, TCPDUMP_COMMAND, READ, "make run", "make dist"];
    let known = known.into_iter().chain(["cargo install --path ."]).map(String::from);
    assert_eq!(commands(), known.collect());
}

/// What builds is too long for a test, and `make` is what runs it: it knows these targets.
#[test]
fn what_builds_is_there() {
    let mut make = tool("make");
    make.args(["-n", "run", "test", "dist", "bench"]).current_dir(project("."));
    let made = make.env_remove("MAKEFLAGS").output().expect("make");
    assert!(made.status.success(), "{}", text(&made).1);
    let tree = |more: &[&str]| {
        let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
        let mut cargo = Command::new(cargo);
        cargo.args(["tree", "--offline", "--locked", "-e", "normal", "--prefix", "none"]);
        let output = cargo.args(more).current_dir(project(".")).output().expect("cargo");
        assert!(output.status.success(), "{}", text(&output).1);
        text(&output).0
    };
    let has =
        |tree: &str, name: &str| tree.lines().any(|line| line.starts_with(&format!("{name} v")));
    let (usual, small) = (tree(&[]), tree(&["--no-default-features", "--features", "cli"]));
    assert!(has(&usual, "pcap") && !has(&small, "pcap") && has(&small, "clap"));
    assert!(!has(&tree(&["--no-default-features"]), "clap"), "the library alone");
}

/// The oldest Rust that README names builds it: no crate asks for a later one. Clippy sees that no line here does.
#[test]
fn no_crate_wants_a_later_rust() {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut cargo = Command::new(cargo);
    cargo.args(["metadata", "--locked", "--format-version", "1", "--all-features"]);
    cargo.args(["--filter-platform", "x86_64-unknown-linux-gnu"]).current_dir(project("."));
    let output = cargo.output().expect("cargo");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let version = |text: &str| {
        let parts = text.split('.').map(|part| part.parse().expect("a number"));
        parts.collect::<Vec<u32>>()
    };
    let ours = env!("CARGO_PKG_RUST_VERSION");
    let readme = std::fs::read_to_string(project("README.md")).expect("README");
    assert!(readme.contains(&format!("Rust ({ours} or later")), "{ours}");
    let crates = told["packages"].as_array().expect("packages");
    let later = crates.iter().filter(|package| {
        let wanted = package["rust_version"].as_str();
        wanted.is_some_and(|wanted| version(wanted) > version(&format!("{ours}.0")))
    });
    let later: Vec<String> = later.map(|package| package["id"].to_string()).collect();
    assert!(crates.len() > 100 && later.is_empty(), "{ours} is too old for {later:?}");
}

/// The words of a line, with `#` for whatever has a digit, and `s` for each unit of time.
fn skeleton(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let bare = word.trim_end_matches([',', ';', '.', ':', ')']);
        let end = &word[bare.len()..];
        let word = match bare {
            "s" | "ms" | "µs" | "min" => format!("s{end}"),
            // But for the names of states.
            bare if !bare.starts_with(|c: char| c.is_uppercase())
                && bare.contains(|c: char| c.is_ascii_digit()) =>
            {
                format!("#{end}")
            }
            _ => word.to_owned(),
        };
        // `1 min 3 s` is a time like any other.
        if word.starts_with('s') && words.ends_with(&["#".into(), "s".into(), "#".into()]) {
            words.truncate(words.len() - 2);
        }
        words.push(word);
    }
    words.join(" ")
}

/// The first of these lines that was not printed, but for its numbers. Of a line only what comes before a
/// mark counts: how fast something grows depends on the machine.
fn missing<'a>(printed: &str, lines: &'a [String], marks: &[char]) -> Option<&'a String> {
    let printed: Vec<String> = printed.lines().map(skeleton).collect();
    lines.iter().find(|line| {
        let wanted = skeleton(line);
        let wanted = wanted.split(marks).next().unwrap_or_default();
        !printed.iter().any(|got| got.starts_with(wanted))
    })
}

#[test]
fn the_commands_of_a_host_do_what_readme_shows() {
    if let Some(missing) = lacks(&[ROOT, NETNS, TCPDUMP]) {
        return skip(missing);
    }
    let here = std::env::current_exe().expect("this program");
    let helper = ["--exact", "helper_on_a_host_of_its_own", "--nocapture"];
    let mut command = tool("unshare");
    command.arg("--net").arg(here).args(helper).env("CLOSEWAIT_TEST_README", "1");
    let output = command.output().expect("unshare");
    let (out, err) = text(&output);
    assert!(output.status.success() && out.contains("all was shown"), "{out}{err}");
}

/// Not a test of its own: what runs on that host.
#[test]
fn helper_on_a_host_of_its_own() {
    if std::env::var_os("CLOSEWAIT_TEST_README").is_none() {
        return;
    }
    assert!(tool("ip").args(["link", "set", "lo", "up"]).status().expect("ip").success());
    // The name that README's program has.
    std::fs::write("/proc/self/comm", "orders-api").expect("a name");
    let scratch = Scratch::new();
    // tcpdump writes as a user of its own.
    let everybody = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(scratch.path(), everybody).expect("a folder of ours");
    let server = Server::at("127.0.0.1:3306");

    let mut tcpdump = shell(TCPDUMP_COMMAND, &scratch);
    let mut said = BufReader::new(tcpdump.stderr.take().expect("piped"));
    wait_for(&mut said, "listening on any");
    let _open = server.connected();
    let mut left: Vec<TcpStream> = Vec::new();
    for _ in 0..2 {
        // Idle for a while; and so they are not all held for as long.
        left.push(left_behind(&server));
    }
    assert_eq!(left[0].read(&mut [0]).expect("the end-of-file"), 0);

    // The kernel may wait before it acknowledges a FIN.
    let wanted = block(SOCKETS);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let sockets = shell(SOCKETS, &scratch).wait_with_output().expect("it ends");
        let (out, err) = text(&sockets);
        assert_eq!((sockets.status.code(), err.as_str()), (Some(1), ""), "{out}");
        let Some(line) = missing(&out, &wanted[1..], &[',', ';']) else { break };
        assert!(Instant::now() < deadline, "{line}\nis not in\n{out}");
    }

    let mut live = shell(LIVE, &scratch);
    let shown = block(LIVE);
    let mut said = BufReader::new(live.stderr.take().expect("piped"));
    wait_for(&mut said, &shown[1]);
    let mut lines = BufReader::new(live.stdout.take().expect("piped"));
    let mut show = |what: &str, at: usize| {
        let line = wait_for(&mut lines, what);
        assert_eq!(missing(&line, &shown[at..=at], &[]), None, "{line}");
    };
    show("since before", 2);
    left.push(left_behind(&server));
    show("so far", 3);
    left.pop();
    show("ended", 4);
    stop(live);

    // It takes packets from the kernel once a second, and what it has not taken when it is stopped is lost.
    std::thread::sleep(Duration::from_secs(3));
    assert!(stop(tcpdump).status.success());
    let read = shell(READ, &scratch).wait_with_output().expect("it ends");
    let (out, err) = text(&read);
    assert_eq!((read.status.code(), err.as_str()), (Some(1), ""), "{out}");
    assert!(out.starts_with("2 of 4 connections left in CLOSE-WAIT by 127.0.0.1"), "{out}");
    println!("all was shown");
}

/// A client whose server closes when nothing has been said for a while.
fn left_behind(server: &Server) -> TcpStream {
    let (client, _served) = server.connected();
    std::thread::sleep(Duration::from_millis(1_100));
    client
}

/// A command of README in a shell, with the binary on the path.
fn shell(command: &str, scratch: &Scratch) -> Child {
    let bin = std::path::Path::new(BINARY).parent().expect("a folder").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("exec {command}")]).current_dir(scratch.path());
    bash.env("PATH", format!("{bin}:{path}:/usr/sbin:/sbin")).env("TZ", "UTC");
    bash.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    bash.spawn().expect("bash")
}

/// Reads on to a line that has this.
fn wait_for(lines: &mut impl BufRead, what: &str) -> String {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        let n = lines.read_line(&mut line).expect("a line");
        assert!(n > 0, "no {what:?} in:\n{seen}");
        if line.contains(what) {
            return line;
        }
        seen += &line;
    }
}

fn stop(child: Child) -> Output {
    signal("-INT", child.id());
    child.wait_with_output().expect("it ends")
}
