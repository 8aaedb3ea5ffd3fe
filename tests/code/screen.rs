//! The screen of the manual's page, and README's part of it, are what a run says.

use std::fs;
use std::io::{BufRead, BufReader};
use std::thread;
use std::time::Duration;

use crate::common::{ROOT, Scratch, command, project};
use crate::shop::{Program, Server, interrupt, quiet, started};
use crate::{DRIVER, GO, TRACEFS, built, can_run};

const PAGE: &str = "src/manual/code.md";
const COMMAND: &str = "$ closewait live -i lo --min-hold 1s --code port 3306";

/// What is said, line by line, of a program that leaves five transactions open, and one connection unread.
fn screen() -> Vec<String> {
    let (scratch, _quiet) = (Scratch::new(), quiet());
    let program = scratch.path().join("orders-api");
    fs::rename(built(&scratch, &[]), &program).expect("ours");
    let server = Server::start();
    let mut program = Program::start(&program, &server);
    let port = server.port.to_string();
    let live = ["live", "-i", "lo", "--min-hold", "1s", "--code", "port", &port];
    let (mut closewait, mut said) = started(&mut command(&live), "listening on lo");
    program.leave("update", 5);
    program.leave("worker", 1);
    thread::sleep(Duration::from_secs(1));
    server.leave(6);
    let mut lines = BufReader::new(closewait.stdout.take().expect("piped")).lines();
    for _ in 0..6 {
        said.push(lines.next().expect("an event").expect("text"));
    }
    interrupt(&closewait);
    said.extend(lines.map(|line| line.expect("text")));
    closewait.wait().expect("it ends");
    said.iter().map(|line| line.replace(&format!("127.0.0.1:{port}"), "127.0.0.1:3306")).collect()
}

/// A line without what differs from run to run: times, numbers of processes and ports. Lines of sources stay.
fn plain(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut is_range = false;
    for word in line.split_whitespace() {
        let number = word.contains(".go:");
        let word = if number { word.to_owned() } else { without_digits(word) };
        // `1.0 s … ≥ 1.2 s`, `953 ms`
        match word.as_str() {
            "…" => is_range = true,
            "≥" | "N" if is_range => {}
            "s" | "ms" if is_range => is_range = false,
            "ms" => words.push("s".into()),
            _ => words.push(word),
        }
    }
    words.join(" ")
}

fn without_digits(word: &str) -> String {
    let parts = word.split(|c: char| c.is_ascii_digit());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty() && *part != ".").collect();
    match parts.is_empty() && !word.is_empty() {
        true => "N".into(),
        false => parts.join("N"),
    }
}

/// The block of the page, as it stands there.
fn block(page: &str) -> &str {
    let start = page.find(COMMAND).expect("the command");
    let end = page[start..].find("```").expect("an end");
    &page[start + COMMAND.len() + 1..start + end]
}

#[test]
fn the_pages_screen_is_a_run() {
    if !can_run(&[ROOT, GO, DRIVER, TRACEFS]) {
        return;
    }
    let page = fs::read_to_string(project(PAGE)).expect("a page");
    let said = screen();
    if std::env::var_os("CLOSEWAIT_BLESS").is_some() {
        // The first event of all, and the groups.
        let groups = said.iter().position(|line| line.contains("left in CLOSE-WAIT"));
        let groups = &said[groups.expect("a headline")..];
        let groups =
            groups.iter().filter(|line| !line.contains("FIN at") && !line.contains("--top"));
        let groups =
            groups.skip_while(|line| !line.starts_with("  5")).take_while(|line| !line.is_empty());
        let block: Vec<&str> = said[..3].iter().map(String::as_str).collect();
        let block = [block, vec!["…"], groups.map(String::as_str).collect()].concat().join("\n");
        let blessed = page.replace(self::block(&page), &(block + "\n"));
        return fs::write(project(PAGE), blessed).expect("ours");
    }
    let readme = fs::read_to_string(project("README.md")).expect("README");
    let of_readme = readme.split("```text\n").filter_map(|block| block.split("```").next());
    let of_readme = of_readme.filter(|block| block.contains("begun by")).collect::<String>();
    assert!(!of_readme.is_empty());
    for shown in [block(&page), &of_readme] {
        let mut lines = said.iter().map(|line| plain(line));
        for line in shown.lines().filter(|line| *line != "…") {
            let line = plain(line);
            assert!(lines.any(|said| said == line), "{line:?} is not what is said: {said:#?}");
        }
    }
}
