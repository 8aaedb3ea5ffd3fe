//! The findings by peer, and those of a peer by cause and statements, as tables.

use std::io::{self, Write};

use super::{Text, statements};
use crate::place::Place;
use crate::report::table::{Align, more, write_table};
use crate::summary::cause::Cause;
use crate::summary::groups::{CauseGroup, PeerGroup, Span, Timeout, by_peer};
use crate::units::{clock_time, duration, thousands};

/// Characters of statements in a line.
const WIDE: usize = 100;

impl<W: Write> Text<W> {
    /// The peer of the longest held first; within a peer, the most frequent cause.
    pub(super) fn groups(&mut self) -> io::Result<()> {
        let groups = by_peer(&self.findings);
        let shown = self.shown(groups.len());
        let rows: Vec<Vec<String>> = groups[..shown].iter().map(peer_row).collect();
        write_table(&mut self.out, &rows, &[Align::Right])?;
        more(&mut self.out, groups.len() - shown, "peer")?;
        writeln!(self.out)?;
        let causes: Vec<Vec<String>> = groups[..shown]
            .iter()
            .flat_map(PeerGroup::by_cause)
            .map(|group| self.cause_row(&group))
            .collect();
        if self.findings.iter().all(|seen| matches!(seen.cause, None | Some(Cause::Unknown))) {
            return Ok(());
        }
        let shown = self.shown(causes.len());
        use Align::{Left, Right};
        write_table(&mut self.out, &causes[..shown], &[Right, Left, Left, Left])?;
        more(&mut self.out, causes.len() - shown, "group")?;
        writeln!(self.out)
    }

    fn cause_row(&self, group: &CauseGroup) -> Vec<String> {
        vec![
            thousands(group.members.len() as u64),
            format!("{} at {}", group.cause.name(), group.peer),
            group.span().map_or(String::new(), |span| self.span(&span)),
            cut(&statements(group.said)),
        ]
    }

    /// When the peer closed them, the first and the last; how fast they grow; by whom.
    fn span(&self, span: &Span) -> String {
        let time = |place: Place| {
            let time = clock_time(place, self.look.zone, self.look.dates);
            // To the second: this is about minutes.
            time.split('.').next().unwrap_or_default().to_owned()
        };
        let mut text = time(span.first);
        if span.several {
            text += &format!(" … {}", time(span.last));
        }
        if let Some(rate) = span.per_minute {
            text += &format!(", {} a minute", thousands(rate.round().max(1.0) as u64));
        }
        if span.hosts > 1 {
            text += &format!(", on {} hosts", span.hosts);
        }
        if let Some(apart) = span.apart {
            text += &format!(", begun {} apart", duration(apart));
        }
        text
    }
}

fn cut(statements: &str) -> String {
    match statements.char_indices().nth(WIDE) {
        Some((at, _)) => format!("{}…", &statements[..at]),
        None => statements.to_owned(),
    }
}

/// One group as columns: how many, whose, how long, after which pause.
fn peer_row(group: &PeerGroup) -> Vec<String> {
    let range = match group.held() {
        Some((least, most)) if duration(least) != duration(most) => {
            format!("held ≥ {} … ≥ {}", duration(least), duration(most))
        }
        Some((held, _)) => format!("held ≥ {}", duration(held)),
        None => String::new(),
    };
    let n = thousands(group.members.len() as u64);
    let timeout = group.timeout().map_or(String::new(), |timeout| timeout_words(&timeout));
    vec![n, format!("peer {}", group.peer), range, timeout]
}

fn timeout_words(timeout: &Timeout) -> String {
    let which = match timeout.closed == timeout.of {
        true => String::new(),
        false => format!("{} of them ", timeout.closed),
    };
    let (middle, spread) = (duration(timeout.middle), duration(timeout.spread));
    let like = timeout.known().map_or(String::new(), |name| format!(" (like {name})"));
    let about = timeout.about_s();
    format!("{which}idle before FIN {middle} ± {spread}: a timeout of about {about} s there{like}")
}
