//! The keys, over all else.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;

use super::pen::{self, Pen};
use crate::top::app::{App, Mode};
use crate::top::filter::KEYS;

const COMMON: [(&str, &str); 8] = [
    ("↑ ↓, page, home", "another line; tab, enter, esc: another part"),
    ("/", "filter while you type; esc ends it"),
    ("s, S", "sort by another column; the other way round"),
    ("c", "copy the tshark line of the connection (OSC 52)"),
    ("w", "write the packets of what is chosen (pcapng)"),
    ("r", "write the report as a page"),
    ("q", "quit"),
    ("mouse", "choose, turn the wheel, point at the time line"),
];

const REPLAY: [(&str, &str); 6] = [
    ("space", "play or pause"),
    ("+ -", "faster, slower"),
    ("← →", "a hundredth of the capture back or on"),
    ("n, N", "next finding, the one before"),
    ("b, e", "beginning, end"),
    ("g", "go to a time: 12:30:05, +30s, 50%"),
];

const HOST: [(&str, &str); 1] = [("f, space", "hold the screen fast, and let it go on")];

/// Columns of the keys.
const KEY: usize = 18;

pub fn draw(app: &App, buffer: &mut Buffer) {
    let screen = buffer.area;
    let own: &[(&str, &str)] = match app.setting.mode {
        Mode::Replay => &REPLAY,
        Mode::Host { .. } => &HOST,
    };
    let mut lines: Vec<(String, String)> = COMMON
        .iter()
        .chain(own)
        .map(|(key, does)| ((*key).to_owned(), (*does).to_owned()))
        .collect();
    lines.push((String::new(), "filter: all words have to match, ! turns one round".into()));
    // Two filters a line: a screen of 24 lines has room for all.
    for pair in KEYS.chunks(2) {
        let text: Vec<String> =
            pair.iter().map(|(key, does)| format!("{key:<17} {does:<20}")).collect();
        lines.push((String::new(), text.join("  ").trim_end().to_owned()));
    }
    let width = screen.width.min(100);
    let height = screen.height.min(lines.len() as u16 + 2);
    let area = Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.y + (screen.height - height) / 2,
        width,
        height,
    };
    for line in 0..usize::from(height) {
        Pen::at(buffer, area, line).rest(" ", ratatui_core::style::Style::reset());
    }
    Pen::at(buffer, area, 0).styled("─ Keys; any of them closes this ", pen::BOLD);
    for (at, (key, does)) in lines.iter().enumerate().take(usize::from(height) - 1) {
        let mut pen = Pen::at(buffer, area, at + 1);
        if !key.is_empty() {
            pen.styled(&format!(" {key:<KEY$}"), pen::BOLD);
        } else {
            pen.plain(" ");
        }
        pen.plain(does);
    }
}
