//! Findings that were known before: the same by peer, cause and statements, whatever the port.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::names::host;
use crate::summary::cause::Cause;
use crate::summary::seen::{Collected, Seen};

/// A kind of finding; a line of the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Known {
    schema: u32,
    r#type: Type,
    peer: String,
    cause: Option<String>,
    statements: Vec<String>,
}

/// Whoever hands over another file is told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Type {
    Baseline,
}

const SCHEMA: u32 = 1;

/// Kinds of findings, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baseline(BTreeSet<Known>);

impl Known {
    fn new(seen: &Seen) -> Known {
        let (_, peer) = seen.from_local();
        let is_service = seen.peer_is_service();
        Known {
            schema: SCHEMA,
            r#type: Type::Baseline,
            // A port that a client chose is another one each time.
            peer: if is_service { peer.to_string() } else { host(peer.ip) },
            cause: seen.cause.map(|cause: Cause| cause.name().to_owned()),
            statements: seen.said.shown().to_vec(),
        }
    }
}

impl Baseline {
    /// Reads a file that [`Baseline::text`] wrote.
    ///
    /// # Errors
    /// A sentence with the number of the line that is not of a baseline.
    pub fn read(text: &str) -> Result<Baseline, String> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let known = lines.map(|(index, line)| {
            serde_json::from_str(line).map_err(|error| {
                let line = index + 1;
                format!("line {line} is none of a baseline (--write-baseline makes one): {error}")
            })
        });
        known.collect::<Result<_, _>>().map(Baseline)
    }

    /// Adds every finding of a capture.
    pub fn add(&mut self, collected: &Collected) {
        let findings = collected.flows.iter().filter(|seen| seen.finding);
        self.0.extend(findings.map(Known::new));
    }

    /// True if a finding with the same peer, cause and statements was there before.
    #[must_use]
    pub fn knows(&self, seen: &Seen) -> bool {
        self.0.contains(&Known::new(seen))
    }

    /// Writes it as a file: a JSON object a line, sorted, so that changes of it can be read.
    ///
    /// # Errors
    /// If a line cannot be written as JSON.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        let lines: Result<Vec<String>, _> = self.0.iter().map(serde_json::to_string).collect();
        Ok(lines?.iter().map(|line| format!("{line}\n")).collect())
    }
}
