//! Where no thread can be had, the work is done by those that there are.

mod common;

use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use common::{BINARY, ROOT, Scratch, closewait, lacks, skip, text, tool};

/// A process with a limit on processes and threads, as a user that has no others. It must not hang.
fn limited(processes: u32, args: &[&str]) -> Output {
    let line = format!("ulimit -u {processes}; exec \"$0\" \"$@\"");
    let mut child = tool("setpriv")
        .args(["--reuid", "65533", "--regid", "65533", "--clear-groups", "bash", "-c", &line])
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
    use std::os::unix::fs::PermissionsExt;
    let bytes = std::fs::read(common::project("fixtures/captures/reproduction/app.pcap"));
    let path = scratch.write("x.pcap", &bytes.expect("the capture"));
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
