//! `--format text`: one screen for the person at the prompt.
//!
//! First comes what is stuck, then what it means and what to do, then how the other connections ended and
//! what the capture could not show. All of it fits a screen of 24 lines, unless more is asked for; what
//! is left out is counted.
//!
//! * `report`: what there is, in which order; [`page`]: lines as wide as the screen
//! * `headline`, `history`, `groups`, `tables`, `besides`, `notes`, `limits`, `next`: its parts
//! * `events`: the lines of a live capture

mod besides;
mod events;
mod groups;
mod headline;
mod history;
mod limits;
mod next;
mod notes;
pub mod page;
mod report;
mod tables;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::IpAddr;

use anstyle::{AnsiColor, Style};
use chrono::TimeDelta;
pub use groups::timeout_words;

use crate::owner::Socket;
use crate::place::{Place, Time};
use crate::summary::found::Found;
use crate::summary::seen::{Process, Seen};
use crate::summary::{EventKind, Owner, Row, Sink, Totals};
use crate::tcp::segment::Endpoint;
use crate::units::{Zone, duration};
use crate::verdict::{Doubt, Verdict};
use page::{Page, Screen};
use report::Report;

/// The look of the text.
#[derive(Clone, Copy, Debug)]
pub struct TextLook {
    pub zone: Zone,
    /// Dates before times.
    pub dates: bool,
    /// Lines in a table; 0 for all; what fits a screen if nobody said.
    pub top: Option<usize>,
    /// A table of all flows, too.
    pub all: bool,
    /// Its inputs can be read again, to explain a finding.
    pub explain: bool,
    pub screen: Screen,
}

impl TextLook {
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
    found: Found,
    /// Connections without a finding, as many as are kept, and how many are not.
    others: Vec<Seen>,
    more_others: u64,
    /// Sockets that the capture never saw.
    before: Vec<Before>,
    /// Processes are named; a list of the host's sockets names them.
    owners: bool,
    listed: bool,
    /// Hosts that hold the connections of peer-holds flows.
    peer_holders: BTreeSet<IpAddr>,
}

/// A socket in CLOSE-WAIT since before the capture.
#[derive(Debug)]
struct Before {
    local: Endpoint,
    peer: Endpoint,
    process: Process,
    held: Option<TimeDelta>,
    idle: Option<TimeDelta>,
}

pub const ALARM: Style = AnsiColor::Red.on_default().bold();
pub const CALM: Style = AnsiColor::Green.on_default().bold();
const HEADING: Style = Style::new().bold();

impl<W: Write> Text<W> {
    pub fn new(out: W, look: TextLook) -> Text<W> {
        Text {
            out: Page::new(out, look.screen),
            look,
            found: Found::keeping(look.kept()),
            others: Vec::new(),
            more_others: 0,
            before: Vec::new(),
            owners: false,
            listed: false,
            peer_holders: BTreeSet::new(),
        }
    }
}

impl<W: Write> Sink for Text<W> {
    fn event(&mut self, kind: EventKind, row: &Row) -> io::Result<()> {
        self.write_event(kind, row)
    }

    fn event_before(&mut self, socket: &Socket, at: Time) -> io::Result<()> {
        self.write_event_before(socket, at)
    }

    /// They are put in order by how long they were held.
    fn takes_any_order(&self) -> bool {
        true
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        let seen = Seen::new(row);
        self.owners |= !matches!(row.owner, Owner::NotAsked);
        self.listed |= matches!(row.owner, Owner::Listed(_) | Owner::NotListed);
        if row.judged.judgement.verdict == Verdict::PeerHolds {
            self.peer_holders.insert(seen.judged_and_peer().0.ip);
        }
        if row.judged.judgement.finding {
            self.found.add(seen);
        } else if self.look.all && self.others.len() < ROWS {
            self.others.push(seen);
        } else {
            self.more_others += u64::from(self.look.all);
        }
        Ok(())
    }

    fn stuck_before(&mut self, socket: &Socket) -> io::Result<()> {
        let Socket { local, peer, .. } = *socket;
        let (held, idle) = (socket.held_for(), socket.idle_before_fin());
        self.before.push(Before { local, peer, process: Process::of(socket), held, idle });
        Ok(())
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        let longest = self.found.longest();
        let report = Report {
            look: &self.look,
            dates: self.look.dates || report::crosses_midnight(totals, self.look.zone),
            totals,
            found: &self.found,
            longest: &longest,
            others: &self.others,
            more_others: self.more_others,
            before: &self.before,
            owners: self.owners,
            listed: self.listed,
            peer_holders: &self.peer_holders,
        };
        for line in report.lines() {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()?;
        // A live capture can be reported again.
        self.found = Found::keeping(self.look.kept());
        self.others.clear();
        self.more_others = 0;
        self.before.clear();
        self.peer_holders.clear();
        Ok(())
    }
}

/// The address of whoever is judged.
fn holder_ip(seen: &Seen) -> IpAddr {
    seen.judged_and_peer().0.ip
}

/// The idle time before the FIN; at most that, where packets are missing before it: the connection may
/// have been in use later.
fn idle_text(seen: &Seen) -> String {
    let at_most = seen.doubts.contains(&Doubt::LostBeforeFin);
    let bound = if at_most { "≤ " } else { "" };
    seen.idle_before_fin.map_or("-".into(), |idle| format!("{bound}{}", duration(idle)))
}

/// `orders-api[26922] fd 6`.
fn process(process: &Process) -> String {
    match process {
        Process::NotAsked => String::new(),
        Process::NotListed => "not in the list".into(),
        Process::Backlog => "(backlog)".into(),
        Process::Hidden => "(unknown)".into(),
        Process::By { holder, by_capture: false } => holder.to_string(),
        Process::By { holder, by_capture: true } => format!("{holder} (by the capture)"),
    }
}

/// The frame's number, with its file where there are several.
fn frame(place: Place, totals: &Totals) -> String {
    match totals.files.get(place.file()) {
        Some(file) if totals.files.len() > 1 => format!("{file}:{}", place.frame()),
        _ => place.frame().to_string(),
    }
}
