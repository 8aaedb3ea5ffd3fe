//! The packets of a capture, by connection, read without closewait.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use etherparse::{Ipv4Header, TcpHeader, TcpOptionElement};
use pcap::Linktype;

use crate::truth::Pair;

#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// Microseconds since 1970.
    pub at: i64,
    pub from: SocketAddr,
    pub flags: u8,
    pub seq: u32,
    pub ack: u32,
    pub window: u16,
    /// A SYN's window scale.
    pub scale: Option<u8>,
    pub len: usize,
    pub checksum_is_right: bool,
}

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PUSH: u8 = 0x08;
pub const ACK: u8 = 0x10;

impl Packet {
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }
}

/// The packets of each connection, in the order of the capture, under its ends as seen from `own`.
pub struct Packets {
    by_pair: BTreeMap<Pair, Vec<Packet>>,
    /// Of the last packet, in microseconds since 1970.
    pub end: i64,
}

const ETHERNET: Linktype = Linktype(1);

impl Packets {
    pub fn read(file: &Path, own: IpAddr) -> Packets {
        let mut all = Packets { by_pair: BTreeMap::new(), end: 0 };
        let mut capture = pcap::Capture::from_file(file).expect("a capture");
        let ip_at = if capture.get_datalink() == ETHERNET { 14 } else { 20 };
        while let Ok(record) = capture.next_packet() {
            #[allow(clippy::useless_conversion, reason = "its width differs between systems")]
            let (seconds, micros) =
                (i64::from(record.header.ts.tv_sec), i64::from(record.header.ts.tv_usec));
            let at = seconds * 1_000_000 + micros;
            all.end = all.end.max(at);
            if let Some((packet, to)) = packet(record.data, ip_at, at) {
                let pair = match packet.from.ip() == own {
                    true => (packet.from, to),
                    false => (to, packet.from),
                };
                all.by_pair.entry(pair).or_default().push(packet);
            }
        }
        all
    }

    pub fn of(&self, pair: &Pair) -> &[Packet] {
        self.by_pair.get(pair).map_or(&[], Vec::as_slice)
    }

    /// What the peer sent in the last connection of a pair.
    fn sent_last(&self, pair: &Pair) -> impl Iterator<Item = &Packet> {
        let packets = self.of(pair);
        let last_start = packets.iter().rposition(|packet| packet.has(SYN | ACK)).unwrap_or(0);
        let peer = pair.1;
        packets[last_start..].iter().filter(move |packet| packet.from == peer)
    }

    /// Does the peer's highest ACK stand in a packet that was damaged? Nothing but its checksum tells.
    pub fn show_damaged_ack_of_peer(&self, pair: &Pair) -> bool {
        let acks: Vec<&Packet> = self.sent_last(pair).filter(|packet| packet.has(ACK)).collect();
        let Some(first) = acks.first().map(|packet| packet.ack) else { return false };
        let ahead = |packet: &&&Packet| packet.ack.wrapping_sub(first) as i32;
        acks.iter().max_by_key(ahead).is_some_and(|highest| !highest.checksum_is_right)
    }

    /// Is there the peer's FIN of the last connection of a pair? Where it arrived, it arrived as it was sent.
    pub fn show_fin_of_peer(&self, pair: &Pair, arrived: bool) -> bool {
        self.sent_last(pair).any(|packet| packet.has(FIN) && (packet.checksum_is_right || !arrived))
    }
}

fn packet(data: &[u8], ip_at: usize, at: i64) -> Option<(Packet, SocketAddr)> {
    let (ip, rest) = Ipv4Header::from_slice(data.get(ip_at..)?).ok()?;
    let carried = usize::from(ip.total_len).checked_sub(ip.header_len())?;
    let (tcp, payload) = TcpHeader::from_slice(rest.get(..carried)?).ok()?;
    let flags = [(tcp.fin, FIN), (tcp.syn, SYN), (tcp.rst, RST), (tcp.psh, PUSH), (tcp.ack, ACK)];
    let scale = tcp.options_iterator().find_map(|option| match option {
        Ok(TcpOptionElement::WindowScale(scale)) => Some(scale),
        _ => None,
    });
    let packet = Packet {
        at,
        from: SocketAddr::new(ip.source.into(), tcp.source_port),
        flags: flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum(),
        seq: tcp.sequence_number,
        ack: tcp.acknowledgment_number,
        window: tcp.window_size,
        scale,
        len: payload.len(),
        checksum_is_right: tcp.calc_checksum_ipv4(&ip, payload).ok() == Some(tcp.checksum),
    };
    Some((packet, SocketAddr::new(ip.destination.into(), tcp.destination_port)))
}
