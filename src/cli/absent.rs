//! Parts of the program that were not built in: they are understood, to say so, and shown to nobody.

use clap::Command;

/// A feature: whether it is built in, and the commands and options that are nothing without it.
struct Part {
    is_built: bool,
    commands: &'static [&'static str],
    options: &'static [&'static str],
}

const PARTS: [Part; 5] = [
    Part {
        is_built: cfg!(feature = "libpcap"),
        commands: &["live"],
        options: &["filter", "expression", "interface", "linger", "command"],
    },
    Part { is_built: cfg!(feature = "tui"), commands: &["top"], options: &[] },
    Part { is_built: cfg!(feature = "fleet"), commands: &["facts", "judge"], options: &[] },
    Part {
        is_built: cfg!(feature = "flamegraph"),
        commands: &[],
        options: &["flamegraph", "flamegraph_diff"],
    },
    Part { is_built: cfg!(feature = "code"), commands: &[], options: &["code", "frames"] },
];

/// Hides what is not there, in all commands.
pub fn hidden(command: Command) -> Command {
    let command = command.mut_subcommands(|command| {
        let is_absent = absent(|part| part.commands, command.get_name());
        let command = if is_absent { command.hide(true) } else { command };
        without_options(command)
    });
    without_options(command)
}

fn without_options(command: Command) -> Command {
    command.mut_args(|arg| {
        let is_absent = absent(|part| part.options, arg.get_id().as_str());
        if is_absent { arg.hide(true) } else { arg }
    })
}

/// Tells whether an example works here.
pub fn is_possible(example: &str) -> bool {
    let is_filter = |word| word == "-f" && absent(|part| part.options, "filter");
    !example.split(' ').any(|word| absent(|part| part.commands, word) || is_filter(word))
}

fn absent(names: impl Fn(&Part) -> &'static [&'static str], name: &str) -> bool {
    PARTS.iter().any(|part| !part.is_built && names(part).contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::grammar;

    /// A name that is mistyped here would hide nothing.
    #[test]
    fn what_may_be_absent_is_a_command_or_an_option() {
        let grammar = grammar();
        let all = || std::iter::once(&grammar).chain(grammar.get_subcommands());
        for part in PARTS {
            for name in part.commands {
                let command = grammar.find_subcommand(name).expect("a command");
                assert_eq!(command.is_hide_set(), !part.is_built, "{name}");
            }
            for name in part.options {
                let mut args = all()
                    .flat_map(Command::get_arguments)
                    .filter(|arg| arg.get_id() == name)
                    .peekable();
                assert!(args.peek().is_some(), "{name}");
                assert!(args.all(|arg| arg.is_hide_set() != part.is_built), "{name}");
            }
        }
    }

    #[test]
    fn an_example_is_possible_where_all_of_it_is_built_in() {
        assert!(is_possible("closewait incident.pcap"));
        assert_eq!(is_possible("closewait live port 3306"), cfg!(feature = "libpcap"));
        assert_eq!(is_possible("closewait check -f 'port 1' -- make"), cfg!(feature = "libpcap"));
        assert_eq!(is_possible("closewait top"), cfg!(feature = "tui"));
    }
}
