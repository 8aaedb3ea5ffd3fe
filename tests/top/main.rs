//! `closewait top`: its parts on cells without a terminal, and the binary in a terminal that keys are sent to.
#![cfg(feature = "tui")]

#[path = "../common/mod.rs"]
mod common;
mod driven;
mod pictures;
mod screens;
mod svg;
mod truth;
#[path = "../common/live.rs"]
mod watcher;
