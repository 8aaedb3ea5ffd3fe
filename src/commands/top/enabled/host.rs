//! This host: packets as they pass and what the kernel lists, or its list alone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ratatui_crossterm::crossterm::event::poll;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::OTHERS;
use super::keeper::{Deed, Keeper};
use super::screen::Screen;
use super::show::{Deeds, Message, read_keys, show as show_app};
use crate::capture::Error;
use crate::capture::live::ring::Ring;
use crate::capture::live::{Live as Source, now};
use crate::capture::stop::Stop;
use crate::commands::Exit;
use crate::commands::live::{Keeping, LiveCommand, is_captured, keep, own_program, start_lookup};
use crate::commands::output::Outputs;
use crate::commands::signals::stop_at;
use crate::confine;
use crate::live::kernel::Kernel;
use crate::live::{LiveSetup, live};
use crate::owner::kernel::enter;
use crate::owner::lookup::{Question, SocketLine};
use crate::run::Plan;
use crate::run::notices::Notices;
use crate::summary::{Sink, Totals};
use crate::top::app::{App, AppEvent, Mode, Setting, Wish};
use crate::top::picture::{Camera, Picture};

/// Shows this host until the user has seen enough.
pub fn show(asked: LiveCommand) -> Result<Exit, String> {
    let stop = Arc::clone(&asked.wanted.stop);
    let impatience = stop_at(&[&[SIGINT, SIGTERM, SIGHUP], &OTHERS[..]].concat(), &stop)?;
    if let Some(user) = &asked.user {
        confine::find_user(user).map_err(|error| error.to_string())?;
    }
    enter(&asked.netns).map_err(|error| error.to_string())?;
    let (mut source, packets) = match Source::open(&asked.wanted) {
        Ok(source) => (Some(source), Ok(())),
        Err(error) if error.is_denied() => (None, Err(error.to_string())),
        Err(error) => return Err(error.to_string()),
    };
    let interfaces = asked.wanted.interfaces.clone();
    let lookup = start_lookup(asked.user.as_deref(), asked.code)?;
    let keeper = source.as_ref().map(|_| Keeper::start(&own_program()));
    let keeper = keeper.transpose().map_err(|error| format!("packets cannot be kept: {error}"))?;
    // Where they are kept in a file of the user's, they need no other.
    let ring = keeper.as_ref().filter(|_| asked.write.is_none()).map(Keeper::ring);
    let mut kernel = Kernel::new(lookup, interfaces.clone(), is_captured(&asked)?);
    if let (Some(source), Some(Keeping::File(path))) = (&mut source, &asked.write) {
        keep(source, path, &mut Outputs::default())?;
    }
    let failed = |error: io::Error| format!("top: {error}");
    let mut screen = Screen::enter().map_err(failed)?;
    let (width, height) = screen.size().map_err(failed)?;
    // What waits for keys is made at the first look for them: later it could not be.
    poll(Duration::ZERO).map_err(failed)?;
    // Threads that begin from here on have no more rights than this one.
    let folder = ring.as_ref().map(Ring::folder);
    let confined = confine::screen(asked.user.as_deref(), &interfaces, folder);
    confined.map_err(|error| error.to_string())?;
    impatience.heed();
    if let (Some(source), Some(keeper)) = (&mut source, &keeper) {
        ring.map_or(Ok(()), |ring| source.keep_in(ring)).map_err(failed)?;
        source.heed(Arc::clone(&keeper.turn));
    }
    let before = kernel.all_stuck(Question::default());
    if before.is_none() && source.is_none() {
        return Err("neither packets nor the kernel's list may be seen".into());
    }
    let (to, messages) = channel();
    read_keys(Sender::clone(&to), Stop::clone(&stop)).map_err(failed)?;
    let deeds = keeper.map(|keeper| wait_for_deeds(keeper, Sender::clone(&to)));
    let deeds = deeds.transpose().map_err(failed)?;
    let title = match asked.wanted.filter.as_str() {
        "" => interfaces.join(" "),
        filter => format!("{} {filter}", interfaces.join(" ")),
    };
    let why = packets.clone().err();
    let mode = Mode::Host { interfaces, packets };
    let setting = Setting { title, mode, zone: asked.look.zone, ..super::look() };
    let mut app = App::new(setting, width, height);
    if let Some(why) = why {
        app.update(AppEvent::Said(why));
    }
    let report = Arc::new(AtomicBool::new(true));
    let (asks, asked_for) = channel();
    let worker = match source {
        Some(source) => {
            let setup = LiveSetup {
                began: now(),
                kernel: Some(kernel),
                before,
                board: None,
                report: Arc::clone(&report),
                nameless: None,
            };
            watch(asked.plan, source, setup, to).map_err(failed)?
        }
        None => list(kernel, asked_for, to).map_err(failed)?,
    };
    let due = Some(Instant::now());
    let mut host = Host { report, asks, due, deeds, latest: Arc::default() };
    let shown = show_app(&mut app, &mut screen, &messages, &mut host);
    stop.store(true, Ordering::Relaxed);
    drop(host);
    // What is kept is whole only then.
    let _ = worker.join();
    shown?;
    Ok(match app.picture.totals.findings() {
        0 => Exit::Clean,
        _ => Exit::Found,
    })
}

/// Asks for pictures, each some time after the one before.
struct Host {
    report: Arc<AtomicBool>,
    asks: Sender<()>,
    /// The time of the next question; none while one is under way.
    due: Option<Instant>,
    /// Wishes that take packets, if there are any.
    deeds: Option<Sender<Deed>>,
    latest: Arc<Picture>,
}

/// Time between two pictures.
const EVERY: Duration = Duration::from_secs(1);

/// More of it for each connection that is looked at: the picture and the list of the kernel cost a
/// twentieth of that.
const EACH: Duration = Duration::from_micros(250);

impl Deeds for Host {
    fn act(&mut self, wish: Wish) {
        let deed = match wish {
            Wish::Write(ids) => {
                let ends = ids.into_iter().map(|([own, peer], _)| (own.into(), peer.into()));
                Deed::Write(ends.collect())
            }
            Wish::Report => Deed::Report(self.latest.sockets().map(SocketLine::from).collect()),
            _ => return,
        };
        // One that has ended has said why.
        let _ = self.deeds.as_ref().map(|deeds| deeds.send(deed));
    }

    fn pause(&self) -> Option<Duration> {
        self.due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    fn tick(&mut self) {
        self.due = None;
        self.report.store(true, Ordering::Relaxed);
        // Where packets are watched, nobody is asked this way.
        let _ = self.asks.send(());
    }

    fn see(&mut self, event: &AppEvent) {
        if let AppEvent::Picture(picture) = event {
            let flows = picture.totals.tally.flows.max(picture.entries.len() as u64);
            let flows = u32::try_from(flows).unwrap_or(u32::MAX);
            self.latest = Arc::clone(picture);
            self.due = Some(Instant::now() + EVERY + EACH.saturating_mul(flows));
        }
    }
}

/// Has the user's wishes done, in a thread of its own.
fn wait_for_deeds(mut keeper: Keeper, to: Sender<Message>) -> io::Result<Sender<Deed>> {
    let (wish, wishes) = channel();
    thread::Builder::new().name("deeds".into()).spawn(move || {
        while let Ok(deed) = wishes.recv() {
            let said = AppEvent::Said(keeper.act(deed));
            if to.send(Message::Event(said)).is_err() {
                return;
            }
        }
    })?;
    Ok(wish)
}

/// Watches packets in a thread of its own.
fn watch(
    plan: Plan,
    mut source: Source,
    setup: LiveSetup,
    to: Sender<Message>,
) -> io::Result<JoinHandle<()>> {
    let worker = thread::Builder::new().name("packets".into());
    worker.spawn(move || {
        let name = source.name();
        let mut camera = Camera::new(|picture| hand_on(&to, picture));
        let mut spoken = Spoken { to: &to, last: None };
        let ended = live(plan, name, &mut source, setup, &mut camera, &mut spoken);
        let why = match ended {
            Ok(outcome) => spoken.last.filter(|_| outcome.failed),
            Err(error) => Some(error.to_string()),
        };
        let _ = to.send(why.map_or(Message::End(None), Message::Over));
    })
}

/// Lists sockets as often as it is asked, in a thread of its own.
fn list(
    mut kernel: Kernel,
    asked: Receiver<()>,
    to: Sender<Message>,
) -> io::Result<JoinHandle<()>> {
    let worker = thread::Builder::new().name("sockets".into());
    worker.spawn(move || {
        let mut camera = Camera::new(|picture| hand_on(&to, picture));
        while asked.recv().is_ok() {
            let Some(list) = kernel.all_stuck(Question::default()) else {
                let why = "the kernel's list can no longer be seen".to_owned();
                let _ = to.send(Message::Over(why));
                return;
            };
            let mut totals = Totals::default();
            totals.facts.wait_until(now());
            // A camera keeps what it sees, and cannot fail.
            let _ = list.stuck_before().try_for_each(|socket| {
                totals.stuck_before += 1;
                camera.stuck_before(socket)
            });
            let _ = camera.usage(&list.usage).and_then(|()| camera.end(&totals));
        }
    })
}

fn hand_on(to: &Sender<Message>, picture: Picture) {
    // Nobody looks any more where the screen is gone.
    let _ = to.send(Message::Event(AppEvent::Picture(Arc::new(picture))));
}

/// Says on the screen what is wrong.
struct Spoken<'a> {
    to: &'a Sender<Message>,
    /// The last that was said: on the screen, it goes with it.
    last: Option<String>,
}

impl Notices for Spoken<'_> {
    fn trouble(&mut self, error: &Error) {
        self.last = Some(error.to_string());
        let _ = self.to.send(Message::Event(AppEvent::Said(error.to_string())));
    }
}
