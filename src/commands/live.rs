//! `closewait live`: packets as they pass, events as they happen, a report in the end.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anstream::ColorChoice;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;

use super::read::{Format, Terminal, ended, renderer};
use super::{Exit, complain, output};
use crate::capture::Source as _;
use crate::capture::filter::Filter;
use crate::capture::live::{Live as Source, Wanted, interfaces, now};
use crate::owner::kernel::{Netns, enter, snapshot};
use crate::owner::{Socket, SocketList};
use crate::report::text::Look;
use crate::run::Plan;
use crate::run::live::{AskKernel, Vigil, live as watch};

/// What `live` was asked for.
pub struct Live {
    pub wanted: Wanted,
    /// The namespace to capture in.
    pub netns: Netns,
    pub plan: Plan,
    pub format: Format,
    pub look: Look,
    pub color: ColorChoice,
    pub output: Option<std::path::PathBuf>,
}

/// Watches the interfaces until it is told to stop.
pub fn live(asked: Live) -> Exit {
    match begin(asked) {
        Ok(exit) => exit,
        Err(sentence) => {
            complain(&sentence);
            Exit::Failed
        }
    }
}

fn begin(asked: Live) -> Result<Exit, String> {
    let unhandled = |error: io::Error| format!("signals cannot be handled: {error}");
    // The second interrupt ends the program at once, should the first not do.
    for signal in [SIGINT, SIGTERM] {
        let stop = &asked.wanted.stop;
        flag::register_conditional_shutdown(signal, 130, Arc::clone(stop))
            .and_then(|_| flag::register(signal, Arc::clone(stop)))
            .map_err(unhandled)?;
    }
    enter(&asked.netns).map_err(|error| error.to_string())?;
    let mut source = Source::open(&asked.wanted).map_err(|error| error.to_string())?;
    let out = output(asked.output.as_deref(), asked.color, &[])?;
    let mut render = renderer(asked.format, out, asked.look);
    let name = source.name();
    eprintln!("closewait: listening on {name}, snap length {}", asked.wanted.snap_len);
    let report = Arc::new(AtomicBool::new(false));
    flag::register(SIGUSR1, Arc::clone(&report)).map_err(unhandled)?;
    let vigil = Vigil { began: now(), kernel: kernel(&asked.wanted, &source)?, report };
    let mut terminal = Terminal::new(io::stderr().is_terminal());
    let result = watch(asked.plan, name, &mut source, vigil, render.as_mut(), &mut terminal);
    Ok(ended(result, terminal))
}

/// Lists the sockets of this host, if they may be seen: those whose packets would be captured.
fn kernel(wanted: &Wanted, source: &Source) -> Result<AskKernel, String> {
    let mut filter = match wanted.filter.as_str() {
        "" => None,
        filter => Some(Filter::new(filter).map_err(|error| error.to_string())?),
    };
    let everywhere = wanted.interfaces.iter().any(|interface| interface == "any");
    let addresses = source.about().addresses.clone();
    Ok(Box::new(move || {
        let mut sockets = snapshot(&Netns::Own).ok()?.sockets;
        sockets.retain(|Socket { local, peer, .. }| {
            (everywhere || addresses.contains(&local.ip))
                && filter.as_mut().is_none_or(|filter| filter.matches_between(*local, *peer))
        });
        Some(SocketList::new(sockets))
    }))
}

/// Prints the interfaces that can be captured on, as tcpdump does.
pub fn list_interfaces() -> Exit {
    match interfaces() {
        Ok(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            Exit::Clean
        }
        Err(error) => {
            complain(&error);
            Exit::Failed
        }
    }
}

/// Set by a signal.
pub fn not_stopped() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(false))
}
