//! With inferno.

use std::collections::BTreeMap;
use std::io::{self, Write};

use inferno::flamegraph::color::{BackgroundColor, BasicPalette, Color, Palette, PaletteMap};
use inferno::flamegraph::{Options, TextTruncateDirection, from_lines};

use super::NotBuiltIn;
use crate::report::stacks::Count;
use crate::units::thousands;

/// Asked before anything is read.
pub fn check() -> Result<(), NotBuiltIn> {
    Ok(())
}

/// Stacks, as wide as they have connections.
pub fn graph<'a>(
    out: &mut dyn Write,
    counts: impl Iterator<Item = (&'a str, u64)>,
    all: bool,
) -> io::Result<()> {
    let counts: Vec<(&str, u64)> = counts.filter(|(_, count)| *count > 0).collect();
    let total: u64 = counts.iter().map(|(_, count)| count).sum();
    let title = match (total, all) {
        (0, false) => return nothing(out, "No connection was left in CLOSE-WAIT"),
        (0, true) => return nothing(out, "No connection was captured"),
        (_, false) => format!("{} left in CLOSE-WAIT", connections(total)),
        (_, true) => format!("{}, and how they ended", connections(total)),
    };
    let lines: Vec<String> =
        counts.iter().map(|(stack, count)| format!("{stack} {count}")).collect();
    let mut palette = PaletteMap::default();
    for ending in counts.iter().map(|(stack, _)| last(stack)) {
        palette.insert(ending, color_of(ending));
    }
    let mut options = options(title, LEGEND, "connections");
    options.palette_map = Some(&mut palette);
    draw(&mut options, &lines, out)
}

const LEGEND: &str = "from below: the peer, user and database, statements in order, how it ended";

/// The colours of what was left and of what was closed, where only one of them is.
const LEFT: Color = color([240, 90, 80]);
const CLOSED: Color = color([110, 150, 240]);
const EVEN: Color = color([225, 225, 225]);

const fn color([r, g, b]: [u8; 3]) -> Color {
    Color { r, g, b }
}

/// The last frame of a stack says how it ended.
fn color_of(ending: &str) -> Color {
    match ending {
        "closed" => CLOSED,
        ending if ending.starts_with("CLOSE-WAIT") => LEFT,
        _ => EVEN,
    }
}

fn options(title: String, subtitle: &str, count_name: &str) -> Options<'static> {
    let mut options = Options::default();
    options.title = title;
    options.subtitle = Some(subtitle.into());
    options.count_name = count_name.into();
    options.name_type = "Frame:".into();
    options.font_type = "monospace".into();
    options.text_truncate_direction = TextTruncateDirection::Right;
    options.colors = Palette::Basic(BasicPalette::Orange);
    options.bgcolors = Some(BackgroundColor::Flat(color([250, 250, 250])));
    // The same capture gives the same file.
    options.deterministic = true;
    options
}

fn draw(options: &mut Options, lines: &[String], out: &mut dyn Write) -> io::Result<()> {
    from_lines(options, lines.iter().map(String::as_str), out)
}

/// Draws a sentence, where there is nothing else to be seen.
fn nothing(out: &mut dyn Write, sentence: &str) -> io::Result<()> {
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"800\" height=\"60\">\
         <text x=\"20\" y=\"36\" font-family=\"monospace\">{sentence}</text></svg>"
    )
}

fn connections(n: u64) -> String {
    format!("{} connection{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// Parts of the width that each side has, however many connections it has.
const PARTS: u64 = 10_000;

/// Draws what was left against what was closed. Half of the width is one side's, half the other's,
/// so that few leaks are seen among many others; each frame has the colour of the side that is more
/// in it.
///
/// inferno's own differences are a stack's, not a frame's: a COMMIT under other statements would stay
/// white. So colours are chosen here, by the marks that it takes off again (`_[k]`).
pub fn diff<'a>(
    out: &mut dyn Write,
    counts: impl Iterator<Item = (&'a str, Count)>,
) -> io::Result<()> {
    let counts: Vec<(&str, Count)> = counts.filter(|(_, c)| c.findings + c.closed > 0).collect();
    let (frames, total) = frames(&counts);
    if counts.is_empty() {
        return nothing(out, "No connection was left in CLOSE-WAIT, and none was closed");
    }
    let mut palette = PaletteMap::default();
    // The one below all others.
    palette.insert("", EVEN);
    let lines: Vec<String> = counts
        .iter()
        .map(|(stack, count)| {
            let marked: Vec<String> = prefixes(stack)
                .map(|prefix| {
                    let (name, color) = marked(prefix, &frames, total);
                    palette.insert(&name, color);
                    name
                })
                .collect();
            format!("{} {}", marked.join(";"), width(*count, total).max(1))
        })
        .collect();
    let title = format!("{} left in CLOSE-WAIT against {} closed", total.findings, total.closed);
    let subtitle = "red: left more often; blue: closed more often; each side has half of the width";
    let mut options = options(title, subtitle, "of 20,000 parts of the width");
    options.palette_map = Some(&mut palette);
    draw(&mut options, &lines, out)
}

/// The counts of each frame, by the stack up to it, and of all.
fn frames<'a>(counts: &[(&'a str, Count)]) -> (BTreeMap<&'a str, Count>, Count) {
    let mut frames: BTreeMap<&str, Count> = BTreeMap::new();
    let mut total = Count::default();
    for (stack, count) in counts {
        for prefix in prefixes(stack) {
            let frame = frames.entry(prefix).or_default();
            frame.findings += count.findings;
            frame.closed += count.closed;
        }
        total.findings += count.findings;
        total.closed += count.closed;
    }
    (frames, total)
}

/// Each frame's stack: `a`, `a;b`, `a;b;c`.
fn prefixes(stack: &str) -> impl Iterator<Item = &str> {
    let ends = stack.match_indices(';').map(|(at, _)| at).chain([stack.len()]);
    ends.filter_map(|end| stack.get(..end))
}

fn last(stack: &str) -> &str {
    stack.rsplit(';').next().unwrap_or(stack)
}

/// The parts of one side.
fn share(n: u64, of: u64) -> u64 {
    if of == 0 { 0 } else { (u128::from(n) * u128::from(PARTS) / u128::from(of)) as u64 }
}

fn width(count: Count, total: Count) -> u64 {
    share(count.findings, total.findings) + share(count.closed, total.closed)
}

/// A frame's name with its counts and the mark of its colour.
fn marked(prefix: &str, frames: &BTreeMap<&str, Count>, total: Count) -> (String, Color) {
    let count = frames.get(prefix).copied().unwrap_or_default();
    let name = last(prefix);
    let (red, blue) = (share(count.findings, total.findings), share(count.closed, total.closed));
    let (mark, color) = match (count.findings, count.closed) {
        (_, 0) => ("_[k]", LEFT),
        (0, _) => ("_[j]", CLOSED),
        _ if red > blue + blue / 4 => ("_[w]", color([250, 190, 180])),
        _ if blue > red + red / 4 => ("_[i]", color([190, 205, 250])),
        _ => ("", EVEN),
    };
    let counts = format!("{} left, {} closed", count.findings, count.closed);
    (format!("{name} | {counts}{mark}"), color)
}
