//! `--format jsonl`: one JSON object a line, flows, then a summary.
//!
//! The keys are a contract: within a schema number they are never renamed or removed.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;

use super::evidence::evidence;
use super::ids::{community_id, uid, uid_of_socket};
use super::sockets::lines::ProcessLine;
use super::units::{rfc3339, seconds};
use super::{CaptureTotals, EventKind, Gap, Owner, Render, Row, Totals};
use crate::attach::mysql::Facts;
use crate::cause::Cause;
use crate::names;
use crate::owner::{Held, Socket};
use crate::place::{Place, Time};
use crate::tcp::flow::Side;
use crate::tcp::segment::{Endpoint, FlowKey};
use crate::tcp::state::State;
use crate::verdict::local::Local;
use crate::verdict::{Doubt, Note, Verdict};

/// The number of this contract.
pub const SCHEMA: u32 = 1;

/// Writes JSON lines.
#[derive(Debug)]
pub struct Jsonl<W> {
    out: W,
}

impl<W: Write> Jsonl<W> {
    pub fn new(out: W) -> Jsonl<W> {
        Jsonl { out }
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        write_line(&mut self.out, line)
    }

    fn event_line(
        &mut self,
        kind: EventKind,
        at: Option<String>,
        flow: FlowLine,
    ) -> io::Result<()> {
        let flow = FlowLine { r#type: "event", ..flow };
        self.line(&EventLine { event: kind.name(), at, flow })?;
        self.out.flush()
    }
}

/// One object, and the end of its line.
pub fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

impl<W: Write> Render for Jsonl<W> {
    fn event(&mut self, kind: EventKind, row: &Row) -> io::Result<()> {
        let at = rfc3339(Place::new(row.end, 0, 1, 6));
        self.event_line(kind, at, FlowLine::new(row))
    }

    fn event_before(&mut self, socket: &Socket, at: Time) -> io::Result<()> {
        let at = rfc3339(Place::new(at, 0, 1, 6));
        self.event_line(EventKind::CloseWait, at, FlowLine::before_capture(socket))
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        self.line(&FlowLine::new(row))
    }

    fn stuck_before(&mut self, socket: &Socket) -> io::Result<()> {
        self.line(&FlowLine::before_capture(socket))
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        self.line(&SummaryLine::new(totals))?;
        self.out.flush()
    }
}

#[derive(Serialize)]
struct PlaceLine<'a> {
    time: Option<String>,
    file: &'a str,
    frame: u64,
}

fn place(place: Place, files: &[String]) -> PlaceLine<'_> {
    PlaceLine {
        time: rfc3339(place),
        file: files.get(place.file()).map_or("", String::as_str),
        frame: place.frame(),
    }
}

#[derive(Serialize)]
struct FlowLine<'a> {
    schema: u32,
    r#type: &'static str,
    uid: String,
    community_id: Option<String>,
    a: EndLine<'a>,
    b: EndLine<'a>,
    local: Option<&'static str>,
    local_by: Option<&'static str>,
    first: Option<PlaceLine<'a>>,
    last: Option<PlaceLine<'a>>,
    last_payload: Option<PlaceLine<'a>>,
    close: &'static str,
    holder: Option<&'static str>,
    verdict: &'static str,
    finding: bool,
    reason: Option<&'static str>,
    doubts: Vec<&'static str>,
    notes: Vec<&'static str>,
    held_s: Option<f64>,
    idle_before_fin_s: Option<f64>,
    cause: Option<&'static str>,
    evidence: Vec<String>,
    mysql: Option<MysqlLine<'a>>,
    #[serde(flatten)]
    owner: Option<OwnerKeys<'a>>,
}

/// What was said on a flow.
#[derive(Serialize)]
struct MysqlLine<'a> {
    version: Option<&'a str>,
    user: Option<&'a str>,
    database: Option<&'a str>,
    last_statement: Option<&'a str>,
    last_statement_at: Option<String>,
    answered: Option<bool>,
    in_transaction: Option<bool>,
    transaction_since: Option<String>,
    statements: &'a [Box<str>],
    server_error: Option<ErrorLine<'a>>,
    encrypted: bool,
    truncated: bool,
}

#[derive(Serialize)]
struct ErrorLine<'a> {
    code: u16,
    sqlstate: Option<&'a str>,
    message: &'a str,
}

impl<'a> From<&'a Facts> for MysqlLine<'a> {
    fn from(facts: &'a Facts) -> MysqlLine<'a> {
        let at = |time| rfc3339(Place::new(time, 0, 1, 6));
        MysqlLine {
            version: facts.version.as_deref(),
            user: facts.user.as_deref(),
            database: facts.database.as_deref(),
            last_statement: facts.last_statement.as_deref(),
            last_statement_at: facts.last_statement_at.and_then(at),
            answered: facts.answered,
            in_transaction: facts.in_transaction,
            transaction_since: facts.transaction_since.and_then(at),
            statements: &facts.statements,
            server_error: facts.server_error.as_ref().map(|error| ErrorLine {
                code: error.code,
                sqlstate: error.sqlstate.as_deref(),
                message: &error.message,
            }),
            encrypted: facts.encrypted,
            truncated: facts.truncated || facts.compressed,
        }
    }
}

/// A flow at some moment.
#[derive(Serialize)]
struct EventLine<'a> {
    event: &'static str,
    at: Option<String>,
    #[serde(flatten)]
    flow: FlowLine<'a>,
}

/// Keys that are there when a socket list was asked.
#[derive(Serialize)]
struct OwnerKeys<'a> {
    process: Option<ProcessLine<'a>>,
    processes: Vec<ProcessLine<'a>>,
    kernel: Option<KernelLine>,
    before_capture: bool,
}

#[derive(Serialize)]
struct KernelLine {
    state: &'static str,
    recv_q: u32,
    confirmed: bool,
}

impl<'a> OwnerKeys<'a> {
    fn new(owner: Owner<'a>) -> Option<OwnerKeys<'a>> {
        let socket = match owner {
            Owner::NotAsked => return None,
            Owner::NotListed => None,
            Owner::Listed(socket) => Some(socket),
        };
        let holders = socket.map_or(&[][..], |socket| &socket.holders);
        Some(OwnerKeys {
            process: holders.first().map(ProcessLine::from),
            processes: holders.iter().map(ProcessLine::from).collect(),
            kernel: socket.map(|socket| KernelLine {
                state: socket.state.name(),
                recv_q: socket.recv_q,
                confirmed: socket.state == State::CloseWait,
            }),
            before_capture: false,
        })
    }
}

#[derive(Serialize)]
struct EndLine<'a> {
    #[serde(serialize_with = "host")]
    ip: std::net::IpAddr,
    port: u16,
    /// Of a socket that the capture never saw, the peer's is unknown.
    state: Option<&'static str>,
    fin: Option<PlaceLine<'a>>,
    fin_acked: Option<PlaceLine<'a>>,
    rst: Option<PlaceLine<'a>>,
    packets: u64,
    payload_bytes: u64,
    payload_after_peer_fin: u64,
}

impl<'a> FlowLine<'a> {
    fn new(row: &Row<'a>) -> FlowLine<'a> {
        let (flow, judgement) = (row.flow, row.judgement);
        let at = |p: Place| place(p, row.files);
        FlowLine {
            schema: SCHEMA,
            r#type: "flow",
            uid: uid(row.key, flow),
            community_id: community_id(row.key),
            a: EndLine::new(row, Side::A),
            b: EndLine::new(row, Side::B),
            local: local_name(judgement.local),
            local_by: judgement.local_by.map(|by| by.name()),
            first: Some(at(flow.first)),
            last: Some(at(flow.last)),
            last_payload: flow.last_payload().map(at),
            close: judgement.close.name(),
            holder: judgement.holder.map(side_name),
            verdict: judgement.verdict.name(),
            finding: judgement.finding,
            reason: match judgement.verdict {
                Verdict::Unknown(reason) => Some(reason.name()),
                _ => None,
            },
            doubts: judgement.doubts.iter().copied().map(Doubt::name).collect(),
            notes: judgement.notes.iter().copied().map(Note::name).collect(),
            held_s: judgement.held.map(seconds),
            idle_before_fin_s: judgement.idle_before_fin.map(seconds),
            cause: row.cause.map(Cause::name),
            evidence: evidence(row),
            mysql: row.mysql.map(MysqlLine::from),
            owner: OwnerKeys::new(row.owner),
        }
    }

    /// A socket that was in CLOSE-WAIT all along: `a` is local and holds it.
    fn before_capture(socket: &'a Socket) -> FlowLine<'a> {
        let (key, _) = FlowKey::new(socket.local, socket.peer);
        let owner = OwnerKeys::new(Owner::Listed(socket));
        FlowLine {
            schema: SCHEMA,
            r#type: "flow",
            uid: uid_of_socket(socket),
            community_id: community_id(&key),
            a: EndLine::unseen(socket.local, Some(socket.state.name())),
            b: EndLine::unseen(socket.peer, None),
            local: Some("a"),
            local_by: Some("socket-list"),
            first: None,
            last: None,
            last_payload: None,
            close: "half-closed",
            holder: Some("a"),
            verdict: Verdict::Leak.name(),
            finding: true,
            reason: None,
            doubts: Vec::new(),
            notes: Vec::new(),
            held_s: None,
            idle_before_fin_s: None,
            cause: (socket.held() == Held::Backlog).then_some(Cause::NeverAccepted.name()),
            evidence: Vec::new(),
            mysql: None,
            owner: owner.map(|owner| OwnerKeys { before_capture: true, ..owner }),
        }
    }
}

impl<'a> EndLine<'a> {
    fn unseen(end: Endpoint, state: Option<&'static str>) -> EndLine<'a> {
        EndLine {
            ip: end.ip,
            port: end.port,
            state,
            fin: None,
            fin_acked: None,
            rst: None,
            packets: 0,
            payload_bytes: 0,
            payload_after_peer_fin: 0,
        }
    }

    fn new(row: &Row<'a>, side: Side) -> EndLine<'a> {
        let half = row.flow.half(side);
        let peer_fin = row.flow.fin(side.other());
        let end = row.key.endpoint(row.flow.end(side));
        let at = |p: Place| place(p, row.files);
        let after = peer_fin.and_then(|fin| row.flow.payload_after(side, fin.end));
        EndLine {
            ip: end.ip,
            port: end.port,
            state: Some(row.flow.state(side, row.end).name()),
            fin: row.flow.fin(side).map(|fin| at(fin.place)),
            fin_acked: row.flow.fin(side).and_then(|fin| fin.acked).map(at),
            rst: row.flow.rst(side).map(|rst| at(rst.place)),
            packets: half.packets(),
            payload_bytes: half.payload_bytes,
            payload_after_peer_fin: after.map_or(0, |after| after.bytes),
        }
    }
}

/// An address, or the name that a text has in place of it.
fn host<S: serde::Serializer>(ip: &std::net::IpAddr, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&names::host(*ip))
}

pub fn side_name(side: Side) -> &'static str {
    match side {
        Side::A => "a",
        Side::B => "b",
    }
}

pub fn local_name(local: Local) -> Option<&'static str> {
    match local {
        Local::Side(side) => Some(side_name(side)),
        Local::Both => Some("both"),
        Local::Neither => Some("none"),
        Local::Unknown => None,
    }
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    schema: u32,
    r#type: &'static str,
    packets: u64,
    segments: u64,
    flows: u64,
    findings: u64,
    verdicts: Counts<'a>,
    skipped: Counts<'a>,
    evicted: u64,
    captures: Vec<CaptureLine<'a>>,
    first: Option<PlaceLine<'a>>,
    last: Option<PlaceLine<'a>>,
}

/// An object of counts, in the order given.
struct Counts<'a>(Vec<(std::borrow::Cow<'a, str>, u64)>);

impl Serialize for Counts<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, n)| (name, n)))
    }
}

#[derive(Serialize)]
struct CaptureLine<'a> {
    files: Vec<&'a str>,
    packets: u64,
    segments: u64,
    first: Option<PlaceLine<'a>>,
    last: Option<PlaceLine<'a>>,
    link_types: Vec<String>,
    snap_lengths: &'a BTreeSet<u32>,
    drops: u64,
    truncated: bool,
    bare_acks: bool,
    gaps: Vec<GapLine<'a>>,
}

#[derive(Serialize)]
struct GapLine<'a> {
    before: &'a str,
    after: &'a str,
    gap_s: f64,
}

impl<'a> SummaryLine<'a> {
    fn new(totals: &'a Totals) -> SummaryLine<'a> {
        let verdicts = Verdict::NAMES.into_iter().zip(totals.tally.verdicts);
        SummaryLine {
            schema: SCHEMA,
            r#type: "summary",
            packets: totals.packets,
            segments: totals.segments,
            flows: totals.tally.flows,
            findings: totals.findings(),
            verdicts: Counts(verdicts.map(|(name, n)| (name.into(), n)).collect()),
            skipped: Counts(
                totals.skipped_by_name().into_iter().map(|(name, n)| (name.into(), n)).collect(),
            ),
            evicted: totals.evicted,
            captures: totals.captures.iter().map(|c| CaptureLine::new(c, &totals.files)).collect(),
            first: totals.first().map(|p| place(p, &totals.files)),
            last: totals.last().map(|p| place(p, &totals.files)),
        }
    }
}

impl<'a> CaptureLine<'a> {
    fn new(capture: &'a CaptureTotals, files: &'a [String]) -> CaptureLine<'a> {
        CaptureLine {
            files: capture.files.iter().filter_map(|&i| files.get(i)).map(String::as_str).collect(),
            packets: capture.packets,
            segments: capture.segments,
            first: capture.first.map(|p| place(p, files)),
            last: capture.last.map(|p| place(p, files)),
            link_types: capture.links.iter().map(ToString::to_string).collect(),
            snap_lengths: &capture.snap_lengths,
            drops: capture.drops,
            truncated: capture.truncated,
            bare_acks: capture.bare_acks,
            gaps: capture.gaps.iter().map(|gap| GapLine::new(gap, files)).collect(),
        }
    }
}

impl<'a> GapLine<'a> {
    fn new(gap: &Gap, files: &'a [String]) -> GapLine<'a> {
        let name = |file: usize| files.get(file).map_or("", String::as_str);
        GapLine {
            before: name(gap.before),
            after: name(gap.after),
            gap_s: seconds(chrono::TimeDelta::nanoseconds(gap.nanos)),
        }
    }
}
