//! Packets as bytes, and captures as files.

use std::net::{IpAddr, SocketAddr};

use super::links::Framing;
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
    Framed(&'static Framing),
}

impl Link {
    pub fn link_type(self) -> u16 {
        match self {
            Link::Ethernet | Link::Vlan | Link::QinQ => 1,
            Link::Sll => 113,
            Link::Sll2 => 276,
            Link::Raw => 101,
            Link::Framed(framing) => framing.link_type,
        }
    }

    /// The capture knows which packets left the host.
    pub fn tells_direction(self) -> bool {
        match self {
            Link::Sll | Link::Sll2 => true,
            Link::Framed(framing) => framing.directed,
            _ => false,
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

/// The same under this link layer.
pub fn silence(link: Link) -> Vec<u8> {
    let Link::Framed(framing) = link else { return arp() };
    let echo = outer(1, &[8, 0, 0, 0, 0, 1, 0, 1]);
    [(framing.header)(true, true, echo.len()), echo].concat()
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
            Link::Framed(framing) => {
                return [(framing.header)(self.from.is_ipv4(), self.outgoing, ip.len()), ip]
                    .concat();
            }
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

    /// The packet block of before enhanced ones, with its count of packets lost before it.
    pub fn obsolete_packet(&mut self, interface: u16, gap: u16, ticks: u64, record: &Record) {
        let mut body = [self.u16(interface), self.u16(gap)].concat();
        let len = record.data.len() as u32;
        let numbers = [(ticks >> 32) as u32, ticks as u32, len, record.original_len];
        body.extend(numbers.map(|n| self.u32(n)).concat());
        body.extend(&record.data);
        self.block(2, body);
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

/// Tunnels: each takes an IP packet and gives the Ethernet frame that carries it.
pub const TUNNELS: [&str; 44] = [
    "mpls",
    "pppoe",
    "ipip",
    "6in4",
    "gre",
    "gre-key-sequence",
    "gre-ethernet",
    "erspan-1",
    "erspan-2",
    "erspan-3",
    "vxlan",
    "vxlan-gpe",
    "geneve",
    "geneve-ip",
    "gtp-u",
    "gtp-u-extension",
    "teredo",
    "pptp",
    "vxlan-in-gre-in-mpls",
    "vxlan-anywhere",
    "geneve-anywhere",
    "vxlan-gpe-nsh",
    "gre-in-udp",
    "gre-nsh",
    "mpls-in-udp",
    "mpls-in-ip",
    "mpls-ethernet",
    "ah",
    "ether-ip",
    "trill",
    "l2tp",
    "l2tp-3",
    "l2tp-3-in-udp",
    "tzsp",
    "capwap",
    "eoip",
    "gtp-u-ethernet",
    "gtp-0",
    "lisp",
    "gue",
    "gue-ip",
    "batman",
    "fabric-path",
    "multilink-ppp",
];

/// An Ethernet header without tags.
fn ethernet(ether_type: u16) -> Vec<u8> {
    let mut header = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    header.extend(ether_type.to_be_bytes());
    header
}

fn ether_type(ip: &[u8]) -> u16 {
    if ip[0] >> 4 == 4 { 0x0800 } else { 0x86dd }
}

/// An outer IPv4 packet between two routers.
fn outer(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut ip = vec![0x45, 0];
    ip.extend((payload.len() as u16 + 20).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    ip.extend(payload);
    ip
}

fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u16 + 8;
    let mut udp: Vec<u8> = [source, destination, len, 0].map(u16::to_be_bytes).concat();
    udp.extend(payload);
    outer(17, &udp)
}

fn gre(flags: u16, protocol: u16, fields: &[u8], payload: &[u8]) -> Vec<u8> {
    let header = [flags, protocol].map(u16::to_be_bytes).concat();
    outer(47, &[&header, fields, payload].concat())
}

/// `ip` in a tunnel; `None` where the tunnel cannot carry its version.
pub fn tunnelled(tunnel: &str, ip: &[u8]) -> Option<Vec<u8>> {
    let kind = ether_type(ip);
    let v4 = kind == 0x0800;
    let inner_frame = [ethernet(kind), ip.to_vec()].concat();
    let over = |packet: Vec<u8>| [ethernet(ether_type(&packet)), packet].concat();
    Some(match tunnel {
        "mpls" => [ethernet(0x8847), vec![0, 1, 0, 64, 0, 2, 1, 64], ip.to_vec()].concat(),
        "pppoe" => {
            let len = (ip.len() as u16 + 2).to_be_bytes();
            let ppp = if v4 { [0, 0x21] } else { [0, 0x57] };
            let header = [0x11, 0, 0, 7, len[0], len[1], ppp[0], ppp[1]];
            [ethernet(0x8864), header.to_vec(), ip.to_vec()].concat()
        }
        "ipip" if v4 => over(outer(4, ip)),
        "6in4" if !v4 => over(outer(41, ip)),
        "gre" => over(gre(0, kind, &[], ip)),
        "gre-key-sequence" => over(gre(0xb000, kind, &[0; 12], ip)),
        "gre-ethernet" => over(gre(0, 0x6558, &[], &inner_frame)),
        "erspan-1" => over(gre(0, 0x88be, &[], &inner_frame)),
        "erspan-2" => {
            let fields = [0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0];
            over(gre(0x1000, 0x88be, &fields, &inner_frame))
        }
        "erspan-3" => {
            let mut fields = vec![0; 4 + 12 + 8];
            // Version 2; the platform header follows.
            fields[4] = 0x20;
            fields[15] = 1;
            over(gre(0x1000, 0x22eb, &fields, &inner_frame))
        }
        "vxlan" => over(udp(5, 4789, &[&[8, 0, 0, 0, 0, 0, 7, 0], &inner_frame[..]].concat())),
        "vxlan-gpe" => {
            let next = if v4 { 1 } else { 2 };
            over(udp(5, 4790, &[&[0x0c, 0, 0, next, 0, 0, 7, 0], ip].concat()))
        }
        "geneve" => {
            let header = [1, 0, 0x65, 0x58, 0, 0, 7, 0, 0, 1, 2, 0];
            over(udp(5, 6081, &[&header, &inner_frame[..]].concat()))
        }
        "geneve-ip" => {
            let [high, low] = kind.to_be_bytes();
            over(udp(5, 6081, &[&[0, 0, high, low, 0, 0, 7, 0], ip].concat()))
        }
        "gtp-u" => {
            let [high, low] = (ip.len() as u16).to_be_bytes();
            over(udp(2152, 2152, &[&[0x30, 255, high, low, 0, 0, 0, 1], ip].concat()))
        }
        "gtp-u-extension" => {
            let [high, low] = (ip.len() as u16 + 8).to_be_bytes();
            let header = [0x34, 255, high, low, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0];
            over(udp(2152, 2152, &[&header, ip].concat()))
        }
        "teredo" if !v4 => {
            // An authentication and an origin before the packet.
            let header = [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6];
            over(udp(3544, 5, &[&header, ip].concat()))
        }
        "pptp" => {
            let ppp = if v4 { [0xff, 3, 0, 0x21] } else { [0xff, 3, 0, 0x57] };
            over(gre(0x3001, 0x880b, &[0; 8], &[&ppp, ip].concat()))
        }
        "vxlan-anywhere" => {
            over(udp(5, 4096, &[&[8, 0, 0, 0, 0, 0, 7, 0], &inner_frame[..]].concat()))
        }
        "geneve-anywhere" => {
            let header = [1, 0, 0x65, 0x58, 0, 0, 7, 0, 0, 1, 2, 0];
            over(udp(5, 16_081, &[&header, &inner_frame[..]].concat()))
        }
        "vxlan-gpe-nsh" => {
            let header = [0x0c, 0, 0, 4, 0, 0, 7, 0];
            over(udp(5, 4790, &[&header, &nsh(v4)[..], ip].concat()))
        }
        "gre-nsh" => over(gre(0, 0x894f, &nsh(v4), ip)),
        "gre-in-udp" => {
            let [high, low] = kind.to_be_bytes();
            over(udp(5, 4754, &[&[0, 0, high, low], ip].concat()))
        }
        "mpls-in-udp" => over(udp(5, 6635, &[&[0, 2, 1, 64], ip].concat())),
        "mpls-in-ip" => over(outer(137, &[&[0, 2, 1, 64], ip].concat())),
        "mpls-ethernet" => [ethernet(0x8847), vec![0, 2, 1, 64, 0, 0, 0, 1], inner_frame].concat(),
        "ah" => {
            let next = if v4 { 4 } else { 41 };
            let header =
                [next, 4, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
            over(outer(51, &[&header, ip].concat()))
        }
        "ether-ip" => over(outer(97, &[&[0x30, 0], &inner_frame[..]].concat())),
        "trill" => [ethernet(0x22f3), vec![0, 0x3f, 0, 1, 0, 2], inner_frame].concat(),
        "l2tp" => {
            let ppp = if v4 { [0xff, 3, 0, 0x21] } else { [0xff, 3, 0, 0x57] };
            let [high, low] = (ip.len() as u16 + 16).to_be_bytes();
            let header = [0x48, 2, high, low, 0, 1, 0, 2, 0, 0, 0, 0];
            over(udp(1701, 1701, &[&header[..], &ppp, ip].concat()))
        }
        "l2tp-3" => over(outer(115, &[&[0, 0, 0, 9], &inner_frame[..]].concat())),
        "l2tp-3-in-udp" => {
            let header = [0, 3, 0, 0, 0, 0, 0, 9];
            over(udp(1701, 1701, &[&header, &inner_frame[..]].concat()))
        }
        "tzsp" => {
            let header = [1, 0, 0, 1, 0, 10, 1, 5, 1];
            over(udp(5, 37_008, &[&header, &inner_frame[..]].concat()))
        }
        "capwap" => {
            let header = [0, 0x10, 0x02, 0, 0, 0, 0, 0];
            over(udp(5, 5247, &[&header, &inner_frame[..]].concat()))
        }
        "eoip" => over(gre(0x2001, 0x6400, &[0, 60, 1, 0], &inner_frame)),
        "gtp-u-ethernet" => {
            let [high, low] = (inner_frame.len() as u16).to_be_bytes();
            let header = [0x30, 255, high, low, 0, 0, 0, 1];
            over(udp(2152, 2152, &[&header, &inner_frame[..]].concat()))
        }
        "gtp-0" => {
            let [high, low] = (ip.len() as u16).to_be_bytes();
            let header = [&[0x1e, 255, high, low][..], &[0; 16]].concat();
            over(udp(3386, 3386, &[&header, ip].concat()))
        }
        "lisp" => over(udp(5, 4341, &[&[0x40, 0, 0, 1, 0, 0, 0, 1], ip].concat())),
        "gue" => over(udp(5, 6080, &[&[0, if v4 { 4 } else { 41 }, 0, 0], ip].concat())),
        "gue-ip" => over(udp(5, 6080, ip)),
        "batman" => {
            let header = [0x40, 15, 50, 1, 2, 0, 0, 0, 0, 3];
            [ethernet(0x4305), header.to_vec(), inner_frame].concat()
        }
        "fabric-path" => [ethernet(0x8903), vec![0, 0x60], inner_frame].concat(),
        "multilink-ppp" => {
            let len = (ip.len() as u16 + 8).to_be_bytes();
            let ppp = if v4 { [0, 0x21] } else { [0, 0x57] };
            let header = [0x11, 0, 0, 7, len[0], len[1], 0, 0x3d, 0xc0, 0, 0, 1, ppp[0], ppp[1]];
            [ethernet(0x8864), header.to_vec(), ip.to_vec()].concat()
        }
        "vxlan-in-gre-in-mpls" => {
            let vxlan = udp(5, 4789, &[&[8, 0, 0, 0, 0, 0, 7, 0], &inner_frame[..]].concat());
            let gre = gre(0, 0x0800, &[], &vxlan);
            [ethernet(0x8847), vec![0, 2, 1, 64], gre].concat()
        }
        _ => return None,
    })
}

/// A payload in UDP in IPv4 in Ethernet.
pub fn over_udp(port: u16, payload: &[u8]) -> Vec<u8> {
    [ethernet(0x0800), udp(40_000, port, payload)].concat()
}

/// A network service header with a fixed context.
fn nsh(v4: bool) -> Vec<u8> {
    let mut header = vec![0x0f, 0xc6, 1, if v4 { 1 } else { 2 }, 0, 0, 7, 255];
    header.resize(24, 0);
    header
}

/// An ICMP error that quotes a packet.
pub fn quoted(ip: &[u8]) -> Vec<u8> {
    let icmp = [&[3, 1, 0, 0, 0, 0, 0, 0], ip].concat();
    let packet = outer(1, &icmp);
    [ethernet(0x0800), packet].concat()
}
