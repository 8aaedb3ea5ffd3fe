//! Lines and inlined functions, by what the compiler wrote for debuggers (DWARF).

use std::fmt;
use std::fs::File;
use std::sync::Arc;

use addr2line::Context;
use gimli::{Dwarf, EndianArcSlice, LittleEndian, SectionId};

use super::Named;
use super::mangled::plain;
use super::sections;
use crate::code::names::elf::Elf;

/// Octets that are read of a program, and of its lines, which take many times as much when they are
/// taken apart.
const MOST: usize = 192 << 20;
const MOST_LINES: usize = 32 << 20;

/// Functions at one address, inlined into one another.
const DEPTH: usize = 64;

type Reader = EndianArcSlice<LittleEndian>;

/// The part of a file that is for debuggers.
pub struct Debug(Context<Reader>);

impl fmt::Debug for Debug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Debug")
    }
}

impl Debug {
    /// Reads the sections; none if they are not there, or too large.
    pub fn read(elf: &Elf, file: &Arc<File>) -> Option<Debug> {
        elf.section(".debug_info").or_else(|| elf.section(".zdebug_info"))?;
        let mut room = MOST;
        let section = |id: SectionId| {
            let most = if id == SectionId::DebugLine { MOST_LINES } else { room };
            let octets = match elf.section(id.name()) {
                Some(section) => sections::whole(section, file, most.min(room)).ok_or(())?,
                None => Vec::new(),
            };
            room -= octets.len();
            Ok(octets)
        };
        Debug::of(section)
    }

    /// Takes sections by their names.
    pub fn of(mut section: impl FnMut(SectionId) -> Result<Vec<u8>, ()>) -> Option<Debug> {
        let load = |id: SectionId| {
            let octets: Arc<[u8]> = section(id)?.into();
            Ok::<_, ()>(EndianArcSlice::new(octets, LittleEndian))
        };
        let dwarf = Dwarf::load(load).ok()?;
        Context::from_dwarf(dwarf).ok().map(Debug)
    }

    /// Returns the functions at an address of the file, the innermost first.
    pub fn at(&self, address: u64) -> Vec<Named> {
        // The crate adds one to it.
        let address = Some(address).filter(|address| *address < u64::MAX);
        let frames = address.map(|address| self.0.find_frames(address).skip_all_loads());
        let Some(Ok(mut frames)) = frames else { return Vec::new() };
        let mut all = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref().and_then(|name| name.raw_name().ok());
            let Some(name) = name.map(|name| plain(&name)) else { break };
            let place = frame.location.as_ref();
            all.push(Named {
                function: name,
                file: place.and_then(|place| place.file).map(str::to_owned),
                line: place.and_then(|place| place.line).filter(|line| *line > 0),
            });
            if all.len() >= DEPTH {
                break;
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_of_nonsense_name_nothing() {
        for n in 0..64_u8 {
            let octets = |_| Ok((0..255).map(|at| n.wrapping_mul(at)).collect());
            if let Some(debug) = Debug::of(octets) {
                assert!(debug.at(0x1000).len() <= DEPTH && debug.at(u64::MAX).is_empty());
            }
        }
    }
}
