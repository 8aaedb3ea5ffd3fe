//! TCP checksums, as `-v` prints them and as headers hold them.

use std::net::IpAddr;

/// Words of tcpdump for a right checksum, and for a wrong one; before 4.1, both are others.
const RIGHT: [&str; 2] = ["(correct)", "[tcp sum ok]"];
const WRONG: [&str; 2] = ["(incorrect", "[bad tcp cksum "];

/// Octets of TCP headers: from none to ten words of options.
const HEADERS: std::ops::RangeInclusive<u32> = 5..=15;

/// A checksum that tells something of its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// It fits.
    Right,
    /// It does not: the segment was damaged.
    Wrong,
}

/// Finds a checksum in the fields of a packet with so many octets of payload. One of the pseudo-header alone is filled
/// in by the card, and tells nothing; nor does one of zero.
pub fn told(fields: &str, from: IpAddr, to: IpAddr, len: u32) -> Option<Sum> {
    if RIGHT.iter().any(|word| fields.contains(word)) {
        return Some(Sum::Right);
    }
    if !WRONG.iter().any(|word| fields.contains(word)) {
        return None;
    }
    let (_, behind) = fields.split_once("cksum ")?;
    let digits = behind.strip_prefix("0x").unwrap_or(behind);
    let digits = digits.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    let sum = u16::from_str_radix(digits, 16).ok()?;
    let is_pseudo = |words: u32| folded(pseudo(from, to, len.saturating_add(4 * words))) == sum;
    (sum != 0 && !HEADERS.into_iter().any(is_pseudo)).then_some(Sum::Wrong)
}

/// The checksum of a whole segment that has zero in its place.
pub fn sum(from: IpAddr, to: IpAddr, segment: &[u8]) -> u16 {
    let (words, _) = segment.as_chunks::<2>();
    let words: u32 = words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    !folded(pseudo(from, to, segment.len() as u32).saturating_add(words))
}

/// The sum of the pseudo-header (RFC 9293, 3.1).
fn pseudo(from: IpAddr, to: IpAddr, len: u32) -> u32 {
    let words = |ip: IpAddr| -> u32 {
        match ip {
            IpAddr::V4(ip) => {
                let bits = ip.to_bits();
                (bits >> 16) + (bits & 0xffff)
            }
            IpAddr::V6(ip) => ip.segments().into_iter().map(u32::from).sum(),
        }
    };
    words(from) + words(to) + 6 + (len >> 16) + (len & 0xffff)
}

fn folded(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_right_or_wrong_or_filled_in_later() {
        let [from, to] = ["192.0.2.5", "198.51.100.3"].map(|ip| ip.parse().expect("an address"));
        let filled_in_later = folded(pseudo(from, to, 32));
        for (fields, expected) in [
            ("F.], cksum 0x40d1 (correct), seq 1", Some(Sum::Right)),
            ("F [tcp sum ok] 1:1(0) ack 1", Some(Sum::Right)),
            ("F.], cksum 0x40d1 (incorrect -> 0x1234), seq 1", Some(Sum::Wrong)),
            ("F.], cksum 0x40d1 (incorrect (-> 0x1234), seq 1", Some(Sum::Wrong)),
            ("F [bad tcp cksum 40d1 (->1234)!] 1:1(0) ack 1", Some(Sum::Wrong)),
            ("F.], cksum 0x0000 (incorrect -> 0x1234), seq 1", None),
            (&format!("F.], cksum {filled_in_later:#06x} (incorrect -> 0x1234), seq 1"), None),
            ("F.], seq 1, ack 1", None),
        ] {
            assert_eq!(told(fields, from, to, 0), expected, "{fields}");
        }
    }
}
