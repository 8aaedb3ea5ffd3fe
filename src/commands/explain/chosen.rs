//! The connection that is explained, among those of its 4-tuple.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use crate::code::Code;
use crate::report::ladder::{Other, Subject};
use crate::run::trace::{Followed, Trace, TracedPacket};
use crate::summary::cause::Cause;
use crate::summary::seen::Process;
use crate::summary::{Judged, Owner, Row, Sink, Totals};
use crate::tcp::flow::{Flow, FlowId};
use crate::tcp::segment::{FlowKey, Segment};

/// The way a connection is chosen.
#[derive(Clone, Debug)]
pub enum Choice {
    Last,
    Frame { file: String, number: u64 },
}

/// A 4-tuple, and which of its connections.
pub struct Found {
    pub key: FlowKey,
    pub choice: Choice,
}

/// Connections that are named beside it.
const OTHERS: usize = 8;

/// Gathers what is known of the connection.
pub struct Chosen {
    last: bool,
    /// Once that is known.
    target: Rc<Cell<Option<FlowId>>>,
    kept: Option<Kept>,
    others: Vec<Other>,
    rows: u64,
    totals: Totals,
}

/// A row, as far as it is explained.
pub struct Kept {
    judged: Judged,
    cause: Option<Cause>,
    process: Process,
    /// The code that used its socket, where the capture has that.
    code: Option<Code>,
}

impl Kept {
    pub fn of(row: &Row) -> Kept {
        let (judged, process) = (row.judged.clone(), Process::new(row.owner));
        Kept { judged, cause: row.cause, process, code: row.owner.code().cloned() }
    }
}

impl Chosen {
    pub fn new(found: &Found) -> Chosen {
        Chosen {
            last: matches!(found.choice, Choice::Last),
            target: Rc::default(),
            kept: None,
            others: Vec::new(),
            rows: 0,
            totals: Totals::default(),
        }
    }

    /// An onlooker who sees which connection the frame belongs to.
    pub fn mark(&self, found: &Found) -> Mark {
        let (key, choice) = (found.key, found.choice.clone());
        let (target, followed) = (Rc::clone(&self.target), Followed::default());
        Mark { key, choice, is_file: false, target, followed }
    }

    pub fn is_none(&self) -> bool {
        self.kept.is_none()
    }

    /// The connection, if all of its capture bears on it: what has ended tells by itself how.
    pub fn is_of_the_whole(&self) -> Option<FlowId> {
        let judged = &self.kept.as_ref()?.judged;
        judged.judgement.is_notable().then(|| judged.id())
    }

    /// Takes what all of the capture shows of it.
    pub fn learn(&mut self, whole: Kept) {
        self.kept = Some(whole);
    }

    pub fn is_finding(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.judged.judgement.finding)
    }

    pub fn with_subject(&self, tell: impl FnOnce(&Subject) -> io::Result<()>) -> io::Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        let row = Row {
            judged: &kept.judged,
            files: &self.totals.files,
            owner: match &kept.code {
                None => Owner::NotAsked,
                code => Owner::Said(&[], code.as_ref()),
            },
            cause: kept.cause,
        };
        let first = kept.judged.flow.first;
        let others: Vec<Other> =
            self.others.iter().filter(|other| other.first != first).copied().collect();
        let others = others.get(..OTHERS).unwrap_or(&others);
        let (process, more) = (&kept.process, self.rows.saturating_sub(1));
        tell(&Subject { row, process, totals: &self.totals, others, more })
    }

    /// The later of two begins later; between capture points, only time can tell. One that several points saw
    /// stands for what each of them saw.
    fn is_wanted(&self, judged: &Judged) -> bool {
        let flow = &judged.flow;
        let points = judged.elsewhere.iter().flat_map(|elsewhere| &elsewhere.points);
        let mut sights = points.map(|point| FlowId::of(point.first)).chain([flow.id()]);
        let rank = |flow: &Flow| (flow.first.time, flow.id());
        match self.last {
            true => self.kept.as_ref().is_none_or(|kept| rank(flow) >= rank(&kept.judged.flow)),
            false => self.target.get().is_some_and(|target| sights.any(|id| id == target)),
        }
    }
}

impl Sink for Chosen {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        self.rows += 1;
        if self.others.len() <= OTHERS {
            let (first, verdict) = (row.judged.flow.first, row.judged.judgement.verdict);
            self.others.push(Other { first, verdict });
        }
        if self.is_wanted(row.judged) {
            self.kept = Some(Kept::of(row));
        }
        Ok(())
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        self.totals = totals.clone();
        Ok(())
    }
}

/// Sees which connection the frame belongs to.
pub struct Mark {
    key: FlowKey,
    choice: Choice,
    /// The file that is being read is the frame's.
    is_file: bool,
    target: Rc<Cell<Option<FlowId>>>,
    followed: Followed,
}

impl Trace for Mark {
    fn wants(&self, segment: &Segment) -> bool {
        segment.key == self.key
    }

    fn begin_file(&mut self, _: usize, name: &str) -> io::Result<()> {
        // The same file twice: the first.
        self.is_file = matches!(&self.choice, Choice::Frame { file, .. } if file == name)
            && self.target.get().is_none();
        Ok(())
    }

    fn take(&mut self, traced: TracedPacket) -> io::Result<()> {
        let Choice::Frame { number, .. } = self.choice else { return Ok(()) };
        let flow = self.followed.take(traced.point, traced.segment);
        if self.is_file && traced.segment.place.frame() == number {
            self.target.set(flow.map(|flow| flow.id()));
        }
        Ok(())
    }
}
