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

/// Bits that are looked at together: most codes are no longer.
const WINDOW: u32 = 8;

/// By what the next bits are: the symbol that they begin with, and the length of its code; none: a longer one.
static SHORT: [(u8, u8); 1 << WINDOW] = {
    let (mut short, mut length) = ([(0, 0); 1 << WINDOW], 1);
    while length <= WINDOW as usize {
        let (free, mut nth) = (WINDOW as usize - length, 0);
        while nth < CODES.number[length] as usize {
            let symbol = CODES.symbols[CODES.begin[length] as usize + nth];
            let first = (CODES.first[length] as usize + nth) << free;
            let mut at = first;
            while at < first + (1 << free) {
                short[at] = (symbol as u8, length as u8);
                at += 1;
            }
            nth += 1;
        }
        length += 1;
    }
    short
};

/// Hands on the octets of a packed string; `None`: it is none.
pub fn unpack(packed: &[u8], mut emit: impl FnMut(u8)) -> Option<()> {
    let mut rest = packed.iter();
    // The last `left` of these bits are to be read.
    let (mut bits, mut left) = (0_u64, 0_u32);
    loop {
        while left <= u64::BITS - 8
            && let Some(octet) = rest.next()
        {
            (bits, left) = (bits << 8 | u64::from(*octet), left + 8);
        }
        // Beyond the end there are ones.
        let window = match left.checked_sub(WINDOW) {
            Some(beyond) => (bits >> beyond) as u8,
            None => (bits << (WINDOW - left)) as u8 | 0xff >> left,
        };
        let (symbol, length) = *SHORT.get(usize::from(window))?;
        match u32::from(length) {
            1.. if u32::from(length) <= left => {
                emit(symbol);
                left -= u32::from(length);
            }
            // The rest of the last octet is the beginning of the end: ones.
            _ if left < WINDOW => return (window == 0xff).then_some(()),
            _ => {
                let (symbol, length) = long(bits, left)?;
                // The end never comes within.
                emit(u8::try_from(symbol).ok()?);
                left -= length;
            }
        }
    }
}

/// A symbol whose code is longer than the window, and its length.
#[cold]
fn long(bits: u64, left: u32) -> Option<(u16, u32)> {
    (WINDOW + 1..=LONGEST as u32).find_map(|length| {
        let code = (bits >> left.checked_sub(length)?) as u32 & ((1 << length) - 1);
        let nth = code.checked_sub(*CODES.first.get(length as usize)?)?;
        let is_one = CODES.number.get(length as usize).is_some_and(|all| nth < *all);
        let at = CODES.begin.get(length as usize)? + nth;
        let symbol = CODES.symbols.get(at as usize)?;
        is_one.then_some((*symbol, length))
    })
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

    /// Each symbol alone, and after others: codes begin anywhere in an octet.
    #[test]
    fn every_symbol() {
        let pack = |symbols: &[usize]| {
            let (mut bits, mut at) = (vec![0xff_u8; 64], 0);
            for symbol in symbols {
                let length = usize::from(LENGTHS[*symbol]);
                let same = (0..*symbol).filter(|other| LENGTHS[*other] == LENGTHS[*symbol]);
                let code = CODES.first[length] + same.count() as u32;
                for bit in (0..length).rev() {
                    let mask = 0x80 >> (at % 8);
                    bits[at / 8] =
                        bits[at / 8] & !mask | if code >> bit & 1 != 0 { mask } else { 0 };
                    at += 1;
                }
            }
            bits.truncate(at.div_ceil(8));
            bits
        };
        for symbol in 0..256 {
            for others in [&[][..], b"a", b"e0", b"?:", b"\0\xff"] {
                let others: Vec<usize> = others.iter().map(|octet| usize::from(*octet)).collect();
                let all = [&others[..], &[symbol], &others].concat();
                let right: Vec<u8> = all.iter().map(|symbol| *symbol as u8).collect();
                assert_eq!(unpacked(&pack(&all)), Some(right));
            }
        }
        assert_eq!(unpacked(&pack(&[97, 256])), None);
    }

    #[test]
    fn what_no_string_ends_with() {
        assert_eq!(unpacked(&[0x1f]).as_deref(), Some(&b"a"[..]));
        assert_eq!(unpacked(&[0x18]), None, "zeros are no end");
        assert_eq!(unpacked(&[0xff, 0xff, 0xff, 0xff]), None, "the end, within");
        assert_eq!(unpacked(&[0xff]), None, "eight ones");
    }
}
