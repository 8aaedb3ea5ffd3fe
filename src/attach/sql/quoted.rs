//! Strings and names in quotes, and where they end.
//!
//! That depends on what an observer may not know: whether a backslash escapes, and the character set. In some (GBK,
//! Big5, Shift-JIS and their like), a backslash or a backquote can be the second octet of a character. So the text is
//! read in every way that is possible, and where these do not agree, nobody knows what is a value and what is not.

/// A way of putting octets together to characters.
#[derive(Clone, Copy, Debug)]
pub enum Characters {
    /// Octets of ASCII stand for themselves: UTF-8, Latin, EUC.
    Plain,
    /// GBK and GB 18030, and the second octets of UHC and Johab that matter.
    Gbk,
    Big5,
    ShiftJis,
}

impl Characters {
    /// Returns the ways that are possible. A text that is UTF-8 in all of its parts is hardly anything else.
    pub fn of(text: &[u8]) -> &'static [Characters] {
        match is_utf8(text) {
            true => &[Characters::Plain],
            false => &[Characters::Plain, Characters::Gbk, Characters::Big5, Characters::ShiftJis],
        }
    }

    fn is_pair(self, first: u8, second: u8) -> bool {
        match self {
            Characters::Plain => false,
            Characters::Gbk => {
                matches!(first, 0x81..=0xfe) && matches!(second, 0x40..=0x7e | 0x80..=0xfe)
            }
            Characters::Big5 => {
                matches!(first, 0xa1..=0xf9) && matches!(second, 0x40..=0x7e | 0xa1..=0xfe)
            }
            Characters::ShiftJis => {
                matches!(first, 0x81..=0x9f | 0xe0..=0xfc)
                    && matches!(second, 0x40..=0x7e | 0x80..=0xfc)
            }
        }
    }
}

/// Returns whether it is UTF-8, but for a character that is cut at its end.
fn is_utf8(text: &[u8]) -> bool {
    str::from_utf8(text).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// Returns the octets of a string or name at the beginning of a text, which ends with its first octet; doubled, that
/// octet is part of it. `escapes`: so is what stands behind a backslash. `None`: it may end here or there.
pub fn len(quoted: &[u8], escapes: Option<bool>, sets: &[Characters]) -> Option<usize> {
    let ways: &[bool] = match escapes {
        Some(true) => &[true],
        Some(false) => &[false],
        None => &[true, false],
    };
    let mut lens =
        sets.iter().flat_map(|set| ways.iter().map(|escapes| len_as(quoted, *escapes, *set)));
    let first = lens.next()?;
    lens.all(|len| len == first).then_some(first)
}

fn len_as(quoted: &[u8], escapes: bool, set: Characters) -> usize {
    let Some(quote) = quoted.first() else { return 0 };
    let mut at = 1;
    while let Some(octet) = quoted.get(at) {
        let next = quoted.get(at + 1);
        at += match *octet {
            b'\\' if escapes => 2,
            first if next.is_some_and(|second| set.is_pair(first, *second)) => 2,
            octet if octet != *quote => 1,
            _ if next == Some(quote) => 2,
            _ => return at + 1,
        };
    }
    quoted.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::digest::digest;
    use super::super::{Dialect, Sql};
    use super::*;

    #[test]
    fn a_string_ends_where_all_ways_of_reading_it_agree() {
        for (text, escapes, expected) in [
            (&br"'a\'b', 'c'"[..], Some(true), Some(6)),
            (br"'a\', 'c'", Some(false), Some(4)),
            // The mode is not known: it matters before a quote, and only in odd numbers.
            (br"'a\'b', 'c'", None, None),
            (br"'a\\', 'c'", None, Some(5)),
            (br"'a\b', 'c'", None, Some(5)),
            (br"'it''s', 'c'", None, Some(7)),
            // Shift-JIS, GBK, Big5: the backslash is the second half of a character.
            (b"'\x95\\', 'c'", Some(true), None),
            (b"'\x89\xc2\x94\\', 'c'", Some(true), None),
            (b"'\xd5\\', 'c'", Some(true), None),
            (b"'\xa5\\', 'c'", Some(true), None),
            (b"'\x95\\\\', 'c'", Some(true), None),
            (b"'\x95\\x', 'c'", Some(true), Some(5)),
            // Without escapes, half a character does no harm.
            (b"'\x95\\', 'c'", Some(false), Some(4)),
            // Both octets of each character are above: no set takes the backslash.
            (b"'\xd6\xd0\xce\xc4\\'s', 'c'", Some(true), Some(9)),
            ("'été\\'s', 'c'".as_bytes(), Some(true), Some(10)),
            (b"`\xbf``, 'c'", Some(false), None),
            (b"`\xb1\xa1`, 'c'", Some(false), Some(4)),
            (br"'open\'", None, Some(7)),
        ] {
            let shown = String::from_utf8_lossy(text);
            assert_eq!(len(text, escapes, Characters::of(text)), expected, "{shown} {escapes:?}");
        }
        assert!(is_utf8(b"cut \xe8\xa1") && !is_utf8(b"\xe8' not"));
    }
    /// A character of two octets: often of those whose second one means something by itself.
    fn character(set: Characters) -> impl Strategy<Value = Vec<u8>> {
        let second = prop_oneof![Just(b'\\'), Just(b'`'), Just(b'n'), 0x80u8..=0xfe];
        (0x81u8..=0xfe, second).prop_map(move |(first, second)| {
            let second = if set.is_pair(first, second) { second } else { b'\\' };
            let first = if set.is_pair(first, second) { first } else { 0xe0 };
            vec![first, second]
        })
    }

    /// Text as a client writes it: quotes and backslashes are written as the server's mode asks for.
    fn string(set: Characters, escapes: bool) -> impl Strategy<Value = Vec<u8>> {
        let quote: &[u8] = if escapes { br"\'" } else { b"''" };
        let backslash: &[u8] = if escapes { br"\\" } else { br"\" };
        let ascii = prop_oneof![
            Just(quote.to_vec()),
            Just(b"''".to_vec()),
            Just(backslash.to_vec()),
            "[7`\", -]".prop_map(String::into_bytes)
        ];
        let part = prop_oneof![character(set), ascii];
        let parts = prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat());
        parts.prop_map(|inner| [b"'7", &inner[..], b"7'"].concat())
    }

    fn list(set: Characters, escapes: bool) -> impl Strategy<Value = (Vec<u8>, bool)> {
        let name = prop::collection::vec(character(set), 0..3).prop_map(|name| name.concat());
        let column = (name, any::<bool>()).prop_map(|(name, is_quoted)| match is_quoted {
            true => [b"`", &name[..], b"`"].concat(),
            false if name.is_empty() => b"a".to_vec(),
            false => name,
        });
        let part = prop_oneof![string(set, escapes), column];
        let parts = prop::collection::vec(part, 1..6);
        parts.prop_map(move |parts| (parts.join(&b", "[..]), escapes))
    }

    fn lists() -> impl Strategy<Value = (Vec<u8>, bool)> {
        let sets = [Characters::Gbk, Characters::Big5, Characters::ShiftJis];
        prop_oneof![
            list(sets[0], true),
            list(sets[1], true),
            list(sets[2], true),
            list(sets[0], false),
            list(sets[1], false),
            list(sets[2], false),
        ]
    }

    proptest! {
        #![proptest_config(crate::regressions::kept("quoted", 2_000))]

        /// Every value has a 7 in it, and nothing else has.
        #[test]
        fn whatever_the_set_no_value_is_left((list, escapes) in lists(), known in any::<bool>(), cut in 8usize..60) {
            let text = [b"select ", &list[..], b", '7' from t where a=7"].concat();
            let dialect = Dialect { backslash: known.then_some(escapes), ..Dialect::default() };
            for (text, cut) in [(&text[..], false), (&text[..cut.min(text.len())], true)] {
                // UTF-8 by chance would be taken for it.
                if is_utf8(text) && !text.is_ascii() {
                    continue;
                }
                let shown = digest(Sql { text, cut, dialect });
                prop_assert!(!shown.contains('7'), "{}: {:?}", shown, text);
            }
        }
    }
}
