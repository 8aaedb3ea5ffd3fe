//! The words of a ladder.

use chrono::TimeDelta;

use super::Names;
use crate::ladder::LadderEvent;
use crate::ladder::said::Said;
use crate::place::Place;
use crate::tcp::segment::Flags;
use crate::tcp::side::Side;
use crate::units::{count, duration, thousands};

/// As tcpdump writes them: `S.`, `P.`, `F.`.
pub fn flags(flags: Flags) -> String {
    const NAMES: [(u8, char); 8] = [
        (0x01, 'F'),
        (0x02, 'S'),
        (0x04, 'R'),
        (0x08, 'P'),
        (0x10, '.'),
        (0x20, 'U'),
        (0x40, 'E'),
        (0x80, 'W'),
    ];
    let set = NAMES.into_iter().filter(|(bit, _)| flags.0 & bit != 0);
    let text: String = set.map(|(_, name)| name).collect();
    if text.is_empty() { "none".into() } else { text }
}

/// Seconds after the first packet, with the precision of the capture.
pub fn offset(place: Place, first: Place) -> String {
    let (Some(at), Some(from)) = (place.time.nanos(), first.time.nanos()) else {
        return "unknown".into();
    };
    let nanos = i128::from(at) - i128::from(from);
    let sign = if nanos < 0 { "-" } else { "" };
    let (seconds, rest) = (nanos.abs() / 1_000_000_000, nanos.abs() % 1_000_000_000);
    match place.digits() {
        0 => format!("{sign}{seconds}"),
        digits => format!("{sign}{seconds}.{}", &format!("{rest:09}")[..digits]),
    }
}

/// Octets, in three digits or so.
pub fn bytes(n: u64) -> String {
    match n {
        0..10_000 => format!("{} B", thousands(n)),
        10_000..10_000_000 => format!("{} kB", thousands(n / 1_000)),
        _ => format!("{} MB", thousands(n / 1_000_000)),
    }
}

fn after(nanos: Option<i64>, what: &str) -> String {
    let nanos = nanos.map(|nanos| duration(TimeDelta::nanoseconds(nanos)));
    nanos.map_or(String::new(), |time| format!(" {time} {what}"))
}

/// Returns a sentence for an event, with the ends called by `names`.
pub fn sentence(event: &LadderEvent, names: Names) -> String {
    let name = |side: Side| names.of(side);
    match *event {
        LadderEvent::Fin(side) => format!("{} is done: FIN", name(side)),
        LadderEvent::FinAgain(side, since) => {
            format!("{} sends its FIN again{}", name(side), after(since, "after the first"))
        }
        LadderEvent::CloseWait(side) => {
            format!("{}'s kernel acknowledged it: CLOSE-WAIT begins", name(side))
        }
        LadderEvent::Closed(side, held) => {
            format!("{} closed{}", name(side), after(held, "after CLOSE-WAIT began"))
        }
        LadderEvent::Reset(side, None) => format!("reset by {}", name(side)),
        LadderEvent::Reset(side, held) => {
            format!("reset by {}{}", name(side), after(held, "after CLOSE-WAIT began"))
        }
        LadderEvent::Used(side, octets) => {
            let octets = count(u64::from(octets), "octet");
            format!("{} sends {octets} after the FIN it has received", name(side))
        }
        LadderEvent::SentAgain => "sent again".into(),
        LadderEvent::KeepAlive => "keep-alive".into(),
    }
}

/// Returns a sentence for news of a protocol, safe to print already.
pub fn said(said: &Said) -> String {
    match said {
        Said::Greeting(protocol, server) => format!("{} {server}", protocol.title),
        Said::Login { user, database: None } => format!("login as {user}"),
        Said::Login { user, database: Some(database) } => format!("login as {user} to {database}"),
        Said::Encrypted => "encrypted from here on".into(),
        Said::Compressed => "compressed from here on".into(),
        Said::Asked(statement) => format!("asked: {statement}"),
        Said::AskedBefore(statement) => {
            format!("asked before, behind packets that are missing: {statement}")
        }
        Said::Answered(None) => "answered".into(),
        Said::Answered(Some(true)) => "answered: OK, in transaction".into(),
        Said::Answered(Some(false)) => "answered: OK".into(),
        Said::Refused(error) => {
            let what = if error.unsolicited { "the server says" } else { "answered" };
            format!("{what}: error {} {}", error.code, error.message)
        }
    }
}
