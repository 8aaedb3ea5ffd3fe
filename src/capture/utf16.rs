//! Text in UTF-16, as Windows redirects it: read as UTF-8.

use std::io::{self, Cursor, Read};

use super::compression::Input;

/// The order of the two octets of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The low octet first, as on Windows.
    Little,
    /// The high octet first.
    Big,
}

impl Order {
    /// The unit of two octets.
    pub fn unit(self, octets: [u8; 2]) -> u16 {
        match self {
            Order::Little => u16::from_le_bytes(octets),
            Order::Big => u16::from_be_bytes(octets),
        }
    }
}

/// Octets that tell.
const START: usize = 8;

/// Octets that are read at a time.
const PIECE: usize = 64 << 10;

/// The order of a text in UTF-16, and the length of the mark it begins with: known by the mark, or by
/// four first characters that are ASCII.
pub fn order(start: &[u8]) -> Option<(Order, usize)> {
    match start {
        [0xff, 0xfe, ..] => return Some((Order::Little, 2)),
        [0xfe, 0xff, ..] => return Some((Order::Big, 2)),
        _ => {}
    }
    let units = start.get(..START)?.as_chunks::<2>().0;
    let is_text = |octet: u8| matches!(octet, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let all = |low: usize| units.iter().all(|unit| is_text(unit[low]) && unit[1 - low] == 0);
    match (all(0), all(1)) {
        (true, _) => Some((Order::Little, 0)),
        (_, true) => Some((Order::Big, 0)),
        _ => None,
    }
}

/// The input, as UTF-8 if it is a text in UTF-16; any other as it came.
pub fn decoded(mut input: Input) -> io::Result<Input> {
    let mut start = Vec::new();
    input.by_ref().take(START as u64).read_to_end(&mut start)?;
    let Some((order, mark)) = order(&start) else {
        return Ok(Box::new(Cursor::new(start).chain(input)));
    };
    Ok(Box::new(Utf16 { input, order, units: start.split_off(mark), text: Vec::new(), at: 0 }))
}

struct Utf16 {
    input: Input,
    order: Order,
    /// Octets that are not decoded yet.
    units: Vec<u8>,
    /// Decoded, and as far as it was handed out.
    text: Vec<u8>,
    at: usize,
}

impl Utf16 {
    /// Decodes what there is, and keeps half a character for the next time.
    fn decode(&mut self, is_last: bool) {
        let (pairs, _) = self.units.as_chunks::<2>();
        let mut units: Vec<u16> = pairs.iter().map(|pair| self.order.unit(*pair)).collect();
        let is_half = |unit: &u16| (0xd800..0xdc00).contains(unit);
        if !is_last && units.last().is_some_and(is_half) {
            units.pop();
        }
        self.units.drain(..units.len() * 2);
        self.text = String::from_utf16_lossy(&units).into_bytes();
        self.at = 0;
    }
}

impl Read for Utf16 {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() {
            let (before, mut piece) = (self.units.len(), vec![0; PIECE]);
            let n = self.input.read(&mut piece)?;
            self.units.extend_from_slice(&piece[..n]);
            self.decode(n == 0);
            if n == 0 && before < 2 {
                // Half a unit at the end is nothing.
                self.units.clear();
                return Ok(0);
            }
        }
        let n = (&self.text[self.at..]).read(into)?;
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out an odd number of octets at a time.
    struct Slow(Cursor<Vec<u8>>);

    impl Read for Slow {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = into.len().min(3);
            self.0.read(&mut into[..n])
        }
    }

    fn read(octets: Vec<u8>) -> String {
        let mut text = String::new();
        let mut input = decoded(Box::new(Slow(Cursor::new(octets)))).expect("memory");
        input.read_to_string(&mut text).expect("UTF-8");
        text
    }

    #[test]
    fn both_orders_are_read_with_a_mark_and_without() {
        let text = "11:38:45 IP a.1 > b.2: \u{65e5}\u{672c} \u{1f980} [S]\r\n";
        let units = || text.encode_utf16();
        let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
        assert_eq!(read([&[0xff, 0xfe], &little[..]].concat()), text);
        assert_eq!(read([&[0xfe, 0xff], &big[..]].concat()), text);
        assert_eq!(read(little), text);
        assert_eq!(read(big), text);
        assert_eq!(read(text.as_bytes().to_vec()), text);
    }

    #[test]
    fn halves_of_characters_are_marked_and_lose_nothing_else() {
        let units = |units: &[u16]| units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let marked = |units: Vec<u8>| read([vec![0xff, 0xfe], units].concat());
        assert_eq!(marked(units(&[0x61, 0xd800, 0x62])), "a\u{fffd}b");
        assert_eq!(marked(units(&[0x61, 0xdc00])), "a\u{fffd}");
        assert_eq!(marked(units(&[0x61, 0xd83e])), "a\u{fffd}");
        assert_eq!(marked([units(&[0x61]), vec![0x62]].concat()), "a");
        assert_eq!(marked(Vec::new()), "");
    }
}
