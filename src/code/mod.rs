//! The code that used a socket: which function connected, asked, and saw the end-of-file.
//!
//! Three tracepoints of the kernel tell it, with the caller's stack: a socket's change of state, each
//! send, and each read that came back empty. A socket is known by its address in the kernel until a
//! change of state names its ends, and **the sum of its sends is the relative sequence number**, so
//! that a statement in the capture and the send that carried it are joined without any clock.
//!
//! * [`trace`]: the answer as data; nothing in it is guessed, and what is unknown says why
//! * [`book`]: sockets with their sends, within bounds; pure
//! * [`descriptors`]: on older kernels, the sockets behind system calls; pure
//! * [`watch`]: the events, and the thread that reads them
//! * [`note`]: the answer beside the packets, in a capture that is kept
//! * `unwind`: callers on a copy of a stack
//! * `names`: addresses of a process become functions and lines
//! * [`fold`]: a program's own functions among those of libraries
//! * [`tasks`]: what sends for code that is not on its stack

pub mod book;
pub mod descriptors;
pub mod fold;
#[cfg(all(feature = "code", target_os = "linux"))]
pub mod names;
pub mod note;
pub mod stacks;
pub mod tasks;
pub mod trace;
#[cfg(all(feature = "code", target_os = "linux"))]
pub mod unwind;
pub mod watch;

pub use trace::{Asked, Code, Frame, Span, Trace};
