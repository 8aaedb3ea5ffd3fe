//! Reading, from a plan to an outcome.
//!
//! * [`session`]: the files and capture points that are read, whatever the mode
//! * [`rows`]: judged connections beside what is known around them
//! * `placing`: which capture point a file is of; `copies`: files that show what others have shown
//! * [`share`]: what runs tell each other that judge one capture together
//! * `sights`: connections that were seen more than once
//! * [`word`]: what a list of sockets says of them
//! * [`mod@follow`]: the one loop, packet after packet, and what a mode is
//! * [`offline`]: files; [`trace`]: files once more, for some connections
//! * [`notices`]: troubles and progress on the way, and how it ended

pub(crate) mod copies;
pub mod follow;
pub mod notices;
pub mod offline;
mod placing;
pub mod rows;
pub mod session;
pub mod share;
pub(crate) mod sights;
mod stopped;
pub(crate) mod told;
pub mod trace;
pub(crate) mod unread;
pub mod word;

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::attach::registry::Known;
use crate::attach::sql::tags::Sought;
use crate::capture::file::Input;
use crate::capture::filter::Filter;
use crate::capture::stop::Stop;
use crate::owner::SocketList;
use crate::table::MAX_FLOWS;
use crate::verdict::Policy;
pub use notices::{Notices, Outcome};
pub use offline::run;

/// The most files of one run: their numbers stand in the [`Place`](crate::place::Place) of every packet.
pub const MOST_FILES: usize = 1 << 16;

/// A plan: what to read, and how to judge it.
pub struct Plan {
    /// Captures, in the order that they were named in.
    pub inputs: Vec<Input>,
    /// Packets that are looked at; all, if none.
    pub filter: Option<Filter>,
    /// The rules of judging.
    pub policy: Policy,
    /// Report every flow, not only the notable ones.
    pub all: bool,
    /// Every file is a capture of its own, even if it follows another.
    pub separate: bool,
    /// The sockets of the host, as somebody saved them.
    pub sockets: Option<SocketList>,
    /// The most flows to keep in memory, for each capture point.
    pub max_flows: usize,
    /// Threads to work with; the answer is the same for any number.
    pub threads: NonZeroUsize,
    /// The parts of contents that are read.
    pub reading: Reading,
    /// Set by who wants reading to end.
    pub stop: Stop,
}

/// Nothing to read yet, and all else as the command line has it by default, on one thread.
impl Default for Plan {
    fn default() -> Plan {
        Plan {
            inputs: Vec::new(),
            filter: None,
            policy: Policy::default(),
            all: false,
            separate: false,
            sockets: None,
            max_flows: MAX_FLOWS,
            threads: NonZeroUsize::MIN,
            reading: Reading::default(),
            stop: Stop::default(),
        }
    }
}

/// Settings for reading the contents of connections.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Nothing is read: of no connection is anything known but its packets.
    pub no_content: bool,
    /// Connections count only if what was said on them last has all of these.
    pub tags: Arc<[Sought]>,
    /// Ports of servers, beside the usual ones.
    pub ports: Vec<(Known, u16)>,
    /// Ports of VXLAN, beside the usual ones.
    pub vxlan: Vec<u16>,
    /// Statements as they were sent, with their values.
    pub literals: bool,
    /// Paths of statements that are kept for flame graphs.
    pub paths: Paths,
    /// The octets that statements came in.
    pub octets: bool,
    /// As it comes: somebody may ask on the way what was said so far. Else much waits unread.
    pub at_once: bool,
}

/// The connections of which the statements of the last transaction are kept, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paths {
    /// None.
    #[default]
    None,
    /// Paths of connections that are reported.
    Reported,
    /// A few of the others as well, to be held beside them.
    Sample,
    /// All of the others: they are handed to [`Sink::unreported`](crate::summary::Sink::unreported).
    All,
}
