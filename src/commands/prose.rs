//! A page of the manual as a terminal shows it: Markdown becomes lines of a width.

use std::io::{self, Write};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use textwrap::core::display_width;

use crate::report::lang::Lang;
use crate::report::text::page::separator;

/// Writes a page in lines of so many columns; commands, and what programs print, stay as they are.
pub fn write(out: &mut dyn Write, page: &str, columns: usize) -> io::Result<()> {
    let mut prose = Prose { out, columns, text: String::new(), is_code: false, table: Vec::new() };
    for event in Parser::new_ext(page, Options::ENABLE_TABLES) {
        prose.take(event)?;
    }
    prose.out.flush()
}

struct Prose<'a> {
    out: &'a mut dyn Write,
    columns: usize,
    /// The paragraph, the item or the cell that is open.
    text: String,
    is_code: bool,
    /// The rows of the table that is open, its head first.
    table: Vec<Vec<String>>,
}

/// The longest first column that text can stand beside.
const BESIDE: usize = 20;

impl Prose<'_> {
    fn take(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Start(Tag::CodeBlock(_)) => self.is_code = true,
            Event::Text(text) if self.is_code => self.code(&text)?,
            Event::Text(text) | Event::Code(text) => self.text.push_str(&text),
            Event::SoftBreak | Event::HardBreak => self.text.push(' '),
            // A list within an item begins below the item's own text.
            Event::Start(Tag::List(_)) if !self.text.is_empty() => self.item()?,
            Event::Start(Tag::TableHead | Tag::TableRow) => self.table.push(Vec::new()),
            Event::End(end) => self.end(end)?,
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, end: TagEnd) -> io::Result<()> {
        match end {
            TagEnd::Heading(_) => {
                let heading = std::mem::take(&mut self.text).to_uppercase();
                writeln!(self.out, "{heading}\n")
            }
            TagEnd::Paragraph => {
                self.wrapped("", "")?;
                writeln!(self.out)
            }
            TagEnd::Item => self.item(),
            TagEnd::List(_) => writeln!(self.out),
            TagEnd::CodeBlock => {
                self.is_code = false;
                writeln!(self.out)
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.text);
                self.table.last_mut().into_iter().for_each(|row| row.push(cell.clone()));
                Ok(())
            }
            TagEnd::Table => self.table(),
            _ => Ok(()),
        }
    }

    fn code(&mut self, text: &str) -> io::Result<()> {
        text.lines().try_for_each(|line| writeln!(self.out, "    {line}"))
    }

    fn item(&mut self) -> io::Result<()> {
        if self.text.is_empty() { Ok(()) } else { self.wrapped("* ", "  ") }
    }

    /// Two columns stand beside each other; more, below their names.
    fn table(&mut self) -> io::Result<()> {
        let table = std::mem::take(&mut self.table);
        let first = |row: &Vec<String>| row.first().map_or(0, |cell| display_width(cell));
        let widest = table.iter().map(first).max().unwrap_or(0);
        let Some((head, rows)) = table.split_first() else { return Ok(()) };
        for row in rows {
            match &row[..] {
                [name, text] if widest <= BESIDE => {
                    let pad = " ".repeat(widest - display_width(name));
                    self.text.clone_from(text);
                    self.wrapped(&format!("  {name}{pad}  "), &" ".repeat(widest + 4))?;
                }
                [name, cells @ ..] => {
                    self.text.clone_from(name);
                    self.wrapped("  ", "  ")?;
                    for (cell, head) in cells.iter().zip(&head[1..]) {
                        let colon = if head.is_empty() { "" } else { ": " };
                        self.text = format!("{head}{colon}{cell}");
                        self.wrapped("    ", "      ")?;
                    }
                }
                [] => {}
            }
        }
        writeln!(self.out)
    }

    /// Writes the open text, its first line after one thing and the others after another.
    fn wrapped(&mut self, first: &str, others: &str) -> io::Result<()> {
        let options = textwrap::Options::new(self.columns)
            .initial_indent(first)
            .subsequent_indent(others)
            .word_separator(separator(Lang::English))
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let text = std::mem::take(&mut self.text);
        textwrap::wrap(&text, options).into_iter().try_for_each(|line| writeln!(self.out, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(page: &str) -> String {
        let mut out = Vec::new();
        write(&mut out, page, 30).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_page_becomes_lines() {
        let page = "# Doubts\n\nSome `code`, **strong** and a [link](x.md) in a\nline.\n\n\
            * one item that is longer than a line is\n* two\n\n```sh\nclosewait  x.pcap                 # as it stands\n```\n";
        let lines = "DOUBTS\n\nSome code, strong and a link\nin a line.\n\n\
            * one item that is longer than\n  a line is\n* two\n\n    closewait  x.pcap                 # as it stands\n\n";
        assert_eq!(shown(page), lines);
    }

    #[test]
    fn tables_become_words_and_what_they_mean() {
        let two = "| doubt | when |\n|---|---|\n| `a` | it is so, and longer than a line |\n| `bc` | it is |\n";
        assert_eq!(
            shown(two),
            "  a      it is so, and longer\n         than a line\n  bc     it is\n\n"
        );
        let three = "| name | port | |\n|---|---|---|\n| MySQL | 3306 | x \\| y |\n";
        assert_eq!(shown(three), "  MySQL\n    port: 3306\n    x | y\n\n");
    }
}
