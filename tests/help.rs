//! Help: a first page that fits a screen, topics out of the manual, and what to do about a slip of the hand.

mod common;

use common::{closewait, text};

fn help(args: &[&str]) -> String {
    let output = closewait(args);
    let (out, err) = text(&output);
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{args:?}");
    out
}

/// The page is as it is in a terminal of 80 columns: what is too wide takes more lines.
#[test]
fn the_first_page_fits_a_screen() {
    let output = common::command(&["--help"]).env("COLUMNS", "80").output().expect("it runs");
    let page = text(&output).0;
    assert!(page.lines().count() <= 40, "{} lines:\n{page}", page.lines().count());
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    for heading in ["Captures:", "Hosts, now:", "Options:", "Examples:"] {
        assert!(page.lines().any(|line| line == heading), "{heading}\n{page}");
    }
    let command = closewait::cli::grammar();
    for shown in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let line = format!("\n  {} ", shown.get_name());
        assert_eq!(page.matches(&line).count(), 1, "{}:\n{page}", shown.get_name());
    }
}

#[test]
fn all_ways_to_the_first_page_are_one() {
    let page = help(&["--help"]);
    for args in [&["-h"][..], &["help"], &["x.pcap", "--help"]] {
        assert_eq!(help(args), page, "{args:?}");
    }
    let bare = text(&closewait(&["read"])).1;
    assert!(bare.contains("--half-close-quiet"), "{bare}");
}

/// Its options are those that are needed first; all others stand behind the command.
#[test]
fn a_command_tells_all_about_itself() {
    let (page, all) = (help(&["--help"]), help(&["read", "--help"]));
    for option in ["--max-flows", "--half-close-quiet", "--vxlan-port", "--folded"] {
        assert!(all.contains(option) && !page.contains(option), "{option}");
    }
    assert_eq!(help(&["help", "read"]), all);
    assert!(all.lines().count() > help(&["read", "-h"]).lines().count(), "{all}");
}

/// What stands below the options is laid out for 80 columns: none of it is folded.
#[test]
fn examples_fit_a_terminal() {
    let command = closewait::cli::grammar();
    for shown in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = shown.get_name();
        let [narrow, wide] = ["80", "100"].map(|columns| {
            let output = common::command(&[name, "--help"]).env("COLUMNS", columns).output();
            let page = text(&output.expect("it runs")).0;
            page.split_once("\nExamples:\n").unwrap_or_else(|| panic!("{name}")).1.to_owned()
        });
        assert_eq!(narrow, wide, "{name}");
        assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
    }
}

#[test]
fn its_examples_are_understood() {
    let page = help(&["--help"]);
    let examples = page.lines().skip_while(|line| *line != "Examples:");
    let examples = examples.filter(|line| line.starts_with("  closewait "));
    let commands = examples.map(|line| line.trim().split("   ").next().unwrap_or(line));
    let commands: Vec<&str> = commands.collect();
    assert_eq!(commands.len(), 5, "{page}");
    commands.into_iter().for_each(common::assert_understood);
}

#[test]
fn topics_are_pages_of_the_manual() {
    let page = help(&["--help"]);
    for (topic, word) in [
        ("doubts", "fin-before-capture"),
        ("causes", "transaction-open"),
        ("verdicts", "half-closed"),
        ("capture", "tcpdump -i any -w incident.pcap"),
        ("containers", "closewait sockets --netns all"),
    ] {
        assert!(page.contains(topic), "{topic}\n{page}");
        let shown = help(&["help", topic]);
        assert!(shown.contains(word), "{topic}\n{shown}");
        assert!(!shown.contains("```") && !shown.contains("|---"), "{topic}\n{shown}");
    }
    assert_eq!(help(&["help", "doubt"]), help(&["help", "doubts"]));
    assert_eq!(help(&["help", "brief"]), help(&["explain", "brief"]));
}

#[test]
fn a_slip_of_the_hand_is_told() {
    for (name, said) in [
        ("dubts", "did you mean: closewait help doubts\n"),
        ("soket", "did you mean: closewait help sockets\n"),
        ("transaction", "did you mean: closewait help transaction-open\n"),
        ("zzz", "there are topics (doubts, causes, verdicts, capture, containers)"),
        ("\u{1b}[31m", "there are topics"),
    ] {
        let output = closewait(&["help", name]);
        let (out, err) = text(&output);
        assert_eq!((output.status.code(), out.as_str()), (Some(2), ""), "{name}");
        assert!(err.starts_with("closewait: ") && err.contains(said), "{err}");
        assert!(!err.contains('\u{1b}'), "{err}");
    }
}
