//! The state of the screen. Events change it, and say what is to be done outside; nothing else does.
//!
//! * `view`: which connections are shown
//! * `keys`, `mouse`: what the user does
//! * `clock`: how a replay goes on

mod clock;
mod keys;
mod mouse;
mod view;

use std::sync::Arc;

use ratatui_core::layout::Rect;
use ratatui_crossterm::crossterm::event::{KeyEvent, MouseEvent};

use super::ansi::{Part, parts};
use super::filter::Filter;
use super::layout::{self, Parts, scrolled};
use super::order::Order;
use super::picture::{Entry, EntryId, Picture};
use super::reel::Reel;
use super::samples::{Holding, Samples};
use crate::place::Time;
use crate::summary::groups::Group;
use crate::units::Zone;
pub use clock::Clock;
pub use view::{Kind, View};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum AppEvent {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse was used.
    Mouse(MouseEvent),
    /// The terminal has another size: columns and lines.
    Resize(u16, u16),
    /// The capture or the host is like this now.
    Picture(Arc<Picture>),
    /// All of a capture has been read, which is like this in the end.
    Whole(Arc<Picture>, Option<Reel>),
    /// A replay has come to its end.
    Paused,
    /// The packets of a connection, as `explain` prints them.
    Ladder(EntryId, Vec<String>),
    /// A sentence for the last line.
    Said(String),
    /// So many octets were read, of so many if that is known.
    Reading(u64, Option<u64>),
}

/// Something that is to be done outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// To end.
    Quit,
    /// Put a line on the clipboard.
    Copy(String),
    /// Write the packets of these connections.
    Write(Vec<EntryId>),
    /// Write the report as a page.
    Report,
    /// Read the packets of a connection.
    Ladder(EntryId),
    /// Show the capture at this time, and stop there.
    Seek(Time),
    /// Go on from this time, so many times as fast as it happened.
    Play(Time, f64),
    /// Stop where it is.
    Pause,
}

/// The source of pictures.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    /// This host: packets of these interfaces, or none where that may not be; the reason then.
    Host {
        /// Interfaces that are captured on.
        interfaces: Vec<String>,
        /// The reason why none is, where that failed.
        packets: Result<(), String>,
    },
    /// Files.
    Replay,
}

/// A part of the screen that keys go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Focus {
    /// The groups of findings.
    #[default]
    Groups,
    /// The connections.
    Rows,
    /// Everything about one of them.
    Detail,
}

/// Text that is being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typing {
    /// A filter.
    Filter,
    /// A time to jump to.
    Jump,
}

/// A list: the chosen line, and the first that is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct List {
    /// The chosen line, from 0.
    pub chosen: usize,
    /// The first line that is shown.
    pub first: usize,
}

/// Choices that do not change while it runs.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The names of files or interfaces, and the expression.
    pub title: String,
    /// A host or a capture.
    pub mode: Mode,
    /// The zone that times are shown in.
    pub zone: Zone,
    /// True if the terminal has colours, and they are wanted.
    pub is_colored: bool,
    /// The terminal has no other characters than ASCII.
    pub is_ascii: bool,
}

/// The state of the screen.
pub struct App {
    /// The things that stay as they are.
    pub setting: Setting,
    /// The size of the terminal.
    pub size: Rect,
    /// The report that is shown.
    pub picture: Arc<Picture>,
    /// The latest picture, while another is looked at.
    pub frozen: Option<Arc<Picture>>,
    samples: Samples,
    /// Processes of the picture, as [`Samples::holdings`] has them.
    pub holdings: Vec<Holding>,
    /// The time of a replay.
    pub clock: Clock,
    /// The whole capture's end, for what is still to come.
    pub whole: Option<Arc<Picture>>,
    /// Connections that are shown.
    pub filter: Filter,
    /// The words that are being typed, and their purpose.
    pub typing: Option<(Typing, String)>,
    /// The order of connections.
    pub order: Order,
    /// True if that order is turned round.
    pub is_reversed: bool,
    /// The page that is shown.
    pub view: View,
    /// The list of groups.
    pub groups: List,
    /// The list of connections.
    pub rows: List,
    /// Lines of the detail that are above its part.
    pub scrolled: usize,
    /// The list that keys go to.
    pub focus: Focus,
    /// The detail has the room of the lists, too.
    pub is_zoomed: bool,
    /// True while the keys are explained.
    pub is_helping: bool,
    /// A sentence for the last line.
    pub said: Option<String>,
    /// Octets that were read, of how many.
    pub reading: Option<(u64, Option<u64>)>,
    /// The packets of a connection, line by line.
    pub ladder: Option<(EntryId, Vec<Vec<Part>>)>,
}

impl App {
    /// Begins with an empty picture.
    pub fn new(setting: Setting, width: u16, height: u16) -> App {
        let picture = Arc::new(Picture::default());
        let view = View::new(&picture, &Filter::default());
        App {
            setting,
            size: Rect { x: 0, y: 0, width, height },
            picture,
            frozen: None,
            samples: Samples::default(),
            holdings: Vec::new(),
            clock: Clock::default(),
            whole: None,
            filter: Filter::default(),
            typing: None,
            order: Order::default(),
            is_reversed: false,
            view,
            groups: List::default(),
            rows: List::default(),
            scrolled: 0,
            focus: Focus::default(),
            is_zoomed: false,
            is_helping: false,
            said: None,
            reading: None,
            ladder: None,
        }
    }

    /// Takes in an event. Returns what is to be done.
    pub fn update(&mut self, event: AppEvent) -> Vec<Wish> {
        let wishes = match event {
            AppEvent::Key(key) => self.key(key),
            AppEvent::Mouse(mouse) => self.mouse(mouse),
            AppEvent::Resize(width, height) => {
                self.size = Rect { width, height, ..self.size };
                Vec::new()
            }
            AppEvent::Picture(picture) => self.take(picture),
            AppEvent::Whole(picture, reel) => {
                self.clock.reel = reel;
                self.whole = Some(Arc::clone(&picture));
                self.take(picture)
            }
            AppEvent::Paused => {
                self.clock.is_playing = false;
                Vec::new()
            }
            AppEvent::Ladder(id, lines) => {
                self.ladder = Some((id, lines.iter().map(|line| parts(line)).collect()));
                Vec::new()
            }
            AppEvent::Said(sentence) => {
                self.said = Some(sentence);
                Vec::new()
            }
            AppEvent::Reading(done, all) => {
                self.reading = Some((done, all));
                Vec::new()
            }
        };
        self.keep_in_sight();
        wishes
    }

    /// Looks at a new picture, unless another is held fast.
    fn take(&mut self, picture: Arc<Picture>) -> Vec<Wish> {
        self.reading = None;
        if matches!(self.setting.mode, Mode::Host { .. }) {
            self.samples.record(&picture);
        }
        match &mut self.frozen {
            Some(latest) => *latest = picture,
            None => self.show(picture),
        }
        self.wants_ladder()
    }

    /// Changes the picture.
    fn show(&mut self, picture: Arc<Picture>) {
        self.keeping_what_is_chosen(|app| {
            app.holdings = app.samples.holdings(&picture);
            app.view = View::new(&picture, &app.filter);
            app.picture = picture;
        });
    }

    /// Lets another filter choose.
    fn filter_by(&mut self, filter: Filter) {
        self.keeping_what_is_chosen(|app| {
            app.view.filter(&app.picture, &filter);
            app.filter = filter;
        });
    }

    /// Changes what is listed; what was chosen stays so, as far as it is there.
    fn keeping_what_is_chosen(&mut self, change: impl FnOnce(&mut App)) {
        let kind = self.kind();
        let group = self.group().cloned();
        let row = self.entry().map(Entry::id);
        change(self);
        let is_kept = |own: Kind| match (own, &group) {
            (Kind::Group(place), Some(group)) => {
                self.picture.groups.get(place).is_some_and(|own| own.is_like(group))
            }
            _ => own == kind,
        };
        let kept = self.view.kinds.iter().position(|(own, _)| is_kept(*own));
        self.groups.chosen = kept.unwrap_or(0);
        self.list();
        self.find_row(row);
    }

    /// Lists the rows of the chosen kind.
    fn list(&mut self) {
        let kind = self.kind();
        self.view.choose(&self.picture, kind, self.order, self.is_reversed);
    }

    /// Chooses a row again.
    fn find_row(&mut self, id: Option<EntryId>) {
        let entries = &self.picture.entries;
        let is_it = |number: &u32| Some(entries[*number as usize].id()) == id;
        let found = id.and_then(|_| self.view.rows.iter().position(is_it));
        if let Some(found) = found {
            self.rows.chosen = found;
        }
    }

    /// Lists anew after a change of the order; the row that was chosen stays so.
    fn list_again(&mut self) {
        let row = self.entry().map(Entry::id);
        self.list();
        self.find_row(row);
    }

    /// The parts of the screen.
    pub fn parts(&self) -> Option<Parts> {
        Parts::of(self.size, self.is_zoomed)
    }

    /// The chosen kind of connections.
    pub fn kind(&self) -> Kind {
        self.view.kinds.get(self.groups.chosen).map_or(Kind::All, |(kind, _)| *kind)
    }

    /// The chosen group, if it is one.
    pub fn group(&self) -> Option<&Group> {
        match self.kind() {
            Kind::Group(place) => self.picture.groups.get(place),
            _ => None,
        }
    }

    /// The chosen connection.
    pub fn entry(&self) -> Option<&Entry> {
        let number = self.view.rows.get(self.rows.chosen)?;
        self.picture.entries.get(*number as usize)
    }

    /// Its packets, if they have been read.
    pub fn ladder(&self) -> Option<&[Vec<Part>]> {
        let id = self.entry()?.id();
        self.ladder.as_ref().filter(|(of, _)| *of == id).map(|(_, lines)| lines.as_slice())
    }

    /// Wishes for the packets of what is looked at, where they can be read.
    fn wants_ladder(&self) -> Vec<Wish> {
        let has_packets = self.setting.mode == Mode::Replay && self.whole.is_some();
        let is_open = has_packets && self.focus == Focus::Detail && self.ladder().is_none();
        let entry = self.entry().filter(|_| is_open);
        entry.map(|entry| Wish::Ladder(entry.id())).into_iter().collect()
    }

    /// Moves lists so that what is chosen can be seen.
    fn keep_in_sight(&mut self) {
        self.groups.chosen = self.groups.chosen.min(self.view.kinds.len().saturating_sub(1));
        self.rows.chosen = self.rows.chosen.min(self.view.rows.len().saturating_sub(1));
        let Some(parts) = self.parts() else { return };
        let List { chosen, first } = self.groups;
        let lines = layout::lines(parts.groups, 0);
        self.groups.first = scrolled(first, chosen, self.view.kinds.len(), lines);
        let List { chosen, first } = self.rows;
        let lines = layout::lines(parts.rows, 1);
        self.rows.first = scrolled(first, chosen, self.view.rows.len(), lines);
    }
}
