//! Sections and segments of an ELF file (System V gABI), as far as they say where names are.

use super::bytes::Bytes;

/// Sections and segments that are looked at: nobody's program has more.
const MOST: u16 = 512;

/// The file is one of 64 bits, the least octet first, as all of Go's and Linux's machines of today are.
const MAGIC: [u8; 6] = *b"\x7fELF\x02\x01";

/// A section, by its place in the file and in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ElfSection {
    /// Its name: `.text`, `.symtab`.
    pub name: String,
    /// Its flags (SHF_…).
    pub flags: u64,
    /// The address that it is to be loaded at.
    pub address: u64,
    /// Octets of the file before it.
    pub offset: u64,
    /// Octets of it.
    pub size: u64,
}

/// A part of the file that is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The address that it is to be loaded at.
    pub address: u64,
    /// Octets of the file before it.
    pub offset: u64,
    /// Octets of it in the file.
    pub size: u64,
}

/// The tables of an ELF file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elf {
    /// Its sections; none in a file whose table was cut away.
    pub sections: Vec<ElfSection>,
    /// Segments that are loaded (PT_LOAD).
    pub segments: Vec<Segment>,
    /// The address of `.eh_frame_hdr`, which a program needs for its own exceptions.
    pub unwinding: Option<u64>,
}

impl Elf {
    /// Reads the tables; none if it is no such file.
    pub fn read(file: &impl Bytes) -> Option<Elf> {
        Some(Elf { sections: sections(file).unwrap_or_default(), ..Elf::loaded(file)? })
    }

    /// Reads what is in memory, too: the segments.
    pub fn loaded(file: &impl Bytes) -> Option<Elf> {
        let mut magic = [0; MAGIC.len()];
        file.read(0, &mut magic)?;
        if magic != MAGIC {
            return None;
        }
        segments(file)
    }

    /// Returns whether the section headers say that it is Go's.
    pub fn is_go(&self) -> bool {
        let names = [".gopclntab", ".data.rel.ro.gopclntab", ".go.buildinfo"];
        names.iter().any(|name| self.section(name).is_some())
    }

    /// Returns the first section of a name.
    pub fn section(&self, name: &str) -> Option<&ElfSection> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Returns the address, as the file counts, of an octet of the file that is loaded.
    pub fn address_of(&self, offset: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let inside = offset.checked_sub(segment.offset).filter(|at| *at < segment.size)?;
            segment.address.checked_add(inside)
        })
    }
}

fn segments(file: &impl Bytes) -> Option<Elf> {
    const LOAD: u32 = 1;
    const EH_FRAME: u32 = 0x6474_e550;
    let (table, size, count) = (file.u64(32)?, file.u16(54)?, file.u16(56)?);
    let mut elf = Elf::default();
    for at in 0..count.min(MOST) {
        let entry = table.checked_add(u64::from(at) * u64::from(size))?;
        let field = |offset: u64| file.u64(entry.checked_add(offset)?);
        let segment = || Some(Segment { offset: field(8)?, address: field(16)?, size: field(32)? });
        match file.u32(entry)? {
            LOAD => elf.segments.push(segment()?),
            EH_FRAME => elf.unwinding = Some(segment()?.address),
            _ => {}
        }
    }
    Some(elf)
}

fn sections(file: &impl Bytes) -> Option<Vec<ElfSection>> {
    const LONGEST: usize = 64;
    const NO_BITS: u32 = 8;
    let (table, size) = (file.u64(40)?, u64::from(file.u16(58)?));
    let (count, names) = (file.u16(60)?, file.u16(62)?);
    let entry = |at: u16| table.checked_add(u64::from(at) * size);
    let names = file.u64(entry(names)?.checked_add(24)?)?;
    let mut sections = Vec::new();
    for at in 0..count.min(MOST) {
        let entry = entry(at)?;
        let field = |offset: u64| file.u64(entry.checked_add(offset)?);
        if file.u32(entry.checked_add(4)?)? == NO_BITS {
            continue;
        }
        let name = file.text(names.checked_add(file.u32(entry)?.into())?, LONGEST)?;
        sections.push(ElfSection {
            name,
            flags: field(8)?,
            address: field(16)?,
            offset: field(24)?,
            size: field(32)?,
        });
    }
    Some(sections)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn this_program_has_the_usual_sections() {
        let file = File::open("/proc/self/exe").unwrap();
        let elf = Elf::read(&file).unwrap();
        let text = elf.section(".text").unwrap();
        assert!(text.size > 1_000 && elf.address_of(text.offset) == Some(text.address), "{text:?}");
        assert!(elf.section(".rodata").is_some() && elf.section(".gopclntab").is_none());
    }

    #[test]
    fn what_is_no_elf_file_has_nothing() {
        assert_eq!(Elf::read(&&b"#!/bin/sh\n"[..]), None);
        assert_eq!(Elf::read(&&b""[..]), None);
        let mut cut = [0xff; 64];
        cut[..6].copy_from_slice(&MAGIC);
        assert_eq!(Elf::read(&&cut[..]), None);
    }
}
