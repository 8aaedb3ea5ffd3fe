//! Events in, frames out: at most thirty a second, and none where nothing happens.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use ratatui_crossterm::crossterm::event::{Event, read};
use rustix::event::{PollFd, PollFlags, Timespec};

use super::screen::Screen;
use crate::capture::stop::Stop;
use crate::top::app::{App, AppEvent, Wish};

/// The time between two frames.
const FRAME: Duration = Duration::from_millis(33);

/// Time between two looks whether a signal has come.
const SIGNAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// An event, or the end.
pub enum Message {
    Event(AppEvent),
    /// Nothing new will come, and why: what was found stays on the screen until the user has seen it.
    Over(String),
    /// The end, and the reason for it where it is a failure.
    End(Option<String>),
}

/// Somebody who does what the user wishes for.
pub trait Deeds {
    /// Begins to do it; what comes of it is an event.
    fn act(&mut self, wish: Wish);

    /// Returns the time until [`Deeds::tick`] is to be called.
    fn pause(&self) -> Option<Duration> {
        None
    }

    /// Does what is to be done now and then.
    fn tick(&mut self) {}

    /// Sees an event before it is drawn.
    fn see(&mut self, _: &AppEvent) {}
}

/// Shows the screen until the user, or a signal, ends it.
///
/// # Errors
/// A sentence, where it ended for another reason.
pub fn show(
    app: &mut App,
    screen: &mut Screen,
    messages: &Receiver<Message>,
    deeds: &mut dyn Deeds,
) -> Result<(), String> {
    let gone = |error: io::Error| format!("the terminal: {error}");
    let mut over = None;
    loop {
        screen.draw(app).map_err(gone)?;
        let drawn = Instant::now();
        let mut waits = true;
        loop {
            let pause = match waits {
                true => deeds.pause(),
                false => Some(FRAME.saturating_sub(drawn.elapsed())),
            };
            let message = match pause {
                Some(pause) => messages.recv_timeout(pause),
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match message {
                Ok(Message::Event(event)) => {
                    deeds.see(&event);
                    for wish in app.update(event) {
                        match wish {
                            Wish::Quit => return over.map_or(Ok(()), Err),
                            Wish::Copy(line) => screen.copy(&line).map_err(gone)?,
                            wish => deeds.act(wish),
                        }
                    }
                    // A key takes away what was said, but not this.
                    app.said = app.said.take().or_else(|| over.clone());
                    waits = false;
                }
                Ok(Message::Over(why)) => {
                    app.said = Some(why.clone());
                    over = Some(why);
                    waits = false;
                }
                Ok(Message::End(None)) => return over.map_or(Ok(()), Err),
                Ok(Message::End(Some(why))) => return Err(why),
                Err(RecvTimeoutError::Timeout) if waits => deeds.tick(),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Err("nobody reads the keys".into()),
            }
        }
    }
}

/// Reads keys in a thread of its own. In another, looks whether a signal has set `stop`, or the terminal is
/// gone: whoever reads from one that was closed gets nothing, at once and for ever.
pub fn read_keys(to: Sender<Message>, stop: Stop) -> io::Result<()> {
    let end = to.clone();
    thread::Builder::new().name("terminal".into()).spawn(move || {
        while !stop.load(Ordering::Relaxed) && is_there() {}
        let _ = end.send(Message::End(None));
    })?;
    thread::Builder::new().name("keys".into()).spawn(move || {
        loop {
            let message = match read() {
                Ok(Event::Key(key)) => Message::Event(AppEvent::Key(key)),
                Ok(Event::Mouse(mouse)) => Message::Event(AppEvent::Mouse(mouse)),
                Ok(Event::Resize(width, height)) => Message::Event(AppEvent::Resize(width, height)),
                Ok(_) => continue,
                Err(error) => Message::End(Some(format!("the terminal: {error}"))),
            };
            let is_end = matches!(message, Message::End(_));
            if to.send(message).is_err() || is_end {
                return;
            }
        }
    })?;
    Ok(())
}

/// Waits a moment, or until the terminal is gone. False if it is.
fn is_there() -> bool {
    let terminal = io::stdin();
    let mut fds = [PollFd::new(&terminal, PollFlags::empty())];
    let _ = rustix::event::poll(&mut fds, Some(&SIGNAL));
    fds[0].revents().is_empty()
}
