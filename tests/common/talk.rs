//! One connection, said by said: a client and a server, perhaps of MySQL.

use super::wire::{Link, MICROSECONDS, Packet, Record};

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PUSH: u8 = 0x08;
pub const ACK: u8 = 0x10;

pub const SECOND: u64 = 1_000_000_000;
pub const START: u64 = 1_700_000_000 * SECOND;

/// A connection that is being written, from the client's SYN on.
pub struct Talk {
    pub client: u16,
    pub port: u16,
    pub nanos: u64,
    /// The next numbers of client and server.
    pub next: [u32; 2],
    pub records: Vec<Record>,
}

pub const CLIENT: usize = 0;
pub const SERVER: usize = 1;

/// Capabilities of both ends, without TLS and compression.
const CAPABILITIES: [u8; 4] = 0x0008_a209_u32.to_le_bytes();

impl Talk {
    pub fn with(port: u16) -> Talk {
        Talk::between(40_000, port)
    }

    pub fn between(client: u16, port: u16) -> Talk {
        let mut talk =
            Talk { client, port, nanos: START, next: [1_000, 9_000], records: Vec::new() };
        talk.send(CLIENT, SYN, b"");
        talk.send(SERVER, SYN | ACK, b"");
        talk.send(CLIENT, ACK, b"");
        talk
    }

    pub fn send(&mut self, from: usize, flags: u8, payload: &[u8]) {
        let ends = [
            format!("172.18.0.5:{}", self.client).parse().expect("an address"),
            format!("172.18.0.3:{}", self.port).parse().expect("an address"),
        ];
        self.nanos += SECOND / 1_000;
        let packet = Packet {
            nanos: self.nanos,
            from: ends[from],
            to: ends[1 - from],
            flags,
            seq: self.next[from],
            ack: if flags & ACK != 0 { self.next[1 - from] } else { 0 },
            window: 500,
            options: Vec::new(),
            payload: payload.to_vec(),
            outgoing: from == CLIENT,
        };
        let control = u32::from(flags & (SYN | FIN) != 0);
        self.next[from] = self.next[from].wrapping_add(payload.len() as u32 + control);
        self.records.push(Record::new(self.nanos, packet.frame(Link::Ethernet)));
    }

    pub fn say(mut self, from: usize, payload: &[u8]) -> Talk {
        self.send(from, PUSH | ACK, payload);
        self
    }

    pub fn wait(mut self, seconds: u64) -> Talk {
        self.nanos += seconds * SECOND;
        self
    }

    /// The server closes; the client's kernel acknowledges.
    pub fn closed_by_server(mut self) -> Talk {
        self.send(SERVER, FIN | ACK, b"");
        self.send(CLIENT, ACK, b"");
        self
    }

    pub fn closed_by_client(mut self) -> Talk {
        self.send(CLIENT, FIN | ACK, b"");
        self.send(SERVER, ACK, b"");
        self
    }

    /// A MySQL packet.
    pub fn packet(self, from: usize, number: u8, payload: &[u8]) -> Talk {
        let header = [payload.len() as u8, (payload.len() >> 8) as u8, 0, number];
        self.say(from, &[&header, payload].concat())
    }

    pub fn logged_in(port: u16) -> Talk {
        Talk::logged_in_by(40_000, port)
    }

    /// Only the server has spoken yet.
    pub fn greeted(client: u16, port: u16) -> Talk {
        Talk::between(client, port).greet()
    }

    /// The server of MySQL speaks first.
    pub fn greet(self) -> Talk {
        let (low, high) = CAPABILITIES.split_at(2);
        let greeting =
            [b"\x0a8.0.36\0\x07\0\0\0xxxxxxxx\0", low, b"\x2d\x02\0", high, b"\x15", &[0; 10]];
        let greeting = [&greeting.concat(), &b"yyyyyyyyyyyy\0mysql_native_password\0"[..]].concat();
        self.packet(SERVER, 0, &greeting)
    }

    /// The same of another client.
    pub fn logged_in_by(client: u16, port: u16) -> Talk {
        Talk::greeted(client, port).log_in()
    }

    /// The client logs in, and is welcome.
    pub fn log_in(self) -> Talk {
        let login = [&CAPABILITIES[..], b"\0\0\0\x01\x2d", &[0; 23], b"app\0\0shop\0"].concat();
        let login = [&login, &b"mysql_native_password\0"[..]].concat();
        self.packet(CLIENT, 1, &login).ok(2, 0x0002)
    }

    pub fn ok(self, number: u8, status: u16) -> Talk {
        let payload = [&[0, 0, 0][..], &status.to_le_bytes(), &[0, 0]].concat();
        self.packet(SERVER, number, &payload)
    }

    pub fn ask(self, sql: &str, status: u16) -> Talk {
        self.packet(CLIENT, 0, &[b"\x03", sql.as_bytes()].concat()).ok(1, status)
    }

    /// As a capture that ends so many seconds after the last packet.
    pub fn capture(&self, seconds: u64) -> Vec<u8> {
        let end = Record::new(self.nanos + seconds * SECOND, super::wire::arp());
        let records = [&self.records[..], &[end]].concat();
        MICROSECONDS.write(1, &records)
    }
}
