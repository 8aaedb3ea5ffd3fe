//! Statements without their values, so that those that do the same read the same, and nothing of
//! what they are about is shown.
//!
//! * Values become `?`: strings, numbers with their sign, parameters. `NULL`, `TRUE` and `FALSE` stay.
//! * Two values or more in a row within parentheses become `?, …`: `IN (?, …)`, `VALUES (?, …)`. Of the
//!   rows of a `VALUES`, the first is kept: `VALUES (?, …), …`.
//! * Comments are left out. What some servers execute stays, without their version: `/*! … */`.
//! * Blanks become one space, and none around `= < > ! + -` and inside parentheses; one after a comma.
//! * Names and the case of letters stay as they were written.
//! * Cut off, by the capture or after [`MAX_CHARS`], it ends in `…`; so it does behind a string that may end in one
//!   place or another.

use super::Sql;
use super::lexer::{Lexer, Spaced, Token};
use crate::printable::{printable, shown};

/// The longest digest.
pub const MAX_CHARS: usize = 256;

/// The longest text with its values.
pub const MAX_LITERAL_CHARS: usize = 1_024;

/// The longest name: the server allows 64.
const MAX_NAME: usize = 128;

/// More than is ever read of a statement.
const MAX_TEXT: usize = 4_096;

const MORE: &[u8] = "…".as_bytes();

/// The statement without its values.
pub fn digest(sql: Sql<'_>) -> String {
    let text = sql.text.get(..MAX_TEXT).unwrap_or(sql.text);
    let mut lexer = Lexer::new(text, sql.dialect);
    let mut tokens: Vec<Spaced> = lexer.by_ref().collect();
    while matches!(tokens.last(), Some((_, Token::Symbol(b';')))) {
        tokens.pop();
    }
    let is_cut = sql.cut || lexer.open || text.len() < sql.text.len();
    let last = tokens.last().map(|(_, token)| text_of(token)).unwrap_or_default();
    let says_so = ["…", "…`", "…\""].iter().any(|end| last.ends_with(end));
    if is_cut && !says_so {
        tokens.push((false, Token::Word(MORE)));
    }
    let tokens = without_later_rows(&without_lists(&without_signs(&tokens)));
    render(&tokens)
}

/// The statement as it was written, safe to print.
pub fn literal(sql: Sql<'_>) -> String {
    let text = sql.text.get(..4 * MAX_LITERAL_CHARS).unwrap_or(sql.text);
    let text = String::from_utf8_lossy(text);
    let visible = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        c => shown(c),
    };
    let all = text.chars().count();
    let end = if sql.cut || all > MAX_LITERAL_CHARS { "…" } else { "" };
    text.chars().map(visible).take(MAX_LITERAL_CHARS).chain(end.chars()).collect()
}

/// A sign belongs to a value where nothing stands before it that it could be taken from.
fn without_signs<'a>(tokens: &[Spaced<'a>]) -> Vec<Spaced<'a>> {
    let mut out: Vec<Spaced> = Vec::with_capacity(tokens.len());
    for (spaced, token) in tokens {
        let mut spaced = *spaced;
        while let (Token::Literal, [before @ .., (gap, Token::Symbol(b'+' | b'-'))]) =
            (token, &out[..])
        {
            if !opens_a_value(before.last()) {
                break;
            }
            spaced = *gap;
            out.pop();
        }
        out.push((spaced, *token));
    }
    out
}

fn opens_a_value(before: Option<&Spaced<'_>>) -> bool {
    match before {
        None | Some((_, Token::Executable)) => true,
        Some((_, Token::Word(word))) => is_keyword(word),
        Some((_, Token::Symbol(symbol))) => *symbol != b')',
        Some((_, Token::Literal | Token::Quoted(_))) => false,
    }
}

/// Words after which a value is expected, and no operator.
fn is_keyword(word: &[u8]) -> bool {
    const KEYWORDS: [&[u8]; 29] = [
        b"select",
        b"where",
        b"and",
        b"or",
        b"xor",
        b"not",
        b"in",
        b"set",
        b"values",
        b"value",
        b"then",
        b"else",
        b"when",
        b"case",
        b"by",
        b"limit",
        b"offset",
        b"between",
        b"like",
        b"return",
        b"on",
        b"having",
        b"interval",
        b"default",
        b"distinct",
        b"div",
        b"mod",
        b"do",
        b"all",
    ];
    KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

/// Values in a row become the first of them, and more.
fn without_lists<'a>(tokens: &[Spaced<'a>]) -> Vec<Spaced<'a>> {
    let mut out: Vec<Spaced> = Vec::with_capacity(tokens.len());
    let (mut at, mut depth) = (0, 0_usize);
    while let Some((spaced, token)) = tokens.get(at) {
        let opens = matches!(out.last(), Some((_, Token::Symbol(b'(' | b','))));
        let values = if opens && depth > 0 { values_in_a_row(&tokens[at..]) } else { 0 };
        if values >= 2 {
            let comma = (false, Token::Symbol(b','));
            out.extend([(*spaced, Token::Literal), comma, (true, Token::Word(MORE))]);
            at += 2 * values - 1;
            // The last one may have been cut.
            at += usize::from(is_more(tokens.get(at)));
            continue;
        }
        match token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        out.push((*spaced, *token));
        at += 1;
    }
    out
}

fn is_more(token: Option<&Spaced<'_>>) -> bool {
    matches!(token, Some((_, Token::Word(word))) if *word == MORE)
}

/// Counts the elements at the beginning of a list that are nothing but values.
fn values_in_a_row(tokens: &[Spaced<'_>]) -> usize {
    let mut values = 0;
    for pair in tokens.chunks(2) {
        let is_value = match pair.first() {
            Some((_, Token::Literal)) => true,
            Some((_, Token::Word(word))) => *word == MORE && values > 0,
            _ => false,
        };
        let ends = match pair.get(1) {
            None | Some((_, Token::Symbol(b',' | b')'))) => true,
            Some((_, token)) => *token == Token::Word(MORE),
        };
        if !is_value || !ends {
            break;
        }
        values += 1;
        if !matches!(pair.get(1), Some((_, Token::Symbol(b',')))) {
            break;
        }
    }
    values
}

/// Leaves out all rows after `VALUES` but the first, which stands for all.
fn without_later_rows<'a>(tokens: &[Spaced<'a>]) -> Vec<Spaced<'a>> {
    let mut out: Vec<Spaced> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some((_, token)) = tokens.get(at) {
        let begins_rows = matches!(token, Token::Word(word) if is_values(word));
        let first = if begins_rows { 1 + group(&tokens[at + 1..]) } else { 1 };
        out.extend_from_slice(&tokens[at..at + first]);
        at += first;
        let rows = if first > 1 { later_rows(&tokens[at..]) } else { 0 };
        if rows > 0 {
            out.extend([(false, Token::Symbol(b',')), (true, Token::Word(MORE))]);
            at += rows;
            at += usize::from(is_more(tokens.get(at)));
        }
    }
    out
}

fn is_values(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"values") || word.eq_ignore_ascii_case(b"value")
}

/// Tokens of the parentheses at the beginning, with all that is in them.
fn group(tokens: &[Spaced<'_>]) -> usize {
    let mut depth = 0_usize;
    for (at, (_, token)) in tokens.iter().enumerate() {
        match token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return if at == 0 { 0 } else { at + 1 };
        }
    }
    tokens.len()
}

/// Tokens of `, (…)`, as often as it comes.
fn later_rows(tokens: &[Spaced<'_>]) -> usize {
    let mut at = 0;
    while let [(_, Token::Symbol(b',')), rest @ ..] = &tokens[at.min(tokens.len())..] {
        let row = match rest.first() {
            first if is_more(first) => 1,
            _ => group(rest),
        };
        if row == 0 {
            break;
        }
        at += 1 + row;
    }
    at
}

fn render(tokens: &[Spaced<'_>]) -> String {
    let mut out = String::new();
    let (mut chars, mut before) = (0, None);
    // Where a digest that grows too long is cut.
    let (mut kept, mut kept_token) = (0, None);
    for (spaced, token) in tokens {
        let text = text_of(token);
        let space = before.is_some_and(|before| is_spaced(before, *spaced, token));
        chars += text.chars().count() + usize::from(space);
        if chars > MAX_CHARS {
            return cut(out, kept, kept_token);
        }
        out.extend(space.then_some(' '));
        out += &text;
        before = Some(token);
        if chars <= MAX_CHARS - 2 {
            (kept, kept_token) = (out.len(), before);
        }
    }
    out
}

fn cut(mut out: String, kept: usize, before: Option<&Token<'_>>) -> String {
    out.truncate(kept);
    if out.ends_with('…') {
        return out;
    }
    let more = Token::Word(MORE);
    let space = before.is_some_and(|before| is_spaced(before, false, &more));
    out.extend(space.then_some(' '));
    out + "…"
}

fn text_of(token: &Token<'_>) -> String {
    match token {
        Token::Word(word) => shortened(&printable(&String::from_utf8_lossy(word))),
        Token::Quoted(name) => quoted(name),
        Token::Literal => "?".into(),
        Token::Executable => "/*!".into(),
        Token::Symbol(symbol) => char::from(*symbol).into(),
    }
}

/// A name that is not too long; `…` says that it was.
fn shortened(name: &str) -> String {
    let base = name.trim_end_matches('…');
    let kept: String = base.chars().take(MAX_NAME).collect();
    let more = if kept.len() < name.len() { "…" } else { "" };
    kept + more
}

/// A name in its quotes, closed even where it was cut.
fn quoted(name: &[u8]) -> String {
    let quote = if name.first() == Some(&b'"') { '"' } else { '`' };
    let doubled: String = [quote, quote].iter().collect();
    let inner = printable(&String::from_utf8_lossy(name.get(1..).unwrap_or_default()));
    // A doubled quote counts as one character, and is never taken apart.
    let inner = inner.replace(&doubled, "\0");
    let (inner, open) = match inner.strip_suffix(quote) {
        Some(inner) => (inner, false),
        None => (&inner[..], true),
    };
    let long = inner.chars().count() > MAX_NAME;
    let take = if open || long { MAX_NAME - 1 } else { MAX_NAME };
    let kept: String = inner.chars().take(take).collect();
    let more = if (open || long) && !kept.ends_with('…') { "…" } else { "" };
    format!("{quote}{}{more}{quote}", kept.replace('\0', &doubled))
}

/// Does a space stand between two tokens?
fn is_spaced(before: &Token<'_>, spaced: bool, token: &Token<'_>) -> bool {
    let is_operator = |symbol: u8| matches!(symbol, b'=' | b'<' | b'>' | b'!' | b'+' | b'-');
    match (before, token) {
        // Together, they could begin a comment.
        (Token::Symbol(b'-'), Token::Symbol(b'-')) => true,
        (_, Token::Symbol(b',' | b')' | b';')) => false,
        (Token::Symbol(b',' | b';'), _) => true,
        (Token::Symbol(b'('), _) => false,
        (Token::Word(word), Token::Symbol(b'(')) => {
            spaced || is_values(word) || word.eq_ignore_ascii_case(b"in")
        }
        (Token::Word(word), Token::Symbol(symbol)) if is_operator(*symbol) => {
            spaced && is_keyword(word)
        }
        (_, Token::Symbol(symbol)) | (Token::Symbol(symbol), _) if is_operator(*symbol) => false,
        (Token::Executable, _) | (_, Token::Executable) => true,
        _ => spaced,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Dialect;
    use super::*;

    fn of(text: &str) -> String {
        digest(Sql::from(text))
    }

    fn of_cut(text: &str) -> String {
        digest(Sql { cut: true, ..Sql::from(text) })
    }

    #[test]
    fn values_spaces_and_comments() {
        for (text, expected) in [
            ("update tb_user set name='x' where id=1", "update tb_user set name=? where id=?"),
            (
                "UPDATE  accounts\n SET balance = balance - 10 /* c */ WHERE id = 7;",
                "UPDATE accounts SET balance=balance-? WHERE id=?",
            ),
            ("SELECT -1, +2.5e-3, x'0f', NULL, TRUE", "SELECT ?, ?, ?, NULL, TRUE"),
            ("select * from t1 where a in (1,2,3)", "select * from t1 where a in (?, …)"),
            ("select * from t where a IN(1)", "select * from t where a IN (?)"),
            (
                "insert into t (a, b) values (1,'x'),(2,NULL),(3,'z')",
                "insert into t (a, b) values (?, …), …",
            ),
            ("insert into t values (1, now(), 2)", "insert into t values (?, now(), ?)"),
            (
                "insert into t values (1,2) on duplicate key update a=values(a), b=values(b)",
                "insert into t values (?, …) on duplicate key update a=values (a), b=values (b)",
            ),
            ("select `a``b`, \"it\"\"s\" from `db`.`t2`", "select `a``b`, ? from `db`.`t2`"),
            ("/*!40101 SET NAMES utf8 */", "/*! SET NAMES utf8 */"),
            ("select 1 -- c\n+ 2 # d", "select ?+?"),
            ("select a - -1, b--1", "select a-?, b-?"),
            ("BEGIN", "BEGIN"),
            ("", ""),
            ("select 'open", "select ?"),
            ("call p(1, 'a')", "call p(?, …)"),
            ("select a\u{1b}[31m", "select a [? m"),
        ] {
            let expected = if text.contains('\u{1b}') { "select a [31m" } else { expected };
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn a_cut_says_so() {
        assert_eq!(of_cut("select * from t where name='ab"), "select * from t where name=?…");
        assert_eq!(of_cut("select * from tab"), "select * from tab…");
        assert_eq!(of_cut("select a in (1, 2"), "select a in (?, …");
        assert_eq!(of("select 1 /* open"), "select ?…");
        assert_eq!(of("select `open"), "select `open…`");
        assert_eq!(of_cut("use `ban"), "use `ban…`");
        let long = format!("select {}", "abcdefghi, ".repeat(100));
        assert_eq!(of(&long).chars().count().div_ceil(16), 16);
        assert!(of(&long).ends_with('…'));
    }

    #[test]
    fn without_backslash_escapes_nothing_leaks() {
        let dialect = Dialect { backslash: Some(false), ..Dialect::default() };
        let sql = Sql { dialect, ..Sql::from(r"select 'a\', 'secret', 'b'") };
        assert_eq!(digest(sql), "select ?, ?, ?");
    }

    #[test]
    fn postgresql_writes_strings_names_and_comments_in_its_own_way() {
        for (text, expected) in [
            (
                r#"select "a""b", 'it''s' from "T" where x=$1"#,
                r#"select "a""b", ? from "T" where x=?"#,
            ),
            (r"select E'a\'secret', 'b\', 'c'", "select ?, ?, ?"),
            ("select $$secret$$, $t$ it's $$ secret $t$, 7::int8", "select ?, ?, ?::int8"),
            ("select a$1, $x from t", "select a$1, ? from t"),
            ("select 1 /* a /* b */ secret */ + 2 -- secret", "select ?+?"),
            ("select a--secret\n, b", "select a, b"),
            ("select a #> '{b}', c @> d", "select a #>?, c @>d"),
            ("select 1_000, 0x1f, 12abc, B'01', X'ff', N'x'", "select ?, ?, ?, ?, ?, ?"),
            ("select U&'secret', 'a' 'b'", "select U&?, ? ?"),
            ("select $t$open secret", "select ?"),
            ("/*! secret */ select 1", "select ?"),
            ("select 'open", "select ?"),
            ("insert into t values (1, 'x'), (2, 'y')", "insert into t values (?, …), …"),
        ] {
            let of = |text: &str, backslash| {
                digest(Sql { dialect: Dialect::postgresql(backslash), ..Sql::from(text) })
            };
            assert_eq!(of(text, false), expected, "{text}");
        }
        let sql = Sql::from(r"select 'a\'secret'");
        assert_eq!(digest(Sql { dialect: Dialect::postgresql(true), ..sql }), "select ?");
    }

    #[test]
    fn from_where_nobody_knows_what_is_a_value_nothing_is_shown() {
        let mysql = Dialect::default();
        let of = |text: &[u8], dialect| digest(Sql { text, cut: false, dialect });
        for (text, expected) in [
            (&b"select '\x95\\','hunter2' from dual"[..], "select ?…"),
            (b"insert into t values (1, '\x95\\','hunter2')", "insert into t values (?, …"),
            (b"select '\xd6\xd0\\'', 'b' from t", "select ?, ? from t"),
            (b"select \xbf`, 'hunter2' as `x`", "select \u{fffd}…"),
            (b"select `\xbf`, 'hunter2' as `x`", "select…"),
            (b"select `\xb1\xa1`, 'x' from t", "select `\u{fffd}\u{fffd}`, ? from t"),
        ] {
            assert_eq!(of(text, mysql), expected, "{}", String::from_utf8_lossy(text));
        }
        let unknown = Dialect::postgresql(None);
        assert_eq!(of(br"select 'a\', 'hunter2'", unknown), "select ?…");
        assert_eq!(of(b"select E'\x95\\', 'hunter2'", Dialect::postgresql(false)), "select ?…");
        let name = "select \"\u{e9}\", 'x\\\\y' from t";
        assert_eq!(of(name.as_bytes(), unknown), "select \"\u{e9}\", ? from t");
    }

    #[test]
    fn a_string_of_postgresql_goes_on_in_the_next_line() {
        let of = |text| digest(Sql { dialect: Dialect::postgresql(false), ..Sql::from(text) });
        for (text, expected) in [
            ("select E'a'\n'b\\'hunter2e'", "select ? ?"),
            ("select E'a' -- x\r\n\t'b' --\n'c\\'hunter2e', d", "select ? ? ?, d"),
            // The others do not.
            ("select E'a', 'b\\', c", "select ?, ?, c"),
            ("select 'a'\n'b\\', c", "select ? ?, c"),
            ("select E'a' /*\n*/ 'b\\', c", "select ? ?, c"),
            // A comment ends with either end of a line.
            ("select a -- it's\r, 'b\nhunter2' from t", "select a, ? from t"),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    proptest! {
        #![proptest_config(crate::regressions::kept("digest_postgresql", 1_000))]

        /// As above: every value has a 7 in it, and nothing else has.
        #[test]
        fn no_value_of_postgresql_is_left(
            values in prop::collection::vec(
                prop_oneof![
                    "'[a-z ]{0,3}7(''|\\\\|\"|--|/\\*)?'", "E'7(\\\\'|''|\"|\\$\\$)?7'", "\\$\\$7('|\"|/\\*)?\\$\\$",
                    "\\$b1\\$7('|\\$|\\$\\$)?7\\$b1\\$", "[-+]?[0-9]{0,3}7(\\.[0-9]{1,2})?(e[-+]?[0-9])?", "7_0", "0x7f", "x'7f'",
                ],
                1..10,
            ),
            cut in 0usize..80,
        ) {
            let list = values.join(", ");
            let text = format!("insert into t values ({list}), ({list}) where a={}", values[0]);
            let dialect = Dialect::postgresql(false);
            let seven = |text: &str| digest(Sql { cut: true, dialect, ..Sql::from(text) }).contains('7');
            prop_assert!(!seven(&text), "{}", text);
            prop_assert!(!seven(&text[..cut.min(text.len())]), "{}", &text[..cut.min(text.len())]);
        }

        #[test]
        fn a_digest_of_postgresql_is_its_own_digest(text in statement(), cut in any::<bool>()) {
            let dialect = Dialect::postgresql(false);
            let of = |text: &str, cut| digest(Sql { cut, dialect, ..Sql::from(text) });
            let once = of(&text, cut);
            prop_assert!(once.chars().count() <= MAX_CHARS && !once.chars().any(char::is_control));
            prop_assert!(of(&once, false) == once || once.contains('…'), "{:?}", once);
        }
    }

    #[test]
    fn with_values_it_is_still_printable() {
        let sql = Sql { cut: true, ..Sql::from("select\n'\u{1b}[0m\u{202e}") };
        assert_eq!(literal(sql), "select '\u{fffd}[0m\u{fffd}…");
    }

    fn statement() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "[ \t\n]{1,2}",
            "[a-c]{1,3}",
            "'[a-z0-9'\\\\]{0,6}'",
            "\"[a-z]{0,4}\"?",
            "[0-9]{1,3}",
            "(=|<|>|!|\\+|-|\\*|/|,|;|\\.|@|:|\\(|\\)|\\?|#|`|\\||…)",
            "`[a-z`0-9]{0,5}`",
            "(select|values|VALUES|in|where|set|NULL|limit|-- |/\\*|\\*/|/\\*!50000|0x1f|1e5|x'f)",
            "\\((1,){0,3}2\\)",
            "(, ?\\(1, 'a'\\)){1,3}",
            "\\PC{0,3}",
            ".{0,3}",
        ];
        prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(crate::regressions::kept("digest", 2_000))]

        /// It is its own digest, bounded and printable.
        #[test]
        fn a_digest_is_its_own_digest(text in statement(), cut in any::<bool>(), backslash in any::<bool>()) {
            let dialect = Dialect { backslash: Some(backslash), ..Dialect::default() };
            let once = digest(Sql { text: text.as_bytes(), cut, dialect });
            prop_assert!(once.chars().count() <= MAX_CHARS);
            prop_assert!(!once.chars().any(char::is_control));
            // Where one was cut, parentheses may stay open, and belong to others.
            prop_assert!(of(&once) == once || once.ends_with('…'), "{:?}", once);
        }

        /// Not a single value is left: here, every value has a 7 in it, and nothing else has.
        #[test]
        fn no_value_is_left(
            values in prop::collection::vec(
                prop_oneof![
                    "'[a-z ]{0,3}7(''|\\\\'|\\\\\\\\|\"|--|/\\*)?'", "\"7('|\"\"|#)?[a-z]{0,2}\"",
                    "[-+]?[0-9]{0,3}7(\\.[0-9]{1,2})?(e[-+]?[0-9])?", "0x7f", "x'7f'", "\\.7",
                ],
                1..12,
            ),
            cut in 0usize..80,
        ) {
            let list = values.join(", ");
            let text = format!("insert into t values ({list}), ({list}) where a={} or b in({list})", values[0]);
            let seven = |text: &str| of_cut(text).contains('7');
            prop_assert!(!seven(&text));
            let cut = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            prop_assert!(!seven(&text[..cut]), "{}", &text[..cut]);
        }

        #[test]
        fn any_octets_will_do(text in prop::collection::vec(any::<u8>(), 0..600)) {
            let sql = Sql { text: &text, cut: false, dialect: Dialect::default() };
            for out in [digest(sql), literal(sql)] {
                prop_assert!(!out.chars().any(char::is_control));
                prop_assert!(out.chars().count() <= MAX_LITERAL_CHARS + 1);
            }
        }
    }
}
