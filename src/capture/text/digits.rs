//! Decimal digits of a text that people may have changed: a number of which something was masked, cut or marked is no
//! number, and the part of it that is left would be another one.

/// The digits that a text begins with, and what stands behind them.
pub fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// The number that a text begins with, unless what stands behind it goes on with it.
pub fn whole_number(text: &str, goes_on: impl FnOnce(&str) -> bool) -> Option<u32> {
    let (number, behind) = digits(text);
    number.parse().ok().filter(|_| !goes_on(behind))
}

/// Tells whether what stands behind digits goes on with them: `10xx`, `10…`, `10***`, `10.5`, `0x3f3`, `10...`, `10`5`.
pub fn goes_on(behind: &str) -> bool {
    let mut chars = behind.chars();
    match chars.next() {
        Some('.') => chars.next().is_some_and(|c| c.is_ascii_digit() || c == '.'),
        // Marks of emphasis end behind a number, or stand within one.
        Some('`' | '~' | '|' | '"') => chars.next().is_some_and(|c| c.is_ascii_digit()),
        Some(c) => c.is_alphanumeric() || matches!(c, '_' | '*' | '?' | '#' | '\'' | '\u{2026}'),
        None => false,
    }
}

/// Tells whether a number goes on where fields are parted by a comma and a word: `1,011`, `101 1`, too.
pub fn goes_on_in_fields(behind: &str) -> bool {
    let apart = behind.trim_start_matches([' ', '\t']);
    let next = apart.strip_prefix(',').filter(|_| apart.len() == behind.len()).unwrap_or(apart);
    let is_parted = next.len() < behind.len() && next.starts_with(|c: char| c.is_ascii_digit());
    goes_on(behind) || is_parted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_number_is_none() {
        let of = |text: &str| goes_on_in_fields(digits(text).1);
        for part in [
            "10xx, ack 1",
            "10\u{2026}",
            "0x3f3",
            "1,011, ack 22",
            "101 1",
            "10.5",
            "1...",
            "10`5, ack 1",
        ] {
            assert!(of(part), "{part}");
        }
        for whole in [
            "10",
            "10, ack 1",
            "10,ack 1",
            "10 win 229",
            "10`",
            "10:20",
            "10(0)",
            "10.",
            "10]",
            "10 ...",
        ] {
            assert!(!of(whole), "{whole}");
        }
    }
}
