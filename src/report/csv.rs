//! `--format csv`: RFC 4180, a line of names, then a line a connection.
//!
//! The columns are the keys of the JSON lines, flattened. A spreadsheet runs a cell that begins like
//! a formula, so such a cell gets an apostrophe before it.

use std::io::{self, Write};

use super::ids::{community_id, uid, uid_of_socket};
use super::lines::{defused, local_name, side_name};
use super::sockets::lines::{descriptor, span};
use crate::attach::Facts;
use crate::names::host;
use crate::owner::{Holder, Socket};
use crate::place::{Place, Time};
use crate::summary::cause::Cause;
use crate::summary::evidence::evidence;
use crate::summary::{Row, Sink, Totals};
use crate::tcp::segment::{Endpoint, FlowKey};
use crate::tcp::side::Side;
use crate::units::{DIGITS, rfc3339, seconds};
use crate::verdict::{Close, Verdict};

/// Writes comma-separated values.
pub struct Csv<W: Write> {
    out: csv::Writer<W>,
    begun: bool,
}

impl<W: Write> Csv<W> {
    /// Writes to `out`; the line of names comes before the first row.
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

impl<W: Write> Sink for Csv<W> {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        self.names()?;
        let cells = COLUMNS.map(|(_, cell)| defused(cell(row)));
        self.out.write_record(cells).map_err(io::Error::from)
    }

    fn stuck_before(&mut self, socket: &Socket) -> io::Result<()> {
        self.names()?;
        let holder = socket.holders.first();
        let (key, _) = FlowKey::new(socket.local, socket.peer);
        let cells = COLUMNS.map(|(name, _)| match name {
            "uid" => uid_of_socket(socket),
            "community_id" => community_id(&key).unwrap_or_default(),
            "verdict" => Verdict::Leak.name().into(),
            "finding" => "true".into(),
            "close" => Close::HalfClosed.name().into(),
            "holder" | "local" => "a".into(),
            "local_by" => "socket-list".into(),
            "a.ip" | "held_by.ip" => host(socket.local.ip),
            "a.port" | "held_by.port" => socket.local.port.to_string(),
            "a.state" | "kernel.state" => socket.state.name().into(),
            "b.ip" | "waits_for.ip" => host(socket.peer.ip),
            "b.port" | "waits_for.port" => socket.peer.port.to_string(),
            "process.pid" => holder.map_or(String::new(), |h| h.pid.to_string()),
            "process.command" => holder.map_or(String::new(), |h| h.command.clone()),
            "process.fd" => holder.map_or(String::new(), descriptor),
            "process.uid" => number(holder.and_then(|holder| holder.uid)),
            "kernel.recv_q" => number(socket.recv_q),
            "cause" => Cause::of_socket(socket).map_or("", Cause::name).into(),
            "before_capture" => (!socket.is_unseen).to_string(),
            "held_s" => span(socket.held_for()),
            "idle_before_fin_s" => span(socket.idle_before_fin()),
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

const COLUMNS: [Column; 70] = [
    ("uid", |row| uid(&row.judged.key, &row.judged.flow)),
    ("community_id", |row| community_id(&row.judged.key).unwrap_or_default()),
    ("verdict", |row| row.judged.judgement.verdict.name().into()),
    ("finding", |row| row.judged.judgement.finding.to_string()),
    ("reason", |row| match row.judged.judgement.verdict {
        Verdict::Unknown(reason) => reason.name().into(),
        _ => String::new(),
    }),
    ("doubts", |row| joined(row.judged.judgement.doubts.iter().map(|doubt| doubt.name()))),
    ("notes", |row| joined(row.judged.judgement.notes.iter().map(|note| note.name()))),
    ("close", |row| row.judged.judgement.close.name().into()),
    ("holder", |row| row.judged.judgement.holder.map_or("", side_name).into()),
    ("local", |row| local_name(row.judged.judgement.local).unwrap_or_default().into()),
    ("local_by", |row| row.judged.judgement.local_by.map_or("", |by| by.name()).into()),
    ("a.ip", |row| host(row.judged.endpoint(Side::A).ip)),
    ("a.port", |row| row.judged.endpoint(Side::A).port.to_string()),
    ("a.state", |row| row.judged.state(Side::A).name().into()),
    ("a.packets", |row| row.judged.flow.half(Side::A).packets().to_string()),
    ("a.payload_bytes", |row| row.judged.flow.half(Side::A).payload_bytes.to_string()),
    ("b.ip", |row| host(row.judged.endpoint(Side::B).ip)),
    ("b.port", |row| row.judged.endpoint(Side::B).port.to_string()),
    ("b.state", |row| row.judged.state(Side::B).name().into()),
    ("b.packets", |row| row.judged.flow.half(Side::B).packets().to_string()),
    ("b.payload_bytes", |row| row.judged.flow.half(Side::B).payload_bytes.to_string()),
    ("first.time", |row| time_of(Some(row.judged.flow.first))),
    ("first.file", |row| row.files.get(row.judged.flow.first.file()).cloned().unwrap_or_default()),
    ("first.frame", |row| row.judged.flow.first.frame().to_string()),
    ("last.time", |row| time_of(Some(row.judged.flow.last))),
    ("fin.time", |row| time_of(first_fin(row))),
    ("fin.frame", |row| first_fin(row).map_or(String::new(), |p| p.frame().to_string())),
    ("fin_acked.time", |row| time_of(first_fin_acked(row))),
    ("last_payload.time", |row| time_of(row.judged.flow.last_payload())),
    ("held_s", |row| row.judged.judgement.held.map_or(String::new(), |d| seconds(d).to_string())),
    ("idle_before_fin_s", |row| {
        row.judged.judgement.idle_before_fin.map_or(String::new(), |d| seconds(d).to_string())
    }),
    ("process.pid", |row| holder(row).map_or(String::new(), |h| h.pid.to_string())),
    ("process.command", |row| holder(row).map_or(String::new(), |h| h.command.clone())),
    ("process.fd", |row| holder(row).map_or(String::new(), descriptor)),
    ("kernel.state", |row| row.owner.listed().map_or("", |socket| socket.state.name()).into()),
    ("before_capture", |_| "false".into()),
    ("cause", |row| row.cause.map_or("", Cause::name).into()),
    ("evidence", |row| evidence(row).join("; ")),
    ("mysql.version", |row| mysql(row, |m| opt(&m.server))),
    ("mysql.user", |row| mysql(row, |m| opt(&m.user))),
    ("mysql.database", |row| mysql(row, |m| opt(&m.database))),
    ("mysql.last_statement", |row| mysql(row, |m| opt(&m.last_statement))),
    ("mysql.last_statement_at", |row| mysql(row, |m| time(m.last_statement_at))),
    ("mysql.answered", |row| mysql(row, |m| yes(m.answered))),
    ("mysql.in_transaction", |row| mysql(row, |m| yes(m.in_transaction))),
    ("mysql.transaction_since", |row| mysql(row, |m| time(m.transaction_since))),
    ("mysql.statements", |row| mysql(row, |m| m.statements.join("; "))),
    ("mysql.server_error", |row| mysql(row, error)),
    ("said.protocol", |row| said(row, |m| m.protocol.key.into())),
    ("said.server", |row| said(row, |m| opt(&m.server))),
    ("said.user", |row| said(row, |m| opt(&m.user))),
    ("said.database", |row| said(row, |m| opt(&m.database))),
    ("said.application_name", |row| said(row, |m| opt(&m.application))),
    ("said.driver", |row| said(row, |m| opt(&m.driver))),
    ("said.last_statement", |row| said(row, |m| opt(&m.last_statement))),
    ("said.last_statement_at", |row| said(row, |m| time(m.last_statement_at))),
    ("said.tags", |row| said(row, tags)),
    ("said.answered", |row| said(row, |m| yes(m.answered))),
    ("said.in_transaction", |row| said(row, |m| yes(m.in_transaction))),
    ("said.transaction_since", |row| said(row, |m| time(m.transaction_since))),
    ("said.statements", |row| said(row, |m| m.statements.join("; "))),
    ("said.server_error", |row| said(row, error)),
    ("said.encrypted", |row| said(row, |m| m.encrypted.to_string())),
    ("service", |row| row.judged.flow.service().map_or("", side_name).into()),
    ("held_by.ip", |row| ip(row.judged.holder_end())),
    ("held_by.port", |row| port(row.judged.holder_end())),
    ("waits_for.ip", |row| ip(row.judged.waiting_end())),
    ("waits_for.port", |row| port(row.judged.waiting_end())),
    ("process.uid", |row| number(holder(row).and_then(|holder| holder.uid))),
    ("kernel.recv_q", |row| number(row.owner.listed().and_then(|socket| socket.recv_q))),
];

fn ip(end: Option<Endpoint>) -> String {
    end.map_or(String::new(), |end| host(end.ip))
}

fn port(end: Option<Endpoint>) -> String {
    number(end.map(|end| end.port.into()))
}

fn number(known: Option<u32>) -> String {
    known.map_or(String::new(), |known| known.to_string())
}

fn mysql(row: &Row, cell: impl Fn(&Facts) -> String) -> String {
    let facts = row.judged.said.as_deref();
    facts.filter(|facts| facts.protocol.key == "mysql").map_or(String::new(), cell)
}

/// A cell about any protocol.
fn said(row: &Row, cell: impl Fn(&Facts) -> String) -> String {
    row.judged.said.as_deref().map_or(String::new(), cell)
}

/// `action=update controller=orders`.
fn tags(facts: &Facts) -> String {
    let tags: Vec<String> =
        facts.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    tags.join(" ")
}

fn error(facts: &Facts) -> String {
    let error = facts.server_error.as_ref();
    error.map_or(String::new(), |error| format!("{} {}", error.code, error.message))
}

fn opt(text: &Option<Box<str>>) -> String {
    text.as_deref().unwrap_or_default().into()
}

fn yes(known: Option<bool>) -> String {
    known.map_or(String::new(), |yes| yes.to_string())
}

fn time(at: Option<Time>) -> String {
    at.and_then(|at| rfc3339(at, DIGITS)).unwrap_or_default()
}

fn time_of(place: Option<Place>) -> String {
    place.and_then(|place| rfc3339(place.time, place.digits())).unwrap_or_default()
}

fn holder<'a>(row: &Row<'a>) -> Option<&'a Holder> {
    row.owner.holders().first()
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(" ")
}

fn first_fin(row: &Row) -> Option<Place> {
    row.judged.flow.first_fin().map(|(_, fin)| fin.place)
}

fn first_fin_acked(row: &Row) -> Option<Place> {
    row.judged.flow.first_fin().and_then(|(_, fin)| fin.acked)
}
