//! Findings of a report in JSON lines, read back.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta};
use serde::Deserialize;

use crate::attach::sql::tags::code_of;
use crate::facts::cuts_packets;
use crate::names;
use crate::printable::printable;
use crate::summary::cause::Cause;
use crate::summary::compare::{LeakKind, Leaks, Served};
use crate::summary::hold::Hold;
use crate::tcp::segment::Endpoint;

/// The reason why nothing of a capture was judged.
pub const NOBODY_S: &str = "--local names no end of its connections, so none is judged";

/// Octets that tell a report in JSON lines from a capture.
const BEGINS: &[u8] = b"{\"schema\":1,\"type\":\"";

/// True of a file that begins like this.
pub fn is_report(octets: &[u8]) -> bool {
    octets.starts_with(BEGINS)
}

#[derive(Deserialize)]
struct Line {
    r#type: String,
    #[serde(default)]
    finding: bool,
    service: Option<String>,
    held_by: Option<End>,
    waits_for: Option<End>,
    a: Option<End>,
    cause: Option<String>,
    #[serde(default)]
    doubts: Vec<String>,
    close: Option<String>,
    held_s: Option<f64>,
    headline: Option<Headline>,
    findings: Option<u64>,
    #[serde(default)]
    flows: u64,
    #[serde(default)]
    captures: Vec<Capture>,
    first: Option<At>,
    last: Option<At>,
    #[serde(default)]
    code: Option<Vec<Used>>,
    #[serde(flatten)]
    others: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Deserialize, PartialEq)]
struct End {
    ip: String,
    port: u16,
}

/// The time of a packet.
#[derive(Deserialize)]
struct At {
    time: Option<String>,
}

#[derive(Deserialize)]
struct Headline {
    not_judged: u64,
    #[serde(default)]
    pending: u64,
    #[serde(default)]
    hidden: u64,
    #[serde(default)]
    tags_untold: u64,
    #[serde(default)]
    unread_inputs: u64,
    #[serde(default)]
    unread_packets: u64,
    #[serde(default)]
    foreign: u64,
}

#[derive(Deserialize)]
struct Capture {
    #[serde(default)]
    snap_lengths: Vec<u32>,
    /// None of a text.
    link_types: Option<Vec<String>>,
}

/// The part of a conversation that tells kinds of leaks apart, in any protocol.
#[derive(Deserialize)]
struct Conversation {
    last_statement: Option<String>,
    statements: Vec<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// A function, and the event in which it used a socket.
#[derive(Deserialize)]
struct Used {
    event: String,
    function: Option<String>,
}

impl End {
    fn endpoint(&self) -> Option<Endpoint> {
        let ip: Option<IpAddr> = self.ip.parse().ok().or_else(|| names::address(&self.ip));
        Some(Endpoint { ip: ip?, port: self.port })
    }
}

/// A report that is read line by line.
#[derive(Debug, Default)]
pub struct Reported {
    leaks: Leaks,
    lines: u64,
    /// Lines of flows that are findings.
    findings: u64,
    ended: bool,
}

impl Reported {
    /// Takes the next line.
    ///
    /// # Errors
    /// A sentence, printable, with the number of a line that is not of a report.
    pub fn take(&mut self, line: &[u8]) -> Result<(), String> {
        self.lines += 1;
        let line: Line = serde_json::from_slice(line).map_err(|error| {
            printable(&format!("line {} is not of a report in JSON lines: {error}", self.lines))
        })?;
        match line.r#type.as_str() {
            "flow" => {
                self.findings += u64::from(line.finding);
                line.count(&mut self.leaks);
            }
            "summary" => {
                line.end(&mut self.leaks, self.findings)?;
                self.ended = true;
            }
            "socket" => return Err("it lists sockets, and is no report of a capture".into()),
            // What happened live is told again by flows at the end.
            _ => {}
        }
        Ok(())
    }

    /// Returns what was found.
    ///
    /// # Errors
    /// A sentence where the report has no end.
    pub fn leaks(self) -> Result<Leaks, String> {
        match self.ended {
            true => Ok(self.leaks),
            false => Err("the report has no summary: it was cut off".into()),
        }
    }
}

impl Line {
    fn count(self, leaks: &mut Leaks) {
        let (Some(own), Some(peer)) = (&self.held_by, &self.waits_for) else { return };
        if !self.finding {
            return;
        }
        let held_by = if self.a.as_ref() == Some(own) { "a" } else { "b" };
        let is_here = match self.service.as_deref() {
            Some(service) => service == held_by,
            None => own.port < peer.port,
        };
        let service = match (is_here, peer.endpoint()) {
            (true, _) => Served::Here(own.port),
            (false, Some(peer)) => Served::There(peer),
            (false, None) => return,
        };
        let cause = self.cause.as_deref();
        let cause = Cause::ALL.into_iter().find(|known| Some(known.name()) == cause);
        let (statements, tagged) = said(self.others);
        let code = culprit(self.code.unwrap_or_default()).or(tagged);
        let kind = LeakKind { service, cause, statements, code };
        let goes_on = self.close.as_deref() != Some("reset");
        let held = self.held_s.map(|s| TimeDelta::nanoseconds((s * 1e9) as i64));
        let held = held.map(|lasted| Hold { lasted, goes_on });
        leaks.add(kind, !self.doubts.is_empty(), held);
    }

    /// The end of a report that has so many findings.
    fn end(self, leaks: &mut Leaks, findings: u64) -> Result<(), String> {
        let (Some(now), Some(said)) = (self.headline, self.findings) else {
            return Err("its summary is none of a capture's report".into());
        };
        if said != findings {
            return Err(format!(
                "its summary says {said} findings, and it has {findings}: lines are missing"
            ));
        }
        if now.unread_inputs + now.unread_packets > 0 {
            return Err("is the report of a capture that was not read whole".into());
        }
        if now.foreign > 0 && now.foreign == self.flows {
            return Err(NOBODY_S.into());
        }
        leaks.not_judged += now.not_judged;
        leaks.uncounted += now.pending + now.hidden + now.tags_untold;
        let time = |at: Option<At>| DateTime::parse_from_rfc3339(&at?.time?).ok();
        leaks.lasted = time(self.last).zip(time(self.first)).map(|(last, first)| last - first);
        leaks.is_cut |= self.captures.iter().any(|capture| {
            let is_text = capture.link_types.as_ref().is_some_and(Vec::is_empty);
            is_text || capture.snap_lengths.iter().any(|len| cuts_packets(*len))
        });
        Ok(())
    }
}

/// The statements of the one conversation that a flow has, and the code that their tags name.
fn said(keys: serde_json::Map<String, serde_json::Value>) -> (Vec<String>, Option<String>) {
    let said = keys.into_values().find_map(|value| serde_json::from_value(value).ok());
    let Some(Conversation { last_statement, statements, tags }) = said else {
        return (Vec::new(), None);
    };
    let all = if statements.is_empty() { last_statement.into_iter().collect() } else { statements };
    let code = code_of(|wanted| tags.get(wanted).map(String::as_str));
    (all.iter().map(|statement| printable(statement)).collect(), code.map(|code| printable(&code)))
}

/// The function that matters most, as [`Code::culprit`](crate::code::Code::culprit) has it.
fn culprit(used: Vec<Used>) -> Option<String> {
    let events = ["begun by", "read its end-of-file", "last asked", "connected by"];
    let named = |event: &str| {
        let mut by = used.iter().filter(|used| used.event == event);
        by.find_map(|used| used.function.as_deref())
    };
    events.into_iter().find_map(named).map(printable)
}
