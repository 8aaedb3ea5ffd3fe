//! The tables of a process, where it has them in memory.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::FRAMES;
use super::registers::{Copied, FP, Registers, SP};
use super::tables::{Index, Rule, Step};
use crate::code::names::bytes::{Bytes, Section};
use crate::code::names::elf::Elf;
use crate::code::names::maps::{self, Mapping};
use crate::code::stacks::{Found, Stack};

/// Addresses whose steps are kept.
const MOST_RULES: usize = 16_384;

/// Nanoseconds between two looks at the mappings.
const AGAIN_NS: u64 = 20_000_000;

/// A process, and the steps that were looked up.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    /// The inode of its program.
    program: u64,
    memory: File,
    maps: Vec<Mapping>,
    looked: u64,
    /// The indexes of mapped files, by the first address of each; none where there is no table.
    indexes: HashMap<u64, Option<Index>, RandomState>,
    rules: HashMap<u64, Option<Arc<Rule>>, RandomState>,
    /// It has code that no file has: it compiles while it runs.
    compiles: bool,
    /// Go keeps frame pointers everywhere.
    is_go: bool,
}

impl Process {
    /// Opens a process; none if it may not be looked into.
    pub fn open(pid: u32) -> Option<Process> {
        let program = File::open(format!("/proc/{pid}/exe")).ok()?;
        let is_go = Elf::read(&program)?.is_go();
        let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
        let mut process = Process {
            pid,
            program: program.metadata().ok()?.ino(),
            memory,
            maps: Vec::new(),
            looked: 0,
            indexes: HashMap::default(),
            rules: HashMap::default(),
            compiles: false,
            is_go,
        };
        process.look(0);
        Some(process)
    }

    /// Returns whether it still carries out the same program.
    pub fn is_same(&self) -> bool {
        let now = fs::metadata(format!("/proc/{}/exe", self.pid));
        now.is_ok_and(|now| now.ino() == self.program)
    }

    fn look(&mut self, at: u64) {
        self.looked = at;
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.pid)).unwrap_or_default();
        self.maps = maps::read(&maps);
        self.compiles =
            self.maps.iter().any(|map| map.is_code && map.inode == 0 && !map.is_kernels());
        self.indexes.clear();
        self.rules.clear();
    }

    /// Walks from the innermost function to the outermost, as far as copy and tables reach.
    pub fn walk(&mut self, at: u64, copied: &Copied) -> Stack {
        let mut registers = copied.registers.clone();
        let Some(base) = registers.sp() else { return Stack::default() };
        let mut addresses = vec![registers.ip];
        if self.is_go {
            while addresses.len() < FRAMES
                && let Step::Caller(caller) = by_pointer(&mut registers, copied, base)
            {
                addresses.push(caller);
            }
            return Stack { addresses, found: Found::Chain };
        }
        loop {
            let innermost = addresses.len() == 1;
            let inside = registers.ip.saturating_sub(u64::from(!innermost));
            let step = match self.rule(at, inside) {
                Some(rule) => rule.step(&mut registers, innermost, copied, base),
                None if !innermost && self.is_compiled(inside) => match self.ending(registers.ip) {
                    Some(room) => over(room, &mut registers, copied, base),
                    None => by_pointer(&mut registers, copied, base),
                },
                None => return Stack { addresses, found: Found::Tables },
            };
            match step {
                Step::Caller(_) if addresses.len() >= FRAMES => {
                    return Stack { addresses, found: Found::Copied };
                }
                Step::Caller(caller) => addresses.push(caller),
                Step::Outermost => return Stack { addresses, found: Found::Whole },
                Step::Beyond => return Stack { addresses, found: Found::Copied },
            }
        }
    }

    /// Code that a runtime has compiled, or brings along: it has no table, and keeps frame pointers. What it
    /// compiles into may have been no code yet when the mappings were read.
    fn is_compiled(&self, address: u64) -> bool {
        let may_be = |map: &Mapping| map.is_code || map.inode == 0 && !map.is_kernels();
        self.compiles && self.maps.iter().any(|map| may_be(map) && map.has(address))
    }

    /// The octets of stack that the code at an address gives back before it returns, if it does nothing else: so
    /// end the trampolines of Python, which keep no frame pointer.
    fn ending(&self, address: u64) -> Option<u64> {
        let mut code = [0; 5];
        self.memory.read(address, &mut code)?;
        match code {
            // add $room, %rsp; ret
            [0x48, 0x83, 0xc4, room, 0xc3] if cfg!(target_arch = "x86_64") => Some(room.into()),
            _ => None,
        }
    }

    fn rule(&mut self, at: u64, address: u64) -> Option<Arc<Rule>> {
        if let Some(known) = self.rules.get(&address) {
            return known.clone();
        }
        // A library that was loaded since, or code that was compiled.
        if !self.has(address) && at.saturating_sub(self.looked) > AGAIN_NS {
            self.look(at);
        }
        if !self.has(address) {
            return None;
        }
        let rule = self.index(address).and_then(|index| index.rule(&self.memory, address));
        let rule = rule.map(Arc::new);
        if self.rules.len() >= MOST_RULES {
            self.rules.clear();
        }
        self.rules.insert(address, rule.clone());
        rule
    }

    fn has(&self, address: u64) -> bool {
        self.maps.iter().any(|map| map.has(address))
    }

    /// The index of the file that is mapped at an address.
    fn index(&mut self, address: u64) -> Option<Index> {
        let map = self.maps.iter().find(|map| map.is_code && map.has(address))?;
        let first = maps::first_of(&self.maps, map)?;
        let (start, memory) = (first.start, &self.memory);
        *self.indexes.entry(start).or_insert_with(|| index(memory, start))
    }
}

/// The index of a file that is mapped from here on, by its own headers.
fn index(memory: &File, start: u64) -> Option<Index> {
    let mapped = Section { bytes: memory, offset: start, size: u64::MAX - start };
    let elf = Elf::loaded(&mapped)?;
    let bias = start.checked_sub(elf.segments.iter().find(|part| part.offset == 0)?.address)?;
    Index::read(memory, bias.checked_add(elf.unwinding?)?)
}

/// A step over what a function has put on the stack, to the address that it returns to.
fn over(room: u64, registers: &mut Registers, copied: &Copied, base: u64) -> Step {
    let step = || {
        let end = registers.sp()?.checked_add(room)?;
        Some((copied.word(base, end)?, end.checked_add(8)?))
    };
    let Some((caller, sp)) = step() else { return Step::Beyond };
    registers.set(SP, Some(sp));
    registers.ip = caller;
    if caller == 0 { Step::Outermost } else { Step::Caller(caller) }
}

/// A step along frame pointers.
fn by_pointer(registers: &mut Registers, copied: &Copied, base: u64) -> Step {
    let step = || {
        let pointer = registers.get(FP).filter(|pointer| Some(*pointer) >= registers.sp())?;
        let word = |at: u64| copied.word(base, at);
        Some((word(pointer)?, word(pointer.checked_add(8)?)?, pointer.checked_add(16)?))
    };
    let Some((before, caller, sp)) = step() else { return Step::Beyond };
    registers.set(FP, Some(before));
    registers.set(SP, Some(sp));
    registers.ip = caller;
    if caller == 0 { Step::Outermost } else { Step::Caller(caller) }
}
