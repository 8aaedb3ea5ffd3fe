//! `closewait sockets FILE…`: the same report from lists that somebody saved.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use super::{Exit, Format, History, SocketsCommand, complain, counts, listing, write};
use crate::capture::file::{FileSource, Input};
use crate::owner::Snapshot;
use crate::owner::saved::{ASSUMED, ENDS_EMPTY, Saved, parse, text};
use crate::printable::printable;

/// Reports each file in its turn.
///
/// # Errors
///
/// Errors of `out`.
pub fn report(asked: &SocketsCommand, out: &mut dyn Write) -> io::Result<Exit> {
    let several = asked.files.len() > 1;
    let (mut failed, mut found) = (false, false);
    for file in &asked.files {
        let name = printable(&file.to_string_lossy());
        let saved = match read(file) {
            Ok(saved) => saved,
            Err(sentence) => {
                complain(&sentence);
                failed = true;
                continue;
            }
        };
        if let Some(unread) = &saved.unread {
            complain(&format!("{name}: {unread}"));
            failed = true;
        }
        if saved.ends_empty {
            complain(&format!("{name}: {ENDS_EMPTY}; the report is of the one before it"));
            failed = true;
        }
        if let Some(fewer) = saved.fewer() {
            complain(&format!("{name}: {fewer}"));
        }
        if saved.is_assumed {
            complain(&format!("{name}: {ASSUMED}"));
        }
        let last = saved.moments.last().map_or(&[][..], |moment| &moment.sockets);
        if let Some(sentence) = asked.narrow.may_be_more(last) {
            complain(&format!("{name}: {sentence}"));
            failed = true;
        }
        found |= one(asked, out, several.then_some(&name), saved)?;
    }
    Ok(match (failed, found) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Found,
        (false, false) => Exit::Clean,
    })
}

fn read(file: &Path) -> Result<Saved, String> {
    let name = || printable(&file.to_string_lossy());
    parse(&text(file)?).map_err(|error| match is_capture(file) {
        true => format!("{0}: it is a capture, and no list: closewait {0}", name()),
        false => format!("{}: {error}", name()),
    })
}

fn is_capture(file: &Path) -> bool {
    let input = Input(file.to_owned());
    input.read_once().is_none() && FileSource::open(&input, 0).is_ok()
}

/// Reports the last moment of a list, and what grew until then. True if any socket is in CLOSE-WAIT.
///
/// # Errors
///
/// Errors of `out`.
pub fn one(
    asked: &SocketsCommand,
    out: &mut dyn Write,
    name: Option<&String>,
    saved: Saved,
) -> io::Result<bool> {
    let (is_partial, moments) = (saved.unread.is_some(), saved.moments);
    let mut history = History::all();
    let first = moments.first().and_then(|moment| moment.at);
    let several = moments.len() > 1;
    let mut last = Snapshot::default();
    for moment in moments {
        last =
            Snapshot { sockets: moment.sockets, is_saved: true, is_partial, ..Snapshot::default() };
        let since =
            moment.at.zip(first).map(|(at, first)| (at - first).to_std().unwrap_or_default());
        history.record(since.unwrap_or(Duration::ZERO), counts(&listing(asked, &last)));
    }
    if let Some(name) = name.filter(|_| asked.format == Format::Text) {
        writeln!(out, "{name}:")?;
    }
    let listing = listing(asked, &last);
    write(asked, out, &listing, several.then_some(&history))?;
    Ok(!listing.stuck.is_empty())
}
