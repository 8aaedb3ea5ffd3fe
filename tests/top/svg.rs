//! A screen as a picture: for a page that has no terminal.

use std::fmt::Write;

use ratatui_core::buffer::{Buffer, Cell};
use ratatui_core::style::{Color, Modifier, Style};

/// A cell of the picture, in pixels.
const WIDE: f64 = 8.0;
const HIGH: f64 = 17.0;

const PAPER: &str = "#16181d";
const INK: &str = "#dcdfe4";

/// Heights of the bars' characters.
const EIGHTHS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

fn color(style: Style) -> &'static str {
    match style.fg {
        Some(Color::Red) => "#ff6e67",
        Some(Color::Green) => "#7ad39a",
        Some(Color::Yellow) => "#e6c15c",
        Some(Color::Cyan) => "#6fc7d9",
        _ => INK,
    }
}

/// Draws cells, and text in runs of one style.
pub fn svg(buffer: &Buffer, title: &str) -> String {
    let (columns, lines) = (f64::from(buffer.area.width), f64::from(buffer.area.height));
    let (wide, high) = (columns * WIDE + 16.0, lines * HIGH + 16.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" role=\"img\">\n<title>{}</title>\n\
         <rect width=\"{wide}\" height=\"{high}\" rx=\"6\" fill=\"{PAPER}\"/>\n\
         <g font-family=\"ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"13\" fill=\"{INK}\">\n",
        escaped(title)
    );
    for (line, cells) in buffer.content.chunks(usize::from(buffer.area.width)).enumerate() {
        let mut column = 0;
        for run in cells.chunk_by(|a, b| a.style() == b.style() && kind(a) == kind(b)) {
            let at = (8.0 + column as f64 * WIDE, 8.0 + line as f64 * HIGH);
            draw(run, at, &mut out);
            column += run.len();
        }
    }
    out + "</g>\n</svg>\n"
}

/// What is drawn as a shape is apart from what is text.
fn kind(cell: &Cell) -> Option<usize> {
    match cell.symbol() {
        "─" => Some(EIGHTHS.len()),
        bar => EIGHTHS.iter().position(|own| *own == bar),
    }
}

fn draw(run: &[Cell], (x, y): (f64, f64), out: &mut String) {
    let (style, wide) = (run[0].style(), run.len() as f64 * WIDE);
    let has = |modifier| style.add_modifier.contains(modifier);
    let ink = if has(Modifier::REVERSED) { PAPER } else { color(style) };
    let faint = if has(Modifier::DIM) { " opacity=\".6\"" } else { "" };
    let mut shape = |top: f64, high: f64, fill: &str, faint: &str| {
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{}\" width=\"{wide}\" height=\"{high}\" fill=\"{fill}\"{faint}/>",
            y + top
        );
    };
    if has(Modifier::REVERSED) {
        shape(0.0, HIGH, color(style), "");
    }
    if has(Modifier::UNDERLINED) {
        shape(HIGH - 1.5, 1.0, color(style), faint);
    }
    match kind(&run[0]) {
        Some(eighths) if eighths < EIGHTHS.len() => {
            let high = HIGH * (eighths + 1) as f64 / 8.0;
            return shape(HIGH - high, high, ink, faint);
        }
        Some(_) => return shape(HIGH / 2.0, 1.0, ink, faint),
        None => {}
    }
    let text: String = run.iter().map(Cell::symbol).collect();
    let text = text.trim_end();
    if text.is_empty() {
        return;
    }
    let wide = text.chars().count() as f64 * WIDE;
    let heavy = if has(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
    let fill = if ink == INK { String::new() } else { format!(" fill=\"{ink}\"") };
    let _ = writeln!(
        out,
        "<text x=\"{x}\" y=\"{}\" textLength=\"{wide}\"{fill}{heavy}{faint}>{}</text>",
        y + 13.0,
        // Spaces in a row would be one.
        escaped(text).replace(' ', "\u{a0}")
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
