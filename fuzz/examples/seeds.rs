//! Writes the seeds anew, from the project's scenarios:
//! `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.

#![forbid(unsafe_code)]
#![allow(dead_code)]

#[path = "../../tests/common/links.rs"]
mod links;
#[path = "../../tests/common/packed.rs"]
mod packed;
#[path = "../../tests/simulation/prng.rs"]
mod prng;
#[path = "../../tests/common/scenario.rs"]
mod scenario;
#[path = "../../tests/common/wire.rs"]
mod wire;

use std::fs;
use std::path::{Path, PathBuf};

use closewait::capture::file::Input;
use closewait::capture::stop::Stop;
use closewait::fleet::facts::{FactsPlan, facts};
use closewait::fleet::keyed::Key;
use closewait::run::notices::Nobody;
use packed::{bzip2, gzip, lz4, tar, xz};
use scenario::Scenario;
use wire::{Classic, Link, MICROSECONDS, Packet, Pcapng, Record, TUNNELS, quoted, tunnelled};

fn main() {
    for target in ["file", "run", "decode", "archive", "conversation", "text", "parts"] {
        let folder = seeds(target);
        fs::remove_dir_all(&folder).ok();
        fs::create_dir_all(&folder).expect("a writable folder");
    }
    files();
    captures();
    frames();
    archives();
    conversations();
    parts();
}

/// Parts of captures, with payload and without.
fn parts() {
    let (to, folder) = (seeds("parts"), tempfile::tempdir().expect("room"));
    // A part names its capture, and where that lay says nothing.
    std::env::set_current_dir(&folder).expect("a folder");
    for (name, contents) in
        [("leak", true), ("four-tuple-used-again-by-the-peer", false), ("ipv6", false)]
    {
        fs::write(name, MICROSECONDS.write(1, &scenario(name).records())).expect("room");
        let plan = FactsPlan {
            input: Input(name.into()),
            contents,
            key: Key(0),
            vxlan: Vec::new(),
            stop: Stop::default(),
        };
        let part = fs::File::create(to.join(name)).expect("room");
        facts(&plan, part, &mut Nobody).expect("a part");
    }
}

/// A capture in each container, and two in one.
fn archives() {
    let leak = MICROSECONDS.write(1, &scenario("leak").records());
    let other = MICROSECONDS.write(1, &scenario("ipv6").records());
    let members = [("a/leak.pcap", &leak[..]), ("README", b"two captures"), ("other.pcap", &other)];
    let tarred = tar(&members);
    for (name, octets) in [
        ("stored.zip", stored(&members)),
        ("plain.tar", tarred.clone()),
        ("tar.gz", gzip(&tarred)),
        ("tar.zst", zstd(&tarred)),
        ("xz", xz(&leak)),
        ("bz2", bzip2(&leak)),
        ("lz4", lz4(&leak)),
        ("tar.xz", xz(&tar(&members[..1]))),
    ] {
        write("archive", name, &octets);
    }
}

/// Members that are only stored: a fuzzer cannot change what is packed.
fn stored(members: &[(&str, &[u8])]) -> Vec<u8> {
    let members: Vec<_> = members.iter().map(|(name, octets)| (*name, *octets, 0, 0, 0)).collect();
    packed::zip(&members)
}

/// Choices by chance: a fuzzer needs some to change.
fn conversations() {
    for seed in 0..16_u64 {
        let mut prng = prng::Prng::new(seed);
        let choices: Vec<u8> = (0..160).map(|_| prng.below(256) as u8).collect();
        write("conversation", &format!("chance-{seed}"), &choices);
    }
}

fn seeds(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target)
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    fs::write(seeds(target).join(name), bytes).expect("a writable folder");
}

fn scenario(name: &str) -> Scenario {
    let path = format!("../fixtures/scenarios/{name}.scn");
    Scenario::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a scenario")
}

/// Every format and compression.
fn files() {
    let records = scenario("leak").records();
    for (name, big_endian, nanoseconds) in [
        ("little.pcap", false, false),
        ("big.pcap", true, false),
        ("little-nanoseconds.pcap", false, true),
        ("big-nanoseconds.pcap", true, true),
    ] {
        write("file", name, &Classic { big_endian, nanoseconds }.write(1, &records));
    }
    let plain = MICROSECONDS.write(1, &records);
    write("file", "modified.pcap", &modified(&records));
    write("file", "cut-off.pcap", &plain[..plain.len() - 7]);
    let (head, tail) = plain.split_at(plain.len() / 2);
    write("file", "members.pcap.gz", &[gzip(head), gzip(tail)].concat());
    write("file", "frames.pcap.zst", &[zstd(head), zstd(tail)].concat());
    let damaged = |mut bytes: Vec<u8>| {
        let at = bytes.len() - 6;
        bytes[at] ^= 1;
        bytes
    };
    write("file", "wrong-checksum.pcap.gz", &damaged(gzip(&plain)));
    write("file", "empty-wrong-checksum.pcap.gz", &damaged(gzip(&plain[..24])));
    write("file", "damaged.pcap.zst", &damaged(zstd(&plain)));
    write("file", "options.pcapng", &options(false, &records).bytes);
    write("file", "big-options.pcapng", &options(true, &records).bytes);
    write("file", "sections.pcapng", &sections(&records));
    write("file", "simple-and-obsolete.pcapng", &simple_and_obsolete(&records));
    write("file", "options.pcapng.zst", &zstd(&options(false, &records).bytes));
    texts();
}

/// What tcpdump prints, in some of its styles.
fn texts() {
    let incident = include_str!("../../fixtures/captures/incident-as-text.tcpdump");
    let quoted: String = incident.lines().map(|line| format!("> {line}\r\n")).collect();
    let verbose = incident
        .replace(" IP ", " IP (tos 0x0, ttl 64, proto TCP (6), length 60)\n    ")
        .replace("options", "cksum 0x1 (correct), options");
    let dated = incident.replace("11:38:", "2018-03-12 11:38:").replace(" IP", " eth0  In  IP");
    let seconds = incident.replace("11:38:", "15208546").replace(" IP", " ARP, x\n1520854695.1 IP");
    let v6 = incident.replace("172.18.0.", "2001:db8::").replace(" IP", " IP6");
    let midnight = incident.replace("11:38:15", "23:59:45").replace("11:38:45", "00:00:15");
    let relative = incident.replace("11:38:15", "00:00:00").replace("11:38:45", "00:00:30");
    let folded = incident.replace(", win", ", \nwin").replace("length 0", "lengt\nh 0");
    let logged = incident.replace("11:38:", "Nov 14 22:13:20 h tcpdump[912]: 11:38:");
    let named = incident.replace("172.18.0.5", "app.shop").replace("3306", "mysql");
    let tunnel = incident.replace(" IP ", " IP a.1 > b.4789: VXLAN, vni 42\nIP ");
    let old = "\
1: 11:38:15.679863 172.18.0.5.38822 > 172.18.0.3.3306:  S 7:7(0) win 29200 <mss 1460,nop>
2: 11:38:15.679923 172.18.0.3.3306 > 172.18.0.5.38822:  S 9:9(0) ack 8 win 28960
3: 11:38:15.679936 172.18.0.5.38822 > 172.18.0.3.3306:  . ack 1 win 229
4: 11:38:45.693382 172.18.0.3.3306 > 172.18.0.5.38822:  FP 123:125(2) ack 144 win 227
";
    let fortigate = "\
interfaces=[any]
0.655224 port1 in 172.18.0.5.38822 -> 172.18.0.3.3306: syn 7
0.655284 port1 out 172.18.0.3.3306 -> 172.18.0.5.38822: syn 9 ack 8
0.655297 port1 in 172.18.0.5.38822 -> 172.18.0.3.3306: psh 8 ack 10
30.669000 port1 out 172.18.0.3.3306 -> 172.18.0.5.38822: fin 10 ack 151
";
    let tshark = "\
1 0.000000 172.18.0.5 → 172.18.0.3 TCP 74 38822 → 3306 [SYN] Seq=0 Win=29200 Len=0
2 0.000060 172.18.0.3 → 172.18.0.5 TCP 74 3306 → 38822 [SYN, ACK] Seq=0 Ack=1 Win=2 Len=0
3 0.000073 172.18.0.3 → 172.18.0.5 MySQL 188 Server Greeting
4 30.013519 172.18.0.3 → 172.18.0.5 TCP 66 3306 → 38822 [FIN, ACK] Seq=123 Ack=144 Win=227 Len=0
";
    let csv = "\
\"No.\",\"Time\",\"Source\",\"Destination\",\"Protocol\",\"Length\",\"Info\"
\"1\",\"0.0\",\"172.18.0.5\",\"172.18.0.3\",\"TCP\",\"74\",\"38822 > 3306 [SYN] Seq=0 Len=0\"
\"2\",\"30.0\",\"172.18.0.3\",\"172.18.0.5\",\"TCP\",\"66\",\"3306 > 38822 [FIN, ACK] Seq=1 Ack=1 Len=0\"
";
    let fields = "\
frame.time_epoch\tip.src\ttcp.srcport\tip.dst\ttcp.dstport\ttcp.flags\ttcp.seq\ttcp.ack\ttcp.len
1520854695.679863\t172.18.0.5\t38822\t172.18.0.3\t3306\t0x0002\t0\t0\t0
1520854725.693382\t172.18.0.3\t3306\t172.18.0.5\t38822\t0x0011\t123\t144\t0
";
    for (name, text) in [
        ("folded", folded),
        ("logged", logged),
        ("named", named),
        ("tunnel", tunnel),
        ("old", old.to_owned()),
        ("fortigate", fortigate.to_owned()),
        ("tshark", tshark.to_owned()),
        ("csv", csv.to_owned()),
        ("fields", fields.to_owned()),
        ("quoted", quoted),
        ("verbose", verbose),
        ("dated", dated),
        ("seconds", seconds),
        ("v6", v6),
        ("midnight", midnight),
        ("relative", relative),
    ] {
        write("file", &format!("{name}.tcpdump"), text.as_bytes());
        write("text", name, text.as_bytes());
    }
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 19).expect("memory")
}

/// Kuznetzov's format: 24 octets before each packet.
fn modified(records: &[Record]) -> Vec<u8> {
    let mut file = MICROSECONDS.write(1, &[]);
    file[..4].copy_from_slice(&0xa1b2_cd34u32.to_le_bytes());
    for record in records {
        let (seconds, rest) = (record.nanos / 1_000_000_000, record.nanos % 1_000_000_000);
        let len = record.data.len() as u32;
        let numbers = [seconds as u32, (rest / 1_000) as u32, len, record.original_len, 2, 0];
        file.extend(numbers.map(u32::to_le_bytes).concat());
        file.extend(&record.data);
    }
    file
}

/// Two interfaces with addresses, a time resolution and an offset; packets with a direction and
/// with drops; statistics, a name resolution, a custom block.
fn options(big_endian: bool, records: &[Record]) -> Pcapng {
    let mut file = Pcapng::new(big_endian);
    let address = vec![172, 18, 0, 5, 255, 255, 0, 0];
    let v6 = [&[0xfd; 16][..], &[64]].concat();
    file.interface(1, 262_144, &[(2, b"eth0".to_vec()), (4, address), (5, v6), (9, vec![9])]);
    let offset = file.u64_option(1_000);
    file.interface(1, 96, &[(9, vec![0x80 | 20]), (14, offset)]);
    for (i, record) in records.iter().enumerate() {
        let (flags, drops) = (file.u32_option(1 + i as u32 % 2), file.u64_option(i as u64));
        let options = [(1, b"a comment".to_vec()), (2, flags), (4, drops)];
        match i % 2 {
            0 => file.packet(0, record.nanos, record, &options),
            _ => file.packet(1, ((record.nanos / 1_000_000_000) - 1_000) << 20, record, &[]),
        }
    }
    let (lost, more) = (file.u64_option(3), file.u64_option(4));
    file.statistics(0, &[(5, lost), (7, more)]);
    file.block(4, vec![0; 4]);
    file.block(0x0bad, b"\0\0\0\0private".to_vec());
    file
}

/// A section of each byte order.
fn sections(records: &[Record]) -> Vec<u8> {
    let (head, tail) = records.split_at(records.len() / 2);
    let section = |big_endian, records: &[Record]| {
        let mut file = Pcapng::new(big_endian);
        file.interface(1, 0, &[]);
        for record in records {
            file.packet(0, record.nanos / 1_000, record, &[]);
        }
        file.bytes
    };
    [section(false, head), section(true, tail)].concat()
}

fn simple_and_obsolete(records: &[Record]) -> Vec<u8> {
    let mut file = Pcapng::new(false);
    file.interface(1, 80, &[]);
    for (i, record) in records.iter().enumerate() {
        if i % 2 == 0 {
            file.simple_packet(&record.clone().snapped(80));
            continue;
        }
        let ticks = record.nanos / 1_000;
        let numbers = [0, (ticks >> 32) as u32, ticks as u32, record.data.len() as u32];
        let mut body = numbers.map(u32::to_le_bytes).concat();
        body.extend(record.original_len.to_le_bytes());
        body.extend(&record.data);
        file.block(2, body);
    }
    file.bytes
}

/// Conversations: one capture a kind.
fn captures() {
    for name in [
        "port-reused",
        "half-close-in-use",
        "packets-lost-with-perhaps-a-fin",
        "rst-soon-after-the-fin",
        "rst-without-effect",
        "syn-on-close-wait",
        "stale-reuse-answered-by-rst",
        "finished-flow-is-forgotten",
        "time-goes-back",
        "numbers-wrap",
        "ip-fragments",
        "ipv6",
        "itself",
        "local-by-packet-type-sll2",
    ] {
        let scenario = scenario(name);
        let bytes = MICROSECONDS.write(scenario.link.link_type(), &scenario.records());
        write("run", &format!("{name}.pcap"), &bytes);
    }
    // Each packet in another tunnel, and its connection is the same.
    let (v4, v6) = (packets("late-close"), packets("ipv6"));
    let frames = v4.iter().zip(v6.iter().cycle()).enumerate().map(|(i, (v4, v6))| {
        let mut frames = tunnelled_frames(&v4.frame(Link::Raw), &v6.frame(Link::Raw));
        let at = i * 5 % frames.len();
        Record::new(v4.nanos, frames.swap_remove(at).1)
    });
    let records: Vec<Record> = frames.collect();
    write("run", "tunnels.pcap", &MICROSECONDS.write(1, &records));
    // Nothing at all has a time.
    let mut timeless = Pcapng::new(false);
    timeless.interface(1, 0, &[]);
    for record in scenario("leak").records() {
        timeless.simple_packet(&record);
    }
    write("run", "timeless.pcapng", &timeless.bytes);
}

fn packets(name: &str) -> Vec<Packet> {
    scenario(name).rows.into_iter().filter_map(|row| row.packet).collect()
}

/// One frame a link type, a tunnel, a kind of IP header: all carry the same packet.
fn frames() {
    let mut packet = packets("leak").remove(0);
    packet.payload = b"select 1".to_vec();
    packet.options = vec![2, 4, 5, 0xb4];
    let v4 = packet.frame(Link::Raw);
    let frame = |name: &str, link: u16, extra: u32, data: &[u8]| {
        let len = data.len() as u32 + extra;
        let bytes = [&link.to_le_bytes()[..], &len.to_le_bytes(), data].concat();
        write("decode", name, &bytes);
    };
    for (name, link) in [
        ("ethernet", Link::Ethernet),
        ("vlan", Link::Vlan),
        ("qinq", Link::QinQ),
        ("sll", Link::Sll),
        ("sll2", Link::Sll2),
        ("raw", Link::Raw),
    ] {
        frame(&format!("link-{name}"), link.link_type(), 0, &packet.frame(link));
    }
    for framing in links::FRAMINGS {
        let link = Link::Framed(framing);
        frame(&format!("link-{framing:?}"), link.link_type(), 0, &packet.frame(link));
    }
    let len = (v4.len() as u16 + 4).to_le_bytes();
    let nflog = [&[2, 0, 0, 5, 8, 0, 1, 0, 8, 0, 1, 0], &len[..], &[9, 0]].concat();
    let links: [(&str, u16, &[u8]); 3] =
        [("ppp-short", 50, &[0x21]), ("ipv4", 228, &[]), ("nflog", 239, &nflog)];
    for (name, link, header) in links {
        frame(&format!("link-{name}"), link, 0, &[header, &v4].concat());
    }
    let v6 = packets("ipv6").remove(0).frame(Link::Raw);
    for (name, bytes) in tunnelled_frames(&v4, &v6) {
        frame(&format!("tunnel-{name}"), 1, 0, &bytes);
    }
    let tcp = &v4[20..];
    for (name, packet) in [
        ("v4-options", with_options(&v4)),
        ("v4-length-0", with_u16(&v4, 2, 0)),
        ("v4-first-fragment", with_u16(&v4, 6, 0x2000)),
        ("v4-later-fragment", with_u16(&v4, 6, 3)),
        ("v6-extensions", ipv6(0, &[&[43, 0, 1, 4, 0, 0, 0, 0][..], &ROUTING, tcp].concat())),
        ("v6-later-fragment", ipv6(44, &[&[6, 0, 0, 9, 0, 0, 0, 1][..], tcp].concat())),
        ("v6-jumbo", with_u16(&ipv6(0, &[&JUMBO[..], tcp].concat()), 4, 0)),
    ] {
        // Segmentation offload: the wire saw more than was captured.
        frame(&format!("ip-{name}"), 101, 100_000, &packet);
    }
}

/// A routing header of type 0, destination options, the first of two fragments; then TCP.
const ROUTING: [u8; 24] =
    [60, 0, 0, 0, 0, 0, 0, 0, 44, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 1, 0, 0, 0, 1];

/// Hop-by-hop options with a length of 100,000; then TCP.
const JUMBO: [u8; 8] = [6, 0, 0xc2, 4, 0, 1, 0x86, 0xa0];

fn with_u16(packet: &[u8], at: usize, number: u16) -> Vec<u8> {
    let mut packet = packet.to_vec();
    packet[at..at + 2].copy_from_slice(&number.to_be_bytes());
    packet
}

/// Three no-operations and an end of options.
fn with_options(v4: &[u8]) -> Vec<u8> {
    let mut packet = v4.to_vec();
    packet[0] = 0x46;
    packet.splice(20..20, [1, 1, 1, 0]);
    let len = packet.len() as u16;
    with_u16(&packet, 2, len)
}

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1], &ether_type.to_be_bytes()[..], payload].concat()
}

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let header = [0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    let packet = [&header, payload].concat();
    let len = packet.len() as u16;
    with_u16(&packet, 2, len)
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u16).to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, len[0], len[1], next, 64];
    packet.extend([0xfd; 16]);
    packet.extend([0xfe; 16]);
    packet.extend(payload);
    packet
}

type Wrap = fn(&[u8]) -> Vec<u8>;

/// What the tests' own tunnels leave out.
const MORE_TUNNELS: [(&str, Wrap); 9] = [
    ("snap", |ip| ethernet(40, &[&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], ip].concat())),
    ("security-tag", |ip| ethernet(0x8909, &[&[1, 1, 0, 1, 0, 7, 8, 0], ip].concat())),
    ("ip-in-6-in-4", |ip| ethernet(0x0800, &ipv4(41, &ipv6(4, ip)))),
    ("ip-in-ip-7", |ip| ethernet(0x0800, &(0..7).fold(ip.to_vec(), |ip, _| ipv4(4, &ip)))),
    ("ip-in-ip-8", |ip| ethernet(0x0800, &(0..8).fold(ip.to_vec(), |ip, _| ipv4(4, &ip)))),
    ("wireless", |ip| {
        let mut header = vec![0, 0, 0x82, 0, 0x88];
        header.extend([&[0; 25][..], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat());
        ethernet(0x0800, &ipv4(47, &[&header, ip].concat()))
    }),
    ("wccp", |ip| ethernet(0x0800, &ipv4(47, &[&[0, 0, 0x88, 0x3e, 0, 0, 0, 0], ip].concat()))),
    ("vlan-mpls", |ip| ethernet(0x8100, &[&[0, 7, 0x88, 0x47, 0, 1, 1, 64], ip].concat())),
    ("icmp-quote", |ip| quoted(ip)),
];

/// Every way to carry an IP packet in an Ethernet frame.
fn tunnelled_frames(v4: &[u8], v6: &[u8]) -> Vec<(String, Vec<u8>)> {
    let known = TUNNELS.iter().map(|name| {
        let frame = tunnelled(name, v4).or_else(|| tunnelled(name, v6));
        (name.to_string(), frame.expect("a tunnel for either"))
    });
    known.chain(MORE_TUNNELS.map(|(name, wrap)| (name.to_owned(), wrap(v4)))).collect()
}
