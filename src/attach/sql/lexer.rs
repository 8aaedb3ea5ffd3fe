//! SQL text in words, literals and symbols: just enough to tell them apart.
//!
//! Octets, not characters: every octet that means something is ASCII, and those above it belong to
//! words, as they do to the server.

use super::Dialect;
use super::quoted::{self, Characters};

/// A part of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A keyword or a name.
    Word(&'a [u8]),
    /// A name in quotes, with them as far as they are there.
    Quoted(&'a [u8]),
    /// A string, a number, a parameter: a value.
    Literal,
    /// `/*!` or `/*M!`: what follows is a comment to other servers only. The version is left out.
    Executable,
    /// Any other octet, by itself: an operator, a bracket, a semicolon.
    Symbol(u8),
}

/// A token, and whether white space or a comment stands before it.
pub type Spaced<'a> = (bool, Token<'a>);

/// Goes through a statement.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    text: &'a [u8],
    rest: &'a [u8],
    /// The token before was a name, and nothing stood between: a point belongs to it.
    after_name: bool,
    /// The token before was a string with backslashes, which the next one may continue.
    after_escapes: bool,
    dialect: Dialect,
    /// Ways of reading the text, once a string or a name asks for them.
    sets: Option<&'static [Characters]>,
    /// There is more, and nobody knows what: a comment was still open at the end, or a string or name
    /// may end in one place or another.
    pub open: bool,
    /// Comments in `/*` and `*/` that have ended, without these; if they are wanted.
    pub comments: Option<Vec<&'a [u8]>>,
}

impl<'a> Lexer<'a> {
    /// Begins at the first octet.
    pub fn new(text: &'a [u8], dialect: Dialect) -> Lexer<'a> {
        Lexer {
            text,
            rest: text,
            after_name: false,
            after_escapes: false,
            dialect,
            sets: None,
            open: false,
            comments: None,
        }
    }

    /// Keeps comments.
    pub fn with_comments(self) -> Lexer<'a> {
        Lexer { comments: Some(Vec::new()), ..self }
    }

    fn peek(&self, at: usize) -> u8 {
        self.rest.get(at).copied().unwrap_or(0)
    }

    fn advance(&mut self, octets: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(octets).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    fn run(&self, from: usize, is_in: impl Fn(u8) -> bool) -> usize {
        self.rest.iter().skip(from).take_while(|octet| is_in(**octet)).count()
    }

    /// White space and comments; whether there were any.
    fn skip_blanks(&mut self) -> bool {
        let before = self.rest.len();
        loop {
            let blanks = self.run(0, is_blank);
            let comment = self.comment(blanks);
            let skipped = self.advance(blanks + comment);
            if let Some(comments) = &mut self.comments
                && let Some([b'/', b'*', inside @ .., b'*', b'/']) = skipped.get(blanks..)
            {
                comments.push(inside);
            }
            if comment == 0 {
                return self.rest.len() != before;
            }
        }
    }

    /// Octets of a comment that begins at `at`.
    fn comment(&mut self, at: usize) -> usize {
        let postgresql = self.dialect.is_postgresql();
        // PostgreSQL takes either of two ends of a line; to MySQL, a zero octet is one.
        let other_end = if postgresql { b'\r' } else { 0 };
        let to_end_of_line =
            |lexer: &Self| lexer.run(at, |octet| octet != b'\n' && octet != other_end);
        match [self.peek(at), self.peek(at + 1), self.peek(at + 2)] {
            [b'#', ..] if !postgresql => to_end_of_line(self),
            // Two dashes; to some servers, only those that nothing or a blank follows.
            [b'-', b'-', third] if postgresql || third == 0 || is_blank(third) => {
                to_end_of_line(self)
            }
            [b'/', b'*', _] if postgresql => self.nested_comment(at),
            [b'/', b'*', b'!'] => 0,
            [b'/', b'*', b'M'] if self.peek(at + 3) == b'!' => 0,
            [b'/', b'*', _] => self.block_comment(at),
            _ => 0,
        }
    }

    fn block_comment(&mut self, at: usize) -> usize {
        let text = self.rest.get(at + 2..).unwrap_or_default();
        match text.windows(2).position(|pair| pair == b"*/") {
            Some(end) => end + 4,
            None => {
                self.open = true;
                self.rest.len() - at
            }
        }
    }

    /// Comments within a comment belong to it.
    fn nested_comment(&mut self, at: usize) -> usize {
        let (mut depth, mut next) = (0_usize, at);
        loop {
            match [self.peek(next), self.peek(next + 1)] {
                [b'/', b'*'] => depth += 1,
                [b'*', b'/'] => depth = depth.saturating_sub(1),
                _ if next >= self.rest.len() => {
                    self.open = true;
                    return self.rest.len() - at;
                }
                _ => {
                    next += 1;
                    continue;
                }
            }
            next += 2;
            if depth == 0 {
                return next - at;
            }
        }
    }

    /// Octets that have been read.
    fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// A string or name in quotes. `None`: it may end in one place or another, and nothing that
    /// follows is known.
    fn quoted(&mut self, escapes: Option<bool>) -> Option<&'a [u8]> {
        let len = quoted::len(self.rest, escapes, self.sets());
        self.open |= len.is_none();
        let taken = self.advance(len.unwrap_or(self.rest.len()));
        len.map(|_| taken)
    }

    /// A backquote may be the second octet of the character that begins before it.
    fn may_be_half(&mut self) -> bool {
        let before = self.at().checked_sub(1).and_then(|at| self.text.get(at));
        before.is_some_and(|octet| *octet >= 0x80) && self.sets().len() > 1
    }

    fn sets(&mut self) -> &'static [Characters] {
        self.sets.get_or_insert_with(|| Characters::of(self.text))
    }

    /// Octets of a number that begins here, if one does: no name begins with a digit and has no
    /// letter.
    fn number(&self) -> Option<usize> {
        let digits = |from| self.run(from, |octet| octet.is_ascii_digit());
        if let prefix @ ([b'0', b'x'] | [b'0', b'b']) = [self.peek(0), self.peek(1)] {
            let is_digit = |octet: u8| match prefix[1] {
                b'x' => octet.is_ascii_hexdigit(),
                _ => matches!(octet, b'0' | b'1'),
            };
            let len = 2 + self.run(2, is_digit);
            return (len > 2 && !is_name(self.peek(len))).then_some(len);
        }
        let whole = digits(0);
        let mut len = whole;
        if self.peek(len) == b'.' && (whole > 0 || digits(1) > 0) {
            len += 1 + digits(len + 1);
        }
        if len == 0 {
            return None;
        }
        let has_point = len > whole;
        if matches!(self.peek(len), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(len + 1), b'+' | b'-'));
            let exponent = digits(len + 1 + sign);
            let end = len + 1 + sign + exponent;
            len = match () {
                () if exponent > 0 && !is_name(self.peek(end)) => end,
                // Cut off within the number, say: no name ends like this.
                () if !is_name(self.peek(len + 1)) => len + 1,
                () => len,
            };
        }
        (has_point || !is_name(self.peek(len))).then_some(len)
    }

    fn word(&mut self) -> Token<'a> {
        let len = self.run(0, is_name);
        let word = self.advance(len);
        // A string in hexadecimal, in bits, in the national character set.
        let is_prefix = matches!(word, [b'x' | b'X' | b'b' | b'B' | b'n' | b'N']);
        let escapes = self.dialect.is_postgresql() && matches!(word, b"e" | b"E");
        if (is_prefix || escapes) && self.peek(0) == b'\'' {
            return self.string(if escapes { Some(true) } else { self.dialect.backslash });
        }
        self.after_name = true;
        // What follows may be read in another way.
        if !self.dialect.is_postgresql() && word.eq_ignore_ascii_case(b"sql_mode") {
            self.dialect.backslash = None;
        }
        Token::Word(word)
    }

    /// A value, even where nobody knows where it ends.
    fn string(&mut self, escapes: Option<bool>) -> Token<'a> {
        self.after_escapes = escapes == Some(true);
        self.quoted(escapes);
        Token::Literal
    }

    /// A name in quotes, if it is known where it ends.
    fn name(&mut self) -> Option<Token<'a>> {
        let name = self.quoted(Some(false))?;
        self.after_name = true;
        Some(Token::Quoted(name))
    }

    /// A parameter, or a string up to the same tag: both begin with a dollar.
    fn dollar(&mut self) -> Token<'a> {
        let tag = self.run(1, |octet| is_name(octet) && octet != b'$');
        let is_tag = self.peek(1 + tag) == b'$' && !self.peek(1).is_ascii_digit();
        let (mark, text) = self.rest.split_at_checked(tag + 2).unwrap_or((self.rest, &[]));
        let len = match text.windows(mark.len().max(1)).position(|octets| octets == mark) {
            _ if !is_tag => 1 + tag,
            Some(end) => end + 2 * mark.len(),
            None => self.rest.len(),
        };
        self.advance(len);
        Token::Literal
    }

    /// A string behind a line's end goes on with the one before, and only comments to the end of a
    /// line may stand between.
    fn continues(&self, before: usize) -> bool {
        let gap = self.text.get(before..self.at()).unwrap_or_default();
        let mut lines = gap.split(|octet| matches!(octet, b'\n' | b'\r'));
        let is_empty = |line: &[u8]| {
            let mut text = line.iter().skip_while(|octet| is_blank(**octet));
            text.next().is_none_or(|first| *first == b'-')
        };
        lines.clone().count() > 1 && lines.all(is_empty)
    }

    fn executable(&mut self) -> Token<'a> {
        let mark = if self.peek(2) == b'M' { 4 } else { 3 };
        let version = self.run(mark, |octet| octet.is_ascii_digit());
        self.advance(mark + version);
        Token::Executable
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Spaced<'a>;

    fn next(&mut self) -> Option<Spaced<'a>> {
        let before = self.at();
        let spaced = self.skip_blanks();
        let after_name = core::mem::take(&mut self.after_name) && !spaced;
        let after_escapes = core::mem::take(&mut self.after_escapes);
        let first = *self.rest.first()?;
        let postgresql = self.dialect.is_postgresql();
        let number = match first {
            b'.' if after_name => None,
            // No name begins with a digit.
            b'0'..=b'9' if postgresql => Some(self.number().unwrap_or(0).max(self.run(0, is_name))),
            b'.' | b'0'..=b'9' => self.number(),
            _ => None,
        };
        let token = match (first, number) {
            (_, Some(len)) => {
                self.advance(len);
                Token::Literal
            }
            (b'"', _) if postgresql => self.name()?,
            (b'$', _) if postgresql => self.dollar(),
            (b'\'', _) if after_escapes && postgresql && self.continues(before) => {
                self.string(Some(true))
            }
            (b'\'' | b'"', _) => self.string(self.dialect.backslash),
            (b'?', _) => {
                self.advance(1);
                Token::Literal
            }
            (b'`', _) if !postgresql && self.may_be_half() => {
                self.open = true;
                self.advance(self.rest.len());
                return None;
            }
            (b'`', _) if !postgresql => self.name()?,
            (b'/', _) if self.peek(1) == b'*' => self.executable(),
            (first, _) if is_name(first) => self.word(),
            (symbol, _) => {
                self.advance(1);
                Token::Symbol(symbol)
            }
        };
        Some((spaced, token))
    }
}

/// Control characters separate words as blanks do.
pub fn is_blank(octet: u8) -> bool {
    octet <= b' ' || octet == 0x7f
}

/// An octet of a name or a keyword.
pub fn is_name(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'$') || octet >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lex(text: &str) -> String {
        let show = |(spaced, token)| {
            let token = match token {
                Token::Word(word) => String::from_utf8_lossy(word).into_owned(),
                Token::Quoted(name) => String::from_utf8_lossy(name).into_owned(),
                Token::Literal => "?".into(),
                Token::Executable => "/*!".into(),
                Token::Symbol(symbol) => char::from(symbol).into(),
            };
            if spaced { format!(" {token}") } else { format!("|{token}") }
        };
        Lexer::new(text.as_bytes(), Dialect::default()).map(show).collect()
    }

    #[test]
    fn literals() {
        for literal in [
            "'a'",
            "'it''s'",
            "'a\\'b'",
            "\"x'y\"",
            "1",
            "1.5",
            ".5",
            "1.",
            "1e5",
            "1.5E-7",
            "0xFF",
            "0b01",
            "x'0f'",
            "B'1'",
            "N'a'",
            "?",
            "'open",
            "'open\\",
            "\"a\"\"b\"",
        ] {
            assert_eq!(lex(literal), "|?", "{literal}");
        }
    }

    #[test]
    fn names() {
        for name in ["t1", "`a``b`", "é", "1a", "0xg", "$x", "`open", "x", "a1e5"] {
            assert_eq!(lex(name), format!("|{name}"));
        }
        assert_eq!(lex("t.1a"), "|t|.|1a");
        assert_eq!(lex("t1.c2"), "|t1|.|c2");
    }

    #[test]
    fn comments_are_blanks() {
        assert_eq!(lex("a/* x */b -- c\nd # e\nf--g /*+ hint */h"), "|a b d f|-|-|g h");
        assert_eq!(lex("/*!50000 a*/ b /*M!100100 c */"), "|/*! a|*|/ b /*! c *|/");
        assert_eq!(lex("a /* open"), "|a");
    }
}
