//! Files that are written: whole or not at all, and never over what is read.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;

use common::{BINARY, NETNS, ROOT, Scratch, closewait, command, lacks, skip, text};

fn capture() -> Vec<u8> {
    fs::read(common::project("fixtures/captures/reproduction/app.pcap")).expect("the capture")
}

/// A folder with a capture, and the names of other files in it.
struct Folder(Scratch);

impl Folder {
    fn new() -> Folder {
        let scratch = Scratch::new();
        scratch.write("a.pcap", &capture());
        Folder(scratch)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("the file is there")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("the folder");
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut names: Vec<String> = entries.map(|entry| name(entry.expect("an entry"))).collect();
        names.sort();
        names
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).expect("the file").permissions().mode() & 0o777
    }
}

fn assert_refused(output: &Output, why: &str) {
    let (_, err) = text(output);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains(why), "{err}");
}

#[test]
fn a_dash_is_standard_output_and_no_file() {
    let folder = Folder::new();
    let run = |args: &[&str]| {
        command(args).current_dir(folder.0.path()).output().expect("the program runs").stdout
    };
    for args in [&["a.pcap"][..], &["check", "a.pcap", "--max-leaks", "0"], &["a.pcap", "--folded"]]
    {
        let plain = run(args);
        assert!(!plain.is_empty());
        assert_eq!(run(&[args, &["-o", "-"]].concat()), plain, "{args:?}");
    }
    if cfg!(feature = "fleet") {
        assert!(run(&["facts", "a.pcap", "-o", "-"]).starts_with(b"PAR1"));
    }
    assert_eq!(folder.names(), ["a.pcap"]);
}

#[test]
fn no_input_is_written_over_whatever_it_is_called() {
    let folder = Folder::new();
    let a = folder.path("a.pcap");
    fs::hard_link(&a, folder.path("hard.pcap")).expect("a link");
    symlink("a.pcap", folder.path("soft.pcap")).expect("a link");
    symlink("soft.pcap", folder.path("softer.pcap")).expect("a link");
    fs::create_dir(folder.path("sub")).expect("a folder");
    let around = folder.path("sub/../a.pcap");
    let names = ["a.pcap", "hard.pcap", "soft.pcap", "softer.pcap"].map(|name| folder.path(name));
    for name in names.iter().chain([&around]) {
        for flag in ["-o", "-w", "--write-baseline"] {
            let verb: &[&str] = if flag == "--write-baseline" { &["check"] } else { &[] };
            let args = [verb, &[a.as_str(), flag, name]].concat();
            assert_refused(&closewait(&args), "is an input too");
            assert_eq!(folder.read("a.pcap"), capture(), "{args:?}");
        }
    }
    // What the shell opened, for reading and for writing.
    for line in [
        "\"$0\" a.pcap -w /dev/fd/7 7<>a.pcap",
        "\"$0\" a.pcap -o /dev/stdout 1<>a.pcap",
        "\"$0\" - -o a.pcap <a.pcap",
    ] {
        let output = Command::new("sh")
            .args(["-c", line, BINARY])
            .current_dir(folder.0.path())
            .output()
            .expect("a shell");
        assert_refused(&output, "is an input too");
        assert_eq!(folder.read("a.pcap"), capture(), "{line}");
    }
}

#[test]
fn two_outputs_are_two_files() {
    let folder = Folder::new();
    let a = folder.path("a.pcap");
    symlink("x", folder.path("y")).expect("a link");
    for (o, w) in [("x", "x"), ("x", "./x"), ("x", "y"), ("y", "x")] {
        let (o, w) = (folder.path(o), folder.path(w));
        assert_refused(&closewait(&[&a, "-o", &o, "-w", &w]), "two outputs cannot be one file");
    }
    let line = "\"$0\" a.pcap -w x >x";
    let output =
        Command::new("sh").args(["-c", line, BINARY]).current_dir(folder.0.path()).output();
    assert_refused(&output.expect("a shell"), "two outputs cannot be one file");
}

#[test]
fn what_was_there_stays_unless_it_worked() {
    let folder = Folder::new();
    let a = folder.path("a.pcap");
    for name in ["report.txt", "packets.pcapng", "baseline"] {
        folder.0.write(name, b"old");
    }
    let (o, w) = (folder.path("report.txt"), folder.path("packets.pcapng"));
    let (typo, base) = (folder.path("typo.pcap"), folder.path("baseline"));
    let before = folder.names();
    let failing: [&[&str]; 5] = [
        &[&typo, "-o", &o],
        &[&typo, "-o", &o, "-w", &w],
        &[&a, "-o", &o, "-w", "/nosuch/file"],
        &[&a, "--max-flows", "3", "-w", &w],
        &["explain", &a, "--frame", "999999", "-o", &o],
    ];
    for args in failing {
        assert_eq!(closewait(args).status.code(), Some(2), "{args:?}");
        for name in ["report.txt", "packets.pcapng"] {
            assert_eq!(folder.read(name), b"old", "{args:?}");
        }
        assert_eq!(folder.names(), before, "nothing is left lying about");
    }
    // One of two could be read: there is a report, and it says so.
    assert_eq!(closewait(&[&a, &typo, "-o", &o]).status.code(), Some(2));
    assert!(String::from_utf8_lossy(&folder.read("report.txt")).contains("left in CLOSE-WAIT"));
    assert_eq!(closewait(&[&a, "-w", &w]).status.code(), Some(1));
    assert_ne!(folder.read("packets.pcapng"), b"old");
    let status = closewait(&["check", &a, "--write-baseline", &base]).status.code();
    assert!(status.is_some_and(|code| code < 2) && folder.read("baseline") != b"old");
    assert_eq!(folder.names(), before);
}

#[test]
fn packets_and_statements_are_for_their_owner_only() {
    let folder = Folder::new();
    let a = folder.path("a.pcap");
    let (o, w) = (folder.path("report.txt"), folder.path("packets.pcapng"));
    closewait(&[&a, "-o", &o, "-w", &w]);
    assert_eq!((folder.mode("report.txt"), folder.mode("packets.pcapng")), (0o600, 0o600));
    // Unless somebody has decided otherwise.
    fs::set_permissions(&o, PermissionsExt::from_mode(0o644)).expect("own file");
    closewait(&[&a, "-o", &o]);
    assert_eq!(folder.mode("report.txt"), 0o644);
}

/// What a name leads to is written, and the name goes on leading there.
#[test]
fn links_pipes_and_descriptors_stay_what_they_are() {
    let folder = Folder::new();
    let a = folder.path("a.pcap");
    folder.0.write("there", b"old");
    symlink("there", folder.path("link")).expect("a link");
    let sh = |line: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", line, BINARY]).current_dir(folder.0.path());
        shell.env("TZ", "UTC").output().expect("a shell")
    };
    sh("\"$0\" a.pcap -o link");
    assert!(fs::symlink_metadata(folder.path("link")).expect("it").is_symlink());
    let report = folder.read("there");
    assert!(report.len() > 100);
    sh("echo before >log; \"$0\" a.pcap -o /dev/stdout >>log; echo after >>log");
    assert!(folder.read("log") == [b"before\n", &report[..], b"after\n"].concat());
    sh("mkfifo pipe; cat pipe >through & \"$0\" a.pcap -o pipe; wait");
    assert!(folder.read("through") == report);
    assert_eq!(closewait(&[&a, "-o", "/dev/null"]).status.code(), Some(1));
}

/// Killed at any moment, there is the old file or a whole new one.
#[test]
fn a_kill_leaves_the_old_or_the_new() {
    let folder = Folder::new();
    let a = folder.path("a.pcap");
    let outputs = ["report.jsonl", "packets.pcapng"];
    let [o, w] = outputs.map(|name| folder.path(name));
    let args = [&a, "--all", "--format", "jsonl", "-o", &o, "-w", &w];
    let started = std::time::Instant::now();
    assert_eq!(command(&args).status().expect("it runs").code(), Some(1));
    let takes = started.elapsed();
    let new = outputs.map(|name| folder.read(name));
    let (mut old_left, mut new_left) = (0, 0);
    for round in 0..60 {
        outputs.iter().for_each(|name| drop(folder.0.write(name, b"old")));
        let mut child = command(&args).stderr(Stdio::null()).spawn().expect("it starts");
        // The last ones have more than twice as long as the first took: another may take longer.
        sleep(takes * round / 25);
        child.kill().and_then(|()| child.wait()).expect("it ends");
        for (name, new) in outputs.iter().zip(&new) {
            let left = folder.read(name);
            old_left += u32::from(left == b"old");
            new_left += u32::from(left == *new);
        }
    }
    assert_eq!(old_left + new_left, 120, "neither old nor new");
    // What the killed ones left beside is cleared by the next; what another writes now is not.
    let parts = || -> Vec<String> {
        let names = std::fs::read_dir(folder.0.path()).expect("a folder");
        let names = names.map(|entry| entry.expect("readable").file_name());
        let names = names.map(|name| name.to_string_lossy().into_owned());
        names.filter(|name| name.ends_with(".part")).collect()
    };
    let others = folder.0.write(".report.jsonl.abc123.part", b"another run's");
    let locked = std::fs::File::open(&others).expect("it");
    locked.try_lock().expect("nobody else's");
    folder.0.write(".report.jsonl.abc124.part", b"left over");
    assert_eq!(command(&args).status().expect("it runs").code(), Some(1));
    assert_eq!(parts(), [".report.jsonl.abc123.part"]);
    drop(locked);
    assert_eq!(command(&args).status().expect("it runs").code(), Some(1));
    assert_eq!(parts(), Vec::<String>::new());
    assert!(old_left > 0 && new_left > 0, "killed too late or too early: {old_left} {new_left}");
}

/// A shell with a disk of this size at `disk`.
fn on_a_small_disk(folder: &Path, size: &str, line: &str) -> Output {
    let script = format!("mkdir -p disk && mount -t tmpfs -o size={size} none disk && {line}");
    let shell = ["--mount", "--net", "bash", "-c", &script, BINARY];
    let mut unshare = common::tool("unshare");
    unshare.args(shell).current_dir(folder).env("TZ", "UTC").output().expect("unshare runs")
}

#[test]
fn a_full_disk_is_said_and_costs_nothing_that_was_there() {
    if let Some(missing) = lacks(&[ROOT, NETNS]) {
        return skip(missing);
    }
    let folder = Folder::new();
    let fill = "echo old >disk/old && ! cat /dev/zero >disk/zero 2>/dev/null";
    for (flag, report) in [("-o", false), ("-w", true)] {
        let line = format!(
            "{fill}; \"$0\" a.pcap {flag} disk/old; s=$?; cat disk/old; ls -A disk; exit $s"
        );
        let output = on_a_small_disk(folder.0.path(), "1m", &line);
        let (out, err) = text(&output);
        assert_eq!(output.status.code(), Some(2), "{out}{err}");
        assert!(err.contains("disk/old: No space left on device"), "{err}");
        assert!(out.ends_with("old\nold\nzero\n"), "{out}");
        assert_eq!(out.contains("left in CLOSE-WAIT"), report, "{out}");
    }
}

#[test]
fn a_disk_that_fills_while_packets_are_kept_is_said() {
    if let Some(missing) = lacks(&[ROOT, NETNS]) {
        return skip(missing);
    }
    let folder = Folder::new();
    let line = "ip link set lo up; \
        \"$0\" live -i lo -w disk/w.pcap --duration 4s 2>err & \
        until grep -q listening err; do sleep 0.05; done; \
        for i in $(seq 600); do echo >/dev/udp/127.0.0.1/9; done; \
        until grep -q 'No space' err || ! kill -0 $!; do sleep 0.05; done; \
        kill -0 $! && echo while it goes on; wait $!; s=$?; cat err >&2; cat disk/w.pcap >w.pcap; exit $s";
    let output = on_a_small_disk(folder.0.path(), "16k", line);
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(2), "{out}{err}");
    assert!(
        err.contains("-w: not all packets could be written: disk/w.pcap: No space left on device"),
        "{err}"
    );
    assert!(out.starts_with("while it goes on\n"), "{out}");
    assert!(out.contains("packets"), "{out}");
    let kept = err.lines().find_map(|line| line.strip_suffix(" packets kept in disk/w.pcap"));
    let kept: usize =
        kept.and_then(|line| line.rsplit_once(' ')?.1.parse().ok()).expect("a number");
    let written = fs::read(folder.0.path().join("w.pcap")).expect("the file");
    let whole = packets_in(&written);
    // Of the block that did not go in, some are there.
    assert!(kept > 0 && kept <= whole && whole - kept < 100, "{kept} of {whole}: {err}");
}

/// A file that is mounted by itself, as into a container, cannot get another's name: what is kept goes on in it.
#[test]
fn a_file_that_is_mounted_holds_what_is_seen_after_it_was_begun() {
    if let Some(missing) = lacks(&[ROOT, NETNS]) {
        return skip(missing);
    }
    let folder = Folder::new();
    let line = "ip link set lo up; cd disk; touch w o inside-w inside-o; \
        for it in w o; do mount --bind $it inside-$it; done; \
        \"$0\" live -i lo -w inside-w -o inside-o --format jsonl --duration 2s 2>err & \
        until grep -q listening err; do sleep 0.05; done; \
        for i in $(seq 20); do echo >/dev/udp/127.0.0.1/9; done; \
        wait $!; s=$?; cat err >&2; cat w >../w.pcap; cat o; ls -A; exit $s";
    let output = on_a_small_disk(folder.0.path(), "1m", line);
    let (out, err) = text(&output);
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    assert!(out.contains("\"type\":\"summary\""), "{out}{err}");
    assert!(out.ends_with("\nerr\ninside-o\ninside-w\no\nw\n"), "nothing beside them: {out}");
    let kept = packets_in(&fs::read(folder.0.path().join("w.pcap")).expect("the file"));
    assert!(
        kept >= 20 && err.contains(&format!("{kept} packets kept in inside-w")),
        "{kept}: {err}"
    );
}

#[test]
fn a_file_that_is_removed_while_packets_are_kept_is_said() {
    if let Some(missing) = lacks(&[ROOT, NETNS]) {
        return skip(missing);
    }
    let folder = Folder::new();
    for (deed, is_lost) in [("rm", true), ("mv -t moved", false)] {
        let line = format!(
            "ip link set lo up; cd disk; mkdir moved; \
            \"$0\" live -i lo -w w.pcap --duration 1s 2>err & \
            until grep -q listening err; do sleep 0.05; done; \
            {deed} w.pcap; wait $!; s=$?; cat err >&2; exit $s"
        );
        let output = on_a_small_disk(folder.0.path(), "1m", &line);
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(if is_lost { 2 } else { 0 }), "{err}");
        assert_eq!(
            err.contains("-w: w.pcap: was removed meanwhile, and 0 packets"),
            is_lost,
            "{err}"
        );
    }
}

/// The packets of a pcapng file that are whole.
fn packets_in(mut file: &[u8]) -> usize {
    let number = |at: &[u8]| u32::from_le_bytes(at[..4].try_into().expect("4 octets"));
    let mut packets = 0;
    while file.len() >= 8 && file.len() >= number(&file[4..]) as usize {
        packets += usize::from(number(file) == 6);
        file = &file[number(&file[4..]) as usize..];
    }
    packets
}
