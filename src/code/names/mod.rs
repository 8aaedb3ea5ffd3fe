//! Names for the addresses on stacks: by the files of the processes in question, and no others.
//!
//! * `process`: a process by its number, and whether it is still the one
//! * `elf`, `go`, `pclntab`: a Go program's functions and lines, stripped or not
//! * `native`: C, C++, Rust: symbols, lines and inlined functions
//! * `perfmap`: functions that a runtime has compiled
//! * `calls`: whether an address on a stack is one that a call returns to
//! * `bytes`: files and memory, a few octets at a time
//!
//! All of it is others' to write: nothing is believed, and all that leaves is printable.

pub mod bytes;
mod calls;
pub mod elf;
mod go;
pub mod maps;
pub mod native;
pub mod pclntab;
mod perfmap;
mod process;

use std::collections::HashMap;
use std::sync::Arc;

use super::book::{Caller, Callers, Known};
use super::stacks::Stack;
use super::{Code, Frame, Trace};
use crate::printable::printable;
use native::Images;
use process::Process;
pub use process::began;

/// Processes and stacks whose names are kept.
const MOST_PROCESSES: usize = 64;
const MOST_STACKS: usize = 4_096;

/// Names, as far as they were looked up.
#[derive(Debug, Default)]
pub struct Names {
    processes: HashMap<u32, Process>,
    images: Images,
    /// By the process, the time at which it began, and the stack.
    known: HashMap<(u32, u64, Arc<Stack>), Trace>,
}

impl Names {
    /// Names functions by symbols alone, without what is for debuggers.
    #[must_use]
    pub fn by_symbols() -> Names {
        Names { images: Images::by_symbols(), ..Names::default() }
    }

    /// Names the callers of a socket's events.
    pub fn name(&mut self, callers: Callers) -> Code {
        let Callers { begun, last, connected, end_of_file, statements } = callers;
        Code {
            begun: begun.map(|known| self.trace(known)),
            last: last.map(|known| self.trace(known)),
            connected: connected.map(|known| self.trace(known)),
            end_of_file: end_of_file.map(|known| self.trace(known)),
            statements: statements.into_iter().map(|known| self.trace(known)).collect(),
            unread: false,
        }
    }

    fn trace(&mut self, known: Known) -> Trace {
        match known {
            Known::Unknown(why) => Trace::Unknown(why.sentence().to_owned()),
            Known::By(caller) => self.caller(&caller),
        }
    }

    fn caller(&mut self, caller: &Caller) -> Trace {
        let process = match self.process(caller) {
            Ok(process) => process,
            Err(why) => return Trace::Unknown(why),
        };
        let key = (caller.pid, process.began, Arc::clone(&caller.stack));
        if let Some(trace) = self.known.get(&key) {
            return trace.clone();
        }
        let Some(process) = self.processes.get_mut(&caller.pid) else {
            return Trace::Unknown("its process has ended".into());
        };
        let trace = match process.frames(&caller.stack, &mut self.images) {
            Ok(frames) => Trace::By(frames.into_iter().map(shown).collect()),
            Err(why) => Trace::Unknown(printable(&why)),
        };
        if self.known.len() >= MOST_STACKS {
            self.known.clear();
        }
        // What may be known later is asked again.
        if trace.culprit().is_some() {
            self.known.insert(key, trace.clone());
        }
        trace
    }

    /// The process that called, if it is still there.
    fn process(&mut self, caller: &Caller) -> Result<&Process, String> {
        let began = began(caller.pid)?;
        if began > process::since_boot(caller.at) {
            return Err("its process has ended, and another has its number".into());
        }
        if self.processes.len() >= MOST_PROCESSES {
            self.processes.clear();
        }
        let is_it = |known: &Process| known.began == began;
        if !self.processes.get(&caller.pid).is_some_and(is_it) {
            self.processes.insert(caller.pid, Process::open(caller.pid, began)?);
        }
        self.processes.get(&caller.pid).ok_or_else(|| "its process has ended".into())
    }
}

fn shown(frame: Frame) -> Frame {
    let Frame { function, file, line, own } = frame;
    Frame { function: printable(&function), file: file.as_deref().map(printable), line, own }
}
