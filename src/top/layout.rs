//! The parts of the screen.

use ratatui_core::layout::Rect;

/// The smallest screen that has room for all parts.
pub const LEAST: (u16, u16) = (40, 16);

/// Columns from which on the detail stands beside the others.
const WIDE: u16 = 120;

/// The place of each part. Each begins with a line for its title, but for the first and the last line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The headline.
    pub head: Rect,
    /// CLOSE-WAIT over time.
    pub chart: Rect,
    /// The groups of findings.
    pub groups: Rect,
    /// The connections.
    pub rows: Rect,
    /// Everything about the chosen one.
    pub detail: Rect,
    /// The keys, and what was said last.
    pub foot: Rect,
}

impl Parts {
    /// Lays a screen out; `None` if it is too small. The detail can have the room of the lists, too.
    pub fn of(screen: Rect, is_zoomed: bool) -> Option<Parts> {
        if screen.width < LEAST.0 || screen.height < LEAST.1 {
            return None;
        }
        let mut left = screen;
        let head = cut(&mut left, 1);
        let height = left.height - 1;
        let chart = cut(&mut left, (height / 5).clamp(4, 14));
        let height = left.height - 1;
        let foot = Rect { y: screen.bottom() - 1, height: 1, ..screen };
        left.height = height;
        let mut detail = left;
        if is_zoomed {
            let none = Rect { height: 0, ..left };
            return Some(Parts { head, chart, groups: none, rows: none, detail, foot });
        }
        if screen.width >= WIDE {
            let width = screen.width / 2;
            left.width -= width + 1;
            detail = Rect { x: left.right() + 1, width, ..detail };
        } else {
            left.height -= height * 2 / 5;
            detail = Rect { y: left.bottom(), height: height * 2 / 5, ..detail };
        }
        let height = (left.height * 2 / 5).max(3);
        let groups = cut(&mut left, height);
        Some(Parts { head, chart, groups, rows: left, detail, foot })
    }
}

/// Takes the first lines away.
fn cut(area: &mut Rect, height: u16) -> Rect {
    let height = height.min(area.height);
    let first = Rect { height, ..*area };
    *area = Rect { y: area.y + height, height: area.height - height, ..*area };
    first
}

/// The lines of a list below its title, and below the heads of its columns where it has them.
pub fn lines(area: Rect, heads: u16) -> usize {
    usize::from(area.height.saturating_sub(1 + heads))
}

/// The first line of a list that is shown, so that the chosen one is: as near to the one before as can be.
pub fn scrolled(first: usize, chosen: usize, of: usize, lines: usize) -> usize {
    let last = of.saturating_sub(lines);
    let least = (chosen + 1).saturating_sub(lines);
    first.clamp(least.min(chosen), chosen).min(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_every_screen_and_do_not_overlap() {
        for (width, height) in [(40, 16), (80, 24), (119, 30), (120, 40), (300, 100)] {
            let screen = Rect { x: 0, y: 0, width, height };
            let parts = Parts::of(screen, false).expect("large enough");
            let all = [parts.head, parts.chart, parts.groups, parts.rows, parts.detail, parts.foot];
            let cells: u32 = all.iter().map(|part| part.area()).sum();
            let gap = if width >= WIDE { u32::from(parts.detail.height) } else { 0 };
            assert_eq!(cells + gap, screen.area(), "{width} × {height}");
            for (at, part) in all.iter().enumerate() {
                assert!(part.height > 0 && part.width > 0, "{width} × {height}");
                assert!(all[at + 1..].iter().all(|other| !part.intersects(*other)));
            }
            assert!(lines(parts.groups, 0) >= 2 && lines(parts.rows, 1) >= 1);
        }
        assert_eq!(Parts::of(Rect { x: 0, y: 0, width: 39, height: 50 }, false), None);
    }

    #[test]
    fn a_list_scrolls_no_further_than_it_must() {
        assert_eq!(scrolled(0, 0, 100, 10), 0);
        assert_eq!(scrolled(0, 10, 100, 10), 1);
        assert_eq!(scrolled(50, 55, 100, 10), 50);
        assert_eq!(scrolled(50, 40, 100, 10), 40);
        assert_eq!(scrolled(95, 99, 100, 10), 90);
        assert_eq!(scrolled(3, 0, 0, 10), 0);
    }
}
