//! A statement's text as it was sent, and what it does to transactions.

use super::command::Command;
use super::digest::{Sql, digest, literal};
use super::lexer::{Lexer, Token};
use crate::place::Time;

/// So much of a statement's text is kept.
pub const MAX_TEXT: usize = 1_024;

/// Something that a client sent.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    pub at: Time,
    pub command: Option<Command>,
    pub text: Text,
}

/// The beginning of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    pub octets: Box<[u8]>,
    pub cut: bool,
    pub backslash: bool,
    /// There is no text, or nothing of it was seen.
    pub none: bool,
}

impl Text {
    pub fn new(octets: &[u8], cut: bool, backslash: bool) -> Text {
        let kept = octets.get(..MAX_TEXT).unwrap_or(octets);
        let cut = cut || kept.len() < octets.len();
        Text { octets: kept.into(), cut, backslash, none: false }
    }

    pub fn none() -> Text {
        Text { none: true, ..Text::default() }
    }

    fn sql(&self) -> Sql<'_> {
        Sql { text: &self.octets, cut: self.cut, backslash: self.backslash }
    }

    /// As it is to be shown.
    pub fn show(&self, literals: bool) -> Option<Box<str>> {
        let shown = if literals { literal(self.sql()) } else { digest(self.sql()) };
        (!self.none).then(|| shown.into())
    }

    /// What the `index`th of its statements does.
    pub fn kind(&self, index: usize) -> Kind {
        if self.none {
            return Kind::Unknown;
        }
        let mut tokens = Lexer::new(&self.octets, self.backslash).map(|(_, token)| token);
        for _ in 0..index {
            let mut words = [None; 3];
            if !matches!(first_words(&mut tokens, &mut words), Some(Token::Symbol(b';'))) {
                return Kind::Unknown;
            }
            // What a procedure returns cannot be told from what comes after it.
            if kind(words) == Kind::Unknown {
                return Kind::Unknown;
            }
        }
        let mut words = [None; 3];
        if !self.cut {
            // The rest makes no difference.
            first_words(&mut tokens.take(words.len()), &mut words);
            return kind(words);
        }
        let end = first_words(&mut tokens, &mut words);
        let known = words.iter().flatten().count();
        // A cut may have left a part of a word, or hidden the one that matters.
        if end.is_none() && known < words.len() && !begins_with_data(words) {
            return Kind::Unknown;
        }
        kind(words)
    }

    /// It is all there, and a single statement.
    pub fn is_single(&self) -> bool {
        let mut tokens = Lexer::new(&self.octets, self.backslash).map(|(_, token)| token);
        let past_end = tokens.by_ref().skip_while(|token| *token != Token::Symbol(b';'));
        let more = past_end.into_iter().any(|token| token != Token::Symbol(b';'));
        !self.none && !self.cut && !more
    }

    /// The database that a `USE` names. `Some(None)`: there may be one, and it cannot be told.
    pub fn database(&self) -> Option<Option<Box<str>>> {
        if self.none {
            return Some(None);
        }
        // Most statements need no closer look.
        let has = |word: &[u8]| {
            self.octets.windows(word.len()).any(|octets| octets.eq_ignore_ascii_case(word))
        };
        if !has(b"use") && !has(b"/*") {
            return None;
        }
        let mut tokens = Lexer::new(&self.octets, self.backslash).map(|(_, token)| token);
        let is_use =
            |token: &Token| matches!(token, Token::Word(w) if w.eq_ignore_ascii_case(b"use"));
        match tokens.next() {
            Some(Token::Executable) => return Some(None),
            Some(first) if is_use(&first) => {}
            _ => {
                // A `USE` among other statements, or in what was cut off after one.
                let mut begins = false;
                let hides = tokens.any(|token| {
                    let found = begins && (is_use(&token) || token == Token::Executable);
                    begins = token == Token::Symbol(b';');
                    found
                });
                return hides.then_some(None);
            }
        }
        let name = match tokens.next() {
            Some(Token::Word(name)) => super::wire::name(name),
            Some(Token::Quoted(name)) => {
                let inner = name.strip_prefix(b"`").unwrap_or(name);
                let inner = inner.strip_suffix(b"`").unwrap_or(inner);
                super::wire::name(inner).replace("``", "`").into()
            }
            _ => return Some(None),
        };
        let is_known = self.is_single() && tokens.all(|token| token == Token::Symbol(b';'));
        Some(is_known.then_some(name))
    }
}

/// What a statement can do to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It ends none, and begins none but that of its own with `autocommit=0`.
    Keeps,
    /// The same, but it may have been committed with it: `autocommit` may have been set.
    Sets,
    /// `BEGIN`, `START TRANSACTION`: one ends, and another begins.
    Begins,
    /// `COMMIT`, `ROLLBACK`: one ends, and with `AND CHAIN` another begins.
    Ends,
    Unknown,
}

/// The first words of a statement; returns the token that ended it.
fn first_words<'a>(
    tokens: &mut impl Iterator<Item = Token<'a>>,
    words: &mut [Option<&'a [u8]>; 3],
) -> Option<Token<'a>> {
    let mut at = 0;
    tokens.by_ref().find(|token| {
        if let (Some(slot), true) = (words.get_mut(at), *token != Token::Symbol(b';')) {
            // What is no word takes its place as an empty one.
            *slot = Some(if let Token::Word(word) = token { word } else { b"" });
        }
        at += 1;
        *token == Token::Symbol(b';')
    })
}

/// Nothing that follows the first word of these makes them anything else.
fn begins_with_data(words: [Option<&[u8]>; 3]) -> bool {
    let [Some(first), Some(_), _] = words else { return false };
    let data: [&[u8]; 5] = [b"select", b"insert", b"update", b"delete", b"replace"];
    data.iter().any(|word| first.eq_ignore_ascii_case(word))
}

fn kind(words: [Option<&[u8]>; 3]) -> Kind {
    let is = |word: Option<&[u8]>, name: &str| {
        word.is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    };
    let any = |names: &[&str]| names.iter().any(|name| is(words[0], name));
    let second = words[1];
    if any(&["select", "insert", "update", "delete", "replace", "show", "savepoint", "release"])
        || any(&["do", "use", "explain", "desc", "describe", "with"])
    {
        Kind::Keeps
    } else if any(&["set"]) {
        let other =
            ["statement", "password", "role", "default"].iter().any(|name| is(second, name));
        if other { Kind::Unknown } else { Kind::Sets }
    } else if any(&["load"]) {
        // Into a table of NDB, it commits: then the flags say that none is open.
        if is(second, "data") || is(second, "xml") { Kind::Sets } else { Kind::Unknown }
    } else if any(&["begin"]) {
        // MariaDB's BEGIN NOT ATOMIC is a block of statements.
        if second.is_none() || is(second, "work") { Kind::Begins } else { Kind::Unknown }
    } else if any(&["start"]) {
        if is(second, "transaction") { Kind::Begins } else { Kind::Unknown }
    } else if any(&["rollback"]) {
        let to = is(second, "to") || is(second, "work") && is(words[2], "to");
        if to { Kind::Keeps } else { Kind::Ends }
    } else if any(&["commit"]) {
        Kind::Ends
    } else {
        Kind::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(sql: &str) -> Text {
        Text::new(sql.as_bytes(), false, true)
    }

    #[test]
    fn kinds() {
        for (sql, expected) in [
            ("select 1", Kind::Keeps),
            ("/* c */ UPDATE t SET a=1", Kind::Keeps),
            ("begin", Kind::Begins),
            ("BEGIN WORK;", Kind::Begins),
            ("begin not atomic commit; end", Kind::Unknown),
            ("START TRANSACTION READ ONLY", Kind::Begins),
            ("start slave", Kind::Unknown),
            ("commit and chain", Kind::Ends),
            ("rollback to savepoint a", Kind::Keeps),
            ("rollback work to a", Kind::Keeps),
            ("rollback", Kind::Ends),
            ("set autocommit=0", Kind::Sets),
            ("set statement max_statement_time=1 for commit", Kind::Unknown),
            ("call p()", Kind::Unknown),
            ("/*!50000 commit */", Kind::Unknown),
            ("create table t (a int)", Kind::Unknown),
            ("", Kind::Unknown),
        ] {
            assert_eq!(text(sql).kind(0), expected, "{sql}");
        }
        let many = text("begin; update t set a=';'; call p(); commit");
        let kinds = [0, 1, 2, 3].map(|index| many.kind(index));
        assert_eq!(kinds, [Kind::Begins, Kind::Keeps, Kind::Unknown, Kind::Unknown]);
    }

    #[test]
    fn a_cut_text_is_not_trusted() {
        let cut = |sql: &str| Text::new(sql.as_bytes(), true, true).kind(0);
        assert_eq!(cut("rollback"), Kind::Unknown);
        assert_eq!(cut("BEGIN"), Kind::Unknown);
        assert_eq!(cut("UPDATE accounts SET"), Kind::Keeps);
        assert_eq!(cut("UPDATE"), Kind::Unknown);
        assert!(!text("a; b").is_single() && text("a ;").is_single() && text("a").is_single());
    }

    #[test]
    fn the_database_of_a_use() {
        assert_eq!(text("use `sh``op`").database(), Some(Some("sh`op".into())));
        assert_eq!(text("USE shop;").database(), Some(Some("shop".into())));
        assert_eq!(text("select 1").database(), None);
        assert_eq!(text("select 1; use b").database(), Some(None));
        assert_eq!(text("use a; select 1").database(), Some(None));
    }
}
