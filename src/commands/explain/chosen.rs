//! The connection that is explained, among those of its 4-tuple.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use super::find::Found;
use crate::attach::mysql::Facts;
use crate::cause::Cause;
use crate::owner::Socket;
use crate::place::Time;
use crate::report::ladder::{Other, Subject};
use crate::report::{EventKind, Owner, Render, Row, Totals};
use crate::run::trace::{Followed, Trace, Traced};
use crate::tcp::flow::Flow;
use crate::tcp::segment::{FlowKey, Segment};
use crate::verdict::Judgement;

/// How it is chosen.
#[derive(Clone, Debug)]
pub enum Choice {
    Last,
    Frame { file: String, number: u64 },
}

/// Connections that are named beside it.
const OTHERS: usize = 8;

/// Gathers what is known of the connection.
pub struct Chosen {
    last: bool,
    /// The place of its first packet, by [`crate::place::Place::order`], once that is known.
    target: Rc<Cell<Option<u64>>>,
    kept: Option<Kept>,
    others: Vec<Other>,
    rows: u64,
    totals: Totals,
}

struct Kept {
    key: FlowKey,
    flow: Flow,
    judgement: Judgement,
    end: Time,
    mysql: Option<Facts>,
    cause: Option<Cause>,
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

    /// Who sees which connection the frame belongs to.
    pub fn mark(&self, found: &Found) -> Mark {
        let (key, choice) = (found.key, found.choice.clone());
        let (target, followed) = (Rc::clone(&self.target), Followed::default());
        Mark { key, choice, is_file: false, target, followed }
    }

    pub fn is_none(&self) -> bool {
        self.kept.is_none()
    }

    pub fn is_finding(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.judgement.finding)
    }

    pub fn with_subject(&self, tell: impl FnOnce(&Subject) -> io::Result<()>) -> io::Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        let row = Row {
            key: &kept.key,
            flow: &kept.flow,
            judgement: &kept.judgement,
            end: kept.end,
            files: &self.totals.files,
            owner: Owner::NotAsked,
            elsewhere: None,
            mysql: kept.mysql.as_ref(),
            cause: kept.cause,
        };
        let first = kept.flow.first.order();
        let others: Vec<Other> =
            self.others.iter().filter(|other| other.first.order() != first).copied().collect();
        let others = others.get(..OTHERS).unwrap_or(&others);
        tell(&Subject { row, totals: &self.totals, others, more: self.rows.saturating_sub(1) })
    }

    /// The later of two begins later; between capture points, only time can tell.
    fn is_wanted(&self, flow: &Flow) -> bool {
        let rank = |flow: &Flow| (flow.first.time, flow.first.order());
        match self.last {
            true => self.kept.as_ref().is_none_or(|kept| rank(flow) >= rank(&kept.flow)),
            false => self.target.get() == Some(flow.first.order()),
        }
    }
}

impl Render for Chosen {
    fn event(&mut self, _: EventKind, _: &Row) -> io::Result<()> {
        Ok(())
    }

    fn event_before(&mut self, _: &Socket, _: Time) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        self.rows += 1;
        if self.others.len() <= OTHERS {
            let (first, verdict) = (row.flow.first, row.judgement.verdict);
            self.others.push(Other { first, verdict });
        }
        if self.is_wanted(row.flow) {
            self.kept = Some(Kept {
                key: *row.key,
                flow: row.flow.clone(),
                judgement: row.judgement.clone(),
                end: row.end,
                mysql: row.mysql.cloned(),
                cause: row.cause,
            });
        }
        Ok(())
    }

    fn stuck_before(&mut self, _: &Socket) -> io::Result<()> {
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
    target: Rc<Cell<Option<u64>>>,
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

    fn take(&mut self, traced: Traced) -> io::Result<()> {
        let Choice::Frame { number, .. } = self.choice else { return Ok(()) };
        let flow = self.followed.take(traced.point, traced.segment);
        if self.is_file && traced.segment.place.frame() == number {
            self.target.set(flow.map(|flow| flow.first.order()));
        }
        Ok(())
    }
}
