//! Effects of a statement on a transaction, told by its first words.

use super::lexer::{Token, is_name};

/// The effect of a statement on the transaction it is sent in: `COMMIT` ends one, `BEGIN` begins
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It ends none, and begins none but that of its own with `autocommit=0`.
    Keeps,
    /// It does as [`Keeps`](Kind::Keeps), but it may have been committed with it: `autocommit` may
    /// have been set.
    Sets,
    /// `BEGIN`, `START TRANSACTION`: one ends, and another begins.
    Begins,
    /// `COMMIT`, `ROLLBACK`: one ends, and with `AND CHAIN` another begins.
    Ends,
    /// Cut off, or in a form that is not known.
    Unknown,
}

/// Returns the effect of the `index`th of several statements. `cut` says that a part of the text is
/// missing.
pub fn of_nth<'a>(mut tokens: impl Iterator<Item = Token<'a>>, index: usize, cut: bool) -> Kind {
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
    if !cut {
        // The rest makes no difference.
        let mut few = tokens.take(words.len());
        first_words(&mut few, &mut words);
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

/// Returns what a single statement asks for if the connection is to end with it: `COMMIT RELEASE`, say.
pub fn release<'a>(tokens: impl Iterator<Item = Token<'a>>) -> Option<&'static str> {
    let mut tokens = tokens.filter(|token| *token != Token::Symbol(b';')).peekable();
    let is = |token: &Token<'_>, word: &str| matches!(token, Token::Word(it) if it.eq_ignore_ascii_case(word.as_bytes()));
    let name = match tokens.next()? {
        first if is(&first, "commit") => "COMMIT RELEASE",
        first if is(&first, "rollback") => "ROLLBACK RELEASE",
        _ => return None,
    };
    tokens.next_if(|token| is(token, "work"));
    let chains = tokens.next_if(|token| is(token, "and")).is_some();
    let is_none = !chains
        || ["no", "chain"].iter().all(|word| tokens.next().is_some_and(|token| is(&token, word)));
    let releases = tokens.next().is_some_and(|token| is(&token, "release"));
    (is_none && releases && tokens.next().is_none()).then_some(name)
}

/// Returns whether an error of the `index`th of several statements may be that of another one, which it runs: a
/// procedure's, or one that is made when it is executed. `cut` says that a part of the text is missing.
pub fn runs_others<'a>(
    mut tokens: impl Iterator<Item = Token<'a>>,
    index: usize,
    cut: bool,
) -> bool {
    (0..=index).any(|at| {
        let mut first = [None; 3];
        let end = first_tokens(&mut tokens, &mut first);
        // The statement, or what tells which one it is, was not seen.
        let is_unseen = end.is_none() && (at < index || cut && first.contains(&None));
        is_unseen || may_run_others(first)
    })
}

/// Statements that run others, and those that MariaDB's programs are made of, with labels or without. A comment that is
/// executed can be any.
fn may_run_others([first, second, _]: [Option<Token<'_>>; 3]) -> bool {
    const OTHERS: [&[u8]; 9] =
        [b"call", b"execute", b"if", b"case", b"loop", b"while", b"repeat", b"for", b"declare"];
    let is = |token: Option<Token<'_>>, word: &[u8]| matches!(token, Some(Token::Word(it)) if it.eq_ignore_ascii_case(word));
    let is_label = matches!(second, Some(Token::Symbol(b':')))
        || first == Some(Token::Symbol(b'<')) && first == second;
    first == Some(Token::Executable)
        || is_label
        || OTHERS.iter().any(|word| is(first, word))
        || is(first, b"begin") && second.is_some() && !is(second, b"work")
        || is(first, b"set") && is(second, b"statement")
}

/// The first words of a statement; returns the token that ended it. What is no word takes its place as an empty one, but
/// for a parenthesis and the colon behind a label.
fn first_words<'a>(
    tokens: &mut impl Iterator<Item = Token<'a>>,
    words: &mut [Option<&'a [u8]>; 3],
) -> Option<Token<'a>> {
    let mut first = [None; 3];
    let end = first_tokens(tokens, &mut first);
    *words = first.map(|token| {
        token.map(|token| match token {
            Token::Word(word) => word,
            Token::Symbol(b'(') => b"(",
            Token::Symbol(b':') => b":",
            _ => b"",
        })
    });
    end
}

/// The first tokens of a statement; returns the one that ended it.
fn first_tokens<'a>(
    tokens: &mut impl Iterator<Item = Token<'a>>,
    first: &mut [Option<Token<'a>>; 3],
) -> Option<Token<'a>> {
    let mut slots = first.iter_mut();
    tokens.by_ref().find(|token| {
        let ends = *token == Token::Symbol(b';');
        if !ends && let Some(slot) = slots.next() {
            *slot = Some(*token);
        }
        ends
    })
}

/// Nothing that follows the first word of these makes them anything else.
fn begins_with_data(words: [Option<&[u8]>; 3]) -> bool {
    let [Some(first), Some(_), _] = words else { return false };
    let data: [&[u8]; 5] = [b"select", b"insert", b"update", b"delete", b"replace"];
    data.iter().any(|word| first.eq_ignore_ascii_case(word))
}

/// Words that begin nothing which ends a transaction.
const KEEPING: [&[u8]; 14] = [
    b"select",
    b"insert",
    b"update",
    b"delete",
    b"replace",
    b"show",
    b"savepoint",
    b"release",
    b"do",
    b"use",
    b"explain",
    b"desc",
    b"describe",
    b"with",
];

fn keeps(first: &[u8]) -> bool {
    KEEPING.iter().any(|word| first.eq_ignore_ascii_case(word))
}

/// Tells whether a text that is all there begins with such a word, without taking it apart: most do.
pub fn begins_with_keeping(text: &[u8]) -> bool {
    KEEPING.iter().any(|word| {
        text.split_at_checked(word.len()).is_some_and(|(first, rest)| {
            first.eq_ignore_ascii_case(word) && !rest.first().is_some_and(|next| is_name(*next))
        })
    })
}

/// Words that begin nothing else either, unless they are a label of one of MariaDB's blocks.
const UNLABELLED: [&str; 8] =
    ["(", "values", "table", "handler", "help", "get", "prepare", "deallocate"];

fn kind(words: [Option<&[u8]>; 3]) -> Kind {
    let is = |word: Option<&[u8]>, name: &str| {
        word.is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    };
    let any = |names: &[&str]| names.iter().any(|name| is(words[0], name));
    let second = words[1];
    let keeps_by_second =
        any(&["drop"]) && is(second, "prepare") || any(&["xa"]) && is(second, "end");
    if is(second, ":") {
        Kind::Unknown
    } else if words[0].is_some_and(keeps) || any(&UNLABELLED) || keeps_by_second {
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
