//! The addresses under which a connection is judged whose addresses were rewritten on the way.

use std::io;

use crate::run::notices::Nobody;
use crate::run::{Plan, run};
use crate::summary::{Row, Sink};
use crate::tcp::segment::FlowKey;

/// Reads the captures for a connection that has this other 4-tuple, too.
pub fn find_renamed(plan: Plan, other: FlowKey) -> io::Result<Option<FlowKey>> {
    let mut renamed = Renamed { other, key: None };
    run(plan, &mut renamed, &mut Nobody)?;
    Ok(renamed.key)
}

struct Renamed {
    other: FlowKey,
    key: Option<FlowKey>,
}

impl Sink for Renamed {
    fn takes_any_order(&self) -> bool {
        true
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        let elsewhere = row.judged.elsewhere.as_ref();
        if let Some([a, b]) = elsewhere.and_then(|elsewhere| elsewhere.rewritten_as)
            && FlowKey::new(a, b).0 == self.other
        {
            self.key = Some(row.judged.key);
        }
        Ok(())
    }
}
