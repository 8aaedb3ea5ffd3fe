//! Programs and libraries in C, C++, Rust and their like: functions by the symbol table, lines and inlined
//! functions by what the compiler wrote for debuggers.
//!
//! * `symbols`: functions by their addresses
//! * `debug`: inlined functions and lines
//! * `mangled`: names as their language has them
//! * `sections`: parts of a file, compressed or not, and the file that has what was stripped

pub mod debug;
pub mod mangled;
mod sections;
pub mod symbols;

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::rc::Rc;
use std::sync::Arc;

use rustix::fs::OFlags;

use super::elf::Elf;
use super::maps::Mapping;
use debug::Debug;
use symbols::Symbols;

/// Files that are kept, and those of them with what is for debuggers.
const MOST: usize = 128;
const MOST_DEBUGGED: usize = 4;

/// A file with code.
#[derive(Debug)]
pub struct Image {
    elf: Elf,
    symbols: Symbols,
    debug: Option<Debug>,
    /// The crate of a Rust program's `main`.
    pub main_crate: Option<String>,
}

/// A function, as a file names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The function's name, readable.
    pub function: String,
    /// The source file, as the compiler was given it.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<u32>,
}

/// Files that were read, by device and inode.
#[derive(Debug, Default)]
pub struct Images {
    all: HashMap<(u64, u64), Option<Rc<Image>>>,
    debugged: usize,
    /// Nothing that is for debuggers is read.
    by_symbols: bool,
}

impl Images {
    /// Reads symbols alone: no lines, and no inlined functions.
    pub fn by_symbols() -> Images {
        Images { by_symbols: true, ..Images::default() }
    }

    /// Returns the file of a mapping, the process's program or a library; of the program, lines, too.
    pub fn get(&mut self, pid: u32, map: &Mapping, is_program: bool) -> Option<Rc<Image>> {
        let file = open(pid, map, is_program)?;
        let about = file.metadata().ok()?;
        let key = (about.dev(), about.ino());
        if let Some(known) = self.all.get(&key) {
            return known.clone();
        }
        if self.all.len() >= MOST || is_program && self.debugged >= MOST_DEBUGGED {
            *self = Images { by_symbols: self.by_symbols, ..Images::default() };
        }
        self.debugged += usize::from(is_program);
        let image = Image::read(pid, file, is_program, self.by_symbols).map(Rc::new);
        self.all.insert(key, image.clone());
        image
    }
}

/// Opens the very file that is mapped: another may have its name by now.
fn open(pid: u32, map: &Mapping, is_program: bool) -> Option<File> {
    let path = match is_program {
        true => format!("/proc/{pid}/exe"),
        false => format!("/proc/{pid}/root{}", map.path),
    };
    // No pipe is waited for.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let about = file.metadata().ok()?;
    (about.is_file() && about.ino() == map.inode).then_some(file)
}

impl Image {
    fn read(pid: u32, file: File, is_program: bool, by_symbols: bool) -> Option<Image> {
        let file = Arc::new(file);
        let elf = Elf::read(&file)?;
        let other = sections::stripped_off(pid, &elf, &file).filter(|_| is_program);
        let mut symbols = Symbols::read(&elf, &file);
        let read = |elf: &Elf, file: &Arc<File>| {
            if is_program && !by_symbols { Debug::read(elf, file) } else { None }
        };
        let mut debug = read(&elf, &file);
        if let Some((other_elf, other)) = &other {
            let theirs = Symbols::read(other_elf, other);
            symbols = if theirs.is_empty() { symbols } else { theirs };
            debug = debug.or_else(|| read(other_elf, other));
        }
        let main_crate = symbols.main_crate().filter(|_| is_program);
        Some(Image { elf, symbols, debug, main_crate })
    }

    /// Returns the address, as the file counts, of an address in memory.
    pub fn address_in(&self, map: &Mapping, address: u64) -> Option<u64> {
        self.elf.address_of(address.checked_sub(map.start)?.checked_add(map.offset)?)
    }

    /// Returns the functions at an address, the innermost first: a function, and those it was inlined into.
    pub fn at(&self, address: u64) -> Vec<Named> {
        let mut all = self.debug.as_ref().map_or(Vec::new(), |debug| debug.at(address));
        let by_symbol = self.symbols.at(address).map(|(_, function)| function);
        match (all.last_mut(), by_symbol) {
            // Functions that came out the same can have one body: any of them may be meant.
            (Some(outermost), Some(function)) if function.contains(symbols::OR) => {
                outermost.function = function;
            }
            (None, Some(function)) => all.push(Named { function, file: None, line: None }),
            _ => {}
        }
        all
    }

    /// Returns the first address of the function at an address.
    pub fn start_of(&self, address: u64) -> Option<u64> {
        self.symbols.at(address).map(|(start, _)| start)
    }

    /// Returns the function that begins at an address.
    pub fn beginning_at(&self, address: u64) -> Option<String> {
        self.symbols.at(address).filter(|(start, _)| *start == address).map(|(_, name)| name)
    }
}
