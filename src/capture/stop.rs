//! Reading that somebody can end before its input does: Ctrl-C, or a reader that went away.
//!
//! Input from a pipe ends then as at its end: whoever writes it (tcpdump, interrupted by the same
//! keys) hands over the rest first. A file that is not read to its end is another matter: it fails.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::compression::Input as Octets;

/// A wish to stop, shared by whoever has it and whoever reads.
pub type Stop = Arc<AtomicBool>;

/// The longest wait for octets before the wish is looked at; a signal ends it early.
const PATIENCE: Duration = Duration::from_millis(100);

/// After the wish: how long the writer may say nothing, and how long it may go on.
const QUIET: Duration = Duration::from_millis(250);
const REST: Duration = Duration::from_secs(2);

/// Reads what comes at its writer's pace: a pipe, a terminal, a socket.
pub struct Waiting {
    input: File,
    stop: Stop,
    until: Option<Instant>,
}

impl Waiting {
    /// Reads `input` until `stop` is set.
    pub fn new(input: File, stop: &Stop) -> Waiting {
        Waiting { input, stop: Arc::clone(stop), until: None }
    }

    /// The longest wait from now on; none when it is over.
    fn patience(&mut self) -> Option<Duration> {
        if !self.stop.load(Ordering::Relaxed) {
            return Some(PATIENCE);
        }
        let until = *self.until.get_or_insert_with(|| Instant::now() + REST);
        let left = until.checked_duration_since(Instant::now())?;
        Some(left.min(QUIET))
    }

    fn is_ready(&self, patience: Duration) -> io::Result<bool> {
        let mut fds = [PollFd::from_borrowed_fd(self.input.as_fd(), PollFlags::IN)];
        let patience = Timespec { tv_sec: 0, tv_nsec: i64::from(patience.subsec_nanos()) };
        match poll(&mut fds, Some(&patience)) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Read for Waiting {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(patience) = self.patience() else { return Ok(0) };
            if self.is_ready(patience)? {
                match self.input.read(into) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => return read,
                }
            } else if self.until.is_some() {
                // Quiet for good.
                self.until = Some(Instant::now());
                return Ok(0);
            }
        }
    }
}

/// Reads a file, whose octets are all there: stopping leaves some of them unread.
pub struct Whole {
    input: Octets,
    stop: Stop,
}

impl Whole {
    /// Reads `input` unless `stop` is set.
    pub fn new(input: Octets, stop: &Stop) -> Whole {
        Whole { input, stop: Arc::clone(stop) }
    }
}

impl Read for Whole {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("interrupted; verdicts cover what was read"));
        }
        self.input.read(into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn pipe() -> (Waiting, File, Stop) {
        let (read, write) = io::pipe().expect("a pipe");
        let stop = Stop::default();
        let read = File::from(std::os::fd::OwnedFd::from(read));
        (Waiting::new(read, &stop), File::from(std::os::fd::OwnedFd::from(write)), stop)
    }

    #[test]
    fn a_pipe_ends_when_its_writer_has_said_the_rest() {
        let (mut waiting, mut writer, stop) = pipe();
        writer.write_all(b"first").expect("room");
        let mut octets = [0; 16];
        assert_eq!(waiting.read(&mut octets).expect("there"), 5);
        stop.store(true, Ordering::Relaxed);
        let rest = std::thread::spawn(move || {
            std::thread::sleep(QUIET / 3);
            writer.write_all(b"rest").expect("room");
            // It stays open, and says nothing more.
            std::thread::sleep(QUIET * 2);
        });
        let mut text = String::new();
        let began = Instant::now();
        waiting.read_to_string(&mut text).expect("it ends");
        assert_eq!(text, "rest");
        assert!(began.elapsed() < QUIET * 3);
        rest.join().expect("it ends");
    }

    #[test]
    fn a_writer_that_never_ends_is_not_waited_for() {
        let (mut waiting, mut writer, stop) = pipe();
        stop.store(true, Ordering::Relaxed);
        std::thread::spawn(move || while writer.write_all(&[b'y'; 4096]).is_ok() {});
        let began = Instant::now();
        io::copy(&mut waiting, &mut io::sink()).expect("it ends");
        assert!(began.elapsed() < REST * 2);
    }

    #[test]
    fn a_file_that_is_left_unread_fails() {
        let stop = Stop::default();
        let mut whole = Whole::new(Box::new(&b"all of it"[..]), &stop);
        assert_eq!(whole.read(&mut [0; 3]).expect("there"), 3);
        stop.store(true, Ordering::Relaxed);
        assert!(whole.read(&mut [0; 3]).is_err());
    }
}
