//! Findings that were known before: the same by peer, cause and statements, whatever port a client chose, and by the
//! port that local serves.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::endpoints::{EndpointSet, NoAddress};
use crate::names::host;
use crate::printable::printable;
use crate::summary::cause::Cause;
use crate::summary::seen::{Collected, Seen};
use crate::tcp::segment::Endpoint;

/// A kind of finding; a line of the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Known {
    schema: u32,
    r#type: Type,
    peer: String,
    /// The port that peers connected to, where that is local's: what leaks at another is new. Baselines of old have none,
    /// and know what leaks at any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    cause: Option<String>,
    statements: Vec<String>,
}

/// The mark of a baseline, so that another file in its place is refused with a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Type {
    Baseline,
}

const SCHEMA: u32 = 1;

/// Kinds of findings, in a fixed order.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    known: BTreeSet<Known>,
    aliases: Vec<Alias>,
}

/// A name for addresses that change: `172.17.0.0/16=database`.
#[derive(Clone, Debug)]
pub struct Alias {
    /// The addresses that it stands for.
    pub addresses: EndpointSet,
    /// The name that findings are compared by.
    pub name: String,
}

impl FromStr for Alias {
    type Err = String;

    fn from_str(text: &str) -> Result<Alias, String> {
        let usage = || "write ADDR=NAME, as 172.17.0.0/16=database".to_owned();
        let (addresses, name) = text.split_once('=').ok_or_else(usage)?;
        if name.is_empty() {
            return Err(usage());
        }
        let addresses = addresses.parse().map_err(|error: NoAddress| error.to_string())?;
        Ok(Alias { addresses, name: printable(name) })
    }
}

/// An end by a name that stays: that of the first alias it is in, or its address.
fn named(end: Endpoint, is_service: bool, aliases: &[Alias]) -> String {
    let alias = aliases.iter().find(|alias| alias.addresses.contains(end));
    match (alias, is_service) {
        (Some(alias), true) => format!("{}:{}", alias.name, end.port),
        (Some(alias), false) => alias.name.clone(),
        (None, true) => end.to_string(),
        // A port that a client chose is another one each time.
        (None, false) => host(end.ip),
    }
}

impl Known {
    fn new(seen: &Seen, aliases: &[Alias]) -> Known {
        let (local, peer) = seen.from_local();
        Known {
            schema: SCHEMA,
            r#type: Type::Baseline,
            peer: named(peer, seen.peer_is_service(), aliases),
            service: seen.local_is_service().then(|| format!(":{}", local.port)),
            cause: seen.cause.map(|cause: Cause| cause.name().to_owned()),
            statements: seen.said.shown().to_vec(),
        }
    }
}

impl Baseline {
    /// Reads a file that [`Baseline::text`] wrote.
    ///
    /// # Errors
    /// A sentence, printable, with the number of the line that is not of a baseline.
    pub fn read(text: &str) -> Result<Baseline, String> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let known = lines.map(|(index, line)| {
            let line_number = index + 1;
            let known: Known = serde_json::from_str(line).map_err(|error| {
                let wrong = "is not a baseline entry (--write-baseline makes one)";
                printable(&format!("line {line_number} {wrong}: {error}"))
            })?;
            match known.schema {
                SCHEMA => Ok(known),
                // It would match no finding, and nobody would know why.
                other => Err(format!(
                    "line {line_number} has schema {other}, and {SCHEMA} is read: write it anew (--write-baseline)"
                )),
            }
        });
        let known = known.collect::<Result<_, String>>()?;
        Ok(Baseline { known, aliases: Vec::new() })
    }

    /// Has it name addresses by these aliases.
    #[must_use]
    pub fn with(self, aliases: &[Alias]) -> Baseline {
        Baseline { aliases: aliases.to_vec(), ..self }
    }

    /// Adds every finding of a capture.
    pub fn add(&mut self, collected: &Collected) {
        let findings = collected.flows.iter().filter(|seen| seen.finding);
        let known = findings.map(|seen| Known::new(seen, &self.aliases));
        self.known.extend(known);
    }

    /// True if a finding with the same peer, cause and statements was there before, at the same port that local serves.
    #[must_use]
    pub fn knows(&self, seen: &Seen) -> bool {
        let here = Known::new(seen, &self.aliases);
        self.known.contains(&here) || self.known.contains(&Known { service: None, ..here })
    }

    /// Writes it as a file: a JSON object a line, sorted, so that changes of it can be read.
    ///
    /// # Errors
    /// If a line cannot be written as JSON.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        let lines: Result<Vec<String>, _> = self.known.iter().map(serde_json::to_string).collect();
        Ok(lines?.iter().map(|line| format!("{line}\n")).collect())
    }
}
