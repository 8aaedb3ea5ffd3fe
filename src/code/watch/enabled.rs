//! With the feature `code`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::CannotArm;
use super::rings::Rings;
use crate::code::book::{Book, Ends, Event};
use crate::code::names::Names;
use crate::code::{Asked, Code};

/// The pause between two looks at the rings. At 20,000 sends a second on one processor, a ring fills
/// in five times as long.
const PAUSE: Duration = Duration::from_millis(20);

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
        Rings::open().map(Armed)
    }

    /// Begins to keep a book of them, in a thread that has the rights that are left.
    #[must_use]
    pub fn begin(self) -> Watch {
        let book = Arc::new(Mutex::new(Kept::default()));
        let (rings, kept) = (Arc::new(Mutex::new(self.0)), Arc::clone(&book));
        let reader = Arc::clone(&rings);
        // Without a thread, whoever asks reads.
        let _ = thread::Builder::new().spawn(move || {
            loop {
                read(&reader, &kept);
                thread::sleep(PAUSE);
            }
        });
        Watch { rings, kept: book, names: Names::default() }
    }
}

/// A book of all sockets, and the names of who is in it.
pub struct Watch {
    rings: Arc<Mutex<Rings>>,
    kept: Arc<Mutex<Kept>>,
    names: Names,
}

#[derive(Default)]
struct Kept {
    book: Book,
    /// Events that an older one may still come before.
    waiting: Vec<Event>,
}

impl Watch {
    /// Returns the code that used a socket.
    pub fn code_of(&mut self, ends: Ends, holders: &[i32], asked: &Asked) -> Code {
        read(&self.rings, &self.kept);
        let callers = lock(&self.kept).book.callers(ends, holders, asked);
        self.names.name(callers)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Moves what has come into the book, in the order of its times.
fn read(rings: &Mutex<Rings>, kept: &Mutex<Kept>) {
    let rings = lock(rings);
    let before = now().saturating_sub(SETTLED_NS);
    let harvest = rings.read();
    let mut kept = lock(kept);
    kept.waiting.extend(harvest.events);
    kept.waiting.sort_by_key(|event| event.at);
    let settled = kept.waiting.partition_point(|event| event.at <= before);
    let Kept { book, waiting } = &mut *kept;
    waiting.drain(..settled).for_each(|event| book.take(&event));
    if harvest.lost > 0 {
        book.lose(harvest.lost);
    }
}

fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}
