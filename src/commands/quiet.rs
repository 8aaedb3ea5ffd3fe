//! An output whose reader may go away: `closewait … | head`.
//!
//! Whoever read it has seen enough. The rest is said to nobody, and nothing has failed: what was found
//! is still told by the exit status.

use std::io::{self, Write};
use std::sync::atomic::Ordering;

use crate::capture::stop::Stop;

/// Passes on what is written, as long as somebody reads it.
pub struct Quiet<W> {
    /// None once nobody does.
    out: Option<W>,
    gone: Stop,
}

impl<W: Write> Quiet<W> {
    /// `gone` is set when the reader of `out` has gone away.
    pub fn new(out: W, gone: &Stop) -> Quiet<W> {
        Quiet { out: Some(out), gone: Stop::clone(gone) }
    }

    fn pass<T>(&mut self, nobody: T, tell: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        let Some(out) = &mut self.out else { return Ok(nobody) };
        match tell(out) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.out = None;
                self.gone.store(true, Ordering::Relaxed);
                Ok(nobody)
            }
            told => told,
        }
    }
}

impl<W: Write> Write for Quiet<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.pass(octets.len(), |out| out.write(octets))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass((), W::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        let (read, write) = io::pipe().expect("a pipe");
        let gone = Stop::default();
        let mut quiet = Quiet::new(write, &gone);
        quiet.write_all(b"first").expect("it is read");
        assert!(!gone.load(Ordering::Relaxed));
        drop(read);
        quiet.write_all(b"second").and_then(|()| quiet.flush()).expect("nobody minds");
        assert!(gone.load(Ordering::Relaxed));
    }

    #[test]
    fn other_errors_are_errors() {
        let mut full = [0; 2];
        let mut quiet = Quiet::new(&mut full[..], &Stop::default());
        assert!(quiet.write_all(b"three").is_err());
    }
}
