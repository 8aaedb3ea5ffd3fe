//! Every scenario twice: as segments straight into the table, and as bytes through the binary.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use closewait::cli::{Command, parse};
use closewait::facts::CaptureFacts;
use closewait::place::{Place, Time};
use closewait::table::{FlowTable, Retired};
use closewait::tcp::flow::Flow;
use closewait::tcp::holes::Count;
use closewait::tcp::segment::{
    Checksum, Direction, Endpoint, Extras, Flags, FlowKey, Scale, Segment, ToldBy, Way,
};
use closewait::tcp::seq::Seq;
use closewait::tcp::side::Side;
use closewait::verdict::{Judgement, Policy, Verdict, judge};
use common::scenario::{Expected, Row, Scenario};
use common::wire::{MICROSECONDS, Packet};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

fn main() {
    let trials = common::files("fixtures/scenarios", "scn").into_iter().flat_map(|path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (as_segments, as_bytes) = (path.clone(), path);
        [
            Trial::test(format!("{name}::as_segments"), move || run(&as_segments, by_segments)),
            Trial::test(format!("{name}::as_bytes"), move || run(&as_bytes, by_binary)),
        ]
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

fn run(path: &Path, by: fn(&Scenario) -> Result<Vec<Expected>, String>) -> Result<(), Failed> {
    let scenario = Scenario::read(path)?;
    let got = by(&scenario)?;
    let matches = |(expected, got): (&Expected, &Expected)| {
        let optional = ["notes", "idle", "held", "holder", "local"];
        let told = |key: &str| expected.words.contains_key(key) || !optional.contains(&key);
        let got: BTreeMap<_, _> = got.words.iter().filter(|(key, _)| told(key)).collect();
        let is_told = |(_, value): &(&String, &String)| value.as_str() != "unknown";
        let wanted: BTreeMap<_, _> = expected.words.iter().filter(is_told).collect();
        got == wanted
    };
    let same_words = scenario.verdicts.iter().zip(&got).all(|(e, g)| e.verdict == g.verdict);
    let same_details = scenario.verdicts.iter().zip(&got).all(matches);
    if scenario.verdicts.len() == got.len() && same_words && same_details {
        return Ok(());
    }
    let lines = |list: &[Expected]| list.iter().map(|e| format!("\n  {e}")).collect::<String>();
    Err(format!("expected{}\ngot{}", lines(&scenario.verdicts), lines(&got)).into())
}

fn by_segments(scenario: &Scenario) -> Result<Vec<Expected>, String> {
    let policy = policy(scenario)?;
    let mut table = FlowTable::default();
    let mut facts = CaptureFacts::default();
    let mut retired = Vec::new();
    for (index, row) in scenario.rows.iter().enumerate() {
        let place = Place::new(Time::from_nanos(row.nanos.into()), 0, index as u64 + 1, 6);
        facts.see(place);
        let Some(packet) = &row.packet else { continue };
        let segment = segment(row, packet, place, scenario);
        table.retire(facts.end(), |gone| retired.push(gone));
        table.take(&segment, &mut facts);
        check_states(scenario, row, &table, place)?;
    }
    retired.extend(table.into_flows());
    retired.sort_by_key(|retired| retired.flow.first.order());
    let mut holes = Count::default();
    retired.iter().for_each(|retired| holes.note(&retired.flow));
    facts.count_holes(holes.holes());
    let judged = retired.iter().map(|Retired { key, flow }| {
        let judgement = judge(key, flow, &policy, &facts);
        expectation(scenario, key, flow, &judgement)
    });
    Ok(judged.collect())
}

/// The policy that the binary would follow with the scenario's options.
fn policy(scenario: &Scenario) -> Result<Policy, String> {
    let words = ["closewait", "-"].into_iter().chain(scenario.options.iter().map(String::as_str));
    match parse(words.map(Into::into)) {
        Command::Read(read) => Ok(read.plan.policy),
        _ => Err("the options are wrong".into()),
    }
}

fn segment(row: &Row, packet: &Packet, place: Place, scenario: &Scenario) -> Segment {
    // Of a fragmented packet, only the first fragment tells its numbers.
    let whole = packet.payload.len();
    let len = row.fragment.map_or(whole, |octets| octets - 20);
    let end = |address: std::net::SocketAddr| Endpoint { ip: address.ip(), port: address.port() };
    let (key, from) = FlowKey::new(end(packet.from), end(packet.to));
    let way = if packet.outgoing { Way::Out } else { Way::In };
    Segment {
        key,
        hash: u64::from(packet.from.port()) * u64::from(packet.to.port()),
        from,
        seq: Seq(packet.seq),
        ack: Seq(packet.ack),
        flags: Flags(packet.flags),
        len: len as u32,
        window: packet.window,
        extras: Extras::new(
            match packet.options[..] {
                // The snap length cuts them off.
                [_, ..] if scenario.snap.is_some() => Scale::UNKNOWN,
                [1, 3, 3, shift] => Scale::new(shift),
                _ if packet.flags & Flags::SYN != 0 => Scale::ABSENT,
                _ => Scale::UNKNOWN,
            },
            match row {
                Row { damaged: true, .. } => Checksum::Wrong,
                Row { fragment: Some(_), .. } => Checksum::OfMore,
                _ => Checksum::Unknown,
            },
        )
        .routed(row.ttl.is_some_and(|ttl| !matches!(ttl, 63 | 64))),
        place,
        direction: scenario
            .link
            .tells_direction()
            .then_some(Direction { way, told_by: ToldBy::PacketType }),
    }
}

/// The states that a row tells are those of the flow that took its packet.
fn check_states(
    scenario: &Scenario,
    row: &Row,
    table: &FlowTable,
    place: Place,
) -> Result<(), String> {
    if row.states.is_empty() {
        return Ok(());
    }
    let (key, flow) =
        table.flows().find(|(_, flow)| flow.last == place).ok_or("no flow took the packet")?;
    let got: BTreeMap<String, String> = [Side::A, Side::B]
        .into_iter()
        .map(|side| {
            let state = flow.state(side, place.time).to_string();
            (name(scenario, &key, &flow, side), state)
        })
        .collect();
    let wanted: BTreeMap<String, String> = row.states.iter().cloned().collect();
    if got == wanted {
        return Ok(());
    }
    let words: Vec<String> = got.iter().map(|(end, state)| format!("{end} {state}")).collect();
    Err(format!("expected\n  {}\ngot\n  … | {}", row.line, words.join("   ")))
}

fn name(scenario: &Scenario, key: &FlowKey, flow: &Flow, side: Side) -> String {
    let end = key.endpoint(flow.end(side));
    scenario.name_of((end.ip, end.port).into()).to_owned()
}

fn expectation(scenario: &Scenario, key: &FlowKey, flow: &Flow, judgement: &Judgement) -> Expected {
    let seconds =
        |delta: chrono::TimeDelta| seconds(delta.num_nanoseconds().unwrap_or(0) as f64 / 1e9);
    let reason = match judgement.verdict {
        Verdict::Unknown(reason) => Some(reason.name().to_owned()),
        _ => None,
    };
    let finding = judgement.finding != (judgement.verdict == Verdict::Leak);
    words(
        judgement.verdict.name(),
        [
            ("reason", reason),
            ("doubts", list(judgement.doubts.iter().map(|d| d.name()))),
            ("notes", list(judgement.notes.iter().map(|n| n.name()))),
            ("held", judgement.held.map(seconds)),
            ("idle", judgement.idle_before_fin.map(seconds)),
            ("holder", judgement.holder.map(|side| name(scenario, key, flow, side))),
            ("finding", finding.then(|| if judgement.finding { "yes" } else { "no" }.into())),
        ],
    )
}

fn words<const N: usize>(verdict: &str, words: [(&str, Option<String>); N]) -> Expected {
    let words = words.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Expected { verdict: verdict.into(), words: words.collect() }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    (!names.is_empty()).then(|| names.join(","))
}

/// As scenarios write it: milliseconds are precise enough.
fn seconds(seconds: f64) -> String {
    format!("{}s", (seconds * 1e3).round() / 1e3)
}

fn by_binary(scenario: &Scenario) -> Result<Vec<Expected>, String> {
    let scratch = common::Scratch::new();
    let capture = MICROSECONDS.write(scenario.link.link_type(), &scenario.records());
    let path = scratch.write("scenario.pcap", &capture);
    let mut args = vec!["read", &path, "--all", "--format", "jsonl"];
    args.extend(scenario.options.iter().map(String::as_str));
    let output = common::closewait(&args);
    let lines = common::json_lines(&output);
    let mut flows: Vec<&Value> = lines.iter().filter(|line| line["type"] == "flow").collect();
    flows.sort_by_key(|flow| flow["first"]["frame"].as_u64());
    let found = flows.iter().any(|flow| flow["finding"] == true);
    let judged_none = flows.iter().all(|flow| flow["local"] == "none");
    let status = if judged_none { 2 } else { i32::from(found) };
    if output.status.code() != Some(status) {
        return Err(format!("exit status {}: {}", output.status, common::text(&output).1));
    }
    check_last_states(scenario, &flows)?;
    flows.iter().try_for_each(|flow| check_missed_fin(flow))?;
    Ok(flows.into_iter().map(|flow| json_expectation(scenario, flow)).collect())
}

/// A FIN that was not captured, and was acknowledged, has its states all the same.
fn check_missed_fin(flow: &Value) -> Result<(), String> {
    let missed = flow["doubts"].as_array().is_some_and(|d| d.contains(&"peer-fin-missed".into()));
    let (Some(holder), true) = (flow["holder"].as_str(), missed) else { return Ok(()) };
    let closer = if holder == "a" { "b" } else { "a" };
    match (flow[holder]["state"].as_str(), flow[closer]["state"].as_str()) {
        (Some("CLOSE-WAIT"), Some("FIN-WAIT-2")) => Ok(()),
        states => Err(format!("holder and closer are in {states:?}")),
    }
}

/// The states of the last row are the states at the end, if time does not go on after it.
fn check_last_states(scenario: &Scenario, flows: &[&Value]) -> Result<(), String> {
    let Some(row) = scenario.rows.last() else { return Ok(()) };
    let frame = scenario.records().len() as u64;
    let flow = flows.iter().find(|flow| flow["last"]["frame"] == frame);
    let Some(flow) = flow.filter(|_| !row.states.is_empty()) else { return Ok(()) };
    let got: BTreeMap<String, String> = ["a", "b"]
        .map(|side| {
            (end_name(scenario, &flow[side]), flow[side]["state"].as_str().unwrap_or("").into())
        })
        .into();
    let wanted: BTreeMap<String, String> = row.states.iter().cloned().collect();
    if got == wanted { Ok(()) } else { Err(format!("expected\n  {}\ngot\n  {got:?}", row.line)) }
}

fn end_name(scenario: &Scenario, end: &Value) -> String {
    let ip: std::net::IpAddr = end["ip"].as_str().unwrap_or("").parse().expect("an address");
    let port = end["port"].as_u64().unwrap_or(0) as u16;
    scenario.name_of((ip, port).into()).to_owned()
}

fn json_expectation(scenario: &Scenario, flow: &Value) -> Expected {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let names = |value: &Value| {
        let names = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        list(names)
    };
    let verdict = flow["verdict"].as_str().unwrap_or("");
    let is_finding = flow["finding"] == true;
    let finding = is_finding != (verdict == "leak");
    words(
        verdict,
        [
            ("reason", text(&flow["reason"])),
            ("doubts", names(&flow["doubts"])),
            ("notes", names(&flow["notes"])),
            ("held", flow["held_s"].as_f64().map(seconds)),
            ("idle", flow["idle_before_fin_s"].as_f64().map(seconds)),
            ("holder", flow["holder"].as_str().map(|side| end_name(scenario, &flow[side]))),
            ("finding", finding.then(|| if is_finding { "yes" } else { "no" }.into())),
        ],
    )
}
