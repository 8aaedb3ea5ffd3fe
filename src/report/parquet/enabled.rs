//! A report as a table of connections.

use std::io::{self, Write};

use super::NotBuiltIn;
use super::columns::{COLUMNS, of_socket};
use super::table::Table;
use crate::owner::Socket;
use crate::summary::{Row, Sink, Totals};

/// Asked before anything is read.
pub fn check() -> Result<(), NotBuiltIn> {
    Ok(())
}

/// A sink that writes the table, and its footer in the end.
pub fn sink(out: Box<dyn Write>) -> Box<dyn Sink> {
    Box::new(Parquet {
        table: Table::new("connection", &COLUMNS.map(|(name, cell)| (name, cell.kind()))),
        out,
    })
}

struct Parquet {
    table: Table,
    out: Box<dyn Write>,
}

impl Sink for Parquet {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        let cells = COLUMNS.iter().map(|(_, cell)| cell.of(row));
        self.table.add(cells, &mut self.out)
    }

    fn stuck_before(&mut self, socket: &Socket) -> io::Result<()> {
        let cells = COLUMNS.iter().map(|(name, _)| of_socket(name, socket));
        self.table.add(cells, &mut self.out)
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        self.table.note("closewait.packets", totals.facts.packets().to_string());
        self.table.note("closewait.flows", totals.tally.flows.to_string());
        self.table.note("closewait.findings", totals.findings().to_string());
        self.table.end(&mut self.out)
    }
}
