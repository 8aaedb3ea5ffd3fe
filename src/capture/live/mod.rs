//! Packets as they pass an interface, through libpcap.

#[cfg(feature = "libpcap")]
mod clock;
#[cfg(not(feature = "libpcap"))]
mod disabled;
#[cfg(feature = "libpcap")]
mod enabled;
#[cfg(feature = "libpcap")]
mod gather;
#[cfg(feature = "libpcap")]
mod interface;
#[cfg(feature = "libpcap")]
mod keep;
pub mod ring;
#[cfg(feature = "libpcap")]
mod rotation;
#[cfg(feature = "libpcap")]
mod taker;
pub mod turn;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[cfg(not(feature = "libpcap"))]
pub use disabled::{Live, interfaces};
#[cfg(feature = "libpcap")]
pub use enabled::Live;
#[cfg(feature = "libpcap")]
pub use interface::interfaces;

use crate::place::Time;

/// Octets of the ring that the kernel fills, where nobody asks for others.
pub const BUFFER: u32 = 8 << 20;

/// The wish of what to capture, and for how long.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// As tcpdump names them; `any` is all of them.
    pub interfaces: Vec<String>,
    /// In tcpdump's language; empty for all packets.
    pub filter: String,
    /// Octets of each packet.
    pub snap_len: u32,
    /// Octets of the ring that the kernel fills.
    pub buffer: u32,
    /// Packets for others, too, where the network brings them.
    pub promiscuous: bool,
    /// End after so many packets.
    pub count: Option<u64>,
    /// End after so long.
    pub duration: Option<Duration>,
    /// End when this is set.
    pub stop: Arc<AtomicBool>,
}

/// The reason why nothing can be captured.
#[derive(Debug, thiserror::Error)]
pub enum CannotCapture {
    /// The kernel does not let it be opened.
    #[error("{interface}: {error}{}", remedy(interface, error))]
    Interface {
        /// The interface's name.
        interface: String,
        /// libpcap's sentence.
        error: String,
    },
    /// The expression is refused for this interface's link type.
    #[error("the filter {expression:?} is wrong: {error} (pcap-filter(7) describes the language)")]
    Filter {
        /// The expression as it was written.
        expression: String,
        /// libpcap's reason.
        error: String,
    },
    /// This build has no libpcap, and captures nothing.
    #[error("this closewait was built without libpcap: tcpdump -i any -U -w - | closewait -")]
    NotBuiltIn,
}

impl CannotCapture {
    /// It takes rights that this process has not, or another build: nothing is wrong with what was asked.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        match self {
            CannotCapture::Interface { error, .. } => {
                error.contains("permission") || error.contains("not permitted")
            }
            CannotCapture::NotBuiltIn => true,
            CannotCapture::Filter { .. } => false,
        }
    }
}

/// Reads the clock that libpcap takes packets' times from, too.
#[must_use]
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_nanos(i128::try_from(since.as_nanos()).unwrap_or(i128::MAX))
}

/// Advice about an error of libpcap's.
fn remedy(interface: &str, error: &str) -> String {
    if error.contains("permission") || error.contains("not permitted") {
        " (run as root, or once: setcap cap_net_raw=ep \"$(command -v closewait)\")".into()
    } else if error.contains("No such device") {
        " (closewait live -D lists the interfaces)".into()
    } else if error.contains("not up") {
        format!(" (ip link set {interface} up)")
    } else {
        String::new()
    }
}
