//! Commands that a reader can copy.

/// A word as a shell reads it back.
pub fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+=@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) && !text.starts_with('-') {
        return text.to_owned();
    }
    // One that begins like an option is none behind its folder.
    let folder = if text.starts_with('-') { "./" } else { "" };
    format!("'{folder}{}'", text.replace('\'', "'\\''"))
}

/// A name that was made safe to print may be another one.
pub fn can_be_typed(name: &str) -> bool {
    !name.contains('\u{fffd}') && name != "-"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_as_they_are() {
        assert_eq!(word("d/x-1.pcap"), "d/x-1.pcap");
        assert_eq!(word("my capture.pcap"), "'my capture.pcap'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word("-w"), "'./-w'");
        assert!(!can_be_typed("a\u{fffd}b") && can_be_typed("a b"));
    }
}
