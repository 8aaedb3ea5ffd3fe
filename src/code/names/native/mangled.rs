//! Names as their language has them: Rust's and C++'s are written as one word in symbol tables.

use std::fmt::{self, Write};

use cpp_demangle::{DemangleOptions, ParseOptions, Symbol};

/// Octets of a name that are kept.
pub const LONGEST: usize = 512;

/// Depth of a name's parts, at most.
const DEPTH: u32 = 64;

/// Endings that compilers add where they made several functions of one.
const PARTS: [&str; 6] = [".constprop.", ".isra.", ".part.", ".cold", ".lto_priv.", ".llvm."];

/// Returns a name in its language.
#[must_use]
pub fn plain(raw: &str) -> String {
    let end = PARTS.iter().filter_map(|part| raw.find(part)).filter(|at| *at > 0).min();
    let raw = end.and_then(|end| raw.get(..end)).unwrap_or(raw);
    rust(raw).or_else(|| cpp(raw)).unwrap_or_else(|| raw.chars().take(LONGEST).collect())
}

fn rust(raw: &str) -> Option<String> {
    let name = rustc_demangle::try_demangle(raw).ok()?;
    let mut out = Bounded::default();
    // Without the hash.
    let _ = write!(out, "{name:#}");
    (!out.0.is_empty()).then_some(out.0)
}

fn cpp(raw: &str) -> Option<String> {
    if !raw.starts_with("_Z") {
        return None;
    }
    let reading = ParseOptions::default().recursion_limit(DEPTH);
    let writing = DemangleOptions::default().recursion_limit(DEPTH).no_params().no_return_type();
    let name = Symbol::new_with_options(raw, &reading).ok()?;
    let mut out = Bounded::default();
    let _ = name.structured_demangle(&mut out, &writing);
    (!out.0.is_empty()).then_some(out.0)
}

/// A text that grows no further: a short name can stand for a very long one.
#[derive(Default)]
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_their_languages() {
        for (raw, expected) in [
            ("charge", "charge"),
            ("charge.constprop.0", "charge"),
            ("main.cold", "main"),
            ("_ZN4shop10controller6update17h0123456789abcdefE", "shop::controller::update"),
            ("_RNvNtCs1234_4shop10controller6update", "shop::controller::update"),
            ("_ZN4shop10Controller6updateEi", "shop::Controller::update"),
            ("_ZN4shop3mapIiEET_S1_", "shop::map<int>"),
            ("_Zwhat", "_Zwhat"),
            ("", ""),
            (".cold", ".cold"),
        ] {
            assert_eq!(plain(raw), expected, "{raw}");
        }
    }

    #[test]
    fn a_name_that_grows_without_end_is_cut() {
        let deep = format!("_Z1fI{}iE{}vv", "S_IS_".repeat(2_000), "E".repeat(2_000));
        assert!(plain(&deep).len() <= LONGEST);
        assert!(plain(&"x".repeat(10_000)).len() <= LONGEST);
        let doubling: String =
            (0..30).fold("_Z1f1A".into(), |name, at| format!("{name}1XIS{at}_S{at}_E"));
        assert!(plain(&doubling).len() <= LONGEST);
    }
}
