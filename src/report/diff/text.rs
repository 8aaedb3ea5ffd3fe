//! Changes, for the person at the prompt.

use std::io::{self, Write};

use super::{Comparison, cause, service, shown};
use crate::report::table::write_table;
use crate::report::text::{ALARM, CALM};
use crate::summary::compare::{Change, Fate};
use crate::units::thousands;

/// Characters of statements in a line.
const WIDE: usize = 100;

/// Writes a headline, then the kinds of leaks by their fate.
pub fn write(out: &mut dyn Write, all: &Comparison) -> io::Result<()> {
    let style = if all.with(Fate::New) > 0 { ALARM } else { CALM };
    writeln!(out, "{style}{}{style:#}.", all.headline())?;
    for fate in Fate::ALL {
        let changes: Vec<&Change> = all.changes.iter().filter(|c| c.fate == fate).collect();
        if !changes.is_empty() {
            writeln!(out, "\n{}", fate.name())?;
            changes.iter().try_for_each(|change| one(out, change))?;
        }
    }
    let cautions = all.cautions();
    if !cautions.is_empty() {
        writeln!(out)?;
    }
    cautions.iter().try_for_each(|caution| writeln!(out, "{caution}"))?;
    out.flush()
}

fn one(mut out: &mut dyn Write, change: &Change) -> io::Result<()> {
    let Change { kind, before, after, .. } = change;
    let n = format!("{} → {}", thousands(before.connections), thousands(after.connections));
    let found = if change.fate == Fate::Gone { before } else { after };
    let held = found.longest.map_or(String::new(), |held| format!("held {held}"));
    let doubted = match found.doubted {
        0 => String::new(),
        n => format!("{} with doubts", thousands(n)),
    };
    let row = vec![n, service(kind), cause(kind).into(), held, doubted];
    write_table(&mut out, &[row], &[])?;
    if !kind.statements.is_empty() {
        let said = kind.statements.join("; ");
        let short: String = said.chars().take(WIDE).collect();
        let more = if short.len() < said.len() { "…" } else { "" };
        writeln!(out, "       {short}{more}")?;
    }
    if let Some(code) = &kind.code {
        writeln!(out, "       by {code}")?;
    }
    if change.fate == Fate::Gone {
        writeln!(out, "       {}", shown(change))?;
    }
    Ok(())
}
