//! The finding to look at first, as the report's `next:` has it.

use std::io;

use super::chosen::{Choice, Found};
use crate::run::notices::Nobody;
use crate::run::{Plan, run};
use crate::summary::groups::Groups;
use crate::summary::seen::Seen;
use crate::summary::{Row, Sink, Totals};
use crate::tcp::segment::FlowKey;

/// Reads the captures for it; `None` if there is no finding.
pub fn find_first(plan: Plan) -> io::Result<Option<Found>> {
    let mut first = First::default();
    run(plan, &mut first, &mut Nobody)?;
    Ok(first.found)
}

#[derive(Default)]
struct First {
    groups: Groups,
    found: Option<Found>,
}

impl Sink for First {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        if row.judged.judgement.finding {
            self.groups.add(&Seen::new(row));
        }
        Ok(())
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        self.found = self.groups.foremost().map(|seen| {
            let place = seen.fin.unwrap_or(seen.first);
            let file = totals.files.get(place.file()).cloned().unwrap_or_default();
            let [a, b] = seen.ends;
            let choice = Choice::Frame { file, number: place.frame() };
            Found { key: FlowKey::new(a, b).0, choice }
        });
        Ok(())
    }
}
