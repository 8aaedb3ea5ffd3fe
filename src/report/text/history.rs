//! CLOSE-WAIT over time, in a line.

use std::cmp::Reverse;

use super::curves::Curves;
use super::report::Report;
use crate::printable::printable;
use crate::report::lang::Lang;
use crate::report::pace::signed_pace;
use crate::summary::Capture;
use crate::summary::history::Series;
use crate::tcp::state::State;
use crate::units::thousands;

/// Characters of the line that is drawn.
const COLUMNS: usize = 24;

/// The characters that it is drawn with.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Captures that have a line of their own.
const CAPTURES: usize = 2;

impl Report<'_> {
    /// A line for each of the captures that something was in CLOSE-WAIT in, and not only at its end.
    pub fn history(&self) -> Curves {
        let all = &self.totals.captures;
        let (several, lang) = (all.len() > 1, self.lang());
        let name = |capture: &Capture| {
            let file = capture.files.first().and_then(|&file| self.totals.files.get(file));
            let aside = |file: &String| lang.aside(printable(file));
            file.filter(|_| several).map_or(String::new(), aside)
        };
        let line = |capture: &Capture| {
            let at_its_end = *capture.series()?.of(State::CloseWait)?.last()?;
            let curve = curve(capture, lang)?;
            Some((Reverse(at_its_end), format!("CLOSE-WAIT{} {curve}", name(capture))))
        };
        let lines = all.iter().filter_map(line).collect();
        Curves { lines, most: self.look.limit().unwrap_or(CAPTURES) }
    }
}

/// The curve, from how many to how many, and how fast they grow.
fn curve(capture: &Capture, lang: Lang) -> Option<String> {
    let series = capture.series()?;
    let counts = series.of(State::CloseWait)?;
    let (least, most) = (*counts.iter().min()?, *counts.iter().max()?);
    // One moment is no curve.
    (least < most && counts.iter().filter(|n| **n > 0).count() > 1).then_some(())?;
    let line: String = columns(counts).map(|n| LEVELS[level(n, most)]).collect();
    Some(format!("{line} {}", words(&series, State::CloseWait, lang)?))
}

/// Tells from how many to how many sockets were in a state, and how fast they grow.
pub fn words(series: &Series, state: State, lang: Lang) -> Option<String> {
    let counts = series.of(state)?;
    let (first, last, most) = (*counts.first()?, *counts.last()?, *counts.iter().max()?);
    let [first, last, most] = [first, last, most].map(|n| thousands(n.into()));
    let ends = if last == most {
        format!("{first} … {last}")
    } else {
        format!("{first} … {most} … {last}")
    };
    Some(format!("{ends}{}", growth(series, state, lang)))
}

/// The most of each column's times.
fn columns(counts: &[u32]) -> impl Iterator<Item = u32> {
    let columns = counts.len().min(COLUMNS);
    let edge = move |column: usize| column * counts.len() / columns;
    (0..columns).map(move |column| {
        let part = counts.get(edge(column)..edge(column + 1)).unwrap_or_default();
        part.iter().copied().max().unwrap_or(0)
    })
}

/// Zero is the lowest alone.
fn level(n: u32, most: u32) -> usize {
    let above = LEVELS.len() as u64 - 1;
    (u64::from(n) * above).div_ceil(u64::from(most.max(1))).min(above) as usize
}

fn growth(series: &Series, state: State, lang: Lang) -> String {
    series.per_minute(state).map_or(String::new(), |rate| signed_pace(rate, lang))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nothing_is_the_lowest_level() {
        assert_eq!([0, 1, 500, 999, 1_000].map(|n| level(n, 1_000)), [0, 1, 4, 7, 7]);
        assert_eq!([0, 1].map(|n| level(n, 1)), [0, 7]);
    }

    #[test]
    fn columns_are_no_more_than_there_is_room_for() {
        let counts: Vec<u32> = (0..200).collect();
        let columns: Vec<u32> = columns(&counts).collect();
        assert_eq!((columns.len(), columns.last()), (COLUMNS, Some(&199)));
        assert_eq!(super::columns(&[3, 1]).collect::<Vec<_>>(), [3, 1]);
    }
}
