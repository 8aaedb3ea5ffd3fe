//! Man pages and shell completions, made of the flags themselves: `pages FOLDER`.
//!
//! An example and no command of the program: what only a package needs, its users need not carry.

use std::ffi::OsString;
use std::fs;
use std::io::{Error, Result};
use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

const NAME: &str = "closewait";
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// What people may type: a shell would propose the commands that the program starts itself by, too.
fn shown() -> Command {
    let all = closewait::cli::grammar();
    let commands = all.get_subcommands().filter(|command| !command.is_hide_set());
    Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .args(all.get_arguments())
        .groups(all.get_groups())
        .subcommands(commands)
}

fn main() -> Result<()> {
    let folder: Option<OsString> = std::env::args_os().nth(1);
    let folder = PathBuf::from(folder.ok_or_else(|| Error::other("usage: pages FOLDER"))?);
    let (pages, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&pages)?;
    fs::create_dir_all(&completions)?;
    clap_mangen::generate_to(closewait::cli::grammar(), &pages)?;
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut shown(), NAME, &completions)?;
    }
    Ok(())
}
