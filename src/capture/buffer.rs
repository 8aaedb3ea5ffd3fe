//! The bytes of a file on their way in.

use std::io::{self, Read};
use std::ops::Range;

/// A window on a stream: whole records are parsed in place, then consumed.
pub struct Buffer {
    input: Box<dyn Read + Send>,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes that were ever read.
    read: u64,
    at_end: bool,
}

impl Buffer {
    /// Begins a window with room for `capacity` bytes; it grows where a record needs more.
    #[must_use]
    pub fn new(input: Box<dyn Read + Send>, capacity: usize) -> Buffer {
        Buffer { input, bytes: vec![0; capacity], start: 0, end: 0, read: 0, at_end: false }
    }

    /// The first `len` bytes, or all that are left where the input ends before.
    ///
    /// Reads no further than it must: a pipe hands out what it has. Grows with what arrives, not
    /// with what a length field claims.
    ///
    /// # Errors
    /// If the input cannot be read.
    #[inline]
    pub fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        if self.end - self.start < len {
            self.fill(len)?;
        }
        let len = len.min(self.end - self.start);
        Ok(&self.bytes[self.start..self.start + len])
    }

    #[cold]
    fn fill(&mut self, len: usize) -> io::Result<()> {
        while self.end - self.start < len {
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            if self.end == self.bytes.len() {
                let more = self.bytes.len().max(4096);
                self.bytes.resize(self.bytes.len() + more, 0);
            }
            match self.input.read(&mut self.bytes[self.end..]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(n) => {
                    self.end += n;
                    self.read += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Bytes already peeked at.
    #[inline]
    #[must_use]
    pub fn get(&self, from: usize, len: usize) -> &[u8] {
        let held = &self.bytes[self.start..self.end];
        held.get(from..from.saturating_add(len)).unwrap_or_default()
    }

    /// Takes octets that were read otherwise in exchange for its own, of which nothing is needed any more: those within a
    /// range, which end at this offset, are what comes next. Returns the others, to be used again.
    pub fn exchange(&mut self, octets: Vec<u8>, within: Range<usize>, end: u64) -> Vec<u8> {
        (self.start, self.end, self.read) = (within.start, within.end, end);
        std::mem::replace(&mut self.bytes, octets)
    }

    /// All that has been read and not consumed.
    #[inline]
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Tells whether nothing but zeros is left, as a crash leaves it in a file whose room was there before its
    /// octets. Reads to the end, or to the first other octet: nothing can be read after it.
    ///
    /// # Errors
    /// If the input cannot be read.
    pub fn is_blank_to_its_end(&mut self) -> io::Result<bool> {
        let is_blank = |octets: &[u8]| octets.iter().all(|octet| *octet == 0);
        let mut room = vec![0; 1 << 16];
        let mut blank = is_blank(self.unread());
        while blank {
            match self.input.read(&mut room) {
                Ok(0) => break,
                Ok(n) => blank = is_blank(&room[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(blank)
    }

    /// True once the input has ended: what is held is the last of it.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.at_end
    }

    /// Passes over bytes that were peeked at.
    #[inline]
    pub fn consume(&mut self, len: usize) {
        let len = len.min(self.end - self.start);
        self.start += len;
    }

    /// Bytes consumed so far: the offset of what comes next.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.read - (self.end - self.start) as u64
    }
}
