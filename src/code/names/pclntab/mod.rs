//! Go's table of functions and lines, which a stripped program still has: `.gopclntab`, as Go 1.18 and
//! later write it (`runtime/symtab.go`, `cmd/link/internal/ld/pcln.go`).
//!
//! Every number in it may be wrong: whatever does not fit is unknown, and every loop has its end.

use super::bytes::Bytes;

/// Go 1.18 and 1.19; Go 1.20 and later, whose functions have one field more.
const GO_1_18: u32 = 0xffff_fff0;
const GO_1_20: u32 = 0xffff_fff1;

/// Steps of one table: a function has no more instructions.
const STEPS: usize = 1 << 20;

/// Calls that are inlined into one another.
const DEPTH: usize = 64;

/// Octets of a name that are read.
const LONGEST: usize = 512;

/// A table that no function has.
const NONE: u32 = u32::MAX;

/// Tables of a function, by their numbers (`internal/abi/symtab.go`).
const INLINE_INDEX: u32 = 2;
const INLINE_TREE: u32 = 3;

/// The table of a program.
#[derive(Debug)]
pub struct LineTable<B> {
    bytes: B,
    is_1_20: bool,
    /// The least step between two instructions.
    quantum: u64,
    functions: u64,
    names: u64,
    units: u64,
    files: u64,
    values: u64,
    table: u64,
}

/// A function, by the place of its record.
#[derive(Clone, Copy, Debug)]
struct Function {
    at: u64,
    /// Its first instruction, counted from the beginning of the program's text.
    entry: u64,
    end: u64,
}

/// A function that was being carried out, and the line in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The function's name, with its package.
    pub function: String,
    /// The source file, as the compiler was given it.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<u32>,
}

impl<B: Bytes> LineTable<B> {
    /// Reads the header; none if this Go is not known.
    pub fn new(bytes: B) -> Option<LineTable<B>> {
        let is_1_20 = match bytes.u32(0)? {
            GO_1_18 => false,
            GO_1_20 => true,
            _ => return None,
        };
        let mut rest = [0; 4];
        bytes.read(4, &mut rest)?;
        let [0, 0, quantum @ (1 | 2 | 4), 8] = rest else { return None };
        let word = |at: u64| bytes.u64(8 + at * 8);
        let [functions, names, units, files, values, table] = [0, 3, 4, 5, 6, 7].map(word);
        Some(LineTable {
            is_1_20,
            quantum: quantum.into(),
            functions: functions?.min(u64::from(u32::MAX)),
            names: names?,
            units: units?,
            files: files?,
            values: values?,
            table: table?,
            bytes,
        })
    }

    /// Returns the calls at an instruction, the innermost first: a function, and those that it was
    /// inlined into. The instruction is counted from the beginning of the text; `trees` are the trees of
    /// inlined calls (`go:func.*`), without which the line may be another function's and is unknown.
    pub fn calls(&self, at: u64, trees: Option<&impl Bytes>) -> Vec<Call> {
        let Some(function) = self.find(at) else { return Vec::new() };
        self.unrolled(function, at, trees).unwrap_or_default()
    }

    fn unrolled(
        &self,
        function: Function,
        at: u64,
        trees: Option<&impl Bytes>,
    ) -> Option<Vec<Call>> {
        let outermost = self.name(self.field(function, 4)?)?;
        let tree = self.tree(function);
        let Some(tree) = tree else {
            // Nothing is inlined into it.
            return Some(vec![self.call(outermost, function, at)]);
        };
        let Some(trees) = trees else {
            return Some(vec![Call { function: outermost, file: None, line: None }]);
        };
        let (mut calls, mut at) = (Vec::new(), at);
        while calls.len() < DEPTH {
            let Some(index) = self.inline_index(function, at) else {
                calls.push(self.call(outermost, function, at));
                return Some(calls);
            };
            // Number, function's name, where it was inlined: they moved in Go 1.20.
            let (size, name, parent) = if self.is_1_20 { (16, 4, 8) } else { (20, 12, 16) };
            let entry = u64::from(tree) + u64::from(index) * size;
            let name = self.name(trees.u32(entry + name)?)?;
            let parent = function.entry.checked_add(trees.u32(entry + parent)?.into())?;
            calls.push(self.call(name, function, at));
            if parent >= function.end {
                return None;
            }
            at = parent;
        }
        None
    }

    fn call(&self, name: String, function: Function, at: u64) -> Call {
        let line = self.line(function, at);
        let file = line.and_then(|_| self.file(function, at));
        Call { function: name, file, line }
    }

    /// The function that has this instruction, by the order of their beginnings.
    fn find(&self, at: u64) -> Option<Function> {
        let start =
            |n: u64| self.bytes.u32(self.table.checked_add(n.checked_mul(8)?)?).map(u64::from);
        let (mut low, mut high) = (0, self.functions);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if start(middle)? <= at { low = middle } else { high = middle }
        }
        let (entry, end) = (start(low)?, start(low + 1)?);
        let record = self.bytes.u32(self.table.checked_add(low * 8 + 4)?)?;
        let found = Function { at: self.table.checked_add(record.into())?, entry, end };
        // The record says so, too.
        let is_it =
            entry <= at && at < end && self.field(found, 0)? == u32::try_from(entry).ok()?;
        is_it.then_some(found)
    }

    fn field(&self, function: Function, offset: u64) -> Option<u32> {
        self.bytes.u32(function.at.checked_add(offset)?)
    }

    fn name(&self, offset: u32) -> Option<String> {
        // Each name ends with a zero octet, so before each there is one.
        let mut before = [0];
        let place = self.names.checked_add(offset.into())?;
        if offset > 0 {
            self.bytes.read(place - 1, &mut before)?;
        }
        let name = self.bytes.text(place, LONGEST)?;
        (before == [0] && !name.is_empty()).then_some(name)
    }

    fn line(&self, function: Function, at: u64) -> Option<u32> {
        let line = self.value(function, self.field(function, 24)?, at)?;
        (line > 0).then_some(line as u32)
    }

    fn file(&self, function: Function, at: u64) -> Option<String> {
        let number = self.value(function, self.field(function, 20)?, at)?;
        let unit = self.field(function, 32)?;
        let entry = unit.checked_add(u32::try_from(number).ok()?)?;
        let offset = self.bytes.u32(self.units.checked_add(u64::from(entry) * 4)?)?;
        if offset == NONE {
            return None;
        }
        self.bytes.text(self.files.checked_add(offset.into())?, LONGEST)
    }

    /// The end of a function's fixed fields.
    fn head(&self) -> u64 {
        if self.is_1_20 { 44 } else { 40 }
    }

    /// The number of the innermost inlined call at an instruction.
    fn inline_index(&self, function: Function, at: u64) -> Option<u32> {
        if self.field(function, 28)? <= INLINE_INDEX {
            return None;
        }
        let table = self.field(function, self.head() + u64::from(INLINE_INDEX) * 4)?;
        u32::try_from(self.value(function, table, at)?).ok()
    }

    /// The place of the tree of calls that are inlined into a function.
    fn tree(&self, function: Function) -> Option<u32> {
        let tables = self.field(function, 28)?.min(1_024);
        let mut count = [0];
        self.bytes.read(function.at.checked_add(self.head() - 1)?, &mut count)?;
        if u32::from(count[0]) <= INLINE_TREE {
            return None;
        }
        let entry = self.head() + u64::from(tables + INLINE_TREE) * 4;
        self.field(function, entry).filter(|tree| *tree != NONE)
    }

    /// A value of a table that changes from instruction to instruction.
    fn value(&self, function: Function, table: u32, at: u64) -> Option<i32> {
        if table == 0 {
            return None;
        }
        let mut steps = Steps::new(&self.bytes, self.values.checked_add(table.into())?);
        let (mut value, mut end) = (-1_i32, function.entry);
        for step in 0..STEPS {
            let change = steps.number()?;
            if change == 0 && step > 0 {
                return None;
            }
            let change = if change & 1 == 1 { !(change >> 1) } else { change >> 1 };
            value = value.wrapping_add(change as i32);
            end = end.checked_add(u64::from(steps.number()?) * self.quantum)?;
            if at < end {
                return Some(value);
            }
        }
        None
    }
}

/// Numbers of seven bits an octet, one after another.
struct Steps<'a, B> {
    bytes: &'a B,
    at: u64,
    read: [u8; 64],
    /// Octets of `read` that are there, and those that are used up.
    len: usize,
    used: usize,
}

impl<'a, B: Bytes> Steps<'a, B> {
    fn new(bytes: &'a B, at: u64) -> Steps<'a, B> {
        Steps { bytes, at, read: [0; 64], len: 0, used: 0 }
    }

    fn octet(&mut self) -> Option<u8> {
        if self.used == self.len {
            // Near the end of the table there is less.
            let sizes = [self.read.len(), 8, 1];
            let fits = |size: &&usize| {
                self.read
                    .get_mut(..**size)
                    .is_some_and(|part| self.bytes.read(self.at, part).is_some())
            };
            (self.len, self.used) = (*sizes.iter().find(fits)?, 0);
            self.at = self.at.checked_add(self.len as u64)?;
        }
        self.used += 1;
        self.read.get(self.used - 1).copied()
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = 0_u32;
        for shift in (0..35).step_by(7) {
            let octet = self.octet()?;
            number |= u32::from(octet & 0x7f).checked_shl(shift).unwrap_or(0);
            if octet & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
