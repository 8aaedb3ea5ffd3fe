//! A stream that another thread reads ahead, where producing it takes a processor of its own.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SendError, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// Octets of a piece, and pieces that may wait. What is read ahead is bounded, by as much as comes while a round is
/// judged: whoever waits for another is woken on its processor, and both share that one for a while.
const PIECE: usize = 256 << 10;
const WAITING: usize = 64;

type Input = Box<dyn Read + Send>;

/// Reads ahead from the second read on: whoever looks at the beginning alone starts no thread. Where none can be
/// had, it reads when it is asked to.
pub struct Ahead {
    /// Until there is a thread.
    input: Option<Input>,
    reads: usize,
    pieces: Option<Pieces>,
}

impl Ahead {
    pub fn new(input: Input) -> Ahead {
        Ahead { input: Some(input), reads: 0, pieces: None }
    }
}

impl Read for Ahead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.reads = self.reads.saturating_add(1);
        if self.reads == 2 {
            self.pieces = Pieces::of(&mut self.input);
        }
        match (&mut self.input, &mut self.pieces) {
            (Some(input), _) => input.read(into),
            (None, pieces) => pieces.as_mut().map_or(Ok(0), |pieces| pieces.read(into)),
        }
    }
}

/// Pieces that the thread has read. An empty piece is the end.
struct Pieces {
    coming: Receiver<io::Result<Vec<u8>>>,
    /// The way back for pieces that can be used again.
    used: Sender<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Pieces {
    /// Takes the input, if there is a thread to be had: it is handed over once the thread runs, as it would be gone
    /// with one that did not begin.
    fn of(input: &mut Option<Input>) -> Option<Pieces> {
        let (to, coming) = sync_channel(WAITING);
        let (used, free) = channel();
        let (hand_over, given) = channel();
        let reads = move || given.recv().map_or((), |input| read_ahead(input, &to, &free));
        thread::Builder::new().spawn(reads).ok()?;
        if let Err(SendError(unread)) = hand_over.send(input.take()?) {
            *input = Some(unread);
            return None;
        }
        Some(Pieces { coming, used, piece: Vec::new(), at: 0, ended: false })
    }

    fn next(&mut self) -> io::Result<()> {
        // A thread that is gone without a word is no end of the input.
        let gone = |_| Err(io::Error::other("reading ahead has failed"));
        let next = self.coming.recv().unwrap_or_else(gone);
        self.ended = next.as_ref().map_or(true, Vec::is_empty);
        let piece = std::mem::replace(&mut self.piece, next?);
        self.at = 0;
        // Nobody takes it once the input has ended.
        self.used.send(piece).ok();
        Ok(())
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() && !self.ended {
            self.next()?;
        }
        let n = self.piece.get(self.at..).unwrap_or_default().read(into)?;
        self.at += n;
        Ok(n)
    }
}

/// Hands over what each read brings, until the input ends or fails, or nobody wants more.
fn read_ahead(mut input: Input, to: &SyncSender<io::Result<Vec<u8>>>, free: &Receiver<Vec<u8>>) {
    loop {
        let mut piece = free.try_recv().unwrap_or_default();
        piece.resize(PIECE, 0);
        let read = loop {
            match input.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let is_last = matches!(read, Ok(0) | Err(_));
        let next = read.map(|n| {
            piece.truncate(n);
            piece
        });
        if to.send(next).is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out the numbers below `left`, a few at a time, and then fails or ends.
    struct Counting {
        next: u32,
        left: u32,
        fails: bool,
    }

    impl Read for Counting {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            if self.left == 0 {
                return if self.fails { Err(io::Error::other("broken")) } else { Ok(0) };
            }
            let n = (into.len() / 4).min(self.left as usize).min(1 + self.next as usize % 90_000);
            for (into, number) in into.chunks_exact_mut(4).zip(self.next..).take(n) {
                into.copy_from_slice(&number.to_le_bytes());
            }
            self.next += n as u32;
            self.left -= n as u32;
            Ok(n * 4)
        }
    }

    fn read(fails: bool) -> (Vec<u8>, Option<String>) {
        let mut ahead = Ahead::new(Box::new(Counting { next: 0, left: 1_000_000, fails }));
        let mut all = Vec::new();
        let error = ahead.read_to_end(&mut all).err().map(|error| error.to_string());
        assert_eq!(ahead.read(&mut [0; 8]).ok(), Some(0), "an end stays the end");
        (all, error)
    }

    #[test]
    fn it_is_the_same_stream() {
        let expected: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        assert!(read(false) == (expected.clone(), None));
        assert!(read(true) == (expected, Some("broken".into())), "all that came before an error");
    }

    #[test]
    fn a_thread_that_is_lost_is_an_error() {
        struct Panics(bool);
        impl Read for Panics {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                assert!(!std::mem::replace(&mut self.0, true), "as a broken decompressor would");
                into[0] = 7;
                Ok(1)
            }
        }
        let mut ahead = Ahead::new(Box::new(Panics(false)));
        assert_eq!(ahead.read(&mut [0; 8]).ok(), Some(1));
        assert!(ahead.read(&mut [0; 8]).is_err());
    }

    #[test]
    fn a_thread_ends_when_nobody_reads_on() {
        struct Endless(SyncSender<()>);
        impl Read for Endless {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                Ok(into.len())
            }
        }
        impl Drop for Endless {
            fn drop(&mut self) {
                self.0.send(()).ok();
            }
        }
        let (gone, is_gone) = sync_channel(1);
        let mut ahead = Ahead::new(Box::new(Endless(gone)));
        for _ in 0..3 {
            assert_eq!(ahead.read(&mut [0; 8]).ok(), Some(8));
        }
        drop(ahead);
        assert!(is_gone.recv_timeout(std::time::Duration::from_secs(20)).is_ok());
    }
}
