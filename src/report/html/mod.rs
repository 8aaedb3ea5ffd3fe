//! `--format html`: an incident in one file, for whoever was not there.
//!
//! The page asks nothing of anybody: its style and its script stand in it, and its policy allows no
//! request. Without the script all of it can be read. What it says comes from where the text has it:
//! the same sentences and the same numbers.
//!
//! * `frame`: head, policy, style and script; `page`: the parts in their order; `document`: what they tell of
//! * `answer`, `states`, `holds`, `groups`, `idle`, `closes`, `flames`, `findings`, `capture`: the parts
//! * `ladder`: one connection packet by packet, [`strip`]: those packets; `plot`: shapes of plots
//!
//! Templates are maud's: checked and escaped by the compiler, with no more than a macro behind them
//! (askama has a language and files of its own). Plots are a few shapes that stretch with the page and
//! take its colours; of the crates weighed, plotters draws with fixed ones, poloto is not kept up, and
//! charming brings a megabyte of script.

mod answer;
mod capture;
mod closes;
mod document;
mod findings;
mod flames;
pub(super) mod frame;
mod groups;
mod holds;
mod idle;
mod ladder;
mod page;
mod plot;
mod states;
pub mod strip;

use std::io::{self, Write};

use strip::Strip;

use super::lang::Lang;
use super::stacks::Stacks;
use super::text::TextLook;
use super::text::gathered::Gathered;
use super::text::page::Screen;
use crate::owner::Socket;
use crate::printable::printable;
use crate::summary::seen::Seen;
use crate::summary::{Row, Sink, Totals};
use document::Document;
use findings::ROWS;
use page::page;

/// Connections of a group each that are shown packet by packet.
const LADDERS: usize = 6;

/// Gathers findings and writes the page at the end.
pub struct Html<W> {
    out: W,
    look: TextLook,
    made_by: String,
    gathered: Gathered,
    /// By what was said, and by the code behind those connections where it is known.
    stacks: Stacks,
    code: Stacks,
    strips: Vec<Strip>,
}

impl<W: Write> Html<W> {
    /// `made_by` is the command line, as a shell reads it.
    pub fn new(out: W, look: TextLook, made_by: String) -> Html<W> {
        // Whoever reads it cannot ask for more.
        let screen = Screen { lang: Lang::English, ..look.screen };
        let look = TextLook { top: Some(0), screen, ..look };
        let gathered = Gathered::keeping(ROWS);
        let (stacks, code) = (Stacks::default(), Stacks::default());
        Html { out, look, made_by, gathered, stacks, code, strips: Vec::new() }
    }

    fn count(&mut self, row: &Row) {
        self.stacks.count_said(row);
        if row.owner.code().is_some() {
            self.code.count(row);
        }
    }

    /// One connection of each of the largest groups, that which was held longest: to be looked at
    /// packet by packet.
    pub fn examples(&self) -> Vec<Seen> {
        let groups = self.gathered.found.groups.sorted();
        groups.into_iter().take(LADDERS).map(|group| Seen::clone(&group.longest)).collect()
    }

    /// Takes the packets of examples.
    pub fn explain(&mut self, strips: Vec<Strip>) {
        self.strips = strips;
    }
}

impl<W: Write> Sink for Html<W> {
    /// They are put in order by how long they were held.
    fn takes_any_order(&self) -> bool {
        true
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        self.count(row);
        self.gathered.row(row, false);
        Ok(())
    }

    fn unreported(&mut self, row: &Row) -> io::Result<()> {
        self.count(row);
        Ok(())
    }

    fn stuck_before(&mut self, socket: &Socket) -> io::Result<()> {
        self.stacks.count_before(socket);
        self.gathered.stuck_before(socket);
        Ok(())
    }

    fn end(&mut self, totals: &Totals) -> io::Result<()> {
        let document = Document {
            report: self.gathered.report(&self.look, totals),
            groups: self.gathered.found.groups.sorted(),
            stacks: &self.stacks,
            code: &self.code,
            strips: &self.strips,
            made_by: &self.made_by,
        };
        self.out.write_all(page(&document).into_string().as_bytes())?;
        self.out.flush()?;
        self.gathered = Gathered::keeping(ROWS);
        (self.stacks, self.code) = (Stacks::default(), Stacks::default());
        self.strips.clear();
        Ok(())
    }
}

/// Characters of a name or a statement that are shown.
const LONG: usize = 200;

/// A text that others chose: safe to show, and not longer than a reader reads.
pub(super) fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(LONG).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    printable(&shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_turned_ones_straightened() {
        assert_eq!(short("a\u{202e}b"), "a\u{fffd}b");
        assert_eq!(short(&"é".repeat(65_536)).chars().count(), LONG + 1);
    }
}
