//! Judgements as data: rows, counts and reasons, below whoever makes them and whoever prints them.
//!
//! * [`judged`]: one connection with its judgement; [`row`]: the same on its way to a printer
//! * [`sink`]: where rows go, in which order
//! * [`totals`]: counts of a run
//! * [`seen`]: what a capture held, in memory, for whoever compares captures with something
//! * [`growth`]: how fast counts grow, and when descriptors run out
//! * [`found`]: findings, counted, with as many kept whole as a screen shows
//! * [`groups`]: those that belong together, the timeouts that closed them, how fast they grow
//! * [`mod@cause`], [`mod@evidence`]: why a connection was left half-closed, and what speaks for it
//! * [`hold`]: times in CLOSE-WAIT, and whether they have ended
//! * [`moment`]: closes that came together, by no timer
//! * [`compare`]: two captures held against each other
//! * [`closes`]: how connections were closed, by service: who first, after which pause, and too late
//! * [`history`]: sockets by state over time; [`spread`]: durations, in percentiles
//! * [`race`]: requests that came after the service's FIN, the timer that sent it, and what to set;
//!   [`settings`]: the names of what clients can set
//! * [`gauges`]: a live capture at one moment, counted

pub mod cause;
pub mod closes;
pub mod compare;
pub mod evidence;
pub mod found;
pub mod gauges;
pub mod groups;
pub mod growth;
pub mod history;
pub mod hold;
pub mod judged;
pub mod moment;
pub mod race;
pub mod range;
pub mod row;
pub mod seen;
pub mod settings;
pub mod sink;
pub mod spread;
pub mod totals;

pub use judged::Judged;
pub use row::{EventKind, Owner, Row};
pub use sink::{Nothing, Sink};
pub use totals::{Capture, Difference, Distinct, Drops, Gap, Headline, SaidEnd, Tally, Totals};
