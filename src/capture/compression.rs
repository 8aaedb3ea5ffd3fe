//! Compressed captures, known by their first bytes and decompressed as a stream, on a thread of its own.

use std::io::{self, Cursor, Read};

use flate2::read::MultiGzDecoder;

use super::ahead::Ahead;

type Input = Box<dyn Read + Send>;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The capture's own bytes: what is compressed is decompressed on the way. Rotated logs often hold
/// several gzip members or zstd frames one after the other; they are one stream.
///
/// # Errors
/// If the input cannot be read, or its compressed data do not begin as they should.
pub fn decompressed(mut input: Input) -> io::Result<Input> {
    let mut start = Vec::with_capacity(ZSTD.len());
    input.by_ref().take(ZSTD.len() as u64).read_to_end(&mut start)?;
    let is_gzip = start.starts_with(&GZIP);
    let is_zstd = start == ZSTD;
    let whole = Cursor::new(start).chain(input);
    Ok(if is_gzip {
        Box::new(Ahead::new(Box::new(MultiGzDecoder::new(whole))))
    } else if is_zstd {
        Box::new(Ahead::new(Box::new(zstd::Decoder::new(whole)?)))
    } else {
        Box::new(whole)
    })
}
