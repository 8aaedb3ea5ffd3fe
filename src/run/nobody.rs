//! Nobody reads and nobody is told: for those who read the same once more.

use std::io;

use super::Watch;
use crate::capture::Error;
use crate::owner::Socket;
use crate::place::Time;
use crate::report::{EventKind, Render, Row, Totals};

/// Where nothing is to be written.
pub struct Nothing;

impl Render for Nothing {
    fn event(&mut self, _: EventKind, _: &Row) -> io::Result<()> {
        Ok(())
    }

    fn event_before(&mut self, _: &Socket, _: Time) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, _: &Row) -> io::Result<()> {
        Ok(())
    }

    fn stuck_before(&mut self, _: &Socket) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Totals) -> io::Result<()> {
        Ok(())
    }
}

/// Who has been told already.
pub struct Nobody;

impl Watch for Nobody {
    fn trouble(&mut self, _: &Error) {}
    fn progress(&mut self, _: u64, _: Option<u64>) {}
}
