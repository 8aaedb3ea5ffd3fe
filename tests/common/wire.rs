//! Packets as bytes, and captures as files.

use std::net::{IpAddr, SocketAddr};

use etherparse::{PacketBuilder, PacketBuilderStep, TcpHeader, ip_number};

/// One TCP segment with absolute numbers.
#[derive(Clone, Debug)]
pub struct Packet {
    pub nanos: u64,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub flags: u8,
    pub seq: u32,
    pub ack: u32,
    pub window: u16,
    pub options: Vec<u8>,
    pub payload: Vec<u8>,
    /// It left the host that captured it.
    pub outgoing: bool,
}

/// How the link layer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Ethernet,
    Vlan,
    QinQ,
    Sll,
    Sll2,
    Raw,
}

impl Link {
    pub fn link_type(self) -> u16 {
        match self {
            Link::Ethernet | Link::Vlan | Link::QinQ => 1,
            Link::Sll => 113,
            Link::Sll2 => 276,
            Link::Raw => 101,
        }
    }
}

/// A packet that is no TCP: it only tells the time.
pub fn arp() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 1, 0x08, 0x06]);
    frame.extend([0; 28]);
    frame
}

impl Packet {
    pub fn frame(&self, link: Link) -> Vec<u8> {
        let ip = self.ip_packet();
        let ether_type: [u8; 2] = if self.from.is_ipv4() { [0x08, 0x00] } else { [0x86, 0xdd] };
        let mut frame = match link {
            Link::Ethernet => vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1],
            Link::Vlan => vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 7],
            Link::QinQ => {
                vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xa8, 0, 9, 0x81, 0, 0, 7]
            }
            Link::Sll => {
                let kind = if self.outgoing { 4 } else { 0 };
                vec![0, kind, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]
            }
            Link::Sll2 => {
                let kind = if self.outgoing { 4 } else { 0 };
                let mut header = ether_type.to_vec();
                header.extend([0, 0, 0, 0, 0, 2, 0, 1, kind, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
                header.extend(ip);
                return header;
            }
            Link::Raw => return ip,
        };
        frame.extend(ether_type);
        frame.extend(ip);
        frame
    }

    fn ip_packet(&self) -> Vec<u8> {
        let step: PacketBuilderStep<_> = match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                PacketBuilder::ipv4(from.octets(), to.octets(), 64)
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                PacketBuilder::ipv6(from.octets(), to.octets(), 64)
            }
            _ => panic!("one address family a packet"),
        };
        let mut tcp = TcpHeader::new(self.from.port(), self.to.port(), self.seq, self.window);
        tcp.acknowledgment_number = self.ack;
        tcp.fin = self.flags & 0x01 != 0;
        tcp.syn = self.flags & 0x02 != 0;
        tcp.rst = self.flags & 0x04 != 0;
        tcp.psh = self.flags & 0x08 != 0;
        tcp.ack = self.flags & 0x10 != 0;
        tcp.urg = self.flags & 0x20 != 0;
        tcp.set_options_raw(&self.options).expect("at most 40 octets of options");
        let step = step.tcp_header(tcp);
        let mut bytes = Vec::with_capacity(step.size(self.payload.len()));
        step.write(&mut bytes, &self.payload).expect("a packet that fits");
        assert_eq!(ip_number::TCP.0, 6);
        bytes
    }
}

/// A record of a capture file.
#[derive(Clone, Debug)]
pub struct Record {
    pub nanos: u64,
    pub original_len: u32,
    pub data: Vec<u8>,
}

impl Record {
    pub fn new(nanos: u64, data: Vec<u8>) -> Record {
        let original_len = data.len() as u32;
        Record { nanos, original_len, data }
    }

    /// Cut to a snap length.
    pub fn snapped(mut self, len: usize) -> Record {
        self.data.truncate(len);
        self
    }
}

/// The variants of the classic format.
#[derive(Clone, Copy, Debug)]
pub struct Classic {
    pub big_endian: bool,
    pub nanoseconds: bool,
}

pub const MICROSECONDS: Classic = Classic { big_endian: false, nanoseconds: false };

impl Classic {
    pub fn write(self, link_type: u16, records: &[Record]) -> Vec<u8> {
        let u32 = |n: u32| if self.big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
        let u16 = |n: u16| if self.big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
        let magic = if self.nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let mut file = u32(magic).to_vec();
        file.extend([u16(2), u16(4)].concat());
        file.extend([u32(0), u32(0), u32(262_144), u32(u32::from(link_type))].concat());
        for record in records {
            let unit = if self.nanoseconds { 1 } else { 1_000 };
            let (seconds, rest) = (record.nanos / 1_000_000_000, record.nanos % 1_000_000_000);
            let numbers = [seconds as u32, (rest / unit) as u32, record.data.len() as u32];
            file.extend(numbers.map(u32).concat());
            file.extend(u32(record.original_len));
            file.extend(&record.data);
        }
        file
    }
}

/// Builds pcapng files block by block.
pub struct Pcapng {
    big_endian: bool,
    pub bytes: Vec<u8>,
}

impl Pcapng {
    pub fn new(big_endian: bool) -> Pcapng {
        let mut file = Pcapng { big_endian, bytes: Vec::new() };
        file.section();
        file
    }

    fn u32(&self, n: u32) -> [u8; 4] {
        if self.big_endian { n.to_be_bytes() } else { n.to_le_bytes() }
    }

    fn u16(&self, n: u16) -> [u8; 2] {
        if self.big_endian { n.to_be_bytes() } else { n.to_le_bytes() }
    }

    pub fn block(&mut self, kind: u32, mut body: Vec<u8>) {
        body.resize(body.len().next_multiple_of(4), 0);
        let len = self.u32(body.len() as u32 + 12);
        self.bytes.extend(self.u32(kind));
        self.bytes.extend(len);
        self.bytes.extend(body);
        self.bytes.extend(len);
    }

    pub fn section(&mut self) {
        let mut body = self.u32(0x1a2b_3c4d).to_vec();
        body.extend([self.u16(1), self.u16(0)].concat());
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, body);
    }

    pub fn options(&self, options: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (code, value) in options {
            bytes.extend([self.u16(*code), self.u16(value.len() as u16)].concat());
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            bytes.extend([0; 4]);
        }
        bytes
    }

    pub fn interface(&mut self, link_type: u16, snap_len: u32, options: &[(u16, Vec<u8>)]) {
        let mut body = [self.u16(link_type), self.u16(0)].concat();
        body.extend(self.u32(snap_len));
        body.extend(self.options(options));
        self.block(1, body);
    }

    /// An enhanced packet; `ticks` in the interface's resolution.
    pub fn packet(
        &mut self,
        interface: u32,
        ticks: u64,
        record: &Record,
        options: &[(u16, Vec<u8>)],
    ) {
        let numbers = [
            interface,
            (ticks >> 32) as u32,
            ticks as u32,
            record.data.len() as u32,
            record.original_len,
        ];
        let mut body: Vec<u8> = numbers.map(|n| self.u32(n)).concat();
        body.extend(&record.data);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(self.options(options));
        self.block(6, body);
    }

    pub fn simple_packet(&mut self, record: &Record) {
        let mut body = self.u32(record.original_len).to_vec();
        body.extend(&record.data);
        self.block(3, body);
    }

    pub fn statistics(&mut self, interface: u32, options: &[(u16, Vec<u8>)]) {
        let mut body = [self.u32(interface), self.u32(0), self.u32(0)].concat();
        body.extend(self.options(options));
        self.block(5, body);
    }

    pub fn u32_option(&self, n: u32) -> Vec<u8> {
        self.u32(n).to_vec()
    }

    pub fn u64_option(&self, n: u64) -> Vec<u8> {
        if self.big_endian { n.to_be_bytes().to_vec() } else { n.to_le_bytes().to_vec() }
    }
}
