//! Sockets by their descriptors, on kernels that say only which system calls a thread makes.
//!
//! A descriptor says which socket it is when it is looked at, which is after the call. What was found holds for
//! the call if nothing ended the descriptor between: each call that can end one is heard, too, from its beginning
//! to its return. A call whose descriptor was closed before it was looked at is nobody's: so is its socket, unless
//! that lives on in a copy of the descriptor. Where it could, what is known of it is in doubt until then.

use std::collections::{HashMap, HashSet, VecDeque};

use foldhash::fast::RandomState;

use super::book::What;
use super::stacks::Stack;

/// Descriptors and threads that are followed.
const MOST: usize = 65_536;

/// Ends that are kept of a descriptor.
const MOST_ENDS: usize = 8;

/// Parents, and their parents, that a descriptor may have come from.
const MOST_PARENTS: usize = 8;

/// A read is heard only when it returns: it may have begun so long before, on what the descriptor was then.
const READ_NS: u64 = 1_000_000_000;

/// The time after which all has gone out that was sent unheard.
const UNHEARD_NS: u64 = 1_000_000_000;

/// Something that a thread does.
#[derive(Clone, Debug)]
pub struct Call {
    /// Nanoseconds of a clock that never goes back.
    pub at: u64,
    /// The process.
    pub pid: u32,
    /// The thread in it.
    pub thread: u32,
    /// The thing it does.
    pub did: Did,
    /// The caller's.
    pub stack: Stack,
}

/// Things that a thread does to descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// It begins to send to a descriptor.
    Sends(u32),
    /// It begins to end one, or all where none is named.
    Ends(Option<u32>),
    /// It begins to copy one within its process.
    Copies(u32),
    /// It begins to put a copy of one in the place of another.
    Replaces {
        /// The one that is copied.
        copied: u32,
        /// The one that ends.
        ended: u32,
    },
    /// It sends in a way that does not tell how much, or to whom; what it ends is not heard, either.
    Unheard,
    /// It parts from the descriptors of its process.
    Parts,
    /// All has gone that it began to send: so many octets.
    Sent(u32),
    /// A read of a descriptor came back empty.
    Empty(u32),
    /// The end or the copy that it began is done; the copy that was made, if one was.
    Done(Option<u32>),
    /// It made a process, with copies of its descriptors, or with the same ones.
    Starts {
        /// The new process.
        child: u32,
        /// Both use one table of descriptors.
        shares: bool,
    },
}

/// The thing behind a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// A socket, by its inode.
    Socket(u64),
    /// Anything else.
    Other,
    /// It is not there any more.
    Gone,
}

/// A look at a descriptor, and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The thing it was.
    pub link: Link,
    /// Nanoseconds.
    pub at: u64,
}

/// A call to be told of, once its descriptor is certain.
#[derive(Clone, Debug)]
pub struct Use {
    /// The process.
    pub pid: u32,
    descriptor: u32,
    /// Nanoseconds at which it returned.
    pub at: u64,
    found: Found,
    /// The descriptor was another for a part of the call, or may have been.
    is_across: bool,
    /// It was a copy, or was copied: of this.
    copied: Option<Link>,
    /// The thing it did to the socket.
    pub what: What,
    /// The caller's.
    pub stack: Stack,
}

impl Use {
    /// Returns whether its descriptor was a socket's when it was looked at.
    #[must_use]
    pub fn is_of_socket(&self) -> bool {
        matches!(self.found.link, Link::Socket(_))
    }
}

/// The outcome of hearing a call.
#[derive(Debug)]
pub enum Heard {
    /// Nothing to be told.
    Nothing,
    /// A use of what may be a socket.
    Used(Use),
    /// One descriptor of this socket is going to end.
    Ends(u64),
}

/// The socket of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Not before later calls are heard.
    NotYet,
    /// This one.
    Socket(u64),
    /// None, or nobody knows which.
    Nobody,
}

#[derive(Clone, Copy, Debug)]
struct Begun {
    at: u64,
    did: Did,
}

/// The time in which a thread ended a descriptor, or is about to.
#[derive(Clone, Copy, Debug)]
struct End {
    thread: u32,
    from: u64,
    to: u64,
}

#[derive(Debug, Default)]
struct Ends(VecDeque<End>);

#[derive(Debug, Default)]
struct Descriptor {
    found: Option<Found>,
    ends: Ends,
    used: u64,
    /// It was copied, or is a copy, from this time on: of this.
    copied: Option<Found>,
}

/// Descriptors of all processes.
#[derive(Debug, Default)]
pub struct Descriptors {
    /// The calls that threads are in.
    begun: HashMap<u32, Begun, RandomState>,
    all: HashMap<(u32, u32), Descriptor, RandomState>,
    /// Ends of all descriptors of a process at once.
    processes: HashMap<u32, Ends, RandomState>,
    parents: HashMap<u32, u32>,
    /// Processes that share a table of descriptors with others, or have several.
    sharing: HashSet<u32>,
    /// Processes, and sockets, with the time until which a send of theirs may be missing.
    doubted: HashMap<u32, u64>,
    doubted_sockets: HashMap<u64, u64>,
    /// Ends of before this time are forgotten.
    horizon: u64,
}

impl Descriptors {
    /// Hears the next call, in the order of time; looks at a descriptor where it has to.
    pub fn hear(&mut self, call: Call, mut look: impl FnMut(u32, u32) -> Found) -> Heard {
        self.make_room();
        let Call { at, pid, thread, did, .. } = call;
        match did {
            Did::Sends(_) | Did::Copies(_) => self.begin(pid, thread, Begun { at, did }),
            Did::Replaces { ended, .. } => {
                self.begin(pid, thread, Begun { at, did });
                self.end(pid, Some(ended)).begin(thread, at);
            }
            Did::Ends(which) => {
                self.begin(pid, thread, Begun { at, did });
                self.end(pid, which).begin(thread, at);
                let known = which.and_then(|which| self.all.get(&(pid, which))?.found);
                if let Some(Found { link: Link::Socket(inode), .. }) = known {
                    return Heard::Ends(inode);
                }
            }
            Did::Done(copy) => {
                let begun = self.done(pid, thread, at);
                let (Did::Copies(copied) | Did::Replaces { copied, .. }) = begun else {
                    return Heard::Nothing;
                };
                if let Some(copy) = copy {
                    self.copy(pid, [copy, copied], at, look);
                }
            }
            Did::Parts => {
                self.sharing.insert(pid);
            }
            Did::Unheard => {
                self.begin_anew(pid, at);
                doubt(&mut self.doubted, pid, at.saturating_add(UNHEARD_NS));
            }
            Did::Starts { child, shares } => self.start(pid, child, shares, at),
            Did::Sent(octets) => {
                let begun = self.begun.remove(&thread);
                let Some(Begun { at: began, did: Did::Sends(descriptor) }) = begun else {
                    // It began before anybody looked.
                    doubt(&mut self.doubted, pid, at);
                    return Heard::Nothing;
                };
                return self.used(descriptor, began, What::Sent(octets), call, &mut look);
            }
            Did::Empty(descriptor) => {
                let began = at.saturating_sub(READ_NS);
                return self.used(descriptor, began, What::EndOfFile, call, &mut look);
            }
        }
        Heard::Nothing
    }

    /// Returns the socket of a call, once all calls of before this time are heard.
    pub fn settle(&mut self, used: &Use, before: u64) -> Settled {
        let Use { pid, descriptor, at, found, is_across, .. } = *used;
        let is_send = used.what != What::EndOfFile;
        if is_across || self.sharing.contains(&pid) {
            // It may have been on what the descriptor was before.
            if is_send {
                doubt(&mut self.doubted, pid, at);
            }
            return Settled::Nobody;
        }
        if found.at > before {
            return Settled::NotYet;
        }
        let is_late = found.at > at && self.ended_between(pid, descriptor, at, found.at);
        match found.link {
            Link::Socket(inode) if !is_late => Settled::Socket(inode),
            Link::Other if !is_late => Settled::Nobody,
            _ => {
                if is_send {
                    self.doubt_copies(used);
                }
                Settled::Nobody
            }
        }
    }

    /// Returns the time until which sends to this socket, of these processes, may be missing.
    #[must_use]
    pub fn doubted_until(&self, inode: u64, pids: &[i32]) -> u64 {
        let pids = pids.iter().filter_map(|pid| self.doubted.get(&u32::try_from(*pid).ok()?));
        pids.chain(self.doubted_sockets.get(&inode)).copied().max().unwrap_or(0)
    }

    /// Calls of before this time were not heard: whatever a descriptor was may have changed.
    pub fn lose(&mut self, before: u64) {
        self.begun.clear();
        self.all.clear();
        self.processes.clear();
        self.horizon = self.horizon.max(before);
    }

    /// A call that has returned: what there is to know before any later one is heard.
    fn used(
        &mut self,
        descriptor: u32,
        began: u64,
        what: What,
        call: Call,
        look: &mut impl FnMut(u32, u32) -> Found,
    ) -> Heard {
        let Call { at, pid, stack, .. } = call;
        let is_across = self.ended_between(pid, descriptor, began, at);
        let copied = self.all.get(&(pid, descriptor)).and_then(|one| one.copied);
        // Of another that had the number before, it was none.
        let is_this = |copied: &Found| !self.ended_between(pid, descriptor, copied.at + 1, at);
        let copied = copied.filter(is_this).map(|copied| copied.link);
        let found = self.look(pid, descriptor, at, look);
        Heard::Used(Use { pid, descriptor, at, found, is_across, copied, what, stack })
    }

    fn look(
        &mut self,
        pid: u32,
        which: u32,
        at: u64,
        look: &mut impl FnMut(u32, u32) -> Found,
    ) -> Found {
        let known = self.all.get(&(pid, which)).and_then(|one| one.found);
        let holds = |found: &Found| {
            found.link != Link::Gone
                && (found.at > at || !self.ended_between(pid, which, found.at, at))
        };
        let found = known.filter(holds).unwrap_or_else(|| look(pid, which));
        let one = self.all.entry((pid, which)).or_default();
        (one.found, one.used) = (Some(found), one.used.max(at));
        found
    }

    fn ended_between(&self, pid: u32, which: u32, from: u64, to: u64) -> bool {
        let one = self.all.get(&(pid, which)).map(|one| &one.ends);
        let all = [one, self.processes.get(&pid)];
        from < self.horizon || all.into_iter().flatten().any(|ends| ends.are_within(from, to))
    }

    fn end(&mut self, pid: u32, which: Option<u32>) -> &mut Ends {
        match which {
            Some(which) => &mut self.all.entry((pid, which)).or_default().ends,
            None => self.processes.entry(pid).or_default(),
        }
    }

    /// A thread is in one call at a time: what it was in has returned.
    fn begin(&mut self, pid: u32, thread: u32, begun: Begun) {
        let (at, before) = (begun.at, self.begun.insert(thread, begun));
        match before.map(|before| before.did) {
            Some(Did::Ends(which)) => self.end(pid, which).end(Some(thread), at),
            Some(Did::Replaces { ended, .. }) => self.end(pid, Some(ended)).end(Some(thread), at),
            _ => {}
        }
    }

    /// A call has returned. Returns what it was.
    fn done(&mut self, pid: u32, thread: u32, at: u64) -> Did {
        let begun = self.begun.remove(&thread).map_or(Did::Done(None), |begun| begun.did);
        match begun {
            Did::Ends(Some(which)) | Did::Replaces { ended: which, .. } => {
                self.end(pid, Some(which)).end(Some(thread), at);
            }
            Did::Copies(_) => {}
            // A thread that carries out another program goes on as the first one of its process.
            _ => self.end(pid, None).end(None, at),
        }
        begun
    }

    /// Two descriptors are the same: either says of what.
    fn copy(&mut self, pid: u32, both: [u32; 2], at: u64, mut look: impl FnMut(u32, u32) -> Found) {
        let links = both.map(|which| look(pid, which).link);
        let link = links.into_iter().find(|link| *link != Link::Gone).unwrap_or(Link::Gone);
        if link == Link::Other {
            return;
        }
        for which in both {
            let one = self.all.entry((pid, which)).or_default();
            (one.copied, one.used) = (Some(Found { link, at }), at.max(one.used));
        }
    }

    /// All that was known of its descriptors is over.
    fn begin_anew(&mut self, pid: u32, at: u64) {
        let ends = self.end(pid, None);
        ends.begin(0, at);
        ends.end(Some(0), at);
    }

    fn start(&mut self, parent: u32, child: u32, shares: bool, at: u64) {
        // Its number may have been another's.
        self.doubted.remove(&child);
        self.begin_anew(child, at);
        self.parents.insert(child, parent);
        if shares {
            self.sharing.extend([parent, child]);
        }
    }

    /// A send to a descriptor that is closed: was it a copy, its socket may be another's still.
    fn doubt_copies(&mut self, used: &Use) {
        let Use { pid, descriptor: which, at, .. } = *used;
        let since = self.all.get(&(pid, which)).and_then(|one| one.copied);
        let since = since.filter(|copied| copied.at >= at).map(|copied| copied.link);
        match used.copied.or(since) {
            Some(Link::Socket(inode)) => doubt(&mut self.doubted_sockets, inode, at),
            Some(_) => doubt(&mut self.doubted, pid, at),
            None => {}
        }
        let mut process = pid;
        for _ in 0..MOST_PARENTS {
            let Some(parent) = self.parents.get(&process) else { break };
            let known = self.all.get(&(*parent, which)).and_then(|one| one.found);
            if let Some(Found { link: Link::Socket(inode), .. }) = known {
                doubt(&mut self.doubted_sockets, inode, at);
            }
            process = *parent;
        }
    }

    /// Forgets those that were not used for longest, and ends with them.
    fn make_room(&mut self) {
        if self.all.len() >= MOST {
            let mut times: Vec<u64> = self.all.values().map(Descriptor::last).collect();
            times.sort_unstable();
            let until = times.get(MOST / 2).copied().unwrap_or(0);
            self.all.retain(|_, one| one.last() > until);
            self.horizon = self.horizon.max(until);
        }
        if self.processes.len() >= MOST {
            let last = self.processes.values().filter_map(Ends::last).max();
            self.processes.clear();
            self.horizon = self.horizon.max(last.unwrap_or(0));
        }
        if self.begun.len() >= MOST {
            self.begun.clear();
        }
        if self.parents.len() >= MOST {
            self.parents.clear();
        }
        if self.sharing.len() >= MOST {
            self.sharing.clear();
        }
        bound(&mut self.doubted);
        bound(&mut self.doubted_sockets);
    }
}

fn doubt<T: Eq + std::hash::Hash>(doubted: &mut HashMap<T, u64>, which: T, at: u64) {
    let until = doubted.entry(which).or_default();
    *until = at.max(*until);
}

/// Keeps the younger half.
fn bound<T: Eq + std::hash::Hash>(doubted: &mut HashMap<T, u64>) {
    if doubted.len() >= MOST {
        let mut times: Vec<u64> = doubted.values().copied().collect();
        times.sort_unstable();
        let until = times.get(MOST / 2).copied().unwrap_or(0);
        doubted.retain(|_, at| *at > until);
    }
}

impl Descriptor {
    fn last(&self) -> u64 {
        self.used.max(self.ends.last().unwrap_or(0))
    }
}

impl Ends {
    fn begin(&mut self, thread: u32, at: u64) {
        if self.0.len() >= MOST_ENDS {
            self.0.pop_front();
            // It stands for those before it.
            if let Some(oldest) = self.0.front_mut() {
                oldest.from = 0;
            }
        }
        self.0.push_back(End { thread, from: at, to: u64::MAX });
    }

    /// Ends those of a thread, or all.
    fn end(&mut self, thread: Option<u32>, at: u64) {
        let is_its = |end: &&mut End| thread.is_none_or(|thread| end.thread == thread);
        let open = self.0.iter_mut().filter(|end| end.to == u64::MAX).filter(is_its);
        open.for_each(|end| end.to = at);
    }

    fn are_within(&self, from: u64, to: u64) -> bool {
        self.0.iter().any(|end| end.from <= to && end.to >= from)
    }

    fn last(&self) -> Option<u64> {
        self.0.back().map(|end| end.from)
    }
}

#[cfg(test)]
mod tests;
