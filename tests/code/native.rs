//! Programs in C, C++ and Rust: by their tables, whether they keep frame pointers or not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Need, ROOT, Scratch, project};
use crate::shop::{
    Program, Server, assert_all_named, assert_all_named_by_calls, assert_none_wrong, named, quiet,
    report, until_nothing_is_lost, watching,
};
use crate::{TRACEFS, can_run};

const CC: Need = ("gcc", "gcc", &["--version"]);
const CXX: Need = ("g++", "g++", &["--version"]);
const STRIP: Need = ("strip", "strip", &["--version"]);

/// The places of the programs, and how many things they say of each round.
const OF_C: [&str; 7] = ["update", "inlined", "jumped", "through", "threaded", "worker", "later"];
const TOLD_BY_C: usize = 14;
const OF_CPP: [&str; 7] = ["update", "inlined", "generic", "caught", "threaded", "worker", "later"];
const TOLD_BY_CPP: usize = 14;
const OF_RUST: [&str; 6] = ["update", "inlined", "generic", "threaded", "worker", "later"];
const TOLD_BY_RUST: usize = 12;

fn c(scratch: &Scratch, flags: &[&str]) -> PathBuf {
    compiled("gcc", "shop.c", scratch, flags)
}

fn cpp(scratch: &Scratch, flags: &[&str]) -> PathBuf {
    compiled("g++", "shop.cc", scratch, flags)
}

fn compiled(compiler: &str, source: &str, scratch: &Scratch, flags: &[&str]) -> PathBuf {
    let path = scratch.path().join("shop");
    let status = Command::new(compiler)
        .args(["-Wall", "-Werror", "-pthread", "-o"])
        .arg(&path)
        .args(flags)
        .arg(project("fixtures/code/native").join(source))
        .status();
    assert!(status.expect("it runs").success());
    path
}

/// The compiler is there: it has built this.
fn rust(scratch: &Scratch, flags: &[&str]) -> PathBuf {
    let path = scratch.path().join("shop");
    let status = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into()))
        .args(["--edition", "2024", "-O", "-o"])
        .arg(&path)
        .args(flags)
        .arg(project("fixtures/code/native/shop.rs"))
        .status();
    assert!(status.expect("rustc runs").success());
    path
}

#[test]
fn every_place_in_a_c_program_is_named() {
    if !can_run(&[ROOT, CC, TRACEFS]) {
        return;
    }
    let scratch = Scratch::new();
    for (flags, has_lines, more) in [
        (&["-O2", "-g", "-pie", "-fPIE"][..], true, &[][..]),
        (&["-O2", "-g", "-gz", "-fno-omit-frame-pointer", "-no-pie"], true, &[]),
        (&["-O2"], false, &["-Z", "nobody"]),
    ] {
        assert_all_named(&c(&scratch, flags), has_lines, &OF_C, TOLD_BY_C, more);
    }
}

/// On a kernel that tells only of system calls, as before Linux 6.3.
#[test]
fn every_place_in_a_c_program_is_named_by_calls() {
    if can_run(&[ROOT, CC, TRACEFS]) {
        let scratch = Scratch::new();
        let path = c(&scratch, &["-O2", "-g"]);
        assert_all_named_by_calls(&path, true, &OF_C, TOLD_BY_C);
    }
}

/// Descriptors that are copied, handed on, moved and given again: what was sent through them is named, or unknown.
#[test]
fn descriptors_that_come_and_go_name_nobody_else() {
    const PLACES: [&str; 6] = ["copied", "handed", "reused", "moved", "worker", "later"];
    if !can_run(&[ROOT, CC, TRACEFS]) {
        return;
    }
    let scratch = Scratch::new();
    let path = c(&scratch, &["-O2", "-g"]);
    // The last statement is asked by whoever stays, and the end is read.
    assert_none_wrong("", &path, &PLACES, PLACES.len() + 2);
    assert_none_wrong("syscalls", &path, &PLACES, PLACES.len() + 2);
}

#[test]
fn every_place_in_a_cpp_program_is_named() {
    if !can_run(&[ROOT, CXX, TRACEFS]) {
        return;
    }
    let scratch = Scratch::new();
    for (flags, has_lines, more) in [
        (&["-O2", "-g", "-std=c++17"][..], true, &[][..]),
        (&["-O2", "-std=c++17", "-no-pie", "-static-libstdc++"], false, &["-Z", "nobody"]),
    ] {
        assert_all_named(&cpp(&scratch, flags), has_lines, &OF_CPP, TOLD_BY_CPP, more);
    }
}

#[test]
fn every_place_in_a_rust_program_is_named() {
    if !can_run(&[ROOT, TRACEFS]) {
        return;
    }
    let scratch = Scratch::new();
    for (flags, has_lines, more) in [
        (&["-g"][..], true, &["-Z", "nobody"][..]),
        (&["-C", "force-frame-pointers=yes"], false, &[]),
        (&["-C", "strip=debuginfo"], false, &[]),
    ] {
        assert_all_named(&rust(&scratch, flags), has_lines, &OF_RUST, TOLD_BY_RUST, more);
    }
}

/// What was said of connections that were left by `update`.
fn said_of(path: &Path) -> Vec<Result<(String, u64), String>> {
    let _quiet = quiet();
    let mut said = Vec::new();
    until_nothing_is_lost(|| {
        let server = Server::start();
        let mut program = Program::start(path, &server);
        let (closewait, _) = watching(server.port, &[]);
        program.leave("update", 2);
        server.leave(2);
        let (rows, summary) = report(closewait, 2);
        said = rows.values().flat_map(|row| named(row).into_values()).collect();
        summary["code_lost"].as_u64().unwrap_or(0)
    });
    said
}

/// Without names none is made up; with what was stripped off beside it, all are there.
#[test]
fn a_stripped_program_says_what_would_help() {
    if !can_run(&[ROOT, CC, STRIP, TRACEFS]) {
        return;
    }
    let scratch = Scratch::new();
    let path = c(&scratch, &["-O2", "-g"]);
    let debug = scratch.path().join("shop.debug");
    let run = |program: &str, arguments: &[&Path]| {
        assert!(Command::new(program).args(arguments).status().expect("it runs").success());
    };
    run("objcopy", &[Path::new("--only-keep-debug"), &path, &debug]);
    run("strip", &[&path]);
    for said in said_of(&path) {
        let why = said.expect_err("nobody knows it");
        assert!(why.contains("its program is stripped") && why.contains(".build-id"), "{why}");
    }
    let notes = Command::new("readelf").args(["-n"]).arg(&path).output().expect("it runs");
    let notes = String::from_utf8_lossy(&notes.stdout).into_owned();
    let id = notes.split("Build ID: ").nth(1).expect("a name").split_whitespace().next();
    let (folder, name) = id.expect("a name").split_at(2);
    let folder = Path::new("/usr/lib/debug/.build-id").join(folder);
    fs::create_dir_all(&folder).expect("root");
    let installed = folder.join(format!("{name}.debug"));
    fs::copy(&debug, &installed).expect("root");
    let said = said_of(&path);
    fs::remove_file(&installed).expect("ours");
    assert_eq!(said.len(), 4);
    let functions: Vec<String> =
        said.into_iter().map(|said| said.expect("it is named").0).collect();
    assert!(functions.iter().all(|name| name == "update" || name == "charge"), "{functions:?}");
}
