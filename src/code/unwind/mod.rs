//! Callers on a copy of a stack, by the tables that compilers write for exceptions (`.eh_frame`).
//!
//! Most programs in C, C++ and Rust keep no frame pointers, and the C library's `send` never does: along
//! frame pointers its caller is missed. The kernel copies the innermost part of the stack with each event;
//! here it becomes addresses at once, so that no copy is kept. A few octets of the process's memory are
//! read for each address that was not seen before, and no file.
//!
//! * `registers`: what the kernel hands over with a copy
//! * `tables`: a step from a function to its caller, as its table says
//! * `process`: where the tables of a process are

mod process;
mod registers;
pub mod tables;

use std::collections::HashMap;

use foldhash::fast::RandomState;

pub use registers::{Copied, MASK, PERF_REGISTERS, Registers};

use super::names::began;
use super::stacks::{Found, Stack};
use process::Process;

/// Processes whose tables are kept.
const MOST_PROCESSES: usize = 1_024;

/// Functions of a stack that are kept.
pub const FRAMES: usize = 128;

/// Nanoseconds between two looks whether a number is still the same process's.
const CHECK_NS: u64 = 1_000_000_000;

/// The processes that were seen.
#[derive(Debug, Default)]
pub struct Unwinders {
    processes: HashMap<u32, Known, RandomState>,
}

#[derive(Debug)]
struct Known {
    began: u64,
    checked: u64,
    /// `None` for one that may not be looked into.
    process: Option<Process>,
}

impl Unwinders {
    /// Finds the callers on a copied stack.
    pub fn find(&mut self, pid: u32, at: u64, copied: &Copied) -> Stack {
        match self.process(pid, at) {
            Some(process) => process.walk(at, copied),
            None => Stack { addresses: vec![copied.registers.ip], found: Found::Tables },
        }
    }

    fn process(&mut self, pid: u32, at: u64) -> Option<&mut Process> {
        let is_fresh = |known: &Known| at.saturating_sub(known.checked) < CHECK_NS;
        if !self.processes.get(&pid).is_some_and(is_fresh) {
            self.check(pid, at);
        }
        self.processes.get_mut(&pid)?.process.as_mut()
    }

    /// Numbers are given again.
    fn check(&mut self, pid: u32, at: u64) {
        let Ok(began) = began(pid) else {
            self.processes.remove(&pid);
            return;
        };
        if let Some(known) = self.processes.get_mut(&pid)
            && known.began == began
            && known.process.as_ref().is_none_or(Process::is_same)
        {
            known.checked = at;
            return;
        }
        if self.processes.len() >= MOST_PROCESSES {
            self.processes.clear();
        }
        let process = Process::open(pid);
        self.processes.insert(pid, Known { began, checked: at, process });
    }
}
