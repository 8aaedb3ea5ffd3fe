//! Keys, and what they do.

use ratatui_crossterm::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{App, Focus, Mode, Typing, Wish};
use crate::report::tshark;
use crate::top::filter::Filter;
use crate::top::layout::lines;
use crate::top::picture::Entry;

/// A part of the capture that an arrow goes over.
const STEP: f64 = 0.01;

/// Connections whose packets are written at once, at most.
const WRITTEN: usize = 100_000;

/// Characters that can be typed.
const LONGEST: usize = 200;

impl App {
    /// Does what a key says.
    pub(super) fn key(&mut self, key: KeyEvent) -> Vec<Wish> {
        if key.kind == KeyEventKind::Release {
            return Vec::new();
        }
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && key.code == KeyCode::Char('c') {
            return vec![Wish::Quit];
        }
        self.said = None;
        if self.is_helping {
            self.is_helping = false;
            return Vec::new();
        }
        match self.typing.take() {
            Some((typing, text)) => self.type_on(typing, text, key.code),
            None if is_control => Vec::new(),
            None => self.command(key.code),
        }
    }

    /// Goes on with a text; a filter counts while it is typed.
    fn type_on(&mut self, typing: Typing, mut text: String, code: KeyCode) -> Vec<Wish> {
        let is_filter = typing == Typing::Filter;
        match code {
            KeyCode::Enter if is_filter => return Vec::new(),
            KeyCode::Enter => return self.jump(&text),
            KeyCode::Esc if is_filter => return self.set_filter(""),
            KeyCode::Esc => return Vec::new(),
            KeyCode::Backspace if text.pop().is_none() => return Vec::new(),
            KeyCode::Char(c) if text.chars().count() < LONGEST => text.push(c),
            _ => {}
        }
        self.typing = Some((typing, text.clone()));
        if is_filter { self.set_filter(&text) } else { Vec::new() }
    }

    fn set_filter(&mut self, text: &str) -> Vec<Wish> {
        if text == self.filter.text() {
            return Vec::new();
        }
        self.filter_by(Filter::new(text));
        self.wants_ladder()
    }

    fn command(&mut self, code: KeyCode) -> Vec<Wish> {
        match code {
            KeyCode::Char('q') => vec![Wish::Quit],
            KeyCode::Char('?') | KeyCode::F(1) => {
                self.is_helping = true;
                Vec::new()
            }
            KeyCode::Char('/') => {
                self.typing = Some((Typing::Filter, self.filter.text().to_owned()));
                Vec::new()
            }
            KeyCode::Char('s') => self.reorder(|app| app.order = app.order.next()),
            KeyCode::Char('S') => self.reorder(|app| app.is_reversed = !app.is_reversed),
            KeyCode::Char('c') => self.copy(),
            KeyCode::Char('w') => self.write(),
            KeyCode::Char('r') => self.report(),
            KeyCode::Char('f') => self.freeze(),
            KeyCode::Tab => self.focus_on(match self.focus {
                Focus::Groups => Focus::Rows,
                Focus::Rows => Focus::Detail,
                Focus::Detail => Focus::Groups,
            }),
            KeyCode::BackTab => self.focus_on(match self.focus {
                Focus::Groups => Focus::Detail,
                Focus::Rows => Focus::Groups,
                Focus::Detail => Focus::Rows,
            }),
            KeyCode::Enter if self.focus == Focus::Groups => self.focus_on(Focus::Rows),
            KeyCode::Enter if self.focus == Focus::Rows => self.focus_on(Focus::Detail),
            KeyCode::Enter => {
                self.is_zoomed = !self.is_zoomed;
                Vec::new()
            }
            KeyCode::Esc => self.back(),
            code => match self.setting.mode {
                Mode::Replay => self.replay_command(code),
                Mode::Host { .. } if code == KeyCode::Char(' ') => self.freeze(),
                Mode::Host { .. } => self.go(code),
            },
        }
    }

    fn replay_command(&mut self, code: KeyCode) -> Vec<Wish> {
        match code {
            KeyCode::Char(' ') => self.play_or_pause(),
            KeyCode::Left => self.scrub(-STEP),
            KeyCode::Right => self.scrub(STEP),
            KeyCode::Char('n') => self.step(true),
            KeyCode::Char('N') => self.step(false),
            KeyCode::Char('b') => self.seek(|reel| Some(reel.first)),
            KeyCode::Char('e') => self.seek(|reel| Some(reel.end)),
            KeyCode::Char('+' | '=') => self.change_speed(2.0),
            KeyCode::Char('-') => self.change_speed(0.5),
            KeyCode::Char('g') => {
                self.typing = Some((Typing::Jump, String::new()));
                Vec::new()
            }
            code => self.go(code),
        }
    }

    /// Moves within the part that keys go to.
    fn go(&mut self, code: KeyCode) -> Vec<Wish> {
        let page = self.parts().map_or(1, |parts| match self.focus {
            Focus::Groups => lines(parts.groups, 0),
            Focus::Rows => lines(parts.rows, 1),
            Focus::Detail => lines(parts.detail, 0),
        });
        let page = isize::try_from(page.max(1)).unwrap_or(1);
        self.move_by(match code {
            KeyCode::Up | KeyCode::Char('k') => -1,
            KeyCode::Down | KeyCode::Char('j') => 1,
            KeyCode::PageUp => -page,
            KeyCode::PageDown => page,
            KeyCode::Home => isize::MIN,
            KeyCode::End => isize::MAX,
            _ => return Vec::new(),
        })
    }

    /// Moves by so many lines in the part that keys go to.
    pub(super) fn move_by(&mut self, lines: isize) -> Vec<Wish> {
        match self.focus {
            Focus::Groups => self.choose_group(self.groups.chosen.saturating_add_signed(lines)),
            Focus::Rows => self.choose_row(self.rows.chosen.saturating_add_signed(lines)),
            Focus::Detail => {
                let most = crate::top::draw::detail_lines(self).saturating_sub(1);
                self.scrolled = self.scrolled.saturating_add_signed(lines).min(most);
                Vec::new()
            }
        }
    }

    pub(super) fn choose_group(&mut self, line: usize) -> Vec<Wish> {
        let line = line.min(self.view.kinds.len().saturating_sub(1));
        if std::mem::replace(&mut self.groups.chosen, line) != line {
            self.list();
            return self.choose_row(0);
        }
        Vec::new()
    }

    pub(super) fn choose_row(&mut self, row: usize) -> Vec<Wish> {
        self.rows.chosen = row.min(self.view.rows.len().saturating_sub(1));
        self.scrolled = 0;
        self.wants_ladder()
    }

    pub(super) fn focus_on(&mut self, focus: Focus) -> Vec<Wish> {
        self.focus = focus;
        self.is_zoomed &= focus == Focus::Detail;
        self.wants_ladder()
    }

    /// Out of the detail, out of the rows; then the filter goes.
    fn back(&mut self) -> Vec<Wish> {
        match self.focus {
            Focus::Detail if self.is_zoomed => {
                self.is_zoomed = false;
                Vec::new()
            }
            Focus::Detail => self.focus_on(Focus::Rows),
            Focus::Rows => self.focus_on(Focus::Groups),
            Focus::Groups => self.set_filter(""),
        }
    }

    pub(super) fn reorder(&mut self, change: impl FnOnce(&mut App)) -> Vec<Wish> {
        change(self);
        self.list_again();
        Vec::new()
    }

    /// Holds the picture fast, or goes on to the latest.
    fn freeze(&mut self) -> Vec<Wish> {
        match self.frozen.take() {
            Some(latest) => self.show(latest),
            None => self.frozen = Some(std::sync::Arc::clone(&self.picture)),
        }
        Vec::new()
    }

    /// Copies the command that opens the chosen connection in Wireshark's terms.
    fn copy(&mut self) -> Vec<Wish> {
        let line = self.entry().and_then(|entry| self.tshark(entry));
        let Some(line) = line else {
            self.said = Some("nothing to copy".into());
            return Vec::new();
        };
        self.said = Some(format!("copied: {line}"));
        vec![Wish::Copy(line)]
    }

    /// Makes that command.
    pub fn tshark(&self, entry: &Entry) -> Option<String> {
        match &self.setting.mode {
            Mode::Replay => {
                let (totals, seen) = (&self.picture.totals, &entry.seen);
                let lines = tshark::lines(totals, seen.ends, seen.first, seen.last);
                (!lines.is_empty()).then(|| lines.join("; "))
            }
            Mode::Host { interfaces, .. } => {
                Some(tshark::live(interfaces.first().map_or("any", String::as_str), entry.ends))
            }
        }
    }

    /// Wishes for a page.
    fn report(&mut self) -> Vec<Wish> {
        if self.has_packets() {
            self.said = Some("writing the report".into());
            return vec![Wish::Report];
        }
        Vec::new()
    }

    /// Wishes for the packets of what is chosen: a group's connections, or one.
    fn write(&mut self) -> Vec<Wish> {
        if !self.has_packets() {
            return Vec::new();
        }
        let id = |number: &u32| self.picture.entries[*number as usize].id();
        let ids: Vec<_> = match self.focus {
            Focus::Groups => self.view.rows.iter().map(id).take(WRITTEN).collect(),
            Focus::Rows | Focus::Detail => self.entry().map(Entry::id).into_iter().collect(),
        };
        if ids.is_empty() {
            self.said = Some("no connection is chosen".into());
            return Vec::new();
        }
        self.said = Some("writing packets".into());
        vec![Wish::Write(ids)]
    }

    /// Says so, where there are none.
    fn has_packets(&mut self) -> bool {
        let lists_only = matches!(self.setting.mode, Mode::Host { packets: Err(_), .. });
        if lists_only {
            self.said =
                Some("no packets are captured here: the kernel's list is all there is".into());
        }
        !lists_only
    }
}
