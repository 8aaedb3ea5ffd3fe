//! What several tests share. Each uses a part of it.
#![allow(dead_code, reason = "each of those that share it uses a part")]

pub mod fold;
pub mod links;
pub mod netns;
pub mod regressions;
pub mod scenario;
pub mod skip;
pub mod talk;
pub mod wire;

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output, Stdio};
use std::sync::Mutex;

use closewait::capture::filter::Filter;
use closewait::cli::Command;
pub use skip::skip;

/// The binary that cargo built for the tests.
pub const BINARY: &str = env!("CARGO_BIN_EXE_closewait");

/// A path in the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The files of a folder with an extension, sorted.
pub fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project(folder)).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    files
}

/// Does the same with each, two at a time: the last test of a file leaves no core idle. Returns what came of them, in order.
pub fn each<T, R>(all: impl IntoIterator<Item = T>, does: impl Fn(T) -> R + Sync) -> Vec<R>
where
    T: Send,
    R: Send,
{
    let left = Mutex::new(all.into_iter().collect::<Vec<T>>().into_iter().enumerate());
    let next = || left.lock().expect("nobody panics while it is held").next();
    let work = || {
        let mut done = Vec::new();
        while let Some((at, one)) = next() {
            done.push((at, does(one)));
        }
        done
    };
    let mut done = std::thread::scope(|threads| {
        let other = threads.spawn(work);
        let mut done = work();
        done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        done
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Runs the binary as it would run for anyone: UTC, no colours forced.
pub fn closewait(args: &[&str]) -> Output {
    command(args).stdin(Stdio::null()).output().expect("the binary runs")
}

pub fn command(args: &[&str]) -> Process {
    as_tested(Process::new(BINARY), args)
}

/// The program, that a hang-up ends or reloads though nohup(1) began the tests.
pub fn heeding_hang_up(args: &[&str]) -> Process {
    as_tested(not_by_nohup(BINARY), args)
}

fn as_tested(mut command: Process, args: &[&str]) -> Process {
    // Wherever the tests run, reports are English.
    command.args(args).env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// A program with the usual answer to a hang-up.
pub fn not_by_nohup(program: &str) -> Process {
    let mut command = Process::new("env");
    command.args(["--default-signal=HUP", program]);
    command
}

/// Standard output and standard error as text.
pub fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (text(&output.stdout), text(&output.stderr))
}

/// The JSON lines of a run.
pub fn json_lines(output: &Output) -> Vec<serde_json::Value> {
    let (out, err) = text(output);
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}\n{err}")))
        .collect()
}

/// A capture in a temporary folder.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    pub fn new() -> Scratch {
        Scratch(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file and returns its path.
    pub fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("a writable folder");
        path.to_str().expect("UTF-8").to_owned()
    }
}

/// Every command line of the binary's that a text shows, from its name to the end of the command.
pub fn commands(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split(" # ").next().unwrap_or_default());
    let parts = lines.flat_map(|line| line.split(['|', ';', '&', '>']));
    let commands =
        parts.map(|part| part.trim().trim_start_matches("$ ").trim_start_matches("- run: "));
    commands.filter(|part| part.starts_with("closewait ")).map(Into::into).collect()
}

/// The words of a line as a shell has them; what is in quotes is one.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ' ') => words.push(String::new()),
            (_, c) => words.last_mut().expect("one").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Panics where the binary would refuse the arguments, or the expression among them.
pub fn assert_understood(line: &str) {
    let command = closewait::cli::parse(words(line).into_iter().map(Into::into));
    assert!(!matches!(command, Command::End(_)), "not understood: {line}");
    if let Command::Live(live) = command
        && cfg!(feature = "libpcap")
    {
        let expression = &live.wanted.filter;
        assert!(Filter::new(expression).is_ok(), "no expression: {expression:?} in {line}");
    }
}

/// Whether a test that needs root can run; if not, it has been said.
pub fn is_root() -> bool {
    let root = Process::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !root {
        skip("root");
    }
    root
}

/// A program that may be where only root looks.
pub fn tool(program: &str) -> Process {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = Process::new(program);
    command.env("PATH", path);
    command
}

/// Whether a program is there; only where it is not can a test that needs it be skipped.
pub fn has(program: &str) -> bool {
    tool("sh")
        .args(["-c", "command -v \"$1\"", "sh", program])
        .output()
        .is_ok_and(|found| found.status.success())
}

/// Runs what has to succeed where it is there: if it does not, its output tells why.
pub fn must(command: &mut Process) {
    let output = command.output().expect("it can be started");
    let (out, err) = text(&output);
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
}

/// Something that a test needs: its name, and a command that succeeds where it is.
pub type Need = (&'static str, &'static str, &'static [&'static str]);

pub const ROOT: Need = ("root", "sh", &["-c", "test $(id -u) = 0"]);
pub const NETNS: Need = ("netns", "unshare", &["--net", "ip", "link"]);
pub const TCPDUMP: Need = ("tcpdump", "tcpdump", &["--version"]);

/// The first that this machine lacks.
pub fn lacks(needs: &[Need]) -> Option<&'static str> {
    let is_there = |program: &str, args: &[&str]| {
        tool(program).args(args).output().is_ok_and(|output| output.status.success())
    };
    needs.iter().find(|(_, program, args)| !is_there(program, args)).map(|(name, ..)| *name)
}
