//! Names that others chose, safe for a terminal.

use unicode_properties::{GeneralCategory as Category, UnicodeGeneralCategory};

/// Replaces everything in a name that a terminal would obey and not show: control characters, those
/// that turn the direction of the text around them, that join or hide, and that end a line.
#[must_use]
pub fn printable(name: &str) -> String {
    name.chars().map(shown).collect()
}

/// Replaces one character, as [`printable`] does.
#[must_use]
pub fn shown(c: char) -> char {
    if is_obeyed(c) { '\u{fffd}' } else { c }
}

fn is_obeyed(c: char) -> bool {
    // Most names are ASCII, and need no table.
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    use Category::{Control, Format, LineSeparator, ParagraphSeparator};
    matches!(c.general_category(), Control | Format | LineSeparator | ParagraphSeparator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_replaced() {
        let obeyed = [
            '\0',
            '\t',
            '\n',
            '\x1b',
            '\x7f',
            '\u{85}',
            '\u{9b}', // control characters
            '\u{ad}',
            '\u{61c}',
            '\u{180e}', // soft hyphen, Arabic mark, vowel separator
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}', // widths and marks
            '\u{2028}',
            '\u{2029}', // lines and paragraphs
            '\u{202a}',
            '\u{202d}',
            '\u{202e}',
            '\u{2066}',
            '\u{2069}', // direction
            '\u{feff}',
            '\u{fff9}',
            '\u{e0001}',
            '\u{e0041}', // byte order mark, tags
        ];
        for c in obeyed {
            assert_eq!(printable(&format!("a{c}b")), "a\u{fffd}b", "{:04x}", u32::from(c));
        }
    }

    #[test]
    fn what_is_shown_stays() {
        for name in ["orders-api", "naïve", "שלום", "北京", "é", "🦀", "a b", "\u{a0}", "\u{fffd}"]
        {
            assert_eq!(printable(name), name);
        }
    }
}
