//! Notices on the way: troubles, progress, how a live capture stands; and how a run ended.

use std::io;

use super::session::Session;
use crate::capture::Error;

/// A board for notices while a run goes on. By default, nobody reads it.
pub trait Notices {
    /// Something could not be read as it should.
    fn trouble(&mut self, _: &Error) {}

    /// So many bytes were read, of so many if that is known.
    fn progress(&mut self, _done: u64, _all: Option<u64>) {}

    /// A live capture stands like this.
    fn status(&mut self, _: &Status) {}

    /// Something is about to be written where notices stand.
    fn make_room(&mut self) {}
}

/// A board that nobody reads: for reading again what has been told of already.
pub struct Nobody;

impl Notices for Nobody {}

/// A live capture at a glance.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// Packets so far.
    pub packets: u64,
    /// Connections in memory.
    pub flows: usize,
    /// In CLOSE-WAIT for as long as makes a finding.
    pub stuck: usize,
    /// Connections that got stuck within the last minute.
    pub stuck_lately: usize,
    /// Findings that the kernel has had in CLOSE-WAIT since before the capture.
    pub before: usize,
    /// Packets that the kernel dropped.
    pub drops: u64,
}

/// The result of a run, from which the exit status follows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Findings: the exit status is 1 where there is one.
    pub findings: u64,
    /// Some input could not be read, or not to its end.
    pub failed: bool,
    /// Something could be read, so there was a report.
    pub read_any: bool,
    /// Nothing was judged: who is local was said, and is at no end of any connection.
    pub is_of_nobody: bool,
    /// Connections in CLOSE-WAIT that were left out, since their tags cannot be told.
    pub tags_untold: u64,
    /// Others that were left out, since they are in no protocol that is read.
    pub tags_unread: u64,
}

impl Outcome {
    /// Ends a session in which something was read.
    ///
    /// # Errors
    /// Errors of the sink.
    pub(crate) fn of(session: Session, failed: bool) -> io::Result<Outcome> {
        let tally = &session.totals.tally;
        let is_of_nobody = session.policy().local.is_some() && tally.is_of_others();
        let (tags_untold, tags_unread) = (tally.tags_untold_held, tally.tags_unread_held);
        let findings = session.close()?;
        Ok(Outcome { findings, failed, read_any: true, is_of_nobody, tags_untold, tags_unread })
    }
}
