//! Expectations in TOML: `x.expect.toml` beside a capture, and `closewait.toml` for all others.

use super::findings::Wanted;
pub use super::keys::Wrong;
use super::keys::{Keys, Value, document};
use super::{Expectation, Key, Limits, OpenIdle, Override, Range, ReadingOptions};
use crate::verdict::Verdict;

/// The keys of both files, beside the verdicts' names.
const COMMON: [&str; 12] = [
    "local",
    "filter",
    "min_hold",
    "tag",
    "held",
    "max_leaks",
    "max_held",
    "max_unknown",
    "open_idle",
    "transactions_open",
    "override",
    "leak",
];

/// The keys that are about one capture.
const OF_ONE: [&str; 3] = ["flows", "exact", "finding"];

const FINDING: [&str; 7] = ["local", "peer", "holder", "cause", "statement", "code", "held"];

const OVERRIDE: [&str; 4] = ["peer", "max_leaks", "max_held", "max_unknown"];

/// Reads an `x.expect.toml`.
///
/// # Errors
/// If it is not TOML, has an unknown key, or a value that cannot be understood; with its line.
pub fn expectation(text: &str) -> Result<Expectation, Wrong> {
    read(text, &[&COMMON[..], &OF_ONE, &Verdict::NAMES].concat())
}

/// Reads a `closewait.toml`.
///
/// # Errors
/// As [`expectation`], and for keys that are about one capture.
pub fn policy(text: &str) -> Result<Expectation, Wrong> {
    read(text, &COMMON)
}

fn read(text: &str, known: &[&str]) -> Result<Expectation, Wrong> {
    let document = document(text)?;
    let keys = Keys::new(text, document.as_table(), known)?;
    let mut expectation = Expectation {
        reading: reading(&keys)?,
        flows: keys.read("flows", Value::counts)?,
        verdicts: verdicts(&keys)?,
        held: keys.read("held", Value::times)?,
        open_idle: keys.read("open_idle", open_idle)?,
        transactions_open: keys.read("transactions_open", Value::counts)?,
        findings: keys.read("finding", findings)?.unwrap_or_default(),
        exact: keys.read("exact", Value::flag)?.unwrap_or(false),
        overrides: keys.read("override", overrides)?.unwrap_or_default(),
    };
    let limits = limits(&keys)?;
    expectation.tighten(&keys, limits)?;
    Ok(expectation)
}

fn reading(keys: &Keys) -> Result<ReadingOptions, Wrong> {
    Ok(ReadingOptions {
        local: keys.read("local", Value::addresses)?.unwrap_or_default(),
        filter: keys.read("filter", Value::text)?,
        min_hold: keys.read("min_hold", Value::time)?,
        tags: keys.read("tag", Value::tags)?.unwrap_or_default(),
    })
}

fn verdicts(keys: &Keys) -> Result<[Option<Range<u64>>; Verdict::NAMES.len()], Wrong> {
    let mut verdicts = [None; Verdict::NAMES.len()];
    for (verdict, name) in verdicts.iter_mut().zip(Verdict::NAMES) {
        *verdict = keys.read(name, Value::counts)?;
    }
    Ok(verdicts)
}

fn limits(keys: &Keys) -> Result<Limits, Wrong> {
    Ok(Limits {
        leaks: keys.read("max_leaks", Value::count)?.map(Range::at_most),
        held: keys.read("max_held", Value::time)?.map(Range::at_most),
        unknown: keys.read("max_unknown", Value::count)?.map(Range::at_most),
    })
}

impl Expectation {
    /// `max_leaks = 2` is short for `leak = { max = 2 }`: only one of them can hold.
    fn tighten(&mut self, keys: &Keys, limits: Limits) -> Result<(), Wrong> {
        for key in Key::LIMITS {
            let short = key.short().and_then(|short| keys.get(short));
            if let (Some(short), Some(_)) = (short, keys.get(key.name())) {
                let long = key.name();
                return Err(short.wrong(&format!("{long} says the same: keep one of them")));
            }
        }
        self.limit(limits);
        Ok(())
    }

    /// Takes these limits where they are given.
    pub fn limit(&mut self, limits: Limits) {
        let limited = [(Verdict::Leak.index(), limits.leaks), (Verdict::UNKNOWN, limits.unknown)];
        for (index, range) in limited {
            self.verdicts[index] = range.or(self.verdicts[index]);
        }
        self.held = limits.held.or(self.held);
    }
}

fn open_idle(value: Value) -> Result<OpenIdle, Wrong> {
    let keys = value.keys(&["idle", "min", "max"])?;
    let idle = keys.read("idle", Value::time)?;
    let (min, max) = (keys.read("min", Value::count)?, keys.read("max", Value::count)?);
    let idle = idle.ok_or_else(|| value.wrong("write { idle = \"2s\", max = 0 }"))?;
    let none = min.is_none() && max.is_none();
    Ok(OpenIdle { idle, count: if none { Range::at_most(0) } else { Range { min, max } } })
}

fn findings(value: Value) -> Result<Vec<Wanted>, Wrong> {
    let one = |keys: &Keys| {
        Ok(Wanted {
            local: keys.read("local", Value::named)?,
            peer: keys.read("peer", Value::named)?,
            holder: keys.read("holder", Value::named)?,
            cause: keys.read("cause", cause)?,
            statement: keys.read("statement", Value::text)?,
            code: keys.read("code", Value::text)?,
            held: keys.read("held", Value::times)?,
        })
    };
    value.tables(&FINDING)?.iter().map(one).collect()
}

/// A word that is no cause would never match.
fn cause(value: Value) -> Result<String, Wrong> {
    use crate::summary::cause::Cause;
    let word = value.text()?;
    if Cause::ALL.iter().any(|cause| cause.name() == word) {
        return Ok(word);
    }
    let names: Vec<&str> = Cause::ALL.iter().map(|cause| cause.name()).collect();
    Err(value.wrong(&format!("{word} is no cause: {}", names.join(", "))))
}

fn overrides(value: Value) -> Result<Vec<Override>, Wrong> {
    let one = |keys: &Keys| {
        let peer = keys.read("peer", Value::named)?;
        let peer = peer.ok_or_else(|| value.wrong("peer is missing: an address, or :PORT"))?;
        Ok(Override { name: peer.name, peer: peer.set, limits: limits(keys)? })
    };
    value.tables(&OVERRIDE)?.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        expectation(text).expect_err("wrong").to_string()
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        assert_eq!(wrong("flows = 1\nleek = 0\n"), "line 2: unknown key leek; did you mean leak?");
        let nested = "[[finding]]\npeer = '10.0.0.1'\nstatment = 'x'\n";
        assert_eq!(wrong(nested), "line 3: unknown key statment; did you mean statement?");
        assert_eq!(
            wrong("leak = { maximum = 2 }"),
            "line 1: unknown key maximum; did you mean max? (a count, or { min = …, max = … })"
        );
        assert!(wrong("leak = -1").contains("write a count"));
        assert!(wrong("leak = '4'").contains("write a count, or { min = …"));
        assert!(wrong("held = '5s'").contains("write { max = \"5s\" }"));
        let own = "[[override]]\npeer = ':80'\nleak = 2";
        assert!(wrong(own).contains("unknown key leak; did you mean max_leaks?"));
        assert!(wrong("leak = { min = 3, max = 2 }").contains("min is greater than max"));
        assert!(wrong("held = { max = 'soon' }").contains("write a time"));
        assert!(wrong("local = 'localhost'").contains("is no address"));
        assert!(wrong("\n\nflows =").starts_with("line 3: "));
        assert!(wrong("leak = 0\nmax_leaks = 1").contains("leak says the same"));
        assert!(wrong("[[finding]]\ncause = 'forgoten'").contains("is no cause"));
        assert!(wrong("finding = 3").contains("write [[finding]]"));
    }

    #[test]
    fn a_policy_is_about_no_single_capture() {
        assert!(policy("flows = 3").is_err());
        let policy = policy("max_leaks = 1\n[[override]]\npeer = ':3306'\nmax_held = '5s'");
        let policy = policy.expect("right");
        assert_eq!(policy.limits().leaks, Some(Range::at_most(1)));
        assert_eq!(policy.overrides.len(), 1);
    }
}
