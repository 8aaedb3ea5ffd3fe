//! `closewait top`: the screen, its terminal, and what the user wishes for.
//!
//! * `screen`: the terminal, as it was when this is over
//! * `show`: events in, frames out
//! * `files`, `player`: a capture that is replayed; `deeds`: what is read again from it
//! * `host`: this host; `keeper`: its packets as files

#[cfg(not(feature = "tui"))]
mod disabled;
#[cfg(feature = "tui")]
mod enabled;

use crate::capture::file::Input;
use crate::capture::filter::Filter;
use crate::capture::stop::Stop;
use crate::commands::live::LiveCommand;
use crate::run::{Plan, Reading};
use crate::units::Zone;
use crate::verdict::Policy;
use std::num::NonZeroUsize;

#[cfg(not(feature = "tui"))]
pub use disabled::{keeper, top};
#[cfg(feature = "tui")]
pub use enabled::{keeper, screen, top};

/// The command `top`: its subject.
pub enum TopCommand {
    /// A capture, and the zone of times.
    Files(Box<Files>, Zone),
    /// This host.
    Host(Box<LiveCommand>),
}

/// Captures that are read again and again.
pub struct Files {
    /// Captures to replay.
    pub inputs: Vec<Input>,
    /// Packets that are looked at.
    pub filter: Option<Filter>,
    /// The rules of judging.
    pub policy: Policy,
    /// Reads each file as a capture of its own.
    pub separate: bool,
    /// Connections in memory, at most.
    pub max_flows: usize,
    /// Threads that judge.
    pub threads: NonZeroUsize,
    /// The parts of contents that are read.
    pub reading: Reading,
}

impl Files {
    /// A plan to read them once more.
    pub fn plan(&self) -> Plan {
        Plan {
            inputs: self.inputs.clone(),
            filter: self.filter.as_ref().map(Filter::again),
            policy: self.policy.clone(),
            all: false,
            separate: self.separate,
            sockets: None,
            max_flows: self.max_flows,
            threads: self.threads,
            reading: self.reading.clone(),
            stop: Stop::default(),
        }
    }

    /// Copies them for another thread.
    #[must_use]
    pub fn again(&self) -> Files {
        let Plan { inputs, filter, policy, separate, max_flows, threads, reading, .. } =
            self.plan();
        Files { inputs, filter, policy, separate, max_flows, threads, reading }
    }
}
