//! The groups: the same as in the report, the largest first, then what is no finding.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;

use super::columns::{Column, laid_out};
use super::pen::{self, Pen};
use super::{mark, titled};
use crate::report::lang::Lang;
use crate::report::text::code::in_short;
use crate::report::text::groups::{cause, holder, party, statements};
use crate::summary::groups::Group;
use crate::summary::hold::Hold;
use crate::top::app::{App, Focus, Kind};
use crate::top::layout::lines;
use crate::units::thousands;
use crate::verdict::Verdict;

const COLUMNS: [Column; 8] = [
    Column { head: "", rank: 9, is_number: true },
    Column { head: "", rank: 8, is_number: false },
    Column { head: "", rank: 7, is_number: false },
    Column { head: "", rank: 6, is_number: false },
    Column { head: "", rank: 5, is_number: false },
    Column { head: "", rank: 2, is_number: false },
    Column { head: "", rank: 4, is_number: false },
    Column { head: "", rank: 3, is_number: false },
];

pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let title = format!("Groups ({})", thousands(app.picture.groups.len() as u64));
    let filtered = if app.filter.is_empty() { "" } else { app.filter.text() };
    let below = titled(buffer, area, &title, filtered, app.focus == Focus::Groups);
    let shown = app.view.kinds.iter().skip(app.groups.first).take(lines(area, 0));
    let rows: Vec<Vec<String>> = shown.map(|(kind, n)| row(app, *kind, *n)).collect();
    let (_, lines) = laid_out(&COLUMNS, &rows, usize::from(below.width));
    for (at, line) in lines.iter().enumerate() {
        let is_finding = app
            .view
            .kinds
            .get(app.groups.first + at)
            .is_some_and(|(kind, n)| matches!(kind, Kind::Group(_) | Kind::Others) && *n > 0);
        let style = if is_finding { pen::ALARM } else { pen::ASIDE };
        let (number, rest) = line.split_at(line.len() - line.trim_start().len());
        let (count, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut pen = Pen::at(buffer, below, at);
        pen.plain(number);
        pen.styled(count, style);
        pen.plain(&format!(" {rest}"));
    }
    mark(app, buffer, below, app.groups.chosen.saturating_sub(app.groups.first), Focus::Groups);
}

fn row(app: &App, kind: Kind, n: usize) -> Vec<String> {
    let mut row = match kind {
        Kind::All => vec![String::new(), "all that are listed".into()],
        Kind::Group(place) => {
            return app.picture.groups.get(place).map_or(Vec::new(), |group| group_row(group, n));
        }
        Kind::Others => vec![String::new(), "in small groups".into()],
        Kind::Verdict(verdict) => {
            vec![String::new(), Verdict::NAMES.get(verdict).copied().unwrap_or_default().into()]
        }
    };
    row[0] = thousands(n as u64);
    row.resize(COLUMNS.len(), String::new());
    row
}

fn group_row(group: &Group, n: usize) -> Vec<String> {
    let n = match n as u64 == group.count {
        true => thousands(group.count),
        false => format!("{}/{}", thousands(n as u64), thousands(group.count)),
    };
    let held = group.held().map_or(String::new(), |(least, most)| Hold::short_range(least, most));
    let idle = group.idle().map_or(String::new(), |idle| match group.timeout() {
        Some(timeout) => format!("idle {} s", timeout.about_s()),
        None => format!("idle {idle}"),
    });
    let code = group.code.as_deref().and_then(in_short);
    let code = code.or_else(|| group.said.code.as_ref().map(|code| format!("by {code}")));
    vec![
        n,
        party(group, Lang::English),
        holder(&group.process, Lang::English),
        cause(group, Lang::English),
        held,
        idle,
        statements(&group.said, Lang::English),
        code.unwrap_or_default(),
    ]
}
