//! Any bytes as an archive, or as something compressed, of captures.

#![no_main]

use closewait::capture::file::Input;
use closewait::capture::series::members;
use closewait_fuzz::{Format, assert_printable, input, plan, report};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let input = input(bytes);
    let mut troubles = Vec::new();
    let members =
        members(std::slice::from_ref(&input), &mut |error| troubles.push(error.to_string()));
    troubles.iter().for_each(|trouble| assert_printable(trouble, &[]));
    assert!(members.iter().all(|Input(path)| path.starts_with(&input.0)), "a member outside");
    let one = report(plan(std::slice::from_ref(&input)), Format::Jsonl);
    one.check(Format::Jsonl);
    // Its members by their names are the same; one of its own does not know of the others.
    if let [member] = &members[..] {
        let alone = report(plan(std::slice::from_ref(member)), Format::Jsonl);
        assert_eq!(alone.outcome.findings, one.outcome.findings, "{}", one.troubles);
    }
});
