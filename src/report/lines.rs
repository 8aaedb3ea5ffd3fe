//! Pieces that every report for machines is made of: the schema's number, a JSON line, a cell.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use crate::names;
use crate::owner::Holder;
use crate::place::Place;
use crate::tcp::segment::Endpoint;
use crate::tcp::side::Side;
use crate::units::rfc3339;
use crate::verdict::local::Local;

/// The number of the contract that JSON lines keep.
pub const SCHEMA: u32 = 1;

/// One object, and the end of its line.
pub fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// An end as every report of ours writes it.
#[derive(Clone, Copy, Serialize)]
pub struct EndKey {
    #[serde(serialize_with = "host")]
    ip: IpAddr,
    port: u16,
}

impl From<Endpoint> for EndKey {
    fn from(Endpoint { ip, port }: Endpoint) -> EndKey {
        EndKey { ip, port }
    }
}

/// A process as every report of ours writes it.
#[derive(Clone, Serialize)]
pub struct ProcessLine<'a> {
    pid: i32,
    command: &'a str,
    fd: Option<i32>,
    uid: Option<u32>,
}

impl<'a> From<&'a Holder> for ProcessLine<'a> {
    fn from(holder: &'a Holder) -> ProcessLine<'a> {
        let Holder { pid, command, fd, uid } = holder;
        ProcessLine { pid: *pid, command, fd: *fd, uid: *uid }
    }
}

/// The key of a side in JSON lines and CSV.
pub fn side_name(side: Side) -> &'static str {
    match side {
        Side::A => "a",
        Side::B => "b",
    }
}

/// The value of `local`; none where it is unknown.
pub fn local_name(local: Local) -> Option<&'static str> {
    match local {
        Local::Side(side) => Some(side_name(side)),
        Local::Both => Some("both"),
        Local::Neither => Some("none"),
        Local::Unknown => None,
    }
}

/// A cell that a spreadsheet would not take for a formula.
pub fn defused(cell: String) -> String {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{cell}"),
        false => cell,
    }
}

/// An address, or the name that a text has in place of it.
pub fn host<S: Serializer>(ip: &IpAddr, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&names::host(*ip))
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

/// A place in a capture: when and where.
#[derive(Serialize)]
pub struct PlaceLine<'a> {
    time: Option<String>,
    file: &'a str,
    frame: u64,
}

/// Makes a line's value of a place.
pub fn place(place: Place, files: &[String]) -> PlaceLine<'_> {
    PlaceLine {
        time: rfc3339(place.time, place.digits()),
        file: files.get(place.file()).map_or("", String::as_str),
        frame: place.frame(),
    }
}
