//! `--format csv`: RFC 4180, a line of names, then a line a connection.
//!
//! The columns are the keys of the JSON lines, flattened. A spreadsheet runs a cell that begins like
//! a formula, so such a cell gets an apostrophe before it.

use std::io::{self, Write};

use super::evidence::evidence;
use super::ids::{community_id, uid};
use super::jsonl::{local_name, side_name};
use super::units::{rfc3339, seconds};
use super::{EventKind, Owner, Render, Row, Totals};
use crate::attach::mysql::Facts;
use crate::cause::Cause;
use crate::names::host;
use crate::owner::{Holder, Socket};
use crate::place::{Place, Time};
use crate::tcp::flow::Side;
use crate::verdict::Verdict;

/// Writes comma-separated values.
pub struct Csv<W: Write> {
    out: csv::Writer<W>,
    begun: bool,
}

impl<W: Write> Csv<W> {
    pub fn new(out: W) -> Csv<W> {
        Csv {
            out: csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out),
            begun: false,
        }
    }

    fn names(&mut self) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            self.out.write_record(COLUMNS.map(|(name, _)| name)).map_err(io::Error::from)?;
        }
        Ok(())
    }
}

impl<W: Write> Render for Csv<W> {
    /// A table of connections has no place for it; each stands in it in the end.
    fn event(&mut self, _: EventKind, _: &Row) -> io::Result<()> {
        Ok(())
    }

    fn event_before(&mut self, _: &Socket, _: Time) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        self.names()?;
        let cells = COLUMNS.map(|(_, cell)| defused(cell(row)));
        self.out.write_record(cells).map_err(io::Error::from)
    }

    fn stuck_before(&mut self, socket: &Socket) -> io::Result<()> {
        self.names()?;
        let holder = socket.holders.first();
        let cells = COLUMNS.map(|(name, _)| match name {
            "verdict" => "leak".into(),
            "finding" => "true".into(),
            "close" => "half-closed".into(),
            "holder" | "local" => "a".into(),
            "local_by" => "socket-list".into(),
            "a.ip" => socket.local.ip.to_string(),
            "a.port" => socket.local.port.to_string(),
            "a.state" | "kernel.state" => socket.state.name().into(),
            "b.ip" => socket.peer.ip.to_string(),
            "b.port" => socket.peer.port.to_string(),
            "process.pid" => holder.map_or(String::new(), |h| h.pid.to_string()),
            "process.command" => holder.map_or(String::new(), |h| h.command.clone()),
            "process.fd" => holder.map_or(String::new(), |h| h.fd.to_string()),
            "before_capture" => "true".into(),
            _ => String::new(),
        });
        self.out.write_record(cells.map(defused)).map_err(io::Error::from)
    }

    fn end(&mut self, _: &Totals) -> io::Result<()> {
        self.names()?;
        self.out.flush()
    }
}

type Column = (&'static str, fn(&Row) -> String);

const COLUMNS: [Column; 48] = [
    ("uid", |row| uid(row.key, row.flow)),
    ("community_id", |row| community_id(row.key).unwrap_or_default()),
    ("verdict", |row| row.judgement.verdict.name().into()),
    ("finding", |row| row.judgement.finding.to_string()),
    ("reason", |row| match row.judgement.verdict {
        Verdict::Unknown(reason) => reason.name().into(),
        _ => String::new(),
    }),
    ("doubts", |row| joined(row.judgement.doubts.iter().map(|doubt| doubt.name()))),
    ("notes", |row| joined(row.judgement.notes.iter().map(|note| note.name()))),
    ("close", |row| row.judgement.close.name().into()),
    ("holder", |row| row.judgement.holder.map_or("", side_name).into()),
    ("local", |row| local_name(row.judgement.local).unwrap_or_default().into()),
    ("local_by", |row| row.judgement.local_by.map_or("", |by| by.name()).into()),
    ("a.ip", |row| host(row.key.endpoint(row.flow.end(Side::A)).ip)),
    ("a.port", |row| row.key.endpoint(row.flow.end(Side::A)).port.to_string()),
    ("a.state", |row| row.flow.state(Side::A, row.end).name().into()),
    ("a.packets", |row| row.flow.half(Side::A).packets().to_string()),
    ("a.payload_bytes", |row| row.flow.half(Side::A).payload_bytes.to_string()),
    ("b.ip", |row| host(row.key.endpoint(row.flow.end(Side::B)).ip)),
    ("b.port", |row| row.key.endpoint(row.flow.end(Side::B)).port.to_string()),
    ("b.state", |row| row.flow.state(Side::B, row.end).name().into()),
    ("b.packets", |row| row.flow.half(Side::B).packets().to_string()),
    ("b.payload_bytes", |row| row.flow.half(Side::B).payload_bytes.to_string()),
    ("first.time", |row| rfc3339(row.flow.first).unwrap_or_default()),
    ("first.file", |row| row.files.get(row.flow.first.file()).cloned().unwrap_or_default()),
    ("first.frame", |row| row.flow.first.frame().to_string()),
    ("last.time", |row| rfc3339(row.flow.last).unwrap_or_default()),
    ("fin.time", |row| first_fin(row).and_then(rfc3339).unwrap_or_default()),
    ("fin.frame", |row| first_fin(row).map_or(String::new(), |p| p.frame().to_string())),
    ("fin_acked.time", |row| first_fin_acked(row).and_then(rfc3339).unwrap_or_default()),
    ("last_payload.time", |row| row.flow.last_payload().and_then(rfc3339).unwrap_or_default()),
    ("held_s", |row| row.judgement.held.map_or(String::new(), |d| seconds(d).to_string())),
    ("idle_before_fin_s", |row| {
        row.judgement.idle_before_fin.map_or(String::new(), |d| seconds(d).to_string())
    }),
    ("process.pid", |row| holder(row).map_or(String::new(), |h| h.pid.to_string())),
    ("process.command", |row| holder(row).map_or(String::new(), |h| h.command.clone())),
    ("process.fd", |row| holder(row).map_or(String::new(), |h| h.fd.to_string())),
    ("kernel.state", |row| match row.owner {
        Owner::Listed(socket) => socket.state.name().into(),
        Owner::NotAsked | Owner::NotListed => String::new(),
    }),
    ("before_capture", |_| "false".into()),
    ("cause", |row| row.cause.map_or("", Cause::name).into()),
    ("evidence", |row| evidence(row).join("; ")),
    ("mysql.version", |row| mysql(row, |m| opt(&m.version))),
    ("mysql.user", |row| mysql(row, |m| opt(&m.user))),
    ("mysql.database", |row| mysql(row, |m| opt(&m.database))),
    ("mysql.last_statement", |row| mysql(row, |m| opt(&m.last_statement))),
    ("mysql.last_statement_at", |row| mysql(row, |m| time(m.last_statement_at))),
    ("mysql.answered", |row| mysql(row, |m| yes(m.answered))),
    ("mysql.in_transaction", |row| mysql(row, |m| yes(m.in_transaction))),
    ("mysql.transaction_since", |row| mysql(row, |m| time(m.transaction_since))),
    ("mysql.statements", |row| mysql(row, |m| m.statements.join("; "))),
    ("mysql.server_error", |row| {
        mysql(row, |m| {
            m.server_error.as_ref().map_or(String::new(), |e| format!("{} {}", e.code, e.message))
        })
    }),
];

fn mysql(row: &Row, cell: impl Fn(&Facts) -> String) -> String {
    row.mysql.map_or(String::new(), cell)
}

fn opt(text: &Option<Box<str>>) -> String {
    text.as_deref().unwrap_or_default().into()
}

fn yes(known: Option<bool>) -> String {
    known.map_or(String::new(), |yes| yes.to_string())
}

fn time(at: Option<Time>) -> String {
    at.and_then(|at| rfc3339(Place::new(at, 0, 1, 6))).unwrap_or_default()
}

fn holder<'a>(row: &Row<'a>) -> Option<&'a Holder> {
    match row.owner {
        Owner::Listed(socket) => socket.holders.first(),
        Owner::NotAsked | Owner::NotListed => None,
    }
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(" ")
}

fn first_fin(row: &Row) -> Option<Place> {
    row.flow.first_fin().map(|(_, fin)| fin.place)
}

fn first_fin_acked(row: &Row) -> Option<Place> {
    row.flow.first_fin().and_then(|(_, fin)| fin.acked)
}

/// A cell that a spreadsheet would not take for a formula.
pub fn defused(cell: String) -> String {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{cell}"),
        false => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_text() {
        assert_eq!(defused("=HYPERLINK(\"http://x\")".into()), "'=HYPERLINK(\"http://x\")");
        assert_eq!(defused("-".into()), "'-");
        assert_eq!(defused("10.0.0.5".into()), "10.0.0.5");
    }
}
