//! The events that are asked for: a socket's own, or on kernels without them, the system calls of threads.

use std::ffi::CStr;

use crate::code::book::Loss;

/// The way to know of sends and reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Events of sockets (Linux 6.3).
    Sockets,
    /// System calls and descriptors (x86-64).
    Calls,
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A socket connects.
    Connect,
    /// A socket changes its state otherwise.
    State,
    /// Octets were sent.
    Sent,
    /// A read came back empty.
    EndOfFile,
    /// A thread begins a call that sends, or ends a descriptor, or copies one.
    Begins,
    /// A call that sends returns.
    CallSent,
    /// A call that reads returns empty.
    CallEmpty,
    /// A call that ends or copies descriptors returns.
    CallDone,
    /// A process is made.
    Starts,
}

impl Kind {
    /// Returns the part of what is known that such an event, once lost, could have changed.
    pub fn loss(self) -> Loss {
        match self {
            Kind::Connect => Loss::Connects,
            Kind::EndOfFile | Kind::CallEmpty => Loss::EndsOfFile,
            _ => Loss::Sums,
        }
    }

    /// Returns whether descriptors may be others than they were, once such an event is lost.
    pub fn is_of_descriptors(self) -> bool {
        matches!(self, Kind::Begins | Kind::CallSent | Kind::CallDone | Kind::Starts)
    }

    /// Returns whether whoever is carried out then has caused it.
    pub fn has_caller(self) -> bool {
        use Kind::{CallEmpty, CallSent, Connect, EndOfFile, Sent};
        matches!(self, Connect | Sent | EndOfFile | CallSent | CallEmpty)
    }
}

/// An event that is asked for.
pub struct Wanted {
    pub kind: Kind,
    pub event: &'static str,
    /// Evaluated by the kernel: of sends and reads, only those that tell.
    pub filter: &'static CStr,
    /// The pages of a processor's ring, as a power of two.
    pub pages: u8,
}

const CONNECT: Wanted = Wanted {
    kind: Kind::Connect,
    event: "sock/inet_sock_set_state",
    filter: c"protocol==6 && newstate==2",
    pages: 9,
};

const STATE: Wanted = Wanted {
    kind: Kind::State,
    event: "sock/inet_sock_set_state",
    filter: c"protocol==6 && newstate!=2",
    pages: 8,
};

const OF_SOCKETS: &[Wanted] = &[
    CONNECT,
    STATE,
    Wanted {
        kind: Kind::Sent,
        event: "sock/sock_send_length",
        filter: c"protocol==6 && ret>0",
        pages: 11,
    },
    Wanted {
        kind: Kind::EndOfFile,
        event: "sock/sock_recv_length",
        filter: c"protocol==6 && ret==0",
        pages: 9,
    },
];

/// By the numbers of [`super::calls`]. Beginnings come last: whatever begins is to be heard to its end.
const OF_CALLS: &[Wanted] = &[
    CONNECT,
    STATE,
    Wanted {
        kind: Kind::CallSent,
        event: "raw_syscalls/sys_exit",
        filter: c"ret>0 && (id==1 || id==44 || id==46 || id==20 || id==40 || id==275 || id==328)",
        pages: 11,
    },
    Wanted {
        kind: Kind::CallEmpty,
        event: "raw_syscalls/sys_exit",
        filter: c"ret==0 && (id==0 || id==45 || id==47 || id==19)",
        pages: 9,
    },
    Wanted {
        kind: Kind::CallDone,
        event: "raw_syscalls/sys_exit",
        filter: c"id==3 || id==33 || id==292 || id==72 || id==32 || id==59 || id==322 || id==436",
        pages: 9,
    },
    // Processes, not threads (CLONE_THREAD).
    Wanted {
        kind: Kind::Starts,
        event: "task/task_newtask",
        filter: c"!(clone_flags & 65536)",
        pages: 5,
    },
    Wanted {
        kind: Kind::Begins,
        event: "raw_syscalls/sys_enter",
        filter: c"id==1 || id==44 || id==46 || id==20 || id==3 || id==33 || id==292 || id==72 || id==32 || id==40 || id==59 || id==272 || id==275 || id==307 || id==322 || id==328 || id==426 || id==436",
        pages: 9,
    },
];

impl Way {
    /// Returns its events.
    pub fn wanted(self) -> &'static [Wanted] {
        match self {
            Way::Sockets => OF_SOCKETS,
            Way::Calls => OF_CALLS,
        }
    }
}
