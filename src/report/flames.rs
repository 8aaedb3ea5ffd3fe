//! The report, and flame graphs of what it is about.

use std::io::{self, Write};

use super::flamegraph;
use super::stacks::{Count, Stacks, write_folded};
use crate::owner::Socket;
use crate::place::Time;
use crate::summary::growth::Grown;
use crate::summary::{EventKind, Row, Sink, Totals};

/// The form in which stacks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawing {
    /// As text, for other tools.
    Folded,
    /// The findings.
    Graph,
    /// The findings against what was closed.
    Diff,
}

/// Counts stacks beside a report, and draws them in the end.
pub struct Flames {
    /// None if standard output is a drawing's.
    report: Option<Box<dyn Sink>>,
    drawings: Vec<(Drawing, Box<dyn Write>)>,
    /// Every connection that is reported, not only the findings.
    all: bool,
    stacks: Stacks,
}

impl Flames {
    /// Draws beside a report, if there is one; `all` counts connections without a finding, too.
    pub fn new(
        report: Option<Box<dyn Sink>>,
        drawings: Vec<(Drawing, Box<dyn Write>)>,
        all: bool,
    ) -> Flames {
        Flames { report, drawings, all, stacks: Stacks::default() }
    }

    fn report(&mut self, tell: impl FnOnce(&mut dyn Sink) -> io::Result<()>) -> io::Result<()> {
        self.report.as_mut().map_or(Ok(()), |report| tell(report.as_mut()))
    }
}

impl Sink for Flames {
    fn takes_any_order(&self) -> bool {
        self.report.as_ref().is_none_or(|report| report.takes_any_order())
    }

    fn event(&mut self, kind: EventKind, row: &Row, grown: Option<&Grown>) -> io::Result<()> {
        self.report(|report| report.event(kind, row, grown))
    }

    fn event_before(&mut self, kind: EventKind, socket: &Socket, at: Time) -> io::Result<()> {
        self.report(|report| report.event_before(kind, socket, at))
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        self.stacks.count(row);
        self.report(|report| report.row(row))
    }

    fn unreported(&mut self, row: &Row) -> io::Result<()> {
        self.stacks.count(row);
        Ok(())
    }

    fn stuck_before(&mut self, socket: &Socket) -> io::Result<()> {
        self.stacks.count_before(socket);
        self.report(|report| report.stuck_before(socket))
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        self.report(|report| report.end(totals))?;
        let of = if self.all { Count::all } else { |count: Count| count.findings };
        for (drawing, out) in &mut self.drawings {
            let counts = self.stacks.iter().map(|(stack, count)| (stack, of(count)));
            match drawing {
                Drawing::Folded => write_folded(out, counts)?,
                Drawing::Graph => flamegraph::graph(out, counts, self.all)?,
                Drawing::Diff => flamegraph::diff(out, self.stacks.iter())?,
            }
            out.flush()?;
        }
        Ok(())
    }
}
