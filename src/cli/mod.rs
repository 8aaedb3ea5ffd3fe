//! Flags become a plan. The only room that knows clap.
//!
//! A file a command, `shared` for what several have, and here the parser and its help.

mod check;
mod diff;
mod explain;
mod flames;
mod fleet;
mod habits;
mod live;
mod options;
mod read;
mod said;
mod shared;
mod sockets;
mod times;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::capture::file::Input;
use crate::commands::check::CheckCommand;
use crate::commands::diff::DiffCommand;
use crate::commands::explain::ExplainCommand;
use crate::commands::fleet::{FactsCommand, JudgeCommand};
use crate::commands::live::LiveCommand;
use crate::commands::read::ReadCommand;
use crate::commands::sockets::SocketsCommand;

/// The command that the program was given, with its options.
pub enum Command {
    Read(Box<ReadCommand>),
    Explain(Box<ExplainCommand>),
    /// To explain a word of the report.
    Word(String),
    Diff(Box<DiffCommand>),
    Live(Box<LiveCommand>),
    Check(Box<CheckCommand>),
    ListInterfaces,
    Sockets(Box<SocketsCommand>),
    Facts(Box<FactsCommand>),
    Judge(Box<JudgeCommand>),
    /// To answer questions about this host's sockets, as this user, and about the code behind them.
    Lookup(Option<String>, bool),
    /// Everything has been said (help, version, a usage error): end with this status.
    End(u8),
}

/// Understands the command line, or says what is wrong with it.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Command {
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(word) = explain::word(&args) {
        return Command::Word(word);
    }
    let mut args = habits::put(args, is_command);
    let is_bare = args.len() == 1 || args.len() == 2 && args[1] == "read";
    if is_bare && Input::is_redirected() {
        args.push("-".into());
    }
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            return Command::End(2);
        }
        Err(error) if error.use_stderr() => {
            said::complain(&error);
            return Command::End(2);
        }
        Err(error) => {
            // Nothing is left to do if even this cannot be printed.
            let _ = error.print();
            return Command::End(0);
        }
    };
    let asked = match cli.command {
        Some(Verb::Sockets(args)) => args.sockets().map(|s| Command::Sockets(Box::new(s))),
        Some(Verb::Facts(args)) => Ok(Command::Facts(Box::new(args.facts()))),
        Some(Verb::Judge(args)) => args.judge().map(|judge| Command::Judge(Box::new(judge))),
        Some(Verb::Check(args)) => Ok(Command::Check(Box::new(args.check()))),
        Some(Verb::Lookup { user, code }) => Ok(Command::Lookup(user, code)),
        Some(Verb::Explain(args)) => args.explain().map(|e| Command::Explain(Box::new(e))),
        Some(Verb::Live(args)) if args.list => Ok(Command::ListInterfaces),
        Some(Verb::Live(args)) => args.live().map(|live| Command::Live(Box::new(live))),
        Some(Verb::Diff(args)) => args.diff().map(|diff| Command::Diff(Box::new(diff))),
        Some(Verb::Report(args)) => args.report().map(|read| Command::Read(Box::new(read))),
        Some(Verb::Read(args)) => args.plan().map(|read| Command::Read(Box::new(read))),
        None => cli.read.plan().map(|read| Command::Read(Box::new(read))),
    };
    asked.unwrap_or_else(|sentence| {
        crate::commands::complain(&sentence);
        Command::End(2)
    })
}

/// Describes all commands and flags, for man pages and completions.
#[must_use]
pub fn grammar() -> clap::Command {
    Cli::command()
}

/// Names the TCP connections that a program left in CLOSE-WAIT.
///
/// Reads packet captures, follows every connection's close by RFC 9293, and reports those where the
/// peer sent FIN and the local side never sent its own: which, held by whom, since when, closed after
/// how long idle.
#[derive(Parser)]
#[command(
    name = "closewait",
    version,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true,
    after_help = read::EXAMPLES,
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Verb>,
    #[command(flatten)]
    read: read::ReadArgs,
}

#[derive(Subcommand)]
enum Verb {
    /// Read captures and report (what closewait does without a command, too)
    #[command(after_help = read::EXAMPLES, arg_required_else_help = true)]
    Read(read::ReadArgs),
    /// Write one page with plots: an incident for a ticket (closewait read --format html)
    #[command(after_help = read::REPORT_EXAMPLES, arg_required_else_help = true, mut_arg("format", |format| format.hide(true).default_value("html")))]
    Report(read::ReadArgs),
    /// Hold two captures against each other: leaks that are gone, that stayed, and new ones
    #[command(after_help = diff::EXAMPLES, arg_required_else_help = true)]
    Diff(diff::DiffArgs),
    /// Show one connection packet by packet, with what was said on it and the verdict; or explain a word of the report
    #[command(after_help = explain::EXAMPLES, arg_required_else_help = true)]
    Explain(explain::ExplainArgs),
    /// Watch interfaces: report stuck connections as they happen, with their processes
    #[command(after_help = live::EXAMPLES)]
    Live(live::LiveArgs),
    /// List what this host holds in CLOSE-WAIT, by process: no capture needed
    #[command(after_help = sockets::EXAMPLES)]
    Sockets(sockets::SocketsArgs),
    /// Hold captures against what is expected of them: for tests and CI
    #[command(after_help = check::EXAMPLES, arg_required_else_help = true)]
    Check(check::CheckArgs),
    /// Make a table of a capture's segments, to be judged elsewhere
    #[command(after_help = fleet::FACTS_EXAMPLES, arg_required_else_help = true)]
    Facts(fleet::FactsArgs),
    /// Judge the tables of all files of a capture point together, as one pass over the files would
    #[command(after_help = fleet::JUDGE_EXAMPLES, arg_required_else_help = true)]
    Judge(fleet::JudgeArgs),
    /// The process that `live` starts to have processes named
    #[command(hide = true)]
    Lookup {
        #[arg(short = 'Z')]
        user: Option<String>,
        #[arg(long)]
        code: bool,
    },
}

fn is_command(word: &str) -> bool {
    Cli::command().find_subcommand(word).is_some()
}

/// Words less alike than this are no slip of the hand.
const ALIKE: f64 = 0.7;

/// The command that a word was probably meant to be.
fn nearest_command(word: &str) -> Option<String> {
    let command = Cli::command();
    let likeness = |name: &str| strsim::jaro_winkler(word, name);
    let nearest = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(clap::Command::get_name)
        .filter(|name| likeness(name) >= ALIKE)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    Some(nearest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
