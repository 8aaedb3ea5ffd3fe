//! Help: a page that fits a screen, a command's own options, a topic, a word.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::{ArgAction, Command};

use super::absent::is_possible;
use super::nearest;
use crate::commands::topics::{self, Topic};
use crate::report::words;

/// Columns of a terminal that nobody made wider.
const COLUMNS: usize = 80;

/// The commands by what they look at; those that stand in no group are listed with the last.
const GROUPS: [(&str, &[&str]); 2] = [
    ("Captures", &["read", "report", "explain", "diff", "check", "facts", "judge"]),
    ("Hosts, now", &["sockets", "live", "top"]),
];

/// The options of `read` that are needed first.
const FIRST: [&str; 5] = ["filter", "local", "sockets", "format", "output"];

const EXAMPLES: [&str; 5] = [
    "closewait sockets                     on the host: who holds what, since when",
    "closewait live port 3306              as it happens, with the process",
    "closewait incident.pcap               of a capture: what is stuck, and why",
    "closewait explain incident.pcap       the foremost finding, packet by packet",
    "closewait check -f 'port 3306' -- make integration-test       in CI",
];

const MORE: &str = "\
All options: closewait read --help, and the man pages
Exit status: 0 no finding, 1 a finding, 2 error";

/// Gives the program a first page: commands in groups, the first options, examples.
pub fn with_overview(mut command: Command) -> Command {
    // What clap adds of its own can be changed once it is there.
    command.build();
    let template = template(&command);
    let page = |help: clap::Arg| {
        help.action(ArgAction::HelpShort).help("Print this page; behind a command, its options")
    };
    command
        .mut_args(|arg| {
            let is_first = FIRST.contains(&arg.get_id().as_str());
            arg.hide_short_help(!is_first)
        })
        .mut_arg("help", |help| page(help).hide_short_help(false))
        .mut_arg("version", |version| version.hide_short_help(false))
        .help_template(template)
}

fn template(command: &Command) -> String {
    let header = command.get_styles().get_header();
    let mut page = String::from("{about}\n\n{usage-heading} {usage}\n");
    for (heading, commands) in groups(command) {
        let _ = write!(page, "\n{header}{heading}:{header:#}\n");
        commands.iter().for_each(|(name, about)| line(&mut page, command, name, about));
    }
    let topics: Vec<&str> = topics::ALL.iter().map(|topic| topic.name).collect();
    let about = format!("A command's options; or {}", topics.join(", "));
    line(&mut page, command, "help", &about);
    let _ = write!(page, "\n{header}Options:{header:#}\n{{options}}\n");
    let examples = EXAMPLES.iter().filter(|example| is_possible(example));
    let examples: String = examples.map(|example| format!("  {example}\n")).collect();
    let _ = writeln!(page, "\n{header}Examples:{header:#}\n{examples}\n{MORE}");
    page
}

type Named = (String, String);

/// The commands of each group that there are, with what they do.
fn groups(command: &Command) -> Vec<(&'static str, Vec<Named>)> {
    let named = |command: &Command| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        (command.get_name().to_owned(), about)
    };
    let shown = command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help");
    let mut left: Vec<Named> = shown.map(named).collect();
    let mut groups = Vec::new();
    for (heading, names) in GROUPS {
        let found = names.iter().filter_map(|name| {
            let at = left.iter().position(|(left, _)| left == name)?;
            Some(left.remove(at))
        });
        groups.push((heading, found.collect::<Vec<Named>>()));
    }
    if let Some((_, last)) = groups.last_mut() {
        last.append(&mut left);
    }
    groups
}

/// A command and what it does, folded where a narrow terminal ends.
fn line(page: &mut String, command: &Command, name: &str, about: &str) {
    let literal = command.get_styles().get_literal();
    let name = format!("  {literal}{name}{literal:#}{:width$}", "", width = 9 - name.len().min(8));
    for (at, part) in textwrap::wrap(about, COLUMNS - 11).into_iter().enumerate() {
        let before = if at == 0 { name.as_str() } else { "           " };
        let _ = writeln!(page, "{before}{part}");
    }
}

/// Help on something that clap knows nothing of.
pub enum Asked {
    Topic(&'static Topic),
    Word(String),
    /// Nothing has that name: a sentence.
    Nothing(String),
}

/// The topic, or the word of a report, that `closewait help NAME` asks for.
pub fn asked(args: &[OsString], is_command: impl Fn(&str) -> bool) -> Option<Asked> {
    let [_, command, name] = args else { return None };
    let name = name.to_str().filter(|_| command == "help")?;
    if is_command(name) || name.starts_with('-') {
        return None;
    }
    Some(match topics::named(name) {
        Some(topic) => Asked::Topic(topic),
        None if words::is_word(name) => Asked::Word(name.to_owned()),
        None => Asked::Nothing(unknown(name)),
    })
}

fn unknown(name: &str) -> String {
    let name = crate::printable::printable(name);
    let topics: Vec<String> = topics::ALL.iter().map(|topic| topic.name.to_owned()).collect();
    let words = words::names().into_iter().map(String::from);
    let all = super::commands().into_iter().chain(topics.clone()).chain(words);
    match nearest(&name, all) {
        Some(nearest) => {
            format!("{name}: there is no such help; did you mean: closewait help {nearest}")
        }
        None => format!(
            "{name}: there is no such help: there are topics ({}), commands, and words of a report",
            topics.join(", ")
        ),
    }
}
