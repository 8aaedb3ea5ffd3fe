//! README and the manual show what happens: their examples are run, their paths are there, and every
//! word of a report is explained.
//!
//! `CLOSEWAIT_BLESS=1 cargo test --all-features --test manual` writes outputs anew that are shown whole.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{BINARY, Scratch, assert_understood, commands, files, project, text};

fn pages() -> Vec<PathBuf> {
    let manual = files("src/manual", "md");
    assert!(manual.len() > 10, "{manual:?}");
    let others = ["README.md", "fixtures/README.md"].map(project);
    [&others[..], &files(".github", "md"), &manual].concat()
}

fn read(page: &Path) -> String {
    fs::read_to_string(page).unwrap_or_else(|e| panic!("{}: {e}", page.display()))
}

/// A line for any lines, or none.
const ANY: &str = "…";

/// A command and what it prints, as lines of a page.
struct Example {
    line: usize,
    command: String,
    shown: Vec<String>,
}

/// The examples between "```console" and "```": a line with `$ ` is a command, those after it its output.
fn examples(page: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut inside = false;
    for (number, line) in page.lines().enumerate() {
        match (inside, line.strip_prefix("$ "), examples.last_mut()) {
            _ if line.starts_with("```") => inside = line == "```console",
            (true, Some(command), _) => {
                examples.push(Example { line: number, command: command.into(), shown: Vec::new() });
            }
            (true, None, Some(example)) => example.shown.push(line.into()),
            _ => {}
        }
    }
    examples
}

/// A folder in which the project's fixtures are found, and the binary by its name.
fn workplace() -> Scratch {
    let scratch = Scratch::new();
    let link = std::os::unix::fs::symlink::<PathBuf, PathBuf>;
    link(project("fixtures"), scratch.path().join("fixtures")).expect("room");
    fs::create_dir(scratch.path().join("bin")).expect("room");
    link(BINARY.into(), scratch.path().join("bin/closewait")).expect("room");
    scratch
}

fn run(example: &Example, scratch: &Scratch) -> Vec<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-o", "pipefail", "-c", &example.command])
        .current_dir(scratch.path())
        .env("PATH", format!("{}:{path}", scratch.path().join("bin").display()))
        .env("TZ", "UTC")
        .env("LC_ALL", "C.UTF-8")
        .env_remove("CLICOLOR_FORCE")
        .output()
        .expect("bash");
    let (out, err) = text(&output);
    assert!(matches!(output.status.code(), Some(0 | 1)), "$ {}\n{out}{err}", example.command);
    out.lines().map(Into::into).collect()
}

/// Compares line by line; [`ANY`] takes as few lines as it can.
fn is_shown(shown: &[String], printed: &[String]) -> bool {
    match shown {
        [] => printed.is_empty(),
        [any, rest @ ..] if any == ANY => {
            (0..=printed.len()).any(|n| is_shown(rest, &printed[n..]))
        }
        [line, rest @ ..] => printed.first() == Some(line) && is_shown(rest, &printed[1..]),
    }
}

#[test]
fn every_example_prints_what_it_shows() {
    let bless = std::env::var_os("CLOSEWAIT_BLESS").is_some();
    let (mut count, mut wrong) = (0, String::new());
    for path in pages() {
        let page = read(&path);
        let mut lines: Vec<String> = page.lines().map(Into::into).collect();
        let scratch = workplace();
        let examples = examples(&page);
        count += examples.len();
        let ran = examples.iter().map(|example| (example, run(example, &scratch)));
        // From the last on, so that the places of the others stay.
        for (example, printed) in ran.collect::<Vec<_>>().into_iter().rev() {
            // Without any output shown, it is enough that it runs.
            if example.shown.is_empty() || is_shown(&example.shown, &printed) {
                continue;
            }
            if bless && !example.shown.iter().any(|line| line == ANY) {
                let begin = example.line + 1;
                lines.splice(begin..begin + example.shown.len(), printed);
                continue;
            }
            let (name, line) = (path.display(), example.line + 1);
            let printed = printed.join("\n");
            wrong += &format!("{name}:{line}: $ {}\n{printed}\n\n", example.command);
        }
        if bless {
            fs::write(&path, lines.join("\n") + "\n").expect("a writable page");
        }
    }
    assert!(count >= 15, "only {count} examples were found");
    assert!(wrong.is_empty(), "these print something else:\n{wrong}");
}

#[test]
fn other_lines_for_any_lines() {
    let lines = |text: &str| text.lines().map(String::from).collect::<Vec<_>>();
    assert!(is_shown(&lines("a\n…\nc\n…"), &lines("a\nb\nb\nc")));
    assert!(!is_shown(&lines("a\n…\nc"), &lines("a\nb")));
    assert!(!is_shown(&lines("a"), &lines("a\nb")));
}

/// Words that name a file of the project, wherever they stand.
fn paths(page: &str) -> BTreeSet<&str> {
    let is_end = |c: char| c.is_whitespace() || "`()[]|,;:\"'".contains(c);
    let words = page.split(is_end).map(|word| word.trim_end_matches('.'));
    let ours = ["fixtures/", ".dist/", "src/", "tests/", "benches/", "fuzz/", ".github/", ".ci/"];
    // A pattern, or a name to put in.
    let is_name = |word: &&str| !word.contains(['*', '<', '$']) && !word.contains("NAME");
    words.filter(|word| ours.iter().any(|start| word.starts_with(start))).filter(is_name).collect()
}

/// The files that a page links to, but for the net and places in itself.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    // Not those to another site, to a part of the page, or to an item of the library.
    targets
        .filter(|target| {
            !target.contains("::") && !target.contains("://") && !target.starts_with('#')
        })
        .collect()
}

#[test]
fn every_path_is_there() {
    for path in pages() {
        let page = read(&path);
        let folder = path.parent().expect("a folder");
        for link in links(&page) {
            assert!(folder.join(link).exists(), "{}: {link}", path.display());
        }
        for word in paths(&page) {
            let relative = path.ends_with("fixtures/README.md") && folder.join(word).exists();
            assert!(relative || project(word).exists(), "{}: {word}", path.display());
        }
    }
}

#[test]
fn every_command_is_understood() {
    let mut count = 0;
    for path in pages() {
        // Between backticks in prose there are halves of commands.
        let blocks = read(&path);
        let blocks = blocks.split("\n```").skip(1).step_by(2);
        for command in blocks.flat_map(commands) {
            // A list is read with the arguments; this one is anybody's.
            assert_understood(&command.replace("--sockets list", "--sockets /dev/null"));
            count += 1;
        }
    }
    assert!(count > 30, "only {count} commands were found");
}

/// The names that a source gives to the variants of an enum.
fn names(source: &str, of: &str) -> BTreeSet<String> {
    let variant = format!("{of}::");
    let arms = source.lines().filter_map(|line| line.split_once(&variant)?.1.split_once(" => \""));
    let quoted = arms.filter_map(|(_, name)| name.split_once('"'));
    // A sentence is no name.
    quoted.map(|(name, _)| name.into()).filter(|name: &String| !name.contains(' ')).collect()
}

#[test]
fn every_word_of_a_report_is_explained() {
    let words = read(&project("src/verdict/words.rs"));
    let causes = read(&project("src/summary/cause.rs"));
    let explained = |page: &str, word: &str| {
        let row = |line: &str| line.starts_with("| ") && line.contains(&format!("`{word}`"));
        read(&project(page)).lines().any(row)
    };
    let mut missing = Vec::new();
    for (source, of, page) in [
        (&words, "Close", "src/manual/verdicts.md"),
        (&words, "Verdict", "src/manual/verdicts.md"),
        (&words, "Reason", "src/manual/verdicts.md"),
        (&words, "Doubt", "src/manual/verdicts.md"),
        (&words, "Note", "src/manual/verdicts.md"),
        (&causes, "Cause", "src/manual/causes.md"),
    ] {
        let names = match of {
            "Verdict" => closewait::verdict::Verdict::NAMES.map(String::from).into(),
            _ => names(source, of),
        };
        assert!(names.len() > 3, "{of}: {names:?}");
        let unexplained = names.into_iter().filter(|name| !explained(page, name));
        missing.extend(unexplained.map(|name| format!("{page}: {of} {name}")));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The page on protocols tells where to put a line: below one that is there.
#[test]
fn the_page_on_protocols_knows_the_registry() {
    let page = read(&project("src/manual/protocol.md"));
    let registry = read(&project("src/attach/registry.rs"));
    let shown = page.lines().find(|line| line.ends_with("::Mysql: 3306;"));
    assert!(shown.is_some_and(|line| registry.contains(&format!("    {line}\n"))), "{shown:?}");
}

/// What is left out of README is in the manual, and README leads there.
#[test]
fn readme_is_short_and_leads_to_every_page() {
    let readme = read(&project("README.md"));
    assert!(readme.lines().count() <= 160, "{} lines", readme.lines().count());
    let index = read(&project("src/manual/mod.rs"));
    let links = links(&readme);
    for page in files("src/manual", "md") {
        let name = page.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(links.contains(&&*format!("src/manual/{name}")), "README leads not to {name}");
        assert!(index.contains(&format!("include_str!(\"{name}\")")), "not shown: {name}");
    }
}

/// The blocks of code of a page, and the lines between them.
fn blocks(page: &str) -> (Vec<String>, Vec<&str>) {
    let (mut code, mut prose) = (Vec::<String>::new(), Vec::new());
    let (mut fenced, mut within) = (false, false);
    for line in page.lines() {
        let fence = line.starts_with("```");
        if fence || fenced || line.starts_with("    ") {
            match code.last_mut() {
                Some(block) if within => block.push_str(&format!("\n{line}")),
                _ => code.push(line.to_owned()),
            }
            within = true;
            fenced ^= fence;
        } else {
            prose.push(line);
            within = false;
        }
    }
    (code, prose)
}

/// The files that a page leads to, from the project's folder; its own translation apart.
fn leads_to(prose: &[&str], folder: &str) -> BTreeSet<PathBuf> {
    let prose = prose.join("\n");
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let paths = targets.map(|target| match target.strip_prefix("../") {
        Some(path) => PathBuf::from(path),
        None => Path::new(folder).join(target),
    });
    paths
        .filter(|path| !path.ends_with("README.md") && !path.ends_with("README.zh-CN.md"))
        .collect()
}

/// The Chinese README says the same: every command and screen of the English one, and every link.
#[test]
fn the_translation_has_the_same_commands_and_links() {
    let (english, chinese) =
        (read(&project("README.md")), read(&project(".github/README.zh-CN.md")));
    let ((code, prose), (translated, other)) = (blocks(&english), blocks(&chinese));
    assert!(code.len() > 8, "{code:?}");
    assert_eq!(translated, code);
    assert_eq!(leads_to(&other, ".github"), leads_to(&prose, ""));
    let inline = |prose: &[&str]| {
        let prose = prose.join("\n");
        prose.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<String>>()
    };
    assert_eq!(inline(&other), inline(&prose), "words of the program");
}
