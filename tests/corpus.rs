//! Other people's captures, where they are: `CLOSEWAIT_CORPUS` names a folder with `captures/` and a
//! `compare.py` that holds the binary against independent labels.

mod common;

use std::path::Path;
use std::process::Command;

#[test]
fn no_false_leak_and_no_crash_on_foreign_captures() {
    let Some(corpus) = std::env::var_os("CLOSEWAIT_CORPUS") else { return common::skip("corpus") };
    let script = Path::new(&corpus).join("compare.py");
    let output = Command::new("python3")
        .args([script.as_os_str(), common::BINARY.as_ref()])
        .output()
        .expect("python3 runs");
    let (out, err) = common::text(&output);
    let last = out.lines().last().unwrap_or_default();
    eprintln!("{last}{err}");
    assert!(last.contains(" captures, 0 broken;"), "{out}{err}");
    assert!(last.split("; ").any(|part| part == "missed 0, false 0"), "{out}{err}");
}
