//! Cases that a property failed on once, tried again before all others.

use proptest::test_runner::{Config, FileFailurePersistence};

/// A configuration that tries the cases in `tests/regressions/NAME.txt`, and so many new ones. A case
/// that fails is added to that file, wherever the source of the property may lie.
pub fn kept(name: &str, cases: u32) -> Config {
    let path = format!("{}/tests/regressions/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    // Proptest keeps the path for as long as there are tests.
    let file = FileFailurePersistence::Direct(path.leak());
    Config { failure_persistence: Some(Box::new(file)), ..Config::with_cases(cases) }
}
