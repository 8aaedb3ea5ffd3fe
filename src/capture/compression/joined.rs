//! Compressed files one after the other, and the zeros behind them.
//!
//! Rotated logs often hold several gzip members; they are one stream. Tapes, and whatever writes blocks of one size, fill
//! up with zeros, which gzip(1) passes over too.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

use super::Input;

/// Octets that are read at once.
const AT_ONCE: usize = 32 << 10;

/// A decoder of one compressed file, which leaves what is behind that.
pub trait One: Read {
    /// Begins with the file's first octet.
    fn begin(input: BufReader<Input>) -> Self;

    /// Returns what is behind the file, once that was read to its end.
    fn behind(self) -> BufReader<Input>;
}

impl One for GzDecoder<BufReader<Input>> {
    fn begin(input: BufReader<Input>) -> Self {
        GzDecoder::new(input)
    }

    fn behind(self) -> BufReader<Input> {
        self.into_inner()
    }
}

/// A reader of all of them.
pub struct Joined<D> {
    /// The one that is read; none once all are, or where one is damaged.
    now: Option<D>,
}

impl<D: One> Joined<D> {
    /// Begins with the first one.
    pub fn new(input: Input) -> Joined<D> {
        Joined { now: Some(D::begin(BufReader::with_capacity(AT_ONCE, input))) }
    }
}

impl<D: One> Read for Joined<D> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(one) = &mut self.now {
            let n = one.read(into)?;
            if n > 0 || into.is_empty() {
                return Ok(n);
            }
            let Some(one) = self.now.take() else { break };
            let mut behind = one.behind();
            if !skip_zeros(&mut behind)? {
                self.now = Some(D::begin(behind));
            }
        }
        Ok(0)
    }
}

/// Passes over zeros. Returns whether nothing else follows.
fn skip_zeros(input: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let octets = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            octets => octets?,
        };
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        let (is_over, is_else) = (octets.is_empty(), zeros < octets.len());
        input.consume(zeros);
        if is_over || is_else {
            return Ok(is_over);
        }
    }
}
