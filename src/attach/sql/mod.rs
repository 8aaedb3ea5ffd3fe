//! Texts of SQL statements, for every protocol that carries them.
//!
//! * [`lexer`]: words, literals and symbols
//! * [`mod@digest`]: texts without their values
//! * [`kind`]: what a statement can do to a transaction, by its first words
//! * [`message`]: what servers say of them, without values
//! * `quoted`: where strings and names in quotes end
//! * [`mod@tags`]: what programs say of their code in comments
//! * [`text`]: a text as far as it was seen
//!
//! Differences between servers in reading the same text are in the [`Dialect`], which comes with
//! every text.

pub mod digest;
pub mod kind;
pub mod lexer;
pub mod message;
mod quoted;
pub mod tags;
pub mod text;

/// A way of reading that differs between servers, or between sessions of one. A second family of
/// servers adds here what the lexer has to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// In strings, a backslash escapes (in MySQL: `NO_BACKSLASH_ESCAPES` is not set). None where
    /// that is not known.
    pub backslash: Option<bool>,
    /// The grammar that strings and comments follow.
    pub family: Family,
}

/// Servers whose words, strings and comments are written alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// MySQL, MariaDB: backquotes around names, `#` before comments.
    #[default]
    Mysql,
    /// PostgreSQL: double quotes around names, `$$` around strings, comments in comments.
    Postgresql,
}

impl Dialect {
    /// PostgreSQL's; `backslash`: `standard_conforming_strings` is off.
    pub fn postgresql(backslash: impl Into<Option<bool>>) -> Dialect {
        Dialect { backslash: backslash.into(), family: Family::Postgresql }
    }

    fn is_postgresql(self) -> bool {
        self.family == Family::Postgresql
    }
}

impl Default for Dialect {
    fn default() -> Dialect {
        Dialect { backslash: Some(true), family: Family::Mysql }
    }
}

/// A statement's text, and what must be known to read it.
#[derive(Clone, Copy, Debug)]
pub struct Sql<'a> {
    /// Octets as they were sent: any character set, or none.
    pub text: &'a [u8],
    /// It went on, and the rest is not known.
    pub cut: bool,
    /// The server's way of reading them.
    pub dialect: Dialect,
}

impl<'a> From<&'a str> for Sql<'a> {
    fn from(text: &'a str) -> Sql<'a> {
        Sql { text: text.as_bytes(), cut: false, dialect: Dialect::default() }
    }
}
