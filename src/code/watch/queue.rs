//! Events in the order of their times, each of a socket that is certain.

use std::collections::VecDeque;
use std::fs;

use procfs::process::FDTarget;

use super::sample::Seen;
use super::wanted::Way;
use crate::code::book::{Book, Ends, Event, Held, What};
use crate::code::descriptors::{Descriptors, Found, Heard, Link, Settled, Use};
use crate::code::stacks::Stack;
use crate::code::unwind::{Copied, Unwinders};

/// A book, and what is not in it yet.
pub struct Queue {
    pub book: Book,
    descriptors: Descriptors,
    /// Events that an older one may still come before.
    waiting: Vec<(Seen, Option<Copied>)>,
    /// Events that may have to wait for their socket to be certain, and all behind them.
    settling: VecDeque<Settling>,
}

enum Settling {
    Event(Event),
    Use(Use),
}

impl Queue {
    pub fn new(way: Way) -> Queue {
        let book = match way {
            Way::Sockets => Book::default(),
            Way::Calls => Book::by_inode(),
        };
        Queue {
            book,
            descriptors: Descriptors::default(),
            waiting: Vec::new(),
            settling: VecDeque::new(),
        }
    }

    /// Takes what has come; all that is older than `before` has.
    pub fn take(
        &mut self,
        events: Vec<(Seen, Option<Copied>)>,
        unwinders: &mut Unwinders,
        before: u64,
        now: impl Fn() -> u64,
    ) {
        self.waiting.extend(events);
        self.waiting.sort_by_key(|(seen, _)| seen.at());
        let settled = self.waiting.partition_point(|(seen, _)| seen.at() <= before);
        for (seen, copied) in self.waiting.drain(..settled) {
            let call = match seen {
                Seen::Socket(event) => {
                    self.settling.push_back(Settling::Event(event));
                    continue;
                }
                Seen::Thread(call) => call,
            };
            let (at, pid) = (call.at, call.pid);
            // Looked at first: the time is not before it.
            let look = |pid, which| {
                let link = link(pid, which);
                Found { link, at: now() }
            };
            self.settling.extend(match self.descriptors.hear(call, look) {
                Heard::Nothing => None,
                Heard::Used(mut used) => {
                    // Whoever writes to a file is not looked into.
                    if let (true, Some(copied)) = (used.is_of_socket(), copied) {
                        used.stack = unwinders.find(pid, at, &copied);
                    }
                    Some(Settling::Use(used))
                }
                Heard::Ends(socket) => {
                    let (what, stack) = (What::Closed, Stack::default());
                    Some(Settling::Event(Event { at, socket, pid, what, stack }))
                }
            });
        }
        self.settle(before);
    }

    fn settle(&mut self, before: u64) {
        while let Some(first) = self.settling.pop_front() {
            let used = match first {
                Settling::Event(event) => {
                    self.book.take(&event);
                    continue;
                }
                Settling::Use(used) => used,
            };
            match self.descriptors.settle(&used, before) {
                Settled::NotYet => {
                    self.settling.push_front(Settling::Use(used));
                    break;
                }
                Settled::Nobody => {}
                Settled::Socket(socket) => {
                    let Use { pid, at, what, stack, .. } = used;
                    self.book.take(&Event { at, socket, pid, what, stack });
                }
            }
        }
    }

    /// Calls of before this time were not heard.
    pub fn lose_descriptors(&mut self, before: u64) {
        self.descriptors.lose(before);
    }

    /// Returns how a socket is held, by these processes.
    pub fn held<'a>(&self, ends: Ends, inode: u64, processes: &'a [i32]) -> Held<'a> {
        let doubted = self.descriptors.doubted_until(inode, processes);
        let unnamed =
            self.book.unnamed(ends, inode, processes, |pid, which| match link(pid, which) {
                Link::Socket(inode) => Some(inode),
                Link::Other | Link::Gone => None,
            });
        Held { processes, inode, doubted, unnamed }
    }
}

/// The thing that a descriptor is now.
fn link(pid: u32, which: u32) -> Link {
    let Ok(link) = fs::read_link(format!("/proc/{pid}/fd/{which}")) else { return Link::Gone };
    match link.to_str().map(str::parse) {
        Some(Ok(FDTarget::Socket(inode))) => Link::Socket(inode),
        _ => Link::Other,
    }
}
