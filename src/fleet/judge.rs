//! Parts become verdicts, by the ordinary state machine.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use foldhash::fast::RandomState;

use super::keyed::{Key, Shard};
use super::part::{self, At, Footer};
use super::read::{Fault, PartReader, Wanted};
use crate::capture::series::{missing, rank};
use crate::capture::{Error, Trouble};
use crate::engine::crew::Crew;
use crate::facts::Seen;
use crate::printable::printable;
use crate::run::copies::{Beginnings, Copies};
use crate::run::session::{Session, Stopped};
use crate::run::share::Share;
use crate::run::unread::{absent, sealed};
use crate::run::{Notices, Outcome, Plan};
use crate::summary::Sink;

/// Parts of one capture point, and how to judge them.
pub struct JudgePlan {
    /// [`Plan::inputs`] are the parts.
    pub plan: Plan,
    /// The share of all connections that is judged here.
    pub shard: Shard,
    /// Facts that all shares have told, where they are known.
    pub told: Option<Share>,
}

/// The result of judging.
#[derive(Debug, Default)]
pub struct Judged {
    /// The result of the run, as for captures.
    pub outcome: Outcome,
    /// Facts of this share that the others have to know.
    pub tells: Share,
    /// Parts without payload, which was not asked for, and all parts.
    pub without_contents: [usize; 2],
}

/// A part whose turn has not come.
struct Waiting {
    path: PathBuf,
    footer: Footer,
}

/// Judges the connections of all parts together.
///
/// # Errors
/// Errors of the sink end the run and are returned. What is wrong with a part goes to `notices`, and
/// into the outcome.
pub fn judge(
    asked: JudgePlan,
    sink: &mut dyn Sink,
    notices: &mut dyn Notices,
) -> io::Result<Judged> {
    let JudgePlan { mut plan, shard, told } = asked;
    let mut unread = 0;
    let parts = in_order(&plan, &mut |error| {
        unread += 1;
        notices.trouble(&error);
    });
    let without = parts.iter().filter(|part| !part.footer.contents).count();
    let without_contents = [without, parts.len()];
    // Where some have payload, that of the others is missing, as if their packets had been cut.
    plan.reading.no_content |= without == parts.len();
    let key = Key(parts.first().map_or(0, |part| part.footer.key));
    let wanted = Wanted { shard, key };
    Crew::with(plan.threads.get() - 1, |crew| {
        let mut session = Session::new(plan, sink, crew);
        session.told = told;
        session.copies = copies(&parts);
        session.missing = holes_in_series(&parts, &mut |error| notices.trouble(&error));
        let hasher = RandomState::default();
        for part in parts {
            match read(&mut session, &part, wanted, &hasher, notices) {
                Ok(all_well) => unread += u64::from(!all_well),
                Err(Stopped::Output(error)) => return Err(error),
                Err(Stopped::Input(error)) => {
                    unread += 1;
                    notices.trouble(&error);
                }
            }
        }
        session.totals.unread = unread;
        if session.points.is_empty() {
            let outcome = Outcome { failed: unread > 0, ..Outcome::default() };
            return Ok(Judged { outcome, ..Judged::default() });
        }
        if let Some(trouble) = ties(&session, shard) {
            unread += 1;
            notices.trouble(&trouble);
        }
        session.settle()?;
        if let Some(error) = sealed(&session.totals) {
            unread += 1;
            notices.trouble(&error);
        }
        let tells = std::mem::take(&mut session.tells);
        let outcome = Outcome::of(session, unread > 0)?;
        Ok(Judged { outcome, tells, without_contents })
    })
}

/// Opens all parts once, and orders them as captures are: by their first packets, and where these came at the same
/// time by their names; those without any come last.
fn in_order(plan: &Plan, trouble: &mut dyn FnMut(Error)) -> Vec<Waiting> {
    let mut parts = Vec::new();
    for input in &plan.inputs {
        match PartReader::open(&input.0) {
            Ok(part) => parts.push(Waiting { path: input.0.clone(), footer: part.footer }),
            Err(fault) => trouble(broken(&input.0, &fault)),
        }
    }
    parts.sort_by_cached_key(|Waiting { footer, .. }| {
        let first = footer.first.map(|first| part::time(first.time_ns));
        (first.is_none(), first, rank(&footer.file))
    });
    parts
}

/// Finds the parts that show what others show: they are of captures by other clocks.
fn copies(parts: &[Waiting]) -> Copies {
    let mut beginnings = Beginnings::default();
    for Waiting { footer, .. } in parts {
        beginnings.take(&printable(&footer.file), footer.handshakes.iter().copied());
    }
    beginnings.copies()
}

/// Finds the parts before which others are missing: that is said, and such a series has a gap there.
fn holes_in_series(parts: &[Waiting], trouble: &mut dyn FnMut(Error)) -> BTreeSet<usize> {
    let names: Vec<&str> = parts.iter().map(|part| part.footer.file.as_str()).collect();
    let missing = missing(&names);
    for (at, files) in &missing {
        trouble(Error { input: printable(names[*at]), trouble: absent(*files) });
    }
    missing.into_iter().map(|(at, _)| at).collect()
}

/// Reads one part. Returns false if its file could not be read wholly when the part was made.
fn read(
    session: &mut Session,
    part: &Waiting,
    wanted: Wanted,
    hasher: &RandomState,
    notices: &mut dyn Notices,
) -> Result<bool, Stopped> {
    let Ok(file) = u16::try_from(session.totals.files.len()) else {
        return Err(io::Error::other("more than 65,536 parts at once: judge them in turn").into());
    };
    let Waiting { path, footer } = part;
    let reader = PartReader::<File>::open(path).map_err(|fault| broken(path, &fault));
    let reader = reader.map_err(Stopped::Input)?;
    let first = footer.first.map(|first| first.place(file));
    session.begin_file(
        &printable(&footer.file),
        first.map(|first| first.time),
        &footer.before.about(),
        None,
    )?;
    session.point_mut().facts_mut().take(&Seen { first, ..Seen::default() });
    let rows = reader.each(wanted, file, hasher, |row| {
        if row.is_own {
            return Ok(session.take_row(row.segment, row.payload, row.process)?);
        }
        session.learn_row(row.segment, row.payload);
        Ok::<(), Halted>(())
    });
    let damaged = match rows {
        Ok(()) => None,
        Err(Halted::Sink(error)) => return Err(Stopped::Output(error)),
        Err(Halted::Part(fault)) => Some(broken(path, &fault)),
    };
    end(session, footer, file, wanted.shard)?;
    let mut all_well = true;
    for (sentence, is_failure) in &footer.troubles {
        all_well &= !is_failure;
        let trouble = Trouble::Told { sentence: printable(sentence), is_failure: *is_failure };
        notices.trouble(&Error { input: printable(&footer.file), trouble });
    }
    match damaged {
        None => Ok(all_well),
        Some(error) => {
            session.point_mut().facts_mut().cut_off();
            Err(Stopped::Input(error))
        }
    }
}

/// Takes in what a part says of its file, beside its rows.
fn end(session: &mut Session, footer: &Footer, file: u16, shard: Shard) -> io::Result<()> {
    // What belongs to no connection, the first share counts.
    let others = if shard.is_first() { footer.packets.saturating_sub(footer.segments) } else { 0 };
    let place = |at: At| at.place(file);
    let (last, newest) = (footer.last.map(place), footer.newest.map(place));
    let undated = footer.undated.map(place);
    let facts = session.point_mut().facts_mut();
    facts.take(&Seen { packets: others, last, behind: newest, undated, ..Seen::default() });
    facts.note_more(footer.bare_acks, footer.empty_segments);
    if footer.truncated {
        facts.cut_off();
    }
    let known = &mut session.totals.segments_before;
    *known = known.saturating_add(footer.segments);
    if shard.is_first() {
        session.totals.cut_off += u64::from(footer.truncated);
        for (why, (may_be_tcp, packets)) in &footer.skipped {
            let known = session.totals.skipped_before.entry(printable(why)).or_default();
            *known = (*may_be_tcp, known.1.saturating_add(*packets));
        }
    }
    session.end_file(&footer.after.about(), footer.modified.map(|at| part::time(Some(at))))
}

/// Connections that belong together and may be of different shares: no share can judge them alone.
fn ties(session: &Session, shard: Shard) -> Option<Error> {
    if shard.is_all() {
        return None;
    }
    let sentence = if session.points.len() > 1 {
        "files overlap, so they are of several capture points: a folder each, or judge them whole, without --shard"
    } else if session.points.iter().any(|point| point.rewrites.were_any()) {
        "connections are shown under two pairs of addresses, which belong together: judge the capture whole, without --shard"
    } else {
        return None;
    };
    let trouble = Trouble::Told { sentence: sentence.to_owned(), is_failure: true };
    Some(Error { input: format!("--shard {shard}"), trouble })
}

fn broken(path: &Path, fault: &Fault) -> Error {
    let trouble = Trouble::NotAPart(printable(&fault.to_string()));
    Error { input: printable(&path.to_string_lossy()), trouble }
}

/// The reason why rows are handed over no longer.
enum Halted {
    Sink(io::Error),
    Part(Fault),
}

impl From<Fault> for Halted {
    fn from(fault: Fault) -> Halted {
        Halted::Part(fault)
    }
}

impl From<io::Error> for Halted {
    fn from(error: io::Error) -> Halted {
        Halted::Sink(error)
    }
}
