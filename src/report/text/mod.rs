//! `--format text`: one screen for the person at the prompt.
//!
//! First comes what is stuck, then what it means and what to do, then how the other connections ended and
//! what the capture could not show. All of it fits a screen of 24 lines, unless more is asked for; what
//! is left out is counted.
//!
//! * `gathered`, `report`: what there is, in which order; [`page`]: lines as wide as the screen
//! * `code`: the functions behind a group; `headline`, `history`, `groups`, `tables`, `besides`, `notes`,
//!   `limits`, `next`: its parts
//! * `events`: the lines of a live capture

mod besides;
pub mod code;
mod curves;
mod events;
pub(super) mod gathered;
pub mod groups;
pub(super) mod headline;
pub mod history;
mod limits;
mod next;
mod notes;
pub mod page;
pub(super) mod report;
mod tables;

use std::io::{self, Write};
use std::net::IpAddr;

use anstyle::{AnsiColor, Style};
pub use groups::timeout_words;

use crate::owner::Socket;
use crate::place::{Place, Time};
use crate::report::lang::Lang;
use crate::summary::growth::Grown;
use crate::summary::seen::{Process, Seen};
use crate::summary::{EventKind, Row, Sink, Totals};
use crate::units::{Zone, duration};
use gathered::Gathered;
use page::{Page, Screen};

/// The look of the text.
#[derive(Clone, Debug)]
pub struct TextLook {
    /// The zone that times are shown in.
    pub zone: Zone,
    /// Dates before times.
    pub dates: bool,
    /// Lines in a table; 0 for all; what fits a screen if nobody said.
    pub top: Option<usize>,
    /// A table of all flows, too.
    pub all: bool,
    /// Options with which `explain` gives the same answer, where its inputs can be read again.
    pub explain: Option<String>,
    /// All functions of a stack, those of libraries, too.
    pub frames: bool,
    /// The terminal that it is written for, and its reader's language.
    pub screen: Screen,
}

impl TextLook {
    /// The look where nobody chose any but the zone.
    #[must_use]
    pub fn new(zone: Zone) -> TextLook {
        TextLook {
            zone,
            dates: false,
            top: None,
            all: false,
            explain: None,
            frames: false,
            screen: Screen::default(),
        }
    }

    /// The most lines in a table, where that does not depend on the screen.
    fn limit(&self) -> Option<usize> {
        let top = self.top.or(self.all.then_some(0))?;
        Some(if top == 0 { usize::MAX } else { top })
    }

    /// The findings that are kept whole: enough for a screen, or for the table that was asked for.
    fn kept(&self) -> usize {
        self.limit().unwrap_or(page::HEIGHT).min(ROWS)
    }
}

/// Lines of a table, at most. Nobody reads so many; who counts them has JSON lines, which have all.
const ROWS: usize = 1 << 18;

/// Gathers findings and writes the report at the end.
#[derive(Debug)]
pub struct Text<W: Write> {
    out: Page<W>,
    look: TextLook,
    gathered: Gathered,
}

/// The colour of a finding.
pub const ALARM: Style = AnsiColor::Red.on_default().bold();
/// The colour of an all-clear.
pub const CALM: Style = AnsiColor::Green.on_default().bold();
const HEADING: Style = Style::new().bold();

impl<W: Write> Text<W> {
    /// Writes to `out` when the capture has ended.
    pub fn new(out: W, look: TextLook) -> Text<W> {
        let gathered = Gathered::keeping(look.kept());
        Text { out: Page::new(out, look.screen), look, gathered }
    }
}

impl<W: Write> Sink for Text<W> {
    fn event(&mut self, kind: EventKind, row: &Row, grown: Option<&Grown>) -> io::Result<()> {
        self.write_event(kind, row, grown)
    }

    fn event_before(&mut self, kind: EventKind, socket: &Socket, at: Time) -> io::Result<()> {
        self.write_event_before(kind, socket, at)
    }

    /// They are put in order by how long they were held.
    fn takes_any_order(&self) -> bool {
        true
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        self.gathered.row(row, self.look.all);
        Ok(())
    }

    fn stuck_before(&mut self, socket: &Socket) -> io::Result<()> {
        self.gathered.stuck_before(socket);
        Ok(())
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        let report = self.gathered.report(&self.look, totals);
        for line in report.lines() {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()?;
        // A live capture can be reported again.
        self.gathered = Gathered::keeping(self.look.kept());
        Ok(())
    }
}

/// The address of whoever is judged.
fn holder_ip(seen: &Seen) -> IpAddr {
    seen.judged_and_peer().0.ip
}

/// The idle time before the FIN; at most that, where packets are missing before it: the connection may
/// have been in use later.
pub(super) fn idle_text(seen: &Seen) -> String {
    let bound = if seen.is_idle_at_most() { "≤ " } else { "" };
    seen.idle_before_fin.map_or("-".into(), |idle| format!("{bound}{}", duration(idle)))
}

/// The time in CLOSE-WAIT; at least that, where it goes on.
pub fn held_text(seen: &Seen) -> Option<String> {
    seen.hold().map(|held| held.to_string())
}

/// `orders-api[26922] fd 6`.
pub(super) fn process(process: &Process, lang: Lang) -> String {
    match process {
        Process::NotAsked => String::new(),
        Process::NotListed => lang.not_in_list(),
        Process::Backlog => lang.backlog(),
        Process::Hidden => lang.hidden(),
        Process::By { holder, by_capture: false } => holder.to_string(),
        Process::By { holder, by_capture: true } => lang.by_capture(holder),
    }
}

/// The frame's number, with its file where there are several.
pub(super) fn frame(place: Place, totals: &Totals) -> String {
    match totals.files.get(place.file()) {
        Some(file) if totals.files.len() > 1 => format!("{file}:{}", place.frame()),
        _ => place.frame().to_string(),
    }
}
