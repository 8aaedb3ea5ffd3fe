//! `closewait sockets`: what this host holds, by process, or what somebody's list says of another.

pub mod saved;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anstream::ColorChoice;

use super::live::arm;
use super::output::Outputs;
use super::screen::screen;
use super::{Exit, complain, open, place};
use crate::capture::live::now;
use crate::capture::stop::Stop;
use crate::code::watch::{Armed, Watch};
use crate::commands::format::Format;
use crate::endpoints::EndpointSet;
use crate::owner::kernel::{Netns, NoList, elsewhere, is_there, sealed, snapshot};
use crate::owner::lookup::add_code;
use crate::owner::{Held, Snapshot, Socket};
use crate::report::lang::Lang;
use crate::report::sockets::growth::{History, counts};
use crate::report::sockets::text::SocketsLook;
use crate::report::sockets::{Listing, lines, text};
use crate::tcp::state::State;
use crate::units::{count, thousands};

/// The command `sockets`: its lists and its options.
#[derive(Debug)]
pub struct SocketsCommand {
    /// Lists that somebody saved, in place of this host's.
    pub files: Vec<PathBuf>,
    /// The network namespace to look into.
    pub netns: Netns,
    /// Sockets that are left out.
    pub narrow: Narrow,
    /// List every socket, not only those in CLOSE-WAIT.
    pub all: bool,
    /// The form of the report.
    pub format: Format,
    /// Lines in each table; 0 for all.
    pub top: usize,
    /// Colours: always, never, or on terminals.
    pub color: ColorChoice,
    /// The language of the text, if one was asked for.
    pub lang: Option<Lang>,
    /// The file of the report; standard output, if none.
    pub output: Option<PathBuf>,
    /// Look again so often.
    pub watch: Option<Duration>,
    /// Look so many times at most.
    pub rounds: Option<u64>,
    /// Name the code behind what gets stuck meanwhile; all functions of it.
    pub code: bool,
    /// With the code: all functions, those of libraries, too.
    pub frames: bool,
}

/// Only sockets that match all of these.
#[derive(Debug, Default)]
pub struct Narrow {
    /// States; all, if none is named.
    pub states: Vec<State>,
    /// The peer's addresses and ports.
    pub peer: Option<EndpointSet>,
    /// Ports of either end.
    pub ports: Vec<u16>,
    /// Processes.
    pub pids: Vec<i32>,
}

impl Narrow {
    /// Says that sockets in CLOSE-WAIT may be held by the processes that are asked about: nobody knows by whom.
    fn may_be_more(&self, sockets: &[Socket]) -> Option<String> {
        let anyones = Narrow {
            states: Vec::new(),
            peer: self.peer.clone(),
            ports: self.ports.clone(),
            pids: Vec::new(),
        };
        let is_hidden = |socket: &&Socket| {
            socket.is_stuck() && socket.held() == Held::Hidden && anyones.matches(socket)
        };
        let n = sockets.iter().filter(is_hidden).count() as u64;
        let sentence = || {
            format!(
                "--pid: of {} in CLOSE-WAIT it is not known which process holds it",
                count(n, "socket")
            )
        };
        (n > 0 && !self.pids.is_empty()).then(sentence)
    }

    fn matches(&self, socket: &Socket) -> bool {
        let port = |port| socket.local.port == port || socket.peer.port == port;
        let pid = |pid| socket.holders.iter().any(|holder| holder.pid == pid);
        self.peer.as_ref().is_none_or(|peer| peer.contains(socket.peer))
            && (self.ports.is_empty() || self.ports.iter().any(|&p| port(p)))
            && (self.pids.is_empty() || self.pids.iter().any(|&p| pid(p)))
    }
}

/// Lists the sockets, once or again and again.
pub fn sockets(asked: &SocketsCommand) -> Exit {
    let (gone, color) = (Stop::default(), asked.format.color(asked.color));
    let mut outputs = Outputs::beside(asked.files.iter().map(PathBuf::as_path));
    let opened = open(asked.output.as_deref(), color, &mut outputs, &gone);
    let (mut out, mut placing) = match opened {
        Ok(opened) => opened.output(),
        Err(sentence) => {
            complain(&sentence);
            return Exit::Failed;
        }
    };
    if !asked.files.is_empty() {
        let reported = saved::report(asked, &mut out);
        drop(out);
        return reported.and_then(|exit| place(placing).map(|()| exit)).unwrap_or_else(not_written);
    }
    if let Some(gone) = asked.narrow.pids.iter().find(|pid| !is_there(**pid)) {
        complain(&NoList::NoProcess(*gone));
        return Exit::Failed;
    }
    let mut watch = asked.code.then(arm).flatten().map(Armed::begin);
    let started = Instant::now();
    let mut history = History::default();
    let mut round = 0;
    loop {
        round += 1;
        let mut snapshot = match snapshot(&asked.netns) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                complain(&error);
                return Exit::Failed;
            }
        };
        if let Some(watch) = &mut watch {
            add_code(&mut snapshot.sockets, &[], watch);
        }
        let mut listing = listing(asked, &snapshot);
        listing.code_lost = watch.as_ref().map(Watch::lost);
        history.record(started.elapsed(), counts(&listing));
        let found = !listing.stuck.is_empty();
        let written = write(asked, &mut out, &listing, asked.watch.map(|_| &history))
            .and_then(|()| out.flush())
            .and_then(|()| place(placing.take()));
        match written {
            Ok(()) => {}
            Err(error) => return not_written(error),
        }
        match asked.watch {
            Some(pause)
                if asked.rounds.is_none_or(|rounds| round < rounds)
                    && !gone.load(Ordering::Relaxed) =>
            {
                thread::sleep(pause);
            }
            _ => {
                let unsure = asked.narrow.may_be_more(&snapshot.sockets).filter(|_| !found);
                let unsure = unsure.or_else(|| out_of_sight(&asked.netns));
                unsure.iter().for_each(complain);
                return match unsure {
                    _ if found => Exit::Found,
                    Some(_) => Exit::Failed,
                    None => Exit::Clean,
                };
            }
        }
    }
}

/// Says that there may be network namespaces that were not looked into.
fn out_of_sight(netns: &Netns) -> Option<String> {
    let (hidden, sealed) = match netns {
        Netns::All => (elsewhere(), sealed()),
        _ => return None,
    };
    let processes = if hidden == 1 { "process" } else { "processes" };
    let hidden = (hidden > 0).then(|| {
        let n = thousands(hidden);
        format!("{n} {processes} may be in network namespaces that cannot be looked into")
    });
    let sealed = (sealed > 0).then(|| {
        format!("{} cannot be entered (ip netns)", count(sealed, "named network namespace"))
    });
    let both: Vec<String> = hidden.into_iter().chain(sealed).collect();
    let both = (!both.is_empty()).then(|| both.join("; "))?;
    Some(format!("--netns all: {both}; run as root of the host"))
}

fn not_written(error: io::Error) -> Exit {
    complain(&format!("the report could not be written: {error}"));
    Exit::Failed
}

fn listing<'a>(asked: &SocketsCommand, snapshot: &'a Snapshot) -> Listing<'a> {
    let mut states = BTreeMap::new();
    for socket in &snapshot.sockets {
        *states.entry(socket.state).or_default() += 1;
    }
    let matching: Vec<&Socket> =
        snapshot.sockets.iter().filter(|socket| asked.narrow.matches(socket)).collect();
    let is = |state| move |socket: &&Socket| socket.state == state;
    let stuck: Vec<&Socket> = matching.iter().copied().filter(is(State::CloseWait)).collect();
    let wanted = &asked.narrow.states;
    let listed = matching.into_iter().filter(|socket| match wanted.is_empty() {
        true => asked.all || socket.state == State::CloseWait,
        false => wanted.contains(&socket.state),
    });
    Listing { states, stuck, listed: listed.collect(), code_lost: None, snapshot }
}

fn write(
    asked: &SocketsCommand,
    out: &mut dyn Write,
    listing: &Listing,
    history: Option<&History>,
) -> io::Result<()> {
    let mut out = out;
    match asked.format {
        Format::Jsonl => lines::jsonl(&mut out, listing, history, now()),
        Format::Csv => lines::csv(&mut out, listing),
        Format::Html | Format::Parquet => Err(io::ErrorKind::Unsupported.into()),
        Format::Text => {
            let on_terminal = asked.output.is_none() && io::stdout().is_terminal();
            match asked.watch {
                // Redrawn in place, from the top: what is erased line by line is not scrolled back.
                Some(_) if on_terminal => out.write_all(b"\x1b[H\x1b[J")?,
                Some(_) | None => {}
            }
            if asked.watch.is_some() {
                writeln!(out, "{}", chrono::Local::now().format("%Y-%m-%d %H:%M:%S"))?;
            }
            let each = asked.all || !asked.narrow.states.is_empty();
            let look = SocketsLook {
                top: asked.top,
                each,
                frames: asked.frames,
                screen: screen(on_terminal, asked.lang),
                now: (!listing.snapshot.is_saved).then(now),
            };
            text::write(out, listing, history, look)?;
            match asked.watch {
                Some(_) if !on_terminal => writeln!(out).and_then(|()| out.flush()),
                _ => Ok(()),
            }
        }
    }
}
