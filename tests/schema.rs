//! JSON lines of every command, held against the schema that is published, `.dist/schema.json`, and
//! what scanners read against theirs.
//!
//! `CLOSEWAIT_BLESS=1 cargo test --all-features --test schema` writes `src/manual/json.md` anew, a table
//! for each object of the schema.

mod common;
#[path = "common/live.rs"]
mod watching;

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use common::scenario::Scenario;
use common::wire::MICROSECONDS;
use common::{ROOT, Scratch, closewait, command, files, json_lines, project, skip};
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use watching::{Server, Watcher};

fn read(path: &str) -> Value {
    let text = fs::read_to_string(project(path)).expect("the schema");
    serde_json::from_str(&text).expect("JSON")
}

/// The definitions, each with no other keys than it names: for readers the schema allows new ones.
fn definitions() -> Map<String, Value> {
    let mut schema = read(".dist/schema.json");
    let definitions = schema["$defs"].as_object_mut().expect("definitions");
    for definition in definitions.values_mut() {
        definition["additionalProperties"] = false.into();
    }
    definitions.clone()
}

/// The schema of each kind of line.
struct Lines {
    flow: Validator,
    summary: Validator,
    socket: Validator,
    socket_summary: Validator,
    check: Validator,
    check_summary: Validator,
    change: Validator,
    diff_summary: Validator,
}

impl Lines {
    fn new() -> Lines {
        let definitions = definitions();
        let of = |name: &str| {
            let schema = json!({"$ref": format!("#/$defs/{name}"), "$defs": definitions});
            jsonschema::validator_for(&schema).expect("a schema")
        };
        Lines {
            flow: of("flow"),
            summary: of("summary"),
            socket: of("socket"),
            socket_summary: of("socket_summary"),
            check: of("check"),
            check_summary: of("check-summary"),
            change: of("change"),
            diff_summary: of("diff-summary"),
        }
    }

    fn of(&self, line: &Value) -> &Validator {
        match line["type"].as_str().expect("a type") {
            "flow" | "event" => &self.flow,
            "summary" if line["headline"].is_null() => &self.socket_summary,
            "summary" => &self.summary,
            "socket" => &self.socket,
            "check" => &self.check,
            "check-summary" => &self.check_summary,
            "change" => &self.change,
            "diff-summary" => &self.diff_summary,
            other => panic!("no such line: {other}"),
        }
    }

    fn assert_valid(&self, lines: &[Value], from: &str) {
        assert!(!lines.is_empty(), "{from}: no line");
        for line in lines {
            assert_valid(self.of(line), line, from);
        }
    }
}

fn assert_valid(validator: &Validator, value: &Value, from: &str) {
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{from}: {errors:#?}\n{value}");
}

#[test]
fn every_capture_and_scenario_is_told_by_the_schema() {
    let lines = Lines::new();
    let scratch = Scratch::new();
    let jsonl = |capture: &str, more: &[&str]| {
        json_lines(&closewait(&[&["--format", "jsonl", "--all", capture], more].concat()))
    };
    let captures = ["", "/pair", "/reproduction"];
    let captures =
        captures.iter().flat_map(|folder| files(&format!("fixtures/captures{folder}"), "pcap"));
    for capture in captures {
        let capture = capture.to_str().expect("a path");
        lines.assert_valid(&jsonl(capture, &[]), capture);
    }
    for path in files("fixtures/scenarios", "scn") {
        let scenario = Scenario::read(&path).expect("a scenario");
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let octets = MICROSECONDS.write(scenario.link.link_type(), &scenario.records());
        let capture = scratch.write(&format!("{name}.pcap"), &octets);
        lines.assert_valid(&jsonl(&capture, &[]), name);
    }
    let list = "CLOSE-WAIT 1 0 172.18.0.5:38822 172.18.0.3:3306 users:((\"x\",pid=7,fd=6))\n\
                CLOSE-WAIT 1 0 172.18.0.5:30000 172.18.0.3:3306\n";
    let list = scratch.write("list", list.as_bytes());
    let incident = project("fixtures/captures/incident.pcap");
    let told = jsonl(incident.to_str().expect("a path"), &["--sockets", &list]);
    assert!(told.iter().any(|line| line["before_capture"] == true));
    lines.assert_valid(&told, "with a list");
}

#[test]
fn differences_are_told_by_the_schema() {
    let lines = Lines::new();
    let [leaky, fixed] =
        ["leaky", "fixed"].map(|name| format!("fixtures/captures/pair/{name}.pcap"));
    for (before, after) in [(&leaky, &fixed), (&fixed, &leaky)] {
        let told = json_lines(&closewait(&["diff", before, after, "--format", "jsonl"]));
        assert_eq!(told.len(), 2);
        lines.assert_valid(&told, "diff");
    }
}

#[test]
fn sockets_and_checks_are_told_by_the_schema() {
    let lines = Lines::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let held = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    drop(listener.accept().expect("accepted"));
    sleep(Duration::from_millis(50));
    lines.assert_valid(
        &json_lines(&closewait(&["sockets", "--all", "--format", "jsonl"])),
        "sockets",
    );
    drop(held);
    let scratch = project_with_a_leak();
    let check = |more: &[&str]| {
        let output = command(&[&["check", "--format", "jsonl", "."], more].concat())
            .current_dir(scratch.path())
            .output()
            .expect("the binary runs");
        json_lines(&output)
    };
    let told = check(&[]);
    let violations = |line: &Value| !line["violations"].as_array().is_none_or(Vec::is_empty);
    assert!(told.iter().any(violations) && told.iter().any(|line| line["error"].is_string()));
    lines.assert_valid(&told, "check");
    lines.assert_valid(&check(&["--bless"]), "check --bless");
}

/// A capture with a leak, and a file that is not a capture.
fn project_with_a_leak() -> Scratch {
    let scratch = Scratch::new();
    let leaky = fs::read(project("fixtures/captures/pair/leaky.pcap")).expect("the capture");
    scratch.write("leaky.pcap", &leaky);
    scratch.write("broken one.pcap", b"no capture");
    scratch
}

#[test]
fn live_lines_are_told_by_the_schema() {
    if let (Some(need), _) | (None, Some(need)) =
        (common::lacks(&[ROOT]), (!cfg!(feature = "libpcap")).then_some("libpcap"))
    {
        return skip(need);
    }
    let lines = Lines::new();
    let server = Server::new();
    let before = server.left_behind();
    sleep(Duration::from_millis(100));
    let mut watcher = Watcher::start(server.port(), &[]);
    let held = server.left_behind();
    let first = [watcher.line(), watcher.line()];
    drop(held);
    let ended = watcher.line();
    assert_eq!(ended["event"], "ended");
    let (rest, _) = watcher.stop();
    drop(before);
    lines.assert_valid(&[&first[..], &[ended], &rest].concat(), "live");
}

/// A key more or less, or another type, is another contract.
#[test]
fn the_schema_notices_what_changes() {
    let lines = Lines::new();
    let incident = project("fixtures/captures/incident.pcap");
    let told = json_lines(&closewait(&["--format", "jsonl", incident.to_str().expect("a path")]));
    let flow = &told[0];
    let validator = lines.of(flow);
    let changes: [fn(&mut Value); 6] = [
        |flow| flow["a"]["more"] = 1.into(),
        |flow| flow["more"] = 1.into(),
        |flow| drop(flow.as_object_mut().and_then(|flow| flow.remove("held_by"))),
        |flow| flow["held_s"] = "61".into(),
        |flow| flow["verdict"] = "leaked".into(),
        |flow| flow["type"] = "event".into(),
    ];
    for change in changes {
        let mut changed = flow.clone();
        change(&mut changed);
        assert!(!validator.is_valid(&changed), "{changed}");
    }
}

#[test]
fn scanners_get_what_their_schemas_say() {
    let scratch = project_with_a_leak();
    for (format, schema) in
        [("sarif", "tests/schemas/sarif.json"), ("gitlab", "tests/schemas/gitlab.json")]
    {
        let schema = read(schema);
        let options = jsonschema::options().should_validate_formats(true);
        let validator = options.build(&schema).expect("a schema");
        let output = command(&["check", "--format", format, "."])
            .current_dir(scratch.path())
            .output()
            .expect("the binary runs");
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_valid(&validator, &report, format);
        assert!(report.to_string().contains("broken"), "{report}");
        assert!(!validator.is_valid(&json!({"version": "2.1.0"})));
    }
}

/// The manual has the schema's own words.
#[test]
fn the_manual_has_every_key() {
    let page = page();
    let path = project("src/manual/json.md");
    let is_same = fs::read_to_string(&path).is_ok_and(|old| old == page);
    if std::env::var_os("CLOSEWAIT_BLESS").is_some() && !is_same {
        fs::write(&path, &page).expect("room");
    }
    assert_eq!(fs::read_to_string(&path).expect("the page"), page, "CLOSEWAIT_BLESS=1 writes it");
}

const INTRODUCTION: &str = "\
# JSON lines, key by key

`--format jsonl` of any command, by its schema: `/usr/share/closewait/schema.json` of the package, `.dist/schema.json` of the source (JSON Schema, 2020-12).
A key is always there unless the table says *optional*; one that may be null says so. Within `schema` 1 no key is renamed or removed, and new ones may come.
";

/// A table for each object of the schema.
fn page() -> String {
    let schema = read(".dist/schema.json");
    let mut page = INTRODUCTION.to_owned();
    for (name, definition) in schema["$defs"].as_object().expect("definitions") {
        let word = |value: &Value| value.as_str().expect("a description").to_owned();
        let about = word(&definition["description"]);
        write!(page, "\n## `{name}`\n\n{about}\n\n| key | | |\n|---|---|---|\n").expect("memory");
        let required = definition["required"].as_array().expect("a list");
        for (key, property) in definition["properties"].as_object().expect("properties") {
            let optional = if required.contains(&key.as_str().into()) { "" } else { ", optional" };
            let (kind, about) = (kind(property), word(&property["description"]));
            writeln!(page, "| `{key}` | {kind}{optional} | {about} |").expect("memory");
        }
    }
    page
}

/// The type of a key, as a table says it.
fn kind(schema: &Value) -> String {
    let name = |value: &Value| match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    };
    let all = |values: &Value, name: &dyn Fn(&Value) -> String| {
        let values = values.as_array().into_iter().flatten();
        values.map(name).collect::<Vec<_>>().join(", ")
    };
    match schema {
        _ if schema["$ref"].is_string() => {
            let definition = schema["$ref"].as_str().unwrap_or_default();
            let name = definition.trim_start_matches("#/$defs/");
            format!("[{name}](#{name})")
        }
        _ if schema["anyOf"].is_array() => all(&schema["anyOf"], &kind),
        _ if schema["enum"].is_array() => all(&schema["enum"], &name),
        _ if !schema["const"].is_null() => name(&schema["const"]),
        _ if !schema["items"].is_null() => {
            let null = if schema["type"].is_array() { ", null" } else { "" };
            format!("list of {}{null}", kind(&schema["items"]))
        }
        _ if !schema["additionalProperties"]["items"].is_null() => {
            "lists of numbers by name".into()
        }
        _ if !schema["additionalProperties"].is_null() => "counts by name".into(),
        _ => match &schema["type"] {
            Value::Array(_) => all(&schema["type"], &|kind| kind.as_str().unwrap_or("").to_owned()),
            one => one.as_str().unwrap_or_default().to_owned(),
        },
    }
}
