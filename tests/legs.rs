//! A proxy's two connections are said to belong together where the capture shows it, and nowhere else.

mod common;

use std::net::SocketAddr;

use common::wire::{Link, MICROSECONDS, Packet, Record, arp};
use common::{Scratch, closewait, json_lines, text};
use serde_json::{Value, json};

const SYN: u8 = 2;
const ACK: u8 = 0x10;
const FIN: u8 = 1;

const START: u64 = 1_600_000_000_000_000_000;

/// A connection that one side closes and the other holds: when it begins, how many octets it asks and gets, and when the FIN
/// comes, in microseconds.
#[derive(Clone, Copy)]
struct Leg {
    client: &'static str,
    server: &'static str,
    opened: u64,
    octets: [usize; 2],
    /// When the answer comes, after the beginning.
    answered: u64,
    fin: u64,
    client_closes: bool,
}

/// From the program to the proxy, and from the proxy to the server.
const NEAR: Leg = Leg {
    client: "192.0.2.5:51666",
    server: "198.51.100.3:3306",
    opened: 150,
    octets: [100, 2_000],
    answered: 900,
    fin: 3_000_000,
    client_closes: false,
};
const FAR: Leg = Leg {
    client: "192.0.2.5:49713",
    server: "127.0.0.1:15001",
    opened: 0,
    octets: [100, 2_000],
    answered: 1_200,
    fin: 3_000_116,
    client_closes: false,
};

impl Leg {
    fn records(&self) -> Vec<Record> {
        let ends: [SocketAddr; 2] =
            [self.client, self.server].map(|end| end.parse().expect("an address"));
        let [asked, got] = self.octets.map(|octets| octets as u32);
        let isn = ends.map(|end| u32::from(end.port()) * 1_000 + self.opened as u32);
        let packet = |micros: u64, by_client: bool, flags, seq: u32, ack: u32, len| {
            let nanos = START + micros * 1_000;
            let (from, to) = if by_client { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
            let (own, others) = if by_client { (isn[0], isn[1]) } else { (isn[1], isn[0]) };
            let packet = Packet {
                nanos,
                from,
                to,
                flags,
                seq: own + seq,
                ack: if flags & ACK == 0 { 0 } else { others + ack },
                window: 500,
                options: Vec::new(),
                payload: vec![b'x'; len],
                outgoing: by_client,
            };
            Record::new(nanos, packet.frame(Link::Ethernet))
        };
        let (at, fin, by_client) = (self.opened, self.fin, self.client_closes);
        let [own, others] = if by_client { [asked, got] } else { [got, asked] };
        vec![
            packet(at, true, SYN, 0, 0, 0),
            packet(at + 20, false, SYN | ACK, 0, 1, 0),
            packet(at + 40, true, ACK, 1, 1, 0),
            packet(at + 400, true, ACK, 1, 1, self.octets[0]),
            packet(at + self.answered, false, ACK, 1, asked + 1, self.octets[1]),
            packet(at + self.answered + 50, true, ACK, asked + 1, got + 1, 0),
            packet(fin, by_client, FIN | ACK, own + 1, others + 1, 0),
            packet(fin + 30, !by_client, ACK, others + 1, own + 2, 0),
        ]
    }
}

/// The flows of a capture of these, a minute long, by the ports of their clients; and the report in text,
/// with each explained.
fn read(legs: &[Leg]) -> (Vec<Value>, String) {
    let scratch = Scratch::new();
    let mut records: Vec<Record> = legs.iter().flat_map(Leg::records).collect();
    records.sort_by_key(|record| record.nanos);
    records.push(Record::new(START + 60_000_000_000, arp()));
    let path = scratch.write("any.pcap", &MICROSECONDS.write(1, &records));
    let mut flows = json_lines(&closewait(&[&path, "--format", "jsonl"]));
    flows.retain(|line| line["type"] == "flow");
    flows.sort_by_key(|flow| flow["a"]["port"].as_u64());
    let frames = flows.iter().map(|flow| flow["first"]["frame"].to_string());
    let ladder = |frame: String| text(&closewait(&["explain", &path, "--frame", &frame])).0;
    let report: String = frames.map(ladder).collect();
    let chinese = text(&closewait(&[&path, "--lang", "zh"])).0;
    (flows, text(&closewait(&[&path])).0 + &report + &chinese)
}

fn nothing_is_said(legs: &[Leg]) {
    let (flows, report) = read(legs);
    assert_eq!(flows.len(), legs.len());
    assert!(flows.iter().all(|flow| flow["other_leg"].is_null()), "{flows:#?}");
    assert!(!report.contains("proxy"), "{report}");
}

#[test]
fn a_proxy_waits_for_its_other_end() {
    let (flows, report) = read(&[FAR, NEAR]);
    let [far, near] = &flows[..] else { panic!("{flows:#?}") };
    assert_eq!((&near["verdict"], &near["notes"]), (&json!("leak"), &json!(["fin-passed-on"])));
    assert_eq!((&far["verdict"], &far["notes"]), (&json!("leak"), &json!([])));
    let ends =
        |flow: &Value| [&flow["a"], &flow["b"]].map(|end| (end["ip"].clone(), end["port"].clone()));
    assert_eq!(ends(&near["other_leg"]), ends(far));
    assert_eq!(ends(&far["other_leg"]), ends(near));
    assert_eq!(near["other_leg"]["first"]["frame"], far["first"]["frame"]);
    let says = |flow: &Value, what: &str| flow["evidence"].to_string().contains(what);
    assert!(says(near, "waits for 192.0.2.5:49713 to close that"), "{near}");
    assert!(says(far, "a proxy seems to have passed this FIN on, 0.1 ms after"), "{far}");
    assert!(
        report.contains(
            "1 of them: held by what seems to be a proxy, which passed the FIN on and waits for 192.0.2.5:49713"
        ),
        "{report}"
    );
    for says in [
        // Octets and times fit, and nobody compared what they carried.
        "其中 1 条：看来由代理持有，",
        "Notes: fin-passed-on.",
        "  a proxy seems to hold it, which passed the FIN on 0.1 ms later, on 192.0.2.5:49713 > 127.0.0.1:15001 (as many octets, at times that fit), and waits for 192.0.2.5:49713 to close that\n",
        "  a proxy seems to have passed this FIN on, 0.1 ms after that of 192.0.2.5:51666 > 198.51.100.3:3306 (as many octets, at times that fit)\n",
    ] {
        assert!(report.contains(says), "{says}: {report}");
    }
}

/// The client closes, and the server that the proxy dialled is waited for.
#[test]
fn it_works_the_other_way_round() {
    let near = Leg {
        client: "203.0.113.9:50000",
        server: "10.0.0.1:8080",
        opened: 0,
        client_closes: true,
        answered: 1_400,
        ..NEAR
    };
    let far = Leg {
        client: "10.0.0.1:41000",
        server: "10.0.0.7:80",
        opened: 150,
        client_closes: true,
        ..FAR
    };
    let (flows, _) = read(&[near, far]);
    let [far, near] = &flows[..] else { panic!("{flows:#?}") };
    assert_eq!((&near["notes"], &far["notes"]), (&json!(["fin-passed-on"]), &json!([])));
    assert!(near["evidence"].to_string().contains("waits for 10.0.0.7:80"), "{near}");
}

#[test]
fn nothing_is_guessed() {
    // Answered before the answer came, too late, the wrong order, other octets, another host, opened at another time.
    nothing_is_said(&[Leg { answered: 900, ..FAR }, NEAR]);
    nothing_is_said(&[Leg { fin: 3_200_000, ..FAR }, NEAR]);
    nothing_is_said(&[Leg { fin: 2_999_900, ..FAR }, NEAR]);
    nothing_is_said(&[Leg { octets: [101, 2_000], ..FAR }, NEAR]);
    nothing_is_said(&[Leg { server: "192.0.2.9:15001", ..FAR }, NEAR]);
    nothing_is_said(&[FAR, Leg { opened: 500_000, ..NEAR }]);
    nothing_is_said(&[Leg { octets: [0, 0], ..FAR }, Leg { octets: [0, 0], ..NEAR }]);
}

/// A server on this host closes two connections at once that were opened together, or two clients theirs.
#[test]
fn two_connections_of_one_service_are_no_proxys() {
    let [one, other] = [("127.0.0.1:40000", 0), ("127.0.0.1:40001", 150)].map(|(client, later)| {
        Leg { client, server: "127.0.0.1:3306", opened: later, fin: FAR.fin + later, ..FAR }
    });
    nothing_is_said(&[one, other]);
    let by_clients = |leg: Leg| Leg { client_closes: true, ..leg };
    nothing_is_said(&[by_clients(one), by_clients(other)]);
}

#[test]
fn of_several_that_fit_none_is_chosen() {
    let other_near = Leg { client: "192.0.2.5:51680", fin: 3_000_050, ..NEAR };
    let other_far = Leg { client: "192.0.2.5:49999", fin: 3_000_150, ..FAR };
    nothing_is_said(&[FAR, other_far, NEAR, other_near]);
    nothing_is_said(&[FAR, other_far, NEAR]);
    // At another moment, all is told apart.
    let later = |leg: Leg| Leg { opened: leg.opened + 200_000, fin: leg.fin + 200_000, ..leg };
    let (flows, _) = read(&[FAR, later(other_far), NEAR, later(other_near)]);
    assert!(flows.iter().all(|flow| !flow["other_leg"].is_null()), "{flows:#?}");
}
