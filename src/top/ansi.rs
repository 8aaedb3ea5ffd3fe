//! A report's coloured lines as spans: of all that a terminal obeys, only its own colours are left.

use ratatui_core::style::{Color, Modifier, Style};

/// A part of a line, and its style.
pub type Part = (String, Style);

/// Takes a line apart at its colours, as `anstyle` writes them.
pub fn parts(line: &str) -> Vec<Part> {
    let mut style = Style::new();
    let mut found = Vec::new();
    let mut pieces = line.split('\u{1b}');
    found.extend(pieces.next().filter(|text| !text.is_empty()).map(|text| (text.into(), style)));
    for piece in pieces {
        let Some((codes, text)) = piece.strip_prefix('[').and_then(|rest| rest.split_once('m'))
        else {
            continue;
        };
        style = codes.split(';').fold(style, changed);
        if !text.is_empty() {
            found.push((text.to_owned(), style));
        }
    }
    found
}

/// A style after one more code (ECMA-48, SGR).
fn changed(style: Style, code: &str) -> Style {
    match code {
        "" | "0" => Style::new(),
        "1" => style.add_modifier(Modifier::BOLD),
        "2" => style.add_modifier(Modifier::DIM),
        "31" => style.fg(Color::Red),
        "32" => style.fg(Color::Green),
        "33" => style.fg(Color::Yellow),
        "36" => style.fg(Color::Cyan),
        _ => style,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_styles_and_all_else_is_dropped() {
        let red = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
        let line = "a \u{1b}[1m\u{1b}[31mleak\u{1b}[0m: \u{1b}]52;c;x\u{7}b";
        let expected = [("a ", Style::new()), ("leak", red), (": ", Style::new())];
        let expected: Vec<Part> = expected.map(|(text, style)| (text.to_owned(), style)).into();
        assert_eq!(parts(line), expected);
    }
}
