//! With the feature `code`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::setpriority_process;
use rustix::time::{ClockId, clock_gettime};

use super::CannotArm;
use super::namer::Namer;
use super::queue::Queue;
use super::rings::Rings;
use super::sample::Seen;
use super::wanted::Way;
use crate::code::book::{ALL_LOSSES, Ends};
use crate::code::unwind::Unwinders;
use crate::code::{Asked, Code};

/// The pause between two looks at the rings, and the one while much is sent. With 3.5 KiB of its stack each,
/// 20,000 sends a second on one processor fill a ring in ten times as long as the longer.
const PAUSE: Duration = Duration::from_millis(10);
const SHORT: Duration = Duration::from_millis(2);

/// The priority of whoever reads (nice(2)).
const BEFORE_OTHERS: i32 = -10;

/// Events of a look that are much.
const MUCH: u64 = 64;

/// Events this young may still be overtaken by older ones of another processor.
const SETTLED_NS: u64 = 2_000_000;

/// Events that are open, in a process that still has the rights to open them.
pub struct Armed(Rings);

impl Armed {
    /// Opens the events: from here on, sends are seen.
    ///
    /// # Errors
    /// If a right is missing, or the kernel has no such events.
    pub fn arm() -> Result<Armed, CannotArm> {
        // On a busy machine, too, rings are to be read before they are full. Not everybody may ask for it.
        let _ = setpriority_process(None, BEFORE_OTHERS);
        Rings::open().map(Armed)
    }

    /// Returns whether the kernel tells only of system calls.
    #[must_use]
    pub fn is_by_calls(&self) -> bool {
        self.0.way == Way::Calls
    }

    /// Begins to keep a book of them, in a thread that has the rights that are left.
    #[must_use]
    pub fn begin(self) -> Watch {
        let book = Arc::new(Mutex::new(Queue::new(self.0.way)));
        let reader = Reader { rings: self.0, unwinders: Unwinders::default() };
        let (rings, kept) = (Arc::new(Mutex::new(reader)), Arc::clone(&book));
        let reader = Arc::clone(&rings);
        // Without a thread, whoever asks reads.
        let _ = thread::Builder::new().spawn(move || {
            loop {
                let events = read(&reader, &kept);
                thread::sleep(if events > MUCH { SHORT } else { PAUSE });
            }
        });
        Watch { rings, kept: book, namer: Namer::new() }
    }
}

/// The events as they come, and the callers on their stacks.
struct Reader {
    rings: Rings,
    unwinders: Unwinders,
}

/// A book of all sockets, and the names of who is in it.
pub struct Watch {
    rings: Arc<Mutex<Reader>>,
    kept: Arc<Mutex<Queue>>,
    namer: Namer,
}

impl Watch {
    /// Returns how many events did not arrive.
    #[must_use]
    pub fn lost(&self) -> u64 {
        lock(&self.kept).book.lost
    }

    /// Returns the code that used a socket.
    pub fn code_of(&mut self, ends: Ends, inode: u64, holders: &[i32], asked: &Asked) -> Code {
        read(&self.rings, &self.kept);
        let callers = {
            let kept = lock(&self.kept);
            kept.book.callers(ends, kept.held(ends, inode, holders), asked)
        };
        self.namer.name(callers)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Moves what has come into the book, in the order of its times. Returns how many events there were.
fn read(reader: &Mutex<Reader>, kept: &Mutex<Queue>) -> u64 {
    let mut reader = lock(reader);
    let Reader { rings, unwinders } = &mut *reader;
    let before = now().saturating_sub(SETTLED_NS);
    let mut events = Vec::new();
    let harvest = rings.read(|mut seen, mut copied| {
        // Of a thread's call it is not known yet whether a socket is meant.
        if let Seen::Socket(event) = &mut seen
            && let Some(copied) = copied.take()
        {
            event.stack = unwinders.find(event.pid, event.at, &copied);
        }
        events.push((seen, copied));
    });
    let read_at = now();
    let mut kept = lock(kept);
    if harvest.lost_descriptors {
        kept.lose_descriptors(read_at);
    }
    kept.take(events, unwinders, before, now);
    for (what, lost) in ALL_LOSSES.into_iter().zip(harvest.lost) {
        kept.book.lose(what, lost, read_at);
    }
    harvest.events
}

fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}
