//! Words of a report, explained one at a time.

use std::io::{self, Write};

use crate::set::Word as _;
use crate::summary::cause::Cause;
use crate::verdict::{Doubt, Note, Reason, Verdict};

/// A word: what kind it is of, in short, and at length.
struct Word {
    kind: &'static str,
    name: &'static str,
    short: Option<&'static str>,
    explained: &'static str,
}

fn words() -> impl Iterator<Item = Word> {
    let word = |kind, name, short, explained| Word { kind, name, short, explained };
    let verdicts =
        Verdict::ALL.into_iter().map(move |it| word("verdict", it.name(), None, it.explained()));
    let reasons = Reason::ALL.into_iter().map(move |it| {
        word("reason of an unknown", it.name(), Some(it.sentence()), it.explained())
    });
    let doubts = Doubt::ALL
        .iter()
        .map(move |it| word("doubt", it.name(), Some(it.sentence()), it.explained()));
    let causes =
        Cause::ALL.into_iter().map(move |it| word("cause", it.name(), None, it.explained()));
    let notes = Note::ALL.iter().map(move |it| word("note", it.name(), None, it.explained()));
    verdicts.chain(reasons).chain(doubts).chain(causes).chain(notes)
}

/// True if the word is one of them.
pub fn is_word(name: &str) -> bool {
    words().any(|word| word.name == name)
}

/// Every name, once.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = words().map(|word| word.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Columns of a terminal that nobody made wider.
const COLUMNS: usize = 80;

/// Writes what a word means, and what to do; of one that has several meanings, all.
pub fn write(out: &mut dyn Write, name: &str) -> io::Result<()> {
    for Word { kind, name, short, explained } in words().filter(|word| word.name == name) {
        match short {
            Some(short) => {
                let line = format!("{name} ({kind}): {short}.");
                writeln!(out, "{}\n", textwrap::fill(&line, COLUMNS))?;
            }
            None => writeln!(out, "{name} ({kind})\n")?,
        }
        writeln!(out, "{}\n", textwrap::fill(explained, COLUMNS))?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_report_is_explained() {
        let counts = |kind| words().filter(|word| word.kind == kind).count();
        assert_eq!(counts("verdict"), Verdict::NAMES.len());
        assert!(Verdict::ALL.iter().zip(Verdict::NAMES).all(|(it, name)| it.name() == name));
        assert_eq!((counts("doubt"), counts("note")), (Doubt::ALL.len(), Note::ALL.len()));
        for word in words() {
            assert!(word.explained.len() > 40 && word.explained.ends_with('.'), "{}", word.name);
        }
        // `unknown` is a verdict and a cause.
        let mut out = Vec::new();
        write(&mut out, "unknown").expect("memory");
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("unknown (verdict)") && text.contains("unknown (cause)"), "{text}");
    }
}
