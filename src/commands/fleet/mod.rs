//! `closewait facts` and `closewait judge`: captures become parts, and parts verdicts.

#[cfg(not(feature = "fleet"))]
mod disabled;
#[cfg(feature = "fleet")]
mod enabled;

use std::path::PathBuf;

use anstream::ColorChoice;

#[cfg(not(feature = "fleet"))]
pub use disabled::{facts, judge};
#[cfg(feature = "fleet")]
pub use enabled::{facts, judge};

use super::format::Format;
use crate::capture::file::Input;
use crate::report::text::TextLook;
use crate::run::Plan;

/// The command `facts`: its capture and its options.
pub struct FactsCommand {
    /// The capture.
    pub input: Input,
    /// The file of the table.
    pub output: PathBuf,
    /// Payloads as far as they were captured, too.
    pub contents: bool,
    /// The key of the hash that shares go by.
    pub key: u64,
    /// Ports of VXLAN, beside the usual ones.
    pub vxlan: Vec<u16>,
}

/// The command `judge`: its parts and its options.
pub struct JudgeCommand {
    /// Parts, or folders of them.
    pub parts: Vec<PathBuf>,
    /// A share of the connections: `3/8`.
    pub shard: Option<String>,
    /// The file for what the other shares have to know.
    pub tell: Option<PathBuf>,
    /// Files of what all shares have told.
    pub told: Vec<PathBuf>,
    /// The rules of judging, and the parts of contents that are read.
    pub plan: Plan,
    /// The form of the report.
    pub format: Format,
    /// The look of a report in text.
    pub look: TextLook,
    /// Colours: always, never, or on terminals.
    pub color: ColorChoice,
    /// Standard output if `None`.
    pub output: Option<PathBuf>,
}
