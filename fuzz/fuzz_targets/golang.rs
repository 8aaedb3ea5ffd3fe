//! Any octets as a Go program's table of functions: two of length, little-endian, the table, and the trees
//! of inlined calls.

#![no_main]

use closewait::code::names::pclntab::LineTable;
use libfuzzer_sys::fuzz_target;

/// Calls that a stack can have at one address.
const DEPTH: usize = 64;

fuzz_target!(|bytes: &[u8]| {
    let [l0, l1, rest @ ..] = bytes else { return };
    let len = usize::from(u16::from_le_bytes([*l0, *l1])).min(rest.len());
    let (table, trees) = rest.split_at(len);
    let Some(table) = LineTable::new(table) else { return };
    for at in (0..4_096).step_by(7).chain([u64::MAX, 1 << 32]) {
        let calls = table.calls(at, Some(&trees));
        assert!(calls.len() <= DEPTH, "more calls than a stack has");
        assert!(calls.iter().all(|call| call.function.len() <= 3 * 512), "a name without end");
        // Without the trees, the outermost is the same.
        let outermost = table.calls(at, None::<&&[u8]>).pop().map(|call| call.function);
        if let Some(call) = calls.last() {
            assert_eq!(Some(&call.function), outermost.as_ref());
        }
    }
});
