//! Against another dissector: what tshark says of the flags, folded by the plainest rules, gives the
//! same close and the same holder for every connection of the project's own captures.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::links::FRAMINGS;
use common::scenario::Scenario;
use common::wire::{Link, MICROSECONDS, Packet, Pcapng, Record, TUNNELS, tunnelled};
use common::{Scratch, closewait, json_lines};
use serde_json::Value;

const FIN: u32 = 0x01;
const SYN: u32 = 0x02;
const RST: u32 = 0x04;
const ACK: u32 = 0x10;

/// One connection by tshark: who sent what, in the order of capture.
#[derive(Default)]
struct Stream {
    first_frame: u64,
    ends: BTreeSet<String>,
    /// Sender and flags.
    packets: Vec<(String, u32)>,
}

/// The captures beside which everything is known to have been captured.
fn captures() -> Vec<PathBuf> {
    let mut captures = vec![common::project("fixtures/captures/incident.pcap")];
    for kind in ["pcap", "pcapng"] {
        captures.extend(common::files("fixtures/captures/reproduction", kind));
    }
    captures
}

fn streams(capture: &Path) -> Option<Vec<Stream>> {
    let fields = [
        "frame.number",
        "tcp.stream",
        "ip.src",
        "ipv6.src",
        "tcp.srcport",
        "ip.dst",
        "ipv6.dst",
        "tcp.dstport",
        "tcp.flags",
    ];
    let mut tshark = Command::new("tshark");
    // A header that an ICMP error quotes is no packet of the connection.
    tshark.args(["-n", "-Y", "tcp && !icmp && !icmpv6", "-T", "fields", "-r"]).arg(capture);
    fields.iter().for_each(|field| {
        tshark.args(["-e", field]);
    });
    let output = tshark.output().ok()?;
    let mut streams: BTreeMap<u64, Stream> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        let [frame, stream, from4, from6, from_port, to4, to6, to_port, flags] = cells[..] else {
            panic!("{line}");
        };
        let from = format!("{from4}{from6} {from_port}");
        let to = format!("{to4}{to6} {to_port}");
        let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).expect("flags");
        let stream = streams.entry(stream.parse().expect("a number")).or_default();
        if stream.packets.is_empty() {
            stream.first_frame = frame.parse().expect("a number");
        }
        stream.ends.extend([from.clone(), to]);
        stream.packets.push((from, flags));
    }
    Some(streams.into_values().collect())
}

impl Stream {
    /// Close and holder by the flags alone.
    fn close(&self) -> (&'static str, Option<String>) {
        let mut fins = BTreeSet::new();
        let only_syns = self.packets.iter().all(|(_, flags)| flags & (SYN | ACK | RST) == SYN);
        let mut reset = false;
        for (from, flags) in &self.packets {
            if flags & (FIN | SYN | RST) == FIN {
                fins.insert(from);
            }
            reset |= flags & RST != 0 && fins.len() < 2;
        }
        let holder = || self.ends.iter().find(|end| !fins.contains(end)).cloned();
        match fins.len() {
            _ if only_syns => ("attempt", None),
            _ if reset => ("reset", None),
            2 => ("closed", None),
            1 => ("half-closed", holder()),
            _ => ("open", None),
        }
    }
}

#[test]
fn every_flow_closes_as_tshark_says() {
    let mut compared = 0;
    for capture in captures() {
        let Some(streams) = streams(&capture) else { return common::skip("tshark") };
        let name = capture.to_str().expect("UTF-8");
        let output = closewait(&[name, "--all", "--format", "jsonl"]);
        let lines = json_lines(&output);
        let mut flows: Vec<&Value> = lines.iter().filter(|line| line["type"] == "flow").collect();
        flows.sort_by_key(|flow| flow["first"]["frame"].as_u64());
        assert_eq!(flows.len(), streams.len(), "{name}");
        for (flow, stream) in flows.iter().zip(&streams) {
            let end = |side: &str| {
                let end = &flow[side];
                format!("{} {}", end["ip"].as_str().unwrap_or(""), end["port"])
            };
            assert_eq!(flow["first"]["frame"], stream.first_frame, "{name}");
            // A reset by a peer long after its FIN still has a holder; tshark's flags say reset.
            let holder = (flow["close"] == "half-closed").then(|| flow["holder"].as_str().map(end));
            let got = (flow["close"].as_str().unwrap_or(""), holder.flatten());
            assert_eq!(got, stream.close(), "{name}: {flow}");
            compared += 1;
        }
    }
    assert!(compared > 600, "{compared} connections compared");
}

/// The innermost TCP of each packet by tshark: addresses, ports and flags.
fn innermost(capture: &str, options: &[&str]) -> Option<Vec<String>> {
    let mut tshark = Command::new("tshark");
    tshark.args(["-n", "-T", "fields", "-E", "occurrence=l", "-r", capture]).args(options);
    for field in ["ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport"] {
        tshark.args(["-e", field]);
    }
    let output = tshark.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.lines().map(str::to_owned).collect())
}

/// Does tshark name the ends that were written? Of a tunnel of the other version it gives both.
fn is_said(line: &str, packet: &Packet) -> bool {
    let cells: Vec<&str> = line.split('\t').collect();
    let [from4, from6, from_port, to4, to6, to_port] = cells[..] else { return false };
    let named = |v4: &str, v6: &str, port: &str, end: std::net::SocketAddr| {
        let ip = end.ip().to_string();
        [v4, v6].contains(&ip.as_str()) && port == end.port().to_string()
    };
    named(from4, from6, from_port, packet.from) && named(to4, to6, to_port, packet.to)
}

fn packets(name: &str) -> Vec<Packet> {
    let path = common::project(&format!("fixtures/scenarios/{name}.scn"));
    let scenario = Scenario::read(&path).expect("a scenario");
    scenario.rows.into_iter().filter_map(|row| row.packet).collect()
}

/// The frames that this program is tested with are what tshark takes them for: an interface each.
#[test]
fn link_layers_are_what_tshark_reads() {
    let scratch = Scratch::new();
    let mut file = Pcapng::new(false);
    let mut written = Vec::new();
    for framing in FRAMINGS.iter().filter(|framing| framing.tshark) {
        let interface = written.len() as u32 / 10;
        file.interface(framing.link_type, 0, &[]);
        for packet in [packets("leak"), packets("ipv6")].concat() {
            let record = Record::new(packet.nanos, packet.frame(Link::Framed(framing)));
            file.packet(interface, packet.nanos / 1_000, &record, &[]);
            written.push((framing.name, packet));
        }
    }
    // The frame check sequence is not there.
    let options = ["-o", "docsis.check_fcs:FALSE"];
    compare(&scratch.write("links.pcapng", &file.bytes), &options, &written);
}

#[test]
fn tunnels_are_what_tshark_reads() {
    let scratch = Scratch::new();
    let (mut records, mut written) = (Vec::new(), Vec::new());
    // What tshark opens only when told, and what it would have to be told more about.
    let options = ["-d", "udp.port==4096,vxlan", "-d", "udp.port==16081,geneve"];
    let unopened = ["mpls-ethernet", "l2tp-3", "l2tp-3-in-udp", "gue", "gue-ip"];
    for tunnel in TUNNELS.into_iter().filter(|tunnel| !unopened.contains(tunnel)) {
        for packet in [packets("leak"), packets("ipv6")].concat() {
            let Some(frame) = tunnelled(tunnel, &packet.frame(Link::Raw)) else { continue };
            records.push(Record::new(packet.nanos, frame));
            written.push((tunnel, packet));
        }
    }
    let path = scratch.write("tunnels.pcap", &MICROSECONDS.write(1, &records));
    compare(&path, &options, &written);
}

fn compare(capture: &str, options: &[&str], written: &[(&str, Packet)]) {
    let Some(lines) = innermost(capture, options) else { return common::skip("tshark") };
    assert_eq!(lines.len(), written.len(), "{lines:?}");
    let differ = lines.iter().zip(written).filter(|(line, (_, packet))| !is_said(line, packet));
    let wrong: Vec<String> = differ.map(|(line, (name, _))| format!("{name}: {line}")).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
