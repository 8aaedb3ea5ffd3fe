//! Processes that a capture names itself.

mod common;

use common::links::FRAMINGS;
use common::scenario::Scenario;
use common::wire::{Link, MICROSECONDS, Packet, Pcapng, Record};
use common::{Scratch, closewait, json_lines, text};
use serde_json::Value;

type Options = Vec<(u16, Vec<u8>)>;

fn packets() -> Vec<Packet> {
    let path = common::project("fixtures/scenarios/leak.scn");
    let scenario = Scenario::read(&path).expect("a scenario");
    scenario.rows.into_iter().filter_map(|row| row.packet).collect()
}

/// A pcapng of one leak, with these options on each packet.
fn annotated(
    blocks: &dyn Fn(&mut Pcapng),
    options: &dyn Fn(&Pcapng, &Packet) -> Options,
) -> Vec<u8> {
    let mut file = Pcapng::new(false);
    file.interface(1, 0, &[]);
    blocks(&mut file);
    for packet in packets() {
        let record = Record::new(packet.nanos, packet.frame(Link::Ethernet));
        let options = options(&file, &packet);
        file.packet(0, packet.nanos / 1_000, &record, &options);
    }
    file.bytes
}

fn flow(bytes: &[u8], options: &[&str]) -> Value {
    let scratch = Scratch::new();
    let path = scratch.write("x.pcapng", bytes);
    let output = closewait(&[&[path.as_str(), "--format", "jsonl"], options].concat());
    json_lines(&output).remove(0)
}

fn direction(file: &Pcapng, packet: &Packet) -> (u16, Vec<u8>) {
    (2, file.u32_option(if packet.outgoing { 2 } else { 1 }))
}

const PTCPDUMP: &str = "PID: 4242\nCmd: /srv/orders/orders-api\nArgs: orders-api";

#[test]
fn a_comment_names_the_process_of_a_finding() {
    let bytes = annotated(&|_| (), &|file, packet| {
        vec![direction(file, packet), (1, PTCPDUMP.into()), (1, b"ParentPID: 1".to_vec())]
    });
    let flow = flow(&bytes, &[]);
    assert_eq!(flow["process"]["pid"], 4242, "{flow}");
    assert_eq!(flow["process"]["command"], "orders-api");
    assert_eq!(flow["process"]["fd"], Value::Null);
    assert_eq!(flow["process_by"], "capture");
    assert_eq!(flow["kernel"], Value::Null);

    let scratch = Scratch::new();
    let (out, _) = text(&closewait(&[&scratch.write("x.pcapng", &bytes)]));
    assert!(out.contains("orders-api[4242] (by the capture)"), "{out}");
}

/// Without a direction, the process is local's: it is named where local is known and holds.
#[test]
fn a_comment_without_a_direction_is_of_the_local_end() {
    let bytes = annotated(&|_| (), &|_, _| vec![(1, b"PID:77 Process:orders".to_vec())]);
    assert_eq!(flow(&bytes, &["--local", "172.18.0.5"])["process"]["pid"], 77);
    assert!(flow(&bytes, &[]).get("process").is_none());
}

/// The process of the end that closed is not that of the holder.
#[test]
fn the_peers_process_is_not_the_holders() {
    let bytes = annotated(&|_| (), &|file, packet| {
        let way = if packet.outgoing { 1 } else { 2 };
        vec![(2, file.u32_option(way)), (1, PTCPDUMP.into())]
    });
    let flow = flow(&bytes, &["--local", "172.18.0.5"]);
    assert!(flow.get("process").is_none(), "{flow}");
}

/// The thread that ran when a packet came is no holder.
#[test]
fn what_etl2pcapng_writes_is_no_process() {
    let bytes =
        annotated(&|_| (), &|file, packet| vec![direction(file, packet), (1, b"PID=4".to_vec())]);
    assert!(flow(&bytes, &[]).get("process").is_none());
}

/// macOS describes each process once, and its packets point to the description.
#[test]
fn the_process_blocks_of_macos_are_read() {
    let describe = |file: &mut Pcapng| {
        let body = [file.u32_option(812), file.options(&[(2, b"mysqld".to_vec())])];
        file.block(0x8000_0001, body.concat());
    };
    let bytes = annotated(&describe, &|file, packet| {
        vec![direction(file, packet), (0x8001, file.u32_option(0))]
    });
    let flow = flow(&bytes, &[]);
    assert_eq!(
        (&flow["process"]["pid"], &flow["process"]["command"]),
        (&812.into(), &"mysqld".into())
    );
}

#[test]
fn pktap_names_the_process_and_the_local_end() {
    let framing = FRAMINGS.iter().find(|framing| framing.name == "pktap").expect("known");
    let link = Link::Framed(framing);
    let records: Vec<Record> =
        packets().iter().map(|packet| Record::new(packet.nanos, packet.frame(link))).collect();
    let flow = flow(&MICROSECONDS.write(258, &records), &[]);
    assert_eq!((&flow["local"], &flow["local_by"]), (&"a".into(), &"packet-type".into()));
    assert_eq!(
        (&flow["process"]["pid"], &flow["process"]["command"]),
        (&812.into(), &"orders-api".into())
    );
}

/// A socket list knows better than the capture.
#[test]
fn a_socket_list_comes_first() {
    let scratch = Scratch::new();
    let list = scratch.write(
        "ss.txt",
        b"CLOSE-WAIT 1 0 172.18.0.5:38822 172.18.0.3:3306 users:((\"api\",pid=7,fd=6))\n",
    );
    let bytes =
        annotated(&|_| (), &|file, packet| vec![direction(file, packet), (1, PTCPDUMP.into())]);
    let listed = flow(&bytes, &["--sockets", &list]);
    assert_eq!((&listed["process"]["pid"], listed.get("process_by")), (&7.into(), None));
    let empty = scratch.write(
        "other.txt",
        b"ESTAB 0 0 172.18.0.5:38823 172.18.0.3:3306 users:((\"api\",pid=7,fd=6))\n",
    );
    assert_eq!(flow(&bytes, &["--sockets", &empty])["process"]["pid"], 4242);
}
