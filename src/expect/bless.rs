//! An expectation becomes what is found, with as few changes as that takes: what is met stays as it is,
//! comments and order too.

use chrono::TimeDelta;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, value};

use super::file::{Wrong, expectation};
use super::{Expectation, Key, Range, ReadingOptions, is_nothing_judged, violations};
use crate::attach::sql::tags::Sought;
use crate::printable::printable;
use crate::summary::seen::{Collected, Seen};
use crate::tcp::segment::Endpoint;
use crate::verdict::Verdict;

/// Writes the expectation that `collected` meets when it is read with `reading`. `text` is the one before,
/// of which as much as possible stays; `capture` is the file's name, for the first line of a new one.
///
/// # Errors
/// If the expectation before cannot be understood.
pub fn bless(
    text: Option<&str>,
    capture: &str,
    reading: &ReadingOptions,
    collected: &Collected,
) -> Result<String, Wrong> {
    let Some(text) = text else { return Ok(fresh(capture, reading, collected)) };
    let before = expectation(text)?;
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| Wrong {
        line: None,
        sentence: printable(error.message()),
    })?;
    options(document.as_table_mut(), &before.reading, reading);
    let mut before = before;
    for _ in 0..MOST_ROUNDS {
        update(&mut document, &before, collected);
        // An entry that is gone said what holds without it, too: that nothing, or anything, was expected.
        before = expectation(&document.to_string())?;
        if violations(&before, collected, &|_| false).is_empty() {
            break;
        }
    }
    Ok(document.to_string())
}

/// Times that an expectation is brought nearer to what is found.
const MOST_ROUNDS: usize = 4;

/// Writes what was found, so far as a capture made anew will hold it, too: no port that a client chose, no count
/// that changes from run to run.
fn fresh(capture: &str, reading: &ReadingOptions, collected: &Collected) -> String {
    let mut document = DocumentMut::new();
    let table = document.as_table_mut();
    options(table, &ReadingOptions::default(), reading);
    let tally = &collected.tally;
    table["flows"] = if tally.flows > 0 { limit("min", 1) } else { count(0) };
    table[Key::LEAK.name()] = count(tally.findings);
    // How many connections were closed, and how, is another number every time.
    let pending = (Key::Verdict(Verdict::Pending.index()), pending(collected));
    for (key, found) in [pending, (Key::UNKNOWN, unknown(collected))] {
        if found > 0 {
            table[key.name()] = limit("max", found);
        }
    }
    if is_nothing_judged(collected) {
        expect_open(table, collected);
    }
    let open = open_transactions(collected);
    if open > 0 {
        table["transactions_open"] = limit("max", open);
    }
    table["exact"] = value(true);
    add_findings(table, findings(collected));
    format!("# What `closewait check` expects of {}.\n{document}", printable(capture))
}

/// Writes the options of reading: they are a part of what is expected.
fn options(table: &mut Table, before: &ReadingOptions, now: &ReadingOptions) {
    if before.local != now.local {
        table["local"] = one_or_several(&now.local);
    }
    if before.filter != now.filter
        && let Some(filter) = &now.filter
    {
        table["filter"] = value(filter);
    }
    if before.min_hold != now.min_hold
        && let Some(time) = now.min_hold.and_then(|time| time.to_std().ok())
    {
        table["min_hold"] = value(humantime::format_duration(time).to_string());
    }
    if before.tags != now.tags {
        let tags: Vec<String> = now.tags.iter().map(Sought::to_string).collect();
        table["tag"] = one_or_several(&tags);
    }
}

fn one_or_several(words: &[String]) -> Item {
    match words {
        [one] => value(one),
        several => value(several.iter().collect::<Array>()),
    }
}

fn update(document: &mut DocumentMut, before: &Expectation, collected: &Collected) {
    let table = document.as_table_mut();
    let mut before = before.clone();
    let place = &mut before.verdicts[Verdict::Pending.index()];
    if pending(collected) > 0 && place.is_none() {
        table["pending"] = limit("max", pending(collected));
        *place = Some(Range::at_most(pending(collected)));
    }
    let before = &before;
    for violation in violations(before, collected, &|_| false) {
        // What is no number was no connection at all.
        let found = violation.found.parse().unwrap_or(0);
        let held = violation.flows.iter().filter_map(|&index| collected.flows[index].held).max();
        let key = violation.key;
        if let Some(exception) = violation.exception {
            widen_override(table, exception.index, key, found, held);
            continue;
        }
        match key {
            Key::Finding | Key::Exact => {}
            Key::Judged => expect_open(table, collected),
            Key::Held => widen_held(table, held, longest(collected)),
            _ => {
                let short = key.short().filter(|short| table.contains_key(short));
                widen(&mut table[short.unwrap_or(key.name())], found);
            }
        }
    }
    entries(table, before, collected);
}

/// A count becomes the one found; of limits, the broken one.
fn widen(item: &mut Item, found: u64) {
    let as_integer = i64::try_from(found).unwrap_or(i64::MAX);
    let Some(limits) = item.as_table_like_mut() else {
        keep_decor(item, as_integer.into());
        return;
    };
    let limit = |limits: &dyn toml_edit::TableLike, key| {
        limits.get(key).and_then(Item::as_integer).and_then(|limit| u64::try_from(limit).ok())
    };
    for (key, broken) in [
        ("min", limit(limits, "min").is_some_and(|min| found < min)),
        ("max", limit(limits, "max").is_some_and(|max| found > max)),
    ] {
        if broken && let Some(item) = limits.get_mut(key) {
            keep_decor(item, as_integer.into());
        }
    }
}

/// Sets a value, and keeps the comment behind it.
fn keep_decor(item: &mut Item, new: toml_edit::Value) {
    let decor = item.as_value().map(|value| value.decor().clone());
    *item = Item::Value(new);
    if let (Some(value), Some(decor)) = (item.as_value_mut(), decor) {
        *value.decor_mut() = decor;
    }
}

/// A limit in whole seconds: the next run takes a little longer or shorter.
fn widen_held(table: &mut Table, too_long: Option<TimeDelta>, longest: TimeDelta) {
    let (key, seconds) = match too_long {
        Some(too_long) => ("max", too_long.num_seconds() + 1),
        None => ("min", longest.num_seconds()),
    };
    let item = match table.contains_key("max_held") {
        true => table.get_mut("max_held"),
        false => table
            .get_mut("held")
            .and_then(Item::as_table_like_mut)
            .and_then(|limits| limits.get_mut(key)),
    };
    if let Some(item) = item {
        keep_decor(item, format!("{seconds}s").into());
    }
}

/// Limits for one peer: what is broken becomes what is found there.
fn widen_override(table: &mut Table, index: usize, key: Key, found: u64, held: Option<TimeDelta>) {
    let tables = table.get_mut("override").and_then(Item::as_array_of_tables_mut);
    let table = tables.and_then(|tables| tables.get_mut(index));
    let (Some(table), Some(name)) = (table, key.short()) else { return };
    let seconds = held.unwrap_or_default().num_seconds() + 1;
    let item = match key {
        Key::Held => value(format!("{seconds}s")),
        _ => count(found),
    };
    if let Ok(new) = item.into_value() {
        keep_decor(&mut table[name], new);
    }
}

/// Entries without a finding go; those that are missing come.
fn entries(table: &mut Table, before: &Expectation, collected: &Collected) {
    let found: Vec<&Seen> = findings(collected).collect();
    let pairs = super::findings::pairs(&before.findings, &found);
    if let Some(tables) = table.get_mut("finding").and_then(Item::as_array_of_tables_mut) {
        for (index, _) in pairs.iter().enumerate().rev().filter(|(_, pair)| pair.is_none()) {
            tables.remove(index);
        }
        if tables.is_empty() {
            table.remove("finding");
        }
    }
    if before.exact {
        let is_left = |place: &usize| !pairs.contains(&Some(*place));
        add_findings(table, (0..found.len()).filter(is_left).map(|place| found[place]));
    }
}

fn add_findings<'a>(table: &mut Table, findings: impl Iterator<Item = &'a Seen>) {
    let new: Vec<Table> = findings.map(entry).collect();
    if new.is_empty() {
        return;
    }
    let item = table.entry("finding").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    if let Some(tables) = item.as_array_of_tables_mut() {
        new.into_iter().for_each(|table| tables.push(table));
    }
}

fn entry(seen: &Seen) -> Table {
    let (local, peer) = seen.from_local();
    let mut table = Table::new();
    table["local"] = value(lasting(local, seen.local_is_service()));
    table["peer"] = value(lasting(peer, seen.peer_is_service()));
    if let Some(cause) = seen.cause {
        table["cause"] = value(cause.name());
    }
    if let Some(last) = seen.said.shown().last() {
        table["statement"] = value(last);
    }
    table
}

/// The first port that clients choose from (ip(7), `ip_local_port_range`).
const CHOSEN: u16 = 32_768;

/// An end by what it has the next time, too: its port only where it is a service's.
fn lasting(end: Endpoint, is_service: bool) -> String {
    match is_service || end.port < CHOSEN {
        true => end.to_string(),
        false => end.ip.to_string(),
    }
}

/// Open connections, or attempts, at least one; a refused one was reset.
fn expect_open(table: &mut Table, collected: &Collected) {
    let verdict = match collected.tally.not_closed {
        [0, _] if collected.tally.of(Verdict::Attempt) == 0 => Verdict::Reset,
        [0, _] => Verdict::Attempt,
        _ => Verdict::Open,
    };
    table[verdict.name()] = limit("min", 1);
}

fn pending(collected: &Collected) -> u64 {
    collected.tally.of(Verdict::Pending)
}

fn unknown(collected: &Collected) -> u64 {
    collected.tally.unknown.values().sum::<u64>() + collected.tally.tags_untold_held
}

/// `{ max = 3 }`
fn limit(key: &str, n: u64) -> Item {
    let mut table = InlineTable::new();
    table.insert(key, i64::try_from(n).unwrap_or(i64::MAX).into());
    value(table)
}

fn findings(collected: &Collected) -> impl Iterator<Item = &Seen> {
    collected.flows.iter().filter(|seen| seen.finding)
}

fn open_transactions(collected: &Collected) -> u64 {
    collected.flows.iter().filter(|seen| seen.said.in_transaction && seen.is_kept()).count() as u64
}

fn longest(collected: &Collected) -> TimeDelta {
    collected.flows.iter().filter_map(|seen| seen.held_by_local).max().unwrap_or_default()
}

fn count(n: u64) -> Item {
    value(i64::try_from(n).unwrap_or(i64::MAX))
}
