//! A connection as all of its capture shows it.
//!
//! Packets that are missing elsewhere bear on every verdict in it, and the other leg of a proxy, or the
//! same connection at another point, has another 4-tuple.

use std::io;

use super::chosen::Kept;
use crate::run::notices::Nobody;
use crate::run::{Plan, run};
use crate::summary::{Row, Sink};
use crate::tcp::flow::FlowId;

/// Reads the captures for it; `None` if the report has no such connection: it may stand for itself
/// elsewhere.
pub fn find_whole(plan: Plan, id: FlowId) -> io::Result<Option<Kept>> {
    let mut whole = Whole { id, kept: None };
    run(plan, &mut whole, &mut Nobody)?;
    Ok(whole.kept)
}

/// Rows come in the order of their first packets, so all of them wait for their other legs.
struct Whole {
    id: FlowId,
    kept: Option<Kept>,
}

impl Sink for Whole {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        if row.judged.id() == self.id {
            self.kept = Some(Kept::of(row));
        }
        Ok(())
    }
}
