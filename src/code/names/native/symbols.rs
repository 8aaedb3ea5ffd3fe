//! The table of symbols of a file: functions by their addresses.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use super::mangled::plain;
use crate::code::names::bytes::{Bytes, Section};
use crate::code::names::elf::{Elf, ElfSection};

/// Functions that are kept, and octets of their names that are looked through.
const MOST: u64 = 1 << 20;
const MOST_NAMES: u64 = 64 << 20;

/// Functions at one address that are named.
const MOST_ALIKE: usize = 3;

/// Between the names of functions that have one body.
pub const OR: &str = " or ";

/// Octets of an entry.
const ENTRY: u64 = 24;

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Symbol {
    start: u64,
    size: u64,
    name: u32,
}

/// The functions of a file, in their order.
#[derive(Debug)]
pub struct Symbols {
    all: Vec<Symbol>,
    names: Option<Section<Arc<File>>>,
}

impl Symbols {
    /// Reads the table of all functions, else that of those that other files may call.
    pub fn read(elf: &Elf, file: &Arc<File>) -> Symbols {
        let tables = [(".symtab", ".strtab"), (".dynsym", ".dynstr")];
        for (table, names) in tables {
            let Some((table, names)) = elf.section(table).zip(elf.section(names)) else { continue };
            let part = |section: &ElfSection| Section {
                bytes: Arc::clone(file),
                offset: section.offset,
                size: section.size,
            };
            let all = functions(&part(table));
            if !all.is_empty() {
                return Symbols { all, names: Some(part(names)) };
            }
        }
        Symbols { all: Vec::new(), names: None }
    }

    /// Tells whether the file names no function.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns the function that has an address: where it begins, and its name. Several that begin there
    /// have one body, and nobody knows which was meant.
    pub fn at(&self, address: u64) -> Option<(u64, String)> {
        let after = self.all.partition_point(|symbol| symbol.start <= address);
        let start = self.all.get(after.checked_sub(1)?)?.start;
        let first = self.all.partition_point(|symbol| symbol.start < start);
        let here = self.all.get(first..after)?.iter();
        let has = |symbol: &&Symbol| address - symbol.start < symbol.size;
        let names: BTreeSet<String> = here
            .filter(has)
            .take(4 * MOST_ALIKE)
            .filter_map(|symbol| self.name(symbol.name))
            .map(|name| plain(&name))
            .collect();
        if names.is_empty() {
            return None;
        }
        let names: Vec<String> = names.into_iter().take(MOST_ALIKE).collect();
        Some((start, names.join(OR)))
    }

    fn name(&self, offset: u32) -> Option<String> {
        const LONGEST: usize = 4_096;
        self.names.as_ref()?.text(offset.into(), LONGEST).filter(|name| !name.is_empty())
    }

    /// Returns the crate of a Rust program: the one that has `main`.
    pub fn main_crate(&self) -> Option<String> {
        let names = self.names.as_ref().filter(|names| names.size <= MOST_NAMES)?;
        let mut all = vec![0; usize::try_from(names.size).ok()?];
        names.read(0, &mut all)?;
        let mains = all.split(|octet| *octet == 0).filter(|name| {
            (name.starts_with(b"_ZN") || name.starts_with(b"_R")) && has(name, b"4main")
        });
        let mains: BTreeSet<String> = mains.filter_map(crate_of_main).take(2).collect();
        // A test or a bench has several.
        let mut mains = mains.into_iter();
        mains.next().filter(|_| mains.next().is_none())
    }
}

fn has(name: &[u8], part: &[u8]) -> bool {
    name.windows(part.len()).any(|window| window == part)
}

/// `shop` of `shop::main`.
fn crate_of_main(raw: &[u8]) -> Option<String> {
    let name = plain(std::str::from_utf8(raw).ok()?);
    let krate = name.strip_suffix("::main")?;
    let is_name = krate.chars().all(|c| c == '_' || c.is_alphanumeric());
    (is_name && !krate.is_empty()).then(|| krate.to_owned())
}

/// Entries of functions that are in the file, in their order.
fn functions(table: &Section<Arc<File>>) -> Vec<Symbol> {
    const AT_ONCE: u64 = 4_096;
    let count = (table.size / ENTRY).min(MOST);
    let mut all = Vec::new();
    let mut block = vec![0; (AT_ONCE * ENTRY) as usize];
    for from in (0..count).step_by(AT_ONCE as usize) {
        let len = (AT_ONCE.min(count - from) * ENTRY) as usize;
        let Some(part) = block.get_mut(..len) else { break };
        if table.read(from * ENTRY, part).is_none() {
            break;
        }
        all.extend(part.chunks_exact(ENTRY as usize).filter_map(function));
    }
    all.sort_unstable();
    all
}

fn function(entry: &[u8]) -> Option<Symbol> {
    const FUNCTION: u8 = 2;
    let entry = &entry;
    let mut about = [0; 1];
    entry.read(4, &mut about)?;
    let (section, start, size) = (entry.u16(6)?, entry.u64(8)?, entry.u64(16)?);
    let is_here = about[0] & 0xf == FUNCTION && section != 0 && size > 0;
    is_here.then_some(Symbol { start, size, name: entry.u32(0)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_programs_own_functions_are_named() {
        let file = Arc::new(File::open("/proc/self/exe").unwrap());
        let elf = Elf::read(&file).unwrap();
        let symbols = Symbols::read(&elf, &file);
        assert!(symbols.all.len() > 1_000);
        let mut named = 0;
        for symbol in symbols.all.iter().step_by(97) {
            let (start, name) = symbols.at(symbol.start + symbol.size - 1).unwrap();
            assert!(start >= symbol.start && !name.is_empty());
            named += usize::from(name.contains("::"));
        }
        assert!(named > 100, "{named}");
        assert_eq!(symbols.at(0), None);
    }

    #[test]
    fn the_crate_of_main_is_found() {
        let of = |raw: &str| crate_of_main(raw.as_bytes());
        assert_eq!(of("_ZN4shop4main17h0123456789abcdefE").as_deref(), Some("shop"));
        assert_eq!(of("_RNvCs1234_4shop4main").as_deref(), Some("shop"));
        assert_eq!(of("_ZN4shop6domain4main17h0123456789abcdefE"), None);
        assert_eq!(of("main"), None);
    }
}
