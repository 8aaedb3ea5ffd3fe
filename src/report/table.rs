//! Tables in text.

use std::io::{self, Write};

use crate::units::{count, thousands};

/// Says how many lines a table does not show.
pub fn more(out: &mut impl Write, n: usize, thing: &str) -> io::Result<()> {
    match (n, thing) {
        (0, _) => Ok(()),
        (_, "") => writeln!(out, "  … {} more: --top 0", thousands(n as u64)),
        _ => writeln!(out, "  … {} more: --top 0", count(n as u64, thing)),
    }
}

/// How a column stands.
#[derive(Clone, Copy)]
pub enum Align {
    Left,
    Right,
}

/// Columns as wide as their widest cell, two spaces between them; left-aligned where not told.
pub fn write_table(out: &mut impl Write, rows: &[Vec<String>], aligns: &[Align]) -> io::Result<()> {
    let width = |text: &str| text.chars().count();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| {
            rows.iter().filter_map(|row| row.get(c)).map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    for row in rows {
        let mut line = String::from(" ");
        for (c, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[c] - width(cell));
            line.push(' ');
            match aligns.get(c) {
                Some(Align::Right) => line.extend([pad.as_str(), cell]),
                _ => line.extend([cell, pad.as_str()]),
            }
            line.push(' ');
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
