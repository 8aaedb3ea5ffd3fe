//! A Go program: its functions by `.gopclntab`, its own ones by the module that it says it is built of.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use super::bytes::{Bytes, Section};
use super::elf::{Elf, ElfSection};
use super::pclntab::{Call, LineTable};

/// Octets of the text in which a program says what it is built of.
const LONGEST_INFO: usize = 64 * 1024;

/// Octets of data in which the runtime's own record is looked for.
const MOST_DATA: u64 = 32 << 20;

/// A Go program, as far as its stacks need it.
#[derive(Debug)]
pub struct Go {
    table: LineTable<Section<Arc<File>>>,
    trees: Option<Section<Arc<File>>>,
    /// Its text, in memory.
    text: Range<u64>,
    /// The path of its main module.
    pub module: Option<String>,
}

impl Go {
    /// Reads a program's tables: the file, and the memory of a process that is running it, loaded so much
    /// above the addresses in the file. None if it is not Go's, or a Go that is not known.
    pub fn new(elf: &Elf, file: &Arc<File>, memory: &impl Bytes, bias: u64) -> Option<Go> {
        let table = [".gopclntab", ".data.rel.ro.gopclntab"].iter().find_map(|n| elf.section(n))?;
        let part = |section: &ElfSection| Section {
            bytes: Arc::clone(file),
            offset: section.offset,
            size: section.size,
        };
        // Only the runtime knows where its text begins: C's may be before it.
        let Module { text, trees } =
            Module::find(elf, memory, bias, bias.checked_add(table.address)?)?;
        Some(Go {
            table: LineTable::new(part(table))?,
            trees: tree_section(elf, file, trees, bias),
            text,
            module: elf.section(".go.buildinfo").and_then(|info| main_module(file, info)),
        })
    }

    /// Returns the calls at an address in memory, the innermost first; none if it is not in its text.
    pub fn calls(&self, address: u64) -> Vec<Call> {
        match self.text.contains(&address) {
            true => self.table.calls(address - self.text.start, self.trees.as_ref()),
            false => Vec::new(),
        }
    }
}

/// The runtime's record of the program (`runtime.moduledata`), which nothing but its contents tell.
struct Module {
    text: Range<u64>,
    /// The beginning of the trees of inlined calls, in memory.
    trees: u64,
}

impl Module {
    /// Looks for it in the data of the process: it begins with the address of the table, and repeats
    /// where the table's parts are.
    fn find(elf: &Elf, memory: &impl Bytes, bias: u64, table: u64) -> Option<Module> {
        let names = [".go.module", ".noptrdata", ".data", ".data.rel.ro"];
        names.iter().filter_map(|name| elf.section(name)).find_map(|section| {
            let start = bias.checked_add(section.address)?;
            places(memory, start, section.size.min(MOST_DATA), table)
                .into_iter()
                .find_map(|at| Module::read(memory, at, table))
        })
    }

    fn read(memory: &impl Bytes, at: u64, table: u64) -> Option<Module> {
        let word = |n: u64| memory.u64(at.checked_add(n * 8)?);
        // The names of functions are in the table, where its header says.
        let names = table.checked_add(memory.u64(table.checked_add(8 + 3 * 8)?)?)?;
        let is_it = word(0)? == table && word(1)? == names;
        let (text, least, most) = (word(22)?..word(23)?, word(20)?, word(21)?);
        if !(is_it && text.start <= least && least < most && most <= text.end) {
            return None;
        }
        let is_1_20 = memory.u32(table)? == 0xffff_fff1;
        // Two words more, of coverage counters.
        let moved = if is_1_20 { 2 } else { 0 };
        let (types, types_end) = (word(35 + moved)?, word(36 + moved)?);
        let (constants, trees) = (word(37 + moved)?, word(38 + moved)?);
        let fits = types <= types_end && constants > 0 && trees >= constants;
        fits.then_some(Module { text, trees })
    }
}

/// The places of a number in memory, in steps of eight octets.
fn places(memory: &impl Bytes, start: u64, size: u64, number: u64) -> Vec<u64> {
    const STEP: u64 = 4096;
    let (mut found, mut block) = (Vec::new(), [0; STEP as usize]);
    let mut at = 0;
    while at < size && found.len() < 16 {
        let len = STEP.min(size - at) as usize & !7;
        let Some(part) = block.get_mut(..len).filter(|part| !part.is_empty()) else { break };
        let Some(from) = start.checked_add(at) else { break };
        if memory.read(from, part).is_some() {
            let words = part.chunks_exact(8).enumerate();
            let same = words.filter(|(_, word)| *word == number.to_le_bytes());
            found.extend(same.map(|(n, _)| from + n as u64 * 8));
        }
        at += STEP;
    }
    found
}

/// The trees of inlined calls, in the file: from where the runtime says to the end of their segment.
fn tree_section(elf: &Elf, file: &Arc<File>, trees: u64, bias: u64) -> Option<Section<Arc<File>>> {
    let address = trees.checked_sub(bias)?;
    let inside = |segment: &&super::elf::Segment| {
        address.checked_sub(segment.address).is_some_and(|at| at < segment.size)
    };
    let segment = elf.segments.iter().find(inside)?;
    let at = address - segment.address;
    let (offset, size) = (segment.offset.checked_add(at)?, segment.size - at);
    Some(Section { bytes: Arc::clone(file), offset, size })
}

/// The path of the main module, by the text that Go puts into each program (`debug/buildinfo`).
fn main_module(file: &impl Bytes, info: &ElfSection) -> Option<String> {
    let text = build_text(file, info)?;
    module_of(&text)
}

/// The second word of a line that begins with `mod`.
fn module_of(text: &str) -> Option<String> {
    let module = text.lines().find_map(|line| line.strip_prefix("mod\t"))?;
    let path = module.split('\t').next()?;
    (!path.is_empty()).then(|| path.to_owned())
}

fn build_text(file: &impl Bytes, info: &ElfSection) -> Option<String> {
    const MAGIC: &[u8] = b"\xff Go buildinf:";
    let mut head = [0; 32];
    file.read(info.offset, &mut head)?;
    // Its second bit: texts follow in place (Go 1.18).
    if !head.starts_with(MAGIC) || head.get(15)? & 2 == 0 {
        return None;
    }
    let end = info.offset.checked_add(info.size)?;
    let mut at = info.offset + 32;
    let version = length(file, &mut at)?;
    at = at.checked_add(version)?;
    let size = length(file, &mut at)?;
    if at.checked_add(size)? > end || size > LONGEST_INFO as u64 || size < 33 {
        return None;
    }
    // Sixteen octets on both sides mark it.
    let mut text = vec![0; (size - 32) as usize];
    file.read(at + 16, &mut text)?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// A length of seven bits an octet.
fn length(file: &impl Bytes, at: &mut u64) -> Option<u64> {
    let mut length = 0_u64;
    for shift in (0..35).step_by(7) {
        let mut octet = [0];
        file.read(*at, &mut octet)?;
        *at += 1;
        length |= u64::from(octet[0] & 0x7f) << shift;
        if octet[0] & 0x80 == 0 {
            return Some(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_module_is_read() {
        let text = "path\texample.com/shop/cmd/api\nmod\texample.com/shop\t(devel)\t\ndep\tx\tv1\n";
        assert_eq!(module_of(text).as_deref(), Some("example.com/shop"));
        assert_eq!(module_of("path\tcommand-line-arguments\n"), None);
        assert_eq!(module_of("mod\t\tv1"), None);
    }

    #[test]
    fn what_go_is_built_of_is_in_its_section() {
        let text = "path\tcommand-line-arguments\nmod\texample.com/shop\t(devel)\t\n";
        let mut info = b"\xff Go buildinf:\x08\x02".to_vec();
        info.resize(32, 0);
        info.extend_from_slice(b"\x06go1.19");
        info.push(32 + text.len() as u8);
        info.extend_from_slice(&[1; 16]);
        info.extend_from_slice(text.as_bytes());
        info.extend_from_slice(&[2; 16]);
        let section = ElfSection { size: info.len() as u64, ..ElfSection::default() };
        assert_eq!(main_module(&&info[..], &section).as_deref(), Some("example.com/shop"));
        for cut in 0..info.len() - 16 {
            assert_eq!(main_module(&&info[..cut], &section), None, "{cut}");
        }
    }
}
