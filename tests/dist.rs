//! What is installed and documented as a service is what the binary understands.

mod common;

use closewait::capture::filter::Filter;
use closewait::cli::{Command, parse};

fn file(path: &str) -> String {
    std::fs::read_to_string(common::project(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The values of a key in a unit.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let value = |line: &'a str| line.strip_prefix(key)?.strip_prefix('=');
    unit.lines().filter_map(value).collect()
}

/// A section of the README, to the next heading.
fn section(heading: &str) -> String {
    let readme = file("README.md");
    let begin = readme.find(&format!("### {heading}\n")).expect("the section");
    let text = &readme[begin + 4..];
    text[..text.find("\n##").unwrap_or(text.len())].to_owned()
}

/// The line of the default file that sets the arguments, and the arguments.
fn default_args() -> (String, String) {
    let file = file(".dist/closewait.default");
    let line = file.lines().find(|line| line.starts_with("CLOSEWAIT_ARGS=")).expect("a line");
    let args = line["CLOSEWAIT_ARGS=".len()..].trim_matches('"');
    (line.to_owned(), args.to_owned())
}

fn understood(line: &str) {
    let command = parse(line.split_whitespace().map(Into::into));
    assert!(!matches!(command, Command::End(_)), "not understood: {line}");
    if let Command::Live(live) = command
        && cfg!(feature = "libpcap")
    {
        let expression = &live.wanted.filter;
        assert!(Filter::new(expression).is_ok(), "no expression: {expression:?} in {line}");
    }
}

#[test]
fn the_service_is_started_with_arguments_that_are_understood() {
    let unit = file(".dist/closewait.service");
    let [start] = values(&unit, "ExecStart")[..] else { panic!("one command") };
    let start = start.strip_prefix("/usr/bin/").expect("where the package puts it");
    assert_eq!(values(&unit, "EnvironmentFile"), ["-/etc/default/closewait"]);
    understood(&start.replace("$CLOSEWAIT_ARGS", ""));
    understood(&start.replace("$CLOSEWAIT_ARGS", &default_args().1));
}

#[test]
fn a_finding_is_no_failure_and_a_reload_asks_for_the_report() {
    let unit = file(".dist/closewait.service");
    assert_eq!(values(&unit, "SuccessExitStatus"), ["1"]);
    assert!(values(&unit, "ExecReload")[0].contains("kill -USR1"));
    // The process that looks up sockets must outlive the last report.
    assert_eq!(values(&unit, "KillMode"), ["mixed"]);
    // What it may not get at all, it cannot have.
    assert_eq!(values(&unit, "AmbientCapabilities"), values(&unit, "CapabilityBoundingSet"));
}

#[test]
fn the_readme_shows_what_is_installed() {
    let text = section("As a service");
    assert!(text.contains(&default_args().0), "the default file's line");
    let sysusers = file(".dist/closewait.sysusers");
    let user = values(&file(".dist/closewait.service"), "User").join(" ");
    assert!(sysusers.lines().any(|line| line.starts_with(&format!("u {user} "))), "{user}");
}

#[test]
fn a_node_needs_the_same_capabilities_and_commands_that_are_understood() {
    let text = section("On a Kubernetes node");
    let list = |key: &str| -> Vec<String> {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_suffix(']'));
        let line = line.unwrap_or_else(|| panic!("{key}"));
        line.split(", ").map(|word| word.trim_matches('"').to_owned()).collect()
    };
    let added = list("add: [");
    for capability in values(&file(".dist/closewait.service"), "AmbientCapabilities")[0].split(' ')
    {
        let name = capability.strip_prefix("CAP_").expect("a capability");
        assert!(added.iter().any(|added| added == name), "{name}");
    }
    let args = list("args: [").join(" ").replace("$(NODE_IP)", "192.0.2.1");
    understood(&format!("closewait {args}"));
    // Every other piece between backticks is code.
    let prose = text.rsplit("```").next().expect("text after the example");
    let commands =
        prose.split('`').skip(1).step_by(2).filter(|code| code.starts_with("closewait "));
    let commands: Vec<_> = commands.map(|code| code.replace("PID", "1")).collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    commands.iter().for_each(|command| understood(command));
}
