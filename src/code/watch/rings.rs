//! The events of every processor: opened by perf_event_open(2), read out of shared memory.

use std::ffi::CStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use perf_event_open::config::{CallChain, Clock, Cpu, Opts, Proc, RegsMask, SampleOn, Size};
use perf_event_open::count::Counter;
use perf_event_open::event::tp::Tracepoint;
use perf_event_open::sample::Sampler;
use perf_event_open::sample::record::Record;
use perf_event_open::sample::record::sample::{Abi, CallChain as Chain, Sample};

use super::CannotArm;
use super::layout::{Layout, number};
use crate::code::book::{Event, LOSSES, Loss, State, What};
use crate::code::stacks::{Found, Stack};
use crate::code::unwind::{Copied, MASK, PERF_REGISTERS, Registers};
use crate::tcp::segment::Endpoint;

/// The places where tracefs is mounted.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Octets of a stack that the kernel copies; on machines whose registers are not known here, functions of it
/// that it follows along frame pointers.
const COPIED: Size = Size(4 * 1024);
const FRAMES: u16 = 64;

/// Octets of all rings together, at most: with many processors, each has a smaller one.
const MOST_OCTETS: usize = 128 << 20;

/// The pages of the smallest ring that is tried, as a power of two, and the times that each is halved, at most.
const LEAST_PAGES: u8 = 3;
const MOST_HALVINGS: u8 = 8;

#[derive(Clone, Copy)]
enum Kind {
    Connect,
    State,
    Sent,
    EndOfFile,
}

impl Kind {
    /// Returns the part of what is known that such an event, once lost, could have changed.
    fn loss(self) -> Loss {
        match self {
            Kind::Connect => Loss::Connects,
            Kind::EndOfFile => Loss::EndsOfFile,
            Kind::State | Kind::Sent => Loss::Sums,
        }
    }
}

/// An event that is asked for.
struct Wanted {
    kind: Kind,
    event: &'static str,
    /// Evaluated by the kernel: TCP, and of sends and reads only those that tell.
    filter: &'static CStr,
    /// Whoever is carried out then has caused it.
    has_caller: bool,
    /// The pages of a processor's ring, as a power of two.
    pages: u8,
}

const WANTED: [Wanted; 4] = [
    Wanted {
        kind: Kind::Connect,
        event: "sock/inet_sock_set_state",
        filter: c"protocol==6 && newstate==2",
        has_caller: true,
        pages: 9,
    },
    Wanted {
        kind: Kind::State,
        event: "sock/inet_sock_set_state",
        filter: c"protocol==6 && newstate!=2",
        has_caller: false,
        pages: 8,
    },
    Wanted {
        kind: Kind::Sent,
        event: "sock/sock_send_length",
        filter: c"protocol==6 && ret>0",
        has_caller: true,
        pages: 11,
    },
    Wanted {
        kind: Kind::EndOfFile,
        event: "sock/sock_recv_length",
        filter: c"protocol==6 && ret==0",
        has_caller: true,
        pages: 9,
    },
];

/// The places of what is read of an event.
#[derive(Clone, Copy)]
struct Fields {
    kind: Kind,
    socket: (usize, usize),
    /// The number of octets; or the states, the ports and the addresses.
    of_state: [(usize, usize); 6],
    octets: (usize, usize),
}

/// One event on one processor.
struct Ring {
    fields: Fields,
    sampler: Sampler,
    counter: Counter,
    /// Events that did not arrive, so far.
    lost: u64,
}

/// All events on all processors.
pub struct Rings(Vec<Ring>);

/// Numbers of a turn's harvest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Harvest {
    pub events: u64,
    pub lost: [u64; LOSSES],
}

impl Rings {
    /// Opens them all.
    pub fn open() -> Result<Rings, CannotArm> {
        let root = tracefs()?;
        let processors = processors();
        // Without cap_ipc_lock, so much may not be locked (perf_event_mlock_kb): then each is smaller.
        let sizes = halvings(processors.len())..=MOST_HALVINGS;
        for smaller in sizes {
            if let Some(rings) = Rings::of_size(root, &processors, smaller)? {
                return Ok(rings);
            }
        }
        Err(CannotArm::NotAllowed)
    }

    /// Opens them, each halved so many times; none if that is still too much.
    fn of_size(root: &Path, processors: &[u32], smaller: u8) -> Result<Option<Rings>, CannotArm> {
        let mut rings = Vec::new();
        for wanted in &WANTED {
            let folder = root.join("events").join(wanted.event);
            let id = read(&folder.join("id"), wanted.event)?;
            let id = id.trim().parse().map_err(|_| CannotArm::NoEvent(wanted.event))?;
            let layout = Layout::read(&read(&folder.join("format"), wanted.event)?);
            let fields = Fields::of(wanted, &layout)?;
            for cpu in processors {
                let pages = wanted.pages.saturating_sub(smaller).max(LEAST_PAGES);
                match open(wanted, id, *cpu, pages) {
                    Ok(Some((counter, sampler))) => {
                        rings.push(Ring { fields, sampler, counter, lost: 0 });
                    }
                    Ok(None) => return Ok(None),
                    // A processor that is switched off.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) if error.raw_os_error() == Some(NO_DEVICE) => {}
                    Err(error) => return Err(cannot_open(wanted.event, error)),
                }
            }
        }
        Ok(Some(Rings(rings)))
    }

    /// Takes what has come since the last time, with the copies of stacks.
    pub fn read(&mut self, mut take: impl FnMut(Event, Option<Copied>)) -> Harvest {
        let mut harvest = Harvest::default();
        for ring in &mut self.0 {
            let Some(records) = ring.sampler.iter() else { continue };
            let Some(lost) = harvest.lost.get_mut(ring.fields.kind.loss() as usize) else {
                continue;
            };
            for (_, record) in records {
                let Record::Sample(sample) = record else { continue };
                match event(&ring.fields, *sample) {
                    Some((event, copied)) => {
                        harvest.events += 1;
                        take(event, copied);
                    }
                    None => *lost += 1,
                }
            }
            // Asked for: a record of what was lost comes only with the next event that is not.
            let now = ring.counter.stat().ok().and_then(|stat| stat.lost_records);
            let now = now.unwrap_or(ring.lost);
            *lost += now.saturating_sub(ring.lost);
            ring.lost = now;
        }
        harvest
    }
}

/// Returns the number of times that each ring is halved, so that all of them are not too much.
fn halvings(processors: usize) -> u8 {
    const PAGE: usize = 4096;
    let all = |smaller: u8| {
        let pages = WANTED.iter().map(|wanted| 1 << wanted.pages.saturating_sub(smaller));
        pages.sum::<usize>() * PAGE * processors
    };
    (0..MOST_HALVINGS).find(|smaller| all(*smaller) <= MOST_OCTETS).unwrap_or(MOST_HALVINGS)
}

/// ENODEV.
const NO_DEVICE: i32 = 19;

fn tracefs() -> Result<&'static Path, CannotArm> {
    let mut reason = CannotArm::NoTracefs;
    for root in TRACEFS.map(Path::new) {
        match fs::metadata(root.join("events")) {
            Ok(_) => return Ok(root),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                reason = CannotArm::Hidden;
            }
            Err(_) => {}
        }
    }
    Err(reason)
}

fn read(path: &Path, event: &'static str) -> Result<String, CannotArm> {
    fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => CannotArm::Hidden,
        _ => CannotArm::NoEvent(event),
    })
}

fn cannot_open(event: &'static str, error: io::Error) -> CannotArm {
    match error.kind() {
        ErrorKind::PermissionDenied => CannotArm::NotAllowed,
        _ => CannotArm::Failed { event, error },
    }
}

/// The processors that are there, by the kernel's list: `0-3,8`.
fn processors() -> Vec<u32> {
    let list = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let listed: Vec<u32> = list.trim().split(',').filter_map(range).flatten().collect();
    if listed.is_empty() { vec![0] } else { listed }
}

fn range(part: &str) -> Option<std::ops::RangeInclusive<u32>> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

/// Opens an event on a processor; none if its ring is more than may be locked.
fn open(wanted: &Wanted, id: u64, cpu: u32, pages: u8) -> io::Result<Option<(Counter, Sampler)>> {
    let mut options =
        Opts { sample_on: SampleOn::Count(1), timer: Some(Clock::Monotonic), ..Opts::default() };
    options.sample_format.raw = true;
    if wanted.has_caller {
        // One of them: each costs more than a microsecond.
        if PERF_REGISTERS.is_empty() {
            options.sample_format.call_chain = Some(CallChain {
                exclude_user: false,
                exclude_kernel: true,
                defer_user: false,
                max_stack_frames: FRAMES,
            });
        } else {
            options.sample_format.user_regs = Some(RegsMask(MASK));
            options.sample_format.user_stack = Some(COPIED);
        }
    }
    options.stat_format.lost_records = true;
    options.record_id_format.task = true;
    options.record_id_format.time = true;
    let counter = Counter::new(Tracepoint { id }, (Proc::ALL, Cpu(cpu)), &options)?;
    counter.with_ftrace_filter(wanted.filter)?;
    let sampler = match counter.sampler(pages) {
        Err(error) if is_too_much(&error) => return Ok(None),
        sampler => sampler?,
    };
    counter.enable()?;
    Ok(Some((counter, sampler)))
}

fn is_too_much(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::OutOfMemory)
}

impl Fields {
    fn of(wanted: &Wanted, layout: &Layout) -> Result<Fields, CannotArm> {
        let field =
            |name: &'static str| layout.field(name).ok_or(CannotArm::NoField(wanted.event, name));
        let none = (0, 0);
        let fields = Fields { kind: wanted.kind, socket: none, of_state: [none; 6], octets: none };
        Ok(match wanted.kind {
            Kind::Connect | Kind::State => {
                let [from, to, sport, dport, saddr, daddr] =
                    ["oldstate", "newstate", "sport", "dport", "saddr_v6", "daddr_v6"].map(field);
                let of_state = [from?, to?, sport?, dport?, saddr?, daddr?];
                Fields { socket: field("skaddr")?, of_state, ..fields }
            }
            Kind::Sent | Kind::EndOfFile => {
                Fields { socket: field("sk")?, octets: field("ret")?, ..fields }
            }
        })
    }
}

fn event(fields: &Fields, sample: Sample) -> Option<(Event, Option<Copied>)> {
    let raw = sample.raw?;
    let what = match fields.kind {
        Kind::Connect | Kind::State => {
            let [from, to, sport, dport, saddr, daddr] = fields.of_state;
            let end = |address, port| {
                let port = u16::try_from(number(&raw, port)?).ok()?;
                Some(Endpoint { ip: address_of(&raw, address)?, port })
            };
            let [from, to] = [from, to].map(|field| number(&raw, field).map(state));
            What::State { from: from?, to: to?, ends: (end(saddr, sport)?, end(daddr, dport)?) }
        }
        Kind::Sent => What::Sent(u32::try_from(number(&raw, fields.octets)?).ok()?),
        Kind::EndOfFile => What::EndOfFile,
    };
    let chain = sample.call_chain.unwrap_or_default().into_iter();
    let user = chain.flat_map(|part| if let Chain::User(part) = part { part } else { Vec::new() });
    let addresses = user.take(usize::from(FRAMES)).collect();
    let registers = sample.user_regs.filter(|(_, abi)| matches!(abi, Abi::_64));
    let registers = registers.and_then(|(values, _)| Registers::of_perf(&values));
    let copied = registers.zip(sample.user_stack);
    let event = Event {
        at: sample.record_id.time?,
        socket: number(&raw, fields.socket)?,
        pid: sample.record_id.task?.pid,
        what,
        stack: Stack { addresses, found: Found::Chain },
    };
    Some((event, copied.map(|(registers, stack)| Copied { registers, stack })))
}

/// An IPv4 address is a mapped one there.
fn address_of(raw: &[u8], (offset, size): (usize, usize)) -> Option<IpAddr> {
    let octets: [u8; 16] = raw.get(offset..offset.checked_add(size)?)?.try_into().ok()?;
    let ip = Ipv6Addr::from(octets);
    Some(ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4))
}

/// By the kernel's numbers (`net/tcp_states.h`).
fn state(number: u64) -> State {
    match number {
        2 => State::Connecting,
        3 | 12 => State::Accepting,
        7 => State::Closed,
        8 => State::CloseWait,
        _ => State::Other,
    }
}
