//! Tables in text.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

/// The side on which a column's cells are aligned.
#[derive(Clone, Copy)]
pub enum Align {
    /// At the left, as words are.
    Left,
    /// At the right, as numbers are.
    Right,
}

/// Writes columns as wide as their widest cell, as a terminal shows it, two spaces between them; left-aligned where not told.
pub fn write_table(out: &mut impl Write, rows: &[Vec<String>], aligns: &[Align]) -> io::Result<()> {
    table(rows, aligns).iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// The lines of such a table.
pub fn table(rows: &[Vec<String>], aligns: &[Align]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| {
            rows.iter().filter_map(|row| row.get(c)).map(|cell| cell.width()).max().unwrap_or(0)
        })
        .collect();
    let line = |row: &Vec<String>| {
        let mut line = String::from(" ");
        for (c, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[c] - cell.width());
            line.push(' ');
            match aligns.get(c) {
                Some(Align::Right) => line.extend([pad.as_str(), cell]),
                _ => line.extend([cell, pad.as_str()]),
            }
            line.push(' ');
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Cuts a text to so many columns of a terminal.
pub fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if short.width() + 2 > columns {
            break;
        }
        short.push(c);
    }
    format!("{short}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rows: &[[&str; 2]]) -> String {
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.map(String::from).to_vec()).collect();
        let mut out = Vec::new();
        write_table(&mut out, &rows, &[Align::Right]).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_character_can_take_two_columns_or_none() {
        let rows = [["北京", "x"], ["abcde", "x"], ["e\u{301}", "x"]];
        assert_eq!(written(&rows), "   北京  x\n  abcde  x\n      e\u{301}  x\n");
    }
}
