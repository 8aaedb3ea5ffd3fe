//! With the feature `tui`.

mod deeds;
mod files;
mod host;
mod keeper;
mod player;
pub mod screen;
mod show;

use std::env;
use std::io::{self, IsTerminal};

use anstream::ColorChoice;
use signal_hook::consts::{SIGQUIT, SIGUSR1};

use super::TopCommand;
use crate::commands::{Exit, choice, complain};
use crate::top::app::{Mode, Setting};
use crate::units::Zone;

/// Signals that end a program which does not handle them: its terminal would stay as a screen needs it.
const OTHERS: [i32; 2] = [SIGQUIT, SIGUSR1];

/// Keeps packets for a screen, until it is gone.
pub fn keeper(asked: TopCommand) -> Exit {
    match asked {
        TopCommand::Host(asked) => keeper::serve(*asked),
        TopCommand::Files(..) => Exit::Failed,
    }
}

/// Shows the screen until the user has seen enough.
pub fn top(asked: TopCommand) -> Exit {
    if let Err(sentence) = files::are_there(&asked).and_then(|()| has_screen()) {
        complain(&sentence);
        return Exit::Failed;
    }
    let shown = match asked {
        TopCommand::Files(files, zone) => files::show(*files, zone),
        TopCommand::Host(asked) => host::show(*asked),
    };
    shown.unwrap_or_else(|sentence| {
        complain(&sentence);
        Exit::Failed
    })
}

/// A sentence, where there is no terminal that a screen can be drawn on.
fn has_screen() -> Result<(), String> {
    let other = "use closewait live, or closewait FILE";
    if !io::stdin().is_terminal() {
        return Err(format!("top: standard input is no terminal, and has no keys: {other}"));
    }
    if !io::stdout().is_terminal() {
        return Err(format!("top: standard output is no terminal: {other}"));
    }
    match env::var("TERM").as_deref() {
        Ok("dumb") | Ok("") | Err(_) => {
            Err(format!("top: this terminal cannot be drawn on (TERM=dumb): {other}"))
        }
        Ok(_) => Ok(()),
    }
}

/// The look that the surroundings ask for.
fn look() -> Setting {
    Setting {
        title: String::new(),
        mode: Mode::Replay,
        zone: Zone::Local,
        is_colored: choice(ColorChoice::Auto) != ColorChoice::Never,
        is_ascii: super::super::screen::screen(true, None).ascii,
    }
}
