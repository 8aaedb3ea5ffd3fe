//! Strings that HPACK has packed (RFC 7541, 5.2).

/// The lengths of all codes by their symbols, the last for the end (appendix B). Codes of a length follow
/// one another in the order of their symbols, so these are all there is to know.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const LONGEST: usize = 30;

/// The codes of each length: the first of them, how many there are, and where their symbols begin.
struct Codes {
    first: [u32; LONGEST + 1],
    number: [u32; LONGEST + 1],
    begin: [u32; LONGEST + 1],
    symbols: [u16; 257],
}

static CODES: Codes = codes();

const fn codes() -> Codes {
    let mut codes = Codes {
        first: [0; LONGEST + 1],
        number: [0; LONGEST + 1],
        begin: [0; LONGEST + 1],
        symbols: [0; 257],
    };
    let (mut code, mut at, mut length) = (0, 0, 1);
    while length <= LONGEST {
        code <<= 1;
        (codes.first[length], codes.begin[length]) = (code, at as u32);
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                codes.symbols[at] = symbol as u16;
                (code, at) = (code + 1, at + 1);
            }
            symbol += 1;
        }
        codes.number[length] = at as u32 - codes.begin[length];
        length += 1;
    }
    codes
}

/// Hands on the octets of a packed string; `None`: it is none.
pub fn unpack(packed: &[u8], mut emit: impl FnMut(u8)) -> Option<()> {
    let (mut code, mut length) = (0_u32, 0_usize);
    let bits = packed.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1));
    for bit in bits {
        (code, length) = (code << 1 | u32::from(bit), length + 1);
        let nth = code.checked_sub(*CODES.first.get(length)?);
        if let Some(nth) = nth.filter(|nth| CODES.number.get(length).is_some_and(|all| nth < all)) {
            let at = CODES.begin.get(length)? + nth;
            // The end never comes within.
            emit(u8::try_from(*CODES.symbols.get(at as usize)?).ok()?);
            (code, length) = (0, 0);
        }
    }
    // The rest of the last octet is the beginning of the end: ones.
    (length < 8 && code + 1 == 1 << length).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        unpack(packed, |octet| out.push(octet)).map(|()| out)
    }

    /// Examples of RFC 7541, appendix C.
    #[test]
    fn as_the_standard_has_it() {
        let packed = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(unpacked(&packed).as_deref(), Some(&b"www.example.com"[..]));
        let packed = [0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf];
        assert_eq!(unpacked(&packed).as_deref(), Some(&b"no-cache"[..]));
        let packed = [0x64, 0x02];
        assert_eq!(unpacked(&packed).as_deref(), Some(&b"302"[..]));
        assert_eq!(unpacked(b"").as_deref(), Some(&b""[..]));
    }

    #[test]
    fn what_no_string_ends_with() {
        assert_eq!(unpacked(&[0x1f]).as_deref(), Some(&b"a"[..]));
        assert_eq!(unpacked(&[0x18]), None, "zeros are no end");
        assert_eq!(unpacked(&[0xff, 0xff, 0xff, 0xff]), None, "the end, within");
        assert_eq!(unpacked(&[0xff]), None, "eight ones");
    }
}
