//! `closewait live`: packets as they pass, events as they happen, a report in the end.

use std::env::{self, current_exe};
use std::io::{self, IsTerminal};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anstream::ColorChoice;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;

use super::format::{Format, renderer};
use super::outlet::Outlet;
use super::output::{Outputs, Written};
use super::service::{Manager, Reported};
use super::signals::{is_ignored, stop_at, unhandled};
use super::terminal::{Said, Terminal, ended};
use super::{Exit, colored, complain, open, place};
use crate::capture::Source as _;
use crate::capture::filter::Filter;
use crate::capture::live::ring::Ring;
use crate::capture::live::{Live as Source, Wanted, interfaces, now};
use crate::capture::stop::Stop;
use crate::code::watch::Armed;
use crate::confine;
use crate::live::board::Board;
use crate::live::kernel::{IsCaptured, Kernel};
use crate::live::scrape::serve as serve_numbers;
use crate::live::{LiveSetup, live as watch};
use crate::owner::Socket;
use crate::owner::kernel::{Netns, enter};
use crate::owner::lookup::client::Lookup;
use crate::owner::lookup::{Question, serve};
use crate::printable::printable;
use crate::report::text::TextLook;
use crate::run::Plan;
use crate::units::count;

/// Names the socket of a service manager (sd_notify(3)).
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// Warns at once: a mistyped address would show in the last report alone.
const NOBODY_HERE: &str = "--local names no address of this host (ip -br address lists them): its own sockets are not judged, \
                           only connections of others that pass here";

/// The place where packets are kept.
pub enum Keeping {
    /// One file, from the first packet to the last.
    File(PathBuf),
    /// Files that follow one another.
    Ring(Ring),
}

/// The command `live`: its interface and its options.
pub struct LiveCommand {
    /// Interfaces, filter and bounds of the capture.
    pub wanted: Wanted,
    /// The namespace to capture in.
    pub netns: Netns,
    /// Keep what was seen.
    pub write: Option<Keeping>,
    /// The user to become once all is open.
    pub user: Option<String>,
    /// Name the code behind sockets, too.
    pub code: bool,
    /// The address to answer Prometheus at.
    pub metrics: Option<SocketAddr>,
    /// The rules of judging, and the parts of contents that are read.
    pub plan: Plan,
    /// The form of the report.
    pub format: Format,
    /// The look of a report in text.
    pub look: TextLook,
    /// Colours: always, never, or on terminals.
    pub color: ColorChoice,
    /// The file of the report; standard output, if none.
    pub output: Option<PathBuf>,
}

/// Watches the interfaces until it is told to stop.
pub fn live(asked: LiveCommand) -> Exit {
    match begin(asked) {
        Ok(exit) => exit,
        Err(sentence) => {
            complain(&sentence);
            Exit::Failed
        }
    }
}

fn begin(asked: LiveCommand) -> Result<Exit, String> {
    let stop = Arc::clone(&asked.wanted.stop);
    let impatience = stop_at(&[SIGINT, SIGTERM], &stop)?;
    if let Some(user) = &asked.user {
        confine::find_user(user).map_err(|error| error.to_string())?;
    }
    // Whoever scrapes is where this was started.
    let listener = asked.metrics.map(listen).transpose()?;
    enter(&asked.netns).map_err(|error| error.to_string())?;
    let mut source = Source::open(&asked.wanted).map_err(|error| error.to_string())?;
    let manager = manager()?;
    let report = heed_wishes(manager.is_some(), &stop)?;
    let interfaces = asked.wanted.interfaces.clone();
    let mut lookup = start_lookup(asked.user.as_deref(), asked.code)?;
    lookup.heed(&stop);
    let mut kernel = Kernel::new(lookup, interfaces, is_captured(&asked)?);
    let mut outputs = Outputs::default();
    let color = asked.format.color(asked.color);
    let opened = open(asked.output.as_deref(), color, &mut outputs, &stop)?;
    let kept = match &asked.write {
        Some(Keeping::File(path)) => Some(keep(&mut source, path, &mut outputs)?),
        _ => None,
    };
    // Not in the end: a process without rights cannot rename, and what is seen until it is killed counts.
    place(opened.placing).map_err(|error| format!("-o: {error}"))?;
    // From here on nothing can be opened any more but the files of a series.
    let ring = match &asked.write {
        Some(Keeping::Ring(ring)) => Some(ring),
        _ => None,
    };
    confine::packets(
        asked.user.as_deref(),
        &asked.wanted.interfaces,
        ring.map(|ring| ring.folder()),
    )
    .map_err(|error| error.to_string())?;
    impatience.heed();
    if let Some(ring) = ring {
        // With no more rights than those that come later.
        let kept = source.keep_in(ring.clone());
        kept.map_err(|error| format!("-w: {error}"))?;
    }
    let (outlet, drain) = Outlet::start(opened.out);
    let mut render = renderer(asked.format, colored(Box::new(outlet), opened.color), asked.look);
    let board = listener.map(scraped).transpose()?;
    // Whatever is stuck later, packets tell.
    let before = kernel.all_stuck(Question::default());
    let began = now();
    let name = source.name();
    complain(&format!("listening on {name}, snap length {}", asked.wanted.snap_len));
    let (local, here) = (asked.plan.policy.local.as_ref(), &source.about().addresses);
    if !here.is_empty() && local.is_some_and(|local| !local.meets(here)) {
        complain(&NOBODY_HERE);
    }
    let nameless = manager.as_ref().map(|_| Arc::clone(&asked.wanted.stop));
    // A page is one, and written in the end.
    let report = if asked.format == Format::Html { Arc::default() } else { report };
    let setup = LiveSetup { began, kernel: Some(kernel), before, board, report, nameless };
    let said = Said::by(asked.format, asked.output.is_none());
    let terminal = Terminal::new(io::stderr().is_terminal()).beside(said);
    let mut reported = Reported::begin(terminal, manager);
    let result = watch(asked.plan, name, &mut source, setup, render.as_mut(), &mut reported);
    drop(render);
    // What went wrong there is known in full only there.
    let result = drain.wait().and(result);
    let mut exit = ended(result, reported.end());
    if let Some(keeping) = &asked.write
        && !tell_kept(keeping, kept.as_ref(), source.kept_packets())
    {
        exit = Exit::Failed;
    }
    Ok(exit)
}

/// Says what was kept and where; false where it is gone.
fn tell_kept(keeping: &Keeping, kept: Option<&Written>, packets: u64) -> bool {
    let (path, what) = match keeping {
        Keeping::File(path) => (path, "kept in"),
        Keeping::Ring(ring) => (&ring.path, "written to files of the series"),
    };
    let (name, packets) = (printable(&path.to_string_lossy()), count(packets, "packet"));
    let is_removed = kept.is_some_and(Written::is_removed);
    complain(&match is_removed {
        true => format!("-w: {name}: was removed meanwhile, and {packets} with it"),
        false => format!("{packets} {what} {name}"),
    });
    !is_removed
}

/// Heeds the signals of whoever wants a report meanwhile, or hangs up. Returns the wish for a report.
fn heed_wishes(is_managed: bool, stop: &Stop) -> Result<Arc<AtomicBool>, String> {
    let report = Arc::new(AtomicBool::new(false));
    flag::register(SIGUSR1, Arc::clone(&report)).map_err(unhandled)?;
    // A service reloads; a program whose terminal is gone ends, unless it was told to outlive it (nohup).
    if !is_ignored(SIGHUP) {
        let hung_up = if is_managed { &report } else { stop };
        flag::register(SIGHUP, Arc::clone(hung_up)).map_err(unhandled)?;
    }
    Ok(report)
}

/// The service manager, if one has started this.
fn manager() -> Result<Option<Manager>, String> {
    let Some(socket) = env::var_os(NOTIFY_SOCKET) else { return Ok(None) };
    let failed = |error: io::Error| format!("{NOTIFY_SOCKET}: {error}");
    Manager::at(&socket).map(Some).map_err(failed)
}

/// Keeps what is seen in a file.
pub(super) fn keep(
    source: &mut Source,
    path: &Path,
    outputs: &mut Outputs,
) -> Result<Written, String> {
    let (file, placing) = outputs.create(path, "-w")?;
    let written = file.written();
    let kept = source.keep(file).and_then(|()| placing.place());
    kept.map(|()| written).map_err(|error| format!("-w: {error}"))
}

fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).map_err(|error| format!("--metrics {address}: {error}"))
}

/// Begins to answer scrapes.
fn scraped(listener: TcpListener) -> Result<Arc<Board>, String> {
    let failed = |error: io::Error| format!("--metrics: {error}");
    let address = listener.local_addr().map_err(failed)?;
    let board = Arc::default();
    serve_numbers(listener, &board).map_err(failed)?;
    complain(&format!("metrics at http://{address}/metrics"));
    Ok(board)
}

/// This program, by its own name where it has one, so that it can be told in a list of processes.
pub(super) fn own_program() -> PathBuf {
    let own = current_exe().ok().filter(|path| path.exists());
    own.unwrap_or_else(|| "/proc/self/exe".into())
}

/// Starts this program once more, to [`lookup`].
pub(super) fn start_lookup(user: Option<&str>, code: bool) -> Result<Lookup, String> {
    let mut command = Command::new(own_program());
    command.env_remove(NOTIFY_SOCKET);
    command.arg("lookup").args(user.into_iter().flat_map(|user| ["-Z", user]));
    command.args(code.then_some("--code"));
    Lookup::start(command).map_err(|error| format!("the list of sockets: {error}"))
}

/// Tells the sockets whose packets the expression lets through, as far as their ends tell.
pub(super) fn is_captured(asked: &LiveCommand) -> Result<Option<IsCaptured>, String> {
    if asked.wanted.filter.is_empty() {
        return Ok(None);
    }
    let mut filter = Filter::new(&asked.wanted.filter).map_err(|error| error.to_string())?;
    let is_captured = move |socket: &Socket| filter.may_match_between(socket.local, socket.peer);
    Ok(Some(Box::new(is_captured)))
}

/// Answers who holds which socket, and with `code` which code used it, until nobody asks any more. Signals
/// are for who asks.
pub fn lookup(user: Option<&str>, code: bool) -> Exit {
    let nobody = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGUSR1] {
        // Without it, it ends with the signal: no more names, and that is said.
        let _ = flag::register(signal, Arc::clone(&nobody));
    }
    let armed = code.then(arm).flatten();
    if let Err(error) = confine::lookup(user, armed.is_some()) {
        complain(&error);
        return Exit::Failed;
    }
    match serve(io::stdin().lock(), io::stdout().lock(), armed.map(Armed::begin)) {
        Ok(()) => Exit::Clean,
        Err(_) => Exit::Failed,
    }
}

const BY_CALLS: &str = "--code: each send on this host, and each write to a file, takes about 3 µs longer from now \
                        on, any other call a little: this kernel tells only of system calls";

/// Opens the events of the code behind sockets. Without them, all else goes on.
pub(super) fn arm() -> Option<Armed> {
    match Armed::arm() {
        Ok(armed) => {
            complain(&match armed.is_by_calls() {
                false => "--code: each send on this host takes about 2 µs longer from now on",
                true => BY_CALLS,
            });
            if !confine::may_look_into_others() {
                complain(
                    &"--code: it takes cap_sys_ptrace, or root, to name other users' functions",
                );
            }
            Some(armed)
        }
        Err(error) => {
            complain(&format!("--code: {error}; going on without the code"));
            None
        }
    }
}

/// Prints the interfaces that can be captured on in a namespace, as tcpdump does.
pub fn list_interfaces(netns: &Netns) -> Exit {
    let listed = enter(netns).map_err(|error| error.to_string());
    match listed.and_then(|()| interfaces().map_err(|error| error.to_string())) {
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
