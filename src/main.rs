//! argv in, exit status out.

use std::process::ExitCode;

use closewait::cli::{Command, parse};
use closewait::commands::check::check;
use closewait::commands::diff::diff;
use closewait::commands::explain::explain;
use closewait::commands::fleet::{facts, judge};
use closewait::commands::live::{list_interfaces, live, lookup};
use closewait::commands::read::read;
use closewait::commands::sockets::sockets;
use closewait::commands::top::{keeper, top};
use closewait::commands::{topics, words};

fn main() -> ExitCode {
    match parse(std::env::args_os()) {
        Command::Read(asked) => read(*asked).into(),
        Command::Diff(asked) => diff(&asked).into(),
        Command::Explain(asked) => explain(&asked).into(),
        Command::Word(word, lang) => words::explain(&word, lang).into(),
        Command::Topic(topic) => topics::explain(topic).into(),
        Command::Live(asked) => live(*asked).into(),
        Command::Check(asked) => check(&asked),
        Command::ListInterfaces(netns) => list_interfaces(&netns).into(),
        Command::Top(asked) => top(*asked).into(),
        Command::Sockets(asked) => sockets(&asked).into(),
        Command::Facts(asked) => facts(*asked).into(),
        Command::Judge(asked) => judge(*asked).into(),
        Command::Keeper(asked) => keeper(*asked).into(),
        Command::Lookup(user, code) => lookup(user.as_deref(), code).into(),
        Command::End(status) => ExitCode::from(status),
    }
}
