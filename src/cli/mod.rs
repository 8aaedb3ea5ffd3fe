//! Flags become a plan. The only room that knows clap.
//!
//! A file a command, `shared` for what several have, and here the parser and its help.

mod absent;
mod check;
mod diff;
mod explain;
mod flames;
mod fleet;
mod habits;
mod help;
mod live;
mod options;
mod read;
mod said;
mod shared;
mod sockets;
mod times;
mod top;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::capture::file::Input;
use crate::commands::check::CheckCommand;
use crate::commands::diff::DiffCommand;
use crate::commands::explain::ExplainCommand;
use crate::commands::fleet::{FactsCommand, JudgeCommand};
use crate::commands::live::LiveCommand;
use crate::commands::read::ReadCommand;
use crate::commands::sockets::SocketsCommand;
use crate::commands::top::TopCommand;
use crate::commands::topics::Topic;
use crate::owner::kernel::Netns;
use crate::report::lang::Lang;
use shared::one_of;

/// The command that the program was given, with its options.
pub enum Command {
    /// To report on captures.
    Read(Box<ReadCommand>),
    /// To show one connection packet by packet.
    Explain(Box<ExplainCommand>),
    /// To explain a word of the report, in a language that was asked for.
    Word(String, Option<Lang>),
    /// To show a page of the manual.
    Topic(&'static Topic),
    /// To hold two captures against each other.
    Diff(Box<DiffCommand>),
    /// To watch interfaces.
    Live(Box<LiveCommand>),
    /// To show a screen.
    Top(Box<TopCommand>),
    /// To hold captures against what is expected of them.
    Check(Box<CheckCommand>),
    /// To list the interfaces that can be watched in a namespace.
    ListInterfaces(Netns),
    /// To list this host's sockets, or a saved list's.
    Sockets(Box<SocketsCommand>),
    /// To make a table of a capture's segments.
    Facts(Box<FactsCommand>),
    /// To judge such tables.
    Judge(Box<JudgeCommand>),
    /// To keep the packets of a screen.
    Keeper(Box<TopCommand>),
    /// To answer questions about this host's sockets, as this user, and about the code behind them.
    Lookup(Option<String>, bool),
    /// Everything has been said (help, version, a usage error): end with this status.
    End(u8),
}

/// Understands the command line, or says what is wrong with it.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Command {
    let args: Vec<OsString> = args.into_iter().collect();
    match explain::word(&args) {
        Some(Ok((word, lang))) => return Command::Word(word, lang),
        Some(Err(sentence)) => {
            crate::commands::complain(&sentence);
            return Command::End(2);
        }
        None => {}
    }
    match help::asked(&args, is_command) {
        Some(help::Asked::Topic(topic)) => return Command::Topic(topic),
        Some(help::Asked::Word(word)) => return Command::Word(word, None),
        Some(help::Asked::Nothing(sentence)) => {
            crate::commands::complain(&sentence);
            return Command::End(2);
        }
        None => {}
    }
    let mut args = habits::put(args, is_command);
    let reads = |word: &OsString| ["read", "report", "explain", "check"].iter().any(|w| word == w);
    let is_bare = args.len() == 1 || args.len() == 2 && reads(&args[1]);
    if is_bare && Input::is_redirected() {
        args.push("-".into());
    }
    let cli = match understood(args) {
        Ok(cli) => cli,
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            return Command::End(2);
        }
        Err(error) if error.use_stderr() => {
            said::complain(&error, &grammar());
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
        Some(Verb::Facts(args)) => args.facts().map(|facts| Command::Facts(Box::new(facts))),
        Some(Verb::Judge(args)) => args.judge().map(|judge| Command::Judge(Box::new(judge))),
        Some(Verb::Check(args)) => Ok(Command::Check(Box::new(args.check()))),
        Some(Verb::Keeper(args)) => args.top().map(|top| Command::Keeper(Box::new(top))),
        Some(Verb::Lookup { user, code }) => Ok(Command::Lookup(user, code)),
        Some(Verb::Explain(args)) => args.explain().map(|e| Command::Explain(Box::new(e))),
        Some(Verb::Live(args)) if args.list => args.place().map(Command::ListInterfaces),
        Some(Verb::Live(args)) => args.live().map(|live| Command::Live(Box::new(live))),
        Some(Verb::Top(args)) => args.top().map(|top| Command::Top(Box::new(top))),
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

fn understood(args: Vec<OsString>) -> Result<Cli, clap::Error> {
    let mut matches = help::with_overview(grammar()).try_get_matches_from(args)?;
    Cli::from_arg_matches_mut(&mut matches)
}

/// Describes all commands and flags, for man pages and completions; what was not built in is hidden.
#[must_use]
pub fn grammar() -> clap::Command {
    absent::hidden(Cli::command())
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
    /// Read captures and report: what closewait FILE does
    #[command(after_help = read::EXAMPLES, arg_required_else_help = true)]
    Read(read::ReadArgs),
    /// Write one page with plots, for a ticket: read --format html
    #[command(after_help = read::REPORT_EXAMPLES, arg_required_else_help = true, mut_arg("format", |format| format.hide(true).default_value("html")))]
    Report(read::ReadArgs),
    /// Hold two captures against each other: leaks gone, left and new
    #[command(
        after_help = diff::EXAMPLES,
        arg_required_else_help = true,
        mut_arg("format", |format| format.value_parser(one_of(diff::FORMATS)))
    )]
    Diff(diff::DiffArgs),
    /// Show one connection packet by packet, or explain a word of a report
    #[command(after_help = explain::EXAMPLES, arg_required_else_help = true)]
    Explain(explain::ExplainArgs),
    /// Watch interfaces: stuck connections as they happen, with processes
    #[command(after_help = live::EXAMPLES)]
    Live(live::LiveArgs),
    /// Show a screen: this host, or a capture replayed
    #[command(after_help = top::EXAMPLES)]
    Top(top::TopArgs),
    /// List what this host holds in CLOSE-WAIT, by process: no capture
    #[command(
        after_help = sockets::EXAMPLES,
        mut_arg("format", |format| format.value_parser(one_of(sockets::FORMATS)))
    )]
    Sockets(sockets::SocketsArgs),
    /// Hold captures against what is expected of them: for tests and CI
    #[command(after_help = check::EXAMPLES, arg_required_else_help = true)]
    Check(check::CheckArgs),
    /// Make a table of a capture's segments, to be judged elsewhere
    #[command(after_help = fleet::FACTS_EXAMPLES, arg_required_else_help = true)]
    Facts(fleet::FactsArgs),
    /// Judge what `facts` wrote of one capture point
    #[command(after_help = fleet::JUDGE_EXAMPLES, arg_required_else_help = true)]
    Judge(fleet::JudgeArgs),
    /// The process that `top` starts to have packets written
    #[command(hide = true)]
    Keeper(top::TopArgs),
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

/// The commands that there are for people.
fn commands() -> Vec<String> {
    let command = grammar();
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    shown.map(|command| command.get_name().to_owned()).collect()
}

/// Words less alike than this are no slip of the hand.
const ALIKE: f64 = 0.8;

/// The name that a word was probably meant to be.
fn nearest(word: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    let likeness = |name: &String| strsim::jaro_winkler(word, name);
    let alike = names.into_iter().filter(|name| likeness(name) >= ALIKE);
    alike.max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

/// The command that a word was probably meant to be.
fn nearest_command(word: &str) -> Option<String> {
    nearest(word, commands())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
