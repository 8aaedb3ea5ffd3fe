//! Programs that a runtime carries out: named by the map of what it has compiled, or the sentence that says what
//! would help.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{Need, ROOT, Scratch, must, project, tool};
use crate::shop::{Place, Program, Server, named, quiet, report, until_nothing_is_lost, watching};
use crate::{TRACEFS, can_run};

const NODE: Need = ("node", "node", &["--version"]);
const JAVA: Need = ("java", "javac", &["-version"]);
const PYTHON: Need = ("python3", "python3", &["--version"]);
/// 3.12 and later.
const TRAMPOLINES: Need =
    ("python3.12", "python3", &["-c", "import sys; sys.activate_stack_trampoline('perf')"]);

/// What was said, and what is right.
type Said = (Result<Place, String>, Place);

/// Has a program leave connections, until all that it did to them was seen, and returns what was said of them. The
/// last of the `asked` may only ask it for its map.
fn left(mut command: impl FnMut() -> Command, asked: &[(&str, usize)]) -> Vec<Said> {
    let _quiet = quiet();
    let mut left = Vec::new();
    until_nothing_is_lost(|| {
        let (said, lost) = left_by(command(), asked);
        left = said;
        lost
    });
    // As far as it was seen; it has been said where not all of it was.
    let is_lost = |why: &String| why.contains("lost") || why.contains("was not seen");
    left.retain(|(said, _)| !said.as_ref().is_err_and(is_lost));
    left
}

fn left_by(mut command: Command, asked: &[(&str, usize)]) -> (Vec<Said>, u64) {
    let server = Server::start();
    let mut program = Program::run(command.arg(format!("127.0.0.1:{}", server.port)));
    let (closewait, _) = watching(server.port, &[]);
    for (place, number) in asked {
        program.leave(place, *number);
    }
    let number = program.truth.len();
    server.leave(number);
    let (rows, summary) = report(closewait, number);
    let _ = fs::remove_file(format!("/tmp/perf-{}.map", program.pid()));
    let mut left = Vec::new();
    for row in rows.values() {
        let ports = ["a", "b"].map(|end| row[end]["port"].as_u64().expect("a port"));
        let truth = ports.iter().find_map(|port| program.truth.remove(port)).expect("a leak");
        let mut said = named(row);
        left.extend(truth.into_iter().map(|(word, place)| {
            (said.remove(&word).unwrap_or_else(|| Err(format!("{word} was not seen"))), place)
        }));
    }
    assert!(program.truth.is_empty(), "not found: {:?}", program.truth);
    (left, summary["code_lost"].as_u64().unwrap_or(0))
}

/// What is named is right, and what is not says what would help. Returns how many are named.
fn named_or_advised(left: &[Said], advice: &str) -> usize {
    for (said, truth) in left {
        match said {
            Ok(place) => assert_eq!(place, truth),
            Err(why) => assert!(why.contains(advice), "{truth:?}: {why}"),
        }
    }
    left.iter().filter(|(said, _)| said.is_ok()).count()
}

fn assert_named(left: &[Said]) {
    assert_eq!(named_or_advised(left, "(all are named)"), left.len());
}

fn assert_advised(left: &[Said], advice: &str) {
    assert_eq!(named_or_advised(left, advice), 0);
}

fn runtime(program: &str, options: &[&str], source: &str) -> Command {
    let mut command = tool(program);
    command.args(options).arg(project("fixtures/code/runtimes").join(source));
    command
}

const SCRIPT: [(&str, usize); 3] = [("update", 10), ("callback", 10), ("method", 10)];

#[test]
fn node_names_its_functions_by_its_map() {
    if !can_run(&[ROOT, TRACEFS, NODE]) {
        return;
    }
    let whole = ["--perf-basic-prof", "--interpreted-frames-native-stack"];
    let left = left(|| runtime("node", &whole, "shop.js"), &SCRIPT);
    // It compiles, and throws away what it no longer needs, at any time.
    let named = named_or_advised(&left, "its c");
    assert!(named * 2 >= left.len(), "{named} of {}", left.len());
}

#[test]
fn node_without_its_map_says_what_would_help() {
    if !can_run(&[ROOT, TRACEFS, NODE]) {
        return;
    }
    let advice = "--interpreted-frames-native-stack";
    assert_advised(&left(|| runtime("node", &[], "shop.js"), &SCRIPT[..1]), advice);
    // What is used much gets compiled, and has a name then.
    let some = left(|| runtime("node", &["--perf-basic-prof"], "shop.js"), &SCRIPT);
    named_or_advised(&some, advice);
}

fn java(classes: &Path, options: &[&str]) -> Command {
    must(tool("javac").arg("-d").arg(classes).arg(project("fixtures/code/runtimes/Shop.java")));
    let mut command = tool("java");
    command.arg("-XX:+PreserveFramePointer").args(options).arg("-cp").arg(classes).arg("Shop");
    command
}

/// Compiled at once, as what is used much is after a while.
const COMPILED: [&str; 6] = [
    "-Xcomp",
    "-XX:CompileCommand=quiet",
    "-XX:CompileCommand=compileonly,Shop::*",
    "-XX:CompileCommand=compileonly,java.net.*::*",
    "-XX:CompileCommand=compileonly,sun.nio.ch.*::*",
    "-XX:CompileCommand=dontinline,Shop::*",
];

#[test]
fn java_names_its_functions_by_its_map() {
    if !can_run(&[ROOT, TRACEFS, JAVA]) {
        return;
    }
    let scratch = Scratch::new();
    let left = left(|| java(scratch.path(), &COMPILED), &[("update", 30), ("map", 1)]);
    let named = named_or_advised(&left, "java had not compiled it yet");
    assert!(named * 3 >= left.len(), "{named} of {}", left.len());
}

#[test]
fn java_without_its_map_says_what_would_help() {
    if !can_run(&[ROOT, TRACEFS, JAVA]) {
        return;
    }
    let scratch = Scratch::new();
    let unmapped = left(|| java(scratch.path(), &[]), &[("update", 3)]);
    assert_advised(&unmapped, "jcmd PID Compiler.perfmap");
    let interpreted = left(|| java(scratch.path(), &["-Xint"]), &[("update", 3), ("map", 1)]);
    assert_advised(&interpreted, "java had not compiled it yet");
}

#[test]
fn python_names_its_functions_by_its_map() {
    if !can_run(&[ROOT, TRACEFS, TRAMPOLINES]) {
        return;
    }
    assert_named(&left(|| runtime("python3", &["-X", "perf"], "shop.py"), &[("update", 20)]));
}

#[test]
fn python_without_its_map_says_what_would_help() {
    if !can_run(&[ROOT, TRACEFS, PYTHON]) {
        return;
    }
    assert_advised(&left(|| runtime("python3", &[], "shop.py"), &[("update", 3)]), "-X perf");
}
