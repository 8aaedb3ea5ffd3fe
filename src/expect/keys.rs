//! Keys and values of a TOML file, with sentences for what is wrong with them.

use std::ops::Range as Span;

use chrono::TimeDelta;
use toml_edit::{Item, TableLike};

use super::Range;
use super::findings::Named;
use crate::attach::sql::tags::Sought;
use crate::endpoints::EndpointSet;
use crate::printable::printable;

/// A mistake in a file of expectations, and its line.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}{sentence}", line.map_or(String::new(), |line| format!("line {line}: ")))]
pub struct Wrong {
    /// The line of the file, from 1, where there is one.
    pub line: Option<usize>,
    /// The sentence that says so.
    pub sentence: String,
}

/// A table of the file.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    text: &'a str,
    table: &'a dyn TableLike,
}

/// A value, and what it is called.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    text: &'a str,
    name: &'a str,
    item: &'a Item,
}

fn wrong(text: &str, span: Option<Span<usize>>, sentence: &str) -> Wrong {
    let before = span.and_then(|span| text.get(..span.start));
    let line = before.map(|before| before.matches('\n').count() + 1);
    Wrong { line, sentence: printable(sentence) }
}

impl<'a> Keys<'a> {
    /// A table that has no keys but those.
    pub fn new(text: &'a str, table: &'a dyn TableLike, known: &[&str]) -> Result<Keys<'a>, Wrong> {
        let keys = Keys { text, table };
        let unknown = table.iter().map(|(key, _)| key).find(|key| !known.contains(key));
        unknown.map_or(Ok(keys), |key| Err(keys.unknown(key, known)))
    }

    fn unknown(&self, key: &str, known: &[&str]) -> Wrong {
        let near = |a: &&&str, b: &&&str| {
            strsim::jaro_winkler(key, a).total_cmp(&strsim::jaro_winkler(key, b))
        };
        // `leak` where only `max_leaks` can stand.
        let bare = |word: &str| word.trim_start_matches("max_").trim_end_matches('s').to_owned();
        let same = known.iter().find(|known| bare(known) == bare(key));
        let nearest = same.or(known.iter().max_by(near)).copied().unwrap_or_default();
        let span = self.table.get_key_value(key).and_then(|(key, _)| key.span());
        wrong(self.text, span, &format!("unknown key {key}; did you mean {nearest}?"))
    }

    pub fn get(&self, name: &'a str) -> Option<Value<'a>> {
        Some(Value { text: self.text, name, item: self.table.get(name)? })
    }

    /// Reads the value of a key, if it is there.
    pub fn read<T>(
        &self,
        name: &'a str,
        read: impl FnOnce(Value<'a>) -> Result<T, Wrong>,
    ) -> Result<Option<T>, Wrong> {
        self.get(name).map(read).transpose()
    }
}

impl<'a> Value<'a> {
    pub fn wrong(&self, what: &str) -> Wrong {
        wrong(self.text, self.item.span(), &format!("{}: {what}", self.name))
    }

    pub fn keys(&self, known: &[&str]) -> Result<Keys<'a>, Wrong> {
        let table = self.item.as_table_like();
        let table = table.ok_or_else(|| self.wrong("write a table, { key = value }"))?;
        Keys::new(self.text, table, known)
    }

    /// The tables of `[[name]]`.
    pub fn tables(&self, known: &[&str]) -> Result<Vec<Keys<'a>>, Wrong> {
        let name = self.name;
        let tables = self.item.as_array_of_tables();
        let tables = tables.ok_or_else(|| self.wrong(&format!("write [[{name}]]")))?;
        tables.iter().map(|table| Keys::new(self.text, table, known)).collect()
    }

    pub fn text(self) -> Result<String, Wrong> {
        let text = self.item.as_str().map(str::to_owned);
        text.ok_or_else(|| self.wrong("write a text in quotes"))
    }

    pub fn flag(self) -> Result<bool, Wrong> {
        self.item.as_bool().ok_or_else(|| self.wrong("write true or false"))
    }

    pub fn count(self) -> Result<u64, Wrong> {
        let count = self.item.as_integer().and_then(|count| u64::try_from(count).ok());
        count.ok_or_else(|| self.wrong("write a count: 0, 1, …"))
    }

    /// `"5s"`, `"500ms"`; a bare number is seconds.
    pub fn time(self) -> Result<TimeDelta, Wrong> {
        let seconds = self.item.as_integer().map(|seconds| format!("{seconds}s"));
        let time = self.item.as_str().map(str::to_owned).or(seconds);
        let time = time.and_then(|time| humantime::parse_duration(&time).ok());
        let time = time.and_then(|time| TimeDelta::from_std(time).ok());
        time.ok_or_else(|| self.wrong("write a time: \"5s\", \"500ms\", \"2min\""))
    }

    pub fn named(self) -> Result<Named, Wrong> {
        let name = self.text()?;
        let set = name.parse::<EndpointSet>().map_err(|error| self.wrong(&error.to_string()))?;
        Ok(Named { name, set })
    }

    /// One text or several, each of which is an address.
    pub fn addresses(self) -> Result<Vec<String>, Wrong> {
        let Some(array) = self.item.as_array() else {
            return self.named().map(|named| vec![named.name]);
        };
        let one = |item: &toml_edit::Value| {
            let name = item.as_str().ok_or_else(|| self.wrong("write addresses in quotes"))?;
            name.parse::<EndpointSet>().map_err(|error| self.wrong(&error.to_string()))?;
            Ok(name.to_owned())
        };
        array.iter().map(one).collect()
    }

    /// `"controller=orders"`, or several in brackets.
    pub fn tags(self) -> Result<Vec<Sought>, Wrong> {
        let one = |text: Option<&str>| {
            let text = text.ok_or_else(|| self.wrong("write a tag in quotes"))?;
            text.parse().map_err(|error: String| self.wrong(&error))
        };
        match self.item.as_array() {
            Some(array) => array.iter().map(|item| one(item.as_str())).collect(),
            None => one(self.item.as_str()).map(|tag| vec![tag]),
        }
    }

    /// `2`, `{ max = 2 }`, `{ min = 1, max = 3 }`.
    pub fn counts(self) -> Result<Range<u64>, Wrong> {
        if self.item.is_integer() {
            return self.count().map(Range::exactly);
        }
        if self.item.as_table_like().is_none() {
            return Err(self.wrong("write a count, or { min = …, max = … }"));
        }
        self.range(Value::count).map_err(|error| Wrong {
            sentence: format!("{} (a count, or {{ min = …, max = … }})", error.sentence),
            ..error
        })
    }

    /// `{ max = "5s" }`, `{ min = "1s", max = "5s" }`.
    pub fn times(self) -> Result<Range<TimeDelta>, Wrong> {
        if self.item.as_table_like().is_none() {
            return Err(self.wrong("write { max = \"5s\" }, or { min = …, max = … }"));
        }
        self.range(Value::time)
    }

    fn range<T: PartialOrd + Copy>(
        self,
        one: impl Fn(Value<'a>) -> Result<T, Wrong>,
    ) -> Result<Range<T>, Wrong> {
        let keys = self.keys(&["min", "max"])?;
        let range = Range { min: keys.read("min", &one)?, max: keys.read("max", &one)? };
        match (range.min, range.max) {
            (None, None) => Err(self.wrong("write { min = … } or { max = … }")),
            (Some(min), Some(max)) if min > max => Err(self.wrong("min is greater than max")),
            _ => Ok(range),
        }
    }
}

/// The document with the places of its keys.
pub fn document(text: &str) -> Result<toml_edit::Document<&str>, Wrong> {
    toml_edit::Document::parse(text).map_err(|error| wrong(text, error.span(), error.message()))
}
