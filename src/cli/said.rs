//! Errors, as clap words them, begun as all others are.

use std::path::Path;

use clap::error::{ContextKind, ContextValue};

use crate::printable::printable;
use crate::report::shell;

/// Complains in one sentence, with tips that help.
pub fn complain(error: &clap::Error, grammar: &clap::Command) {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let tip = elsewhere(error, grammar).or_else(|| a_file(std::env::args()));
    let tip = tip.or_else(|| a_third(error, std::env::args()));
    crate::commands::complain(&with_tip(text, tip.as_deref()).trim_end());
}

/// A tip for a file that is named like an option.
fn a_file(mut words: impl Iterator<Item = String>) -> Option<String> {
    let word = words.find(|word| word.starts_with('-') && Path::new(word).is_file())?;
    Some(format!("  tip: for the file of that name: {}", shell::word(&printable(&word))))
}

/// A tip for who names more than two files to `diff`: a ring of a capture, as a rule.
fn a_third(error: &clap::Error, mut words: impl Iterator<Item = String>) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let is_diff = words.nth(1).is_some_and(|verb| verb == "diff");
    let is_file = is_diff && Path::new(word).exists();
    is_file.then(|| format!("  tip: {}", crate::commands::diff::SEVERAL))
}

/// The text with another tip, if there is a better one. That an option can be passed as a value is none: behind `--`
/// stand no files.
fn with_tip(text: &str, better: Option<&str>) -> String {
    let is_tip = |line: &&str| line.starts_with("  tip: ");
    let no_help =
        |line: &&str| is_tip(line) && (better.is_some() || line.contains("as a value, use"));
    let mut lines: Vec<&str> = text.lines().filter(|line| !no_help(line)).collect();
    if let Some(tip) = better {
        lines.splice(1..1, ["", tip]);
    }
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    lines.join("\n")
}

/// Commands that are named where an option is theirs.
const NAMED: usize = 3;

/// A tip for an option that other commands have.
fn elsewhere(error: &clap::Error, grammar: &clap::Command) -> Option<String> {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let name = option.strip_prefix("--")?.split('=').next()?;
    let has_it = |command: &&clap::Command| {
        !command.is_hide_set() && command.get_arguments().any(|arg| arg.get_long() == Some(name))
    };
    let commands = grammar.get_subcommands().filter(has_it).map(clap::Command::get_name);
    let commands: Vec<&str> = commands.take(NAMED).collect();
    (!commands.is_empty()).then(|| {
        format!("  tip: '--{name}' is an option of: closewait {}", commands.join(", closewait "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text as far as the usage.
    fn said(args: &[&str]) -> String {
        let grammar = crate::cli::grammar();
        let error = grammar.clone().try_get_matches_from(args).expect_err("no such option");
        let text = with_tip(&error.to_string(), elsewhere(&error, &grammar).as_deref());
        text.split("\n\nUsage").next().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_tip_helps() {
        let text = said(&["closewait", "--max-held", "3s", "x.pcap"]);
        let tip = "'--max-held' found\n\n  tip: '--max-held' is an option of: closewait check";
        assert!(text.ends_with(tip), "{text}");
        let text = said(&["closewait", "--lokal", "10.0.0.5", "x.pcap"]);
        assert!(text.ends_with("\n\n  tip: a similar argument exists: '--local'"), "{text}");
        let text = said(&["closewait", "--zzz", "x.pcap"]);
        assert!(text.ends_with("unexpected argument '--zzz' found"), "{text}");
    }
}
