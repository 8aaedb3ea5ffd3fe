//! Tags that programs put into comments of their statements: which code sent them.
//!
//! As sqlcommenter (`/*controller='orders',action='update'*/`), marginalia and the tags of Rails
//! (`/*controller:orders,action:update*/`) write them. Keys that are listed are read, and no others: a
//! comment can hold anything.

use std::fmt;
use std::str::FromStr;

use super::lexer::Lexer;
use super::text::SqlText;
use crate::attach::facts::{Facts, Tag, name};

/// Keys that name code, and no person.
const KEYS: &[&str] = &[
    "action",
    "application",
    "controller",
    "db_driver",
    "file",
    "framework",
    "job",
    "line",
    "route",
    "traceparent",
];

/// A tag that is looked for: `controller=orders`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought {
    key: &'static str,
    value: Box<str>,
}

impl FromStr for Sought {
    type Err = String;

    fn from_str(text: &str) -> Result<Sought, String> {
        let (key, value) = text.split_once('=').ok_or("it is written as controller=orders")?;
        let known = KEYS.iter().find(|known| **known == key);
        let key = known.ok_or_else(|| format!("no tag '{key}': there are {}", KEYS.join(", ")))?;
        Ok(Sought { key, value: value.into() })
    }
}

impl fmt::Display for Sought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

impl Sought {
    /// Returns whether it is one of these.
    pub fn is_in(&self, tags: &[Tag]) -> bool {
        tags.iter().any(|(key, value)| *key == self.key && **value == *self.value)
    }
}

/// Tells whether what was said last on a connection has all of these; none where that cannot be told. Without facts,
/// nobody has read it, or it is in no protocol that has tags.
pub fn have_all(sought: &[Sought], said: Option<&Facts>, unread: bool) -> Option<bool> {
    let Some(said) = said else { return if unread { None } else { Some(sought.is_empty()) } };
    match sought.iter().all(|one| one.is_in(&said.tags)) {
        true => Some(true),
        false if said.may_be_tagged() => None,
        false => Some(false),
    }
}

/// Returns the tags in a text's comments, by their keys; of one that comes twice, the last.
pub fn tags(text: &SqlText) -> Vec<Tag> {
    let mut found: Vec<Tag> = Vec::new();
    let mut lexer = Lexer::new(&text.octets, text.dialect).with_comments();
    lexer.by_ref().for_each(drop);
    for (key, value) in lexer.comments.iter().flatten().flat_map(|comment| pairs(comment)) {
        found.retain(|(known, _)| *known != key);
        found.push((key, value));
    }
    found.sort();
    found
}

/// Returns the tags of the last text that has any.
pub fn of_last<'a>(texts: impl DoubleEndedIterator<Item = &'a SqlText>) -> Vec<Tag> {
    texts.rev().map(tags).find(|tags| !tags.is_empty()).unwrap_or_default()
}

fn pairs(comment: &[u8]) -> Vec<Tag> {
    let mut rest = comment;
    let mut found = Vec::new();
    while let Some((pair, after)) = next_pair(rest) {
        found.extend(tag(pair));
        rest = after;
    }
    found
}

/// Splits at the first comma that is not between apostrophes.
fn next_pair(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    if rest.is_empty() {
        return None;
    }
    let (mut quoted, mut escaped) = (false, false);
    let end = rest.iter().position(|octet| {
        let is_escaped = escaped;
        escaped = *octet == b'\\' && !is_escaped;
        quoted ^= *octet == b'\'' && !is_escaped;
        *octet == b',' && !quoted
    });
    let end = end.unwrap_or(rest.len());
    Some((rest.get(..end)?, rest.get(end + 1..).unwrap_or_default()))
}

fn tag(pair: &[u8]) -> Option<Tag> {
    let middle = pair.iter().position(|octet| matches!(octet, b'=' | b':'))?;
    let (key, value) = (pair.get(..middle)?.trim_ascii(), pair.get(middle + 1..)?.trim_ascii());
    let key = KEYS.iter().find(|known| known.as_bytes() == key)?;
    let value = match value {
        [b'\'', inner @ .., b'\''] => inner,
        [b'\'', ..] | [.., b'\''] => return None,
        value => value,
    };
    let value = name(&decoded(value));
    let is_right = !value.is_empty() && (*key != "traceparent" || is_traceparent(&value));
    is_right.then_some((*key, value))
}

/// Without percent signs and backslashes.
fn decoded(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, after @ ..] = rest {
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        rest = match (*first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                after.get(2..).unwrap_or_default()
            }
            (b'\\', ..) => after,
            (octet, ..) => {
                out.push(octet);
                after
            }
        };
    }
    out
}

/// Numbers of a trace, as W3C has them.
fn is_traceparent(value: &str) -> bool {
    let lengths = value.split('-').map(str::len);
    lengths.eq([2, 32, 16, 2])
        && value.bytes().all(|octet| octet == b'-' || octet.is_ascii_hexdigit())
}

/// Returns the code that tags name, in one word: `orders#update`.
pub fn code(tags: &[Tag]) -> Option<String> {
    code_of(|wanted| tags.iter().find(|(key, _)| *key == wanted).map(|(_, value)| &**value))
}

/// Returns the code that tags name which somebody else keeps, by their names.
pub fn code_of<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    match (value("controller"), value("action")) {
        (Some(controller), Some(action)) => return Some(format!("{controller}#{action}")),
        (Some(one), None) | (None, Some(one)) => return Some(one.into()),
        (None, None) => {}
    }
    let file = match (value("file"), value("line")) {
        (Some(file), Some(line)) => Some(format!("{file}:{line}")),
        (file, _) => file.map(Into::into),
    };
    let others = ["route", "job"].into_iter().find_map(&value);
    others.map(Into::into).or(file).or_else(|| value("application").map(Into::into))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::sql::Dialect;

    fn read(text: &str) -> String {
        let text = SqlText::new(text.as_bytes(), false, Dialect::default());
        let all: Vec<String> =
            tags(&text).iter().map(|(key, value)| format!("{key}={value}")).collect();
        all.join(" ")
    }

    #[test]
    fn keys_that_are_listed_and_no_others() {
        for (text, expected) in [
            (
                "SELECT 1 /*controller='orders',action='up%20date'*/",
                "action=up date controller=orders",
            ),
            (
                "/*application:shop,controller:orders,action:show,pid:77*/ SELECT 1",
                "action=show application=shop controller=orders",
            ),
            ("SELECT 1 /* secret='x', user=\"y\" */", ""),
            ("SELECT '/*controller=secret*/' /*job='mail'*/", "job=mail"),
            ("SELECT 1 /*route='/a/%3Aid,b',line='7'*/", "line=7 route=/a/:id,b"),
            ("SELECT 1 /*controller='cut", ""),
            ("SELECT 1 /*controller='cut*/", ""),
            ("SELECT 1 -- controller=x\n", ""),
            (
                "SELECT 1 /*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*/",
                "traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ),
            ("SELECT 1 /*traceparent='secret'*/", ""),
            ("SELECT 1 /*action='a\u{1b}[0m'*/", "action=a\u{fffd}[0m"),
            ("SELECT 1 /*action='it\\'s'*/", "action=it's"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn a_tag_that_is_looked_for() {
        let tags = [("action", "update".into()), ("controller", "orders".into())];
        let found = |text: &str| text.parse::<Sought>().map(|sought| sought.is_in(&tags));
        assert_eq!(found("controller=orders"), Ok(true));
        assert_eq!(found("controller=order"), Ok(false));
        assert_eq!(found("job=orders"), Ok(false));
        assert!(found("user=x").is_err_and(|it| it.contains("there are action, ")));
        assert!(found("controller").is_err());
    }

    #[test]
    fn the_code_in_one_word() {
        let code = |tags: &[(&'static str, &str)]| {
            let tags: Vec<Tag> = tags.iter().map(|(key, value)| (*key, (*value).into())).collect();
            super::code(&tags)
        };
        assert_eq!(code(&[("action", "b"), ("controller", "a")]).as_deref(), Some("a#b"));
        assert_eq!(code(&[("file", "a.rb"), ("line", "3")]).as_deref(), Some("a.rb:3"));
        assert_eq!(code(&[("application", "x"), ("route", "/y")]).as_deref(), Some("/y"));
        assert_eq!(code(&[("db_driver", "x")]), None);
    }
}
