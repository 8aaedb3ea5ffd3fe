//! A statement's text as it was sent, as far as it was seen.

use std::sync::Arc;

use super::digest::{digest, literal};
use super::kind::{self, Kind};
use super::lexer::{Lexer, Token};
use super::{Dialect, Sql};
use crate::attach::facts::name;

/// So much of a statement's text is kept.
pub const MAX_TEXT: usize = 1_024;

/// The beginning of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SqlText {
    /// Octets as they were sent, bounded in length; shared by all that keep the statement.
    pub octets: Arc<[u8]>,
    /// True if the statement was longer than what is kept.
    pub cut: bool,
    /// The server's way of reading them.
    pub dialect: Dialect,
    /// There is no text, or nothing of it was seen.
    pub none: bool,
}

/// The database in use after a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// The session stays where it is.
    Stays,
    /// The session's default database becomes this one.
    Becomes(Box<str>),
    /// It may be another one, and which cannot be told.
    Unknown,
}

/// The effect of a text on a transaction, with a server that says when one is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Begins and ends none.
    Keeps,
    /// Begins one.
    Begins,
    /// Ends the one that is open.
    Ends,
    /// Cannot be told: cut off, or a procedure's body.
    Unknown,
}

impl SqlText {
    /// Keeps the octets of a statement; `cut` says that it went on.
    pub fn new(octets: &[u8], cut: bool, dialect: Dialect) -> SqlText {
        let kept = octets.get(..MAX_TEXT).unwrap_or(octets);
        let cut = cut || kept.len() < octets.len();
        SqlText { octets: kept.into(), cut, dialect, none: false }
    }

    /// Keeps no more than tells what kind of statement it is; of several in one text, nothing.
    pub fn shorten(&mut self) {
        const SHORT: usize = 32;
        if let Some(kept) = self.octets.get(..SHORT).filter(|_| self.octets.len() > SHORT) {
            *self = match self.octets.contains(&b';') {
                true => SqlText::none(),
                false => SqlText { octets: kept.into(), cut: true, ..self.clone() },
            };
        }
    }

    /// A statement of which nothing is known.
    pub fn none() -> SqlText {
        SqlText { none: true, ..SqlText::default() }
    }

    fn sql(&self) -> Sql<'_> {
        Sql { text: &self.octets, cut: self.cut, dialect: self.dialect }
    }

    /// As it is to be shown. None where nothing of it is left: there is no text, or it says nothing,
    /// as a comment does by which a driver tries whether anybody answers.
    pub fn show(&self, literals: bool) -> Option<Box<str>> {
        let shown = if literals { literal(self.sql()) } else { digest(self.sql()) };
        (!self.none && !shown.trim().is_empty()).then(|| shown.into())
    }

    fn lexer(&self) -> Lexer<'_> {
        Lexer::new(&self.octets, self.dialect)
    }

    fn tokens(&self) -> impl Iterator<Item = Token<'_>> {
        self.lexer().map(|(_, token)| token)
    }

    /// Returns the effect of its `index`th statement on a transaction.
    pub fn kind(&self, index: usize) -> Kind {
        match index {
            _ if self.none => Kind::Unknown,
            0 if !self.cut && kind::begins_with_keeping(&self.octets) => Kind::Keeps,
            // Nothing at all, or a comment.
            0 if !self.cut && self.tokens().next().is_none() => Kind::Keeps,
            _ => kind::of_nth(self.tokens(), index, self.cut),
        }
    }

    /// Returns what it asks for if the connection is to end with it: `COMMIT RELEASE`, say.
    pub fn release(&self) -> Option<&'static str> {
        let ends = self.begins_with(&["commit", "rollback"]) && self.is_single();
        if ends { kind::release(self.tokens()) } else { None }
    }

    /// Returns whether an error of its `index`th statement may be that of another one, which it runs.
    pub fn runs_others(&self, index: usize) -> bool {
        self.none || kind::runs_others(self.tokens(), index, self.cut)
    }

    /// Returns its effect on a transaction of PostgreSQL, where nothing but these words begins or ends one.
    pub fn effect(&self) -> Effect {
        let is_cut = self.cut && self.kind(0) == Kind::Unknown;
        if self.none || is_cut || !self.cut && !self.is_single() {
            return Effect::Unknown;
        }
        match self.kind(0) {
            Kind::Begins => return Effect::Begins,
            Kind::Ends => return Effect::Ends,
            _ => {}
        }
        let first = self.first_word();
        let is = |words: &[&str]| words.iter().any(|word| first.eq_ignore_ascii_case(word));
        match () {
            () if is(&["begin"]) => Effect::Begins,
            () if is(&["end", "abort"]) => Effect::Ends,
            () if is(&["call", "do", "prepare", "execute"]) => Effect::Unknown,
            () => Effect::Keeps,
        }
    }

    /// The first word, where it begins with one; else nothing.
    fn first_word(&self) -> &str {
        match self.tokens().next() {
            Some(Token::Word(word)) => str::from_utf8(word).unwrap_or_default(),
            _ => "",
        }
    }

    /// Returns the name after its first word, as a server of PostgreSQL takes it.
    pub fn second_name(&self) -> Option<Vec<u8>> {
        match self.tokens().nth(1)? {
            Token::Word(word) => Some(word.to_ascii_lowercase()),
            Token::Quoted(quoted) => {
                let inner = quoted.strip_prefix(b"\"").unwrap_or(quoted);
                Some(inner.strip_suffix(b"\"").unwrap_or(inner).to_vec())
            }
            _ => None,
        }
    }

    /// Returns whether one of these is its first word.
    pub fn begins_with(&self, words: &[&str]) -> bool {
        // Most statements begin with the first letter of another word.
        let begins = |letter: &u8| {
            words.iter().any(|word| {
                word.as_bytes().first().is_some_and(|first| first.eq_ignore_ascii_case(letter))
            })
        };
        if self.octets.first().is_some_and(|octet| octet.is_ascii_alphabetic() && !begins(octet)) {
            return false;
        }
        let first = self.first_word();
        words.iter().any(|word| first.eq_ignore_ascii_case(word))
    }

    /// It is all there, and a single statement.
    pub fn is_single(&self) -> bool {
        if !self.octets.contains(&b';') {
            return !self.none && !self.cut;
        }
        let mut lexer = self.lexer();
        let tokens = lexer.by_ref().map(|(_, token)| token);
        let mut past_end = tokens.skip_while(|token| *token != Token::Symbol(b';'));
        let more = past_end.any(|token| token != Token::Symbol(b';'));
        !self.none && !self.cut && !more && !lexer.open
    }

    /// The database that is used after it, by a `USE`.
    pub fn database(&self) -> Database {
        if self.none {
            return Database::Unknown;
        }
        // Most statements need no closer look: another word begins them, and nothing follows.
        let start = self.octets.trim_ascii_start();
        if self.cut && b"use".get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start)) {
            return Database::Unknown;
        }
        let is_other = start.first().is_some_and(u8::is_ascii_alphabetic)
            && !start.get(..3).is_none_or(|word| word.eq_ignore_ascii_case(b"use"));
        if is_other && !self.octets.contains(&b';') {
            return Database::Stays;
        }
        let has = |word: &[u8]| {
            self.octets.windows(word.len()).any(|octets| octets.eq_ignore_ascii_case(word))
        };
        if !has(b"use") && !has(b"/*") {
            return Database::Stays;
        }
        let mut lexer = self.lexer();
        let mut tokens = lexer.by_ref().map(|(_, token)| token);
        let is_use =
            |token: &Token| matches!(token, Token::Word(w) if w.eq_ignore_ascii_case(b"use"));
        match tokens.next() {
            Some(Token::Executable) => return Database::Unknown,
            // It was cut off in a comment.
            None if self.cut => return Database::Unknown,
            Some(first) if is_use(&first) => {}
            _ => {
                // A `USE` among other statements, or in what was cut off after one.
                let mut begins = false;
                let hides = tokens.any(|token| {
                    let found = begins && (is_use(&token) || token == Token::Executable);
                    begins = token == Token::Symbol(b';');
                    found
                });
                return if hides || lexer.open { Database::Unknown } else { Database::Stays };
            }
        }
        let name = match tokens.next() {
            Some(Token::Word(word)) => name(word),
            Some(Token::Quoted(quoted)) => {
                let inner = quoted.strip_prefix(b"`").unwrap_or(quoted);
                let inner = inner.strip_suffix(b"`").unwrap_or(inner);
                name(inner).replace("``", "`").into()
            }
            _ => return Database::Unknown,
        };
        let is_last = tokens.all(|token| token == Token::Symbol(b';'));
        let is_known = self.is_single() && is_last && !lexer.open;
        if is_known { Database::Becomes(name) } else { Database::Unknown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(sql: &str) -> SqlText {
        SqlText::new(sql.as_bytes(), false, Dialect::default())
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
            ("(select 1)", Kind::Keeps),
            ("( (select 1) union select 2)", Kind::Keeps),
            ("values (1), (2)", Kind::Keeps),
            ("table t", Kind::Keeps),
            ("handler t read first", Kind::Keeps),
            ("help 'select'", Kind::Keeps),
            ("get diagnostics @n = number", Kind::Keeps),
            ("prepare s from 'commit'", Kind::Keeps),
            ("execute s", Kind::Unknown),
            ("deallocate prepare s", Kind::Keeps),
            ("drop prepare s", Kind::Keeps),
            ("drop table t", Kind::Unknown),
            ("xa end 'x'", Kind::Keeps),
            ("xa start 'x'", Kind::Unknown),
            ("help: begin not atomic commit; end", Kind::Unknown),
            ("", Kind::Keeps),
            ("/* ping */", Kind::Keeps),
        ] {
            assert_eq!(text(sql).kind(0), expected, "{sql}");
        }
        let many = text("begin; update t set a=';'; call p(); commit");
        let kinds = [0, 1, 2, 3].map(|index| many.kind(index));
        assert_eq!(kinds, [Kind::Begins, Kind::Keeps, Kind::Unknown, Kind::Unknown]);
    }

    #[test]
    fn statements_that_end_their_connection() {
        for (sql, expected) in [
            ("commit release", Some("COMMIT RELEASE")),
            ("ROLLBACK WORK AND NO CHAIN RELEASE;", Some("ROLLBACK RELEASE")),
            ("commit and no chain release", Some("COMMIT RELEASE")),
            ("commit no release", None),
            ("commit and chain", None),
            ("commit and chain no release", None),
            ("rollback to release", None),
            ("release savepoint a", None),
            ("commit release; select 1", None),
            ("commit", None),
        ] {
            assert_eq!(text(sql).release(), expected, "{sql}");
        }
    }

    #[test]
    fn errors_of_others() {
        for (sql, index, expected) in [
            ("call p()", 0, true),
            ("/*! call p() */", 0, true),
            ("execute immediate 'x'", 0, true),
            ("begin not atomic commit; end", 0, true),
            ("a: loop x", 0, true),
            ("set statement a=1 for call p()", 0, true),
            ("selekt 1", 0, false),
            ("selekt * from t", 0, false),
            ("<<a>> begin x", 0, true),
            ("select (1", 0, false),
            ("begin", 0, false),
            ("begin work", 0, false),
            ("commit nonsense", 0, false),
            ("", 0, false),
            ("/* ping */", 0, false),
            ("selekt 1; call p()", 0, false),
            ("select 1; call p()", 1, true),
            ("call p(); selekt 1", 1, true),
            ("select 1", 1, true),
        ] {
            assert_eq!(text(sql).runs_others(index), expected, "{sql}");
        }
        let cut = |sql: &str| SqlText::new(sql.as_bytes(), true, Dialect::default());
        assert!(cut("").runs_others(0) && cut("cal").runs_others(0));
        assert!(!cut("selekt a b c").runs_others(0) && SqlText::none().runs_others(0));
    }

    #[test]
    fn a_text_that_says_nothing_is_not_shown() {
        for empty in ["", " ", "/* ping */", "-- x"] {
            assert_eq!(text(empty).show(false), None, "{empty}");
        }
        assert_eq!(text("/* ping */").show(true).as_deref(), Some("/* ping */"));
        assert_eq!(text("").show(true), None);
        let cut = SqlText::new(b"/* ping", true, Dialect::default());
        assert_eq!(cut.show(false).as_deref(), Some("…"));
    }

    #[test]
    fn what_follows_a_string_without_a_known_end_is_not_known() {
        let dialect = Dialect { backslash: None, ..Dialect::default() };
        let unsure = |sql: &[u8]| SqlText::new(sql, false, dialect);
        assert!(unsure(br"select 'a\\'; ").is_single());
        assert!(!unsure(br"select 'a\'; use b; '").is_single());
        assert_eq!(unsure(br"select 'a\'; use b; '").database(), Database::Unknown);
        assert_eq!(unsure(br"select 'a\'; commit; '").kind(1), Kind::Unknown);
        assert_eq!(unsure(b"use \xbf`x`").database(), Database::Unknown);
    }

    #[test]
    fn a_cut_text_is_not_trusted() {
        let cut = |sql: &str| SqlText::new(sql.as_bytes(), true, Dialect::default()).kind(0);
        assert_eq!(cut("rollback"), Kind::Unknown);
        assert_eq!(cut("BEGIN"), Kind::Unknown);
        assert_eq!(cut("UPDATE accounts SET"), Kind::Keeps);
        assert_eq!(cut("UPDATE"), Kind::Unknown);
        assert!(!text("a; b").is_single() && text("a ;").is_single() && text("a").is_single());
    }

    #[test]
    fn the_database_of_a_use() {
        assert_eq!(text("use `sh``op`").database(), Database::Becomes("sh`op".into()));
        assert_eq!(text("USE shop;").database(), Database::Becomes("shop".into()));
        assert_eq!(text("select 1").database(), Database::Stays);
        assert_eq!(text("select 1; use b").database(), Database::Unknown);
        assert_eq!(text("use a; select 1").database(), Database::Unknown);
        let cut = |sql: &str| SqlText::new(sql.as_bytes(), true, Dialect::default()).database();
        for may_be in ["", " ", "US", "use", "use sho", "/* of the", "/* of the shop */"] {
            assert_eq!(cut(may_be), Database::Unknown, "{may_be:?}");
        }
        assert_eq!([cut("up"), cut("/* of the */ sel")], [Database::Stays, Database::Stays]);
    }
}
