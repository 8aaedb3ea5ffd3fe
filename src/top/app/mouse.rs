//! The mouse: a click chooses, the wheel moves, and the time line is to be pointed at.

use ratatui_core::layout::Position;
use ratatui_crossterm::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::{App, Focus, Mode, Wish};
use crate::top::draw::chart::plot;

/// Lines that a turn of the wheel goes over.
const WHEEL: isize = 3;

impl App {
    /// Does what the mouse says.
    pub(super) fn mouse(&mut self, mouse: MouseEvent) -> Vec<Wish> {
        let Some(parts) = self.parts() else { return Vec::new() };
        let at = Position { x: mouse.column, y: mouse.row };
        let lists = [
            (parts.groups, Focus::Groups),
            (parts.rows, Focus::Rows),
            (parts.detail, Focus::Detail),
        ];
        let pointed = lists.into_iter().find(|(part, _)| part.contains(at));
        match (mouse.kind, pointed) {
            (MouseEventKind::Down(MouseButton::Left), Some((part, focus))) => {
                self.said = None;
                self.is_helping = false;
                let line = usize::from(at.y - part.y);
                self.click(focus, line)
            }
            (MouseEventKind::Down(MouseButton::Left), None)
                if parts.chart.contains(at) && self.setting.mode == Mode::Replay =>
            {
                let plot = plot(parts.chart);
                let part = f64::from(at.x.saturating_sub(plot.x)) / f64::from(plot.width.max(1));
                self.seek(|reel| Some(reel.at(part)))
            }
            (MouseEventKind::ScrollUp, Some((_, focus))) => self.wheel(focus, -WHEEL),
            (MouseEventKind::ScrollDown, Some((_, focus))) => self.wheel(focus, WHEEL),
            _ => Vec::new(),
        }
    }

    /// Chooses a line of a part: the first is its title.
    fn click(&mut self, focus: Focus, line: usize) -> Vec<Wish> {
        let mut wishes = match (focus, line) {
            (Focus::Groups, 1..) if self.groups.first + line - 1 < self.view.kinds.len() => {
                self.choose_group(self.groups.first + line - 1)
            }
            (Focus::Rows, 2..) if self.rows.first + line - 2 < self.view.rows.len() => {
                self.choose_row(self.rows.first + line - 2)
            }
            _ => Vec::new(),
        };
        wishes.extend(self.focus_on(focus));
        wishes.dedup();
        wishes
    }

    fn wheel(&mut self, focus: Focus, lines: isize) -> Vec<Wish> {
        let before = std::mem::replace(&mut self.focus, focus);
        let wishes = self.move_by(lines);
        self.focus = before;
        wishes
    }
}
