//! Pictures of captures, and a screen that keys are pressed at.

use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use closewait::capture::file::Input;
use closewait::live::replay::{Cue, Director, replay};
use closewait::place::Time;
use closewait::run::notices::Nobody;
use closewait::run::{Plan, run};
use closewait::top::app::{App, AppEvent, Mode, Setting, Wish};
use closewait::top::draw::draw;
use closewait::top::picture::{Camera, Picture};
use closewait::top::reel::Reel;
use closewait::units::Zone;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_crossterm::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

pub fn plan(capture: &Path) -> Plan {
    Plan { inputs: vec![Input(capture.into())], ..Plan::default() }
}

/// The picture of a capture's end.
pub fn whole(capture: &Path) -> Picture {
    let mut taken = None;
    run(plan(capture), &mut Camera::new(|picture| taken = Some(picture)), &mut Nobody)
        .expect("memory");
    taken.expect("a picture")
}

/// Shows each of some times on the way.
struct Moments(Vec<Time>);

impl Director for Moments {
    fn cue(&mut self, packet: Time) -> Cue {
        match self.0.first() {
            Some(moment) if *moment < packet => Cue::Show(self.0.remove(0)),
            _ => Cue::Packet,
        }
    }
}

/// Pictures of a replay at these times, and at the end.
pub fn moments(capture: &Path, times: &[Time]) -> Vec<Picture> {
    let mut taken = Vec::new();
    let mut camera = Camera::new(|picture| taken.push(picture));
    replay(plan(capture), &mut Moments(times.to_vec()), &mut camera, &mut Nobody).expect("memory");
    taken
}

/// A screen without a terminal.
pub struct Desk {
    pub app: App,
    capture: std::path::PathBuf,
}

impl Desk {
    /// A replay that has been read, of a capture as it is named in the project's folder: where that lies shows on
    /// no screen.
    pub fn replay(capture: &str, width: u16, height: u16) -> Desk {
        let path = Path::new(capture).to_owned();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let mut desk = Desk { app: App::new(setting(name), width, height), capture: path };
        let whole = whole(&desk.capture);
        let reel = Reel::of(&whole, TimeDelta::zero());
        desk.app.update(AppEvent::Whole(Arc::new(whole), reel));
        desk
    }

    /// A screen that shows a picture.
    pub fn of(picture: Picture, width: u16, height: u16) -> Desk {
        let mut app = App::new(setting("made up".into()), width, height);
        app.update(AppEvent::Whole(Arc::new(picture), None));
        Desk { app, capture: Path::new("none").into() }
    }

    /// Presses keys, and does what a replay does; what else is wished for is returned.
    pub fn press(&mut self, keys: &[KeyCode]) -> Vec<Wish> {
        let mut others = Vec::new();
        for key in keys {
            let event = KeyEvent::new(*key, KeyModifiers::NONE);
            for wish in self.app.update(AppEvent::Key(event)) {
                match wish {
                    Wish::Seek(to) => {
                        let picture = moments(&self.capture, &[to]).remove(0);
                        self.app.update(AppEvent::Picture(Arc::new(picture)));
                    }
                    wish => others.push(wish),
                }
            }
        }
        others
    }

    pub fn type_text(&mut self, text: &str) -> Vec<Wish> {
        self.press(&text.chars().map(KeyCode::Char).collect::<Vec<_>>())
    }

    /// The lines of the screen.
    pub fn lines(&self) -> Vec<String> {
        let buffer = self.buffer();
        let width = usize::from(buffer.area.width);
        let lines = buffer.content.chunks(width).map(|cells| {
            let line: String = cells.iter().map(|cell| cell.symbol()).collect();
            line.trim_end().to_owned()
        });
        lines.collect()
    }

    pub fn buffer(&self) -> Buffer {
        let Rect { width, height, .. } = self.app.size;
        let mut buffer = Buffer::empty(Rect { x: 0, y: 0, width, height });
        draw(&self.app, &mut buffer);
        buffer
    }

    pub fn text(&self) -> String {
        self.lines().join("\n")
    }
}

pub fn setting(title: String) -> Setting {
    Setting { title, mode: Mode::Replay, zone: Zone::Utc, is_colored: true, is_ascii: false }
}
