//! The architecture as a test: which room may use what.

use std::fs;
use std::path::{Path, PathBuf};

/// A room, and the words that must not stand in its code.
const FORBIDDEN: &[(&str, &[&str])] = &[
    // Arguments and exit status, nothing of packets.
    ("main.rs", &["etherparse", "pcap", "indexmap", "Segment", "Flow"]),
    ("cli.rs", &["etherparse", "pcap::", "indexmap", "Segment", "FlowTable", "std::fs"]),
    ("cli", &["etherparse", "pcap::", "indexmap", "Segment", "FlowTable", "std::fs"]),
    // Packets and time; nothing above the link type.
    (
        "capture",
        &[
            "etherparse",
            "indexmap",
            "clap",
            "crate::table",
            "crate::verdict",
            "crate::report",
            "tcp::flow",
        ],
    ),
    // Pure: a frame becomes a segment.
    (
        "decode",
        &[
            "std::io",
            "std::fs",
            "now(",
            "pcap::",
            "pcap_parser",
            "indexmap",
            "clap",
            "tcp::flow",
            "tcp::half",
            "crate::table",
            "crate::verdict",
        ],
    ),
    // Pure: RFC 9293.
    (
        "tcp",
        &[
            "pcap",
            "etherparse",
            "clap",
            "indexmap",
            "chrono",
            "serde",
            "std::io",
            "std::fs",
            "now(",
            "print!",
            "println!",
            "crate::capture",
            "crate::decode",
            "crate::table",
            "crate::verdict",
            "crate::report",
        ],
    ),
    // Pure: protocols, by the octets of two directions.
    (
        "attach",
        &[
            "pcap",
            "etherparse",
            "clap",
            "indexmap",
            "chrono",
            "serde",
            "std::io",
            "std::fs",
            "now(",
            "print!",
            "println!",
            "crate::capture",
            "crate::decode",
            "crate::table",
            "crate::verdict",
            "crate::report",
            "tcp::flow",
            "tcp::half",
        ],
    ),
    // Pure: one connection step by step, for whoever writes it.
    (
        "ladder",
        &[
            "pcap",
            "etherparse",
            "clap",
            "indexmap",
            "chrono",
            "serde",
            "std::io",
            "std::fs",
            "now(",
            "print!",
            "println!",
            "crate::capture",
            "crate::decode",
            "crate::table",
            "crate::verdict",
            "crate::report",
        ],
    ),
    (
        "ladder.rs",
        &[
            "std::io",
            "std::fs",
            "now(",
            "crate::capture",
            "crate::table",
            "crate::verdict",
            "crate::report",
        ],
    ),
    // Flows by key; what "local" means is none of its business.
    (
        "table.rs",
        &[
            "std::io",
            "std::fs",
            "now(",
            "etherparse",
            "pcap",
            "chrono",
            "crate::verdict",
            "EndpointSet",
        ],
    ),
    // Judges, and changes nothing.
    ("verdict.rs", &["now(", "&mut", "std::io", "std::fs", "etherparse", "pcap", "crate::report"]),
    ("verdict", &["now(", "&mut", "std::io", "std::fs", "etherparse", "pcap", "crate::report"]),
    // Pure: a report and an expectation become violations.
    (
        "expect.rs",
        &[
            "std::io",
            "std::fs",
            "now(",
            "print!",
            "println!",
            "crate::run",
            "crate::capture",
            "clap",
        ],
    ),
    (
        "expect",
        &[
            "std::io",
            "std::fs",
            "now(",
            "print!",
            "println!",
            "crate::run",
            "crate::capture",
            "clap",
        ],
    ),
    // The kernel's sockets; nothing of packets.
    (
        "owner",
        &[
            "etherparse",
            "pcap",
            "indexmap",
            "clap",
            "crate::capture",
            "crate::decode",
            "crate::table",
            "crate::verdict",
            "crate::report",
        ],
    ),
    // Formats; decides nothing, opens nothing.
    (
        "report",
        &[
            "judge(",
            "std::fs",
            "File",
            "Socket::",
            "TcpStream",
            "now(",
            "etherparse",
            "pcap::",
            "clap",
        ],
    ),
];

/// Nowhere in the code outside tests.
const NOWHERE: &[&str] = &[
    "unsafe ",
    ".unwrap()",
    ".expect(",
    "panic!(",
    "todo!(",
    "unimplemented!(",
    "unreachable!(",
    "dbg!(",
];

/// The only room that may use a crate.
const ONLY: &[(&str, &[&str])] = &[
    ("clap", &["cli.rs", "cli"]),
    ("indexmap", &["table.rs"]),
    ("etherparse", &["decode"]),
    ("pcap_parser", &["capture"]),
    ("pcap::", &["capture"]),
    ("indicatif", &["progress.rs"]),
    // Under another licence: it must be easy to leave out.
    ("inferno::", &["report/flamegraph"]),
    // A log in JSON may hold what tcpdump printed.
    ("serde", &["report", "owner", "expect", "capture/text"]),
    ("toml_edit", &["expect"]),
    ("quick_junit", &["report"]),
    ("similar::", &["commands"]),
    ("glob::", &["commands"]),
    ("procfs", &["owner"]),
    ("prometheus_client", &["report"]),
    ("httparse", &["scrape.rs"]),
    ("rustix", &["owner", "capture", "confine"]),
    ("landlock::", &["confine"]),
    ("seccompiler", &["confine"]),
    ("netlink_", &["owner"]),
    ("nix::", &["owner", "confine"]),
    ("libc::", &["confine"]),
];

struct Source {
    /// Relative to `src`.
    path: PathBuf,
    /// Without comments and tests.
    code: String,
}

fn sources(folder: &Path, root: &Path, into: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("src is there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            sources(&path, root, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).expect("readable");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let code: Vec<&str> =
                code.lines().map(|line| line.split("//").next().unwrap_or("")).collect();
            let path = path.strip_prefix(root).expect("below src").to_path_buf();
            into.push(Source { path, code: code.join("\n") });
        }
    }
}

fn house() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    sources(&root, &root, &mut all);
    assert!(all.len() > 20, "src was found");
    all
}

fn assert_none(broken: Vec<String>) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn no_room_uses_what_it_may_not() {
    let house = house();
    let mut broken = Vec::new();
    for (room, words) in FORBIDDEN {
        let inside: Vec<&Source> =
            house.iter().filter(|source| source.path.starts_with(room)).collect();
        assert!(!inside.is_empty(), "no room {room}");
        for source in inside {
            for word in words.iter().filter(|word| source.code.contains(**word)) {
                broken.push(format!("{}: {room} may not use {word}", source.path.display()));
            }
        }
    }
    assert_none(broken);
}

#[test]
fn a_crate_has_one_room() {
    let mut broken = Vec::new();
    for source in house() {
        for (word, rooms) in ONLY {
            let home = rooms.iter().any(|room| source.path.starts_with(room));
            if source.code.contains(word) && !home {
                broken.push(format!("{}: {word} belongs to {rooms:?}", source.path.display()));
            }
        }
    }
    assert_none(broken);
}

#[test]
fn nothing_can_panic_on_input() {
    let mut broken = Vec::new();
    for source in house() {
        for word in NOWHERE.iter().filter(|word| source.code.contains(**word)) {
            broken.push(format!("{}: {word}", source.path.display()));
        }
    }
    assert_none(broken);
}

#[test]
fn unsafe_code_is_forbidden() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"));
    assert!(lib.expect("lib.rs").contains("#![forbid(unsafe_code)]"));
}

/// One idea a file: whoever needs more has found a second idea.
#[test]
fn no_file_outgrows_a_reader() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let long: Vec<String> = house()
        .iter()
        .map(|source| (source, fs::read_to_string(root.join(&source.path)).expect("readable")))
        .map(|(source, text)| (source, text.lines().count()))
        .filter(|(_, lines)| *lines > 600)
        .map(|(source, lines)| format!("{}: {lines} lines", source.path.display()))
        .collect();
    assert_none(long);
}
