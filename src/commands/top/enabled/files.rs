//! A capture that is replayed: read once for its end and its time line, and then as it is looked at.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::OTHERS;
use super::deeds::Reader;
use super::player::{Order, Player, Steps};
use super::screen::Screen;
use super::show::{Deeds, Message, read_keys, show as show_app};
use crate::capture::Error;
use crate::capture::series::members;
use crate::capture::stop::Stop;
use crate::commands::signals::{stop_at, stop_at_signals};
use crate::commands::top::{Files, TopCommand};
use crate::commands::{Exit, complain};
use crate::live::replay::{points_of, replay, until};
use crate::place::Time;
use crate::printable::printable;
use crate::run::notices::{Nobody, Notices};
use crate::run::{Outcome, run};
use crate::top::app::{App, AppEvent, Mode, Setting, Wish};
use crate::top::picture::{Camera, Picture};
use crate::top::reel::Reel;
use crate::units::Zone;

/// Says where captures cannot be replayed: each has to be read several times.
pub fn are_there(asked: &TopCommand) -> Result<(), String> {
    let TopCommand::Files(files, _) = asked else { return Ok(()) };
    for input in &files.inputs {
        if let Some(sentence) = input.read_once() {
            return Err(format!("{sentence}, and top reads it several times"));
        }
        std::fs::metadata(&input.0).map_err(|error| format!("{}: {error}", input.name()))?;
    }
    Ok(())
}

/// Replays captures until the user has seen enough.
pub fn show(mut files: Files, zone: Zone) -> Result<Exit, String> {
    files.inputs = members(&files.inputs, &mut |error| complain(&error));
    let stop = Stop::default();
    stop_at_signals(&stop)?;
    stop_at(&OTHERS, &stop)?.heed();
    let title = title(&files);
    let setting = Setting { title, mode: Mode::Replay, zone, ..super::look() };
    let (to, messages) = channel();
    let (orders, taken) = channel();
    let failed = |error: io::Error| format!("top: {error}");
    let mut screen = Screen::enter().map_err(failed)?;
    let (width, height) = screen.size().map_err(failed)?;
    read_keys(Sender::clone(&to), stop).map_err(failed)?;
    let again = files.again();
    let reader = Sender::clone(&to);
    let player = thread::Builder::new().name("player".into());
    player.spawn(move || play(&again, &taken, &reader)).map_err(failed)?;
    let mut app = App::new(setting, width, height);
    let mut deeds = Replay { orders, reader: Reader::new(files, zone, to) };
    show_app(&mut app, &mut screen, &messages, &mut deeds)?;
    Ok(match app.whole.as_ref().map_or(0, |whole| whole.totals.findings()) {
        0 => Exit::Clean,
        _ => Exit::Found,
    })
}

/// The first file without its folder, and how many there are besides.
fn title(files: &Files) -> String {
    let first =
        files.inputs.first().map(|input| input.0.file_name().unwrap_or(input.0.as_os_str()));
    let first = first.map_or(String::new(), |name| printable(&name.to_string_lossy()));
    match files.inputs.len() {
        0 | 1 => first,
        n => format!("{first} and {} more", n - 1),
    }
}

/// Does what can be done with files.
struct Replay {
    orders: Sender<Order>,
    reader: Reader,
}

impl Deeds for Replay {
    fn act(&mut self, wish: Wish) {
        // A player that has ended has said why.
        let _ = match wish {
            Wish::Seek(to) => self.orders.send(Order::Seek(to)),
            Wish::Play(from, speed) => self.orders.send(Order::Play(from, speed)),
            Wish::Pause => self.orders.send(Order::Pause),
            wish => {
                self.reader.act(wish);
                Ok(())
            }
        };
    }

    fn see(&mut self, event: &AppEvent) {
        if let AppEvent::Whole(whole, _) = event {
            self.reader.knows(Arc::clone(whole));
        }
    }
}

/// Reads the captures to their end, and then as ordered.
fn play(files: &Files, orders: &Receiver<Order>, to: &Sender<Message>) {
    let said = |event| {
        // Nobody listens any more where the screen is gone.
        let _ = to.send(Message::Event(event));
    };
    let late = files.policy.min_hold;
    let (mut points, mut end) = (Vec::new(), Time::UNKNOWN);
    let mut whole = Camera::new(|picture: Picture| {
        let reel = Reel::of(&picture, late);
        points = points_of(&picture.totals);
        end = reel.as_ref().map_or(end, |reel| reel.end);
        said(AppEvent::Whole(Arc::new(picture), reel));
    });
    match run(files.plan(), &mut whole, &mut Spoken { to }) {
        Ok(Outcome { read_any: true, .. }) => {}
        Ok(_) => return,
        Err(error) => return said(AppEvent::Said(error.to_string())),
    }
    drop(whole);
    let has_several = points.iter().any(|point| *point > 0);
    while let Ok(order) = orders.recv() {
        let goes_on = match order {
            Order::Pause => true,
            order if has_several => step(files, (&points, end), orders, order, to),
            order => follow(files, orders, order, to),
        };
        if !goes_on {
            return;
        }
    }
}

/// Follows orders among captures of several points: each picture is a reading of its own, as far as its time, for
/// only then is it told which connections were seen at several. False if the user is gone.
fn step(
    files: &Files,
    (points, end): (&[usize], Time),
    orders: &Receiver<Order>,
    first: Order,
    to: &Sender<Message>,
) -> bool {
    let mut steps = Steps::new(orders, first);
    while let Some(at) = steps.next(end) {
        let mut camera = Camera::new(|picture: Picture| {
            let _ = to.send(Message::Event(AppEvent::Picture(Arc::new(picture))));
        });
        if let Err(error) = until(files.plan(), at, points, &mut camera, &mut Nobody) {
            return to.send(Message::Event(AppEvent::Said(error.to_string()))).is_ok();
        }
    }
    !steps.is_over && to.send(Message::Event(AppEvent::Paused)).is_ok()
}

/// Follows orders, in as many readings as it takes, until one has come to its end. False if the user is gone.
fn follow(files: &Files, orders: &Receiver<Order>, first: Order, to: &Sender<Message>) -> bool {
    let mut order = first;
    loop {
        let mut player = Player::new(orders, order);
        let mut camera = Camera::new(|picture: Picture| {
            let _ = to.send(Message::Event(AppEvent::Picture(Arc::new(picture))));
        });
        // What is wrong with the files was said the first time.
        let result = replay(files.plan(), &mut player, &mut camera, &mut Nobody);
        if player.is_over {
            return false;
        }
        match (result, player.left_for) {
            (Err(_), Some(next)) => order = next,
            (Err(error), None) => {
                return to.send(Message::Event(AppEvent::Said(error.to_string()))).is_ok();
            }
            (Ok(_), _) => return to.send(Message::Event(AppEvent::Paused)).is_ok(),
        }
    }
}

/// Says on the screen what is wrong with the files, and how far they are read.
struct Spoken<'a> {
    to: &'a Sender<Message>,
}

impl Notices for Spoken<'_> {
    fn trouble(&mut self, error: &Error) {
        let _ = self.to.send(Message::Event(AppEvent::Said(error.to_string())));
    }

    fn progress(&mut self, done: u64, all: Option<u64>) {
        let _ = self.to.send(Message::Event(AppEvent::Reading(done, all)));
    }
}
