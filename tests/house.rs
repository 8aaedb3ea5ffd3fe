//! The architecture as a test: which room may use what.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Work of the outside world, which pure rooms leave to others.
const EFFECTS: &[&str] = &["std::io", "std::fs", "now(", "print!", "println!"];

/// Crates that only one kind of room needs.
const TOOLS: &[&str] = &["pcap", "etherparse", "clap", "hashbrown", "chrono", "serde"];

/// Words of packets.
const PACKETS: &[&str] = &["etherparse", "pcap::", "hashbrown", "Segment", "FlowTable"];

/// A room, and the words that must not stand in its code. Whom it may import is [`FLOORS`]' matter.
const FORBIDDEN: &[(&str, &[&[&str]])] = &[
    // Arguments and exit status.
    ("main.rs", &[PACKETS, &["Flow"]]),
    ("cli", &[PACKETS, &["std::fs"]]),
    // Packets and time; nothing above the link type.
    ("capture", &[&["etherparse", "hashbrown", "clap", "tcp::flow"]]),
    // A frame becomes a segment.
    (
        "decode",
        &[&[
            "std::io",
            "std::fs",
            "now(",
            "pcap::",
            "pcap_parser",
            "hashbrown",
            "clap",
            "tcp::flow",
        ]],
    ),
    // RFC 9293.
    ("tcp", &[EFFECTS, TOOLS]),
    // Protocols, by the octets of two directions.
    ("attach", &[EFFECTS, TOOLS, &["tcp::half"]]),
    // One connection step by step, for whoever writes it.
    ("ladder", &[EFFECTS, TOOLS]),
    // Flows by key; what "local" means is none of its business.
    ("table", &[EFFECTS, &["etherparse", "pcap", "chrono", "EndpointSet"]]),
    // Judges, and changes nothing.
    ("verdict", &[EFFECTS, &["&mut", "etherparse", "pcap"]]),
    // A report and an expectation become violations.
    ("expect", &[EFFECTS, &["clap"]]),
    // Segments become judgements: threads, and nothing else of the outside world.
    ("engine", &[EFFECTS, TOOLS]),
    // The kernel's sockets; nothing of packets.
    ("owner", &[&["etherparse", "pcap", "hashbrown", "clap"]]),
    // Calls behind sockets; nothing of packets.
    ("code", &[&["etherparse", "pcap", "hashbrown", "clap"]]),
    // Events change a state, which is drawn; whoever has a terminal does the rest.
    (
        "top",
        &[&[
            "std::fs",
            "std::thread",
            "std::env",
            "now(",
            "print!",
            "pcap::",
            "etherparse",
            "clap",
        ]],
    ),
    // Formats; decides nothing, opens nothing.
    (
        "report",
        &[&["judge(", "std::fs", "File::", "Socket::", "TcpStream", "now(", "etherparse", "clap"]],
    ),
];

/// The rooms from the top floor down: each imports from its own and from those below it.
const FLOORS: &[&str] = &[
    "manual",
    "cli",
    "commands",
    "top",
    "live",
    "fleet",
    "run",
    "report",
    "expect",
    "engine",
    "summary",
    "join",
    "ladder",
    "verdict",
    "table",
    "facts",
    "decode",
    "attach",
    "owner",
    "code",
    "capture",
    "endpoints",
    "units",
    "tcp",
    "names",
    "services",
    "confine",
    "progress",
    "printable",
    "paged",
    "set",
    "place",
    "prefetch",
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
    // It panics where nobody reads standard error any more.
    "eprintln!(",
];

/// The only room that may use a crate, or a protocol.
const ONLY: &[(&str, &[&str])] = &[
    ("clap", &["cli"]),
    ("hashbrown", &["table"]),
    ("etherparse", &["decode"]),
    ("pcap_parser", &["capture"]),
    ("pcap::", &["capture"]),
    ("indicatif", &["progress.rs"]),
    // Under another licence: it must be easy to leave out.
    ("inferno::", &["report/flamegraph"]),
    // A log in JSON may hold what tcpdump printed.
    // Two processes of this program talk in it, too.
    (
        "serde",
        &[
            "report",
            "owner",
            "code",
            "expect",
            "capture/text",
            "fleet",
            "commands/fleet",
            "commands/top/enabled/keeper.rs",
        ],
    ),
    // With many crates: only builds that ask for it have it.
    ("use parquet::", &["report/parquet", "fleet"]),
    ("siphasher", &["fleet"]),
    ("toml_edit", &["expect"]),
    ("quick_junit", &["report"]),
    ("maud", &["report/html", "report/diff"]),
    ("sha2::", &["report/html"]),
    ("similar::", &["commands"]),
    ("glob::", &["commands"]),
    ("tempfile::", &["commands/output.rs"]),
    ("procfs", &["owner", "code/watch"]),
    ("prometheus_client", &["report"]),
    ("httparse", &["live/visitor.rs", "attach/http"]),
    ("perf_event_open", &["code/watch"]),
    ("rustix", &["owner", "code", "capture", "confine", "live/scrape.rs", "commands/top"]),
    ("landlock::", &["confine"]),
    ("seccompiler", &["confine"]),
    ("netlink_", &["owner"]),
    // Not std::os::unix::…
    ("use nix::", &["owner", "confine"]),
    ("libc::", &["confine"]),
    // Others read facts, whatever the protocol; its name is a flag, and a key of what is written.
    ("Mysql", &["attach", "cli"]),
    (
        "mysql",
        &[
            "attach",
            "cli",
            "report/jsonl.rs",
            "report/csv.rs",
            "services",
            "summary/settings.rs",
            // A driver's package is called so.
            "code/fold.rs",
        ],
    ),
    ("Postgresql", &["attach"]),
    ("Http::", &["attach"]),
    ("Redis::", &["attach"]),
    ("Amqp", &["attach"]),
    ("Kafka::", &["attach"]),
    ("prefetch_index", &["prefetch.rs"]),
    ("unicode_properties", &["printable.rs"]),
    ("unicode_width", &["report", "top"]),
    ("ratatui_core", &["top", "commands/top"]),
    ("crossterm", &["top", "commands/top"]),
];

/// First words that make a stranger read on to learn what is meant.
const RIDDLES: &[&str] = &[
    "What", "How", "Where", "Who", "Whose", "Whom", "Of", "When", "Which", "Those", "Why",
    "Whether", "The same",
];

struct Source {
    /// Relative to `src`.
    path: PathBuf,
    /// As Rust names it: `report::text`, and nothing for the root.
    module: String,
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
            let is_test = path.file_name().is_some_and(|name| name == "tests.rs");
            let code = if is_test { String::new() } else { shipped(&text) };
            let path = path.strip_prefix(root).expect("below src").to_path_buf();
            let module = module_of(&path);
            into.push(Source { path, module, code });
        }
    }
}

/// The code without comments and tests, wherever in the file these stand.
fn shipped(text: &str) -> String {
    let mut code = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(indent) = line.strip_suffix("#[cfg(test)]") else {
            code.push(line.split("//").next().unwrap_or(""));
            continue;
        };
        let first = lines.by_ref().find(|line| !line.trim_start().starts_with("#["));
        if !first.is_some_and(|first| first.ends_with(';')) {
            let end = format!("{indent}}}");
            lines.by_ref().find(|line| **line == end);
        }
    }
    code.join("\n")
}

#[test]
fn tests_hide_no_code_below_them() {
    let text =
        "a\n#[cfg(test)]\nmod tests;\nb // c\n#[cfg(test)]\n#[path = \"x\"]\nmod d {\n    e;\n}\nf";
    assert_eq!(shipped(text), "a\nb \nf");
}

fn module_of(path: &Path) -> String {
    let parts: Vec<String> = path
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .filter(|part| !["mod", "lib", "main"].contains(&part.as_str()))
        .collect();
    parts.join("::")
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
            let words = words.iter().copied().flatten();
            for word in words.filter(|word| source.code.contains(**word)) {
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

/// Cases that failed once are tried again: each file of them belongs to a property.
#[test]
fn every_regression_is_tried_again() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all = ["src", "tests"].map(|folder| {
        let mut all = Vec::new();
        texts(&root.join(folder), &mut all);
        all.concat()
    });
    let lost = fs::read_dir(root.join("tests/regressions")).expect("there").filter_map(|entry| {
        let name = entry.expect("readable").path().file_stem()?.to_str()?.to_owned();
        let call = format!("kept(\"{name}\", ");
        let calls: usize = all.iter().map(|text| text.matches(&call).count()).sum();
        (calls != 1).then(|| format!("{calls} properties are kept in {name}.txt"))
    });
    assert_none(lost.collect());
}

fn texts(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            texts(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(fs::read_to_string(&path).expect("readable"));
        }
    }
}

/// The first line of each paragraph of documentation that a page of rustdoc may show alone: the first
/// of a comment, and the first below a heading.
fn openings(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    // Of the line before: its documentation, if it had any.
    let mut before = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let doc = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim);
        if let Some(doc) = doc
            && before.is_none_or(|before: &str| before.is_empty() || before.starts_with('#'))
        {
            found.push((number + 1, doc));
        }
        before = doc;
    }
    found
}

fn is_riddle(opening: &str) -> bool {
    let is_word = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric());
    RIDDLES.iter().any(|word| opening.strip_prefix(word).is_some_and(is_word))
}

/// A comment begins with a noun or a verb: rustdoc shows its first line without its neighbours.
#[test]
fn a_stranger_understands_a_comment_by_its_first_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    for source in house() {
        let text = fs::read_to_string(root.join(&source.path)).expect("readable");
        let riddles = openings(&text).into_iter().filter(|(_, opening)| is_riddle(opening));
        broken.extend(
            riddles
                .map(|(number, opening)| format!("{}:{number}: {opening}", source.path.display())),
        );
    }
    assert_none(broken);
}

/// A room is its folder, and begins at the door: `mod.rs` everywhere.
/// Whatever else is there was left behind, and would be committed with the next change.
#[test]
fn the_top_level_holds_what_is_agreed() {
    let agreed = "benches CHANGELOG.md Cargo.lock Cargo.toml fixtures fuzz LICENSE-APACHE LICENSE-MIT Makefile README.md \
                  src target tests";
    let agreed: Vec<&str> = agreed.split_whitespace().collect();
    let entries = fs::read_dir(env!("CARGO_MANIFEST_DIR")).expect("a folder");
    let names =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    assert_none(
        names.filter(|name| !name.starts_with('.') && !agreed.contains(&&**name)).collect(),
    );
}

#[test]
fn no_file_stands_beside_its_own_folder() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let beside = |source: &&Source| root.join(source.path.with_extension("")).is_dir();
    assert_none(house().iter().filter(beside).map(|s| s.path.display().to_string()).collect());
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

/// The front page has a paragraph for each room: whoever adds one says there what it is for.
#[test]
fn the_front_page_names_every_room() {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let lib = fs::read_to_string(lib).expect("lib.rs");
    // A room that is built in only where it is asked for has no link: without it, that leads nowhere.
    let names =
        |room: &str| [format!("[`{room}`]"), format!("[`mod@{room}`]"), format!("**`{room}`**")];
    let missing = FLOORS.iter().filter(|room| !names(room).iter().any(|name| lib.contains(name)));
    assert_none(missing.map(|room| format!("lib.rs says nothing of {room}")).collect());
}

/// The modules whose items a file names, by every path that begins with `crate`, `super` or, for its
/// own children, `self` or nothing.
fn imports(source: &Source, modules: &BTreeSet<&str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in paths(&source.code) {
        let Some(full) = absolute(&path, &source.module, modules) else { continue };
        let mut at = full.as_str();
        while !modules.contains(at) {
            let Some((parent, _)) = at.rsplit_once("::") else { break };
            at = parent;
        }
        // A folder's first page and its other pages are one thing: they may know each other.
        let is_own = source.module == at || source.module.starts_with(&format!("{at}::"));
        if modules.contains(at) && !is_own {
            found.insert(at.to_owned());
        }
    }
    found
}

/// Every path in the code, with `{…}` written out.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for (at, _) in code.match_indices("::") {
        let before = &code[..at];
        let start = before.rfind(|c| !is_part(c)).map_or(0, |at| at + 1);
        // Only from the first `::` of a path on.
        if before[start..].contains("::") {
            continue;
        }
        written_out(&code[start..], "", &mut found);
    }
    found
}

/// Writes out one path, or a tree of `use`. Returns what follows it.
fn written_out<'a>(mut rest: &'a str, prefix: &str, into: &mut Vec<String>) -> &'a str {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    let path = format!("{prefix}{}", &rest[..end]);
    rest = &rest[end..];
    if !path.ends_with("::") || !rest.starts_with('{') {
        into.push(path.trim_end_matches(':').to_owned());
        return rest;
    }
    rest = &rest[1..];
    loop {
        rest = rest.trim_start_matches([' ', '\n', ',']);
        match rest.chars().next() {
            None => return rest,
            Some('}') => return &rest[1..],
            Some(c) if is_part(c) => rest = written_out(rest, &path, into),
            // `*`, or the new name after `as`.
            Some(c) => rest = &rest[c.len_utf8()..],
        }
    }
}

/// A path from the root of the crate, if it is one of the crate's.
fn absolute(path: &str, module: &str, modules: &BTreeSet<&str>) -> Option<String> {
    if let Some(path) = path.strip_prefix("crate::") {
        return Some(path.to_owned());
    }
    let join = |module: &str, path: &str| match module {
        "" => path.to_owned(),
        module => format!("{module}::{path}"),
    };
    let (mut at, mut rest) = (module, path);
    if !rest.starts_with("super::") {
        let own = join(module, rest.trim_start_matches("self::"));
        let first = rest.trim_start_matches("self::").split("::").next()?;
        return modules.contains(join(module, first).as_str()).then_some(own);
    }
    while let Some(up) = rest.strip_prefix("super::") {
        rest = up;
        at = at.rsplit_once("::").map_or("", |(parent, _)| parent);
    }
    Some(join(at, rest))
}

/// Who imports whom, by module.
fn arrows(house: &[Source]) -> BTreeMap<&str, BTreeSet<String>> {
    let modules: BTreeSet<&str> = house.iter().map(|source| source.module.as_str()).collect();
    house.iter().map(|source| (source.module.as_str(), imports(source, &modules))).collect()
}

#[test]
fn no_file_imports_itself_by_way_of_others() {
    let house = house();
    let mut arrows = arrows(&house);
    // What imports nothing that is left is in no circle, nor is what nothing that is left imports.
    loop {
        let imported: BTreeSet<String> = arrows.values().flatten().cloned().collect();
        let is_free = |from: &str, to: &BTreeSet<String>| to.is_empty() || !imported.contains(from);
        let free: Vec<&str> =
            arrows.iter().filter(|(from, to)| is_free(from, to)).map(|(from, _)| *from).collect();
        if free.is_empty() {
            break;
        }
        arrows.retain(|from, _| !free.contains(from));
        arrows.values_mut().for_each(|to| to.retain(|to| !free.contains(&to.as_str())));
    }
    assert_none(arrows.iter().map(|(from, to)| format!("{from} → {to:?}")).collect());
}

/// The room of a module, by its number from the top.
fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|name| *name == room)
}

fn room(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

#[test]
fn imports_go_downward() {
    let house = house();
    let mut broken = Vec::new();
    for (from, to) in arrows(&house) {
        // The front page has links to every room; `main` imports what it likes.
        let Some(from_floor) = floor(room(from)) else {
            if !from.is_empty() {
                broken.push(format!("{from}: no room of FLOORS"));
            }
            continue;
        };
        let upward = to.iter().filter(|to| floor(room(to)).is_none_or(|floor| floor < from_floor));
        broken.extend(upward.map(|to| format!("{from} imports {to}, which is above it")));
    }
    assert_none(broken);
}
