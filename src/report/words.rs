//! Words of a report, explained one at a time.

use std::io::{self, Write};

use super::lang::{Lang, Named};
use super::terms::{TERMS, Term};
use super::text::page::separator;
use crate::set::Word as _;
use crate::summary::cause::Cause;
use crate::verdict::{Doubt, Note, Reason, Verdict};

/// States as `ss` and `netstat` write them, with their names in RFC 9293.
const SPELLED: [(&str, &str); 5] = [
    ("ESTAB", "ESTABLISHED"),
    ("SYN-RECV", "SYN-RECEIVED"),
    ("FIN-WAIT1", "FIN-WAIT-1"),
    ("FIN-WAIT2", "FIN-WAIT-2"),
    ("LISTENING", "LISTEN"),
];

/// A word: what kind it is of, in short, and at length.
struct Word {
    kind: [&'static str; 2],
    name: &'static str,
    short: Option<[&'static str; 2]>,
    explained: &'static str,
    /// Its Chinese name, and what it means.
    chinese: [&'static str; 2],
}

impl Word {
    fn new(kind: [&'static str; 2], it: impl Named, explained: &'static str) -> Word {
        Word { kind, name: it.key(), short: None, explained, chinese: it.chinese() }
    }

    fn of_term(term: &'static Term) -> Word {
        let Term { name, kind, explained, chinese } = *term;
        Word { kind, name, short: None, explained, chinese }
    }

    /// Programs write a state in ways of their own: `CLOSE_WAIT`, `ESTAB`.
    fn is(&self, name: &str) -> bool {
        let hyphened = name.replace('_', "-");
        let is = |spelled: &&(&str, &str)| spelled.0.eq_ignore_ascii_case(&hyphened);
        let own = SPELLED.iter().find(is).map_or(&*hyphened, |(_, own)| own);
        self.name.eq_ignore_ascii_case(own) || self.chinese[0] == name
    }

    /// Its name, its kind, and what it means in short.
    fn heading(&self, lang: Lang) -> String {
        let (name, [english, chinese]) = (self.name, self.kind);
        match (lang, self.short) {
            (Lang::English, Some([short, _])) => format!("{name} ({english}): {short}."),
            (Lang::English, None) => format!("{name} ({english})"),
            (Lang::Chinese, Some([_, short])) => {
                format!("{name} {}（{chinese}）：{short}。", self.chinese[0])
            }
            (Lang::Chinese, None) => format!("{name} {}（{chinese}）", self.chinese[0]),
        }
    }

    fn explained(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::English => self.explained,
            Lang::Chinese => self.chinese[1],
        }
    }
}

fn words() -> impl Iterator<Item = Word> {
    let verdicts = Verdict::ALL.map(|it| Word::new(["verdict", "结论"], it, it.explained()));
    let reasons = Reason::ALL.map(|it| {
        let short = Some([it.sentence(), Lang::Chinese.reason_sentence(it)]);
        let kind = ["reason of an unknown", "无法判断的原因"];
        Word { short, ..Word::new(kind, it, it.explained()) }
    });
    let doubts = Doubt::ALL.iter().map(|it| {
        let short = Some([it.sentence(), Lang::Chinese.doubt_sentence(*it)]);
        Word { short, ..Word::new(["doubt", "疑点"], *it, it.explained()) }
    });
    let causes = Cause::ALL.map(|it| Word::new(["cause", "原因"], it, it.explained()));
    let notes = Note::ALL.iter().map(|it| Word::new(["note", "注记"], *it, it.explained()));
    let terms = TERMS.iter().map(Word::of_term);
    verdicts.into_iter().chain(reasons).chain(doubts).chain(causes).chain(notes).chain(terms)
}

/// True if the word is one of them, in whatever language.
pub fn is_word(name: &str) -> bool {
    words().any(|word| word.is(name))
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

/// Writes what a word means, and what to do; of one that has several meanings, all: first what is written just so.
pub fn write(out: &mut dyn Write, name: &str, lang: Lang) -> io::Result<()> {
    let lines = || textwrap::Options::new(COLUMNS).word_separator(separator(lang));
    let (just_so, others): (Vec<Word>, Vec<Word>) =
        words().filter(|word| word.is(name)).partition(|word| word.name == name);
    for word in just_so.into_iter().chain(others) {
        writeln!(out, "{}\n", textwrap::fill(&word.heading(lang), lines()))?;
        writeln!(out, "{}\n", textwrap::fill(word.explained(lang), lines()))?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::tcp::state::State;

    #[test]
    fn every_word_of_a_report_is_explained() {
        let counts = |kind| words().filter(|word| word.kind[0] == kind).count();
        assert_eq!(counts("verdict"), Verdict::NAMES.len());
        assert!(Verdict::ALL.iter().zip(Verdict::NAMES).all(|(it, name)| it.name() == name));
        assert_eq!((counts("doubt"), counts("note")), (Doubt::ALL.len(), Note::ALL.len()));
        for word in words() {
            assert!(word.explained.len() > 40 && word.explained.ends_with('.'), "{}", word.name);
        }
        assert!(is_word("close_wait") && is_word("recv-q") && is_word("Held"));
        let closing = [State::CloseWait, State::LastAck, State::FinWait1, State::FinWait2];
        let others = [State::Established, State::Closing, State::TimeWait];
        assert!(closing.iter().chain(&others).all(|state| is_word(state.name())));
        // And whatever `ss` and `netstat` print.
        let printed = ["LISTEN", "Send-Q", "SYN_RECV", "ESTAB", "FIN_WAIT2", "syn-sent"];
        assert!(printed.iter().all(|word| is_word(word)));
        // `unknown` is a verdict and a cause.
        let mut out = Vec::new();
        write(&mut out, "unknown", Lang::English).expect("memory");
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("unknown (verdict)") && text.contains("unknown (cause)"), "{text}");
    }

    #[test]
    fn chinese_is_as_wide_as_english() {
        for name in names() {
            let mut out = Vec::new();
            write(&mut out, name, Lang::Chinese).expect("memory");
            let text = String::from_utf8(out).expect("text");
            assert!(text.lines().all(|line| line.width() <= COLUMNS), "{text}");
            assert!(text.starts_with(name) && text.contains('。'), "{text}");
        }
        for word in words() {
            assert!(is_word(word.name) && is_word(word.chinese[0]), "{}", word.name);
        }
    }
}
