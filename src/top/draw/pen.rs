//! A pen that writes text into cells from left to right: never outside of its area, and nothing that a
//! terminal would obey.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthStr;

use crate::printable::printable;

/// Names and headings.
pub const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
/// Matters of less weight.
pub const ASIDE: Style = Style::new().add_modifier(Modifier::DIM);
/// A finding.
pub const ALARM: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
/// An all-clear.
pub const CALM: Style = Style::new().fg(Color::Green).add_modifier(Modifier::BOLD);
/// Something to look at.
pub const NOTE: Style = Style::new().fg(Color::Yellow);
/// Words that were on the wire.
pub const SPOKEN: Style = Style::new().fg(Color::Cyan);

/// Writes into one line.
pub struct Pen<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    x: u16,
}

impl<'a> Pen<'a> {
    /// Begins at the left of the first line of an area.
    pub fn new(buffer: &'a mut Buffer, area: Rect) -> Pen<'a> {
        Pen { buffer, area, x: area.x }
    }

    /// Begins at the left of one of its lines; a line that it does not have takes nothing.
    pub fn at(buffer: &'a mut Buffer, area: Rect, line: usize) -> Pen<'a> {
        let line = u16::try_from(line).unwrap_or(u16::MAX).min(area.height);
        let height = u16::from(line < area.height);
        Pen::new(buffer, Rect { y: area.y + line, height, ..area })
    }

    /// Returns the columns that are left.
    pub fn room(&self) -> usize {
        usize::from(self.area.right().saturating_sub(self.x))
    }

    /// Writes text without a style.
    pub fn plain(&mut self, text: &str) {
        self.styled(text, Style::new());
    }

    /// Writes as much of a text as there is room for.
    pub fn styled(&mut self, text: &str, style: Style) {
        if self.area.height == 0 || self.room() == 0 {
            return;
        }
        let text = cut(&printable(text), self.room());
        let (x, _) = self.buffer.set_stringn(self.x, self.area.y, text, self.room(), style);
        self.x = x;
    }

    /// Fills the rest of the line.
    pub fn rest(&mut self, mark: &str, style: Style) {
        let room = self.room();
        self.styled(&mark.repeat(room), style);
    }
}

/// Writes at the right end of a line, over what is there, if it takes no more than two thirds of it.
pub fn right(buffer: &mut Buffer, area: Rect, text: &str, style: Style) {
    let width = u16::try_from(printable(text).width()).unwrap_or(u16::MAX);
    if width <= area.width / 3 * 2 {
        let area = Rect { x: area.right() - width, width, ..area };
        Pen::new(buffer, area).styled(text, style);
    }
}

/// Cuts a text to so many columns; `…` says that there was more.
pub fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let (mut short, mut width) = (String::new(), 0);
    for c in text.chars() {
        width += c.encode_utf8(&mut [0; 4]).width();
        if width + 1 > columns {
            break;
        }
        short.push(c);
    }
    if columns > 0 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_that_a_terminal_obeys_or_outside_of_the_area() {
        let mut buffer = Buffer::empty(Rect { x: 0, y: 0, width: 12, height: 2 });
        let area = Rect { x: 1, y: 0, width: 8, height: 1 };
        let mut pen = Pen::new(&mut buffer, area);
        pen.plain("a\u{1b}]0;\u{202e}bcdefghijk");
        Pen::at(&mut buffer, area, 1).plain("no such line");
        let text: String = buffer.content.iter().map(|cell| cell.symbol()).collect();
        assert_eq!(text, format!(" a\u{fffd}]0;\u{fffd}b…{}", " ".repeat(15)));
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(cut("北京北京", 5), "北京…");
        assert_eq!(cut("北京", 4), "北京");
        assert_eq!(cut("ab", 0), "");
    }
}
