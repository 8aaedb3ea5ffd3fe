//! The lines of a live capture, each written as it happens.

use std::io::{self, Write};

use super::{ALARM, CALM, Text, idle_text, process};
use crate::owner::Socket;
use crate::place::Place;
use crate::summary::seen::{Process, Seen};
use crate::summary::{EventKind, Row};
use crate::tcp::segment::Endpoint;
use crate::units::{clock_time, duration};

impl<W: Write> Text<W> {
    pub(super) fn write_event(&mut self, kind: EventKind, row: &Row) -> io::Result<()> {
        let seen = Seen::new(row);
        let at = clock_time(Place::new(row.judged.end, 0, 1, 6), self.look.zone, self.look.dates);
        let held = seen.held.map_or("?".into(), duration);
        let what = match kind {
            EventKind::CloseWait => format!("held {held} so far, idle {} before", idle_text(&seen)),
            EventKind::Ended => format!("{} after {held}", seen.verdict.name()),
        };
        let what = format!("{what}  {}", process(&seen.process));
        let (left, right) = seen.judged_and_peer();
        self.write_event_line(&at, kind, [left, right], &what)
    }

    pub(super) fn write_event_before(&mut self, socket: &Socket) -> io::Result<()> {
        let ends = [socket.local, socket.peer];
        self.write_event_line(
            "before  ",
            EventKind::CloseWait,
            ends,
            &process(&Process::of(socket)),
        )
    }

    fn write_event_line(
        &mut self,
        at: &str,
        kind: EventKind,
        [left, right]: [Endpoint; 2],
        what: &str,
    ) -> io::Result<()> {
        let style = if kind == EventKind::CloseWait { ALARM } else { CALM };
        let name = kind.name();
        writeln!(self.out, "{at}  {style}{name:<10}{style:#}  {left}  peer {right}  {what}")?;
        self.out.flush()
    }
}
