//! `--format jsonl`: one JSON object a line, flows, then a summary.
//!
//! The keys are a contract: within a schema number they are never renamed or removed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::closes::{CloseLine, HeadlineLine};
use super::elsewhere::ElsewhereKeys;
use super::history::{DropsLine, HistoryLine};
use super::holder::OwnerKeys;
use super::ids::{community_id, uid, uid_of_socket};
use super::lines::{EndKey, PlaceLine, SCHEMA, host, local_name, place, side_name, write_line};
use crate::attach::{ErrorCode, Facts};
use crate::owner::Socket;
use crate::place::{Place, Time};
use crate::summary::cause::Cause;
use crate::summary::evidence::evidence;
use crate::summary::growth::Grown;
use crate::summary::{Capture, EventKind, Gap, Owner, Row, Sink, Totals};
use crate::tcp::holes::Holes;
use crate::tcp::segment::{Endpoint, FlowKey};
use crate::tcp::side::Side;
use crate::units::{DIGITS, rfc3339, seconds};
use crate::verdict::{Doubt, Note, Reason, Verdict};

/// Writes JSON lines.
#[derive(Debug)]
pub struct Jsonl<W> {
    out: W,
}

impl<W: Write> Jsonl<W> {
    /// Writes to `out`, a line a row as it comes.
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
        growth: Option<GrowthLine>,
    ) -> io::Result<()> {
        let flow = FlowLine { r#type: "event", ..flow };
        self.line(&EventLine { event: kind.name(), at, flow, growth })?;
        self.out.flush()
    }
}

impl<W: Write> Sink for Jsonl<W> {
    fn event(&mut self, kind: EventKind, row: &Row, grown: Option<&Grown>) -> io::Result<()> {
        let at = rfc3339(row.judged.end, DIGITS);
        self.event_line(kind, at, FlowLine::new(row), grown.map(GrowthLine::from))
    }

    fn event_before(&mut self, kind: EventKind, socket: &Socket, at: Time) -> io::Result<()> {
        let stuck = FlowLine::before_capture(socket);
        let flow = match kind {
            EventKind::CloseWait => stuck,
            EventKind::Ended if socket.is_stuck() => {
                FlowLine { verdict: Verdict::HalfClosed.name(), finding: false, ..stuck }
            }
            // How it ended, nobody saw.
            EventKind::Ended => FlowLine {
                verdict: Verdict::Unknown(Reason::Lost).name(),
                reason: Some(Reason::Lost.name()),
                finding: false,
                ..stuck
            },
        };
        self.event_line(kind, rfc3339(at, DIGITS), flow, None)
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
    service: Option<&'static str>,
    close: &'static str,
    holder: Option<&'static str>,
    /// The end that owes a FIN, and the one that waits for it.
    held_by: Option<EndKey>,
    waits_for: Option<EndKey>,
    verdict: &'static str,
    finding: bool,
    reason: Option<&'static str>,
    doubts: Vec<&'static str>,
    notes: Vec<&'static str>,
    held_s: Option<f64>,
    idle_before_fin_s: Option<f64>,
    cause: Option<&'static str>,
    evidence: Vec<String>,
    #[serde(flatten)]
    said: SaidKeys<'a>,
    #[serde(flatten)]
    elsewhere: ElsewhereKeys<'a>,
    #[serde(flatten)]
    owner: Option<OwnerKeys<'a>>,
}

/// The keys of what was said on a flow: an object by the name of its protocol. The oldest protocol
/// has its key always.
struct SaidKeys<'a>(Option<&'a Facts>);

const OLDEST: &str = "mysql";

impl Serialize for SaidKeys<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut keys = to.serialize_map(None)?;
        let key = self.0.map_or(OLDEST, |facts| facts.protocol.key);
        if key != OLDEST {
            keys.serialize_entry(OLDEST, &None::<SaidLine>)?;
        }
        keys.serialize_entry(key, &self.0.map(SaidLine::from))?;
        keys.end()
    }
}

/// The object of what was said on a flow, in any protocol.
#[derive(Serialize)]
struct SaidLine<'a> {
    #[serde(flatten)]
    server: ServerKey<'a>,
    user: Option<&'a str>,
    database: Option<&'a str>,
    /// The client as it names itself.
    application_name: Option<&'a str>,
    driver: Option<&'a str>,
    last_statement: Option<&'a str>,
    last_statement_at: Option<String>,
    /// Tags of its comments, by their keys.
    tags: BTreeMap<&'static str, &'a str>,
    answered: Option<bool>,
    in_transaction: Option<bool>,
    transaction_since: Option<String>,
    statements: &'a [Box<str>],
    server_error: Option<ErrorLine<'a>>,
    encrypted: bool,
    truncated: bool,
}

/// The server as it names itself; the key was another one before there were several protocols.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum ServerKey<'a> {
    Version(Option<&'a str>),
    Server(Option<&'a str>),
}

#[derive(Serialize)]
#[serde(untagged)]
enum ErrorCodeLine<'a> {
    Number(u32),
    Name(&'a str),
}

#[derive(Serialize)]
struct ErrorLine<'a> {
    code: ErrorCodeLine<'a>,
    sqlstate: Option<&'a str>,
    message: &'a str,
}

impl<'a> From<&'a Facts> for SaidLine<'a> {
    fn from(facts: &'a Facts) -> SaidLine<'a> {
        let at = |time| rfc3339(time, DIGITS);
        let name = facts.server.as_deref();
        let is_oldest = facts.protocol.key == OLDEST;
        SaidLine {
            server: if is_oldest { ServerKey::Version(name) } else { ServerKey::Server(name) },
            user: facts.user.as_deref(),
            database: facts.database.as_deref(),
            application_name: facts.application.as_deref(),
            driver: facts.driver.as_deref(),
            last_statement: facts.last_statement.as_deref(),
            last_statement_at: facts.last_statement_at.and_then(at),
            tags: facts.tags.iter().map(|(key, value)| (*key, &**value)).collect(),
            answered: facts.answered,
            in_transaction: facts.in_transaction,
            transaction_since: facts.transaction_since.and_then(at),
            statements: &facts.statements,
            server_error: facts.server_error.as_ref().map(|error| ErrorLine {
                code: match &error.code {
                    ErrorCode::Number(number) => ErrorCodeLine::Number(*number),
                    ErrorCode::Name(name) => ErrorCodeLine::Name(name),
                },
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
    /// Only where the number of those with its service and process passes a power of two.
    #[serde(skip_serializing_if = "Option::is_none")]
    growth: Option<GrowthLine>,
}

#[derive(Serialize)]
struct GrowthLine {
    count: u64,
    per_minute: Option<f64>,
    descriptors: Option<u64>,
    descriptor_limit: Option<u64>,
    limit_reached_at: Option<String>,
}

impl From<&Grown> for GrowthLine {
    fn from(grown: &Grown) -> GrowthLine {
        let outlook = grown.outlook.as_ref();
        GrowthLine {
            count: grown.count,
            per_minute: grown.per_minute,
            descriptors: outlook.and_then(|outlook| outlook.usage.in_use),
            descriptor_limit: outlook.and_then(|outlook| outlook.usage.limit),
            limit_reached_at: outlook
                .and_then(|outlook| outlook.full_at)
                .and_then(|at| rfc3339(at, 0)),
        }
    }
}

#[derive(Serialize)]
struct EndLine<'a> {
    #[serde(serialize_with = "host")]
    ip: std::net::IpAddr,
    port: u16,
    /// The initial sequence number, if the end's SYN was captured.
    isn: Option<u32>,
    /// The state of RFC 9293, 3.3.2; `None` for the peer of a socket that the capture never saw.
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
        let (flow, judgement) = (&row.judged.flow, &row.judged.judgement);
        let at = |p: Place| place(p, row.files);
        FlowLine {
            schema: SCHEMA,
            r#type: "flow",
            uid: uid(&row.judged.key, flow),
            community_id: community_id(&row.judged.key),
            a: EndLine::new(row, Side::A),
            b: EndLine::new(row, Side::B),
            local: local_name(judgement.local),
            local_by: judgement.local_by.map(|by| by.name()),
            first: Some(at(flow.first)),
            last: Some(at(flow.last)),
            last_payload: flow.last_payload().map(at),
            service: flow.service().map(side_name),
            close: judgement.close.name(),
            holder: judgement.holder.map(side_name),
            held_by: row.judged.holder_end().map(Into::into),
            waits_for: row.judged.waiting_end().map(Into::into),
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
            said: SaidKeys(row.judged.said.as_deref()),
            elsewhere: ElsewhereKeys::new(row),
            owner: OwnerKeys::new(row.owner, row.judged.said.as_deref()),
        }
    }

    /// A socket that was in CLOSE-WAIT all along: `a` is local and holds it.
    fn before_capture(socket: &'a Socket) -> FlowLine<'a> {
        let (key, _) = FlowKey::new(socket.local, socket.peer);
        let owner = OwnerKeys::new(Owner::Listed(socket), None);
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
            service: None,
            close: "half-closed",
            holder: Some("a"),
            held_by: Some(socket.local.into()),
            waits_for: Some(socket.peer.into()),
            verdict: Verdict::Leak.name(),
            finding: true,
            reason: None,
            doubts: Vec::new(),
            notes: Vec::new(),
            held_s: socket.held_for().map(seconds),
            idle_before_fin_s: socket.idle_before_fin().map(seconds),
            cause: Cause::of_socket(socket).map(Cause::name),
            evidence: Vec::new(),
            said: SaidKeys(None),
            elsewhere: ElsewhereKeys::default(),
            owner: owner.map(|owner| owner.before_capture(!socket.is_unseen)),
        }
    }
}

impl<'a> EndLine<'a> {
    fn unseen(end: Endpoint, state: Option<&'static str>) -> EndLine<'a> {
        EndLine {
            ip: end.ip,
            port: end.port,
            isn: None,
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
        let half = row.judged.flow.half(side);
        let peer_fin = row.judged.flow.fin(side.other());
        let end = row.judged.endpoint(side);
        let at = |p: Place| place(p, row.files);
        let after = peer_fin.and_then(|fin| row.judged.flow.payload_after(side, fin.end));
        EndLine {
            ip: end.ip,
            port: end.port,
            isn: half.isn().map(|isn| isn.0),
            state: Some(row.judged.state(side).name()),
            fin: row.judged.flow.fin(side).map(|fin| at(fin.place)),
            fin_acked: row.judged.flow.fin(side).and_then(|fin| fin.acked).map(at),
            rst: row.judged.flow.rst(side).map(|rst| at(rst.place)),
            packets: half.packets(),
            payload_bytes: half.payload_bytes,
            payload_after_peer_fin: after.map_or(0, |after| after.bytes),
        }
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
    /// Open connections with a transaction open.
    open_in_transaction: u64,
    headline: HeadlineLine,
    closes: Vec<CloseLine>,
    skipped: Counts<'a>,
    evicted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    unlisted: Option<u64>,
    /// Events of the code behind sockets that did not arrive, where it was watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    code_lost: Option<u64>,
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
    /// Later than the last packet where the capture says so.
    end: Option<String>,
    link_types: Vec<String>,
    snap_lengths: &'a BTreeSet<u32>,
    drops: u64,
    holes: Option<HolesLine>,
    truncated: bool,
    bare_acks: bool,
    gaps: Vec<GapLine<'a>>,
    drops_by_file: Vec<DropsLine>,
    history: Option<HistoryLine>,
}

/// Connections that show packets missing.
#[derive(Serialize)]
struct HolesLine {
    connections: u64,
    of: u64,
}

impl HolesLine {
    fn new(Holes { shown, of }: Holes) -> Option<HolesLine> {
        (shown > 0).then_some(HolesLine { connections: shown, of })
    }
}

#[derive(Serialize)]
struct GapLine<'a> {
    before: &'a str,
    after: &'a str,
    from: Option<String>,
    gap_s: f64,
}

impl<'a> SummaryLine<'a> {
    fn new(totals: &'a Totals) -> SummaryLine<'a> {
        let verdicts = Verdict::NAMES.into_iter().zip(totals.tally.verdicts);
        SummaryLine {
            schema: SCHEMA,
            r#type: "summary",
            packets: totals.facts.packets(),
            segments: totals.facts.segments(),
            flows: totals.tally.flows,
            findings: totals.findings(),
            verdicts: Counts(verdicts.map(|(name, n)| (name.into(), n)).collect()),
            open_in_transaction: totals.tally.in_transaction,
            headline: HeadlineLine::from(totals.headline()),
            closes: totals.closes.services().into_iter().map(CloseLine::new).collect(),
            skipped: Counts(
                totals.skipped_by_name().into_iter().map(|(name, n)| (name.into(), n)).collect(),
            ),
            evicted: totals.evicted,
            unlisted: (totals.unlisted > 0).then_some(totals.unlisted),
            code_lost: totals.code_lost,
            captures: totals.captures.iter().map(|c| CaptureLine::new(c, &totals.files)).collect(),
            first: totals.facts.first().map(|p| place(p, &totals.files)),
            last: totals.facts.last().map(|p| place(p, &totals.files)),
        }
    }
}

impl<'a> CaptureLine<'a> {
    fn new(capture: &'a Capture, files: &'a [String]) -> CaptureLine<'a> {
        CaptureLine {
            files: capture.files.iter().filter_map(|&i| files.get(i)).map(String::as_str).collect(),
            packets: capture.facts.packets(),
            segments: capture.facts.segments(),
            first: capture.facts.first().map(|p| place(p, files)),
            last: capture.facts.last().map(|p| place(p, files)),
            end: rfc3339(capture.facts.end(), capture.facts.last().map_or(DIGITS, Place::digits)),
            link_types: capture.facts.links().iter().map(ToString::to_string).collect(),
            snap_lengths: capture.facts.snap_lengths(),
            drops: capture.facts.drops(),
            holes: HolesLine::new(capture.facts.holes()),
            truncated: capture.facts.is_truncated(),
            bare_acks: capture.facts.holds_bare_acks(),
            gaps: capture.gaps.iter().map(|gap| GapLine::new(gap, files)).collect(),
            drops_by_file: DropsLine::all(capture),
            history: HistoryLine::of(capture),
        }
    }
}

impl<'a> GapLine<'a> {
    fn new(gap: &Gap, files: &'a [String]) -> GapLine<'a> {
        let name = |file: usize| files.get(file).map_or("", String::as_str);
        GapLine {
            before: name(gap.before),
            after: name(gap.after),
            from: rfc3339(gap.from, DIGITS),
            gap_s: seconds(chrono::TimeDelta::nanoseconds(gap.nanos)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::{Identity, Protocol, ServerError, mysql::Mysql};

    fn json(facts: Option<&Facts>) -> String {
        serde_json::to_string(&SaidKeys(facts)).unwrap()
    }

    #[test]
    fn what_was_said_has_the_name_of_its_protocol() {
        let redis = Identity {
            key: "redis",
            title: "Redis",
            transactions: true,
            logs_in: false,
            tags: false,
        };
        let code = ErrorCode::Name("NOAUTH".into());
        let error = ServerError { code, sqlstate: None, message: "no".into(), unsolicited: true };
        let of_redis =
            Facts { server: Some("7.0".into()), server_error: Some(error), ..Facts::of(redis) };
        let rest = r#""user":null,"database":null,"application_name":null,"driver":null,"last_statement":null,"last_statement_at":null,"tags":{},"answered":null,"in_transaction":null,"transaction_since":null,"statements":[],"server_error":"#;
        let end = r#","encrypted":false,"truncated":false}}"#;
        let error = r#"{"code":"NOAUTH","sqlstate":null,"message":"no"}"#;
        assert_eq!(
            json(Some(&of_redis)),
            format!(r#"{{"mysql":null,"redis":{{"server":"7.0",{rest}{error}{end}"#)
        );
        assert_eq!(
            json(Some(&Facts::of(Mysql::IDENTITY))),
            format!(r#"{{"mysql":{{"version":null,{rest}null{end}"#)
        );
        assert_eq!(json(None), r#"{"mysql":null}"#);
    }
}
