//! Made-up traffic, the same for the same shape and seed: handshakes, requests and responses, closes.
//!
//! One connection in a hundred leaks, or as many as are asked for: its server sends FIN, its client acknowledges and never closes.
//! Every packet belongs to a connection drawn at random among those that are open, which is the worst
//! that can happen to a table of flows.

use std::io::{self, Write};

use super::prng::Prng;

/// What the traffic looks like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub packets: u64,
    /// Connections that are open at a time.
    pub open: usize,
    /// Octets of a request and of each segment of a response: from, to.
    pub request: (u64, u64),
    pub segment: (u64, u64),
    /// Segments of a response; the client acknowledges them together.
    pub segments: u8,
    /// Requests of a connection, on average.
    pub requests: u64,
    /// One connection in so many leaks.
    pub leaks: u64,
    /// Packets in a second of capture time.
    pub rate: u64,
    pub seed: u64,
    /// The servers'; one that no protocol which is read has, unless told otherwise.
    pub port: u16,
}

impl Shape {
    /// Packets of about 100 octets: short statements, short answers.
    pub fn small(packets: u64, open: usize) -> Shape {
        Shape {
            packets,
            open,
            request: (25, 90),
            segment: (25, 90),
            segments: 1,
            requests: 16,
            leaks: 100,
            rate: 20_000,
            seed: 1,
            port: 7_432,
        }
    }

    /// Packets of about 1,250 octets: answers of several full segments.
    pub fn large(packets: u64, open: usize) -> Shape {
        Shape {
            request: (60, 140),
            segment: (1_448, 1_448),
            segments: 10,
            requests: 8,
            ..Shape::small(packets, open)
        }
    }

    /// Segments of 32 KB, as a host with segmentation offload captures them: `segments` of them, about.
    pub fn huge(segments: u64, open: usize) -> Shape {
        Shape {
            request: (60, 140),
            segment: (32_000, 32_000),
            segments: 30,
            requests: 4,
            ..Shape::small(segments * 32 / 30, open)
        }
    }

    /// Connections that are opened, closed by the server, and left: five packets each.
    pub fn flood(connections: u64) -> Shape {
        Shape { requests: 0, leaks: 1, ..Shape::small(connections * 5, 1_000) }
    }

    /// The same with servers on another port.
    pub fn on(self, port: u16) -> Shape {
        Shape { port, ..self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Pcap,
    Pcapng,
}

/// What a capture holds, by construction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Truth {
    pub packets: u64,
    pub flows: u64,
    /// Connections whose FIN the client acknowledged and did not answer.
    pub leaks: u64,
    /// Connections that were being closed when the capture ended.
    pub closing: u64,
    pub bytes: u64,
}

/// Writes a capture.
pub fn write(shape: Shape, format: Format, out: &mut impl Write) -> io::Result<Truth> {
    let mut prng = Prng::new(shape.seed);
    let mut truth = Truth::default();
    let header = match format {
        Format::Pcap => pcap_header(),
        Format::Pcapng => pcapng_header(),
    };
    out.write_all(&header)?;
    truth.bytes += header.len() as u64;
    let mut slots: Vec<Connection> =
        (0..shape.open).map(|_| Connection::new(&shape, &mut prng)).collect();
    truth.flows = slots.len().min(shape.packets as usize) as u64;
    let mut nanos: u64 = 1_700_000_000_000_000_000;
    let mut frame = Vec::with_capacity(2_048);
    while truth.packets < shape.packets {
        // The first packets open all slots, then chance decides.
        let slot = match truth.packets as usize {
            n if n < slots.len() => n,
            _ => prng.below(slots.len() as u64) as usize,
        };
        let connection = &mut slots[slot];
        frame.clear();
        let ended = connection.next_packet(&shape, &mut prng, nanos, &mut frame);
        let record = record_header(format, nanos, frame.len());
        let trailer = record_trailer(format, frame.len());
        out.write_all(&record)?;
        out.write_all(&frame)?;
        out.write_all(&trailer)?;
        truth.bytes += (record.len() + frame.len() + trailer.len()) as u64;
        truth.packets += 1;
        if let Some(end) = ended {
            truth.leaks += u64::from(end == End::Leaked);
            if truth.packets < shape.packets {
                *connection = Connection::new(&shape, &mut prng);
                truth.flows += 1;
            }
        }
        nanos += prng.between(1, 2 * 1_000_000_000 / shape.rate);
    }
    out.flush()?;
    // A new connection that never had its turn is in no capture.
    let in_phase =
        |phases: &[Phase]| slots.iter().filter(|c| phases.contains(&c.phase)).count() as u64;
    truth.flows -= in_phase(&[Phase::Syn]);
    truth.closing = in_phase(&[Phase::ClientAck, Phase::ClientFin]);
    Ok(truth)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Syn,
    SynAck,
    Established,
    Request,
    /// So many segments of the response are still to come.
    Response(u8),
    Acknowledge,
    ServerFin,
    ClientAck,
    ClientFin,
    LastAck,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Leaked,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Client,
    Server,
}

struct Connection {
    phase: Phase,
    requests: u64,
    leaks: bool,
    client: (u32, u16),
    server: (u32, u16),
    /// The next sequence number of each side.
    client_nxt: u32,
    server_nxt: u32,
}

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

impl Connection {
    fn new(shape: &Shape, prng: &mut Prng) -> Connection {
        let mut address = || 0x0a00_0000 | prng.below(1 << 24) as u32;
        let (client, server) = (address(), address());
        Connection {
            phase: Phase::Syn,
            requests: match shape.requests {
                0 => 0,
                requests => prng.between(1, requests * 2 - 1),
            },
            leaks: prng.one_in(shape.leaks),
            client: (client, prng.between(1_024, 65_535) as u16),
            server: (server, shape.port),
            client_nxt: prng.next() as u32,
            server_nxt: prng.next() as u32,
        }
    }

    /// The connection's next packet, and how it ended if that was its last.
    fn next_packet(
        &mut self,
        shape: &Shape,
        prng: &mut Prng,
        nanos: u64,
        frame: &mut Vec<u8>,
    ) -> Option<End> {
        use Phase::*;
        let (from, flags, len, next) = match self.phase {
            Syn => (From::Client, SYN, 0, SynAck),
            SynAck => (From::Server, SYN | ACK, 0, Established),
            Established => {
                let next = if self.requests > 0 { Request } else { ServerFin };
                (From::Client, ACK, 0, next)
            }
            Request => {
                let len = prng.between(shape.request.0, shape.request.1);
                (From::Client, PSH | ACK, len, Response(shape.segments))
            }
            Response(left) => {
                let len = prng.between(shape.segment.0, shape.segment.1);
                let next = if left > 1 { Response(left - 1) } else { Acknowledge };
                (From::Server, PSH | ACK, len, next)
            }
            Acknowledge => {
                self.requests -= 1;
                let next = if self.requests > 0 { Request } else { ServerFin };
                (From::Client, ACK, 0, next)
            }
            ServerFin => (From::Server, FIN | ACK, 0, ClientAck),
            ClientAck => (From::Client, ACK, 0, ClientFin),
            ClientFin => (From::Client, FIN | ACK, 0, LastAck),
            LastAck => (From::Server, ACK, 0, LastAck),
        };
        self.frame(from, flags, len as usize, nanos, frame);
        let numbers = len as u32 + u32::from(flags & (SYN | FIN) != 0);
        match from {
            From::Client => self.client_nxt = self.client_nxt.wrapping_add(numbers),
            From::Server => self.server_nxt = self.server_nxt.wrapping_add(numbers),
        }
        match std::mem::replace(&mut self.phase, next) {
            ClientAck if self.leaks => Some(End::Leaked),
            LastAck => Some(End::Closed),
            _ => None,
        }
    }

    /// Ethernet, IPv4, TCP with timestamps. Checksums are zero, as with offload.
    fn frame(&self, from: From, flags: u8, len: usize, nanos: u64, frame: &mut Vec<u8>) {
        let (source, destination, seq, ack) = match from {
            From::Client => (self.client, self.server, self.client_nxt, self.server_nxt),
            From::Server => (self.server, self.client, self.server_nxt, self.client_nxt),
        };
        let ack = if flags & ACK != 0 { ack } else { 0 };
        let total = (20 + 32 + len) as u16;
        frame.extend([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
        frame.extend([0x45, 0]);
        frame.extend(total.to_be_bytes());
        frame.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        frame.extend(source.0.to_be_bytes());
        frame.extend(destination.0.to_be_bytes());
        frame.extend(source.1.to_be_bytes());
        frame.extend(destination.1.to_be_bytes());
        frame.extend(seq.to_be_bytes());
        frame.extend(ack.to_be_bytes());
        frame.extend([0x80, flags, 0x01, 0xf6, 0, 0, 0, 0, 1, 1, 8, 10]);
        let millis = (nanos / 1_000_000) as u32;
        frame.extend(millis.to_be_bytes());
        frame.extend(millis.wrapping_sub(1).to_be_bytes());
        frame.resize(frame.len() + len, b'x');
    }
}

const SNAP_LEN: u32 = 262_144;

fn pcap_header() -> Vec<u8> {
    let numbers = [0xa1b2_c3d4, 0x0004_0002, 0, 0, SNAP_LEN, 1];
    numbers.map(u32::to_le_bytes).concat()
}

/// A section and one Ethernet interface, in microseconds.
fn pcapng_header() -> Vec<u8> {
    let section = [0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, u32::MAX, u32::MAX, 28];
    let interface = [1, 20, 1, SNAP_LEN, 20];
    [section.map(u32::to_le_bytes).concat(), interface.map(u32::to_le_bytes).concat()].concat()
}

fn record_header(format: Format, nanos: u64, len: usize) -> Vec<u8> {
    let len = len as u32;
    let micros = nanos / 1_000;
    match format {
        Format::Pcap => {
            let numbers = [(micros / 1_000_000) as u32, (micros % 1_000_000) as u32, len, len];
            numbers.map(u32::to_le_bytes).concat()
        }
        Format::Pcapng => {
            let whole = 32 + len.next_multiple_of(4);
            let numbers = [6, whole, 0, (micros >> 32) as u32, micros as u32, len, len];
            numbers.map(u32::to_le_bytes).concat()
        }
    }
}

fn record_trailer(format: Format, len: usize) -> Vec<u8> {
    match format {
        Format::Pcap => Vec::new(),
        Format::Pcapng => {
            let padded = len.next_multiple_of(4);
            let mut trailer = vec![0; padded - len];
            trailer.extend((32 + padded as u32).to_le_bytes());
            trailer
        }
    }
}
