//! Any octets as a statement: an octet of options, then the text.

#![no_main]

use closewait::attach::sql::digest::{MAX_CHARS, digest, literal};
use closewait::attach::sql::{Dialect, Sql};
use closewait_fuzz::assert_printable;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [options, text @ ..] = bytes else { return };
    // Known, or nobody knows.
    let backslash = (options & 8 == 0).then_some(options & 2 != 0);
    let dialect = match options & 4 != 0 {
        true => Dialect::postgresql(backslash),
        false => Dialect { backslash, ..Dialect::default() },
    };
    let sql = Sql { text, cut: options & 1 != 0, dialect };
    let once = digest(sql);
    assert_printable(&once, &[]);
    assert!(once.chars().count() <= MAX_CHARS);
    // Where one was cut, parentheses may stay open, and belong to others.
    let again = digest(Sql { text: once.as_bytes(), cut: false, dialect });
    assert!(again == once || once.contains('…'), "{once:?} is not its own digest: {again:?}");
    assert_printable(&literal(sql), &[]);
});
