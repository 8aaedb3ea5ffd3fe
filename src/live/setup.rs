//! What a live run needs beside a plan.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::board::Board;
use super::kernel::Kernel;
use crate::owner::SocketList;
use crate::place::Time;

/// Set-up of a live capture: the kernel's word, and who may ask for what.
pub struct LiveSetup {
    /// When it began.
    pub began: Time,
    /// `None` if it cannot be asked.
    pub kernel: Option<Kernel>,
    /// What was in CLOSE-WAIT then, as far as the kernel tells.
    pub before: Option<SocketList>,
    /// Where numbers are asked for, if anybody may.
    pub board: Option<Arc<Board>>,
    /// Set by who wants a report of what is, and then goes on.
    pub report: Arc<AtomicBool>,
    /// Set once processes can no longer be named, where that is a failure that ends it: whoever started
    /// a service starts it anew.
    pub nameless: Option<Arc<AtomicBool>>,
}
