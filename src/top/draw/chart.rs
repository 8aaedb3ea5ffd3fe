//! CLOSE-WAIT over time: the same counts as in the report, in bars, and below them the time line.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Modifier, Style};

use super::pen::{self, Pen};
use super::titled;
use crate::place::Time;
use crate::printable::printable;
use crate::report::lang::Lang;
use crate::report::outlook::outlook;
use crate::report::text::history::words;
use crate::summary::history::Series;
use crate::tcp::state::State;
use crate::top::app::{App, Mode};
use crate::top::reel::Reel;
use crate::top::samples::Holding;
use crate::units::{clock_time, thousands};

/// Columns for the numbers at the left.
const AXIS: u16 = 8;

const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// The area of the bars and of the time line, without the numbers.
pub fn plot(area: Rect) -> Rect {
    let width = area.width.saturating_sub(AXIS);
    Rect { x: area.x + AXIS.min(area.width), y: area.y + 1, width, height: area.height - 1 }
}

/// Draws bars of CLOSE-WAIT over time, and the time line below them.
pub fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let holdings = &app.holdings;
    let limit = holdings.first().map(|first| holding(app, first));
    let below = titled(buffer, area, &title(app), &limit.unwrap_or_default(), false);
    let more = holdings.get(1..).unwrap_or_default();
    let lines = more.len().min(usize::from(below.height.saturating_sub(3)));
    for (line, other) in more[..lines].iter().enumerate() {
        Pen::at(buffer, below, line).styled(&holding(app, other), pen::ASIDE);
    }
    let used = lines as u16;
    let plot = plot(area);
    let plot = Rect { y: plot.y + used, height: plot.height - used, ..plot };
    let bars = Rect { height: plot.height - 1, ..plot };
    let Some((from, until)) = range(app) else { return };
    let most = most(app).max(1);
    let now = app.picture.at();
    let series = app.picture.curve.as_ref().map(|curve| &curve.series);
    let whole = app.whole.as_ref().and_then(|whole| whole.curve.as_ref());
    let whole = whole.map(|curve| &curve.series);
    for column in 0..bars.width {
        let edge = |column: u16| between(from, until, f64::from(column) / f64::from(bars.width));
        let (begins, ends) = (edge(column), edge(column + 1));
        let is_past = begins <= now;
        let shown = if is_past { series } else { whole };
        let n = shown.map_or(0, |series| most_in(series, begins, ends));
        bar(buffer, bars, column, n, most, if is_past { pen::ALARM } else { pen::ASIDE });
    }
    numbers(buffer, Rect { y: bars.y, height: bars.height, x: area.x, width: AXIS }, most);
    time_line(app, Rect { y: bars.bottom(), height: 1, ..plot }, (from, until), buffer);
}

/// The series in words, as the report has it.
fn title(app: &App) -> String {
    let curve = app.picture.curve.as_ref();
    let told = curve.and_then(|curve| words(&curve.series, State::CloseWait, Lang::English));
    let file = curve.and_then(|curve| curve.file.as_deref());
    let file = file.map_or(String::new(), |file| format!(" ({})", printable(file)));
    format!("CLOSE-WAIT over time{file}  {}", told.unwrap_or_else(|| "0".into()))
}

/// A process, its descriptors, and when they run out.
pub fn holding(app: &App, holding: &Holding) -> String {
    let (now, zone) = (app.picture.at(), app.setting.zone);
    let (command, stuck) = (&holding.outlook.usage.command, thousands(holding.stuck));
    let rest = outlook(&holding.outlook, now, zone, Lang::English);
    format!("{command}[{}] {stuck} in {rest}", holding.pid)
}

/// The times at the left and the right.
fn range(app: &App) -> Option<(Time, Time)> {
    if let Some(Reel { first, end, .. }) = &app.clock.reel {
        return Some((*first, *end));
    }
    let curve = app.picture.curve.as_ref()?;
    Some((curve.from, curve.until))
}

fn most(app: &App) -> u32 {
    let of = |series: &Series| series.of(State::CloseWait)?.iter().copied().max();
    let whole = app.whole.as_ref().filter(|_| app.clock.reel.is_some());
    let pictures = [Some(&app.picture), whole].into_iter().flatten();
    pictures.filter_map(|picture| of(&picture.curve.as_ref()?.series)).max().unwrap_or(0)
}

fn between(from: Time, until: Time, part: f64) -> Time {
    from.after((until.since(from).unwrap_or(0) as f64 * part) as i64)
}

/// The most that a series has from one time to another.
fn most_in(series: &Series, begins: Time, ends: Time) -> u32 {
    let counts = series.of(State::CloseWait).unwrap_or_default();
    let width = series.width.num_nanoseconds().unwrap_or(i64::MAX).max(1);
    let bin = |at: Time| (at.since(series.from).unwrap_or(0) / width) as usize;
    let (first, last) = (bin(begins), bin(ends.before(1)).max(bin(begins)));
    counts.iter().skip(first).take(last + 1 - first).copied().max().unwrap_or(0)
}

/// One column; only nothing has no height.
fn bar(buffer: &mut Buffer, bars: Rect, column: u16, n: u32, most: u32, style: Style) {
    let eighths = u64::from(n) * u64::from(bars.height) * 8;
    let mut eighths = eighths.div_ceil(u64::from(most));
    for line in (0..bars.height).rev() {
        let here = eighths.min(8);
        eighths -= here;
        let cell = Rect { x: bars.x + column, y: bars.y + line, width: 1, height: 1 };
        Pen::new(buffer, cell).styled(EIGHTHS[here as usize], style);
    }
}

fn numbers(buffer: &mut Buffer, area: Rect, most: u32) {
    let width = usize::from(area.width) - 1;
    let most = thousands(most.into());
    Pen::at(buffer, area, 0).styled(&format!("{most:>width$}"), pen::ASIDE);
    if area.height > 1 {
        let last = usize::from(area.height) - 1;
        Pen::at(buffer, area, last).styled(&format!("{:>width$}", 0), pen::ASIDE);
    }
}

/// Times at both ends; of a replay, marks where it is and where findings begin.
fn time_line(app: &App, area: Rect, (from, until): (Time, Time), buffer: &mut Buffer) {
    Pen::new(buffer, area).rest("─", pen::ASIDE);
    let column = |reel: &Reel, at: Time| {
        let column = (reel.part(at) * f64::from(area.width)) as u16;
        column.min(area.width - 1)
    };
    let mark = |buffer: &mut Buffer, column: u16, symbol: &str, style| {
        let cell = Rect { x: area.x + column, width: 1, ..area };
        // Times stay readable; the mark of where it is shows on them.
        match buffer[(cell.x, cell.y)].symbol() {
            "─" | "│" => Pen::new(buffer, cell).styled(symbol, style),
            _ => buffer.set_style(cell, style),
        }
    };
    let text = |at: Time| clock_time(at, 0, app.setting.zone, false);
    let (left, right) = (format!("{} ", text(from)), format!(" {}", text(until)));
    Pen::new(buffer, area).styled(&left, pen::ASIDE);
    pen::right(buffer, area, &right, pen::ASIDE);
    if let (Some(reel), Mode::Replay) = (&app.clock.reel, &app.setting.mode) {
        // However many begin in a column, it has one mark; they are in order.
        let mut columns: Vec<u16> = reel.marks.iter().map(|at| column(reel, *at)).collect();
        columns.dedup();
        columns.into_iter().for_each(|column| mark(buffer, column, "│", pen::NOTE));
        let here = column(reel, app.picture.at());
        mark(buffer, here, "▲", pen::BOLD.add_modifier(Modifier::REVERSED));
    }
}
