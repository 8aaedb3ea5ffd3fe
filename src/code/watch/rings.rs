//! The events of every processor: opened by perf_event_open(2), read out of shared memory.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use perf_event_open::config::{CallChain, Clock, Cpu, Opts, Proc, SampleOn, Size, WakeUpOn};
use perf_event_open::count::Counter;
use perf_event_open::event::tp::Tracepoint;
use perf_event_open::sample::Sampler;
use perf_event_open::sample::record::Record;

use super::CannotArm;
use super::calls::FIRST_ARGUMENT;
use super::layout::Layout;
use super::sample::{FRAMES, Fields, Seen, registers};
use super::wanted::{Wanted, Way};
use crate::code::book::LOSSES;
use crate::code::unwind::{Copied, PERF_REGISTERS};

/// The places where tracefs is mounted.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// Octets of a stack that the kernel copies; on machines whose registers are not known here, functions of it
/// that it follows along frame pointers. Each KiB costs its sender 0.2 µs.
const COPIED: Size = Size(3_584);

/// Octets of an event beside its own: a header, the thread and the time; beside a copied stack, its lengths
/// and the length of the registers.
const HEADER: usize = 24;
const LENGTHS: usize = 24;

/// Says to take system calls where a kernel has better, for whoever tries it.
const FORCED: (&str, &str) = ("CLOSEWAIT_CODE_EVENTS", "syscalls");

/// Octets of all rings together, at most: with many processors, each has a smaller one.
const MOST_OCTETS: usize = 128 << 20;

/// The pages of the smallest ring that is tried, as a power of two, and the times that each is halved, at most.
const LEAST_PAGES: u8 = 3;
const MOST_HALVINGS: u8 = 8;

/// One event on one processor.
struct Ring {
    fields: Fields,
    sampler: Sampler,
    counter: Counter,
    /// Events that did not arrive, so far.
    lost: u64,
    /// Events that fill it, but for an eighth.
    full: u64,
}

/// All events on all processors.
pub struct Rings {
    all: Vec<Ring>,
    /// The way by which sends are known.
    pub way: Way,
}

/// Numbers of a turn's harvest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Harvest {
    pub events: u64,
    pub lost: [u64; LOSSES],
    /// Descriptors may be others than they were.
    pub lost_descriptors: bool,
}

impl Rings {
    /// Opens them all; where the kernel has no events of sends, system calls.
    pub fn open() -> Result<Rings, CannotArm> {
        let (name, value) = FORCED;
        if std::env::var_os(name).is_some_and(|asked| asked == value) {
            return Rings::by(Way::Calls);
        }
        match Rings::by(Way::Sockets) {
            Err(CannotArm::NoEvent(_)) if FIRST_ARGUMENT.is_some() => Rings::by(Way::Calls),
            opened => opened,
        }
    }

    fn by(way: Way) -> Result<Rings, CannotArm> {
        let root = tracefs()?;
        let processors = processors();
        // Without cap_ipc_lock, so much may not be locked (perf_event_mlock_kb): then each is smaller.
        let sizes = halvings(way, processors.len())..=MOST_HALVINGS;
        for smaller in sizes {
            if let Some(all) = Rings::of_size(root, way, &processors, smaller)? {
                return Ok(Rings { all, way });
            }
        }
        Err(CannotArm::NotAllowed)
    }

    /// Opens them, each halved so many times; none if that is still too much.
    fn of_size(
        root: &Path,
        way: Way,
        processors: &[u32],
        smaller: u8,
    ) -> Result<Option<Vec<Ring>>, CannotArm> {
        let mut rings = Vec::new();
        for wanted in way.wanted() {
            let folder = root.join("events").join(wanted.event);
            let id = read(&folder.join("id"), wanted.event)?;
            let id = id.trim().parse().map_err(|_| CannotArm::NoEvent(wanted.event))?;
            let layout = Layout::read(&read(&folder.join("format"), wanted.event)?);
            let fields = Fields::of(wanted, &layout)?;
            for cpu in processors {
                let pages = wanted.pages.saturating_sub(smaller).max(LEAST_PAGES);
                match open(wanted, id, *cpu, pages, way) {
                    Ok(Some((counter, sampler))) => {
                        let full = events_of(wanted, &layout, pages);
                        rings.push(Ring { fields, sampler, counter, lost: 0, full });
                    }
                    Ok(None) => return Ok(None),
                    // A processor that is switched off.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) if error.raw_os_error() == Some(NO_DEVICE) => {}
                    Err(error) => return Err(cannot_open(wanted.event, error)),
                }
            }
        }
        Ok(Some(rings))
    }

    /// Takes what has come since the last time, with the copies of stacks.
    pub fn read(&mut self, mut take: impl FnMut(Seen, Option<Copied>)) -> Harvest {
        let mut harvest = Harvest::default();
        for ring in &mut self.all {
            let (events, lost) = ring.read(&mut take);
            harvest.events += events;
            if let Some(all) = harvest.lost.get_mut(ring.fields.kind.loss() as usize) {
                *all += lost;
            }
            harvest.lost_descriptors |= lost > 0 && ring.fields.kind.is_of_descriptors();
        }
        harvest
    }
}

impl Ring {
    /// Takes what has come. Returns how many events there were, and how many did not arrive.
    fn read(&mut self, mut take: impl FnMut(Seen, Option<Copied>)) -> (u64, u64) {
        let Some(records) = self.sampler.iter() else { return (0, 0) };
        let (mut events, mut lost, mut recorded) = (0, 0, 0);
        for (_, record) in records {
            match record {
                Record::Sample(sample) => match self.fields.read(*sample) {
                    Some((seen, copied)) => {
                        events += 1;
                        if let Some(seen) = seen {
                            take(seen, copied);
                        }
                    }
                    None => lost += 1,
                },
                Record::LostRecords(some) => recorded += some.lost_records,
                _ => {}
            }
        }
        // Only one that is full loses any. The number is asked for then alone: it interrupts the other processor.
        if events >= self.full || recorded > 0 {
            match self.counter.stat().ok().and_then(|stat| stat.lost_records) {
                // A record of what was lost comes only with the next event that is not.
                Some(now) => {
                    lost += now.saturating_sub(self.lost);
                    self.lost = now;
                }
                // Before Linux 6.0 there is no such number.
                None => lost += recorded.max(1),
            }
        }
        (events, lost)
    }
}

/// Returns the number of events that a ring of so many pages has room for, less an eighth.
fn events_of(wanted: &Wanted, layout: &Layout, pages: u8) -> u64 {
    let caller = match wanted.kind.has_caller() {
        true if PERF_REGISTERS.is_empty() => 8 * (usize::from(FRAMES) + 2),
        true => LENGTHS + 8 * registers(wanted.kind).0.count_ones() as usize + COPIED.0 as usize,
        false => 0,
    };
    let octets = HEADER + (layout.size().min(PAGE) + 4).next_multiple_of(8) + caller;
    ((PAGE << pages) / octets * 7 / 8) as u64
}

const PAGE: usize = 4096;

/// Returns the number of times that each ring is halved, so that all of them are not too much.
fn halvings(way: Way, processors: usize) -> u8 {
    let all = |smaller: u8| {
        let pages = way.wanted().iter().map(|wanted| 1 << wanted.pages.saturating_sub(smaller));
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
fn open(
    wanted: &Wanted,
    id: u64,
    cpu: u32,
    pages: u8,
    way: Way,
) -> io::Result<Option<(Counter, Sampler)>> {
    let mut options =
        Opts { sample_on: SampleOn::Count(1), timer: Some(Clock::Monotonic), ..Opts::default() };
    options.sample_format.raw = true;
    // Rings are looked at by the clock: whoever sends need not interrupt its processor to wake anybody.
    options.wake_up.on = WakeUpOn::Bytes(u32::MAX);
    if wanted.kind.has_caller() {
        // One of them: each costs more than a microsecond.
        if PERF_REGISTERS.is_empty() {
            options.sample_format.call_chain = Some(CallChain {
                exclude_user: false,
                exclude_kernel: true,
                defer_user: false,
                max_stack_frames: FRAMES,
            });
        } else {
            options.sample_format.user_regs = Some(registers(wanted.kind));
            options.sample_format.user_stack = Some(COPIED);
        }
    }
    options.stat_format.lost_records = way == Way::Sockets;
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
