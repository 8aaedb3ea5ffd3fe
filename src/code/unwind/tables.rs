//! A step from a function to its caller, as the table of its file says (`.eh_frame`, LSB 5.0 10.6).
//!
//! The table is read where the process has it in memory, an entry at a time. What a hostile one can do is
//! end a stack early, or name other code of its own; expressions, which could loop, are not carried out.

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, EhFrame, LittleEndian, RegisterRule, UnwindContext,
    UnwindSection,
};

use super::registers::{Copied, Registers, SP};
use crate::code::names::bytes::Bytes;

/// Octets of an entry of a table, at most.
const LONGEST: u64 = 64 * 1024;

/// The place of a value that a function has put away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    /// So far from the frame's end, on the stack.
    Stack(i64),
    /// It is that address.
    Address(i64),
    Register(u16),
}

/// A step from a function to its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The frame's end: a register, and so far from it.
    end: (u16, i64),
    /// Other registers stay as they are.
    kept: Vec<(u16, Kept)>,
    /// The register that has, or had, the address to return to. The outermost function keeps none.
    back: u16,
}

/// The way on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The address that the function returns to.
    Caller(u64),
    /// Nobody called it: the thread begins here.
    Outermost,
    /// The copy of the stack does not reach so far.
    Beyond,
}

impl Rule {
    /// Moves the registers to the caller's.
    pub fn step(
        &self,
        registers: &mut Registers,
        innermost: bool,
        copied: &Copied,
        base: u64,
    ) -> Step {
        let old = registers.clone();
        let end = old.get(self.end.0).and_then(|at| at.checked_add_signed(self.end.1));
        let Some(end) = end else { return Step::Beyond };
        let value = |kept: Kept| match kept {
            Kept::Stack(offset) => copied.word(base, end.checked_add_signed(offset)?),
            Kept::Address(offset) => end.checked_add_signed(offset),
            Kept::Register(other) => old.get(other),
        };
        let caller = match self.kept.iter().find(|(number, _)| *number == self.back) {
            Some((_, kept)) => value(*kept),
            // A function that calls no other may leave it where it is.
            None if innermost && cfg!(target_arch = "aarch64") => old.get(self.back),
            None => return Step::Outermost,
        };
        registers.set(SP, Some(end));
        self.kept.iter().for_each(|(number, kept)| registers.set(*number, value(*kept)));
        let Some(caller) = caller.map(unsigned) else { return Step::Beyond };
        // A stack that goes back is none.
        if registers.sp() < old.sp() {
            return Step::Beyond;
        }
        registers.ip = caller;
        if caller == 0 { Step::Outermost } else { Step::Caller(caller) }
    }
}

/// Some machines sign addresses in bits that no address has.
fn unsigned(address: u64) -> u64 {
    if cfg!(target_arch = "aarch64") { address & 0x0000_ffff_ffff_ffff } else { address }
}

/// The index of a file's table: `.eh_frame_hdr`, by its address in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index {
    start: u64,
    entries: u64,
}

impl Index {
    /// Reads its head; none if it is not in the one form that linkers write.
    pub fn read(memory: &impl Bytes, start: u64) -> Option<Index> {
        let mut head = [0; 4];
        memory.read(start, &mut head)?;
        // Version; a relative pointer, a count, and a table of pairs relative to here, of 4 octets each.
        if head != [1, 0x1b, 0x03, 0x3b] {
            return None;
        }
        let entries = memory.u32(start.checked_add(8)?)?;
        Some(Index { start, entries: entries.into() })
    }

    /// Finds the entry of the function that may have this address, by halves.
    fn entry(&self, memory: &impl Bytes, address: u64) -> Option<u64> {
        let number = |at: u64| {
            let place = self.start.checked_add(12)?.checked_add(at.checked_mul(4)?)?;
            let relative = i64::from(memory.u32(place)?.cast_signed());
            self.start.checked_add_signed(relative)
        };
        let (mut low, mut high) = (0, self.entries);
        while low < high {
            let middle = low + (high - low) / 2;
            if number(middle * 2)? <= address { low = middle + 1 } else { high = middle }
        }
        number((low.checked_sub(1)?) * 2 + 1)
    }

    /// Returns the step from this address on; none if no function of the table has it, or its step is
    /// an expression's.
    pub fn rule(&self, memory: &impl Bytes, address: u64) -> Option<Rule> {
        let at = self.entry(memory, address)?;
        let back = u64::from(memory.u32(at.checked_add(4)?)?);
        let common = at.checked_add(4)?.checked_sub(back).filter(|_| back > 0)?;
        let [common, entry] = [block(memory, common)?, block(memory, at)?];
        rule(common, entry, at, address)
    }
}

/// An entry with its length.
fn block(memory: &impl Bytes, at: u64) -> Option<Vec<u8>> {
    let len = u64::from(memory.u32(at)?).checked_add(4)?;
    let mut octets = vec![0; usize::try_from(Some(len).filter(|len| *len <= LONGEST)?).ok()?];
    memory.read(at, &mut octets)?;
    Some(octets)
}

/// The step that the entry of a function, and what it has in common with others, say. The two are put
/// together as a table that has only them, at a place where the entry keeps its address.
fn rule(common: Vec<u8>, entry: Vec<u8>, at: u64, address: u64) -> Option<Rule> {
    let place = common.len();
    let mut table = [common, entry].concat();
    let back = u32::try_from(place + 4).ok()?.to_le_bytes();
    table.get_mut(place + 4..place + 8)?.copy_from_slice(&back);
    let start = at.checked_sub(place as u64)?;
    let bases = BaseAddresses::default().set_eh_frame(start);
    let frames = EhFrame::new(&table, LittleEndian);
    let mut entries = frames.entries(&bases);
    let Ok(Some(CieOrFde::Cie(common))) = entries.next() else { return None };
    let Ok(Some(CieOrFde::Fde(entry))) = entries.next() else { return None };
    let entry = entry.parse(|_, _, _| Ok(common.clone())).ok()?;
    let mut context = UnwindContext::new();
    let row = entry.unwind_info_for_address(&frames, &bases, &mut context, address).ok()?;
    let CfaRule::RegisterAndOffset { register, offset } = *row.cfa() else { return None };
    let back = common.return_address_register().0;
    let kept = row.registers().map(|(register, rule)| Some((register.0, kept_as(rule)?)));
    Some(Rule { end: (register.0, offset), kept: kept.collect::<Option<_>>()?, back })
}

/// None where it is another kind's.
fn kept_as(rule: &RegisterRule<usize>) -> Option<Kept> {
    Some(match rule {
        RegisterRule::Offset(offset) => Kept::Stack(*offset),
        RegisterRule::ValOffset(offset) => Kept::Address(*offset),
        RegisterRule::Register(other) => Kept::Register(other.0),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::names::bytes::Section;
    use crate::code::names::elf::Elf;
    use crate::code::unwind::registers::PERF_REGISTERS;
    use std::fs::File;

    /// This program's index, as its file has it: addresses are the file's.
    fn own_index() -> (Section<File>, Elf, Index) {
        let file = File::open("/proc/self/exe").unwrap();
        let elf = Elf::read(&file).unwrap();
        let start = elf.unwinding.unwrap();
        // Read-only data are where the file has them.
        let part =
            elf.segments.iter().find(|part| part.address == part.offset && start < part.size);
        let size = part.unwrap().size;
        let section = Section { bytes: file, offset: 0, size };
        let index = Index::read(&section, start).unwrap();
        (section, elf, index)
    }

    fn at(sp: u64) -> Registers {
        Registers::of_perf(&vec![sp; PERF_REGISTERS.len()]).unwrap()
    }

    #[test]
    fn this_programs_functions_have_their_steps() {
        let (memory, elf, index) = own_index();
        let text = elf.section(".text").unwrap();
        let all = (text.address..text.address + text.size).step_by(4_099);
        let (mut found, mut looked) = (0, 0);
        for address in all {
            looked += 1;
            let Some(rule) = index.rule(&memory, address) else { continue };
            found += 1;
            assert!(rule.end.1 >= 0, "{rule:?}");
            // An empty copy leads nowhere, and a whole one no further than it is.
            let mut registers = at(0x1000);
            let copied = Copied { registers: registers.clone(), stack: vec![1; 4_096] };
            match rule.step(&mut registers, true, &copied, 0x1000) {
                Step::Caller(caller) => assert_eq!(caller, 0x0101_0101_0101_0101),
                Step::Outermost | Step::Beyond => {}
            }
            let none = Copied { registers: at(0x1000), stack: Vec::new() };
            if cfg!(target_arch = "x86_64") {
                let step = rule.step(&mut at(0x1000), false, &none, 0x1000);
                assert!(!matches!(step, Step::Caller(_)), "{step:?}");
            }
        }
        assert!(found * 10 > looked * 9, "{found} of {looked}");
    }

    #[test]
    fn nonsense_has_no_step() {
        let (memory, _, index) = own_index();
        assert_eq!(index.rule(&memory, 0), None);
        assert_eq!(index.rule(&memory, u64::MAX), None);
        assert_eq!(Index::read(&memory, 0), None);
        for seed in 0..64_u8 {
            let octets: Vec<u8> = (0..=255_u8).map(|at| at.wrapping_mul(seed)).collect();
            let whole: Vec<u8> =
                [&[1, 0x1b, 3, 0x3b, 0, 0, 0, 0, 9, 0, 0, 0][..], &octets].concat();
            let index = Index::read(&&whole[..], 0).unwrap();
            for address in (0..512).step_by(7) {
                let _ = index.rule(&&whole[..], address);
            }
            let _ = rule(octets.clone(), octets.clone(), 0x1000, 0x1010);
            let _ = rule(Vec::new(), octets, 0, 0);
        }
    }
}
