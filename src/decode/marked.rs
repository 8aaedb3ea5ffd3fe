//! What only segments with SYN, FIN or RST are asked for: a SYN's window scale, and whether the checksum
//! is right. Both are in the octets of TCP alone, so this is pure like the rest.
//!
//! A checksum that looks wrong is seldom a damaged segment. The card fills it in for what is sent, so
//! that a capture at the sender shows the sum of the pseudo-header in its place; a receiver that joins
//! segments writes the same; and a card that joins them itself makes them longer than a packet.

use etherparse::TcpOptionElement;
use etherparse::TcpOptionsIterator;
use etherparse::checksum::Sum16BitWords;

use crate::tcp::segment::{Checksum, Extras, FlowKey, Scale, Segment};

/// Where the checksum stands in a header, and the octets before the options.
const CHECKSUM: usize = 16;
const FIXED: usize = 20;

/// Octets of TCP in a packet that no card has joined of several.
const ONE_PACKET: usize = 1_480;

/// Looks closer at a segment. `data` is TCP's, and may be followed by padding; its header has so many
/// octets. A fragment's checksum is for more than there is.
pub fn extras(segment: &Segment, data: &[u8], header_len: usize, fragment: bool) -> Extras {
    let scale = match data.get(FIXED..header_len) {
        Some(options) if segment.flags.syn() => scale(options),
        _ => Scale::UNKNOWN,
    };
    let whole = data.get(..header_len.saturating_add(segment.len as usize));
    let checksum = match whole {
        Some(whole) if !fragment => checksum(&segment.key, whole),
        _ => Checksum::Unknown,
    };
    Extras::new(scale, checksum)
}

fn scale(options: &[u8]) -> Scale {
    let shift = |option| match option {
        Ok(TcpOptionElement::WindowScale(shift)) => Some(shift),
        _ => None,
    };
    TcpOptionsIterator::from_slice(options).find_map(shift).map_or(Scale::UNKNOWN, Scale::new)
}

/// Of a segment that was captured whole.
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
