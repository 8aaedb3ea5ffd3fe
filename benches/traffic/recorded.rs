//! Traffic of real servers, recorded once (`benches/recorded/record`) and multiplied by addresses.

use std::io::{self, Read, Write};

/// A recording by its name: a file in `benches/recorded`, compressed.
#[derive(Clone, Copy)]
pub struct Recording {
    pub name: &'static str,
    /// In words.
    pub what: &'static str,
    gzip: &'static [u8],
}

macro_rules! recordings {
    ($($name:literal: $what:literal;)*) => {
        pub const ALL: &[Recording] = &[$(Recording {
            name: $name,
            what: $what,
            gzip: include_bytes!(concat!("../recorded/", $name, ".pcap.gz")),
        }),*];
    };
}

recordings! {
    "oltp": "OLTP of a MariaDB";
    "short": "short conversations of a MariaDB";
    "postgresql": "pgbench in its three protocols on PostgreSQL";
    "http": "keep-alive requests of curl to nginx";
    "http2": "HTTP/2 of h2load to nginx";
    "redis": "redis-benchmark on Redis";
    "amqp": "pika on RabbitMQ, publishing and consuming";
    "kafka": "aiokafka on Tansu, producing and fetching";
}

/// The recording of this name.
pub fn named(name: &str) -> Recording {
    *ALL.iter().find(|recording| recording.name == name).expect("a recording of this name")
}

const FILE_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

/// Copies whose packets come by turns; the next ones begin when these have ended.
const BESIDE: u32 = 128;

/// Where the clients of the copies live, and the one server of all.
const CLIENTS: u32 = 0x0a00_0000;
const SERVER: u32 = 0xac12_0003;

/// Offsets in an Ethernet frame with IPv4 and no options: the addresses, the ports, TCP's checksum.
const ADDRESSES: [usize; 2] = [26, 30];
const PORTS: [usize; 2] = [34, 36];
const CHECKSUM: usize = 50;

/// A packet of a recording: microseconds since the first, and its frame.
struct Recorded {
    micros: u64,
    frame: Vec<u8>,
}

fn u32_at(octets: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(octets[at..at + 4].try_into().expect("four octets"))
}

/// The packets of a pcap file in microseconds, as tcpdump writes it here.
fn read(recording: &[u8]) -> Vec<Recorded> {
    assert_eq!(u32_at(recording, 0), 0xa1b2_c3d4, "a pcap file in microseconds");
    let mut rest = &recording[FILE_HEADER..];
    let mut packets = Vec::new();
    let mut first = None;
    while !rest.is_empty() {
        let time = u64::from(u32_at(rest, 0)) * 1_000_000 + u64::from(u32_at(rest, 4));
        let end = RECORD_HEADER + u32_at(rest, 8) as usize;
        let micros = time - *first.get_or_insert(time);
        packets.push(Recorded { micros, frame: rest[RECORD_HEADER..end].to_vec() });
        rest = &rest[end..];
    }
    packets
}

/// Writes a capture of about so many packets: as many whole copies of a recording as they make; how many they are.
/// Its first packet goes to the server.
pub fn multiply(recording: Recording, packets: u64, out: &mut impl Write) -> io::Result<u64> {
    let mut octets = Vec::new();
    flate2::read::GzDecoder::new(recording.gzip).read_to_end(&mut octets)?;
    let mut recorded = read(&octets);
    let server = recorded.first().map_or([0; 2], |first| [first.frame[36], first.frame[37]]);
    out.write_all(&octets[..FILE_HEADER])?;
    let copies = packets.div_ceil(recorded.len() as u64) as u32;
    let length = recorded.last().map_or(0, |last| last.micros) + 1_000;
    for group in 0..copies.div_ceil(BESIDE) {
        let began = 1_700_000_000_000_000 + u64::from(group) * length;
        for Recorded { micros, frame } in &mut recorded {
            for copy in group * BESIDE..copies.min((group + 1) * BESIDE) {
                address(frame, server, copy);
                let (time, len) = (began + *micros, frame.len() as u32);
                let header = [(time / 1_000_000) as u32, (time % 1_000_000) as u32, len, len];
                out.write_all(&header.map(u32::to_le_bytes).concat())?;
                out.write_all(frame)?;
            }
        }
    }
    out.flush()?;
    Ok(u64::from(copies) * recorded.len() as u64)
}

/// Gives a packet the addresses of a copy. Its checksum is zero, as with offload.
fn address(frame: &mut [u8], server: [u8; 2], copy: u32) {
    for (address, port) in ADDRESSES.into_iter().zip(PORTS) {
        let own = if frame[port..port + 2] == server { SERVER } else { CLIENTS + 1 + copy };
        frame[address..address + 4].copy_from_slice(&own.to_be_bytes());
    }
    frame[CHECKSUM..CHECKSUM + 2].fill(0);
}
