//! The door that judged connections go through: printers stand behind it.

use std::collections::BTreeMap;
use std::io;

use super::growth::Grown;
use super::{EventKind, Row, Totals};
use crate::owner::{Socket, Usage};
use crate::place::Time;

/// A sink for what a run finds: a printer, a collection, a count.
///
/// # The order of calls
///
/// While a capture is read: [`event`](Sink::event) and [`event_before`](Sink::event_before), live only,
/// and [`row`](Sink::row) or [`unreported`](Sink::unreported) for each connection that has left memory.
/// When it ends: the remaining rows, in the order of first packets unless they may come
/// [in any](Sink::takes_any_order); then
/// [`stuck_before`](Sink::stuck_before) for each socket that the capture never saw, and
/// [`usage`](Sink::usage) where it is known; then, once, [`end`](Sink::end). Live, whoever asks for a report in between gets that closing sequence early, and
/// everything may come again.
///
/// # Errors
///
/// An error is that of the sink's own output. It ends the run, which returns it: nothing more is
/// called, not even [`end`](Sink::end).
pub trait Sink {
    /// Takes what has just happened to a live connection: to be written at once. With it, the growth of those
    /// that it belongs to, at each power of two.
    fn event(&mut self, _: EventKind, _: &Row, _: Option<&Grown>) -> io::Result<()> {
        Ok(())
    }

    /// Takes what has just been learnt of a socket that was in CLOSE-WAIT when a live capture began: that it is still,
    /// or has been until not long ago. Where it still is as that ends, its program uses it.
    fn event_before(&mut self, _: EventKind, _: &Socket, _: Time) -> io::Result<()> {
        Ok(())
    }

    /// Tells whether reported connections may come as they leave memory: for sinks that order them by
    /// themselves, or make no difference. Nobody has to keep them, then.
    fn takes_any_order(&self) -> bool {
        false
    }

    /// Takes a connection that is reported: every notable one, and with `Plan::all` every one.
    fn row(&mut self, _: &Row) -> io::Result<()> {
        Ok(())
    }

    /// Takes a connection that is not reported: only where its contents were asked for (`Paths`).
    fn unreported(&mut self, _: &Row) -> io::Result<()> {
        Ok(())
    }

    /// Takes a socket in CLOSE-WAIT of which the capture holds no packet.
    fn stuck_before(&mut self, _: &Socket) -> io::Result<()> {
        Ok(())
    }

    /// Takes the descriptors of processes that hold findings, where the kernel was asked for them.
    fn usage(&mut self, _: &BTreeMap<i32, Usage>) -> io::Result<()> {
        Ok(())
    }

    /// Takes the counts of the whole run, and finishes.
    fn end(&mut self, _: &Totals) -> io::Result<()> {
        Ok(())
    }
}

/// A sink that keeps nothing: for a run that is made for another sake.
pub struct Nothing;

impl Sink for Nothing {
    fn takes_any_order(&self) -> bool {
        true
    }
}
