//! Where no thread can be had, the work is done by those that there are.

mod common;
#[path = "../benches/traffic/generator.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod generator;
#[path = "simulation/prng.rs"]
#[allow(dead_code, reason = "each of those that share it uses a part")]
mod prng;

use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::{BINARY, ROOT, Scratch, closewait, lacks, skip, text, tool};

/// Users that have had no process yet: all of one count together, and tests run at the same time.
static USERS: AtomicU32 = AtomicU32::new(64_000);

/// A process with a limit on processes and threads, as a user that has no others. It must not hang.
fn limited(processes: u32, args: &[&str]) -> Output {
    limited_but(&[], processes, args)
}

/// With some rights, as setpriv(1) gives them.
fn limited_but(rights: &[&str], processes: u32, args: &[&str]) -> Output {
    let line = format!("ulimit -u {processes}; exec \"$0\" \"$@\"");
    let user = USERS.fetch_add(1, Ordering::Relaxed).to_string();
    let mut child = tool("setpriv")
        .args(["--reuid", &user, "--regid", "65533", "--clear-groups"])
        .args(rights)
        .args(["bash", "-c", &line])
        .arg(BINARY)
        .args(args)
        .env("TZ", "UTC")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("setpriv runs");
    let started = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if started.elapsed() > Duration::from_secs(30) {
            child.kill().expect("a child");
            panic!("{args:?} hangs with {processes} processes");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().expect("its output")
}

/// A capture that anybody can read.
fn capture(scratch: &Scratch) -> String {
    let bytes = std::fs::read(common::project("fixtures/captures/reproduction/app.pcap"));
    for_anybody(scratch, &bytes.expect("the capture"))
}

fn for_anybody(scratch: &Scratch, bytes: &[u8]) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = scratch.write("x.pcap", bytes);
    let all = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(scratch.path(), all).expect("own folder");
    path
}

#[test]
fn the_answer_is_the_same_with_one_thread() {
    if let Some(missing) = lacks(&[ROOT]) {
        return skip(missing);
    }
    let scratch = Scratch::new();
    let path = capture(&scratch);
    let wanted = closewait(&[&path]);
    for processes in 1..=4 {
        for threads in ["1", "4", "64"] {
            let output = limited(processes, &[&path, "--threads", threads]);
            let (out, err) = text(&output);
            assert_eq!(err, "", "{processes} {threads}");
            assert_eq!(output.status.code(), Some(1), "{processes} {threads}");
            assert!(output.stdout == wanted.stdout, "{processes} {threads}: {out}");
        }
        let explain = limited(processes, &["explain", &path, "--frame", "728"]);
        assert_eq!(text(&explain).1, "", "{processes}");
        let check = limited(processes, &["check", &path, &path]);
        assert_eq!(text(&check).1, "", "{processes}");
        assert_ne!(check.status.code(), Some(2), "{processes}");
    }
}

/// Some threads read a long file ahead, where there are any.
#[test]
fn long_captures_are_read_by_the_threads_that_there_are() {
    if let Some(missing) = lacks(&[ROOT]) {
        return skip(missing);
    }
    let scratch = Scratch::new();
    let mut bytes = Vec::new();
    let shape = generator::Shape::small(50_000, 200);
    generator::write(shape, generator::Format::Pcap, &mut bytes).expect("memory");
    assert!(bytes.len() > 5 << 20, "long enough: {}", bytes.len());
    let path = for_anybody(&scratch, &bytes);
    let wanted = closewait(&[&path, "--threads", "1"]);
    for processes in [1, 4, 7, 9, 11, 13] {
        let output = limited(processes, &[&path, "--threads", "8"]);
        assert_eq!(text(&output).1, "", "{processes}");
        assert!(output.stdout == wanted.stdout, "{processes}: {}", text(&output).0);
    }
}

/// What unpacks reads ahead on a thread of its own, where there is one.
#[test]
fn compressed_captures_are_read_without_another_thread() {
    if let Some(missing) = lacks(&[ROOT]) {
        return skip(missing);
    }
    let scratch = Scratch::new();
    let path = capture(&scratch);
    let wanted = closewait(&[&path]);
    let packed = tool("gzip").args(["-k", &path]).status().expect("gzip runs");
    assert!(packed.success());
    for processes in 1..=3 {
        let output = limited(processes, &[&format!("{path}.gz")]);
        let (out, err) = text(&output);
        assert_eq!((&*err, output.status.code()), ("", Some(1)), "{processes}");
        assert_eq!(out.replace("x.pcap.gz", "x.pcap"), text(&wanted).0, "{processes}");
    }
}

#[test]
fn more_threads_than_work_are_bounded_and_that_is_said() {
    let scratch = Scratch::new();
    let path = capture(&scratch);
    let output = closewait(&[&path, "--threads", "20000"]);
    let (_, err) = text(&output);
    assert_eq!(err, "closewait: --threads 20000: 64 work, more would find nothing to do\n");
    assert_eq!(output.stdout, closewait(&[&path]).stdout);
    assert_eq!(output.status.code(), Some(1));
}

/// Live, one reads packets from the kernel while another looks at them: where there is no other, it is one.
#[cfg(feature = "libpcap")]
#[test]
fn live_captures_all_the_same_without_a_thread() {
    if let Some(missing) = lacks(&[ROOT]) {
        return skip(missing);
    }
    let rights = ["--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw"];
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("its address");
    let filter = format!("port {}", address.port());
    let talk = std::thread::spawn(move || {
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            drop(std::net::TcpStream::connect(address));
            drop(server.accept());
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    // Two processes: itself, and the one that looks up sockets. Six have a few threads, too.
    for processes in [2, 6] {
        let args = ["live", "-i", "lo", "--duration", "1s", "--format", "jsonl", &filter];
        let output = limited_but(&rights, processes, &args);
        let (out, err) = text(&output);
        assert!(err.contains("listening on lo"), "{processes}: {err}");
        assert_eq!(output.status.code(), Some(0), "{processes}: {err}");
        let summary = out.lines().last().unwrap_or_default();
        let summary: serde_json::Value = serde_json::from_str(summary).expect("a summary");
        assert!(summary["flows"].as_u64() > Some(2), "{processes}: {summary}");
    }
    talk.join().expect("it talks");
}
