//! One connection that is seen twice is one row: under rewritten addresses, or at two capture points.

mod common;

use std::net::SocketAddr;

use common::wire::{Link, MICROSECONDS, Packet, Record};
use common::{Scratch, closewait, json_lines, text};
use serde_json::{Value, json};

const CLIENT: &str = "192.0.2.5:40000";
const SERVER: &str = "198.51.100.3:3306";
const SIDECAR: &str = "127.0.0.1:15001";
const BACKEND: &str = "10.0.0.7:3306";

const SYN: u8 = 2;
const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;
const FIN_ACK: u8 = 0x11;
const RST_ACK: u8 = 0x14;

const START: u64 = 1_600_000_000_000_000_000;

/// The ISNs of client and server.
type Isn = [u32; 2];

/// A packet of the client or of the server, so many milliseconds after the start.
struct Line {
    millis: u64,
    by_client: bool,
    flags: u8,
    /// After the ISNs.
    seq: u32,
    ack: u32,
    len: usize,
}

/// A handshake, a request and its answer, the server's FIN and its ACK.
fn leak() -> Vec<Line> {
    let line =
        |millis, by_client, flags, seq, ack, len| Line { millis, by_client, flags, seq, ack, len };
    vec![
        line(0, true, SYN, 0, 0, 0),
        line(1, false, SYN_ACK, 0, 1, 0),
        line(2, true, ACK, 1, 1, 0),
        line(3, true, ACK, 1, 1, 100),
        line(4, false, ACK, 1, 101, 50),
        line(44, true, ACK, 101, 51, 0),
        line(3_004, false, FIN_ACK, 51, 101, 0),
        line(3_044, true, ACK, 101, 52, 0),
    ]
}

/// The client's FIN, and its ACK.
fn left_by_the_server() -> Vec<Line> {
    let line =
        |millis, by_client, flags, seq, ack| Line { millis, by_client, flags, seq, ack, len: 0 };
    vec![
        line(0, true, SYN, 0, 0),
        line(1, false, SYN_ACK, 0, 1),
        line(2, true, ACK, 1, 1),
        line(3_004, true, FIN_ACK, 1, 1),
        line(3_044, false, ACK, 1, 2),
    ]
}

/// The client's own FIN, and the ACK of it.
fn close() -> Vec<Line> {
    let line =
        |millis, by_client, flags, seq, ack| Line { millis, by_client, flags, seq, ack, len: 0 };
    vec![line(3_100, true, FIN_ACK, 101, 52), line(3_101, false, ACK, 52, 102)]
}

/// What a capture shows: the client's packets from one end to another, the server's likewise.
struct Sight {
    sent: [&'static str; 2],
    got: [&'static str; 2],
    isn: Isn,
    delay_micros: u64,
}

const PLAIN: Sight =
    Sight { sent: [CLIENT, SERVER], got: [SERVER, CLIENT], isn: [1_000, 7_000], delay_micros: 0 };

impl Sight {
    fn records(&self, lines: &[Line]) -> Vec<Record> {
        self.records_at(lines, Link::Ethernet, true)
    }

    /// By a link that may tell which packets were the host's own: the client's or the server's.
    fn records_at(&self, lines: &[Line], link: Link, is_client_s: bool) -> Vec<Record> {
        let end = |text: &str| -> SocketAddr { text.parse().expect("an address") };
        let record = |line: &Line| {
            let [from, to] = if line.by_client { self.sent } else { self.got };
            let [client, server] = self.isn;
            let (own, others) = if line.by_client { (client, server) } else { (server, client) };
            let nanos = START + line.millis * 1_000_000 + self.delay_micros * 1_000;
            let packet = Packet {
                nanos,
                from: end(from),
                to: end(to),
                flags: line.flags,
                seq: own.wrapping_add(line.seq),
                ack: if line.flags & ACK == 0 { 0 } else { others.wrapping_add(line.ack) },
                window: 500,
                options: Vec::new(),
                payload: vec![b'x'; line.len],
                outgoing: line.by_client == is_client_s,
            };
            Record::new(nanos, packet.frame(link))
        };
        lines.iter().map(record).collect()
    }
}

fn capture(sights: &[&Sight], lines: &[Line]) -> Vec<u8> {
    let mut records: Vec<Record> = sights.iter().flat_map(|sight| sight.records(lines)).collect();
    records.sort_by_key(|record| record.nanos);
    // It goes on for a minute.
    records.push(Record::new(START + 63_044_000_000, common::wire::arp()));
    MICROSECONDS.write(1, &records)
}

fn read(args: &[&str]) -> (Vec<Value>, Value) {
    let mut lines = json_lines(&closewait(&[args, &["--all", "--format", "jsonl"]].concat()));
    let summary = lines.pop().expect("a summary");
    (lines, summary)
}

#[test]
fn a_redirected_connection_is_judged_under_the_addresses_of_its_syn() {
    let scratch = Scratch::new();
    let sidecar = Sight { sent: [CLIENT, SIDECAR], ..PLAIN };
    let path = scratch.write("any.pcap", &capture(&[&sidecar], &leak()));
    let (flows, summary) = read(&[&path]);
    assert_eq!(summary["flows"], 1, "{flows:?}");
    let flow = &flows[0];
    assert_eq!((&flow["verdict"], &flow["held_s"]), (&json!("leak"), &json!(60.0)));
    assert_eq!((&flow["a"]["port"], &flow["b"]["port"]), (&json!(40_000), &json!(15_001)));
    assert_eq!((&flow["doubts"], &flow["notes"]), (&json!([]), &json!(["rewritten"])));
    assert_eq!((&flow["a"]["isn"], &flow["b"]["isn"]), (&json!(1_000), &json!(7_000)));
    assert_eq!(
        flow["rewritten_as"],
        json!({"a": {"ip": "192.0.2.5", "port": 40_000}, "b": {"ip": "198.51.100.3", "port": 3306}})
    );
    let (report, _) = text(&closewait(&[&path]));
    assert!(report.contains("Addresses were rewritten"), "{report}");
    // Its packets are found again under both.
    let out = scratch.path().join("out.pcapng").to_str().expect("UTF-8").to_owned();
    assert_eq!(closewait(&[&path, "-w", &out]).status.code(), Some(1));
    assert_eq!(read(&[&out]).0[0]["rewritten_as"], flow["rewritten_as"]);
}

#[test]
fn a_twin_is_not_counted_beside_the_connection() {
    let scratch = Scratch::new();
    let translated =
        Sight { sent: [CLIENT, BACKEND], got: [BACKEND, CLIENT], delay_micros: 20, ..PLAIN };
    let path = scratch.write("node.pcap", &capture(&[&PLAIN, &translated], &leak()));
    let (flows, summary) = read(&[&path]);
    assert_eq!((flows.len(), &summary["flows"], &summary["findings"]), (1, &json!(1), &json!(1)));
    assert_eq!(flows[0]["b"]["ip"], "198.51.100.3", "the address that was dialled");
    assert_eq!(flows[0]["rewritten_as"]["b"]["ip"], "10.0.0.7");
    assert_eq!(flows[0]["notes"], json!(["rewritten"]));
    // Without --all, too.
    let lines = json_lines(&closewait(&[&path, "--format", "jsonl"]));
    assert_eq!((lines.len(), &lines[1]["findings"]), (2, &json!(1)));
    // What is kept of it is judged alike.
    let out = scratch.path().join("out.pcapng").to_str().expect("UTF-8").to_owned();
    assert_eq!(closewait(&[&path, "-w", &out]).status.code(), Some(1));
    let kept = read(&[&out]).0;
    for key in ["verdict", "doubts", "notes", "rewritten_as", "held_s"] {
        assert_eq!(kept[0][key], flows[0][key], "{key}");
    }
}

/// A client, the host that translates for it, and the server: that host alone shows both legs.
#[test]
fn a_translated_connection_is_one_beside_the_captures_of_its_ends() {
    let scratch = Scratch::new();
    let to_server =
        Sight { sent: [CLIENT, BACKEND], got: [BACKEND, CLIENT], delay_micros: 20, ..PLAIN };
    let file = |name: &str, sights: &[&Sight]| scratch.write(name, &capture(sights, &leak()));
    let client = file("client.pcap", &[&PLAIN]);
    let node = file("node.pcap", &[&PLAIN, &to_server]);
    let server = file("server.pcap", &[&to_server]);
    let (client, node, server) = (client.as_str(), node.as_str(), server.as_str());
    for given in [
        &[client, node][..],
        &[node, server],
        &[server, node],
        &[client, server],
        &[client, node, server],
        &[server, client, node],
    ] {
        let (flows, summary) = read(given);
        assert_eq!((flows.len(), &summary["findings"]), (1, &json!(1)), "{given:?}: {flows:?}");
        let points = flows[0]["points"].as_array().map(Vec::len);
        assert_eq!(points, Some(given.len()), "{given:?}: {flows:?}");
        assert_eq!(flows[0]["notes"], json!(["rewritten"]), "{given:?}");
        for capture in summary["captures"].as_array().expect("captures") {
            let left = capture["history"]["states"]["CLOSE-WAIT"].as_array().expect("a curve");
            let most = left.iter().filter_map(Value::as_u64).max();
            assert_eq!(most, Some(1), "{given:?}: {}", capture["files"]);
        }
    }
}

/// The address that a host gives to others' connections is its own, and holds none of them.
#[test]
fn what_was_dialled_is_named_beside_the_capture_of_the_server() {
    let scratch = Scratch::new();
    let as_node = "203.0.113.1:40000";
    let masked =
        Sight { sent: [as_node, SERVER], got: [SERVER, as_node], delay_micros: 20, ..PLAIN };
    let file = |name: &str, mut records: Vec<Record>| {
        records.sort_by_key(|record| record.nanos);
        records.push(Record::new(START + 63_044_000_000, common::wire::arp()));
        scratch.write(name, &MICROSECONDS.write(113, &records))
    };
    // The client's packets come to the node, and leave it as its own.
    let [comes, leaves] = [(&PLAIN, false), (&masked, true)];
    let node = [comes, leaves]
        .map(|(sight, is_sent)| sight.records_at(&leak(), Link::Sll, is_sent))
        .concat();
    let node = file("node.pcap", node);
    let server = file("server.pcap", masked.records_at(&leak(), Link::Sll, false));
    for given in [[&server, &node], [&node, &server]] {
        let (flows, summary) = read(&given.map(String::as_str));
        assert_eq!((flows.len(), &summary["findings"]), (1, &json!(1)), "{flows:?}");
        assert_eq!(flows[0]["a"]["ip"], "192.0.2.5", "{given:?}: {flows:?}");
    }
}

/// A container's end, the bridge and the network behind it: what is translated passes one interface more on one side.
#[test]
fn copies_of_one_leg_make_no_second_connection() {
    let scratch = Scratch::new();
    let bridge = Sight { delay_micros: 10, ..PLAIN };
    let translated =
        Sight { sent: [CLIENT, BACKEND], got: [BACKEND, CLIENT], delay_micros: 20, ..PLAIN };
    for sights in [[&PLAIN, &bridge, &translated], [&translated, &bridge, &translated]] {
        let path = scratch.write("any.pcap", &capture(&sights, &leak()));
        let (flows, summary) = read(&[&path]);
        assert_eq!((&summary["flows"], &summary["findings"]), (&json!(1), &json!(1)), "{flows:?}");
    }
}

/// A host that translates showed the end on one of its legs alone: what lacks it was left for certain.
#[test]
fn a_fin_that_only_one_leg_shows_is_a_doubt_of_the_other() {
    let scratch = Scratch::new();
    let translated =
        Sight { sent: [CLIENT, BACKEND], got: [BACKEND, CLIENT], delay_micros: 20, ..PLAIN };
    let later = |line: Line| Line { millis: line.millis + 10_000, ..line };
    let whole: Vec<Line> = leak().into_iter().chain(close().into_iter().map(later)).collect();
    for [lacking, ended] in [[&PLAIN, &translated], [&translated, &PLAIN]] {
        let mut records = lacking.records(&leak());
        records.extend(ended.records(&whole));
        records.sort_by_key(|record| record.nanos);
        let path = scratch.write("node.pcap", &MICROSECONDS.write(1, &records));
        let (flows, _) = read(&[&path]);
        let leak = flows.iter().find(|flow| flow["verdict"] == "leak").expect("a leak");
        assert_eq!(leak["doubts"], json!(["ended-elsewhere"]), "{leak}");
        assert_eq!(closewait(&[&path, "--certain"]).status.code(), Some(0));
        assert_is_in_doubt_again(&scratch, &[&path]);
    }
}

/// The file of the findings' packets alone, without the other ones that cast the doubt, has it all the same.
fn assert_is_in_doubt_again(scratch: &Scratch, given: &[&str]) {
    let out = scratch.path().join("out.pcapng").to_str().expect("UTF-8").to_owned();
    closewait(&[given, &["-w", &out]].concat());
    let (flows, _) = read(&[&out]);
    assert_eq!(flows.len(), 1, "{flows:?}");
    let [finding, doubts] = ["finding", "doubts"].map(|key| &flows[0][key]);
    assert_eq!((finding, doubts), (&json!(true), &json!(["ended-elsewhere"])));
}

#[test]
fn what_fits_in_more_than_one_way_is_not_joined() {
    let scratch = Scratch::new();
    let to = |server, delay_micros| Sight {
        sent: [CLIENT, server],
        got: [server, CLIENT],
        delay_micros,
        ..PLAIN
    };
    // The third at once, or when two of them have been paired.
    for delay in [20, 500_000] {
        let (second, third) = (to(BACKEND, 20), to("10.0.0.8:3306", delay));
        let path = scratch.write("node.pcap", &capture(&[&PLAIN, &second, &third], &leak()));
        assert_eq!(read(&[&path]).1["flows"], 3, "{delay}");
    }
    // One SYN to two servers, and a SYN/ACK from a third address: whose is it?
    let [one, two] = [SIDECAR, BACKEND].map(|to| Sight { sent: [CLIENT, to], ..PLAIN });
    let path = scratch.write("any.pcap", &capture(&[&one, &two], &leak()));
    let (flows, _) = read(&[&path]);
    assert!(flows.iter().all(|flow| flow["rewritten_as"].is_null()), "{flows:?}");
}

#[test]
fn a_connection_of_another_time_is_another() {
    let scratch = Scratch::new();
    let later =
        Sight { sent: [CLIENT, BACKEND], got: [BACKEND, CLIENT], delay_micros: 2_000_000, ..PLAIN };
    let path = scratch.write("node.pcap", &capture(&[&PLAIN, &later], &leak()));
    assert_eq!(read(&[&path]).1["flows"], 2);
}

#[test]
fn two_points_see_one_connection() {
    let scratch = Scratch::new();
    let there = Sight { delay_micros: 30, ..PLAIN };
    let app = scratch.write("app.pcap", &capture(&[&PLAIN], &leak()));
    let db = scratch.write("db.pcap", &capture(&[&there], &leak()));
    let (flows, summary) = read(&[&app, &db]);
    assert_eq!((flows.len(), &summary["flows"], &summary["findings"]), (1, &json!(1), &json!(1)));
    let saw = json!(["a.syn", "b.syn", "b.fin"]);
    let point = |file: &str| json!({"file": file, "saw": saw, "doubts": []});
    assert_eq!(flows[0]["points"], json!([point(&app), point(&db)]));
    assert!(flows[0]["rewritten_as"].is_null());
    let (report, _) = text(&closewait(&[&app, &db]));
    assert!(report.starts_with("1 of 1 connection in 2 captures"), "{report}");
    assert!(report.contains("1 connection seen at two capture points"), "{report}");
}

/// A FIN that left here and never arrived there: who saw more is believed.
#[test]
fn a_fin_that_one_point_saw_counts() {
    let scratch = Scratch::new();
    let translated = Sight {
        sent: ["203.0.113.1:50000", SERVER],
        got: [SERVER, "203.0.113.1:50000"],
        delay_micros: 30,
        ..PLAIN
    };
    let whole: Vec<Line> = leak().into_iter().chain(close()).collect();
    let app = scratch.write("app.pcap", &capture(&[&PLAIN], &whole));
    let db = scratch.write("db.pcap", &capture(&[&translated], &leak()));
    let (flows, summary) = read(&[&app, &db]);
    assert_eq!((flows.len(), &summary["findings"]), (1, &json!(0)));
    let flow = &flows[0];
    assert_eq!((&flow["verdict"], &flow["a"]["ip"]), (&json!("closed"), &json!("192.0.2.5")));
    assert_eq!(flow["points"][0]["saw"], json!(["a.syn", "a.fin", "b.syn", "b.fin"]));
    assert_eq!(flow["points"][1]["saw"], json!(["a.syn", "b.syn", "b.fin"]));
    assert_eq!(flow["rewritten_as"]["a"]["port"], 50_000);
    assert_eq!(closewait(&[&app, &db]).status.code(), Some(0));
}

/// The server's host knows its own end as local, and that has closed: so "none is left" was said of both captures, where
/// the client's alone has a leak.
/// Who missed the ACK of the FIN takes it for acknowledged as soon as it was sent.
#[test]
fn since_when_it_is_held_is_told_by_who_saw_it() {
    let scratch = Scratch::new();
    let there = Sight { delay_micros: 300, ..PLAIN };
    let whole = scratch.write("a.pcap", &capture(&[&PLAIN], &leak()));
    let missed = scratch.write("b.pcap", &capture(&[&there], &leak()[..7]));
    assert_eq!(read(&[&missed]).0[0]["doubts"], json!(["unconfirmed"]));
    for given in [[&*whole, &*missed], [&*missed, &*whole]] {
        let flow = &read(&given).0[0];
        assert_eq!((&flow["held_s"], &flow["doubts"]), (&json!(60.0), &json!([])), "{given:?}");
    }
}

#[test]
fn what_is_left_stays_so_beside_the_capture_of_the_other_host() {
    let scratch = Scratch::new();
    let cooked = |name: &str, lines: &[Line], is_client_s: bool| {
        let mut records = PLAIN.records_at(lines, Link::Sll, is_client_s);
        records.push(Record::new(START + 63_044_000_000, common::wire::silence(Link::Sll)));
        scratch.write(name, &MICROSECONDS.write(Link::Sll.link_type(), &records))
    };
    let here = cooked("here.pcap", &leak(), true);
    let rst = Line { millis: 43_000, by_client: false, flags: RST_ACK, seq: 52, ack: 101, len: 0 };
    let lost: Vec<Line> = leak().into_iter().chain([rst]).collect();
    for lines in [leak(), lost] {
        let there = cooked("there.pcap", &lines, false);
        for both in [[&here, &there], [&there, &here]] {
            let both = both.map(String::as_str);
            let (flows, summary) = read(&both);
            let flow = &flows[0];
            assert_eq!((flows.len(), &summary["findings"]), (1, &json!(1)), "{flow}");
            assert_eq!((&flow["verdict"], &flow["local"]), (&json!("leak"), &json!("a")));
            assert_eq!(closewait(&both).status.code(), Some(1));
        }
    }
    // But not where it closed by what the other host saw.
    let whole: Vec<Line> = leak().into_iter().chain(close()).collect();
    let there = cooked("there.pcap", &whole, false);
    assert_eq!(closewait(&[&here, &there]).status.code(), Some(0));
}

/// A point outside of a NAT knows no end that was named as local: it stands for nothing. Where both of its addresses were
/// named, it is still one connection.
#[test]
fn who_is_named_as_local_stands_for_a_connection() {
    let scratch = Scratch::new();
    let outside = "203.0.113.1:50000";
    let sight =
        Sight { sent: [outside, SERVER], got: [SERVER, outside], delay_micros: 30, ..PLAIN };
    let whole: Vec<Line> = leak().into_iter().chain(close()).collect();
    let app = scratch.write("app.pcap", &capture(&[&PLAIN], &leak()));
    let db = scratch.write("db.pcap", &capture(&[&sight], &whole));
    for local in
        [&["--local", "192.0.2.5"][..], &["--local", "192.0.2.0/24", "--local", "203.0.113.0/24"]]
    {
        let args = [&[app.as_str(), &db], local].concat();
        let (flows, summary) = read(&args);
        assert_eq!((flows.len(), &summary["findings"]), (1, &json!(0)), "{local:?}: {flows:?}");
        assert_eq!(
            (&flows[0]["verdict"], closewait(&args).status.code()),
            (&json!("closed"), Some(0))
        );
    }
}

/// Behind a published port, a container's end is known by its own address and by the one that was dialled: whichever
/// `--local` names, it is the local one. A node that gives both ends its own address is no client of its own service.
#[test]
fn either_pair_of_addresses_names_the_local_end() {
    let scratch = Scratch::new();
    let left = left_by_the_server();
    let twin = Sight { sent: [CLIENT, BACKEND], got: [BACKEND, CLIENT], delay_micros: 20, ..PLAIN };
    let published = scratch.write("published.pcap", &capture(&[&PLAIN, &twin], &left));
    let masked = "198.51.100.3:50000";
    let masked = Sight { sent: [masked, BACKEND], got: [BACKEND, masked], ..twin };
    let masked = scratch.write("masked.pcap", &capture(&[&PLAIN, &masked], &leak()));
    let (dialled, reached) = ("198.51.100.3", "10.0.0.7");
    for (path, local, verdict, named, server) in [
        (&published, reached, "leak", "b", reached),
        (&published, "10.0.0.7:3306", "leak", "b", reached),
        (&published, dialled, "leak", "b", dialled),
        (&published, "10.0.0.0/8,198.51.100.0/24", "leak", "b", dialled),
        (&published, "192.0.2.5", "peer-holds", "a", dialled),
        (&published, "192.0.2.0/24,10.0.0.0/8", "leak", "both", reached),
        (&published, "203.0.113.1", "leak", "none", dialled),
        (&masked, dialled, "peer-holds", "b", dialled),
        (&masked, reached, "peer-holds", "b", reached),
        (&masked, "198.51.100.0/24,10.0.0.0/8", "peer-holds", "b", dialled),
    ] {
        let (flows, summary) = read(&[path, "--local", local]);
        let [flow] = &flows[..] else { panic!("one connection: {flows:?}") };
        assert_eq!((&flow["verdict"], &flow["local"]), (&json!(verdict), &json!(named)), "{local}");
        assert_eq!(flow["b"]["ip"], server, "{local}");
        let finding = u64::from(verdict == "leak" && named != "none");
        assert_eq!(summary["findings"], finding, "{local}");
        let status = if named == "none" { 2 } else { finding as i32 };
        assert_eq!(closewait(&[path, "--local", local]).status.code(), Some(status), "{local}");
    }
}

/// A host that translates sends a container's packets on as its own: they have come to it all the same, and a FIN may have
/// been lost before.
#[test]
fn what_a_host_sends_on_as_its_own_was_tapped_elsewhere() {
    let scratch = Scratch::new();
    let twin = Sight { sent: [CLIENT, BACKEND], got: [BACKEND, CLIENT], delay_micros: 20, ..PLAIN };
    let sights = [(&PLAIN, false), (&twin, true)];
    let shown = |(sight, is_sent): (&Sight, bool)| {
        sight.records_at(&left_by_the_server(), Link::Sll, is_sent)
    };
    let mut records = sights.map(shown).concat();
    records.sort_by_key(|record| record.nanos);
    records.push(Record::new(START + 63_044_000_000, common::wire::silence(Link::Sll)));
    let path = scratch.write("any.pcap", &MICROSECONDS.write(Link::Sll.link_type(), &records));
    for local in [&[][..], &["--local", "198.51.100.3"], &["--local", "10.0.0.7"]] {
        let (flows, summary) = read(&[&[path.as_str()], local].concat());
        assert_eq!(flows[0]["doubts"], json!(["remote-tap"]), "{local:?}: {flows:?}");
        assert_eq!((flows.len(), &summary["findings"]), (1, &json!(1)), "{local:?}");
    }
    // The container's own capture has all that it sent.
    let mut own = shown((&twin, false));
    own.push(Record::new(START + 63_044_000_000, common::wire::silence(Link::Sll)));
    let own = scratch.write("own.pcap", &MICROSECONDS.write(Link::Sll.link_type(), &own));
    let (flows, _) = read(&[&path, &own]);
    assert_eq!((flows.len(), &flows[0]["doubts"]), (1, &json!([])), "{flows:?}");
}

/// What is shown twice in a capture closed once.
#[test]
fn the_closes_of_a_twin_count_once() {
    let scratch = Scratch::new();
    let twin = Sight { sent: [CLIENT, BACKEND], got: [BACKEND, CLIENT], delay_micros: 20, ..PLAIN };
    let whole: Vec<Line> = leak().into_iter().chain(close()).collect();
    let path = scratch.write("node.pcap", &capture(&[&PLAIN, &twin], &whole));
    let (_, summary) = read(&[&path]);
    let closed: u64 = summary["closes"]
        .as_array()
        .expect("services")
        .iter()
        .filter_map(|it| it["closed"].as_u64())
        .sum();
    assert_eq!((closed, &summary["flows"]), (1, &json!(1)), "{}", summary["closes"]);
}

/// The FIN of the holder is in another file: the connection is closed, whatever that file has beside it.
#[test]
fn a_fin_in_another_file_ends_the_connection() {
    let scratch = Scratch::new();
    let whole: Vec<Line> = leak().into_iter().chain(close()).collect();
    let first = scratch.write("first.pcap", &capture(&[&PLAIN], &leak()));
    let there = Sight { delay_micros: 30, ..PLAIN };
    for (name, lines, points) in [
        ("the close alone", close(), 2),
        ("from the middle on", leak().into_iter().skip(4).chain(close()).collect(), 2),
        // A side alone.
        ("the FIN alone", close().into_iter().take(1).collect(), 2),
    ] {
        let second = scratch.write("second.pcap", &capture(&[&PLAIN], &lines));
        for files in [[&first, &second], [&second, &first]] {
            let (flows, summary) = read(&[files[0], files[1], "--local", "192.0.2.5"]);
            assert_eq!((flows.len(), &summary["findings"]), (1, &json!(0)), "{name}: {flows:?}");
            let flow = &flows[0];
            assert_eq!((&flow["verdict"], &flow["holder"]), (&json!("closed"), &Value::Null));
            assert_eq!(flow["points"].as_array().map(Vec::len), Some(points), "{name}");
            assert_eq!(closewait(&[files[0], files[1]]).status.code(), Some(0), "{name}");
            assert_eq!(json_lines(&closewait(&[files[0], files[1], "--format", "jsonl"])).len(), 1);
        }
    }
    // One that has both FINs, and a part of it that has not.
    let all = scratch.write("all.pcap", &capture(&[&there], &whole));
    let some: Vec<Line> = leak().into_iter().skip(3).collect();
    let part = scratch.write("part.pcap", &capture(&[&PLAIN], &some));
    let (flows, summary) = read(&[&all, &part]);
    assert_eq!((flows.len(), &summary["findings"]), (1, &json!(0)), "{flows:?}");
    // Captures that have nothing to do with each other are asked for.
    assert_eq!(closewait(&[&all, &part, "--separate"]).status.code(), Some(1));
}

/// A part of a leak is no other leak, and the longest hold of them counts.
#[test]
fn a_part_of_a_connection_is_not_counted_beside_it() {
    let scratch = Scratch::new();
    let first = scratch.write("first.pcap", &capture(&[&PLAIN], &leak()));
    for skipped in 1..8 {
        let lines: Vec<Line> = leak().into_iter().skip(skipped).collect();
        let second = scratch.write("second.pcap", &capture(&[&PLAIN], &lines));
        let (flows, summary) = read(&[&first, &second]);
        assert_eq!((flows.len(), &summary["findings"]), (1, &json!(1)), "{skipped}: {flows:?}");
        assert_eq!((&flows[0]["doubts"], &flows[0]["held_s"]), (&json!([]), &json!(60.0)));
        assert_eq!(flows[0]["points"][0]["file"], json!(first), "{skipped}");
    }
    // Other numbers are another connection, which had the same ends.
    let other = Sight { isn: [500_000, 900_000], ..PLAIN };
    let lines: Vec<Line> = leak().into_iter().skip(3).collect();
    let second = scratch.write("second.pcap", &capture(&[&other], &lines));
    assert_eq!(read(&[&first, &second]).1["flows"], 2);
}

/// A FIN beyond what was captured of the holder may have ended it, or not.
#[test]
fn a_fin_further_on_is_a_doubt() {
    let scratch = Scratch::new();
    let first = scratch.write("first.pcap", &capture(&[&PLAIN], &leak()));
    let further: Vec<Line> =
        close().into_iter().map(|line| Line { seq: line.seq + 50, ..line }).take(1).collect();
    let second = scratch.write("second.pcap", &capture(&[&PLAIN], &further));
    let args = [first.as_str(), &second, "--local", "192.0.2.5"];
    let (flows, _) = read(&args);
    let leak = flows.iter().find(|flow| flow["verdict"] == "leak").expect("a leak");
    assert_eq!(leak["doubts"], json!(["ended-elsewhere"]), "{leak}");
    assert_eq!(closewait(&[&args[..], &["--certain"]].concat()).status.code(), Some(0));
    assert_is_in_doubt_again(&scratch, &args);
}

/// However many capture points see it, by nearly the same clock.
#[test]
fn any_number_of_points_see_one_connection() {
    let scratch = Scratch::new();
    let points = [0, 30, 90, 140].map(|delay_micros| Sight { delay_micros, ..PLAIN });
    let files = [0, 1, 2, 3]
        .map(|n| scratch.write(&format!("p{n}.pcap"), &capture(&[&points[n]], &leak())));
    for n in 2..=files.len() {
        let given: Vec<&str> = files[..n].iter().map(String::as_str).collect();
        let (flows, summary) = read(&given);
        assert_eq!((flows.len(), &summary["findings"]), (1, &json!(1)), "{n}: {flows:?}");
        assert_eq!(flows[0]["points"].as_array().map(Vec::len), Some(n));
        let (report, _) = text(&closewait(&given));
        assert!(report.contains("1 connection seen at two capture points"), "{report}");
    }
}

/// Clocks that are more than a second apart make two of it: that is said, and a FIN by the other clock is a
/// doubt.
#[test]
fn the_same_numbers_by_another_clock_are_said() {
    let scratch = Scratch::new();
    let ahead = Sight { delay_micros: 5_000_000, ..PLAIN };
    let here = scratch.write("here.pcap", &capture(&[&PLAIN], &leak()));
    let there = scratch.write("there.pcap", &capture(&[&ahead], &leak()));
    let (report, _) = text(&closewait(&[&here, &there]));
    assert!(report.starts_with("2 of 2 connections in 2 captures"), "{report}");
    let said = "2 connections with the initial numbers of one at another point, up to 5.0 s apart";
    assert!(report.contains(said), "{report}");
    let whole: Vec<Line> = leak().into_iter().chain(close()).collect();
    let there = scratch.write("there.pcap", &capture(&[&ahead], &whole));
    let (flows, _) = read(&[&here, &there]);
    let leak = flows.iter().find(|flow| flow["verdict"] == "leak").expect("a leak");
    assert_eq!(leak["doubts"], json!(["ended-elsewhere"]), "{leak}");
    assert_eq!(closewait(&[&here, &there, "--certain"]).status.code(), Some(0));
    // Under other addresses, too.
    let outside = "203.0.113.1:50000";
    let nat = Sight { sent: [outside, SERVER], got: [SERVER, outside], ..ahead };
    let there = scratch.write("there.pcap", &capture(&[&nat], &whole));
    let given = [here.as_str(), &there, "--local", "192.0.2.5"];
    let (flows, _) = read(&given);
    let leak = flows.iter().find(|flow| flow["verdict"] == "leak").expect("a leak");
    assert_eq!(leak["doubts"], json!(["ended-elsewhere"]), "{leak}");
    assert!(text(&closewait(&given)).0.contains(said), "the clocks are told");
}

/// Whichever of its frames or addresses is asked for, and of whichever capture, it is the same connection.
#[test]
fn each_sight_of_a_connection_is_explained() {
    let scratch = Scratch::new();
    let sidecar = Sight { sent: [CLIENT, SIDECAR], ..PLAIN };
    let host = scratch.write("any.pcap", &capture(&[&sidecar], &leak()));
    let twin = Sight { sent: [CLIENT, BACKEND], got: [BACKEND, CLIENT], delay_micros: 7, ..PLAIN };
    let twice = scratch.write("twice.pcap", &capture(&[&PLAIN, &twin], &leak()));
    let app = scratch.write("app.pcap", &capture(&[&PLAIN], &leak()));
    let far = Sight { delay_micros: 40, ..PLAIN };
    let far = scratch.write("far.pcap", &capture(&[&far], &leak()));
    let behind = Sight { delay_micros: 40, ..twin };
    let behind = scratch.write("behind.pcap", &capture(&[&behind], &leak()));
    let explain = |args: &[&str]| {
        let output = closewait(&[&["explain"], args].concat());
        let (out, err) = text(&output);
        assert_eq!((output.status.code(), err.as_str()), (Some(1), ""), "{args:?} {out}");
        assert!(out.contains("\nleak: "), "{args:?} {out}");
        out.lines().next().expect("a line").to_owned()
    };
    let each = |files: &[&str], frames: &[String]| {
        let explained: Vec<String> =
            frames.iter().map(|at| explain(&[files, &["--frame", at]].concat())).collect();
        assert!(explained.windows(2).all(|pair| pair[0] == pair[1]), "{explained:#?}");
        explained[0].clone()
    };
    let frames = |n: u64| (1..=n).map(|frame| frame.to_string()).collect::<Vec<_>>();
    let redirected = each(&[&host], &frames(8));
    assert!(redirected.starts_with("192.0.2.5:40000 > 127.0.0.1:15001"), "{redirected}");
    assert_eq!(explain(&[&host, "--flow", &format!("{CLIENT}-{SERVER}")]), redirected);
    // Both sights are there packet by packet, and the frame tells which is meant.
    frames(16).iter().for_each(|frame| drop(explain(&[&twice, "--frame", frame])));
    let names = |other: &String| -> Vec<String> {
        let names =
            [&app, other].map(|file| frames(8).into_iter().map(move |n| format!("{file}:{n}")));
        names.into_iter().flatten().collect()
    };
    each(&[&app, &far], &names(&far));
    names(&behind).iter().for_each(|frame| drop(explain(&[&app, &behind, "--frame", frame])));
}

/// The captures of two hosts whose clocks are farther apart than they last look like one that goes on.
#[test]
fn a_handshake_that_another_file_has_shown_is_seen_by_another_clock() {
    let scratch = Scratch::new();
    let hours_ahead = Sight { delay_micros: 3_600_000_000, ..PLAIN };
    let records = |sight: &Sight, lines: &[Line]| MICROSECONDS.write(1, &sight.records(lines));
    let client = scratch.write("client.pcap", &records(&PLAIN, &leak()));
    let server = scratch.write("server.pcap", &records(&hours_ahead, &leak()));
    for files in [[&client, &server], [&server, &client]] {
        let (flows, summary) = read(&files.map(String::as_str));
        let held: Vec<_> = flows.iter().map(|flow| (&flow["held_s"], &flow["doubts"])).collect();
        assert_eq!(held, [(&json!(0.0), &json!(["brief"])); 2], "{flows:?}");
        assert_eq!(summary["captures"].as_array().map(Vec::len), Some(2));
        let (report, _) = text(&closewait(&files.map(String::as_str)));
        let told = "server.pcap begins with handshakes of";
        assert!(report.contains(told) && report.contains("up to 60 min apart"), "{report}");
    }
    // Each host's capture was rotated: what follows is of the host that it follows.
    let one_later = |line: Line| Line { millis: line.millis + 5_000, ..line };
    let second = |sight: &Sight| Sight { isn: [5_000, 9_000], ..*sight };
    let rest = || leak().into_iter().map(one_later).collect::<Vec<_>>();
    let more = scratch.write("more.pcap", &records(&second(&PLAIN), &rest()));
    let others = scratch.write("others.pcap", &records(&second(&hours_ahead), &rest()));
    let (_, summary) = read(&[&client, &more, &server, &others]);
    let files: Vec<_> =
        summary["captures"].as_array().into_iter().flatten().map(|one| &one["files"]).collect();
    assert_eq!(files.len(), 2, "{summary}");
}

/// The answer to a SYN is sent again until it is acknowledged, and a rotation may lie between.
#[test]
fn a_handshake_that_is_repeated_until_it_is_complete_is_of_one_capture() {
    let scratch = Scratch::new();
    let again = |line: Line| Line { millis: line.millis + 3_000, ..line };
    let begun: Vec<Line> = leak().into_iter().take(2).collect();
    let repeated: Vec<Line> = leak().into_iter().map(again).collect();
    let first = scratch.write("one.pcap", &MICROSECONDS.write(1, &PLAIN.records(&begun)));
    let second = scratch.write("two.pcap", &MICROSECONDS.write(1, &PLAIN.records(&repeated)));
    let (flows, summary) = read(&[&first, &second]);
    assert_eq!((flows.len(), summary["captures"].as_array().map(Vec::len)), (1, Some(1)));
}
