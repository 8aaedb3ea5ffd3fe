//! A page: lines as wide as the terminal, in the characters that it has.

use std::io::{self, Write};

use textwrap::WordSeparator;
use textwrap::core::{Word, display_width};

use crate::report::lang::Lang;

/// The abilities of the output, and of its reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// Columns of a terminal; whole lines where there is none.
    pub width: Option<usize>,
    /// Its locale has no other characters than ASCII.
    pub ascii: bool,
    /// The language of the reader.
    pub lang: Lang,
}

/// Lines of a screen that is not known: as high and as wide as the first terminals were.
pub const HEIGHT: usize = 24;
/// Columns of such a screen.
pub const WIDTH: usize = 80;

/// Narrower than this, nothing can be laid out.
pub const NARROWEST: usize = 20;

impl Screen {
    /// Columns that a layout can count on.
    pub fn columns(self) -> usize {
        self.width.unwrap_or(WIDTH).max(NARROWEST)
    }

    /// The number of lines that a line takes: one, where lines are whole.
    pub fn height(self, line: &str) -> usize {
        match self.width {
            None => 1,
            Some(_) if is_command(line) => display_width(line).div_ceil(self.columns()).max(1),
            Some(_) => wrapped(line, self.columns(), self.lang).len(),
        }
    }
}

/// A writer that breaks lines between words, and goes on a little to the right.
#[derive(Debug)]
pub struct Page<W> {
    out: W,
    screen: Screen,
    line: Vec<u8>,
}

impl<W: Write> Page<W> {
    /// Writes to `out` what the screen can show.
    pub fn new(out: W, screen: Screen) -> Page<W> {
        Page { out, screen, line: Vec::new() }
    }

    fn write_line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let mut text = String::from_utf8_lossy(&line).into_owned();
        if self.screen.ascii {
            text = in_ascii(&text);
        }
        if self.screen.width.is_some() && !is_command(&text) {
            text = wrapped(&text, self.screen.columns(), self.screen.lang).join("\n");
        }
        text.push('\n');
        // At once: nothing else is written between the parts of a line.
        self.out.write_all(text.as_bytes())
    }
}

impl<W: Write> Write for Page<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        for part in octets.split_inclusive(|octet| *octet == b'\n') {
            match part.strip_suffix(b"\n") {
                Some(end) => {
                    self.line.extend_from_slice(end);
                    self.write_line()?;
                }
                None => self.line.extend_from_slice(part),
            }
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// True for a line to be copied: a terminal breaks it where it must, and copies it whole.
fn is_command(line: &str) -> bool {
    let begins = ["next: ", "下一步: ", "tshark "];
    begins.iter().any(|word| line.starts_with(word))
}

/// The parts of a line: those after the first stand to the right of where it begins.
pub fn wrapped(line: &str, columns: usize, lang: Lang) -> Vec<String> {
    let begins = line.len() - line.trim_start_matches(' ').len();
    let further = " ".repeat((begins + 4).min(columns / 2));
    let options = textwrap::Options::new(columns)
        .subsequent_indent(&further)
        .word_separator(separator(lang))
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(false);
    textwrap::wrap(line, options).into_iter().map(|part| part.into_owned()).collect()
}

/// The places where a line may be broken: Chinese has no blanks between words.
pub fn separator(lang: Lang) -> WordSeparator {
    match lang {
        Lang::English => WordSeparator::Custom(|line| Box::new(between_words(line))),
        Lang::Chinese => WordSeparator::Custom(|line| Box::new(after_stops(line))),
    }
}

/// Words with the blanks behind them, but for a number with its unit or what it counts, a flag or a sign with its
/// number: those are one.
fn between_words(line: &str) -> impl Iterator<Item = Word<'_>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let begins = |at: &usize| rest[*at..].starts_with(' ') && !rest[at + 1..].starts_with(' ');
        let blanks = rest.match_indices(' ').map(|(at, _)| at).filter(begins);
        let end = blanks.map(|at| at + 1).find(|next| !are_one(&rest[..*next], &rest[*next..]));
        let (part, further) = rest.split_at(end.unwrap_or(rest.len()));
        rest = further;
        (!part.is_empty()).then(|| Word::from(part))
    })
}

/// Tells whether what is behind a blank belongs to what is before it.
fn are_one(before: &str, behind: &str) -> bool {
    let word = before.strip_suffix(' ').and_then(|before| before.rsplit(' ').next());
    let word = plain(word.unwrap_or_default());
    let number = word.trim_start_matches(['≥', '≤', '~', '±', '+', '(']).replace(',', "");
    match behind.chars().next() {
        Some(next) if next.is_alphabetic() => number.parse::<f64>().is_ok(),
        Some(next) => {
            next.is_ascii_digit() && (word.starts_with("--") || ["≥", "≤", "~"].contains(&&*word))
        }
        None => false,
    }
}

/// Full-width punctuation that ends something.
const STOPS: [char; 7] = ['，', '。', '；', '：', '、', '）', '？'];

/// Parts that end with blanks, or with a full stop or its like: never in a name, which may be Chinese, too, nor
/// between a number and what it counts.
pub fn after_stops(line: &str) -> impl Iterator<Item = Word<'_>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let mut before = ['x'; 2];
        let end = rest.char_indices().find(|(at, c)| {
            let [older, last] = before;
            before = [last, *c];
            *c != ' '
                && match last {
                    ' ' if c.is_ascii() => !are_one(&rest[..*at], &rest[*at..]),
                    ' ' => !older.is_ascii_digit(),
                    last => STOPS.contains(&last) && !STOPS.contains(c),
                }
        });
        let (part, further) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        rest = further;
        (!part.is_empty()).then(|| Word::from(part))
    })
}

/// A line without the codes of its colours, for what has others.
pub fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default();
    let rest = parts.filter_map(|part| part.split_once('m').map(|(_, text)| text));
    rest.fold(first.to_owned(), |text, part| text + part)
}

/// The marks of a report in ASCII; what else there is came from names, and stays.
pub fn in_ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '≥' => ascii.push_str(">="),
            '≤' => ascii.push_str("<="),
            '…' => ascii.push_str("..."),
            '±' => ascii.push_str("+-"),
            'µ' => ascii.push('u'),
            '–' | '—' => ascii.push('-'),
            '▁' => ascii.push('_'),
            '▂' => ascii.push('.'),
            '▃' => ascii.push(':'),
            '▄' => ascii.push('-'),
            '▅' => ascii.push('='),
            '▆' => ascii.push('+'),
            '▇' => ascii.push('*'),
            '█' => ascii.push('#'),
            c => ascii.push(c),
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str, width: usize, ascii: bool) -> String {
        page_in(Lang::English, text, width, ascii)
    }

    fn page_in(lang: Lang, text: &str, width: usize, ascii: bool) -> String {
        let mut out = Vec::new();
        let mut page = Page::new(&mut out, Screen { width: Some(width), ascii, lang });
        page.write_all(text.as_bytes()).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn lines_break_between_words_and_go_on_to_the_right() {
        let text = "  one  two three four five\n";
        assert_eq!(page(text, 20, false), "  one  two three\n      four five\n");
        assert_eq!(page("0123456789012345678901234\n", 20, false), "0123456789012345678901234\n");
    }

    #[test]
    fn a_number_stays_with_its_unit() {
        assert_eq!(
            page("held for some ≥ 60.0 s so far\n", 20, false),
            "held for some\n    ≥ 60.0 s so far\n"
        );
        assert_eq!(
            page("of the 7 here: 1,204 certain\n", 20, false),
            "of the 7 here:\n    1,204 certain\n"
        );
        assert_eq!(
            page("details of them: --top 0\n", 22, false),
            "details of them:\n    --top 0\n"
        );
        assert_eq!(
            page("they begin at 10.0.0.1 here\n", 22, false),
            "they begin at 10.0.0.1\n    here\n"
        );
    }

    #[test]
    fn a_command_stays_whole() {
        let next = "next: closewait explain incident.pcap --frame 4\n";
        assert_eq!(page(next, 20, false), next);
        let screen = Screen { width: Some(20), ..Screen::default() };
        assert_eq!((screen.height(next.trim_end()), screen.height("next: a")), (3, 1));
        assert!(
            [Lang::English, Lang::Chinese].iter().all(|lang| is_command(&lang.next("closewait")))
        );
    }

    #[test]
    fn colours_take_no_room_and_wide_characters_two_columns() {
        let red = "\u{1b}[31mten ten ten\u{1b}[0m ten ten\n";
        assert_eq!(page(red, 20, false), red);
        assert_eq!(page("北京北京北 京北京北京\n", 20, false), "北京北京北\n    京北京北京\n");
    }

    #[test]
    fn chinese_breaks_after_its_stops_and_nowhere_in_a_name() {
        let chinese = |text| page_in(Lang::Chinese, text, 20, false);
        assert_eq!(
            chinese("没有发现，都不算；都能判断。\n"),
            "没有发现，都不算；\n    都能判断。\n"
        );
        assert_eq!(
            chinese("（北京）。北京 上海北京上海北京上海北京\n"),
            "（北京）。北京\n    上海北京上海北京上海北京\n"
        );
    }

    #[test]
    fn marks_have_ascii_forms() {
        assert_eq!(page("≥ 5 µs … ± 1 é\n", 40, true), ">= 5 us ... +- 1 é\n");
        assert_eq!(page("▁▂▃▄▅▆▇█\n", 40, true), "_.:-=+*#\n");
    }
}
