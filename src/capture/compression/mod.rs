//! Compressed captures, known by their first bytes and decompressed as a stream, on a thread of its own.

#[cfg(not(feature = "containers"))]
mod disabled;
#[cfg(feature = "containers")]
mod enabled;
mod joined;

#[cfg(not(feature = "containers"))]
use disabled as others;
#[cfg(feature = "containers")]
use enabled as others;

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::GzDecoder;

use super::ahead::Ahead;
use joined::Joined;

#[cfg(feature = "containers")]
pub use enabled::{bzip2, xz};

/// Octets on their way in.
pub type Input = Box<dyn Read + Send>;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The most octets that tell a form.
const START: u64 = 6;

/// The capture's own bytes: what is compressed is decompressed on the way. Rotated logs often hold
/// several gzip members or zstd frames one after the other; they are one stream.
pub fn decompressed(mut input: Input) -> io::Result<Input> {
    let mut start = Vec::new();
    input.by_ref().take(START).read_to_end(&mut start)?;
    let packed = Arc::new(AtomicU64::new(0));
    let whole = Cursor::new(start.clone()).chain(input);
    let whole = Box::new(Counted { input: Box::new(whole), read: Arc::clone(&packed) });
    let bytes: Input = match &start {
        start if start.starts_with(GZIP) => Box::new(Joined::<GzDecoder<_>>::new(whole)),
        start if start.starts_with(ZSTD) || is_skippable(start) => zstd(whole)?,
        start => match others::decompressed(start, whole) {
            Ok(bytes) => bytes,
            Err(plain) => return Ok(plain),
        },
    };
    Ok(Box::new(Ahead::new(Box::new(Bounded { bytes, packed, unpacked: 0 }))))
}

/// A frame of Zstandard that holds something else, to be passed over (RFC 8878, 3.1.2).
fn is_skippable(start: &[u8]) -> bool {
    matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Zstandard, by its reference decoder.
pub fn zstd(input: Input) -> io::Result<Input> {
    Ok(Box::new(zstd::Decoder::new(input)?))
}

/// Counts what is read.
pub struct Counted {
    /// The reader whose octets are counted.
    pub input: Input,
    /// Octets read so far: compressed ones, where it is compressed. Others may look while it is read.
    pub read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(into)?;
        self.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Bounds what is unpacked of so many octets, as everything else is.
#[cfg(feature = "containers")]
pub fn bounded(bytes: Input, packed: u64) -> Input {
    Box::new(Bounded { bytes, packed: Arc::new(AtomicU64::new(packed)), unpacked: 0 })
}

/// Ends where no capture is any more: a few octets that become very many.
struct Bounded {
    bytes: Input,
    packed: Arc<AtomicU64>,
    unpacked: u64,
}

/// So much may come of anything, and beyond that so many times as much as there was.
const FREE: u64 = 1 << 30;
const MOST_TIMES: u64 = 4_000;

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.bytes.read(into)?;
        self.unpacked += n as u64;
        let packed = self.packed.load(Ordering::Relaxed).max(1);
        match self.unpacked > FREE && self.unpacked / packed > MOST_TIMES {
            true => Err(io::Error::other("it unpacks to thousands of times its size")),
            false => Ok(n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(packed: u64, of: u64) -> Option<u64> {
        let packed = Arc::new(AtomicU64::new(packed));
        let bytes: Input = Box::new(io::repeat(0).take(of));
        let mut bounded = Bounded { bytes, packed, unpacked: 0 };
        let (mut piece, mut all) = (vec![0; 1 << 20], 0);
        loop {
            match bounded.read(&mut piece) {
                Ok(0) => return Some(all),
                Ok(n) => all += n as u64,
                Err(_) => return None,
            }
        }
    }

    #[test]
    fn only_what_is_very_much_of_very_little_is_left() {
        assert_eq!(read(1, FREE), Some(FREE), "a gigabyte may come of anything");
        assert_eq!(read(1, FREE + 1), None);
        assert_eq!(read(FREE / 1_000, FREE + 1), Some(FREE + 1), "a thousand times is usual");
        assert_eq!(read(FREE / MOST_TIMES / 2, FREE * 2), None);
    }
}
