//! Conversations as two flame graphs beside each other: of what was left, and of what was closed. By the code
//! behind them where it is known, and by what was said.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::document::Document;
use super::plot::number;
use super::short;
use crate::report::stacks::{Count, Stacks};
use crate::units::{count, thousands};

/// The width of a graph and the height of a frame, in pixels; of a character of its font, about.
const WIDE: f64 = 540.0;
const HIGH: f64 = 18.0;
const CHARACTER: f64 = 6.7;

/// Frames that are drawn: narrower ones are left out, and deeper ones.
const NARROWEST: f64 = 2.0;
const DEEPEST: usize = 24;
const MOST: usize = 300;

/// A frame with all above it.
#[derive(Default)]
struct Flame<'a> {
    connections: u64,
    above: BTreeMap<&'a str, Flame<'a>>,
}

impl<'a> Flame<'a> {
    fn of(stacks: impl Iterator<Item = (&'a str, u64)>) -> Flame<'a> {
        let mut root = Flame::default();
        for (stack, n) in stacks.filter(|(_, n)| *n > 0) {
            root.connections += n;
            let mut at = &mut root;
            for name in stack.split(';').take(DEEPEST) {
                at = at.above.entry(name).or_default();
                at.connections += n;
            }
        }
        root
    }

    fn depth(&self) -> usize {
        self.above.values().map(|frame| 1 + frame.depth()).max().unwrap_or(0)
    }
}

/// A frame on its place.
struct Drawn<'a> {
    name: &'a str,
    connections: u64,
    left: f64,
    wide: f64,
    level: usize,
}

fn draw<'a>(frame: &Flame<'a>, left: f64, scale: f64, level: usize, into: &mut Vec<Drawn<'a>>) {
    let mut left = left;
    for (name, above) in &frame.above {
        let wide = above.connections as f64 * scale;
        if wide >= NARROWEST && into.len() < MOST {
            into.push(Drawn { name, connections: above.connections, left, wide, level });
            draw(above, left, scale, level + 1, into);
        }
        left += wide;
    }
}

/// Flames of one kind of stacks: of what was left, and of what was closed.
struct Pair<'a> {
    left: Flame<'a>,
    well: Flame<'a>,
}

impl<'a> Pair<'a> {
    fn of(stacks: &'a Stacks) -> Pair<'a> {
        let of = |which: fn(Count) -> u64| {
            Flame::of(stacks.iter().map(move |(stack, n)| (stack, which(n))))
        };
        Pair { left: of(|n| n.findings), well: of(|n| n.closed) }
    }

    /// Draws them beside each other, after some words about them.
    fn beside(&self, words: &Markup) -> Option<Markup> {
        (self.left.connections > 0).then(|| html! {
            (words)
            div.flames {
                (graph(&self.left, "left", "Left in CLOSE-WAIT"))
                @if self.well.connections > 0 { (graph(&self.well, "well", "Closed by both sides: a sample")) }
            }
        })
    }
}

pub fn part(page: &Document) -> Option<Markup> {
    let (code, said) = (Pair::of(page.code), Pair::of(page.stacks));
    let of = (code.left.connections, said.left.connections);
    let by_code = code.beside(&html! {
        h3 { "By code" }
        p.soft {
            "From below: the peer, user and database, the functions that began the transaction or asked last, statements in order, how it ended. "
            @if of.0 < of.1 { "The code of " (thousands(of.0)) " of " (count(of.1, "connection")) " is known. " }
            @if code.well.connections == 0 { "Of connections that were closed no code was kept." }
        }
    });
    let by_statement = said.beside(&html! {
        @if by_code.is_some() { h3 { "By statement" } }
        p.soft {
            "From below: the peer, user and database, statements in order, how it ended. What only the left one has stands out. "
            @if said.well.connections == 0 { "No connection that was closed told what was said on it." }
        }
    });
    by_statement.map(|by_statement| html! { (by_code.unwrap_or_default()) (by_statement) })
}

fn graph(root: &Flame, class: &str, title: &str) -> Markup {
    let levels = root.depth();
    let high = levels as f64 * HIGH;
    let mut frames = Vec::new();
    draw(root, 0.0, WIDE / root.connections.max(1) as f64, 0, &mut frames);
    let title = format!("{title}: {}", count(root.connections, "connection"));
    html! {
        figure {
            figcaption { (title) }
            div.scroll tabindex="0" role="region" aria-label=(title) {
                svg viewBox={ "0 0 " (WIDE) " " (high) } role="img" aria-label={ (title) ". " (told(&frames)) } {
                    @for frame in &frames { (shape(frame, class, high)) }
                }
            }
        }
    }
}

/// The lines of a graph, for whoever cannot see it: the widest frames from below.
fn told(frames: &[Drawn]) -> String {
    let line = |frame: &Drawn| format!("{}: {}", short(frame.name), thousands(frame.connections));
    frames.iter().take(12).map(line).collect::<Vec<_>>().join("; ")
}

fn shape(frame: &Drawn, class: &str, high: f64) -> Markup {
    let Drawn { name, connections, left, wide, level } = *frame;
    let y = high - HIGH * (level + 1) as f64;
    let room = ((wide - 6.0) / CHARACTER) as usize;
    let words = match name.chars().count() {
        n if n <= room => name.to_owned(),
        _ if room < 3 => String::new(),
        _ => name.chars().take(room - 1).chain(['…']).collect(),
    };
    html! {
        g {
            title { (short(name)) ": " (count(connections, "connection")) }
            rect class=(class) x=(number(left)) y=(number(y)) width=(number(wide)) height=(HIGH) {}
            @if !words.is_empty() {
                text x=(number(left + 3.0)) y=(number(y + 13.0)) { (words) }
            }
        }
    }
}
