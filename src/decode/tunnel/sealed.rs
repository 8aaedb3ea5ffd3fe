//! Tunnels that nobody can look into: they are named, so that nobody takes them for nothing.

use etherparse::{IpNumber, UdpHeaderSlice};

use crate::decode::Skipped;
use crate::decode::ip::Transport;

/// The encryption that hides what a packet carries, if there is one.
pub fn sealed(outer: &Transport) -> Option<Skipped> {
    match outer.protocol {
        IpNumber::ENCAPSULATING_SECURITY_PAYLOAD => Some(Skipped::Encrypted("ESP")),
        IpNumber::UDP => udp(outer.data, outer.len),
        _ => None,
    }
}

fn udp(data: &[u8], len: u32) -> Option<Skipped> {
    let header = UdpHeaderSlice::from_slice(data).ok()?;
    let payload = data.get(8..)?;
    let len = len.checked_sub(8)?;
    let name = match (header.source_port(), header.destination_port()) {
        // RFC 3948: keys are exchanged on the same port, behind four octets of 0.
        (4500, _) | (_, 4500) if len > 4 && !payload.starts_with(&[0; 4]) => "ESP",
        (_, 4755) => "GRE over DTLS",
        (_, 6636) => "MPLS over DTLS",
        (5247, _) | (_, 5247) if payload.first() == Some(&1) => "CAPWAP over DTLS",
        _ if is_wireguard(payload, len) => "WireGuard",
        _ => return None,
    };
    Some(Skipped::Encrypted(name))
}

/// Messages of four types with three reserved octets, whose lengths are known but for data: those
/// are padded to 16 octets.
fn is_wireguard(payload: &[u8], len: u32) -> bool {
    match payload {
        [1, 0, 0, 0, ..] => len == 148,
        [2, 0, 0, 0, ..] => len == 92,
        [3, 0, 0, 0, ..] => len == 64,
        [4, 0, 0, 0, ..] => len >= 32 && len.is_multiple_of(16),
        _ => false,
    }
}
