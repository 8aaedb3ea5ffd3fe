//! A line a socket: JSON lines, and CSV.

use std::io::{self, Write};

use chrono::TimeDelta;
use serde::Serialize;

use super::Listing;
use super::growth::{History, rate};
use crate::names::host;
use crate::owner::silence::Silence;
use crate::owner::{Holder, Socket};
use crate::place::Time;
use crate::report::code::{CodeLine, code_lines};
use crate::report::lines::{EndKey, ProcessLine, SCHEMA, defused, write_line};
use crate::summary::growth::Outlook;
use crate::units::{rfc3339, seconds};

#[derive(Serialize)]
struct SocketLine<'a> {
    schema: u32,
    r#type: &'static str,
    state: &'static str,
    local: EndKey,
    peer: EndKey,
    recv_q: Option<u32>,
    send_q: Option<u32>,
    process: Option<ProcessLine<'a>>,
    processes: Vec<ProcessLine<'a>>,
    netns: Option<&'a str>,
    /// The end that owes a FIN, and the one that waits for it.
    held_by: Option<EndKey>,
    waits_for: Option<EndKey>,
    /// At least.
    held_s: Option<f64>,
    /// At most.
    idle_before_fin_s: Option<f64>,
    tcp_info: Option<InfoLine>,
    /// Absent where that was not watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Vec<CodeLine<'a>>>,
}

/// The kernel's own times.
#[derive(Serialize)]
struct InfoLine {
    last_ack_recv_s: f64,
    last_data_recv_s: f64,
    last_data_sent_s: f64,
    keep_alive: bool,
}

impl From<Silence> for InfoLine {
    fn from(silence: Silence) -> InfoLine {
        let Silence { last_ack_recv, last_data_recv, last_data_sent, keep_alive, .. } = silence;
        let [last_ack_recv_s, last_data_recv_s, last_data_sent_s] =
            [last_ack_recv, last_data_recv, last_data_sent].map(|ms| f64::from(ms) / 1e3);
        InfoLine { last_ack_recv_s, last_data_recv_s, last_data_sent_s, keep_alive }
    }
}

impl<'a> From<&'a Socket> for SocketLine<'a> {
    fn from(socket: &'a Socket) -> SocketLine<'a> {
        let processes: Vec<ProcessLine> = socket.holders.iter().map(ProcessLine::from).collect();
        SocketLine {
            schema: SCHEMA,
            r#type: "socket",
            state: socket.state.name(),
            local: socket.local.into(),
            peer: socket.peer.into(),
            recv_q: socket.recv_q,
            send_q: socket.send_q,
            process: processes.first().cloned(),
            processes,
            netns: socket.netns.as_deref(),
            held_by: socket.is_stuck().then(|| socket.local.into()),
            waits_for: socket.is_stuck().then(|| socket.peer.into()),
            held_s: socket.held_for().map(seconds),
            idle_before_fin_s: socket.idle_before_fin().map(seconds),
            tcp_info: socket.silence.map(InfoLine::from),
            code: socket.code.as_ref().map(|code| code_lines(code, None)),
        }
    }
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    schema: u32,
    r#type: &'static str,
    findings: usize,
    states: std::collections::BTreeMap<&'static str, u64>,
    processes: Vec<UsageLine<'a>>,
    hidden_processes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_lost: Option<u64>,
}

#[derive(Serialize)]
struct UsageLine<'a> {
    pid: i32,
    command: &'a str,
    close_wait: u64,
    descriptors: Option<u64>,
    descriptor_limit: Option<u64>,
    per_minute: Option<f64>,
    limit_reached_at: Option<String>,
}

/// `--format jsonl`, of a list that is as of `now`.
pub fn jsonl(
    out: &mut impl Write,
    listing: &Listing,
    history: Option<&History>,
    now: Time,
) -> io::Result<()> {
    for socket in &listing.listed {
        write_line(out, &SocketLine::from(*socket))?;
    }
    let usage = |(pid, close_wait)| {
        let usage = listing.snapshot.processes.get(&pid)?;
        let outlook = Outlook::new(usage.clone(), rate(listing, history, pid), now);
        Some(UsageLine {
            pid,
            command: &usage.command,
            close_wait,
            descriptors: usage.in_use,
            descriptor_limit: usage.limit,
            per_minute: outlook.per_minute,
            limit_reached_at: outlook.full_at.and_then(|at| rfc3339(at, 0)),
        })
    };
    let summary = SummaryLine {
        schema: SCHEMA,
        r#type: "summary",
        findings: listing.stuck.len(),
        states: listing.states.iter().map(|(state, n)| (state.name(), *n)).collect(),
        processes: listing.by_process().into_iter().filter_map(usage).collect(),
        hidden_processes: listing.snapshot.denied,
        code_lost: listing.code_lost,
    };
    write_line(out, &summary)?;
    out.flush()
}

/// The descriptor's number, if the list has it.
pub fn descriptor(holder: &Holder) -> String {
    holder.fd.map_or(String::new(), |fd| fd.to_string())
}

fn queue(octets: Option<u32>) -> String {
    octets.map_or(String::new(), |octets| octets.to_string())
}

/// Seconds, or an empty cell.
pub fn span(time: Option<TimeDelta>) -> String {
    time.map_or(String::new(), |time| seconds(time).to_string())
}

/// `--format csv`: RFC 4180, no cell a formula.
pub fn csv(out: &mut impl Write, listing: &Listing) -> io::Result<()> {
    let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    let names = [
        "state",
        "local.ip",
        "local.port",
        "peer.ip",
        "peer.port",
        "recv_q",
        "send_q",
        "pid",
        "command",
        "fd",
        "uid",
        "netns",
        "held_s",
        "idle_before_fin_s",
    ];
    out.write_record(names).map_err(io::Error::from)?;
    for socket in &listing.listed {
        let holder = socket.holders.first();
        let cells = [
            socket.state.name().to_owned(),
            host(socket.local.ip),
            socket.local.port.to_string(),
            host(socket.peer.ip),
            socket.peer.port.to_string(),
            queue(socket.recv_q),
            queue(socket.send_q),
            holder.map_or(String::new(), |h| h.pid.to_string()),
            holder.map_or(String::new(), |h| h.command.clone()),
            holder.map_or(String::new(), descriptor),
            holder.and_then(|h| h.uid).map_or(String::new(), |uid| uid.to_string()),
            socket.netns.clone().unwrap_or_default(),
            span(socket.held_for()),
            span(socket.idle_before_fin()),
        ];
        out.write_record(cells.map(defused)).map_err(io::Error::from)?;
    }
    out.flush()
}
