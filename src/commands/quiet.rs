//! An output whose reader may go away: `closewait … | head`.
//!
//! Whoever read it has seen enough. The rest is said to nobody, and nothing has failed: what was found
//! is still told by the exit status. But `… | tee file` ends by the same Ctrl-C that asks for the report: what
//! tee no longer takes is said on the terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::Ordering;

use crate::capture::stop::Stop;

type Out = Box<dyn Write + Send>;

/// Passes on what is written, as long as somebody reads it.
pub struct Quiet {
    /// None once nobody does.
    out: Option<Out>,
    /// The place for what an interrupted reader no longer takes.
    instead: Option<Out>,
    gone: Stop,
}

impl Quiet {
    /// `gone` is set when the reader of `out` has gone away; where it was set before, by a signal, the reader
    /// went by that, too.
    pub fn new(out: impl Write + Send + 'static, gone: &Stop) -> Quiet {
        Quiet { out: Some(Box::new(out)), instead: None, gone: Stop::clone(gone) }
    }

    /// Standard output; the terminal, if there is one, has what an interrupted reader no longer takes.
    pub fn stdout(gone: &Stop) -> Quiet {
        let mut quiet = Quiet::new(io::stdout(), gone);
        if io::stderr().is_terminal() {
            quiet.instead = Some(Box::new(io::stderr()));
        }
        quiet
    }

    fn pass<T>(&mut self, nobody: T, tell: impl Fn(&mut Out) -> io::Result<T>) -> io::Result<T> {
        let Some(out) = &mut self.out else { return Ok(nobody) };
        match tell(out) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                let interrupted = self.gone.swap(true, Ordering::Relaxed);
                self.out = self.instead.take().filter(|_| interrupted);
                self.pass(nobody, tell)
            }
            told => told,
        }
    }
}

impl Write for Quiet {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.pass(octets.len(), |out| out.write(octets))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass((), |out| out.flush())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

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
    fn what_an_interrupted_reader_does_not_take_is_said_elsewhere() {
        for interrupted in [false, true] {
            let [(read, write), (mut terminal, instead)] =
                [(); 2].map(|()| io::pipe().expect("a pipe"));
            let gone = Stop::new(interrupted.into());
            let mut quiet = Quiet { instead: Some(Box::new(instead)), ..Quiet::new(write, &gone) };
            drop(read);
            quiet.write_all(b"the report").and_then(|()| quiet.flush()).expect("nobody minds");
            drop(quiet);
            let mut said = String::new();
            terminal.read_to_string(&mut said).expect("a pipe");
            assert_eq!(said, if interrupted { "the report" } else { "" });
        }
    }

    #[test]
    fn other_errors_are_errors() {
        let full = io::Cursor::new([0; 2]);
        let mut quiet = Quiet::new(full, &Stop::default());
        assert!(quiet.write_all(b"three").is_err());
    }
}
