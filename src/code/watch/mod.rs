//! The kernel's events, and the thread that keeps a book of them.
//!
//! They are opened once, with rights that the process then gives up; what is read afterwards is memory
//! that the kernel fills.

#[cfg(all(feature = "code", target_os = "linux"))]
mod calls;
#[cfg(not(all(feature = "code", target_os = "linux")))]
mod disabled;
#[cfg(all(feature = "code", target_os = "linux"))]
mod enabled;
pub mod layout;
#[cfg(all(feature = "code", target_os = "linux"))]
mod namer;
#[cfg(all(feature = "code", target_os = "linux"))]
mod queue;
#[cfg(all(feature = "code", target_os = "linux"))]
mod rings;
#[cfg(all(feature = "code", target_os = "linux"))]
mod sample;
#[cfg(all(feature = "code", target_os = "linux"))]
mod wanted;

#[cfg(not(all(feature = "code", target_os = "linux")))]
pub use disabled::{Armed, Watch};
#[cfg(all(feature = "code", target_os = "linux"))]
pub use enabled::{Armed, Watch};

use std::io;

/// Events of the code behind sockets cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CannotArm {
    /// This build leaves the watch out, or this system is not Linux on a processor that is known.
    #[error("this closewait was built without the feature code")]
    NotBuilt,
    /// The kernel's list of events is not mounted.
    #[error(
        "tracefs is not there: mount -t tracefs tracefs /sys/kernel/tracing (under ip netns exec: in the same shell; in a container: mount the host's, read-only)"
    )]
    NoTracefs,
    /// The kernel's list of events is there, and may not be read.
    #[error("/sys/kernel/tracing may not be read: it takes cap_dac_read_search, or root")]
    Hidden,
    /// The kernel has no such event: its name.
    #[error("this kernel has no event {0} (it takes Linux 6.3, or on x86-64 4.17)")]
    NoEvent(&'static str),
    /// An event lacks a field: the names of both.
    #[error("the event {0} has no field {1}: this kernel is not known")]
    NoField(&'static str, &'static str),
    /// The kernel refuses events to this user.
    #[error("events may not be opened: it takes cap_perfmon, or root")]
    NotAllowed,
    /// The kernel could not set an event up.
    #[error("the event {event} cannot be opened: {error}")]
    Failed {
        /// The event's name.
        event: &'static str,
        /// The kernel's reason.
        error: io::Error,
    },
}
