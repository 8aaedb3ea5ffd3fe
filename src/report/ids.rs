//! Identifiers that other tools can join on.

use std::fmt::Write;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::names::is_stand_in;
use crate::owner::Socket;
use crate::tcp::flow::Flow;
use crate::tcp::segment::{End, Endpoint, FlowKey};
use crate::tcp::side::Side;

/// A name for one incarnation: the same wherever the same packets are read. Hashes the first time,
/// the initial sequence number and the 4-tuple.
pub fn uid(key: &FlowKey, flow: &Flow) -> String {
    let time = flow.first.time.nanos().unwrap_or(-1);
    let isn = flow.half(Side::A).isn().map_or(-1, |isn| i64::from(isn.0));
    let ends = [Side::A, Side::B].map(|side| key.endpoint(flow.end(side)));
    short_hash(time, isn, ends)
}

/// The same for a socket of which no packet was seen.
pub fn uid_of_socket(socket: &Socket) -> String {
    short_hash(-1, -1, [socket.local, socket.peer])
}

fn short_hash(time: i64, isn: i64, ends: [Endpoint; 2]) -> String {
    let mut hash = Sha1::new();
    hash.update(time.to_be_bytes());
    hash.update(isn.to_be_bytes());
    for end in ends {
        hash.update(octets(end.ip));
        hash.update(end.port.to_be_bytes());
    }
    hash.finalize().iter().take(8).fold(String::new(), |mut text, octet| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// Community ID, version 1, seed 0: what Zeek, Suricata and Wireshark print for the same flow.
/// `None` where an end has a name in place of an address.
pub fn community_id(key: &FlowKey) -> Option<String> {
    let (lower, upper) = (key.endpoint(End::Lower), key.endpoint(End::Upper));
    if is_stand_in(lower.ip) || is_stand_in(upper.ip) {
        return None;
    }
    let mut hash = Sha1::new();
    hash.update(0u16.to_be_bytes());
    hash.update(octets(lower.ip));
    hash.update(octets(upper.ip));
    hash.update([6, 0]);
    hash.update(lower.port.to_be_bytes());
    hash.update(upper.port.to_be_bytes());
    Some(format!("1:{}", STANDARD.encode(hash.finalize())))
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the community-id specification's TCP test capture.
    #[test]
    fn community_id_is_the_published_one() {
        let end = |ip: &str, port| Endpoint { ip: ip.parse().unwrap(), port };
        let (key, _) = FlowKey::new(end("128.232.110.120", 34855), end("66.35.250.204", 80));
        assert_eq!(community_id(&key).as_deref(), Some("1:LQU9qZlK+B5F3KDmev6m5PMibrg="));
    }
}
