//! The kernel's events, and the thread that keeps a book of them.
//!
//! They are opened once, with rights that the process then gives up; what is read afterwards is memory
//! that the kernel fills.

#[cfg(not(all(feature = "code", target_os = "linux")))]
mod disabled;
#[cfg(all(feature = "code", target_os = "linux"))]
mod enabled;
pub mod layout;
#[cfg(all(feature = "code", target_os = "linux"))]
mod namer;
#[cfg(all(feature = "code", target_os = "linux"))]
mod rings;

#[cfg(not(all(feature = "code", target_os = "linux")))]
pub use disabled::{Armed, Watch};
#[cfg(all(feature = "code", target_os = "linux"))]
pub use enabled::{Armed, Watch};

use std::io;

/// Events of the code behind sockets cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CannotArm {
    #[error("this closewait was built without the feature code")]
    NotBuilt,
    #[error(
        "tracefs is not there: mount -t tracefs tracefs /sys/kernel/tracing (in a container: mount the host's, read-only)"
    )]
    NoTracefs,
    #[error("/sys/kernel/tracing may not be read: it takes cap_dac_read_search, or root")]
    Hidden,
    #[error("this kernel has no event {0} (those of sends and reads came with Linux 6.3)")]
    NoEvent(&'static str),
    #[error("the event {0} has no field {1}: this kernel is not known")]
    NoField(&'static str, &'static str),
    #[error("events may not be opened: it takes cap_perfmon, or root")]
    NotAllowed,
    #[error("the event {event} cannot be opened: {error}")]
    Failed { event: &'static str, error: io::Error },
}
