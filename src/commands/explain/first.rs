//! The connection with the first finding.

use std::io;

use super::chosen::{Choice, Found};
use crate::run::notices::Nobody;
use crate::run::{Plan, run};
use crate::summary::{Row, Sink};

/// Reads the captures for it; `None` if there is no finding.
pub fn find_first(plan: Plan) -> io::Result<Option<Found>> {
    let mut first = First(None);
    run(plan, &mut first, &mut Nobody)?;
    Ok(first.0)
}

/// Rows come in the order of their first packets.
struct First(Option<Found>);

impl Sink for First {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        if self.0.is_none() && row.judged.judgement.finding {
            let place = row.judged.flow.first;
            let file = row.files.get(place.file()).cloned().unwrap_or_default();
            let choice = Choice::Frame { file, number: place.frame() };
            self.0 = Some(Found { key: row.judged.key, choice });
        }
        Ok(())
    }
}
