//! The screen of `closewait top`, without a terminal: what a report has to say becomes a picture, events
//! change what of it is looked at, and cells are drawn.
//!
//! * [`picture`]: a report's connections, groups and counts at one moment
//! * [`reel`]: a whole capture's time line; [`samples`]: growth from picture to picture
//! * [`filter`], [`order`]: which connections are shown, and in which order
//! * [`app`]: the state of the screen: an event in, wishes out
//! * [`layout`], [`draw`]: the state in cells
//! * [`ansi`]: a report's coloured lines as cells

pub mod ansi;
pub mod app;
pub mod draw;
pub mod filter;
pub mod layout;
pub mod order;
pub mod picture;
pub mod reel;
pub mod samples;
