//! Tunnels that are known for certain, and whose inside cannot be read: the snap length cut it off, it is a part of a
//! packet, compressed or encrypted. As outside of a tunnel, it may be TCP.

use etherparse::IpNumber;

use super::{
    BATMAN, BATMAN_FRAGMENT, Bytes, ETHER_IP, ETHERNET, NSH, PLAIN_ETHERNET, PPP, gre_header, udp,
    within_ip, within_link,
};
use crate::decode::ip::Transport;
use crate::decode::link::{self, Network};
use crate::decode::{Layer, Skipped};

/// Octets that hold every header of a tunnel and of what is in it: where so many are there, it is no tunnel.
const ENOUGH: usize = 96;

/// Octets in place of those that were cut off: IPv4 by its EtherType, by its number in PPP, by its version.
const LIKELY: [[u8; 2]; 3] = [[0x08, 0x00], [0x00, 0x21], [0x45, 0x00]];

/// Returns why a packet in a link layer's tunnel cannot be read.
#[cold]
pub fn of_link(network: &Network) -> Option<Skipped> {
    let bytes = Bytes { data: network.packet, len: network.len };
    let ppp = match network.ether_type {
        link::PPPOE => bytes.after(6),
        PPP => Some(bytes),
        BATMAN if bytes.u8(0) == Some(BATMAN_FRAGMENT) => {
            return Some(Skipped::Unread("part of a batman-adv frame"));
        }
        0x8847 | 0x8848 | NSH | ETHERNET | BATMAN => None,
        _ => return None,
    };
    let opens = |bytes: Bytes| {
        let Bytes { data: packet, len } = bytes;
        within_link(&Network { packet, len, ..*network }).is_some()
    };
    ppp.and_then(refused).or_else(|| cut(bytes, opens))
}

/// Returns why a packet in a tunnel over IP cannot be read.
#[cold]
pub fn of_ip(outer: &Transport, vxlan: &[u16]) -> Option<Skipped> {
    let bytes = Bytes { data: outer.data, len: outer.len };
    if let Some(reason) = refused_over_ip(outer.protocol, bytes, vxlan) {
        return Some(reason);
    }
    let ppp = match outer.protocol {
        IpNumber::GRE => gre_header(bytes).filter(|gre| gre.protocol == PPP).map(|gre| gre.inner),
        IpNumber::UDP => match [bytes.u16(0)?, bytes.u16(2)?] {
            [1701, _] | [_, 1701] => udp::l2tp_ppp(bytes.after(8)?),
            [_, port] if udp::is_certain(port, vxlan) => None,
            _ => return None,
        },
        IpNumber::MPLS_IN_IP | IpNumber(ETHER_IP | PLAIN_ETHERNET) => None,
        _ => return None,
    };
    let opens = |bytes: Bytes| {
        let Bytes { data, len } = bytes;
        within_ip(&Transport { data, len, ..outer.clone() }, vxlan).is_some()
    };
    ppp.and_then(refused).or_else(|| cut(bytes, opens))
}

/// IP's payload compression (RFC 3173), and minimal encapsulation (RFC 2004): both begin with the protocol that they
/// carry.
const COMPRESSED: u8 = 108;
const MINIMAL: u8 = 55;

/// TCP, or IP that may carry it, in a form that is not read.
fn refused_over_ip(protocol: IpNumber, bytes: Bytes, vxlan: &[u16]) -> Option<Skipped> {
    let carries = IpNumber(bytes.u8(0)?);
    let may_be_tcp = matches!(carries, IpNumber::TCP | IpNumber::IPV4 | IpNumber::IPV6);
    match protocol {
        IpNumber(COMPRESSED) if may_be_tcp => Some(Skipped::Unread("compressed by IPComp")),
        IpNumber(MINIMAL) if may_be_tcp => Some(Skipped::Unread("minimal encapsulation")),
        IpNumber::UDP => udp::refused(bytes, vxlan),
        _ => None,
    }
}

/// PPP that carries IP and cannot be read.
fn refused(ppp: Bytes) -> Option<Skipped> {
    let reason = link::ppp(ppp.data).err()?;
    matches!(reason, Skipped::Unread(_) | Skipped::Encrypted(_)).then_some(reason)
}

/// Would it open if the octets were there that the snap length cut off?
fn cut(bytes: Bytes, opens: impl Fn(Bytes) -> bool) -> Option<Skipped> {
    let had = bytes.data.len();
    let len = ENOUGH.min(bytes.len as usize);
    if had >= len {
        return None;
    }
    let is_cut = LIKELY.iter().any(|likely| {
        let mut whole = [0; ENOUGH];
        let (pairs, _) = whole.as_chunks_mut();
        pairs.fill(*likely);
        whole[..had].copy_from_slice(bytes.data);
        opens(Bytes { data: &whole[..len], len: bytes.len })
    });
    is_cut.then_some(Skipped::Cut(Layer::Link))
}
