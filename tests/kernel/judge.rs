//! One capture judged by the binary, and each connection of it held against the kernel.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

use crate::batch::Batch;
use crate::common;
use crate::network::HOSTS;
use crate::packets::Packets;
use crate::programs::deeds;
use crate::scenario;
use crate::tally::{Setting, Tally};
use crate::taps::{Capture, Kind, Stand};
use crate::truth::{CLOSE_WAIT, Pair, Told, Truth};

/// Whose connections are judged in a capture: the host's own, or both hosts'.
pub fn hosts(capture: &Capture) -> Vec<usize> {
    match (capture.stand, capture.kind) {
        (Stand::Host(host), Kind::Whole) => vec![host, 1 - host],
        (Stand::Host(host), _) => vec![host],
        (Stand::Between, _) => vec![0, 1],
    }
}

/// What makes a capture's answers good or bad.
fn setting(batch: &Batch, capture: &Capture, host: usize) -> Setting {
    let down = batch.script.down.is_some_and(|(_, down)| down == host);
    match (capture.stand, capture.kind) {
        (Stand::Between, _) => Setting::Between,
        (Stand::Host(stand), _) if stand != host => Setting::OtherHost,
        _ if down => Setting::InterfaceDown,
        (_, Kind::Whole) if capture.dropped > 0 => Setting::Overrun,
        (_, Kind::Whole) => Setting::Whole,
        (_, Kind::Late) => Setting::Late,
        (_, Kind::Cut) => Setting::Cut,
        (_, Kind::Ring) => Setting::Overrun,
        (_, Kind::Flags) => Setting::Flags,
    }
}

/// What closewait says of a capture.
struct Report {
    /// By pair as seen from the host, in the order of first packets.
    flows: BTreeMap<Pair, Vec<Value>>,
}

impl Report {
    fn of(capture: &Capture, host: usize) -> Report {
        let file = capture.file.display().to_string();
        let local = format!("--local={}", HOSTS[host]);
        let args = ["read", "--all", "--format", "jsonl", &local, &file];
        let output = common::closewait(&args);
        assert!(output.status.code().is_some_and(|code| code < 2), "{}", common::text(&output).1);
        let mut flows: Vec<Value> = common::json_lines(&output);
        flows.retain(|line| line["type"] == "flow");
        flows.sort_by_key(|flow| flow["first"]["frame"].as_u64());
        let mut report = Report { flows: BTreeMap::new() };
        for flow in flows {
            report.flows.entry(pair(&flow, HOSTS[host])).or_default().push(flow);
        }
        report
    }

    /// The connection that the kernel may still have: no other one of its ends was established later.
    fn last(&self, pair: &Pair) -> Option<&Value> {
        self.flows.get(pair)?.iter().rev().find(|flow| flow["verdict"] != "attempt")
    }
}

fn pair(flow: &Value, own: IpAddr) -> Pair {
    let end = |side: &str| {
        let ip = flow[side]["ip"].as_str().and_then(|ip| ip.parse().ok()).expect("an address");
        SocketAddr::new(ip, flow[side]["port"].as_u64().expect("a port") as u16)
    };
    let (a, b) = (end("a"), end("b"));
    if a.ip() == own { (a, b) } else { (b, a) }
}

/// A connection that closewait got wrong.
pub struct Wrong {
    pub setting: Setting,
    pub text: String,
}

pub fn judge(batch: &Batch, capture: &Capture, host: usize, tally: &mut Tally) -> Vec<Wrong> {
    let setting = setting(batch, capture, host);
    let report = Report::of(capture, host);
    let packets = Packets::read(&capture.file, HOSTS[host]);
    let truth = &capture.truth[host];
    let mut wrong = Vec::new();
    let mut show = |what: &str, pair: &Pair| {
        let text = told(batch, capture, host, what, pair, &packets, &report);
        wrong.push(Wrong { setting, text });
    };
    for (pair, flows) in &report.flows {
        for flow in flows {
            tally.of(setting).judged += 1;
            if flow["finding"] == true && finding(setting, flow, pair, &report, truth, tally) {
                show("is no leak", pair);
            }
        }
    }
    // Where the peer's packets leave their host, they have no checksums yet.
    let arrived = setting != Setting::OtherHost;
    for pair in truth.in_close_wait().filter(|pair| packets.show_fin_of_peer(pair, arrived)) {
        let verdict =
            report.last(pair).map_or("none", |flow| flow["verdict"].as_str().unwrap_or("?"));
        let count = tally.of(setting);
        count.in_close_wait += 1;
        match verdict {
            "leak" | "pending" | "half-closed" => {}
            "unknown" if arrived && packets.show_damaged_ack_of_peer(pair) => count.untold += 1,
            _ => {
                count.missed += 1;
                show("was missed", pair);
            }
        }
    }
    wrong
}

/// Counts a finding; true if it is a false one without doubts.
fn finding(
    setting: Setting,
    flow: &Value,
    pair: &Pair,
    report: &Report,
    truth: &Truth,
    tally: &mut Tally,
) -> bool {
    let is_last = report.last(pair).is_some_and(|last| last["uid"] == flow["uid"]);
    let told = if is_last { truth.of(pair) } else { Told::State(None) };
    let doubts: Vec<&str> =
        flow["doubts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if told == Told::Changed {
        tally.of(setting).changed += 1;
        return false;
    }
    let right = told == Told::State(Some(CLOSE_WAIT));
    let count = tally.of(setting);
    count.findings += 1;
    let false_ones = if doubts.is_empty() { &mut count.falsely } else { &mut count.doubtfully };
    *false_ones += u64::from(!right);
    tally.doubts(setting, &doubts, right);
    doubts.is_empty() && !right
}

/// All that helps to understand it.
fn told(
    batch: &Batch,
    capture: &Capture,
    host: usize,
    what: &str,
    pair: &Pair,
    packets: &Packets,
    report: &Report,
) -> String {
    let name = capture.file.file_stem().unwrap_or_default().to_string_lossy();
    let title = format!("Seed {}, {name}, host {}: {what}.", batch.seed, ["a", "b"][host]);
    let end = packets.end;
    let flows: Vec<&Value> = report.flows.get(pair).into_iter().flatten().collect();
    let mut text = scenario::of(&title, pair, packets.of(pair), end, &flows);
    let state = match capture.truth[host].of(pair) {
        Told::Changed => "changing",
        Told::State(None) => "gone",
        Told::State(Some(state)) => state,
    };
    text.push_str(&format!("# the kernel: {state}; {}\n", batch.history(host, pair)));
    let port = [pair.0, pair.1].map(|end| end.port()).into_iter().max().unwrap_or_default();
    for host in [host, 1 - host] {
        let deeds = deeds(&batch.folder, host, port);
        text.push_str(&format!("# {}: {}\n", ["a", "b"][host], deeds.join("; ")));
    }
    text
}
