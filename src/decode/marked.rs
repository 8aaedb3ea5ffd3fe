//! Facts that only segments with SYN, FIN or RST are asked for: a SYN's window scale, whether the
//! checksum is right, and whether routers passed the packet on.
//!
//! A checksum that looks wrong is seldom a damaged segment. The card fills it in for what is sent, so
//! that a capture at the sender shows the sum of the pseudo-header in its place; a receiver that joins
//! segments writes the same; and a card that joins them itself makes them longer than a packet.

use etherparse::TcpOptionElement;
use etherparse::TcpOptionsIterator;
use etherparse::checksum::Sum16BitWords;

use super::Header;
use crate::tcp::segment::{Checksum, Extras, FlowKey, Scale};

/// The offset of the checksum in a TCP header, and the octets before its options.
const CHECKSUM: usize = 16;
const FIXED: usize = 20;

/// Octets of TCP in a packet that no card has joined of several.
const ONE_PACKET: usize = 1_480;

/// A segment as IP carried it.
pub struct Carried<'a> {
    /// TCP's octets; padding may follow.
    pub data: &'a [u8],
    /// Its checksum is for more than there is.
    pub fragment: bool,
    /// The TTL or hop limit that was left.
    pub hops_left: u8,
}

/// Looks closer at a segment.
#[inline(never)]
pub(super) fn extras(key: &FlowKey, header: &Header, carried: &Carried) -> Extras {
    let Carried { data, fragment, hops_left } = *carried;
    let Header { len, payload_len, flags, .. } = *header;
    let options = data.get(FIXED..len).filter(|_| flags.syn());
    let scale = options.map_or(Scale::UNKNOWN, scale);
    let whole = data.get(..len.saturating_add(payload_len as usize));
    let checksum = match whole {
        _ if fragment => Checksum::OfMore,
        Some(whole) => checksum(key, whole),
        None => Checksum::Unknown,
    };
    // Nobody answers so who was not asked: the answer tells.
    let multipath = flags.ack() && options.is_some_and(is_multipath);
    Extras::new(scale, checksum).routed(is_routed(hops_left)).multipath(multipath)
}

/// The values that systems begin with.
const INITIAL_HOPS: [u8; 4] = [32, 64, 128, 255];

/// Has a packet with this TTL or hop limit passed two routers or more? One may be the host's own, before
/// its containers. A sender that means its neighbour alone (BGP) begins with 1.
fn is_routed(hops_left: u8) -> bool {
    let initial = INITIAL_HOPS.into_iter().find(|initial| *initial >= hops_left);
    hops_left > 1 && initial.is_some_and(|initial| initial - hops_left >= 2)
}

/// The window scale among options that were captured whole. Behind one that cannot be read there may be any.
fn scale(options: &[u8]) -> Scale {
    let told = |option| match option {
        Ok(TcpOptionElement::WindowScale(shift)) => Some(Scale::new(shift)),
        Ok(_) => None,
        Err(_) => Some(Scale::UNKNOWN),
    };
    TcpOptionsIterator::from_slice(options).find_map(told).unwrap_or(Scale::ABSENT)
}

/// The option of Multipath TCP, and its subtypes that a SYN has: MP_CAPABLE and MP_JOIN (RFC 8684, 3.1 and 3.2).
const MPTCP: u8 = 30;
const OPENING: [u8; 2] = [0, 1];

/// Is one of Multipath TCP that opens something among the options, as far as they can be read?
fn is_multipath(mut options: &[u8]) -> bool {
    const END: u8 = 0;
    const NO_OPERATION: u8 = 1;
    loop {
        let len = match *options {
            [] | [END, ..] => return false,
            [NO_OPERATION, ..] => 1,
            [MPTCP, _, subtype, ..] if OPENING.contains(&(subtype >> 4)) => return true,
            [_, len, ..] if len >= 2 => usize::from(len),
            _ => return false,
        };
        options = options.get(len..).unwrap_or_default();
    }
}

/// Verifies the checksum of a segment that was captured whole (RFC 9293, 3.1).
fn checksum(key: &FlowKey, whole: &[u8]) -> Checksum {
    let Some(&[high, low]) = whole.get(CHECKSUM..CHECKSUM + 2).and_then(|sum| sum.first_chunk())
    else {
        return Checksum::Unknown;
    };
    let Ok(len) = u16::try_from(whole.len()) else { return Checksum::Unknown };
    let pseudo = match key.as_v4() {
        Some(([lower, upper], _)) => {
            let mut sum = Sum16BitWords::new();
            let mut sum = sum.add_4bytes(lower.to_be_bytes());
            sum.add_4bytes(upper.to_be_bytes())
        }
        None => {
            key.as_v6().into_iter().flatten().fold(Sum16BitWords::new(), |mut sum, address| {
                sum.add_16bytes(address.to_be_bytes())
            })
        }
    };
    let pseudo = pseudo.add_2bytes([0, 6]).add_2bytes(len.to_be_bytes());
    let filled_in_later = [high, low] == (!pseudo.ones_complement()).to_ne_bytes();
    if pseudo.add_slice(whole).ones_complement() == 0 {
        Checksum::Right
    } else if filled_in_later || [high, low] == [0, 0] || whole.len() > ONE_PACKET {
        Checksum::Unknown
    } else {
        Checksum::Wrong
    }
}

#[cfg(test)]
mod tests {
    use super::{Scale, is_multipath, is_routed, scale};

    #[test]
    fn a_window_scale_is_there_or_absent_or_not_known() {
        assert_eq!(scale(&[2, 4, 5, 180, 1, 3, 3, 7]), Scale::new(7));
        assert_eq!(scale(&[2, 4, 5, 180]), Scale::ABSENT);
        assert_eq!(scale(&[]), Scale::ABSENT);
        // An option of a kind that is not known, and one that is longer than all of them.
        assert_eq!(scale(&[254, 4, 0, 0, 1, 3, 3, 7]), Scale::UNKNOWN);
        assert_eq!(scale(&[2, 4, 5, 180, 3, 9, 7]), Scale::UNKNOWN);
        let shifts = [0, 1, 7, 12, 13, 14, 200].map(|shift| Scale::new(shift).shift());
        assert_eq!(shifts, [0, 1, 7, 12, 14, 14, 14].map(Some));
    }

    #[test]
    fn multipath_is_found_behind_whatever_stands_before_it() {
        // As Linux answers MP_CAPABLE, and a join in front of all else.
        assert!(is_multipath(&[2, 4, 5, 180, 4, 2, 1, 3, 3, 7, 30, 4, 1, 1]));
        assert!(is_multipath(&[30, 12, 16, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 5, 180]));
        assert!(is_multipath(&[254, 4, 0, 0, 30, 4, 1, 1]));
        // A subtype of later segments, none at all, behind the end, cut off, and a length that is none.
        assert!(!is_multipath(&[30, 4, 32, 1]));
        assert!(!is_multipath(&[2, 4, 5, 180, 1, 3, 3, 7]));
        assert!(!is_multipath(&[0, 30, 4, 1, 1]));
        assert!(!is_multipath(&[2, 4, 5, 180, 30, 4]));
        assert!(!is_multipath(&[8, 1, 30, 4, 1, 1]));
        assert!(!is_multipath(&[8, 200, 30, 4, 1, 1]));
    }

    #[test]
    fn two_routers_are_a_way() {
        let near = [255, 254, 128, 127, 64, 63, 32, 31, 1, 0];
        let far = [253, 130, 126, 66, 62, 34, 30, 2];
        assert!(near.iter().all(|hops| !is_routed(*hops)));
        assert!(far.iter().all(|hops| is_routed(*hops)));
    }
}
