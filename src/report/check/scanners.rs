//! Issues for whatever shows what code scanners find: SARIF 2.1.0, and GitLab's code quality.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::Checked;
use super::issues::{Issue, Level, Rule, issues};

/// The file that an issue belongs to: its expectation, or the capture.
fn file(one: &Checked) -> &str {
    one.expectation.as_deref().unwrap_or(&one.capture)
}

fn write_json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sarif<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool,
    results: Vec<SarifResult<'a>>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<SarifRule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifRule {
    id: &'static str,
    short_description: Message,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'a> {
    rule_id: &'a str,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    partial_fingerprints: Fingerprint,
}

#[derive(Serialize)]
struct Fingerprint {
    #[serde(rename = "closewait/v1")]
    first: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: PhysicalLocation,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
}

/// `--format sarif`.
pub fn sarif(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    let all: Vec<(&Checked, Issue)> = in_order(checked);
    let rules: BTreeMap<&str, Rule> =
        all.iter().map(|(_, issue)| (issue.rule.id(), issue.rule)).collect();
    let driver = Driver {
        name: "closewait",
        semantic_version: env!("CARGO_PKG_VERSION"),
        rules: rules.into_values().map(SarifRule::from).collect(),
    };
    let results = all.iter().map(|(one, issue)| SarifResult::new(one, issue)).collect();
    let sarif = Sarif {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run { tool: Tool { driver }, results }],
    };
    write_json(out, &sarif)
}

fn in_order(checked: &[Checked]) -> Vec<(&Checked, Issue<'_>)> {
    checked.iter().flat_map(|one| issues(one).into_iter().map(move |issue| (one, issue))).collect()
}

impl From<Rule> for SarifRule {
    fn from(rule: Rule) -> SarifRule {
        let text = rule.description().to_owned();
        SarifRule { id: rule.id(), short_description: Message { text } }
    }
}

impl<'a> SarifResult<'a> {
    fn new(one: &Checked, issue: &Issue<'a>) -> SarifResult<'a> {
        let location = PhysicalLocation {
            artifact_location: ArtifactLocation { uri: uri(file(one)) },
            region: Region { start_line: 1 },
        };
        SarifResult {
            rule_id: issue.rule.id(),
            level: match issue.level {
                Level::Error => "error",
                Level::Warning => "warning",
            },
            message: Message { text: described(one, issue) },
            locations: [Location { physical_location: location }],
            partial_fingerprints: Fingerprint { first: issue.fingerprint(&one.capture) },
        }
    }
}

fn described(one: &Checked, issue: &Issue) -> String {
    format!("{}: {}", one.capture, issue.lines().join("\n"))
}

/// A path as a relative reference (RFC 3986).
fn uri(path: &str) -> String {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~/".contains(&octet);
    let one = |octet: u8| match is_plain(octet) {
        true => char::from(octet).to_string(),
        false => format!("%{octet:02X}"),
    };
    path.bytes().map(one).collect()
}

#[derive(Serialize)]
struct Quality<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: String,
    severity: &'static str,
    location: Lines<'a>,
}

#[derive(Serialize)]
struct Lines<'a> {
    path: &'a str,
    lines: Begin,
}

#[derive(Serialize)]
struct Begin {
    begin: u32,
}

/// `--format gitlab`.
pub fn gitlab(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    let all = in_order(checked);
    let lines: Vec<Quality> = all
        .iter()
        .map(|(one, issue)| Quality {
            description: described(one, issue),
            check_name: issue.rule.id(),
            fingerprint: issue.fingerprint(&one.capture),
            severity: match issue.level {
                Level::Error => "major",
                Level::Warning => "minor",
            },
            location: Lines { path: file(one), lines: Begin { begin: 1 } },
        })
        .collect();
    write_json(out, &lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_is_a_reference() {
        assert_eq!(uri("d/x-1.pcap"), "d/x-1.pcap");
        assert_eq!(uri("a b:ü.pcap"), "a%20b%3A%C3%BC.pcap");
    }
}
