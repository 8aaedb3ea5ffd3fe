//! The lines of a live capture, each written as it happens.

use std::io::{self, Write};

use super::{ALARM, CALM, Text, idle_text, process};
use crate::owner::Socket;
use crate::place::Time;
use crate::report::lang::Lang;
use crate::report::outlook::{outlook, rate};
use crate::report::table::cut;
use crate::summary::cause::Cause;
use crate::summary::growth::Grown;
use crate::summary::seen::{Process, Seen};
use crate::summary::{EventKind, Row};
use crate::tcp::segment::Endpoint;
use crate::units::{DIGITS, clock_time, duration, thousands};
use crate::verdict::{Reason, Verdict};

/// Characters of statements in a line.
const STATEMENTS: usize = 60;

/// The cause, where it is known, and what was said last.
fn why(seen: &Seen, lang: Lang) -> String {
    let Some(cause) = seen.cause.filter(|cause| *cause != Cause::Unknown) else {
        return String::new();
    };
    let said = seen
        .said
        .open()
        .or_else(|| seen.said.last.clone())
        .map(|said| lang.colon(cut(&said, STATEMENTS)));
    format!("{}{}{}", lang.semicolon(), lang.name(cause), said.unwrap_or_default())
}

impl<W: Write> Text<W> {
    pub(super) fn write_event(
        &mut self,
        kind: EventKind,
        row: &Row,
        grown: Option<&Grown>,
    ) -> io::Result<()> {
        let seen = Seen::new(row);
        let at = self.clock_time(row.judged.end);
        let held = seen.held.map_or("?".into(), duration);
        let lang = self.look.screen.lang;
        let idle = seen.idle_before_fin.map(|_| lang.idle_before(idle_text(&seen)));
        let what = match kind {
            EventKind::CloseWait => lang.held_so_far(held, idle.unwrap_or_default()),
            EventKind::Ended => match seen.verdict {
                Verdict::Unknown(Reason::Lost) => lang.gone(),
                Verdict::Unknown(reason) => lang.later(lang.name(reason)),
                verdict if seen.held.is_none() => lang.later(lang.name(verdict)),
                verdict => lang.ended_after(lang.name(verdict), held),
            },
        };
        let by = match kind {
            EventKind::CloseWait => seen.code.as_deref().and_then(super::code::in_short),
            EventKind::Ended => None,
        };
        let by = by.map_or(String::new(), |by| format!(", {by}"));
        let why = if kind == EventKind::CloseWait { why(&seen, lang) } else { String::new() };
        let more = grown.map(|grown| self.growth(grown, row.judged.end)).unwrap_or_default();
        let what = format!("{what}  {}{by}{why}{more}", process(&seen.process, lang));
        // The end that held it comes first in both lines, whatever is local.
        let closer = row.judged.flow.first_fin().filter(|_| kind == EventKind::Ended);
        let ends = closer
            .map(|(closer, _)| [closer.other(), closer].map(|side| row.judged.endpoint(side)));
        let ends = ends.unwrap_or_else(|| seen.judged_and_peer().into());
        self.write_event_line(&at, kind, ends, &what)
    }

    pub(super) fn write_event_before(
        &mut self,
        kind: EventKind,
        socket: &Socket,
        at: Time,
    ) -> io::Result<()> {
        let at = self.clock_time(at);
        let ends = [socket.local, socket.peer];
        let lang = self.look.screen.lang;
        if kind == EventKind::Ended {
            let how = match socket.held_for() {
                Some(held) => lang.ended_after(lang.name(Verdict::HalfClosed), duration(held)),
                None => lang.gone(),
            };
            let what = format!("{how}  {}", process(&Process::of(socket), lang));
            return self.write_event_line(&at, kind, ends, &what);
        }
        let held = socket.held_for().map(|held| lang.held_bound(duration(held)));
        let idle = socket.idle_before_fin().map(|idle| lang.idle_bound(duration(idle)));
        let (held, idle) = (held.unwrap_or_default(), idle.unwrap_or_default());
        let since = match socket.is_unseen {
            true => lang.stuck_unseen(held, idle),
            false => lang.stuck_before(held, idle),
        };
        let what = format!("{since}  {}", process(&Process::of(socket), lang));
        self.write_event_line(&at, EventKind::CloseWait, ends, &what)
    }

    /// Says how many there are now, how fast they become more, and when descriptors run out.
    fn growth(&self, grown: &Grown, now: Time) -> String {
        let lang = self.look.screen.lang;
        let fast = match &grown.outlook {
            Some(known) => Some(outlook(known, now, self.look.zone, lang)),
            None => grown.per_minute.map(|more| rate(more, lang)),
        };
        let fast = fast.map(|fast| lang.comma() + &fast);
        lang.of_these(thousands(grown.count)) + &fast.unwrap_or_default()
    }

    fn clock_time(&self, at: Time) -> String {
        clock_time(at, DIGITS, self.look.zone, self.look.dates)
    }

    fn write_event_line(
        &mut self,
        at: &str,
        kind: EventKind,
        [left, right]: [Endpoint; 2],
        what: &str,
    ) -> io::Result<()> {
        let lang = self.look.screen.lang;
        let style = if kind == EventKind::CloseWait { ALARM } else { CALM };
        let name = kind.name();
        let what = what.trim_end();
        writeln!(
            self.out,
            "{at}  {style}{name:<10}{style:#}  {left}  {}  {what}",
            lang.peer(right)
        )?;
        self.out.flush()
    }
}
