//! The columns: the keys of the JSON lines, flat, and named for those who ask questions: who holds, who
//! waits, when, since when, and what was said last.

use super::table::{Cell, Kind};
use crate::attach::Facts;
use crate::attach::sql::tags::code;
use crate::names::host;
use crate::owner::{Holder, Socket};
use crate::place::{Place, Time};
use crate::report::ids::{community_id, digest, uid, uid_of_socket};
use crate::report::lines::{local_name, side_name};
use crate::summary::Row;
use crate::summary::cause::Cause;
use crate::tcp::segment::{Endpoint, FlowKey};
use crate::tcp::side::Side;
use crate::units::seconds;
use crate::verdict::{Close, Verdict};
use Of::{Number, Seconds, Text, Times, Yes};

/// The way from a row to a cell.
#[derive(Clone, Copy)]
pub enum Of {
    /// Text.
    Text(fn(&Row) -> Option<String>),
    /// A whole number.
    Number(fn(&Row) -> Option<i64>),
    /// A point in time.
    Times(fn(&Row) -> Option<Time>),
    /// A duration in seconds.
    Seconds(fn(&Row) -> Option<f64>),
    /// True or false.
    Yes(fn(&Row) -> Option<bool>),
}

impl Of {
    /// Returns the kind of its cells.
    pub fn kind(&self) -> Kind {
        match self {
            Text(_) => Kind::Text,
            Number(_) => Kind::Number,
            Times(_) => Kind::Time,
            Seconds(_) => Kind::Seconds,
            Yes(_) => Kind::Yes,
        }
    }

    /// Returns the cell of a row.
    pub fn of(&self, row: &Row) -> Cell {
        match self {
            Text(of) => text(of(row)),
            Number(of) => of(row).map_or(Cell::Null, Cell::Number),
            Times(of) => of(row).map_or(Cell::Null, Cell::Time),
            Seconds(of) => of(row).map_or(Cell::Null, Cell::Seconds),
            Yes(of) => of(row).map_or(Cell::Null, Cell::Yes),
        }
    }
}

fn text(text: Option<String>) -> Cell {
    text.map_or(Cell::Null, Cell::Text)
}

/// Names and cells. A name is never another one's, and stays.
pub const COLUMNS: [(&str, Of); 69] = [
    ("point", Text(point)),
    ("uid", Text(|row| Some(uid(&row.judged.key, &row.judged.flow)))),
    ("community_id", Text(|row| community_id(&row.judged.key))),
    ("verdict", Text(|row| Some(row.judged.judgement.verdict.name().into()))),
    ("finding", Yes(|row| Some(row.judged.judgement.finding))),
    (
        "reason",
        Text(|row| match row.judged.judgement.verdict {
            Verdict::Unknown(reason) => Some(reason.name().into()),
            _ => None,
        }),
    ),
    (
        "doubts",
        Text(|row| Some(joined(row.judged.judgement.doubts.iter().map(|doubt| doubt.name())))),
    ),
    ("notes", Text(|row| Some(joined(row.judged.judgement.notes.iter().map(|note| note.name()))))),
    ("close", Text(|row| Some(row.judged.judgement.close.name().into()))),
    ("local", Text(|row| local_name(row.judged.judgement.local).map(Into::into))),
    ("local_by", Text(|row| row.judged.judgement.local_by.map(|by| by.name().into()))),
    ("a_ip", Text(|row| Some(host(row.judged.endpoint(Side::A).ip)))),
    ("a_port", Number(|row| Some(row.judged.endpoint(Side::A).port.into()))),
    ("a_isn", Number(|row| isn(row, Side::A))),
    ("a_state", Text(|row| Some(row.judged.state(Side::A).name().into()))),
    ("a_packets", Number(|row| number(row.judged.flow.half(Side::A).packets()))),
    ("a_payload_bytes", Number(|row| number(row.judged.flow.half(Side::A).payload_bytes))),
    ("b_ip", Text(|row| Some(host(row.judged.endpoint(Side::B).ip)))),
    ("b_port", Number(|row| Some(row.judged.endpoint(Side::B).port.into()))),
    ("b_isn", Number(|row| isn(row, Side::B))),
    ("b_state", Text(|row| Some(row.judged.state(Side::B).name().into()))),
    ("b_packets", Number(|row| number(row.judged.flow.half(Side::B).packets()))),
    ("b_payload_bytes", Number(|row| number(row.judged.flow.half(Side::B).payload_bytes))),
    ("holder", Text(|row| row.judged.judgement.holder.map(|side| side_name(side).into()))),
    ("holder_ip", Text(|row| Some(host(row.judged.holder_end()?.ip)))),
    ("holder_port", Number(|row| Some(row.judged.holder_end()?.port.into()))),
    ("peer_ip", Text(|row| Some(host(row.judged.waiting_end()?.ip)))),
    ("peer_port", Number(|row| Some(row.judged.waiting_end()?.port.into()))),
    ("service_ip", Text(|row| Some(host(row.judged.endpoint(row.judged.service()).ip)))),
    ("service_port", Number(|row| Some(row.judged.endpoint(row.judged.service()).port.into()))),
    ("closer", Text(|row| row.judged.flow.first_fin().map(|(side, _)| side_name(side).into()))),
    ("first_at", Times(|row| Some(row.judged.flow.first.time))),
    ("last_at", Times(|row| Some(row.judged.flow.last.time))),
    ("last_payload_at", Times(|row| time(row.judged.flow.last_payload()))),
    ("fin_at", Times(|row| time(first_fin(row)))),
    ("fin_acked_at", Times(|row| time(row.judged.flow.first_fin()?.1.acked))),
    ("a_fin_at", Times(|row| time(row.judged.flow.fin(Side::A).map(|fin| fin.place)))),
    ("b_fin_at", Times(|row| time(row.judged.flow.fin(Side::B).map(|fin| fin.place)))),
    ("held_s", Seconds(|row| row.judged.judgement.held.map(seconds))),
    ("idle_before_fin_s", Seconds(|row| row.judged.judgement.idle_before_fin.map(seconds))),
    ("file", Text(|row| row.files.get(row.judged.flow.first.file()).cloned())),
    ("frame", Number(|row| number(row.judged.flow.first.frame()))),
    ("fin_frame", Number(|row| number(first_fin(row)?.frame()))),
    ("cause", Text(|row| row.cause.map(|cause| cause.name().into()))),
    ("contents_read", Yes(|row| Some(row.judged.said.is_some() || row.judged.withheld.is_none()))),
    ("protocol", Text(|row| said(row).map(|said| said.protocol.key.into()))),
    ("server", Text(|row| owned(&said(row)?.server))),
    ("user", Text(|row| owned(&said(row)?.user))),
    ("database", Text(|row| owned(&said(row)?.database))),
    ("application", Text(|row| owned(&said(row)?.application))),
    ("last_statement", Text(|row| owned(&said(row)?.last_statement))),
    ("statement_digest", Text(|row| said(row)?.last_statement.as_deref().map(digest))),
    ("last_statement_at", Times(|row| said(row)?.last_statement_at)),
    ("answered", Yes(|row| said(row)?.answered)),
    ("in_transaction", Yes(|row| said(row)?.in_transaction)),
    ("transaction_since", Times(|row| said(row)?.transaction_since)),
    ("statements", Text(|row| said(row).map(|said| said.statements.join("; ")))),
    (
        "server_error",
        Text(|row| {
            said(row)?
                .server_error
                .as_ref()
                .map(|error| format!("{} {}", error.code, error.message))
        }),
    ),
    ("tags", Text(|row| said(row).map(tags))),
    ("tagged_code", Text(|row| code(&said(row)?.tags))),
    ("code_function", Text(|row| Some(culprit(row)?.function.clone()))),
    ("code_file", Text(|row| culprit(row)?.file.clone())),
    ("code_line", Number(|row| culprit(row)?.line.map(i64::from))),
    ("process_pid", Number(|row| Some(process(row)?.pid.into()))),
    ("process_command", Text(|row| Some(process(row)?.command.clone()))),
    ("kernel_state", Text(|row| row.owner.listed().map(|socket| socket.state.name().into()))),
    ("rewritten_a", Text(|row| Some(rewritten(row)?[0].to_string()))),
    ("rewritten_b", Text(|row| Some(rewritten(row)?[1].to_string()))),
    ("before_capture", Yes(|_| Some(false))),
];

/// Returns a cell of a socket that was in CLOSE-WAIT before the capture began: `a` is local and holds it.
pub fn of_socket(column: &str, socket: &Socket) -> Cell {
    let (key, _) = FlowKey::new(socket.local, socket.peer);
    let process = socket.holders.first();
    match column {
        "uid" => Cell::Text(uid_of_socket(socket)),
        "community_id" => text(community_id(&key)),
        "verdict" => Cell::Text(Verdict::Leak.name().into()),
        "finding" => Cell::Yes(true),
        "before_capture" => Cell::Yes(!socket.is_unseen),
        "doubts" | "notes" => Cell::Text(String::new()),
        "close" => Cell::Text(Close::HalfClosed.name().into()),
        "local" | "holder" => Cell::Text("a".into()),
        "local_by" => Cell::Text("socket-list".into()),
        "a_ip" | "holder_ip" => Cell::Text(host(socket.local.ip)),
        "a_port" | "holder_port" => Cell::Number(socket.local.port.into()),
        "b_ip" | "peer_ip" => Cell::Text(host(socket.peer.ip)),
        "b_port" | "peer_port" => Cell::Number(socket.peer.port.into()),
        "a_state" | "kernel_state" => Cell::Text(socket.state.name().into()),
        "held_s" => socket.held_for().map(seconds).map_or(Cell::Null, Cell::Seconds),
        "idle_before_fin_s" => {
            socket.idle_before_fin().map(seconds).map_or(Cell::Null, Cell::Seconds)
        }
        "cause" => text(Cause::of_socket(socket).map(|cause| cause.name().to_owned())),
        "process_pid" => process.map_or(Cell::Null, |process| Cell::Number(process.pid.into())),
        "process_command" => text(process.map(|process| process.command.clone())),
        _ => Cell::Null,
    }
}

/// The capture point by a folder's name, as tables are laid out in folders: `point=app-1-eth0/x.pcap`.
fn point(row: &Row) -> Option<String> {
    let file = row.files.get(row.judged.flow.first.file())?;
    file.split('/').rev().find_map(|folder| folder.strip_prefix("point=")).map(Into::into)
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(" ")
}

fn number(number: u64) -> Option<i64> {
    i64::try_from(number).ok()
}

fn isn(row: &Row, side: Side) -> Option<i64> {
    row.judged.flow.half(side).isn().map(|isn| isn.0.into())
}

fn time(place: Option<Place>) -> Option<Time> {
    place.map(|place| place.time)
}

fn first_fin(row: &Row) -> Option<Place> {
    row.judged.flow.first_fin().map(|(_, fin)| fin.place)
}

fn said<'a>(row: &Row<'a>) -> Option<&'a Facts> {
    row.judged.said.as_deref()
}

fn owned(text: &Option<Box<str>>) -> Option<String> {
    text.as_deref().map(Into::into)
}

fn tags(said: &Facts) -> String {
    let tags: Vec<String> = said.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    tags.join(" ")
}

/// The program's own function nearest to the socket, of the first event that has one.
fn culprit<'a>(row: &Row<'a>) -> Option<&'a crate::code::Frame> {
    row.owner.code()?.events().find_map(|(_, trace)| trace.culprit())
}

fn process<'a>(row: &Row<'a>) -> Option<&'a Holder> {
    row.owner.holders().first()
}

fn rewritten(row: &Row) -> Option<[Endpoint; 2]> {
    row.judged.elsewhere.as_ref()?.rewritten_as
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_columns_have_one_name() {
        let names: BTreeSet<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), COLUMNS.len());
    }
}
