//! A process whose stacks are to be named.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::bytes::Bytes;
use super::calls::{BEFORE, ends_in_call};
use super::elf::Elf;
use super::go::Go;
use super::maps::{self, Mapping};
use super::perfmap::PerfMap;
use crate::code::Frame;
use crate::code::fold::{compiled, go_name, is_own_go};

/// A process, and how its functions are named.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    /// Nanoseconds from the start of the machine to the start of the process.
    pub began: u64,
    maps: Vec<Mapping>,
    memory: File,
    names: By,
}

#[derive(Debug)]
enum By {
    Go(Box<Go>),
    /// A runtime that writes down what it compiles, and the size of its map then.
    Map(PerfMap, u64),
    Nothing(String),
}

/// The kernel's ticks in `/proc/PID/stat` (sysconf(_SC_CLK_TCK)), on every machine of today.
const TICK_NS: u64 = 10_000_000;

/// Returns when a process began, in nanoseconds since the machine did.
pub fn began(pid: u32) -> Result<u64, String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    let stat = stat.map_err(|_| "its process has ended".to_owned())?;
    // The second field is a name, which may hold anything.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks = after.split_ascii_whitespace().nth(19).and_then(|field| field.parse::<u64>().ok());
    ticks.map(|ticks| ticks.saturating_mul(TICK_NS)).ok_or_else(|| "its process has ended".into())
}

/// Returns a time of the clock of events as one since the machine began: with the time that it slept.
pub fn since_boot(at: u64) -> u64 {
    let now = |clock| nanoseconds(clock_gettime(clock));
    at.saturating_add(now(ClockId::Boottime).saturating_sub(now(ClockId::Monotonic)))
}

fn nanoseconds(time: Timespec) -> u64 {
    let (seconds, rest) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(rest.unwrap_or(0))
}

fn refused(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            "its process may not be looked into: it takes cap_sys_ptrace, or root".into()
        }
        _ => "its process has ended".into(),
    }
}

impl Process {
    /// Opens what names it.
    pub fn open(pid: u32, began: u64) -> Result<Process, String> {
        let path = |name: &str| format!("/proc/{pid}/{name}");
        let open = |name: &str| File::open(path(name)).map_err(|error| refused(&error));
        let program = Arc::new(open("exe")?);
        let memory = open("mem")?;
        let maps = fs::read_to_string(path("maps")).map_err(|error| refused(&error))?;
        let maps = maps::read(&maps);
        let inode = program.metadata().map_err(|error| refused(&error))?.ino();
        let names = names(pid, &program, inode, &memory, &maps);
        Ok(Process { pid, began, maps, memory, names })
    }

    /// Names the functions on a stack, the innermost first.
    pub fn frames(&mut self, stack: &[u64]) -> Result<Vec<Frame>, String> {
        if stack.is_empty() {
            return Err("the kernel gave no stack of the program".into());
        }
        if let By::Map(_, size) = &self.names
            && let Some((map, now)) = perf_map(self.pid)
            && now != *size
        {
            self.names = By::Map(map, now);
        }
        if let By::Nothing(why) = &self.names {
            return Err(why.clone());
        }
        let frames: Vec<Frame> =
            stack.iter().enumerate().map_while(|(n, at)| self.at(n == 0, *at)).flatten().collect();
        match frames.is_empty() {
            true => Err("none of its functions has a name".into()),
            false => Ok(frames),
        }
    }

    /// The functions at an address; none where the chain has left the stack.
    fn at(&self, is_innermost: bool, address: u64) -> Option<Vec<Frame>> {
        // A call returns after itself: it is in the line before.
        let inside = if is_innermost { address } else { address.checked_sub(1)? };
        if let By::Go(go) = &self.names {
            let calls = go.calls(inside);
            if !calls.is_empty() {
                let frame = |call: super::pclntab::Call| Frame {
                    own: is_own_go(&go_name(&call.function), go.module.as_deref()),
                    function: go_name(&call.function),
                    file: call.file,
                    line: call.line,
                };
                return Some(calls.into_iter().map(frame).collect());
            }
        }
        if !is_innermost {
            let mut before = [0; BEFORE];
            self.memory.read(address.checked_sub(BEFORE as u64)?, &mut before)?;
            if !ends_in_call(&before) {
                return None;
            }
        }
        if let By::Map(map, _) = &self.names
            && let Some(name) = map.find(inside)
        {
            let name = compiled(name);
            let (function, file) = (name.function.to_owned(), name.file.map(str::to_owned));
            return Some(vec![Frame { function, file, line: name.line, own: name.own }]);
        }
        let mapping = self.maps.iter().find(|mapping| mapping.has(inside));
        let name = mapping.map_or("?", Mapping::name);
        let function = format!("({})", if name.is_empty() { "?" } else { name });
        Some(vec![Frame { function, file: None, line: None, own: false }])
    }
}

fn names(pid: u32, program: &Arc<File>, inode: u64, memory: &File, maps: &[Mapping]) -> By {
    let elf = Elf::read(program).unwrap_or_default();
    if Go::is(&elf) {
        let go = bias(&elf, inode, maps).and_then(|bias| Go::new(&elf, program, memory, bias));
        return match go {
            Some(go) => By::Go(Box::new(go)),
            None => By::Nothing("its Go is older than 1.18, or newer than closewait knows".into()),
        };
    }
    if let Some((map, size)) = perf_map(pid) {
        return By::Map(map, size);
    }
    let own = maps.iter().find(|mapping| mapping.is_code && mapping.inode == inode);
    By::Nothing(advice(own.map_or("", Mapping::name)))
}

/// The distance of addresses in memory from those in the file.
fn bias(elf: &Elf, inode: u64, maps: &[Mapping]) -> Option<u64> {
    let code = maps.iter().find(|mapping| mapping.is_code && mapping.inode == inode)?;
    code.start.checked_sub(elf.address_of(code.offset)?)
}

/// Advice on what would help, by the name of the program.
fn advice(program: &str) -> String {
    let is = |name: &str| program.starts_with(name);
    if is("node") {
        "node names its functions with --perf-basic-prof --interpreted-frames-native-stack".into()
    } else if is("java") {
        "java names its functions with -XX:+PreserveFramePointer, after jcmd PID Compiler.perfmap"
            .into()
    } else if is("python") {
        "python names its functions with -X perf (3.12 and later, built with frame pointers)".into()
    } else {
        "its program is neither Go's nor one that writes a perf map, and is not named yet".into()
    }
}

/// The map that a runtime writes, by the process's number in its own namespace; and its size.
fn perf_map(pid: u32) -> Option<(PerfMap, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let inner: u32 = field("NSpid:")?.split_ascii_whitespace().last()?.parse().ok()?;
    let user: u32 = field("Uid:")?.split_ascii_whitespace().next()?.parse().ok()?;
    // Whatever is there is the process's own: no link leads out, and no pipe is waited for.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let path = format!("/proc/{pid}/root/tmp/perf-{inner}.map");
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path).ok()?;
    let about = file.metadata().ok()?;
    let is_its = about.is_file() && (about.uid() == user || about.uid() == 0);
    is_its.then(|| (PerfMap::read(BufReader::new(file)), about.len()))
}
