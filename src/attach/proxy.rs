//! The PROXY protocol's header, in which a balancer tells a server whose connection it carries.
//!
//! It comes before the first words of the end that asks, whatever protocol they are in, and is none of them. It is
//! a line of text (version 1) or begins with twelve octets that no protocol has (version 2).

/// Octets that a header can begin with.
pub const FIRST: &[u8] = b"P\r";

/// The first octets of a line, of which the rest are addresses.
const LINES: [&[u8]; 3] = [b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN"];
/// Octets of a line with its end, at most.
const LONGEST_LINE: usize = 107;

/// Octets after which nothing else that is whole looks like its beginning.
const ENOUGH: usize = 5;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Octets before those that the length is of.
const FIXED: u32 = 16;

/// The part of an end's first segment that comes before its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// It begins with words.
    Nothing,
    /// A header of so many octets; the last of them may be in the next segments.
    Header(u32),
    /// A header, of which it was not seen where it ends.
    Unknown,
}

/// Returns what comes before the words in `payload`, as it was captured of `len` octets.
pub fn before(payload: &[u8], len: u32) -> Before {
    let is_cut = payload.len() < len as usize;
    if !payload.first().is_some_and(|first| FIRST.contains(first)) {
        return Before::Nothing;
    }
    if let Some(after) = payload.strip_prefix(SIGNATURE) {
        return match after {
            [0x20..=0x2f, _, high, low, ..] => {
                Before::Header(FIXED + u32::from(u16::from_be_bytes([*high, *low])))
            }
            [] | [0x20..=0x2f, ..] => Before::Unknown,
            _ => Before::Nothing,
        };
    }
    if LINES.iter().any(|begins| payload.starts_with(begins)) {
        return before_line(payload, is_cut);
    }
    let mut all = LINES.into_iter().chain([&SIGNATURE[..]]);
    let is_enough = is_cut || payload.len() >= ENOUGH;
    if is_enough && all.any(|begins| begins.starts_with(payload)) {
        return Before::Unknown;
    }
    Before::Nothing
}

fn before_line(payload: &[u8], is_cut: bool) -> Before {
    let longest = payload.get(..LONGEST_LINE).unwrap_or(payload);
    match longest.windows(2).position(|octets| octets == b"\r\n") {
        Some(at) => Before::Header(at as u32 + 2),
        None if is_cut || payload.len() < LONGEST_LINE => Before::Unknown,
        None => Before::Nothing,
    }
}

/// Returns the words of an end's first segment, as far as they were captured.
pub fn words(payload: &[u8]) -> &[u8] {
    match before(payload, payload.len() as u32) {
        Before::Header(octets) => payload.get(octets as usize..).unwrap_or_default(),
        Before::Nothing | Before::Unknown => payload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 3306\r\n";
    const BINARY: &[u8] =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x9c\x40\x0c\xea";

    fn whole(payload: &[u8]) -> Before {
        before(payload, payload.len() as u32)
    }

    #[test]
    fn words_come_after_a_header() {
        let unknown = b"PROXY UNKNOWN\r\n";
        let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
        for header in [LINE, BINARY, unknown, local] {
            assert_eq!(whole(header), Before::Header(header.len() as u32));
            assert_eq!(words(&[header, b"words\r\n"].concat()), b"words\r\n");
            assert_eq!(words(header), b"");
        }
    }

    #[test]
    fn a_header_that_was_cut_ends_where_its_length_says_or_nobody_knows_where() {
        for captured in 0..LINE.len() {
            let expected = if captured == 0 { Before::Nothing } else { Before::Unknown };
            assert_eq!(before(&LINE[..captured], 90), expected, "{captured}");
        }
        for captured in 0..BINARY.len() {
            let expected = match captured {
                0 => Before::Nothing,
                1..16 => Before::Unknown,
                _ => Before::Header(28),
            };
            assert_eq!(before(&BINARY[..captured], 90), expected, "{captured}");
        }
    }

    #[test]
    fn words_that_begin_like_a_header_are_none() {
        let long = [b"PROXY TCP4 ", &[b'1'; 100][..]].concat();
        let newer = [&SIGNATURE[..], b"\x31\x11\0\0"].concat();
        let others: [&[u8]; 8] = [
            b"",
            b"P",
            b"PROX",
            b"POST / HTTP/1.1\r\n",
            b"PROXY / HTTP/1.1\r\n",
            b"\r\n\r\nGET",
            &long,
            &newer,
        ];
        for words in others {
            assert_eq!(whole(words), Before::Nothing, "{words:?}");
        }
    }
}
