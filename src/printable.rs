//! Names that others chose, safe for a terminal.

/// The name with nothing in it that a terminal would obey.
pub fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
