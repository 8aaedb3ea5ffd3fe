//! Files, one after the other, each from its first to its last packet.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Plan;
use super::copies::Beginnings;
use super::follow::{Followed, Mode, follow};
use super::notices::{Notices, Outcome};
use super::session::{Session, Stopped};
use super::unread::{Sense, Unread, absent, behind_tags, sealed};
use crate::capture::file::FileSource;
use crate::capture::series::{Pending, in_order, missing, once};
use crate::capture::{Error, Frame, Source};
use crate::decode::{Decoder, Skipped};
use crate::engine::crew::Crew;
use crate::summary::Sink;

/// Reads all inputs and hands what it finds to a sink.
///
/// # Errors
///
/// Errors of the sink end the run and are returned. What is wrong with an input goes to `notices`,
/// and into the outcome.
pub fn run(plan: Plan, sink: &mut dyn Sink, notices: &mut dyn Notices) -> io::Result<Outcome> {
    read(plan, sink, notices, &mut Offline)
}

/// Threads, all in all, with which it is faster to read ahead.
const ENOUGH_TO_READ_AHEAD: usize = 4;

/// Files that are read once, every packet of them.
struct Offline;

impl<S: Source> Mode<S> for Offline {
    fn frame(&mut self, session: &mut Session, frame: &Frame) -> io::Result<()> {
        session.take(frame)
    }

    fn ready(&mut self, session: &mut Session, source: &mut S) -> io::Result<u64> {
        session.take_usual(source)
    }

    /// Has other threads read ahead, where there are enough that all would wait for this one. It costs half as much again in
    /// all, since each waits for memory that another one has written.
    fn begin_source(&mut self, session: &Session, source: &mut S) {
        let threads = session.plan.threads.get();
        if threads >= ENOUGH_TO_READ_AHEAD && session.plan.filter.is_none() {
            source.decode_ahead(Arc::new(session.decoder.clone()), threads / 2);
        }
    }
}

/// Reads all inputs in some mode.
pub(crate) fn read(
    mut plan: Plan,
    sink: &mut dyn Sink,
    notices: &mut dyn Notices,
    mode: &mut impl Mode<FileSource>,
) -> io::Result<Outcome> {
    let mut unread = 0;
    let mut trouble = |error: Error| {
        unread += u64::from(error.trouble.is_failure());
        notices.trouble(&error);
    };
    // Where each is to be a capture of its own, so is one that is named twice.
    if !plan.separate {
        plan.inputs = once(&plan.inputs, &mut trouble);
    }
    let decoder = Decoder::with_vxlan(&plan.reading.vxlan);
    let mut beginnings = Beginnings::default();
    let mut look = |file| {
        if !plan.separate {
            beginnings.look(file, &decoder);
        }
    };
    let sources = in_order(&plan.inputs, &plan.stop, &mut trouble, &mut look);
    Crew::with(plan.threads.get() - 1, |crew| {
        let mut session = Session::new(plan, sink, crew);
        session.copies = beginnings.copies();
        // An archive is one input, and may hold captures of several points.
        session.sights.several = sources.len() > 1 && !session.plan.separate;
        let names: Vec<String> = sources.iter().map(Pending::name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let missing: BTreeMap<usize, u64> = missing(&names).into_iter().collect();
        for (at, pending) in sources.into_iter().enumerate() {
            let missing = missing.get(&at).copied();
            match file(&mut session, mode, pending, missing, notices) {
                Ok(all_well) => unread += u64::from(!all_well),
                Err(Stopped::Output(error)) => return Err(error),
                Err(Stopped::Input(error)) => {
                    unread += u64::from(error.trouble.is_failure());
                    session.cut_off(&error);
                    notices.trouble(&error);
                }
            }
        }
        let mut failed = unread > 0;
        session.totals.unread = unread;
        // With nothing readable, there is nothing to report.
        if session.points.is_empty() {
            return Ok(Outcome { failed, ..Outcome::default() });
        }
        session.settle()?;
        if let Some(error) = sealed(&session.totals) {
            notices.trouble(&error);
            failed = true;
        }
        Outcome::of(session, failed)
    })
}

/// Reads one file, as far as it can be read; before it, so many of its series are `missing`.
fn file(
    session: &mut Session,
    mode: &mut impl Mode<FileSource>,
    pending: Pending,
    missing: Option<u64>,
    notices: &mut dyn Notices,
) -> Result<bool, Stopped> {
    let Ok(index) = u16::try_from(session.totals.files.len()) else {
        return Err(io::Error::other("more than 65,536 files at once: read them in parts").into());
    };
    let mut source = pending.open(index, &session.plan.stop).map_err(Stopped::Input)?;
    let name = source.name().to_owned();
    let first = source.peek_time();
    if !mode.wants_file(first) {
        return Ok(true);
    }
    let known = mode.point_of(usize::from(index));
    session.missing.extend(missing.map(|_| usize::from(index)));
    session.begin_file(&name, first, source.about(), known)?;
    session.begin_records(source.records());
    mode.begin_source(session, &mut source);
    if source.is_text() || !Path::new(&name).is_file() {
        session.totals.ours_alone.insert(usize::from(index));
    }
    // Where one goes on before the other has ended, nothing is missing.
    if let Some(files) = missing.filter(|_| session.point().begins_after_gap()) {
        notices.trouble(&Error { input: name.clone(), trouble: absent(files) });
    }
    mode.begin_file(usize::from(index), &name)?;
    let before = Unread::of(&session.totals);
    let segments_before = session.point().facts().segments();
    let sense = Sense::of(segments_before, &session.totals);
    let mut all_well = to_its_end(session, mode, &mut source, notices)?;
    let segments = session.point().facts().segments();
    sense.doubt_link_type(segments, &mut session.totals);
    let unread = Unread::of(&session.totals).since(&before, &name);
    let matched = segments.saturating_sub(segments_before);
    let unseen = behind_tags(session.plan.filter.as_mut(), matched, &name);
    for error in unread.into_iter().chain(unseen) {
        notices.trouble(&error);
        all_well = false;
    }
    let about = source.about();
    mode.end_file(usize::from(index), about)?;
    if about.lines_skipped > 0 {
        *session.totals.skipped.entry(Skipped::NoPacket).or_default() += about.lines_skipped;
    }
    session.named.take_comments(about);
    if !mode.left_some() {
        session.end_file(about, source.modified())?;
    }
    Ok(all_well)
}

/// Follows a file as far as it can be read, and hears its last words: what could not be read before it was cut off is
/// a failure all the same.
fn to_its_end(
    session: &mut Session,
    mode: &mut impl Mode<FileSource>,
    source: &mut FileSource,
    notices: &mut dyn Notices,
) -> Result<bool, Stopped> {
    match follow(session, mode, source, notices) {
        Err(Stopped::Input(error)) => {
            session.cut_off(&error);
            notices.trouble(&error);
            let Followed { all_well, .. } = follow(session, mode, source, notices)?;
            Ok(all_well && !error.trouble.is_failure())
        }
        read => read.map(|followed| followed.all_well),
    }
}
