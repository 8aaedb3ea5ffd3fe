//! A process whose stacks are to be named.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::bytes::Bytes;
use super::calls::{BEFORE, called, ends_in_call};
use super::elf::Elf;
use super::go::Go;
use super::maps::{self, Mapping};
use super::native::{Image, Images, Named};
use super::perfmap::PerfMap;
use crate::code::Frame;
use crate::code::fold::{compiled, go_name, is_interpreter, is_own_go, is_own_native};
use crate::code::stacks::{Found, Stack};
use crate::code::tasks::host;

/// A process, and how its functions are named.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    /// Nanoseconds from the start of the machine to the start of the process.
    pub began: u64,
    /// The inode of its program.
    inode: u64,
    maps: Vec<Mapping>,
    memory: File,
    names: By,
}

#[derive(Debug)]
enum By {
    Go(Box<Go>),
    /// A runtime that writes down what it compiles, and the size of its map then.
    Map(PerfMap, u64),
    /// Files with tables of symbols, and what is for debuggers.
    Files,
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
        Ok(Process { pid, began, inode, maps, memory, names })
    }

    /// Names the functions on a stack, the innermost first.
    pub fn frames(&mut self, stack: &Stack, images: &mut Images) -> Result<Vec<Frame>, String> {
        if stack.addresses.is_empty() {
            return Err("the kernel gave no stack of the program".into());
        }
        let known = match &self.names {
            By::Map(_, size) => Some(*size),
            By::Nothing(_) => Some(0),
            By::Go(_) | By::Files => None,
        };
        // It grows, or was asked for only now.
        if let Some((map, size)) = known.and_then(|known| perf_map(self.pid, known)) {
            self.names = By::Map(map, size);
        }
        if let By::Nothing(why) = &self.names {
            return Err(why.clone());
        }
        if matches!(self.names, By::Files) {
            return self.by_files(stack, images);
        }
        let named = stack.addresses.iter().enumerate().map(|(n, at)| self.at(n == 0, *at));
        let named: Vec<Vec<Frame>> = named.map_while(|frames| frames).collect();
        let is_whole = named.len() == stack.addresses.len();
        let frames: Vec<Frame> = named.into_iter().flatten().collect();
        match frames.is_empty() {
            true => Err("none of its functions has a name".into()),
            false if matches!(self.names, By::Map(..)) => {
                self.compiled(frames, is_whole, stack.found)
            }
            false => Ok(frames),
        }
    }

    /// Holds what a runtime has compiled to be nearest to the socket only where nothing without a name of its own
    /// stands before it.
    fn compiled(
        &self,
        mut frames: Vec<Frame>,
        is_whole: bool,
        found: Found,
    ) -> Result<Vec<Frame>, String> {
        let host = without_hosts(&mut frames);
        // Nearest to the socket, and of interest.
        let own = frames.iter().position(|frame| frame.own).or(host);
        let before = frames.get(..own.unwrap_or(frames.len())).unwrap_or_default();
        if before.iter().any(|frame| is_interpreter(&frame.function)) {
            let own = self.maps.iter().find(|map| map.is_code && map.inode == self.inode);
            return Err(interpreted(own.map_or("", Mapping::name)).into());
        }
        if before.iter().any(|frame| frame.function == NO_FILE) || own.is_none() && !is_whole {
            return Err("its code was compiled anew since, or its map has no name for it".into());
        }
        match own {
            None if found == Found::Copied => Err(DEEPER.into()),
            None if found == Found::Tables => {
                Err("its callers are in code that was new then".into())
            }
            _ => Ok(frames),
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
        let by_map = if let By::Map(map, _) = &self.names { map.find(inside) } else { None };
        // An interpreter pushes the address to return to, and jumps.
        if !is_innermost && !by_map.is_some_and(is_interpreter) {
            self.call_before(address)?;
        }
        if let Some(name) = by_map {
            let name = compiled(name);
            let (function, file) = (name.function.to_owned(), name.file.map(str::to_owned));
            return Some(vec![Frame { function, file, line: name.line, own: name.own }]);
        }
        Some(vec![unnamed(self.mapping(inside))])
    }

    /// The octets before an address, if a call is in them.
    fn call_before(&self, address: u64) -> Option<[u8; BEFORE]> {
        let mut before = [0; BEFORE];
        self.memory.read(address.checked_sub(BEFORE as u64)?, &mut before)?;
        ends_in_call(&before).then_some(before)
    }

    fn mapping(&self, address: u64) -> Option<&Mapping> {
        self.maps.iter().find(|mapping| mapping.has(address))
    }

    /// By the tables of its program, and of its libraries.
    fn by_files(&mut self, stack: &Stack, images: &mut Images) -> Result<Vec<Frame>, String> {
        if stack.found == Found::Chain {
            return Err("the kernel gave no copy of its stack".into());
        }
        // Something may have been loaded since.
        if stack.addresses.iter().any(|at| self.mapping(*at).is_none()) {
            let maps = fs::read_to_string(format!("/proc/{}/maps", self.pid)).unwrap_or_default();
            self.maps = maps::read(&maps);
        }
        let mut frames = Vec::new();
        // The first address of the function that was called last, in memory.
        let mut callee = None;
        for (n, address) in stack.addresses.iter().enumerate() {
            let inside = address.saturating_sub(u64::from(n > 0));
            let before = if n == 0 { None } else { self.call_before(*address) };
            if n > 0 && before.is_none() {
                break;
            }
            let Some(map) = self.mapping(inside) else { break };
            let is_program = map.inode == self.inode;
            let image = images.get(self.pid, map, is_program);
            let place = Place { map, image: image.as_deref(), is_program };
            let target = before.and_then(|before| called(&before, *address));
            frames.extend(target.and_then(|target| place.passed_on(target, callee)));
            callee = place.start_of(inside);
            frames.extend(place.frames(inside));
            if is_program && callee.is_none() && !frames.iter().any(|frame: &Frame| frame.own) {
                return Err(STRIPPED.into());
            }
        }
        let is_task = without_hosts(&mut frames).is_some();
        if is_task || frames.iter().any(|frame| frame.own) {
            return Ok(frames);
        }
        match stack.found {
            Found::Copied => Err(DEEPER.into()),
            Found::Tables => {
                let last = stack.addresses.last().and_then(|last| self.mapping(*last));
                let name = last.map_or("?", Mapping::name);
                Err(format!("{name} has no table for unwinding (.eh_frame) there"))
            }
            Found::Whole | Found::Chain => Ok(frames),
        }
    }
}

const DEEPER: &str = "its stack is deeper than the 3.5 KiB of it that are copied";

const STRIPPED: &str = "its program is stripped: one with its symbol table, or its debug symbols below /usr/lib/debug/.build-id, has names";

/// Takes no function for the task's own by which whatever carries out tasks was called. Returns the place of that.
fn without_hosts(frames: &mut [Frame]) -> Option<usize> {
    let host = host(frames)?;
    frames.get_mut(host..)?.iter_mut().for_each(|frame| frame.own = false);
    Some(host)
}

/// A function of which only the file is known.
fn unnamed(map: Option<&Mapping>) -> Frame {
    let name = map.map_or("", Mapping::name);
    let function = if name.is_empty() { NO_FILE.into() } else { format!("({name})") };
    Frame { function, file: None, line: None, own: false }
}

/// Code that no file has.
const NO_FILE: &str = "(?)";

/// The file that a function is in.
struct Place<'a> {
    map: &'a Mapping,
    image: Option<&'a Image>,
    is_program: bool,
}

impl Place<'_> {
    /// The functions at an address.
    fn frames(&self, address: u64) -> Vec<Frame> {
        let place =
            self.image.and_then(|image| Some((image, image.address_in(self.map, address)?)));
        let named = place.map_or(Vec::new(), |(image, address)| image.at(address));
        match named.is_empty() {
            true => vec![unnamed(Some(self.map))],
            false => named.into_iter().map(|named| self.frame(named)).collect(),
        }
    }

    fn frame(&self, Named { function, file, line }: Named) -> Frame {
        let main_crate = self.image.and_then(|image| image.main_crate.as_deref());
        let own = self.is_program && is_own_native(&function, file.as_deref(), main_crate);
        Frame { function, file, line, own }
    }

    /// The first address of the function at an address, in memory.
    fn start_of(&self, address: u64) -> Option<u64> {
        let at = self.image?.address_in(self.map, address)?;
        address.checked_sub(at.checked_sub(self.image?.start_of(at)?)?)
    }

    /// A function that was called here, and has jumped on to the one that is on the stack in its place:
    /// compilers make a jump of a function's last call.
    fn passed_on(&self, target: u64, callee: Option<u64>) -> Option<Frame> {
        if callee == Some(target) || !self.map.has(target) {
            return None;
        }
        let function = self.image?.beginning_at(self.image?.address_in(self.map, target)?)?;
        Some(self.frame(Named { function, file: None, line: None }))
    }
}

fn names(pid: u32, program: &Arc<File>, inode: u64, memory: &File, maps: &[Mapping]) -> By {
    let elf = Elf::read(program).unwrap_or_default();
    if elf.is_go() {
        let go = bias(&elf, inode, maps).and_then(|bias| Go::new(&elf, program, memory, bias));
        return match go {
            Some(go) => By::Go(Box::new(go)),
            None => By::Nothing("its Go is older than 1.18, or newer than closewait knows".into()),
        };
    }
    if let Some((map, size)) = perf_map(pid, 0) {
        return By::Map(map, size);
    }
    let own = maps.iter().find(|mapping| mapping.is_code && mapping.inode == inode);
    advice(own.map_or("", Mapping::name)).map_or(By::Files, |advice| By::Nothing(advice.into()))
}

/// The distance of addresses in memory from those in the file.
fn bias(elf: &Elf, inode: u64, maps: &[Mapping]) -> Option<u64> {
    let code = maps.iter().find(|mapping| mapping.is_code && mapping.inode == inode)?;
    code.start.checked_sub(elf.address_of(code.offset)?)
}

/// Advice on what would help, by the name of a program that carries out another language than its own;
/// its functions would only be the interpreter's.
fn advice(program: &str) -> Option<&'static str> {
    let advice = [
        (
            "node",
            "node names its functions with --perf-basic-prof --interpreted-frames-native-stack",
        ),
        (
            "java",
            "java names its functions with -XX:+PreserveFramePointer, after jcmd PID Compiler.perfmap",
        ),
        ("python", "python names its functions with -X perf (3.12 and later)"),
        ("ruby", "Ruby's functions are not named"),
        ("php", "PHP's functions are not named"),
        ("perl", "Perl's functions are not named"),
        ("lua", "Lua's functions are not named"),
        ("beam.", "Erlang's functions are not named"),
        ("dotnet", ".NET names its functions with DOTNET_PerfMapEnabled=1"),
    ];
    advice.iter().find(|(name, _)| program.starts_with(name)).map(|(_, advice)| *advice)
}

/// Advice where a function is interpreted that would have to be compiled to have a name.
fn interpreted(program: &str) -> &'static str {
    match program {
        "java" => "java had not compiled it yet: what it interprets has no name",
        "node" => {
            "node had not compiled it: --interpreted-frames-native-stack names it all the same"
        }
        _ => "it is interpreted: only what was compiled has a name",
    }
}

/// The map that a runtime writes, by the process's number in its own namespace; and its size, which is another
/// than what is `known`.
fn perf_map(pid: u32, known: u64) -> Option<(PerfMap, u64)> {
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
    (is_its && about.len() != known).then(|| (PerfMap::read(BufReader::new(file)), about.len()))
}
