//! The incident made to happen with real programs: what `closewait` finds in captures of it is what
//! the kernel's own list says, in every shape of capture, no more and no less.
//!
//! A kept run is checked everywhere; where there are root and the programs, so is a fresh one.
//! `fixtures/reproduce/README.md` tells what a run consists of.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chrono::DateTime;
use closewait::attach::sql::Sql;
use closewait::attach::sql::digest::digest;
use closewait::owner::saved;
use closewait::tcp::segment::Endpoint;
use serde_json::Value;

#[test]
fn the_kept_run_agrees_with_the_kernel() {
    check(&common::project("fixtures/captures/reproduction"));
}

#[test]
fn a_fresh_run_agrees_with_the_kernel() {
    if let Some(missing) = missing() {
        return common::skip(missing);
    }
    let scratch = common::Scratch::new();
    let mut run = Command::new(common::project("fixtures/reproduce/run"));
    run.arg(scratch.path()).stdin(Stdio::null());
    // Cargo builds it with the tests, unless only some of them are asked for: then the script does.
    let client = Path::new(common::BINARY).with_file_name("examples/reproduce-client");
    if client.exists() {
        run.env("CLIENT", client);
    }
    if cfg!(feature = "libpcap") {
        run.env("CLOSEWAIT", common::BINARY);
    }
    let output = run.output().expect("the script runs");
    assert!(output.status.success(), "{}", common::text(&output).1);
    check(scratch.path());
    if cfg!(feature = "libpcap") {
        a_live_watch_says_the_same(&Run::read(scratch.path()));
    }
}

/// What a fresh run needs and this machine has not.
fn missing() -> Option<&'static str> {
    common::lacks(&[
        common::ROOT,
        common::NETNS,
        ("mariadb", "mariadbd", &["--version"]),
        ("haproxy", "haproxy", &["-v"]),
        ("tshark", "dumpcap", &["--version"]),
        common::TCPDUMP,
    ])
}

const APP: [&str; 2] = ["172.18.0.5", "fd00:18::5"];
const DYING: &str = "172.18.0.6";
const DATABASE: [&str; 2] = ["172.18.0.3", "fd00:18::3"];

/// Captures on the service's host of everything it sent and received.
const WHOLE: [&str; 8] = [
    "app.pcap",
    "app-nano.pcap",
    "app.pcapng",
    "snap96.pcap",
    "snap128.pcap",
    "any-sll2.pcap",
    "any-sll.pcapng",
    "two-interfaces.pcapng",
];
/// Those of them that know by their packets' types which host they were taken on.
const COOKED: [&str; 2] = ["any-sll2.pcap", "any-sll.pcapng"];

/// Everything that holds of a run.
fn check(folder: &Path) {
    let run = Run::read(folder);
    the_kernel_and_the_client_agree(&run);
    for shape in WHOLE {
        let report = run.report(&[shape], &APP);
        the_findings_are_the_kernels(&run, shape, &report);
        the_verdicts_are_what_was_done(&run, shape, &report, &APP);
        the_clocks_agree(&run, shape, &report);
        the_causes_are_what_was_done(&run, shape, &report);
    }
    for shape in COOKED {
        let report = run.report(&[shape], &[]);
        the_findings_are_the_kernels(&run, shape, &report);
    }
    a_rotated_series_is_one_capture(&run);
    flags_alone_are_enough(&run);
    the_other_host_sees_the_same(&run);
    the_forwarding_host_sees_the_same(&run);
}

// ---- What a run consists of.

/// A connection: the end that is judged, and its peer.
type Pair = (SocketAddr, SocketAddr);

struct Run {
    folder: PathBuf,
    /// The service's host's sockets in CLOSE-WAIT when the captures ended, and the database's.
    kernel: BTreeSet<Pair>,
    kernel_db: BTreeSet<Pair>,
    /// What the clients did.
    log: Vec<Done>,
    /// When the kernel put a socket of the service into CLOSE-WAIT, where it was asked.
    close_wait_at: BTreeMap<Pair, f64>,
}

/// One connection, as the client that made it tells.
struct Done {
    kind: String,
    pair: Pair,
    leaked: bool,
    asked_at: f64,
    last_activity: f64,
    fin_at: Option<f64>,
    /// As digests.
    statements: Vec<String>,
}

impl Run {
    fn read(folder: &Path) -> Run {
        let read = |name: &str| {
            fs::read_to_string(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
        };
        Run {
            folder: folder.into(),
            kernel: in_close_wait(&read("kernel.txt")),
            kernel_db: in_close_wait(&read("kernel-db.txt")),
            log: read("client.jsonl").lines().map(Done::read).collect(),
            // Not every kernel can be asked.
            close_wait_at: fs::read_to_string(folder.join("states.tsv"))
                .map(|states| close_wait_at(&states))
                .unwrap_or_default(),
        }
    }

    /// The kernel's leaks: a half-close in use is in CLOSE-WAIT too, and as it should be.
    fn leaks(&self) -> BTreeSet<Pair> {
        let in_use = self.of_kind("half-close-in-use").map(|done| done.pair).collect();
        self.kernel.difference(&in_use).copied().collect()
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Done> {
        self.log.iter().filter(move |done| done.kind == kind)
    }

    fn report(&self, files: &[&str], local: &[&str]) -> Report {
        let paths = files.iter().map(|name| self.folder.join(name).display().to_string());
        let mut args = vec!["read".to_owned(), "--all".into(), "--format".into(), "jsonl".into()];
        args.extend(local.iter().map(|address| format!("--local={address}")));
        args.extend(paths);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = common::closewait(&args);
        let mut lines = common::json_lines(&output);
        let summary = lines.pop().expect("a summary");
        let found = if summary["findings"] == 0 { 0 } else { 1 };
        assert_eq!(output.status.code(), Some(found), "{}", common::text(&output).1);
        Report { flows: lines, summary }
    }
}

impl Done {
    fn read(line: &str) -> Done {
        let entry: Value = serde_json::from_str(line).expect("a line of client.jsonl");
        let text = |key: &str| entry[key].as_str().unwrap_or_else(|| panic!("{key} in {line}"));
        let time = |key: &str| entry[key].as_f64();
        Done {
            kind: text("kind").to_owned(),
            pair: (address(text("local")), address(text("peer"))),
            leaked: entry["leaked"] == true,
            asked_at: time("asked_at").expect("a time"),
            last_activity: time("last_activity").expect("a time"),
            fin_at: time("fin_at"),
            statements: entry["statements"]
                .as_array()
                .expect("statements")
                .iter()
                .map(|sql| digest(Sql::from(sql.as_str().expect("text"))))
                .collect(),
        }
    }
}

/// IPv4 where it is IPv4, whatever the socket's family.
fn address(text: &str) -> SocketAddr {
    let address: SocketAddr = text.parse().unwrap_or_else(|_| panic!("{text} is no address"));
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// From what `ss` says: state, two queues, local, peer.
fn in_close_wait(sockets: &str) -> BTreeSet<Pair> {
    let words = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .filter(|words| words[0] == "CLOSE-WAIT")
        .map(|words| (address(words[3]), address(words[4])))
        .collect()
}

/// The kernel's number for CLOSE-WAIT, in include/net/tcp_states.h.
const CLOSE_WAIT: &str = "8";

/// From what the kernel traced: time, namespace, local, peer, from, to.
fn close_wait_at(states: &str) -> BTreeMap<Pair, f64> {
    let words = states.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    words
        .filter(|words| words[1] == "app" && words[5] == CLOSE_WAIT)
        .map(|words| ((address(words[2]), address(words[3])), words[0].parse().expect("a time")))
        .collect()
}

// ---- What the binary reports.

struct Report {
    flows: Vec<Value>,
    summary: Value,
}

impl Report {
    fn findings(&self) -> impl Iterator<Item = &Value> {
        self.flows.iter().filter(|flow| flow["finding"] == true)
    }

    /// The connections found. None is there twice.
    fn found(&self) -> BTreeSet<Pair> {
        let found: BTreeSet<Pair> = self.findings().map(holder_first).collect();
        assert_eq!(found.len(), self.findings().count(), "a finding appears twice");
        found
    }
}

fn end(flow: &Value, side: &str) -> SocketAddr {
    let ip: IpAddr = flow[side]["ip"].as_str().expect("an address").parse().expect("an address");
    SocketAddr::new(ip, flow[side]["port"].as_u64().expect("a port") as u16)
}

/// `flow` as a pair that begins with the side `a` or `b`.
fn pair_from(flow: &Value, side: &str) -> Pair {
    match side {
        "a" => (end(flow, "a"), end(flow, "b")),
        _ => (end(flow, "b"), end(flow, "a")),
    }
}

fn holder_first(flow: &Value) -> Pair {
    pair_from(flow, flow["holder"].as_str().expect("a finding has a holder"))
}

fn holder_s_peer(flow: &Value) -> &Value {
    &flow[if flow["holder"] == "a" { "b" } else { "a" }]
}

/// Seconds since 1970.
fn time(place: &Value) -> f64 {
    instant(&place["time"])
}

fn instant(text: &Value) -> f64 {
    let text = text.as_str().unwrap_or_else(|| panic!("no time: {text}"));
    let time = DateTime::parse_from_rfc3339(text).expect("RFC 3339");
    time.timestamp() as f64 + f64::from(time.timestamp_subsec_nanos()) / 1e9
}

// ---- What is checked.

fn assert_same<T: Ord + Debug>(what: &str, got: &BTreeSet<T>, expected: &BTreeSet<T>) {
    let unfounded: Vec<&T> = got.difference(expected).collect();
    let missed: Vec<&T> = expected.difference(got).collect();
    let same = unfounded.is_empty() && missed.is_empty();
    assert!(same, "{what}: unfounded {unfounded:#?}, missed {missed:#?}");
}

/// Before anything is compared with it: the run itself went as it should.
fn the_kernel_and_the_client_agree(run: &Run) {
    let leaked: BTreeSet<Pair> =
        run.log.iter().filter(|done| done.leaked).map(|done| done.pair).collect();
    assert_same("the kernel's list and the client's", &run.leaks(), &leaked);
    assert!(leaked.len() >= 20, "only {} leaks", leaked.len());
}

fn the_findings_are_the_kernels(run: &Run, shape: &str, report: &Report) {
    assert_same(shape, &report.found(), &run.leaks());
    for flow in report.findings() {
        assert_eq!(flow["local"], flow["holder"], "{shape}: {flow}");
        // Of a connection that was idle all the time, the capture has the peer's FIN and its ACK.
        let silent = run.of_kind("begun-before-silent").any(|d| d.pair == holder_first(flow));
        let doubtful = flow["doubts"].as_array().is_some_and(|doubts| !doubts.is_empty());
        assert_eq!(doubtful, silent, "{shape}: {flow}");
    }
}

/// The verdict is that of what the client did: for each pair the first, the second, …
fn the_verdicts_are_what_was_done(run: &Run, shape: &str, report: &Report, local: &[&str]) {
    let local: Vec<IpAddr> = local.iter().map(|ip| ip.parse().expect("an address")).collect();
    let done = run.log.iter().filter(|done| local.contains(&done.pair.0.ip()));
    let mut flows: Vec<&Value> =
        report.flows.iter().filter(|flow| flow["local"] != "none").collect();
    flows.sort_by_key(|flow| flow["first"]["frame"].as_u64());
    let judged = flows.iter().map(|flow| {
        let local = flow["local"].as_str().expect("local is known");
        (pair_from(flow, local), flow["verdict"].as_str().expect("a verdict"))
    });
    let expected = counted(done.map(|done| (done.pair, verdict_of(done))));
    assert_same(shape, &counted(judged), &expected);
}

/// Tells the uses of a port apart.
fn counted<'a>(
    verdicts: impl Iterator<Item = (Pair, &'a str)>,
) -> BTreeSet<(Pair, usize, &'a str)> {
    let mut uses: BTreeMap<Pair, usize> = BTreeMap::new();
    let mut number = |pair| {
        let number = uses.entry(pair).or_default();
        *number += 1;
        *number
    };
    verdicts.map(|(pair, verdict)| (pair, number(pair), verdict)).collect()
}

fn verdict_of(done: &Done) -> &'static str {
    match done.kind.as_str() {
        _ if done.leaked => "leak",
        "half-close-in-use" => "half-closed",
        "peer-holds" => "peer-holds",
        "host-gone" => "fin-unacked",
        "idle-open" => "open",
        "reset-before-fin" | "reset-after-fin" | "stale-use" => "reset",
        _ => "closed",
    }
}

/// Clocks that must agree do so within this, in seconds: they are read on one machine, by different
/// layers of it.
const AGREEMENT: f64 = 0.010;

/// A capture knows when the FIN came and when it was acknowledged. The kernel enters CLOSE-WAIT as
/// the FIN comes, and acknowledges it when it likes, 40 ms later mostly; a connection is *held*, for
/// an observer, from that ACK on. So `held_s` is the kernel's time in CLOSE-WAIT less that delay.
fn the_clocks_agree(run: &Run, shape: &str, report: &Report) {
    for flow in report.findings() {
        let pair = holder_first(flow);
        let done = run.log.iter().find(|done| done.pair == pair && done.leaked);
        let done = done.unwrap_or_else(|| panic!("{pair:?} is not in the log"));
        let said = done.fin_at.expect("a leak saw the FIN");
        let entered = run.close_wait_at.get(&pair).copied().unwrap_or(said);
        let fin = &holder_s_peer(flow)["fin"];
        let delay = time(&holder_s_peer(flow)["fin_acked"]) - time(fin);
        let agree = |what: &str, got: f64, expected: f64, within: f64| {
            assert!(
                (got - expected).abs() <= within,
                "{shape}: {what} is {got}, should be {expected}: {} {flow}",
                done.kind
            );
        };

        agree("the FIN's time", time(fin), entered, AGREEMENT);
        let held = flow["held_s"].as_f64().expect("a leak is held");
        let end = instant(&report.summary["captures"][0]["end"]);
        agree("held_s", held, end - entered - delay, AGREEMENT);

        if done.kind == "begun-before-silent" {
            assert!(flow["idle_before_fin_s"].is_null(), "{shape}: {flow}");
            continue;
        }
        // The client knows its last activity as well as it knows when the answer came: at some time
        // between its question and its having read it.
        let within = AGREEMENT + (done.last_activity - done.asked_at);
        let idle = flow["idle_before_fin_s"].as_f64().expect("it was used before");
        agree("idle_before_fin_s", idle, entered - done.last_activity, within);
    }
}

/// Why each was left, by the client's own log: all of it where packets are whole; where they are cut,
/// what was cut off is unknown, and nothing is wrong.
fn the_causes_are_what_was_done(run: &Run, shape: &str, report: &Report) {
    let is_cut = shape.starts_with("snap") || shape.starts_with("two");
    let mut told = 0;
    for flow in report.findings() {
        let pair = holder_first(flow);
        let done = run.log.iter().rfind(|done| done.pair == pair && done.leaked);
        let done = done.unwrap_or_else(|| panic!("{pair:?} is not in the log"));
        let wrong = |what: &str| format!("{shape}: {what} of {}: {flow}", done.kind);
        // Its beginning was not captured, and its port is not MySQL's.
        if done.kind.starts_with("begun-before") {
            assert_eq!((&flow["cause"], &flow["mysql"]), (&"unknown".into(), &Value::Null));
            continue;
        }
        let mysql = &flow["mysql"];
        let is = |value: &Value, expected: Value| *value == expected || is_cut && value.is_null();
        // A text that was cut says so in the end.
        let is_text = |value: &Value, expected: &str| match value.as_str() {
            Some(text) => {
                let begin = text.strip_suffix('…').filter(|_| is_cut);
                text == expected || begin.is_some_and(|begin| expected.starts_with(begin))
            }
            None => is_cut,
        };
        let cause = cause_of(done);
        assert!(
            flow["cause"] == cause || is_cut && flow["cause"] == "unknown",
            "{}",
            wrong("the cause")
        );
        let open = cause == "transaction-open";
        assert!(is(&mysql["in_transaction"], open.into()), "{}", wrong("the transaction"));
        let last = match cause {
            "quit-unclosed" => "COM_QUIT",
            _ => done.statements.last().expect("it was used"),
        };
        assert!(is_text(&mysql["last_statement"], last), "{}", wrong("the last statement"));
        // Nobody answers a leave.
        let answered = if last == "COM_QUIT" { Value::Null } else { true.into() };
        assert!(is(&mysql["answered"], answered), "{}", wrong("the answer"));
        assert!(is(&mysql["user"], "app".into()) && is(&mysql["database"], "shop".into()));
        if mysql["in_transaction"] == true {
            told += 1;
            let statements = done.statements.iter().filter(|sql| !sql.starts_with("SET"));
            let statements: Vec<&String> = statements.collect();
            let got = mysql["statements"].as_array().expect("statements");
            // The first of them can be what was not seen.
            let unseen = statements.len().saturating_sub(got.len());
            assert!(unseen == 0 || is_cut, "{}", wrong("the number of statements"));
            for (got, expected) in got.iter().zip(&statements[unseen..]) {
                assert!(is_text(got, expected), "{}", wrong("the statements"));
            }
        }
        if let Some(at) = mysql["last_statement_at"].as_str() {
            let at = time(&serde_json::json!({ "time": at }));
            let range = done.asked_at - AGREEMENT..=done.last_activity + AGREEMENT;
            assert!(range.contains(&at), "{}", wrong("the time of the last statement"));
        }
    }
    assert!(told >= 10, "{shape}: only {told} open transactions were told");
}

fn cause_of(done: &Done) -> &'static str {
    match done.kind.as_str() {
        "committed" => "forgotten",
        "quit-kept" => "quit-unclosed",
        _ => "transaction-open",
    }
}

fn a_rotated_series_is_one_capture(run: &Run) {
    let mut parts: Vec<String> = fs::read_dir(run.folder.join("rotated"))
        .expect("a rotated series")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|e| e == "pcap"))
        .map(|path| format!("rotated/{}", path.file_name().expect("a name").to_string_lossy()))
        .collect();
    parts.sort();
    assert!(parts.len() >= 3, "{parts:?}");
    parts.reverse();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let report = run.report(&parts, &APP);
    the_findings_are_the_kernels(run, "rotated", &report);
    the_clocks_agree(run, "rotated", &report);
}

/// A filter on TCP's flags is IPv4's alone, and shows no use of a half-close: that is no finding
/// without a doubt.
fn flags_alone_are_enough(run: &Run) {
    let in_use = run.of_kind("half-close-in-use").map(|done| done.pair);
    let ipv4 = |pair: &Pair| pair.0.is_ipv4();
    let expected: BTreeSet<Pair> = run.leaks().into_iter().filter(ipv4).chain(in_use).collect();
    let report = run.report(&["flags.pcap"], &APP);
    assert_same("flags.pcap", &report.found(), &expected);
    for flow in report.findings() {
        let doubts = flow["doubts"].as_array().expect("doubts");
        assert!(doubts.iter().any(|doubt| doubt == "unconfirmed"), "{flow}");
    }
}

/// On the database's host every packet is there twice, on a bridge and on its port. Of the service
/// one sees only what arrived; of itself everything.
/// Its findings are the kernel's list, each with the process and the descriptor that `ss` names.
fn a_live_watch_says_the_same(run: &Run) {
    let text = fs::read_to_string(run.folder.join("live.jsonl")).expect("live.jsonl");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("whole lines")).collect();
    let (events, mut flows): (Vec<Value>, Vec<Value>) =
        lines.into_iter().partition(|line| line["type"] == "event");
    let summary = flows.pop().expect("a summary");
    assert_eq!(summary["captures"][0]["drops"], 0, "{summary}");
    let report = Report { flows, summary };
    assert_same("live", &report.found(), &run.leaks());
    let listed = saved::read(&run.folder.join("kernel.txt")).expect("the list of ss");
    let endpoint = |end: SocketAddr| Endpoint { ip: end.ip(), port: end.port() };
    for flow in report.findings() {
        let (local, peer) = holder_first(flow);
        let socket = listed.find(endpoint(local), endpoint(peer)).expect("in the kernel's list");
        let holder = socket.holders.first().expect("a process holds it");
        assert_eq!(flow["process"]["pid"], holder.pid, "{flow}");
        assert_eq!(flow["process"]["fd"], serde_json::json!(holder.fd), "{flow}");
        assert_eq!(flow["kernel"]["confirmed"], true, "{flow}");
        assert_eq!(flow["doubts"], Value::Array(Vec::new()), "{flow}");
    }
    let told = events.iter().filter(|event| event["event"] == "close-wait").map(holder_first);
    let told: BTreeSet<Pair> = told.collect();
    assert!(told.is_superset(&run.leaks()), "each leak was told as it happened");
}

fn the_other_host_sees_the_same(run: &Run) {
    let clients = [&APP[..], &[DYING]].concat();
    let report = run.report(&["db-any.pcap"], &clients);
    assert_same("db-any.pcap", &report.found(), &run.leaks());
    the_verdicts_are_what_was_done(run, "db-any.pcap", &report, &clients);
    for flow in report.findings() {
        let doubts = flow["doubts"].as_array().expect("doubts");
        assert!(doubts.iter().any(|doubt| doubt == "remote-tap"), "{flow}");
    }
    let report = run.report(&["db-any.pcap"], &DATABASE);
    assert_same("db-any.pcap, of its own host", &report.found(), &run.kernel_db);
}

/// A router sees every packet come and go: it cannot tell who is local, and sees no flow twice.
fn the_forwarding_host_sees_the_same(run: &Run) {
    let clients = [&APP[..], &[DYING]].concat();
    let report = run.report(&["forward-any.pcap"], &clients);
    assert_same("forward-any.pcap", &report.found(), &run.leaks());
    the_verdicts_are_what_was_done(run, "forward-any.pcap", &report, &clients);

    let unaided = run.report(&["forward-any.pcap"], &[]);
    assert_eq!(unaided.flows.len(), report.flows.len(), "forward-any.pcap");
    let uids: BTreeSet<&str> =
        unaided.flows.iter().filter_map(|flow| flow["uid"].as_str()).collect();
    assert_eq!(uids.len(), unaided.flows.len(), "a flow appears twice");
    for flow in &unaided.flows {
        assert!(flow["local"].is_null(), "{flow}");
    }
}
