//! Any octets as what a process in C or Rust has: a name, a table for unwinding with the stack to walk, or the
//! sections that are for debuggers.

#![no_main]

use closewait::code::names::native::debug::Debug;
use closewait::code::names::native::mangled::{LONGEST, plain};
use closewait::code::unwind::tables::{Index, Step};
use closewait::code::unwind::{Copied, PERF_REGISTERS, Registers};
use gimli::SectionId;
use libfuzzer_sys::fuzz_target;

/// Sections, in the order in which they come: each with two octets of length before it.
const SECTIONS: [SectionId; 9] = [
    SectionId::DebugInfo,
    SectionId::DebugAbbrev,
    SectionId::DebugLine,
    SectionId::DebugStr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugAddr,
    SectionId::DebugLineStr,
    SectionId::DebugStrOffsets,
];

fuzz_target!(|bytes: &[u8]| match bytes {
    [0, rest @ ..] => named(rest),
    [1, rest @ ..] => unwound(rest),
    [_, rest @ ..] => debugged(rest),
    [] => {}
});

fn named(bytes: &[u8]) {
    let name = plain(&String::from_utf8_lossy(bytes));
    assert!(name.len() <= 4 * LONGEST, "a name without end");
}

/// The octets are memory, an index of a table at its beginning, and the stack.
fn unwound(memory: &[u8]) {
    let Some(index) = Index::read(&memory, 0) else { return };
    for address in (0..2_048).step_by(5).chain([u64::MAX]) {
        let Some(rule) = index.rule(&memory, address) else { continue };
        let Some(mut registers) = Registers::of_perf(&vec![address; PERF_REGISTERS.len()]) else {
            return;
        };
        let copied = Copied { registers: registers.clone(), stack: memory.to_vec() };
        let before = registers.sp();
        if let Step::Caller(_) = rule.step(&mut registers, true, &copied, address) {
            assert!(registers.sp() >= before, "a stack that goes back");
        }
    }
}

fn debugged(bytes: &[u8]) {
    let mut rest = bytes;
    let mut sections = Vec::new();
    for id in SECTIONS {
        let [l0, l1, after @ ..] = rest else { break };
        let len = usize::from(u16::from_le_bytes([*l0, *l1])).min(after.len());
        let (section, after) = after.split_at(len);
        sections.push((id, section));
        rest = after;
    }
    let section = |id: SectionId| {
        let found = sections.iter().find(|(known, _)| *known == id);
        Ok(found.map_or(Vec::new(), |(_, section)| section.to_vec()))
    };
    let Some(debug) = Debug::of(section) else { return };
    for address in (0..8_192).step_by(97).chain([0x1000, 0x40_1000, u64::MAX]) {
        let all = debug.at(address);
        assert!(all.len() <= 64 && all.iter().all(|named| named.function.len() <= 4 * LONGEST));
    }
}
