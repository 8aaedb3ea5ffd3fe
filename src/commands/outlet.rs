//! The way out for the words of a live capture.
//!
//! A thread writes it, so that whoever reads slowly (a full pipe, a busy disk) does not stop packets from
//! being read: what was said meanwhile waits in memory, up to a bound. Whole lines go out together and
//! not many at a time, so that what has been written is whole lines even if the program is killed.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{SendError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::complain;

/// Octets that are written at once: as many as a pipe takes whole or not at all (PIPE_BUF, pipe(7)).
const ONCE: usize = 4_096;

/// Octets that wait when it is said, and when it has to be waited for.
const SLOW: usize = 1 << 20;
const FULL: usize = 64 << 20;

#[derive(Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    octets: usize,
    closed: bool,
    error: Option<io::Error>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        waiting: MutexGuard<'a, Waiting>,
        while_so: impl Fn(&Waiting) -> bool,
    ) -> MutexGuard<'a, Waiting> {
        let waited = self.changed.wait_while(waiting, |waiting| while_so(waiting));
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next octets to write; `None` when all is written and nothing will follow.
    fn next(&self) -> Option<Vec<u8>> {
        let mut waiting =
            self.wait(self.lock(), |waiting| waiting.lines.is_empty() && !waiting.closed);
        let mut together = waiting.lines.pop_front()?;
        while let Some(line) = waiting.lines.front()
            && together.len() + line.len() <= ONCE
        {
            together.extend_from_slice(line);
            waiting.lines.pop_front();
        }
        waiting.octets -= together.len();
        self.changed.notify_all();
        Some(together)
    }
}

/// The end that is written to. Flushing it hands over, and waits for nothing.
pub struct Outlet {
    queue: Arc<Queue>,
    /// Written to straight, where no thread could be had: better late packets than no report.
    straight: Option<Box<dyn Write + Send>>,
    /// Lines that were written at once, or one that is not complete.
    line: Vec<u8>,
    was_slow: bool,
}

/// Waits until all is written.
pub struct Drain {
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
}

impl Outlet {
    /// Starts the thread that writes to `out`.
    pub fn start(out: Box<dyn Write + Send>) -> (Outlet, Drain) {
        let queue = Arc::new(Queue::default());
        let (from, (hand, taken)) = (Arc::clone(&queue), channel());
        let write = move || taken.recv().map_or((), |out| write_all(out, &from));
        let writer = thread::Builder::new().spawn(write).ok();
        // What cannot be handed over comes back.
        let straight = hand.send(out).err().map(|SendError(out)| out);
        let outlet =
            Outlet { queue: Arc::clone(&queue), straight, line: Vec::new(), was_slow: false };
        (outlet, Drain { queue, writer })
    }

    fn hand_over(&mut self) -> io::Result<()> {
        if self.line.is_empty() {
            return Ok(());
        }
        let line = std::mem::take(&mut self.line);
        if let Some(out) = &mut self.straight {
            return out.write_all(&line).and_then(|()| out.flush());
        }
        let is_full = |waiting: &Waiting| waiting.octets >= FULL && waiting.error.is_none();
        let mut waiting = self.queue.wait(self.queue.lock(), is_full);
        if let Some(error) = &waiting.error {
            return Err(error.kind().into());
        }
        waiting.octets += line.len();
        waiting.lines.push_back(line);
        let is_slow = waiting.octets >= SLOW;
        drop(waiting);
        self.queue.changed.notify_all();
        if is_slow && !self.was_slow {
            complain(
                &"whoever reads the output is slow: it waits in memory, and packets are lost once 64 MB do",
            );
        }
        self.was_slow |= is_slow;
        Ok(())
    }
}

fn write_all(mut out: impl Write, queue: &Queue) {
    while let Some(lines) = queue.next() {
        if let Err(error) = out.write_all(&lines).and_then(|()| out.flush()) {
            queue.lock().error = Some(error);
            queue.changed.notify_all();
            return;
        }
    }
}

impl Write for Outlet {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        // What is written at once goes out at once, as far as it is whole lines: a terminal has others between.
        for piece in octets.split_inclusive(|octet| *octet == b'\n') {
            let is_last = self.line.len() + piece.len() > ONCE || !piece.ends_with(b"\n");
            if is_last && self.line.ends_with(b"\n") {
                self.hand_over()?;
            }
            self.line.extend_from_slice(piece);
        }
        if self.line.ends_with(b"\n") {
            self.hand_over()?;
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_over()
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.changed.notify_all();
    }
}

impl Drain {
    /// After the outlet is gone: whether all could be written.
    pub fn wait(self) -> io::Result<()> {
        // It does not panic, and if it did, the error would be lost, not the report.
        let _ = self.writer.map(JoinHandle::join);
        self.queue.lock().error.take().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender};

    /// Takes a piece only when it is let.
    struct Slow {
        let_go: Receiver<()>,
        pieces: Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.let_go.recv().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            self.pieces.send(octets.to_vec()).expect("a reader");
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn whoever_writes_does_not_wait_and_lines_go_out_whole() {
        let ((go, let_go), (pieces, written)) = (channel(), channel());
        let (mut outlet, drain) = Outlet::start(Box::new(Slow { let_go, pieces }));
        let lines: Vec<String> =
            (0..2_000).map(|n| format!("line {n} {}\n", "x".repeat(n))).collect();
        let text = lines.concat();
        // In pieces that cut lines anywhere.
        for piece in text.as_bytes().chunks(777) {
            outlet.write_all(piece).expect("memory");
        }
        outlet.flush().expect("memory");
        drop(outlet);
        // More than it takes: lines go out together.
        (0..=lines.len()).for_each(|_| go.send(()).unwrap_or_default());
        drain.wait().expect("written");
        let pieces: Vec<Vec<u8>> = written.iter().collect();
        assert!(pieces.iter().all(|piece| piece.ends_with(b"\n") && piece.len() <= ONCE));
        assert!(pieces.len() < lines.len(), "short lines go out together");
        assert_eq!(pieces.concat(), text.as_bytes());
    }

    /// A line that was wrapped is several, and none comes between them.
    #[test]
    fn what_is_written_at_once_goes_out_at_once() {
        let mut outlet =
            Outlet { queue: Arc::default(), straight: None, line: Vec::new(), was_slow: false };
        outlet.write_all(b"one\n    and more\ntwo, to be").expect("memory");
        outlet.write_all(b" ended\n").expect("memory");
        let waiting = outlet.queue.lock().lines.clone();
        assert_eq!(waiting, [&b"one\n    and more\n"[..], b"two, to be ended\n"]);
    }

    #[test]
    fn an_error_is_handed_on() {
        let ((go, let_go), (pieces, _written)) = (channel(), channel());
        let (mut outlet, drain) = Outlet::start(Box::new(Slow { let_go, pieces }));
        drop(go);
        let error = loop {
            if let Err(error) = outlet.write_all(b"line\n") {
                break error;
            }
            thread::yield_now();
        };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        drop(outlet);
        assert!(drain.wait().is_err());
    }
}
