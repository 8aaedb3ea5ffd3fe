//! The state in cells. Only lines that are seen are made.
//!
//! * [`pen`]: text at a place, safe and cut to fit
//! * `bars`: the first line and the last; [`chart`]: CLOSE-WAIT over time; `groups`, `rows`: the lists;
//!   `detail`: one connection or group; `help`: the keys

mod bars;
pub mod chart;
mod columns;
mod detail;
mod groups;
mod help;
pub mod pen;
mod rows;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Modifier;

use super::app::{App, Focus};
use super::layout::{LEAST, Parts};
use crate::report::text::page::in_ascii;
use pen::Pen;

/// Draws the whole screen.
pub fn draw(app: &App, buffer: &mut Buffer) {
    let screen = buffer.area;
    match Parts::of(screen, app.is_zoomed) {
        Some(parts) => draw_parts(app, &parts, buffer),
        None => {
            let (width, height) = LEAST;
            let text = format!("{width} × {height} at least, or q");
            Pen::new(buffer, screen).plain(&text);
        }
    }
    if !app.setting.is_colored {
        without_colours(buffer);
    }
    if app.setting.is_ascii {
        ascii(buffer);
    }
}

fn draw_parts(app: &App, parts: &Parts, buffer: &mut Buffer) {
    bars::head(app, parts.head, buffer);
    chart::draw(app, parts.chart, buffer);
    groups::draw(app, parts.groups, buffer);
    rows::draw(app, parts.rows, buffer);
    detail::draw(app, parts.detail, buffer);
    bars::foot(app, parts.foot, buffer);
    if app.is_helping {
        help::draw(app, buffer);
    }
}

/// The number of lines of the detail.
pub fn detail_lines(app: &App) -> usize {
    detail::lines(app).len()
}

/// Draws the title of a part, and returns what is below it.
fn titled(buffer: &mut Buffer, area: Rect, title: &str, right: &str, has_focus: bool) -> Rect {
    let mut pen = Pen::new(buffer, Rect { height: 1, ..area });
    pen.styled(if has_focus { "▸ " } else { "─ " }, if has_focus { pen::BOLD } else { pen::ASIDE });
    pen.styled(title, pen::BOLD);
    pen.plain(" ");
    pen.rest("─", pen::ASIDE);
    if !right.is_empty() {
        pen::right(buffer, Rect { height: 1, ..area }, &format!(" {right} "), pen::ASIDE);
    }
    Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
}

/// Marks the chosen line of a list: plainly in the part that keys go to.
fn mark(app: &App, buffer: &mut Buffer, area: Rect, line: usize, focus: Focus) {
    let Ok(line) = u16::try_from(line) else { return };
    if line >= area.height {
        return;
    }
    let style = if app.focus == focus { Modifier::REVERSED } else { Modifier::UNDERLINED };
    let line = Rect { y: area.y + line, height: 1, ..area };
    buffer.set_style(line, ratatui_core::style::Style::new().add_modifier(style));
}

fn without_colours(buffer: &mut Buffer) {
    use ratatui_core::style::Color;
    for cell in &mut buffer.content {
        cell.fg = Color::Reset;
        cell.bg = Color::Reset;
    }
}

/// Marks that have an ASCII form get the first character of it: a cell has no room for more.
fn ascii(buffer: &mut Buffer) {
    for cell in buffer.content.iter_mut().filter(|cell| !cell.symbol().is_ascii()) {
        let text = match cell.symbol() {
            "─" => "-".to_owned(),
            "▸" | "▶" => ">".to_owned(),
            "▲" => "^".to_owned(),
            "×" => "x".to_owned(),
            "│" => "|".to_owned(),
            "↑" | "↓" | "←" | "→" => " ".to_owned(),
            other => in_ascii(other),
        };
        if let Some(first) = text.chars().next() {
            cell.set_char(first);
        }
    }
}
