//! Judgements as data: rows, counts and reasons, below whoever makes them and whoever prints them.
//!
//! * [`row`]: one connection with its names around it
//! * [`sink`]: where rows go, in which order
//! * [`totals`]: counts of a run
//! * [`seen`]: what a capture held, in memory, for whoever compares captures with something
//! * [`mod@cause`], [`mod@evidence`]: why a connection was left half-closed, and what speaks for it
//! * [`gauges`]: a live capture at one moment, counted

pub mod cause;
pub mod evidence;
pub mod gauges;
pub mod row;
pub mod seen;
pub mod sink;
pub mod totals;

pub use row::{EventKind, Owner, Row};
pub use sink::{Nothing, Sink};
pub use totals::{Capture, Gap, Overlap, Tally, Totals};
