//! Sockets with what their processes did to them, by their addresses in the kernel; where the kernel does not
//! say them with each send, by their inodes, which the two are then joined by.
//!
//! Events come in the order of their times. What was lost is counted, and whatever it could have changed
//! is unknown from then on. All of it has bounds: sockets, sends of each, and stacks.

mod unnamed;

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

use self::unnamed::{Opened, Unnamed};
use super::stacks::{Stack, StackId, Stacks};
use super::trace::{Asked, Sent, Span};
use crate::tcp::segment::Endpoint;

/// Sockets that are kept, and the last sends of each.
pub const MAX_SOCKETS: usize = 16_384;
/// Sends that are kept of one socket: older ones are forgotten.
pub const MAX_SENDS: usize = 64;

/// Inodes of sockets have 32 bits; addresses in the kernel are in its half of all.
const LAST_INODE: u64 = u32::MAX as u64;

/// The ends of a socket, its own first.
pub type Ends = (Endpoint, Endpoint);

/// Something that happened to a socket.
#[derive(Clone, Debug)]
pub struct Event {
    /// Nanoseconds of a clock that never goes back.
    pub at: u64,
    /// The address of the socket in the kernel, or its inode: no number is both.
    pub socket: u64,
    /// The process in which it happened, by the kernel's number.
    pub pid: u32,
    /// The thing that happened.
    pub what: What,
    /// The caller's.
    pub stack: Stack,
}

/// Things that happen to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It connects: SYN-SENT.
    Connects {
        /// The addresses and ports; its own port is zero if it is not chosen yet.
        ends: Ends,
        /// The descriptor through which it does.
        descriptor: Option<u32>,
    },
    /// Its state changed otherwise.
    State {
        /// The state before.
        from: State,
        /// The state after.
        to: State,
        /// The addresses and ports.
        ends: Ends,
    },
    /// So many octets were sent.
    Sent(u32),
    /// A read came back empty: the end-of-file.
    EndOfFile,
    /// One of its descriptors is going to be closed.
    Closed,
}

/// A state, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A connection is being accepted.
    Accepting,
    /// The peer's FIN was received.
    CloseWait,
    /// Nothing is left of the connection.
    Closed,
    /// Any other state.
    Other,
}

/// The caller of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct By {
    at: u64,
    pid: u32,
    stack: Option<StackId>,
}

#[derive(Clone, Copy, Debug)]
struct Send {
    /// The number of its first octet, counted from the first that was seen.
    from: u64,
    to: u64,
    by: By,
}

#[derive(Clone, Debug, Default)]
struct Sock {
    ends: Option<Ends>,
    /// It was seen to begin.
    begun: Option<u64>,
    sent: u64,
    sends: VecDeque<Send>,
    connect: Option<By>,
    /// It has connected, and its ends were not told since.
    unnamed: Option<Opened>,
    /// The first read that came back empty, and the last one.
    empty: Option<(By, By)>,
    /// The time at which it came into CLOSE-WAIT.
    stuck: Option<u64>,
    last: u64,
    /// A descriptor was closed after its last event.
    is_closed: bool,
    /// The time of the last event that was forgotten when its first one came: it may have been its own.
    forgotten: u64,
    /// Sends of before this time may be missing.
    doubted: u64,
}

/// A caller, to be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Nanoseconds of the kernel's monotonic clock.
    pub at: u64,
    /// The process that called.
    pub pid: u32,
    /// Return addresses, the innermost first; shared by all calls with the same.
    pub stack: Arc<Stack>,
}

/// An event's caller, or the reason why none is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// A call that was seen.
    By(Caller),
    /// A call that was not, for a reason.
    Unknown(Why),
}

/// The reason why the code behind an event is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody has seen it: it happened before anybody looked, or the kernel did not tell.
    Unseen,
    /// Events were lost between.
    Lost,
    /// More sends came after it than are kept.
    LongAgo,
    /// The capture does not have it, or has it together with something else.
    NotCaptured,
    /// The sends and the capture do not fit together.
    Unfit,
    /// Several places sent the octets of one segment.
    Several,
    /// More different stacks than are kept.
    TooManyStacks,
    /// Sockets of several network namespaces have the same ends.
    Twins,
    /// Something was sent through a descriptor of which nobody knows which socket it was.
    Descriptors,
}

/// The holders of a socket, as far as they are known when its callers are asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held<'a> {
    /// The processes that hold it.
    pub processes: &'a [i32],
    /// Its inode.
    pub inode: u64,
    /// Sends of before this time may be missing.
    pub doubted: u64,
    /// The socket that it is, where no event has told the ends of that: see [`Book::unnamed`].
    pub unnamed: Option<u64>,
}

impl Why {
    /// Says it in a clause, without a full stop.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Why::Unseen => "closewait did not see it",
            Why::Lost => "events were lost",
            Why::LongAgo => "too many sends ago",
            Why::NotCaptured => "its beginning was not captured",
            Why::Unfit => "the sends that were seen are not those of the capture",
            Why::Several => "several places sent it",
            Why::TooManyStacks => "more call sites than are kept",
            Why::Twins => "another network namespace has the same addresses",
            Why::Descriptors => {
                "its process has sent through descriptors that could not be followed"
            }
        }
    }
}

/// The part of what is known that a lost event could have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Sums of sends, and which socket is which.
    Sums,
    /// Events of connections that are opened.
    Connects,
    /// Events of ends-of-file that are read.
    EndsOfFile,
}

/// All of them, in their order.
pub const LOSSES: usize = 3;
/// One of each.
pub const ALL_LOSSES: [Loss; LOSSES] = [Loss::Sums, Loss::Connects, Loss::EndsOfFile];

/// The callers of a socket's events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Callers {
    /// The sender of the statement that began the transaction.
    pub begun: Option<Known>,
    /// The sender of the last statement.
    pub last: Option<Known>,
    /// The caller that connected, or accepted.
    pub connected: Option<Known>,
    /// The reader of the end-of-file.
    pub end_of_file: Option<Known>,
    /// The senders of the transaction's statements, in their order.
    pub statements: Vec<Known>,
}

/// All sockets that anything was seen of.
#[derive(Debug, Default)]
pub struct Book {
    sockets: HashMap<u64, Sock, RandomState>,
    by_ends: HashMap<Ends, Vec<u64>, RandomState>,
    unnamed: Unnamed,
    stacks: Stacks,
    /// The time until which some of what makes up sums was lost; whether others were, and how many events in all.
    lost_until: u64,
    lost_connects: bool,
    lost_ends: bool,
    /// Sends are known by inodes.
    by_inode: bool,
    /// The time of the last event that was forgotten with its inode.
    forgotten: u64,
    /// Events that the kernel dropped, since the beginning.
    pub lost: u64,
}

impl Book {
    /// A book of sends by inodes.
    #[must_use]
    pub fn by_inode() -> Book {
        Book { by_inode: true, ..Book::default() }
    }

    /// Takes the next event.
    pub fn take(&mut self, event: &Event) {
        if event.what == What::Closed {
            if let Some(sock) = self.sockets.get_mut(&event.socket) {
                sock.is_closed = true;
            }
            return;
        }
        if !self.sockets.contains_key(&event.socket) {
            self.make_room();
            let sock = Sock { forgotten: self.forgotten, ..Sock::default() };
            self.sockets.insert(event.socket, sock);
        }
        let stack = self.stacks.intern(&event.stack);
        let by = By { at: event.at, pid: event.pid, stack };
        match event.what {
            What::State { to: State::Closed, .. } => return self.forget(event.socket),
            What::State { from, to, ends } => self.change(event.socket, from, to, ends, by),
            What::Connects { ends, descriptor } => self.connect(event.socket, ends, descriptor, by),
            What::Sent(octets) => {
                let sock = self.sockets.entry(event.socket).or_default();
                let from = sock.sent;
                sock.sent += u64::from(octets);
                if sock.sends.len() >= MAX_SENDS {
                    sock.sends.pop_front();
                }
                sock.sends.push_back(Send { from, to: sock.sent, by });
            }
            What::EndOfFile => {
                let sock = self.sockets.entry(event.socket).or_default();
                sock.empty = Some((sock.empty.map_or(by, |(first, _)| first), by));
            }
            What::Closed => {}
        }
        if let Some(sock) = self.sockets.get_mut(&event.socket) {
            (sock.last, sock.is_closed) = (event.at, false);
        }
    }

    /// So many events did not arrive, all of them of before this time. Others of before it may still come: what
    /// was lost may be of their sockets.
    pub fn lose(&mut self, what: Loss, events: u64, before: u64) {
        if events == 0 {
            return;
        }
        self.lost = self.lost.saturating_add(events);
        match what {
            Loss::Sums => self.lost_until = self.lost_until.max(before),
            Loss::Connects => self.lost_connects = true,
            Loss::EndsOfFile => self.lost_ends = true,
        }
    }

    fn connect(&mut self, socket: u64, ends: Ends, descriptor: Option<u32>, by: By) {
        self.forget(socket);
        let unnamed = Some(self.unnamed.begin(by.pid, descriptor, socket, ends.1));
        let sock = Sock { begun: Some(by.at), connect: Some(by), unnamed, ..Sock::default() };
        self.sockets.insert(socket, sock);
        self.name(socket, ends);
    }

    fn change(&mut self, socket: u64, from: State, to: State, ends: Ends, by: By) {
        let is_new = to == State::Accepting;
        let begins = is_new || from == State::Accepting;
        let known = self.sockets.get(&socket).and_then(|sock| sock.ends);
        // A port of zero is not chosen yet.
        let is_other = known.is_some_and(|known| known != ends) && ends.0.port != 0;
        if is_new || is_other {
            self.forget(socket);
        }
        let sock = self.sockets.entry(socket).or_default();
        if begins && sock.begun.is_none() && sock.sends.is_empty() {
            sock.begun = Some(by.at);
        }
        if to == State::CloseWait {
            sock.stuck.get_or_insert(by.at);
        }
        self.name(socket, ends);
    }

    /// Gives a socket its ends, once it has chosen its port.
    fn name(&mut self, socket: u64, ends: Ends) {
        let Some(sock) = self.sockets.get_mut(&socket).filter(|_| ends.0.port != 0) else { return };
        if sock.ends.replace(ends) != Some(ends) {
            self.by_ends.entry(ends).or_default().push(socket);
        }
        if let Some(opened) = sock.unnamed.take() {
            self.unnamed.end(&opened);
        }
    }

    fn forget(&mut self, socket: u64) {
        let Some(sock) = self.sockets.remove(&socket) else { return };
        if let Some(opened) = &sock.unnamed {
            self.unnamed.end(opened);
        }
        let Some(ends) = sock.ends else { return };
        if let Some(all) = self.by_ends.get_mut(&ends) {
            all.retain(|other| *other != socket);
            if all.is_empty() {
                self.by_ends.remove(&ends);
            }
        }
    }

    /// Forgets those that were not used for longest, and are not stuck, where there are too many.
    fn make_room(&mut self) {
        if self.sockets.len() < MAX_SOCKETS {
            return;
        }
        let worth = |sock: &Sock| (sock.stuck.is_some(), !sock.is_closed, sock.last);
        let mut all: Vec<_> = self.sockets.iter().map(|(id, sock)| (worth(sock), *id)).collect();
        all.sort_unstable();
        for ((.., last), id) in all.into_iter().take(MAX_SOCKETS / 8) {
            if id <= LAST_INODE {
                self.forgotten = self.forgotten.max(last);
            }
            self.forget(id);
        }
    }

    /// Returns the socket with these ends that one of these processes has connected, where no event has told them:
    /// the one whose descriptor is now this inode, by what is said of descriptors.
    #[must_use]
    pub fn unnamed(
        &self,
        ends: Ends,
        inode: u64,
        processes: &[i32],
        inode_of: impl Fn(u32, u32) -> Option<u64>,
    ) -> Option<u64> {
        if self.by_ends.contains_key(&ends) {
            return None;
        }
        self.unnamed.find(ends.1, processes, inode, inode_of)
    }

    /// The socket with these ends: by what its state told, and where sends are known by inodes, with those.
    fn found(&self, ends: Ends, held: Held<'_>) -> Result<Cow<'_, Sock>, Why> {
        let all = self.by_ends.get(&ends).map_or(held.unnamed.as_slice(), Vec::as_slice);
        let socks = || all.iter().filter_map(|id| self.sockets.get(id));
        if self.by_inode {
            let mut socks = socks();
            let state = socks.next().filter(|_| socks.next().is_none());
            return Ok(Cow::Owned(self.with_sends(state, held)));
        }
        let is_holders = |by: By| held.processes.contains(&(by.pid as i32));
        let of_holder = |sock: &&Sock| sock.callers().any(is_holders);
        let mut found = socks().filter(|sock| all.len() == 1 || of_holder(sock));
        match (found.next(), found.next()) {
            (Some(sock), None) => Ok(Cow::Borrowed(sock)),
            (None, _) if all.is_empty() => Ok(Cow::Owned(Sock::default())),
            _ => Err(Why::Twins),
        }
    }

    /// A socket by its state, with its sends.
    fn with_sends(&self, state: Option<&Sock>, held: Held<'_>) -> Sock {
        let nothing = Sock { forgotten: self.forgotten, ..Sock::default() };
        let used = self.sockets.get(&held.inode).unwrap_or(&nothing).clone();
        let Some(state) = state else { return Sock { doubted: held.doubted, ..used } };
        let begun = state.begun.filter(|at| *at > used.forgotten);
        let (connect, stuck) = (state.connect, state.stuck);
        Sock { begun, connect, stuck, doubted: held.doubted, ..used }
    }

    /// Returns who used the socket with these ends, which is held so; none where nothing of it was seen.
    #[must_use]
    pub fn callers(&self, ends: Ends, held: Held<'_>, asked: &Asked) -> Callers {
        let sock = match self.found(ends, held) {
            Ok(sock) => sock,
            Err(why) => {
                let unknown = Some(Known::Unknown(why));
                let begun = unknown.clone().filter(|_| asked.open);
                return Callers { begun, last: unknown, ..Callers::default() };
            }
        };
        let sock = &*sock;
        Callers {
            begun: asked.open.then(|| self.sender(sock, asked.begun)),
            last: self.asked_last(sock, asked.last),
            connected: self.connected(sock),
            end_of_file: self.end_of_file(sock),
            statements: asked.statements.iter().map(|sent| self.sender(sock, *sent)).collect(),
        }
    }

    /// The sender of the last statement. It need not be the last send: a body may follow it, or a heartbeat.
    fn asked_last(&self, sock: &Sock, last: Option<Sent>) -> Option<Known> {
        match last {
            Some(Sent { before_end, .. }) if before_end.to > 0 => Some(self.sender(sock, last)),
            // What several places have sent is nobody's, the last of them neither.
            _ => match self.sender(sock, last) {
                several @ Known::Unknown(Why::Several) => Some(several),
                _ => self.last(sock),
            },
        }
    }

    fn last(&self, sock: &Sock) -> Option<Known> {
        match sock.sends.back() {
            Some(send) if send.by.at > self.missing_until(sock) => Some(self.known(send.by)),
            Some(_) => Some(Known::Unknown(self.missing(sock))),
            None if self.is_whole(sock) => None,
            None => Some(Known::Unknown(self.unseen(sock))),
        }
    }

    /// A read that was lost may have seen it. One that came back empty before the end-of-file was there, had no room
    /// for anything.
    fn end_of_file(&self, sock: &Sock) -> Option<Known> {
        let is_end = |by: &By| sock.stuck.is_none_or(|stuck| by.at >= stuck);
        // Of one that was seen to begin, and not to be left, the last read is the one that had seen it.
        let is_last = sock.begun.is_some() && sock.stuck.is_none();
        let all = sock.empty.map(|(first, last)| if is_last { [last; 2] } else { [first, last] });
        let by = all.into_iter().flatten().find(is_end).map(|by| self.known(by));
        by.or(self.lost_ends.then_some(Known::Unknown(Why::Lost)))
    }

    fn connected(&self, sock: &Sock) -> Option<Known> {
        let is_unused = sock.sends.is_empty() && self.is_whole(sock);
        sock.connect.filter(|_| is_unused).map(|by| self.known(by))
    }

    /// It was seen from its beginning, and nothing of it was lost.
    fn is_whole(&self, sock: &Sock) -> bool {
        sock.begun.is_some_and(|at| at > self.missing_until(sock))
    }

    /// The time until which sends of it may be missing.
    fn missing_until(&self, sock: &Sock) -> u64 {
        self.lost_until.max(sock.doubted)
    }

    fn missing(&self, sock: &Sock) -> Why {
        if sock.doubted > self.lost_until { Why::Descriptors } else { Why::Lost }
    }

    fn unseen(&self, sock: &Sock) -> Why {
        if self.missing_until(sock) > 0 || self.lost_connects {
            self.missing(sock)
        } else if sock.forgotten > 0 {
            Why::LongAgo
        } else {
            Why::Unseen
        }
    }

    /// The send that carried these octets. Where the socket was seen to begin, the sums are the
    /// capture's numbers; else the two are joined at their ends, and must agree where sends begin.
    fn sender(&self, sock: &Sock, sent: Option<Sent>) -> Known {
        let Some(Sent { before_end, sent }) = sent else {
            return Known::Unknown(Why::NotCaptured);
        };
        let sent = sent.filter(|_| self.is_whole(sock));
        let span = match sent {
            Some(sent) if sock.sent < sent => return Known::Unknown(Why::Unfit),
            // Descriptors can be handed on: what is not all of it may be the wrong part.
            Some(sent) if self.by_inode && sock.sent != sent => {
                return Known::Unknown(Why::Unfit);
            }
            Some(sent) => from_end(sent, before_end),
            None => from_end(sock.sent, before_end),
        };
        let Some(Span { from, to }) = span else { return Known::Unknown(self.unseen(sock)) };
        let mut carrying =
            sock.sends.iter().filter(|send| send.from < to && from < send.to).peekable();
        let Some(first) = carrying.peek().copied() else {
            let forgotten = sock.sends.front().is_some_and(|send| send.from > 0);
            let why = if forgotten { Why::LongAgo } else { self.unseen(sock) };
            return Known::Unknown(why);
        };
        if first.from > from {
            return Known::Unknown(if first.from > 0 && sock.sends.len() >= MAX_SENDS {
                Why::LongAgo
            } else {
                self.unseen(sock)
            });
        }
        if sent.is_none() && first.by.at <= self.missing_until(sock) {
            return Known::Unknown(self.missing(sock));
        }
        if sent.is_none() && first.from != from {
            return Known::Unknown(Why::Unfit);
        }
        match carrying.all(|send| (send.by.pid, send.by.stack) == (first.by.pid, first.by.stack)) {
            true => self.known(first.by),
            false => Known::Unknown(Why::Several),
        }
    }

    fn known(&self, by: By) -> Known {
        match by.stack.and_then(|stack| self.stacks.get(stack)) {
            Some(stack) => Known::By(Caller { at: by.at, pid: by.pid, stack }),
            None => Known::Unknown(Why::TooManyStacks),
        }
    }
}

impl Sock {
    fn callers(&self) -> impl Iterator<Item = By> {
        let sends = self.sends.iter().map(|send| send.by);
        sends.chain(self.connect).chain(self.empty.map(|(first, _)| first))
    }
}

fn from_end(sent: u64, Span { from, to }: Span) -> Option<Span> {
    Some(Span { from: sent.checked_sub(from)?, to: sent.checked_sub(to)? })
}

#[cfg(test)]
mod tests;
